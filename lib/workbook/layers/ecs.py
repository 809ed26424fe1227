"""The layer `ecs`: what its page asks, how it improves on the first version, what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbook.layers.record import Layer, Price, Step, rows

if TYPE_CHECKING:
    from workbook.inventory import Inventory


def _where_tasks_run(inventory: Inventory) -> str:
    tiers = dict(zip(inventory["subnets"]["name"], inventory["subnets"]["tier"], strict=True))
    return "; ".join(
        f"{len(s.subnets)} {'/'.join(sorted({tiers.get(n, 'unknown') for n in s.subnets}))} subnets, public address: {'yes' if s.public_ip else 'no'}"
        for s in rows(inventory["services"])
    )


def _entrance(inventory: Inventory) -> str:
    return "; ".join(
        f"{b.name} ({b.scheme}), logs to {b.access_logs or 'nowhere'}, invalid headers {'dropped' if b.drop_invalid_headers else 'passed on'}"
        for b in rows(inventory["load_balancers"])
    )


def _task_roles(inventory: Inventory) -> str:
    return "; ".join(f"execution: {t.execution_role}, task: {t.task_role}" for t in rows(inventory["task_definitions"]))


def _hardening(inventory: Inventory) -> str:
    return "; ".join(
        f"{c.name}: user {c.user or 'of the image'}, root file system {'read-only' if c.read_only_root else 'writable'}"
        for c in rows(inventory["containers"])
    )


def _deployment(inventory: Inventory) -> str:
    return "; ".join(
        f"circuit breaker {'on' if s.circuit_breaker else 'off'}, rollback {'on' if s.rollback else 'off'}"
        for s in rows(inventory["services"])
    )


def _scaling(inventory: Inventory) -> str:
    return "; ".join(
        f"{a.minimum} to {a.maximum} tasks, {a.metric} at {a.target_value:.0f} %"
        for a in rows(inventory["autoscaling"])
    )


def _running(inventory: Inventory, column: str, unit: float) -> float:
    """Desired tasks times what each reserves, in units of `unit`."""
    tasks = inventory["services"].merge(inventory["task_definitions"], left_on="task_definition", right_on="name")
    return float((tasks["desired"] * tasks[column].astype(float) / unit).sum())


LAYER = Layer(
    key="ecs",
    order=5,
    title="The service",
    question="A task dies at three in the morning. What happens?",
    core_table="clusters",
    steps=(
        Step("Place", "tasks in public subnets", "tasks in private subnets", _where_tasks_run),
        Step("Entrance", "straight to the task", "load balancer", _entrance),
        Step("Roles", "one role for everything", "execution and task role apart", _task_roles),
        Step("Container", "root, writable", "no root, read-only root file system", _hardening),
        Step("Bad release", "stays", "circuit breaker rolls back", _deployment),
        Step("Load", "fixed number of tasks", "autoscaling", _scaling),
    ),
    prices=(
        Price("load balancer", 0.0225, lambda inventory: float(len(inventory["load_balancers"]))),
        Price(
            "public IPv4 address of the load balancer, for each zone",
            0.005,
            lambda inventory: float(sum(map(len, inventory["load_balancers"]["subnets"]))),
        ),
        Price("Fargate vCPU", 0.04048, lambda inventory: _running(inventory, "cpu", 1024)),
        Price("Fargate GB of memory", 0.004445, lambda inventory: _running(inventory, "memory", 1024)),
    ),
    usage=lambda inventory: "0.008 for each load balancer capacity unit and hour, 0.50 for each GB of container logs.",
)
