"""Claims change their verdict when someone changes what is deployed.

Each change is made with boto3 on a branch of its own, which is read, judged and thrown away. tests/unit/test_claims.py
has a change in the inventory for every claim.
"""

from __future__ import annotations

import json
from collections.abc import Callable
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
    """A branch of the deployed environment, for someone to change."""

    stack: Any
    inventory: Inventory

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


# ── changes ──


def network(live: Live) -> None:
    ec2, vpc = live.client("ec2"), live.row("vpcs", "-vpc")
    subnet = live.row("subnets", f"-vpc-public-{live.stack.scope.region}a").subnet_id
    ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    ec2.modify_vpc_attribute(VpcId=vpc.vpc_id, EnableDnsHostnames={"Value": False})

    gateway = live.inventory.rows("internet_gateways")[0].internet_gateway_id
    main = next(row.route_table_id for row in live.inventory.rows("routes") if row.main)
    ec2.create_route(RouteTableId=main, DestinationCidrBlock="198.51.100.0/24", GatewayId=gateway)
    (out,) = [
        row
        for row in live.inventory.rows("routes")
        if row.route_table.endswith(f"-private-{live.stack.scope.region}c") and row.target_type == "nat_gateway"
    ]
    ec2.delete_route(RouteTableId=out.route_table_id, DestinationCidrBlock=ANYWHERE)

    ec2.create_tags(Resources=[vpc.vpc_id], Tags=[{"Key": "Environment", "Value": "prod"}])
    ec2.delete_tags(Resources=[vpc.vpc_id], Tags=[{"Key": "Owner"}])
    ec2.create_tags(Resources=[gateway], Tags=[{"Key": "Name", "Value": "way-out"}])

    endpoint = live.row("endpoints", "-logs-endpoint")
    opened = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}],
    }
    ec2.modify_vpc_endpoint(VpcEndpointId=endpoint.endpoint_id, PolicyDocument=json.dumps(opened))


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


def registry(live: Live) -> None:
    ecr, name = live.client("ecr"), {"repositoryName": live.row("repositories", "-app").name}
    ecr.put_image_scanning_configuration(**name, imageScanningConfiguration={"scanOnPush": False})
    ecr.put_image_tag_mutability(**name, imageTagMutability="MUTABLE")
    opened = {
        "Version": "2012-10-17",
        "Statement": [{"Sid": "Open", "Effect": "Allow", "Principal": "*", "Action": "ecr:PutImage"}],
    }
    ecr.set_repository_policy(**name, policyText=json.dumps(opened))
    selection = {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 365}
    rules = [{"rulePriority": 1, "description": "Late", "selection": selection, "action": {"type": "expire"}}]
    ecr.put_lifecycle_policy(**name, lifecyclePolicyText=json.dumps({"rules": rules}))


