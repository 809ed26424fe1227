"""Access proofs: whether a request would be allowed, decided by an IAM policy simulator on an inventory's policies.

Included: identity policies, permissions boundary, bucket, repository and trust policies, VPC endpoint policies, S3
Block Public Access. Not included: organization policies, session policies, KMS key policies and grants, ACLs (the
buckets have them turned off), and whether the network lets the request arrive (`workbook.network`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from workbook.access.case import Case, cases
from workbook.access.decision import Decision, Layer, decision, unknown
from workbook.access.request import Request, Undecidable
from workbook.access.simulator_process import simulate
from workbook.errors import WorkbookError
from workbook.inventory import Inventory
from workbook.inventory.statements import statements

__all__ = ["ADMINISTRATOR", "Decision", "Layer", "Request", "attach", "can", "decide"]

ADMINISTRATOR = {
    "Version": "2012-10-17",
    "Statement": [{"Sid": "Everything", "Effect": "Allow", "Action": "*", "Resource": "*"}],
}


def can(
    inventory: Inventory,
    principal: str,
    action: str,
    resource: str = "*",
    *,
    via_endpoint: bool | str = False,
    tls: bool = True,
    administrator: bool = False,
    source_account: str = "",
    source_arn: str = "",
    resource_account: str = "",
    region: str = "",
    context: Mapping[str, str] | None = None,
) -> Decision:
    """Whether `principal` can do `action` on `resource`, and which statement decides; parameters as in `Request`.

    Raises
    ------
    WorkbookError : the role, resource, action or endpoint is unknown, Node is missing, or the simulator cannot be
        installed.
    """
    request = Request(
        principal,
        action,
        resource,
        via_endpoint,
        tls,
        administrator,
        source_account,
        source_arn,
        resource_account,
        region,
        dict(context or {}),
    )
    return decide([(inventory, request)])[0]


def decide(questions: Iterable[tuple[Inventory, Request]], *, keep_going: bool = False) -> list[Decision]:
    """The decision for each question, all in one run of the simulator.

    With `keep_going` a question that cannot be asked (no such role, no such bucket) is `unknown`, with the reason;
    otherwise it is an error.
    """
    asked = [(request, _cases(inventory, request, keep_going)) for inventory, request in questions]
    answers = iter(simulate([case.simulation for _, found in asked if not isinstance(found, str) for case in found]))
    return [
        unknown(request, found)
        if isinstance(found, str)
        else decision(request, [(case, next(answers)) for case in found])
        for request, found in asked
    ]


def _cases(inventory: Inventory, request: Request, keep_going: bool) -> list[Case] | str:
    try:
        return cases(inventory, request)
    except Undecidable as why:
        return str(why)
    except WorkbookError as error:
        if not keep_going:
            raise
        return error.cause.rstrip(".")


def attach(inventory: Inventory, role: str, policy: str, document: Mapping[str, Any]) -> Inventory:
    """A what-if: the inventory with one more policy attached to a role (name as in the inventory)."""
    attached = inventory.by_key("roles").get(role)
    arn = f"arn:aws:iam::{attached.role_arn.split(':')[4]}:policy/{policy}" if attached else ""
    rows = [
        {
            "policy": policy,
            "kind": "attached",
            "roles": [role],
            **statement,
            "policy_arn": arn,
        }
        for statement in statements(document)
    ]
    roles = [
        row.replaced(
            attached_policies=[*row.attached_policies, policy], attached_policy_arns=[*row.attached_policy_arns, arn]
        )
        if row.name == role
        else row
        for row in inventory.rows("roles")
    ]
    return inventory.replace(roles=roles, iam_statements=[*inventory.rows("iam_statements"), *rows])
