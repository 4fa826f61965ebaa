"""The one suite that every fetcher passes. A new fetcher adds a ``Subject`` to ``SUBJECTS``."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from staging.errors import FetchError, WfexsError
from staging.fetchers.base import FETCHERS, FetchContext, Fetched, Fetcher, Pin, Unchanged
from staging.fetchers.file import SETTLED
from staging.fingerprints import Fingerprint, Tree
from staging.identifiers import Identifier
from staging.plan import Kind
from tests.support.heard import Heard
from tests.support.registries import OCI_MANIFEST, Registry, make_image, sha256, tar_of
from tests.support.repositories import Repository, serve_repositories
from tests.support.web import File, WebServer

CONTENT = b"some content\r\n\x00\xff" * 20_000


@dataclass
class Subject:
    """What a fetcher fetches in these tests.

    ``change`` changes what ``identifier`` means (``None`` when nothing can). ``missing`` is an identifier of the same
    scheme for nothing. ``content`` is what a file has in it; ``close`` ends what was started for it.
    """

    identifier: str
    kind: Kind
    missing: str
    change: Callable[[], object] | None
    content: bytes = CONTENT
    close: Callable[[], object] | None = None


def _file(folder: Path, web: WebServer) -> Subject:
    path = folder / "source file.bin"
    path.write_bytes(CONTENT)
    return Subject(str(Identifier.of_path(path)), Kind.FILE, f"file://{folder}/none", lambda: path.write_bytes(b"new"))


def _linked_file(folder: Path, web: WebServer) -> Subject:
    (folder / "target").write_bytes(CONTENT)
    (folder / "link").symlink_to("target")
    target = folder / "target"
    return Subject(f"file://{folder}/link", Kind.FILE, f"file://{folder}/none/x", lambda: target.write_bytes(b"new"))


def _folder(folder: Path, web: WebServer) -> Subject:
    root = folder / "source"
    (root / "deep" / "er").mkdir(parents=True)
    (root / "empty").mkdir()
    (root / "a b.txt").write_bytes(CONTENT)
    (root / "deep" / "run.sh").write_text("#!/bin/sh\n")
    (root / "deep" / "run.sh").chmod(0o755)
    (root / "deep" / "link").symlink_to("../a b.txt")
    new = root / "deep" / "er" / "new"
    return Subject(f"file://{root}", Kind.DIRECTORY, f"file://{root}/none", new.touch)


def _data(folder: Path, web: WebServer) -> Subject:
    text = base64.b64encode(CONTENT).decode()
    return Subject(f"data:;base64,{text}", Kind.FILE, "data:;base64,!", None)


def _http(folder: Path, web: WebServer) -> Subject:
    web.files["/x.bin"] = File(CONTENT)

    def change() -> None:
        web.files["/x.bin"] = File(b"new", etag='"two"')

    return Subject(web.url("/x.bin"), Kind.FILE, web.url("/none.bin"), change)


def _git(folder: Path, web: WebServer) -> Subject:
    repository = _repository(folder)
    identifier = f"git+file://{repository.path}#subdirectory=deep%2Frun.sh"
    return Subject(identifier, Kind.DIRECTORY, f"git+file://{folder}/none", _committer(repository))


def _git_http(folder: Path, web: WebServer) -> Subject:
    repository = _repository(folder)
    serve_repositories(web, folder)
    base = f"git+http://127.0.0.1:{web.port}/git"
    return Subject(f"{base}/source/.git@main", Kind.DIRECTORY, f"{base}/source/.git@none", _committer(repository))


def _repository(folder: Path) -> Repository:
    repository = Repository(folder / "source")
    repository.write("a b.txt", CONTENT)
    repository.write("deep/run.sh", "#!/bin/sh\n").chmod(0o755)
    (repository.path / "deep" / "link").symlink_to("../a b.txt")
    repository.commit()
    return repository


def _committer(repository: Repository) -> Callable[[], object]:
    def change() -> None:
        repository.write("new", "x")
        repository.commit()

    return change


def _image(folder: Path, web: WebServer) -> Subject:
    registry = Registry(folder / "registry").__enter__()
    image = registry.push("group/sub/tools", "1", make_image(tar_of({"a": b"x"})))
    other = make_image(tar_of({"a": b"y"}))
    for blob in other.blobs.values():
        registry.push_blob("group/sub/tools", blob)

    def change() -> None:
        registry.push_manifest("group/sub/tools", "1", other.manifest, OCI_MANIFEST)

    base = f"docker://{registry.host}/group/sub/tools"
    return Subject(f"{base}:1#linux/amd64", Kind.FILE, f"{base}:none", change, image.manifest, registry.stop)


def _blob(folder: Path, web: WebServer) -> Subject:
    registry = Registry(folder / "registry").__enter__()
    registry.push_blob("tools", CONTENT)
    base = f"oci-blob://{registry.host}/tools@sha256:"
    return Subject(base + sha256(CONTENT), Kind.FILE, base + "0" * 64, None, close=registry.stop)


SUBJECTS = {
    "file": _file,
    "linked file": _linked_file,
    "folder": _folder,
    "data": _data,
    "http": _http,
    "git": pytest.param(_git, marks=pytest.mark.git),
    "git over http": pytest.param(_git_http, marks=pytest.mark.git),
    "image": pytest.param(_image, marks=pytest.mark.registry),
    "blob": pytest.param(_blob, marks=pytest.mark.registry),
}


@dataclass
class Bench:
    """A fetcher at work on its subject."""

    fetcher: Fetcher
    subject: Subject
    folder: Path
    heard: Heard = field(default_factory=Heard)
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def context(self) -> FetchContext:
        return FetchContext(
            partial=self.folder / "partial",
            progress=self.heard,
            key="the key",
            cancelled=self.cancelled,
            connect_timeout=2.0,
            read_timeout=5.0,
            retries=0,
        )

    def pin(self, text: str | None = None) -> Pin:
        return self.fetcher.pin(Identifier.parse(text or self.subject.identifier), self.context)

    def fetch(self, into: str = "into") -> tuple[Pin, Fetched]:
        pin = self.pin()
        fetched = self.fetcher.fetch(pin, self.folder / into, self.context, {})
        assert isinstance(fetched, Fetched)
        return pin, fetched


@pytest.fixture(params=SUBJECTS.values(), ids=SUBJECTS.keys())
def bench(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    # Files made a moment ago count as settled here; tests/unit/test_file_fetcher.py looks at that moment.
    monkeypatch.setattr("staging.fetchers.file.SETTLED", 0)
    assert SETTLED > 0
    (tmp_path / "sources").mkdir()
    with WebServer() as web:
        subject = request.param(tmp_path / "sources", web)
        fetcher = FETCHERS.load(Identifier.parse(subject.identifier).scheme)()
        try:
            yield Bench(fetcher, subject, tmp_path)
        finally:
            if subject.close is not None:
                subject.close()


def _fingerprint(path: Path) -> Fingerprint:
    return Tree.of_directory(path).fingerprint if path.is_dir() else Fingerprint.of_file(path)


def test_the_fingerprint_is_that_of_the_bytes_written(bench: Bench) -> None:
    _, fetched = bench.fetch()
    into = bench.folder / "into"

    assert fetched.fingerprint == _fingerprint(into)
    assert fetched.kind is bench.subject.kind
    if fetched.kind is Kind.FILE:
        assert into.read_bytes() == bench.subject.content
        assert fetched.size == len(bench.subject.content)
        assert not into.is_symlink()
        assert fetched.tree is None
    else:
        assert fetched.tree == Tree.of_directory(into)
        assert fetched.size == sum(
            one.stat().st_size for one in into.rglob("*") if one.is_file() and not one.is_symlink()
        )
        assert (into / "a b.txt").read_bytes() == CONTENT
        assert (into / "deep" / "run.sh").stat().st_mode & 0o111
        assert (into / "deep" / "link").is_symlink()


def test_the_same_source_gives_the_same_fingerprint_twice(bench: Bench) -> None:
    assert bench.fetch("one")[1].fingerprint == bench.fetch("two")[1].fingerprint


def test_a_pin_of_a_pin_is_itself(bench: Bench) -> None:
    pinned = bench.pin().identifier

    again = bench.pin(str(pinned))

    assert again.identifier == pinned
    assert Identifier.parse(str(pinned)) == pinned


def test_what_a_pin_promises_is_what_comes(bench: Bench) -> None:
    pin = bench.fetcher.survey(bench.pin(), bench.context)
    _, fetched = bench.fetch()

    assert pin.kind in (None, fetched.kind)
    assert pin.size in (None, fetched.size)
    assert pin.fingerprint in (None, fetched.fingerprint)


def test_an_unchanged_source_need_not_be_fetched_again(bench: Bench) -> None:
    pin, fetched = bench.fetch()
    if not fetched.validators:
        assert bench.subject.change is None
        return

    again = bench.fetcher.fetch(bench.pin(), bench.folder / "again", bench.context, fetched.validators)

    assert isinstance(again, Unchanged)
    assert not (bench.folder / "again").exists()
    assert not pin.validators or dict(pin.validators) == dict(bench.pin().validators)


def test_a_changed_source_is_noticed(bench: Bench) -> None:
    before, fetched = bench.fetch()
    if bench.subject.change is None:
        assert not before.mutable
        return
    assert before.mutable
    bench.subject.change()

    after = bench.pin()
    again = bench.fetcher.fetch(after, bench.folder / "again", bench.context, fetched.validators)

    assert isinstance(again, Fetched)
    assert again.fingerprint != fetched.fingerprint
    assert again.fingerprint == _fingerprint(bench.folder / "again")
    assert not after.validators or dict(after.validators) != dict(before.validators)


def test_the_source_is_left_as_it_was(bench: Bench) -> None:
    sources = bench.folder / "sources"
    before = {path: path.lstat().st_ctime_ns for path in sources.rglob("*")}

    bench.fetch()

    assert {path: path.lstat().st_ctime_ns for path in sources.rglob("*")} == before


def test_the_copy_is_a_copy(bench: Bench) -> None:
    """Writing to it can't change the source."""
    bench.fetch()
    sources = {one.stat().st_ino for one in (bench.folder / "sources").rglob("*")}
    into = bench.folder / "into"

    copies = {one.stat().st_ino for one in ([into] if into.is_file() else into.rglob("*"))}

    assert not copies & sources


