"""Memory that is neither dumped nor swapped, for as long as that is asked for."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from wfexs_like.private_memory import private_memory


def locked() -> int:
    """kB of this process that can't be swapped."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmLck:"))


def test_no_core_is_left_and_the_limit_comes_back() -> None:
    before = resource.getrlimit(resource.RLIMIT_CORE)
    with private_memory():
        with private_memory():
            assert resource.getrlimit(resource.RLIMIT_CORE)[0] <= 1
        assert resource.getrlimit(resource.RLIMIT_CORE)[0] <= 1
    assert resource.getrlimit(resource.RLIMIT_CORE) == before


def test_nothing_happens_where_it_is_not_wanted() -> None:
    before = resource.getrlimit(resource.RLIMIT_CORE), locked()
    with private_memory(wanted=False):
        assert (resource.getrlimit(resource.RLIMIT_CORE), locked()) == before


@pytest.mark.root
def test_pages_are_locked_until_the_last_user_is_through() -> None:
    with private_memory():
        with private_memory():
            assert locked() > 1000
        assert locked() > 1000
    assert locked() == 0
