"""What a plan changes, read from Terraform's plan JSON; sensitive values masked."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from workbook.terraform.secrets import SENSITIVE, Secrets, below, marked

UNKNOWN = "(known after apply)"

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
    "delete_because_no_move_target": "it was moved to an address that is not in the configuration",
    "read_because_config_unknown": "its arguments are known after apply",
    "read_because_dependency_pending": "what it depends on changes first",
    "read_because_check_nested": "a check reads it",
    "instance_count_unknown": "count or for_each is not known yet",
    "resource_config_unknown": "its arguments are not known yet",
    "provider_config_unknown": "the provider's arguments are not known yet",
    "absent_prereq": "what it needs does not exist yet",
    "deferred_prereq": "what it depends on is deferred",
}

_ACTIONS = {
    ("no-op",): "",
    ("delete", "create"): "replace",
    ("create", "delete"): "replace",
    ("create", "forget"): "replace",
    ("forget", "create"): "replace",
}


@dataclass(frozen=True)
class Change:
    """One object the plan changes.

    Attributes
    ----------
    address : the resource's address, such as module.vpc.aws_subnet.public[0]; or an output's name.
    action : create, update, replace, delete, read, forget, move, import or deferred.
    what : which attributes change and how, one line each; for a new resource, what identifies it.
    why : Terraform's reason, if it gives one.
    drift : the live resource was changed outside Terraform, and the plan brings it back.
    deposed : key of the deposed object, if it is one; the resource of that address is another object.
    moved, imported : it is also moved, or imported.
    """

    address: str
    action: str
    what: tuple[str, ...]
    why: str = ""
    drift: bool = False
    deposed: str = ""
    moved: bool = False
    imported: bool = False

    @property
    def key(self) -> str:
        """Unique in a plan."""
        return f"{self.address} (deposed {self.deposed})" if self.deposed else self.address

    @property
    def type(self) -> str:
        """Such as aws_subnet."""
        # A key may contain dots: this["ecr.api"].
        parts = re.sub(r"\[[^\]]*\]", "", self.address).split(".")
        return parts[-2]


def changes_of(plan: Mapping[str, Any], secrets: Secrets) -> Iterator[Change]:
    """Every change in Terraform's plan JSON (`terraform show -json`), by address, without no-ops."""
    drifted = {item["address"] for item in plan.get("resource_drift") or []}
    for item in _sorted(plan.get("resource_changes")):
        change = item["change"]
        action = _action(change["actions"])
        moved, imported = item.get("previous_address", ""), change.get("importing")
        shown = action or ("import" if imported else "move" if moved else "")
        if not shown:
            continue
        what = [f"moved from {moved}"] if moved else []
        if imported:
            identity = imported.get("id") or imported.get("identity") or UNKNOWN
            what.append(f"imported: {_brief(identity, secrets)}")
        deposed = item.get("deposed", "")
        why = [_REASONS.get(reason, reason.replace("_", " ")) for reason in [item.get("action_reason", "")] if reason]
        if deposed:
            why.append("a deposed object, left over from a replacement that did not finish")
        if action == "forget":
            why.append("Terraform forgets it and leaves it in place")
        if paths := [".".join(map(str, path)) for path in change.get("replace_paths") or []]:
            why[-1:] = [f"{why[-1]}: {', '.join(paths)}"] if why else [f"changes {', '.join(paths)}"]
        if change["actions"] == ["create", "delete"]:
            why.append("created before the old one is destroyed")
        if action == "replace" and "forget" in change["actions"]:
            why.append("Terraform forgets the old one and leaves it in place")
        drift = not deposed and item["address"] in drifted and action in ("update", "create", "replace")
        if drift:
            why.append("changed outside Terraform")
        what += _what(action, change, secrets)
        text = secrets.mask("; ".join(why))
        yield Change(item["address"], shown, tuple(what), text, drift, deposed, bool(moved), bool(imported))
    for deferral in plan.get("deferred_changes") or []:
        item = deferral.get("resource_change") or {}
        reason = deferral.get("reason", "")
        why_not = _REASONS.get(reason, reason.replace("_", " "))
        yield Change(str(item.get("address", "")), "deferred", (), f"not in this plan: {why_not}")


