"""What the take-home's two documents say, bullet by bullet, and which claims back each bullet (bullets.toml)."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Bullet:
    """One bullet.

    Attributes
    ----------
    document, section : where it is.
    says : the bullet, shortened.
    claims : ids of the claims that prove or disprove it.
    why_not : why it has no claim, or what part of it no claim covers.
    """

    document: str
    section: str
    says: str
    claims: tuple[str, ...] = ()
    why_not: str = ""


def _load() -> list[Bullet]:
    data = tomllib.loads(Path(__file__).with_name("bullets.toml").read_text(encoding="utf-8"))
    documents: dict[str, str] = data["documents"]
    return [
        Bullet(documents[section["document"]], section["section"], says, *_claims_and_reason(entry))
        for section in data["section"]
        for says, entry in section["bullets"].items()
    ]


def _claims_and_reason(entry: list[str] | str | dict[str, Any]) -> tuple[tuple[str, ...], str]:
    if isinstance(entry, dict):
        return tuple(entry["claims"]), entry["but"]
    return (tuple(entry), "") if isinstance(entry, list) else ((), entry)


BULLETS: list[Bullet] = _load()


def sources_of(claim: str) -> list[str]:
    """Where the documents make a claim, such as `README, Data Security: S3 Versioning …`; empty if they do not."""
    return [f"{bullet.document}, {bullet.section}: {bullet.says}" for bullet in BULLETS if claim in bullet.claims]
