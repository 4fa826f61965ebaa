"""What Nextflow's conda and resource directives say, in the words of all engines."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines.nextflow.reading.packages import needs_of, recipe_below, software_in, software_of, with_notes


def test_packages_have_their_version_and_their_channel() -> None:
    bcftools, samtools, python = software_of("bioconda::bcftools=1.16 bioconda::samtools==1.17=h1 python")
    assert bcftools == {"package": "bcftools", "version": ["1.16"], "specs": ["pkg:conda/bioconda/bcftools@1.16"]}
    assert samtools["version"] == ["1.17"]
    assert python == {"package": "python", "version": [], "specs": ["pkg:conda/python"]}


@pytest.mark.parametrize("conda", [None, True, "", "a[version='>1'] ;", "envs/tool.yml"])
def test_what_lists_no_packages_has_none(conda: object) -> None:
    assert software_of(conda) == ()


def test_a_file_is_told_only_when_it_is_the_workflows(tmp_path: Path) -> None:
    (tmp_path / "flow" / "modules").mkdir(parents=True)
    for place in ("flow/modules/environment.yml", "secret.yml"):
        (tmp_path / place).write_text("name: x\n")
    folder = tmp_path / "flow"
    assert recipe_below(str(folder / "modules/environment.yml"), folder) == "modules/environment.yml"
    assert recipe_below("modules/environment.yml", folder) == "modules/environment.yml"
    for stranger in (str(tmp_path / "secret.yml"), "../secret.yml", "modules/none.yml", "bcftools=1.16", None):
        assert recipe_below(stranger, folder) is None


def test_packages_of_an_environment_are_told_as_their_module_tells_of_them(tmp_path: Path) -> None:
    environment = tmp_path / "environment.yml"
    environment.write_text("dependencies:\n  - bioconda::samtools = 1.17\n  - pip: [x]\n  - 3\n")
    (tmp_path / "meta.yml").write_text(
        "tools:\n"
        "  - samtools: {homepage: 'http://www.htslib.org/', tool_dev_url: unknown, licence: [MIT], doi: 10.1000/a,\n"
        "      identifier: 'biotools:samtools'}\n"
        "  - gzip: {licence: GPL-3.0-or-later}\n"
        "  - broken\n"
    )
    packages = software_in(environment)
    assert [one["package"] for one in packages] == ["samtools"]
    samtools, gzip = with_notes(packages, tmp_path / "main.nf")
    assert samtools["homepage"] == "http://www.htslib.org/"
    assert "repository" not in samtools
    assert (samtools["licences"], samtools["citations"]) == (["MIT"], ["10.1000/a"])
    assert samtools["specs"] == ["pkg:conda/bioconda/samtools@1.17", "https://bio.tools/samtools"]
    assert gzip == {"package": "gzip", "version": [], "specs": [], "licences": ["GPL-3.0-or-later"]}
    # A file that holds many processes has no notes of its own.
    assert with_notes(packages, tmp_path / "all.nf") == packages


@pytest.mark.parametrize("text", ["[", "dependencies: 3", "a: &x [y]\ndependencies: [*x]", "- a", "", "long"])
def test_an_environment_that_is_none_has_no_packages(tmp_path: Path, text: str) -> None:
    for name in ("environment.yml", "meta.yml"):
        (tmp_path / name).write_text(text if text != "long" else f"dependencies: [a]\ntools: [{'b,' * (1 << 18)}]")
    assert software_in(tmp_path / "environment.yml") == ()
    assert with_notes((), tmp_path / "main.nf") == ()


def test_resources_are_numbers_and_what_is_computed_is_left_to_the_run() -> None:
    assert needs_of({"cpus": 4, "memory": "1.5 GB", "disk": "10.MB"}) == {
        "cores": 4,
        "memory": 1_610_612_736,
        "storage": 10_485_760,
    }
    assert needs_of({"cpus": "2", "memory": 1024}) == {"cores": 2, "memory": 1024}
    assert needs_of({"computed": ["cpus"], "cpus": True, "memory": "much", "disk": None}) == {}
