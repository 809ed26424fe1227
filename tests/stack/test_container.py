"""The container Terraform deployed, run here against the deployed bucket: what it reports, healthy and broken."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from workbook.container import Container, Definition, run, views
from workbook.container.command import startup_command
from workbook.drills.outages import delete_bucket, deny_list
from workbook.host.paths import CONTAINER

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def definition(stack: Any) -> Definition:
    return Definition.deployed(stack.inventory())


@pytest.fixture(scope="module")
def task(stack: Any, definition: Definition) -> dict[str, Any]:
    """The complete task definition, straight from the API."""
    answer: dict[str, Any] = stack.client("ecs").describe_task_definition(taskDefinition=definition.task)[
        "taskDefinition"
    ]
    return answer


@pytest.fixture(scope="module")
def branch(stack: Any) -> Iterator[Any]:
    """The account that the container runs against."""
    with stack.branch() as branch:
        yield branch


@pytest.fixture(scope="module")
def container(branch: Any) -> Iterator[Container]:
    with run(branch.inventory(), branch.workbook.target, environment={"CHECK_INTERVAL": "1"}) as container:
        container.wait_for("healthy")
        yield container


# ── what Terraform rendered ──


def test_the_command_is_made_of_the_files_of_this_project(definition: Definition, task: dict[str, Any]) -> None:
    assert definition.container["entryPoint"] == ["/bin/sh", "-c"]
    assert definition.container["command"] == [startup_command()]
    registered = {"family", "containerDefinitions", "volumes", "cpu", "memory", "taskRoleArn", "executionRoleArn"}
    assert len(json.dumps({key: value for key, value in task.items() if key in registered})) < 64 * 1024


def test_one_port_from_the_script_to_the_load_balancer(stack: Any, definition: Definition) -> None:
    (group,) = stack.inventory().rows("target_groups")
    (service,) = stack.inventory().rows("services")
    ports = {int(definition.environment["PORT"]), definition.port, group.port, service.container_port}
    assert len(ports) == 1
    kind, command = definition.health_check["command"]
    assert kind == "CMD-SHELL"
    assert f"http://127.0.0.1:{definition.port}{group.health_path}" in command
    assert definition.health_check["interval"] == 30


def test_the_one_writable_place_is_the_mounted_volume(definition: Definition, task: dict[str, Any]) -> None:
    (mount,) = definition.container["mountPoints"]
    assert {definition.environment[name] for name in ("PAGES_DIR", "HOME", "TMPDIR")} == {mount["containerPath"]}
    assert [volume["name"] for volume in task["volumes"]] == [mount["sourceVolume"]]
    assert definition.container["readonlyRootFilesystem"] is True
    # On Fargate, root owns the volume: another container makes it writable first, and the dashboard waits for that to
    # succeed.
    (needed,) = definition.container["dependsOn"]
    assert needed["condition"] == "SUCCESS"
    (prepare,) = (each for each in task["containerDefinitions"] if each["name"] == needed["containerName"])
    assert prepare["mountPoints"] == definition.container["mountPoints"]
    assert prepare["essential"] is False


def test_it_is_nobody_without_capabilities(definition: Definition) -> None:
    assert re.fullmatch(r"65534(:65534)?", definition.container["user"])
    assert definition.container["linuxParameters"]["capabilities"]["drop"] == ["ALL"]


def test_only_known_variables_and_no_secret_is_set(definition: Definition) -> None:
    documented = set(re.findall(r"^#   ([A-Z_]+)  ", (CONTAINER / "startup.sh").read_text(), re.MULTILINE))
    assert set(definition.environment) <= documented | {"HOME", "TMPDIR", "AWS_REGION"}
    assert not definition.container.get("secrets")


# ── against what is running ──


def test_what_runs_is_what_was_rendered(container: Container, definition: Definition) -> None:
    assert container.definition == definition
    assert set(container.overrides) - {"PAGES_DIR", "HOME", "TMPDIR"} == {
        "CHECK_INTERVAL",
        "PORT",
        "AWS_ENDPOINT_URL",
        "ECS_CONTAINER_METADATA_URI_V4",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    }
    if container.engine is None:
        environment = dict(
            item.split("=", 1) for item in Path(f"/proc/{container.pid}/environ").read_text().split("\0") if "=" in item
        )
        assert {name: environment[name] for name in definition.environment} == {
            name: container.overrides.get(name, value) for name, value in definition.environment.items()
        }
        assert not {"AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_SHARED_CREDENTIALS_FILE"} & set(environment)


def test_it_is_the_task_role_that_lists(container: Container, definition: Definition) -> None:
    status = container.status()
    assert status["bucket"] == definition.environment["BUCKET_NAME"]
    assert status["identity"]["role"] == definition.role_arn
    assert status["identity"]["task_definition"] == definition.task
    for line in definition.environment["SECURITY_FEATURES"].splitlines():
        assert line.partition(":")[0] in container.page()


def test_the_health_check_of_the_definition_passes(container: Container) -> None:
    health = container.health()
    assert (health.passed, health.output) == (True, "OK")


# ── broken and healed ──


def test_denied_by_the_bucket_policy(branch: Any, container: Container, definition: Definition) -> None:
    """Only the task role is denied, so this also shows whose credentials the check uses."""
    s3, bucket = branch.client("s3"), definition.environment["BUCKET_NAME"]
    before = s3.get_bucket_policy(Bucket=bucket)["Policy"]
    undo = deny_list(s3, bucket, definition.role_arn)
    try:
        denied = container.wait_for("degraded", "access_denied")
        assert "AccessDenied" in denied["last_check"]["message"]
        s3.list_objects_v2(Bucket=bucket)
        rows = dict(_verdict(branch, container))
        assert rows["ECS"] == "keeps the task"
        assert rows["load balancer"] == "sends requests to it"
        assert rows["a visitor sees"] == "the dashboard: Access denied"
    finally:
        undo()
    assert container.wait_for("healthy")["failures"] > 0
    assert json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"]) == json.loads(before)


def test_endpoint_gone_silent_and_throttling(container: Container) -> None:
    assert container.network is not None
    container.network.refuse()
    assert "Could not connect" in container.wait_for("degraded", "endpoint_unreachable")["last_check"]["message"]
    container.network.answer(503, "SlowDown", "Please reduce your request rate.")
    container.wait_for("degraded", "throttled")
    container.network.answer(400, "ExpiredToken", "The provided token has expired.")
    container.wait_for("degraded", "expired_credentials")
    container.network.heal()
    container.wait_for("healthy")


def test_credentials_that_ecs_no_longer_renews(container: Container) -> None:
    assert container.agent is not None
    container.agent.expire()
    assert "still expired" in container.wait_for("degraded", "expired_credentials")["last_check"]["message"]
    assert container.health().passed
    container.agent.renew()
    container.wait_for("healthy")


def test_a_process_that_hangs_is_what_ecs_replaces(branch: Any, container: Container) -> None:
    container.freeze()
    try:
        rows = dict(_verdict(branch, container))
        assert rows["container health check"].startswith("fails: no answer within")
        assert rows["ECS"].startswith("after 3 failures in a row, 90 s, replaces the task")
        assert "stops sending requests to it" in rows["load balancer"]
        assert rows["a visitor sees"] == "no page"
    finally:
        container.thaw()
    assert container.health().passed


def test_a_deleted_bucket(stack: Any, definition: Definition) -> None:
    bucket = definition.environment["BUCKET_NAME"]
    with stack.branch() as branch:
        s3 = branch.client("s3")
        for _ in range(2):
            s3.put_object(Bucket=bucket, Key="<i>key</i>", Body=b"x")
        environment = {"CHECK_INTERVAL": "1"}
        with run(branch.inventory(), branch.workbook.target, environment=environment, engine=None) as container:
            assert container.wait_for("healthy")["last_check"]["entries"] == 1
            delete_bucket(s3, bucket)
            container.wait_for("degraded", "no_such_bucket")
            s3.create_bucket(Bucket=bucket)
            container.wait_for("healthy")
            assert container.stop() == 0
    assert {line["cause"] for line in container.logs("check")} == {None, "no_such_bucket"}


def _verdict(branch: Any, container: Container) -> list[tuple[str, str]]:
    """Rows of the verdict, parsed from its text."""
    lines = views.verdict(container, branch.inventory()).text.splitlines()[1:]
    return [(line[2:].split("  ", 1)[0].strip(), line[2:].split("  ", 1)[1].strip()) for line in lines]
