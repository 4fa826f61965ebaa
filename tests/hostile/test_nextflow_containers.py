"""Hostile pipelines in containers: what a task asks for and does not get, and what it can't reach."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines.execution import Status
from tests.support.loaded_images import OTHER, TOOLS
from tests.support.nextflow_containers import ContainerBench, boxed, boxes, docked, loaded
from tests.support.nextflow_runs import journal, nextflows

__all__ = ["boxed", "boxes", "docked", "loaded", "nextflows"]

pytestmark = pytest.mark.nextflow


@pytest.mark.docker
@pytest.mark.parametrize(
    ("options", "named"),
    [("--privileged -v /:/host", "'--privileged'"), ("-v /:/host", "'/'")],
    ids=["privileged", "machine"],
)
def test_a_process_that_wants_more_than_a_container_may_have_is_refused(
    docked: ContainerBench, options: str, named: str
) -> None:
    docked.bench.write(
        f"""
        process GREEDY {{
          container '{TOOLS}'
          containerOptions '{options}'
          script:
          "touch begun"
        }}
        workflow {{ GREEDY() }}
        """
    )

    execution = docked.run()

    assert execution.status is Status.FAILED
    assert execution.error is not None
    assert execution.error.startswith("task 'GREEDY' failed: a container was asked for ")
    assert named in execution.error
    assert journal(docked.bench.folder())[-1]["error_kind"] == "policy"
    assert docked.started() == []
    assert list(docked.bench.folder().glob("engine/work/*/*/begun")) == []


def test_a_task_reaches_no_daemon_no_other_image_and_nobodys_files(boxes: ContainerBench) -> None:
    """A task outside of containers has the door and nothing else; one in a container has not even that."""
    daemon = boxes.host.environment.get("DOCKER_HOST", "unix:///nowhere").removeprefix("unix://")
    secret = boxes.host.folder / "mine.txt"
    secret.write_text("mine")
    boxes.bench.write(
        f"""
        process FIRST {{
          publishDir launchDir
          output: path 'first.txt'
          script:
          '''
          docker run --rm -v $PWD:$PWD example.org/elsewhere:1 true 2> refused.txt || code=$?
          echo "another image: $code" > first.txt
          docker run --rm --network host {TOOLS} true 2>> refused.txt || code=$?
          echo "host's network: $code" >> first.txt
          ! test -S {daemon} || echo a daemon >> first.txt
          '''
        }}
        process SECOND {{
          container '{OTHER}'
          publishDir launchDir
          input: path 'x.txt'
          output: path 'second.txt'
          script:
          '''
          (docker ps; ls {daemon} {secret} !{{params.content}}/runs/1/journal.jsonl) > seen.txt 2> /dev/null || true
          find !{{params.content}} -name '*.txt' ! -path "$PWD/*" > others.txt 2> /dev/null || true
          for one in $(cat others.txt); do echo harm 2> /dev/null >> $one && echo $one >> harmed.txt; done || true
          cat seen.txt > second.txt
          cat harmed.txt 2> /dev/null >> second.txt || true
          '''
        }}
        workflow {{ FIRST(); SECOND(FIRST.out) }}
        """.replace("!{params.content}", str(boxes.bench.content))
    )

    execution = boxes.run()

    assert execution.status is Status.COMPLETED, execution.error
    assert boxes.bench.read("first.txt") == "another image: 125\nhost's network: 125\n"
    assert boxes.bench.read("second.txt") == ""
    assert secret.read_text() == "mine"
    assert [one["image"] for one in boxes.started()] == [OTHER]
    assert boxes.host.containers() == ()
    assert Path(boxes.bench.folder() / "journal.jsonl").exists()