def test_what_is_missing_is_an_error_with_a_sentence_and_leaves_nothing(bench: Bench) -> None:
    with pytest.raises(FetchError) as caught:
        bench.fetcher.fetch(bench.pin(bench.subject.missing), bench.folder / "into", bench.context, {})

    assert not caught.value.transient
    assert caught.value.exit_code == 4
    assert "\n" not in caught.value.message and not caught.value.message.endswith(".")
    assert not (bench.folder / "into").exists()


def test_giving_up_leaves_nothing(bench: Bench) -> None:
    pin = bench.pin()
    bench.cancelled.set()

    with pytest.raises(FetchError):
        bench.fetcher.fetch(pin, bench.folder / "into", bench.context, {})

    assert not (bench.folder / "into").exists()


def test_a_place_that_can_not_be_written_is_a_sentence(bench: Bench) -> None:
    pin = bench.pin()

    with pytest.raises(WfexsError) as caught:
        bench.fetcher.fetch(pin, bench.folder / "none" / "into", bench.context, {})

    assert "cannot write" in caught.value.message


def test_progress_counts_up_to_the_size(bench: Bench) -> None:
    _, fetched = bench.fetch()

    assert bench.heard.done[-1] == fetched.size
    assert bench.heard.keys == {"the key"}


def test_one_instance_serves_several_threads(bench: Bench) -> None:
    found: list[str] = []
    contexts = [
        FetchContext(partial=bench.folder / f"partial{number}", key="the key", progress=bench.heard)
        for number in range(4)
    ]

    def work(number: int) -> None:
        pin = bench.fetcher.pin(Identifier.parse(bench.subject.identifier), contexts[number])
        fetched = bench.fetcher.fetch(pin, bench.folder / f"into{number}", contexts[number], {})
        assert isinstance(fetched, Fetched)
        found.append(fetched.fingerprint.digest)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 4
    assert len(set(found)) == 1
