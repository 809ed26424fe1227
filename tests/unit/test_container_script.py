"""The startup command as a process: its output, how it starts and stops, and what it lets nobody do."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from waiting import until
from workbook.container import Container
from workbook.container.command import startup_command
from workbook.errors import WorkbookError
from workbook.host.paths import CONTAINER
from workbook.host.ports import free_port

SCRIPT_PATH = CONTAINER / "startup.sh"
SCRIPT = startup_command()
PROGRAM = (CONTAINER / "dashboard.py").read_text()
DENIED = "An error occurred (AccessDenied) when calling the ListObjectsV2 operation: Access Denied"
Start = Callable[..., Container]
Within = Callable[[float, Callable[[], float]], None]


def request(container: Container, raw: bytes, timeout: float = 30.0) -> bytes:
    """Everything that comes back for these bytes."""
    with socket.create_connection(("127.0.0.1", container.port), timeout=timeout) as connection:
        connection.sendall(raw)
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while chunk := connection.recv(65536):
                answer += chunk
        return answer


def get(container: Container, path: str, method: str = "GET") -> tuple[int, dict[str, str], str]:
    """Status, headers in lower case, body."""
    head, _, body = (
        request(container, f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()).decode().partition("\r\n\r\n")
    )
    status, *lines = head.split("\r\n")
    return int(status.split()[1]), {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}, body


# ── the file ──


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_parses_in_the_shells_it_meets(shell: str) -> None:
    if not shutil.which(shell):
        pytest.skip(f"no {shell} here")
    options = ["--posix"] if shell == "bash" else []
    assert subprocess.run([shell, *options, "-n", str(SCRIPT_PATH)], capture_output=True, timeout=20).returncode == 0
    assert subprocess.run([shell, *options, "-n", "-c", SCRIPT], capture_output=True, timeout=20).returncode == 0


def test_the_here_document_is_the_whole_program() -> None:
    """The shell alone decides where it ends, so the delimiter must not occur in the program."""
    script = SCRIPT_PATH.read_text()
    (delimiter,) = re.findall(r"<<'(\w+)'$", script, re.MULTILINE)
    assert script.count("@dashboard.py@") == 1
    assert script.endswith(f"<<'{delimiter}'\n@dashboard.py@\n{delimiter}\n")
    assert delimiter not in PROGRAM
    assert PROGRAM.endswith("\n")
    # What the shell hands to its last command, in place of Python.
    shown = subprocess.run(
        ["sh", "-c", "cat " + SCRIPT[SCRIPT.index(f"<<'{delimiter}'") :]], capture_output=True, text=True, timeout=20
    )
    assert shown.stdout == PROGRAM


def test_without_the_program_nothing_runs(aws: Any, tmp_path: Path) -> None:
    whole = {"PATH": aws.search_path, "BUCKET_NAME": "some-bucket", "PAGES_DIR": str(tmp_path)}
    done = subprocess.run(["sh", str(SCRIPT_PATH)], env=whole, capture_output=True, text=True, timeout=20)
    assert done.returncode == 1
    assert "SyntaxError" in done.stderr


def test_shellcheck_is_content() -> None:
    if not shutil.which("shellcheck"):
        pytest.skip("no shellcheck here")
    done = subprocess.run(["shellcheck", "--shell=sh", str(SCRIPT_PATH)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout


def test_the_program_is_python_3_9() -> None:
    # The image has 3.9; nothing in it may be newer, in syntax or in what it imports.
    tree = ast.parse(PROGRAM, feature_version=(3, 9))
    imported = {
        name.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names
    }
    assert imported <= set(sys.stdlib_module_names)
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]


def test_runs_under_python_3_9_where_there_is_one(aws: Any, dashboard: Start) -> None:
    found = next(
        (
            p
            for p in (shutil.which("python3.9"), *Path.home().glob(".pyenv/versions/3.9*/bin/python"))
            if p and _is_39(str(p))
        ),
        None,
    )
    if found is None:
        pytest.skip("no Python 3.9 here")
    (aws.directory / "python3").symlink_to(found)
    container = dashboard()
    container.wait_for("healthy")
    assert get(container, "/health")[2] == "OK"


def _is_39(python: str) -> bool:
    done = subprocess.run(
        [python, "-c", "import sys; print(sys.version_info[:2])"], capture_output=True, text=True, timeout=20
    )
    return done.stdout.strip() == "(3, 9)"


def test_leaves_room_in_the_task_definition() -> None:
    # ECS takes 64 KiB for the whole task definition; in its JSON a newline or a quote is two characters.
    assert len(json.dumps(SCRIPT)) < 40 * 1024


# ── configuration ──


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"BUCKET_NAME": ""}, "BUCKET_NAME is not set"),
        ({"BUCKET_NAME": "--endpoint-url=http://evil"}, "BUCKET_NAME is not a bucket name"),
        ({"BUCKET_NAME": "Capital"}, "BUCKET_NAME is not a bucket name"),
        ({"BUCKET_NAME": "a b"}, "BUCKET_NAME is not a bucket name"),
        ({"BUCKET_NAME": "ab"}, "BUCKET_NAME must have 3 to 63"),
        ({"BUCKET_NAME": "a" * 64}, "BUCKET_NAME must have 3 to 63"),
        ({"PORT": "http"}, "PORT must be a whole number from 1 to 65535"),
        ({"PORT": "0"}, "PORT must be"),
        ({"PORT": "65536"}, "PORT must be"),
        ({"PORT": "99999999999999999999"}, "PORT must be"),
        ({"PORT": "80; id"}, "PORT must be"),
        ({"CHECK_INTERVAL": "0"}, "CHECK_INTERVAL must be a whole number from 1 to 3600"),
        ({"CHECK_INTERVAL": "-5"}, "CHECK_INTERVAL must be"),
        ({"CHECK_INTERVAL": "1.5"}, "CHECK_INTERVAL must be"),
        ({"CHECK_TIMEOUT": "61"}, "CHECK_TIMEOUT must be a whole number from 1 to 60"),
        ({"PAGES_DIR": "/nowhere"}, "PAGES_DIR is not a directory that uid"),
    ],
)
@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_bad_configuration_ends_at_once_with_one_line(
    shell: str, environment: dict[str, str], named: str, aws: Any, tmp_path: Path, within: Within
) -> None:
    if not shutil.which(shell):
        pytest.skip(f"no {shell} here")
    whole = {
        "PATH": aws.search_path,
        "BUCKET_NAME": "some-bucket",
        "PORT": "8080",
        "PAGES_DIR": str(tmp_path),
        **environment,
    }

    def start() -> float:
        started = time.monotonic()
        done = subprocess.run([shell, "-c", SCRIPT], env=whole, capture_output=True, text=True, timeout=20)
        took = time.monotonic() - started
        assert done.returncode == 78
        (line,) = (done.stdout + done.stderr).splitlines()
        message = json.loads(line)
        assert message["event"] == "configuration_error"
        assert message["message"].startswith(named)
        return took

    within(5, start)


def test_a_taken_port_is_named(aws: Any, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", free_port()))
        taken.listen()
        port = taken.getsockname()[1]
        whole = {"PATH": aws.search_path, "BUCKET_NAME": "some-bucket", "PORT": str(port), "PAGES_DIR": str(tmp_path)}
        done = subprocess.run(["sh", "-c", SCRIPT], env=whole, capture_output=True, text=True, timeout=20)
    assert done.returncode == 78
    (line,) = (done.stdout + done.stderr).splitlines()
    assert f"Cannot listen on port {port}" in json.loads(line)["message"]


def test_a_missing_aws_is_named(tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    whole = {"PATH": str(bare), "BUCKET_NAME": "some-bucket", "PAGES_DIR": str(tmp_path)}
    done = subprocess.run(["/bin/sh", "-c", SCRIPT], env=whole, capture_output=True, text=True, timeout=20)
    assert done.returncode == 78
    assert json.loads(done.stderr)["message"] == "The image has no aws."


# ── states ──


@pytest.fixture(scope="module")
def program() -> Iterator[dict[str, Any]]:
    """The names of the Python part, without running it."""
    before = dict(os.environ)
    os.environ.update(BUCKET_NAME="some-bucket", PORT="8080", CHECK_INTERVAL="30", CHECK_TIMEOUT="10")
    names: dict[str, Any] = {"__name__": "dashboard"}
    exec(compile(PROGRAM, "dashboard.py", "exec"), names)
    os.environ.clear()
    os.environ.update(before)
    yield names


# As printed by the command line, versions 1 and 2.
@pytest.mark.parametrize(
    ("message", "cause"),
    [
        (DENIED, "access_denied"),
        (
            "An error occurred (AccessDenied) when calling the ListObjectsV2 operation: User: arn:aws:sts::1:assumed-role/r/s is not "
            "authorized to perform: s3:ListBucket because no VPC endpoint policy allows the s3:ListBucket action",
            "access_denied",
        ),
        (
            "An error occurred (NoSuchBucket) when calling the ListObjectsV2 operation: The specified bucket does not exist",
            "no_such_bucket",
        ),
        (
            'Could not connect to the endpoint URL: "https://b.s3.us-east-1.amazonaws.com/?list-type=2"',
            "endpoint_unreachable",
        ),
        (
            'fatal error: Connect timeout on endpoint URL: "https://b.s3.us-east-1.amazonaws.com/"',
            "endpoint_unreachable",
        ),
        (
            'Connection was closed before we received a valid response from endpoint URL: "http://x/"',
            "endpoint_unreachable",
        ),
        ('Read timeout on endpoint URL: "https://b.s3.us-east-1.amazonaws.com/"', "timeout"),
        (
            "An error occurred (ExpiredToken) when calling the ListObjectsV2 operation: The provided token has expired.",
            "expired_credentials",
        ),
        (
            "An error occurred (RequestTimeTooSkewed) when calling the ListObjectsV2 operation: too large",
            "expired_credentials",
        ),
        ("Credentials were refreshed, but the refreshed credentials are still expired.", "expired_credentials"),
        ('Unable to locate credentials. You can configure credentials by running "aws configure".', "no_credentials"),
        (
            "Error when retrieving credentials from container-role: Error retrieving metadata: Received non 200",
            "no_credentials",
        ),
        (
            "An error occurred (InvalidAccessKeyId) when calling the ListObjectsV2 operation: does not exist",
            "no_credentials",
        ),
        (
            "An error occurred (SlowDown) when calling the ListObjectsV2 operation (reached max retries: 1): Reduce your rate",
            "throttled",
        ),
        ("An error occurred (ServiceUnavailable) when calling the ListObjectsV2 operation: later", "throttled"),
        (
            "An error occurred (PermanentRedirect) when calling the ListObjectsV2 operation: use the endpoint",
            "wrong_region",
        ),
        ("An error occurred (InternalError) when calling the ListObjectsV2 operation: we", "check_failed"),
        ("Segmentation fault", "check_failed"),
    ],
)
def test_every_failure_has_its_cause(program: dict[str, Any], message: str, cause: str) -> None:
    assert program["classify"](message) == cause
    title, meaning, first_look = program["CAUSES"][cause]
    assert title and meaning.endswith(".") and len(first_look) > 20


def test_the_first_page_is_there_within_two_seconds_whatever_s3_does(
    aws: Any, dashboard: Start, within: Within
) -> None:
    aws.says("exec sleep 60")

    def start() -> float:
        started = time.monotonic()
        container = dashboard(CHECK_TIMEOUT=60)
        status, headers, page = get(container, "/")
        took = time.monotonic() - started
        assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert "<h2>Checking</h2>" in page
        assert container.status()["state"] == "checking"
        assert container.status()["last_check"] is None
        assert get(container, "/status.json")[0] == 503
        return took

    within(2, start)


@pytest.mark.slow
def test_states_follow_the_bucket(aws: Any, dashboard: Start) -> None:
    container = dashboard()
    healthy = container.wait_for("healthy")
    assert healthy["cause"] is None
    assert healthy["last_check"]["entries"] == 2
    assert "<h2>Healthy</h2>" in container.page()

    aws.fails(DENIED)
    denied = container.wait_for("degraded", "access_denied")
    assert denied["last_check"]["message"] == DENIED
    assert denied["since"] > healthy["since"]
    assert "<h2>Access denied</h2>" in container.page()
    assert DENIED in container.page()
    # The process serves: that is all that liveness says. Who wants to know about the bucket asks for the status.
    assert get(container, "/health")[::2] == (200, "OK")
    assert (get(container, "/")[0], get(container, "/status.json")[0]) == (200, 503)
    assert container.health().passed

    time.sleep(2.2)
    still = container.status()
    assert still["since"] == denied["since"]
    assert still["checks"] > denied["checks"]
    assert still["failures"] > denied["failures"]

    aws.fails("An error occurred (NoSuchBucket) when calling the ListObjectsV2 operation: gone")
    other = container.wait_for("degraded", "no_such_bucket")
    assert other["since"] > denied["since"]

    aws.says("echo 'PRE a/'")
    healed = container.wait_for("healthy")
    assert get(container, "/status.json")[0] == 200
    assert healed["failures"] == container.status()["failures"] >= 3
    assert all(call.startswith("s3 ls s3://alloy-dev-take-home-data ") for call in aws.calls)


@pytest.mark.slow
def test_a_check_that_hangs_is_ended_and_named(aws: Any, dashboard: Start) -> None:
    aws.says("exec sleep 60")
    container = dashboard(CHECK_TIMEOUT=1)
    status = container.wait_for("degraded", "timeout")
    assert 900 <= status["last_check"]["duration_ms"] < 30_000
    assert _children(container.pid, "sleep") <= 1


def test_a_bucket_without_end_counts_as_listed(aws: Any, dashboard: Start) -> None:
    aws.says("while :; do echo '2026-01-01 00:00:00 1 key'; done")
    container = dashboard(CHECK_INTERVAL=30)
    status = container.wait_for("healthy")
    assert status["last_check"]["entries"] >= 1000
    assert status["last_check"]["entries_complete"] is False
    assert re.search(r"at least \d{4,} at the top level", container.page())


@pytest.mark.slow
def test_an_error_without_end_does_not_fill_the_memory(aws: Any, dashboard: Start) -> None:
    aws.says("while :; do echo 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxx' >&2; done")
    container = dashboard(CHECK_TIMEOUT=1, CHECK_INTERVAL=30)
    container.wait_for("degraded")
    peak = int(re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{container.pid}/status").read_text()).group(1))  # type: ignore[union-attr]
    assert peak < 120_000


# ── what is shown ──


def test_markup_stays_text(aws: Any, dashboard: Start) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&"
    aws.fails(f"{evil} An error occurred (AccessDenied)")
    container = dashboard(ENVIRONMENT=evil, SECURITY_FEATURES=f"{evil}: {evil}\nno colon {evil}", AWS_REGION=evil)
    container.wait_for("degraded", "access_denied")
    page = container.page()
    assert page.count("<script>") == 1
    assert "<img" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=alert(2)&gt;&quot;&#x27;&amp;") == 6
    assert container.status()["last_check"]["message"].startswith(evil)


def test_the_names_of_objects_are_not_shown(aws: Any, dashboard: Start) -> None:
    aws.says("echo '2026-01-01 00:00:00 9 <b>payroll</b>.xlsx'")
    container = dashboard()
    container.wait_for("healthy")
    assert "payroll" not in container.page() + json.dumps(container.status()) + json.dumps(container.logs())


def test_no_secret_reaches_page_or_log(aws: Any, dashboard: Start) -> None:
    # Two of them are known from the environment, the others are known by their looks; none is a real one.
    secret, token, key = (
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "FwoGZXIvYXdzEXAMPLE" * 6,
        "ASIA" + "IOSFODNN7EXAMPL1",
    )
    aws.fails(
        f"bad key {key}, secret {secret}, x-amz-security-token: {token}, Signature={'a1b2' * 16} An error occurred (AccessDenied)"
    )
    container = dashboard(AWS_SECRET_ACCESS_KEY=secret, AWS_SESSION_TOKEN=token, AWS_ACCESS_KEY_ID=key)
    container.wait_for("degraded", "access_denied")
    shown = container.page() + json.dumps(container.status()) + json.dumps(container.logs())
    assert "bad key ASIA[removed], secret [removed]" in container.status()["last_check"]["message"]
    for hidden in (secret, token, key, "a1b2a1b2"):
        assert hidden not in shown


@pytest.mark.slow
def test_every_check_is_one_line_of_json(aws: Any, dashboard: Start) -> None:
    container = dashboard()
    container.wait_for("healthy")
    aws.fails('two lines "quoted"\n\tAn error occurred (AccessDenied) ünïcode')
    container.wait_for("degraded")
    container.stop()
    logs = container.logs()
    assert (logs[0]["event"], logs[-1]["event"]) == ("start", "stop")
    assert "output" not in {line["event"] for line in logs}
    checks = container.logs("check")
    assert [line["checks"] for line in checks] == list(range(1, len(checks) + 1))
    assert {"time", "state", "cause", "duration_ms", "message", "since", "bucket"} <= set(checks[0])
    assert checks[-1]["message"] == 'two lines "quoted" An error occurred (AccessDenied) ünïcode'
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", line["time"]) for line in logs)


@pytest.mark.slow
def test_only_its_pages_are_written(dashboard: Start) -> None:
    container = dashboard()
    container.wait_for("healthy")
    time.sleep(1.5)
    written = list(_pages(container).iterdir())
    assert sorted(path.name for path in written) == ["index.html", "status.json"]
    assert {path.stat().st_mode & 0o777 for path in written} == {0o600}


def test_a_module_in_the_writable_directory_is_not_imported(aws: Any, tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "json.py").write_text("raise SystemExit('taken over')")
    whole = {
        "PATH": aws.search_path,
        "BUCKET_NAME": "some-bucket",
        "PORT": "1",
        "PAGES_DIR": str(pages),
        "PYTHONPATH": str(pages),
    }
    process = subprocess.Popen(
        ["sh", "-c", SCRIPT], env={**whole, "PORT": str(free_port())}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["event"] == "start"
    finally:
        process.terminate()
        process.communicate(timeout=10)


# ── as PID 1 ──


@pytest.mark.parametrize("shell", ["dash", "bash"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("busy", [False, True], ids=["between checks", "during a check"])
def test_a_signal_ends_it_within_a_second(
    shell: str, number: signal.Signals, busy: bool, aws: Any, tmp_path: Path, within: Within
) -> None:
    if not shutil.which(shell):
        pytest.skip(f"no {shell} here")
    if busy:
        aws.says("exec sleep 61")
    pages = tmp_path / "pages"
    pages.mkdir()

    def start_and_end() -> float:
        whole = {
            "PATH": aws.search_path,
            "BUCKET_NAME": "some-bucket",
            "PORT": str(free_port()),
            "PAGES_DIR": str(pages),
        }
        process = subprocess.Popen(
            [shell, "-c", SCRIPT], env=whole, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        try:
            assert process.stdout is not None
            assert json.loads(process.stdout.readline())["event"] == "start"
            if busy:
                until(lambda: _children(process.pid, "sleep") == 1, "a check is running")
            else:
                assert json.loads(process.stdout.readline())["event"] == "check"
            started = time.monotonic()
            process.send_signal(number)
            assert process.wait(20) == 0
            took = time.monotonic() - started
            assert json.loads(process.stdout.readline())["event"] == "stop"
            assert not _alive("sleep 61")
            return took
        finally:
            process.kill()
            process.communicate(timeout=10)

    within(1, start_and_end)


@pytest.mark.slow
def test_orphans_are_collected(aws: Any, tmp_path: Path) -> None:
    """As PID 1 it inherits every orphan of the container; prctl gives it that role here (PR_SET_CHILD_SUBREAPER)."""
    if sys.platform != "linux":
        pytest.skip("needs prctl")
    aws.says("(sleep 3 >/dev/null 2>&1 &)")
    pages = tmp_path / "pages"
    pages.mkdir()
    whole = {
        "PATH": aws.search_path,
        "BUCKET_NAME": "some-bucket",
        "PORT": str(free_port()),
        "PAGES_DIR": str(pages),
        "CHECK_INTERVAL": "60",
    }
    become = (
        "import ctypes,os,sys; assert ctypes.CDLL(None).prctl(36,1,0,0,0)==0; os.execvp('sh',['sh','-c',sys.argv[1]])"
    )
    process = subprocess.Popen([sys.executable, "-c", become, SCRIPT], env=whole, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert [json.loads(process.stdout.readline())["event"] for _ in range(2)] == ["start", "check"]
        # It did inherit one, which a busy machine may not yet have put to sleep.
        assert "sleep" in [name for state, name in _processes_of(process.pid) if state != "Z"]
        # A zombie would be listed until the next check, in 60 s.
        until(lambda: _children(process.pid) == 0, "its children are collected")
    finally:
        process.terminate()
        process.communicate(timeout=10)


# ── over HTTP ──


@pytest.fixture
def served(dashboard: Start) -> Container:
    container = dashboard(CHECK_INTERVAL=3600)
    container.wait_for("healthy")
    return container


def test_health_is_plain_text(served: Container) -> None:
    status, headers, body = get(served, "/health")
    assert (status, body, headers["content-type"]) == (200, "OK", "text/plain; charset=utf-8")
    assert get(served, "/health?from=alb")[0] == 200


@pytest.mark.parametrize("path", ["/", "/health", "/status.json", "/missing"])
def test_headers_that_every_answer_has(served: Container, path: str) -> None:
    _, headers, body = get(served, path)
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers
    assert int(headers["content-length"]) == len(body.encode())


def test_head_has_the_headers_and_no_body(served: Container) -> None:
    status, headers, body = get(served, "/", "HEAD")
    assert (status, body) == (200, "")
    assert int(headers["content-length"]) > 1000


@pytest.mark.parametrize(
    "path",
    [
        "/index.html",
        "/status.json.new",
        "/.aws/credentials",
        "/.",
        "/health/",
        "/Health",
        "/%2e%2e/etc/passwd",
        "/../../../../etc/passwd",
        "/..%2f..%2fetc%2fpasswd",
        "/%00",
        "/status.json/..",
        "/proc/self/environ",
        "http://169.254.170.2/v2/credentials",
        "*",
        "/" + "a" * 60000,
        "/\x7f\xe9",
    ],
)
def test_nothing_else_is_served(served: Container, path: str) -> None:
    status, headers, body = get(served, path)
    assert (status, body, headers["content-type"]) == (404, "Not Found\n", "text/plain; charset=utf-8")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"])
def test_other_methods_are_not_allowed(served: Container, method: str) -> None:
    status, headers, body = get(served, "/health", method)
    assert (status, headers["allow"], body) == (405, "GET, HEAD", "Method not allowed\n")


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"BREW / HTTP/1.1\r\n\r\n", 501),
        (b"__class__ / HTTP/1.1\r\n\r\n", 501),
        (b"<script> / HTTP/1.1\r\n\r\n", 501),
        (b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 70000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 200 + b"\r\n", 431),
        (b"GET / HTTP/9.9\r\n\r\n", 505),
        (b"GET / FTP/1.1\r\n\r\n", 400),
        (b"GET  /  HTTP/1.1 extra words\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 200),
    ],
)
def test_odd_requests_get_a_short_answer(served: Container, raw: bytes, status: int) -> None:
    answer = request(served, raw)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split(b" ")[:2] == [b"HTTP/1.1", str(status).encode()]
    assert b"content-security-policy" in head.lower()
    if status != 200:
        assert len(body) < 60
    assert not re.search(
        rb"python|basehttp|traceback|script>|/usr/|startup", answer if status != 200 else head, re.IGNORECASE
    )
    assert get(served, "/health")[0] == 200
    assert "request_error" not in {line["event"] for line in served.logs()}


@pytest.mark.parametrize("path", ["/x%0d%0aSet-Cookie:%20a=b", "/x\rSet-Cookie:a=b", "/health?%0d%0aSet-Cookie:%20a=b"])
def test_a_header_cannot_be_injected(served: Container, path: str) -> None:
    answer = request(served, f"GET {path} HTTP/1.1\r\nHost: evil\r\nX-Forwarded-Host: evil\r\n\r\n".encode())
    head = answer.partition(b"\r\n\r\n")[0].lower()
    assert b"set-cookie" not in head
    assert b"evil" not in answer


def test_a_body_that_never_comes_is_not_waited_for(served: Container, within: Within) -> None:
    def post() -> float:
        started = time.monotonic()
        assert request(served, b"POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n").startswith(b"HTTP/1.1 405 ")
        return time.monotonic() - started

    within(2, post)


# ── load ──


@pytest.mark.slow
def test_idle_connections_do_not_stop_health(served: Container) -> None:
    """200 clients that send a line and fall silent, and go on sending a byte at a time."""
    idle = []
    try:
        for _ in range(200):
            connection = socket.create_connection(("127.0.0.1", served.port), timeout=5)
            connection.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
            idle.append(connection)
        took = []
        for _ in range(20):
            for connection in idle:
                with contextlib.suppress(OSError):
                    connection.sendall(b"a")
            started = time.monotonic()
            assert get(served, "/health")[0] == 200
            took.append(time.monotonic() - started)
        assert statistics.median(took) < 1
        assert served.health().passed
        assert _threads(served.pid) < 150
    finally:
        for connection in idle:
            connection.close()
    until(lambda: _threads(served.pid) < 10, "the threads of the connections have ended")


@pytest.mark.slow
def test_a_silent_connection_is_closed(served: Container) -> None:
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as connection:
        started = time.monotonic()
        connection.sendall(b"GET / HT")
        assert connection.recv(1000) == b""
        assert time.monotonic() - started > 4


@pytest.mark.slow
def test_load(aws: Any, dashboard: Start) -> None:
    """wrk for three seconds on each path, while the pages are rewritten every second: no error, and healthy meanwhile,
    as ECS counts.
    """
    wrk = shutil.which("wrk")
    if wrk is None:
        pytest.skip("wrk is not installed (apt-get install wrk)")
    container = dashboard(CHECK_INTERVAL=1)
    container.wait_for("healthy")
    for path in ("/health", "/"):
        load = subprocess.Popen(
            [wrk, "-t1", "-c32", "-d3s", "--timeout", "20s", "--latency", container.url + path],
            stdout=subprocess.PIPE,
            text=True,
        )
        checks = []
        for _ in range(8):
            checks.append(container.health())
            time.sleep(0.3)
        output = load.communicate(timeout=60)[0]
        failed_in_a_row = max(len(run) for run in "".join("+" if check.passed else "-" for check in checks).split("+"))
        assert failed_in_a_row < container.definition.health_check["retries"], [check.output for check in checks]
        slowest = max(check.seconds for check in checks)
        rate = float(re.search(r"Requests/sec:\s+([\d.]+)", output).group(1))  # type: ignore[union-attr]
        print(f"{path}: {rate:.0f} requests/s, slowest health check meanwhile {slowest:.2f} s\n{output}")
        assert "Non-2xx" not in output
        assert "Socket errors" not in output
        assert rate > 5
    assert container.status()["state"] == "healthy"
    assert container.running


@pytest.mark.slow
def test_pages_are_replaced_whole(dashboard: Start) -> None:
    container = dashboard(CHECK_INTERVAL=1)
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        assert container.page().endswith("</html>\n")
        assert container.status()["bucket"] == "alloy-dev-take-home-data"


@pytest.mark.slow
def test_a_pages_directory_that_vanishes_ends_it_with_a_line(dashboard: Start) -> None:
    container = dashboard()
    container.wait_for("healthy")
    shutil.rmtree(_pages(container))
    until(lambda: not container.running, "it has ended")
    assert container.logs()[-1]["event"] == "stop"
    with pytest.raises(WorkbookError, match="does not answer"):
        container.page()
    assert container.stop() == 1


# ── helpers ──


def _pages(container: Container) -> Path:
    """The directory it may write to."""
    return Path(container.overrides["PAGES_DIR"])


def _processes_of(parent: int) -> list[tuple[str, str]]:
    """State letter and name of every child."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            name, _, rest = path.read_text().partition("(")[2].rpartition(")")
            state, ppid = rest.split()[:2]
            if int(ppid) == parent:
                found.append((state, name))
    return found


def _children(parent: int, name: str | None = None) -> int:
    return sum(name in (None, child) for _, child in _processes_of(parent))


def _alive(command_line: str) -> bool:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if path.read_bytes().replace(b"\0", b" ").decode(errors="replace").strip() == command_line:
                return True
    return False


def _threads(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))
