"""Crates of Nextflow workflows and their runs: valid, whole, and silent about the machine they were made on."""

from __future__ import annotations

import getpass
import json
import re
import resource
import socket
import subprocess
import time
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from engines.base import FormalParameter
from engines.execution import Status, StepRun
from engines.journal import replay
from staging.definition import EngineSettings
from staging.plan import Role
from tests.conftest import ORACLE, Command
from tests.flow.test_crates import actions_of, export, sound, texts_of
from tests.support.crates import entities_of, ids, is_golden, many
from tests.support.nextflow_crates import NextflowWorkdir, journal_of_many, nextflow_workdir

MAIN = "workflow/main.nf"
GOLDEN = Path(__file__).parent.parent / "golden" / "crate-nextflow-retrospective.json"


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def runs_of(crate: Path) -> list[dict[str, Any]]:
    """The actions of the workflow itself."""
    return [one for one in actions_of(crate) if one["instrument"]["@id"] == MAIN]


def finished(root: Path, **more: Any) -> NextflowWorkdir:
    """A working directory with one run that made the expected output and two other files."""
    workdir = nextflow_workdir(root)
    outputs = {
        "counts": workdir.made(1, "results/a.counts", b"1 a\n"),
        "results/logs/a.log": workdir.made(1, "results/logs/a.log", b"log"),
        "results/b.txt": workdir.made(1, "results/b.txt", b"b"),
    }
    told = {
        "platform": {"java": "17.0.15 (Debian)"},
        "final_parameters": {"reads": "inputs/reads/reads.txt", "level": 3, "outdir": "results", "extra": [1, 2]},
    }
    workdir.ran(outputs, **{**told, **more})
    return workdir


# --- by hand ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["crate", "crate.zip"])
@pytest.mark.parametrize("kind", ["prospective", "retrospective"])
def test_a_crate_conforms_with_nothing_recommended_missing_that_could_be_there(
    tmp_path: Path, cache: Path, name: str, kind: Any
) -> None:
    sound(export(finished(tmp_path).subject(), tmp_path / name, kind, cache=cache))


def test_the_metadata_are_those_of_the_golden_file(tmp_path: Path) -> None:
    export(finished(tmp_path).subject(), tmp_path / "crate")
    is_golden(tmp_path / "crate", GOLDEN)


def test_the_workflow_has_its_language_its_documents_and_its_processes(tmp_path: Path) -> None:
    export(nextflow_workdir(tmp_path).subject(), tmp_path / "crate", "prospective")

    entities = entities_of(tmp_path / "crate")
    main = entities[MAIN]
    language = entities[main["programmingLanguage"]["@id"]]
    assert language["@id"] == "https://w3id.org/workflowhub/workflow-ro-crate#nextflow"
    assert (language["name"], language["version"]) == ("Nextflow", "DSL2")
    assert language["identifier"] == language["url"] == {"@id": "https://www.nextflow.io/"}
    parts = ids(main["hasPart"])
    assert {"workflow/nextflow.config", "workflow/nextflow_schema.json"} <= set(parts)
    processes = [entities[one] for one in parts if entities[one]["@type"] == "SoftwareApplication"]
    assert {one["name"] for one in processes} == {"SPLIT", "COUNT"}
    assert {one["name"]: one["description"] for one in processes}["COUNT"] == "Counts lines."


def test_an_image_that_a_process_names_is_told_with_its_registry_and_that_it_was_not_used(tmp_path: Path) -> None:
    export(nextflow_workdir(tmp_path).subject(), tmp_path / "crate", "prospective")

    entities = entities_of(tmp_path / "crate")
    image = entities[entities[f"{MAIN}#process/SPLIT"]["softwareRequirements"]["@id"]]
    assert (image["registry"], image["name"], image["tag"]) == ("quay.io", "biocontainers/coreutils", "9.5")
    assert image["additionalType"] == {"@id": "https://w3id.org/ro/terms/workflow-run#DockerImage"}
    assert "not used" in image["description"]
    assert "softwareRequirements" not in entities[f"{MAIN}#process/COUNT"]


