"""Whether what was heard of the engine is of its form, and all that there was to say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.nextflow.child import supervising
from engines.nextflow.running.hearing import Hearing

TASK = {"hash": "ab/cd", "name": "A (1)", "process": "A", "workdir": "/w/ab/cd", "inputs": [], "trace": {}}


def heard(*words: dict[str, Any]) -> Hearing:
    """What these words come to, numbered in their order."""
    hearing = Hearing()
    for number, one in enumerate(words, 1):
        hearing.take({"number": number, **one})
    return hearing


def begun(**more: Any) -> dict[str, Any]:
    return {"event": "task-submitted", **TASK, **more}


def done(**more: Any) -> dict[str, Any]:
    return {"event": "task-completed", **TASK, "outputs": [], "exit": 0, **more}


END = {"event": "flow-completed", "success": True, "terminated": True, "params": {}}


def test_a_workflow_of_which_all_was_heard_is_whole() -> None:
    hearing = heard({"event": "flow-begun", "params": {"x": 1}}, begun(), done(), END)

    assert (hearing.missing(), hearing.is_forged, hearing.parameters) == (None, False, {"x": 1})


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "the engine ended before the workflow did"),
        ((begun(), done()), "the engine ended before the workflow did"),
        ((begun(), done(), {**END, "terminated": False}), "the engine ended before the workflow did"),
        ((begun(), END), "the engine ended while task 'A (1)' was still running"),
        ((begun(), begun(hash="ef/01", name="B"), done(), END), "the engine ended while task 'B' was still running"),
        ((begun(), done(number=3), {**END, "number": 4}), "not all of what the engine did was heard"),
        ((begun(), done(unsaid=True), END), "what is to be recorded of task 'A (1)' could not be told"),
        (({**END, "unsaid": True},), "what is to be recorded could not be told"),
    ],
)
def test_what_is_missing_is_said(words: tuple[dict[str, Any], ...], why: str) -> None:
    assert heard(*words).missing() == why


@pytest.mark.parametrize(
    "word",
    [
        {"event": "task-completed"}, {"event": "task-eaten"}, {"event": 3}, {}, done(name=None), done(hash=""),
        done(name=["x"]), done(inputs="x"), done(inputs=[{"name": 1}]), done(inputs=[{"files": [{}]}]),
        done(inputs=[{"files": [{"path": "x"}]}]), done(outputs=[{"value": [{"path": "/x\0y"}]}]),
        done(outputs=[{"value": {"path": "/\ud800"}}]), done(trace=[]), done(exit="0"), done(attempt="x"),
        done(workdir="relative"), {"event": "published"}, {"event": "published", "target": 7}, done(number="1"),
        {"event": "published", "target": "x"},
        {"event": "published", "target": "/x", "source": []}, {**END, "params": 3}, {**END, "report": {}},
    ],
)  # fmt: skip
def test_words_of_another_form_are_not_gone_by(word: dict[str, Any]) -> None:
    hearing = Hearing()

    assert hearing.take({"number": 1, **word}) is None
    assert hearing.is_forged


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(JSON, st.sampled_from(sorted(done())))
def test_whatever_is_said_nothing_breaks(value: Any, key: str) -> None:
    hearing = Hearing()
    hearing.take(value)
    hearing.take({"number": 1, **done(), key: value})
    hearing.missing()


@pytest.mark.parametrize(
    "line",
    [b"", b"{", b"9" * 5000, b"[" * 100_000, b"[" * 500 + b"]" * 500, b'{"a":' * 70 + b"1" + b"}" * 70, b"\xff"],
    ids=["empty", "torn", "digits", "open", "deep list", "deep map", "bytes"],
)
def test_a_line_that_is_no_json_that_can_be_read_on_is_passed_on_as_nothing(line: bytes) -> None:
    assert supervising._read(line) is None


def test_numbers_that_json_does_not_have_are_texts() -> None:
    told = supervising._read(b'{"a": NaN, "b": 1e999, "c": 1.5, "d": -Infinity}')

    assert told == {"a": "NaN", "b": "1e999", "c": 1.5, "d": "-Infinity"}
