"""Privilege escalation: which of the known ways to more permissions are open to whom, decided by the policies.

A path is possible for a principal where AWS would allow it every action that the path needs, on things that suit: the role
that is passed trusts the service, the role that is assumed lets it, all actions on one function are allowed on the same
function. What the other role or function may do is not looked at: any way to it counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Protocol

from workbook.access.account import Account, Rows
from workbook.access.escalation_paths import EscalationPath, paths, things
from workbook.access.evaluation import Caller, Target, action_matches, resource_pattern
from workbook.access.patterns import combinations
from workbook.access.policies import Policy, Statement, parse_policy
from workbook.access.proofs import Prover, Where
from workbook.access.requests import fixed_keys, within
from workbook.inventory.names import last

DENIED, BOUNDARY, SILENT, UNSUITABLE = "denied", "boundary", "no Allow", "nothing suits"
"""What stops a path: a Deny; a boundary that does not allow it; policies that do not; or that nothing it would be allowed
on is of any use.
"""

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


@dataclass(frozen=True)
class Escalation:
    """Whether a path is possible for a principal.

    Attributes
    ----------
    possible : None if it cannot be told.
    by : the statements that allow it (`policy: sid`); or what stops it: the statement that denies it, the boundary, or
        the policies that allow nothing of the kind.
    stopped : DENIED, BOUNDARY, SILENT or UNSUITABLE; empty if it is possible or cannot be told.
    given : what must exist for it to work and is not in the inventory; may be empty.
    why : one sentence.
    """

    principal: str
    path: EscalationPath
    possible: bool | None
    by: tuple[str, ...]
    stopped: str
    given: str
    why: str


def escalations(inventory: Snapshot, principals: Iterable[Principal] | None = None) -> list[Escalation]:
    """Every path for every principal, by default the roles of the inventory."""
    desk = _Desk(inventory)
    return [
        _decided(desk, principal, path)
        for principal in (desk.principals if principals is None else principals)
        for path in paths()
    ]


# ── asking the engine ──


@dataclass
class _Answers:
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


class _Desk:
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
        self._answers: dict[tuple[str, ...], _Answers] = {}
        self._trusting: dict[tuple[str, str], bool | None] = {}

    def ask(
        self, caller: Caller, action: str, resources: tuple[str, ...], service: str = "", as_if: str = ""
    ) -> _Answers:
        """`as_if` names a supposition about the caller, see `supposing`."""
        key = (caller.name, action, service, as_if, *resources)
        if key not in self._answers:
            self._answers[key] = self._asked(supposing(caller, as_if), action, resources, service)
        return self._answers[key]

    def _asked(self, caller: Caller, action: str, resources: tuple[str, ...], service: str) -> _Answers:
        answers, incomplete = _Answers(), set[str]()
        tried = False
        for found in self._prover.requests([caller], [action], resources, self._limits(caller, service), incomplete):
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
            found, _ = combinations(tuple(dict.fromkeys(p for p in patterns if p is not None)), within(resource))
            yield from found.values()

    def _limits(self, caller: Caller, service: str) -> Where:
        limits: dict[str, dict[str, object]] = {}
        if service:
            limits["StringEquals"] = {"iam:PassedToService": service}
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


# ── what an action is about ──


@dataclass(frozen=True)
class _Setting:
    """What the things of a path stand for: ARNs or patterns of them, less the ARNs of `without`."""

    things: Mapping[str, tuple[str, ...]]
    without: frozenset[str] = frozenset()
    service: str = ""
    given: str = ""


def _widest(desk: _Desk, principal: Principal, path: EscalationPath, on: str, action: str) -> tuple[str, ...]:
    """Everything that could suit."""
    own = {
        "own role": (principal.arn,),
        "own user": (principal.arn,),
        "own group": principal.groups,
        "own policy": principal.own_policies,
    }
    if on in own:
        return own[on]
    kinds = {"other user": "user", "passed role": "role", "other role": "role", "policy of the role": "policy"}
    if on not in kinds:
        return tuple(pattern.format(account=desk.account.id) for pattern in things()[on])
    if action != "sts:AssumeRole":
        return (f"arn:aws:iam::{desk.account.id}:{kinds[on]}/*",)
    # A role may let it in that its own policies do not mention. One of another account can be assumed, but not changed.
    account = "*" if path.actions == (action,) else desk.account.id
    return (f"arn:aws:iam::{account}:role/*", *(role.arn for role in desk.principals if role.arn != principal.arn))


def _settings(desk: _Desk, principal: Principal, path: EscalationPath) -> Iterator[_Setting]:
    """The ways to choose what the path is about: what the inventory knows before what it does not."""
    about = {on for _, on in path.needs}
    others = [role for role in desk.principals if role.arn != principal.arn]
    known = frozenset(role.arn for role in desk.principals)
    if "passed role" in about:
        for service in path.passes:
            for role in others:
                if desk.trusts(role, service) is not False and (role.profile or service != "ec2.amazonaws.com"):
                    yield _Setting({"passed role": (role.arn,)}, service=service, given=path.given)
        for service in path.passes:
            kind = "role in an instance profile" if service == "ec2.amazonaws.com" else "role"
            yield _Setting({}, known, service, _both(f"a {kind} that trusts {service}", path.given))
    elif "other role" in about:
        for role in others:
            yield _Setting({"other role": (role.arn,), "policy of the role": role.own_policies}, given=path.given)
        assumed = " that it may assume" if "sts:AssumeRole" in path.actions else ""
        policy = " with a policy of its own" if "policy of the role" in about else ""
        yield _Setting({}, known, given=_both(f"another role{policy}{assumed}", path.given))
    elif "other user" in about:
        yield _Setting({}, frozenset({principal.arn}), given=_both("another user", path.given))
    else:
        yield _Setting({}, given=path.given)


def _both(first: str, second: str) -> str:
    return f"{first}, and {second}" if second else first


# ── deciding ──


def _decided(desk: _Desk, principal: Principal, path: EscalationPath) -> Escalation:
    def escalation(
        possible: bool | None, by: Iterable[str], why: str, stopped: str = "", given: str = ""
    ) -> Escalation:
        return Escalation(principal.caller.name, path, possible, tuple(dict.fromkeys(by)), stopped, given, why)

    if path.only and path.only != principal.caller.kind:
        return escalation(False, (), f"Only a {path.only} gains anything from it.", UNSUITABLE)
    # Most paths end here: an action that is not allowed on anything.
    stops = []
    for action, on in path.needs:
        if stop := _stop(desk, principal, path, action, on):
            stops.append(stop)
            if stop[0] == DENIED:
                break
    if stops:
        kind, by, why = min(stops, key=lambda stop: (DENIED, UNSUITABLE, BOUNDARY, SILENT).index(stop[0]))
        return escalation(False, by, why, kind)
    doubt = ""
    for setting in _settings(desk, principal, path):
        found = _suits(desk, principal, path, setting)
        if isinstance(found, dict):
            given = f", if there is {setting.given}" if setting.given else ""
            said = "; ".join(f"{action} ({by})" for action, by in found.items())
            return escalation(True, found.values(), f"It is allowed {said}{given}.", given=setting.given)
        doubt = doubt or found
    if doubt:
        return escalation(None, (), f"Cannot tell: {doubt}.")
    if path.passes:
        why = f"No role that it may pass trusts {' or '.join(path.passes)}."
    else:
        kinds = " and ".join(dict.fromkeys(on for _, on in path.needs))
        why = f"There is no {kinds} on which it is allowed {' and '.join(path.actions)}."
    return escalation(False, (), why, UNSUITABLE)


def _stop(
    desk: _Desk, principal: Principal, path: EscalationPath, action: str, on: str
) -> tuple[str, tuple[str, ...], str] | None:
    """What stops an action on everything: kind, statements or policies, and a sentence; None if something is allowed."""
    resources = _widest(desk, principal, path, on, action)
    if not resources:
        return UNSUITABLE, (), f"It has no {on}."
    services: Sequence[str] = path.passes if action == "iam:PassRole" else ("",)
    blocked = {}
    for as_if in ("", "free", "administrator"):
        answers = [desk.ask(principal.caller, action, resources, service, as_if) for service in services]
        blocked[as_if] = not any(one.allowed or one.doubts for one in answers)
        if not blocked[""]:
            return None
        if as_if == "free" and blocked["free"]:
            deny = sum((one.blocked for one in answers), Counter[tuple[str, str, str]]())
            by = [f"{policy}: {sid}" for (_, policy, sid), _ in deny.most_common() if sid]
            if by:
                return DENIED, tuple(by), f"{by[0]} denies {action}, whatever else is allowed."
            return UNSUITABLE, (), f"No {on} lets it."
    boundary = principal.caller.boundary
    if blocked["administrator"] and boundary is not None:
        return BOUNDARY, (boundary.name,), f"{boundary.name} does not allow {action}, whatever policy is attached."
    own = [s for policy in principal.caller.identity or () for s in policy.statements or ()]
    if any(s.allow and action_matches(s, action) for s in own):
        return UNSUITABLE, (), f"It is allowed {action} on no {on} of use."
    names = tuple(policy.name for policy in principal.caller.identity or ())
    return SILENT, names, f"No policy of it allows {action}."


def _suits(desk: _Desk, principal: Principal, path: EscalationPath, setting: _Setting) -> dict[str, str] | str:
    """The statements that allow each action in this setting; or what is in doubt; "" if it does not suit."""
    groups: dict[str, list[str]] = {}
    for action, on in path.needs:
        groups.setdefault(on, []).append(action)
    found: dict[str, str] = {}
    doubt = ""
    for on, actions in groups.items():
        allowed = _allowed_on_one(desk, principal, path, setting, on, actions)
        if isinstance(allowed, str):
            if not allowed:
                return ""
            doubt = doubt or allowed
        else:
            found |= allowed
    return doubt or found


def _allowed_on_one(
    desk: _Desk, principal: Principal, path: EscalationPath, setting: _Setting, on: str, actions: Sequence[str]
) -> dict[str, str] | str:
    """The statements that allow all these actions on one thing; or what is in doubt; "" if there is none."""
    doubt = ""
    candidates: dict[str, None] = {}
    for action in actions:
        resources = setting.things.get(on, _widest(desk, principal, path, on, action))
        if not resources:
            return ""
        answers = desk.ask(principal.caller, action, resources, _service(action, setting))
        candidates |= dict.fromkeys(answers.allowed)
        doubt = doubt or next(iter(answers.doubts.values()), "")
        if len(actions) > 1:
            candidates |= dict.fromkeys(desk.told_apart(principal.caller, actions, resources))
    for arn in candidates:
        if arn not in setting.without:
            each = {a: desk.ask(principal.caller, a, (arn,), _service(a, setting)).allowed for a in actions}
            if all(each.values()):
                return {action: allowed[arn] for action, allowed in each.items()}
    return doubt


def _service(action: str, setting: _Setting) -> str:
    return setting.service if action == "iam:PassRole" else ""
