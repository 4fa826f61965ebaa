from __future__ import annotations

import hashlib
import os
import signal
import stat
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path, PurePosixPath

import pytest

from staging.errors import DefinitionError, DigestError, FetchError, PolicyError, WfexsError
from staging.fetchers.base import FetchContext, Fetched, Pin, Unchanged
from staging.fingerprints import Fingerprint
from staging.identifiers import Identifier
from staging.obtained import Request
from staging.obtaining import Obtainer
from staging.plan import Kind, Role, Trust
from staging.stager import Stager, Wanted
from tests.support.stages import Bench, plan_of, plan_with, source, use_fetchers, wanted


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def settled(path: Path) -> Path:
    """A file that was written long enough ago for its signature to be believed."""
    time.sleep(max(0.0, 0.15 - (time.time() - path.stat().st_ctime)))
    return path


class Remote:
    """A source somewhere else: a text, a version mark, and a count of what it was asked."""

    def __init__(self, text: str = "remote\n") -> None:
        self.text = text
        self.failure: Callable[[], Exception] | None = None
        self.pins = 0
        self.fetches = 0
        self.sent = 0
        self.before_fetch: Callable[[FetchContext], None] = lambda context: None

    def pin(self, identifier: Identifier, context: FetchContext) -> Pin:
        self.pins += 1
        return Pin(identifier=identifier)

    def survey(self, pin: Pin, context: FetchContext) -> Pin:
        return pin

    def fetch(self, pin: Pin, into: Path, context: FetchContext, known: Mapping[str, str]) -> Fetched | Unchanged:
        self.fetches += 1
        self.before_fetch(context)
        if self.failure is not None:
            raise self.failure()
        validators = {"etag": sha(self.text)}
        if known == validators:
            return Unchanged()
        self.sent += 1
        into.write_text(self.text)
        fingerprint = Fingerprint.of_bytes(self.text.encode())
        return Fetched(kind=Kind.FILE, fingerprint=fingerprint, size=len(self.text), validators=validators)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> Remote:
    remote = Remote()
    use_fetchers(monkeypatch, {"remote": remote})
    return remote


