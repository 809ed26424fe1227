"""The network: zones, subnets and their routes, endpoints, and which security group admits which."""

from diagrams.aws.general import GenericFirewall, InternetAlt1
from diagrams.aws.management import CloudwatchLogs
from diagrams.aws.network import Endpoint, InternetGateway, NATGateway, RouteTable, VPCFlowLogs

from workbook.diagram.canvas import Picture
from workbook.network.flows import (
    INTERNET,
    Flow,
    Key,
    gateway_flows,
    group_flows,
    in_order,
    port,
    route_flows,
    short_destination,
)

DRAWS = ("vpcs", "subnets", "internet_gateways", "nat_gateways", "endpoints", "security_groups", "flow_logs")


def draw(inventory):
    with Picture("Network", inventory) as picture:
        with picture.row(gap=60):
            picture.card(InternetAlt1, INTERNET, "Internet")
            log_groups(picture, inventory)
        for vpc in inventory.rows("vpcs"):
            with picture.box("vpc", f"VPC {vpc.name}", vpc.cidr, of=Key.of("vpcs", vpc)):
                with picture.row(gap=60):
                    gateways(picture, inventory, vpc)
                with picture.row(gap=20):
                    security_groups(picture, inventory, vpc)
                    zones(picture, inventory, vpc)
                with picture.row(gap=20):
                    endpoints(picture, inventory, vpc)
        for flow in route_flows(inventory):
            picture.flow(flow, "route", quiet=True)
        for flow in gateway_flows(inventory):
            if flow.target == INTERNET:
                picture.flow(flow, "route")
        for flow in group_flows(inventory):
            picture.flow(flow, "allowed")
        for log in inventory.rows("flow_logs"):
            picture.flow(Flow(Key.of("flow_logs", log), Key("log_groups", log.destination), ""), "record")
    return picture


def log_groups(picture, inventory):
    destinations = {log.destination for log in inventory.rows("flow_logs")}
    for group in inventory.rows("log_groups"):
        if group.name in destinations:
            kept = f"kept {group.retention_days:.0f} days" if group.retention_days else "kept forever"
            picture.card(CloudwatchLogs, Key.of("log_groups", group), "Log group", group.name, kept)


def gateways(picture, inventory, vpc):
    for gateway in inventory.rows("internet_gateways", vpc_id=vpc.vpc_id):
        picture.card(InternetGateway, Key.of("internet_gateways", gateway), "Internet gateway")
    for log in inventory.rows("flow_logs", resource_id=vpc.vpc_id):
        what = f"{log.traffic_type.lower()} traffic, every {log.aggregation_seconds} s"
        picture.card(VPCFlowLogs, Key.of("flow_logs", log), "Flow log", what)


def zones(picture, inventory, vpc):
    """A column per zone: the public subnet with its NAT gateway, if any, above the private subnet."""
    subnets = inventory.rows("subnets", vpc_id=vpc.vpc_id)
    for zone in sorted({subnet.az for subnet in subnets}):
        with picture.box("zone", f"Zone {zone}", gap=40, grow=True):
            inside = [subnet for subnet in subnets if subnet.az == zone]
            for subnet in sorted(inside, key=lambda row: row.tier, reverse=True):
                tier, key = subnet.tier, Key.of("subnets", subnet)
                with picture.box(tier, f"{tier.title()} subnet", subnet.cidr, of=key, gap=24, grow=tier == "public"):
                    routes(picture, inventory, subnet)
                    for nat in inventory.rows("nat_gateways", subnet_id=key.id):
                        served = sum(
                            len(row.subnet_ids) for row in inventory.rows("routes", target_id=nat.nat_gateway_id)
                        )
                        picture.card(
                            NATGateway,
                            Key.of("nat_gateways", nat),
                            "NAT gateway",
                            f"for {served} private subnet{'' if served == 1 else 's'}",
                        )


def routes(picture, inventory, subnet):
    names = {"internet_gateway": "internet gateway", "nat_gateway": "NAT gateway", "vpc_endpoint": "endpoint"}
    table = inventory.rows("routes", route_table_id=subnet.route_table_id)
    lines = [f"{short_destination(row.destination)} → {names.get(row.target_type, row.target)}" for row in table]
    if table:
        key = Key("routes", subnet.route_table_id, subnet.route_table)
        picture.card(RouteTable, key, "Route table", *lines, at=subnet.subnet_id)


def endpoints(picture, inventory, vpc):
    for kind in ("Gateway", "Interface"):
        found = inventory.rows("endpoints", type=kind, vpc_id=vpc.vpc_id)
        if found:
            where = f"an address in each of {len(found[0].subnet_ids)} subnets" if kind == "Interface" else ""
            with picture.box("group", f"{kind} endpoints", where, direction="row", gap=16, grow=kind == "Interface"):
                for endpoint in found:
                    picture.card(Endpoint, Key.of("endpoints", endpoint), endpoint.service)


def security_groups(picture, inventory, vpc):
    groups = [Key.of("security_groups", row) for row in inventory.rows("security_groups", vpc_id=vpc.vpc_id)]
    if groups:
        with picture.box("group", "Security groups"):
            for key in in_order(groups, group_flows(inventory)):
                out = inventory.rows("security_group_rules", group_id=key.id, direction="egress")
                lines = [f"out {port(rule)} → {short_destination(picture.short(rule.peer))}" for rule in out]
                picture.card(GenericFirewall, key, picture.short(key.name), *(lines or ["nothing out"]))
