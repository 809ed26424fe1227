"""Who may reach what by rules and routes, computed from the inventory: arrows of the diagrams. By policies:
access/grants.py.

Nothing here asks AWS. A flow exists only while the rules and routes that allow it are in the inventory, so an arrow
that disappears from a picture is a rule that disappeared from the account.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

from workbook.inventory import TABLES, Inventory, Row
from workbook.network.traffic import of

ANYWHERE = ("0.0.0.0/0", "::/0")
# Ranges that the internet does not carry (RFC 1918, RFC 4193). `is_private` counts the documentation ranges too.
_PRIVATE = [ipaddress.ip_network(cidr) for cidr in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")]


@dataclass(frozen=True)
class Key:
    """A resource: its table in the inventory and what AWS tells it apart by there (`Table.key`; of `routes` the route
    table's id).

    Table `generic`: what no account holds, such as the internet. `name` is for people and takes no part in comparisons.
    """

    table: str
    id: str
    name: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.name or self.id)

    @classmethod
    def of(cls, table: str, row: Row) -> Key:
        """The key of a row of a table that has names and a key."""
        return cls(table, getattr(row, TABLES[table].key), row.name)


INTERNET = Key("generic", "Internet")


class Flow(NamedTuple):
    """An arrow: from, to, and by what (a port, an action)."""

    source: Key
    target: Key
    label: str


# ── security groups ──


@dataclass(frozen=True)
class _Member:
    """Something that security groups guard: ids of its groups and subnets, and the ranges its addresses come from."""

    key: Key
    groups: tuple[str, ...]
    ranges: tuple[str, ...]
    public: bool
    subnets: tuple[str, ...]


def _members(inventory: Inventory) -> list[_Member]:
    subnets = inventory.by_key("subnets")
    found = []
    for table in ("load_balancers", "services", "endpoints"):
        for row in inventory.rows(table):
            inside = [subnets[id] for id in row.subnet_ids if id in subnets]
            public = (
                table == "load_balancers"
                and row.scheme != "internal"
                and any(subnet.tier == "public" for subnet in inside)
            )
            ranges = tuple(subnet.cidr for subnet in inside if subnet.cidr)
            found.append(_Member(Key.of(table, row), tuple(row.group_ids), ranges, public, tuple(row.subnet_ids)))
    return found


def _rules(inventory: Inventory, member: _Member, direction: str) -> list[Row]:
    return [row for row in inventory.rows("security_group_rules", direction=direction) if row.group_id in member.groups]


def _covers(cidr: str, ranges: tuple[str, ...]) -> bool:
    """Whether `cidr` holds any of `ranges`."""
    if cidr in ANYWHERE:
        return True
    network = ipaddress.ip_network(cidr, strict=False)
    return any(
        network.overlaps(ipaddress.ip_network(other))
        for other in ranges
        if network.version == ipaddress.ip_network(other).version
    )


def _allows(rule: Row, peer: _Member) -> bool:
    return (
        rule.peer_id in peer.groups
        if rule.peer_type == "security_group"
        else rule.peer_type == "cidr" and _covers(rule.peer, peer.ranges)
    )


def _meet(one: Row, other: Row) -> bool:
    """Whether two rules share a protocol and a port."""
    return bool(of(one) & of(other))


def port(rule: Row) -> str:
    """`:443`, or what the rule says instead of a port."""
    return (
        f":{rule.ports}" if str(rule.ports)[:1].isdigit() else f"{rule.protocol} {rule.ports}".replace("all all", "all")
    )


def network_flows(inventory: Inventory) -> list[Flow]:
    """Load balancers, services and interface endpoints that may open a connection to one another, and the internet to a
    public one.

    A flow needs both sides: an ingress rule of the target and, where the source is guarded too, an egress rule of its
    own.
    """
    members = _members(inventory)
    found: dict[Flow, None] = {}
    for target in members:
        for rule in _rules(inventory, target, "ingress"):
            if target.public and rule.peer_type == "cidr" and not _private(rule.peer):
                source = "" if rule.peer in ANYWHERE else f" from {rule.peer}"
                found[Flow(INTERNET, target.key, port(rule) + source)] = None
            for source_member in members:
                if source_member is target or not _allows(rule, source_member):
                    continue
                if any(_meet(rule, out) and _allows(out, target) for out in _rules(inventory, source_member, "egress")):
                    found[Flow(source_member.key, target.key, port(rule))] = None
    return list(found)


def _private(cidr: str) -> bool:
    network = ipaddress.ip_network(cidr, strict=False)
    return any(network.version == private.version and network.subnet_of(private) for private in _PRIVATE)  # type: ignore[arg-type]


def group_flows(inventory: Inventory) -> list[Flow]:
    """The ingress rules between security groups, and from the internet: what the groups say, whoever is in them."""
    known = {group.group_id: Key.of("security_groups", group) for group in inventory.rows("security_groups")}
    found: dict[Flow, None] = {}
    for rule in inventory.rows("security_group_rules", direction="ingress"):
        target = Key("security_groups", rule.group_id, rule.security_group)
        if rule.peer_type == "security_group" and rule.peer_id in known:
            found[Flow(known[rule.peer_id], target, port(rule))] = None
        elif rule.peer_type == "cidr" and not _private(rule.peer):
            found[Flow(INTERNET, target, port(rule) if rule.peer in ANYWHERE else f"{port(rule)} from {rule.peer}")] = (
                None
            )
    return list(found)


def in_order(keys: list[Key], flows: list[Flow]) -> list[Key]:
    """`keys` with the source of a flow before its target, those without a flow last; as given where flows go in a
    circle.
    """
    before: dict[Key, list[Key]] = {}
    for source, target, _ in flows:
        if target in keys and source != target:
            before.setdefault(target, []).extend([source] if source in keys else [])
    try:
        sorted_keys = list(TopologicalSorter(before).static_order())
    except CycleError:
        return keys
    return [*sorted_keys, *(key for key in keys if key not in sorted_keys)]


# ── routes ──

ROUTE_TARGETS = {"internet_gateway": "internet_gateways", "nat_gateway": "nat_gateways", "vpc_endpoint": "endpoints"}


def _target(route: Row) -> Key:
    return Key(ROUTE_TARGETS[route.target_type], route.target_id, route.target)


def route_flows(inventory: Inventory) -> list[Flow]:
    """Routes of the route tables that a subnet uses, to a gateway or an endpoint; labelled with the destination."""
    return [
        Flow(Key("routes", row.route_table_id, row.route_table), _target(row), short_destination(row.destination))
        for row in inventory.rows("routes")
        if row.target_type in ROUTE_TARGETS and row.subnet_ids and row.state != "blackhole"
    ]


def gateway_flows(inventory: Inventory) -> list[Flow]:
    """NAT gateways to the internet gateway that the route table of their subnet leads to, and that one to the internet."""
    leads = {
        subnet: _target(row)
        for row in inventory.rows("routes", target_type="internet_gateway")
        for subnet in row.subnet_ids
    }
    nats = [
        Flow(Key.of("nat_gateways", row), leads[row.subnet_id], "")
        for row in inventory.rows("nat_gateways")
        if row.subnet_id in leads
    ]
    used = {*leads.values()}
    return [*nats, *(Flow(key, INTERNET, "") for key in sorted(used, key=lambda key: (key.name, key.id)))]


def short_destination(destination: str) -> str:
    """A prefix list by its service: `com.amazonaws.us-east-1.s3` is `S3 in this region`."""
    return (
        f"{destination.rsplit('.', 1)[-1].upper()} in this region"
        if destination.startswith("com.amazonaws.")
        else destination
    )


def egress_flows(inventory: Inventory, subnet: str = "") -> list[Flow]:
    """How services leave their subnets: by a NAT gateway or gateway endpoint, where groups and route tables both let
    them.

    With the id of a `subnet`, only of tasks in that one.
    """
    table_of = {row.subnet_id: row.route_table_id for row in inventory.rows("subnets")}
    found: dict[Flow, None] = {}
    for member in (member for member in _members(inventory) if member.key.table == "services"):
        tables = {table_of[id] for id in member.subnets if id in table_of and subnet in ("", id)}
        routes = [
            row
            for row in inventory.rows("routes")
            if row.route_table_id in tables and row.target_type in ("nat_gateway", "vpc_endpoint")
        ]
        for rule in _rules(inventory, member, "egress"):
            for route in (row for row in routes if row.state != "blackhole"):
                listed = rule.peer_type == "prefix_list" and rule.peer_id == route.destination_id
                anywhere = rule.peer_type == "cidr" and rule.peer in ANYWHERE
                if listed or anywhere:
                    found[Flow(member.key, _target(route), port(rule))] = None
    return list(found)


# ── logs and copies ──


def record_flows(inventory: Inventory) -> list[Flow]:
    """What is written down or copied by itself: access logs, flow logs, container logs, replicas."""
    known = {Key.of(table, row) for table in ("buckets", "log_groups") for row in inventory.rows(table)}
    wanted = [
        *(
            Flow(Key.of("buckets", r), Key("buckets", r.logging_bucket), "access logs")
            for r in inventory.rows("buckets")
        ),
        *(
            Flow(Key.of("buckets", r), Key("buckets", copy), "replication")
            for r in inventory.rows("buckets")
            for copy in r.replicates_to
        ),
        *(
            Flow(Key.of("load_balancers", r), Key("buckets", (r.access_logs or "").split("/")[0]), "access logs")
            for r in inventory.rows("load_balancers")
        ),
        *(
            Flow(Key("vpcs", r.resource_id, r.resource), Key("log_groups", r.destination), "flow logs")
            for r in inventory.rows("flow_logs")
        ),
        *(
            Flow(Key.of("services", service), Key("log_groups", r.log_group), "logs")
            for service in inventory.rows("services")
            for r in inventory.rows("containers", task_definition=service.task_definition)
        ),
    ]
    return [flow for flow in dict.fromkeys(wanted) if flow.target in known]