def test_the_engine_its_plugins_and_its_java_are_told_and_its_files_only_counted(tmp_path: Path) -> None:
    workdir = finished(tmp_path)
    export(workdir.subject(), tmp_path / "crate")

    entities = entities_of(tmp_path / "crate")
    needed = {entities[one]["name"]: entities[one] for one in ids(entities[MAIN]["softwareRequirements"])}
    engine = needed["nextflow 24.10.0"]
    (first, *_) = [item for item in workdir.items if item.role is Role.ENGINE]
    assert engine["@id"] == "pkg:maven/io.nextflow/nextflow@24.10.0"
    assert engine["sha256"] == first.fingerprint.digest
    assert "2 files" in engine["description"]
    java = entities[engine["softwareRequirements"]["@id"]]
    assert (java["name"], java["version"]) == ("Java 17.0.15 (Debian)", "17.0.15 (Debian)")
    plugin = needed["nf-schema 2.1.1"]
    assert plugin["url"] == "https://example.org/nf-schema-2.1.1.zip"
    assert len(plugin["sha256"]) == 64
    assert not [one for one in entities if "guava" in one]


def test_expected_outputs_are_parameters_and_all_else_is_published(tmp_path: Path) -> None:
    export(finished(tmp_path).subject(), tmp_path / "crate")

    entities = entities_of(tmp_path / "crate")
    assert ids(entities[MAIN]["output"]) == [f"{MAIN}#counts", f"{MAIN}#published"]
    assert "*.counts" in entities[f"{MAIN}#counts"]["description"]
    made = "runs/1/outputs/results"
    assert ids(entities[f"{MAIN}#counts"]["workExample"]) == [f"{made}/a.counts"]
    assert ids(entities[f"{MAIN}#published"]["workExample"]) == [f"{made}/b.txt", f"{made}/logs/a.log"]
    (action,) = actions_of(tmp_path / "crate")
    assert set(ids(action["result"])) == {f"{made}/a.counts", f"{made}/b.txt", f"{made}/logs/a.log"}
    readme = (tmp_path / "crate" / "README.md").read_text()
    assert "[results/logs/a.log](<runs/1/outputs/results/logs/a.log>)" in readme


def test_a_run_that_published_nothing_else_has_no_such_parameter(tmp_path: Path) -> None:
    workdir = nextflow_workdir(tmp_path)
    workdir.ran({"counts": workdir.made(1, "a.counts", b"1 a\n")})
    export(workdir.subject(), tmp_path / "crate")

    assert ids(entities_of(tmp_path / "crate")[MAIN]["output"]) == [f"{MAIN}#counts"]


def test_another_parameter_called_published_is_not_taken_for_it(tmp_path: Path, cache: Path) -> None:
    workdir = finished(tmp_path)
    workdir.value("published", True, "boolean")
    sound(export(workdir.subject(), tmp_path / "crate", cache=cache))

    entities = entities_of(tmp_path / "crate")
    assert entities[f"{MAIN}#published"]["additionalType"] == "Boolean"
    assert len(ids(entities[f"{MAIN}#published_files"]["workExample"])) == 2


def test_values_that_the_workflow_set_are_told_with_who_set_them(tmp_path: Path, cache: Path) -> None:
    sound(export(finished(tmp_path).subject(), tmp_path / "crate", cache=cache))

    entities = entities_of(tmp_path / "crate")
    (action,) = actions_of(tmp_path / "crate")
    told = {entities[one]["name"]: entities[one].get("value") for one in ids(action["object"])}
    assert (told["level"], told["outdir"], told["extra"]) == (3, "results", [1, 2])
    assert entities[f"{MAIN}#level"]["additionalType"] == "Integer"
    readme = (tmp_path / "crate" / "README.md").read_text()
    assert "| level | 3 (the workflow's default) |" in readme
    assert "| outdir | results (set by the workflow) |" in readme


