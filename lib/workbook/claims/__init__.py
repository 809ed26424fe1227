"""The take-home's own statements, each proved or disproved on the live inventory. Pure: nothing here calls AWS."""

import importlib
import pkgutil

from workbook.claims.bullets import BULLETS, Bullet
from workbook.claims.engine import CLAIMS, GROUPS, SEVERITIES, Claim, Evidence, Result, Verdict
from workbook.claims.results import Results, judge
from workbook.layers import LAYERS

__all__ = [
    "BULLETS",
    "CLAIMS",
    "GROUPS",
    "SEVERITIES",
    "Bullet",
    "Claim",
    "Evidence",
    "Result",
    "Results",
    "Verdict",
    "judge",
]


def _register() -> None:
    """Import the modules of every layer, `<key>.py` and `<key>_….py`, which registers their claims; then those of none.

    The claims are shown in this order.
    """
    names = sorted(found.name for found in pkgutil.iter_modules(__path__))
    for layer in LAYERS:
        for name in names:
            if name == layer.key or name.startswith(f"{layer.key}_"):
                importlib.import_module(f"{__name__}.{name}")
    importlib.import_module(f"{__name__}.general")


_register()
