"""Accounts in other words: PROV that other programs read and query, and BioCompute Objects by their standard."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rdflib import Graph

from staging.errors import NotFoundError, UsageError
from tests.support.biocompute import faults
from tests.support.prov_documents import read_prov_json, violations
from wfexs_like.converting.bco import DIGESTS_EXTENSION, biocompute_object
from wfexs_like.converting.converting import convert
from wfexs_like.reading.account import (
    Account,
    Agent,
    Execution,
    Image,
    Item,
    Parameter,
    Quantity,
    Run,
    Slot,
    Software,
    Step,
    StepRun,
    Workflow,
)

NOW = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
BEGAN = datetime(2026, 11, 1, 10, 0, tzinfo=UTC)
HOSTILE = 'a "b"\n\\c\t<d> {e} | \u202egnp.exe\x1b[31m\x00 ümläut 😀 % %zz'
ADA = Agent(id="https://orcid.org/0000-0002-1825-0097", name="Ada", affiliation="Works")
ENGINE = Software(id="pkg:pypi/cwltool@3.3", name="cwltool", version="3.3")
IMAGE = Image(id="#image", name="docker.io/tools:1", sha256="ab" * 32)
TEXT = Item(
    id="inputs/in.txt",
    kind="file",
    name="in.txt",
    path="inputs/in.txt",
    digests={"sha256": "01" * 32, "sha1": "23" * 20},
)
BETWEEN = Item(id="#between", kind="file", name="between.txt", digests={"sha256": "45" * 32})
INDEX = Item(id="out/x.bai", kind="file", name="x.bai", path="out/x.bai", digests={"sha256": "67" * 32}, size=3)
MADE = Item(id="out/x.bam", kind="file", name="x.bam", path="out/x.bam", digests={"sha256": "67" * 32}, size=3)
BOTH = Item(id="#both", kind="collection", name="x", parts=(MADE, INDEX))
LEVEL = Item(id="#level", kind="value", name="level", value=3)
DEEP = Item(id="#deep", kind="value", name="deep", value={"a": [1, None, HOSTILE]})


def parameter(identifier: str) -> Parameter:
    return Parameter(id=identifier, name=identifier.rpartition("#")[2])


def slot(identifier: str, *items: Item) -> Slot:
    found = parameter(identifier)
    return Slot(name=found.name, parameter=found, items=items)


def ran(identifier: str, second: int, tool: Software | None = None, **more: Any) -> Execution:
    settled: dict[str, Any] = {
        "status": "completed",
        "started": BEGAN + timedelta(seconds=second),
        "ended": BEGAN + timedelta(seconds=second + 1),
    }
    return Execution(id=identifier, name=f"ran {identifier}", instrument=tool, **{**settled, **more})


TR = Software(id="#software/tr", name="tr", version="9.1", address="https://www.gnu.org/software/coreutils/")
UPPER, SORT = (
    Software(id="workflow/upper.cwl", name="upper", version="1.2", programs=(TR,)),
    Software(id="workflow/sort.cwl", name="sort"),
)
MAIN = Software(id="workflow/main.cwl", name="Upper and sort", version="7")
WORKFLOW = Workflow(
    software=MAIN,
    document=Item(id="workflow/main.cwl", kind="file", name="main.cwl", digests={"sha256": "89" * 32}),
    language="CWL",
    language_version="v1.2",
    steps=(
        Step(id="workflow/main.cwl#upper", name="upper", position=0, tool=UPPER),
        Step(id="workflow/main.cwl#sort", name="sort", position=1, tool=SORT),
    ),
)
FIRST = ran(
    "#first",
    1,
    UPPER,
    inputs=(slot("workflow/upper.cwl#text", TEXT), slot("workflow/upper.cwl#level", LEVEL)),
    outputs=(slot("workflow/upper.cwl#out", BETWEEN),),
    images=(IMAGE,),
    command="tr a-z A-Z",
    exit_code=0,
    environment={"LANG": "C", "not a name": "x"},
    resources=(Quantity(name="wall-clock time", value=0.5, unit="s", property_id="https://example.org/time"),),
)
SECOND = ran(
    "#second",
    3,
    SORT,
    inputs=(slot("workflow/sort.cwl#in", BETWEEN),),
    outputs=(slot("workflow/sort.cwl#out", BOTH),),
    logs=(Item(id="log.txt", kind="file", name="log.txt"),),
)
WHOLE = ran(
    "#run",
    0,
    MAIN,
    ended=BEGAN + timedelta(seconds=9),
    agents=(ADA,),
    inputs=(slot("workflow/main.cwl#text", TEXT), slot("workflow/main.cwl#deep", DEEP)),
    outputs=(slot("workflow/main.cwl#sorted", BOTH),),
)
STEPS = (StepRun(step="upper", position=0, execution=FIRST), StepRun(step="sort", position=1, execution=SECOND))
RUN = Run(execution=WHOLE, number=2, engine=ENGINE, steps=STEPS)
ACCOUNT = Account(
    name="Upper and sort",
    description="Sorts, in capitals.",
    published="2026-11-02",
    licence="https://spdx.org/licenses/Apache-2.0",
    maker="wfexs-like 0.1.0",
    people=(ADA,),
    workflow=WORKFLOW,
    runs=(RUN,),
    data=(TEXT, MADE, INDEX),
)
PREFIXES = """
PREFIX prov: <http://www.w3.org/ns/prov#>
PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
PREFIX schema: <http://schema.org/>
PREFIX wfprov: <http://purl.org/wf4ever/wfprov#>
PREFIX wfdesc: <http://purl.org/wf4ever/wfdesc#>
PREFIX cwlprov: <https://w3id.org/cwl/prov#>
PREFIX wfrun: <https://w3id.org/ro/terms/workflow-run#>
"""


def text_of(account: Account, form: str, **more: Any) -> str:
    return "".join(convert(account, "prov", form=form, moment=NOW, **more).pieces)


def graph_of(account: Account, **more: Any) -> Graph:
    return Graph().parse(data=text_of(account, "turtle", **more), format="turtle")


def asked(graph: Graph, query: str) -> set[tuple[str, ...]]:
    return {tuple(str(one).rpartition("/")[2] for one in row) for row in graph.query(PREFIXES + query)}


def bco_of(account: Account, run: Run | None = RUN) -> tuple[dict[str, Any], tuple[str, ...]]:
    found = biocompute_object(account, run, NOW)
    document = json.loads(json.dumps(found.document))
    assert faults(document) == []
    return document, found.warnings


@pytest.fixture(scope="module")
def graph() -> Graph:
    return graph_of(ACCOUNT)


# --- PROV -------------------------------------------------------------------------------------------------------------


def test_who_ran_what_when_by_which_plan(graph: Graph) -> None:
    rows = asked(
        graph,
        """SELECT ?who ?engine ?plan ?start ?end WHERE {
             ?run a wfprov:WorkflowRun ; prov:startedAtTime ?start ; prov:endedAtTime ?end ;
                  prov:wasAssociatedWith ?person ;
                  prov:qualifiedAssociation [ prov:agent ?software ; prov:hadPlan ?plan ] .
             ?person a prov:Person ; rdfs:label ?who .
             ?software a prov:SoftwareAgent, wfprov:WorkflowEngine ; rdfs:label ?engine ;
                       prov:actedOnBehalfOf ?person . }""",
    )
    assert rows == {("Ada", "cwltool", "main.cwl", "2026-11-01T10:00:00+00:00", "2026-11-01T10:00:09+00:00")}


def test_which_step_made_a_file_as_what_with_which_tool(graph: Graph) -> None:
    rows = asked(
        graph,
        """SELECT ?file ?step ?tool WHERE {
             ?e cwlprov:basename ?file ; prov:wasGeneratedBy ?a .
             ?a a wfprov:ProcessRun ; wfprov:describedByProcess/rdfs:label ?step ;
                prov:qualifiedAssociation/prov:hadPlan/rdfs:label ?tool . }""",
    )
    assert rows == {("between.txt", "upper", "upper"), ("x.bam", "sort", "sort"), ("x.bai", "sort", "sort")}


def test_which_program_a_tool_runs(graph: Graph) -> None:
    query = """SELECT ?name ?version { ?run prov:qualifiedAssociation/prov:hadPlan ?tool . ?tool rdfs:label "upper" ;
        <http://schema.org/softwareRequirements> ?program .
        ?program rdfs:label ?name ; <http://schema.org/softwareVersion> ?version }"""
    assert asked(graph, query) == {("tr", "9.1")}


def test_what_a_run_used_and_under_which_name(graph: Graph) -> None:
    query = """SELECT ?what ?role WHERE {
        ?a a wfprov:%s ; prov:qualifiedUsage [ prov:entity ?e ; prov:hadRole/rdfs:label ?role ] .
        ?e rdfs:label ?what . }"""
    assert asked(graph, query % "WorkflowRun") == {("in.txt", "text"), ("deep", "deep")}
    assert asked(graph, query % "ProcessRun") == {
        ("in.txt", "text"),
        ("level", "level"),
        ("tools:1", "container image"),
        ("between.txt", "in"),
    }


def test_which_outputs_came_by_way_of_which_inputs(graph: Graph) -> None:
    rows = asked(
        graph,
        """SELECT ?out ?in WHERE {
             ?last a wfprov:ProcessRun . ?o prov:wasGeneratedBy ?last ; cwlprov:basename ?out .
             ?last prov:wasInformedBy*/prov:used ?i . ?i cwlprov:basename ?in }""",
    )
    assert {("x.bam", "in.txt"), ("x.bai", "in.txt"), ("between.txt", "in.txt")} <= rows
    assert ("between.txt", "x.bam") not in rows
    assert asked(graph, "SELECT ?a ?b WHERE { ?a prov:wasInformedBy ?b }") == {("#second", "#first")}


def test_files_of_the_same_bytes_are_two_entities_with_one_content(graph: Graph) -> None:
    rows = asked(
        graph,
        "SELECT ?a ?b ?sha WHERE { ?a prov:specializationOf ?c ; wfrun:sha256 ?sha . ?b prov:specializationOf ?c . }",
    )
    assert ("x.bam", "x.bai", "67" * 32) in rows
    assert not asked(graph, "SELECT ?a WHERE { ?c prov:wasGeneratedBy ?a . ?x prov:specializationOf ?c }")
    assert asked(graph, "SELECT ?m WHERE { ?c a prov:Collection ; prov:hadMember ?m }") == {("x.bam",), ("x.bai",)}


def test_values_are_told_as_they_are(graph: Graph) -> None:
    told = {str(label): value.toPython() for label, value in graph.query(
        PREFIXES + "SELECT ?n ?v WHERE { ?e prov:value ?v ; rdfs:label ?n }"
    )}  # fmt: skip
    assert told["level"] == 3
    assert json.loads(told["deep"]) == {"a": [1, None, HOSTILE]}


def test_both_forms_tell_of_the_same_things(graph: Graph) -> None:
    document = read_prov_json(text_of(ACCOUNT, "json"))
    assert violations(document) == []
    told = {one.identifier.uri for one in document.get_records() if one.is_element()}
    in_turtle = {
        str(one)
        for kind in ("Entity", "Activity", "Agent")
        for (one,) in graph.query(f"{PREFIXES} SELECT ?x WHERE {{ ?x a prov:{kind} }}")
    }
    assert told == in_turtle


def test_a_failed_run_says_so_with_its_error_and_exit_code() -> None:
    failed = replace(SECOND, status="failed", error='it failed: "no such thing"\nat all', exit_code=2, outputs=())
    whole = replace(WHOLE, status="failed", error="a step failed", outputs=())
    run = replace(RUN, execution=whole, steps=(STEPS[0], replace(STEPS[1], execution=failed)))
    account = replace(ACCOUNT, runs=(run,))
    rows = asked(
        graph_of(account), "SELECT ?a ?e WHERE { ?a schema:actionStatus schema:FailedActionStatus ; schema:error ?e }"
    )
    assert rows == {("#run", "a step failed"), ("#second", 'it failed: "no such thing"\nat all')}
    assert violations(read_prov_json(text_of(account, "json"))) == []

    document, _ = bco_of(account, run)
    assert document["error_domain"]["empirical_error"] == {
        "run": {"status": "failed", "error": "a step failed"},
        "failed_steps": [
            {"step_number": 2, "name": "sort", "status": "failed", "error": failed.error, "exit_code": 2},
        ],
    }
    assert document["description_domain"]["pipeline_steps"][1]["description"] == "Ran sort; it failed with exit code 2."


def test_nobody_is_made_up_for_those_who_are_not_stated() -> None:
    nobody = Agent(id="#not-stated", name="not stated")
    step = StepRun(step="upper", position=0, execution=replace(FIRST, agents=(nobody,)))
    run = replace(RUN, execution=replace(WHOLE, agents=(nobody,)), steps=(step,))
    account = replace(ACCOUNT, people=(nobody,), runs=(run,))
    assert "not stated" not in text_of(account, "turtle")
    contributors = bco_of(account, account.runs[0])[0]["provenance_domain"]["contributors"]
    assert contributors == [{"contribution": ["createdWith"], "name": "wfexs-like 0.1.0"}]


def test_one_run_is_told_by_its_number() -> None:
    other = Run(execution=ran("#other", 100, MAIN), number=5)
    account = replace(ACCOUNT, runs=(RUN, other))
    assert len(asked(graph_of(account), "SELECT ?a WHERE { ?a a wfprov:WorkflowRun }")) == 2
    assert asked(graph_of(account, run=5), "SELECT ?a WHERE { ?a a wfprov:WorkflowRun }") == {("#other",)}
    with pytest.raises(NotFoundError, match="no run 1"):
        text_of(account, "turtle", run=1)
    with pytest.raises(UsageError, match="turtle"):
        convert(account, "bco", form="turtle", moment=NOW)


# --- names from anywhere ----------------------------------------------------------------------------------------------


def test_a_hostile_name_stays_a_text_and_its_address_is_ascii() -> None:
    item = replace(TEXT, id=HOSTILE, name=HOSTILE, path=HOSTILE)
    account = replace(ACCOUNT, runs=(replace(RUN, execution=replace(WHOLE, inputs=(slot("x#y", item),)), steps=()),))
    turtle = text_of(account, "turtle")
    assert not any(one < " " and one != "\n" for one in turtle)
    assert "\u202e" not in turtle
    told = {str(name): str(one) for one, name in graph_of(account).query(
        PREFIXES + "SELECT ?e ?n WHERE { ?e cwlprov:basename ?n }"
    )}  # fmt: skip
    assert told[HOSTILE].isascii()
    assert unquote(told[HOSTILE]).endswith(HOSTILE)
    records = read_prov_json(text_of(account, "json")).get_records()
    assert HOSTILE in {str(one.label) for one in records if one.is_element()}
    document, _ = bco_of(account, account.runs[0])
    assert document["io_domain"]["input_subdomain"][0]["uri"]["filename"] == HOSTILE


ODD = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        [HOSTILE, "", "/", "./", "#", "##", "_:b", "//h/x", "a:", "a:b", "../x", "x/./y", "\ud800", "[", "?"]
    ),
)
MOMENTS = st.none() | st.datetimes(
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=23, minutes=59, seconds=7))])
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ODD,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(ODD, inner, max_size=2),
    max_leaves=4,
)
LEAVES = st.builds(
    Item,
    id=ODD,
    kind=st.sampled_from(["file", "folder", "collection", "value", "other"]),
    name=ODD,
    path=st.none() | ODD,
    address=st.none() | ODD | st.just("https://ada:secret@[::1/x y"),
    value=JSON,
    digests=st.dictionaries(st.sampled_from(["sha256", "sha1", "md5"]), ODD, max_size=2),
    size=st.none() | st.integers(min_value=0),
    media_type=st.none() | ODD,
)
ITEMS = LEAVES | st.builds(replace, LEAVES, parts=st.lists(LEAVES, max_size=2).map(tuple))
PARAMETERS = st.builds(Parameter, id=ODD, name=ODD)
SLOTS = st.lists(
    st.builds(Slot, name=ODD, parameter=st.none() | PARAMETERS, items=st.lists(ITEMS, max_size=2).map(tuple)),
    max_size=2,
).map(tuple)
SOFTWARE = st.builds(Software, id=ODD, name=ODD, version=st.none() | ODD, address=st.none() | ODD)
AGENTS = st.lists(st.builds(Agent, id=ODD | st.just("https://orcid.org/ x\n"), name=ODD), max_size=1).map(tuple)
EXECUTIONS = st.builds(
    Execution,
    id=ODD,
    name=ODD,
    status=st.sampled_from(["completed", "failed", "active", "potential", "unknown"]),
    instrument=st.none() | SOFTWARE,
    started=MOMENTS,
    ended=MOMENTS,
    error=st.none() | ODD,
    command=st.none() | ODD,
    exit_code=st.none() | st.integers(),
    agents=AGENTS,
    inputs=SLOTS,
    outputs=SLOTS,
    images=st.lists(st.builds(Image, id=ODD, name=ODD, sha256=st.none() | ODD), max_size=1).map(tuple),
    resources=st.lists(
        st.builds(Quantity, name=ODD, value=JSON, unit=st.none() | ODD, property_id=st.none() | ODD), max_size=1
    ).map(tuple),
    environment=st.dictionaries(ODD, ODD, max_size=1),
)
STEP_RUNS = st.builds(StepRun, step=ODD, position=st.none() | st.integers(), execution=EXECUTIONS)
RUNS = st.builds(
    Run,
    execution=EXECUTIONS,
    engine=st.none() | SOFTWARE,
    steps=st.lists(STEP_RUNS, max_size=2).map(tuple),
)
WORKFLOWS = st.builds(
    Workflow,
    software=SOFTWARE,
    document=st.none() | ITEMS,
    language=st.none() | ODD,
    steps=st.lists(st.builds(Step, id=ODD, name=ODD, tool=st.none() | SOFTWARE), max_size=1).map(tuple),
)
ACCOUNTS = st.builds(
    Account,
    name=st.none() | ODD,
    description=st.none() | ODD,
    licence=st.none() | ODD,
    maker=st.none() | ODD,
    people=AGENTS,
    workflow=st.none() | WORKFLOWS,
    runs=st.lists(RUNS, max_size=1).map(tuple),
)


