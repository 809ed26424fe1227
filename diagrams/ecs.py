"""The application: a request's path to a container, and what the container can reach from there."""

from diagrams.aws.compute import (
    ElasticContainerServiceContainer,
    ElasticContainerServiceService,
    ElasticContainerServiceTask,
)
from diagrams.aws.general import InternetAlt1
from diagrams.aws.management import CloudwatchLogs
from diagrams.aws.network import ElasticLoadBalancing, ElbApplicationLoadBalancer, Endpoint, NATGateway
from diagrams.aws.security import IdentityAndAccessManagementIamRole
from diagrams.aws.storage import SimpleStorageServiceS3BucketWithObjects

from workbook.access.grants import role_flows
from workbook.diagram.canvas import Picture
from workbook.network.flows import INTERNET, Flow, Key, egress_flows, network_flows, record_flows

DRAWS = ("services", "clusters", "task_definitions", "containers", "load_balancers", "target_groups")


def draw(inventory):
    connections = [*network_flows(inventory), *egress_flows(inventory)]
    with Picture("Application", inventory, direction="row", gap=64) as picture:
        with picture.column(gap=44):
            picture.card(InternetAlt1, INTERNET, "Internet")
            balancers(picture, inventory)
        with picture.column():
            tasks(picture, inventory)
        with picture.column(gap=20):
            boxes = reached(
                picture, inventory, {flow.target for flow in connections if flow.source.table == "services"}
            )
            roles(picture, inventory)
            kept(picture, inventory)
        parts(picture, inventory)
        behind = {
            Key.of("services", row): Key("target_groups", row.target_group_arns[0], row.target_groups[0])
            for row in inventory.rows("services")
            if row.target_group_arns
        }
        for flow in connections:
            # A request goes through the target group, which has no security group.
            tail = behind.get(flow.target) if flow.source.table == "load_balancers" else None
            picture.flow(
                flow,
                "allowed",
                tail=tail if tail and picture.draws(tail) else None,
                head=boxes.get(flow.target.table, ""),
            )
        for flow in role_flows(inventory):
            picture.flow(flow, "policy")
        for flow in record_flows(inventory):
            picture.flow(flow, "record")
    return picture


def balancers(picture, inventory):
    for balancer in inventory.rows("load_balancers"):
        listeners = [
            f"{row.protocol} :{row.port} {row.action}"
            for row in inventory.rows("listeners", load_balancer_arn=balancer.load_balancer_arn)
        ]
        where = f"in {len(balancer.subnet_ids)} subnets"
        picture.card(ElbApplicationLoadBalancer, Key.of("load_balancers", balancer), "Load balancer", where, *listeners)
    for group in inventory.rows("target_groups"):
        to, check = (
            f"{group.protocol} :{group.port} to each {group.target_type}",
            f"{group.health_path} every {group.health_interval} s",
        )
        picture.card(ElasticLoadBalancing, Key.of("target_groups", group), "Target group", to, check)


def tasks(picture, inventory):
    """The cluster with its services; services whose cluster could not be read are drawn next to it."""
    clusters = inventory.rows("clusters")
    for cluster in clusters:
        with picture.box("private", "ECS cluster", cluster.name, of=Key.of("clusters", cluster), gap=36):
            services(picture, inventory, inventory.rows("services", cluster_arn=cluster.cluster_arn))
    known = {cluster.cluster_arn for cluster in clusters}
    services(picture, inventory, [row for row in inventory.rows("services") if row.cluster_arn not in known])


def services(picture, inventory, found):
    for service in found:
        scale = [
            f"scales from {row.minimum} to {row.maximum}"
            for row in inventory.rows("autoscaling", resource_id=service.resource_id)
        ][:1]
        where = f"in {len(service.subnet_ids)} subnets, {'with a' if service.public_ip else 'no'} public address"
        picture.card(
            ElasticContainerServiceService,
            Key.of("services", service),
            "Service",
            f"{service.desired} tasks wanted",
            *scale,
            where,
        )
        for task in inventory.rows("task_definitions", name=service.task_definition):
            if picture.draws(Key.of("task_definitions", task)):
                continue  # Another service runs it too.
            size = f"{task.cpu} CPU units, {task.memory} MiB"
            picture.card(ElasticContainerServiceTask, Key.of("task_definitions", task), "Task definition", size)
            for container in inventory.rows("containers", task_definition=task.name):
                image(picture, container)


def image(picture, container):
    port = f" :{container.port:.0f}" if container.port else ""
    root = f"root file system {'read-only' if container.read_only_root else 'writable'}"
    key, user = container_key(container), f"user {container.user or 'of the image'}"
    picture.card(
        ElasticContainerServiceContainer, key, f"Container {container.name}{port}", container.image, root, user
    )


def container_key(container):
    """A container's name is unique within its task definition only."""
    return Key("containers", f"{container.task_definition} {container.name}", container.name)


def reached(picture, inventory, targets):
    """Draws what the tasks may connect to; returns the name of each table's box."""
    boxes = {}
    for table, icon, title, column in (
        ("endpoints", Endpoint, "VPC endpoints", "service"),
        ("nat_gateways", NATGateway, "NAT gateways", "az"),
    ):
        shown = [row for row in inventory.rows(table) if Key.of(table, row) in targets]
        if shown:
            with picture.box("group", title, gap=10) as boxes[table]:
                for place in range(0, len(shown), 3):
                    with picture.row(gap=10):
                        for row in shown[place : place + 3]:
                            picture.card(icon, Key.of(table, row), getattr(row, column))
    return boxes


def roles(picture, inventory):
    columns = {"execution_role": "Execution role", "task_role": "Task role"}
    uses = {
        getattr(task, column): title for task in inventory.rows("task_definitions") for column, title in columns.items()
    }
    for role in inventory.rows("roles"):
        if role.name in uses:
            picture.card(
                IdentityAndAccessManagementIamRole,
                Key("roles", role.name),
                uses[role.name],
                picture.short(role.name),
            )


def kept(picture, inventory):
    """Where logs go, and the buckets and log groups that the task's roles can access."""
    found = [flow.target for flow in [*role_flows(inventory), *record_flows(inventory)] if picture.draws(flow.source)]
    for key in dict.fromkeys(found):
        if key.table == "log_groups":
            picture.card(CloudwatchLogs, key, "Log group", key.name)
        elif key.table == "buckets":
            picture.card(SimpleStorageServiceS3BucketWithObjects, key, "Bucket", picture.short(key.name))


def parts(picture, inventory):
    """What is made of what."""
    for row in inventory.rows("listeners"):
        balancer = Key("load_balancers", row.load_balancer_arn, row.load_balancer)
        for group in inventory.rows("target_groups"):
            if group.target_group_arn in row.target_group_arns:
                picture.flow(Flow(balancer, Key.of("target_groups", group), row.action), "uses")
    for service in inventory.rows("services"):
        picture.flow(Flow(Key.of("services", service), Key("task_definitions", service.task_definition), ""), "uses")
    for task in inventory.rows("task_definitions"):
        for column in ("task_role", "execution_role"):
            picture.flow(
                Flow(Key.of("task_definitions", task), Key("roles", getattr(task, column)), column.replace("_", " ")),
                "uses",
                quiet=True,
            )
    for container in inventory.rows("containers"):
        picture.flow(
            Flow(Key("task_definitions", container.task_definition), container_key(container), ""),
            "uses",
        )
