"""Random policies and requests, from a seed. The alphabets are small, so that allowing and denying are both frequent.

Everything is plain JSON, which both the engine and the simulator read, and which a failing case can be cut down from.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

OWNER, OTHER = "111122223333", "444455556666"
ARRAYS = frozenset({"aws:tagkeys", "aws:principalorgpaths"})
"""The keys below that have several values."""

Document = dict[str, Any]
Statement = dict[str, Any]


@dataclass(frozen=True)
class Question:
    """A request and every policy that has a say in it.

    Attributes
    ----------
    kind : of the caller: role, user, root, service or anonymous.
    caller : ARN, name of a service, or empty.
    owner : account of the resource.
    context : condition keys, in lower case; a list where a key has several values.
    """

    kind: str
    caller: str
    action: str
    resource: str
    owner: str
    identity: tuple[Document, ...] = ()
    boundary: Document | None = None
    resource_policy: Document | None = None
    endpoint: Document | None = None
    restricted: bool = False
    context: dict[str, str | list[str]] = field(default_factory=dict)

    @property
    def account(self) -> str:
        return self.caller.split(":")[4] if self.caller.startswith("arn:") else ""

    @property
    def documents(self) -> list[Document]:
        return [d for d in (*self.identity, self.boundary, self.resource_policy, self.endpoint) if d]

    @property
    def statements(self) -> list[tuple[Document, Statement]]:
        return [(document, statement) for document in self.documents for statement in document["Statement"]]


# Action -> resources it can be about.
OBJECTS = [f"arn:aws:s3:::{name}" for name in ("data/a", "data/blue/a", "logs/a")]
REPOSITORY, ROLE = f"arn:aws:ecr:us-east-1:{OWNER}:repository/app", f"arn:aws:iam::{OWNER}:role/task"
ACTIONS: dict[str, list[str]] = {
    **dict.fromkeys(("s3:GetObject", "s3:PutObject", "s3:DeleteObject"), OBJECTS),
    "s3:ListBucket": ["arn:aws:s3:::data", "arn:aws:s3:::logs"],
    "ecr:BatchGetImage": [REPOSITORY],
    "ecr:GetAuthorizationToken": ["*"],
    "sts:AssumeRole": [ROLE],
    "iam:GetRole": [ROLE],
}
ACTION_PATTERNS = {
    "s3": ["s3:GetObject", "S3:getobject", "s3:Get*", "s3:*", "*", "s3:?etObject", "s3:*Object", "s3:*t*", "s3:ListBucket"],
    "ecr": ["ecr:*", "ECR:BatchGetImage", "ecr:Get*", "*", "ecr:*Image"],
    "sts": ["sts:AssumeRole", "STS:assumerole", "sts:*", "*", "sts:Assume????"],
    "iam": ["iam:Get*", "iam:*", "*", "iam:PassRole", "iam:*Role"],
}  # fmt: skip
RESOURCE_PATTERNS = {
    "s3": [
        "*", "arn:aws:s3:::data", "arn:aws:s3:::data/*", "arn:aws:s3:::d?ta/*", "arn:aws:s3:::*/a", "arn:aws:s3:::*a*",
        "arn:aws:s3:::data/${aws:PrincipalTag/team}/*", "arn:aws:s3:::data/${aws:PrincipalTag/team, 'blue'}/?",
        "arn:aws:s3:::data/${*}", "arn:aws:s3:::data*", "arn:aws:s3:::logs/*", "arn:aws:s3", "arn:*", "arn:aws:s3:::DATA/*",
    ],
    "ecr": ["*", REPOSITORY, f"arn:aws:ecr:*:{OWNER}:repository/*", "arn:aws:ecr:us-east-?:*:repository/ap?", "arn:aws:ecr:*"],
    "sts": ["*", ROLE, f"arn:aws:iam::{OWNER}:role/*", "arn:aws:iam::*:role/t?sk", f"arn:aws:iam::{OTHER}:role/*"],
}  # fmt: skip
RESOURCE_PATTERNS["iam"] = RESOURCE_PATTERNS["sts"]

PEOPLE = [f"arn:aws:iam::{account}:{who}" for account in (OWNER, OTHER) for who in ("role/reader", "user/ann")]
SERVICES = ["logging.s3.amazonaws.com", "ecs-tasks.amazonaws.com"]
ROOT = f"arn:aws:iam::{OWNER}:root"

# Condition key -> values it can have in a request; texts that a policy compares it with.
TEXTS = {
    "aws:PrincipalTag/team": (["blue", "red", "Blue"], ["blue", "b*", "*", "?lue", "red", "BLUE", "${aws:username}", "b${*}", "b*e"]),
    "aws:username": (["ann", "blue", "b*"], ["ann", "a*", "${aws:PrincipalTag/team}", "${aws:PrincipalTag/team, 'ann'}", "b${*}"]),
    "aws:SourceVpce": (["vpce-1", "vpce-2"], ["vpce-1", "vpce-*", "vpce-?", "vpce-3"]),
    "aws:PrincipalOrgID": (["o-1", "o-2"], ["o-1", "o-*", "o-2"]),
    "aws:SourceAccount": ([OWNER, OTHER], [OWNER, OTHER, "${aws:PrincipalAccount}", "1*"]),
    "aws:PrincipalAccount": ([OWNER, OTHER], [OWNER, OTHER, "4444*"]),
    "aws:TagKeys": (["team", "cost"], ["team", "t*", "cost", "*", "TEAM"]),
    "aws:PrincipalOrgPaths": (["o-1/r/a/", "o-1/r/b/"], ["o-1/r/a/", "o-1/*", "o-2/*"]),
}  # fmt: skip
ARNS = {
    "aws:PrincipalArn": (PEOPLE, [PEOPLE[0], "arn:aws:iam::*:role/*", f"arn:aws:iam::{OWNER}:*", "arn:aws:iam::*:user/a??",
                                  f"arn:aws:iam::{OTHER}:*/*", "arn:*:iam::*:*", "arn:aws:iam::${aws:PrincipalAccount}:role/*", "AROA1"]),
    "aws:SourceArn": (["arn:aws:s3:::logs", f"arn:aws:sns:us-east-1:{OTHER}:topic"], ["arn:aws:s3:::logs", "arn:aws:s3:::*", "arn:aws:*:*:*:topic",
                       "arn:aws:s3:::${aws:PrincipalTag/team}", f"arn:aws:sns:us-*:{OTHER}:*", "arn:aws:sns:*"]),
}  # fmt: skip
NUMBERS = (["0", "10", "10.5", "300"], ["10", "10.0", "11", "-1", "300", "many"])
TIMES = (
    ["2026-01-01T00:00:00Z", "2026-06-01T12:00:00Z"],
    ["2026-01-01T00:00:00Z", "2026-03-01T00:00:00Z", "2025-12-31T23:00:00-01:00", "2026-06-02T00:00:00Z", "1767225600"],
)
ADDRESSES = (
    ["10.0.0.7", "10.1.0.7", "203.0.113.9", "2001:db8::1", "2001:db8:1::9"],
    ["10.0.0.0/16", "10.0.0.0/8", "203.0.113.9", "203.0.113.0/24", "2001:db8::/48", "2001:db8::/32", "0.0.0.0/0", "0.0.0.0/1", "10.0.0.7/32"],
)  # fmt: skip
BOOLEANS = (["true", "false"], ["true", "false", "True", "FALSE", "yes"])
BINARY = (["QmluYXJ5", "AA=="], ["QmluYXJ5", "qmluyxj5"])

_ORDERS = ["Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals"]
_STRING = [
    f"String{rest}" for rest in ("Equals", "NotEquals", "EqualsIgnoreCase", "NotEqualsIgnoreCase", "Like", "NotLike")
]
_ARN = ["ArnLike", "ArnEquals", "ArnNotLike", "ArnNotEquals"]
# Key -> (values in a request, values in a policy, operators).
KEYS: dict[str, tuple[list[str], list[str], list[str]]] = {
    **{key: (*values, _STRING) for key, values in TEXTS.items()},
    **{key: (*values, [*_ARN, "StringLike", "StringNotLike", "StringEquals"]) for key, values in ARNS.items()},
    "aws:MultiFactorAuthAge": (*NUMBERS, [f"Numeric{rest}" for rest in _ORDERS]),
    "aws:CurrentTime": (*TIMES, [f"Date{rest}" for rest in _ORDERS]),
    "aws:SourceIp": (*ADDRESSES, ["IpAddress", "NotIpAddress"]),
    "aws:SecureTransport": (*BOOLEANS, ["Bool"]),
    "aws:PrincipalTag/blob": (*BINARY, ["BinaryEquals"]),
}


class Maker:
    """Makes questions, one after the other, from a seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def questions(self, count: int) -> list[Question]:
        return [self.question() for _ in range(count)]

    def question(self) -> Question:
        action = self._one(list(ACTIONS))
        service = action.split(":")[0]
        kind = self._weighted({"role": 8, "user": 6, "service": 2, "anonymous": 2, "root": 1})
        identity: tuple[Document, ...] = ()
        boundary = None
        if kind == "root":
            identity = ({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]},)
        elif kind in ("role", "user"):
            identity = tuple(
                self.document(service, "identity", generous=self._chance(0.55))
                for _ in range(self._one([0, 1, 1, 1, 2]))
            )
            boundary = self.document(service, "identity", generous=True) if self._chance(0.35) else None
        caller = {
            "root": ROOT,
            "service": self._one(SERVICES),
            "anonymous": "",
            "role": self._one([p for p in PEOPLE if ":role/" in p]),
            "user": self._one([p for p in PEOPLE if ":user/" in p]),
        }[kind]
        own = service in ("s3", "ecr") and self._chance(0.65) and action != "ecr:GetAuthorizationToken"
        return Question(
            kind,
            caller,
            self._case(action),
            self._one(ACTIONS[action]),
            OWNER,
            identity,
            boundary,
            self.document(service, "trust" if service == "sts" else "resource") if own or service == "sts" else None,
            self.document(service, "endpoint", generous=True) if self._chance(0.2) and kind != "service" else None,
            service == "s3" and self._chance(0.4),
            self._context(kind, caller),
        )

    def _context(self, kind: str, caller: str) -> dict[str, str | list[str]]:
        found: dict[str, str | list[str]] = {}
        for key, (values, _, _) in KEYS.items():
            if self._chance(0.35):
                continue
            if key.lower() in ARRAYS:
                found[key.lower()] = self.random.sample(values, self._one([1, 2]))
            else:
                found[key.lower()] = self._one(values)
        if kind in ("role", "user", "root"):
            found |= {"aws:principalarn": caller, "aws:principalaccount": caller.split(":")[4]}
        else:
            found.pop("aws:principalarn", None)
        return found

    # ── policies ──

    def document(self, service: str, place: str, generous: bool = False) -> Document:
        version = self._weighted({"2012-10-17": 12, "2008-10-17": 1, "": 1})
        count = self._one([1, 1, 2, 2, 3])
        statements = [self._statement(service, place, generous and number == 0) for number in range(count)]
        return {**({"Version": version} if version else {}), "Statement": statements}

    def _statement(self, service: str, place: str, generous: bool) -> Statement:
        deny = not generous and self._chance(0.28)
        made: Statement = {"Effect": "Deny" if deny else "Allow"}
        if place in ("resource", "trust"):
            inverted = deny and place == "resource" and self._chance(0.25)
            made["NotPrincipal" if inverted else "Principal"] = self._principal(inverted)
        elif place == "endpoint":
            made["Principal"] = "*"
        wide = generous and self._chance(0.7)
        made["NotAction" if not wide and self._chance(0.12) else "Action"] = (
            "*" if wide else self._some(ACTION_PATTERNS[service])
        )
        if place != "trust":
            patterns = RESOURCE_PATTERNS[service]
            if not wide and self._chance(0.12):
                made["NotResource"] = self._some([p for p in patterns if "," not in p])
            else:
                made["Resource"] = "*" if wide else self._some(patterns)
        if self._chance(0.15 if wide else 0.5):
            made["Condition"] = self._condition()
        return made

    def _principal(self, inverted: bool) -> Any:
        choices: list[Any] = [
            *({"AWS": who} for who in PEOPLE),
            *({"AWS": root} for root in (ROOT, OWNER, f"arn:aws:iam::{OTHER}:root")),
            {"Service": self._one(SERVICES)},
            {"AWS": self.random.sample(PEOPLE, 2), "Service": SERVICES},
        ]
        return self._one(choices if inverted else [*choices, "*", {"AWS": "*"}, "*", {"AWS": ["*", PEOPLE[0]]}])

    def _condition(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for _ in range(self._one([1, 1, 1, 2])):
            key = self._one(list(KEYS))
            _, values, operators = KEYS[key]
            several = key.lower() in ARRAYS
            if self._chance(0.1):
                operator, wanted = "Null", self._one(["true", "false"])
            else:
                operator, wanted = self._one(operators), self._some(values)
                if self._chance(0.2):
                    operator += "IfExists"
                if self._chance(0.8 if several else 0.08):
                    operator = self._one(["ForAnyValue:", "ForAllValues:"]) + operator
            found.setdefault(self._case(operator, 0.05), {})[self._case(key, 0.1)] = wanted
        return found

    # ── chance ──

    def _one(self, choices: Sequence[Any]) -> Any:
        return self.random.choice(choices)

    def _some(self, choices: Sequence[str]) -> Any:
        """One of them, or a list of up to three."""
        count = self._one([0, 0, 1, 2, 3])
        return self.random.sample(choices, min(count, len(choices))) if count else self._one(choices)

    def _chance(self, likely: float) -> bool:
        return self.random.random() < likely

    def _weighted(self, weights: dict[str, int]) -> str:
        return self.random.choices(list(weights), list(weights.values()))[0]

    def _case(self, text: str, likely: float = 0.1) -> str:
        return self._one([text.lower(), text.upper()]) if self._chance(likely) else text
