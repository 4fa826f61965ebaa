"""Working directories made by hand, for crates: real files, a plan, an interface, runs."""

from __future__ import annotations

import hashlib
import json
import os
import re
import uuid
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from engines.base import FormalParameter, WorkflowInterface
from engines.execution import Execution, Status
from staging.fingerprints import Fingerprint, Tree
from staging.plan import Json, Kind, Plan, PlanItem, Role, Trust, WorkflowEntry
from wfexs_like.crate.subject import CrateSubject


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass
class Workdir:
    """Collects what a subject is made of."""

    content: Path
    items: list[PlanItem] = field(default_factory=list)
    parameters: dict[str, Json] = field(default_factory=dict)
    environment: dict[str, Json] = field(default_factory=dict)
    inputs: list[FormalParameter] = field(default_factory=list)
    outputs: list[FormalParameter] = field(default_factory=list)
    executions: list[Execution] = field(default_factory=list)
    documents: list[str] = field(default_factory=list)

    def write(self, path: str, content: bytes) -> bytes:
        target = self.content / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        return content

    def item(self, role: Role, name: str, path: str, content: bytes, *, identifier: str = "", **more: Any) -> PlanItem:
        self.write(path, content)
        stated = identifier or f"file:///home/canary/private/{name}"
        item = PlanItem(
            role=role,
            name=name,
            identifier=stated,
            pinned=stated,
            kind=Kind.FILE,
            fingerprint=Fingerprint(digest=sha256(content)),
            size=len(content),
            trust=Trust.FIRST_USE,
            path=PurePosixPath(path),
            **more,
        )
        self.items.append(item)
        return item

    def file_input(self, name: str, content: bytes, *, basename: str = "", kind: Json = "File", **more: Any) -> None:
        path = f"inputs/{name}/{basename or name + '.txt'}"
        self.item(Role.INPUT, name, path, content, **more)
        self.parameters[name] = {"class": "File", "item": name}
        self.inputs.append(FormalParameter(name=name, type=kind, required=True))

    def folder_input(self, name: str, files: Mapping[str, bytes], *, identifier: str, **more: Any) -> None:
        root = f"inputs/{name}/folder"
        for inner, content in files.items():
            self.write(f"{root}/{inner}", content)
        tree = Tree.of_directory(self.content / root)
        self.items.append(
            PlanItem(
                role=Role.INPUT,
                name=name,
                identifier=identifier,
                pinned=identifier,
                kind=Kind.DIRECTORY,
                fingerprint=tree.fingerprint,
                size=tree.size,
                trust=Trust.EXPECTED,
                path=PurePosixPath(root),
                **more,
            )
        )
        self.parameters[name] = {"class": "Directory", "item": name}
        self.inputs.append(FormalParameter(name=name, type="Directory", required=True))

    def value(self, name: str, value: Json, kind: Json, **more: Any) -> None:
        if value is not None:
            self.parameters[name] = value
        self.inputs.append(FormalParameter(name=name, type=kind, required=value is not None, **more))

    def output(self, name: str, kind: Json = "File") -> None:
        self.outputs.append(FormalParameter(name=name, type=kind, required=True))

    def made(self, run: int, name: str, content: bytes) -> dict[str, Json]:
        """An output file of a run, as its record tells it."""
        path = f"runs/{run}/outputs/{name}"
        self.write(path, content)
        return {
            "class": "File",
            "path": path,
            "basename": name.rpartition("/")[2],
            "size": len(content),
            "sha256": sha256(content),
        }

    def ran(self, outputs: dict[str, Json] | None = None, **more: Any) -> Execution:
        run = len(self.executions) + 1
        log = f"runs/{run}/logs/engine.log"
        self.write(log, f"INFO running {self.content}/workflow/wf.cwl\n".encode())
        told: dict[str, Any] = {
            "run": run,
            "uuid": str(uuid.UUID(int=0x40008000000000000000 + run)),
            "status": Status.COMPLETED,
            "engine": "cwltool",
            "engine_version": "3.3",
            "argv": ("/home/canary/venv/bin/python", "-m", "cwltool", f"{self.content}/workflow/wf.cwl"),
            "started": "2026-11-01T10:00:00.000+00:00",
            "ended": "2026-11-01T10:00:01.500+00:00",
            "exit_code": 0,
            "parameters": dict(self.parameters),
            "outputs": outputs or {},
            "network": "namespace",
            "logs": (PurePosixPath(log),),
        }
        execution = Execution(**{**told, **more})
        self.executions.append(execution)
        return execution

    def subject(self, **more: Any) -> CrateSubject:
        plan = Plan(
            workflow=WorkflowEntry(path=PurePosixPath("workflow/wf.cwl"), language="cwl", language_version="v1.2"),
            engine="cwltool",
            engine_version="3.3",
            items=tuple(self.items),
            parameters=self.parameters,
            environment=self.environment,
        )
        interface = WorkflowInterface(
            entry=PurePosixPath("wf.cwl"),
            process=None,
            language="cwl",
            language_version="v1.2",
            kind="Workflow",
            inputs=tuple(self.inputs),
            outputs=tuple(self.outputs),
            documents=("wf.cwl", *self.documents),
            label="Upper and sort",
            doc="Turns text to upper case and sorts it.",
        )
        subject = CrateSubject(
            content=self.content,
            plan=plan,
            interface=interface,
            executions=tuple(self.executions),
            title=None,
            description=None,
            licence=None,
            authors=(),
            person=None,
            created="2026-11-01T09:00:00.000+00:00",
            software_version="0.1.0",
            workdir_id="0a1b2c",
        )
        return replace(subject, **more)


