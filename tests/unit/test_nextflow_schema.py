"""A parameters' schema of Nextflow becomes formal parameters and constraints."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.nextflow.reading.parameters_schema import check, formal_parameters, read_schema, unchecked_patterns
from staging.definition import FileValue, Source
from staging.errors import DefinitionError
from staging.identifiers import Identifier

NF_CORE: dict[str, Any] = {
    "$schema": "http://json-schema.org/draft-07/schema",
    "title": "nf-core/demo pipeline parameters",
    "type": "object",
    "definitions": {
        "input_output_options": {
            "title": "Input/output options",
            "type": "object",
            "required": ["input", "outdir", "aligner"],
            "properties": {
                "input": {
                    "type": "string",
                    "format": "file-path",
                    "exists": True,
                    "schema": "assets/schema_input.json",
                    "mimetype": "text/csv",
                    "pattern": r"^\S+\.csv$",
                    "description": "Path to the sample sheet",
                },
                "outdir": {"type": "string", "format": "directory-path"},
                "aligner": {"type": "string", "enum": ["star", "hisat2"], "default": "star"},
                "reads": {"type": "string", "format": "file-path-pattern"},
                "either": {"type": "string", "format": "path"},
            },
        },
        "resources": {
            "properties": {
                "max_cpus": {"type": "integer", "default": 16, "minimum": 1, "maximum": 64, "hidden": True},
                "max_memory": {
                    "type": "string",
                    "default": "128.GB",
                    "pattern": r"^\d+(\.\d+)?\.?\s*(K|M|G|T)?B$",
                    "title": "Most memory",
                    "fa_icon": "fas fa-memory",
                },
                "fraction": {"type": "number", "exclusiveMinimum": 0, "multipleOf": 0.1},
                "flag": {"type": "boolean"},
                "rounds": {"type": "integer", "enum": [1, 2, 4]},
            },
        },
    },
    "allOf": [{"$ref": "#/definitions/input_output_options"}, {"$ref": "#/definitions/resources"}],
}


def _types(schema: object) -> dict[str, object]:
    return {one.name: one.type for one in formal_parameters(json.dumps(schema))}


def test_an_nf_core_schema_gives_every_parameter_its_type() -> None:
    assert _types(NF_CORE) == {
        "input": "File",
        "outdir": "Directory",
        "aligner": ["null", {"type": "enum", "symbols": ["star", "hisat2"]}],
        "reads": ["null", "string"],
        "either": ["null", "File", "Directory"],
        "max_cpus": ["null", "long"],
        "max_memory": ["null", "string"],
        "fraction": ["null", "double"],
        "flag": ["null", "boolean"],
        "rounds": ["null", "long"],
    }


def test_what_a_schema_says_of_a_parameter_is_kept() -> None:
    slots = {one.name: one for one in formal_parameters(json.dumps(NF_CORE))}

    assert [one.name for one in slots.values() if one.required] == ["input", "outdir"]
    assert slots["input"].doc == "Path to the sample sheet"
    assert slots["input"].format == ()
    assert (slots["max_memory"].label, slots["max_memory"].default) == ("Most memory", "128.GB")
    assert slots["max_cpus"].has_default
    assert not slots["input"].has_default


def test_the_newer_draft_with_unions_arrays_and_nested_parameters() -> None:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$defs": {
            "main": {
                "required": ["align"],
                "properties": {
                    "align": {
                        "type": "object",
                        "required": ["index"],
                        "properties": {
                            "index": {"type": "string", "format": "file-path", "mimetype": "http://edamontology.org/x"},
                            "seed": {"type": ["integer", "null"]},
                        },
                    },
                    "lanes": {"type": "array", "items": {"type": "integer"}},
                    "parts": {"type": ["string", "array"], "items": {"$ref": "#/nowhere"}},
                    "other": {"oneOf": [{"type": "integer"}, {"type": "string", "format": "path"}]},
                    "shared": {"$ref": "#/$defs/word"},
                    "free": {},
                    "map": {"type": "object"},
                },
            },
            "word": {"type": "string", "default": "x", "title": "A word"},
        },
        "allOf": [{"$ref": "#/$defs/main"}],
        "properties": {"top": {"type": "string"}},
        "required": ["top"],
    }

    assert _types(schema) == {
        "top": "string",
        "align.index": "File",
        "align.seed": ["null", "long"],
        "lanes": ["null", {"type": "array", "items": "long"}],
        "parts": ["null", "string", {"type": "array", "items": "Any"}],
        "other": ["null", "long", "File", "Directory"],
        "shared": ["null", "string"],
        "free": ["null", "Any"],
        "map": ["null", "Any"],
    }
    slots = {one.name: one for one in formal_parameters(json.dumps(schema))}
    assert slots["align.index"].required
    assert slots["align.index"].format == ("http://edamontology.org/x",)
    assert slots["shared"].label == "A word"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("{", ""),
        ("[]", ""),
        ("[" * 100_000, ""),
        (b"\xff\xfe\xfd", ""),
        ('{"properties": []}', "#/properties"),
        ('{"properties": {"a": 3}}', "#/properties/a"),
        ('{"allOf": {}}', "#/allOf"),
        ('{"allOf": [{"$ref": "#/definitions/gone"}]}', "#/allOf/0/$ref"),
        ('{"required": "input"}', "#/required"),
        ('{"definitions": {"a": {"required": 3}}, "allOf": [{"$ref": "#/definitions/a"}]}', "#/definitions/a/required"),
    ],
)
def test_a_broken_schema_names_its_file_and_the_place(text: str | bytes, place: str) -> None:
    with pytest.raises(DefinitionError, match=r"nextflow_schema\.json") as caught:
        formal_parameters(text)

    assert caught.value.faults[0].where == place


def test_a_schema_that_refers_to_itself_ends() -> None:
    looped = {"definitions": {"a": {"allOf": [{"$ref": "#/definitions/a"}]}}, "allOf": [{"$ref": "#/definitions/a"}]}
    node = {"properties": {"x": {"$ref": "#/definitions/b"}, "y": {"$ref": "#/definitions/b"}}}
    endless = {"definitions": {"b": node}, **node}

    assert formal_parameters(json.dumps(looped)) == ()
    with pytest.raises(DefinitionError, match="nests deeper"):
        formal_parameters(json.dumps(endless))


def _file(url: str) -> FileValue:
    return FileValue(source=Source(mirrors=(Identifier.parse(url),)))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("input", _file("https://x.example/samples.tsv"), "'samples.tsv' is not of the form"),
        ("max_cpus", 0, "0 is less than 1"),
        ("max_cpus", 65, "65 is more than 64"),
        ("max_memory", "lots", "'lots' is not of the form"),
        ("fraction", 0, "0 is not more than 0"),
        ("fraction", 0.25, "0.25 is no multiple of 0.1"),
        ("rounds", 3, "3 is not one of 1, 2, 4"),
        ("aligner", "bwa", "'bwa' is not one of star, hisat2"),
    ],
)
def test_a_constraint_that_is_broken_is_told(name: str, value: Any, words: str) -> None:
    (broken,) = check(NF_CORE, {name: value})

    assert broken.name == name
    assert words in broken.message


def test_values_that_keep_the_constraints_are_let_through() -> None:
    good = {
        "input": _file("https://x.example/samples.csv?download=1"),
        "max_cpus": 64,
        "max_memory": "8.GB",
        "fraction": 0.3,
        "rounds": 4,
        "aligner": None,
        "unknown": "x",
    }

    assert check(NF_CORE, good) == ()


def test_constraints_of_lists_hold_for_their_elements() -> None:
    schema = read_schema(
        json.dumps(
            {
                "properties": {
                    "l": {"type": "array", "minItems": 2, "uniqueItems": True, "items": {"minLength": 2}},
                    "slow": {"pattern": "^(a+)+$"},
                    "java": {"pattern": r"^\p{Alpha}+$"},
                }
            }
        )
    )

    assert [(one.place, one.message) for one in check(schema, {"l": ("x",)})] == [
        ("", "it has 1 elements, and needs 2"),
        ("[0]", "'x' is shorter than 2 characters"),
    ]
    assert [one.message for one in check(schema, {"l": ("xx", "xx")})] == ["it has the same element twice"]
    # Left to the engine: a pattern that could take for ever, and one of Java's own.
    assert check(schema, {"slow": "a" * 40 + "b", "java": "1"}) == ()


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "properties", "allOf", "$ref", "enum", "items", "oneOf", "default", "pattern", "a"]
            )
            | st.sampled_from(["minimum", "multipleOf", "minLength", "minItems", "uniqueItems", "required", "format"]),
            inner | st.sampled_from(["string", "#/properties/a", "array", "integer", "file-path"]),
            max_size=5,
        )
    ),
    max_leaves=25,
)


@given(_JSON, _JSON)
def test_any_json_is_a_schema_or_a_fault(schema: Any, value: Any) -> None:
    try:
        slots = formal_parameters(json.dumps(schema))
    except DefinitionError:
        return
    given = tuple(value) if isinstance(value, list) else value
    check(schema, {one.name: given for one in slots})


@pytest.mark.parametrize(
    ("definition", "place", "message"),
    [
        ({"type": "integr"}, "#/properties/a/type", "'integr' is no type of a parameter (did you mean 'integer'?)"),
        ({"type": ["string", 3]}, "#/properties/a/type", "3 is no type of a parameter"),
        ({"type": "array", "items": {"type": "File"}}, "#/properties/a/items/type", "'File' is no type"),
    ],
)
def test_a_type_that_there_is_not_is_told_with_its_place(definition: object, place: str, message: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        read_schema(json.dumps({"properties": {"a": definition}}))
    (fault,) = caught.value.faults
    assert fault.where == place
    assert fault.message.startswith(message)


def test_the_patterns_that_are_left_to_the_workflow_are_known_by_their_parameters() -> None:
    properties = {
        "plain": {"type": "string", "pattern": "^a+$"},
        "repeated": {"type": "string", "pattern": "^(a+)+$"},
        "java": {"type": "string", "pattern": "^\\p{Alpha}$"},
        "many": {"type": "array", "items": {"type": "string", "pattern": "(a|b)*"}},
    }
    assert unchecked_patterns({"properties": properties}) == ("repeated", "java", "many")
