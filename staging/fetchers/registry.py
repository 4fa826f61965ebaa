"""Container images from registries, in parts: manifests (``docker:``) and blobs (``oci-blob:``), by digest.

``docker://HOST/REPOSITORY:TAG#os/architecture`` is the manifest of one platform; a list of manifests on the way to it
is a hop. ``oci-blob://HOST/REPOSITORY@sha256:HEX`` is a config or a layer. Whatever is stated by digest is checked
against the bytes, and what a registry calls the digest of a manifest too.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeVar

from staging.errors import ContainerError, DigestError, FetchError, from_os_error
from staging.fetchers.base import FetchContext, Fetched, Pin, Unchanged
from staging.fetchers.http_answers import Answer
from staging.fetchers.http_download import Download
from staging.fetchers.limited_bodies import bounded, read_small
from staging.fetchers.registry_client import GIVING, OK, Place, RegistryClient
from staging.fingerprints import Fingerprint
from staging.identifiers import Identifier
from staging.images.manifest import ACCEPTED, INDEXES, MANIFESTS, MAX_MANIFEST, OLD_MANIFESTS, Index, read_manifest
from staging.images.platforms import Platform
from staging.images.reference import BLOB_SCHEME, ImageReference
from staging.plan import Kind
from staging.retries import Patience

MAX_DEPTH: Final = 3
"""Lists of manifests in lists of manifests; nobody makes more than one of them."""

_ACCEPT: Final = {"Accept": ", ".join(ACCEPTED)}
_DIGEST: Final = re.compile(r"sha256:([0-9a-f]{64})")
_TRIES: Final = 2
_TELLING_LITTLE: Final = (400, 404, 405, 501)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What a registry has under a reference; ``content`` is there when it was asked for."""

    digest: str
    media_type: str | None
    size: int | None
    content: bytes | None = None


