"""A saved plan: typed views over Terraform's plan JSON."""

from __future__ import annotations

import contextlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from workbook.display import Rendered, fold, note, stack, table
from workbook.terraform.hcl import root_address

# Up to this many changes are shown in full; a longer plan starts with counts by module.
_FEW = 12
_MARKS = {"action": {"create": "good", "update": "warn", "replace": "bad", "delete": "bad"}}

SENSITIVE = "(sensitive)"
UNKNOWN = "(known after apply)"

ACTIONS = ("create", "update", "replace", "delete", "read", "forget")

# Attributes that tell a reader which resource this is, most telling first.
_TELLING = (
    "name",
    "bucket",
    "cidr_block",
    "service_name",
    "family",
    "role_name",
    "policy_arn",
    "destination_cidr_block",
    "port",
    "rule_number",
)

_REASONS = {
    "replace_because_tainted": "its creation failed",
    "replace_because_cannot_update": "cannot be changed in place",
    "replace_by_request": "requested",
    "replace_by_triggers": "a trigger changed",
    "delete_because_no_resource_config": "no longer in the configuration",
    "delete_because_no_module": "its module is no longer in the configuration",
    "delete_because_wrong_repetition": "count or for_each changed",
    "delete_because_count_index": "count decreased",
    "delete_because_each_key": "its key was removed from for_each",
    "cannot_update": "cannot be changed in place",
    "tainted": "its creation failed",
    "requested": "requested",
}


@dataclass(frozen=True)
class Change:
    """One resource the plan changes.

    Attributes
    ----------
    address : the resource's address, such as module.vpc.aws_subnet.public[0].
    action : create, update, replace, delete, read or forget.
    what : which attributes change and how, one line each; for a new resource, what identifies it.
    why : Terraform's reason, if it gives one.
    drift : the live resource was changed outside Terraform, and the plan brings it back.
    """

    address: str
    action: str
    what: tuple[str, ...]
    why: str = ""
    drift: bool = False

    @property
    def type(self) -> str:
        """Such as aws_subnet."""
        # A key may contain dots: this["ecr.api"].
        parts = re.sub(r"\[[^\]]*\]", "", self.address).split(".")
        return parts[-2]


@dataclass(frozen=True)
class Plan:
    """A plan that was saved to `path`; plain data.

    Attributes
    ----------
    actions : address -> action, for every resource that changes.
    output_changes : names of the outputs that change.
    targets : addresses that the plan is restricted to; empty for all.
    destroy : it destroys what it names.
    changes : every change with its details, by address, sensitive values masked; empty where nobody asked for details.
    """

    path: Path
    actions: Mapping[str, str]
    output_changes: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    destroy: bool = False
    changes: tuple[Change, ...] = ()

    @classmethod
    def from_events(
        cls, path: Path, events: Iterable[Mapping[str, Any]], targets: tuple[str, ...] = (), destroy: bool = False
    ) -> Plan:
        """From the events of `terraform plan -json`, without details."""
        actions: dict[str, str] = {}
        outputs: tuple[str, ...] = ()
        for event in events:
            if event.get("type") == "planned_change":
                change = event["change"]
                actions[change["resource"]["addr"]] = change["action"]
            elif event.get("type") == "outputs":
                outputs = tuple(
                    sorted(name for name, value in event["outputs"].items() if value.get("action", "noop") != "noop")
                )
        kept = {
            address: action
            for address, action in sorted(actions.items())
            if action not in ("noop", "read", "move", "import")
        }
        return cls(path, kept, outputs, targets, destroy)

    def detailed(self, document: Mapping[str, Any]) -> Plan:
        """The same plan with its changes, from Terraform's plan JSON (`terraform show -json`)."""
        return replace(self, changes=tuple(changes_of(document)))

    @property
    def empty(self) -> bool:
        """Whether applying it would change nothing."""
        return not self.actions and not self.output_changes

    @property
    def counts(self) -> dict[str, int]:
        """Resources to add, change and destroy; a replacement counts as one add and one destroy, as in Terraform."""
        n = Counter(self.actions.values())
        return {"add": n["create"] + n["replace"], "change": n["update"], "destroy": n["delete"] + n["replace"]}

    @property
    def summary(self) -> str:
        """One line, in Terraform's own wording."""
        if self.empty:
            return "No changes. What is deployed matches the configuration."
        if not self.actions:
            return f"No resource changes; outputs to update: {', '.join(self.output_changes)}."
        return "Plan: {add} to add, {change} to change, {destroy} to destroy.".format(**self.counts)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return self.rendered()._repr_mimebundle_()

    def rendered(self) -> Rendered:
        """The plan as displayed: summary, creations by module and type, other changes in full, the full list folded."""
        if not self.actions:
            return note(self.summary, "good" if self.empty else "")
        full = self.table()
        if len(full) <= _FEW:
            return stack(note(self.summary, "mark"), table(full, "Changes", marks=_MARKS))
        parts = [note(self.summary, "mark")]
        created = Counter((root_address(c.address), c.type) for c in self.changes if c.action == "create")
        if created:
            rows = [
                (module, [f"{kind} ×{n}" if n > 1 else kind for kind, n in kinds.items()], sum(kinds.values()))
                for module, kinds in _by_module(created).items()
            ]
            parts.append(table(pd.DataFrame(rows, columns=["created in", "what", "resources"]), "To create"))
        others = full[full["action"] != "create"]
        if len(others) and not self.destroy:
            parts.append(table(others, "To change", marks=_MARKS))
        parts.append(fold("Every resource in this plan", table(full, "Plan", marks=_MARKS)))
        return stack(*parts)

    def table(self) -> pd.DataFrame:
        """Columns address, action, what changes, why; one row per resource."""
        rows = [(c.address, c.action, "\n".join(c.what), c.why) for c in self.changes]
        return pd.DataFrame(rows, columns=["address", "action", "what changes", "why"])


