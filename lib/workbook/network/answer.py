"""The answer to a question about the network: paths, their hops, and what each hop decided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from workbook.display import Rendered, note, stack, table

MARKS = {"verdict": {"yes": "good", "no": "bad", "unknown": "warn", "partly": "warn"}}


@dataclass(frozen=True)
class Hop:
    """One step on the way: direction, what and where it is, verdict (yes, no, unknown) and the rule that decided."""

    direction: str
    what: str
    where: str
    verdict: str
    rule: str

    def __str__(self) -> str:
        return f"{self.what} {self.where}: {self.rule}"


@dataclass(frozen=True)
class Path:
    """A connection: `source` and `target` give the subnets, `source_range` and `target_range` the addresses."""

    source: str
    target: str
    source_range: str
    target_range: str
    hops: tuple[Hop, ...]

    @property
    def verdict(self) -> str:
        found = {hop.verdict for hop in self.hops}
        return "no" if "no" in found else "unknown" if "unknown" in found else "yes"

    @property
    def stops(self) -> tuple[Hop, ...]:
        """The hops that block it; if none does, those that are unknown."""
        return tuple(hop for hop in self.hops if hop.verdict == self.verdict) if self.verdict != "yes" else ()


@dataclass(frozen=True)
class Reach:
    """The answer: `verdict` is yes, no, partly (some subnets or addresses can) or unknown.

    Attributes
    ----------
    paths : one for each pair of subnets and of address ranges that some rule distinguishes.
    ports : the client ports that replies are assumed to go to, as text.
    prefix : what all names begin with; shortened as in `display.table`.
    """

    source: str
    target: str
    port: int
    protocol: str
    paths: tuple[Path, ...]
    ports: str
    prefix: str = ""

    @property
    def verdict(self) -> str:
        found = {path.verdict for path in self.paths}
        return found.pop() if len(found) == 1 else "partly" if "yes" in found else "unknown"

    @property
    def reachable(self) -> bool | None:
        """True if any path leads there, False if none does, None if unknown."""
        return {"yes": True, "partly": True, "no": False, "unknown": None}[self.verdict]

    @property
    def path(self) -> Path:
        """The path that explains the verdict: preferably one that is blocked, and one that crosses zones."""
        ranked = sorted(self.paths, key=lambda p: ("no", "unknown", "yes").index(p.verdict))
        alike = [p for p in ranked if p.verdict == ranked[0].verdict]
        return max(alike, key=lambda p: len(p.hops) if p.verdict == "yes" else 0)

    @property
    def stops(self) -> tuple[Hop, ...]:
        return self.path.stops

    @property
    def reason(self) -> str:
        """One sentence: which way it takes, or what blocks it."""
        if self.verdict == "yes":
            way = [hop for hop in self.path.hops if hop.what in _WAYS and hop.direction == "there"]
            return "; ".join(str(hop) for hop in way) or "within one subnet, allowed by the security groups"
        first, *more = self.stops
        also = f" Also: {', '.join(dict.fromkeys(f'{hop.what} {hop.where}'.strip() for hop in more))}." if more else ""
        some = "" if self.verdict != "partly" else f"Only some. {self.path.source_range} to {self.path.target_range}: "
        return f"{some}{str(first)[:1].upper()}{str(first)[1:]}.{also}"

    def hops(self) -> pd.DataFrame:
        """One row per hop of the path: direction, hop, where, verdict, rule."""
        rows = [(h.direction, h.what, h.where, h.verdict, h.rule) for h in self.path.hops]
        return pd.DataFrame(rows, columns=["direction", "hop", "where", "verdict", "rule"])

    def rendered(self) -> Rendered:
        """The verdict, the reason and the hops."""
        head = f"{self.source} → {self.target}, {self.protocol} {self.port}: {self.verdict}"
        colour = MARKS["verdict"][self.verdict]
        many = f" ({sum(p.verdict == self.path.verdict for p in self.paths)} of {len(self.paths)} paths like this)"
        caption = self._short(f"{self.path.source} → {self.path.target}{many if len(self.paths) > 1 else ''}")
        hops = table(self.hops(), caption, marks=MARKS, prefix=self.prefix)
        return stack(note(head, colour), note(self._short(self.reason)), hops, note(self.ports, "quiet"))

    def _short(self, text: str) -> str:
        return text.replace(f"{self.prefix}-", "…-") if self.prefix else text

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return self.rendered()._repr_mimebundle_()


_WAYS = ("route table", "NAT gateway", "gateway endpoint")
