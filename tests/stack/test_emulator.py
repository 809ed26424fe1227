"""The embedded AWS as a process: found, started once, stopped, and what happens when something gets in its way."""

from __future__ import annotations

import http.server
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from workbook import emulator
from workbook.emulator import process, running
from workbook.emulator.server import Server
from workbook.errors import WorkbookError
from workbook.host import paths
from workbook.host.ports import free_port
from workbook.host.run_directory import RunDirectory
from workbook.target import LIMITS


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("WORKBOOK_HOME", str(tmp_path))
    monkeypatch.delenv("WORKBOOK_EMBEDDED_PORT", raising=False)
    yield tmp_path
    emulator.stop()


def buckets(found: emulator.Emulator) -> list[str]:
    keys = {"aws_access_key_id": "embedded", "aws_secret_access_key": "embedded"}
    s3 = boto3.client("s3", region_name="us-east-1", endpoint_url=found.url, **keys)
    return [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]


def create_bucket(found: emulator.Emulator, name: str) -> None:
    keys = {"aws_access_key_id": "embedded", "aws_secret_access_key": "embedded"}
    boto3.client("s3", region_name="us-east-1", endpoint_url=found.url, **keys).create_bucket(Bucket=name)


def in_another_process(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_it_is_started_once_found_again_and_stopped(home: Path) -> None:
    assert emulator.find() is None
    assert emulator.stop() is False
    first = emulator.start()
    create_bucket(first, "kept")
    assert emulator.start() == emulator.find() == first
    show = "from workbook import emulator; print(emulator.start().instance)"
    assert in_another_process(show) == first.instance
    assert buckets(first) == ["kept"]

    assert emulator.stop() is True
    assert emulator.find() is None
    second = emulator.start()
    assert second.instance != first.instance
    assert buckets(second) == []


def test_it_outlives_the_process_that_started_it(home: Path) -> None:
    started = in_another_process("from workbook import emulator; print(emulator.start().instance)")
    found = emulator.find()
    assert found is not None and found.instance == started
    assert os.getsid(found.pid) == found.pid, "it has a session of its own, so no terminal or kernel ends it"


def test_two_kernels_that_start_at_once_share_one(home: Path) -> None:
    code = "from workbook import emulator; print(emulator.start().instance)"
    both = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    instances = {each.communicate(timeout=120)[0].strip() for each in both}
    assert len(instances) == 1 and "" not in instances


def test_two_homes_do_not_disturb_each_other(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = emulator.start()
    create_bucket(first, "first")
    with monkeypatch.context() as other:
        other.setenv("WORKBOOK_HOME", str(home / "other"))
        second = emulator.start()
        assert second.url != first.url
        assert buckets(second) == []
        assert emulator.stop() is True
    assert emulator.find() == first
    assert buckets(first) == ["first"]


def test_the_home_can_be_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = home / "named"
    found = emulator.start(named)
    assert found == emulator.find(named) == emulator.start(named)
    assert emulator.find() is None, "the current home has none"
    create_bucket(found, "kept")
    monkeypatch.setenv("WORKBOOK_HOME", str(named))
    assert emulator.find() == found, "it wrote its record in the home that was named, not in the current one"
    monkeypatch.setenv("WORKBOOK_HOME", str(home))
    assert emulator.stop(named) is True
    assert emulator.find(named) is None
    assert emulator.stop(named) is False


def test_a_run_directory_is_given_the_account_that_runs(home: Path) -> None:
    run = RunDirectory(home, "dev", "embedded")
    first, aside = emulator.start_for(run)
    assert (run.instance, aside) == (first.instance, None)
    assert emulator.start_for(run) == (first, None)
    run.state.write_text(json.dumps({"resources": [{"mode": "managed", "type": "x", "name": "y"}]}))
    emulator.stop()
    second, aside = emulator.start_for(run)
    assert second.instance != first.instance
    assert run.instance == second.instance
    assert aside is not None and aside.is_file() and not run.state.exists()


def test_killed_it_is_gone_and_the_next_start_is_another_instance(home: Path) -> None:
    first = emulator.start()
    os.kill(first.pid, signal.SIGKILL)
    wait_until_refused(first)
    assert emulator.find() is None
    assert emulator.stop() is False
    assert emulator.start().instance != first.instance


def wait_until_refused(found: emulator.Emulator) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", int(found.url.rsplit(":", 1)[1])), timeout=1).close()
        except OSError:
            return
        time.sleep(0.05)
    pytest.fail("it still answers")


def test_a_server_that_hangs_is_replaced(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "HEALTH_SECONDS", 0.3)
    first = emulator.start()
    os.kill(first.pid, signal.SIGSTOP)
    second = emulator.start()
    assert second.instance != first.instance
    assert not Path(f"/proc/{first.pid}").exists() or "Z" in status(first.pid)


def status(pid: int) -> str:
    return subprocess.run(["ps", "-p", str(pid), "-o", "stat="], capture_output=True, text=True, timeout=10).stdout


class Foreign(http.server.BaseHTTPRequestHandler):
    """Someone else's server, which even answers the health route."""

    def do_GET(self) -> None:
        body = json.dumps({"instance": "somebody else", "pid": 1}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def foreign() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", free_port()), Foreign)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def test_an_answer_that_got_lost_is_given_again(polluted: emulator.Emulator) -> None:
    keys = {"aws_access_key_id": "embedded", "aws_secret_access_key": "embedded"}
    ec2 = boto3.client("ec2", region_name="us-east-1", endpoint_url=polluted.url, **keys)
    group = ec2.create_security_group(GroupName="lost", Description="lost")["GroupId"]
    rule = {
        "GroupId": group,
        "IpPermissions": [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}],
    }
    lost: list[bytes] = []

    def send_and_lose(request: Any, **_: Any) -> None:
        sent = urllib.request.Request(
            request.url, request.body.encode(), dict(request.headers.items()), method=request.method
        )
        with urllib.request.urlopen(sent, timeout=60) as answer:
            lost.append(answer.read())
        request.headers["amz-sdk-request"] = "attempt=2; max=4"

    ec2.meta.events.register("before-send.ec2.AuthorizeSecurityGroupIngress", send_and_lose)
    again = ec2.authorize_security_group_ingress(**rule)
    assert again["SecurityGroupRules"][0]["SecurityGroupRuleId"].encode() in lost[0]
    ec2.meta.events.unregister("before-send.ec2.AuthorizeSecurityGroupIngress", send_and_lose)

    # Another call, not a retry.
    with pytest.raises(ec2.exceptions.ClientError, match=r"InvalidPermission\.Duplicate"):
        ec2.authorize_security_group_ingress(**rule)
    (found,) = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    assert len(found["IpPermissions"]) == 1


def test_a_record_that_leads_to_another_process_is_none_and_harms_nobody(home: Path, foreign: int) -> None:
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        paths.emulator_dir().mkdir(parents=True)
        record = {"pid": bystander.pid, "port": foreign, "instance": "0123456789abcdef", "project": "x"}
        (paths.emulator_dir() / "emulator.json").write_text(json.dumps(record))
        assert emulator.find() is None
        assert emulator.stop() is False
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait(timeout=10)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": "x"}', '{"pid": 1, "port": null, "instance": "a"}'])
def test_a_broken_record_is_none(home: Path, content: str) -> None:
    paths.emulator_dir().mkdir(parents=True)
    (paths.emulator_dir() / "emulator.json").write_text(content)
    assert emulator.find() is None


def test_a_forced_port_is_used_and_one_that_is_taken_is_named(
    home: Path, foreign: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    monkeypatch.setenv("WORKBOOK_EMBEDDED_PORT", str(port))
    assert emulator.start().url == f"http://127.0.0.1:{port}"
    emulator.stop()
    monkeypatch.setenv("WORKBOOK_EMBEDDED_PORT", str(foreign))
    with pytest.raises(WorkbookError) as raised:
        emulator.start()
    assert f"port {foreign}" in raised.value.cause
    assert "WORKBOOK_EMBEDDED_PORT" in raised.value.next_step
    monkeypatch.delenv("WORKBOOK_EMBEDDED_PORT")
    assert emulator.start().url.startswith("http://127.0.0.1:"), "the second try works"


@pytest.mark.parametrize("value", ["http", "80", "70000", "-1"])
def test_a_forced_port_that_is_no_port(home: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("WORKBOOK_EMBEDDED_PORT", value)
    with pytest.raises(WorkbookError, match="WORKBOOK_EMBEDDED_PORT is"):
        emulator.start()


def test_a_start_that_dies_shows_the_end_of_its_log(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken"
    (broken / "moto").mkdir(parents=True)
    (broken / "moto" / "__init__.py").write_text("raise ImportError('moto is broken here')\n")
    monkeypatch.setenv("PYTHONPATH", str(broken))
    with pytest.raises(WorkbookError) as raised:
        emulator.start()
    assert "ended while starting" in raised.value.cause
    assert "moto is broken here" in raised.value.detail
    monkeypatch.delenv("PYTHONPATH")
    assert emulator.start()


def test_a_home_that_cannot_be_written(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "file").write_text("")
    monkeypatch.setenv("WORKBOOK_HOME", str(home / "file"))
    with pytest.raises(WorkbookError, match="WORKBOOK_HOME"):
        emulator.start()
    monkeypatch.setenv("WORKBOOK_HOME", str(home))


@pytest.fixture(scope="module")
def polluted_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("polluted")


@pytest.fixture(scope="module")
def polluted(polluted_home: Path) -> Iterator[emulator.Emulator]:
    """An instance started from a shell full of settings that point elsewhere."""
    with pytest.MonkeyPatch.context() as shell:
        shell.setenv("WORKBOOK_HOME", str(polluted_home))
        shell.delenv("WORKBOOK_EMBEDDED_PORT", raising=False)
        for name in (
            "AWS_ACCESS_KEY_ID",
            "AWS_PROFILE",
            "AWS_ENDPOINT_URL",
            "MOTO_ACCOUNT_ID",
            "https_proxy",
            "HTTP_PROXY",
        ):
            shell.setenv(name, "http://192.0.2.1:9")
        assert not [value for value in process.environment(polluted_home).values() if "192.0.2.1" in value]
        found = emulator.start()
    yield found
    with pytest.MonkeyPatch.context() as shell:
        shell.setenv("WORKBOOK_HOME", str(polluted_home))
        assert emulator.stop() is True


def test_nothing_of_the_shell_reaches_the_server(polluted: emulator.Emulator) -> None:
    keys = {"aws_access_key_id": "embedded", "aws_secret_access_key": "embedded"}
    sts = boto3.client("sts", region_name="us-east-1", endpoint_url=polluted.url, **keys)
    assert sts.get_caller_identity()["Account"] == "123456789012"


def test_it_listens_on_the_loopback_interface_only(polluted: emulator.Emulator) -> None:
    if not Path("/proc/net/tcp").exists():
        pytest.skip("this system does not show its sockets in /proc")
    port = int(polluted.url.rsplit(":", 1)[1])
    tables = [Path("/proc/net") / name for name in ("tcp", "tcp6") if (Path("/proc/net") / name).exists()]
    sockets = [line.split() for table in tables for line in table.read_text().splitlines()[1:]]
    listening = [each[1] for each in sockets if each[3] == "0A" and each[1].endswith(f":{port:04X}")]
    assert listening == [f"0100007F:{port:04X}"]


def test_requests_leave_no_line_in_its_log(polluted: emulator.Emulator, polluted_home: Path) -> None:
    for _ in range(5):
        buckets(polluted)
    assert (polluted_home / "embedded" / "emulator.log").read_text() == ""


def test_it_closes_idle_connections_and_ends_by_itself_when_its_home_is_deleted(home: Path) -> None:
    code = (
        "import sys; from workbook.emulator import server; server.WATCH_SECONDS = 0.2; server.IDLE_SECONDS = 0.5; "
        "server.main(['--port', sys.argv[1], '--instance', 'abandoned'])"
    )
    port = free_port()
    paths.emulator_dir().mkdir(parents=True)
    log = home / "log"
    abandoned = subprocess.Popen(
        [sys.executable, "-c", code, str(port)], stdout=log.open("ab"), stderr=subprocess.STDOUT
    )
    try:
        deadline = time.monotonic() + 90
        while emulator.find() is None:
            assert time.monotonic() < deadline and abandoned.poll() is None
            time.sleep(0.1)
        with socket.create_connection(("127.0.0.1", port), timeout=60) as idle:
            assert idle.recv(1) == b""
        (paths.emulator_dir() / "emulator.json").unlink()
        assert abandoned.wait(timeout=60) == 0
        assert log.read_text() == ""
    finally:
        abandoned.kill()
        abandoned.wait(timeout=10)


def test_limits_are_complete_sentences_with_an_id_of_their_own() -> None:
    assert len({limit.id for limit in LIMITS}) == len(LIMITS)
    for limit in LIMITS:
        assert limit.what.endswith(".") and limit.shown_by.endswith("."), limit.id
        assert limit.service in boto3.Session().get_available_services(), limit.id


def test_calls_run_one_at_a_time_and_a_slow_sender_holds_nobody_up() -> None:
    inside, most = [0], [0]

    def application(environ, start_response):
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        time.sleep(0.02)
        inside[0] -= 1
        return [environ["wsgi.input"].read()]

    others_answered = threading.Event()

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            others_answered.wait(30)
            return super().read(size)

    call = Server(application, Path(), "an-instance")
    answers: list[bytes] = []

    def send(body: io.BytesIO) -> None:
        answers.extend(call({"PATH_INFO": "/", "CONTENT_LENGTH": "1", "wsgi.input": body}, lambda *_: None))

    slow = threading.Thread(target=send, args=(Slow(b"s"),))
    slow.start()
    threads = [threading.Thread(target=send, args=(io.BytesIO(b"q"),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert answers == [b"q"] * 8
    others_answered.set()
    slow.join(30)
    assert answers == [b"q"] * 8 + [b"s"]
    assert most[0] == 1
