"""Finding: what ``compare`` was given (a crate or a working directory, each with or without a run), as two sides."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from engines.execution import Status
from staging.areas import PLAIN
from staging.errors import NotFoundError, PolicyError
from wfexs_like.comparing.sides import Side, choose
from wfexs_like.reading.contents import open_crate
from wfexs_like.reading.recount import recount_contents
from wfexs_like.reading.targets import nothing_there, read_target

if TYPE_CHECKING:
    from staging.workdir import StagedWorkdir
    from wfexs_like.session import Session


@contextmanager
def open_side(session: Session, target: str, *, show: bool = False, kept: bool = False) -> Iterator[Side]:
    """The run that ``target`` names: ``CRATE``, ``WORKDIR``, each with ``:RUN``; while it lasts, it can be read.

    With ``show`` nothing is secret. What is found is ``kept`` when it will be written to a file.

    Raises:
        PolicyError: it will, in clear, and is of an encrypted working directory.
        NotFoundError: there is nothing of that name, or no such run.
        CrateError: it is no crate, is sealed, or tells of no run.
        VaultError: it is encrypted, and can't be opened. KeyAccessError: not with the key of this installation.
    """
    name, number, crate = read_target(target)
    if crate is not None:
        with open_crate(crate) as contents:
            account = recount_contents(crate, contents)
            yield Side(label=target, account=account, run=choose(name, account, number), contents=contents)
        return
    from wfexs_like.flow.describe import subject_of
    from wfexs_like.flow.recounting import recount_runs

    try:
        found = session.locate(name)
    except NotFoundError as error:
        hint = error.hint if ":" not in name else 'a run is named by its number, counted from 1: "CRATE:1"'
        raise nothing_there(name, hint) from error
    if found.vault != PLAIN and show and kept:
        raise PolicyError(
            f"the working directory {found.nickname} is encrypted, and the report would hold its differences in clear",
            hint="leave out --show: the report then has the verdicts alone; or leave out --junit to see them here",
            where=found.id,
        )
    with session.opened(found), found.use():
        chosen = number or _last(found)
        account, contents = recount_runs(
            subject_of(found, found.plan(), person=session.settings.person, run=chosen, licence=None)
        )
        secret = found.vault != PLAIN and not show
        yield Side(label=target, account=account, run=choose(name, account, chosen), contents=contents, secret=secret)


def _last(workdir: StagedWorkdir) -> int | None:
    """The number of the last run that has ended."""
    from wfexs_like.flow.describe import executions_of

    ended = [one.run for one in executions_of(workdir, brief=True) if one.status is not Status.RUNNING]
    return max(ended, default=None)
