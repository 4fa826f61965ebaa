"""The page: an account as one HTML document that needs nothing else, to be read by people.

No script, no image, no font, no address is loaded; every text is escaped, and whatever is too long is cut or counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from wfexs_like.cli.render import counted
from wfexs_like.cli.render import size as size_of
from wfexs_like.reading.account import Account, Item, Run, Workflow
from wfexs_like.reading.moments import stated
from wfexs_like.reading.profiles import profile_name
from wfexs_like.reporting.bars import HATCH
from wfexs_like.reporting.dag import draw_workflow
from wfexs_like.reporting.extras import Extras, Note
from wfexs_like.reporting.markup import Sheet, badge, block, fact_html, facts, folded, moment, section, soft, text, web
from wfexs_like.reporting.runs import run_anchor, run_name, run_sections, shown_in_full
from wfexs_like.reporting.style import STYLE, policy
from wfexs_like.reporting.tables import data_table, images_table, item, parameters_table, tool
from wfexs_like.reporting.workflow_graph import graph_of

_SENTENCES: Final = 100
_NONE: Final = Extras()


def render_page(account: Account, *, extras: Extras = _NONE, inside: bool = False) -> str:
    """The document. ``inside`` says that it will lie at the root of its crate, so that it links to the files there."""
    sheet = Sheet(inside=inside)
    title = account.name or "A crate without a name"
    sections = [
        ("glance", "At a glance", _glance(sheet, account, extras)),
        ("workflow", "Workflow", _workflow(sheet, account, extras)),
        ("", "", run_sections(sheet, account.runs, extras.runs)),
        ("images", "Container images", images_table(sheet, account.images) if account.images else ""),
        ("data", "Data", _data(sheet, account.data)),
        *((f"note-{place}", note.title, _note(sheet, note)) for place, note in enumerate(extras.notes, start=1)),
        ("missing", "What is missing", _sentences(account.missing)),
        ("remarks", "Remarks", _sentences(account.remarks)),
    ]
    body = "".join(
        html if not name else section(text(name), html, anchor=anchor) for anchor, name, html in sections if html
    )
    lead = f'<p class="lead">{text(account.description, 2000)}</p>' if account.description else ""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta http-equiv="Content-Security-Policy" content="{policy()}">
<title>{text(title)}</title>
<style>{STYLE}</style>
</head>
<body>
{HATCH}
<main>
<header>
<h1>{text(title)}</h1>
<p class="verdict">{_verdict(account)}</p>
{lead}
{_contents(account.runs, [(anchor, name) for anchor, name, html in sections if html and name])}
</header>
{body}
{_footer(sheet, account)}
</main>
</body>
</html>
"""


def _verdict(account: Account) -> str:
    runs = account.runs
    if not runs:
        return badge("no run") + soft("a workflow that was prepared, or only described")
    if len(runs) == 1:
        one = runs[0].execution
        when = moment(one.ended or one.started)
        return badge(one.status) + (f"<span>{when}</span>" if when else "")
    counts = {status: sum(one.execution.status == status for one in runs) for status in _order(runs)}
    told = " ".join(f"<span>{badge(status)} {count:,}</span>" for status, count in counts.items())
    return f"<span>{len(runs):,} runs:</span> {told}"


def _order(runs: Sequence[Run]) -> list[str]:
    return sorted({one.execution.status for one in runs})


def _contents(runs: Sequence[Run], sections: Sequence[tuple[str, str]]) -> str:
    links = [(anchor, text(name)) for anchor, name in sections]
    numbered = [(run_anchor(runs, place), text(run_name(runs, place))) for place in shown_in_full(runs)]
    after = next((place for place, (anchor, _) in enumerate(links) if anchor not in ("glance", "workflow")), len(links))
    links[after:after] = numbered
    items = "".join(f'<li><a href="#{anchor}">{name}</a></li>' for anchor, name in links)
    return f'<nav aria-label="on this page"><ul>{items}</ul></nav>'


def _glance(sheet: Sheet, account: Account, extras: Extras) -> str:
    workflow = account.workflow
    started = [one.execution.started for one in account.runs if one.execution.started is not None]
    ended = [one.execution.ended for one in account.runs if one.execution.ended is not None]
    when = moment(min(started)) if started else ""
    when += f" to {moment(max(ended))}" if started and ended else ""
    engines = dict.fromkeys(tool(one.engine) for one in account.runs[:50] if one.engine is not None)
    rows = [
        ("Workflow", tool(workflow.software) if workflow is not None else ""),
        ("When", when),
        ("Engine", ", ".join(engines)),
        ("People", _people(account)),
        ("Crate made", text(stated(account.published or ""), 40)),
        ("Made with", text(account.maker or "") or soft("not told")),
        ("Licence", web(account.licence or "", account.licence) or soft("not told")),
        ("Profiles", "<br>".join(web(profile_name(one), one) for one in account.profiles[:20])),
        *((fact.label, fact_html(sheet, fact)) for fact in extras.facts),
    ]
    return facts(rows)


