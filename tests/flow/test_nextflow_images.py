"""Nextflow and container images from the stage file to the crate, by the command line: a real registry and runtimes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from engines.containers.base import StagedImage
from tests.conftest import Command
from tests.flow.test_staged_images import made
from tests.support.container_daemons import Containing
from tests.support.images import Entry, tools_image
from tests.support.registries import Registry

pytestmark = [pytest.mark.nextflow, pytest.mark.registry, pytest.mark.usefixtures("nextflow")]

MAIN = """
nextflow.enable.dsl = 2
params.text = null
params.broken = false
params.outdir = 'results'

process FIRST {
    container 'HOST/team/first:1'
    input: path text
    output: path 'first.txt'
    script:
    "cat /etc/which ${text} > first.txt"
}
process SECOND {
    publishDir params.outdir, mode: 'copy'
    input: path before; val broken
    output: path 'second.txt'
    script:
    "cat /etc/which ${before} > second.txt; ${broken ? 'exit 3' : ''}"
}
workflow {
    FIRST(file(params.text))
    SECOND(FIRST.out, params.broken)
}
"""
CONFIG = "process { withName: SECOND { container = 'team/second:1' } }\ndocker.registry = 'HOST'\n"


@dataclass
class Pipeline:
    """A pipeline of two processes, a registry of its own with the image of each, and the command."""

    folder: Path
    registry: Registry
    wfexs: Command
    images: dict[str, StagedImage] = field(default_factory=dict)

    def write(self, container: str, *, main: str = MAIN, config: str = CONFIG, broken: bool = False) -> Path:
        """Write it, and a stage file that asks for this container runtime."""
        for name in ("first", "second"):
            image = tools_image(self.folder / f"layout-{name}", name=name, more=[_which(name)])
            self.registry.push(f"team/{name}", "1", made(image))
            self.images[f"{self.registry.host}/team/{name}:1"] = image
        place = self.folder / "pipeline"
        place.mkdir()
        (place / "main.nf").write_text(main.replace("HOST", self.registry.host))
        (place / "nextflow.config").write_text(config.replace("HOST", self.registry.host))
        (place / "in.txt").write_text("hello\n")
        path = place / "demo.stage"
        path.write_text(
            "workflow_id: .\nengine: nextflow@24.10.0\n"
            f"workflow_config: {{secure: false, containerType: {container}}}\n"
            "params:\n  text: {c-l-a-s-s: File, url: ./in.txt}\n" + ("  broken: true\n" if broken else "")
        )
        return path


def _which(name: str) -> Entry:
    return Entry("etc/which", f"{name} image\n".encode(), mode=0o644)


@pytest.fixture
def pipeline(tmp_path: Path, wfexs: Command) -> Iterator[Pipeline]:
    with Registry(tmp_path / "registry") as registry:
        yield Pipeline(folder=tmp_path, registry=registry, wfexs=wfexs)


@pytest.fixture(
    params=[pytest.param("docker", marks=pytest.mark.docker), pytest.param("podman", marks=pytest.mark.podman)]
)
def host(request: pytest.FixtureRequest) -> Containing:
    """docker or podman, of the tests' own."""
    found = request.getfixturevalue({"docker": "docker_daemon", "podman": "podman_home"}[request.param])
    assert isinstance(found, Containing)
    return found


def test_a_pipeline_fails_is_gone_on_with_and_becomes_a_crate_while_its_registry_is_gone(
    pipeline: Pipeline, host: Containing
) -> None:
    staged = pipeline.wfexs.ok("stage", pipeline.write(host.command, broken=True))
    found = {one["name"]: one["sha256"] for one in staged["items"] if one["role"] == "container"}
    assert found == {name: image.digest for name, image in pipeline.images.items()}
    pipeline.registry.stop()
    own = host.images()
    wfexs = replace(pipeline.wfexs, environment=host.environment)

    failed = wfexs("run", staged["id"])
    assert failed.code == 8, failed.object
    assert "SECOND" in failed.object["error"], failed.object
    run = wfexs.ok("run", staged["id"], "--resume", "last", "--param", "broken=false")

    steps = {one["name"].split()[0]: one for one in run["steps"]}
    assert [bool(steps[name].get("cached")) for name in ("FIRST", "SECOND")] == [True, False]
    content = Path(staged["lock"]["path"]).parent
    (said,) = (content / "runs/2").rglob("results/second.txt")
    assert said.read_text() == "second image\nfirst image\nhello\n"
    assert run["container"]["runtime"].startswith(host.command)
    assert host.containers() == ()
    assert all("<none>" in one for one in set(host.images()) - set(own)), "no tag is made"

    crate = pipeline.folder / "a.crate"
    report = wfexs.ok("crate", staged["id"], crate, "--retrospective", "--include", "outputs,containers")
    assert report["validation"]["required"] == 0
    graph = json.loads((crate / "ro-crate-metadata.json").read_bytes())["@graph"]
    images = {one["@id"]: one["sha256"] for one in graph if one["@type"] == "ContainerImage"}
    assert set(images.values()) == set(found.values())
    runs = [one for one in graph if one["@type"] == "CreateAction" and "containerImage" in one]
    of_tasks = {
        one["name"].partition(" ")[0]: images[one["containerImage"]["@id"]]
        for one in graph
        if one["@type"] == "CreateAction" and one["name"].endswith(" in run 2") and "containerImage" in one
    }
    host_of = pipeline.registry.host
    assert of_tasks == {
        "FIRST": pipeline.images[f"{host_of}/team/first:1"].digest,
        "SECOND": pipeline.images[f"{host_of}/team/second:1"].digest,
    }
    assert runs
    for image in pipeline.images.values():
        for digest in (image.digest, image.config, *image.layers):
            assert (crate / "containers/blobs/sha256" / digest).is_file()


@pytest.mark.docker
def test_a_process_that_asks_for_privileges_is_named_at_its_stage_and_refused_at_its_run(
    pipeline: Pipeline, request: pytest.FixtureRequest
) -> None:
    docker: Containing = request.getfixturevalue("docker_daemon")
    greedy = "process { withName: SECOND { container = 'team/second:1'; containerOptions = '--privileged' } }\n"
    path = pipeline.write("docker", config=greedy + "docker.registry = 'HOST'\n")

    staged = pipeline.wfexs("stage", path)
    answer = replace(pipeline.wfexs, environment=docker.environment)("run", staged.object["id"])

    assert staged.code == 0, staged.object
    refused = "a container was asked for with '--privileged', which no container of a run may have"
    assert f"every run will refuse the tasks of SECOND: {refused}" in staged.stderr
    assert answer.code == 8
    assert answer.object["error"] == f"task 'SECOND' failed: {refused}"
    assert docker.containers() == ()
