"""The audit's eyes: every form of a canary, wherever it lies, and nothing where there is none."""

from __future__ import annotations

import base64
import gzip
import io
import os
import random
import subprocess
import sys
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staging.errors import UsageError
from staging.progress import Silent
from wfexs_like.audit.canaries import Canary, needles_of
from wfexs_like.audit.host import Root
from wfexs_like.audit.places import search_processes
from wfexs_like.audit.scanning import Scan, Scope
from wfexs_like.audit.searching import PIECE, Limits, Search

TEXT = "heron/27 & Ünder+the=bridge"
CANARY = Canary(name="input", text=TEXT)
FORMS: dict[str, Callable[[bytes], bytes]] = {
    "clear": bytes,
    "hex": lambda data: data.hex().encode(),
    "HEX": lambda data: data.hex().upper().encode(),
    "base64": base64.b64encode,
    "base64, of URLs": base64.urlsafe_b64encode,
    "URL": lambda data: quote(data, safe="").encode(),
    "URL, of a path": lambda data: quote(data).encode(),
    "gzip": gzip.compress,
    "zlib": zlib.compress,
    "gzip in gzip": lambda data: gzip.compress(b"some words" + gzip.compress(data)),
    "hex in gzip": lambda data: gzip.compress(data.hex().encode()),
}


def _forms(data: bytes, *, limits: Limits | None = None) -> set[str]:
    search = Search(needles_of([CANARY]), limits or Limits())
    return {hit.form for hit in search.in_file(lambda size, offset: data[offset : offset + size])}


@given(before=st.binary(max_size=20), after=st.binary(max_size=20), form=st.sampled_from(sorted(FORMS)))
def test_a_canary_is_found_in_every_form_whatever_stands_around_it(before: bytes, after: bytes, form: str) -> None:
    assert _forms(FORMS[form](before + TEXT.encode() + after))


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", [TEXT, "plain-heron-27"])
def test_a_canary_is_found_in_utf_16(codec: str, text: str) -> None:
    search = Search(needles_of([Canary(name="input", text=text)]))
    data = f"said: {text}.".encode(codec)
    assert {hit.form for hit in search.in_file(lambda size, offset: data[offset : offset + size])} == {"utf-16"}


