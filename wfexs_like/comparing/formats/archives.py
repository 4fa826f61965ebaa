"""Zip and tar: members count, with names, links and the right to be executed; times, owners, order and packing don't.

A member is compared with the one of its name as any other file.
"""

from __future__ import annotations

import hashlib
import io
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import IO, Final

from staging.errors import WfexsError
from staging.fingerprints import CHUNK
from staging.tar_archives import BoundedMember
from staging.zip_archives import ZipReader, directory_size, largest_directory, refuse_overlaps
from staging.zip_layout import refuse_hidden
from wfexs_like.comparing.sources import Budget, Counted, Source
from wfexs_like.comparing.verdicts import CannotCompareError, Comparison, NotThatFormatError, different, equivalent

MOST_MEMBERS: Final = 100_000
_LARGEST_IN_MEMORY: Final = 64 << 20
_ENCRYPTED: Final = 0x1
_DAMAGED: Final[tuple[type[Exception], ...]] = (*ZipReader.errors, ValueError, WfexsError)
Compare = Callable[[Source, Source], Comparison]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    """``kind`` is what must be the same; ``digest`` tells whether the content is. A folder or link has no source."""

    kind: str
    digest: bytes = b""
    source: Source | None = None


def compare_zips(a: Source, b: Source, budget: Budget, compare: Compare) -> Comparison:
    """Two zip archives."""
    with _zip(a) as one, _zip(b) as other:
        members = [_zip_members(side, budget) for side in (one, other)]
        if one.comment != other.comment:
            return different("its comment differs", "comment", one.comment, other.comment)
        return _compare(members[0], members[1], compare)


def compare_tars(a: Source, b: Source, budget: Budget, compare: Compare) -> Comparison:
    """Two tar archives, unpacked."""
    return _compare(_tar_members(a, budget), _tar_members(b, budget), compare)


def _compare(a: dict[str, _Member], b: dict[str, _Member], compare: Compare) -> Comparison:
    missing = sorted(a.keys() ^ b.keys())
    if missing:
        name = missing[0]
        return different("its members differ", f"member {name}", *(name if name in side else None for side in (a, b)))
    reasons: list[str] = []
    unsure: Comparison | None = None
    for name in sorted(a):
        ours, theirs = a[name], b[name]
        if ours.kind != theirs.kind:
            return different("the kind of a member differs", f"member {name}", ours.kind, theirs.kind)
        if ours.source is None or theirs.source is None or ours.digest == theirs.digest != b"":
            continue
        found = compare(ours.source, theirs.source)
        if found.verdict == "different":
            where = f"member {name}" + (f", {found.where}" if found.where else "")
            return replace(found, reason=f"a member of it differs: {found.reason}", where=where)
        if found.verdict == "unknown":
            unsure = unsure or found
        elif found.verdict == "equivalent":
            reasons.append(f"in members: {found.reason}")
    if unsure is not None:
        return unsure
    return equivalent(*(reasons or ["times, order or packing of the members differ, their content is the same"]))


@contextmanager
def _zip(source: Source) -> Iterator[zipfile.ZipFile]:
    with source.stream() as found:
        # What is unpacked itself would be unpacked again and again.
        plain = isinstance(found, io.BytesIO) or isinstance(getattr(found, "raw", None), io.FileIO)
        stream: IO[bytes] = found if plain else io.BytesIO(source.whole(_LARGEST_IN_MEMORY))
        if directory_size(stream) > largest_directory(MOST_MEMBERS):
            raise CannotCompareError(f"it has more than {MOST_MEMBERS} members")
        try:
            with zipfile.ZipFile(stream) as archive:
                refuse_overlaps(archive)
                refuse_hidden(archive, stream)
                yield archive
        except _DAMAGED as error:
            raise NotThatFormatError("it is damaged") from error


def _zip_members(archive: zipfile.ZipFile, budget: Budget) -> dict[str, _Member]:
    found: dict[str, _Member] = {}
    for info in archive.infolist():
        if info.flag_bits & _ENCRYPTED:
            raise NotThatFormatError("a member of it is encrypted")
        mode = info.external_attr >> 16
        kind = "folder" if info.is_dir() else _kind(mode)
        if kind == "link":
            kind = f"link to {_digest(partial(archive.open, info), budget).hex()}"
        if info.filename in found:
            raise NotThatFormatError("it has two members of one name")
        found[info.filename] = _Member(
            kind=kind,
            source=Source(name=info.filename, opener=partial(_open, archive, info, budget), size=info.file_size)
            if kind in {"file", "program"}
            else None,
        )
    return found


def _kind(mode: int) -> str:
    form = stat.S_IFMT(mode)
    if form == stat.S_IFLNK:
        return "link"
    if form not in (0, stat.S_IFREG):
        return "special"
    return "program" if mode & stat.S_IXUSR else "file"


def _open(archive: zipfile.ZipFile, info: zipfile.ZipInfo, budget: Budget) -> IO[bytes]:
    return io.BufferedReader(Counted(archive.open(info), None, budget), CHUNK)


def _tar_members(source: Source, budget: Budget) -> dict[str, _Member]:
    """All members, each with its digest: a tar is read from its start to its end, for every member anew."""
    found: dict[str, _Member] = {}
    with source.stream() as stream, _tar(stream) as archive:
        for number, member in enumerate(archive):
            if number >= MOST_MEMBERS:
                raise CannotCompareError(f"it has more than {MOST_MEMBERS} members")
            name = member.name.removeprefix("./")
            if name in found:
                raise NotThatFormatError("it has two members of one name")
            if not member.isreg():
                found[name] = _Member(kind=f"{member.type!r} {member.linkname}")
                continue
            found[name] = _Member(
                kind="program" if member.mode & stat.S_IXUSR else "file",
                digest=_digest(partial(_body, archive, member), budget),
                source=Source(name=name, opener=partial(_open_member, source, number, budget), size=member.size),
            )
        while rest := archive.fileobj.read(CHUNK):
            budget.take(len(rest))
            if rest.strip(b"\0"):
                raise NotThatFormatError("something follows its end")
    return found


@contextmanager
def _tar(stream: IO[bytes]) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(fileobj=stream, mode="r|", tarinfo=BoundedMember, errorlevel=2) as archive:
            yield archive
    except (tarfile.TarError, EOFError, ValueError, WfexsError) as error:
        raise NotThatFormatError("it is damaged") from error


def _body(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    body = archive.extractfile(member)
    if body is None:
        raise NotThatFormatError("a member of it has no content")
    return body


def _open_member(source: Source, number: int, budget: Budget) -> IO[bytes]:
    raw = source.opener()
    under = io.BufferedReader(raw, CHUNK) if isinstance(raw, io.RawIOBase) else raw
    archive = tarfile.open(fileobj=under, mode="r|", tarinfo=BoundedMember, errorlevel=2)  # noqa: SIM115 - with the stream
    for at, member in enumerate(archive):
        if at == number:
            return io.BufferedReader(Counted(_body(archive, member), under, budget), CHUNK)
    under.close()
    raise NotThatFormatError("it has changed meanwhile")


def _digest(opener: Callable[[], IO[bytes]], budget: Budget) -> bytes:
    digest = hashlib.sha256()
    with opener() as stream:
        while chunk := stream.read(CHUNK):
            budget.take(len(chunk))
            digest.update(chunk)
    return digest.digest()
