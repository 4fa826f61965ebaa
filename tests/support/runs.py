"""A workbench for engine tests: a working directory's content, small CWL documents, and the real cwltool."""

from __future__ import annotations

import json
import textwrap
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from engines.base import InstalledEngine, Listener, Placement, RunRequest, WorkflowInterface
from engines.cwltool.adapter import CwltoolEngine
from engines.execution import Execution, StepRun
from staging.definition import ExpectedOutput
from staging.plan import Plan, WorkflowEntry


def tool(command: str, *, inputs: str = "{}", outputs: str = "{out: stdout}", more: str = "stdout: out.txt") -> str:
    """A CommandLineTool that runs a line of shell; the inputs without a prefix are its ``$0``, ``$1``, ..."""
    return (
        f"cwlVersion: v1.2\nclass: CommandLineTool\nbaseCommand: [sh, -c, {json.dumps(command)}]\n"
        f"inputs: {inputs}\noutputs: {outputs}\n{more}\n"
    )


@dataclass
class Bench:
    """One working directory's content, and an engine."""

    content: Path
    installed: InstalledEngine
    engine: CwltoolEngine = field(default_factory=CwltoolEngine)

    def write(self, **documents: str) -> None:
        """Write workflow documents; ``main="..."`` becomes ``main.cwl``."""
        for name, text in documents.items():
            path = self.content / "workflow" / f"{name}.cwl"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))

    def file(self, name: str, text: str = "") -> dict[str, Any]:
        """A staged input file, as a parameter."""
        path = self.content / "inputs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return {"class": "File", "path": str(path)}

    def inspect(self, entry: str | None = "main.cwl") -> WorkflowInterface:
        """What the engine says of the workflow."""
        return self.engine.inspect(self.content / "workflow", entry, self.installed)

    def request(
        self,
        entry: str | None = "main.cwl",
        params: Mapping[str, Any] | None = None,
        *,
        run: int = 1,
        environment: Mapping[str, str] | None = None,
        outputs: tuple[ExpectedOutput, ...] = (),
        requirements: tuple[Mapping[str, Any], ...] = (),
        cores: int = 2,
        time: int | None = None,
    ) -> RunRequest:
        """All that a run needs."""
        interface = self.inspect(entry)
        plan = Plan(
            workflow=WorkflowEntry(
                path=PurePosixPath("workflow") / interface.entry,
                language=interface.language,
                language_version=interface.language_version,
                process=interface.process,
            ),
            engine="cwltool",
            engine_version=self.installed.version,
            items=(),
            parameters={},
            environment={},
            outputs=outputs,
            requirements=requirements,
        )
        return RunRequest(
            plan=plan,
            interface=interface,
            engine=self.installed,
            content=self.content,
            folder=self.content / "runs" / str(run),
            run=run,
            uuid=str(uuid.uuid4()),
            parameters=params or {},
            overrides={},
            environment=environment or {},
            placement=Placement(cores=cores, memory=8 << 30, time=time),
        )

    def run(
        self,
        entry: str | None = "main.cwl",
        params: Mapping[str, Any] | None = None,
        *,
        listener: Listener = lambda _event: None,
        **more: Any,
    ) -> Execution:
        """Inspect and execute."""
        return self.engine.run(self.request(entry, params, **more), listener)

    def text(self, value: Any) -> str:
        """What is in an output file."""
        return (self.content / value["path"]).read_text()

    def log(self, run: int = 1) -> str:
        """The engine's log."""
        return (self.content / "runs" / str(run) / "logs" / "engine.log").read_text()


def step(execution: Execution, name: str) -> StepRun:
    """One step of an execution."""
    return next(one for one in execution.steps if one.name == name)


@pytest.fixture(scope="session")
def installed(alike: Path) -> InstalledEngine:
    """The default cwltool, with a place for its schemas that all tests share."""
    return CwltoolEngine().install(None, alike, lambda _line: None)


@pytest.fixture
def bench(tmp_path: Path, installed: InstalledEngine) -> Bench:
    """A workbench of the test's own."""
    content = tmp_path / "work"
    content.mkdir()
    return Bench(content=content, installed=installed)
