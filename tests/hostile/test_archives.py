from __future__ import annotations

import io
import os
import random
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from staging.archives import ArchiveError, Limits, unpack
from staging.errors import DiskError, PolicyError, WfexsError
from staging.fingerprints import Tree

Member = tuple[str, bytes, dict[str, object]]


def _zip(path: Path, *members: Member) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content, changes in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            for key, value in changes.items():
                setattr(info, key, value)
            archive.writestr(info, content)
    return path


def _tar(path: Path, *members: Member, mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content, changes in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for key, value in changes.items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(content) if info.isreg() else None)
    return path


def _file(name: str, content: bytes = b"x", **changes: object) -> Member:
    return name, content, changes


def _zip_mode(mode: int) -> dict[str, object]:
    return {"external_attr": mode << 16}


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "deeper" / "into"


@pytest.fixture(autouse=True)
def _parents(into: Path) -> None:
    into.parent.mkdir(parents=True)


def _refused(
    archive: Path, into: Path, match: str, kind: type[WfexsError] = PolicyError, **options: object
) -> WfexsError:
    """The archive is refused and nothing is left, inside or outside."""
    before = sorted(into.parent.parent.parent.rglob("*"))
    with pytest.raises(kind, match=match) as caught:
        unpack(archive, into, **options)  # type: ignore[arg-type]
    assert sorted(into.parent.parent.parent.rglob("*")) == before
    return caught.value


PACK = pytest.mark.parametrize("pack", [_zip, _tar])


@PACK
@pytest.mark.parametrize(
    "name",
    ["../evil", "a/../../evil", "/evil", "a/./b", "a//b", "..", "a\\..\\evil", "x" * 300, "a\nb", "C:\\evil", "a/.."],
)
def test_a_name_that_leads_somewhere_else_is_refused(
    pack: Callable[..., Path], tmp_path: Path, into: Path, name: str
) -> None:
    archive = pack(tmp_path / "a", _file("good"), _file(name))

    error = _refused(archive, into, "is not a path that stays inside")

    assert error.where == name


