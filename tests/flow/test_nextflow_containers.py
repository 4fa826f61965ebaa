"""Nextflow's tasks in containers: with the real Nextflow, docker and podman."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from engines.base import Wish
from engines.execution import Status
from engines.stopping import stop
from staging.definition import EngineSettings
from tests.support.container_daemons import DockerDaemon
from tests.support.loaded_images import BARE, OTHER, TOOLS
from tests.support.nextflow_containers import ContainerBench, boxed, boxes, docked, loaded
from tests.support.nextflow_runs import (
    VERSIONS,
    Background,
    NextflowBench,
    holders,
    journal,
    nextflows,
    oldest_and_newest,
    step,
    steps,
    wait_for,
)

__all__ = ["boxed", "boxes", "docked", "loaded", "nextflows", "oldest_and_newest"]

pytestmark = pytest.mark.nextflow

HELLO = "#!/bin/bash\necho hello from the project\n"
FIRST = f"""
    process FIRST {{
      container '{TOOLS}'
      cpus 1
      memory '64 MB'
      publishDir launchDir, mode: 'copy'
      input: path 'x.txt'
      output: path 'first.txt'
      script:
      '''
      hello.sh > first.txt
      cat /etc/which x.txt >> first.txt
      (echo harm > x.txt) 2> /dev/null && echo harmed >> first.txt
      (echo harm > /harm.txt) 2> /dev/null && echo harmed >> first.txt
      (timeout 5 bash -c 'exec 3<> /dev/tcp/192.0.2.1/80') 2> /dev/null || echo nowhere to go >> first.txt
      echo $(env | grep -c WFEXS) doors >> first.txt
      echo scratch > /tmp/scratch.txt
      sleep 1
      '''
    }}
"""
MAIN = (
    FIRST
    + f"""
    process SECOND {{
      container '{OTHER}'
      publishDir launchDir
      input: path 'a.txt'
      output: path 'second.txt'
      script:
      '''
      cat /etc/which a.txt > second.txt
      '''
    }}
    process THIRD {{
      publishDir launchDir, mode: 'move'
      input: path 'b.txt'
      output: path 'third.txt'
      script:
      '''
      (cat /etc/which || echo this machine) > third.txt 2> /dev/null
      wc -l < b.txt >> third.txt
      '''
    }}
    workflow {{ FIRST(file(params.x)); SECOND(FIRST.out); THIRD(SECOND.out) }}
"""
)
OWN_WAYS = """
    docker { temp = '/var/tmp/mine'; sudo = true; fixOwnership = true; userEmulation = true; legacy = true; tty = true
             engineOptions = '--debug'; mountFlags = 'Z'; remove = false; kill = false; writableInputMounts = true
             runOptions = '-u $(id -u):$(id -g)' }
    podman.enabled = true
    singularity.enabled = true
"""
"""What a workflow's configuration may say of how containers are started."""


def _write(box: ContainerBench, main: str, **others: str) -> None:
    box.bench.write(main, **{"bin/hello.sh": HELLO}, **others)
    (box.bench.workflow / "bin" / "hello.sh").chmod(0o755)


def _check_main(box: ContainerBench) -> None:
    """Run it, and look at all that a user would."""
    containers, images = box.host.containers(), box.host.images()
    x = box.bench.file("x.txt", "data\n")

    execution = box.run({"x": x["path"]})

    assert execution.status is Status.COMPLETED, execution.error
    assert box.bench.read("first.txt") == "hello from the project\ntools\ndata\nnowhere to go\n0 doors\n"
    assert box.bench.read("second.txt") == "other\n" + box.bench.read("first.txt")
    assert box.bench.read("third.txt") == "this machine\n6\n"
    assert Path(x["path"]).read_text() == "data\n"
    assert {path.lstat().st_uid for path in box.bench.folder().rglob("*")} == {os.geteuid()}
    assert box.host.containers() == containers
    assert {one for one in set(box.host.images()) ^ set(images) if not one.endswith(" <none>:<none>")} == set()
    first, second, third = (step(execution, name) for name in ("FIRST", "SECOND", "THIRD"))
    assert [one.container for one in (first, second, third)] == [TOOLS, OTHER, None]
    assert first.resources["wall_seconds"] >= 1
    assert first.resources["max_rss_bytes"] > 100_000
    staged = box.containers.images
    assert [(one["image"], one["id"]) for one in box.started()] == [
        (name, f"sha256:{staged[name].config}") for name in (TOOLS, OTHER)
    ]


