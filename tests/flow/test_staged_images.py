"""Container images from the stage file to the crate, by the command line: a real registry, real docker, real podman."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from engines.containers.base import StagedImage
from tests.conftest import Command
from tests.support.container_daemons import Containing, DockerDaemon
from tests.support.images import Entry, tools_image
from tests.support.registries import OCI_MANIFEST, MadeImage, Registry

TOOL = """\
cwlVersion: v1.2
class: CommandLineTool
{how}:
  DockerRequirement: {{dockerPull: "{image}"}}
baseCommand: [sh, -c]
arguments: ["cat /etc/which; cat $(inputs.text.path)"]
inputs: {{text: File}}
outputs: {{said: stdout}}
stdout: {name}.txt
"""
WORKFLOW = """\
cwlVersion: v1.2
class: Workflow
inputs: {text: File}
outputs:
  first: {type: File, outputSource: one/said}
  second: {type: File, outputSource: two/said}
steps:
  one: {run: one.cwl, in: {text: text}, out: [said]}
  two: {run: two.cwl, in: {text: one/said}, out: [said]}
"""


def made(image: StagedImage) -> MadeImage:
    """An image of a layout, to be pushed."""
    return MadeImage(
        manifest=image.blob(image.digest).read_bytes(),
        kind=OCI_MANIFEST,
        blobs={one: image.blob(one).read_bytes() for one in (image.config, *image.layers)},
        config=image.config,
        layers=image.layers,
    )


@dataclass
class Project:
    """A workflow of two steps, a registry with the image of each, and the command."""

    folder: Path
    registry: Registry
    wfexs: Command
    images: dict[str, StagedImage] = field(default_factory=dict)

    def push(self, name: str, text: str, tag: str = "1") -> StagedImage:
        """An image whose ``/etc/which`` says ``text``."""
        entry = Entry("etc/which", text.encode(), mode=0o644)
        image = tools_image(self.folder / f"layout-{name}-{text.strip()}", name=name, more=[entry])
        self.registry.push(f"team/{name}", tag, made(image))
        self.images[text.strip()] = image
        return image

    def reference(self, name: str, tag: str = "1") -> str:
        return f"{self.registry.host}/team/{name}:{tag}"

    def write(self, *, how: str = "hints", first: str | None = None, second: str | None = None) -> None:
        """Write the workflow; its tools ask for those images."""
        one, two = first or self.reference("one"), second or self.reference("two")
        (self.folder / "wf.cwl").write_text(WORKFLOW)
        (self.folder / "one.cwl").write_text(TOOL.format(how=how, image=one, name="one"))
        (self.folder / "two.cwl").write_text(TOOL.format(how=how, image=two, name="two"))
        (self.folder / "in.txt").write_text("hello\n")

    def stage_file(self, container: str | None, more: str = "") -> Path:
        path = self.folder / "demo.stage"
        kind = "" if container is None else f", containerType: {container}"
        path.write_text(
            f"workflow_id: wf.cwl\nworkflow_config: {{secure: false{kind}}}\n"
            f"params:\n  text: {{c-l-a-s-s: File, url: in.txt}}\n{more}"
        )
        return path


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with Registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture
def project(tmp_path: Path, registry: Registry, wfexs: Command) -> Project:
    if not registry_runs(registry):
        registry.start()
    found = Project(folder=tmp_path, registry=registry, wfexs=wfexs)
    found.push("one", "first image\n")
    found.push("two", "second image\n")
    found.write()
    return found


def registry_runs(registry: Registry) -> bool:
    from tests.support.registries import answers

    return answers(registry.host)


def on(project: Project, host: Containing) -> Command:
    """The command of somebody who has that runtime."""
    return replace(project.wfexs, environment=host.environment)


def lock_of(staged: dict[str, Any]) -> dict[str, Any]:
    lock = json.loads(Path(staged["lock"]["path"]).read_bytes())
    assert isinstance(lock, dict)
    return lock


def containers_of(staged: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in staged["items"] if one["role"] == "container"}


pytestmark = [pytest.mark.cwltool, pytest.mark.registry]


def test_images_that_the_tools_hint_at_are_staged_by_digest_where_a_runtime_is_asked_for(project: Project) -> None:
    staged = project.wfexs.ok("stage", project.stage_file("docker"))
    found = containers_of(staged)
    assert set(found) == {project.reference("one"), project.reference("two")}
    first = found[project.reference("one")]
    image = project.images["first image"]
    assert (first["sha256"], first["image"]["config"]) == (image.digest, image.config)
    assert first["pinned"] == f"{project.registry.host}/team/one@sha256:{image.digest}"
    assert (first["size"], first["trust"]) == (image.size, "first-use")
    assert {one["role"] for one in staged["items"]} == {"workflow", "engine", "input", "container"}
    lock = lock_of(staged)
    assert lock["container"] == "docker"
    blobs = {one["sha256"] for one in lock["items"] if one["role"] == "blob"}
    second = project.images["second image"]
    assert blobs == {image.config, *image.layers, second.config, *second.layers}
    layout = Path(staged["lock"]["path"]).parent / "containers"
    read = subprocess.run(
        ["skopeo", "inspect", f"oci:{layout}:{project.reference('two')}"], capture_output=True, check=True
    )
    assert json.loads(read.stdout)["Digest"] == f"sha256:{second.digest}"


def test_without_a_word_hints_are_not_followed_and_that_is_said(project: Project) -> None:
    answer = project.wfexs("stage", project.stage_file(None))
    assert answer.code == 0
    assert containers_of(answer.object) == {}
    assert "no containers: tools made for" in answer.stderr
    assert "containerType: docker" in answer.stderr
    assert lock_of(answer.object)["container"] == "none"


def test_without_a_word_required_images_are_staged_for_any_runtime(project: Project) -> None:
    project.write(how="requirements")
    staged = project.wfexs.ok("stage", project.stage_file(None))
    assert len(containers_of(staged)) == 2
    assert lock_of(staged)["container"] == "any"


def test_a_required_image_is_refused_where_there_are_to_be_no_containers(project: Project) -> None:
    project.write(how="requirements")
    answer = project.wfexs("stage", project.stage_file("none"))
    assert answer.code == 6
    assert "the step one requires the container image" in answer.object["error"]["message"]


def test_a_setting_says_what_the_stage_file_leaves_open(project: Project) -> None:
    staged = project.wfexs.ok("stage", project.stage_file(None), "--container", "podman")
    assert lock_of(staged)["container"] == "podman"
    other = project.wfexs.ok("stage", project.stage_file("docker"), WFEXS_LIKE_CONTAINER="podman")
    assert lock_of(other)["container"] == "docker"
    assert "settings" in project.wfexs("stage", project.stage_file(None), "--container=rkt").object["error"]["message"]


def test_a_flag_of_a_run_is_no_mere_default(project: Project) -> None:
    staged = project.wfexs.ok("stage", project.stage_file("docker"))

    answer = project.wfexs("run", staged["id"], "--container", "podman")

    assert answer.code == 2
    message, hint = answer.object["error"]["message"], answer.object["error"]["hint"]
    assert "containers of docker" in message and "--container says podman" in message
    assert "workflow_config.containerType: podman" in hint
    assert not list((Path(staged["path"]) / "runs").glob("*"))


def test_a_flag_of_a_run_is_no_default_where_tools_of_the_machine_were_meant(project: Project) -> None:
    staged = project.wfexs.ok("stage", project.stage_file("none"))
    answer = project.wfexs("run", staged["id"], "--container=docker")
    assert answer.code == 2
    assert "was staged for no containers" in answer.object["error"]["message"]
    assert project.wfexs("run", staged["id"], WFEXS_LIKE_CONTAINER="docker").code != 2


@pytest.mark.parametrize(("how", "said"), [("hints", "{}"), ("requirements", "{dockerPull: ''}")])
def test_a_requirement_without_an_image_is_a_mistake_of_the_workflow(project: Project, said: str, how: str) -> None:
    project.write(how=how)
    tool = project.folder / "two.cwl"
    tool.write_text(tool.read_text().replace(f'{{dockerPull: "{project.reference("two")}"}}', said))

    answer = project.wfexs("stage", project.stage_file("docker"))

    assert answer.code == 3
    assert "the step two wants a container and does not say which image" in answer.object["error"]["message"]


@pytest.mark.parametrize(
    ("image", "code", "said", "hint"),
    [
        ("HOST/Team/one:1", 3, "capital letters", "lower case"),
        ("127.0.0.1:9/team/one:1", 4, "connection refused", "127.0.0.1:9 is the registry that is meant"),
    ],
)
def test_who_wants_an_image_that_is_not_to_be_had_is_named(
    project: Project, hurried: Command, *, image: str, code: int, said: str, hint: str
) -> None:
    project.write(second=image.replace("HOST", project.registry.host))

    answer = hurried("stage", project.stage_file("docker"))

    error = answer.object["error"]
    assert (answer.code, said in error["message"], hint in error["hint"]) == (code, True, True)
    assert "(wanted by the step two)" in error["message"]


def test_what_stays_staged_is_told_where_a_proof_finds_no_daemon(project: Project, tmp_path: Path) -> None:
    answer = project.wfexs(
        "stage", project.stage_file("docker"), "--prove-offline", DOCKER_HOST=f"unix://{tmp_path}/none.sock"
    )

    assert answer.code == 6
    error = answer.object["error"]
    assert (Path(error["path"]) / "work" / "stage.lock.json").exists()
    assert Path(error["path"]).name == error["id"]


def test_any_runtime_may_be_asked_for(project: Project) -> None:
    staged = project.wfexs.ok("stage", project.stage_file("any"))
    assert lock_of(staged)["container"] == "any"
    assert len(containers_of(staged)) == 2


def test_one_image_is_staged_however_it_is_spelt(project: Project) -> None:
    digest = project.images["first image"].digest
    project.write(first=project.reference("one"), second=f"docker://{project.reference('one')}")
    assert len(containers_of(project.wfexs.ok("stage", project.stage_file("docker")))) == 1
    name = project.reference("one").rpartition(":")[0]
    project.write(first=f"{name}@sha256:{digest}", second=f"{name}:1@sha256:{digest}")
    found = containers_of(project.wfexs.ok("stage", project.stage_file("docker")))
    assert [one["trust"] for one in found.values()] == ["expected"]


def test_the_stage_file_stands_in_for_an_image_and_adds_others(project: Project) -> None:
    digest = project.images["second image"].digest
    project.write(first="example.org/gone:1")
    text = f"""\
