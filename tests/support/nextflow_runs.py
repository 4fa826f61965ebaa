"""A workbench for runs with the real Nextflow: a working directory's content, one pipeline, and an engine."""

from __future__ import annotations

import json
import os
import textwrap
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from engines.base import InstalledEngine, Listener, Placement, ResumeFrom, RunRequest, Wish, WorkflowInterface
from engines.execution import Execution, StepRun
from engines.nextflow.adapter import NextflowEngine
from engines.nextflow.setup.installation import install
from staging.definition import EngineSettings, ExpectedOutput, Limits
from staging.plan import Plan, WorkflowEntry

DEFAULT = "24.10.0"
VERSIONS = ("22.10.7", "23.10.1", DEFAULT)
PATIENCE = 60.0


@dataclass
class NextflowBench:
    """One working directory's content, and an engine. ``workflow`` is the folder of the pipeline."""

    content: Path
    installed: InstalledEngine
    engine: NextflowEngine = field(default_factory=NextflowEngine)

    @property
    def workflow(self) -> Path:
        """The pipeline's folder."""
        return self.content / "workflow"

    def write(self, main: str, **others: str) -> None:
        """Write the pipeline; other files by name, a ``__`` in it is a dot (``nextflow__config="..."``)."""
        for name, text in {"main.nf": main, **others}.items():
            path = self.workflow / name.replace("__", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))

    def file(self, name: str, text: str = "") -> dict[str, Any]:
        """A staged input file, as a parameter."""
        path = self.content / "inputs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return {"class": "File", "path": str(path)}

    def inspect(self, entry: str | None = None, settings: EngineSettings | None = None) -> WorkflowInterface:
        """What the engine says of the pipeline."""
        return self.engine.inspect(self.workflow, entry, self.installed, Wish(settings=settings or EngineSettings()))

    def request(
        self,
        params: Mapping[str, Any] | None = None,
        *,
        run: int = 1,
        entry: str = "main.nf",
        environment: Mapping[str, str] | None = None,
        outputs: tuple[ExpectedOutput, ...] = (),
        settings: EngineSettings | None = None,
        cores: int = 2,
        memory: int = 8 << 30,
        time: int | None = None,
        store: Path | None = None,
        resume: int | None = None,
        container: str = "none",
        limits: Limits | None = None,
    ) -> RunRequest:
        """All that a run needs; the pipeline is not read for it."""
        interface = WorkflowInterface(
            entry=PurePosixPath(entry),
            process=None,
            language="nextflow",
            language_version="DSL2",
            kind="Workflow",
            inputs=(),
            outputs=(),
            open_outputs=True,
        )
        plan = Plan(
            workflow=WorkflowEntry(
                path=PurePosixPath("workflow") / entry, language="nextflow", language_version="DSL2", process=None
            ),
            engine="nextflow",
            engine_version=self.installed.version,
            items=(),
            parameters={},
            environment={},
            outputs=outputs,
            settings=settings or EngineSettings(),
            container=container,
            limits=limits or Limits(),
        )
        return RunRequest(
            plan=plan,
            interface=interface,
            engine=self.installed,
            content=self.content,
            folder=self.folder(run),
            run=run,
            uuid=str(uuid.uuid4()),
            parameters=params or {},
            overrides={},
            environment=environment or {},
            placement=Placement(cores=cores, memory=memory, time=time),
            store=store,
            resume=None if resume is None else ResumeFrom(resume, self.folder(resume)),
        )

    def run(
        self, params: Mapping[str, Any] | None = None, *, listener: Listener = lambda _event: None, **more: Any
    ) -> Execution:
        """Execute."""
        return self.engine.run(self.request(params, **more), listener)

    def folder(self, run: int = 1) -> Path:
        """A run's folder."""
        return self.content / "runs" / str(run)

    def out(self, name: str, run: int = 1) -> Path:
        """A path in a run's folder of outputs."""
        return self.folder(run) / "outputs" / name

    def read(self, name: str, run: int = 1) -> str:
        """What is in a file of a run's outputs."""
        return self.out(name, run).read_text()

    def log(self, run: int = 1) -> str:
        """What the engine said."""
        return (self.folder(run) / "logs" / "engine.log").read_text()


