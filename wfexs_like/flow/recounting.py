"""Recounting a working directory: the account of its runs, as a crate of it would give it, without writing one."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, BinaryIO

from staging.crate_source import METADATA
from staging.fingerprints import CHUNK
from wfexs_like.crate.payload import Copied, open_inside
from wfexs_like.reading.contents import Contents, Member
from wfexs_like.reading.metadata import parse_metadata
from wfexs_like.reading.recount import recount

if TYPE_CHECKING:
    from wfexs_like.crate.subject import CrateSubject
    from wfexs_like.reading.account import Account


def recount_runs(subject: CrateSubject) -> tuple[Account, Contents]:
    """The account of the runs of a working directory, and what would be in their crate, to be read where it lies.

    The outputs are read once, and held against their record.

    Raises:
        NotFoundError: there is no run that has ended, or a recorded file is gone.
        DigestError: a file is not the one that was recorded.
    """
    from wfexs_like.crate.export import describe_runs

    writer = _Onlooker(subject)
    describe_runs(subject, writer)
    return recount(
        parse_metadata(writer.contents.read(METADATA, len(writer.metadata))), writer.contents
    ), writer.contents


class _Onlooker:
    """A crate's writer that writes nothing: it hashes what goes by, and remembers where that lies."""

    def __init__(self, subject: CrateSubject) -> None:
        self._content = subject.content
        self.contents = Contents()
        self.metadata = b""

    def file(self, path: str, source: BinaryIO, *, executable: bool = False) -> Copied:
        """Hash a stream."""
        digest, size = hashlib.sha256(), 0
        while chunk := source.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
        self._remember(path, size, executable=executable)
        self.contents.openers[path] = partial(open_inside, self._content, path)
        return Copied(sha256=digest.hexdigest(), size=size)

    @contextmanager
    def opened(self, path: str) -> Iterator[BinaryIO]:
        """A file to write to."""
        buffer = io.BytesIO()
        yield buffer
        self.content(path, buffer.getvalue())

    def content(self, path: str, content: bytes) -> Copied:
        """Remember what is made up for the crate."""
        if path == METADATA:
            self.metadata = content
        self._remember(path, len(content))
        self.contents.openers[path] = partial(io.BytesIO, content)
        return Copied(sha256=hashlib.sha256(content).hexdigest(), size=len(content))

    def link(self, path: str, target: str) -> None:
        """Remember a link."""
        self.contents.add_parents(path)
        self.contents.links[path] = target

    def folder(self, path: str) -> None:
        """Remember a folder."""
        self.contents.add_parents(path)
        self.contents.folders.add(path)

    def close(self) -> None:
        """Nothing is left to do."""

    def _remember(self, path: str, size: int, *, executable: bool = False) -> None:
        self.contents.add_parents(path)
        self.contents.members[path] = Member(kind="x" if executable else "f", size=size)
