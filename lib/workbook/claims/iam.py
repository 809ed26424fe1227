"""Claims about identity: who can assume a role, what the role can do, and what it can never do."""

from __future__ import annotations

from collections.abc import Iterator

from workbook.access.escalation import escalations
from workbook.access.evaluation import Caller
from workbook.access.proofs import Proof, Prover
from workbook.access.requests import service_caller
from workbook.claims.actions import PULL, WRITE_LOGS
from workbook.claims.buckets import data_buckets
from workbook.claims.engine import Evidence, View, accepted, claims_of, evidence, proved
from workbook.claims.policy_statements import Reach, allowed, on_everything, wildcard_actions

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

READ_SOURCE = (
    "s3:GetObjectVersionAcl", "s3:GetObjectVersionForReplication", "s3:GetObjectVersionTagging",
    "s3:GetReplicationConfiguration", "s3:ListBucket",
)  # fmt: skip
ASSUME = ("sts:AssumeRole*", "sts:SetSourceIdentity", "sts:TagSession")


def only(view: View, role: str, may: list[tuple[tuple[str, ...], list[str]]]) -> Iterator[Evidence]:
    """Evidence that a role can do nothing but `may`: pairs of actions and ARNs."""
    policies = view.policies
    callers = policies.account.role(role)
    if not callers:
        yield evidence(role, "no such role", False)
        return
    said = dict.fromkeys(action for actions, _ in may for action in actions)
    yield proved(role, f"only {', '.join(said)}", policies.prove(["*"], None, callers, but=may))


def service_role(view: View, service: str) -> Iterator[Evidence]:
    """Evidence that a service has its own role: some role trusts the service, and trusts nobody else."""
    policies = view.policies
    caller = service_caller(service)
    roles = [c for c in policies.account.roles.values() if not policies.prove(ASSUME, [str(c.arn)], [caller]).proven]
    if policies.account.roles and not roles:
        yield evidence(service, "no role trusts it", False)
    for role in roles:
        yield proved(role.name, f"trusted: Service: {service}", nobody_but(policies, role, service))


def nobody_but(policies: Prover, role: Caller, service: str) -> Proof:
    """That nobody but one service can assume a role."""
    everyone = policies.everyone([str(role.arn)], "sts:AssumeRole")
    return policies.prove(ASSUME, [str(role.arn)], [caller for caller in everyone if caller.name != service])


# ── a role for each service ──


@claim("IAM-ROLE-EC2", "medium", "EC2 instances have their own role, in an instance profile: no keys on disk.")
def role_ec2(view: View) -> Iterator[Evidence]:
    yield from service_role(view, "ec2.amazonaws.com")
    policies = view.policies
    for profile in view["instance_profiles"]:
        roles = [policies.account.roles[name] for name in profile.roles if name in policies.account.roles]
        if not roles:
            yield evidence(profile.name, f"carries {', '.join(profile.roles) or 'no role'}", False)
        for role in roles:
            yield proved(profile.name, f"carries {role.name}", nobody_but(policies, role, "ec2.amazonaws.com"))


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
    policies = view.policies
    for role in policies.account.roles.values():
        everyone = policies.everyone([str(role.arn)], "sts:AssumeRole")
        services = [
            c for c in everyone if c.kind == "service" and not policies.prove(ASSUME, [str(role.arn)], [c]).proven
        ]
        others = policies.prove(ASSUME, [str(role.arn)], [c for c in everyone if c.kind != "service"])
        if len(services) != 1 and others.proven:
            yield evidence(role.name, ", ".join(f"Service: {c.name}" for c in services) or "nobody", False)
        else:
            yield proved(role.name, ", ".join(f"Service: {c.name}" for c in services), others)


@claim("IAM-CONFUSED-DEPUTY", "medium", "Services can use a role only on behalf of this account: no confused deputy.")
def confused_deputy(view: View) -> Iterator[Evidence]:
    policies = view.policies
    elsewhere = {"StringNotEquals": {"aws:SourceAccount": policies.account.id}}
    for role in policies.account.roles.values():
        for service in policies.everyone([str(role.arn)], "sts:AssumeRole"):
            if service.kind != "service":
                continue
            proof = policies.prove(ASSUME, [str(role.arn)], [service], where=elsewhere)
            conditions = {c for s in view.rows("role_trust_statements", role=role.name) for c in s.conditions}
            if not proof.proven and service.name == "ec2.amazonaws.com":
                yield accepted(
                    role.name,
                    "no condition",
                    "EC2 sends neither account nor ARN when it assumes a role; iam:PassRole guards this one.",
                )
            else:
                yield proved(role.name, "; ".join(sorted(conditions)), proof)


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
    account = view.policies.account
    for s in allowed(view["iam_statements"]):
        found = on_everything(s.statement, account.id)
        if found == Reach.ONLY_POSSIBLE:
            yield accepted(
                s.policy,
                f"{s.sid}: {', '.join(s.actions)} on *",
                "Registry tokens and session channels have no resource-level permissions: AWS supports only *.",
            )
        else:
            yield evidence(s.policy, f"{s.sid}: {', '.join(s.resources)}", found == Reach.SOME)


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
        objects = [f"{arn}/*" for arn in data]
        may = [(("s3:ListBucket",), data), (("s3:GetObject", "s3:PutObject"), objects)]
        yield from only(view, task.task_role, may)


