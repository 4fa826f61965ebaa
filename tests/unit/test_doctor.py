"""Doctor: what is found is really tried, what does not work comes with a fix, and nothing hangs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from engines.containers import docker_like
from tests.support.engines import set_up
from wfexs_like import doctor, findings
from wfexs_like.audit.host import facts
from wfexs_like.cli.commands.doctor import doctor_view
from wfexs_like.doctor import container_runtime, examine, is_fit, javascript
from wfexs_like.findings import Finding, tool, version_in
from wfexs_like.host_findings import can_reflink, folder
from wfexs_like.initialise import add_missing_keys
from wfexs_like.settings import Settings
from wfexs_like.vault_findings import keys, swap

PROGRAM = str(Path(sys.executable).with_name("wfexs-like"))


def fake_tool(folder_: Path, name: str, body: str) -> dict[str, str]:
    """An environment on whose PATH there is a program of that name, and little else."""
    folder_.mkdir(exist_ok=True)
    path = folder_ / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return {"PATH": str(folder_)}


def test_a_tool_that_is_not_there_comes_with_what_to_install() -> None:
    finding = tool("no-such-tool", {"PATH": "/nowhere"}, purpose="tests", fix="apt-get install it")
    assert (finding.found, finding.works, finding.fix) == (False, False, "apt-get install it")


def test_a_tool_that_is_there_and_broken_is_told_apart_from_one_that_works(tmp_path: Path) -> None:
    good = tool("git", fake_tool(tmp_path / "a", "git", "echo git version 2.39.5"), purpose="x", fix="y")
    assert (good.found, good.works, good.version, good.fix) == (True, True, "2.39.5", None)
    broken = tool("git", fake_tool(tmp_path / "b", "git", "echo no library >&2; exit 127"), purpose="x", fix="y")
    assert (broken.found, broken.works) == (True, False)
    assert "no library" in str(broken.detail)
    assert broken.fix


def test_a_tool_that_does_not_answer_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings, "PATIENCE", 0.2)
    finding = tool("git", fake_tool(tmp_path, "git", "exec /bin/sleep 60"), purpose="x", fix="y")
    assert (finding.found, finding.works) == (True, False)
    assert "no answer within" in str(finding.detail)


def test_a_container_runtime_that_does_not_answer_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docker_like, "SILENCE", 0.2)
    body = 'case "$1" in --version) echo Docker version 28.2.2, build x;; *) exec /bin/sleep 60;; esac'
    finding = container_runtime("docker", fake_tool(tmp_path, "docker", body))
    assert (finding.found, finding.works, finding.version) == (True, False, "28.2.2")
    assert "does not answer within" in str(finding.detail)


def test_a_docker_client_without_its_daemon_is_limited(tmp_path: Path) -> None:
    body = 'case "$1" in --version) echo Docker version 28.2.2, build x;; *) echo Cannot connect >&2; exit 1;; esac'
    finding = container_runtime("docker", fake_tool(tmp_path, "docker", body))
    assert (finding.found, finding.works, finding.version) == (True, False, "28.2.2")
    assert "does not run" in str(finding.detail)
    assert "systemctl" in str(finding.fix)


def test_a_container_runtime_that_is_not_there_comes_with_what_to_install() -> None:
    for name, fix in (
        ("docker", "apt-get install docker.io"),
        ("podman", "apt-get install podman"),
        ("apptainer", "apptainer.org"),
    ):
        finding = container_runtime(name, {"PATH": "/nowhere"})
        assert (finding.found, finding.works) == (False, False)
        assert fix in str(finding.fix)


def test_apptainer_works_by_either_name_and_is_said_to_be_untried(tmp_path: Path) -> None:
    finding = container_runtime("apptainer", fake_tool(tmp_path, "singularity", "echo singularity-ce version 4.1.3"))
    assert (finding.works, finding.version) == (True, "4.1.3")
    assert "not by this project's own tests" in str(finding.detail)
    old = container_runtime("apptainer", fake_tool(tmp_path / "old", "apptainer", "echo apptainer version 1.0.3"))
    assert (old.found, old.works, old.version) == (True, False, "1.0.3")
    assert "too old" in str(old.detail)


def test_node_has_to_compute_something(tmp_path: Path) -> None:
    assert javascript(fake_tool(tmp_path / "a", "node", "echo v20.1.0 42")).works
    assert not javascript(fake_tool(tmp_path / "b", "node", "echo v20.1.0")).works
    assert not javascript({"PATH": "/nowhere"}).found


def jdk(folder: Path, version: str, body: str = "exit 0") -> Path:
    """A Java, as far as what it says of itself goes."""
    fake_tool_folder = folder / "bin"
    folder.mkdir(parents=True)
    fake_tool(fake_tool_folder, "java", body)
    (folder / "release").write_text(f'IMPLEMENTOR="Somebody"\nJAVA_VERSION="{version}"\n')
    return folder


def test_every_java_is_told_with_the_versions_of_nextflow_that_it_suits(tmp_path: Path) -> None:
    usual = tmp_path / "usual"
    jdk(usual / "eight", "1.8.0_292")
    jdk(usual / "eleven", "11.0.2")
    environment = {"JAVA_HOME": str(jdk(tmp_path / "home", "17.0.15")), "PATH": "/nowhere"}
    finding = doctor.java(environment, usual)
    assert (finding.found, finding.works, finding.version, finding.fix) == (True, True, "17.0.15", None)
    assert str(finding.detail).split("; ") == [
        f"17.0.15 (Somebody) at {tmp_path}/home/bin/java for 22.10.7, 23.10.1, 24.10.0",
        f"1.8.0_292 (Somebody) at {usual}/eight/bin/java for no known version",
        f"11.0.2 (Somebody) at {usual}/eleven/bin/java for 22.10.7, 23.10.1",
    ]


def test_a_java_that_is_too_old_and_none_at_all_come_with_what_to_install(tmp_path: Path) -> None:
    usual = tmp_path / "usual"
    none = doctor.java({"PATH": "/nowhere"}, usual)
    assert (none.found, none.works) == (False, False)
    assert "openjdk-17-jre-headless" in str(none.fix)
    jdk(usual / "eleven", "11.0.2")
    old = doctor.java({"PATH": "/nowhere"}, usual)
    assert (old.found, old.works) == (True, False)
    assert "11.0.2" in str(old.detail)
    assert "openjdk-17-jre-headless" in str(old.fix)


def test_a_java_that_does_not_start_is_limited(tmp_path: Path) -> None:
    environment = {
        "JAVA_HOME": str(jdk(tmp_path / "home", "17.0.15", "echo no memory >&2; exit 1")),
        "PATH": "/nowhere",
    }
    finding = doctor.java(environment, tmp_path / "usual")
    assert (finding.found, finding.works) == (True, False)
    assert "no memory" in str(finding.detail)
    assert finding.fix


def test_nextflow_is_told_by_what_is_set_up_and_where_others_come_from(tmp_path: Path) -> None:
    environment = {"JAVA_HOME": str(jdk(tmp_path / "home", "17.0.15")), **fake_tool(tmp_path / "bin", "mvn", "exit 1")}
    nothing = doctor.nextflow(tmp_path, environment)
    assert (nothing.found, nothing.works, nothing.version) == (False, False, None)
    assert nothing.detail == "set up: none; others from its releases or Maven"
    assert '"wfexs-like engines add nextflow"' in str(nothing.fix)
    jars = set_up(tmp_path, "24.10.0")
    there = doctor.nextflow(tmp_path, environment)
    assert (there.found, there.works, there.version, there.fix) == (True, True, "24.10.0", None)
    assert "24.10.0 (maven, verified)" in str(there.detail)
    (jars / "groovy.jar").write_text("other bytes")
    damaged = doctor.nextflow(tmp_path, environment)
    assert (damaged.found, damaged.works) == (True, False)
    assert '"wfexs-like engines add nextflow@24.10.0" fetches it again' in str(damaged.fix)


@pytest.mark.parametrize(
    ("asked", "told"), [("maven", "apt-get install maven"), ("nowhere", "set it to release or maven")]
)
def test_a_source_of_nextflow_that_can_not_be_used_comes_with_a_fix(tmp_path: Path, asked: str, told: str) -> None:
    finding = doctor.nextflow(tmp_path, {"PATH": "/nowhere", "WFEXS_LIKE_NEXTFLOW_SOURCE": asked})
    assert not finding.works
    assert told in str(finding.fix)


def test_a_folder_that_is_not_there_yet_is_judged_by_the_one_above_it_and_not_made(tmp_path: Path) -> None:
    finding = folder("cache", tmp_path / "a" / "b")
    assert (finding.found, finding.works, finding.essential) == (False, True, True)
    assert "GB free" in str(finding.detail)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_essential_and_comes_with_a_fix() -> None:
    finding = folder("workdirs", Path("/proc/wfexs-like"))
    assert (finding.works, finding.essential) == (False, True)
    assert "WFEXS_LIKE_WORKDIRS" in str(finding.fix)
    assert not is_fit([finding])


def test_trying_for_reflinks_answers_and_never_fails(tmp_path: Path) -> None:
    assert can_reflink(tmp_path) in {True, False}


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("git version 2.39.5", "2.39.5"),
        ('openjdk version "17.0.15" 2025-04-15', "17.0.15"),
        ("v20.20.2 42", "20.20.2"),
        ("gocryptfs 2.3; go-fuse 2.1.0+git2022", "2.3"),
        ("none", None),
    ],
)
def test_a_version_is_found_in_what_a_tool_says(text: str, version: str | None) -> None:
    assert version_in(text) == version


def test_this_machine_is_examined_for_real_and_leaves_no_trace(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    settings = Settings.load({**environment, "HOME": str(tmp_path)})
    findings = {one.name: one for one in examine(settings)}
    assert set(findings) >= {
        "cwltool", "git", "node", "java", "nextflow", "isolation", "docker", "podman", "apptainer", "unshare", "fuse",
        "keys", "gocryptfs", "swap", "tun", "cache", "workdirs",
    }  # fmt: skip
    assert findings["cwltool"].works
    assert not findings["keys"].found
    assert "nothing is encrypted" in (findings["keys"].detail or "")
    for one in findings.values():
        assert one.works or one.fix, f"{one.name} does not work and nothing is said about it"
    mounts = Path("/proc/self/mounts").read_text()
    assert "wfexs-like-doctor" not in mounts


def test_the_command_tells_it_as_an_object_and_in_lines() -> None:
    told = subprocess.run([PROGRAM, "doctor", "--json"], capture_output=True, text=True, check=False)
    document = json.loads(told.stdout)
    assert document["schema"] == "wfexs-like/doctor/1"
    assert told.returncode == (0 if document["ok"] else 1)
    assert {"name", "found", "works", "version", "fix"} <= set(document["checks"][0])
    text = subprocess.run([PROGRAM, "doctor"], capture_output=True, text=True, check=False).stdout
    assert all(check["name"] in text for check in document["checks"])


def test_an_unwritable_place_makes_the_command_fail() -> None:
    told = subprocess.run(
        [PROGRAM, "--cache", "/proc/wfexs-like", "doctor", "--json"], capture_output=True, text=True, check=False
    )
    assert told.returncode == 1
    assert json.loads(told.stdout)["ok"] is False


def test_the_view_shows_a_fix_below_what_does_not_work() -> None:
    findings = [
        Finding(name="git", found=True, works=True, purpose="sources", version="2.39.5"),
        Finding(name="podman", found=False, works=False, purpose="containers", fix="apt-get install podman"),
    ]
    assert doctor_view(findings, fit=True, colour=False).splitlines() == [
        "ok       git     2.39.5",
        "missing  podman",
        "                 for containers: apt-get install podman",
        "",
        "everything essential works",
    ]


@pytest.mark.parametrize(
    ("device", "uuid", "works"),
    [
        ("/dev/zram0", None, True),
        ("/swapfile", None, False),
        ("/dev/dm-0", "CRYPT-PLAIN-swap", True),
        ("/dev/dm-0", "LVM-x", False),
    ],
)
def test_swap_that_is_not_encrypted_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, uuid: str | None, works: bool
) -> None:
    swaps = tmp_path / "swaps"
    swaps.write_text(f"Filename Type Size Used Priority\n{device} partition 1 0 -2\n")
    if uuid is not None:
        (tmp_path / "dm-0" / "dm").mkdir(parents=True)
        (tmp_path / "dm-0" / "dm" / "uuid").write_text(uuid)
    monkeypatch.setattr("wfexs_like.audit.host._SWAPS", swaps)
    monkeypatch.setattr("wfexs_like.vault_findings._DEVICES", tmp_path)
    finding = swap()
    assert facts()["swap"] == {"devices": 1, "size": 1024}
    assert (finding.works, finding.fix is None) == (works, works)


@pytest.mark.root
@pytest.mark.gocryptfs
@pytest.mark.fuse
@pytest.mark.tmpfs
def test_a_file_system_where_the_closed_area_can_not_be_protected_is_told_of(tmp_path: Path) -> None:
    code = (
        "import os, pathlib\nfrom wfexs_like.vault_findings import gocryptfs\n"
        f"print(gocryptfs(os.environ, pathlib.Path({str(tmp_path)!r})))"
    )
    script = f'mount -t ramfs none {tmp_path} && exec "$0" -c "$1"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, sys.executable, code], capture_output=True, text=True, check=True
    )
    assert "works=False" in done.stdout
    assert "can't be made immutable" in done.stdout
    assert "ext4" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_keys_that_are_there_work_and_loose_ones_are_told(tmp_path: Path) -> None:
    settings = Settings.load({"HOME": str(tmp_path), "WFEXS_LIKE_KEYS": str(tmp_path / "keys")})
    add_missing_keys(settings, None)
    found = keys(settings)
    assert (found.works, found.fix) == (True, None)
    assert "without a passphrase" in (found.detail or "")
    (tmp_path / "keys" / "wfexs-like.sec").chmod(0o644)
    assert not keys(settings).works
    assert "chmod 600" in (keys(settings).fix or "")
