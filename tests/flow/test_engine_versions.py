"""Other versions of cwltool: real pip, real environments. The faults are provoked with an index of small wheels."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from engines.base import InstalledEngine
from engines.cwltool import environment, packages
from staging.errors import DigestError, EngineError
from tests.conftest import Command
from tests.support.wheels import make_wheel

DOCUMENTS = Path(__file__).resolve().parents[1] / "support" / "conformance"
VERSION = "9.9.1"
MODULES = {f"cwltool/{name}.py": b"" for name in ("__init__", "main", "factory", "executors")}
INSTALL = """
import os, sys
from pathlib import Path
from engines.cwltool.environment import install
print(install(sys.argv[1], Path(sys.argv[2]), print, os.environ).fingerprint)
"""


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of wheels that stands for the package index."""
    folder = tmp_path_factory.mktemp("index")
    make_wheel(folder, "cwltool", VERSION, MODULES, ["part>=1"])
    make_wheel(folder, "cwltool", "9.9.3", {**MODULES, "cwltool/main.py": b"import nowhere\n"})
    make_wheel(folder, "part", "1.0", {"part.py": b"PI = 3\n"})
    make_wheel(folder, "setuptools", "80.0", {"setuptools/__init__.py": b""})
    make_wheel(folder, "setuptools", "82.0", {"setuptools/__init__.py": b""})
    return folder


@pytest.fixture
def offline(index: Path) -> Mapping[str, str]:
    return {**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(index), "PIP_TARGET": "/nonexistent"}


