"""HTTP answers: what a server said, read with suspicion."""

from __future__ import annotations

import email.utils
import re
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import unquote

from staging.errors import FetchError, PolicyError
from staging.fetchers.base import FetchContext
from staging.identifiers import Identifier
from staging.paths import safe_name
from staging.streams import CHUNK

_TRANSIENT: Final = (408, 425, 429, 500, 502, 503, 504)
_DENIED: Final = (401, 403)
_MISSING: Final = (404, 410)
_PART: Final = re.compile(r"^bytes (\d+)-(\d+)/(\d+)$")
_STRONG_AGE: Final = 1.0
"""Seconds that a last modification must lie back for its date to be a strong validator (RFC 9110, section 8.8.2.2)."""

_SLOWEST: Final = 100
"""Bytes a second, as the mean over one read time-out, below which a server counts as stalled."""

_BOMB_SIZE: Final = 64 << 20
_BOMB_RATIO: Final = 200

# A server may say how a file is compressed where it should say what kind of file it is. These are the files.
_OWN_SUFFIXES: Final[Mapping[str, tuple[str, ...]]] = {
    "gzip": (".gz", ".tgz", ".bgz", ".svgz", ".taz", ".gzi", ".bam"),
    "x-gzip": (".gz", ".tgz", ".bgz", ".svgz", ".taz", ".gzi", ".bam"),
    "deflate": (".zz", ".zlib"),
    "compress": (".z",),
    "x-compress": (".z",),
    "br": (".br",),
    "zstd": (".zst", ".tzst"),
    "bzip2": (".bz2", ".tbz2"),
    "xz": (".xz", ".txz"),
}
_OWN_TYPES: Final = (
    "application/gzip",
    "application/x-gzip",
    "application/zstd",
    "application/x-xz",
)
_PAGES: Final = ("", ".html", ".htm", ".xhtml", ".shtml", ".php", ".asp", ".aspx", ".jsp", ".cgi")
_PAGE_STARTS: Final = (b"<!doctype html", b"<html")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A status and headers (names in lower case, sound lengths), and a way to read the raw body: ``b""`` at its end.

    ``hops`` are the redirects that led here. ``url`` is the last one, without what could be a secret in it.
    """

    status: int
    url: str
    headers: Mapping[str, str]
    read: Callable[[int], bytes]
    hops: tuple[Identifier, ...] = ()
    received: float = field(default_factory=time.time)

    @property
    def length(self) -> int | None:
        """The length of the body that follows, in bytes, where it is said."""
        text = self.headers.get("content-length")
        return None if text is None or self.chunked else int(text.partition(",")[0])

    @property
    def chunked(self) -> bool:
        """Whether the body's end is marked in itself."""
        return self.headers.get("transfer-encoding", "").strip().lower() == "chunked"

    @property
    def encoding(self) -> str:
        """The content encoding; empty for none."""
        text = self.headers.get("content-encoding", "").strip().lower()
        return "" if text == "identity" else text

    @property
    def media_type(self) -> str | None:
        """The media type, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower() or None

    @property
    def part(self) -> tuple[int, int] | None:
        """Start and total of a ``Content-Range`` that reaches to the end; ``None`` for any other."""
        match = _PART.match(self.headers.get("content-range", "").strip())
        if match is None:
            return None
        start, end, total = (int(group) for group in match.groups())
        return (start, total) if end == total - 1 else None

    @property
    def etag(self) -> str:
        """The entity tag if it is a strong one (equal tags, equal bytes), else empty."""
        tag = self.headers.get("etag", "").strip()
        return tag if tag.startswith('"') and tag.endswith('"') and len(tag) > 1 else ""

    @property
    def last_modified(self) -> str:
        """The date of the last change if it is strong: so far back that a later change has another date."""
        text = self.headers.get("last-modified", "").strip()
        changed, said = _seconds(text), _seconds(self.headers.get("date", ""))
        if changed is None or said is None or said - changed <= _STRONG_AGE:
            return ""
        return text

    @property
    def validators(self) -> dict[str, str]:
        """The strong validators there are."""
        return {name: value for name, value in (("etag", self.etag), ("last-modified", self.last_modified)) if value}

    @property
    def retry_after(self) -> float:
        """Seconds that the server asks to wait, 0 when it doesn't."""
        text = self.headers.get("retry-after", "").strip()
        if text.isascii() and text.isdigit():
            return float(text)
        until = _seconds(text)
        return max(0.0, until - self.received) if until is not None else 0.0


def failed(answer: Answer) -> FetchError:
    """The error that an answer's status means."""
    status = answer.status
    hint = None
    if status in _DENIED:
        hint = "it needs credentials, or is not for you"
    elif status in _MISSING:
        hint = "check the address"
    return FetchError(
        f"{answer.url} answered with status {status}",
        hint=hint,
        where=answer.url,
        transient=status in _TRANSIENT,
        status=status,
        identifier=answer.url,
        **({"retry_after": answer.retry_after} if answer.retry_after else {}),
    )


