"""Proofs over all requests: that none of a kind is allowed, or one that is.

`prove` answers for every request of a kind. The answer is PROVEN; REFUTED, with a request that AWS would allow; or CANNOT
TELL, with what is not modelled or was not read. The proof tries one request for every combination of values that the
policies can tell apart (`requests`), so it leaves nothing out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache

from workbook.access.account import Account, Rows
from workbook.access.conditions import Condition, Value
from workbook.access.evaluation import Caller, Outcome, Target, evaluate
from workbook.access.patterns import Pattern, glob
from workbook.access.policies import Policy
from workbook.access.requests import (
    Space,
    actions_like,
    arns_like,
    conditions_from,
    fixed_keys,
    insiders,
    resource_formats,
    strangers,
    universe,
)

MOST_TRIES = 60_000

Where = Mapping[str, Mapping[str, object]]
"""A limit on requests, written as the Condition element of a policy."""

But = Iterable[tuple[Iterable[str], Iterable[str]]]
"""Requests that may be allowed: pairs of actions and of ARNs, both with wildcards."""


TRANSPORT: Mapping[tuple[str, Value], str] = {
    ("aws:securetransport", "true"): "over HTTPS",
    ("aws:securetransport", "false"): "without HTTPS",
}


class Answer(StrEnum):
    """The answer of a proof."""

    PROVEN = "PROVEN"
    REFUTED = "REFUTED"
    CANNOT_TELL = "CANNOT TELL"


@dataclass(frozen=True)
class Found:
    """A request and AWS's decision on it.

    Attributes
    ----------
    context : the condition keys, lower case, that the decision depends on; None where the request lacks the key.
    endpoint : name of the VPC endpoint it comes through.
    """

    caller: Caller
    action: str
    resource: str
    context: Mapping[str, Value]
    outcome: Outcome
    endpoint: str = ""

    def __str__(self) -> str:
        said = [f"through {self.endpoint}"] if self.endpoint else []
        for key, value in self.context.items():
            if key == "aws:sourcevpce" and self.endpoint:
                continue
            if (key, value) in TRANSPORT:
                said.append(TRANSPORT[key, value])
            elif value is None:
                said.append("not through a VPC endpoint" if key == "aws:sourcevpce" else f"without {key}")
            else:
                said.append(f"{key} = {value if isinstance(value, str) else ', '.join(value)}")
        return f"{self.caller.name}: {self.action} on {self.resource}" + (f" ({', '.join(said)})" if said else "")


@dataclass(frozen=True)
class Proof:
    """The answer to an invariant.

    Attributes
    ----------
    found : the request that refutes it, or that could not be decided.
    unknown : what is not modelled or was not read, where the answer is CANNOT TELL.
    tried : number of requests that were decided.
    blocked : what stopped the requests: the deciding statements, with the number of requests each stopped.
    """

    answer: Answer
    found: Found | None = None
    unknown: tuple[str, ...] = ()
    tried: int = 0
    blocked: Mapping[tuple[str, str, str], int] = field(default_factory=dict)

    @property
    def proven(self) -> bool:
        return self.answer is Answer.PROVEN

    @property
    def says(self) -> str:
        """One line: why."""
        if self.answer is Answer.REFUTED and self.found:
            return f"{self.found}: {self.found.outcome.because}"
        if self.answer is Answer.CANNOT_TELL:
            return "; ".join(self.unknown)
        if not self.blocked:
            return "no such request exists"
        return f"denied by {', '.join(self.denied_by)}" if self.denied_by else "no statement allows it"

    @property
    def denied_by(self) -> list[str]:
        """The ids of the statements that deny, the one that stops most requests first."""
        by = sorted(self.blocked, key=lambda key: (-self.blocked[key], key))
        return list(dict.fromkeys(sid for _, _, sid in by if sid))


@dataclass(frozen=True)
class Kind:
    """A kind of requests: what a proof is about, besides callers.

    Attributes
    ----------
    actions : such as s3:GetObject or s3:Get*.
    resources : ARNs, with wildcards for all ARNs they match; None for everything in the account.
    limit : conditions that hold for these requests.
    but : actions and ARNs of requests that are left out.
    alone : if given, this policy alone decides, as the resource's.
    """

    actions: tuple[str, ...]
    resources: tuple[str, ...] | None
    limit: tuple[Condition, ...] = ()
    but: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = ()
    alone: Policy | None = None

    @property
    def but_patterns(self) -> tuple[Pattern, ...]:
        return tuple(glob(arn) for _, arns in self.but for arn in arns)

    def leaves_out(self, action: str, arn: str) -> bool:
        return any(
            any(glob(a, True).matches(action) for a in actions) and any(glob(r).matches(arn) for r in arns)
            for actions, arns in self.but
        )


class Prover:
    """Decides requests to one account."""

    def __init__(self, rows: Rows) -> None:
        self.account = Account(rows)

    # ── what a proof ranges over ──

    def everyone(self, resources: Iterable[str], action: str) -> tuple[Caller, ...]:
        """Everyone who could send a request: the roles and users of the account, any administrator it might have, other
        accounts, AWS services, and anonymous callers.
        """
        statements = [
            s
            for arn in resources
            for policy in [self.account.target(action, _example(arn)).policy]
            if policy
            for s in policy.statements or ()
        ]
        return (*self.account.callers, *insiders(self.account, statements), *strangers(self.account, statements))

    # ── search ──

    def requests(self, callers: Iterable[Caller], kind: Kind, incomplete: set[str]) -> Iterator[Found]:
        """One decided request for each combination that the policies tell apart. `incomplete` collects what kept the
        search from being exhaustive.
        """
        actions = tuple(dict.fromkeys(a for pattern in kind.actions for a in actions_like(pattern)))
        for caller in callers:
            for action in self._classes(caller, actions, kind):
                for within in self._ranges(action, kind.resources):
                    yield from self._search(caller, action, within, kind, incomplete)

    def _ranges(self, action: str, resources: tuple[str, ...] | None) -> tuple[tuple[str, Pattern], ...]:
        """The sets of ARNs to try for an action, each with its pattern. What has a policy of its own is a set of its own."""
        if resources is not None:
            return _universes(action, resources, self.account.id)
        known = self.account.with_policies(action.split(":", 1)[0].lower())
        return (*_universes(action, known, self.account.id), *_universes(action, None, self.account.id))

    def _classes(self, caller: Caller, actions: tuple[str, ...], kind: Kind) -> Iterator[str]:
        """One action of each set of actions that no statement tells apart; of those that nothing can allow, one."""
        silent = ""
        yielded = False
        for service, among in _by_service(actions).items():
            known = kind.resources if kind.resources is not None else self.account.with_policies(service)
            targets = [kind.alone] if kind.alone else [self.account.target(among[0], _example(a)).policy for a in known]
            policies = [p for p in self._policies(caller, targets, among[0], kind) if p]
            if not self._may_be_granted(caller, targets, service, kind):
                if kind.resources is None or _universes(among[0], kind.resources, self.account.id):
                    silent = silent or among[0]
                continue
            patterns = dict.fromkeys(p for actions_, _ in kind.but for p in actions_)
            for policy in policies:
                for statement in policy.statements or ():
                    patterns |= dict.fromkeys(p for p in statement.actions if _of_service(p, service))
            for action in _representatives(among, tuple(patterns), kind.resources, self.account.id):
                yielded = True
                yield action
        if silent and not yielded:
            yield silent

    def _may_be_granted(self, caller: Caller, targets: Iterable[Policy | None], service: str, kind: Kind) -> bool:
        """Whether some Allow might concern the service; without one there is nothing to search."""
        by_resource = any(_allows_service(policy, service) for policy in targets if policy)
        if kind.alone:
            return by_resource
        by_identity = caller.identity is None or any(_allows_service(policy, service) for policy in caller.identity)
        if caller.boundary is not None and not _allows_service(caller.boundary, service):
            by_identity = False
        return by_resource or by_identity

    def _policies(
        self, caller: Caller, of_resource: Iterable[Policy | None], action: str, kind: Kind
    ) -> list[Policy | None]:
        if kind.alone:
            return [kind.alone]
        endpoints = [endpoint.policy for endpoint in self.account.endpoints_for(action)]
        return [*(caller.identity or ()), caller.boundary, *of_resource, *endpoints]

    def _search(
        self, caller: Caller, action: str, within: tuple[str, Pattern], kind: Kind, incomplete: set[str]
    ) -> Iterator[Found]:
        example, pattern = within
        policy = kind.alone or (self.account.target(action, _example(example)).policy if example != "*" else None)
        first = Space(self.account, caller, action, self._policies(caller, [policy], action, kind), kind.limit)
        base = fixed_keys(self.account, caller, action, "", "")
        for arn in first.resources(pattern, base.get, kind.but_patterns):
            if kind.leaves_out(action, arn):
                continue
            target = self.account.target(action, arn) if kind.alone is None else Target(arn, "", kind.alone)
            space = Space(
                self.account, caller, action, self._policies(caller, [target.policy], action, kind), kind.limit
            )
            known = fixed_keys(self.account, caller, action, arn, target.account)
            for context, outcome, endpoint in self._branches(space, target, known, kind):
                yield Found(caller, action, arn, context, outcome, endpoint)
            incomplete |= space.incomplete
        incomplete |= first.incomplete

    def _branches(
        self, space: Space, target: Target, fixed: dict[str, Value], kind: Kind
    ) -> Iterator[tuple[dict[str, Value], Outcome, str]]:
        """Every way the request can be made, as far as the decision depends on it."""
        stack: list[dict[str, Value]] = [{}]
        tries = 0
        while stack:
            chosen = stack.pop()
            known = {**fixed, **chosen}
            try:
                outcome, endpoint = self._decide(space, target, known, kind)
            except _Needed as needed:
                key = space.first(needed.key, known)
                stack += [{**chosen, key: value} for value in reversed(space.values(key, known))]
                continue
            tries += 1
            if tries > MOST_TRIES:
                space.incomplete.add("the conditions combine in too many ways")
                return
            if outcome is not None:
                yield chosen, outcome, endpoint

    def _decide(
        self, space: Space, target: Target, known: Mapping[str, Value], kind: Kind
    ) -> tuple[Outcome | None, str]:
        def ask(key: str) -> Value:
            if key not in known:
                raise _Needed(key)
            return known[key]

        for condition in kind.limit:
            if condition.holds(ask) is False:
                return None, ""
        through = None
        endpoints = self.account.endpoints_for(space.action) if kind.alone is None else ()
        if endpoints and space.caller.kind != "service":
            id = ask("aws:sourcevpce") if _may_pass(space, target) else None
            through = next((e for e in endpoints if e.id == id), None)
        outcome = evaluate(space.caller, space.action, target, through.policy if through else None, ask)
        return outcome, through.name if through else ""

    # ── answers ──

    def prove(
        self,
        actions: Iterable[str],
        resources: Iterable[str] | None,
        callers: Iterable[Caller] | None = None,
        where: Where | None = None,
        but: But = (),
        alone: Policy | None = None,
    ) -> Proof:
        """Whether no request is allowed: by `callers` (by default everyone), with any of `actions`, on any of
        `resources` (patterns; None: anything in the account), where the conditions `where` hold, except those in `but`.

        With `alone`, that policy alone decides, as if the callers were from another account and had every permission
        there.
        """
        kind = Kind(
            tuple(actions),
            tuple(resources) if resources is not None else None,
            conditions_from(where),
            tuple((tuple(a), tuple(r)) for a, r in but),
            alone,
        )
        if callers is None:
            example = next((a for pattern in kind.actions for a in actions_like(pattern)), "s3:GetObject")
            callers = self.everyone(kind.resources or (), example)
        asked = tuple(callers)
        if not asked:  # Nobody was asked, so nothing was proven.
            return Proof(Answer.CANNOT_TELL, unknown=("there is nobody to ask about",))
        return self.account.remembered((asked, kind), lambda: self._prove(asked, kind))

    def _prove(self, callers: Iterable[Caller], kind: Kind) -> Proof:
        incomplete: set[str] = set()
        doubt: Found | None = None
        blocked: dict[tuple[str, str, str], int] = {}
        tried = 0
        for found in self.requests(callers, kind, incomplete):
            tried += 1
            outcome = found.outcome
            if outcome.allowed is True:
                return Proof(Answer.REFUTED, found, tried=tried, blocked=blocked)
            if outcome.allowed is None:
                doubt = doubt or found
            else:
                key = (outcome.layer, outcome.policy, outcome.statement)
                blocked[key] = blocked.get(key, 0) + 1
        unknown = tuple(sorted(incomplete))
        if doubt:
            unknown = (f"{doubt}: {doubt.outcome.because}", *unknown)
        if unknown:
            return Proof(Answer.CANNOT_TELL, doubt, unknown, tried, blocked)
        return Proof(Answer.PROVEN, tried=tried, blocked=blocked)


@lru_cache(maxsize=500)
def _by_service(actions: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for action in actions:
        found.setdefault(action.split(":", 1)[0].lower(), []).append(action)
    return {service: tuple(among) for service, among in found.items()}


@lru_cache(maxsize=5_000)
def _representatives(
    actions: tuple[str, ...], patterns: tuple[str, ...], resources: tuple[str, ...] | None, account: str
) -> tuple[str, ...]:
    """One action for each way in which the patterns tell these apart, and each kind of resource they are about."""
    compiled = [glob(pattern, True) for pattern in patterns]
    found: dict[object, str] = {}
    for action in actions:
        about = tuple(text for text, _ in _universes(action, resources, account))
        if about:
            found.setdefault((about, *(pattern.matches(action) for pattern in compiled)), action)
    return tuple(found.values())


@lru_cache(maxsize=50_000)
def _universes(action: str, resources: tuple[str, ...] | None, account: str) -> tuple[tuple[str, Pattern], ...]:
    formats = [(f, universe(f, account)) for f in resource_formats(action)]
    if resources is None:
        return tuple(formats)
    return tuple(
        (arn, arns_like(arn) if arn != "*" else formats[0][1])
        for arn in resources
        if arn == "*" or any(universe(format, _owner(arn)).matches(_example(arn)) for format, _ in formats)
    )


def _of_service(pattern: str, service: str) -> bool:
    return glob(pattern.split(":", 1)[0], True).matches(service)


def _allows_service(policy: Policy, service: str) -> bool:
    """Whether a policy might allow an action of a service."""
    return policy.statements is None or any(
        s.allow and (s.not_action or any(_of_service(p, service) for p in s.actions)) for s in policy.statements
    )


class _Needed(Exception):
    """The decision depends on a condition key that has no value yet."""

    def __init__(self, key: str) -> None:
        self.key = key


def _may_pass(space: Space, target: Target) -> bool:
    region = space.account.region(target.arn)
    return not region or region == space.account.scope.region


def _example(pattern: str) -> str:
    return pattern.replace("*", "x").replace("?", "x") if pattern != "*" else pattern


def _owner(pattern: str) -> str:
    """The account in an example of a pattern; a resource of another account may be asked for, too."""
    parts = _example(pattern).split(":")
    return parts[4] if len(parts) > 5 else ""
