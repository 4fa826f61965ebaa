"""Which engine a stage file asks for, and with which settings: WfExS's keys for Nextflow and ours."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from staging.definition import EngineSettings, EngineWish, OutputPlace, StageDefinition
from staging.errors import DefinitionError, Fault
from staging.loading import load_stage_file

WORKFLOW = "workflow_id: https://example.org/pipeline.git\n"


def load(folder: Path, text: str) -> StageDefinition:
    (folder / "a.stage").write_text(WORKFLOW + text + "\n")
    return load_stage_file(folder / "a.stage")


def fault(folder: Path, text: str) -> Fault:
    with pytest.raises(DefinitionError) as caught:
        load(folder, text)
    assert caught.value.exit_code == 3
    (one,) = caught.value.faults
    return one


@pytest.mark.parametrize(
    ("text", "name", "version"),
    [
        ("engine: nextflow@24.10.0", "nextflow", "24.10.0"),
        ("engine: nfl@23.10.1", "nextflow", "23.10.1"),
        ("engine: NFL", "nextflow", None),
        ("engine: {name: Nextflow, version: 24.10.0}", "nextflow", "24.10.0"),
        ("engine: nextflow@23.05.0-edge", "nextflow", "23.05.0-edge"),
        ("workflow_type: nextflow", "nextflow", None),
        ("workflow_type: NFL", "nextflow", None),
        ("workflow_type: NFL\nengine: {version: 22.10.7}", "nextflow", "22.10.7"),
        ("workflow_config: {nextflow: {version: 24.10.0}}", "nextflow", "24.10.0"),
        ("workflow_config: {cwl: {version: 3.10}}", "cwltool", "3.10"),
        ("workflow_config: {nextflow: {version: '24.10.0'}}\nengine: nextflow@24.10.0", "nextflow", "24.10.0"),
        ("workflow_config: {nextflow: {maxCPUs: 2}}", None, None),
        ("workflow_config: {nextflow: {version: 24.10.0}, cwl: {version: 3.1}}\nengine: nfl", "nextflow", "24.10.0"),
        ("workflow_config: {nextflow: {version: 24.10.0}, cwl: {version: 3.1}}\nworkflow_type: cwl", "cwltool", "3.1"),
        ("workflow_config: {nextflow: {version: 24.10.0}, cwl: {}}", "nextflow", "24.10.0"),
    ],
)
def test_an_engine_is_named_in_several_ways(tmp_path: Path, text: str, name: str | None, version: str | None) -> None:
    assert load(tmp_path, text).engine == EngineWish(name=name, version=version)


@pytest.mark.parametrize(
    ("text", "where", "column"),
    [
        ("engine: nextflow@24", "engine", 9),
        ("engine: nextflow@latest", "engine", 9),
        ("workflow_type: nextflow\nengine: {version: 24.10}", "engine", 9),
        ("workflow_config: {nextflow: {version: 24.10}}", "workflow_config.nextflow.version", 39),
    ],
)
def test_what_is_no_version_of_nextflow_is_a_fault_where_it_is_written(
    tmp_path: Path, text: str, where: str, column: int
) -> None:
    one = fault(tmp_path, text)

    assert one.message.endswith("is no version of Nextflow")
    assert (one.where, one.column) == (where, column)
    assert "24.10.0" in str(one.hint)


@pytest.mark.parametrize(
    ("text", "message", "where"),
    [
        (
            "engine: nextflow@23.10.1\nworkflow_config: {nextflow: {version: 24.10.0}}",
            "workflow_config asks for nextflow 24.10.0, but 'engine' for nextflow@23.10.1",
            "workflow_config.nextflow.version",
        ),
        (
            "engine: cwltool\nworkflow_config: {nextflow: {version: 24.10.0}}",
            "workflow_config asks for nextflow 24.10.0, but the stage file for cwltool",
            "workflow_config.nextflow.version",
        ),
        (
            "workflow_type: nextflow\nworkflow_config: {cwl: {version: 3.1}}",
            "workflow_config asks for cwltool 3.1, but the stage file for nextflow",
            "workflow_config.cwl.version",
        ),
        (
            "workflow_config: {nextflow: {version: 24.10.0}, cwl: {version: 3.1}}",
            "workflow_config asks for cwltool 3.1 and nextflow 24.10.0",
            "workflow_config.nextflow.version",
        ),
        ("workflow_type: cwl\nengine: nextflow", "nextflow doesn't run workflows of the type cwl", "workflow_type"),
    ],
)
def test_two_engines_are_a_fault_with_a_place(tmp_path: Path, text: str, message: str, where: str) -> None:
    one = fault(tmp_path, text)
    assert one.message == message
    assert one.where == where
    assert one.hint


def test_all_settings_of_nextflow_are_read(tmp_path: Path) -> None:
    definition = load(
        tmp_path,
        """
