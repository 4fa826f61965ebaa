"""Canaries: texts that must be found nowhere, and the byte strings that betray one of them.

A canary shows in clear, in hexadecimal digits, in base64 (at each of the three places that it can have in a group of
three bytes; RFC 4648), percent-encoded (RFC 3986), as JSON writes it (RFC 8259), and in UTF-16.
Digits and base64 may go on in the next line.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from staging.errors import UsageError

SHORTEST: Final = 8
"""Bytes of a canary: a shorter one is found by chance."""

_BASE64_STARTS: Final = (0, 2, 3)
"""How many characters at the start of a base64 text depend on 0, 1 and 2 foreign bytes before ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """A text that must not be found. ``name`` is what it is called in reports, which don't repeat the text itself."""

    name: str
    text: str

    def __post_init__(self) -> None:
        if len(self.text.encode(errors="surrogateescape")) < SHORTEST:
            raise UsageError(
                f"the canary {self.name!r} is too short: it would be found by chance",
                hint=f"take one of at least {SHORTEST} bytes",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Needle:
    """Bytes that betray a canary. ``form`` says how it is written there."""

    canary: str
    form: str
    data: bytes


def needles_of(canaries: Iterable[Canary]) -> tuple[Needle, ...]:
    """All that is to be looked for, each byte string once."""
    found: dict[bytes, Needle] = {}
    for canary in canaries:
        for form, data in _forms(canary.text):
            found.setdefault(data, Needle(canary=canary.name, form=form, data=data))
    return tuple(found.values())


def _forms(text: str) -> Iterator[tuple[str, bytes]]:
    clear = text.encode(errors="surrogateescape")
    yield "clear", clear
    yield "url", quote(clear, safe="").encode()
    yield "url", quote(clear, safe="/").encode()
    if json.dumps(text, ensure_ascii=False) != f'"{text}"' or not text.isascii():
        yield "json", json.dumps(text)[1:-1].encode()
    yield "hex", clear.hex().encode()
    yield "hex", clear.hex().upper().encode()
    for foreign, start in enumerate(_BASE64_STARTS):
        whole = (foreign + len(clear)) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield "base64", encode(b"\0" * foreign + clear)[start:whole]
    # Without its last byte the little-endian form of an ASCII text is found in the big-endian one too.
    yield "utf-16", text.encode("utf-16-le", errors="surrogatepass")[: -1 if text.isascii() else None]
    if not text.isascii():
        yield "utf-16", text.encode("utf-16-be", errors="surrogatepass")
