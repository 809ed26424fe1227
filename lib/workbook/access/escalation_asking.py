"""What escalation paths ask of the policy engine: who may try, and what AWS says to an action on some resources."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Protocol

from workbook.access.account import Account, Rows
from workbook.access.evaluation import Caller, Target, action_matches, resource_pattern
from workbook.access.patterns import combinations
from workbook.access.policies import Policy, Statement, parse_policy
from workbook.access.proofs import Kind, Prover, Where
from workbook.access.requests import arns_like, conditions_from, fixed_keys
from workbook.inventory.names import last

# Temporary credentials live for 36 hours at most.
_LONGEST_SESSION = timedelta(hours=36)
_TIMES = frozenset({"aws:currenttime", "aws:epochtime", "aws:tokenissuetime"})

_EVERYTHING = parse_policy(
    "everything", {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
)


class Snapshot(Rows, Protocol):
    """What is needed of an inventory; the view of a claim has it too."""

    @property
    def taken_at(self) -> datetime: ...


@dataclass(frozen=True)
class Principal:
    """A role or user that may try.

    Attributes
    ----------
    policies : ARNs of the managed policies attached to it or to its groups.
    groups : ARNs of the groups a user is in.
    profile : whether a role is in an instance profile.
    """

    caller: Caller
    policies: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    profile: bool = False

    @property
    def arn(self) -> str:
        return self.caller.arn or ""

    @cached_property
    def own_policies(self) -> tuple[str, ...]:
        """Those that can be edited: AWS's own cannot."""
        return tuple(arn for arn in self.policies if arn.split(":")[4] == self.caller.account)


@dataclass
class Answers:
    """What AWS says to one action on some resources: resource -> the statement that allows it, or what is in doubt."""

    allowed: dict[str, str] = field(default_factory=dict)
    doubts: dict[str, str] = field(default_factory=dict)
    blocked: Counter[tuple[str, str, str]] = field(default_factory=Counter)


class _TrustingAccount(Account):
    """The account, in which roles that are not in the inventory trust its principals: then their policies decide."""

    def target(self, action: str, arn: str) -> Target:
        found = super().target(action, arn)
        if not action.lower().startswith("sts:") or arn in self._known:
            return found
        everyone = {"Effect": "Allow", "Principal": {"AWS": self.id}, "Action": "sts:AssumeRole"}
        return replace(found, policy=parse_policy(f"trust of {last(arn)}", {"Statement": everyone}), needs_policy=True)

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(role.arn for role in self.roles.values() if role.arn)


class Desk:
    """Asks the policy engine, each question once."""

    def __init__(self, inventory: Snapshot) -> None:
        self._prover = Prover(inventory)
        self._prover.account = self.account = _TrustingAccount(inventory)
        self._now = inventory.taken_at
        rows = {row.role_arn: row for row in inventory.rows("roles")}
        self.principals = [
            Principal(caller, tuple(row.attached_policy_arns or ()), profile=bool(row.instance_profiles))
            for caller in self.account.roles.values()
            for row in [rows[caller.arn]]
        ]
        self._answers: dict[tuple[str, ...], Answers] = {}
        self._trusting: dict[tuple[str, str], bool | None] = {}

    def ask(
        self, caller: Caller, action: str, resources: tuple[str, ...], service: str = "", as_if: str = ""
    ) -> Answers:
        """`as_if` names a supposition about the caller, see `supposing`."""
        key = (caller.arn or "", action, service, as_if, *resources)
        if key not in self._answers:
            self._answers[key] = self._asked(supposing(caller, as_if), action, resources, service)
        return self._answers[key]

    def _asked(self, caller: Caller, action: str, resources: tuple[str, ...], service: str) -> Answers:
        answers, incomplete = Answers(), set[str]()
        tried = False
        kind = Kind((action,), resources, conditions_from(self._limits(caller, service)))
        for found in self._prover.requests([caller], kind, incomplete):
            tried, outcome = True, found.outcome
            if outcome.allowed is True:
                answers.allowed.setdefault(found.resource, f"{outcome.policy}: {outcome.statement}")
            elif outcome.allowed is None:
                answers.doubts.setdefault(found.resource, outcome.because)
            else:
                answers.blocked[outcome.layer, outcome.policy, outcome.statement] += 1
        if incomplete or not tried:
            answers.doubts.setdefault("", "; ".join(sorted(incomplete)) or f"{action} was not asked")
        return answers

    def told_apart(self, caller: Caller, actions: Iterable[str], resources: Iterable[str]) -> Iterator[str]:
        """One ARN for each way in which the statements about any of these actions tell ARNs apart."""
        statements = [s for s in _statements(caller) if any(action_matches(s, action) for action in actions)]
        known = fixed_keys(self.account, caller, "", "", "")
        patterns = [resource_pattern(s, text, known.get) for s in statements for text in s.resources or ()]
        for resource in resources:
            found, _ = combinations(tuple(dict.fromkeys(p for p in patterns if p is not None)), arns_like(resource))
            yield from found.values()

    def _limits(self, caller: Caller, service: str) -> Where:
        limits: dict[str, dict[str, object]] = {}
        if service:
            limits["StringEquals"] = {"iam:PassedToService": service}
        if caller.kind == "service":  # It acts for the principal, who is in this account.
            limits["StringEqualsIfExists"] = {"aws:SourceAccount": self.account.id}
        if any(condition.key in _TIMES for s in _statements(caller) for condition in s.conditions):
            issued = (self._now - _LONGEST_SESSION).isoformat()
            limits["DateGreaterThanEquals"] = {"aws:CurrentTime": self._now.isoformat()}
            limits["DateGreaterThanEqualsIfExists"] = {"aws:TokenIssueTime": issued}
            limits["NumericGreaterThanEqualsIfExists"] = {"aws:EpochTime": str(int(self._now.timestamp()))}
        return limits

    def trusts(self, role: Principal, service: str) -> bool | None:
        """Whether a role lets a service assume it."""
        key = (role.arn, service)
        if key not in self._trusting:
            caller = Caller(service, "service", service, "", None)
            answers = self.ask(caller, "sts:AssumeRole", (role.arn,))
            self._trusting[key] = True if answers.allowed else None if answers.doubts else False
        return self._trusting[key]


def _statements(caller: Caller) -> Iterator[Statement]:
    for policy in (*(caller.identity or ()), caller.boundary):
        yield from (policy.statements or ()) if policy is not None else ()


def supposing(caller: Caller, as_if: str) -> Caller:
    """The caller as it would be with an administrator's policy (`administrator`), or without a boundary, too (`free`)."""
    if not as_if:
        return caller
    boundary = caller.boundary
    if as_if == "free" and boundary is not None and boundary.statements is not None:
        boundary = Policy(boundary.name, (*boundary.statements, *(_EVERYTHING.statements or ())))
    return replace(caller, identity=(*(caller.identity or ()), _EVERYTHING), boundary=boundary)
