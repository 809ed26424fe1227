"""AWS's decision on one request: identity policies, permissions boundary, resource policy, endpoint policy, Block Public
Access. Three-valued: None where what decides was not read or is not modelled.

Source: IAM User Guide, "Policy evaluation logic", "Permissions boundaries for IAM entities" (resource-based policies),
"AWS JSON policy elements: Principal, NotPrincipal"; S3 User Guide, "Blocking public access" (the meaning of public).

Organization policies and session policies are not modelled: they only take away, so "no request is allowed" holds with
them too.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache, partial

from workbook.access.conditions import Ask, Condition, network, split
from workbook.access.patterns import Pattern, glob, joined
from workbook.access.policies import Policy, Statement


@dataclass(frozen=True)
class Caller:
    """Who asks, as far as the evaluation cares.

    Attributes
    ----------
    kind : role, user, root, service, federated or anonymous.
    arn : of the role, user or root; the name of a service or of an identity provider; empty if anonymous. The evaluation asks for
        `aws:PrincipalArn` where `arn` is None: any principal of `account`.
    account : id; empty for services and anonymous callers.
    identity : its identity policies; None if they are not known and assumed to allow everything.
    boundary : its permissions boundary.
    """

    name: str
    kind: str
    arn: str | None
    account: str
    identity: tuple[Policy, ...] | None
    boundary: Policy | None = None

    def with_every_permission(self) -> Caller:
        """The same caller, with own policies that allow everything."""
        return replace(self, identity=None, boundary=None)


@dataclass(frozen=True)
class Target:
    """What is asked for: `arn` may be * for an action without a resource.

    Attributes
    ----------
    account : of the owner.
    policy : the resource's own policy, if it has one.
    needs_policy : whether the resource's policy has to allow it, in the same account too (roles and KMS keys).
    restricted : whether Block Public Access restricts a public bucket to its own account and AWS services; None if
        unknown.
    """

    arn: str
    account: str
    policy: Policy | None = None
    needs_policy: bool = False
    restricted: bool | None = False


@dataclass(frozen=True)
class Outcome:
    """The decision. `layer` and `statement` say what decided; a missing statement means that none allows it."""

    allowed: bool | None
    layer: str
    policy: str = ""
    statement: str = ""

    @property
    def because(self) -> str:
        """One clause: what decided."""
        if self.statement:
            verb = {True: "allows it", False: "denies it", None: "might decide it"}[self.allowed]
            return f"{self.layer} {self.policy} {verb} ({self.statement})"
        if self.allowed is None:
            return f"{self.layer} {self.policy}".strip() + " cannot be told"
        return f"{self.layer} {self.policy}".strip() + " does not allow it"


# How a resource policy names the caller.
NO, ACCOUNT, NAMED, EVERYONE = "no", "account", "named", "everyone"


def evaluate(caller: Caller, action: str, target: Target, endpoint: Policy | None, ask: Ask) -> Outcome:
    """Whether the request is allowed. `endpoint` is the policy of the VPC endpoint it comes through."""
    same = bool(caller.account) and caller.account == target.account
    doubt: Outcome | None = None

    # What could allow it comes first: without an Allow no Deny needs to be looked at.
    granted, by, bypass = _granted(caller, action, target, same, ask)
    if granted is False:
        return by
    if granted is None:
        doubt = by

    # Every other policy that has to allow it.
    for layer, policy, skipped in (
        ("permissions boundary", caller.boundary, bypass is True),
        ("endpoint policy", endpoint, False),
    ):
        if policy is None or skipped:
            continue
        found, statement = _applies(policy, True, caller, action, target, ask, principals=layer == "endpoint policy")
        if found is False and not (bypass is None and layer == "permissions boundary"):
            return Outcome(False, layer, policy.name, _plain_denial(policy, action, target, ask))
        if found is not True:
            doubt = doubt or Outcome(None, layer, policy.name, statement)

    # Denies, the most informative first.
    layers: list[tuple[str, Policy | None, bool]] = [
        ("resource policy", target.policy, True),
        ("permissions boundary", caller.boundary, False),
        *(("identity policy", policy, False) for policy in caller.identity or ()),
        ("endpoint policy", endpoint, True),
    ]
    for layer, policy, principals in layers:
        if policy is None:
            continue
        found, statement = _applies(policy, False, caller, action, target, ask, principals)
        if found is True:
            return Outcome(False, layer, policy.name, statement)
        if found is None:
            doubt = doubt or Outcome(None, layer, policy.name, statement)

    if target.restricted is not False and not same and caller.kind != "service" and target.policy is not None:
        public = is_public(target.policy)
        if public is True and target.restricted is True:
            return Outcome(False, "Block Public Access", target.policy.name)
        if public is not False:
            doubt = doubt or Outcome(None, "Block Public Access", target.policy.name)
    return doubt or by


def _granted(
    caller: Caller, action: str, target: Target, same: bool, ask: Ask
) -> tuple[bool | None, Outcome, bool | None]:
    """Whether identity and resource policies together grant it; what decides; whether the grant passes a boundary by."""
    direct: bool | None = False
    delegated: bool | None = False
    bypass: bool | None = False
    by_resource = Outcome(False, "resource policy", target.policy.name if target.policy else target.arn)
    if target.policy is not None:
        if target.policy.statements is None:
            direct = delegated = bypass = None
            by_resource = Outcome(None, "resource policy", target.policy.name)
        for statement in target.policy.statements or ():
            if not statement.allow or not action_matches(statement, action):
                continue
            how = _named(statement, caller, ask)
            if how == NO:
                continue
            applies = _and(
                _resource_matches(statement, target.arn, ask), partial(_conditions, statement.conditions, ask)
            )
            if how is None:
                applies = None if applies is not False else False
            if applies is False:
                continue
            outcome = Outcome(True if applies else None, "resource policy", target.policy.name, statement.sid)
            if how == ACCOUNT:
                delegated = _or(delegated, applies)
            else:
                if direct is not True:
                    by_resource = outcome
                direct = _or(direct, applies)
                # A boundary does not limit what is granted to everyone, or to a user or a session by its own ARN.
                if how in (EVERYONE, None) or caller.kind == "user":
                    bypass = _or(bypass, applies)
            if direct is True and bypass is True:
                break
    if caller.kind in ("service", "anonymous", "federated"):
        return direct, by_resource, True

    if same and direct is True:
        return True, by_resource, bypass
    identity, by_identity = _identity_allows(caller, action, target, ask)
    if same and not target.needs_policy:
        granted = _or(direct, identity)
        return granted, _deciding(granted, by_identity, by_resource), False if identity is True else bypass
    if same:
        granted = _or(direct, _and(delegated, lambda: identity))
        first = (by_resource, by_identity) if delegated is False else (by_identity, by_resource)
        return granted, _deciding(granted, *first), False
    allowed_there = _or(direct, delegated)
    granted = _and(allowed_there, lambda: identity)
    first = (by_identity, by_resource) if allowed_there is True and direct is False else (by_resource, by_identity)
    return granted, _deciding(granted, *first), False


def _deciding(granted: bool | None, *by: Outcome) -> Outcome:
    """The first of these that says what was decided."""
    return next((one for one in by if one.allowed is granted), replace(by[0], allowed=granted))


def _identity_allows(caller: Caller, action: str, target: Target, ask: Ask) -> tuple[bool | None, Outcome]:
    if caller.identity is None:
        return True, Outcome(True, "identity policy", f"of {caller.name}", "assumed to allow everything")
    doubt: Outcome | None = None
    for policy in caller.identity:
        found, statement = _applies(policy, True, caller, action, target, ask, principals=False)
        if found is True:
            return True, Outcome(True, "identity policy", policy.name, statement)
        if found is None:
            doubt = doubt or Outcome(None, "identity policy", policy.name, statement)
    if doubt:
        return None, doubt
    names = ", ".join(policy.name for policy in caller.identity)
    return False, Outcome(False, "identity policy", names or f"of {caller.name}")


def _applies(
    policy: Policy, allow: bool, caller: Caller, action: str, target: Target, ask: Ask, principals: bool
) -> tuple[bool | None, str]:
    """Whether a statement with this effect applies, and which."""
    if policy.statements is None:
        return None, ""
    doubt = ""
    for statement in policy.statements:
        if statement.allow is not allow or not action_matches(statement, action):
            continue
        applies: bool | None = True
        if principals and statement.principals is not None:
            how = _named(statement, caller, ask)
            applies = None if how is None else how != NO
        if applies is not False:
            known = applies
            applies = _and(
                _resource_matches(statement, target.arn, ask), partial(_conditions, statement.conditions, ask)
            )
            if applies is True and known is None:
                applies = None
        if applies is True:
            return True, statement.sid
        if applies is None:
            doubt = doubt or statement.sid
    return (None, doubt) if doubt else (False, "")


def _plain_denial(policy: Policy, action: str, target: Target, ask: Ask) -> str:
    """The id of a Deny without conditions, which says more than the absence of an Allow; empty if there is none."""
    for statement in policy.statements or ():
        plain = not statement.allow and not statement.conditions
        if plain and action_matches(statement, action) and _resource_matches(statement, target.arn, ask):
            return statement.sid
    return ""


# ── three-valued logic ──


def _and(first: bool | None, rest: Callable[[], bool | None]) -> bool | None:
    if first is False:
        return False
    second = rest()
    return False if second is False else None if None in (first, second) else True


def _or(first: bool | None, second: bool | None) -> bool | None:
    return True if True in (first, second) else None if None in (first, second) else False


# ── elements ──


@lru_cache(maxsize=200_000)
def action_matches(statement: Statement, action: str) -> bool:
    return any(glob(pattern, True).matches(action) for pattern in statement.actions) != statement.not_action


def _resource_matches(statement: Statement, arn: str, ask: Ask) -> bool:
    if statement.resources is None:
        return True  # A trust policy is about its own role.
    found = any(
        pattern is not None and pattern.matches(arn)
        for pattern in (resource_pattern(statement, text, ask) for text in statement.resources)
    )
    return found != statement.not_resource


def resource_pattern(statement: Statement, text: str, ask: Ask | None) -> Pattern | None:
    """The ARNs that one value of Resource stands for; without `ask` a policy variable may stand for anything."""
    if statement.principals is None and text.startswith("arn:") and text.count(":") < 5:
        text += ":*" * (5 - text.count(":"))  # AWS completes a short ARN of an identity policy.
    if statement.variables and "${" in text:
        parts = split(text, ask, wild=True)
        return None if parts is None else joined(parts)
    return glob(text)


def _conditions(conditions: Iterable[Condition], ask: Ask) -> bool | None:
    doubt = False
    for condition in conditions:
        held = condition.holds(ask)
        if held is False:
            return False
        doubt = doubt or held is None
    return None if doubt else True


def _named(statement: Statement, caller: Caller, ask: Ask) -> str | None:
    """How a statement of a resource policy names the caller; None if it cannot be told."""
    found = _names(statement.principals or (), caller, ask)
    if not statement.not_principal:
        return found
    if not statement.allow and caller.boundary is not None:
        return EVERYONE  # AWS: a Deny with NotPrincipal always applies to a principal that has a boundary.
    if found == ACCOUNT and caller.kind != "root":
        return None  # Whether naming the account alone exempts its principals is not documented.
    if found == NAMED and caller.kind == "role" and not statement.allow:
        return None  # AWS asks to name the account and the session as well.
    return EVERYONE if found == NO else NO


def _names(principals: Iterable[tuple[str, str]], caller: Caller, ask: Ask) -> str | None:
    found: str | None = NO
    for kind, value in principals:
        if kind == "AWS" and value == "*":
            return EVERYONE
        if kind == "Service":
            if caller.kind == "service" and caller.arn == value:
                found = NAMED
        elif kind == "Federated":
            if caller.kind == "federated" and caller.arn == value:
                found = NAMED
        elif kind == "AWS":
            if caller.kind in ("service", "anonymous", "federated"):
                continue
            if value in (caller.account, f"arn:aws:iam::{caller.account}:root"):
                found = ACCOUNT if found == NO else found
            elif value.startswith("arn:") and _same(value, caller, ask):
                found = NAMED
            elif (
                ":assumed-role/" in value
                and value.split(":")[4] == caller.account
                and _may_be_session(value, caller, ask)
            ):
                found = None if found == NO else found
        elif kind == "CanonicalUser" and caller.kind not in ("service", "anonymous", "federated"):
            found = None if found == NO else found  # The canonical ids of accounts are not read.
    return found


def _same(arn: str, caller: Caller, ask: Ask) -> bool:
    if caller.arn is not None:
        return arn == caller.arn
    if arn.count(":") < 5 or arn.split(":")[4] != caller.account:
        return False
    return ask("aws:principalarn") == arn


def _may_be_session(arn: str, caller: Caller, ask: Ask) -> bool:
    """Whether the ARN of a role session belongs to the role that asks; which session asks is left open."""
    own = caller.arn if caller.arn is not None else ask("aws:principalarn")
    return isinstance(own, str) and own.rsplit("/", 1)[-1] == arn.split("/")[1]


# ── Block Public Access ──

# S3 counts a statement for everyone as not public where one of these keys has a fixed value.
_FIXED = frozenset({
    "aws:principalorgid", "aws:principalaccount", "aws:sourcevpce", "aws:sourcevpc", "aws:sourceaccount", "aws:sourcearn",
    "aws:principalarn", "aws:sourceowner", "aws:userid", "aws:vpceaccount", "aws:vpceorgid", "aws:principalorgpaths",
    "s3:dataaccesspointaccount", "s3:dataaccesspointarn", "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "aws:principalisawsservice", "aws:principalservicename", "aws:principalservicenameslist",
})  # fmt: skip


def is_public(policy: Policy) -> bool | None:
    """Whether S3 counts a bucket policy as public; None if it was not read."""
    found = public_statements(policy)
    return None if found is None else bool(found)


def public_statements(policy: Policy) -> list[str] | None:
    """The ids of the statements that make a bucket policy public; None if it was not read."""
    if policy.statements is None:
        return None
    return [s.sid for s in policy.statements if s.allow and _is_public(s)]


def _is_public(statement: Statement) -> bool:
    if statement.not_principal:
        return True
    if ("AWS", "*") not in (statement.principals or ()):
        return False
    return not any(_limits(condition) for condition in statement.conditions)


def _limits(condition: Condition) -> bool:
    if condition.negated or condition.if_exists or condition.each == "all":
        return False
    if condition.key == "aws:sourceip" and condition.kind == "ipaddress":
        return all(_narrow(value) for value in condition.values)
    if condition.key == "aws:principalorgpaths":  # One organization, and any part of it.
        return condition.kind == "string" and all(_ORGANIZATION.match(value) for value in condition.values)
    if condition.key not in _FIXED or any("${" in value for value in condition.values):
        return False
    if condition.key == "aws:principalisawsservice" and any(value.lower() != "true" for value in condition.values):
        return False
    if condition.kind == "arn" and condition.key == "aws:principalarn":
        parts = [value.split(":", 5) for value in condition.values]
        return all(len(part) == 6 and part[4] and not set("*?") & set("".join(part[:5])) for part in parts)
    like = condition.compare == "like" or condition.kind == "arn"
    return condition.kind in ("string", "bool", "arn") and not (
        like and any(set("*?") & set(v) for v in condition.values)
    )


_ORGANIZATION = re.compile(r"o-[a-z0-9]+/")


def _narrow(range_: str) -> bool:
    found = network(range_)
    if isinstance(found, ipaddress.IPv6Network):
        return found.prefixlen >= 32
    return found is not None and (found.prefixlen >= 8 or any(found.subnet_of(private) for private in _PRIVATE))


_PRIVATE = tuple(ipaddress.IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
