"""The embedded AWS: moto's server as a background process that outlives the kernel, with copies to return to."""

from __future__ import annotations

from workbook.emulator.process import start, start_for
from workbook.emulator.running import BranchingUnavailable, Emulator, find, stop

__all__ = ["BranchingUnavailable", "Emulator", "find", "start", "start_for", "stop"]
