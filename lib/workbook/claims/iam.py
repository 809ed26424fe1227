"""Claims about identity: who may take on a role, what it may do, what it may never do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbook.claims.buckets import data_buckets
from workbook.claims.engine import Evidence, View, accepted, claims_of, evidence
from workbook.claims.policy_statements import ONLY_ON_STAR, allowed, covers_action, denied, wildcard_actions

claim = claims_of("iam")

# Requests that a role under the boundary must never get through, each as an example of its kind.
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

# The one policy of AWS's own in use: AWS decides what its agent writes, and the boundary narrows it.
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
    """The Allow statements of a role's own policies."""
    return [s for s in allowed(view["iam_statements"]) if role in s.roles and s.kind in ("attached", "inline")]


def stays_within(resource: str, arn: str) -> bool:
    """Whether `resource` is the bucket with this ARN, or objects in it."""
    return resource == arn or resource.startswith(f"{arn}/")


def service_role(view: View, service: str) -> Iterator[Evidence]:
    """A role of its own for a service: some role trusts it, and trusts nobody else."""
    roles = [role for role in view["roles"] if any(trusted.endswith(service) for trusted in role.trusted)]
    if view["roles"] and not roles:
        yield evidence(service, "no role trusts it", False)
    for role in roles:
        yield evidence(role.name, f"trusted: {', '.join(role.trusted)}", role.trusted == [f"Service: {service}"])


# ── a role for each service ──


@claim("IAM-ROLE-EC2", "medium", "EC2 instances have a role of their own, in an instance profile: no keys on disk.")
def role_ec2(view: View) -> Iterator[Evidence]:
    yield from service_role(view, "ec2.amazonaws.com")
    for profile in view["instance_profiles"]:
        trusted = [trust for role in view["roles"] if role.name in profile.roles for trust in role.trusted]
        yield evidence(
            profile.name, f"carries {', '.join(profile.roles) or 'no role'}", trusted == ["Service: ec2.amazonaws.com"]
        )


@claim("IAM-ROLE-LAMBDA", "medium", "Lambda functions have a role of their own.")
def role_lambda(view: View) -> Iterator[Evidence]:
    yield from service_role(view, "lambda.amazonaws.com")


@claim("IAM-ROLE-ECS", "medium", "ECS tasks have roles of their own.")
def role_ecs(view: View) -> Iterator[Evidence]:
    yield from service_role(view, "ecs-tasks.amazonaws.com")


@claim("IAM-ROLE-RDS", "medium", "RDS has a role of its own, for its monitoring.")
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


@claim("IAM-CONFUSED-DEPUTY", "medium", "A service may use a role on behalf of this account only: no confused deputy.")
def confused_deputy(view: View) -> Iterator[Evidence]:
    for s in allowed(view["role_trust_statements"]):
        account = [condition for condition in s.conditions if condition.startswith("aws:SourceAccount StringEquals ")]
        if not account and s.principals == ["Service: ec2.amazonaws.com"]:
            yield accepted(
                s.role,
                "no condition",
                "EC2 sends neither account nor ARN when it takes on a role; iam:PassRole guards this one.",
            )
        else:
            yield evidence(s.role, "; ".join(s.conditions) or "no condition", account and "*" not in account[0])


# ── least privilege ──


@claim(
    "IAM-NO-WILDCARD-ACTIONS",
    "critical",
    "No policy grants an action by wildcard; least of all every action on everything.",
)
def no_wildcard_actions(view: View) -> Iterator[Evidence]:
    for s in allowed(view["iam_statements"]):
        found = wildcard_actions(s)
        yield evidence(
            s.policy,
            f"{s.sid}: {', '.join(found)}" if found else f"{s.sid}: {len(s.actions)} actions by name",
            not found,
        )


@claim("IAM-NO-WILDCARD-RESOURCES", "high", "No policy grants anything on every resource.")
def no_wildcard_resources(view: View) -> Iterator[Evidence]:
    for s in allowed(view["iam_statements"]):
        if "*" in s.resources and s.actions and set(s.actions) <= ONLY_ON_STAR:
            yield accepted(
                s.policy,
                f"{s.sid}: {', '.join(s.actions)} on *",
                "A registry token and session channels have no resource: AWS offers them on * only.",
            )
        else:
            everything = [resource for resource in s.resources if resource == "*" or resource.startswith("!")]
            yield evidence(s.policy, f"{s.sid}: {', '.join(everything or s.resources)}", not everything)


