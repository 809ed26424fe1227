"""Paths: the project's own directories, and the one directory that runs write to."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
ENVIRONMENTS = ROOT / "terraform" / "environments"
DIAGRAMS = ROOT / "diagrams"
CONTAINER = ROOT / "container"
NOTEBOOKS = ROOT / "notebooks"


def home() -> Path:
    """The directory for everything a run writes: `WORKBOOK_HOME`, or `.workbook` in the project."""
    return Path(os.environ.get("WORKBOOK_HOME") or ROOT / ".workbook").resolve()


def emulator_dir(of: Path | None = None) -> Path:
    """Process record and log of the embedded AWS of a home (None: the current one)."""
    return (of or home()) / "embedded"