def identity(live: Live) -> None:
    iam, prefix = live.client("iam"), live.stack.scope.prefix

    def grant(role: str, action: str, resource: str) -> None:
        document = {
            "Version": "2012-10-17",
            "Statement": [{"Sid": "Quick", "Effect": "Allow", "Action": action, "Resource": resource}],
        }
        iam.put_role_policy(RoleName=f"{prefix}-{role}", PolicyName="quick-fix", PolicyDocument=json.dumps(document))

    grant("lambda-role", "iam:PassRole", "*")
    grant("ecs-task-role", "s3:*", f"arn:aws:s3:::{live.bucket('logs')}")
    grant("ecs-execution-role", "s3:GetObject", "arn:aws:s3:::alloy*/*")
    grant("s3-replication-role", "s3:ReplicateDelete", f"arn:aws:s3:::{live.bucket('replica')}/*")

    def trust(role: str, statement: dict[str, Any]) -> None:
        document = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", **statement}],
        }
        iam.update_assume_role_policy(RoleName=f"{prefix}-{role}", PolicyDocument=json.dumps(document))

    trust("lambda-role", {"Principal": {"Service": "lambda.amazonaws.com"}})
    trust("rds-monitoring-role", {"Principal": {"AWS": "arn:aws:iam::999999999999:root"}})

    boundary = live.row("policies", "-permissions-boundary")
    role = {"RoleName": f"{prefix}-vpc-flow-log-role"}
    iam.delete_role_permissions_boundary(**role)
    # As long as the boundary does not allow them, the grants above give a role nothing.
    everything = {"Sid": "Anything", "Effect": "Allow", "Action": "*", "Resource": "*"}
    weaker = {**boundary.document, "Statement": [everything]}
    iam.create_policy_version(PolicyArn=boundary.policy_arn, PolicyDocument=json.dumps(weaker), SetAsDefault=True)

    broad = {"RoleName": f"{prefix}-ec2-role", "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}
    iam.attach_role_policy(**broad)
    profile = {"InstanceProfileName": f"{prefix}-ec2-role", "RoleName": f"{prefix}-ec2-role"}
    iam.remove_role_from_instance_profile(**profile)


def buckets(live: Live) -> None:
    s3, far = live.client("s3"), live.client("s3", live.stack.scope.replica_region)
    data, logs, replica = ({"Bucket": live.bucket(kind)} for kind in ("data", "logs", "replica"))

    s3.put_bucket_versioning(**logs, VersioningConfiguration={"Status": "Suspended"})
    block = s3.get_public_access_block(**logs)["PublicAccessBlockConfiguration"]
    s3.put_public_access_block(**logs, PublicAccessBlockConfiguration={**block, "BlockPublicPolicy": False})
    s3.put_bucket_ownership_controls(**logs, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})
    kms = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]}
    s3.put_bucket_encryption(**logs, ServerSideEncryptionConfiguration=kms)

    s3.put_bucket_logging(**data, BucketLoggingStatus={})
    replication = s3.get_bucket_replication(**data)["ReplicationConfiguration"]
    off = {**replication, "Rules": [{**rule, "Status": "Disabled"} for rule in replication["Rules"]]}
    s3.put_bucket_replication(**data, ReplicationConfiguration=off)

    def rules(client: Any, bucket: dict[str, str], change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        before = client.get_bucket_lifecycle_configuration(**bucket)["Rules"]
        client.put_bucket_lifecycle_configuration(
            **bucket, LifecycleConfiguration={"Rules": [change(rule) for rule in before]}
        )

    rules(far, replica, lambda rule: {**rule, "Status": "Disabled"})
    rules(s3, logs, lambda rule: {**rule, "Expiration": {"Days": 7}})

    # Last: once the embedded AWS evaluates a policy, it must not block the other changes.
    def policy(client: Any, bucket: dict[str, str], statements: list[dict[str, Any]]) -> None:
        client.put_bucket_policy(**bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))

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
    ecs.update_service(**where, taskDefinition=new, desiredCount=1)
    settings = [{"name": "containerInsights", "value": "disabled"}]
    ecs.update_cluster(cluster=service.cluster, settings=settings)

    scaling = live.client("application-autoscaling")
    target = {
        "ServiceNamespace": "ecs",
        "ResourceId": f"service/{service.cluster}/{service.name}",
        "ScalableDimension": "ecs:service:DesiredCount",
    }
    scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=1)
    group = f"/ecs/{live.stack.scope.prefix}"
    live.client("logs").delete_retention_policy(logGroupName=group)


def balancer(live: Live) -> None:
    elb, alb = live.client("elbv2"), live.row("load_balancers", "-alb")
    arn = {"LoadBalancerArn": alb.load_balancer_arn}
    wanted = ("routing.http.drop_invalid_header_fields.enabled", "access_logs.s3.enabled")
    elb.modify_load_balancer_attributes(**arn, Attributes=[{"Key": key, "Value": "false"} for key in wanted])
    (group,) = live.inventory.rows("target_groups")
    elb.modify_target_group(TargetGroupArn=group.target_group_arn, HealthCheckPath="/")
    forward = [{"Type": "forward", "TargetGroupArn": group.target_group_arn}]
    elb.create_listener(**arn, Protocol="HTTP", Port=8081, DefaultActions=forward)