class Body:
    """The body in pieces: complete, decoded where need be, at a bearable rate, and no page in place of a file.

    Iterating raises ``FetchError`` when it can't be had whole.
    """

    def __init__(self, answer: Answer, context: FetchContext, asked: Identifier, *, resumed: bool) -> None:
        self._answer = answer
        self._context = context
        self._asked = asked
        self._resumed = resumed
        self.is_own_encoding = _is_own(answer, asked)

    def __iter__(self) -> Iterator[bytes]:
        pieces = self._pieces()
        if self._answer.encoding and not self.is_own_encoding:
            pieces = self._decoded(pieces)
        first = not self._resumed
        for piece in pieces:
            if first:
                self._refuse_page(piece)
                first = False
            yield piece

    def _pieces(self) -> Iterator[bytes]:
        context, answer = self._context, self._answer
        received, since, mark = 0, time.monotonic(), 0
        while True:
            if context.cancelled.is_set():
                raise FetchError("given up", where=answer.url)
            piece = answer.read(CHUNK)
            if not piece:
                break
            received += len(piece)
            now = time.monotonic()
            if now - since >= context.read_timeout:
                if received - mark < _SLOWEST * (now - since):
                    raise FetchError(f"{answer.url} has all but stopped sending", where=answer.url, transient=True)
                since, mark = now, received
            yield piece
        if answer.length is not None and received != answer.length:
            raise FetchError(
                f"{answer.url} broke off after {received} of {answer.length} bytes", where=answer.url, transient=True
            )

    def _decoded(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        encoding, url = self._answer.encoding, self._answer.url
        if encoding not in ("gzip", "x-gzip", "deflate"):
            raise FetchError(
                f"{url} sends the file encoded as {encoding!r}, though asked not to",
                hint="use another mirror of it",
                where=url,
            )
        decoder = _Inflater(encoding, url)
        for piece in pieces:
            yield from decoder.feed(piece)
        decoder.finish()

    def _refuse_page(self, piece: bytes) -> None:
        """A sign-in form or an error page that comes with status 200 is not the file."""
        answer = self._answer
        suffix = PurePosixPath(self._asked.name).suffix.lower()
        if answer.media_type not in ("text/html", "application/xhtml+xml") or suffix in _PAGES:
            return
        if piece[:1024].removeprefix(b"\xef\xbb\xbf").lstrip().lower().startswith(_PAGE_STARTS):
            raise FetchError(
                f"{answer.url} gave a web page in place of {self._asked.name}",
                hint="open the address in a browser: it may be a sign-in page, or a page about the file",
                where=str(self._asked),
                identifier=str(self._asked),
            )


class _Inflater:
    """gzip (any number of members) and deflate (with or without zlib's frame), checked to their end."""

    def __init__(self, encoding: str, url: str) -> None:
        self._gzip = encoding != "deflate"
        self._url = url
        self._taken = self._given = 0
        self._decoder = self._fresh(raw=False)
        self._begun = False

    def _fresh(self, *, raw: bool) -> zlib._Decompress:
        return zlib.decompressobj(31 if self._gzip else -15 if raw else 15)

    def feed(self, piece: bytes) -> Iterator[bytes]:
        self._taken += len(piece)
        while piece:
            if self._decoder.eof:
                if not self._gzip:
                    raise self._broken("has something after its end")
                self._decoder = self._fresh(raw=False)
            try:
                out = self._decoder.decompress(piece, CHUNK)
            except zlib.error as error:
                if self._gzip or self._begun:
                    raise self._broken("is damaged") from error
                self._decoder, self._begun = self._fresh(raw=True), True
                continue
            self._begun = True
            piece = self._decoder.unused_data if self._decoder.eof else self._decoder.unconsumed_tail
            self._given += len(out)
            if self._given > _BOMB_SIZE and self._given > _BOMB_RATIO * self._taken:
                raise PolicyError(f"{self._url} sends a little that unpacks to very much", where=self._url)
            if out:
                yield out

    def finish(self) -> None:
        if not self._decoder.eof:
            raise self._broken("breaks off")

    def _broken(self, what: str) -> FetchError:
        return FetchError(f"the encoded body of {self._url} {what}", where=self._url, transient=True)


def suggested_name(answer: Answer) -> str | None:
    """The base name in ``Content-Disposition``, made safe; ``None`` without one. Source: RFC 6266."""
    text = answer.headers.get("content-disposition", "")
    extended = re.search(r"filename\*\s*=\s*([\w-]+)'[^']*'([^;\s]+)", text, re.IGNORECASE)
    if extended is not None and extended.group(1).lower() in ("utf-8", "iso-8859-1"):
        name = unquote(extended.group(2), encoding=extended.group(1).lower(), errors="replace")
        return safe_name(name.replace("%", "%25"), default="") or None
    plain = re.search(r'filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]+))', text, re.IGNORECASE)
    if plain is None:
        return None
    name = re.sub(r"\\(.)", r"\1", plain.group(1)) if plain.group(1) is not None else plain.group(2)
    return safe_name(name.replace("%", "%25"), default="") or None


def _is_own(answer: Answer, asked: Identifier) -> bool:
    """Whether the encoding is the file's own compression, which belongs to its bytes."""
    suffixes = _OWN_SUFFIXES.get(answer.encoding, ())
    named = asked.name.lower().endswith(suffixes) if suffixes else False
    return bool(answer.encoding) and (named or answer.media_type in _OWN_TYPES)


def _seconds(text: str) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(text).timestamp() if text else None
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
