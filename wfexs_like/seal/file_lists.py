r"""Lists of files with a digest each, in the form that ``sha256sum -c`` and ``sha512sum -c`` read.

A line is ``<hex>  <path>``. A name with a backslash, newline or carriage return is written as coreutils does: the line
begins with a backslash, and the name has ``\\``, ``\n``, ``\r`` for them. Lines that begin with ``#`` are comments
to coreutils; three of them mean something here, and belong to the line or to the list: ``# size <bytes>`` before a
line, ``# link <target> <path>`` (a symbolic link, both percent-encoded), and the list's own name at its top.

Source: GNU coreutils manual, "md5sum invocation"; ``src/digest.c`` for comments.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import quote, unquote

from staging.errors import CrateError
from staging.fingerprints import check_link
from staging.paths import safe_relative

Algorithm = Literal["sha256", "sha512"]

LARGEST: Final = 256 << 20
"""Bytes of a list: a million files have names of some 100 bytes."""
_HEX_DIGITS: Final[dict[str, int]] = {"sha256": 64, "sha512": 128}
_ESCAPES: Final = {"\\": "\\\\", "\n": "\\n", "\r": "\\r"}
_PLAIN: Final = {"\\": "\\", "n": "\n", "r": "\r"}
_ESCAPED: Final = re.compile(r"\\(.?)", re.DOTALL)
_SIZE: Final = re.compile(r"# size (0|[1-9][0-9]{0,18})")
_LINK: Final = re.compile(r"# link (\S+) (\S+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedFile:
    """A line: a path below the list's folder, the hex digest of its bytes, and their number where that is stated."""

    path: str
    digest: str
    size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileList:
    """A list that was read, in the order of its lines. ``links`` has the target of each symbolic link by its path.

    ``headers`` are the comments that mean nothing here, without their ``# ``.
    """

    files: tuple[ListedFile, ...]
    links: dict[str, str]
    headers: tuple[str, ...] = ()


def write_list(
    files: Iterable[ListedFile], *, links: dict[str, str] | None = None, headers: Iterable[str] = ()
) -> bytes:
    """The list's text, sorted by the UTF-8 bytes of the paths."""
    lines = [f"# {header}" for header in headers]
    lines += [
        f"# link {quote(target, safe='/')} {quote(path, safe='/')}"
        for path, target in sorted((links or {}).items(), key=lambda one: one[0].encode())
    ]
    for one in sorted(files, key=lambda one: one.path.encode()):
        if one.size is not None:
            lines.append(f"# size {one.size}")
        lines.append(_line(one))
    return "".join(f"{line}\n" for line in lines).encode()


def parse_list(content: bytes, algorithm: Algorithm, *, name: str) -> FileList:
    """Read a list; ``name`` is its own, for errors.

    Raises:
        CrateError: it is no list, too long, or names a file twice.
        PolicyError: a path or link in it leads out of its folder.
    """
    if len(content) > LARGEST:
        raise CrateError(f"{name} is larger than {LARGEST >> 20} MiB", where=name)
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise CrateError(f"{name} is not UTF-8 text", where=name) from error
    files: dict[str, ListedFile] = {}
    links: dict[str, str] = {}
    headers: list[str] = []
    size: int | None = None
    # Only a newline ends a line; a name may hold any other separator that Unicode knows.
    lines = text.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    for number, line in enumerate(lines, 1):
        if line.startswith("#"):
            if found := _SIZE.fullmatch(line):
                size = int(found[1])
            elif found := _LINK.fullmatch(line):
                _take_link(links, found, f"{name}:{number}")
            else:
                headers.append(line.removeprefix("#").removeprefix(" "))
            continue
        path, digest = _parse_line(line, algorithm, f"{name}:{number}")
        if path in files:
            raise CrateError(f"{name} names {path!r} twice", where=f"{name}:{number}")
        files[path] = ListedFile(path=path, digest=digest, size=size)
        size = None
    if twice := sorted(files.keys() & links.keys()):
        raise CrateError(f"{name} names {twice[0]!r} twice", where=name)
    return FileList(files=tuple(files.values()), links=links, headers=tuple(headers))


def _line(one: ListedFile) -> str:
    escaped = "".join(_ESCAPES.get(character, character) for character in one.path)
    mark = "\\" if escaped != one.path else ""
    return f"{mark}{one.digest}  {escaped}"


def _parse_line(line: str, algorithm: Algorithm, where: str) -> tuple[str, str]:
    escaped = line.startswith("\\")
    digits = _HEX_DIGITS[algorithm]
    rest = line[1:] if escaped else line
    digest, mark, path = rest[:digits], rest[digits : digits + 2], rest[digits + 2 :]
    if not re.fullmatch(r"[0-9a-fA-F]+", digest) or len(digest) != digits or mark not in ("  ", " *") or not path:
        raise CrateError(f"this is no line of a {algorithm} list: {line[:200]!r}", where=where)
    if escaped:
        path = _ESCAPED.sub(lambda found: _unescaped(found[1], where), path)
    return str(safe_relative(path.removeprefix("./"))), digest.lower()


def _unescaped(letter: str, where: str) -> str:
    if letter not in _PLAIN:
        raise CrateError(f"a name has a backslash that means nothing: \\{letter}", where=where)
    return _PLAIN[letter]


def _take_link(links: dict[str, str], found: re.Match[str], where: str) -> None:
    try:
        target, path = (unquote(one, errors="strict") for one in found.groups())
    except UnicodeDecodeError as error:
        raise CrateError("a link is not UTF-8", where=where) from error
    path = str(safe_relative(path))
    check_link(path, target)
    if path in links:
        raise CrateError(f"the link {path!r} is named twice", where=where)
    links[path] = target
