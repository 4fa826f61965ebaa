"""Headers of sealed files: who may open, how that is changed in place, and what damage does."""

from __future__ import annotations

import fcntl
import io
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from staging.errors import DigestError, KeyAccessError, NotFoundError, PolicyError, UsageError
from wfexs_like.keys import encode_pair
from wfexs_like.seal import headers, rewrapping
from wfexs_like.seal.headers import OpenedHeader, new_session_key, open_header, seal_header
from wfexs_like.seal.packets import PACKET_BYTES, free_slot, public_of, taken_slots
from wfexs_like.seal.recipients import Recipient, read_recipient
from wfexs_like.seal.rewrapping import rewrap
from wfexs_like.seal.ssh_keys import encode_signing_pair

SECRETS = tuple(bytes([number]) * 32 for number in range(1, 8))
ALICE, BOB, CAROL, DAN, *_ = PEOPLE = tuple(
    Recipient(public_key=public_of(secret), label=name)
    for secret, name in zip(SECRETS, ("alice", "bob", "carol", "dan", "eve", "fay", "gus"), strict=True)
)
A, B, C, D, *_ = SECRETS
KEY = bytes(range(32))
BODY = b"body " * 1000


def sealed_file(folder: Path, *people: Recipient, slots: int = 64) -> Path:
    path = folder / "data.c4gh"
    path.write_bytes(seal_header(people, KEY, slots=slots) + BODY)
    return path


def opened(path: Path, secret: bytes) -> OpenedHeader:
    with path.open("rb") as stream:
        return open_header(stream, [secret], name=path.name)


def names(path: Path, secret: bytes) -> set[str]:
    return {one.label for one in opened(path, secret).recipients}


def body(path: Path, secret: bytes) -> bytes:
    return path.read_bytes()[opened(path, secret).length :]


# --- recipients ---


def test_a_recipient_is_read_from_a_crypt4gh_key_file_and_called_by_its_name(tmp_path: Path) -> None:
    _, public = encode_pair(None)
    (tmp_path / "maria.pub").write_bytes(public)
    from_file = read_recipient(tmp_path / "maria.pub")
    assert from_file.label == "maria"
    assert from_file.public_key == read_recipient(public.decode()).public_key
    assert from_file.fingerprint.startswith("SHA256:")
    assert len(from_file.fingerprint) == len("SHA256:") + 43


def test_a_private_key_is_no_recipient(tmp_path: Path) -> None:
    private, _ = encode_pair(None)
    (tmp_path / "mine.sec").write_bytes(private)
    with pytest.raises(KeyAccessError, match="is a private key") as caught:
        read_recipient(tmp_path / "mine.sec")
    assert "private" in (caught.value.hint or "")
    signing, _ = encode_signing_pair(None, comment="me")
    (tmp_path / "signing").write_bytes(signing)
    with pytest.raises(KeyAccessError, match="is a private key"):
        read_recipient(tmp_path / "signing")


def test_what_keys_export_prints_is_a_recipient_although_it_has_both_keys(tmp_path: Path) -> None:
    _, public = encode_pair(None)
    _, signing = encode_signing_pair(None, comment="ada@example")
    (tmp_path / "ada.pub").write_bytes(public + signing)
    recipient = read_recipient(tmp_path / "ada.pub")
    assert recipient.public_key == read_recipient(public.decode()).public_key
    assert recipient.label == "ada"


def test_a_key_file_of_the_name_that_all_have_is_called_by_its_folder(tmp_path: Path) -> None:
    _, public = encode_pair(None)
    (tmp_path / "ada").mkdir()
    (tmp_path / "ada" / "wfexs-like.pub").write_bytes(public)
    assert read_recipient(tmp_path / "ada" / "wfexs-like.pub").label == "ada"


def test_a_key_file_whose_name_is_not_utf_8_is_called_by_what_is_readable_of_it(tmp_path: Path) -> None:
    _, public = encode_pair(None)
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/jos\xe9\n1.pub"))
    path.write_bytes(public)
    recipient = read_recipient(path)
    assert recipient.label == "jos1"
    sealed = sealed_file(tmp_path, ALICE, recipient)
    assert names(sealed, A) == {"alice", "jos1"}


