"""Registries that lie, stall, send elsewhere or want what they should not get."""

from __future__ import annotations

import base64
import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from staging.errors import ContainerError, DigestError, FetchError, PolicyError, WfexsError
from staging.fetchers.base import FetchContext, Fetched
from staging.fetchers.registry import RegistryFetcher
from staging.identifiers import Identifier
from tests.support.heard import Heard
from tests.support.registries import OCI_INDEX, OCI_MANIFEST, MadeImage, as_json, descriptor, make_image, sha256, tar_of
from tests.support.web import Exchange, File, Script, WebServer, then

LAYER = b"layer" * 100_000
IMAGE = make_image(tar_of({"a": b"x"}))
SECRET = "hunter2-and-more"


@dataclass
class Bench:
    """A fetcher, and a web server that plays the registry as a test tells it to."""

    web: WebServer
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    heard: Heard = field(default_factory=Heard)
    fetcher: RegistryFetcher = field(default_factory=RegistryFetcher)
    retries: int = 3
    expected_size: int | None = None

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.web.port}"

    @property
    def context(self) -> FetchContext:
        context = FetchContext(
            partial=self.folder / "partial",
            progress=self.heard,
            connect_timeout=1.0,
            read_timeout=1.0,
            retries=self.retries,
            expected_size=self.expected_size,
            environment=self.environment,
        )
        # A server that speaks no TLS: it was found out before.
        self.fetcher._client(context)._schemes[self.host] = "http"
        return context

    def serve(self, image: MadeImage, repository: str = "tools", tag: str = "1") -> None:
        """Have an image there, as a proper registry would."""
        for name in (tag, f"sha256:{image.digest}"):
            self.manifest(name, image.manifest, image.kind, repository)
        for digest, content in image.blobs.items():
            self.web.files[f"/v2/{repository}/blobs/sha256:{digest}"] = File(content, etag=f'"{digest}"')

    def manifest(self, name: str, content: bytes, kind: str = OCI_MANIFEST, repository: str = "tools") -> None:
        headers = {"Docker-Content-Digest": f"sha256:{sha256(content)}"}
        self.web.files[f"/v2/{repository}/manifests/{name}"] = File(content, media_type=kind, headers=headers)

    def fetch(self, text: str) -> bytes:
        """The bytes of an identifier that begins after the host."""
        into = self.folder / "into"
        into.unlink(missing_ok=True)
        context = self.context
        pin = self.fetcher.pin(Identifier.parse(text.replace("HOST", self.host)), context)
        assert isinstance(self.fetcher.fetch(pin, into, context, {}), Fetched)
        return into.read_bytes()

    def blob(self, content: bytes) -> bytes:
        return self.fetch(f"oci-blob://HOST/tools@sha256:{sha256(content)}")

    def refused(self, text: str, kind: type[WfexsError]) -> WfexsError:
        with pytest.raises(kind) as caught:
            self.fetch(text)
        told = json.dumps(caught.value.as_json()) + "".join(self.heard.said)
        assert SECRET not in told and base64.b64encode(SECRET.encode()).decode()[:-4] not in told
        assert not (self.folder / "into").exists()
        return caught.value


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr("staging.retries.FIRST_PAUSE", 0.01)
    with WebServer() as web:
        yield Bench(web, tmp_path, {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"})


BLOB = f"/v2/tools/blobs/sha256:{sha256(LAYER)}"
PASSWORD_FILE = f"me:{SECRET}"


def _log_in(bench: Bench, host: str | None = None) -> None:
    folder = bench.folder / ".docker"
    folder.mkdir()
    auth = base64.b64encode(PASSWORD_FILE.encode()).decode()
    (folder / "config.json").write_text(json.dumps({"auths": {host or bench.host: {"auth": auth}}}))
    (folder / "config.json").chmod(0o600)


def _guarded(bench: Bench, path: str, realm: str) -> None:
    """A path that wants a token, and the service that gives it."""
    file = bench.web.files.pop(path)

    def guard(exchange: Exchange) -> None:
        if exchange.request.headers.get("authorization") == f"Bearer {SECRET}":
            exchange.serve(file)
        else:
            challenge = f'Bearer realm="{realm}",service="the service",scope="repository:tools:pull"'
            exchange.answer(b"", 401, {"WWW-Authenticate": challenge})

    bench.web.scripts[path] = guard
    bench.web.files["/token"] = File(as_json({"token": SECRET}), media_type="application/json")


def test_a_token_is_had_by_password_and_used_for_all(bench: Bench) -> None:
    _log_in(bench)
    bench.serve(IMAGE)
    for path in list(bench.web.files):
        _guarded(bench, path, bench.web.url("/token"))

    assert bench.fetch("docker://HOST/tools:1#linux/amd64") == IMAGE.manifest
    assert bench.blob(IMAGE.blobs[IMAGE.config])

    (asked,) = bench.web.of("/token")
    assert asked.query == "service=the+service&scope=repository%3Atools%3Apull"
    assert asked.headers["authorization"] == "Basic " + base64.b64encode(PASSWORD_FILE.encode()).decode()


def test_a_stranger_gets_a_token_too_where_anybody_does(bench: Bench) -> None:
    bench.serve(IMAGE)
    _guarded(bench, "/v2/tools/manifests/1", bench.web.url("/token"))

    assert bench.fetch("docker://HOST/tools:1#linux/amd64") == IMAGE.manifest
    assert "authorization" not in bench.web.of("/token")[0].headers


@pytest.mark.parametrize(
    "realm", ["http://192.0.2.1/token", "ftp://192.0.2.1/", "file:///etc/passwd", "http://localhost.evil.example/"]
)
def test_a_password_is_not_taken_to_an_unsafe_place(bench: Bench, realm: str) -> None:
    _log_in(bench)
    bench.serve(IMAGE)
    _guarded(bench, "/v2/tools/manifests/1", realm)

    error = bench.refused("docker://HOST/tools:1", WfexsError)

    assert isinstance(error, PolicyError | FetchError)


@pytest.mark.parametrize(
    "realm",
    ["https://169.254.169.254/token", "https://10.0.0.7/token", "https://[fe80::1]/token", "https://2852039166/token"],
)
def test_a_token_is_not_asked_for_in_the_network_of_this_machine(bench: Bench, realm: str) -> None:
    bench.serve(IMAGE)
    _guarded(bench, "/v2/tools/manifests/1", realm)

    error = bench.refused("docker://HOST/tools:1", WfexsError)

    assert "not safe" in error.message and error.hint


def test_a_password_goes_to_its_own_host_alone(bench: Bench) -> None:
    _log_in(bench, "registry.example")
    bench.serve(IMAGE)
    _guarded(bench, "/v2/tools/manifests/1", bench.web.url("/token"))

    bench.fetch("docker://HOST/tools:1#linux/amd64")

    assert all("Basic" not in one.headers.get("authorization", "") for one in bench.web.requests)


def test_a_blob_that_lies_elsewhere_is_fetched_there_without_the_token(bench: Bench) -> None:
    with WebServer() as other:
        other.files["/data"] = File(LAYER)
        signed = other.url(f"/data?X-Amz-Signature={SECRET}")

        def redirect(exchange: Exchange) -> None:
            if "authorization" not in exchange.request.headers:
                challenge = f'Bearer realm="{bench.web.url("/token")}"'
                exchange.answer(b"", 401, {"WWW-Authenticate": challenge})
            else:
                exchange.answer(b"", 307, {"Location": signed})

        bench.web.scripts[BLOB] = redirect
        bench.web.files["/token"] = File(as_json({"access_token": SECRET}))

        assert bench.blob(LAYER) == LAYER
        assert [sorted(one.headers) for one in other.requests if "authorization" in one.headers] == []
        assert len(other.requests) == 1


@pytest.mark.parametrize("answer", [b"", b"[]", b'{"token": 1}', b'{"token": "a\\r\\nX: y"}', b"{" * 9999])
def test_a_token_service_without_sense_is_an_error(bench: Bench, answer: bytes) -> None:
    bench.serve(IMAGE)
    _guarded(bench, "/v2/tools/manifests/1", bench.web.url("/token"))
    bench.web.files["/token"] = File(answer)

    assert "no token" in bench.refused("docker://HOST/tools:1", FetchError).message


def _status(status: int, headers: dict[str, str] | None = None, code: str = "X") -> Script:
    body = as_json({"errors": [{"code": code, "message": "\x1b[31mhostile words"}]})
    return lambda exchange: exchange.answer(body, status, headers)


@pytest.mark.parametrize(
    ("status", "words"), [(401, "without credentials"), (403, "without credentials"), (404, "tag")]
)
def test_a_refusal_is_said_in_words_and_not_repeated(bench: Bench, status: int, words: str) -> None:
    bench.web.scripts["/v2/tools/manifests/1"] = _status(status)

    error = bench.refused("docker://HOST/tools:1", FetchError)

    assert words in error.message and "hostile" not in error.message and error.hint
    assert isinstance(error, FetchError) and not error.transient
    assert len(bench.web.requests) <= 2


def test_too_many_requests_are_waited_for(bench: Bench) -> None:
    bench.serve(IMAGE)
    file = bench.web.files.pop("/v2/tools/manifests/1")
    bench.web.scripts["/v2/tools/manifests/1"] = then(
        _status(429, {"Retry-After": "0"}), _status(503), lambda exchange: exchange.serve(file)
    )

    assert bench.fetch("docker://HOST/tools:1#linux/amd64") == IMAGE.manifest


def test_too_many_requests_for_ever_are_an_error_that_says_so(bench: Bench) -> None:
    bench.web.scripts["/v2/tools/manifests/1"] = _status(429, {"Retry-After": "3600"})

    error = bench.refused("docker://HOST/tools:1", FetchError)

    assert "429" in error.message and "3600 s" in error.message and "log in" in str(error.hint)


def test_a_registry_that_says_nothing_is_given_up(bench: Bench) -> None:
    bench.retries = 0
    bench.web.scripts["/v2/tools/manifests/1"] = lambda exchange: time.sleep(2)

    error = bench.refused("docker://HOST/tools:1", FetchError)

    assert isinstance(error, FetchError) and error.transient and bench.host in error.message


def test_a_manifest_that_is_not_what_was_asked_for(bench: Bench) -> None:
    other = make_image(tar_of({"b": b"y"}))
    bench.manifest(f"sha256:{IMAGE.digest}", other.manifest)

    error = bench.refused(f"docker://HOST/tools@sha256:{IMAGE.digest}", DigestError)

    assert error.fields["expected"] == IMAGE.digest and error.fields["actual"] == other.digest


def test_a_manifest_that_is_not_what_the_registry_says(bench: Bench) -> None:
    bench.serve(IMAGE)
    index = as_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []})
    bench.manifest("1", index, OCI_INDEX)
    bench.web.files[f"/v2/tools/manifests/sha256:{sha256(index)}"] = File(index + b" ")

    bench.refused("docker://HOST/tools:1", DigestError)


