"""The layer `iam`: what its page asks, how it improves on the first version, what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbook.layers.record import Layer, Step, count, last, rows

if TYPE_CHECKING:
    from workbook.inventory import Inventory


def _roles(inventory: Inventory) -> str:
    services = sorted({last(p).split(".")[0] for trusted in inventory["roles"]["trusted"] for p in trusted})
    return f"{count(len(inventory['roles']), 'role')}, trusted by {', '.join(services)}" if services else ""


def _profiles(inventory: Inventory) -> str:
    return "; ".join(f"{p.name} carries {', '.join(p.roles)}" for p in rows(inventory["instance_profiles"]))


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
    return f"{trust['conditions'].map(bool).sum()} of {count(len(trust), 'trust statement')} {'has' if len(trust) == 1 else 'have'} a condition"


def _attachments(inventory: Inventory) -> str:
    counts = inventory["policies"]["managed_by"].value_counts()
    parts = [f"{counts[who]} managed by {whom}" for who, whom in (("customer", "us"), ("aws", "AWS")) if who in counts]
    inline = sum(map(len, inventory["roles"]["inline_policies"]))
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
        Step("Ceiling", "no permission boundary", "permission boundary", _boundaries),
        Step("Confused deputy", "any caller of the service", "source account or source ARN in the trust", _conditions),
    ),
    usage=lambda inventory: "nothing: IAM is free.",
)
