"""An order as each runtime's command line."""

from __future__ import annotations

import csv
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.containers.apptainer import apptainer_argv
from engines.containers.base import Dark, Mount, Order, StagedImage
from engines.containers.docker import docker_argv
from engines.containers.orders import Limits, mount_option
from engines.containers.podman import Host, podman_argv
from staging.errors import ContainerError

CONFIG, MANIFEST = "c" * 64, "d" * 64
IMAGE = StagedImage(
    name="example.org/moving:latest", digest=MANIFEST, config=CONFIG, layers=(), platform="linux/amd64", size=1,
    layout=Path("/work/containers"),
)  # fmt: skip
INFO: dict[str, Any] = {
    "CpuCfsQuota": True, "CpuCfsPeriod": True, "MemoryLimit": True, "SwapLimit": True, "PidsLimit": True, "NCPU": 4,
    "SecurityOptions": ["name=seccomp,profile=default"],
}  # fmt: skip
HOST = Host(rootless=False, limits=Limits(most_cores=4))
FULL = Order(
    image=IMAGE, name="wfexs-1", command=("-c", "true"), entrypoint="bash", workdir="/work",
    mounts=(Mount(source=Path("/a"), target="/a"), Mount(source=Path("/b"), target="/work", writable=True)),
    environment={"A": "1"}, variables="/v", user=(1000, 100),
    cores=2, memory=1 << 30, shared_memory=1 << 20, temporary=("/tmp",),
    gpus="all", labels={"wfexs-like.run": "u"},
)  # fmt: skip
BARE = Order(image=IMAGE, name="wfexs-2", command=("x",))


def docker(order: Order, info: dict[str, Any] | None = None) -> tuple[str, ...]:
    return docker_argv(order, INFO if info is None else info, CONFIG)


def test_docker_says_everything_and_the_image_by_its_id() -> None:
    assert docker(FULL) == (
        *("docker", "run", "--rm", "--interactive", "--pull=never", "--log-driver=none", "--ipc=private"),
        *(
            "--no-healthcheck",
            "--name=wfexs-1",
            "--label=wfexs-like.run=u",
            "--env-file=/v",
            "--network=none",
            "--user=1000:100",
        ),
        *("--cap-drop=ALL", "--security-opt=no-new-privileges"),
        *("--cpus=2", f"--memory={1 << 30}b", f"--memory-swap={1 << 30}b", "--pids-limit=32768"),
        *(f"--shm-size={1 << 20}b", "--read-only", "--tmpfs=/tmp:rw,exec,nosuid,nodev,mode=1777"),
        *("--mount=type=bind,source=/a,target=/a,readonly", "--mount=type=bind,source=/b,target=/work"),
        *("--workdir=/work", "--gpus=all", "--entrypoint=bash", f"sha256:{CONFIG}", "-c", "true"),
    )


def test_podman_says_the_same_and_what_its_configuration_could_loosen() -> None:
    said = podman_argv(FULL, HOST)
    assert set(docker(FULL)) - set(said) == {"docker", "--gpus=all", "--entrypoint=bash"}
    assert set(said) - set(docker(FULL)) == {
        "podman", "--image-volume=tmpfs", "--detach-keys=", "--stop-timeout=0", "--http-proxy=false",
        "--pid=private", "--uts=private", "--ulimit=host", "--userns=host",
        "--device=nvidia.com/gpu=all", '--entrypoint=["bash"]',
    }  # fmt: skip
    assert said[-3:] == (f"sha256:{CONFIG}", "-c", "true")


def test_no_hook_of_the_host_sees_a_container_unless_gpus_need_one() -> None:
    assert "--hooks-dir" in podman_argv(BARE, HOST)
    assert "--hooks-dir" not in podman_argv(replace(BARE, gpus="2"), HOST)
    ours = replace(BARE, hooks="/run/hooks")
    assert podman_argv(ours, HOST)[:4] == ("podman", "--hooks-dir", "/run/hooks", "run")
    assert podman_argv(replace(ours, gpus="2"), HOST)[1:].count("--hooks-dir") == 3
    assert {"--device=nvidia.com/gpu=0", "--device=nvidia.com/gpu=1"} <= set(podman_argv(replace(BARE, gpus="2"), HOST))


@pytest.mark.parametrize("make", [docker, lambda order: podman_argv(order, HOST)])
def test_the_name_that_a_workflow_says_is_never_told_to_a_runtime(make: Any) -> None:
    assert IMAGE.name not in " ".join(make(FULL))


@pytest.mark.parametrize("make", [docker, lambda order: podman_argv(order, HOST)])
def test_only_root_in_a_container_keeps_a_few_capabilities(make: Any) -> None:
    kept = [f"--cap-add={one}" for one in ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "SETGID", "SETUID", "KILL")]
    for order in (BARE, replace(BARE, user=(0, 0))):
        assert [one for one in make(order) if one.startswith("--cap-add")] == kept
        assert "--cap-drop=ALL" in make(order)
    assert not any(one.startswith("--cap-add") for one in make(replace(BARE, user=(7, 0))))


def test_a_dark_network_is_joined_by_what_the_runtime_can() -> None:
    both = replace(BARE, network=Dark(namespace="/proc/1/ns/net", holder="abc"))
    assert "--network=container:abc" in docker(both)
    assert "--network=ns:/proc/1/ns/net" in podman_argv(both, HOST)
    assert "--network=none" in docker(replace(BARE, network=Dark(namespace="/proc/1/ns/net")))
    assert "--network=none" in podman_argv(BARE, HOST)


