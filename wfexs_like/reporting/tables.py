"""Tables: data, parameters, steps, images and runs, one row each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from types import MappingProxyType
from typing import NamedTuple

from wfexs_like.reading.account import Image, Item, Parameter, Slot, Software
from wfexs_like.reporting.grouping import Group, Named
from wfexs_like.reporting.markup import (
    Sheet,
    badge,
    bytes_of,
    clock,
    code,
    folded,
    json_text,
    soft,
    text,
    took,
    version,
    web,
)

MANY = 300
"""So many rows a table has at most."""
IN_A_SLOT = 100
_PARTS = 20
_PROGRAMS = 4
_VALUE = 400


def cell(html: str, name: str = "", *, number: bool = False) -> str:
    """One cell; ``name`` is told before it where the page is too narrow for columns."""
    told = f' data-is="{escape(name)}"' if name and html else ""
    return f"<td{' class=n' if number and html else ''}{told}>{html}</td>"


def item(sheet: Sheet, one: Item) -> str:
    """What a piece of data or a value is called, where it is, and what it is made of."""
    if one.kind == "value":
        shown = text(json_text(one.value), _VALUE) if one.value is not None else soft(text(one.name, _VALUE))
        return shown or soft("(empty)")
    name = one.name or one.path or one.id
    shown = sheet.file(name, one.path) if one.path is not None and one.present else web(name, one.address)
    notes: list[str] = []
    if one.kind in ("folder", "collection"):
        notes.append(one.kind)
    if one.sealed:
        notes.append("sealed")
    if not one.present and (one.path is not None or (one.address is None and one.kind in ("file", "folder"))):
        notes.append("not in this crate")
    shown += f" {soft(', '.join(notes))}" if notes else ""
    if one.path is not None and one.path.rstrip("/") not in (name.rstrip("/"), f"./{name}"):
        shown += f"<br>{soft(text(one.path))}"
    elif one.path is None and one.address and one.address != name:
        shown += f"<br>{soft(text(one.address))}"
    if one.parts:
        within = ", ".join(_part(sheet, part) for part in one.parts[:_PARTS])
        more = len(one.parts) - _PARTS
        shown += f"<br>{soft('with')} {within}" + (f" {soft(f'and {more:,} more')}" if more > 0 else "")
    return shown


def brief(sheet: Sheet, items: Sequence[Item], most: int) -> str:
    """Files by where they are, one a line."""
    told = [
        sheet.file(one.path, one.path) if one.path is not None and one.present else text(one.path or one.name)
        for one in items[:most]
    ]
    return "<br>".join([*told, *((soft(f"and {len(items) - most:,} more"),) if len(items) > most else ())])


def _part(sheet: Sheet, one: Item) -> str:
    name = one.name or one.path or one.id
    return sheet.file(name, one.path) if one.path is not None and one.present else text(name)


def digest(one: Item) -> str:
    """Its sha256, or whichever other digest is told, with the name of that."""
    for algorithm, value in sorted(one.digests.items(), key=lambda pair: pair[0] != "sha256"):
        other = soft(f"{text(algorithm, 16)}: ") if algorithm != "sha256" else ""
        return f'{other}<code class="digest">{text(value, 140)}</code>'
    return ""


def _item_cells(sheet: Sheet, one: Item) -> str:
    size = cell(bytes_of(one.size), "size", number=True)
    return f"{cell(item(sheet, one))}{size}{cell(digest(one), 'sha256')}"


class _Filled(NamedTuple):
    slot: Slot
    item: Item | None
    first: bool
    more: int


def slots_table(
    sheet: Sheet, kind: str, slots: Sequence[Slot], remarks: Mapping[str, str] = MappingProxyType({})
) -> str:
    """Parameters with what filled them, and what is remarked on that by the parameters' names."""
    names = {one.name for one in slots}
    slots = [*slots, *(Slot(name=name, parameter=None, items=()) for name in remarks if name not in names)]
    if not slots:
        return "<p class=soft>None are told.</p>"
    lines: list[_Filled] = []
    rest = 0
    for slot in slots:
        shown = slot.items[:IN_A_SLOT]
        more = len(slot.items) - len(shown)
        if len(lines) >= MANY:
            rest += len(slot.items)
            continue
        lines += [_Filled(slot, one, number == 0, 0) for number, one in enumerate(shown)]
        if not shown or more:
            lines.append(_Filled(slot, None, not shown, more))

    def row(line: _Filled) -> str:
        name = _parameter(line.slot.name, line.slot.parameter) if line.first else ""
        remark = remarks.get(line.slot.name) if line.first and line.item is not None else None
        name += f"<br>{soft(text(remark, _VALUE))}" if remark else ""
        if line.item is None:
            words = f"and {line.more:,} more, in the metadata" if line.more else remarks.get(line.slot.name, "nothing")
            return f"<tr>{cell(name)}{cell(soft(text(words, _VALUE)))}<td></td><td></td></tr>"
        return f"<tr>{cell(name)}{_item_cells(sheet, line.item)}</tr>"

    table = sheet.table(kind, ("name", "value", "size", "sha256"), lines, row, MANY + IN_A_SLOT)
    return table + sheet.left_out(rest, kind)


