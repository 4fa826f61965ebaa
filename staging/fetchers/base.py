"""The fetcher contract: a fetcher knows one family of URI schemes, and nothing of plans or stores."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from staging.fingerprints import Fingerprint, Tree
from staging.identifiers import Identifier
from staging.plan import Kind
from staging.plugins import Registry
from staging.progress import Progress, Silent


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """What an identifier means right now.

    ``identifier`` always means the same from here on, as far as its scheme can promise that (a git ref became a
    commit).
    ``validators`` are the source's own marks of a version (``etag``, ``last-modified``, a local file's stat signature):
    while they are equal, so are the bytes. ``mutable`` says that the identifier *asked* may mean something else
    tomorrow.
    ``size`` in bytes and ``fingerprint`` where the source tells them beforehand.
    """

    identifier: Identifier
    hops: tuple[Identifier, ...] = ()
    validators: Mapping[str, str] = field(default_factory=dict)
    mutable: bool = True
    kind: Kind | None = None
    size: int | None = None
    fingerprint: Fingerprint | None = None
    licences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What was written to the target: its fingerprint was made of the very bytes that were written.

    ``tree`` is there for a folder. ``hops`` are further identifiers met on the way (redirects), ``name`` a base name
    the
    source suggests (``Content-Disposition``), ``validators`` the marks for the next time.
    """

    kind: Kind
    fingerprint: Fingerprint
    size: int
    tree: Tree | None = None
    hops: tuple[Identifier, ...] = ()
    validators: Mapping[str, str] = field(default_factory=dict)
    name: str | None = None
    media_type: str | None = None
    licences: tuple[str, ...] = ()


class Unchanged:
    """The source says that what the validators stand for is still what it has; nothing was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchContext:
    """What a fetcher may use of the world.

    ``partial`` is a folder, of this identifier alone and locked for the caller, that outlives a failed attempt: a
    fetcher
    may leave there what it needs to resume. ``cancelled`` is set when the caller has given up; a fetcher looks at it
    between chunks and raises ``FetchError``. Times are in seconds.
    """

    partial: Path
    progress: Progress = field(default_factory=Silent)
    key: str = ""
    cancelled: threading.Event = field(default_factory=threading.Event)
    connect_timeout: float = 10.0
    read_timeout: float = 30.0
    retries: int = 4
    expected_size: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


class Fetcher(Protocol):
    """From an identifier to bytes. One instance serves one stage, from several threads at once."""

    def pin(self, identifier: Identifier, context: FetchContext) -> Pin:
        """Say what the identifier means now. Cheap: no more than one small question to the source.

        Raises:
            FetchError: there is no such thing, or the source doesn't answer.
        """

    def survey(self, pin: Pin, context: FetchContext) -> Pin:
        """Add what can be learnt of size and version without the bytes; the pin itself when nothing can."""

    def fetch(self, pin: Pin, into: Path, context: FetchContext, known: Mapping[str, str]) -> Fetched | Unchanged:
        """Write the bytes to ``into`` (a path that does not exist yet), hashing them on the way.

        ``known`` are the validators of a copy the caller has: when they still hold, nothing need be written.
        On failure nothing is left at ``into``.

        Raises:
            FetchError: the bytes could not be had whole.
            PolicyError: the source wants something unsafe.
        """


FETCHERS: Registry[Fetcher] = Registry("wfexs_like.fetchers", what="fetcher for")
