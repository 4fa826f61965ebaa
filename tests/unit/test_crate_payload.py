"""Payload is hashed on its way into the crate, and what isn't the recorded content does not get in."""

from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from staging.errors import DigestError, NotFoundError, PolicyError
from staging.fingerprints import Tree
from tests.support.crates import sha256
from wfexs_like.crate.payload import FolderWriter, Payload, Writer, ZipWriter, measure, verify_outside


@pytest.fixture
def content(tmp_path: Path) -> Path:
    root = tmp_path / "content"
    (root / "d" / "empty").mkdir(parents=True)
    (root / "d" / "a.txt").write_bytes(b"a")
    (root / "d" / "run.sh").write_bytes(b"#!/bin/sh\n")
    (root / "d" / "run.sh").chmod(0o755)
    (root / "d" / "link").symlink_to("a.txt")
    return root


WRITERS: dict[str, Callable[[Path], Writer]] = {
    "folder": lambda root: FolderWriter(root / "crate"),
    "zip": lambda root: ZipWriter(root / "crate.zip"),
}


@pytest.fixture(params=sorted(WRITERS))
def payload(request: pytest.FixtureRequest, tmp_path: Path, content: Path) -> Payload:
    return Payload(content, WRITERS[request.param](tmp_path))


def test_a_file_is_copied_with_the_digest_of_what_was_written(payload: Payload) -> None:
    copied = payload.file("d/a.txt", sha256(b"a"))
    assert (copied.sha256, copied.size) == (sha256(b"a"), 1)


def test_a_file_that_is_not_the_recorded_one_is_refused_with_both_digests(payload: Payload) -> None:
    with pytest.raises(DigestError) as caught:
        payload.file("d/a.txt", sha256(b"b"))
    assert caught.value.fields["expected"] == f"sha256:{sha256(b'b')}"
    assert caught.value.fields["actual"] == f"sha256:{sha256(b'a')}"


def test_a_folder_is_copied_with_links_modes_and_empty_folders_and_has_the_same_tree_digest(
    payload: Payload, tmp_path: Path, content: Path
) -> None:
    expected = Tree.of_directory(content / "d")
    assert payload.tree("d", expected.fingerprint.digest) == expected
    payload.writer.close()
    if isinstance(payload.writer, FolderWriter):
        assert Tree.of_directory(tmp_path / "crate" / "d") == expected


def test_a_folder_that_was_changed_is_refused(payload: Payload, content: Path) -> None:
    expected = Tree.of_directory(content / "d").fingerprint.digest
    (content / "d" / "new").write_bytes(b"")
    with pytest.raises(DigestError):
        payload.tree("d", expected)


def test_nothing_is_read_from_outside_the_working_directory(payload: Payload, tmp_path: Path, content: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (content / "escape").symlink_to(tmp_path / "secret")
    (content / "d" / "escape").symlink_to("../../secret")
    for attempt in (lambda: payload.file("escape", None), lambda: payload.file("../secret", None)):
        with pytest.raises(PolicyError):
            attempt()
    with pytest.raises(PolicyError):
        payload.tree("d", None)


def test_a_pipe_in_the_place_of_a_file_is_refused_at_once(payload: Payload, content: Path) -> None:
    os.mkfifo(content / "pipe")
    with pytest.raises(PolicyError, match="not a regular file"):
        payload.file("pipe", None)


def test_a_file_that_is_gone_is_said_to_be(payload: Payload) -> None:
    with pytest.raises(NotFoundError, match="no longer"):
        payload.file("d/gone.txt", None)
    with pytest.raises(NotFoundError, match="no longer"):
        payload.tree("gone", None)


def test_the_copy_does_not_change_with_its_original(tmp_path: Path, content: Path) -> None:
    payload = Payload(content, FolderWriter(tmp_path / "crate"))
    (content / "big").write_bytes(b"x" * (5 << 20))
    payload.file("big", None)
    payload.file("d/a.txt", None)
    for name in ("big", "d/a.txt"):
        before = (tmp_path / "crate" / name).read_bytes()
        with (content / name).open("r+b") as stream:
            stream.write(b"!")
        assert (tmp_path / "crate" / name).read_bytes() == before


def test_a_zip_has_the_same_bytes_each_time_and_opens_with_modes_and_links(tmp_path: Path, content: Path) -> None:
    texts = []
    for name in ("1.zip", "2.zip"):
        payload = Payload(content, ZipWriter(tmp_path / name))
        payload.tree("d", None)
        payload.written("README.md", b"hello")
        payload.writer.close()
        texts.append((tmp_path / name).read_bytes())
        os.utime(content / "d" / "a.txt", (1, 1))
    assert texts[0] == texts[1]
    with zipfile.ZipFile(tmp_path / "1.zip") as archive:
        modes = {info.filename: info.external_attr >> 16 for info in archive.infolist()}
    assert stat.S_ISLNK(modes["d/link"])
    assert modes["d/run.sh"] & stat.S_IXUSR
    assert not modes["d/a.txt"] & stat.S_IXUSR


def test_what_stays_out_is_verified_by_reading_it(content: Path) -> None:
    assert measure(content, "d/a.txt").sha256 == sha256(b"a")
    verify_outside(content, "d/a.txt", sha256(b"a"), folder=False)
    verify_outside(content, "d", Tree.of_directory(content / "d").fingerprint.digest, folder=True)
    with pytest.raises(DigestError):
        verify_outside(content, "d/a.txt", sha256(b"b"), folder=False)
    with pytest.raises(DigestError):
        verify_outside(content, "d", sha256(b"b"), folder=True)
