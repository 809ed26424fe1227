"""For each claim, one inventory change that makes it false, and the resource the evidence must name.

`also` lists the claims that change with it because they depend on the same cell; the change shows the reason for each.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from workbook.inventory import TABLES

Row = dict[str, Any]
Rows = dict[str, list[Row]]
Change = Callable[[Rows], None]
P = "alloy-dev-take-home"
DATA, LOGS, REPLICA = f"{P}-data-79ea2d5c", f"{P}-logs-79ea2d5c", f"{P}-replica-79ea2d5c"
SERVICE, ALB, GROUP = f"{P}-service", f"{P}-alb", f"{P}-8080"
BOUNDARY, DENY = f"{P}-permissions-boundary", {"policy": f"{P}-permissions-boundary", "effect": "Deny"}


@dataclass(frozen=True)
class Case:
    """`change` applied to the tables makes the claim fail, with `resource` in the evidence against it."""

    change: Change
    resource: str
    also: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True)
class Id:
    """In a cell: AWS's id of what is called `name`. `kind` is a key of `IDS`."""

    kind: str
    name: str


# kind -> where its ids are: a table, its column of names, its column of ids
IDS = {
    "subnet": ("subnets", "name", "subnet_id"),
    "group": ("security_groups", "name", "group_id"),
    "route_table": ("routes", "route_table", "route_table_id"),
    "acl": ("nacl_entries", "network_acl", "network_acl_id"),
}


def with_ids(rows: Rows, cells: Row) -> Row:
    """A copy of `cells` with an id for each `Id`."""

    def resolved(value: Any) -> Any:
        if isinstance(value, list):
            return [resolved(item) for item in value]
        if not isinstance(value, Id):
            return copy.deepcopy(value)
        table, name, id = IDS[value.kind]
        return next(row[id] for row in rows[table] if row[name] == value.name)

    return {column: resolved(value) for column, value in cells.items()}


def matches(row: Row, where: Row) -> bool:
    return all(row[column] == value for column, value in where.items())


def put(table: str, where: Row, **cells: Any) -> Change:
    """Set cells of the matching rows; at least one row must match."""

    def change(rows: Rows) -> None:
        found = [row for row in rows[table] if matches(row, where)]
        assert found, f"no row of {table} with {where}"
        assert set(cells) <= set(TABLES[table].columns)
        for row in found:
            row.update(with_ids(rows, cells))
            _rewrite(row, cells)

    return change


def _rewrite(row: Row, cells: Row) -> None:
    """Make the statement of a row say what its changed columns say, since proofs read the statement."""
    if "statement" not in row:
        return
    statement = dict(row["statement"])
    for column, element in (("actions", "Action"), ("resources", "Resource")):
        if column in cells:
            negated = [value[1:] for value in cells[column] if value.startswith("!")]
            statement.pop(element, None)
            statement[f"Not{element}" if negated else element] = negated or cells[column]
    if "principals" in cells:
        named: Row = {}
        for principal in cells["principals"]:
            kind, _, value = principal.partition(": ") if ": " in principal else ("AWS", "", principal)
            named.setdefault(kind, []).append(value)
        statement["Principal"] = named
    if "conditions" in cells:
        condition: Row = {}
        for text in cells["conditions"]:
            key, operator, values = text.split(" ", 2)
            condition.setdefault(operator, {})[key] = values.split(", ")
        statement["Condition"] = condition
    if "effect" in cells:
        statement["Effect"] = cells["effect"]
    row["statement"] = statement


OWNERS = {
    "bucket_policy_statements": ("buckets", "bucket"),
    "repository_policy_statements": ("repositories", "repository"),
}


def _recount(rows: Rows, table: str) -> None:
    """A resource's number of statements follows the statements."""
    if table in OWNERS:
        owners, column = OWNERS[table]
        for owner in rows[owners]:
            owner["policy_statements"] = sum(row[column] == owner["name"] for row in rows[table])


def drop(table: str, **where: Any) -> Change:
    """Remove the matching rows; at least one row must match."""

    def change(rows: Rows) -> None:
        kept = [row for row in rows[table] if not matches(row, where)]
        assert len(kept) < len(rows[table]), f"no row of {table} with {where}"
        rows[table] = kept
        _recount(rows, table)

    return change


