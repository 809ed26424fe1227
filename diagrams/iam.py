"""Identities: which service may assume a role, what its policies allow, and the boundary no policy can exceed."""

from diagrams.aws.general import GenericSDK
from diagrams.aws.security import IdentityAndAccessManagementIamPermissions, IdentityAndAccessManagementIamRole

from workbook.diagram.canvas import Picture
from workbook.network.flows import Flow, Key, rows, statement_summary

DRAWS = ("roles", "policies")


def draw(inventory):
    roles = rows(inventory, "roles")
    with Picture("Identities", inventory, direction="row", gap=70) as picture:
        with picture.column(gap=20):
            for principal in dict.fromkeys(principal for role in roles for principal in role["trusted"]):
                picture.card(GenericSDK, Key("generic", principal), principal.split(": ", 1)[-1])
        with picture.column(gap=30):
            for boundary in dict.fromkeys(role["boundary"] for role in roles):
                bounded(picture, boundary, [role for role in roles if role["boundary"] == boundary])
        with picture.column(gap=20):
            for role in roles:
                policies(picture, inventory, role)
        for role in roles:
            key = Key("roles", role["name"])
            for principal in role["trusted"]:
                picture.flow(Flow(Key("generic", principal), key, ""), "trust")
            for policy in policy_keys(role):
                picture.flow(Flow(key, policy, ""), "policy")
    return picture


def bounded(picture, boundary, roles):
    """The roles inside their boundary; those without one are in a box that says so."""
    title, of = ("Permission boundary", Key("policies", boundary)) if boundary else ("No permission boundary", None)
    with picture.box("boundary" if boundary else "group", title, picture.short(boundary), of=of, gap=16):
        for role in roles:
            only = [f"only if {condition.split(' ', 1)[0]}" for condition in role["trust_conditions"]]
            profiles = [f"instance profile {picture.short(name)}" for name in role["instance_profiles"]]
            title = picture.short(role["name"])
            picture.card(IdentityAndAccessManagementIamRole, Key("roles", role["name"]), title, *only, *profiles)


def policies(picture, inventory, role):
    aws = {policy["name"] for policy in rows(inventory, "policies", managed_by="aws")}
    for key in policy_keys(role):
        if not picture.draws(key):
            name = key.name.rsplit("/", 1)[-1]
            kind = "inline" if key.table != "policies" else "managed by AWS" if name in aws else ""
            allows = statement_summary(inventory, name, role["name"])
            picture.card(IdentityAndAccessManagementIamPermissions, key, picture.short(name), kind, *allows)


def policy_keys(role):
    inline = [Key("inline policies", f"{role['name']}/{name}") for name in role["inline_policies"]]
    return [*(Key("policies", name) for name in role["attached_policies"]), *inline]
