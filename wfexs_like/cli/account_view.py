"""An account on the terminal: what ran, step by step, with a timeline, and what a reader misses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, NamedTuple

from wfexs_like.cli.render import counted, duration, one_line, short_digest, size, status, styled, table, value_line
from wfexs_like.reading.account import Account, Agent, Execution, Item, Run, Slot, Software, StepRun
from wfexs_like.reading.moments import stated
from wfexs_like.reading.profiles import profile_name
from wfexs_like.reporting.grouping import named

_PARTS: Final = 3
_NAME, _TEXT, _LINE = 28, 100, 400
_LEAST_BAR: Final = 10


class Look(NamedTuple):
    """How it is to be shown: ``most`` entries of a list (``None``: all), ``width`` in characters."""

    most: int | None
    width: int
    colour: bool = False
    bar: str = "#"


def account_view(account: Account, look: Look) -> str:
    """All of it, as text."""
    lines = [styled(_cut(account.name or "a crate without a name", _TEXT), "bold", colour=look.colour)]
    lines += _about(account, look)
    lines += _workflow(account)
    for run in account.runs:
        lines += ["", *_run(run, look)]
    for title, sentences in (("missing", account.missing), ("remarks", account.remarks)):
        if sentences:
            lines += ["", styled(title, "bold", colour=look.colour)]
            lines += [f"  {_cut(one, _LINE)}" for one in sentences]
    return "\n".join(lines)


def _about(account: Account, look: Look) -> Iterator[str]:
    if account.published or account.maker:
        made = [f"made {_cut(stated(account.published), 32)}" if account.published else "made"]
        yield " ".join([*made, *([f"by {_cut(account.maker, _TEXT)}"] if account.maker else [])])
    yield from _fact("licence", account.licence)
    yield from _fact("people", _people(account.people))
    yield from _list("profiles", [_cut(profile_name(one), 80) for one in account.profiles], look)


def _workflow(account: Account) -> Iterator[str]:
    workflow = account.workflow
    if workflow is None:
        return
    language = " ".join(one for one in (workflow.language, workflow.language_version) if one)
    version = _version(workflow.software)
    told = [workflow.software.name, f"version {version}" if version else "", f"in {language}" if language else ""]
    yield from _fact("workflow", ", ".join(_cut(one, _TEXT) for one in told if one))
    if workflow.document is not None:
        # Its name is that of the workflow, if it has one at all.
        yield from _fact("", _thing(replace(workflow.document, name=workflow.document.path or workflow.document.name)))
    yield from _fact("source", workflow.source)
    if workflow.steps:
        links = counted(len(workflow.connections), "connection")
        yield from _fact("plan", f"{counted(len(workflow.steps), 'step')}, {links}")


def _run(run: Run, look: Look) -> Iterator[str]:
    one = run.execution
    title = f"run {run.number}" if run.number is not None else _cut(one.name, _TEXT)
    yield f"{styled(title, 'bold', colour=look.colour)}: {status(one.status, colour=look.colour)}"
    if one.started or one.ended:
        took = f", took {duration(one.seconds)}" if one.seconds is not None else ""
        yield from _fact("when", f"{_from_to(one.started, one.ended)} UTC{took}")
    yield from _fact("by", _people(one.agents))
    if run.engine is not None:
        yield from _fact("engine", _program(run.engine))
    elif one.instrument is not None and not run.steps:
        yield from _fact("program", _program(one.instrument))
    yield from _fact("command", one.command)
    yield from _list("machine", [f"{_cut(fact.name, 40)}: {_amount(fact.value, fact.unit)}" for fact in run.host], look)
    used = {image.id: image for who in (one, *(step.execution for step in run.steps)) for image in who.images}
    for place, image in enumerate(used.values()):
        digest = f" (sha256 {short_digest(image.sha256)})" if image.sha256 else " (no digest)"
        if look.most is None or place < look.most:
            yield from _fact("images" if place == 0 else "", _cut(image.name, _TEXT) + digest)
    yield from _more(len(used), look.most, "           ")
    yield from _fact("exit code", None if one.exit_code is None else str(one.exit_code))
    yield from _fact("error", one.error)
    yield from _slots("inputs", one.inputs, look)
    yield from _steps(run, look)
    yield from _slots("outputs", one.outputs, look)
    yield from _fact("logs", ", ".join(_cut(log.path or log.name, 60) for log in one.logs[:_PARTS]))


# -- steps -----------------------------------------------------------------------------------------------------------


def _steps(run: Run, look: Look) -> Iterator[str]:
    if not run.steps:
        return
    shown = run.steps if look.most is None else run.steps[: look.most]
    labels = [_cut(one.label, _NAME) for one in named(shown)]
    yield f"  steps ({len(run.steps)})"
    rows = [_row(label, one) for label, one in zip(labels, shown, strict=True)]
    columns = [place for place in range(len(_COLUMNS)) if place == 0 or any(row[place] for row in rows)]
    printed = table([_COLUMNS[place] for place in columns], ([row[place] for place in columns] for row in rows))
    for number, line in enumerate(printed.split("\n")):
        failed = number > 0 and shown[number - 1].execution.status == "failed"
        yield "    " + styled(line, "red" if failed else "", colour=look.colour)
    yield from _more(len(run.steps), look.most, "    ")
    yield from _timeline(run, shown, labels, look)


_COLUMNS: Final = ("step", "status", "took", "exit", "memory", "program", "image")


def _row(label: str, step: StepRun) -> tuple[str, ...]:
    one = step.execution
    memory = next((each for each in one.resources if "memory" in each.name.lower() or "rss" in each.name.lower()), None)
    programs = (one.instrument.programs or (one.instrument,)) if one.instrument is not None else ()
    return (
        label,
        one.status,
        duration(one.seconds) if one.seconds is not None else "",
        "" if one.exit_code is None else str(one.exit_code),
        _amount(memory.value, memory.unit) if memory is not None else "",
        ", ".join(_cut(_program(each), 40) for each in programs[:_PARTS]),
        ", ".join(_cut(image.name, 60) for image in one.images[:_PARTS]),
    )


def _timeline(run: Run, shown: Sequence[StepRun], labels: Sequence[str], look: Look) -> Iterator[str]:
    """A bar for each step, from the run's start to its end; nothing where no times are told."""
    whole = (run.execution, *(one.execution for one in run.steps))
    begins = [one.started for one in whole if one.started is not None]
    ends = [one.ended for one in whole if one.ended is not None]
    if not begins or not ends or not any(one.execution.started for one in shown):
        return
    begin = min(begins)
    length = (max(ends) - begin).total_seconds()
    left = max(len("timeline"), *map(len, labels)) + 6
    width = max(_LEAST_BAR, look.width - left - 1)
    if length <= 0:
        return
    ruler = f"0 s{duration(length).rjust(max(1, width - 3))}"
    yield "    " + "timeline".ljust(left - 4) + styled(ruler, "dim", colour=look.colour)
    for label, step in zip(labels, shown, strict=True):
        one = step.execution
        if one.started is not None:
            colour = {"failed": "red", "completed": "green"}.get(one.status, "yellow")
            bar = _bar(one, begin, length, width, look.bar)
            blank = len(bar) - len(bar.lstrip())
            line = " " * blank + styled(bar.lstrip(), colour, colour=look.colour)
            yield f"    {label.ljust(left - 4)}{line}"