def test_tasks_run_in_the_images_of_their_processes(boxes: ContainerBench) -> None:
    _write(boxes, MAIN, nextflow__config=OWN_WAYS)

    _check_main(boxes)


@pytest.mark.docker
def test_the_oldest_version_runs_tasks_in_images_too(
    boxed: Callable[..., ContainerBench], docker_daemon: DockerDaemon
) -> None:
    box = boxed(docker_daemon, VERSIONS[0])
    _write(box, MAIN, nextflow__config=OWN_WAYS)

    _check_main(box)


def test_what_a_process_may_ask_for_works_in_a_container(boxes: ContainerBench, home: Path) -> None:
    store = home / ".nextflow" / "secrets" / "store.json"
    store.parent.mkdir(parents=True)
    store.write_text(json.dumps([{"name": "TOKEN", "value": "v3ry-s3cret"}]))
    boxes.bench.write(
        f"""
        process TALKS {{
          container '{TOOLS}'
          secret 'TOKEN'
          scratch true
          stageInMode 'copy'
          containerOptions '--shm-size 64m'
          beforeScript 'export OUTSIDE=1'
          publishDir launchDir, mode: 'link'
          input: path 'x.txt'; stdin
          output: path 'folder'; env SAID
          script:
          template 'talk.sh'
        }}
        process AGAIN {{
          container {{ said.startsWith('this was') ? '{OTHER}' : '{TOOLS}' }}
          errorStrategy 'retry'
          input: val said
          output: stdout
          shell:
          '''
          cat /etc/which
          [[ !{{task.attempt}} == 2 ]]
          '''
        }}
        workflow {{ TALKS(file(params.x), 'spoken'); AGAIN(TALKS.out[1]); AGAIN.out.view() }}
        """,
        **{
            "nextflow.config": "env.GREETING = 'welcome'\n",
            "templates/talk.sh": """\
            #!/bin/bash
            mkdir folder
            cat - x.txt > folder/a.txt
            echo "\\$GREETING, token of \\${#TOKEN} letters" >> folder/a.txt
            [[ ! -L x.txt ]] && chmod u+w x.txt && echo more >> x.txt
            SAID="this was \\$(tail -n 1 x.txt)"
            """,
        },
    )
    x = boxes.bench.file("x.txt", "data\n")

    execution = boxes.run({"x": x["path"]}, settings=EngineSettings(secrets=("TOKEN",)))

    assert execution.status is Status.COMPLETED, execution.error
    assert boxes.bench.read("folder/a.txt") == "spokendata\nwelcome, token of 11 letters\n"
    assert Path(x["path"]).read_text() == "data\n"
    assert "this was more" in step(execution, "TALKS").outputs.values()
    assert [(one.container, one.status) for one in steps(execution, "AGAIN")] == [
        (OTHER, Status.FAILED),
        (OTHER, Status.COMPLETED),
    ]
    assert holders(boxes.bench.content, "v3ry-s3cret") == []


@pytest.mark.docker
def test_a_failed_run_is_gone_on_from_with_what_its_containers_made(docked: ContainerBench) -> None:
    main = (
        FIRST
        + f"""
        process FALLS {{
          container '{OTHER}'
          publishDir launchDir
          input: path 'a.txt'; val broken
          output: path 'b.txt'
          script:
          "cp a.txt b.txt; ${{broken ? 'echo it breaks >&2; exit 3' : ''}}"
        }}
        workflow {{ FIRST(file(params.x)); FALLS(FIRST.out, params.broken) }}
        """
    )
    _write(docked, main)
    x = docked.bench.file("x.txt", "data\n")

    broken = docked.run({"x": x["path"], "broken": True})
    execution = docked.run({"x": x["path"], "broken": False}, run=2, resume=1)

    assert broken.status is Status.FAILED
    assert broken.error == "task 'FALLS' failed: exit code 3"
    assert execution.status is Status.COMPLETED, execution.error
    assert step(execution, "FIRST").cached
    assert docked.bench.read("b.txt", 2) == docked.bench.read("first.txt", 2)
    assert [one["image"] for one in docked.started(2)] == [OTHER]


