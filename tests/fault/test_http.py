from __future__ import annotations

import errno
import gzip
import hashlib
import os
import random
import socket
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from staging.errors import DiskError, FetchError, PolicyError
from staging.fetchers.base import FetchContext, Fetched, Unchanged
from staging.fetchers.http import HttpFetcher
from staging.fetchers.http_client import redirect_target, without_secrets
from staging.identifiers import Identifier
from tests.support.heard import Heard
from tests.support.web import (
    Exchange,
    File,
    Script,
    WebServer,
    chunked,
    drip,
    redirect,
    serving,
    silent,
    status,
    then,
    truncated,
)

CONTENT = random.Random(1).randbytes(300_000)
PAGE = b"<!DOCTYPE html>\n<html><body>Please sign in</body></html>"


@pytest.fixture
def web() -> Iterator[WebServer]:
    with WebServer() as server:
        yield server


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("staging.retries.FIRST_PAUSE", 0.01)


@dataclass
class Attempt:
    """One fetch into an empty place, with what it may leave behind."""

    folder: Path
    heard: Heard = field(default_factory=Heard)

    @property
    def into(self) -> Path:
        return self.folder / "into"

    def context(self, **changes: object) -> FetchContext:
        (self.folder / "partial").mkdir(exist_ok=True)
        settings: dict[str, object] = {"connect_timeout": 2.0, "read_timeout": 2.0, "progress": self.heard, **changes}
        return FetchContext(partial=self.folder / "partial", **settings)  # type: ignore[arg-type]

    def __call__(self, url: str, known: dict[str, str] | None = None, **changes: object) -> Fetched | Unchanged:
        context = self.context(**changes)
        fetcher = HttpFetcher()
        return fetcher.fetch(fetcher.pin(Identifier.parse(url), context), self.into, context, known or {})

    def gets(self, url: str, content: bytes, **changes: object) -> Fetched:
        fetched = self(url, **changes)
        assert isinstance(fetched, Fetched)
        assert self.into.read_bytes() == content
        assert fetched.fingerprint.digest == hashlib.sha256(content).hexdigest()
        assert fetched.size == len(content)
        assert not list((self.folder / "partial").iterdir())
        return fetched

    def fails(self, url: str, match: str, kind: type[Exception] = FetchError, **changes: object) -> Exception:
        with pytest.raises(kind, match=match) as caught:
            self(url, **changes)
        assert not self.into.exists()
        return caught.value


@pytest.fixture
def attempt(tmp_path: Path) -> Attempt:
    return Attempt(tmp_path)


# -- bodies that break off ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reset", [False, True])
def test_a_body_that_breaks_off_is_continued_where_it_stopped(web: WebServer, attempt: Attempt, reset: bool) -> None:
    file = File(CONTENT)
    web.scripts["/x.bin"] = then(truncated(file, 200_000, reset=reset), serving(file))

    attempt.gets(web.url("/x.bin"), CONTENT)

    first, second = web.requests
    assert "range" not in first.headers
    assert second.headers["if-range"] == '"one"'
    start = int(second.headers["range"].removeprefix("bytes=").removesuffix("-"))
    assert 0 < start <= 200_000
    assert start == 200_000 or reset


def test_a_body_that_always_breaks_off_is_never_taken_for_whole(web: WebServer, attempt: Attempt) -> None:
    web.scripts["/x.bin"] = truncated(File(CONTENT, etag="", modified=None), 100_000)

    error = attempt.fails(web.url("/x.bin"), "broke off")

    assert isinstance(error, FetchError) and error.transient
    assert len(web.requests) == 5
    assert not list((attempt.folder / "partial").iterdir())


def test_a_server_without_ranges_gives_the_whole_again(web: WebServer, attempt: Attempt) -> None:
    file = File(CONTENT, ranges=False)
    web.scripts["/x.bin"] = then(truncated(file, 200_000), serving(file))

    attempt.gets(web.url("/x.bin"), CONTENT)

    assert "range" in web.requests[1].headers


def test_without_a_validator_nothing_is_continued(web: WebServer, attempt: Attempt) -> None:
    file = File(CONTENT, etag="", modified=None)
    web.scripts["/x.bin"] = then(truncated(file, 200_000), serving(file))

    attempt.gets(web.url("/x.bin"), CONTENT)

    assert "range" not in web.requests[1].headers


