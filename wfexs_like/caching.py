"""The content store, for people: what is in it, what is put in and taken out by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from staging.store import ContentStore

if TYPE_CHECKING:
    from staging.stager import Stager
    from staging.upkeep import Collected, Problem, StoreEntry
    from wfexs_like.results import ItemReport


class Cache:
    """The store that all working directories share which are not encrypted."""

    def __init__(self, store: ContentStore, stager: Callable[[], Stager]) -> None:
        self._store = store
        self._stager = stager

    def list(self) -> tuple[StoreEntry, ...]:
        """Every content of the store, with where it came from and who uses it."""
        return self._store.entries()

    def add(self, identifier: str, *, sha256: str | None = None) -> ItemReport:
        """Fetch one content into the store.

        Raises:
            FetchError: it could not be had.
            DigestError: it is not what ``sha256`` says.
        """
        from staging.definition import Source
        from staging.fingerprints import Fingerprint
        from staging.identifiers import Identifier
        from wfexs_like.results import ItemReport

        expected = Fingerprint.parse(sha256) if sha256 else None
        asked = Identifier.parse(identifier)
        source = Source(mirrors=(asked,), sha256=expected, where=identifier)
        (obtained,) = self._stager().add([source], Path.cwd())
        return ItemReport(
            role="cache",
            name=asked.name,
            identifier=str(asked),
            pinned=obtained.pinned,
            size=obtained.stored.size,
            sha256=obtained.stored.fingerprint.digest,
            trust="expected" if expected else "first-use",
            source="cache" if obtained.cached else "fetched",
            licences=obtained.licences,
        )

    def verify(self) -> tuple[Problem, ...]:
        """Read every object again; what is damaged goes into quarantine."""
        return self._store.verify()

    def remove(self, what: str, *, force: bool = False) -> Collected:
        """Remove one content, by its sha256 or identifier."""
        return self._store.remove(what, force=force)

    def gc(self, *, dry_run: bool = False) -> Collected:
        """Remove what no working directory uses."""
        return self._store.gc(dry_run=dry_run)
