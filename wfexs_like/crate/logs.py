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

_SHORT = 30
_KEPT = 10_000
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
    told = io.StringIO()
    literals = _Literals(discretion)
    within: str | None = None
    data = False
    for line in lines:
        rest = line
        while rest:
            if within is None:
                begin = _CODE_BEGINS.search(rest)
                cut = begin.end() if begin else len(rest)
                told.write(discretion.log(rest[:cut]))
                within, data = (begin[1].lower(), False) if begin else (None, False)
            else:
                # What ends code for a browser is the first such tag, whatever it stands in.
                end = rest.lower().find(f"</{within}")
                cut = len(rest) if end < 0 else end
                data = data or (within == "script" and _DATA.match(rest) is not None)
                if data:
                    literals.write(told, rest[:cut])
                elif discretion.is_placeless(rest[:cut]):
                    told.write(rest[:cut])
                else:
                    return None
                within = within if end < 0 else None
            rest = rest[cut:]
    return told.getvalue().encode()


class _Literals:
    """Rewrites JavaScript texts. The short ones of a page are few, and each comes very often."""

    def __init__(self, discretion: Discretion) -> None:
        self.discretion = discretion
        self._known: dict[str, str] = {}

    def write(self, target: io.StringIO, code: str) -> None:
        """Write ``code`` with its texts rewritten."""
        position = 0
        for match in _LITERAL.finditer(code):
            target.write(code[position : match.start()])
            target.write(self._literal(match[0]))
            position = match.end()
        target.write(code[position:])

    def _literal(self, literal: str) -> str:
        if len(literal) > _SHORT:
            return self._rewritten(literal)
        known = self._known.get(literal)
        if known is None:
            known = self._rewritten(literal)
            if len(self._known) < _KEPT:
                self._known[literal] = known
        return known

    def _rewritten(self, literal: str) -> str:
        """A text with what it says rewritten; one that says nothing to rewrite as it is."""
        text = _ESCAPE.sub(_unescaped, literal[1:-1]) if "\\" in literal else literal[1:-1]
        told = self.discretion.log(text)
        return literal if told == text else json.dumps(told).replace("</", "<\\/")


def _unescaped(match: re.Match[str]) -> str:
    escape = match[1]
    if len(escape) > 1:
        return chr(int(escape[1:], 16))
    return _PLAIN.get(escape, escape)
