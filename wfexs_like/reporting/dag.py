"""The workflow's drawing: an SVG of its steps, inputs and outputs, that can be read without colours."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from wfexs_like.reporting.layout import Box, lay_out
from wfexs_like.reporting.markup import Sheet, cut, text
from wfexs_like.reporting.workflow_graph import Node, WorkflowGraph

_LABEL, _NOTE = 26, 30
_WIDE, _NARROW = 7.4, 6.4
"""Roughly, the width of a character of 13 and of 11 pixels."""
_MARGIN = 6


def draw_workflow(sheet: Sheet, graph: WorkflowGraph) -> str:
    """The drawing in a box that scrolls; empty where there is nothing to draw."""
    if not graph.nodes:
        return ""
    folded = f'<p class="left">{text(graph.folded, 300)}</p>' if graph.folded else ""
    drawn = draw_svg(sheet, graph)
    return f'<div class="drawing" tabindex="0" role="region" aria-label="drawing of the workflow">{drawn}</div>{folded}'


def draw_svg(sheet: Sheet, graph: WorkflowGraph) -> str:
    """The drawing alone; its colours are those of the classes in ``style``."""
    drawing = lay_out({one.key: _size(one) for one in graph.nodes}, graph.edges)
    width, height = drawing.width + 2 * _MARGIN, drawing.height + 2 * _MARGIN
    title, description = sheet.new_id("title"), sheet.new_id("description")
    arrows = "".join(
        f'<path class="arrow" d="{_path(points)}" marker-end="url(#head)"/>' for points in drawing.arrows.values()
    )
    boxes = "".join(_node(one, drawing.boxes[one.key]) for one in graph.nodes)
    return (
        f'<svg role="img" aria-labelledby="{title} {description}" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="{-_MARGIN} {-_MARGIN} {width:.0f} {height:.0f}">'
        f'<title id="{title}">The workflow</title><desc id="{description}">{_words(graph)}</desc>'
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto-start-reverse"><path class="head" d="M0 0L8 4L0 8z"/></marker></defs>'
        f"{arrows}{boxes}</svg>"
    )


def _words(graph: WorkflowGraph) -> str:
    """The same for who can't see it: what follows what."""
    labels = {one.key: cut(one.label, _LABEL) for one in graph.nodes}
    steps = sum(one.kind == "step" for one in graph.nodes)
    links = [f"{labels[a]} to {labels[b]}" for a, b in graph.edges[:40]]
    more = f", and {len(graph.edges) - 40} more" if len(graph.edges) > 40 else ""  # noqa: PLR2004 - the same forty
    told = f"; arrows go from {'; from '.join(links)}{more}" if links else ""
    return text(f"{steps} steps{told}.", 5000)


def _size(one: Node) -> tuple[float, float]:
    note = _note(one)
    width = max(len(cut(one.label, _LABEL)) * _WIDE, len(note) * _NARROW) + 26
    return max(70.0, width), 46.0 if note else 30.0


def _note(one: Node) -> str:
    times = f"{one.count:,} times" if one.count > 1 else ""
    note = one.note if one.note != one.label else ""
    return cut(", ".join(part for part in ("✗ failed" if one.failed else "", note, times) if part), _NOTE)


def _node(one: Node, box: Box) -> str:
    middle = box.x + box.width / 2
    kind = "step" if one.kind == "step" else "data"
    fail = " fail" if one.failed else ""
    round_ = 5 if one.kind == "step" else box.height / 2
    note = _note(one)
    below = (
        f'<text class="{"failing" if one.failed else "faint"}" x="{middle:.1f}" y="{box.y + 35:.1f}" '
        f'text-anchor="middle" font-size="11">{text(note)}</text>'
        if note
        else ""
    )
    whole = f"{one.kind} {one.label}" + (f": {one.note}" if one.note else "")
    return (
        f'<g class="{kind}{fail}"><title>{text(whole, 200)}</title>'
        f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="{round_:.0f}"/>'
        f'<text x="{middle:.1f}" y="{box.y + 19:.1f}" text-anchor="middle" font-size="13">'
        f"{text(cut(one.label, _LABEL))}</text>{below}</g>"
    )


def _path(points: Sequence[tuple[float, float]]) -> str:
    """A curve that leaves and enters upright."""
    parts = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for (x, y), (to_x, to_y) in pairwise(points):
        half = (to_y - y) / 2
        parts.append(f"C{x:.1f} {y + half:.1f} {to_x:.1f} {to_y - half:.1f} {to_x:.1f} {to_y:.1f}")
    return "".join(parts)