profile: docker, test
workflow_config:
  nextflow:
    maxCPUs: 8
    maxProcesses: 3
    maxCPUsPerProcess: 2
    maxTaskDuration: 1d 6h
    maxRetries: 0
    serializeListAsString: true
    ignoreUnknown: true
    secrets: [MY_TOKEN, _other]
""",
    )
    assert definition.settings == EngineSettings(
        profiles=("docker", "test"),
        max_cpus=8,
        max_processes=3,
        max_cpus_per_process=2,
        max_task_duration=30 * 3600,
        max_retries=0,
        lists_as_text=True,
        ignore_unknown=True,
        secrets=("MY_TOKEN", "_other"),
    )


def test_without_a_word_of_them_the_settings_are_the_default(tmp_path: Path) -> None:
    assert load(tmp_path, "workflow_config: {nextflow: {maxRetries: null}}").settings == EngineSettings()


@pytest.mark.parametrize(
    "text",
    [
        "profile: docker,test",
        "profile: [docker, test]",
        "workflow_config: {nextflow: {profile: 'docker , test'}}",
        "workflow_config: {nextflow: {profile: [docker, test]}}",
        "profile: docker,test\nworkflow_config: {nextflow: {profile: [docker, test]}}",
        "placeholders: {p: test}\nprofile: ['docker', '{p}']",
    ],
)
def test_profiles_are_a_text_with_commas_or_a_list_in_two_places(tmp_path: Path, text: str) -> None:
    assert load(tmp_path, text).settings.profiles == ("docker", "test")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2h", 7200), ("90 min", 5400), ("1d 6h", 108000), ("2 hours 30 minutes", 9000), ("1 day", 86400), ("30", 30)],
)
def test_the_longest_time_of_a_task_is_written_as_nextflow_or_wfexs_do(tmp_path: Path, text: str, seconds: int) -> None:
    definition = load(tmp_path, f"workflow_config: {{nextflow: {{maxTaskDuration: {text}}}}}")
    assert definition.settings.max_task_duration == seconds


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        ("profile: a\nworkflow_config: {nextflow: {profile: b}}", "workflow_config.nextflow.profile", "are b, but"),
        ("profile: 'a,,b'", "profile", "can't be the name of a profile"),
        ("profile: ['-x']", "profile[0]", "can't be the name of a profile"),
        ("profile: a b", "profile", "'a b' can't be the name of a profile"),
        ("profile: []", "profile", "at least 1"),
        ("workflow_config: {nextflow: {maxCPUs: 0}}", "workflow_config.nextflow.maxCPUs", "at least 1"),
        ("workflow_config: {nextflow: {maxProcesses: 0}}", "workflow_config.nextflow.maxProcesses", "at least 1"),
        ("workflow_config: {nextflow: {maxCPUsPerProcess: -1}}", "workflow_config.nextflow.maxCPUsPerProcess", "least"),
        ("workflow_config: {nextflow: {maxRetries: -1}}", "workflow_config.nextflow.maxRetries", "at least 0"),
        ("workflow_config: {nextflow: {maxRetries: 1.5}}", "workflow_config.nextflow.maxRetries", "at least 0"),
        ("workflow_config: {nextflow: {maxTaskDuration: long}}", "workflow_config.nextflow.maxTaskDuration", "'2h'"),
        (
            "workflow_config: {nextflow: {maxTaskDuration: 2 hourss}}",
            "workflow_config.nextflow.maxTaskDuration",
            "'2h'",
        ),
        ("workflow_config: {nextflow: {maxTaskDuration: 0h}}", "workflow_config.nextflow.maxTaskDuration", "zero"),
        ("workflow_config: {nextflow: {ignoreUnknown: maybe}}", "workflow_config.nextflow.ignoreUnknown", "true or"),
        ("workflow_config: {nextflow: {secrets: X}}", "workflow_config.nextflow.secrets", "expected a list"),
        ("workflow_config: {nextflow: {maxCpus: 2}}", "workflow_config.nextflow.maxCpus", "did you mean 'maxCPUs'?"),
    ],
)
def test_a_setting_that_can_not_be_is_a_fault_at_its_place(tmp_path: Path, text: str, where: str, message: str) -> None:
    one = fault(tmp_path, text)
    assert one.where == where
    assert message in one.message


def test_what_may_be_the_secret_itself_is_not_told(tmp_path: Path) -> None:
    one = fault(tmp_path, "workflow_config: {nextflow: {secrets: [hunter-2!]}}")
    assert one.where == "workflow_config.nextflow.secrets[0]"
    assert "hunter" not in str(one)


@pytest.mark.parametrize(
    ("text", "kind", "path"),
    [
        ("{c-l-a-s-s: Directory, autoFill: true, autoPrefix: false}", "Directory", "."),
        ("{c-l-a-s-s: Directory, autoFill: true, autoPrefix: true}", "Directory", "outdir"),
        ("{c-l-a-s-s: Directory, autoFill: true}", "Directory", "outdir"),
        ("{c-l-a-s-s: Directory, autoFill: true, preferred-name: results}", "Directory", "results"),
        ("{c-l-a-s-s: Directory, autoFill: true, relative-dir: a/b}", "Directory", "a/b/outdir"),
        ("{c-l-a-s-s: File, autoFill: true, preferred-name: r.txt, relative-dir: a}", "File", "a/r.txt"),
        ("{c-l-a-s-s: File, autoFill: true, autoPrefix: false}", "File", "outdir"),
    ],
)
def test_what_is_filled_in_has_a_place_among_the_outputs(tmp_path: Path, text: str, kind: str, path: str) -> None:
    (param,) = load(tmp_path, f"params:\n  outdir: {text}").params
    assert isinstance(param.value, OutputPlace)
    assert (param.value.kind, param.value.path) == (kind, PurePosixPath(path))
    assert param.value.where == "params.outdir"


def test_a_nested_parameters_place_is_named_after_all_its_names(tmp_path: Path) -> None:
    (param,) = load(tmp_path, "params: {a: {b: {c-l-a-s-s: Directory, autoFill: true}}}").params
    assert isinstance(param.value, dict)
    assert param.value["b"].path == PurePosixPath("a/b")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{..: {c-l-a-s-s: Directory, autoFill: true}}", "can't name its place"),
        ("{a: {c-l-a-s-s: Directory, autoFill: true, preferred-name: ../x}}", "stays inside"),
        ("{a: {c-l-a-s-s: Directory, autoFill: true, autoPrefix: false, preferred-name: x}}", "outputs itself"),
        ("{a: {c-l-a-s-s: Directory, autoFill: 1}}", "expected true or false"),
    ],
)
def test_a_place_that_can_not_be_is_a_fault(tmp_path: Path, text: str, message: str) -> None:
    assert message in fault(tmp_path, f"params: {text}").message


def test_an_output_may_be_filled_from_a_place(tmp_path: Path) -> None:
    definition = load(
        tmp_path,
        """