def test_a_key_and_its_comment_come_out_of_one_reading(tmp_path: Path) -> None:
    _, signing = encode_signing_pair(None, comment="ada@example")
    reading, writing = os.pipe()  # as a shell's <(...) gives it: there is nothing to be read twice
    os.write(writing, signing)
    os.close(writing)
    try:
        assert read_recipient(f"/dev/fd/{reading}").label == "ada@example"
    finally:
        os.close(reading)


def test_no_key_file_has_a_name_with_a_nul(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no public key"):
        read_recipient(f"{tmp_path}/a\0b.pub")


def test_who_has_no_public_key_of_somebody_is_told_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no public key") as caught:
        read_recipient(tmp_path / "ada.pub")
    assert "its owner prints it" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "text", ["ssh-rsa AAAAB3NzaC1yc2E= me", "ssh-ed25519", "ssh-ed25519 !!!! me", "ssh-ed25519 QQ=="]
)
def test_what_is_no_ed25519_key_is_refused(text: str) -> None:
    with pytest.raises(KeyAccessError):
        read_recipient(text)


def test_a_missing_key_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        read_recipient(tmp_path / "nobody.pub")


# --- sealing and opening ---


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=7), st.sampled_from((2, 16, 64)))
def test_all_recipients_open_and_list_each_other_and_nobody_else_opens(people: list[Recipient], slots: int) -> None:
    header = seal_header(people, KEY, slots=slots)
    for secret, person in zip(SECRETS, PEOPLE, strict=True):
        if person in people:
            result = open_header(io.BytesIO(header), [secret])
            assert result.session_key == KEY
            assert result.recipients == tuple(dict.fromkeys(people))
            assert (result.length, result.unknown, result.broken) == (len(header), 0, ())
            assert result.own == (person.public_key,)
            assert not result.foreign
        else:
            with pytest.raises(KeyAccessError, match="not sealed for this key"):
                open_header(io.BytesIO(header), [secret])


def test_a_stream_is_left_at_the_body_and_a_descriptor_where_it_was(tmp_path: Path) -> None:
    path = sealed_file(tmp_path, ALICE)
    with path.open("rb") as stream:
        open_header(stream, [A])
        assert stream.read() == BODY
    descriptor = os.open(path, os.O_RDONLY)
    try:
        assert open_header(descriptor, [B, A]).session_key == KEY
        assert os.lseek(descriptor, 0, os.SEEK_CUR) == 0
    finally:
        os.close(descriptor)


def test_to_a_stranger_all_packets_look_alike() -> None:
    header = seal_header([ALICE, BOB], KEY)
    packets = [header[at : at + PACKET_BYTES] for at in range(16, len(header), PACKET_BYTES)]
    assert len(header) == 16 + 64 * PACKET_BYTES
    assert {packet[:8] for packet in packets} == {PACKET_BYTES.to_bytes(4, "little") + bytes(4)}
    # Each holds a number below 2^255 - 19, as every X25519 key is: random bytes would not in half of all cases.
    assert all(packet[39] < 0x80 for packet in packets)
    assert len(set(packets)) == 64
    assert ALICE.public_key not in header
    assert b"alice" not in header


def test_a_long_label_is_cut_between_letters() -> None:
    header = seal_header([Recipient(public_key=ALICE.public_key, label="é" * 30)], KEY)
    assert open_header(io.BytesIO(header), [A]).recipients[0].label == "é" * 9


def test_the_session_key_is_in_no_representation() -> None:
    assert repr(KEY) not in repr(open_header(io.BytesIO(seal_header([ALICE], KEY)), [A]))


def test_nobody_and_weak_keys_are_refused() -> None:
    with pytest.raises(UsageError, match="nobody"):
        seal_header([], KEY)
    with pytest.raises(KeyAccessError, match="weak"):
        seal_header([Recipient(public_key=bytes(32))], KEY)


def test_session_keys_are_random() -> None:
    assert len({new_session_key() for _ in range(10)}) == 10


