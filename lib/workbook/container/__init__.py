"""Run the container of the deployed task definition on this machine: in Docker or Podman, or as a process if neither is
available.
"""

from __future__ import annotations

from workbook.container import views
from workbook.container.definition import Definition
from workbook.container.launch import follow, run
from workbook.container.runner import Container, Health

__all__ = ["Container", "Definition", "Health", "follow", "run", "views"]
