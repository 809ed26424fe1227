"""The layer `ecs`: what its page asks, how it improves on the first version, what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbook.layers.record import Layer, Price, Step

if TYPE_CHECKING:
    from workbook.inventory import Inventory


def _where_tasks_run(inventory: Inventory) -> str:
    tiers = {subnet.subnet_id: subnet.tier or "unknown" for subnet in inventory.rows("subnets")}
    return "; ".join(
        f"{len(s.subnet_ids)} {'/'.join(sorted({tiers.get(id, 'unknown') for id in s.subnet_ids}))} subnets, public address: {'yes' if s.public_ip else 'no'}"
        for s in inventory.rows("services")
    )


def _entrance(inventory: Inventory) -> str:
    return "; ".join(
        f"{b.name} ({b.scheme}), logs to {b.access_logs or 'nowhere'}, invalid headers {'dropped' if b.drop_invalid_headers else 'passed on'}"
        for b in inventory.rows("load_balancers")
    )


def _task_roles(inventory: Inventory) -> str:
    return "; ".join(f"execution: {t.execution_role}, task: {t.task_role}" for t in inventory.rows("task_definitions"))


def _hardening(inventory: Inventory) -> str:
    return "; ".join(
        f"{c.name}: user {c.user or 'of the image'}, root file system {'read-only' if c.read_only_root else 'writable'}"
        for c in inventory.rows("containers")
    )


def _deployment(inventory: Inventory) -> str:
    return "; ".join(
        f"circuit breaker {'on' if s.circuit_breaker else 'off'}, rollback {'on' if s.rollback else 'off'}"
        for s in inventory.rows("services")
    )


def _scaling(inventory: Inventory) -> str:
    return "; ".join(
        f"{a.minimum} to {a.maximum} tasks, {a.metric} at {a.target_value:.0f} %" for a in inventory.rows("autoscaling")
    )


def _running(inventory: Inventory, column: str, unit: float) -> float:
    """Desired tasks times what each reserves, in units of `unit`."""
    tasks = inventory.by_key("task_definitions")
    return sum(
        (service.desired or 0) * (getattr(tasks[service.task_definition], column) or 0) / unit
        for service in inventory.rows("services")
        if service.task_definition in tasks
    )


LAYER = Layer(
    key="ecs",
    order=5,
    title="The service",
    question="A task dies at three in the morning. What happens?",
    core_table="clusters",
    steps=(
        Step("Place", "tasks in public subnets", "tasks in private subnets", _where_tasks_run),
        Step("Entrance", "straight to the task", "load balancer", _entrance),
        Step("Roles", "one role for everything", "separate execution and task roles", _task_roles),
        Step("Container", "root, writable", "non-root user, read-only root file system", _hardening),
        Step("Bad release", "ECS keeps retrying it", "circuit breaker rolls back", _deployment),
        Step("Load", "fixed number of tasks", "autoscaling", _scaling),
    ),
    prices=(
        Price("load balancer", 0.0225, lambda inventory: float(len(inventory.rows("load_balancers")))),
        Price(
            "public IPv4 address of the load balancer, for each zone",
            0.005,
            lambda inventory: float(sum(len(balancer.subnet_ids) for balancer in inventory.rows("load_balancers"))),
        ),
        Price("Fargate vCPU", 0.04048, lambda inventory: _running(inventory, "cpu", 1024)),
        Price("Fargate GB of memory", 0.004445, lambda inventory: _running(inventory, "memory", 1024)),
    ),
    usage=lambda inventory: "0.008 for each load balancer capacity unit and hour, 0.50 for each GB of container logs.",
)
