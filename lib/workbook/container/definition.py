"""The container as the deployed task definition describes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workbook.errors import WorkbookError
from workbook.inventory import Inventory


@dataclass(frozen=True)
class Definition:
    """The serving container of a task definition, as AWS returns it.

    Attributes
    ----------
    task : family:revision. cpu : CPU units, 1024 per vCPU. memory : MiB. role_arn : ARN of the task role.
    container : the container definition, a dict with the keys that `describe_task_definition` returns.
    """

    task: str
    cpu: int
    memory: int
    role_arn: str
    container: Mapping[str, Any]

    @classmethod
    def deployed(cls, inventory: Inventory) -> Definition:
        """The definition that the service runs.

        Parameters
        ----------
        inventory : including the layers ecs and iam.

        Raises
        ------
        WorkbookError : there is no service, no container with a port, or no task role.
        """
        deploy = "Deploy the layer first: workbook apply ecs."
        services = inventory.rows("services")
        if not services:
            raise WorkbookError(
                f"{inventory.scope.prefix} has no ECS service, so there is no container to run.", deploy
            )
        task = str(services[0].task_definition)
        tasks = inventory.rows("task_definitions", name=task)
        containers = [row.definition for row in inventory.rows("containers", task_definition=task)]
        serving = [container for container in containers if container.get("portMappings")]
        if not tasks or not serving:
            raise WorkbookError(f"The task definition {task} has no container with a port.", deploy)
        roles = {row.name: str(row.role_arn) for row in inventory.rows("roles")}
        role = str(tasks[0].task_role).rpartition("/")[2]
        if role not in roles:
            raise WorkbookError(
                f"The task definition {task} names the task role {role!r}, which was not found.", "Apply the layer iam."
            )
        return cls(task, int(tasks[0].cpu), int(tasks[0].memory), roles[role], serving[0])

    @property
    def command(self) -> list[str]:
        """Entry point and command, as one argument list."""
        return [*self.container.get("entryPoint", []), *self.container.get("command", [])]

    @property
    def environment(self) -> dict[str, str]:
        return {item["name"]: item["value"] for item in self.container.get("environment", [])}

    @property
    def port(self) -> int:
        return int(self.container["portMappings"][0]["containerPort"])

    @property
    def health_check(self) -> Mapping[str, Any]:
        """`command`, `interval`, `timeout`, `retries`, `startPeriod` (s); ECS's defaults for whatever the definition
        omits.
        """
        return {"interval": 30, "timeout": 5, "retries": 3, "startPeriod": 0, **self.container.get("healthCheck", {})}
