"""Obtaining one content: from the store when it is known there, else from its mirrors in turn; verified either way."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from staging.errors import DefinitionError, DigestError, Fault, FetchError, WfexsError, from_os_error
from staging.fetchers.base import FETCHERS, FetchContext, Fetched, Fetcher, Unchanged
from staging.fingerprints import Fingerprint
from staging.identifiers import Identifier
from staging.index import Asked, Origin
from staging.objects import Stored, User
from staging.obtained import (
    LOCAL,
    Obtained,
    Request,
    check_fetched,
    check_size,
    from_fetched,
    from_origin,
    is_at_hand,
    is_kind,
    is_still,
    most_telling,
    origin_of,
)
from staging.placing import make_folders
from staging.plan import Kind
from staging.progress import Progress
from staging.removing import remove_path
from staging.store import ContentStore


@dataclass(slots=True, kw_only=True)
class Obtainer:
    """Obtains the contents of one stage, from several threads at once.

    ``remembered`` is what the index knew of the identifiers when the stage began: an entry that is another one later
    was written by a stager that asked the source in the meantime, and needs no second question.
    """

    store: ContentStore
    user: User
    progress: Progress
    environment: Mapping[str, str]
    cancelled: threading.Event
    remembered: dict[str, Asked] = field(default_factory=dict)
    _fetchers: dict[str, Fetcher] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def remember(self, requests: Sequence[Request]) -> None:
        """Note what the index knows of the identifiers now."""
        self.remembered = self.store.index.asked([str(one) for request in requests for one in request.mirrors])

    # -- without the network -----------------------------------------------------------------------------------------

    def obtain_at_once(self, requests: Sequence[Request]) -> dict[str, Obtained]:
        """Those contents, by key, that the store has and whose source need not be asked (or is a local file)."""
        origins = self.store.index.origins([one.pinned for one in self.remembered.values()])
        candidates: dict[str, Obtained] = {}
        for request in requests:
            candidate = self._local(request, origins) if is_at_hand(request) else self._expected(request, origins)
            if candidate is not None:
                candidates[request.key] = candidate
        files = {one.stored.fingerprint.digest for one in candidates.values() if one.stored.kind is Kind.FILE}
        intact = self.store.claim(self.user, sorted(files))
        ready: dict[str, Obtained] = {}
        for key, candidate in candidates.items():
            if candidate.stored.kind is Kind.FILE:
                signature = intact.get(candidate.stored.fingerprint.digest)
                stored = replace(candidate.stored, size=signature.size) if signature else None
            else:
                stored = self._claim(candidate.stored.fingerprint, Kind.DIRECTORY)
            if stored is not None:
                ready[key] = replace(candidate, stored=stored)
        for request in requests:
            if request.key in ready:
                check_size(request, ready[request.key].stored.size, str(request.mirrors[0]))
        return ready

    def _expected(self, request: Request, origins: Mapping[str, Origin]) -> Obtained | None:
        """A candidate: the content of the digest that was stated."""
        fingerprint = request.sha256
        if fingerprint is None:
            return None
        for mirror in request.mirrors:
            asked = self.remembered.get(str(mirror))
            origin = origins.get(asked.pinned) if asked else None
            if origin is not None and origin.fingerprint == fingerprint:
                return from_origin(request, mirror, origin)
        kind = request.kind or (Kind.FILE if self.store.has_file(fingerprint) else Kind.DIRECTORY)
        return Obtained(
            stored=Stored(kind=kind, fingerprint=fingerprint, size=0),
            pinned=str(request.mirrors[0]),
            cached=True,
        )

    def _local(self, request: Request, origins: Mapping[str, Origin]) -> Obtained | None:
        """A candidate: a local file that is, by its signature, still the one that was fetched."""
        mirror = request.mirrors[0]
        asked = self.remembered.get(str(mirror))
        origin = origins.get(asked.pinned) if asked else None
        if origin is None or not is_kind(request, origin.kind):
            return None
        if request.sha256 not in (None, origin.fingerprint):
            return None
        try:
            pin = self.fetcher(mirror).pin(mirror, self.context(request, mirror))
        except FetchError:
            return None
        return from_origin(request, mirror, origin) if is_still(pin, origin) else None

    # -- one content, whatever it takes ------------------------------------------------------------------------------

    def obtain(self, request: Request) -> Obtained:
        """The content, by its digest from the store or from the first mirror that gives it.

        Raises:
            DigestError: the bytes are not those that were promised, or a damaged object can't be fetched again.
            FetchError: no mirror gives it.
            DefinitionError: it is a folder where a file is wanted, or the other way round.
        """
        failures: list[WfexsError] = []
        for number, mirror in enumerate(request.mirrors, 1):
            try:
                return self._from_mirror(request, mirror)
            except (FetchError, DigestError) as error:
                failures.append(error)
                if self.cancelled.is_set():
                    raise
                if number < len(request.mirrors):
                    self.progress.say(f"{request.label}: {error.message}; trying {request.mirrors[number]}")
        return self._fall_back(request, failures)

    def fetch_into(self, request: Request, target: Path, partial: Path) -> Obtained:
        """Fetch straight to ``target``, past the store; nothing of it is remembered."""
        failures: list[WfexsError] = []
        for mirror in request.mirrors:
            fetcher, context = self.fetcher(mirror), self.context(request, mirror, partial)
            try:
                partial.mkdir(parents=True, exist_ok=True)
                pin = fetcher.pin(mirror, context)
                fetched = fetcher.fetch(pin, target, context, {})
                if isinstance(fetched, Unchanged):
                    raise FetchError(f"{mirror} gave no bytes")
                try:
                    check_fetched(request, fetched, mirror)
                except WfexsError:
                    remove_path(target)
                    raise
            except (FetchError, DigestError) as error:
                failures.append(error)
                continue
            except OSError as error:
                raise from_os_error(error, f"fetch {mirror}") from error
            finally:
                remove_path(partial)
            return from_fetched(request, mirror, pin, fetched)
        raise most_telling(failures)

    def _from_mirror(self, request: Request, mirror: Identifier) -> Obtained:
        text = str(mirror)
        with self.store.locks.hold(
            self.store.identifier_lock(text),
            cancelled=self.cancelled,
            waiting=lambda: self.progress.say(f"{request.label}: waiting for another process that fetches {text}"),
            what=text,
        ):
            asked = self.store.index.asked([text]).get(text)
            if asked is not None and asked != self.remembered.get(text):
                # Somebody asked the source since this stage began.
                known, stored = self._known(request, asked.pinned)
                if known is not None and stored is not None:
                    check_size(request, stored.size, text)
                    return replace(from_origin(request, mirror, known), stored=stored)
            try:
                return self._ask(request, mirror, asked)
            except OSError as error:
                raise from_os_error(error, f"fetch {text}") from error

    def _ask(self, request: Request, mirror: Identifier, asked: Asked | None) -> Obtained:
        fetcher, context = self.fetcher(mirror), self.context(request, mirror)
        pin = fetcher.pin(mirror, context)
        before = self.store.index.origins([asked.pinned]).get(asked.pinned) if asked is not None else None
        known, stored = self._known(request, str(pin.identifier))
        if known is not None and stored is not None and is_still(pin, known):
            if asked is None or asked.pinned != known.identifier:
                self.store.index.learn({str(mirror): known})
            return replace(from_origin(request, mirror, known), stored=stored, mutable=pin.mutable)
        if mirror.scheme not in LOCAL:
            make_folders(context.partial)
        with self.store.workspace.temporary() as into:
            try:
                fetched = fetcher.fetch(pin, into, context, known.validators if known and stored else {})
            finally:
                with contextlib.suppress(OSError):
                    context.partial.rmdir()  # when nothing was left in it
            if isinstance(fetched, Unchanged):
                if known is None or stored is None:
                    raise FetchError(f"{mirror} says that nothing changed, but there is no copy of it")
                self.store.index.learn({str(mirror): known})
                remove_path(context.partial)
                return replace(from_origin(request, mirror, known), stored=stored, mutable=pin.mutable)
            check_fetched(request, fetched, mirror)
            obtained = from_fetched(request, mirror, pin, fetched)
            self._commit(into, fetched, obtained)
            self.store.index.learn({str(mirror): origin_of(request, pin, fetched)})
        if mirror.scheme not in LOCAL:
            remove_path(context.partial)
        changed = before is not None and before.fingerprint != fetched.fingerprint
        return replace(obtained, before=before if changed else None)

    def _commit(self, into: Path, fetched: Fetched, obtained: Obtained) -> None:
        self.store.index.use(self.user.home, self.user.workdir, obtained.stored.names())
        if fetched.tree is not None:
            self.store.commit_tree(into, fetched.tree)
        else:
            self.store.commit_file(into, fetched.fingerprint)

    def _known(self, request: Request, pinned: str) -> tuple[Origin | None, Stored | None]:
        """What the store has from that identifier, when it is what the request wants."""
        origin = self.store.index.origins([pinned]).get(pinned)
        if origin is None or not is_kind(request, origin.kind):
            return None, None
        if request.sha256 is not None and request.sha256 != origin.fingerprint:
            return None, None
        return origin, self._claim(origin.fingerprint, origin.kind)

    def _claim(self, fingerprint: Fingerprint, kind: Kind) -> Stored | None:
        stored = self.store.lookup(fingerprint, kind)
        if stored is None:
            return None
        names = stored.names()
        return stored if len(self.store.claim(self.user, names)) == len(names) else None

    def context(self, request: Request, mirror: Identifier, partial: Path | None = None) -> FetchContext:
        """What a fetcher may use when it fetches for that request."""
        return FetchContext(
            partial=partial or self.store.partial(str(mirror)),
            progress=self.progress,
            key=request.key,
            cancelled=self.cancelled,
            expected_size=request.size,
            environment=self.environment,
        )

    def fetcher(self, identifier: Identifier) -> Fetcher:
        """The fetcher for that scheme; one instance serves all threads."""
        with self._guard:
            known = self._fetchers.get(identifier.scheme)
            if known is None:
                known = self._fetchers[identifier.scheme] = FETCHERS.load(identifier.scheme)()
            return known

    # -- when every mirror failed ------------------------------------------------------------------------------------

    def _fall_back(self, request: Request, failures: Sequence[WfexsError]) -> Obtained:
        failure = most_telling(failures)
        if isinstance(failure, DigestError):
            raise failure
        self._refuse_damaged(request, request.sha256, failure)
        for mirror in request.mirrors:
            asked = self.store.index.asked([str(mirror)]).get(str(mirror))
            if asked is None:
                continue
            origin, stored = self._known(request, asked.pinned)
            if origin is None:
                continue
            if stored is None:
                self._refuse_damaged(request, origin.fingerprint, failure)
                continue
            if all(isinstance(one, FetchError) and one.transient for one in failures):
                self.progress.say(
                    f"{request.label}: {failure.message}; using the copy fetched from there on {origin.fetched}"
                )
                return replace(from_origin(request, mirror, origin), stored=stored)
            raise type(failure)(
                failure.message,
                where=failure.where,
                hint=f"the store has a copy, fetched on {origin.fetched}: to use it, state its sha256 in "
                f"the stage file ({origin.fingerprint.digest})",
                **failure.fields,
            ) from failure
        raise failure

    def _refuse_damaged(self, request: Request, fingerprint: Fingerprint | None, failure: WfexsError) -> None:
        actual = self.store.damaged.get(fingerprint.digest) if fingerprint is not None else None
        if fingerprint is None or actual is None:
            return
        raise DigestError(
            f"the store's copy of {request.mirrors[0]} is damaged (its sha256 is {actual} instead of "
            f"{fingerprint.digest}) and can't be fetched again: {failure.message}",
            hint="the damaged copy was put into quarantine; stage again when the source can be reached",
            where=request.where or None,
            identifier=str(request.mirrors[0]),
            expected=fingerprint.digest,
            actual=actual,
        ) from failure


def check_schemes(requests: Sequence[Request]) -> None:
    """Refuse identifiers that nobody can fetch, all at once.

    Raises:
        DefinitionError: a fault for each.
    """
    known = FETCHERS.names()
    unknown = [(one, mirror) for one in requests for mirror in one.mirrors if mirror.scheme not in known]
    if not unknown:
        return
    schemes = ", ".join(dict.fromkeys(repr(mirror.scheme) for _, mirror in unknown))
    raise DefinitionError(
        tuple(
            Fault(file="stage file", where=one.where or one.label, message=f"nothing can fetch {str(mirror)!r}")
            for one, mirror in unknown
        ),
        message=f"nothing can fetch the scheme {schemes}",
        hint=f"known schemes: {', '.join(known)}",
    )
