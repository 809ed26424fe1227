"""Claims about identity: who can assume a role, what the role can do, and what it can never do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbook.claims.buckets import data_buckets
from workbook.claims.engine import Evidence, View, accepted, claims_of, evidence
from workbook.claims.policy_statements import ONLY_ON_STAR, allowed, covers_action, denied, wildcard_actions

claim = claims_of("iam")

# Requests that a role with the boundary must never get through, each an example of its kind.
ESCALATION = (
    "iam:AttachRolePolicy",
    "iam:DeleteRolePermissionsBoundary",
    "iam:PassRole",
    "sts:AssumeRole",
    "organizations:LeaveOrganization",
    "account:CloseAccount",
)
AUDIT = (
    "cloudtrail:StopLogging",
    "config:StopConfigurationRecorder",
    "guardduty:DeleteDetector",
    "logs:DeleteLogGroup",
)
DATA = (
    "s3:DeleteBucket",
    "s3:DeleteBucketPolicy",
    "s3:PutBucketPolicy",
    "s3:DeleteObjectVersion",
    "ecr:DeleteRepository",
    "ecr:SetRepositoryPolicy",
)

# The one AWS managed policy in use: AWS decides what its agent writes, and the boundary narrows it.
RDS_MONITORING = ":iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"

PULL_AND_LOG = frozenset({
    "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer",
    "logs:CreateLogStream", "logs:PutLogEvents",
})  # fmt: skip
READ_SOURCE = frozenset({
    "s3:GetObjectVersionAcl", "s3:GetObjectVersionForReplication", "s3:GetObjectVersionTagging",
    "s3:GetReplicationConfiguration", "s3:ListBucket",
})  # fmt: skip


def granted(view: View, role: str) -> list[Any]:
    """The Allow statements of a role's attached and inline policies."""
    return [s for s in allowed(view["iam_statements"]) if role in s.roles and s.kind in ("attached", "inline")]


def stays_within(resource: str, arn: str) -> bool:
    """Whether `resource` is the bucket with this ARN or objects in it."""
    return resource == arn or resource.startswith(f"{arn}/")


def service_role(view: View, service: str) -> Iterator[Evidence]:
    """Evidence that a service has its own role: some role trusts the service, and trusts nobody else."""
    roles = [role for role in view["roles"] if any(trusted.endswith(service) for trusted in role.trusted)]
    if view["roles"] and not roles:
        yield evidence(service, "no role trusts it", False)
    for role in roles:
        yield evidence(role.name, f"trusted: {', '.join(role.trusted)}", role.trusted == [f"Service: {service}"])


# ── a role for each service ──


@claim("IAM-ROLE-EC2", "medium", "EC2 instances have their own role, in an instance profile: no keys on disk.")
def role_ec2(view: View) -> Iterator[Evidence]:
    yield from service_role(view, "ec2.amazonaws.com")
    for profile in view["instance_profiles"]:
        trusted = [trust for role in view["roles"] if role.name in profile.roles for trust in role.trusted]
        yield evidence(
            profile.name, f"carries {', '.join(profile.roles) or 'no role'}", trusted == ["Service: ec2.amazonaws.com"]
        )


@claim("IAM-ROLE-LAMBDA", "medium", "Lambda functions have their own role.")
def role_lambda(view: View) -> Iterator[Evidence]:
    yield from service_role(view, "lambda.amazonaws.com")


@claim("IAM-ROLE-ECS", "medium", "ECS tasks have their own roles.")
def role_ecs(view: View) -> Iterator[Evidence]:
    yield from service_role(view, "ecs-tasks.amazonaws.com")


@claim("IAM-ROLE-RDS", "medium", "RDS has its own role, for Enhanced Monitoring.")
def role_rds(view: View) -> Iterator[Evidence]:
    yield from service_role(view, "monitoring.rds.amazonaws.com")


@claim(
    "IAM-TRUST",
    "critical",
    "Each role trusts one AWS service and nobody else: no user, no other account, not everyone.",
)
def trust(view: View) -> Iterator[Evidence]:
    for role in view["roles"]:
        one_service = len(role.trusted) == 1 and role.trusted[0].startswith("Service: ")
        yield evidence(role.name, ", ".join(role.trusted) or "nobody", one_service)


@claim("IAM-CONFUSED-DEPUTY", "medium", "Services can use a role only on behalf of this account: no confused deputy.")
def confused_deputy(view: View) -> Iterator[Evidence]:
    for s in allowed(view["role_trust_statements"]):
        account = [condition for condition in s.conditions if condition.startswith("aws:SourceAccount StringEquals ")]
        if not account and s.principals == ["Service: ec2.amazonaws.com"]:
            yield accepted(
                s.role,
                "no condition",
                "EC2 sends neither account nor ARN when it assumes a role; iam:PassRole guards this one.",
            )
        else:
            yield evidence(s.role, "; ".join(s.conditions) or "no condition", account and "*" not in account[0])


