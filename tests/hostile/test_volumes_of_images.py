"""What a step of an encrypted working directory writes to a volume that its image wants: not where the runtime is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import Command
from tests.support.container_daemons import Containing
from tests.support.images import Entry, tools_image
from tests.support.vaults import dissolve_all

pytestmark = [pytest.mark.cwltool, pytest.mark.gocryptfs, pytest.mark.fuse]

IMAGE = "example.org/tools:1"
TOOL = f"""\
cwlVersion: v1.2
class: CommandLineTool
baseCommand: [sh, -c]
requirements: {{DockerRequirement: {{dockerPull: '{IMAGE}'}}}}
arguments: ["cat /keep/mark; echo secret > /keep/new; cat /keep/new; grep ' /keep ' /proc/mounts"]
inputs: []
outputs: {{said: stdout}}
stdout: said.txt
"""
STAGE = """\
workflow_id: tool.cwl
vault: gocryptfs
workflow_config: {{containerType: {runtime}}}
containers: [{{image: '{image}', source: 'oci:{layout}:{image}'}}]
"""


@pytest.mark.parametrize(
    ("host", "place"),
    [
        pytest.param("docker_daemon", "fuse.gocryptfs", marks=pytest.mark.docker, id="docker"),
        pytest.param("podman_home", "tmpfs", marks=pytest.mark.podman, id="podman"),
    ],
)
def test_it_is_in_memory_or_in_the_working_directory_and_nothing_of_it_stays(
    host: str, place: str, wfexs: Command, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    runtime: Containing = request.getfixturevalue(host)
    home: Path = request.getfixturevalue("home")
    wfexs = replace(wfexs, environment=runtime.environment | {"HOME": str(home)})
    assert wfexs.run("init", "--no-passphrase").returncode == 0
    kept = [Entry("keep", mode=0o1777), Entry("keep/mark", b"of the image\n", mode=0o644)]
    tools_image(tmp_path / "layout", name=IMAGE, more=kept, config={"Volumes": {"/keep": {}}})
    (tmp_path / "tool.cwl").write_text(TOOL)
    (tmp_path / "demo.stage").write_text(STAGE.format(runtime=runtime.command, image=IMAGE, layout=tmp_path / "layout"))
    root = Path(wfexs.ok("stage", tmp_path / "demo.stage")["path"])
    try:
        path = wfexs.ok("run", root)["outputs"]["said"]["path"]
        said = wfexs.run("shell", root, "--", "cat", path).stdout.splitlines()
        assert said[:2] == ["of the image", "secret"]
        assert said[2].split()[1:3] == ["/keep", place]
        left = wfexs.run("shell", root, "--", "find", ".", "-name", "new")
        assert (left.returncode, left.stdout) == (0, "")
        assert runtime.run("volume", "ls", "--quiet") == ""
    finally:
        dissolve_all(root.parent)
