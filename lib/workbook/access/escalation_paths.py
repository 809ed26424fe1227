"""The known ways of privilege escalation, as data: `escalation.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_suffix("").with_name("escalation.toml")


@dataclass(frozen=True)
class EscalationPath:
    """One way to more permissions than a principal was given.

    Attributes
    ----------
    id : as in the catalogue, such as lambda-003.
    does : how it works, one sentence.
    needs : pairs (action, what it has to be allowed on: a key of `things()`, or a thing found in the inventory).
    passes : services one of which has to trust the role that is passed.
    given : what must exist already and is not in the inventory; may be empty.
    only : role or user, if only one of them gains anything.
    page : address of its description.
    """

    id: str
    does: str
    needs: tuple[tuple[str, str], ...]
    passes: tuple[str, ...]
    given: str
    only: str
    page: str

    @property
    def service(self) -> str:
        return self.id.rsplit("-", 1)[0]

    @property
    def actions(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(action for action, _ in self.needs))


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads(FILE.read_text(encoding="utf-8"))


@cache
def paths() -> tuple[EscalationPath, ...]:
    """Every path, in the order of the file."""
    return tuple(_path(raw, _data()["catalogue"]["page"]) for raw in _data()["path"])


def _path(raw: Mapping[str, Any], page: str) -> EscalationPath:
    return EscalationPath(
        raw["id"],
        raw["does"],
        tuple((action, on) for action, about in raw["needs"].items() for on in _list(about)),
        tuple(raw.get("passes", ())),
        raw.get("given", ""),
        raw.get("only", ""),
        raw.get("page", page).format(id=raw["id"]),
    )


@cache
def things() -> Mapping[str, tuple[str, ...]]:
    """What actions are about -> patterns of ARNs, with {account} for the account."""
    return {name: tuple(patterns) for name, patterns in _data()["on"].items()}


def source() -> str:
    """Where the paths are from, with the version."""
    catalogue = _data()["catalogue"]
    return f"{catalogue['name']}, {catalogue['version']}"


def _list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
