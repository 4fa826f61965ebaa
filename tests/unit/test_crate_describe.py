"""What a crate is told of a working directory is of one plan, and whole."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from engines.execution import Execution
from engines.interface import interface_as_json
from staging.errors import DigestError, NotFoundError, UsageError
from staging.workdir import StagedWorkdir
from tests.support.crates import Workdir, usual_workdir
from wfexs_like.crate.subject import CrateSubject
from wfexs_like.flow import describe


@pytest.fixture
def made(tmp_path: Path) -> Workdir:
    workdir = usual_workdir(tmp_path)
    about = {"title": "A title", "description": None, "licence": None, "authors": []}
    workdir.write("about.json", json.dumps(about).encode())
    workdir.write("interface.json", json.dumps(interface_as_json(workdir.subject().interface)).encode())
    return workdir


def _subject(made: Workdir, monkeypatch: pytest.MonkeyPatch, *digests: str) -> CrateSubject:
    plan = made.subject().plan
    executions: tuple[Execution, ...] = tuple(
        replace(one, plan_digest=digest) for one, digest in zip(made.executions, digests, strict=True)
    )
    monkeypatch.setattr(describe, "executions_of", lambda _workdir, *, without: executions)
    workdir = StagedWorkdir(
        id="0a1b2c", nickname="tidy-otter", root=made.content.parent, created="2026-11-01T09:00:00Z"
    )
    return describe.subject_of(workdir, plan, person=None, run=None, licence=None)


def test_a_run_of_another_plan_is_refused_by_its_number(made: Workdir, monkeypatch: pytest.MonkeyPatch) -> None:
    now = str(made.subject().plan.digest)
    assert _subject(made, monkeypatch, now, "").title == "A title"
    with pytest.raises(DigestError, match="run 2 of tidy-otter") as caught:
        _subject(made, monkeypatch, now, "sha256:" + "0" * 64)
    assert caught.value.exit_code == 5


@pytest.mark.parametrize("damage", [None, "", "[]", "{}", '{"authors": [1]}', "[" * 100_000, "\xff"])
def test_a_damaged_about_is_said_to_be_that(made: Workdir, monkeypatch: pytest.MonkeyPatch, damage: str | None) -> None:
    path = made.content / "about.json"
    path.unlink() if damage is None else path.write_text(damage, encoding="latin-1")
    with pytest.raises(NotFoundError, match=r"about\.json") as caught:
        _subject(made, monkeypatch, "", "")
    assert caught.value.hint is not None
    assert "stage again" in caught.value.hint


def test_a_licence_that_does_not_exist_is_refused_before_anything_is_read(made: Workdir) -> None:
    workdir = StagedWorkdir(
        id="0a1b2c", nickname="tidy-otter", root=made.content.parent, created="2026-11-01T09:00:00Z"
    )
    with pytest.raises(UsageError, match="bogus"):
        describe.subject_of(workdir, made.subject().plan, person=None, run=None, licence="bogus")
