"""Nextflow's rows: a small pipeline through us and bare, staging, and the crates of runs with very many tasks.

Bare is the same version from the same jars, once with Java's own settings and once with those that the project's own
launcher passes; it makes none of the records that a run of ours keeps. A third time it makes the same ones: the trace
with its measurements of each task, the report, the timeline and the graph.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import measure
from bench.measure import Sample
from bench.rows import Row
from engines.nextflow.setup.launching import OPENED

if TYPE_CHECKING:
    from bench.__main__ import Bench

VERSIONS = ("24.10.0", "23.10.1", "22.10.7")
ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "workflow_examples/word-count-nextflow"

LAUNCHER = ("-XX:+TieredCompilation", "-XX:TieredStopAtLevel=1")
_FLAT = 1.3
"""How much more memory ten times as many tasks may take."""


class NextflowBench:
    """One version's work, in the folder of a ``Bench``."""

    def __init__(self, bench: Bench, version: str) -> None:
        self.bench = bench
        self.version = version
        self.folder = bench.folder / "nextflow"
        self.folder.mkdir()
        bench.environment["WFEXS_LIKE_NEXTFLOW_SOURCE"] = "maven"
        # mvn need not fetch anew what the user has.
        repository = Path.home() / ".m2"
        if repository.is_dir() and not (bench.folder / "home" / ".m2").exists():
            (bench.folder / "home" / ".m2").symlink_to(repository)
        self.stage = self._example("word-count")

    def measure(self) -> None:
        """All rows."""
        self.bench.wfexs("stage", self.stage)
        self._small_pipeline()
        self._stage()
        self._crates()

    # --- rows ---

    def _small_pipeline(self) -> None:
        workdir = self.bench.answer("stage", self.stage)["path"]
        self.bench.wfexs("run", workdir)
        records = ("-with-trace", "-with-report", "-with-timeline", "-with-dag")
        plain, launcher, recorded, ours = self.interleaved(
            lambda: self.bare((), *self._word_count()),
            lambda: self.bare(LAUNCHER, *self._word_count()),
            lambda: self.bare(LAUNCHER, *self._word_count(), *records),
            lambda: self.bench.wfexs("run", workdir),
        )
        for bare, note, factor in (
            (launcher, "its launcher's settings", 0.9),
            (recorded, "the same, with records", 0.9),
            (plain, "plain java", 0.7),
        ):
            middle = measure.middle(ours)
            self._add(
                "run, two processes",
                ours=middle.seconds,
                least=_least(ours),
                processor=_processor(ours),
                bare=measure.middle(bare).seconds,
                least_bare=_least(bare),
                processor_bare=_processor(bare),
                bare_note=note,
                goal=factor * measure.middle(bare).seconds,
                rule=f"{factor} x bare",
                memory=middle.memory,
            )

    def _stage(self) -> None:
        def forgotten() -> Sample:
            self.bench.fresh("cache/inspections")
            return self.bench.wfexs("stage", self.stage)

        start, new, again = self.interleaved(
            lambda: self.bare(LAUNCHER, "config", EXAMPLE),
            forgotten,
            lambda: self.bench.wfexs("stage", self.stage),
        )
        beginning = measure.middle(start).seconds
        sample = measure.middle(new)
        self._add(
            "stage, cached engine, not inspected before",
            ours=sample.seconds,
            least=_least(new),
            limit=beginning,
            limit_note="bare config",
            goal=beginning + 0.6,
            rule="bare config + 0.6",
            memory=sample.memory,
        )
        sample = measure.middle(again)
        self._add("stage, inspected before", ours=sample.seconds, least=_least(again), goal=0.8, memory=sample.memory)

    def _crates(self) -> None:
        before = 0
        for tasks, goal in ((1_000, 3.0), (10_000, None)):
            workdir = Path(self.bench.answer("stage", self.stage)["path"])
            self.bench.wfexs("run", workdir)
            journal = next(workdir.glob("**/runs/1/journal.jsonl"))
            enlarge(journal, tasks)
            sample = self.bench.median_of(
                lambda: self.bench.fresh("crate"),
                *("crate", workdir, self.bench.folder / "crate", "--retrospective", "--no-validate"),
            )
            self._add(
                f"crate of {tasks:,} tasks, not validated",
                ours=sample.seconds,
                goal=goal,
                memory=sample.memory,
                memory_goal=int(before * _FLAT) if before else None,
            )
            before = sample.memory
            shutil.rmtree(workdir)

    # --- how ---

    def _add(self, work: str, **columns: Any) -> None:
        self.bench.add(Row(work=f"Nextflow {self.version}: {work}", **columns))

    def _example(self, name: str) -> Path:
        """The example's stage file with our version, and all that it names, in our own folder."""
        folder = self.folder / name
        shutil.copytree(EXAMPLE, folder)
        stage = next(folder.glob("*.wfex.stage"))
        stage.write_text(stage.read_text().replace("nextflow@24.10.0", f"nextflow@{self.version}"))
        return stage

    def _word_count(self) -> tuple[str | Path, ...]:
        return ("run", EXAMPLE / "main.nf", "-ansi-log", "false", "--text", EXAMPLE / "text.txt")

    def bare(self, flags: Sequence[str], *words: str | Path, environment: Mapping[str, str] | None = None) -> Sample:
        """Nextflow's own command line, offline, with nothing kept from before; ``environment`` adds to the least."""
        place = self.bench.fresh("bare")
        place.mkdir()
        opened = [f"--add-opens=java.base/{one}=ALL-UNNAMED" for one in OPENED]
        whole = {
            **(environment or {}),
            "PATH": os.environ["PATH"],
            "LC_ALL": "C.UTF-8",
            "HOME": str(place),
            "PWD": str(place),
            "NXF_HOME": str(place / "nextflow"),
            "NXF_OFFLINE": "true",
            "NXF_PLUGINS_DEFAULT": "false",
            "NXF_DISABLE_CHECK_LATEST": "true",
        }
        argv = ("java", *opened, *flags, "-cp", self._classpath(), "nextflow.cli.Launcher", *words)
        sample = measure.command(argv, cwd=place, environment=whole)
        assert sample is not None
        return sample

    def _classpath(self) -> str:
        home = next((self.bench.folder / "cache/engines/nextflow").glob(f"{self.version}-*"))
        files = json.loads((home / "engine.json").read_text())["files"]
        return ":".join(str(home / "jars" / one["name"]) for one in files)

    def interleaved(self, *cases: Callable[[], Sample]) -> list[list[Sample]]:
        """Each case's samples, taken in turns, so that what else the machine does falls on all alike."""
        rounds = [[case() for case in cases] for _ in range(self.bench.times)]
        return [list(samples) for samples in zip(*rounds, strict=True)]


def enlarge(journal: Path, tasks: int) -> None:
    """Make the record of a run tell of ``tasks`` tasks: its first one, many times."""
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    first = next(line["id"] for line in lines if line["event"] == "step-started")
    with journal.open("w") as stream:
        for line in lines:
            copies = tasks if line.get("id") == first else 1
            for number in range(copies):
                stream.write(json.dumps(_numbered(line, number) if copies > 1 else line, sort_keys=True) + "\n")


def _numbered(line: Mapping[str, Any], number: int) -> dict[str, Any]:
    text = json.dumps({key: value for key, value in line.items() if key not in ("id", "name")})
    folder = f"{number:02x}/"[:3]
    return {
        **json.loads(text.replace("/engine/work/", f"/engine/work/{number}/{folder}")),
        "id": f"{number:032x}",
        "name": f"{line['step']} ({number})",
    }


def _least(samples: Sequence[Sample]) -> float:
    return min(one.seconds for one in samples)


def _processor(samples: Sequence[Sample]) -> float:
    return min(one.processor for one in samples)
