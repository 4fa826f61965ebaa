"""Where Nextflow's files come from, without Nextflow: a web server of the test's own stands for the release host.

What is served is a jar in form only; that it runs is shown by tests/flow/test_nextflow_installation.py.
"""

from __future__ import annotations

import hashlib
import io
import os
import socket
import time
import zipfile
from pathlib import Path

import pytest

from engines.base import EngineFile
from engines.nextflow.setup import installation, records, training
from engines.nextflow.setup.installation import cached
from engines.nextflow.setup.records import Attested, EngineRecord, attest, fingerprint_of, holds_beside, keep_beside
from engines.nextflow.setup.release_asset import ReleaseSource
from engines.nextflow.setup.sources import UnreachableError, asked_source, compare
from staging.errors import DigestError, EngineError
from tests.support.web import File, WebServer, status


def quiet(message: str) -> None:
    raise AssertionError(f"said: {message}")


def archive(*names: str) -> bytes:
    """A script with a zip file after it, as the releases have it."""
    stream = io.BytesIO()
    stream.write(b"#!/bin/sh\nexec java -jar $0\n")
    with zipfile.ZipFile(stream, "a") as packed:
        for name in names:
            packed.writestr(name, f"content of {name}")
    return stream.getvalue()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# --- the release asset ------------------------------------------------------------------------------------------------


def test_an_asset_that_java_reads_as_it_is_is_kept_as_it_is(tmp_path: Path) -> None:
    content = archive("nextflow/cli/Launcher.class", "META-INF/MANIFEST.MF")
    with WebServer() as web:
        web.files["/v24.10.0/nextflow-24.10.0-dist"] = File(content)
        files = ReleaseSource(base=web.url("/")).fetch("24.10.0", tmp_path, quiet)

    assert files == (
        EngineFile("nextflow-24.10.0-dist", "pkg:github/nextflow-io/nextflow@v24.10.0", sha256(content), len(content)),
    )
    assert [one.name for one in tmp_path.iterdir()] == ["nextflow-24.10.0-dist"]


def test_the_jars_are_taken_out_of_an_older_asset_with_nextflows_own_first(tmp_path: Path) -> None:
    with WebServer() as web:
        web.files["/v23.10.1/nextflow-23.10.1-all"] = File(archive("a.jar", "nextflow-23.10.1.jar", "Capsule.class"))
        files = ReleaseSource(base=web.url("/")).fetch("23.10.1", tmp_path, quiet)

    assert [one.name for one in files] == ["nextflow-23.10.1.jar", "a.jar"]
    assert files[1].sha256 == sha256(b"content of a.jar")
    assert files[1].identifier == "pkg:github/nextflow-io/nextflow@v23.10.1#nextflow-23.10.1-all/a.jar"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.jar", "nextflow-23.10.1.jar"]


@pytest.mark.parametrize("content", [b"<html>not found</html>", archive("readme.txt"), archive("x.jar")])
def test_an_asset_that_is_no_nextflow_is_refused(tmp_path: Path, content: bytes) -> None:
    with WebServer() as web:
        web.files["/v24.10.0/nextflow-24.10.0-dist"] = File(content)
        with pytest.raises(EngineError) as caught:
            ReleaseSource(base=web.url("/")).fetch("24.10.0", tmp_path, quiet)

    assert caught.value.exit_code == 7
    assert not isinstance(caught.value, UnreachableError)


@pytest.mark.parametrize("code", [404, 403])
def test_a_host_that_says_no_is_not_a_host_that_is_not_there(tmp_path: Path, code: int) -> None:
    with WebServer() as web:
        web.scripts["/v99.1.0/nextflow-99.1.0-dist"] = status(code)
        with pytest.raises(EngineError, match=r"can't be fetched from the project's releases") as caught:
            ReleaseSource(base=web.url("/")).fetch("99.1.0", tmp_path, quiet)

    assert not isinstance(caught.value, UnreachableError)


