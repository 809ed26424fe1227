"""The layers: one record each, in a module of its own. A new layer is a new module here, found by itself."""

from __future__ import annotations

import importlib
import pkgutil

from workbook.errors import WorkbookError
from workbook.layers.record import Layer, Price, Step

__all__ = ["BY_KEY", "LAYERS", "Layer", "Price", "Step", "find"]


def _discover() -> tuple[Layer, ...]:
    modules = (importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__))
    return tuple(
        sorted((module.LAYER for module in modules if hasattr(module, "LAYER")), key=lambda layer: layer.order)
    )


LAYERS: tuple[Layer, ...] = _discover()
"""Every layer, in the order in which they are deployed."""
BY_KEY: dict[str, Layer] = {layer.key: layer for layer in LAYERS}


def find(key: str) -> Layer:
    """The layer of that key.

    Raises
    ------
    WorkbookError : there is none.
    """
    if key not in BY_KEY:
        raise WorkbookError(f"There is no layer named {key!r}.", f"Layers: {', '.join(BY_KEY)}.")
    return BY_KEY[key]
