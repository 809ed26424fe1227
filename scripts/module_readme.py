"""Generates the Terraform modules' READMEs from the code: `python scripts/module_readme.py`, or `--check` to compare.

terraform-docs does this job, but it is a Go binary that is on neither PyPI nor npm, so it would be the one tool that
`make setup` cannot install. tfdocs, which is on PyPI, writes one block with the inputs, sorted and with their types in
capitals: no outputs, defaults, requirements or resources.

The purpose is the leading comment of `main.tf`; requirements, resources, inputs and outputs come from the `.tf` files.
"""

from __future__ import annotations

import argparse
import functools
import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from workbook.errors import WorkbookError
from workbook.host.paths import ENVIRONMENTS, ROOT
from workbook.terraform.hcl import parse_hcl, relative

MODULES = ROOT / "terraform" / "modules"
# Where a reader sees the modules in use. Other environments are copies of it.
EXAMPLE = ENVIRONMENTS / "dev"

_COMMENT = re.compile(r"#[ \t]?(.*)")
# An object type's fields would make the table unreadable; they are one click away.
_LONG_TYPE = 60


def modules() -> list[Path]:
    """Directories of all modules, submodules included."""
    return sorted(path.parent for path in MODULES.rglob("variables.tf") if ".terraform" not in path.parts)


