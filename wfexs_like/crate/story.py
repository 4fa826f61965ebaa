"""The story of a crate, as its README and preview tell it: plain values, already fit to be shown."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """One value in a slot: ``text`` to show, ``href`` where it is (in the crate or on the web), digest and bytes.

    ``beside`` are its secondary files, or what is in a folder that is only a list.
    """

    text: str
    href: str | None = None
    sha256: str | None = None
    size: int | None = None
    note: str | None = None
    beside: tuple[Thing, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A parameter and what filled it; ``many`` counts the things that were left out of a long list."""

    name: str
    kind: str
    things: tuple[Thing, ...]
    description: str | None = None
    many: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStory:
    """One run. ``status`` is ``completed``, ``failed`` or ``killed``; times as in the record, ``None`` if not known.

    ``tried`` is what it tried to reach, ``not_seen`` what of that nobody saw.
    """

    number: int
    uuid: str
    status: str
    started: str | None
    ended: str | None
    seconds: float | None
    exit_code: int | None
    error: str | None
    ran: str
    network: str
    inputs: tuple[Slot, ...]
    outputs: tuple[Slot, ...]
    logs: tuple[Thing, ...] = ()
    environment: tuple[Slot, ...] = ()
    tools: str = ""
    platform: str = ""
    tail: tuple[str, ...] = ()
    tried: tuple[str, ...] = ()
    not_seen: str = ""


@dataclass(slots=True, kw_only=True)
class Story:
    """The whole."""

    title: str
    description: str
    kind: str
    published: str
    licence: Thing
    people: tuple[str, ...]
    workflow: Thing
    workflow_source: Thing | None
    language: str
    engine: str
    software: str
    plan_digest: str
    lock: Thing | None = None
    inputs: tuple[Slot, ...] = ()
    environment: tuple[Slot, ...] = ()
    outputs: tuple[Slot, ...] = ()
    runs: tuple[RunStory, ...] = ()
    still_running: int = 0
    images: tuple[Thing, ...] = ()
    command: str | None = None
    signed_by: str | None = None
    remarks: list[str] = field(default_factory=list)
