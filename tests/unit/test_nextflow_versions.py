from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.nextflow.setup.sources import known_files, known_versions
from engines.nextflow.setup.versions import Constraint, Version, check_version, choose, java_range
from staging.errors import DefinitionError

KNOWN = ("22.10.7", "23.10.1", "24.10.0")

numbers = st.integers(min_value=0, max_value=99)
releases = st.tuples(numbers, numbers, numbers).map(lambda one: f"{one[0]}.{one[1]:02d}.{one[2]}")
versions = st.tuples(releases, st.booleans()).map(lambda one: one[0] + ("-edge" if one[1] else ""))


# --- order ------------------------------------------------------------------------------------------------------------


def test_versions_are_ordered_by_number_and_an_edge_release_comes_before_its_release() -> None:
    shuffled = ["24.10.0", "9.1.0", "23.05.0", "23.05.0-edge", "24.04.4", "23.04.0", "24.9.0-edge"]

    assert sorted(shuffled, key=Version.parse) == [
        "9.1.0", "23.04.0", "23.05.0-edge", "23.05.0", "24.04.4", "24.9.0-edge", "24.10.0",
    ]  # fmt: skip


@given(versions, versions, versions)
def test_the_order_is_one(one: str, two: str, three: str) -> None:
    a, b, c = Version.parse(one), Version.parse(two), Version.parse(three)

    assert (a < b) + (a == b) + (a > b) == 1
    if a <= b <= c:
        assert a <= c


# --- constraints: each line is what Nextflow 24.10.0 itself says of them ----------------------------------------------


@pytest.mark.parametrize(
    ("constraint", "version", "met"),
    [
        ("24.10.0", "24.10.0", True),
        ("=24.10.0", "24.10.1", False),
        ("== 24.10", "24.10.0", True),
        (">=23.04", "24.10.0", True),
        (">= 23.04.0", "22.10.7", False),
        ("<25", "24.10.0", True),
        ("<=24.10", "24.10.0", True),
        (">24.10", "24.10.0", False),
        ("<>24.10.0", "24.10.0", False),
        ("!!=24.10.0", "23.10.1", True),
        ("!=23.10.0", "24.10.0", False),
        ("!>=23.04, <25", "24.10.0", True),
        (">=23.04.0,<24", "24.10.0", False),
        ("24.10+", "24.10.0", True),
        ("24.04+", "24.10.0", True),
        ("23.10.0+", "23.10.1", True),
        ("23.04.0+", "24.10.0", False),
        ("24.+", "24.10.0", True),
        ("1.2+", "24.10.0", False),
        ("<24.10.0-edge", "24.10.0", True),
        (">=24.10.0-edge", "24.10.0", False),
        (">=23.04.0", "23.05.0-edge", True),
    ],
)
def test_a_constraint_is_read_as_nextflow_reads_it(constraint: str, version: str, met: bool) -> None:
    assert Constraint.parse(constraint).allows(version) is met


@pytest.mark.parametrize(("constraint", "strict"), [("!>=23.04", True), ("!24.10.0", True), (">=23", False)])
def test_an_exclamation_mark_first_is_strict(constraint: str, strict: bool) -> None:
    assert Constraint.parse(constraint).strict is strict


@pytest.mark.parametrize("text", [">=", "latest", "!! =1", "=>24", ">=24.10+", "24 10", ">=24;<25", "9" * 300])
def test_what_is_no_constraint_is_refused(text: str) -> None:
    with pytest.raises(DefinitionError, match="not a constraint"):
        Constraint.parse(text)


@given(st.text(max_size=40))
def test_any_text_is_a_constraint_or_a_definition_error(text: str) -> None:
    try:
        Constraint.parse(text).allows("24.10.0")
    except DefinitionError as error:
        assert error.exit_code == 3


@given(releases, releases)
def test_comparisons_agree_with_the_order_of_releases(one: str, two: str) -> None:
    a, b = Version.parse(one), Version.parse(two)

    assert Constraint.parse(f">={two}").allows(one) is (a >= b)
    assert Constraint.parse(f"<{two}").allows(one) is (a < b)
    assert Constraint.parse(f"!!={two}").allows(one) is (a != b)


# --- choice -----------------------------------------------------------------------------------------------------------


def test_what_is_asked_goes_before_all() -> None:
    assert choose("23.10.1", ">=22.10", KNOWN) == "23.10.1"
    assert choose("99.1.0", None, KNOWN) == "99.1.0"


@pytest.mark.parametrize("constraint", [">=24.04", "!>=24.04"])
def test_what_is_asked_has_to_meet_the_constraint(constraint: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        choose("23.10.1", constraint, KNOWN)

    assert "23.10.1" in caught.value.message
    assert constraint in caught.value.message
    assert "24.10.0" in (caught.value.hint or "")


def test_without_a_wish_the_default_is_taken_where_it_fits_and_else_the_newest_known_that_does() -> None:
    assert choose(None, None, KNOWN) == "24.10.0"
    assert choose(None, "  ", KNOWN) == "24.10.0"
    assert choose(None, ">=22.10", KNOWN) == "24.10.0"
    assert choose(None, "<24", KNOWN) == "23.10.1"
    assert choose(None, "22.10+", KNOWN) == "22.10.7"


def test_a_version_that_only_the_constraint_names_is_taken_and_none_is_made_up() -> None:
    assert choose(None, "!>=25.04.0", KNOWN) == "25.04.0"
    with pytest.raises(DefinitionError, match="of the known versions none"):
        choose(None, ">=25.04", KNOWN)
    with pytest.raises(DefinitionError, match="of the known versions none"):
        choose(None, ">25.04.0", KNOWN)


@pytest.mark.parametrize(
    "version", ["24.10", "../24.10.0", "24.10.0/..", "24.10.0 ", "v24.10.0", "", "24.10.0-e\n", "२४.10.0"]
)
def test_what_is_no_version_is_refused(version: str) -> None:
    with pytest.raises(DefinitionError, match="not a version"):
        check_version(version)


@pytest.mark.parametrize(
    ("version", "wanted"),
    [
        ("22.10.7", (11, 19)),
        ("23.04.0", (11, 20)),
        ("23.10.1", (11, 21)),
        ("24.04.4", (11, 22)),
        ("24.10.0", (17, 23)),
        ("25.04.0", (17, 24)),
        ("25.10.2", (17, 25)),
        ("0.25.1", (8, 15)),
    ],
)
def test_each_series_has_its_java(version: str, wanted: tuple[int, int]) -> None:
    assert java_range(version) == wanted


# --- what is known ----------------------------------------------------------------------------------------------------


def test_three_versions_are_known_with_their_own_jar_first() -> None:
    assert known_versions() == KNOWN
    for version in KNOWN:
        files = known_files(version)
        assert files is not None
        assert files[0].name == f"nextflow-{version}.jar"
        assert files[0].identifier == f"pkg:maven/io.nextflow/nextflow@{version}"
        assert len({one.name for one in files}) == len(files) > 40
    assert known_files("24.10.1") is None
