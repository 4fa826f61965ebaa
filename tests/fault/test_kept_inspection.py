"""What is kept of a workflow's inspection only saves time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Command

TOOL = "{cwlVersion: v1.2, class: CommandLineTool, baseCommand: 'true', inputs: {}, outputs: {}}\n"


@pytest.mark.cwltool
@pytest.mark.parametrize("damage", ["", "{", "[]", "{}", '{"schema": "wfexs-like/interface/1", "entry": 3}'])
def test_a_damaged_inspection_is_made_again(wfexs: Command, tmp_path: Path, home: Path, damage: str) -> None:
    (tmp_path / "tool.cwl").write_text(TOOL)
    (tmp_path / "x.stage").write_text("workflow_id: ./tool.cwl\n")
    first = wfexs.ok("stage", tmp_path / "x.stage")
    (kept,) = (home / "cache" / "inspections").iterdir()
    whole = kept.read_text()
    kept.write_text(damage)

    again = wfexs.ok("stage", tmp_path / "x.stage")

    assert again["lock"]["digest"] == first["lock"]["digest"]
    assert kept.read_text() == whole


@pytest.mark.cwltool
def test_a_working_directory_without_its_interface_is_told_to_be_damaged(wfexs: Command, tmp_path: Path) -> None:
    (tmp_path / "tool.cwl").write_text(TOOL)
    (tmp_path / "x.stage").write_text("workflow_id: ./tool.cwl\n")
    staged = wfexs.ok("stage", tmp_path / "x.stage")
    (Path(staged["path"]) / "work" / "interface.json").write_text("[]")

    answer = wfexs("run", staged["id"])

    assert answer.code == 10
    assert "stage again" in answer.object["error"]["hint"]


@pytest.mark.cwltool
def test_a_cwl_workflow_is_inspected_once_whatever_its_parameters(wfexs: Command, tmp_path: Path, home: Path) -> None:
    (tmp_path / "tool.cwl").write_text(TOOL.replace("inputs: {}", "inputs: {word: {type: string, inputBinding: {}}}"))
    for word in ("one", "two"):
        (tmp_path / "x.stage").write_text(f"workflow_id: ./tool.cwl\nparams: {{word: {word}}}\n")
        wfexs.ok("stage", tmp_path / "x.stage")

    assert len(list((home / "cache" / "inspections").iterdir())) == 1
