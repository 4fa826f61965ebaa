"""A drawing: boxes that don't overlap, in layers, with every arrow from box to box, whatever the graph."""

from __future__ import annotations

from itertools import combinations, pairwise

from hypothesis import given
from hypothesis import strategies as st

from wfexs_like.reporting.layout import lay_out

NAMES = st.lists(st.sampled_from("abcdefghijklmnop"), unique=True, max_size=12)
EDGES = st.lists(st.tuples(st.sampled_from("abcdefghijklmnopz"), st.sampled_from("abcdefghijklmnop")), max_size=30)


@given(NAMES, EDGES, st.integers(10, 200))
def test_boxes_never_overlap_and_arrows_end_at_their_boxes(
    names: list[str], edges: list[tuple[str, str]], width: int
) -> None:
    sizes = {name: (width + 7.0 * place, 30.0 + place) for place, name in enumerate(names)}
    drawing = lay_out(sizes, edges)
    assert drawing == lay_out(sizes, edges)
    assert set(drawing.boxes) == set(names)
    for one, other in combinations(drawing.boxes.values(), 2):
        apart = one.x + one.width <= other.x + 0.01 or other.x + other.width <= one.x + 0.01
        assert apart or one.y + one.height <= other.y or other.y + other.height <= one.y
    for box in drawing.boxes.values():
        assert box.x >= -0.01
        assert box.x + box.width <= drawing.width + 0.01
        assert box.y + box.height <= drawing.height + 0.01
    assert set(drawing.arrows) == {(a, b) for a, b in edges if a != b and a in names and b in names}
    for (source, target), points in drawing.arrows.items():
        for name, point in ((source, points[0]), (target, points[-1])):
            box = drawing.boxes[name]
            assert abs(point[0] - (box.x + box.width / 2)) < 0.01
            assert point[1] in (box.y, box.y + box.height)
        # Beside boxes an arrow goes straight down; only between layers does it go aslant, where there are none.
        for (x, y), (to_x, to_y) in pairwise(points):
            top, low, first, second = min(y, to_y), max(y, to_y), min(x, to_x), max(x, to_x)
            for box in drawing.boxes.values():
                crosses = box.y < low - 0.01 and box.y + box.height > top + 0.01
                assert not crosses or second <= box.x + 0.01 or first >= box.x + box.width - 0.01


def test_what_follows_stands_below_and_a_start_just_above_what_needs_it() -> None:
    sizes = dict.fromkeys(("reads", "index", "align", "sort", "late", "call"), (80.0, 30.0))
    edges = [("reads", "align"), ("index", "align"), ("align", "sort"), ("sort", "call"), ("late", "call")]
    layer = {name: box.layer for name, box in lay_out(sizes, edges).boxes.items()}
    assert layer == {"reads": 0, "index": 0, "align": 1, "sort": 2, "late": 2, "call": 3}


def test_a_chain_is_one_straight_line_and_a_long_arrow_goes_around_what_it_passes() -> None:
    sizes = dict.fromkeys("abc", (80.0, 30.0))
    drawing = lay_out(sizes, [("a", "b"), ("b", "c")])
    assert {box.x for box in drawing.boxes.values()} == {0.0}
    drawing = lay_out(sizes, [("a", "b"), ("b", "c"), ("a", "c")])
    above, below = drawing.arrows["a", "c"][1:-1]
    between = drawing.boxes["b"]
    assert above[0] == below[0]
    assert not between.x <= above[0] <= between.x + between.width
    assert (above[1], below[1]) == (between.y, between.y + between.height)
