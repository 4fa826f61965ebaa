"""Comparing runs: what they made differently is named, with the step that it came from.

That what is exported, imported and run again is the same stands with the imports.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.conftest import Command

RANDOM = "/proc/sys/kernel/random/uuid"
WORKFLOW = f"""\
cwlVersion: v1.2
class: Workflow
inputs: {{word: {{type: string, default: hello}}}}
outputs:
  said: {{type: File, outputSource: say/out}}
  mixed: {{type: File, outputSource: shout/out}}
  packed: {{type: File, outputSource: pack/out}}
steps:
  say:
    in: {{word: word}}
    out: [out]
    run:
      class: CommandLineTool
      baseCommand: [printf, '%s\\n']
      inputs: {{word: {{type: string, inputBinding: {{}}}}}}
      outputs: {{out: stdout}}
      stdout: said.txt
  mix:
    in: {{text: say/out}}
    out: [out]
    run:
      class: CommandLineTool
      baseCommand: [cat, {RANDOM}]
      inputs: {{text: {{type: File, inputBinding: {{}}}}}}
      outputs: {{out: stdout}}
      stdout: mixed.txt
  shout:
    in: {{text: mix/out}}
    out: [out]
    run:
      class: CommandLineTool
      baseCommand: [tr, a-z, A-Z]
      inputs: {{text: File}}
      stdin: $(inputs.text.path)
      outputs: {{out: stdout}}
      stdout: shouted.txt
  pack:
    in: {{text: say/out}}
    out: [out]
    run:
      class: CommandLineTool
      baseCommand: [sh, -c, 'name=$(cat {RANDOM}); cp "$0" "$name"; gzip -c "$name"']
      inputs: {{text: {{type: File, inputBinding: {{}}}}}}
      outputs: {{out: stdout}}
      stdout: said.txt.gz
"""


@pytest.mark.cwltool
def test_what_two_runs_made_differently_is_named_with_the_step_it_came_from(wfexs: Command, tmp_path: Path) -> None:
    (tmp_path / "main.cwl").write_text(WORKFLOW)
    (tmp_path / "w.wfex.stage").write_text("workflow_id: main.cwl\nnickname: w\nworkflow_config: {secure: false}\n")
    wfexs.ok("stage", tmp_path / "w.wfex.stage")
    wfexs.ok("run", "w")
    wfexs.ok("run", "w")
    wfexs.ok("crate", "w", tmp_path / "w.crate", "--no-validate")

    report = tmp_path / "junit.xml"
    report.write_text("one of before")
    answer = wfexs("compare", "w:1", "w:2", "--junit", report)

    assert answer.code == 9
    told = answer.object
    assert verdicts(told) == {"said": "identical", "mixed": "different", "packed": "equivalent"}
    (difference,) = told["differences"]
    assert difference["what"] == "output mixed: its lines differ (line 1)"
    assert difference["a"] != difference["b"]
    assert told["step"] == {"name": "mix", "differs": "out"}
    reasons = {one["name"]: one["reason"] for one in told["files"]}
    assert reasons["packed"] == "gzip headers or blocks differ, the content is the same"
    suites = ET.fromstring(report.read_bytes())
    assert (suites.get("tests"), suites.get("failures")) == ("4", "1")
    assert suites.find(".//testcase[@name='mixed']/failure") is not None

    # The same whichever way they are named; a run is the same as itself.
    assert wfexs.ok("compare", f"{tmp_path / 'w.crate'}:2", "w:2")["verdict"] == "same"
    strict = wfexs("compare", "w:1", "w:2", "--strict").object
    assert verdicts(strict) == {"said": "identical", "mixed": "different", "packed": "different"}

    assert wfexs("compare", "w", tmp_path / "nothing").code == 10
    misspelt = wfexs("compare", "w:0", "w")
    assert (misspelt.code, "counted from 1" in misspelt.object["error"]["hint"]) == (10, True)
    assert wfexs("compare", "w", "w", "--tolerance", "nan").code == 2

    # Nobody who only watches what was kept believes more than was recorded.
    (kept,) = (
        one for one in Path(wfexs.ok("show", "w")["path"]).glob("work/runs/2/outputs/*") if one.name == "said.txt"
    )
    kept.chmod(0o644)
    kept.write_text("other\n")
    assert wfexs("compare", "w:1", "w:2").code == 5


def verdicts(told: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["verdict"] for one in told["files"]}