def _people(account: Account) -> str:
    told = ", ".join(
        web(one.name, one.id) + (f" {soft(f'({text(one.affiliation)})')}" if one.affiliation else "")
        for one in account.people[:20]
    )
    more = len(account.people) - 20
    return told + (f" {soft(f'and {more:,} more')}" if more > 0 else "")


def _workflow(sheet: Sheet, account: Account, extras: Extras) -> str:
    workflow = account.workflow
    graph = graph_of(account)
    drawing = draw_workflow(sheet, graph)
    if workflow is None:
        return f"<p>No workflow is told; this is what was done.</p>{drawing}" if drawing else ""
    rows = [
        ("Name", tool(workflow.software)),
        ("Language", text(f"{workflow.language or ''} {workflow.language_version or ''}".strip())),
        ("Document", _document(sheet, workflow.document) if workflow.document is not None else ""),
        ("Comes from", web(workflow.source, workflow.source) if workflow.source else ""),
        ("Licence", web(workflow.software.licence, workflow.software.licence) if workflow.software.licence else ""),
        ("Steps", f"{len(workflow.steps):,}" if workflow.steps else ""),
        ("Diagram", _document(sheet, workflow.diagram) if workflow.diagram is not None else ""),
    ]
    interface = "" if account.runs else _interface(sheet, workflow, account.data, extras)
    heading = "<h3>Its steps</h3>" if drawing else ""
    return facts(rows) + heading + drawing + interface


def _document(sheet: Sheet, one: Item) -> str:
    """A file that has no name worth telling beside that of the workflow: where it lies."""
    return item(sheet, replace(one, name=one.path or one.name))


def _interface(sheet: Sheet, workflow: Workflow, data: Sequence[Item], extras: Extras) -> str:
    """What a workflow that did not run takes, with what is ready for it, and what it would make."""
    filled: dict[str, list[Item]] = {}
    for one in data:
        for slot in one.slots:
            filled.setdefault(slot, []).append(one)
    return (
        "<h3>Inputs</h3>"
        + parameters_table(sheet, "inputs that are ready", workflow.software.inputs, filled, extras.inputs)
        + "<h3>Outputs to be made</h3>"
        + parameters_table(sheet, "outputs to be made", workflow.software.outputs, {})
    )


def _data(sheet: Sheet, items: Sequence[Item]) -> str:
    if not items:
        return ""
    files = [one for one in items if one.kind == "file"]
    sizes = [one.size for one in items if one.size is not None]
    digests = sum("sha256" in one.digests for one in files)
    here = sum(one.present for one in items)
    told = f"{len(items):,} {'file or folder' if len(items) == 1 else 'files and folders'}, {here:,} in this crate"
    told += f"; {size_of(sum(sizes))} where a size is told" if sizes else ""
    told += f"; a sha256 is told of {digests:,} of {counted(len(files), 'file')}." if files else "."
    return f"<p>{told}</p>" + folded("Files and folders", data_table(sheet, items))


def _note(sheet: Sheet, note: Note) -> str:
    command = f"<pre>{block(note.command)}</pre>" if note.command else ""
    first, *rest = note.paragraphs or ("",)
    told = [f"<p>{text(one, 2000)}</p>" for one in rest if one]
    lines = facts((fact.label, fact_html(sheet, fact)) for fact in note.facts)
    return (f"<p>{text(first, 2000)}</p>" if first else "") + command + lines + "".join(told)


def _sentences(sentences: Sequence[str]) -> str:
    if not sentences:
        return ""
    told = "".join(f"<li>{text(one, 600)}</li>" for one in sentences[:_SENTENCES])
    more = len(sentences) - _SENTENCES
    rest = f'<p class="left">and {more:,} more of the kind</p>' if more > 0 else ""
    return f'<ul class="missing">{told}</ul>{rest}'


def _footer(sheet: Sheet, account: Account) -> str:
    file = sheet.file("ro-crate-metadata.json", "ro-crate-metadata.json")
    made = f" Made with {text(account.maker)}" if account.maker else ""
    made += f" on {text(stated(account.published), 40)}" if made and account.published else ""
    return (
        '<footer><p>What an <a href="https://w3id.org/ro/crate">RO-Crate</a> tells of itself; programs read '
        f"{file}. Nothing here was checked by this page.{f'{made}.' if made else ''}</p></footer>"
    )
