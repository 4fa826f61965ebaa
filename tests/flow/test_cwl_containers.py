"""Running CWL in containers, with the real cwltool, docker and podman: what a step sees, makes, and is told of."""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engines.execution import Status
from engines.journal import JOURNAL, events
from engines.stopping import stop
from staging.errors import ContainerError
from tests.support.cwl_containers import ContainerBench, boxed, boxes, docked, in_image, loaded, owners
from tests.support.loaded_images import OTHER, TOOLS
from tests.support.runs import bench, installed, step, tool

__all__ = ["bench", "boxed", "boxes", "docked", "installed", "loaded"]

pytestmark = pytest.mark.cwltool

FILE = "{file: {type: File, inputBinding: {}}}"


def named(images: tuple[str, ...]) -> list[str]:
    """The images that have a name, of ``Containing.images``."""
    return [one for one in images if not one.endswith("<none>:<none>")]


STEPS = f"""
    cwlVersion: v1.2
    class: Workflow
    inputs: {{text: File}}
    outputs:
      a: {{type: File, outputSource: first/out}}
      b: {{type: File, outputSource: second/out}}
      c: {{type: File, outputSource: third/out}}
    steps:
      first: {{run: which.cwl, in: {{file: text}}, out: [out]}}
      second:
        run: plain.cwl
        in: {{file: first/out}}
        out: [out]
        requirements: {{DockerRequirement: {{dockerPull: "{OTHER}"}}}}
      third: {{run: plain.cwl, in: {{file: second/out}}, out: [out]}}
"""


def test_each_step_runs_in_its_own_image_and_the_record_tells(boxes: ContainerBench) -> None:
    boxes.write(
        main=STEPS,
        which=in_image(TOOLS, "cat $0 /etc/which; id -u; pwd", inputs=FILE),
        plain=tool("cat $0; cat /etc/which || echo this machine", inputs=FILE),
    )
    before = boxes.host.images()

    execution = boxes.run({"text": boxes.bench.file("lines.txt", "in\n")})

    assert execution.status is Status.COMPLETED, (execution.error, boxes.log())
    first = boxes.text(execution.outputs["a"]).split()
    assert first[:3] == ["in", "tools", str(os.geteuid())]
    assert not Path(first[3]).exists()
    assert boxes.text(execution.outputs["b"]).split()[-1] == "other"
    assert boxes.text(execution.outputs["c"]).endswith("this machine\n")
    assert {one.name: one.container for one in execution.steps} == {"first": TOOLS, "second": OTHER, "third": None}
    told = step(execution, "first")
    assert told.command[:3] == ("sh", "-c", "cat $0 /etc/which; id -u; pwd")
    assert told.inputs["file"]["path"] == "inputs/lines.txt"
    assert told.resources["wall_seconds"] > 0
    assert owners(boxes.bench.content / "runs" / "1" / "outputs") == {os.geteuid()}
    assert list((boxes.bench.content / "runs" / "1" / "tmp").iterdir()) == []
    assert boxes.host.containers() == ()
    assert named(boxes.host.images()) == named(before)
    assert set(before) <= set(boxes.host.images())


@pytest.mark.docker
def test_a_hint_is_followed_where_its_image_is_staged_and_else_said_not_to_be(docked: ContainerBench) -> None:
    docked.write(main=in_image(TOOLS, "cat /etc/which || echo this machine", section="hints"))

    inside = docked.run()
    outside = docked.run(images=(), run=2)

    assert docked.text(inside.outputs["out"]) == "tools\n"
    assert inside.steps[0].container == TOOLS
    assert docked.text(outside.outputs["out"]) == "this machine\n", docked.log()
    assert outside.steps[0].container is None
    said = f"step 'main' runs on this machine, because its image '{TOOLS}', a hint, is not staged"
    assert said in docked.bench.log(2)


