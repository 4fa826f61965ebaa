"""Runtimes without a daemon: the archive, the user's Docker engine, the choice, and apptainer's conversion.

There is no apptainer for these tests: a stand-in takes down what it is called with, and makes a file.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import stat
import tarfile
import threading
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from engines.containers.apptainer import Apptainer
from engines.containers.archive import write_archive
from engines.containers.base import StagedImage
from engines.containers.choosing import choose
from engines.containers.docker import Docker
from engines.containers.docker_endpoint import endpoint_environment
from engines.containers.docker_like import _alone, _shortened
from staging.errors import ContainerError, DigestError, DiskError
from tests.support.images import Entry, layer, make_image, tools_image

HOME = {"HOME": "/nonexistent", "PATH": "/usr/bin:/bin"}


@pytest.fixture
def image(tmp_path: Path) -> StagedImage:
    base = layer([Entry("a", b"a" * 3000), Entry("b", b"b")])
    return make_image(tmp_path / "containers", base, layer([Entry("c", b"c")]), base, name="example.org/x:1")


def program(folder: Path, name: str, body: str) -> dict[str, str]:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return {"PATH": f"{folder}:/usr/bin:/bin", "HOME": str(folder)}


def archive_of(image: StagedImage, **options: bool) -> dict[str, bytes]:
    buffer = io.BytesIO()
    write_archive(image, buffer.write, **options)
    buffer.seek(0)
    with tarfile.open(fileobj=buffer) as archive:
        members = archive.getmembers()
        names = [one.name for one in members]
        assert len(names) == len(set(names)), "a blob goes in once"
        return {one.name: archive.extractfile(one).read() for one in members}  # type: ignore[union-attr]


# --- the archive ------------------------------------------------------------------------------------------------------


def test_the_archive_holds_the_blobs_as_they_are_and_names_no_tag(image: StagedImage) -> None:
    found = archive_of(image)
    (contents,) = json.loads(found["manifest.json"])
    assert contents["RepoTags"] is None
    assert hashlib.sha256(found[contents["Config"]]).hexdigest() == image.config
    assert [hashlib.sha256(found[one]).hexdigest() for one in contents["Layers"]] == list(image.layers)
    assert "index.json" not in found
    assert b"example.org" not in b"".join(found.values())


def test_the_archive_is_a_layout_too_where_that_is_asked(image: StagedImage) -> None:
    found = archive_of(image, layout=True)
    (manifest,) = json.loads(found["index.json"])["manifests"]
    assert manifest["digest"] == f"sha256:{image.digest}"
    assert manifest["size"] == len(found[f"blobs/sha256/{image.digest}"])
    assert "annotations" not in manifest


@pytest.mark.parametrize("damage", ["changed", "shorter", "longer"])
def test_a_damaged_blob_ends_the_archive_before_it_says_what_the_image_is(image: StagedImage, damage: str) -> None:
    blob = image.blob(image.layers[1])
    data = blob.read_bytes()
    blob.write_bytes({"changed": b"\0" + data[1:], "shorter": data[:-1], "longer": data + b"\0"}[damage])
    written = io.BytesIO()
    with pytest.raises(DigestError) as caught:
        write_archive(image, written.write)
    assert caught.value.fields["expected"] == f"sha256:{image.layers[1]}"
    assert b"manifest.json" not in written.getvalue()


def test_a_large_layer_needs_no_memory(tmp_path: Path) -> None:
    image = make_image(tmp_path / "oci", layer([Entry("big", bytes(40 << 20))]), compression="")
    tracemalloc.start()
    try:
        write_archive(image, len)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


# --- the user's engine ------------------------------------------------------------------------------------------------


def context(folder: Path, name: str, host: str, **more: Any) -> None:
    place = hashlib.sha256(name.encode()).hexdigest()
    meta = folder / "contexts" / "meta" / place
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": host, **more}}}))


def test_the_usual_engine_is_taken_and_nothing_of_the_users_configuration(tmp_path: Path) -> None:
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text('{"proxies": {"default": {"httpProxy": "http://p"}}}')
    found = endpoint_environment({**HOME, "HOME": str(tmp_path), "DOCKER_DEFAULT_PLATFORM": "x", "HTTP_PROXY": "y"})
    assert set(found) == {"PATH", "HOME", "DOCKER_CONFIG", "DOCKER_HOST"}
    assert found["DOCKER_HOST"] == "unix:///var/run/docker.sock"
    assert not Path(found["DOCKER_CONFIG"]).exists()


def test_the_users_context_is_followed_and_the_variables_come_first(tmp_path: Path) -> None:
    folder = tmp_path / ".docker"
    context(folder, "desk", "unix:///run/user/1/docker.sock")
    context(folder, "other", "unix:///other.sock")
    (folder / "config.json").write_text('{"currentContext": "desk"}')
    home = {**HOME, "HOME": str(tmp_path)}
    assert endpoint_environment(home)["DOCKER_HOST"] == "unix:///run/user/1/docker.sock"
    assert endpoint_environment({**home, "DOCKER_CONTEXT": "other"})["DOCKER_HOST"] == "unix:///other.sock"
    assert endpoint_environment({**home, "DOCKER_HOST": "unix:///mine"})["DOCKER_HOST"] == "unix:///mine"
    with pytest.raises(ContainerError, match="no Docker context 'gone'"):
        endpoint_environment({**home, "DOCKER_CONTEXT": "gone"})


def test_the_keys_of_a_context_on_loopback_go_along(tmp_path: Path) -> None:
    folder = tmp_path / ".docker"
    context(folder, "safe", "tcp://127.0.0.1:2376")
    keys = folder / "contexts" / "tls" / hashlib.sha256(b"safe").hexdigest() / "docker"
    keys.mkdir(parents=True)
    found = endpoint_environment({**HOME, "HOME": str(tmp_path), "DOCKER_CONTEXT": "safe"})
    assert (found["DOCKER_TLS_VERIFY"], found["DOCKER_CERT_PATH"]) == ("1", str(keys))


@pytest.mark.parametrize("host", ["ssh://me@far", "tcp://192.0.2.1:2375", "tcp://[::1", "npipe:////./pipe/x", "far"])
def test_an_engine_of_another_machine_is_refused_when_it_is_asked(host: str) -> None:
    runtime = Docker({**HOME, "DOCKER_HOST": host})
    with pytest.raises(ContainerError, match="not on this machine"):
        runtime.about()


def test_an_engine_without_control_of_memory_says_so_and_its_command_lines_too(tmp_path: Path) -> None:
    info = {"ServerVersion": "27.1", "Driver": "overlay2", "NCPU": 2, "CpuCfsQuota": True, "CpuCfsPeriod": True,
            "MemoryLimit": False, "SwapLimit": False, "PidsLimit": True, "CgroupVersion": "2",
            "CgroupDriver": "systemd", "SecurityOptions": ["name=rootless"]}  # fmt: skip
    runtime = Docker(program(tmp_path / "bin", "docker", f"echo '{json.dumps(info)}'"))
    notes = runtime.about().notes
    assert notes["rootless"] == "yes"
    assert "memory limit" in notes
    assert "cpu limit" not in notes


def test_an_image_store_that_keeps_manifests_knows_the_image_by_its_manifest(
    tmp_path: Path, image: StagedImage
) -> None:
    info = {"ServerVersion": "29.0", "Driver": "overlayfs",
            "DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]]}  # fmt: skip
    runtime = Docker(program(tmp_path / "bin", "docker", f"echo '{json.dumps(info)}'"))
    assert runtime.image_id(image) == image.digest
    assert "containerd" in runtime.about().notes["storage"]


# --- the choice -------------------------------------------------------------------------------------------------------


def test_any_takes_the_first_that_works(tmp_path: Path) -> None:
    program(tmp_path / "bin", "docker", "echo Cannot connect >&2; exit 1")
    environment = program(tmp_path / "bin", "apptainer", "echo apptainer version 1.3.4")
    environment["PATH"] = str(tmp_path / "bin")
    runtime, facts = choose("any", environment)
    assert (runtime.name, facts.version) == ("apptainer", "1.3.4")
    with pytest.raises(ContainerError, match="does not run"):
        choose("docker", environment)


def test_where_none_works_each_ones_reason_and_remedy_are_told(tmp_path: Path) -> None:
    with pytest.raises(ContainerError) as caught:
        choose("any", {**HOME, "PATH": str(tmp_path)})
    assert caught.value.exit_code == 6
    for name in ("docker", "podman", "apptainer"):
        assert f"{name} is not installed" in caught.value.message
        assert f"{name}: " in str(caught.value.hint)


def test_an_unknown_runtime_is_told_with_those_there_are() -> None:
    with pytest.raises(ContainerError, match="'lxc'") as caught:
        choose("lxc", HOME)
    assert "docker, podman, apptainer, any" in str(caught.value.hint)


# --- apptainer --------------------------------------------------------------------------------------------------------

BUILDS = """
case "$1" in
  --version) echo apptainer version 1.3.4;;
  build) echo "$@" >>"$HOME/calls"; cat layout/index.json >"$HOME/index"; ls layout/blobs/sha256 >>"$3"; sleep 0.1;;
