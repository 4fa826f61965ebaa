"""What the crate verbs tell: plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wfexs_like.crate.exporters import Sealing


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationIssue:
    """One thing a profile validator did not like.

    ``severity`` is ``required``, ``recommended`` or ``optional``; ``check`` the check's identifier; ``entity`` the @id
    that it is about, where there is one.
    """

    severity: str
    check: str
    entity: str | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check that was made, or skipped: then ``skipped`` says why."""

    identifier: str
    name: str
    severity: str
    skipped: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """The outcome of validating a crate against ``profile``: counts of failed checks by severity, and each issue.

    One check may have several issues. ``passed`` means that no required check failed, or none of the ``level`` that was
    asked for. ``known`` are failed checks that no crate of this kind can meet, with the reason; they don't count for
    ``passed``. ``judged`` says in words by what it was judged where that is not simply the profile's own shapes.
    """

    profile: str
    passed: bool
    required: int
    recommended: int
    optional: int = 0
    issues: tuple[ValidationIssue, ...] = ()
    known: Mapping[str, str] = field(default_factory=dict)
    level: str = "required"
    checks: tuple[Check, ...] = ()
    judged: str | None = None

    @property
    def skipped(self) -> tuple[Check, ...]:
        """The checks that were not made."""
        return tuple(one for one in self.checks if one.skipped is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class CrateReport:
    """What ``crate`` tells.

    ``sealing`` says for whom it is sealed, ``None`` for a plain one; ``clear`` that it came out of an encrypted working
    directory in clear. ``lacking`` is what it would have to include as well to be imported on other machines.
    """

    path: Path
    kind: str
    profiles: tuple[str, ...]
    validation: Validation | None
    sealing: Sealing | None = None
    clear: bool = False
    lacking: tuple[str, ...] = ()

    @property
    def sealed(self) -> bool:
        """Whether only its recipients can open it."""
        return self.sealing is not None
