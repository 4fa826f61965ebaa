from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staging.errors import PolicyError, WfexsError
from staging.fingerprints import Fingerprint, FingerprintError, StatSignature, Tree, TreeEntry

HELLO = hashlib.sha256(b"hello").hexdigest()


@pytest.mark.parametrize("text", [HELLO, f"sha256:{HELLO}", f"  SHA256:{HELLO.upper()} "])
def test_a_sha256_is_read_in_every_usual_form(text: str) -> None:
    assert str(Fingerprint.parse(text)) == f"sha256:{HELLO}"


@pytest.mark.parametrize("text", ["", "abc", f"md5:{HELLO}", HELLO[:-1], f"{HELLO}0", "z" * 64, f"sha256:{HELLO}\nx"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(FingerprintError) as caught:
        Fingerprint.parse(text)

    assert caught.value.exit_code == 3


def test_bytes_stream_and_file_have_one_fingerprint(tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    file = tmp_path / "file"
    file.write_bytes(content)

    assert Fingerprint.of_file(file) == Fingerprint.of_bytes(content)
    assert Fingerprint.of_file(file).digest == hashlib.sha256(content).hexdigest()


# --- signatures -------------------------------------------------------------------------------------------------------


def test_a_change_that_keeps_size_and_mtime_shows_in_the_signature(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("aaaa")
    before = StatSignature.of(file)
    status = file.stat()
    time.sleep(0.03)

    file.write_text("bbbb")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))

    assert StatSignature.of(file) != before
    assert StatSignature.of(file).mtime_ns == before.mtime_ns


def test_a_signature_settles_after_a_tick_of_the_clock(tmp_path: Path) -> None:
    signature = StatSignature(device=1, inode=1, size=1, mtime_ns=5_123_456_789, ctime_ns=5_123_456_789)

    assert not signature.is_settled(5_123_456_789 + 1_000_000)
    assert signature.is_settled(5_123_456_789 + 30_000_000)


def test_whole_seconds_are_a_coarse_clock(tmp_path: Path) -> None:
    signature = StatSignature(device=1, inode=1, size=1, mtime_ns=5_000_000_000, ctime_ns=5_000_000_000)

    assert not signature.is_settled(5_000_000_000 + 30_000_000)
    assert signature.is_settled(5_000_000_000 + 3_000_000_000)


def test_a_time_in_the_future_never_settles() -> None:
    ahead = time.time_ns() + 10**12
    assert not StatSignature(device=1, inode=1, size=1, mtime_ns=1, ctime_ns=ahead).is_settled(time.time_ns())


# --- trees ------------------------------------------------------------------------------------------------------------

names = st.text(
    st.characters(blacklist_categories=("Cs",), blacklist_characters="/\x00"), min_size=1, max_size=8
).filter(lambda name: name not in (".", "..") and len(name.encode()) < 200)
contents = st.recursive(
    st.binary(max_size=20) | st.none(), lambda children: st.dictionaries(names, children, max_size=4), max_leaves=12
)
folders = st.dictionaries(names, contents, max_size=4)


def _write(root: Path, folder: dict[str, object], order: int) -> None:
    root.mkdir(exist_ok=True)
    for name, content in sorted(folder.items(), reverse=bool(order)):
        if isinstance(content, dict):
            _write(root / name, content, order)
        elif content is None:
            (root / name).mkdir()
        else:
            assert isinstance(content, bytes)
            (root / name).write_bytes(content)
            os.utime(root / name, (order, order))


@given(folders)
def test_a_tree_does_not_depend_on_order_or_time(
    tmp_path_factory: pytest.TempPathFactory, folder: dict[str, object]
) -> None:
    roots = [tmp_path_factory.mktemp("tree") for _ in range(2)]
    for order, root in enumerate(roots):
        _write(root, folder, order)

    first, second = (Tree.of_directory(root) for root in roots)

    assert first == second
    assert Tree.parse(first.text()) == first
    assert Fingerprint.of_bytes(first.text().encode()) == first.fingerprint


def test_the_text_of_a_tree_is_what_the_rule_says(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "empty").mkdir()
    (tmp_path / "b" / "a file").write_text("hello")
    (tmp_path / "tool").write_text("hello")
    (tmp_path / "tool").chmod(0o755)
    (tmp_path / "link").symlink_to("b/a file")

    tree = Tree.of_directory(tmp_path)

    assert tree.text() == (f"f\t{HELLO}\t5\tb/a%20file\nd\t\t0\tempty\nl\tb/a%20file\t0\tlink\nx\t{HELLO}\t5\ttool\n")
    assert tree.size == 10


@pytest.mark.parametrize("change", ["content", "name", "executable", "extra", "link"])
def test_every_change_of_a_folder_changes_its_fingerprint(tmp_path: Path, change: str) -> None:
    (tmp_path / "a").write_text("hello")
    (tmp_path / "link").symlink_to("a")
    before = Tree.of_directory(tmp_path).fingerprint

    if change == "content":
        (tmp_path / "a").write_text("hellO")
    elif change == "name":
        (tmp_path / "a").rename(tmp_path / "b")
    elif change == "executable":
        (tmp_path / "a").chmod(0o755)
    elif change == "extra":
        (tmp_path / "folder").mkdir()
    else:
        (tmp_path / "link").unlink()
        (tmp_path / "link").symlink_to("b")

    assert Tree.of_directory(tmp_path).fingerprint != before


def test_a_pipe_in_a_folder_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(PolicyError, match="pipe"):
        Tree.of_directory(tmp_path)


def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))).touch()

    with pytest.raises(PolicyError, match="UTF-8"):
        Tree.of_directory(tmp_path)


