"""The layers: one record each, in its own module. A new module here is found automatically."""

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
    WorkbookError : no such layer.
    """
    if key not in BY_KEY:
        raise WorkbookError(f"There is no layer named {key!r}.", f"Layers: {', '.join(BY_KEY)}.")
    return BY_KEY[key]
