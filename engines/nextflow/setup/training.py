"""Training: a real run of a tiny pipeline, once, from which Java keeps the classes that every run needs.

What the pipeline does is what real ones do: two processes, a file collected, one published, parameters from a file. It
is watched, reported and configured as every run is. Its results are thrown away.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from engines.base import InstalledEngine, Placement
from engines.nextflow.running.overlay import overlay
from engines.nextflow.setup import class_data
from engines.nextflow.setup.launching import command, home_of, java_of
from engines.nextflow.setup.records import holds_beside, keep_beside
from staging import process
from staging.definition import EngineSettings, Limits
from staging.errors import WfexsError

_TIMEOUT = 180.0
_PLACEMENT = Placement(cores=1, memory=1 << 30)
_CONFIG = """process.errorStrategy = 'retry'
process { withName: 'COUNT' { maxRetries = 1; cpus = 1 } }
"""
_PIPELINE = """nextflow.enable.dsl = 2
params.words = null
params.results = 'results'

process SPLIT {
  tag "${words.name}"
  input: path words
  output: path 'part_*', emit: parts
  script: "split -l 1 $words part_"
}

process COUNT {
  publishDir params.results, mode: 'copy'
  input: path part
  output: path "${part}.count", emit: counts
  script: "wc -w < $part > ${part}.count"
}

workflow {
  SPLIT(Channel.fromPath(params.words))
  COUNT(SPLIT.out.parts.flatten())
  COUNT.out.counts.collectFile(name: 'all.txt', storeDir: params.results).view { it.name }
}
"""


def is_done(engine: InstalledEngine) -> bool:
    """Whether the archive is there and sound, or there can be none for this Java, or making it has failed before."""
    version, major = java_of(engine)
    archive = class_data.place(home_of(engine), engine.program, version, major)
    return archive is None or holds_beside(archive) or _failed(archive).exists()


def train(engine: InstalledEngine, say: Callable[[str], None]) -> None:
    """Make the archive of classes for the engine and its Java, if that Java can. Whoever calls holds the engine's lock.

    A failure is said, and nothing else depends on it: without an archive a run starts a second later.

    Raises:
        OSError: not even the failure can be recorded.
    """
    home = home_of(engine)
    version, major = java_of(engine)
    archive = class_data.place(home, engine.program, version, major)
    if archive is None:
        return
    why = ""
    try:
        with tempfile.TemporaryDirectory(prefix=".training-", dir=home) as folder:
            made = Path(folder) / archive.name
            _run(engine, Path(folder), made)
            if not made.is_file() or not made.stat().st_size:
                raise FileNotFoundError(2, "Java made none")
            made.chmod(0o444)
            made.replace(archive)
        keep_beside(archive)
        _sweep(archive)
    except process.ProcessError as error:
        lines = [one for one in error.completed.stdout.decode(errors="replace").splitlines() if one.strip()]
        why = (lines[-1] if lines else error.message)[:200]
    except OSError as error:
        why = error.strerror or str(error)
    except WfexsError as error:
        why = error.message
    if why:
        say(f"no archive of classes could be made ({why}): every run will start a second later than it might")
        _failed(archive).write_text(f"{why}\n", encoding="utf-8")


def _sweep(archive: Path) -> None:
    """Remove the archives that were made with another jar of ours; a Java that runs with one keeps it."""
    ours = archive.stem.rpartition("-")[2]
    for other in archive.parent.glob("classes-*"):
        if other.name.partition(".")[0].rpartition("-")[2] != ours:
            other.unlink(missing_ok=True)


def _failed(archive: Path) -> Path:
    """What stands in the archive's place when it could not be made: it is tried once, not before every run."""
    return archive.with_suffix(".failed")


def _run(engine: InstalledEngine, folder: Path, archive: Path) -> None:
    launch = folder / "launch"
    temporary = folder / "tmp"
    for one in (launch, temporary):
        one.mkdir()
    (launch / "main.nf").write_text(_PIPELINE, encoding="utf-8")
    (launch / "nextflow.config").write_text(_CONFIG, encoding="utf-8")
    reports = overlay(
        version=engine.version,
        placement=_PLACEMENT,
        settings=EngineSettings(),
        limits=Limits(),
        logs=launch,
        mark="training",
    )
    (launch / "overlay.config").write_text(reports, encoding="utf-8")
    (launch / "words.txt").write_text("one two\nthree\n", encoding="utf-8")
    (launch / "params.json").write_text(
        json.dumps({"words": str(launch / "words.txt"), "results": str(launch / "results")}), encoding="utf-8"
    )
    # A run of a real workflow passes -XX:SharedArchiveFile in place of this; all else has to be the same.
    flags = (f"-XX:ArchiveClassesAtExit={archive}", "-Xlog:disable")
    argv = command(engine, tmp=temporary, flags=flags, properties={"wfexs.events": str(launch / "events")})
    argv += ("-log", str(launch / "run.log"), "-c", str(launch / "overlay.config"), "run", str(launch / "main.nf"))
    argv += ("-ansi-log", "false", "-params-file", str(launch / "params.json"), "-w", str(launch / "work"))
    environment = process.base_environment(
        HOME=str(folder),
        PWD=str(launch),
        TMPDIR=str(temporary),
        NXF_HOME=str(folder / "nextflow"),
        NXF_TEMP=str(temporary),
        NXF_OFFLINE="true",
        NXF_PLUGINS_DEFAULT="false",
        NXF_DISABLE_CHECK_LATEST="true",
        NXF_ANSI_LOG="false",
    )
    process.run(argv, env=environment, cwd=launch, timeout=_TIMEOUT)
