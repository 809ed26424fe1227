"""What the policies grant, as arrows: roles, VPC endpoints and principals to what they may use. Nothing here asks AWS."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from workbook.inventory import Inventory, Row
from workbook.network.flows import Flow, Key

_VERBS = (
    ("list", ("List", "Describe")),
    ("read", ("Get", "BatchGet", "BatchCheck")),
    ("write", ("Put", "Create", "Replicate", "Restore", "Update")),
    ("delete", ("Delete",)),
)


def verbs(actions: list[str]) -> str:
    """`list, read, write, delete` of the actions; `anything` for a service wildcard."""
    names = [action.split(":", 1)[-1] for action in actions]
    if any(name == "*" for name in names):
        return "anything"
    said = [verb for verb, starts in _VERBS if any(name.startswith(starts) for name in names)]
    return ", ".join(said) or "other"


def _named(inventory: Inventory) -> Iterator[tuple[Key, str]]:
    for table, column in (
        ("buckets", "bucket_arn"),
        ("repositories", "repository_arn"),
        ("log_groups", "log_group_arn"),
    ):
        for row in inventory.rows(table):
            yield Key.of(table, row), str(getattr(row, column)).removesuffix(":*")


def _matches(arn: str, pattern: str) -> bool:
    return any(fnmatchcase(candidate, pattern) for candidate in (arn, f"{arn}/x", f"{arn}:x"))


def _granted(inventory: Inventory, statements: Iterable[Row], source: Key) -> Iterator[tuple[Key, Key, str]]:
    for statement in statements:
        if statement.effect == "Allow":
            service = {str(action).split(":", 1)[0] for action in statement.actions}
            for target, arn in _named(inventory):
                # `*` as a resource says nothing of a bucket where the actions are another service's.
                if ("*" in service or arn.split(":")[2] in service) and any(
                    _matches(arn, pattern) for pattern in statement.resources
                ):
                    for action in statement.actions:
                        if action == "*" or action.split(":", 1)[0] == arn.split(":")[2]:
                            yield source, target, action


def _summed(granted: list[tuple[Key, Key, str]]) -> list[Flow]:
    pairs: dict[tuple[Key, Key], list[str]] = {}
    for source, target, action in granted:
        pairs.setdefault((source, target), []).append(action)
    return [Flow(source, target, verbs(actions)) for (source, target), actions in pairs.items()]


def role_flows(inventory: Inventory) -> list[Flow]:
    """Roles to the buckets, repositories and log groups that their policies allow; labelled with the verbs. Boundaries
    only take away.
    """
    granted: list[tuple[Key, Key, str]] = []
    for statement in inventory.rows("iam_statements"):
        if statement.kind != "boundary":
            for role in statement.roles:
                granted += _granted(inventory, [statement], Key("roles", role))
    return _summed(granted)


def endpoint_flows(inventory: Inventory) -> list[Flow]:
    """VPC endpoints to the buckets, repositories and log groups that their policies let through."""
    granted: list[tuple[Key, Key, str]] = []
    for endpoint in inventory.rows("endpoints"):
        granted += _granted(
            inventory,
            inventory.rows("endpoint_policy_statements", endpoint_id=endpoint.endpoint_id),
            Key.of("endpoints", endpoint),
        )
    return _summed(granted)


def resource_policy_flows(inventory: Inventory) -> list[Flow]:
    """Principals to the repositories whose own policy allows them: a role by its name, anyone else as `generic`."""
    role_of = {row.role_arn: row.name for row in inventory.rows("roles")}
    granted: list[tuple[Key, Key, str]] = []
    for statement in inventory.rows("repository_policy_statements"):
        if statement.effect == "Allow":
            for principal in statement.principals:
                role = role_of.get(principal.split(": ", 1)[-1])
                source = Key("roles", role) if role else Key("generic", principal)
                granted += [(source, Key("repositories", statement.repository), action) for action in statement.actions]
    return _summed(granted)


def statement_summary(statements: Iterable[Row]) -> list[str]:
    """What the statements of a policy (rows of `iam_statements`) allow, a service a line: `s3: list, read, write`."""
    services: dict[str, list[str]] = {}
    for row in statements:
        if row.effect == "Allow" and row.kind != "boundary":
            for action in row.actions:
                services.setdefault(action.split(":", 1)[0], []).append(action)
    return [f"{service}: {verbs(actions)}" for service, actions in services.items()]
