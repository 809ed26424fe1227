"""A layer is one name across the tree; which Terraform addresses it has is read from its `.tf` file."""

from __future__ import annotations

import hashlib
from pathlib import Path

from workbook.errors import WorkbookError
from workbook.terraform.settings import parse_hcl

LAYERS = ("vpc", "ecr", "iam", "s3", "ecs")
"""Names of the layers in the order in which they are deployed."""


def layer_addresses(directory: Path, layer: str) -> list[str]:
    """Addresses of the modules and resources that `<layer>.tf` declares, such as `module.vpc`.

    Raises
    ------
    WorkbookError : no such layer in this environment, or its file is not valid HCL.
    """
    path = directory / f"{layer}.tf"
    if not path.is_file():
        known = [name for name in LAYERS if (directory / f"{name}.tf").is_file()]
        raise WorkbookError(f"There is no layer {layer!r} in {directory.name}.", f"Layers here: {', '.join(known)}.")
    blocks = parse_hcl(path)
    modules = [f"module.{_bare(name)}" for block in blocks.get("module", []) for name in block]
    resources = [
        f"{_bare(kind)}.{_bare(name)}"
        for block in blocks.get("resource", [])
        for kind, named in block.items()
        for name in named
    ]
    return sorted([*modules, *(address for address in resources if not address.startswith("__"))])


def layers_of(directory: Path) -> list[str]:
    """Layers of an environment in the order in which they are deployed."""
    return [layer for layer in LAYERS if (directory / f"{layer}.tf").is_file()]


def root_address(address: str) -> str:
    """The block of the root that an address belongs to: `module.vpc.aws_subnet.public[0]` is part of `module.vpc`."""
    parts = address.removeprefix("data.").split(".")
    return ".".join(part.split("[")[0] for part in parts[:2])


def configuration_digest(directory: Path) -> str:
    """Digest of all that decides what an environment is: its files, the modules and the container's script."""
    project = directory.parents[2]
    files = [
        *directory.glob("*.tf"),
        *(project / "terraform" / "modules").rglob("*.tf"),
        *(project / "container").glob("*.sh"),
    ]
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path.relative_to(project)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _bare(name: str) -> str:
    return name.strip('"')
