"""Sensitive values, and texts without them.

Terraform marks where a value is sensitive. A copy loses the mark: a computed attribute, `nonsensitive`, an error message
of the provider. So the values are collected wherever they are marked and masked wherever they appear.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

SENSITIVE = "(sensitive)"

# A shorter value, such as 1 or yes, also appears in texts that have nothing to do with it; it is masked only where it is
# marked.
_SHORTEST = 4


class Secrets:
    """Masks the values it was given, also where they are escaped for JSON or a URL, or encoded in base64.

    Parameters
    ----------
    values : sensitive values, of any shape; every leaf is one.
    """

    def __init__(self, values: Iterable[Any] = ()) -> None:
        self.values = frozenset(text for value in values for text in _leaves(value) if len(text) >= _SHORTEST)
        forms = {form for value in self.values for form in _forms(value)}
        # The longest first: a value may be part of another.
        ordered = sorted(forms, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def mask(self, text: str) -> str:
        """The text with every sensitive value replaced by `(sensitive)`."""
        return self._pattern.sub(SENSITIVE, text) if self._pattern else text

    def __or__(self, other: Secrets) -> Secrets:
        return self if other.values <= self.values else Secrets(self.values | other.values)

    def __repr__(self) -> str:
        return f"<{len(self.values)} sensitive values>"

    @classmethod
    def of_plan(cls, plan: Mapping[str, Any]) -> Secrets:
        """The sensitive values in Terraform's plan JSON: of resources, outputs and variables, before and after."""
        return cls(_in_plan(plan))

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> Secrets:
        """The sensitive values in a state file (version 4)."""
        return cls(_in_state(state))


def marked(marks: Any) -> bool:
    """Whether anything has a mark in a tree of marks (`after_unknown`, `before_sensitive`, `after_sensitive`)."""
    if isinstance(marks, dict):
        return any(map(marked, marks.values()))
    return any(map(marked, marks)) if isinstance(marks, list) else marks is True


def below(marks: Any, key: str | int) -> Any:
    """The marks of an element; a mark covers all below it."""
    if marks is True:
        return True
    if isinstance(marks, dict):
        return marks.get(str(key), False)
    return marks[key] if isinstance(marks, list) and isinstance(key, int) and key < len(marks) else False


def at_marks(value: Any, marks: Any) -> Iterator[Any]:
    """The parts of a value that are marked."""
    if marks is True:
        yield value
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from at_marks(one, below(marks, key))
    elif isinstance(value, list):
        for n, one in enumerate(value):
            yield from at_marks(one, below(marks, n))


def _in_plan(plan: Mapping[str, Any]) -> Iterator[Any]:
    deferred = [item.get("resource_change") or {} for item in plan.get("deferred_changes") or []]
    items = [*(plan.get("resource_changes") or []), *(plan.get("resource_drift") or []), *deferred]
    changes = [item.get("change") or {} for item in items] + list((plan.get("output_changes") or {}).values())
    for change in changes:
        for side in ("before", "after"):
            yield from at_marks(change.get(side), change.get(f"{side}_sensitive"))
    declared = ((plan.get("configuration") or {}).get("root_module") or {}).get("variables") or {}
    for name, variable in (plan.get("variables") or {}).items():
        if (declared.get(name) or {}).get("sensitive"):
            yield variable.get("value")
    for values in (plan.get("planned_values"), (plan.get("prior_state") or {}).get("values")):
        for output in ((values or {}).get("outputs") or {}).values():
            if output.get("sensitive"):
                yield output.get("value")
        yield from _in_module((values or {}).get("root_module") or {})


def _in_module(module: Mapping[str, Any]) -> Iterator[Any]:
    for resource in module.get("resources") or []:
        yield from at_marks(resource.get("values"), resource.get("sensitive_values"))
    for child in module.get("child_modules") or []:
        yield from _in_module(child)


def _in_state(state: Mapping[str, Any]) -> Iterator[Any]:
    for output in (state.get("outputs") or {}).values():
        if output.get("sensitive"):
            yield output.get("value")
    for resource in state.get("resources") or []:
        for instance in resource.get("instances") or []:
            for path in instance.get("sensitive_attributes") or []:
                yield _at(instance.get("attributes"), path)


def _at(value: Any, path: Iterable[Mapping[str, Any]]) -> Any:
    """The value at a path of a state file. terraform_data keeps a value beside its type, one level further down."""
    for step in path:
        key = step["value"]["value"] if isinstance(step.get("value"), dict) else step.get("value")
        if isinstance(value, dict) and set(value) == {"type", "value"} and key not in value:
            value = value["value"]
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for one in value.values():
            yield from _leaves(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _leaves(one)
    elif isinstance(value, str):
        yield value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield json.dumps(value)


def _forms(value: str) -> Iterator[str]:
    escaped = json.dumps(value, ensure_ascii=False)[1:-1]
    # Terraform's jsonencode also escapes what is special in HTML.
    encoded = escaped.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    yield from (value, escaped, encoded, json.dumps(value)[1:-1], quote(value, safe=""))
    yield base64.b64encode(value.encode("utf-8", "surrogatepass")).decode()
    if value != value.strip() and len(value.strip()) >= _SHORTEST:
        yield value.strip()
    # A message may quote single lines of a key.
    lines = value.splitlines()
    yield from (line.strip() for line in lines if len(lines) > 1 and len(line.strip()) >= 2 * _SHORTEST)
