"""The session: stage, run, crate and the rest. The only module that knows the whole flow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from engines.base import Listener
from engines.execution import Execution
from staging.errors import Fault
from staging.plan import Json
from staging.progress import Progress, Silent
from wfexs_like.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemReport:
    """One item of ``resolve`` or ``stage``; ``size`` and ``sha256`` are ``None`` where not known yet."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class StageReport:
    """What ``resolve`` and ``stage`` tell. ``id``, ``nickname`` and ``path`` are ``None`` for ``resolve``."""

    id: str | None
    nickname: str | None
    path: Path | None
    lock_path: Path | None
    lock_digest: str
    items: tuple[ItemReport, ...]
    changes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkdirReport:
    """What ``list`` and ``show`` tell of a working directory."""

    id: str
    nickname: str
    path: Path
    created: str
    lock_digest: str
    engine: str
    items: tuple[ItemReport, ...]
    runs: tuple[Execution, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationIssue:
    """One thing a profile validator did not like."""

    severity: str
    check: str
    entity: str | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """The outcome of validating a crate against ``profile``: counts of failed checks by severity, and each issue."""

    profile: str
    passed: bool
    required: int
    recommended: int
    issues: tuple[ValidationIssue, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CrateReport:
    """What ``crate`` tells."""

    path: Path
    kind: str
    profiles: tuple[str, ...]
    sealed: bool
    validation: Validation | None


class Session:
    """One user's work with one set of settings. ``progress`` hears of fetching."""

    def __init__(self, settings: Settings, *, progress: Progress | None = None) -> None:
        self.settings = settings
        self.progress = progress or Silent()

    def check(self, stage_file: Path) -> tuple[Fault, ...]:
        """All faults of a stage file; nothing is fetched."""
        raise NotImplementedError

    def resolve(self, stage_file: Path, *, locked: Path | None = None) -> StageReport:
        """What staging would fetch. The workflow itself is fetched into the store, to learn what it needs."""
        raise NotImplementedError

    def stage(
        self,
        stage_file: Path,
        *,
        locked: Path | None = None,
        update: bool = False,
        nickname: str | None = None,
    ) -> StageReport:
        """Fetch, verify, lock: a new working directory."""
        raise NotImplementedError

    def run(
        self,
        workdir: str,
        *,
        params: Mapping[str, Json] | None = None,
        listener: Listener | None = None,
    ) -> Execution:
        """Execute once. A failed workflow is a returned ``Execution``."""
        raise NotImplementedError

    def crate(
        self,
        workdir: str,
        destination: Path,
        *,
        kind: Literal["prospective", "retrospective"],
        run: int | None = None,
        include: frozenset[str] = frozenset(),
        licence: str | None = None,
        validate: bool = True,
        rehash: bool = False,
    ) -> CrateReport:
        """Export an RO-Crate."""
        raise NotImplementedError

    def validate(self, crate: Path, *, profile: str | None = None) -> Validation:
        """Profile conformance of any crate, offline."""
        raise NotImplementedError

    def workdirs(self) -> tuple[WorkdirReport, ...]:
        """All working directories, oldest first."""
        raise NotImplementedError

    def show(self, workdir: str) -> WorkdirReport:
        """One working directory."""
        raise NotImplementedError

    def logs(self, workdir: str, run: int | None = None) -> tuple[Path, ...]:
        """The log files of a run (the last one by default)."""
        raise NotImplementedError

    def remove(self, workdir: str, *, force: bool = False) -> Path:
        """Remove a working directory with all its runs."""
        raise NotImplementedError

    def cancel(self, workdir: str, run: int | None = None) -> tuple[int, ...]:
        """Stop a run (all running ones by default); returns the numbers of those stopped."""
        raise NotImplementedError
