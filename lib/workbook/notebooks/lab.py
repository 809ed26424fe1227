"""JupyterLab on the first notebook: on loopback, behind a token, without news."""

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
    open_browser : whether to open one; by default where there is a display.
    root : directory that the server shows; has the notebooks in `notebooks/`.
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
        # A server that the person starts as root is still on loopback and behind its token.
        *(["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
    ]


def environment() -> dict[str, str]:
    """The server's environment: this process's, and settings by which JupyterLab neither fetches news nor asks about them."""
    paths = [str(_CONFIG), *filter(None, [os.environ.get("JUPYTER_CONFIG_PATH")])]
    return {**os.environ, "JUPYTER_CONFIG_PATH": os.pathsep.join(paths)}


def trust(notebooks: Path = ROOT / "notebooks") -> None:
    """Mark the notebooks as they are saved as trusted, for this person.

    JupyterLab takes the style out of the saved tables of a notebook that it does not trust. The person who starts this checkout's
    own lab is about to run its code; a notebook that changes afterwards is not covered.
    """
    notary = NotebookNotary()
    for path in sorted(notebooks.glob("*.ipynb")):
        # One that is no notebook, or a home that takes no signature, is for JupyterLab to tell.
        with contextlib.suppress(WorkbookError, OSError):
            notary.sign(notebook.read(path))


def lab() -> int:
    """Run JupyterLab until it is ended; prints its address, the token in it.

    Returns
    -------
    Exit code of the server; 0 after Ctrl-C.

    Raises
    ------
    WorkbookError : there is no first notebook.
    """
    if not (ROOT / FIRST).is_file():
        raise WorkbookError(f"{FIRST} is missing.", f"git checkout {FIRST}")
    trust()
    print("JupyterLab starts; its address follows. Ctrl-C ends it.", flush=True)
    # Without a terminal to ask on, or at the second Ctrl-C, the server does not ask whether it should end.
    server = subprocess.Popen(command(), cwd=ROOT, env=environment(), stdin=subprocess.DEVNULL)
    try:
        return server.wait()
    except KeyboardInterrupt:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            server.kill()
        print("\nJupyterLab has ended; the embedded AWS goes on (make clean ends it).")
        return 0
