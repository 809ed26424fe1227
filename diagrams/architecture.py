"""The whole system on one page: zones, the way in, the ways out, and where data and logs are kept."""

from diagrams.aws.compute import EC2ContainerRegistryRegistry, Fargate
from diagrams.aws.general import InternetAlt1
from diagrams.aws.management import CloudwatchLogs
from diagrams.aws.network import ElbApplicationLoadBalancer, Endpoint, InternetGateway, NATGateway
from diagrams.aws.storage import SimpleStorageServiceS3BucketWithObjects

from workbook.diagram.canvas import Picture
from workbook.network.flows import (
    INTERNET,
    Key,
    egress_flows,
    endpoint_flows,
    gateway_flows,
    network_flows,
    record_flows,
    rows,
)

DRAWS = (
    "vpcs",
    "subnets",
    "internet_gateways",
    "nat_gateways",
    "endpoints",
    "load_balancers",
    "services",
    "repositories",
    "buckets",
    "log_groups",
)


def draw(inventory):
    with Picture("Architecture", inventory, gap=30) as picture:
        with picture.row():
            picture.card(InternetAlt1, INTERNET, "Internet")
        with picture.box("region", f"Region {picture.region}", direction="row", gap=44):
            for vpc in rows(inventory, "vpcs"):
                with picture.box("vpc", f"VPC {vpc['name']}", vpc["cidr"], of=Key("vpcs", vpc["name"])):
                    interfaces = network(picture, inventory)
            with picture.column(gap=24):
                regional(picture, inventory)
        replicas(picture, inventory)
        arrows(picture, inventory, interfaces)
    return picture


def network(picture, inventory):
    """Draws what is in the VPC; returns the name of the box around the interface endpoints."""
    with picture.row(gap=60):
        for gateway in rows(inventory, "internet_gateways"):
            picture.card(InternetGateway, Key("internet_gateways", gateway["name"]), "Internet gateway")
        for balancer in rows(inventory, "load_balancers"):
            where = f"in {len(balancer['subnets'])} public subnets"
            picture.card(
                ElbApplicationLoadBalancer, Key("load_balancers", balancer["name"]), "Application Load Balancer", where
            )
    with picture.row(gap=18):
        for zone in sorted({subnet["az"] for subnet in rows(inventory, "subnets")}):
            with picture.box("zone", f"Zone {zone}", grow=True):
                for subnet in sorted(rows(inventory, "subnets", az=zone), key=lambda row: row["tier"], reverse=True):
                    inside(picture, inventory, subnet)
    with picture.row(gap=18):
        box = endpoints(picture, inventory, "Interface")
        endpoints(picture, inventory, "Gateway")
    return box


def inside(picture, inventory, subnet):
    key, tier = Key("subnets", subnet["name"]), subnet["tier"]
    with picture.box(tier, f"{tier.title()} subnet", subnet["cidr"], of=key, grow=tier == "public"):
        for nat in rows(inventory, "nat_gateways", subnet=key.name):
            picture.card(NATGateway, Key("nat_gateways", nat["name"]), "NAT gateway")
        for service in rows(inventory, "services"):
            if key.name in service["subnets"]:
                task = rows(inventory, "task_definitions", name=service["task_definition"])
                roles = [f"as {picture.short(row['task_role'])}" for row in task]
                picture.card(Fargate, Key("services", service["name"]), "Fargate tasks", *roles, at=key.name)


def endpoints(picture, inventory, kind):
    """Endpoints that lead to something in the picture come last, next to it."""
    useful = {flow.source.name for flow in endpoint_flows(inventory)}
    found = sorted(rows(inventory, "endpoints", type=kind), key=lambda row: row["name"] in useful)
    if not found:
        return ""
    with picture.box("group", f"{kind} endpoints", direction="row", gap=14, grow=kind == "Interface") as box:
        for endpoint in found:
            picture.card(Endpoint, Key("endpoints", endpoint["name"]), endpoint["service"])
    return box


def regional(picture, inventory):
    for group in rows(inventory, "log_groups"):
        picture.card(CloudwatchLogs, Key("log_groups", group["name"]), "Log group", group["name"])
    for repository in rows(inventory, "repositories"):
        picture.card(
            EC2ContainerRegistryRegistry, Key("repositories", repository["name"]), "Repository", repository["name"]
        )
    buckets(picture, inventory, picture.region)


def replicas(picture, inventory):
    for region in sorted({row["region"] for row in rows(inventory, "buckets")} - {picture.region}):
        with picture.row():
            picture.space()
            with picture.box("region", f"Region {region}"):
                buckets(picture, inventory, region)


def buckets(picture, inventory, region):
    for bucket in rows(inventory, "buckets", region=region):
        picture.card(
            SimpleStorageServiceS3BucketWithObjects,
            Key("buckets", bucket["name"]),
            "Bucket",
            picture.short(bucket["name"]),
        )


def arrows(picture, inventory, interfaces):
    boxed = {Key("endpoints", row["name"]) for row in rows(inventory, "endpoints", type="Interface")}
    allowed = network_flows(inventory)
    for flow in allowed:
        # One arrow to the box if everything in it can be reached, otherwise one to each endpoint.
        every = boxed <= {other.target for other in allowed if other.source == flow.source}
        picture.flow(flow, "allowed", head=interfaces if flow.target in boxed and every else "")
    for subnet in rows(inventory, "subnets"):
        # Each zone may have its own NAT gateway.
        for flow in egress_flows(inventory, subnet["name"]):
            picture.flow(flow, "allowed", at=subnet["name"])
    for flow in gateway_flows(inventory):
        picture.flow(flow, "route")
    for flow in endpoint_flows(inventory):
        picture.flow(flow, "policy", quiet=True)
    for flow in record_flows(inventory):
        # Container logs go through the endpoint, which already has an arrow.
        if flow.source.table != "services":
            picture.flow(flow, "record", quiet=True)
