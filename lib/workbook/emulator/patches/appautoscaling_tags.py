"""Application Auto Scaling keeps the tags of a scalable target.

moto lacks ListTagsForResource, TagResource and UntagResource and drops the tags given to RegisterScalableTarget, so
`aws_appautoscaling_target` cannot be read. AWS stores tags by the target's ARN and deletes them with the target.

Source: https://docs.aws.amazon.com/autoscaling/application/APIReference/API_ListTagsForResource.html
"""

from __future__ import annotations

import json
from typing import Any

from workbook.emulator.patches import override

SERVICE = "applicationautoscaling"


def apply() -> None:
    from moto.applicationautoscaling.exceptions import AWSValidationException
    from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse

    register = ApplicationAutoScalingResponse.register_scalable_target

    def tags_of(self: Any, arn: str) -> dict[str, str]:
        for targets in self.applicationautoscaling_backend.targets.values():
            for target in targets.values():
                if target.arn == arn:
                    if not hasattr(target, "tags"):
                        target.tags = {}
                    found: dict[str, str] = target.tags
                    return found
        error = AWSValidationException(f"No scalable target found for {arn}")
        error.error_type = "ResourceNotFoundException"
        error.description = json.dumps({"__type": error.error_type, "message": error.message})
        raise error

    def register_scalable_target(self: Any) -> str:
        answer = register(self)
        tags_of(self, json.loads(answer)["ScalableTargetARN"]).update(self._get_param("Tags") or {})
        return answer

    def list_tags_for_resource(self: Any) -> str:
        return json.dumps({"Tags": tags_of(self, self._get_param("ResourceARN"))})

    def tag_resource(self: Any) -> str:
        tags_of(self, self._get_param("ResourceARN")).update(self._get_param("Tags"))
        return json.dumps({})

    def untag_resource(self: Any) -> str:
        tags = tags_of(self, self._get_param("ResourceARN"))
        for key in self._get_param("TagKeys"):
            tags.pop(key, None)
        return json.dumps({})

    for function in (register_scalable_target, list_tags_for_resource, tag_resource, untag_resource):
        override(ApplicationAutoScalingResponse, **{function.__name__: function})
