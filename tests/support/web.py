"""A web server on loopback that does what a test tells it to, the wrong things above all.

::

    with WebServer() as web:
        web.files["/a.txt"] = File(b"content")          # a proper server: ranges, validators, 304
        web.scripts["/b.txt"] = truncated(b"content", 3)  # anything else: a function of the exchange
        fetch(web.url("/a.txt"))
        assert web.requests[0].headers["range"] == "bytes=3-"
"""

from __future__ import annotations

import email.utils
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

OLD = 1_700_000_000


@dataclass(slots=True, kw_only=True)
class Request:
    """One request; header names are in lower case. ``number`` counts from 0 among those for this path."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    number: int
    body: bytes = b""


@dataclass(slots=True)
class File:
    """What a proper server has under a path. ``etag=""`` or ``modified=None`` leaves that validator out."""

    content: bytes
    etag: str = '"one"'
    modified: float | None = OLD
    ranges: bool = True
    media_type: str = "application/octet-stream"
    headers: dict[str, str] = field(default_factory=dict)


class Exchange:
    """A request and the means to answer it, properly or not."""

    def __init__(self, request: Request, handler: BaseHTTPRequestHandler) -> None:
        self.request = request
        self._handler = handler

    def send(self, data: bytes) -> None:
        """Send raw bytes."""
        self._handler.wfile.write(data)
        self._handler.wfile.flush()

    def head(self, status: int = 200, headers: Mapping[str, str] | None = None, *, date: bool = True) -> None:
        """Send a status line and headers, nothing added but the date."""
        lines = [f"HTTP/1.1 {status} Whatever"]
        if date:
            lines.append(f"Date: {email.utils.formatdate(usegmt=True)}")
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        self.send("\r\n".join([*lines, "", ""]).encode())

    def answer(self, body: bytes = b"", status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        """Send a whole, honest answer."""
        self.head(status, {"Content-Length": str(len(body)), **(headers or {})})
        if self.request.method != "HEAD":
            self.send(body)

    def hang_up(self) -> None:
        """Close the connection in the ordinary way."""
        self._handler.close_connection = True

    def reset(self) -> None:
        """Close the connection with a TCP reset."""
        self._handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._handler.close_connection = True
        self._handler.connection.close()

    def serve(self, file: File) -> None:
        """Do what a proper server does with a file."""
        headers = {"Content-Type": file.media_type, **file.headers}
        if file.etag:
            headers["ETag"] = file.etag
        if file.modified is not None:
            headers["Last-Modified"] = email.utils.formatdate(file.modified, usegmt=True)
        asked = self.request.headers
        if file.etag and asked.get("if-none-match") == file.etag:
            self.head(304, headers)
            return
        if not asked.get("if-none-match") and asked.get("if-modified-since") == headers.get("Last-Modified", "-"):
            self.head(304, headers)
            return
        match = re.fullmatch(r"bytes=(\d+)-", asked.get("range", ""))
        condition = asked.get("if-range")
        if match and file.ranges and condition in (None, file.etag, headers.get("Last-Modified", "-")):
            start = int(match.group(1))
            if start >= len(file.content):
                self.answer(status=416, headers={"Content-Range": f"bytes */{len(file.content)}"})
                return
            headers["Content-Range"] = f"bytes {start}-{len(file.content) - 1}/{len(file.content)}"
            self.answer(file.content[start:], 206, headers)
            return
        self.answer(file.content, 200, headers)


Script = Callable[[Exchange], None]


class WebServer:
    """The server; its ``with`` block is its life. Every connection has a thread of its own."""

    def __init__(self, *, host: str = "127.0.0.1") -> None:
        self.files: dict[str, File] = {}
        self.scripts: dict[str, Script] = {}
        self.requests: list[Request] = []
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 20

            def _any(self) -> None:
                outer._handle(self)

            do_GET = do_HEAD = do_POST = do_PUT = _any  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False
            request_queue_size = 64

            def handle_error(self, request: object, client_address: object) -> None:
                pass

        self._server = Server((host, 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def of(self, path: str, method: str = "GET") -> list[Request]:
        """The requests for one path."""
        return [one for one in self.requests if one.path == path and one.method == method]

    def _handle(self, handler: BaseHTTPRequestHandler) -> None:
        path, _, query = handler.path.partition("?")
        headers = {name.lower(): value for name, value in handler.headers.items()}
        body = _read_body(handler, headers)
        with self._lock:
            number = sum(1 for one in self.requests if one.path == path and one.method == handler.command)
            request = Request(method=handler.command, path=path, query=query, headers=headers, number=number, body=body)
            self.requests.append(request)
        exchange = Exchange(request, handler)
        prefix = next((key for key in self.scripts if key.endswith("/*") and path.startswith(key[:-1])), "")
        script = self.scripts.get(path) or self.scripts.get(prefix)
        try:
            if script is not None:
                script(exchange)
            elif path in self.files:
                exchange.serve(self.files[path])
            else:
                page = b"<!DOCTYPE html><html><body>404: there is nothing here</body></html>"
                exchange.answer(page, 404, {"Content-Type": "text/html"})
        except OSError:
            handler.close_connection = True

    def __enter__(self) -> WebServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _read_body(handler: BaseHTTPRequestHandler, headers: Mapping[str, str]) -> bytes:
    if "chunked" in headers.get("transfer-encoding", ""):
        parts = []
        while size := int(handler.rfile.readline().split(b";")[0], 16):
            parts.append(handler.rfile.read(size))
            handler.rfile.readline()
        handler.rfile.readline()
        return b"".join(parts)
    return handler.rfile.read(int(headers.get("content-length", "0")))


# -- scripts --------------------------------------------------------------------------------------------------------


def then(*scripts: Script) -> Script:
    """One script after the other; the last one for all further requests."""
    return lambda exchange: scripts[min(exchange.request.number, len(scripts) - 1)](exchange)


def serving(file: File) -> Script:
    """A proper answer."""
    return lambda exchange: exchange.serve(file)


def truncated(file: File, sent: int, *, reset: bool = False) -> Script:
    """Announces the whole, sends ``sent`` bytes of what was asked for, and hangs up."""

    def script(exchange: Exchange) -> None:
        headers = {"Content-Type": file.media_type, "Content-Length": str(len(file.content))}
        if file.etag:
            headers["ETag"] = file.etag
        exchange.head(200, headers)
        exchange.send(file.content[:sent])
        if reset:
            time.sleep(0.05)
            exchange.reset()
        exchange.hang_up()

    return script


def status(code: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Script:
    """That status."""
    return lambda exchange: exchange.answer(body, code, headers)


def redirect(location: str, code: int = 302) -> Script:
    """A redirect."""
    return status(code, headers={"Location": location})


def chunked(parts: list[bytes], *, end: bool = True) -> Script:
    """A chunked body, with or without its last chunk."""

    def script(exchange: Exchange) -> None:
        exchange.head(200, {"Transfer-Encoding": "chunked"})
        for part in parts:
            exchange.send(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        if end:
            exchange.send(b"0\r\n\r\n")
        else:
            exchange.hang_up()

    return script


def drip(file: File, pause: float, *, head: bool = False) -> Script:
    """One byte at a time, ``pause`` seconds between two; with ``head`` the headers too."""

    def script(exchange: Exchange) -> None:
        if head:
            for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 10_000:
                exchange.send(bytes([byte]))
                time.sleep(pause)
        exchange.head(200, {"Content-Length": str(len(file.content))})
        for byte in file.content:
            exchange.send(bytes([byte]))
            time.sleep(pause)

    return script


def silent(seconds: float) -> Script:
    """No answer for that long, then none at all."""

    def script(exchange: Exchange) -> None:
        time.sleep(seconds)
        exchange.hang_up()

    return script
