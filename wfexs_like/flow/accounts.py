"""Accounts of what a person names: a crate as it is, a working directory as a crate of it would tell."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from staging.areas import PLAIN
from staging.errors import NotFoundError, PolicyError
from wfexs_like.reading.recount import read_account
from wfexs_like.reading.targets import find_run, nothing_there, read_target

if TYPE_CHECKING:
    from wfexs_like.reading.account import Account
    from wfexs_like.session import Session


def account_of(session: Session, text: str, *, secret: bool = True) -> Account:
    """The account of a crate or a working directory, of all runs or the one that is named with it.

    It is not ``secret`` when it will be kept in clear.

    Raises:
        PolicyError: it will, and the working directory is encrypted.
        NotFoundError: there is nothing of that name, or no such run.
        UsageError: it is sealed as a whole.
        CrateError: it is no crate. ArchiveError, PolicyError: a zip is damaged, or could do harm.
        DigestError: a working directory's output is not the one that was recorded.
        VaultError: it is encrypted, and can't be opened. KeyAccessError: not with the key of this installation.
    """
    target = read_target(text)
    if target.crate is not None:
        account = read_account(target.crate)
        if target.run is None:
            return account
        return replace(account, runs=(find_run(target.name, account.runs, target.run),))
    from wfexs_like.flow.describe import subject_of
    from wfexs_like.flow.recounting import recount_runs

    try:
        found = session.locate(target.name)
    except NotFoundError as error:
        raise nothing_there(target.name, error.hint) from error
    if not secret and found.vault != PLAIN:
        raise PolicyError(
            f"the working directory {found.nickname} is encrypted, and what is written of it would be in clear",
            hint="leave out --html to see it here, or add --allow-clear",
            where=found.id,
        )
    with session.opened(found), found.use():
        subject = subject_of(found, found.plan(), person=session.settings.person, run=target.run, licence=None)
        return recount_runs(subject)[0]
