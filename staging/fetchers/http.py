"""Files over HTTP (``http:``, ``https:``): whole, as the server has them, or not at all.

What is refused: a body shorter or longer than announced, a part that doesn't fit the part before it, any status but
200 (or 206 to a resumed request), an HTML page where a file of another kind was asked for, and redirects that lead to
a less safe place. What fails for the network's sake is tried again, and goes on where it stopped when the server has a
strong validator for it.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from staging.errors import FetchError
from staging.fetchers.base import FetchContext, Fetched, Pin, Unchanged
from staging.fetchers.http_answers import failed
from staging.fetchers.http_client import Client
from staging.fetchers.http_download import OK, Download
from staging.identifiers import Identifier
from staging.plan import Kind
from staging.retries import Patience

_GONE: Final = (404, 410)


class HttpFetcher:
    """Fetches ``http:`` and ``https:`` identifiers. Each thread has a session, and so connections, of its own."""

    def __init__(self) -> None:
        self._local = threading.local()

    def pin(self, identifier: Identifier, context: FetchContext) -> Pin:  # noqa: ARG002 - the protocol's
        """The identifier itself: what it means today is only known with the bytes."""
        return Pin(identifier=replace(identifier, fragment=""), kind=Kind.FILE)

    def survey(self, pin: Pin, context: FetchContext) -> Pin:
        """Ask for size and version (``HEAD``); the pin itself when the server doesn't tell.

        Raises:
            FetchError: the server says that there is no such thing, or doesn't answer.
            PolicyError: a redirect leads to a less safe place.
        """
        patience = Patience(context)
        while True:
            try:
                with self._client().request("HEAD", pin.identifier, {}, context, patience) as answer:
                    if answer.status in _GONE:
                        raise failed(answer)
                    if answer.status != OK:
                        return pin
                    size = None if answer.encoding else answer.length
                    return replace(pin, hops=answer.hops, size=size, validators=answer.validators)
            except FetchError as error:
                patience.pause(error)

    def fetch(self, pin: Pin, into: Path, context: FetchContext, known: Mapping[str, str]) -> Fetched | Unchanged:
        """Write the body to ``into``, resuming what an earlier attempt or process left; see ``Fetcher.fetch``.

        A body that comes compressed although none was asked for is decoded, and its digest is that of the decoded
        bytes; unless the compression is the file's own (``x.gz`` sent with ``Content-Encoding: gzip``).

        Raises:
            FetchError: the bytes can't be had whole.
            PolicyError: a redirect leads to a less safe place.
        """
        client, patience = self._client(), Patience(context)
        download = Download(
            lambda headers: client.request("GET", pin.identifier, headers, context, patience),
            pin.identifier,
            context,
            known,
            patience,
        )
        try:
            return download.run(into)
        finally:
            download.close()

    def _client(self) -> Client:
        client: Client | None = getattr(self._local, "client", None)
        if client is None:
            client = self._local.client = Client()
        return client