def _bar(one: Execution, begin: datetime, length: float, width: int, mark: str) -> str:
    assert one.started is not None
    start = (one.started - begin).total_seconds()
    end = (one.ended - begin).total_seconds() if one.ended is not None else length
    first = min(width - 1, max(0, int(start / length * width)))
    last = min(width, max(first + 1, round(end / length * width)))
    return " " * first + mark * (last - first)


# -- data ------------------------------------------------------------------------------------------------------------


def _slots(title: str, slots: Sequence[Slot], look: Look) -> Iterator[str]:
    if not slots:
        return
    yield f"  {title} ({sum(len(one.items) for one in slots)})"
    count = 0
    width = min(_NAME, max(len(_cut(one.name, _NAME)) for one in slots))
    for slot in slots:
        name = _cut(slot.name, _NAME)
        for item in slot.items:
            count += 1
            if look.most is None or count <= look.most:
                left = f"    {name.ljust(width)}  " if width else "    "
                yield left + _thing(item)
                if item.kind == "collection":
                    yield from (f"{' ' * len(left)}  {_thing(part)}" for part in item.parts[: look.most])
                    yield from _more(len(item.parts), look.most, " " * len(left) + "  ")
                name = ""
    yield from _more(count, look.most, "    ")


def _thing(item: Item) -> str:
    if item.kind == "value":
        inner = ", ".join(f"{_cut(one.name, 30)}={_short_value(one)}" for one in item.parts[:_PARTS])
        return inner if item.parts and item.value is None else _short_value(item)
    told = [_cut(item.path or item.name, _TEXT)]
    if item.path is not None and not item.path.endswith(item.name):
        told = [_cut(item.name, 60), f"in {told[0]}"]
    if item.size is not None:
        told.append(f"({size(item.size)})")
    told += [f"{algorithm} {short_digest(digest)}" for algorithm, digest in list(item.digests.items())[:1]]
    if item.parts:
        told.append(f"({counted(len(item.parts), 'part')})")
    if item.sealed:
        told.append("sealed")
    if item.path is None and item.address is not None:
        told.append(f"at {_cut(item.address, 80)}")
    elif item.path is not None and not item.present:
        told.append("not in the crate")
    return ", ".join(told[:1]) + "".join(f" {one}" for one in told[1:])


