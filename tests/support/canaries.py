"""A working directory full of canaries, and the look for them in all that this machine has outside of the vault."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from staging.progress import Silent
from tests.conftest import Command
from wfexs_like.audit.canaries import Canary, needles_of
from wfexs_like.audit.host import Root, foreign_mounts
from wfexs_like.audit.places import Place, search_processes, unique
from wfexs_like.audit.scanning import Scan, Scope
from wfexs_like.audit.searching import Search

EngineName = Literal["cwltool", "nextflow"]
PATIENCE = 60.0
# What the JVM, Nextflow, containers and ours call their folders in there.
_BY_NAME = ("hsperfdata_", "nxf", "wfexs-like", "podman", "containers", "buildah", "storage-run", ".", "runc", "crun")
SHARED = ("/var/tmp", "/dev/shm", "/var/log", "/run", "/var/lib/docker", "/var/lib/containers", "/var/crash")
NAMES = (
    *("content", "inputname", "string", "environment", "value", "workflow", "printed", "complained", "temporary"),
    *("shared", "outputname", "title", "stagepath"),
)
_CWL = """\
cwlVersion: v1.2
class: CommandLineTool
label: {workflow}
baseCommand:
  - sh
  - -c
  - |
    echo "{printed} $3 $HIDDEN $ASKED"; echo "{complained}" >&2; cat "$1"
    echo {temporary} > /tmp/left; echo {temporary} > /var/tmp/left; cat "$1" >> /tmp/left
    (echo {shared} > /dev/shm/left) 2> /dev/null; cat "$1" > "$4"; sleep "$5"; exit "$6"
  - tool
requirements:
  {requirement}
  EnvVarRequirement: {{envDef: {{ASKED: "{environment}"}}}}
inputs:
  file: {{type: File, inputBinding: {{position: 1}}}}
  second: {{type: string, default: none, inputBinding: {{position: 2}}}}
  word: {{type: string, inputBinding: {{position: 3}}}}
  name: {{type: string, inputBinding: {{position: 4}}}}
  pause: {{type: string, default: "0", inputBinding: {{position: 5}}}}
  code: {{type: int, default: 0, inputBinding: {{position: 6}}}}
outputs:
  made: {{type: File, outputBinding: {{glob: $(inputs.name)}}}}
  said: {{type: stdout}}
