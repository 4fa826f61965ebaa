"""The flat graph is written in one order, with one spelling, and with exactly the terms that it uses."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from wfexs_like.crate.generations import FIRST
from wfexs_like.crate.graph import METADATA, ROOT, Graph, Ref, fragment, path_id
from wfexs_like.crate.licences import licence_url
from wfexs_like.crate.vocabulary import EXTRA_TERMS, additional_types, media_type


def test_the_descriptor_and_the_root_come_first_and_the_rest_by_identifier_whatever_the_order_of_making() -> None:
    one, other = Graph(), Graph()
    for entity in ("#b", METADATA, "#a", ROOT):
        one.add(entity, "Thing", name=entity)
    for entity in (ROOT, "#a", METADATA, "#b"):
        other.add(entity, "Thing", name=entity)
    assert one.serialise() == other.serialise()
    assert [entity["@id"] for entity in json.loads(one.serialise())["@graph"]] == [METADATA, ROOT, "#a", "#b"]


def test_a_single_value_is_not_in_an_array_and_the_same_value_is_not_kept_twice() -> None:
    graph = Graph()
    entity = graph.add(ROOT, "Dataset").add("hasPart", Ref("a"), Ref("a")).add("keywords", "x", "y", "x")
    assert entity.as_json()["hasPart"] == {"@id": "a"}
    assert entity.as_json()["keywords"] == ["x", "y"]


def test_true_and_one_and_their_texts_stay_four_different_values() -> None:
    entity = Graph().add("#v", "PropertyValue").add("value", True, 1, "1", "true")
    assert json.dumps(entity.as_json()["value"]) == '[true, 1, "1", "true"]'


def test_the_context_has_the_further_terms_that_are_used_and_no_other() -> None:
    graph = Graph()
    graph.add(ROOT, "Dataset", name="x")
    assert graph.as_json()["@context"] == FIRST.context
    graph.add("a", "File", sha256="0")
    graph.add("#image", "ContainerImage")
    extra = {"ContainerImage": EXTRA_TERMS["ContainerImage"], "sha256": EXTRA_TERMS["sha256"]}
    assert graph.as_json()["@context"] == [FIRST.context, extra]


def test_a_path_becomes_an_identifier_that_cannot_be_taken_for_a_scheme_or_a_fragment() -> None:
    assert path_id("runs/1/a b#c?d%e.txt") == "runs/1/a%20b%23c%3Fd%25e.txt"
    assert path_id("c:x.txt") == "c%3Ax.txt"
    assert path_id("ä/é", folder=True) == "%C3%A4/%C3%A9/"
    assert fragment("value", "a/b", "x y") == "#value/a%2Fb/x%20y"


def test_a_cwl_type_says_what_may_fill_a_parameter() -> None:
    assert additional_types("File") == ({"File"}, False)
    assert additional_types(["null", "int"]) == ({"Integer"}, False)
    assert additional_types({"type": "array", "items": {"type": "array", "items": "Directory"}}) == ({"Dataset"}, True)
    assert additional_types(["null", {"type": "array", "items": "string"}, "boolean"]) == ({"Text", "Boolean"}, True)
    assert additional_types({"type": "enum", "symbols": ["a"]}) == ({"Text"}, False)
    assert additional_types({"type": "record", "fields": []}) == ({"PropertyValue"}, False)
    assert additional_types("null") == ({"PropertyValue"}, False)
    assert additional_types("float?") == ({"Float"}, False)
    assert additional_types("stdout") == ({"File"}, False)


def test_a_licence_is_an_address_or_an_spdx_identifier_or_just_words() -> None:
    assert licence_url("Apache-2.0") == "https://spdx.org/licenses/Apache-2.0"
    assert licence_url("https://creativecommons.org/licenses/by/4.0/") == "https://creativecommons.org/licenses/by/4.0/"
    assert licence_url("ask Ada first") is None
    assert licence_url("MIT OR Apache-2.0") is None


def test_media_types_do_not_depend_on_the_machine() -> None:
    assert media_type("a.vcf.gz") == "application/gzip"
    assert media_type("README") == "application/octet-stream"
    assert media_type("x.C++") == "application/octet-stream"


@given(st.lists(st.text() | st.integers() | st.floats() | st.booleans(), max_size=3), st.text(min_size=1))
def test_the_text_is_what_the_standard_library_indents(values: list[str | int | float | bool], name: str) -> None:
    graph = Graph()
    graph.add("#one", "Thing").add(name, *values, Ref("#one"))
    graph.add("#none", "Thing")
    assert graph.serialise().decode() == json.dumps(graph.as_json(), indent=1, ensure_ascii=False) + "\n"
