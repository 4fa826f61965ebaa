"""Values that nobody gave, told apart from those that somebody did."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wfexs_like.crate.values import literal_types, without_places
from wfexs_like.crate.workflows_own import by_dotted_name, gives_away, is_default

NAMES = st.text(alphabet="abc", min_size=1, max_size=3)


def test_nested_values_are_taken_apart_as_far_as_their_names_are_known() -> None:
    values = {"tool": {"level": 1, "deep": {"x": 2}}, "map": {"y": 3}}

    assert by_dotted_name(values, {"tool.level", "map"}) == {"tool.level": 1, "tool.deep": {"x": 2}, "map": {"y": 3}}


@given(st.dictionaries(NAMES, st.recursive(st.integers(), lambda one: st.dictionaries(NAMES, one, max_size=3))))
def test_what_nobody_knows_by_a_dotted_name_stays_as_it_is(values: dict[str, object]) -> None:
    assert by_dotted_name(values, set(values)) == values  # type: ignore[arg-type]


def test_a_default_in_the_workflows_folder_is_known_again() -> None:
    assert is_default("$projectDir/data/x.fa", "workflow/data/x.fa", "workflow")
    assert not is_default("$projectDir/data/x.fa", "elsewhere/data/x.fa", "workflow")
    assert is_default(3, 3, "workflow")


def test_a_default_made_of_a_files_name_gives_it_away() -> None:
    assert gives_away("x/secret.txt.idx", ["secret.txt"])
    assert gives_away({"a": ["secret.idx"]}, ["other.txt", "secret.txt"])
    assert gives_away("x/.secret", [".secret"])
    assert not gives_away("x/1.idx", ["1.txt"])
    assert not gives_away("x", [])


def test_a_place_for_an_output_is_its_text_and_a_staged_file_stays_one() -> None:
    staged = {"class": "File", "item": "a", "path": "inputs/a"}
    made = {"class": "Directory", "path": "runs/1/outputs/results"}

    assert without_places({"class": "Directory", "outputPlace": "."}) == "."
    assert without_places([staged, made]) == [staged, made]
    assert without_places({"a": made, "b": staged}, "runs/1/outputs") == {"a": "results", "b": staged}
    assert without_places({"class": "Directory", "path": "runs/1/outputs"}, "runs/1/outputs") == "."
    other = {"class": "Directory", "path": "runs/1/outputs2"}
    assert without_places(other, "runs/1/outputs") == other


def test_plain_values_have_the_names_of_their_types() -> None:
    assert [sorted(literal_types(one)) for one in (True, 1, 1.5, "x", None, {"a": 1}, [1, "x"])] == [
        ["Boolean"],
        ["Integer"],
        ["Float"],
        ["Text"],
        [],
        ["PropertyValue"],
        ["Integer", "Text"],
    ]
