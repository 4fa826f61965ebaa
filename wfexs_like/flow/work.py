"""Work: one stage in progress, which is what is asked, and where to and by whom things are fetched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from staging.checksums import check_sha1
from staging.definition import StageDefinition
from staging.plan import Plan
from staging.progress import Progress
from staging.stager import Stager
from staging.wanted import StagedItem, Wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class StageWork:
    """One stage in progress: what is asked, where it goes and who does it.

    ``container`` is the container runtime where nobody else says one. ``inspections`` is the folder where an engine's
    answers are kept. ``public`` stages what everybody may see, where that is not ``stager``.
    """

    definition: StageDefinition
    stager: Stager
    content: Path
    workdir_id: str
    cache: Path
    inspections: Path
    progress: Progress
    locked: Plan | None = None
    container: str | None = None
    public: Stager | None = None

    @property
    def runtime(self) -> str | None:
        """The container runtime that is asked for: by the stage file, by the lock, or by the settings."""
        locked = self.locked.container if self.locked is not None else None
        return self.definition.container or locked or self.container

    def fetch(self, wanted: Sequence[Wanted]) -> tuple[StagedItem, ...]:
        """Fetch and place; see ``Stager.fetch_all``."""
        staged = self.stager.fetch_all(
            wanted, self.content, self.definition.base, locked=self.locked, workdir_id=self.workdir_id
        )
        check_sha1(wanted, self.content)
        return staged

    def fetch_public(self, wanted: Sequence[Wanted]) -> tuple[StagedItem, ...]:
        """The same of what everybody may see: it is kept where all working directories find it, and copied from there.

        Nobody is written down as having it.
        """
        if self.public is None:
            return self.fetch(wanted)
        return self.public.fetch_all(wanted, self.content, self.definition.base, locked=self.locked)
