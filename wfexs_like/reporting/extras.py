"""Extras: what a page tells besides its account, by whoever knows more than a crate's metadata say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One line: ``text`` under ``label``. ``href`` is where it leads, ``more`` are lines below it."""

    label: str
    text: str
    href: str | None = None
    code: bool = False
    more: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A section of its own: a paragraph, a command to type where there is one, facts, further paragraphs."""

    title: str
    paragraphs: tuple[str, ...] = ()
    command: str | None = None
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunExtras:
    """What else is known of one run; ``last_words`` are the last lines that it wrote.

    ``inputs`` and ``outputs`` have a remark on what fills a parameter, by the parameter's name.
    """

    facts: tuple[Fact, ...] = ()
    last_words: tuple[str, ...] = ()
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extras:
    """The whole. ``facts`` stand in the overview, ``runs`` by the runs' numbers, ``notes`` at the end.

    ``inputs`` are remarks as those of a run, for a crate that tells of none.
    """

    facts: tuple[Fact, ...] = ()
    inputs: Mapping[str, str] = field(default_factory=dict)
    runs: Mapping[int, RunExtras] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
