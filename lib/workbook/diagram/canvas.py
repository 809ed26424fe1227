"""The canvas of the diagrams: a `diagrams.Diagram` of cards in boxes, which remembers what was drawn.

What it remembers is what the tests compare with the inventory, and what the text alternative is made of.
"""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from types import TracebackType
from typing import Literal, NamedTuple

import diagrams
from diagrams import Cluster, Diagram, Node, setcluster, setdiagram
from graphviz import Digraph

from workbook.diagram.layout import PADDING, Frame, Rect, Size, place
from workbook.diagram.routing import Point, Router, beside, borders, middle, spans
from workbook.inventory import Inventory
from workbook.network.flows import Flow, Key

_RESOURCES = Path(diagrams.__file__).resolve().parents[1]
# Arial or a font of the same widths is wherever text is shown.
FONT = "Arial"
_GREY = "#545B64"
_HEADING = "heading"
_PLAIN = {"shape": "plain", "fixedsize": "false", "width": "0", "height": "0"}
# Points: length of an arrow's tip, and radius of a corner.
_TIP, _ROUND = 8.0, 6.0
_LABEL_LINES, _LABEL_WIDTH = 4, 42

# AWS's own colours for the things they stand for: public green, private teal, VPC purple, IAM red.
_BOXES: dict[str, dict[str, str]] = {
    "region": {"pencolor": "#147EBA", "bgcolor": "#FFFFFF", "style": "dashed,rounded", "fontcolor": "#0F5F8C"},
    "vpc": {"pencolor": "#8C4FFF", "bgcolor": "#FFFFFF", "penwidth": "1.6", "fontcolor": "#6B2FD6"},
    "zone": {"pencolor": "#7D8998", "bgcolor": "#FBFBFC", "style": "dashed,rounded", "fontcolor": "#414D5C"},
    "public": {"pencolor": "#7AA116", "bgcolor": "#F1F6E4", "fontcolor": "#4A660A"},
    "private": {"pencolor": "#00A4A6", "bgcolor": "#E6F6F7", "fontcolor": "#016364"},
    "group": {"pencolor": "#B6BEC9", "bgcolor": "#F7F8F9", "fontcolor": "#414D5C"},
    "boundary": {"pencolor": "#DD344C", "bgcolor": "#FDF3F4", "penwidth": "1.6", "fontcolor": "#B0243A"},
}

# kind -> (the line, what it means)
_LINES: dict[str, tuple[dict[str, str], str]] = {
    "allowed": ({"color": "#232F3E"}, "allowed by security groups"),
    "route": ({"color": "#8C4FFF"}, "route"),
    "trust": ({"color": "#414D5C"}, "may take the role"),
    "policy": ({"color": "#C7254E"}, "allowed by policy"),
    "uses": ({"color": "#7D8998"}, "uses"),
    "record": ({"color": "#3F8624", "style": "dashed"}, "logs and copies"),
}


