"""The container's startup command, composed from this project's files as Terraform composes it."""

from __future__ import annotations

from workbook.host.paths import CONTAINER

_PLACEHOLDER = "@dashboard.py@\n"


def startup_command() -> str:
    """The argument of `sh -c`: `startup.sh`, with `dashboard.py` in its here-document; as `startup_command` in ecs.tf."""
    return (CONTAINER / "startup.sh").read_text().replace(_PLACEHOLDER, (CONTAINER / "dashboard.py").read_text())
