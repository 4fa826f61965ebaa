"""The speed table: every verb beside the bare engines and the machine's own limits, measured in one run.

``python -m bench`` prints it; ``--json FILE`` writes it too. Nothing is skipped silently: what was stopped, left out or
failed is said. Everything happens in a temporary folder.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import measure
from bench.containers import measure_containers
from bench.measure import Sample
from bench.nextflow import VERSIONS, NextflowBench
from bench.rows import Row, table
from bench.seal import measure_seal
from bench.vault import measure_vault

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
BUSY = 0.5
"""A load average above which the machine is not ours alone."""


class Bench:
    """The temporary folder, the commands, and the rows so far."""

    def __init__(self, folder: Path, *, times: int, size: int, patience: float) -> None:
        self.folder = folder
        self.times = times
        self.size = size
        self.patience = patience
        self.rows: list[Row] = []
        self.environment = {
            **{key: one for key, one in os.environ.items() if not key.startswith(("WFEXS_LIKE_", "XDG_", "PYTHON"))},
            "HOME": str(folder / "home"),
            "WFEXS_LIKE_CACHE": str(folder / "cache"),
            "WFEXS_LIKE_WORKDIRS": str(folder / "workdirs"),
            "NO_COLOR": "1",
        }
        (folder / "home").mkdir()

    # --- commands ---

    def wfexs(self, *words: str | Path) -> Sample:
        sample = measure.command([BIN / "wfexs-like", *words], cwd=self.folder, environment=self.environment)
        assert sample is not None
        return sample

    def answer(self, *words: str | Path) -> dict[str, Any]:
        document = json.loads(self.wfexs("--json", *words).stdout)
        assert isinstance(document, dict)
        return document

    def cwltool(self, *words: str | Path, timeout: float | None = None, contained: bool = False) -> Sample | None:
        how = () if contained else ("--no-container",)
        argv = [BIN / "cwltool", "--quiet", *how, "--outdir", self.fresh("bare"), *words]
        return measure.command(argv, cwd=self.folder, environment=self.environment, timeout=timeout)

    def bare(self, *words: str | Path, contained: bool = False) -> float:
        def once() -> Sample:
            sample = self.cwltool(*words, contained=contained)
            assert sample is not None
            return sample

        return measure.median(self.times, once).seconds

    def fresh(self, name: str) -> Path:
        """A name below the temporary folder at which nothing lies."""
        path = self.folder / name
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        return path

    def empty(self) -> None:
        """Forget everything: an empty content store, no working directory."""
        self.fresh("cache")
        self.fresh("workdirs")

    def cold(self, stage: Path) -> None:
        """Forget everything but what ``stage`` needs: the same engine and workflow, other inputs."""
        self.empty()
        self.wfexs("stage", stage)

    def median(self, *words: str | Path) -> Sample:
        return measure.median(self.times, lambda: self.wfexs(*words))

    def median_of(self, prepare: Callable[[], object], *words: str | Path) -> Sample:
        def once() -> Sample:
            prepare()
            return self.wfexs(*words)

        return measure.median(self.times, once)

    def add(self, row: Row) -> None:
        self.rows.append(row)
        print(f"  {row.work}: {row.ours:.2f} s", file=sys.stderr, flush=True)

    # --- the work ---

    def start_up(self) -> None:
        ours = self.median("--version")
        python = measure.median(
            self.times,
            lambda: measure.command([sys.executable, "-c", ""], cwd=self.folder, environment=self.environment) or ours,
        )
        self.add(
            Row(
                work="wfexs-like --version",
                ours=ours.seconds,
                bare=self.bare("--version"),
                limit=python.seconds,
                limit_note="python -c ''",
                goal=0.10,
                memory=ours.memory,
            )
        )

    def two_steps(self) -> None:
        example = ROOT / "workflow_examples/word-count"
        stage = example / "word-count.wfex.stage"
        workflow = (example / "main.cwl", "--text", example / "text.txt")
        first = self.median_of(self.empty, "stage", stage)
        self.add(Row(work="stage, two steps, nothing known yet", ours=first.seconds, memory=first.memory))

        staged = self.median("stage", stage)
        self.add(Row(work="stage, two steps, warm", ours=staged.seconds, goal=0.6, memory=staged.memory))

        workdir = self.answer("stage", stage)["path"]
        self.wfexs("run", workdir)
        run, bare = self.median("run", workdir), self.bare(*workflow)
        self.add(
            Row(
                work="run, two steps",
                ours=run.seconds,
                bare=bare,
                goal=0.7 * bare,
                rule="0.7 x bare",
                memory=run.memory,
            )
        )

        # A crate tells of all runs of its directory, and the one above has as many as were timed.
        once = self.answer("stage", stage)["path"]
        self.wfexs("run", once)
        for words, note, goal in (((), "validated", 1.5), (("--no-validate",), "not validated", 0.6)):
            sample = self.median_of(
                lambda: self.fresh("crate"),
                *("crate", once, self.folder / "crate", "--retrospective", "--include", "all", *words),
            )
            self.add(Row(work=f"crate of it, {note}", ours=sample.seconds, goal=goal, memory=sample.memory))

        executed = self.median_of(
            lambda: self.fresh("crate"),
            *("execute", stage, "--crate", self.folder / "crate", "--no-validate"),
        )

        def with_provenance() -> Sample:
            sample = self.cwltool("--provenance", self.fresh("provenance"), *workflow)
            assert sample is not None
            return sample

        self.add(
            Row(
                work="execute --crate of it, not validated",
                ours=executed.seconds,
                bare=measure.median(self.times, with_provenance).seconds,
                bare_note="--provenance",
                goal=2.5,
                memory=executed.memory,
            )
        )

    def many_inputs(self, count: int = 1000) -> None:
        folder = self.folder / "many"
        (folder / "files").mkdir(parents=True)
        for number in range(count):
            (folder / "files" / f"{number:04}.txt").write_text(f"{number}\n")
        (folder / "main.cwl").write_text(COUNT_FILES)
        job = {"files": [{"class": "File", "location": f"files/{number:04}.txt"} for number in range(count)]}
        (folder / "job.json").write_text(json.dumps(job))
        stage, none = folder / "many.wfex.stage", folder / "none.wfex.stage"
        stage.write_text(STAGE.format(more="params-from: job.json"))
        none.write_text(STAGE.format(more="params: {files: []}"))
        limit = measure.seconds(self.times, lambda: measure.copy_and_hash(folder / "files", self.fresh("copied")))

        for note, prepare, goal in (("cold", lambda: self.cold(none), 1.5), ("warm", lambda: None, 0.8)):
            sample = self.median_of(prepare, "stage", stage)
            self.add(
                Row(
                    work=f"stage, {count} small inputs, {note}",
                    ours=sample.seconds,
                    limit=limit,
                    limit_note="sha256 + copy",
                    goal=goal,
                    memory=sample.memory,
                )
            )

        workdir = self.answer("stage", stage)["path"]
        sample = self.median("run", workdir)
        bare = self.cwltool(folder / "main.cwl", folder / "job.json", timeout=self.patience)
        self.add(
            Row(
                work=f"run, File[] of {count}",
                ours=sample.seconds,
                bare=bare.seconds if bare else self.patience,
                bare_note="" if bare else "stopped: longer",
                goal=5,
                memory=sample.memory,
            )
        )

    def big_input(self) -> None:
        folder = self.folder / "big"
        folder.mkdir()
        data = folder / "data.bin"
        measure.make_file(data, self.size)
        (folder / "main.cwl").write_text(COUNT_BYTES)
        stage, small = folder / "big.wfex.stage", folder / "small.wfex.stage"
        stage.write_text(STAGE.format(more="params: {data: {c-l-a-s-s: File, url: {uri: ./data.bin}}}"))
        small.write_text(STAGE.format(more="params: {data: {c-l-a-s-s: File, value: small}}"))
        hashing = measure.seconds(self.times, lambda: measure.hash_file(data))
        writing = measure.seconds(self.times, lambda: measure.write_file(folder / "written.bin", self.size))
        limit = max(hashing, writing)
        name = f"{self.size / (1 << 30):g} GiB local input"

        cold = self.median_of(lambda: self.cold(small), "stage", stage)
        note = f"sha256 {hashing:.2f}, write + fsync {writing:.2f}"
        self.add(
            Row(
                work=f"stage, {name}, cold",
                ours=cold.seconds,
                limit=limit,
                limit_note=note,
                goal=1.2 * limit,
                rule="1.2 x limit",
                memory=cold.memory,
            )
        )
        warm = self.median("stage", stage)
        self.add(Row(work=f"stage, {name}, warm", ours=warm.seconds, goal=0.5, memory=warm.memory))
        shutil.rmtree(folder)
        self.empty()

    def many_outputs(self, count: int = 1000) -> None:
        folder = self.folder / "outputs"
        folder.mkdir()
        (folder / "main.cwl").write_text(MAKE_FILES)
        (folder / "outputs.wfex.stage").write_text(STAGE.format(more="params: {count: 0}"))
        samples = {}
        for number in (10, count):
            staged = self.answer("stage", folder / "outputs.wfex.stage")["path"]
            self.wfexs("run", staged, "--param", f"count={number}")
            samples[number] = self.median_of(
                lambda: self.fresh("crate"),
                *("crate", staged, self.folder / "crate", "--retrospective", "--include", "outputs", "--no-validate"),
            )
        few, many = samples[10], samples[count]
        self.add(Row(work="crate, 10 outputs, not validated", ours=few.seconds, memory=few.memory))
        self.add(Row(work=f"crate, {count} outputs, not validated", ours=many.seconds, goal=1.5, memory=many.memory))


STAGE = """\
nickname: bench
workflow_id: ./main.cwl
workflow_type: cwl
engine: cwltool
workflow_config: {{secure: false, containerType: none}}
{more}
"""
COUNT_FILES = """\
cwlVersion: v1.2
class: CommandLineTool
baseCommand: [sh, -c, 'echo $#', count]
inputs:
  files: {type: 'File[]', inputBinding: {position: 1}}
