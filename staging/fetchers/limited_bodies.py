"""Limited bodies: what a server sends, read no further than what it may send."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from staging.errors import DigestError, FetchError
from staging.fetchers.base import FetchContext
from staging.fetchers.http_answers import Answer, Body
from staging.identifiers import Identifier

_OK: Final = 200


def read_small(answer: Answer, context: FetchContext, asked: Identifier, limit: int) -> bytes:
    """The whole body, if it has no more than ``limit`` bytes.

    Raises:
        FetchError: it has more, or can't be had whole.
    """
    pieces, size = [], 0
    for piece in Body(answer, context, asked, resumed=False):
        size += len(piece)
        if size > limit:
            raise FetchError(f"{answer.url} sends more than {limit} bytes where a few are due", where=answer.url)
        pieces.append(piece)
    return b"".join(pieces)


def bounded(answer: Answer, size: int, what: str) -> Answer:
    """The same answer, which may not give more than ``size`` bytes.

    Raises:
        DigestError: at once when it announces another length, else when it has given more.
    """
    left = size

    def fail(actual: object) -> DigestError:
        return DigestError(
            f"{what} has {actual} bytes, its image says {size}",
            hint="the registry has a damaged or forged image: don't use it",
            where=what,
            identifier=what,
            expected=size,
        )

    def read(amount: int) -> bytes:
        nonlocal left
        piece = answer.read(amount)
        left -= len(piece)
        if left < 0:
            raise fail("more")
        return piece

    if answer.status == _OK and answer.length not in (None, size):
        raise fail(answer.length)
    return replace(answer, read=read)