@pytest.mark.docker
def test_an_image_that_the_job_chooses_is_taken(docked: ContainerBench) -> None:
    docked.write(main=tool("cat /etc/which"))

    execution = docked.run(requirements=({"class": "DockerRequirement", "dockerPull": OTHER},))

    assert docked.text(execution.outputs["out"]) == "other\n", execution.error
    assert execution.steps[0].container == OTHER


@pytest.mark.docker
def test_a_required_image_that_is_not_staged_is_named_before_anything_runs(docked: ContainerBench) -> None:
    docked.write(main=STEPS, which=in_image(TOOLS, "cat $0", inputs=FILE), plain=in_image(TOOLS, "cat $0", inputs=FILE))

    with pytest.raises(ContainerError, match=f"step 'first' .* '{TOOLS}'"):
        docked.run({"text": docked.bench.file("a")}, images=(OTHER,))

    assert not (docked.bench.content / "runs" / "1" / JOURNAL).exists()


MANY = """
    cwlVersion: v1.2
    $namespaces: {cwltool: "http://commonwl.org/cwltool#"}
    class: CommandLineTool
    baseCommand: [sh, -c]
    arguments:
      - |
        cat; echo "$GREETING"; cat given/deep.txt; cat made.txt
        echo more >> changed.txt; cat changed.txt
        echo in it > folder/new.txt; ls folder
        cat "$0.idx"; ls "$1"; df -k /dev/shm | tail -1 | tr -s ' ' | cut -d' ' -f2 >&2
        echo kept > result.txt; echo temporary > /tmp/x; cat /tmp/x
      - $(inputs.indexed)
      - $(inputs.tree)
    requirements:
      DockerRequirement: {dockerPull: "%s", dockerOutputDirectory: /made/here}
      cwltool:ShmSize: {shmSize: 32m}
      EnvVarRequirement: {envDef: {GREETING: hello $(inputs.who)}}
      InitialWorkDirRequirement:
        listing:
          - {entryname: given/deep.txt, entry: $(inputs.text)}
          - {entryname: made.txt, entry: "made for $(inputs.who)\\n"}
          - {entryname: changed.txt, entry: $(inputs.changing), writable: true}
          - {entryname: folder, entry: $(inputs.tree), writable: true}
    inputs:
      who: string
      text: File
      changing: File
      indexed: {type: File, secondaryFiles: [.idx]}
      tree: Directory
    stdin: $(inputs.text.path)
    stdout: said.txt
    stderr: complained.txt
    outputs:
      said: stdout
      complained: stderr
      result: {type: File, outputBinding: {glob: result.txt}}
      changed: {type: File, outputBinding: {glob: changed.txt}}
      folder: {type: Directory, outputBinding: {glob: folder}}
"""


def test_all_that_a_tool_may_be_given_is_given_in_a_container(boxes: ContainerBench) -> None:
    boxes.write(main=MANY % TOOLS)
    indexed = boxes.bench.file("it's a read.bam", "bam")
    indexed["secondaryFiles"] = [boxes.bench.file("it's a read.bam.idx", "index\n")]
    boxes.bench.file("tree/leaf.txt", "leaf\n")
    text = boxes.bench.file("text.txt", "text\n")
    tree = {"class": "Directory", "path": str(boxes.bench.content / "inputs" / "tree")}
    changing = boxes.bench.file("changing.txt", "before\n")

    execution = boxes.run({"who": "you", "text": text, "changing": changing, "indexed": indexed, "tree": tree})

    assert execution.status is Status.COMPLETED, (execution.error, execution.tail, boxes.log())
    assert boxes.text(execution.outputs["said"]).splitlines() == [
        *("text", "hello you", "text", "made for you"),
        *("before", "more", "leaf.txt", "new.txt", "index", "leaf.txt", "new.txt", "temporary"),
    ]
    assert boxes.text(execution.outputs["complained"]) == "32768\n"
    assert boxes.text(execution.outputs["result"]) == "kept\n"
    assert boxes.text(execution.outputs["changed"]) == "before\nmore\n"
    folder = boxes.bench.content / execution.outputs["folder"]["path"]
    assert sorted(one.name for one in folder.iterdir()) == ["leaf.txt", "new.txt"]
    assert Path(changing["path"]).read_text() == "before\n"
    assert not (boxes.bench.content / "inputs" / "tree" / "new.txt").exists()
    assert owners(boxes.bench.content / "runs" / "1") == {os.geteuid()}