def outputs_of(plan: Mapping[str, Any], secrets: Secrets) -> Iterator[Change]:
    """The outputs that change."""
    for name, change in sorted((plan.get("output_changes") or {}).items()):
        if action := _action(change["actions"]):
            yield Change(name, action, tuple(_differing("", change, secrets)))


def drift_of(plan: Mapping[str, Any], secrets: Secrets) -> Iterator[Change]:
    """What was changed outside Terraform and has a part in this plan; Terraform tells the rest to nobody either."""
    changed = {item["address"] for item in plan.get("resource_changes") or [] if _action(item["change"]["actions"])}
    relevant: dict[str, set[str]] = {}
    for one in plan.get("relevant_attributes") or []:
        relevant.setdefault(one["resource"], set()).add(str((one.get("attribute") or [""])[0]))
    for item in _sorted(plan.get("resource_drift")):
        change, address = item["change"], item["address"]
        action = _action(change["actions"])
        roots = relevant.get(re.sub(r"\[[^\]]*\]$", "", address), set()) | relevant.get(address, set())
        before, after = change.get("before") or {}, change.get("after") or {}
        # A provider reads "not set" back as an empty value after each apply; nobody changed that.
        differ = {name for name in {*before, *after} if (before.get(name) or None) != (after.get(name) or None)}
        if action and differ and (address in changed or roots & differ):
            yield Change(address, action, tuple(_what(action, change, secrets)))


def checks_of(plan: Mapping[str, Any], secrets: Secrets) -> Iterator[tuple[str, str, str]]:
    """Checks, preconditions and postconditions that do not pass: what is checked, status, messages."""
    for check in plan.get("checks") or []:
        for one in check.get("instances") or [{"address": check["address"], "status": check["status"]}]:
            if one["status"] in ("fail", "error"):
                messages = [problem.get("message", "") for problem in one.get("problems") or []]
                place = (one.get("address") or {}).get("to_display") or check["address"].get("to_display", "")
                yield place, one["status"], secrets.mask("\n".join(messages))


def _sorted(items: Any) -> list[dict[str, Any]]:
    return sorted(items or [], key=lambda item: (str(item["address"]), item.get("deposed", "")))


def _action(actions: list[str]) -> str:
    return _ACTIONS.get(tuple(actions), " and ".join(actions))


def _what(action: str, change: Mapping[str, Any], secrets: Secrets) -> Iterable[str]:
    if action not in ("create", "delete", "forget", "read", ""):
        yield from _differing("", change, secrets)
        return
    if action in ("read", ""):
        return
    side = "after" if action == "create" else "before"
    values, marks = change.get(side) or {}, change.get(f"{side}_sensitive")
    told = next(
        (n for n in _TELLING if isinstance(values.get(n), str | int) and not marked(below(marks, n))),
        None,
    )
    hidden = marked(below(marks, "tags")) or marked(below(marks, "tags_all"))
    tags = values.get("tags_all") or values.get("tags")
    label = tags.get("Name") if isinstance(tags, dict) and not hidden else None
    if not isinstance(label, str):  # A tag's value is text; the text of anything else would escape the masking.
        label = None
    if label or told:
        yield secrets.mask(label) if label else f"{told} = {_brief(values[told], secrets)}"


def _differing(path: str, change: Mapping[str, Any], secrets: Secrets) -> Iterator[str]:
    """One line for each leaf that differs."""
    trees = [change.get(key) for key in ("before", "after", "before_sensitive", "after_sensitive", "after_unknown")]
    told: set[str] = set()
    for where, text in _differences(path, secrets, *trees):
        # tags_all repeats tags; what only differs there comes from the provider's default_tags.
        if where.split(".", 1)[0] == "tags_all" and (
            where.replace("tags_all", "tags", 1) in told or (where == "tags_all" and UNKNOWN in text and told)
        ):
            continue
        told.add(where)
        yield f"{secrets.mask(where)}: {text}" if where else text


