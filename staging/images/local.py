"""Images that lie on this machine, as a stage file names them: ``oci:PATH[:NAME]`` is one in an OCI layout.

``PATH`` is read from the stage file's folder, ``NAME`` is the image's in the layout's index; it may be left out where
there is only one. The parts of the image become local files, each with the digest of its name.
``docker-archive:PATH[:NAME]`` and ``oci-archive:PATH[:NAME]`` are one in a file, as ``docker save`` and ``skopeo copy``
write it. No registry is asked.
Source: containers-transports(5), "oci:path[:reference]", "docker-archive:path[:docker-reference]".
"""

from __future__ import annotations

import os
import posixpath
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import quote

from staging.errors import ContainerError, DefinitionError, DigestError, Fault, PolicyError
from staging.identifiers import Identifier
from staging.images.layout import LaidImage, blob_path, find_image
from staging.images.platforms import Platform
from staging.images.reference import ImageReference, plain_name

SCHEME: Final = "oci"
ARCHIVES: Final = ("docker-archive", "oci-archive")
_SAFE: Final = "/!$&'()*+,;=:@~-._"
_SHOWN: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutReference:
    """An image in a local layout; it answers as an ``ImageReference`` does.

    ``path`` is the layout's folder as it was written, ``image`` its name there, ``called`` what the workflow calls it.
    ``digest`` is the sha256 (hex) that was stated for its manifest, or for a list that leads to it. ``str()`` is what
    was written.
    """

    path: str
    image: str | None
    called: str
    digest: str | None = None

    @classmethod
    def parse(cls, text: str, called: str) -> LayoutReference:
        """Read ``oci:PATH[:NAME]``.

        Raises:
            DefinitionError: there is no path in it, or one that can't be.
        """
        path, _, image = text.strip().removeprefix(f"{SCHEME}:").partition(":")
        if not path.strip("/") or path.startswith("//") or "\x00" in text:
            message = f"{text[:_SHOWN]!r} names no OCI layout"
            hint = "as in oci:../images:tools:1, the folder and then the image's name in it"
            raise DefinitionError((Fault(file="", where="", message=message, hint=hint),), message=message, hint=hint)
        return cls(path=path, image=image or None, called=called)

    @property
    def name(self) -> str:
        """What a lock puts before ``@sha256:``: a layout has no host, so it is what the workflow's name means."""
        return plain_name(self.called)

    def identifier(self, platform: str | None = None) -> Identifier:
        """The identifier of the image, for a platform; relative where it was written so."""
        image = f":{self.image}" if self.image is not None else ""
        body = quote(os.fsencode(posixpath.normpath(self.path) + image), safe=_SAFE)
        return Identifier(scheme=SCHEME, body=body, fragment=platform or "")

    def at(self, digest: str) -> LayoutReference:
        """The same, stated with that digest (hex)."""
        return replace(self, digest=digest)

    def blob(self, digest: str) -> Identifier:
        """The local file that is the blob, or the manifest, of that digest (hex)."""
        return Identifier.parse(posixpath.join(self.path, str(blob_path(digest))))

    def find(self, base: Path, platform: Platform) -> LaidImage:
        """The image, its path read from the folder ``base``; its manifest and config are read and checked.

        Raises:
            ContainerError: there is no such layout, or no such image in it. DigestError: it is not the one stated, or
                damaged. PolicyError: the layout's blobs lie elsewhere.
        """
        folder = base / self.path
        if not folder.is_dir():
            raise ContainerError(
                f"there is no OCI layout {self.path}",
                hint=f"make it (skopeo copy docker://... {SCHEME}:{self.path}:NAME); the path is read from {base}",
                where=str(self),
                image=str(self),
            )
        blobs = (folder / blob_path("x")).parent
        if blobs.resolve() != folder.resolve() / blob_path("x").parent:
            raise PolicyError(
                f"the blobs of the OCI layout {self.path} lie elsewhere: a link leads there",
                hint="copy the layout whole",
                where=str(self),
            )
        found = find_image(folder, self.image, platform, str(self))
        if self.digest not in (None, found.digest, *found.hops):
            raise DigestError(
                f"the image {self} has the sha256 {found.digest}, the stage file says {self.digest}",
                hint="it is another image than the one that is meant",
                where=str(self),
                expected=self.digest,
                actual=found.digest,
            )
        return found

    def __str__(self) -> str:
        return f"{SCHEME}:{self.path}" + (f":{self.image}" if self.image is not None else "")


def is_layout(source: str | None) -> bool:
    """Whether a ``source`` names a local layout."""
    return source is not None and source.strip().startswith(f"{SCHEME}:")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveReference:
    """An image in an archive: ``path`` as it was written, ``image`` its name there."""

    path: str
    image: str | None

    @property
    def identifier(self) -> Identifier:
        """The archive itself, a local file."""
        return Identifier.parse(self.path)


def archive_of(source: str | None) -> ArchiveReference | None:
    """The archive that a ``source`` names, ``None`` where it names another thing.

    Raises:
        DefinitionError: there is no path in it.
    """
    kind, _, rest = (source or "").strip().partition(":")
    if kind not in ARCHIVES:
        return None
    path, _, image = rest.partition(":")
    if not path.strip("/") or "\x00" in rest:
        message = f"{(source or '')[:_SHOWN]!r} names no archive"
        hint = f"as in {kind}:../images/tools.tar"
        raise DefinitionError((Fault(file="", where="", message=message, hint=hint),), message=message, hint=hint)
    return ArchiveReference(path=path, image=image or None)


def reference_to(name: str, source: str | None, digest: str | None = None) -> ImageReference | LayoutReference:
    """Where an image is to be had: ``source`` if one is stated, else its ``name``; ``digest`` is what was stated.

    Raises:
        DefinitionError: it is no reference, or states another digest than ``digest``.
    """
    reference: ImageReference | LayoutReference
    if source is not None and is_layout(source):
        reference = LayoutReference.parse(source, name)
    else:
        reference = ImageReference.parse(source or name)
    if digest is None:
        return reference
    if reference.digest not in (None, digest):
        message = f"{reference} is stated with another digest, sha256:{digest}"
        hint = "state one of them"
        raise DefinitionError((Fault(file="", where="", message=message, hint=hint),), message=message, hint=hint)
    return replace(reference, digest=digest)
