"""Every switch of `locals.tf`: plan, apply, a second plan without changes, and everything that is shown is right.

`make test` sets all switches that can be changed in place together. Each alone and back, and configurations that hold
every pair of them, take half an hour: `make switches`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from stack.switches import IN_PLACE, SWITCHES, configurations, copy, edit, flip, turned, values
from workbook import network
from workbook.access import access_matrix
from workbook.claims import Results, Verdict, judge
from workbook.comparison.cost import monthly
from workbook.comparison.versions import compare
from workbook.diagram.mermaid import mermaid
from workbook.diagram.render import Drawing
from workbook.emulator import branches
from workbook.errors import WorkbookError
from workbook.inventory import Inventory
from workbook.terraform import settings
from workbook.workbook import Workbook

pytestmark = pytest.mark.stack


def ranges(count: int, *more: str) -> str:
    """Address ranges as HCL."""
    return json.dumps([*(f"10.{number}.0.0/16" for number in range(count)), *more])


PICTURES = ("architecture", "vpc", "ecr", "iam", "s3", "ecs")
PAIRS = configurations(SWITCHES)
HTTPS = {"certificate_arn": '"arn:aws:acm:us-east-1:123456789012:certificate/one"'}
# What `locals.tf` sets -> what the plan's error says, each of them.
REFUSED: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "http": (
        {"region": '"eu-west-1"', "container_port": "40000", "allowed_cidrs": ranges(12, "10.0.0.0/16")},
        (
            "These zones are not in eu-west-1: us-east-1a, us-east-1b, us-east-1c.",
            "container_port is 40000. Use 1024 to 32767",
            "allowed_cidrs has a range twice: 10.0.0.0/16.",
            "allowed_cidrs has 13 ranges, and the network ACLs have room for 12",
        ),
    ),
    "https": (
        {**HTTPS, "container_port": "80", "allowed_cidrs": ranges(8)},
        ("container_port is 80. Use 1024 to 32767", "allowed_cidrs has 8 ranges, and the network ACLs have room for 7"),
    ),
}


@dataclass
class Deployed:
    """An environment as deployed under some switches, and the values in its `locals.tf`."""

    workbook: Workbook
    values: dict[str, Any]

    @cached_property
    def inventory(self) -> Inventory:
        return self.workbook.inventory(fresh=True)

    @cached_property
    def reach(self) -> dict[tuple[str, str, int], str]:
        """(source, target, port) -> verdict; the zone-by-zone questions are left out."""
        frame = network.matrix(self.inventory)
        whole = frame[(frame["from_subnet"] == "") & (frame["to_subnet"] == "")]
        return {(row.source, row.target, row.port): row.verdict for row in whole.itertuples()}

    @cached_property
    def access(self) -> pd.DataFrame:
        return access_matrix.matrix(self.inventory)

    @cached_property
    def pictures(self) -> dict[str, Drawing]:
        return {name: self.workbook.diagram(name) for name in PICTURES}

    def seen(self, layer: str) -> dict[str, str]:
        """Aspect -> what the comparison of a layer's two versions sees."""
        assert "not deployed" not in self.workbook.comparison(layer).text
        return {row.aspect: row[-1] for row in compare(layer, self.inventory).itertuples(index=False)}

    def cost(self, layer: str) -> dict[str, str]:
        """What is billed by the hour -> how many."""
        assert "On top" in self.workbook.cost(layer).text
        return {row[0]: row[1] for row in monthly(layer, self.inventory).itertuples(index=False)}


@pytest.fixture(scope="session")
def as_deployed(stack: Any) -> dict[str, Verdict]:
    """Claim -> verdict in the unchanged environment."""
    return verdicts(judge(stack.inventory()))


def verdicts(results: Results) -> dict[str, Verdict]:
    return {result.claim.id: result.verdict for result in results}


@contextmanager
def account(stack: Any, names: tuple[str, ...], environment: str, home: Path) -> Iterator[Workbook]:
    """A copy of the deployed account; an empty one for another environment, or where a switch cannot be set in place."""
    if environment == "dev" and all(SWITCHES[name].in_place for name in names):
        with stack.workbook.branch() as workbook:
            yield workbook
    else:
        try:
            yield Workbook(environment, home)
        finally:
            branches.stop_all(home)


