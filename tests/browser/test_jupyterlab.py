"""JupyterLab as `make lab` starts it: opens a notebook, runs it, shows tables and a diagram, without errors."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import nbformat
import pytest
from playwright.sync_api import Browser, Page, expect

from waiting import until
from workbook.emulator import branches
from workbook.host.paths import ROOT
from workbook.host.ports import free_port
from workbook.notebooks import lab
from workbook.notebooks.walkthrough import account_of_its_own
from workbook.workbook import Workbook

pytestmark = pytest.mark.browser

TOKEN = "a-token-of-this-test"
NOTEBOOK = "notebooks/03_iam.ipynb"
RUN_SECONDS = 1200
PATIENCE = 180_000
"""Milliseconds, generous for a busy machine; not a performance promise."""


@dataclass(frozen=True)
class Server:
    port: int
    root: Path
    log: Path

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}/{path}{'&' if '?' in path else '?'}token={TOKEN}"

    def api(self, path: str) -> Any:
        with urllib.request.urlopen(self.url(f"api/{path}"), timeout=60) as answer:
            return json.load(answer)

    def said(self) -> str:
        """End of its log."""
        return self.log.read_text()[-3000:]


@pytest.fixture(scope="module")
def account() -> Iterator[None]:
    """What a person may have who opens the page about roles: all that it needs, and a role without its policy.

    `scripts/test.py` gives a copy of the stack it deployed; otherwise the page starts from nothing.
    """
    if "WORKBOOK_TEST_ACCOUNT" not in os.environ:
        with account_of_its_own():
            yield
        return
    wb = Workbook("dev")
    iam, role = wb.client("iam"), f"{wb.settings.prefix}-ecs-task-role"
    for policy in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=role, PolicyArn=policy["PolicyArn"])
    yield
    branches.stop_all(wb.run.home)


@pytest.fixture(scope="module")
def server(account: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`make lab`'s command on a copy of the notebooks, with its own configuration and account."""
    base = tmp_path_factory.mktemp("lab")
    for name in ("notebooks", "docs"):
        shutil.copytree(ROOT / name, base / "project" / name)
    settings = base / "settings" / "@jupyterlab" / "notebook-extension"
    settings.mkdir(parents=True)
    # Keep all cells in the page at once, so that a test can check each of them.
    (settings / "tracker.jupyterlab-settings").write_text(json.dumps({"windowingMode": "none"}))
    directories = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    port = free_port()
    log = base / "server.log"
    own = {name: str(base / value) for name, value in directories.items()}
    # A file that is not a valid notebook must not break the others.
    (base / "project" / "notebooks" / "00_broken.ipynb").write_text("{")
    with mock.patch.dict(os.environ, own):
        lab.trust(base / "project" / "notebooks")
    with log.open("wb") as output:
        process = subprocess.Popen(
            lab.command(port, open_browser=False, root=base / "project"),
            cwd=base / "project",
            env={**lab.environment(), **own, "JUPYTER_TOKEN": TOKEN},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        made = Server(port, base / "project", log)
        try:
            until(lambda: _answers(made), "the server answers", 180, made.said)
            yield made
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1600, "height": 1000})
    context.set_default_timeout(PATIENCE)
    yield context.new_page()
    context.close()


def test_is_bound_to_loopback_and_requires_its_token(server: Server) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"http://127.0.0.1:{server.port}/api/sessions", timeout=60)
    assert caught.value.code == 403
    others = {str(entry[4][0]) for entry in socket.getaddrinfo(socket.gethostname(), None)} - {
        "127.0.0.1",
        "127.0.1.1",
        "::1",
    }
    for address in others:
        with pytest.raises(OSError), socket.create_connection((address, server.port), timeout=2):
            pass


def test_opens_the_first_notebook_without_a_news_prompt(server: Server, page: Page, screenshots: Path) -> None:
    page.goto(server.url(""))
    expect(page.locator(".jp-NotebookPanel h1").first).to_be_visible(timeout=PATIENCE)

    assert "00_start" in page.url
    page.wait_for_timeout(2_000)
    assert page.locator(".Toastify__toast, .jp-toast").count() == 0
    # The saved tables are styled before anything is run.
    assert page.locator(".wb th[scope=row]").first.evaluate("cell => getComputedStyle(cell).textAlign") == "left"
    page.screenshot(path=screenshots / "lab-00_start.png")


def test_runs_a_notebook_without_an_error(server: Server, page: Page, screenshots: Path) -> None:
    page.goto(server.url(f"lab/tree/{NOTEBOOK}"))
    # The workspace also restores what was open before, in a tab behind this one, so check only the visible notebook.
    notebook = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    expect(notebook.locator("h1").first).to_contain_text("Identity", timeout=PATIENCE)
    until(lambda: _state(server) == "idle", "the kernel is idle", 180, server.said)
    expect(notebook.locator(".jp-Toolbar-kernelName").first).to_contain_text("Python 3", timeout=PATIENCE)

    page.locator(".lm-MenuBar-itemLabel", has_text="Run").first.click()
    page.locator(".lm-Menu-itemLabel", has_text="Run All Cells").first.click()
    expect(notebook.locator(".jp-InputPrompt", has_text="[*]").first).to_be_visible(timeout=PATIENCE)
    expect(notebook.locator(".jp-InputPrompt", has_text="[*]")).to_have_count(0, timeout=RUN_SECONDS * 1000)
    until(lambda: _state(server) == "idle", "the kernel is idle", 180, server.said)

    assert (
        notebook.locator(
            ".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.error'], .jp-RenderedText[data-mime-type*='stderr']"
        ).count()
        == 0
    )
    assert notebook.locator(".jp-OutputArea-output table").count() >= 5
    expect(notebook.get_by_text(re.compile(r"Applied: [1-9]\d* added")).first).to_be_visible()
    picture = notebook.locator(".jp-OutputArea-output img, .jp-OutputArea-output svg").first
    picture.scroll_into_view_if_needed()
    box = picture.bounding_box()
    assert box is not None
    assert box["width"] > 300
    assert box["height"] > 150
    page.screenshot(path=screenshots / "lab-03_iam-picture.png")
    notebook.locator(".jp-OutputArea-output table").first.scroll_into_view_if_needed()
    page.screenshot(path=screenshots / "lab-03_iam-table.png")

    # JupyterLab also autosaves while cells run; wait for the file that includes the last one.
    page.keyboard.press("Control+s")
    until(lambda: all(cell.execution_count for cell in _code_cells(server)), "every cell has run", 120, server.said)
    assert [output for cell in _code_cells(server) for output in cell.outputs if output.output_type == "error"] == []


def _code_cells(server: Server) -> list[nbformat.NotebookNode]:
    return [cell for cell in nbformat.read(server.root / NOTEBOOK, as_version=4).cells if cell.cell_type == "code"]


def _state(server: Server) -> str:
    sessions = [session for session in server.api("sessions") if session["path"].endswith(Path(NOTEBOOK).name)]
    return str(sessions[0]["kernel"]["execution_state"]) if sessions else "none"


def _answers(server: Server) -> bool:
    try:
        return "version" in server.api("")
    except OSError:
        return False
