"""A question of the access proofs: who asks, for what, under which circumstances."""

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
    principal : name or ARN of a role; another ARN; a service such as `logging.s3.amazonaws.com`; `anonymous`; `deployer` (the operator that the
        bucket policies name).
    action : such as `s3:GetObject`.
    resource : an ARN, or a name of the inventory (`data/report.csv` is an object in the data bucket); `*` for actions without one.
    via_endpoint : whether it comes through the VPC's endpoint for the service; or the endpoint's service, such as `ecr.dkr`.
    tls : whether it comes over HTTPS.
    administrator : whether a principal whose policies the inventory does not hold is known to be allowed everything by them.
    source_account, source_arn : for whom a service asks.
    resource_account : owner of the bucket; of those in the inventory it is this account, unless one asks what if it were another.
    region : where it is sent; without it the resource's own.
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
    """A request that is outside of what can be decided; its text says why."""
