"""Reading documents that people write, YAML and JSON alike: safely, and remembering where everything stood.

* UTF-8, at most 16 MiB, 100 levels, 100,000 keys and values (counted again each time an alias repeats them).
* One document a file. No tags: nothing in a document can name a type to construct.
* A key is always the text that was written (``on:`` is the key ``on``), and stands once in its map.
* A word without quotes is read by the rule in ``staging.plain_scalars``; in quotes it is text.
* Anchors, aliases and merge keys (``<<``) work within the limits; an alias never contains itself.

What is wrong but leaves the rest readable is collected, so that a reader can go on and find everything in one go.
Source: YAML 1.2.2; RFC 8259.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import NoReturn

from staging.composing import Composer
from staging.errors import DefinitionError, Fault
from staging.nodes import Document

MAX_BYTES = 16 << 20

# Three patterns, because each alone is searched for ten times as fast as their alternation.
_FORBIDDEN = (
    re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"),
    re.compile(rb"\xc2[\x80-\x84\x86-\x9f]"),
    re.compile(rb"\xef\xbf[\xbe\xbf]"),
)
# An escaped backslash is matched first, so that the escape that seems to follow it is left alone.
_JSON_PAIR = re.compile(rb"\\\\|\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")


def read_document(path: Path, *, file: str | None = None) -> Document:
    """Read the document at ``path``; ``file`` is how to call it in messages.

    Raises:
        DefinitionError: it can't be read at all; nothing after the place is known.
    """
    name = str(path) if file is None else file
    return parse_document(_read_bytes(path, name), file=name)


def parse_document(data: bytes, *, file: str) -> Document:
    """Read a document from memory.

    Raises:
        DefinitionError: it can't be read at all; nothing after the place is known.
    """
    if len(data) > MAX_BYTES:
        _refuse(file, f"the document is larger than {MAX_BYTES >> 20} MiB")
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line, column = _place_of(data, error.start)
        _refuse(
            file,
            f"the document is not UTF-8: the byte 0x{data[error.start]:02x} has no place here",
            line,
            column,
            hint="save it as UTF-8",
        )
    for pattern in _FORBIDDEN:
        if found := pattern.search(data):
            line, column = _place_of(data, found.start())
            character = ord(found.group().decode())
            _refuse(file, f"the control character U+{character:04X} is not allowed", line, column)
    if file.endswith(".json"):
        data = _JSON_PAIR.sub(_join_pair, data)
    return Composer(file).compose(data, text)


def _read_bytes(path: Path, file: str) -> bytes:
    try:
        # Without O_NONBLOCK, opening a named pipe would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        _refuse(file, f"can't be opened: {(error.strerror or str(error)).lower()}")
    except ValueError:
        _refuse(file, "can't be opened: the name has a NUL in it")
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            _refuse(file, "is a folder, not a file" if stat.S_ISDIR(mode) else "is not a regular file")
        with os.fdopen(descriptor, "rb", closefd=False) as stream:
            return stream.read(MAX_BYTES + 1)
    except OSError as error:
        _refuse(file, f"can't be read: {(error.strerror or str(error)).lower()}")
    finally:
        os.close(descriptor)


def _refuse(
    file: str,
    message: str,
    line: int | None = None,
    column: int | None = None,
    *,
    hint: str | None = None,
    where: str = "",
) -> NoReturn:
    fault = Fault(file=file, where=where, message=message, line=line, column=column, hint=hint)
    raise DefinitionError((fault,), message=f"{file}: {message}" if line is None else None)


def _place_of(data: bytes, offset: int) -> tuple[int, int]:
    start = data.rfind(b"\n", 0, offset) + 1
    return data.count(b"\n", 0, start) + 1, len(data[start:offset].decode(errors="replace")) + 1


def _join_pair(match: re.Match[bytes]) -> bytes:
    """JSON writes a character beyond U+FFFF as two escapes; YAML has one escape for it."""
    if match.group(1) is None:
        return match.group()
    high, low = int(match.group(1), 16), int(match.group(2), 16)
    return b"\\U%08X" % (0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))
