"""The inventory of the deployed stack, compared with what boto3 returns directly."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from workbook.inventory import TABLES, Inventory, Row, read_inventory
from workbook.inventory.schema import OPTIONAL_INT

pytestmark = pytest.mark.stack

SAVED = Path(__file__).parents[1] / "unit" / "fixtures" / "inventory_dev.json"


@pytest.fixture(scope="module")
def inventory(stack: Any) -> Inventory:
    return stack.inventory()  # type: ignore[no-any-return]


def one(inventory: Inventory, table: str, name: str) -> Row:
    (row,) = [row for row in inventory.rows(table) if row.name.endswith(name)]
    return row


def hooked(stack: Any, event: str, handler: Callable[..., Any]) -> Callable[..., Any]:
    """A client factory whose clients have one more event handler."""

    def client(service: str, region: str | None = None) -> Any:
        created = stack.client(service, region)
        created.meta.events.register(event, handler)
        return created

    return client


# ── whole ──


def test_everything_can_be_read_and_no_table_is_empty(inventory: Inventory) -> None:
    assert inventory.problems.to_dict("records") == []
    assert [name for name in TABLES if inventory[name].empty] == []


def test_no_cell_is_unknown(inventory: Inventory) -> None:
    unknown = [
        (name, column)
        for name, table in TABLES.items()
        for column, of in table.columns.items()
        if of.type is not OPTIONAL_INT and any(getattr(row, column) is None for row in inventory.rows(name))
    ]
    assert unknown == []


def test_resources_are_shown_by_name(inventory: Inventory) -> None:
    random = re.compile(r"\b(vpc|subnet|sg|rtb|acl|igw|nat|vpce|pl|fl|eni)-[0-9a-f]{8,}\b")
    shown = [
        (name, column, getattr(row, column))
        for name, table in TABLES.items()
        for column in table.order
        for row in inventory.rows(name)
        if random.search(str(getattr(row, column)))
    ]
    assert shown == []


def test_every_name_belongs_to_the_environment(stack: Any, inventory: Inventory) -> None:
    named = [
        (name, row.name) for name, table in TABLES.items() if "name" in table.columns for row in inventory.rows(name)
    ]
    foreign = {(table, name) for table, name in named if not stack.scope.within(name.split(":")[0])}
    # AWS's own policy; containers, which are named in the task definition; AWS's prefix lists; interfaces of tasks.
    assert {table for table, _ in foreign} <= {"policies", "containers", "prefix_lists", "network_interfaces"}
    assert all(one(inventory, "policies", name).managed_by == "aws" for table, name in foreign if table == "policies")


def test_reading_twice_gives_the_same_result(stack: Any, inventory: Inventory) -> None:
    again = stack.inventory()
    assert {name: again.rows(name) for name in again} == {name: inventory.rows(name) for name in inventory}


# ── against boto3 ──


def test_a_subnet_is_public_if_its_route_table_leads_to_an_internet_gateway(stack: Any, inventory: Inventory) -> None:
    ec2 = stack.client("ec2")
    for row in inventory.rows("subnets"):
        by_subnet = [{"Name": "association.subnet-id", "Values": [row.subnet_id]}]
        (table,) = ec2.describe_route_tables(Filters=by_subnet)["RouteTables"]
        leads_out = any(route.get("GatewayId", "").startswith("igw-") for route in table["Routes"])
        assert row.tier == ("public" if leads_out else "private"), row.name
        assert row.route_table_id == table["RouteTableId"]
    assert sorted((row.tier, row.az) for row in inventory.rows("subnets")) == [
        (tier, f"{stack.scope.region}{zone}") for tier in ("private", "public") for zone in "abc"
    ]


def test_rules_name_their_peer_group(stack: Any, inventory: Inventory) -> None:
    groups = stack.client("ec2").describe_security_groups()["SecurityGroups"]
    names = {
        g["GroupId"]: {t["Key"]: t["Value"] for t in g.get("Tags", [])}.get("Name", g["GroupName"]) for g in groups
    }
    direct = {
        (names[g["GroupId"]], direction, permission.get("FromPort"), names[pair["GroupId"]])
        for g in groups
        if g["GroupId"] in set(inventory["security_groups"]["group_id"])
        for direction, key in (("ingress", "IpPermissions"), ("egress", "IpPermissionsEgress"))
        for permission in g[key]
        for pair in permission["UserIdGroupPairs"]
    }
    rows = [r for r in inventory.rows("security_group_rules") if r.peer_type == "security_group"]
    assert {(r.security_group, r.direction, r.from_port, r.peer) for r in rows} == direct
    assert len(direct) >= 4
    counted = {
        (r.name, direction): sum((rule.security_group, rule.direction) == (r.name, direction) for rule in all_rules)
        for all_rules in [inventory.rows("security_group_rules")]
        for r in inventory.rows("security_groups")
        for direction in ("ingress", "egress")
    }
    assert counted == {
        (r.name, d): getattr(r, f"{d}_rules") for r in inventory.rows("security_groups") for d in ("ingress", "egress")
    }


def test_every_entry_of_the_network_acls_is_there(stack: Any, inventory: Inventory) -> None:
    vpc = inventory.rows("vpcs")[0].vpc_id
    acls = stack.client("ec2").describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["NetworkAcls"]
    direct = sorted(
        (a["NetworkAclId"], e["Egress"], e["RuleNumber"], e["RuleAction"], e["CidrBlock"])
        for a in acls
        for e in a["Entries"]
    )
    rows = [
        (r.network_acl_id, r.direction == "egress", r.rule_number, r.action, r.cidr)
        for r in inventory.rows("nacl_entries")
    ]
    assert sorted(rows) == direct


def test_roles_have_the_boundary_session_and_policies_that_iam_reports(stack: Any, inventory: Inventory) -> None:
    iam = stack.client("iam")
    for row in inventory.rows("roles"):
        role = iam.get_role(RoleName=row.name)["Role"]
        assert row.boundary_arn == role["PermissionsBoundary"]["PermissionsBoundaryArn"]
        assert row.max_session_hours == role["MaxSessionDuration"] / 3600
        assert row.description == role.get("Description", "")
        attached = iam.list_attached_role_policies(RoleName=row.name)["AttachedPolicies"]
        assert row.attached_policies == sorted(p["PolicyName"] for p in attached)
        assert row.inline_policies == sorted(iam.list_role_policies(RoleName=row.name)["PolicyNames"])


def test_policies_match_their_default_version(stack: Any, inventory: Inventory) -> None:
    iam = stack.client("iam")
    for row in inventory.rows("policies"):
        version = iam.get_policy(PolicyArn=row.policy_arn)["Policy"]["DefaultVersionId"]
        document = iam.get_policy_version(PolicyArn=row.policy_arn, VersionId=version)["PolicyVersion"]["Document"]
        assert row.document == document
        shown = [s.statement for s in inventory.rows("iam_statements", policy_arn=row.policy_arn)]
        assert shown == document["Statement"]


def test_buckets_have_the_settings_that_s3_reports(stack: Any, inventory: Inventory) -> None:
    rows = inventory.rows("buckets")
    assert {row.region for row in rows} == {stack.scope.region, stack.scope.replica_region}
    for row in rows:
        s3, name = stack.client("s3", row.region), {"Bucket": row.name}
        block = s3.get_public_access_block(**name)["PublicAccessBlockConfiguration"]
        assert [
            getattr(row, c)
            for c in ("block_public_acls", "ignore_public_acls", "block_public_policy", "restrict_public_buckets")
        ] == [block[k] for k in ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")]
        (rule,) = s3.get_bucket_encryption(**name)["ServerSideEncryptionConfiguration"]["Rules"]
        assert row.encryption == rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
        assert row.versioning == s3.get_bucket_versioning(**name)["Status"]
        assert row.logging_bucket == s3.get_bucket_logging(**name).get("LoggingEnabled", {}).get("TargetBucket", "")
        assert row.lifecycle_rules == len(s3.get_bucket_lifecycle_configuration(**name)["Rules"])
        assert row.region == (s3.get_bucket_location(**name)["LocationConstraint"] or "us-east-1")


def test_the_service_and_its_containers_match_ecs(stack: Any, inventory: Inventory) -> None:
    ecs = stack.client("ecs")
    (row,) = inventory.rows("services")
    (service,) = ecs.describe_services(cluster=row.cluster, services=[row.name])["services"]
    network = service["networkConfiguration"]["awsvpcConfiguration"]
    assert row.subnet_ids == sorted(network["subnets"])
    assert row.subnets == sorted(s.name for s in inventory.rows("subnets") if s.tier == "private")
    assert row.public_ip is (network["assignPublicIp"] == "ENABLED") is False
    definition = ecs.describe_task_definition(taskDefinition=row.task_definition)["taskDefinition"]
    containers = {c.name: c for c in inventory.rows("containers")}
    for container in definition["containerDefinitions"]:
        shown = containers[container["name"]]
        assert shown.image == container["image"]
        assert shown.environment == {e["name"]: e["value"] for e in container.get("environment", [])}
        assert shown.health_interval == container.get("healthCheck", {}).get("interval")
    (task,) = inventory.rows("task_definitions")
    assert {task.task_role, task.execution_role} <= set(inventory["roles"]["name"])
    assert task.task_role != task.execution_role


def test_the_parts_of_a_layer_refer_to_each_other_by_name(inventory: Inventory) -> None:
    def refers(table: str, column: str, other: str) -> None:
        cells = [getattr(row, column) for row in inventory.rows(table)]
        used = {name for cell in cells for name in (cell if isinstance(cell, list) else [cell]) if name}
        assert used, (table, column)
        assert used <= set(inventory[other]["name"]), (table, column)

    refers("endpoints", "subnets", "subnets")
    refers("endpoints", "security_groups", "security_groups")
    refers("nat_gateways", "subnet", "subnets")
    refers("flow_logs", "destination", "log_groups")
    refers("flow_logs", "role", "roles")
    refers("containers", "log_group", "log_groups")
    refers("services", "security_groups", "security_groups")
    refers("services", "target_groups", "target_groups")
    refers("services", "task_definition", "task_definitions")
    refers("load_balancers", "subnets", "subnets")
    refers("listeners", "target", "target_groups")
    refers("autoscaling", "service", "services")
    refers("buckets", "logging_bucket", "buckets")
    refers("buckets", "replicates_to", "buckets")
    refers("bucket_replication_rules", "role", "roles")
    refers("instance_profiles", "roles", "roles")
    refers("roles", "boundary", "policies")


@pytest.mark.parametrize(
    ("table", "ids", "names", "other"),
    [
        ("subnets", "vpc_id", "vpc", "vpcs"),
        ("internet_gateways", "vpc_id", "vpc", "vpcs"),
        ("routes", "subnet_ids", "subnets", "subnets"),
        ("nat_gateways", "subnet_id", "subnet", "subnets"),
        ("endpoints", "subnet_ids", "subnets", "subnets"),
        ("endpoints", "group_ids", "security_groups", "security_groups"),
        ("endpoint_policy_statements", "endpoint_id", "endpoint", "endpoints"),
        ("nacl_entries", "subnet_ids", "subnets", "subnets"),
        ("security_group_rules", "group_id", "security_group", "security_groups"),
        ("flow_logs", "resource_id", "resource", "vpcs"),
        ("services", "cluster_arn", "cluster", "clusters"),
        ("services", "subnet_ids", "subnets", "subnets"),
        ("services", "group_ids", "security_groups", "security_groups"),
        ("services", "target_group_arns", "target_groups", "target_groups"),
        ("load_balancers", "subnet_ids", "subnets", "subnets"),
        ("load_balancers", "group_ids", "security_groups", "security_groups"),
        ("listeners", "load_balancer_arn", "load_balancer", "load_balancers"),
        ("listeners", "target_group_arns", "target", "target_groups"),
        ("roles", "boundary_arn", "boundary", "policies"),
        ("roles", "attached_policy_arns", "attached_policies", "policies"),
        ("iam_statements", "policy_arn", "policy", "policies"),
    ],
)
def test_ids_and_names_are_of_the_same_resources(
    inventory: Inventory, table: str, ids: str, names: str, other: str
) -> None:
    known = {id: row.name for id, row in inventory.by_key(other).items()}
    rows = inventory.rows(table)
    assert any(getattr(row, ids) for row in rows)
    for row in rows:
        of, called = getattr(row, ids), getattr(row, names)
        assert sorted(known[id] for id in ([of] if isinstance(of, str) else of)) == sorted(
            [called] if isinstance(called, str) else called
        )


def test_a_service_and_its_autoscaling_have_one_resource_id(inventory: Inventory) -> None:
    (service,) = inventory.rows("services")
    assert [row.service for row in inventory.rows("autoscaling", resource_id=service.resource_id)] == [service.name]


# ── changes in AWS are seen ──


def test_a_changed_bucket_is_seen(stack: Any, inventory: Inventory) -> None:
    name = next(row.name for row in inventory.rows("buckets") if row.replicates_to)
    with stack.branch() as branch:
        branch.client("s3").put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Suspended"})
        assert one(branch.inventory(), "buckets", name).versioning == "Suspended"
    assert one(stack.inventory(), "buckets", name).versioning == "Enabled"


def test_an_opened_port_is_seen(stack: Any, inventory: Inventory) -> None:
    group = one(inventory, "security_groups", "-task-sg").group_id
    opened = [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    before = len(inventory["security_group_rules"])
    with stack.branch() as branch:
        branch.client("ec2").authorize_security_group_ingress(GroupId=group, IpPermissions=opened)
        rules = branch.inventory().rows("security_group_rules")
    assert len(rules) == before + 1
    (new,) = [r for r in rules if r.ports == "22"]
    assert (new.direction, new.peer, new.peer_type) == ("ingress", "0.0.0.0/0", "cidr")
    assert len(stack.inventory()["security_group_rules"]) == before


def test_a_private_subnet_with_a_route_to_the_internet_becomes_public(stack: Any, inventory: Inventory) -> None:
    """And private again without it."""
    subnet = next(row for row in inventory.rows("subnets") if row.tier == "private")
    gateway = inventory.rows("internet_gateways")[0].internet_gateway_id
    where = {"RouteTableId": subnet.route_table_id, "DestinationCidrBlock": "203.0.113.0/24"}
    with stack.branch() as branch:
        ec2 = branch.client("ec2")
        ec2.create_route(**where, GatewayId=gateway)
        assert one(branch.inventory(), "subnets", subnet.name).tier == "public"
        ec2.delete_route(**where)
        assert one(branch.inventory(), "subnets", subnet.name).tier == "private"


def test_an_inline_policy_and_a_lost_boundary_are_seen(stack: Any, inventory: Inventory) -> None:
    role = one(inventory, "roles", "-ecs-task-role")
    named = {"RoleName": role.name}
    everything = '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}'
    with stack.branch() as branch:
        iam = branch.client("iam")
        iam.put_role_policy(**named, PolicyName="extra", PolicyDocument=everything)
        iam.delete_role_permissions_boundary(**named)
        changed = branch.inventory()
    row = one(changed, "roles", role.name)
    assert (row.boundary, row.inline_policies) == ("", ["extra"])
    (statement,) = [s for s in changed.rows("iam_statements") if s.kind == "inline"]
    assert (statement.roles, statement.actions, statement.resources) == ([role.name], ["*"], ["*"])
    assert one(stack.inventory(), "roles", role.name) == role


# ── denied calls ──


def test_a_denied_call_leaves_the_rest_intact(stack: Any, inventory: Inventory) -> None:
    def refuse(model: Any, **_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, model.name)

    read = read_inventory(hooked(stack, "before-call.s3.GetBucketPolicy", refuse), stack.scope)
    assert set(read.problems["table"]) == {"buckets", "bucket_policy_statements"}
    assert len(read.problems) == 2 * len(read["buckets"])
    assert read["bucket_policy_statements"].empty
    assert [row.policy_statements for row in read.rows("buckets")] == [None] * len(read["buckets"])
    rest = [name for name in TABLES if name not in ("buckets", "bucket_policy_statements")]
    assert {name: read.rows(name) for name in rest} == {name: inventory.rows(name) for name in rest}


def test_sequential_reads_give_the_same_result(stack: Any, inventory: Inventory) -> None:
    read = read_inventory(stack.client, stack.scope, workers=1)
    assert {name: read.rows(name) for name in read} == {name: inventory.rows(name) for name in inventory}


# ── the saved inventory ──


def test_the_saved_inventory_matches_this_stack(inventory: Inventory) -> None:
    """Unit tests of code that consumes an inventory use a saved one.

    After a change to the stack, `REFRESH_INVENTORY=1 pytest tests/stack/test_inventory.py -k saved` rewrites it.
    """
    if os.environ.get("REFRESH_INVENTORY"):
        SAVED.write_text(inventory.to_json())
    saved = Inventory.from_json(SAVED.read_text())
    first = {name: next(iter(table.columns)) for name, table in TABLES.items()}
    differing = [name for name in TABLES if sorted(saved[name][first[name]]) != sorted(inventory[name][first[name]])]
    assert differing == [], "the saved inventory does not match this stack: rewrite it with REFRESH_INVENTORY=1"
