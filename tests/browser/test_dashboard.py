"""The dashboard in Chromium: readable in every state, both themes and two widths; no script errors; updates itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext

from workbook.container import Container
from workbook.container.agent import TaskAgent

pytestmark = pytest.mark.browser

PATIENCE = 90_000
"""Milliseconds, generous for a busy machine; not a performance promise."""

ERRORS = {
    "access_denied": "An error occurred (AccessDenied) when calling the ListObjectsV2 operation: User: arn:aws:sts::123456789012:assumed-role/"
    "alloy-dev-take-home-ecs-task-role/0f3c2b8a9d4e4f6b8a1c2d3e4f5a6b7c is not authorized to perform: s3:ListBucket on resource: "
    '"arn:aws:s3:::alloy-dev-take-home-data" with an explicit deny in a resource-based policy',
    "no_such_bucket": "An error occurred (NoSuchBucket) when calling the ListObjectsV2 operation: The specified bucket does not exist",
    "endpoint_unreachable": 'Could not connect to the endpoint URL: "https://b.s3.us-east-1.amazonaws.com/?list-type=2&prefix=&delimiter=%2F"',
    "expired_credentials": "An error occurred (ExpiredToken) when calling the ListObjectsV2 operation: The provided token has expired.",
    "no_credentials": "Unable to locate credentials",
    "throttled": "An error occurred (SlowDown) when calling the ListObjectsV2 operation: Please reduce your request rate.",
    "wrong_region": "An error occurred (PermanentRedirect) when calling the ListObjectsV2 operation: use the specified endpoint",
    "check_failed": "Segmentation fault <script>document.title='taken over'</script>",
}
FEATURES = "Encryption at rest: AES-256, all three buckets\nNetwork: private subnets, no public IP addresses\nTLS <b>only</b>: yes & always"

# WCAG contrast of all visible text against the nearest background that is not transparent.
CONTRAST = """() => {
  const parse = text => { const n = text.match(/[\\d.]+/g).map(Number); return n.length < 4 ? [...n, 1] : n };
  const luminance = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const worst = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
    if (!own || ["SCRIPT", "STYLE"].includes(element.tagName)) continue;
    let behind = element, background;
    do { background = parse(getComputedStyle(behind).backgroundColor); behind = behind.parentElement } while (background[3] === 0 && behind);
    const [a, b] = [luminance(parse(getComputedStyle(element).color)), luminance(background)];
    worst.push([(Math.max(a, b) + .05) / (Math.min(a, b) + .05), element.tagName + " " + element.textContent.slice(0, 40)]);
  }
  return worst.sort((x, y) => x[0] - y[0])[0];
}"""


@pytest.fixture
def look(chromium: Browser) -> Iterator[Callable[[Container], Any]]:
    """Opens a container's dashboard; the page's `problems` collects what the browser complains about."""
    contexts: list[BrowserContext] = []

    def look(container: Container) -> Any:
        contexts.append(chromium.new_context(viewport={"width": 1100, "height": 800}))
        page: Any = contexts[-1].new_page()
        page.problems = []
        page.on("console", lambda message: page.problems.append(message.text))
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.goto(container.url, timeout=PATIENCE)
        return page

    yield look
    for context in contexts:
        context.close()


def well_made(page: Any) -> None:
    """What must hold in every state."""
    assert page.problems == []
    worst, where = page.evaluate(CONTRAST)
    assert worst >= 4.5, f"contrast {worst:.1f} of {where!r}"
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), (
        "the page scrolls sideways"
    )
    assert page.evaluate("[...document.querySelectorAll('h1,h2,h3')].map(h => h.tagName)")[0] == "H1"
    assert page.locator("h1").count() == page.locator("main").count() == 1
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.title() != "taken over"
    assert page.locator("script").count() == 1
    assert page.locator(".features b").count() == 0


@pytest.mark.parametrize("state", ["checking", "healthy", "timeout", *ERRORS])
def test_every_state_reads_well(
    state: str, aws: Any, dashboard: Callable[..., Container], look: Callable[..., Any], screenshots: Path
) -> None:
    if state in ("checking", "timeout"):
        aws.says("exec sleep 300")
    elif state in ERRORS:
        aws.fails(ERRORS[state])
    container = dashboard(ENVIRONMENT="dev", SECURITY_FEATURES=FEATURES, CHECK_TIMEOUT=1 if state == "timeout" else 60)
    if state == "checking":
        wanted = "Checking"
    else:
        status = container.wait_for(
            "healthy" if state == "healthy" else "degraded", None if state == "healthy" else state
        )
        wanted = status["title"]
    page = look(container)
    assert page.locator("section.state h2").inner_text() == wanted
    assert page.title().startswith(wanted)
    # The state is given in words as well as by color and icon.
    degraded = page.get_by_text("Degraded: the task serves").count()
    assert degraded == page.get_by_text("Where to look first:").count() == int(state not in ("checking", "healthy"))
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        for width in (1100, 390):
            page.set_viewport_size({"width": width, "height": 800})
            well_made(page)
            if (theme, width) in (("light", 1100), ("dark", 390)):
                path = screenshots / f"dashboard-{state}-{theme}-{width}.jpeg"
                page.screenshot(path=path, quality=80, full_page=True)


def test_updates_itself_and_says_when_the_task_is_gone(
    aws: Any, dashboard: Callable[..., Container], look: Callable[..., Any], screenshots: Path
) -> None:
    container = dashboard()
    container.wait_for("healthy")
    page = look(container)
    heading = page.locator("section.state h2")
    assert heading.inner_text() == "Healthy"

    aws.fails(ERRORS["no_such_bucket"])
    page.get_by_role("heading", name="No such bucket").wait_for(timeout=PATIENCE)
    assert page.locator("#live").inner_text().startswith("Now: No such bucket")
    assert page.title().startswith("No such bucket")
    assert page.problems == []

    container.stop()
    page.get_by_text("This task is not responding. The page shows its last known state.").wait_for(timeout=PATIENCE)
    assert heading.inner_text() == "No such bucket"
    page.screenshot(path=screenshots / "dashboard-gone.png", full_page=True)


def test_without_scripts_it_reloads(dashboard: Callable[..., Container], chromium: Browser) -> None:
    container = dashboard()
    container.wait_for("healthy")
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(container.url, timeout=PATIENCE)
    assert page.locator("noscript meta").get_attribute("content") == "30"
    assert page.locator("section.state h2").inner_text() == "Healthy"
    context.close()


def test_shows_the_task_s_identity(dashboard: Callable[..., Container], look: Callable[..., Any]) -> None:
    role = "arn:aws:iam::123456789012:role/alloy-dev-take-home-ecs-task-role"
    task = {
        "TaskARN": "arn:aws:ecs:us-east-1:123456789012:task/c/0f3c2b8a",
        "AvailabilityZone": "us-east-1b",
        "Family": "f",
        "Revision": "7",
    }
    agent = TaskAgent(
        lambda: {
            "AccessKeyId": "k",
            "SecretAccessKey": "s",
            "SessionToken": "t",
            "Expiration": datetime.now(UTC) + timedelta(hours=1),
        },
        role,
        task,
    )
    try:
        container = dashboard(**agent.environment())
        container.wait_for("healthy")
        page = look(container)
        page.get_by_text(role).wait_for(timeout=PATIENCE)
        assert page.locator("dd", has_text="us-east-1b").count() == page.locator("dd", has_text="0f3c2b8a").count() == 1
        well_made(page)
    finally:
        agent.close()
