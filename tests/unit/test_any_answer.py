"""Readers survive any answer that AWS's service model allows.

The answers are built from botocore's output shapes, for every operation that the readers call: optional members missing,
lists empty, enumerations at any of their values, texts empty, pagination tokens repeated. What leads the readers on (names
of the environment, ids that other answers refer to) is filled in, so that they get far.
"""

from __future__ import annotations

import functools
import json
import random
import zlib
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.model import ListShape, MapShape, Shape, StructureShape
from unit.test_inventory_reading import SCOPE, Factory

from workbook.claims import Verdict, judge
from workbook.inventory import TABLES, Inventory, read_inventory

ACCOUNT = "123456789012"
STATEMENT = {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*"}
POLICIES = [
    json.dumps({"Version": "2012-10-17", "Statement": [STATEMENT]}),
    json.dumps({"Statement": STATEMENT}),
    "{}",
    "no",
]
RULES = [json.dumps({"rules": [{"rulePriority": 1, "selection": {"tagStatus": "any"}}]}), '{"rules": [{}]}', "{}", "no"]
NAMES = ("Name", "RoleName", "LoadBalancerName", "TargetGroupName", "clusterName", "serviceName", "repositoryName")
# How much is missing: nothing, something, nearly everything.
SHARES = (0.0, 0.03, 0.2, 0.6)


class Answers:
    """Answers to every operation, the same for one seed. `share` is that of the optional members that are missing."""

    def __init__(self, seed: int, share: float, even_required: bool = False) -> None:
        self._seed, self._share, self._even_required = seed, share, even_required
        self.operations: set[str] = set()

    def __call__(self, service: str, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        self.operations.add(f"{service}:{operation}")
        shape = model(service).operation_model(operation).output_shape
        self._random = random.Random(zlib.crc32(f"{self._seed} {operation} {sorted(params)}".encode()))
        answer: dict[str, Any] = self._value(shape, "") if shape is not None else {}
        return answer

    def _value(self, shape: Shape, name: str, depth: int = 0) -> Any:
        chance = self._random.random
        if isinstance(shape, StructureShape):
            return {
                member: self._value(of, member, depth + 1)
                for member, of in shape.members.items()
                if depth < 9
                and (chance() >= self._share or (member in shape.required_members and not self._even_required))
            }
        if isinstance(shape, ListShape):
            count = 0 if chance() < self._share / 2 else 1 + int(chance() * 2)
            items = [self._value(shape.member, name, depth + 1) for _ in range(count)]
            if name in ("Tags", "tags", "TagSet") and items and isinstance(items[0], dict) and items[0].get("Key"):
                items[0] = {"Key": "Name", "Value": f"{SCOPE.prefix}-x"}
            return items
        if isinstance(shape, MapShape):
            return {"key": self._value(shape.value, name, depth + 1)}
        return self._scalar(shape, name)

    def _scalar(self, shape: Shape, name: str) -> Any:
        kind = shape.type_name
        if kind == "boolean":
            return False if name in ("IsTruncated", "Truncated") else self._random.random() < 0.5
        if kind in ("integer", "long"):
            return self._random.choice([0, 1, 80, 65535, -1])
        if kind in ("float", "double"):
            return 60.0
        if kind == "timestamp":
            return datetime(2026, 1, 1, tzinfo=UTC)
        if kind == "blob":
            return b""
        if "oken" in name or name in ("Marker", "NextMarker"):
            return "" if self._random.random() < 0.8 else "again"  # AWS would answer the same page for ever.
        if enum := shape.metadata.get("enum"):
            return self._random.choice(list(enum))
        return self._text(name)

    def _text(self, name: str) -> str:
        if self._random.random() < self._share / 2:
            return ""
        if "olicyText" in name or name in ("Policy", "PolicyDocument", "AssumeRolePolicyDocument", "Document"):
            return self._random.choice(RULES if name == "lifecyclePolicyText" else POLICIES)
        if name in ("taskDefinition", "taskDefinitionArn"):
            return f"arn:aws:ecs:us-east-1:{ACCOUNT}:task-definition/{SCOPE.prefix}-app:1"
        if name in ("ResourceId", "resourceId"):
            return f"service/{SCOPE.prefix}-x/{SCOPE.prefix}-x"
        if name.lower().endswith(("arn", "arns")):
            return f"arn:aws:x:us-east-1:{ACCOUNT}:x/{SCOPE.prefix}-x"
        if "Cidr" in name:
            return self._random.choice(["10.0.0.0/16", "0.0.0.0/0"])
        if name in NAMES:
            return f"{SCOPE.prefix}-x"
        if name in ("logGroupName", "path"):
            return f"/ecs/{SCOPE.prefix}"
        if name.endswith(("Ip", "Address")):
            return "10.0.0.1"
        return self._random.choice(["-1", "6", "50", "tcp"]) if "Protocol" in name else f"{name}-1"


@functools.cache
def model(service: str) -> Any:
    return boto3.client(service, region_name=SCOPE.region).meta.service_model


def read(answers: Answers) -> Inventory:
    return read_inventory(Factory(answers).client, SCOPE, workers=1)


def not_understood(inventory: Inventory) -> list[str]:
    return [error for error in inventory.problems["error"] if error.startswith("not understood")]


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("share", SHARES)
def test_no_answer_is_too_much_for_a_reader(share: float, seed: int) -> None:
    inventory = read(Answers(seed, share, even_required=seed % 2 == 1))
    assert not_understood(inventory) == []
    incomplete = set(inventory.problems["table"])
    for name, table in TABLES.items():
        for column, of in table.columns.items():
            assert not (of.needed and inventory[name][column].isna().any()) or name in incomplete
    assert Inventory.from_json(inventory.to_json()).to_json() == inventory.to_json()
    for result in judge(inventory, target="aws"):
        assert "raised" not in result.reason, result.claim.id
        if result.verdict in (Verdict.PASS, Verdict.EXCEPTION):
            assert result.evidence
            assert not incomplete & set(result.tables)


@pytest.mark.slow
def test_every_operation_is_answered() -> None:
    """The answers lead the readers to each of their operations."""
    answers = [Answers(seed, 0.0) for seed in range(4)]
    for each in answers:
        read(each)
    called = set().union(*(each.operations for each in answers))
    assert {"s3:GetBucketReplication", "ecr:GetRegistryScanningConfiguration", "ecs:DescribeTaskDefinition"} <= called
    assert {"elbv2:DescribeRules", "elbv2:DescribeTargetHealth", "ec2:DescribeSecurityGroupRules"} <= called
    assert {"application-autoscaling:DescribeScalingPolicies", "logs:DescribeLogGroups"} <= called


def test_an_answer_that_says_nothing_passes_nothing() -> None:
    def nothing(service: str, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        return {}

    inventory = read_inventory(Factory(nothing).client, SCOPE)
    assert set(inventory.problems["table"]) == set(TABLES)
    assert {result.verdict for result in judge(inventory)} == {Verdict.CANNOT_TELL}


# ── what the readers make of some answers ──


def canned(**answers: dict[str, Any]) -> Inventory:
    """The inventory from answers with nothing in them, but for these operations."""
    full = Answers(0, 0.0)

    def answer(service: str, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        return answers.get(operation) or full(service, operation, params)

    return read_inventory(Factory(answer).client, SCOPE, ["s3", "ecr"], workers=1)


def test_a_lifecycle_rule_says_what_it_is_for() -> None:
    both = {"And": {"Prefix": "tmp/", "Tags": [{"Key": "class", "Value": "old"}], "ObjectSizeGreaterThan": 5}}
    rules = [
        {"ID": "a", "Status": "Enabled", "Filter": both, "Expiration": {"Date": datetime(2027, 1, 1, tzinfo=UTC)}},
        {"ID": "b", "Status": "Enabled", "Filter": {"Tag": {"Key": "class", "Value": "new"}}},
        {"ID": "c", "Status": "Enabled", "Prefix": "old-form/"},
        {"ID": "d", "Status": "Enabled", "Filter": {}},
    ]
    found = {row.rule: row for row in canned(GetBucketLifecycleConfiguration={"Rules": rules}).rows(
        "bucket_lifecycle_rules"
    )}  # fmt: skip
    assert {rule: (row.prefix, row.tags, row.larger_than) for rule, row in found.items()} == {
        "a": ("tmp/", ["class=old"], 5),
        "b": ("", ["class=new"], None),
        "c": ("old-form/", [], None),
        "d": ("", [], None),
    }
    assert found["a"].expiration_date == "2027-01-01"


@pytest.mark.parametrize(
    ("wanted", "matches"),
    [
        ("*", True),
        ("shop", True),
        ("alloy-*", True),
        ("*-x", True),
        ("x-*", False),
        ("prod", False),
        ("alloy*y", False),
    ],
)
def test_a_scanning_filter_matches_as_ecr_does(wanted: str, matches: bool) -> None:
    rule = {"scanFrequency": "CONTINUOUS_SCAN", "repositoryFilters": [{"filter": wanted, "filterType": "WILDCARD"}]}
    scanning = {"scanType": "ENHANCED", "rules": [rule]}
    inventory = canned(GetRegistryScanningConfiguration={"scanningConfiguration": scanning})
    for repository in inventory.rows("repositories"):
        assert repository.scan_type == "ENHANCED"
        assert repository.scan_rules == ([f"CONTINUOUS_SCAN {wanted}"] if matches else [])
    assert inventory.rows("repositories")
