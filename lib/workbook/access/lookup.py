"""Who asks and for what: turns names and ARNs into what the inventory knows about them: policies, facts and gaps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from workbook.access.request import ANONYMOUS, DEPLOYER, Request
from workbook.errors import WorkbookError
from workbook.inventory import TABLES, Inventory, Row
from workbook.inventory.names import last

Facts = dict[str, Any]

# Services without resource policies for the actions asked about here, so the identity side decides. CloudWatch Logs has
# resource policies for other AWS services only.
NO_RESOURCE_POLICIES = frozenset(
    {
        *(
            "account",
            "application-autoscaling",
            "autoscaling",
            "budgets",
            "cloudtrail",
            "cloudwatch",
            "config",
            "ec2",
            "ec2messages",
        ),
        *("ecs", "elasticloadbalancing", "guardduty", "iam", "logs", "organizations", "ssm", "ssmmessages", "tag"),
    }
)

_TABLE_OF = {"s3": "buckets", "ecr": "repositories", "logs": "log_groups", "iam": "roles", "sts": "roles"}


def account_of(inventory: Inventory) -> str:
    """The account id, from the ARNs in the inventory."""
    for table, column in (("roles", "role_arn"), ("repositories", "repository_arn"), ("clusters", "cluster_arn")):
        for row in inventory.rows(table) if table in inventory else []:
            arn = str(getattr(row, column))
            if arn.count(":") >= 5:
                return arn.split(":")[4]
    raise WorkbookError("The inventory has no role, repository or cluster to tell the account id.", "Deploy iam first.")


def document(rows: Iterable[Row], **replaced: Any) -> Facts:
    """The policy that these rows are the statements of; `replaced` sets elements of every statement."""
    rows = list(rows)
    # The version matters: without it, or with 2008-10-17, a policy variable is plain text.
    version = next((row.version for row in rows if row.version), "2012-10-17")
    return {"Version": version, "Statement": [{**row.statement, **replaced} for row in rows]}


def _short(inventory: Inventory, table: str, name: str) -> Row | None:
    """The row called `name`, with or without the common prefix, and without the random suffix of a bucket name."""
    rows, prefix = inventory.rows(table) if table in inventory else (), inventory.scope.prefix
    exact = [row for row in rows if row.name in (name, f"{prefix}-{name}")]
    close = [row for row in rows if str(row.name).startswith(f"{prefix}-{name}-")] if table == "buckets" else []
    return next(iter(exact or close), None)


# ── who ──


def principal(inventory: Inventory, request: Request, account: str) -> Facts:
    name = request.principal
    none: Facts = {
        "policies": [],
        "boundary": None,
        "assumed": [],
        "context": {},
        "policy_names": "",
        "own_tags": False,
        "supposed": False,
    }
    if name in (ANONYMOUS, "*"):
        context = {
            "aws:PrincipalAccount": ANONYMOUS,
            "aws:PrincipalType": "Anonymous",
            "aws:PrincipalIsAWSService": "false",
        }
        return {**none, "principal": {"type": "Anonymous"}, "named": {"Principal": "*"}, "context": context}
    if name.endswith(".amazonaws.com") and not name.startswith("arn:"):
        context = {"aws:PrincipalIsAWSService": "true", "aws:PrincipalServiceName": name}
        return {**none, "principal": name, "named": {"Principal": {"Service": name}}, "context": context}
    roles = inventory.rows("roles")
    role = next((row for row in roles if row.role_arn == name), None) or _short(inventory, "roles", name)
    if role:
        return {**none, **_role(inventory, role), "named": {"Principal": {"AWS": role.role_arn}}, "own_tags": True}
    arn = operators(inventory)[0] if name == DEPLOYER else name
    if not arn.startswith("arn:") or arn.count(":") < 5:
        known = ", ".join(str(row.name) for row in roles)
        raise WorkbookError(
            f"There is no role {name!r} in the inventory.",
            f"Roles: {known or 'none'}. An ARN, a service, anonymous or deployer is fine too.",
        )
    theirs = {
        "name": f"the policies of {arn}",
        "policy": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]},
    }
    kind = "AssumedRole" if ":role/" in arn or ":assumed-role/" in arn else "User"
    return {
        **none,
        "principal": arn,
        "named": {"Principal": {"AWS": arn}},
        "policies": [theirs],
        "policy_names": theirs["name"],
        "supposed": True,
        "assumed": [] if request.administrator else [f"the policies of {arn} are not in the inventory"],
        "context": {
            "aws:PrincipalArn": arn,
            "aws:PrincipalAccount": arn.split(":")[4],
            "aws:PrincipalType": kind,
            "aws:PrincipalIsAWSService": "false",
        },
    }


def _role(inventory: Inventory, role: Row) -> Facts:
    rows = [row for row in inventory.rows("iam_statements") if role.name in row.roles]
    attached = [row for row in rows if row.kind == "attached"]
    inline = [row for row in rows if row.kind == "inline"]
    # AWS's policies, ours and inline ones can share a name; then the ARN says which one decided.
    shared = Counter([*map(last, role.attached_policy_arns), *role.inline_policies])
    own = [
        *(
            (last(arn) if shared[last(arn)] == 1 else arn, [row for row in attached if row.policy_arn == arn])
            for arn in role.attached_policy_arns
        ),
        *((name, [row for row in inline if row.policy == name]) for name in role.inline_policies),
    ]
    boundary = [r for r in rows if r.kind == "boundary" and r.policy_arn == role.boundary_arn]
    missing = [name for name, found in own if not found]
    assumed = [
        f"the content of {name} is not in the inventory"
        for name in [*missing, *([role.boundary] if role.boundary and not boundary else [])]
    ]
    if role.boundary is None:
        assumed.append(f"whether {role.name} has a permissions boundary is not in the inventory")
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    policies = [
        {"name": n, "policy": document(f) if f else {"Version": "2012-10-17", "Statement": [everything]}}
        for n, f in own
    ]
    context = {
        "aws:PrincipalArn": role.role_arn,
        "aws:PrincipalAccount": str(role.role_arn).split(":")[4],
        "aws:PrincipalType": "AssumedRole",
        "aws:PrincipalIsAWSService": "false",
        **{f"aws:PrincipalTag/{key}": value for key, value in (role.tags or {}).items()},
    }
    return {
        "principal": role.role_arn,
        "policies": policies,
        "policy_names": ", ".join(name for name, _ in own) or f"the policies of {role.name}",
        "boundary": {"name": role.boundary, "policy": document(boundary)} if boundary else None,
        "assumed": assumed,
        "context": context,
    }


def operators(inventory: Inventory) -> list[str]:
    """The ARNs that the bucket policies exempt from their Deny statements, other than roles in the inventory."""
    roles = {row.role_arn for row in inventory.rows("roles")}
    found: dict[str, None] = {}
    for row in inventory.rows("bucket_policy_statements"):
        for operator, keys in (row.statement.get("Condition") or {}).items():
            values = keys.get("aws:PrincipalArn", []) if row.effect == "Deny" and "Not" in operator else []
            found |= dict.fromkeys([values] if isinstance(values, str) else values)
    left = [arn for arn in found if arn not in roles]
    if not left:
        raise WorkbookError("No bucket policy names an operator.", "Use the deployer's ARN.")
    return left


# ── for what ──


def resource(inventory: Inventory, request: Request, account: str) -> tuple[str, Facts]:
    service = request.action.split(":")[0].lower()
    arn = (
        request.resource
        if request.resource == "*" or request.resource.startswith("arn:")
        else named_arn(inventory, service, request.resource)
    )
    if "*" in arn and arn != "*":
        raise WorkbookError(f"{arn} is more than one resource.", "Ask about one of them.")
    parts = arn.split(":", 5) if arn != "*" else ["", "", "", "", "", ""]
    what: Facts = {
        "account": parts[4] or account,
        "region": parts[3] or inventory.scope.region,
        "policy": None,
        "policy_name": "",
        "unread": arn != "*" and service not in {*NO_RESOURCE_POLICIES, "s3", "ecr", "sts"},
        "restricted": False,
        "tables": [],
    }
    if service == "logs" and request.principal.endswith(".amazonaws.com"):
        what["unread"] = True
    if service == "s3" and arn != "*":
        what |= _bucket(inventory, request, parts[5].split("/")[0], account)
    elif service == "ecr" and arn != "*":
        what |= _policy(inventory, "repositories", "repository", parts[5].removeprefix("repository/"))
    elif service == "sts" and ":role/" in arn:
        what |= _policy(inventory, "roles", "role", arn.rsplit("/", 1)[1])
    return arn, what


def named_arn(inventory: Inventory, service: str, name: str) -> str:
    table = _TABLE_OF.get(service)
    if table is None:
        raise WorkbookError(
            f"The access proofs cannot find {service} resources by name.",
            "Give the ARN, or * for an action without a resource.",
        )
    base, rest = name, ""
    if table == "buckets" and "/" in name:
        base, rest = name.split("/", 1)[0], f"/{name.split('/', 1)[1]}"
    elif table == "log_groups" and ":log-stream:" in name:
        base, rest = name.split(":log-stream:")[0], f":log-stream:{name.split(':log-stream:')[1]}"
    row = _short(inventory, table, base)
    if row is None:
        known = ", ".join(str(r.name) for r in inventory.rows(table))
        raise WorkbookError(
            f"There is nothing called {base!r} among the {table.replace('_', ' ')}.",
            f"Known: {known or 'none'}. An ARN is fine too.",
        )
    column = {
        "buckets": "bucket_arn",
        "repositories": "repository_arn",
        "log_groups": "log_group_arn",
        "roles": "role_arn",
    }[table]
    return f"{str(getattr(row, column)).removesuffix(':*')}{rest}"


def _bucket(inventory: Inventory, request: Request, name: str, account: str) -> Facts:
    row = next((r for r in inventory.rows("buckets") if r.name == name), None)
    if row is None or request.resource_account not in ("", account):
        return {"account": request.resource_account, "unread": True, "tables": ["buckets"]}
    found = _policy(inventory, "buckets", "bucket", name)
    return {**found, "account": account, "region": row.region, "restricted": row.restrict_public_buckets}


_STATEMENTS = {
    "bucket": "bucket_policy_statements",
    "repository": "repository_policy_statements",
    "role": "role_trust_statements",
}


def _policy(inventory: Inventory, table: str, kind: str, name: str) -> Facts:
    """The resource policy of one bucket, repository or role, as far as it was read."""
    row = next((r for r in inventory.rows(table) if r.name == name), None)
    statements = inventory.rows(_STATEMENTS[kind], **{kind: name})
    count = row.policy_statements if row and "policy_statements" in TABLES[table].columns else len(statements)
    return {
        "policy": document(statements) if statements else None,
        "policy_name": name,
        "unread": row is None or count is None or count != len(statements),
        "tables": [table, _STATEMENTS[kind]],
    }


def endpoint_for(inventory: Inventory, request: Request, service: str, region: str) -> Row:
    wanted = request.via_endpoint if isinstance(request.via_endpoint, str) else {"ecr": "ecr.api"}.get(service, service)
    found = [row for row in inventory.rows("endpoints") if wanted in (row.service, row.name, row.endpoint_id)]
    if len(found) != 1:
        there = ", ".join(f"{row.service} ({row.name})" for row in inventory.rows("endpoints"))
        raise WorkbookError(
            f"There {'are several endpoints' if found else 'is no endpoint'} for {wanted}.",
            f"Endpoints: {there or 'none'}.",
        )
    if region != inventory.scope.region:
        raise WorkbookError(
            f"The endpoint {found[0].name} serves {inventory.scope.region}, but the resource is in {region}.",
            "Leave out the endpoint.",
        )
    return found[0]
