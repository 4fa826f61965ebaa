"""``report`` of what really ran: a working directory tells what its crate tells, and a sealed one what may be seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Command

WORKFLOW = """\
cwlVersion: v1.2
class: Workflow
inputs: {word: {type: string, default: hello}}
outputs: {loud: {type: File, outputSource: shout/out}}
steps:
  say:
    in: {word: word}
    out: [out]
    run:
      class: CommandLineTool
      baseCommand: [printf, '%s\\n']
      inputs: {word: {type: string, inputBinding: {}}}
      outputs: {out: stdout}
      stdout: said.txt
  shout:
    in: {text: say/out}
    out: [out]
    run:
      class: CommandLineTool
      baseCommand: [tr, a-z, A-Z]
      inputs: {text: File}
      stdin: $(inputs.text.path)
      outputs: {out: stdout}
      stdout: loud.txt
"""
DIGEST = "3b09aeb6f5f5336beb205d7f720371bc927cd46c21922e334d47ba264acb5ba4"
"""The sha256 of HELLO and a line break."""


def without_dates(told: dict[str, Any]) -> dict[str, Any]:
    return {name: one for name, one in told.items() if name not in ("published", "items")}


@pytest.mark.cwltool
def test_a_working_directory_tells_what_its_crate_tells(wfexs: Command, tmp_path: Path) -> None:
    (tmp_path / "main.cwl").write_text(WORKFLOW)
    (tmp_path / "w.wfex.stage").write_text("workflow_id: main.cwl\nnickname: w\nworkflow_config: {secure: false}\n")
    wfexs.ok("stage", tmp_path / "w.wfex.stage")
    wfexs.ok("run", "w")
    wfexs.ok("run", "w")
    crate = tmp_path / "w.crate"
    wfexs.ok("crate", "w", crate, "--no-validate")

    told = wfexs.ok("report", crate)

    assert without_dates(wfexs.ok("report", "w")) == without_dates(told)
    assert [one["number"] for one in told["runs"]] == [1, 2]
    second = told["runs"][1]
    assert (second["status"], second["engine"]["name"]) == ("completed", "cwltool")
    assert second["started"] < second["ended"]
    steps = [(one["step"], one["exit_code"], one["command"]) for one in second["steps"]]
    assert steps == [("say", 0, "printf '%s\\n' hello"), ("shout", 0, steps[1][2])]
    assert steps[1][2].startswith("tr a-z A-Z")
    (loud,) = second["outputs"][0]["items"]
    assert told["items"][loud]["digests"] == {"sha256": DIGEST}
    assert (told["items"][loud]["present"], told["items"][loud]["size"]) == (True, 6)
    assert told["workflow"]["connections"]

    # One run, by its number.
    assert wfexs.ok("report", "w:2")["runs"] == [second]

    # What is sealed tells what anybody may read of it.
    wfexs.ok("init", "--no-passphrase")
    wfexs.ok("crate", "w", tmp_path / "sealed.zip", "--seal", "files", "--no-validate")
    sealed = wfexs.ok("report", tmp_path / "sealed.zip")
    kept = [one for one in sealed["items"].values() if one["path"] and one["path"].startswith("runs/")]
    assert kept
    assert all(one["sealed"] for one in kept)
