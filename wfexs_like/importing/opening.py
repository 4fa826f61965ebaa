"""Opening a crate: a folder as it lies there, or an archive unpacked so that nothing in it can do harm."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import unquote

from staging.archives import Limits, unpack
from staging.crate_source import METADATA
from staging.errors import CrateError, NotFoundError, PolicyError, UsageError, from_os_error
from staging.paths import safe_relative
from staging.placing import open_regular
from wfexs_like.reading.metadata import LARGEST_METADATA, WHAT, Entity, parse_metadata, reference
from wfexs_like.reading.recount import OLD_METADATA
from wfexs_like.seal.manifests import SEALED_MANIFEST, SUFFIX
from wfexs_like.seal.naming import MAGIC

# A crate with a hundred thousand outputs has some more entries than those.
_LIMITS: Final = Limits(entries=1_000_000)
_NAMES: Final = (METADATA, OLD_METADATA)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCrate:
    """A crate that can be read.

    ``place`` is what the user named, ``root`` the folder that its files lie in, ``entities`` its metadata by ``@id``,
    ``metadata`` the very bytes of it, ``described_by`` the name of the file that they are in.
    """

    place: Path
    root: Path
    entities: Mapping[str, Entity]
    metadata: bytes
    described_by: str = METADATA

    @property
    def dataset(self) -> Entity:
        """The root data entity; an empty one when the crate has none."""
        described = (reference(self.entities.get(one, {}).get("about")) for one in _NAMES)
        return self.entities.get(next(filter(None, described), "./"), {})

    def path(self, relative: PurePosixPath | str) -> Path | None:
        """Where a file or folder of the crate lies; ``None`` when it isn't in there.

        Raises:
            PolicyError: the path leads out of the crate or through a link, or to what is neither file nor folder.
        """
        path = self.root
        mode = stat.S_IFDIR
        for part in safe_relative(str(relative)).parts:
            path = path / part
            try:
                mode = path.lstat().st_mode
            except (FileNotFoundError, NotADirectoryError):
                return None
            except OSError as error:
                raise from_os_error(error, f"read {relative} in the crate") from error
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                what = "a link" if stat.S_ISLNK(mode) else "neither a file nor a folder"
                raise PolicyError(
                    f"{str(relative)!r} in the crate is {what}",
                    where=str(relative),
                    hint="a crate that is to be imported holds its files themselves",
                )
        return path

    def read(self, relative: str, most: int) -> bytes | None:
        """The bytes of a small file of the crate; ``None`` when it isn't in there.

        Raises:
            PolicyError: it is larger than ``most`` bytes, or see ``path``.
        """
        path = self.path(relative)
        if path is None:
            return None
        try:
            with open_regular(path) as descriptor:
                if os.fstat(descriptor).st_size > most:
                    raise PolicyError(f"{relative} in the crate is larger than {most >> 20} MiB", where=relative)
                with open(descriptor, "rb", closefd=False) as stream:
                    return stream.read(most)
        except OSError as error:
            raise from_os_error(error, f"read {relative} in the crate") from error


def _refuse_sealed(place: Path, root: Path) -> None:
    sealed = root.name.endswith(SUFFIX) or (root / (SEALED_MANIFEST + SUFFIX)).exists()
    if not sealed and root.is_file():
        with contextlib.suppress(OSError), root.open("rb") as stream:  # what can't be read is told by what comes next
            sealed = stream.read(len(MAGIC)) == MAGIC
    if sealed:
        raise UsageError(
            f"the crate {place} is sealed",
            where=str(place),
            hint='"wfexs-like open" opens it; import what comes out of that',
        )


def open_crate(place: Path, into: Path) -> OpenCrate:
    """Open the crate at ``place``; an archive is unpacked into the new folder ``into``.

    Raises:
        NotFoundError: there is nothing at ``place``.
        UsageError: it is sealed, and has to be opened first.
        CrateError: it is no crate, or its metadata can't be read.
        ArchiveError: it is an archive that is damaged, or none.
        PolicyError: an entry of the archive, or the metadata, could do harm; ``where`` names it.
    """
    if not place.exists():
        raise NotFoundError(f"there is no crate {place}", where=str(place))
    _refuse_sealed(place, place)
    root = place
    if not (place.is_dir() or place.is_file()):
        raise CrateError(f"{place} is neither a folder nor a file", where=str(place))
    if not place.is_dir():
        unpack(place, into, links=True, limits=_LIMITS)
        root = _without_wrapper(into)
        _refuse_sealed(place, root)
    closed = OpenCrate(place=place, root=root, entities={}, metadata=b"")
    for name in _NAMES:
        text = closed.read(name, LARGEST_METADATA)
        if text is not None:
            break
    else:
        raise CrateError(f"{place} holds no RO-Crate: there is no {METADATA} in it", where=METADATA)
    return OpenCrate(place=place, root=root, entities=_entities(text), metadata=text, described_by=name)


def path_of(identifier: str) -> str | None:
    """The path in the crate that a data entity's ``@id`` means; ``None`` when it means something else."""
    if identifier.startswith("#") or ":" in identifier.partition("/")[0]:
        return None
    path = unquote(identifier.removeprefix("./")).rstrip("/")
    return path or None


def _without_wrapper(folder: Path) -> Path:
    """The folder that the crate is in: archives often have a single one around everything."""
    inside = list(folder.iterdir())
    return inside[0] if len(inside) == 1 and inside[0].is_dir() and not inside[0].is_symlink() else folder


def _entities(text: bytes) -> Mapping[str, Entity]:
    metadata = parse_metadata(text)
    if metadata.faults:
        raise CrateError(f"{WHAT}can't be used: {metadata.faults[0]}", where=METADATA)
    try:
        json.dumps(metadata.entities, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        reason = "it has half a character (a lone surrogate), which no file can hold"
        raise CrateError(f"{WHAT}can't be used: {reason}", where=METADATA) from error
    return metadata.entities
