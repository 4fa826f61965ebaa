from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staging.identifiers import Identifier, IdentifierError, split_process

PATHS = st.text(min_size=1).filter(lambda text: "\x00" not in text)
SCHEMES = st.sampled_from(
    ["http", "https", "git+https", "git+ssh", "git+file", "github", "data", "file", "doi", "odd+1.x"]
)


def _parsed(text: str) -> Identifier | None:
    try:
        return Identifier.parse(text)
    except IdentifierError:
        return None


@given(
    st.one_of(st.text(), st.builds("{}:{}".format, SCHEMES, st.text()), st.builds("{}://{}".format, SCHEMES, st.text()))
)
def test_whatever_can_be_read_reads_back_the_same(text: str) -> None:
    identifier = _parsed(text)

    if identifier is not None:
        assert Identifier.parse(str(identifier)) == identifier
        str(identifier).encode("ascii")


@given(PATHS)
def test_a_local_path_stands_for_itself_whatever_its_characters(path: str) -> None:
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        return
    whole = "/" + path

    identifier = Identifier.of_path(Path(whole))

    assert identifier.local_path == Path("/" + os.path.normpath(whole).lstrip("/"))
    assert Identifier.parse(str(identifier)) == identifier


@given(PATHS, st.sampled_from(["/base", "/base/with space", "/a%20b"]))
def test_a_relative_identifier_is_read_from_the_folder_it_stands_in(path: str, base: str) -> None:
    identifier = _parsed(path)
    if identifier is None or identifier.scheme:
        return

    absolute = identifier.against(Path(base))

    assert not absolute.is_relative
    assert absolute.local_path == Path("/" + os.path.normpath(str(Path(base) / path.strip())).lstrip("/"))


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("HTTPS://Example.ORG/A", "https://example.org/A"),
        ("https://example.org:443/a?q=1", "https://example.org/a?q=1"),
        ("http://example.org", "http://example.org/"),
        ("https://example.org?q=B", "https://example.org/?q=B"),
        ("https://example.org/é", "https://example.org/%C3%A9"),
        ("https://example.org/?token=a", "https://example.org/?token=a"),
        ("git+ssh://git@Example.org/x.git@v1#subdirectory=a", "git+ssh://git@example.org/x.git@v1#subdirectory=a"),
        ("file:///a/../b c", "file:///b%20c"),
        ("file://localhost/x", "file:///x"),
        ("//a", "file:///a"),
        ("/data/4079_7#1.bam", "file:///data/4079_7%231.bam"),
        ("a b.txt", "file:a%20b.txt"),
        ("./c:d", "file:c%3Ad"),
        ("dir/../x.cwl", "x.cwl"),
        ("data:,a b", "data:,a%20b"),
    ],
)
def test_each_identifier_has_one_canonical_form(text: str, canonical: str) -> None:
    assert str(Identifier.parse(text)) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "https://user:hunter2@example.org/",
        "https://user@example.org/",
        "https://user:hunter2@example.org?x",
        "git+ssh://git:hunter2@example.org/x",
        "git+https://hunter2@example.org/x.git",
        "ftp://a:hunter2@example.org/with space",
        "https://a@hunter2@example.org/",
        "https:/user:hunter2@example.org/x",
        "https:user:hunter2@example.org/x",
        "https:///user:hunter2@example.org/x",
        "git+https:user%3Ahunter2%40example.org/x",
        "git+ssh://user%3Ahunter2@example.org/x",
        "https://user%3Ahunter2%40example.org/x",
    ],
)
def test_a_secret_in_an_identifier_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(IdentifierError, match="user name or password") as caught:
        Identifier.parse(text)

    assert "hunter2" not in str(caught.value)
    assert "credentials" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "https://a b/",
        "http:",
        "https:///x",
        "https:x",
        "http:/x/y",
        "https://:443/x",
        "https://?x",
        "https://[::1/x",
        "https://[x]/",
        "git+https:///x.git",
        "git+ssh://git@/x.git",
        "https://ex\u00e4mple.org/x",
        "https://ex%C3%A4mple.org/x",
        "file://host/x",
        "file:",
        "file:///a?b",
        "https://a\\b/",
        "git@example.org:x.git",
        "/a\x00",
    ],
)
def test_what_can_not_be_an_identifier_is_refused(text: str) -> None:
    with pytest.raises(IdentifierError):
        Identifier.parse(text)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("https://example.org/a/b%20c.txt?x=/y", "b c.txt"),
        ("https://example.org/", "example.org"),
        ("file:///a/4079_7%231.bam", "4079_7#1.bam"),
        ("https://example.org/..%2f..%2fetc%2fpasswd", "passwd"),
        ("data:,x", "data"),
    ],
)
def test_the_base_name_is_the_last_part(text: str, name: str) -> None:
    assert Identifier.parse(text).name == name


@pytest.mark.parametrize(
    ("text", "document", "process"),
    [
        ("wf.cwl#main", "wf.cwl", "main"),
        ("file:///w/wf.cwl#main", "file:///w/wf.cwl", "main"),
        ("https://example.org/wf.cwl#a%20b", "https://example.org/wf.cwl", "a b"),
        ("wf.cwl", "wf.cwl", None),
        ("a#b/wf.cwl", "file:a%23b/wf.cwl", None),
    ],
)
def test_the_process_is_split_from_its_document(text: str, document: str, process: str | None) -> None:
    identifier, found = split_process(Identifier.parse(text))

    assert (str(identifier), found) == (document, process)


def test_a_file_that_has_a_hash_in_its_name_is_not_split(tmp_path: Path) -> None:
    (tmp_path / "a#b.cwl").touch()
    identifier = Identifier.parse(str(tmp_path / "a#b.cwl"))

    assert split_process(identifier) == (identifier, None)


def test_a_relative_git_repository_is_read_from_the_stage_files_folder() -> None:
    identifier = Identifier.parse("git+file:repo@v1#subdirectory=a.cwl").against(Path("/base"))

    assert str(identifier) == "git+file:///base/repo@v1#subdirectory=a.cwl"
