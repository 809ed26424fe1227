"""The shape of the package: names of modules, and one name across the tree for each layer."""

from __future__ import annotations

from collections import Counter

import pytest

from workbook.host.paths import DIAGRAMS, ENVIRONMENTS, NOTEBOOKS, ROOT
from workbook.inventory import TABLES
from workbook.layers import LAYERS, Layer

PACKAGE = ROOT / "lib" / "workbook"


def test_no_two_modules_share_a_name_except_those_of_layers() -> None:
    keys = {layer.key for layer in LAYERS}
    names = [path.stem for path in PACKAGE.rglob("*.py") if not path.stem.startswith("__")]
    names += [path.parent.name for path in PACKAGE.rglob("__init__.py") if path.parent != PACKAGE]
    assert len(names) > 100
    assert {name: count for name, count in Counter(names).items() if count > 1 and name not in keys} == {}


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.key)
def test_a_layer_has_every_file_that_carries_its_name(layer: Layer) -> None:
    files = [
        PACKAGE / "layers" / f"{layer.key}.py",
        PACKAGE / "inventory" / f"{layer.key}.py",
        PACKAGE / "claims" / f"{layer.key}.py",
        ENVIRONMENTS / "dev" / f"{layer.key}.tf",
        DIAGRAMS / f"{layer.key}.py",
        NOTEBOOKS / f"{layer.page}.ipynb",
    ]
    assert [str(path.relative_to(ROOT)) for path in files if not path.is_file()] == []
    assert TABLES[layer.core_table].layer == layer.key
    assert layer.question.endswith("?")


def test_the_orders_of_layers_differ() -> None:
    assert len({layer.order for layer in LAYERS}) == len(LAYERS) >= 5