def _by_module(created: Mapping[tuple[str, str], int]) -> dict[str, dict[str, int]]:
    modules: dict[str, dict[str, int]] = {}
    for (module, kind), n in sorted(created.items()):
        modules.setdefault(module, {})[kind] = n
    return modules


def changes_of(plan: Mapping[str, Any]) -> Iterable[Change]:
    """The changes in Terraform's plan JSON (`terraform show -json`), without no-ops."""
    drifted = {item["address"] for item in plan.get("resource_drift", [])}
    for item in sorted(plan.get("resource_changes", []), key=lambda item: str(item["address"])):
        change = item["change"]
        action = _action(change["actions"])
        if action is None or item.get("mode") == "data":
            continue
        paths = [".".join(map(str, path)) for path in change.get("replace_paths", [])]
        why = _REASONS.get(item.get("action_reason", ""), item.get("action_reason", "").replace("_", " "))
        if paths:
            why = f"{why}: {', '.join(paths)}" if why else f"changes {', '.join(paths)}"
        drift = item["address"] in drifted and action in ("update", "create", "replace")
        if drift:
            why = "; ".join(part for part in (why, "changed outside Terraform") if part)
        yield Change(item["address"], action, tuple(_what(action, change)), why, drift)


def _action(actions: list[str]) -> str | None:
    if sorted(actions) == ["create", "delete"]:
        return "replace"
    return actions[0] if len(actions) == 1 and actions[0] in ACTIONS and actions[0] != "read" else None


def _what(action: str, change: Mapping[str, Any]) -> Iterable[str]:
    before, after = change.get("before") or {}, change.get("after") or {}
    hidden = {**_flags(change.get("before_sensitive")), **_flags(change.get("after_sensitive"))}
    unknown = _flags(change.get("after_unknown"))
    if action in ("create", "delete", "forget"):
        values = after if action == "create" else before
        told = next((name for name in _TELLING if isinstance(values.get(name), str | int) and name not in hidden), None)
        label = (values.get("tags_all") or values.get("tags") or {}).get("Name") if "tags" not in hidden else None
        if label or told:
            yield str(label) if label else f"{told} = {values[told]}"
        return
    secrets = {_brief(values[name], None) for values in (before, after) for name in hidden if values.get(name)}
    for name in sorted({*before, *after, *unknown}):
        old, new = before.get(name), after.get(name)
        if name in unknown and new is None:
            new = UNKNOWN
        if old == new or name == "tags_all":
            continue
        # Terraform drops the sensitive mark when a resource copies an input into a computed attribute: hide the value
        # there too.
        if hidden.get(name) or any(secret in _brief(value, None) for value in (old, new) for secret in secrets):
            yield f"{name}: {SENSITIVE}"
            continue
        for path, one, other in _differences(name, old, new):
            yield f"{path}: {_brief(one)} → {_brief(other)}"


def _differences(path: str, old: Any, new: Any) -> Iterable[tuple[str, Any, Any]]:
    """The leaves in which two values differ; lists of different length, and everything else, count as one leaf."""
    if isinstance(old, str) and isinstance(new, str) and old[:1] + new[:1] in ("{{", "[["):
        with contextlib.suppress(json.JSONDecodeError):
            old, new = json.loads(old), json.loads(new)
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            if old.get(key) != new.get(key):
                yield from _differences(f"{path}.{key}", old.get(key), new.get(key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for n, (one, other) in enumerate(zip(old, new, strict=True)):
            if one != other:
                yield from _differences(f"{path}[{n}]" if len(old) > 1 else path, one, other)
    else:
        yield path, old, new


def _flags(marks: Any) -> dict[str, bool]:
    """Top-level attributes with a mark anywhere below them in a tree of marks (`after_unknown`, `*_sensitive`)."""

    def marked(value: Any) -> bool:
        if isinstance(value, dict):
            return any(map(marked, value.values()))
        if isinstance(value, list):
            return any(map(marked, value))
        return value is True

    return {name: True for name, value in (marks or {}).items() if marked(value)} if isinstance(marks, dict) else {}


def _brief(value: Any, limit: int | None = 120) -> str:
    if value is None:
        return "none"
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return text if limit is None or len(text) <= limit else text[: limit - 1] + "…"
