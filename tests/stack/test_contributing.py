"""The worked examples of CONTRIBUTING.md work: their files are written into a copy of the project, and their commands
are run there.

A section is one example. `Create` and `Append to` name the file that the next block is; a `console` block is a session:
a line that begins with `$` is run, the others must be in what it prints.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from workbook.emulator import branches
from workbook.host.paths import ROOT

pytestmark = pytest.mark.stack

COPIED = ("lib", "terraform", "diagrams", "notebooks", "container", "docs", "tests", "scripts", "pyproject.toml")
# Other jobs of `make test` write these, and may do so right now.
WRITTEN = (".terraform*", "__pycache__", ".ipynb_checkpoints", "*.tmp")
INSTALLED = ("bin", "provider-cache", "simulator")
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$|^(Create|Append to) `([^`]+)`:$", re.MULTILINE | re.DOTALL)


@dataclass
class Example:
    """A section of CONTRIBUTING.md.

    Attributes
    ----------
    files : path -> (Create or Append to, content), in order.
    commands : (command, texts that it must print), in order.
    """

    title: str
    files: list[tuple[str, str, str]] = field(default_factory=list)
    commands: list[tuple[str, list[str]]] = field(default_factory=list)


def examples() -> list[Example]:
    found = []
    for section in re.split(r"^## ", (ROOT / "CONTRIBUTING.md").read_text(), flags=re.MULTILINE)[1:]:
        example, named = Example(section.partition("\n")[0]), None
        for language, content, how, path in _BLOCK.findall(section):
            if how:
                named = (how, path)
            elif named:
                example.files.append((*named, content))
                named = None
            elif language == "console":
                for line in content.splitlines():
                    if line.startswith("$ "):
                        example.commands.append((line[2:], []))
                    else:
                        example.commands[-1][1].append(line)
        if example.commands:
            found.append(example)
    return found


def test_each_thing_that_people_add_has_an_example() -> None:
    titles = [example.title for example in examples()]
    assert titles == ["Add a claim", "Add a layer", "Add a patch", "Add a test case", "Add a notebook"]
    assert all(example.files for example in examples())


@pytest.mark.parametrize("example", examples(), ids=lambda example: example.title.replace(" ", "-").lower())
def test_example(example: Example, stack, tmp_path: Path) -> None:
    project, home = tmp_path / "project", tmp_path / "home"
    project.mkdir()
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns(*WRITTEN))
        else:
            shutil.copy2(ROOT / name, project / name)
    before = {
        path: path.read_bytes()
        for name in ("lib", "terraform", "diagrams", "notebooks")
        for path in (project / name).rglob("*")
        if path.is_file()
    }
    copy_compiled(project)
    # What the setup installed, such as the provider: not to be fetched again.
    (project / ".workbook").mkdir()
    for name in INSTALLED:
        (project / ".workbook" / name).symlink_to(ROOT / ".workbook" / name)
    for how, path, content in example.files:
        file = project / path
        assert file.exists() == (how == "Append to"), path
        file.write_text((file.read_text() + "\n\n" if file.exists() else "") + content)
    branches.fork(home, home=stack.workbook.run.home)
    try:
        outputs = run([command for command, _ in example.commands], project, home)
        for (command, wanted), out in zip(example.commands, outputs, strict=True):
            for text in wanted:
                assert " ".join(text.split()) in " ".join(out.split()), f"{command}\n{out}"
    finally:
        branches.stop_all(home)
    # Adding is all that it takes.
    written = {project / path for _, path, _ in example.files}
    changed = [path for path, content in before.items() if path not in written and path.read_bytes() != content]
    assert before and changed == []


def copy_compiled(project: Path) -> None:
    """Spare each process the compilation of the package."""
    for source in (project / "lib").rglob("*.py"):
        copied = Path(cache_from_source(str(source)))
        compiled = Path(cache_from_source(str(ROOT / source.relative_to(project))))
        if compiled.is_file():
            copied.parent.mkdir(exist_ok=True)
            shutil.copy2(compiled, copied)


# Runs one command line after the other, as the shell would, but does not start Python and import the package for each.
SHELL = """
import contextlib, io, json, shlex, subprocess, sys
from workbook import cli
for line in json.load(sys.stdin):
    program, *arguments = shlex.split(line)
    if program == "workbook":
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            try:
                code = cli.main(arguments)
            except SystemExit as ended:  # --help
                code = ended.code
        said = said.getvalue()
    else:
        done = subprocess.run([sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        code, said = done.returncode, done.stdout
    print(json.dumps([code, said]), flush=True)
    if code:
        break
"""


def run(commands: list[str], project: Path, home: Path) -> list[str]:
    """What each command prints in the copied project, on the account of `home`; the first that fails fails the test."""
    assert {shlex.split(command)[0] for command in commands} <= {"python", "workbook"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WORKBOOK_")}
    environ = {"PYTHONPATH": str(project / "lib"), "WORKBOOK_HOME": str(home), "WORKBOOK_TEST_ACCOUNT": "1"}
    done = subprocess.run(
        [sys.executable, "-c", SHELL],
        input=json.dumps(commands),
        cwd=project,
        env={**kept, **environ},
        capture_output=True,
        text=True,
        timeout=900,
    )
    results = [json.loads(line) for line in done.stdout.splitlines()]
    for command, (code, said) in zip(commands, results, strict=False):
        assert code == 0, f"{command}\n{said}"
    assert done.returncode == 0 and len(results) == len(commands), done.stderr
    return [said for _, said in results]