containers:
  - {{image: "example.org/gone:1", source: "{project.reference("two")}", sha256: {digest}}}
"""
    found = containers_of(project.wfexs.ok("stage", project.stage_file("docker", text)))
    assert found["example.org/gone:1"]["sha256"] == digest
    assert found["example.org/gone:1"]["trust"] == "expected"
    assert found[project.reference("two")]["trust"] == "first-use"


def test_a_second_stage_costs_next_to_nothing_for_the_images(project: Project) -> None:
    plain, images = project.stage_file("none"), project.folder / "images.stage"
    images.write_text(plain.read_text().replace("containerType: none", "containerType: docker"))
    project.wfexs.ok("stage", images)
    project.wfexs.ok("stage", plain)

    def best(path: Path) -> float:
        """Seconds of processor time: a busy machine makes no difference."""
        taken = []
        for _ in range(2):
            before = os.times()
            project.wfexs.ok("stage", path)
            after = os.times()
            taken.append(after.children_user + after.children_system - before.children_user - before.children_system)
        return min(taken)

    assert best(images) - best(plain) <= 0.3


def test_what_is_locked_is_staged_again_when_the_tag_means_another_image(project: Project) -> None:
    path = project.stage_file("docker")
    staged = project.wfexs.ok("stage", path)
    project.push("one", "moved image\n")
    again = project.wfexs.ok("stage", path, "--locked", staged["lock"]["path"])
    assert lock_of(again)["digest"] == lock_of(staged)["digest"]
    anew = containers_of(project.wfexs.ok("stage", path))
    assert anew[project.reference("one")]["sha256"] == project.images["moved image"].digest


def test_an_image_that_is_not_there_names_who_wants_it(project: Project) -> None:
    project.write(first=project.reference("nowhere"))
    answer = project.wfexs("stage", project.stage_file("docker"))
    assert answer.code == 6
    error = answer.object["error"]
    assert "team/nowhere" in error["message"]
    assert "the step one" in f"{error['where']} {error['message']}"
    listed = project.stage_file("docker", f'containers:\n  - "{project.reference("absent")}"\n')
    project.write()
    answer = project.wfexs("stage", listed)
    assert answer.code == 6
    assert "containers[0]" in f"{answer.object['error']['where']} {answer.object['error']['message']}"


def test_resolve_tells_images_with_their_sizes_and_that_a_tag_may_move(project: Project) -> None:
    found = containers_of(project.wfexs.ok("resolve", project.stage_file("docker")))
    one = found[project.reference("one")]
    assert (one["size"], one["sha256"]) == (
        project.images["first image"].size,
        project.images["first image"].digest,
    )
    assert any("may mean another image" in risk for risk in one["risks"])
    shown = project.wfexs.run("resolve", project.stage_file("docker")).stdout
    assert project.reference("two") in shown


@pytest.mark.parametrize("whole", [True, False], ids=["folder", "documents"])
def test_an_image_out_of_an_archive_beside_the_workflow_is_an_image_like_others(project: Project, whole: bool) -> None:
    layout = project.folder / "layout-one-first image"
    subprocess.run(
        ["skopeo", "copy", "-q", f"oci:{layout}:one", f"docker-archive:{project.folder}/tools.tar:mine:1"], check=True
    )
    docker = "{dockerLoad: tools.tar, dockerImageId: 'mine:1'}"
    asked = f'{{dockerPull: "{project.reference("one")}"}}'
    tool = project.folder / "one.cwl"
    tool.write_text(tool.read_text().replace(asked, docker))
    path = project.stage_file("docker")
    if whole:
        folder = project.folder / "whole"
        folder.mkdir()
        for name in ("one.cwl", "two.cwl", "tools.tar"):
            shutil.copy(project.folder / name, folder / name)
        shutil.copy(project.folder / "wf.cwl", folder / "main.cwl")
        path.write_text(path.read_text().replace("workflow_id: wf.cwl", "workflow_id: ./whole"))
    staged = project.wfexs.ok("stage", path)
    mine = containers_of(staged)["mine:1"]
    assert mine["image"]["config"] == project.images["first image"].config, "the id is the same in every form"
    again = project.wfexs.ok("stage", path, "--locked", staged["lock"]["path"])
    assert lock_of(again)["digest"] == lock_of(staged)["digest"]
    layout = Path(staged["lock"]["path"]).parent / "containers"
    for name in ("mine:1", project.reference("two")):
        subprocess.run(["skopeo", "inspect", f"oci:{layout}:{name}"], capture_output=True, check=True)


@pytest.fixture(
    params=[pytest.param("docker", marks=pytest.mark.docker), pytest.param("podman", marks=pytest.mark.podman)]
)
def host(request: pytest.FixtureRequest) -> Iterator[Containing]:
    """docker or podman, of the tests' own."""
    found = request.getfixturevalue({"docker": "docker_daemon", "podman": "podman_home"}[request.param])
    assert isinstance(found, Containing)
    yield found


