"""The crate's README.md: what it is, for somebody who has never heard of RO-Crates."""

from __future__ import annotations

import re

from wfexs_like.crate.story import RunStory, Slot, Story, Thing

_INTRODUCTION = """\
This folder is an [RO-Crate](https://w3id.org/ro/crate): data with a description that programs can read
(`ro-crate-metadata.json`) and people too (`ro-crate-preview.html`: open it in a browser)."""
_AGAIN = """\
With any engine for {language}: run `{main}` with the inputs above, after checking their sha256. Here it was {engine}.
Inputs that are not in this crate have to be fetched from where they are said to be, or asked for."""
_HOW = """\
{software} fetched the workflow and its inputs, wrote down the sha256 of each, had the engine run the workflow on
them, and wrote this crate. Every sha256 of a file in this crate was computed from the very bytes that were written."""
_TREE_RULE = """\
The sha256 of a *folder* is that of a text with one line for each file, symbolic link and empty folder in it, sorted by
the UTF-8 bytes of its path: `kind TAB digest TAB size TAB path NEWLINE`. The kind is `f` (file), `x` (executable file),
`l` (link; its digest field is the target) or `d` (empty folder); paths and targets are percent-encoded, `/` is not."""
_LONGEST = 2000
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!])")


def render_readme(story: Story) -> str:
    """The text."""
    ran = story.kind == "retrospective"
    lines = [f"# {_plain(story.title)}", ""]
    if story.description:
        lines += [_plain(story.description), ""]
    held = "a workflow and the record of what it did" if ran else "a workflow that is ready to run"
    lines += [_INTRODUCTION, f"It holds {held}.", *_overview(story)]
    if ran:
        for run in story.runs:
            lines += _run(run)
    else:
        lines += ["## Inputs", "", *_slots(story.inputs), "## Outputs to be made", "", *_declared(story.outputs)]
    again = _AGAIN.format(language=_plain(story.language), main=story.workflow.href, engine=_plain(story.engine))
    lines += ["## Run it again", "", again, "", "## How this crate was made", "", *_how(story), ""]
    return "\n".join(lines)


def _overview(story: Story) -> list[str]:
    lines = [
        "",
        "| | |",
        "|---|---|",
        f"| Workflow | {_thing(story.workflow)} ({_plain(story.language)}) |",
    ]
    if story.workflow_source is not None:
        lines.append(f"| Comes from | {_thing(story.workflow_source)} |")
    return [
        *lines,
        f"| Engine | {_plain(story.engine)} |",
        f"| Licence | {_thing(story.licence)} |",
        f"| By | {_plain(', '.join(story.people))} |",
        f"| Crate made | {story.published} |",
        f"| Digest of the plan | `{story.plan_digest}` |",
        "",
    ]


def _run(run: RunStory) -> list[str]:
    lines = [f"## Run {run.number}: {run.status}", ""]
    if run.started:
        took = f", {run.seconds:.1f} s" if run.seconds is not None else ""
        lines += [f"Started {run.started}, {'ended ' + run.ended if run.ended else 'end not known'}{took}.", ""]
    if run.error:
        # An indented block is shown as it is, markup and all.
        lines += [*(f"    {line[:_LONGEST]}" for line in run.error.splitlines()[:100]), ""]
    lines += ["### Inputs", "", *_slots(run.inputs), "### Outputs", "", *_slots(run.outputs)]
    if run.logs:
        lines += ["Logs: " + ", ".join(_thing(log) for log in run.logs), ""]
    return lines


def _slots(slots: tuple[Slot, ...]) -> list[str]:
    if not slots:
        return ["None.", ""]
    lines = ["| name | value | bytes | sha256 |", "|---|---|---:|---|"]
    for slot in slots:
        for thing in slot.things:
            size = "" if thing.size is None else str(thing.size)
            digest = "" if thing.sha256 is None else f"`{thing.sha256}`"
            lines.append(f"| {_plain(slot.name)} | {_thing(thing)} | {size} | {digest} |")
        if slot.many:
            lines.append(f"| {_plain(slot.name)} | and {slot.many} more | | |")
    return [*lines, ""]


def _declared(slots: tuple[Slot, ...]) -> list[str]:
    if not slots:
        return ["None.", ""]
    lines = ["| name | type | |", "|---|---|---|"]
    return [
        *lines,
        *(f"| {_plain(one.name)} | {_plain(one.kind)} | {_plain(one.description or '')} |" for one in slots),
        "",
    ]


def _how(story: Story) -> list[str]:
    lines = [_HOW.format(software=_plain(story.software)), "", _TREE_RULE]
    for remark in story.remarks:
        lines += ["", _plain(remark)]
    return lines


def _thing(thing: Thing) -> str:
    text = _plain(thing.text) or "(empty)"
    shown = f"[{text}](<{thing.href}>)" if thing.href else text
    return f"{shown} ({_plain(thing.note)})" if thing.note else shown


def _plain(text: str) -> str:
    """The text with nothing in it that Markdown or HTML would take for its own; long ones are cut."""
    if len(text) > _LONGEST:
        text = text[:_LONGEST] + "…"
    return _SPECIAL.sub(r"\\\1", " ".join(text.split())).replace("&", "&amp;")
