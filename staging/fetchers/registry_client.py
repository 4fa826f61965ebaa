"""Talking to registries: the Distribution API's addresses, tokens and passwords, mirrors, and errors put into words.

A credential or token goes to the registry (or the token service that it names) it was made for, and nowhere else; none
is ever part of a message.
Source: OCI Distribution Specification 1.1; docker-docs "Token Authentication Specification".
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar
from urllib.parse import urlencode, urlsplit

from staging.errors import DigestError, FetchError, PolicyError
from staging.fetchers.base import FetchContext
from staging.fetchers.hosts import is_inside, is_this_machine
from staging.fetchers.http_answers import Answer, failed
from staging.fetchers.http_client import Belief, Client
from staging.fetchers.limited_bodies import read_small
from staging.identifiers import Identifier, IdentifierError
from staging.images.credentials import Credential, find_credential
from staging.images.reference import DEFAULT_HOST, DEFAULT_TAG, ImageReference
from staging.images.registries import Endpoint, Registries
from staging.retries import Patience

OK: Final = 200
BAD_REQUEST: Final = 400
UNAUTHORIZED: Final = 401
FORBIDDEN: Final = 403
MISSING: Final = 404
TOO_MANY: Final = 429
GIVING: Final = (OK, 206, 304, 416)
"""Statuses that a download makes sense of."""

_WITH_CONTENT: Final = (OK, 206)
_MAX_SMALL: Final = 1 << 20
_CHALLENGE: Final = re.compile(r"(?:^|,)\s*(Bearer|Basic)(?:\s+|$)", re.IGNORECASE)
_PARAMETER: Final = re.compile(r'([A-Za-z]+)\s*=\s*(?:"([^"]*)"|([^",\s]+))')
_CODE: Final = re.compile(r"[A-Z_]{1,40}")

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One endpoint of an image's registry, and what is asked of it there: ``path`` follows ``/v2/REPOSITORY/``."""

    endpoint: Endpoint
    reference: ImageReference
    path: str

    @property
    def repository(self) -> str:
        """The repository's name at that endpoint."""
        return self.endpoint.repository(self.reference.repository)


_warned: set[str] = set()
"""What was said once of the places of credentials; clients come and go."""


