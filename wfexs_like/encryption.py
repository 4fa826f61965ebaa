"""Encryption: which working directories are encrypted, for whom, and how this installation opens them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from staging.areas import ENCRYPTED, PLAIN, Area
from staging.errors import KeyAccessError, NotFoundError, UsageError, VaultError
from staging.scratch import kept_in
from staging.workdir import SCRATCH, StagedWorkdir
from wfexs_like.keys import KeyFiles
from wfexs_like.private_memory import private_memory
from wfexs_like.settings import Settings

if TYPE_CHECKING:
    from wfexs_like.access import Access
    from wfexs_like.seal.recipients import Recipient
    from wfexs_like.seal.ssh_keys import Signer
    from wfexs_like.unlocking import Passphrases
    from wfexs_like.vault.base import Vault
    from wfexs_like.vault.known import KnownAreas

AreaMaker = Callable[[Path, str], Area]
_NO_KEY: Final = (
    '"wfexs-like init" makes a key pair; "vault: plain" in the stage file (import: --vault plain) asks for none'
)


class Encryption:
    """How one installation keeps working directories to itself. ``say`` hears what a person should know."""

    def __init__(
        self,
        settings: Settings,
        passphrases: Passphrases | None = None,
        say: Callable[[str], None] = lambda _message: None,
    ) -> None:
        self._settings = settings
        self._passphrases = passphrases
        self._say = say

    def kind(self, wish: str | None) -> str:
        """The kind of vault for what a stage file says: where it says nothing, encrypted if there is a key to do it."""
        if wish is None:
            return ENCRYPTED if KeyFiles.below(self._settings.keys).public.is_file() else PLAIN
        return wish

    def new_area(self, kind: str, recipients: Sequence[str] = ()) -> AreaMaker | None:
        """What makes the area of a new working directory, for this installation and ``recipients``.

        Those are public keys, or their files.

        Raises:
            UsageError: there are recipients of one that is not encrypted. NotFoundError: there is no such key file.
            VaultError: it can't be had here. KeyAccessError: this installation has no key.
            PolicyError: the folder of working directories is another user's.
        """
        if kind == PLAIN:
            if recipients:
                raise UsageError(
                    "--recipient needs a working directory that is encrypted",
                    hint='"vault: gocryptfs" in the stage file',
                )
            return None
        from wfexs_like.seal.recipients import read_recipient
        from wfexs_like.vault.lifetime import EncryptedArea
        from wfexs_like.vault.owners import check_place
        from wfexs_like.vault.wrapping import new_password

        vault = _load(kind)
        vault.check()
        check_place(self._settings.workdirs)
        chosen = (self._own(), *map(read_recipient, recipients))

        def make(root: Path, identity: str) -> Area:
            password = new_password()
            return EncryptedArea(
                vault, root, identity, lambda: password, chosen, known=self._known, name="the new working directory"
            )

        return make

    @contextlib.contextmanager
    def opened(self, workdir: StagedWorkdir) -> Iterator[None]:
        """While it lasts, the working directory's content can be read.

        Raises:
            VaultError: it can't be opened. KeyAccessError: not with the key of this installation.
        """
        if workdir.vault == PLAIN:
            yield
            return
        from wfexs_like.vault.lifetime import KEY, EncryptedArea
        from wfexs_like.vault.locking import FOLDER

        path = workdir.root / FOLDER / KEY

        def password() -> bytes:
            # Not where it is open already.
            from wfexs_like.vault.wrapping import unwrap

            return unwrap(path, [self._private(workdir)])

        area = EncryptedArea(
            _load(workdir.vault), workdir.root, workdir.id, password, known=self._known, name=workdir.nickname
        )
        with private_memory(), area.open(), kept_in(workdir.content / SCRATCH):
            yield

    def keep_open(self, workdir: StagedWorkdir) -> bool:
        """Open it, and leave it open until ``close``; ``False`` when it was left open before.

        Raises:
            UsageError: it is not encrypted.
            VaultError: it can't be opened. KeyAccessError: not with the key of this installation.
        """
        _must_be_encrypted(workdir)
        from wfexs_like.vault.keeping import keep

        with self.opened(workdir):
            return keep(workdir.root)

    def close(self, workdir: StagedWorkdir, *, force: bool = False) -> bool:
        """Close it; ``False`` when it was not open. With ``force`` also under those who have its files open.

        Raises:
            UsageError: it is not encrypted.
            LockedError: others use it. VaultError: it can't be closed.
        """
        _must_be_encrypted(workdir)
        from wfexs_like.vault.keeping import let_go

        return let_go(workdir.root, force=force)

    def recipients(self, target: StagedWorkdir | Path) -> Access:
        """Who may open a working directory, or a sealed file.

        Raises:
            UsageError: it is not encrypted. NotFoundError: there is no such file or key.
            KeyAccessError: the key doesn't open it. DigestError: what is to be read is damaged.
        """
        from wfexs_like.access import of_sealed, of_workdir

        if isinstance(target, Path):
            return of_sealed(target, [self._private(target)])
        return of_workdir(target.root, _key_of(target), [self._private(target)])

    def share(
        self,
        target: StagedWorkdir | Path,
        *,
        add: Sequence[str] = (),
        remove: Sequence[str] = (),
        even_own: bool = False,
        signer: Signer | None = None,
    ) -> Access:
        """Change who may open it; see ``wfexs_like.access``. ``signer`` signs a sealed crate anew.

        Raises:
            UsageError: it is not encrypted, or can't be changed or signed.
            NotFoundError: there is no such file, key or recipient.
            KeyAccessError: the key doesn't open it. DigestError: what is to be read is damaged.
            PolicyError: nobody would be left, or one's own key would go without ``even_own``.
        """
        from wfexs_like.access import refuse_signing, share_sealed, share_workdir

        if isinstance(target, Path):
            keys = [self._private(target)]
            return share_sealed(target, keys, add=add, remove=remove, even_own=even_own, signer=signer)
        refuse_signing(signer)
        path = _key_of(target)
        keys = [self._private(target)]
        self._check_known(target, path, keys)
        return share_workdir(target.root, path, keys, add=add, remove=remove, even_own=even_own)

    def forget(self, identity: str) -> None:
        """Remember no more what the area of a working directory is, which is gone for good."""
        self._known.forget(identity)

    def _check_known(self, workdir: StagedWorkdir, path: Path, keys: Sequence[bytes]) -> None:
        """Let nobody into what was put in the place of another one."""
        from wfexs_like.access import of_workdir
        from wfexs_like.vault.owners import check_owners
        from wfexs_like.vault.wrapping import unwrap

        check_owners(workdir.root)
        of_workdir(workdir.root, path, keys)
        self._known.check(workdir.root, workdir.id, unwrap(path, keys))

    @cached_property
    def _known(self) -> KnownAreas:
        from wfexs_like.vault.known import NAME, KnownAreas

        return KnownAreas(self._settings.keys / NAME, self._say)

    def _own(self) -> Recipient:
        from wfexs_like.seal.recipients import read_recipient

        own = KeyFiles.below(self._settings.keys)
        try:
            recipient = read_recipient(own.public)
        except NotFoundError as error:
            raise KeyAccessError(
                "an encrypted working directory is asked for, and this installation has no key", hint=_NO_KEY
            ) from error
        if self._settings.key is None and not own.private.exists():
            raise KeyAccessError(
                f"an encrypted working directory is asked for, and the private key {own.private.name} is gone: nobody "
                "here could ever open it",
                hint=f"bring it back into {own.private.parent}, or move {own.public.name} away and make a new pair ("
                '"wfexs-like keys init"); "vault: plain" in the stage file asks for no encryption',
                where=str(own.private),
            )
        return recipient

    def _private(self, target: StagedWorkdir | Path) -> bytes:
        from wfexs_like.unlocking import Passphrases, unlock_with

        passphrases = self._passphrases or Passphrases(self._settings.environment, None)
        try:
            return unlock_with(self._settings, passphrases)
        except NotFoundError as error:
            if self._settings.key:
                raise
            what = f"{target} is sealed" if isinstance(target, Path) else f"{target.nickname} is encrypted"
            raise KeyAccessError(
                f"{what}, and this installation has no key",
                hint="bring the key back, or name its folder with WFEXS_LIKE_KEYS",
            ) from error


def dissolve(root: Path) -> None:
    """Let go of a working directory's area for good; nothing happens to one that has none. See ``vault.dissolving``."""
    if (root / "vault").is_dir() and not root.is_symlink():
        from wfexs_like.vault.dissolving import dissolve as dissolve_area

        dissolve_area(root)