params: {outdir: {c-l-a-s-s: Directory, autoFill: true}, deep: {er: {c-l-a-s-s: File, autoFill: true}}}
outputs:
  all: {c-l-a-s-s: Directory, fillFrom: outdir, preferredName: results, syntheticOutput: false}
  one: {c-l-a-s-s: File, fillFrom: deep.er}
  other: {c-l-a-s-s: File, syntheticOutput: true}
""",
    )
    assert [one.fill_from for one in definition.outputs] == ["outdir", "deep.er", None]


def test_an_output_can_be_filled_from_a_place_only(tmp_path: Path) -> None:
    one = fault(tmp_path, "params: {a: 1}\noutputs: {o: {c-l-a-s-s: File, fillFrom: a}}")
    assert (one.where, one.message) == ("outputs.o.fillFrom", "no parameter 'a' has a place for outputs")
    assert one.hint == "give it one: params: {a: {c-l-a-s-s: Directory, autoFill: true}}"


def test_the_folder_of_outputs_keeps_its_name(tmp_path: Path) -> None:
    place = "params: {a: {c-l-a-s-s: Directory, autoFill: true, autoPrefix: false}}\n"
    one = fault(tmp_path, place + "outputs: {o: {c-l-a-s-s: Directory, fillFrom: a, preferredName: x}}")
    assert one.where == "outputs.o.preferredName"


@pytest.mark.parametrize(
    ("text", "most"),
    [
        ("maxProcesses: 1000000000000000000000000000000", 2**31 - 1),
        ("maxRetries: 2147483648", 2**31 - 1),
        ("maxCPUs: 100001", 100_000),
        ("maxCPUsPerProcess: 1.0e9", 100_000),
    ],
)
def test_a_number_that_nobody_can_mean_is_a_fault(tmp_path: Path, text: str, most: int) -> None:
    found = fault(tmp_path, f"workflow_config: {{nextflow: {{{text}}}}}")

    assert f"it can be {most} at most" in found.message
    assert found.where == f"workflow_config.nextflow.{text.partition(':')[0]}"


def test_the_largest_numbers_are_taken(tmp_path: Path) -> None:
    text = "maxProcesses: 2147483647, maxRetries: 2147483647, maxCPUs: 100000, maxTaskDuration: 2147483647"
    settings = load(tmp_path, f"workflow_config: {{nextflow: {{{text}}}}}").settings

    assert settings.max_processes == settings.max_retries == settings.max_task_duration == 2**31 - 1
    assert settings.max_cpus == 100_000


@pytest.mark.parametrize("text", ["maxTaskDuration: 2147483648", "maxTaskDuration: 99999999999d"])
def test_a_time_longer_than_anybody_lives_is_a_fault(tmp_path: Path, text: str) -> None:
    assert "2147483647 seconds at most" in fault(tmp_path, f"workflow_config: {{nextflow: {{{text}}}}}").message