def test_a_cancelled_run_leaves_no_container(boxes: ContainerBench) -> None:
    boxes.bench.write(
        f"""
        process LONG {{
          container '{TOOLS}'
          script:
          "trap '' TERM INT; touch begun; sleep 600 & wait; sleep 600"
        }}
        workflow {{ LONG() }}
        """
    )
    run = Background(boxes.bench, boxes.request())
    wait_for(lambda: list(boxes.bench.folder().glob("engine/work/*/*/begun")))
    assert boxes.host.containers() != ()

    assert stop(boxes.bench.folder())
    execution = run.join()

    assert execution.status is Status.KILLED
    assert boxes.host.containers() == ()


def test_an_image_without_bash_is_told_to_be_one(boxes: ContainerBench) -> None:
    boxes.bench.write(
        f"""
        process SMALL {{
          container '{BARE}'
          script:
          "true"
        }}
        workflow {{ SMALL() }}
        """
    )

    execution = boxes.run()

    assert execution.status is Status.FAILED
    assert execution.error == (
        f"task 'SMALL' failed: the image {BARE} has no bash, which Nextflow needs in every container"
    )
    assert journal(boxes.bench.folder())[-1]["error_kind"] == "container"


def test_the_images_of_processes_are_told_as_a_run_in_containers_names_them(
    oldest_and_newest: NextflowBench,
) -> None:
    bench = oldest_and_newest
    bench.write(
        """
        include { ALIGN; ALIGN as OTHER_ALIGN; RETRIED; CHOSEN; WITHIN; LABELLED; PLAIN } from './modules/all.nf'
        workflow { ALIGN(); OTHER_ALIGN(); RETRIED(); CHOSEN('a'); WITHIN(); LABELLED(); PLAIN() }
        """,
        **{
            "modules/all.nf": """
            process ALIGN {
              container "${ workflow.containerEngine == 'singularity' && !task.ext.singularity_pull_docker_container ?
                  'https://depot.example/align' : 'biocontainers/align:1.0' }"
              script: "true"
            }
            process RETRIED {
              errorStrategy 'retry'
              maxRetries 2
              container { task.attempt < 3 ? "quay.io/some/retried:${task.attempt}" : 'quay.io/some/retried:9' }
              script: "true"
            }
            process CHOSEN {
              container "some/${x}:1"
              input: val x
              script: "true"
            }
            process LABELLED {
              label 'big'
              script: "true"
            }
            process PLAIN { script: "true" }
            workflow WITHIN { ALIGN() }
            """,
            "nextflow.config": """
            docker.registry = 'reg.example:5000/mirror'
            singularity.enabled = true
            process {
              withName: 'WITHIN:ALIGN' { container = 'reg.example/align/within:1' }
              withName: 'OTHER_ALIGN' { container = 'reg.example/align/alias:2' }
              withLabel: 'big' { container = 'labelled:3' }
            }
            """,
        },
    )

    interface = bench.engine.inspect(bench.workflow, None, bench.installed, Wish(containers=True))

    tools = {one.id: one for one in interface.tools}
    recipe = tools["ALIGN"].container_recipe
    assert recipe is not None
    assert {tools["ALIGN"].container, *recipe["also"]} == {  # type: ignore[misc]
        "reg.example:5000/mirror/biocontainers/align:1.0",
        "reg.example/align/within:1",
        "reg.example/align/alias:2",
    }
    assert tools["RETRIED"].container == "quay.io/some/retried:1"
    assert tools["RETRIED"].container_recipe == {"also": ["quay.io/some/retried:2", "quay.io/some/retried:9"]}
    assert tools["CHOSEN"].container is None
    assert tools["CHOSEN"].container_recipe == {"unknown": "it depends on x of each task"}
    assert tools["LABELLED"].container == "reg.example:5000/mirror/labelled:3"
    assert tools["PLAIN"].container is None
    assert "1 process names no container, so its tasks run on this machine itself: PLAIN" in interface.notes
