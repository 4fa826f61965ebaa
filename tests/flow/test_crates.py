"""Crates of working directories: what is in them, what is not, and that other people's tools take them."""

from __future__ import annotations

import json
import os
import re
import resource
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from engines.base import FormalParameter
from engines.execution import Status
from staging.errors import CrateError, DigestError, NotFoundError, PolicyError, UsageError
from staging.fingerprints import Tree
from staging.plan import Json, Kind, Plan, Role
from tests.support.crates import (
    Workdir,
    empty_workdir,
    entities_of,
    ids,
    is_golden,
    many,
    metadata_of,
    sha256,
    usual_workdir,
)
from wfexs_like.crate.contexts import CONTEXT_FILES
from wfexs_like.crate.export import CrateKind, export_crate
from wfexs_like.crate.report_types import CrateReport
from wfexs_like.crate.subject import CrateSubject
from wfexs_like.crate.validation import KNOWN
from wfexs_like.settings import Person

FAILED = "http://schema.org/FailedActionStatus"
COMPLETED = "http://schema.org/CompletedActionStatus"
GOLDEN = Path(__file__).parent.parent / "golden" / "crate-retrospective.json"
ORACLE = Path(__file__).resolve().parents[2] / ".venv-oracle" / "bin" / "runcrate"


@pytest.fixture(scope="session")
def cache(alike: Path) -> Path:
    return alike


def export(
    subject: CrateSubject,
    destination: Path,
    kind: CrateKind = "retrospective",
    *,
    include: frozenset[str] = frozenset(),
    cache: Path | None = None,
    rehash: bool = False,
) -> CrateReport:
    """Export, validated when there is a ``cache``."""
    validate = cache is not None
    place = cache or destination.parent / "cache"
    return export_crate(subject, destination, kind=kind, include=include, validate=validate, cache=place, rehash=rehash)


def sound(report: CrateReport, *also: str) -> None:
    """The crate conforms, but for the check that no crate can meet (and those that are named)."""
    assert report.validation is not None
    told = [(one.check, one.entity, one.message) for one in report.validation.issues if one.check not in (KNOWN, *also)]
    assert told == []
    assert report.validation.passed
    assert report.validation.required == 0


def texts_of(crate: Path) -> Iterator[tuple[str, str]]:
    """Every file of a crate, as text."""
    for path in sorted(crate.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(crate)), path.read_text(encoding="utf-8", errors="replace")


def actions_of(crate: Path) -> list[dict[str, Any]]:
    return [one for one in metadata_of(crate)["@graph"] if one["@type"] == "CreateAction"]


