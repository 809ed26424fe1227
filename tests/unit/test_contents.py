"""The pages, their questions and the links between them come from the layer records and the notebooks."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from workbook.errors import WorkbookError
from workbook.host.paths import NOTEBOOKS
from workbook.layers import LAYERS
from workbook.notebooks.contents import contents, navigation, pages


def notebook(directory: Path, name: str, heading: str) -> None:
    cells = [{"cell_type": "markdown", "metadata": {}, "source": [f"# {heading}\n", "\n", "Text."]}]
    (directory / f"{name}.ipynb").write_text(json.dumps({"cells": cells, "nbformat": 4, "nbformat_minor": 5}))


@pytest.fixture
def three(tmp_path: Path) -> Path:
    for name, heading in (("00_start", "Begin"), ("01_vpc", "Something else"), ("42_more", "More <b>")):
        notebook(tmp_path, name, heading)
    (tmp_path / "43_broken.ipynb").write_text("{")
    (tmp_path / "scratch.ipynb").write_text("{}")
    return tmp_path


def test_a_layers_page_has_the_title_and_question_of_its_record(three: Path) -> None:
    by_name = {page.name: page for page in pages(three)}
    assert list(by_name) == ["00_start", "01_vpc", "42_more", "43_broken"]
    vpc = LAYERS[0]
    assert (by_name["01_vpc"].title, by_name["01_vpc"].question) == (vpc.title, vpc.question)
    assert [by_name[name].title for name in ("00_start", "42_more", "43_broken")] == ["Begin", "More <b>", "43_broken"]


def test_contents_link_every_page_but_the_start(three: Path) -> None:
    shown = contents(three)
    assert re.findall(r'href="([^"]+)"', shown.html) == ["01_vpc.ipynb", "42_more.ipynb", "43_broken.ipynb"]
    assert "More &lt;b&gt;" in shown.html and "<b>" not in shown.html
    assert LAYERS[0].question in shown.text and "Begin" not in shown.text


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("start", "next: The network"),
        ("vpc", "Start · next: More <b>"),
        ("more", "Start · previous: The network · next: 43_broken"),
        ("broken", "Start · previous: More <b>"),
    ],
)
def test_navigation_leads_to_the_neighbours(three: Path, key: str, text: str) -> None:
    assert navigation(key, three).text == text


def test_an_unknown_page_is_named_with_the_known_ones(three: Path) -> None:
    with pytest.raises(WorkbookError, match=r"no page 'vcp'[\s\S]*start, vpc, more, broken"):
        navigation("vcp", three)


def test_every_page_of_the_project_has_a_question_and_working_links() -> None:
    for page in pages():
        assert page.question or page.number == "00", page
        links = re.findall(r'href="([^"]+)"', navigation(page.name.partition("_")[2]).html)
        assert links and all((NOTEBOOKS / link).is_file() for link in links), page


def test_a_layers_notebook_opens_with_the_title_of_its_record() -> None:
    for layer in LAYERS:
        cell = json.loads((NOTEBOOKS / f"{layer.page}.ipynb").read_text())["cells"][0]
        assert "".join(cell["source"]).startswith(f"# {layer.title}"), layer.key
