"""Identities: which service may assume a role, what its policies allow, and the boundary no policy can exceed."""

from diagrams.aws.general import GenericSDK
from diagrams.aws.security import IdentityAndAccessManagementIamPermissions, IdentityAndAccessManagementIamRole

from workbook.access.grants import statement_summary
from workbook.diagram.canvas import Picture
from workbook.network.flows import Flow, Key

DRAWS = ("roles", "policies")


def draw(inventory):
    roles = inventory.rows("roles")
    with Picture("Identities", inventory, direction="row", gap=70) as picture:
        with picture.column(gap=20):
            for principal in dict.fromkeys(principal for role in roles for principal in role.trusted):
                picture.card(GenericSDK, Key("generic", principal), principal.split(": ", 1)[-1])
        with picture.column(gap=30):
            for arn in dict.fromkeys(role.boundary_arn for role in roles):
                bounded(picture, [role for role in roles if role.boundary_arn == arn])
        with picture.column(gap=20):
            for role in roles:
                policies(picture, inventory, role)
        for role in roles:
            key = Key("roles", role.name)
            for principal in role.trusted:
                picture.flow(Flow(Key("generic", principal), key, ""), "trust")
            for policy in policy_keys(role):
                picture.flow(Flow(key, policy, ""), "policy")
    return picture


def bounded(picture, roles):
    """The roles inside their boundary; those without one are in a box that says so."""
    boundary, arn = roles[0].boundary, roles[0].boundary_arn
    title, of = ("Permissions boundary", Key("policies", arn, boundary)) if arn else ("No permissions boundary", None)
    with picture.box("boundary" if arn else "group", title, picture.short(boundary or ""), of=of, gap=16):
        for role in roles:
            only = [f"only if {condition.split(' ', 1)[0]}" for condition in role.trust_conditions]
            profiles = [f"instance profile {picture.short(name)}" for name in role.instance_profiles]
            title = picture.short(role.name)
            picture.card(IdentityAndAccessManagementIamRole, Key("roles", role.name), title, *only, *profiles)


def policies(picture, inventory, role):
    """The policies of a role that are not drawn yet; what each allows is the same for every role."""
    statements = [row for row in inventory.rows("iam_statements") if role.name in row.roles]
    aws = {policy.policy_arn for policy in inventory.rows("policies", managed_by="aws")}
    for key in policy_keys(role):
        if picture.draws(key):
            continue
        if key.table == "policies":
            kind = "managed by AWS" if key.id in aws else ""
            name, says = key.name, [row for row in statements if row.policy_arn == key.id]
        else:
            name, kind = key.name.removeprefix(f"{role.name}/"), "inline"
            says = [row for row in statements if row.kind == "inline" and row.policy == name]
        picture.card(
            IdentityAndAccessManagementIamPermissions, key, picture.short(name), kind, *statement_summary(says)
        )


def policy_keys(role):
    attached = zip(role.attached_policy_arns, role.attached_policies, strict=True)
    inline = [Key("inline policies", f"{role.name}/{name}") for name in role.inline_policies]
    return [*(Key("policies", arn, name) for arn, name in attached), *inline]