def closed(root: Path) -> contextlib.AbstractContextManager[None]:
    """While it lasts nobody uses a working directory's area, and it is closed. See ``vault.dissolving``."""
    if not (root / "vault").is_dir() or root.is_symlink():
        return contextlib.nullcontext()
    from wfexs_like.vault.dissolving import closed as close_area

    return close_area(root)


def is_open(workdir: StagedWorkdir) -> bool:
    """Whether it is encrypted and its content can be read now, because somebody uses it or it was left open."""
    if workdir.vault == PLAIN:
        return False
    from wfexs_like.vault.mounts import mount_at

    return mount_at(workdir.content) is not None


def refuse_others(workdir: StagedWorkdir) -> None:
    """Nobody here can close what another user has open.

    Raises:
        LockedError: another user has it open.
    """
    from wfexs_like.vault.server import check_ours

    check_ours(workdir.content)


def _key_of(workdir: StagedWorkdir) -> Path:
    """The file that says who may open it.

    Raises:
        UsageError: anybody may.
    """
    if workdir.vault == PLAIN:
        raise UsageError(f"{workdir.nickname} is not encrypted: anybody may open it", where=str(workdir.root))
    from wfexs_like.vault.lifetime import KEY
    from wfexs_like.vault.locking import FOLDER

    return workdir.root / FOLDER / KEY


def _must_be_encrypted(workdir: StagedWorkdir) -> None:
    if workdir.vault == PLAIN:
        raise UsageError(
            f"{workdir.nickname} is not encrypted: there is nothing to mount",
            hint=f"its content is in {workdir.content}",
            where=str(workdir.root),
        )


def _load(kind: str) -> Vault:
    from wfexs_like.vault.base import VAULTS

    try:
        return VAULTS.load(kind)()
    except KeyError as error:
        raise VaultError(
            f"there is no vault {kind!r} here", hint=f"known: {', '.join((*VAULTS.names(), PLAIN))}", where=kind
        ) from error
