"""Condition operators with AWS's semantics: whether a condition holds for a request, and which values it tells apart.

Source: IAM User Guide, "IAM JSON policy elements: Condition operators" and "Policy variables".
"""

from __future__ import annotations

import ipaddress
import itertools
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from workbook.access.patterns import ANYTHING, Pattern, arn_glob, combinations, glob, joined, literal

Value = str | tuple[str, ...] | None
"""A condition key in a request: a value, several values, or None if the request does not have the key."""

Ask = Callable[[str], Value]
"""Looks up a condition key, lower case."""

_KINDS = ("string", "arn", "numeric", "date", "bool", "binary", "ipaddress", "null")
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_ESCAPES = {"*", "?", "$"}


@dataclass(frozen=True)
class Condition:
    """One operator on one key.

    Attributes
    ----------
    operator : as the policy spells it.
    kind : string, arn, numeric, date, bool, binary, ipaddress, null; empty for an operator that AWS does not have.
    compare : what the operator does: equals, like, lessthan …; without Not and Equals where they do not matter.
    each : "any" for ForAnyValue, "all" for ForAllValues, else "".
    """

    operator: str
    key: str
    values: tuple[str, ...]
    kind: str
    compare: str
    negated: bool
    fold: bool
    if_exists: bool
    each: str
    variables: bool

    def holds(self, ask: Ask) -> bool | None:
        """Whether it holds; None if it cannot be told: an unknown operator, or a value that AWS would not accept."""
        value = ask(self.key)
        if self.kind == "null":
            return any((value is None) == (wanted.lower() == "true") for wanted in self.values)
        if not self.kind:
            return None
        if value is None:
            if self.each == "any" and self.if_exists:
                return None  # AWS: IfExists holds for any operator; ForAnyValue needs a value. Which one wins is open.
            return self.if_exists or (self.each == "all" if self.each else self.negated)
        if not self.each:
            # A key with several values needs ForAnyValue or ForAllValues.
            return self._one(value, ask) if isinstance(value, str) else False
        found = [self._one(one, ask) for one in ((value,) if isinstance(value, str) else value)]
        decisive = self.each == "any"
        if decisive in found:
            return decisive
        return None if None in found else not decisive

    def _one(self, value: str, ask: Ask) -> bool | None:
        found = [self._matches(wanted, value, ask) for wanted in self.values]
        if True in found:
            return not self.negated
        return None if None in found else self.negated

    def _matches(self, wanted: str, value: str, ask: Ask) -> bool | None:
        if self.kind in ("string", "arn"):
            pattern = self.pattern(wanted, ask)
            return pattern is not None and pattern.matches(value) if pattern is not INVALID else None
        return _compare(self.kind, self.compare, wanted, value)  # AWS replaces variables only in texts and ARNs.

    def pattern(self, wanted: str, ask: Ask | None) -> Pattern | None:
        """The texts that one value of the condition stands for. None: none, since a variable has no value."""
        arn = self.kind == "arn"
        if arn and wanted.count(":") < 5 and wanted != "*":
            return INVALID
        if self.variables and "${" in wanted:
            parts = split(wanted, ask, wild=arn or self.compare == "like")
            return None if parts is None else joined(parts, self.fold, arn)
        if arn:
            return arn_glob(wanted)
        return glob(wanted, self.fold) if self.compare == "like" else literal(wanted, self.fold)


INVALID = Pattern(())
"""Stands for a value that AWS would not accept, such as an id where an ARN belongs."""


def parse_conditions(block: Mapping[str, Mapping[str, Any]], variables: bool) -> tuple[Condition, ...]:
    """The conditions of a statement, all of which must hold. Operators and keys ignore case."""
    return tuple(
        _condition(operator, key, values, variables) for operator, keys in block.items() for key, values in keys.items()
    )


def _condition(operator: str, key: str, values: Any, variables: bool) -> Condition:
    name = operator.lower()
    each = "any" if name.startswith("foranyvalue:") else "all" if name.startswith("forallvalues:") else ""
    name = name.split(":", 1)[-1]
    if_exists = name.endswith("ifexists") and not name.startswith("null")
    name = name.removesuffix("ifexists")
    kind = next((kind for kind in _KINDS if name.removeprefix("not").startswith(kind)), "")
    rest = name.removeprefix("not").removeprefix(kind)
    negated = name.startswith("not") or rest.startswith("not")
    fold = rest.endswith("ignorecase")
    compare = rest.removeprefix("not").removesuffix("ignorecase")
    known = {
        "string": {"equals", "like"},
        "arn": {"equals", "like"},
        "numeric": (orders := {"equals", "lessthan", "lessthanequals", "greaterthan", "greaterthanequals"}),
        "date": orders,
        "binary": {"equals"},
    }.get(kind, {""})
    if compare not in known:
        kind = ""
    listed = values if isinstance(values, list | tuple) else [values]
    texts = tuple(str(v).lower() if isinstance(v, bool) else str(v) for v in listed)
    return Condition(operator, key.lower(), texts, kind, compare, negated, fold, if_exists, each, variables)


