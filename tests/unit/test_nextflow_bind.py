"""The parameters that were asked for fit a Nextflow workflow, or it is said why not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import pytest

from engines.base import Bound, FormalParameter, WorkflowInterface
from engines.nextflow.reading.bind import bind, bind_override
from engines.nextflow.reading.parameters_schema import formal_parameters
from engines.nextflow.running.params_file import as_params_file
from staging.definition import DirectoryValue, EngineSettings, FileValue, OutputPlace, Param, Source, Value
from staging.errors import DefinitionError
from staging.identifiers import Identifier

SCHEMA = {
    "required": ["input", "outdir"],
    "properties": {
        "input": {"type": "string", "format": "file-path"},
        "outdir": {"type": "string", "format": "directory-path"},
        "either": {"type": "string", "format": "path"},
        "logo": {"type": "string", "format": "file-path", "default": "$projectDir/assets/logo.png"},
        "name": {"type": "string"},
        "count": {"type": "integer"},
        "fraction": {"type": "number"},
        "flag": {"type": "boolean"},
        "aligner": {"type": "string", "enum": ["star", "hisat2"]},
        "lanes": {"type": "array", "items": {"type": "integer"}},
        "refs": {"type": "array", "items": {"type": "string"}},
        "align": {"type": "object", "properties": {"seed": {"type": "integer"}, "index": {"type": "string"}}},
    },
}
UNTYPED = FormalParameter(name="untyped", type="Any", required=False)
INTERFACE = WorkflowInterface(
    entry=PurePosixPath("wf/main.nf"),
    process=None,
    language="nextflow",
    language_version="DSL2",
    kind="Workflow",
    inputs=(*formal_parameters(json.dumps(SCHEMA)), UNTYPED),
    outputs=(),
    documents=("wf/main.nf", "wf/assets/schema.json", "other/x.txt"),
)
FILE = FileValue(source=Source(mirrors=(Identifier.parse("https://x.example/a.csv"),)))
FOLDER = DirectoryValue(source=Source(mirrors=(Identifier.parse("file:///data"),)))
PLACE = OutputPlace(kind="Directory", path=PurePosixPath())


def _bind(settings: EngineSettings | None = None, **values: Value) -> Bound:
    given: dict[str, Value] = {"input": FILE, "outdir": PLACE, **values}
    params = tuple(Param(name=name, value=value, where=f"params.{name}") for name, value in given.items())
    return bind(INTERFACE, params, None, settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("outdir", FOLDER),
        ("either", FILE),
        ("either", FOLDER),
        ("name", "text"),
        ("name", FILE),
        ("name", FOLDER),
        ("name", PLACE),
        ("count", 3),
        ("fraction", 3),
        ("fraction", 0.5),
        ("flag", False),
        ("aligner", "star"),
        ("lanes", (1, 2)),
        ("refs", ("a", FILE)),
        ("untyped", {"a": (1, FILE)}),
        ("untyped", "x"),
        ("count", None),
        ("logo", "$projectDir/assets/logo.png"),
        ("logo", "${projectDir}/assets/schema.json"),
    ],
)
def test_what_fits_is_bound_as_it_is(name: str, value: Any) -> None:
    bound = _bind(**{name: value})

    assert bound.faults == ()
    assert {one.name: one.value for one in bound.params}[name] == value


@pytest.mark.parametrize(
    ("name", "value", "message", "hint"),
    [
        ("input", "data/a.csv", "the text 'data/a.csv', where File is expected", "{c-l-a-s-s: File, url: ...}"),
        ("outdir", "/data/results", "the text '/data/results', where Directory is expected", "autoFill: true"),
        ("logo", "$projectDir/assets/other.png", "where File is expected", "url: ..."),
        ("outdir", FILE, "a File, where Directory is expected", "Directory"),
        ("count", "5", "the text '5', where integer is expected", None),
        ("count", 0.5, "the number 0.5, where integer", None),
        ("flag", "true", "where boolean is expected", None),
        ("name", 38, "the number 38, where string is expected", "put it in quotes"),
        ("name", ("a", "b"), "a list of 2, where string is expected", None),
        ("aligner", "stra", "'stra' is not one of star, hisat2", "did you mean 'star'?"),
        ("lanes", 1, "the number 1, where integer[] is expected", "as a list"),
        ("inptu", "x", "no input 'inptu'", "did you mean 'input'?"),
        ("input", None, "the workflow needs the input 'input' (File)", None),
    ],
)
def test_what_does_not_fit_is_told_with_what_would_help(name: str, value: Any, message: str, hint: str | None) -> None:
    (fault,) = _bind(**{name: value}).faults

    assert message in fault.message
    assert hint is None or hint in (fault.hint or "")


def test_only_the_element_that_does_not_fit_is_told() -> None:
    (fault,) = _bind(refs=(FILE, "a", 3)).faults

    assert (fault.where, fault.message) == ("params.refs[2]", "the number 3, where string is expected")


def test_nested_maps_are_parameters_with_dotted_names() -> None:
    bound = _bind(align={"seed": 1, "index": FILE})

    assert bound.faults == ()
    assert {one.name for one in bound.params} >= {"align.seed", "align.index"}
    (fault,) = _bind(align={"sed": 1}).faults
    assert fault.where == "params.align.sed"
    assert fault.hint == "did you mean 'align.seed'?"


def test_unknown_names_pass_where_that_is_asked_for() -> None:
    bound = _bind(EngineSettings(ignore_unknown=True), custom=3, align={"extra": "x"})

    assert bound.faults == ()
    assert {"custom", "align.extra"} <= {one.name for one in bound.params}
    # What is known is held against its type all the same.
    assert _bind(EngineSettings(ignore_unknown=True), count="x").faults


def test_a_list_fits_a_text_where_lists_become_texts() -> None:
    assert _bind(EngineSettings(lists_as_text=True), name=("a", 2, FILE)).faults == ()
    assert _bind(EngineSettings(lists_as_text=True), count=(1, 2)).faults


def test_a_file_that_is_named_by_a_list_of_one_is_the_file() -> None:
    bound = _bind(input=(FILE,))

    assert bound.faults == ()
    assert bound.params[0].value == FILE


def test_all_missing_parameters_are_told() -> None:
    assert [one.message for one in bind(INTERFACE, ()).faults] == [
        "the workflow needs the input 'input' (File)",
        "the workflow needs the input 'outdir' (Directory)",
    ]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("count", "3", 3),
        ("name", "3", "3"),
        ("flag", "true", True),
        ("untyped", "3", 3),
        ("untyped", "a b", "a b"),
        ("lanes", "[1, 2]", [1, 2]),
        ("align.seed", "7", 7),
    ],
)
def test_a_text_of_the_command_line_is_read_as_its_type(name: str, text: str, value: object) -> None:
    assert bind_override(INTERFACE, name, text) == value


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [("input", "a.csv", "has to be staged"), ("count", "x", "count"), ("cuont", "1", "cuont")],
)
def test_an_override_that_does_not_fit_is_refused(name: str, text: str, words: str) -> None:
    with pytest.raises(DefinitionError, match=words):
        bind_override(INTERFACE, name, text)


def test_a_params_file_has_maps_for_dotted_names_and_the_project_in_full() -> None:
    given = {
        "align.seed": 1,
        "align": {"index": "${projectDir}/i"},
        "align.deep.x": 2,
        "logo": "$projectDir/l.png",
        "kept": ["a $projectDir/x", "$projectDirectory/x", "$baseDir"],
        "kept.not": 3,
    }

    assert as_params_file(given, "/wf\\1") == {
        "align": {"seed": 1, "index": "/wf\\1/i", "deep": {"x": 2}},
        "logo": "/wf\\1/l.png",
        "kept": ["a $projectDir/x", "$projectDirectory/x", "/wf\\1"],
        "kept.not": 3,
    }


@pytest.mark.parametrize("place", ["results", "./results/deep", "a b"])
def test_a_folder_may_be_a_path_below_that_of_the_outputs(place: str) -> None:
    assert _bind(outdir=place).faults == ()


@pytest.mark.parametrize("place", ["../results", "/tmp/results", "a/../../b", "~/results", "s3://bucket/results"])
def test_a_folder_may_not_lie_elsewhere(place: str) -> None:
    assert len(_bind(outdir=place).faults) == 1


def test_constraints_of_the_schema_are_faults_of_the_parameters() -> None:
    interface = replace(INTERFACE, constraints={"properties": {"count": {"type": "integer", "minimum": 1}}})
    asked = {"input": FILE, "outdir": PLACE, "count": 0}

    (fault,) = bind(interface, tuple(Param(name=name, value=one) for name, one in asked.items())).faults

    assert fault.where == "params.count"
    assert "1" in fault.message
    with pytest.raises(DefinitionError, match="count"):
        bind_override(interface, "count", "0")
