"""Who can do something, and what someone can do: all requests decided, and the allowed ones told in a few words."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from workbook.access.conditions import Condition, Value
from workbook.access.evaluation import Caller
from workbook.access.lookup import named_arn, operators
from workbook.access.proofs import TRANSPORT, Found, Kind, Prover, Where
from workbook.access.request import DEPLOYER
from workbook.access.requests import actions_like, conditions_from
from workbook.display import Rendered, note, stack, table
from workbook.errors import WorkbookError
from workbook.inventory import Inventory


def arn_of(inventory: Inventory, action: str, resource: str) -> str:
    """The ARN of a resource by name, such as data/* for the objects of the data bucket; an ARN as it is.

    Raises
    ------
    WorkbookError : there is no such action or resource.
    """
    if not actions_like(action):
        raise WorkbookError(f"AWS has no action {action}.", "Check its spelling; s3:Get* stands for several.")
    if resource == "*" or resource.startswith("arn:"):
        return resource
    return named_arn(inventory, action.split(":", 1)[0].lower(), resource)


def who_can(inventory: Inventory, action: str, resource: str) -> pd.DataFrame:
    """Everyone who can do `action` on `resource`, in which circumstances, and through which statement.

    Returns
    -------
    DataFrame with the columns who, can (yes, no, cannot tell), circumstances, by; one row for each role of the account,
    and for everyone else that the resource's policy can tell apart.
    """
    arn = arn_of(inventory, action, resource)
    prover = Prover(inventory)
    example = actions_like(action)[0]
    rows = []
    for caller in prover.everyone([arn], example):
        incomplete: set[str] = set()
        found = list(prover.requests([caller], Kind((action,), (arn,)), incomplete))
        allowed = [f for f in found if f.outcome.allowed is True]
        doubt = [f for f in found if f.outcome.allowed is None]
        by = allowed or doubt or found
        verdict = "yes" if allowed else "cannot tell" if doubt or incomplete else "no"
        said = _circumstances(prover, allowed, found) if allowed else "; ".join(sorted(incomplete))
        rows.append((caller.name, verdict, said, _by(by)))
    return pd.DataFrame(rows, columns=["who", "can", "circumstances", "by"])


def _by(found: Iterable[Found]) -> str:
    """What decided: `policy (statement)`; without a statement, no policy allows it."""
    outcomes = dict.fromkeys(f.outcome for f in found)
    named = [f"{o.layer}: {o.statement}" for o in outcomes if o.statement]
    return "; ".join(dict.fromkeys(named)) or "nothing allows it"


def _circumstances(prover: Prover, allowed: list[Found], every: list[Found]) -> str:
    """What all allowed requests have in common that others lack; "always" if nothing matters."""
    names = {endpoint.id: endpoint.name for endpoint in prover.account.endpoints}
    parts = []
    for key in dict.fromkeys(key for found in every for key in found.context):
        values = list(dict.fromkeys(f.context[key] for f in allowed if key in f.context))
        others = {f.context[key] for f in every if key in f.context} - set(values)
        if values and others and all(key in f.context for f in allowed):
            told = [_value(key, value, names) for value in values]
            parts.append(" or ".join(told) if all(told) else _conditions(prover, allowed[0], key))
    return ", ".join(part for part in parts if part) or "always"


def _conditions(prover: Prover, found: Found, key: str) -> str:
    """The conditions on a key in the statement that allows the request."""
    policies = [*(found.caller.identity or ()), prover.account.target(found.action, found.resource).policy]
    return " and ".join(
        f"{c.key} {c.operator} {', '.join(c.values)}"
        for policy in policies
        if policy and policy.name == found.outcome.policy
        for statement in policy.statements or ()
        if statement.sid == found.outcome.statement
        for c in statement.conditions
        if c.key == key
    )


def _value(key: str, value: Value, names: dict[str, str]) -> str:
    if (key, value) in TRANSPORT:
        return TRANSPORT[key, value]
    if key == "aws:sourcevpce":
        return "not through an endpoint" if value is None else f"through {names.get(str(value), 'another endpoint')}"
    return f"without {key}" if value is None else ""  # Any other value stands for all that a condition lets through.


def what_can(inventory: Inventory, principal: str) -> pd.DataFrame:
    """What a role can do, by the statement that allows it: columns statement, policy, actions, resources, withheld.

    `withheld` are actions that the statement allows and something else keeps the role from: its boundary, or a Deny.

    Raises
    ------
    WorkbookError : there is no such role.
    """
    prover = Prover(inventory)
    caller = role_called(prover, inventory, principal)
    rows = []
    for policy in caller.identity or ():
        for statement in policy.statements or ():
            if statement.allow:
                actions = list(dict.fromkeys(a for pattern in statement.actions for a in actions_like(pattern)))
                can = [a for a in actions if not prover.prove([a], statement.resources, [caller]).proven]
                withheld = [action for action in actions if action not in can]
                rows.append((statement.sid, policy.name, can, list(statement.resources or ()), withheld))
    return pd.DataFrame(rows, columns=["statement", "policy", "actions", "resources", "withheld"])


def role_called(prover: Prover, inventory: Inventory, name: str) -> Caller:
    """The role with this name, with or without the environment's prefix, or with this ARN."""
    names = (name, f"{inventory.scope.prefix}-{name}")
    found = next((c for c in prover.account.callers if c.name in names or c.arn == name), None)
    if found is None:
        known = ", ".join(caller.name for caller in prover.account.callers)
        raise WorkbookError(f"There is no role {name!r} in the inventory.", f"Roles: {known or 'none'}.")
    return found


def _limit(condition: Condition) -> str:
    if condition.kind == "null":
        return f"{'without' if condition.values == ('true',) else 'with'} {condition.key}"
    return f"{condition.key} {condition.operator} {', '.join(condition.values)}"


MARKS = {"can": {"yes": "warn", "no": "good", "cannot tell": "bad"}}


def rendered_who(inventory: Inventory, action: str, resource: str) -> Rendered:
    """`who_can` as a table, after the answer in one line."""
    found = who_can(inventory, action, resource)
    prefix = inventory.scope.prefix
    able = [str(name) for name in found[found["can"] == "yes"]["who"]]
    line = f"{action} on {resource}: {', '.join(able).replace(f'{prefix}-', '…-') or 'nobody'}."
    return stack(note(line), table(found, f"Who can {action} on {resource}", marks=MARKS, prefix=prefix))


def rendered_what(inventory: Inventory, principal: str) -> Rendered:
    """`what_can` as a table."""
    return table(what_can(inventory, principal), f"What {principal} can do", prefix=inventory.scope.prefix)


def rendered_proof(
    inventory: Inventory, action: str, resource: str, where: Where | None, but: Iterable[str] = ()
) -> Rendered:
    """Whether nobody can do `action` on `resource` where the conditions hold, except the principals in `but`."""
    arn = arn_of(inventory, action, resource)
    prover = Prover(inventory)
    but = list(but)
    names = {*but, *(f"{inventory.scope.prefix}-{name}" for name in but)}
    if DEPLOYER in but:
        names |= set(operators(inventory))
    objects = [arn, f"{arn}/*"] if arn.startswith("arn:aws:s3:::") and "/" not in arn else [arn]
    callers = prover.everyone(objects, actions_like(action)[0])
    proof = prover.prove([action], objects, [c for c in callers if c.name not in names and c.arn not in names], where)
    limits = ", ".join(_limit(condition) for condition in conditions_from(where))
    asked = f"Nobody can {action} on {resource}{f' ({limits})' if limits else ''}"
    besides = f", except {', '.join(but)}" if but else ""
    colour = {"PROVEN": "good", "REFUTED": "bad", "CANNOT TELL": "warn"}[proof.answer.value]
    says = proof.says.replace(f"{inventory.scope.prefix}-", "…-")
    return stack(note(f"{asked}{besides}: {proof.answer}", colour), note(f"{says}. Requests decided: {proof.tried}."))
