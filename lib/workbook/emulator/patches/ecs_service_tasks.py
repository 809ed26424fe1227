"""A Fargate service has its desired number of tasks, each with an interface in its subnets, registered as a target.

moto starts no tasks for a service (running count 0, no targets) and lists tasks regardless of service or status; a task
started by hand gets an address outside its subnet. AWS keeps the desired number of tasks running, spread over the
subnets, registers their addresses with the target group, replaces a stopped task, and replaces all of them on a new
deployment.

No container runs: task, interface and target are records, and the target is healthy because moto reports every
registered target as healthy (`limits.py` tells the user). Container health stays UNKNOWN, since nothing is checked.

Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_services.html,
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTasks.html (RUNNING is the default status).
"""

from __future__ import annotations

import json
import threading
from types import SimpleNamespace
from typing import Any

from workbook.emulator.patches import override

SERVICE = "ecs"

PLATFORM_VERSION = "1.4.0"  # what LATEST stands for on Fargate

_lock = threading.RLock()


def apply() -> None:
    import moto.ecs.models
    from moto.ec2.models.elastic_network_interfaces import NetworkInterface
    from moto.ecs.models import EC2ContainerServiceBackend
    from moto.ecs.responses import EC2ContainerServiceResponse

    list_tasks_of = EC2ContainerServiceBackend.list_tasks
    stop = EC2ContainerServiceResponse.stop_task

    def then_settle(name: str) -> None:
        original = getattr(EC2ContainerServiceResponse, name)

        def call(self: Any) -> Any:
            with _lock:
                answer = original(self)
                settle(self.ecs_backend, answer.result["service"])
                return answer

        override(EC2ContainerServiceResponse, **{name: call})

    def stop_task(self: Any) -> Any:
        with _lock:
            answer = stop(self)
            assert isinstance(answer.result, dict)
            task = answer.result["task"]
            _release(self.ecs_backend, task)
            for service in list(self.ecs_backend.services.values()):
                if task.cluster_arn == service.cluster_arn and task.group == f"service:{service.name}":
                    settle(self.ecs_backend, service)
            return answer

    def list_tasks(
        self: Any,
        cluster_str: str | None = None,
        container_instance: str | None = None,
        family: str | None = None,
        started_by: str | None = None,
        service_name: str | None = None,
        desiredStatus: str | None = None,
    ) -> list[Any]:
        tasks = list_tasks_of(
            self, cluster_str, container_instance, family, started_by, None, desiredStatus or "RUNNING"
        )
        if service_name:
            tasks = [task for task in tasks if task.group == f"service:{service_name.rsplit('/', 1)[-1]}"]
        return tasks

    for name in ("create_service", "update_service", "delete_service"):
        then_settle(name)
    override(EC2ContainerServiceResponse, stop_task=stop_task)
    override(EC2ContainerServiceBackend, list_tasks=list_tasks)
    # If a VPC has no DNS host names, moto never sets this attribute and then fails reading it.
    override(NetworkInterface, private_dns_name=None)
    # Given no address, the interface takes one from its subnet.
    override(moto.ecs.models, random_private_ip=lambda: "")


def settle(backend: Any, service: Any) -> None:
    """Bring the tasks of a Fargate service to the desired state, and its counts in line with its tasks."""
    if not _on_fargate(service):
        return
    cluster = backend._get_cluster(service.cluster_name)
    definition = backend.describe_task_definition(service.task_definition)
    service.task_definition = definition.arn
    deployment = service.deployments[0]
    shape = json.dumps([definition.arn, service.network_configuration, service.load_balancers], sort_keys=True)
    running = _running(backend, cluster, f"service:{service.name}")
    current = [task for task in running if task.shape == shape and task.started_by == deployment["id"]]
    if running and not current and shape != running[0].shape:
        _renew(deployment, service)
    wanted = service.desired_count if service.status == "ACTIVE" else 0
    for task in [task for task in running if task not in current] + current[wanted:]:
        task.last_status = task.desired_status = "STOPPED"
        task.stopped_reason = f"Scaling activity initiated by deployment {deployment['id']}"
        _release(backend, task)
    for index in range(len(current), wanted):
        _launch(backend, cluster, service, definition, shape, index)
    _count(backend, cluster, service)


def _on_fargate(service: Any) -> bool:
    strategy = getattr(service, "capacity_provider_strategy", None) or []
    on_fargate = service.launch_type == "FARGATE" or any(
        each["capacityProvider"].startswith("FARGATE") for each in strategy
    )
    return on_fargate and bool(service.network_configuration) and bool(service.deployments)


