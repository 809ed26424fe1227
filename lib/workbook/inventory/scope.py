"""Which resources belong to an environment."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scope:
    """Which resources belong to an environment: every name is `prefix` or starts with it and a hyphen.

    `region` and `replica_region` are AWS region names.
    """

    prefix: str
    region: str
    replica_region: str

    def owns(self, name: str) -> bool:
        """Whether `name` is one of the environment's: `alloy-dev-shop` owns `alloy-dev-shop-data`, not
        `alloy-dev-shop2`.
        """
        return name == self.prefix or name.startswith(f"{self.prefix}-")

    def within(self, path: str) -> bool:
        """Whether a path such as `/ecs/<prefix>` contains a name of the environment."""
        return any(self.owns(part) for part in path.split("/"))
