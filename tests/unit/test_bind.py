"""Parameters are fitted to the workflow's inputs before anything is fetched; every fault is told at once."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.base import FormalParameter, WorkflowInterface
from engines.cwltool.bind import bind, bind_override
from engines.fitting import describe, misfits, secondary_name
from staging.definition import DirectoryValue, FileValue, OutputPlace, Param, Source, Value
from staging.errors import DefinitionError
from staging.identifiers import Identifier

ENUM = {"type": "enum", "symbols": ["red", "green", "blue"]}
PAIR = {"type": "record", "fields": [{"name": "left", "type": "int"}, {"name": "right", "type": ["null", "string"]}]}
BAM = FileValue(basename="x.bam")


def _interface(**types: Any) -> WorkflowInterface:
    return WorkflowInterface(
        entry=PurePosixPath("main.cwl"),
        process=None,
        language="cwl",
        language_version="v1.2",
        kind="Workflow",
        inputs=tuple(
            one
            if isinstance(one, FormalParameter)
            else FormalParameter(name=name, type=one, required=not (isinstance(one, list) and "null" in one))
            for name, one in types.items()
        ),
        outputs=(),
    )


def _bind(interface: WorkflowInterface, **values: Value) -> tuple[dict[str, Value], list[str]]:
    params = tuple(
        Param(name=name, value=value, file="s.yaml", where=f"params.{name}") for name, value in values.items()
    )
    bound = bind(interface, params)
    return {one.name: one.value for one in bound.params}, [f"{one.where}: {one.message}" for one in bound.faults]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("int", 2**31 - 1),
        ("int", -(2**31)),
        ("long", 2**63 - 1),
        ("float", 1),
        ("double", 1.5),
        ("long", 7),
        ("boolean", True),
        ("string", ""),
        ("Any", 0),
        ("Any", {"a": (1, "x")}),
        ("null", None),
        (["null", "int"], None),
        (["int", "string"], "x"),
        (ENUM, "red"),
        (PAIR, {"left": 1}),
        (PAIR, {"left": 1, "right": "x"}),
        ({"type": "array", "items": "int"}, ()),
        ({"type": "array", "items": {"type": "array", "items": "int"}}, ((1,), ())),
        ({"type": "array", "items": ["null", "File"]}, (None, BAM)),
        ("File", BAM),
        ("Directory", DirectoryValue()),
        ("of the future", 1),
    ],
)
def test_a_value_that_fits_has_no_fault(kind: Any, value: Value) -> None:
    assert misfits(kind, value) == []


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("int", 2**31, "2147483648 is too large for int"),
        ("long", 2**63, "is too large for long"),
        ("int", True, "the boolean true, where int is expected"),
        ("float", False, "the boolean false, where float is expected"),
        ("int", 1.0, "the number 1.0, where int is expected"),
        ("int", "1", "the text '1', where int is expected"),
        ("string", 1, "the number 1, where string is expected"),
        ("boolean", 0, "the number 0, where boolean is expected"),
        ("Any", None, "null, where Any is expected"),
        (ENUM, "grene", "'grene' is not one of red, green, blue"),
        (PAIR, {"left": "x"}, "the text 'x', where int is expected"),
        (PAIR, {}, "the field 'left' (int) is missing"),
        (PAIR, {"left": 1, "rihgt": "x"}, "the record has no field 'rihgt'"),
        (PAIR, 3, "the number 3, where record of left, right is expected"),
        ({"type": "array", "items": "int"}, 1, "the number 1, where int[] is expected"),
        ({"type": "array", "items": "int"}, (1, "x"), "the text 'x', where int is expected"),
        ("File", "x.txt", "the text 'x.txt', where File is expected"),
        ("File", DirectoryValue(), "a Directory, where File is expected"),
        ("Directory", BAM, "a File, where Directory is expected"),
        (["null", "File", "string"], 3, "the number 3, where File or string is expected"),
    ],
)
def test_a_value_that_does_not_fit_is_told_with_what_would(kind: Any, value: Value, message: str) -> None:
    faults = misfits(kind, value)

    assert len(faults) == 1
    assert message in faults[0].message


def test_faults_have_their_place_in_the_value() -> None:
    kind = {"type": "array", "items": {"type": "record", "fields": [{"name": "n", "type": "int"}]}}

    _, faults = _bind(_interface(a=kind), a=({"n": 1}, {"n": "x"}))

    assert faults == ["params.a[1].n: the text 'x', where int is expected"]


def test_hints_say_what_to_write() -> None:
    assert "quotes" in (misfits("string", 5)[0].hint or "")
    assert "list" in (misfits({"type": "array", "items": "File"}, BAM)[0].hint or "")
    assert "class" in (misfits("File", "x")[0].hint or "")
    assert misfits(ENUM, "grean")[0].hint == "did you mean 'green'?"


def test_an_unknown_name_is_told_with_the_likely_one() -> None:
    bound = bind(_interface(reads="File"), (Param(name="raeds", value=BAM, file="s.yaml", line=3, column=5),))

    unknown, missing = bound.faults
    assert (unknown.message, unknown.hint) == ("the workflow has no input 'raeds'", "did you mean 'reads'?")
    assert (unknown.file, unknown.line, unknown.column) == ("s.yaml", 3, 5)
    assert missing.message == "the workflow needs the input 'reads' (File)"


def test_null_is_missing_where_a_value_is_needed_and_well_where_not() -> None:
    with_default = FormalParameter(name="d", type="int", required=False, default=3, has_default=True)

    assert _bind(_interface(a=["null", "int"], d=with_default), a=None, d=None) == ({"a": None, "d": None}, [])
    assert _bind(_interface(a="int"), a=None)[1] == ["params.a: the workflow needs the input 'a' (int)"]


def test_a_map_stays_a_record_or_becomes_dotted_names() -> None:
    values, faults = _bind(
        _interface(**{"pair": PAIR, "opts.depth": "int", "opts.deep.name": "string"}),
        pair={"left": 1},
        opts={"depth": 3, "deep": {"name": "x"}},
    )

    assert faults == []
    assert values == {"pair": {"left": 1}, "opts.depth": 3, "opts.deep.name": "x"}


def test_a_dotted_name_that_is_not_there_is_unknown_with_its_place() -> None:
    _, faults = _bind(_interface(**{"opts.depth": "int"}), opts={"depht": 3})

    assert faults[0] == "params.opts.depht: the workflow has no input 'opts.depht'"


def test_an_input_given_twice_is_a_fault() -> None:
    _, faults = _bind(_interface(**{"o.a": "int"}), **{"o.a": 1, "o": {"a": 2}})

    assert faults == ["params.o.a: the input 'o.a' is given twice"]


def test_a_list_of_one_is_an_array_of_one() -> None:
    assert _bind(_interface(a={"type": "array", "items": "File"}), a=(BAM,)) == ({"a": (BAM,)}, [])


@pytest.mark.parametrize(
    ("name", "pattern", "expected"),
    [
        ("x.bam", ".bai", "x.bam.bai"),
        ("x.bam", "^.bai", "x.bai"),
        ("x.tar.gz", "^^.md5", "x.md5"),
        ("plain", "^.bai", "plain.bai"),
    ],
)
def test_secondary_names_follow_the_pattern(name: str, pattern: str, expected: str) -> None:
    assert secondary_name(name, pattern) == expected


def test_a_missing_secondary_file_is_named() -> None:
    slot = FormalParameter(name="b", type="File", required=True, secondary=(".bai", "^.idx", ".maybe?", "$(self.x)"))
    whole = FileValue(basename="x.bam", secondary=(FileValue(basename="x.bam.bai"), FileValue(basename="x.idx")))

    assert _bind(_interface(b=slot), b=whole)[1] == []
    assert _bind(_interface(b=slot), b=BAM)[1] == [
        "params.b: 'x.bam' needs 'x.bam.bai' beside it (secondaryFiles '.bai')",
        "params.b: 'x.bam' needs 'x.idx' beside it (secondaryFiles '^.idx')",
    ]


def test_secondary_files_are_looked_for_in_arrays_records_and_by_location() -> None:
    array = FormalParameter(name="a", type={"type": "array", "items": "File"}, required=True, secondary=(".bai",))
    record = {"type": "record", "fields": [{"name": "f", "type": "File", "secondaryFiles": [".bai"]}]}
    by_url = FileValue(source=Source(mirrors=(Identifier.parse("https://example.org/d/y.bam?v=1"),)))
    elsewhere = FileValue(source=Source(mirrors=(Identifier.parse("doi:10.1/x"),)))

    _, faults = _bind(_interface(a=array, r=record), a=(BAM, by_url, elsewhere), r={"f": BAM})

    assert [fault.partition(" (")[0] for fault in faults] == [
        "params.a[0]: 'x.bam' needs 'x.bam.bai' beside it",
        "params.a[1]: 'y.bam' needs 'y.bam.bai' beside it",
        "params.r.f: 'x.bam' needs 'x.bam.bai' beside it",
    ]


@pytest.mark.parametrize(
    ("kind", "given_value", "expected"),
    [
        ("int", "5", 5),
        ("int", 5, 5),
        ("double", "0.5", 0.5),
        ("boolean", "true", True),
        ("string", "5", "5"),
        ("string", "true", "true"),
        (["null", "string"], "null", None),
        (["null", "int"], "null", None),
        (["null", "int"], None, None),
        (ENUM, "red", "red"),
        ({"type": "array", "items": "int"}, "[1, 2]", [1, 2]),
        ({"type": "array", "items": "int"}, [1, 2], [1, 2]),
        (PAIR, '{"left": 1}', {"left": 1}),
        (["int", "string"], "x", "x"),
    ],
)
def test_an_override_is_read_as_the_input_wants_it(kind: Any, given_value: Any, expected: Any) -> None:
    found = bind_override(_interface(a=kind), "a", given_value)

    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("kind", "given_value", "message"),
    [
        ("int", "x", "a: the text 'x', where int is expected"),
        ("int", "3000000000", "too large for int"),
        (ENUM, "rde", "is not one of red"),
        ("File", "x.txt", "has to be staged"),
        ({"type": "array", "items": "File"}, "x.txt", "has to be staged"),
        ("int", None, "null, where int is expected"),
        ("double", "NaN", "the text 'NaN', where double is expected"),
    ],
)
def test_an_override_that_does_not_fit_is_refused(kind: Any, given_value: Any, message: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        bind_override(_interface(a=kind), "a", given_value)

    assert message in caught.value.message


def test_an_override_of_nothing_is_refused_with_the_likely_name() -> None:
    with pytest.raises(DefinitionError) as caught:
        bind_override(_interface(depth="int"), "dept", "3")

    assert caught.value.hint == "did you mean 'depth'?"


_KINDS = st.recursive(
    st.sampled_from(["null", "int", "long", "float", "string", "boolean", "File", "Directory", "Any"]),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3),
        st.fixed_dictionaries({"type": st.just("array"), "items": inner}),
        st.fixed_dictionaries(
            {
                "type": st.just("record"),
                "fields": st.lists(st.fixed_dictionaries({"name": st.sampled_from("abc"), "type": inner}), max_size=2),
            }
        ),
    ),
    max_leaves=5,
)
_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.just(BAM), st.just(DirectoryValue())),
    lambda inner: st.one_of(st.lists(inner, max_size=3).map(tuple), st.dictionaries(st.sampled_from("abc"), inner)),
    max_leaves=5,
)


@given(kind=_KINDS, value=_VALUES)
def test_any_type_and_any_value_get_an_answer(kind: Any, value: Value) -> None:
    faults = misfits(kind, value)

    assert all(fault.message for fault in faults)
    assert describe(kind)
    assert misfits([kind, "Any"], value) == [] or value is None


@pytest.mark.parametrize("wrap", [lambda one: one, lambda one: (one,), lambda one: {"left": one}])
def test_a_cwl_input_takes_no_place_for_outputs(wrap: Any) -> None:
    place = OutputPlace(kind="Directory", path=PurePosixPath("out"))

    bound = bind(_interface(out="Any"), (Param(name="out", value=wrap(place), line=3, where="params.out"),))

    (fault,) = bound.faults
    assert fault.message == "the input 'out' takes no place for outputs"
    assert (fault.where, fault.line) == ("params.out", 3)
    assert "leave it out" in str(fault.hint)
