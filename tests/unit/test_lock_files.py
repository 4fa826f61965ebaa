"""Lock files that people name: what can't be one is told, and costs no memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from staging.errors import DefinitionError, NotFoundError, PolicyError, WfexsError
from staging.lock_files import LARGEST_LOCK, read_lock


def test_a_lock_larger_than_any_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "stage.lock.json"
    with path.open("wb") as stream:
        stream.truncate(LARGEST_LOCK + 1)
    with pytest.raises(PolicyError, match="larger than 256 MiB"):
        read_lock(path)


def test_a_lock_of_too_many_values_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "stage.lock.json"
    path.write_bytes(b"[" + b"{}," * 5_000_001 + b"{}]")
    with pytest.raises(PolicyError, match="too many values"):
        read_lock(path)


@pytest.mark.parametrize("name", ["none", "none/lock", "a\0b", "."])
def test_what_is_no_file_is_not_found(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotFoundError, match="no lock file"):
        read_lock(Path(f"{tmp_path}/{name}"))


def test_a_name_that_no_file_can_have_is_no_traceback(tmp_path: Path) -> None:
    with pytest.raises(WfexsError, match="name too long") as caught:
        read_lock(tmp_path / ("a" * 300))
    assert caught.value.exit_code == 1


def test_what_is_no_lock_is_told(tmp_path: Path) -> None:
    path = tmp_path / "stage.lock.json"
    path.write_bytes(b"{}")
    with pytest.raises(DefinitionError, match="not a lock file"):
        read_lock(path)