def test_a_weak_validator_does_not_vouch_for_a_part(web: WebServer, attempt: Attempt) -> None:
    file = File(CONTENT, etag='W/"one"', modified=None)
    web.scripts["/x.bin"] = then(truncated(file, 200_000), serving(file))

    fetched = attempt.gets(web.url("/x.bin"), CONTENT)

    assert "range" not in web.requests[1].headers
    assert fetched.validators == {}


def test_content_that_changed_between_two_parts_is_fetched_whole(web: WebServer, attempt: Attempt) -> None:
    changed = bytes(reversed(CONTENT))
    web.scripts["/x.bin"] = then(truncated(File(CONTENT), 200_000), serving(File(changed, etag='"two"')))

    attempt.gets(web.url("/x.bin"), changed)


def test_a_part_of_changed_content_is_not_glued_on(web: WebServer, attempt: Attempt) -> None:
    """A server that ignores If-Range and gives the rest of what is there now."""
    changed = bytes(reversed(CONTENT))

    def careless(exchange: Exchange) -> None:
        exchange.request.headers.pop("if-range", None)
        exchange.serve(File(changed, etag='"two"'))

    web.scripts["/x.bin"] = then(truncated(File(CONTENT), 200_000), careless)

    attempt.gets(web.url("/x.bin"), changed)


@pytest.mark.parametrize(
    "content_range",
    [
        "bytes 0-299999/300000",
        "bytes 200001-299999/300000",
        "bytes 200000-299999/400000",
        "bytes 200000-250000/300000",
        "x",
        "",
    ],
)
def test_a_part_that_does_not_fit_is_not_glued_on(web: WebServer, attempt: Attempt, content_range: str) -> None:
    def wrong(exchange: Exchange) -> None:
        headers = {"ETag": '"one"', **({"Content-Range": content_range} if content_range else {})}
        exchange.answer(CONTENT[200_000:], 206, headers)

    web.scripts["/x.bin"] = then(truncated(File(CONTENT), 200_000), wrong, serving(File(CONTENT)))

    attempt.gets(web.url("/x.bin"), CONTENT)

    assert "range" not in web.requests[2].headers


def test_a_part_of_something_longer_is_not_glued_on(web: WebServer, attempt: Attempt) -> None:
    def longer(exchange: Exchange) -> None:
        headers = {"ETag": '"one"', "Content-Range": "bytes 200000-399999/400000"}
        exchange.answer(bytes(200_000), 206, headers)

    web.scripts["/x.bin"] = then(truncated(File(CONTENT), 200_000), longer, serving(File(CONTENT)))

    attempt.gets(web.url("/x.bin"), CONTENT)


def test_a_part_nobody_asked_for_is_refused(web: WebServer, attempt: Attempt) -> None:
    web.scripts["/x.bin"] = status(206, CONTENT, {"Content-Range": "bytes 0-299999/300000", "ETag": '"one"'})

    attempt.fails(web.url("/x.bin"), "status 206")


def test_a_part_that_is_gone_is_fetched_whole(web: WebServer, attempt: Attempt) -> None:
    web.scripts["/x.bin"] = then(truncated(File(CONTENT), 200_000), status(416), serving(File(b"short")))

    attempt.gets(web.url("/x.bin"), b"short")


def test_a_chunked_body_without_its_end_is_refused(web: WebServer, attempt: Attempt) -> None:
    web.scripts["/x.bin"] = chunked([CONTENT[:1000], CONTENT[1000:2000]], end=False)

    attempt.fails(web.url("/x.bin"), "broke off", retries=1)


def test_a_chunked_body_is_put_together(web: WebServer, attempt: Attempt) -> None:
    web.scripts["/x.bin"] = chunked([CONTENT[:1000], CONTENT[1000:]])

    attempt.gets(web.url("/x.bin"), CONTENT)


def test_a_chunk_that_is_cut_in_the_middle_is_refused(web: WebServer, attempt: Attempt) -> None:
    def script(exchange: Exchange) -> None:
        exchange.head(200, {"Transfer-Encoding": "chunked"})
        exchange.send(b"3e8\r\n" + CONTENT[:500])
        exchange.hang_up()

    web.scripts["/x.bin"] = script

    attempt.fails(web.url("/x.bin"), "broke off", retries=1)


