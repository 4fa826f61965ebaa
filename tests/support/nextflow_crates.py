"""Working directories of Nextflow workflows made by hand, for crates, and journals of runs with very many tasks."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from engines.base import FormalParameter, Tool, WorkflowInterface
from engines.journal import JOURNAL
from staging.definition import EngineSettings, ExpectedOutput
from staging.plan import Json, Plan, Role, WorkflowEntry
from tests.support.crates import Workdir
from wfexs_like.crate.subject import CrateSubject

MAIN = b"workflow { }\n"
CONFIG = b"params.outdir = 'results'\n"
SCHEMA = b"{}\n"
USED = (
    "wall_seconds",
    "cpu_seconds",
    "max_rss_bytes",
    "read_characters",
    "written_characters",
    "read_bytes",
    "written_bytes",
)


@dataclass
class NextflowWorkdir(Workdir):
    """Collects what a subject of a Nextflow workflow is made of."""

    tools: list[Tool] = field(default_factory=list)
    expected: list[ExpectedOutput] = field(default_factory=list)
    settings: EngineSettings = field(default_factory=EngineSettings)

    def ran(self, outputs: dict[str, Json] | None = None, **more: Any) -> Any:
        return super().ran(outputs, **{"engine": "nextflow", "engine_version": "24.10.0", **more})

    def subject(self, **more: Any) -> CrateSubject:
        plan = Plan(
            workflow=WorkflowEntry(
                path=PurePosixPath("workflow/main.nf"), language="nextflow", language_version="DSL2"
            ),
            engine="nextflow",
            engine_version="24.10.0",
            items=tuple(self.items),
            parameters=self.parameters,
            environment=self.environment,
            outputs=tuple(self.expected),
            settings=self.settings,
        )
        interface = WorkflowInterface(
            entry=PurePosixPath("main.nf"),
            process=None,
            language="nextflow",
            language_version="DSL2",
            kind="Workflow",
            inputs=tuple(self.inputs),
            outputs=(),
            open_outputs=True,
            tools=tuple(self.tools),
            documents=("main.nf", "nextflow.config", "nextflow_schema.json"),
            label="count",
            doc="Counts words.",
        )
        return replace(super().subject(), plan=plan, interface=interface, **more)


def nextflow_workdir(root: Path) -> NextflowWorkdir:
    """A pipeline of two processes with a schema, one file for input, an engine of three files and a plugin."""
    workdir = NextflowWorkdir(content=root / "canary-user" / "workdirs" / "0a1b2c" / "work")
    workdir.item(Role.WORKFLOW, "workflow", "workflow/main.nf", MAIN, identifier="https://example.org/main.nf")
    workdir.write("workflow/nextflow.config", CONFIG)
    workdir.write("workflow/nextflow_schema.json", SCHEMA)
    for name, purl in (
        ("nextflow", "pkg:maven/io.nextflow/nextflow@24.10.0"),
        ("nextflow/nextflow-24.10.0.jar", "pkg:maven/io.nextflow/nextflow@24.10.0"),
        ("nextflow/guava-33.jar", "pkg:maven/com.google.guava/guava@33"),
    ):
        engine = workdir.item(Role.ENGINE, name, "engine/x", name.encode(), identifier=purl)
        workdir.items[-1] = replace(engine, path=None)
    plugin = "https://example.org/nf-schema-2.1.1.zip"
    workdir.item(Role.PLUGIN, "nf-schema@2.1.1", "engine/plugins/nf-schema-2.1.1", b"plugin", identifier=plugin)
    workdir.file_input("reads", b"a b\n", basename="reads.txt", identifier="https://example.org/reads.txt")
    workdir.inputs.append(FormalParameter(name="level", type="Any", required=False, default=3, has_default=True))
    workdir.inputs.append(FormalParameter(name="outdir", type=["null", "Directory"], required=False))
    workdir.tools += [
        Tool(id="SPLIT", kind="process", container="quay.io/biocontainers/coreutils:9.5"),
        Tool(id="COUNT", kind="process", doc="Counts lines."),
    ]
    workdir.expected.append(ExpectedOutput(name="counts", glob="*.counts"))
    return workdir


def journal_of_many(folder: Path, tasks: int, outputs: Mapping[str, Json]) -> Path:
    """Write the journal of a run with so many tasks, each with all that Nextflow tells of one."""
    path = folder / JOURNAL
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as stream:
        for event in _events(tasks, outputs):
            stream.write(json.dumps(event, separators=(",", ":")) + "\n")
    return path


def _events(tasks: int, outputs: Mapping[str, Json]) -> Iterator[dict[str, Any]]:
    time = "2026-11-01T10:00:00.000+00:00"
    engine = {"name": "nextflow", "version": "24.10.0", "platform": {"java": "17.0.15 (Debian)"}}
    yield {
        "event": "run-started",
        "time": time,
        "run": 1,
        "uuid": str(uuid.UUID(int=0x40008000000000000001)),
        "engine": engine,
        "parameters": {"reads": {"class": "File", "path": "inputs/reads/reads.txt"}},
    }
    quantities = {name: index * 1000 for index, name in enumerate(("rss", "vmem", "rchar", "wchar", "realtime"))}
    for index in range(tasks):
        common = {"time": time, "id": f"{index:032x}", "name": f"COUNT ({index})", "step": "COUNT", "tool": "COUNT"}
        work = f"runs/1/engine/work/{index:032x}"
        taken = {"reads": {"class": "File", "path": f"{work}/in.txt"}}
        script = "cat in.txt | sort | uniq --count >counts.txt\n" * 10
        yield {
            **common,
            "event": "step-started",
            "inputs": taken,
            "script": script,
            "tag": str(index),
            "allotted": {"cores": 1},
        }
        yield {
            **common,
            "event": "step-ended",
            "status": "completed",
            "exit_code": 0,
            "outputs": {"counts": {"class": "File", "path": f"{work}/counts.txt"}},
            "resources": {name: index * place for place, name in enumerate(USED, start=1)},
            "trace": {**quantities, "workdir": work, "script": script},
        }
        yield {
            "event": "measured",
            "time": time,
            "path": f"{work}/counts.txt",
            "sha256": f"{index:064x}",
            "size": index,
        }
    yield {
        "event": "run-ended",
        "time": time,
        "status": "completed",
        "exit_code": 0,
        "outputs": dict(outputs),
        "logs": ["runs/1/logs/trace.txt"],
        "final_parameters": {"reads": "inputs/reads/reads.txt", "level": 3, "outdir": "results"},
    }
