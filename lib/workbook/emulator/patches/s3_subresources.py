"""Writing or deleting a bucket subresource that moto does not know leaves the bucket itself alone.

moto mistakes a PUT or DELETE with an unknown subresource for CreateBucket or DeleteBucket: `DELETE /bucket?analytics`
deletes the bucket if it is empty. AWS acts on the subresource only. With this patch such a request is rejected.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketAnalyticsConfiguration.html
"""

from __future__ import annotations

from typing import Any

from workbook.emulator.patches import override

SERVICE = "s3"

UNKNOWN = frozenset({"analytics", "metrics", "requestPayment", "metadataConfiguration", "metadataTable", "abac"})


def apply() -> None:
    from moto.s3.responses import S3Response

    original = S3Response._bucket_response

    def bucket_response(self: Any, request: Any, full_url: str) -> Any:
        if request.method in ("PUT", "DELETE") and UNKNOWN.intersection(request.args):
            raise NotImplementedError
        return original(self, request, full_url)

    override(S3Response, _bucket_response=bucket_response)
