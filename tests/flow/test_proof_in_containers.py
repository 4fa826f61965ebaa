"""Proof of a workflow whose steps run in containers: the trial finds the user's runtime, and nothing of it stays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Command
from tests.flow.test_proof import proof_of
from tests.flow.test_staged_images import made
from tests.support.container_daemons import Containing
from tests.support.images import Entry, tools_image
from tests.support.registries import Registry

pytestmark = [pytest.mark.netns, pytest.mark.cwltool, pytest.mark.registry]

TOOL = """cwlVersion: v1.2
class: CommandLineTool
requirements:
  DockerRequirement: {{dockerPull: "{image}"}}
baseCommand: [sh, -c]
arguments: ['{command}']
inputs:
  data: {{type: File, inputBinding: {{position: 1}}}}
outputs: {{out: stdout}}
stdout: out.txt
"""
STAGE = """workflow_id: main.cwl
workflow_config: {{secure: false, containerType: {runtime}}}
params:
  data: {{c-l-a-s-s: File, url: data.txt}}
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of an image of a registry, whose ``/etc/which`` tells it apart."""
    entry = Entry("etc/which", b"in the image\n", mode=0o644)
    found = tools_image(tmp_path_factory.mktemp("layout"), name="tools", more=[entry])
    with Registry(tmp_path_factory.mktemp("registry")) as registry:
        registry.push("team/tools", "1", made(found))
        yield f"{registry.host}/team/tools:1"


@pytest.fixture(
    params=[pytest.param("docker", marks=pytest.mark.docker), pytest.param("podman", marks=pytest.mark.podman)]
)
def host(request: pytest.FixtureRequest) -> Containing:
    """A runtime that only the user's environment leads to."""
    found: Containing = request.getfixturevalue("docker_daemon" if request.param == "docker" else "podman_home")
    return found


def prove(wfexs: Command, folder: Path, host: Containing, image: str, command: str, *, code: int) -> dict[str, Any]:
    folder.mkdir(exist_ok=True)
    (folder / "main.cwl").write_text(TOOL.format(command=command, image=image))
    (folder / "data.txt").write_text("staged\n")
    stage = folder / "it.wfex.stage"
    stage.write_text(STAGE.format(runtime=host.command))
    user = replace(wfexs, environment=host.environment)
    told = user("stage", stage, "--prove-offline")
    assert told.code == code, told.stderr
    return proof_of(told.object)


def test_steps_in_containers_are_proven_to_need_nothing_else(
    wfexs: Command, tmp_path: Path, host: Containing, image: str
) -> None:
    proof = prove(wfexs, tmp_path / "good", host, image, "grep -q image /etc/which && cat $0", code=0)
    assert (proof["proven"], proof["outcome"], proof["error"]) == (True, "completed", None)
    assert proof["offline"]["attempts"] == []
    assert host.containers() == ()


def test_what_a_container_tries_to_reach_is_no_proof(
    wfexs: Command, tmp_path: Path, host: Containing, image: str
) -> None:
    proof = prove(wfexs, tmp_path / "bad", host, image, "nc -w 1 192.0.2.7 80 </dev/null; cat $0", code=14)
    assert proof["proven"] is False
    assert [(one["address"], one["port"]) for one in proof["offline"]["attempts"]] == [("192.0.2.7", 80)]
    assert host.containers() == ()
