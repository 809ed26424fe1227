"""Draws a layer from the inventory: runs `diagrams/<name>.py`, renders it with Graphviz, describes it in words."""

from __future__ import annotations

import base64
import importlib.util
import json
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbook.diagram.canvas import Picture
from workbook.diagram.layout import Size
from workbook.errors import WorkbookError
from workbook.host.paths import DIAGRAMS
from workbook.inventory import TABLES, Inventory
from workbook.layers import BY_KEY
from workbook.network.flows import Key

TIMEOUT = 60
"""Seconds that Graphviz may take for one picture."""
PNG_DPI = 144
"""Twice the 72 units of the layout, for a sharp picture on a shared screen."""
_SVG = "http://www.w3.org/2000/svg"
_XLINK = "http://www.w3.org/1999/xlink"


@dataclass(frozen=True)
class Drawing:
    """A finished picture.

    Attributes
    ----------
    title : heading of the picture.
    alt : text alternative: what is drawn and every arrow, from the same data as the picture.
    nodes : (table, name) of each thing drawn; table `generic` for what no account holds, such as the internet.
    svg, png : the rendered picture; the SVG needs no other file, the PNG has `PNG_DPI`.
    """

    title: str
    alt: str
    nodes: tuple[Key, ...]
    svg: str = field(repr=False)
    png: bytes = field(repr=False)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        # PNG and text: Graphviz versions lay out differently, and notebooks are compared by everything but their PNGs.
        bundle = {"image/png": base64.b64encode(self.png).decode(), "text/plain": self.alt}
        return bundle, {"image/png": {"alt": self.alt, "width": min(_png_width(self.png) * 72 // PNG_DPI, 1200)}}


def draw(name: str, inventory: Inventory) -> Drawing:
    """The picture `diagrams/<name>.py` makes of the inventory.

    Raises
    ------
    WorkbookError : no such picture, nothing of it is deployed, or Graphviz is missing or fails.
    """
    picture = sketch(name, inventory)
    sizes = {
        item["name"]: Size(float(item["width"]) * 72, float(item["height"]) * 72)
        for item in json.loads(_graphviz(picture.measured(), "dot", "json"))["objects"]
    }
    source = picture.placed(sizes)
    alt = describe(picture)
    return Drawing(
        title=picture.heading,
        alt=alt,
        nodes=tuple(picture.nodes),
        svg=_stand_alone(_graphviz(source, "nop2", "svg"), picture.heading, alt),
        png=_graphviz(source, "nop2", "png"),
    )


def sketch(name: str, inventory: Inventory) -> Picture:
    """What `diagrams/<name>.py` makes of the inventory, not yet rendered; raises as `draw` does, and needs no Graphviz."""
    module = load(name)
    layer = name if name in BY_KEY else TABLES[module.DRAWS[0]].layer
    if not inventory.deployed(layer) or inventory[module.DRAWS[0]].empty:
        raise WorkbookError(
            f"Nothing is deployed in layer {layer}, so there is nothing to draw.",
            f'Deploy it first: wb.apply(wb.plan("{layer}")).',
        )
    picture: Picture = module.draw(inventory)
    return picture


def save(drawing: Drawing, directory: Path, name: str) -> tuple[Path, Path]:
    """Writes `<name>.png` and `<name>.svg` to `directory`; their paths."""
    directory.mkdir(parents=True, exist_ok=True)
    png, svg = directory / f"{name}.png", directory / f"{name}.svg"
    png.write_bytes(drawing.png)
    svg.write_text(drawing.svg, encoding="utf-8")
    return png, svg


def load(name: str) -> Any:
    """`diagrams/<name>.py` by its path: the directory shares its name with the library and is no package."""
    known = sorted(path.stem for path in DIAGRAMS.glob("*.py"))
    if name not in known:
        raise WorkbookError(f"There is no picture {name!r}.", f"There are: {', '.join(known)}.")
    spec = importlib.util.spec_from_file_location(f"workbook_picture_{name}", DIAGRAMS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def describe(picture: Picture) -> str:
    """The picture in words: heading, how many of what, and each arrow on a line."""
    counted = Counter(key.table for key in picture.nodes if key.table in TABLES)
    kinds = ", ".join(f"{TABLES[table].caption.split(',')[0]} {number}" for table, number in counted.items())
    arrows = [
        f"  {_spoken(picture, f.source)} -> {_spoken(picture, f.target)}{f' ({f.label})' if f.label else ''}"
        for f in picture.flows
    ]
    return "\n".join([picture.heading, f"Drawn: {kinds}.", *(["Arrows:"] if arrows else []), *arrows])


def _spoken(picture: Picture, key: Key) -> str:
    """A node with what it is: `NAT gateway vpc-us-east-1a`."""
    if key.table == "generic":
        return key.name
    one = {"routes": "route table", "nat_gateways": "NAT gateway", "vpcs": "VPC"}.get(key.table)
    plural = key.table.replace("_", " ")
    kind = one or (plural[:-3] + "y" if plural.endswith("ies") else plural.removesuffix("s"))
    twins = [node for node in picture.nodes if (node.table, node.name) == (key.table, key.name)]
    return f"{kind} {picture.short(key.name)}{f' ({key.id})' if len(twins) > 1 else ''}"


# Runs where there is no `dot`: the wheel's Graphviz, in a process of its own so that it can be ended.
_PYGRAPHVIZ = """
import json, sys, pygraphviz
job = json.load(sys.stdin)
graph = pygraphviz.AGraph(string=job["source"])
if job["dpi"]:
    graph.graph_attr["dpi"] = str(job["dpi"])
sys.stdout.buffer.write(graph.draw(format=job["format"], prog=job["layout"]))
"""


def _graphviz(source: str, layout: str, form: str) -> bytes:
    """`source` as `png`, `svg` or `json`, by `dot` on the PATH or else by pygraphviz."""
    dpi = PNG_DPI if form == "png" else 0
    dot = shutil.which("dot")
    if dot:
        command, text = [dot, f"-K{layout}", f"-T{form}", *([f"-Gdpi={dpi}"] if dpi else [])], source
    elif importlib.util.find_spec("pygraphviz"):
        command, text = (
            [sys.executable, "-c", _PYGRAPHVIZ],
            json.dumps({"source": source, "layout": layout, "format": form, "dpi": dpi}),
        )
    else:
        raise WorkbookError(
            "Graphviz is missing: there is neither `dot` on the PATH nor pygraphviz.",
            "Install one: pip install pygraphviz, or apt-get install graphviz.",
        )
    try:
        done = subprocess.run(command, input=text.encode(), capture_output=True, timeout=TIMEOUT, check=True)
    except subprocess.TimeoutExpired as error:
        raise WorkbookError(
            f"Graphviz did not finish within {TIMEOUT} s.", "Try again when the machine is less busy."
        ) from error
    except (subprocess.CalledProcessError, OSError) as error:
        said = getattr(error, "stderr", b"") or str(error).encode()
        raise WorkbookError(
            "Graphviz could not draw the picture.", "Check it with: dot -V", said.decode(errors="replace").strip()
        ) from error
    return done.stdout


def _stand_alone(svg: bytes, title: str, alt: str) -> str:
    """The SVG with each icon inside it once, and with a title and description for screen readers."""
    ET.register_namespace("", _SVG)
    ET.register_namespace("xlink", _XLINK)
    root = ET.fromstring(svg)
    root.set("role", "img")
    root.set("aria-labelledby", "title desc")
    icons: dict[str, ET.Element] = {}
    for group in root.iter(f"{{{_SVG}}}g"):
        for child in list(group):
            # Graphviz puts ids of edges and clusters there; as tooltips they say nothing.
            if child.tag == f"{{{_SVG}}}title":
                group.remove(child)
    for image in root.iter(f"{{{_SVG}}}image"):
        path = image.attrib.pop(f"{{{_XLINK}}}href")
        if path not in icons:
            symbol = ET.Element(f"{{{_SVG}}}symbol", {"id": f"icon{len(icons)}", "viewBox": "0 0 100 100"})
            data = base64.b64encode(Path(path).read_bytes()).decode()
            ET.SubElement(
                symbol,
                f"{{{_SVG}}}image",
                {"width": "100", "height": "100", f"{{{_XLINK}}}href": f"data:image/png;base64,{data}"},
            )
            icons[path] = symbol
        image.tag = f"{{{_SVG}}}use"
        image.attrib.pop("preserveAspectRatio", None)
        image.set(f"{{{_XLINK}}}href", f"#{icons[path].get('id')}")
    for text in root.iter(f"{{{_SVG}}}text"):
        text.set("font-family", "Arial,Helvetica,'Liberation Sans',sans-serif")
    head = [ET.Element(f"{{{_SVG}}}title", {"id": "title"}), ET.Element(f"{{{_SVG}}}desc", {"id": "desc"})]
    head[0].text, head[1].text = title, alt
    definitions = ET.Element(f"{{{_SVG}}}defs")
    definitions.extend(icons.values())
    for place, element in enumerate([*head, definitions]):
        root.insert(place, element)
    return ET.tostring(root, encoding="unicode")


def _png_width(png: bytes) -> int:
    """Pixels, from the header every PNG starts with."""
    return int.from_bytes(png[16:20], "big")