def test_a_body_of_unknown_length_is_taken_and_said_aloud(web: WebServer, attempt: Attempt) -> None:
    def script(exchange: Exchange) -> None:
        exchange.head(200, {"Connection": "close"})
        exchange.send(CONTENT)
        exchange.hang_up()

    web.scripts["/x.bin"] = script

    attempt.gets(web.url("/x.bin"), CONTENT)

    assert any("did not say how long" in line for line in attempt.heard.said)


@pytest.mark.parametrize("length", ["5, 6", "-5", "five", "5.0"])
def test_a_length_that_makes_no_sense_is_refused(web: WebServer, attempt: Attempt, length: str) -> None:
    def script(exchange: Exchange) -> None:
        exchange.head(200, {"Content-Length": length, "Connection": "close"})
        exchange.send(b"12345")
        exchange.hang_up()

    web.scripts["/x.bin"] = script

    attempt.fails(web.url("/x.bin"), "headers that make no sense", retries=0)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nX-A: b\r\n",
        b"HTTP/1.1 200 OK\r\nX-",
        b"HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 10\r\n\r\n12345",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n12345",
        b"not http at all\r\n\r\n12345",
        b"",
    ],
)
def test_a_head_that_breaks_off_or_makes_no_sense_is_no_answer(web: WebServer, attempt: Attempt, head: bytes) -> None:
    def script(exchange: Exchange) -> None:
        exchange.send(head)
        exchange.hang_up()

    web.scripts["/x.bin"] = script

    attempt.fails(web.url("/x.bin"), "no answer", retries=0)


def test_an_empty_file_is_a_file(web: WebServer, attempt: Attempt) -> None:
    web.files["/x.bin"] = File(b"")

    attempt.gets(web.url("/x.bin"), b"")


# -- across processes -----------------------------------------------------------------------------------------------


def test_a_killed_download_is_continued_by_the_next_process(web: WebServer, attempt: Attempt) -> None:
    stop = threading.Event()

    def stall(exchange: Exchange) -> None:
        exchange.head(200, {"Content-Length": str(len(CONTENT)), "ETag": '"one"'})
        exchange.send(CONTENT[:200_000])
        stop.wait(20)
        exchange.hang_up()

    web.scripts["/x.bin"] = then(stall, serving(File(CONTENT)))
    attempt.context()
    program = (
        "import sys; from pathlib import Path; from staging.fetchers.base import FetchContext;"
        "from staging.fetchers.http import HttpFetcher; from staging.identifiers import Identifier;"
        "f = HttpFetcher(); c = FetchContext(partial=Path(sys.argv[2]));"
        "f.fetch(f.pin(Identifier.parse(sys.argv[1]), c), Path(sys.argv[3]), c, {})"
    )
    argv = [sys.executable, "-c", program, web.url("/x.bin"), str(attempt.folder / "partial"), str(attempt.into)]
    body = attempt.folder / "partial" / "body"
    with subprocess.Popen(argv) as child:
        while not body.exists() or body.stat().st_size < 200_000:
            assert child.poll() is None
            time.sleep(0.02)
        child.kill()
    stop.set()

    attempt.gets(web.url("/x.bin"), CONTENT)

    assert web.requests[1].headers["range"] == "bytes=200000-"


def test_a_download_killed_after_its_last_byte_asks_for_one_byte(web: WebServer, attempt: Attempt) -> None:
    url = web.url("/x.bin")
    web.files["/x.bin"] = File(CONTENT)
    _leave(attempt, url, CONTENT, etag='"one"')

    attempt.gets(url, CONTENT)

    assert web.requests[0].headers["range"] == "bytes=299999-"


def test_a_rest_of_another_version_is_not_continued(web: WebServer, attempt: Attempt) -> None:
    url = web.url("/x.bin")
    web.files["/x.bin"] = File(CONTENT, etag='"two"')
    _leave(attempt, url, b"z" * 1000, etag='"one"')

    attempt.gets(url, CONTENT)


def test_a_rest_of_another_address_is_not_continued(web: WebServer, attempt: Attempt) -> None:
    web.files["/x.bin"] = File(CONTENT)
    _leave(attempt, web.url("/other.bin"), b"z" * 1000, etag='"one"')

    attempt.gets(web.url("/x.bin"), CONTENT)


