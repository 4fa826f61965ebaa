"""Crates tell every step of a run: what ran, in which order, on what, how it ended and what it used."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from engines.base import FormalParameter, Step, Tool
from engines.execution import Status, StepRun
from staging.plan import Role
from tests.conftest import ORACLE, ROOT, Command
from tests.flow.test_crates import export, sound, texts_of
from tests.support.converted import converted
from tests.support.crates import Workdir, empty_workdir, entities_of, ids, is_golden, many, usual_workdir
from tests.support.nextflow_runs import wait_for
from tests.support.scores import CONFIGURATION, IMAGES, judge, published, unanswered
from wfexs_like.crate.subject import CrateSubject
from wfexs_like.crate.validation import KNOWN, SHARED

EXAMPLES = ROOT / "workflow_examples"
GOLDEN = ROOT / "tests" / "golden" / "crate-steps.json"
PROVENANCE = "https://w3id.org/ro/wfrun/provenance/0.5"
UNENDED = "process-run-crate-0.5_8.4"
Entities = dict[str, dict[str, Any]]

ENGINES = [
    pytest.param("word-count", marks=pytest.mark.cwltool),
    pytest.param("word-count-nextflow", marks=pytest.mark.nextflow),
]


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def told(wfexs: Command, stage_file: Path, crate: Path, *, fails: bool = False) -> tuple[dict[str, Any], Entities]:
    """Stage, run and export; what the run said of itself, and the entities of its crate, which is valid."""
    staged = wfexs.ok("stage", stage_file)
    run = wfexs("run", staged["id"])
    assert (run.code == 0) is not fails, run.object
    wfexs.ok("crate", staged["id"], crate, "--retrospective", "--no-validate")
    validated = wfexs.ok("validate", crate)
    assert validated["profile"] == "provenance-run-crate-0.5"
    assert {one["check"] for one in validated["issues"]} <= {KNOWN, SHARED}
    return wfexs.ok("show", staged["id"])["runs"][0], entities_of(crate)


def of_type(entities: Entities, kind: str) -> list[dict[str, Any]]:
    return [one for one in entities.values() if kind in many(one["@type"])]


def attempts(entities: Entities) -> dict[str, dict[str, Any]]:
    """The actions of tools, by name without the run."""
    workflow = entities["./"]["mainEntity"]
    found = (*of_type(entities, "CreateAction"), *of_type(entities, "ActivateAction"))
    return {one["name"].partition(" in run")[0]: one for one in found if one["instrument"] != workflow}


def links(entities: Entities) -> set[tuple[str, str]]:
    """The connections, as pairs of the last parts of parameters' @ids, each told by somebody."""
    found = of_type(entities, "ParameterConnection")
    holders = {one for entity in entities.values() for one in ids(entity.get("connection"))}
    assert holders == {one["@id"] for one in found}
    return {
        (one["sourceParameter"]["@id"].rpartition("/")[2], one["targetParameter"]["@id"].rpartition("/")[2])
        for one in found
    }


def steps_in_order(entities: Entities) -> list[str]:
    return [one["name"] for one in sorted(of_type(entities, "HowToStep"), key=lambda one: int(one["position"]))]


