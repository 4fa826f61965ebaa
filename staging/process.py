"""Child processes: the one door to ``subprocess``. An argv is a tuple, the environment is explicit, nothing is a shell.

Every child leads a session of its own, so that stopping it stops what it started too.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Final

from staging import scratch
from staging.errors import WfexsError, from_os_error

PIPE: Final = subprocess.PIPE
DEVNULL: Final = subprocess.DEVNULL
STDOUT: Final = subprocess.STDOUT
"""Where a child's stream may go, besides an open file or descriptor (``STDOUT``: stderr joins stdout)."""

GRACE: Final = 5.0
"""Seconds between asking a group to stop (SIGTERM) and ending it (SIGKILL)."""

_POLL = 0.2
_PACKAGES: Final[Mapping[str, str]] = {
    "git": "git",
    "git-lfs": "git-lfs",
    "node": "nodejs",
    "java": "default-jre-headless",
    "unshare": "util-linux",
    "ip": "iproute2",
    "docker": "docker.io",
    "podman": "podman",
    "apptainer": "apptainer",
    "gocryptfs": "gocryptfs",
    "fusermount": "fuse",
    "fusermount3": "fuse3",
    "ssh": "openssh-client",
}


class MissingToolError(WfexsError):
    """A program that has to be there is not."""

    kind = "missing-tool"


class ProcessError(WfexsError):
    """A program ended with a code other than 0, was killed or took too long; ``completed`` is how it ended.

    ``reason`` is ``failed``, ``timeout`` or ``cancelled``.
    """

    kind = "process"

    def __init__(self, completed: Completed, reason: str = "failed") -> None:
        what = {"timeout": "took too long and was stopped", "cancelled": "was stopped"}.get(reason) or (
            f"was ended by {_signal_name(-completed.code)}" if completed.code < 0 else f"failed with {completed.code}"
        )
        words = completed.last_words
        super().__init__(f"{Path(completed.argv[0]).name} {what}" + (f": {words}" if words else ""))
        self.completed = completed
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """How a child ended: ``code`` is its exit code, or minus the signal's number; the streams where they were piped."""

    argv: tuple[str, ...]
    code: int
    stdout: bytes = b""
    stderr: bytes = b""

    @property
    def last_words(self) -> str:
        """The last line of its standard error that is not blank, without control characters, at most 300 long."""
        lines = [line.strip() for line in self.stderr.decode(errors="replace").splitlines() if line.strip()]
        return "".join(char if char.isprintable() else "?" for char in lines[-1])[:300] if lines else ""


def find_tool(name: str, env: Mapping[str, str] | None = None) -> Path | None:
    """Where the program ``name`` is on the PATH of ``env`` (by default our own), or ``None``."""
    found = shutil.which(name, path=(os.environ if env is None else env).get("PATH"))
    return Path(found) if found else None


