"""The environment that checkov and parliament run in; apart from the workbook's, since checkov pins an older boto3."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from workbook.display.progress import Progress
from workbook.errors import WorkbookError
from workbook.host.paths import ROOT

LOCK = ROOT / "audit" / "requirements.lock"
DIRECTORY = ROOT / ".workbook" / "audit-env"
SECONDS = 600


def python() -> Path:
    """The environment's interpreter; made, or made anew when the lock or Python changed, and else left as it is.

    Raises
    ------
    WorkbookError : it could not be made; carries the installer's own words.
    """
    interpreter, stamp = DIRECTORY / "bin" / "python", DIRECTORY / "made-from"
    wanted = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()
    if interpreter.is_file() and stamp.is_file() and stamp.read_text() == wanted:
        return interpreter
    progress = Progress("Environment of checkov and parliament, once")
    uv = shutil.which("uv", path=str(ROOT / ".workbook" / "bin")) or shutil.which("uv")
    if uv is not None:
        _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(DIRECTORY)])
        progress.say("installing with uv", force=True)
        _run([uv, "pip", "sync", "--quiet", "--require-hashes", "--python", str(interpreter), str(LOCK)])
    else:
        _run([sys.executable, "-m", "venv", "--clear", str(DIRECTORY)])
        progress.say("installing with pip, which takes minutes", force=True)
        _run(
            [
                str(interpreter),
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--require-hashes",
                "-r",
                str(LOCK),
            ]
        )
    stamp.write_text(wanted)
    progress.say("ready", force=True)
    return interpreter


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise WorkbookError(
            f"The environment of checkov was not ready after {SECONDS} s.",
            "Run this again: what was downloaded is kept.",
        ) from None
    if done.returncode != 0:
        raise WorkbookError(
            "The environment of checkov and parliament could not be made.",
            "Is there a network? Run this again when there is.",
            "\n".join(done.stderr.strip().splitlines()[-4:]),
        )
