"""A service whose desired count is outside the limits of its scalable target is brought within them.

moto stores the limits and leaves the service alone. AWS scales when a target is registered or its limits are changed:
out to the new minimum, in to the new maximum.

Source: https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-scaling-activities.html
"""

from __future__ import annotations

from typing import Any

from workbook.emulator.patches import override
from workbook.emulator.patches.ecs_service_tasks import settle

SERVICE = "applicationautoscaling"
DIMENSION = "ecs:service:DesiredCount"


def apply() -> None:
    from moto.applicationautoscaling.models import ApplicationAutoscalingBackend

    register = ApplicationAutoscalingBackend.register_scalable_target

    def register_scalable_target(self: Any, *args: Any, **kwargs: Any) -> Any:
        target = register(self, *args, **kwargs)
        if target.scalable_dimension == DIMENSION:
            _, cluster, name = target.resource_id.split("/")
            (service,) = self.ecs_backend.describe_services(cluster, [name])[0]
            within = min(max(service.desired_count, target.min_capacity), target.max_capacity)
            if within != service.desired_count:
                service.desired_count = within
                settle(self.ecs_backend, service)
        return target

    override(ApplicationAutoscalingBackend, register_scalable_target=register_scalable_target)
