"""Arrows with right angles: the way of each from card to card, round what is between.

Graphviz can do this too, but aborts on some pictures (an assertion in its router) and enters cards at their corners.
This one looks for the cheapest way over a grid of lanes beside the cards; corners, crossings and lines on top of each
other cost. Arrows to one card may share their last stretch. Lengths are points, y runs down.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from itertools import pairwise

from workbook.diagram.layout import Rect

CLEARANCE = 12.0
"""Distance of a lane from a card: room for an arrow's tip."""
_APART = 6.0
_BEND, _CROSSING, _BORDER, _ON_TOP, _OFF_CENTRE, _SHARED = 35.0, 22.0, 8.0, 12.0, 0.25, 0.6
_FAR = float("inf")
_STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))

Point = tuple[float, float]
Wire = tuple[str, str, str]


class Router:
    """Ways between rectangles.

    Parameters
    ----------
    solid : what arrows go round: cards and labels, by name.
    open_boxes : what arrows may cross, but not run along: frames, by name. An arrow may end at one.
    """

    def __init__(self, solid: Mapping[str, Rect], open_boxes: Mapping[str, Rect]) -> None:
        self._rects = {**open_boxes, **solid}
        self._xs = _lanes([(r.left, r.width) for r in solid.values()], [(r.left, r.width) for r in open_boxes.values()])
        self._ys = _lanes([(r.top, r.height) for r in solid.values()], [(r.top, r.height) for r in open_boxes.values()])
        self._blocked = {
            (i, j)
            for r in solid.values()
            for i in range(bisect_left(self._xs, r.left - 5), bisect_right(self._xs, r.left + r.width + 5))
            for j in range(bisect_left(self._ys, r.top - 5), bisect_right(self._ys, r.top + r.height + 5))
        }
        self._borders: set[tuple[int, int, bool]] = set()
        for r in open_boxes.values():
            for border in (r.left, r.left + r.width):
                at = bisect_left(self._xs, border) - 1
                self._borders |= {
                    (at, j, True) for j in range(bisect_left(self._ys, r.top), bisect_right(self._ys, r.top + r.height))
                }
            for border in (r.top, r.top + r.height):
                at = bisect_left(self._ys, border) - 1
                self._borders |= {
                    (i, at, False)
                    for i in range(bisect_left(self._xs, r.left), bisect_right(self._xs, r.left + r.width))
                }
        self._used: dict[tuple[int, int, bool], set[Wire]] = {}
        self._touched: set[tuple[int, int]] = set()

    def route(self, tail: str, head: str, kind: str = "") -> tuple[Point, ...]:
        """The corners of the cheapest way from `tail` to `head`, both ends included. Only arrows of one `kind` share a
        stretch.
        """
        wire = (tail, head, kind)
        start, goal = self._rects[tail], self._rects[head]
        ends = {(i, j, (d + 2) % 4): (cost, port) for cost, i, j, d, port in self._ports(goal)}
        queue: list[tuple[float, float, int, int, int]] = []
        cheapest: dict[tuple[int, int, int], float] = {}
        came: dict[tuple[int, int, int], tuple[int, int, int] | Point] = {}
        for cost, i, j, d, port in self._ports(start):
            cost += self._cost(i - _STEPS[d][0], j - _STEPS[d][1], d, wire, 0)
            if cost < cheapest.get((i, j, d), _FAR):
                cheapest[i, j, d], came[i, j, d] = cost, port
                heapq.heappush(queue, (cost + self._left(i, j, goal), cost, i, j, d))
        best: tuple[float, tuple[int, int, int]] | None = None
        while queue and (best is None or queue[0][0] < best[0]):
            _, cost, i, j, d = heapq.heappop(queue)
            if cost > cheapest[i, j, d]:
                continue
            if (i, j, d) in ends:
                whole = cost + ends[i, j, d][0] + self._cost(i, j, d, wire, 0)
                if best is None or whole < best[0]:
                    best = (whole, (i, j, d))
            for turn, (dx, dy) in enumerate(_STEPS):
                after = (i + dx, j + dy, turn)
                if turn == (d + 2) % 4 or not self._inside(i + dx, j + dy) or (i + dx, j + dy) in self._blocked:
                    continue
                length = abs(self._xs[i + dx] - self._xs[i] + self._ys[j + dy] - self._ys[j])
                total = cost + self._cost(i, j, turn, wire, length) + (_BEND if turn != d else 0)
                if total < cheapest.get(after, _FAR):
                    cheapest[after], came[after] = total, (i, j, d)
                    heapq.heappush(queue, (total + self._left(i + dx, j + dy, goal), total, *after))
        if best is None:
            return middle(start), middle(goal)
        return self._trace(best[1], came, ends[best[1]][1], wire)

    def _trace(
        self,
        last: tuple[int, int, int],
        came: Mapping[tuple[int, int, int], tuple[int, int, int] | Point],
        end: Point,
        wire: Wire,
    ) -> tuple[Point, ...]:
        points: list[Point] = [end]
        at = last
        self._touched.add((at[0] + _STEPS[at[2]][0], at[1] + _STEPS[at[2]][1]))
        self._used.setdefault(self._edge(at[0], at[1], at[2]), set()).add(wire)
        while True:
            points.append((self._xs[at[0]], self._ys[at[1]]))
            before = came[at]
            back = (at[0] - _STEPS[at[2]][0], at[1] - _STEPS[at[2]][1])
            self._touched |= {at[:2], back}
            self._used.setdefault(self._edge(*back, at[2]), set()).add(wire)
            if len(before) == 2:
                points.append(before)
                return _corners(reversed(points))
            at = before

    def _ports(self, rect: Rect) -> list[tuple[float, int, int, int, Point]]:
        """Where an arrow may touch `rect`: (cost, lane x, lane y of the first point outside, direction out, the port)."""
        found: list[tuple[float, int, int, int, Point]] = []
        right, bottom = rect.left + rect.width, rect.top + rect.height
        for i in range(bisect_left(self._xs, rect.left + 10), bisect_right(self._xs, right - 10)):
            aside = abs(self._xs[i] - rect.left - rect.width / 2) * _OFF_CENTRE
            found.append((aside, i, bisect_right(self._ys, bottom + _APART), 1, (self._xs[i], bottom)))
            found.append((aside, i, bisect_left(self._ys, rect.top - _APART) - 1, 3, (self._xs[i], rect.top)))
        for j in range(bisect_left(self._ys, rect.top + 10), bisect_right(self._ys, bottom - 10)):
            aside = abs(self._ys[j] - rect.top - rect.height / 2) * _OFF_CENTRE
            found.append((aside, bisect_right(self._xs, right + _APART), j, 0, (right, self._ys[j])))
            found.append((aside, bisect_left(self._xs, rect.left - _APART) - 1, j, 2, (rect.left, self._ys[j])))
        return [f for f in found if self._inside(f[1], f[2]) and (f[1], f[2]) not in self._blocked]

    def _inside(self, i: int, j: int) -> bool:
        return 0 <= i < len(self._xs) and 0 <= j < len(self._ys)

    def _edge(self, i: int, j: int, d: int) -> tuple[int, int, bool]:
        """The stretch of a lane from a point in a direction, the same seen from either end."""
        return (i - (d == 2), j - (d == 3), d % 2 == 0)

    def _cost(self, i: int, j: int, d: int, wire: Wire, length: float) -> float:
        """Of going from a point to the next in direction `d`."""
        edge = self._edge(i, j, d)
        if edge in self._borders:
            length += _BORDER
        if (i, j) not in self._touched:
            return length
        others = self._used.get(edge, set()) - {wire}
        if others:
            friends = all(_friends(wire, other) for other in others)
            return length * _SHARED if friends else length * _ON_TOP + 200
        across = {
            other
            for turn in ((1, 3) if d % 2 == 0 else (0, 2))
            for other in self._used.get(self._edge(i, j, turn), set())
        }
        return length + (_CROSSING if any(not _friends(wire, other) for other in across) else 0)

    def _left(self, i: int, j: int, goal: Rect) -> float:
        """At least so much is left to go."""
        x, y = self._xs[i], self._ys[j]
        across = max(goal.left - x, 0, x - goal.left - goal.width)
        down = max(goal.top - y, 0, y - goal.top - goal.height)
        return _SHARED * (across + down) + (_BEND if across and down else 0)


