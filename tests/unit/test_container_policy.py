"""What a container may be is the same whatever its engine asks."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.containers.base import Dark, Mount, Order, StagedImage
from engines.containers.calls import read_run
from engines.containers.policy import LABEL, Bounds, Decision, as_outside, decide, may_write, sure_refusal
from staging.errors import PolicyError

CONTENT = Path("/data/w")
RUN = CONTENT / "runs/1"
IMAGE = StagedImage(
    name="debian:12",
    digest="d" * 64,
    config="c" * 64,
    layers=(),
    platform="linux/arm64/v8",
    size=1,
    layout=CONTENT / "containers",
)
BOUNDS = Bounds(
    content=CONTENT,
    folder=RUN,
    uuid="0123-4567",
    images={"debian:12": IMAGE},
    cores=4,
    memory=1 << 30,
    user=(1000, 100),
)
LINKS = {f"{RUN}/tmp/to-etc": "/etc", f"{RUN}/tmp/to-input": f"{CONTENT}/inputs/a"}


def decided(line: str, bounds: Bounds = BOUNDS) -> Decision:
    """What becomes of the call that a shell's words make."""
    return decide(
        read_run(shlex.split(line), {}, "/"),
        bounds,
        name="ours-1",
        scratch=RUN / "door/containers/1",
        network=Dark(holder="watcher"),
        resolve=lambda path: LINKS.get(path, path),
        there=lambda path: path.name != "environment",
    )


def order(line: str, bounds: Bounds = BOUNDS) -> Order:
    """The container of that call."""
    return decided(line, bounds).order


def test_a_container_is_named_labelled_and_bounded_by_us() -> None:
    made = order("--name theirs -u 0:0 --label a=b --cpus 8 -m 4g --net bridge --shm-size 2g debian:12 sh -c true")

    assert (made.name, made.labels, made.user) == ("ours-1", {LABEL: "0123-4567"}, (1000, 100))
    assert (made.cores, made.memory, made.shared_memory) == (4, 1 << 30, 1 << 30)
    assert (made.network, made.read_only, made.gpus) == (Dark(holder="watcher"), True, None)
    assert (made.image, made.command) == (IMAGE, ("sh", "-c", "true"))
    assert order("--cpus 0.5 -m 64m debian:12").cores == 0.5
    assert order("--cpus 0.5 -m 64m debian:12").memory == 64 << 20
    assert not order("debian:12", dataclasses.replace(BOUNDS, writable_root=True)).read_only


@pytest.mark.parametrize("said", ["debian:12", f"sha256:{'c' * 64}", "c" * 64, f"example.org/x@sha256:{'d' * 64}"])
def test_an_image_is_one_of_the_plan(said: str) -> None:
    assert order(said).image is IMAGE


@pytest.mark.parametrize("said", ["debian", "debian:latest", "c" * 12, f"debian:12@sha256:{'e' * 64}"])
def test_no_other_image_is_taken(said: str) -> None:
    with pytest.raises(PolicyError, match="is not staged") as refused:
        order(said)

    assert repr(said) in refused.value.message


def test_the_platform_asked_for_is_the_one_staged() -> None:
    assert order("--platform linux/arm64 debian:12")
    with pytest.raises(PolicyError, match="linux/arm64/v8, and is asked for as linux/amd64"):
        order("--platform linux/amd64 debian:12")


@pytest.mark.parametrize(
    "option",
    [
        "--privileged",
        "--device=/dev/sda", "--cap-add=SYS_ADMIN", "--pid=host", "--ipc=host", "--uts=host",
        "--userns=host", "--cgroupns=host", "--security-opt=seccomp=unconfined", "--volumes-from=other",
        "--network=host",
        "--network=container:x", "--network=ns:/proc/1/ns/net", "--group-add=docker", "--sysctl=a=b", "--runtime=x",
        "--env-file=/etc/x", "--cgroup-parent=/", "--device-cgroup-rule=a", "--oom-score-adj=-1000", "--detach",
        "--volume-driver=x", "--link=x", "--oom-kill-disable", "--ipc=container:x", "--isolation=x", "--storage-opt=a",
    ],
)  # fmt: skip
def test_what_would_loosen_a_container_is_refused_by_name(option: str) -> None:
    with pytest.raises(PolicyError) as refused:
        order(f"{option} debian:12")

    assert option in refused.value.message


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ("--privileged", "'--privileged'"),
        ("--shm-size 1g --network=host", "'--network=host'"),
        ("--name '$x' --pid host", "'--pid=host'"),
        ("--not-known", "'--not-known'"),
    ],
)
def test_options_that_every_run_refuses_are_known_before(options: str, named: str) -> None:
    assert named in str(sure_refusal(options))


