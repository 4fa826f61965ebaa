"""How a container's variables are handed to the command that starts it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.containers.base import Order, StagedImage
from engines.containers.docker import Docker, docker_argv
from engines.containers.orders import Limits
from engines.containers.podman import Host, Podman, podman_argv
from engines.containers.variables import LONGEST, command_of, hand_over
from staging.errors import ContainerError

IMAGE = StagedImage(
    name="tools", digest="d" * 64, config="c" * 64, layers=(), platform="linux/amd64", size=1, layout=Path("/work")
)
ORDER = Order(image=IMAGE, name="wfexs-1", command=("true",), variables="/v")
HOST = Host(rootless=False, limits=Limits())
NAMES = st.from_regex(r"X[A-Z_a-z0-9]{0,4}", fullmatch=True)
VALUES = st.text(st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)))


def as_docker_reads(lines: bytes) -> dict[str, str]:
    """As ``parseKeyValueFile`` of docker's command does."""
    found = {}
    for line in lines.decode("utf-8").split("\n"):
        stripped = line.removesuffix("\r").lstrip()
        if stripped and not stripped.startswith("#"):
            name, equals, value = stripped.partition("=")
            assert equals and name and not set(name) & set(" \t")
            found[name] = value
    return found


@given(st.dictionaries(NAMES, VALUES), st.booleans())
def test_each_variable_arrives_as_it_is(variables: dict[str, str], quotes: bool) -> None:
    handed = hand_over(variables, quotes=quotes)
    empty = {name: "" for name, value in variables.items() if not value}
    assert as_docker_reads(handed.lines) | dict(handed.named) | empty == variables
    if not quotes:
        assert not set(b"\"'`\\") & set(handed.lines)


@given(st.dictionaries(NAMES, st.from_regex(r"[0-9a-f]{32}.*", fullmatch=True), min_size=1), st.booleans())
def test_no_value_is_on_a_command_line(variables: dict[str, str], recorded: bool) -> None:
    order = replace(ORDER, environment=variables, variables=None if recorded else "/v")
    for argv in (docker_argv(order, {}, "c" * 64), podman_argv(order, HOST)):
        words = " ".join(argv)
        assert not [value for value in variables.values() if value in words]
        assert not recorded or all(f"--env={name}" in argv for name in variables)


@pytest.mark.parametrize(
    "name",
    ["PATH", "HOME", "DOCKER_HOST", "LD_PRELOAD", "https_proxy", "HTTP_PROXY", "GODEBUG", "CONTAINERS_CONF", "TMPDIR",
     "XDG_RUNTIME_DIR", "STORAGE_OPTS", "_CONTAINERS_USERNS_CONFIGURED", "SSH_AUTH_SOCK", "A*", "A B",
     "G_DEBUG", "GIO_EXTRA_MODULES", "FUSE_X", "RESOLV_HOST_CONF", "BASH_FUNC_ls%%", "BASH_XTRACEFD", "GETCONF_DIR",
     "NIS_PATH", "SUDO_UID", "INVOCATION_ID", "ROOTLESS_X", "IMAGE_X", "SHELLOPTS", "ZONEINFO", "CONMON_X",
     "PYTHONPATH"],
)  # fmt: skip
def test_what_the_command_itself_reads_is_never_in_its_environment(name: str) -> None:
    with pytest.raises(ContainerError, match="can't be given the variable"):
        hand_over({name: "a\nb"}, quotes=True)


@pytest.mark.parametrize("name", ["PATH", "HOME", "DOCKER_HOST", "LD_PRELOAD", "HTTP_PROXY"])
def test_such_a_variable_goes_by_the_file(name: str) -> None:
    handed = hand_over({name: "/a:b=c"}, quotes=False)
    assert (handed.lines, handed.named) == (f"{name}=/a:b=c\n".encode(), {})


@pytest.mark.parametrize("name", ["SSH_PRIVATE_KEY", "GOOGLE_CREDENTIALS", "CREDENTIALS", "TERMS", "LD"])
def test_keys_of_many_lines_go_by_name(name: str) -> None:
    assert hand_over({name: "a\nb\n"}, quotes=True).named == {name: "a\nb\n"}


def test_a_line_is_not_longer_than_its_reader_takes() -> None:
    assert hand_over({"A": "x" * LONGEST}, quotes=True).named
    assert not hand_over({"A": "x" * (LONGEST - 2)}, quotes=True).named


@pytest.mark.parametrize("runtime", [Docker({"DOCKER_HOST": "unix:///d"}), Podman({})])
def test_the_file_is_the_commands_alone_and_goes_with_it(
    runtime: Docker | Podman, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(runtime), "argv", lambda _self, order: (str(order.variables),))
    with command_of(runtime, replace(ORDER, environment={"SECRET": "s3cr3t", "KEY": "a\nb"})) as command:
        (file,) = command.argv
        assert Path(file).read_bytes() == b"SECRET=s3cr3t\n"
        assert command.environment["KEY"] == "a\nb"
        assert "SECRET" not in command.environment
        (descriptor,) = command.descriptors
        assert not os.get_inheritable(descriptor)
        with pytest.raises(PermissionError):
            os.write(descriptor, b"X=1\n")
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
