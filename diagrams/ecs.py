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

from workbook.diagram.canvas import Picture
from workbook.network.flows import INTERNET, Flow, Key, egress_flows, network_flows, record_flows, role_flows, rows

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
            Key("services", row["name"]): Key("target_groups", row["target_groups"][0])
            for row in rows(inventory, "services")
            if row["target_groups"]
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
    for balancer in rows(inventory, "load_balancers"):
        listeners = [
            f"{row['protocol']} :{row['port']} {row['action']}"
            for row in rows(inventory, "listeners", load_balancer=balancer["name"])
        ]
        where = f"in {len(balancer['subnets'])} subnets"
        picture.card(
            ElbApplicationLoadBalancer, Key("load_balancers", balancer["name"]), "Load balancer", where, *listeners
        )
    for group in rows(inventory, "target_groups"):
        to, check = (
            f"{group['protocol']} :{group['port']} to each {group['target_type']}",
            f"{group['health_path']} every {group['health_interval']} s",
        )
        picture.card(ElasticLoadBalancing, Key("target_groups", group["name"]), "Target group", to, check)


def tasks(picture, inventory):
    """The cluster with its services; services whose cluster could not be read are drawn next to it."""
    clusters = rows(inventory, "clusters")
    for cluster in clusters:
        with picture.box("private", "ECS cluster", cluster["name"], of=Key("clusters", cluster["name"]), gap=36):
            services(picture, inventory, rows(inventory, "services", cluster=cluster["name"]))
    known = {cluster["name"] for cluster in clusters}
    services(picture, inventory, [row for row in rows(inventory, "services") if row["cluster"] not in known])


def services(picture, inventory, found):
    for service in found:
        scale = [
            f"scales from {row['minimum']} to {row['maximum']}"
            for row in rows(inventory, "autoscaling", service=service["name"])
        ][:1]
        where = f"in {len(service['subnets'])} subnets, {'with a' if service['public_ip'] else 'no'} public address"
        picture.card(
            ElasticContainerServiceService,
            Key("services", service["name"]),
            "Service",
            f"{service['desired']} tasks wanted",
            *scale,
            where,
        )
        for task in rows(inventory, "task_definitions", name=service["task_definition"]):
            size = f"{task['cpu']} CPU units, {task['memory']} MiB"
            picture.card(ElasticContainerServiceTask, Key("task_definitions", task["name"]), "Task definition", size)
            for container in rows(inventory, "containers", task_definition=task["name"]):
                image(picture, container)


def image(picture, container):
    port = f" :{container['port']:.0f}" if container["port"] else ""
    root = f"root file system {'read-only' if container['read_only_root'] else 'writable'}"
    key, user = Key("containers", container["name"]), f"user {container['user'] or 'of the image'}"
    picture.card(
        ElasticContainerServiceContainer, key, f"Container {container['name']}{port}", container["image"], root, user
    )


def reached(picture, inventory, targets):
    """Draws what the tasks may connect to; returns the name of each table's box."""
    boxes = {}
    for table, icon, title, column in (
        ("endpoints", Endpoint, "VPC endpoints", "service"),
        ("nat_gateways", NATGateway, "NAT gateways", "az"),
    ):
        shown = [row for row in rows(inventory, table) if Key(table, row["name"]) in targets]
        if shown:
            with picture.box("group", title, gap=10) as boxes[table]:
                for place in range(0, len(shown), 3):
                    with picture.row(gap=10):
                        for row in shown[place : place + 3]:
                            picture.card(icon, Key(table, row["name"]), row[column])
    return boxes


def roles(picture, inventory):
    columns = {"execution_role": "Execution role", "task_role": "Task role"}
    uses = {task[column]: title for task in rows(inventory, "task_definitions") for column, title in columns.items()}
    for role in rows(inventory, "roles"):
        if role["name"] in uses:
            picture.card(
                IdentityAndAccessManagementIamRole,
                Key("roles", role["name"]),
                uses[role["name"]],
                picture.short(role["name"]),
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
    for row in rows(inventory, "listeners"):
        picture.flow(
            Flow(Key("load_balancers", row["load_balancer"]), Key("target_groups", row["target"]), row["action"]),
            "uses",
        )
    for service in rows(inventory, "services"):
        picture.flow(
            Flow(Key("services", service["name"]), Key("task_definitions", service["task_definition"]), ""), "uses"
        )
    for task in rows(inventory, "task_definitions"):
        for column in ("task_role", "execution_role"):
            picture.flow(
                Flow(Key("task_definitions", task["name"]), Key("roles", task[column]), column.replace("_", " ")),
                "uses",
                quiet=True,
            )
    for container in rows(inventory, "containers"):
        picture.flow(
            Flow(Key("task_definitions", container["task_definition"]), Key("containers", container["name"]), ""),
            "uses",
        )
