"""Judges: the profiles that a crate can be checked against, and whose shapes do it.

The validator ships shapes for RO-Crate 1.1 to 1.3 and for the run profiles up to 0.5. Profiles of the second generation
(see ``generations``) have none of their own: RO-Crate's shapes judge the crate as it is written, and those of the first
generation a copy of its metadata that says the same in the first's words (``other_words``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from staging.errors import UsageError
from wfexs_like.reading.metadata import Metadata, references


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedProfile:
    """A profile by our name for it.

    ``addresses`` are what a crate declares it by, with or without a patch version. ``shapes`` is the validator's
    profile that judges; ``base`` the one that judges the crate as it is written, where ``shapes``
    judge a copy in other words. ``extends`` are the profiles whose checks are among its own.
    """

    name: str
    title: str
    addresses: tuple[str, ...]
    shapes: str
    base: str | None = None
    extends: tuple[str, ...] = ()


_RUN: Final = "https://w3id.org/ro/wfrun"
_HUB: Final = "https://w3id.org/workflowhub/workflow-ro-crate"
_FIRST: Final = ("ro-crate-1.1",)
_SECOND: Final = ("ro-crate-1.2", "ro-crate-1.3")
_BASE: Final = "ro-crate-1.3"


def _older(kind: str) -> tuple[str, ...]:
    """Its versions up to 0.5, which is what the shapes are for."""
    return tuple(f"{_RUN}/{kind}/0.{one}" for one in range(1, 6))


PROFILES: Final = (
    JudgedProfile(
        name="provenance-run-crate-0.6",
        title="Provenance Run Crate 0.6",
        addresses=(f"{_RUN}/provenance/0.6",),
        shapes="provenance-run-crate-0.5",
        base=_BASE,
        extends=("workflow-run-crate-0.6", "process-run-crate-0.6", "workflow-ro-crate-1.1", *_SECOND),
    ),
    JudgedProfile(
        name="workflow-run-crate-0.6",
        title="Workflow Run Crate 0.6",
        addresses=(f"{_RUN}/workflow/0.6",),
        shapes="workflow-run-crate-0.5",
        base=_BASE,
        extends=("process-run-crate-0.6", "workflow-ro-crate-1.1", *_SECOND),
    ),
    JudgedProfile(
        name="process-run-crate-0.6",
        title="Process Run Crate 0.6",
        addresses=(f"{_RUN}/process/0.6",),
        shapes="process-run-crate-0.5",
        base=_BASE,
        extends=_SECOND,
    ),
    JudgedProfile(
        name="provenance-run-crate-0.5",
        title="Provenance Run Crate 0.5",
        addresses=_older("provenance"),
        shapes="provenance-run-crate-0.5",
        extends=("workflow-run-crate-0.5", "process-run-crate-0.5", "workflow-ro-crate-1.0", *_FIRST),
    ),
    JudgedProfile(
        name="workflow-run-crate-0.5",
        title="Workflow Run Crate 0.5",
        addresses=_older("workflow"),
        shapes="workflow-run-crate-0.5",
        extends=("process-run-crate-0.5", "workflow-ro-crate-1.0", *_FIRST),
    ),
    JudgedProfile(
        name="process-run-crate-0.5",
        title="Process Run Crate 0.5",
        addresses=_older("process"),
        shapes="process-run-crate-0.5",
        extends=_FIRST,
    ),
    JudgedProfile(
        name="workflow-testing-ro-crate-0.1",
        title="Workflow Testing RO-Crate 0.1",
        addresses=("https://w3id.org/ro/wftest",),
        shapes="workflow-testing-ro-crate-0.1",
        extends=("workflow-ro-crate-1.0", *_FIRST),
    ),
    JudgedProfile(
        name="isa-ro-crate",
        title="ISA RO-Crate 1.0",
        addresses=("https://github.com/nfdi4plants/isa-ro-crate-profile",),
        shapes="isa-ro-crate",
        extends=_FIRST,
    ),
    JudgedProfile(
        name="workflow-ro-crate-1.1",
        title="Workflow RO-Crate 1.1",
        addresses=(f"{_HUB}/1.1",),
        shapes="workflow-ro-crate-1.0",
        base=_BASE,
        extends=_SECOND,
    ),
    JudgedProfile(
        name="workflow-ro-crate-1.0",
        title="Workflow RO-Crate 1.0",
        addresses=(f"{_HUB}/1.0", "https://about.workflowhub.eu/Workflow-RO-Crate"),
        shapes="workflow-ro-crate-1.0",
        extends=_FIRST,
    ),
    JudgedProfile(
        name="ro-crate-1.3",
        title="RO-Crate 1.3",
        addresses=("https://w3id.org/ro/crate/1.3",),
        shapes="ro-crate-1.3",
        extends=("ro-crate-1.2",),
    ),
    JudgedProfile(
        name="ro-crate-1.2", title="RO-Crate 1.2", addresses=("https://w3id.org/ro/crate/1.2",), shapes="ro-crate-1.2"
    ),
    JudgedProfile(
        name="ro-crate-1.1", title="RO-Crate 1.1", addresses=("https://w3id.org/ro/crate/1.1",), shapes="ro-crate-1.1"
    ),
)
"""Those that there are, the most specific first."""

BY_NAME: Final = {one.name: one for one in PROFILES}
DECLARED: Final = "declared"
"""The word for every profile that a crate declares."""


def named(name: str) -> JudgedProfile:
    """The profile of that name or address.

    Raises:
        UsageError: there is none.
    """
    found = BY_NAME.get(name) or _addressed(name)
    if found is None:
        close = get_close_matches(name, [*BY_NAME, DECLARED], 1)
        guess = f"did you mean {close[0]}? " if close else ""
        raise UsageError(f"there is no profile {name!r}", hint=f"{guess}known: {', '.join(BY_NAME)}")
    return found


def base_profile(name: str) -> str:
    """RO-Crate's own profile, of the generation that the named one is of."""
    profile = named(name)
    return profile.base or next((one for one in profile.extends if one in _FIRST), profile.name)


def declared(metadata: Metadata) -> tuple[JudgedProfile, ...]:
    """The profiles that a crate declares, the most specific first; RO-Crate 1.1 where none that is known."""
    stated = [*references(metadata.root.get("conformsTo")), *references(metadata.descriptor.get("conformsTo"))]
    found = {one.name for address in stated if (one := _addressed(address)) is not None}
    return tuple(one for one in PROFILES if one.name in found) or (BY_NAME["ro-crate-1.1"],)


def chosen(wished: tuple[str, ...], metadata: Metadata) -> tuple[JudgedProfile, ...]:
    """The profiles to judge by: those that are wished, the most specific one that is declared when none is.

    Raises:
        UsageError: there is no such profile.
    """
    if not wished:
        return declared(metadata)[:1]
    return tuple(dict.fromkeys(_wished(wished, metadata)))


def _wished(wished: tuple[str, ...], metadata: Metadata) -> Iterator[JudgedProfile]:
    for word in wished:
        if word == DECLARED:
            every = declared(metadata)
            covered = {name for one in every for name in one.extends}
            yield from (one for one in every if one.name not in covered)
        else:
            yield named(word)


def _addressed(address: str) -> JudgedProfile | None:
    plain = address.rstrip("/")
    for one in PROFILES:
        # What follows is a part or a patch version of it: ".../1.0/", ".../1.0.3".
        if any(plain == known or plain.startswith((f"{known}/", f"{known}.", f"{known}-")) for known in one.addresses):
            return one
    return None
