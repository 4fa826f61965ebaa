"""Hostile crates for ``verify``: nothing outside is read, nothing hangs, all is told by name."""

from __future__ import annotations

import io
import itertools
import json
import os
import random
import stat
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from staging.errors import CrateError, PolicyError, UsageError, WfexsError
from staging.fingerprints import Tree
from wfexs_like.cli.context import App
from wfexs_like.cli.main import main
from wfexs_like.reading.contents import Contents
from wfexs_like.seal.naming import LOCK_DIGEST, MANIFEST, TREE_RULE
from wfexs_like.verifying.report import VerifyReport
from wfexs_like.verifying.statements import read_statements
from wfexs_like.verifying.verify import verify_crate

METADATA = "ro-crate-metadata.json"
EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def described(*entities: dict[str, Any]) -> str:
    root = [{"@id": METADATA, "@type": "CreativeWork", "about": {"@id": "./"}}, {"@id": "./", "@type": "Dataset"}]
    return json.dumps({"@context": "https://w3id.org/ro/crate/1.1/context", "@graph": [*root, *entities]})


def crate_of(folder: Path, *entities: dict[str, Any]) -> Path:
    folder.mkdir()
    (folder / METADATA).write_text(described(*entities))
    return folder


def problems(report: VerifyReport) -> dict[str, str]:
    return {one.path: one.problem for one in report.problems}


@pytest.mark.parametrize(
    "identifier",
    [
        "../secret",
        "/etc/passwd",
        "a/../../secret",
        "%2e%2e/secret",
        "%2Fetc/passwd",
        "..%2fsecret",
        "a%00b",
        "a\\..\\b",
    ],
)
def test_an_id_that_leads_out_is_a_problem_and_reads_nothing(tmp_path: Path, identifier: str) -> None:
    (tmp_path / "secret").write_bytes(b"")
    crate = crate_of(tmp_path / "crate", {"@id": identifier, "@type": "File", "sha256": EMPTY_SHA256})
    report = verify_crate(crate)
    assert list(problems(report)) == [identifier]
    assert report.files == 0


@pytest.mark.parametrize("target", ["/etc/passwd", "../secret", "deep/../../secret"])
def test_a_link_that_leads_out_is_told_and_not_followed(tmp_path: Path, target: str) -> None:
    (tmp_path / "secret").write_bytes(b"")
    crate = crate_of(tmp_path / "crate", {"@id": "link", "@type": "File", "sha256": EMPTY_SHA256})
    (crate / "link").symlink_to(target)
    report = verify_crate(crate)
    assert "leads out of the crate" in problems(report)["link"]
    assert report.files == 0


def test_a_file_reached_by_a_link_of_the_crate_that_turns_out_is_not_read(tmp_path: Path) -> None:
    """Each of the links stays inside by itself."""
    (tmp_path / "secret").write_bytes(b"")
    crate = crate_of(tmp_path / "crate", {"@id": "deep/up/secret", "@type": "File", "sha256": EMPTY_SHA256})
    (crate / "deep" / "er").mkdir(parents=True)
    (crate / "deep" / "up").symlink_to("er/top")
    (crate / "deep" / "er" / "top").symlink_to("../..")
    report = verify_crate(crate)
    assert "deep/up/secret" in problems(report)
    assert report.files == 0


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    crate = crate_of(tmp_path / "crate", {"@id": "a", "@type": "File"}, {"@id": "a/b/c", "@type": "File"})
    (crate / "a").symlink_to("b")
    (crate / "b").symlink_to("a")
    assert {"a", "a/b/c"} <= set(problems(verify_crate(crate)))


def test_pipes_sockets_and_names_that_are_no_text_are_told(tmp_path: Path) -> None:
    crate = crate_of(tmp_path / "crate", {"@id": "pipe", "@type": "File", "sha256": EMPTY_SHA256})
    os.mkfifo(crate / "pipe")
    (Path(os.fsdecode(os.fsencode(crate) + b"/\xff"))).write_bytes(b"")
    (crate / "a\nb").write_bytes(b"")
    found = problems(verify_crate(crate))
    assert set(found) == {"pipe", "\\udcff", "a\nb"}
    out = io.StringIO()
    assert main(["verify", str(crate)], App(stdout=out, stderr=io.StringIO())) == 5
    assert len([line for line in out.getvalue().splitlines() if "trusted" in line]) == 2


def test_the_metadata_themselves_may_be_no_pipe_and_no_link_out(tmp_path: Path) -> None:
    for name in ("pipe", "link"):
        crate = tmp_path / name
        crate.mkdir()
        os.mkfifo(crate / METADATA) if name == "pipe" else (crate / METADATA).symlink_to("/etc/passwd")
        assert list(problems(verify_crate(crate))) == [METADATA]


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"@graph": ' + '{"a":' * 50_000,
        '{"@graph": [NaN]}',
        '{"@graph": [{"@id": "a", "contentSize": Infinity}]}',
        '{"@graph": [], "@graph": []}',
        '{"@graph": {}}',
        "[]",
        "null",
        '{"@graph": [{"@id": "a", "n": ' + "9" * 5000 + "}]}",
        "\x00",
        "",
    ],
)
def test_metadata_that_no_two_readers_agree_on_are_a_problem(tmp_path: Path, text: str) -> None:
    crate = tmp_path / "crate"
    crate.mkdir()
    (crate / METADATA).write_text(text)
    assert list(problems(verify_crate(crate))) == [METADATA]