stdout: count.txt
outputs:
  count: stdout
"""
COUNT_BYTES = """\
cwlVersion: v1.2
class: CommandLineTool
baseCommand: [wc, -c]
inputs:
  data: {type: File, inputBinding: {position: 1}}
stdout: bytes.txt
outputs:
  bytes: stdout
"""
MAKE_FILES = """\
cwlVersion: v1.2
class: CommandLineTool
baseCommand: [sh, -c, 'i=0; while [ $i -lt $0 ]; do echo $i >$i.out; i=$((i+1)); done']
inputs:
  count: {type: int, inputBinding: {position: 1}}
outputs:
  made: {type: 'File[]', outputBinding: {glob: '*.out'}}
"""


def main() -> int:
    cases: dict[str, Callable[[Bench], None]] = {
        "version": Bench.start_up,
        "two-steps": Bench.two_steps,
        "many-inputs": Bench.many_inputs,
        "big-input": Bench.big_input,
        "many-outputs": Bench.many_outputs,
        "seal": measure_seal,
        "vault": measure_vault,
        "containers": measure_containers,
        "nextflow": lambda bench: NextflowBench(bench, options.version).measure(),
    }
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--repeat", type=int, default=5, metavar="N", help="take the median of N (5)")
    parser.add_argument("--only", action="append", choices=list(cases), help="measure these alone (repeat the option)")
    parser.add_argument("--gib", type=float, default=2, metavar="SIZE", help="size of the big input in GiB (2)")
    parser.add_argument(
        "--patience", type=float, default=60, metavar="S", help="stop bare cwltool after S seconds (60)"
    )
    parser.add_argument("--folder", type=Path, help="where the temporary folder is made")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows as JSON too")
    parser.add_argument("--version", choices=VERSIONS, default=VERSIONS[0], help="which Nextflow (%(default)s)")
    options = parser.parse_args()

    load = os.getloadavg()[0]
    failures = []
    with tempfile.TemporaryDirectory(prefix="wfexs-like-bench-", dir=options.folder) as folder:
        bench = Bench(Path(folder), times=options.repeat, size=int(options.gib * (1 << 30)), patience=options.patience)
        for name, case in cases.items():
            if options.only and name not in options.only:
                failures.append(f"{name}: left out by --only")
                continue
            try:
                case(bench)
            except measure.CommandFailedError as error:
                failures.append(f"{name}: {error}")
    print(
        f"median of {options.repeat}, {os.cpu_count()} processors, Python {platform.python_version()}, "
        f"load average {load:.1f} before"
    )
    # The table is one of times, not of processor seconds: other work makes every number worse.
    print("other work was going on: do not compare these numbers with others\n" if load > BUSY else "")
    print(table(bench.rows))
    for failure in failures:
        print(f"\nnot measured: {failure}")
    if options.json:
        document = {
            "schema": "wfexs-like/bench/1",
            "when": datetime.now(UTC).isoformat(timespec="seconds"),
            "repeat": options.repeat,
            "load_before": load,
            "rows": [{**asdict(row), "met": row.met} for row in bench.rows],
            "not_measured": failures,
        }
        options.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return 1 if any("left out" not in failure for failure in failures) else 0


if __name__ == "__main__":
    sys.exit(main())
