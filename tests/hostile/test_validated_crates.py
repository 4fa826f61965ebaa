"""Crates that are made to harm whoever validates them: a sentence and an exit code, no fetch, no traceback."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from staging.errors import WfexsError
from tests.conftest import Command
from tests.support.web import WebServer
from wfexs_like.crate.graph import METADATA
from wfexs_like.crate.validation import judge_crate, root_of
from wfexs_like.reading.contents import open_crate

CONTEXT = "https://w3id.org/ro/crate/1.1/context"
DESCRIPTOR = {"@id": METADATA, "@type": "CreativeWork", "about": {"@id": "./"}, "conformsTo": {"@id": CONTEXT[:-8]}}


def document(*entities: Any, context: Any = CONTEXT, **root: Any) -> str:
    made = {"@id": "./", "@type": "Dataset", "name": "n", "description": "d", "datePublished": "2026-01-01", **root}
    made.setdefault("license", {"@id": "https://spdx.org/licenses/MIT"})
    licence = {"@id": "https://spdx.org/licenses/MIT", "@type": "CreativeWork", "name": "MIT"}
    return json.dumps({"@context": context, "@graph": [DESCRIPTOR, made, licence, *entities]})


def nested(depth: int) -> str:
    return document({"@id": "#a", "@type": "Thing", "name": "x"}).replace('"x"', '{"a":' * depth + "1" + "}" * depth)


CORPUS: dict[str, tuple[Callable[[], str], int, str]] = {
    "deep": (lambda: nested(100_000), 14, "nested too deeply"),
    "rather-deep": (lambda: nested(400), 9, ""),
    "huge-number": (lambda: document(version="N").replace('"N"', "1" * 100_000), 9, "can't be understood"),
    "infinite": (lambda: document(version="N").replace('"N"', "1e999999"), 0, ""),
    "not-a-number": (lambda: document(version="N").replace('"N"', "NaN"), 9, "NaN"),
    "twice": (lambda: document({"@id": "#a", "@type": "Thing"}, {"@id": "#a", "@type": "Person"}), 9, "more than once"),
    "no-id": (lambda: document({"@type": "Thing", "name": "x"}), 9, "no @id"),
    "key-twice": (lambda: document().replace('"name": "n"', '"name": "n", "name": "m"'), 9, "twice"),
    "many": (lambda: document(*({"@id": f"#{one}", "@type": "Thing"} for one in range(300_000))), 14, "too much"),
    "crowded": (lambda: document().replace('"name": "n"', '"name": [' + "0," * 11_000_000 + "0]"), 14, "too many"),
    "cycle": (
        lambda: document(
            {"@id": "a/", "@type": "Dataset", "name": "a", "hasPart": {"@id": "b/"}},
            {"@id": "b/", "@type": "Dataset", "name": "b", "hasPart": {"@id": "a/"}},
            hasPart={"@id": "a/"},
        ),
        9,
        "",
    ),
    "outside": (
        lambda: document({"@id": "../../../../etc/passwd", "@type": "File", "name": "p"}, hasPart={"@id": "../x"}),
        9,
        "",
    ),
    "no-graph": (lambda: '{"@context": "x"}', 9, "no @graph"),
    "nothing": (lambda: "", 9, "not JSON"),
    "texts-for-ids": (lambda: document(hasPart=["a", 1, None, {"@id": 5}, [[{"@id": "#b"}]]]), 9, ""),
}


@pytest.fixture
def web() -> Iterator[WebServer]:
    with WebServer() as server:
        yield server


@pytest.fixture
def crate(tmp_path: Path) -> Path:
    (tmp_path / "crate").mkdir()
    return tmp_path / "crate"


def outcome(crate: Path, *profiles: str) -> tuple[int, str]:
    """The exit code and all that is said; any other error than ours is a fault."""
    try:
        verdicts = judge_crate(crate, profiles=profiles, cache=crate.parent / "cache")
    except WfexsError as error:
        return error.exit_code, str(error)
    said = " ".join(one.message for verdict in verdicts for one in verdict.issues)
    return 0 if all(one.passed for one in verdicts) else 9, said


@pytest.mark.parametrize("name", CORPUS)
def test_hostile_metadata_are_told_in_a_sentence(crate: Path, name: str) -> None:
    make, code, words = CORPUS[name]
    (crate / METADATA).write_text(make())
    told = outcome(crate, "ro-crate-1.1")
    assert told[0] == code, told
    assert words in told[1]


def test_the_command_line_tells_it_in_a_few_lines(wfexs: Command, crate: Path) -> None:
    (crate / METADATA).write_text(nested(100_000))
    told = wfexs("validate", crate)
    assert told.code == 14
    assert "Traceback" not in told.stderr
    assert len(told.stderr.splitlines()) < 4


@pytest.mark.parametrize(
    "where",
    [
        lambda url: document(context=url),
        lambda url: document(context=[CONTEXT, url]),
        lambda url: document(context=[CONTEXT, {"@import": url}]),
        lambda url: document(context=[CONTEXT, {"name": {"@id": "x:name", "@context": url}}]),
        lambda url: document({"@id": "#a", "@type": "Thing", "@context": url, "name": "x"}),
        lambda url: document({"@id": "#a", "@type": "Thing", "about": {"@context": [url], "name": "x"}}),
    ],
    ids=["alone", "second", "import", "scoped", "entity", "value"],
)
def test_no_context_is_fetched_wherever_it_is_asked_for(
    crate: Path, web: WebServer, where: Callable[[str], str]
) -> None:
    for address in (web.url("/context.jsonld"), "/etc/passwd", "file:///etc/passwd", "../secret.jsonld"):
        (crate / METADATA).write_text(where(address))
        code, said = outcome(crate)
        assert (code, "not built in" in said) == (9, True)
    assert web.requests == []


def test_no_entity_is_fetched(crate: Path, web: WebServer) -> None:
    far = {"@id": web.url("/data.txt"), "@type": "File", "name": "far", "contentUrl": web.url("/other.txt")}
    root = {"hasPart": {"@id": far["@id"]}, "conformsTo": {"@id": web.url("/profile")}}
    (crate / METADATA).write_text(document(far, **root))
    code, said = outcome(crate, "ro-crate-1.1")
    assert (code, f"{far['@id']} is not available" in said) == (0, True)
    assert web.requests == []


def test_the_validator_itself_opens_no_connection(crate: Path, web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wfexs_like.crate.validation._foreign_contexts", lambda _: ())
    (crate / METADATA).write_text(document(context=[CONTEXT, web.url("/context.jsonld")]))
    code, said = outcome(crate, "ro-crate-1.1")
    assert code == 9, said
    assert web.requests == []


@pytest.mark.parametrize("kind", ["link-out", "pipe", "folder", "link-to-link"])
def test_metadata_that_are_no_file_of_the_crate_are_not_read(crate: Path, tmp_path: Path, kind: str) -> None:
    (tmp_path / "outside.json").write_text(document())
    place = crate / METADATA
    if kind == "link-out":
        place.symlink_to("../outside.json")
    elif kind == "pipe":
        os.mkfifo(place)
    elif kind == "folder":
        place.mkdir()
    else:
        (crate / "b").symlink_to(METADATA)
        place.symlink_to("b")
    code, said = outcome(crate)
    assert (code, "not an RO-Crate" in said) == (9, True)


def test_a_zip_with_a_trick_in_it_writes_nothing_and_is_refused_by_name(tmp_path: Path) -> None:
    evil = tmp_path / "evil.zip"
    with zipfile.ZipFile(evil, "w") as archive:
        archive.writestr(METADATA, document())
        archive.writestr("../../escaped.txt", "x")
    code, said = outcome(evil)
    assert (code, "escaped.txt" in said) == (14, True)
    assert not any((one / "escaped.txt").exists() for one in (*tmp_path.parents[:3], Path.cwd()))


def test_a_zip_that_is_none_is_told_as_that(tmp_path: Path) -> None:
    (tmp_path / "no.zip").write_bytes(b"PK\x03\x04 nonsense")
    code, said = outcome(tmp_path / "no.zip")
    assert (code, "no.zip is no zip archive" in said) == (3, True)


@pytest.mark.parametrize("prefix", ["", "one/", "data/", "bag/data/"])
def test_a_crate_is_found_in_a_wrapper_and_in_a_bag(tmp_path: Path, prefix: str) -> None:
    names = [prefix + METADATA, f"{prefix}a.txt"]
    if prefix.endswith("data/"):
        names += [prefix.removesuffix("data/") + one for one in ("bagit.txt", "manifest-sha512.txt")]
    with zipfile.ZipFile(tmp_path / "crate.zip", "w") as archive:
        for name in names:
            archive.writestr(name, document({"@id": "a.txt", "@type": "File", "name": "a"}, hasPart={"@id": "a.txt"}))
    with zipfile.ZipFile(tmp_path / "crate.zip") as archive:
        archive.extractall(tmp_path / "folder")
    for place in (tmp_path / "crate.zip", tmp_path / "folder"):
        with open_crate(place) as contents:
            found = root_of(contents)
            assert found is not None
            assert f"{found}a.txt" in contents.members
    if prefix == "bag/data/":
        assert [outcome(tmp_path / one, "ro-crate-1.1")[0] for one in ("crate.zip", "folder")] == [0, 0]
