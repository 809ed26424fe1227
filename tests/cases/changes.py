"""The saved inventory of the dev environment with rows changed, as a case describes them."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

from workbook.inventory import TABLES, Inventory
from workbook.inventory.ecs import _container
from workbook.inventory.rules import _ports
from workbook.inventory.statements import statements

Record = dict[str, Any]
Tables = dict[str, list[Record]]

SAVED = Path(__file__).parents[1] / "unit" / "fixtures" / "inventory_dev.json"
WAYS = ("set", "statement", "amend", "add", "remove")
# A policy variable such as ${aws:username} is not a placeholder.
_PLACEHOLDER = re.compile(r"(?<!\$)\{([a-z_]+)(?::([^{}]*))?\}")
# A placeholder with a name in it, such as {subnet:public-us-east-1a}: table, column of names, column of ids
_IDS = {
    "endpoint": ("endpoints", "service", "endpoint_id"),
    "subnet": ("subnets", "name", "subnet_id"),
    "group": ("security_groups", "name", "group_id"),
    "route_table": ("routes", "route_table", "route_table_id"),
    "acl": ("nacl_entries", "network_acl", "network_acl_id"),
    "nat": ("nat_gateways", "name", "nat_gateway_id"),
    "role": ("roles", "name", "role_arn"),
}


class BadCase(ValueError):
    """A case that cannot be run; the text says why."""


@cache
def saved() -> Inventory:
    """The inventory that every case starts from."""
    return Inventory.from_json(SAVED.read_text(encoding="utf-8"))


@cache
def _rows() -> Tables:
    tables: Tables = json.loads(saved().to_json())["tables"]
    return tables


@cache
def placeholders() -> dict[str, str]:
    """Placeholders without a name in them, and what they stand for in the saved inventory."""
    inventory = saved()
    rule, task, vpc = (inventory.rows(table)[0] for table in ("bucket_replication_rules", "task_definitions", "vpcs"))
    exempt = next(s for s in inventory.rows("bucket_policy_statements") if s.sid == "DenyOutsideVpcEndpoint")
    roles = inventory.by_key("roles")
    return {
        "account": roles[task.task_role].role_arn.split(":")[4],
        "prefix": inventory.scope.prefix,
        "region": inventory.scope.region,
        "replica_region": inventory.scope.replica_region,
        "data": rule.bucket,
        "replica": rule.destination,
        "logs": inventory.by_key("buckets")[rule.bucket].logging_bucket,
        "task_role": task.task_role,
        "execution_role": task.execution_role,
        "replication_role": rule.role,
        "operator": next(
            arn
            for arn in exempt.statement["Condition"]["ArnNotEquals"]["aws:PrincipalArn"]
            if arn not in {role.role_arn for role in roles.values()}
        ),
        "vpc": vpc.vpc_id,
    }


def filled(value: Any) -> Any:
    """`value` with its placeholders filled in, at any depth; `{none}` is None."""
    if value == "{none}":
        return None
    if isinstance(value, str):
        return _PLACEHOLDER.sub(_fill, value)
    if isinstance(value, list):
        return [filled(item) for item in value]
    if isinstance(value, dict):
        return {filled(key): filled(item) for key, item in value.items()}
    return value


def _fill(match: re.Match[str]) -> str:
    kind, name = match.groups()
    if name is None:
        if kind not in placeholders():
            raise BadCase(f"no placeholder {match.group()}")
        return placeholders()[kind]
    if kind not in _IDS:
        raise BadCase(f"no placeholder {match.group()}")
    table, names, ids = _IDS[kind]
    prefix = saved().scope.prefix
    full = {name, f"{prefix}-{name}", f"{prefix}-vpc-{name}"}
    found = {row[ids] for row in _rows()[table] if row[names] in full}
    if len(found) != 1:
        raise BadCase(f"{match.group()} stands for {len(found)} rows of {table}")
    return str(found.pop())


def changed(changes: Iterable[Record], unread: Iterable[str] = ()) -> Inventory:
    """The saved inventory with changes; `unread` names tables that AWS refused to list completely.

    Raises
    ------
    BadCase : a change that names no table, column or row that is there, or does not say what to do.
    """
    tables: Tables = {}
    for change in changes:
        _apply(filled(change), tables)
    _follow(tables)
    for table in unread:
        if table not in TABLES:
            raise BadCase(f"no table {table}")
    whole = saved().replace(**tables)
    problems = [{"table": table, "call": "a call", "error": "AccessDenied"} for table in unread]
    frames = {name: whole[name] for name in whole}
    return Inventory(whole.scope, whole.taken_at, frames, problems) if problems else whole


def _apply(change: Record, tables: Tables) -> None:
    ways = [way for way in WAYS if way in change]
    if len(ways) != 1 or set(change) - {"table", "where", *WAYS}:
        raise BadCase(f"a change has table, where, and one of {', '.join(WAYS)}; not {', '.join(change)}")
    name, where = change.get("table"), change.get("where", {})
    if name not in TABLES:
        raise BadCase(f"no table {name}")
    columns = set(TABLES[name].columns)
    named = {*where, *(change[ways[0]] if ways[0] in ("set", "add") else ())}
    if strange := {column.split(".")[0] for column in named} - columns:
        raise BadCase(f"{name} has no column {', '.join(sorted(strange))}")
    rows = tables.setdefault(name, copy.deepcopy(_rows()[name]))
    matching = [row for row in rows if all(_matches(row[column], value) for column, value in where.items())]
    if not matching and (where or ways[0] != "add"):
        raise BadCase(f"no row of {name} with {where}")
    _WAYS[ways[0]](rows, matching if where or ways[0] != "add" else [], change[ways[0]])


def _matches(cell: Any, value: Any) -> bool:
    """Whether a cell is `value`, or a list that contains it."""
    return bool(cell == value or (isinstance(cell, list) and value in cell))


def _set(rows: list[Record], matching: list[Record], cells: Record) -> None:
    for row in matching:
        for path, value in cells.items():
            _put(row, path, copy.deepcopy(value))


def _put(record: Record, path: str, value: Any) -> None:
    """Set what is at a path such as `environment.PORT`; "" below the first level takes it away."""
    first, _, rest = path.partition(".")
    if rest:
        inner = record.get(first) or {}
        record[first] = inner
        _put(inner, rest, value)
        if value == "":
            inner.pop(rest, None)
    else:
        record[first] = value


def _statement(rows: list[Record], matching: list[Record], statement: Record) -> None:
    for row in matching:
        policy = {"Version": row.get("version") or "2012-10-17", "Statement": [copy.deepcopy(statement)]}
        kept = {} if "Sid" in statement else {"sid": row["sid"]}
        row.update({**statements(policy)[0], "version": row.get("version", ""), **kept})


def _amend(rows: list[Record], matching: list[Record], elements: Record) -> None:
    for row in matching:
        if "definition" in row:
            _redefine(row, elements)
            continue
        if "statement" not in row:
            raise BadCase("amend changes statements and containers")
        whole = {**row["statement"], **elements}
        _statement(rows, [row], {element: value for element, value in whole.items() if value != ""})


def _redefine(row: Record, elements: Record) -> None:
    """Change a container's definition; the reader derives the row from it."""
    definition = row["definition"]
    for path, value in elements.items():
        if path.startswith("environment."):
            name = path.removeprefix("environment.")
            others = [one for one in definition.get("environment", []) if one["name"] != name]
            definition["environment"] = [*others, {"name": name, "value": value}]
        else:
            _put({"definition": definition}, f"definition.{path}", value)
    row.update(_container(definition, {"taskDefinitionArn": f"task-definition/{row['task_definition']}"}))


