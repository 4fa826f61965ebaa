"""Taking: every item's bytes, from the crate or from where they were had before, laid out as the plan says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Final, Literal

from staging.archives import unpack as unpack_archive
from staging.crate_source import unpack_crate
from staging.definition import Source
from staging.elsewhere import addresses_of
from staging.errors import DigestError, FetchError
from staging.fingerprints import Tree
from staging.identifiers import Identifier
from staging.images.layout import LAYOUT, write_layout
from staging.paths import safe_join
from staging.placing import make_folders
from staging.plan import Kind, Plan, PlanItem, Role, Trust
from staging.stager import Stager
from staging.unpacked import SUFFIX, unpacked_item
from staging.wanted import StagedItem, Wanted
from wfexs_like.crate.portable import to_include
from wfexs_like.importing.addresses import path_inside
from wfexs_like.importing.checking import wrong_bytes
from wfexs_like.importing.opening import OpenCrate, path_of
from wfexs_like.reading.metadata import Entity, references

Level = Literal["metadata", "full"]

IN_CRATE: Final = "crate"
"""The source of an item whose bytes were in the crate."""
_NOWHERE: Final = ".in-the-store"
"""The place of what only the store has: the stager takes it by its digest, and finds nothing there to fetch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taking:
    """One import's way to its bytes. ``content`` is the folder that they shall lie below."""

    crate: OpenCrate
    plan: Plan
    stager: Stager
    content: Path
    workdir_id: str
    level: Level

    def take(self) -> tuple[StagedItem, ...]:
        """Every item but the engine's, in its place and verified.

        Raises:
            FetchError: something is not in the crate, and can't be had from where it came from; names it.
            DigestError: bytes are not what the lock says; names the file.
            PolicyError: the crate has a link or a device where a file should be.
        """
        items = [one for one in self.plan.items if one.role is not Role.ENGINE]
        by_its_name = {(one.role, one.name): one for one in items}
        archives = [_archive_of(one, by_its_name) for one in items]
        wanted = self._wanted([one for one, archive in zip(items, archives, strict=True) if archive is None])
        staged = list(self._fetch(wanted))
        by_name = {(one.item.role, one.item.name): one for one in staged}
        for item, archive in zip(items, archives, strict=True):
            if archive is not None:
                staged.append(self._unpack(item, by_name[archive.role, archive.name]))
        images = self.plan.of_role(Role.CONTAINER)
        if images:
            write_layout(self.content / LAYOUT, images)
        return tuple(staged)

    # -- where from --------------------------------------------------------------------------------------------------

    def _wanted(self, items: Sequence[PlanItem]) -> list[Wanted]:
        """All that is to be had, each with where it is to be had from."""
        folders = self._told_folders()
        sources = [(one, self._mirrors(one, folders)) for one in items]
        nowhere = [one for one, mirrors in sources if not mirrors]
        if nowhere:
            raise _not_to_be_had(nowhere)
        return [_wanted(one, mirrors) for one, mirrors in sources]

    def _mirrors(self, item: PlanItem, folders: Set[str]) -> tuple[Identifier, ...]:
        """Where an item's bytes are to be had from; nowhere if that is nobody's to say."""
        inside = self._inside(item, folders)
        addresses = tuple(addresses_of(item))
        if inside is not None and (self.level == "full" or not addresses):
            return (Identifier.of_path(inside),)
        if not addresses and self.stager.store.lookup(item.fingerprint, item.kind) is not None:
            return (Identifier.of_path(self.content / _NOWHERE),)
        return addresses

    def _inside(self, item: PlanItem, folders: Set[str]) -> Path | None:
        """Where the crate has the item whole; ``folders`` are those that its metadata tells of.

        A crate always holds the workflow's documents, so that it may hold parts of a folder that isn't in there.
        """
        path = self.crate.path(str(item.path))
        if path is not None and (item.kind is Kind.FILE or (path.is_dir() and str(item.path) in folders)):
            return path
        return self._named(item)

    def _named(self, item: PlanItem) -> Path | None:
        """What a crate of another maker was imported of, which has its own paths: its lock, given apart, names them."""
        identifier = Identifier.parse(item.pinned) if item.pinned.startswith("file:") else None
        name = None if identifier is None else path_inside(identifier, self.crate.place)
        path = self.crate.root if name == "." else None if name is None else self.crate.path(name)
        return path if path is not None and path.is_dir() is (item.kind is Kind.DIRECTORY) else None

    def _told_folders(self) -> Set[str]:
        """The folders that the crate's metadata has as things of their own, and not only files in them."""
        told: dict[str, bool] = {}
        for identifier, entity in self.crate.entities.items():
            path = path_of(identifier) if identifier.endswith("/") else None
            if path is not None and path not in told:
                told[path] = any(self._is_digest(one) for one in references(entity.get("identifier")))
        return {path for path, digest in told.items() if digest}

    def _is_digest(self, identifier: str) -> bool:
        return (
            identifier.startswith("#tree-sha256-") and self.crate.entities.get(identifier, {}).get("name") == "sha256"
        )

    # -- having it ---------------------------------------------------------------------------------------------------

    def _fetch(self, wanted: Sequence[Wanted]) -> Iterator[StagedItem]:
        """Fetch and place all. An error is told of the crate."""
        try:
            staged = self.stager.fetch_all(
                wanted, self.content, self.content, locked=self.plan, workdir_id=self.workdir_id
            )
        except DigestError as error:
            raise self._told(error, wanted) from error
        except FetchError as error:
            raise FetchError(
                f"what the crate was made without can't be had: {error.message}",
                hint=error.hint or "ask for a crate that was made with --include all",
                where=error.where,
                transient=error.transient,
                identifier=error.fields.get("identifier"),
            ) from error
        for one, asked in zip(staged, wanted, strict=True):
            assert asked.source is not None, "given by _wanted"
            mirror = asked.source.mirrors[0].local_path
            inside = mirror is not None and mirror != self.content / _NOWHERE
            yield replace(one, source=IN_CRATE) if inside else one

    def _told(self, error: DigestError, wanted: Sequence[Wanted]) -> DigestError:
        """Wrong bytes, told by the path in the crate or by the address that they came from."""
        identifier = str(error.fields.get("identifier"))
        one = next((one for one in wanted if one.source and identifier in map(str, one.source.mirrors)), None)
        expected, actual = str(error.fields.get("expected")), str(error.fields.get("actual"))
        if one is None or not identifier.startswith("file:"):
            return DigestError(
                error.message.replace("the lock says", "the crate's lock says"),
                hint="what is there today is not what the crate was made of: ask for a crate made with --include all",
                where=error.where,
                **error.fields,
            )
        path = str(one.path)
        if one.kind is Kind.DIRECTORY:
            for name, stated, found in self._changed(one.path):
                return wrong_bytes(name, stated, found)
        return wrong_bytes(path, expected, actual)

    def _changed(self, folder: PurePosixPath) -> Iterator[tuple[str, str, str]]:
        """The files of a folder that aren't what the crate's metadata says, each with both digests."""
        inside = self.crate.path(str(folder))
        if inside is None:
            return
        known = {path_of(key): _sha256(one) for key, one in self.crate.entities.items()}
        for entry in Tree.of_directory(inside).entries:
            name = f"{folder}/{entry.path}"
            stated = known.get(name)
            if entry.kind in "fx" and stated not in (None, entry.digest):
                yield name, str(stated), entry.digest

    # -- what follows from an archive --------------------------------------------------------------------------------

    def _unpack(self, item: PlanItem, archive: StagedItem) -> StagedItem:
        assert item.path is not None, "checked with the plan"
        assert archive.item.path is not None, "checked with the plan"
        source, target = safe_join(self.content, archive.item.path), safe_join(self.content, item.path)
        make_folders(target.parent)
        unpack = unpack_crate if item.role is Role.WORKFLOW else unpack_archive
        tree = unpack(source, target)
        if tree.fingerprint != item.fingerprint:
            raise DigestError(
                f"what is in {archive.item.path} has the sha256 {tree.fingerprint.digest}, the crate's lock says "
                f"{item.fingerprint.digest}",
                hint="the crate's lock is at odds with itself: don't trust the crate",
                where=str(archive.item.path),
                path=str(archive.item.path),
                expected=str(item.fingerprint),
                actual=str(tree.fingerprint),
            )
        placed = unpacked_item(archive, tree, content=self.content, path=item.path).placed
        return StagedItem(item=item, source=archive.source, trust=Trust.LOCKED, placed=placed)


