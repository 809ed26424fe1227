"""What the simulator is asked about a request.

If the inventory lacks what decides, the assumption favours the caller: a principal from elsewhere has every permission
its own account can grant, and a policy that was not read allows the request. A request denied even so is certainly
denied; one that gets through is `unknown`, with what was assumed. Nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from workbook.access.lookup import NO_RESOURCE_POLICIES, Facts, account_of, document, endpoint_for, principal, resource
from workbook.access.request import Request, Undecidable
from workbook.errors import WorkbookError
from workbook.inventory import Inventory

# Not in the request unless we put them there, so they are absent rather than unknown.
ABSENT = frozenset(
    {
        *(
            "aws:sourcevpce",
            "aws:sourcevpc",
            "aws:vpcsourceip",
            "aws:sourceaccount",
            "aws:sourcearn",
            "aws:sourceorgid",
        ),
        *("aws:sourceorgpaths", "aws:principalarn", "aws:calledvia", "aws:calledviafirst", "aws:calledvialast"),
        *("aws:principalservicename", "aws:principalservicenameslist"),
    }
)

# AWS checks these against a resource that the simulator's catalogue lacks for them.
UNDECIDABLE = {"logs:describeloggroups": "AWS checks it against log-group:*, the simulator only against *"}


@dataclass(frozen=True)
class Case:
    """What the simulator is asked, what was assumed, the names of its layers, and those only assumed to allow it."""

    simulation: Facts
    assumed: tuple[str, ...]
    known_keys: frozenset[str]
    names: Mapping[str, str]
    own_tags: bool
    supposed: frozenset[str]


def cases(inventory: Inventory, request: Request) -> list[Case]:
    """The simulations that decide a request; two if it is unknown who owns the bucket.

    Raises
    ------
    WorkbookError : the role, resource or endpoint is unknown, or the request is not possible.
    """
    if request.action.count(":") != 1 or "*" in request.action:
        raise WorkbookError(
            f"{request.action!r} is not a single action.", "Write it as service:Action, such as s3:GetObject."
        )
    if request.action.lower() in UNDECIDABLE:
        raise Undecidable(f"{request.action}: {UNDECIDABLE[request.action.lower()]}")
    account = account_of(inventory)
    who = principal(inventory, request, account)
    arn, what = resource(inventory, request, account)
    owners = [what["account"]] if what["account"] else [account, "000000000000"]
    return [_case(inventory, request, account, who, arn, {**what, "account": owner}) for owner in owners]


def _case(inventory: Inventory, request: Request, account: str, who: Facts, arn: str, what: Facts) -> Case:
    service = request.action.split(":")[0].lower()
    foreign = what["account"] != account
    assumed = list(who["assumed"])
    policy, policy_name = what["policy"], what["policy_name"]
    supposed = {"identity"} if who["supposed"] else set()
    if what["unread"] or (foreign and service not in NO_RESOURCE_POLICIES):
        policy = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", **who["named"], "Action": "*", "Resource": "*"}],
        }
        policy_name = f"the policy of {arn}"
        assumed.append(f"{policy_name} is not in the inventory")
        supposed.add("resource")
    if policy and any("assumed-role/" in str(statement.get("Principal")) for statement in policy["Statement"]):
        raise Undecidable(f"the policy of {policy_name} names individual role sessions, and the question names none")
    endpoint = endpoint_for(inventory, request, service, what["region"]) if request.via_endpoint else None
    context = {
        "aws:SecureTransport": "true" if request.tls else "false",
        "aws:RequestedRegion": request.region or ("us-east-1" if service == "iam" else what["region"]),
        "aws:ResourceAccount": what["account"],
        "aws:ViaAWSService": "false",
        **who["context"],
        **({"aws:SourceVpce": endpoint.endpoint_id, "aws:SourceVpc": endpoint.vpc_id} if endpoint else {}),
        **({"aws:SourceAccount": request.source_account} if request.source_account else {}),
        **({"aws:SourceArn": request.source_arn} if request.source_arn else {}),
        **request.context,
    }
    simulation: Facts = {
        "request": {
            "principal": who["principal"],
            "action": request.action,
            "resource": {"resource": arn, "accountId": what["account"]},
            "contextVariables": context,
        },
        "identityPolicies": who["policies"],
        "serviceControlPolicies": [],
        "resourceControlPolicies": [],
        "additionalSettings": {"s3": {"blockPublicAccess": bool(what["restricted"])}},
    }
    if policy:
        simulation["resourcePolicy"] = policy
    if who["boundary"]:
        simulation["permissionBoundaryPolicies"] = [who["boundary"]]
    names = {
        "identity": who["policy_names"],
        "boundary": (who["boundary"] or {}).get("name", ""),
        "resource": policy_name,
        "endpoint": "",
    }
    if endpoint:
        rows = inventory.rows("endpoint_policy_statements", endpoint_id=endpoint.endpoint_id)
        if any(r.principals != ["*"] for r in rows):
            raise Undecidable(
                f"the policy of {endpoint.name} names principals, which the simulator ignores in endpoint policies"
            )
        if request.action.lower() == "sts:getcalleridentity":
            raise Undecidable(
                "sts:GetCallerIdentity needs no permission, and the simulator does "
                "not check it against an endpoint policy"
            )
        if not rows:
            assumed.append(f"the policy of {endpoint.name} is not in the inventory")
        else:
            # The simulator accepts only "*"; {"AWS": "*"} means the same.
            simulation["vpcEndpointPolicies"] = [{"name": endpoint.name, "policy": document(rows, Principal="*")}]
        names["endpoint"] = endpoint.name
    used = {
        "iam_statements",
        "roles",
        "role_trust_statements",
        *(["endpoint_policy_statements", "endpoints"] if endpoint else []),
        *what["tables"],
    }
    assumed += [f"not all of {table} could be read" for table in sorted(used & set(inventory.problems["table"]))]
    return Case(
        simulation,
        tuple(assumed),
        frozenset({key.lower() for key in context} | ABSENT),
        names,
        who["own_tags"],
        frozenset(supposed),
    )
