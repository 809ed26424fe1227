"""Start JupyterLab on the first notebook: on loopback, behind a token, without news."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

from nbformat.sign import NotebookNotary

from workbook.errors import WorkbookError
from workbook.host.paths import ROOT
from workbook.notebooks import execute as notebook

FIRST = "notebooks/00_start.ipynb"
_CONFIG = Path(__file__).parent / "jupyter"


def command(port: int = 0, open_browser: bool | None = None, root: Path = ROOT) -> list[str]:
    """The server's command line.

    Parameters
    ----------
    port : port on 127.0.0.1; 0 takes 8888 or the next free one.
    open_browser : whether to open a browser; by default only if there is a display.
    root : directory that the server shows, with the notebooks in `notebooks/`.
    """
    if open_browser is None:
        open_browser = sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return [
        sys.executable,
        "-m",
        "jupyterlab",
        f"--notebook-dir={root}",
        "--ip=127.0.0.1",
        *([f"--port={port}", "--ServerApp.port_retries=0"] if port else []),
        *([] if open_browser else ["--no-browser"]),
        f"--LabApp.default_url=/lab/tree/{FIRST}",
        # A server started as root is still on loopback and behind its token.
        *(["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
    ]


def environment() -> dict[str, str]:
    """The server's environment: this process's, plus settings that stop JupyterLab fetching news or asking about it."""
    paths = [str(_CONFIG), *filter(None, [os.environ.get("JUPYTER_CONFIG_PATH")])]
    return {**os.environ, "JUPYTER_CONFIG_PATH": os.pathsep.join(paths)}


def trust(notebooks: Path = ROOT / "notebooks") -> None:
    """Mark the notebooks, as they are saved now, as trusted for this user.

    JupyterLab strips the style from saved tables in a notebook it does not trust. Someone who starts this checkout's
    own lab is about to run its code anyway; a notebook that changes afterwards is not covered.
    """
    notary = NotebookNotary()
    for path in sorted(notebooks.glob("*.ipynb")):
        # JupyterLab reports an invalid notebook, or a home directory that cannot store signatures.
        with contextlib.suppress(WorkbookError, OSError):
            notary.sign(notebook.read(path))


def lab() -> int:
    """Run JupyterLab until it is stopped; prints its address with the token.

    Returns
    -------
    Exit code of the server; 0 after Ctrl-C.

    Raises
    ------
    WorkbookError : the first notebook is missing.
    """
    if not (ROOT / FIRST).is_file():
        raise WorkbookError(f"{FIRST} is missing.", f"Run git checkout {FIRST}.")
    trust()
    print("Starting JupyterLab; its address follows. Press Ctrl-C to stop it.", flush=True)
    # Without a terminal, or on the second Ctrl-C, the server does not ask for confirmation.
    server = subprocess.Popen(command(), cwd=ROOT, env=environment(), stdin=subprocess.DEVNULL)
    try:
        return server.wait()
    except KeyboardInterrupt:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            server.kill()
        print("\nJupyterLab has stopped; the embedded AWS is still running (make clean stops it).")
        return 0
