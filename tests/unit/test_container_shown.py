"""What a notebook shows about the container: the same on every run, and derived from what is deployed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from workbook.container import Container, Definition, Health, views
from workbook.drills.outages import delete_bucket, deny_list
from workbook.errors import WorkbookError
from workbook.inventory import Inventory, Row

Start = Callable[..., Container]
SERVICE = {"name": "app", "desired": 2, "target_group_arns": ["arn:app"]}
GROUP = {
    "name": "app",
    "target_group_arn": "arn:app",
    "health_path": "/health",
    "matcher": "200",
    "health_interval": 15,
    "unhealthy_threshold": 3,
}
DENIED = "An error occurred (AccessDenied) when calling the ListObjectsV2 operation: Access Denied"


def rows(
    define: Callable[..., Definition], health: Health, code: int | None, status: Any, **group: Any
) -> dict[str, str]:
    return dict(
        views.consequences(
            define(), Row("services", SERVICE), Row("target_groups", {**GROUP, **group}), health, code, status
        )
    )


def test_a_degraded_task_is_kept(define: Callable[..., Definition]) -> None:
    assert rows(define, Health(True, 0.0, "OK"), 200, {"title": "Access denied"}) == {
        "container health check": "passes",
        "ECS": "keeps the task",
        "target group check": "GET /health: 200, expected 200",
        "load balancer": "sends requests to it",
        "a visitor sees": "the dashboard: Access denied",
    }


def test_a_task_that_hangs_is_replaced(define: Callable[..., Definition]) -> None:
    assert rows(define, Health(False, 2.0, "no answer within 2 s"), None, None) == {
        "container health check": "fails: no answer within 2 s",
        "ECS": "after 3 failures in a row, 90 s, replaces the task (desired count: 2)",
        "target group check": "GET /health: no answer, expected 200",
        "load balancer": "after 3 failures in a row, 45 s, stops sending requests to it",
        "a visitor sees": "no page",
    }


def test_a_load_balancer_that_looks_at_the_bucket(define: Callable[..., Definition]) -> None:
    found = rows(
        define, Health(True, 0.0, "OK"), 503, {"title": "Throttled"}, health_path="/status.json", matcher="200,204"
    )
    assert found["target group check"] == "GET /status.json: 503, expected 200,204"
    assert found["load balancer"].endswith("stops sending requests to it")
    # ECS takes the load balancer's word for it as well.
    assert found["ECS"] == "keeps the task until the load balancer reports it unhealthy, then replaces it"


@pytest.mark.parametrize(
    ("matcher", "code", "sent"), [("200-299", 204, True), ("200-299", 300, False), ("200,404", 404, True)]
)
def test_matchers_are_lists_and_ranges(matcher: str, code: int, sent: bool, define: Callable[..., Definition]) -> None:
    found = rows(define, Health(True, 0.0, "OK"), code, {"title": "Healthy"}, matcher=matcher)
    assert (found["load balancer"] == "sends requests to it") is sent


def test_the_verdict_runs_both_checks(dashboard: Start) -> None:
    container = dashboard()
    container.wait_for("healthy")
    # The group of another service, with another path, comes first by name.
    other = {**GROUP, "name": "a", "target_group_arn": "arn:a", "health_path": "/nowhere"}
    inventory = Inventory.from_tables({"services": [SERVICE], "target_groups": [other, GROUP]})
    assert "a visitor sees          the dashboard: Healthy" in views.verdict(container, inventory).text
    with pytest.raises(WorkbookError, match="no service behind a load balancer"):
        views.verdict(container, Inventory.from_tables({}))


@pytest.mark.slow
def test_state_and_log_hold_no_times(aws: Any, dashboard: Start) -> None:
    container = dashboard()
    container.wait_for("healthy")
    aws.fails(DENIED)
    container.wait_for("degraded")
    assert views.state(container).text.splitlines()[:3] == [
        "/status.json",
        "  state                degraded",
        "  cause                access_denied",
    ]
    container.stop()
    log = views.changes(container)
    assert [line.split()[:3] for line in log.text.splitlines()[2:]] == [
        ["start", "–", "–"],
        ["check", "healthy", "–"],
        ["check", "degraded", "access_denied"],
        ["stop", "–", "–"],
    ]
    assert "20" not in log.text.replace(DENIED, "")


def test_the_page_in_a_notebook_cannot_run_anything(dashboard: Start) -> None:
    container = dashboard(ENVIRONMENT='"><script>alert(1)</script>')
    container.wait_for("healthy")
    page = views.page(container)
    assert page.text == "Healthy: This task can list the bucket."
    assert "<iframe sandbox title=" in page.html
    assert page.html.count("<script") == page.html.count("alert(1)&lt;/script") == page.html.count("setInterval") == 0


def test_what_is_not_as_on_fargate_is_said(dashboard: Start) -> None:
    text = views.differences(dashboard(CHECK_INTERVAL=2)).text
    assert "CHECK_INTERVAL, HOME, PAGES_DIR, PORT, TMPDIR" in text
    assert "yours, not 65534:65534" in text
    assert "/tmp" not in text


class Bucket:
    """As much of S3 as the drills need."""

    def __init__(self) -> None:
        self.policy = '{"Version": "2012-10-17", "Statement": [{"Sid": "TlsOnly"}]}'
        self.deleted: list[Any] = []

    def get_bucket_policy(self, Bucket: str) -> dict[str, str]:
        return {"Policy": self.policy}

    def put_bucket_policy(self, Bucket: str, Policy: str) -> None:
        self.policy = Policy

    def get_paginator(self, name: str) -> Any:
        assert name == "list_object_versions"
        return self

    def paginate(self, Bucket: str) -> list[Any]:
        return [{"Versions": [{"Key": "a", "VersionId": "1"}]}, {"DeleteMarkers": [{"Key": "a", "VersionId": "2"}]}, {}]

    def delete_object(self, Bucket: str, Key: str, VersionId: str) -> None:
        self.deleted.append((Key, VersionId))

    def delete_bucket(self, Bucket: str) -> None:
        self.deleted.append(Bucket)


def test_a_drill_puts_back_the_policy_as_it_was() -> None:
    bucket = Bucket()
    before = bucket.policy
    undo = deny_list(bucket, "b", "arn:aws:iam::1:role/task")
    assert '"TlsOnly"' in bucket.policy
    assert (
        '"Principal": {"AWS": "arn:aws:iam::1:role/task"}, "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::b"'
        in bucket.policy
    )
    undo()
    assert bucket.policy == before


def test_a_bucket_is_emptied_before_it_is_deleted() -> None:
    bucket = Bucket()
    delete_bucket(bucket, "b")
    assert bucket.deleted == [("a", "1"), ("a", "2"), "b"]