def _wanted(item: PlanItem, mirrors: tuple[Identifier, ...]) -> Wanted:
    assert item.path is not None, "checked with the plan"
    return Wanted(
        role=item.role,
        name=item.name,
        asked=item.identifier,
        path=item.path,
        kind=item.kind,
        source=Source(mirrors=mirrors, where=item.name),
        disclosable=item.disclosable,
        cacheable=item.cacheable,
        clonable=item.clonable,
        label=item.name,
    )


def _archive_of(item: PlanItem, by_name: Mapping[tuple[Role, str], PlanItem]) -> PlanItem | None:
    """The archive that an item is what was in."""
    if item.kind is not Kind.DIRECTORY or not item.name.endswith(SUFFIX):
        return None
    return by_name.get((item.role, item.name.removesuffix(SUFFIX)))


def _sha256(entity: Entity) -> str | None:
    stated = entity.get("sha256")
    return stated if isinstance(stated, str) else None


def _not_to_be_had(items: Sequence[PlanItem]) -> FetchError:
    """The first of those that are nowhere is named, and what the crate would have to include for all of them."""
    item = items[0]
    return FetchError(
        f"the {item.role} {item.name!r} is not in the crate, and {item.identifier!r} says nothing to anybody but the "
        "machine that it was staged on",
        hint=f"ask for a crate that was made with --include {','.join(to_include(items)) or 'all'}",
        where=str(item.path),
        identifier=item.identifier,
    )
