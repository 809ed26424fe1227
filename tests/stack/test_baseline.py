"""The first version next to the improved one: in the same account, lacking what it should, destroyed cleanly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from workbook.inventory import Inventory, Row
from workbook.workbook import Workbook

pytestmark = pytest.mark.stack


class Beside:
    """The baseline, deployed beside `dev`, which was `dev_before`."""

    def __init__(self, dev: Any) -> None:
        self.dev, self.dev_before = dev, dev.inventory()
        self.workbook = Workbook("baseline", dev.workbook.run.home)
        self.workbook.deploy()
        self.inventory = self.workbook.inventory(fresh=True)


@pytest.fixture(scope="module")
def baseline(stack: Any) -> Iterator[Beside]:
    with stack.branch() as branch:
        yield Beside(branch)


def only(inventory: Inventory, table: str) -> Row:
    (row,) = inventory.rows(table)
    return row


def seen_live(workbook: Workbook, layer: str) -> str:
    """The comparison of a layer, as it is shown."""
    return workbook.comparison(layer).text


def test_the_first_version_is_network_registry_and_identity(baseline: Beside) -> None:
    assert baseline.workbook.layers == ["vpc", "ecr", "iam"]
    counts = baseline.workbook.deployed()
    assert list(counts) == baseline.workbook.layers and all(counts.values()), counts
    assert baseline.inventory.problems.to_dict("records") == []
    assert baseline.workbook.outputs()["resource_prefix"] == baseline.workbook.settings.prefix


def test_the_second_plan_has_no_changes(baseline: Beside) -> None:
    plan = baseline.workbook.plan()
    assert plan.empty, plan.rendered().text


def test_dev_is_unchanged(baseline: Beside) -> None:
    now = baseline.dev.inventory()
    assert {name: now.rows(name) for name in now} == {name: baseline.dev_before.rows(name) for name in now}
    assert only(now, "vpcs").cidr != only(baseline.inventory, "vpcs").cidr


def test_its_names_and_tags_are_its_own(baseline: Beside) -> None:
    prefix = baseline.workbook.settings.prefix
    named = {
        table: [row.name for row in baseline.inventory.rows(table)]
        for table in ("vpcs", "subnets", "internet_gateways", "repositories", "roles", "instance_profiles")
    }
    assert all(len(names) == 1 and names[0].startswith(f"{prefix}-") for names in named.values()), named
    for table in ("vpcs", "roles"):
        tags = only(baseline.inventory, table).tags
        assert (tags["Environment"], tags["ManagedBy"]) == ("baseline", "terraform")


# ── what it lacks ──


def test_the_network_is_one_open_subnet_in_one_zone(baseline: Beside) -> None:
    inventory = baseline.inventory
    subnet = only(inventory, "subnets")
    assert (subnet.az, subnet.tier, subnet.public_ip_on_launch) == ("us-east-1a", "public", True)
    assert all(route.main for route in inventory.rows("routes"))
    for absent in ("nat_gateways", "endpoints", "flow_logs"):
        assert inventory.rows(absent) == ()
    entries = [entry for entry in inventory.rows("nacl_entries") if entry.rule_number < 32767]
    assert {(e.is_default, e.direction, e.action, e.ports, e.cidr) for e in entries} == {
        (True, direction, "allow", "all", "0.0.0.0/0") for direction in ("ingress", "egress")
    }
    rules = [rule for rule in inventory.rows("security_group_rules") if rule.security_group != "default"]
    assert {(rule.direction, rule.ports, rule.peer) for rule in rules} == {
        ("ingress", "8080", "0.0.0.0/0"),
        ("egress", "all", "0.0.0.0/0"),
    }


def test_the_repository_has_only_defaults(baseline: Beside) -> None:
    repository = only(baseline.inventory, "repositories")
    assert repository.tag_mutability == "MUTABLE" and repository.scan_on_push is False
    assert (repository.lifecycle_rules, repository.policy_statements) == (0, 0)


def test_the_role_is_broad_shared_and_unbounded(baseline: Beside) -> None:
    role = only(baseline.inventory, "roles")
    assert role.boundary == "" and role.trust_conditions == []
    assert role.trusted == ["Service: ec2.amazonaws.com", "Service: ecs-tasks.amazonaws.com"]
    assert role.instance_profiles == [only(baseline.inventory, "instance_profiles").name]
    (own,) = [s for s in baseline.inventory.rows("iam_statements") if s.kind == "inline"]
    assert (own.effect, own.actions, own.resources) == ("Allow", ["ecr:*", "logs:*", "s3:*"], ["*"])


# ── what the workbook says about it ──


def test_the_comparison_shows_what_is_live(baseline: Beside) -> None:
    rows = {
        line.split("  ")[1]: line
        for layer in ("vpc", "ecr", "iam")
        for line in seen_live(baseline.workbook, layer).splitlines()[2:]
    }
    shown = {
        "Availability": "us-east-1a",
        "Subnets": "1 public",
        "Way out": "none",
        "Route tables": "the VPC's main one for 1 subnet",
        "Way to AWS services": "none",
        "Traffic record": "none",
        "Cleaning up": "none",
        "Tags": "MUTABLE",
        "Vulnerabilities": "no scan",
        "Access": "none",
        "Roles": "1 role, trusted by ec2, ecs-tasks",
        "Policies": "1 managed by AWS, 1 inline",
        "Ceiling": "none",
    }
    assert {aspect: rows[aspect].endswith(f"  {seen}") for aspect, seen in shown.items()} == dict.fromkeys(
        shown, True
    ), rows


def test_a_network_without_gateways_costs_nothing_by_the_hour(baseline: Beside) -> None:
    assert baseline.workbook.cost("vpc").text == "On top: 0.005 an hour for each public address handed out on launch."


def test_destroy_removes_all_of_it_and_nothing_of_dev(baseline: Beside) -> None:
    with baseline.dev.branch() as dev:
        workbook = Workbook("baseline", dev.workbook.run.home)
        assert all(workbook.deployed().values())
        workbook.destroy()
        assert workbook.deployed() == dict.fromkeys(workbook.layers, 0)
        left = workbook.inventory(fresh=True)
        assert {name: left.rows(name) for name in left if left.rows(name)} == {}
        assert "not deployed" in seen_live(workbook, "vpc") and "none" not in seen_live(workbook, "ecr")
        now = dev.inventory()
    assert {name: now.rows(name) for name in now} == {name: baseline.dev_before.rows(name) for name in now}
