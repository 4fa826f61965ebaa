"""Which versions of an engine are known and set up here: what ``engines list`` tells, asked of the adapters."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines.base import ENGINES, EngineVersion
from engines.cwltool.environment import default_version
from engines.nextflow.setup.listing import versions as nextflow_versions
from tests.support.engines import set_up


def java(folder: Path, version: str) -> dict[str, str]:
    """An environment with one Java, as far as what it says of itself goes."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "java").touch(mode=0o755)
    (folder / "release").write_text(f'IMPLEMENTOR="Somebody"\nJAVA_VERSION="{version}"\n')
    return {"JAVA_HOME": str(folder), "PATH": "/nowhere"}


def by_version(found: tuple[EngineVersion, ...]) -> dict[str, EngineVersion]:
    return {one.version: one for one in found}


def test_every_engine_has_one_default_and_tells_its_versions_oldest_first(tmp_path: Path) -> None:
    for name in ENGINES.names():
        found = ENGINES.load(name)().versions(tmp_path)
        assert [one.default for one in found].count(True) == 1
        assert any(one.known for one in found)


def test_the_cwltool_that_came_with_us_is_there_and_others_are_not_until_they_are_set_up(tmp_path: Path) -> None:
    found = by_version(ENGINES.load("cwltool")().versions(tmp_path))
    own = found.pop(default_version())
    assert (own.cached, own.verified, own.source, own.default) == (True, True, "default", True)
    assert own.size is not None
    assert own.size > 1_000_000
    assert found
    for one in found.values():
        assert (one.known, one.cached, one.verified, one.size) == (True, False, None, None)


def test_a_version_of_nextflow_is_told_with_its_size_and_where_it_came_from(tmp_path: Path) -> None:
    jars = set_up(tmp_path, "23.10.1")
    found = by_version(nextflow_versions(tmp_path, java(tmp_path / "jdk", "17.0.15")))
    one = found["23.10.1"]
    assert (one.cached, one.verified, one.known, one.source) == (True, True, True, "maven")
    assert one.size == sum(path.stat().st_size for path in jars.iterdir())
    assert one.platform == {"java": "17.0.15 (Somebody)"}
    assert (found["24.10.0"].cached, found["24.10.0"].default, found["24.10.0"].known) == (False, True, True)


def test_a_version_that_nobody_knew_and_one_from_two_sources_are_all_told(tmp_path: Path) -> None:
    set_up(tmp_path, "9.10.0")
    set_up(tmp_path, "24.10.0", "release")
    set_up(tmp_path, "24.10.0", "maven")
    found = nextflow_versions(tmp_path, java(tmp_path / "jdk", "17.0.15"))
    assert (found[0].version, found[0].known, found[0].cached) == ("9.10.0", False, True)
    assert sorted(one.source or "" for one in found if one.version == "24.10.0") == ["maven", "release"]


@pytest.mark.parametrize("content", ["other bytes", None])
def test_a_jar_that_changed_or_has_gone_makes_it_unverified(tmp_path: Path, content: str | None) -> None:
    jars = set_up(tmp_path, "24.10.0")
    jar = jars / "groovy.jar"
    if content is None:
        jar.unlink()
    else:
        jar.write_text(content)
    one = by_version(nextflow_versions(tmp_path, java(tmp_path / "jdk", "17.0.15")))["24.10.0"]
    assert (one.cached, one.verified) == (True, False)


def test_a_jar_that_was_only_touched_is_read_and_found_to_be_the_same(tmp_path: Path) -> None:
    (set_up(tmp_path, "24.10.0") / "groovy.jar").touch()
    one = by_version(nextflow_versions(tmp_path, java(tmp_path / "jdk", "17.0.15")))["24.10.0"]
    assert one.verified is True


def test_what_is_missing_for_a_version_is_told_and_the_others_have_it(tmp_path: Path) -> None:
    found = by_version(nextflow_versions(tmp_path, java(tmp_path / "jdk", "11.0.2"), tmp_path / "nothing"))
    assert found["23.10.1"].platform == {"java": "11.0.2 (Somebody)"}
    assert "Java 17 to 23" in str(found["24.10.0"].lacks)
