"""What encrypted working directories find on this host: tried with a real one, where working directories are."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from staging.errors import WfexsError
from wfexs_like.audit.host import swaps
from wfexs_like.findings import Finding, in_words, tool, with_apt
from wfexs_like.host_findings import nearest
from wfexs_like.settings import Settings

_DEVICES: Final = Path("/sys/class/block")
_IN_MEMORY: Final = "zram"
_ENCRYPTED: Final = "CRYPT-"


def keys(settings: Settings) -> Finding:
    """The key pairs of this installation, without which working directories are not encrypted; none is opened."""
    from wfexs_like.key_report import list_keys

    purpose = "encrypted working directories, sealed and signed crates"
    pairs = list_keys(settings)
    there = [one for one in pairs if one.private.exists()]
    if not there:
        return Finding(
            name="keys",
            found=False,
            works=False,
            purpose=purpose,
            detail=f"none in {settings.keys}: nothing is encrypted unless a stage file asks for it",
            fix='"wfexs-like init" makes them',
        )
    words = {True: "with a passphrase", False: "without a passphrase", None: "can't be read"}
    return Finding(
        name="keys",
        found=True,
        works=all(one.problem is None for one in pairs),
        purpose=purpose,
        detail=f"in {settings.keys}, {words[there[0].passphrase]}",
        fix="; ".join(one.problem for one in pairs if one.problem is not None) or None,
    )


def gocryptfs(environment: Mapping[str, str], workdirs: Path) -> Finding:
    """gocryptfs: an encrypted area is made below the folder of working directories, opened, written and closed."""
    purpose = "encrypted working directories"
    basic = tool("gocryptfs", environment, purpose=purpose, fix=with_apt("gocryptfs"))
    if not basic.works:
        return basic
    began = time.monotonic()
    try:
        _try_once(nearest(workdirs))
    except (WfexsError, OSError) as error:
        fix = error.hint if isinstance(error, WfexsError) else None
        return Finding(
            name="gocryptfs",
            found=True,
            works=False,
            purpose=purpose,
            version=basic.version,
            detail=in_words(error),
            fix=fix or "see the finding on fuse",
        )
    kept = "nobody, root included, can" if os.geteuid() == 0 else "no ordinary program can"
    return Finding(
        name="gocryptfs",
        found=True,
        works=True,
        purpose=purpose,
        version=basic.version,
        detail=f"made, opened and closed in {time.monotonic() - began:.2f} s; {kept} write where it was open",
    )


def _try_once(folder: Path) -> None:
    """Make an area, write into it, and remove it again.

    Raises:
        WfexsError, OSError: what went wrong.
    """
    from wfexs_like.seal.recipients import Recipient
    from wfexs_like.vault.dissolving import dissolve
    from wfexs_like.vault.gocryptfs import Gocryptfs
    from wfexs_like.vault.lifetime import POINT, EncryptedArea
    from wfexs_like.vault.wrapping import new_password

    vault = Gocryptfs()
    vault.check()
    password = new_password()
    with TemporaryDirectory(prefix=".wfexs-like-doctor-", dir=folder) as scratch:
        root = Path(scratch)
        (root / POINT).mkdir()
        # For nobody: it is gone in a moment.
        nobody = Recipient(public_key=os.urandom(32))
        area = EncryptedArea(vault, root, "doctor", lambda: password, [nobody])
        try:
            area.make()
            with area.open():
                (root / POINT / "probe").write_text("probe", encoding="utf-8")
        finally:
            dissolve(root)


def swap() -> Finding:
    """Where memory may be written to disk in clear, and with it keys and what is worked on."""
    purpose = "keeping what is in memory off the disk"
    names = list(swaps())
    clear = [name for name in names if not _is_harmless(name)]
    return Finding(
        name="swap",
        found=bool(names),
        works=not clear,
        purpose=purpose,
        detail=f"not known to be encrypted: {', '.join(clear)}" if clear else "off, in memory or encrypted",
        fix="switch it off (swapoff -a) while sensitive data are worked on, or encrypt it" if clear else None,
    )


def _is_harmless(name: str) -> bool:
    """Whether a swap device is in memory alone, or made by dm-crypt."""
    device = Path(name).resolve().name
    if device.startswith(_IN_MEMORY):
        return True
    try:
        return (_DEVICES / device / "dm" / "uuid").read_text(encoding="utf-8").startswith(_ENCRYPTED)
    except OSError:
        return False
