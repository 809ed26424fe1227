"""Boxes in rows and columns: where each card of a picture goes.

Graphviz's own layout puts the zone with the NAT gateway in the middle, because that crosses fewer lines. Here the order
is the one in which a picture names its parts, the same with every version of Graphviz, which measures the text and
routes the arrows. Lengths are points; x runs right and y runs down from the top left corner.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

PADDING = 16.0


class Size(NamedTuple):
    width: float
    height: float


class Rect(NamedTuple):
    left: float
    top: float
    width: float
    height: float


@dataclass
class Frame:
    """Cards (by id) and frames in a row or a column.

    Attributes
    ----------
    name : of the box drawn around them, whose label is measured under that name; empty draws none.
    grow : takes the room its neighbours leave, so that boxes in neighbouring columns end at one height.
    """

    direction: Literal["row", "column"]
    gap: float
    name: str = ""
    grow: bool = False
    children: list[Frame | str] = field(default_factory=list)


def place(frame: Frame, sizes: Mapping[str, Size]) -> dict[str, Rect]:
    """The rectangle of every card and every named frame inside `frame`, itself at 0, 0."""
    placed: dict[str, Rect] = {}
    _put(frame, Rect(0, 0, *_natural(frame, sizes)), sizes, placed)
    return placed


def _natural(item: Frame | str, sizes: Mapping[str, Size]) -> Size:
    """The least size that holds what is inside."""
    if isinstance(item, str):
        return sizes[item]
    inner = [_natural(child, sizes) for child in item.children]
    gaps = item.gap * max(len(inner) - 1, 0)
    if item.direction == "row":
        width, height = sum(s.width for s in inner) + gaps, max((s.height for s in inner), default=0)
    else:
        width, height = max((s.width for s in inner), default=0), sum(s.height for s in inner) + gaps
    if not item.name:
        return Size(width, height)
    label = sizes[item.name]
    return Size(max(width, label.width) + 2 * PADDING, height + label.height + 2.5 * PADDING)


def _put(item: Frame | str, at: Rect, sizes: Mapping[str, Size], placed: dict[str, Rect]) -> None:
    if isinstance(item, str):
        placed[item] = at
        return
    if item.name:
        placed[item.name] = at
        top = sizes[item.name].height + 1.5 * PADDING
        at = Rect(at.left + PADDING, at.top + top, at.width - 2 * PADDING, at.height - top - PADDING)
    row = item.direction == "row"
    inner = [_natural(child, sizes) for child in item.children]
    spare = (
        (at.width if row else at.height)
        - sum(s.width if row else s.height for s in inner)
        - item.gap * max(len(inner) - 1, 0)
    )
    growing = sum(isinstance(child, Frame) and child.grow for child in item.children)
    # Room to spare goes to what grows, else between the parts; a column that has grown keeps its parts at the top.
    space = 0.0 if growing or (item.grow and not row) else max(spare, 0) / (len(inner) + 1)
    offset = space
    for child, natural in zip(item.children, inner, strict=True):
        length = natural.width if row else natural.height
        if isinstance(child, Frame) and child.grow:
            length += max(spare, 0) / growing
        # A box takes the whole breadth; a card stays as it is, in the middle of a row and at the left of a column.
        breadth = (
            (at.height if row else at.width) if isinstance(child, Frame) else (natural.height if row else natural.width)
        )
        aside = (at.height - breadth) / 2 if row else 0.0
        rect = (
            Rect(at.left + offset, at.top + aside, length, breadth)
            if row
            else Rect(at.left + aside, at.top + offset, breadth, length)
        )
        _put(child, rect, sizes, placed)
        offset += length + item.gap + space