class RegistryClient:
    """Asks registries, for one stage, from several threads at once. ``environment`` is the user's."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = dict(environment)
        self._registries = Registries(environment)
        self._beliefs: dict[str, Belief] = {}
        self._schemes: dict[str, str] = {}
        self._authorised: dict[tuple[str, str], str] = {}
        self._credentials: dict[tuple[str, str], Credential | None] = {}
        self._dead: set[str] = set()
        self._guard = threading.Lock()
        self._local = threading.local()

    def first_of(
        self, reference: ImageReference, path: str, context: FetchContext, ask: Callable[[Place, FetchContext], T]
    ) -> T:
        """What ``ask`` has from the first place that gives it: the registry's mirrors, then itself.

        A mirror is asked but once, and no more where it didn't answer: there is always another place.

        Raises:
            FetchError, DigestError: none does; what the last one said.
        """
        *mirrors, last = self._registries.endpoints(reference.host)
        for mirror in mirrors:
            if mirror.host in self._dead:
                continue
            try:
                return ask(Place(endpoint=mirror, reference=reference, path=path), replace(context, retries=0))
            except (FetchError, DigestError) as error:
                if context.cancelled.is_set():
                    raise
                if isinstance(error, FetchError) and error.transient:
                    self._dead.add(mirror.host)
                context.progress.say(f"{reference}: {error.message}; trying the next place")
        return ask(Place(endpoint=last, reference=reference, path=path), context)

    @contextmanager
    def ask(
        self, method: str, place: Place, headers: Mapping[str, str], context: FetchContext, patience: Patience
    ) -> Iterator[Answer]:
        """Ask that place, signing in where it wants that; the body can be read within the ``with`` block.

        Raises:
            FetchError: no answer, no access, or content that is encoded.
            PolicyError: the registry leads to a less safe place.
        """
        key = (place.endpoint.host, place.repository)
        with ExitStack() as stack:

            def send(authorization: str | None) -> Answer:
                return self._send(
                    stack,
                    method,
                    place,
                    headers=headers,
                    authorization=authorization,
                    context=context,
                    patience=patience,
                )

            said = self._authorised.get(key)
            answer = send(said)
            if answer.status == UNAUTHORIZED:
                challenge = answer.headers.get("www-authenticate", "")
                with self._guard:
                    signed = self._authorised.get(key)
                    if signed is None or signed == said:
                        signed = self._sign_in(place, challenge, context, patience)
                if signed is not None:
                    stack.close()
                    self._authorised[key] = signed
                    answer = send(signed)
            if answer.encoding and answer.status in _WITH_CONTENT:
                raise FetchError(
                    f"the registry {place.endpoint.host} sends {place.reference} encoded as {answer.encoding!r}, "
                    "though asked not to",
                    hint="its digest is that of other bytes: the registry, or a proxy before it, has to be mended",
                    where=str(place.reference),
                )
            yield answer

    def refused(self, answer: Answer, place: Place) -> FetchError:
        """The error that a status means. Reads a part of the body, which may say more."""
        reference, host = place.reference, place.endpoint.host
        status = answer.status
        known: dict[str, Any] = {"image": str(reference), "registry": host, "status": status}
        if status in (UNAUTHORIZED, FORBIDDEN):
            return self._denied(place, status)
        if status == MISSING:
            return _missing(place, _code(answer))
        error = failed(answer)
        if status == TOO_MANY:
            wait = f", for {answer.retry_after:.0f} s" if answer.retry_after else ""
            return FetchError(
                f"the registry {host} refuses more requests for now (status 429){wait}",
                hint="stage again later" + (", or log in: it allows more then" if not self._known(place) else ""),
                where=str(reference),
                transient=True,
                **{**error.fields, **known},
            )
        return FetchError(
            f"the registry {host} answered with status {status} when asked for {reference}",
            hint=error.hint,
            where=str(reference),
            transient=error.transient,
            **{**error.fields, **known},
        )

    # -- the wire ----------------------------------------------------------------------------------------------------

    def _client(self) -> Client:
        client: Client | None = getattr(self._local, "client", None)
        if client is None:
            client = self._local.client = Client(self._beliefs)
        return client

    def _send(
        self,
        stack: ExitStack,
        method: str,
        place: Place,
        *,
        headers: Mapping[str, str],
        authorization: str | None,
        context: FetchContext,
        patience: Patience,
    ) -> Answer:
        endpoint = place.endpoint
        trust = endpoint.trust
        own = (trust.certificate, trust.key) if trust.certificate and trust.key else None
        self._beliefs[endpoint.address] = Belief(verify=False if trust.unverified else trust.ca or True, own=own)
        secrets = {"Authorization": authorization} if authorization else None
        body = f"//{endpoint.address}/v2/{place.repository}/{place.path}"

        def send(scheme: str) -> Answer:
            identifier = Identifier(scheme=scheme, body=body)
            asked = self._client().request(method, identifier, headers, context, patience, secrets=secrets)
            return stack.enter_context(asked)

        known = self._schemes.get(endpoint.host)
        if known is not None:
            return send(known)
        try:
            answer, scheme = send("https"), "https"
        except FetchError as safe:
            if context.cancelled.is_set():
                raise FetchError("given up", where=str(place.reference)) from safe
            # A certificate that isn't believed is no reason to do without one.
            if not endpoint.plain or safe.fields.get("unsafe"):
                raise _unbelieved(safe, place) from safe
            answer, scheme = send("http"), "http"
            if answer.status == BAD_REQUEST:
                raise
        self._schemes[endpoint.host] = scheme
        return answer

    # -- signing in --------------------------------------------------------------------------------------------------

    def _known(self, place: Place) -> Credential | None:
        return self._credentials.get((place.endpoint.host, place.repository))

    def _sign_in(self, place: Place, challenge: str, context: FetchContext, patience: Patience) -> str | None:
        """The ``Authorization`` that answers a challenge; ``None`` where we have none to give."""
        host, repository = place.endpoint.host, place.repository
        credential = find_credential(host, repository, self.environment)
        self._credentials[host, repository] = credential
        if credential is not None and credential.warning is not None and credential.warning not in _warned:
            _warned.add(credential.warning)
            context.progress.say(f"warning: {credential.warning}: chmod 600 {credential.origin}")
        if credential is not None and credential.token:
            return f"Bearer {credential.token}"
        challenges = _challenges(challenge)
        if "bearer" in challenges:
            return self._token(place, challenges["bearer"], credential, context, patience)
        if "basic" in challenges and credential is not None:
            return credential.basic
        return None

    def _token(
        self,
        place: Place,
        challenge: Mapping[str, str],
        credential: Credential | None,
        context: FetchContext,
        patience: Patience,
    ) -> str:
        service = _token_service(challenge, place)
        secrets = {"Authorization": credential.basic} if credential is not None and credential.basic else None
        with self._client().request("GET", service, {}, context, patience, secrets=secrets) as answer:
            if answer.status in (UNAUTHORIZED, FORBIDDEN):
                raise self._denied(place, answer.status)
            if answer.status != OK:
                raise failed(answer)
            content = read_small(answer, context, service, _MAX_SMALL)
        try:
            record = json.loads(content)
            token = record.get("token") or record.get("access_token")
        except (ValueError, AttributeError, RecursionError) as error:
            raise FetchError(f"the token service of {place.endpoint.host} gave no token", where=answer.url) from error
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise FetchError(f"the token service of {place.endpoint.host} gave no token", where=answer.url)
        return f"Bearer {token}"

    def _denied(self, place: Place, status: int) -> FetchError:
        reference, host = place.reference, place.endpoint.host
        credential = self._known(place)
        how = f"with the credentials of {credential.origin}" if credential is not None else "without credentials"
        unless = " (docker.io says so of images that are not there, too)" if host == DEFAULT_HOST else ""
        return FetchError(
            f"the registry {host} does not give the image {reference} {how}{unless}",
            hint=f"check them (docker login {host})"
            if credential is not None
            else f"log in (docker login {host}), or put them into the credentials file under docker://{host}",
            where=str(reference),
            image=str(reference),
            registry=host,
            status=status,
        )


def _challenges(text: str) -> dict[str, dict[str, str]]:
    """The challenges of a ``WWW-Authenticate`` header by their scheme, in lower case. Source: RFC 9110, 11.6.1."""
    starts = list(_CHALLENGE.finditer(text))
    ends = [*(one.start() for one in starts[1:]), len(text)]
    found: dict[str, dict[str, str]] = {}
    for start, end in zip(starts, ends, strict=False):
        parameters = {
            name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(text[start.end() : end])
        }
        found.setdefault(start.group(1).lower(), parameters)
    return found


def _token_service(challenge: Mapping[str, str], place: Place) -> Identifier:
    """Where to ask for a token.

    Raises:
        PolicyError: a place that a password should not be sent to.
        FetchError: no address at all.
    """
    host, realm = place.endpoint.host, challenge.get("realm", "")
    query = urlencode([(key, challenge[key]) for key in ("service", "scope") if challenge.get(key)])
    try:
        parts = urlsplit(realm)
        name = parts.hostname or ""
        address = f"{realm}{'&' if parts.query else '?'}{query}" if query else realm
        identifier = Identifier.parse(address)
    except (IdentifierError, ValueError) as error:
        raise FetchError(f"the registry {host} names no token service that can be asked", where=host) from error
    own = urlsplit(f"//{host}").hostname or ""
    same = name == own
    # A registry must not have us ask what only this machine, or its own network, can reach.
    strange = not same and is_inside(name) and not (is_this_machine(name) and is_this_machine(own))
    safe = parts.scheme == "https" or (parts.scheme == "http" and same and place.endpoint.plain)
    if strange or not safe:
        raise PolicyError(
            f"the registry {host} sends us for a token to {parts.scheme}://{name}, which is not safe",
            hint="its token service has to be on https (or be the same machine, for a registry that is insecure by "
            "configuration), and not within this machine's own network unless it is the registry's machine",
            where=host,
        )
    return identifier


def _code(answer: Answer) -> str:
    """The error code of the registry's own answer, empty where there is none."""
    try:
        record = json.loads(answer.read(_MAX_SMALL))
        code = record["errors"][0]["code"]
    except (ValueError, KeyError, TypeError, IndexError, RecursionError, FetchError):
        return ""
    return code if isinstance(code, str) and _CODE.fullmatch(code) else ""