class RegistryFetcher:
    """Fetches ``docker:`` and ``oci-blob:`` identifiers."""

    def __init__(self) -> None:
        self._known_client: RegistryClient | None = None
        self._contents: dict[str, bytes] = {}

    def pin(self, identifier: Identifier, context: FetchContext) -> Pin:
        """The manifest's digest for the platform that is asked for (by default this machine's).

        Raises:
            FetchError: there is no such image or tag, no access, or no answer.
            ContainerError: it is not made for that platform, or is no image.
            DigestError: bytes are not those of the digest that was stated.
        """
        reference, wish = ImageReference.of_identifier(identifier)
        if identifier.scheme == BLOB_SCHEME:
            assert reference.digest is not None, "a blob has a digest"
            return Pin(
                identifier=reference.blob(reference.digest),
                mutable=False,
                kind=Kind.FILE,
                fingerprint=Fingerprint(digest=reference.digest),
            )
        platform = Platform.parse(wish) if wish else Platform.of_this_machine()
        with _about(reference):
            found, hops = self._resolve(reference, platform, context)
        return Pin(
            identifier=reference.at(found.digest).identifier(),
            hops=tuple(reference.at(one).identifier() for one in hops),
            validators={"digest": f"sha256:{found.digest}"},
            mutable=reference.digest is None,
            kind=Kind.FILE,
            size=found.size,
            fingerprint=Fingerprint(digest=found.digest),
        )

    def survey(self, pin: Pin, context: FetchContext) -> Pin:
        """Ask how big a blob is; of a manifest it is known.

        Raises:
            FetchError: there is no such thing, or no answer.
        """
        if pin.identifier.scheme != BLOB_SCHEME or pin.size is not None:
            return pin
        reference, _ = ImageReference.of_identifier(pin.identifier)

        def ask(place: Place, context: FetchContext) -> int | None:
            return self._asked("HEAD", place, {}, context, lambda answer: None if answer.encoding else answer.length)

        return replace(pin, size=self._client(context).first_of(reference, _blob(reference), context, ask))

    def fetch(self, pin: Pin, into: Path, context: FetchContext, known: Mapping[str, str]) -> Fetched | Unchanged:
        """Write a manifest or a blob to ``into``; a blob goes on where an earlier attempt stopped.

        Raises:
            FetchError: it can't be had whole. DigestError: the bytes are others. PolicyError: a less safe place.
            ContainerError: the manifest is none of an image.
        """
        reference, _ = ImageReference.of_identifier(pin.identifier)
        assert reference.digest is not None, "what is fetched has been pinned"
        if known.get("digest") == f"sha256:{reference.digest}":
            return Unchanged()
        if pin.identifier.scheme == BLOB_SCHEME:
            return self._fetch_blob(reference, into, context)
        content = self._contents.pop(reference.digest, None)
        if content is None:
            with _about(reference):
                content = self._manifest(reference, context).content or b""
        if isinstance(read_manifest(content, str(reference)), Index):
            raise ContainerError(f"{reference} is a list of images, not one", where=str(reference))
        if context.cancelled.is_set():
            raise FetchError("given up", where=str(reference))
        try:
            descriptor = os.open(into, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content)
        except OSError as error:
            raise from_os_error(error, "write") from error
        context.progress.advance(context.key, len(content), len(content))
        return _fetched(reference.digest, len(content))

    # -- manifests ---------------------------------------------------------------------------------------------------

    def _resolve(
        self, reference: ImageReference, platform: Platform, context: FetchContext
    ) -> tuple[_Found, tuple[str, ...]]:
        """The manifest for the platform, and the digests of the lists that led to it."""
        hops: list[str] = []
        asked = reference
        while True:
            # A tag may mean what is here already: its digest is asked for first, which costs next to nothing.
            found = self._head(asked, context) if asked.digest is None else None
            if found is not None and found.media_type in MANIFESTS:
                return found, tuple(hops)
            listed = found is not None and found.media_type in INDEXES
            found = self._manifest(asked.at(found.digest) if found is not None and listed else asked, context)
            content = found.content or b""
            manifest = read_manifest(content, str(reference), found.media_type)
            if not isinstance(manifest, Index):
                self._contents[found.digest] = content
                return found, tuple(hops)
            if len(hops) == MAX_DEPTH:
                raise ContainerError(
                    f"the image {reference} is a list of lists of lists, without an end", where=str(reference)
                )
            hops.append(found.digest)
            entry = manifest.choose(platform, str(reference))
            if entry.media_type in MANIFESTS:
                return _Found(digest=entry.digest, media_type=entry.media_type, size=entry.size), tuple(hops)
            asked = reference.at(entry.digest)

    def _head(self, reference: ImageReference, context: FetchContext) -> _Found | None:
        """What the registry tells of a tag without its manifest; ``None`` where it tells too little."""

        def take(answer: Answer) -> _Found | None:
            digest = _DIGEST.fullmatch(answer.headers.get("docker-content-digest", ""))
            if digest is None:
                return None
            return _Found(digest=digest.group(1), media_type=answer.media_type, size=answer.length)

        def ask(place: Place, context: FetchContext) -> _Found | None:
            try:
                return self._asked("HEAD", place, _ACCEPT, context, take)
            except FetchError as error:
                # Only an answer with a body tells what exactly is missing; some registries know no such question.
                if error.fields.get("status") in _TELLING_LITTLE:
                    return None
                raise

        return self._client(context).first_of(reference, f"manifests/{reference.tag}", context, ask)

    def _manifest(self, reference: ImageReference, context: FetchContext) -> _Found:
        name = f"sha256:{reference.digest}" if reference.digest is not None else reference.tag

        def take(answer: Answer) -> tuple[Answer, bytes]:
            return answer, read_small(answer, context, reference.identifier(), MAX_MANIFEST)

        def ask(place: Place, context: FetchContext) -> _Found:
            answer, content = self._asked("GET", place, _ACCEPT, context, take)
            said = _DIGEST.fullmatch(answer.headers.get("docker-content-digest", ""))
            if said is None and content.lstrip()[:1] == b"<":
                raise FetchError(
                    f"{place.endpoint.host} is no registry: it gives a web page where the manifest of {reference} "
                    "belongs",
                    hint="check the image's host and name, or whether a proxy answers in the registry's place",
                    where=str(reference),
                    image=str(reference),
                    registry=place.endpoint.host,
                )
            if answer.media_type in OLD_MANIFESTS:
                # Its digest is not that of its bytes: say what it is instead.
                read_manifest(content, str(reference), answer.media_type)
            actual = hashlib.sha256(content).hexdigest()
            for who, expected in (
                ("it was asked for by", reference.digest),
                ("the registry says", said and said.group(1)),
            ):
                if expected is not None and expected != actual:
                    raise _other_bytes(f"the manifest of {reference}", who, expected, actual)
            return _Found(digest=actual, media_type=answer.media_type, size=len(content), content=content)

        return self._client(context).first_of(reference, f"manifests/{name}", context, ask)

    # -- blobs -------------------------------------------------------------------------------------------------------

    def _fetch_blob(self, reference: ImageReference, into: Path, context: FetchContext) -> Fetched:
        def ask(place: Place, context: FetchContext) -> Fetched:
            for left in reversed(range(_TRIES)):
                fetched = self._download(place, into, context)
                actual = fetched.fingerprint.digest
                if actual == reference.digest:
                    return _fetched(actual, fetched.size)
                into.unlink()
                error = _other_bytes(
                    f"the blob that {place.endpoint.host} gave for {reference}",
                    "it was asked for by",
                    str(reference.digest),
                    actual,
                )
                if not left:
                    raise error
                context.progress.say(f"{error.message}; trying again")
            raise AssertionError("the last try returns or raises")

        return self._client(context).first_of(reference, _blob(reference), context, ask)

    def _download(self, place: Place, into: Path, context: FetchContext) -> Fetched:
        patience = Patience(context)
        client = self._client(context)
        identifier = place.reference.blob(str(place.reference.digest))

        @contextmanager
        def ask(headers: Mapping[str, str]) -> Iterator[Answer]:
            with client.ask("GET", place, headers, context, patience) as answer:
                if answer.status not in GIVING:
                    raise client.refused(answer, place)
                size = context.expected_size
                yield answer if size is None else bounded(answer, size, str(identifier))

        download = Download(ask, identifier, context, {}, patience)
        try:
            fetched = download.run(into)
        finally:
            download.close()
        assert isinstance(fetched, Fetched), "no version was told that could be unchanged"
        return fetched

    # -- asking ------------------------------------------------------------------------------------------------------

    def _client(self, context: FetchContext) -> RegistryClient:
        client = self._known_client
        if client is None or client.environment != context.environment:
            client = self._known_client = RegistryClient(context.environment)
        return client

    def _asked(
        self, method: str, place: Place, headers: Mapping[str, str], context: FetchContext, take: Callable[[Answer], T]
    ) -> T:
        """What ``take`` makes of a good answer; after a passing trouble it is asked for again.

        Raises:
            FetchError: the answer is none, or no good one.
        """
        client, patience = self._client(context), Patience(context)
        while True:
            try:
                with client.ask(method, place, headers, context, patience) as answer:
                    if answer.status != OK:
                        raise client.refused(answer, place)
                    return take(answer)
            except FetchError as error:
                after = error.fields.get("retry_after")
                patience.pause(error, at_least=after if isinstance(after, float) else 0.0)


@contextmanager
def _about(reference: ImageReference) -> Iterator[None]:
    """A registry that doesn't answer: say which image it was asked for, and what may be the matter.

    Raises:
        FetchError: the same one.
    """
    try:
        yield
    except FetchError as error:
        if error.transient:
            error.fields.setdefault("image", str(reference))
            error.hint = error.hint or (
                f"see whether {reference.host} is the registry that is meant, runs, and can be reached from here "
                "(a proxy is taken from HTTPS_PROXY)"
            )
        raise


def _blob(reference: ImageReference) -> str:
    return f"blobs/sha256:{reference.digest}"


def _fetched(digest: str, size: int) -> Fetched:
    """What was fetched. Where redirects led is no part of it: they are signed for one hour and one reader."""
    return Fetched(
        kind=Kind.FILE,
        fingerprint=Fingerprint(digest=digest),
        size=size,
        validators={"digest": f"sha256:{digest}"},
    )


def _other_bytes(what: str, who: str, expected: str, actual: str) -> DigestError:
    return DigestError(
        f"{what} has the sha256 {actual}, {who} {expected}",
        hint="the registry, a mirror of it or somebody in between changed it: don't use it",
        where=what,
        expected=expected,
        actual=actual,
    )
