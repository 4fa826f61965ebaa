"""The README and the preview are for people: nothing is loaded from elsewhere, nothing in a name can do harm."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tests.support.pages import Page
from wfexs_like.crate.attempts import SHOWN
from wfexs_like.crate.preview import extras_of
from wfexs_like.crate.readme import render_readme
from wfexs_like.crate.story import RunStory, Slot, Story, Thing
from wfexs_like.reading.account import Account, Execution, Run
from wfexs_like.reporting.page import render_page

EVIL = '<script>alert("1")</script>\'"&|`[x](javascript:alert(1))'


def _story(text: str) -> Story:
    thing = Thing(text=text, href="runs/1/outputs/a%20b.txt", sha256="0" * 64, size=2048, note=text)
    slot = Slot(name=text, kind=text, things=(thing, Thing(text=text, href="javascript:alert(1)")), many=3)
    run = RunStory(
        number=1,
        uuid="u",
        status="failed",
        started="2026-11-01T10:00:00.000+00:00",
        ended=None,
        seconds=None,
        exit_code=3,
        error=text,
        ran=text,
        network="none",
        inputs=(slot,),
        outputs=(slot,),
        logs=(thing,),
    )
    return Story(
        title=text,
        description=text,
        kind="retrospective",
        published="2026-11-02",
        licence=Thing(text=text),
        people=(text,),
        workflow=thing,
        workflow_source=thing,
        language=text,
        engine=text,
        software=text,
        plan_digest="sha256:0",
        inputs=(slot,),
        outputs=(slot,),
        runs=(run,),
        remarks=[text],
    )


def _preview(story: Story) -> str:
    """The page of a crate whose metadata tell next to nothing: all else is what the story knows."""
    whole = Execution(id="#run", name="a run", status="failed", error="it failed")
    account = Account(name=story.title, runs=(Run(execution=whole, number=1),) if story.runs else ())
    return render_page(account, extras=extras_of(story, account), inside=True)


@pytest.mark.parametrize("kind", ["prospective", "retrospective"])
def test_the_preview_is_well_formed_loads_nothing_and_runs_nothing(kind: str) -> None:
    story = _story(EVIL)
    story.kind = kind
    page = Page(_preview(story))
    page.is_harmless()
    assert EVIL in page.text


def test_a_failed_run_says_so_with_its_error_and_an_end_that_is_not_known() -> None:
    story = _story("plain")
    story.runs = (replace(story.runs[0], tail=("goodbye",), tried=("tcp 192.0.2.1:80",)),)
    page = Page(_preview(story))
    for words in ("failed", "Endednot told", "Exit code3", "not cut off from it", "goodbye", "tcp 192.0.2.1:80"):
        assert words in page.text


def test_a_reader_learns_how_to_run_it_again_and_what_to_know_of_the_crate() -> None:
    story = _story("plain")
    story.command = "NXF_VER=24.10.0 nextflow run workflow/main.nf"
    story.remarks = ["The lock is not in this crate."]
    story.lock = Thing(text="stage.lock.json", href="stage.lock.json")
    story.signed_by = "SHA256:abc"
    story.still_running = 2
    page = Page(_preview(story))
    for words in (story.command, *story.remarks, "Run it again", "SHA256:abc", "sha256:0", "2 still running"):
        assert words in page.text
    assert "stage.lock.json" in page.links


def test_values_that_are_not_there_are_told_with_the_reason() -> None:
    story = _story("plain")
    told = (Thing(text="a.txt", note="not in this crate: ask for it"), Thing(text="b.txt"))
    slots = (Slot(name="reads", kind="File", things=told), Slot(name="sorted", kind="File", things=(Thing(text="no"),)))
    story.runs = (replace(story.runs[0], outputs=slots),)
    text = Page(_preview(story)).text
    assert "readsnot in this crate: ask for it" in text
    assert "sortedno" in text


def test_of_many_values_and_attempts_the_first_are_told_and_how_many_more_there_are() -> None:
    story = _story("plain")
    several = tuple(Thing(text=f"value{number}", note=f"reason{number}") for number in range(8))
    run = replace(
        story.runs[0],
        inputs=(Slot(name="reads", kind="File", things=several),),
        tried=tuple(f"tcp 192.0.2.{number}:80" for number in range(SHOWN + 7)),
    )
    story.runs = (run,)
    text = Page(_preview(story)).text
    assert "value4: reason4; and 3 more" in text
    assert f"tcp 192.0.2.{SHOWN - 1}:80and 7 more" in text
    story = replace(story, runs=(), environment=(Slot(name="PATHS", kind="variable", things=several[:6], many=3),))
    assert "value4 (reason4), and 4 more" in Page(_preview(story)).text


def test_the_readme_takes_names_for_text_and_not_for_markup() -> None:
    text = render_readme(_story(EVIL))
    marked_up = "\n".join(line for line in text.splitlines() if not line.startswith("    "))
    assert "alert" in marked_up
    assert not re.search(r"(?<!\\)<script>", marked_up)
    assert not re.search(r"(?<!\\)\]\(javascript:", marked_up)
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert all(len(re.findall(r"(?<!\\)\|", row)) in (3, 5) for row in rows)


def test_a_long_value_is_cut_for_people() -> None:
    story = _story("x" * 10_000)
    assert "x" * 2001 not in render_readme(story)
    # What failed may say so at length; no line of the page is as long.
    assert "x" * 6001 not in _preview(story)
    several = (Slot(name="NAMES", kind="variable", things=(Thing(text="y" * 10_000),)),)
    story.runs = (replace(story.runs[0], environment=several),)
    assert "y" * 2001 not in _preview(story)
    assert "y" * 1000 in _preview(story)
