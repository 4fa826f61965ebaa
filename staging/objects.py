"""Objects: how contents are named in the store, what they are made of, and who holds them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from staging.errors import WfexsError
from staging.fingerprints import CHUNK, Fingerprint, Tree
from staging.plan import Kind

READ_ONLY = 0o444
EXECUTABLE = 0o555


class MissingObjectError(WfexsError):
    """Objects that were there a moment ago are gone, or their bytes were damaged. ``names`` says which."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(
            f"{len(names)} objects of the content store are missing or damaged: {', '.join(sorted(names)[:3])}",
            hint="stage again to fetch them again",
        )
        self.names = tuple(names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A content that the store has, whole and verified. ``tree`` is there for a folder; ``size`` is in bytes."""

    kind: Kind
    fingerprint: Fingerprint
    size: int
    tree: Tree | None = None

    def names(self) -> tuple[str, ...]:
        """The objects it is made of."""
        if self.tree is None:
            return (self.fingerprint.digest,)
        members = {object_name(entry.digest, entry.kind) for entry in self.tree.entries if entry.kind in "fx"}
        return (f"{self.fingerprint.digest}.t", *sorted(members))


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Who holds objects: the working directory ``workdir`` (an id) below the folder ``home``."""

    home: str
    workdir: str

    @property
    def lock(self) -> str:
        """The name of the lock that says it is at work."""
        return f"user:{self.home}/{self.workdir}"


def object_name(digest: str, kind: str = "f") -> str:
    """The object's name for a file of that kind (``f``, ``x``) or a tree's text (``t``)."""
    return digest if kind == "f" else f"{digest}.{kind}"


def object_mode(name: str) -> int:
    """The file mode of an object."""
    return EXECUTABLE if name.endswith(".x") else READ_ONLY


def identifier_key(identifier: str) -> str:
    """A name for a file or a lock that stands for an identifier."""
    return hashlib.sha256(identifier.encode()).hexdigest()


def read_digest(descriptor: int) -> str:
    """The sha256 of what is left in an open file."""
    digest = hashlib.sha256()
    buffer = bytearray(CHUNK)
    view = memoryview(buffer)
    while count := os.readv(descriptor, [buffer]):
        digest.update(view[:count])
    return digest.hexdigest()


def now() -> str:
    """The time, ISO 8601 in UTC with seconds."""
    return datetime.now(tz=UTC).isoformat(timespec="seconds")
