"""Charts: what the steps of a run used, one chart for each thing that was measured."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Sequence

from wfexs_like.reading.account import Run, StepRun
from wfexs_like.reporting.bars import Bar, Row, draw_bars
from wfexs_like.reporting.grouping import named
from wfexs_like.reporting.markup import Sheet, amount, soft, text

MOST = 20
"""So many bars a chart has."""
_CHARTS = 8
_LONGEST = 200
_NOT_ADDED = re.compile(r"peak|max|rss|mem|%|percent|rate|average|mean|cores|utili[sz]ation", re.IGNORECASE)
_ORDER = ("wall", "real", "duration", "processor", "cpu", "memory", "rss", "read", "writ")

_Key = tuple[str, str | None]


def draw_charts(sheet: Sheet, run: Run) -> str:
    """The charts; empty where nothing was measured."""
    found = _measured(run)
    keys = sorted(found, key=lambda key: (_rank(key[0]), key[0]))
    charts = [_chart(sheet, key, found[key], run.steps) for key in keys[:_CHARTS]]
    more = f"<p>{soft(f'{len(keys) - _CHARTS} more things were measured.')}</p>" if len(keys) > _CHARTS else ""
    return f'<div class="charts">{"".join(charts)}</div>{more}' if charts else ""


def _rank(name: str) -> int:
    return next((number for number, word in enumerate(_ORDER) if word in name.lower()), len(_ORDER))


def _measured(run: Run) -> dict[_Key, dict[int, float]]:
    """By name and unit, the amount that each execution (by its place among the run's) used."""
    found: dict[_Key, dict[int, float]] = defaultdict(dict)
    for place, one in enumerate(run.steps):
        for each in one.execution.resources:
            value = each.value
            if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0:
                found[each.name, each.unit][place] = float(value)
    return {key: values for key, values in found.items() if any(values.values())}


def _chart(sheet: Sheet, key: _Key, values: dict[int, float], steps: Sequence[StepRun]) -> str:
    name, unit = key
    most = bool(_NOT_ADDED.search(name[:_LONGEST])) or unit == "%"
    if len(values) <= MOST:
        places = sorted(values)
        labels = named([steps[place] for place in places])
        amounts = [(one.label, values[place]) for one, place in zip(labels, places, strict=True)]
        how = ""
    else:
        by_step: dict[str, list[float]] = defaultdict(list)
        for place, value in sorted(values.items()):
            by_step[steps[place].step].append(value)
        amounts = [
            (f"{step} ({len(each):,} times)" if len(each) > 1 else step, max(each) if most else sum(each))
            for step, each in by_step.items()
        ]
        how = "the largest of each step's executions" if most else "each step's executions together"
        if len(amounts) > MOST:
            amounts = sorted(amounts, key=lambda pair: -pair[1])[:MOST]
            how += f"; the {MOST} largest of {len(by_step):,} steps"
    top = max(value for _, value in amounts) or 1.0
    rows = [
        Row(label=label, value=amount(value, unit), bars=(Bar(start=0.0, end=value / top),) if value else ())
        for label, value in amounts
    ]
    words = "; ".join(f"{one.label}: {one.value}" for one in rows)
    note = f" {soft(text(f'({how})'))}" if how else ""
    return f"<figure><figcaption>{text(name)}{note}</figcaption>{draw_bars(sheet, name, words, rows)}</figure>"
