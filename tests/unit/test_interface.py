"""The interface survives being kept."""

from __future__ import annotations

import json
from pathlib import PurePosixPath

import pytest

from engines.base import FormalParameter, Step, Tool, WorkflowInterface
from engines.interface import interface_as_json, interface_from_json
from staging.errors import DefinitionError

INTERFACE = WorkflowInterface(
    entry=PurePosixPath("flows/main.cwl"),
    process="other",
    language="cwl",
    language_version="v1.2",
    kind="Workflow",
    inputs=(
        FormalParameter(
            name="reads",
            type={"type": "array", "items": "File"},
            required=True,
            label="Reads",
            doc="what was read",
            format=("http://edamontology.org/format_1930",),
            secondary=(".bai", "^.idx?"),
        ),
        FormalParameter(name="depth", type=["null", "int"], required=False, default=0, has_default=True),
    ),
    outputs=(FormalParameter(name="out", type="File", required=True),),
    steps=(Step(name="a/b", tool="t.cwl", position=1, scatter=("reads",), when=True),),
    tools=(
        Tool(
            id="t.cwl",
            kind="CommandLineTool",
            program="sort",
            container="debian:12",
            container_required=True,
            software=({"package": "coreutils"},),
            inputs=(FormalParameter(name="x", type="Any", required=True),),
        ),
    ),
    connections=(("reads", "a/b/x"),),
    documents=("flows/main.cwl", "t.cwl"),
    label="A flow",
    licence="https://spdx.org/licenses/MIT",
    authors=({"name": "A. Author"},),
    needs_javascript=True,
    open_outputs=True,
)


def test_an_interface_is_the_same_after_json_and_back() -> None:
    assert interface_from_json(json.loads(json.dumps(interface_as_json(INTERFACE)))) == INTERFACE


def test_keys_of_a_newer_version_are_ignored() -> None:
    assert interface_from_json({**interface_as_json(INTERFACE), "of the future": 1}) == INTERFACE


@pytest.mark.parametrize("record", [{}, {"entry": "x"}, {**interface_as_json(INTERFACE), "inputs": 3}])
def test_something_else_is_refused_in_words(record: dict[str, object]) -> None:
    with pytest.raises(DefinitionError, match="interface can't be read"):
        interface_from_json(record)
