"""Which other documents a CWL document names."""

from __future__ import annotations

import pytest

from engines.cwltool.references import references
from staging.errors import DefinitionError


def test_steps_imports_includes_and_default_files_are_references() -> None:
    document = b"""
cwlVersion: v1.2
class: Workflow
requirements:
  - class: SchemaDefRequirement
    types: [{$import: types.yml}]
  - class: InlineJavascriptRequirement
    expressionLib: [{$include: lib.js}]
inputs:
  genome: {type: File, default: {class: File, location: data/genome.fa}}
steps:
  one: {run: tools/one.cwl, in: {}, out: []}
  two: {run: "../shared/two.cwl#main", in: {}, out: []}
  three: {run: "#local", in: {}, out: []}
"""

    found = references(document, "main.cwl")

    assert sorted(one.text for one in found) == [
        "../shared/two.cwl",
        "data/genome.fa",
        "lib.js",
        "tools/one.cwl",
        "types.yml",
    ]


def test_an_expression_in_a_location_is_no_reference() -> None:
    assert references(b"{class: File, location: $(inputs.x.location)}", "a.cwl") == ()


def test_a_default_on_the_web_is_left_to_the_inputs() -> None:
    found = references(b"{default: {class: File, location: 'https://x.example/a'}, run: a.cwl}", "m.cwl")

    assert [one.text for one in found] == ["a.cwl"]


@pytest.mark.parametrize("text", [b"", b"var x = {", b"\xff\xfe\x00", b"- just\n- a list", b"&a [*a]"])
def test_a_text_that_is_no_document_refers_to_nothing(text: bytes) -> None:
    assert references(text, "lib.js") == ()


def _aliases(levels: int) -> bytes:
    lines = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, levels + 1)]
    return "\n".join(["l0: &l0 {run: x.cwl}", *lines]).encode()


def test_what_aliases_repeat_is_walked_once() -> None:
    assert references(_aliases(5), "main.cwl") == (("x.cwl", False),)


def test_an_alias_bomb_is_a_fault_before_the_engine_walks_it() -> None:
    with pytest.raises(DefinitionError) as caught:
        references(_aliases(30), "bomb.cwl")

    assert "repeats itself" in caught.value.faults[0].message


def test_a_document_that_nests_too_deep_is_a_fault_and_no_crash() -> None:
    deep = b"[" * 100_000 + b"]" * 100_000

    with pytest.raises(DefinitionError, match="has 1 fault"):
        references(deep, "deep.cwl")
