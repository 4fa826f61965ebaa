"""The README and the preview are for people: nothing is loaded from elsewhere, nothing in a name can do harm."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from wfexs_like.crate.preview import render_preview
from wfexs_like.crate.readme import render_readme
from wfexs_like.crate.story import RunStory, Slot, Story, Thing

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
        workflow_name=text,
        workflow_source=thing,
        language=text,
        engine=text,
        software=text,
        plan_digest="sha256:0",
        documents=(thing,),
        inputs=(slot,),
        outputs=(slot,),
        runs=(run,),
        remarks=[text],
    )


class _Page(HTMLParser):
    VOID = frozenset({"meta", "br", "link", "img"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def _page(story: Story) -> _Page:
    page = _Page()
    page.feed(render_preview(story))
    page.close()
    return page


@pytest.mark.parametrize("kind", ["prospective", "retrospective"])
def test_the_preview_is_well_formed_loads_nothing_and_runs_nothing(kind: str) -> None:
    story = _story(EVIL)
    story.kind = kind
    page = _page(story)
    assert page.open == []
    assert not page.tags & {"script", "img", "link", "iframe", "object", "form"}
    assert not {name for name in page.attributes if name.startswith("on")}
    assert not [link for link in page.links if link.startswith(("javascript:", "data:", "//"))]
    assert EVIL in page.text
    assert not re.findall(r"url\(|@import", render_preview(story))


def test_a_failed_run_says_so_with_its_error_and_an_end_that_is_not_known() -> None:
    page = _page(_story("plain"))
    for words in ("failed", "not known", "exit code".capitalize(), "not cut off from it", "and 3 more", "2.0 KiB"):
        assert words in page.text
    assert "runs/1/outputs/a%20b.txt" in page.links


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
    slot = replace(story.runs[0].inputs[0], things=(Thing(text="y" * 10_000),))
    story.runs = (replace(story.runs[0], inputs=(slot,)),)
    assert "y" * 2001 not in render_preview(story)
