"""Starting the guard of a mount (``wfexs_like.vault.guard``), and the program by which something is unmounted."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from staging.errors import VaultError, WfexsError, from_os_error
from staging.process import DEVNULL, PIPE, base_environment, find_tool, run, start
from wfexs_like.vault import guard
from wfexs_like.vault.locking import GUARD, USERS, lock_file
from wfexs_like.vault.mounts import mount_at

MOUNTED: Final = "mounted"
ELSEWHERE: Final = "elsewhere"
"""What the guard answers; anything else is that it failed, and with which code."""
UNWRITTEN: Final = "unwritten "
"""What guards and keepers answer before the number of the error (errno) for which theirs can't be written down."""
_PATIENCE: Final = 30.0
_WORDS: Final = 4096


def start_guard(
    root: Path, point: str, command: Sequence[str], password: bytes = b"", *, adopted: int = 0
) -> tuple[str, str]:
    """Start the guard: of what ``command`` serves, or of what the process ``adopted`` serves already.

    Returns what it answers, and what the command said on standard error.
    """
    with contextlib.ExitStack() as stack:

        def owned(descriptor: int) -> int:
            stack.callback(os.close, descriptor)
            return descriptor

        given = (
            owned(lock_file(root, GUARD)),
            owned(lock_file(root, USERS)),
            owned(os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)),
        )
        words = owned(os.memfd_create("words"))
        reading, answer = os.pipe2(os.O_CLOEXEC)
        owned(reading)
        program = [str(find_tool(command[0])), *command[1:]] if command else []
        numbers = map(str, (*given, answer))
        argv = (sys.executable, "-I", "-S", "-B", guard.__file__, *numbers, point, unmounter(), str(adopted), *program)
        try:
            with open(words, "r+b", closefd=False) as stderr:
                child = start(
                    argv, env=base_environment(), stdin=PIPE, stdout=DEVNULL, stderr=stderr, pass_fds=(*given, answer)
                )
        finally:
            os.close(answer)
        with child:
            assert child.stdin is not None
            with contextlib.suppress(BrokenPipeError):
                child.stdin.write(password + b"\n")
                child.stdin.close()
            said = _answer(reading)
            child.wait(_PATIENCE)
        return said, os.pread(words, _WORDS, 0).decode(errors="replace")


def unwritten(said: str) -> WfexsError:
    """The error that such an answer means."""
    number = int(said.removeprefix(UNWRITTEN))
    return from_os_error(OSError(number, os.strerror(number)), "open the encrypted area")


def _answer(reading: int) -> str:
    pieces, until = b"", time.monotonic() + _PATIENCE
    while select.select([reading], [], [], max(0.0, until - time.monotonic()))[0] and (piece := os.read(reading, 256)):
        pieces += piece
    return pieces.decode().strip()


def unmount(point: Path) -> None:
    """Unmount what is there, also when its server is dead or files in it are open.

    Raises:
        VaultError: it can't be done.
    """
    program = unmounter()
    run((program, "-u", "-z", "-q", "--", str(point)), env=base_environment(), timeout=_PATIENCE, check=False)
    if mount_at(point) is not None:
        raise VaultError(f"{point} can't be unmounted", hint=f'try "{program} -u -z {point}"', where=str(point))


def unmounter() -> str:
    """The program that unmounts.

    Raises:
        VaultError: there is none.
    """
    program = find_tool("fusermount3") or find_tool("fusermount")
    if program is None:
        raise VaultError("fusermount is not installed", hint="install it (Debian, Ubuntu: apt-get install fuse3)")
    return str(program)
