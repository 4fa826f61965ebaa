"""Sealed crates that were changed: without any key and without a signature, ``verify`` finds the sealed file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.sealed import Person, export, person, rich_workdir
from wfexs_like.seal.headers import header_length
from wfexs_like.seal.sharing import share
from wfexs_like.verifying.verify import verify_crate


@pytest.fixture(scope="module")
def ada(tmp_path_factory: pytest.TempPathFactory) -> Person:
    return person(tmp_path_factory.mktemp("keys"), "ada")


@pytest.fixture(params=["full", "minimal"])
def crate(tmp_path: Path, ada: Person, request: pytest.FixtureRequest) -> Path:
    export(rich_workdir(tmp_path / "w"), tmp_path / "c", form="files", level=request.param, recipients=(ada.recipient,))
    return tmp_path / "c"


def test_a_changed_sealed_file_is_found_and_a_change_of_recipients_is_none(crate: Path, ada: Person) -> None:
    report = verify_crate(crate)
    assert report.ok
    assert report.undescribed <= 2, "the sealed manifest and metadata alone"
    other = person(crate.parent, "ben")
    share(crate, [ada.secret], add=[other.recipient])
    assert verify_crate(crate).ok

    for sealed in sorted(crate.rglob("*.c4gh")):
        name = str(sealed.relative_to(crate))
        content = sealed.read_bytes()
        with sealed.open("rb") as stream:
            length = header_length(stream)
        if name.startswith("sealed-") or len(content) == length:
            continue
        for changed in (content[:-1] + bytes([content[-1] ^ 1]), content[:length], content + b"x", b"no sealed file"):
            sealed.write_bytes(changed)
            found = verify_crate(crate).problems
            assert [one.path for one in found] == [name]
        sealed.write_bytes(content)
    assert verify_crate(crate).ok
