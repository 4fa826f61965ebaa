"""Unpacked: what came out of an archive that was staged is an item too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath

from staging.fingerprints import StatSignature, Tree
from staging.plan import Kind
from staging.wanted import PlacedFile, StagedItem

SUFFIX = "/unpacked"


def unpacked_item(archive: StagedItem, tree: Tree, *, content: Path, path: PurePosixPath) -> StagedItem:
    """The item for the folder ``path`` below ``content``: attested by itself; its bytes follow from the archive's.

    ``tree`` is what ``staging.archives.unpack`` returned.
    """
    item = replace(
        archive.item,
        name=f"{archive.item.name}{SUFFIX}",
        identifier=f"{archive.item.identifier}#unpacked",
        pinned=f"{archive.item.pinned}#unpacked",
        kind=Kind.DIRECTORY,
        fingerprint=tree.fingerprint,
        size=tree.size,
        path=path,
    )
    placed = tuple(
        PlacedFile(path=f"{path}/{one.path}", sha256=one.digest, signature=StatSignature.of(content / path / one.path))
        for one in tree.entries
        if one.kind in "fx"
    )
    return replace(archive, item=item, placed=placed)
