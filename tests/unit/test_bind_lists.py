"""A list of one file, and texts of the command line that mean nothing."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from engines.base import FormalParameter, WorkflowInterface
from engines.cwltool.bind import bind, bind_override
from staging.definition import FileValue, Param
from staging.errors import DefinitionError
from staging.plan import Json


def _interface(kind: Json) -> WorkflowInterface:
    return WorkflowInterface(
        entry=PurePosixPath("x.cwl"),
        process=None,
        language="cwl",
        language_version="v1.2",
        kind="Workflow",
        inputs=(FormalParameter(name="x", type=kind, required=True),),
        outputs=(),
    )


FILE = FileValue(contents="a")


@pytest.mark.parametrize("kind", ["File", ["null", "File"]])
def test_a_list_of_one_file_is_the_file_where_no_list_fits(kind: Json) -> None:
    bound = bind(_interface(kind), (Param(name="x", value=(FILE,)),))

    assert bound.faults == ()
    assert bound.params[0].value == FILE


@pytest.mark.parametrize(
    "kind", [{"type": "array", "items": "File"}, ["File", {"type": "array", "items": "File"}], "Any"]
)
def test_a_list_of_one_file_stays_a_list_where_one_fits(kind: Json) -> None:
    assert bind(_interface(kind), (Param(name="x", value=(FILE,)),)).params[0].value == (FILE,)


def test_a_list_of_two_files_is_no_file() -> None:
    assert bind(_interface("File"), (Param(name="x", value=(FILE, FILE)),)).faults


def test_a_text_that_nests_beyond_all_reason_is_a_fault() -> None:
    with pytest.raises(DefinitionError):
        bind_override(_interface("int"), "x", "[" * 100_000)


def test_bytes_that_are_no_text_are_a_fault() -> None:
    with pytest.raises(DefinitionError, match="not UTF-8"):
        bind_override(_interface("string"), "x", "caf\udce9")


def test_a_record_with_a_key_twice_is_a_fault() -> None:
    record: Json = {"type": "record", "fields": [{"name": "a", "type": "int"}]}

    assert bind_override(_interface(record), "x", '{"a": 1}') == {"a": 1}
    with pytest.raises(DefinitionError):
        bind_override(_interface(record), "x", '{"a": 1, "a": 2}')
