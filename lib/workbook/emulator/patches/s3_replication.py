"""A replication rule reads back as it was written.

moto keeps the rule but answers GetBucketReplication with `DeleteMarkerReplication: Disabled` and an empty prefix
regardless, so Terraform sees a change on every plan. AWS returns the rule.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketReplication.html
"""

from __future__ import annotations

from typing import Any

from workbook.emulator.patches import override

SERVICE = "s3"


def apply() -> None:
    from moto.core.responses import ActionResult
    from moto.s3.exceptions import ReplicationConfigurationNotFoundError
    from moto.s3.responses import S3Response

    def get_bucket_replication(self: Any) -> Any:
        self.data["Action"] = "GetBucketReplication"
        replication = self.backend.get_bucket_replication(self.bucket_name)
        if not replication:
            raise ReplicationConfigurationNotFoundError(bucket_name=self.bucket_name)
        rules = [_rule(rule) for rule in replication["Rule"]]
        return self.serialized(
            ActionResult({"ReplicationConfiguration": {"Role": replication["Role"], "Rules": rules}})
        )

    override(S3Response, get_bucket_replication=get_bucket_replication)


def _rule(written: dict[str, Any]) -> dict[str, Any]:
    """A rule in the shape of botocore's model, from parsed XML: there numbers are strings, and one tag is not a list."""
    rule = {name: value for name, value in written.items() if not name.startswith("@")}
    if rule.get("Priority") is not None:
        rule["Priority"] = int(rule["Priority"])
    if "Filter" in rule or "Prefix" not in rule:
        rule["Filter"] = _filter(rule.get("Filter") or {})
    destination = dict(rule["Destination"])
    for option, minutes in (("ReplicationTime", "Time"), ("Metrics", "EventThreshold")):
        if option in destination and minutes in destination[option]:
            destination[option] = {
                **destination[option],
                minutes: {"Minutes": int(destination[option][minutes]["Minutes"])},
            }
    rule["Destination"] = destination
    return rule


def _filter(written: dict[str, Any]) -> dict[str, Any]:
    if "And" in written:
        both = written["And"]
        tags = both.get("Tag", [])
        return {"And": {"Prefix": both.get("Prefix") or "", "Tags": tags if isinstance(tags, list) else [tags]}}
    if "Tag" in written:
        return {"Tag": written["Tag"]}
    return {"Prefix": written.get("Prefix") or ""}
