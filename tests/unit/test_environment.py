from __future__ import annotations

import os
import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from engines.base import InstalledEngine
from engines.cwltool import environment, packages
from engines.cwltool.attestation import Attestation, attest, closure, installed_in
from staging.errors import DigestError, EngineError
from tests.support.wheels import install_by_hand


def quiet(message: str) -> None:
    raise AssertionError(f"said: {message}")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A library folder with an engine of two packages, old enough to be trusted by its stat signatures."""
    site = tmp_path / "site-packages"
    install_by_hand(site, "engine", "1.0", {"engine/__init__.py": b"", "engine/run.py": b"print('hello')\n"}, ["part"])
    install_by_hand(site, "part", "2.0", {"part.py": b"PI = 3\n"})
    settle()
    return site


def settle() -> None:
    time.sleep(0.05)


def attested(site: Path) -> Attestation:
    return attest(installed_in(site), "1.0")


# --- what the bytes are -----------------------------------------------------------------------------------------------


def test_the_same_packages_have_the_same_fingerprint_wherever_they_are_installed(site: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "other" / "lib"
    shutil.copytree(site, elsewhere)
    (elsewhere / "engine-1.0.dist-info" / "INSTALLER").write_text("somebody\n")
    with (elsewhere / "engine-1.0.dist-info" / "RECORD").open("a") as record:
        record.write("engine-1.0.dist-info/INSTALLER,,\n")
    (elsewhere / "engine" / "__pycache__").mkdir()
    (elsewhere / "engine" / "__pycache__" / "run.cpython-311.pyc").write_bytes(b"compiled")

    here, there = attested(site), attested(elsewhere)

    assert here.fingerprint == there.fingerprint
    assert here.size == there.size


def test_another_version_of_a_part_gives_another_fingerprint(site: Path, tmp_path: Path) -> None:
    before = attested(site).fingerprint
    shutil.rmtree(site / "part-2.0.dist-info")

    install_by_hand(site, "part", "2.1", {"part.py": b"PI = 3\n"})

    assert attested(site).fingerprint != before


def test_a_changed_file_is_named_with_both_digests(site: Path) -> None:
    (site / "engine" / "run.py").write_bytes(b"print('howdy')\n")

    with pytest.raises(DigestError) as caught:
        attested(site)

    assert caught.value.exit_code == 5
    assert str(site / "engine" / "run.py") in caught.value.message
    assert "engine 1.0" in caught.value.message
    assert len(str(caught.value.fields["expected"])) == len(str(caught.value.fields["actual"])) == 64


def test_a_missing_file_is_named(site: Path) -> None:
    (site / "part.py").unlink()

    with pytest.raises(DigestError, match=r"missing: .*part\.py"):
        attested(site)


def test_a_module_laid_beside_the_engines_own_is_refused(site: Path) -> None:
    # An extension module goes before run.py when Python looks for "engine.run".
    (site / "engine" / "run.abi3.so").write_bytes(b"\x7fELF")

    with pytest.raises(DigestError, match=r"no package put there: .*run\.abi3\.so"):
        attested(site)


def test_a_folder_shared_with_another_package_is_no_fault(site: Path) -> None:
    install_by_hand(site, "plugin", "1.0", {"engine/plugins/extra.py": b""})

    engine_alone = [one for one in installed_in(site) if one.name in ("engine", "part")]

    assert attest(engine_alone, "1.0").version == "1.0"


def test_a_package_without_a_record_is_not_attested(site: Path) -> None:
    (site / "part-2.0.dist-info" / "RECORD").unlink()

    with pytest.raises(EngineError, match=r"part 2\.0 can't be verified"):
        attested(site)


# --- that they still are ----------------------------------------------------------------------------------------------


def test_untouched_files_are_not_read_again(site: Path) -> None:
    assert attested(site).still_holds()


@pytest.mark.parametrize("keep_times", [False, True])
def test_a_file_changed_later_is_seen_even_with_its_old_times(site: Path, keep_times: bool) -> None:
    before = attested(site)
    changed = site / "engine" / "run.py"
    status = changed.stat()

    changed.write_bytes(b"print('jello')\n")
    if keep_times:
        os.utime(changed, ns=(status.st_atime_ns, status.st_mtime_ns))

    assert not before.still_holds()


def test_an_added_file_and_a_removed_package_are_seen(site: Path) -> None:
    before = attested(site)

    (site / "engine" / "more.py").write_bytes(b"")
    with_more = before.still_holds()
    (site / "engine" / "more.py").unlink()
    shutil.rmtree(site / "part-2.0.dist-info")

    assert not with_more
    assert not before.still_holds()


def test_compiling_the_modules_changes_nothing(site: Path) -> None:
    before = attested(site)

    (site / "engine" / "__pycache__").mkdir()
    (site / "engine" / "__pycache__" / "run.cpython-311.pyc").write_bytes(b"compiled")

    assert before.still_holds()


def test_files_written_this_very_moment_are_read_again_next_time(site: Path) -> None:
    # Within one tick of the file system's clock a second change would bear the same stamps.
    (site / "engine" / "run.py").touch()
    os.utime(site / "engine" / "run.py", ns=(0, time.time_ns() + 10**9))

    assert not attested(site).still_holds()


def test_an_attestation_reads_back_as_written_and_a_damaged_one_is_none(site: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    made = attested(site)

    made.write(kept)
    back = Attestation.read(kept)
    kept.write_bytes(kept.read_bytes()[:100])

    assert back == made
    assert Attestation.read(kept) is None
    assert Attestation.read(tmp_path / "none.json") is None


# --- the default ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def default(tmp_path_factory: pytest.TempPathFactory) -> tuple[InstalledEngine, Path]:
    cache = tmp_path_factory.mktemp("cache")
    return environment.install(None, cache, quiet, {}), cache


def test_the_default_is_our_own_dependency_and_needs_no_second_environment(
    default: tuple[InstalledEngine, Path],
) -> None:
    engine, cache = default

    assert engine.program == Path(sys.executable)
    assert engine.identifier == f"pkg:pypi/cwltool@{engine.version}"
    assert (engine.source, engine.expected) == ("cache", True)
    assert engine.size > 10_000_000
    assert [one.suffix for one in (cache / "engines" / "cwltool").iterdir()] == [".json"]


def test_asking_for_the_default_by_its_version_is_the_same(default: tuple[InstalledEngine, Path]) -> None:
    engine, cache = default

    assert environment.install(engine.version, cache, quiet, {}) == engine


def test_the_default_covers_what_cwltool_needs_and_nothing_else() -> None:
    names = {one.name.lower().replace("_", "-") for one in closure("cwltool")}

    assert {"cwltool", "schema-salad", "cwl-utils", "requests", "urllib3"} <= names
    assert not {"pytest", "wfexs-like", "roc-validator"} & names


def test_an_engine_whose_bytes_are_others_than_staged_is_refused(default: tuple[InstalledEngine, Path]) -> None:
    engine, cache = default
    environment.verify(engine, cache)

    with pytest.raises(DigestError) as caught:
        environment.verify(replace(engine, fingerprint="0" * 64), cache)

    assert caught.value.fields["expected"] == "0" * 64
    assert caught.value.fields["actual"] == engine.fingerprint


def test_an_environment_that_was_removed_is_named(default: tuple[InstalledEngine, Path], tmp_path: Path) -> None:
    engine, cache = default

    with pytest.raises(EngineError, match=r"is not installed in .* any more"):
        environment.verify(replace(engine, program=tmp_path / "gone" / "bin" / "python"), cache)


# --- versions ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "version",
    ["--foo", "1;rm", "", "latest", "3.1.*", ">=3", "3.1 ", "1!3.1", "3.1+local", "03.1", "../3.1", "3.1\n", "९.1",
     "git+https://example.org/cwltool.git@main", "1" * 65],
)  # fmt: skip
def test_what_is_not_a_version_is_refused_before_anything_starts(version: str, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="is not a version of cwltool") as caught:
        environment.install(version, tmp_path / "cache", quiet, {})

    assert caught.value.exit_code == 7
    assert not (tmp_path / "cache").exists()


def test_every_list_that_ships_pins_every_package_by_sha256() -> None:
    versions = packages.known_versions()

    assert {"3.1.20240708091337", "3.1.20260315121657"} <= set(versions)
    for version in versions:
        pins = packages.known_pins(version)
        assert pins is not None
        entries = pins.text.replace("\\\n", " ").splitlines()
        assert f"cwltool=={version}" in pins.text
        assert "setuptools" in pins.names
        assert all("--hash=sha256:" in one and "==" in one for one in entries if one.strip())
        assert "://" not in pins.text


def test_pip_learns_where_packages_come_from_and_nothing_else() -> None:
    users = {
        "PIP_INDEX_URL": "https://index.example.org/simple",
        "PIP_TARGET": "/elsewhere",
        "PIP_REQUIRE_VIRTUALENV": "1",
        "PIP_CONSTRAINT": "/mine.txt",
        "https_proxy": "http://proxy.example.org:3128",
        "NO_PROXY": "localhost",
        "SSL_CERT_FILE": "/ca.pem",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "PYTHONPATH": "/mine",
    }

    told = packages.pip_environment(users)

    assert {name: told[name] for name in ("PIP_INDEX_URL", "https_proxy", "NO_PROXY", "SSL_CERT_FILE")} == {
        name: users[name] for name in ("PIP_INDEX_URL", "https_proxy", "NO_PROXY", "SSL_CERT_FILE")
    }
    assert not {"PIP_TARGET", "PIP_REQUIRE_VIRTUALENV", "PIP_CONSTRAINT", "AWS_SECRET_ACCESS_KEY", "PYTHONPATH"} & set(
        told
    )
    assert told["PIP_NO_INPUT"] == "1"
