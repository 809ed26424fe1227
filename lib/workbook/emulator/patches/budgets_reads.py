"""A budget's tags and the subscribers of its notifications can be read.

moto lacks ListTagsForResource, TagResource, UntagResource and DescribeSubscribersForNotification, so
`aws_budgets_budget` cannot be read after it is created. AWS returns what was set.

Source:
https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_DescribeSubscribersForNotification.html
"""

from __future__ import annotations

import json
from typing import Any

from workbook.emulator.patches import override

SERVICE = "budgets"


def apply() -> None:
    from moto.budgets.exceptions import NotFoundException
    from moto.budgets.responses import BudgetsResponse

    create = BudgetsResponse.create_budget

    def tags(self: Any) -> dict[str, str]:
        name = str(self._get_param("ResourceARN")).rsplit("/", 1)[-1]
        if name not in self.backend.budgets[self.current_account]:
            raise NotFoundException(f"Unable to get budget: {name} - the budget doesn't exist.")
        kept: dict[str, str] = self.backend.budgets[self.current_account][name].__dict__.setdefault("tags", {})
        return kept

    def create_budget(self: Any) -> str:
        answer = create(self)
        name = self._get_param("Budget")["BudgetName"]
        budget = self.backend.budgets[self._get_param("AccountId")][name]
        budget.tags = {each["Key"]: each["Value"] for each in self._get_param("ResourceTags") or []}
        return answer

    def list_tags_for_resource(self: Any) -> str:
        return json.dumps({"ResourceTags": [{"Key": key, "Value": value} for key, value in tags(self).items()]})

    def tag_resource(self: Any) -> str:
        tags(self).update({each["Key"]: each["Value"] for each in self._get_param("ResourceTags")})
        return json.dumps({})

    def untag_resource(self: Any) -> str:
        for key in self._get_param("ResourceTagKeys"):
            tags(self).pop(key, None)
        return json.dumps({})

    def describe_subscribers_for_notification(self: Any) -> str:
        budget = self.backend.budgets[self._get_param("AccountId")].get(self._get_param("BudgetName"))
        for notification in budget.notifications if budget else []:
            if notification.details == self._get_param("Notification"):
                return json.dumps({"Subscribers": notification.subscribers})
        raise NotFoundException("Unable to get subscribers - the notification doesn't exist.")

    for function in (
        create_budget,
        list_tags_for_resource,
        tag_resource,
        untag_resource,
        describe_subscribers_for_notification,
    ):
        override(BudgetsResponse, **{function.__name__: function})
