"""Images of encrypted working directories: fetched once for all of them, unless they lie on this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from engines.containers.base import StagedImage
from tests.conftest import Command
from tests.support.images import tools_image
from tests.support.registries import OCI_MANIFEST, MadeImage, Registry

pytestmark = [pytest.mark.cwltool, pytest.mark.gocryptfs, pytest.mark.fuse]


@dataclass
class Project:
    """A tool whose container is asked for in an encrypted working directory."""

    folder: Path
    wfexs: Command

    def stage(self, name: str, source: str = "") -> dict[str, dict[str, object]]:
        """Stage it; the items by role (one of each)."""
        (self.folder / "tool.cwl").write_text(
            "cwlVersion: v1.2\nclass: CommandLineTool\nbaseCommand: [sh, -c]\n"
            f"requirements: {{DockerRequirement: {{dockerPull: '{name}'}}}}\n"
            "arguments: ['cat $(inputs.text.path)']\ninputs: {text: File}\noutputs: {said: stdout}\n"
        )
        (self.folder / "in.txt").write_text("hello\n")
        path = self.folder / "demo.stage"
        containers = f"containers: [{{image: '{name}', source: '{source}'}}]\n" if source else ""
        path.write_text(
            "workflow_id: tool.cwl\nvault: gocryptfs\nworkflow_config: {containerType: podman}\n"
            f"params:\n  text: {{c-l-a-s-s: File, url: in.txt}}\n{containers}"
        )
        items = self.wfexs.ok("stage", path)["items"]
        assert isinstance(items, list)
        return {one["role"]: one for one in items}

    def stored(self) -> set[str]:
        """The digests of what is in the store that all working directories share."""
        return {one["sha256"] for one in self.wfexs.ok("cache", "list")["entries"]}


@pytest.fixture
def project(tmp_path: Path, wfexs: Command) -> Project:
    assert wfexs.run("init", "--no-passphrase").returncode == 0
    return Project(tmp_path, wfexs)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with Registry(tmp_path / "registry") as running:
        yield running


def _pushed(image: StagedImage) -> MadeImage:
    return MadeImage(
        manifest=image.blob(image.digest).read_bytes(),
        kind=OCI_MANIFEST,
        blobs={one: image.blob(one).read_bytes() for one in (image.config, *image.layers)},
        config=image.config,
        layers=image.layers,
    )


@pytest.mark.registry
def test_an_image_of_a_registry_is_fetched_once_and_nothing_else_is_shared(
    project: Project, registry: Registry
) -> None:
    image = tools_image(project.folder / "layout", name="tools")
    registry.push("team/tools", "1", _pushed(image))
    name = f"{registry.host}/team/tools:1"
    first = project.stage(name)
    assert first["container"]["source"] == "fetched"
    assert project.stored() == {image.digest, image.config, *image.layers}
    for layer in image.layers:
        registry.blob(layer).unlink()
    second = project.stage(name)
    assert (second["container"]["source"], second["input"]["source"]) == ("cache", "fetched"), second
    shown = project.wfexs.ok("show", "last")
    assert json.dumps(shown).count(image.digest) >= 1


@pytest.mark.podman
def test_an_image_that_lies_on_this_machine_is_not_shared(project: Project) -> None:
    image = tools_image(project.folder / "layout", name="tools")
    assert project.stage("tools", "oci:layout:tools")["container"]["sha256"] == image.digest
    assert project.stored() == set()
