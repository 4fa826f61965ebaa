"""Why a container failed: the runtimes' own words, made a sentence that names the image."""

from __future__ import annotations

import pytest

pytest.importorskip("cwltool")

from engines.cwltool.child.containers import reason

pytestmark = pytest.mark.cwltool

IMAGE = "example.org/tools:1"
_DOCKER = (
    "docker: Error response from daemon: failed to create shim task: OCI runtime create failed: runc create failed: "
    'unable to start container process: exec: "nope": executable file not found in $PATH: unknown.'
)
_PODMAN = (
    'Error: runc: runc create failed: unable to start container process: exec: "nope": executable file not found in '
    "$PATH: OCI runtime attempted to invoke a command that was not found"
)


@pytest.mark.parametrize("words", [_DOCKER, _PODMAN])
def test_a_command_that_the_image_lacks(words: str) -> None:
    assert reason(127, IMAGE, ["nope", "x"], ["before", words]) == f"the image {IMAGE!r} has no command 'nope'"


def test_a_file_that_is_no_command() -> None:
    words = 'Error: runc: exec: "/etc/passwd": permission denied: OCI permission denied'

    assert reason(126, IMAGE, ["/etc/passwd"], [words]) == (
        f"the command '/etc/passwd' of the image {IMAGE!r} can't be executed: "
        'runc: exec: "/etc/passwd": permission denied: OCI permission denied'
    )


def test_limits_that_a_machine_does_not_let_a_runtime_set() -> None:
    words = "Error: crun: setrlimit `RLIMIT_NOFILE`: Operation not permitted: OCI permission denied"

    assert reason(126, IMAGE, ["tr"], [words]) == (
        "a container may not have here the limits that its runtime gives it (default_ulimits in containers.conf(5)): "
        "crun: setrlimit `RLIMIT_NOFILE`: Operation not permitted: OCI permission denied"
    )


def test_what_the_policy_refuses() -> None:
    words = "wfexs-like: a container was asked for with '--privileged', which no container of a run may have"

    assert reason(125, IMAGE, ["a"], [words, ""]) == (
        f"its container of image {IMAGE!r} was not started: a container was asked for with '--privileged', which no "
        "container of a run may have"
    )


def test_a_container_that_was_killed() -> None:
    assert reason(137, IMAGE, ["a"], []) == (
        f"it was killed in its container of image {IMAGE!r} (exit code 137): was there enough memory?"
    )


@pytest.mark.parametrize("code", [0, 1, 125, 126, 127, None])
def test_a_tool_s_own_end_is_its_own_affair(code: int | None) -> None:
    assert reason(code, IMAGE, ["sh"], ["sh: nope: not found", "docker is not here"]) is None