def _friends(one: Wire, other: Wire) -> bool:
    return one[2] == other[2] and (one[1] == other[1] or one[0] == other[0])


def middle(rect: Rect) -> Point:
    return rect.left + rect.width / 2, rect.top + rect.height / 2


def _lanes(solid: Iterable[tuple[float, float]], boxes: Iterable[tuple[float, float]]) -> list[float]:
    """Coordinates that arrows run along, `_APART` at least: the middle of each card, then its sides, then those of the
    boxes.
    """
    solid, boxes = list(solid), list(boxes)
    borders = [edge for start, length in boxes for edge in (start, start + length)]
    wanted = [start + length / 2 for start, length in solid]
    for distance in (CLEARANCE, CLEARANCE + 8):
        wanted += [at for start, length in solid for at in (start - distance, start + length + distance)]
    wanted += [at for edge in borders for at in (edge - 9, edge + 9)]
    lanes: list[float] = []
    middles = len(solid)
    for number, at in enumerate(wanted):
        place = bisect_left(lanes, at)
        near = [lanes[k] for k in (place - 1, place) if 0 <= k < len(lanes)]
        if all(abs(at - other) >= _APART for other in near) and (
            number < middles or all(abs(at - border) >= 5 for border in borders)
        ):
            lanes.insert(place, at)
    return lanes


