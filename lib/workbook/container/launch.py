"""Start the container of the deployed stack against the deployed bucket, and follow its log."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from workbook.container.agent import TaskAgent
from workbook.container.definition import Definition
from workbook.container.docker import find_engine, has_image
from workbook.container.forwarder import FaultProxy
from workbook.container.runner import Container
from workbook.errors import WorkbookError
from workbook.inventory import Inventory
from workbook.target import Target


def run(
    inventory: Inventory,
    target: Target,
    *,
    environment: Mapping[str, str] | None = None,
    engine: str | None = "any",
) -> Container:
    """Run the container of the deployed task definition against the deployed bucket, with the credentials of the task
    role.

    Parameters
    ----------
    inventory : including the layers ecs and iam.
    environment : variables that override those of the task definition, such as `{"CHECK_INTERVAL": "2"}`.
    engine : `docker` or `podman`; `any` uses whichever responds, or else a process; None means a process.

    Raises
    ------
    WorkbookError : nothing is deployed, the target is a real account (only ECS may assume the task role there), or
        the container does not start.
    """
    definition = Definition.deployed(inventory)
    assume = _assume(target, definition.role_arn)
    assert target.endpoint_url is not None
    chosen = find_engine() if engine == "any" else engine
    if chosen and not has_image(chosen, str(definition.container["image"])):
        chosen = None
    address = urlsplit(target.endpoint_url)
    network = FaultProxy(str(address.hostname), address.port or 80) if address.scheme == "http" else None
    agent = TaskAgent(assume, definition.role_arn, _task_document(definition, inventory))
    here = {
        "AWS_REGION": target.region,
        "AWS_ENDPOINT_URL": network.address if network else target.endpoint_url,
        **agent.environment(),
        **(environment or {}),
    }
    try:
        return Container(definition, here, engine=chosen, agent=agent, network=network)
    except BaseException:
        agent.close()
        if network:
            network.close()
        raise


def follow(container: Container, show: Callable[[str], None] = print) -> int:
    """For a terminal: print the address, then the log, until Ctrl-C, SIGTERM or its own exit; returns its exit code."""
    show(f"{container.url}  (Ctrl-C to stop)")
    # SIGINT too: a shell starts background jobs with it ignored.
    before = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGINT, signal.SIGTERM)}
    seen = 0
    try:
        while container.running:
            for line in container.logs()[seen:]:
                seen += 1
                show(json.dumps(line))
            time.sleep(0.5)
    except KeyboardInterrupt:
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        code = container.stop()
    for line in container.logs()[seen:]:
        show(json.dumps(line))
    return code or 0


def _assume(target: Target, role_arn: str) -> Callable[[], Mapping[str, Any]]:
    """A function that returns credentials of the task role; tried once here, so that a denial is reported right away."""
    name = role_arn.rpartition("/")[2]
    if target.kind == "aws":
        raise WorkbookError(
            f"In a real account only ECS may assume {name}, so the container cannot run here with the task's credentials.",
            "Open the deployed task instead (application_url), or run it here with WORKBOOK_TARGET=embedded.",
        )

    def assume() -> Mapping[str, Any]:
        answer = target.client("sts").assume_role(
            RoleArn=role_arn, RoleSessionName="container-here", DurationSeconds=3600
        )
        credentials: Mapping[str, Any] = answer["Credentials"]
        return credentials

    try:
        first: list[Mapping[str, Any]] = [assume()]
    except (BotoCoreError, ClientError) as error:
        raise WorkbookError(
            f"The task role {name} could not be assumed: {error}", "Apply the layer iam, or restart the target."
        ) from error
    return lambda: first.pop() if first else assume()


def _task_document(definition: Definition, inventory: Inventory) -> dict[str, Any]:
    """What the metadata endpoint returns for a task that runs here: its definition as deployed, and that it is not on
    AWS.
    """
    account = definition.role_arn.split(":")[4]
    cluster = inventory.rows("services")[0].cluster
    family, _, revision = definition.task.rpartition(":")
    return {
        "Cluster": cluster,
        "TaskARN": f"arn:aws:ecs:{inventory.scope.region}:{account}:task/{cluster}/on-this-machine",
        "Family": family,
        "Revision": revision,
        "AvailabilityZone": "none: not on AWS",
    }
