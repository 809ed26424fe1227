"""First version against improved version of a layer, with the improved one read from the live account.

What the first version was is told by the take-home's own words; what the improved one is, the last column shows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from workbook.errors import WorkbookError
from workbook.inventory import Inventory

NOT_THERE = "not deployed"
NONE = "none"

# What no deployed layer is without. Where it is there, an improvement that is not seen is lacking, not merely undeployed.
_CORE = {"vpc": "vpcs", "ecr": "repositories", "iam": "roles", "s3": "buckets", "ecs": "clusters"}


@dataclass(frozen=True)
class Step:
    """One improvement: `seen` says what the inventory shows of it; empty where there is nothing to show."""

    layer: str
    aspect: str
    first: str
    improved: str
    seen: Callable[[Inventory], str]


def compare(layer: str, inventory: Inventory) -> pd.DataFrame:
    """aspect, first version, improved version, seen live (`none`, or `not deployed` of the whole layer): one row an improvement.

    Raises
    ------
    WorkbookError : nothing is told of this layer.
    """
    steps = [step for step in STEPS if step.layer == layer]
    if not steps:
        raise WorkbookError(
            f"There is no comparison for {layer!r}.", f"Layers: {', '.join(sorted({s.layer for s in STEPS}))}."
        )
    lacking = NONE if len(inventory[_CORE[layer]]) else NOT_THERE
    rows = [(s.aspect, s.first, s.improved, s.seen(inventory) or lacking) for s in steps]
    return pd.DataFrame(rows, columns=["aspect", "first version", "improved version", "seen live"])


def _zones(inventory: Inventory) -> str:
    return ", ".join(sorted(set(inventory["subnets"]["az"])))


def _tiers(inventory: Inventory) -> str:
    counts = inventory["subnets"]["tier"].value_counts()
    return ", ".join(f"{counts[tier]} {tier}" for tier in ("public", "private") if tier in counts)


def _nat(inventory: Inventory) -> str:
    nats, routes = inventory["nat_gateways"], inventory["routes"]
    using = routes[routes["target_type"] == "nat_gateway"]["route_table"].nunique()
    return f"{len(nats)} in {', '.join(nats['az'])}, the default route of {using} route tables" if len(nats) else ""


def _route_tables(inventory: Inventory) -> str:
    routes = inventory["routes"]
    used = routes[routes["subnets"].map(bool).astype(bool)]
    own, main = used[~used["main"].astype(bool)], used[used["main"].astype(bool)]
    parts = (
        [f"{own['route_table'].nunique()}, one for {len(set(map(tuple, own['subnets'])))} groups of subnets"]
        if len(own)
        else []
    )
    if len(main):
        parts.append(f"the VPC's main one for {_count(len(set(main['subnets'].explode())), 'subnet')}")
    return "; ".join(parts)


def _endpoints(inventory: Inventory) -> str:
    found = inventory["endpoints"]
    return "; ".join(f"{kind}: {', '.join(sorted(group['service']))}" for kind, group in found.groupby("type"))


def _acls(inventory: Inventory) -> str:
    entries = inventory["nacl_entries"]
    entries = entries[entries["rule_number"] < 32767]
    default = entries["is_default"].astype(bool)
    parts = [f"{name}: {len(group)} entries" for name, group in entries[~default].groupby("network_acl")]
    in_use = entries[default & entries["subnets"].map(bool).astype(bool)]
    parts += [f"the default one: {e.direction} {e.action} {e.ports}, {e.cidr}" for e in _rows(in_use)]
    return ", ".join(parts)


def _open_ingress(inventory: Inventory) -> str:
    rules = inventory["security_group_rules"]
    if not len(rules):
        return ""
    opened = rules[(rules["direction"] == "ingress") & rules["peer"].isin(["0.0.0.0/0", "::/0"])]
    where = ", ".join(f"{r.security_group} on {r.ports}" for r in _rows(opened)) or "none"
    return (
        f"open to the internet: {where}; {(rules['peer_type'] == 'security_group').sum()} rules name a security group"
    )


def _flow_logs(inventory: Inventory) -> str:
    logs = inventory["flow_logs"].merge(
        inventory["log_groups"], left_on="destination", right_on="name", how="left", suffixes=("", "_group")
    )
    return "; ".join(f"{r.traffic_type} to {r.destination}, {r.retention_days:.0f} days" for r in _rows(logs))


def _lifecycle(inventory: Inventory) -> str:
    return "; ".join(inventory["repository_lifecycle_rules"]["description"])


def _repository(column: str, words: Callable[[object], str] = str) -> Callable[[Inventory], str]:
    return lambda inventory: "; ".join(dict.fromkeys(words(value) for value in inventory["repositories"][column]))


def _repository_policy(inventory: Inventory) -> str:
    return "; ".join(
        f"{s.effect} {len(s.actions)} actions to {', '.join(_last(p) for p in s.principals)}"
        for s in _rows(inventory["repository_policy_statements"])
    )


def _roles(inventory: Inventory) -> str:
    services = sorted({_last(p).split(".")[0] for trusted in inventory["roles"]["trusted"] for p in trusted})
    return f"{_count(len(inventory['roles']), 'role')}, trusted by {', '.join(services)}" if services else ""


def _profiles(inventory: Inventory) -> str:
    return "; ".join(f"{p.name} carries {', '.join(p.roles)}" for p in _rows(inventory["instance_profiles"]))


def _boundaries(inventory: Inventory) -> str:
    roles = inventory["roles"]
    boundaries = sorted(set(roles["boundary"]) - {""})
    return f"{(roles['boundary'] != '').sum()} of {len(roles)} roles: {', '.join(boundaries)}" if boundaries else ""


def _wildcards(inventory: Inventory) -> str:
    statements = inventory["iam_statements"]
    allowed = statements[(statements["effect"] == "Allow") & (statements["kind"] != "boundary")]
    if not len(allowed):
        return ""
    stars = allowed[
        allowed["actions"].map(
            lambda actions: any(action in ("*", "iam:*") or action.endswith(":*") for action in actions)
        )
    ]
    return f"{len(allowed)} Allow statements, {len(stars)} with a wildcard for every action of a service"


def _conditions(inventory: Inventory) -> str:
    trust = inventory["role_trust_statements"]
    if not len(trust):
        return ""
    return f"{trust['conditions'].map(bool).sum()} of {_count(len(trust), 'trust statement')} {'has' if len(trust) == 1 else 'have'} a condition"


def _attachments(inventory: Inventory) -> str:
    counts = inventory["policies"]["managed_by"].value_counts()
    parts = [f"{counts[who]} managed by {whom}" for who, whom in (("customer", "us"), ("aws", "AWS")) if who in counts]
    inline = sum(map(len, inventory["roles"]["inline_policies"]))
    return ", ".join([*parts, *([f"{inline} inline"] if inline else [])])


def _bucket(column: str) -> Callable[[Inventory], str]:
    return lambda inventory: "; ".join(
        f"{value or 'no'}: {count} of {len(inventory['buckets'])} buckets"
        for value, count in sorted(Counter(inventory["buckets"][column]).items())
    )


def _public_block(inventory: Inventory) -> str:
    buckets = inventory["buckets"]
    flags = buckets[["block_public_acls", "ignore_public_acls", "block_public_policy", "restrict_public_buckets"]]
    return (
        f"all four settings on {int(flags.astype(bool).all(axis=1).sum())} of {len(buckets)} buckets"
        if len(buckets)
        else ""
    )


def _bucket_logs(inventory: Inventory) -> str:
    buckets = inventory["buckets"]
    return "; ".join(f"{b.name} to {b.logging_bucket}" for b in _rows(buckets[buckets["logging_bucket"] != ""]))


def _bucket_policies(inventory: Inventory) -> str:
    statements = inventory["bucket_policy_statements"]
    return (
        f"{(statements['effect'] == 'Deny').sum()} Deny statements: {', '.join(sorted(set(statements.loc[statements['effect'] == 'Deny', 'sid'])))}"
        if len(statements)
        else ""
    )


def _replication(inventory: Inventory) -> str:
    return "; ".join(f"{r.bucket} to {r.destination}" for r in _rows(inventory["bucket_replication_rules"]))


def _bucket_lifecycle(inventory: Inventory) -> str:
    return ", ".join(sorted(set(inventory["bucket_lifecycle_rules"]["rule"])))


def _where_tasks_run(inventory: Inventory) -> str:
    tiers = dict(zip(inventory["subnets"]["name"], inventory["subnets"]["tier"], strict=True))
    return "; ".join(
        f"{len(s.subnets)} {'/'.join(sorted({tiers.get(n, 'unknown') for n in s.subnets}))} subnets, public address: {'yes' if s.public_ip else 'no'}"
        for s in _rows(inventory["services"])
    )


def _entrance(inventory: Inventory) -> str:
    return "; ".join(
        f"{b.name} ({b.scheme}), logs to {b.access_logs or 'nowhere'}, invalid headers {'dropped' if b.drop_invalid_headers else 'passed on'}"
        for b in _rows(inventory["load_balancers"])
    )


def _task_roles(inventory: Inventory) -> str:
    return "; ".join(
        f"execution: {t.execution_role}, task: {t.task_role}" for t in _rows(inventory["task_definitions"])
    )


def _hardening(inventory: Inventory) -> str:
    return "; ".join(
        f"{c.name}: user {c.user or 'of the image'}, root file system {'read-only' if c.read_only_root else 'writable'}"
        for c in _rows(inventory["containers"])
    )


def _deployment(inventory: Inventory) -> str:
    return "; ".join(
        f"circuit breaker {'on' if s.circuit_breaker else 'off'}, rollback {'on' if s.rollback else 'off'}"
        for s in _rows(inventory["services"])
    )


def _scaling(inventory: Inventory) -> str:
    return "; ".join(
        f"{a.minimum} to {a.maximum} tasks, {a.metric} at {a.target_value:.0f} %"
        for a in _rows(inventory["autoscaling"])
    )


def _rows(frame: pd.DataFrame) -> list[Any]:
    """Rows as tuples with names; Any, since the columns are what the schema says."""
    return list(frame.itertuples(index=False))


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _last(principal: str) -> str:
    return principal.rsplit("/", 1)[-1].split(": ", 1)[-1]


def _steps(layer: str, rows: Iterable[tuple[str, str, str, Callable[[Inventory], str]]]) -> list[Step]:
    return [Step(layer, *row) for row in rows]


STEPS: tuple[Step, ...] = (
    *_steps("vpc", [
        ("Availability", "one Availability Zone", "three Availability Zones", _zones),
        ("Subnets", "simple subnet configuration", "public and private tiers", _tiers),
        ("Way out", "none for private subnets", "NAT gateway", _nat),
        ("Route tables", "one for all", "one for each tier, and each zone where it is private", _route_tables),
        ("Way to AWS services", "no endpoints: through the internet", "VPC endpoints, each with a policy", _endpoints),
        ("Subnet firewall", "default network ACL, all open", "a network ACL for each tier", _acls),
        ("Instance firewall", "basic security groups", "security groups that name their source", _open_ingress),
        ("Traffic record", "none", "flow logs of all traffic", _flow_logs),
    ]),
    *_steps("ecr", [
        ("Cleaning up", "no lifecycle policy", "lifecycle policy", _lifecycle),
        ("Tags", "mutable: v1 may change under you", "immutable", _repository("tag_mutability")),
        ("Vulnerabilities", "no scanning", "scan on push", _repository("scan_on_push", lambda on: "scan on push" if on else "no scan")),
        ("At rest", "AWS's default", "encryption stated in code", _repository("encryption")),
        ("Access", "whoever has IAM rights in the account", "repository policy", _repository_policy),
    ]),
    *_steps("iam", [
        ("Roles", "one basic service role", "a role for each service", _roles),
        ("EC2", "simple instance profile", "instance profile with a bounded role", _profiles),
        ("Permissions", "broad policy", "named actions on named resources", _wildcards),
        ("Policies", "limited attachments", "managed policies, ours and AWS's", _attachments),
        ("Ceiling", "no permission boundary", "permission boundary", _boundaries),
        ("Confused deputy", "any caller of the service", "source account or source ARN in the trust", _conditions),
    ]),
    *_steps("s3", [
        ("At rest", "S3's default, silently", "encryption stated in code", _bucket("encryption")),
        ("Overwriting", "the old object is gone", "versioning", _bucket("versioning")),
        ("Public access", "one wrong ACL away", "blocked", _public_block),
        ("ACLs", "on", "off: bucket owner enforced", _bucket("ownership")),
        ("Policy", "none", "TLS only, VPC endpoint only", _bucket_policies),
        ("Access record", "none", "server access logs in a bucket of their own", _bucket_logs),
        ("Loss of the region", "loss of the data", "replication to a second region", _replication),
        ("Age", "kept for ever at full price", "lifecycle rules", _bucket_lifecycle),
    ]),
    *_steps("ecs", [
        ("Place", "tasks in public subnets", "tasks in private subnets", _where_tasks_run),
        ("Entrance", "straight to the task", "load balancer", _entrance),
        ("Roles", "one role for everything", "execution and task role apart", _task_roles),
        ("Container", "root, writable", "no root, read-only root file system", _hardening),
        ("Bad release", "stays", "circuit breaker rolls back", _deployment),
        ("Load", "fixed number of tasks", "autoscaling", _scaling),
    ]),
)  # fmt: skip
