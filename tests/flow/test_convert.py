"""``convert`` on the command line. Real crates of both engines are converted where they are made: test_step_crates."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from rdflib import Graph

from tests.conftest import Command
from tests.flow.test_crates import export, sound
from tests.support.biocompute import faults
from tests.support.crates import entities_of, sha256, usual_workdir
from tests.support.prov_documents import read_prov_json, violations
from wfexs_like.converting.converting import convert
from wfexs_like.crate.export import export_crate
from wfexs_like.reading.recount import read_account
from wfexs_like.schemas import schema_of


@pytest.fixture(scope="session")
def cache(alike: Path) -> Path:
    return alike


def test_a_document_goes_to_standard_output_and_a_file_is_never_written_over(wfexs: Command, tmp_path: Path) -> None:
    crate = tmp_path / "crate"
    export(usual_workdir(tmp_path / "workdir").subject(), crate)
    printed = wfexs.run("convert", crate, "--to", "bco")
    assert printed.returncode == 0
    assert faults(json.loads(printed.stdout)) == []
    assert "warning: the crate tells no keywords" in printed.stderr
    graph = Graph().parse(data=wfexs.run("convert", crate, "--to", "prov").stdout, format="turtle")
    assert len(graph) > 20
    told = wfexs.ok("convert", crate, "--to", "prov", "--format", "json", "-o", tmp_path / "prov.json")
    assert list(Draft202012Validator(schema_of("convert")).iter_errors(told)) == []
    assert violations(read_prov_json(Path(told["path"]).read_text())) == []

    written = tmp_path / "there.ttl"
    written.write_text("mine")
    refused = wfexs("convert", crate, "--to", "prov", "-o", written)
    assert (refused.code, refused.object["error"]["kind"]) == (2, "usage")
    assert written.read_text() == "mine"
    assert wfexs("convert", tmp_path / "nothing", "--to", "prov").code == 10
    assert wfexs("convert", crate, "--to", "bco", "--format", "turtle").code == 2


def test_a_crate_has_its_own_prov_beside_its_metadata_and_converting_it_gives_the_same(
    tmp_path: Path, cache: Path
) -> None:
    subject = usual_workdir(tmp_path / "workdir").subject()
    crate = tmp_path / "crate"
    sound(export_crate(subject, crate, kind="retrospective", cache=cache, prov=True))

    written = (crate / "provenance" / "prov.ttl").read_text()
    account = read_account(crate)
    assert written == "".join(convert(account, "prov", moment=datetime.now(UTC)).pieces)
    assert violations(read_prov_json((crate / "provenance" / "prov.json").read_text())) == []
    entity = entities_of(crate)["provenance/prov.ttl"]
    assert entity["sha256"] == sha256(written.encode())
    assert entity["about"] == {"@id": "./"}
    assert "canary" not in written
    assert str(tmp_path) not in written


@pytest.mark.cwltool
def test_prov_of_a_sealed_crate_is_sealed(wfexs: Command, tmp_path: Path) -> None:
    wfexs.ok("keys", "init", "--no-passphrase")
    (tmp_path / "w.cwl").write_text(
        "{cwlVersion: v1.2, class: CommandLineTool, baseCommand: [echo, telltale], inputs: [], stdout: telltale.txt,"
        " outputs: {out: stdout}}"
    )
    (tmp_path / "w.wfex.stage").write_text(
        "{workflow_id: ./w.cwl, workflow_config: {secure: false, containerType: none}}"
    )
    staged = wfexs.ok("stage", tmp_path / "w.wfex.stage")
    wfexs.ok("run", staged["id"])
    crate = tmp_path / "sealed"
    wfexs.ok("crate", staged["id"], crate, "--prov", "--seal", "files", "--metadata", "minimal", "--no-validate")

    assert all(b"telltale" not in one.read_bytes() for one in crate.rglob("*") if one.is_file())
    assert not list(crate.rglob("*.ttl"))
    wfexs.ok("open", crate, tmp_path / "opened")
    assert "telltale.txt" in (tmp_path / "opened" / "provenance" / "prov.ttl").read_text()
