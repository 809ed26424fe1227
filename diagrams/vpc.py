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
    rows,
    short_destination,
)

DRAWS = ("vpcs", "subnets", "internet_gateways", "nat_gateways", "endpoints", "security_groups", "flow_logs")


def draw(inventory):
    with Picture("Network", inventory) as picture:
        with picture.row(gap=60):
            picture.card(InternetAlt1, INTERNET, "Internet")
            log_groups(picture, inventory)
        for vpc in rows(inventory, "vpcs"):
            with picture.box("vpc", f"VPC {vpc['name']}", vpc["cidr"], of=Key("vpcs", vpc["name"])):
                with picture.row(gap=60):
                    gateways(picture, inventory)
                with picture.row(gap=20):
                    security_groups(picture, inventory)
                    zones(picture, inventory)
                with picture.row(gap=20):
                    endpoints(picture, inventory)
        for flow in route_flows(inventory):
            picture.flow(flow, "route", quiet=True)
        for flow in gateway_flows(inventory):
            if flow.target == INTERNET:
                picture.flow(flow, "route")
        for flow in group_flows(inventory):
            picture.flow(flow, "allowed")
        for log in rows(inventory, "flow_logs"):
            picture.flow(Flow(Key("flow_logs", log["name"]), Key("log_groups", log["destination"]), ""), "record")
    return picture


def log_groups(picture, inventory):
    destinations = {log["destination"] for log in rows(inventory, "flow_logs")}
    for group in rows(inventory, "log_groups"):
        if group["name"] in destinations:
            kept = f"kept {group['retention_days']:.0f} days" if group["retention_days"] else "kept forever"
            picture.card(CloudwatchLogs, Key("log_groups", group["name"]), "Log group", group["name"], kept)


def gateways(picture, inventory):
    for gateway in rows(inventory, "internet_gateways"):
        picture.card(InternetGateway, Key("internet_gateways", gateway["name"]), "Internet gateway")
    for log in rows(inventory, "flow_logs"):
        what = f"{log['traffic_type'].lower()} traffic, every {log['aggregation_seconds']} s"
        picture.card(VPCFlowLogs, Key("flow_logs", log["name"]), "Flow log", what)


def zones(picture, inventory):
    """A column per zone: the public subnet with its NAT gateway, if any, above the private subnet."""
    for zone in sorted({subnet["az"] for subnet in rows(inventory, "subnets")}):
        with picture.box("zone", f"Zone {zone}", gap=40, grow=True):
            for subnet in sorted(rows(inventory, "subnets", az=zone), key=lambda row: row["tier"], reverse=True):
                tier, key = subnet["tier"], Key("subnets", subnet["name"])
                with picture.box(tier, f"{tier.title()} subnet", subnet["cidr"], of=key, gap=24, grow=tier == "public"):
                    routes(picture, inventory, subnet)
                    for nat in rows(inventory, "nat_gateways", subnet=key.name):
                        served = sum(len(row["subnets"]) for row in rows(inventory, "routes", target=nat["name"]))
                        picture.card(
                            NATGateway,
                            Key("nat_gateways", nat["name"]),
                            "NAT gateway",
                            f"for {served} private subnet{'' if served == 1 else 's'}",
                        )


def routes(picture, inventory, subnet):
    names = {"internet_gateway": "internet gateway", "nat_gateway": "NAT gateway", "vpc_endpoint": "endpoint"}
    table = rows(inventory, "routes", route_table=subnet["route_table"])
    lines = [
        f"{short_destination(row['destination'])} → {names.get(row['target_type'], row['target'])}" for row in table
    ]
    if table:
        picture.card(RouteTable, Key("routes", subnet["route_table"]), "Route table", *lines, at=subnet["name"])


def endpoints(picture, inventory):
    for kind in ("Gateway", "Interface"):
        found = rows(inventory, "endpoints", type=kind)
        if found:
            where = f"an address in each of {len(found[0]['subnets'])} subnets" if kind == "Interface" else ""
            with picture.box("group", f"{kind} endpoints", where, direction="row", gap=16, grow=kind == "Interface"):
                for endpoint in found:
                    picture.card(Endpoint, Key("endpoints", endpoint["name"]), endpoint["service"])


def security_groups(picture, inventory):
    groups = [Key("security_groups", row["name"]) for row in rows(inventory, "security_groups")]
    if groups:
        with picture.box("group", "Security groups"):
            for key in in_order(groups, group_flows(inventory)):
                out = rows(inventory, "security_group_rules", security_group=key.name, direction="egress")
                lines = [f"out {port(rule)} → {short_destination(picture.short(rule['peer']))}" for rule in out]
                picture.card(GenericFirewall, key, picture.short(key.name), *(lines or ["nothing out"]))