def test_a_host_that_is_not_there_is_known_within_seconds(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{taken.getsockname()[1]}"
        started = time.monotonic()
        with pytest.raises(UnreachableError):
            ReleaseSource(base=base).fetch("24.10.0", tmp_path, quiet)

    assert time.monotonic() - started < 10


def test_only_two_sources_can_be_asked_for() -> None:
    assert asked_source({}) is None
    assert asked_source({"WFEXS_LIKE_NEXTFLOW_SOURCE": " Maven "}) == "maven"
    with pytest.raises(EngineError, match="'conda'"):
        asked_source({"WFEXS_LIKE_NEXTFLOW_SOURCE": "conda"})


# --- digests ----------------------------------------------------------------------------------------------------------


def engine_file(name: str, content: bytes) -> EngineFile:
    return EngineFile(name, f"pkg:maven/x/{name}@1", sha256(content), len(content))


def test_a_file_that_differs_is_missing_or_is_too_many_is_named() -> None:
    one, two = engine_file("one.jar", b"1"), engine_file("two.jar", b"2")

    compare("1.0.0", [two, one], [one, two], "is known")
    with pytest.raises(DigestError, match=r"two\.jar .* is not what is known") as caught:
        compare("1.0.0", [one, engine_file("two.jar", b"3")], [one, two], "is known")
    assert caught.value.exit_code == 5
    assert caught.value.fields["expected"] == two.sha256
    with pytest.raises(DigestError, match=r"two\.jar .* is missing"):
        compare("1.0.0", [one], [one, two], "is known")
    with pytest.raises(DigestError, match=r"two\.jar .* is there"):
        compare("1.0.0", [one, two], [one], "is known")


def test_the_fingerprint_is_of_names_and_digests_whatever_their_order() -> None:
    one, two = engine_file("one.jar", b"1"), engine_file("two.jar", b"2")

    assert fingerprint_of([one, two]) == fingerprint_of([two, one])
    assert fingerprint_of([one, two]) == sha256(f"{one.sha256}\tone.jar\n{two.sha256}\ttwo.jar\n".encode())
    assert fingerprint_of([one]) != fingerprint_of([one, two])


def test_a_file_that_was_built_here_is_known_by_its_bytes(tmp_path: Path) -> None:
    built = tmp_path / "classes.jsa"
    built.write_bytes(b"classes")
    assert not holds_beside(built)
    time.sleep(0.03)
    keep_beside(built)

    assert holds_beside(built)
    os.utime(built)
    assert holds_beside(built), "touched, and the same"
    status = built.stat()
    built.write_bytes(b"Classes")
    os.utime(built, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert not holds_beside(built), "another one of the same size and time"
    built.unlink()
    assert not holds_beside(built)


@pytest.mark.parametrize(
    "record", ["", "{}", "[]", '{"schema": "wfexs-like/nextflow-built/1"}', '{"schema": 1}', "null"]
)
def test_a_record_that_can_not_be_read_vouches_for_nothing(tmp_path: Path, record: str) -> None:
    built = tmp_path / "classes.jsa"
    built.write_bytes(b"classes")
    (tmp_path / "classes.jsa.json").write_text(record)
    (tmp_path / "engine.json").write_text(record)

    assert not holds_beside(built)
    assert EngineRecord.read(tmp_path / "engine.json") is None


# --- what is in the cache ---------------------------------------------------------------------------------------------


def put(cache: Path, version: str, source: str, content: bytes) -> Path:
    """An engine of one file as it lies in the cache; its bytes are no Nextflow's, and nothing starts them."""
    home = cache / "engines" / "nextflow" / "making"
    (home / "jars").mkdir(parents=True)
    jar = home / "jars" / f"nextflow-{version}.jar"
    jar.write_bytes(content)
    time.sleep(0.03)
    attested = attest(jar, f"pkg:maven/io.nextflow/nextflow@{version}")
    assert isinstance(attested, Attested)
    record = EngineRecord(
        version=version, source=source, identifier=attested.file.identifier, known=False, files=(attested,)
    )
    record.write(home / "engine.json")
    return home.rename(home.with_name(f"{version}-{record.fingerprint[:12]}"))


def test_the_cache_is_told_with_what_is_verified(tmp_path: Path) -> None:
    sound = put(tmp_path, "23.10.1", "maven", b"sound")
    damaged = put(tmp_path, "9.10.0", "release", b"damaged")
    (damaged / "jars" / "nextflow-9.10.0.jar").write_bytes(b"changed")
    (sound.parent / ".making-1.0.0-abcd").mkdir()
    (sound.parent / "24.10.0-0123456789ab").mkdir()

    told = cached(tmp_path)

    assert [(one.version, one.source, one.size, one.verified) for one in told] == [
        ("9.10.0", "release", 7, False),
        ("23.10.1", "maven", 5, True),
    ]
    assert cached(tmp_path / "nothing") == ()


def test_a_record_of_another_engine_in_its_place_is_not_believed(tmp_path: Path) -> None:
    home = put(tmp_path, "23.10.1", "maven", b"sound")
    other = put(tmp_path, "23.10.1", "maven", b"other")
    (other / "engine.json").replace(home / "engine.json")

    assert cached(tmp_path) == ()


def test_of_two_engines_of_one_version_the_expected_one_is_taken(tmp_path: Path) -> None:
    maven = put(tmp_path, "23.10.2", "maven", b"from maven")
    release = put(tmp_path, "23.10.2", "release", b"from the release")
    folder = tmp_path / "engines" / "nextflow"
    wanted = records.EngineRecord.read(maven / "engine.json")
    assert wanted is not None

    def chosen(expected: str | None, asked: str | None) -> Path | None:
        found = installation._chosen(folder, "23.10.2", expected, asked)
        return None if found is None else found[0]

    assert chosen(wanted.fingerprint, None) == chosen(wanted.fingerprint, "release") == maven
    assert chosen(None, None) == chosen("0" * 64, None) == release
    assert chosen(None, "maven") == maven
    assert installation._chosen(folder, "23.10.3", None, None) is None


def test_an_archive_of_classes_that_goes_with_another_jar_of_ours_goes(tmp_path: Path) -> None:
    for name in ("classes-aa-111111111111.jsa", "classes-bb-222222222222.jsa", "classes-cc-222222222222.failed"):
        (tmp_path / name).touch()
    for name in ("classes-aa-111111111111.jsa.json", "classes-aa-222222222222.jsa.json", "wfexs-like-111111111111.jar"):
        (tmp_path / name).touch()

    training._sweep(tmp_path / "classes-aa-222222222222.jsa")

    assert sorted(one.name for one in tmp_path.iterdir()) == [
        "classes-aa-222222222222.jsa.json",
        "classes-bb-222222222222.jsa",
        "classes-cc-222222222222.failed",
        "wfexs-like-111111111111.jar",
    ]
