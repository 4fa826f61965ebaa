"""Surveying: what staging would fetch and how big it is, as far as sources tell it without giving their bytes."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from staging.fetchers.base import FETCHERS, FetchContext
from staging.fingerprints import Fingerprint
from staging.obtained import Request
from staging.obtaining import check_schemes
from staging.plan import Plan, Role, Trust
from staging.stager import Stager
from staging.wanted import Wanted, inline_identifier


@dataclass(frozen=True, slots=True, kw_only=True)
class Surveyed:
    """One thing that would be staged. ``size`` is in bytes; it and ``sha256`` are ``None`` where nobody knows yet.

    ``source`` is ``cache`` when the store holds it already. ``mutable``: its identifier may change its meaning.
    """

    role: Role
    name: str
    identifier: str
    pinned: str
    size: int | None
    sha256: str | None
    trust: Trust
    source: str
    mutable: bool
    licences: tuple[str, ...] = ()


def survey(stager: Stager, wanted: Sequence[Wanted], base: Path, *, locked: Plan | None) -> tuple[Surveyed, ...]:
    """Ask the sources about ``wanted``, several at once. Relative identifiers are read from ``base``.

    Raises:
        FetchError: a source says that there is no such thing, or doesn't answer.
        DefinitionError: a scheme that nothing can fetch.
    """
    promised = {(item.role, item.name): item.fingerprint for item in locked.items} if locked else {}
    surveyed = [_inline(one) if one.source is None else None for one in wanted]
    outside = [index for index, one in enumerate(surveyed) if one is None]
    requests = {index: _request(wanted[index], base, promised) for index in outside}
    check_schemes(list(requests.values()))
    with ThreadPoolExecutor(stager.jobs, thread_name_prefix="survey") as pool:
        answers = pool.map(lambda index: _ask(stager, wanted[index], requests[index]), outside)
        found = dict(zip(outside, answers, strict=True))
    return tuple(one or found[index] for index, one in enumerate(surveyed))


def _request(one: Wanted, base: Path, promised: dict[tuple[Role, str], Fingerprint]) -> Request:
    assert one.source is not None
    return Request(
        key=one.name,
        label=one.name,
        mirrors=tuple(mirror.against(base) for mirror in one.source.mirrors),
        sha256=one.source.sha256 or promised.get((one.role, one.name)),
        size=one.source.size,
        kind=one.kind,
        where=one.source.where,
    )


def _inline(one: Wanted) -> Surveyed:
    content = one.contents or b""
    return Surveyed(
        role=one.role,
        name=one.name,
        identifier=inline_identifier(one.name),
        pinned=inline_identifier(one.name),
        size=len(content),
        sha256=Fingerprint.of_bytes(content).digest,
        trust=Trust.EXPECTED,
        source="cache",
        mutable=False,
    )


def _ask(stager: Stager, one: Wanted, request: Request) -> Surveyed:
    assert one.source is not None
    mirror = request.mirrors[0]
    answer = Surveyed(
        role=one.role,
        name=one.name,
        identifier=str(one.source.mirrors[0]),
        pinned=str(one.source.mirrors[0]),
        size=request.size,
        sha256=request.sha256.digest if request.sha256 else None,
        trust=Trust.EXPECTED if request.sha256 else Trust.FIRST_USE,
        source="fetched",
        mutable=True,
        licences=one.source.licences,
    )
    held = stager.store.lookup(request.sha256) if request.sha256 else None
    if held is not None:
        return replace(answer, size=held.size, source="cache", mutable=False)
    fetcher = FETCHERS.load(mirror.scheme)()
    context = FetchContext(
        partial=stager.store.partial(str(mirror)),
        progress=stager.progress,
        key=one.name,
        environment=stager.environment,
    )
    pin = fetcher.survey(fetcher.pin(mirror, context), context)
    return replace(
        answer,
        pinned=answer.pinned if one.source.mirrors[0].is_relative else str(pin.identifier),
        size=pin.size if pin.size is not None else answer.size,
        sha256=answer.sha256 or (pin.fingerprint.digest if pin.fingerprint else None),
        mutable=pin.mutable,
        licences=(*answer.licences, *(one for one in pin.licences if one not in answer.licences)),
    )
