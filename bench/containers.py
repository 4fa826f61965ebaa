"""The rows of containers: staging images, loading them, and running steps in them, beside bare cwltool and docker load.

A Docker engine, a podman and a registry of their own are started for it, so it needs root and what ``make test``
installs. Bare cwltool runs the same tools in the same daemon with the same images.
"""

from __future__ import annotations

import io
import json
import os
import sys
import tarfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from bench import measure
from bench.measure import Sample
from bench.nextflow import LAUNCHER, VERSIONS, NextflowBench
from bench.rows import Row
from tests.support.container_daemons import Containing, dockerd, podman
from tests.support.images import Entry, tools_image
from tests.support.registries import OCI_MANIFEST, MadeImage, Registry

if TYPE_CHECKING:
    from bench.__main__ import Bench
    from engines.containers.base import StagedImage

_BALLAST = 100 << 20
"""What the large image's incompressible file holds, in bytes."""


class ContainerBench:
    """The daemons, the registry and the images, in the folder of a ``Bench``."""

    def __init__(self, bench: Bench, stack: ExitStack) -> None:
        self.bench = bench
        self.folder = bench.folder / "containers"
        self.folder.mkdir()
        self.registry = stack.enter_context(Registry(self.folder / "registry"))
        self.runtimes: dict[str, Containing] = {
            "docker": stack.enter_context(dockerd()),
            "podman": stack.enter_context(podman()),
        }
        for runtime in self.runtimes.values():
            names = ("DOCKER_HOST", "CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF")
            bench.environment |= {key: one for key, one in runtime.environment.items() if key in names}
        self.small = self._image("small", 0)
        self.large = self._image("large", _BALLAST)

    def measure(self) -> None:
        """All rows."""
        self._stage()
        self._load()
        for name in self.runtimes:
            self._run(name)
        self._many_steps()
        self._nextflow()

    # --- rows ---

    def _stage(self) -> None:
        without, with_image = self._stage_file("none", hint=True), self._stage_file("docker")
        plain = self.bench.median("stage", without)
        self.bench.wfexs("stage", with_image)
        warm = self.bench.median("stage", with_image)
        self._add("stage, an image already in the store", warm, plain.seconds, "the same without it", more=0.3)

    def _load(self) -> None:
        docker = self.runtimes["docker"]
        archive = self.folder / "large.tar"
        archive.write_bytes(_archive(self.large))
        name = f"sha256:{self.large.config}"

        def forget() -> None:
            docker.run("rmi", "-f", name, check=False)

        def bare() -> Sample:
            forget()
            sample = measure.command(
                ["docker", "load", "-q", "-i", str(archive)], cwd=self.folder, environment=dict(docker.environment)
            )
            assert sample is not None
            return sample

        def ours() -> float:
            forget()
            return self._load_alone()

        limit = measure.median(self.bench.times, bare)
        self.bench.add(
            Row(
                work=f"load an image of {self.large.size >> 20} MiB into docker",
                ours=sorted(ours() for _ in range(self.bench.times))[self.bench.times // 2],
                bare=limit.seconds,
                bare_note="docker load",
                goal=1.2 * limit.seconds,
                rule="1.2 x bare",
            )
        )

    def _load_alone(self) -> float:
        """The seconds that a run waits for it; what it takes to start a program of its own is not among them."""
        image = self.large
        words = json.dumps(
            {
                "name": image.name, "digest": image.digest, "config": image.config, "layers": list(image.layers),
                "platform": image.platform, "size": image.size, "layout": str(image.layout),
            }
        )  # fmt: skip
        sample = measure.command(
            [sys.executable, "-c", _LOAD, words],
            cwd=Path(__file__).resolve().parent.parent,
            environment={**self.bench.environment, "PYTHONDONTWRITEBYTECODE": "1"},
        )
        assert sample is not None
        return float(sample.stdout)

    def _run(self, runtime: str) -> None:
        workdir = self.bench.answer("stage", self._stage_file(runtime))["path"]
        self.bench.wfexs("run", workdir)
        ours = self.bench.median("run", workdir)
        work = f"run of one step in {runtime}, image loaded"
        if runtime == "docker":
            self._add(work, ours, self._bare("tool.cwl"), "", more=0.2)
        else:
            # Bare cwltool asks podman for what it has only for users who are not root.
            self.bench.add(Row(work=work, ours=ours.seconds, limit=self._alone(runtime), limit_note=f"{runtime} run"))

    def _alone(self, runtime: str) -> float:
        """The runtime's own command with the same container, and no engine."""
        words = [runtime, "run", "--rm", "--network", "none", f"sha256:{self.small.config}", "echo", "7"]

        def once() -> Sample:
            sample = measure.command(words, cwd=self.folder, environment=dict(self.runtimes[runtime].environment))
            assert sample is not None
            return sample

        return measure.median(self.bench.times, once).seconds

    def _many_steps(self, count: int = 20) -> None:
        (self.folder / "many.cwl").write_text(_MANY)
        stage = self.folder / "many.stage"
        stage.write_text(_STAGE.format(workflow="many.cwl", runtime="docker", params=list(range(count))))
        workdir = self.bench.answer("stage", stage)["path"]
        self.bench.wfexs("run", workdir)
        ours = measure.median(1, lambda: self.bench.wfexs("run", workdir))
        job = self.folder / "job.json"
        job.write_text(json.dumps({"text": list(range(count))}))
        self._add(f"run of {count} steps in one image, docker", ours, self._bare("many.cwl", job), "")

    def _nextflow(self) -> None:
        """Two processes, one after the other, in turns with the same version's own launcher."""
        nextflow = NextflowBench(self.bench, VERSIONS[0])
        script = self.folder / "main.nf"
        script.write_text(_PIPELINE.format(image=self._reference("small")))
        stage = self.folder / "nextflow.stage"
        stage.write_text(_NEXTFLOW_STAGE.format(version=VERSIONS[0]))
        workdir = self.bench.answer("stage", stage)["path"]
        self.bench.wfexs("run", workdir)
        self.runtimes["docker"].run("tag", f"sha256:{self.small.config}", self._reference("small"))
        host = {"DOCKER_HOST": self.runtimes["docker"].environment["DOCKER_HOST"]}
        words = ("run", script, "-ansi-log", "false", "-with-docker", self._reference("small"))
        bare, ours = nextflow.interleaved(
            lambda: nextflow.bare(LAUNCHER, *words, environment=host), lambda: self.bench.wfexs("run", workdir)
        )
        middle = measure.middle(bare).seconds
        note = "its launcher's settings"
        self._add("Nextflow, two processes in docker", measure.middle(ours), middle, note, more=0.2)

    # --- what they share ---

    def _add(self, work: str, ours: Sample, bare: float, note: str, *, more: float | None = None) -> None:
        self.bench.add(
            Row(
                work=work,
                ours=ours.seconds,
                bare=bare,
                bare_note=note,
                goal=None if more is None else bare + more,
                rule="" if more is None else f"bare + {more} s",
            )
        )

    def _bare(self, document: str, job: Path | None = None) -> float:
        # What bare cwltool calls it has to be in the daemon under that name.
        self.runtimes["docker"].run("tag", f"sha256:{self.small.config}", self._reference("small"))
        given = ("--text", "7") if job is None else (job,)
        return self.bench.bare("--disable-pull", self.folder / document, *given, contained=True)

    def _reference(self, name: str) -> str:
        return f"{self.registry.host}/bench/{name}:1"

    def _image(self, name: str, ballast: int) -> StagedImage:
        more = [Entry("ballast", os.urandom(ballast), mode=0o644)] if ballast else []
        image = tools_image(self.folder / f"layout-{name}", name=name, more=more)
        blobs = {one: image.blob(one).read_bytes() for one in (image.config, *image.layers)}
        self.registry.push(
            f"bench/{name}",
            "1",
            MadeImage(
                manifest=image.blob(image.digest).read_bytes(),
                kind=OCI_MANIFEST,
                blobs=blobs,
                config=image.config,
                layers=image.layers,
            ),
        )
        return image

    def _stage_file(self, runtime: str, *, hint: bool = False) -> Path:
        how = "hints" if hint else "requirements"
        document = "hint.cwl" if hint else "tool.cwl"
        (self.folder / document).write_text(_TOOL.format(how=how, image=self._reference("small")))
        stage = self.folder / f"{runtime}.stage"
        stage.write_text(_STAGE.format(workflow=document, runtime=runtime, params=7))
        return stage


def _archive(image: StagedImage) -> bytes:
    """The archive that ``docker save`` would have made of it."""
    files = {f"{image.config}.json": image.blob(image.config).read_bytes()}
    files |= {f"{one}.tar": image.blob(one).read_bytes() for one in image.layers}
    layers = [f"{one}.tar" for one in image.layers]
    files["manifest.json"] = json.dumps(
        [{"Config": f"{image.config}.json", "RepoTags": None, "Layers": layers}]
    ).encode()
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return sink.getvalue()


_LOAD = """\
import json, os, sys, time
from pathlib import Path
from engines.containers.base import CONTAINERS, StagedImage
said = json.loads(sys.argv[1])
image = StagedImage(**{**said, "layers": tuple(said["layers"]), "layout": Path(said["layout"])})
runtime = CONTAINERS.load("docker")(dict(os.environ))
began = time.perf_counter()
runtime.load(image, lambda text: None)
print(time.perf_counter() - began)
"""
_TOOL = """\
cwlVersion: v1.2
class: CommandLineTool
{how}:
  DockerRequirement: {{dockerPull: "{image}"}}
baseCommand: [echo]
inputs:
  text: {{type: int, inputBinding: {{}}}}
stdout: said.txt
outputs:
  said: stdout
"""
_MANY = """\
cwlVersion: v1.2
class: Workflow
requirements: {ScatterFeatureRequirement: {}}
inputs: {text: 'int[]'}
outputs:
  said: {type: 'File[]', outputSource: say/said}
steps:
  say: {run: tool.cwl, scatter: text, in: {text: text}, out: [said]}
"""
_PIPELINE = """\
process first {{
  container '{image}'
  output: path 'first.txt'
  script: "echo 7 > first.txt"
}}
process second {{
  container '{image}'
  input: path number
  output: stdout
  script: "cat $number"
}}
workflow {{ second(first()) }}
"""
_NEXTFLOW_STAGE = """\
nickname: bench-nextflow
workflow_id: ./main.nf
engine: nextflow@{version}
workflow_config: {{secure: false, containerType: docker}}
"""
_STAGE = """\
nickname: bench
workflow_id: ./{workflow}
workflow_type: cwl
engine: cwltool
workflow_config: {{secure: false, containerType: {runtime}}}
params: {{text: {params}}}
"""


def measure_containers(bench: Bench) -> None:
    """Start what is needed, measure, and end it."""
    with ExitStack() as stack:
        ContainerBench(bench, stack).measure()
