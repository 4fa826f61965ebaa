"""``convert`` on the command line. Real crates of both engines are converted where they are made: test_step_crates."""

from __future__ import annotations

import json
from pathlib import Path

from jsonschema import Draft202012Validator
from rdflib import Graph

from tests.conftest import Command
from tests.flow.test_crates import export
from tests.support.biocompute import faults
from tests.support.crates import usual_workdir
from tests.support.prov_documents import read_prov_json, violations
from wfexs_like.schemas import schema_of


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