@pytest.fixture
def mirror(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> Remote:
    """A second source, beside ``remote``."""
    mirror = Remote(remote.text)
    use_fetchers(monkeypatch, {"remote": remote, "mirror": mirror})
    return mirror


def dead() -> Exception:
    return FetchError("the server does not answer", transient=True)


def gone() -> Exception:
    return FetchError("the server says 404")


# --- what is staged ---------------------------------------------------------------------------------------------------


def test_a_file_lies_where_it_was_wanted_and_is_told_in_the_order_wanted(bench: Bench) -> None:
    names = [f"file{number}" for number in range(20)]
    for name in names:
        bench.file(name, name * 3)

    workdir, items = bench.stage(*(wanted(name) for name in names))

    assert [one.item.name for one in items] == names
    for one, name in zip(items, names, strict=True):
        assert (workdir.content / "inputs" / name).read_text() == name * 3
        assert (one.item.fingerprint.digest, one.item.size, one.source) == (sha(name * 3), len(name) * 3, "fetched")


def test_staging_again_takes_everything_from_the_store_without_reading(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled(bench.file("a"))
    _, first = bench.stage(wanted("a"))
    monkeypatch.setattr("staging.fetchers.file.copy_hashed", lambda *_, **__: pytest.fail("the source was read"))
    monkeypatch.setattr("staging.store.read_digest", lambda descriptor: pytest.fail("the store was read"))

    _, second = bench.stage(wanted("a"))

    assert (first[0].source, second[0].source) == ("fetched", "cache")
    assert plan_of(first).lock_bytes() == plan_of(second).lock_bytes()


def test_a_source_that_changed_is_fetched_again_and_the_change_is_said(bench: Bench) -> None:
    settled(bench.file("a", "one"))
    bench.stage(wanted("a"))
    settled(bench.file("a", "two"))

    workdir, items = bench.stage(wanted("a"))

    assert (workdir.content / "inputs/a").read_text() == "two"
    assert items[0].source == "fetched"
    assert any(sha("one") in line and sha("two") in line for line in bench.ear.said)


def test_a_source_written_at_the_very_moment_of_staging_is_not_believed_next_time(bench: Bench) -> None:
    for round_number in range(30):
        bench.file("a", f"{round_number:04}")
        workdir, _ = bench.stage(wanted("a"))
        assert (workdir.content / "inputs/a").read_text() == f"{round_number:04}"


def test_a_user_s_own_file_is_never_linked_or_changed(bench: Bench) -> None:
    path = bench.file("a")
    path.chmod(0o640)
    before = path.stat()

    workdir, _ = bench.stage(wanted("a"))

    after = path.stat()
    assert (after.st_nlink, after.st_ctime_ns, after.st_mode) == (1, before.st_ctime_ns, before.st_mode)
    assert (workdir.content / "inputs/a").stat().st_ino != after.st_ino


def test_a_folder_is_staged_with_modes_and_links(bench: Bench) -> None:
    bench.file("data/one.txt", "1")
    bench.file("data/bin/tool", "#!/bin/sh\n").chmod(0o755)
    (bench.sources / "data" / "empty").mkdir()
    (bench.sources / "data" / "link").symlink_to("one.txt")

    workdir, items = bench.stage(wanted("data"))

    staged = workdir.content / "inputs" / "data"
    assert items[0].item.kind is Kind.DIRECTORY
    assert (staged / "one.txt").read_text() == "1"
    assert stat.S_IMODE((staged / "bin/tool").stat().st_mode) == 0o555
    assert stat.S_IMODE((staged / "one.txt").stat().st_mode) == 0o444
    assert (staged / "link").readlink() == Path("one.txt")
    assert (staged / "empty").is_dir()
    workdir.verify(plan_of(items))


def test_a_folder_is_taken_from_the_store_the_second_time(bench: Bench) -> None:
    settled(bench.file("data/one.txt", "1"))
    _, first = bench.stage(wanted("data"))

    workdir, second = bench.stage(wanted("data"))

    assert second[0].source == "cache"
    assert plan_of(first).lock_bytes() == plan_of(second).lock_bytes()
    assert (workdir.content / "inputs/data/one.txt").read_text() == "1"


def test_bytes_of_the_stage_file_are_staged_as_they_are(bench: Bench) -> None:
    value = Wanted(role=Role.INPUT, name="note", path=PurePosixPath("inputs/note.txt"), contents=b"hello")

    workdir, (item,) = bench.stage(value)

    assert (workdir.content / "inputs/note.txt").read_bytes() == b"hello"
    assert item.item.fingerprint.digest == sha("hello")
    assert (item.item.identifier, item.trust) == ("inline:note", Trust.EXPECTED)


def test_one_source_wanted_twice_is_fetched_once(bench: Bench, remote: Remote) -> None:
    workdir, items = bench.stage(wanted("a", "remote:x"), wanted("b", "remote:x"))

    assert remote.fetches == 1
    assert (workdir.content / "inputs/a").read_text() == (workdir.content / "inputs/b").read_text() == "remote\n"
    assert [one.item.name for one in items] == ["a", "b"]


def test_an_empty_file_is_a_file(bench: Bench) -> None:
    bench.file("a", "")
    workdir, items = bench.stage(wanted("a"))

    assert (workdir.content / "inputs/a").read_bytes() == b""
    assert items[0].item.size == 0


def test_the_lock_tells_no_local_path_of_a_relative_source(bench: Bench) -> None:
    bench.file("sub/a")

    _, items = bench.stage(wanted("a", "sub/a"))

    assert (items[0].item.identifier, items[0].item.pinned, items[0].item.hops) == ("sub/a", "sub/a", ())
    assert str(bench.root) not in plan_of(items).lock_bytes().decode()


def test_what_is_not_cacheable_never_touches_the_store(bench: Bench) -> None:
    bench.file("secret", "canary-7f3a")

    workdir, items = bench.stage(wanted("secret", cacheable=False))

    assert (workdir.content / "inputs/secret").read_text() == "canary-7f3a"
    assert not [path for path in bench.cache.rglob("*") if path.is_file() and b"canary-7f3a" in path.read_bytes()]
    assert bench.objects() == []
    assert items[0].source == "fetched"
    workdir.verify(plan_of(items))
    assert sorted(path.name for path in workdir.content.iterdir()) == [
        "inputs",
        "signatures.json",
        "stage.lock.json",
        "stage.yaml",
    ]


def test_a_path_that_would_leave_the_working_directory_is_refused(bench: Bench) -> None:
    bench.file("a")

    with pytest.raises(PolicyError):
        bench.stage(replace(wanted("a"), path=PurePosixPath("../../a")))
    assert not list(bench.workdirs.glob("*"))


def test_a_way_through_a_link_is_refused(bench: Bench, tmp_path: Path) -> None:
    bench.file("a")
    (tmp_path / "content").mkdir()
    (tmp_path / "content" / "inputs").symlink_to(bench.sources)

    with bench.store() as store, pytest.raises(PolicyError):
        Stager(store).fetch_all([wanted("a")], tmp_path / "content", bench.sources)

    assert [path.name for path in bench.sources.iterdir()] == ["a"]


# --- trust ------------------------------------------------------------------------------------------------------------


def test_a_first_use_is_said_aloud_and_the_second_is_not(bench: Bench, remote: Remote) -> None:
    _, items = bench.stage(wanted("a", "remote:a"))
    assert items[0].trust is Trust.FIRST_USE
    assert [line for line in bench.ear.said if "trust on first use" in line]

    bench.ear.said.clear()
    bench.stage(wanted("a", "remote:a"))

    assert bench.ear.said == []


def test_the_first_use_of_a_user_s_own_file_is_recorded_and_nothing_to_speak_of(bench: Bench) -> None:
    bench.file("a")

    _, items = bench.stage(wanted("a"))

    assert items[0].trust is Trust.FIRST_USE
    assert bench.ear.said == []


def test_many_first_uses_are_one_line(bench: Bench, remote: Remote) -> None:
    bench.stage(*(wanted(f"f{number}", f"remote:{number}") for number in range(100)))

    assert len(bench.ear.said) == 1
    assert "100 items" in bench.ear.said[0]


def test_a_stated_digest_is_expected_and_found_without_asking_the_source(bench: Bench, remote: Remote) -> None:
    _, first = bench.stage(wanted("a", "remote:x", sha256=sha("remote\n")))
    remote.failure = dead

    _, second = bench.stage(wanted("a", "remote:elsewhere", sha256=sha("remote\n")))

    assert first[0].trust is second[0].trust is Trust.EXPECTED
    assert remote.pins == remote.fetches == 1
    assert second[0].source == "cache"
    assert bench.ear.said == []


@pytest.mark.parametrize("name", ["a", "remote:x"])
def test_a_wrong_digest_is_an_error_with_both_and_nothing_is_kept(bench: Bench, remote: Remote, name: str) -> None:
    bench.file("a", "remote\n")

    with pytest.raises(DigestError) as caught:
        bench.stage(wanted("a", name, sha256="0" * 64))

    assert caught.value.exit_code == 5
    assert caught.value.fields["expected"] == "0" * 64
    assert caught.value.fields["actual"] == sha("remote\n")
    assert "0" * 64 in str(caught.value)
    assert sha("remote\n") in str(caught.value)
    assert bench.objects() == []
    assert not list(bench.workdirs.glob("*"))


def test_a_wrong_digest_among_many_files_is_found_too(bench: Bench) -> None:
    inputs = []
    for number in range(30):
        bench.file(f"f{number}", str(number))
        inputs.append(wanted(f"f{number}", sha256="0" * 64 if number == 17 else sha(str(number))))

    with pytest.raises(DigestError) as caught:
        bench.stage(*inputs)

    assert caught.value.fields["actual"] == sha("17")


def test_a_wrong_size_is_an_error_from_the_source_and_from_the_store(bench: Bench) -> None:
    bench.file("a", "hello")
    with pytest.raises(DigestError, match="5 bytes"):
        bench.stage(wanted("a", size=6))
    bench.stage(wanted("a", sha256=sha("hello")))

    with pytest.raises(DigestError, match="5 bytes"):
        bench.stage(wanted("a", sha256=sha("hello"), size=6))


def test_a_folder_where_a_file_is_wanted_is_the_stage_file_s_fault(bench: Bench) -> None:
    bench.file("data/x")

    with pytest.raises(DefinitionError, match="is a folder, not a file") as caught:
        bench.stage(wanted("data", kind=Kind.FILE))

    assert caught.value.exit_code == 3


def test_an_unknown_scheme_is_refused_before_anything_is_fetched(bench: Bench, remote: Remote) -> None:
    with pytest.raises(DefinitionError, match="gopher") as caught:
        bench.stage(wanted("a", "remote:x"), wanted("b", "gopher://example.org/b"))

    assert remote.pins == 0
    assert "file" in (caught.value.hint or "")
    assert [one.hint for one in caught.value.faults] == [None]  # the list is told once
    assert caught.value.exit_code == 3


# --- remote sources ---------------------------------------------------------------------------------------------------


def test_an_unchanged_remote_source_is_asked_and_not_sent_again(bench: Bench, remote: Remote) -> None:
    bench.stage(wanted("a", "remote:x"))

    _, items = bench.stage(wanted("a", "remote:x"))

    assert (remote.fetches, remote.sent) == (2, 1)
    assert items[0].source == "cache"


def test_mirrors_are_tried_in_turn_and_the_failure_is_said(bench: Bench, remote: Remote, mirror: Remote) -> None:
    remote.failure = dead

    _, items = bench.stage(wanted("a", "remote:x", "mirror:x"))

    assert (items[0].item.identifier, items[0].item.pinned) == ("remote:x", "mirror:x")
    assert any("does not answer" in line and "mirror:x" in line for line in bench.ear.said)


def test_a_mirror_with_wrong_bytes_is_left_for_the_next_and_told(bench: Bench, remote: Remote, mirror: Remote) -> None:
    remote.text = "tampered"

    workdir, _ = bench.stage(wanted("a", "remote:x", "mirror:x", sha256=sha("remote\n")))

    assert (workdir.content / "inputs/a").read_text() == "remote\n"
    assert any(sha("tampered") in line for line in bench.ear.said)


def test_wrong_bytes_tell_more_than_a_dead_mirror(bench: Bench, remote: Remote, mirror: Remote) -> None:
    remote.failure, mirror.text = dead, "tampered"

    with pytest.raises(DigestError):
        bench.stage(wanted("a", "remote:x", "mirror:x", sha256=sha("remote\n")))


def test_a_dead_source_of_something_known_is_replaced_by_the_copy_and_said(bench: Bench, remote: Remote) -> None:
    bench.stage(wanted("a", "remote:x"))
    remote.failure = dead
    bench.ear.said.clear()

    workdir, items = bench.stage(wanted("a", "remote:x"))

    assert (workdir.content / "inputs/a").read_text() == "remote\n"
    assert items[0].source == "cache"
    assert any("does not answer" in line and "copy" in line for line in bench.ear.said)


def test_a_source_that_is_gone_is_an_error_whose_hint_names_the_copy(bench: Bench, remote: Remote) -> None:
    bench.stage(wanted("a", "remote:x"))
    remote.failure = gone

    with pytest.raises(FetchError, match="404") as caught:
        bench.stage(wanted("a", "remote:x"))

    assert sha("remote\n") in (caught.value.hint or "")
    bench.stage(wanted("a", "remote:x", sha256=sha("remote\n")))


def test_a_damaged_copy_is_fetched_again(bench: Bench, remote: Remote) -> None:
    bench.stage(wanted("a", "remote:x"))
    damaged = bench.object("remote\n")
    damaged.chmod(0o644)
    damaged.write_text("rEmote\n")

    workdir, items = bench.stage(wanted("a", "remote:x"))

    assert (workdir.content / "inputs/a").read_text() == "remote\n"
    assert (remote.sent, items[0].source) == (2, "fetched")


@pytest.mark.parametrize("stated", [True, False])
@pytest.mark.parametrize("failure", [dead, gone])
def test_a_damaged_copy_that_cannot_be_fetched_again_is_a_digest_error(
    bench: Bench, remote: Remote, stated: bool, failure: Callable[[], Exception]
) -> None:
    bench.stage(wanted("a", "remote:x"))
    bench.object("remote\n").chmod(0o644)
    bench.object("remote\n").write_text("rEmote\n")
    remote.failure = failure

    with pytest.raises(DigestError) as caught:
        bench.stage(wanted("a", "remote:x", sha256=sha("remote\n") if stated else None))

    assert caught.value.exit_code == 5
    assert (caught.value.fields["expected"], caught.value.fields["actual"]) == (sha("remote\n"), sha("rEmote\n"))


def test_a_damaged_copy_that_a_dead_source_promised_elsewhere_is_a_digest_error(bench: Bench, remote: Remote) -> None:
    bench.stage(wanted("a", "remote:x"))
    bench.object("remote\n").chmod(0o644)
    bench.object("remote\n").write_text("rEmote\n")
    remote.failure = dead

    with pytest.raises(DigestError, match="damaged"):
        bench.stage(wanted("a", "remote:elsewhere", sha256=sha("remote\n")))


def test_the_first_failure_stops_the_others(bench: Bench, remote: Remote, mirror: Remote) -> None:
    stopped = threading.Event()

    def slow(context: FetchContext) -> None:
        if context.cancelled.wait(20):
            stopped.set()
            raise FetchError("given up", transient=True)

    remote.before_fetch = slow
    mirror.failure = gone

    with pytest.raises(FetchError, match="404"):
        bench.stage(wanted("a", "remote:a"), wanted("b", "remote:b"), wanted("c", "mirror:c"))

    assert stopped.is_set()
    assert not list(bench.workdirs.glob("*"))


def test_simultaneous_stagers_of_one_thing_make_one_download(
    bench: Bench, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Semaphore(0)
    remember = Obtainer.remember

    def begin(obtainer: Obtainer, requests: Sequence[Request]) -> None:
        remember(obtainer, requests)
        begun.release()

    def wait_for_all(context: FetchContext) -> None:
        for _ in range(6):
            assert begun.acquire(timeout=60)

    monkeypatch.setattr(Obtainer, "remember", begin)
    remote.before_fetch = wait_for_all
    outcomes: list[str] = []

    def stage() -> None:
        _, items = Bench(bench.root).stage(wanted("a", "remote:x"))
        outcomes.append(items[0].source)

    threads = [threading.Thread(target=stage) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (remote.fetches, remote.sent) == (1, 1)
    assert sorted(outcomes) == ["cache"] * 5 + ["fetched"]


def test_what_a_fetcher_leaves_to_resume_is_there_the_next_time_and_gone_in_the_end(
    bench: Bench, remote: Remote
) -> None:
    seen: list[bool] = []

    def leave(context: FetchContext) -> None:
        seen.append((context.partial / "half").exists())
        (context.partial / "half").write_text("half")

    remote.before_fetch, remote.failure = leave, dead
    with pytest.raises(FetchError):
        bench.stage(wanted("a", "remote:x"))
    remote.failure = None
    bench.stage(wanted("a", "remote:x"))

    assert seen == [False, True]
    assert list((bench.cache / "partial").iterdir()) == []


def test_add_brings_into_the_store_without_a_working_directory(bench: Bench) -> None:
    bench.file("a", "hello")
    with bench.store() as store:
        (obtained,) = Stager(store).add([source("a")], bench.sources)
        assert store.lookup(obtained.stored.fingerprint) is not None

    assert not bench.workdirs.exists()


# --- a lock -----------------------------------------------------------------------------------------------------------


def test_a_locked_stage_gives_the_same_lock_and_says_so(bench: Bench) -> None:
    bench.file("a")
    bench.file("data/x")
    _, first = bench.stage(wanted("a"), wanted("data"))

    _, second = bench.stage(wanted("a"), wanted("data"), locked=plan_of(first))

    assert plan_of(second).lock_bytes() == plan_of(first).lock_bytes()
    assert {one.trust for one in second} == {Trust.LOCKED}


def test_bytes_that_are_not_the_lock_s_are_refused(bench: Bench) -> None:
    bench.file("a", "one")
    _, first = bench.stage(wanted("a"))
    bench.file("a", "two")
    other = Bench(bench.root / "other")
    other.file("a", "two")

    with pytest.raises(DigestError, match="the lock says") as caught:
        other.stage(wanted("a"), locked=plan_of(first))

    assert (caught.value.fields["expected"], caught.value.fields["actual"]) == (sha("one"), sha("two"))


def test_a_local_file_that_is_no_longer_what_the_lock_says_is_refused(bench: Bench) -> None:
    bench.file("a", "one")
    _, first = bench.stage(wanted("a"))
    bench.file("a", "two")

    with pytest.raises(DigestError) as caught:
        bench.stage(wanted("a"), locked=plan_of(first))

    assert caught.value.fields["expected"] == first[0].item.fingerprint.digest


def test_the_hint_of_a_wrong_digest_leads_to_who_stated_it(bench: Bench) -> None:
    bench.file("a", "one")
    _, first = bench.stage(wanted("a"))
    bench.file("a", "two")
    stated = replace(source("a"), sha256=Fingerprint(digest=sha("one")))

    with pytest.raises(DigestError, match="the lock says") as by_lock:
        bench.stage(wanted("a"), locked=plan_of(first))
    with pytest.raises(DigestError, match="the stage file says") as by_stage_file:
        bench.stage(replace(wanted("a"), source=stated))
    with bench.store() as store, pytest.raises(DigestError, match="the command line says") as by_command:
        Stager(store).add([stated], bench.sources)

    assert "--locked LOCK --update" in str(by_lock.value.hint)
    assert "in the stage file" in str(by_stage_file.value.hint)
    assert "--update" not in str(by_stage_file.value.hint)
    assert "--sha256" in str(by_command.value.hint)


def test_a_lock_is_served_by_the_store_when_the_source_is_gone(bench: Bench) -> None:
    path = bench.file("a", "one")
    _, first = bench.stage(wanted("a"))
    path.unlink()

    workdir, second = bench.stage(wanted("a"), locked=plan_of(first))

    assert (workdir.content / "inputs/a").read_text() == "one"
    assert second[0].source == "cache"


def test_an_item_that_is_not_in_the_lock_is_refused_by_name(bench: Bench) -> None:
    bench.file("a")
    bench.file("b")
    _, first = bench.stage(wanted("a"))

    with pytest.raises(DigestError, match="'b'") as caught:
        bench.stage(wanted("a"), wanted("b"), locked=plan_of(first))

    assert caught.value.exit_code == 5


def test_another_identifier_than_the_lock_s_is_refused(bench: Bench) -> None:
    bench.file("a", "same")
    bench.file("b", "same")
    _, first = bench.stage(wanted("a"))

    with pytest.raises(DigestError, match="the lock has a for it"):
        bench.stage(wanted("a", "b"), locked=plan_of(first))


def test_a_stated_digest_that_contradicts_the_lock_is_refused(bench: Bench) -> None:
    bench.file("a", "one")
    _, first = bench.stage(wanted("a"))
    locked = plan_with([replace(first[0].item, fingerprint=Fingerprint(digest=sha("two")))])

    with pytest.raises(DigestError, match="in the stage file"):
        bench.stage(wanted("a", sha256=sha("one")), locked=locked)


# --- giving up --------------------------------------------------------------------------------------------------------


def test_an_interrupt_stops_the_downloads_and_leaves_nothing(bench: Bench, remote: Remote) -> None:
    def interrupt(context: FetchContext) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        assert context.cancelled.wait(20)
        raise FetchError("given up", transient=True)

    remote.before_fetch = interrupt

    with pytest.raises(KeyboardInterrupt):
        bench.stage(wanted("a", "remote:x"))

    assert list(bench.workdirs.iterdir()) == []
    assert list((bench.cache / "tmp").iterdir()) == []
    assert bench.objects() == []


def test_an_interrupt_amid_many_small_files_leaves_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(200):
        bench.file(f"f{number}", str(number))
    seen: list[int] = []

    def count(*_: object) -> None:
        seen.append(1)
        if len(seen) == 60:
            os.kill(os.getpid(), signal.SIGINT)
        if len(seen) >= 60:
            time.sleep(0.3)  # whoever does not stop now is seen to go on

    monkeypatch.setattr("staging.bulk.check_fetched", count)

    with pytest.raises(KeyboardInterrupt):
        bench.stage(*(wanted(f"f{number}") for number in range(200)))

    assert len(seen) < 100
    assert list(bench.workdirs.iterdir()) == []
    assert list((bench.cache / "tmp").iterdir()) == []
    assert bench.objects() == []


def test_nothing_temporary_is_left_while_the_store_stays_open(bench: Bench, tmp_path: Path) -> None:
    bench.file("a")
    (tmp_path / "content").mkdir()
    with bench.store() as store:
        Stager(store).fetch_all([wanted("a")], tmp_path / "content", bench.sources)

        assert list((bench.cache / "tmp").iterdir()) == []


def test_what_a_dead_process_left_in_the_store_is_removed(bench: Bench) -> None:
    settled(bench.file("a"))
    bench.stage(wanted("a"))
    left = bench.cache / "tmp" / "0123456789abcdef"
    left.mkdir()
    (left / "1").write_text("half")

    bench.stage(wanted("a"))

    assert not left.exists()


def test_two_things_under_one_path_are_refused(bench: Bench) -> None:
    bench.file("a", "one")
    bench.file("b", "two")

    with pytest.raises(WfexsError, match="two things"):
        bench.stage(wanted("a"), replace(wanted("b"), path=PurePosixPath("inputs/a")))


# --- what the store remembers -----------------------------------------------------------------------------------------


def test_the_store_remembers_where_when_and_under_which_licence(bench: Bench, remote: Remote) -> None:
    licensed = replace(source("remote:x"), licences=("CC-BY-4.0",))
    bench.stage(replace(wanted("a"), source=licensed))

    with bench.store() as store:
        (entry,) = store.entries()

    (origin,) = entry.origins
    assert (origin.identifier, origin.stated) == ("remote:x", ("CC-BY-4.0",))
    assert origin.validators == {"etag": sha("remote\n")}
    assert datetime.fromisoformat(origin.fetched).tzinfo is not None
    assert len(entry.users) == 1


def test_a_licence_that_one_stage_file_states_is_not_told_to_another(bench: Bench, remote: Remote) -> None:
    licensed = replace(source("remote:x"), licences=("CC-BY-4.0",))
    _, first = bench.stage(replace(wanted("a"), source=licensed))

    _, second = bench.stage(wanted("a", "remote:x"))

    assert (first[0].item.licences, second[0].item.licences) == (("CC-BY-4.0",), ())


def test_a_cache_that_cannot_be_used_is_a_sentence(bench: Bench) -> None:
    bench.file("a")
    bench.cache.write_text("not a folder")

    with pytest.raises(WfexsError, match="cannot") as caught:
        bench.stage(wanted("a"))

    assert str(bench.cache) in str(caught.value)


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_no_umask_makes_the_store_writable_for_others_or_unusable(bench: Bench, mask: int) -> None:
    bench.file("a")
    bench.file("data/x")
    before = os.umask(mask)
    try:
        workdir, items = bench.stage(wanted("a"), wanted("data"))
    finally:
        os.umask(before)

    open_to_others = [path for path in bench.cache.rglob("*") if stat.S_IMODE(path.lstat().st_mode) & 0o022]
    assert open_to_others == []
    workdir.verify(plan_of(items), rehash=True)
