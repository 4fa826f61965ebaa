"""Proof: a trial run in which there is nothing but what was staged, and no network."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import engines.isolation
import engines.launcher
from engines.isolation import Isolation, choices
from staging.errors import PolicyError
from tests.conftest import Command
from wfexs_like.cli.running import proof_exit_code
from wfexs_like.cli.views import proof_words
from wfexs_like.schemas import schema_of
from wfexs_like.session import Session
from wfexs_like.settings import Settings

pytestmark = [pytest.mark.netns, pytest.mark.cwltool]

TOOL = """cwlVersion: v1.2
class: CommandLineTool
baseCommand: [sh, -c]
arguments: ['{command}']
inputs:
  data: {{type: File, inputBinding: {{position: 1}}}}
outputs: {{out: stdout}}
stdout: out.txt
"""

STAGE = """workflow_id: main.cwl
workflow_type: cwl
nickname: {name}
params:
  data: {{c-l-a-s-s: File, url: data.txt}}
"""


def stage_file(folder: Path, command: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "main.cwl").write_text(TOOL.format(command=command))
    (folder / "data.txt").write_text("staged\n")
    (folder / "other.txt").write_text("not staged\n")
    path = folder / "it.wfex.stage"
    path.write_text(STAGE.format(name=folder.name))
    return path


def proof_of(document: dict[str, Any]) -> dict[str, Any]:
    jsonschema.Draft202012Validator(schema_of("stage-result")).validate(document)
    proof: dict[str, Any] = document["proof"]
    written = json.loads(Path(proof["path"]).read_text())
    assert written == {key: value for key, value in proof.items() if key != "path"}
    return proof


def test_a_workflow_that_has_all_it_needs_is_proven_and_nothing_of_the_trial_stays(
    wfexs: Command, tmp_path: Path
) -> None:
    document = wfexs.ok("stage", stage_file(tmp_path / "good", 'cat "$0"'), "--prove-offline")

    proof = proof_of(document)
    assert proof["proven"]
    assert proof["outcome"] == "completed"
    assert proof["lock_digest"] == document["lock"]["digest"]
    assert proof["offline"]["isolated"]
    assert proof["offline"]["attempts"] == []
    shown = wfexs.ok("show", document["id"])
    assert shown["runs"] == []
    assert list((Path(proof["path"]).parent / "runs").iterdir()) == []
    assert wfexs.ok("run", document["id"])["run"] == 1


def test_a_file_that_was_not_staged_is_missed(wfexs: Command, tmp_path: Path) -> None:
    path = stage_file(tmp_path / "bad", f'cat "$0" {tmp_path}/bad/other.txt')

    outcome = wfexs("stage", path, "--prove-offline")

    assert outcome.code == 8, outcome.stderr
    document = outcome.object
    proof = proof_of(document)
    assert not proof["proven"]
    assert proof["outcome"] == "failed"
    assert "not proven" in outcome.stderr
    assert "other.txt" in outcome.stderr
    # It is staged all the same, and works where the file is.
    assert wfexs.ok("run", document["id"])["status"] == "completed"


def test_whoever_tries_to_reach_somebody_is_not_offline_even_when_it_works_without(
    wfexs: Command, tmp_path: Path
) -> None:
    path = stage_file(
        tmp_path / "asks", 'getent hosts data.example.org; bash -c "echo >/dev/tcp/192.0.2.9/443"; cat "$0"'
    )

    outcome = wfexs("stage", path, "--prove-offline")

    assert outcome.code == 14, outcome.stderr
    proof = proof_of(outcome.object)
    assert not proof["proven"]
    assert proof["outcome"] == "completed"
    assert {(one["address"], one["name"], one["step"]) for one in proof["offline"]["attempts"]} == {
        (None, "data.example.org", "main"),
        ("192.0.2.9", None, "main"),
    }
    assert "data.example.org (DNS" in outcome.stderr
    assert "192.0.2.9:443" in outcome.stderr


def test_neither_the_store_nor_other_files_of_the_machine_are_to_be_found(
    wfexs: Command, home: Path, tmp_path: Path
) -> None:
    lying = Path("/var/tmp") / f"wfexs-like-test-{os.getpid()}"
    lying.write_text("here\n")
    try:
        found = f'cat "$0"; ls {lying} && exit 9; find {home} -path "*/objects/*" | grep -q . && exit 9; exit 0'
        document = wfexs.ok("stage", stage_file(tmp_path / "looks", found), "--prove-offline")
    finally:
        lying.unlink()

    assert proof_of(document)["proven"]
    # The same finds them when it isn't kept from it.
    lying.write_text("here\n")
    try:
        assert wfexs("run", document["id"]).code == 8
    finally:
        lying.unlink()


def test_execute_proves_before_it_runs(wfexs: Command, tmp_path: Path) -> None:
    good = wfexs.ok("execute", stage_file(tmp_path / "good", 'cat "$0"'), "--prove-offline", "--require-offline")
    assert good["stage"]["proof"]["proven"]
    assert good["run"]["status"] == "completed"

    bad = wfexs("execute", stage_file(tmp_path / "bad", f"cat {tmp_path}/bad/other.txt"), "--prove-offline")
    assert bad.code == 8
    assert bad.object["run"] is None


def test_attempts_of_a_run_are_told_to_people_and_scripts(wfexs: Command, tmp_path: Path) -> None:
    path = stage_file(tmp_path / "asks", 'cat "$0"; bash -c "echo >/dev/tcp/192.0.2.9/443"; true')
    staged = wfexs.ok("stage", path)["id"]

    run = wfexs.ok("run", staged)

    assert run["offline"]["watched"]
    assert [(one["protocol"], one["address"], one["port"]) for one in run["attempts"]] == [("tcp", "192.0.2.9", 443)]
    told = wfexs.run("show", staged)
    assert "tried to connect: 192.0.2.9:443 (step main)" in told.stdout
    assert "no network" in told.stdout


def test_a_run_that_has_to_be_offline_is_refused_where_it_cannot_be(
    wfexs: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged = wfexs.ok("stage", stage_file(tmp_path / "good", 'cat "$0"'))["id"]
    settings = Settings.load({**os.environ, **wfexs.environment})
    nothing = Isolation(prefix=(), network=False, processes=False)
    monkeypatch.setattr(engines.isolation, "choices", lambda **_wish: (nothing,))

    with pytest.raises(PolicyError, match="must be offline"):
        Session(settings).run(staged, require_offline=True)
    with pytest.raises(PolicyError, match="must be offline"):
        Session(settings).prove(staged)

    assert Session(settings).show(staged).runs == ()


def test_a_trial_that_nobody_could_watch_is_isolated_and_not_proven(
    wfexs: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = wfexs.ok("stage", stage_file(tmp_path / "asks", 'cat "$0"; echo >/dev/tcp/192.0.2.9/443; true'))
    settings = Settings.load({**os.environ, **wfexs.environment})
    way = next(one for one in choices(root=os.geteuid() == 0, network=True) if one.mounts)
    cover = ("sh", "-c", 'mount --bind /proc/version /dev/net/tun && exec "$@"', "sh")
    blind = Isolation(prefix=(*way.prefix, *cover), network=True, processes=True, user=way.user, mounts=True)
    monkeypatch.setattr(engines.launcher, "choices", lambda **_wish: (blind,))

    proof = Session(settings).prove(document["id"])

    written = json.loads(proof.path.read_text())
    assert (written["proven"], written["verdict"], written["outcome"]) == (False, "isolated", "completed")
    jsonschema.Draft202012Validator(schema_of("stage-result")).validate({**document, "proof": {**written, "path": "x"}})
    words = proof_words(proof)
    assert words[0].startswith("isolated, not proven") and "/dev/net/tun" in words[0]
    assert proof_exit_code(proof) == 14