def _parameter(name: str, parameter: Parameter | None) -> str:
    kind = f" {soft(text(parameter.kind, 40))}" if parameter is not None and parameter.kind else ""
    title = text(parameter.description, 300) if parameter is not None and parameter.description else ""
    shown = f'<span title="{title}">{text(name, 80)}</span>' if title else text(name, 80)
    return f"{shown}{kind}"


def parameters_table(
    sheet: Sheet,
    kind: str,
    parameters: Sequence[Parameter],
    filled: Mapping[str, Sequence[Item]],
    remarks: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """What a workflow takes or makes: ``filled`` has what the crate holds for a parameter, by its id."""
    if not parameters:
        return "<p class=soft>None are told.</p>"

    with_values = bool(filled or remarks)

    def row(one: Parameter) -> str:
        kinds = text(one.kind or "", 40) + (" (many)" if one.many else "") + (", required" if one.required else "")
        values = _value_cells(sheet, one, filled.get(one.id, ()), remarks.get(one.name)) if with_values else ""
        about = cell(text(one.description or "", _VALUE))
        return f"<tr>{cell(text(one.name, 80))}{cell(kinds, 'type')}{values}{about}</tr>"

    heads = ("name", "type", *(("value", "sha256") if with_values else ()), "what it is")
    return sheet.table(f"parameters {kind}", heads, parameters, row, MANY)


def _value_cells(sheet: Sheet, one: Parameter, items: Sequence[Item], remark: str | None) -> str:
    """What is ready for a parameter: the items, else what is remarked, else its default."""
    value = "<br>".join(item(sheet, each) for each in items[:_PARTS])
    if remark and items:
        value += f"<br>{soft(text(remark, _VALUE))}"
    elif remark:
        value = text(remark, _VALUE)
    elif not items and one.default is not None:
        value = f"{text(json_text(one.default), _VALUE)} {soft('(by default)')}"
    digests = "<br>".join(filter(None, (digest(each) for each in items[:_PARTS])))
    return cell(value, "value") + cell(digests, "sha256")


def data_table(sheet: Sheet, items: Sequence[Item]) -> str:
    """Files and folders, each with what is known of its bytes; those that are in the crate first."""
    items = sorted(items, key=lambda one: not one.present)

    def row(one: Item) -> str:
        size = cell(bytes_of(one.size), "size", number=True)
        kind = cell(text(one.media_type or "", 60).replace("/", "/<wbr>"), "type")
        return f"<tr>{cell(item(sheet, one))}{kind}{size}{cell(digest(one), 'sha256')}</tr>"

    return sheet.table("files", ("name", "type", "size", "sha256"), items, row, MANY)


def images_table(sheet: Sheet, images: Sequence[Image]) -> str:
    """Container images."""

    def row(one: Image) -> str:
        sha256 = f'<code class="digest">{text(one.sha256, 140)}</code>' if one.sha256 else soft("not told")
        base = one.name.partition("@")[0]
        base = base.rpartition(":")[0] if ":" in base.rpartition("/")[2] else base
        docker = one.sha256 and "docker" in (one.kind or "").lower()
        name = text(one.name) + (f"<br>{code(f'docker://{base}@sha256:{one.sha256}', 400)}" if docker else "")
        return f"<tr>{cell(name)}{cell(text(one.kind or '', 60), 'kind')}{cell(sha256, 'sha256')}</tr>"

    return sheet.table("images", ("image", "kind", "sha256"), images, row, MANY)


def tool(one: Software | None) -> str:
    """A program's name and version."""
    if one is None:
        return ""
    number = version(one.version) if one.version and one.version not in one.name else ""
    title = f' title="{text(one.version or "")}"' if number != one.version else ""
    told = f' <span class="soft"{title}>{text(number)}</span>' if number else ""
    programs = ", ".join(text(f"{each.name} {version(each.version)}".strip()) for each in one.programs[:_PROGRAMS])
    more = len(one.programs) - _PROGRAMS
    programs += f" and {more:,} more" if more > 0 else ""
    return web(one.name, one.address) + told + (f"<br>{soft(f'with {programs}')}" if programs else "")


def steps_table(sheet: Sheet, steps: Sequence[Named]) -> str:
    """Each execution of a step."""
    day = next((one.run.execution.started for one in steps if one.run.execution.started is not None), None)
    with_images = any(one.run.execution.images for one in steps)

    def row(one: Named) -> str:
        run = one.run.execution
        images = "<br>".join(text(image.name, 120) for image in run.images[:3])
        number = "" if run.exit_code is None else str(run.exit_code)
        return (
            f"<tr>{cell(text(one.label))}{cell(tool(run.instrument), 'tool')}"
            f"{cell(images, 'image') if with_images else ''}"
            f"{cell(badge(run.status))}{cell(clock(run.started, day), 'began', number=True)}"
            f"{cell(took(run.seconds), 'took', number=True)}{cell(number, 'exit code', number=True)}</tr>"
        )

    heads = ("step", "tool", *(("image",) if with_images else ()), "status", "began (UTC)", "took", "exit")
    return sheet.table("steps", heads, steps, row, MANY)


def groups_table(sheet: Sheet, groups: Sequence[Group]) -> str:
    """Steps that were executed too often to be told one by one."""

    def row(one: Group) -> str:
        first = one.runs[0].execution
        longest = max((run.execution.seconds or 0.0 for run in one.runs), default=0.0)
        bad = badge("failed") + f" {one.failed:,}" if one.failed else "none"
        return (
            f"<tr>{cell(text(one.step))}{cell(tool(first.instrument), 'tool')}"
            f"{cell(f'{len(one.runs):,}', 'executed', number=True)}{cell(bad, 'failed', number=True)}"
            f"{cell(took(one.seconds), 'took together', number=True)}"
            f"{cell(took(longest), 'longest', number=True)}</tr>"
        )

    heads = ("step", "tool", "executed", "failed", "took together", "longest")
    return sheet.table("steps by name", heads, groups, row, MANY)


def commands(steps: Sequence[Named], most: int) -> str:
    """The command lines of the first of them, to open."""
    told = [(one.label, one.run.execution.command) for one in steps if one.run.execution.command]
    rows = "".join(f"<dt>{text(label)}</dt><dd>{code(command or '', 1000)}</dd>" for label, command in told[:most])
    more = f"<p class=left>and {len(told) - most:,} more</p>" if len(told) > most else ""
    return folded("Command lines", f"<dl class=commands>{rows}</dl>{more}" if rows else "")