def test_a_workflow_runs_in_its_images_whatever_becomes_of_tags_and_registry(
    project: Project, host: Containing
) -> None:
    name = host.command
    staged = project.wfexs.ok("stage", project.stage_file(name))
    before = host.images()
    # The tag moves: in the registry, and in the user's own store.
    moved = project.push("one", "moved image\n")
    layout = project.folder / "layout-one-moved image"
    archive = project.folder / "moved.tar"
    subprocess.run(
        ["skopeo", "copy", "-q", f"oci:{layout}:one", f"docker-archive:{archive}:{project.reference('one')}"],
        check=True,
    )
    host.run("load", "-i", archive)
    archive.unlink()
    own = host.images()
    project.registry.stop()

    result = on(project, host).ok("run", staged["id"])
    assert Path(result["outputs"]["second"]["path"]).read_text() == "second image\nfirst image\nhello\n"
    assert result["container"]["runtime"].startswith(name)
    digests = {one["name"]: one["digest"] for one in result["container"]["images"]}
    assert digests[project.reference("one")] == project.images["first image"].digest != moved.digest
    assert host.containers() == ()
    assert {*before, *own} - {""} <= set(host.images()), "the user's own images and tags stay"
    new = set(host.images()) - set(own)
    assert all("<none>" in one for one in new), "no tag is made"

    crate = project.folder / "a.crate"
    report = project.wfexs.ok("crate", staged["id"], crate, "--retrospective", "--include", "outputs,containers")
    assert report["validation"]["required"] == 0
    graph = json.loads((crate / "ro-crate-metadata.json").read_bytes())["@graph"]
    actions = {one["name"]: one for one in graph if one["@type"] == "CreateAction"}
    (action,) = [one for name, one in actions.items() if name.startswith("Run 1 of")]
    images = {one["@id"]: one for one in graph if one["@type"] == "ContainerImage"}
    assert {images[one["@id"]]["sha256"] for one in action["containerImage"]} == set(digests.values())
    of_steps = {
        name: images[one["containerImage"]["@id"]]["sha256"]
        for name, one in actions.items()
        if one is not action and "containerImage" in one
    }
    told = {"one": project.images["first image"].digest, "two": project.images["second image"].digest}
    assert of_steps == {f"{name} in run 1": digest for name, digest in told.items()}
    subprocess.run(
        ["skopeo", "inspect", f"oci:{crate}/containers:{project.reference('one')}"], capture_output=True, check=True
    )


