"""The diagram of a workflow shows each step and what flows, by way of sub-workflows too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

from engines.base import Step
from tests.flow.test_crates import export
from tests.support.crates import entities_of, usual_workdir
from wfexs_like.crate.diagram import DIAGRAM, MOST_STEPS, drawn, flow_of
from wfexs_like.crate.structure import Pair, Place

PLACES = {
    "split": Place(path="split", name="split", tool="split.cwl", position=0),
    "inner": Place(path="inner", name="inner", tool="inner.cwl", position=1),
    "inner/each": Place(path="inner/each", name="each", tool="inner.cwl#each/run", position=2, parent="inner"),
    "join": Place(path="join", name="join", tool="tools/cat.cwl", position=3),
}
PAIRS: list[Pair] = [
    ((None, "text"), ("split", "text")),
    (("split", "parts"), ("inner", "parts")),
    (("inner", "parts"), ("inner/each", "part")),
    (("inner/each", "out"), ("inner", "outs")),
    (("inner", "outs"), ("join", "all")),
    (("join", "out"), (None, "text")),
]


def test_arrows_go_from_step_to_step_through_the_parameters_of_sub_workflows() -> None:
    graph = flow_of(PLACES, PAIRS)
    assert [one.label for one in graph.nodes] == ["text", "split", "inner/each", "join", "text"]
    assert [one.note for one in graph.nodes] == ["", "", "", "cat", ""]
    assert set(graph.edges) == {
        ("i:text", "s:split"),
        ("s:split", "s:inner/each"),
        ("s:inner/each", "s:join"),
        ("s:join", "o:text"),
    }


def test_the_file_is_the_same_each_time_and_xml_whatever_steps_are_called() -> None:
    odd = {"<&\"'>": Place(path="<&\"'>", name="<&\"'>", tool="x", position=0)}
    text = drawn(flow_of(odd, []))
    assert text == drawn(flow_of(odd, []))
    assert "<&\"'>" in [one.text for one in ElementTree.fromstring(text).iter("{http://www.w3.org/2000/svg}text")]


def test_parameters_that_go_in_a_circle_end(tmp_path: Path) -> None:
    pairs: list[Pair] = [
        (("split", "a"), ("inner", "x")),
        (("inner", "x"), ("inner", "y")),
        (("inner", "y"), ("inner", "x")),
    ]
    assert flow_of(PLACES, pairs).edges == ()


def test_a_crate_of_what_was_staged_has_it_too_unless_nobody_could_read_it(tmp_path: Path) -> None:
    subject = usual_workdir(tmp_path, runs=0).subject()
    for count in (2, MOST_STEPS + 1):
        steps = tuple(Step(name=f"s{one}", tool="tr.cwl", position=one) for one in range(count))
        connections = (("text", "s0/in"), ("s0/out", "s1/in"), ("s1/out", "sorted"))
        interface = replace(subject.interface, steps=steps, connections=connections)
        export(replace(subject, interface=interface), tmp_path / str(count), "prospective")
    entities = entities_of(tmp_path / "2")
    assert entities["workflow/wf.cwl"]["image"] == {"@id": DIAGRAM}
    assert (tmp_path / "2" / DIAGRAM).read_text().count("<rect") == 4
    assert "image" not in entities_of(tmp_path / str(MOST_STEPS + 1))["workflow/wf.cwl"]