def _corners(points: Iterable[Point]) -> tuple[Point, ...]:
    """Without the points in the middle of a straight stretch."""
    kept: list[Point] = []
    for point in points:
        if len(kept) > 1 and (kept[-2][0] == kept[-1][0] == point[0] or kept[-2][1] == kept[-1][1] == point[1]):
            kept.pop()
        if not kept or kept[-1] != point:
            kept.append(point)
    return tuple(kept)


def spans(points: Iterable[Point]) -> list[Rect]:
    """The straight stretches of a line as thin rectangles."""
    return [Rect(min(a, c) - 1, min(b, d) - 1, abs(a - c) + 2, abs(b - d) + 2) for (a, b), (c, d) in pairwise(points)]


def borders(rect: Rect) -> list[Rect]:
    """The four sides of a frame as thin rectangles."""
    right, bottom = rect.left + rect.width, rect.top + rect.height
    return spans(
        [(rect.left, rect.top), (right, rect.top), (right, bottom), (rect.left, bottom), (rect.left, rect.top)]
    )


def beside(points: tuple[Point, ...], size: tuple[float, float], taken: list[Rect], frames: list[Rect]) -> Rect:
    """Where a label of `size` stands next to a line: clear of what is `taken`, and of `frames` if it can be; else upon
    the line.
    """
    return _clear(points, size, [*taken, *frames]) or _clear(points, size, taken) or _upon(points, size)


def _clear(points: tuple[Point, ...], size: tuple[float, float], taken: list[Rect]) -> Rect | None:
    width, height = size
    # From the head back: the last stretch is the arrow's own, where arrows to one card share the rest.
    for (a, b), (c, d) in reversed(list(pairwise(points))):
        for part in (0.5, 0.35, 0.65, 0.2, 0.8):
            x, y = a + (c - a) * part, b + (d - b) * part
            sides = (
                [(x + 4, y - height / 2), (x - 4 - width, y - height / 2)]
                if a == c
                else [(x - width / 2, y - height - 2), (x - width / 2, y + 2)]
            )
            for left, top in sides:
                rect = Rect(left, top, width, height)
                if not any(_touch(rect, other) for other in taken):
                    return rect
    return None


def _upon(points: tuple[Point, ...], size: tuple[float, float]) -> Rect:
    (a, b), (c, d) = points[0], points[1]
    return Rect((a + c) / 2 - size[0] / 2, (b + d) / 2 - size[1] / 2, *size)


def _touch(one: Rect, other: Rect) -> bool:
    across = one.left < other.left + other.width and other.left < one.left + one.width
    return across and one.top < other.top + other.height and other.top < one.top + one.height
