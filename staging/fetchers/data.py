"""Content inside its own identifier (``data:``). Source: RFC 2397."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import unquote_to_bytes

from staging.errors import FetchError
from staging.fetchers.base import FetchContext, Fetched, Pin, Unchanged
from staging.fingerprints import Fingerprint
from staging.identifiers import Identifier
from staging.plan import Kind
from staging.streams import Sink

DEFAULT_MEDIA_TYPE: Final = "text/plain;charset=US-ASCII"


class DataFetcher:
    """Fetches ``data:`` identifiers: all that there is to know of one stands in it, so its digest is promised."""

    def pin(self, identifier: Identifier, context: FetchContext) -> Pin:  # noqa: ARG002 - the protocol's
        """The same identifier, which can't mean anything else, with size and fingerprint."""
        _, content = decode(identifier)
        return Pin(
            identifier=identifier,
            mutable=False,
            kind=Kind.FILE,
            size=len(content),
            fingerprint=Fingerprint.of_bytes(content),
        )

    def survey(self, pin: Pin, context: FetchContext) -> Pin:  # noqa: ARG002 - the protocol's
        """The pin itself."""
        return pin

    def fetch(
        self,
        pin: Pin,
        into: Path,
        context: FetchContext,
        known: Mapping[str, str],  # noqa: ARG002 - the protocol's
    ) -> Fetched | Unchanged:
        """Write the content; see ``Fetcher.fetch``."""
        media_type, content = decode(pin.identifier)
        if context.cancelled.is_set():
            raise FetchError("given up")
        with Sink(into) as sink:
            sink.write(content)
        context.progress.advance(context.key, len(content), len(content))
        return Fetched(kind=Kind.FILE, fingerprint=sink.fingerprint, size=sink.size, media_type=media_type)


def decode(identifier: Identifier) -> tuple[str, bytes]:
    """The media type and the bytes of a ``data:`` identifier.

    White space within base64 is skipped and its padding may be missing, as browsers have it.

    Raises:
        FetchError: it has no comma, or its base64 is not base64.
    """
    head, comma, text = identifier.body.partition(",")
    where = str(identifier)[:80]
    if not comma:
        raise FetchError(
            "the data identifier has no comma before its content",
            hint="data:,text or data:;base64,dGV4dA==",
            where=where,
        )
    content = unquote_to_bytes(text)
    media_type, mark, last = head.rpartition(";")
    if last.lower() != "base64" or not mark:
        return _media_type(head), content
    packed = b"".join(content.split())
    try:
        content = base64.b64decode(packed + b"=" * (-len(packed) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise FetchError("the data identifier's base64 is not valid", where=where) from error
    return _media_type(media_type), content


def _media_type(text: str) -> str:
    if not text:
        return DEFAULT_MEDIA_TYPE
    return f"text/plain{text}" if text.startswith(";") else text