def _add(rows: list[Record], matching: list[Record], cells: Record) -> None:
    row = {**copy.deepcopy(matching[0] if matching else {}), **copy.deepcopy(cells)}
    if "statement" in cells:
        _statement(
            rows,
            [row],
            cells["statement"]
            if "Sid" in cells["statement"]
            else {**cells["statement"], "Sid": row.get("sid") or "Added"},
        )
    rows.append(row)


def _remove(rows: list[Record], matching: list[Record], said: Any) -> None:
    if said is not True:
        raise BadCase("remove is true or absent")
    rows[:] = [row for row in rows if not any(row is other for other in matching)]


_WAYS: dict[str, Callable[[list[Record], list[Record], Any], None]] = {
    "set": _set,
    "statement": _statement,
    "amend": _amend,
    "add": _add,
    "remove": _remove,
}


# ── what AWS would report elsewhere once a statement is another ──


def _follow(tables: Tables) -> None:
    """Bring the cells that repeat a changed policy into line: documents, counts, who is trusted,
    and the ports of a rule as text."""

    def rows(table: str) -> list[Record]:
        return tables.setdefault(table, copy.deepcopy(_rows()[table]))

    def of(table: str, column: str, value: Any) -> list[Record]:
        return [row for row in tables[table] if column in row and row[column] == value]

    for table in {"nacl_entries", "security_group_rules"} & set(tables):
        for number, row in enumerate(tables[table]):
            row.update(_ports(row["protocol"], row["from_port"], row["to_port"]))
            if row.get("peer_type") == "cidr":
                row["peer_id"] = row["peer"]
            if len(of(table, "rule_id", row.get("rule_id"))) > 1:
                row["rule_id"] = f"sgr-{number:017x}"
    if "role_trust_statements" in tables:
        for row in rows("roles"):
            trust = of("role_trust_statements", "role", row["name"])
            row["trusted"] = sorted({one for s in trust for one in s["principals"]})
            row["trust_conditions"] = sorted({one for s in trust for one in s["conditions"]})
    if "iam_statements" in tables:
        for row in rows("policies"):
            own = of("iam_statements", "policy_arn", row["policy_arn"])
            row["document"] = {**row["document"], "Statement": _once(s["statement"] for s in own)}
            row["statements"] = len(row["document"]["Statement"])
    if "endpoint_policy_statements" in tables:
        for row in rows("endpoints"):
            own = of("endpoint_policy_statements", "endpoint_id", row["endpoint_id"])
            row["policy"] = {**row["policy"], "Statement": [s["statement"] for s in own]}
    for table, statements_of, key in (
        ("buckets", "bucket_policy_statements", "bucket"),
        ("repositories", "repository_policy_statements", "repository"),
    ):
        if statements_of in tables:
            for row in rows(table):
                row["policy_statements"] = len(of(statements_of, key, row["name"]))


def _once(found: Iterable[Record]) -> list[Record]:
    """Without repetitions: a policy that is attached and a boundary is listed as both."""
    kept: list[Record] = []
    for statement in found:
        if statement not in kept:
            kept.append(statement)
    return kept
