"""Executed notebooks as self-contained HTML pages: no scripts, no network, made for screen sharing and printing."""

from __future__ import annotations

import base64
import html
import mimetypes
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from jinja2 import Environment, FileSystemLoader, select_autoescape
from nbconvert import HTMLExporter
from pygments.formatters import HtmlFormatter

from workbook.notebooks.execute import first_line, plain

_TEMPLATES = Path(__file__).parent / "templates"
_LINK = re.compile(r'(<a\b[^>]*?\bhref=")([^"]+)(")')
_IMAGE = re.compile(r'(<img\b[^>]*?\bsrc=")(?![a-z]+:)([^"]+)(")')
_ANCHOR = re.compile(r'<a class="anchor-link"[^>]*>.*?</a>')
_SECTION = re.compile(r'<h2 id="([^"]+)">(.*?)</h2>', re.DOTALL)


@dataclass
class Book:
    """The pages of one run.

    Attributes
    ----------
    directory : where pages and executed notebooks are written.
    names : stems of the notebooks in order; those not executed (yet) appear on the index without a link.
    heading : what the pages show, at the top of each.
    titles : stem -> title, for the links between pages.
    """

    directory: Path
    names: list[str]
    heading: str
    titles: dict[str, str] = field(default_factory=dict)
    _seconds: dict[str, float] = field(default_factory=dict)
    _leads: dict[str, str] = field(default_factory=dict)

    def add(self, source: Path, executed: nbformat.NotebookNode, seconds: float) -> Path:
        """Write the executed notebook and its page, and update the index; returns the page's path."""
        self.directory.mkdir(parents=True, exist_ok=True)
        nbformat.write(executed, self.directory / source.name)
        name = source.stem
        body = self._localise(_body(executed, source), source.parent)
        place = self.names.index(name)
        page = self.directory / f"{name}.html"
        page.write_text(
            _frame(
                title=self.titles.get(name, name),
                book=self.heading,
                position=f"{place + 1} of {len(self.names)}",
                sections=[
                    (anchor, html.unescape(re.sub(r"<[^>]+>", "", text))) for anchor, text in _SECTION.findall(body)
                ],
                body=body,
                previous=self._neighbour(place - 1),
                following=self._neighbour(place + 1),
            ),
            encoding="utf-8",
        )
        self._seconds[name] = seconds
        self._leads[name] = _lead(executed)
        self.write_index({})
        return page

    def write_index(self, facts: Mapping[str, str]) -> Path:
        """The index page: every notebook, and facts about the run."""
        entries = [
            {
                "name": name,
                "title": self.titles.get(name, name),
                "lead": self._leads.get(name, ""),
                "seconds": self._seconds.get(name),
                "time": f"{self._seconds.get(name, 0):.0f} s",
            }
            for name in self.names
        ]
        body = _JINJA.get_template("cover.html.j2").render(book=self.heading, entries=entries, facts=facts)
        index = self.directory / "index.html"
        index.write_text(_frame(title=self.heading, book=self.heading, body=body), encoding="utf-8")
        return index

    def _neighbour(self, place: int) -> tuple[str, str] | None:
        if not 0 <= place < len(self.names):
            return None
        name = self.names[place]
        return f"{name}.html", self.titles.get(name, name)

    def _localise(self, body: str, notebooks: Path) -> str:
        """Point links to other notebooks at their pages, and links to project files at those files."""

        def local(match: re.Match[str]) -> str:
            before, address, after = match.groups()
            path, mark, anchor = address.partition("#")
            if not path or re.match(r"[a-z][a-z0-9+.-]*:|/", path, re.IGNORECASE):
                return match.group(0)
            if Path(path).suffix == ".ipynb" and Path(path).stem in self.names:
                return f"{before}{Path(path).stem}.html{mark}{anchor}{after}"
            return (
                f"{before}{os.path.relpath(notebooks.resolve() / path, self.directory.resolve())}{mark}{anchor}{after}"
            )

        return _LINK.sub(local, body)


_JINJA = Environment(loader=FileSystemLoader(_TEMPLATES / "page"), autoescape=select_autoescape(["html.j2"]))


def _body(executed: nbformat.NotebookNode, source: Path) -> str:
    exporter = HTMLExporter(
        template_name="page",
        extra_template_basedirs=[str(_TEMPLATES)],
    )
    body, _ = exporter.from_notebook_node(executed, {"metadata": {"path": str(source.parent)}})
    # nbconvert's own image embedding parses each HTML block separately, and so closes a <details> before its content.
    embedded = _IMAGE.sub(
        lambda match: f"{match[1]}{_data_address(source.parent / match[2]) or match[2]}{match[3]}", str(body)
    )
    # Removed here, because without these links nbconvert would leave out the headings' ids as well.
    return _ANCHOR.sub("", embedded)


def _data_address(path: Path) -> str | None:
    """The picture as a data: URL; None if the file cannot be read."""
    try:
        content = base64.b64encode(path.read_bytes()).decode()
    except OSError:
        return None
    return f"data:{mimetypes.guess_type(path.name)[0] or 'application/octet-stream'};base64,{content}"


def _frame(**values: Any) -> str:
    light, dark = (HtmlFormatter(style=style).get_style_defs(".highlight") for style in ("default", "github-dark"))
    style = (_TEMPLATES / "page" / "page.css").read_text(encoding="utf-8")
    # Code has the page's own background in both colour schemes.
    colours = f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n.highlight, .highlight pre {{ background: var(--soft); }}"
    return _JINJA.get_template("frame.html.j2").render(style=f"{style}\n{colours}", **values)


def _lead(executed: nbformat.NotebookNode) -> str:
    """The first sentence below the title."""
    for cell in executed.cells:
        if cell.cell_type == "markdown":
            for paragraph in re.split(r"\n\s*\n", cell.source):
                if paragraph.strip() and not re.match(r"[#|<>!\-*\[]", paragraph.lstrip()):
                    text = plain(" ".join(paragraph.split()))
                    return first_line(re.split(r"(?<=[.!?])\s", text)[0])
    return ""
