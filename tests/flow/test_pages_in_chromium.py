"""The page in a real Chromium: it loads nothing, complains of nothing, fits on a phone, and is light or dark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import accounts
from tests.support.browser import Browser, browser, pixels
from wfexs_like.reporting.page import render_page

_WIDER = "document.documentElement.scrollWidth - window.innerWidth"
_BACKGROUND = "getComputedStyle(document.body).backgroundColor"
_SHOWN = "getComputedStyle(document.querySelector('.step rect')).fill"
_SMALL = (
    "[...document.querySelectorAll('main *')].filter(one => one.childNodes.length && "
    "[...one.childNodes].some(node => node.nodeType === 3 && node.data.trim()) && one.getBoundingClientRect().width && "
    "parseFloat(getComputedStyle(one).fontSize) < 9).map(one => one.outerHTML.slice(0, 90))"
)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("chromium")) as one:
        yield one


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(render_page(accounts.usual()), encoding="utf-8")
    return file


def test_it_asks_for_nothing_and_the_console_is_silent(chromium: Browser, page: Path) -> None:
    chromium.show(page, width=1400)
    assert chromium.value("document.title") == "Variant calling of a sample"
    assert chromium.requests == [page.as_uri()]
    assert chromium.complaints == []
    assert chromium.value("performance.getEntriesByType('resource').length") == 0
    assert chromium.value("document.scripts.length") == 0
    # The style sheet was let through by its digest, or nothing of this would be so.
    assert chromium.value("getComputedStyle(document.querySelector('section')).borderRadius") != "0px"


@pytest.mark.parametrize("width", [320, 768, 1400])
def test_nothing_is_wider_than_the_window_and_letters_can_be_read(chromium: Browser, page: Path, width: int) -> None:
    chromium.show(page, width=width)
    assert chromium.value(_WIDER) <= 0
    assert chromium.value(_SMALL) == []
    tops = "[...document.querySelector('.steps tbody tr').children].map(one => one.getBoundingClientRect().top)"
    stacked = len(set(chromium.value(tops))) > 1
    assert stacked == (width == 320)


def test_names_without_end_or_a_break_do_not_make_the_page_wider(chromium: Browser, tmp_path: Path) -> None:
    from tests.unit.test_reporting_page import spoiled

    file = tmp_path / "long.html"
    file.write_text(render_page(spoiled(accounts.usual(), "W" * 5_000)), encoding="utf-8")
    chromium.show(file, width=320)
    assert chromium.value(_WIDER) <= 0
    assert chromium.complaints == []


def test_it_is_light_or_dark_as_the_reader_likes_it_and_never_blank(chromium: Browser, page: Path) -> None:
    seen = {}
    for scheme in ("light", "dark"):
        chromium.show(page, width=320, height=600, scheme="light" if scheme == "light" else "dark")
        width, height, lines = pixels(chromium.screenshot())
        assert (width, height) == (320, 600)
        depth = len(lines[0]) // width
        colours = {line[at : at + 3] for line in lines for at in range(0, len(line), depth)}
        assert len(colours) > 20
        seen[scheme] = (chromium.value(_BACKGROUND), chromium.value(_SHOWN), sum(lines[0][:3]))
    assert seen["light"][0] != seen["dark"][0]
    assert seen["light"][1] != seen["dark"][1]
    assert seen["light"][2] > 600
    assert seen["dark"][2] < 150


def test_what_is_folded_can_be_opened_by_keyboard_and_is_on_paper_too(chromium: Browser, page: Path) -> None:
    chromium.show(page, width=768)
    reachable = "[...document.querySelectorAll('summary, .scroll, .drawing, a[href]')].every(one => one.tabIndex >= 0)"
    assert chromium.value(reachable)
    for needed in ("summary", "nav a"):
        assert chromium.value(f"document.querySelectorAll('{needed}').length") > 0
    targets = "[...document.querySelectorAll('nav a')].every(one => document.querySelector(one.getAttribute('href')))"
    assert chromium.value(targets)
    whole = chromium.printed()
    assert whole.startswith(b"%PDF-")
    chromium.value("document.querySelectorAll('details > :not(summary)').forEach(one => one.remove())")
    assert len(whole) > 1.05 * len(chromium.printed())


def test_a_run_of_ten_thousand_steps_is_shown_at_once(chromium: Browser, tmp_path: Path) -> None:
    file = tmp_path / "huge.html"
    file.write_text(render_page(accounts.huge(steps=10_000)), encoding="utf-8")
    chromium.show(file, width=320)
    assert chromium.value(_WIDER) <= 0
    assert chromium.value("performance.timing.loadEventStart - performance.timing.navigationStart") < 5_000
