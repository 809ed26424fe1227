"""A registry keeps its pull-through cache rules.

moto lacks CreatePullThroughCacheRule, DescribePullThroughCacheRules and DeletePullThroughCacheRule, so
`aws_ecr_pull_through_cache_rule` cannot be created. AWS keeps one rule per repository prefix. Nothing is pulled here.

Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreatePullThroughCacheRule.html
"""

from __future__ import annotations

from typing import Any

from workbook.emulator.patches import override

SERVICE = "ecr"

_FIELDS = (
    "ecrRepositoryPrefix",
    "upstreamRegistryUrl",
    "upstreamRegistry",
    "credentialArn",
    "customRoleArn",
    "upstreamRepositoryPrefix",
)


def apply() -> None:
    from moto.core.exceptions import ServiceException
    from moto.core.responses import ActionResult
    from moto.core.utils import utcnow
    from moto.ecr.responses import ECRResponse

    class RuleError(ServiceException):
        """moto derives the service, and so the protocol of an error, from the module of its class."""

        __module__ = "moto.ecr.exceptions"

    def rules(self: Any) -> dict[str, dict[str, Any]]:
        kept: dict[str, dict[str, Any]] = self.ecr_backend.__dict__.setdefault("pull_through_cache_rules", {})
        return kept

    def missing(prefix: str) -> RuleError:
        return RuleError(
            "PullThroughCacheRuleNotFoundException", f"No pull through cache rule has the prefix '{prefix}'."
        )

    def create_pull_through_cache_rule(self: Any) -> ActionResult:
        prefix = self._get_param("ecrRepositoryPrefix")
        if prefix in rules(self):
            raise RuleError("PullThroughCacheRuleAlreadyExistsException", f"A rule has the prefix '{prefix}' already.")
        fields = (
            "ecrRepositoryPrefix",
            "upstreamRegistryUrl",
            "upstreamRegistry",
            "credentialArn",
            "customRoleArn",
            "upstreamRepositoryPrefix",
        )
        rule = {field: self._get_param(field) for field in fields if self._get_param(field)}
        rules(self)[prefix] = {**rule, "createdAt": utcnow(), "updatedAt": utcnow(), "registryId": self.current_account}
        return ActionResult(rules(self)[prefix])

    def describe_pull_through_cache_rules(self: Any) -> ActionResult:
        asked = self._get_param("ecrRepositoryPrefixes") or list(rules(self))
        for prefix in asked:
            if prefix not in rules(self):
                raise missing(prefix)
        return ActionResult({"pullThroughCacheRules": [rules(self)[prefix] for prefix in asked]})

    def delete_pull_through_cache_rule(self: Any) -> ActionResult:
        prefix = self._get_param("ecrRepositoryPrefix")
        if prefix not in rules(self):
            raise missing(prefix)
        return ActionResult(rules(self).pop(prefix))

    for function in (create_pull_through_cache_rule, describe_pull_through_cache_rules, delete_pull_through_cache_rule):
        override(ECRResponse, **{function.__name__: function})
