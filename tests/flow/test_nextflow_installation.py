"""The real Nextflow from the real Maven repository: set up, started, damaged, set up again."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from engines.base import InstalledEngine
from engines.nextflow.setup import class_data, support_jar, training
from engines.nextflow.setup.installation import cached, install, verify
from engines.nextflow.setup.launching import java_command, java_of
from engines.nextflow.setup.maven import MavenSource
from engines.nextflow.setup.release_asset import ReleaseSource
from engines.nextflow.setup.sources import known_files
from staging.errors import DigestError, EngineError
from tests.support.web import WebServer

pytestmark = pytest.mark.nextflow

VERSION = "24.10.0"
PIPELINE = """
process GREET {
  publishDir "$launchDir/results", mode: 'copy'
  output: path 'greeting.txt'
  script: "echo hello > greeting.txt"
}
workflow { GREET() }
"""


def quiet(message: str) -> None:
    raise AssertionError(f"said: {message}")


def maven(**more: str) -> dict[str, str]:
    return {**os.environ, "WFEXS_LIKE_NEXTFLOW_SOURCE": "maven", **more}


@pytest.fixture
def engine(nextflow_cache: Path) -> InstalledEngine:
    return install(VERSION, nextflow_cache, lambda _: None, maven())


@pytest.fixture
def cache(engine: InstalledEngine, tmp_path: Path) -> Path:
    """A cache with a copy of the engine, to be damaged."""
    assert engine.home is not None
    shutil.copytree(engine.home, tmp_path / "cache" / "engines" / "nextflow" / engine.home.name)
    # What can't be copied is the archive of classes: it holds for one path. That it can't be made is recorded as such,
    # so that each of these tests doesn't have to make another one.
    for one in (tmp_path / "cache").rglob("*.jsa"):
        one.unlink()
    without_class_data(replace(engine, home=tmp_path / "cache" / "engines" / "nextflow" / engine.home.name))
    # What was changed this very moment is believed by its digest alone, as it could be changed again unseen.
    time.sleep(0.1)
    return tmp_path / "cache"


def without_class_data(engine: InstalledEngine, *_: object) -> None:
    """Record that no archive of classes can be made, in place of making one."""
    assert engine.home is not None
    archive = class_data.place(engine.home, engine.program, *java_of(engine))
    assert archive is not None
    archive.with_suffix(".failed").touch()


def run(engine: InstalledEngine, folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    folder.mkdir()
    (folder / "main.nf").write_text(PIPELINE)
    command = java_command(engine, tmp=folder)
    main = command.index("-cp")
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "PWD": str(folder), "NXF_HOME": str(folder / "home"),
        "NXF_OFFLINE": "true", "NXF_PLUGINS_DEFAULT": "false", "NXF_DISABLE_CHECK_LATEST": "true",
    }  # fmt: skip
    return subprocess.run(
        [*command[:main], *flags, *command[main:], "run", "main.nf", "-ansi-log", "false"],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_it_is_the_known_files_in_their_order_and_runs(engine: InstalledEngine, tmp_path: Path) -> None:
    done = run(engine, tmp_path / "run")

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"version {VERSION}" in done.stdout
    assert (tmp_path / "run" / "results" / "greeting.txt").read_text() == "hello\n"
    assert engine.files == known_files(VERSION)
    assert engine.expected
    assert engine.identifier == f"pkg:maven/io.nextflow/nextflow@{VERSION}"
    assert engine.platform["java"].endswith(")")


def test_classes_come_from_the_archive_that_was_made_with_it(engine: InstalledEngine, tmp_path: Path) -> None:
    loaded = tmp_path / "loaded.txt"
    done = run(engine, tmp_path / "run", f"-Xlog:class+load:file={loaded}")

    assert done.returncode == 0, done.stdout + done.stderr
    ours = [line for line in loaded.read_text().splitlines() if " nextflow." in line or " wfexslike." in line]
    shared = [line for line in ours if "shared objects file (top)" in line]
    assert len(shared) > 300
    assert any("nextflow.processor.TaskProcessor " in line for line in shared)
    assert any("wfexslike.WitnessFactory " in line for line in shared)


def test_looking_again_is_quick_and_silent_and_reads_no_jar(engine: InstalledEngine, nextflow_cache: Path) -> None:
    times = []
    for _ in range(5):
        started = time.process_time()
        again = install(VERSION, nextflow_cache, quiet, maven(), engine.fingerprint)
        times.append(time.process_time() - started)

    assert again.source == "cache"
    assert (again.fingerprint, again.files, again.home) == (engine.fingerprint, engine.files, engine.home)
    assert min(times) < 0.02
    verify(again, nextflow_cache)


def test_a_damaged_engine_is_fetched_again_by_one_of_two_and_a_fetch_that_is_killed_leaves_nothing_believed(
    engine: InstalledEngine, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "train", without_class_data)
    copied = install(VERSION, cache, lambda _: None, maven())
    jar, gone = next(cache.rglob("guava-*.jar")), next(cache.rglob("logback-core-*.jar"))
    sound, status = jar.read_bytes(), jar.stat()
    jar.chmod(0o644)
    jar.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    os.utime(jar, ns=(status.st_atime_ns, status.st_mtime_ns))
    gone.unlink()
    with pytest.raises(DigestError, match=rf"{jar.name}.*{gone.name}"):
        verify(copied, cache)
    _begin_to_fetch_and_be_killed(cache)
    assert [one.verified for one in cached(cache)] == [False]

    said: list[str] = []
    with ThreadPoolExecutor() as pool:
        made = list(pool.map(lambda _: install(VERSION, cache, said.append, maven()), range(2)))

    assert jar.read_bytes() == sound
    assert gone.exists()
    assert sorted(one.source for one in made) == ["cache", "fetched"]
    assert {one.fingerprint for one in made} == {engine.fingerprint}
    assert sum(jar.name in one and "fetching Nextflow again" in one for one in said) == 1
    assert not list(cache.glob("engines/nextflow/.making-*"))
    assert [(one.version, one.verified) for one in cached(cache)] == [(VERSION, True)]


def _begin_to_fetch_and_be_killed(cache: Path) -> None:
    program = f"""
