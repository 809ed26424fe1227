"""Ways to take the bucket away from the task, on the live side, and to give it back."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any


def deny_list(s3: Any, bucket: str, principal_arn: str) -> Callable[[], None]:
    """Add a statement to the bucket policy that denies `principal_arn` the list of the bucket.

    The statement has no condition, so the embedded AWS enforces it as AWS does. Calling what is returned puts back the
    policy as it was.
    """
    before = s3.get_bucket_policy(Bucket=bucket)["Policy"]
    policy = json.loads(before)
    policy["Statement"].append(
        {
            "Sid": "DrillDenyList",
            "Effect": "Deny",
            "Principal": {"AWS": principal_arn},
            "Action": "s3:ListBucket",
            "Resource": f"arn:aws:s3:::{bucket}",
        }
    )
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))

    def undo() -> None:
        s3.put_bucket_policy(Bucket=bucket, Policy=before)

    return undo


def delete_bucket(s3: Any, bucket: str) -> None:
    """Delete the bucket with every version in it. Terraform brings it back, empty."""
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for version in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
    s3.delete_bucket(Bucket=bucket)
