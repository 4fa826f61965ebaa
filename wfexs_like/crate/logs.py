"""Logs: the files in which a run tells of itself, rewritten so that they say nothing of this machine.

Most are lines of text. A report of Nextflow's is a page with the code that draws it and, as JavaScript literals, what
it shows: text and literals are rewritten, the code is kept byte for byte. A page that can't be taken apart like that,
or whose code names a place of this machine, stays out.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Final

from wfexs_like.crate.discretion import Discretion
from wfexs_like.crate.vocabulary import LOG_MEDIA_TYPES

LOG_BYTES: Final = 4 << 20
"""Of a longer log, its last so many bytes."""
PAGE_BYTES: Final = 64 << 20
"""A longer page stays out: it is of no use in part."""

_DATA = re.compile(r"\s*window\.data\s*=\s*\{")
_CODE_BEGINS = re.compile(r"<(script|style)\b", re.IGNORECASE)
_LITERAL = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_PLAIN = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


def log_media_type(name: str) -> str:
    """The media type of a run's log."""
    return LOG_MEDIA_TYPES.get(name, LOG_MEDIA_TYPES.get(name.rpartition(".")[2].lower(), "text/plain"))


def rewritten(stream: BinaryIO, name: str, discretion: Discretion) -> bytes | None:
    """The log as a crate may have it, ``None`` if it must stay out."""
    size = stream.seek(0, io.SEEK_END)
    if log_media_type(name) == "text/html":
        if size > PAGE_BYTES:
            return None
        stream.seek(0)
        return _page(_lines(stream.read(PAGE_BYTES)), discretion)
    stream.seek(max(0, size - LOG_BYTES))
    head = f"[the first {size - LOG_BYTES} bytes are left out]\n" if size > LOG_BYTES else ""
    return (head + "".join(discretion.log(line) for line in _lines(stream.read(LOG_BYTES)))).encode()


def _lines(content: bytes) -> Iterator[str]:
    return iter(io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", errors="replace", newline=""))


def _page(lines: Iterable[str], discretion: Discretion) -> bytes | None:
    parts: list[str] = []
    code: list[str] = []
    within: str | None = None
    data = False
    for line in lines:
        if within is None:
            if match := _CODE_BEGINS.search(line):
                within, data = match[1].lower(), False
                code.append(line[match.start() :])
                if f"</{within}>" in line[match.start() :].lower():
                    within = None
                parts.append(discretion.log(line[: match.start()]) + line[match.start() :])
            else:
                parts.append(discretion.log(line))
        elif within == "script" and (data or _DATA.match(line)):
            data = True
            parts.append(_LITERAL.sub(lambda match: _literal(match[0], discretion), line))
        else:
            code.append(line)
            parts.append(line)
        if within is not None and _ends(line, within):
            within = None
    return "".join(parts).encode() if all(discretion.is_placeless(line) for line in code) else None


def _ends(line: str, tag: str) -> bool:
    """Whether code ends with the line. A library's code may hold the tag in a text of its own, in mid-line."""
    return line.strip().lower() == f"</{tag}>"


def _literal(literal: str, discretion: Discretion) -> str:
    """A JavaScript text with what it says rewritten; one that says nothing to rewrite as it is."""
    text = _ESCAPE.sub(_unescaped, literal[1:-1])
    told = discretion.log(text)
    return literal if told == text else json.dumps(told).replace("</", "<\\/")


def _unescaped(match: re.Match[str]) -> str:
    escape = match[1]
    if len(escape) > 1:
        return chr(int(escape[1:], 16))
    return _PLAIN.get(escape, escape)
