"""Wanted: what a stage asks for, how that becomes requests, and how what was obtained becomes items of the plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from staging.definition import Source
from staging.errors import DigestError
from staging.fingerprints import Fingerprint, StatSignature
from staging.obtained import BY_LOCK, BY_STAGE_FILE, Obtained, Request
from staging.plan import Kind, Plan, PlanItem, Role, Trust


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One thing to be staged: from ``source``, or made of ``contents``. ``path`` is where, below the content folder.

    ``kind`` is what it has to be (``None``: either). ``asked`` is the identifier that the plan has for it, where that
    is not the first place to get it from. An item that is not ``cacheable`` is fetched past the store. That an
    ``optional`` one is not there is no news to anybody. ``label`` is what a person reads of it (by default its
    name); of a ``part`` only while it comes, since whoever wants the whole tells of that.
    """

    role: Role
    name: str
    path: PurePosixPath
    source: Source | None = None
    contents: bytes | None = None
    asked: str | None = None
    kind: Kind | None = None
    disclosable: bool = True
    cacheable: bool = True
    clonable: bool = True
    optional: bool = False
    label: str | None = None
    part: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedFile:
    """A file that the stager wrote: ``path`` below the content folder, its bytes' sha256 and its signature."""

    path: str
    sha256: str
    signature: StatSignature


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedItem:
    """One thing that is staged. ``source`` is ``fetched`` or ``cache``; ``trust`` may also be ``locked``."""

    item: PlanItem
    source: str
    trust: Trust
    placed: tuple[PlacedFile, ...] = ()


@dataclass(slots=True, kw_only=True)
class Job:
    """A content that one or more of the wanted things have in common."""

    request: Request
    cacheable: bool
    part: bool = False
    wanted: list[int] = field(default_factory=list)


def inline_identifier(name: str) -> str:
    """How a lock names a content that the stage file itself holds: ``inline:`` and the item's name."""
    return f"inline:{quote(name, safe='/[].')}"


def locked_items(wanted: Sequence[Wanted], locked: Plan) -> dict[int, PlanItem]:
    """The lock's item for each of ``wanted``.

    Raises:
        DigestError: one is not in the lock, or not under that identifier.
    """
    known = {(item.role, item.name): item for item in locked.items}
    found: dict[int, PlanItem] = {}
    for index, one in enumerate(wanted):
        item = known.get((one.role, one.name))
        asked = _asked(one)
        hint = "stage without --locked to make a new lock"
        if item is None:
            raise DigestError(
                f"the {one.role} {one.name!r} ({asked}) is not in the lock", hint=hint, where=one.name, identifier=asked
            )
        if item.identifier != asked:
            raise DigestError(
                f"the {one.role} {one.name!r} is {asked}, the lock has {item.identifier} for it",
                hint=hint,
                where=one.name,
                identifier=asked,
            )
        stated = Fingerprint.of_bytes(one.contents) if one.contents is not None else one.source and one.source.sha256
        if stated and stated != item.fingerprint:
            raise DigestError(
                f"the {one.role} {one.name!r} has the sha256 {stated.digest} in the stage file, the lock says "
                f"{item.fingerprint.digest}",
                hint=hint,
                where=one.name,
                identifier=asked,
                expected=item.fingerprint.digest,
                actual=stated.digest,
            )
        found[index] = item
    return found


def _asked(one: Wanted) -> str:
    """The identifier as it was asked; a relative one stays relative, so that the lock tells no local path."""
    if one.asked is not None:
        return one.asked
    return str(one.source.mirrors[0]) if one.source is not None else inline_identifier(one.name)


def jobs_of(
    wanted: Sequence[Wanted], base: Path, pinned: Mapping[int, PlanItem], *, promise: str = BY_STAGE_FILE
) -> list[Job]:
    """What is to be obtained, each content once. ``pinned`` are the lock's items, by place in ``wanted``.

    ``promise`` is who stated the digests that no lock holds.
    """
    jobs: dict[tuple[object, ...], Job] = {}
    for index, one in enumerate(wanted):
        source = one.source
        if source is None:
            continue
        locked = pinned.get(index)
        sha256 = locked.fingerprint if locked is not None else source.sha256
        size = locked.size if locked is not None and locked.kind is Kind.FILE else source.size
        mirrors = tuple(mirror.against(base) for mirror in source.mirrors)
        same = (mirrors, sha256, size, one.kind) if one.cacheable else (index,)
        job = jobs.get(same)
        if job is None:
            job = jobs[same] = Job(
                request=Request(
                    key=f"{one.role}:{one.name}",
                    label=one.label or one.name,
                    mirrors=mirrors,
                    sha256=sha256,
                    promise=BY_LOCK if locked is not None else promise,
                    size=size,
                    kind=one.kind or (locked.kind if locked is not None else None),
                    licences=source.licences,
                    where=source.where,
                ),
                cacheable=one.cacheable,
                part=one.part,
            )
        job.wanted.append(index)
    return list(jobs.values())


def item_of(one: Wanted, obtained: tuple[Request, Obtained] | None) -> PlanItem:
    """The plan's entry: a value that stands in the stage file, or what was obtained for a source."""
    source, asked = one.source, _asked(one)
    hops: tuple[str, ...] = ()
    licences: tuple[str, ...] = ()
    if one.contents is not None:
        fingerprint, size, kind = Fingerprint.of_bytes(one.contents), len(one.contents), Kind.FILE
        pinned = asked
    else:
        assert source is not None
        assert obtained is not None
        request, got = obtained
        # What was written as a relative path is told as one: the folder of the stage file is nobody's business.
        written = {str(full): str(short) for full, short in zip(request.mirrors, source.mirrors, strict=True)}
        fingerprint, size, kind = got.stored.fingerprint, got.stored.size, got.stored.kind
        pinned = written.get(got.pinned, got.pinned)
        hops = tuple(hop for hop in (written.get(hop, hop) for hop in got.hops) if hop != asked)
        licences = tuple(dict.fromkeys((*source.licences, *got.licences)))
    return PlanItem(
        role=one.role,
        name=one.name,
        identifier=asked,
        pinned=pinned,
        kind=kind,
        fingerprint=fingerprint,
        size=size,
        trust=trust_of(one),
        path=one.path,
        hops=hops,
        licences=licences,
        attributions=source.attributions if source is not None else (),
        disclosable=one.disclosable,
        cacheable=one.cacheable,
        clonable=one.clonable,
    )


def trust_of(one: Wanted) -> Trust:
    """Expected when the stage file tells the digest or holds the bytes themselves."""
    source = one.source
    stated = source is None or source.sha256 is not None or source.mirrors[0].scheme == "data"
    return Trust.EXPECTED if stated else Trust.FIRST_USE
