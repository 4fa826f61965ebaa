"""What a reader learns from the crates of other makers (tests/data/crates)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from wfexs_like.reading.account import Account, Run
from wfexs_like.reading.contents import Contents
from wfexs_like.reading.metadata import parse_metadata
from wfexs_like.reading.recount import read_account, recount

CRATES = Path(__file__).parents[1] / "data" / "crates"


def account_of(name: str) -> Account:
    return recount(parse_metadata((CRATES / f"{name}.json").read_bytes()), None)


def only_run(account: Account) -> Run:
    (run,) = account.runs
    return run


def filled(run: Run) -> dict[str, list[Any]]:
    slots = (*run.execution.inputs, *run.execution.outputs)
    return {slot.name: [one.value if one.kind == "value" else one.name for one in slot.items] for slot in slots}


WHO_WHEN_WHAT: list[tuple[Any, ...]] = [
    # file, who ran it, when it ended, status, workflow, language, engine, steps planned, steps run, images
    ("wrroc-process-0.6", ["Stian Soiland-Reyes"], "2024-05-17T00:04:52", "unknown", None, None, None, 0, 0, []),
    (
        "wrroc-workflow-0.6",
        [],
        "2018-09-19T07:01:07",
        "unknown",
        "Hello World (Galaxy Workflow)",
        ("Galaxy", None),
        None,
        0,
        0,
        [],
    ),
    (
        "wrroc-provenance-0.6",
        ["Stian Soiland-Reyes"],
        "2018-10-25T15:46:43.020168",
        "unknown",
        "packed.cwl",
        ("Common Workflow Language", "v1.0"),
        ("cwltool", "1.0.20181012180214"),
        2,
        2,
        [],
    ),
    (
        "runcrate-0.1",
        [],
        "2018-10-25T15:46:43.020168",
        "unknown",
        "packed.cwl",
        ("Common Workflow Language", "v1.0"),
        None,
        0,
        2,
        [],
    ),
    ("nextflow-trace-0.1", [], None, "unknown", "tutorial", ("Nextflow", "21.10"), None, 0, 3, []),
    (
        "autosubmit-0.1",
        ["Bruno P. Kinoshita"],
        "2023-06-06T15:53:35",
        "completed",
        "workflow",
        ("Autosubmit", "4.0.0b"),
        None,
        0,
        0,
        [],
    ),
    (
        "compss-1.1",
        ["Natalia Poiata"],
        "2023-01-17T16:06:26",
        "completed",
        "btbb_continuous.py",
        ("COMPSs Programming Model", "3.2"),
        None,
        0,
        0,
        [],
    ),
    (
        "sapporo-0.5",
        [],
        "2026-02-19T09:11:50",
        "completed",
        "trimming_and_qc.cwl",
        ("Common Workflow Language", "1.0"),
        ("cwltool", None),
        0,
        0,
        ["quay.io/commonwl/cwltool:3.1.20260108082145"],
    ),
    (
        "streamflow-0.1",
        [],
        "2024-02-01T09:59:10.500000",
        "failed",
        "main.cwl",
        ("Common Workflow Language", "v1.2"),
        ("StreamFlow", "0.2.0.dev11"),
        1,
        2,
        [],
    ),
    (
        "nf-prov-0.1",
        [],
        "2025-06-01T10:01:00",
        "unknown",
        "rnaseq-nf",
        ("Nextflow", "25.04.2"),
        ("Nextflow", "25.04.2"),
        1,
        2,
        [],
    ),
    (
        "galaxy-0.1",
        [],
        "2025-03-02T08:09:00",
        "unknown",
        "Trim",
        ("Galaxy", None),
        ("Galaxy workflow engine", None),
        2,
        0,
        [],
    ),
]


@pytest.mark.parametrize("told", WHO_WHEN_WHAT, ids=[row[0] for row in WHO_WHEN_WHAT])
def test_who_ran_what_when_and_by_which_engine(told: tuple[Any, ...]) -> None:
    name, who, ended, status, workflow, language, engine, planned, ran, images = told
    account = account_of(name)
    run = only_run(account)
    assert [one.name for one in run.execution.agents] == who
    assert run.execution.ended == (None if ended is None else datetime.fromisoformat(ended).replace(tzinfo=UTC))
    assert run.execution.status == status
    assert (account.workflow.software.name if account.workflow else None) == workflow
    written = (account.workflow.language, account.workflow.language_version) if account.workflow else None
    assert written == language
    assert ((run.engine.name, run.engine.version) if run.engine else None) == engine
    assert len(account.workflow.steps if account.workflow else ()) == planned
    assert len(run.steps) == ran
    assert [one.name for one in run.execution.images] == images


def test_a_process_run_has_the_command_that_ran_and_its_program() -> None:
    account = account_of("wrroc-process-0.6")
    execution = only_run(account).execution
    assert execution.command == r"convert -sepia-tone 80% pics/2017-06-11\ 12.56.14.jpg pics/sepia_fence.jpg"
    assert execution.instrument is not None
    assert (execution.instrument.name, execution.instrument.version) == ("ImageMagick", "6.9.7-4")
    (item,) = execution.inputs[0].items
    assert (execution.inputs[0].parameter, item.path) == (None, "pics/2017-06-11 12.56.14.jpg")
    assert "there is no workflow" in account.missing
    assert "no file has a digest" in account.missing


def test_what_filled_which_parameter() -> None:
    assert filled(only_run(account_of("wrroc-workflow-0.6"))) == {
        "simple_input": ["abcdef.txt"],
        "verbose": ["True"],
        "reversed": ["tac_on_data_360_1 (output)"],
        "last_lines": ["Select_first_on_data_1_2 (output)"],
    }
    assert filled(only_run(account_of("runcrate-0.1"))) == {
        "input": ["whale.txt"],
        "reverse_sort": ["True"],
        "output": ["output.txt"],
    }
    assert filled(only_run(account_of("galaxy-0.1"))) == {"reads": ["a.fastq"], "trimmed": ["trimmed"]}


def test_steps_are_named_by_the_workflow_and_have_their_times() -> None:
    steps = only_run(account_of("wrroc-provenance-0.6")).steps
    assert [(one.step, one.position, one.execution.seconds) for one in steps] == [
        ("rev", 0, pytest.approx(1.653258)),
        ("sorted", 1, pytest.approx(1.093875)),
    ]
    assert [one.name for one in steps[1].execution.agents] == ["Stian Soiland-Reyes"], "who started the engine"


def test_attempts_at_a_step_are_told_apart_by_their_status() -> None:
    steps = only_run(account_of("streamflow-0.1")).steps
    assert [(one.step, one.execution.status) for one in steps] == [("upper", "failed"), ("upper", "completed")]
    failed = only_run(account_of("nf-prov-0.1")).steps[1]
    assert (failed.execution.status, failed.execution.error) == ("failed", "no such file")
    assert failed.execution.instrument is not None
    assert [one.name for one in failed.execution.instrument.programs] == ["fastqc"]


def test_quantities_have_the_signs_of_their_units() -> None:
    step = only_run(account_of("nextflow-trace-0.1")).steps[0]
    told = [(one.name, one.value, one.unit) for one in step.execution.resources]
    assert told == [("realTime", 5, "ms"), ("percentCPU", 66.7, None), ("rChar", 145813, "B")]


def test_images_that_are_told_as_programs_are_images() -> None:
    account = account_of("wfexs-0.2")
    assert account.maker == "WfExS-backend 0.9.3-95-g122eb68"
    (image,) = account.runs[0].execution.images
    assert image.name == "tsenit/cosifer:b4d5af45d2fc54b6bff2a9153a8e9054e560302e"
    assert image.sha256 == "61e445ec73d54f9b389688eb3d9671a62b1d5e7b5cd5b7497a7683cc13a9e187"
    assert [(run.engine.name, run.engine.version) for run in account.runs if run.engine] == [
        ("nextflow", "19.10.0.5169")
    ] * 2
    assert account.workflow is not None
    assert account.workflow.source == "trs://workflowhub.eu/119/1"


def test_data_that_lie_elsewhere_have_their_address_and_are_not_missed() -> None:
    account = account_of("compss-1.1")
    (item,) = only_run(account).execution.inputs[0].items
    assert item.address == "file://s06r2b01-ib0/gpfs/scratch/layer.P.ST001.time.hdr"
    assert [one.name for slot in only_run(account).execution.outputs for one in slot.items] == ["FIG2.png"], (
        "the crate itself, which COMPSs counts among the results, is none"
    )
    assert account.workflow is not None
    assert account.workflow.diagram is not None
    assert (account.workflow.diagram.path, account.workflow.diagram.media_type) == (
        "complete_graph.svg",
        "image/svg+xml",
    )


def test_what_is_neither_a_run_nor_a_step_is_a_remark() -> None:
    assert any("publish" in one for one in account_of("nf-prov-0.1").remarks)


def test_times_without_a_zone_are_remarked_upon() -> None:
    assert account_of("runcrate-0.1").remarks == ("times without a zone are taken as UTC",)
    assert account_of("sapporo-0.5").remarks == ()


def test_an_old_crate_in_which_nothing_ran(tmp_path: Path) -> None:
    metadata = (CRATES / "plain-1.0.json").read_bytes()
    (tmp_path / "ro-crate-metadata.jsonld").write_bytes(metadata)
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "one.jpg").write_bytes(b"x")
    account = read_account(tmp_path)
    assert (account.name, account.maker, account.runs, account.workflow) == (
        "Old pictures",
        "Describo 0.13.0",
        (),
        None,
    )
    assert [(one.name, one.affiliation) for one in account.people] == [("Grace Hopper", "Navy"), ("Ada Lovelace", None)]
    assert {one.id: (one.kind, one.present, len(one.parts)) for one in account.data} == {
        "pictures/": ("folder", True, 1),
        "pictures/one.jpg": ("file", True, 0),
    }
    assert "nothing is told of a run" in account.missing


@pytest.mark.parametrize("name", sorted(path.stem for path in CRATES.glob("*.json")))
def test_files_that_are_not_there_are_missed_by_name(name: str) -> None:
    metadata = parse_metadata((CRATES / f"{name}.json").read_bytes())
    account = recount(metadata, Contents())
    absent = {one.path for one in account.data if one.path}
    assert {f"{one} is not in the crate" for one in absent} <= set(account.missing)
    assert not any("is not in the crate" in one for one in recount(metadata, None).missing)


def test_versions_and_schemes_of_terms_make_no_difference() -> None:
    text = (CRATES / "wrroc-provenance-0.6.json").read_text()
    text = text.replace('"@type": "CreateAction"', '"@type": "http://schema.org/CreateAction"')
    text = text.replace('"packed.cwl"', '"./packed.cwl"', 1).replace('"instrument"', '"schema:instrument"')
    graph = json.loads(text)
    expected, found = account_of("wrroc-provenance-0.6"), recount(parse_metadata(json.dumps(graph).encode()), None)
    assert (found.runs, found.workflow) == (expected.runs, expected.workflow)


def test_variables_are_told_as_entities_or_as_texts() -> None:
    graph = [
        {"@id": "ro-crate-metadata.json", "about": {"@id": "./"}},
        {"@id": "./", "@type": "Dataset"},
        {
            "@id": "#r",
            "@type": "CreateAction",
            "environment": [{"@id": "#v"}, "COMPSS_HOME=/apps/COMPSs/3.2/", "DEBUG"],
        },
        {"@id": "#v", "@type": "PropertyValue", "name": "NODES", "value": 4},
    ]
    account = recount(parse_metadata(json.dumps({"@graph": graph}).encode()), None)
    assert only_run(account).execution.environment == {"NODES": "4", "COMPSS_HOME": "/apps/COMPSs/3.2/", "DEBUG": ""}


def of_ours(*actions: dict[str, Any]) -> Account:
    """A crate of this software, whose only tool asks for an image."""
    graph: list[dict[str, Any]] = [
        {"@id": "ro-crate-metadata.json", "@type": "CreativeWork", "about": {"@id": "./"}},
        {
            "@id": "./",
            "@type": "Dataset",
            "author": [{"@id": "#person/Ada"}, {"@id": "https://orcid.org/1"}, {"@id": "#person/Ben"}],
            "mainEntity": {"@id": "w"},
            "mentions": [{"@id": "#wfexs-like"}, *({"@id": one["@id"]} for one in actions)],
        },
        {"@id": "#wfexs-like", "@type": "SoftwareApplication", "name": "wfexs-like", "version": "1"},
        {"@id": "w", "@type": "ComputationalWorkflow", "author": {"@id": "#organisation/Ben"}, "hasPart": {"@id": "t"}},
        {"@id": "t", "@type": "SoftwareApplication", "name": "tool", "softwareRequirements": {"@id": "#image"}},
        {"@id": "#image", "@type": "ContainerImage", "name": "tools", "tag": "1"},
        {"@id": "https://orcid.org/1", "@type": "Person", "name": "Ada"},
        {"@id": "#person/Ada", "@type": "Person", "name": "Ada"},
        {"@id": "#person/Ben", "@type": "Person", "name": "Ben"},
        {"@id": "#organisation/Ben", "@type": "Organization", "name": "Ben"},
    ]
    context = "https://w3id.org/ro/crate/1.1/context"
    document = {"@context": context, "@graph": [*graph, *({"@type": "CreateAction", **one} for one in actions)]}
    return recount(parse_metadata(json.dumps(document).encode()), None)


def test_an_image_that_a_tool_asks_for_is_not_told_as_used_where_it_was_not() -> None:
    run, step = {"@id": "#r", "instrument": {"@id": "w"}}, {"@id": "#s", "instrument": {"@id": "t"}}
    bare = of_ours(run, step)
    assert (bare.images, [one.execution.images for one in bare.runs]) == ((), [()])
    assert bare.remarks[-1] == "no step ran in a container of what the workflow names: tools:1"
    boxed = of_ours(run, {**step, "containerImage": {"@id": "#image"}})
    assert [one.name for one in boxed.images] == ["tools:1"]
    assert not any("no step ran" in one for one in boxed.remarks)
    assert [one.name for one in of_ours().images] == ["tools:1"]


def test_who_is_described_twice_is_one() -> None:
    assert [(one.id, one.name) for one in of_ours().people] == [
        ("https://orcid.org/1", "Ada"),
        ("#person/Ben", "Ben"),
    ]