# --- real engines -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("example", ENGINES)
def test_both_engines_tell_steps_tools_times_usage_and_what_went_from_one_to_the_next(
    example: str, wfexs: Command, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if "nextflow" in example:
        request.getfixturevalue("nextflow")
    run, entities = told(wfexs, EXAMPLES / example / f"{example}.wfex.stage", tmp_path / "crate")

    assert len(wfexs.ok("verify", tmp_path / "crate")["crate"]["runs"]) == 1
    assert PROVENANCE in ids(entities["./"]["conformsTo"])
    main = entities[entities["./"]["mainEntity"]["@id"]]
    assert "HowTo" in main["@type"]
    assert [one.lower() for one in steps_in_order(entities)] == ["split", "count"]
    split, count = (attempts(entities)[one["name"]] for one in run["steps"])
    for action, step in ((split, run["steps"][0]), (count, run["steps"][1])):
        assert (action["startTime"], action["endTime"]) == (step["started"], step["ended"])
        assert action["actionStatus"].endswith("CompletedActionStatus")
        assert action["@id"] in ids(entities["./"]["mentions"])
        assert ids(main["hasPart"]).count(action["instrument"]["@id"]) == 1
        used = {entities[one]["name"]: entities[one] for one in ids(action["resourceUsage"])}
        assert used["wall-clock time"]["unitCode"] == "https://qudt.org/vocab/unit/SEC"
        assert used["processor time"]["value"] >= 0
        assert used["bytes read"]["value"] > 800 if action is split else used["bytes written"]["value"] > 1000
        assert {"bytes read from storage", "bytes written to storage"} <= used.keys()
        assert all(one["propertyID"].startswith("https://") for one in used.values())
        assert "containerImage" not in action
    assert "tr --complement --squeeze-repeats" in split["description"]
    between = entities[split["result"]["@id"]]
    assert count["object"] == split["result"]
    assert between["@id"].startswith("#intermediate/1/")
    assert between["name"] == "words.txt"
    assert "not in this crate" in between["description"]
    text = (EXAMPLES / "word-count" / "text.txt").read_bytes()
    words = re.sub(rb"[^A-Za-z]+", b"\n", text)
    assert (between["sha256"], between["contentSize"]) == (hashlib.sha256(words).hexdigest(), str(len(words)))
    assert count["result"]["@id"].endswith("/counts.txt")
    assert (tmp_path / "crate" / count["result"]["@id"]).is_file()

    (organize,) = of_type(entities, "OrganizeAction")
    assert entities[organize["instrument"]["@id"]]["version"]
    machine = {entities[one]["name"]: entities[one] for one in ids(organize["additionalProperty"])}
    assert machine["processor architecture"]["value"] == os.uname().machine
    assert machine["memory"]["value"] == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert {"processor cores", "kernel", "operating system"} <= machine.keys()
    assert all(one["propertyID"].startswith("https://") for one in machine.values())
    assert os.uname().nodename not in str(machine)
    engine = entities[organize["instrument"]["@id"]]
    assert engine["operatingSystem"] == machine["operating system"]["value"]
    assert engine["runtimePlatform"].startswith(
        "Java " if "nextflow" in example else f"Python {sys.version.split()[0]}"
    )
    assert entities[organize["result"]["@id"]]["instrument"] == entities["./"]["mainEntity"]

    made, bco = converted(tmp_path / "crate")
    names = [one["name"].partition(" ")[0] for one in run["steps"]]
    assert made == {(names[0], "text.txt", "words.txt"), (names[1], "words.txt", "counts.txt")}
    assert [one["name"] for one in bco["description_domain"]["pipeline_steps"]] == names
    assert [one["uri"]["filename"] for one in bco["io_domain"]["output_subdomain"]] == ["counts.txt"]
    controls = [entities[one] for one in ids(organize["object"])]
    assert [one["object"] for one in controls] == [{"@id": split["@id"]}, {"@id": count["@id"]}]
    assert [entities[one["instrument"]["@id"]]["@type"] for one in controls] == ["HowToStep"] * 2

    slots = {slot for one in (split, count) for slot in ids(entities[one["instrument"]["@id"]]["input"])}
    text = entities[split["object"]["@id"]]
    assert set(ids(text["exampleOfWork"])) == {f"{main['@id']}#text", *slots & set(ids(text["exampleOfWork"]))}
    assert len(ids(text["exampleOfWork"])) == 2
    tool = entities[split["instrument"]["@id"]]
    assert tool["processorRequirements"] == "1 core"
    assert tool["memoryRequirements"] == "256 MiB"
    assert tool["storageRequirements"] == ("1 GiB" if "nextflow" in example else "2 GiB")
    if "nextflow" not in example:
        assert entities[split["environment"]["@id"]]["value"] == "C"
        assert entities[tool["mainEntity"]["@id"]]["name"] == "tr"
    assert len(of_type(entities, "ParameterConnection")) == 3
    assert len(links(entities)) == 3


@pytest.mark.cwltool
@pytest.mark.git
@pytest.mark.variants
def test_variant_calling_is_told_with_its_programs_its_collections_and_all_its_links(
    wfexs: Command, tmp_path: Path
) -> None:
    shutil.copytree(EXAMPLES / "variant-calling", tmp_path / "variant-calling")
    with published(tmp_path / "variant-calling" / "variant-calling.wfex.stage", tmp_path) as stage_file:
        _, entities = told(wfexs, stage_file, tmp_path / "crate")
    judge(wfexs, "last", tmp_path, containers=False)
    # Without the switch the validator's shape is met, and the files are about the engine's action.
    assert unanswered(tmp_path / "crate") == {IMAGES, CONFIGURATION}
    again = ("--retrospective", "--engine-configuration", "--no-validate", "--wrroc", "0.6")
    wfexs.ok("crate", "last", tmp_path / "second", *again)
    assert unanswered(tmp_path / "second") == {IMAGES}

    order = steps_in_order(entities)
    assert set(order) == {"unpack", "build_index", "index_fasta", "align", "sort", "pile_up", "call"}
    assert order.index("build_index") < order.index("align") < order.index("sort") < order.index("pile_up")
    tool = entities[attempts(entities)["build_index"]["instrument"]["@id"]]
    program = entities[tool["mainEntity"]["@id"]]
    assert (program["name"], program["identifier"]) == ("bowtie2", "https://bio.tools/bowtie2")
    assert program["url"] == "https://bowtie-bio.sourceforge.net/bowtie2/"
    assert program["codeRepository"] == "https://github.com/BenLangmead/bowtie2"
    assert ids(program["license"]) == ["https://spdx.org/licenses/GPL-3.0-or-later"]
    assert ids(program["citation"]) == ["https://doi.org/10.1038/nmeth.1923"]
    workflow = entities["workflow/main.cwl"]
    assert "read mapping" in workflow["keywords"]
    assert workflow["codeRepository"].startswith("http://127.0.0.1:")
    assert entities["workflow/main.cwl#align"]["buildInstructions"] == {"@id": "workflow/tools/Dockerfile"}
    indexed = entities[attempts(entities)["index_fasta"]["result"]["@id"]]
    assert indexed["@type"] == "Collection"
    assert [entities[one]["name"] for one in ids(indexed["hasPart"])] == ["lambda_virus.fa", "lambda_virus.fa.fai"]
    assert indexed["@id"] in ids(attempts(entities)["pile_up"]["object"])
    sorted_ = entities[ids(attempts(entities)["sort"]["result"])[0]]
    assert {one.rpartition("/")[2] for one in ids(sorted_["exampleOfWork"])} >= {
        "main.cwl#alignments",
        "samtools-sort.cwl#sorted",
    }
    assert len(links(entities)) == 17
    picture = entities[entities["workflow/main.cwl"]["image"]["@id"]]
    assert set(picture["@type"]) == {"File", "ImageObject"}
    drawn = ElementTree.parse(tmp_path / "crate" / picture["@id"])
    words = {one.text for one in drawn.iter("{http://www.w3.org/2000/svg}text")}
    assert {*order, "reference", "variants", "bowtie2"} <= words
    assert len(list(drawn.iter("{http://www.w3.org/2000/svg}rect"))) == 7 + 6 + 3
    usage = {one["name"] for one in map(entities.get, ids(attempts(entities)["align"]["resourceUsage"])) if one}
    assert "peak resident memory" in usage


@pytest.mark.cwltool
@pytest.mark.variants
@pytest.mark.oracle
def test_runcrate_reports_every_step_and_runs_the_workflow_of_a_crate_again_to_the_same_bytes(
    wfexs: Command, tmp_path: Path
) -> None:
    staged = wfexs.ok("stage", EXAMPLES / "variant-calling" / "variant-calling.wfex.stage")
    wfexs.ok("run", staged["id"])
    wfexs.ok("crate", staged["id"], tmp_path / "crate", "--retrospective", "--include", "all", "--no-validate")

    report = subprocess.run(
        [str(ORACLE), "report", str(tmp_path / "crate")], capture_output=True, text=True, check=True
    )
    assert report.stdout.count("action: #") == 1 + 7
    assert "step: workflow/main.cwl#index_fasta" in report.stdout
    assert "lambda_virus.fa <- workflow/tools/samtools-faidx.cwl#sequences" in report.stdout

    engine = tmp_path / "cwltool"
    engine.write_text(f'#!/bin/sh\nexec {Path(sys.executable).with_name("cwltool")} --no-container "$@"\n')
    engine.chmod(0o755)
    (tmp_path / "again").mkdir()

    argv = [str(ORACLE), "run", "--executable", str(engine), str(tmp_path / "crate")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=tmp_path / "again")

    assert done.returncode == 0, done.stderr
    again, first = tmp_path / "again" / "lambda.vcf", tmp_path / "crate" / "runs/1/outputs/lambda.vcf"
    assert again.read_bytes() == first.read_bytes()


TOOL = """
cwlVersion: v1.2
class: CommandLineTool
baseCommand: [sh, -c, 'echo "$0" > o.txt; echo "no word: $0" >&2; test "$0" != bad']
inputs: {word: {type: string, inputBinding: {}}}
outputs: {out: {type: File, outputBinding: {glob: o.txt}}}
"""
INNER = """
cwlVersion: v1.2
class: Workflow
requirements: {ScatterFeatureRequirement: {}}
inputs: {words: "string[]"}
outputs: {outs: {type: "File[]", outputSource: each/out}}
steps:
  each: {run: echo.cwl, scatter: word, in: {word: words}, out: [out]}
"""
OUTER = """
cwlVersion: v1.2
class: Workflow
requirements: {SubworkflowFeatureRequirement: {}, InlineJavascriptRequirement: {}}
inputs: {words: "string[]"}
outputs: {all: {type: File, outputSource: join/all}}
steps:
  inner: {run: inner.cwl, in: {words: words}, out: [outs]}
  never: {run: never.cwl, when: $(false), in: {word: {default: x}}, out: [out]}
  join:
    run:
      class: CommandLineTool
      baseCommand: cat
      inputs: {files: {type: "File[]", inputBinding: {}}}
      outputs: {all: {type: stdout}}
      stdout: all.txt
    in: {files: inner/outs}
    out: [all]
"""
STAGE = """
workflow_id: ./outer.cwl
workflow_type: cwl
engine: cwltool
workflow_config: {secure: false, containerType: none}
params: {words: [a, WORD]}
"""


def shapes(folder: Path, word: str) -> Path:
    """A workflow with a scatter in a sub-workflow, and a step that is skipped."""
    folder.mkdir()
    texts = {"echo.cwl": TOOL, "never.cwl": TOOL, "inner.cwl": INNER, "outer.cwl": OUTER}
    for name, text in texts.items():
        (folder / name).write_text(text)
    (folder / "a.wfex.stage").write_text(STAGE.replace("WORD", word))
    return folder / "a.wfex.stage"


@pytest.mark.cwltool
def test_a_scatter_in_a_sub_workflow_is_told_member_by_member_and_a_skipped_step_by_its_text_alone(
    wfexs: Command, tmp_path: Path
) -> None:
    _, entities = told(wfexs, shapes(tmp_path / "flow", "b"), tmp_path / "crate")

    inner = entities["workflow/inner.cwl"]
    assert {"ComputationalWorkflow", "HowTo"} <= set(inner["@type"])
    assert inner["step"] == {"@id": "workflow/inner.cwl#each"}
    assert inner["hasPart"] == {"@id": "workflow/echo.cwl"}
    control = next(one for one in of_type(entities, "ControlAction") if one["instrument"] == inner["step"])
    assert len(ids(control["object"])) == 2
    ran = attempts(entities)
    assert set(ran) == {"inner/each", "inner/each_2", "join", "sub-workflow inner"}
    assert ran["sub-workflow inner"]["instrument"] == {"@id": "workflow/inner.cwl"}
    made = [ran[name]["result"]["@id"] for name in ("inner/each", "inner/each_2")]
    assert ids(ran["sub-workflow inner"]["result"]) == made == ids(ran["join"]["object"])
    assert ran["sub-workflow inner"]["startTime"] == min(
        ran[one]["startTime"] for one in ("inner/each", "inner/each_2")
    )
    assert {entities[one["object"]["@id"]]["value"] for name, one in ran.items() if "each" in name} == {"a", "b"}

    assert entities["workflow/outer.cwl#never"]["workExample"] == {"@id": "workflow/never.cwl"}
    assert set(ids(entities["workflow/outer.cwl"]["hasPart"])) == {"workflow/inner.cwl", "workflow/outer.cwl#join/run"}
    assert entities["workflow/never.cwl"]["isPartOf"] == {"@id": "workflow/outer.cwl"}
    assert links(entities) == {
        ("outer.cwl#words", "inner.cwl#words"),
        ("inner.cwl#words", "echo.cwl#word"),
        ("echo.cwl#out", "inner.cwl#outs"),
        ("inner.cwl#outs", "files"),
        ("all", "outer.cwl#all"),
    }


@pytest.mark.cwltool
def test_a_failed_step_is_told_with_its_exit_code_and_its_last_words(wfexs: Command, tmp_path: Path) -> None:
    _, entities = told(wfexs, shapes(tmp_path / "flow", "bad"), tmp_path / "crate", fails=True)

    ran = attempts(entities)
    failures = converted(tmp_path / "crate")[1]["error_domain"]["empirical_error"]
    assert "inner/each" in [one["name"] for one in failures["failed_steps"] if "exit code 1" in one["error"]]
    failed = ran["inner/each_2"]
    assert failed["actionStatus"].endswith("FailedActionStatus")
    assert failed["error"].splitlines() == ["it failed with exit code 1", "no word: bad"]
    assert "(exit code 1)" in failed["description"]
    assert failed["result"] == {"@id": "runs/1/logs/steps/inner%2Feach_2.stderr".replace("%", "%25")}
    assert failed["@id"] in ids(entities[failed["result"]["@id"]]["about"])
    assert ran["inner/each"]["actionStatus"].endswith("CompletedActionStatus")
    assert "join" not in ran
    statuses = {one["name"]: one["actionStatus"].rpartition("/")[2] for one in of_type(entities, "ControlAction")}
    assert statuses == {
        "step inner/each in run 1": "FailedActionStatus",
        "step inner in run 1": "FailedActionStatus",
    }
    assert entities["workflow/outer.cwl#join"]["@type"] == "HowToStep"


@pytest.mark.cwltool
def test_a_killed_run_has_no_end_that_nobody_saw(wfexs: Command, tmp_path: Path) -> None:
    stage = shapes(tmp_path / "flow", "b")
    text = (tmp_path / "flow" / "echo.cwl").read_text()
    (tmp_path / "flow" / "echo.cwl").write_text(text.replace('test "$0" != bad', 'test "$0" != b || sleep 60'))
    staged = wfexs.ok("stage", stage)
    child = subprocess.Popen(
        [*wfexs.argv, "run", staged["id"]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ)
    )
    journal = Path(staged["lock"]["path"]).parent / "runs" / "1" / "journal.jsonl"

    # The step that is skipped ends without an exit code.
    def one_of_two_is_done() -> bool:
        events = journal.read_text() if journal.exists() else ""
        return (events.count('"step-started"'), events.count('"exit_code"')) == (2, 1)

    wait_for(one_of_two_is_done)
    child.send_signal(signal.SIGKILL)
    child.wait()

    crate = tmp_path / "crate"
    wfexs.ok("crate", staged["id"], crate, "--retrospective", "--no-validate")

    validated = wfexs.ok("validate", crate)
    assert {one["check"] for one in validated["issues"]} <= {KNOWN, SHARED, UNENDED}
    entities = entities_of(crate)
    ran = attempts(entities)
    assert "endTime" in ran["inner/each"]
    for name in ("inner/each_2", "sub-workflow inner"):
        assert "startTime" in ran[name]
        assert "endTime" not in ran[name]
        assert ran[name]["actionStatus"].endswith("FailedActionStatus")
    assert ran["inner/each_2"]["error"] == "it had not ended when the run did"


NESTED = '''
process SPLIT {
    input: path text
    output: path '*.part'
    script: "sed -n 1p $text >a.part; sed -n 2p $text >b.part"
}
process UPPER {
    tag "${part.name}"
    errorStrategy 'retry'
    maxRetries 1
    cpus { task.attempt }
    input: path part
    output: path "${part.baseName}.up"
    script:
    """
    [ ${task.attempt}$part != 1b.part ] || { echo not yet >&2; exit 3; }
    tr a-z A-Z <$part >${part.baseName}.up
    """
}
process JOIN {
    publishDir 'results'
    input: path parts
    output: path 'all.txt'
    script: "cat $parts >all.txt"
}
workflow EACH {
    take: parts
    main: UPPER(parts)
    emit: UPPER.out
}
workflow WORK {
    take: text
    main:
    SPLIT(text)
    EACH(SPLIT.out.flatten())
    emit: EACH.out
}
workflow {
    WORK(Channel.fromPath(params.text))
    JOIN(WORK.out.collect(sort: true))
}
'''
NESTED_STAGE = """
workflow_id: ./main.nf
workflow_type: nextflow
engine: nextflow
workflow_config: {secure: false, containerType: none}
params: {text: {c-l-a-s-s: File, url: ./text.txt}}
"""


@pytest.mark.nextflow
@pytest.mark.usefixtures("nextflow")
def test_workflows_that_a_pipeline_calls_are_told_with_their_steps_their_tasks_and_their_second_tries(
    wfexs: Command, tmp_path: Path
) -> None:
    flow = tmp_path / "flow"
    flow.mkdir()
    (flow / "main.nf").write_text(NESTED)
    (flow / "text.txt").write_text("a\nb\n")
    (flow / "a.wfex.stage").write_text(NESTED_STAGE)
    _, entities = told(wfexs, flow / "a.wfex.stage", tmp_path / "crate")

    main, work, each = (entities[f"workflow/main.nf{one}"] for one in ("", "#workflow/WORK", "#workflow/EACH"))
    assert {"ComputationalWorkflow", "HowTo"} <= set(each["@type"]) & set(work["@type"])
    steps = {
        one["@id"].partition("#")[2]: entities[one["workExample"]["@id"]] for one in of_type(entities, "HowToStep")
    }
    assert set(ids(main["step"])) == {"workflow/main.nf#WORK", "workflow/main.nf#JOIN"}
    assert steps["WORK"] == work
    assert steps["workflow/WORK/EACH"] == each
    assert steps["workflow/EACH/UPPER"]["name"] == "UPPER"
    assert each["@id"] in ids(work["hasPart"])
    assert work["@id"] in ids(main["hasPart"])
    ran = attempts(entities)
    controls = {one["name"]: one for one in of_type(entities, "ControlAction")}
    upper = [entities[one] for one in ids(controls["step WORK:EACH:UPPER in run 1"]["object"])]
    failed = [one for one in upper if one["actionStatus"].endswith("FailedActionStatus")]
    assert (len(upper), len(failed)) == (3, 1)
    assert "it was tried again" in failed[0]["error"]
    assert "not yet" in failed[0]["error"]
    assert controls["step WORK:EACH:UPPER in run 1"]["actionStatus"].endswith("CompletedActionStatus")
    assert entities[upper[0]["instrument"]["@id"]]["processorRequirements"] == ["1 core", "2 cores"]
    inner, outer = ran["sub-workflow WORK:EACH"], ran["sub-workflow WORK"]
    assert inner["instrument"] == {"@id": each["@id"]}
    names = {slot: {entities[one]["name"] for one in ids(inner[slot])} for slot in ("object", "result")}
    assert names == {"object": {"a.part", "b.part"}, "result": {"a.up", "b.up"}}
    assert [entities[one]["name"] for one in ids(outer["object"])] == ["text.txt"]
    assert set(ids(outer["result"])) == set(ids(inner["result"])) == set(ids(ran["JOIN"]["object"]))
    assert all(len(entities[one]["sha256"]) == 64 for one in ids(inner["result"]))
    assert len(links(entities)) == 4
    picture = (tmp_path / "crate" / main["image"]["@id"]).read_text()
    described = entities[main["subjectOf"]["@id"]]
    assert set(described["@type"]) == {"File", "SoftwareSourceCode", "HowTo"}
    cwltool = [str(Path(sys.executable).with_name("cwltool")), "--validate", str(tmp_path / "crate" / described["@id"])]
    done = subprocess.run(cwltool, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    abstract = json.loads(Path(cwltool[-1]).read_text())
    assert list(abstract["steps"]) == ["WORK_SPLIT", "WORK_EACH_UPPER", "JOIN"]
    assert abstract["steps"]["WORK_EACH_UPPER"]["in"]["part"]["source"].startswith("WORK_SPLIT/")
    assert abstract["steps"]["WORK_SPLIT"]["in"]["text"] == {"source": "text"}
    assert all(one in picture for one in (">WORK:SPLIT<", ">WORK:EACH:UPPER<", ">JOIN<", ">text<"))


# --- by hand ----------------------------------------------------------------------------------------------------------


def stepped(root: Path, **more: Any) -> tuple[Workdir, CrateSubject]:
    """A run of two steps of two tools; ``more`` changes the first step."""
    workdir = usual_workdir(root, runs=0)
    between = {"class": "File", "transient": "runs/1/tmp/x/between.txt", "sha256": "ab" * 32, "size": 7}
    made = workdir.made(1, "sorted.txt", b"A\n")
    first: dict[str, Any] = {
        "name": "upper",
        "status": Status.COMPLETED,
        "tool": "tr.cwl",
        "exit_code": 0,
        "started": "2026-11-01T10:00:00.100+00:00",
        "ended": "2026-11-01T10:00:00.200+00:00",
        "command": ("tr", "a-z", "A-Z", f"{workdir.content}/inputs/text/in.txt", "/home/canary/private/word"),
        "inputs": {"text": {"class": "File", "path": "inputs/text/in.txt"}, "level": 3, "note": "secret-canary"},
        "outputs": {"out": between},
        "resources": {"wall_seconds": 0.1},
    }
    second = StepRun(
        name="sort",
        status=Status.COMPLETED,
        tool="wf.cwl#sort",
        started="2026-11-01T10:00:00.300+00:00",
        ended="2026-11-01T10:00:00.400+00:00",
        command=("sort", "secret-canary"),
        inputs={"in": between},
        outputs={"out": made},
    )
    workdir.ran({"sorted": made}, steps=(StepRun(**{**first, **more}), second))
    file, text = FormalParameter(name="out", type="File", required=True), "File"
    interface = replace(
        workdir.subject().interface,
        steps=(Step(name="upper", tool="tr.cwl", position=0), Step(name="sort", tool="wf.cwl#sort", position=1)),
        tools=(
            Tool(
                id="tr.cwl",
                kind="CommandLineTool",
                inputs=(
                    FormalParameter(name="text", type=text, required=True),
                    FormalParameter(name="level", type="int", required=True),
                    FormalParameter(name="note", type="string", required=True),
                    FormalParameter(name="unused", type=["null", "File"], required=False),
                ),
                outputs=(file,),
            ),
            Tool(
                id="wf.cwl#sort",
                kind="CommandLineTool",
                inputs=(FormalParameter(name="in", type=text, required=True),),
                outputs=(file,),
            ),
        ),
        connections=(
            ("text", "upper/text"),
            ("count", "upper/level"),
            ("upper/out", "sort/in"),
            ("sort/out", "sorted"),
        ),
    )
    return workdir, replace(workdir.subject(), interface=interface)


def test_what_came_and_went_within_a_run_is_told_by_digest_and_never_promised(tmp_path: Path, cache: Path) -> None:
    sound(export(stepped(tmp_path)[1], tmp_path / "crate", cache=cache))

    entities = entities_of(tmp_path / "crate")
    between = entities["#intermediate/1/tmp/x/between.txt"]
    assert (between["sha256"], between["contentSize"]) == ("ab" * 32, "7")
    assert between["@id"] not in ids(entities["./"]["hasPart"])
    assert set(ids(between["exampleOfWork"])) == {"workflow/tr.cwl#out", "workflow/wf.cwl#sort/in"}
    assert "No run" in entities[entities["workflow/tr.cwl#unused"]["workExample"]["@id"]]["description"]


def test_the_metadata_of_steps_are_those_of_the_golden_file(tmp_path: Path) -> None:
    export(stepped(tmp_path)[1], tmp_path / "crate")
    is_golden(tmp_path / "crate", GOLDEN)


def test_command_lines_say_nothing_of_this_machine(tmp_path: Path) -> None:
    export(stepped(tmp_path)[1], tmp_path / "crate")

    described = attempts(entities_of(tmp_path / "crate"))["upper"]["description"]
    assert described == "tr a-z A-Z inputs/text/in.txt …/word\n(exit code 0)"
    for name, text in texts_of(tmp_path / "crate"):
        assert "/home/canary" not in text, name
        assert str(tmp_path) not in text, name


def test_files_of_a_step_from_elsewhere_are_told_by_name_and_not_by_place(tmp_path: Path, cache: Path) -> None:
    taken = {
        "text": {"class": "File", "path": "/home/canary/private/ref.fa"},
        "level": {"class": "File", "path": "workflow/data/table.tsv"},
        "note": {"class": "File", "path": "inputs/text/in.txt"},
    }
    sound(export(stepped(tmp_path, inputs=taken)[1], tmp_path / "crate", cache=cache))

    entities = entities_of(tmp_path / "crate")
    first, second, third = (entities[one] for one in ids(attempts(entities)["upper"]["object"]))
    assert (first["@id"], first["name"]) == ("#elsewhere/1/0/ref.fa", "ref.fa")
    assert second["@id"] == "#elsewhere/workflow/data/table.tsv"
    assert third["contentUrl"] == "https://example.org/data/in.txt"
    assert "private" not in json.dumps(entities)


def test_variables_of_a_step_are_told_and_secrets_among_them_by_name_alone(tmp_path: Path, cache: Path) -> None:
    variables = {"LEVEL": "high", "API_TOKEN": "canary-token", "PATH": "/usr/bin:/home/canary/private/bin"}
    sound(export(stepped(tmp_path, environment=variables)[1], tmp_path / "crate", cache=cache))

    entities = entities_of(tmp_path / "crate")
    found = [entities[one] for one in ids(attempts(entities)["upper"]["environment"])]
    values = {one["name"]: one["value"] for one in found}
    assert values == {"LEVEL": "high", "API_TOKEN": "not disclosed", "PATH": "…/bin:…/bin"}


def test_where_something_must_not_be_disclosed_steps_tell_times_and_structure_alone(
    tmp_path: Path, cache: Path
) -> None:
    workdir, subject = stepped(tmp_path)
    items = tuple(replace(item, disclosable=False) if item.role is Role.INPUT else item for item in subject.plan.items)
    log = workdir.write("runs/1/logs/steps/upper.stderr", b"secret-canary\n")
    failed = replace(
        subject.executions[0].steps[0],
        status=Status.FAILED,
        exit_code=2,
        error="secret-canary was bad",
        tag="secret-canary",
        resources={"wall_seconds": 1.5, "read_characters": 471147, "written_bytes": 471148},
        allotted={"cores": 471149},
    )
    execution = replace(subject.executions[0], steps=(failed, *subject.executions[0].steps[1:]))
    subject = replace(subject, plan=replace(subject.plan, items=items), executions=(execution,))
    sound(export(subject, tmp_path / "crate", cache=cache))

    entities = entities_of(tmp_path / "crate")
    action = attempts(entities)["upper"]
    assert action["error"] == "it failed with exit code 2"
    assert action["startTime"] == "2026-11-01T10:00:00.100+00:00"
    assert {entities[one]["description"] for one in ids(action["object"])} == {"not disclosed"}
    assert ids(attempts(entities)["sort"]["result"]) == ["runs/1/outputs/sorted.txt"]
    assert [entities[one]["value"] for one in ids(action["resourceUsage"])] == [1.5]
    for name, text in texts_of(tmp_path / "crate"):
        for word in ("secret-canary", "between.txt", "in.txt", "4711", log.decode()):
            assert word not in text, name


def test_attempts_that_were_tried_again_or_done_before_say_so(tmp_path: Path, cache: Path) -> None:
    _, subject = stepped(tmp_path)
    (first, second), run = subject.executions[0].steps, subject.executions[0]
    bad = replace(
        first, id="1", step="upper", status=Status.FAILED, after="retry", exit_code=3, error="exit code 3", outputs={}
    )
    steps = (bad, replace(first, id="2", step="upper", attempt=2), replace(second, cached=True))
    subject = replace(subject, executions=(replace(run, steps=steps, resumed=4),))
    sound(export(subject, tmp_path / "crate", cache=cache))

    entities = entities_of(tmp_path / "crate")
    actions = [one for kind in ("CreateAction", "ActivateAction") for one in of_type(entities, kind)]
    ran = {one["name"]: one for one in actions}
    assert ran["upper in run 1, attempt 1"]["error"] == "exit code 3; it was tried again"
    assert ran["upper in run 1, attempt 1"]["@type"] == "ActivateAction"
    assert ran["upper in run 1, attempt 2"]["@type"] == "CreateAction"
    assert "run 4 had done this work" in ran["sort in run 1"]["description"]
    control = next(one for one in of_type(entities, "ControlAction") if one["name"] == "step upper in run 1")
    assert control["actionStatus"].endswith("CompletedActionStatus")
    assert len(ids(control["object"])) == 2


def test_a_tool_that_is_no_workflow_is_the_one_step_of_itself(tmp_path: Path, cache: Path) -> None:
    _, subject = stepped(tmp_path)
    step = replace(subject.executions[0].steps[0], name="wf", id="wf", step="wf", tool="wf.cwl")
    interface = replace(subject.interface, kind="CommandLineTool", steps=(), connections=(), tools=())
    subject = replace(subject, interface=interface, executions=(replace(subject.executions[0], steps=(step,)),))
    sound(export(subject, tmp_path / "crate", cache=cache))

    entities = entities_of(tmp_path / "crate")
    assert attempts(entities)["wf"]["instrument"] == {"@id": "workflow/wf.cwl#tool"}
    assert ("wf.cwl#text", "text") in links(entities)


def test_a_run_before_any_step_is_a_workflow_run_crate_and_no_more(tmp_path: Path, cache: Path) -> None:
    workdir = empty_workdir(tmp_path)
    workdir.ran(status=Status.FAILED, exit_code=1, error="it did not begin")
    report = export(workdir.subject(), tmp_path / "crate", cache=cache)
    sound(report)
    assert PROVENANCE not in report.profiles
    assert not of_type(entities_of(tmp_path / "crate"), "OrganizeAction")


def test_metadata_are_written_as_one_document_would_be(tmp_path: Path) -> None:
    export(stepped(tmp_path)[1], tmp_path / "crate")
    text = (tmp_path / "crate" / "ro-crate-metadata.json").read_text()
    assert json.dumps(json.loads(text), indent=1, ensure_ascii=False) + "\n" == text
