"""Step logs: a person finds the file of a step by its name, and no two attempts share one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engines.child.step_logs import log_stem


def test_a_step_that_only_its_name_tells_apart_has_all_of_it_in_the_name_of_its_log() -> None:
    assert log_stem("align/sort") == log_stem("align/sort", "align/sort") == "align%2Fsort"


def test_attempts_of_one_task_have_logs_of_their_own() -> None:
    assert log_stem("COUNT (1)", "0123456789abcdef") == "01234567-COUNT_1"
    assert log_stem("COUNT (1)", "fedcba9876543210") == "fedcba98-COUNT_1"


@given(st.text(min_size=1, max_size=400), st.text("0123456789abcdef/.", min_size=32, max_size=32))
def test_whatever_a_task_is_called_its_log_can_be_made_and_stays_in_its_folder(name: str, identity: str) -> None:
    stem = log_stem(name, identity)
    assert "/" not in stem
    assert stem not in (".", "..")
    assert len(stem.encode()) < 200
