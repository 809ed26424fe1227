"""Names and regions of an environment, read from its `locals.tf`."""

from __future__ import annotations

import contextlib
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hcl2

from workbook.errors import WorkbookError
from workbook.host.paths import ENVIRONMENTS, ROOT
from workbook.terraform.diagnostics import read_diagnostics


@dataclass(frozen=True)
class Settings:
    """Literal values in an environment's `locals.tf`.

    `prefix` is `alloy-{environment}-{project}`; every name of the environment starts with it. `region` and
    `replica_region` are AWS region names; an environment without a replica has the same in both.
    """

    environment: str
    project: str
    region: str
    replica_region: str
    directory: Path

    @property
    def prefix(self) -> str:
        return f"alloy-{self.environment}-{self.project}"


def read_settings(environment: str) -> Settings:
    """Read the literals of `terraform/environments/<environment>/locals.tf`.

    Raises
    ------
    WorkbookError : there is no such environment, the file is not valid HCL, or one of the literals is missing.
    """
    path = ENVIRONMENTS / environment / "locals.tf"
    if not path.is_file():
        known = sorted(p.parent.name for p in ENVIRONMENTS.glob("*/locals.tf"))
        raise WorkbookError(
            f"There is no environment {environment!r}.",
            f"WORKBOOK_ENVIRONMENT can be: {', '.join(known)}. To add one, copy terraform/environments/dev.",
        )
    values: dict[str, object] = {}
    for block in parse_hcl(path).get("locals", []):
        values.update(block)
    missing = [name for name in ("environment", "project_name", "region") if not isinstance(values.get(name), str)]
    if missing:
        raise WorkbookError(
            f"locals.tf of {environment} does not set {', '.join(missing)}.", f"Add it to {relative(path)}."
        )
    literal = {name: str(value).strip('"') for name, value in values.items() if isinstance(value, str)}
    return Settings(
        environment=literal["environment"],
        project=literal["project_name"],
        region=literal["region"],
        replica_region=literal.get("replica_region", literal["region"]),
        directory=path.parent,
    )


def parse_hcl(path: Path) -> dict[str, Any]:
    """The blocks of one `.tf` file, as python-hcl2 returns them.

    Raises
    ------
    WorkbookError : the file is not valid HCL; the message gives file and line.
    """
    try:
        return dict(hcl2.loads(path.read_text()))
    except Exception as error:  # python-hcl2 lets any exception of its parser through
        where, what = _parse_error(path, getattr(error, "line", None))
        raise WorkbookError(f"{where} is not valid HCL.", "Fix that line, then run this again.", what) from error


def _parse_error(path: Path, line: int | None) -> tuple[str, str]:
    """File and line, and the error: Terraform's if it is installed, since it points at the right line."""
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        result = subprocess.run(
            ["terraform", "fmt", "-write=false", path.name], cwd=path.parent, capture_output=True, text=True, timeout=20
        )
        if result.returncode != 0:
            said = read_diagnostics([], result.stdout, result.stderr)[0]
            line = int(said.where.rsplit(" ", 1)[1]) if said.where else line
            return _place(path, line), f"{said.summary}: {said.detail}" if said.detail else said.summary
    return _place(path, line), ""


def _place(path: Path, line: int | None) -> str:
    return f"{relative(path)}, line {line}" if line and line > 0 else relative(path)


def relative(path: Path) -> str:
    """The path relative to the project's root, as one would type it."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
