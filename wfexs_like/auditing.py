"""The audit of a working directory, which is opened for it where that can be done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from staging.errors import (
    DefinitionError,
    KeyAccessError,
    LockedError,
    NotFoundError,
    PolicyError,
    UsageError,
    VaultError,
)
from staging.progress import Progress
from staging.workdir import StagedWorkdir
from wfexs_like.encryption import Encryption
from wfexs_like.flow.audit import AuditWish, audit, learn
from wfexs_like.settings import Settings

if TYPE_CHECKING:
    from wfexs_like.audit.attestation import Attestation


def audit_workdir(
    workdir: StagedWorkdir, wish: AuditWish, *, encryption: Encryption, settings: Settings, progress: Progress
) -> Attestation:
    """Audit it, by what is known of its sources and runs; where they are not known, ``progress`` hears why.

    Raises:
        KeyAccessError, VaultError: it can't be opened, and names and values of its own are to be looked for.
    """
    learned = None
    try:
        with encryption.opened(workdir):
            learned = learn(workdir)
    except (
        DefinitionError,
        KeyAccessError,
        LockedError,
        NotFoundError,
        PolicyError,
        UsageError,
        VaultError,
    ) as error:
        if wish.own:
            raise
        progress.say(f"its sources and runs are not known: {error.message}")
    return audit(workdir, learned, wish, settings=settings, progress=progress)
