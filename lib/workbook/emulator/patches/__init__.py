"""Where moto differs from AWS in a way that matters here: one module per gap, each with `SERVICE` and `apply()`.

Each module's docstring says what moto does, what AWS does, and where AWS documents it. Its test fails once moto no
longer needs the patch.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from typing import Any

_applied: set[str] = set()


@cache
def by_service() -> dict[str, tuple[str, ...]]:
    """Service, by its name in moto's index, -> its patches; `core` applies to all services. Found by their `SERVICE`."""
    found: dict[str, tuple[str, ...]] = {}
    for module in pkgutil.iter_modules(__path__):
        service = import_module(f"{__name__}.{module.name}").SERVICE
        found[service] = (*found.get(service, ()), module.name)
    return found


def apply(service: str) -> None:
    """Patch one of moto's services in this process, once. A service without patches is left alone."""
    if service in _applied:
        return
    _applied.add(service)
    for name in by_service().get(service, ()):
        import_module(f"{__name__}.{name}").apply()


def override(owner: Any, **attributes: Any) -> None:
    """Replace methods or other attributes of one of moto's classes."""
    for name, value in attributes.items():
        setattr(owner, name, value)
