"""What a step finds of encrypted areas: its own content, neither the cipher text of that nor anything of others."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.conftest import Command
from tests.support.canaries import EngineName
from tests.support.container_daemons import Containing
from tests.support.images import tools_image
from tests.support.vaults import Encrypted, Going, staged_once, vault, wait_for

__all__ = ["staged_once", "vault"]

pytestmark = [pytest.mark.gocryptfs, pytest.mark.fuse, pytest.mark.netns]

IMAGE = "example.org/tools:1"
LOOK = """\
ls -A {area}/work; cat {area}/work/stage.yaml; {cipher}
grep -o wfexs-like:[-0-9a-f]* /proc/self/mountinfo | sort -u; sleep {seconds}; echo looked"""
CWL = """\
cwlVersion: v1.2
class: CommandLineTool
baseCommand: [sh, -c]
arguments: ['{look}']
requirements: {{{requirement}}}
inputs: {{}}
outputs: {{out: stdout}}
stdout: out.txt
"""
NEXTFLOW = """\
process LOOK {{
  publishDir params.outdir ?: 'results'
  {requirement}
  output: path 'out.txt'
  shell:
  '''
  (set +e; {look}) > out.txt 2> /dev/null
  '''
}}
workflow {{ LOOK() }}
"""


@dataclass(frozen=True)
class Looker:
    """A working directory whose only step looks for the area ``area`` and sleeps."""

    root: Path
    wfexs: Command

    def start(self) -> Going:
        return Going([*self.wfexs.argv, "--json", "run", str(self.root)])

    def found(self) -> list[str]:
        """What the step of its first run saw."""
        told = self.wfexs.run("shell", self.root, "--", "sh", "-c", "cat $(find runs/1/outputs -name out.txt)")
        assert told.returncode == 0, told.stderr
        return told.stdout.split()


def looker(
    vault: Encrypted, wfexs: Command, engine: EngineName, *, kind: str, seconds: float = 0, container: str = "none"
) -> Looker:
    """One that looks for what ``vault`` is; of the same installation, staged as ``kind``."""
    own = "ls -A `pwd | sed s,/work/.*,/vault,`"
    cipher = own if container == "none" else f"ls -d {vault.root.parent}/*/vault"
    look = LOOK.format(area=vault.root, seconds=seconds, cipher=cipher)
    requirement = ""
    if container != "none":
        requirement = (
            f"container '{IMAGE}'" if engine == "nextflow" else f'DockerRequirement: {{dockerPull: "{IMAGE}"}}'
        )
    name = "main.nf" if engine == "nextflow" else "main.cwl"
    text = (NEXTFLOW if engine == "nextflow" else CWL).format(look=look.replace("\n", "; "), requirement=requirement)
    (vault.home / name).write_text(text)
    stage = vault.home / "look.wfex.stage"
    stage.write_text(
        f"workflow_id: {name}\nengine: {engine}\nvault: {kind}\nworkflow_config: {{containerType: {container}}}\n"
        + (f'containers:\n  - {{image: "{IMAGE}", source: "oci:{vault.home}/image:{IMAGE}"}}\n' * (container != "none"))
    )
    return Looker(root=Path(wfexs.ok("stage", stage)["path"]), wfexs=wfexs)


def processes(pattern: str) -> dict[int, str]:
    """The processes of that command line, and what is mounted where they are."""
    found = {}
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdecimal() and (entry / "cmdline").read_bytes() == pattern.encode():
                found[int(entry.name)] = (entry / "mountinfo").read_text()
    return found


@pytest.mark.parametrize(
    ("engine", "kind"),
    [
        pytest.param("cwltool", "plain", marks=pytest.mark.cwltool),
        pytest.param("cwltool", "gocryptfs", marks=pytest.mark.cwltool),
        pytest.param("nextflow", "gocryptfs", marks=pytest.mark.nextflow),
    ],
)
def test_a_step_finds_nothing_of_another_open_area_which_closes_while_the_step_goes_on(
    vault: Encrypted, engine: EngineName, kind: str, request: pytest.FixtureRequest
) -> None:
    if engine == "nextflow":
        request.getfixturevalue("nextflow")
    seconds = 10**6 + os.getpid()
    other = looker(vault, vault.wfexs, engine, kind=kind, seconds=seconds)
    vault.wfexs.ok("mount", vault.root)
    server = vault.server()
    run = other.start()
    try:
        ((step, mounted),) = wait_for(lambda: processes(f"sleep\0{seconds}\0"), 90).items()
        assert vault.root.name not in mounted
        assert vault.wfexs.ok("unmount", vault.root)["closed"] is True
        wait_for(lambda: not Path(f"/proc/{server}").exists())
        os.kill(step, signal.SIGTERM)
    finally:
        run.ended(None if sys.exc_info()[0] is None else signal.SIGKILL)
    own = [f"wfexs-like:{other.root.name}"] * (kind == "gocryptfs")
    assert other.found() == [*own, "looked"]


@pytest.mark.parametrize(
    ("engine", "daemon"),
    [
        pytest.param("cwltool", "docker_daemon", marks=[pytest.mark.cwltool, pytest.mark.docker]),
        pytest.param("nextflow", "podman_home", marks=[pytest.mark.nextflow, pytest.mark.podman]),
    ],
)
def test_a_container_finds_neither_cipher_text_nor_another_area(
    vault: Encrypted, engine: EngineName, daemon: str, request: pytest.FixtureRequest
) -> None:
    if engine == "nextflow":
        request.getfixturevalue("nextflow")
    containing: Containing = request.getfixturevalue(daemon)
    tools_image(vault.home / "image", name=IMAGE)
    wfexs = replace(vault.wfexs, environment=containing.environment | {"HOME": str(vault.home)})
    other = looker(vault, wfexs, engine, kind="gocryptfs", container=containing.command)
    vault.wfexs.ok("mount", vault.root)
    wfexs.ok("run", other.root)
    assert sorted({*other.found()} - {f"wfexs-like:{other.root.name}"}) == ["looked"]