def _missing(place: Place, code: str) -> FetchError:
    reference, host = place.reference, place.endpoint.host
    kind, _, name = place.path.partition("/")
    if code == "NAME_UNKNOWN":
        message, hint = f"the registry {host} has no image {place.repository}", "check its name"
    elif kind == "blobs":
        message = f"the registry {host} lacks a part of an image: {reference.name} has no blob {name}"
        hint = "its image is damaged; push it again, or ask those who did"
    elif name.startswith("sha256:"):
        message = f"the registry {host} has no image {place.repository} with the digest {name}"
        hint = "check the digest: it may be the image's id, or that of another registry's image"
    else:
        message, hint = f"the registry {host} has no image {place.repository} with the tag {name!r}", "check its tag"
        if name == DEFAULT_TAG:
            message += ", which is meant where none is stated"
            hint = "state one that is there (NAME:TAG)"
    return FetchError(
        message, hint=hint, where=str(reference), image=str(reference), registry=host, status=MISSING, code=code
    )


def _unbelieved(error: FetchError, place: Place) -> FetchError:
    """The same error, with what can be done about the certificate of a registry."""
    if not error.fields.get("unsafe"):
        return error
    host = place.endpoint.host
    return FetchError(
        f"no safe connection to the registry {host}: its certificate is not one that this machine trusts",
        hint=f'state its authority in the config file ([registries."{host}"] ca = "file.pem"), or put it into '
        f"/etc/docker/certs.d/{host}/ca.crt",
        where=error.where,
        identifier=error.fields.get("identifier"),
        unsafe=True,
    )