# --- damage and hostile headers ---


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a crypt4gh file"),
        (b"PK\x03\x04 something else", "not a crypt4gh file"),
        (b"crypt4gh\x01\0", "cut off"),
        (b"crypt4gh\x02\0\0\0\x01\0\0\0", "version 2"),
        (b"crypt4gh\x01\0\0\0\0\0\0\0", "0 packets"),
        (b"crypt4gh\x01\0\0\0\xff\xff\xff\xff", "4294967295 packets"),
        (b"crypt4gh\x01\0\0\0\x01\0\0\0\0\0\0\0", "packet 1 has 0 bytes"),
        (b"crypt4gh\x01\0\0\0\x01\0\0\0\xff\xff\xff\x7f", "packet 1 has 2147483647 bytes"),
        (b"crypt4gh\x01\0\0\0\x01\0\0\0\x6c\0\0\0short", "cut off"),
    ],
)
def test_what_is_no_header_is_said_to_be_damaged(content: bytes, words: str) -> None:
    with pytest.raises(DigestError, match=words):
        open_header(io.BytesIO(content), [A])


@settings(max_examples=60, deadline=None)
@example(16 + 2 * PACKET_BYTES + 4, 0)  # the method of Bob's packet
@given(st.integers(min_value=0, max_value=16 + 8 * PACKET_BYTES - 1), st.integers(min_value=0, max_value=7))
def test_a_flipped_bit_never_gives_another_key_or_a_traceback(at: int, bit: int) -> None:
    header = bytearray(seal_header([ALICE, BOB], KEY, slots=8))
    header[at] ^= 1 << bit
    try:
        result = open_header(io.BytesIO(bytes(header)), [A])
    except (DigestError, KeyAccessError):
        return
    assert result.session_key == KEY
    # Alice's own packet is whole. A smaller count of packets is found by the first segment, anything else here.
    assert result.broken or result.unknown or at < 16


def crafted(*contents: bytes) -> bytes:
    """A header as any other tool could make it for Alice, with these packets."""
    from crypt4gh import header

    packets = [next(iter(header.encrypt(one, [(0, B, ALICE.public_key)]))) for one in contents]
    return bytes(header.serialize(packets))


DATA_KEY = bytes(8) + KEY


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        ((DATA_KEY, b"\1\0\0\0\1\0\0\0" + (5).to_bytes(8, "little")), "edit list"),
        ((b"\1\0\0\0\1\0\0\0" + (5).to_bytes(8, "little"), DATA_KEY), "edit list"),
        ((DATA_KEY, bytes(8) + bytes(32)), "several session keys"),
        ((b"\0\0\0\0\1\0\0\0" + KEY,), "cipher"),
        ((b"\7\0\0\0" + KEY,), "packet type 7"),
    ],
)
def test_what_other_tools_may_ask_for_is_refused_by_name(contents: tuple[bytes, ...], words: str) -> None:
    with pytest.raises(PolicyError, match=words):
        open_header(io.BytesIO(crafted(*contents)), [A])


def test_a_session_key_of_another_length_is_damage() -> None:
    with pytest.raises(DigestError, match="session key of 5 bytes"):
        open_header(io.BytesIO(crafted(bytes(13))), [A])


def test_a_header_of_another_tool_is_foreign() -> None:
    result = open_header(io.BytesIO(crafted(DATA_KEY)), [A])
    assert result.foreign
    assert [one.public_key for one in result.recipients] == [ALICE.public_key]


def test_nobody_is_hidden_in_a_header_that_lists_all() -> None:
    """A recipient who knows the session key puts a packet for a friend where a free slot was."""
    header = bytearray(seal_header([ALICE], KEY))
    packet, _ = taken_slots(KEY, BOB)
    header[-PACKET_BYTES:] = packet
    assert open_header(io.BytesIO(bytes(header)), [A]).unknown == 1


def test_a_note_that_names_another_than_the_packet_opens_for_is_found() -> None:
    header = bytearray(seal_header([ALICE], KEY, slots=4))
    packet, _ = taken_slots(KEY, BOB)
    _, note = taken_slots(KEY, CAROL)
    header[-2 * PACKET_BYTES :] = packet + note
    result = open_header(io.BytesIO(bytes(header)), [A])
    assert [one.label for one in result.recipients] == ["alice"]
    assert [one.label for one in result.broken] == ["carol"]


