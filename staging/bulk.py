"""Bulk: many small local files brought into the store as one, where one by one each would wait for the disk alone.

Only the plain case is done here. Whatever is unusual (a folder, a large file, wrong bytes, somebody else at the same
identifier, any error) is left to ``staging.obtaining``, which does it again by itself and tells what is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from staging.errors import WfexsError
from staging.fetchers.base import Fetched, Pin
from staging.obtained import LOCAL, Obtained, Request, check_fetched, from_fetched, origin_of
from staging.obtaining import Obtainer
from staging.plan import Kind
from staging.removing import remove_path

LARGE = 1 << 20  # bytes; from here on a file is worth a transfer of its own
_FEW = 8
_CHUNK = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class _Finished:
    request: Request
    pin: Pin
    fetched: Fetched
    path: Path


def obtain_bulk(obtainer: Obtainer, requests: Sequence[Request], jobs: int) -> dict[str, Obtained]:
    """Those of the contents, by key, that are small local files nobody knows yet; the others are left alone.

    Raises:
        DiskError: the disk is full.
    """
    mine = [
        one for one in requests if one.mirrors[0].scheme in LOCAL and str(one.mirrors[0]) not in obtainer.remembered
    ]
    mine = list({str(one.mirrors[0]): one for one in mine}.values())
    if len(mine) < _FEW:
        return {}
    store = obtainer.store
    locks = {store.identifier_lock(str(one.mirrors[0])): one for one in mine}
    held, free = store.locks.attempt_many(list(locks))
    finished: list[_Finished] = []
    with held:
        try:
            known = store.index.asked([str(one.mirrors[0]) for one in mine])
            todo = [one for lock, one in locks.items() if lock in free and str(one.mirrors[0]) not in known]
            chunks = [todo[start : start + _CHUNK] for start in range(0, len(todo), _CHUNK)]
            with ThreadPoolExecutor(jobs, thread_name_prefix="fetch") as pool:
                try:
                    for done in pool.map(lambda chunk: _fetch(obtainer, chunk), chunks):
                        finished += done
                except BaseException:
                    obtainer.cancelled.set()  # an interrupt: the threads stop at their next file
                    raise
            return _commit(obtainer, finished)
        finally:
            for one in finished:
                remove_path(one.path)


def _fetch(obtainer: Obtainer, requests: Sequence[Request]) -> list[_Finished]:
    finished: list[_Finished] = []
    for request in requests:
        if obtainer.cancelled.is_set():
            break
        mirror = request.mirrors[0]
        fetcher, context = obtainer.fetcher(mirror), obtainer.context(request, mirror)
        path = obtainer.store.workspace.temporary_path()
        try:
            pin = fetcher.pin(mirror, context)
            if pin.kind is Kind.DIRECTORY or (pin.size or 0) >= LARGE:
                continue
            fetched = fetcher.fetch(pin, path, context, {})
            if not isinstance(fetched, Fetched) or fetched.kind is not Kind.FILE:
                remove_path(path)
                continue
            check_fetched(request, fetched, mirror)
        except (WfexsError, OSError):
            remove_path(path)
            continue
        finished.append(_Finished(request=request, pin=pin, fetched=fetched, path=path))
    return finished


def _commit(obtainer: Obtainer, finished: Sequence[_Finished]) -> dict[str, Obtained]:
    store, user = obtainer.store, obtainer.user
    store.index.use(user.home, user.workdir, {one.fetched.fingerprint.digest for one in finished})
    store.commit_files([(one.path, one.fetched.fingerprint) for one in finished])
    store.index.learn({str(one.request.mirrors[0]): origin_of(one.request, one.pin, one.fetched) for one in finished})
    return {
        one.request.key: from_fetched(one.request, one.request.mirrors[0], one.pin, one.fetched) for one in finished
    }
