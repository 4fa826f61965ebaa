"""What must not be disclosed is in no telling of it: PROV, BioCompute Object, report, page, of crate and run alike."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engines.base import FormalParameter
from engines.execution import Status
from staging.fingerprints import Tree
from staging.plan import Role
from tests.flow.test_step_crates import stepped
from tests.support.crates import sha256
from wfexs_like.cli.account_form import account_form
from wfexs_like.converting.converting import convert
from wfexs_like.crate.export import export_crate
from wfexs_like.crate.subject import CrateSubject
from wfexs_like.flow.recounting import recount_runs
from wfexs_like.reading.recount import read_account
from wfexs_like.reporting.page import render_page

CONTENT = b"CANARY-CONTENT"


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> CrateSubject:
    """A run of two steps that took a file and a folder, and passed the file on; and one that failed over it."""
    took = {"class": "File", "path": "inputs/patient/CANARY-NAME.txt"}
    workdir, subject = stepped(
        tmp_path_factory.mktemp("workdir"),
        command=("grep", "CANARY-CONTENT", "CANARY-NAME.txt"),
        inputs={"text": took, "level": 3, "note": "CANARY-CONTENT"},
        tag="CANARY-NAME",
        environment={"PATIENT": "CANARY-NAME"},
        error="CANARY-CONTENT",
    )
    known = len(workdir.items)
    workdir.file_input("patient", CONTENT, basename="CANARY-NAME.txt", disclosable=False, kind=["null", "File"])
    workdir.folder_input(
        "cohort", {"CANARY-INNER": b"x"}, identifier="https://example.org/CANARY-URL", disclosable=False
    )
    given = {**subject.plan.parameters, **{one: workdir.parameters[one] for one in ("patient", "cohort")}}
    outputs = {**subject.executions[0].outputs, "passed": workdir.made(1, "CANARY-NAME.txt", CONTENT)}
    ended = replace(subject.executions[0], parameters=given, outputs=outputs)
    failed = replace(
        ended, run=2, uuid="40008000-0000-4000-8000-000000000002", status=Status.FAILED, outputs={}, logs=()
    )
    return replace(
        subject,
        plan=replace(subject.plan, items=(*subject.plan.items, *workdir.items[known:]), parameters=given),
        interface=replace(
            subject.interface,
            inputs=(*subject.interface.inputs, *workdir.inputs[-2:]),
            outputs=(*subject.interface.outputs, FormalParameter(name="passed", type="File", required=False)),
        ),
        executions=(ended, replace(failed, exit_code=1, error="CANARY-CONTENT in CANARY-NAME.txt")),
    )


def test_what_must_not_be_disclosed_is_in_no_telling_of_it(subject: CrateSubject, tmp_path: Path) -> None:
    crate, told = tmp_path / "crate", {}
    export_crate(subject, crate, kind="retrospective", cache=tmp_path, validate=False, prov=True)
    account, now = read_account(crate), datetime.now(UTC)
    for standard, form in (("prov", "turtle"), ("prov", "json"), ("bco", None)):
        told[f"{standard} {form}"] = "".join(convert(account, standard, form=form, moment=now).pieces)  # type: ignore[arg-type]
    for where, one in (("crate", account), ("run", recount_runs(subject)[0])):
        told[f"report of the {where}"] = json.dumps(account_form(one))
        told[f"page of the {where}"] = render_page(one)
    told |= {str(path.relative_to(crate)): path.read_text() for path in crate.rglob("*") if path.is_file()}

    folder = Tree.of_directory(subject.content / "inputs/cohort/folder").fingerprint.digest
    for name, text in told.items():
        assert "CANARY" not in name
        for secret in ("CANARY", sha256(CONTENT), folder):
            assert secret not in text, name
    # It is told that there is something, and that it is not told.
    assert {"provenance/prov.ttl", "provenance/prov.json"} <= told.keys()
    assert "patient (not disclosed)" in told["page of the run"]
    assert "patient" in told["prov turtle"]
    assert len([one for one in subject.plan.of_role(Role.INPUT) if not one.disclosable]) == 2
