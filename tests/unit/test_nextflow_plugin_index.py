"""The index of Nextflow plugins: which release a declared name means, and what is said when it means none."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.base import Plugin
from engines.nextflow.reading.plugin_index import SETTING, Asked, choose, core_versions, declaration, parse, resolve
from engines.nextflow.setup.versions import Version
from staging.errors import DefinitionError, FetchError, WfexsError
from tests.support.web import File, WebServer

SHA512 = "ab" * 64


def release(version: str, requires: str = ">=21.04.0", **other: Any) -> dict[str, Any]:
    return {
        "version": version,
        "url": f"https://example.org/nf-schema-{version}.zip",
        "date": "2024-09-10T10:02:36.410+02:00",
        "sha512sum": SHA512,
        "requires": requires,
        **other,
    }


DOCUMENT = [
    {
        "id": "nf-schema",
        "releases": [
            release("2.0.0", ">=22.10.0"),
            release("2.1.9", ">=23.10.0"),
            release("2.1.10", ">=23.10.0"),
            release("2.2.0", ">=24.10.0"),
            release("2.3.0-beta.1", ">=22.10.0"),
        ],
    },
    {"id": "nf-early", "releases": [release("0.1.0-beta.1"), release("0.1.0-beta.2", sha512sum=None)]},
    {"id": "nf-amazon", "releases": [release("2.9.0"), release("3.0.0", "nextflow@>=25.04.0")]},
]
TEXT = json.dumps(DOCUMENT).encode()
INDEX = parse(TEXT, "index")


@pytest.fixture
def index_file(tmp_path: Path) -> Path:
    path = tmp_path / "plugins.json"
    path.write_bytes(TEXT)
    return path


@pytest.mark.parametrize(
    ("name", "engine", "version"),
    [
        ("nf-schema@2.0.0", "24.10.0", "2.0.0"),
        ("nf-schema@2.3.0-beta.1", "24.10.0", "2.3.0-beta.1"),
        ("nf-schema", "24.10.0", "2.2.0"),
        ("nf-schema", "23.10.1", "2.1.10"),
        ("nf-schema", "22.10.7", "2.0.0"),
        ("nf-schema@~2.1.0", "24.10.0", "2.1.10"),
        ("nf-schema@~2.1", "24.10.0", "2.1.10"),
        ("nf-early", "24.10.0", "0.1.0-beta.2"),
        ("nf-amazon", "24.10.0", "2.9.0"),
        ("nf-amazon", "25.04.1", "3.0.0"),
    ],
)
def test_a_name_means_the_newest_release_for_the_engine_or_the_one_it_says(
    name: str, engine: str, version: str
) -> None:
    assert choose(INDEX, Asked.parse(name), engine).version == version


def test_what_is_resolved_keeps_the_order_and_tells_address_and_digest(index_file: Path) -> None:
    found = resolve(("nf-schema", "nf-early", "nf-schema"), "23.10.1", {SETTING: str(index_file)})

    assert found == (
        Plugin("nf-schema", "2.1.10", "https://example.org/nf-schema-2.1.10.zip", SHA512),
        Plugin("nf-early", "0.1.0-beta.2", "https://example.org/nf-schema-0.1.0-beta.2.zip", None),
    )


def test_a_core_plugin_without_a_version_is_the_one_that_goes_with_the_engine(index_file: Path) -> None:
    environment = {SETTING: str(index_file)}

    (bare,) = resolve(("nf-amazon",), "25.04.1", environment, {"nf-amazon": "2.9.0"})
    (asked,) = resolve(("nf-amazon@3.0.0",), "25.04.1", environment, {"nf-amazon": "2.9.0"})

    assert (bare.version, asked.version) == ("2.9.0", "3.0.0")


def test_the_core_plugins_are_those_that_the_engines_jar_names(tmp_path: Path) -> None:
    other, own = tmp_path / "other.jar", tmp_path / "own.jar"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("a.class", b"")
    with zipfile.ZipFile(own, "w") as archive:
        archive.writestr("META-INF/plugins-info.txt", "nf-amazon@2.9.0\nnf-wave@1.7.2\n../x@1\n")

    assert core_versions([other, own]) == {"nf-amazon": "2.9.0", "nf-wave": "1.7.2"}
    assert core_versions([other, tmp_path / "gone.jar"]) == {}


@pytest.mark.parametrize(
    ("name", "engine", "message", "hint"),
    [
        ("nf-shema@2.0.0", "24.10.0", "nf-shema", "did you mean 'nf-schema'?"),
        ("nf-schema@2.1.8", "24.10.0", "no such version", "2.1.9"),
        ("nf-schema@~9.9.0", "24.10.0", "no such version", "2.2.0"),
    ],
)
def test_what_is_not_in_the_index_cannot_be_fetched_and_what_is_near_is_told(
    name: str, engine: str, message: str, hint: str
) -> None:
    with pytest.raises(FetchError) as caught:
        choose(INDEX, Asked.parse(name), engine)

    assert message in caught.value.message
    assert hint in str(caught.value.hint)
    assert name in caught.value.message


@pytest.mark.parametrize("name", ["nf-schema@2.2.0", "nf-schema@~2.1.0"])
def test_a_version_that_is_not_for_the_engine_is_refused_and_those_that_are_get_named(name: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        choose(INDEX, Asked.parse(name), "22.10.7")

    assert "22.10.7" in caught.value.message
    assert "2.0.0" in str(caught.value.hint)


@pytest.mark.parametrize("name", ["", "@1.0", "nf-x@", "a/b@1", "../x", "nf x", "nf-x@1/..", "nf-x@latest'", "nf-x@~1"])
def test_what_is_no_name_of_a_plugin_is_a_fault_of_the_workflow(name: str) -> None:
    with pytest.raises(DefinitionError):
        resolve((name,), "24.10.0", {SETTING: "unused"})


def test_one_plugin_in_two_versions_is_refused(index_file: Path) -> None:
    with pytest.raises(DefinitionError, match=r"nf-schema@2\.0\.0 and as nf-schema@2\.1\.9"):
        resolve(("nf-schema@2.0.0", "nf-schema@2.1.9"), "24.10.0", {SETTING: str(index_file)})


def test_no_names_ask_nobody() -> None:
    assert resolve((), "24.10.0", {SETTING: "http://127.0.0.1:1/plugins.json"}) == ()


def test_the_index_comes_from_a_web_address_and_relative_addresses_are_read_from_it() -> None:
    document = [{"id": "nf-x", "releases": [release("1.0.0", url="archives/nf-x.zip")]}]
    with WebServer() as web:
        web.files["/sub/plugins.json"] = File(json.dumps(document).encode())

        (found,) = resolve(("nf-x",), "24.10.0", {SETTING: web.url("/sub/plugins.json")})

        assert found.url == web.url("/sub/archives/nf-x.zip")


def test_relative_addresses_of_a_local_index_are_beside_it(tmp_path: Path) -> None:
    index = tmp_path / "my mirror" / "plugins.json"
    index.parent.mkdir()
    index.write_text(json.dumps([{"id": "nf-x", "releases": [release("1.0.0", url="nf-x.zip")]}]))

    (found,) = resolve(("nf-x",), "24.10.0", {SETTING: str(index)})

    assert found.url == f"file://{tmp_path}/my%20mirror/nf-x.zip"


@pytest.mark.parametrize("url", ["file:///etc/passwd", "git+https://example.org/x", "ftp://example.org/x.zip"])
def test_an_index_on_the_web_leads_to_nothing_but_the_web(url: str) -> None:
    document = [{"id": "nf-x", "releases": [release("1.0.0", url=url)]}]
    with WebServer() as web:
        web.files["/plugins.json"] = File(json.dumps(document).encode())

        with pytest.raises(FetchError, match="not fetched from"):
            resolve(("nf-x",), "24.10.0", {SETTING: web.url("/plugins.json")})


def test_an_index_that_is_not_to_be_had_names_the_variable_and_what_wants_it() -> None:
    with WebServer() as web, pytest.raises(FetchError) as caught:
        resolve(("nf-schema@2.1.1",), "24.10.0", {SETTING: web.url("/none.json")})

    assert "nf-schema@2.1.1" in caught.value.message
    assert SETTING in str(caught.value.hint)


@pytest.mark.parametrize("text", [b"<html>", b"{}", b"[" * 100_000])
def test_what_is_no_index_is_said_to_be_none(text: bytes, tmp_path: Path) -> None:
    path = tmp_path / "plugins.json"
    path.write_bytes(text)

    with pytest.raises(FetchError, match="no index of Nextflow plugins"):
        resolve(("nf-schema",), "24.10.0", {SETTING: str(path)})


def test_an_index_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engines.nextflow.reading.plugin_index._LARGEST", 1 << 16)
    with WebServer() as web:
        web.files["/plugins.json"] = File(TEXT + b" " * (1 << 20))

        with pytest.raises(FetchError, match="is larger than"):
            resolve(("nf-schema",), "24.10.0", {SETTING: web.url("/plugins.json")})


def test_a_digest_that_is_none_is_not_taken_for_nothing() -> None:
    with pytest.raises(FetchError, match="sha512sum"):
        parse(json.dumps([{"id": "nf-x", "releases": [release("1.0.0", sha512sum="abc")]}]).encode(), "index")


def test_a_declaration_holds_every_plugin_exactly() -> None:
    assert declaration(()) == ""
    assert declaration(("nf-a@1.0.0", "nf-b@2.1.0-beta")) == "plugins {\n  id 'nf-a@1.0.0'\n  id 'nf-b@2.1.0-beta'\n}\n"


VERSIONS = st.builds("{}.{}.{}".format, *[st.integers(0, 12)] * 3)


@given(st.lists(VERSIONS, min_size=1, unique=True), st.sampled_from(["", "~"]), VERSIONS)
def test_of_all_that_is_meant_nothing_is_newer_than_what_is_chosen(versions: list[str], kind: str, wanted: str) -> None:
    index = parse(json.dumps([{"id": "nf-x", "releases": [release(one) for one in versions]}]).encode(), "index")
    asked = Asked.parse(f"nf-x@~{wanted}" if kind else "nf-x")
    meant = [one for one in versions if not kind or one.split(".")[:2] == wanted.split(".")[:2]]
    meant = [one for one in meant if not kind or Version.parse(one) >= Version.parse(wanted)]
    try:
        chosen = choose(index, asked, "24.10.0").version
    except FetchError:
        assert meant == []
        return
    assert chosen == max(meant, key=Version.parse)


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "releases", "version", "url", "sha512sum", "requires"]), inner)
    ),
)


@given(JSON | st.lists(st.fixed_dictionaries({"id": st.just("nf-x"), "releases": st.lists(JSON, max_size=3)})))
def test_no_index_whatever_is_in_it_is_more_than_a_sentence(document: object) -> None:
    try:
        choose(parse(json.dumps(document).encode(), "index"), Asked.parse("nf-x"), "24.10.0")
    except WfexsError as error:
        assert error.message


@given(st.text(max_size=30))
def test_a_name_that_is_taken_reads_the_same_again(text: str) -> None:
    try:
        asked = Asked.parse(text)
    except DefinitionError:
        return
    assert Asked.parse(str(asked)) == asked