def test_limits_that_the_host_cannot_put_are_left_out_and_no_others() -> None:
    lacking = docker(FULL, {**INFO, "CpuCfsQuota": False, "SwapLimit": False})
    assert not any(one.startswith(("--cpus", "--memory-swap")) for one in lacking)
    assert f"--memory={1 << 30}b" in lacking
    none = podman_argv(FULL, Host(rootless=True, limits=Limits(cores=False, memory=False, processes=False)))
    assert not any(one.startswith(("--cpus", "--memory", "--pids")) for one in none)


@pytest.mark.parametrize(("asked", "said"), [(0.001, "0.01"), (1.5, "1.5"), (64, "4"), (None, None)])
def test_cores_are_those_that_the_runtime_takes(asked: float | None, said: str | None) -> None:
    for argv in (docker(replace(BARE, cores=asked)), podman_argv(replace(BARE, cores=asked), HOST)):
        assert [one for one in argv if one.startswith("--cpus")] == ([f"--cpus={said}"] if said else [])


def test_a_rootless_engines_root_is_the_user_and_podmans_user_is_the_same_inside() -> None:
    info = {**INFO, "SecurityOptions": ["name=seccomp,profile=default", "name=rootless", "name=cgroupns"]}
    assert "--user=0:0" in docker(FULL, info)
    said = podman_argv(FULL, replace(HOST, rootless=True))
    assert {"--userns=keep-id", "--user=1000:100"} <= set(said)


def test_without_root_who_joins_the_network_of_a_container_joins_its_users_too() -> None:
    joining = replace(BARE, network=Dark(holder="abc"))
    said = podman_argv(joining, replace(HOST, rootless=True))
    assert {"--network=container:abc", "--userns=container:abc"} <= set(said)
    assert "--userns=keep-id" not in said
    assert "--userns=host" in podman_argv(joining, HOST)


def test_an_engine_that_maps_users_does_not_map_those_of_our_containers() -> None:
    assert "--userns=host" in docker(FULL, {**INFO, "SecurityOptions": ["name=userns"]})
    assert "--userns=host" not in docker(FULL)


def test_where_selinux_is_on_the_files_labels_stay() -> None:
    assert "--security-opt=label=disable" in docker(FULL, {**INFO, "SecurityOptions": ["name=selinux"]})
    assert "--security-opt=label=disable" in podman_argv(FULL, replace(HOST, selinux=True))
    assert "--security-opt=label=disable" not in (*docker(FULL), *podman_argv(FULL, HOST))


def test_no_entrypoint_keeps_the_images_and_an_empty_one_clears_it() -> None:
    assert not any(one.startswith("--entrypoint") for one in (*docker(BARE), *podman_argv(BARE, HOST)))
    assert "--entrypoint=" in docker(replace(BARE, entrypoint=""))
    assert "--entrypoint=" in podman_argv(replace(BARE, entrypoint=""), HOST)


def test_a_program_whose_name_is_like_a_list_is_a_program() -> None:
    assert '--entrypoint=["[\\"a\\"]"]' in podman_argv(replace(BARE, entrypoint='["a"]'), HOST)


def test_what_a_command_line_cannot_say_is_refused() -> None:
    with pytest.raises(ContainerError, match="colon"):
        docker(replace(BARE, temporary=("/tmp:exec",)))
    with pytest.raises(ContainerError, match="carriage return"):
        docker(replace(BARE, mounts=(Mount(source=Path("/a\r\nb"), target="/a"),)))


def fields_of(option: str) -> list[str]:
    """The one line of CSV that ``option`` must be; its lines end in line feeds alone."""
    (fields,) = csv.reader(StringIO(option, newline="\n"), strict=True)
    return fields


PATHS = st.text(st.characters(blacklist_characters="\r\0", blacklist_categories=("Cs",)), min_size=1).map("/".__add__)


@given(source=PATHS, target=PATHS, writable=st.booleans())
def test_any_path_is_one_field_of_a_mount(source: str, target: str, writable: bool) -> None:
    option = mount_option(Mount(source=Path(source), target=target, writable=writable))
    assert fields_of(option) == [
        "type=bind",
        f"source={Path(source)}",
        f"target={target}",
        *([] if writable else ["readonly"]),
    ]


def test_apptainer_says_everything_it_can() -> None:
    assert apptainer_argv(FULL, Path("/cache/d.sif")) == (
        *("apptainer", "--quiet", "exec", "--containall", "--cleanenv", "--no-home", "--no-init", "--no-umask"),
        *("--no-eval", "--no-privs", "--net", "--network", "none"),
        *("--mount", "type=bind,source=/a,target=/a,ro", "--mount", "type=bind,source=/b,target=/work"),
        *("--pwd", "/work", "--nv", "/cache/d.sif", "bash", "-c", "true"),
    )


def test_apptainer_runs_the_images_own_entrypoint_or_executes_another() -> None:
    own = apptainer_argv(BARE, Path("/i.sif"), program="singularity")
    assert (own[0], own[2], own[-2:]) == ("singularity", "run", ("/i.sif", "x"))
    cleared = apptainer_argv(replace(BARE, entrypoint=""), Path("/i.sif"))
    assert (cleared[2], cleared[-2:]) == ("exec", ("/i.sif", "x"))
    with pytest.raises(ContainerError, match="no command"):
        apptainer_argv(replace(BARE, entrypoint="", command=()), Path("/i.sif"))


def test_apptainer_gets_a_writable_root_and_scratch_folders_where_asked() -> None:
    said = apptainer_argv(replace(BARE, read_only=False, temporary=("/tmp", "/scratch")), Path("/i.sif"))
    assert "--writable-tmpfs" in said
    assert said[said.index("--scratch") + 1] == "/scratch"
    assert said.count("--scratch") == 1