def render(module: Path) -> str:
    """The README of one module, as Markdown.

    Raises
    ------
    WorkbookError : invalid HCL, a `main.tf` without a leading comment, or an input or output without a description.
    """
    blocks = _blocks(module)
    settings = blocks["terraform"][0]
    requirements = [("Terraform", _code(settings["required_version"]))]
    requirements += [
        (f"provider `{_plain(name)}`", _code(value["version"]))
        for name, value in _named(settings["required_providers"])
    ]
    sections = [
        f"# {module.name}",
        _purpose(module),
        _usage(module),
        _table("Requirements", ("Name", "Version"), requirements),
        _table("Resources", ("Name", "Kind"), _resources(blocks)),
        _table("Inputs", ("Name", "Description", "Type", "Default", "Required"), _inputs(module, blocks)),
        _table("Outputs", ("Name", "Description"), _outputs(module, blocks)),
        "Generated from the code by `python scripts/module_readme.py`.",
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def stale() -> list[Path]:
    """READMEs that are missing or differ from the code."""
    paths = [module / "README.md" for module in modules()]
    return [path for path in paths if not path.is_file() or path.read_text() != render(path.parent)]


def write() -> list[Path]:
    """Write the READMEs that are stale; returns them."""
    paths = stale()
    for path in paths:
        path.write_text(render(path.parent))
    return paths


def _parse(path: Path) -> dict[str, Any]:
    return _parse_once(path, path.read_text())


@functools.cache
def _parse_once(path: Path, _text: str) -> dict[str, Any]:
    """Parsing takes tenths of a second per file, and every module looks at every other, so each text is parsed once."""
    return parse_hcl(path)


def _blocks(module: Path) -> dict[str, list[dict[str, Any]]]:
    """Block type -> blocks of all `.tf` files of the module, `main.tf` first."""
    blocks: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(module.glob("*.tf"), key=lambda path: (path.name != "main.tf", path.name)):
        for kind, found in _parse(path).items():
            blocks.setdefault(kind, []).extend(found)
    return blocks


def _purpose(module: Path) -> str:
    """First paragraph of the comment at the top of `main.tf`."""
    lines: list[str] = []
    for line in (module / "main.tf").read_text().splitlines():
        comment = _COMMENT.fullmatch(line.strip())
        if comment is None or not comment[1].strip():
            break
        lines.append(comment[1].strip())
    if not lines:
        raise WorkbookError(
            f"{relative(module / 'main.tf')} does not say what the module is for.",
            "Start it with a one-sentence comment.",
        )
    return " ".join(lines)


def _usage(module: Path) -> str:
    """Where the module is used, and under which names."""
    calls: list[str] = []
    for path in sorted([*EXAMPLE.glob("*.tf"), *(path for other in modules() for path in other.glob("*.tf"))]):
        names = [
            _code(name)
            for name, body in _named(_parse(path).get("module", []))
            if (path.parent / _plain(body["source"])).resolve() == module.resolve()
        ]
        if names:
            calls.append(
                f"[{path.relative_to(ROOT / 'terraform')}]({os.path.relpath(path, module)}) ({', '.join(names)})"
            )
    return f"Used in {', '.join(calls)}." if calls else ""


def _resources(blocks: dict[str, list[dict[str, Any]]]) -> Iterator[tuple[str, str]]:
    for kind, label in (("resource", "resource"), ("data", "data source")):
        for resource_type, body in _named(blocks.get(kind, [])):
            for name, _ in _named([body]):
                yield f"`{_plain(resource_type)}.{_plain(name)}`", label
    for name, body in _named(blocks.get("module", [])):
        path = os.path.normpath(_plain(body["source"]))
        yield f"`module.{_plain(name)}`", f"module [{Path(path).name}]({path}/README.md)"


def _inputs(module: Path, blocks: dict[str, list[dict[str, Any]]]) -> Iterator[tuple[str, ...]]:
    for name, body in _named(blocks.get("variable", [])):
        required = "default" not in body
        default = "" if required else f"`{_hcl(body['default'])}`"
        yield _code(name), _description(module, name, body), _type(body["type"]), default, "yes" if required else "no"


def _outputs(module: Path, blocks: dict[str, list[dict[str, Any]]]) -> Iterator[tuple[str, str]]:
    for name, body in _named(blocks.get("output", [])):
        yield _code(name), _description(module, name, body)


def _named(blocks: list[dict[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Label and body of each block, without the keys that the parser adds."""
    for block in blocks:
        yield from ((label, body) for label, body in block.items() if not label.startswith("__"))


def _description(module: Path, name: str, body: dict[str, Any]) -> str:
    if "description" not in body:
        raise WorkbookError(
            f"{_plain(name)} in {relative(module)} has no description.", "Add one: the README is generated from it."
        )
    return _plain(body["description"])


def _type(value: str) -> str:
    text = re.sub(r"\s+", " ", _plain(value))
    if len(text) <= _LONG_TYPE:
        return f"`{text}`"
    outer = text.partition("object({")[0]
    return f"[`{outer}object({{…}}){')' * outer.count('(')}`](variables.tf)"


def _hcl(value: Any) -> str:
    """A parsed value, as written in HCL."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str() if value.startswith("${"):
            return _plain(value)
        case str():
            return f'"{_plain(value)}"'
        case list():
            return f"[{', '.join(_hcl(item) for item in value)}]"
        case dict():
            pairs = [f"{_plain(key)} = {_hcl(item)}" for key, item in value.items() if not key.startswith("__")]
            return f"{{ {', '.join(pairs)} }}" if pairs else "{}"
    return str(value)


def _plain(value: str) -> str:
    """A string, label or expression without python-hcl2's wrapping: quotes since version 8, and always `${...}`."""
    if value.startswith("${") and value.endswith("}"):
        return value[2:-1]
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return value[1:-1]
    return value


def _code(value: str) -> str:
    return f"`{_plain(value)}`"


def _table(title: str, head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A section with a table, or nothing if there are no rows."""
    body = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    if not body:
        return ""
    lines = [list(head), ["---"] * len(head), *body]
    return f"## {title}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python scripts/module_readme.py", description="Write the README of every Terraform module."
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a README differs from the code")
    check = parser.parse_args(argv).check
    try:
        paths = stale() if check else write()
    except WorkbookError as error:
        print(error, file=sys.stderr)
        return 1
    for path in paths:
        print(f"{'stale' if check else 'written'}: {relative(path)}", file=sys.stderr if check else sys.stdout)
    if check and paths:
        print("Run python scripts/module_readme.py.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