# --- sharing again ---


def test_a_recipient_is_added_in_place(tmp_path: Path) -> None:
    path = sealed_file(tmp_path, ALICE)
    before = path.stat()
    assert [one.label for one in rewrap(path, [A], add=[BOB, BOB, ALICE])] == ["alice", "bob"]
    assert path.stat().st_ino == before.st_ino
    assert path.stat().st_size == before.st_size
    assert names(path, B) == {"alice", "bob"}
    assert body(path, B) == BODY


def test_a_removed_recipient_opens_no_more_and_is_told_by_fingerprint_or_key(tmp_path: Path) -> None:
    path = sealed_file(tmp_path, ALICE, BOB, CAROL)
    rewrap(path, [A], remove=[BOB.fingerprint, CAROL])
    assert names(path, A) == {"alice"}
    assert opened(path, A).free == 62
    for secret in (B, C):
        with pytest.raises(KeyAccessError):
            opened(path, secret)
    assert body(path, A) == BODY


def test_people_come_and_go_for_ever_without_growth(tmp_path: Path) -> None:
    path = sealed_file(tmp_path, ALICE, slots=8)
    inode = path.stat().st_ino
    for _ in range(5):
        rewrap(path, [A], add=[BOB, CAROL])
        rewrap(path, [B], add=[DAN], remove=[CAROL])
        rewrap(path, [D], remove=[BOB, DAN], even_own=True)
    assert names(path, A) == {"alice"}
    assert path.stat().st_ino == inode


def test_the_last_cannot_be_removed_and_oneself_only_when_asked(tmp_path: Path) -> None:
    path = sealed_file(tmp_path, ALICE, BOB)
    content = path.read_bytes()
    with pytest.raises(PolicyError, match="your own key"):
        rewrap(path, [A], remove=[ALICE])
    with pytest.raises(PolicyError, match="nobody could open"):
        rewrap(path, [A], remove=[ALICE, BOB], even_own=True)
    with pytest.raises(NotFoundError, match="no recipient"):
        rewrap(path, [A], remove=[CAROL])
    with pytest.raises(KeyAccessError):
        rewrap(path, [C], add=[CAROL])
    assert path.read_bytes() == content
    rewrap(path, [A], remove=[ALICE], even_own=True)
    assert names(path, B) == {"bob"}


def test_a_full_header_grows_and_the_body_stays_what_it_was(tmp_path: Path) -> None:
    path = sealed_file(tmp_path, ALICE, BOB, slots=4)
    path.chmod(0o640)
    rewrap(path, [A], add=[CAROL, DAN])
    result = opened(path, D)
    assert {one.label for one in result.recipients} == {"alice", "bob", "carol", "dan"}
    assert result.slots == 64
    assert body(path, B) == BODY
    assert path.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_of_the_longest_name_grows_as_well(tmp_path: Path) -> None:
    path = sealed_file(tmp_path, ALICE, slots=2).rename(tmp_path / ("a" * 250 + ".c4gh"))
    rewrap(path, [A], add=[BOB])
    assert body(path, B) == BODY
    assert list(tmp_path.iterdir()) == [path]


def test_a_copy_without_help_of_the_file_system_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "copy_file_range", refuse)
    path = sealed_file(tmp_path, ALICE, slots=2)
    rewrap(path, [A], add=[BOB])
    assert body(path, B) == BODY


def test_a_full_disk_while_growing_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "copy_file_range", full)
    path = sealed_file(tmp_path, ALICE, slots=2)
    content = path.read_bytes()
    with pytest.raises(Exception, match="no space left") as caught:
        rewrap(path, [A], add=[BOB])
    assert getattr(caught.value, "exit_code", None) == 13
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_of_a_foreign_file_the_other_recipients_are_kept(tmp_path: Path) -> None:
    from crypt4gh import header

    path = tmp_path / "foreign.c4gh"
    packets = list(header.encrypt(DATA_KEY, [(0, C, ALICE.public_key), (0, C, BOB.public_key)]))
    path.write_bytes(header.serialize(packets) + BODY)
    rewrap(path, [A], add=[DAN])
    assert opened(path, A).unknown == 1
    assert names(path, D) == {"", "dan"}
    assert body(path, B) == body(path, D) == BODY


