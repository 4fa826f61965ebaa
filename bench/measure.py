"""Measuring: one command's time and memory, and what this machine's disk and processor allow."""

from __future__ import annotations

import hashlib
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one measured command took: seconds of wall time and of the processors, the greatest memory in bytes."""

    seconds: float
    processor: float
    memory: int
    stdout: str


class CommandFailedError(Exception):
    """A measured command did not end with exit code 0: a number for it would mean nothing."""


def command(
    argv: Sequence[str | Path], *, cwd: Path, environment: Mapping[str, str], timeout: float | None = None
) -> Sample | None:
    """Run ``argv`` once; ``None`` when it was stopped after ``timeout`` seconds.

    Raises:
        CommandFailedError: it ended with another exit code than 0.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.perf_counter()
        process = subprocess.Popen(
            [*map(str, argv)], cwd=cwd, env=dict(environment), stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )
        # wait4, not Popen.wait: it alone tells this one child's greatest memory.
        status, usage = _wait(process.pid, None if timeout is None else started + timeout)
        seconds = time.perf_counter() - started
        process.returncode = 0 if status is None else os.waitstatus_to_exitcode(status)
        if status is None:
            return None
        out.seek(0)
        err.seek(0)
        if process.returncode:
            words = " ".join(map(str, argv))
            raise CommandFailedError(
                f"exit {process.returncode}: {words}\n{err.read().decode(errors='replace')[-2000:]}"
            )
        return Sample(
            seconds=seconds,
            processor=usage.ru_utime + usage.ru_stime,
            memory=usage.ru_maxrss * 1024,
            stdout=out.read().decode(),
        )


def _wait(pid: int, deadline: float | None) -> tuple[int | None, object]:
    if deadline is None:
        _, status, usage = os.wait4(pid, 0)
        return status, usage
    while True:
        ended, status, usage = os.wait4(pid, os.WNOHANG)
        if ended:
            return status, usage
        if time.perf_counter() > deadline:
            os.kill(pid, 9)
            os.wait4(pid, 0)
            return None, None
        time.sleep(0.01)


def median(times: int, once: Callable[[], Sample]) -> Sample:
    """The sample whose time is the median one, of ``times`` (an odd number is best)."""
    return middle([once() for _ in range(times)])


def middle(samples: Sequence[Sample]) -> Sample:
    """The sample whose time is the median one."""
    return sorted(samples, key=lambda sample: sample.seconds)[len(samples) // 2]


def seconds(times: int, once: Callable[[], object]) -> float:
    """The median time of ``once``."""

    def timed() -> float:
        started = time.perf_counter()
        once()
        return time.perf_counter() - started

    return statistics.median(timed() for _ in range(times))


def make_file(path: Path, size: int) -> None:
    """A file of ``size`` bytes that no file system can make smaller."""
    block = os.urandom(4 * MIB)
    with path.open("wb") as stream:
        for start in range(0, size, len(block)):
            stream.write(start.to_bytes(8, "big") + block[8 : min(len(block), size - start)])
        stream.flush()
        os.fsync(stream.fileno())


def hash_file(path: Path) -> str:
    """The sha256 of a file, by the fastest way Python has."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_file(path: Path, size: int) -> None:
    """Write ``size`` bytes to ``path``, wait until the disk has them, and remove them."""
    block = os.urandom(4 * MIB)
    try:
        with path.open("wb", buffering=0) as stream:
            for _ in range(0, size, len(block)):
                stream.write(block)
            os.fsync(stream.fileno())
    finally:
        path.unlink(missing_ok=True)


def copy_and_hash(source: Path, target: Path) -> None:
    """What staging a folder cannot do without: read each file, hash it, write it."""
    target.mkdir()
    for path in sorted(source.iterdir()):
        hash_file(path)
        shutil.copyfile(path, target / path.name)
    shutil.rmtree(target)
