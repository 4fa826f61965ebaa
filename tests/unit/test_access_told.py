"""What is told of who may open something after that was changed: what is so now."""

from __future__ import annotations

import base64
from pathlib import Path

from tests.unit.test_seal_headers import ALICE, BOB, BODY, CAROL, KEY, A, B
from wfexs_like.access import of_sealed, of_workdir, share_sealed, share_workdir
from wfexs_like.seal.headers import SLOTS, seal_header
from wfexs_like.seal.packets import PACKET_BYTES, taken_slots
from wfexs_like.seal.recipients import Recipient


def with_broken(folder: Path, *broken: Recipient) -> Path:
    """A file for Alice, in whose header others are named whose packets open nothing."""
    header = bytearray(seal_header([ALICE], KEY, slots=SLOTS))
    for number, one in enumerate(broken, 1):
        packet, note = taken_slots(KEY, one)
        end = len(header) - (number - 1) * 2 * PACKET_BYTES
        header[end - 2 * PACKET_BYTES : end] = packet[:-20] + bytes(20) + note
    path = folder / "key.c4gh"
    path.write_bytes(bytes(header) + BODY)
    return path


def key_file(folder: Path, one: Recipient) -> str:
    path = folder / f"{one.label}.pub"
    text = base64.b64encode(one.public_key).decode()
    path.write_text(f"-----BEGIN CRYPT4GH PUBLIC KEY-----\n{text}\n-----END CRYPT4GH PUBLIC KEY-----\n")
    return str(path)


def test_who_was_mended_is_told_as_one_who_opens_and_not_as_broken(tmp_path: Path) -> None:
    path = with_broken(tmp_path, BOB, CAROL)
    assert {one.label for one in of_workdir(tmp_path, path, [A]).broken} == {"bob", "carol"}
    told = share_workdir(tmp_path, path, [A], add=[key_file(tmp_path, BOB)])
    assert [one.label for one in told.broken] == ["carol"]
    assert {one.label for one in told.recipients} == {"alice", "bob"}
    assert [one.label for one in told.added] == ["bob"]
    again = of_workdir(tmp_path, path, [B])
    assert (again.recipients, again.broken) == (told.recipients, told.broken)


def test_who_was_broken_and_leaves_is_told_as_removed(tmp_path: Path) -> None:
    path = with_broken(tmp_path, BOB)
    told = share_workdir(tmp_path, path, [A], remove=[BOB.fingerprint])
    assert (told.broken, [one.label for one in told.removed]) == ((), ["bob"])
    assert of_workdir(tmp_path, path, [A]).broken == ()


def test_of_a_sealed_file_who_stays_broken_is_told_and_who_was_mended_is_not(tmp_path: Path) -> None:
    path = with_broken(tmp_path, BOB, CAROL)
    told = share_sealed(path, [A], add=[key_file(tmp_path, BOB)])
    assert [one.label for one in told.broken] == ["carol"]
    found = of_sealed(path, [A])
    assert (told.kind, told.recipients, told.own, told.broken, told.unknown, told.uneven) == (
        (found.kind, found.recipients, found.own, found.broken, found.unknown, found.uneven)
    )
