"""The network proofs: what the deployed stack lets through, and what changes when one of its rules does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from workbook.errors import WorkbookError
from workbook.inventory import Inventory, Row
from workbook.network import Reach, matrix, reach, rendered

Cells = dict[str, Any]
P = "alloy-dev-take-home"
PRIVATE, PUBLIC = f"{P}-vpc-private", f"{P}-vpc-public"
ENDPOINTS = ("ecr.api", "ecr.dkr", "logs", "s3", "ssmmessages", "sts")
DEFAULT = f"{P}-vpc-default"


def change(inventory: Inventory, table: str, where: Callable[[Row], bool], **values: Any) -> Inventory:
    """The inventory with some cells of some rows replaced; at least one row must match."""
    rows = inventory.rows(table)
    assert any(where(row) for row in rows)
    return inventory.replace(**{table: [row.replaced(**values) if where(row) else row for row in rows]})


def drop(inventory: Inventory, table: str, where: Callable[[Row], bool]) -> Inventory:
    rows = inventory.rows(table)
    assert any(where(row) for row in rows)
    return inventory.replace(**{table: [row for row in rows if not where(row)]})


def add(inventory: Inventory, table: str, like: Row | None = None, **values: Any) -> Inventory:
    """The inventory with one more row: as `like`, but for `values`."""
    return inventory.replace(**{table: [*inventory.rows(table), like.replaced(**values) if like else values]})


def entry(dev: Inventory, acl: str, **values: Any) -> Cells:
    """A network ACL entry for `acl`; TCP, IPv4 and all ports by default."""
    known = next(row for row in dev.rows("nacl_entries") if row.network_acl == acl)
    ids = {
        key: getattr(known, key)
        for key in ("network_acl", "network_acl_id", "vpc_id", "subnets", "subnet_ids", "is_default")
    }
    return {**ids, "protocol": "tcp", "ports": "all", "from_port": None, "to_port": None, "cidr": "0.0.0.0/0", **values}


def rule(dev: Inventory, group: str, **values: Any) -> Cells:
    found = next(row for row in dev.rows("security_groups") if row.name == f"{P}-{group}")
    return {
        "security_group": found.name,
        "group_id": found.group_id,
        "protocol": "tcp",
        "peer_type": "cidr",
        "rule_id": "sgr-new",
        **values,
    }


def stops(answer: Reach) -> list[tuple[str, str]]:
    return [(hop.direction, hop.what) for hop in answer.stops]


# ── the matrix, as its author would write it by hand ──

EXPECTED = {
    ("internet", "alb", 80): "yes",
    ("internet", "alb", 443): "no",
    ("internet", "alb", 22): "no",
    ("::/0", "alb", 80): "no",
    ("internet", "task", 8080): "no",
    ("internet", "task", 22): "no",
    ("internet", "task", 443): "no",
    ("alb", "task", 8080): "yes",
    ("alb", "task", 22): "no",
    ("alb", "task", 443): "no",
    ("alb", "internet", 443): "no",
    **{("task", service, 443): "yes" for service in ENDPOINTS},
    ("task", "internet", 443): "yes",
    ("task", "internet", 80): "no",
    ("task", "internet", 22): "no",
    ("task", "task", 8080): "no",
    ("task", "alb", 80): "no",
    ("nat", "task", 8080): "no",
    ("internet", "nat", 443): "no",
    **{("alb", service, 443): "no" for service in ENDPOINTS},
    ("task", DEFAULT, 443): "no",
    **{("internet", service, 443): "no" for service in ENDPOINTS},
    **{(service, "internet", 443): "no" for service in ENDPOINTS if service != "s3"},
    (DEFAULT, "internet", 443): "no",
    ("internet", DEFAULT, 443): "no",
    (DEFAULT, DEFAULT, 443): "no",
}


def test_the_matrix_is_what_its_author_would_state_by_hand(dev: Inventory) -> None:
    found = matrix(dev)
    whole = found[found.from_subnet == ""]
    assert {(row.source, row.target, row.port): row.verdict for row in whole.itertuples()} == EXPECTED
    across = found[found.from_subnet != ""]
    assert len(across) == 4 and set(across["verdict"]) == {"yes"}
    assert (across["from_subnet"] != across["to_subnet"]).all()


def test_every_no_names_the_hop_that_stops_it(dev: Inventory) -> None:
    found = matrix(dev)
    assert (
        found[found.verdict == "no"]["reason"]
        .str.contains("security group|Security group|network ACL|Network ACL|gateway|endpoint|oute table")
        .all()
    )


def test_the_matrix_shows_no_ids(dev: Inventory) -> None:
    text = rendered(matrix(dev), P).text
    assert "sg-" not in text.replace("-sg", "") and "rtb-" not in text and "vpce-" not in text
    assert text == rendered(matrix(dev), P).text


# ── paths ──


def test_a_task_leaves_by_the_nat_gateway_and_the_answer_comes_back_the_same_way(dev: Inventory) -> None:
    hops = [(hop.direction, hop.what) for hop in reach(dev, "task", "internet", 443).path.hops]
    assert hops == [
        ("there", "security group out"),
        ("there", "network ACL out"),
        ("there", "route table"),
        ("there", "NAT gateway"),
        ("there", "network ACL in"),
        ("there", "route table"),
        ("there", "network ACL out"),
        ("back", "network ACL in"),
        ("back", "network ACL out"),
        ("back", "route table"),
        ("back", "network ACL in"),
    ]


def test_s3_is_reached_by_the_route_to_its_endpoint_and_not_by_nat(dev: Inventory) -> None:
    path = reach(dev, "task", "s3", 443).path
    route = next(hop for hop in path.hops if hop.what == "route table")
    assert route.rule == f"com.amazonaws.us-east-1.s3 → {P}-s3-endpoint"
    assert "NAT gateway" not in {hop.what for hop in path.hops}


def test_the_internet_meets_four_hops_before_a_task(dev: Inventory) -> None:
    assert stops(reach(dev, "internet", "task", 8080)) == [
        ("there", "internet gateway"),
        ("there", "route table"),
        ("there", "network ACL in"),
        ("there", "security group in"),
        ("back", "network ACL out"),
    ]


def test_within_a_subnet_only_the_security_groups_decide(dev: Inventory) -> None:
    closed = dev.replace(nacl_entries=[])
    subnet = f"{PRIVATE}-us-east-1a"
    same = reach(closed, "task", "logs", 443, source_subnet=subnet, target_subnet=subnet)
    assert same.verdict == "yes"
    assert {hop.what for hop in same.path.hops} == {"private DNS", "security group out", "security group in"}
    other = reach(closed, "task", "logs", 443, source_subnet=subnet, target_subnet=f"{PRIVATE}-us-east-1b")
    assert stops(other)[0] == ("there", "network ACL out")


# ── security groups ──


def test_a_security_group_needs_a_rule_on_both_sides(dev: Inventory) -> None:
    for group, direction, hop in (
        ("alb-sg", "egress", "security group out"),
        ("task-sg", "ingress", "security group in"),
    ):
        less = drop(
            dev,
            "security_group_rules",
            lambda r, g=group, d=direction: r.security_group == f"{P}-{g}" and r.direction == d,
        )
        answer = reach(less, "alb", "task", 8080)
        assert answer.verdict == "no" and stops(answer) == [("there", hop)]


def test_the_answer_needs_no_security_group_rule(dev: Inventory) -> None:
    assert not [
        r
        for r in dev.rows("security_group_rules")
        if r.security_group == f"{P}-endpoint-sg" and r.direction == "egress"
    ]
    assert reach(dev, "task", "logs", 443).verdict == "yes"


def test_security_groups_add_up(dev: Inventory) -> None:
    wide = add(
        dev,
        "security_group_rules",
        **rule(dev, "vpc-default", direction="egress", peer="0.0.0.0/0", peer_id="0.0.0.0/0"),
    )
    both = [
        next(g.group_id for g in dev.rows("security_groups") if g.name.endswith(name))
        for name in ("-alb-sg", "-vpc-default")
    ]
    assert reach(wide, "alb", "internet", 443).verdict == "no"
    assert (
        reach(change(wide, "load_balancers", lambda r: True, group_ids=both), "alb", "internet", 443).verdict == "yes"
    )


def test_a_reference_means_the_group_and_not_its_addresses(dev: Inventory) -> None:
    # The load balancer's own subnet, but not its group.
    answer = reach(dev, DEFAULT, "task", 8080, source_subnet=f"{PUBLIC}-us-east-1a")
    assert ("there", "security group in") in stops(answer)


def test_a_rule_for_a_part_of_the_internet_is_said_to_be_one(dev: Inventory) -> None:
    narrow = change(
        dev,
        "security_group_rules",
        lambda r: r.direction == "ingress" and r.peer == "0.0.0.0/0",
        peer="203.0.113.0/24",
    )
    answer = reach(narrow, "internet", "alb", 80)
    assert answer.verdict == "partly" and answer.reachable is True
    assert {path.source_range for path in answer.paths if path.verdict == "yes"} == {"203.0.113.0/24"}
    assert reach(narrow, "203.0.113.9", "alb", 80).verdict == "yes"
    assert reach(narrow, "198.51.100.9", "alb", 80).verdict == "no"


def test_a_rule_of_another_protocol_does_not_count(dev: Inventory) -> None:
    other = reach(dev, "alb", "task", 8080, "udp")
    assert {("there", "security group out"), ("there", "network ACL out"), ("there", "security group in")} <= set(
        stops(other)
    )
    every = change(
        dev, "security_group_rules", lambda r: True, protocol="all", ports="all", from_port=None, to_port=None
    )
    open_acls = every.replace(
        nacl_entries=[
            entry(dev, acl, direction=way, rule_number=1, action="allow", protocol="all")
            for acl in (PUBLIC, PRIVATE)
            for way in ("ingress", "egress")
        ]
    )
    assert reach(open_acls, "alb", "task", 53, "udp").verdict == "yes"


# ── network ACLs ──


def test_the_lowest_rule_number_decides(dev: Inventory) -> None:
    deny = entry(
        dev,
        PRIVATE,
        direction="ingress",
        rule_number=99,
        action="deny",
        cidr="10.0.0.0/16",
        from_port=8080,
        to_port=8080,
        ports="8080",
    )
    before = reach(add(dev, "nacl_entries", **deny), "alb", "task", 8080)
    assert before.verdict == "no" and before.stops[0].rule == "rule 99: deny tcp 8080 10.0.0.0/16"
    assert reach(add(dev, "nacl_entries", **{**deny, "rule_number": 105}), "alb", "task", 8080).verdict == "yes"


def test_no_matching_entry_is_a_denial(dev: Inventory) -> None:
    less = drop(
        dev,
        "nacl_entries",
        lambda r: r.network_acl == PUBLIC and r.direction == "ingress" and r.from_port == 80,
    )
    answer = reach(less, "internet", "alb", 80)
    assert answer.verdict == "no" and answer.stops[0].rule == "rule 32767: deny all 0.0.0.0/0"
    answer = reach(drop(less, "nacl_entries", lambda r: r.rule_number == 32767), "internet", "alb", 80)
    assert answer.verdict == "no" and answer.stops[0].rule == "no rule matches: denied"


@pytest.mark.parametrize(
    ("source", "target", "acl", "direction", "cidr"),
    [
        ("task", "internet", PRIVATE, "ingress", "0.0.0.0/0"),
        ("task", "internet", PUBLIC, "ingress", "0.0.0.0/0"),
        ("task", "s3", PRIVATE, "ingress", "0.0.0.0/0"),
        ("task", "logs", PRIVATE, "ingress", "0.0.0.0/0"),
        ("alb", "task", PUBLIC, "ingress", "0.0.0.0/0"),
        ("internet", "alb", PUBLIC, "egress", "0.0.0.0/0"),
    ],
)
def test_the_answer_needs_an_entry_for_the_clients_ports(
    dev: Inventory, source: str, target: str, acl: str, direction: str, cidr: str
) -> None:
    less = drop(
        dev,
        "nacl_entries",
        lambda r: r.network_acl == acl and r.direction == direction and r.from_port == 1024 and r.cidr == cidr,
    )
    port = {"alb": 80, "task": 8080}.get(target, 443)
    answer = reach(less, source, target, port)
    assert answer.reachable is False or answer.verdict == "partly"
    assert ("back", f"network ACL {'in' if direction == 'ingress' else 'out'}") in stops(answer)


def test_an_answer_needs_every_port_that_the_client_may_take(dev: Inventory) -> None:
    """A task opens connections from port 32768 up, so denying 8080 costs it nothing; denying one of its ports does."""
    deny = entry(
        dev, PRIVATE, direction="ingress", rule_number=191, action="deny", from_port=40000, to_port=40000, ports="40000"
    )
    answer = reach(add(dev, "nacl_entries", **deny), "task", "internet", 443)
    assert answer.verdict == "partly"
    assert answer.stops[0].rule == "rule 191: deny tcp 40000 0.0.0.0/0, for replies to port 40000 of 32768-60999"


def test_an_entry_for_a_part_of_a_subnet_makes_the_answer_partly(dev: Inventory) -> None:
    deny = entry(dev, PRIVATE, direction="ingress", rule_number=1, action="deny", cidr="10.0.0.128/25")
    answer = reach(add(dev, "nacl_entries", **deny), "alb", "task", 8080)
    assert answer.verdict == "partly"
    assert {p.source_range for p in answer.paths if p.verdict == "no"} == {"10.0.0.128/25"}


def test_whether_a_narrow_entry_holds_s3_is_not_guessed(dev: Inventory) -> None:
    narrow = change(
        dev,
        "nacl_entries",
        lambda r: r.network_acl == PRIVATE and r.direction == "egress" and r.cidr == "0.0.0.0/0",
        cidr="52.216.0.0/15",
    )
    assert reach(narrow, "task", "s3", 443).verdict == "partly"  # S3 has other addresses too, and its list was read.
    answer = reach(change(narrow, "prefix_lists", lambda r: True, entry_count=None), "task", "s3", 443)
    assert answer.verdict == "unknown" and answer.reachable is None
    assert "is not in the inventory" in answer.reason


# ── routes ──


def test_the_longest_prefix_wins(dev: Inventory) -> None:
    like = next(
        r for r in dev.rows("routes") if r.route_table == f"{PRIVATE}-us-east-1a" and r.target_type == "nat_gateway"
    )
    hole = like.replaced(destination="203.0.113.0/24", destination_id="203.0.113.0/24", state="blackhole")
    answer = reach(add(dev, "routes", hole), "task", "203.0.113.7", 443, source_subnet=f"{PRIVATE}-us-east-1a")
    assert answer.verdict == "no" and "203.0.113.0/24" in answer.stops[0].rule and "blackhole" in answer.stops[0].rule
    assert reach(add(dev, "routes", hole), "task", "198.51.100.7", 443).verdict == "yes"


def test_without_the_endpoints_route_s3_is_reached_over_nat_instead(dev: Inventory) -> None:
    less = drop(dev, "routes", lambda r: r.target_type == "vpc_endpoint")
    answer = reach(less, "task", "s3", 443)
    assert answer.verdict == "no"
    assert answer.stops[0].what == "route table" and "0.0.0.0/0 → " in answer.stops[0].rule


def test_without_its_nat_route_a_task_does_not_get_out(dev: Inventory) -> None:
    less = drop(dev, "routes", lambda r: r.target_type == "nat_gateway")
    answer = reach(less, "task", "internet", 443)
    assert answer.verdict == "no" and stops(answer)[0] == ("there", "route table")
    assert reach(less, "task", "s3", 443).verdict == reach(less, "task", "ecr.api", 443).verdict == "yes"


def test_a_public_route_alone_does_not_expose_a_task(dev: Inventory) -> None:
    igw = next(r for r in dev.rows("routes") if r.target_type == "internet_gateway")
    ways = {key: getattr(igw, key) for key in ("target", "target_id", "target_type")}
    public = change(dev, "routes", lambda r: r.target_type == "nat_gateway", **ways)
    assert stops(reach(public, "internet", "task", 8080))[0] == ("there", "internet gateway")
    assert reach(public, "task", "internet", 443).verdict == "no"


def test_an_internet_gateway_must_be_attached(dev: Inventory) -> None:
    assert reach(dev.replace(internet_gateways=[]), "internet", "alb", 80).verdict == "no"


def test_a_nat_gateway_must_be_there(dev: Inventory) -> None:
    assert reach(change(dev, "nat_gateways", lambda r: True, state="deleting"), "task", "internet", 443).verdict == "no"
    assert reach(dev.replace(nat_gateways=[]), "task", "internet", 443).verdict == "unknown"


def test_an_internal_load_balancer_has_no_public_address(dev: Inventory) -> None:
    answer = reach(change(dev, "load_balancers", lambda r: True, scheme="internal"), "internet", "alb", 80)
    assert answer.verdict == "no" and answer.stops[0].rule == "no public address"


def test_private_addresses_are_not_on_the_internet(dev: Inventory) -> None:
    assert reach(dev, "task", "192.168.1.1", 443).verdict == "no"
    assert not any(
        path.source_range.startswith(("10.", "192.168.", "127.")) for path in reach(dev, "internet", "alb", 80).paths
    )


def test_a_peering_route_is_unknown(dev: Inventory) -> None:
    like = next(r for r in dev.rows("routes") if r.target_type == "internet_gateway")
    peer = like.replaced(
        destination="192.168.0.0/16",
        destination_id="192.168.0.0/16",
        target="pcx-1",
        target_id="pcx-1",
        target_type="other",
    )
    answer = reach(add(dev, "routes", peer), "alb", "192.168.1.1", 8080)
    assert "unknown" in {hop.verdict for hop in answer.path.hops if hop.what == "route table"}


# ── endpoints ──


@pytest.mark.parametrize(
    ("table", "cells"),
    [("endpoints", {"private_dns": False}), ("vpcs", {"dns_hostnames": False}), ("vpcs", {"dns_support": False})],
)
def test_without_private_dns_the_name_leads_past_the_endpoint(dev: Inventory, table: str, cells: Cells) -> None:
    answer = reach(change(dev, table, lambda r: True, **cells), "task", "ecr.api", 443)
    assert answer.verdict == "no" and answer.stops[0].what == "private DNS"


def test_an_endpoint_that_is_not_available_is_not_reached(dev: Inventory) -> None:
    pending = change(dev, "endpoints", lambda r: True, state="pending")
    assert {reach(pending, "task", service, 443).verdict for service in ENDPOINTS} == {"no"}


def test_an_endpoint_of_another_type_is_unknown_and_does_not_stop_the_matrix(dev: Inventory) -> None:
    other = change(dev, "endpoints", lambda r: r.service == "sts", type="GatewayLoadBalancer")
    assert reach(other, "task", "sts", 443).verdict == "unknown"
    assert reach(other, "task", "sts", 22).verdict == "no"  # No security group of the task lets it out.
    assert set(matrix(other)["verdict"]) == {"yes", "no", "unknown"}


def test_a_service_without_a_security_group_has_the_vpcs_default_one(dev: Inventory) -> None:
    answer = reach(change(dev, "services", lambda r: True, group_ids=[]), "task", "internet", 443)
    assert answer.stops[0].where == DEFAULT


# ── interfaces that someone else made ──


def test_an_instance_next_to_the_tasks_is_in_the_matrix_and_answers_to_its_name_and_address(dev: Inventory) -> None:
    (task,) = dev.rows("services")
    subnet = next(row for row in dev.rows("subnets") if row.subnet_id == task.subnet_ids[0])
    instance = {
        "name": "i-1", "type": "instance", "network_interface_id": "eni-1", "owner_id": "i-1", "vpc_id": subnet.vpc_id,
        "subnet_id": subnet.subnet_id, "group_ids": task.group_ids, "private_ips": ["10.0.10.77"],
    }  # fmt: skip
    more = dev.replace(network_interfaces=[*dev.rows("network_interfaces"), instance])
    found = matrix(more)
    assert {row.target for row in found.itertuples() if row.source == "i-1"} == {"internet", "task"}
    for name in ("i-1", "10.0.10.77"):
        # Unlike a task it may use port 8080 as a client, where the private ACL stops the reply.
        assert reach(more, name, "logs", 443).verdict == "partly"
        assert reach(more, "internet", name, 22).verdict == "no"
    assert reach(dev, "10.0.10.77", "logs", 443).verdict == "unknown"


def test_a_private_nat_gateway_does_not_lead_to_the_internet(dev: Inventory) -> None:
    private = change(dev, "nat_gateways", lambda r: True, connectivity="private", public_ip="")
    answer = reach(private, "task", "internet", 443)
    assert answer.verdict == "no" and "private" in answer.reason


def test_where_a_regional_nat_gateway_leads_is_unknown(dev: Inventory) -> None:
    regional = change(dev, "nat_gateways", lambda r: True, subnet_id=None, subnet=None, az=None)
    assert reach(regional, "task", "internet", 443).verdict == "unknown"
    assert set(matrix(regional)["verdict"]) == {"yes", "no", "unknown"}


# ── IPv6 ──


def six(dev: Inventory) -> Inventory:
    """The public subnets and the load balancer with IPv6 addresses too, open to IPv6 on port 80."""
    ranges = {f"{PUBLIC}-us-east-1{zone}": [f"2600:1f18:0:{n}::/64"] for n, zone in enumerate("abc")}
    moved = dev.replace(
        subnets=[row.replaced(ipv6_cidrs=ranges.get(row.name, [])) for row in dev.rows("subnets")],
        network_interfaces=[
            *dev.rows("network_interfaces"),
            {
                "name": "alb",
                "type": "load_balancer",
                "network_interface_id": "eni-alb",
                "owner_id": dev.rows("load_balancers")[0].load_balancer_arn.partition("loadbalancer/")[2],
                "ipv6_addresses": ["2600:1f18:0:1::7"],
            },
        ],
    )
    igw = next(r for r in dev.rows("routes") if r.target_type == "internet_gateway")
    routed = add(moved, "routes", igw, destination="::/0", destination_id="::/0")
    ruled = add(
        routed,
        "security_group_rules",
        **rule(dev, "alb-sg", direction="ingress", peer="::/0", peer_id="::/0", from_port=80, to_port=80),
    )
    for direction, ports in (("ingress", (80, 80)), ("egress", (1024, 65535))):
        ruled = add(
            ruled,
            "nacl_entries",
            **entry(
                dev,
                PUBLIC,
                direction=direction,
                rule_number=500,
                action="allow",
                cidr="::/0",
                from_port=ports[0],
                to_port=ports[1],
            ),
        )
    return ruled


def test_ipv6_needs_rules_and_routes_of_its_own(dev: Inventory) -> None:
    whole = six(dev)
    assert reach(whole, "::/0", "alb", 80).verdict == "yes"
    for table in ("routes", "security_group_rules", "nacl_entries"):
        column = {"routes": "destination", "security_group_rules": "peer", "nacl_entries": "cidr"}[table]
        assert reach(drop(whole, table, lambda r, c=column: getattr(r, c) == "::/0"), "::/0", "alb", 80).verdict == "no"


def test_whether_something_has_an_ipv6_address_is_not_guessed(dev: Inventory) -> None:
    unseen = six(dev).replace(network_interfaces=dev.rows("network_interfaces"))
    answer = reach(unseen, "::/0", "alb", 80)
    assert answer.verdict == "unknown" and "IPv6" in answer.reason
    back = six(dev).replace(subnets=dev.rows("subnets"))
    answer = reach(back, "::/0", "alb", 80)
    assert answer.verdict == "no" and "no IPv6 address" in answer.reason


def test_an_egress_only_gateway_lets_out_and_not_in(dev: Inventory) -> None:
    whole = change(
        six(dev),
        "routes",
        lambda r: r.destination == "::/0",
        target="eigw-1",
        target_id="eigw-1",
        target_type="other",
    )
    assert reach(whole, "::/0", "alb", 80).verdict == "no"
    out = add(
        whole,
        "security_group_rules",
        **rule(dev, "alb-sg", direction="egress", peer="::/0", peer_id="::/0", from_port=443, to_port=443),
    )
    for direction, ports in (("egress", (443, 443)), ("ingress", (1024, 65535))):
        out = add(
            out,
            "nacl_entries",
            **entry(
                dev,
                PUBLIC,
                direction=direction,
                rule_number=510,
                action="allow",
                cidr="::/0",
                from_port=ports[0],
                to_port=ports[1],
            ),
        )
    assert reach(out, "alb", "::/0", 443).verdict == "yes"


# ── unknowns and invalid questions ──


def test_an_address_has_security_groups_that_nobody_knows(dev: Inventory) -> None:
    assert reach(dev, "10.0.0.7", "task", 8080).verdict == "unknown"
    assert reach(dev, "10.0.0.7", "task", 22).verdict == "no"


def test_a_subnet_whose_network_acl_was_not_read_is_unknown(dev: Inventory) -> None:
    blind = change(dev, "subnets", lambda r: r.name.startswith(PUBLIC), network_acl=None, network_acl_id=None)
    assert reach(blind, "internet", "alb", 80).verdict == "unknown"


@pytest.mark.parametrize(
    ("source", "target", "port", "protocol", "message"),
    [
        ("task", "lambda", 443, "tcp", "nothing called 'lambda'"),
        ("taks", "s3", 443, "tcp", "nothing called 'taks'"),
        ("task", "s3", 70000, "tcp", "no port 70000"),
        ("task", "s3", 443, "icmp", "not 'icmp'"),
        ("s3", "task", 443, "tcp", "opens no connection"),
    ],
)
def test_a_wrong_question_gets_a_sentence(
    dev: Inventory, source: str, target: str, port: int, protocol: str, message: str
) -> None:
    with pytest.raises(WorkbookError, match=message):
        reach(dev, source, target, port, protocol)


def test_a_subnet_that_the_party_is_not_in_is_an_error(dev: Inventory) -> None:
    with pytest.raises(WorkbookError, match="is not in the subnet"):
        reach(dev, "task", "s3", 443, source_subnet=f"{PUBLIC}-us-east-1a")
    with pytest.raises(WorkbookError, match="no subnet"):
        reach(dev, "task", "s3", 443, source_subnet="nowhere")


def test_the_answer_is_shown_with_its_hops(dev: Inventory) -> None:
    answer = reach(dev, "internet", "task", 8080)
    text = answer.rendered().text
    assert text.startswith("internet → task, tcp 8080: no")
    assert P not in text and "…-task-sg" in text
    assert "rule 190: deny tcp 8080 0.0.0.0/0" in text and "1024-65535" in text
    assert list(answer.hops().columns) == ["direction", "hop", "where", "verdict", "rule"]
