"""The exported pages in a browser without a network: complete, readable, no requests, no errors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Route, ViewportSize, expect

from workbook.host.paths import NOTEBOOKS
from workbook.notebooks import execute as notebook
from workbook.notebooks import pages

pytestmark = pytest.mark.browser

DESKTOP: ViewportSize = {"width": 1440, "height": 900}
NAMES = [path.stem for path in sorted(NOTEBOOKS.glob("*.ipynb"))]


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pages made from the saved notebooks."""
    made = pages.Book(tmp_path_factory.mktemp("pages"), NAMES, "alloy-dev-take-home")
    nodes = {name: notebook.read(NOTEBOOKS / f"{name}.ipynb") for name in NAMES}
    made.titles.update({name: notebook.title(node, name) for name, node in nodes.items()})
    for name, node in nodes.items():
        made.add(NOTEBOOKS / f"{name}.ipynb", node, 1.0)
    return made.directory


class Opened:
    """A page, with the requests it made and the errors it logged."""

    def __init__(self, name: str, page: Page) -> None:
        self.name = name
        self.page = page
        self.asked: list[str] = []
        self.complaints: list[str] = []
        page.route("**/*", self._only_files)
        page.on("console", self._listen)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _only_files(self, route: Route) -> None:
        if route.request.url.startswith(("file:", "data:")):
            route.continue_()
        else:
            self.asked.append(route.request.url)
            route.abort()

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)


@pytest.fixture(scope="module")
def context(chromium: Browser) -> Iterator[BrowserContext]:
    made = chromium.new_context(color_scheme="light", viewport=DESKTOP, offline=True)
    made.set_default_timeout(90_000)
    yield made
    made.close()


@pytest.fixture(scope="module", params=[*NAMES, "index"])
def opened(request: pytest.FixtureRequest, book: Path, context: BrowserContext) -> Iterator[Opened]:
    """Each page, loaded once for all the tests that look at it: they are large."""
    made = Opened(request.param, context.new_page())
    made.page.goto((book / f"{request.param}.html").as_uri())
    yield made
    made.page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_is_complete_without_a_network(opened: Opened, screenshots: Path, scheme: str) -> None:
    page = opened.page
    page.emulate_media(color_scheme=scheme)
    page.screenshot(path=screenshots / f"page-{opened.name}-{scheme}.png")

    assert opened.asked == []
    assert opened.complaints == []
    assert page.locator("h1").count() >= 1
    pictures = page.eval_on_selector_all(
        "img", "all => all.map(i => [i.complete && i.naturalWidth > 0, i.alt.trim() !== ''])"
    )
    assert all(loaded and described for loaded, described in pictures)
    # Wide tables and pictures scroll on their own; the page does not.
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_enough_contrast(opened: Opened, scheme: str) -> None:
    """Prose, code and tables have the contrast that WCAG 2 requires (4.5 to 1), in both color schemes."""
    opened.page.emulate_media(color_scheme=scheme)

    assert opened.page.evaluate("scheme => matchMedia(`(prefers-color-scheme: ${scheme})`).matches", scheme)
    assert opened.page.evaluate(CONTRAST) == []


@pytest.mark.parametrize("width", [390, 1920])
def test_page_fits_a_phone_and_a_large_screen(opened: Opened, width: int) -> None:
    page = opened.page
    page.set_viewport_size({"width": width, "height": 900})

    assert page.evaluate("window.innerWidth") == width
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.set_viewport_size(DESKTOP)


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page to go from one to the next with."""
    made = context.new_page()
    yield made
    made.close()


def test_pages_link_to_each_other(book: Path, page: Page) -> None:
    page.goto((book / "index.html").as_uri())
    page.locator(".cover a").first.click()
    for name in NAMES:
        expect(page).to_have_url(re.compile(rf"/{name}\.html$"), timeout=60_000)
        if name != NAMES[-1]:
            page.locator("a[rel=next]").click()
    expect(page.locator("a[rel=next]")).to_have_count(0)

    page.locator("header a").click()
    assert page.url.endswith("/index.html")


def test_answers_are_hidden_until_opened(book: Path, page: Page) -> None:
    page.goto((book / "01_vpc.html").as_uri())
    answers = page.locator("main .prose details")

    assert answers.count() > 0
    first = answers.first
    hidden = first.locator(":scope > :not(summary)").first
    assert not hidden.is_visible()
    first.locator("summary").click()
    assert hidden.is_visible()
    assert len(hidden.inner_text()) > 20


# Text elements whose color is too close to the background: [text, ratio]. Text in pictures is not checked.
CONTRAST = """
() => {
  const parse = c => { const n = c.match(/[\\d.]+/g).map(Number); return n.length < 4 ? [...n, 1] : n };
  const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3]));
  const light = c => { const [r, g, b] = c.map(v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b };
  const ground = e => { const chain = []; for (; e; e = e.parentElement) chain.push(parse(getComputedStyle(e).backgroundColor));
    return chain.reverse().reduce((below, top) => over(top, below), [255, 255, 255]) };
  const low = [];
  for (const e of document.querySelectorAll('main *, nav *, header *')) {
    const text = [...e.childNodes].filter(n => n.nodeType === 3).map(n => n.textContent.trim()).join(' ').trim();
    if (!text || e.closest('svg') || !e.checkVisibility()) continue;
    const style = getComputedStyle(e), below = ground(e), colour = over([...parse(style.color).slice(0, 3), parse(style.color)[3]], below);
    let opacity = 1; for (let p = e; p; p = p.parentElement) opacity *= Number(getComputedStyle(p).opacity);
    const shown = over([...colour, opacity], below), [a, b] = [light(shown), light(below)].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05), big = parseFloat(style.fontSize) >= 24;
    if (ratio < (big ? 3 : 4.5)) low.push([text.slice(0, 60), Math.round(ratio * 100) / 100]);
  }
  return low;
}
"""