def test_a_place_for_outputs_is_told_as_text_and_never_as_a_file(tmp_path: Path, cache: Path) -> None:
    workdir = finished(tmp_path)
    workdir.parameters["outdir"] = {"class": "Directory", "outputPlace": "results"}
    workdir.executions = [replace(workdir.executions[0], parameters=dict(workdir.parameters))]
    elsewhere = {"class": "Directory", "path": "runs/2/outputs/other/place"}
    workdir.ran({"counts": workdir.made(2, "x.counts", b"x")}, overrides={"outdir": elsewhere})
    workdir.executions[1] = replace(
        workdir.executions[1], parameters={**workdir.parameters, "outdir": workdir.executions[1].overrides["outdir"]}
    )
    for kind in ("prospective", "retrospective"):
        sound(export(workdir.subject(), tmp_path / kind, kind, cache=cache))  # type: ignore[arg-type]

    entities = entities_of(tmp_path / "retrospective")
    examples = [entities[one] for one in ids(entities[f"{MAIN}#outdir"]["workExample"])]
    assert [(one["@type"], one["value"]) for one in examples] == [
        ("PropertyValue", "results"),
        ("PropertyValue", "other/place"),
    ]
    assert entities[f"{MAIN}#outdir"]["additionalType"] == "Text"


def test_nested_parameters_are_told_by_their_dotted_names(tmp_path: Path) -> None:
    workdir = finished(tmp_path, final_parameters={"tool": {"level": 5, "other": "x"}, "reads": "r"})
    workdir.inputs.append(FormalParameter(name="tool.level", type="int", required=False))
    export(workdir.subject(), tmp_path / "crate")

    readme = (tmp_path / "crate" / "README.md").read_text()
    assert "| tool.level | 5 (set by the workflow) |" in readme
    assert "| tool.other | x (set by the workflow) |" in readme


def test_a_run_is_told_with_its_tasks_its_java_its_profiles_and_the_run_it_went_on_from(tmp_path: Path) -> None:
    steps = (
        StepRun(name="COUNT (1)", id="1", status=Status.FAILED, after="retry"),
        StepRun(name="COUNT (1)", id="2", status=Status.COMPLETED, attempt=2),
        StepRun(name="SPLIT", id="3", status=Status.COMPLETED, cached=True),
    )
    workdir = finished(tmp_path, steps=steps, resumed=2)
    workdir.settings = EngineSettings(profiles=("test", "small"))
    export(workdir.subject(), tmp_path / "crate")

    (action,) = actions_of(tmp_path / "crate")
    assert action["description"] == (
        "nextflow 24.10.0 on count with the profiles test, small, going on from run 2, "
        "2 tasks (1 tried again, 1 taken from run 2)"
    )
    readme = (tmp_path / "crate" / "README.md").read_text()
    preview = (tmp_path / "crate" / "ro-crate-preview.html").read_text()
    assert "The engine ran on: java 17.0.15 (Debian)." in readme
    assert "java 17.0.15 (Debian)" in preview
    command = "NXF_VER=24.10.0 nextflow run workflow/main.nf -profile test,small --reads reads.txt"
    assert command in readme
    assert command in preview


def test_a_failed_run_tells_process_tag_and_last_words(tmp_path: Path, cache: Path) -> None:
    error = "task 'COUNT (sample 3)' failed: exit code 3"
    tail = ("cannot open /opt/secret/place/x", "<b>goodbye</b>")
    workdir = finished(tmp_path, status=Status.FAILED, exit_code=1, error=error, tail=tail)
    sound(export(workdir.subject(), tmp_path / "crate", cache=cache))

    (action,) = actions_of(tmp_path / "crate")
    assert action["error"] == error
    assert action["actionStatus"] == "http://schema.org/FailedActionStatus"
    assert "    cannot open …/x" in (tmp_path / "crate" / "README.md").read_text()
    assert "&lt;b&gt;goodbye" in (tmp_path / "crate" / "ro-crate-preview.html").read_text()


def test_what_must_not_be_disclosed_is_nowhere_not_even_in_what_the_workflow_made_of_it(
    tmp_path: Path, cache: Path
) -> None:
    workdir = nextflow_workdir(tmp_path)
    workdir.file_input("sample", b"canary", basename="canary-sample.txt", disclosable=False)
    workdir.inputs.append(
        FormalParameter(name="index", type="Any", required=False, default="x/canary-sample.idx", has_default=True)
    )
    workdir.write("runs/1/logs/report.html", b"<p>canary-patient</p>")
    workdir.ran(
        {"counts": workdir.made(1, "a.counts", b"1\n")},
        status=Status.FAILED,
        error="task 'COUNT (canary-patient)' failed: exit code 1",
        tail=("canary-sample.txt",),
        logs=(PurePosixPath("runs/1/logs/report.html"),),
        final_parameters={"sample": "inputs/sample/canary-sample.txt", "derived": "canary-patient.fa"},
    )
    sound(export(workdir.subject(), tmp_path / "crate", include=frozenset({"all"}), cache=cache))

    assert [name for name, text in texts_of(tmp_path / "crate") if "canary" in text or "canary" in name] == []


