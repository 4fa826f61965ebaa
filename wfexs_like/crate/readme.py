"""The crate's README.md: what it is, for somebody who has never heard of RO-Crates."""

from __future__ import annotations

import re

from wfexs_like.crate.attempts import SHOWN
from wfexs_like.crate.story import RunStory, Slot, Story, Thing
from wfexs_like.seal.naming import COMMANDS, MANIFEST, SIGNATURE

_INTRODUCTION = """\
This folder is an [RO-Crate](https://w3id.org/ro/crate): data with a description that programs can read
(`ro-crate-metadata.json`) and people too (`ro-crate-preview.html`: open it in a browser)."""
_AGAIN = """\
With any engine for {language}: run `{main}` with the inputs above, after checking their sha256. {here} {engine}.
Inputs that are not in this crate have to be fetched from where they are said to be, or asked for."""
_COMMAND = """\
With {engine}: after checking the sha256 of each input, from this folder,

    {command}

Inputs that are not in this crate have to be fetched from where they are said to be, or asked for: a name without a
folder stands for such a one. Parameters that are not in the command have the workflow's own values."""
_HOW = """\
{software} fetched the workflow and its inputs, wrote down the sha256 of each{ran}, and
wrote this crate. Every sha256 of a file in this crate was computed from the very bytes that were written."""
_LOCK = """\
[{lock}](<{lock}>) is the plan: what was staged, item by item. The *digest of the plan* is the sha256 of that file's
JSON without its `digest`, without white space, with sorted keys (but those inside `parameters` keep their order)."""
_TREE_RULE = """\
The sha256 of a *folder* is that of a text with one line for each file, symbolic link and empty folder in it, sorted by
the UTF-8 bytes of its path: `kind TAB digest TAB size TAB path NEWLINE`. The kind is `f` (file), `x` (executable file),
`l` (link; its digest field is the target) or `d` (empty folder); paths and targets are percent-encoded, `/` is not."""
_SIGNED = """\
[{manifest}]({manifest}) has the sha512 of every other file, and [{signature}]({signature}) is its signature by the
SSH key `{signer}`. Ask whoever gave you this crate whether that key is theirs, and for its public half. In this folder,

    {verify}
    {check}

say whether it is as it was signed; ALLOWED is a file of one line, `SIGNER ssh-ed25519 AAAA...`. Files that were added
are found by `wfexs-like verify`."""
_LONGEST = 2000
_BESIDE = 20
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
        if story.environment:
            lines += ["## Environment variables of a run", "", *_slots(story.environment)]
    if story.images:
        lines += ["## Container images", "", *_slots((Slot(name="image", kind="", things=story.images),))]
    again = _AGAIN.format(
        language=_plain(story.language),
        main=story.workflow.href,
        engine=_plain(story.engine),
        here="Here it was" if ran else "It was prepared for",
    )
    if story.command is not None:
        again = _COMMAND.format(engine=_plain(story.engine), command=story.command)
    lines += [
        "## Run it again" if ran else "## Run it",
        "",
        again,
        "",
        *_signed(story),
        "## How this crate was made",
        "",
        *_how(story),
        "",
    ]
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
        f"| Digest of the plan | `{story.plan_digest}`{f' ({_thing(story.lock)})' if story.lock else ''} |",
        "",
    ]


def _run(run: RunStory) -> list[str]:
    lines = [f"## Run {run.number}: {run.status}", ""]
    if run.started:
        took = f", {run.seconds:.1f} s" if run.seconds is not None else ""
        lines += [f"Started {run.started}, {'ended ' + run.ended if run.ended else 'end not known'}{took}.", ""]
    if run.error:
        # An indented block is shown as it is, markup and all.
        told = [*run.error.splitlines()[:100], *(("", "Its last words:", *run.tail) if run.tail else ())]
        lines += [*(f"    {line.rstrip()[:_LONGEST]}".rstrip() for line in told), ""]
    lines += [f"Ran: {_plain(run.ran)}.", ""]
    if run.tools:
        lines += [f"Tools: {_plain(run.tools)}.", ""]
    if run.platform:
        lines += [f"The engine ran on: {_plain(run.platform)}.", ""]
    if run.tried:
        shown = [f"- {_plain(one)}" for one in run.tried[:SHOWN]]
        more = len(run.tried) - len(shown)
        lines += [
            "It tried to reach these, and reached none:",
            "",
            *shown,
            *([f"- and {more} more"] if more > 0 else []),
        ]
        lines += [""]
    if run.not_seen:
        lines += [_plain(run.not_seen), ""]
    lines += ["### Inputs", "", *_slots(run.inputs)]
    if run.environment:
        lines += ["### Environment", "", *_slots(run.environment)]
    lines += ["### Outputs", "", *_slots(run.outputs)]
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


def _signed(story: Story) -> list[str]:
    if story.signed_by is None:
        return []
    text = _SIGNED.format(
        manifest=MANIFEST, signature=SIGNATURE, signer=story.signed_by, verify=COMMANDS[0], check=COMMANDS[1]
    )
    return ["## Is it still as it was made?", "", text, ""]


def _how(story: Story) -> list[str]:
    ran = ", had the engine run the workflow on them" if story.kind == "retrospective" else ""
    lines = [_HOW.format(software=_plain(story.software), ran=ran), "", _TREE_RULE]
    if story.lock is not None:
        lines += ["", _LOCK.format(lock=story.lock.href)]
    for remark in story.remarks:
        lines += ["", _plain(remark)]
    return lines


def _thing(thing: Thing) -> str:
    text = _plain(thing.text) or "(empty)"
    shown = f"[{text}](<{thing.href}>)" if thing.href else text
    shown = f"{shown} ({_plain(thing.note)})" if thing.note else shown
    return shown + (f", with {_beside(thing)}" if thing.beside else "")


def _beside(thing: Thing) -> str:
    more = len(thing.beside) - _BESIDE
    return ", ".join(_thing(one) for one in thing.beside[:_BESIDE]) + (f" and {more} more" if more > 0 else "")


def _plain(text: str) -> str:
    """The text with nothing in it that Markdown or HTML would take for its own; long ones are cut."""
    if len(text) > _LONGEST:
        text = text[:_LONGEST] + "…"
    return _SPECIAL.sub(r"\\\1", " ".join(text.split())).replace("&", "&amp;")
