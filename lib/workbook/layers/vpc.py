"""The layer `vpc`: what its page asks, how it improves on the first version, what it costs."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from workbook.layers.record import Layer, Price, Step, count

if TYPE_CHECKING:
    from workbook.inventory import Inventory


def _zones(inventory: Inventory) -> str:
    return ", ".join(sorted({subnet.az for subnet in inventory.rows("subnets")}))


def _tiers(inventory: Inventory) -> str:
    counts = Counter(subnet.tier for subnet in inventory.rows("subnets"))
    return ", ".join(f"{counts[tier]} {tier}" for tier in ("public", "private") if tier in counts)


def _nat(inventory: Inventory) -> str:
    nats = inventory.rows("nat_gateways")
    using = {route.route_table_id for route in inventory.rows("routes", target_type="nat_gateway")}
    zones = ", ".join(nat.az or "unknown" for nat in nats)
    return f"{len(nats)} in {zones}, the default route of {len(using)} route tables" if nats else ""


def _route_tables(inventory: Inventory) -> str:
    used = [route for route in inventory.rows("routes") if route.subnet_ids]
    own = {route.route_table_id: tuple(route.subnet_ids) for route in used if not route.main}
    main = {id for route in used if route.main for id in route.subnet_ids}
    parts = [f"{len(own)}, one for {len(set(own.values()))} groups of subnets"] if own else []
    if main:
        parts.append(f"the VPC's main one for {count(len(main), 'subnet')}")
    return "; ".join(parts)


def _endpoints(inventory: Inventory) -> str:
    found = inventory.rows("endpoints")
    return "; ".join(
        f"{kind}: {', '.join(sorted(endpoint.service for endpoint in found if endpoint.type == kind))}"
        for kind in sorted({endpoint.type for endpoint in found})
    )


def _acls(inventory: Inventory) -> str:
    entries = [entry for entry in inventory.rows("nacl_entries") if entry.rule_number < 32767]
    made = Counter(entry.network_acl_id for entry in entries if not entry.is_default)
    names = {entry.network_acl_id: entry.network_acl for entry in entries}
    parts = [f"{names[id]}: {number} entries" for id, number in sorted(made.items(), key=lambda of: names[of[0]])]
    in_use = [entry for entry in entries if entry.is_default and entry.subnet_ids]
    parts += [f"the default one: {e.direction} {e.action} {e.ports}, {e.cidr}" for e in in_use]
    return ", ".join(parts)


def _open_ingress(inventory: Inventory) -> str:
    rules = inventory.rows("security_group_rules")
    if not rules:
        return ""
    opened = [r for r in rules if r.direction == "ingress" and r.peer_id in ("0.0.0.0/0", "::/0")]
    where = ", ".join(f"{r.security_group} on {r.ports}" for r in opened) or "none"
    naming = sum(r.peer_type == "security_group" for r in rules)
    return f"open to the internet: {where}; {naming} rules name a security group"


def _flow_logs(inventory: Inventory) -> str:
    groups = inventory.by_key("log_groups")
    kept = {name: f", {group.retention_days} days" for name, group in groups.items() if group.retention_days}
    return "; ".join(
        f"{log.traffic_type} to {log.destination}{kept.get(log.destination, '')}" for log in inventory.rows("flow_logs")
    )


def _interface_addresses(inventory: Inventory) -> float:
    return float(sum(len(endpoint.subnet_ids) for endpoint in inventory.rows("endpoints", type="Interface")))


def _usage(inventory: Inventory) -> str:
    """Depends on what this network has: a first version has neither NAT nor flow logs."""
    types = {endpoint.type for endpoint in inventory.rows("endpoints")}
    charges = [
        (len(inventory.rows("nat_gateways")) > 0, "0.045 for each GB through NAT"),
        ("Interface" in types, "0.01 for each GB through an interface endpoint"),
        (len(inventory.rows("flow_logs")) > 0, "0.50 for each GB of flow logs"),
        (
            any(subnet.public_ip_on_launch for subnet in inventory.rows("subnets")),
            "0.005 an hour for each public address handed out on launch",
        ),
    ]
    said = ", ".join(text for there, text in charges if there) or "nothing"
    return f"{said}. The S3 gateway endpoint is free." if "Gateway" in types else f"{said}."


LAYER = Layer(
    key="vpc",
    order=1,
    title="The network",
    question="Can anyone on the internet reach a task?",
    core_table="vpcs",
    steps=(
        Step("Availability", "one Availability Zone", "three Availability Zones", _zones),
        Step("Subnets", "simple subnet configuration", "public and private tiers", _tiers),
        Step("Way out", "none for private subnets", "NAT gateway", _nat),
        Step(
            "Route tables", "one for all", "one for the public tier, one per zone for the private tier", _route_tables
        ),
        Step(
            "Way to AWS services", "no endpoints: through the internet", "VPC endpoints, each with a policy", _endpoints
        ),
        Step("Subnet firewall", "default network ACL, all open", "a network ACL for each tier", _acls),
        Step("Instance firewall", "basic security groups", "security groups that name their source", _open_ingress),
        Step("Traffic record", "none", "flow logs of all traffic", _flow_logs),
    ),
    prices=(
        Price("NAT gateway", 0.045, lambda inventory: float(len(inventory.rows("nat_gateways")))),
        Price(
            "public IPv4 address of a NAT gateway", 0.005, lambda inventory: float(len(inventory.rows("nat_gateways")))
        ),
        Price("interface endpoint, for each zone", 0.01, _interface_addresses),
    ),
    usage=_usage,
)