def test_a_scatter_of_five_runs_in_one_image(boxes: ContainerBench) -> None:
    boxes.write(
        main=f"""
        cwlVersion: v1.2
        class: Workflow
        requirements: {{ScatterFeatureRequirement: {{}}, DockerRequirement: {{dockerPull: "{TOOLS}"}}}}
        inputs: {{words: "string[]", wanted: "boolean[]"}}
        outputs: {{all: {{type: "File[]", outputSource: each/out}}}}
        steps:
          each:
            run: each.cwl
            scatter: [word, go]
            scatterMethod: dotproduct
            when: $(inputs.go)
            in: {{word: words, go: wanted}}
            out: [out]
        """,
        each=tool("echo $0; cat /etc/which", inputs="{word: {type: string, inputBinding: {}}}"),
    )

    words, wanted = ["a", "b", "no", "d", "e"], [True, True, False, True, True]

    execution = boxes.run({"words": words, "wanted": wanted})

    assert execution.status is Status.COMPLETED, (execution.error, boxes.log())
    made = [boxes.text(one) if one else None for one in execution.outputs["all"]]
    assert made == ["a\ntools\n", "b\ntools\n", None, "d\ntools\n", "e\ntools\n"]
    assert [one.container for one in execution.steps if one.status is not Status.SKIPPED] == [TOOLS] * 4


@pytest.mark.docker
def test_a_command_that_fails_is_told_with_its_step_and_its_own_words(docked: ContainerBench) -> None:
    docked.write(main=in_image(TOOLS, "echo went wrong >&2; exit 7"))

    execution = docked.run()

    assert execution.status is Status.FAILED
    assert execution.error == "step 'main' failed with exit code 7"
    assert execution.tail == ("went wrong",)
    assert (execution.steps[0].exit_code, execution.steps[0].container) == (7, TOOLS)
    assert docked.host.containers() == ()


def test_a_command_that_the_image_lacks_is_named_with_the_image(boxes: ContainerBench) -> None:
    document = in_image(TOOLS, "").replace('[sh, -c, ""]', "[not-to-be-had, --now]")
    boxes.write(main=document)

    execution = boxes.run()

    assert execution.error == f"step 'main' failed: the image {TOOLS!r} has no command 'not-to-be-had'"
    assert execution.steps[0].command == ("not-to-be-had", "--now")


@pytest.mark.docker
def test_a_shell_that_lacks_a_command_speaks_for_itself(docked: ContainerBench) -> None:
    docked.write(main=in_image(TOOLS, "not-to-be-had"))

    execution = docked.run()

    assert execution.error == "step 'main' failed with exit code 127"
    assert "not-to-be-had" in execution.tail[-1]


def test_a_container_that_takes_too_much_memory_says_so(boxes: ContainerBench) -> None:
    boxes.write(main=in_image(TOOLS, "tail /dev/zero"))
    request = boxes.request()

    execution = boxes.bench.engine.run(
        replace(request, placement=replace(request.placement, memory=48 << 20)), lambda _event: None
    )

    assert execution.error is not None
    assert execution.error.startswith(f"step 'main' failed: it was killed in its container of image {TOOLS!r}")
    assert "enough memory" in execution.error