@pytest.mark.parametrize(
    "options",
    [
        "",
        "-u $(id -u):$(id -g)",
        "--shm-size 1g -e A=b",
        "-v $PWD/x:/x",
        "--network $NET",
        "--gpus all",
        "'",
        "--user 0",
    ],
)
def test_options_that_a_run_may_take_are_not_told_against(options: str) -> None:
    assert sure_refusal(options) is None


def test_what_means_nothing_in_a_run_is_left_out_and_named_once() -> None:
    assert decided("--dns 1.1.1.1 -p 80:80 --dns 2.2.2.2 --rm -it --init debian:12").dropped == ("--dns", "--publish")


def test_staged_files_are_only_read_whatever_is_asked() -> None:
    made = order(f"-v {CONTENT}/inputs:/in -v {RUN}/tmp/to-input:/link:rw -v {CONTENT}/containers:/all debian:12")

    assert {one.target: one.writable for one in made.mounts if one.target in ("/in", "/link", "/all")} == {
        "/in": False,
        "/link": False,
        "/all": False,
    }
    assert Mount(source=CONTENT / "inputs/a", target="/link") in made.mounts


@pytest.mark.parametrize(
    "path",
    [
        "/", "/etc", "/data", "/data/w2", "/var/run/docker.sock", "/data/w/../x", f"{RUN}/tmp/to-etc", "/tmp",
    ],
)  # fmt: skip
def test_nothing_of_the_machine_is_seen(path: str) -> None:
    with pytest.raises(PolicyError, match="only what is in the working directory can be seen") as refused:
        order(f"-v {path}:/x:ro debian:12")

    assert refused.value.message.count("sees '") == 1


@pytest.mark.parametrize("path", ["2", "2/outputs", "1/door", "1/door/containers", "1/journal.jsonl", "1/logs", "10"])
def test_no_container_sees_other_runs_or_the_record_of_its_own(path: str) -> None:
    with pytest.raises(PolicyError, match="of the runs, only the folders for work"):
        order(f"-v {CONTENT}/runs/{path}:/x:ro debian:12")


def test_a_run_that_goes_on_from_another_sees_its_work_and_no_more() -> None:
    later = dataclasses.replace(BOUNDS, earlier=(CONTENT / "runs/7",))
    work = CONTENT / "runs/7/engine/work"

    assert Mount(source=work / "ab", target="/x") in order(f"-v {work}/ab:/x debian:12", later).mounts
    assert Mount(source=work, target="/r/7/engine/work") in order(f"-v {CONTENT}/runs:/r debian:12", later).mounts
    assert Mount(source=work, target="/r/engine/work") in order(f"-v {CONTENT}/runs/7:/r debian:12", later).mounts
    for name in ("outputs", "logs", "tmp"):
        with pytest.raises(PolicyError, match="of the runs, only"):
            order(f"-v {CONTENT}/runs/7/{name}:/x:ro debian:12", later)


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        ("", ["inputs", "workflow", "runs/1/engine/work", "runs/1/tmp", "runs/1/outputs"]),
        ("runs", ["1/engine/work", "1/tmp", "1/outputs"]),
        ("runs/1", ["engine/work", "tmp", "outputs"]),
        ("runs/1/engine", ["work"]),
    ],
)
def test_of_a_folder_that_holds_runs_what_may_be_seen_is_mounted_at_its_place(path: str, seen: list[str]) -> None:
    folder = CONTENT / path
    own = f"{RUN}/engine/work/ab/cd"
    made = order(f"-v {folder}:{folder}:rw -v {own}:{own} -v {RUN}/tmp/x:{RUN}/tmp -w {own} debian:12").mounts

    found = {one.target: one for one in made if one.target not in ("/tmp", "/var/tmp", own)}
    assert set(found) == {str(folder / one) for one in seen} | {f"{RUN}/tmp"}
    assert not [one for one in found.values() if one.writable and one.target != f"{RUN}/tmp"]
    assert found[f"{RUN}/tmp"].source == RUN / "tmp/x", "what is asked for by name is meant"
    assert Mount(source=Path(own), target=own, writable=True) in made