def test_an_endless_manifest_is_cut(bench: Bench) -> None:
    def endless(exchange: Exchange) -> None:
        exchange.head(200, {"Transfer-Encoding": "chunked"})
        for _ in range(80):
            exchange.send(b"10000\r\n" + b" " * 65536 + b"\r\n")
        exchange.send(b"0\r\n\r\n")

    bench.web.scripts["/v2/tools/manifests/1"] = lambda exchange: (
        exchange.answer(b"", 404) if exchange.request.method == "HEAD" else endless(exchange)
    )

    assert "more than" in bench.refused("docker://HOST/tools:1", FetchError).message


def test_lists_of_lists_come_to_an_end(bench: Bench) -> None:
    content, kind = IMAGE.manifest, OCI_MANIFEST
    for _ in range(6):
        content = as_json(
            {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [descriptor(content, kind)], "x": len(content)}
        )
        kind = OCI_INDEX
        bench.manifest(f"sha256:{sha256(content)}", content, OCI_INDEX)
    bench.manifest("1", content, OCI_INDEX)

    assert "without an end" in bench.refused("docker://HOST/tools:1", ContainerError).message


def test_an_image_of_the_old_schema_is_refused_by_name(bench: Bench) -> None:
    old = as_json({"schemaVersion": 1, "name": "tools", "fsLayers": [], "history": []})
    bench.manifest("1", old, "application/vnd.docker.distribution.manifest.v1+prettyjws")

    assert "schema 1" in bench.refused("docker://HOST/tools:1", ContainerError).message


