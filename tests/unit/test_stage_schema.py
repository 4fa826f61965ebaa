"""The shipped JSON Schema and the reader are two writings of one grammar: they must agree on every document."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from staging.documents import parse_document
from staging.engine_wish import ENGINE_PATTERN, VARIABLE_PATTERN, WORKFLOW_TYPES
from staging.grammar import FaultList, Origin
from staging.image_wishes import CONTAINER_TYPES, PLATFORM_PATTERN
from staging.loading import stage_schema
from staging.nodes import plain
from staging.quantities import MEMORY_PATTERN, TIME_PATTERN
from staging.sources import CREDIT_ROLES, SHA256_PATTERN
from staging.stage_reading import ORCID_PATTERN, read_stage

jsonschema = pytest.importorskip("jsonschema", reason="the schema's own tests need jsonschema")

SHA = "ab" * 32

# Every key of the grammar stands in here at least once, so that mutations reach every branch.
FULL: dict[str, Any] = {
    "workflow_id": {"uri": "git+https://example.org/a.git", "sha256": SHA, "size": 5},
    "workflow_type": "cwl",
    "workflow_config": {
        "secure": False,
        "containerType": "none",
        "writable_containers": False,
        "nextflow": {
            "version": "24.10.0",
            "profile": ["a"],
            "maxCPUs": 3,
            "maxProcesses": 2,
            "maxCPUsPerProcess": 1,
            "maxTaskDuration": "1d 6h",
            "maxRetries": 0,
            "serializeListAsString": True,
            "dockerImage": None,
            "ignoreUnknown": True,
            "secrets": ["TOKEN_1"],
        },
        "cwl": {"version": 3.1},
    },
    "trs_endpoint": "https://example.org/trs",
    "version": 1.5,
    "prefer_upstream_source": True,
    "nickname": "nick",
    "paranoid_mode": False,
    "vault": "plain",
    "engine": {"name": "cwltool", "version": "3.1"},
    "containers": ["busybox", {"image": "tools:1", "source": "b", "sha256": SHA, "platform": "linux/arm64"}],
    "limits": {"cores": 2, "memory": "4 GiB", "time": "1h 30m"},
    "seal": {"recipients": []},
    "placeholders": {"rel": 102, "name": "x"},
    "params-from": "job.yml",
    "profile": "docker,test",
    "title": "T",
    "description": "D",
    "licence": "CC0-1.0",
    "authors": [{"name": "A", "orcid": "0000-0002-1825-0097", "affiliation": "X"}],
    "default_actions": [{"id": "x"}],
    "params": {
        "cwl:requirements": [{"class": "ResourceRequirement", "coresMin": 1}],
        "$namespaces": {"edam": "http://edamontology.org/"},
        "plain": 5,
        "nothing": None,
        "list": [1, "a", [True, None]],
        "nested": {"deep": {"er": 1.5}},
        "reads": {
            "c-l-a-s-s": "File",
            "url": [
                [
                    {
                        "uri": "https://example.org/a",
                        "sha256": SHA,
                        "size": 1,
                        "licences": ["CC0-1.0"],
                        "attributions": [{"name": "N", "pid": "https://orcid.org/x", "roles": ["software"]}],
                        "member": [{"name": "*.txt", "as": "x"}],
                        "security-context": "lab",
                    },
                    "ftp://example.org/a",
                ],
                "b.gz",
            ],
            "secondary-urls": "b.gz.tbi",
            "sha256": SHA,
            "size": 1,
            "format": "edam:format_1",
            "preferred-name": True,
            "relative-dir": "x",
            "security-context": "lab",
            "globExplode": "*",
            "autoFill": False,
            "autoPrefix": True,
            "disclosable": True,
            "cacheable": True,
            "clonable": True,
        },
        "inline": {"c-l-a-s-s": "File", "value": ["a", "b"]},
        "empty": {"c-l-a-s-s": "File"},
        "filled": {"c-l-a-s-s": "Directory", "autoFill": True, "autoPrefix": False},
        "place": {"c-l-a-s-s": "File", "autoFill": True, "preferred-name": "x.txt", "relative-dir": "y"},
        "folder": {"c-l-a-s-s": "Directory", "url": "d", "preferred-name": "x"},
        "literal": {"c-l-a-s-s": "Value", "value": ["a", 1, [True]], "disclosable": True},
        "sheet": {"c-l-a-s-s": "ContentWithURIs", "value": "a", "tabular": {"uri-columns": [1]}},
        "job": {
            "class": "File",
            "location": "a%20b",
            "path": "a b",
            "basename": "c",
            "dirname": "",
            "nameroot": "c",
            "nameext": "",
            "format": "x",
            "checksum": f"sha256${SHA}",
            "size": 1,
            "secondaryFiles": [{"class": "File", "contents": "x"}, {"class": "Directory", "listing": []}],
            "licences": ["x"],
            "attributions": None,
            "sha256": SHA,
            "disclosable": True,
            "cacheable": None,
            "clonable": False,
        },
        "made": {"class": "Directory", "listing": [{"class": "File", "path": "x"}], "location": "d", "basename": "e"},
        "records": [{"a": {"class": "File", "contents": ""}}, {"class": "other"}],
    },
    "environment": {
        "A": "x",
        "B": 1,
        "C": {"c-l-a-s-s": "File", "url": "x"},
        "D": {"class": "File", "path": "x"},
        "E": {"c-l-a-s-s": "Value", "value": "x"},
    },
    "outputs": {
        "a": {"c-l-a-s-s": "File", "cardinality": "+", "preferredName": "x", "glob": "*.txt"},
        "b": {"c-l-a-s-s": "Directory", "cardinality": [0, None], "fillFrom": "filled", "syntheticOutput": True},
        "c": {"c-l-a-s-s": "Value", "cardinality": 2},
    },
}

VALUES = st.sampled_from(
    [
        None,
        True,
        False,
        0,
        1,
        -1,
        2.0,
        1.5,
        "",
        " ",
        "x",
        "none",
        "File",
        "Directory",
        "Value",
        "4 GiB",
        "4G",
        "1h",
        "2 days 1 minute",
        "TOKEN_1",
        ["TOKEN 1"],
        "cwltool@3.1",
        "a@b@c",
        "sha1$00",
        SHA,
        "1",
        "?",
        "cwl",
        "docker",
        "0000-0002-1825-009X",
        [],
        {},
        [None],
        ["x"],
        ["x", "y"],
        [["x"]],
        [["x", "y"]],
        [1, 2],
        [3, None],
        [{}],
        {"x": 1},
        {"uri": "x"},
        {"name": "x"},
        {"class": "File"},
        {"class": "File", "path": "x"},
        {"class": "Directory", "listing": None},
        {"class": "x"},
        {"c-l-a-s-s": "File", "url": "x"},
        {"c-l-a-s-s": "Value"},
        {"c-l-a-s-s": "ContentWithURIs"},
        {"c-l-a-s-s": None},
        [{"class": "File", "contents": None, "location": "x"}],
    ]
)


def _spots(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = [path]
    if isinstance(value, dict):
        found += [spot for key, one in value.items() for spot in _spots(one, (*path, key))]
    elif isinstance(value, list):
        found += [spot for index, one in enumerate(value) for spot in _spots(one, (*path, index))]
    return found


def _keys(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {key for one in value.values() for key in _keys(one)}
    return {key for one in value for key in _keys(one)} if isinstance(value, list) else set()


KEYS = st.sampled_from([*sorted(_keys(FULL)), "unknown", "A=B"])


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """The full document, cut down to a few keys and changed in a few places."""
    document = copy.deepcopy(FULL)
    for part in (document, document["params"], document["environment"], document["outputs"]):
        kept = draw(st.sets(st.sampled_from(sorted(part)), max_size=4))
        for key in set(part) - kept - {"workflow_id", "params", "environment", "outputs"}:
            del part[key]
    for _ in range(draw(st.integers(0, 3))):
        spot = draw(st.sampled_from(_spots(document)))
        target: Any = document
        for step in spot[:-1]:
            target = target[step]
        where = target[spot[-1]] if spot else target
        action = draw(st.sampled_from(["set", "drop", "add"]))
        if action == "add" and isinstance(where, dict):
            where[draw(KEYS)] = copy.deepcopy(draw(VALUES))
        elif action == "add" and isinstance(where, list):
            where.append(copy.deepcopy(draw(VALUES)))
        elif spot and action == "drop":
            del target[spot[-1]]
        elif spot:
            target[spot[-1]] = copy.deepcopy(draw(VALUES))
    return document


def faults_of(document: object) -> FaultList:
    text = json.dumps(document)
    parsed = parse_document(text.encode(), file="stage.json")
    assert not parsed.faults
    assert plain(parsed.root) == document
    faults = FaultList()
    read_stage(parsed, Path("/nowhere/stage.json"), Origin(file="stage.json", faults=faults))
    return faults


VALIDATOR = jsonschema.Draft202012Validator(stage_schema())


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(stage_schema())


def test_a_document_with_every_key_is_sound_for_both() -> None:
    faults = faults_of(FULL)
    assert [str(one.message) for one in VALIDATOR.iter_errors(FULL)] == []
    assert faults.structural == 0, faults.found


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(documents())
def test_schema_and_reader_find_the_same_documents_wrong(document: dict[str, Any]) -> None:
    faults = faults_of(document)
    errors = [f"{one.json_path}: {one.message[:200]}" for one in VALIDATOR.iter_errors(document)]
    assert bool(errors) == bool(faults.structural), (errors, faults.found)


@pytest.mark.parametrize("root", [None, [], "x", 5, {}])
def test_what_is_no_map_or_names_no_workflow_is_wrong_for_both(root: object) -> None:
    assert faults_of(root).structural
    assert not VALIDATOR.is_valid(root)


def test_the_two_use_the_same_patterns_and_words() -> None:
    text = json.dumps(stage_schema())
    for pattern in (
        VARIABLE_PATTERN,
        MEMORY_PATTERN,
        TIME_PATTERN,
        ENGINE_PATTERN,
        ORCID_PATTERN,
        PLATFORM_PATTERN,
        SHA256_PATTERN,
    ):
        assert json.dumps(pattern) in text
    for words in (CREDIT_ROLES, WORKFLOW_TYPES, CONTAINER_TYPES):
        assert json.dumps(list(words)) in text