def test_the_pages_of_nextflow_are_in_the_crate_with_their_media_types(tmp_path: Path, cache: Path) -> None:
    workdir = nextflow_workdir(tmp_path)
    names = ("report.html", "timeline.html", "dag.dot", "trace.txt", "nextflow.log")
    for name in names:
        workdir.write(f"runs/1/logs/{name}", f"<p>{workdir.content}/runs/1 and /opt/x/y</p>\n".encode())
    logs = tuple(PurePosixPath("runs/1/logs") / name for name in names)
    workdir.ran({"counts": workdir.made(1, "a.counts", b"1\n")}, logs=logs)
    sound(export(workdir.subject(), tmp_path / "crate", cache=cache))

    entities = entities_of(tmp_path / "crate")
    assert {one: entities[f"runs/1/logs/{one}"]["encodingFormat"] for one in names} == {
        "report.html": "text/html",
        "timeline.html": "text/html",
        "dag.dot": "text/vnd.graphviz",
        "trace.txt": "text/tab-separated-values",
        "nextflow.log": "text/plain",
    }
    for name in names:
        assert (tmp_path / "crate/runs/1/logs" / name).read_text() == "<p>runs/1 and …/y</p>\n"


def test_log_of_a_failed_task_comes_before_those_of_a_hundred_others(tmp_path: Path) -> None:
    workdir = nextflow_workdir(tmp_path)
    names = [f"{index:08x}-COUNT_{index}.stderr" for index in range(100)]
    for name in names:
        workdir.write(f"runs/1/logs/steps/{name}", b"x\n")
    failed = StepRun(name="COUNT (99)", id=f"{99:08x}" + "0" * 24, status=Status.FAILED)
    logs = tuple(PurePosixPath("runs/1/logs/steps") / name for name in names)
    workdir.ran(status=Status.FAILED, error="it failed", steps=(failed,), logs=logs)
    export(workdir.subject(), tmp_path / "crate")

    assert (tmp_path / "crate/runs/1/logs/steps" / names[99]).exists()