@pytest.mark.parametrize("value", ["none", None, ["0" * 64]])
def test_a_folder_s_digest_that_is_none_is_a_problem(tmp_path: Path, value: Any) -> None:
    said = {"@id": "#tree", "@type": "PropertyValue", "propertyID": TREE_RULE, "value": value}
    crate = crate_of(tmp_path / "c", {"@id": "a/", "@type": "Dataset", "identifier": {"@id": "#tree"}}, said)
    (crate / "a").mkdir()
    (crate / "a" / "b").write_bytes(b"")
    assert list(problems(verify_crate(crate))) == ["a"]


def test_what_a_crate_says_is_no_line_of_ours(tmp_path: Path) -> None:
    lie = "today\n\x1b[32mthe crate is as it was signed"
    run = {"@id": f"#{lie}", "@type": "CreateAction", "name": lie, "startTime": lie, "actionStatus": lie}
    lock = {"@id": "#lock", "propertyID": LOCK_DIGEST, "value": lie}
    crate = crate_of(tmp_path / "c", run, lock)
    told = (crate / METADATA).read_text()
    (crate / METADATA).write_text(told.replace('"./", "@type"', f'"./", "datePublished": {json.dumps(lie)}, "@type"'))
    (crate / lie).write_bytes(b"")
    out = io.StringIO()
    assert main(["verify", str(crate)], App(stdout=out, stderr=io.StringIO())) != 0
    assert not [line for line in out.getvalue().splitlines() if line.startswith("the crate is")]
    assert "\x1b" not in out.getvalue()


def test_a_folder_under_a_thousand_names_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["".join(one) for one in itertools.product(*((letter, f"%{ord(letter):x}") for letter in "abcdefghij"))]
    said = {"@id": "#tree", "@type": "PropertyValue", "propertyID": TREE_RULE, "value": ""}
    folder = tmp_path / "c" / "abcdefghij"
    entities = [{"@id": f"{one}/", "@type": "Dataset", "identifier": {"@id": "#tree"}} for one in names]
    crate = crate_of(tmp_path / "c", *entities, said)
    folder.mkdir()
    (folder / "file").write_bytes(b"")
    said["value"] = Tree.of_directory(folder).fingerprint.digest
    (crate / METADATA).write_text(described(*entities, said))
    made: list[object] = []
    of = Tree.of
    monkeypatch.setattr(Tree, "of", lambda entries: made.append(entries) or of(entries))  # type: ignore[func-returns-value]
    assert verify_crate(crate).ok
    assert len(made) == 1


def test_the_way_to_what_is_not_there_is_given_up_where_it_ends() -> None:
    contents = Contents(links={"link": "elsewhere"})
    start = time.process_time()
    for _ in range(1000):
        assert contents.resolve("/".join(["a"] * 2000)) is None
    assert time.process_time() - start < 3


def test_a_lock_that_is_none_is_a_problem_where_the_metadata_tell_of_it(tmp_path: Path) -> None:
    said = {"@id": "#digest", "@type": "PropertyValue", "propertyID": LOCK_DIGEST, "value": f"sha256:{EMPTY_SHA256}"}
    crate = crate_of(tmp_path / "c", {"@id": "stage.lock.json", "@type": "File"}, said)
    (crate / "stage.lock.json").write_bytes(b"{}")
    assert list(problems(verify_crate(crate))) == ["stage.lock.json"]


def test_metadata_that_would_fill_the_memory_are_not_read(tmp_path: Path) -> None:
    crate = crate_of(tmp_path / "c")
    (crate / METADATA).write_bytes(b'{"@graph": [' + b"{}," * 10_000_000 + b"{}]}")
    assert problems(verify_crate(crate)) == {METADATA: "can't be understood: it has too many values"}


def test_an_entity_that_is_described_twice_is_a_problem(tmp_path: Path) -> None:
    """The second one would hide the first from whoever reads the last."""
    twice = [{"@id": "a", "@type": "File", "sha256": digest * 64} for digest in "ab"]
    crate = crate_of(tmp_path / "crate", *twice)
    (crate / "a").write_bytes(b"")
    found = problems(verify_crate(crate))
    assert "more than once" in found[METADATA]