from pathlib import Path; import os
from engines.nextflow.setup.installation import install
install({VERSION!r}, Path({str(cache)!r}), print, dict(os.environ))
"""
    root = Path(__file__).resolve().parents[2]
    child = subprocess.Popen(
        [sys.executable, "-c", program], env=maven(PYTHONPATH=str(root)), start_new_session=True, cwd=root
    )
    while not list(cache.glob("engines/nextflow/.making-*/jars/*.jar")):
        assert child.poll() is None
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()


def test_a_copied_engine_is_read_once_and_then_trusted(cache: Path) -> None:
    assert [one.verified for one in cached(cache)] == [False]

    install(VERSION, cache, quiet, maven(PATH=os.environ["PATH"]))

    assert [one.verified for one in cached(cache)] == [True]


def test_a_swapped_archive_or_jar_of_ours_is_never_used(engine: InstalledEngine, cache: Path) -> None:
    there = install(VERSION, cache, lambda _: None, maven())
    assert there.home is not None
    assert engine.home is not None
    version, major = java_of(there)
    archive = class_data.place(there.home, there.program, version, major)
    assert archive is not None
    shutil.copy(next(engine.home.glob("classes-*.jsa")), archive)
    archive.chmod(0o644)
    with archive.open("r+b") as stream:
        stream.seek(-1, os.SEEK_END)
        stream.write(b"?")

    assert not any("SharedArchiveFile" in word for word in java_command(there, tmp=cache))

    jar = support_jar.place(there.home)
    assert jar is not None
    sound = jar.read_bytes()
    jar.chmod(0o644)
    jar.write_bytes(b"swapped")
    install(VERSION, cache, quiet, maven())
    assert len(jar.read_bytes()) > 10_000
    assert jar.read_bytes()[:2] == sound[:2] == b"PK"


def test_other_bytes_than_the_known_ones_are_refused(engine: InstalledEngine, tmp_path: Path) -> None:
    """An artifact that mvn takes for good, as it lies in its repository, and that is not the known one."""
    victim = next(one.name for one in engine.files if one.name.startswith("slf4j-api-"))
    spoiled = spoil(victim, tmp_path / "repository")

    with pytest.raises(DigestError, match=rf"{victim} of Nextflow {VERSION}") as caught:
        install(VERSION, tmp_path / "cache", lambda _: None, maven(**spoiled))

    assert caught.value.exit_code == 5
    assert not list((tmp_path / "cache").rglob("*.jar"))


def spoil(jar: str, repository: Path) -> Mapping[str, str]:
    """The environment in which mvn has a copy of its repository with other bytes in that jar."""
    # Java takes a user's home from the system's list of users, whatever HOME says.
    own = Path(pwd.getpwuid(os.getuid()).pw_dir) / ".m2" / "repository"
    shutil.copytree(own, repository)
    for one in repository.rglob(jar):
        one.write_bytes(b"other bytes")
    return {"MAVEN_OPTS": f"-Dmaven.repo.local={repository}"}


def test_a_version_that_does_not_exist_is_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"there is no Nextflow 99\.1\.1 in the Maven repository") as caught:
        install("99.1.1", tmp_path, lambda _: None, maven())

    assert caught.value.exit_code == 7
    assert VERSION in (caught.value.hint or "")
    assert cached(tmp_path) == ()


def test_a_release_host_that_has_no_such_version_is_not_passed_over_for_another_source(tmp_path: Path) -> None:
    """The release host is the test's own web server; what counts is that mvn is not asked."""
    with WebServer() as web:
        sources = {"release": ReleaseSource(base=web.url("/")), "maven": MavenSource(environment={"PATH": "/nowhere"})}
        with pytest.raises(EngineError, match=r"can't be fetched from the project's releases"):
            install(VERSION, tmp_path, lambda _: None, dict(os.environ), sources=sources)

    assert cached(tmp_path) == ()


def test_where_the_release_host_cannot_be_reached_maven_is_asked_and_that_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    sources = {
        "release": ReleaseSource(base="http://127.0.0.1:9"),
        "maven": MavenSource(environment={"PATH": "/nowhere"}),
    }
    with pytest.raises(EngineError, match="mvn is not there"):
        install(VERSION, tmp_path, said.append, dict(os.environ), sources=sources)

    assert [one for one in said if "can't be reached" in one and f"taking Nextflow {VERSION} from Maven" in one]


def test_without_mvn_and_without_java_it_is_said_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="mvn is not there") as caught:
        install(VERSION, tmp_path, lambda _: None, maven(PATH="/nowhere"))
    assert "apt-get install maven" in (caught.value.hint or "")
    with pytest.raises(EngineError, match=r"Nextflow 0\.25\.1 needs Java 8 to 15") as caught:
        install("0.25.1", tmp_path, lambda _: None, maven())
    assert caught.value.exit_code == 7
    assert cached(tmp_path) == ()
    assert not list(tmp_path.rglob(".making-*"))
