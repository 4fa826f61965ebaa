"""Who signs a crate, as ``--sign`` says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wfexs_like.cli.context import App
    from wfexs_like.seal.ssh_keys import Signer


def signer_of(app: App, sign: str | None) -> Signer | None:
    """The signer that ``--sign`` names, unlocked; ``None`` when nothing is to be signed.

    Raises:
        NotFoundError: there is no such key.
        PolicyError: others may read it.
        KeyAccessError: its passphrase is missing or wrong, or it is no key that can sign.
    """
    if sign is None:
        return None
    from wfexs_like.unlocking import unlock_signer

    return unlock_signer(app.settings, app.passphrases, key=Path(sign) if sign else None)
