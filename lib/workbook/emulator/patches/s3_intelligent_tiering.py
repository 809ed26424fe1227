"""A bucket keeps its Intelligent-Tiering configurations.

moto mistakes PutBucketIntelligentTieringConfiguration for CreateBucket and DeleteBucketIntelligentTieringConfiguration
for DeleteBucket, and answers a GET with the list of objects. AWS keeps configurations by id.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketIntelligentTieringConfiguration.html
"""

from __future__ import annotations

import re
from typing import Any

from workbook.emulator.patches import override

SERVICE = "s3"

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


def apply() -> None:
    from moto.s3.exceptions import S3ClientError
    from moto.s3.responses import S3Response

    original = S3Response._bucket_response

    def bucket_response(self: Any, request: Any, full_url: str) -> Any:
        if "intelligent-tiering" not in request.args:
            return original(self, request, full_url)
        bucket = self.backend.get_bucket(self.parse_bucket_name_from_url(request, full_url))
        configurations: dict[str, str] = bucket.__dict__.setdefault("intelligent_tiering", {})
        name = request.args.get("id", "")
        if request.method == "PUT":
            body = self.body.decode() if isinstance(self.body, bytes) else self.body
            # Kept as the inner XML, and returned unchanged.
            configurations[name] = re.sub(
                r"^\s*(<\?xml[^>]*\?>)?\s*<IntelligentTieringConfiguration[^>]*>|</[^>]*>\s*$", "", body
            )
            return 200, {}, ""
        if request.method == "DELETE":
            configurations.pop(name, None)
            return 204, {}, ""
        if not name:
            each = "".join(
                f"<IntelligentTieringConfiguration>{inner}</IntelligentTieringConfiguration>"
                for inner in configurations.values()
            )
            tag = "ListBucketIntelligentTieringConfigurationsOutput"
            return 200, {}, f'<{tag} xmlns="{_NAMESPACE}"><IsTruncated>false</IsTruncated>{each}</{tag}>'
        if name not in configurations:
            raise S3ClientError("NoSuchConfiguration", "The specified configuration does not exist.")
        return (
            200,
            {},
            f'<IntelligentTieringConfiguration xmlns="{_NAMESPACE}">{configurations[name]}</IntelligentTieringConfiguration>',
        )

    override(S3Response, _bucket_response=bucket_response)