@PACK
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a", "a"),
        ("a.txt", "A.TXT"),
        ("caf\u00e9", "cafe\u0301"),
        ("stra\u00dfe", "STRASSE"),
        ("a", "a/b"),
        ("a/b", "a"),
        ("d/x", "D/y"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_names_that_are_one_elsewhere_are_refused(
    pack: Callable[..., Path], tmp_path: Path, into: Path, first: str, second: str
) -> None:
    _refused(pack(tmp_path / "a", _file(first), _file(second)), into, "twins|more than one entry")


ZIP_KINDS = {
    "symbolic link": _zip_mode(stat.S_IFLNK | 0o777),
    "neither": _zip_mode(stat.S_IFIFO | 0o644),
    "neither a file": _zip_mode(stat.S_IFCHR | 0o644),
    "run as another user": _zip_mode(stat.S_IFREG | stat.S_ISUID | 0o755),
}
TAR_KINDS: dict[str, dict[str, object]] = {
    "symbolic link": {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd", "size": 0},
    "hard link": {"type": tarfile.LNKTYPE, "linkname": "good", "size": 0},
    "neither": {"type": tarfile.FIFOTYPE, "size": 0},
    "neither a file": {"type": tarfile.CHRTYPE, "size": 0},
    "nor a link": {"type": tarfile.BLKTYPE, "size": 0},
    "run as another user": {"mode": 0o4755},
}


@pytest.mark.parametrize(
    ("pack", "what", "changes"),
    [(_zip, what, changes) for what, changes in ZIP_KINDS.items()]
    + [(_tar, what, changes) for what, changes in TAR_KINDS.items()],
)
def test_what_is_no_file_is_refused_by_name(
    pack: Callable[..., Path], tmp_path: Path, into: Path, what: str, changes: dict[str, object]
) -> None:
    error = _refused(pack(tmp_path / "a", _file("good"), _file("odd", **changes)), into, what)

    assert error.where == "odd"


@pytest.mark.parametrize("target", ["/etc/passwd", "../../evil", "a/../../../evil", "\0", ""])
def test_a_link_that_leads_out_is_refused_even_where_links_are_allowed(tmp_path: Path, into: Path, target: str) -> None:
    archive = _zip(tmp_path / "a", _file("d/link", target.encode(), **_zip_mode(stat.S_IFLNK | 0o777)))

    _refused(archive, into, "link", links=True)


def test_nothing_is_written_through_a_link(tmp_path: Path, into: Path) -> None:
    (tmp_path / "outside").mkdir()
    link = _file("a", b"", type=tarfile.SYMTYPE, linkname="b", size=0)

    _refused(_tar(tmp_path / "x", _file("b/c"), link, _file("a/evil")), into, "more than one entry", links=True)


def test_links_that_stay_inside_are_made_where_they_are_allowed(tmp_path: Path, into: Path) -> None:
    link = _file("d/link", b"", type=tarfile.SYMTYPE, linkname="../a", size=0)

    tree = unpack(_tar(tmp_path / "x", link, _file("a")), into, links=True)

    assert (into / "d" / "link").readlink() == Path("../a")
    assert tree == Tree.of_directory(into)


@pytest.mark.parametrize("archive", ["zip", "w", "w:gz", "w:bz2", "w:xz"])
def test_an_honest_archive_is_unpacked_byte_for_byte(tmp_path: Path, into: Path, archive: str) -> None:
    content = random.Random(1).randbytes(700_000)
    script = _zip_mode(stat.S_IFREG | 0o755) if archive == "zip" else {"mode": 0o755}
    empty = {"type": tarfile.DIRTYPE, "mode": 0o755} if archive != "zip" else _zip_mode(stat.S_IFDIR | 0o755)
    members = [
        _file("d/x y.bin", content),
        _file("run.sh", b"#!", **script),
        _file("empty/", b"", **empty),
        _file("z", b""),
    ]
    path = _zip(tmp_path / "a", *members) if archive == "zip" else _tar(tmp_path / "a", *members, mode=archive)

    tree = unpack(path, into)

    assert (into / "d" / "x y.bin").read_bytes() == content
    assert os.access(into / "run.sh", os.X_OK)
    assert (into / "empty").is_dir()
    assert tree == Tree.of_directory(into)


def test_a_bomb_is_refused_before_it_has_filled_the_disk(tmp_path: Path, into: Path) -> None:
    archive = _zip(tmp_path / "bomb.zip", _file("zeros", bytes(100 << 20)))

    _refused(archive, into, "far more than it should hold")


def test_a_compressed_tar_that_is_a_bomb_is_refused(tmp_path: Path, into: Path) -> None:
    _refused(
        _tar(tmp_path / "bomb", _file("zeros", bytes(100 << 20)), mode="w:gz"), into, "far more than it should hold"
    )


@PACK
def test_too_many_entries_are_refused(pack: Callable[..., Path], tmp_path: Path, into: Path) -> None:
    archive = pack(tmp_path / "a", *(_file(f"f{number}") for number in range(12)))

    _refused(archive, into, "more than 10 entries", limits=Limits(entries=10))


def test_a_directory_of_a_million_entries_is_refused_unread(tmp_path: Path, into: Path) -> None:
    archive = tmp_path / "a.zip"
    record = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    directory = record * 1_000_000
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, len(directory), 4, 0)
    archive.write_bytes(b"PK\x03\x04" + directory + end)

    _refused(archive, into, "more than 100000 entries")


def test_entries_that_share_their_bytes_are_refused(tmp_path: Path, into: Path) -> None:
    """The bomb without nesting: many directory records point to one packed file."""
    archive = _zip(tmp_path / "a.zip", _file("a", b"x" * 1000), _file("b", b"x" * 1000))
    data = bytearray(archive.read_bytes())
    second = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 1)
    struct.pack_into("<L", data, second + 42, 0)
    archive.write_bytes(data)

    _refused(archive, into, "lies over another", WfexsError)


def test_an_entry_that_is_larger_than_it_says_is_refused(tmp_path: Path, into: Path) -> None:
    archive = _zip(tmp_path / "a.zip", _file("a", b"x" * 1000))
    data = bytearray(archive.read_bytes())
    record = data.index(b"PK\x01\x02")
    struct.pack_into("<L", data, record + 24, 10)
    archive.write_bytes(data)

    _refused(archive, into, "damaged|holds", WfexsError)


def test_an_encrypted_entry_is_refused(tmp_path: Path, into: Path) -> None:
    archive = _zip(tmp_path / "a.zip", _file("a"))
    data = bytearray(archive.read_bytes())
    struct.pack_into("<H", data, data.index(b"PK\x01\x02") + 8, 1)
    archive.write_bytes(data)

    _refused(archive, into, "encrypted")


