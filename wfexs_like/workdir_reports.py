"""What is told of a working directory: as it is listed, its runs, and their log files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from staging.errors import NotFoundError
from staging.workdir import StagedWorkdir
from wfexs_like.encryption import is_open
from wfexs_like.results import WorkdirReport, report_plan_item


def tell_closed(workdir: StagedWorkdir) -> WorkdirReport:
    """What can be told of an encrypted one that nobody opens."""
    return replace(_named(workdir), closed=True, open=is_open(workdir))


def tell(workdir: StagedWorkdir) -> WorkdirReport:
    """All that is told of one that is not encrypted, or opened."""
    from staging.plan import Role
    from wfexs_like.flow.describe import executions_of, imported_from

    plan = workdir.plan()
    return replace(
        _named(workdir),
        lock_digest=str(plan.digest),
        engine=f"{plan.engine}@{plan.engine_version}",
        items=tuple(
            report_plan_item(item, source="staged", trust=item.trust)
            for item in plan.items
            if item.role is not Role.BLOB
        ),
        container=plan.container,
        runs=executions_of(workdir),
        imported=imported_from(workdir),
    )


def last_unfinished(workdir: StagedWorkdir) -> int:
    """The number of its last run that failed or was killed.

    Raises:
        NotFoundError: there is none.
    """
    from engines.execution import Status
    from wfexs_like.flow.describe import executions_of

    broken = [one.run for one in executions_of(workdir, brief=True) if one.status in (Status.FAILED, Status.KILLED)]
    if not broken:
        raise NotFoundError(
            f"{workdir.nickname} has no run that failed or was killed", hint="run again without --resume"
        )
    return broken[-1]


def log_files(workdir: StagedWorkdir, run: int | None, *, name: str) -> tuple[Path, ...]:
    """The log files of a run, by default the last one; ``name`` is what a command line calls the working directory.

    Raises:
        NotFoundError: there is no such run.
    """
    numbers = workdir.runs()
    chosen = run if run is not None else max(numbers, default=None)
    if chosen is None or chosen not in numbers:
        which = "no runs yet" if run is None else f"no run {run}"
        hint = f'"wfexs-like show {name}" lists its runs' if numbers else f'"wfexs-like run {name}" makes one'
        raise NotFoundError(f"{workdir.nickname} has {which}", hint=hint)
    return tuple(sorted(path for path in (workdir.run_folder(chosen) / "logs").rglob("*") if path.is_file()))


def _named(workdir: StagedWorkdir) -> WorkdirReport:
    return WorkdirReport(
        id=workdir.id,
        nickname=workdir.nickname,
        path=workdir.root,
        content=workdir.content,
        created=workdir.created,
        vault=workdir.vault,
    )
