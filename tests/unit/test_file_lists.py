"""Lists of digests: what coreutils reads as we mean it, and what is refused."""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staging.errors import CrateError, PolicyError, WfexsError
from staging.paths import safe_relative
from wfexs_like.seal.file_lists import Algorithm, FileList, ListedFile, parse_list, write_list

HEX = "ab" * 64


def parsed(text: str, algorithm: Algorithm = "sha512") -> FileList:
    return parse_list(text.encode(), algorithm, name="list.txt")


def is_safe(path: str) -> bool:
    try:
        return str(safe_relative(path)) == path
    except PolicyError:
        return False


PATHS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40).filter(is_safe)


@given(
    st.dictionaries(PATHS, st.integers(0, 10**18) | st.none(), max_size=8), st.dictionaries(PATHS, PATHS, max_size=3)
)
def test_what_is_written_is_read_back(sizes: dict[str, int | None], links: dict[str, str]) -> None:
    links = {path: target for path, target in links.items() if path not in sizes}
    files = [ListedFile(path=path, digest=HEX, size=size) for path, size in sizes.items()]
    text = write_list(files, links=links, headers=("the name/1",))
    again = parse_list(text, "sha512", name="list.txt")
    assert sorted(again.files, key=lambda one: one.path) == sorted(files, key=lambda one: one.path)
    assert [one.path for one in again.files] == sorted(sizes, key=str.encode)
    assert (again.links, again.headers) == (links, ("the name/1",))


@given(st.binary(max_size=300))
def test_any_bytes_are_a_list_or_a_refusal(content: bytes) -> None:
    with contextlib.suppress(WfexsError):
        parse_list(content, "sha256", name="list.txt")


@pytest.mark.parametrize("name", ["a", "a b", " a", "#a", "*a", "ä🧬", "a\\b", "a\nb", "\\", "a\\nb"])
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_coreutils_finds_the_file_that_is_meant(tmp_path: Path, name: str, algorithm: Algorithm) -> None:
    (tmp_path / name).write_bytes(b"content")
    digest = hashlib.new(algorithm, b"content").hexdigest()
    text = write_list([ListedFile(path=name, digest=digest, size=7)], headers=("wfexs-like/x/1",))
    (tmp_path / "list").write_bytes(text)
    judge = [f"{algorithm}sum", "--check", "--strict", "--quiet", "list"]
    assert subprocess.run(judge, cwd=tmp_path, check=False).returncode == 0
    (tmp_path / name).write_bytes(b"Content")
    assert subprocess.run(judge, cwd=tmp_path, check=False, capture_output=True).returncode == 1


@pytest.mark.parametrize("name", ["a", "a b", " a", "#a", "*a", "ä🧬"])
def test_a_list_of_coreutils_is_read(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"content")
    for flags in ([], ["--binary"]):
        made = subprocess.run(["sha512sum", *flags, "--", f"./{name}"], cwd=tmp_path, capture_output=True, check=True)
        (file,) = parse_list(made.stdout, "sha512", name="list").files
        assert (file.path, file.digest) == (name, hashlib.sha512(b"content").hexdigest())


@pytest.mark.parametrize(
    "path", ["../a", "/etc/passwd", "a/../../b", "a//b", "a/./b", "..", "a\x07b", "\ta", "x" * 256, "a/" * 2100 + "b"]
)
def test_a_path_that_leads_out_or_cannot_be_is_refused_by_name(path: str) -> None:
    with pytest.raises(PolicyError) as refused:
        parsed(f"{HEX}  {path}\n")
    assert refused.value.where == path


def test_a_name_with_a_newline_is_refused_as_what_it_means() -> None:
    for written, meant in ((r"a\nb", "a\nb"), (r"a\\b", "a\\b")):
        with pytest.raises(PolicyError) as refused:
            parsed(f"\\{HEX}  {written}\n")
        assert refused.value.where == meant


@pytest.mark.parametrize(
    "text",
    [
        "nonsense\n",
        f"{HEX} a\n",
        f"{HEX}  \n",
        f"{HEX[:-1]}  a\n",
        f"{HEX[:-1]}g  a\n",
        f"{HEX}  a\n\n{HEX}  b\n",
        f"{HEX}  a\n{HEX}  a\n",
        f"{HEX}  a\n{HEX}  ./a\n",
        f"\\{HEX}  a\\tb\n",
        f"# link b a\n{HEX}  a\n",
        "# link b a\n# link c a\n",
        f"SHA512 (a) = {HEX}\n",
    ],
)
def test_what_is_no_line_is_told_with_its_place(text: str) -> None:
    with pytest.raises(CrateError) as refused:
        parsed(text)
    assert str(refused.value.where).startswith("list.txt")


def test_a_link_that_leads_out_is_refused() -> None:
    for target in ("/etc/passwd", "..", "../../x", "%2Fetc"):
        with pytest.raises(PolicyError):
            parsed(f"# link {target} folder/../a\n" if target == ".." else f"# link {target} a\n")
    assert parsed("# link ../b folder/a\n").links == {"folder/a": "../b"}


def test_a_size_belongs_to_the_next_line_alone() -> None:
    found = parsed(f"# size 5\n{HEX}  a\n{HEX}  b\n")
    assert [(one.path, one.size) for one in found.files] == [("a", 5), ("b", None)]
