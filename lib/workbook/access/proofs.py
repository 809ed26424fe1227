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
from workbook.access.policies import Policy, Statement
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
        told = {"aws:securetransport": {"true": "over HTTPS", "false": "without HTTPS"}}
        said = [f"through {self.endpoint}"] if self.endpoint else []
        for key, value in self.context.items():
            if key == "aws:sourcevpce" and self.endpoint:
                continue
            if key in told and isinstance(value, str):
                said.append(told[key][value])
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
        by = sorted(self.blocked, key=lambda key: -self.blocked[key])
        first = next((f"{layer} {policy} ({sid})" for layer, policy, sid in by if sid), "no statement allows it")
        return f"no such request is allowed: {first}" if by else "no such request exists"


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

    def requests(
        self,
        callers: Iterable[Caller],
        actions: Iterable[str],
        resources: Iterable[str] | None,
        where: Where | None = None,
        incomplete: set[str] | None = None,
    ) -> Iterator[Found]:
        """One decided request for each combination that the policies tell apart.

        Parameters
        ----------
        actions : such as s3:GetObject or s3:Get*.
        resources : ARNs, with wildcards for all ARNs they match; None for everything in the account.
        where : only requests for which these conditions hold.
        incomplete : collects what kept the search from being exhaustive.
        """
        limit = conditions_from(where)
        actions = tuple(dict.fromkeys(a for pattern in actions for a in actions_like(pattern)))
        resources = tuple(resources) if resources is not None else None
        for caller in callers:
            for action in self._classes(caller, actions, resources):
                for within in self._universes(action, resources):
                    yield from self._search(
                        caller, action, within, limit, incomplete if incomplete is not None else set()
                    )

    def _universes(self, action: str, resources: tuple[str, ...] | None) -> tuple[tuple[str, Pattern], ...]:
        """The sets of ARNs an action is about, each with its pattern."""
        return _universes(action, resources, self.account.id)

    def _classes(self, caller: Caller, actions: Iterable[str], resources: tuple[str, ...] | None) -> Iterator[str]:
        """One action of each set of actions that no statement tells apart; of those that nothing can allow, one."""
        silent = ""
        yielded = False
        for service, among in _by_service(tuple(actions)).items():
            targets = [self.account.target(among[0], _example(arn)).policy for arn in resources or ()]
            policies = [p for p in self._policies(caller, targets, among[0]) if p]
            if any(p.statements is None for p in policies):
                grants = True
            else:
                grants = caller.identity is None or any(
                    s.allow and _concerns(s, service)
                    for p in (*(caller.identity or ()), *targets)
                    if p
                    for s in p.statements or ()
                )
            if not grants and (resources is None or self._universes(among[0], resources)):
                silent = silent or among[0]
                continue
            patterns = tuple(
                dict.fromkeys(
                    pattern
                    for p in policies
                    for s in p.statements or ()
                    for pattern in s.actions
                    if glob(pattern.split(":", 1)[0], True).matches(service)
                )
            )
            for action in _representatives(among, patterns, resources, self.account.id):
                yielded = True
                yield action
        if silent and not yielded:
            yield silent

    def _policies(self, caller: Caller, of_resource: Iterable[Policy | None], action: str) -> list[Policy | None]:
        return [
            *(caller.identity or ()),
            caller.boundary,
            *of_resource,
            *(endpoint.policy for endpoint in self.account.endpoints_for(action)),
        ]

    def _search(
        self,
        caller: Caller,
        action: str,
        within: tuple[str, Pattern],
        limit: tuple[Condition, ...],
        incomplete: set[str],
    ) -> Iterator[Found]:
        example, pattern = within
        policy = self.account.target(action, _example(example)).policy if example != "*" else None
        first = Space(self.account, caller, action, self._policies(caller, [policy], action), limit)
        base = fixed_keys(self.account, caller, action, "", "")
        for arn in first.resources(pattern, lambda key: base.get(key)):
            target = self.account.target(action, arn)
            space = Space(self.account, caller, action, self._policies(caller, [target.policy], action), limit)
            known = fixed_keys(self.account, caller, action, arn, target.account)
            for context, outcome, endpoint in self._branches(space, target, known, limit):
                yield Found(caller, action, arn, context, outcome, endpoint)
            incomplete |= space.incomplete
        incomplete |= first.incomplete

    def _branches(
        self, space: Space, target: Target, fixed: dict[str, Value], limit: tuple[Condition, ...]
    ) -> Iterator[tuple[dict[str, Value], Outcome, str]]:
        """Every way the request can be made, as far as the decision depends on it."""
        stack: list[dict[str, Value]] = [{}]
        tries = 0
        while stack:
            chosen = stack.pop()
            known = {**fixed, **chosen}
            try:
                outcome, endpoint = self._decide(space, target, known, limit)
            except _Needed as needed:
                values = space.values(needed.key, known)
                stack += [{**chosen, needed.key: value} for value in reversed(values)]
                continue
            tries += 1
            if tries > MOST_TRIES:
                space.incomplete.add("the conditions combine in too many ways")
                return
            if outcome is not None:
                yield chosen, outcome, endpoint

    def _decide(
        self, space: Space, target: Target, known: Mapping[str, Value], limit: tuple[Condition, ...]
    ) -> tuple[Outcome | None, str]:
        def ask(key: str) -> Value:
            if key not in known:
                raise _Needed(key)
            return known[key]

        for condition in limit:
            if condition.holds(ask) is False:
                return None, ""
        through = None
        endpoints = self.account.endpoints_for(space.action)
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
    ) -> Proof:
        """Whether no request is allowed: by `callers` (by default everyone), with any of `actions`, on any of
        `resources` (patterns; None: anything in the account), where the conditions `where` hold.
        """
        actions, resources = tuple(actions), tuple(resources) if resources is not None else None
        if callers is None:
            example = next((a for pattern in actions for a in actions_like(pattern)), "s3:GetObject")
            callers = self.everyone(resources or (), example)
        incomplete: set[str] = set()
        doubt: Found | None = None
        blocked: dict[tuple[str, str, str], int] = {}
        tried = 0
        for found in self.requests(callers, actions, resources, where, incomplete):
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


def _concerns(statement: Statement, service: str) -> bool:
    """Whether a statement may be about actions of a service."""
    return statement.not_action or any(glob(p.split(":", 1)[0], True).matches(service) for p in statement.actions)


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


def some_request(
    rows: Rows, principal: str, action: str, resources: Iterable[str] | None = None
) -> tuple[Found | None, Proof]:
    """A request of one principal with one action that AWS would allow, on any resource, in any circumstances; or None.
    The proof says what stops it.

    `principal` is the name or ARN of a role or user in the inventory.
    """
    prover = Prover(rows)
    caller = next((c for c in prover.account.callers if principal in (c.name, c.arn)), None)
    if caller is None:
        raise KeyError(principal)
    proof = prover.prove([action], resources, [caller])
    return (proof.found if proof.answer is Answer.REFUTED else None), proof
