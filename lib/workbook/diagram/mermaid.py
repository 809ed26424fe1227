"""The architecture picture as Mermaid text, for places that draw it themselves, such as a code host's page.

`python -m workbook.diagram.mermaid INVENTORY.json DIRECTORY` renews what the documentation holds of it: the Mermaid
block of `architecture-diagram.md`, `architecture.png` and `architecture.svg`.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from workbook.diagram.canvas import Picture
from workbook.diagram.layout import Frame
from workbook.diagram.render import draw, save, sketch
from workbook.errors import WorkbookError
from workbook.inventory import Inventory

_STYLES = {
    "region": "fill:#ffffff,stroke:#147eba,stroke-dasharray:5 5,color:#0f5f8c",
    "vpc": "fill:#ffffff,stroke:#8c4fff,color:#6b2fd6",
    "zone": "fill:#fbfbfc,stroke:#7d8998,stroke-dasharray:5 5,color:#414d5c",
    "public": "fill:#f1f6e4,stroke:#7aa116,color:#4a660a",
    "private": "fill:#e6f6f7,stroke:#00a4a6,color:#016364",
    "group": "fill:#f7f8f9,stroke:#b6bec9,color:#414d5c",
    "card": "fill:#ffffff,stroke:#7d8998,color:#16191f",
}


def mermaid(inventory: Inventory) -> str:
    """A `flowchart` of what `diagrams/architecture.py` draws: the same nodes, boxes and arrows. Raises as `render.draw`
    does.
    """
    picture = sketch("architecture", inventory)
    ids = {name: f"{'box' if name in picture.kinds else 'n'}{number}" for number, name in enumerate(picture.texts, 1)}
    lines = ["flowchart TB", *_inside(picture, picture.frame, ids, 1)]
    for arrow in picture.arrows:
        line = "-.->" if arrow.kind == "record" else "-->"
        said = f'|"{"<br/>".join(arrow.lines)}"|' if arrow.lines else ""
        lines.append(f"  {ids[arrow.tail]} {line}{said} {ids[arrow.head]}")
    lines += [f"  classDef {kind} {style}" for kind, style in _STYLES.items()]
    for kind in _STYLES:
        members = [ids[name] for name in picture.texts if picture.kinds.get(name, "card") == kind]
        lines += [f"  class {','.join(members)} {kind}"] if members else []
    return "\n".join(lines) + "\n"


def _inside(picture: Picture, frame: Frame, ids: dict[str, str], depth: int) -> list[str]:
    lines: list[str] = []
    for child in frame.children:
        indent = "  " * depth
        if isinstance(child, str):
            lines.append(f'{indent}{ids[child]}["{_text(picture, child)}"]')
        elif child.name:
            lines += [
                f'{indent}subgraph {ids[child.name]}["{_text(picture, child.name)}"]',
                *_inside(picture, child, ids, depth + 1),
                f"{indent}end",
            ]
        else:
            lines += _inside(picture, child, ids, depth)
    return lines


def _text(picture: Picture, name: str) -> str:
    # The title of a subgraph has room for one line.
    return (" " if name in picture.kinds else "<br/>").join(
        line.replace('"', "#quot;") for line in picture.texts[name] if line
    )


def document(inventory: Inventory, directory: Path) -> list[Path]:
    """Renews the three files in `directory`; their paths. Raises WorkbookError where the page or its block is missing."""
    page = directory / "architecture-diagram.md"
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    block = re.compile(r"(?<=^```mermaid\n).*?(?=^```$)", re.DOTALL | re.MULTILINE)
    if not block.search(text):
        raise WorkbookError(
            f"{page} has no mermaid block to renew.", "Name the directory that holds architecture-diagram.md."
        )
    drawn = mermaid(inventory)
    page.write_text(block.sub(lambda _: drawn, text, count=1), encoding="utf-8")
    return [page, *save(draw("architecture", inventory), directory, "architecture")]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m workbook.diagram.mermaid", description="Renew the architecture picture of the documentation."
    )
    parser.add_argument("inventory", type=Path, help="an inventory saved as JSON")
    parser.add_argument("directory", type=Path, help="where architecture-diagram.md is")
    options = parser.parse_args()
    try:
        for path in document(Inventory.from_json(options.inventory.read_text(encoding="utf-8")), options.directory):
            print(path)
    except (WorkbookError, OSError) as error:
        print(f"mermaid: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
