"""Every example, run for real through the command line, beside what the same work gives without us."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ORACLE, Command

EXAMPLES = Path(__file__).resolve().parents[2] / "workflow_examples"
DATA = Path("/usr/share/doc/bowtie2/examples")


def stage_file(name: str) -> Path:
    return EXAMPLES / name / f"{name}.wfex.stage"


def plain(value: Any) -> Any:
    """An output without what may differ between two runs: files by name and bytes, folders by what lies in them."""
    if isinstance(value, list):
        return [plain(one) for one in value]
    if not isinstance(value, dict):
        return value
    if value.get("class") in {"File", "Directory"}:
        return tree(Path(value["path"])), [plain(one) for one in value.get("secondaryFiles", ())]
    return {key: plain(one) for key, one in value.items()}


def tree(path: Path) -> Any:
    if path.is_dir():
        return path.name, sorted((tree(one) for one in path.iterdir()), key=str)
    return path.name, sha256(path.read_bytes()).hexdigest()


def bare_cwltool(workflow: Path, job: Path | None, outdir: Path, *arguments: str) -> dict[str, Any]:
    """What cwltool's own command line gives."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("cwltool")), "--quiet", "--outdir", str(outdir), str(workflow)]
        + ([str(job)] if job else list(arguments)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    outputs = json.loads(done.stdout)
    assert isinstance(outputs, dict)
    return outputs


@pytest.mark.parametrize(
    "folder", sorted(path for path in EXAMPLES.iterdir() if path.is_dir()), ids=lambda path: path.name
)
def test_every_example_has_a_readme_and_a_stage_file_without_faults(folder: Path, wfexs: Command) -> None:
    readme = (folder / "README.md").read_text()

    assert f"{folder.name}.wfex.stage" in readme
    assert wfexs.ok("check", stage_file(folder.name)) | {"valid": True} == wfexs.ok("check", stage_file(folder.name))


def test_the_stage_file_in_the_readme_says_what_the_example_says() -> None:
    shown = re.search(r"```yaml\n(.*?)```", (EXAMPLES.parent / "README.md").read_text(), re.DOTALL)
    assert shown

    part = yaml.safe_load(shown[1])
    whole = yaml.safe_load(stage_file("word-count").read_text())

    whole["params"]["text"]["url"].pop("licences")
    assert {key: whole[key] for key in part} == part


@pytest.mark.cwltool
def test_word_count_counts_the_words_of_its_text_from_stage_file_to_crate_in_one_go(
    wfexs: Command, tmp_path: Path
) -> None:
    crate = tmp_path / "crate.zip"

    told = wfexs.ok("execute", stage_file("word-count"), "--crate", crate)

    text = (EXAMPLES / "word-count/text.txt").read_text()
    words = re.findall("[a-z]+", text.lower())
    expected = sorted(((words.count(word), word) for word in set(words)), key=lambda pair: (-pair[0], pair[1]))
    lines = Path(told["run"]["outputs"]["counts"]["path"]).read_text().splitlines()
    assert [(int(line.split()[0]), line.split()[1]) for line in lines] == expected
    assert [step["name"] for step in told["run"]["steps"]] == ["split", "count"]
    assert (told["crate"]["path"], told["crate"]["validation"]["required"]) == (str(crate), 0)
    assert zipfile.is_zipfile(crate)


@pytest.mark.cwltool
@pytest.mark.node
def test_the_tour_of_types_gives_what_bare_cwltool_gives(wfexs: Command, tmp_path: Path) -> None:
    folder = EXAMPLES / "type-tour"
    expected = bare_cwltool(folder / "main.cwl", folder / "job.yml", tmp_path / "bare")

    staged = wfexs.ok("stage", stage_file("type-tour"))
    run = wfexs.ok("run", staged["id"])

    assert plain(run["outputs"]) == plain(expected)
    assert run["outputs"]["skipped"] is None
    assert Path(f"{run['outputs']['sorted']['path']}.about").read_text().endswith("sorted\n")


@pytest.mark.cwltool
@pytest.mark.oracle
def test_another_program_reads_the_crate_of_an_example(wfexs: Command, tmp_path: Path) -> None:
    crate = tmp_path / "crate"
    staged = wfexs.ok("stage", stage_file("word-count"))
    wfexs.ok("run", staged["id"])
    wfexs.ok("crate", staged["id"], crate, "--retrospective", "--include", "all", "--no-validate")

    done = subprocess.run([str(ORACLE), "report", str(crate)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "action: " in done.stdout
    assert re.search(r"text\.txt <- \S+#text", done.stdout), done.stdout
    assert re.search(r"counts\.txt <- \S+#counts", done.stdout), done.stdout


def variants_by_hand(folder: Path) -> list[str]:
    """The rows of the VCF that the tools give, called one by one."""
    folder.mkdir()
    subprocess.run(
        f"""
        set -eu
        gzip -dc {DATA}/reference/lambda_virus.fa.gz >lambda_virus.fa
        bowtie2-build --quiet lambda_virus.fa lambda
        bowtie2 --quiet -x lambda -1 {DATA}/reads/reads_1.fq.gz -2 {DATA}/reads/reads_2.fq.gz \\
          --rg-id lambda --rg SM:lambda -S lambda.sam
        samtools sort -o lambda.bam lambda.sam
        bcftools mpileup -f lambda_virus.fa lambda.bam -Ou | bcftools call --ploidy 1 -mv -Ov -o lambda.vcf
        """,
        shell=True,
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return rows(folder / "lambda.vcf")


def rows(vcf: Path) -> list[str]:
    return [line for line in vcf.read_text().splitlines() if not line.startswith("##")]


@pytest.mark.cwltool
@pytest.mark.variants
def test_the_demo_makes_its_folder_anew_finds_what_the_tools_find_by_hand_twice_and_ends_with_a_valid_crate(
    wfexs: Command, tmp_path: Path
) -> None:
    expected = variants_by_hand(tmp_path / "hand")
    output = tmp_path / "demo-output"
    (output / "old").mkdir(parents=True)
    (output / "old/file").touch()
    (output / "old").chmod(0o500)

    demo = EXAMPLES.parent / "scripts/demo.py"
    done = subprocess.run([sys.executable, str(demo), str(tmp_path)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "both runs gave the same VCF, byte for byte" in done.stdout
    assert sorted(path.name for path in output.iterdir()) == ["cache", "crate", "lambda.vcf", "workdirs"]
    assert re.search(r"validated against \S+: 0 REQUIRED checks failed", done.stdout)
    assert f"preview  {output}/crate/ro-crate-preview.html" in done.stdout
    assert (output / "crate/ro-crate-preview.html").exists()

    (workdir,) = (one for one in (output / "workdirs").iterdir() if one.name != ".locks")
    runs = wfexs.ok("show", workdir)["runs"]
    files = [Path(run["outputs"]["variants"]["path"]) for run in runs]
    assert len(expected) > 50
    assert [rows(one) for one in (*files, output / "lambda.vcf")] == [expected] * 3
    assert len(runs) == 2
    assert plain(runs[0]["outputs"]) == plain(runs[1]["outputs"])
    assert files[0] != files[1]
    assert (files[0].parent / "lambda.bam.bai").exists()
