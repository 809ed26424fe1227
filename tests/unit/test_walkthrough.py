"""The notebook runner, on notebooks made here: what it shows and keeps, and what it says when something goes wrong."""

from __future__ import annotations

import base64
import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from workbook.errors import WorkbookError
from workbook.notebooks import execute as notebook
from workbook.notebooks import pages, walkthrough
from workbook.terraform import binary

# Kernels start in about a second each.
pytestmark = pytest.mark.slow

RUN = "import sys; from pathlib import Path; from workbook.notebooks.walkthrough import walkthrough; sys.exit(walkthrough([Path(p) for p in sys.argv[1:]]))"


def write(path: Path, *cells: str) -> Path:
    """A notebook with these cells; one that starts with a heading or an HTML tag is markdown."""
    made = [new_markdown_cell(cell) if cell.startswith(("# ", "## ", "<")) else new_code_cell(cell) for cell in cells]
    nbformat.write(new_notebook(cells=made), path)
    return path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WORKBOOK_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("WORKBOOK_CELL_TIMEOUT", raising=False)
    # No account is needed: nothing listens there, and these notebooks ask nothing of it.
    monkeypatch.setenv("WORKBOOK_TARGET", "http://127.0.0.1:9")
    return tmp_path / "home" / "dev-127-0-0-1-9" / "pages"


