"""A saved plan and its table."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from workbook.display import Rendered, fold, note, stack, table
from workbook.terraform.changes import Change, changes_of, checks_of, drift_of, outputs_of
from workbook.terraform.hcl import root_address
from workbook.terraform.secrets import Secrets

# Up to this many changes are shown in full; a longer plan starts with counts by module.
_FEW = 12
_MARKS = {"action": {"create": "good", "update": "warn", "replace": "bad", "delete": "bad"}}
# What Terraform's events call an action, where its plan JSON calls it otherwise.
_EVENT_ACTIONS = {"remove": "forget"}
_PAST = {"update": "changed", "delete": "deleted", "create": "created"}


@dataclass(frozen=True)
class Plan:
    """A plan that was saved to `path`; plain data.

    Attributes
    ----------
    actions : address -> action, for everything that the plan does to a resource: also imports, moves, reads and what
        it forgets. A deposed object is named beside the resource of its address.
    output_changes : names of the outputs that change.
    targets : addresses that the plan is restricted to; empty for all.
    destroy : it destroys what it names.
    changes : every change with its details, by address, sensitive values masked; empty where nobody asked for details.
    outputs, drift : likewise, the outputs that change and what was changed outside Terraform.
    checks : checks that do not pass: what is checked, its status, its messages.
    imports : number of resources that it imports, also if it changes them.
    secrets : masks the sensitive values of the plan.
    """

    path: Path
    actions: Mapping[str, str]
    output_changes: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    destroy: bool = False
    changes: tuple[Change, ...] = ()
    outputs: tuple[Change, ...] = ()
    drift: tuple[Change, ...] = ()
    checks: tuple[tuple[str, str, str], ...] = ()
    imports: int = 0
    secrets: Secrets = field(default_factory=Secrets, repr=False, compare=False)

    @classmethod
    def from_events(
        cls, path: Path, events: Iterable[Mapping[str, Any]], targets: tuple[str, ...] = (), destroy: bool = False
    ) -> Plan:
        """From the events of `terraform plan -json`, without details."""
        found: dict[str, list[str]] = {}
        outputs: tuple[str, ...] = ()
        imports = 0
        for event in events:
            if event.get("type") == "planned_change":
                change = event["change"]
                found.setdefault(change["resource"]["addr"], []).append(change["action"])
                imports += "importing" in change
            elif event.get("type") == "outputs":
                outputs = tuple(
                    sorted(name for name, value in event["outputs"].items() if value.get("action", "noop") != "noop")
                )
        actions: dict[str, str] = {}
        for address, several in sorted(found.items()):
            # Of several at one address, all but one are deletes of deposed objects, which the events do not name.
            own = next((action for action in several if action != "delete"), several[0])
            if own != "noop":
                actions[address] = _EVENT_ACTIONS.get(own, own)
            for n in range(1, len(several)):
                actions[f"{address} (deposed{f' {n}' if n > 1 else ''})"] = "delete"
        return cls(path, actions, outputs, targets, destroy, imports=imports)

    def detailed(self, document: Mapping[str, Any]) -> Plan:
        """The same plan with its changes, from Terraform's plan JSON (`terraform show -json`)."""
        secrets = Secrets.of_plan(document)
        changes = tuple(changes_of(document, secrets))
        done = {change.key: change.action for change in changes if change.action != "deferred"}
        return replace(
            self,
            actions=done,
            changes=changes,
            outputs=tuple(outputs_of(document, secrets)),
            drift=tuple(drift_of(document, secrets)),
            checks=tuple(checks_of(document, secrets)),
            imports=sum(change.imported for change in changes),
            secrets=secrets,
        )

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
        """One line: the counts in Terraform's own wording, then what Terraform does not count."""
        if self.empty:
            return "No changes. What is deployed matches the configuration."
        if not self.actions:
            return f"No resource changes; outputs to update: {', '.join(self.output_changes)}."
        imports = f"{self.imports} to import, " if self.imports else ""
        counts = f"Plan: {imports}{{add}} to add, {{change}} to change, {{destroy}} to destroy.".format(**self.counts)
        actions = Counter(self.actions.values())
        moved = sum(change.moved for change in self.changes) or actions["move"]
        deposed = sum(bool(change.deposed) for change in self.changes)
        others = (
            (moved, "moved"),
            (actions["forget"], "to forget"),
            (deposed, "of those to destroy deposed"),
            (sum(change.action == "deferred" for change in self.changes), "deferred"),
        )
        also = ", ".join(f"{n} {what}" for n, what in others if n)
        return f"{counts} Also: {also}." if also else counts

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return self.rendered()._repr_mimebundle_()

    def rendered(self) -> Rendered:
        """The plan as displayed: summary, creations by module and type, other changes in full, the full list folded."""
        if self.empty:
            return note(self.summary, "good")
        parts = [note(self.summary, "mark"), *self._resources()]
        if self.outputs:
            shown = table(_frame(self.outputs, self.secrets, "output").drop(columns="why"), "Outputs", marks=_MARKS)
            parts.append(shown if len(self.outputs) <= _FEW else fold(f"{len(self.outputs)} outputs", shown))
        if self.drift:
            drift = _frame(self.drift, self.secrets).drop(columns="why")
            parts.append(
                table(drift.rename(columns={"action": "was"}).replace({"was": _PAST}), "Changed outside Terraform")
            )
        if self.checks:
            checks = pd.DataFrame(self.checks, columns=["check", "status", "says"])
            parts.append(table(checks, "Checks that do not pass", marks={"status": {"fail": "bad", "error": "bad"}}))
        return stack(*parts)

    def _resources(self) -> list[Rendered]:
        full = self.table()
        if not len(full):
            return []
        if len(full) <= _FEW:
            return [table(full, "Changes", marks=_MARKS)]
        parts: list[Rendered] = []
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
        return parts

    def table(self) -> pd.DataFrame:
        """Columns address, action, what changes, why; one row per resource."""
        return _frame(self.changes, self.secrets)


def _frame(changes: Iterable[Change], secrets: Secrets, named: str = "address") -> pd.DataFrame:
    def safe(address: str) -> str:
        # A key of for_each may be a copy of a sensitive value; other parts of an address are names from the code.
        return re.sub(r"\[.*?\]", lambda key: secrets.mask(key[0]), address)

    rows = [(safe(c.key), c.action, tuple(map(safe, c.what)), c.why) for c in changes]
    frame = pd.DataFrame(rows, columns=[named, "action", "what changes", "why"])
    frame["what changes"] = ["\n".join(lines) for lines in frame["what changes"]]
    return frame


def _by_module(created: Mapping[tuple[str, str], int]) -> dict[str, dict[str, int]]:
    modules: dict[str, dict[str, int]] = {}
    for (module, kind), n in sorted(created.items()):
        modules.setdefault(module, {})[kind] = n
    return modules
