"""The pages of the workbook: the list, the question that each answers, and the links between them."""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass
from pathlib import Path

from workbook.display import Rendered
from workbook.errors import WorkbookError
from workbook.host.paths import NOTEBOOKS
from workbook.layers import LAYERS

_HEADING = re.compile(r"^#\s+(.+?)\s*$", re.MULTILINE)

# Pages that do not belong to a layer; a layer's question is in its record.
_QUESTIONS = {
    "06_container": "What does the container do when the bucket is gone?",
    "07_before_after": "What did each improvement change, and what does it cost?",
    "08_compliance": "“SOC 2 Type II.” Really?",
    "99_teardown": "Is anything left?",
}


@dataclass(frozen=True)
class Page:
    """One notebook: `name` is its file's stem, `question` what it answers (empty for the start page)."""

    name: str
    title: str
    question: str

    @property
    def number(self) -> str:
        """Such as 04."""
        return self.name.partition("_")[0]


def pages(directory: Path = NOTEBOOKS) -> list[Page]:
    """The notebooks of a directory, in order. A layer's title and question come from its record, other titles from the
    first heading.
    """
    layers = {layer.page: Page(layer.page, layer.title, layer.question) for layer in LAYERS}
    found = sorted(directory.glob("[0-9][0-9]_*.ipynb"))
    return [layers.get(path.stem) or Page(path.stem, _title(path), _QUESTIONS.get(path.stem, "")) for path in found]


def contents(directory: Path = NOTEBOOKS) -> Rendered:
    """The pages after the start page, with the question that each answers."""
    listed = [page for page in pages(directory) if page.number != "00"]
    rows = "".join(
        f"<tr><td>{_link(page, f'{page.number} {page.title}')}</td><td>{html.escape(page.question)}</td></tr>"
        for page in listed
    )
    width = max((len(page.title) for page in listed), default=0) + 3
    head = '<tr><th scope="col">page</th><th scope="col">the question it answers</th></tr>'
    return Rendered(
        f"<table><caption>Pages</caption><thead>{head}</thead><tbody>{rows}</tbody></table>",
        "\n".join(["Pages", *(f"  {f'{p.number} {p.title}'.ljust(width)}  {p.question}".rstrip() for p in listed)]),
    )


def navigation(key: str, directory: Path = NOTEBOOKS) -> Rendered:
    """Links from one page to the start, the page before and the page after.

    Parameters
    ----------
    key : key of a layer, or the part of a notebook's name after its number, such as container.

    Raises
    ------
    WorkbookError : no such page.
    """
    every = pages(directory)
    here = next((n for n, page in enumerate(every) if page.name.partition("_")[2] == key), None)
    if here is None:
        names = ", ".join(page.name.partition("_")[2] for page in every)
        raise WorkbookError(f"There is no page {key!r}.", f"Pages: {names}.")
    links = [("Start", every[0])] if here else []
    links += [("previous", every[here - 1])] if here > 1 else []
    links += [("next", every[here + 1])] if here + 1 < len(every) else []
    said = [(word if word == "Start" else f"{word}: {page.title}", page) for word, page in links]
    return Rendered(
        f"<nav>{' · '.join(_link(page, text) for text, page in said)}</nav>", " · ".join(text for text, _ in said)
    )


def _link(page: Page, text: str) -> str:
    return f'<a href="{page.name}.ipynb">{html.escape(text)}</a>'


def _title(path: Path) -> str:
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        texts = ("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
        return next(match[1] for text in texts if (match := _HEADING.search(text)))
    except (OSError, ValueError, KeyError, TypeError, StopIteration):
        return path.stem