esac
"""


def test_an_image_is_converted_once_and_kept_by_its_manifests_digest(tmp_path: Path, image: StagedImage) -> None:
    environment = program(tmp_path / "bin", "apptainer", BUILDS)
    said: list[str] = []
    assert not Apptainer(environment).has(image)
    loaders = [threading.Thread(target=Apptainer(environment).load, args=(image, said.append)) for _ in range(3)]
    for one in loaders:
        one.start()
    for one in loaders:
        one.join()
    runtime = Apptainer(environment)
    assert runtime.has(image)
    assert len(said) == 1
    calls = (tmp_path / "bin" / "calls").read_text().splitlines()
    assert calls == ["build --disable-cache made.sif oci:layout"]
    (manifest,) = json.loads((tmp_path / "bin" / "index").read_text())["manifests"]
    assert manifest["digest"] == f"sha256:{image.digest}"
    folder = tmp_path / "bin" / ".cache" / "wfexs-like" / "containers" / "apptainer"
    assert sorted(one.name for one in folder.iterdir()) == [".lock", f"{image.digest}.sif"]


@pytest.mark.parametrize(
    ("body", "raised"),
    [
        ("echo 'FATAL: while unpacking' >&2; exit 255", ContainerError),
        ("echo 'write made.sif: no space left on device' >&2; exit 255", DiskError),
        ("true", ContainerError),
    ],
)
def test_a_conversion_that_fails_leaves_nothing(
    tmp_path: Path, image: StagedImage, body: str, raised: type[Exception]
) -> None:
    environment = {**program(tmp_path / "bin", "apptainer", body), "WFEXS_LIKE_CACHE": str(tmp_path / "cache")}
    runtime = Apptainer(environment)
    with pytest.raises(raised):
        runtime.load(image, print)
    assert not runtime.has(image)
    assert [one.name for one in (tmp_path / "cache" / "containers" / "apptainer").iterdir()] == [".lock"]


def test_a_damaged_blob_is_not_converted(tmp_path: Path, image: StagedImage) -> None:
    runtime = Apptainer(program(tmp_path / "bin", "apptainer", BUILDS))
    image.blob(image.layers[0]).write_bytes(b"other")
    with pytest.raises(DigestError):
        runtime.load(image, print)
    assert not runtime.has(image)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ('time="2024-01-01T00:00:00Z" level=error msg="no such \\"thing\\" here"\n', 'no such "thing" here'),
        ('time="2024-01-01T00:00:00Z" level=error msg="Error response from daemon: full" pid=7', "full"),
        ("docker: Error response from daemon: no.\n", "no."),
        ("Error: time flies", "time flies"),
    ],
)
def test_a_runtimes_words_are_told_without_what_its_log_puts_around_them(said: str, shown: str) -> None:
    assert _shortened(said) == shown


def test_who_waits_for_anothers_load_says_so(tmp_path: Path) -> None:
    image = tools_image(tmp_path / "containers")
    said: list[str] = []
    with image.blob(image.config).open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)

        def told() -> None:
            said.append("waiting")
            fcntl.flock(other, fcntl.LOCK_UN)

        with _alone(image, told):
            assert said == ["waiting"]
    with _alone(image, told):
        assert said == ["waiting"]
