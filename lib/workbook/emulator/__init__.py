"""The embedded AWS: moto's server as a background process that outlives the kernel."""

from __future__ import annotations

from workbook.emulator.process import Emulator, find, start, stop

__all__ = ["Emulator", "find", "start", "stop"]
