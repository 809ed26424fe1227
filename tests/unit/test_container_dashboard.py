"""container/dashboard.py as a module: classification, redaction, status, pages and HTTP handler, without a process of
its own.
"""

from __future__ import annotations

import http.client
import importlib.util
import io
import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from workbook.host.paths import CONTAINER

ENVIRONMENT = {
    "BUCKET_NAME": "some-bucket",
    "PORT": "8080",
    "CHECK_INTERVAL": "30",
    "CHECK_TIMEOUT": "10",
    "ENVIRONMENT": "dev",
    "AWS_REGION": "us-east-1",
    "SECURITY_FEATURES": "Encryption at rest: AES-256\n\n  Network: private: no address  \nno colon",
}
DENIED = "An error occurred (AccessDenied) when calling the ListObjectsV2 operation: Access Denied"
Load = Callable[..., Any]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Load:
    """Imports the program under these environment variables, with an empty directory to write its pages to."""

    def load(**environment: str) -> ModuleType:
        for name in [name for name in os.environ if name.startswith(("AWS_", "ECS_"))]:
            monkeypatch.delenv(name)
        for name, value in {**ENVIRONMENT, **environment}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        spec = importlib.util.spec_from_file_location("dashboard", CONTAINER / "dashboard.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture
def dashboard(load: Load) -> Any:
    return load()


class Check:
    """The result of a check, without the check."""

    def __init__(self, cause: str | None = None, message: str = "", entries: int = 2, more: bool = False, at: int = 0):
        self.cause, self.message, self.entries, self.more = cause, message, entries, more
        self.at, self.duration_ms = f"2026-01-02T03:04:{at:02}Z", 1234


def status_after(dashboard: Any, *checks: Check) -> Any:
    status = dashboard.Status()
    for check in checks:
        status.add(check)
    return status


# ── configuration ──


def test_configuration_is_read_from_the_environment(dashboard: Any) -> None:
    assert (dashboard.BUCKET, dashboard.PORT, dashboard.INTERVAL, dashboard.TIMEOUT) == ("some-bucket", 8080, 30, 10)
    assert dashboard.FEATURES == [
        ("Encryption at rest", ":", " AES-256"),
        ("Network", ":", " private: no address"),
        ("no colon", "", ""),
    ]
    assert dashboard.METADATA is dashboard.CREDENTIALS is None


def test_the_relative_credentials_address_of_fargate_wins(load: Load) -> None:
    full = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/credentials"}
    assert load(**full).CREDENTIALS == "http://127.0.0.1:1/credentials"
    relative = {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/1"}
    assert load(**full, **relative).CREDENTIALS == "http://169.254.170.2/v2/credentials/1"


# ── classification ──

# One message for each alternative of the patterns, by the cause it must give.
SYMPTOMS = {
    "access_denied": ["(AccessDenied)", "(AllAccessDisabled)", "(Forbidden)", "(403)"],
    "no_such_bucket": ["(NoSuchBucket)", "(404)"],
    "expired_credentials": [
        "(ExpiredToken)",
        "(ExpiredTokenException)",
        "(RequestExpired)",
        "(RequestTimeTooSkewed)",
        "the refreshed credentials are still expired",
    ],
    "no_credentials": [
        "(InvalidAccessKeyId)",
        "(SignatureDoesNotMatch)",
        "(InvalidToken)",
        "(InvalidClientTokenId)",
        "Unable to locate credentials",
        "unable to locate credentials",
        "Error when retrieving credentials from container-role",
    ],
    "throttled": [
        "(SlowDown)",
        "(ServiceUnavailable)",
        "(Throttling)",
        "(ThrottlingException)",
        "(RequestLimitExceeded)",
        "(TooManyRequests)",
        "(503)",
        "(429)",
    ],
    "wrong_region": [
        "(PermanentRedirect)",
        "(AuthorizationHeaderMalformed)",
        "(IllegalLocationConstraintException)",
        "(301)",
    ],
    "endpoint_unreachable": [
        "Could not connect to the endpoint URL",
        "Connect timeout on endpoint URL",
        "Connection was closed before",
        "connection refused",
        "Connection reset by peer",
        "Name or service not known",
        "SSL validation failed",
        "Failed to connect to proxy URL",
    ],
    "timeout": ["Read timeout on endpoint URL"],
    "check_failed": ["", "AccessDenied", "403", "(InternalError)", "Segmentation fault"],
}


@pytest.mark.parametrize(("cause", "message"), [(cause, each) for cause in SYMPTOMS for each in SYMPTOMS[cause]])
def test_each_symptom_has_its_cause(dashboard: Any, cause: str, message: str) -> None:
    assert dashboard.classify(f"An error occurred {message} in S3") == cause


def test_every_cause_is_explained_and_found(dashboard: Any) -> None:
    assert set(dashboard.CAUSES) == set(SYMPTOMS)
    assert {cause for cause, _ in dashboard.SYMPTOMS} == set(SYMPTOMS) - {"check_failed"}
    assert "10 s" in dashboard.CAUSES["timeout"][1]


def test_an_error_code_outranks_the_wording_after_it(dashboard: Any) -> None:
    assert dashboard.classify("(AccessDenied): Connection refused, credentials expired") == "access_denied"


def test_every_cause_is_in_the_documentation(dashboard: Any) -> None:
    table = (CONTAINER / "HEALTHCHECK.md").read_text().partition("| cause in `/status.json` |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == set(dashboard.CAUSES)


# ── redaction ──


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("one\n two\t three  ", "one two three"),
        ("key AKIAIOSFODNN7EXAMPLE.", "key AKIA[removed]."),
        ("Signature=abc&x=1", "Signature=[removed]&x=1"),
        ('"token": "abc", next', '"token": [removed], next'),
        ("x" * 60, "[removed]"),
        ("x" * 59, "x" * 59),
        ("a b " * 100, ("a b " * 100).strip()),
    ],
)
def test_scrub(dashboard: Any, text: str, shown: str) -> None:
    assert dashboard.scrub(text) == shown


def test_scrub_removes_the_secrets_of_the_environment(dashboard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert dashboard.scrub("said hunter2 twice") == "said hunter2 twice"
    monkeypatch.setenv("AWS_SESSION_TOKEN", "hunter2")
    assert dashboard.scrub("said hunter2 twice") == "said [removed] twice"


def test_scrub_keeps_400_characters(dashboard: Any) -> None:
    long = dashboard.scrub("word " * 200)
    assert len(long) == 400
    assert long.endswith("…")


# ── a check ──


class Process:
    """`aws` as the check sees it: two pipes that hold what it printed, and an exit code."""

    def __init__(self, out: bytes, err: bytes, code: int) -> None:
        self.code, self.killed = code, False
        self.stdout, self.stderr = self._pipe(out), self._pipe(err)

    @staticmethod
    def _pipe(data: bytes) -> io.FileIO:
        reader, writer = os.pipe()
        os.write(writer, data)
        os.close(writer)
        return io.FileIO(reader)

    def wait(self, timeout: float | None = None) -> int:
        return -9 if self.killed else self.code

    def kill(self) -> None:
        self.killed = True


@pytest.mark.parametrize(
    ("out", "err", "code", "result"),
    [
        (b"PRE a/\n2026-01-01 00:00:00 1 key\n", b"", 0, (None, "", 2, False)),
        (b"", b"", 0, (None, "", 0, False)),
        (b"", b"\n" + DENIED.encode() + b"\n", 254, ("access_denied", DENIED, 0, False)),
        (b"", b"", 7, ("check_failed", "aws s3 ls exited with code 7.", 0, False)),
        (b"", b"\xff not UTF-8", 1, ("check_failed", "\ufffd not UTF-8", 0, False)),
        (b"key\n" * 1000, b"", 0, (None, "", 1000, True)),
    ],
)
def test_a_check_is_the_outcome_of_the_command(
    dashboard: Any, monkeypatch: pytest.MonkeyPatch, out: bytes, err: bytes, code: int, result: tuple[Any, ...]
) -> None:
    started: list[tuple[list[str], dict[str, Any]]] = []
    process = Process(out, err, code)
    monkeypatch.setattr(
        dashboard.subprocess, "Popen", lambda command, **options: started.append((command, options)) or process
    )
    check = dashboard.Check(threading.Event())
    assert (check.cause, check.message, check.entries, check.more) == result
    assert process.killed is check.more
    assert process.stdout.closed and process.stderr.closed
    ((command, options),) = started
    assert command[:4] == ["aws", "s3", "ls", "s3://some-bucket"]
    assert options["stdin"] == subprocess.DEVNULL
    assert options["env"]["AWS_MAX_ATTEMPTS"] == "2"
    assert options["env"]["AWS_EC2_METADATA_DISABLED"] == "true"


def test_a_command_that_does_not_start_is_a_failed_check(dashboard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    check = dashboard.Check(threading.Event())
    assert check.cause == "check_failed"
    assert "No such file" in check.message


# ── status ──


def test_before_the_first_check(dashboard: Any) -> None:
    document = dashboard.Status().document()
    assert (document["state"], document["cause"], document["title"]) == ("checking", None, "Checking")
    assert (document["checks"], document["failures"], document["last_check"]) == (0, 0, None)
    assert document["since"] == document["started"]


def test_since_moves_only_when_state_or_cause_changes(dashboard: Any) -> None:
    status = dashboard.Status()
    seen = []
    for at, cause in enumerate([None, None, "timeout", "timeout", "throttled", None], 1):
        status.add(Check(cause, at=at))
        seen.append((status.state, status.since[-3:-1]))
    assert seen == [
        ("healthy", "01"),
        ("healthy", "01"),
        ("degraded", "03"),
        ("degraded", "03"),
        ("degraded", "05"),
        ("healthy", "06"),
    ]
    assert (status.checks, status.failures) == (6, 3)


def test_the_document_of_a_degraded_task(dashboard: Any) -> None:
    document = status_after(dashboard, Check("access_denied", DENIED, entries=0, at=7)).document()
    title, meaning, first_look = dashboard.CAUSES["access_denied"]
    assert document["last_check"] == {
        "at": "2026-01-02T03:04:07Z",
        "duration_ms": 1234,
        "entries": 0,
        "entries_complete": True,
        "message": DENIED,
    }
    assert {key: document[key] for key in ("state", "cause", "title", "meaning", "look_at_first")} == {
        "state": "degraded",
        "cause": "access_denied",
        "title": title,
        "meaning": meaning,
        "look_at_first": first_look,
    }
    assert {
        key: document[key] for key in ("interval_seconds", "timeout_seconds", "bucket", "region", "environment")
    } == {
        "interval_seconds": 30,
        "timeout_seconds": 10,
        "bucket": "some-bucket",
        "region": "us-east-1",
        "environment": "dev",
    }
    assert json.loads(json.dumps(document)) == document


def test_only_the_latest_40_checks_are_kept(dashboard: Any) -> None:
    status = status_after(dashboard, *[Check() for _ in range(50)])
    assert (len(status.history), status.checks) == (40, 50)


def test_identity_keeps_the_role_and_no_credential(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    dashboard = load(
        ECS_CONTAINER_METADATA_URI_V4="http://agent/v4", AWS_CONTAINER_CREDENTIALS_FULL_URI="http://agent/credentials"
    )
    documents = {
        "http://agent/v4/task": {
            "TaskARN": "arn:aws:ecs:us-east-1:1:task/c/abc",
            "AvailabilityZone": "us-east-1b",
            "Family": "f",
            "Revision": "3",
        },
        "http://agent/credentials": {"RoleArn": "arn:role", "SecretAccessKey": "s", "Token": "t"},
    }
    monkeypatch.setattr(dashboard, "fetch_json", documents.__getitem__)
    whole = {"task": "abc", "availability_zone": "us-east-1b", "task_definition": "f:3", "role": "arn:role"}
    assert dashboard.identity() == whole
    status = dashboard.Status()
    dashboard.learn_identity(status)
    assert status.document()["identity"] == whole


@pytest.mark.parametrize("answer", [OSError("refused"), ValueError("not JSON"), ["not", "an object"]])
def test_an_agent_that_misbehaves_leaves_the_identity_empty(
    load: Load, monkeypatch: pytest.MonkeyPatch, answer: object
) -> None:
    dashboard = load(ECS_CONTAINER_METADATA_URI_V4="http://agent/v4")

    def fetch(url: str) -> object:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(dashboard, "fetch_json", fetch)
    assert dashboard.identity() == {}


# ── pages ──


def test_the_first_page(dashboard: Any) -> None:
    page = dashboard.page(dashboard.Status())
    assert "<title>Checking · some-bucket</title>" in page
    assert '<section class="state checking">' in page
    assert "dev · us-east-1" in page
    assert "Last check" not in page and "Where to look first" not in page and "strip" not in page.split("</style>")[1]
    assert page.endswith("</html>\n")


def test_the_page_of_a_healthy_task(dashboard: Any) -> None:
    status = status_after(dashboard, Check("timeout", "killed"), Check(entries=3))
    status.task = {"role": "arn:role", "task": "abc"}
    page = dashboard.page(status)
    for part in (
        "<h2>Healthy</h2><p>This task can list the bucket.</p>",
        "<dt>Command</dt><dd><code>aws s3 ls s3://some-bucket</code></dd>",
        '<time datetime="2026-01-02T03:04:00Z">02 Jan 2026, 03:04:00 UTC</time>',
        "<dt>Duration</dt><dd>1.2 s</dd>",
        "<dt>Entries</dt><dd>3 at the top level</dd>",
        "<dt>Checks</dt><dd>2, of which 1 failed</dd>",
        'aria-label="Last 2 checks, oldest first: 1 healthy, 1 failed"><i class="no"></i><i></i></div>',
        '<dl><dt>Role</dt><dd><span class="mono">arn:role</span></dd><dt>Task</dt>',
        '<li><strong>Network</strong><span class="soft">private: no address</span></li>',
        '<li><strong>no colon</strong><span class="soft"></span></li>',
        "Checked every 30 s.",
    ):
        assert part in page
    assert "Zone" not in page and "killed" not in page and "Where to look first" not in page


def test_the_page_of_a_degraded_task(dashboard: Any) -> None:
    page = dashboard.page(status_after(dashboard, Check("access_denied", "<b>denied</b> & 'quoted'", entries=0)))
    assert "<h2>Access denied</h2>" in page
    assert "Degraded: the task serves requests (/health is OK) but cannot list its bucket" in page
    assert '<code class="said">&lt;b&gt;denied&lt;/b&gt; &amp; &#x27;quoted&#x27;</code>' in page
    assert "Where to look first:</strong> The message below" in page
    assert "<dt>Entries</dt>" not in page


def test_a_listing_cut_short_says_at_least(dashboard: Any) -> None:
    assert "at least 1000 at the top level" in dashboard.page(status_after(dashboard, Check(entries=1000, more=True)))


def test_no_features_no_section(load: Load) -> None:
    dashboard = load(SECURITY_FEATURES=" \n ")
    assert "Security features" not in dashboard.page(dashboard.Status())


def test_everything_from_outside_is_escaped(load: Load) -> None:
    evil = "<script>\"'&"
    dashboard = load(ENVIRONMENT=evil, AWS_REGION=evil, SECURITY_FEATURES=f"{evil}: {evil}", BUCKET_NAME=evil)
    status = status_after(dashboard, Check("check_failed", evil))
    status.task = dict.fromkeys(dashboard.IDENTITY, evil)
    page = dashboard.page(status)
    assert page.count("<script>") == 1
    # Twice each the place, the features and the bucket; the message; four rows of the identity.
    assert page.count("&lt;script&gt;&quot;&#x27;&amp;") == 11


def test_the_policy_allows_exactly_the_style_and_script_of_the_page(dashboard: Any) -> None:
    page = dashboard.page(dashboard.Status())
    policy = dashboard.HEADERS["Content-Security-Policy"]
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert f"style-src {dashboard.csp_hash(style)}; script-src {dashboard.csp_hash(script)};" in policy
    # The empty string's SHA-256, in base64.
    assert dashboard.csp_hash("") == "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"


def test_publishing_writes_both_files_and_nothing_else(dashboard: Any, tmp_path: Path) -> None:
    status = status_after(dashboard, Check())
    dashboard.publish(status)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index.html", "status.json"]
    assert (tmp_path / "index.html").read_text() == dashboard.page(status)
    assert json.loads((tmp_path / "status.json").read_text()) == status.document()
    assert dashboard.Handler.healthy is True
    status.add(Check("timeout"))
    dashboard.publish(status)
    assert dashboard.Handler.healthy is False


def test_a_log_line_is_one_json_object(dashboard: Any, capsys: pytest.CaptureFixture[str]) -> None:
    dashboard.log("check", message="two\nlines", cause=None)
    (line,) = capsys.readouterr().out.splitlines()
    document = json.loads(line)
    assert list(document) == ["time", "event", "message", "cause"]
    assert document["message"] == "two\nlines"
    assert abs(time.time() - time.mktime(time.strptime(document["time"], "%Y-%m-%dT%H:%M:%SZ")) + time.timezone) < 60


# ── over HTTP ──


@pytest.fixture
def server(dashboard: Any) -> Iterator[Any]:
    server = dashboard.Server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def ask(server: Any, method: str, path: str) -> tuple[int, dict[str, str], str]:
    connection = http.client.HTTPConnection(*server.server_address, timeout=30)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, dict(answer.headers), answer.read().decode()
    finally:
        connection.close()


def test_health_answers_before_anything_was_checked(server: Any, dashboard: Any, tmp_path: Path) -> None:
    assert list(tmp_path.iterdir()) == []
    status, headers, body = ask(server, "GET", "/health")
    assert (status, body) == (200, "OK")
    assert dashboard.HEADERS.items() <= headers.items()


@pytest.mark.parametrize(("cause", "code"), [(None, 200), ("timeout", 503)])
def test_only_status_json_depends_on_the_bucket(server: Any, dashboard: Any, cause: str | None, code: int) -> None:
    dashboard.publish(status_after(dashboard, Check(cause)))
    assert ask(server, "GET", "/health")[::2] == (200, "OK")
    assert ask(server, "GET", "/?x=1")[0] == 200
    status, headers, body = ask(server, "GET", "/status.json")
    assert (status, headers["Content-Type"], json.loads(body)["cause"]) == (code, "application/json", cause)


@pytest.mark.parametrize(
    ("method", "path", "code", "body"),
    [
        ("GET", "/index.html", 404, "Not Found\n"),
        ("HEAD", "/health", 200, ""),
        ("POST", "/health", 405, "Method not allowed\n"),
        ("BREW", "/health", 501, "Not Implemented\n"),
    ],
)
def test_the_handler_refuses_everything_else(server: Any, method: str, path: str, code: int, body: str) -> None:
    status, headers, text = ask(server, method, path)
    assert (status, text) == (code, body)
    assert headers.get("Allow") == ("GET, HEAD" if code == 405 else None)
    assert "Server" not in headers


def test_at_the_limit_the_oldest_connection_goes(server: Any, dashboard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashboard, "MAX_CONNECTIONS", 2)
    # Otherwise silence alone would close them.
    monkeypatch.setattr(dashboard.Handler, "timeout", None)
    held = [http.client.HTTPConnection(*server.server_address, timeout=30) for _ in range(2)]
    try:
        for count, connection in enumerate(held, 1):
            connection.connect()
            deadline = time.monotonic() + 30
            while len(server.connections) < count and time.monotonic() < deadline:
                time.sleep(0.01)
        assert ask(server, "GET", "/health")[0] == 200
        assert held[0].sock is not None
        assert held[0].sock.recv(1) == b""
    finally:
        for connection in held:
            connection.close()


def test_only_unexpected_errors_are_logged(dashboard: Any, server: Any, capsys: pytest.CaptureFixture[str]) -> None:
    for error in (ConnectionResetError(), TimeoutError(), KeyError("x")):
        try:
            raise error
        except Exception:
            server.handle_error(None, None)
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["error"] == "KeyError"
