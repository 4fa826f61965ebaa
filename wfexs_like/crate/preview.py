"""The crate's ro-crate-preview.html: the page of the account that its own metadata give, and what the story knows more.

So it shows what anybody's report of the crate would, and no second model of it is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from wfexs_like.crate.attempts import SHOWN
from wfexs_like.crate.graph import Graph
from wfexs_like.crate.payload import Payload
from wfexs_like.crate.story import RunStory, Slot, Story, Thing
from wfexs_like.reading.account import Account, Execution
from wfexs_like.reading.account import Slot as AccountSlot
from wfexs_like.reading.contents import Contents, Member
from wfexs_like.reading.metadata import Metadata
from wfexs_like.reading.recount import recount
from wfexs_like.reporting.extras import Extras, Fact, Note, RunExtras
from wfexs_like.reporting.page import render_page

_LISTED = 5
_CHECK = (
    "Check the sha256 of each input first. Inputs that are not in this crate have to be fetched from where they are "
    "said to be, or asked for{unnamed}. README.md says how the digests are made."
)
_UNNAMED = (
    ": a name without a folder stands for such a one. Parameters that are not in the command have the workflow's own "
    "values"
)


def render_preview(story: Story, graph: Graph, payload: Payload) -> str:
    """The page of the crate that ``graph`` describes and ``payload`` has written so far."""
    entities = {one.id: one.as_json() for one in graph}
    account = recount(Metadata(entities=entities), _contents(payload))
    return render_page(account, extras=extras_of(story, account), inside=True)


def _contents(payload: Payload) -> Contents:
    """The files that are in the crate by now."""
    contents = Contents()
    for path, size in payload.files():
        contents.members[path] = Member(kind="f", size=size)
        contents.add_parents(path)
    for path in payload.folders():
        contents.folders.add(path)
        contents.add_parents(path)
    return contents


def extras_of(story: Story, account: Account) -> Extras:
    """What the metadata don't say, or not to people, who read the account."""
    runs = {one.number: one.execution for one in account.runs}
    ran = story.kind == "retrospective"
    digest = Fact(
        label="Digest of the plan", text=story.plan_digest, code=True, href=story.lock.href if story.lock else None
    )
    told = [digest]
    if not ran:
        told.append(Fact(label="Prepared for", text=story.engine))
    if story.still_running:
        told.append(Fact(label="Runs", text=f"{story.still_running} still running, not told here"))
    if story.signed_by is not None:
        told.append(Fact(label="Signed by", text=story.signed_by, code=True))
    notes = [_again(story)]
    if story.environment:
        notes.append(Note(title="Environment of a run", facts=tuple(map(_listed, story.environment))))
    if story.remarks:
        notes.append(Note(title="What to know of this crate", paragraphs=tuple(story.remarks)))
    return Extras(
        facts=tuple(told),
        inputs=_ready(story.inputs),
        runs={one.number: _run(one, runs.get(one.number)) for one in story.runs},
        notes=tuple(notes),
    )


def _again(story: Story) -> Note:
    ran = story.kind == "retrospective"
    title = "Run it again" if ran else "Run it"
    if story.command is not None:
        return Note(
            title=title,
            paragraphs=(f"With {story.engine}, from this folder:", _CHECK.format(unnamed=_UNNAMED)),
            command=story.command,
        )
    how = "here it was" if ran else "it was prepared for"
    first = (
        f"Any engine for {story.language} can run {story.workflow.text} with the inputs above; {how} {story.engine}."
    )
    return Note(title=title, paragraphs=(first, _CHECK.format(unnamed="")))


def _run(run: RunStory, told: Execution | None) -> RunExtras:
    return RunExtras(
        facts=tuple(_circumstances(run)),
        last_words=run.tail if run.error else (),
        inputs=_remarks(run.inputs, told.inputs if told else ()),
        outputs=_remarks(run.outputs, told.outputs if told else ()),
    )


def _circumstances(run: RunStory) -> Iterator[Fact]:
    if run.exit_code is not None:
        yield Fact(label="Exit code", text=str(run.exit_code))
    yield Fact(label="Ran", text=run.ran)
    if run.tools:
        yield Fact(label="Tools", text=run.tools)
    if run.platform:
        yield Fact(label="Engine ran on", text=run.platform)
    yield _network(run)
    if run.environment:
        told = [f"{one.label}: {one.text}" for one in map(_listed, run.environment)]
        yield Fact(label="Environment", text=told[0], more=tuple(told[1:]))
    if run.status == "killed":
        yield Fact(label="How it ended", text="it was killed")
    yield Fact(label="Identifier", text=run.uuid, code=True)


def _network(run: RunStory) -> Fact:
    """How it was cut off, and what it tried to reach all the same."""
    words = "none: cut off by a network namespace" if run.network == "namespace" else "not cut off from it"
    words += f". {run.not_seen}" if run.not_seen else ""
    words += ". It tried to reach, and reached none of:" if run.tried else ""
    more = len(run.tried) - SHOWN
    rest = (f"and {more} more",) if more > 0 else ()
    return Fact(label="Network", text=words, more=(*run.tried[:SHOWN], *rest))


def _remarks(slots: Sequence[Slot], told: Sequence[AccountSlot]) -> dict[str, str]:
    """What is remarked on the values of a parameter: where to get what isn't there, whose value it is, why none is."""
    names = {one.name for one in told}
    found = {}
    for slot in slots:
        noted = [thing for thing in slot.things if thing.note]
        words = dict.fromkeys(str(thing.note) for thing in noted)
        if len(words) > 1:
            words = dict.fromkeys(f"{thing.text}: {thing.note}" for thing in noted)
        if words:
            more = len(words) - _LISTED
            found[slot.name] = "; ".join(list(words)[:_LISTED]) + (f"; and {more} more" if more > 0 else "")
        elif slot.name not in names and len(slot.things) == 1:
            found[slot.name] = slot.things[0].text
    return found


def _ready(slots: Sequence[Slot]) -> dict[str, str]:
    """What is ready for a run: of files, which the account tells, only what is remarked on them."""
    files = _remarks([one for one in slots if any(thing.sha256 or thing.href for thing in one.things)], ())
    return {**{one.name: _listed(one).text for one in slots if one.name not in files}, **files}


def _listed(slot: Slot) -> Fact:
    """A variable or parameter with its value, or its files."""

    def words(thing: Thing) -> str:
        return f"{thing.text} ({thing.note})" if thing.note else thing.text

    more = len(slot.things) - _LISTED + slot.many
    told = [words(one) for one in slot.things[:_LISTED]] + ([f"and {more} more"] if more > 0 else [])
    return Fact(label=slot.name, text=", ".join(told) or "none")
