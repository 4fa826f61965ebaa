"""Workplaces: working directories with the store of their contents, found, opened and made, encrypted or not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property

from staging.areas import PLAIN
from staging.errors import KeyAccessError, PolicyError
from staging.progress import Progress
from staging.scratch import kept_in
from staging.store import ContentStore
from staging.workdir import OWN_STORE, SCRATCH, NewWorkdir, StagedWorkdir
from staging.workdirs import Workdirs
from wfexs_like.encryption import Encryption, closed, dissolve
from wfexs_like.private_memory import private_memory
from wfexs_like.settings import Settings


class Workplaces:
    """Those of one installation. ``progress`` hears when something is not encrypted because nobody asked for it."""

    def __init__(self, settings: Settings, encryption: Encryption, progress: Progress) -> None:
        self._settings = settings
        self._encryption = encryption
        self._progress = progress

    @cached_property
    def store(self) -> ContentStore:
        """The content store that all of them share which are not encrypted."""
        return ContentStore(self._settings.cache)

    @cached_property
    def workdirs(self) -> Workdirs:
        """The working directories by name, closed as they are."""
        forget = self._encryption.forget
        return Workdirs(self._settings.workdirs, self.store, dissolve=dissolve, closed=closed, forget=forget)

    @contextmanager
    def opened(self, workdir: str | StagedWorkdir) -> Iterator[StagedWorkdir]:
        """The working directory that is meant; while it lasts, its content can be read.

        Raises:
            VaultError: it is encrypted, and can't be opened.
            KeyAccessError: not with the key of this installation.
        """
        found = self.workdirs.find(workdir)
        with self._encryption.opened(found):
            yield found

    @contextmanager
    def stored(self, workdir: str | StagedWorkdir) -> Iterator[tuple[StagedWorkdir, ContentStore]]:
        """The same, with the store of its contents: for an encrypted one, a store of its own in there."""
        with self.opened(workdir) as found:
            if found.vault == PLAIN:
                yield found, self.store
            else:
                with ContentStore(found.content / OWN_STORE) as store:
                    yield found, store

    def _refuse_lost_key(self) -> None:
        """Who has encrypted working directories had a key; without it nothing becomes plain in silence.

        Raises:
            KeyAccessError: there is an encrypted one.
        """
        for one in self.workdirs.list():
            if one.vault != PLAIN:
                raise KeyAccessError(
                    f"this installation has no key any more, and {one.nickname} is encrypted: this would be in clear",
                    hint='bring the key back, or name its folder with WFEXS_LIKE_KEYS; "vault: plain" in the stage '
                    "file (import: --vault plain) asks for no encryption",
                )

    @contextmanager
    def new(
        self, vault: str | None, nickname: str | None, recipients: Sequence[str] = (), *, like: str | None = None
    ) -> Iterator[tuple[NewWorkdir, ContentStore]]:
        """A working directory in the making, encrypted as ``vault`` says, and the store of its contents.

        What the working directory ``like`` has is taken from there.
        """
        kind = self._encryption.kind(vault)
        if vault is None and kind == PLAIN:
            self._refuse_lost_key()
            self._progress.say(
                'not encrypted: nobody asks for it, and this installation has no key ("wfexs-like init" makes one)'
            )
        area = self._encryption.new_area(kind, recipients)
        with (
            private_memory(wanted=kind != PLAIN),
            self._lender(like, kind) as lender,
            self.workdirs.create(nickname, area=area) as new,
        ):
            if kind == PLAIN:
                yield new, self.store
                return
            new.hold(kept_in(new.content / SCRATCH))
            store = new.hold(ContentStore(new.content / OWN_STORE, lender=lender))
            if lender is not None:
                store.index.adopt(lender.index)
            yield new, store

    @contextmanager
    def _lender(self, like: str | None, kind: str) -> Iterator[ContentStore | None]:
        """The own store of the working directory ``like``; ``None`` where that shares its contents with all others.

        Raises:
            PolicyError: what is encrypted there would be in clear in one of that ``kind``.
        """
        if like is None:
            yield None
            return
        with self.stored(like) as (found, store):
            if found.vault != PLAIN and kind == PLAIN:
                raise PolicyError(
                    f"{found.nickname} is encrypted, and the new working directory would have its contents in clear",
                    hint="stage without --from, or say vault: gocryptfs in the stage file",
                )
            yield None if found.vault == PLAIN else store
