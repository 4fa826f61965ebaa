"""A page of an account: for people, harmless whatever the crate says, of a size that a browser opens at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest

from tests.support import accounts
from tests.support.pages import Page
from wfexs_like.reading.account import Account, Execution, Item, Run, Slot, StepRun
from wfexs_like.reporting.page import render_page
from wfexs_like.reporting.style import STYLE

EVIL = "</script></title><script>alert(1)</script><img src=x onerror=alert(1)>\"'&\u202egpj.exe\u2066\x00\x1b[31m"
_WORDS = frozenset({"status", "kind"})


def spoiled(value: Any, text: str, name: str = "") -> Any:
    """The account with ``text`` wherever a crate may say what it likes."""
    if is_dataclass(value) and not isinstance(value, type):
        changed = {one.name: spoiled(getattr(value, one.name), text, one.name) for one in fields(value)}
        if isinstance(value, Item):
            changed["kind"] = value.kind
        return type(value)(**changed)
    if isinstance(value, tuple):
        return tuple(spoiled(one, text, name) for one in value)
    if isinstance(value, Mapping):
        return {**dict.fromkeys(value, text), text: text}
    if name == "status" or isinstance(value, int | float | bool | datetime):
        return value
    return text if isinstance(value, str) or name in ("address", "licence", "path", "source") else value


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize(
    "text",
    [EVIL, "javascript:alert(1)", "//evil.example/x", "../../etc/passwd", "\ud800\n\n\x85"],
    ids=["markup", "script", "host", "climbing", "breaks"],
)
def test_no_text_of_a_crate_can_do_harm(text: str, inside: bool) -> None:
    account = spoiled(accounts.usual(), text)
    page = Page(render_page(account, inside=inside))
    page.is_harmless()
    page.html.encode()
    assert "../" not in "".join(page.links)
    assert text[:6].strip() in page.text or text.startswith("\ud800")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page.html)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy[1]


def test_a_text_of_a_megabyte_is_cut_wherever_it_stands() -> None:
    for letter in ("x", '"', "\u202e", "\U0001f600"):
        html = render_page(spoiled(accounts.usual(), letter * 1_000_000))
        assert len(html.encode()) < 1_500_000


@pytest.mark.parametrize(
    ("size", "words"),
    [
        ({"steps": 10_000}, "and 9,980 executions not shown here: ro-crate-metadata.json has all of them"),
        ({"outputs": 100_000}, "and 99,900 more, in the metadata"),
    ],
    ids=["steps", "outputs"],
)
def test_a_huge_run_is_summed_up_on_a_small_page_that_says_what_it_leaves_out(size: dict[str, int], words: str) -> None:
    page = Page(render_page(accounts.huge(**size)))
    assert len(page.html.encode()) < 1_000_000
    assert page.html.count("<tr>") < 2_000
    page.is_harmless()
    assert words in page.text
    assert "ro-crate-metadata.json has all of them" in page.text


def test_hostile_rows_without_end_still_make_a_page_below_three_megabytes() -> None:
    long = tuple(replace(accounts.file(f"{n}" + '"' * 400), address="https://e.org/" + "&" * 900) for n in range(5_000))
    whole = replace(
        accounts.finished().execution,
        outputs=tuple(Slot(name=one.name, parameter=None, items=long[:99]) for one in long),
    )
    runs = tuple(Run(execution=whole, number=number) for number in range(1, 40))
    html = render_page(replace(accounts.usual(), runs=runs, data=long))
    assert len(html.encode()) < 3_000_000
    assert "not shown here" in html


def test_the_page_tells_what_a_reader_looks_for() -> None:
    page = Page(render_page(accounts.usual()))
    for words in (
        "Variant calling of a sample",
        "✓ completed 1",
        "✗ failed 1",
        "2026-11-01 10:00:00 UTC to 2026-11-01 10:10:12 UTC",
        "cwltool 3.1",
        "Josiah Carberry (Brown)",
        "wfexs-like 1.0",
        "https://spdx.org/licenses/CC-BY-4.0",
        "Provenance Run Crate 0.5",
        "the step call failed",
        "E: no such reference: chr42",
        "align, attempt 1",
        "align, attempt 2",
        "peak resident memory",
        "CPU model: Example 9000; cores: 8; memory: 64.0 GB",
        "ab" * 32,
        "20.5 kB",
        "LC_ALL",
        "not in this crate",
        "No GPU is told.",
        "A time without a zone was taken as UTC.",
    ):
        assert words in page.text, words


def test_links_lead_to_files_only_from_within_the_crate_and_only_to_those_that_are_there() -> None:
    inside, outside = Page(render_page(accounts.usual(), inside=True)), Page(render_page(accounts.usual()))
    assert "runs/1/outputs/calls.vcf.gz" in inside.links
    assert "runs/1/outputs/report.html" not in inside.links
    assert not [one for one in outside.links if not one.startswith(("#", "https://"))]
    strange = accounts.file("100%25 a#b?.txt")
    whole = replace(accounts.finished().execution, outputs=(Slot(name="odd", parameter=None, items=(strange,)),))
    page = Page(render_page(replace(accounts.usual(), runs=(Run(execution=whole),)), inside=True))
    assert "inputs/100%2525%20a%23b%3F.txt" in page.links


def test_who_cannot_see_finds_headings_in_order_tables_with_heads_and_drawings_in_words() -> None:
    page = Page(render_page(accounts.usual()))
    levels = [int(one[1]) for one in page.tags if re.fullmatch("h[1-6]", one)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert page.html.count("<th scope=") == page.html.count("<th") - page.html.count("<thead")
    drawings = re.findall(r'<svg role="img" aria-labelledby="([\w-]+) ([\w-]+)"[^>]*><title id="\1">', page.html)
    assert len(drawings) == page.tags.count("svg") - 1  # the pattern of failures is no drawing
    assert "from dedup to call" in page.text
    assert re.search(r'<div class="scroll" tabindex="0" role="region" aria-label="', page.html)
    assert '<html lang="en">' in page.html


def test_a_failure_is_told_in_words_and_by_its_pattern_beside_its_colour() -> None:
    html = render_page(replace(accounts.usual(), runs=(accounts.failed(),)))
    assert "✗ failed, 4.0 s</text>" in html
    assert 'class="bar fail"' in html
    assert re.search(r"\.bar\.fail \{ fill: url\(#hatch\)", STYLE)
    assert 'class="step fail"' in html
    assert re.search(r"\.step\.fail rect \{[^}]*stroke-dasharray", STYLE)


def test_a_crate_of_which_nothing_ran_shows_what_is_ready_and_what_is_to_be_made() -> None:
    account = replace(accounts.usual(), runs=())
    ready = replace(accounts.file("a.fq"), slots=("#reads",))
    page = Page(render_page(replace(account, data=(ready,))))
    for words in ("no run", "Outputs to be made", "a.fq", "What reads is.", "variants"):
        assert words in page.text


def test_a_bare_account_is_a_page_all_the_same() -> None:
    page = Page(render_page(Account(name=None)))
    page.is_harmless()
    assert "A crate without a name" in page.text


def test_runs_without_a_workflow_are_listed_when_they_are_many() -> None:
    runs = tuple(
        Run(execution=Execution(id=f"#{n}", name=f"action {n}", status="failed" if n == 3 else "completed"))
        for n in range(1_000)
    )
    page = Page(render_page(Account(name="many", runs=runs)))
    assert "All 1,000 runs" in page.text
    assert "and 700 more not shown here" in page.text
    assert page.tags.count("section") < 20
    assert "✗ failed 1" in page.text


def test_members_of_a_scatter_are_told_apart_and_so_are_tries_at_one_of_them() -> None:
    def run(name: str, item: str, begin: int) -> StepRun:
        one = replace(
            accounts.execution("align", begin, begin + 1),
            name=name,
            inputs=(Slot(name="in", parameter=None, items=(accounts.file(item),)),),
        )
        return StepRun(step="align", position=1, execution=one)

    steps = (run("align", "a", 0), run("align", "b", 1), run("align", "a", 2), run("align (c) in run 1", "c", 3))
    text = Page(render_page(replace(accounts.usual(), runs=(replace(accounts.finished(), steps=steps),)))).text
    for label in ("align #1, attempt 1", "align #1, attempt 2", "align #2", "align (c)"):
        assert label in text


def _luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    digits = "".join(one * 2 for one in digits) if len(digits) == 3 else digits
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_letters_can_be_read_on_what_is_behind_them(scheme: str) -> None:
    both = [dict(re.findall(r"--(\w+): (#\w+)", one)) for one in re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)]
    colours = both[0] if scheme == "light" else both[1]
    pairs = [(ink, ground) for ink in ("ink", "soft", "link", "bad") for ground in ("card", "page")]
    pairs += [("ok", "okbg"), ("bad", "badbg"), ("ink", "box"), ("soft", "box"), ("ink", "data"), ("ink", "track")]
    for ink, ground in pairs:
        light, dark = sorted((_luminance(colours[ink]), _luminance(colours[ground])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, ground)
    for mark in ("bar", "boxline", "arrow"):
        light, dark = sorted((_luminance(colours[mark]), _luminance(colours["card"])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 2.4, mark


def test_of_the_data_what_is_in_the_crate_comes_first_and_the_rest_is_marked() -> None:
    between = Item(id="#between", kind="file", name="words.tmp", media_type="application/octet-stream")
    far = Item(id="https://e.org/far.txt", kind="file", name="far.txt", address="https://e.org/far.txt")
    account = replace(accounts.usual(), data=(between, far, accounts.file("text.txt")))
    html = render_page(account)
    table = html[html.index('class="files"') :]
    names = ("text.txt", "words.tmp", "far.txt")
    assert [name for _, name in sorted((table.index(name), name) for name in names)] == list(names)
    assert table.count("not in this crate") == 1
    # Long types may be broken after the slash, and nowhere within a word.
    assert "application/<wbr>octet-stream" in table
    assert "3 files and folders, 1 in this crate" in html
    assert "a sha256 is told of 1 of 3 files." in html
