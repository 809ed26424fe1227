"""What the `.tf` files of an environment declare: their blocks, the addresses of a layer, a digest of them all."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import subprocess
from pathlib import Path
from typing import Any

import hcl2

from workbook import layers
from workbook.errors import WorkbookError
from workbook.host.paths import ROOT
from workbook.terraform.diagnostics import read_diagnostics


def parse_hcl(path: Path) -> dict[str, Any]:
    """The blocks of one `.tf` file as python-hcl2 returns them.

    Raises
    ------
    WorkbookError : the file is not valid HCL; the message gives file and line.
    """
    try:
        return dict(_blocks(path.read_text()))
    except Exception as error:  # python-hcl2 lets any exception of its parser through
        where, what = _parse_error(path, getattr(error, "line", None))
        raise WorkbookError(f"{where} is not valid HCL.", "Fix that line, then run this again.", what) from error


@functools.lru_cache(maxsize=64)
def _blocks(text: str) -> dict[str, Any]:
    return dict(hcl2.loads(text))


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


def layer_addresses(directory: Path, layer: str) -> list[str]:
    """Addresses of the modules and resources that `<layer>.tf` declares, such as `module.vpc`.

    Raises
    ------
    WorkbookError : no such layer in this environment, or its file is not valid HCL.
    """
    path = directory / f"{layer}.tf"
    if layer not in layers_of(directory):
        raise WorkbookError(
            f"There is no layer {layer!r} in {directory.name}.", f"Layers here: {', '.join(layers_of(directory))}."
        )
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
    return [key for key in layers.BY_KEY if (directory / f"{key}.tf").is_file()]


def root_address(address: str) -> str:
    """The block of the root that an address belongs to: `module.vpc.aws_subnet.public[0]` is part of `module.vpc`."""
    parts = address.removeprefix("data.").split(".")
    return ".".join(part.split("[")[0] for part in parts[:2])


def configuration_digest(directory: Path) -> str:
    """Digest of all that decides what an environment is: its files, the modules and the container's program."""
    project = directory.parents[2]
    files = [
        *directory.glob("*.tf"),
        *(project / "terraform" / "modules").rglob("*.tf"),
        *(project / "container").glob("*.sh"),
        *(project / "container").glob("*.py"),
    ]
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path.relative_to(project)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _bare(name: str) -> str:
    return name.strip('"')


def relative(path: Path) -> str:
    """The path relative to the project's root, as one would type it."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
