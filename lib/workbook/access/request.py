"""A question of the access proofs: who asks for what, under which circumstances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

ANONYMOUS = "anonymous"
DEPLOYER = "deployer"


@dataclass(frozen=True)
class Request:
    """One question.

    Attributes
    ----------
    principal : name or ARN of a role; another ARN; a service such as `logging.s3.amazonaws.com`; `anonymous`;
        `deployer` (the operator named in the bucket policies).
    action : such as `s3:GetObject`.
    resource : an ARN or a name in the inventory (`data/report.csv` is an object in the data bucket); `*` for actions
        without a resource.
    via_endpoint : whether it comes through the VPC's endpoint for the service; or the endpoint's service, such as
        `ecr.dkr`.
    tls : whether it comes over HTTPS.
    administrator : whether a principal whose policies are not in the inventory is known to be allowed everything by
        them.
    source_account, source_arn : on whose behalf a service asks.
    resource_account : owner of the bucket; for buckets in the inventory this account, unless the question is a what-if.
    region : where the request is sent; by default the resource's own region.
    context : further condition keys and their values.
    """

    principal: str
    action: str
    resource: str = "*"
    via_endpoint: bool | str = False
    tls: bool = True
    administrator: bool = False
    source_account: str = ""
    source_arn: str = ""
    resource_account: str = ""
    region: str = ""
    context: Mapping[str, str] = field(default_factory=dict)


class Undecidable(Exception):
    """A request that cannot be decided; its text says why."""