def _broken_off(at: int) -> Script:
    def script(exchange: Exchange) -> None:
        exchange.head(200, {"Content-Length": str(len(LAYER)), "ETag": '"x"'})
        exchange.send(LAYER[:at])
        exchange.reset()

    return script


def test_a_blob_that_breaks_off_goes_on_where_it_stopped(bench: Bench) -> None:
    bench.web.scripts[BLOB] = then(_broken_off(300_000), lambda exchange: exchange.serve(File(LAYER, etag='"x"')))

    assert bench.blob(LAYER) == LAYER
    assert bench.web.of(BLOB)[1].headers["range"].startswith("bytes=")


def test_a_blob_that_is_changed_on_the_way_is_asked_for_once_more(bench: Bench) -> None:
    changed = LAYER[:-1] + b"X"
    bench.web.scripts[BLOB] = then(
        lambda exchange: exchange.serve(File(changed, etag="")), lambda exchange: exchange.serve(File(LAYER, etag=""))
    )

    assert bench.blob(LAYER) == LAYER
    assert any("trying again" in one for one in bench.heard.said)


def test_a_blob_that_is_always_another_is_a_digest_error(bench: Bench) -> None:
    bench.web.files[BLOB] = File(LAYER[:-1] + b"X")

    error = bench.refused(f"oci-blob://HOST/tools@sha256:{sha256(LAYER)}", DigestError)

    assert error.fields["expected"] == sha256(LAYER)
    assert len(bench.web.of(BLOB)) == 2


def _longer(exchange: Exchange) -> None:
    exchange.answer(LAYER + b"more")