@pytest.mark.parametrize(
    "links",
    [
        {"a": "/etc/passwd"},
        {"a": "../x"},
        {"d/a": "../../x"},
        # Each stays inside by its text; followed one after the other they climb out.
        {"p/q/s": "../../x", "p/q/t": "s/../../.."},
        {"a": "b/../..", "b": "c/d"},
    ],
)
def test_a_link_that_leads_out_is_refused(links: dict[str, str]) -> None:
    entries = [TreeEntry(kind="l", path=path, digest=target) for path, target in links.items()]

    with pytest.raises(PolicyError, match="out of its folder"):
        Tree.of(entries)


@pytest.mark.parametrize("links", [{"a": "b"}, {"a": "b", "b": "a"}, {"d/a": "../b"}, {"a": "a/a"}, {"d/a": ".."}])
def test_a_link_that_stays_inside_or_leads_nowhere_is_kept(links: dict[str, str]) -> None:
    entries = [TreeEntry(kind="l", path=path, digest=target) for path, target in links.items()]

    assert Tree.parse(Tree.of(entries).text()) == Tree.of(entries)


@pytest.mark.parametrize(
    "entries",
    [
        [("f", "a"), ("f", "a")],
        [("f", "a"), ("f", "a/b")],
        [("l", "a"), ("f", "a/b/c")],
        [("d", "a"), ("f", "a/b")],
    ],
)
def test_what_no_folder_can_hold_is_refused(entries: list[tuple[str, str]]) -> None:
    with pytest.raises(PolicyError):
        Tree.of(
            [TreeEntry(kind=kind, path=path, digest={"f": HELLO, "l": "z"}.get(kind, "")) for kind, path in entries]
        )


@pytest.mark.parametrize(
    "line", ["", "f", "q\t\t0\ta", f"f\t{HELLO[:-1]}\t5\ta", "f\txyz\t5\ta", f"f\t{HELLO}\tmany\ta"]
)
def test_a_line_that_is_none_is_refused(line: str) -> None:
    with pytest.raises(WfexsError):
        TreeEntry.parse(line)