def _running(backend: Any, cluster: Any, group: str | None = None) -> list[Any]:
    tasks = backend.tasks.get(cluster.name, {}).values()
    return [task for task in tasks if task.desired_status == "RUNNING" and group in (None, task.group)]


def _renew(deployment: dict[str, Any], service: Any) -> None:
    from moto.core.utils import utcnow
    from moto.moto_api._internal import mock_random

    deployment["id"] = f"ecs-svc/{mock_random.randint(0, 32**12)}"
    deployment["createdAt"] = utcnow()
    deployment["taskDefinition"] = service.task_definition
    deployment["networkConfiguration"] = service.network_configuration


def _launch(backend: Any, cluster: Any, service: Any, definition: Any, shape: str, index: int) -> None:
    from moto.core.utils import utcnow
    from moto.ec2.models import ec2_backends
    from moto.ecs.models import Container, Task

    network = service.network_configuration["awsvpcConfiguration"]
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    # Ordered by zone, so that the same service always has its tasks in the same zones.
    zones = sorted((ec2.get_subnet(each).availability_zone, each) for each in network["subnets"])
    zone, subnet = zones[index % len(zones)]
    strategy = getattr(service, "capacity_provider_strategy", None)
    task: Any = Task(
        cluster=cluster,
        task_definition=definition,
        container_instance_arn=None,
        resource_requirements=None,
        backend=backend,
        group=f"service:{service.name}",
        launch_type="FARGATE",
        started_by=service.deployments[0]["id"],
        tags=service.tags if service.propagate_tags == "SERVICE" else [],
        networking_configuration={"awsvpcConfiguration": {**network, "subnets": [subnet]}},
        platform_version=PLATFORM_VERSION,
        capacity_provider_name=strategy[0]["capacityProvider"] if strategy else None,
    )
    details = {each["name"]: each["value"] for each in task.attachments[0]["details"]}
    task.shape = shape
    # moto's tasks end when they are described; a service's task runs until it is stopped.
    task.advance = lambda: None
    task.availability_zone = zone
    task.connectivity = "CONNECTED"
    task.cpu, task.memory = definition.cpu, definition.memory
    task.created_at = task.started_at = utcnow()
    task.health_status = "UNKNOWN"
    task.containers = []
    for each in definition.container_definitions:
        # An abstract class in name only; it reads just these two attributes of its argument.
        container = Container(SimpleNamespace(arn=task.task_arn, container_definitions=[each]))  # type: ignore
        container.last_status = "RUNNING"
        container.health_status = "UNKNOWN"
        container.network_interfaces = [
            {"attachmentId": task.attachments[0]["id"], "privateIpv4Address": details["privateIPv4Address"]}
        ]
        task.containers.append(container)
    backend.tasks.setdefault(cluster.name, {})[task.task_arn] = task
    task.targets = []
    for balancer in service.load_balancers:
        group = _target_group(backend, balancer.get("targetGroupArn", ""))
        if group is not None:
            group.register([{"Id": details["privateIPv4Address"], "Port": balancer["containerPort"]}])
            task.targets.append((group.arn, details["privateIPv4Address"]))


def _release(backend: Any, task: Any) -> None:
    """Release what a stopped task held: its interface and its place among the targets."""
    from moto.ec2.models import ec2_backends

    for attachment in task.attachments:
        attachment["status"] = "DELETED"
        for detail in attachment["details"]:
            if detail["name"] == "networkInterfaceId":
                ec2_backends[backend.account_id][backend.region_name].enis.pop(detail["value"], None)
    for arn, address in getattr(task, "targets", []):
        group = _target_group(backend, arn)
        if group is not None:
            group.targets.pop(address, None)


def _target_group(backend: Any, arn: str) -> Any:
    from moto.elbv2.models import elbv2_backends

    return elbv2_backends[backend.account_id][backend.region_name].target_groups.get(arn)


def _count(backend: Any, cluster: Any, service: Any) -> None:
    running = len(_running(backend, cluster, f"service:{service.name}"))
    service.running_count, service.pending_count = running, 0
    service.deployments[0].update(
        desiredCount=service.desired_count,
        runningCount=running,
        pendingCount=0,
        rolloutState="COMPLETED",
        rolloutStateReason=f"ECS deployment {service.deployments[0]['id']} completed.",
    )
    cluster.running_tasks_count = len(_running(backend, cluster))
    cluster.pending_tasks_count = 0
    cluster.active_services_count = sum(
        each.status == "ACTIVE" and each.cluster_arn == cluster.arn for each in backend.services.values()
    )
