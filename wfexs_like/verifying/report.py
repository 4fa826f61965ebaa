"""What ``verify`` tells: plain values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wfexs_like.seal.judged import Signature
from wfexs_like.verifying.statements import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong with one file of a crate, or with what it says; ``path`` is relative to the crate."""

    path: str
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """The outcome.

    ``files`` and ``size`` (bytes) are what was read; ``digests`` counts comparisons. ``undescribed`` are files of which
    neither the metadata nor a signed list has a digest, ``sealed`` those whose content needs a key to be seen.
    ``elsewhere`` counts data that the crate describes and doesn't hold.
    """

    path: Path
    problems: tuple[Problem, ...]
    files: int
    size: int
    digests: int
    undescribed: int
    sealed: int
    elsewhere: int
    signature: Signature
    name: str | None = None
    published: str | None = None
    runs: tuple[Run, ...] = ()
    lock_digest: str | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems
