"""Who may reach what, computed from the inventory: the arrows of the diagrams.

Nothing here asks AWS. A flow exists only while the rules, routes and policies that allow it are in the inventory, so an arrow
that disappears from a picture is a rule that disappeared from the account.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from graphlib import CycleError, TopologicalSorter
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import pandas as pd

from workbook.inventory import Inventory

Row = dict[str, Any]
ANYWHERE = ("0.0.0.0/0", "::/0")
# Ranges that the internet does not carry (RFC 1918, RFC 4193). `is_private` counts the documentation ranges too.
_PRIVATE = [ipaddress.ip_network(cidr) for cidr in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")]


class Key(NamedTuple):
    """A resource: its table in the inventory and its name there. Table `generic`: what no account holds, such as the internet."""

    table: str
    name: str


INTERNET = Key("generic", "Internet")


class Flow(NamedTuple):
    """An arrow: from, to, and by what (a port, an action)."""

    source: Key
    target: Key
    label: str


# An inventory never changes, and a picture asks it for the same tables again and again.
_READ: WeakKeyDictionary[Inventory, dict[str, list[Row]]] = WeakKeyDictionary()


def rows(inventory: Inventory, table: str, **where: Any) -> list[Row]:
    """Rows of a table as dicts, those whose columns equal `where`. They are shared: read them, do not change them."""
    read = _READ.setdefault(inventory, {})
    if table not in read:
        read[table] = [
            {str(column): value for column, value in row.items()} for row in inventory[table].to_dict("records")
        ]
    return [row for row in read[table] if all(row[column] == value for column, value in where.items())]


# ── security groups ──


@dataclass(frozen=True)
class _Member:
    """Something that security groups guard: its groups and the ranges its addresses come from."""

    key: Key
    groups: tuple[str, ...]
    ranges: tuple[str, ...]
    public: bool


def _members(inventory: Inventory) -> list[_Member]:
    cidr = {row["name"]: row["cidr"] for row in rows(inventory, "subnets")}
    public_subnets = {row["name"] for row in rows(inventory, "subnets", tier="public")}
    found = []
    for table in ("load_balancers", "services", "endpoints"):
        for row in rows(inventory, table):
            ranges = tuple(cidr[name] for name in row["subnets"] if name in cidr)
            public = (
                table == "load_balancers" and row["scheme"] != "internal" and bool(public_subnets & set(row["subnets"]))
            )
            found.append(_Member(Key(table, row["name"]), tuple(row["security_groups"]), ranges, public))
    return found


def _rules(inventory: Inventory, member: _Member, direction: str) -> list[Row]:
    return [
        row
        for row in rows(inventory, "security_group_rules", direction=direction)
        if row["security_group"] in member.groups
    ]


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
        rule["peer"] in peer.groups
        if rule["peer_type"] == "security_group"
        else rule["peer_type"] == "cidr" and _covers(rule["peer"], peer.ranges)
    )


def _span(rule: Row) -> tuple[int, int]:
    first, last = rule["from_port"], rule["to_port"]
    return (0, 65535) if pd.isna(first) or first < 0 else (int(first), int(last))


def _meet(one: Row, other: Row) -> bool:
    """Whether two rules share a protocol and a port."""
    (a, b), (c, d) = _span(one), _span(other)
    return (one["protocol"] == other["protocol"] or "all" in (one["protocol"], other["protocol"])) and a <= d and c <= b


def port(rule: Row) -> str:
    """`:443`, or what the rule says instead of a port."""
    return (
        f":{rule['ports']}"
        if str(rule["ports"])[:1].isdigit()
        else f"{rule['protocol']} {rule['ports']}".replace("all all", "all")
    )


def network_flows(inventory: Inventory) -> list[Flow]:
    """Load balancers, services and interface endpoints that may open a connection to one another, and the internet to a public one.

    A flow needs both sides: an ingress rule of the target and, where the source is guarded too, an egress rule of its own.
    """
    members = _members(inventory)
    found: dict[Flow, None] = {}
    for target in members:
        for rule in _rules(inventory, target, "ingress"):
            if target.public and rule["peer_type"] == "cidr" and not _private(rule["peer"]):
                source = "" if rule["peer"] in ANYWHERE else f" from {rule['peer']}"
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
    names = {row["name"] for row in rows(inventory, "security_groups")}
    found: dict[Flow, None] = {}
    for rule in rows(inventory, "security_group_rules", direction="ingress"):
        target = Key("security_groups", rule["security_group"])
        if rule["peer_type"] == "security_group" and rule["peer"] in names:
            found[Flow(Key("security_groups", rule["peer"]), target, port(rule))] = None
        elif rule["peer_type"] == "cidr" and not _private(rule["peer"]):
            found[
                Flow(INTERNET, target, port(rule) if rule["peer"] in ANYWHERE else f"{port(rule)} from {rule['peer']}")
            ] = None
    return list(found)


def in_order(keys: list[Key], flows: list[Flow]) -> list[Key]:
    """`keys` with the source of a flow before its target, those without a flow last; as given where flows go in a circle."""
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


def route_flows(inventory: Inventory) -> list[Flow]:
    """Routes of the route tables that a subnet uses, to a gateway or an endpoint; labelled with the destination."""
    return [
        Flow(
            Key("routes", row["route_table"]),
            Key(ROUTE_TARGETS[row["target_type"]], row["target"]),
            short_destination(row["destination"]),
        )
        for row in rows(inventory, "routes")
        if row["target_type"] in ROUTE_TARGETS and row["subnets"] and row["state"] != "blackhole"
    ]


def gateway_flows(inventory: Inventory) -> list[Flow]:
    """NAT gateways to the internet gateway that the route table of their subnet leads to, and that one to the internet."""
    leads = {
        subnet: row["target"]
        for row in rows(inventory, "routes", target_type="internet_gateway")
        for subnet in row["subnets"]
    }
    nats = [
        Flow(Key("nat_gateways", row["name"]), Key("internet_gateways", leads[row["subnet"]]), "")
        for row in rows(inventory, "nat_gateways")
        if row["subnet"] in leads
    ]
    used = {Key("internet_gateways", name) for name in leads.values()}
    return [*nats, *(Flow(key, INTERNET, "") for key in sorted(used))]


def short_destination(destination: str) -> str:
    """A prefix list by its service: `com.amazonaws.us-east-1.s3` is `S3 in this region`."""
    return (
        f"{destination.rsplit('.', 1)[-1].upper()} in this region"
        if destination.startswith("com.amazonaws.")
        else destination
    )


def egress_flows(inventory: Inventory, subnet: str = "") -> list[Flow]:
    """How services leave their subnets: by a NAT gateway or gateway endpoint, where groups and route tables both let them.

    With the name of a `subnet`, only of tasks in that one.
    """
    table_of = {row["name"]: row["route_table"] for row in rows(inventory, "subnets")}
    inside = {
        row["name"]: [name for name in row["subnets"] if subnet in ("", name)] for row in rows(inventory, "services")
    }
    found: dict[Flow, None] = {}
    for member in (member for member in _members(inventory) if member.key.table == "services"):
        tables = {table_of[name] for name in inside[member.key.name] if name in table_of}
        routes = [
            row
            for row in rows(inventory, "routes")
            if row["route_table"] in tables and row["target_type"] in ("nat_gateway", "vpc_endpoint")
        ]
        for rule in _rules(inventory, member, "egress"):
            for route in (row for row in routes if row["state"] != "blackhole"):
                listed = rule["peer_type"] == "prefix_list" and rule["peer"] == route["destination"]
                anywhere = rule["peer_type"] == "cidr" and rule["peer"] in ANYWHERE
                if listed or anywhere:
                    found[Flow(member.key, Key(ROUTE_TARGETS[route["target_type"]], route["target"]), port(rule))] = (
                        None
                    )
    return list(found)


# ── policies ──

_VERBS = (
    ("list", ("List", "Describe")),
    ("read", ("Get", "BatchGet", "BatchCheck")),
    ("write", ("Put", "Create", "Replicate", "Restore", "Update")),
    ("delete", ("Delete",)),
)


def verbs(actions: list[str]) -> str:
    """`list, read, write, delete` of the actions; `anything` for a service wildcard."""
    names = [action.split(":", 1)[-1] for action in actions]
    if any(name == "*" for name in names):
        return "anything"
    said = [verb for verb, starts in _VERBS if any(name.startswith(starts) for name in names)]
    return ", ".join(said) or "other"


def _named(inventory: Inventory) -> Iterator[tuple[Key, str]]:
    for table, column in (
        ("buckets", "bucket_arn"),
        ("repositories", "repository_arn"),
        ("log_groups", "log_group_arn"),
    ):
        for row in rows(inventory, table):
            yield Key(table, row["name"]), str(row[column]).removesuffix(":*")


def _matches(arn: str, pattern: str) -> bool:
    return any(fnmatchcase(candidate, pattern) for candidate in (arn, f"{arn}/x", f"{arn}:x"))


def _granted(inventory: Inventory, statements: list[Row], source: Key) -> Iterator[tuple[Key, Key, str]]:
    for statement in statements:
        if statement["effect"] == "Allow":
            service = {str(action).split(":", 1)[0] for action in statement["actions"]}
            for target, arn in _named(inventory):
                # `*` as a resource says nothing of a bucket where the actions are another service's.
                if ("*" in service or arn.split(":")[2] in service) and any(
                    _matches(arn, pattern) for pattern in statement["resources"]
                ):
                    for action in statement["actions"]:
                        if action == "*" or action.split(":", 1)[0] == arn.split(":")[2]:
                            yield source, target, action


def _summed(granted: list[tuple[Key, Key, str]]) -> list[Flow]:
    pairs: dict[tuple[Key, Key], list[str]] = {}
    for source, target, action in granted:
        pairs.setdefault((source, target), []).append(action)
    return [Flow(source, target, verbs(actions)) for (source, target), actions in pairs.items()]


def role_flows(inventory: Inventory) -> list[Flow]:
    """Roles to the buckets, repositories and log groups that their policies allow; labelled with the verbs. Boundaries only take away."""
    granted: list[tuple[Key, Key, str]] = []
    for statement in rows(inventory, "iam_statements"):
        if statement["kind"] != "boundary":
            for role in statement["roles"]:
                granted += _granted(inventory, [statement], Key("roles", role))
    return _summed(granted)


def endpoint_flows(inventory: Inventory) -> list[Flow]:
    """VPC endpoints to the buckets, repositories and log groups that their policies let through."""
    granted: list[tuple[Key, Key, str]] = []
    for endpoint in rows(inventory, "endpoints"):
        granted += _granted(
            inventory,
            rows(inventory, "endpoint_policy_statements", endpoint=endpoint["name"]),
            Key("endpoints", endpoint["name"]),
        )
    return _summed(granted)


# ── logs and copies ──


def record_flows(inventory: Inventory) -> list[Flow]:
    """What is written down or copied by itself: access logs, flow logs, container logs, replicas."""
    known = {Key(table, row["name"]) for table in ("buckets", "log_groups") for row in rows(inventory, table)}
    family = {row["task_definition"]: row["name"] for row in rows(inventory, "services")}
    wanted = [
        *(
            Flow(Key("buckets", r["name"]), Key("buckets", r["logging_bucket"]), "access logs")
            for r in rows(inventory, "buckets")
        ),
        *(
            Flow(Key("buckets", r["name"]), Key("buckets", copy), "replication")
            for r in rows(inventory, "buckets")
            for copy in r["replicates_to"]
        ),
        *(
            Flow(Key("load_balancers", r["name"]), Key("buckets", r["access_logs"].split("/")[0]), "access logs")
            for r in rows(inventory, "load_balancers")
        ),
        *(
            Flow(Key("vpcs", r["resource"]), Key("log_groups", r["destination"]), "flow logs")
            for r in rows(inventory, "flow_logs")
        ),
        *(
            Flow(Key("services", family[r["task_definition"]]), Key("log_groups", r["log_group"]), "logs")
            for r in rows(inventory, "containers")
            if r["task_definition"] in family
        ),
    ]
    return [flow for flow in dict.fromkeys(wanted) if flow.target in known]


def resource_policy_flows(inventory: Inventory) -> list[Flow]:
    """Principals to the repositories whose own policy allows them: a role by its name, anyone else as `generic`."""
    role_of = {row["role_arn"]: row["name"] for row in rows(inventory, "roles")}
    granted: list[tuple[Key, Key, str]] = []
    for statement in rows(inventory, "repository_policy_statements"):
        if statement["effect"] == "Allow":
            for principal in statement["principals"]:
                role = role_of.get(principal.split(": ", 1)[-1])
                source = Key("roles", role) if role else Key("generic", principal)
                granted += [
                    (source, Key("repositories", statement["repository"]), action) for action in statement["actions"]
                ]
    return _summed(granted)


def statement_summary(inventory: Inventory, policy: str, role: str = "") -> list[str]:
    """What a policy allows, a service a line: `s3: list, read, write`."""
    services: dict[str, list[str]] = {}
    for row in rows(inventory, "iam_statements", policy=policy):
        if row["effect"] == "Allow" and row["kind"] != "boundary" and (not role or role in row["roles"]):
            for action in row["actions"]:
                services.setdefault(action.split(":", 1)[0], []).append(action)
    return [f"{service}: {verbs(actions)}" for service, actions in services.items()]