def test_executes_in_order_and_ends_with_a_summary(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = write(
        tmp_path / "00_first.ipynb",
        "# First\n\nOpens the walk. Then more.",
        "import pandas as pd\npd.DataFrame({'cidr': ['10.0.0.0/16']})",
    )
    second = write(
        tmp_path / "01_second.ipynb",
        "# Second",
        "## Picture",
        'from IPython.display import SVG\nSVG(\'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"></svg>\')',
        "# a comment says what the cell does\nassert 'pd' not in globals()",
    )

    assert walkthrough.walkthrough([first, second]) == 0

    out = capsys.readouterr().out
    assert "[1/2] 00_first · First (1 cells)" in out
    assert "[2/2] 01_second · Second" in out
    assert "Picture · from IPython.display import SVG" in out
    facts = {
        line[2:18].strip(): line[19:]
        for line in out.splitlines()
        if line.startswith("  ") and not line.startswith("   ")
    }
    assert (facts["notebooks"], facts["tables"], facts["pictures"], facts["resources"]) == ("2", "1", "1", "0")
    assert f"Pages:   {home / 'index.html'}" in out
    assert "make lab" in out
    executed = nbformat.read(home / "00_first.ipynb", as_version=4)
    assert "10.0.0.0/16" in executed.cells[1].outputs[0].data["text/plain"]
    # The notebooks themselves are left alone.
    assert "outputs" not in first.read_text() or nbformat.read(first, as_version=4).cells[1].outputs == []
    index = (home / "index.html").read_text()
    assert 'href="00_first.html"' in index
    assert "Opens the walk." in index


def test_without_terraform_it_says_so_before_the_first_notebook(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(binary, "installed", lambda *_: None)

    assert walkthrough.walkthrough([write(tmp_path / "00_first.ipynb", "# First", "1")]) == 1

    out = capsys.readouterr().out
    assert "FAILED  Terraform is not installed.\nInstall Terraform 1.10 or newer" in out
    assert "00_first" not in out


def test_kernel_is_this_python_and_runs_in_the_notebook_s_directory(home: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "a.ipynb", "import os, sys\nprint(sys.executable, os.getcwd(), os.environ['MARK'])")
    node = notebook.read(path)

    notebook.execute(path, node, walkthrough.Console(io.StringIO()), 60, {**os.environ, "MARK": "seen"})

    assert node.cells[0].outputs[0].text.split() == [sys.executable, str(tmp_path.resolve()), "seen"]


def test_failing_cell_names_notebook_cell_and_cause(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(
        tmp_path / "05_broken.ipynb",
        "# Broken",
        "1 + 1",
        "## Apply",
        "from workbook.errors import WorkbookError\nraise WorkbookError('The subnet does not fit.', 'Fix locals.tf.', 'locals.tf, line 14')",
        "print('never')",
    )
    after = write(tmp_path / "06_after.ipynb", "# After", "print('never')")

    assert walkthrough.walkthrough([path, after]) == 1

    out = capsys.readouterr().out
    failure = out[out.index("FAILED") :].splitlines()
    assert failure == [
        "FAILED  05_broken, cell 2 (Apply · from workbook.errors import WorkbookError): The subnet does not fit.",
        "locals.tf, line 14",
        "Fix locals.tf.",
    ]
    assert "06_after ·" not in out
    assert "\x1b" not in out
    # The outputs up to and including the error can be viewed.
    page = (home / "05_broken.html").read_text()
    assert "The subnet does not fit." in page
    assert [cell.get("execution_count") for cell in nbformat.read(home / "05_broken.ipynb", as_version=4).cells] == [
        None,
        1,
        None,
        2,
        None,
    ]
    assert "not executed" in (home / "index.html").read_text()


def test_unexpected_error_is_reported_without_its_traceback(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert walkthrough.walkthrough([write(tmp_path / "a.ipynb", "# A", "1 / 0")]) == 1

    failure = capsys.readouterr().out.split("FAILED")[1]
    assert "a, cell 1 (A · 1 / 0): ZeroDivisionError: division by zero" in failure
    assert "Traceback" not in failure


def test_cell_that_takes_too_long_is_interrupted(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKBOOK_CELL_TIMEOUT", "2")
    ended = tmp_path / "ended"
    path = write(
        tmp_path / "a.ipynb", f"import time\ntry:\n    time.sleep(300)\nfinally:\n    open({str(ended)!r}, 'w').close()"
    )
    started = time.monotonic()

    assert walkthrough.walkthrough([path]) == 1

    assert time.monotonic() - started < 250
    assert "no result within 2 s, so it was interrupted" in capsys.readouterr().out
    # Interrupted, not killed: the cell could clean up.
    assert ended.exists()


def test_kernel_that_dies_is_a_failure(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert walkthrough.walkthrough([write(tmp_path / "a.ipynb", "import os\nos._exit(1)")]) == 1

    assert "its kernel died" in capsys.readouterr().out


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupt_ends_the_kernel_cleanly(home: Path, tmp_path: Path, sent: signal.Signals, code: int) -> None:
    ended, kernel = tmp_path / "ended", tmp_path / "kernel"
    path = write(
        tmp_path / "a.ipynb",
        f"import os, time\ntry:\n    open({str(kernel)!r}, 'w').write(str(os.getpid()))\n    time.sleep(300)\nfinally:\n    open({str(ended)!r}, 'w').close()",
    )
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, str(path)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        _wait(lambda: kernel.exists() and kernel.read_text() != "")
        process.send_signal(sent)
        out, _ = process.communicate(timeout=250)
    finally:
        process.kill()

    assert process.returncode == code
    assert "Interrupted." in out
    assert "Traceback" not in out
    assert ended.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(int(kernel.read_text()), 0)


def test_progress_is_shown_while_a_cell_runs(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.ipynb",
        "# A",
        "import time\nfrom IPython.display import display\nh = display({'text/plain': '0 of 9 done'}, raw=True, display_id=True)\n"
        "for n in range(1, 8):\n    time.sleep(1)\n    h.update({'text/plain': f'{n} of 9 done'}, raw=True)",
    )
    stream = io.StringIO()

    notebook.execute(path, notebook.read(path), walkthrough.Console(stream, quiet=1.0), 60)

    running = [line for line in stream.getvalue().splitlines() if "…" in line]
    assert len(running) >= 2
    assert all("of 9 done" in line for line in running)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_line_is_rewritten_on_a_terminal_and_never_wider_than_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")
    stream = Terminal()
    console = walkthrough.Console(stream)

    console.notebook_started("[1/1]", "a", "A", 3)
    console.cell_started(1, "a label " * 12)
    console.live("7 of 9 done")
    console.tick()
    console.cell_finished(1, "a label", 0.1)
    console.cell_finished(2, "slow", 7.0)

    rewritten = stream.getvalue().split("\n")
    assert [line for line in rewritten if "slow" in line]
    assert all(len(part) < 60 for part in rewritten[1].split("\r\x1b[2K")[1:-1])
    assert len(rewritten) == 3, "the notebook's line, the slow cell's, and nothing after the last line end"


def test_bad_input_is_one_clear_message(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert walkthrough.walkthrough([tmp_path / "absent.ipynb"]) == 1
    assert "There is no notebook" in capsys.readouterr().out

    broken = tmp_path / "broken.ipynb"
    broken.write_text("{")
    assert walkthrough.walkthrough([broken]) == 1
    assert "broken.ipynb is not a readable notebook" in capsys.readouterr().out

    for value in ("soon", "0", "-3"):
        monkeypatch.setenv("WORKBOOK_CELL_TIMEOUT", value)
        with pytest.raises(WorkbookError, match="WORKBOOK_CELL_TIMEOUT"):
            notebook.cell_timeout()


def test_saving_twice_changes_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ipynb", "# A", "print('same')")
    # What JupyterLab and other tools leave behind.
    node = nbformat.read(path, as_version=4)
    node.metadata["language_info"] = {"name": "python", "version": "3.12.1"}
    node.metadata["widgets"] = {"state": {}}
    node.cells[1].metadata.update(
        {"execution": {"iopub.status.busy": "2026-01-01T00:00:00Z"}, "tags": ["hide-input"], "collapsed": False}
    )
    nbformat.write(node, path)

    assert walkthrough.save_notebooks([path]) == 0
    once = path.read_bytes()
    assert walkthrough.save_notebooks([path]) == 0

    assert path.read_bytes() == once
    saved = nbformat.read(path, as_version=4)
    assert saved.cells[1].outputs[0].text == "same\n"
    assert saved.cells[1].metadata == {"tags": ["hide-input"]}
    assert set(saved.metadata) == {"kernelspec", "language_info"}
    assert "version" not in saved.metadata.language_info


def test_saving_keeps_outputs_that_differ_only_in_what_nbval_does_not_compare(home: Path, tmp_path: Path) -> None:
    path = write(
        tmp_path / "00_a.ipynb",
        "# A",
        "import time\nprint(f'at {time.strftime(\"%Y-%m-%dT%H:%M:%SZ\")} on 127.0.0.1:{time.time_ns() % 9000 + 1000}, {time.time() % 9:.1f} s')",
        "import secrets\nprint(secrets.token_hex(8))",
    )
    assert walkthrough.save_notebooks([path]) == 0
    once = nbformat.read(path, as_version=4)
    time.sleep(1.1)
    assert walkthrough.save_notebooks([path]) == 0
    twice = nbformat.read(path, as_version=4)

    assert twice.cells[1].outputs == once.cells[1].outputs
    assert twice.cells[2].outputs != once.cells[2].outputs


def test_saving_uses_its_own_account_and_leaves_the_user_s_environment_alone(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKBOOK_TARGET", "aws")
    before = dict(os.environ)

    with walkthrough.account_of_its_own() as environ:
        assert environ["WORKBOOK_TARGET"] == "embedded"
        assert environ["WORKBOOK_TEARDOWN"] == "1"
        scratch = Path(environ["WORKBOOK_HOME"])
        assert scratch.is_dir()
        assert scratch != Path(before["WORKBOOK_HOME"])

    assert not scratch.exists()
    assert dict(os.environ) == before


def page(tmp_path: Path, *cells: nbformat.NotebookNode) -> str:
    node = new_notebook(cells=list(cells))
    book = pages.Book(tmp_path / "pages", ["00_a", "01_b"], "alloy-dev-take-home", {"00_a": "A", "01_b": "B & co"})
    (tmp_path / "notebooks").mkdir(exist_ok=True)
    return book.add(tmp_path / "notebooks" / "00_a.ipynb", node, 1.0).read_text()


def test_page_references_nothing_on_the_network(tmp_path: Path) -> None:
    text = page(tmp_path, new_markdown_cell("# A\n\n$5 and $6"), new_code_cell("1 + 1"))

    assert "<script" not in text
    assert "http://" not in text
    assert "https://" not in text
    assert "$5 and $6" in text


def test_page_links_to_its_neighbours_and_to_the_projects_files(tmp_path: Path) -> None:
    (tmp_path / "locals.tf").touch()
    text = page(
        tmp_path,
        new_markdown_cell(
            "[next](01_b.ipynb#plan), [file](../locals.tf), [out](https://example.com/a), [here](#plan)\n\n## Plan"
        ),
    )

    assert 'href="01_b.html#plan"' in text
    assert 'href="../locals.tf"' in text
    assert (tmp_path / "pages" / "../locals.tf").exists()
    assert 'href="https://example.com/a"' in text
    assert 'href="#plan"' in text
    assert (
        '<a href="01_b.html" rel="next">B &amp; co →</a>' in text
        or 'rel="next" href="01_b.html">B &amp; co →</a>' in text
    )
    assert '<a href="#Plan">Plan</a>' in text


def test_page_keeps_folded_parts_folded(tmp_path: Path) -> None:
    answer = new_markdown_cell(
        "<details><summary>Why three zones?</summary>\n\nBecause **two** is one failure from one.\n\n</details>"
    )
    hidden = new_code_cell("plumbing()", metadata={"tags": ["hide-input"]})
    text = page(tmp_path, answer, hidden)

    folded = text[text.index("<details><summary>Why") : text.index("</details>")]
    assert "<strong>two</strong>" in folded
    code = text[text.index('<details class="code">') :]
    assert "plumbing" in code[: code.index("</details>")]


def test_page_shows_pictures_inline_with_their_text(tmp_path: Path) -> None:
    dot = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    drawn = new_code_cell(
        "draw()",
        outputs=[new_output("display_data", data={"image/png": dot + "\n", "text/plain": 'a VPC, "three" zones'})],
    )
    text = page(tmp_path, drawn)

    assert f'src="data:image/png;base64,{dot}"' in text
    assert 'alt="a VPC, &quot;three&quot; zones"' in text or "alt='a VPC, \"three\" zones'" in text

    (tmp_path / "notebooks" / "drawn.png").write_bytes(base64.b64decode(dot))
    linked = page(tmp_path, new_markdown_cell("![all of it](drawn.png) ![gone](absent.png)"))
    assert f'alt="all of it" src="data:image/png;base64,{dot}"' in linked
    # For a missing picture, the page shows its alt text.
    assert 'alt="gone" src="absent.png"' in linked


def _wait(condition, seconds: float = 120) -> None:  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.1)
