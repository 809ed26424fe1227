"""What a notebook shows of a running container, and how ECS and the load balancer would react to it."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from workbook.container.definition import Definition
from workbook.container.runner import Container, Health
from workbook.display import Rendered, pairs, table
from workbook.errors import WorkbookError
from workbook.inventory import Inventory, Row


def page(container: Container, height: int = 620) -> Rendered:
    """The dashboard as it is now, in a frame without scripts; `height` in pixels."""
    status = container.status()
    title = f"{status['title']}: {status['meaning']}"
    still = re.sub(r"<(script|noscript)>.*?</\1>", "", container.page(), flags=re.DOTALL)
    frame = (
        f'<iframe sandbox title="Dashboard" srcdoc="{html.escape(still)}" '
        f'style="width:100%;height:{height}px;border:1px solid rgba(128,128,128,.4);border-radius:8px"></iframe>'
    )
    return Rendered(f"<div>{html.escape(title)}</div>{frame}", title)


def state(container: Container) -> Rendered:
    """What /status.json says, without what changes from run to run."""
    status = container.status()
    rows = [("state", status["state"]), ("cause", status["cause"] or "–"), ("meaning", status["meaning"])]
    if status["state"] == "degraded":
        rows += [("where to look first", status["look_at_first"]), ("message", status["last_check"]["message"])]
    return pairs("/status.json", rows)


def changes(container: Container) -> Rendered:
    """The log, one row per change of state: what an alarm on it would see."""
    seen: list[dict[str, str]] = []
    for line in container.logs():
        row = {
            "event": line["event"],
            "state": line.get("state", ""),
            "cause": line.get("cause") or "",
            "message": line.get("message", ""),
        }
        if not seen or row != seen[-1]:
            seen.append(row)
    return table(pd.DataFrame(seen), "Log, without repeated lines")


def differences(container: Container) -> Rendered:
    """How the container here differs from the one on Fargate."""
    rows = [("environment variables", ", ".join(sorted(container.overrides)))]
    if container.engine is None:
        rows += [
            ("user", f"yours, not {container.definition.container.get('user', 'root')}"),
            ("file system", "this machine's, not read-only"),
            ("capabilities, CPU share", "yours"),
            ("memory", f"{container.definition.memory} MiB of data per process, not per task"),
        ]
    return pairs("Differences from Fargate", rows)


def verdict(container: Container, inventory: Inventory) -> Rendered:
    """What ECS and the load balancer would do now: both checks really run, with the deployed thresholds."""
    groups = inventory.by_key("target_groups")
    behind = [
        (groups[arn], service)
        for service in inventory.rows("services")
        for arn in service.target_group_arns
        if arn in groups
    ]
    if not behind:
        raise WorkbookError(
            "There is no service behind a load balancer.", "Deploy the layer first: workbook apply ecs."
        )
    group, service = behind[0]
    health = container.health()
    try:
        code: int | None = container.get(group.health_path, timeout=5)[0]
        status: Mapping[str, Any] | None = container.status()
    except WorkbookError:
        code, status = None, None
    return pairs("What AWS would do", consequences(container.definition, service, group, health, code, status))


def consequences(
    definition: Definition,
    service: Row,
    group: Row,
    health: Health,
    code: int | None,
    status: Mapping[str, Any] | None,
) -> list[tuple[str, str]]:
    """The rows of `verdict`.

    Parameters
    ----------
    service, group : rows of the inventory's tables `services` and `target_groups`.
    health : result of the container health check. code : status code that the target group's check received, None for no answer.
    status : document of /status.json, None if there was no answer.
    """
    check = definition.health_check
    matches = code is not None and _matches(str(group.matcher), code)
    if not health.passed:
        patience = check["retries"] * check["interval"]
        ecs = f"after {check['retries']} failures in a row, {patience} s, replaces the task (desired count: {service.desired})"
    elif not matches:
        ecs = "keeps the task until the load balancer reports it unhealthy, then replaces it"
    else:
        ecs = "keeps the task"
    out_after = group.unhealthy_threshold * group.health_interval
    balancer = (
        "sends requests to it"
        if matches
        else f"after {group.unhealthy_threshold} failures in a row, {out_after} s, stops sending requests to it"
    )
    return [
        ("container health check", "passes" if health.passed else f"fails: {health.output}"),
        ("ECS", ecs),
        (
            "target group check",
            f"GET {group.health_path}: {'no answer' if code is None else code}, expected {group.matcher}",
        ),
        ("load balancer", balancer),
        ("a visitor sees", "no page" if status is None else f"the dashboard: {status['title']}"),
    ]


def _matches(matcher: str, code: int) -> bool:
    """Whether a target group's matcher, such as `200`, `200,204` or `200-299`, accepts a status code."""
    bounds = (part.strip().partition("-") for part in matcher.split(","))
    return any(int(low) <= code <= int(high or low) for low, _, high in bounds)
