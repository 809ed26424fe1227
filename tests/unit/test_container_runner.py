"""The runner: runs what is deployed, with the task role's credentials and nothing of the user's, and cleans up."""

from __future__ import annotations

import gc
import itertools
import json
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from waiting import until
from workbook.container import Container, Definition, follow, run
from workbook.container.agent import TaskAgent
from workbook.container.command import startup_command
from workbook.container.docker import engine_command, find_engine
from workbook.container.forwarder import FaultProxy
from workbook.errors import WorkbookError
from workbook.host.ports import free_port
from workbook.inventory import Inventory
from workbook.target import Target

ROLE = "arn:aws:iam::123456789012:role/alloy-dev-take-home-task"
Start = Callable[..., Container]
Define = Callable[..., Definition]


def inventory(**tables: Any) -> Inventory:
    serving = {
        "name": "dashboard",
        "image": "public.ecr.aws/aws-cli/aws-cli:2.31.21",
        "entryPoint": ["/bin/sh", "-c"],
        "command": ["exit 3"],
        "portMappings": [{"containerPort": 8080}],
        "environment": [{"name": "BUCKET_NAME", "value": "some-bucket"}],
    }
    rows: dict[str, Any] = {
        "services": [{"name": "app", "cluster": "alloy-dev-take-home", "task_definition": "alloy-dev-take-home:3"}],
        "task_definitions": [
            {"name": "alloy-dev-take-home:3", "cpu": 256, "memory": 512, "task_role": "alloy-dev-take-home-task"}
        ],
        "containers": [
            {"name": "prepare", "task_definition": "alloy-dev-take-home:3", "definition": {"name": "prepare"}},
            {"name": "dashboard", "task_definition": "alloy-dev-take-home:3", "definition": serving},
        ],
        "roles": [{"name": "alloy-dev-take-home-task", "role_arn": ROLE}],
    }
    return Inventory.from_tables({**rows, **tables})


# ── what is deployed ──


def test_the_definition_is_the_serving_container_of_the_service() -> None:
    definition = Definition.deployed(inventory())
    assert (definition.task, definition.cpu, definition.memory, definition.role_arn) == (
        "alloy-dev-take-home:3",
        256,
        512,
        ROLE,
    )
    assert definition.command == ["/bin/sh", "-c", "exit 3"]
    assert definition.environment == {"BUCKET_NAME": "some-bucket"}
    assert definition.port == 8080


@pytest.mark.parametrize(
    ("tables", "cause"),
    [
        ({"services": []}, "has no ECS service"),
        ({"containers": []}, "has no container with a port"),
        ({"task_definitions": []}, "has no container with a port"),
        ({"roles": []}, "names the task role 'alloy-dev-take-home-task', which was not found"),
    ],
)
def test_what_is_missing_is_named(tables: dict[str, Any], cause: str) -> None:
    with pytest.raises(WorkbookError, match=cause) as raised:
        Definition.deployed(inventory(**tables))
    assert raised.value.next_step


def test_a_real_account_is_refused_with_the_reason() -> None:
    target = Target("aws", "us-east-1", None, "123456789012")
    with pytest.raises(WorkbookError, match="only ECS may assume alloy-dev-take-home-task") as raised:
        run(inventory(), target)
    assert "application_url" in raised.value.next_step


