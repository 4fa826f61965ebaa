"""Layout: where the boxes of a drawing of nodes and arrows stand, in layers from top to bottom.

As Sugiyama does it: layers by the longest way from a start, nodes in a layer ordered by the middle of their neighbours,
arrows that pass a layer led through it. Pure and deterministic: the same graph gives the same drawing.
Lengths are CSS pixels.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

GAP = 24
"""Between two boxes of a layer."""
RISE = 44
"""Between two layers."""
_THROUGH = 12
_SWEEPS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A node's place: ``x`` and ``y`` are its upper left corner."""

    x: float
    y: float
    width: float
    height: float
    layer: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """Where everything is: for each arrow the points that it goes through, from one box's lower edge to another's top.

    An arrow that goes back (of a cycle) has its points in the order in which it goes, too.
    """

    width: float
    height: float
    boxes: Mapping[str, Box]
    arrows: Mapping[tuple[str, str], tuple[tuple[float, float], ...]]


def lay_out(
    sizes: Mapping[str, tuple[float, float]], edges: Iterable[tuple[str, str]], *, gap: float = GAP, rise: float = RISE
) -> Drawing:
    """Place the nodes of ``sizes`` (width and height of each). Edges to unknown nodes and to itself are left out."""
    order = list(sizes)
    known = list(dict.fromkeys((a, b) for a, b in edges if a != b and a in sizes and b in sizes))
    turned = _back_edges(order, known)
    forward = [(b, a) if (a, b) in turned else (a, b) for a, b in known]
    layer_of = _layers(order, forward)
    chains, widths, heights = _chains(sizes, forward, layer_of)
    layers = _rows(order, chains, layer_of)
    _untangle(layers, chains)
    left = _across(layers, widths, chains, gap)
    bands = _down(layers, heights, rise)
    boxes = {
        name: Box(
            x=left[name], y=bands[layer_of[name]][0], width=widths[name], height=heights[name], layer=layer_of[name]
        )
        for name in order
    }
    arrows = {}
    for original, edge in zip(known, forward, strict=True):
        points = _points(chains[edge], boxes, left, bands)
        arrows[original] = points[::-1] if original in turned else points
    right = max((box.x + box.width for box in boxes.values()), default=0.0)
    bottom = bands[-1][1] if bands else 0.0
    return Drawing(width=right, height=bottom, boxes=boxes, arrows=arrows)