def _short_value(item: Item) -> str:
    value = item.value
    if isinstance(value, str):
        value = value[:_TEXT]
    return _cut(value_line(value), _TEXT) or "(empty)" if value is not None else "-"


# -- words -----------------------------------------------------------------------------------------------------------


def _fact(name: str, text: str | None) -> Iterator[str]:
    if text:
        yield f"  {name.ljust(9)} {_cut(text, _LINE)}"


def _list(name: str, things: Sequence[str], look: Look) -> Iterator[str]:
    """Several things after a name, broken between two of them where the terminal is too narrow for all."""
    line = ""
    for place, one in enumerate(things):
        added = one if place == len(things) - 1 else f"{one},"
        if line and len(line) + len(added) + 13 > look.width:
            yield from _fact(name, line)
            name, line = "", ""
        line = f"{line} {added}".lstrip()
    yield from _fact(name, line)


def _more(count: int, most: int | None, indent: str) -> Iterator[str]:
    if most is not None and count > most:
        yield f"{indent}and {count - most} more (--steps all shows them)"


def _people(agents: Iterable[Agent]) -> str:
    named_ = (
        _cut(one.name, 60) + (f" ({_cut(one.affiliation, 60)})" if one.affiliation else "") for one in list(agents)[:10]
    )
    return ", ".join(named_)


def _program(one: Software) -> str:
    version = _version(one)
    return _cut(one.name, 60) + (f" {_cut(version, 40)}" if version else "")


def _version(one: Software) -> str:
    """A version that says something to people: a digest stands for itself elsewhere."""
    return "" if one.version is None or one.version.startswith("sha256:") else one.version


def _amount(value: object, unit: str | None) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        if unit == "B" and 0 <= value < 1 << 63:
            return size(int(value))
        if unit == "s":
            return duration(float(value))
    return _cut(f"{value_line(value)}{f' {unit}' if unit else ''}", 60)


def _from_to(started: datetime | None, ended: datetime | None) -> str:
    told = [(word, one) for word, one in (("from", started), ("to" if started else "until", ended)) if one is not None]
    return " ".join(f"{word} {one:%Y-%m-%d %H:%M:%S}" for word, one in told)


def _cut(text: str, most: int) -> str:
    """A text from anywhere on one line, not longer than it should be."""
    shown = one_line(text[: 2 * most])
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"