@pytest.mark.parametrize("how", [f"-v {CONTENT}/inputs:", "--tmpfs "])
@pytest.mark.parametrize("target", ["/", "/proc/sys", "/sys", "/sys/fs/cgroup", "/dev/sda", "/x/../proc"])
def test_nothing_is_put_over_what_the_kernel_tells(target: str, how: str) -> None:
    with pytest.raises(PolicyError, match="which may not be"):
        order(f"{how}{target} debian:12")


@pytest.mark.parametrize("count", ["65", "9999999999", "٣", "-1"])
def test_no_container_gets_more_gpus_than_a_machine_has(count: str) -> None:
    with pytest.raises(PolicyError, match="gpus"):
        order(f"--gpus {count} debian:12", dataclasses.replace(BOUNDS, gpus=True))


@pytest.mark.parametrize(
    ("path", "writable"),
    [
        ("outputs", True), ("outputs/x", True), ("engine/work", True), ("engine/work/ab/cd", True), ("tmp/x", True),
        ("tmp", False), ("", False), ("engine", False), ("logs", False), ("journal.jsonl", False), ("door", False),
        ("../2/outputs", False), ("outputs2", False),
    ],
)  # fmt: skip
def test_only_the_runs_own_work_is_written_to(path: str, writable: bool) -> None:
    assert may_write((RUN / path).resolve(), RUN) is writable


def test_a_task_writes_to_its_own_folder_and_not_to_the_others() -> None:
    work = RUN / "engine/work"
    made = order(f"-v {work}:{work} -w {work}/ab/cd debian:12")

    assert {one.target: one.writable for one in made.mounts if one.target.startswith(str(work))} == {
        str(work): False,
        f"{work}/ab/cd": True,
    }
    assert [one.target for one in made.mounts] == sorted(one.target for one in made.mounts)


def test_temporary_files_are_the_containers_own() -> None:
    made = order("-e TERM=x -e WFEXS_LIKE_DOOR=secret debian:12")

    assert {one.target: (one.source, one.writable) for one in made.mounts} == {
        "/tmp": (RUN / "door/containers/1/tmp", True),
        "/var/tmp": (RUN / "door/containers/1/var-tmp", True),
    }
    assert made.environment == {"HOME": "/tmp", "TERM": "x"}
    mounted = order(f"-v {RUN}/tmp/t:/tmp --tmpfs /var/tmp -e HOME=/h debian:12")
    assert mounted.mounts == (Mount(source=RUN / "tmp/t", target="/tmp", writable=True),)
    assert (mounted.temporary, mounted.environment) == (("/var/tmp",), {"HOME": "/h"})


def test_a_path_in_the_engines_own_tmp_is_known_outside() -> None:
    assert as_outside("/tmp/nxf/a", BOUNDS) == f"{RUN}/tmp/nxf/a"
    assert as_outside("/var/tmp/a", BOUNDS) == f"{RUN}/tmp/a"
    assert as_outside(f"{CONTENT}/inputs", BOUNDS) == f"{CONTENT}/inputs"
    below_tmp = dataclasses.replace(BOUNDS, content=Path("/tmp/w"), folder=Path("/tmp/w/runs/1"))
    assert as_outside("/tmp/w/inputs", below_tmp) == "/tmp/w/inputs"


def test_gpus_are_passed_through_only_where_there_are_some() -> None:
    with pytest.raises(PolicyError, match="asks for GPUs"):
        order("--gpus all debian:12")
    there = dataclasses.replace(BOUNDS, gpus=True)
    assert order("--gpus 2 debian:12", there).gpus == "2"
    assert order("--gpus 0 debian:12").gpus is None
    with pytest.raises(PolicyError, match="--gpus=device=0"):
        order("--gpus device=0 debian:12", there)


WORDS = st.sampled_from(
    [
        "--privileged", "-v", "/etc:/etc", f"{RUN}:/r", f"{RUN}/tmp/a:/a", "--mount", "type=bind,src=/,dst=/h", "--net",
        "host", "-w", "/a", "--cap-add", "ALL", "--pid=host", "debian:12", "-u", "0", "--read-only=false", "-i", "x",
    ]
)  # fmt: skip


@given(st.lists(WORDS, max_size=12))
def test_no_call_makes_more_of_a_container_than_it_may_be(words: list[str]) -> None:
    try:
        made = order(shlex.join(words))
    except PolicyError:
        return
    assert (made.image, made.user, made.read_only, made.network.holder) == (IMAGE, (1000, 100), True, "watcher")
    for mount in made.mounts:
        assert CONTENT in mount.source.parents
        assert not mount.writable or mount.source == RUN / "tmp/a" or RUN / "door/containers/1" in mount.source.parents