def _differences(
    path: str, secrets: Secrets, old: Any, new: Any, was: Any, hidden: Any, unknown: Any
) -> Iterator[tuple[str, str]]:
    """Path and text of the leaves in which two values differ. Lists of different length are one leaf; `was` and
    `hidden` are the marks of sensitive values before and after.
    """
    if was is True or hidden is True:
        if old != new or marked(unknown):
            yield path, SENSITIVE
        elif was != hidden and (old is not None or new is not None):
            yield path, "marked as sensitive" if hidden is True else "no longer marked as sensitive"
        return
    if unknown is True:
        yield path, f"{_brief(_hide(old, was), secrets)} → {UNKNOWN}"
        return
    if isinstance(old, str) and isinstance(new, str) and old[:1] + new[:1] in ("{{", "[["):
        with contextlib.suppress(json.JSONDecodeError):
            old, new = json.loads(old), json.loads(new)
    if isinstance(unknown, dict) and new is None and marked(unknown):
        new = {}
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new, *(k for k in (unknown if isinstance(unknown, dict) else ()))}, key=str):
            deeper = f"{path}.{key}" if path else str(key)
            marks = (below(tree, key) for tree in (was, hidden, unknown))
            yield from _differences(deeper, secrets, old.get(key), new.get(key), *marks)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new) > 0:
        for n, (one, other) in enumerate(zip(old, new, strict=True)):
            marks = (below(tree, n) for tree in (was, hidden, unknown))
            yield from _differences(f"{path}[{n}]" if len(old) > 1 else path, secrets, one, other, *marks)
    elif old != new or marked(unknown):
        before, after = _hide(old, was), _hide(_reveal(new, unknown), hidden)
        yield path, f"{_brief(before, secrets)} → {_brief(after, secrets)}"


def _hide(value: Any, marks: Any) -> Any:
    """The value with what is marked replaced."""
    if marks is True:
        return SENSITIVE
    if isinstance(value, dict):
        return {key: _hide(one, below(marks, key)) for key, one in value.items()}
    return [_hide(one, below(marks, n)) for n, one in enumerate(value)] if isinstance(value, list) else value


def _reveal(value: Any, unknown: Any) -> Any:
    """The value with what is unknown named; Terraform leaves it out, or has null in its place."""
    if unknown is True:
        return UNKNOWN
    if isinstance(unknown, dict) and (value is None or isinstance(value, dict)) and (value or marked(unknown)):
        own = value or {}
        names = [*own, *(name for name in unknown if name not in own and marked(unknown[name]))]
        return {name: _reveal(own.get(name), unknown.get(name)) for name in names}
    if isinstance(unknown, list) and (value is None or isinstance(value, list)) and (value or marked(unknown)):
        own_list = value or []
        count = max(len(own_list), len(unknown))
        return [_reveal(own_list[n] if n < len(own_list) else None, below(unknown, n)) for n in range(count)]
    return value


def _brief(value: Any, secrets: Secrets, limit: int = 120) -> str:
    if value is None:
        return "none"
    # Masked before it is shortened: a part of a secret is not recognised.
    # Leaf by leaf before it is written as JSON, which would escape what is escaped already.
    masked = _masked(value, secrets)
    text = masked if isinstance(masked, str) else json.dumps(masked, sort_keys=True, ensure_ascii=False)
    text = secrets.mask(text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _masked(value: Any, secrets: Secrets) -> Any:
    if isinstance(value, dict):
        return {secrets.mask(str(key)): _masked(one, secrets) for key, one in value.items()}
    if isinstance(value, list):
        return [_masked(one, secrets) for one in value]
    return secrets.mask(value) if isinstance(value, str) else value
