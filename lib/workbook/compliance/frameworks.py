"""The frameworks and their controls as data, one TOML file per framework."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Control:
    """One control of one version of a framework.

    Attributes
    ----------
    framework, version : such as CIS AWS and 5.0.0. Ids move between versions, so an id is always shown with its
        version.
    id, title : the id is the framework's own; the title is in our words where the framework's wording is copyrighted.
    source : where the framework is published.
    claims : ids of the claims that support it.
    beyond : what it requires that no claim shows.
    closes : how to close the gap, if there is one.
    not_applicable : why it does not apply to this system.
    """

    framework: str
    version: str
    id: str
    title: str
    source: str
    claims: tuple[str, ...] = ()
    beyond: str = ""
    closes: str = ""
    not_applicable: str = ""

    @property
    def reference(self) -> str:
        """Such as CIS AWS 5.0.0 2.1.1."""
        return f"{self.framework} {self.version} {self.id}"


# In display order.
FILES = ("cis-aws-5.0.0", "cis-aws-3.0.0", "aws-fsbp-1.0.0", "well-architected-2024", "nist-csf-2.0", "soc2-2017")


def _load(name: str) -> list[Control]:
    data = tomllib.loads(Path(__file__).with_name(f"{name}.toml").read_text(encoding="utf-8"))
    shared = {"framework": data["framework"], "version": data["version"], "source": data["source"]}
    return [Control(**shared, **{**control, "claims": tuple(control.get("claims", ()))}) for control in data["control"]]


CONTROLS: list[Control] = [control for name in FILES for control in _load(name)]


def references_of(claim: str) -> list[str]:
    """The controls that a claim supports, such as CIS AWS 5.0.0 2.1.1."""
    return [control.reference for control in CONTROLS if claim in control.claims]
