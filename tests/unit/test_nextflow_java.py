from __future__ import annotations

from pathlib import Path

import pytest

from engines.nextflow.setup.java import find_java, javas
from staging.errors import EngineError


def make_java(
    home: Path, version: str, vendor: str = "Somebody", *, release: bool = True, runs: str = "exit 1"
) -> Path:
    program = home / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\n{runs}\n")
    program.chmod(0o755)
    if release:
        (home / "release").write_text(
            f'IMPLEMENTOR="{vendor}"\nJAVA_VERSION="{version}"\nJAVA_VERSION_DATE="2025-04-15"\n'
        )
    return program


@pytest.fixture
def usual(tmp_path: Path) -> Path:
    folder = tmp_path / "jvm"
    folder.mkdir()
    return folder


def test_the_first_that_suits_is_taken_and_those_that_do_not_are_passed_over(tmp_path: Path, usual: Path) -> None:
    make_java(tmp_path / "own", "25.0.3")
    suits = make_java(tmp_path / "set", "17.0.15", "Debian")
    on_path = make_java(tmp_path / "path", "21.0.1")
    make_java(usual / "java-17", "17.0.1")
    environment = {
        "NXF_JAVA_HOME": str(tmp_path / "own"), "JAVA_HOME": str(tmp_path / "set"), "PATH": str(on_path.parent),
    }  # fmt: skip

    java = find_java("24.10.0", environment, usual)

    assert (java.path, java.version, java.vendor, java.major) == (suits, "17.0.15", "Debian", 17)
    assert java.label == "17.0.15 (Debian)"
    del environment["JAVA_HOME"]
    assert find_java("24.10.0", environment, usual).path == on_path
    environment["PATH"] = ""
    assert find_java("24.10.0", environment, usual).path == usual / "java-17" / "bin" / "java"


def test_a_link_on_path_leads_to_its_home(tmp_path: Path, usual: Path) -> None:
    program = make_java(usual / "java-17", "17.0.15")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").symlink_to(program)

    assert [one.path for one in javas({"PATH": str(tmp_path / "bin")}, usual)] == [program]


def test_none_that_suits_is_said_with_what_there_is_and_what_to_install(tmp_path: Path, usual: Path) -> None:
    make_java(usual / "java-25", "25.0.3", "Eclipse Adoptium")

    with pytest.raises(EngineError) as caught:
        find_java("24.10.0", {"PATH": "", "JAVA_HOME": str(tmp_path / "nothing")}, usual)

    error = caught.value
    assert error.exit_code == 7
    assert "Nextflow 24.10.0 needs Java 17 to 23" in error.message
    assert f"25.0.3 (Eclipse Adoptium) at {usual / 'java-25' / 'bin' / 'java'}" in error.message
    assert f"JAVA_HOME is {tmp_path / 'nothing'}, and there is no bin/java in it" in (error.hint or "")
    assert "apt-get install openjdk-17-jre-headless" in (error.hint or "")


def test_a_wrong_setting_does_not_hide_a_java_that_suits(tmp_path: Path, usual: Path) -> None:
    program = make_java(usual / "java-17", "17.0.15")

    assert find_java("24.10.0", {"JAVA_HOME": str(tmp_path / "nothing"), "PATH": ""}, usual).path == program


def test_a_java_without_a_release_file_is_asked(tmp_path: Path, usual: Path) -> None:
    said = "printf '    java.vendor = Private Build\\n    java.version = 11.0.2\\n' >&2"
    make_java(usual / "a", "", release=False, runs=said)
    make_java(usual / "broken", "", release=False)

    assert [one.label for one in javas({"PATH": ""}, usual)] == ["11.0.2 (Private Build)"]
    assert find_java("22.10.7", {"PATH": ""}, usual).major == 11


def test_java_8_has_its_own_way_of_counting(usual: Path) -> None:
    make_java(usual / "java-8", "1.8.0_462")

    assert [one.major for one in javas({"PATH": ""}, usual)] == [8]


def test_a_look_is_quick_where_there_is_a_release_file(usual: Path) -> None:
    mark = usual / "it ran"
    make_java(usual / "java-17", "17.0.15", runs=f"touch '{mark}'")

    find_java("24.10.0", {"JAVA_HOME": str(usual / "java-17"), "PATH": ""}, usual)

    assert not mark.exists()