class Picture(Diagram):  # type: ignore[misc]
    """A diagram under construction, used as `with Picture(...) as picture:`; its parts stand in the order they are
    named.

    Attributes
    ----------
    heading : title of the picture.
    nodes : keys of what is drawn, in order.
    flows : what the arrows stand for, in order.
    frame : cards (by id) and boxes (by name), as they stand in one another.
    cards : what each card stands for, by its id.
    labels : HTML label of each card, box and arrow, by id or name.
    texts : lines on each card and box, by id and name.
    kinds : kind of each box, by name.
    arrows : lines from card or box to card or box.
    """

    def __init__(
        self, title: str, inventory: Inventory, direction: Literal["row", "column"] = "column", gap: float = 34
    ) -> None:
        self.heading = f"{title} · {inventory.scope.prefix}"
        self.prefix = inventory.scope.prefix
        self.region = inventory.scope.region
        self.nodes: dict[Key, None] = {}
        self.flows: dict[Flow, None] = {}
        self._kinds: dict[str, None] = {}
        self.cards: dict[str, Key] = {}
        self._places: dict[Key, list[str]] = {}
        self.labels: dict[str, str] = {}
        self.texts: dict[str, tuple[str, ...]] = {}
        self.kinds: dict[str, str] = {}
        self._boxes: list[Cluster] = []
        self.arrows: list[Arrow] = []
        self.frame = Frame(direction, gap)
        self._frames = [self.frame]
        super().__init__(
            "picture",
            show=False,
            graph_attr={"bgcolor": "white", "fontname": FONT, "label": "", "pad": "0.25"},
            node_attr={"fontname": FONT, "fontsize": "13", "fontcolor": "#16191F"},
        )

    def __enter__(self) -> Picture:
        setdiagram(self)
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # diagrams renders here, into the current directory; workbook.diagram.render renders this one.
        setcluster(None)
        setdiagram(None)

    # ── what a picture is made of ──

    def short(self, name: str) -> str:
        """`name` without the prefix that every name of the environment has."""
        return name.removeprefix(f"{self.prefix}-")

    def card(self, icon: type[Node], key: Key, title: str, *details: str, at: str = "") -> None:
        """A resource as a card: icon, title, one line for each detail. `at` tells the cards of one resource in several
        places apart.
        """
        self.nodes[key] = None
        # Graphviz reads a colon in a node's name as a port.
        nodeid = f"{key.table}/{key.id}{'@' + at if at else ''}".replace(":", "_")
        self.cards[nodeid] = key
        self._places.setdefault(key, []).append(nodeid)
        lines = "".join(
            f'<BR ALIGN="LEFT"/><FONT POINT-SIZE="11" COLOR="{_GREY}">{html.escape(line)}</FONT>'
            for line in details
            if line
        )
        self.labels[nodeid] = (
            '<<TABLE BORDER="1" CELLBORDER="0" CELLSPACING="0" CELLPADDING="4" STYLE="ROUNDED" BGCOLOR="white" COLOR="#B6BEC9"><TR>'
            f'<TD FIXEDSIZE="TRUE" WIDTH="42" HEIGHT="42"><IMG SRC="{_RESOURCES / icon._icon_dir / icon._icon}" SCALE="TRUE"/></TD>'
            f'<TD ALIGN="LEFT" BALIGN="LEFT"><B>{html.escape(title)}</B>{lines}</TD></TR></TABLE>>'
        )
        self.texts[nodeid] = (title, *filter(None, details))
        self._frames[-1].children.append(nodeid)
        icon(self.labels[nodeid], nodeid=nodeid, image="", shape="plain", fixedsize="false", width="0", height="0")

    @contextmanager
    def box(
        self,
        kind: str,
        title: str,
        detail: str = "",
        of: Key | None = None,
        direction: Literal["row", "column"] = "column",
        gap: float = 30,
        grow: bool = False,
    ) -> Iterator[str]:
        """A labelled frame around what is drawn inside: a resource (`of`), such as a subnet, or a grouping. Yields its
        name, for arrows.
        """
        box = _Box(
            f"{len(self.labels)}", graph_attr={"style": "rounded", "fontname": FONT, "fontsize": "13", **_BOXES[kind]}
        )
        second = f'<FONT POINT-SIZE="11">&#160; {html.escape(detail)}</FONT>' if detail else ""
        if of is not None:
            self.nodes[of] = None
            self._places.setdefault(of, []).append(box.name)
        # The label is a node, because arrows go round nodes and through the labels of clusters.
        box.dot.graph_attr["label"] = ""
        colour = _BOXES[kind]["fontcolor"]
        self.texts[box.name], self.kinds[box.name] = (title, detail), kind
        self.labels[box.name] = f'<<FONT COLOR="{colour}"><B>{html.escape(title)}</B>{second}</FONT>>'
        with box, self._frame(Frame(direction, gap, box.name, grow)):
            yield str(box.name)
        self._boxes.append(box)

    def space(self) -> None:
        """Room that pushes what comes before and after it apart."""
        self._frames[-1].children.append(Frame("row", 0, grow=True))

    def row(self, gap: float = 30) -> AbstractContextManager[None]:
        """What is drawn inside stands side by side, without a box."""
        return self._frame(Frame("row", gap))

    def column(self, gap: float = 30) -> AbstractContextManager[None]:
        """What is drawn inside stands one below the other, without a box."""
        return self._frame(Frame("column", gap))

    @contextmanager
    def _frame(self, frame: Frame) -> Iterator[None]:
        self._frames[-1].children.append(frame)
        self._frames.append(frame)
        try:
            yield
        finally:
            self._frames.pop()

    def flow(
        self, flow: Flow, kind: str, tail: Key | None = None, head: str = "", at: str = "", quiet: bool = False
    ) -> None:
        """Arrows for a flow, from each card of its source to each of its target; none while one of them is not drawn.

        Parameters
        ----------
        kind : of line, a key of `_LINES`.
        tail : start at this resource in place of the source, such as the target group of a load balancer.
        head : end at the box of that name in place of the target.
        at : only from the source's card at this place, such as a subnet.
        quiet : without the label, where the picture has no room; the text alternative has it.
        """
        tails = [start for start in self._places.get(tail or flow.source, []) if not at or start.endswith(f"@{at}")]
        heads = [head] if head else self._places.get(flow.target, [])
        # One label is enough for the arrows between the several cards of two resources.
        label = "" if quiet or flow in self.flows else flow.label
        for start, end in product(tails, heads):
            self.flows[flow] = None
            self._kinds[kind] = None
            drawn = {(arrow.tail, arrow.head, arrow.kind): place for place, arrow in enumerate(self.arrows)}
            place = drawn.get((start, end, kind))
            if place is None:
                self.arrows.append(
                    Arrow(start, end, kind, (label,) if label else (), kind if quiet else f"{kind} {flow.label}")
                )
            elif label and label not in self.arrows[place].labels:
                self.arrows[place] = replace(self.arrows[place], labels=(*self.arrows[place].labels, label))
            label = ""

    def draws(self, key: Key) -> bool:
        """Whether a resource is in the picture so far."""
        return key in self._places

    # ── from parts to a graph with positions ──

    def measured(self) -> str:
        """DOT source in which every card and every label is a node, for Graphviz to say how large they are."""
        self.labels[_HEADING] = self._heading()
        for arrow in self.arrows:
            if arrow.lines:
                text = '<BR ALIGN="LEFT"/>'.join(html.escape(line) for line in arrow.lines)
                # The last line of several is aligned by what ends it.
                end = '<BR ALIGN="LEFT"/>' if len(arrow.lines) > 1 else ""
                self.labels[arrow.name] = (
                    f'<<FONT COLOR="{_LINES[arrow.kind][0]["color"]}" POINT-SIZE="12">{text}{end}</FONT>>'
                )
        graph = Digraph(graph_attr={"fontname": FONT}, node_attr={**self.dot.node_attr, **_PLAIN})
        for name, label in self.labels.items():
            graph.node(name, label)
        return str(graph.source)

    def arranged(self, sizes: Mapping[str, Size]) -> Arrangement:
        """Where everything stands and every arrow runs, given the `sizes` of what `measured` lists. Raises KeyError for
        a size left out.
        """
        at = place(Frame("column", 16, children=[Frame("row", 0, children=[_HEADING]), self.frame]), sizes)
        at[_HEADING] = at[_HEADING]._replace(left=0)
        boxes = {box.name: at.pop(box.name) for box in self._boxes}
        labels = {name: Rect(rect.left + PADDING, rect.top + PADDING / 2, *sizes[name]) for name, rect in boxes.items()}
        # Labels are in the way under names of their own, since an arrow may end at the box that bears the name.
        router = Router({**at, **{f"label of {name}": rect for name, rect in labels.items()}}, boxes)
        ends = {**at, **boxes}
        ways = {
            arrow: router.route(arrow.tail, arrow.head, arrow.bundle)
            for arrow in sorted(self.arrows, key=lambda arrow: arrow.length(ends))
        }

        taken = [*at.values(), *labels.values(), *(rect for way in ways.values() for rect in spans(way))]
        frames = [side for rect in boxes.values() for side in borders(rect)]
        labelled = set()
        for arrow, way in ways.items():
            if arrow.lines and (arrow.bundle, way[-1]) not in labelled:
                labelled.add((arrow.bundle, way[-1]))
                labels[arrow.name] = beside(way, sizes[arrow.name], taken, frames)
                taken.append(labels[arrow.name])
        return Arrangement(at, boxes, labels, ways)

    def placed(self, sizes: Mapping[str, Size]) -> str:
        """DOT source with the position of every card, box and arrow, for the `nop2` layout, which only draws."""
        cards, boxes, labels, ways = self.arranged(sizes)
        bottom = max(rect.top + rect.height for rect in [*cards.values(), *boxes.values()])
        for box in self._boxes:
            rect = boxes[box.name]
            box.dot.graph_attr["bb"] = (
                f"{rect.left:.1f},{bottom - rect.top - rect.height:.1f},{rect.left + rect.width:.1f},{bottom - rect.top:.1f}"
            )
            box.close()
        for name, rect in [*cards.items(), *labels.items()]:
            attributes = {} if name in self.cards else {"label": self.labels[name], **_PLAIN}
            self.dot.node(
                name, pos=f"{rect.left + rect.width / 2:.1f},{bottom - rect.top - rect.height / 2:.1f}", **attributes
            )
        for arrow, way in ways.items():
            line = {"penwidth": "1.5", "arrowsize": "0.8", **_LINES[arrow.kind][0]}
            self.dot.edge(arrow.tail, arrow.head, pos=_curve([(x, bottom - y) for x, y in way]), **line)
        return str(self.dot.source)

    def _heading(self) -> str:
        legend = "&#160;&#160;&#160;&#160;".join(
            f'<FONT COLOR="{_LINES[k][0]["color"]}">{_dash(k)} {_LINES[k][1]}</FONT>' for k in self._kinds
        )
        return (
            '<<TABLE BORDER="0" CELLSPACING="0" CELLPADDING="2">'
            f'<TR><TD ALIGN="LEFT"><FONT POINT-SIZE="18"><B>{html.escape(self.heading)}</B></FONT></TD></TR>'
            f'<TR><TD ALIGN="LEFT"><FONT POINT-SIZE="12">{legend or " "}</FONT></TD></TR></TABLE>>'
        )


