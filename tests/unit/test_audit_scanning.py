"""The scan of an audit: what changed is looked at, each thing once, and what was not looked at is told."""

from __future__ import annotations

import gzip
import os
import shutil
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from staging.progress import Silent
from wfexs_like.audit import host, scanning
from wfexs_like.audit.canaries import Canary, needles_of
from wfexs_like.audit.host import Root, foreign_mounts, usual_roots
from wfexs_like.audit.places import Place
from wfexs_like.audit.scanning import Findings, Scan, Scope, Window, masked
from wfexs_like.audit.searching import Limits, Search
from wfexs_like.flow.audit import AuditWish, _Judge

TEXT = "heron-27-by-the-bridge"
NOBODY = 65534
SEARCH = Search(needles_of([Canary(name="1", text=TEXT)]))


def scan(
    *folders: Path, since: float = 0, besides: dict[str, str | None] | None = None, run: Window | None = None
) -> Findings:
    roots = [Root(name=folder.name, path=folder) for folder in folders]
    windows = () if run is None else (run,)
    return Scan(SEARCH, Scope(roots=roots, since=since, besides=besides or {}, windows=windows), Silent()).run()


def test_each_place_is_counted_by_itself_also_where_one_is_within_another(tmp_path: Path) -> None:
    (tmp_path / "outer" / "inner").mkdir(parents=True)
    (tmp_path / "outer" / "a").write_text(TEXT)
    (tmp_path / "outer" / "inner" / "b").write_text(f"..{TEXT}")

    findings = scan(tmp_path / "outer", tmp_path / "outer" / "inner", tmp_path / "outer")

    assert [(one.files, one.size) for one in findings.tallies] == [(1, 22), (1, 24), (0, 0)]
    assert sorted((one.path.name, one.offset) for one in findings.places) == [("a", 0), ("b", 2)]


def test_only_what_changed_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "a").write_text(TEXT)
    assert scan(tmp_path, since=time.time() + 3600).places == []
    os.utime(tmp_path / "a", (1, 1))
    assert len(scan(tmp_path, since=time.time() - 3600).places) == 1