def steps(execution: Execution, process: str) -> list[StepRun]:
    """The attempts at tasks of one process, in the order of their start."""
    return [one for one in execution.steps if one.tool == process]


def step(execution: Execution, process: str) -> StepRun:
    """The only attempt at the only task of a process."""
    (one,) = steps(execution, process)
    return one


def paths(value: Any) -> list[str]:
    """The paths of all files and folders in a JSON tree of values, former ones too."""
    if isinstance(value, Mapping):
        own = [str(value.get("path") or value["transient"])] if value.get("class") in ("File", "Directory") else []
        return own + [path for one in value.values() for path in paths(one)]
    return [path for one in value for path in paths(one)] if isinstance(value, list | tuple) else []


def digest(path: Path) -> str:
    """The sha256 of a file."""
    return sha256(path.read_bytes()).hexdigest()


def holders(root: Path, text: str) -> list[str]:
    """The files below a folder that hold a text, the pipeline itself aside. Links are not followed."""
    files = [path for path in sorted(root.rglob("*")) if path.is_file() and not path.is_symlink()]
    own = root / "workflow"
    return [
        str(path.relative_to(root))
        for path in files
        if not path.is_relative_to(own) and text.encode() in path.read_bytes()
    ]


def listing(*folders: Path) -> dict[str, tuple[int, int]]:
    """Everything below folders, with size and time of the last change of a file."""
    found = {}
    for folder in folders:
        for path in folder.rglob("*"):
            status = path.lstat()
            found[str(path)] = (status.st_size, status.st_mtime_ns) if path.is_file() else (0, 0)
    return found


def wait_for(what: Callable[[], Any]) -> Any:
    """What it gives, as soon as that is something."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.05)
    pytest.fail("it did not happen in time")


def marked(mark: str) -> list[int]:
    """The processes with a text in their command line, this one aside."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if mark.encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


class Background:
    """A run in another thread, as an embedding program would have it."""

    def __init__(self, bench: NextflowBench, request: RunRequest) -> None:
        self.result: list[Execution] = []
        self.failure: list[BaseException] = []
        self._thread = threading.Thread(target=self._work, args=(bench, request))
        self._thread.start()

    def _work(self, bench: NextflowBench, request: RunRequest) -> None:
        try:
            self.result.append(bench.engine.run(request, lambda _event: None))
        except BaseException as error:  # noqa: BLE001 - told to the test's own thread
            self.failure.append(error)

    def join(self) -> Execution:
        """How it ended."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        assert not self.failure, self.failure
        return self.result[0]


def journal(folder: Path) -> list[dict[str, Any]]:
    """The events of a run."""
    return [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]


@pytest.fixture(scope="session")
def nextflows(nextflow_cache: Path) -> Callable[[str], InstalledEngine]:
    """The engine of each version, set up when it is first asked for."""
    environment = {**os.environ, "WFEXS_LIKE_NEXTFLOW_SOURCE": "maven"}
    found: dict[str, InstalledEngine] = {}

    def of(version: str) -> InstalledEngine:
        if version not in found:
            found[version] = install(version, nextflow_cache, lambda _line: None, environment)
        return found[version]

    return of


@pytest.fixture
def bench(tmp_path: Path, nextflows: Callable[[str], InstalledEngine]) -> NextflowBench:
    """A workbench of the test's own, with the default version."""
    return _bench(tmp_path, nextflows(DEFAULT))


@pytest.fixture(params=VERSIONS)
def each(tmp_path: Path, nextflows: Callable[[str], InstalledEngine], request: pytest.FixtureRequest) -> NextflowBench:
    """A workbench with each of the versions."""
    return _bench(tmp_path, nextflows(request.param))


@pytest.fixture(params=(VERSIONS[0], DEFAULT))
def oldest_and_newest(
    tmp_path: Path, nextflows: Callable[[str], InstalledEngine], request: pytest.FixtureRequest
) -> NextflowBench:
    """A workbench with the oldest version and one with the newest."""
    return _bench(tmp_path, nextflows(request.param))


def _bench(folder: Path, installed: InstalledEngine) -> NextflowBench:
    content = folder / "work"
    content.mkdir()
    return NextflowBench(content=content, installed=installed)
