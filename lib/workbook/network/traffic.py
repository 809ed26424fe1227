"""Sets of traffic: which protocols, and which ports or types of each. Rules are sets, and so is what gets through.

Five lanes hold every packet of IP: the ports of tcp and of udp, the types and codes of icmp and icmpv6 (type × 256 +
code), and the numbers of all other protocols.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from workbook.inventory import Row

Spans = tuple[tuple[int, int], ...]
"""Closed intervals, in order, neither overlapping nor touching."""

LANES = ("tcp", "udp", "icmp", "icmpv6", "other")
_NUMBERS = {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6", "-1": "all"}
_WHOLE: dict[str, Spans] = dict.fromkeys(LANES, ((0, 65535),)) | {
    "other": ((0, 0), (2, 5), (7, 16), (18, 57), (59, 255))
}


@dataclass(frozen=True, slots=True)
class Traffic:
    """A set of traffic; `spans` has the intervals of each of `LANES`.

    Combine with `&`, `|` and `-`; compare with `<=`; a set is true if it is not empty.
    """

    spans: tuple[Spans, ...]

    def __and__(self, other: Traffic) -> Traffic:
        if self is ALL or other is NOTHING:
            return other
        if other is ALL or self is NOTHING:
            return self
        return Traffic(tuple(_meet(a, b) for a, b in zip(self.spans, other.spans, strict=True)))

    def __or__(self, other: Traffic) -> Traffic:
        if self is ALL or other is NOTHING:
            return self
        if other is ALL or self is NOTHING:
            return other
        return Traffic(tuple(_join(a, b) for a, b in zip(self.spans, other.spans, strict=True)))

    def __sub__(self, other: Traffic) -> Traffic:
        if other is NOTHING:
            return self
        if other is ALL:
            return NOTHING
        return Traffic(tuple(_cut(a, b) for a, b in zip(self.spans, other.spans, strict=True)))

    def __le__(self, other: Traffic) -> bool:
        return not self - other

    def __bool__(self) -> bool:
        return any(self.spans)

    def __str__(self) -> str:
        return ", ".join(self.parts()) or "nothing"

    def lane(self, lane: str) -> Spans:
        return self.spans[LANES.index(lane)]

    def holds(self, lane: str, number: int) -> bool:
        """Whether a port of tcp or udp, an ICMP type × 256 + code, or another protocol's number is in the set."""
        return any(first <= number <= last for first, last in self.lane(lane))

    def parts(self) -> Iterator[str]:
        """Such as `tcp 443`, `udp all`, `icmp type 8`; `all` for everything."""
        if self == ALL:
            yield "all"
            return
        for lane, spans in zip(LANES, self.spans, strict=True):
            if spans == _WHOLE[lane]:
                yield "other protocols" if lane == "other" else f"{lane} all"
            elif spans:
                write = _types if lane.startswith("icmp") else _range
                yield f"{'protocol' if lane == 'other' else lane} {', '.join(write(a, b) for a, b in spans)}"


def _range(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


def _types(first: int, last: int) -> str:
    if first == last:
        return f"type {first >> 8} code {first & 255}"
    return f"type {_range(first >> 8, last >> 8)}"


def _meet(a: Spans, b: Spans) -> Spans:
    if not a or not b:
        return ()
    return tuple((max(x, s), min(y, t)) for x, y in a for s, t in b if max(x, s) <= min(y, t))


def _join(a: Spans, b: Spans) -> Spans:
    if not a or not b or a == b:
        return a or b
    joined: list[tuple[int, int]] = []
    for first, last in sorted((*a, *b)):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return tuple(joined)


def _cut(a: Spans, b: Spans) -> Spans:
    if not a or not b:
        return a
    left: list[tuple[int, int]] = []
    for start, last in a:
        first = start
        for x, y in b:
            if y < first or x > last:
                continue
            if x > first:
                left.append((first, x - 1))
            first = y + 1
        if first <= last:
            left.append((first, last))
    return tuple(left)


ALL = Traffic(tuple(_WHOLE[lane] for lane in LANES))
NOTHING = Traffic(((),) * len(LANES))


@lru_cache(maxsize=4096)
def ports(protocol: str, first: int | None = None, last: int | None = None) -> Traffic:
    """The traffic of a protocol, by name or number; for tcp and udp only these ports, for ICMP this type and code.

    None and -1 mean every port, type or code. `all` is everything, ports or not, as AWS reads it.
    """
    lane = _NUMBERS.get(protocol, protocol)
    if lane == "all":
        return ALL
    every = first is None or first < 0
    if lane in ("tcp", "udp"):
        span = _WHOLE[lane] if every else ((int(first or 0), int(first or 0) if last is None else int(last)),)
    elif lane in ("icmp", "icmpv6"):
        kind, code = int(first or 0) << 8, None if last is None or last < 0 else int(last)
        span = _WHOLE[lane] if every else ((kind, kind + 255) if code is None else (kind + code, kind + code),)
    else:
        lane, span = "other", ((int(protocol), int(protocol)),)
    return Traffic(tuple(span if each == lane else () for each in LANES))


def of(rule: Row) -> Traffic:
    """The traffic that a security group's rule or a network ACL's entry is about."""
    return ports(str(rule.protocol), rule.from_port, rule.to_port)


def union(sets: Iterable[Traffic]) -> Traffic:
    found = NOTHING
    for each in sets:
        found = found | each
    return found
