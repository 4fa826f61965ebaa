"""Lanes: work in pieces, each kind of it by one thread in the order in which it was asked for.

The hashes and ciphers that are used here let go of the interpreter while they work, so that lanes use all processors.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Lanes:
    """Threads by name; while ``inline``, the work is done at once and there are none. Then each kind has its own.

    A lane may be given work from within another. What it is given after ``close`` is refused with a ``RuntimeError``.
    """

    def __init__(self, *names: str) -> None:
        self.inline = True
        self._names = names
        self._threads: dict[str, ThreadPoolExecutor] = {}
        self._closed = False

    def submit(self, lane: str, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Do ``work`` after all that this lane was given before."""
        if not self.inline:
            return self._threads[lane].submit(work, *args, **kwargs)
        if self._closed:
            raise RuntimeError("the lanes are closed")
        done: Future[T] = Future()
        done.set_result(work(*args, **kwargs))
        return done

    def split(self) -> None:
        """From now on there are threads; never again ``inline``. Threads are only made when they get work."""
        if self.inline:
            self._threads = {
                one: ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"seal-{one}") for one in self._names
            }
            if self._closed:
                self.close()
            self.inline = False

    def close(self) -> None:
        """Do no more than what is being done right now, and end the threads."""
        self._closed = True
        for one in self._threads.values():
            one.shutdown(wait=False, cancel_futures=True)
        for one in self._threads.values():
            one.shutdown(wait=True)
