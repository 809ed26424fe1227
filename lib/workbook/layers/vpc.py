"""The layer `vpc`: what its page asks, how it improves on the first version, what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbook.layers.record import Layer, Price, Step, count, rows

if TYPE_CHECKING:
    from workbook.inventory import Inventory


def _zones(inventory: Inventory) -> str:
    return ", ".join(sorted(set(inventory["subnets"]["az"])))


def _tiers(inventory: Inventory) -> str:
    counts = inventory["subnets"]["tier"].value_counts()
    return ", ".join(f"{counts[tier]} {tier}" for tier in ("public", "private") if tier in counts)


def _nat(inventory: Inventory) -> str:
    nats, routes = inventory["nat_gateways"], inventory["routes"]
    using = routes[routes["target_type"] == "nat_gateway"]["route_table"].nunique()
    return f"{len(nats)} in {', '.join(nats['az'])}, the default route of {using} route tables" if len(nats) else ""


def _route_tables(inventory: Inventory) -> str:
    routes = inventory["routes"]
    used = routes[routes["subnets"].map(bool).astype(bool)]
    own, main = used[~used["main"].astype(bool)], used[used["main"].astype(bool)]
    parts = (
        [f"{own['route_table'].nunique()}, one for {len(set(map(tuple, own['subnets'])))} groups of subnets"]
        if len(own)
        else []
    )
    if len(main):
        parts.append(f"the VPC's main one for {count(len(set(main['subnets'].explode())), 'subnet')}")
    return "; ".join(parts)


def _endpoints(inventory: Inventory) -> str:
    found = inventory["endpoints"]
    return "; ".join(f"{kind}: {', '.join(sorted(group['service']))}" for kind, group in found.groupby("type"))


def _acls(inventory: Inventory) -> str:
    entries = inventory["nacl_entries"]
    entries = entries[entries["rule_number"] < 32767]
    default = entries["is_default"].astype(bool)
    parts = [f"{name}: {len(group)} entries" for name, group in entries[~default].groupby("network_acl")]
    in_use = entries[default & entries["subnets"].map(bool).astype(bool)]
    parts += [f"the default one: {e.direction} {e.action} {e.ports}, {e.cidr}" for e in rows(in_use)]
    return ", ".join(parts)


def _open_ingress(inventory: Inventory) -> str:
    rules = inventory["security_group_rules"]
    if not len(rules):
        return ""
    opened = rules[(rules["direction"] == "ingress") & rules["peer"].isin(["0.0.0.0/0", "::/0"])]
    where = ", ".join(f"{r.security_group} on {r.ports}" for r in rows(opened)) or "none"
    return (
        f"open to the internet: {where}; {(rules['peer_type'] == 'security_group').sum()} rules name a security group"
    )


def _flow_logs(inventory: Inventory) -> str:
    logs = inventory["flow_logs"].merge(
        inventory["log_groups"], left_on="destination", right_on="name", how="left", suffixes=("", "_group")
    )
    return "; ".join(f"{r.traffic_type} to {r.destination}, {r.retention_days:.0f} days" for r in rows(logs))


def _interface_addresses(inventory: Inventory) -> float:
    endpoints = inventory["endpoints"]
    return float(sum(len(subnets) for subnets in endpoints.loc[endpoints["type"] == "Interface", "subnets"]))


def _usage(inventory: Inventory) -> str:
    """What this network has decides: a first version has neither NAT nor flow logs."""
    types = set(inventory["endpoints"]["type"])
    charges = [
        (len(inventory["nat_gateways"]) > 0, "0.045 for each GB through NAT"),
        ("Interface" in types, "0.01 for each GB through an interface endpoint"),
        (len(inventory["flow_logs"]) > 0, "0.50 for each GB of flow logs"),
        (
            bool(inventory["subnets"]["public_ip_on_launch"].fillna(False).any()),
            "0.005 an hour for each public address handed out on launch",
        ),
    ]
    said = ", ".join(text for there, text in charges if there) or "nothing"
    return f"{said}. The S3 gateway endpoint is free." if "Gateway" in types else f"{said}."


LAYER = Layer(
    key="vpc",
    order=1,
    title="The network",
    question="Can anybody on the internet reach a task?",
    core_table="vpcs",
    steps=(
        Step("Availability", "one Availability Zone", "three Availability Zones", _zones),
        Step("Subnets", "simple subnet configuration", "public and private tiers", _tiers),
        Step("Way out", "none for private subnets", "NAT gateway", _nat),
        Step("Route tables", "one for all", "one for each tier, and each zone where it is private", _route_tables),
        Step(
            "Way to AWS services", "no endpoints: through the internet", "VPC endpoints, each with a policy", _endpoints
        ),
        Step("Subnet firewall", "default network ACL, all open", "a network ACL for each tier", _acls),
        Step("Instance firewall", "basic security groups", "security groups that name their source", _open_ingress),
        Step("Traffic record", "none", "flow logs of all traffic", _flow_logs),
    ),
    prices=(
        Price("NAT gateway", 0.045, lambda inventory: float(len(inventory["nat_gateways"]))),
        Price("public IPv4 address of a NAT gateway", 0.005, lambda inventory: float(len(inventory["nat_gateways"]))),
        Price("interface endpoint, for each zone", 0.01, _interface_addresses),
    ),
    usage=_usage,
)
