"""What is verified is what was read: a file that becomes another one meanwhile deceives nobody."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from staging.errors import NotFoundError
from wfexs_like.reading.contents import Contents, Member, open_crate
from wfexs_like.seal.file_lists import parse_list
from wfexs_like.seal.naming import MANIFEST, SIGNATURE
from wfexs_like.seal.signatures import sign_bytes
from wfexs_like.seal.ssh_keys import SigningKeyFiles, encode_signing_pair, load_signer
from wfexs_like.verifying.signed import read_signed_list
from wfexs_like.verifying.statements import Statements

HONEST = f"# wfexs-like/manifest/1\n{'a' * 128}  data.txt\n".encode()
FORGED = f"# wfexs-like/manifest/1\n{'b' * 128}  data.txt\n".encode()


def changing(first: bytes, then: bytes) -> Iterator[io.BytesIO]:
    yield io.BytesIO(first)
    while True:
        yield io.BytesIO(then)


def test_the_list_that_is_used_is_the_one_whose_signature_was_checked(tmp_path: Path) -> None:
    files = SigningKeyFiles.below(tmp_path)
    for path, text in zip((files.private, files.public), encode_signing_pair(None, comment="x"), strict=True):
        path.write_bytes(text)
        path.chmod(0o600)
    contents = Contents()
    versions = changing(HONEST, FORGED)
    for name in (MANIFEST, SIGNATURE):
        contents.members[name] = Member(kind="f")
    contents.openers[MANIFEST] = lambda: next(versions)
    contents.openers[SIGNATURE] = partial(io.BytesIO, sign_bytes(HONEST, load_signer(files.private, None)))
    found = read_signed_list(contents, Statements(), None)
    assert found.good
    assert found.files is not None
    assert found.files == parse_list(HONEST, "sha512", name=MANIFEST)
    with contents.open(MANIFEST) as stream:
        assert stream.read() == HONEST


def test_metadata_are_hashed_as_they_were_understood(tmp_path: Path) -> None:
    path = tmp_path / "ro-crate-metadata.json"
    path.write_bytes(b"honest")
    with open_crate(tmp_path) as contents:
        assert contents.read(path.name, 100) == b"honest"
        path.write_bytes(b"forged")
        with contents.open(path.name) as stream:
            assert stream.read() == b"honest"


def test_what_goes_wrong_while_a_crate_is_open_is_not_told_as_its_absence(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="another"), open_crate(tmp_path):
        raise FileNotFoundError("another file")
    with pytest.raises(NotFoundError), open_crate(tmp_path / "none"):
        pass