"""
_NEXTFLOW = """\
nextflow.enable.dsl=2
// {workflow}
params.file = null; params.word = ''; params.name = 'made'; params.pause = '0'; params.code = 0
process SAY {{
  publishDir params.outdir ?: 'results', mode: 'copy'
  {requirement}
  input: path file
  output: path "${{params.name}}"
  script:
  \"\"\"
  export ASKED={environment}
  echo "{printed} ${{params.word}} \\${{HIDDEN:-}} \\$ASKED"; echo "{complained}" >&2; cat $file
  echo {temporary} > /tmp/left; echo {temporary} > /var/tmp/left; cat $file >> /tmp/left
  (echo {shared} > /dev/shm/left) 2> /dev/null; cat $file > '${{params.name}}'; sleep ${{params.pause}} || true
  exit ${{params.code}}
  \"\"\"
}}
workflow {{ SAY(file(params.file)) }}
"""


@dataclass
class Planted:
    """A stage file whose every secret place has a canary, staged and run by the command ``wfexs``.

    ``sources`` is where they come from: what a user has lying there is theirs. ``home`` has all that the product is
    told to use.
    """

    sources: Path
    home: Path
    wfexs: Command
    engine: EngineName
    container: str = "none"
    image: str | None = None
    canaries: dict[str, str] = field(
        default_factory=lambda: {one: f"{one}-{secrets.token_hex(8)}" for one in NAMES}, repr=False
    )
    since: float = field(default_factory=lambda: time.time() - 1)
    clean: float = field(init=False)
    """What did not change since (seconds since the epoch) has nothing in it."""
    pause: str = ""
    """How many seconds the last step that was told to sleep sleeps: no other process has that number."""
    before: frozenset[str] = field(default_factory=lambda: frozenset(one.name for one in Path("/tmp").iterdir()))

    def __post_init__(self) -> None:
        self.clean = self.since
        self.search = Search(needles_of(Canary(name=name, text=text) for name, text in self.canaries.items()))
        at = self.sources / self.canaries["stagepath"]
        at.mkdir(parents=True)
        source = at / f"{self.canaries['inputname']}.txt"
        source.write_text(f"{self.canaries['content']}\n")
        workflow = at / ("main.nf" if self.engine == "nextflow" else "main.cwl")
        text, requirement = (_NEXTFLOW, "container '{}'") if self.engine == "nextflow" else (_CWL, "")
        if self.engine == "cwltool" and self.image:
            requirement = 'DockerRequirement: {{dockerPull: "{}"}}'
        requirement = requirement.format(self.image) if self.image else ""
        workflow.write_text(text.format(**self.canaries, requirement=requirement))
        self.stage_file = at / "planted.wfex.stage"
        containers = f'containers:\n  - {{image: "{self.image}", source: "oci:{at.parent}/image:{self.image}"}}\n'
        self.stage_file.write_text(
            f"nickname: planted\ntitle: {self.canaries['title']}\nworkflow_id: file://{workflow}\n"
            f"engine: {self.engine}\nvault: gocryptfs\nworkflow_config: {{containerType: {self.container}}}\n"
            f"{containers if self.image else ''}"
            f"environment: {{HIDDEN: {self.canaries['value']}}}\n"
            f"params:\n  file: {{c-l-a-s-s: File, url: 'file://{source}'}}\n"
            f"  word: {self.canaries['string']}\n  name: {self.canaries['outputname']}.txt\n"
        )

    @property
    def workdirs(self) -> list[Path]:
        """What is there of working directories."""
        return [path for path in (self.home / "workdirs").glob("*") if path.is_dir()]

    def found(self, *, processes: bool = False) -> list[str]:
        """Where a canary is found in clear, in words that show the place.

        Where none was, nobody looks again at what did not change since.
        """
        began = time.time() - 1
        # A container runtime shows the vault, and its containers' own memory, where it keeps containers.
        memory = [path for path in _in_memory() if path.match("userdata/shm") or path.match("mounts/shm")]
        others = [path for path in Path("/tmp").iterdir() if not self._is_new(path)]
        besides = (self.sources, *(path / "vault" for path in self.workdirs), *memory, *others)
        roots = [Root(name=path.name, path=path) for path in (self.home, Path("/tmp"), *map(Path, SHARED))]
        scope = Scope(roots=roots, since=self.clean, besides={**foreign_mounts(), **dict.fromkeys(map(str, besides))})
        places: list[Place] = Scan(self.search, scope, Silent()).run().places
        self.clean = self.clean if places else began
        if processes:
            running = search_processes(self.search, folders=[one / "work" for one in self.workdirs])
            places += [one for one in running if not _is_of_tool(one)]
        return [f"{one.canary} as {one.form} ({one.kind}) in {one.path} {one.process or ''}" for one in unique(places)]

    def _is_new(self, path: Path) -> bool:
        """Whether it was made or changed since, and may be of what is tested.

        A folder that was there before is what others work in, unless it is one that programs use by its name.
        """
        try:
            status = path.lstat()
        except OSError:
            return False
        others = path.name in self.before and path.is_dir() and not path.name.startswith(_BY_NAME)
        changed = max(status.st_ctime, status.st_mtime) >= self.since
        return changed and not others and not path.name.startswith("pytest-of-")

    @contextmanager
    def sleeping(self, *more: str) -> Generator[subprocess.Popen[str], None, None]:
        """A run whose step sleeps, in a session of its own; ended when the block is left."""
        self.pause = str(10**6 + secrets.randbelow(10**6))
        argv = [*self.wfexs.argv, "run", "planted", "--param", f"pause={self.pause}", *more]
        environment = {**os.environ, **self.wfexs.environment}
        with subprocess.Popen(
            argv,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as child:
            try:
                with suppress(TimeoutError):
                    _wait(lambda: self._sleepers() or child.poll() is not None)
                if not self._sleepers():
                    os.killpg(child.pid, signal.SIGINT)
                    raise AssertionError(child.communicate())
                yield child
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
                child.communicate()
                _wait(lambda: self.closed)

    def wake(self) -> None:
        """Let the step that sleeps go on."""
        for one in self._sleepers():
            os.kill(one, signal.SIGTERM)

    def _sleepers(self) -> list[int]:
        return _that_run(f"sleep\0{self.pause}\0")

    @property
    def closed(self) -> bool:
        """Whether no vault is open."""
        return not any(os.path.ismount(path / "work") for path in self.workdirs)


def _is_of_tool(place: Place) -> bool:
    """Whether it was found in a process that a task started: what a tool is given is its command line.

    That is in a PID namespace that is not ours, and neither our child nor the engine.
    """
    if place.kind not in ("arguments", "environment"):
        return False
    process = place.path.parent
    try:
        apart = (process / "ns" / "pid").readlink() != Path("/proc/self/ns/pid").readlink()
    except OSError:
        return True
    if place.kind == "environment":
        # Nobody but its owner reads that.
        return (process / "environ").stat().st_mode & 0o077 == 0
    return apart and not str(place.process).startswith(("python", "java"))


def _in_memory() -> list[Path]:
    """Where file systems in memory are mounted (proc(5), mounts)."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text(errors="surrogateescape").splitlines()]
    return [Path(point.replace("\\040", " ")) for _, point, kind, *_ in mounts if kind == "tmpfs"]


def _that_run(words: str) -> list[int]:
    """The processes with these words in their command line."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdecimal():
            with suppress(OSError):
                if words.encode() in (process / "cmdline").read_bytes():
                    found.append(int(process.name))
    return found


def descendants(number: int) -> list[int]:
    """The processes that one started, and those that they did."""
    listed = Path(f"/proc/{number}/task/{number}/children").read_text().split()
    return [found for one in listed for found in (int(one), *descendants(int(one)))]


def _wait(until: object) -> None:
    assert callable(until)
    deadline = time.monotonic() + PATIENCE
    while not until():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.05)
