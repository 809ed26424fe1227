"""The layer `iam`: what its page asks, how it improves on the first version, what it costs."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from workbook.layers.record import Layer, Step, count, last

if TYPE_CHECKING:
    from workbook.inventory import Inventory


def _roles(inventory: Inventory) -> str:
    services = sorted({last(p).split(".")[0] for role in inventory.rows("roles") for p in role.trusted})
    return f"{count(len(inventory.rows('roles')), 'role')}, trusted by {', '.join(services)}" if services else ""


def _profiles(inventory: Inventory) -> str:
    return "; ".join(f"{p.name} has {', '.join(p.roles)}" for p in inventory.rows("instance_profiles"))


def _boundaries(inventory: Inventory) -> str:
    roles = inventory.rows("roles")
    bounded = [role.boundary for role in roles if role.boundary]
    return f"{len(bounded)} of {len(roles)} roles: {', '.join(sorted(set(bounded)))}" if bounded else ""


def _wildcards(inventory: Inventory) -> str:
    allowed = [s for s in inventory.rows("iam_statements", effect="Allow") if s.kind != "boundary"]
    if not allowed:
        return ""
    stars = [s for s in allowed if any(action in ("*", "iam:*") or action.endswith(":*") for action in s.actions)]
    return f"{len(allowed)} Allow statements, {len(stars)} with a wildcard for every action of a service"


def _conditions(inventory: Inventory) -> str:
    trust = inventory.rows("role_trust_statements")
    if not trust:
        return ""
    return f"{sum(bool(s.conditions) for s in trust)} of {count(len(trust), 'trust statement')} {'has' if len(trust) == 1 else 'have'} a condition"


def _attachments(inventory: Inventory) -> str:
    counts = Counter(policy.managed_by for policy in inventory.rows("policies"))
    parts = [f"{counts[who]} managed by {whom}" for who, whom in (("customer", "us"), ("aws", "AWS")) if who in counts]
    inline = sum(len(role.inline_policies) for role in inventory.rows("roles"))
    return ", ".join([*parts, *([f"{inline} inline"] if inline else [])])


LAYER = Layer(
    key="iam",
    order=3,
    title="Identity",
    question="“No wildcards.” Really?",
    core_table="roles",
    steps=(
        Step("Roles", "one basic service role", "a role for each service", _roles),
        Step("EC2", "simple instance profile", "instance profile with a bounded role", _profiles),
        Step("Permissions", "broad policy", "named actions on named resources", _wildcards),
        Step("Policies", "limited attachments", "managed policies, ours and AWS's", _attachments),
        Step("Ceiling", "no permissions boundary", "permissions boundary", _boundaries),
        Step("Confused deputy", "any caller of the service", "source account or source ARN in the trust", _conditions),
    ),
    usage=lambda inventory: "nothing: IAM is free.",
)
