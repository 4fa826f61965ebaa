"""What is mounted where, also where another user has chosen names to mislead whoever reads the table."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from engines.child import parting
from wfexs_like.audit import host
from wfexs_like.vault import mounts
from wfexs_like.vault.locking import server_number
from wfexs_like.vault.server import Server, serves

TABLE = (
    b"1 1 0:1 / / rw - ext4 /dev/a rw\n"
    b"2 1 0:2 / /tmp/a\rb\rc rw - fuse.x evil\r rw\n"
    b"3 1 0:3 / /wd/work rw - fuse.gocryptfs wfexs-like:0a1b rw,user_id=7\n"
    b"4 1 0:4 / /a\\040new\\012line\\134\r rw shared:3 - fuse.gocryptfs wfexs-like:0c2d rw\n"
    b"5 4 0:5 / /below/work rw - fuse.gocryptfs wfexs-like:0e3f rw\n"
)
STRANGE = "/a new\nline\\\r"


@pytest.fixture(autouse=True)
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mountinfo"
    path.write_bytes(TABLE)
    monkeypatch.setattr(mounts, "_TABLE", path)
    monkeypatch.setattr(host, "_MOUNTS", path)
    monkeypatch.setattr(parting, "_TABLE", str(path))


def test_a_mount_is_found_whatever_the_names_of_others_are() -> None:
    found = mounts.mount_at(Path("/wd/work"))
    assert found == mounts.Mount(kind="fuse.gocryptfs", source="wfexs-like:0a1b", owner=7)
    strange = mounts.mount_at(Path(STRANGE))
    assert strange is not None
    assert strange.source == "wfexs-like:0c2d"
    assert mounts.mount_at(Path("/tmp/a\rb\rc")) is not None
    assert mounts.mount_at(Path("/tmp/a")) is None


def test_open_areas_are_left_out_of_an_audit() -> None:
    assert host.foreign_mounts() == dict.fromkeys(("/wd/work", STRANGE, "/below/work"), host.VAULT)


def test_areas_of_others_are_taken_out_the_latest_first_and_not_those_that_are_shared_or_needed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    detached: list[str] = []

    class Libc:
        def umount2(self, point: bytes, _flags: int) -> int:
            detached.append(os.fsdecode(point))
            return 0

    def mount(*_arguments: object) -> None:
        pytest.fail("nothing is to be covered")

    parting.part(Libc(), mount, str(tmp_path), ["/below/work/tool"])
    assert detached == [STRANGE, "/wd/work"]
    parting.part(Libc(), mount, str(tmp_path), ["/wd/work", STRANGE])
    assert (detached[2:], "/below/work is shared with other namespaces" in capfd.readouterr().err) == ([], True)


def test_what_can_not_be_hidden_is_told_unless_nobody_gets_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    class Libc:
        def umount2(self, _point: bytes, _flags: int) -> int:
            return -1

    def mount(_source: bytes, target: str, _flags: int, _kind: bytes) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), target)

    parting.part(Libc(), mount, str(tmp_path), [])
    assert "/wd/work" not in capfd.readouterr().err
    table = tmp_path / "reachable"
    table.write_bytes(f"1 1 0:1 / {tmp_path}/work rw - fuse.gocryptfs wfexs-like:0a1b rw\n".encode())
    monkeypatch.setattr(parting, "_TABLE", str(table))
    parting.part(Libc(), mount, str(tmp_path), [])
    assert f"could not be hidden: [Errno 13] Permission denied: '{tmp_path}/work'" in capfd.readouterr().err


@pytest.mark.parametrize("text", [None, b"", b"\xff\xfe", b"-1", b"99999999999999999999\n", "٣".encode(), b"1 2"])
def test_what_is_no_number_of_a_server_means_that_none_is_known(tmp_path: Path, text: bytes | None) -> None:
    (tmp_path / "vault").mkdir()
    if text is not None:
        (tmp_path / "vault" / ".guard").write_bytes(text)
    number = server_number(tmp_path)
    assert serves(number, "wfexs-like:0a1b", tmp_path / "work") == 0
    server = Server(number)
    try:
        assert server.is_dead()
    finally:
        server.close()
