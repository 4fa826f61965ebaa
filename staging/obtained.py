"""Obtained: one content that is wanted, what came of it, and whether that is what was promised. Pure values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from staging.errors import DefinitionError, DigestError, Fault, FetchError, LockedError, WfexsError
from staging.fetchers.base import Fetched, Pin
from staging.fingerprints import Fingerprint
from staging.identifiers import Identifier
from staging.index import Origin
from staging.objects import Stored, now
from staging.plan import Kind

# Schemes whose pin costs no more than a look at a local file.
LOCAL = frozenset({"file", "data"})

BY_STAGE_FILE = "the stage file"
BY_LOCK = "the lock"
BY_COMMAND_LINE = "the command line"
_HINTS = {
    BY_STAGE_FILE: "if the change is expected, state the new sha256 in the stage file",
    BY_LOCK: 'if the change is expected, renew the lock: run "wfexs-like stage STAGE --locked LOCK --update"',
    BY_COMMAND_LINE: "if the change is expected, give the new digest with --sha256",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One content that is wanted: ``mirrors`` are absolute. ``promise`` is who stated ``sha256``: one of ``BY_...``."""

    key: str
    label: str
    mirrors: tuple[Identifier, ...]
    sha256: Fingerprint | None = None
    promise: str = BY_STAGE_FILE
    size: int | None = None
    kind: Kind | None = None
    licences: tuple[str, ...] = ()
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Obtained:
    """A content that is there, verified.

    ``pinned`` and ``hops`` are identifiers on the way from the one asked to the bytes. ``cached``: no byte of it was
    fetched. ``mutable``: what was asked for may mean something else tomorrow. ``before`` is what it was when it was
    last fetched, when that was something else.
    """

    stored: Stored
    pinned: str
    hops: tuple[str, ...] = ()
    licences: tuple[str, ...] = ()
    cached: bool = False
    mutable: bool = True
    before: Origin | None = None


def origin_of(request: Request, pin: Pin, fetched: Fetched) -> Origin:
    """What is to be remembered of a fetch."""
    return Origin(
        identifier=str(pin.identifier),
        kind=fetched.kind,
        fingerprint=fetched.fingerprint,
        size=fetched.size,
        fetched=now(),
        validators=dict(fetched.validators or pin.validators),
        hops=_hops(pin, fetched),
        licences=_unique(*pin.licences, *fetched.licences),
        stated=request.licences,
        media_type=fetched.media_type,
        suggested=fetched.name,
    )


def is_at_hand(request: Request) -> bool:
    """Whether the source can be looked at for nothing: then it is, and must still be what was promised.

    A digest alone would do to take the store's copy; but a user whose own file has changed since wants to hear of it.
    """
    first = request.mirrors[0]
    path = first.local_path
    return first.scheme in LOCAL and (path is None or path.exists())


_GIVEN_UP = "given up"
"""What a fetcher says that was told to stop, since another one failed."""


def most_telling(failures: Sequence[WfexsError]) -> WfexsError:
    """The failure that says most: wrong bytes before a plain "no such thing" before "try again later"."""

    def rank(error: WfexsError) -> int:
        if isinstance(error, DigestError):
            return 0
        if isinstance(error, LockedError):
            return 4
        if error.message == _GIVEN_UP:
            return 5
        if isinstance(error, FetchError):
            return 3 if error.transient else 2
        return 1

    return min(failures, key=rank)


def is_kind(request: Request, kind: Kind) -> bool:
    """Whether that is what the request wants."""
    return request.kind is None or request.kind is kind


def is_still(pin: Pin, origin: Origin) -> bool:
    """Whether the pin says, by itself, that the source still has what the origin stands for."""
    if pin.fingerprint is not None:
        return pin.fingerprint == origin.fingerprint
    if not pin.mutable:
        return True
    return bool(pin.validators) and dict(pin.validators) == dict(origin.validators)


def check_fetched(request: Request, fetched: Fetched, mirror: Identifier) -> None:
    """Refuse bytes that are not what the request says.

    Raises:
        DigestError: wrong digest or size. DefinitionError: a folder for a file, or the other way round.
    """
    if not is_kind(request, fetched.kind):
        wanted = "a file" if request.kind is Kind.FILE else "a folder"
        found = "a folder" if fetched.kind is Kind.DIRECTORY else "a file"
        fault = Fault(
            file="stage file", where=request.where or request.label, message=f"{mirror} is {found}, not {wanted}"
        )
        raise DefinitionError((fault,), message=fault.message)
    expected, actual = request.sha256, fetched.fingerprint
    if expected is not None and expected != actual:
        raise DigestError(
            f"sha256 of {mirror} is {actual.digest}, {request.promise} says {expected.digest}",
            hint=_HINTS.get(request.promise),
            where=request.where or None,
            identifier=str(mirror),
            expected=expected.digest,
            actual=actual.digest,
        )
    check_size(request, fetched.size, str(mirror))


def check_size(request: Request, size: int, identifier: str) -> None:
    """Refuse another size than the one stated.

    Raises:
        DigestError: it differs.
    """
    if request.size is not None and request.size != size:
        raise DigestError(
            f"{identifier} has {size} bytes, {request.promise} says {request.size}",
            hint="check that the identifier is the right one, or correct the size"
            if request.promise != BY_LOCK
            else _HINTS[BY_LOCK],
            where=request.where or None,
            identifier=identifier,
            expected=request.size,
            actual=size,
        )


def _hops(pin: Pin, fetched: Fetched) -> tuple[str, ...]:
    return _unique(*(str(hop) for hop in (*pin.hops, *fetched.hops)))


def _unique(*texts: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))


def _way(request: Request, mirror: Identifier, pinned: str, hops: Sequence[str]) -> tuple[str, ...]:
    """Every identifier between the one asked and the pinned one."""
    asked = str(request.mirrors[0])
    return tuple(one for one in _unique(str(mirror), *hops) if one not in (asked, pinned))


def from_origin(request: Request, mirror: Identifier, origin: Origin) -> Obtained:
    """What was obtained without a fetch, from what is remembered of an earlier one."""
    return Obtained(
        stored=Stored(kind=origin.kind, fingerprint=origin.fingerprint, size=origin.size),
        pinned=origin.identifier,
        hops=_way(request, mirror, origin.identifier, origin.hops),
        licences=origin.licences,
        cached=True,
    )


def from_fetched(request: Request, mirror: Identifier, pin: Pin, fetched: Fetched) -> Obtained:
    """What was obtained by a fetch."""
    pinned = str(pin.identifier)
    return Obtained(
        stored=Stored(kind=fetched.kind, fingerprint=fetched.fingerprint, size=fetched.size, tree=fetched.tree),
        pinned=pinned,
        hops=_way(request, mirror, pinned, _hops(pin, fetched)),
        licences=_unique(*pin.licences, *fetched.licences),
        mutable=pin.mutable,
    )