@dataclass(frozen=True)
class Arrow:
    tail: str
    head: str
    kind: str
    labels: tuple[str, ...]
    """Of the flows that it stands for, each on a line."""
    bundle: str
    """Arrows of one bundle may share a stretch."""

    @property
    def lines(self) -> tuple[str, ...]:
        """Its label; of more than four lines, the first three. The text alternative has all of it."""
        lines = [line for label in self.labels for line in textwrap.wrap(label, _LABEL_WIDTH)]
        return tuple(lines) if len(lines) <= _LABEL_LINES else (*lines[: _LABEL_LINES - 1], "…")

    @property
    def name(self) -> str:
        """Of the node that is its label."""
        return f"{self.tail} {self.head} {self.kind}"

    def length(self, at: Mapping[str, Rect]) -> float:
        (a, b), (c, d) = middle(at[self.tail]), middle(at[self.head])
        return abs(a - c) + abs(b - d)


class Arrangement(NamedTuple):
    """A picture on paper: rectangles by name, and the corners of each arrow. Points from the top left corner, y down."""

    cards: dict[str, Rect]
    boxes: dict[str, Rect]
    labels: dict[str, Rect]
    ways: dict[Arrow, tuple[Point, ...]]


class _Box(Cluster):  # type: ignore[misc]
    """A cluster that joins its parent only once its position is known."""

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        setcluster(self._parent)

    def close(self) -> None:
        (self._parent or self._diagram).subgraph(self.dot)