def test_what_is_left_out_is_told_when_it_has_a_reason(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_text(TEXT)

    findings = scan(tmp_path, besides={str(tmp_path / "a"): None, str(tmp_path / "b"): "far away"})

    assert [one.path.parent.name for one in findings.places] == ["c"]
    assert [(one.reason, one.count, one.paths) for one in findings.unread] == [("far away", 1, [tmp_path / "b"])]


def test_what_is_mounted_meanwhile_is_not_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x").write_text(TEXT)
    monkeypatch.setattr(scanning, "foreign_mounts", lambda: {str(tmp_path): host.VAULT})
    findings = scan(tmp_path)
    assert findings.places == []
    assert [one.reason for one in findings.unread] == [host.VAULT]


def test_a_home_on_a_network_file_system_is_looked_at_and_what_is_mounted_in_it_is_not(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    for path in (tmp_path / "x", tmp_path / "far" / "y"):
        path.write_text(TEXT)
    findings = scan(tmp_path, besides={str(tmp_path): host.NETWORK, str(tmp_path / "far"): host.NETWORK})
    assert [one.path.name for one in findings.places] == ["x"]
    assert [one.paths for one in findings.unread] == [[tmp_path / "far"]]


def test_a_file_that_reaches_a_limit_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "many").write_bytes(b".".join([gzip.compress(b"first")] * 3))
    (tmp_path / "few").write_bytes(gzip.compress(b"first"))
    limits = Limits(streams=2)
    search = Search(needles_of([Canary(name="1", text=TEXT)]), limits)
    findings = Scan(search, Scope(roots=[Root(name="here", path=tmp_path)]), Silent()).run()
    assert [(one.reason, one.paths) for one in findings.unread] == [(limits.too_many, [tmp_path / "many"])]
    assert findings.tallies[0].files == 2


@pytest.fixture
def others() -> Iterator[Path]:
    """A folder that everybody may read, while the test is not root, who may read everything."""
    folder = Path(tempfile.mkdtemp(prefix="others-", dir="/tmp"))
    folder.chmod(0o755)
    root = os.geteuid() == 0
    try:
        # The first scan loads what only root may be able to read.
        scan(folder)
        if root:
            os.chown(folder, NOBODY, -1)
            os.seteuid(NOBODY)
        yield folder
    finally:
        if root:
            os.seteuid(0)
        for path in folder.iterdir():
            path.chmod(0o700)
        shutil.rmtree(folder)


def test_what_this_user_may_not_read_is_counted(others: Path) -> None:
    (others / "a").write_text(TEXT)
    (others / "b").mkdir()
    (others / "c").write_text(TEXT)
    for name in ("a", "b"):
        (others / name).chmod(0)
    findings = scan(others)
    (one,) = findings.unread
    assert (one.reason, one.count, sorted(one.paths)) == (
        "this user may not read it",
        2,
        [others / "a", others / "b"],
    )
    assert [place.path.name for place in findings.places] == ["c"]


def test_what_can_not_be_opened_is_counted_and_the_rest_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(TEXT)
    real = scanning._open

    def refuse(path: Path) -> int:
        if path.name == "a":
            raise PermissionError(13, "denied", str(path))
        return real(path)

    monkeypatch.setattr(scanning, "_open", refuse)
    findings = scan(tmp_path)
    assert [one.path.name for one in findings.places] == ["b"]
    assert [(one.reason, one.paths) for one in findings.unread] == [("this user may not read it", [tmp_path / "a"])]
    assert findings.tallies[0].files == 1


def test_holes_of_large_files_take_no_time_and_what_is_behind_them_is_found(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as stream:
        stream.truncate(1 << 40)
        stream.seek(1 << 39)
        stream.write(TEXT.encode())
    begun = time.monotonic()
    (place,) = scan(tmp_path).places
    assert place.offset == 1 << 39
    assert time.monotonic() - begun < 10


def test_a_file_that_grows_meanwhile_comes_to_an_end(tmp_path: Path) -> None:
    over = threading.Event()

    def grow() -> None:
        with (tmp_path / "log").open("ab", buffering=0) as stream:
            while not over.is_set():
                stream.write(b"." * 65536)

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        assert scan(tmp_path).places == []
    finally:
        over.set()
        thread.join()


def test_what_changed_while_a_run_went_on_is_listed_with_its_kind(tmp_path: Path) -> None:
    now = time.time()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    listed = scan(tmp_path, run=Window(run=3, begin=now - 1, end=now + 60)).written[3]
    assert {(one.path.name, one.kind) for one in listed} >= {("folder", "folder"), ("file", "file"), ("link", "link")}
    assert scan(tmp_path, run=Window(run=3, begin=now + 60, end=now + 90)).written[3] == []


def test_many_files_and_hits_take_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "MOST_PLACES", 50)
    monkeypatch.setattr(scanning, "MOST_WRITTEN", 50)
    for number in range(2000):
        (tmp_path / f"{number}").write_text(TEXT)
    now = time.time()
    tracemalloc.start()
    findings = scan(tmp_path, run=Window(run=1, begin=now - 3600, end=now + 60))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (len(findings.places), findings.more) == (50, 1950)
    assert (len(findings.written[1]), findings.unlisted[1]) == (50, 1951)
    assert peak < 8 << 20


def test_a_scan_that_is_stopped_ends_its_threads(tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / f"{number}").write_text(TEXT)

    class Stopping(Silent):
        def begin(self, key: str, label: str, total: int | None) -> None:
            if label.startswith("second"):
                raise KeyboardInterrupt

    before = threading.active_count()
    roots = [Root(name="first", path=tmp_path), Root(name="second", path=tmp_path / "x")]
    with pytest.raises(KeyboardInterrupt):
        Scan(SEARCH, Scope(roots=roots), Stopping()).run()
    assert threading.active_count() == before


def test_a_path_is_told_without_the_canaries_in_it() -> None:
    path = Path(f"/a/{TEXT}.txt/b-{TEXT.encode().hex()}")
    assert masked(SEARCH, path) == Path("/a/[canary 1].txt/b-[canary 1]")


def test_the_usual_places_are_real_each_once_with_those_of_the_environment(tmp_path: Path) -> None:
    (tmp_path / "home" / "tmp").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "home")
    more = [Root(name="more", path=tmp_path / "link"), Root(name="gone", path=tmp_path / "gone")]

    roots = usual_roots({"HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "home" / "tmp")}, more)

    paths = [one.path for one in roots]
    assert len(paths) == len(set(paths))
    assert roots[0] == Root(name="more", path=tmp_path / "home")
    assert {tmp_path / "home" / "tmp", Path("/tmp").resolve(), Path("/var/tmp").resolve()} <= set(paths)


def test_links_that_lead_in_a_circle_are_no_places(tmp_path: Path) -> None:
    for one, other in (("a", "b"), ("b", "a")):
        (tmp_path / one).symlink_to(other)
    roots = usual_roots({"TMPDIR": str(tmp_path / "a")}, [Root(name="circle", path=tmp_path / "b" / "deeper")])
    assert not [one for one in roots if tmp_path in one.path.parents]
    leak = Place(path=tmp_path / "x", kind="content", offset=0, form="clear", canary="1")
    judge = _Judge(AuditWish(canaries=(TEXT,), excepted=(tmp_path / "a",)), ())
    assert [judge.of(replace(leak, path=tmp_path / one)) for one in ("a", "x")] == ["excepted", "leak"]


def test_mounts_of_the_kernel_of_networks_and_of_open_vaults_are_foreign(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(
        "1 1 0:1 / / rw - ext4 /dev/a rw\n"
        "2 1 0:2 / /proc rw shared:1 - proc proc rw\n"
        "3 1 0:3 / /far\\040away rw master:2 shared:3 - nfs4 host:/x rw\n"
        "4 1 0:4 / /open rw - fuse.gocryptfs wfexs-like:0a1b rw\n"
        "5 1 0:5 / /covered rw - nfs host:/y rw\n"
        "6 5 0:6 / /covered rw - tmpfs tmpfs rw\n"
    )
    monkeypatch.setattr(host, "_MOUNTS", table)
    assert foreign_mounts() == {"/proc": None, "/far away": host.NETWORK, "/open": host.VAULT}