WRITES = 8
"""More than the slots that the change below writes."""


@pytest.mark.parametrize("stop", range(WRITES))
@pytest.mark.parametrize("torn", [0, 50, PACKET_BYTES])
def test_a_writer_that_is_killed_between_slots_harms_nobody(tmp_path: Path, stop: int, torn: int) -> None:
    """Bob is removed and Carol added; the process is killed at each write, and within it."""
    path = sealed_file(tmp_path, ALICE, BOB, DAN)
    child = os.fork()
    if child == 0:  # pragma: no cover - it is killed
        written = 0
        real = os.pwrite

        def dying(descriptor: int, content: bytes, offset: int) -> int:
            nonlocal written
            if written == stop:
                real(descriptor, content[:torn], offset)
                os.kill(os.getpid(), signal.SIGKILL)
            written += 1
            return real(descriptor, content, offset)

        os.pwrite = dying
        try:
            rewrap(path, [A], add=[CAROL], remove=[BOB])
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) == (stop < 4)
    for secret in (A, D):
        assert {"alice", "dan"} <= names(path, secret)
        assert body(path, secret) == BODY
    # Who is listed opens, and who is not listed does not.
    for secret, name in ((B, "bob"), (C, "carol")):
        if name in names(path, A):
            opened(path, secret)
        else:
            with pytest.raises(KeyAccessError):
                opened(path, secret)
    # And it can be done again.
    listed = opened(path, A)
    remove = [BOB] if BOB in (*listed.recipients, *listed.broken) else []
    rewrap(path, [A], add=[CAROL], remove=remove)
    assert names(path, A) == {"alice", "carol", "dan"}
    assert opened(path, A).broken == ()
    with pytest.raises(KeyAccessError):
        opened(path, B)


def test_two_at_once_both_get_in(tmp_path: Path) -> None:
    path = sealed_file(tmp_path, ALICE, slots=2)  # the first has to make the file anew under the other's hands
    program = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from wfexs_like.seal.packets import public_of
        from wfexs_like.seal.recipients import Recipient
        from wfexs_like.seal.rewrapping import rewrap
        secret = bytes([int(sys.argv[2])]) * 32
        rewrap(Path(sys.argv[1]), [bytes([1]) * 32], add=[Recipient(public_key=public_of(secret), label=sys.argv[3])])
        """
    )
    children = [
        subprocess.Popen([sys.executable, "-c", program, path, str(number), PEOPLE[number - 1].label])
        for number in (2, 3, 4)
    ]
    assert [child.wait(60) for child in children] == [0, 0, 0]
    assert names(path, A) == {"alice", "bob", "carol", "dan"}
    assert body(path, D) == BODY


def test_who_waited_for_another_changes_the_file_that_is_there_then(tmp_path: Path) -> None:
    path = sealed_file(tmp_path, ALICE, slots=2)
    with path.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        waiting = threading.Thread(target=rewrap, args=(path, [A]), kwargs={"add": [BOB]})
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive()
        # What the other does: the file anew, with one more.
        (tmp_path / "anew").write_bytes(seal_header([ALICE, CAROL], KEY) + BODY)
        (tmp_path / "anew").replace(path)
    waiting.join(10)
    assert names(path, C) == {"alice", "bob", "carol"}


def test_free_slots_of_another_file_are_not_free_here(tmp_path: Path) -> None:
    header = bytearray(seal_header([ALICE], KEY))
    header[-PACKET_BYTES:] = free_slot(bytes(32))
    assert open_header(io.BytesIO(bytes(header)), [A]).unknown == 1


def test_limits_hold_for_what_is_written_too() -> None:
    assert rewrapping.PACKET_BYTES * headers.MOST_PACKETS < headers.LONGEST_HEADER
