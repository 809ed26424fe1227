"""Names and regions of an environment, read from its `locals.tf`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from workbook.errors import WorkbookError
from workbook.host.paths import ENVIRONMENTS
from workbook.terraform.hcl import parse_hcl, relative


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