def apply(workbook: Workbook) -> None:
    """Plan and apply; the plan after that has no changes."""
    plan = workbook.plan()
    assert not plan.empty
    workbook.apply(plan)
    second = workbook.plan()
    assert second.empty, second.rendered().text


def differing(workbook: Workbook, expected: dict[str, Verdict]) -> dict[str, tuple[Verdict | None, Verdict | None]]:
    """Claim -> its verdict and the expected one, where they differ."""
    found = verdicts(workbook.claims())
    return {
        claim: (found.get(claim), expected.get(claim))
        for claim in {*found, *expected}
        if found.get(claim) != expected.get(claim)
    }


@pytest.fixture
def check(stack: Any, as_deployed: dict[str, Verdict], tmp_path: Path, monkeypatch: Any) -> Callable[..., None]:
    """Deploys an environment under some switches, and compares everything with its `locals.tf`."""

    def run(names: tuple[str, ...], environment: str = "dev", back: bool = False) -> None:
        environments = copy(tmp_path / "project", environment)
        monkeypatch.setattr(settings, "ENVIRONMENTS", environments)
        directory = environments / environment
        unchanged = (directory / "locals.tf").read_text()
        with account(stack, names, environment, tmp_path / "home") as workbook:
            flip(directory, names, workbook.client)
            # Opened again: it reads names and regions from `locals.tf`.
            workbook = Workbook(environment, workbook.run.home)
            apply(workbook)
            expected = {**as_deployed, **turned(names)}
            assert differing(workbook, expected) == {}
            deployed = Deployed(workbook, values(directory))
            assert deployed.access[~deployed.access["agrees"]].to_dict("records") == []
            for says in (network_is, firewalls_are, service_is, entrance_is, region_is, tables_are_shown):
                says(deployed)
            if back:
                (directory / "locals.tf").write_text(unchanged)
                apply(workbook)
                assert differing(workbook, as_deployed) == {}

    return run


def test_set_together(check: Callable[..., None]) -> None:
    check(IN_PLACE)


@pytest.mark.long
@pytest.mark.parametrize("name", SWITCHES)
def test_set_alone_and_back(name: str, check: Callable[..., None]) -> None:
    check((name,), back=SWITCHES[name].in_place and SWITCHES[name].and_back)


@pytest.mark.long
@pytest.mark.parametrize("names", PAIRS, ids="+".join)
def test_set_in_pairs(names: tuple[str, ...], check: Callable[..., None]) -> None:
    check(names)


@pytest.mark.long
def test_production(check: Callable[..., None]) -> None:
    """A copy of the environment with another name and the values that production would have."""
    check(("nat-per-zone", "three-tasks", "certificate", "keep-data", "deployers"), "prod")


# ── what is shown is what locals.tf says ──


def network_is(deployed: Deployed) -> None:
    """Zones, subnets, NAT gateways and endpoints: in tables, comparison, cost, pictures and proofs."""
    inventory, zones = deployed.inventory, deployed.values["availability_zones"]
    nats = zones if deployed.values["one_nat_gateway_per_az"] else zones[:1]
    for tier in ("public", "private"):
        subnets = {row.az: row.cidr for row in inventory.rows("subnets", tier=tier)}
        assert subnets == dict(zip(zones, deployed.values[f"{tier}_subnets"], strict=True))
    assert sorted(row.az for row in inventory.rows("nat_gateways")) == nats

    seen, cost = deployed.seen("vpc"), deployed.cost("vpc")
    assert seen["Availability"] == ", ".join(zones)
    assert seen["Way out"] == f"{len(nats)} in {', '.join(nats)}, the default route of {len(zones)} route tables"
    interfaces = len(inventory.rows("endpoints", type="Interface"))
    assert cost["NAT gateway"] == cost["public IPv4 address of a NAT gateway"] == str(len(nats))
    assert cost["interface endpoint, for each zone"] == str(interfaces * len(zones))

    for picture in (deployed.pictures["architecture"], deployed.pictures["vpc"]):
        drawn = [key for key in picture.nodes if key.table == "nat_gateways"]
        assert len(drawn) == len(nats)
        assert sum(key.table == "subnets" for key in picture.nodes) == 2 * len(zones)
        assert all(f"Zone {zone}" in picture.svg for zone in zones)
    assert "Zone " in mermaid(inventory)

    assert deployed.reach["task", "internet", 443] == "yes"
    assert {deployed.reach["task", "internet", port] for port in (22, 80)} == {"no"}
    endpoints = {target for source, target, _ in deployed.reach if source == "task" and target in ("s3", "logs", "sts")}
    assert {deployed.reach["task", endpoint, 443] for endpoint in endpoints} == {"yes"} and len(endpoints) == 3


