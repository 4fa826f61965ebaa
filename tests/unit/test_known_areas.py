"""What an installation knows of encrypted areas: remembered line by line, believed only where nobody else writes."""

from __future__ import annotations

import os
import resource
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from staging.errors import PolicyError, VaultError
from wfexs_like.vault.known import KnownAreas

ONE, OTHER = "1dea2495-581b-4a58-b0c8-02455701dac0", "421ab63e-f9b5-459d-a773-ffe99b79a1db"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "known"


def check(path: Path, identity: str, password: bytes, configuration: bytes | None = b"conf") -> bool:
    return KnownAreas(path).check(Path("/somewhere/area"), identity, password, configuration)


def remember(path: Path, identity: str, password: bytes, configuration: bytes = b"conf") -> None:
    KnownAreas(path).remember(identity, password, configuration, new=True, name="it")


def test_what_is_not_known_is_no_error_and_makes_no_file(path: Path) -> None:
    assert check(path, ONE, b"password") is False
    assert not path.exists()


def test_another_password_is_refused_and_says_whose_it_is_where_that_is_known(path: Path) -> None:
    remember(path, ONE, b"password")
    remember(path, OTHER, b"theirs")
    assert check(path, ONE, b"password")
    with pytest.raises(PolicyError, match="put another one in its place"):
        check(path, ONE, b"forged")
    with pytest.raises(VaultError, match=f"another working directory of yours, {OTHER}"):
        check(path, ONE, b"theirs")


def test_another_configuration_is_told_where_it_is_looked_at(path: Path) -> None:
    remember(path, ONE, b"password")
    assert check(path, ONE, b"password", None)
    with pytest.raises(VaultError, match="configuration is not the one"):
        check(path, ONE, b"password", b"other")


def test_a_folder_of_a_known_id_that_says_another_one_was_exchanged(path: Path) -> None:
    remember(path, ONE, b"password")
    with pytest.raises(PolicyError, match="was exchanged"):
        KnownAreas(path).check(Path("/somewhere", ONE), OTHER, b"forged")


def test_a_line_that_was_cut_hides_no_other(path: Path) -> None:
    remember(path, ONE, b"password")
    with path.open("a") as stream:
        stream.write("421ab63e-f9b5 12")
    remember(path, OTHER, b"theirs")
    assert check(path, ONE, b"password")
    assert check(path, OTHER, b"theirs")


def test_a_line_that_was_cut_in_its_last_word_is_none(path: Path) -> None:
    remember(path, ONE, b"password")
    path.write_bytes(path.read_bytes()[:-10])
    assert check(path, ONE, b"password") is False
    remember(path, ONE, b"password")
    assert check(path, ONE, b"password")


def test_on_a_full_disk_no_half_of_a_line_is_left_and_that_is_said(path: Path) -> None:
    remember(path, OTHER, b"theirs")
    before, heard = path.read_bytes(), list[str]()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, limits[1]))
    try:
        KnownAreas(path, heard.append).remember(ONE, b"password", b"conf", new=True, name="mine")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert ["mine can't be remembered" in one for one in heard] == [True]


def test_what_is_forgotten_is_gone_and_nothing_else_with_it(path: Path) -> None:
    KnownAreas(path).forget(ONE)
    assert not path.exists()
    for identity in (ONE, OTHER):
        remember(path, identity, b"password")
    remember(path, ONE, b"again")
    kept = path.read_bytes().splitlines(keepends=True)[1]
    KnownAreas(path).forget(ONE)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (kept, 0o600)
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    path.chmod(0o666)
    said: list[str] = []
    KnownAreas(path, said.append).forget(OTHER)
    assert (len(said), path.read_bytes()) == (1, kept)


def test_who_forgets_and_who_remembers_at_once_lose_nothing(path: Path) -> None:
    names = [str(uuid.UUID(int=number)) for number in range(40)]
    for name in names[:20]:
        remember(path, name, b"password")
    with ThreadPoolExecutor(8) as workers:
        going = [workers.submit(KnownAreas(path).forget, one) for one in names[:20]]
        going += [workers.submit(remember, path, one, b"password") for one in names[20:]]
        for one in going:
            one.result()
    assert sorted(line.split()[0] for line in path.read_text().splitlines()) == names[20:]


def test_the_first_line_of_an_id_counts(path: Path) -> None:
    remember(path, ONE, b"password")
    remember(path, ONE, b"forged")
    assert check(path, ONE, b"password")


def test_nothing_of_the_password_is_in_it_and_nobody_else_reads_it(path: Path) -> None:
    password = os.urandom(16).hex().encode()
    remember(path, ONE, password)
    assert password not in path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_can_not_be_written_is_said(tmp_path: Path) -> None:
    heard: list[str] = []
    KnownAreas(tmp_path / "missing" / "known", heard.append).remember(ONE, b"p", b"c", new=True, name="mine")
    assert len(heard) == 1
    assert "mine can't be remembered" in heard[0]


@settings(max_examples=20, deadline=None)
@given(some.lists(some.tuples(some.uuids(), some.binary(), some.binary()), unique_by=lambda one: one[0], max_size=4))
def test_whatever_was_remembered_is_known(areas: list[tuple[uuid.UUID, bytes, bytes]]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "known")
        for identity, password, configuration in areas:
            remember(path, str(identity), password, configuration)
        assert all(check(path, str(identity), password, configuration) for identity, password, configuration in areas)
