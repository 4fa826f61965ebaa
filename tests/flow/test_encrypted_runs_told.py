"""Telling of an encrypted working directory's runs: ``report`` and ``compare`` keep nothing of them in clear."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.vaults import Encrypted, staged_once, vault, wait_for

__all__ = ["staged_once", "vault"]
pytestmark = [pytest.mark.cwltool, pytest.mark.gocryptfs, pytest.mark.fuse]

MADE = b"done\n"
"""What the step prints: the output's whole content."""


def test_a_run_is_reported_and_compared_and_stays_encrypted(vault: Encrypted, tmp_path: Path) -> None:
    vault.wfexs.ok("run", "secret")
    page, junit = tmp_path / "page.html", tmp_path / "junit.xml"

    same = vault.wfexs.ok("compare", "secret", "secret:1", "--junit", junit)
    assert (same["verdict"], same["a"]["secret"]) == ("same", True)
    assert [(one["name"], one["verdict"]) for one in same["files"]] == [("out", "identical")]

    # What would be kept in clear is made for who says so, and for nobody else.
    for words in (("report", "secret", "--html", page), ("compare", "secret", "secret", "--show", "--junit", page)):
        refused = vault.wfexs(*words)
        assert (refused.code, refused.object["error"]["kind"]) == (14, "policy")
        assert words[-2] in refused.object["error"]["hint"]
        assert not page.exists()
    wait_for(vault.is_left_alone)
    assert vault.in_clear() == []
    assert b"out.txt" not in junit.read_bytes()
    written = [path for path in vault.home.rglob("*") if path.is_file() and vault.root not in path.parents]
    assert not [path for path in written if path.read_bytes() == MADE or path.name == "out.txt"]

    told = vault.wfexs.ok("report", "secret", "--html", page, "--allow-clear")
    assert [one["status"] for one in told["runs"]] == ["completed"]
    assert "out.txt" in page.read_text()
    wait_for(vault.is_left_alone)