@pytest.mark.oracle
def test_runcrate_reports_a_run_of_nextflow(tmp_path: Path) -> None:
    export(finished(tmp_path).subject(), tmp_path / "crate")
    done = subprocess.run([ORACLE, "report", tmp_path / "crate"], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "main.nf" in done.stdout


# --- size -------------------------------------------------------------------------------------------------------------


def test_five_thousand_tasks_are_told_one_by_one_in_time_and_in_memory(tmp_path: Path) -> None:
    workdir = nextflow_workdir(tmp_path)
    workdir.write("runs/1/logs/trace.txt", b"x\n")
    outputs = {"counts": workdir.made(1, "a.counts", b"1\n")}
    journal = journal_of_many(workdir.content / "runs/1", 5_000, outputs)  # type: ignore[arg-type]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()

    workdir.executions.append(replay(journal, without=frozenset({"trace"})))
    export(workdir.subject(), tmp_path / "crate")

    assert time.process_time() - began < 10
    # Seven quantities of each are most of it.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 275_000
    told = actions_of(tmp_path / "crate")
    assert "5000 tasks" in told[0]["description"]
    assert len(told) == 5_001
    made = entities_of(tmp_path / "crate")["#intermediate/1/engine/work/" + f"{7:032x}" + "/counts.txt"]
    assert made["sha256"] == f"{7:064x}"


def test_a_thousand_published_files_are_all_told(tmp_path: Path) -> None:
    workdir = nextflow_workdir(tmp_path)
    outputs = {f"out/{index}.txt": workdir.made(1, f"out/{index}.txt", b"%d" % index) for index in range(1000)}
    workdir.ran(outputs)  # type: ignore[arg-type]
    export(workdir.subject(), tmp_path / "crate")

    assert len(ids(entities_of(tmp_path / "crate")[f"{MAIN}#published"]["workExample"])) == 1000
    assert "and 950 more" in (tmp_path / "crate" / "README.md").read_text()


# --- the real engine --------------------------------------------------------------------------------------------------

PIPELINE = r"""
process WORK {
    tag "sample ${number}"
    container 'quay.io/biocontainers/coreutils:9.5'
    publishDir params.outdir, mode: 'copy'
    errorStrategy { task.attempt < 2 ? 'retry' : 'ignore' }

    input:
    val number

    output:
    path "*.txt"

    script:
    '''
    # /opt/private/tools/run
    hostname >&2; echo "$PWD $HOME" >&2
    '''.stripIndent() + "test ${number} != 2 || test ${task.attempt} -gt 1 || exit 3\n" +
    "test ${number} != 3 || exit 4\n/bin/echo ${number} >${number}.txt\n"
}

workflow {
    WORK(Channel.of(1, 2, 3, 4))
}
"""
CONFIG = """
params.outdir = 'results'
params.derived = "${projectDir}/data/x.fa"
"""
STAGE = """
nickname: tries
workflow_id: ./pipeline
engine: nextflow@24.10.0
outputs:
  first:
    c-l-a-s-s: File
    glob: results/1.txt
"""


@pytest.fixture
def tries(tmp_path: Path) -> Path:
    """A pipeline of four tasks: one is tried again, one fails and is ignored, all tell of the machine."""
    folder = tmp_path / "canary-project"
    (folder / "pipeline" / "bin").mkdir(parents=True)
    (folder / "pipeline" / "main.nf").write_text(PIPELINE)
    (folder / "pipeline" / "nextflow.config").write_text(CONFIG)
    (folder / "pipeline" / "bin" / "helper").write_text("#!/bin/sh\n")
    (folder / "tries.wfex.stage").write_text(STAGE)
    return folder / "tries.wfex.stage"


@pytest.mark.nextflow
def test_a_run_with_tries_and_failures_is_told_whole_and_says_nothing_of_this_machine(
    tries: Path, wfexs: Command, nextflow: Path, home: Path, tmp_path: Path
) -> None:
    staged = wfexs.ok("stage", tries)
    run = wfexs.ok("run", staged["id"])
    crate = tmp_path / "crate"
    parts = ("--include", "workflow", "--include", "outputs")
    wfexs.ok("crate", staged["id"], crate, "--retrospective", *parts, "--no-validate")

    validated = wfexs.ok("validate", crate)
    assert validated["required"] == 0
    assert {one["check"] for one in validated["issues"]} <= {"process-run-crate-0.5_5.1"}
    assert run["status"] == "completed"
    (action,) = runs_of(crate)
    assert "4 tasks (2 tried again, 1 failed and ignored)" in action["description"]
    entities = entities_of(crate)
    published = ids(entities[f"{MAIN}#published"]["workExample"])
    assert [one.rpartition("/")[2] for one in published] == ["2.txt", "4.txt"]
    told = {entities[one]["name"]: entities[one].get("value") for one in ids(action["object"])}
    assert told["derived"] == "workflow/data/x.fa"
    assert (crate / "workflow" / "bin" / "helper").exists()
    logs = {Path(log["@id"]).name for log in map(entities.get, entities) if log and action["@id"] in _about(log)}
    assert {"report.html", "timeline.html", "trace.txt", "dag.dot", "nextflow.log", "engine.log"} <= logs
    assert [name for name in logs if name.endswith(".stderr")]
    tasks = {one["name"]: one for one in entities.values() if one.get("instrument") == {"@id": f"{MAIN}#process/WORK"}}
    assert len(tasks) == 6
    again, ignored = tasks["WORK (sample 2) in run 1, attempt 1"], tasks["WORK (sample 3) in run 1, attempt 2"]
    assert again["error"].startswith("exit code 3; it was tried again")
    assert ignored["error"].startswith("exit code 4; this was ignored")
    assert tasks["WORK (sample 2) in run 1, attempt 2"]["result"] == {"@id": "runs/1/outputs/results/2.txt"}
    assert "/bin/echo" not in ignored["description"]
    assert "…/echo 3 >3.txt\n(exit code 4)" in ignored["description"]
    (control,) = [one for one in entities.values() if one["@type"] == "ControlAction"]
    assert set(ids(control["object"])) == {one["@id"] for one in tasks.values()}
    assert control["actionStatus"].endswith("CompletedActionStatus")
    _says_nothing_of_this_machine(crate, home, tmp_path)
    _report_has_its_data(crate)


def _about(entity: dict[str, Any]) -> list[str]:
    return [one["@id"] for one in many(entity.get("about")) if isinstance(one, dict)]


def _says_nothing_of_this_machine(crate: Path, home: Path, tmp_path: Path) -> None:
    """No place, host, address or account is in any file; what the workflow's own text says is its own."""
    address = re.compile(r"Process: \d+@(?!\[host\])")
    account = getpass.getuser()
    names = [str(home), str(tmp_path), str(home.resolve()), "canary-project"]
    names += [one for one in (socket.gethostname(), account) if len(one) > 3 and one != "root"]
    for name, text in texts_of(crate):
        if name.startswith("workflow/"):
            continue
        plain = text.replace("\\/", "/")
        assert [one for one in names if one in plain] == [], name
        assert address.search(plain) is None, name
        assert "/opt/private" not in plain, name


def _report_has_its_data(crate: Path) -> None:
    """Nextflow's own report still has what it draws of each of the six tasks."""
    page = (crate / "runs/1/logs/report.html").read_text()
    match = re.search(r'window\.data = \{ "trace":\n?(\[.*?\])\s*,\s*"summary"', page, re.DOTALL)
    assert match is not None
    tasks = json.loads(match[1].replace("\\'", "'"))
    assert len(tasks) == 6
    assert all(one["workdir"].startswith("runs/1/engine/work/") for one in tasks)
    assert all("# …/run" in one["script"] for one in tasks)


@pytest.mark.nextflow
def test_the_report_of_the_oldest_version_still_has_its_data_in_a_valid_crate(
    tries: Path, wfexs: Command, nextflow: Path, tmp_path: Path
) -> None:
    tries.write_text(STAGE.replace("24.10.0", "22.10.7"))
    staged = wfexs.ok("stage", tries)
    wfexs.ok("run", staged["id"])
    made = wfexs.ok("crate", staged["id"], tmp_path / "crate", "--retrospective")

    assert made["validation"]["required"] == 0
    _report_has_its_data(tmp_path / "crate")


FAILING = r"""
params.code = 3
process GOOD {
    tag "s${number}"
    input:
    val number
    output:
    path 'good.txt'
    script:
    "echo ${number} >good.txt"
}
process BAD {
    tag 'the last'
    publishDir 'results', mode: 'copy'
    input:
    path 'in*.txt'
    output:
    path 'first.txt'
    script:
    "echo cannot open /opt/private/data >&2; cat in*.txt >first.txt; exit ${params.code}"
}
workflow { BAD(GOOD(Channel.of(1, 2)).collect()) }
"""


@pytest.mark.nextflow
def test_a_failed_run_and_the_one_that_goes_on_from_it_are_told_apart(
    tries: Path, wfexs: Command, nextflow: Path, tmp_path: Path
) -> None:
    (tries.parent / "pipeline" / "main.nf").write_text(FAILING)
    tries.write_text(STAGE.replace("results/1.txt", "results/first.txt"))
    staged = wfexs.ok("stage", tries)
    assert wfexs.run("run", staged["id"]).returncode != 0
    wfexs.ok("run", staged["id"], "--resume", "1", "--param", "code=0")
    crate = tmp_path / "crate"
    wfexs.ok("crate", staged["id"], crate, "--retrospective", "--no-validate")

    assert wfexs.ok("validate", crate)["required"] == 0
    failed, resumed = sorted(runs_of(crate), key=lambda one: str(one["name"]))
    assert failed["actionStatus"].endswith("FailedActionStatus")
    assert "'BAD (the last)' failed: exit code 3" in failed["error"]
    assert "3 tasks (1 failed)" in failed["description"]
    assert resumed["actionStatus"].endswith("CompletedActionStatus")
    assert "going on from run 1, 3 tasks (2 taken from run 1)" in resumed["description"]
    told = [one["description"] for one in actions_of(crate) if one["name"].endswith(" in run 2")]
    assert sum("run 1 had done this work" in one for one in told) == 2
    readme = (crate / "README.md").read_text()
    assert "    cannot open …/data" in readme
    assert "/opt/private" not in readme
    stderr = list((crate / "runs/1/logs/steps").glob("*BAD*.stderr"))
    assert [one.read_text() for one in stderr] == ["cannot open …/data\n"]
