"""Describe: gather what a crate tells of a working directory, from the lock, the interface and the journals."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

from engines.execution import Execution, Status
from engines.journal import replay
from engines.stopping import tidy
from staging.errors import NotFoundError
from staging.plan import Plan
from staging.workdir import StagedWorkdir
from wfexs_like import __version__
from wfexs_like.flow.run import read_interface
from wfexs_like.settings import Person

if TYPE_CHECKING:
    from wfexs_like.crate.export import CrateSubject


JOURNAL = "journal.jsonl"


def executions_of(workdir: StagedWorkdir) -> tuple[Execution, ...]:
    """Every run, in order, as its journal tells it."""
    return tuple(_execution(workdir, number) for number in workdir.runs())


def _execution(workdir: StagedWorkdir, number: int) -> Execution:
    folder = workdir.run_folder(number)
    try:
        execution = replay(folder / JOURNAL)
    except NotFoundError:
        # It was killed before it wrote a word: that it was begun is all that is known.
        plan = workdir.plan()
        return Execution(
            run=number,
            uuid=str(uuid.uuid5(uuid.NAMESPACE_URL, f"urn:uuid:{workdir.id}#{number}")),
            status=Status.KILLED,
            engine=plan.engine,
            engine_version=plan.engine_version,
            error="it was stopped before it began",
            plan_digest=str(plan.digest),
        )
    if execution.status is Status.KILLED:
        # Nobody was left to do it: what a killed run had in hand goes when somebody next looks.
        tidy(folder)
    return execution


def subject_of(
    workdir: StagedWorkdir, plan: Plan, *, person: Person | None, run: int | None, licence: str | None
) -> CrateSubject:
    """What a crate is about: all runs, or the one numbered ``run``.

    Raises:
        NotFoundError: there is no such run.
    """
    from wfexs_like.crate.export import CrateSubject

    executions = executions_of(workdir)
    if run is not None:
        executions = tuple(one for one in executions if one.run == run)
        if not executions:
            raise NotFoundError(
                f"{workdir.nickname} has no run {run}", hint=f'"wfexs-like show {workdir.id}" lists its runs'
            )
    interface = read_interface(workdir)
    about = json.loads((workdir.content / "about.json").read_bytes())
    return CrateSubject(
        content=workdir.content,
        plan=plan,
        interface=interface,
        executions=executions,
        title=about["title"] or interface.label or plan.workflow.path.stem,
        description=about["description"] or interface.doc,
        licence=licence or about["licence"] or interface.licence,
        authors=tuple(about["authors"]) or interface.authors,
        person=person,
        created=workdir.created,
        software_version=__version__,
        workdir_id=workdir.id,
    )
