"""Accounts made by hand, for the reports: a run as it should be, a run that failed, and very large ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from wfexs_like.reading.account import (
    Account,
    Agent,
    Connection,
    Execution,
    Image,
    Item,
    Parameter,
    Quantity,
    Run,
    Slot,
    Software,
    Status,
    Step,
    StepRun,
    Workflow,
)

START = datetime(2026, 11, 1, 10, 0, tzinfo=UTC)
_STEPS = ("index", "align", "sort", "dedup", "call", "stats")
_TOOLS = {"index": "bowtie2-build", "align": "bowtie2", "sort": "samtools sort", "dedup": "samtools markdup"}
_LINKS = (
    ("reference", "index"),
    ("reads", "align"),
    ("index", "align"),
    ("align", "sort"),
    ("sort", "dedup"),
    ("dedup", "call"),
    ("reference", "call"),
    ("dedup", "stats"),
    ("call", "variants"),
    ("stats", "report"),
)


def file(name: str, *, size: int = 20_480, folder: str = "inputs", present: bool = True) -> Item:
    """A file with a digest."""
    digest = f"{sum(name.encode()) * 7919:x}".rjust(64, "4")
    path = f"{folder}/{name}"
    return Item(
        id=path,
        kind="file",
        name=name,
        path=path,
        present=present,
        digests={"sha256": digest},
        size=size,
        media_type="text/plain",
    )


def at(seconds: float) -> datetime:
    """So long after the start."""
    return START + timedelta(seconds=seconds)


def execution(
    name: str, begin: float, end: float, *, status: Status = "completed", error: str | None = None
) -> Execution:
    """One that used something."""
    return Execution(
        id=f"#{name}",
        name=name,
        status=status,
        instrument=Software(id=f"#tool/{name}", name=_TOOLS.get(name, "bcftools"), version="1.19"),
        started=at(begin),
        ended=at(end),
        seconds=end - begin,
        error=error,
        command=f"{_TOOLS.get(name, 'bcftools')} --threads 2 {name}.in > {name}.out",
        exit_code=1 if status == "failed" else 0,
        images=(Image(id="#image", name="docker.io/library/tools:1", sha256="ab" * 32, kind="DockerImage"),),
        resources=(
            Quantity(name="wall-clock time", value=end - begin, unit="s"),
            Quantity(name="processor time", value=(end - begin) * 1.7, unit="s"),
            Quantity(name="peak resident memory", value=int(50_000_000 + begin * 3_000_000), unit="B"),
            Quantity(name="bytes read", value=int(begin * 300_000), unit="B"),
            Quantity(name="bytes written", value=int(end * 100_000), unit="B"),
        ),
    )


def workflow() -> Workflow:
    """A variant calling: six steps."""

    def parameter(name: str) -> Parameter:
        return Parameter(id=f"#{name}", name=name, kind="File", description=f"What {name} is.", required=True)

    def step(position: int, name: str) -> Step:
        inputs = tuple(parameter(f"{name}/{a}") for a, b in _LINKS if b == name)
        tool = Software(
            id=f"#tool/{name}",
            name=_TOOLS.get(name, "bcftools"),
            version="1.19",
            inputs=inputs,
            outputs=(parameter(f"{name}/out"),),
        )
        return Step(id=f"#step/{name}", name=name, position=position, tool=tool)

    return Workflow(
        software=Software(
            id="workflow/main.cwl",
            name="Variant calling",
            version="1.2",
            inputs=(parameter("reads"), parameter("reference")),
            outputs=(parameter("variants"), parameter("report")),
        ),
        document=file("main.cwl", folder="workflow"),
        language="Common Workflow Language",
        language_version="v1.2",
        source="https://example.org/workflows/variant-calling",
        steps=tuple(step(place, name) for place, name in enumerate(_STEPS)),
        connections=tuple(
            Connection(source=f"#{a}/out" if a in _STEPS else f"#{a}", target=f"#{b}/{a}" if b in _STEPS else f"#{b}")
            for a, b in _LINKS
        ),
    )


def finished(number: int = 1) -> Run:
    """A run in which a step had to be tried again."""
    steps = [
        StepRun(step="index", position=0, execution=execution("index", 0.4, 8)),
        StepRun(
            step="align",
            position=1,
            execution=replace(
                execution("align", 8.2, 21, status="failed", error="it failed with exit code 1\nout of memory"),
                name="align in run 1, attempt 1",
            ),
        ),
        StepRun(
            step="align",
            position=1,
            execution=replace(execution("align", 21.5, 52), name="align in run 1, attempt 2"),
        ),
        StepRun(step="sort", position=2, execution=execution("sort", 52.2, 61)),
        StepRun(step="dedup", position=3, execution=execution("dedup", 61.1, 66)),
        StepRun(step="call", position=4, execution=execution("call", 66.3, 88)),
        StepRun(step="stats", position=5, execution=execution("stats", 66.3, 67)),
    ]
    whole = Execution(
        id=f"#run/{number}",
        name=f"run {number}",
        status="completed",
        started=at(0),
        ended=at(90),
        seconds=90.0,
        agents=(Agent(id="https://orcid.org/0000-0002-1825-0097", name="Josiah Carberry"),),
        inputs=(
            Slot(name="reads", parameter=workflow().software.inputs[0], items=(file("a.fq"), file("b.fq"))),
            Slot(name="threads", parameter=None, items=(Item(id="#threads", kind="value", name="threads", value=2),)),
        ),
        outputs=(
            Slot(name="variants", parameter=None, items=(file("calls.vcf.gz", folder="runs/1/outputs"),)),
            Slot(name="report", parameter=None, items=(file("report.html", folder="runs/1/outputs", present=False),)),
        ),
        environment={"LC_ALL": "C.UTF-8", "TMPDIR": "/scratch"},
        logs=(file("engine.log", folder="runs/1"),),
    )
    return Run(
        execution=whole,
        number=number,
        engine=Software(id="#engine", name="cwltool", version="3.1", address="https://www.commonwl.org"),
        steps=tuple(steps),
        host=(
            Quantity(name="CPU model", value="Example 9000"),
            Quantity(name="cores", value=8),
            Quantity(name="memory", value=64_000_000_000, unit="B"),
        ),
    )


def failed(number: int = 2) -> Run:
    """A run that ended early."""
    error = "the workflow failed with exit code 1: the step call failed"
    call = execution("call", 5, 9, status="failed", error="it failed with exit code 1\nE: no such reference: chr42")
    whole = Execution(
        id=f"#run/{number}",
        name=f"run {number}",
        status="failed",
        started=at(600),
        ended=at(612),
        seconds=12.0,
        error=error,
        inputs=(Slot(name="reads", parameter=None, items=(file("a.fq"),)),),
    )
    return Run(
        execution=whole,
        number=number,
        engine=Software(id="#engine", name="cwltool", version="3.1"),
        steps=(
            StepRun(step="index", position=0, execution=execution("index", 0.4, 5)),
            StepRun(step="call", position=4, execution=call),
        ),
    )


def usual() -> Account:
    """One run that is as it should be and one that failed."""
    data = (file("a.fq"), file("b.fq"), file("calls.vcf.gz", folder="runs/1/outputs"), file("main.cwl"))
    return Account(
        name="Variant calling of a sample",
        description="Reads are aligned to a reference, sorted, and what differs from it is called.",
        published="2026-11-02",
        licence="https://spdx.org/licenses/CC-BY-4.0",
        maker="wfexs-like 1.0",
        people=(Agent(id="https://orcid.org/0000-0002-1825-0097", name="Josiah Carberry", affiliation="Brown"),),
        profiles=("https://w3id.org/ro/wfrun/provenance/0.5", "https://w3id.org/workflowhub/workflow-ro-crate/1.0"),
        workflow=workflow(),
        runs=(finished(), failed()),
        images=(Image(id="#image", name="docker.io/library/tools:1", sha256="ab" * 32, kind="DockerImage"),),
        data=data,
        missing=("The file runs/1/outputs/report.html is told of and isn't in the crate.", "No GPU is told."),
        remarks=("A time without a zone was taken as UTC.",),
    )


def huge(*, steps: int = 0, outputs: int = 0) -> Account:
    """As usual, but with a run of so many executions of steps, or so many outputs."""
    run = finished()
    if steps:
        many = tuple(
            StepRun(
                step=f"sub_{number % 97}/step_{number % 970}",
                position=number,
                execution=execution("align", number, number + 3, status="failed" if number % 500 == 7 else "completed"),
            )
            for number in range(steps)
        )
        run = replace(run, steps=many)
    if outputs:
        made = tuple(file(f"part-{number}.txt", folder="runs/1/outputs") for number in range(outputs))
        whole = replace(run.execution, outputs=(Slot(name="parts", parameter=None, items=made),))
        return replace(usual(), runs=(replace(run, execution=whole),), data=made)
    return replace(usual(), runs=(run,), workflow=replace(workflow(), steps=(), connections=()))