@claim(
    "IAM-EXECUTION-ROLE", "high", "ECS's execution role pulls the image and writes the logs, and cannot read the data."
)
def execution_role(view: View) -> Iterator[Evidence]:
    repositories = [repository.repository_arn for repository in view["repositories"]]
    groups = [f"{str(group.log_group_arn).removesuffix(':*')}*" for group in view["log_groups"]]
    may = [(PULL, repositories), (("ecr:GetAuthorizationToken",), ["*"]), (WRITE_LOGS, groups)]
    for task in view["task_definitions"]:
        yield from only(view, task.execution_role, may)


@claim(
    "IAM-REPLICATION-ROLE",
    "high",
    "The replication role reads versions of the source and writes replicas; it "
    "cannot delete, and cannot read the replica.",
)
def replication_role(view: View) -> Iterator[Evidence]:
    arns = {bucket.name: bucket.bucket_arn for bucket in view["buckets"]}
    for rule in view["bucket_replication_rules"]:
        source, replica = (arns.get(name, f"arn:aws:s3:::{name}") for name in (rule.bucket, rule.destination))
        writes = ("s3:ReplicateObject", "s3:ReplicateTags")
        yield from only(view, rule.role, [(READ_SOURCE, [source, f"{source}/*"]), (writes, [f"{replica}/*"])])


@claim(
    "IAM-NO-ESCALATION",
    "critical",
    "No role can change identities, pass a role, assume another one, or get more permissions in any other known way.",
)
def no_escalation(view: View) -> Iterator[Evidence]:
    policies = view.policies
    for role in policies.account.roles.values():
        yield proved(role.name, "no IAM actions", policies.prove(["iam:*", *ESCALATION], None, [role]))
    for way in escalations(view):
        if way.possible is not False:
            yield Evidence(way.principal, f"{way.path.id}: {way.why}", False, known=way.possible is not None)


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


def whatever_they_get(view: View) -> list[Caller]:
    """For each boundary, any role that has it and is allowed everything by its own policies; and each role without."""
    account = view.policies.account
    found: dict[str, Caller] = {}
    for role in account.roles.values():
        name = f"a role with {role.boundary.name}" if role.boundary else role.name
        arn = None if role.boundary else role.arn
        found.setdefault(name, Caller(name, "role", arn, account.id, None, role.boundary))
    return list(found.values())


def boundary_stops(view: View, actions: tuple[str, ...]) -> Iterator[Evidence]:
    """For each boundary and action: whether a role gets through, whatever its own policies allow."""
    for caller in whatever_they_get(view):
        name = caller.boundary.name if caller.boundary else caller.name
        for action in actions:
            proof = view.policies.prove([action], None, [caller])
            yield proved(
                name, f"{action}: {'denied by ' + proof.denied_by[0] if proof.denied_by else 'not allowed'}", proof
            )


@claim(
    "IAM-BOUNDARY-ESCALATION",
    "critical",
    "Whatever policies a role gets, the boundary stops it from changing "
    "identities, passing roles or leaving the organization.",
)
def boundary_escalation(view: View) -> Iterator[Evidence]:
    yield from boundary_stops(view, ESCALATION)


@claim(
    "IAM-BOUNDARY-AUDIT",
    "high",
    "No role in the system can turn off CloudTrail, AWS Config or GuardDuty, or delete logs, whatever policies it gets.",
)
def boundary_audit(view: View) -> Iterator[Evidence]:
    yield from boundary_stops(view, AUDIT)


@claim(
    "IAM-BOUNDARY-DATA",
    "high",
    "No role in the system can permanently delete data or weaken what protects it, whatever policies it gets.",
)
def boundary_data(view: View) -> Iterator[Evidence]:
    yield from boundary_stops(view, DATA)


@claim(
    "IAM-BOUNDARY-REGIONS",
    "medium",
    "No role in the system can act outside the two regions, whatever policies it gets.",
)
def boundary_regions(view: View) -> Iterator[Evidence]:
    regions = sorted((view.scope.region, view.scope.replica_region))
    for caller in whatever_they_get(view):
        proof = view.policies.prove(["*"], None, [caller], where={"StringNotEquals": {"aws:RequestedRegion": regions}})
        name = caller.boundary.name if caller.boundary else caller.name
        yield proved(name, f"{', '.join(proof.denied_by)}: nothing outside {' and '.join(regions)}", proof)


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