@given(ACCOUNTS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_whatever_a_crate_tells_others_can_read_what_is_made_of_it(account: Account) -> None:
    turtle, told = text_of(account, "turtle"), text_of(account, "json")
    turtle.encode()
    assert len(Graph().parse(data=turtle, format="turtle")) > 0
    assert all(one.isascii() for one in json.loads(told)["prefix"].values())
    json.dumps(json.loads(told), ensure_ascii=False).encode()
    read_prov_json(told)
    bco_of(account, account.runs[0] if account.runs else None)


# --- BioCompute Objects -----------------------------------------------------------------------------------------------


def test_a_biocompute_object_tells_of_the_run() -> None:
    document, warnings = bco_of(ACCOUNT)
    first, second = document["description_domain"]["pipeline_steps"]
    assert (first["step_number"], first["name"], first["version"]) == (1, "upper", "1.2")
    assert first["description"] == "Ran upper (tr 9.1); it completed. Command line: tr a-z A-Z"
    assert [one["filename"] for one in first["input_list"]] == ["in.txt"]
    assert first["input_list"][0]["sha1_checksum"] == "23" * 20
    assert first["prerequisite"][0]["name"] == "docker.io/tools:1"
    assert "version" not in second
    assert [one["uri"]["filename"] for one in document["io_domain"]["output_subdomain"]] == ["x.bam", "x.bai"]
    assert {(one["param"], one["value"], one["step"]) for one in document["parametric_domain"]} == {
        ("deep", json.dumps(DEEP.value, ensure_ascii=False), "workflow"),
        ("level", "3", "1"),
    }
    execution = document["execution_domain"]
    assert execution["script_driver"] == "cwltool"
    assert execution["script"][0]["uri"]["filename"] == "main.cwl"
    assert {(one["name"], one["version"]) for one in execution["software_prerequisites"]} == {
        ("cwltool", "3.3"),
        ("upper", "1.2"),
        ("tr", "9.1"),
        ("sort", "not stated"),
        ("docker.io/tools:1", "sha256:" + "ab" * 32),
    }
    assert execution["environment_variables"] == {"LANG": "C"}
    assert any("'not a name'" in one for one in warnings)
    assert any("the version of sort" in one for one in warnings)
    (ada, maker) = document["provenance_domain"]["contributors"]
    assert (ada["contribution"], ada["orcid"]) == (["authoredBy", "createdBy"], ADA.id)
    assert maker["contribution"] == ["createdWith"]


def test_the_etag_is_of_all_but_the_head() -> None:
    document, _ = bco_of(ACCOUNT)
    body = {key: value for key, value in document.items() if key not in ("object_id", "spec_version", "etag")}
    assert document["etag"] == hashlib.sha256(json.dumps(body).encode()).hexdigest()
    assert document["object_id"].startswith("urn:uuid:")
    assert bco_of(replace(ACCOUNT, name="another"))[0]["object_id"] != document["object_id"]


def test_digests_are_in_an_extension_whose_address_is_its_schema() -> None:
    from jsonschema import Draft7Validator

    document, _ = bco_of(ACCOUNT)
    (extension,) = document["extension_domain"]
    assert extension["extension_schema"] == DIGESTS_EXTENSION
    schema = json.loads(unquote(DIGESTS_EXTENSION.partition(",")[2]))
    assert list(Draft7Validator(schema).iter_errors(extension)) == []
    told = {one["uri"]: one["sha256"] for one in extension["digests"]}
    output = document["io_domain"]["output_subdomain"][0]["uri"]["uri"]
    assert told[output] == "67" * 32


def test_what_a_crate_does_not_tell_is_said_to_be_not_stated() -> None:
    document, warnings = bco_of(Account(name=None), None)
    provenance = document["provenance_domain"]
    assert (provenance["name"], provenance["license"]) == ("not stated", "not stated")
    assert document["execution_domain"]["script_driver"] == "not stated"
    assert (document["usability_domain"], provenance["contributors"]) == ([], [])
    for what in ("its name", "its licence", "what engine ran it", "of no run"):
        assert any(what in one for one in warnings), what


def test_where_inputs_came_from_is_told_without_anybody_s_password() -> None:
    far = Item(id="#far", kind="file", name="far", address="https://ada:secret@example.org:8443/d/far.txt?x=1")
    run = replace(RUN, execution=replace(WHOLE, inputs=(slot("x#y", far),)), steps=())
    document, _ = bco_of(ACCOUNT, run)
    assert document["execution_domain"]["external_data_endpoints"] == [
        {"name": "example.org", "url": "https://example.org:8443"}
    ]


# --- size -------------------------------------------------------------------------------------------------------------


def test_many_outputs_are_told_in_time_that_grows_with_their_number_alone() -> None:
    def spent(count: int) -> float:
        items = tuple(
            Item(id=f"o/{n}", kind="file", name=f"{n}", path=f"o/{n}", digests={"sha256": f"{n:064x}"})
            for n in range(count)
        )
        execution = replace(WHOLE, outputs=(slot("workflow/main.cwl#all", *items),))
        account = replace(ACCOUNT, runs=(replace(RUN, execution=execution),))
        began = time.process_time()
        for standard, form in (("prov", "turtle"), ("prov", "json"), ("bco", "json")):
            for _ in convert(account, standard, form=form, moment=NOW).pieces:
                pass
        return time.process_time() - began

    # Three conversions; a hundred thousand take ten times as long.
    assert spent(10_000) < 6
