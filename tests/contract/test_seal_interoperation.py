"""The standard, both ways: the reference command opens what is sealed here, and what it sealed is opened here.

Source: GA4GH crypt4gh 1.0; the judge is the reference implementation's command ``crypt4gh``.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from staging.errors import KeyAccessError, PolicyError
from wfexs_like.keys import encode_pair, read_private
from wfexs_like.seal.headers import new_session_key, open_header, seal_header
from wfexs_like.seal.opening import unseal
from wfexs_like.seal.recipients import Recipient, read_recipient
from wfexs_like.seal.rewrapping import rewrap
from wfexs_like.seal.segments import SEGMENT, seal

REFERENCE = Path(sys.executable).parent / "crypt4gh"
SIZES = (0, 1, 65535, 65536, 65537, 40 * SEGMENT + 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody's key pair in files."""

    private: Path
    public: Path

    @property
    def recipient(self) -> Recipient:
        return read_recipient(self.public)

    @property
    def secret(self) -> bytes:
        return read_private(self.private, None)


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> tuple[Person, ...]:
    """Five: three with keys of crypt4gh's form, two with SSH keys."""
    folder = tmp_path_factory.mktemp("keys")
    made = []
    for number in range(5):
        if number < 3:
            person = Person(private=folder / f"{number}.sec", public=folder / f"{number}.pub")
            private, public = encode_pair(None)
            person.private.write_bytes(private)
            person.private.chmod(0o600)
            person.public.write_bytes(public)
        else:
            person = Person(private=folder / f"id_{number}", public=folder / f"id_{number}.pub")
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"p{number}@example.org", "-f", person.private],
                check=True,
            )
        made.append(person)
    return tuple(made)


def reference(*words: str | Path, given: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([REFERENCE, *map(str, words)], input=given, capture_output=True, timeout=60)


def reference_opens(path: Path, person: Person) -> bytes:
    result = reference("decrypt", "--sk", person.private, given=path.read_bytes())
    assert result.returncode == 0, result.stderr
    assert result.stderr == b""
    return result.stdout


def reference_sealed(path: Path, content: bytes, *people: Person) -> Path:
    words = [word for person in people for word in ("--recipient_pk", person.public)]
    result = reference("encrypt", *words, given=content)
    assert result.returncode == 0, result.stderr
    path.write_bytes(result.stdout)
    return path


def sealed(path: Path, content: bytes, *people: Person) -> Path:
    plain = path.with_suffix(".plain")
    plain.write_bytes(content)
    key = new_session_key()
    with plain.open("rb") as source, path.open("wb", buffering=0) as target:
        target.write(seal_header([one.recipient for one in people], key))
        seal(source.fileno(), target.fileno(), key)
    return path


def opens(path: Path, person: Person) -> bytes:
    target = path.with_suffix(".opened")
    with path.open("rb") as source, target.open("wb", buffering=0) as sink:
        header = open_header(source.fileno(), [person.secret], name=path.name)
        result = unseal(source.fileno(), header.length, sink.fileno(), header.session_key, name=path.name)
    content = target.read_bytes()
    assert (result.size, result.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    return content


def content_of(size: int) -> bytes:
    return hashlib.shake_256(b"%d" % size).digest(size)


@pytest.mark.parametrize("size", SIZES)
def test_the_reference_opens_what_is_sealed_here(tmp_path: Path, people: tuple[Person, ...], size: int) -> None:
    path = sealed(tmp_path / "data.c4gh", content_of(size), people[0])
    assert reference_opens(path, people[0]) == content_of(size)


@pytest.mark.parametrize("size", SIZES)
def test_what_the_reference_sealed_opens_here(tmp_path: Path, people: tuple[Person, ...], size: int) -> None:
    path = reference_sealed(tmp_path / "data.c4gh", content_of(size), people[1])
    assert opens(path, people[1]) == content_of(size)


def test_each_of_five_opens_with_either_tool(tmp_path: Path, people: tuple[Person, ...]) -> None:
    content = content_of(SEGMENT + 9)
    ours = sealed(tmp_path / "ours.c4gh", content, *people)
    theirs = reference_sealed(tmp_path / "theirs.c4gh", content, *people)
    for person in people:
        assert reference_opens(ours, person) == opens(ours, person) == opens(theirs, person) == content


def test_an_ssh_key_is_called_by_its_comment(people: tuple[Person, ...]) -> None:
    assert people[3].recipient.label == "p3@example.org"
    assert read_recipient(people[3].public.read_text()) == people[3].recipient


def test_the_reference_opens_for_who_was_added_and_no_more_for_who_was_removed(
    tmp_path: Path, people: tuple[Person, ...]
) -> None:
    content = content_of(3 * SEGMENT)
    path = sealed(tmp_path / "data.c4gh", content, people[0], people[1], people[3])
    left = rewrap(
        path, [people[0].secret], add=[people[2].recipient, people[4].recipient], remove=[people[1].recipient]
    )
    assert {one.public_key for one in left} == {people[number].recipient.public_key for number in (0, 2, 3, 4)}
    for number in (0, 2, 3, 4):
        assert reference_opens(path, people[number]) == content
    assert reference("decrypt", "--sk", people[1].private, given=path.read_bytes()).returncode != 0
    with pytest.raises(KeyAccessError):
        opens(path, people[1])


def test_a_file_of_the_reference_is_shared_again_and_all_before_still_open_it(
    tmp_path: Path, people: tuple[Person, ...]
) -> None:
    content = content_of(2 * SEGMENT + 1)
    path = reference_sealed(tmp_path / "data.c4gh", content, people[0], people[3])
    rewrap(path, [people[0].secret], add=[people[1].recipient])
    for number in (0, 1, 3):
        assert reference_opens(path, people[number]) == content
    inode = path.stat().st_ino
    rewrap(path, [people[1].secret], add=[people[4].recipient], remove=[people[0].recipient])
    assert path.stat().st_ino == inode
    for number in (1, 3, 4):
        assert reference_opens(path, people[number]) == opens(path, people[number]) == content


def test_what_the_reference_shared_again_is_still_understood(tmp_path: Path, people: tuple[Person, ...]) -> None:
    """It puts the packets that it makes before all others, and drops the one that it opened."""
    content = content_of(SEGMENT)
    path = sealed(tmp_path / "data.c4gh", content, people[0], people[1])
    result = reference(
        "reencrypt", "--sk", people[0].private, "--recipient_pk", people[2].public, given=path.read_bytes()
    )
    assert result.returncode == 0, result.stderr
    path.write_bytes(result.stdout)
    rewrap(path, [people[2].secret], add=[people[4].recipient])
    for number in (1, 2, 4):
        assert reference_opens(path, people[number]) == opens(path, people[number]) == content
    with path.open("rb") as stream:
        header = open_header(stream, [people[4].secret])
    assert people[1].recipient.public_key in {one.public_key for one in header.recipients}
    # The reference's own packet for the third is there, but who it is for cannot be known by the fifth.
    assert header.unknown == 1


def test_a_part_that_the_reference_cut_out_is_refused_by_name(tmp_path: Path, people: tuple[Person, ...]) -> None:
    path = reference_sealed(tmp_path / "data.c4gh", content_of(2 * SEGMENT), people[0])
    result = reference("rearrange", "--sk", people[0].private, "--range", "10-70000", given=path.read_bytes())
    assert result.returncode == 0, result.stderr
    path.write_bytes(result.stdout)
    with pytest.raises(PolicyError, match=r"data\.c4gh has an edit list"):
        opens(path, people[0])
