"""The notebooks as committed: with outputs, without errors, and revealing nothing about the machine they ran on."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import nbformat
import pytest

from workbook.host.paths import NOTEBOOKS
from workbook.notebooks.execute import normalise

PATHS = sorted(NOTEBOOKS.glob("*.ipynb"))
LONGEST_CELL = 15  # lines

saved = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def test_the_walkthrough_is_complete() -> None:
    assert [path.stem for path in PATHS][:6] == ["00_start", "01_vpc", "02_ecr", "03_iam", "04_s3", "05_ecs"]
    assert PATHS[-1].stem == "99_teardown"


@saved
def test_is_valid(path: Path) -> None:
    nbformat.validate(read(path))


@saved
def test_every_code_cell_was_executed_in_order(path: Path) -> None:
    counts = [cell.execution_count for cell in read(path).cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))


@saved
def test_has_outputs_and_no_error(path: Path) -> None:
    outputs = [output for cell in read(path).cells if cell.cell_type == "code" for output in cell.outputs]
    assert outputs
    assert [output.evalue for output in outputs if output.output_type == "error"] == []
    assert [output.text for output in outputs if output.output_type == "stream" and output.name == "stderr"] == []


@saved
def test_reveals_nothing_about_the_machine(path: Path) -> None:
    found = re.findall(r"(?:/(?:home|root|Users|work|opt|tmp|private)/[\w./-]+)", path.read_text())
    assert found == []


@saved
def test_contains_no_secrets(path: Path) -> None:
    text = path.read_text()
    secrets = {
        "access key": r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
        "private key": r"BEGIN [A-Z ]*PRIVATE KEY",
        "token": r"\b(?:ghp|gho|ghs)_[A-Za-z0-9]{20,}|[?&]token=[0-9a-f]{16,}",
    }
    assert {kind: re.findall(pattern, text) for kind, pattern in secrets.items() if re.search(pattern, text)} == {}


@saved
def test_cells_are_short_and_have_prose_before_them(path: Path) -> None:
    cells = read(path).cells
    for number, cell in enumerate(cells):
        if cell.cell_type != "code":
            continue
        assert len(cell.source.splitlines()) <= LONGEST_CELL, f"cell {number} is long:\n{cell.source}"
        before = cells[number - 1]
        assert number > 0, "the notebook starts with code"
        if before.cell_type == "code":
            # A step whose progress differs from run to run, and then its result, which does not, are one idea.
            assert "nbval-ignore-output" in before.metadata.get("tags", []), (
                f"no prose before cell {number}:\n{cell.source}"
            )
            assert len(cell.source.splitlines()) == 1, f"no prose before cell {number}:\n{cell.source}"
            continue
        said = [line for line in before.source.splitlines() if line.strip() and not line.startswith("#")]
        assert said, f"only a heading before cell {number}:\n{cell.source}"


@saved
def test_code_parses_and_contains_no_plumbing(path: Path) -> None:
    """No shell, no magics, and nothing that belongs in a module of the package."""
    for cell in read(path).cells:
        if cell.cell_type == "code":
            tree = ast.parse(cell.source)
            assert not [
                node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Try)
            ], cell.source


@saved
def test_dollar_signs_do_not_become_formulas(path: Path) -> None:
    """JupyterLab and code hosts render text between two dollar signs in a paragraph as a formula."""
    for cell in read(path).cells:
        if cell.cell_type == "markdown":
            for paragraph in re.split(
                r"\n\s*\n|\n(?=[-|])", re.sub(r"```.*?```|`[^`]*`", "", cell.source, flags=re.DOTALL)
            ):
                assert len(re.findall(r"(?<!\\)\$", paragraph)) < 2, paragraph


@saved
def test_relative_links_resolve(path: Path) -> None:
    text = "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")
    targets = [target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text)]
    missing = [
        target
        for target in targets
        if target and not re.match(r"[a-z]+:", target) and not (path.parent / target).exists()
    ]
    assert missing == []


@saved
def test_is_saved_in_normalized_form(path: Path) -> None:
    """As `make notebooks` writes it; otherwise the next save would change lines nobody meant to change."""
    text = path.read_text()
    assert text.rstrip("\n") == nbformat.writes(normalise(read(path))).rstrip("\n")
    assert json.loads(text)["metadata"]["kernelspec"]["name"] == "python3"