# Change -> the claims that it must turn, each with a part of the name of the resource that its evidence must give. No
# other may turn.
TURNED: dict[Callable[[Live], None], dict[str, str]] = {
    network: {
        "VPC-NO-AUTO-PUBLIC-IP": "-vpc-public-us-east-1a",
        "VPC-NAT": "-vpc-private-us-east-1c",
        "VPC-MAIN-ROUTE-TABLE": "-vpc-default",
        "VPC-ENDPOINT-DNS": "-vpc",
        "VPC-ENDPOINT-POLICY": "-logs-endpoint",
        "VPC-ENDPOINT-ACCOUNT": "-logs-endpoint",
        "GEN-NAMES": "way-out",
        "GEN-TAGS": "-vpc",
        "GEN-ENVIRONMENT": "-vpc",
    },
    network_acls: {
        "VPC-NACL-DEFAULT": "-vpc-default",
        "VPC-NACL-PRIVATE-IN": "-vpc-private",
        "VPC-NACL-PRIVATE-OUT": "-vpc-private",
        "VPC-NACL-PUBLIC-IN": "-vpc-public",
        "VPC-NACL-ADMIN-PORTS": "-vpc-public",
    },
    security_groups: {
        "VPC-SG-DEFAULT": "-vpc-default",
        "VPC-SG-WORLD": "-alb-sg",
        "VPC-SG-ADMIN-PORTS": "-alb-sg",
        "VPC-SG-TASK-IN": "-task-sg",
        "VPC-SG-TASK-OUT": "-task-sg",
        "VPC-SG-ALB-OUT": "-alb-sg",
        "VPC-SG-ENDPOINT-IN": "-logs-endpoint",
    },
    registry: {
        "ECR-SCAN": "-app",
        "ECR-FINDINGS": "-app",
        "ECR-IMMUTABLE": "-app",
        "ECR-LIFECYCLE-UNTAGGED": "-app",
        "ECR-LIFECYCLE-TAGGED": "-app",
        "ECR-POLICY": "-app",
        "ECR-POLICY-PULL-ONLY": "-app",
        # A grant to everyone is one to these roles, and passes their boundary by.
        "IAM-TASK-ROLE": "-ecs-task-role",
        "IAM-EXECUTION-ROLE": "-ecs-execution-role",
        "IAM-REPLICATION-ROLE": "-s3-replication-role",
    },
    identity: {
        "IAM-ROLE-EC2": "-ec2-role",
        "IAM-ROLE-RDS": "monitoring.rds.amazonaws.com",
        "IAM-TRUST": "-rds-monitoring-role",
        "IAM-CONFUSED-DEPUTY": "-lambda-role",
        "IAM-NO-WILDCARD-ACTIONS": "AdministratorAccess",
        "IAM-NO-WILDCARD-RESOURCES": "quick-fix",
        "IAM-NARROW-ARNS": "quick-fix",
        "IAM-TASK-ROLE": "-ecs-task-role",
        "IAM-EXECUTION-ROLE": "-ecs-execution-role",
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
        "S3-REPLICA-OUTLIVES": "-data-",
        "S3-LOG-WRITERS": "-logs-",  # A role of the stack is an administrator now.
    },
    buckets: {
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
        "S3-LOG-WRITERS": "-logs-",
        # A grant to everyone is one to these roles, and passes their boundary by.
        "IAM-EXECUTION-ROLE": "-ecs-execution-role",
        "IAM-REPLICATION-ROLE": "-s3-replication-role",
        "S3-LOGS-EXPIRE": "-logs-",
        "S3-LIFECYCLE": "-replica-",
        "S3-MULTIPART": "-replica-",
        "S3-LIFECYCLE-RUNS": "-replica-",
        "S3-REPLICATION": "-data-",
        "S3-REPLICATED": "-data-",
        "ALB-LOGS-ARRIVE": "-alb",
    },
    application: {
        "IAM-EXECUTION-ROLE": "-ecs-task-role",
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
        "GEN-LOG-RETENTION": "/ecs/",
    },
    balancer: {
        "ALB-HTTPS": "-alb",
        "ALB-DROP-HEADERS": "-alb",
        "ALB-ACCESS-LOGS": "-alb",
        "ALB-LOGS-ARRIVE": "-alb",
        "ALB-HEALTH-PATH": "-8080",
    },
}
# Nothing left to judge: the data bucket logs nowhere.
NOTHING_TO_SEE = {buckets: {"S3-LOGS-ARRIVE"}}


@pytest.fixture(scope="module")
def before(stack: Any) -> Inventory:
    inventory: Inventory = stack.inventory()
    return inventory


@pytest.fixture(scope="module")
def after(stack: Any, before: Inventory) -> dict[str, Results]:
    """Change -> the claims on the branch that it was made on."""
    results = {}
    for change in TURNED:
        with stack.branch() as branch:
            change(Live(branch, before))
            results[change.__name__] = judge(branch.inventory())
    return results


def test_everything_is_as_claimed_when_deployed(before: Inventory) -> None:
    assert [(result.claim.id, result.reason) for result in judge(before).failed] == []


@pytest.mark.parametrize(
    ("change", "claim"),
    [
        pytest.param(change.__name__, claim, id=f"{claim}-{change.__name__}")
        for change in TURNED
        for claim in TURNED[change]
    ],
)
def test_a_claim_turns_and_names_what_was_changed(after: dict[str, Results], change: str, claim: str) -> None:
    resource = next(claims[claim] for made, claims in TURNED.items() if made.__name__ == change)
    assert after[change][claim].verdict is Verdict.FAIL
    assert any(resource in line.resource for line in after[change][claim].against), after[change][claim].reason


@pytest.mark.parametrize("change", TURNED, ids=lambda change: change.__name__)
def test_only_claims_about_what_was_changed_turn(after: dict[str, Results], change: Callable[[Live], None]) -> None:
    turned = {result.claim.id for result in after[change.__name__].failed}
    assert turned == set(TURNED[change]) | NOTHING_TO_SEE.get(change, set())


def test_one_route_to_the_internet_is_noticed(stack: Any, before: Inventory) -> None:
    """A route through the internet gateway makes a private subnet public, and everything in it with it."""
    subnet = next(row for row in before.rows("subnets") if row.name.endswith("-private-us-east-1b"))
    gateway = before.rows("internet_gateways")[0].internet_gateway_id
    route = {"RouteTableId": subnet.route_table_id, "DestinationCidrBlock": "198.51.100.0/24"}
    with stack.branch() as branch:
        branch.client("ec2").create_route(**route, GatewayId=gateway)
        results = judge(branch.inventory())
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


def test_the_branches_left_the_account_as_it_was(stack: Any, before: Inventory, after: dict[str, Results]) -> None:
    assert set(after) == {change.__name__ for change in TURNED}
    now = stack.inventory()
    assert {name: now.rows(name) for name in now} == {name: before.rows(name) for name in before}
