"""Results: what each verb tells, as values that the command line prints as text or JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from staging.plan import Role

if TYPE_CHECKING:
    from engines.base import EngineVersion
    from engines.execution import Attempt, Execution
    from staging.plan import ImageFacts, Json, PlanItem, Trust
    from staging.wanted import StagedItem


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemReport:
    """One item of ``resolve`` or ``stage``; ``size`` and ``sha256`` are ``None`` where not known yet.

    A container image is one item: its ``sha256`` is that of its manifest, its ``size`` that of all it is made of.
    """

    role: str
    name: str
    identifier: str
    pinned: str
    size: int | None
    sha256: str | None
    trust: str
    source: str
    licences: tuple[str, ...] = ()
    risks: tuple[str, ...] = ()
    image: ImageFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StageReport:
    """What ``resolve`` and ``stage`` tell.

    ``content`` is the folder within ``path`` that the staged files and runs lie in. All five of the working directory's
    facts are ``None`` for ``resolve``.
    """

    id: str | None
    nickname: str | None
    path: Path | None
    content: Path | None
    lock_path: Path | None
    lock_digest: str | None
    items: tuple[ItemReport, ...]
    changes: tuple[str, ...] = ()


class Verdict(StrEnum):
    """What a trial run showed.

    ``PROVEN``: it came to a good end, cut off from the network, was watched, and tried to reach nobody. ``ISOLATED``:
    the same, but what it (or its containers) tried could not be seen; nothing got out. ``NOT_PROVEN``: it failed, or
    tried to reach somebody.
    """

    PROVEN = "proven"
    ISOLATED = "isolated"
    NOT_PROVEN = "not-proven"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """How the trial run with nothing but the staged files went; ``form`` is the file at ``path``.

    ``outcome`` is its status, ``unwatched_because`` why attempts could not be seen, where that is known.
    """

    path: Path
    verdict: Verdict
    outcome: str
    error: str | None
    unwatched_because: str | None
    attempts: tuple[Attempt, ...]
    tail: tuple[str, ...]
    form: Mapping[str, Json]

    @property
    def proven(self) -> bool:
        """Whether it showed that what is staged is enough."""
        return self.verdict is Verdict.PROVEN


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkdirReport:
    """What ``list`` and ``show`` tell of a working directory; ``container`` is the plan's runtime.

    ``closed``: it is encrypted, and nobody opened it for this: what is in it is not told. ``open``: it is encrypted,
    and was open before it was looked at, used by somebody or left open. ``imported`` is there for one
    that was made of a crate: the crate's name (``crate``), its ``identifier`` and the sha256 of its ``metadata``.
    """

    id: str
    nickname: str
    path: Path
    content: Path
    created: str
    vault: str = "plain"
    closed: bool = False
    open: bool = False
    lock_digest: str | None = None
    engine: str | None = None
    items: tuple[ItemReport, ...] = ()
    runs: tuple[Execution, ...] = ()
    container: str | None = None
    imported: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineReport:
    """One version of one engine, of ``engines list``."""

    engine: str
    version: EngineVersion


def report_items(staged: Iterable[StagedItem]) -> tuple[ItemReport, ...]:
    """What is told of all that was just staged; an image's blobs are told with it."""
    return tuple(report_item(one) for one in staged if one.item.role is not Role.BLOB)


def report_item(staged: StagedItem) -> ItemReport:
    """What is told of an item that was just staged."""
    return report_plan_item(staged.item, source=staged.source, trust=staged.trust)


def report_plan_item(item: PlanItem, *, source: str, trust: Trust) -> ItemReport:
    """What is told of an item of a plan."""
    return ItemReport(
        role=item.role.value,
        name=item.name,
        identifier=item.identifier,
        pinned=item.pinned,
        size=item.size if item.image is None else item.image.size,
        sha256=item.fingerprint.digest,
        trust=trust.value,
        source=source,
        licences=item.licences,
        image=item.image,
    )
