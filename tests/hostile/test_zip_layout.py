"""A zip that shows one thing to us and another to other programs is not vouched for."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
import zipfile
import zlib
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from staging.errors import PolicyError
from staging.zip_archives import ZipReader
from tests.hostile.test_verified_crates import METADATA, crate_of, described
from wfexs_like.verifying.verify import verify_crate

CONTENT = b"what it is\n"
ENTITY = {"@id": "data.txt", "@type": "File", "sha256": sha256(CONTENT).hexdigest()}


def zipped(extra: bytes = b"", comment: bytes = b"", stream: io.BytesIO | None = None, *, folder: bytes = b"") -> bytes:
    out = stream or io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.comment = comment
        file.writestr(METADATA, described(ENTITY))
        info = zipfile.ZipInfo("data.txt")
        info.extra = extra
        file.writestr(info, CONTENT)
        if folder:
            file.writestr("folder/", folder)
    return out.getvalue()


def entry(name: str, content: bytes) -> bytes:
    """An entry without a directory that tells of it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr(name, content)
    return out.getvalue()[: file.start_dir]


EVIL = entry("evil.sh", b"rm -rf ~")


def before_directory(content: bytes) -> bytes:
    start = zipfile.ZipFile(io.BytesIO(content)).start_dir
    end = content.rfind(b"PK\5\6")
    moved = struct.pack("<L", start + len(EVIL))
    return content[:start] + EVIL + content[start : end + 16] + moved + content[end + 20 :]


def changed(offset: int, value: bytes) -> Callable[[bytes], bytes]:
    """Something else in the header before ``data.txt``, ``offset`` bytes behind its beginning."""

    def change(content: bytes) -> bytes:
        place = zipfile.ZipFile(io.BytesIO(content)).getinfo("data.txt").header_offset + offset
        return content[:place] + value + content[place + len(value) :]

    return change


def unicode_path(name: str, says: str) -> bytes:
    content = struct.pack("<BL", 1, zlib.crc32(name.encode())) + says.encode()
    return struct.pack("<HH", 0x7075, len(content)) + content


HIDDEN: dict[str, Callable[[bytes], bytes]] = {
    "an entry in front": lambda content: EVIL + content,
    "an entry before the directory": before_directory,
    "an entry after the end": lambda content: content + EVIL,
    "another method": changed(8, struct.pack("<H", 8)),
    "another digest": changed(14, b"abcd"),
    "another packed size": changed(18, struct.pack("<L", 3)),
    "another size": changed(22, struct.pack("<L", 3)),
    "another name": changed(30, b"evil.txt"),
    "another place of the directory": lambda content: content[:-6] + struct.pack("<L", 1) + content[-2:],
    "another name for some": lambda _: zipped(unicode_path("data.txt", "evil.sh")),
    "bytes in a folder": lambda _: zipped(folder=b"evil"),
}


@pytest.mark.parametrize("what", HIDDEN)
def test_what_other_programs_would_find_in_a_zip_is_not_said_to_be_whole(tmp_path: Path, what: str) -> None:
    crate = tmp_path / "c.zip"
    crate.write_bytes(HIDDEN[what](zipped()))
    with pytest.raises(PolicyError, match="the archive"):
        verify_crate(crate)


class Unseekable(io.BytesIO):
    """A pipe: sizes come after the entries."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: int) -> int:
        raise io.UnsupportedOperation

    def tell(self) -> int:
        raise io.UnsupportedOperation


def test_zips_of_all_kinds_are_sound(tmp_path: Path) -> None:
    crate = tmp_path / "c.zip"
    for content in (
        zipped(),
        zipped(comment=b"a comment"),
        zipped(stream=Unseekable()),
        zipped(unicode_path("data.txt", "data.txt")),
    ):
        crate.write_bytes(content)
        assert verify_crate(crate).ok
    with zipfile.ZipFile(crate, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in ((METADATA, described(ENTITY).encode()), ("data.txt", CONTENT)):
            with file.open(name, "w", force_zip64=True) as stream:
                stream.write(text)
    assert verify_crate(crate).ok


@pytest.mark.skipif(shutil.which("zip") is None, reason="needs Info-ZIP")
@pytest.mark.parametrize("piped", [False, True])
def test_zips_of_info_zip_are_sound(tmp_path: Path, *, piped: bool) -> None:
    folder = crate_of(tmp_path / "crate", ENTITY)
    (folder / "data.txt").write_bytes(CONTENT)
    done = subprocess.run(
        ["zip", "-r", "-" if piped else str(tmp_path / "c.zip"), "."], cwd=folder, stdout=subprocess.PIPE, check=True
    )
    if piped:
        (tmp_path / "c.zip").write_bytes(done.stdout)
    assert verify_crate(tmp_path / "c.zip").ok


@pytest.mark.parametrize("trick", ["a mark within the end record", "zip64's record in the place of a small one"])
def test_the_size_of_a_directory_cannot_be_kept_from_us(tmp_path: Path, trick: str) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for number in range(2000):
            file.writestr(f"{number:0100d}", b"")
    plain = content.getvalue()
    start, end = file.start_dir, plain.rfind(b"PK\5\6")
    if trick.startswith("a mark"):
        made = plain[: end + 16] + b"PK\5\6" + plain[end + 20 :]
    else:
        size = struct.pack("<Q", end - start)
        record = b"PK\6\6" + struct.pack("<QHHLLQQ", 44, 45, 45, 0, 0, 2000, 2000) + size + struct.pack("<Q", start)
        locator = b"PK\6\7" + struct.pack("<LQL", 0, end, 1)
        made = plain[:end] + record + locator + plain[end : end + 12] + struct.pack("<L", 100) + plain[end + 16 :]
    archive = tmp_path / "a.zip"
    archive.write_bytes(made)
    with pytest.raises(PolicyError, match="more than 100 entries"):
        ZipReader(archive, 100)
