"""The whole system on one page: zones, the way in, the ways out, and where data and logs are kept."""

from diagrams.aws.compute import EC2ContainerRegistryRegistry, EC2Instance, Fargate
from diagrams.aws.general import InternetAlt1
from diagrams.aws.management import CloudwatchLogs
from diagrams.aws.network import ElbApplicationLoadBalancer, Endpoint, InternetGateway, NATGateway
from diagrams.aws.storage import SimpleStorageServiceS3BucketWithObjects

from workbook.access.grants import endpoint_flows
from workbook.diagram.canvas import Picture
from workbook.network.flows import (
    INTERNET,
    Key,
    egress_flows,
    gateway_flows,
    network_flows,
    record_flows,
    strangers,
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
            interfaces = {}
            for vpc in inventory.rows("vpcs"):
                with picture.box("vpc", f"VPC {vpc.name}", vpc.cidr, of=Key.of("vpcs", vpc)):
                    interfaces[vpc.vpc_id] = network(picture, inventory, vpc)
            with picture.column(gap=24):
                regional(picture, inventory)
        replicas(picture, inventory)
        arrows(picture, inventory, interfaces)
    return picture


def network(picture, inventory, vpc):
    """Draws what is in a VPC; returns the name of the box around the interface endpoints."""
    with picture.row(gap=60):
        for gateway in inventory.rows("internet_gateways", vpc_id=vpc.vpc_id):
            picture.card(InternetGateway, Key.of("internet_gateways", gateway), "Internet gateway")
        for balancer in inventory.rows("load_balancers", vpc_id=vpc.vpc_id):
            where = f"in {len(balancer.subnet_ids)} public subnets"
            picture.card(
                ElbApplicationLoadBalancer, Key.of("load_balancers", balancer), "Application Load Balancer", where
            )
    with picture.row(gap=18):
        for zone in sorted({subnet.az for subnet in inventory.rows("subnets", vpc_id=vpc.vpc_id)}):
            with picture.box("zone", f"Zone {zone}", grow=True):
                for subnet in sorted(
                    inventory.rows("subnets", az=zone, vpc_id=vpc.vpc_id), key=lambda row: row.tier, reverse=True
                ):
                    inside(picture, inventory, subnet)
    with picture.row(gap=18):
        box = endpoints(picture, inventory, vpc, "Interface")
        endpoints(picture, inventory, vpc, "Gateway")
    return box


def inside(picture, inventory, subnet):
    key, tier = Key.of("subnets", subnet), subnet.tier
    with picture.box(tier, f"{tier.title()} subnet", subnet.cidr, of=key, grow=tier == "public"):
        for nat in inventory.rows("nat_gateways", subnet_id=key.id):
            picture.card(NATGateway, Key.of("nat_gateways", nat), "NAT gateway")
        for service in inventory.rows("services"):
            if key.id in service.subnet_ids:
                task = inventory.rows("task_definitions", name=service.task_definition)
                roles = [f"as {picture.short(row.task_role)}" for row in task]
                picture.card(Fargate, Key.of("services", service), "Fargate tasks", *roles, at=key.id)
    for row in strangers(inventory):
        if row.subnet_id == key.id:
            picture.card(EC2Instance, Key.of("network_interfaces", row), row.type.capitalize(), row.name)


def endpoints(picture, inventory, vpc, kind):
    """Endpoints that lead to something in the picture come last, next to it."""
    useful = {flow.source.id for flow in endpoint_flows(inventory)}
    found = sorted(inventory.rows("endpoints", type=kind, vpc_id=vpc.vpc_id), key=lambda row: row.endpoint_id in useful)
    if not found:
        return ""
    with picture.box("group", f"{kind} endpoints", direction="row", gap=14, grow=kind == "Interface") as box:
        for endpoint in found:
            picture.card(Endpoint, Key.of("endpoints", endpoint), endpoint.service)
    return box


def regional(picture, inventory):
    for group in inventory.rows("log_groups"):
        picture.card(CloudwatchLogs, Key.of("log_groups", group), "Log group", group.name)
    for repository in inventory.rows("repositories"):
        picture.card(EC2ContainerRegistryRegistry, Key.of("repositories", repository), "Repository", repository.name)
    buckets(picture, inventory, picture.region)


def replicas(picture, inventory):
    for region in sorted({row.region for row in inventory.rows("buckets")} - {picture.region}):
        with picture.row():
            picture.space()
            with picture.box("region", f"Region {region}"):
                buckets(picture, inventory, region)


def buckets(picture, inventory, region):
    for bucket in inventory.rows("buckets", region=region):
        picture.card(
            SimpleStorageServiceS3BucketWithObjects,
            Key.of("buckets", bucket),
            "Bucket",
            picture.short(bucket.name),
        )


def arrows(picture, inventory, interfaces):
    boxed = {Key.of("endpoints", row): row.vpc_id for row in inventory.rows("endpoints", type="Interface")}
    allowed = network_flows(inventory)
    for flow in allowed:
        # One arrow to the box if everything in it can be reached, otherwise one to each endpoint.
        vpc = boxed.get(flow.target, "")
        reached = {other.target for other in allowed if other.source == flow.source}
        every = all(key in reached for key, of in boxed.items() if of == vpc)
        picture.flow(flow, "allowed", head=interfaces.get(vpc, "") if every else "")
    for subnet in inventory.rows("subnets"):
        # Each zone may have its own NAT gateway.
        for flow in egress_flows(inventory, subnet.subnet_id):
            picture.flow(flow, "allowed", at=subnet.subnet_id)
    for flow in gateway_flows(inventory):
        picture.flow(flow, "route")
    for flow in endpoint_flows(inventory):
        picture.flow(flow, "policy", quiet=True)
    for flow in record_flows(inventory):
        # Container logs go through the endpoint, which already has an arrow.
        if flow.source.table != "services":
            picture.flow(flow, "record", quiet=True)
