"""Sealing and opening bodies: what goes in comes out, whatever its size, and every damage is named."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import tarfile
import textwrap
import threading
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from staging.errors import DigestError, DiskError, WfexsError
from wfexs_like.seal.opening import UnsealingReader, unseal
from wfexs_like.seal.segments import BATCH, SEALED_SEGMENT, SEGMENT, SealingWriter, seal, sealed_size

KEY = bytes(range(32))
SIZES = (0, 1, 65535, 65536, 65537, BATCH * SEGMENT - 1, BATCH * SEGMENT, BATCH * SEGMENT + 1, 9 * BATCH * SEGMENT + 7)


def content_of(size: int) -> bytes:
    """Bytes of which no two segments are equal."""
    return hashlib.shake_256(b"%d" % size).digest(size)


def sealed(content: bytes) -> bytes:
    target = io.BytesIO()
    with SealingWriter(target, KEY) as writer:
        writer.write(content)
    return target.getvalue()


def unsealed(body: bytes, *, size: int | None = None) -> bytes:
    with UnsealingReader(io.BytesIO(body), KEY, name="data.c4gh", size=size) as reader:
        return reader.read()


@pytest.mark.parametrize("size", SIZES)
def test_a_file_comes_back_with_true_digests(tmp_path: Path, size: int) -> None:
    content = content_of(size)
    (tmp_path / "plain").write_bytes(content)
    heard: list[int] = []
    with (tmp_path / "plain").open("rb") as source, (tmp_path / "sealed").open("wb") as target:
        target.write(b"header")
        target.flush()
        result = seal(source.fileno(), target.fileno(), KEY, progress=heard.append)
    body = (tmp_path / "sealed").read_bytes()[6:]
    assert (result.size, result.sha256) == (size, hashlib.sha256(content).hexdigest())
    assert (result.body_size, result.body_sha256) == (len(body), hashlib.sha256(body).hexdigest())
    assert len(body) == sealed_size(size)
    assert (heard[-1] if heard else 0) == size
    with (tmp_path / "sealed").open("rb") as source, (tmp_path / "opened").open("wb") as target:
        opened = unseal(source.fileno(), 6, target.fileno(), KEY, size=size)
    assert (opened.size, opened.sha256) == (result.size, result.sha256)
    assert (tmp_path / "opened").read_bytes() == content


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(min_value=0, max_value=3 * SEGMENT), max_size=8),
    st.integers(min_value=1, max_value=4 * SEGMENT),
)
@example([BATCH * SEGMENT, 0, BATCH * SEGMENT, 1], 1 << 20)
def test_writes_and_reads_of_any_length_join(writes: list[int], step: int) -> None:
    content = content_of(sum(writes))
    target = io.BytesIO()
    with SealingWriter(target, KEY) as writer:
        at = 0
        for count in writes:
            assert writer.write(memoryview(content)[at : at + count]) == count
            at += count
    assert writer.sealed.sha256 == hashlib.sha256(content).hexdigest()
    target.seek(0)
    with UnsealingReader(target, KEY) as reader:
        parts = list(iter(lambda: reader.read(step), b""))
        assert reader.opened.size == len(content)
    assert b"".join(parts) == content
    assert all(len(one) == step for one in parts[:-1])


@pytest.mark.parametrize(
    "left_out", [("plain_digest",), ("body_digest",), ("plain_digest", "body_digest")], ids="-".join
)
@pytest.mark.parametrize("size", [3 * SEGMENT, 40 * SEGMENT])
def test_either_digest_of_what_is_sealed_can_be_left_out(left_out: tuple[str, ...], size: int) -> None:
    target = io.BytesIO()
    content = content_of(size)
    with SealingWriter(target, KEY, **dict.fromkeys(left_out, False)) as writer:
        writer.write(content)
    expected = {"plain_digest": content, "body_digest": target.getvalue()}
    stated = {"plain_digest": writer.sealed.sha256, "body_digest": writer.sealed.body_sha256}
    for name, digest in stated.items():
        assert digest == (None if name in left_out else hashlib.sha256(expected[name]).hexdigest())
    assert unsealed(target.getvalue()) == content


def test_the_digest_of_what_is_opened_can_be_left_out() -> None:
    content = content_of(40 * SEGMENT)
    with UnsealingReader(io.BytesIO(sealed(content)), KEY, digest=False) as reader:
        assert reader.read() == content
    assert (reader.opened.size, reader.opened.sha256) == (len(content), None)


def test_equal_contents_give_no_equal_segments() -> None:
    body = sealed(bytes(4 * SEGMENT))
    assert len({body[at : at + SEALED_SEGMENT] for at in range(0, len(body), SEALED_SEGMENT)}) == 4
    assert body != sealed(bytes(4 * SEGMENT))


def test_a_tar_is_sealed_and_opened_through_pipes(tmp_path: Path) -> None:
    members = {f"part-{number}": content_of(number * 400_000 + 1) for number in range(12)}
    outer, inner = os.pipe()
    problems: list[WfexsError] = []

    def make() -> None:
        try:
            with SealingWriter(inner, KEY) as writer, tarfile.open(fileobj=writer, mode="w|") as archive:  # type: ignore[call-overload]
                for name, content in members.items():
                    member = tarfile.TarInfo(name)
                    member.size = len(content)
                    archive.addfile(member, io.BytesIO(content))
        except WfexsError as error:
            problems.append(error)
        finally:
            os.close(inner)

    thread = threading.Thread(target=make)
    thread.start()
    found = {}
    with UnsealingReader(outer, KEY) as reader:
        with tarfile.open(fileobj=reader, mode="r|") as archive:  # type: ignore[call-overload]
            for member in archive:
                stream = archive.extractfile(member)
                assert stream is not None
                found[member.name] = stream.read()
        reader.read()
        assert reader.opened.size > 0
    thread.join()
    os.close(outer)
    assert not problems
    assert found == members


# --- damage ---

LONG = 40 * SEGMENT + 5


@pytest.fixture(scope="module")
def body() -> bytes:
    return sealed(content_of(LONG))


@pytest.mark.parametrize("segment", [1, 2, 16, 17, 40, 41])
@pytest.mark.parametrize("place", ["nonce", "content", "tag"])
def test_a_flipped_bit_is_found_and_its_segment_named(body: bytes, segment: int, place: str) -> None:
    damaged = bytearray(body)
    start, end = (segment - 1) * SEALED_SEGMENT, min(segment * SEALED_SEGMENT, len(body))
    damaged[{"nonce": start, "content": start + 12, "tag": end - 1}[place]] ^= 1
    with pytest.raises(DigestError, match=f"data.c4gh is damaged.* in segment {segment}, ") as caught:
        unsealed(bytes(damaged))
    assert caught.value.fields["segment"] == segment


@pytest.mark.parametrize(
    ("kept", "segment"),
    [
        (1, 1),
        (28, 1),
        (29, 1),
        (SEALED_SEGMENT - 1, 1),
        (SEALED_SEGMENT + 1, 2),
        (16 * SEALED_SEGMENT + 28, 17),
        (40 * SEALED_SEGMENT + 32, 41),
    ],
)
def test_a_body_that_was_cut_within_a_segment_is_found(body: bytes, kept: int, segment: int) -> None:
    with pytest.raises(DigestError, match=f"cut off,? in segment {segment}, "):
        unsealed(body[:kept])


@pytest.mark.parametrize("kept", [0, 1, 16, 40])
def test_a_body_that_was_cut_between_segments_is_found_by_its_size(body: bytes, kept: int) -> None:
    with pytest.raises(DigestError, match=f"holds {kept * SEGMENT} bytes, and should hold {LONG}"):
        unsealed(body[: kept * SEALED_SEGMENT], size=LONG)


@pytest.mark.parametrize("more", [b"x", bytes(28), bytes(100), bytes(SEALED_SEGMENT)])
def test_more_bytes_are_found(body: bytes, more: bytes) -> None:
    with pytest.raises(DigestError, match="segment 41"):
        unsealed(body + more)
    whole = sealed(content_of(2 * SEGMENT))
    with pytest.raises(DigestError, match="segment 3"):
        unsealed(whole + more)


def test_an_empty_segment_is_no_segment() -> None:
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    empty = bytes(12) + ChaCha20Poly1305(KEY).encrypt(bytes(12), b"", None)
    with pytest.raises(DigestError, match="cut off in segment 2"):
        unsealed(sealed(content_of(SEGMENT)) + empty)


def test_a_repeated_segment_is_found_by_the_size() -> None:
    whole = sealed(content_of(2 * SEGMENT))
    with pytest.raises(DigestError, match="holds more than the 131072 bytes"):
        unsealed(whole + whole[:SEALED_SEGMENT], size=2 * SEGMENT)


def test_another_key_opens_nothing() -> None:
    with pytest.raises(DigestError, match="segment 1"):
        UnsealingReader(io.BytesIO(sealed(b"secret")), bytes(32)).read()


# --- trouble ---


@pytest.mark.parametrize("size", [1, 30 * BATCH * SEGMENT])
def test_a_full_disk_is_told(size: int) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        with pytest.raises(DiskError), SealingWriter(full, KEY, name="out.c4gh") as writer:
            writer.write(bytes(size))
    finally:
        os.close(full)


def test_a_full_disk_while_opening_is_told(tmp_path: Path, body: bytes) -> None:
    (tmp_path / "sealed").write_bytes(body)
    with (
        (tmp_path / "sealed").open("rb") as source,
        Path("/dev/full").open("wb", buffering=0) as full,
        pytest.raises(DiskError),
    ):
        unseal(source.fileno(), 0, full.fileno(), KEY)


def test_sealing_and_opening_can_be_stopped_and_leave_no_threads(body: bytes) -> None:
    before = threading.active_count()
    stop = threading.Event()
    with (
        pytest.raises(WfexsError, match=r"sealing out\.c4gh was stopped"),
        SealingWriter(io.BytesIO(), KEY, name="out.c4gh", cancelled=stop) as writer,
    ):
        writer.write(bytes(3 * BATCH * SEGMENT))
        stop.set()
        writer.write(b"more")
    with pytest.raises(WfexsError, match=r"opening data\.c4gh was stopped"):
        UnsealingReader(io.BytesIO(body), KEY, name="data.c4gh", cancelled=stop).read()
    with UnsealingReader(io.BytesIO(body), KEY) as reader:
        reader.read(BATCH * SEGMENT + 1)
    assert threading.active_count() == before


def test_what_is_not_finished_has_no_digest(body: bytes) -> None:
    with UnsealingReader(io.BytesIO(body), KEY) as reader:
        reader.read(10)
        with pytest.raises(ValueError, match="not read to its end"):
            _ = reader.opened
    with pytest.raises(RuntimeError), SealingWriter(io.BytesIO(), KEY) as writer:
        writer.write(b"some")
        raise RuntimeError
    with pytest.raises(ValueError, match="not finished"):
        _ = writer.sealed


def test_a_sparse_quarter_of_a_gibibyte_goes_through_in_little_memory() -> None:
    """From a sparse file through a pipe and back, in a process of its own whose memory is counted."""
    program = textwrap.dedent(
        """
        import os, re, tempfile, threading
        from pathlib import Path
        from wfexs_like.seal.opening import UnsealingReader
        from wfexs_like.seal.segments import seal
        outer, inner = os.pipe()
        digests = []
        with tempfile.TemporaryFile() as source, UnsealingReader(outer, bytes(32), size=1 << 28) as reader:
            source.truncate(1 << 28)
            def make():
                digests.append(seal(source.fileno(), inner, bytes(32)).sha256)
                os.close(inner)
            thread = threading.Thread(target=make)
            thread.start()
            for piece in reader.pieces():
                pass
            thread.join()
            digests.append(reader.opened.sha256)
        print(*digests, *re.findall(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text()))
        """
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    first, second, kibibytes = answer.stdout.split()
    # The sha256 of 2^28 zero bytes, as sha256sum says.
    assert first == second == "a6d72ac7690f53be6ae46ba88506bd97302a093f7108472bd9efc3cefda06484"
    assert int(kibibytes) < 100_000
