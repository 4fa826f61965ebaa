"""Offline containers: what a step tries to reach from its container is refused at once, and listed with the step."""

from __future__ import annotations

import os
import time

import pytest

from engines.execution import Status
from engines.journal import JOURNAL, events
from tests.support.cwl_containers import ContainerBench, boxed, boxes, in_image, loaded
from tests.support.loaded_images import TOOLS
from tests.support.runs import bench, installed, tool

__all__ = ["bench", "boxed", "boxes", "installed", "loaded"]

pytestmark = [pytest.mark.cwltool, pytest.mark.netns]

STEPS = """
    cwlVersion: v1.2
    class: Workflow
    inputs: {}
    outputs: {said: {type: File, outputSource: inside/out}}
    steps:
      inside: {run: inside.cwl, in: {}, out: [out]}
      outside: {run: outside.cwl, in: {}, out: [out]}
"""

TRIES = "nc -w 5 192.0.2.7 80 </dev/null; nslookup data.example.org; echo tried"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, as the daemons of the tests do")
def test_a_container_that_tries_is_refused_soon_and_its_step_named(boxes: ContainerBench) -> None:
    boxes.write(
        main=STEPS,
        inside=in_image(TOOLS, f"begun=$(date +%s); {TRIES}; echo $(($(date +%s) - begun))"),
        outside=tool("bash -c 'echo >/dev/tcp/192.0.2.8/81'; true"),
    )

    execution = boxes.run()

    assert execution.status is Status.COMPLETED, (execution.error, boxes.log())
    said = boxes.text(execution.outputs["said"]).split()
    assert "tried" in said
    assert int(said[-1]) < 5, "an attempt that is not answered takes 5 s, and there are two"
    assert execution.containers_watched is True, execution.unwatched_because
    told = {(one.protocol, one.address or one.name, one.step) for one in execution.attempts}
    assert ("tcp", "192.0.2.7", "inside") in told
    assert ("tcp", "192.0.2.8", "outside") in told
    assert any(one.name == "data.example.org" and one.step == "inside" for one in execution.attempts), told
    assert boxes.host.containers() == ()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, as the daemons of the tests do")
def test_the_network_of_containers_is_made_once_for_all_and_does_not_keep_them_waiting(boxes: ContainerBench) -> None:
    boxes.write(main=in_image(TOOLS, "true"))
    boxes.run()

    begun = time.monotonic()
    execution = boxes.run(run=2)
    took = time.monotonic() - begun

    assert execution.attempts == ()
    journal = boxes.bench.content / "runs" / "2" / JOURNAL
    told = [one for one in events(journal) if one["event"] == "network-watched" and one["of"] == "containers"]
    assert len(told) == 1
    print(f"a run with one container: {took:.2f} s")