def tour(root: Path) -> Workdir:
    """Every kind of value that CWL has, in and out, and runs that ended in every way."""
    workdir = empty_workdir(root)
    workdir.file_input(
        "text",
        b"b\na\n",
        basename="in put#1%.txt",
        identifier="https://example.org/in.txt",
        licences=("CC-BY-4.0",),
        attributions=({"name": "Ada", "pid": "0000-0002-1825-0097"},),
    )
    workdir.folder_input("folder", {"x/y.txt": b"y", "z.txt": b"z"}, identifier="git+https://example.org/r.git@abc")
    for index, name in enumerate(("a.bam", "a.bam.bai")):
        workdir.item(Role.INPUT, f"bam{'.secondaryFiles[0]' * index}", f"inputs/bam/{name}", name.encode())
    workdir.parameters["bam"] = {
        "class": "File",
        "item": "bam",
        "format": "http://edamontology.org/format_2572",
        "secondaryFiles": [{"class": "File", "item": "bam.secondaryFiles[0]"}],
    }
    workdir.inputs.append(FormalParameter(name="bam", type="File", required=True, secondary=(".bai",)))
    for index in range(3):
        workdir.item(Role.INPUT, f"many[{index}]", f"inputs/many/{index}/same.txt", b"%d" % (index // 2))
    workdir.parameters["many"] = [{"class": "File", "item": f"many[{index}]"} for index in range(3)]
    nested = {"type": "array", "items": {"type": "array", "items": "File"}}
    workdir.inputs.append(FormalParameter(name="many", type=nested, required=True))
    workdir.item(Role.INPUT, "record.file", "inputs/record/file/r.txt", b"r")
    workdir.value(
        "record",
        {"file": {"class": "File", "item": "record.file"}, "size": 1.5, "tags": ["x", "y"]},
        {"type": "record", "fields": []},
    )
    workdir.value("word", "naïve <b>&", "string")
    workdir.value("flag", False, ["null", "boolean"])
    workdir.value("numbers", [3, 1, 3], {"type": "array", "items": "int"})
    workdir.value("words", ["only"], {"type": "array", "items": "string"})
    workdir.value("nothing", [], {"type": "array", "items": "File"})
    workdir.value("level", None, "int", default=7, has_default=True)
    workdir.value(
        "reference", None, "File", default={"class": "File", "location": "file:///home/canary/r.fa"}, has_default=True
    )
    workdir.value("perhaps", None, ["null", "File"])
    workdir.value("maybe", None, ["null", "int"])
    workdir.value("any", {"deep": [{"er": None}]}, "Any")
    workdir.environment["LEVEL"] = "high"
    workdir.output("sorted")
    workdir.output("indexed")
    workdir.output("folder_out", "Directory")
    workdir.output("count", "int")
    workdir.output("skipped", ["null", "File"])
    workdir.output("lines", {"type": "array", "items": "File"})
    for run in (1, 2):
        out = f"runs/{run}/outputs/made"
        workdir.write(f"{out}/a b.txt", b"1")
        workdir.write(f"{out}/sub/run.sh", b"2")
        tree = Tree.of_directory(workdir.content / out)
        workdir.ran(
            {
                "sorted": workdir.made(run, "sörted.txt", b"A\n"),
                "indexed": {
                    **workdir.made(run, "x.vcf.gz", b"x"),
                    "secondaryFiles": [workdir.made(run, "x.vcf.gz.tbi", b"t")],
                },
                "folder_out": {
                    "class": "Directory",
                    "path": out,
                    "sha256": tree.fingerprint.digest,
                    "basename": "made",
                },
                "count": 42,
                "skipped": None,
                "lines": [workdir.made(run, f"lines/{index}.txt", b"%d" % index) for index in range(3)],
            },
            environment={"LEVEL": "high", "HOME": "/home/canary"},
        )
    workdir.ran(status=Status.FAILED, exit_code=1, error=f"step sort failed: {workdir.content}/inputs/text: no space")
    workdir.ran(status=Status.KILLED, exit_code=None, logs=())
    workdir.ran({"sorted": workdir.made(5, "sorted.txt", b"part\n")}, status=Status.FAILED, exit_code=1)
    return workdir


# --- conformance ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["crate", "crate.zip"])
@pytest.mark.parametrize("kind", ["prospective", "retrospective"])
def test_a_usual_crate_conforms_with_nothing_recommended_missing_that_could_be_there(
    kind: CrateKind, name: str, tmp_path: Path, cache: Path
) -> None:
    report = export(usual_workdir(tmp_path).subject(), tmp_path / name, kind, cache=cache)
    sound(report)
    assert report.validation is not None
    assert report.validation.recommended == (1 if kind == "retrospective" else 0)
    assert report.path == tmp_path / name
    assert report.path.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["canary-user", name])


def test_a_crate_with_every_kind_of_value_and_of_end_conforms(tmp_path: Path, cache: Path) -> None:
    workdir = tour(tmp_path)
    person = Person(name="Ada Lovelace", orcid="0000-0002-1825-0097", affiliation="Analytical <https://ror.org/01abc>")
    subject = workdir.subject(person=person, licence="Apache-2.0")
    sound(export(subject, tmp_path / "all", include=frozenset({"all"}), cache=cache))
    sound(export(subject, tmp_path / "some", cache=cache))
    sound(export(subject, tmp_path / "staged", "prospective", cache=cache))


def test_a_crate_of_nothing_but_a_killed_run_conforms_but_for_the_end_that_nobody_saw(
    tmp_path: Path, cache: Path
) -> None:
    workdir = usual_workdir(tmp_path, runs=0)
    workdir.ran(status=Status.KILLED, ended=None, exit_code=None, logs=())
    report = export(workdir.subject(), tmp_path / "crate", cache=cache)
    end = [one for one in report.validation.issues if "endTime" in one.message] if report.validation else []
    assert len(end) == 1
    sound(report, end[0].check)
    (action,) = actions_of(tmp_path / "crate")
    assert action["actionStatus"] == FAILED
    assert "killed" in action["error"]
    assert "endTime" not in action
    assert ids(action["result"]) == ["runs/1/logs/engine.log"]


def test_the_stock_validator_and_the_reference_library_take_the_crate(tmp_path: Path) -> None:
    export(tour(tmp_path).subject(), tmp_path / "crate", include=frozenset({"all"}))
    fill = (
        "import json, sys\n"
        "from requests.adapters import HTTPAdapter\n"
        "from rocrate_validator.utils.http import HttpRequester\n"
        "from urllib3 import HTTPResponse\n"
        "files = json.loads(sys.argv[2])\n"
        "class Local(HTTPAdapter):\n"
        "    def send(self, request, **_):\n"
        "        headers = {'Content-Type': 'application/ld+json'}\n"
        "        body = open(files[request.url], 'rb')\n"
        "        raw = HTTPResponse(body=body, headers=headers, status=200, preload_content=False)\n"
        "        return self.build_response(request, raw)\n"
        "session = HttpRequester(cache_path=sys.argv[1]).session\n"
        "session.mount('https://', Local())\n"
        "for url in files: session.get(url)\n"
    )
    files = json.dumps({url: str(path) for url, path in CONTEXT_FILES.items()})
    stock = tmp_path / "stock"
    environment = {**os.environ, "ROCRATE_VALIDATOR_AUTO_WARM": "0"}
    subprocess.run([sys.executable, "-W", "ignore", "-c", fill, str(stock), files], check=True, env=environment)
    command = [
        str(Path(sys.executable).with_name("rocrate-validator")),
        *("-y", "validate", "--offline", "--cache-path", str(stock), "--skip-availability-check", "--no-paging"),
        *("-p", "workflow-run-crate-0.5", "-l", "recommended", "-f", "json", "-o", str(tmp_path / "report.json")),
        str(tmp_path / "crate"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    report = json.loads((tmp_path / "report.json").read_text())
    assert {one["check"]["identifier"] for one in report["issues"]} == {KNOWN}, done.stdout + done.stderr
    read = (
        "import sys; from rocrate.rocrate import ROCrate\n"
        "crate = ROCrate(sys.argv[1])\n"
        "assert crate.mainEntity.id == 'workflow/wf.cwl'\n"
        "print(len([one for one in crate.get_entities() if one.type == 'CreateAction']))\n"
    )
    said = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", read, str(tmp_path / "crate")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == "5"


@pytest.mark.oracle
def test_runcrate_reports_the_runs_with_their_inputs_and_outputs(tmp_path: Path) -> None:
    export(usual_workdir(tmp_path).subject(), tmp_path / "crate")
    done = subprocess.run([str(ORACLE), "report", str(tmp_path / "crate")], capture_output=True, text=True, check=True)
    assert done.stdout.count("action: #") == 2
    assert "3 <- workflow/wf.cwl#count" in done.stdout
    assert "runs/2/outputs/sorted.txt <- workflow/wf.cwl#sorted" in done.stdout


def test_the_metadata_are_those_of_the_golden_file(tmp_path: Path) -> None:
    export(usual_workdir(tmp_path).subject(), tmp_path / "crate")
    is_golden(tmp_path / "crate", GOLDEN)


# --- what a crate says ------------------------------------------------------------------------------------------------


def test_a_prospective_crate_has_the_parameters_and_the_staged_values_and_declares_no_run(tmp_path: Path) -> None:
    report = export(tour(tmp_path).subject(), tmp_path / "crate", "prospective")
    entities = entities_of(tmp_path / "crate")
    assert report.profiles == ("https://w3id.org/workflowhub/workflow-ro-crate/1.0",)
    assert ids(entities["./"]["conformsTo"]) == list(report.profiles)
    assert actions_of(tmp_path / "crate") == []
    main = entities["workflow/wf.cwl"]
    assert set(main["@type"]) == {"File", "SoftwareSourceCode", "ComputationalWorkflow"}
    assert ids(main["hasPart"]) == ["workflow/tr.cwl"]
    assert entities["workflow/tr.cwl"]["@type"] == "File"
    level = entities["workflow/wf.cwl#level"]
    assert (level["additionalType"], level["defaultValue"], level["valueRequired"]) == ("Integer", 7, False)
    many_files = entities["workflow/wf.cwl#many"]
    assert (many_files["additionalType"], many_files["multipleValues"]) == ("File", True)
    assert len(ids(many_files["workExample"])) == 2  # three files, two contents
    text = entities[ids(entities["workflow/wf.cwl#text"]["workExample"])[0]]
    assert (text["sha256"], text["contentSize"]) == (sha256(b"b\na\n"), "4")
    assert text["contentUrl"] == "https://example.org/in.txt"
    assert ids(text["license"]) == ["https://spdx.org/licenses/CC-BY-4.0"]
    assert ids(text["author"]) == ["https://orcid.org/0000-0002-1825-0097"]
    assert not (tmp_path / "crate" / "inputs").exists()
    assert not (tmp_path / "crate" / "runs").exists()


def test_every_run_is_a_create_action_of_the_main_workflow_with_how_it_ended(tmp_path: Path) -> None:
    export(tour(tmp_path).subject(), tmp_path / "crate")
    entities = entities_of(tmp_path / "crate")
    actions = sorted(actions_of(tmp_path / "crate"), key=lambda one: one["@id"])
    assert [one["actionStatus"] for one in actions] == [COMPLETED, COMPLETED, FAILED, FAILED, FAILED]
    assert all(ids(one["instrument"]) == ["workflow/wf.cwl"] for one in actions)
    assert set(ids(entities["./"]["mentions"])) >= {one["@id"] for one in actions}
    assert actions[0]["startTime"] == "2026-11-01T10:00:00.000+00:00"
    assert actions[2]["error"] == "step sort failed: inputs/text: no space"
    assert "error" not in actions[0]
    assert ids(actions[4]["result"]) == ["runs/5/outputs/sorted.txt"]
    assert [entities[one]["value"] for one in ids(actions[0]["environment"])] == ["high"]


def test_each_value_is_tied_to_the_parameter_that_it_fills(tmp_path: Path) -> None:
    export(tour(tmp_path).subject(), tmp_path / "crate", include=frozenset({"all"}))
    entities = entities_of(tmp_path / "crate")

    def examples(name: str) -> list[dict[str, Any]]:
        found = [entities[one] for one in ids(entities[f"workflow/wf.cwl#{name}"].get("workExample"))]
        assert all(f"workflow/wf.cwl#{name}" in ids(one["exampleOfWork"]) for one in found)
        return found

    def value(name: str) -> Any:
        (found,) = examples(name)
        return found["value"]

    assert value("word") == "naïve <b>&"
    assert value("flag") is False
    assert value("numbers") == "[3,1,3]"
    assert value("level") == 7
    assert value("maybe") == "null"
    assert value("reference") == "r.fa"
    (bam,) = examples("bam")
    assert bam["@type"] == "Collection"
    assert ids(bam["mainEntity"]) == ["inputs/bam/a.bam"]
    assert ids(bam["hasPart"]) == ["inputs/bam/a.bam", "inputs/bam/a.bam.bai"]
    assert {"@id": "http://edamontology.org/format_2572"} in entities["inputs/bam/a.bam"]["encodingFormat"]
    (text,) = examples("text")
    assert text["@id"] == "inputs/text/in%20put%231%25.txt"
    (folder,) = examples("folder_out")[:1]
    assert folder["@id"] == "runs/1/outputs/made/"
    assert ids(folder["hasPart"]) == ["runs/1/outputs/made/a%20b.txt", "runs/1/outputs/made/sub/run.sh"]
    tree = Tree.of_directory(tmp_path / "crate" / "runs/1/outputs/made").fingerprint.digest
    assert [entities[one]["value"] for one in ids(folder["identifier"])] == [tree]
    fields = {entities[one]["name"]: entities[one]["value"] for one in ids(value("record"))}
    assert fields["record.size"] == 1.5
    assert fields["record.file"] == {"@id": "inputs/record/file/r.txt"}
    first = min(actions_of(tmp_path / "crate"), key=lambda one: one["@id"])
    assert "inputs/record/file/r.txt" in ids(first["object"])
    assert [one["@id"] for one in examples("lines")][:3] == [f"runs/1/outputs/lines/{index}.txt" for index in range(3)]


def test_digests_and_sizes_in_the_crate_are_those_of_the_bytes_in_the_crate(tmp_path: Path) -> None:
    export(tour(tmp_path).subject(), tmp_path / "crate", include=frozenset({"all"}))
    checked = 0
    for entity in metadata_of(tmp_path / "crate")["@graph"]:
        if "sha256" in entity and not entity["@id"].startswith(("#", "pkg:")):
            from urllib.parse import unquote

            content = (tmp_path / "crate" / unquote(entity["@id"])).read_bytes()
            assert (sha256(content), str(len(content))) == (entity["sha256"], entity["contentSize"]), entity["@id"]
            checked += 1
    assert checked > 25


def test_what_stays_out_is_told_with_its_digest_and_no_local_file_is_promised(tmp_path: Path) -> None:
    export(tour(tmp_path).subject(), tmp_path / "crate", include=frozenset({"inputs"}))
    entities = entities_of(tmp_path / "crate")
    assert not (tmp_path / "crate" / "runs/1/outputs").exists()
    assert (tmp_path / "crate" / "inputs/bam/a.bam").exists()
    out = entities[f"#sha256-{sha256(b'A' + bytes([10]))}"]
    assert out["name"] == "sörted.txt"
    for part in ids(entities["./"]["hasPart"]):
        from urllib.parse import unquote

        assert (tmp_path / "crate" / unquote(part)).exists(), part


def test_people_licence_and_affiliation_are_those_that_were_stated_and_nothing_is_made_up(tmp_path: Path) -> None:
    workdir = usual_workdir(tmp_path)
    export(workdir.subject(), tmp_path / "bare")
    bare = entities_of(tmp_path / "bare")
    for key in ("author", "publisher"):
        assert bare[ids(bare["./"][key])[0]]["name"] == "not stated"
    assert bare[ids(bare["./"]["license"])[0]]["name"] == "no licence stated"
    assert not [one for one in bare.values() if one["@type"] == "Person"]
    person = Person(name="Ada", orcid="https://orcid.org/0000-0002-1825-0097", affiliation="The Society")
    subject = workdir.subject(person=person, licence="MIT", title="A title", description="What it is.")
    export(subject, tmp_path / "stated")
    stated = entities_of(tmp_path / "stated")
    assert ids(stated["./"]["author"]) == ["https://orcid.org/0000-0002-1825-0097"]
    assert ids(actions_of(tmp_path / "stated")[0]["agent"]) == ["https://orcid.org/0000-0002-1825-0097"]
    assert ids(stated["./"]["license"]) == ["https://spdx.org/licenses/MIT"]
    assert stated["#organisation/The%20Society"]["name"] == "The Society"
    assert (stated["./"]["name"], stated["./"]["description"]) == ("A title", "What it is.")


# --- what a crate does not say ----------------------------------------------------------------------------------------


def test_no_path_of_this_machine_no_user_and_no_host_is_in_any_file_of_a_crate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "canary-user"))
    monkeypatch.setattr(socket, "gethostname", lambda: "canary-host.example")
    workdir = tour(tmp_path)
    log = "runs/1/logs/engine.log"
    workdir.write(log, f"on canary-host.example, {workdir.content}/inputs/x, /home/canary/.cache/y\n".encode())
    workdir.value("told", f"{workdir.content}/inputs/told.txt", "string")
    for kind in ("prospective", "retrospective"):
        export(workdir.subject(), tmp_path / kind, kind, include=frozenset({"inputs", "workflow"}))
        for name, text in texts_of(tmp_path / kind):
            assert "canary" not in text, name
            assert str(tmp_path) not in text, name
            assert "file://" not in text, name
    assert "on [host], inputs/x, …/y" in (tmp_path / "retrospective" / log).read_text()


def test_what_must_not_be_disclosed_is_nowhere_in_the_crate(tmp_path: Path, cache: Path) -> None:
    workdir = usual_workdir(tmp_path, runs=0)
    workdir.file_input(
        "patient",
        b"CANARY-CONTENT",
        basename="CANARY-NAME.txt",
        disclosable=False,
        identifier="https://example.org/CANARY-URL",
    )
    workdir.folder_input("cohort", {"CANARY-INNER": b"x"}, identifier="https://example.org/CANARY-C", disclosable=False)
    passed = {**workdir.made(1, "passed-on.txt", b"CANARY-CONTENT")}
    workdir.write("runs/1/logs/engine.log", b"CANARY-LOG")
    workdir.ran({"sorted": passed}, argv=("cwltool", "--x=CANARY-ARGUMENT"))
    workdir.ran(status=Status.FAILED, exit_code=1, error="CANARY-ERROR in CANARY-NAME.txt")
    report = export(workdir.subject(), tmp_path / "crate", include=frozenset({"all"}), cache=cache)
    sound(report, "process-run-crate-0.5_11.1")  # the failed run has no result, and its log is withheld
    digests = [
        sha256(b"CANARY-CONTENT"),
        Tree.of_directory(workdir.content / "inputs/cohort/folder").fingerprint.digest,
    ]
    for name, text in texts_of(tmp_path / "crate"):
        assert "CANARY" not in text, name
        assert not [one for one in digests if one in text], name
    assert not [path for path in (tmp_path / "crate").rglob("*") if "CANARY" in path.name]
    readme = (tmp_path / "crate" / "README.md").read_text()
    assert "Not disclosed" in readme
    assert "patient" in readme


@pytest.mark.parametrize("shape", ["copy in a folder", "member of a folder", "member in a folder", "member, no digest"])
def test_undisclosed_bytes_are_found_again_in_whatever_a_run_made_of_them(tmp_path: Path, shape: str) -> None:
    workdir = usual_workdir(tmp_path, runs=0)
    workdir.file_input("patient", b"SECRET-ONE", disclosable=False)
    workdir.folder_input("cohort", {"a/b": b"SECRET-TWO"}, identifier="https://example.org/c", disclosable=False)
    secret = b"SECRET-ONE" if shape == "copy in a folder" else b"SECRET-TWO"
    if shape.startswith("member of") or shape.endswith("digest"):
        passed = workdir.made(1, "passed.txt", secret)
        if shape.endswith("digest"):
            del passed["sha256"]
    else:
        workdir.made(1, "made/fine.txt", b"fine")
        workdir.made(1, "made/sub/passed.txt", secret)
        tree = Tree.of_directory(workdir.content / "runs/1/outputs/made").fingerprint.digest
        passed = {"class": "Directory", "path": "runs/1/outputs/made", "basename": "made", "sha256": tree}
    workdir.output("passed", "Any")
    workdir.ran({"sorted": workdir.made(1, "sorted.txt", b"sorted"), "passed": passed})
    export(workdir.subject(), tmp_path / "crate", include=frozenset({"all"}))
    for name, text in texts_of(tmp_path / "crate"):
        assert "SECRET" not in text, name
        assert sha256(secret) not in text, name
    assert (tmp_path / "crate/runs/1/outputs/sorted.txt").exists()
    assert re.search(r"Not disclosed.*passed", (tmp_path / "crate" / "README.md").read_text())


def test_an_undisclosed_folder_that_was_changed_cannot_be_kept_out_and_is_refused(tmp_path: Path) -> None:
    workdir = usual_workdir(tmp_path, runs=0)
    workdir.folder_input("cohort", {"a": b"x"}, identifier="https://example.org/c", disclosable=False)
    workdir.ran({"sorted": workdir.made(1, "sorted.txt", b"sorted")})
    workdir.write("inputs/cohort/folder/a", b"changed")
    with pytest.raises(DigestError, match="cohort"):
        export(workdir.subject(), tmp_path / "crate")


def test_what_must_not_be_cloned_is_told_of_but_not_in_the_crate(tmp_path: Path) -> None:
    workdir = usual_workdir(tmp_path, runs=0)
    workdir.file_input("model", b"MODEL", basename="model.bin", clonable=False)
    workdir.ran({"sorted": workdir.made(1, "same.bin", b"MODEL")})
    export(workdir.subject(), tmp_path / "crate", include=frozenset({"all"}))
    assert not list((tmp_path / "crate").rglob("*.bin"))
    assert entities_of(tmp_path / "crate")[f"#sha256-{sha256(b'MODEL')}"]["name"] == "model.bin"


def test_a_workflow_that_must_not_be_disclosed_makes_no_crate(tmp_path: Path) -> None:
    workdir = usual_workdir(tmp_path)
    workdir.items[0] = replace(workdir.items[0], disclosable=False)
    with pytest.raises(PolicyError):
        export(workdir.subject(), tmp_path / "crate")
    assert not (tmp_path / "crate").exists()


def test_no_token_password_or_local_path_of_a_text_or_address_is_in_any_file_of_a_crate(tmp_path: Path) -> None:
    workdir = usual_workdir(tmp_path, runs=0)
    signed = "https://example.org/data/in.gz?X-Amz-Signature=CANARY&download=1"
    workdir.file_input("signed", b"signed", identifier=signed)
    workdir.value("address", "http://ada:CANARY@example.org/x?token=CANARY", "string", doc="see file:///mnt/CANARY/doc")
    workdir.value("place", "/usr/share/dict/words", "string", default="file:///mnt/CANARY/x", has_default=True)
    workdir.value("given", None, "string", default="file:///mnt/CANARY/x", has_default=True)
    workdir.outputs.append(FormalParameter(name="said", type="string", required=True, label="/mnt/CANARY/label/x"))
    workdir.write("runs/1/logs/engine.log", b"GET http://ada:CANARY@example.org/ and file:///mnt/CANARY/x\n")
    workdir.ran({"sorted": workdir.made(1, "sorted.txt", b"x"), "said": "https://ada:CANARY@h/ file:///mnt/CANARY/y"})
    texts = {"title": "Of /mnt/CANARY/lab/x", "description": "and/or http://CANARY:b@h/ at /mnt/CANARY/y, 1/2"}
    for kind in ("prospective", "retrospective"):
        export(workdir.subject(**texts), tmp_path / kind, kind)
        for name, text in texts_of(tmp_path / kind):
            assert "CANARY" not in text, name
    entities = entities_of(tmp_path / "retrospective")
    assert entities["./"]["description"] == "and/or http://h/ at …/y, 1/2"
    assert "/usr/share/dict/words" in [one.get("value") for one in entities.values()]
    (address,) = [one for one in entities.values() if one.get("value") == "http://example.org/x?…"]
    assert "Not the very text" in address["description"]
    assert entities[f"#sha256-{sha256(b'signed')}"]["contentUrl"] == "https://example.org/data/in.gz"
    assert "without their query" in (tmp_path / "retrospective" / "README.md").read_text()


def test_the_lock_is_in_the_crate_unless_it_names_what_is_local_or_secret(tmp_path: Path) -> None:
    workdir = usual_workdir(tmp_path)
    workdir.items = [
        replace(one, identifier="wf.cwl", pinned="wf.cwl") if "wf" in str(one.path) else one for one in workdir.items
    ]
    subject = workdir.subject()
    for kind in ("prospective", "retrospective"):
        export(subject, tmp_path / kind, kind)
        assert (tmp_path / kind / "stage.lock.json").read_bytes() == subject.plan.lock_bytes()
        assert "stage.lock.json" in ids(entities_of(tmp_path / kind)["./"]["hasPart"])
    text = workdir.items[-1]
    for number, item in enumerate(
        (
            replace(text, pinned="file:///mnt/ada/in.txt"),
            replace(text, hops=("https://mirror.example.org/in.txt?download=1",)),
            replace(text, identifier="/mnt/ada/in.txt"),
            replace(text, disclosable=False),
        )
    ):
        workdir.items[-1] = item
        export(workdir.subject(), tmp_path / str(number))
        assert not (tmp_path / str(number) / "stage.lock.json").exists()
        assert "is not in this crate" in (tmp_path / str(number) / "README.md").read_text()
        told = tmp_path / str(number) / "told.lock.json"
        assert told.exists() == item.disclosable
        if item.disclosable:
            (same,) = [one for one in Plan.parse(told.read_bytes(), file="told").items if one.name == item.name]
            place = str(item.path)
            assert same == replace(item, identifier=place, pinned=place, hops=())
            assert "told.lock.json" in ids(entities_of(tmp_path / str(number))["./"]["hasPart"])


@pytest.mark.parametrize("include", ["workflow", "all"])
@pytest.mark.parametrize("kind", [Kind.FILE, Kind.DIRECTORY])
def test_the_workflow_has_one_name_whatever_is_included(tmp_path: Path, include: str, kind: Kind) -> None:
    workdir = usual_workdir(tmp_path)
    if kind is Kind.DIRECTORY:
        tree = Tree.of_directory(workdir.content / "workflow")
        place = {"path": PurePosixPath("workflow"), "fingerprint": tree.fingerprint, "size": tree.size}
        workdir.items[0] = replace(workdir.items[0], kind=kind, **place)  # type: ignore[arg-type]
    export(workdir.subject(), tmp_path / "crate", include=frozenset({include}))
    entities = entities_of(tmp_path / "crate")
    assert entities["workflow/wf.cwl"]["name"] == "Upper and sort"
    assert entities["workflow/wf.cwl"]["encodingFormat"] == "application/cwl+yaml"
    actions = actions_of(tmp_path / "crate")
    assert sorted(one["name"] for one in actions) == ["Run 1 of Upper and sort", "Run 2 of Upper and sort"]
    assert {one["description"] for one in actions} == {"cwltool 3.3 on Upper and sort"}


def test_files_in_the_environment_are_told_as_inputs_are(tmp_path: Path, cache: Path) -> None:
    workdir = usual_workdir(tmp_path, runs=0)
    for index in (0, 1):
        workdir.item(Role.ENVIRONMENT, f"CONFIG[{index}]", f"environment/CONFIG/{index}.ini", b"%d" % index)
    workdir.item(Role.ENVIRONMENT, "text", "environment/text/t.ini", b"named like an input")
    workdir.environment["CONFIG"] = [{"class": "File", "item": f"CONFIG[{index}]"} for index in (0, 1)]
    workdir.environment["text"] = {"class": "File", "item": "text"}
    workdir.environment["LEVEL"] = "high"
    paths = ":".join(f"{workdir.content}/environment/CONFIG/{index}.ini" for index in (0, 1))
    workdir.ran({"sorted": workdir.made(1, "s.txt", b"s")}, environment={"LEVEL": "high", "CONFIG": paths})
    sound(export(workdir.subject(), tmp_path / "crate", include=frozenset({"inputs"}), cache=cache))
    entities = entities_of(tmp_path / "crate")
    (action,) = actions_of(tmp_path / "crate")
    for index in (0, 1):
        path = f"environment/CONFIG/{index}.ini"
        assert entities[path]["sha256"] == sha256(b"%d" % index)
        assert (tmp_path / "crate" / path).read_bytes() == b"%d" % index
        assert path in ids(action["object"])
    assert entities["environment/text/t.ini"]["name"] == "t.ini"
    export(workdir.subject(), tmp_path / "staged", "prospective")
    for page in ("README.md", "ro-crate-preview.html"):
        for name in ("crate", "staged"):
            told = (tmp_path / name / page).read_text()
            assert "Environment" in told
            assert "1.ini" in told
            assert "LEVEL" in told


def test_people_read_where_to_get_what_is_missing_and_which_tools_ran(tmp_path: Path) -> None:
    workdir = tour(tmp_path)
    host: dict[str, Json] = {"operating_system": "Debian 12", "architecture": "x86_64", "hostname": "canary-host"}
    workdir.executions[0] = replace(workdir.executions[0], host=host)
    workdir.folder_input("single", {"x": b"1"}, identifier="https://example.org/s")
    workdir.ran()
    export(workdir.subject(), tmp_path / "crate", include=frozenset({"inputs"}))
    preview = (tmp_path / "crate" / "ro-crate-preview.html").read_text()
    assert '<a href="inputs/bam/a.bam.bai">a.bam.bai</a>' in preview
    assert "setpriv" not in preview + (tmp_path / "crate" / "README.md").read_text()
    assert "(Debian 12, x86_64): their versions are not pinned" in preview
    assert "folder of 1 entry," in preview
    export(workdir.subject(), tmp_path / "bare", "prospective")
    for page in ("README.md", "ro-crate-preview.html"):
        told = (tmp_path / "bare" / page).read_text()
        assert "its source was local: ask for it" in told
        for untrue in ("had the engine run", "Run it again", "here it was"):
            assert untrue not in told
    assert "Nothing was run" in entities_of(tmp_path / "bare")["#wfexs-like"]["description"]


# --- what goes wrong --------------------------------------------------------------------------------------------------


def _nothing_left(tmp_path: Path) -> None:
    assert sorted(path.name for path in tmp_path.iterdir()) == ["canary-user"]


def test_an_output_that_was_changed_since_the_run_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    workdir = usual_workdir(tmp_path)
    workdir.write("runs/2/outputs/sorted.txt", b"changed")
    for name in ("crate", "crate.zip"):
        with pytest.raises(DigestError) as caught:
            export(workdir.subject(), tmp_path / name)
        assert sha256(b"changed") in str(caught.value.fields["actual"])
        _nothing_left(tmp_path)


def test_a_workflow_document_that_was_changed_since_it_was_staged_is_refused(tmp_path: Path) -> None:
    workdir = usual_workdir(tmp_path)
    workdir.write("workflow/wf.cwl", b"changed")
    with pytest.raises(DigestError):
        export(workdir.subject(), tmp_path / "crate", "prospective")


def test_a_document_of_a_repository_is_held_to_the_digest_of_the_whole(tmp_path: Path) -> None:
    workdir = usual_workdir(tmp_path)
    tree = Tree.of_directory(workdir.content / "workflow")
    whole = replace(
        workdir.items[0],
        kind=Kind.DIRECTORY,
        fingerprint=tree.fingerprint,
        size=tree.size,
        path=PurePosixPath("workflow"),
        pinned="git+https://example.org/r.git@0123abc",
    )
    workdir.items[0] = whole
    export(workdir.subject(), tmp_path / "good")
    main = entities_of(tmp_path / "good")["workflow/wf.cwl"]
    assert (main["version"], main["codeRepository"]) == ("0123abc", "https://example.org/r.git")
    workdir.write("workflow/tr.cwl", b"changed")
    with pytest.raises(DigestError):
        export(workdir.subject(), tmp_path / "crate")


def test_an_input_that_stays_out_is_read_when_asked_for(tmp_path: Path) -> None:
    workdir = usual_workdir(tmp_path)
    workdir.write("inputs/text/in.txt", b"changed")
    export(workdir.subject(), tmp_path / "trusting")
    with pytest.raises(DigestError):
        export(workdir.subject(), tmp_path / "crate", rehash=True)
    with pytest.raises(DigestError):
        export(workdir.subject(), tmp_path / "crate", include=frozenset({"inputs"}))


def test_an_output_that_stays_out_is_read_all_the_same(tmp_path: Path) -> None:
    workdir = usual_workdir(tmp_path)
    only = frozenset({"inputs"})
    recorded = workdir.executions[1].outputs["sorted"]
    assert isinstance(recorded, dict)
    lying = replace(workdir.executions[1], outputs={"sorted": {**recorded, "size": 999}})
    with pytest.raises(DigestError, match="999"):
        export(workdir.subject(executions=(lying,)), tmp_path / "crate", include=only)
    workdir.write("runs/2/outputs/sorted.txt", b"changed")
    with pytest.raises(DigestError, match=r"sorted\.txt"):
        export(workdir.subject(), tmp_path / "crate", include=only)
    (workdir.content / "runs/2/outputs/sorted.txt").unlink()
    with pytest.raises(NotFoundError, match=r"sorted\.txt"):
        export(workdir.subject(), tmp_path / "crate", include=only)
    _nothing_left(tmp_path)


def test_an_output_that_is_gone_is_said_to_be(tmp_path: Path) -> None:
    workdir = usual_workdir(tmp_path)
    (workdir.content / "runs/1/outputs/sorted.txt").unlink()
    with pytest.raises(NotFoundError, match=r"sorted\.txt"):
        export(workdir.subject(), tmp_path / "crate")
    _nothing_left(tmp_path)


def test_a_destination_that_exists_is_never_touched(tmp_path: Path) -> None:
    workdir = usual_workdir(tmp_path)
    (tmp_path / "crate").mkdir()
    (tmp_path / "crate.zip").write_text("mine")
    (tmp_path / "dangling").symlink_to("nowhere")
    for name in ("crate", "crate.zip", "dangling"):
        with pytest.raises(UsageError, match="exists already"):
            export(workdir.subject(), tmp_path / name)
    assert (tmp_path / "crate.zip").read_text() == "mine"
    assert list((tmp_path / "crate").iterdir()) == []
    with pytest.raises(UsageError, match="no folder"):
        export(workdir.subject(), tmp_path / "missing" / "crate")


def test_an_invalid_crate_is_refused_with_its_issues_and_leaves_nothing(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wfexs_like.crate.contextual import Contextual

    monkeypatch.setattr(Contextual, "language", lambda self, word, version: None)
    with pytest.raises(CrateError) as caught:
        export(usual_workdir(tmp_path).subject(), tmp_path / "crate", cache=cache)
    assert caught.value.exit_code == 9
    assert any("language" in str(one) for one in many(caught.value.fields["issues"]))
    _nothing_left(tmp_path)


def test_a_retrospective_crate_needs_a_run_that_has_ended(tmp_path: Path) -> None:
    workdir = usual_workdir(tmp_path, runs=0)
    with pytest.raises(NotFoundError, match="no run"):
        export(workdir.subject(), tmp_path / "crate")
    workdir.ran(status=Status.RUNNING, ended=None, exit_code=None)
    with pytest.raises(NotFoundError, match="not ended"):
        export(workdir.subject(), tmp_path / "crate")
    workdir.ran({"sorted": workdir.made(2, "sorted.txt", b"x")})
    export(workdir.subject(), tmp_path / "crate")
    assert len(actions_of(tmp_path / "crate")) == 1
    assert "still running" in (tmp_path / "crate" / "ro-crate-preview.html").read_text()


def test_an_unknown_thing_to_include_is_refused_by_name(tmp_path: Path) -> None:
    subject = usual_workdir(tmp_path).subject()
    with pytest.raises(UsageError, match="everything"):
        export(subject, tmp_path / "crate", include=frozenset({"everything"}))
    with pytest.raises(UsageError, match="no outputs"):
        export(subject, tmp_path / "crate", "prospective", include=frozenset({"outputs"}))


# --- size -------------------------------------------------------------------------------------------------------------


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    subject = tour(tmp_path).subject()
    for name in ("1.zip", "2.zip"):
        export(subject, tmp_path / name, include=frozenset({"all"}))
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "1.zip") as archive:
        assert "ro-crate-metadata.json" in archive.namelist()
        assert archive.testzip() is None


def test_a_large_output_does_not_go_through_memory(tmp_path: Path) -> None:
    workdir = usual_workdir(tmp_path, runs=0)
    large = tmp_path / "canary-user" / "large"
    with large.open("wb") as stream:
        stream.truncate(300 << 20)
    path = workdir.content / "runs/1/outputs/large.bin"
    path.parent.mkdir(parents=True)
    large.rename(path)
    workdir.ran({"sorted": {"class": "File", "path": "runs/1/outputs/large.bin", "basename": "large.bin"}})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    export(workdir.subject(), tmp_path / "crate")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000
    assert entities_of(tmp_path / "crate")["runs/1/outputs/large.bin"]["contentSize"] == str(300 << 20)


def test_a_thousand_outputs_are_all_told(tmp_path: Path) -> None:
    workdir = usual_workdir(tmp_path, runs=0)
    workdir.output("lines", {"type": "array", "items": "File"})
    workdir.ran(
        {
            "sorted": workdir.made(1, "sorted.txt", b"x"),
            "lines": [workdir.made(1, f"{index}.txt", b"%d" % index) for index in range(1000)],
        }
    )
    export(workdir.subject(), tmp_path / "crate")
    entities = entities_of(tmp_path / "crate")
    assert len(ids(entities["workflow/wf.cwl#lines"]["workExample"])) == 1000
    assert len(list((tmp_path / "crate" / "runs/1/outputs").iterdir())) == 1001
    assert "and 950 more" in (tmp_path / "crate" / "README.md").read_text()
