"""What ``import`` tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from staging.plan import Json
from wfexs_like.importing.making import Import, Imported
from wfexs_like.importing.taking import Level
from wfexs_like.results import StageReport, report_items


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """A working directory that was made of a crate.

    ``staged`` is what is told of any that is new: an item's ``source`` is ``crate`` where its bytes were in there.
    ``overrides`` are the parameters that it has from the run ``run``, where they are not the crate's plan's.
    """

    crate: Path
    level: Level
    run: int | None
    staged: StageReport
    overrides: Mapping[str, Json] = field(default_factory=dict)


def report_import(wish: Import, imported: Imported) -> ImportReport:
    """What is told of it."""
    workdir = imported.workdir
    return ImportReport(
        crate=wish.crate,
        level=wish.level,
        run=imported.run,
        staged=StageReport(
            id=workdir.id,
            nickname=workdir.nickname,
            path=workdir.root,
            content=workdir.content,
            lock_path=workdir.lock_path,
            lock_digest=str(imported.plan.digest),
            items=report_items(imported.items),
        ),
        overrides=imported.overrides,
    )
