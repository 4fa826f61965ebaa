"""The record of what staged bytes were, across mounts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from staging.fingerprints import StatSignature
from staging.signatures import FILE, Signatures


def test_what_was_recorded_on_another_mount_of_the_same_folder_still_holds(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    now = StatSignature.of(tmp_path / "a")
    elsewhere = replace(now, device=now.device + 1000)
    record = Signatures()
    record.add("a", "ab" * 32, now)
    record.add("b", "cd" * 32, elsewhere)
    record.write(tmp_path / FILE)

    # As it is read after a mount that has another number.
    document = json.loads((tmp_path / FILE).read_text())
    document["device"] = 7
    document["files"]["a"][1] = 7
    (tmp_path / FILE).write_text(json.dumps(document))

    read = Signatures.read(tmp_path / FILE)
    assert read.files["a"] == ("ab" * 32, now)
    assert read.files["b"] == ("cd" * 32, elsewhere), "a file on yet another device is not taken for one of this"


def test_a_record_of_an_older_form_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    record = Signatures()
    record.add("a", "ab" * 32, StatSignature.of(tmp_path / "a"))
    record.write(tmp_path / FILE)
    document = json.loads((tmp_path / FILE).read_text())
    del document["device"]
    (tmp_path / FILE).write_text(json.dumps(document))
    assert Signatures.read(tmp_path / FILE).files == record.files