# ── least privilege ──


@claim(
    "IAM-NO-WILDCARD-ACTIONS",
    "critical",
    "No policy grants actions by wildcard, let alone every action on everything.",
)
def no_wildcard_actions(view: View) -> Iterator[Evidence]:
    for s in allowed(view["iam_statements"]):
        found = wildcard_actions(s)
        yield evidence(
            s.policy,
            f"{s.sid}: {', '.join(found)}" if found else f"{s.sid}: {len(s.actions)} actions by name",
            not found,
        )


@claim("IAM-NO-WILDCARD-RESOURCES", "high", "No policy grants anything on all resources.")
def no_wildcard_resources(view: View) -> Iterator[Evidence]:
    for s in allowed(view["iam_statements"]):
        if "*" in s.resources and s.actions and set(s.actions) <= ONLY_ON_STAR:
            yield accepted(
                s.policy,
                f"{s.sid}: {', '.join(s.actions)} on *",
                "Registry tokens and session channels have no resource-level permissions: AWS supports only *.",
            )
        else:
            everything = [resource for resource in s.resources if resource == "*" or resource.startswith("!")]
            yield evidence(s.policy, f"{s.sid}: {', '.join(everything or s.resources)}", not everything)


@claim(
    "IAM-NARROW-ARNS",
    "medium",
    "A wildcard in a resource ARN stays within a resource named after this environment.",
)
def narrow_arns(view: View) -> Iterator[Evidence]:
    for s in allowed(view["iam_statements"]):
        for resource in s.resources:
            fixed, star, _ = resource.partition("*")
            if not star or resource == "*":
                continue
            if view.scope.prefix in fixed and not fixed.endswith((view.scope.prefix, f"{view.scope.prefix}-")):
                yield evidence(s.policy, f"{s.sid}: {resource}", True)
            elif set(s.actions) == {"logs:DescribeLogGroups"} and fixed.endswith(":log-group:"):
                yield accepted(
                    s.policy,
                    f"{s.sid}: {resource}",
                    "Listing log groups is authorised for all of them, never for a single one.",
                )
            elif set(s.actions) == {"ssm:UpdateInstanceInformation"} and fixed.endswith(":instance/"):
                yield accepted(
                    s.policy,
                    f"{s.sid}: {resource}",
                    "An instance registers under an id that does not exist until it is launched.",
                )
            elif ":log-group:RDS" in resource and (s.policy_arn.endswith(RDS_MONITORING) or s.kind == "boundary"):
                yield accepted(
                    s.policy,
                    f"{s.sid}: {resource}",
                    "RDS uses one log group per account for Enhanced Monitoring, and picks its name.",
                )
            else:
                yield evidence(s.policy, f"{s.sid}: {resource}", False)


@claim("IAM-TASK-ROLE", "critical", "The application can only list its bucket, and read and write objects in it.")
def task_role(view: View) -> Iterator[Evidence]:
    data = [bucket.bucket_arn for bucket in data_buckets(view)]
    for task in view["task_definitions"]:
        for s in granted(view, task.task_role):
            own = all(any(stays_within(resource, arn) for arn in data) for resource in s.resources)
            yield evidence(
                task.task_role,
                f"{s.sid}: {', '.join(s.actions)}",
                own and set(s.actions) <= {"s3:GetObject", "s3:ListBucket", "s3:PutObject"},
            )


@claim(
    "IAM-EXECUTION-ROLE", "high", "ECS's execution role pulls the image and writes the logs, and cannot read the data."
)
def execution_role(view: View) -> Iterator[Evidence]:
    for task in view["task_definitions"]:
        for s in granted(view, task.execution_role):
            yield evidence(task.execution_role, f"{s.sid}: {', '.join(s.actions)}", set(s.actions) <= PULL_AND_LOG)


@claim(
    "IAM-REPLICATION-ROLE",
    "high",
    "The replication role reads versions of the source and writes replicas; it "
    "cannot delete, and cannot read the replica.",
)
def replication_role(view: View) -> Iterator[Evidence]:
    arns = {bucket.name: bucket.bucket_arn for bucket in view["buckets"]}
    for rule in view["bucket_replication_rules"]:
        for s in granted(view, rule.role):
            reads = set(s.actions) <= READ_SOURCE and all(
                stays_within(r, arns.get(rule.bucket, "-")) for r in s.resources
            )
            writes = set(s.actions) <= {"s3:ReplicateObject", "s3:ReplicateTags"} and all(
                stays_within(r, arns.get(rule.destination, "-")) for r in s.resources
            )
            yield evidence(rule.role, f"{s.sid}: {', '.join(s.actions)}", reads or writes)


