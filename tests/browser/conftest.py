"""A Chromium for the browser tests: the system's, else Playwright's own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from workbook.doctor import find_browser
from workbook.host.paths import ROOT

# A browser under test looks nothing up on its own.
QUIET = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = find_browser()
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("There is no Chromium; .ci/run installs one.")
        pytest.skip("There is no Chromium: install chromium, or run: playwright install chromium")
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(path), args=[*QUIET, *sandbox])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Where a person finds the pictures afterwards."""
    directory = ROOT / ".workbook" / "screenshots"
    directory.mkdir(parents=True, exist_ok=True)
    return directory
