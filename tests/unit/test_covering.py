"""What a run still finds below folders that something else was mounted over."""

from __future__ import annotations

from pathlib import Path

from engines.child.covering import cover


def test_a_path_over_a_link_leads_there_still_whatever_else_is_needed_below_it(tmp_path: Path) -> None:
    covered, disk = tmp_path / "covered", tmp_path / "disk"
    (disk / "id" / "work" / "runs").mkdir(parents=True)
    (disk / "id" / "work" / "inputs").mkdir()
    covered.mkdir()
    (covered / "link").symlink_to(disk)
    work = covered / "link" / "id" / "work"

    def mount(_source: bytes, target: bytes, _flags: int, _kind: bytes | None) -> None:
        assert target == bytes(covered)
        covered.rename(tmp_path / "below")
        covered.mkdir()

    cover(mount, [str(covered)], [str(work / "runs"), str(work)])

    assert sorted(one.name for one in work.iterdir()) == ["inputs", "runs"]