def firewalls_are(deployed: Deployed) -> None:
    """No rule of a network ACL has the number of another, and there are no more than AWS allows."""
    entries = deployed.inventory["nacl_entries"]
    for _, rules in entries.groupby(["network_acl_id", "direction"]):
        assert rules["rule_number"].is_unique and len(rules) <= 20
    ranges = deployed.values["allowed_cidrs"]
    admitted = {
        (row.peer, row.from_port)
        for row in deployed.inventory.rows("security_group_rules", direction="ingress")
        if row.peer_type == "cidr"
    }
    ports = (80, 443) if deployed.values["certificate_arn"] else (80,)
    assert admitted == {(cidr, port) for cidr in ranges for port in ports}


def service_is(deployed: Deployed) -> None:
    """Tasks, their port, size, image and shell."""
    wanted, inventory = deployed.values, deployed.inventory
    port, desired = wanted["container_port"], wanted["desired_count"]
    (service,), (group,) = inventory.rows("services"), inventory.rows("target_groups")
    assert (service.desired, service.running, service.container_port, group.port) == (desired, desired, port, port)
    assert (group.targets, group.healthy) == (desired, desired)
    (scaling,) = {(row.minimum, row.maximum) for row in inventory.rows("autoscaling")}
    assert scaling == (desired, wanted["autoscaling_max"])
    assert deployed.seen("ecs")["Load"].startswith(f"{scaling[0]} to {scaling[1]} tasks")
    cost = deployed.cost("ecs")
    assert float(cost["Fargate vCPU"]) == desired * wanted["container_cpu"] / 1024
    assert float(cost["Fargate GB of memory"]) == desired * wanted["container_memory"] / 1024
    assert {row.image for row in inventory.rows("containers")} == {wanted["container_image"]}

    root = "writable" if wanted["enable_execute_command"] else "read-only"
    assert f"dashboard: user 65534:65534, root file system {root}" in deployed.seen("ecs")["Container"]
    picture = deployed.pictures["ecs"]
    assert f"root file system {root}" in picture.svg
    assert f"{desired} tasks wanted" in picture.svg and f"Container dashboard :{port}" in picture.svg
    assert f"load balancer alb -> service service (:{port})" in picture.alt
    assert {other for other in (22, 443, port) if deployed.reach["alb", "task", other] == "yes"} == {port}
    assert deployed.reach["internet", "task", port] == "no"

    shell = deployed.access.set_index("id").loc["task-opens-shell"]
    assert shell["decided"] == ("allow" if wanted["enable_execute_command"] else "deny")


