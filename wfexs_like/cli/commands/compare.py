"""``compare``: whether two runs are the same, and where they first differ."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from staging.errors import UsageError
from staging.placing import write_atomically
from wfexs_like.cli.commands import VerbCommand
from wfexs_like.cli.context import App, must_be_writable
from wfexs_like.cli.render import counted, one_line

if TYPE_CHECKING:
    from wfexs_like.comparing.data import Compared
    from wfexs_like.comparing.report import CompareReport, Difference, Named

DIFFERENT = 9
SHOWN = 100
SHOWN_DOCUMENTS = 5
"""So many files of two workflows are named: where more differ, they are other workflows."""
_DIGEST = re.compile(r"\A([0-9a-f]{12})[0-9a-f]{52}\Z")


@click.command("compare", cls=VerbCommand)
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option("--strict", is_flag=True, help="By digests and bytes alone: nothing is equivalent.")
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0, max=1),
    default=1e-6,
    show_default=True,
    metavar="FRACTION",
    help="By how much numbers with a fraction may differ in CSV, TSV and JSON.",
)
@click.option("--show", is_flag=True, help="Tell the first differences in encrypted working directories, too.")
@click.option(
    "--junit", type=click.Path(path_type=Path), metavar="FILE", help="Write a JUnit report as well, over an older one."
)
@click.pass_obj
def command(app: App, *, a: str, b: str, strict: bool, tolerance: float, show: bool, junit: Path | None) -> int:
    """A and B are crates or working directories, anybody's; "X:2" is run 2 of X, otherwise it is the last one.

    Workflow, inputs, status and outputs decide; engine and images are told. Outputs are the same by digest, or
    equivalent when only that differs which their format lets differ: packing, times, who made it, the order of records.
    The digests are those that are stated: "verify" is what holds them against the files.

    Exit code 9 when they are different, and where it can't be told that an output is the same. 14 when --junit would
    have in clear what --show tells of an encrypted working directory.
    """
    if math.isnan(tolerance):
        raise UsageError("--tolerance is no number", hint="1e-6, for example", where="--tolerance")
    if junit is not None:
        must_be_writable(junit, what="report", force=True)
    report = app.session.compare(a, b, strict=strict, tolerance=tolerance, show=show, kept=junit is not None)
    if junit is not None:
        from wfexs_like.comparing.junit import junit as as_junit

        write_atomically(junit, as_junit(report))
    app.emit("compare", _form(report), lambda: _view(report))
    return 0 if report.verdict == "same" else DIFFERENT


def _form(report: CompareReport) -> dict[str, object]:
    return {
        "verdict": report.verdict,
        "a": _side(report.a),
        "b": _side(report.b),
        "differences": [_difference(one) for one in report.differences],
        "circumstances": [_difference(one) for one in report.circumstances],
        "files": [_file(one) for one in report.files],
        "step": None if report.step is None else {"name": report.step.name, "differs": report.step.differs},
    }


def _side(side: Named) -> dict[str, object]:
    return {"name": side.label, "run": side.run, "status": side.status, "secret": side.secret}


def _difference(one: Difference) -> dict[str, object]:
    return {"what": one.what, "a": one.a, "b": one.b}


def _file(one: Compared) -> dict[str, object]:
    found = one.comparison
    return {
        "name": one.name,
        "verdict": found.verdict,
        "reason": found.reason,
        "where": found.where,
        "a": found.a,
        "b": found.b,
    }


def _view(report: CompareReport) -> str:
    lines = [f"{name}: {side.label}, {side.run} ({side.status})" for name, side in (("A", report.a), ("B", report.b))]
    lines += [_words(one) for one in report.circumstances[:SHOWN]]
    told = [one for one in report.files if one.comparison.verdict == "equivalent"]
    lines += [f"output {one.name} is equivalent: {one.comparison.reason}" for one in told[:SHOWN]]
    documents = [one for one in report.differences if one.what.startswith("workflow ")]
    lines += [_words(one) for one in documents[:SHOWN_DOCUMENTS]]
    if len(documents) > SHOWN_DOCUMENTS:
        lines.append(f"workflow: {len(documents) - SHOWN_DOCUMENTS} more of its files differ; --json has all")
    others = [one for one in report.differences if one not in documents]
    lines += [_words(one) for one in others[:SHOWN]]
    left_out = sum(max(0, len(one) - SHOWN) for one in (report.circumstances, told, others))
    if left_out:
        lines.append(f"and {left_out} more; --json has all")
    if report.step is not None:
        lines.append(
            f"the first step that took the same and made something else: {report.step.name}, {report.step.differs}"
        )
    if (report.a.secret or report.b.secret) and report.differences:
        lines.append("what differs is in an encrypted working directory, and not shown: --show does")
    same = sum(one.comparison.same for one in report.files)
    all_of_them = (
        f"{same} of {counted(len(report.files), 'output')} the same" if report.files else "there are no outputs"
    )
    untold = sum(one.comparison.verdict == "unknown" for one in report.files)
    if untold:
        all_of_them += f", {untold} of which nobody can tell"
    word = "not known to be the same" if untold and len(report.differences) == untold else report.verdict
    lines.append(f"{word}: {all_of_them}")
    return "\n".join(one_line(line) for line in lines)


def _words(one: Difference) -> str:
    if one.a is None and one.b is None:
        return one.what
    a, b = ("-" if value is None else repr(_DIGEST.sub(r"\1", value)) for value in (one.a, one.b))
    return f"{one.what}: A {a}, B {b}"
