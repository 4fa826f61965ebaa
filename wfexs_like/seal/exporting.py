"""The exporter ``crypt4gh``: crates sealed for those who may read them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from wfexs_like.crate.exporters import Export, Level, Sealing
from wfexs_like.crate.graph import METADATA, ROOT
from wfexs_like.crate.judges import base_profile
from wfexs_like.crate.payload import FolderWriter, Writer, ZipWriter
from wfexs_like.seal.by_hand import preview, readme
from wfexs_like.seal.readable import PREVIEW, README, readable_metadata
from wfexs_like.seal.sealing_crates import SealedArchive, SealedFiles
from wfexs_like.seal.signing import ListingWriter
from wfexs_like.seal.ssh_keys import Signer

_UNTOLD: Final = "A sealed crate"


class Crypt4ghExporter:
    """Seals while it writes; see ``wfexs_like.seal.sealing_crates``."""

    name = "crypt4gh"
    writes = "RO-Crates whose files are sealed with crypt4gh, or one sealed file with everything"

    @contextmanager
    def export(self, part: Path, sealing: Sealing, signer: Signer | None) -> Iterator[Export]:
        """Begin to write a sealed crate."""
        if sealing.level is None:
            archive = SealedArchive(part, sealing.recipients)
            try:
                yield _ArchiveExport(archive, signer)
            finally:
                archive.close()
            return
        base: Writer = ZipWriter(part) if part.suffix == ".zip" else FolderWriter(part)
        try:
            yield _FilesExport(base, sealing, sealing.level, signer)
        finally:
            base.close()


class _ArchiveExport:
    """Everything in one file."""

    def __init__(self, archive: SealedArchive, signer: Signer | None) -> None:
        self.writer = archive
        self._signer = signer

    def finish(self) -> None:
        self.writer.finish(self._signer)

    def skeleton(self, folder: Path) -> None:
        self.writer.skeleton(folder)

    def outside(self, profile: str) -> str | None:  # noqa: ARG002 - nothing can be read
        return None

    def inside(self) -> bool:
        return True


class _FilesExport:
    """Every file by itself, with metadata, README and preview that can be read."""

    def __init__(self, base: Writer, sealing: Sealing, level: Level, signer: Signer | None) -> None:
        self._level = level
        self._signer = signer
        self._fingerprints = [one.fingerprint for one in sealing.recipients]
        root = base.root if isinstance(base, FolderWriter) else None
        self._listing = ListingWriter(base, root) if signer is not None else None
        self._outer: Writer = self._listing or base
        self.writer = SealedFiles(self._outer, sealing.recipients, opaque=level != "full")

    def finish(self) -> None:
        self.writer.finish(self._signer)
        plain = self.writer.metadata
        entities = {one["@id"]: one for one in json.loads(plain)["@graph"]}
        root = entities[ROOT]
        title = str(root["name"]) if self._level != "sealed" else _UNTOLD
        licence = str(entities.get(root["license"]["@id"], {}).get("name", root["license"]["@id"]))
        told = {"published": str(root["datePublished"]), "licence": licence}
        text = readme(title, **told)
        metadata = readable_metadata(self._level, plain, self.writer.sealed, self._fingerprints, text)
        self._outer.content(README, text)
        self._outer.content(PREVIEW, preview(title, **told))
        self._outer.content(METADATA, metadata)
        if self._listing is not None and self._signer is not None:
            self._listing.sign(self._signer)

    def skeleton(self, folder: Path) -> None:
        self.writer.skeleton(folder)

    def outside(self, profile: str) -> str | None:
        return profile if self._level == "full" else base_profile(profile)

    def inside(self) -> bool:
        return self._level != "full"
