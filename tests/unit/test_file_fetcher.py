from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest

from staging.errors import FetchError, PolicyError
from staging.fetchers import file as module
from staging.fetchers.base import FetchContext, Fetched, Unchanged
from staging.fetchers.file import FileFetcher
from staging.identifiers import Identifier
from staging.plan import Kind
from staging.streams import Copied, copy_hashed

FETCHER = FileFetcher()


@pytest.fixture
def context(tmp_path: Path) -> FetchContext:
    return FetchContext(partial=tmp_path / "partial")


def _fetch(path: Path, into: Path, context: FetchContext, known: dict[str, str] | None = None) -> Fetched | Unchanged:
    return FETCHER.fetch(FETCHER.pin(Identifier.of_path(path), context), into, context, known or {})


def test_a_file_written_a_moment_ago_has_no_validator_to_hide_behind(tmp_path: Path, context: FetchContext) -> None:
    """A second change within one tick of the clock would leave the same signature."""
    source = tmp_path / "source"
    source.write_bytes(b"one")

    pin = FETCHER.pin(Identifier.of_path(source), context)
    fetched = _fetch(source, tmp_path / "into", context)

    assert isinstance(fetched, Fetched)
    assert not pin.validators
    assert not fetched.validators
    time.sleep(0.15)
    assert FETCHER.pin(Identifier.of_path(source), context).validators


def test_a_change_that_keeps_size_and_times_is_still_seen(tmp_path: Path, context: FetchContext) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"one")
    time.sleep(0.15)
    first = _fetch(source, tmp_path / "into", context)
    assert isinstance(first, Fetched)
    assert isinstance(_fetch(source, tmp_path / "x", context, dict(first.validators)), Unchanged)
    before = source.stat()

    source.write_bytes(b"two")
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert isinstance(_fetch(source, tmp_path / "again", context, dict(first.validators)), Fetched)
    assert (tmp_path / "again").read_bytes() == b"two"


@pytest.mark.parametrize("times", [1, 2])
def test_a_file_that_changes_while_it_is_read_is_read_again_or_refused(
    tmp_path: Path, context: FetchContext, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"one")
    left = [times]

    def meddling(descriptor: int, target: Path, **options: object) -> Copied:
        copied = copy_hashed(descriptor, target, **options)  # type: ignore[arg-type]
        if left[0]:
            left[0] -= 1
            with source.open("ab") as stream:
                stream.write(b"!")
        return copied

    monkeypatch.setattr(module, "copy_hashed", meddling)
    if times == 1:
        _fetch(source, tmp_path / "into", context)
        assert (tmp_path / "into").read_bytes() == b"one!"
        return
    with pytest.raises(FetchError, match="changes while it is read") as caught:
        _fetch(source, tmp_path / "into", context)
    assert caught.value.transient
    assert not (tmp_path / "into").exists()


def test_a_folder_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, context: FetchContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "a").write_bytes(b"one")

    def meddling(descriptor: int, target: Path, **options: object) -> Copied:
        (source / "b").touch()
        return copy_hashed(descriptor, target, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "copy_hashed", meddling)
    with pytest.raises(FetchError, match="changes while it is read"):
        _fetch(source, tmp_path / "into", context)
    assert not (tmp_path / "into").exists()


@pytest.mark.parametrize("where", ["itself", "inside"])
@pytest.mark.parametrize("what", ["pipe", "socket", "device"])
def test_what_is_no_file_is_refused_without_waiting_for_it(
    tmp_path: Path, context: FetchContext, what: str, where: str
) -> None:
    folder = tmp_path / "s"
    folder.mkdir()
    path = folder / "x"
    if what == "pipe":
        os.mkfifo(path)
    elif what == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
    elif os.geteuid() == 0:
        os.mknod(path, 0o600 | 0o020000, os.makedev(1, 5))
    elif where == "itself":
        path.symlink_to("/dev/zero")
    else:
        return

    with pytest.raises(PolicyError, match="neither a file"):
        _fetch(path if where == "itself" else folder, tmp_path / "into", context)

    assert not (tmp_path / "into").exists()


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "a/../../outside"])
def test_a_link_that_leads_out_of_its_folder_is_refused(tmp_path: Path, context: FetchContext, target: str) -> None:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "link").symlink_to(target)

    with pytest.raises(PolicyError, match="out of its folder"):
        _fetch(folder, tmp_path / "into", context)

    assert not (tmp_path / "into").exists()


def test_a_folder_that_is_named_by_a_link_is_followed(tmp_path: Path, context: FetchContext) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a").touch()
    (tmp_path / "link").symlink_to("real")

    fetched = _fetch(tmp_path / "link", tmp_path / "into", context)

    assert isinstance(fetched, Fetched) and fetched.kind is Kind.DIRECTORY
    assert (tmp_path / "into" / "a").exists() and not (tmp_path / "into").is_symlink()


def test_a_name_that_is_not_utf_8_is_refused_in_a_folder(tmp_path: Path, context: FetchContext) -> None:
    (tmp_path / "source").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/source/\xff")).touch()

    with pytest.raises(PolicyError, match="not UTF-8"):
        _fetch(tmp_path / "source", tmp_path / "into", context)


def test_a_hash_in_a_uri_that_should_have_been_encoded_is_hinted_at(tmp_path: Path, context: FetchContext) -> None:
    (tmp_path / "4079_7#1.bam").touch()

    with pytest.raises(FetchError) as caught:
        FETCHER.pin(Identifier.parse(f"file://{tmp_path}/4079_7#1.bam"), context)

    assert "%23" in (caught.value.hint or "")


def _deepen(root: Path, levels: int, *, with_file: bool) -> None:
    """Folders in folders, with names of 200 bytes; made step by step, as their path may be too long for any call."""
    root.mkdir(parents=True)
    here = os.open(root, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d" * 200, dir_fd=here)
        below = os.open("d" * 200, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    if with_file:
        os.close(os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=here))
    os.close(here)


@pytest.mark.parametrize("with_file", [False, True])
@pytest.mark.parametrize("deep", ["source", "target"])
def test_a_folder_deeper_than_a_path_can_be_is_refused_with_a_sentence(
    tmp_path: Path, context: FetchContext, deep: str, with_file: bool
) -> None:
    source, into = tmp_path / "s", tmp_path / "into"
    _deepen(source, 25 if deep == "source" else 18, with_file=with_file)
    if deep == "target":
        into = tmp_path / "t" / ("t" * 200) / ("t" * 200) / ("t" * 200) / "into"
        into.parent.mkdir(parents=True)

    with pytest.raises(PolicyError, match="too long") as caught:
        _fetch(source, into, context)

    assert str(source) in caught.value.message
    assert caught.value.hint
    assert not into.exists()
