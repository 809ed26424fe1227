"""The policy engine's own rules: patterns, condition operators, and how policies combine. Examples are AWS's.

What audit/engine_agreement.py leaves out of the comparison with the simulator is here, with the answer AWS documents.
"""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest

from workbook.access.conditions import Value, parse_conditions, telling_values
from workbook.access.evaluation import Caller, Target, evaluate, is_public
from workbook.access.patterns import arn_glob, combinations, glob, literal
from workbook.access.policies import Policy, parse_policy

OWNER, OTHER = "111122223333", "444455556666"
ANN, READER = f"arn:aws:iam::{OWNER}:user/ann", f"arn:aws:iam::{OWNER}:role/reader"
BUCKET, OBJECT = "arn:aws:s3:::data", "arn:aws:s3:::data/a"

# ── patterns ──


@pytest.mark.parametrize(
    "patterns",
    [
        ("a*", "*b"),
        ("a*b", "?b", "b?"),
        ("*a*", "*b*", "a?"),
        ("ab", "a?", "?b", "*"),
        ("**", "a**"),
        ("A", "a"),
        ("x",),
    ],
)
@pytest.mark.parametrize("fold", [False, True])
def test_combinations_are_those_of_brute_force(patterns: tuple[str, ...], fold: bool) -> None:
    """Every combination over all short texts is found, each with a text that produces it, and no other."""
    compiled = tuple(glob(pattern, fold) for pattern in patterns)
    found, complete = combinations(compiled)
    texts = ["".join(c) for n in range(1, 5) for c in itertools.product("abABxz", repeat=n)]
    brute = {tuple(p.matches(text) for p in compiled) for text in texts}
    assert complete
    assert set(found) == brute
    assert all(tuple(p.matches(text) for p in compiled) == vector for vector, text in found.items())


@pytest.mark.parametrize("patterns", [("a*", "*b"), ("b*", "a?*")])
def test_combinations_stay_within_the_universe(patterns: tuple[str, ...]) -> None:
    universe = glob("a*")
    found, _ = combinations(tuple(glob(p) for p in patterns), universe)
    texts = [t for n in range(1, 5) for c in itertools.product("abx", repeat=n) if universe.matches(t := "".join(c))]
    assert set(found) == {tuple(glob(p).matches(t) for p in patterns) for t in texts}
    assert all(universe.matches(text) for text in found.values())


def test_a_pattern_is_a_regular_expression() -> None:
    for pattern, text in itertools.product(
        ["a*c", "?", "a.c", "*", "[a]", "a?*"], ["abc", "a", "a.c", "", "[a]", "ab"]
    ):
        expected = re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), text) is not None
        assert glob(pattern).matches(text) is expected, (pattern, text)
    assert literal("a*").matches("a*")
    assert not literal("a*").matches("ab")
    assert arn_glob("arn:aws:iam::*:role/*").matches(READER)
    assert not arn_glob("arn:aws:*:role/x").matches("arn:aws:iam::1:role/x")  # A wildcard stays in its part.


# ── conditions ──


def holds(
    operator: str, wanted: Any, value: Value, key: str = "aws:x", variables: bool = True, **others: Value
) -> bool | None:
    (condition,) = parse_conditions({operator: {key: wanted}}, variables)
    known = {key.lower(): value, **{name.replace("__", ":"): v for name, v in others.items()}}
    return condition.holds(lambda name: known.get(name))


