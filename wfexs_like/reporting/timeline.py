"""The timeline: when each step of a run was at work."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from wfexs_like.cli.render import counted
from wfexs_like.reading.account import Run
from wfexs_like.reporting.bars import Bar, Row, draw_bars
from wfexs_like.reporting.grouping import Group, Named, groups, named, spans
from wfexs_like.reporting.markup import Sheet, soft, text, took

MOST = 60
"""So many rows are drawn: of executions, or else of steps."""
_PIECES = 150
_NICE = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)


def draw_timeline(sheet: Sheet, run: Run) -> str:
    """The drawing, or why there is none."""
    timed = [one for one in run.steps if one.execution.started is not None]
    if not timed:
        return "<p class=soft>No times of its steps are told.</p>" if run.steps else ""
    begin, end = _span(run)
    length = max((end - begin).total_seconds(), 0.001)
    ticks = _ticks(length)
    untimed = len(run.steps) - len(timed)
    left = f" Of {untimed:,} more no times are told." if untimed else ""
    if len(timed) <= MOST:
        rows = [_one(each, begin, end, length) for each in named(timed)]
        about = f"{counted(len(rows), 'execution')} of steps in {took(length)}.{left}"
    else:
        every = groups(timed)
        shown = sorted(every, key=lambda one: -(one.seconds or 0.0))[:MOST]
        shown_steps = {one.step for one in shown}
        rows = [_many(one, begin, end, length) for one in every if one.step in shown_steps]
        about = f"{len(timed):,} executions of {len(every):,} steps in {took(length)}, a row for each step.{left}"
        if len(every) > MOST:
            about += f" The {MOST} that took longest are drawn."
    words = "; ".join(f"{one.label}: {one.whole}" for one in rows[:MOST])
    svg = draw_bars(sheet, "Timeline", f"{about} {words}", rows, ticks)
    return f"{svg}<p>{soft(text(about, 300))}</p>"


def _span(run: Run) -> tuple[datetime, datetime]:
    begins = [one.execution.started for one in run.steps if one.execution.started is not None]
    ends = [one.execution.ended for one in run.steps if one.execution.ended is not None]
    if run.execution.started is not None:
        begins.append(run.execution.started)
    if run.execution.ended is not None:
        ends.append(run.execution.ended)
    begin = min(begins)
    return begin, max([*ends, *begins])


def _one(one: Named, begin: datetime, end: datetime, length: float) -> Row:
    execution = one.run.execution
    started = execution.started or begin
    failed = execution.status == "failed"
    kind = "fail" if failed else "other" if execution.status != "completed" else "again" if one.attempt > 1 else ""
    after = took((started - begin).total_seconds())
    seconds = took(execution.seconds) or "end not told"
    return Row(
        label=one.label,
        value=f"✗ failed, {seconds}" if failed else seconds,
        bars=(_bar(started, execution.ended or end, begin, length, kind),),
        whole=f"{execution.status}, began after {after}, took {seconds}",
        failed=failed,
    )


def _many(one: Group, begin: datetime, end: datetime, length: float) -> Row:
    pieces = _joined(spans(one.runs, end), length)
    bad = _joined(spans([each for each in one.runs if each.execution.status == "failed"], end), length)
    bars = [_bar(a, b, begin, length, "") for a, b in pieces] + [_bar(a, b, begin, length, "fail") for a, b in bad]
    value = f"{len(one.runs):,} times, {took(one.seconds)}" if one.seconds is not None else f"{len(one.runs):,} times"
    return Row(
        label=one.step,
        value=f"✗ {one.failed:,} failed of {len(one.runs):,}" if one.failed else value,
        bars=tuple(bars),
        whole=f"{len(one.runs):,} executions, {one.failed:,} failed, {took(one.seconds) or '?'} together",
        failed=bool(one.failed),
    )


def _joined(pieces: Sequence[tuple[datetime, datetime]], length: float) -> list[tuple[datetime, datetime]]:
    """Without the gaps that are too small to be seen."""
    gap = timedelta(seconds=length / _PIECES)
    found: list[tuple[datetime, datetime]] = []
    for begin, end in pieces:
        if found and begin - found[-1][1] <= gap:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((begin, end))
    return found


def _bar(started: datetime, ended: datetime, begin: datetime, length: float, kind: str) -> Bar:
    start = (started - begin).total_seconds() / length
    return Bar(start=start, end=max(start, (ended - begin).total_seconds() / length), kind=kind)


def _ticks(length: float) -> list[tuple[float, str]]:
    """About four, at round times."""
    wished = length / 4
    nice = next((float(one) for one in _NICE if one >= wished), None)
    if length < 4:  # noqa: PLR2004 - below a second each
        nice = next(one for one in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0) if one >= wished or one == 1.0)
    elif nice is None:
        nice = 86400.0 * -(-wished // 86400)
    assert nice is not None
    return [(number * nice / length, _told(number * nice)) for number in range(int(length / nice + 1e-9) + 1)]


def _told(seconds: float) -> str:
    if seconds == 0:
        return "0"
    if seconds < 60:  # noqa: PLR2004
        return f"{seconds:g} s"
    if seconds < 3600:  # noqa: PLR2004
        return f"{seconds / 60:g} min"
    return f"{seconds / 3600:g} h" if seconds < 86400 else f"{seconds / 86400:g} d"  # noqa: PLR2004
