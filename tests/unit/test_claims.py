"""Which of the files and folders that a run left are the expected outputs."""

from __future__ import annotations

import tempfile
from pathlib import Path, PurePosixPath
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.claims import claim
from staging.definition import ExpectedOutput

FOUND = [
    ("multiqc/report.html", "File"),
    ("multiqc/data/numbers.json", "File"),
    ("calls.vcf.gz", "File"),
    ("bam/b.bam", "File"),
    ("bam/a.bam", "File"),
    ("bam/deep/c.bam", "File"),
    ("bam", "Directory"),
    ("calls.txt", "File"),
    ("x/summary", "Directory"),
]


def claimed(found: list[tuple[str, str]] = FOUND, places: dict[str, str] | None = None, **said: object) -> list[str]:
    expected = ExpectedOutput(**{"name": "o", **said})  # type: ignore[arg-type]
    return claim([expected], found, places or {})[expected.name]


@pytest.mark.parametrize(
    ("glob", "paths"),
    [
        ("*.txt", ["calls.txt"]),
        ("bam/*.bam", ["bam/a.bam", "bam/b.bam"]),
        ("./bam//*.bam", ["bam/a.bam", "bam/b.bam"]),
        ("**/*.bam", ["bam/a.bam", "bam/b.bam", "bam/deep/c.bam"]),
        ("bam/**", ["bam/a.bam", "bam/b.bam", "bam/deep/c.bam"]),
        ("**/deep/**/c.bam", ["bam/deep/c.bam"]),
        ("**/calls*", ["calls.txt", "calls.vcf.gz"]),
        ("b?m/[ab].bam", ["bam/a.bam", "bam/b.bam"]),
        ("bam/deep", []),
        ("../**", []),
        ("", []),
    ],
)
def test_a_glob_is_read_in_the_folder_of_outputs(glob: str, paths: list[str]) -> None:
    assert claimed(glob=glob) == paths


def test_a_glob_of_a_folder_finds_folders_also_those_that_only_their_files_tell() -> None:
    assert claimed(kind="Directory", glob="*") == ["bam", "multiqc", "x"]
    assert claimed(kind="Directory", glob="**/d*") == ["bam/deep", "multiqc/data"]


@pytest.mark.parametrize(
    ("name", "kind", "paths"),
    [
        ("bam/a.bam", "File", ["bam/a.bam"]),
        ("report.html", "File", ["multiqc/report.html"]),
        ("report", "File", ["multiqc/report.html"]),
        ("calls", "File", ["calls.txt", "calls.vcf.gz"]),
        ("calls.vcf", "File", ["calls.vcf.gz"]),
        ("bam", "File", ["bam/a.bam", "bam/b.bam", "bam/deep/c.bam"]),
        ("deep", "File", []),
        ("bam", "Directory", ["bam"]),
        ("deep", "Directory", ["bam/deep"]),
        ("summary", "Directory", ["x/summary"]),
        ("calls", "Directory", []),
        ("calls", "Value", []),
        ("else", "File", []),
    ],
)
def test_without_a_glob_the_name_tells_by_the_first_way_that_finds_any(name: str, kind: str, paths: list[str]) -> None:
    assert claimed(name=name, kind=kind) == paths


def test_a_file_of_just_that_path_goes_before_others_of_that_base_name() -> None:
    found = [("a/o", "File"), ("o", "File"), ("o.txt", "File")]
    assert claimed(found) == ["o"]
    assert claimed(found[:1] + found[2:]) == ["a/o"]


@pytest.mark.parametrize(
    ("place", "kind", "paths"),
    [
        (".", "Directory", ["."]),
        ("bam", "Directory", ["bam"]),
        ("multiqc", "Directory", ["multiqc"]),
        ("none", "Directory", []),
        ("calls.txt", "Directory", []),
        ("calls.txt", "File", ["calls.txt"]),
        ("bam", "File", ["bam/a.bam", "bam/b.bam", "bam/deep/c.bam"]),
        ("none", "File", []),
    ],
)
def test_an_output_is_filled_from_a_place(place: str, kind: str, paths: list[str]) -> None:
    assert claimed(kind=kind, places={"outdir": place}, fill_from="outdir") == paths
    assert claimed(name="outdir", kind=kind, places={"outdir": place}) == paths


def test_nothing_made_is_nothing_claimed() -> None:
    assert claimed([], {"outdir": "."}, kind="Directory", fill_from="outdir") == []
    assert claimed(name="calls", fill_from="gone") == []


def test_a_glob_goes_before_a_place() -> None:
    assert claimed(places={"p": "bam"}, fill_from="p", glob="*.txt") == ["calls.txt"]


names = st.text("ab.", min_size=1, max_size=2).filter(lambda name: name.strip("."))
trees = st.lists(st.lists(names, min_size=1, max_size=4).map("/".join), max_size=6, unique=True)
patterns = st.lists(st.sampled_from(["**", "*", "a", "b*", "?", "[ab]", "*."]), min_size=1, max_size=4).map("/".join)


@given(trees, patterns, st.randoms(use_true_random=False))
def test_globs_find_what_python_finds_in_any_order(paths: list[str], pattern: str, random: Random) -> None:
    # pathlib's globs take ** for folders alone, so that a last one is written out.
    leaves = [one for one in paths if not any(other.startswith(f"{one}/") for other in paths)]
    found = [(one, "File") for one in leaves]
    random.shuffle(found)
    with tempfile.TemporaryDirectory() as folder:
        for one in leaves:
            (Path(folder) / one).parent.mkdir(parents=True, exist_ok=True)
            (Path(folder) / one).touch()
        said = f"{pattern}/*" if pattern.endswith("**") else pattern
        truth = {one.relative_to(folder) for one in Path(folder).glob(said) if one.is_file()}
        if not truth and "/" not in pattern:
            truth = {one.relative_to(folder) for one in Path(folder).glob(f"**/{pattern}") if one.is_file()}
    assert claimed(found, glob=pattern) == [str(one) for one in sorted(truth, key=lambda one: one.parts)]


def test_a_pattern_of_a_name_finds_it_in_any_folder_if_none_is_at_the_top() -> None:
    assert claimed([("results/deep/a.vcf", "File")], glob="*.vcf") == ["results/deep/a.vcf"]
    assert claimed([("results/a.vcf", "File"), ("b.vcf", "File")], glob="*.vcf") == ["b.vcf"]


def test_many_stars_take_no_time() -> None:
    path = str(PurePosixPath(*["a"] * 200))
    assert claimed([(path, "File")], glob="/".join(["**", "a"] * 100) + "/b") == []
