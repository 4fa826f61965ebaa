"""The engine's own report and timeline, which a run makes from resources that were read while tasks ran."""

from __future__ import annotations

import zipfile

import pytest

from tests.support.nextflow_runs import NextflowBench, each, nextflows

__all__ = ["each", "nextflows"]
pytestmark = pytest.mark.nextflow

_PIPELINE = """
process GREET {
  input: val name
  output: stdout
  script: "echo hello $name"
}

workflow { GREET(Channel.of('one', 'two')) }
"""


def test_report_and_timeline_are_whole_and_tell_each_task(each: NextflowBench) -> None:
    each.write(_PIPELINE)

    execution = each.run({})

    logs = each.folder() / "logs"
    report, timeline = (logs / "report.html").read_bytes(), (logs / "timeline.html").read_bytes()
    home = each.installed.home
    assert home is not None
    with zipfile.ZipFile(next(home.glob("jars/nextflow-[0-9]*.jar"))) as jar:
        for name, page in (
            ("plotly.min.js", report),
            ("bootstrap.min.css", report),
            ("ReportTemplate.js", report),
            ("d3.v3.min.js", timeline),
            ("TimelineTemplate.js", timeline),
        ):
            # The engine reads bytes as characters of one byte each.
            asset = jar.read(f"nextflow/trace/assets/{name}").decode("latin-1").encode()
            assert asset in page, f"{name} is not in the page"

    assert len(execution.steps) == 2
    for number in ("1", "2"):
        assert f"GREET ({number})".encode() in report
        assert f"GREET ({number})".encode() in timeline