def test_two_names_for_one_entry_are_refused(tmp_path: Path, into: Path) -> None:
    """The directory says one thing, the entry itself another."""
    archive = _zip(tmp_path / "a.zip", _file("good"))
    data = archive.read_bytes()
    archive.write_bytes(data.replace(b"good", b"evil", 1))

    _refused(archive, into, "damaged", ArchiveError)


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("kept", [0.999, 0.7, 0.4, 0.05])
def test_a_tar_that_breaks_off_is_not_taken_for_whole(tmp_path: Path, into: Path, mode: str, kept: float) -> None:
    noise = random.Random(2)
    archive = _tar(tmp_path / "a", *(_file(f"f{number}", noise.randbytes(3000)) for number in range(20)), mode=mode)
    data = archive.read_bytes()
    end = 20 * (512 + 3072) if mode == "w" else len(data)
    archive.write_bytes(data[: int(end * kept)])

    _refused(archive, into, "damaged|neither a zip nor a tar|holds", ArchiveError)


@pytest.mark.parametrize("blocks", [5, 12, 21])
def test_a_tar_that_breaks_off_between_two_entries_is_not_taken_for_whole(
    tmp_path: Path, into: Path, blocks: int
) -> None:
    archive = _tar(tmp_path / "a", *(_file(f"f{number}") for number in range(12)))
    archive.write_bytes(archive.read_bytes()[: blocks // 2 * 1024])

    _refused(archive, into, "damaged", ArchiveError)


def test_a_compressed_tar_is_read_to_its_check_sum(tmp_path: Path, into: Path) -> None:
    archive = _tar(tmp_path / "a", _file("a", b"x" * 1000), mode="w:gz")
    data = bytearray(archive.read_bytes())
    data[-8] ^= 1
    archive.write_bytes(data)

    _refused(archive, into, "damaged", ArchiveError)


def test_a_tar_with_a_bad_header_in_the_middle_is_damaged(tmp_path: Path, into: Path) -> None:
    archive = _tar(tmp_path / "a", _file("a"), _file("b"), _file("c"))
    data = bytearray(archive.read_bytes())
    data[1024 + 148 : 1024 + 156] = b"00000000"
    archive.write_bytes(data)

    _refused(archive, into, "damaged", ArchiveError)


def test_a_header_of_a_gigabyte_is_refused_unread(tmp_path: Path, into: Path) -> None:
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, 1 << 30
    archive = tmp_path / "a"
    archive.write_bytes(_tar(tmp_path / "b", _file("good")).read_bytes()[:1024] + info.tobuf() + bytes(2048))

    _refused(archive, into, "header of 1073741824 bytes")


def test_a_sparse_file_is_refused(tmp_path: Path, into: Path) -> None:
    archive = tmp_path / "a"
    header = tarfile.TarInfo("sparse")
    header.type, header.size = tarfile.GNUTYPE_SPARSE, 512
    block = bytearray(header.tobuf(format=tarfile.GNU_FORMAT))
    block[386:410] = b"00000000000\0" + b"00000001000\0"
    block[483:495] = b"77777777777\0"
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    archive.write_bytes(bytes(block) + bytes(512) + bytes(10240))

    _refused(archive, into, "sparse")


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b\x08", os.urandom(3000)])
def test_what_is_no_archive_is_said_to_be_none(tmp_path: Path, into: Path, content: bytes) -> None:
    archive = tmp_path / "a"
    archive.write_bytes(content)

    _refused(archive, into, "not a zip|neither a zip nor a tar|damaged", ArchiveError)


def test_a_disk_that_is_too_small_is_known_beforehand(
    tmp_path: Path, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = _zip(tmp_path / "a.zip", _file("a", b"x" * 1000))
    monkeypatch.setattr("staging.archives.shutil.disk_usage", lambda path: os.statvfs_result((0,) * 10) and _Usage())

    _refused(archive, into, "no space left", DiskError)


class _Usage:
    free = 10


@PACK
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_a_damaged_archive_never_writes_outside_or_ends_in_a_traceback(
    pack: Callable[..., Path], tmp_path: Path, data: st.DataObject
) -> None:
    archive = pack(tmp_path / "a", _file("d/one", b"1" * 600), _file("two", zlib.compress(b"2" * 600)))
    content = bytearray(archive.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        position = data.draw(st.integers(0, len(content) - 1))
        content[position] = data.draw(st.integers(0, 255))
    archive.write_bytes(content)
    into = tmp_path / "fuzzed"
    before = {path for path in tmp_path.rglob("*") if not path.is_relative_to(into)}
    try:
        tree = unpack(archive, into)
    except WfexsError:
        assert not into.exists()
    else:
        assert tree == Tree.of_directory(into)
        import shutil

        shutil.rmtree(into)
    assert {path for path in tmp_path.rglob("*") if not path.is_relative_to(into)} == before
