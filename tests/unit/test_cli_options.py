"""What a person types: global options anywhere, parameters, the aliases of WfExS-backend's users."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staging.errors import UsageError
from wfexs_like.cli.aliases import translate
from wfexs_like.cli.crate_options import split_include
from wfexs_like.cli.options import GLOBAL_FLAGS, hoist, split_params, wants_json


@pytest.mark.parametrize(
    ("typed", "hoisted"),
    [
        (["run", "last", "--json"], ["--json", "run", "last"]),
        (["run", "--config", "c.toml", "last"], ["--config", "c.toml", "run", "last"]),
        (["run", "--cache=/c", "last", "-q"], ["--cache=/c", "-q", "run", "last"]),
        (["shell", "last", "--", "ls", "--json"], ["shell", "last", "--", "ls", "--json"]),
        ([], []),
    ],
)
def test_global_options_may_stand_anywhere_before_the_dashes(typed: list[str], hoisted: list[str]) -> None:
    assert hoist(typed) == hoisted


@pytest.mark.parametrize("typed", [["list", "--config"], ["list", "--config", "--json"], ["--cache", "--", "list"]])
def test_a_global_option_without_its_value_is_refused(typed: list[str]) -> None:
    with pytest.raises(UsageError, match="needs a value"):
        hoist(typed)


WORDS = st.lists(st.sampled_from([*GLOBAL_FLAGS, "--config=x", "--cache=x", "run", "last", "--param", "a=1", "--"]))


@given(WORDS)
def test_hoisting_loses_no_word_and_keeps_what_follows_the_dashes(words: list[str]) -> None:
    hoisted = hoist(words)
    assert sorted(hoisted) == sorted(words)
    assert hoist(hoisted) == hoisted


@given(WORDS)
def test_a_json_flag_counts_only_before_the_dashes(words: list[str]) -> None:
    before = words[: words.index("--")] if "--" in words else words
    assert wants_json(words) == ("--json" in before)


@pytest.mark.parametrize(
    ("pair", "text"),
    [("a=4", "4"), ("a=null", "null"), ('a=["x", 1]', '["x", 1]'), ("a=", ""), ("a=b=c", "b=c"), ("a= x ", " x ")],
)
def test_the_value_of_a_parameter_is_passed_on_as_it_was_typed(pair: str, text: str) -> None:
    assert split_params([pair]) == {"a": text}


@pytest.mark.parametrize("pairs", [["threads"], ["=4"], [""], ["a=1", "a=2"]])
def test_a_parameter_without_name_or_given_twice_is_refused(pairs: list[str]) -> None:
    with pytest.raises(UsageError) as refused:
        split_params(pairs)
    assert refused.value.exit_code == 2
    assert "--param" in refused.value.message


def test_parts_to_include_may_be_separated_by_commas_or_given_again() -> None:
    assert split_include(["inputs,outputs", "workflow"]) == {"inputs", "outputs", "workflow"}
    assert split_include([]) == frozenset()
    with pytest.raises(UsageError, match="'input'"):
        split_include(["input"])


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (["offline-execute", "-J", "abc"], ["run", "abc"]),
        (["stage", "-W", "demo.stage"], ["stage", "demo.stage"]),
        (["execute", "--workflow-config", "demo.stage"], ["execute", "demo.stage"]),
        (["staged-workdir", "ls"], ["list"]),
        (["staged-workdir", "rm", "abc"], ["rm", "abc"]),
        (["--json", "staged-workdir", "status", "abc"], ["--json", "show", "abc"]),
        (["staged-workdir", "create-prov-crate", "abc", "out"], ["crate", "abc", "out", "--retrospective"]),
        (["--config", "c", "staged-workdir", "offline-exec", "abc"], ["--config", "c", "run", "abc"]),
        (["export-crate", "-J", "abc", "out"], ["crate", "abc", "out"]),
        (["run", "abc"], ["run", "abc"]),
        (["--version"], ["--version"]),
        ([], []),
    ],
)
def test_the_verbs_of_wfexs_backend_mean_ours(theirs: list[str], ours: list[str]) -> None:
    assert translate(theirs) == ours


def test_an_unknown_action_of_theirs_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError) as refused:
        translate(["staged-workdir", "frobnicate"])
    assert "offline-exec" in str(refused.value.hint)
