"""From parameters to things to fetch and a job that names them."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staging.definition import DirectoryValue, FileValue, OutputPlace, Param, Source
from staging.errors import DefinitionError, PolicyError
from staging.identifiers import Identifier
from staging.plan import Kind, Role
from staging.resolving import Layout, lay_out, output_places, with_paths, workflow_pointer


def _source(text: str) -> Source:
    return Source(mirrors=(Identifier.parse(text),))


def _lay_out(*params: Param) -> Layout:
    return lay_out(params, role=Role.INPUT, top="inputs", file="x.stage")


def test_a_file_keeps_its_base_name_below_its_parameter() -> None:
    layout = _lay_out(Param(name="reads", value=FileValue(source=_source("https://x.example/a%20b.fq?token=1"))))

    assert [str(one.path) for one in layout.wanted] == ["inputs/reads/a b.fq"]
    assert layout.values == {"reads": {"class": "File", "item": "reads"}}


def test_files_of_an_array_with_equal_names_lie_apart_and_secondaries_beside_their_primary() -> None:
    bam = FileValue(source=_source("one/x.bam"), secondary=(FileValue(source=_source("idx/x.bam.bai")),))
    other = FileValue(source=_source("two/x.bam"))

    layout = _lay_out(Param(name="bams", value=(bam, other)))

    assert {one.name: str(one.path) for one in layout.wanted} == {
        "bams[0]": "inputs/bams/0/x.bam",
        "bams[0].secondaryFiles[0]": "inputs/bams/0/x.bam.bai",
        "bams[1]": "inputs/bams/1/x.bam",
    }


def test_two_files_for_one_place_are_a_fault_at_their_parameter() -> None:
    value = FileValue(source=_source("a/x"), secondary=(FileValue(source=_source("b/x"), where="p"),))

    with pytest.raises(DefinitionError) as caught:
        _lay_out(Param(name="q", value=1, line=1), Param(name="p", value=value, file="job.yml", line=7, column=2))

    assert [(one.file, one.line, one.column) for one in caught.value.faults] == [("job.yml", 7, 2)]


def test_a_secondary_file_with_the_name_of_its_primary_is_a_fault() -> None:
    value = FileValue(source=_source("a/x"), secondary=(FileValue(source=_source("b/x"), where="params.p"),))

    with pytest.raises(DefinitionError) as caught:
        _lay_out(Param(name="p", value=value))

    assert caught.value.faults[0].where == "params.p"


def test_a_file_in_a_repository_is_the_repository_and_a_place_within(tmp_path: Path) -> None:
    value = FileValue(source=_source("git+https://x.example/r.git@v1#subdirectory=data/x.txt"))

    layout = _lay_out(Param(name="p", value=value))

    assert layout.wanted[0].kind is Kind.DIRECTORY
    place = layout.wanted[0].path
    (tmp_path / place).mkdir(parents=True)
    job = with_paths(layout.values, {"p": place}, tmp_path)
    assert job == {"p": {"class": "File", "path": str(tmp_path / place / "data/x.txt")}}


def test_literals_records_and_nulls_pass_through() -> None:
    value = {"n": 1, "deep": ({"f": FileValue(contents="hi", basename="f.txt")}, None, "text", 2.5, True)}

    layout = _lay_out(Param(name="r", value=value), Param(name="none", value=None))

    assert layout.values == {
        "r": {"n": 1, "deep": [{"f": {"class": "File", "item": "r.deep[0].f"}}, None, "text", 2.5, True]},
        "none": None,
    }
    assert layout.wanted[0].contents == b"hi"


def test_a_folder_of_a_listing_stays_a_listing_of_staged_files() -> None:
    value = DirectoryValue(listing=(FileValue(contents="a", basename="a.txt"),), basename="d")

    layout = _lay_out(Param(name="dir", value=value))

    assert layout.values["dir"] == {
        "class": "Directory",
        "basename": "d",
        "listing": [{"class": "File", "item": "dir.listing[0]"}],
    }


def test_a_place_for_outputs_is_fetched_from_nowhere_and_lies_below_the_runs_outputs(tmp_path: Path) -> None:
    place = OutputPlace(kind="Directory", path=PurePosixPath("a/results"))
    whole = OutputPlace(kind="Directory", path=PurePosixPath())
    layout = _lay_out(Param(name="outdir", value=whole), Param(name="deep", value={"er": place, "n": 1}))

    assert layout.wanted == ()
    assert layout.values == {
        "outdir": {"class": "Directory", "outputPlace": "."},
        "deep": {"er": {"class": "Directory", "outputPlace": "a/results"}, "n": 1},
    }
    assert output_places(layout.values) == {"outdir": ".", "deep.er": "a/results"}
    assert with_paths(layout.values, {}, tmp_path, outputs=tmp_path / "outputs") == {
        "outdir": {"class": "Directory", "path": str(tmp_path / "outputs")},
        "deep": {"er": {"class": "Directory", "path": str(tmp_path / "outputs/a/results")}, "n": 1},
    }


def test_a_place_for_outputs_never_leads_out_of_them_nor_is_there_without_a_run(tmp_path: Path) -> None:
    job = {"outdir": {"class": "Directory", "outputPlace": "../elsewhere"}}

    with pytest.raises(PolicyError, match="stays inside"):
        with_paths(job, {}, tmp_path, outputs=tmp_path / "outputs")
    with pytest.raises(PolicyError, match="no outputs here"):
        with_paths({"outdir": {"class": "Directory", "outputPlace": "x"}}, {}, tmp_path)


@given(st.text(min_size=1, max_size=40).filter(lambda text: text.isprintable()))
def test_no_parameter_name_leads_out_of_the_inputs(name: str) -> None:
    layout = _lay_out(Param(name=name, value=FileValue(contents="", basename="f")))

    path = layout.wanted[0].path
    assert path.parts[0] == "inputs"
    assert len(path.parts) == 3
    assert ".." not in path.parts


def test_where_a_workflow_starts_is_read_from_its_fragment() -> None:
    plain = workflow_pointer(_source("file:wf/main.cwl#main"))
    git = workflow_pointer(_source("git+https://x.example/r.git@v1#subdirectory=a%20b/main.cwl"))
    folder = workflow_pointer(_source("file:wf#subdirectory=sub/main.cwl"))

    assert (str(plain.whole.mirrors[0]), plain.entry, plain.process) == ("wf/main.cwl", None, "main")
    assert (git.entry, git.process) == ("a b/main.cwl", None)
    assert PurePosixPath(str(folder.entry)) == PurePosixPath("sub/main.cwl")