def empty_workdir(root: Path) -> Workdir:
    """A working directory with a workflow of two documents and an engine, and no parameter yet."""
    workdir = Workdir(content=root / "canary-user" / "workdirs" / "0a1b2c" / "work")
    main = b"cwlVersion: v1.2\nclass: Workflow\ninputs: {}\noutputs: {}\nsteps: {}\n"
    workdir.item(Role.WORKFLOW, "workflow", "workflow/wf.cwl", main)
    workdir.write("workflow/tr.cwl", b"cwlVersion: v1.2\nclass: CommandLineTool\n")
    workdir.documents.append("tr.cwl")
    engine = workdir.item(Role.ENGINE, "cwltool", "engine/cwltool", b"engine", identifier="pkg:pypi/cwltool@3.3")
    workdir.items[-1] = replace(engine, path=None)
    return workdir


def usual_workdir(root: Path, *, runs: int = 2) -> Workdir:
    """A working directory with a file and a scalar for inputs, a file for output, and runs that went well."""
    workdir = empty_workdir(root)
    workdir.file_input("text", b"b\na\n", basename="in.txt", identifier="https://example.org/data/in.txt")
    workdir.value("count", 3, "int")
    workdir.output("sorted")
    for run in range(1, runs + 1):
        workdir.ran({"sorted": workdir.made(run, "sorted.txt", f"A\nB\n{run}\n".encode())})
    return workdir


def metadata_of(crate: Path) -> dict[str, Any]:
    """The metadata of a crate, folder or ZIP file."""
    if crate.is_dir():
        text = (crate / "ro-crate-metadata.json").read_bytes()
    else:
        with zipfile.ZipFile(crate) as archive:
            text = archive.read("ro-crate-metadata.json")
    found: dict[str, Any] = json.loads(text)
    return found


def is_golden(crate: Path, golden: Path) -> None:
    """Assert that the metadata of a crate, a folder, are those of the golden file, but for what each day changes.

    A wanted change: write the new text with ``GOLDEN=write``, and read the difference before it is kept.
    """
    text = (crate / "ro-crate-metadata.json").read_text()
    text = re.sub(r'"datePublished": "[0-9-]{10}"', '"datePublished": "DATE"', text)
    text = re.sub(r'"dateModified": "[^"]+"', '"dateModified": "DATE"', text)
    text = re.sub(r'(?s)("@id": "README.md".{,200}?"contentSize": ")\d+(".*?"sha256": ")[0-9a-f]{64}', r"\1N\2X", text)
    if os.environ.get("GOLDEN") == "write":
        golden.write_text(text)
    assert text == golden.read_text()


def entities_of(crate: Path) -> dict[str, dict[str, Any]]:
    """The entities of a crate by @id."""
    return {one["@id"]: one for one in metadata_of(crate)["@graph"]}


def many(value: Any) -> list[Any]:
    """A property's values as a list."""
    return [] if value is None else value if isinstance(value, list) else [value]


def ids(value: Any) -> list[str]:
    """The @ids that a property refers to."""
    return [one["@id"] for one in many(value)]