@claim(
    "IAM-NARROW-ARNS",
    "medium",
    "Where a resource ends in a wildcard, it stays within a resource named after this environment.",
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
                    s.policy, f"{s.sid}: {resource}", "Listing log groups is authorised against all of them, never one."
                )
            elif set(s.actions) == {"ssm:UpdateInstanceInformation"} and fixed.endswith(":instance/"):
                yield accepted(
                    s.policy, f"{s.sid}: {resource}", "An instance registers under an id that does not exist before it."
                )
            elif ":log-group:RDS" in resource and (s.policy_arn.endswith(RDS_MONITORING) or s.kind == "boundary"):
                yield accepted(
                    s.policy,
                    f"{s.sid}: {resource}",
                    "RDS has one log group in an account for its monitoring, and names it itself.",
                )
            else:
                yield evidence(s.policy, f"{s.sid}: {resource}", False)


@claim(
    "IAM-TASK-ROLE", "critical", "The application may list its bucket, read and write objects in it, and nothing more."
)
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


@claim("IAM-EXECUTION-ROLE", "high", "ECS's own role pulls the image and writes the logs, and cannot read the data.")
def execution_role(view: View) -> Iterator[Evidence]:
    for task in view["task_definitions"]:
        for s in granted(view, task.execution_role):
            yield evidence(task.execution_role, f"{s.sid}: {', '.join(s.actions)}", set(s.actions) <= PULL_AND_LOG)


@claim(
    "IAM-REPLICATION-ROLE",
    "high",
    "The replication role reads versions of the source and writes replicas; it cannot delete, and it reads no replica.",
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


@claim("IAM-NO-ESCALATION", "critical", "No role can change identities, pass a role on or take on another.")
def no_escalation(view: View) -> Iterator[Evidence]:
    for role in view["roles"]:
        actions = {action for s in granted(view, role.name) for action in s.actions}
        found = sorted(
            a
            for a in actions
            if a.lower().startswith(("iam:", "!")) or any(covers_action(a, bad) for bad in ESCALATION)
        )
        yield evidence(role.name, ", ".join(found) or "nothing of IAM", not found)


@claim(
    "IAM-ATTACHMENTS",
    "low",
    "Permissions come from managed policies that can be reviewed in one place: none inline, and none left over.",
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


@claim("IAM-AWS-MANAGED", "medium", "The policies are written for this system; AWS's broad ones are not used.")
def aws_managed(view: View) -> Iterator[Evidence]:
    for policy in view["policies"]:
        if policy.policy_arn.endswith(RDS_MONITORING):
            yield accepted(
                policy.name,
                "managed by AWS",
                "AWS decides what the agent of RDS monitoring writes; the boundary narrows it to one log group.",
            )
        else:
            yield evidence(
                policy.name,
                f"managed by {'us' if policy.managed_by == 'customer' else 'AWS'}",
                policy.managed_by == "customer",
            )


# ── the boundary ──


@claim("IAM-BOUNDARY", "high", "Every role is under the permission boundary.")
def boundary(view: View) -> Iterator[Evidence]:
    for role in view["roles"]:
        yield evidence(role.name, role.boundary or "no boundary", role.boundary and view.scope.owns(role.boundary))


def boundary_denies(view: View, actions: tuple[str, ...]) -> Iterator[Evidence]:
    """For each boundary and action: whether a Deny without conditions covers it."""
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
    "Whatever policy a role is given, the boundary denies it to touch identities, to pass a role on, to leave.",
)
def boundary_escalation(view: View) -> Iterator[Evidence]:
    yield from boundary_denies(view, ESCALATION)


@claim(
    "IAM-BOUNDARY-AUDIT",
    "high",
    "No role of the system can switch off a trail, a recorder or a detector, or delete logs.",
)
def boundary_audit(view: View) -> Iterator[Evidence]:
    yield from boundary_denies(view, AUDIT)


@claim("IAM-BOUNDARY-DATA", "high", "No role of the system can delete data for good, or loosen what protects it.")
def boundary_data(view: View) -> Iterator[Evidence]:
    yield from boundary_denies(view, DATA)


@claim("IAM-BOUNDARY-REGIONS", "medium", "No role of the system works outside the two regions.")
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


@claim("IAM-ENFORCED", "high", "What policies and boundary do not allow is refused.", limit="iam-enforcement")
def enforced(view: View) -> Iterator[Evidence]:
    for role in view["roles"]:
        policies = [*role.attached_policies, *role.inline_policies]
        yield evidence(
            role.name, f"{len(policies)} policies under {role.boundary or 'no boundary'}", policies and role.boundary
        )