def entrance_is(deployed: Deployed) -> None:
    """Listeners, and who reaches them."""
    https, ranges = bool(deployed.values["certificate_arn"]), deployed.values["allowed_cidrs"]
    (balancer,) = deployed.inventory.rows("load_balancers")
    assert balancer.deletion_protection is not deployed.values["force_destroy"]
    assert {(row.protocol, row.port) for row in deployed.inventory.rows("listeners")} == (
        {("HTTP", 80), ("HTTPS", 443)} if https else {("HTTP", 80)}
    )
    assert deployed.workbook.outputs()["application_url"].startswith("https://" if https else "http://")
    admitted = "yes" if ranges == ["0.0.0.0/0"] else "partly"
    assert [deployed.reach["internet", "alb", port] for port in (80, 443, 22)] == [
        admitted,
        admitted if https else "no",
        "no",
    ]
    zones = len(deployed.values["availability_zones"])
    assert deployed.cost("ecs")["public IPv4 address of the load balancer, for each zone"] == str(zones)
    ports = {"80", "443"} if https else {"80"}
    sources = set() if ranges == ["0.0.0.0/0"] else set(ranges)
    for name in ("architecture", "ecs"):
        picture = deployed.pictures[name]
        arrows = " ".join(re.findall(r"Internet -> load balancer alb \((.*)\)", picture.alt))
        assert set(re.findall(r"[\d.]+/\d+", arrows)) == sources
        assert set(re.findall(r"(?<![\d./])\d+(?![\d./])", arrows)) == ports
        assert all(text in picture.svg for text in sources | ports)


def region_is(deployed: Deployed) -> None:
    """The stack is in its region, the replica in the other."""
    region, replica = deployed.values["region"], deployed.values["replica_region"]
    assert deployed.workbook.outputs()["region"] == region
    assert {row.region for row in deployed.inventory.rows("buckets")} == {region, replica}
    (rule,) = deployed.inventory.rows("bucket_replication_rules")
    assert deployed.inventory.by_key("buckets")[rule.destination].region == replica
    assert all(f"Region {name}" in deployed.pictures["architecture"].svg for name in (region, replica))
    assert deployed.workbook.banner().text.count(region) == 1


def tables_are_shown(deployed: Deployed) -> None:
    """Everything that a page shows of the account can be shown."""
    workbook = deployed.workbook
    for layer in workbook.layers:
        assert deployed.pictures[layer].png[:4] == b"\x89PNG" and deployed.seen(layer)
        assert "Could not be read" not in workbook.tables(layer).text
    assert "What can reach what" in workbook.reach_matrix().text
    assert "Who can do what" in workbook.access_matrix().text
    assert "SOC 2" in workbook.compliance().text


# ── what is refused, before anything is created ──


@pytest.mark.parametrize("name", REFUSED)
def test_what_aws_would_refuse_is_not_planned(name: str, tmp_path: Path, monkeypatch: Any) -> None:
    changes, messages = REFUSED[name]
    environments = copy(tmp_path)
    edit(environments / "dev", changes)
    monkeypatch.setattr(settings, "ENVIRONMENTS", environments)
    try:
        with pytest.raises(WorkbookError) as error:
            Workbook("dev", tmp_path / "home").plan()
    finally:
        branches.stop_all(tmp_path / "home")
    assert [message for message in messages if message not in str(error.value)] == []


def test_a_stack_does_not_move(stack: Any, tmp_path: Path, monkeypatch: Any) -> None:
    """Terraform would look for it in the new region, not find it, and forget it."""
    environments = copy(tmp_path)
    flip(environments / "dev", ["region"], stack.client)
    monkeypatch.setattr(settings, "ENVIRONMENTS", environments)
    with stack.branch() as branch:
        for plan in (branch.workbook.plan, branch.workbook.destroy):
            with pytest.raises(WorkbookError, match="dev is deployed in us-east-1 and us-west-2, which") as error:
                plan()
            assert "set the regions back, destroy" in error.value.next_step
        assert sum(branch.workbook.deployed().values()) > 100


# ── the data ──


def test_the_configurations_hold_every_pair_of_switches() -> None:
    rows = [(), *PAIRS]
    for one, other in combinations(SWITCHES, 2):
        assert {(one in row, other in row) for row in rows} == {
            (True, True),
            (True, False),
            (False, True),
            (False, False),
        }, (one, other)


def test_more_switches_than_there_is_room_for_are_noticed() -> None:
    with pytest.raises(ValueError, match="no room for 15"):
        configurations([str(number) for number in range(16)])


def test_no_two_switches_disagree_about_a_verdict() -> None:
    told: dict[str, Verdict] = {}
    for switch in SWITCHES.values():
        for claim, verdict in switch.turns.items():
            assert told.setdefault(claim, verdict) == verdict, claim
