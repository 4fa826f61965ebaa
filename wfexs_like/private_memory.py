"""Private memory: while keys and secret data are in it, it is not dumped to disk nor, where that can be, swapped."""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Iterator
from typing import Final

# mman(7): what is mapped now and later, each page once it is touched.
_CURRENT_AND_FUTURE_ON_FAULT: Final = 1 | 2 | 4
_users = [0]


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
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (min(1, hard) if hard != resource.RLIM_INFINITY else 1, hard))
    _users[0] += 1
    if _users[0] == 1 and _may_lock():
        _call("mlockall", _CURRENT_AND_FUTURE_ON_FAULT)
    try:
        yield
    finally:
        _users[0] -= 1
        if _users[0] == 0 and _may_lock():
            _call("munlockall")
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


def _may_lock() -> bool:
    return os.geteuid() == 0 or resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] == resource.RLIM_INFINITY


def _call(name: str, *arguments: int) -> None:
    # It may be forbidden all the same (a container); then swap is what ``wfexs-like doctor`` says of it.
    import ctypes

    getattr(ctypes.CDLL(None), name)(*arguments)
