"""Bare cwltool with the same Docker engine is the oracle: what it makes of the public tests that want a container.

An image of ours stands under the names that they have; those that want Python or Java in it fail in both.
``CONFORMANCE=all`` runs all of v1.2, otherwise the documents whose way to a container is their own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from engines.base import InstalledEngine, RunRequest
from engines.containers.base import CONTAINERS, Containers
from engines.execution import Status
from staging.errors import DefinitionError
from tests.flow.test_conformance import EVERYTHING, plain
from tests.support import public_suite
from tests.support.container_daemons import DockerDaemon
from tests.support.images import Entry, tools_image
from tests.support.public_suite import Case
from tests.support.runs import Bench, installed

__all__ = ["installed"]

pytestmark = [pytest.mark.cwltool, pytest.mark.node, pytest.mark.docker]

NAMES = ("debian:stretch-slim", "python:2-slim", "java:7", "alpine")
CHOSEN = (
    "dir2",
    "docker-array-secondaryfiles",
    "docker-output-dir",
    "initialworkdirrequirement-docker-out",
    "test-cwl-out",
    "writable-dir-docker",
)


BARE = """\
import io, json, sys
from pathlib import Path
from cwltool.main import main

made = []
for argv in json.loads(sys.argv[1]):
    said = io.StringIO()
    made.append(json.loads(said.getvalue()) if main(argv, stdout=said) == 0 else None)
Path(sys.argv[2]).write_text(json.dumps(made))
"""


class Both:
    """The public documents in one working directory, for us and for bare cwltool."""

    def __init__(self, folder: Path, suite: Path, installed: InstalledEngine, daemon: DockerDaemon) -> None:
        self.folder = folder
        self.suite = suite
        self.daemon = daemon
        self.bench = Bench(content=folder / "work", installed=installed)
        self.documents = self.bench.content / "workflow"
        shutil.copytree(suite / "documents", self.documents)
        stamp = Entry("etc/conformance", b"ours\n", mode=0o644)
        image = tools_image(self.bench.content / "containers", name="conformance", more=[stamp])
        runtime = CONTAINERS.load("docker")(daemon.environment)
        runtime.load(image, lambda _line: None)
        for name in NAMES:
            daemon.run("tag", f"sha256:{image.config}", name)
        self.containers = Containers(runtime=runtime, facts=runtime.about(), images=dict.fromkeys(NAMES, image))
        self.runs = 0

    def cases(self) -> dict[str, Case]:
        """Each document with the first of its jobs, by name."""
        found = {case.tool: case for case in reversed(public_suite.cases(self.suite))}
        return {case.name: case for case in found.values()}

    def request(self, case: Case) -> RunRequest | None:
        """A run of a case; ``None``: it wants no container."""
        job = self.job(case)
        said = yaml.safe_load(job.read_text()) if job else {}
        self.runs += 1
        try:
            made = self.bench.request(self.entry(case), absolute(said, job.parent if job else job), run=self.runs)
        except DefinitionError:
            return None
        if not any(one.container for one in (*made.interface.tools, *made.interface.steps)):
            return None
        return replace(made, plan=replace(made.plan, container="docker"), containers=self.containers)

    def entry(self, case: Case) -> str:
        """Its document and process, below the documents' folder."""
        return os.path.relpath(case.tool, self.suite / "documents")

    def job(self, case: Case) -> Path | None:
        """Its job, among our copies."""
        return self.documents / case.job.relative_to(self.suite / "documents") if case.job else None

    def theirs(self, cases: Sequence[Case]) -> list[Any]:
        """What bare cwltool makes of each: its own command, in one process, which reads CWL's schema once."""
        asked = []
        for number, case in enumerate(cases):
            job = self.job(case)
            argv = ["--quiet", "--disable-pull", "--relax-path-checks", "--outdir", str(self.folder / f"out-{number}")]
            asked.append([*argv, str(self.documents / self.entry(case)), *([str(job)] if job else [])])
        made = self.folder / "made.json"
        argv = [sys.executable, "-c", BARE, json.dumps(asked), str(made)]
        environment = {**os.environ, **self.daemon.environment}
        subprocess.run(argv, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        return [one if one is None else plain(one, Path("/")) for one in json.loads(made.read_text())]


def absolute(value: Any, base: Path | None) -> Any:
    """A job with absolute paths."""
    if isinstance(value, list):
        return [absolute(one, base) for one in value]
    if not isinstance(value, Mapping):
        return value
    made = {key: absolute(one, base) for key, one in value.items()}
    place = made.pop("location", None) or made.get("path")
    if made.get("class") in ("File", "Directory") and place and base:
        made["path"] = str((base / place).resolve())
    return made


@pytest.fixture(scope="module")
def both(
    tmp_path_factory: pytest.TempPathFactory, installed: InstalledEngine, docker_daemon: DockerDaemon
) -> Iterator[Both]:
    try:
        suite = public_suite.obtain() / "v1.2"
    except subprocess.CalledProcessError as error:
        pytest.skip(f"the public conformance tests can't be had: {error.stderr.strip().splitlines()[-1]}")
    yield Both(tmp_path_factory.mktemp("conformance-containers"), suite, installed, docker_daemon)
    for name in NAMES:
        docker_daemon.run("rmi", name)


def test_what_bare_cwltool_makes_in_containers_we_make_in_them_too(both: Both) -> None:
    cases = both.cases()
    ours: dict[str, tuple[Any, str | None]] = {}
    completed: set[str] = set()

    for name in cases if EVERYTHING else CHOSEN:
        request = both.request(cases[name])
        if request is None:
            assert name not in CHOSEN
            continue
        execution = both.bench.engine.run(request, lambda _event: None)
        done = execution.status is Status.COMPLETED
        ours[name] = plain(execution.outputs, both.bench.content) if done else None, execution.error
        completed |= {name} if done and any(one.container for one in execution.steps) else set()

    for (name, (made, error)), expected in zip(ours.items(), both.theirs([cases[name] for name in ours]), strict=True):
        assert made == expected, (name, error)
    assert set(CHOSEN) <= completed