def test_a_target_that_does_not_answer_is_told() -> None:
    target = Target("endpoint", "us-east-1", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(WorkbookError, match="could not be assumed"):
        run(inventory(), target, engine=None)


# ── as a process ──


def test_nothing_of_the_shell_reaches_it(monkeypatch: pytest.MonkeyPatch, aws: Any, dashboard: Start) -> None:
    for name in (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_PROFILE",
        "AWS_CONFIG_FILE",
        "HTTPS_PROXY",
        "PYTHONPATH",
        "GITHUB_TOKEN",
    ):
        monkeypatch.setenv(name, f"the-person's-{name}")
    container = dashboard()
    container.wait_for("healthy")
    seen = (aws.directory / "environment").read_text()
    assert "the-person's" not in seen
    names = {line.partition("=")[0] for line in seen.splitlines()}
    assert {"BUCKET_NAME", "AWS_REGION", "AWS_EC2_METADATA_DISABLED", "HOME", "PATH", "PORT"} <= names
    assert f"HOME={container.overrides['PAGES_DIR']}" in seen


def test_what_differs_from_the_definition_is_listed(dashboard: Start) -> None:
    container = dashboard(CHECK_INTERVAL=7)
    assert set(container.overrides) == {"CHECK_INTERVAL", "PORT", "PAGES_DIR", "HOME", "TMPDIR"}
    assert container.overrides["CHECK_INTERVAL"] == "7"


def test_it_has_the_limits_of_the_task(dashboard: Start) -> None:
    limits = Path(f"/proc/{dashboard().pid}/limits")
    if not limits.exists():
        pytest.skip("needs /proc")
    lines = {line[:25].strip(): line[25:].split()[0] for line in limits.read_text().splitlines()}
    assert lines["Max data size"] == str(512 * 2**20)
    assert lines["Max open files"] == "1024"
    assert lines["Max core file size"] == "0"


@pytest.mark.slow
def test_health_runs_the_command_of_the_definition(dashboard: Start) -> None:
    container = dashboard()
    health = container.health()
    assert (health.passed, health.output) == (True, "OK")
    container.freeze()
    frozen = container.health()
    assert (frozen.passed, frozen.output) == (False, "no answer within 5 s")
    container.thaw()
    until(lambda: container.health().passed, "it is healthy")
    assert container.stop() == 0
    refused = container.health()
    assert not refused.passed
    assert "connect" in refused.output.lower()


@pytest.mark.slow
def test_freezing_cuts_no_check_in_two(dashboard: Start, aws: Any) -> None:
    aws.says("sleep 0.4; echo '2026-01-01 00:00:00        120 index.csv'")
    container = dashboard(CHECK_INTERVAL=2, CHECK_TIMEOUT=4)
    for _ in range(2):
        container.freeze()
        time.sleep(4.2)
        container.thaw()
    container.stop()
    assert {line["state"] for line in container.logs("check")} == {"healthy"}


@pytest.mark.slow
def test_stop_ends_even_a_frozen_one_with_exit_0(dashboard: Start, within: Callable[..., None]) -> None:
    def stop() -> float:
        container = dashboard()
        container.freeze()
        started = time.monotonic()
        assert container.stop() == 0
        took = time.monotonic() - started
        assert container.stop() == 0
        assert not container.running
        assert not Path(container.overrides["PAGES_DIR"]).exists()
        return took

    within(2, stop)


def test_nothing_is_left_in_the_temporary_directory(aws: Any, define: Define) -> None:
    container = Container(define(), {}, search_path=aws.search_path)
    directory = Path(container.overrides["PAGES_DIR"]).parent
    assert directory.name.startswith("workbook-container-")
    container.stop()
    assert container.logs()
    del container
    gc.collect()
    assert not directory.exists()


def test_one_that_ignores_sigterm_is_killed_with_its_children(
    monkeypatch: pytest.MonkeyPatch, aws: Any, define: Define
) -> None:
    monkeypatch.setattr("workbook.container.runner.STOP_SECONDS", 0.5)
    stubborn = 'trap \'\' TERM; python3 -m http.server --bind 127.0.0.1 "$PORT" --directory "$PAGES_DIR" & : > health; wait; wait'
    container = Container(define([stubborn]), {}, search_path=aws.search_path)
    assert container.stop() == -signal.SIGKILL
    # The kernel ends the child a moment after the call.
    until(lambda: not _listens(container.port), "its port is closed")


def test_one_that_does_not_start_says_why(dashboard: Start) -> None:
    with pytest.raises(WorkbookError, match="exited at once with code 78") as raised:
        dashboard(CHECK_INTERVAL="often")
    assert raised.value.detail == "CHECK_INTERVAL must be a whole number from 1 to 3600."


@pytest.mark.slow
def test_waiting_in_vain_says_what_it_was(aws: Any, dashboard: Start) -> None:
    aws.fails("An error occurred (NoSuchBucket) when calling the ListObjectsV2 operation: gone")
    container = dashboard()
    container.wait_for("degraded")
    with pytest.raises(WorkbookError, match=r"is degraded \(no_such_bucket\), not healthy, after 1 s") as raised:
        container.wait_for("healthy", timeout=1)
    assert "NoSuchBucket" in raised.value.detail


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_following_prints_the_log_until_a_signal(number: signal.Signals, dashboard: Start) -> None:
    container = dashboard()
    container.wait_for("healthy")
    shown: list[str] = []

    def show(line: str) -> None:
        shown.append(line)
        if '"check"' in line and sum('"check"' in each for each in shown) == 1:
            signal.raise_signal(number)

    assert follow(container, show) == 0
    assert shown[0] == f"{container.url}  (Ctrl-C to stop)"
    assert json.loads(shown[1])["event"] == "start"
    assert json.loads(shown[-1])["event"] == "stop"
    assert [json.loads(line) for line in shown[1:]] == container.logs()
    assert not container.running


# ── in an engine ──


def test_the_engine_is_told_what_fargate_is_told(define: Define) -> None:
    line = engine_command("docker", "name", define(), {"PORT": "5000", "SECURITY_FEATURES": "a: b\nc: d"})
    assert line[:2] == ["docker", "run"]
    assert line[-4:] == [
        "/bin/sh",
        "public.ecr.aws/aws-cli/aws-cli:2.31.21",
        "-c",
        startup_command(),
    ]
    options = list(itertools.pairwise(line))
    for option in (
        ("--user", "65534:65534"),
        ("--cap-drop", "ALL"),
        ("--security-opt", "no-new-privileges"),
        ("--memory", "512m"),
        ("--cpus", "0.25"),
        ("--tmpfs", "/var/dashboard:rw,size=64m,mode=0700,uid=65534,gid=65534"),
        ("--env", "SECURITY_FEATURES=a: b\nc: d"),
        ("--entrypoint", "/bin/sh"),
    ):
        assert option in options
    assert "--read-only" in line


@pytest.mark.parametrize(("answers", "found"), [({"docker"}, "docker"), ({"podman"}, "podman"), (set(), None)])
def test_only_an_engine_that_answers_is_taken(
    answers: set[str], found: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("docker", "podman"):
        client = tmp_path / name
        client.write_text(f"#!/bin/sh\nexit {0 if name in answers else 1}\n")
        client.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr("sys.platform", "linux")
    assert find_engine() == found


# ── what surrounds it ──


@pytest.fixture
def agent() -> Iterator[TaskAgent]:
    issued: list[int] = []

    def assume() -> dict[str, Any]:
        issued.append(1)
        minutes = 5 if len(issued) == 1 else 60
        return {
            "AccessKeyId": f"ASIA{len(issued)}",
            "SecretAccessKey": "s",
            "SessionToken": "t",
            "Expiration": datetime.now(UTC) + timedelta(minutes=minutes),
        }

    agent = TaskAgent(
        assume,
        ROLE,
        {"TaskARN": "arn:aws:ecs:us-east-1:1:task/c/abc", "AvailabilityZone": "z", "Family": "f", "Revision": "3"},
    )
    yield agent
    agent.close()


def _ask(url: str) -> Any:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=30) as answer:
        return json.load(answer)


def test_the_agent_answers_as_ecs_does(agent: TaskAgent) -> None:
    where = agent.environment()
    assert _ask(where["ECS_CONTAINER_METADATA_URI_V4"] + "/task")["AvailabilityZone"] == "z"
    first = _ask(where["AWS_CONTAINER_CREDENTIALS_FULL_URI"])
    assert set(first) == {"RoleArn", "AccessKeyId", "SecretAccessKey", "Token", "Expiration"}
    assert first["RoleArn"] == ROLE
    # The first ended within ten minutes, so it was renewed; the second is kept.
    assert [_ask(where["AWS_CONTAINER_CREDENTIALS_FULL_URI"])["AccessKeyId"] for _ in range(2)] == ["ASIA2", "ASIA2"]
    agent.expire()
    assert _ask(where["AWS_CONTAINER_CREDENTIALS_FULL_URI"])["Expiration"] < datetime.now(UTC).strftime(
        "%Y-%m-%dT%H:%M:%SZ"
    )
    agent.renew()
    assert _ask(where["AWS_CONTAINER_CREDENTIALS_FULL_URI"])["Expiration"] > datetime.now(UTC).strftime(
        "%Y-%m-%dT%H:%M:%SZ"
    )


def test_the_task_shows_who_it_is(agent: TaskAgent, dashboard: Start) -> None:
    container = dashboard(**agent.environment())
    until(lambda: len(container.status()["identity"]) == 4, "it knows who it is")
    assert container.status()["identity"] == {
        "task": "abc",
        "availability_zone": "z",
        "task_definition": "f:3",
        "role": ROLE,
    }
    until(lambda: ROLE in container.page(), "its page names the role")
    assert "ASIA" not in container.page() + json.dumps(container.logs())


def test_an_agent_that_hangs_holds_up_nothing(dashboard: Start, within: Callable[..., None]) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", free_port()))
        silent.listen()
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"

        def stop() -> float:
            container = dashboard(ECS_CONTAINER_METADATA_URI_V4=address, AWS_CONTAINER_CREDENTIALS_FULL_URI=address)
            assert container.wait_for("healthy")["identity"] == {}
            started = time.monotonic()
            assert container.stop() == 0
            return time.monotonic() - started

        within(1, stop)


@pytest.fixture
def proxy(agent: TaskAgent) -> Iterator[FaultProxy]:
    host, _, port = agent.address.removeprefix("http://").partition(":")
    proxy = FaultProxy(host, int(port))
    yield proxy
    proxy.close()


@pytest.mark.slow
def test_the_network_fails_and_heals(proxy: FaultProxy) -> None:
    url = proxy.address + "/v4/task"
    for _ in range(2):
        assert _ask(url)["Family"] == "f"
        proxy.refuse()
        proxy.refuse()
        with pytest.raises(OSError, match="refused"):
            _ask(url)
        proxy.heal()
        assert _ask(url)["Family"] == "f"
        proxy.answer(503, "SlowDown", "Please reduce your request rate <now>.")
        with pytest.raises(urllib.error.HTTPError) as raised:
            _ask(url)
        with raised.value as error:
            assert error.code == 503
            assert (
                b"<Code>SlowDown</Code><Message>Please reduce your request rate &lt;now&gt;.</Message>" in error.read()
            )
        proxy.hang()
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=0.5) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
            with pytest.raises(TimeoutError):
                connection.recv(1)
        proxy.heal()
    assert _ask(url)["Family"] == "f"


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
