"""References: how people name an image (``host:5000/group/tools:1.2@sha256:...``), read as docker reads them.

Source: the grammar of github.com/distribution/reference (``reference.go``, ``normalize.go``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from staging.errors import DefinitionError, Fault
from staging.identifiers import Identifier, IdentifierError

SCHEME: Final = "docker"
BLOB_SCHEME: Final = "oci-blob"
DEFAULT_HOST: Final = "docker.io"
DEFAULT_TAG: Final = "latest"

MAX_NAME: Final = 255
"""Characters of host and repository together."""

_HOST_PART = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST: Final = re.compile(rf"(?:{_HOST_PART}(?:\.{_HOST_PART})*|\[(?:[a-fA-F0-9:]+)\])(?::[0-9]{{1,5}})?")
_COMPONENT: Final = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_HEX: Final = re.compile(r"[0-9a-f]{64}")
_SHOWN: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageReference:
    """An image by its registry's ``host`` (with port), its ``repository`` there, and a tag, a digest, or both.

    ``digest`` is the sha256 (hex) of a manifest or an index. Where it is there the tag is but a word beside it: the
    digest says which image is meant. ``str()`` is canonical: host, and tag or digest, always stand there.
    """

    host: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    @classmethod
    def parse(cls, text: str) -> ImageReference:
        """Read a reference as a person writes it; ``docker://`` before it may be there.

        Without a host docker.io is meant (whose images of one word are those of ``library/``), without tag and digest
        the tag ``latest``.

        Raises:
            DefinitionError: it is none; the hint says what to write.
        """
        stated = text.strip().removeprefix("docker://")
        if not stated:
            raise _fault(text, "is empty", "name an image, as in quay.io/biocontainers/samtools:1.17")
        if _HEX.fullmatch(stated):
            raise _fault(text, "is an image's id, which no registry knows", "name the image by its registry's name")
        rest, at, digest = stated.partition("@")
        name, tag = _split_tag(rest)
        host, repository = _split_host(name)
        _check_repository(text, host, repository)
        if tag is not None and not _TAG.fullmatch(tag):
            raise _fault(
                text,
                f"has the tag {tag[:_SHOWN]!r}, which can't be one",
                "up to 128 letters, digits, '_', '.' and '-', the first no '.' or '-'",
            )
        hexadecimal = _read_digest(text, digest) if at else None
        if tag is None and hexadecimal is None:
            tag = DEFAULT_TAG
        return cls(host=host, repository=repository, tag=tag, digest=hexadecimal)

    @classmethod
    def of_identifier(cls, identifier: Identifier) -> tuple[ImageReference, str | None]:
        """The reference in a ``docker:`` or ``oci-blob:`` identifier, and the platform in its fragment.

        Raises:
            IdentifierError: it holds none.
        """
        host, slash, rest = identifier.body.removeprefix("//").partition("/")
        if identifier.scheme not in (SCHEME, BLOB_SCHEME) or not host or not slash or "?" in rest:
            raise IdentifierError(
                f"{identifier} names no image of a registry", hint="as in docker://quay.io/biocontainers/samtools:1.17"
            )
        if not _is_host(host) and host != "localhost":
            raise IdentifierError(
                f"{identifier} names no registry",
                hint=f"its host comes first: docker://{DEFAULT_HOST}/{host}/{rest}",
            )
        try:
            reference = cls.parse(f"{host}/{rest}")
        except DefinitionError as error:
            raise IdentifierError(error.message, hint=error.hint) from error
        if identifier.scheme == BLOB_SCHEME and reference.digest is None:
            raise IdentifierError(f"{identifier} has no digest", hint="a blob is named by its digest alone")
        return reference, identifier.fragment or None

    @property
    def name(self) -> str:
        """Host and repository: what a lock puts before ``@sha256:``."""
        return f"{self.host}/{self.repository}"

    def identifier(self, platform: str | None = None) -> Identifier:
        """The identifier of the image, for a platform (``os/architecture[/variant]``) where one is to be chosen."""
        return Identifier.parse(f"{SCHEME}://{self}" + (f"#{platform}" if platform else ""))

    def at(self, digest: str) -> ImageReference:
        """What has that digest (hex) in the same repository."""
        return replace(self, tag=None, digest=digest)

    def blob(self, digest: str) -> Identifier:
        """The identifier of a blob (hex digest) of the same repository."""
        return Identifier.parse(f"{BLOB_SCHEME}://{self.name}@sha256:{digest}")

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag is not None else ""
        return self.name + tag + (f"@sha256:{self.digest}" if self.digest is not None else "")


def plain_name(text: str) -> str:
    """Host and repository that a name means; for what is no reference, a place that no registry has."""
    try:
        return ImageReference.parse(text).name
    except DefinitionError:
        return "localhost/image"


def _split_tag(text: str) -> tuple[str, str | None]:
    """The name and the tag: what stands behind a colon in the last component."""
    head, colon, tag = text.rpartition(":")
    return (head, tag) if colon and "/" not in tag else (text, None)


def _is_host(first: str) -> bool:
    """Whether a first component is a registry's host: docker's own rule."""
    return "." in first or ":" in first or first == "localhost" or first != first.lower()


def _split_host(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    host, repository = (first.lower(), rest) if slash and _is_host(first) else (DEFAULT_HOST, name)
    if host == "index.docker.io":
        host = DEFAULT_HOST
    if host == DEFAULT_HOST and "/" not in repository:
        repository = f"library/{repository}"
    return host, repository


def _check_repository(text: str, host: str, repository: str) -> None:
    if not _HOST.fullmatch(host):
        raise _fault(text, f"has the registry {host[:_SHOWN]!r}, which is no host", "as in localhost:5000 or quay.io")
    for component in repository.split("/"):
        if _COMPONENT.fullmatch(component):
            continue
        if _COMPONENT.fullmatch(component.lower()):
            raise _fault(
                text,
                "has capital letters in its name",
                f"names of images are in lower case: {repository.lower()[:_SHOWN]}",
            )
        raise _fault(
            text,
            f"has {component[:_SHOWN]!r} in its name" if component else "has an empty component",
            "a component is lower case letters and digits, with '.', '_', '__' or '-' between them",
        )
    if len(host) + 1 + len(repository) > MAX_NAME:
        raise _fault(text, f"is longer than {MAX_NAME} characters", "no registry has such a name")


def _read_digest(text: str, digest: str) -> str:
    algorithm, colon, value = digest.partition(":")
    if colon and algorithm != "sha256":
        raise _fault(
            text, f"has a digest of the kind {algorithm[:_SHOWN]!r}", "state the sha256, which every registry has"
        )
    if not _HEX.fullmatch(value):
        raise _fault(
            text,
            "has a digest that is no sha256",
            "@sha256: and 64 hexadecimal digits, in lower case"
            if len(value) != len("0" * 64)
            else "the digits of a digest are 0 to 9 and a to f, in lower case",
        )
    return value


def _fault(text: str, what: str, hint: str) -> DefinitionError:
    shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
    fault = Fault(file="", where="", message=f"the image reference {shown!r} {what}", hint=hint)
    return DefinitionError((fault,), message=fault.message, hint=hint)
