"""The outputs that a stage file counts on, held against those a workflow has."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from engines.base import FormalParameter, WorkflowInterface
from engines.expectations import check, unknown_outputs
from staging.definition import ExpectedOutput
from staging.errors import Fault
from staging.plan import Json


def _faults(kind: Json, expected: ExpectedOutput) -> tuple[Fault, ...]:
    interface = WorkflowInterface(
        entry=PurePosixPath("main.cwl"),
        process=None,
        language="cwl",
        language_version="v1.2",
        kind="Workflow",
        inputs=(),
        outputs=(FormalParameter(name="o", type=kind, required=True),),
    )
    return unknown_outputs(interface, (expected,), "a.stage")


@pytest.mark.parametrize(
    ("kind", "hint"),
    [
        ("int", "Value"),
        ("File", "File"),
        (["null", "File"], "File"),
        ({"type": "array", "items": "File"}, "File"),
        ({"type": "array", "items": ["string", {"type": "array", "items": "File"}]}, "File or Value"),
        ({"type": "record", "fields": []}, "Value"),
        ({"type": "enum", "symbols": ["a"]}, "Value"),
    ],
)
def test_an_output_that_is_never_of_the_class_expected_is_a_fault_with_a_place(kind: Json, hint: str) -> None:
    (fault,) = _faults(kind, ExpectedOutput(name="o", kind="Directory", where="outputs.o", line=4, column=3))

    assert fault.message == "the workflow's output 'o' is never a Directory"
    assert str(fault.hint).endswith(hint)
    assert (fault.file, fault.where, fault.line, fault.column) == ("a.stage", "outputs.o", 4, 3)


@pytest.mark.parametrize(
    "kind", ["Any", "Directory", ["null", "Any"], ["File", "Directory"], {"type": "array", "items": "Any"}]
)
def test_an_output_that_may_be_of_the_class_expected_is_well(kind: Json) -> None:
    assert _faults(kind, ExpectedOutput(name="o", kind="Directory")) == ()


def test_an_output_that_the_workflow_has_not_is_a_fault_with_a_place() -> None:
    (fault,) = _faults("File", ExpectedOutput(name="out", line=4, column=3))

    assert (fault.line, fault.column) == (4, 3)


def test_any_output_may_come_of_a_workflow_with_open_outputs_but_not_of_any_class() -> None:
    interface = WorkflowInterface(
        entry=PurePosixPath("main.nf"),
        process=None,
        language="nextflow",
        language_version="2",
        kind="Workflow",
        inputs=(),
        outputs=(FormalParameter(name="o", type="File", required=True),),
        open_outputs=True,
    )

    assert unknown_outputs(interface, (ExpectedOutput(name="else"), ExpectedOutput(name="o"))) == ()
    (fault,) = unknown_outputs(interface, (ExpectedOutput(name="o", kind="Directory"),))
    assert fault.message == "the workflow's output 'o' is never a Directory"


def test_outputs_that_were_claimed_by_their_glob_are_not_held_against_it_again() -> None:
    expected = (ExpectedOutput(name="o", glob="bam/*.bam", maximum=None),)
    outputs: dict[str, Json] = {"o": [{"class": "File", "basename": "a.bam"}]}

    assert check(expected, outputs, claimed=True) is None
    assert (
        check(expected, {"o": []}, claimed=True)
        == "the output 'o' has no value, the stage file expects 1 or more: nothing fits its glob 'bam/*.bam', "
        "nothing was published"
    )


def test_a_glob_that_nothing_fits_is_told_with_what_was_published() -> None:
    expected = (ExpectedOutput(name="o", glob="bam/*.bam"), ExpectedOutput(name="p"))
    paths = [f"runs/1/outputs/{name}" for name in ("p.txt", "a.bam", "b.bam", "d/c.txt")]
    outputs: dict[str, Json] = {
        name: {"class": "File", "path": path}
        for name, path in zip(("p", "a.bam", "b.bam", "d/c.txt"), paths, strict=True)
    }

    miss = check(expected, {**outputs, "o": None}, claimed=True, folder="runs/1/outputs/")

    assert miss == (
        "the output 'o' has no value, the stage file expects 1: nothing fits its glob 'bam/*.bam', "
        "the run published 'a.bam', 'b.bam', 'd/c.txt' and 1 more"
    )


def test_an_output_without_a_glob_is_told_with_what_was_published() -> None:
    miss = check((ExpectedOutput(name="o"),), {"x.txt": {"class": "File", "path": "x.txt"}}, claimed=True)

    assert miss == "the output 'o' has no value, the stage file expects 1: the run published 'x.txt'"