def base_environment(**more: str) -> dict[str, str]:
    """The least that a child needs: our PATH, a UTF-8 locale, where its temporary files have to go, and ``more``."""
    path = os.environ.get("PATH", os.defpath)
    return {"PATH": path, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", **scratch.environment(), **more}


class Child:
    """A child that lives for a while. Leaving its ``with`` block stops it, and its whole group, if it is still there.

    ``stdin``, ``stdout`` and ``stderr`` are binary streams where a pipe was asked for.
    """

    def __init__(self, argv: tuple[str, ...], popen: subprocess.Popen[bytes]) -> None:
        self.argv = argv
        self._popen = popen
        self.stdin: IO[bytes] | None = popen.stdin
        self.stdout: IO[bytes] | None = popen.stdout
        self.stderr: IO[bytes] | None = popen.stderr

    @property
    def pid(self) -> int:
        """Its process number, which is its group's and session's too."""
        return self._popen.pid

    def poll(self) -> int | None:
        """Its exit code (minus the signal's number), or ``None`` while it lives."""
        return self._popen.poll()

    def wait(self, timeout: float | None = None) -> int | None:
        """Its exit code when it ends within ``timeout`` seconds, else ``None``."""
        try:
            return self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def communicate(self, data: bytes | None = None, timeout: float | None = None) -> tuple[bytes, bytes] | None:
        """Feed and drain its pipes until it ends; ``None`` when ``timeout`` passes first (call again to go on)."""
        try:
            out, err = self._popen.communicate(data, timeout)
        except subprocess.TimeoutExpired:
            return None
        return out or b"", err or b""

    def signal(self, number: int) -> None:
        """Send a signal to its whole group; nothing happens when no member is left."""
        try:
            os.killpg(self._popen.pid, number)
        except (ProcessLookupError, PermissionError):
            return

    def stop(self, grace: float = GRACE) -> int:
        """End the group: SIGTERM, up to ``grace`` seconds, SIGKILL. Returns the child's exit code.

        Members that outlive the leader are ended as well.
        """
        if self._popen.poll() is None:
            self.signal(signal.SIGTERM)
            self.wait(grace)
        self.signal(signal.SIGKILL)
        return self._popen.wait()

    def close(self) -> None:
        """Close our ends of its pipes."""
        for stream in (self.stdin, self.stdout, self.stderr):
            if stream is not None:
                try:
                    stream.close()
                except BrokenPipeError:
                    continue

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._popen.poll() is None:
                self.stop()
        finally:
            self.close()


def _program(name: str, env: Mapping[str, str]) -> Path:
    """Where a program is.

    Raises:
        MissingToolError: nowhere.
    """
    program = find_tool(name, env)
    if program is None:
        short = Path(name).name
        package = _PACKAGES.get(short)
        raise MissingToolError(
            f"the program {short!r} is needed and not there",
            hint=f"install it (Debian, Ubuntu: apt-get install {package})" if package else "install it",
            where=name,
        )
    return program


def start(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path | None = None,
    stdin: int | IO[bytes] | None = DEVNULL,
    stdout: int | IO[bytes] | None = None,
    stderr: int | IO[bytes] | None = None,
    pass_fds: Sequence[int] = (),
) -> Child:
    """Start a child in a session of its own.

    The program is looked up on the PATH of ``env``. Descriptors other than ``pass_fds`` are closed in it; those keep
    their numbers.

    Raises:
        MissingToolError: there is no such program.
        WfexsError: it can't be started.
    """
    command = tuple(argv)
    program = _program(command[0], env)
    try:
        popen = subprocess.Popen(
            command,
            executable=program,
            env=dict(env),
            cwd=cwd,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            pass_fds=tuple(pass_fds),
            start_new_session=True,
        )
    except (ValueError, UnicodeEncodeError) as error:
        raise WfexsError(f"cannot start {command[0]!r}: {error}", where=command[0]) from error
    except OSError as error:
        raise from_os_error(error, f"start {command[0]!r}") from error
    return Child(command, popen)


def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path | None = None,
    input: bytes | None = None,  # noqa: A002 - the name everybody knows from the standard library
    timeout: float | None = None,
    check: bool = True,
    stdout: int | IO[bytes] | None = PIPE,
    stderr: int | IO[bytes] | None = PIPE,
    pass_fds: Sequence[int] = (),
    cancelled: threading.Event | None = None,
) -> Completed:
    """Run a child to its end and take what it says.

    ``timeout`` is in seconds. When it passes, when ``cancelled`` is set or when an exception arrives here, the child's
    whole group is ended. Without ``input`` its standard input is empty.

    Raises:
        MissingToolError: there is no such program.
        ProcessError: it took too long, was cancelled, or (with ``check``) ended with a code other than 0.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    with start(
        argv,
        env=env,
        cwd=cwd,
        stdin=DEVNULL if input is None else PIPE,
        stdout=stdout,
        stderr=stderr,
        pass_fds=pass_fds,
    ) as child:
        reason, pending = "", input
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            wait = left if cancelled is None else min(_POLL, _POLL if left is None else left)
            drained = child.communicate(pending, wait)
            pending = None
            if drained is not None:
                break
            if cancelled is not None and cancelled.is_set():
                reason = "cancelled"
            elif deadline is not None and time.monotonic() >= deadline:
                reason = "timeout"
            if reason:
                child.stop(0.5)
                drained = child.communicate(None, 1.0) or (b"", b"")
                break
        code = child.stop(0.0) if reason else child.wait()
        completed = Completed(argv=child.argv, code=0 if code is None else code, stdout=drained[0], stderr=drained[1])
    if reason:
        raise ProcessError(completed, reason)
    if check and completed.code != 0:
        raise ProcessError(completed)
    return completed


def in_foreground(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path | None = None,
    stdout: int | None = None,
) -> int:
    """Run a child for a person, on our own terminal and in our own process group, to its end.

    It has our standard streams, but for ``stdout`` where that is given. What is typed to interrupt is for it alone.
    Returns its exit code, or minus the signal's number. When an exception arrives here it is hung up on and ended.

    Raises:
        MissingToolError: there is no such program.
        WfexsError: it can't be started.
    """
    command = tuple(argv)
    program = _program(command[0], env)
    # Not ignored, which the child would inherit.
    typed = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGQUIT)}
    try:
        with subprocess.Popen(command, executable=program, env=dict(env), cwd=cwd, stdout=stdout) as popen:
            try:
                return popen.wait()
            except BaseException:
                for number, grace in ((signal.SIGHUP, 0.5), (signal.SIGTERM, GRACE), (signal.SIGKILL, None)):
                    popen.send_signal(number)
                    try:
                        popen.wait(grace)
                    except subprocess.TimeoutExpired:
                        continue
                    break
                raise
    except (ValueError, UnicodeEncodeError) as error:
        raise WfexsError(f"cannot start {command[0]!r}: {error}", where=command[0]) from error
    except OSError as error:
        raise from_os_error(error, f"start {command[0]!r}") from error
    finally:
        for number, handler in typed.items():
            signal.signal(number, handler)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
