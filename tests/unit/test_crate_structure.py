"""The structure of a workflow: its steps in an order that holds, and what went from one to the next."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engines.base import FormalParameter, Step, WorkflowInterface
from engines.execution import Execution, Status, StepRun
from wfexs_like.crate.graph import Graph
from wfexs_like.crate.structure import executed, flows, has_steps, ordered, places, places_in, stated_pairs
from wfexs_like.crate.usage import QUANTITIES, usage


def interface(**more: Any) -> WorkflowInterface:
    told: dict[str, Any] = {
        "entry": PurePosixPath("main.cwl"),
        "process": None,
        "language": "cwl",
        "language_version": "v1.2",
        "kind": "Workflow",
        "inputs": (),
        "outputs": (),
    }
    return WorkflowInterface(**{**told, **more})


def execution(*steps: StepRun, status: Status = Status.COMPLETED) -> Execution:
    return Execution(run=1, uuid="u", status=status, engine="nextflow", engine_version="24", steps=steps)


def ran(name: str, took: dict[str, Any] | None = None, made: dict[str, Any] | None = None, **more: Any) -> StepRun:
    step = name.partition(" ")[0]
    told = {"name": name, "step": step, "tool": step, "inputs": took or {}, "outputs": made or {}}
    return StepRun(**{"status": Status.COMPLETED, **told, **more})


def file(path: str, **more: Any) -> dict[str, Any]:
    return {"class": "File", "path": path, **more}


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=40))
def test_everything_comes_after_what_it_needs(pairs: list[tuple[int, int]]) -> None:
    needs = [(str(min(pair)), str(max(pair))) for pair in pairs]
    names = [str(number) for number in reversed(range(13))]
    order = ordered(names, needs)
    assert sorted(order) == sorted(names)
    assert all(order.index(first) <= order.index(second) for first, second in needs)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc"))))
def test_a_circle_is_no_reason_to_lose_or_repeat_a_step(needs: list[tuple[str, str]]) -> None:
    assert sorted(ordered("abc", needs)) == ["a", "b", "c"]


def test_what_is_free_to_come_stays_as_it_came() -> None:
    assert ordered(["c", "a", "b"], [("b", "a")]) == ["c", "b", "a"]


def test_steps_of_the_text_know_the_sub_workflow_that_they_are_in() -> None:
    steps = (
        Step(name="outer/inner", tool="t.cwl", position=1),
        Step(name="outer", tool="sub.cwl", position=0),
        Step(name="odd/name", tool="t.cwl", position=2),
    )
    found = places(interface(steps=steps), [])
    assert list(found) == ["outer", "outer/inner", "odd/name"]
    assert (found["outer/inner"].parent, found["outer/inner"].name) == ("outer", "inner")
    assert (found["odd/name"].parent, found["odd/name"].name) == (None, "odd/name")


def test_steps_that_only_runs_tell_of_are_ordered_by_what_went_between_them() -> None:
    between = file("runs/1/engine/work/aa/x.txt")
    found = places(
        interface(), [execution(ran("B (1)", {"i": between}), ran("A (1)", {}, {"o": between}), ran("A (2)"))]
    )
    assert {name: one.position for name, one in found.items()} == {"A": 0, "B": 1}


def test_a_file_is_followed_by_its_place_while_it_passed_and_after() -> None:
    passing = {"class": "File", "transient": "runs/1/tmp/x"}
    kept = file("runs/1/outputs/y")
    run = execution(
        ran("A", {}, {"out": [passing, {"deep": kept}]}),
        ran("B", {"one": passing, "many": [kept]}),
        ran("C", {"text": "runs/1/tmp/x", "own": file("inputs/z")}, status=Status.FAILED),
    )
    assert flows(run) == {(("A", "out"), ("B", "one")), (("A", "out"), ("B", "many"))}


def test_an_attempt_at_a_step_feeds_no_attempt_at_the_same() -> None:
    made = file("runs/1/engine/work/aa/x")
    assert flows(execution(ran("A (1)", {}, {"o": made}), ran("A (2)", {"i": made}))) == set()


def test_skipped_steps_were_not_executed_and_a_run_of_them_alone_has_none() -> None:
    skipped = ran("A", status=Status.SKIPPED)
    assert executed(execution(skipped, ran("B", status=Status.KILLED)))[0].name == "B"
    assert not has_steps([execution(skipped)])
    assert not has_steps([execution(ran("A"), status=Status.RUNNING)])
    assert has_steps([execution(skipped), execution(ran("A"))])


def test_places_are_found_in_lists_and_records_and_not_in_texts() -> None:
    value = {"a": [file("x"), {"class": "Directory", "path": "d", "listing": [file("d/y")]}], "b": "z", "c": None}
    assert list(places_in(value)) == ["x", "d"]


def test_the_texts_connections_are_pairs_and_a_tool_alone_is_tied_to_itself() -> None:
    told = interface(steps=(Step(name="a/b", tool="t", position=0),), connections=(("x", "a/b/y"), ("x", "a/b/y")))
    assert stated_pairs(told, places(told, [])) == [((None, "x"), ("a/b", "y"))]
    slot = FormalParameter(name="word", type="string", required=True)
    alone = interface(kind="CommandLineTool", inputs=(slot,), outputs=(slot,))
    found = places(alone, [execution(ran("echo"))])
    assert stated_pairs(alone, found) == [((None, "word"), ("echo", "word")), (("echo", "word"), (None, "word"))]


@given(st.dictionaries(st.sampled_from([*QUANTITIES, "unknown"]), st.floats(0, 1e15)))
def test_each_quantity_has_an_identifier_and_a_unit_and_unknown_ones_are_not_guessed(found: dict[str, float]) -> None:
    graph = Graph()
    refs = usage(graph, found)
    assert len(refs) == len(set(found) - {"unknown"})
    for ref in refs:
        told = graph[ref].as_json()
        assert str(told["propertyID"]).startswith("https://")
        assert str(told["unitCode"]).startswith("https://qudt.org/vocab/unit/")
        assert told["value"] in found.values()


def test_equal_amounts_are_one_entity() -> None:
    graph = Graph()
    assert usage(graph, {"wall_seconds": 1.5}) == usage(graph, {"wall_seconds": 1.5})
    assert len(list(graph)) == 1