def add(table: str, like: Row, **cells: Any) -> Change:
    """Add a copy of the first matching row with some cells changed."""

    def change(rows: Rows) -> None:
        assert set(cells) <= set(TABLES[table].columns)
        base = next(row for row in rows[table] if matches(row, like))
        new = {**copy.deepcopy(base), **with_ids(rows, cells)}
        _rewrite(new, cells)
        rows[table].append(new)
        _recount(rows, table)

    return change


def all_of(*changes: Change) -> Change:
    def change(rows: Rows) -> None:
        for one in changes:
            one(rows)

    return change


def case(change: Change, resource: str, *also: str) -> Case:
    return Case(change, resource, frozenset(also))


def subnet(tier: str, az: str) -> str:
    return f"{P}-vpc-{tier}-us-east-1{az}"


def denial_without(*actions: str) -> Change:
    """Remove some actions from the boundary's denials."""

    def change(rows: Rows) -> None:
        for row in rows["iam_statements"]:
            if matches(row, DENY):
                row["actions"] = [action for action in row["actions"] if action not in actions]
                _rewrite(row, {"actions": row["actions"]})

    return change


def boundary_allows(resource: str, *actions: str) -> Change:
    """Let the boundary allow some actions, and take them out of its denials."""
    like = {"policy": f"{P}-permissions-boundary", "effect": "Allow"}
    denials = [denial for action in actions for denial in (action.split(":")[0] + ":*", f"{action}*")]
    return all_of(
        denial_without(*actions, *denials),
        add("iam_statements", like, sid="Opened", actions=list(actions), resources=[resource]),
    )


def environment(**variables: str) -> Change:
    def change(rows: Rows) -> None:
        for row in rows["containers"]:
            if row["port"]:
                row["environment"] = {**row["environment"], **variables}

    return change


def command(old: str, new: str) -> Change:
    """Change the dashboard's startup command."""

    def change(rows: Rows) -> None:
        for row in rows["containers"]:
            if row["port"]:
                row["definition"]["command"] = [part.replace(old, new) for part in row["definition"]["command"]]

    return change


SG, NACL, RULE = "security_group_rules", "nacl_entries", {"security_group": f"{P}-task-sg"}
WITHIN = {"peer": "10.0.0.0/16", "peer_type": "cidr", "peer_id": "10.0.0.0/16"}
WORLD = {"peer": "0.0.0.0/0", "peer_type": "cidr", "peer_id": "0.0.0.0/0"}
PRIVATE_ACL, PUBLIC_ACL = f"{P}-vpc-private", f"{P}-vpc-public"
EXECUTION = {"policy": f"{P}-ecs-execution-policy"}
EC2_ROLE = f"arn:aws:iam::123456789012:role/{P}-ec2-role"
TRAIL = f"arn:aws:cloudtrail:us-east-1:123456789012:trail/{P}-trail"
FLOW_LOGS = f"arn:aws:logs:us-east-1:123456789012:log-group:/vpc/{P}/flow-logs:*"
TASK_READ = {"policy": f"{P}-ecs-task-policy", "sid": "ReadAndWriteData"}
DASHBOARD, PREPARE = {"name": "dashboard"}, {"name": "prepare"}

