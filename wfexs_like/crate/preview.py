"""The crate's ro-crate-preview.html: one page that needs nothing else, to be read by people.

No script, no image, no font, no address is loaded; every text is escaped.
"""

from __future__ import annotations

from html import escape

from wfexs_like.crate.attempts import SHOWN
from wfexs_like.crate.story import RunStory, Slot, Story, Thing

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2733; --soft: #5a6a7a; --line: #dbe1e8; --card: #fff; --page: #f4f6f8;
  --ok: #12704a; --okbg: #e2f5ec; --bad: #a1260d; --badbg: #fdeae5; --link: #0b5cad; }
@media (prefers-color-scheme: dark) { :root { --ink: #e3e9ef; --soft: #9aa8b6; --line: #33404d; --card: #1b232c;
  --page: #12181e; --ok: #7fdcb2; --okbg: #123527; --bad: #ff9f8a; --badbg: #40190f; --link: #79b8ff; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, "Segoe UI", sans-serif; }
main { max-width: 68rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { margin: 0 0 .25rem; font-size: 1.9rem; line-height: 1.2; }
h2 { margin: 0 0 .75rem; font-size: 1.25rem; }
h3 { margin: 1.5rem 0 .4rem; font-size: 1rem; color: var(--soft); }
a { color: var(--link); }
.lead { max-width: 46rem; margin: 0 0 1.5rem; color: var(--soft); }
section { margin: 1.25rem 0; padding: 1.25rem 1.5rem; background: var(--card); border: 1px solid var(--line);
  border-radius: .6rem; overflow-x: auto; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.5rem; margin: 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
table { width: 100%; border-collapse: collapse; font-size: .94rem; }
th { text-align: left; font-weight: 600; color: var(--soft); font-size: .82rem; }
th, td { padding: .4rem .9rem .4rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
tr:last-child td { border-bottom: 0; }
td.name { white-space: nowrap; font-weight: 600; } td.size { white-space: nowrap; text-align: right; }
code, pre { font: .85em/1.5 ui-monospace, "SFMono-Regular", Menlo, monospace; }
code { overflow-wrap: anywhere; }
td { overflow-wrap: anywhere; } td.value { min-width: 9rem; } td.digest { width: 1%; }
td.digest code { white-space: nowrap; font-size: .75em; }
pre { margin: .5rem 0; padding: .75rem 1rem; background: var(--page); overflow-x: auto;
  border-radius: .4rem; white-space: pre-wrap; }
pre.bad { background: var(--badbg); color: var(--bad); }
.badge { display: inline-block; padding: .05rem .65rem; border-radius: 1rem; font-size: .85rem;
  vertical-align: .15rem; }
.ok { background: var(--okbg); color: var(--ok); } .bad { background: var(--badbg); color: var(--bad); }
.soft { color: var(--soft); font-size: .88rem; } .type { color: var(--soft); font-weight: 400; font-size: .85rem; }
footer { color: var(--soft); font-size: .88rem; }
"""

_BESIDE = 20


def render_preview(story: Story) -> str:
    """The page."""
    ran = story.kind == "retrospective"
    parts = [
        f"<h1>{_text(story.title)}</h1>",
        f'<p class="lead">{_text(story.description)}</p>' if story.description else "",
        _overview(story),
    ]
    if ran:
        parts += [_run(run) for run in story.runs]
    else:
        parts.append(
            _section(
                "Ready to run",
                "<h3>Inputs</h3>",
                _slots(story.inputs),
                *(("<h3>Environment</h3>", _slots(story.environment)) if story.environment else ()),
                "<h3>Outputs to be made</h3>",
                _declared(story.outputs),
            )
        )
    parts += [_documents(story), _images(story), _again(story)]
    body = "\n".join(part for part in parts if part)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{_text(story.title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
{body}
<footer>
<p>This page is the preview of an <a href="https://w3id.org/ro/crate">RO-Crate</a>; what programs read is
<a href="ro-crate-metadata.json">ro-crate-metadata.json</a>.
Made by {_text(story.software)} on {_text(story.published)}.</p>
</footer>
</main>
</body>
</html>
"""


def _overview(story: Story) -> str:
    rows = [
        ("Workflow", f"{_thing(story.workflow)} <span class=soft>({_text(story.language)})</span>"),
        ("Comes from", _thing(story.workflow_source) if story.workflow_source else ""),
        ("Engine", _text(story.engine)),
        ("Runs", _tally(story) if story.kind == "retrospective" else "none yet: this is what was prepared"),
        ("By", _text(", ".join(story.people))),
        ("Licence", _thing(story.licence)),
        ("Digest of the plan", f"<code>{_text(story.plan_digest)}</code>" + _lock(story)),
    ]
    return _section(
        "At a glance", "<dl>", *(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in rows if value), "</dl>"
    )


def _lock(story: Story) -> str:
    return f" ({_thing(story.lock)})" if story.lock is not None else ""


def _tally(story: Story) -> str:
    badges = [f'<a href="#run-{run.number}">{run.number}</a> {_badge(run.status)}' for run in story.runs]
    running = (
        f" <span class=soft>({story.still_running} still running, not told here)</span>" if story.still_running else ""
    )
    return " &ensp; ".join(badges) + running


def _badge(status: str) -> str:
    return f'<span class="badge {"ok" if status == "completed" else "bad"}">{_text(status)}</span>'


def _run(run: RunStory) -> str:
    took = "" if run.seconds is None else f" ({_duration(run.seconds)})"
    rows = [
        ("Started", _time(run.started)),
        ("Ended", _time(run.ended) + took if run.ended else "not known"),
        ("Exit code", "" if run.exit_code is None else str(run.exit_code)),
        ("Ran", _text(run.ran)),
        ("Tools", _text(run.tools)),
        ("Engine ran on", _text(run.platform)),
        ("Network", _network(run)),
        ("Logs", ", ".join(_thing(log) for log in run.logs)),
        ("Identifier", f"<code>{_text(run.uuid)}</code>"),
    ]
    return _section(
        f"Run {run.number} {_badge(run.status)}",
        f'<pre class="bad">{_text(run.error)}</pre>' if run.error else "",
        f"<h3>Its last words</h3><pre>{_text(_short(chr(10).join(run.tail)))}</pre>" if run.error and run.tail else "",
        "<h3>Outputs</h3>",
        _slots(run.outputs),
        "<h3>Inputs</h3>",
        _slots(run.inputs),
        *(("<h3>Environment</h3>", _slots(run.environment)) if run.environment else ()),
        "<h3>Circumstances</h3><dl>",
        *(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in rows if value),
        "</dl>",
        anchor=f"run-{run.number}",
    )


def _network(run: RunStory) -> str:
    """How it was cut off, and what it tried to reach all the same."""
    words = "none: cut off by a network namespace" if run.network == "namespace" else "not cut off from it"
    if run.not_seen:
        words += f". {_text(run.not_seen)}"
    if not run.tried:
        return words
    more = len(run.tried) - SHOWN
    shown = [*run.tried[:SHOWN], *((f"and {more} more",) if more > 0 else ())]
    return f"{words}. It tried to reach, and reached none of:<br>{'<br>'.join(map(_text, shown))}"


def _slots(slots: tuple[Slot, ...]) -> str:
    if not slots:
        return "<p class=soft>None.</p>"
    rows = []
    for slot in slots:
        title = f' title="{_text(slot.description)}"' if slot.description else ""
        name = f'{_text(slot.name)} <span class="type">{_text(slot.kind)}</span>'
        for thing in slot.things or (Thing(text="none"),):
            if thing.size is None and thing.sha256 is None:
                cells = f'<td class="value" colspan="3">{_thing(thing)}</td>'
            else:
                digest = f'<td class="digest"><code>{_text(thing.sha256 or "")}</code></td>'
                cells = f'<td class="value">{_thing(thing)}</td><td class="size">{_size(thing.size)}</td>{digest}'
            rows.append(f'<tr><td class="name"{title}>{name}</td>{cells}</tr>')
            name = ""
        if slot.many:
            rows.append(f'<tr><td></td><td class="soft" colspan="3">and {slot.many} more, in the metadata</td></tr>')
    head = "<thead><tr><th>name</th><th>value</th><th>size</th><th>sha256</th></tr></thead>"
    return f"<table>{head}<tbody>{''.join(rows)}</tbody></table>"


def _declared(slots: tuple[Slot, ...]) -> str:
    if not slots:
        return "<p class=soft>None.</p>"
    rows = (
        f'<tr><td class="name">{_text(slot.name)} <span class="type">{_text(slot.kind)}</span></td>'
        f"<td>{_text(slot.description or '')}</td></tr>"
        for slot in slots
    )
    return f"<table><tbody>{''.join(rows)}</tbody></table>"


def _documents(story: Story) -> str:
    rows = "".join(
        f'<tr><td class="name">{_thing(one)}</td><td class="size">{_size(one.size)}</td>'
        f'<td class="digest"><code>{_text(one.sha256 or "")}</code></td></tr>'
        for one in story.documents
    )
    return _section("Workflow documents", f"<table><tbody>{rows}</tbody></table>")


def _images(story: Story) -> str:
    rows = "".join(
        f'<tr><td class="name">{_thing(one)}</td><td class="size">{_size(one.size)}</td>'
        f'<td class="digest"><code>{_text(one.sha256 or "")}</code></td></tr>'
        for one in story.images
    )
    return _section("Container images", f"<table><tbody>{rows}</tbody></table>") if rows else ""


def _again(story: Story) -> str:
    ran = story.kind == "retrospective"
    remarks = "".join(f"<p>{_text(remark)}</p>" for remark in story.remarks)
    if story.command is not None:
        return _section(
            "Run it again" if ran else "Run it",
            f"<p>With {_text(story.engine)}, from this folder:</p><pre>{_text(story.command)}</pre>"
            "<p>Check the sha256 of each input first. Inputs that are not in this crate have to be fetched from where "
            "they are said to be, or asked for: a name without a folder stands for such a one. Parameters that are not "
            "in the command have the workflow's own values. "
            '<a href="README.md">README.md</a> says how the digests are made.</p>',
            remarks,
        )
    return _section(
        "Run it again" if ran else "Run it",
        f"<p>Any engine for {_text(story.language)} can run {_thing(story.workflow)} with the inputs above; "
        f"{'here it was' if ran else 'it was prepared for'} {_text(story.engine)}. "
        "Check the sha256 of each input first. Inputs that are not in this crate "
        "have to be fetched from where they are said to be, or asked for. "
        '<a href="README.md">README.md</a> says how the digests are made.</p>',
        remarks,
    )


def _section(title: str, *parts: str, anchor: str = "") -> str:
    opening = f'<section id="{anchor}">' if anchor else "<section>"
    return f"{opening}<h2>{title}</h2>{''.join(parts)}</section>"


def _thing(thing: Thing) -> str:
    text = _text(_short(thing.text)) or "<span class=soft>(empty)</span>"
    shown = f'<a href="{_text(thing.href)}">{text}</a>' if thing.href and _safe(thing.href) else text
    shown = f"{shown} <span class=soft>{_text(thing.note)}</span>" if thing.note else shown
    if not thing.beside:
        return shown
    more = len(thing.beside) - _BESIDE
    others = ", ".join(_thing(one) for one in thing.beside[:_BESIDE]) + (f" and {more} more" if more > 0 else "")
    return f"{shown} <span class=soft>with</span> {others}"


def _safe(href: str) -> bool:
    """Whether a browser would only go to a page or a file by it: relative, or of the web."""
    return ":" not in href or href.startswith(("http://", "https://", "ftp://"))


def _short(text: str) -> str:
    return text if len(text) <= 2000 else text[:2000] + "…"  # noqa: PLR2004 - a page is no place for a longer value


def _size(size: int | None) -> str:
    if size is None:
        return ""
    amount, units = float(size), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if amount < 1024:  # noqa: PLR2004 - binary units
            break
        amount, units = amount / 1024, larger
    return f'<span title="{size} bytes">{amount:.{0 if units == "B" else 1}f} {units}</span>'


def _duration(seconds: float) -> str:
    if seconds < 60:  # noqa: PLR2004
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _time(text: str | None) -> str:
    return _text(text[:19].replace("T", " ") + " UTC") if text else "not known"


def _text(text: str) -> str:
    return escape(text, quote=True)
