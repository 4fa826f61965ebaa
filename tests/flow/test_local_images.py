"""Images out of a local OCI layout, by the command line: no registry, the same lock, and a crate that feeds a stage."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engines.containers.base import StagedImage
from tests.conftest import Command
from tests.support.container_daemons import Containing
from tests.support.images import Entry, tools_image
from tests.support.registries import OCI_MANIFEST, MadeImage, Registry

TOOL = """\
cwlVersion: v1.2
class: CommandLineTool
hints:
  DockerRequirement: {{dockerPull: "{image}"}}
baseCommand: [sh, -c, "cat /etc/which"]
inputs: {{}}
outputs: {{said: stdout}}
stdout: said.txt
"""

pytestmark = [pytest.mark.cwltool, pytest.mark.registry]


def image_saying(folder: Path, text: str, name: str = "tools:1") -> StagedImage:
    return tools_image(folder, name=name, more=[Entry("etc/which", text.encode(), mode=0o644)])


def stage_file(folder: Path, image: str, source: str | None = None, container: str = "podman") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tool.cwl").write_text(TOOL.format(image=image))
    path = folder / "demo.stage"
    listed = "" if source is None else f'containers:\n  - {{image: "{image}", source: "{source}"}}\n'
    path.write_text(
        f"workflow_id: tool.cwl\nworkflow_config: {{secure: false, containerType: {container}}}\n{listed}params: {{}}\n"
    )
    return path


def containers_of(staged: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in staged["items"] if one["role"] == "container"]


def elsewhere(command: Command, folder: Path) -> Command:
    """The command on a machine that has nothing yet."""
    return replace(
        command,
        environment={
            **command.environment,
            **{f"WFEXS_LIKE_{name}": str(folder / name) for name in ("CACHE", "WORKDIRS", "CREDENTIALS", "KEYS")},
        },
    )


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with Registry(tmp_path / "registry") as running:
        yield running


@pytest.mark.podman
def test_a_crate_with_images_feeds_a_machine_that_never_saw_the_registry(
    tmp_path: Path, registry: Registry, wfexs: Command, hurried: Command, podman_home: Containing
) -> None:
    image = image_saying(tmp_path / "layout", "out of the image\n")
    blobs = {one: image.blob(one).read_bytes() for one in (image.config, *image.layers)}
    manifest = image.blob(image.digest).read_bytes()
    registry.push(
        "team/tools",
        "1",
        MadeImage(manifest=manifest, kind=OCI_MANIFEST, blobs=blobs, config=image.config, layers=image.layers),
    )
    name = f"{registry.host}/team/tools:1"
    here = replace(wfexs, environment=podman_home.environment)
    asked = stage_file(tmp_path / "project", name)
    staged = here.ok("stage", asked)
    first = here.ok("run", staged["id"])
    here.ok("crate", staged["id"], tmp_path / "crate", "--include", "all", "--no-validate")
    lock = tmp_path / "stage.lock.json"
    shutil.copy(staged["lock"]["path"], lock)

    registry.stop()
    shutil.rmtree(tmp_path / "layout")
    there = elsewhere(here, tmp_path / "there")
    refused = elsewhere(hurried, tmp_path / "there")("stage", asked)
    moved = stage_file(tmp_path / "project", name, f"oci:../crate/containers:{name}")
    again = there.ok("stage", moved)
    second = there.ok("run", again["id"])

    assert refused.code == 4
    assert registry.host in refused.object["error"]["message"]
    (before,), (after,) = containers_of(staged), containers_of(again)
    assert before["sha256"] == after["sha256"] == image.digest
    assert before["image"] == after["image"]
    assert after["identifier"] == f"oci:../crate/containers:{name}#linux/amd64"
    assert str(tmp_path) not in Path(again["lock"]["path"]).read_text()
    said = [Path(run["outputs"]["said"]["path"]).read_text() for run in (first, second)]
    assert said == ["out of the image\n"] * 2
    # What counts is the digest: the lock that was made with the registry holds, and stays as it was.
    locked = elsewhere(here, tmp_path / "third").ok("stage", moved, "--locked", lock)
    assert Path(locked["lock"]["path"]).read_bytes() == lock.read_bytes()


def test_another_image_in_the_layout_is_not_the_locks(tmp_path: Path, wfexs: Command) -> None:
    image_saying(tmp_path / "images", "one\n")
    asked = stage_file(tmp_path / "project", "tools:1", "oci:../images:tools:1")
    staged = wfexs.ok("stage", asked)
    shutil.rmtree(tmp_path / "images")
    image_saying(tmp_path / "images", "two\n")

    answer = wfexs("stage", asked, "--locked", staged["lock"]["path"])

    assert answer.code == 5
    assert "the lock has" in answer.object["error"]["message"]


def test_the_same_layout_elsewhere_gives_the_same_lock(tmp_path: Path, wfexs: Command) -> None:
    locks = []
    for place in ("a", "b"):
        image_saying(tmp_path / place / "images", "one\n")
        asked = stage_file(tmp_path / place / "project", "tools:1", "oci:../images:tools:1")
        locks.append(Path(elsewhere(wfexs, tmp_path / f"machine {place}").ok("stage", asked)["lock"]["path"]))

    first, second = (json.loads(one.read_bytes()) for one in locks)
    assert [one for one in first["items"] if one["role"] != "workflow"] == [
        one for one in second["items"] if one["role"] != "workflow"
    ]
    assert locks[0].read_bytes() == locks[1].read_bytes()
    layout = locks[0].parent / "containers"
    raw = subprocess.run(["skopeo", "inspect", "--raw", f"oci:{layout}:tools:1"], capture_output=True, check=True)
    assert json.loads(raw.stdout)["layers"]


def test_a_damaged_layer_is_told_and_nothing_is_staged(tmp_path: Path, wfexs: Command) -> None:
    image = image_saying(tmp_path / "images", "one\n")
    layer = image.blob(image.layers[-1])
    content = bytearray(layer.read_bytes())
    content[-1] ^= 1
    layer.chmod(0o644)
    layer.write_bytes(content)

    answer = wfexs("stage", stage_file(tmp_path / "project", "tools:1", "oci:../images:tools:1"))

    assert answer.code == 5
    assert answer.object["error"]["expected"] == image.layers[-1]


@pytest.mark.parametrize(
    ("command", "source"),
    [
        ("resolve", "oci:../nowhere:tools:1"),
        ("stage", "oci:../nowhere:tools:1"),
        ("resolve", "oci:../images:other"),
        ("stage", "REGISTRY/team/none:1"),
    ],
)
def test_an_image_that_is_nowhere_is_told_with_who_wants_it(
    tmp_path: Path, wfexs: Command, registry: Registry, source: str, command: str
) -> None:
    image_saying(tmp_path / "images", "one\n")
    asked = stage_file(tmp_path / "project", "tools:1", source.replace("REGISTRY", registry.host))

    answer = wfexs(command, asked)

    assert answer.code == 6
    assert f"(wanted by {asked}:4: containers[0])" in answer.object["error"]["message"]


def test_what_would_be_staged_is_told_of_a_layout(tmp_path: Path, wfexs: Command) -> None:
    image = image_saying(tmp_path / "images", "one\n")

    told = wfexs.ok("resolve", stage_file(tmp_path / "project", "tools:1", "oci:../images:tools:1"))

    (one,) = containers_of(told)
    assert (one["sha256"], one["size"], one["source"]) == (image.digest, image.size, "fetched")
    assert one["risks"] == ["no digest stated: trusted on first use"]


@pytest.mark.parametrize("kind", ["docker-archive", "oci-archive"])
def test_an_image_is_taken_out_of_an_archive(tmp_path: Path, wfexs: Command, kind: str) -> None:
    image = image_saying(tmp_path / "images", "one\n")
    target = f"{kind}:{tmp_path}/tools.tar:example.org/saved:2"
    subprocess.run(["skopeo", "copy", "--quiet", f"oci:{tmp_path}/images:tools:1", target], check=True)
    asked = stage_file(tmp_path / "project", "tools:1", f"{kind}:../tools.tar:example.org/saved:2")

    staged = wfexs.ok("stage", asked)

    (one,) = containers_of(staged)
    assert (one["name"], one["image"]["config"]) == ("tools:1", image.config)
    assert str(tmp_path) not in Path(staged["lock"]["path"]).read_text()
    asked.write_text(asked.read_text().replace('saved:2"', f'saved:2", sha256: {"a" * 64}'))
    assert wfexs("stage", asked).code == 5
