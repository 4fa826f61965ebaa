"""Variables: how a container's environment reaches the command that starts it, unseen by other users of the machine.

Every user may read every command line. So values go by a file that only that command has (``--env-file`` of a sealed
descriptor), or where a file can't say them, by its own environment and the variable's name. That environment is read by
the command too: names that mean something to it, to what it starts or to the loader of programs never go that way.
Source: the documentation of "docker run", podman-run(1), environ(7), ld.so(8).
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

from engines.containers.base import ContainerRuntime, Handed, Order
from staging.errors import ContainerError
from staging.process import base_environment

LONGEST: Final = 60_000
"""Bytes of a line of a file of variables; docker's reader gives up at 65536."""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BY_NAME: Final = re.compile(r"[^\s*=#][^\s*=]*")
_QUOTES: Final = frozenset("\"'`\\")
_READ: Final = re.compile(
    r"_?(?:LD|DYLD|GLIBC|MALLOC|LC|XDG|DBUS|CGO|DOCKER|BUILDAH|BUILDKIT|BUILDX|MOBY|COMPOSE|CONTAINERS?|PODMAN|LIBPOD"
    r"|STORAGE|REGISTRY|REGISTRIES|NETAVARK|CNI|CRUN|RUNC|LIBCONTAINER|OCI|OTEL|LISTEN|NOTIFY|WATCHDOG|SYSTEMD|JOURNAL"
    r"|XTABLES|RES|RESOLV|G|GIO|FUSE|BASH|SUDO|ROOTLESS|IMAGE|CONMON|CATATONIT|AARDVARK|SLIRP4NETNS|PASTA|SELINUX"
    r"|APPARMOR|SECCOMP|KUBERNETES)_.*"
    r"|GO(?:DEBUG|GC|MAXPROCS|MEMLIMIT|TRACEBACK|RACE|FIPS.*|COVERDIR|EXPERIMENT|ROOT|PATH|OS|ARCH)"
    r"|GETCONF_DIR|NIS_PATH|ZONEINFO|INVOCATION_ID|MAINPID|MANAGERPID|SHELLOPTS|BASHOPTS|PS4|POSIXLY_CORRECT"
    r"|(?:PYTHON|PERL5?).*|CREDENTIALS_DIRECTORY"
    r"|SSH_A.*|SSL_CERT_.*|GNUPGHOME|GCONV_PATH|LOCPATH|NLSPATH|LOCALDOMAIN|HOSTALIASES|HOSTNAME|LANG|LANGUAGE|TZ|TZDIR"
    r"|TERM|TERMINFO.*|NO_COLOR|CLICOLOR.*|DEBUG|TMP|TEMP|TMPDIR|TEMPDIR|PATH|HOME|USER|LOGNAME|SHELL|IFS|ENV|BASH_ENV"
    r"|.*_PROXY",
    re.IGNORECASE,
)
"""What container runtimes, Go, the C library and the programs that they start read of their environment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What starts a container: ``descriptors`` are to be passed on under their numbers."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    descriptors: tuple[int, ...] = ()


@contextmanager
def command_of(runtime: ContainerRuntime, order: Order) -> Iterator[Command]:
    """The command that starts the container, while the block lasts.

    Raises:
        ContainerError: a variable can't be handed over so that nobody else sees it.
        OSError: there is no memory for a file.
    """
    handed = runtime.handed(order)
    environment = base_environment(**runtime.environment, **handed.named)
    if not handed.lines:
        yield Command(argv=runtime.argv(replace(order, variables="/dev/null")), environment=environment)
        return
    file = os.memfd_create("variables", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        left = memoryview(handed.lines)
        while left:
            left = left[os.write(file, left) :]
        fcntl.fcntl(file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK)
        argv = runtime.argv(replace(order, variables=f"/proc/self/fd/{file}"))
        yield Command(argv=argv, environment=environment, descriptors=(file,))
    finally:
        os.close(file)


def hand_over(environment: Mapping[str, str], *, quotes: bool) -> Handed:
    """Which variables go by the file, and which by name. Empty ones are in neither: they have nothing to hide.

    ``quotes``: the file's reader takes quotes as they are (docker does; podman's from 4.6 on has a meaning for them).

    Raises:
        ContainerError: a value can't go by the file, and its name is not one to be given to a runtime's own command.
    """
    lines: list[bytes] = []
    named: dict[str, str] = {}
    for name, value in environment.items():
        if not value:
            continue
        if _fits_a_line(name, value, quotes=quotes):
            lines.append(f"{name}={value}\n".encode())
        elif _BY_NAME.fullmatch(name) and not _READ.fullmatch(name):
            named[name] = value
        else:
            raise ContainerError(
                f"a container can't be given the variable {name[:80]!r} with that value",
                hint="give it a value of one line without quotes, or another name",
            )
    return Handed(lines=b"".join(lines), named=named)


def variable_options(order: Order, *, quotes: bool) -> Iterator[str]:
    """The options of ``run``; without a file (``Order.variables``), as a record has them: by their names alone."""
    if order.variables is None:
        yield from (f"--env={name}" for name in order.environment)
        return
    handed = hand_over(order.environment, quotes=quotes)
    if handed.lines:
        yield f"--env-file={order.variables}"
    yield from (f"--env={name}" for name in handed.named)
    yield from (f"--env={name}=" for name, value in order.environment.items() if not value)


def _fits_a_line(name: str, value: str, *, quotes: bool) -> bool:
    if _NAME.fullmatch(name) is None or not value.isprintable() or value != value.strip():
        return False
    if not quotes and not _QUOTES.isdisjoint(value):
        return False
    try:
        return len(f"{name}={value}".encode()) <= LONGEST
    except UnicodeEncodeError:
        return False
