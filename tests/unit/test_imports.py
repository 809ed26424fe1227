"""Imports between the packages that read and judge go one way."""

from __future__ import annotations

import ast

import pytest

from workbook.host.paths import ROOT

# A package may import itself and what stands before it.
ORDER = ("inventory", "network", "access", "claims", "compliance", "comparison", "diagram")


def imported(package: str) -> dict[str, set[str]]:
    """File of a package -> the packages of ORDER that it imports anywhere, inside functions too."""
    found: dict[str, set[str]] = {}
    for path in sorted((ROOT / "lib" / "workbook" / package).glob("*.py")):
        names: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names |= {f"{node.module}.{alias.name}" for alias in node.names}
        found[path.name] = {name.split(".")[1] for name in names if name.startswith("workbook.")} & set(ORDER)
    return found


@pytest.mark.parametrize("package", ORDER)
def test_a_package_imports_only_what_stands_before_it(package: str) -> None:
    files = imported(package)
    assert files
    allowed = set(ORDER[: ORDER.index(package) + 1])
    assert {name: later for name, names in files.items() if (later := names - allowed)} == {}


def test_the_order_is_looked_for_where_it_matters() -> None:
    assert "inventory" in imported("claims")["engine.py"]
    assert "claims" in imported("compliance")["export.py"]