@claim("IAM-NO-ESCALATION", "critical", "No role can change identities, pass a role or assume another one.")
def no_escalation(view: View) -> Iterator[Evidence]:
    for role in view["roles"]:
        actions = {action for s in granted(view, role.name) for action in s.actions}
        found = sorted(
            a
            for a in actions
            if a.lower().startswith(("iam:", "!")) or any(covers_action(a, bad) for bad in ESCALATION)
        )
        yield evidence(role.name, ", ".join(found) or "no IAM actions", not found)


@claim(
    "IAM-ATTACHMENTS",
    "low",
    "Permissions come from managed policies that can be reviewed in one place: none are inline, none are unused.",
)
def attachments(view: View) -> Iterator[Evidence]:
    for role in view["roles"]:
        yield evidence(
            role.name,
            f"{len(role.attached_policies)} attached, {len(role.inline_policies)} inline",
            role.attached_policies and not role.inline_policies,
        )
    for policy in view["policies"]:
        if policy.managed_by == "customer":
            yield evidence(
                policy.name,
                f"on {len(policy.attached_to)} roles, boundary of {len(policy.boundary_of)}",
                policy.attached_to or policy.boundary_of,
            )


@claim("IAM-AWS-MANAGED", "medium", "Policies are written for this system; AWS's broad managed policies are not used.")
def aws_managed(view: View) -> Iterator[Evidence]:
    for policy in view["policies"]:
        if policy.policy_arn.endswith(RDS_MONITORING):
            yield accepted(
                policy.name,
                "managed by AWS",
                "AWS decides what the RDS monitoring agent writes; the boundary narrows it to one log group.",
            )
        else:
            yield evidence(
                policy.name,
                f"managed by {'us' if policy.managed_by == 'customer' else 'AWS'}",
                policy.managed_by == "customer",
            )


# ── the boundary ──


@claim("IAM-BOUNDARY", "high", "Every role has the permissions boundary.")
def boundary(view: View) -> Iterator[Evidence]:
    for role in view["roles"]:
        yield evidence(role.name, role.boundary or "no boundary", role.boundary and view.scope.owns(role.boundary))


def boundary_denies(view: View, actions: tuple[str, ...]) -> Iterator[Evidence]:
    """For each boundary and action: whether an unconditional Deny covers it."""
    for policy in view["policies"]:
        if policy.boundary_of:
            denials = [
                s
                for s in denied(view["iam_statements"])
                if s.policy_arn == policy.policy_arn and s.resources == ["*"] and not s.conditions
            ]
            for action in actions:
                by = [s.sid for s in denials if any(covers_action(pattern, action) for pattern in s.actions)]
                yield evidence(policy.name, f"{action}: {'denied by ' + by[0] if by else 'not denied'}", by)


@claim(
    "IAM-BOUNDARY-ESCALATION",
    "critical",
    "Whatever policies a role gets, the boundary stops it from changing "
    "identities, passing roles or leaving the organization.",
)
def boundary_escalation(view: View) -> Iterator[Evidence]:
    yield from boundary_denies(view, ESCALATION)


@claim(
    "IAM-BOUNDARY-AUDIT",
    "high",
    "No role in the system can turn off CloudTrail, AWS Config or GuardDuty, or delete logs.",
)
def boundary_audit(view: View) -> Iterator[Evidence]:
    yield from boundary_denies(view, AUDIT)


@claim("IAM-BOUNDARY-DATA", "high", "No role in the system can permanently delete data or weaken what protects it.")
def boundary_data(view: View) -> Iterator[Evidence]:
    yield from boundary_denies(view, DATA)


@claim("IAM-BOUNDARY-REGIONS", "medium", "No role in the system can act outside the two regions.")
def boundary_regions(view: View) -> Iterator[Evidence]:
    wanted = f"aws:RequestedRegion StringNotEquals {', '.join(sorted((view.scope.region, view.scope.replica_region)))}"
    for policy in view["policies"]:
        if policy.boundary_of:
            by = [
                s
                for s in denied(view["iam_statements"])
                if s.policy_arn == policy.policy_arn and s.actions == ["*"] and s.conditions == [wanted]
            ]
            yield evidence(policy.name, f"{by[0].sid}: {wanted}" if by else "any region", by)


@claim(
    "IAM-ENFORCED",
    "high",
    "Requests that the policies and the boundary do not allow are denied.",
    limit="iam-enforcement",
)
def enforced(view: View) -> Iterator[Evidence]:
    for role in view["roles"]:
        policies = [*role.attached_policies, *role.inline_policies]
        yield evidence(
            role.name, f"{len(policies)} policies under {role.boundary or 'no boundary'}", policies and role.boundary
        )