def _back_edges(order: Sequence[str], edges: Sequence[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    """Those that close a cycle, found by walking depth first without recursion."""
    after: dict[str, list[str]] = defaultdict(list)
    for a, b in edges:
        after[a].append(b)
    state: dict[str, int] = {}
    back = set()
    for start in order:
        if start in state:
            continue
        state[start] = 1
        walk = [(start, iter(after[start]))]
        while walk:
            node, following = walk[-1]
            for other in following:
                if state.get(other) == 1:
                    back.add((node, other))
                elif other not in state:
                    state[other] = 1
                    walk.append((other, iter(after[other])))
                    break
            else:
                state[node] = 2
                walk.pop()
    return frozenset(back)


def _layers(order: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Each node's layer: one below the lowest that it follows; a start stands just above what it leads to."""
    after: dict[str, list[str]] = defaultdict(list)
    waiting = dict.fromkeys(order, 0)
    for a, b in edges:
        after[a].append(b)
        waiting[b] += 1
    starts = [name for name in order if waiting[name] == 0]
    layer = dict.fromkeys(order, 0)
    ready = list(starts)
    for node in ready:
        for other in after[node]:
            layer[other] = max(layer[other], layer[node] + 1)
            waiting[other] -= 1
            if waiting[other] == 0:
                ready.append(other)
    for node in starts:
        if after[node]:
            layer[node] = min(layer[other] for other in after[node]) - 1
    return layer


def _chains(
    sizes: Mapping[str, tuple[float, float]], edges: Sequence[tuple[str, str]], layer_of: dict[str, int]
) -> tuple[dict[tuple[str, str], list[str]], dict[str, float], dict[str, float]]:
    """Each edge as the nodes it passes, with a thin one of its own in every layer between its ends."""
    widths = {name: size[0] for name, size in sizes.items()}
    heights = {name: size[1] for name, size in sizes.items()}
    chains = {}
    for number, (a, b) in enumerate(edges):
        between = []
        for layer in range(layer_of[a] + 1, layer_of[b]):
            # A line break is in no name of a node that is drawn.
            name = f"{number}\n{layer}"
            layer_of[name] = layer
            widths[name], heights[name] = _THROUGH, 0
            between.append(name)
        chains[a, b] = [a, *between, b]
    return chains, widths, heights


def _rows(
    order: Sequence[str], chains: Mapping[tuple[str, str], list[str]], layer_of: Mapping[str, int]
) -> list[list[str]]:
    rows: list[list[str]] = [[] for _ in range(max(layer_of.values(), default=-1) + 1)]
    for name in dict.fromkeys([*order, *(one for chain in chains.values() for one in chain)]):
        rows[layer_of[name]].append(name)
    return rows


def _neighbours(
    chains: Mapping[tuple[str, str], list[str]],
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    above: dict[str, list[str]] = defaultdict(list)
    below: dict[str, list[str]] = defaultdict(list)
    for chain in chains.values():
        for a, b in pairwise(chain):
            below[a].append(b)
            above[b].append(a)
    return above, below


def _untangle(layers: list[list[str]], chains: Mapping[tuple[str, str], list[str]]) -> None:
    above, below = _neighbours(chains)
    place = {name: float(index) for row in layers for index, name in enumerate(row)}
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        for row in layers if down else reversed(layers):
            near = above if down else below
            weight = {
                name: sum(place[one] for one in near[name]) / len(near[name]) if near[name] else place[name]
                for name in row
            }
            row.sort(key=lambda name: weight[name])
            place.update((name, float(index)) for index, name in enumerate(row))


def _across(
    layers: list[list[str]], widths: Mapping[str, float], chains: Mapping[tuple[str, str], list[str]], gap: float
) -> dict[str, float]:
    """Left edges: each wishes to be in the middle of its neighbours, and none stands on another."""
    above, below = _neighbours(chains)
    left: dict[str, float] = {}
    for row in layers:
        at = 0.0
        for name in row:
            left[name] = at
            at += widths[name] + gap
    for sweep in range(2 * _SWEEPS):
        down = sweep % 2 == 0
        for row in layers if down else reversed(layers):
            near = above if down else below
            wish = {}
            for name in row:
                middles = [left[one] + widths[one] / 2 for one in near[name]]
                wish[name] = sum(middles) / len(middles) - widths[name] / 2 if middles else left[name]
            _settle(row, wish, widths, gap, left)
    smallest = min(left.values(), default=0.0)
    return {name: at - smallest for name, at in left.items()}


def _settle(
    row: Sequence[str], wish: Mapping[str, float], widths: Mapping[str, float], gap: float, left: dict[str, float]
) -> None:
    """Nearest to their wishes in their order: what would overlap is put side by side around the mean of its wishes."""
    groups: list[tuple[float, float, list[str]]] = []  # sum of wished starts, width, members
    for name in row:
        total, width, members = wish[name], widths[name] + gap, [name]
        while groups and groups[-1][0] / len(groups[-1][2]) + groups[-1][1] > total / len(members):
            before_total, before_width, before = groups.pop()
            total = before_total + total - before_width * len(members)
            width, members = before_width + width, [*before, *members]
        groups.append((total, width, members))
    for total, _, members in groups:
        at = total / len(members)
        for name in members:
            left[name] = at
            at += widths[name] + gap


def _down(layers: list[list[str]], heights: Mapping[str, float], rise: float) -> list[tuple[float, float]]:
    """Where each layer begins and ends."""
    bands, at = [], 0.0
    for row in layers:
        end = at + max(heights[name] for name in row)
        bands.append((at, end))
        at = end + rise
    return bands


def _points(
    chain: Sequence[str], boxes: Mapping[str, Box], left: Mapping[str, float], bands: Sequence[tuple[float, float]]
) -> tuple[tuple[float, float], ...]:
    """Straight down to the end of each layer, so that no arrow crosses a box beside it, and aslant between layers."""
    first, last = boxes[chain[0]], boxes[chain[-1]]
    middle, end = first.x + first.width / 2, bands[first.layer][1]
    points = [(middle, first.y + first.height)]
    if end > points[0][1]:
        points.append((middle, end))
    for number, name in enumerate(chain[1:-1], start=first.layer + 1):
        points += [(left[name] + _THROUGH / 2, y) for y in bands[number]]
    points.append((last.x + last.width / 2, last.y))
    return tuple(points)
