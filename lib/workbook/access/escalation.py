"""Privilege escalation: which of the known ways to more permissions are open to whom, decided by the policies.

A path is possible for a principal where AWS would allow it every action that the path needs, on things that suit: the role
that is passed trusts the service, the role that is assumed lets it, all actions on one function are allowed on the same
function. What the other role or function may do is not looked at: any way to it counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from workbook.access.escalation_asking import Desk, Principal, Snapshot
from workbook.access.escalation_paths import EscalationPath, paths, things
from workbook.access.evaluation import action_matches

DENIED, BOUNDARY, SILENT, UNSUITABLE = "denied", "boundary", "no Allow", "nothing suits"
"""What stops a path: a Deny; a boundary that does not allow it; policies that do not; or that nothing it would be allowed
on is of any use.
"""


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
    desk = Desk(inventory)
    return [
        _decided(desk, principal, path)
        for principal in (desk.principals if principals is None else principals)
        for path in paths()
    ]


# ── what an action is about ──


@dataclass(frozen=True)
class _Setting:
    """What the things of a path stand for: ARNs or patterns of them, less the ARNs of `without`."""

    things: Mapping[str, tuple[str, ...]]
    without: frozenset[str] = frozenset()
    service: str = ""
    given: str = ""


def _widest(desk: Desk, principal: Principal, path: EscalationPath, on: str, action: str) -> tuple[str, ...]:
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


def _settings(desk: Desk, principal: Principal, path: EscalationPath) -> Iterator[_Setting]:
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


def _decided(desk: Desk, principal: Principal, path: EscalationPath) -> Escalation:
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
    desk: Desk, principal: Principal, path: EscalationPath, action: str, on: str
) -> tuple[str, tuple[str, ...], str] | None:
    """What stops an action on everything: kind, statements or policies, and a sentence; None if something is allowed."""
    resources = _widest(desk, principal, path, on, action)
    # Where it has none of its own, a Deny or a boundary may stop the action on any, which says more.
    any_of_them = (f"arn:aws:iam::{desk.account.id}:{on.removeprefix('own ')}/*",)
    services: Sequence[str] = path.passes if action == "iam:PassRole" else ("",)
    blocked: dict[str, bool] = {}
    for as_if in ("", "free", "administrator"):
        answers = [desk.ask(principal.caller, action, resources or any_of_them, one, as_if) for one in services]
        blocked[as_if] = not any(one.allowed or one.doubts for one in answers)
        if resources and not blocked[""]:
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
    if not resources:
        return UNSUITABLE, (), f"It has no {on}."
    own = [s for policy in principal.caller.identity or () for s in policy.statements or ()]
    if any(s.allow and action_matches(s, action) for s in own):
        return UNSUITABLE, (), f"It is allowed {action} on no {on} of use."
    names = tuple(policy.name for policy in principal.caller.identity or ())
    return SILENT, names, f"No policy of it allows {action}."


def _suits(desk: Desk, principal: Principal, path: EscalationPath, setting: _Setting) -> dict[str, str] | str:
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
    desk: Desk, principal: Principal, path: EscalationPath, setting: _Setting, on: str, actions: Sequence[str]
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
