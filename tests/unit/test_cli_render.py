"""How things look to a person; nothing that comes from outside can play with the terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wfexs_like.cli.render import counted, duration, elapsed, moment, plain, size, status, table, value_line


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, "?"),
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (1_400_000, "1.4 MB"),
        (2 * 10**12, "2.0 TB"),
        (5 * 10**18, "5000.0 PB"),
    ],
)
def test_sizes_read_well_at_every_border(count: int | None, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "?"),
        (0.0004, "under 1 ms"),
        (0.0015, "1.5 ms"),
        (0.04, "40 ms"),
        (0.0949, "95 ms"),
        (0.0996, "0.10 s"),
        (1.04, "1.0 s"),
        (9.94, "9.9 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (192, "3 min 12 s"),
        (7500, "2 h 05 min"),
    ],
)
def test_lengths_of_time_read_well_at_every_border(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_a_time_that_is_not_known_stays_unknown() -> None:
    assert elapsed("2024-01-01T00:00:00.000+00:00", "2024-01-01T00:00:01.500+00:00") == 1.5
    assert elapsed("2024-01-01T00:00:00.000+00:00", None) is None
    assert elapsed("nonsense", "2024-01-01T00:00:01.500+00:00") is None
    assert moment(None) == "?"


@given(st.text())
def test_foreign_text_has_no_power_over_the_terminal(text: str) -> None:
    shown = plain(text)
    assert all(char in "\n\t" or (char >= " " and not "\x7f" <= char <= "\x9f") for char in shown)
    assert not set(shown) & set("\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069")
    shown.encode()


def test_colours_of_a_tool_are_dropped_and_other_tricks_are_shown() -> None:
    assert plain("\x1b[31mred\x1b[0m") == "red"
    assert plain("a\x07b\rc") == "a\\x07b\\x0dc".replace("\\x0d", "\\r")
    assert plain("safe\u202egpj.exe") == "safe\\u202egpj.exe"


def test_a_table_lines_up_and_keeps_a_row_on_a_line() -> None:
    text = table(("A", "NAME"), [("1", "x\ny"), ("22", "z")])
    assert text == "A   NAME\n1   x y\n22  z"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"class": "File", "path": "/a/b", "size": 5}, "/a/b (5 B)"),
        ({"class": "Directory", "path": "/a"}, "/a"),
        ([1, 2, 3, 4, 5], "[1, 2, 3, ... 2 more]"),
        (None, "null"),
        (True, "true"),
        ({"x": [None]}, "{x: [null]}"),
        ("text", "text"),
    ],
)
def test_a_value_is_told_on_one_line(value: object, text: str) -> None:
    assert value_line(value) == text


def test_numbers_and_statuses_are_words() -> None:
    assert [counted(number, "run") for number in (0, 1, 2)] == ["no runs", "1 run", "2 runs"]
    assert status("failed", colour=True) == "\x1b[31mfailed\x1b[0m"
    assert status("failed", colour=False) == "failed"
    assert status("unheard-of", colour=True) == "unheard-of"
