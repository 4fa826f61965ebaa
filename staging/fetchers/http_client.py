"""The HTTP client: one question at a time, redirects looked at one by one, nothing sent that was not asked for.

No ``.netrc``, no cookies; credentials are the caller's affair, and go to the host that they were given for alone.
Proxies and certificates come from the environment, as for any program, unless the caller says otherwise.
"""

from __future__ import annotations

import http.client
import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from typing import Final
from urllib.parse import parse_qsl, urljoin, urlsplit, urlunsplit

import requests
import requests.adapters
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.response import HTTPResponse

from staging.errors import FetchError, PolicyError
from staging.fetchers.base import FetchContext
from staging.fetchers.hosts import is_inside, is_link_local
from staging.fetchers.http_answers import Answer
from staging.identifiers import Identifier, IdentifierError
from staging.retries import Patience

MAX_REDIRECTS: Final = 10
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_SECRET_KEY: Final = re.compile(
    r"token|secret|signature|credential|password|expires|^sig$|^key$|^x-(amz|goog|oss)-", re.I
)
_REASON: Final = re.compile(
    r"(Name or service not known|Temporary failure in name resolution|certificate [\w ]+|Connection (?!aborted)\w[\w ]+"
    r"|Network is [\w ]+|No route to host|timed out|Remote end closed connection|headers that make no sense)",
    re.IGNORECASE,
)
_HEADERS: Final = {"User-Agent": "wfexs-like", "Accept": "*/*", "Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """Whom to believe at one host: ``verify`` is whether, or by which PEM file; ``own`` our certificate and its key."""

    verify: bool | str = True
    own: tuple[str, str] | None = None


class Client:
    """A session of one thread: it keeps connections open, and nothing else.

    ``beliefs`` are by host (with port), for those that are not simply believed by this machine's certificates.
    """

    def __init__(self, beliefs: Mapping[str, Belief] | None = None) -> None:
        self._beliefs = beliefs or {}
        self._session = requests.Session()
        adapter = _Adapter(max_retries=0)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    @contextmanager
    def request(
        self,
        method: str,
        identifier: Identifier,
        headers: Mapping[str, str],
        context: FetchContext,
        patience: Patience,
        *,
        secrets: Mapping[str, str] | None = None,
    ) -> Iterator[Answer]:
        """Ask, following redirects; the answer's body can be read within the ``with`` block.

        ``secrets`` are headers for the host that is asked first; where a redirect leads elsewhere they stay behind.

        Raises:
            FetchError: no answer, or redirects without end.
            PolicyError: a redirect to a less safe place.
        """
        url = f"{identifier.scheme}:{identifier.body}"
        if not urlsplit(url).hostname:
            raise FetchError(f"{identifier} names no host", where=str(identifier))
        seen, hops, asked = {url}, list[Identifier](), _origin(url)
        while True:
            if context.cancelled.is_set():
                raise FetchError("given up", where=without_secrets(url))
            said = {**headers, **secrets} if secrets and _origin(url) == asked else headers
            response = self._send(method, url, said, context, patience)
            location = response.headers.get("location")
            if response.status_code not in _REDIRECTS or location is None:
                break
            response.close()
            url = redirect_target(identifier, url, location)
            if url in seen:
                raise FetchError(f"{identifier} is redirected in a circle", where=str(identifier))
            if len(hops) == MAX_REDIRECTS:
                raise FetchError(f"{identifier} is redirected more than {MAX_REDIRECTS} times", where=str(identifier))
            seen.add(url)
            hops.append(Identifier.parse(without_secrets(url)))
        try:
            yield _answer(response, url, tuple(hops))
        finally:
            response.close()

    def _send(
        self, method: str, url: str, headers: Mapping[str, str], context: FetchContext, patience: Patience
    ) -> requests.Response:
        shown = without_secrets(url)
        try:
            # Prepared by itself and not by the session, which would look for credentials in .netrc and add cookies.
            request = requests.Request(method, url, headers={**_HEADERS, **headers}).prepare()
            belief = self._beliefs.get(urlsplit(url).netloc, _USUAL)
            settings = self._session.merge_environment_settings(url, {}, True, belief.verify, belief.own)
            if belief.verify is False:
                # The user said so; a warning at each question would not make it safer.
                urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
            elif isinstance(belief.verify, str):
                settings["verify"] = belief.verify
            return self._session.send(
                request,
                allow_redirects=False,
                timeout=(patience.clip(context.connect_timeout), patience.clip(context.read_timeout)),
                **settings,
            )
        except requests.exceptions.SSLError as error:
            raise FetchError(
                f"no safe connection to {shown}: {_reason(error)}",
                hint="its certificate is not one that this machine trusts",
                where=shown,
                identifier=shown,
                unsafe="certificate" in str(error).lower(),
            ) from error
        except requests.exceptions.Timeout as error:
            raise FetchError(
                f"{shown} did not answer in time", where=shown, transient=True, identifier=shown
            ) from error
        except (requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
            raise FetchError(
                f"no answer from {shown}: {_reason(error)}", where=shown, transient=True, identifier=shown
            ) from error
        except (requests.exceptions.RequestException, UnicodeError, ValueError) as error:
            raise FetchError(f"cannot ask {shown}: {_reason(error)}", where=shown, identifier=shown) from error


_USUAL: Final = Belief()


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def redirect_target(asked: Identifier, url: str, location: str) -> str:
    """Where a redirect from ``url`` leads.

    Raises:
        PolicyError: to another kind of address, from https to http, to an address with credentials in it, from the
            world into this machine's own network, or to a link-local address.
    """
    target = urljoin(url, location)
    shown, where = without_secrets(target), str(asked)
    scheme = urlsplit(target).scheme.lower()
    if scheme not in ("http", "https"):
        raise PolicyError(f"{asked} is redirected to {shown}, which is not a web address", where=where)
    if scheme == "http" and urlsplit(url).scheme == "https":
        raise PolicyError(f"{asked} is redirected from https to http: {shown}", where=where)
    try:
        Identifier.parse(target)
        host, before = urlsplit(target).hostname or "", urlsplit(url).hostname or ""
    except (IdentifierError, ValueError) as error:
        raise PolicyError(f"{asked} is redirected to an address that can't be used", where=where) from error
    # Link-local addresses are where clouds tell any program of a machine its credentials.
    if (is_inside(host) and not is_inside(before)) or (is_link_local(host) and host != before):
        raise PolicyError(f"{asked} is redirected into this machine's own network: {shown}", where=where)
    return urlunsplit(urlsplit(target)._replace(fragment=""))


def without_secrets(url: str) -> str:
    """The address without its query when that looks like a signature or token: for messages and records."""
    parts = urlsplit(url)
    keys = [key for key, _ in parse_qsl(parts.query, keep_blank_values=True)]
    secret = any(_SECRET_KEY.search(key) for key in keys)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(query="" if secret else parts.query, fragment="", netloc=host))


def _answer(response: requests.Response, url: str, hops: tuple[Identifier, ...]) -> Answer:
    raw: urllib3.response.BaseHTTPResponse = response.raw
    shown = without_secrets(url)

    def read(amount: int) -> bytes:
        try:
            return raw.read1(amount, decode_content=False) or b""
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise FetchError(f"{shown} broke off: {_reason(error)}", where=shown, transient=True) from error

    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(status=response.status_code, url=shown, headers=headers, read=read, hops=hops)


def _reason(error: BaseException) -> str:
    """The innermost cause in few words: libraries wrap it several times."""
    found = _REASON.search(str(error))
    return (found.group(1) if found else type(error).__name__).lower()


def _bounded(connection: HTTPConnection, get: Callable[[], HTTPResponse]) -> HTTPResponse:
    """The head of an answer, which has to be whole within the read time-out, however it trickles in."""
    sock, seconds = connection.sock, connection.timeout
    if sock is None or not isinstance(seconds, (int, float)):
        return get()

    def hang_up() -> None:
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    timer = threading.Timer(seconds, hang_up)
    timer.daemon = True
    timer.start()
    try:
        return get()
    finally:
        timer.cancel()


class _Lines:
    """The lines of a head, remembering the last one."""

    def __init__(self, stream: BufferedReader) -> None:
        self._stream = stream
        self.last = b""

    def readline(self, limit: int = -1) -> bytes:
        self.last = self._stream.readline(limit)
        return self.last

    def close(self) -> None:
        self._stream.close()


class _StrictHead(http.client.HTTPResponse):
    """An answer whose head is whole and means one thing.

    The standard library takes a head that breaks off for a whole one, drops all headers after one that it can't read
    (the length among them), and hands out a body with an unknown transfer encoding as it is.
    """

    def begin(self) -> None:
        stream = self.fp
        lines = _Lines(stream)
        self.fp = lines  # type: ignore[assignment]
        try:
            super().begin()
        finally:
            current: object = self.fp
            if current is lines:
                self.fp = stream
        if lines.last not in (b"\r\n", b"\n"):
            raise http.client.IncompleteRead(lines.last)
        lengths = {part.strip() for line in self.msg.get_all("content-length", []) for part in line.split(",")}
        sound = all(length.isascii() and length.isdigit() for length in lengths)
        encodings = [line.strip().lower() for line in self.msg.get_all("transfer-encoding", [])]
        if self.msg.defects or len(lengths) > 1 or not sound or encodings not in ([], ["chunked"], ["identity"]):
            raise http.client.HTTPException("headers that make no sense")


class _BoundedHttp(HTTPConnection):
    response_class = _StrictHead

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]
        return _bounded(self, super().getresponse)


class _BoundedHttps(HTTPSConnection):
    response_class = _StrictHead

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]
        return _bounded(self, super().getresponse)


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _BoundedHttp


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _BoundedHttps


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *arguments: object, **options: object) -> None:
        super().init_poolmanager(*arguments, **options)  # type: ignore[arg-type]
        self.poolmanager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}

    def proxy_manager_for(self, proxy: str, **options: object) -> object:
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
        return manager
