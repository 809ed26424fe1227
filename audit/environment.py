"""The environment for checkov and parliament; not the workbook's, because checkov pins an older boto3."""

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
    """The environment's interpreter; the environment is recreated when the lock file or Python changes.

    Raises
    ------
    WorkbookError : it could not be created; carries the installer's output.
    """
    interpreter, stamp = DIRECTORY / "bin" / "python", DIRECTORY / "made-from"
    wanted = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()
    if interpreter.is_file() and stamp.is_file() and stamp.read_text() == wanted:
        return interpreter
    progress = Progress("One-time setup of checkov and parliament")
    uv = shutil.which("uv", path=str(ROOT / ".workbook" / "bin")) or shutil.which("uv")
    if uv is not None:
        _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(DIRECTORY)])
        progress.say("installing with uv", force=True)
        _run([uv, "pip", "sync", "--quiet", "--require-hashes", "--python", str(interpreter), str(LOCK)])
    else:
        _run([sys.executable, "-m", "venv", "--clear", str(DIRECTORY)])
        progress.say("installing with pip, which takes a few minutes", force=True)
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
            f"Setting up checkov took more than {SECONDS} s.",
            "Run this again: finished downloads are kept.",
        ) from None
    if done.returncode != 0:
        raise WorkbookError(
            "Could not set up checkov and parliament.",
            "Check the network connection and run this again.",
            "\n".join(done.stderr.strip().splitlines()[-4:]),
        )
