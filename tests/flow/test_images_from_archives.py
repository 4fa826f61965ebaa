"""Images that CWL documents take out of archives (dockerLoad, dockerImport), run in docker and podman."""

from __future__ import annotations

import gzip
import json
import lzma
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import Command
from tests.support.container_daemons import Containing
from tests.support.images import BUSYBOX, Entry, layer, tools_image
from tests.support.web import File, WebServer

pytestmark = pytest.mark.cwltool

TOOL = """\
cwlVersion: v1.2
class: CommandLineTool
requirements:
  DockerRequirement: {{{how}}}
baseCommand: [sh, -c]
arguments: ["cat /etc/which; cat $(inputs.text.path)"]
inputs: {{text: File}}
outputs: {{said: stdout}}
stdout: said.txt
"""
STEPS = ("loaded", "loaded_far", "imported", "imported_far")


@pytest.fixture(
    params=[pytest.param("docker", marks=pytest.mark.docker), pytest.param("podman", marks=pytest.mark.podman)]
)
def host(request: pytest.FixtureRequest) -> Iterator[Containing]:
    """docker or podman, of the tests' own."""
    found = request.getfixturevalue({"docker": "docker_daemon", "podman": "podman_home"}[request.param])
    assert isinstance(found, Containing)
    yield found


def file_system(text: str) -> bytes:
    """A tar of a root that has no more than a shell, and a file that says ``text``."""
    links = (Entry(f"bin/{name}", link="busybox") for name in ("sh", "cat"))
    said = Entry("etc/which", text.encode(), mode=0o644)
    return layer((Entry("bin"), Entry("bin/busybox", BUSYBOX.read_bytes()), *links, Entry("etc"), said, Entry("tmp")))


def saved(folder: Path, name: str, text: str) -> Path:
    """An archive as ``docker save`` writes it, of an image whose file says ``text``."""
    tools_image(folder / f"layout-{name}", name=name, bash=False, more=[Entry("etc/which", text.encode(), mode=0o644)])
    path = folder / f"{name}.tar"
    source = f"oci:{folder}/layout-{name}:{name}"
    subprocess.run(["skopeo", "copy", "-q", source, f"docker-archive:{path}:{name}:1"], check=True)
    shutil.rmtree(folder / f"layout-{name}")
    return path


@pytest.mark.registry
def test_steps_run_in_images_out_of_archives_beside_the_workflow_and_far_from_it(
    tmp_path: Path, host: Containing, wfexs: Command
) -> None:
    saved(tmp_path, "near", "loaded\n")
    (tmp_path / "root.tar.xz").write_bytes(lzma.compress(file_system("imported\n"), preset=0))
    with WebServer() as web:
        web.files["/far.tar"] = File(saved(tmp_path, "far", "loaded from afar\n").read_bytes())
        web.files["/root.tgz"] = File(gzip.compress(file_system("imported from afar\n"), 1))
        (tmp_path / "far.tar").unlink()
        asked = {
            "loaded": "dockerLoad: near.tar, dockerImageId: 'near:1'",
            "loaded_far": f"dockerLoad: '{web.url('/far.tar')}', dockerImageId: 'far:1'",
            "imported": "dockerImport: root.tar.xz, dockerImageId: 'root:1'",
            "imported_far": f"dockerImport: '{web.url('/root.tgz')}', dockerImageId: far-root",
        }
        steps, before = [], "text"
        for name in STEPS:
            (tmp_path / f"{name}.cwl").write_text(TOOL.format(how=asked[name]))
            steps.append(f"  {name}: {{run: {name}.cwl, in: {{text: {before}}}, out: [said]}}\n")
            before = f"{name}/said"
        (tmp_path / "wf.cwl").write_text(
            "cwlVersion: v1.2\nclass: Workflow\ninputs: {text: File}\n"
            f"outputs:\n  said: {{type: File, outputSource: {before}}}\nsteps:\n{''.join(steps)}"
        )
        (tmp_path / "in.txt").write_text("hello\n")
        path = tmp_path / "demo.stage"
        path.write_text(
            f"workflow_id: wf.cwl\nworkflow_config: {{secure: false, containerType: {host.command}}}\n"
            "params:\n  text: {c-l-a-s-s: File, url: in.txt}\n"
        )
        staged = wfexs.ok("stage", path)
        again = wfexs.ok("stage", path, "--locked", staged["lock"]["path"])
    first, second = (json.loads(Path(one["lock"]["path"]).read_bytes()) for one in (staged, again))
    assert first["digest"] == second["digest"]
    items = {one["name"]: one for one in staged["items"] if one["role"] == "container"}
    assert set(items) == {"near:1", "far:1", "root:1", "far-root"}
    for name in ("root.tar.xz", "near.tar"):
        (tmp_path / name).unlink()

    result = replace(wfexs, environment=host.environment).ok("run", staged["id"])

    said = Path(result["outputs"]["said"]["path"]).read_text()
    assert said == "imported from afar\nimported\nloaded from afar\nloaded\nhello\n"
    ran = {one["name"]: one["id"].removeprefix("sha256:") for one in result["container"]["images"]}
    assert ran == {name: one["image"]["config"] for name, one in items.items()}
    # It is judged once: which program ran the containers makes no difference.
    judged = host.command == "docker"
    asked_for = ("--retrospective", "--include", "outputs,containers", *(() if judged else ("--no-validate",)))
    crate = wfexs.ok("crate", staged["id"], tmp_path / "a.crate", *asked_for)
    assert not judged or crate["validation"]["required"] == 0
    subprocess.run(["skopeo", "inspect", f"oci:{tmp_path}/a.crate/containers:root:1"], capture_output=True, check=True)


def test_what_is_no_file_system_is_told_with_the_step_that_wants_it(tmp_path: Path, wfexs: Command) -> None:
    (tmp_path / "root.tar").write_text("hello\n" * 200)
    (tmp_path / "one.cwl").write_text(TOOL.format(how="dockerImport: root.tar, dockerImageId: mine"))
    (tmp_path / "in.txt").write_text("hello\n")
    path = tmp_path / "demo.stage"
    path.write_text(
        "workflow_id: one.cwl\nworkflow_config: {secure: false, containerType: docker}\n"
        "params:\n  text: {c-l-a-s-s: File, url: in.txt}\n"
    )
    answer = wfexs("stage", path)
    assert answer.code == 6
    message = answer.object["error"]["message"]
    assert "holds no file system" in message
    assert "(wanted by the tool" in message