@pytest.fixture(scope="module")
def built(index: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[InstalledEngine, Path, list[str]]:
    """The made-up version, installed once for all tests that only look at it."""
    cache = tmp_path_factory.mktemp("cache")
    said: list[str] = []
    users = {**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(index)}
    return environment.install(VERSION, cache, said.append, users), cache, said


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with pip alone."""
    place = tmp_path_factory.mktemp("bare") / "environment"
    environment._make_venv(place, VERSION)
    return place


@pytest.fixture
def quickly_made(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Environments are copies of a bare one: making it takes most of the time of what fails later."""
    monkeypatch.setattr(environment, "_make_venv", lambda place, _: shutil.copytree(bare, place, symlinks=True))


def folders(cache: Path) -> list[str]:
    return sorted(one.name for one in (cache / "engines" / "cwltool").iterdir() if one.is_dir())


def test_an_unknown_version_is_resolved_recorded_and_said_to_be_trusted_on_first_use(
    built: tuple[InstalledEngine, Path, list[str]],
) -> None:
    engine, cache, said = built
    lists = [one.read_text() for one in (cache / "engines" / "cwltool").glob("*.txt")]

    assert (engine.source, engine.expected) == ("fetched", False)
    assert any("trusted on first use" in line for line in said)
    assert len(lists) == 1
    assert [line.split(" --hash=sha256:")[0] for line in lists[0].splitlines()] == [
        f"cwltool=={VERSION}",
        "part==1.0",
        "setuptools==80.0",
    ]
    assert engine.program.is_relative_to(cache / "engines" / "cwltool")
    environment.verify(engine, cache)


def test_the_second_time_nothing_is_fetched_and_the_answer_is_the_same(
    built: tuple[InstalledEngine, Path, list[str]],
) -> None:
    engine, cache, _ = built
    said: list[str] = []

    again = environment.install(VERSION, cache, said.append, {"PIP_NO_INDEX": "1"})

    assert said == []
    assert again.source == "cache"
    assert (again.fingerprint, again.program, again.expected) == (engine.fingerprint, engine.program, False)


def test_its_interpreter_runs_it_without_us(built: tuple[InstalledEngine, Path, list[str]]) -> None:
    engine, _, _ = built
    argv = [
        engine.program,
        "-I",
        "-c",
        "import cwltool.main, part; print(part.PI)\ntry: import click\nexcept ImportError: print('alone')",
    ]

    done = subprocess.run(argv, capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["3", "alone"]


@pytest.mark.usefixtures("quickly_made")
def test_a_version_that_is_not_there_names_those_that_are(offline: Mapping[str, str], tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"there is no cwltool 9\.9\.2") as caught:
        environment.install("9.9.2", tmp_path, lambda _: None, offline)

    assert caught.value.exit_code == 7
    assert "9.9.1, 9.9.3" in str(caught.value.hint)
    assert folders(tmp_path) == []


@pytest.mark.usefixtures("quickly_made")
def test_a_version_that_does_not_start_is_found_out_at_once(offline: Mapping[str, str], tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="doesn't start: ModuleNotFoundError: No module named 'nowhere'"):
        environment.install("9.9.3", tmp_path, lambda _: None, offline)

    assert folders(tmp_path) == []


@pytest.mark.usefixtures("quickly_made")
def test_a_package_that_is_not_the_pinned_one_is_a_digest_error(
    offline: Mapping[str, str], index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f"cwltool=={VERSION} --hash=sha256:{'0' * 64}\n"
    listed = packages.Pins(version=VERSION, text=text, is_known=True)
    monkeypatch.setattr(environment, "known_pins", lambda version: listed)

    with pytest.raises(DigestError) as caught:
        environment.install(VERSION, tmp_path, lambda _: None, offline)

    assert caught.value.exit_code == 5
    assert caught.value.fields["expected"] == "0" * 64
    assert len(str(caught.value.fields["actual"])) == 64
    assert folders(tmp_path) == []


@pytest.mark.usefixtures("quickly_made")
def test_an_index_that_cannot_be_reached_gives_pips_last_words(tmp_path: Path) -> None:
    users = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0", "PIP_CONFIG_FILE": os.devnull}

    with pytest.raises(EngineError, match=f"pip can't install cwltool {VERSION}: .*cwltool") as caught:
        environment.install(VERSION, tmp_path, lambda _: None, users)

    assert "PIP_INDEX_URL" in str(caught.value.hint)


def test_an_environment_killed_half_way_is_made_anew_once_for_two_who_ask_and_a_changed_file_of_it_is_named(
    offline: Mapping[str, str], tmp_path: Path
) -> None:
    argv = [sys.executable, "-c", INSTALL, VERSION, str(tmp_path)]
    with subprocess.Popen(argv, env=offline, stdout=subprocess.DEVNULL, start_new_session=True) as first:
        beside = tmp_path / "engines" / "cwltool" / f".making-{VERSION}"
        deadline = time.monotonic() + 30
        while not (beside / "bin" / "python").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(first.pid, signal.SIGKILL)
    assert (beside / "bin" / "python").exists()

    both = [subprocess.Popen(argv, env=offline, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [one.communicate(timeout=120)[0] for one in both]

    assert [one.returncode for one in both] == [0, 0]
    assert sum(one.startswith("setting up") for one in said) == 1
    assert said[0].split()[-1] == said[1].split()[-1]
    engine = environment.install(VERSION, tmp_path, lambda _: None, offline)
    environment.verify(engine, tmp_path)
    assert folders(tmp_path) == [engine.program.parent.parent.name]

    changed = next(engine.program.parent.parent.glob("lib/python*/site-packages/part.py"))
    changed.write_bytes(b"PI = 4\n")

    with pytest.raises(DigestError, match=r"part\.py"):
        environment.install(VERSION, tmp_path, lambda _: None, offline)
    with pytest.raises(DigestError, match=r"part\.py"):
        environment.verify(engine, tmp_path)


@pytest.mark.cwltool
@pytest.mark.node
@pytest.mark.parametrize("version", packages.known_versions())
def test_a_version_that_ships_is_installed_from_its_list_and_runs_workflows(
    version: str, wfexs: Command, home: Path
) -> None:
    stage_file = home / "old.yaml"
    stage_file.write_text(
        f"workflow_id: {DOCUMENTS}/javascript.cwl\nworkflow_type: cwl\nengine: cwltool@{version}\n"
        f"workflow_config: {{secure: false, containerType: none}}\nparams-from: {DOCUMENTS}/javascript.job.yml\n"
    )

    staged = wfexs.ok("stage", stage_file)
    ran = wfexs.ok("run", "last")

    engine = next(item for item in staged["items"] if item["role"] == "engine")
    assert engine["pinned"] == f"pkg:pypi/cwltool@{version}"
    assert (engine["trust"], engine["source"]) == ("expected", "fetched")
    assert ran["outputs"]["computed"] == 1.5
    assert Path(ran["outputs"]["out"]["path"]).read_text() == "abab 9 a6b\n"
