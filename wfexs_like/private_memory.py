"""Private memory: while keys and secret data are in it, it is not dumped to disk nor, where that can be, swapped."""

from __future__ import annotations

import contextlib
import resource
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

# mman(7): what is mapped now and later, each page once it is touched.
_CURRENT_AND_FUTURE_ON_FAULT: Final = 1 | 2 | 4
_CAP_IPC_LOCK: Final = 14
_lock = threading.Lock()
_limits: Final[list[tuple[int, int]]] = []
"""Of core dumps, as they were before each of those that use this now."""


@contextlib.contextmanager
def private_memory(*, wanted: bool = True) -> Iterator[None]:
    """While it lasts, no core of this process or its children is written, and its own pages stay out of swap.

    A core limit of one byte is too little for a file, and keeps dumps from programs that they are piped to as well,
    which none at all would not: core(5), and do_coredump in the kernel's fs/coredump.c. Pages are locked where all that
    this process may ever need can be (root, or no limit): a limit that is reached later would end it.
    """
    if not wanted:
        yield
        return
    with _lock:
        soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
        _limits.append((soft, hard))
        if len(_limits) == 1:
            resource.setrlimit(resource.RLIMIT_CORE, (min(1, hard) if hard != resource.RLIM_INFINITY else 1, hard))
            if _may_lock():
                _call("mlockall", _CURRENT_AND_FUTURE_ON_FAULT)
    try:
        yield
    finally:
        with _lock:
            # Whoever came first may well go before the others.
            last = _limits.pop()
            if not _limits:
                if _may_lock():
                    _call("munlockall")
                resource.setrlimit(resource.RLIMIT_CORE, last)


def _may_lock() -> bool:
    """Whether no limit on locked memory can be reached: there is none, or the capability lifts it."""
    if resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] == resource.RLIM_INFINITY:
        return True
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    effective = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff:"))
    # In a user namespace the bit says nothing of the world outside, which counts.
    everybody = Path("/proc/self/uid_map").read_text(encoding="ascii").split() == ["0", "0", "4294967295"]
    return everybody and bool(int(effective, 16) >> _CAP_IPC_LOCK & 1)


def _call(name: str, *arguments: int) -> None:
    # It may be forbidden all the same (a container); then swap is what ``wfexs-like doctor`` says of it.
    import ctypes

    getattr(ctypes.CDLL(None), name)(*arguments)
