"""The diagram of a workflow: its steps and what flows between them, as an SVG that reads in light and dark.

Source: Workflow RO-Crate 1.0, "Workflow diagram": a File and ImageObject that the main workflow has as its ``image``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from typing import TYPE_CHECKING, Final

from wfexs_like.crate.graph import Entity, Ref
from wfexs_like.crate.structure import NESTED, End, Pair, Place
from wfexs_like.reporting.dag import draw_svg
from wfexs_like.reporting.markup import Sheet
from wfexs_like.reporting.workflow_graph import Node, WorkflowGraph

if TYPE_CHECKING:
    from wfexs_like.crate.prospective import Prospective

DIAGRAM: Final = "workflow-diagram.svg"
MOST_STEPS: Final = 300
"""A workflow of more steps than this is not drawn: nobody could read it."""

_STYLE: Final = (
    "<style>svg{font:12px/1 system-ui,'Segoe UI',Roboto,'Liberation Sans',sans-serif;background:#fff}text{fill:#1b2530}"
    ".faint{fill:#526171}.step rect{fill:#eef4fb;stroke:#7d9fc4}.data rect{fill:#f6f2e7;stroke:#a99a6c}"
    ".arrow{fill:none;stroke:#6f7f90;stroke-width:1.3}.head{fill:#6f7f90}"
    "@media (prefers-color-scheme:dark){svg{background:#1a222b}text{fill:#e4eaf0}.faint{fill:#9fadba}"
    ".step rect{fill:#1d2d3f;stroke:#53779e}.data rect{fill:#2d2a1f;stroke:#857a56}.arrow{stroke:#8796a5}"
    ".head{fill:#8796a5}}</style>"
)


def describe_diagram(ground: Prospective, main: Entity, places: Mapping[str, Place], pairs: Iterable[Pair]) -> None:
    """Draw the workflow's steps into the crate, unless there are none, or too many."""
    graph = flow_of(places, pairs, ground.discretion.text)
    steps = sum(one.kind == "step" for one in graph.nodes)
    if not 0 < steps <= MOST_STEPS:
        return
    entity = ground.data.made(DIAGRAM, drawn(graph), name="diagram of the workflow", encoding="image/svg+xml")
    entity.types["ImageObject"] = None
    entity.set("about", Ref(main.id))
    entity.set("description", f"The {steps} step{'' if steps == 1 else 's'} of the workflow, and what flows where.")
    main.set("image", Ref(entity.id))


def drawn(graph: WorkflowGraph) -> bytes:
    """The file: the same each time."""
    head, _, rest = draw_svg(Sheet(inside=False), graph).partition(">")
    return f'{head} xmlns="http://www.w3.org/2000/svg">{_STYLE}{rest}\n'.encode()


def flow_of(places: Mapping[str, Place], pairs: Iterable[Pair], shown: Callable[[str], str] = str) -> WorkflowGraph:
    """Steps that are no sub-workflows, and the workflow's parameters that they touch; ``shown`` makes labels."""
    outer = {one.parent for one in places.values()}
    leaves = {path: one for path, one in places.items() if path not in outer and not path.endswith(NESTED)}
    onward: dict[End, list[End]] = {}
    for source, target in pairs:
        onward.setdefault(source, []).append(target)
    edges: dict[tuple[str, str], None] = {}
    for source in onward:
        if source[0] is None or source[0] in leaves:
            start = f"i:{source[1]}" if source[0] is None else f"s:{source[0]}"
            edges |= dict.fromkeys((start, end) for end in _ends(source, onward, leaves.keys()))
    ends = dict.fromkeys(one for edge in edges for one in edge if not one.startswith("s:"))
    nodes = [Node(key=one, label=shown(one[2:]), kind="input") for one in ends if one.startswith("i:")]
    nodes += [Node(key=f"s:{path}", label=shown(path), kind="step", note=shown(_note(leaves[path]))) for path in leaves]
    nodes += [Node(key=one, label=shown(one[2:]), kind="output") for one in ends if one.startswith("o:")]
    return WorkflowGraph(nodes=tuple(nodes), edges=tuple(edges))


def _note(place: Place) -> str:
    """What runs in a step, where it is called otherwise."""
    tool = place.tool.rpartition("/")[2].removesuffix(".cwl")
    return "" if tool in (place.name, "run") else tool


def _ends(source: End, onward: Mapping[End, list[End]], leaves: Set[str]) -> Iterator[str]:
    """Where something arrives that may pass the parameters of sub-workflows on its way."""
    seen: set[End] = {source}
    waiting = deque(onward[source])
    while waiting:
        target = waiting.popleft()
        path, name = target
        if path is None:
            yield f"o:{name}"
        elif path in leaves:
            yield f"s:{path}"
        elif target not in seen:
            seen.add(target)
            waiting += onward.get(target, ())
