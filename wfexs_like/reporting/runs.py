"""Runs: one section of the page for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wfexs_like.cli.render import counted
from wfexs_like.reading.account import Execution, Run
from wfexs_like.reporting.charts import draw_charts
from wfexs_like.reporting.extras import RunExtras
from wfexs_like.reporting.grouping import Named, groups, named
from wfexs_like.reporting.markup import (
    Sheet,
    badge,
    block,
    code,
    cut,
    fact_html,
    facts,
    folded,
    moment,
    quantity,
    section,
    soft,
    text,
    took,
)
from wfexs_like.reporting.tables import (
    MANY,
    brief,
    cell,
    commands,
    groups_table,
    slots_table,
    steps_table,
    tool,
)
from wfexs_like.reporting.timeline import draw_timeline

IN_FULL = 12
"""So many runs have a section of their own."""
_FAILED = 10
_SILENT = 30
_LOGS = 20
_COMMANDS = 40


def run_sections(sheet: Sheet, runs: Sequence[Run], extras: Mapping[int, RunExtras]) -> str:
    """The sections; where runs are very many, a table of them and sections of those that failed and of the last."""
    shown = shown_in_full(runs)
    whole = section(f"All {len(runs):,} runs", _table(sheet, runs), anchor="runs") if len(shown) < len(runs) else ""
    return whole + "".join(_run(sheet, runs, place, extras) for place in shown)


def run_name(runs: Sequence[Run], place: int) -> str:
    """What to call a run: by its number where it has one."""
    number = runs[place].number
    if number is not None:
        return f"Run {number}"
    name = runs[place].execution.name
    return f"Run {place + 1}" if len(runs) > 1 and not name else cut(name, 80) if len(runs) > 1 else "The run"


def run_anchor(runs: Sequence[Run], place: int) -> str:
    """Where a run's section is."""
    number = runs[place].number
    return f"run-{number}" if number is not None else f"run-at-{place + 1}"


def shown_in_full(runs: Sequence[Run]) -> list[int]:
    """Places of the runs that have sections of their own: all, or where they are many some that failed and the last."""
    if len(runs) <= IN_FULL:
        return list(range(len(runs)))
    failed = [place for place, one in enumerate(runs) if one.execution.status == "failed"][: IN_FULL // 2]
    return sorted({*failed, *range(len(runs) - (IN_FULL - len(failed)), len(runs))})


def _table(sheet: Sheet, runs: Sequence[Run]) -> str:
    def row(place: int) -> str:
        one = runs[place].execution
        return (
            f"<tr>{cell(text(run_name(runs, place)))}{cell(tool(one.instrument), 'ran')}{cell(badge(one.status))}"
            f"{cell(moment(one.started), 'began', number=True)}{cell(took(one.seconds), 'took', number=True)}</tr>"
        )

    return sheet.table("runs", ("run", "ran", "status", "began", "took"), range(len(runs)), row, MANY)


def _run(sheet: Sheet, runs: Sequence[Run], place: int, extras: Mapping[int, RunExtras]) -> str:
    run = runs[place]
    execution = run.execution
    more = extras.get(run.number, RunExtras()) if run.number is not None else RunExtras()
    steps = named(run.steps)
    return section(
        f"{text(run_name(runs, place))} {badge(execution.status)}",
        _circumstances(sheet, run, more),
        _errors(execution, more),
        _failed_steps(steps),
        _steps(sheet, run, steps),
        "<h3>Outputs</h3>",
        slots_table(sheet, "outputs", execution.outputs, more.outputs),
        "<h3>Inputs</h3>",
        slots_table(sheet, "inputs", execution.inputs, more.inputs),
        _environment(execution),
        folded("Command line", f"<pre>{block(execution.command)}</pre>" if execution.command else ""),
        anchor=run_anchor(runs, place),
    )


def _circumstances(sheet: Sheet, run: Run, more: RunExtras) -> str:
    one = run.execution
    ended = moment(one.ended) + (f" {soft(f'({took(one.seconds)})')}" if one.seconds is not None else "")
    rows = [
        ("Started", moment(one.started) or soft("not told")),
        ("Ended", ended if one.ended is not None else soft("not told")),
        ("Engine", tool(run.engine)),
        ("By", text(", ".join(agent.name for agent in one.agents), 400)),
        ("Exit code", "" if one.exit_code is None else str(one.exit_code)),
        ("Used", text("; ".join(f"{each.name} {quantity(each)}" for each in one.resources[:20]), 600)),
        ("Logs", brief(sheet, one.logs, _LOGS)),
    ]
    host = "; ".join(f"{each.name}: {quantity(each)}" for each in run.host[:40])
    rows.append(("Host", text(host, 1500)))
    said = {label for label, value in rows if value}
    return facts([*rows, *((fact.label, fact_html(sheet, fact)) for fact in more.facts if fact.label not in said)])


def _errors(one: Execution, more: RunExtras) -> str:
    told = f'<h3>What went wrong</h3><pre class="bad">{block(one.error)}</pre>' if one.error else ""
    if one.status == "failed" and not one.error:
        told = "<h3>What went wrong</h3><p>It failed, and why isn't told.</p>"
    words = "\n".join(more.last_words)
    return told + (f"<h3>Its last words</h3><pre>{block(words)}</pre>" if words and told else "")


def _failed_steps(steps: Sequence[Named]) -> str:
    failed = [one for one in steps if one.run.execution.status == "failed"]
    if not failed:
        return ""
    why = [one for one in failed if one.run.execution.error]
    told = "".join(
        f'<p><strong>{text(one.label)}</strong></p><pre class="bad">{block(one.run.execution.error or "", 2000)}</pre>'
        for one in why[:_FAILED]
    )
    left = len(why) - _FAILED
    told += f'<p class="left">and {counted(left, "more failed step")}</p>' if left > 0 else ""
    silent = [text(one.label, 60) for one in failed if not one.run.execution.error]
    if silent:
        more = f" and {len(silent) - _SILENT:,} more" if len(silent) > _SILENT else ""
        told += f"<p>{soft('Why is not told of')} {', '.join(silent[:_SILENT])}{soft(more)}.</p>"
    return f"<h3>Steps that failed</h3>{told}"


def _steps(sheet: Sheet, run: Run, steps: Sequence[Named]) -> str:
    if not steps:
        return ""
    charts = draw_charts(sheet, run)
    parts = ["<h3>Timeline</h3>", draw_timeline(sheet, run)]
    parts += ["<h3>What the steps used</h3>", charts] if charts else []
    if len(steps) <= MANY:
        parts += ["<h3>Steps</h3>", steps_table(sheet, steps)]
    else:
        every = groups(run.steps)
        failed = [one for one in steps if one.run.execution.status == "failed"]
        parts += [f"<h3>Steps</h3><p>{len(steps):,} executions of {counted(len(every), 'step')}, by step:</p>"]
        parts.append(groups_table(sheet, every))
        if failed:
            parts += [f"<p>The {len(failed):,} that failed:</p>", steps_table(sheet, failed)]
        parts.append(sheet.left_out(len(steps) - len(failed), "executions"))
    return "".join([*parts, commands(steps, _COMMANDS)])


def _environment(one: Execution) -> str:
    rows = [(name, code(value, 1000) or soft("(empty)")) for name, value in list(one.environment.items())[:MANY]]
    return f"<h3>Environment</h3>{facts(rows)}" if rows else ""