def _dash(kind: str) -> str:
    return "- - -" if _LINES[kind][0].get("style") == "dashed" else "&#8212;&#8212;"


def _curve(points: list[Point]) -> str:
    """Points of a line as Graphviz's `pos` of an edge: a spline with rounded corners that leaves room for the tip."""
    (x0, y0), (x1, y1) = points[-2:]
    length = abs(x1 - x0) + abs(y1 - y0)
    short = (x1 - (x1 - x0) / length * _TIP, y1 - (y1 - y0) / length * _TIP)
    line = [*points[:-1], short]
    steps: list[Point] = [line[0]]
    for before, corner, after in zip(line, line[1:], line[2:], strict=False):
        near, far = _towards(corner, before), _towards(corner, after)
        steps += [steps[-1], near, near, corner, corner, far]
    steps += [steps[-1], line[-1], line[-1]]
    return f"e,{x1:.1f},{y1:.1f} " + " ".join(f"{x:.1f},{y:.1f}" for x, y in steps)


def _towards(corner: Point, other: Point) -> Point:
    """The point where the rounding of a corner ends."""
    length = abs(other[0] - corner[0]) + abs(other[1] - corner[1])
    part = min(_ROUND, length / 2) / length
    return corner[0] + (other[0] - corner[0]) * part, corner[1] + (other[1] - corner[1]) * part
