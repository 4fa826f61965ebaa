"""The examples as Nextflow pipelines, run for real: every version gives the bytes that the CWL twins give."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Command
from tests.support.scores import judge, published

EXAMPLES = Path(__file__).resolve().parents[2] / "workflow_examples"
DATA = Path("/usr/share/doc/bowtie2/examples")
OLDER = ("22.10.7", "23.10.1")
NEWEST = "24.10.0"


def digest(path: str | Path) -> str:
    return sha256(Path(path).read_bytes()).hexdigest()


def digests(outputs: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """By output: the name and the sha256 of its file."""
    return {name: (Path(one["path"]).name, digest(one["path"])) for name, one in outputs.items()}


def bare_cwltool(workflow: Path, outdir: Path, *arguments: str | Path) -> dict[str, tuple[str, str]]:
    """What the CWL twin gives with cwltool's own command line."""
    command = Path(sys.executable).with_name("cwltool")
    done = subprocess.run(
        [str(command), "--quiet", "--no-container", "--outdir", str(outdir), str(workflow), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return digests(json.loads(done.stdout))


def with_version(name: str, version: str, folder: Path) -> Path:
    """A copy of an example, whose stage file differs from the shipped one in the version of Nextflow only."""
    copy = folder / name
    shutil.copytree(EXAMPLES / name, copy)
    stage_file = copy / f"{name}.wfex.stage"
    text = stage_file.read_text()
    assert text.count("engine: nextflow@24.10.0\n") == 1
    stage_file.write_text(text.replace("engine: nextflow@24.10.0\n", f"engine: nextflow@{version}\n"))
    return stage_file


def processes(run: dict[str, Any]) -> list[str]:
    """The processes of a run's tasks, without their tags."""
    return sorted(step["name"].split()[0] for step in run["steps"])


def metadata(crate: Path) -> list[dict[str, Any]]:
    graph = json.loads((crate / "ro-crate-metadata.json").read_text())["@graph"]
    assert isinstance(graph, list)
    return graph


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, str]]:
    """What the CWL twin of the counting of words gives."""
    twin = EXAMPLES / "word-count"
    return bare_cwltool(twin / "main.cwl", tmp_path_factory.mktemp("twin"), "--text", twin / "text.txt")


@pytest.mark.nextflow
@pytest.mark.cwltool
@pytest.mark.usefixtures("nextflow")
@pytest.mark.parametrize("version", OLDER)
def test_word_count_gives_what_its_twin_gives_with_older_versions_too(
    version: str, words: dict[str, tuple[str, str]], wfexs: Command, tmp_path: Path
) -> None:
    staged = wfexs.ok("stage", with_version("word-count-nextflow", version, tmp_path))
    run = wfexs.ok("run", staged["id"])
    crate = tmp_path / "crate"
    wfexs.ok("crate", staged["id"], crate, "--no-validate")

    assert digests(run["outputs"]) == words
    assert processes(run) == ["COUNT", "SPLIT"]
    assert version in {entity.get("version") for entity in metadata(crate)}


@pytest.mark.nextflow
@pytest.mark.cwltool
def test_word_count_from_stage_file_to_crate_in_one_go_where_no_engine_is_yet_and_the_example_stays_as_it_was(
    words: dict[str, tuple[str, str]], wfexs: Command, tmp_path: Path
) -> None:
    """The only one here that has the engine set up from nothing, out of wherever it is found first."""
    example = tmp_path / "word-count-nextflow"
    shutil.copytree(EXAMPLES / "word-count-nextflow", example)
    before = {path: digest(path) for path in example.rglob("*") if path.is_file()}
    packed, crate = tmp_path / "crate.zip", tmp_path / "crate"

    done = wfexs.ok(
        *("execute", example / "word-count-nextflow.wfex.stage"),
        *("--crate", packed, "--include", "all", "--no-validate"),
        cwd=example,
    )

    assert {path: digest(path) for path in example.rglob("*") if path.is_file()} == before
    assert digests(done["run"]["outputs"]) == words
    assert processes(done["run"]) == ["COUNT", "SPLIT"]
    validated = wfexs.ok("validate", packed)
    assert (validated["passed"], validated["required"]) == (True, 0)
    shutil.unpack_archive(packed, crate)
    assert NEWEST in {entity.get("version") for entity in metadata(crate)}
    counted = [path for path in crate.rglob("counts.txt") if path.is_file()]
    assert {digest(path) for path in counted} == {words["counts"][1]}
    told = re.search(rf"^    NXF_VER={NEWEST} nextflow run (.*)$", (crate / "README.md").read_text(), re.MULTILINE)
    assert told is not None
    main, option, text = told[1].split()
    assert option == "--text"
    assert (digest(crate / main), digest(crate / text)) == (before[example / "main.nf"], before[example / "text.txt"])


@pytest.mark.nextflow
@pytest.mark.cwltool
@pytest.mark.git
@pytest.mark.variants
@pytest.mark.usefixtures("nextflow")
def test_variant_calling_gives_what_its_twin_gives(wfexs: Command, tmp_path: Path) -> None:
    expected = bare_cwltool(
        EXAMPLES / "variant-calling/main.cwl",
        tmp_path / "twin",
        *("--reference", DATA / "reference/lambda_virus.fa.gz"),
        *("--reads_1", DATA / "reads/reads_1.fq.gz"),
        *("--reads_2", DATA / "reads/reads_2.fq.gz"),
        *("--sample", "lambda", "--threads", "2", "--ploidy", "1"),
    )

    shutil.copytree(EXAMPLES / "variant-calling-nextflow", tmp_path / "variant-calling-nextflow")
    with published(tmp_path / "variant-calling-nextflow/variant-calling-nextflow.wfex.stage", tmp_path) as stage_file:
        staged = wfexs.ok("stage", stage_file)
    run = wfexs.ok("run", staged["id"])
    judge(wfexs, staged["id"], tmp_path, containers=False)
    crate = tmp_path / "crate"
    wfexs.ok("crate", staged["id"], crate, "--include", "all", "--no-validate")

    # The index is a file of its own here; the twin has it as a secondary file.
    index = "results/lambda.bam.bai"
    made = digests(run["outputs"])
    assert {name: one for name, one in made.items() if name != index} == expected
    assert index in made
    assert processes(run) == ["ALIGN", "BUILD_INDEX", "CALL", "INDEX_FASTA", "PILE_UP", "SORT", "UNPACK"]
    assert wfexs.ok("validate", crate)["required"] == 0
    called = [path for path in crate.rglob("lambda.vcf") if path.is_file()]
    assert {digest(path) for path in called} == {expected["variants"][1]}
