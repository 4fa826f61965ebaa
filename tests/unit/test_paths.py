from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staging.errors import PolicyError
from staging.paths import MAX_NAME_BYTES, MAX_PARTS, safe_join, safe_name, safe_relative

PARTS = st.one_of(st.text(max_size=8), st.sampled_from(["..", ".", "", "~", "C:", "a", "é", "-rf", "$(x)", "\\"]))


@given(st.lists(PARTS).map("/".join))
def test_a_safe_join_never_leaves_its_folder(text: str) -> None:
    root = Path("/nowhere/at/all")
    try:
        joined = safe_join(root, text)
    except PolicyError:
        return

    assert joined.is_relative_to(root)
    assert joined != root
    assert ".." not in joined.parts


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/etc/passwd",
        "..",
        "a/../b",
        "../x",
        "a//b",
        "./a",
        "a/",
        "a\\b",
        "a\nb",
        "a\x00",
        "x" * 256,
        "\ud800",
        "a/" * 2048 + "b",
        "a/" * MAX_PARTS + "b",
    ],
)
def test_a_path_that_could_mean_something_else_is_refused(text: str) -> None:
    with pytest.raises(PolicyError):
        safe_relative(text)


@pytest.mark.parametrize("text", ["a", "-rf", "a b/$(c)/'d\"", "é/ü", "4079_7#1.bam", "x" * 255, ".hidden", "..."])
def test_a_strange_but_harmless_path_is_kept_as_it_is(text: str) -> None:
    assert str(safe_relative(text)) == text


def test_folders_can_be_made_for_the_deepest_path(tmp_path: Path) -> None:
    deepest = tmp_path / safe_relative("a/" * (MAX_PARTS - 1) + "b")

    deepest.mkdir(parents=True)

    assert deepest.is_dir()


def test_a_link_that_leads_out_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link").symlink_to(tmp_path)

    with pytest.raises(PolicyError, match="link"):
        safe_join(tmp_path / "in", "link/x")


@given(st.text())
def test_a_base_name_is_always_one_usable_name(text: str) -> None:
    name = safe_name(text)

    assert name not in ("", ".", "..")
    assert "/" not in name and "\x00" not in name
    assert len(name.encode()) <= MAX_NAME_BYTES


def test_a_base_name_keeps_its_suffix_however_long_it_was() -> None:
    assert safe_name("é" * 1_000_000 + ".fastq.gz").endswith("é.fastq.gz")


def test_a_base_name_is_decoded_and_its_folders_dropped() -> None:
    assert safe_name("a%2F..%2Fb%20c.txt") == "b c.txt"
