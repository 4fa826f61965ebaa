from __future__ import annotations

import errno
import hashlib
import os
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from staging import streams
from staging.errors import DiskError, FetchError
from staging.streams import CHUNK, Sink, copy_hashed

LARGE = 20 * (1 << 20) + 123
SIZES = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 8 << 20, LARGE]


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@pytest.fixture(scope="module")
def noise() -> bytes:
    return random.Random(3).randbytes(LARGE)


@pytest.mark.parametrize("size", SIZES)
def test_a_copy_has_the_bytes_and_the_fingerprint_of_its_source(tmp_path: Path, noise: bytes, size: int) -> None:
    (tmp_path / "source").write_bytes(noise[:size])
    done: list[int] = []

    with _opened(tmp_path / "source") as source:
        copied = copy_hashed(source, tmp_path / "target", advance=done.append)

    assert (tmp_path / "target").read_bytes() == noise[:size]
    assert copied.fingerprint.digest == hashlib.sha256(noise[:size]).hexdigest()
    assert copied.size == size
    assert done == sorted(done) and (done[-1] if done else 0) == size


@pytest.mark.parametrize("size", [100, LARGE])
def test_a_source_that_shrinks_gives_what_was_read_and_no_padding(
    tmp_path: Path, noise: bytes, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Room was reserved for more than came."""
    path = tmp_path / "source"
    path.write_bytes(noise[:size])
    real = os.fstat

    def before_the_change(descriptor: int) -> os.stat_result:
        status = real(descriptor)
        os.truncate(path, size // 2)
        return status

    monkeypatch.setattr(streams.os, "fstat", before_the_change)
    with _opened(path) as source:
        copied = copy_hashed(source, tmp_path / "target")

    assert copied.size == size // 2
    assert (tmp_path / "target").read_bytes() == noise[: size // 2]


@pytest.mark.parametrize("size", [100, LARGE])
@pytest.mark.parametrize("after", [0, 3])
def test_a_full_disk_ends_the_copy_and_leaves_nothing(
    tmp_path: Path, noise: bytes, size: int, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "source").write_bytes(noise[:size])
    left = [after if size > CHUNK else 0]
    real = os.write

    def full(descriptor: int, data: memoryview) -> int:
        if left[0] == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left[0] -= 1
        return real(descriptor, data)

    monkeypatch.setattr(streams.os, "write", full)
    threads = threading.active_count()
    with _opened(tmp_path / "source") as source, pytest.raises(DiskError, match="no space left"):
        copy_hashed(source, tmp_path / "target")

    assert not (tmp_path / "target").exists()
    assert threading.active_count() == threads


@pytest.mark.parametrize("size", [100, LARGE])
def test_a_source_that_can_not_be_read_ends_the_copy_and_leaves_nothing(
    tmp_path: Path, noise: bytes, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "source").write_bytes(noise[:size])

    def broken(descriptor: int, buffers: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(streams.os, "readv", broken)
    with _opened(tmp_path / "source") as source, pytest.raises(FetchError, match="input/output error"):
        copy_hashed(source, tmp_path / "target", name="the source")

    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("size", [1 << 20, LARGE])
def test_giving_up_ends_the_copy_and_leaves_nothing(tmp_path: Path, noise: bytes, size: int) -> None:
    (tmp_path / "source").write_bytes(noise[:size])
    cancelled = threading.Event()

    with _opened(tmp_path / "source") as source, pytest.raises(FetchError, match="given up"):
        copy_hashed(source, tmp_path / "target", advance=lambda done: cancelled.set(), cancelled=cancelled)

    assert not (tmp_path / "target").exists()


def test_a_copy_never_goes_over_or_through_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"new")
    (tmp_path / "victim").write_bytes(b"old")
    (tmp_path / "link").symlink_to("victim")
    (tmp_path / "dangling").symlink_to("nowhere")

    for name in ("victim", "link", "dangling"):
        with _opened(tmp_path / "source") as source, pytest.raises(Exception, match="file exists"):
            copy_hashed(source, tmp_path / name)

    assert (tmp_path / "victim").read_bytes() == b"old"
    assert not (tmp_path / "nowhere").exists()


def test_a_sink_goes_on_where_it_was_left(tmp_path: Path, noise: bytes) -> None:
    with Sink(tmp_path / "x") as sink:
        sink.write(noise[:1_000_000])
    with Sink(tmp_path / "x", append=True) as sink:
        assert sink.size == 1_000_000
        sink.write(noise[1_000_000:])

    assert (tmp_path / "x").read_bytes() == noise
    assert sink.fingerprint.digest == hashlib.sha256(noise).hexdigest()


def test_a_sink_that_starts_over_forgets(tmp_path: Path) -> None:
    with Sink(tmp_path / "x") as sink:
        sink.write(b"longer than the rest")
        sink.restart()
        sink.write(b"rest")

    assert (tmp_path / "x").read_bytes() == b"rest"
    assert sink.fingerprint.digest == hashlib.sha256(b"rest").hexdigest()


def test_a_sink_left_by_an_exception_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyError), Sink(tmp_path / "x") as sink:
        sink.write(b"x")
        raise KeyError

    assert not (tmp_path / "x").exists()
