"""Processes: which one is meant, whether it still lives, and how to find what belongs to a run."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

MARKER: Final = "WFEXS_LIKE_RUN"
"""The variable that marks what belongs to a run, where there is no PID namespace to do it."""

PATIENCE: Final = 10.0
"""Seconds to wait for something that was ended to be gone."""


def children_of(pid: int) -> tuple[int, ...]:
    """The children of a process's main thread (proc(5), ``children``)."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return ()
    return tuple(int(word) for word in text.split())


def sweep(mark: str) -> None:
    """End every process of ours that carries a run's mark in its environment."""
    needle = f"{MARKER}={mark}".encode()
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = [pid for pid in _processes() if needle in _environment(pid).split(b"\0")]
        if not found:
            return
        for pid in found:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def _processes() -> Iterator[int]:
    own = os.getpid()
    for entry in os.scandir("/proc"):
        if entry.name.isdigit() and int(entry.name) != own:
            yield int(entry.name)


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


def identity(pid: int) -> dict[str, object]:
    """What tells a process from a later one with the same number: its start time and this boot."""
    return {"pid": pid, "started": _started(pid), "boot": boot_id()}


def boot_id() -> str:
    """The identity of the present boot of the machine."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def is_alive(who: Mapping[str, object]) -> bool:
    """Whether the process of an ``identity`` is still that process."""
    pid = who.get("pid")
    return isinstance(pid, int) and who.get("boot") == boot_id() and _started(pid) == who.get("started") is not None


def _started(pid: int) -> int | None:
    """The start time in clock ticks since boot (proc(5) ``stat``, field 22), ``None`` when there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] == "Z" else int(fields[19])