@pytest.mark.parametrize("form", ["clear", "hex", "gzip"])
@pytest.mark.parametrize("before", [PIECE - 30, PIECE - 2, PIECE - 1, PIECE])
def test_a_canary_is_found_across_the_border_of_two_pieces(form: str, before: int) -> None:
    data = b"." * before + FORMS[form](TEXT.encode()) + b"." * 100
    search = Search(needles_of([CANARY]))
    (hit,) = search.in_file(lambda size, offset: data[offset : offset + size])
    assert hit.offset == before


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("form", ["base64", "hex"])
def test_a_canary_is_found_where_lines_are_full(end: bytes, form: str) -> None:
    search = Search(needles_of([CANARY]))
    for before in (*range(30, 60), PIECE // 2 - 5, PIECE * 3 // 4 - 7):
        text = FORMS[form](b"." * before + TEXT.encode() + b"." * 60)
        data = end.join(text[one : one + 76] for one in range(0, len(text), 76))
        (hit, *_) = search.in_file(lambda size, offset, data=data: data[offset : offset + size])  # type: ignore[misc]
        place = len(FORMS[form](b"." * before))
        assert hit.form == form
        assert abs(hit.offset - place - place // 76 * len(end)) <= 8


def test_a_canary_is_found_in_a_member_of_a_zip_file() -> None:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("first.txt", "nothing " * 50)
        made.writestr("folder/second.txt", f"said: {TEXT} " * 50)
    assert _forms(whole.getvalue()) == {"zip+clear"}


@pytest.mark.parametrize("deep", [1, 2])
def test_a_canary_is_found_behind_a_large_stream_that_is_nested_in_another_one(deep: int) -> None:
    data = random.Random(27).randbytes(20 << 20)
    for _ in range(deep):
        data = gzip.compress(data, 1) + TEXT.encode()
    found = {"gzip+clear"} if deep == 1 else {"gzip+clear", "gzip+gzip+clear"}
    # Random bytes are stored as they are, and a little of what stands behind them.
    assert _forms(gzip.compress(data, 1)) - {"clear"} == found


def test_members_of_gzip_that_follow_each_other_are_one_stream() -> None:
    # Each canary lies in a member of its own, but for one that two members share.
    half = len(TEXT.encode()) // 2
    parts = [b"first", b"", TEXT.encode()[:half], TEXT.encode()[half:], b"last"]
    whole = b"".join(gzip.compress(one) for one in (*[b"other"] * 9000, *parts))
    reached: set[str] = set()
    search = Search(needles_of([CANARY]), Limits(streams=1))
    (hit,) = search.in_file(lambda size, offset: whole[offset : offset + size], reached)
    assert (hit.form, hit.offset, reached) == ("gzip+clear", 0, set())


def test_what_follows_members_of_gzip_and_what_is_broken_among_them_is_looked_at() -> None:
    broken = bytearray(gzip.compress(b"x" * 300))
    broken[-8] ^= 1
    sound = [gzip.compress(b"first"), gzip.compress(TEXT.encode())]
    assert _forms(sound[0] + bytes(broken) + sound[1]) == {"gzip+clear"}
    assert _forms(sound[0] + b"." + sound[1]) == {"gzip+clear"}
    head = b"PK\x03\x04" + bytes(4) + b"\x08" + bytes(17) + (1000).to_bytes(2, "little") + bytes(2)
    assert _forms(b"." * (PIECE - len(head)) + head + sound[1]) == {"gzip+clear"}


@pytest.mark.parametrize("form", [gzip.compress, zlib.compress])
def test_a_canary_is_found_in_a_damaged_stream_before_the_damage(form: Callable[[bytes], bytes]) -> None:
    data = form(f"said: {TEXT}".encode() + random.Random(27).randbytes(9999).hex().encode())
    for place in (len(data) - 1, len(data) - 6, 5000):
        damaged = bytearray(data)
        damaged[place : place + 1] = bytes([damaged[place] ^ 0xFF])
        assert {one.split("+")[-1] for one in _forms(bytes(damaged))} == {"clear"}


@pytest.mark.parametrize(
    ("limit", "limits", "data"),
    [
        ("too_many", Limits(streams=1), b".".join([gzip.compress(b"first")] * 2)),
        ("too_long", Limits(inflated=1 << 20), gzip.compress(b"0" * (3 << 20))),
        ("too_deep", Limits(depth=1), gzip.compress(gzip.compress(b"first"))),
        ("too_deep", Limits(depth=1), gzip.compress(gzip.compress(b"0" * 9999))),
        (None, Limits(streams=1), gzip.compress(b"first") * 2),
        (None, Limits(inflated=1 << 20), gzip.compress(b"0" * (1 << 20)) * 2),
        (None, Limits(depth=1), gzip.compress(b"\x1f\x8b\x08 and no stream" * 9)),
    ],
    # A stream holds the time at which it was made: it is no name for a test.
    ids=["streams", "length", "depth", "depth-of-zeros", "members", "members-of-zeros", "magic-alone"],
)
def test_it_is_told_when_a_limit_kept_us_from_looking_at_all(limit: str | None, limits: Limits, data: bytes) -> None:
    reached: set[str] = set()
    list(Search(needles_of([CANARY]), limits).in_file(lambda size, offset: data[offset : offset + size], reached))
    assert reached == ({getattr(limits, limit)} if limit else set())


@given(st.binary(max_size=400))
def test_nothing_is_found_where_there_is_none(data: bytes) -> None:
    assert _forms(data + b"\x1f\x8b\x08" + data + b"PK\x03\x04" + data) == set()


def test_what_inflates_without_end_takes_bounded_memory_and_time() -> None:
    bomb = gzip.compress(b"\0" * (64 << 20))
    tracemalloc.start()
    assert _forms(bomb, limits=Limits(inflated=32 << 20)) == set()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40 << 20


def test_a_canary_that_would_be_found_by_chance_is_refused() -> None:
    with pytest.raises(UsageError, match="too short"):
        Canary(name="input", text="heron27")


def test_files_are_searched_by_content_name_and_link(tmp_path: Path) -> None:
    there = tmp_path / "there"
    (there / "deep").mkdir(parents=True)
    (there / "deep" / "content").write_text(TEXT)
    (there / "plain-heron-27.txt").touch()
    (there / "link").symlink_to("../plain-heron-27.txt")
    (there / "dated").write_text(TEXT)
    os.utime(there / "dated", (1, 1))
    (there / "besides").mkdir()
    (there / "besides" / "content").write_text(TEXT)
    search = Search(needles_of([CANARY, Canary(name="name", text="plain-heron-27")]))

    scope = Scope(roots=[Root(name="there", path=there)], besides={str(there / "besides"): None})
    assert {(one.path.name, one.kind, one.canary) for one in Scan(search, scope, Silent()).run().places} == {
        ("content", "content", "input"),
        ("dated", "content", "input"),
        ("plain-heron-27.txt", "name", "name"),
        ("link", "link", "name"),
    }


def test_processes_are_searched_by_arguments_environment_and_files_without_a_name(tmp_path: Path) -> None:
    held = (tmp_path / "held").open("w+")
    held.write("unnamed-heron-27")
    held.flush()
    (tmp_path / "held").unlink()
    canaries = [Canary(name=one, text=f"{one}-heron-27") for one in ("arguments", "environment", "unnamed")]
    search = Search(needles_of(canaries))
    with subprocess.Popen(
        [sys.executable, "-c", "input() # arguments-heron-27"],
        env={"SAID": "environment-heron-27"},
        stdin=subprocess.PIPE,
        stdout=held,
    ) as child:
        try:
            found = {
                (one.kind, one.canary)
                for one in search_processes(search)
                if f"/{child.pid}/" in str(one.path) or one.kind == "unnamed"
            }
        finally:
            child.kill()
    held.close()
    assert found == {(one.name, one.name) for one in canaries}
