"""The account as the policy engine sees it: who is there, which resources have policies, which endpoints lead to them.

Built from the rows of an inventory, each table only when something needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, TypeVar

from workbook.access.evaluation import Caller, Target
from workbook.access.policies import NEWEST, Policy, parse_policy
from workbook.inventory import Row, Scope
from workbook.inventory.names import last

T = TypeVar("T")

STRANGER = "999999999999"
"""Stands for every account that no policy names."""


class Rows(Protocol):
    """What the engine needs of an inventory; the view of a claim has it too."""

    @property
    def scope(self) -> Scope: ...

    def rows(self, table: str, **where: Any) -> tuple[Row, ...]: ...

    def fingerprint(self, columns: Mapping[str, tuple[str, ...]]) -> str | None: ...


@dataclass(frozen=True)
class Endpoint:
    """A VPC endpoint: the service it serves, such as ecr.api, and its policy."""

    id: str
    name: str
    service: str
    vpc: str
    policy: Policy


# What decides a request: the tables, and the columns of those that say other things too.
_DECISIVE: dict[str, tuple[str, ...]] = {
    "roles": ("name", "role_arn", "boundary", "boundary_arn", "attached_policy_arns", "inline_policies", "tags"),
    "iam_statements": (),
    "role_trust_statements": (),
    "buckets": ("name", "bucket_arn", "region", "ownership", "restrict_public_buckets", "policy_statements"),
    "bucket_policy_statements": (),
    "repositories": ("name", "repository_arn", "policy_statements"),
    "repository_policy_statements": (),
    "endpoints": ("endpoint_id", "name", "service", "vpc_id"),
    "endpoint_policy_statements": (),
    "clusters": ("cluster_arn",),
}
_MOST_REMEMBERED = 4_000
_remembered: dict[Any, tuple[Any, frozenset[str]]] = {}


class Account:
    """Principals, resources and endpoints of the account that an inventory describes."""

    def __init__(self, rows: Rows) -> None:
        self.scope = rows.scope
        self._source = rows
        self._used: set[str] = set()

    def _rows(self, table: str, **where: Any) -> tuple[Row, ...]:
        self._used.add(table)
        return self._source.rows(table, **where)

    def remembered(self, key: Any, compute: Callable[[], T]) -> T:
        """The result of `compute`, from memory if the same was asked of an account with the same policies.

        What it takes from the inventory counts as used in both cases.
        """
        fingerprint = self._source.fingerprint(_DECISIVE)
        if fingerprint is None:
            return compute()
        known = (type(self), self.scope, fingerprint, key)
        if known in _remembered:
            result, tables = _remembered[known]
            for table in tables:
                self._rows(table)
            return result  # type: ignore[no-any-return]
        result = compute()
        if len(_remembered) >= _MOST_REMEMBERED:
            _remembered.clear()
        _remembered[known] = (result, frozenset(self._used))
        return result

    @cached_property
    def id(self) -> str:
        """The account id; empty if the inventory has no role, repository or cluster to tell it."""
        for table, column in (("roles", "role_arn"), ("repositories", "repository_arn"), ("clusters", "cluster_arn")):
            for row in self._rows(table):
                parts = str(getattr(row, column)).split(":")
                if len(parts) > 5:
                    return parts[4]
        return ""

    # ── principals ──

    @cached_property
    def callers(self) -> tuple[Caller, ...]:
        """The principals of the account whose policies are known."""
        return tuple(self.roles.values())

    @cached_property
    def roles(self) -> dict[str, Caller]:
        """The environment's roles by name."""
        statements = self._rows("iam_statements")
        return {row.name: self._role(row, statements) for row in self._rows("roles")}

    def _role(self, row: Row, statements: Iterable[Row]) -> Caller:
        own = [s for s in statements if row.name in s.roles]
        attached = [
            _policy(last(arn), [s for s in own if s.kind == "attached" and s.policy_arn == arn])
            for arn in row.attached_policy_arns or ()
        ]
        inline = [
            _policy(name, [s for s in own if s.kind == "inline" and s.policy == name])
            for name in row.inline_policies or ()
        ]
        boundary = None
        if row.boundary is None:
            boundary = Policy(f"of {row.name}", None)
        elif row.boundary:
            boundary = _policy(
                row.boundary, [s for s in own if s.kind == "boundary" and s.policy_arn == row.boundary_arn]
            )
        return Caller(row.name, "role", row.role_arn, self.id, (*attached, *inline), boundary)

    def role(self, name: str) -> list[Caller]:
        """The role with this name, as the one who asks; [] if it is not in the inventory."""
        return [self.roles[name]] if name in self.roles else []

    @cached_property
    def tags(self) -> dict[str, dict[str, str]]:
        """Tags of the principals, by ARN; keys in lower case."""
        return {row.role_arn: {k.lower(): v for k, v in (row.tags or {}).items()} for row in self._rows("roles")}

    # ── resources ──

    def target(self, action: str, arn: str) -> Target:
        """What `action` on `arn` asks for: its owner and its policy."""
        service = action.split(":", 1)[0].lower()
        parts = arn.split(":", 5)
        owner = parts[4] if len(parts) == 6 and parts[4] else self.id
        if service == "s3" and len(parts) == 6:
            return self._bucket(arn, parts[5].split("/", 1)[0])
        if service == "ecr" and len(parts) == 6 and parts[5].startswith("repository/"):
            name = parts[5].removeprefix("repository/")
            return Target(
                arn, owner, self._resource_policy("repositories", "repository", name, "repository_policy_statements")
            )
        if service == "sts" and len(parts) == 6 and parts[5].startswith("role/"):
            policy = self._resource_policy("roles", "role", last(arn), "role_trust_statements")
            return Target(arn, owner, policy or (Policy(f"trust of {last(arn)}", None)), needs_policy=True)
        return Target(arn, owner)

    def _bucket(self, arn: str, name: str) -> Target:
        row = self.buckets.get(name)
        if row is None:
            return Target(arn, self.id)  # A bucket that the account might have, without a policy.
        policy = self._resource_policy("buckets", "bucket", name, "bucket_policy_statements")
        # With ACLs on, an ACL may grant what no policy does.
        if row.ownership != "BucketOwnerEnforced" and policy is None:
            policy = Policy(f"the ACLs of {name}", None)
        return Target(arn, self.id, policy, restricted=row.restrict_public_buckets)

    @cached_property
    def buckets(self) -> dict[str, Row]:
        return {row.name: row for row in self._rows("buckets")}

    def with_policies(self, service: str) -> tuple[str, ...]:
        """ARNs of what has a policy of its own, a bucket's objects included."""
        if service == "s3":
            return tuple(arn for row in self.buckets.values() for arn in (row.bucket_arn, f"{row.bucket_arn}/*"))
        if service == "ecr":
            return tuple(row.repository_arn for row in self._rows("repositories"))
        if service == "sts":
            return tuple(caller.arn for caller in self.roles.values() if caller.arn)
        return ()

    def owner(self, arn: str) -> str:
        """The account that owns a resource; empty if its ARN does not tell."""
        parts = arn.split(":", 5)
        if len(parts) < 6:
            return ""
        if not parts[4] and parts[2] == "s3" and parts[5].split("/", 1)[0] in self.buckets:
            return self.id
        return parts[4]

    def region(self, arn: str) -> str:
        """The region that serves a resource; empty if it is not known."""
        parts = arn.split(":", 5)
        if len(parts) < 6:
            return ""
        if parts[2] == "s3" and (bucket := self.buckets.get(parts[5].split("/", 1)[0])):
            return str(bucket.region or "")
        if parts[2] == "iam":
            return "us-east-1"
        return "" if "*" in parts[3] else parts[3]

    def _resource_policy(self, table: str, kind: str, name: str, statements: str) -> Policy | None:
        row = next((row for row in self._rows(table) if row.name == name), None)
        found = self._rows(statements, **{kind: name})
        if row is None:
            return None
        count = len(found) if table == "roles" else row.policy_statements
        if count is None or count != len(found):
            return Policy(name, None)
        return _policy(name, found) if found else None

    # ── endpoints ──

    @cached_property
    def endpoints(self) -> tuple[Endpoint, ...]:
        return tuple(
            Endpoint(
                row.endpoint_id,
                row.name,
                row.service,
                row.vpc_id,
                _policy(row.name, self._rows("endpoint_policy_statements", endpoint_id=row.endpoint_id)),
            )
            for row in self._rows("endpoints")
        )

    def endpoints_for(self, action: str) -> tuple[Endpoint, ...]:
        """Those that can carry the request: of the action's service."""
        service = action.split(":", 1)[0].lower()
        return tuple(e for e in self.endpoints if e.service == service or e.service.startswith(f"{service}."))


def _policy(name: str, rows: Iterable[Row]) -> Policy:
    rows = list(rows)
    if not rows:
        return Policy(name, None)
    versions = {row.version for row in rows}
    return parse_policy(name, [row.statement for row in rows], versions.pop() or NEWEST)