@pytest.mark.docker
def test_nothing_is_begun_where_the_runtime_does_not_run(project: Project, tmp_path: Path) -> None:
    staged = project.wfexs.ok("stage", project.stage_file("docker"))
    answer = project.wfexs("run", staged["id"], DOCKER_HOST=f"unix://{tmp_path}/no.sock")
    assert answer.code == 6
    assert "does not run" in answer.object["error"]["message"]
    assert project.wfexs.ok("show", staged["id"])["runs"] == []


@pytest.mark.docker
def test_images_are_loaded_once_and_that_is_said(project: Project, docker_daemon: DockerDaemon) -> None:
    staged = project.wfexs.ok("stage", project.stage_file("docker"))
    first = on(project, docker_daemon)("run", staged["id"])
    assert first.code == 0, first.stderr
    second = on(project, docker_daemon)("run", staged["id"])
    assert second.code == 0
    assert "loaded" not in second.stderr
    shown = project.wfexs.run("show", staged["id"]).stdout
    assert "in containers (docker)" in shown
    assert project.reference("one") in shown
    assert shutil.which("docker")


def test_containers_of_a_run_that_was_killed_are_removed_when_somebody_next_looks(
    project: Project, host: Containing
) -> None:
    (project.folder / "two.cwl").write_text(
        TOOL.format(how="hints", image=project.reference("two"), name="two").replace("cat /etc/which;", "sleep 60;")
    )
    staged = project.wfexs.ok("stage", project.stage_file(host.command))
    environment = {**os.environ, **host.environment}
    running = subprocess.Popen(
        [*project.wfexs.argv, "run", staged["id"]], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    journal = Path(staged["lock"]["path"]).parent / "runs/1/journal.jsonl"
    deadline = time.monotonic() + 30
    while not (journal.exists() and journal.read_text().count('"container-started"') == 2):
        assert time.monotonic() < deadline
        assert running.poll() is None, running.communicate()
        time.sleep(0.05)
    until(lambda: len(host.containers()) >= 1)
    running.kill()
    running.communicate()
    if host.command == "podman":
        assert host.containers(), "nobody ends it but us"
    verb = ["cancel"] if host.command == "podman" else ["rm", "--yes"]
    done = on(project, host).run(*verb, staged["id"])
    assert done.returncode == 0, done.stderr
    until(lambda: host.containers() == ())


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