def _endless(exchange: Exchange) -> None:
    exchange.head(200, {"Transfer-Encoding": "chunked"})
    for _ in range(10_000):
        exchange.send(b"10000\r\n" + b"z" * 65536 + b"\r\n")


@pytest.mark.parametrize("script", [_longer, _endless])
def test_a_blob_that_is_longer_than_its_image_says_is_not_taken(
    bench: Bench, script: Callable[[Exchange], None]
) -> None:
    bench.expected_size = len(LAYER)
    bench.web.scripts[BLOB] = script

    error = bench.refused(f"oci-blob://HOST/tools@sha256:{sha256(LAYER)}", DigestError)

    assert str(len(LAYER)) in error.message
    left = [one.stat().st_size for one in (bench.folder / "partial").glob("*")]
    assert sum(left) <= 2 * len(LAYER), "the disk is not filled"


def _in_gzip(exchange: Exchange) -> None:
    content = gzip.compress(LAYER)
    exchange.answer(content, headers={"Content-Encoding": "gzip"})


def _in_gzip_without_end(exchange: Exchange) -> None:
    exchange.head(200, {"Transfer-Encoding": "chunked", "Content-Encoding": "gzip"})
    content = gzip.compress(b"z" * (1 << 22))
    for _ in range(200):
        exchange.send(f"{len(content):x}\r\n".encode() + content + b"\r\n")


@pytest.mark.parametrize("size", [None, len(LAYER)])
@pytest.mark.parametrize("script", [_in_gzip, _in_gzip_without_end])
def test_an_encoded_blob_is_refused_unread(bench: Bench, script: Callable[[Exchange], None], size: int | None) -> None:
    bench.expected_size = size
    bench.web.scripts[BLOB] = script

    error = bench.refused(f"oci-blob://HOST/tools@sha256:{sha256(LAYER)}", FetchError)

    assert "gzip" in error.message and error.hint
    assert sum(one.stat().st_size for one in (bench.folder / "partial").glob("*")) == 0


def test_an_encoded_manifest_is_refused(bench: Bench) -> None:
    bench.serve(IMAGE)
    content = gzip.compress(IMAGE.manifest)
    headers = {"Content-Encoding": "gzip", "Content-Type": OCI_MANIFEST}
    bench.web.scripts[f"/v2/tools/manifests/sha256:{IMAGE.digest}"] = lambda exchange: exchange.answer(
        content, headers=headers
    )

    error = bench.refused(f"docker://HOST/tools@sha256:{IMAGE.digest}", FetchError)

    assert "gzip" in error.message


def test_a_missing_blob_says_that_the_image_is_damaged(bench: Bench) -> None:
    error = bench.refused(f"oci-blob://HOST/tools@sha256:{'0' * 64}", FetchError)

    assert "lacks a part" in error.message and error.hint


def test_a_web_page_in_place_of_a_manifest_says_that_there_is_no_registry(bench: Bench) -> None:
    page = b"<!DOCTYPE html><title>Welcome</title>"
    bench.web.scripts["/v2/tools/manifests/1"] = lambda exchange: exchange.answer(
        page, 200, {"Content-Type": "text/html"}
    )

    error = bench.refused("docker://HOST/tools:1", FetchError)

    assert error.exit_code == 4
    assert "is no registry" in error.message and error.hint


def test_a_redirect_without_end_or_to_a_file_is_refused(bench: Bench) -> None:
    bench.web.scripts[BLOB] = lambda exchange: exchange.answer(b"", 307, {"Location": "file:///etc/passwd"})
    bench.refused(f"oci-blob://HOST/tools@sha256:{sha256(LAYER)}", PolicyError)

    bench.web.scripts[BLOB] = lambda exchange: exchange.answer(b"", 307, {"Location": bench.web.url(BLOB)})
    bench.refused(f"oci-blob://HOST/tools@sha256:{sha256(LAYER)}", FetchError)


def test_a_question_that_is_cut_short_is_given_up_and_not_asked_in_plain(tmp_path: Path) -> None:
    cancelled = threading.Event()
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(10)

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                asked.append(connection.recv(1))
                # Another download fails just now.
                cancelled.set()

        serving = threading.Thread(target=serve)
        serving.start()
        identifier = Identifier.parse(f"docker://127.0.0.1:{listening.getsockname()[1]}/tools:1")
        context = FetchContext(
            partial=tmp_path / "partial",
            progress=Heard(),
            connect_timeout=2.0,
            read_timeout=2.0,
            retries=3,
            cancelled=cancelled,
            environment={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        )

        with pytest.raises(FetchError) as caught:
            RegistryFetcher().pin(identifier, context)

        serving.join(10)
        listening.settimeout(0)
        with pytest.raises(BlockingIOError):
            listening.accept()
    assert asked == [b"\x16"]
    assert caught.value.message == "given up"
