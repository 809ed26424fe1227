"""The registry: who may pull, by which path, and what the repository does on its own."""

from diagrams.aws.compute import EC2ContainerRegistryImage, EC2ContainerRegistryRegistry
from diagrams.aws.general import Users
from diagrams.aws.network import Endpoint
from diagrams.aws.security import IdentityAndAccessManagementIamRole

from workbook.access.grants import endpoint_flows, resource_policy_flows, role_flows
from workbook.diagram.canvas import Picture
from workbook.network.flows import Flow, Key

DRAWS = ("repositories", "repository_lifecycle_rules")
SOURCES = {
    "roles": (IdentityAndAccessManagementIamRole, "Roles"),
    "endpoints": (Endpoint, "VPC endpoints"),
    "generic": (Users, "Others"),
}


def draw(inventory):
    allowed = [*resource_policy_flows(inventory), *role_flows(inventory), *endpoint_flows(inventory)]
    allowed = [flow for flow in allowed if flow.target.table == "repositories"]
    with Picture("Registry", inventory, direction="row", gap=90) as picture:
        with picture.column(gap=40):
            sources(picture, [flow.source for flow in allowed])
        with picture.column(gap=40):
            for repository in inventory.rows("repositories"):
                key = Key.of("repositories", repository)
                picture.card(EC2ContainerRegistryRegistry, key, repository.name, *settings(repository))
        with picture.column(gap=40):
            lifecycle(picture, inventory)
        for flow in allowed:
            picture.flow(flow, "policy")
        for rule in inventory.rows("repository_lifecycle_rules"):
            picture.flow(Flow(Key("repositories", rule.repository), rule_key(rule), ""), "uses")
    return picture


def sources(picture, keys):
    for table, (icon, title) in SOURCES.items():
        found = [key for key in dict.fromkeys(keys) if key.table == table]
        if found:
            with picture.box("group", title):
                for key in found:
                    picture.card(icon, key, picture.short(key.name))


def settings(repository):
    return [
        f"tags {repository.tag_mutability.lower()}",
        "scanned on push" if repository.scan_on_push else "not scanned on push",
        f"encrypted with {repository.encryption}",
    ]


def lifecycle(picture, inventory):
    for rule in inventory.rows("repository_lifecycle_rules"):
        after = f"after {rule.count_number} {'days' if rule.count_type.startswith('since') else 'images'}"
        title = f"{rule.action.title()} {rule.tag_status} images"
        picture.card(EC2ContainerRegistryImage, rule_key(rule), title, after, rule.description)


def rule_key(rule):
    return Key("repository_lifecycle_rules", f"{rule.repository} {rule.priority}")