def split(text: str, ask: Ask | None, wild: bool) -> tuple[tuple[str, bool], ...] | None:
    """A text split at its variables: (part, whether its wildcards are wildcards). What a variable stands for means
    itself. Without `ask` a variable may stand for anything.
    """
    parts: list[tuple[str, bool]] = []
    end = 0
    for found in _VARIABLE.finditer(text):
        parts.append((text[end : found.start()], wild))
        end = found.end()
        name, _, default = (part.strip() for part in found[1].partition(","))
        if name in _ESCAPES:
            parts.append((name, False))
            continue
        if ask is None:
            parts.append(("*", True))
            continue
        value = ask(name.lower())
        if not value and default:
            value = default.strip("'")
        if not value or not isinstance(value, str):
            return None
        parts.append((value, False))
    parts.append((text[end:], wild))
    return tuple(parts)


def variables_in(texts: Iterable[str]) -> set[str]:
    """The condition keys, lower case, that these texts use as policy variables."""
    return {
        name
        for text in texts
        for found in _VARIABLE.finditer(text)
        if (name := found[1].partition(",")[0].strip().lower()) not in _ESCAPES
    }


# ── values that are not texts ──


def _compare(kind: str, compare: str, wanted: str, value: str) -> bool | None:
    if kind == "bool":
        wanted, value = wanted.lower(), value.lower()
        return wanted == value if wanted in ("true", "false") else None
    if kind == "binary":
        return wanted == value
    if kind == "ipaddress":
        return _within(value, wanted)
    convert = _number if kind == "numeric" else _time
    left, right = convert(value), convert(wanted)
    if right is None:
        return None
    if left is None:
        return False
    return {
        "equals": left == right,
        "lessthan": left < right,
        "lessthanequals": left <= right,
        "greaterthan": left > right,
        "greaterthanequals": left >= right,
    }[compare]


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _time(text: str) -> float | None:
    if (number := _number(text)) is not None:
        return number
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@lru_cache(maxsize=10_000)
def network(text: str) -> Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _within(address: str, range_: str) -> bool | None:
    wanted, one = network(range_), network(address)
    if wanted is None:
        return None
    if one is None or one.version != wanted.version:
        return False
    return int(wanted.network_address) <= int(one.network_address) <= int(wanted.broadcast_address)


# ── which values a set of conditions tells apart ──


def telling_values(conditions: Iterable[Condition], ask: Ask, universe: Pattern = ANYTHING) -> tuple[list[str], bool]:
    """One value for each way in which these conditions on one key can turn out, and whether these are all the ways.

    `ask` resolves policy variables; a `universe` limits the texts.
    """
    conditions = list(conditions)
    found: dict[str, None] = {}
    complete = True
    texts: dict[Pattern, None] = {}
    for condition in conditions:
        if condition.kind in ("string", "arn"):
            for wanted in condition.values:
                pattern = condition.pattern(wanted, ask)
                if pattern is not None and pattern is not INVALID:
                    texts[pattern] = None
    if texts or universe is not ANYTHING:
        each, complete = combinations(tuple(texts), universe)
        found |= dict.fromkeys(each.values())
    for kind, values in (
        ("numeric", _between(conditions, "numeric", _number, lambda number: f"{number:.15g}")),
        ("date", _between(conditions, "date", _time, _moment)),
        ("ipaddress", _addresses(conditions)),
        ("bool", ["true", "false"]),
        ("binary", [*(v for c in conditions if c.kind == "binary" for v in c.values), "AA=="]),
    ):
        if any(condition.kind == kind for condition in conditions):
            found |= dict.fromkeys(values)
    return list(found) or ["x"], complete


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _between(
    conditions: Iterable[Condition],
    kind: str,
    convert: Callable[[str], float | None],
    written: Callable[[float], str],
) -> list[str]:
    """Each bound, and a value between each two neighbours and beyond both ends."""
    bounds = sorted({n for c in conditions if c.kind == kind for v in c.values if (n := convert(v)) is not None})
    if not bounds:
        return []
    points = [bounds[0] - 1, *bounds, bounds[-1] + 1, *((a + b) / 2 for a, b in itertools.pairwise(bounds))]
    return [written(point) for point in sorted(points)]


def _addresses(conditions: Iterable[Condition]) -> list[str]:
    """An address in each interval that the ranges cut the address space into, for each version of IP."""
    networks = [n for c in conditions if c.kind == "ipaddress" for v in c.values if (n := network(v)) is not None]
    found: list[str] = []
    for version, first, make in ((4, 1 << 24, ipaddress.IPv4Address), (6, 1 << 125, ipaddress.IPv6Address)):
        cuts = {first}
        for one in networks:
            if one.version == version:
                cuts |= {int(one.network_address), int(one.broadcast_address) + 1}
        found += [str(make(cut)) for cut in sorted(cuts) if cut < (1 << (32 if version == 4 else 128))]
    return found
