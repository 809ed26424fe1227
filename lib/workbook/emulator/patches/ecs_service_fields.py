"""An ECS service reads back with everything it was created with.

moto's CreateService drops the capacity provider strategy (and reports launch type EC2), the deployment configuration
with its circuit breaker, the health check grace period, Availability Zone rebalancing, execute-command and managed
tags, and has no default platform version; UpdateService keeps what it is given. AWS returns all of them from
DescribeServices.

Source: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Service.html
"""

from __future__ import annotations

from typing import Any

from workbook.emulator.patches import override

SERVICE = "ecs"

# Parameter of CreateService -> attribute of moto's service, and AWS's default.
_FIELDS: dict[str, tuple[str, Any]] = {
    "deploymentConfiguration": ("deployment_configuration", {}),
    "healthCheckGracePeriodSeconds": ("health_check_grace_period_seconds", 0),
    "availabilityZoneRebalancing": ("availability_zone_rebalancing", "DISABLED"),
    "enableExecuteCommand": ("enable_execute_command", False),
    "enableECSManagedTags": ("enable_ecs_managed_tags", False),
    "placementConstraints": ("placement_constraints", []),
    "placementStrategy": ("placement_strategy", []),
}


def apply() -> None:
    from moto.core.responses import ActionResult
    from moto.ecs.responses import EC2ContainerServiceResponse

    original = EC2ContainerServiceResponse.create_service

    def create_service(self: Any) -> Any:
        answer = original(self)
        assert isinstance(answer.result, dict)
        service = answer.result["service"]
        for parameter, (attribute, default) in _FIELDS.items():
            given = self._get_param(parameter)
            setattr(service, attribute, default if given is None else given)
        service.deployment_configuration = {
            "maximumPercent": 200,
            "minimumHealthyPercent": 100,
            **service.deployment_configuration,
        }
        strategy = self._get_param("capacityProviderStrategy")
        if not strategy and not self._get_param("launchType"):
            strategy = self.ecs_backend._get_cluster(
                self._get_param("cluster", "default")
            ).default_capacity_provider_strategy
        if strategy:
            service.capacity_provider_strategy = strategy
            service.launch_type = None
            for deployment in service.deployments:
                deployment["launchType"] = None
                deployment["capacityProviderStrategy"] = strategy
        if service.platform_version is None and service.launch_type != "EC2":
            service.platform_version = "LATEST"
        return ActionResult({"service": service})

    override(EC2ContainerServiceResponse, create_service=create_service)
