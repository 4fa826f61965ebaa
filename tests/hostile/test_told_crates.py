"""Hostile metadata for ``report``: whatever a crate tells, there is an account of it, and nothing raw is printed."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wfexs_like.cli.account_form import account_form
from wfexs_like.cli.account_view import Look, account_view
from wfexs_like.cli.context import App
from wfexs_like.cli.main import main
from wfexs_like.reading.account import Account, Item
from wfexs_like.reading.metadata import Metadata
from wfexs_like.reading.recount import recount

METADATA = "ro-crate-metadata.json"
LOOK = Look(most=30, width=80)

IDS = [
    "./",
    METADATA,
    "w.cwl",
    "./w.cwl",
    "a/",
    "a/b.txt",
    "#x",
    "#y",
    "#z",
    "_:b",
    "https://e.org/x",
    "../../etc",
    "/a",
    "",
]
NAMES = [
    *("@type", "name", "about", "mainEntity", "hasPart", "mentions", "instrument", "object", "result", "agent", "step"),
    *("workExample", "exampleOfWork", "input", "output", "value", "startTime", "endTime", "actionStatus", "error"),
    *("containerImage", "resourceUsage", "environment", "sha256", "contentSize", "encodingFormat", "conformsTo", "url"),
    *("softwareRequirements", "position", "connection", "sourceParameter", "targetParameter", "author", "identifier"),
    *("description", "additionalType", "programmingLanguage", "version", "defaultValue", "propertyID", "unitCode"),
    *("schema:name", "@reverse", "about", "exitCode", "license", "additionalProperty", "tag", "registry"),
]
TYPES = [
    *("File", "Dataset", "Collection", "PropertyValue", "CreateAction", "ActivateAction", "OrganizeAction"),
    *("ControlAction", "HowToStep", "ComputationalWorkflow", "SoftwareApplication", "FormalParameter"),
    *("ParameterConnection", "ContainerImage", "Person", "schema:CreateAction", "ComputerLanguage"),
]
TEXTS = st.one_of(
    st.sampled_from(IDS + TYPES),
    st.sampled_from(
        [
            *("2024-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+14:00", "yesterday", "1e999"),
            *("\x1b[2J\x1b]0;x\x07", "\ud800", "\u202e", "a\nb", "http://schema.org/FailedActionStatus", "ab" * 32),
        ]
    ),
    st.text(max_size=8),
)
REFERENCES = st.sampled_from(IDS).map(lambda one: {"@id": one})
SCALARS = st.one_of(
    TEXTS,
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from([10**400, -(10**400), 1 << 70, 10**4000]),
)
VALUES = st.recursive(
    st.one_of(SCALARS, REFERENCES),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["@id", "@type", "@value", "@list", *NAMES]), inner, max_size=3),
    ),
    max_leaves=6,
)
ENTITIES = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6).flatmap(
    lambda entity: st.lists(st.sampled_from(TYPES), min_size=1, max_size=2).map(
        lambda types: {"@type": types, **entity}
    )
)
GRAPHS = st.dictionaries(st.sampled_from(IDS), ENTITIES, min_size=1, max_size=10)


def account_of(graph: dict[str, Any]) -> Account:
    entities = {identifier: {"@id": identifier, **entity} for identifier, entity in graph.items()}
    return recount(Metadata(entities=entities), None)


def told(*entities: dict[str, Any], **root: Any) -> Account:
    graph = {one["@id"]: one for one in entities}
    graph.setdefault(METADATA, {"@id": METADATA, "about": {"@id": "./"}})
    graph.setdefault("./", {"@id": "./", "@type": "Dataset", **root})
    return recount(Metadata(entities=graph), None)


@given(graph=GRAPHS)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_there_is_an_account_of_anything(graph: dict[str, Any]) -> None:
    account = account_of(graph)
    account_form(account)
    text = account_view(account, LOOK)
    assert not set(text) & {"\x1b", "\x07", "\r", "\u202e", "\ud800"}, "only printable text reaches the terminal"


CRATES = sorted((Path(__file__).parents[1] / "data" / "crates").glob("*.json"))
CHANGES = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 12), VALUES), min_size=4, max_size=40)


@given(crate=st.sampled_from(CRATES), changes=CHANGES)
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_there_is_an_account_of_a_crate_in_which_things_are_not_what_they_should_be(
    crate: Path, changes: list[tuple[int, int, Any]]
) -> None:
    graph = json.loads(crate.read_text())["@graph"]
    for place, name, value in changes:
        entity = graph[place % len(graph)]
        names = sorted(entity.keys() - {"@id", "@type"}) or ["name"]
        entity[names[name % len(names)]] = value
    account = recount(Metadata(entities={one["@id"]: one for one in graph}), None)
    account_form(account)
    assert "\x1b" not in account_view(account, LOOK)


def count(item: Item) -> int:
    return 1 + sum(map(count, item.parts))


def test_parts_of_each_other_come_to_an_end() -> None:
    ids = [f"d{number}/" for number in range(12)]
    folders = [{"@id": one, "@type": "Dataset", "hasPart": [{"@id": two} for two in ids]} for one in ids]
    account = told(*folders)
    assert [one.id for one in account.data] == ids
    assert max(map(count, account.data)) == 2048
    assert "what is told to be a part of itself is left out where it is" in account.remarks


def test_a_chain_of_folders_and_one_of_values_and_one_of_lists_are_cut() -> None:
    deep = [{"@id": f"d{n}/", "@type": "Dataset", "hasPart": {"@id": f"d{n + 1}/"}} for n in range(2_000)]
    account = told(*deep)
    assert len(account.data) == 2_000
    assert count(account.data[0]) == 17
    assert "parts of parts are told 16 deep" in account.remarks
    nested: Any = "x"
    for _ in range(5000):
        nested = [nested]
    assert told({"@id": "a", "@type": "File", "name": nested}).data[0].name == "a"


def test_a_workflow_within_itself_and_steps_within_steps_come_to_an_end() -> None:
    workflow = {
        "@id": "w",
        "@type": ["File", "ComputationalWorkflow"],
        "name": "w",
        "step": [{"@id": "#s"}, {"@id": "#t"}],
    }
    inner = [{"@id": one, "@type": "HowToStep", "name": one[1:], "workExample": {"@id": "w"}} for one in ("#s", "#t")]
    account = told(workflow, *inner, mainEntity={"@id": "w"})
    assert account.workflow is not None
    assert [one.name for one in account.workflow.steps] == ["s", "t"]
    assert "a step runs the workflow that it is in: that is not followed" in account.remarks
    # Twice as many on every floor: 2 to the power of 20 without a limit.
    floors = [
        {"@id": f"w{n}", "@type": "ComputationalWorkflow", "step": [{"@id": f"#s{n}"}, {"@id": f"#t{n}"}]}
        for n in range(20)
    ]
    stairs = [
        {"@id": f"#{which}{n}", "@type": "HowToStep", "workExample": {"@id": f"w{n + 1}"}}
        for n in range(20)
        for which in "st"
    ]
    started = time.process_time()
    account = told(*floors, *stairs, mainEntity={"@id": "w0"})
    assert account.workflow is not None
    assert len(account.workflow.steps) == 50_000
    assert "the workflow has more than 50000 steps: others are left out" in account.remarks
    assert time.process_time() - started < 15


def test_actions_that_control_each_other_are_each_told_once() -> None:
    actions = [
        {"@id": one, "@type": kind, "object": [{"@id": two} for two in "abcd"], "result": {"@id": "b"}}
        for one, kind in (("a", "OrganizeAction"), ("b", "CreateAction"), ("c", "ControlAction"), ("d", "CreateAction"))
    ]
    account = told(*actions)
    assert [run.execution.id for run in account.runs] == ["b"]
    assert [step.execution.id for step in account.runs[0].steps] == ["d"]


def test_very_many_parts_and_very_long_ids_are_told_in_time() -> None:
    parts = [{"@id": f"f{n}", "@type": "File", "exampleOfWork": {"@id": "#o"}} for n in range(10_000)]
    parts.append({"@id": "x" * 1_000_000, "@type": "File", "name": "y" * 1_000_000})
    ids = [{"@id": one["@id"]} for one in parts]
    run = {"@id": "#r", "@type": "CreateAction", "result": [*ids, {"@id": "#c"}], "instrument": {"@id": "w"}}
    started = time.process_time()
    account = told(
        *parts,
        run,
        {"@id": "#c", "@type": "Collection", "hasPart": ids, "exampleOfWork": {"@id": "#o"}},
        {"@id": "w", "@type": "ComputationalWorkflow", "output": {"@id": "#o"}},
        {"@id": "#o", "@type": "FormalParameter", "name": "o"},
        mainEntity={"@id": "w"},
        hasPart=ids,
    )
    text = account_view(account, LOOK)
    (collection,) = account.runs[0].execution.outputs[0].items
    assert (collection.id, len(collection.parts)) == ("#c", 10_001)
    assert len(text) < 20_000
    # Ten times as many have ten times as long; what is quadratic would take hours for them.
    assert time.process_time() - started < 5


def test_very_many_steps_that_no_engine_claims_are_told_in_time() -> None:
    steps = [
        {"@id": f"#h{n}", "@type": "HowToStep", "name": f"h{n}", "position": n, "workExample": {"@id": "t"}}
        for n in range(10_000)
    ]
    ran = [{"@id": f"#a{n}", "@type": "CreateAction", "instrument": {"@id": "t"}} for n in range(10_000)]
    started = time.process_time()
    account = told(
        *steps,
        *ran,
        {"@id": "w", "@type": "ComputationalWorkflow", "step": [{"@id": one["@id"]} for one in steps]},
        {"@id": "t", "@type": "SoftwareApplication", "name": "tool"},
        {"@id": "#r", "@type": "CreateAction", "instrument": {"@id": "w"}},
        mainEntity={"@id": "w"},
    )
    assert [len(one.steps) for one in account.runs] == [10_000]
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("startTime", "31st of June"),
        ("startTime", {"a": 1}),
        ("startTime", 1e300),
        ("endTime", "0001-01-01T00:00:00+23:00"),
    ],
    ids=["text", "object", "number", "before time"],
)
def test_a_date_that_is_none_is_left_out_and_remarked_upon(name: str, wrong: Any) -> None:
    account = told({"@id": "#r", "@type": "CreateAction", name: wrong})
    execution = account.runs[0].execution
    assert (execution.started, execution.ended) == (None, None)
    assert account.remarks


def test_names_with_terminal_codes_are_shown_escaped_and_told_whole(tmp_path: Path) -> None:
    name = "\x1b]0;owned\x07\x1b[2J\u202efile\nwfexs-like: error: no"
    graph = [
        {"@id": METADATA, "@type": "CreativeWork", "about": {"@id": "./"}},
        {"@id": "./", "@type": "Dataset", "name": name, "hasPart": {"@id": "a"}},
        {"@id": "a", "@type": "File", "name": name},
        {
            "@id": "#r",
            "@type": "CreateAction",
            "name": name,
            "error": name,
            "object": {"@id": "a"},
            "description": name,
        },
    ]
    (tmp_path / METADATA).write_text(json.dumps({"@context": "", "@graph": graph}))
    app = App(environment={"HOME": str(tmp_path)}, stdout=io.StringIO(), stderr=io.StringIO())
    assert main(["report", str(tmp_path)], app) == 0
    printed = app.stdout.getvalue()  # type: ignore[attr-defined]
    assert not set(printed) & {"\x1b", "\x07", "\u202e"}
    assert not any(line.startswith("wfexs-like: error") for line in printed.splitlines())
    app = App(environment={"HOME": str(tmp_path)}, stdout=io.StringIO(), stderr=io.StringIO())
    main(["report", str(tmp_path), "--json"], app)
    assert json.loads(app.stdout.getvalue())["name"] == name  # type: ignore[attr-defined]
