"""Where moto differs from AWS in a way that matters here: one module per gap, each with `apply()`.

Each module's docstring says what moto does, what AWS does, and where AWS documents it. Its test fails once moto no
longer needs the patch.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

PATCHES: dict[str, tuple[str, ...]] = {
    "core": ("unimplemented",),
    "applicationautoscaling": ("appautoscaling_tags",),
    "budgets": ("budgets_reads",),
    "ec2": ("ec2_network_acl_closing_rule", "ec2_network_acl_errors", "ec2_rule_descriptions"),
    "ecr": ("ecr_immutable_tag", "ecr_pull_through_cache"),
    "ecs": ("ecs_service_fields", "ecs_service_tasks"),
    "s3": ("s3_bucket_policy", "s3_intelligent_tiering", "s3_logging_principal", "s3_replication", "s3_subresources"),
}
"""Service name in moto's index -> its patches; `core` applies to all services."""

_applied: set[str] = set()


def apply(service: str) -> None:
    """Patch one of moto's services in this process, once. A service without patches is left alone."""
    if service in _applied:
        return
    _applied.add(service)
    for name in PATCHES.get(service, ()):
        import_module(f"{__name__}.{name}").apply()


def override(owner: Any, **attributes: Any) -> None:
    """Replace methods or other attributes of one of moto's classes."""
    for name, value in attributes.items():
        setattr(owner, name, value)