@pytest.mark.parametrize("state", ["", "{", "[]", '{"identifier": 1}', '{"identifier": "http://other/", "etag": "x"}'])
def test_a_rest_that_nobody_understands_is_thrown_away(web: WebServer, attempt: Attempt, state: str) -> None:
    web.files["/x.bin"] = File(CONTENT)
    attempt.context()
    (attempt.folder / "partial" / "body").write_bytes(b"junk")
    (attempt.folder / "partial" / "state.json").write_text(state)

    attempt.gets(web.url("/x.bin"), CONTENT)

    assert "range" not in web.requests[0].headers


def _leave(attempt: Attempt, url: str, content: bytes, etag: str) -> None:
    attempt.context()
    (attempt.folder / "partial" / "body").write_bytes(content)
    state = f'{{"identifier": "{url}", "etag": "{etag.replace(chr(34), chr(92) + chr(34))}", "length": {len(CONTENT)}}}'
    (attempt.folder / "partial" / "state.json").write_text(state)


# -- what is not the file -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [400, 401, 403, 404, 410, 451])
def test_an_error_page_is_not_the_file_and_is_not_asked_for_twice(web: WebServer, attempt: Attempt, code: int) -> None:
    web.scripts["/x.bin"] = status(code, PAGE, {"Content-Type": "text/html"})

    error = attempt.fails(web.url("/x.bin"), f"status {code}")

    assert isinstance(error, FetchError) and not error.transient
    assert len(web.requests) == 1


@pytest.mark.parametrize("code", [201, 202, 203, 204, 300, 304])
def test_a_status_that_promises_no_file_is_refused(web: WebServer, attempt: Attempt, code: int) -> None:
    web.scripts["/x.bin"] = lambda exchange: exchange.head(code, {"Content-Length": "0", "Connection": "close"})

    attempt.fails(web.url("/x.bin"), f"status {code}")


def test_a_sign_in_page_with_status_200_is_not_the_file(web: WebServer, attempt: Attempt) -> None:
    web.scripts["/reads.fq.gz"] = status(200, PAGE, {"Content-Type": "text/html; charset=utf-8"})

    attempt.fails(web.url("/reads.fq.gz"), "web page in place of reads.fq.gz")


@pytest.mark.parametrize("name", ["/page.html", "/page", "/report.php"])
def test_a_page_that_was_asked_for_is_a_file(web: WebServer, attempt: Attempt, name: str) -> None:
    web.files[name] = File(PAGE, media_type="text/html")

    attempt.gets(web.url(name), PAGE)


