"""The buckets: who can access the data, by which path, and where its logs and copies go."""

from diagrams.aws.network import ElbApplicationLoadBalancer, Endpoint
from diagrams.aws.security import IdentityAndAccessManagementIamRole
from diagrams.aws.storage import SimpleStorageServiceS3BucketWithObjects

from workbook.access.grants import endpoint_flows, role_flows
from workbook.diagram.canvas import Picture
from workbook.network.flows import Key, record_flows

DRAWS = ("buckets",)
SOURCES = {
    "roles": (IdentityAndAccessManagementIamRole, "Roles"),
    "endpoints": (Endpoint, "VPC endpoints"),
    "load_balancers": (ElbApplicationLoadBalancer, "Load balancer"),
}


def draw(inventory):
    allowed = [flow for flow in [*role_flows(inventory), *endpoint_flows(inventory)] if flow.target.table == "buckets"]
    written = [flow for flow in record_flows(inventory) if flow.target.table == "buckets"]
    with Picture("Buckets", inventory, direction="row", gap=100) as picture:
        with picture.column(gap=24):
            sources(picture, [flow.source for flow in [*allowed, *written]])
        buckets = inventory.rows("buckets")
        for region in sorted({bucket.region for bucket in buckets}, key=lambda name: (name != picture.region, name)):
            with picture.box("region", f"Region {region}", gap=60):
                for bucket in inventory.rows("buckets", region=region):
                    key = Key.of("buckets", bucket)
                    picture.card(
                        SimpleStorageServiceS3BucketWithObjects,
                        key,
                        picture.short(key.name),
                        *settings(inventory, bucket),
                    )
        for flow in allowed:
            picture.flow(flow, "policy")
        for flow in written:
            picture.flow(flow, "record")
    return picture


def sources(picture, keys):
    for table, (icon, title) in SOURCES.items():
        found = [key for key in dict.fromkeys(keys) if key.table == table]
        if found:
            with picture.box("group", title, gap=20):
                for key in found:
                    picture.card(icon, key, picture.short(key.name))


def settings(inventory, bucket):
    columns = ("block_public_acls", "ignore_public_acls", "block_public_policy", "restrict_public_buckets")
    return [
        f"encrypted with {bucket.encryption}" if bucket.encryption else "not encrypted by default",
        f"versioning {bucket.versioning.lower() or 'off'}",
        "public access blocked" if all(getattr(bucket, column) for column in columns) else "public access not blocked",
        *(
            f"policy: {row.sid}"
            for row in inventory.rows("bucket_policy_statements", bucket=bucket.name, effect="Deny")
        ),
    ]