def test_what_a_container_used_is_told_of_it_and_of_its_step(boxes: ContainerBench) -> None:
    busy = 'x=$(head -c 30000000 /dev/zero | tr "\\0" a); n=0; while [ $n -lt 100000 ]; do n=$((n+1)); done; sleep 0.3'
    boxes.write(main=in_image(TOOLS, f"bash -c '{busy}'"))

    execution = boxes.run()

    assert execution.status is Status.COMPLETED, execution.error
    journal = boxes.bench.content / "runs" / "1" / JOURNAL
    (ended,) = [one for one in events(journal) if one["event"] == "container-ended"]
    (main,) = execution.steps
    assert ended["step"] == "main"
    assert 30_000_000 < ended["max_memory_bytes"] == main.resources["max_memory_bytes"] < 300_000_000
    assert 0.1 < ended["cpu_seconds"] == main.resources["cpu_seconds"] < main.resources["wall_seconds"] * 4


def test_a_container_that_takes_too_long_is_ended(boxes: ContainerBench) -> None:
    boxes.write(main=in_image(TOOLS, "trap '' TERM; sleep 60", needs="ToolTimeLimit: {timelimit: 1}"))

    execution = boxes.run()

    assert execution.error == "step 'main' failed: it took longer than its time limit of 1 s"
    assert execution.steps[0].resources["wall_seconds"] < 30
    assert boxes.host.containers() == ()


@pytest.mark.docker
def test_what_no_container_may_have_is_told_with_its_step_and_image(docked: ContainerBench) -> None:
    image = f"{{dockerPull: '{TOOLS}'"
    docked.write(main=in_image(TOOLS, "true").replace(image, f"{image}, dockerOutputDirectory: /proc/made"))

    execution = docked.run()

    assert execution.status is Status.FAILED
    assert str(execution.error).startswith("step 'main' failed: a container was asked for with")
    assert "/proc/made" in str(execution.error)
    (main,) = execution.steps
    assert (main.name, main.container, main.exit_code) == ("main", TOOLS, 125)
    assert f"its container of image {TOOLS!r} was not started" in str(main.error)


def test_there_is_no_network_even_where_a_tool_asks_for_one(boxes: ContainerBench) -> None:
    boxes.write(
        main=in_image(
            TOOLS,
            "cat /proc/net/route; ls /sys/class/net; nc -w 1 1.2.3.4 80 </dev/null && echo reached",
            needs="NetworkAccess: {networkAccess: true}",
            more="stdout: out.txt\nsuccessCodes: [0, 1]",
        )
    )

    request = boxes.request()
    execution = boxes.bench.engine.run(request, lambda _event: None)

    assert execution.status is Status.COMPLETED, (execution.error, boxes.log())
    text = boxes.text(execution.outputs["out"])
    assert "reached" not in text
    assert "eth0" not in text
    assert "asks for a network, and there is none" in boxes.log()
    assert request.interface.notes == ("the tool main.cwl asks for a network, and there is none while a workflow runs",)


def test_stopping_a_run_leaves_no_container(boxes: ContainerBench) -> None:
    boxes.write(main=in_image(TOOLS, "trap '' TERM INT; echo up; while true; do sleep 1; done"))
    request = boxes.request()
    started: queue.SimpleQueue[str] = queue.SimpleQueue()
    seen: list[bool] = []

    def listen(event: Mapping[str, Any]) -> None:
        if event["event"] == "container-started":
            started.put(event["container"])

    def cancel() -> None:
        name = started.get(timeout=30)
        deadline = time.monotonic() + 20
        while name not in boxes.host.containers() and time.monotonic() < deadline:
            time.sleep(0.1)
        seen.append(name in boxes.host.containers())
        stop(request.folder)

    worker = threading.Thread(target=cancel)
    worker.start()
    execution = boxes.bench.engine.run(request, listen)
    worker.join()

    assert seen == [True]
    assert execution.status is Status.KILLED
    assert boxes.host.containers() == ()
    assert execution.steps[0].container == TOOLS


def test_the_image_s_own_entrypoint_gets_the_command_line(boxes: ContainerBench) -> None:
    boxes.write(main=in_image(TOOLS, "x").replace('[sh, -c, "x"]', "[/bin/echo, one]"))

    execution = boxes.run()

    assert boxes.text(execution.outputs["out"]) == "one\n"