# -- encodings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", lambda content: gzip.compress(content[:1000]) + gzip.compress(content[1000:])),
        ("deflate", zlib.compress),
        ("deflate", lambda content: zlib.compress(content, wbits=-15)),
    ],
)
def test_an_encoding_nobody_asked_for_is_undone(
    web: WebServer, attempt: Attempt, encoding: str, encode: Callable[[bytes], bytes]
) -> None:
    web.files["/x.txt"] = File(encode(CONTENT), headers={"Content-Encoding": encoding})

    attempt.gets(web.url("/x.txt"), CONTENT)

    assert web.requests[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("name", ["/x.fq.gz", "/x.tgz"])
def test_a_files_own_compression_is_left_alone(web: WebServer, attempt: Attempt, name: str) -> None:
    packed = gzip.compress(CONTENT)
    web.files[name] = File(packed, headers={"Content-Encoding": "gzip"})

    attempt.gets(web.url(name), packed)


def test_an_encoded_body_that_ends_too_early_is_refused(web: WebServer, attempt: Attempt) -> None:
    """Its length is as announced: only the encoding itself shows that something is missing."""
    web.files["/x.txt"] = File(gzip.compress(CONTENT)[:-9], headers={"Content-Encoding": "gzip"})

    attempt.fails(web.url("/x.txt"), "breaks off", retries=1)


def test_an_encoded_body_that_breaks_off_is_fetched_whole_again(web: WebServer, attempt: Attempt) -> None:
    file = File(gzip.compress(CONTENT), headers={"Content-Encoding": "gzip"})

    def broken(exchange: Exchange) -> None:
        exchange.head(200, {"Content-Length": str(len(file.content)), "ETag": '"one"', "Content-Encoding": "gzip"})
        exchange.send(file.content[:150_000])
        exchange.hang_up()

    web.scripts["/x.txt"] = then(broken, serving(file))

    attempt.gets(web.url("/x.txt"), CONTENT)

    assert "range" not in web.requests[1].headers


def test_an_encoding_that_is_not_known_is_refused(web: WebServer, attempt: Attempt) -> None:
    web.files["/x.txt"] = File(CONTENT, headers={"Content-Encoding": "br"})

    attempt.fails(web.url("/x.txt"), "encoded as 'br'")


def test_a_little_that_unpacks_to_very_much_is_refused(web: WebServer, attempt: Attempt) -> None:
    web.files["/x.txt"] = File(gzip.compress(bytes(100 << 20)), headers={"Content-Encoding": "gzip"})

    attempt.fails(web.url("/x.txt"), "unpacks to very much", PolicyError)


# -- servers in trouble ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504])
def test_a_server_in_trouble_is_asked_again(web: WebServer, attempt: Attempt, code: int) -> None:
    web.scripts["/x.bin"] = then(status(code, PAGE), status(code, PAGE), serving(File(CONTENT)))

    attempt.gets(web.url("/x.bin"), CONTENT)

    assert sum("trying again" in line for line in attempt.heard.said) == 2


def test_a_server_that_asks_for_time_gets_it(web: WebServer, attempt: Attempt) -> None:
    web.scripts["/x.bin"] = then(status(503, headers={"Retry-After": "1"}), serving(File(CONTENT)))
    started = time.monotonic()

    attempt.gets(web.url("/x.bin"), CONTENT)

    assert time.monotonic() - started >= 1.0


def test_a_server_that_asks_for_an_hour_is_given_up_at_once(web: WebServer, attempt: Attempt) -> None:
    web.scripts["/x.bin"] = status(429, headers={"Retry-After": "3600"})
    started = time.monotonic()

    error = attempt.fails(web.url("/x.bin"), "429")

    assert isinstance(error, FetchError) and error.transient
    assert time.monotonic() - started < 20
    assert len(web.requests) == 1


def test_a_server_that_is_not_there_is_given_up_soon(attempt: Attempt) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    started = time.monotonic()

    error = attempt.fails(f"http://127.0.0.1:{port}/x.bin", "connection refused")

    assert isinstance(error, FetchError) and error.transient
    assert time.monotonic() - started < 20


def test_a_host_that_does_not_exist_is_a_sentence(attempt: Attempt) -> None:
    attempt.fails(
        "http://does-not-exist.invalid/x.bin", "no answer from http://does-not-exist.invalid/x.bin", retries=0
    )


@pytest.mark.parametrize("script", [silent(5), drip(File(CONTENT), 0.05, head=True)], ids=["silence", "slow head"])
def test_a_server_that_does_not_come_to_the_point_is_given_up(web: WebServer, attempt: Attempt, script: Script) -> None:
    web.scripts["/x.bin"] = script
    started = time.monotonic()

    attempt.fails(web.url("/x.bin"), "no answer|did not answer", retries=1, read_timeout=0.5)

    assert time.monotonic() - started < 8  # without giving up it would take ten, or for ever


def test_a_server_that_sends_byte_by_byte_is_given_up(web: WebServer, attempt: Attempt) -> None:
    web.scripts["/x.bin"] = drip(File(CONTENT), 0.02)
    started = time.monotonic()

    attempt.fails(web.url("/x.bin"), "all but stopped", retries=1, read_timeout=0.5)

    assert time.monotonic() - started < 20  # all of it would take minutes


def test_a_connection_that_is_closed_at_once_is_asked_again(web: WebServer, attempt: Attempt) -> None:
    web.scripts["/x.bin"] = then(Exchange.reset, Exchange.hang_up, serving(File(CONTENT)))

    attempt.gets(web.url("/x.bin"), CONTENT)


def test_giving_up_takes_effect_between_two_pieces(web: WebServer, attempt: Attempt) -> None:
    cancelled = threading.Event()

    def script(exchange: Exchange) -> None:
        exchange.head(200, {"Content-Length": str(len(CONTENT))})
        exchange.send(CONTENT[:1000])
        cancelled.set()
        time.sleep(0.1)
        exchange.send(CONTENT[1000:])

    web.scripts["/x.bin"] = script

    attempt.fails(web.url("/x.bin"), "given up", cancelled=cancelled)

    assert len(web.requests) == 1


# -- redirects ------------------------------------------------------------------------------------------------------


def test_redirects_are_followed_and_recorded(web: WebServer, attempt: Attempt) -> None:
    web.scripts["/a"] = redirect("/b", 301)
    web.scripts["/b"] = redirect("c.bin?version=2", 307)
    web.files["/c.bin"] = File(CONTENT)

    fetched = attempt.gets(web.url("/a"), CONTENT)

    assert [str(hop) for hop in fetched.hops] == [web.url("/b"), web.url("/c.bin?version=2")]


def test_a_signed_address_is_not_kept(web: WebServer, attempt: Attempt) -> None:
    web.scripts["/a"] = redirect("/b.bin?X-Amz-Signature=canary&x=1")
    web.files["/b.bin"] = File(CONTENT)

    fetched = attempt.gets(web.url("/a"), CONTENT)

    assert [str(hop) for hop in fetched.hops] == [web.url("/b.bin")]
    assert "X-Amz-Signature=canary" in web.requests[1].query


def test_a_signed_address_is_not_in_a_message(web: WebServer, attempt: Attempt) -> None:
    error = attempt.fails(web.url("/missing.bin?token=canary"), "status 404")

    assert isinstance(error, FetchError)
    assert "canary" not in f"{error.message} {error.where} {error.hint} {error.fields}"


def test_a_circle_of_redirects_is_seen(web: WebServer, attempt: Attempt) -> None:
    web.scripts["/a"] = redirect("/b")
    web.scripts["/b"] = redirect("/a")

    attempt.fails(web.url("/a"), "in a circle")

    assert len(web.requests) == 2


def test_redirects_without_end_are_given_up(web: WebServer, attempt: Attempt) -> None:
    web.scripts["/a/*"] = lambda exchange: redirect(exchange.request.path + "a")(exchange)

    attempt.fails(web.url("/a/"), "more than 10 times")

    assert len(web.requests) == 11


@pytest.mark.parametrize(
    "location",
    ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x", "gopher://127.0.0.1/", "http://user:pw@127.0.0.1/"],
)
def test_a_redirect_to_another_kind_of_place_is_refused(web: WebServer, attempt: Attempt, location: str) -> None:
    web.scripts["/a"] = redirect(location)

    error = attempt.fails(web.url("/a"), "redirected", PolicyError)

    assert "pw" not in str(error)


def test_a_redirect_from_https_to_http_is_refused() -> None:
    with pytest.raises(PolicyError, match="from https to http"):
        redirect_target(Identifier.parse("https://a.example/x"), "https://a.example/x", "http://a.example/x")


@pytest.mark.parametrize(
    "target",
    [
        *("http://127.0.0.1/", "http://169.254.169.254/latest", "http://[::1]/", "http://localhost/"),
        *(
            "http://10.0.0.1/",
            "http://localhost./",
            "http://2852039166/",
            "http://0x7f.1/",
            "http://[::ffff:10.0.0.1]/",
        ),
    ],
)
def test_a_redirect_from_the_world_into_this_network_is_refused(target: str) -> None:
    with pytest.raises(PolicyError, match="own network"):
        redirect_target(Identifier.parse("http://a.example/x"), "http://a.example/x", target)


@pytest.mark.parametrize(
    "target",
    [
        *("http://169.254.169.254/latest", "http://[fe80::1]/", "http://[fe80::1%25eth0]/"),
        *("http://[::ffff:169.254.169.254]/", "http://2852039166/", "http://169.254.43518/"),
    ],
)
@pytest.mark.parametrize("asked", ["http://10.0.0.1/x", "http://127.0.0.1:5000/x", "http://a.example/x"])
def test_a_redirect_to_a_link_local_address_is_refused(asked: str, target: str) -> None:
    with pytest.raises(PolicyError, match=r"own network|can't be used"):
        redirect_target(Identifier.parse(asked), asked, target)


def test_ordinary_redirects_between_hosts_are_allowed() -> None:
    asked = Identifier.parse("http://a.example/x")

    assert redirect_target(asked, "http://a.example/x", "https://b.example/y?v=1#z") == "https://b.example/y?v=1"
    assert redirect_target(asked, "http://10.0.0.1/x", "http://10.0.0.2/") == "http://10.0.0.2/"


def test_nothing_of_netrc_or_of_cookies_is_sent(
    web: WebServer, attempt: Attempt, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = home / ".netrc"
    netrc.write_text("machine 127.0.0.1 login canary password canary\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    web.scripts["/a"] = status(302, headers={"Location": "/b.bin", "Set-Cookie": "canary=1; Path=/"})
    web.files["/b.bin"] = File(CONTENT)

    attempt.gets(web.url("/a"), CONTENT)

    assert not any({"authorization", "cookie"} & set(request.headers) for request in web.requests)


def test_what_looks_like_a_secret_is_left_out_of_an_address() -> None:
    assert without_secrets("https://a.example/x?AWSAccessKeyId=1&Signature=2") == "https://a.example/x"
    assert without_secrets("https://a.example/x?version=2") == "https://a.example/x?version=2"


# -- asking whether anything changed --------------------------------------------------------------------------------


@pytest.mark.parametrize("file", [File(CONTENT), File(CONTENT, etag="")], ids=["etag", "date"])
def test_an_unchanged_file_is_not_fetched_again(web: WebServer, attempt: Attempt, file: File) -> None:
    web.files["/x.bin"] = file
    fetched = attempt.gets(web.url("/x.bin"), CONTENT)
    attempt.into.unlink()

    assert isinstance(attempt(web.url("/x.bin"), dict(fetched.validators)), Unchanged)

    assert not attempt.into.exists()
    assert len(web.requests) == 2


def test_a_changed_file_is_fetched_again(web: WebServer, attempt: Attempt) -> None:
    web.files["/x.bin"] = File(CONTENT)
    fetched = attempt.gets(web.url("/x.bin"), CONTENT)
    attempt.into.unlink()
    web.files["/x.bin"] = File(b"new", etag='"two"')

    attempt(web.url("/x.bin"), dict(fetched.validators))

    assert attempt.into.read_bytes() == b"new"


def test_a_file_changed_this_very_second_has_no_date_to_go_by(web: WebServer, attempt: Attempt) -> None:
    web.files["/x.bin"] = File(CONTENT, etag="", modified=time.time())

    fetched = attempt.gets(web.url("/x.bin"), CONTENT)

    assert fetched.validators == {}


def test_a_survey_learns_the_size_without_the_bytes(web: WebServer, attempt: Attempt) -> None:
    web.scripts["/a"] = redirect("/x.bin")
    web.files["/x.bin"] = File(CONTENT)
    fetcher, context = HttpFetcher(), attempt.context()

    pin = fetcher.survey(fetcher.pin(Identifier.parse(web.url("/a")), context), context)

    assert pin.size == len(CONTENT)
    assert pin.validators["etag"] == '"one"'
    assert {request.method for request in web.requests} == {"HEAD"}


def test_a_survey_of_nothing_says_so(web: WebServer, attempt: Attempt) -> None:
    fetcher, context = HttpFetcher(), attempt.context()

    with pytest.raises(FetchError, match="404"):
        fetcher.survey(fetcher.pin(Identifier.parse(web.url("/none")), context), context)


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('attachment; filename="a b.txt"', "a b.txt"),
        ("attachment; filename=plain.txt", "plain.txt"),
        ("attachment; filename=\"x\"; filename*=UTF-8''na%C3%AFve.txt", "naïve.txt"),
        ('attachment; filename="../../etc/passwd"', "passwd"),
        ("attachment; filename*=UTF-8''..%2F..%2Fetc%2Fpasswd", "passwd"),
        ('attachment; filename=".."', None),
        ('attachment; filename="100%25.txt"', "100%25.txt"),
        ("inline", None),
    ],
)
def test_the_name_that_a_server_suggests_is_made_safe(
    web: WebServer, attempt: Attempt, header: str, name: str | None
) -> None:
    web.files["/x"] = File(b"x", headers={"Content-Disposition": header})

    assert attempt.gets(web.url("/x"), b"x").name == name


def test_a_full_disk_is_named_and_leaves_nothing(
    web: WebServer, attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:

    def full(descriptor: int, data: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    web.files["/x.bin"] = File(CONTENT)
    monkeypatch.setattr("staging.streams._write_all", full)

    attempt.fails(web.url("/x.bin"), "no space left", DiskError)
