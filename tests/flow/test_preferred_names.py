"""``preferredName``: an output is called what the stage file wants, its secondary files along with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Command

WORKFLOW = """\
cwlVersion: v1.2
class: CommandLineTool
baseCommand: [sh, -c, 'echo one >a.bam; echo two >a.bam.bai; echo three >a.txt; mkdir d; echo four >d/x']
inputs: {}
outputs:
  bam: {type: File, secondaryFiles: [.bai], outputBinding: {glob: a.bam}}
  text: {type: File, outputBinding: {glob: a.txt}}
  texts: {type: 'File[]', outputBinding: {glob: 'a.*'}}
  folder: {type: Directory, outputBinding: {glob: d}}
"""


def _run(wfexs: Command, folder: Path, outputs: str) -> tuple[int, dict[str, object], str]:
    (folder / "tool.cwl").write_text(WORKFLOW)
    (folder / "x.stage").write_text(f"workflow_id: ./tool.cwl\noutputs: {outputs}\n")
    staged = wfexs.ok("stage", folder / "x.stage")
    answer = wfexs("run", staged["id"])
    return answer.code, answer.object, str(staged["id"])


@pytest.mark.cwltool
def test_an_output_has_the_preferred_name_in_the_run_and_in_the_crate(wfexs: Command, tmp_path: Path) -> None:
    outputs = "{bam: {c-l-a-s-s: File, preferredName: s 1.bam}, folder: {c-l-a-s-s: Directory, preferredName: results}}"

    code, run, workdir = _run(wfexs, tmp_path, outputs)

    assert code == 0, run
    bam, folder, text = (run["outputs"][name] for name in ("bam", "folder", "text"))  # type: ignore[index]
    assert Path(bam["path"]).name == bam["basename"] == "s 1.bam"
    assert Path(bam["path"]).read_text() == "one\n"
    (index,) = bam["secondaryFiles"]
    assert Path(index["path"]).name == "s 1.bam.bai"
    assert Path(index["path"]).read_text() == "two\n"
    assert (Path(folder["path"]) / "x").read_text() == "four\n"
    assert Path(folder["path"]).name == "results"
    assert Path(text["path"]).name == "a.txt"
    crate = wfexs.ok("crate", workdir, tmp_path / "crate", "--retrospective")
    graph = json.loads((Path(crate["path"]) / "ro-crate-metadata.json").read_text())["@graph"]
    assert "runs/1/outputs/s%201.bam" in {one["@id"] for one in graph}


@pytest.mark.cwltool
@pytest.mark.parametrize(
    ("outputs", "word"),
    [
        ("{bam: {c-l-a-s-s: File, preferredName: a.txt}}", "a.txt"),
        ("{texts: {c-l-a-s-s: File, cardinality: '*', preferredName: b.txt}}", "items"),
    ],
)
def test_a_name_that_can_not_be_given_fails_the_run(wfexs: Command, tmp_path: Path, outputs: str, word: str) -> None:
    code, run, _ = _run(wfexs, tmp_path, outputs)

    assert code == 8
    assert word in str(run["error"])


@pytest.mark.parametrize("name", ["../x", "a/b", "/x", ""])
def test_a_preferred_name_that_is_a_path_is_a_fault(wfexs: Command, tmp_path: Path, name: str) -> None:
    path = tmp_path / "x.stage"
    path.write_text(f"workflow_id: ./tool.cwl\noutputs: {{out: {{c-l-a-s-s: File, preferredName: '{name}'}}}}\n")

    answer = wfexs("check", path)

    assert answer.code == 3
    assert answer.object["faults"][0]["where"] == "outputs.out.preferredName"
