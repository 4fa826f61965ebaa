"""Describe: gather what a crate tells of a working directory, from the lock, the interface and the journals."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines.execution import Execution, Status
from engines.journal import JOURNAL, replay
from engines.stopping import tidy
from staging.errors import DigestError, NotFoundError
from staging.plan import Plan
from staging.workdir import LOCK, StagedWorkdir
from wfexs_like import __version__
from wfexs_like.flow.run import read_interface
from wfexs_like.settings import Person

if TYPE_CHECKING:
    from wfexs_like.crate.export import CrateSubject


def executions_of(
    workdir: StagedWorkdir, *, brief: bool = False, without: frozenset[str] = frozenset()
) -> tuple[Execution, ...]:
    """Every run, in order, as its journal tells it; see ``engines.journal.replay`` for ``brief`` and ``without``."""
    return tuple(_execution(workdir, number, brief=brief, without=without) for number in workdir.runs())


def _execution(workdir: StagedWorkdir, number: int, *, brief: bool, without: frozenset[str]) -> Execution:
    folder = workdir.run_folder(number)
    try:
        execution = replay(folder / JOURNAL, brief=brief, without=without)
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


def _check_plan(workdir: StagedWorkdir, plan: Plan, executions: tuple[Execution, ...]) -> None:
    """Each run is of this plan: otherwise the crate would attest inputs that the run never saw."""
    now = str(plan.digest)
    for one in executions:
        if one.plan_digest and one.plan_digest != now:
            raise DigestError(
                f"run {one.run} of {workdir.nickname} was made with another plan than its lock has now",
                where=f"run {one.run}",
                hint="the lock was replaced after the run: run again, or bring back the lock that was there",
                path=LOCK,
                expected=one.plan_digest,
                actual=now,
            )


def _about(workdir: StagedWorkdir) -> dict[str, Any]:
    """What the stage file says of itself (title, description, licence, authors)."""
    hint = f"stage again: {workdir.id} was damaged after it was staged"
    where = str(workdir.about_path)
    try:
        about = json.loads(Path(where).read_bytes())
    except FileNotFoundError as error:
        raise NotFoundError(f"{workdir.nickname} has no about.json any more", where=where, hint=hint) from error
    except (ValueError, RecursionError, OSError) as error:
        raise NotFoundError(f"about.json of {workdir.nickname} can't be read", where=where, hint=hint) from error
    texts = ("title", "description", "licence")
    if (
        not isinstance(about, dict)
        or not all(isinstance(about.get(key), str | None) for key in texts)
        or not isinstance(about.get("authors"), list)
        or not all(isinstance(one, dict) for one in about["authors"])
    ):
        raise NotFoundError(f"about.json of {workdir.nickname} is not what was written there", where=where, hint=hint)
    return {key: about.get(key) for key in (*texts, "authors")}


def imported_from(workdir: StagedWorkdir) -> dict[str, str]:
    """The crate that it was made of (see ``WorkdirReport.imported``); empty for one that was staged."""
    try:
        told = json.loads(workdir.about_path.read_bytes())["imported"]
        return {key: value for key, value in told.items() if isinstance(value, str)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}  # What it is besides is told all the same.


def subject_of(
    workdir: StagedWorkdir, plan: Plan, *, person: Person | None, run: int | None, licence: str | None
) -> CrateSubject:
    """What a crate is about: all runs, or the one numbered ``run``.

    Raises:
        UsageError: ``licence`` is neither an SPDX identifier nor an address.
        NotFoundError: there is no such run, or what was staged is not told any more.
        DigestError: a run was made with another plan than the one that is there now.
    """
    from wfexs_like.crate.export import CrateSubject
    from wfexs_like.crate.licences import check_licence

    licence = check_licence(licence) if licence else None
    # Engines' own raw quantities are many, and the ones that crates tell are among the resources.
    executions = executions_of(workdir, without=frozenset({"trace"}))
    if run is not None:
        executions = tuple(one for one in executions if one.run == run)
        if not executions:
            raise NotFoundError(
                f"{workdir.nickname} has no run {run}", hint=f'"wfexs-like show {workdir.id}" lists its runs'
            )
    _check_plan(workdir, plan, executions)
    interface = read_interface(workdir)
    about = _about(workdir)
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
        vault=workdir.vault,
        imported=imported_from(workdir),
    )
