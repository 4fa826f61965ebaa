"""What ``compare`` tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from wfexs_like.comparing.data import Compared


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something that isn't the same; ``a`` and ``b`` are what it is, shortly, ``None`` where it isn't there."""

    what: str
    a: str | None = None
    b: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """One of the two: how it was named, and what it is called."""

    label: str
    run: str
    status: str
    secret: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstStep:
    """The first step that took the same and made something else; ``differs`` names what, separated by commas."""

    name: str
    differs: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareReport:
    """Two runs held against each other.

    ``verdict`` is ``different`` where there are ``differences``: in the workflow, what was given, the status and the
    outputs. ``circumstances`` (engine, images, what can't be told) don't decide it. ``files`` are all outputs.
    """

    a: Named
    b: Named
    verdict: Literal["same", "different"]
    differences: tuple[Difference, ...]
    circumstances: tuple[Difference, ...]
    files: tuple[Compared, ...]
    step: FirstStep | None
