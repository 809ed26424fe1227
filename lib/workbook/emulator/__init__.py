"""The embedded AWS: moto's server as a background process that outlives the kernel, and what it does not do."""

from __future__ import annotations

from workbook.emulator.limits import LIMITS, Limit
from workbook.emulator.process import Emulator, find, start, stop

__all__ = ["LIMITS", "Emulator", "Limit", "find", "start", "stop"]
