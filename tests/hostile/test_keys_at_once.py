"""Keys made by several at once: one of them wins whole, and the others are told by the key's own name."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from staging.errors import PolicyError
from wfexs_like import initialise
from wfexs_like.keys import KeyFiles
from wfexs_like.seal.ssh_keys import SigningKeyFiles, load_signer
from wfexs_like.settings import Settings


def test_of_several_at_once_one_makes_the_keys_and_the_rest_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings.load({"HOME": str(tmp_path), "WFEXS_LIKE_KEYS": str(tmp_path / "keys")})
    # All have looked before any of them writes.
    nothing = (KeyFiles.below(settings.keys), SigningKeyFiles.below(settings.keys))
    monkeypatch.setattr(initialise, "missing_pairs", lambda _: nothing)

    def make(_: int) -> str:
        try:
            initialise.add_missing_keys(settings, None)
        except PolicyError as error:
            return str(error.where)
        return "made"

    with ThreadPoolExecutor(max_workers=4) as pool:
        told = sorted(pool.map(make, range(4)))
    private = KeyFiles.below(settings.keys).private
    assert told == sorted(["made", *[str(private)] * 3])
    assert sorted(settings.keys.iterdir()) == sorted(path for pair in nothing for path in (pair.private, pair.public))
    load_signer(SigningKeyFiles.below(settings.keys).private, None)
