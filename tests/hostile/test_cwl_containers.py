"""Hostile tools in containers: what they can't see, change or reach, with the real docker and podman."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engines.execution import Status
from engines.journal import JOURNAL
from staging.errors import ContainerError
from tests.support.cwl_containers import ContainerBench, boxed, boxes, docked, in_image, loaded
from tests.support.loaded_images import OTHER, TOOLS
from tests.support.runs import bench, installed, tool

__all__ = ["bench", "boxed", "boxes", "docked", "installed", "loaded"]

pytestmark = pytest.mark.cwltool

FILE = "{file: {type: File, inputBinding: {}}}"
ANY_END = "stdout: out.txt\nsuccessCodes: [0, 1, 2, 125]"


def started(boxes: ContainerBench) -> int:
    """How many containers were started."""
    lines = (boxes.bench.content / "runs" / "1" / JOURNAL).read_text().splitlines()
    return sum(json.loads(one)["event"] == "container-started" for one in lines)


def test_a_tool_in_a_container_changes_nothing_but_its_own_folders_and_sees_nothing_else(boxes: ContainerBench) -> None:
    secret = boxes.bench.file("secret.txt", "unseen\n")
    command = (
        'echo worse > "$0"; rm -f "$0"; mv "$0" "$0.old"; echo x > /etc/mine; mkdir /mine;'
        f" cat {secret['path']}; ls {boxes.bench.content}; mount -o remount,rw /; chroot / true && echo rooted; cat $0"
    )
    boxes.write(main=in_image(TOOLS, command, inputs=FILE, more=ANY_END))
    staged = boxes.bench.file("in.txt", "b\na\n")
    Path(staged["path"]).chmod(0o666)

    execution = boxes.run({"file": staged})

    assert execution.status is Status.COMPLETED, (execution.error, boxes.log())
    assert boxes.text(execution.outputs["out"]) == "b\na\n"
    assert Path(staged["path"]).read_text() == "b\na\n"


@pytest.mark.docker
def test_a_link_to_a_file_of_this_machine_is_no_output(docked: ContainerBench) -> None:
    docked.write(
        main=in_image(
            TOOLS,
            "ln -s /etc/hostname out.txt; ln -s /etc/passwd /tmp/p; true",
            outputs="{out: {type: File, outputBinding: {glob: out.txt}}}",
            more="",
        )
    )

    execution = docked.run()

    assert execution.status is Status.FAILED
    assert execution.outputs == {}


def test_a_step_on_this_machine_cannot_have_a_container_of_its_own(boxes: ContainerBench) -> None:
    boxes.write(
        main=tool(
            'docker="$(ls -d ../../door/commands/docker ../../../door/commands/docker 2>/dev/null | head -1)";'
            f' test -n "$docker" || exit 3; "$docker" run --privileged -v /:/host {TOOLS} cat /host/etc/shadow 2>&1;'
            f' "$docker" run {TOOLS} echo inside 2>&1; env',
            more=ANY_END,
        )
    )

    execution = boxes.run()

    assert execution.status is Status.COMPLETED, (execution.error, boxes.log())
    said = boxes.text(execution.outputs["out"])
    assert "root:" not in said
    assert "inside" not in said
    assert "WFEXS_LIKE_DOOR" not in said
    assert started(boxes) == 0


@pytest.mark.docker
def test_an_image_s_name_is_no_option(docked: ContainerBench) -> None:
    docked.write(main=in_image("--privileged", "true"))

    with pytest.raises(ContainerError, match="--privileged"):
        docked.run()


@pytest.mark.docker
def test_a_tool_cannot_name_another_s_outputs_as_its_own(docked: ContainerBench) -> None:
    """What two steps make lies apart: the second sees of the first only what it is given."""
    docked.write(
        main="""
        cwlVersion: v1.2
        class: Workflow
        inputs: {}
        outputs: {out: {type: File, outputSource: second/out}}
        steps:
          first: {run: first.cwl, in: {}, out: [out]}
          second: {run: second.cwl, in: {file: first/out}, out: [out]}
        """,
        first=in_image(TOOLS, "echo given; echo private > private.txt"),
        second=in_image(OTHER, 'ls "$(dirname "$0")"; find / -name private.txt 2>/dev/null; true', inputs=FILE),
    )

    execution = docked.run()

    assert execution.status is Status.COMPLETED, (execution.error, docked.log())
    assert docked.text(execution.outputs["out"]) == "out.txt\n"
