"""Claims change their verdict when someone changes what is deployed.

The deployed resources are changed with boto3, all at once, read again, judged, and restored. Changes that cannot be
undone without a trace in AWS (or its stand-in), such as a deleted flow log, are made in the inventory instead:
tests/unit/test_claims.py has a change for every claim.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from workbook.claims import Results, Verdict, judge
from workbook.inventory import Inventory, Row

pytestmark = pytest.mark.stack

ANYWHERE = "0.0.0.0/0"


@dataclass
class Live:
    """The deployed environment while someone changes it; `undo` holds how to revert each change."""

    stack: Any
    inventory: Inventory
    undo: ExitStack

    def client(self, service: str, region: str | None = None) -> Any:
        return self.stack.client(service, region)

    def row(self, table: str, name: str) -> Row:
        """The row whose name is the prefix plus this ending."""
        full = f"{self.stack.scope.prefix}{name}"
        (found,) = [row for row in self.inventory.rows(table) if row.name == full]
        return found

    def bucket(self, kind: str) -> str:
        (name,) = [row.name for row in self.inventory.rows("buckets") if f"-{kind}-" in row.name]
        return str(name)

    def after(self, call: Callable[..., Any], **arguments: Any) -> None:
        """Call this when everything is restored."""
        self.undo.callback(call, **arguments)


# ── changes ──


def network(live: Live) -> None:
    ec2, vpc = live.client("ec2"), live.row("vpcs", "-vpc")
    subnet = live.row("subnets", f"-vpc-public-{live.stack.scope.region}a").subnet_id
    ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    live.after(ec2.modify_subnet_attribute, SubnetId=subnet, MapPublicIpOnLaunch={"Value": False})
    ec2.modify_vpc_attribute(VpcId=vpc.vpc_id, EnableDnsHostnames={"Value": False})
    live.after(ec2.modify_vpc_attribute, VpcId=vpc.vpc_id, EnableDnsHostnames={"Value": True})

    gateway = live.inventory.rows("internet_gateways")[0].internet_gateway_id
    main = next(row.route_table_id for row in live.inventory.rows("routes") if row.main)
    ec2.create_route(RouteTableId=main, DestinationCidrBlock="198.51.100.0/24", GatewayId=gateway)
    live.after(ec2.delete_route, RouteTableId=main, DestinationCidrBlock="198.51.100.0/24")
    (out,) = [
        row
        for row in live.inventory.rows("routes")
        if row.route_table.endswith(f"-private-{live.stack.scope.region}c") and row.target_type == "nat_gateway"
    ]
    ec2.delete_route(RouteTableId=out.route_table_id, DestinationCidrBlock=ANYWHERE)
    live.after(
        ec2.create_route,
        RouteTableId=out.route_table_id,
        DestinationCidrBlock=ANYWHERE,
        NatGatewayId=out.target_id,
    )

    tags = [{"Key": key, "Value": vpc.tags[key]} for key in ("Environment", "Owner")]
    ec2.create_tags(Resources=[vpc.vpc_id], Tags=[{"Key": "Environment", "Value": "prod"}])
    ec2.delete_tags(Resources=[vpc.vpc_id], Tags=[{"Key": "Owner"}])
    live.after(ec2.create_tags, Resources=[vpc.vpc_id], Tags=tags)
    name = live.inventory.rows("internet_gateways")[0].name
    ec2.create_tags(Resources=[gateway], Tags=[{"Key": "Name", "Value": "way-out"}])
    live.after(ec2.create_tags, Resources=[gateway], Tags=[{"Key": "Name", "Value": name}])

    endpoint = live.row("endpoints", "-logs-endpoint")
    opened = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}],
    }
    ec2.modify_vpc_endpoint(VpcEndpointId=endpoint.endpoint_id, PolicyDocument=json.dumps(opened))
    live.after(ec2.modify_vpc_endpoint, VpcEndpointId=endpoint.endpoint_id, PolicyDocument=json.dumps(endpoint.policy))


def network_acls(live: Live) -> None:
    ec2 = live.client("ec2")
    acls = {row.network_acl: row.network_acl_id for row in live.inventory.rows("nacl_entries")}
    for name, number, egress, low, high in (
        ("public", 310, False, 22, 22),
        ("private", 150, False, 1024, 65535),
        ("private", 210, True, 25, 25),
        ("default", 100, True, 443, 443),
    ):
        acl = {"NetworkAclId": acls[f"{live.stack.scope.prefix}-vpc-{name}"], "RuleNumber": number, "Egress": egress}
        ports = {"From": low, "To": high}
        ec2.create_network_acl_entry(**acl, Protocol="6", RuleAction="allow", CidrBlock=ANYWHERE, PortRange=ports)
        live.after(ec2.delete_network_acl_entry, **acl)


def security_groups(live: Live) -> None:
    ec2 = live.client("ec2")
    for name, direction, port, cidr in (
        ("-vpc-default", "ingress", 443, "10.0.0.0/16"),
        ("-alb-sg", "ingress", 22, ANYWHERE),
        ("-alb-sg", "egress", 443, ANYWHERE),
        ("-task-sg", "ingress", 8080, "10.0.0.0/16"),
        ("-task-sg", "egress", 25, ANYWHERE),
        ("-endpoint-sg", "ingress", 80, "10.0.0.0/16"),
    ):
        rule = [{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": cidr}]}]
        group = {"GroupId": live.row("security_groups", name).group_id, "IpPermissions": rule}
        getattr(ec2, f"authorize_security_group_{direction}")(**group)
        live.after(getattr(ec2, f"revoke_security_group_{direction}"), **group)


def registry(live: Live) -> None:
    ecr, name = live.client("ecr"), {"repositoryName": live.row("repositories", "-app").name}
    ecr.put_image_scanning_configuration(**name, imageScanningConfiguration={"scanOnPush": False})
    live.after(ecr.put_image_scanning_configuration, **name, imageScanningConfiguration={"scanOnPush": True})
    ecr.put_image_tag_mutability(**name, imageTagMutability="MUTABLE")
    live.after(ecr.put_image_tag_mutability, **name, imageTagMutability="IMMUTABLE")
    policy = ecr.get_repository_policy(**name)["policyText"]
    opened = {
        "Version": "2012-10-17",
        "Statement": [{"Sid": "Open", "Effect": "Allow", "Principal": "*", "Action": "ecr:PutImage"}],
    }
    ecr.set_repository_policy(**name, policyText=json.dumps(opened))
    live.after(ecr.set_repository_policy, **name, policyText=policy)
    lifecycle = ecr.get_lifecycle_policy(**name)["lifecyclePolicyText"]
    selection = {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 365}
    rules = [{"rulePriority": 1, "description": "Late", "selection": selection, "action": {"type": "expire"}}]
    ecr.put_lifecycle_policy(**name, lifecyclePolicyText=json.dumps({"rules": rules}))
    live.after(ecr.put_lifecycle_policy, **name, lifecyclePolicyText=lifecycle)


def identity(live: Live) -> None:
    iam, prefix = live.client("iam"), live.stack.scope.prefix

    def grant(role: str, action: str, resource: str) -> None:
        document = {
            "Version": "2012-10-17",
            "Statement": [{"Sid": "Quick", "Effect": "Allow", "Action": action, "Resource": resource}],
        }
        iam.put_role_policy(RoleName=f"{prefix}-{role}", PolicyName="quick-fix", PolicyDocument=json.dumps(document))
        live.after(iam.delete_role_policy, RoleName=f"{prefix}-{role}", PolicyName="quick-fix")

    grant("lambda-role", "iam:PassRole", "*")
    grant("ecs-task-role", "s3:*", f"arn:aws:s3:::{live.bucket('data')}")
    grant("ecs-execution-role", "s3:GetObject", "arn:aws:s3:::alloy*/*")
    grant("s3-replication-role", "s3:ReplicateDelete", f"arn:aws:s3:::{live.bucket('replica')}/*")

    def trust(role: str, statement: dict[str, Any]) -> None:
        before = iam.get_role(RoleName=f"{prefix}-{role}")["Role"]["AssumeRolePolicyDocument"]
        document = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", **statement}],
        }
        iam.update_assume_role_policy(RoleName=f"{prefix}-{role}", PolicyDocument=json.dumps(document))
        live.after(iam.update_assume_role_policy, RoleName=f"{prefix}-{role}", PolicyDocument=json.dumps(before))

    trust("lambda-role", {"Principal": {"Service": "lambda.amazonaws.com"}})
    trust("rds-monitoring-role", {"Principal": {"AWS": "arn:aws:iam::999999999999:root"}})

    boundary = live.row("policies", "-permissions-boundary")
    role = {"RoleName": f"{prefix}-vpc-flow-log-role"}
    iam.delete_role_permissions_boundary(**role)
    live.after(iam.put_role_permissions_boundary, **role, PermissionsBoundary=boundary.policy_arn)
    weaker = {
        **boundary.document,
        "Statement": [s for s in boundary.document["Statement"] if s["Effect"] == "Allow"],
    }
    old = iam.get_policy(PolicyArn=boundary.policy_arn)["Policy"]["DefaultVersionId"]
    new = iam.create_policy_version(PolicyArn=boundary.policy_arn, PolicyDocument=json.dumps(weaker), SetAsDefault=True)
    live.after(iam.delete_policy_version, PolicyArn=boundary.policy_arn, VersionId=new["PolicyVersion"]["VersionId"])
    live.after(iam.set_default_policy_version, PolicyArn=boundary.policy_arn, VersionId=old)

    broad = {"RoleName": f"{prefix}-ec2-role", "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}
    iam.attach_role_policy(**broad)
    live.after(iam.detach_role_policy, **broad)
    profile = {"InstanceProfileName": f"{prefix}-ec2-role", "RoleName": f"{prefix}-ec2-role"}
    iam.remove_role_from_instance_profile(**profile)
    live.after(iam.add_role_to_instance_profile, **profile)


def buckets(live: Live) -> None:
    s3, far = live.client("s3"), live.client("s3", live.stack.scope.replica_region)
    data, logs, replica = ({"Bucket": live.bucket(kind)} for kind in ("data", "logs", "replica"))

    s3.put_bucket_versioning(**logs, VersioningConfiguration={"Status": "Suspended"})
    live.after(s3.put_bucket_versioning, **logs, VersioningConfiguration={"Status": "Enabled"})
    block = s3.get_public_access_block(**logs)["PublicAccessBlockConfiguration"]
    s3.put_public_access_block(**logs, PublicAccessBlockConfiguration={**block, "BlockPublicPolicy": False})
    live.after(s3.put_public_access_block, **logs, PublicAccessBlockConfiguration=block)
    owner = s3.get_bucket_ownership_controls(**logs)["OwnershipControls"]
    s3.put_bucket_ownership_controls(**logs, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})
    live.after(s3.put_bucket_ownership_controls, **logs, OwnershipControls=owner)
    encryption = s3.get_bucket_encryption(**logs)["ServerSideEncryptionConfiguration"]
    kms = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]}
    s3.put_bucket_encryption(**logs, ServerSideEncryptionConfiguration=kms)
    live.after(s3.put_bucket_encryption, **logs, ServerSideEncryptionConfiguration=encryption)

    logging = s3.get_bucket_logging(**data)["LoggingEnabled"]
    s3.put_bucket_logging(**data, BucketLoggingStatus={})
    live.after(s3.put_bucket_logging, **data, BucketLoggingStatus={"LoggingEnabled": logging})
    replication = s3.get_bucket_replication(**data)["ReplicationConfiguration"]
    off = {**replication, "Rules": [{**rule, "Status": "Disabled"} for rule in replication["Rules"]]}
    s3.put_bucket_replication(**data, ReplicationConfiguration=off)
    live.after(s3.put_bucket_replication, **data, ReplicationConfiguration=replication)

    def rules(client: Any, bucket: dict[str, str], change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        before = client.get_bucket_lifecycle_configuration(**bucket)["Rules"]
        client.put_bucket_lifecycle_configuration(
            **bucket, LifecycleConfiguration={"Rules": [change(rule) for rule in before]}
        )
        live.after(client.put_bucket_lifecycle_configuration, **bucket, LifecycleConfiguration={"Rules": before})

    rules(far, replica, lambda rule: {**rule, "Status": "Disabled"})
    rules(s3, logs, lambda rule: {**rule, "Expiration": {"Days": 7}})

    # Applied last and reverted first: once the embedded AWS evaluates a policy, it must not block the other changes.
    def policy(client: Any, bucket: dict[str, str], statements: list[dict[str, Any]]) -> None:
        before = client.get_bucket_policy(**bucket)["Policy"]
        client.put_bucket_policy(**bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))
        live.after(client.put_bucket_policy, **bucket, Policy=before)

    objects = f"arn:aws:s3:::{data['Bucket']}/*"
    policy(
        s3,
        data,
        [{"Sid": "Open", "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "s3:GetObject", "Resource": objects}],
    )
    statements = [
        dict(row.statement)
        for row in live.inventory.rows("bucket_policy_statements")
        if row.bucket == replica["Bucket"]
    ]
    # Except for the named principals: without them, nobody could restore it.
    for statement in (s for s in statements if "ArnNotEquals" in s["Condition"]):
        named = statement["Condition"]["ArnNotEquals"]["aws:PrincipalArn"]
        statement["Condition"] = {
            "ArnNotEquals": {"aws:PrincipalArn": [*named, "arn:aws:iam::999999999999:role/stranger"]}
        }
    policy(far, replica, statements)


def application(live: Live) -> None:
    ecs, service = live.client("ecs"), live.row("services", "-service")
    where = {"cluster": service.cluster, "service": service.name}
    old = ecs.describe_task_definition(taskDefinition=service.task_definition)["taskDefinition"]
    prepare, dashboard = sorted(old["containerDefinitions"], key=lambda c: c["name"] == "dashboard")
    careless = {
        **{
            key: value
            for key, value in dashboard.items()
            if key not in ("healthCheck", "user", "linuxParameters", "readonlyRootFilesystem")
        },
        "image": "public.ecr.aws/aws-cli/aws-cli:latest",
        "user": "root",
        "privileged": True,
        "command": ["sleep infinity"],
        "environment": [{"name": "DB_PASSWORD", "value": "hunter2"}],
    }
    silent = {key: value for key, value in prepare.items() if key != "logConfiguration"}
    kept = ("family", "taskRoleArn", "networkMode", "volumes", "requiresCompatibilities", "cpu", "memory")
    new = ecs.register_task_definition(
        **{key: old[key] for key in kept}, executionRoleArn=old["taskRoleArn"], containerDefinitions=[careless, silent]
    )["taskDefinition"]["taskDefinitionArn"]
    live.after(ecs.deregister_task_definition, taskDefinition=new)
    ecs.update_service(**where, taskDefinition=new, desiredCount=1)
    live.after(ecs.update_service, **where, taskDefinition=old["taskDefinitionArn"], desiredCount=service.desired)
    settings = [{"name": "containerInsights", "value": "disabled"}]
    ecs.update_cluster(cluster=service.cluster, settings=settings)
    live.after(
        ecs.update_cluster, cluster=service.cluster, settings=[{"name": "containerInsights", "value": "enhanced"}]
    )

    scaling = live.client("application-autoscaling")
    target = {
        "ServiceNamespace": "ecs",
        "ResourceId": f"service/{service.cluster}/{service.name}",
        "ScalableDimension": "ecs:service:DesiredCount",
    }
    (limits,) = live.inventory.rows("autoscaling")
    scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=1)
    live.after(scaling.register_scalable_target, **target, MinCapacity=limits.minimum, MaxCapacity=limits.maximum)
    group = f"/ecs/{live.stack.scope.prefix}"
    live.client("logs").delete_retention_policy(logGroupName=group)
    live.after(live.client("logs").put_retention_policy, logGroupName=group, retentionInDays=30)


def balancer(live: Live) -> None:
    elb, alb = live.client("elbv2"), live.row("load_balancers", "-alb")
    arn = {"LoadBalancerArn": alb.load_balancer_arn}
    wanted = ("routing.http.drop_invalid_header_fields.enabled", "access_logs.s3.enabled")
    elb.modify_load_balancer_attributes(**arn, Attributes=[{"Key": key, "Value": "false"} for key in wanted])
    live.after(elb.modify_load_balancer_attributes, **arn, Attributes=[{"Key": key, "Value": "true"} for key in wanted])
    (group,) = live.inventory.rows("target_groups")
    elb.modify_target_group(TargetGroupArn=group.target_group_arn, HealthCheckPath="/")
    live.after(elb.modify_target_group, TargetGroupArn=group.target_group_arn, HealthCheckPath=group.health_path)
    forward = [{"Type": "forward", "TargetGroupArn": group.target_group_arn}]
    listener = elb.create_listener(**arn, Protocol="HTTP", Port=8081, DefaultActions=forward)["Listeners"][0][
        "ListenerArn"
    ]
    live.after(elb.delete_listener, ListenerArn=listener)


CHANGES = (network, network_acls, security_groups, registry, identity, buckets, application, balancer)

# Claim -> ending of a resource name that the evidence must contain.
TURNED = {
    "VPC-NO-AUTO-PUBLIC-IP": "-vpc-public-us-east-1a",
    "VPC-NAT": "-vpc-private-us-east-1c",
    "VPC-MAIN-ROUTE-TABLE": "-vpc-default",
    "VPC-ENDPOINT-DNS": "-vpc",
    "VPC-ENDPOINT-POLICY": "-logs-endpoint",
    "VPC-ENDPOINT-ACCOUNT": "-logs-endpoint",
    "VPC-NACL-DEFAULT": "-vpc-default",
    "VPC-NACL-PRIVATE-IN": "-vpc-private",
    "VPC-NACL-PRIVATE-OUT": "-vpc-private",
    "VPC-NACL-PUBLIC-IN": "-vpc-public",
    "VPC-NACL-ADMIN-PORTS": "-vpc-public",
    "VPC-SG-DEFAULT": "-vpc-default",
    "VPC-SG-WORLD": "-alb-sg",
    "VPC-SG-ADMIN-PORTS": "-alb-sg",
    "VPC-SG-TASK-IN": "-task-sg",
    "VPC-SG-TASK-OUT": "-task-sg",
    "VPC-SG-ALB-OUT": "-alb-sg",
    "VPC-SG-ENDPOINT-IN": "-logs-endpoint",
    "ECR-SCAN": "-app",
    "ECR-FINDINGS": "-app",
    "ECR-IMMUTABLE": "-app",
    "ECR-LIFECYCLE-UNTAGGED": "-app",
    "ECR-LIFECYCLE-TAGGED": "-app",
    "ECR-POLICY": "-app",
    "ECR-POLICY-PULL-ONLY": "-app",
    "IAM-ROLE-EC2": "-ec2-role",
    "IAM-ROLE-RDS": "monitoring.rds.amazonaws.com",
    "IAM-TRUST": "-rds-monitoring-role",
    "IAM-CONFUSED-DEPUTY": "-lambda-role",
    "IAM-NO-WILDCARD-ACTIONS": "AdministratorAccess",
    "IAM-NO-WILDCARD-RESOURCES": "quick-fix",
    "IAM-NARROW-ARNS": "quick-fix",
    "IAM-TASK-ROLE": "-ecs-task-role",
    "IAM-EXECUTION-ROLE": "-ecs-task-role",
    "IAM-REPLICATION-ROLE": "-s3-replication-role",
    "IAM-NO-ESCALATION": "-lambda-role",
    "IAM-ATTACHMENTS": "-lambda-role",
    "IAM-AWS-MANAGED": "AdministratorAccess",
    "IAM-BOUNDARY": "-vpc-flow-log-role",
    "IAM-BOUNDARY-ESCALATION": "-permissions-boundary",
    "IAM-BOUNDARY-AUDIT": "-permissions-boundary",
    "IAM-BOUNDARY-DATA": "-permissions-boundary",
    "IAM-BOUNDARY-REGIONS": "-permissions-boundary",
    "IAM-ENFORCED": "-vpc-flow-log-role",
    "S3-VERSIONING": "-logs-",
    "S3-VERSIONS-KEPT": "-replica-",
    "S3-PUBLIC-BLOCK": "-logs-",
    "S3-ACLS-OFF": "-logs-",
    "S3-TLS": "-data-",
    "S3-VPC-ONLY": "-data-",
    "S3-OPERATORS": "-replica-",
    "S3-NO-PUBLIC-ALLOW": "-data-",
    "S3-POLICY-ENFORCED": "-data-",
    "S3-ACCESS-LOGS": "-data-",
    "S3-LOG-WRITERS": "-data-",
    "S3-LOGS-EXPIRE": "-logs-",
    "S3-LIFECYCLE": "-replica-",
    "S3-MULTIPART": "-replica-",
    "S3-LIFECYCLE-RUNS": "-replica-",
    "S3-REPLICATION": "-data-",
    "S3-REPLICA-OUTLIVES": "-data-",
    "S3-REPLICATED": "-data-",
    "ECS-MULTI-AZ": "-service",
    "ECS-AUTOSCALING": "-service",
    "ECS-INSIGHTS": "-cluster",
    "ECS-IMAGE-PINNED": "dashboard",
    "ECS-S3-CHECK": "dashboard",
    "ECS-PAGE": "dashboard",
    "ECS-FEATURES": "dashboard",
    "ECS-HEALTH-CHECK": "dashboard",
    "ECS-HEALTH-INTERVAL": "dashboard",
    "ECS-SEPARATE-ROLES": "-service:",
    "ECS-NON-ROOT": "dashboard",
    "ECS-READ-ONLY-ROOT": "dashboard",
    "ECS-NO-CAPABILITIES": "dashboard",
    "ECS-NOT-PRIVILEGED": "dashboard",
    "ECS-NO-SECRETS": "dashboard",
    "ECS-LOGS": "prepare",
    "ALB-HTTPS": "-alb",
    "ALB-DROP-HEADERS": "-alb",
    "ALB-ACCESS-LOGS": "-alb",
    "ALB-LOGS-ARRIVE": "-alb",
    "ALB-HEALTH-PATH": "-8080",
    "GEN-NAMES": "way-out",
    "GEN-TAGS": "-vpc",
    "GEN-ENVIRONMENT": "-vpc",
    "GEN-LOG-RETENTION": "/ecs/",
}
# Nothing left to judge: the data bucket logs nowhere.
NOTHING_TO_SEE = {"S3-LOGS-ARRIVE"}


@pytest.fixture(scope="module")
def before(stack: Any) -> Inventory:
    inventory: Inventory = stack.inventory()
    return inventory


@pytest.fixture(scope="module")
def during(stack: Any, before: Inventory) -> Iterator[Results]:
    with ExitStack() as undo:
        live = Live(stack, before, undo)
        for change in CHANGES:
            change(live)
        results = judge(stack.inventory())
    yield results


def test_everything_is_as_claimed_when_deployed(before: Inventory) -> None:
    assert [(result.claim.id, result.reason) for result in judge(before).failed] == []


@pytest.mark.parametrize("claim", list(TURNED))
def test_a_claim_turns_and_names_what_was_changed(during: Results, claim: str) -> None:
    assert during[claim].verdict is Verdict.FAIL
    assert any(TURNED[claim] in line.resource for line in during[claim].against), during[claim].reason


def test_only_claims_about_what_was_changed_turn(during: Results) -> None:
    assert {result.claim.id for result in during.failed} == set(TURNED) | NOTHING_TO_SEE


def test_one_route_to_the_internet_is_noticed(stack: Any, before: Inventory) -> None:
    """A route through the internet gateway makes a private subnet public, and everything in it with it."""
    ec2 = stack.client("ec2")
    subnet = next(row for row in before.rows("subnets") if row.name.endswith("-private-us-east-1b"))
    gateway = before.rows("internet_gateways")[0].internet_gateway_id
    route = {"RouteTableId": subnet.route_table_id, "DestinationCidrBlock": "198.51.100.0/24"}
    ec2.create_route(**route, GatewayId=gateway)
    try:
        results = judge(stack.inventory())
    finally:
        ec2.delete_route(**route)
    assert results["VPC-PRIVATE-NO-IGW"].reason.startswith(subnet.name)
    assert {"VPC-PRIVATE-NO-IGW", "VPC-MULTI-AZ", "VPC-TIERS", "ECS-PRIVATE-SUBNETS"} <= {
        result.claim.id for result in results.failed
    }


def test_what_may_not_be_read_is_not_passed(stack: Any, before: Inventory) -> None:
    """AWS denies one call: the claims that depend on it fail and say so."""
    from workbook.inventory import read_inventory

    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetBucketVersioning")

    def client(service: str, region: str | None = None) -> Any:
        made = stack.client(service, region)
        made.meta.events.register("before-call.s3.GetBucketVersioning", refuse)
        return made

    failed = {result.claim.id: result.reason for result in judge(read_inventory(client, stack.scope)).failed}
    assert "could not be read" in failed["S3-VERSIONING"]
    assert "VPC-OWN" not in failed


def test_everything_is_put_back(stack: Any, before: Inventory, during: Results) -> None:
    after = stack.inventory()
    assert {name: after.rows(name) for name in after} == {name: before.rows(name) for name in before}
