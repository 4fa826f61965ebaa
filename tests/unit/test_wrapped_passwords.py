"""The file in which the password of an encrypted area is sealed, where something else took its place."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from staging.errors import VaultError
from wfexs_like.access import of_workdir
from wfexs_like.vault.wrapping import unwrap


def _link(path: Path) -> None:
    path.with_name("elsewhere").write_bytes(b"crypt4gh")
    path.symlink_to("elsewhere")


@pytest.mark.parametrize(("make", "what"), [(os.mkfifo, "read"), (os.mkdir, "read"), (_link, "read"), (id, "gone")])
def test_what_is_no_file_is_neither_followed_nor_waited_for(
    tmp_path: Path, make: Callable[[Path], object], what: str
) -> None:
    path = tmp_path / "key.c4gh"
    make(path)

    with pytest.raises(VaultError, match=what) as caught:
        unwrap(path, [bytes(32)])
    with pytest.raises(VaultError, match=what):
        of_workdir(tmp_path, path, [bytes(32)])

    assert "from a copy" in (caught.value.hint or "")