@pytest.mark.parametrize(
    "stated",
    [
        {"sha256": "x"}, {"sha256": 5}, {"sha256": [EMPTY_SHA256, "0" * 64]}, {"sha256": {"@id": "a"}},
        {"sha512": EMPTY_SHA256}, {"sha1": "0" * 40}, {"md5": "0" * 32}, {"contentSize": "1"}, {"contentSize": -1},
        {"contentSize": 1e300}, {"contentSize": "0x0"}, {"contentSize": ["0", "7"]},
    ],
)  # fmt: skip
def test_a_value_that_is_not_the_file_s_is_one_problem_of_the_file(tmp_path: Path, stated: dict[str, Any]) -> None:
    crate = crate_of(tmp_path / "crate", {"@id": "a", "@type": "File", **stated})
    (crate / "a").write_bytes(b"")
    assert list(problems(verify_crate(crate))) == ["a"]


def test_other_makers_crates_are_read_as_they_are_written(tmp_path: Path) -> None:
    crate = crate_of(
        tmp_path / "crate",
        {"@id": "./a b.txt", "@type": ["File", "Image"], "contentSize": 1, "md5": "0CC175B9C0F1B6A831C399E269772661"},
        {"@id": "c%20d#e", "@type": "MediaObject", "contentSize": "1 B"},
        {"@id": "folder/", "@type": "Dataset"},
        {"@id": "https://example.org/x", "@type": "File", "sha256": EMPTY_SHA256},
        {"@id": "#local", "@type": "File"},
        {"@id": "_:b0", "@type": "File"},
        {"@id": "run", "@type": "CreateAction", "name": "it"},
    )  # fmt: skip
    for name in ("a b.txt", "c d", "folder/anything"):
        (crate / name).parent.mkdir(exist_ok=True)
        (crate / name).write_bytes(b"a")
    report = verify_crate(crate)
    assert problems(report) == {}
    assert (report.files, report.elsewhere) == (1, 2)


def zipped(path: Path, *entries: tuple[str, bytes, int]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content, mode in entries:
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr, info.compress_type = 3, mode << 16, zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return path


PLAIN = stat.S_IFREG | 0o644


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("name", "content", "mode"),
    [
        ("../out", b"x", PLAIN),
        ("/etc/passwd", b"x", PLAIN),
        ("a\\b", b"x", PLAIN),
        (METADATA, b"{}", PLAIN),
        (METADATA.upper(), b"{}", PLAIN),
        (f"{METADATA}/below", b"x", PLAIN),
        ("link", b"/etc/passwd", stat.S_IFLNK | 0o777),
        ("link", b"../up", stat.S_IFLNK | 0o777),
        ("pipe", b"", stat.S_IFIFO | 0o644),
        ("device", b"", stat.S_IFCHR | 0o644),
        ("suid", b"x", stat.S_IFREG | 0o4755),
        ("bomb", b"\0" * (80 << 20), PLAIN),
    ],
)
def test_a_zip_with_an_entry_that_plays_tricks_is_refused_by_its_name(
    tmp_path: Path, name: str, content: bytes, mode: int
) -> None:
    crate = zipped(tmp_path / "c.zip", (METADATA, described().encode(), PLAIN), (name, content, mode))
    with pytest.raises(PolicyError) as refused:
        verify_crate(crate)
    assert str(refused.value.where).lower().startswith(name.lower())
    assert list(tmp_path.iterdir()) == [crate]


def test_what_is_no_crate_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").write_text("text")
    (tmp_path / "sealed").write_bytes(b"crypt4gh\1\0\0\0")
    zipped(tmp_path / "other.zip", ("a", b"", PLAIN))
    for name in ("empty", "text", "sealed", "other.zip"):
        with pytest.raises(UsageError if name == "sealed" else CrateError):
            verify_crate(tmp_path / name)


def test_a_list_whose_names_lead_out_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"")
    crate = crate_of(tmp_path / "crate")
    (crate / MANIFEST).write_text(f"{'0' * 128}  ../secret\n")
    assert list(problems(verify_crate(crate))) == [MANIFEST]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.integers(0, 2**32))
def test_a_damaged_zip_is_told_without_a_traceback(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    entity = {"@id": "a", "@type": "File", "sha256": EMPTY_SHA256}
    crate = zipped(tmp_path / "c.zip", (METADATA, described(entity).encode(), PLAIN), ("a", b"text " * 50, PLAIN))
    content = bytearray(crate.read_bytes())
    for _ in range(rng.randrange(1, 4)):
        content[rng.randrange(len(content))] = rng.randrange(256)
    crate.write_bytes(content)
    try:
        verify_crate(crate)  # a date may have been hit, which harms nothing
    except WfexsError as error:
        assert error.exit_code in (3, 9, 14)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ["@id", "@type", "sha256", "contentSize", "encodingFormat", "identifier", "propertyID", "value", "about", "name"]
)


@given(
    st.lists(st.dictionaries(NAMES, VALUES | st.sampled_from(["./", METADATA, "File", "Dataset", "#x"]), max_size=6))
)
def test_any_graph_is_read_or_refused(graph: list[dict[str, Any]]) -> None:
    try:
        read_statements(json.dumps({"@graph": graph}).encode())
    except CrateError:
        assert graph