# Operator, values in the policy, value in the request -> whether it holds.
OPERATORS: list[tuple[str, Any, Value, bool | None]] = [
    ("StringEquals", ["a", "b"], "b", True),
    ("StringEquals", "a*", "ab", False),
    ("stringequals", "a", "a", True),
    ("StringEquals", "A", "a", False),
    ("StringEquals", "a", None, False),
    ("StringEqualsIfExists", "a", None, True),
    ("StringEqualsIgnoreCase", "ABC", "abc", True),
    ("StringNotEquals", ["a", "b"], "b", False),
    ("StringNotEquals", ["a", "b"], "c", True),
    ("StringNotEquals", "a", None, True),
    ("StringNotEqualsIgnoreCase", "A", "a", False),
    ("StringLike", "a*?", "ab", True),
    ("StringLike", "a?", "a", False),
    ("StringNotLike", "a*", "ab", False),
    ("NumericEquals", "10", "10.0", True),
    ("NumericNotEquals", "10", "11", True),
    ("NumericLessThan", "10", "9", True),
    ("NumericLessThanEquals", 10, "10", True),
    ("NumericGreaterThan", "10", "10", False),
    ("NumericGreaterThanEquals", "10", "10", True),
    ("NumericLessThan", "many", "9", None),
    ("DateLessThan", "2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z", True),
    ("DateGreaterThan", "2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z", False),
    ("DateEquals", "2026-01-01T01:00:00+01:00", "2026-01-01T00:00:00Z", True),
    ("DateNotEquals", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", False),
    ("DateLessThanEquals", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", True),
    ("DateGreaterThanEquals", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", True),
    ("DateEquals", "1767225600", "2026-01-01T00:00:00Z", True),  # Seconds since 1970.
    ("Bool", "true", "true", True),
    ("Bool", "TRUE", "true", True),
    ("Bool", True, "false", False),
    ("Bool", "false", None, False),
    ("BoolIfExists", "false", None, True),
    ("Bool", "yes", "true", None),
    ("BinaryEquals", "QmluYXJ5", "QmluYXJ5", True),
    ("BinaryEquals", "QmluYXJ5", "qmluyxj5", False),
    ("IpAddress", "203.0.113.0/24", "203.0.113.9", True),
    ("IpAddress", "2001:DB8:1234:5678::/64", "2001:db8:1234:5678::9", True),
    ("IpAddress", "203.0.113.9", "203.0.113.9", True),
    ("IpAddress", "0.0.0.0/0", "203.0.113.9", True),
    ("IpAddress", "0.0.0.0/0", "2001:db8::1", False),
    ("IpAddress", "2001:db8::1", "2001:0db8:0:0::1", True),
    ("NotIpAddress", "203.0.113.9", "2001:db8::1", True),
    ("NotIpAddress", ["10.0.0.0/8", "203.0.113.0/24"], "203.0.113.9", False),
    ("NotIpAddress", "10.0.0.0/8", None, True),
    ("IpAddress", "here", "10.0.0.1", None),
    ("ArnEquals", "arn:aws:iam::*:role/*", READER, True),  # Equals and Like are the same for ARNs.
    ("ArnLike", "arn:aws:*:role/reader", READER, None),  # Five parts are no ARN.
    ("ArnLike", "arn:aws:iam::*:user/*", READER, False),
    ("ArnNotLike", "arn:aws:iam::*:user/*", READER, True),
    ("ArnNotEquals", "arn:aws:iam::*:role/*", READER, False),
    ("ArnNotEquals", "AROAEXAMPLE", READER, None),  # AWS does not say what an id does here.
    ("Null", "true", None, True),
    ("Null", "true", "a", False),
    ("Null", False, "a", True),
    ("ForAnyValue:StringEquals", ["a", "b"], ("b", "c"), True),
    ("ForAnyValue:StringEquals", "a", ("b", "c"), False),
    ("ForAnyValue:StringEquals", "a", None, False),
    ("ForAnyValue:StringEqualsIfExists", "a", None, None),  # AWS documents both answers.
    ("ForAllValues:StringEquals", ["a", "b"], ("a", "b"), True),
    ("ForAllValues:StringEquals", ["a", "b"], ("a", "c"), False),
    ("ForAllValues:StringEquals", "a", None, True),
    ("ForAllValues:StringLike", "a*", ("ab", "ac"), True),
    ("ForAllValues:StringNotEquals", "a", ("b", "c"), True),
    ("ForAnyValue:StringNotEquals", "a", ("a",), False),
    ("StringEquals", "a", ("a", "b"), False),  # Several values need one of the two.
    ("StringAlmostEquals", "a", "a", None),
]


@pytest.mark.parametrize(("operator", "wanted", "value", "expected"), OPERATORS)
def test_a_condition_operator(operator: str, wanted: Any, value: Value, expected: bool | None) -> None:
    assert holds(operator, wanted, value) is expected


@pytest.mark.parametrize(
    ("operator", "wanted", "value", "expected"),
    [
        ("StringEquals", "${aws:username}", "ann", True),
        ("StringLike", "${aws:username}*", "ann-1", True),
        ("StringLike", "${aws:userid}", "a", False),  # No value: nothing is equal to it …
        ("StringNotLike", "${aws:userid}", "a", True),  # … so the inverted operator holds.
        ("StringEquals", "${aws:userid, 'a'}", "a", True),
        ("StringEquals", "a${*}", "a*", True),
        ("StringEquals", "a${*}", "a${*}", False),
        ("StringLike", "a${*}", "ab", False),
        ("StringLike", "a${?}${$}", "a?$", True),
        ("ArnLike", "arn:aws:iam::${aws:principalaccount}:user/${aws:username}", ANN, True),
        ("NumericEquals", "${aws:epochtime}", "1", None),  # Variables are for texts and ARNs.
    ],
)
def test_a_policy_variable(operator: str, wanted: str, value: str, expected: bool | None) -> None:
    context = {"aws__username": "ann", "aws__principalaccount": OWNER, "aws__epochtime": "1"}
    assert holds(operator, wanted, value, **context) is expected


def test_a_value_of_a_variable_has_no_wildcards() -> None:
    assert holds("StringLike", "${aws:username}", "ann", aws__username="*") is False


def test_before_2012_a_variable_is_plain_text() -> None:
    assert holds("StringEquals", "${aws:username}", "${aws:username}", variables=False, aws__username="ann") is True
    assert holds("StringEquals", "${aws:username}", "ann", variables=False, aws__username="ann") is False


@pytest.mark.parametrize(
    "block",
    [
        {"StringLike": {"aws:x": ["a*", "*b"]}},
        {"NumericLessThan": {"aws:x": "10"}, "NumericGreaterThanEquals": {"aws:x": "3"}},
        {"IpAddress": {"aws:x": "10.0.0.0/8"}, "NotIpAddress": {"aws:x": ["10.1.0.0/16", "2001:db8::/32"]}},
        {"DateLessThan": {"aws:x": "2026-01-01T00:00:00Z"}},
        {"ArnLike": {"aws:x": ["arn:aws:iam::*:role/*", "arn:aws:iam::*:*"]}},
    ],
)
def test_telling_values_are_one_of_each_kind(block: dict[str, Any]) -> None:
    """No two of the values that matter are missed: with values of our own, no new combination of answers appears."""
    conditions = parse_conditions(block, True)
    values, complete = telling_values(conditions, lambda key: None)

    def answers(value: str) -> tuple[bool | None, ...]:
        return tuple(condition.holds(lambda key: value) for condition in conditions)

    mine = [
        "a",
        "ab",
        "b",
        "x",
        "3",
        "2.9",
        "9.99",
        "10",
        "10.0.0.1",
        "10.1.2.3",
        "11.0.0.1",
        "2001:db8::1",
        "2001:db9::1",
    ]
    mine += ["2025-12-31T00:00:00Z", "2026-01-01T00:00:00Z", READER, ANN]
    kinds = {"StringLike": mine, "ArnLike": mine[-2:], "DateLessThan": mine[-4:-2], "IpAddress": mine[8:13]}
    assert complete
    assert {answers(v) for v in kinds.get(next(iter(block)), mine[4:8])} <= {answers(v) for v in values}


# ── evaluation ──

ALLOW = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
USER = Caller("ann", "user", ANN, OWNER, ())
ROLE = Caller("reader", "role", READER, OWNER, ())
STRANGER = Caller("stranger", "role", f"arn:aws:iam::{OTHER}:role/reader", OTHER, ())
ANYONE = Caller("anyone", "anonymous", "", "", ())
SERVICE = Caller("logs", "service", "logging.s3.amazonaws.com", "", ())
ROOT = Caller("root", "root", f"arn:aws:iam::{OWNER}:root", OWNER, ())


def policy(*statements: dict[str, Any], version: str = "2012-10-17") -> Policy:
    return parse_policy("p", {"Version": version, "Statement": list(statements)})


def who(caller: Caller, *identity: dict[str, Any], boundary: dict[str, Any] | None = None) -> Caller:
    bound = policy(boundary) if boundary else None
    return Caller(caller.name, caller.kind, caller.arn, caller.account, (policy(*identity),) if identity else (), bound)


def named(principal: Any, effect: str = "Allow", element: str = "Principal", **more: Any) -> dict[str, Any]:
    return {"Effect": effect, element: principal, "Action": "s3:*", "Resource": "*", **more}


def decided(
    caller: Caller,
    *bucket: dict[str, Any],
    action: str = "s3:GetObject",
    endpoint: dict[str, Any] | None = None,
    **target: Any,
) -> bool | None:
    own = policy(*bucket) if bucket else None
    found = evaluate(
        caller,
        action,
        Target(**{"arn": OBJECT, "account": OWNER, "policy": own, **target}),
        policy(endpoint) if endpoint else None,
        {"aws:principalarn": caller.arn or None}.get,
    )
    assert found.because
    return found.allowed


OTHERS = {"Effect": "Allow", "Action": "ecr:*", "Resource": "*"}
ORG = {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}
EXEMPT = {"ArnNotEquals": {"aws:PrincipalArn": READER}}
RULES: dict[str, tuple[bool | None, bool | None]] = {
    # Same account: either side is enough, a Deny of either side decides.
    "nothing allows": (decided(ROLE), False),
    "identity": (decided(who(ROLE, ALLOW)), True),
    "bucket policy alone": (decided(ROLE, named({"AWS": READER})), True),
    "bucket policy names the account only": (decided(ROLE, named({"AWS": OWNER})), False),
    "account named, identity allows": (decided(who(ROLE, ALLOW), named({"AWS": OWNER})), True),
    "bucket policy denies": (decided(who(ROLE, ALLOW), named("*", "Deny")), False),
    "bucket policy denies the account": (decided(who(ROLE, ALLOW), named({"AWS": OWNER}, "Deny")), False),
    "bucket policy denies all but": (decided(who(ROLE, ALLOW), named("*", "Deny", Condition=EXEMPT)), True),
    "another is denied": (decided(who(ROLE, ALLOW), named({"AWS": ANN}, "Deny")), True),
    # A boundary limits identity policies and what a role is granted by name; a user by name and everyone pass it.
    "boundary without the action": (decided(who(ROLE, ALLOW, boundary=OTHERS)), False),
    "boundary, role by name": (decided(who(ROLE, boundary=OTHERS), named({"AWS": READER})), False),
    "boundary, user by name": (decided(who(USER, boundary=OTHERS), named({"AWS": ANN})), True),
    "boundary, everyone": (decided(who(ROLE, boundary=OTHERS), named("*")), True),
    "boundary denies, everyone": (decided(who(ROLE, boundary={**ALLOW, "Effect": "Deny"}), named("*")), False),
    "boundary, NotPrincipal": (
        decided(who(USER, ALLOW, boundary=ALLOW), named({"AWS": ANN}, "Deny", "NotPrincipal")),
        False,
    ),
    # Cross account: both sides.
    "stranger, bucket policy only": (decided(STRANGER, named({"AWS": OTHER})), False),
    "stranger, identity only": (decided(who(STRANGER, ALLOW)), False),
    "stranger, both": (decided(who(STRANGER, ALLOW), named({"AWS": OTHER})), True),
    "stranger, both, boundary": (decided(who(STRANGER, ALLOW, boundary=OTHERS), named("*")), False),
    # NotPrincipal.
    "named in NotPrincipal": (decided(who(USER, ALLOW), named({"AWS": ANN}, "Deny", "NotPrincipal")), True),
    "not in NotPrincipal": (decided(who(USER, ALLOW), named({"AWS": READER}, "Deny", "NotPrincipal")), False),
    "role in NotPrincipal": (decided(who(ROLE, ALLOW), named({"AWS": READER}, "Deny", "NotPrincipal")), None),
    "account in NotPrincipal": (decided(who(USER, ALLOW), named({"AWS": OWNER}, "Deny", "NotPrincipal")), None),
    "root in NotPrincipal": (decided(who(ROOT, ALLOW), named({"AWS": OWNER}, "Deny", "NotPrincipal")), True),
    # Services and anonymous callers have no policies of their own.
    "service": (decided(SERVICE, named({"Service": "logging.s3.amazonaws.com"})), True),
    "other service": (decided(SERVICE, named({"Service": "s3.amazonaws.com"})), False),
    "service, everyone": (decided(SERVICE, named("*")), True),
    "anonymous": (decided(ANYONE, named({"AWS": "*"})), True),
    "anonymous, account": (decided(ANYONE, named({"AWS": OWNER})), False),
    # Block Public Access: a public policy is for the account and services only.
    "public, restricted": (decided(ANYONE, named("*"), restricted=True), False),
    "public, stranger": (decided(who(STRANGER, ALLOW), named("*"), restricted=True), False),
    "public, own account": (decided(ROLE, named("*"), restricted=True), True),
    "public, service": (decided(SERVICE, named("*"), restricted=True), True),
    "public elsewhere in the policy": (
        decided(who(STRANGER, ALLOW), named({"AWS": OTHER}), named("*"), restricted=True),
        False,
    ),
    "not public": (decided(who(STRANGER, ALLOW), named({"AWS": OTHER}), restricted=True), True),
    "not known whether restricted": (decided(ANYONE, named("*"), restricted=None), None),
    # Endpoint policies.
    "endpoint allows others": (decided(who(ROLE, ALLOW), endpoint=named("*", Action="s3:PutObject")), False),
    "endpoint allows": (decided(who(ROLE, ALLOW), endpoint=named("*")), True),
    "endpoint allows another": (decided(who(ROLE, ALLOW), endpoint=named({"AWS": ANN})), False),
    "endpoint denies": (decided(who(ROLE, ALLOW), endpoint=named("*", "Deny")), False),
    # Elements.
    "case of the action": (decided(who(ROLE, {**ALLOW, "Action": "S3:getobject"})), True),
    "case of the resource": (decided(who(ROLE, {**ALLOW, "Resource": "arn:aws:s3:::DATA/a"})), False),
    "NotAction": (decided(who(ROLE, {"Effect": "Allow", "NotAction": "s3:Put*", "Resource": "*"})), True),
    "NotResource": (decided(who(ROLE, {"Effect": "Allow", "Action": "*", "NotResource": f"{BUCKET}/*"})), False),
    "short ARN": (decided(who(ROLE, {**ALLOW, "Resource": "arn:aws:s3"})), True),
    "short ARN in NotResource": (decided(who(ROLE, {"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3"})), False),
    "bucket is no object": (decided(who(ROLE, {**ALLOW, "Resource": BUCKET})), False),
    # What was not read.
    "bucket policy not read": (decided(who(ROLE, ALLOW), policy=Policy("data", None)), None),
    "bucket policy not read, nothing else allows": (decided(who(STRANGER, OTHERS), policy=Policy("data", None)), False),
    "boundary denies what was not read": (
        decided(who(ROLE, ALLOW, boundary={**ALLOW, "Effect": "Deny"}), policy=Policy("data", None)),
        False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_of_evaluation(rule: str) -> None:
    found, expected = RULES[rule]
    assert found is expected


@pytest.mark.parametrize(
    ("caller", "trusted", "expected"),
    [
        (who(ROLE, {**ALLOW, "Action": "sts:*"}), {"AWS": f"arn:aws:iam::{OWNER}:root"}, True),
        (ROLE, {"AWS": f"arn:aws:iam::{OWNER}:root"}, False),
        (ROLE, {"AWS": READER}, True),
        (who(ROLE, {**ALLOW, "Action": "*"}), {"Service": "ecs-tasks.amazonaws.com"}, False),
        (who(STRANGER, {**ALLOW, "Action": "*"}), {"AWS": OTHER}, True),
        (STRANGER, {"AWS": OTHER}, False),
    ],
)
def test_a_trust_policy_has_to_allow_it_in_the_same_account_too(caller: Caller, trusted: Any, expected: bool) -> None:
    trust = policy({"Effect": "Allow", "Principal": trusted, "Action": "sts:AssumeRole"})
    target = Target(f"arn:aws:iam::{OWNER}:role/task", OWNER, trust, needs_policy=True)
    assert evaluate(caller, "sts:AssumeRole", target, None, lambda key: None).allowed is expected


@pytest.mark.parametrize(
    ("principal", "condition", "public"),
    [
        ("*", {}, True),
        ({"AWS": OTHER}, {}, False),
        ({"AWS": ["*", OTHER]}, {}, True),
        ("*", ORG, False),
        ("*", {"StringEqualsIfExists": ORG["StringEquals"]}, True),
        ("*", {"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}, True),
        ("*", {"StringEquals": {"aws:SourceVpce": "vpce-1"}}, False),
        ("*", {"StringLike": {"aws:SourceVpce": "vpce-*"}}, True),
        ("*", {"StringEquals": {"aws:SourceAccount": "${aws:PrincipalAccount}"}}, True),
        ("*", {"StringEquals": {"aws:PrincipalTag/team": "blue"}}, True),
        ("*", {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::logs"}}, False),
        ("*", {"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{OWNER}:role/*"}}, False),
        ("*", {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/*"}}, True),
        ("*", {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}, False),
        ("*", {"IpAddress": {"aws:SourceIp": "203.0.113.9"}}, False),
        ("*", {"IpAddress": {"aws:SourceIp": "0.0.0.0/1"}}, True),
        ("*", {"IpAddress": {"aws:SourceIp": "240.0.0.0/4"}}, True),  # Reserved is not private.
        ("*", {"IpAddress": {"aws:SourceIp": "2000::/3"}}, True),
        ("*", {"Bool": {"aws:PrincipalIsAWSService": "true"}}, False),
        ("*", {"Bool": {"aws:PrincipalIsAWSService": "false"}}, True),
    ],
)
def test_what_counts_as_public(principal: Any, condition: dict[str, Any], public: bool) -> None:
    assert is_public(policy(named(principal, **({"Condition": condition} if condition else {})))) is public