CASES: dict[str, Case] = {
    # ── vpc ──
    "VPC-OWN": case(put("vpcs", {}, cidr="8.8.0.0/16"), f"{P}-vpc"),
    "VPC-MULTI-AZ": case(
        all_of(put("subnets", {"az": "us-east-1c"}, az="us-east-1b")), "private subnets", "ECS-MULTI-AZ"
    ),
    "VPC-TIERS": case(put("subnets", {"name": subnet("public", "c")}, az="us-east-1d"), "us-east-1c"),
    "VPC-PRIVATE-NO-IGW": case(
        add(
            "routes",
            {"target_type": "internet_gateway"},
            route_table_id=Id("route_table", subnet("private", "b")),
            destination="1.2.3.0/24",
        ),
        subnet("private", "b"),
    ),
    "VPC-NO-AUTO-PUBLIC-IP": case(
        put("subnets", {"name": subnet("public", "a")}, public_ip_on_launch=True), subnet("public", "a")
    ),
    "VPC-NAT": case(
        drop("routes", route_table=subnet("private", "c"), destination="0.0.0.0/0"), subnet("private", "c")
    ),
    "VPC-NAT-PER-AZ": case(
        add(
            "nat_gateways",
            {},
            name=f"{P}-vpc-us-east-1b",
            az="us-east-1b",
            nat_gateway_id="nat-b",
            subnet_id=Id("subnet", subnet("public", "b")),
        ),
        subnet("private", "b"),
    ),
    "VPC-ROUTE-TABLES": case(
        put("routes", {"route_table": f"{P}-vpc-public"}, main=True), subnet("public", "a"), "VPC-MAIN-ROUTE-TABLE"
    ),
    "VPC-MAIN-ROUTE-TABLE": case(
        add("routes", {"main": True}, destination="0.0.0.0/0", target=f"{P}-vpc", target_type="internet_gateway"),
        f"{P}-vpc-default",
    ),
    "VPC-ENDPOINTS": case(put("endpoints", {"service": "ecr.dkr"}, state="failed"), f"{P}-ecr-dkr-endpoint"),
    "VPC-S3-ROUTE": case(
        put("routes", {"route_table": subnet("private", "a"), "target_type": "vpc_endpoint"}, state="blackhole"),
        subnet("private", "a"),
    ),
    "VPC-ENDPOINT-SUBNETS": case(
        put("endpoints", {"service": "sts"}, subnet_ids=[Id("subnet", subnet("private", "a"))]), f"{P}-sts-endpoint"
    ),
    "VPC-ENDPOINT-DNS": case(put("vpcs", {}, dns_hostnames=False), f"{P}-vpc"),
    "VPC-ENDPOINT-POLICY": case(
        put("endpoint_policy_statements", {"sid": "WriteContainerLogs"}, actions=["*"], resources=["*"]),
        f"{P}-logs-endpoint",
    ),
    "VPC-ENDPOINT-ACCOUNT": case(
        put("endpoint_policy_statements", {"sid": "ReadAndWriteData"}, conditions=[]), f"{P}-s3-endpoint"
    ),
    "VPC-FLOW-LOGS": case(put("flow_logs", {}, traffic_type="REJECT"), f"{P}-vpc"),
    "VPC-FLOW-LOG-GROUP": case(drop("log_groups", name=f"/vpc/{P}/flow-logs"), f"{P}-vpc-flow-log"),
    "VPC-FLOW-RECORDS": case(put("flow_logs", {}, role=""), f"{P}-vpc-flow-log", "VPC-FLOW-LOG-GROUP"),
    # ── firewalls ──
    "VPC-NACL-DEDICATED": case(
        put("subnets", {"name": subnet("public", "b")}, network_acl_id=Id("acl", f"{P}-vpc-default")),
        subnet("public", "b"),
    ),
    "VPC-NACL-DEFAULT": case(
        add(NACL, {"network_acl": f"{P}-vpc-default", "direction": "egress"}, rule_number=100, action="allow"),
        f"{P}-vpc-default",
    ),
    "VPC-NACL-PRIVATE-IN": case(drop(NACL, network_acl=PRIVATE_ACL, rule_number=190), PRIVATE_ACL),
    "VPC-NACL-PRIVATE-OUT": case(
        add(
            NACL,
            {"network_acl": PRIVATE_ACL, "direction": "egress", "rule_number": 200},
            rule_number=210,
            ports="25",
            from_port=25,
            to_port=25,
        ),
        PRIVATE_ACL,
    ),
    "VPC-NACL-PUBLIC-IN": case(
        add(
            NACL,
            {"network_acl": PUBLIC_ACL, "direction": "ingress", "rule_number": 300},
            rule_number=310,
            ports="21",
            from_port=21,
            to_port=21,
        ),
        PUBLIC_ACL,
    ),
    "VPC-NACL-ADMIN-PORTS": case(
        add(
            NACL,
            {"network_acl": PUBLIC_ACL, "direction": "ingress", "rule_number": 300},
            rule_number=310,
            ports="22",
            from_port=22,
            to_port=22,
        ),
        PUBLIC_ACL,
        "VPC-NACL-PUBLIC-IN",
    ),
    "VPC-SG-DEFAULT": case(
        add(SG, {**RULE, "direction": "ingress"}, group_id=Id("group", f"{P}-vpc-default"), peer=f"{P}-vpc-default"),
        f"{P}-vpc-default",
    ),
    "VPC-SG-WORLD": case(
        put(SG, {"security_group": f"{P}-endpoint-sg"}, **WORLD), f"{P}-endpoint-sg", "VPC-SG-ENDPOINT-IN"
    ),
    "VPC-SG-ADMIN-PORTS": case(
        add(SG, {"security_group": f"{P}-alb-sg", "direction": "ingress"}, ports="22", from_port=22, to_port=22),
        f"{P}-alb-sg",
        "VPC-SG-WORLD",
    ),
    "VPC-SG-TASK-IN": case(add(SG, {**RULE, "direction": "ingress"}, **WITHIN), f"{P}-task-sg"),
    "VPC-SG-TASK-OUT": case(
        put(SG, {**RULE, "peer": "0.0.0.0/0"}, ports="all", protocol="all", from_port=None, to_port=None),
        f"{P}-task-sg",
    ),
    "VPC-SG-ALB-OUT": case(add(SG, {"security_group": f"{P}-alb-sg", "direction": "egress"}, **WORLD), f"{P}-alb-sg"),
    "VPC-SG-ENDPOINT-IN": case(put(SG, {"security_group": f"{P}-endpoint-sg"}, **WITHIN), f"{P}-sts-endpoint"),
    "VPC-NOTHING-ELSE": case(
        add(
            "network_interfaces",
            {"type": "task"},
            name="i-0123456789abcdef0",
            type="instance",
            network_interface_id="eni-new",
            owner_id="i-0123456789abcdef0",
            group_ids=[Id("group", f"{P}-vpc-default")],
        ),
        "i-0123456789abcdef0",
    ),
    "VPC-RULES-ENFORCED": case(
        put("load_balancers", {}, group_ids=[Id("group", f"{P}-vpc-default"), Id("group", f"{P}-alb-sg")]), ALB
    ),
    # ── ecr ──
    "ECR-SCAN": case(put("repositories", {}, scan_on_push=False), f"{P}-app", "ECR-FINDINGS"),
    "ECR-FINDINGS": case(put("repositories", {}, scan_on_push=False), f"{P}-app", "ECR-SCAN"),
    "ECR-ENCRYPTION": case(put("repositories", {}, encryption=""), f"{P}-app"),
    "ECR-IMMUTABLE": case(put("repositories", {}, tag_mutability="MUTABLE"), f"{P}-app"),
    "ECR-LIFECYCLE-UNTAGGED": case(
        put("repository_lifecycle_rules", {"tag_status": "untagged"}, count_number=365), f"{P}-app"
    ),
    "ECR-LIFECYCLE-TAGGED": case(drop("repository_lifecycle_rules", tag_status="tagged"), f"{P}-app"),
    # A grant to everyone passes the boundary by, so these two roles can pull as well.
    "ECR-POLICY": case(
        put("repository_policy_statements", {}, principals=["*"]), f"{P}-app", "IAM-TASK-ROLE", "IAM-REPLICATION-ROLE"
    ),
    "ECR-POLICY-PULL-ONLY": case(
        put("repository_policy_statements", {}, actions=["ecr:PutImage"]), f"{P}-app", "ECR-POLICY"
    ),
    "ECR-POLICY-ENFORCED": case(put("repositories", {}, policy_statements=0), f"{P}-app"),
    # ── iam ──
    "IAM-ROLE-EC2": case(put("instance_profiles", {}, roles=[]), f"{P}-ec2-role"),
    "IAM-ROLE-LAMBDA": case(drop("roles", name=f"{P}-lambda-role"), "lambda.amazonaws.com"),
    "IAM-ROLE-ECS": case(
        put(
            "role_trust_statements",
            {"role": f"{P}-ecs-task-role"},
            principals=["Service: ecs-tasks.amazonaws.com", "Service: sqs.amazonaws.com"],
        ),
        f"{P}-ecs-task-role",
        "IAM-TRUST",
    ),
    "IAM-ROLE-RDS": case(
        put("role_trust_statements", {"role": f"{P}-rds-monitoring-role"}, principals=["Service: rds.amazonaws.com"]),
        "monitoring.rds.amazonaws.com",
    ),
    "IAM-TRUST": case(
        put(
            "role_trust_statements",
            {"role": f"{P}-vpc-flow-log-role"},
            principals=["AWS: arn:aws:iam::999999999999:root"],
            conditions=[],
        ),
        f"{P}-vpc-flow-log-role",
    ),
    "IAM-CONFUSED-DEPUTY": case(
        put("role_trust_statements", {"role": f"{P}-lambda-role"}, conditions=[]), f"{P}-lambda-role"
    ),
    "IAM-NO-WILDCARD-ACTIONS": case(
        put("iam_statements", {"policy": f"{P}-lambda-policy"}, actions=["logs:*"]), f"{P}-lambda-policy"
    ),
    "IAM-NO-WILDCARD-RESOURCES": case(
        put("iam_statements", {"policy": f"{P}-lambda-policy"}, resources=["*"]), f"{P}-lambda-policy"
    ),
    "IAM-NARROW-ARNS": case(
        put(
            "iam_statements",
            {"policy": f"{P}-lambda-policy"},
            resources=["arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/*"],
        ),
        f"{P}-lambda-policy",
    ),
    "IAM-TASK-ROLE": case(
        add("iam_statements", TASK_READ, sid="ForgeFlowLogs", actions=["logs:PutLogEvents"], resources=[FLOW_LOGS]),
        f"{P}-ecs-task-role",
    ),
    "IAM-EXECUTION-ROLE": case(
        put(
            "iam_statements",
            {**EXECUTION, "sid": "WriteContainerLogs"},
            actions=["s3:GetObject"],
            resources=[f"arn:aws:s3:::{DATA}/*"],
        ),
        f"{P}-ecs-execution-role",
    ),
    "IAM-REPLICATION-ROLE": case(
        put("iam_statements", {"sid": "WriteReplicas"}, resources=[f"arn:aws:s3:::{DATA}/*"]),
        f"{P}-s3-replication-role",
    ),
    "IAM-NO-ESCALATION": case(
        all_of(
            put("iam_statements", {"policy": f"{P}-lambda-policy"}, actions=["iam:PassRole"], resources=[EC2_ROLE]),
            boundary_allows(EC2_ROLE, "iam:PassRole"),
        ),
        f"{P}-lambda-role",
        "IAM-BOUNDARY-ESCALATION",
    ),
    "IAM-ATTACHMENTS": case(
        put("roles", {"name": f"{P}-lambda-role"}, inline_policies=["quick-fix"]), f"{P}-lambda-role"
    ),
    "IAM-AWS-MANAGED": case(
        add(
            "policies",
            {"managed_by": "aws"},
            name="AdministratorAccess",
            policy_arn="arn:aws:iam::aws:policy/AdministratorAccess",
        ),
        "AdministratorAccess",
    ),
    "IAM-BOUNDARY": case(
        put("roles", {"name": f"{P}-ecs-task-role"}, boundary=""),
        f"{P}-ecs-task-role",
        "IAM-ENFORCED",
        "IAM-BOUNDARY-ESCALATION",
        "IAM-BOUNDARY-AUDIT",
        "IAM-BOUNDARY-DATA",
        "IAM-BOUNDARY-REGIONS",
    ),
    "IAM-BOUNDARY-ESCALATION": case(boundary_allows(EC2_ROLE, "iam:PassRole"), BOUNDARY),
    "IAM-BOUNDARY-AUDIT": case(boundary_allows(f"{TRAIL}", "cloudtrail:StopLogging"), BOUNDARY),
    "IAM-BOUNDARY-DATA": case(boundary_allows(f"arn:aws:s3:::{DATA}/*", "s3:DeleteObjectVersion"), BOUNDARY),
    "IAM-BOUNDARY-REGIONS": case(drop("iam_statements", **{**DENY, "sid": "NeverOtherRegions"}), BOUNDARY),
    "IAM-ENFORCED": case(
        put("roles", {"name": f"{P}-ec2-role"}, attached_policies=[]), f"{P}-ec2-role", "IAM-ATTACHMENTS"
    ),
    # ── s3 ──
    "S3-ENCRYPTION": case(put("buckets", {"name": DATA}, encryption=""), DATA),
    "S3-VERSIONING": case(put("buckets", {"name": LOGS}, versioning="Suspended"), LOGS),
    "S3-VERSIONS-KEPT": case(put("bucket_lifecycle_rules", {"bucket": DATA}, noncurrent_expiration_days=1), DATA),
    "S3-PUBLIC-BLOCK": case(put("buckets", {"name": DATA}, restrict_public_buckets=False), DATA),
    "S3-ACLS-OFF": case(put("buckets", {"name": LOGS}, ownership="ObjectWriter"), LOGS),
    "S3-TLS": case(drop("bucket_policy_statements", bucket=DATA, sid="DenyInsecureTransport"), DATA),
    "S3-VPC-ONLY": case(
        put(
            "bucket_policy_statements",
            {"sid": "DenyOutsideVpcEndpoint"},
            conditions=[
                "aws:PrincipalArn ArnNotEquals arn:aws:iam::123456789012:root",
                "aws:SourceVpce StringNotEquals vpce-0",
            ],
        ),
        DATA,
    ),
    "S3-OPERATORS": case(
        put(
            "bucket_policy_statements",
            {"sid": "DenyAllButReplicationAndOperators"},
            conditions=[f"aws:PrincipalArn ArnNotEquals arn:aws:iam::123456789012:role/{P}-lambda-role"],
        ),
        REPLICA,
    ),
    "S3-REPLICA-CLOSED": case(drop("bucket_policy_statements", sid="DenyAllButReplicationAndOperators"), REPLICA),
    "S3-NO-PUBLIC-ALLOW": case(
        add(
            "bucket_policy_statements",
            {"bucket": LOGS, "effect": "Allow"},
            bucket=DATA,
            sid="Open",
            principals=["*"],
            conditions=[],
        ),
        DATA,
    ),
    "S3-POLICY-ENFORCED": case(
        drop("bucket_policy_statements", bucket=REPLICA), REPLICA, "S3-TLS", "S3-REPLICA-CLOSED"
    ),
    "S3-ACCESS-LOGS": case(put("buckets", {"name": DATA}, logging_bucket=""), DATA, "S3-LOGS-ARRIVE", "S3-LOG-WRITERS"),
    "S3-LOG-WRITERS": case(put("bucket_policy_statements", {"sid": "AccessLogDelivery"}, conditions=[]), LOGS),
    "S3-LOGS-EXPIRE": case(put("bucket_lifecycle_rules", {"bucket": LOGS}, expiration_days=7), LOGS),
    "S3-LOGS-ARRIVE": case(drop("bucket_policy_statements", sid="AccessLogDelivery"), DATA),
    "S3-LIFECYCLE": case(put("bucket_lifecycle_rules", {"bucket": REPLICA}, transitions=[]), REPLICA),
    "S3-MULTIPART": case(put("bucket_lifecycle_rules", {"bucket": REPLICA}, abort_multipart_days=None), REPLICA),
    "S3-LIFECYCLE-RUNS": case(
        put("bucket_lifecycle_rules", {"bucket": REPLICA}, status="Disabled"),
        REPLICA,
        "S3-LIFECYCLE",
        "S3-MULTIPART",
        "S3-VERSIONS-KEPT",
    ),
    "S3-REPLICATION": case(put("buckets", {"name": REPLICA}, region="us-east-1"), DATA),
    "S3-REPLICA-OUTLIVES": case(put("bucket_replication_rules", {}, delete_markers="Enabled"), DATA),
    "S3-REPLICATED": case(put("bucket_replication_rules", {}, status="Disabled"), DATA, "S3-REPLICATION"),
    # ── ecs ──
    "ECS-FARGATE": case(put("services", {}, launch_type="EC2"), SERVICE),
    "ECS-PRIVATE-SUBNETS": case(
        put(
            "services",
            {},
            subnet_ids=[
                Id("subnet", subnet(tier, az)) for tier, az in (("private", "a"), ("private", "b"), ("public", "c"))
            ],
        ),
        SERVICE,
    ),
    "ECS-NO-PUBLIC-IP": case(put("services", {}, public_ip=True), SERVICE),
    "ECS-MULTI-AZ": case(put("services", {}, desired=1), SERVICE),
    "ECS-RUNNING": case(put("services", {}, running=1), SERVICE),
    "ECS-AUTOSCALING": case(put("autoscaling", {}, maximum=2), SERVICE),
    "ECS-CIRCUIT-BREAKER": case(put("services", {}, rollback=False), SERVICE),
    "ECS-EXEC-OFF": case(put("services", {}, execute_command=True), SERVICE),
    "ECS-INSIGHTS": case(put("clusters", {}, container_insights="disabled"), f"{P}-cluster"),
    "ECS-IMAGE-OFFICIAL": case(
        put("containers", PREPARE, image="123456789012.dkr.ecr.us-east-1.amazonaws.com/alloy-dev-take-home-app:1.0.0"),
        "prepare",
    ),
    "ECS-IMAGE-PINNED": case(put("containers", DASHBOARD, image="public.ecr.aws/aws-cli/aws-cli:latest"), "dashboard"),
    "ECS-IMAGE-PATH": case(
        put("containers", PREPARE, image="docker.io/library/busybox:1.36.1"), "prepare", "ECS-IMAGE-OFFICIAL"
    ),
    "ECS-S3-CHECK": case(environment(BUCKET_NAME="another-bucket"), "dashboard"),
    "ECS-PAGE": case(command("http.server", "http_server"), "dashboard"),
    "ECS-FEATURES": case(environment(SECURITY_FEATURES="Encryption: yes"), "dashboard"),
    "ECS-PORT": case(put("target_groups", {}, port=80), SERVICE),
    "ECS-HEALTH-CHECK": case(put("containers", DASHBOARD, health_check=""), "dashboard"),
    "ECS-HEALTH-INTERVAL": case(put("containers", DASHBOARD, health_interval=300), "dashboard"),
    "ECS-SEPARATE-ROLES": case(
        put("task_definitions", {}, execution_role=f"{P}-ecs-task-role"), f"{P}-service:1", "IAM-EXECUTION-ROLE"
    ),
    "ECS-NON-ROOT": case(put("containers", DASHBOARD, user="root"), "dashboard"),
    "ECS-READ-ONLY-ROOT": case(put("containers", DASHBOARD, read_only_root=False), "dashboard"),
    "ECS-NO-CAPABILITIES": case(put("containers", DASHBOARD, dropped_capabilities=[]), "dashboard"),
    "ECS-NOT-PRIVILEGED": case(put("containers", DASHBOARD, privileged=True), "dashboard", "ECS-NO-CAPABILITIES"),
    "ECS-NO-SECRETS": case(environment(DB_PASSWORD="hunter2"), "dashboard"),
    "ECS-LOGS": case(put("containers", PREPARE, log_group=""), "prepare"),
    "ECS-LOG-MODE": case(put("containers", DASHBOARD, log_mode="blocking"), "dashboard"),
    # ── alb ──
    "ALB-SUBNETS": case(put("load_balancers", {}, subnet_ids=[Id("subnet", subnet("public", "a"))]), ALB),
    "ALB-HTTPS": case(
        add("listeners", {}, port=443, protocol="HTTPS", ssl_policy="ELBSecurityPolicy-TLS13-1-2-2021-06"), ALB
    ),
    "ALB-TLS-POLICY": case(
        all_of(
            put("listeners", {}, action="redirect", redirect_protocol="HTTPS"),
            add("listeners", {}, port=443, protocol="HTTPS", ssl_policy="ELBSecurityPolicy-2016-08"),
        ),
        ALB,
    ),
    "ALB-DROP-HEADERS": case(put("load_balancers", {}, drop_invalid_headers=False), ALB),
    "ALB-ACCESS-LOGS": case(drop("bucket_policy_statements", sid="LoadBalancerLogDelivery"), ALB),
    "ALB-LOGS-ARRIVE": case(put("buckets", {"name": LOGS}, encryption="aws:kms"), ALB),
    "ALB-DELETION-PROTECTION": case(
        put("load_balancers", {}, name="alloy-prod-take-home-alb"), "alloy-prod-take-home-alb", "GEN-NAMES"
    ),
    "ALB-HEALTH-PATH": case(put("target_groups", {}, health_path="/"), GROUP),
    "ALB-TARGETS": case(put("target_groups", {}, target_type="instance"), GROUP),
    "ALB-HEALTHY": case(put("target_groups", {}, healthy=1), GROUP),
    # ── general ──
    "GEN-NAMES": case(put("clusters", {}, name="cluster-1"), "cluster-1"),
    "GEN-TAGS": case(put("vpcs", {}, tags={"Environment": "dev"}), f"{P}-vpc"),
    "GEN-ENVIRONMENT": case(
        put(
            "buckets",
            {"name": DATA},
            tags={"Environment": "prod", "ManagedBy": "terraform", "Owner": "alloy", "Project": "take-home"},
        ),
        DATA,
    ),
    "GEN-LOG-RETENTION": case(put("log_groups", {"name": f"/ecs/{P}"}, retention_days=None), f"/ecs/{P}"),
}
