"""The top level of a stage file: what is asked for, what is refused, and that every fault comes at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from staging.definition import EngineWish, FileValue, Limits, StageDefinition
from staging.errors import DefinitionError, Fault
from staging.identifiers import Identifier
from staging.loading import load_stage_file

WORKFLOW = "workflow_id: https://example.org/main.cwl\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "main.cwl").write_text("cwlVersion: v1.2\n")
    return tmp_path


def load(folder: Path, text: str) -> StageDefinition:
    (folder / "a.stage").write_text(text)
    return load_stage_file(folder / "a.stage")


def faults(folder: Path, text: str) -> tuple[Fault, ...]:
    with pytest.raises(DefinitionError) as caught:
        load(folder, text)
    assert caught.value.exit_code == 3
    assert caught.value.faults
    return caught.value.faults


def fault(folder: Path, text: str) -> Fault:
    (one,) = faults(folder, text)
    return one


def test_the_smallest_stage_file_names_a_workflow(folder: Path) -> None:
    definition = load(folder, "workflow_id: main.cwl\n")
    assert str(definition.workflow.mirrors[0]) == "main.cwl"
    assert definition.workflow.mirrors[0].against(definition.base).local_path == folder / "main.cwl"
    assert (definition.params, definition.outputs, definition.environment) == ((), (), ())
    assert definition.engine == EngineWish()
    assert definition.text == "workflow_id: main.cwl\n"


def test_a_full_stage_file_says_all_of_it(folder: Path) -> None:
    definition = load(
        folder,
        """
workflow_id: {uri: "git+https://example.org/lab/align.git#subdirectory=main.cwl", licences: [Apache-2.0]}
version: 1.10
engine: cwltool@3.1.20240708091337
nickname: lambda
title: Mapping
description: Reads to variants
licence: CC-BY-4.0
authors:
  - {name: Josiah Carberry, orcid: 0000-0002-1825-0097, affiliation: Brown}
workflow_config: {secure: false, containerType: none, writable_containers: false, cwl: {}, nextflow: {}}
paranoid_mode: false
prefer_upstream_source: false
limits: {cores: 2, memory: 4 GiB, time: 1h 30m}
outputs:
  bam: {c-l-a-s-s: File, preferredName: sample.bam}
  logs: {c-l-a-s-s: File, cardinality: "*", glob: "*.log"}
  more: {c-l-a-s-s: Directory, cardinality: [2, 5]}
  some: {c-l-a-s-s: Value, cardinality: "+"}
  maybe: {c-l-a-s-s: File, cardinality: "?"}
  three: {c-l-a-s-s: File, cardinality: 3}
environment:
  TOKEN_COUNT: 1.10
  REFERENCE: {c-l-a-s-s: File, url: ref.fa}
""",
    )
    assert str(definition.workflow.mirrors[0]) == ("git+https://example.org/lab/align.git@1.10#subdirectory=main.cwl")
    assert definition.workflow.licences == ("Apache-2.0",)
    assert definition.engine == EngineWish(name="cwltool", version="3.1.20240708091337")
    assert (definition.nickname, definition.title, definition.licence) == ("lambda", "Mapping", "CC-BY-4.0")
    assert definition.authors == (
        {"name": "Josiah Carberry", "orcid": "https://orcid.org/0000-0002-1825-0097", "affiliation": "Brown"},
    )
    assert definition.limits == Limits(cores=2, memory=4 << 30, time=5400)
    assert definition.container == "none"
    assert [(one.name, one.kind, one.minimum, one.maximum) for one in definition.outputs] == [
        ("bam", "File", 1, 1),
        ("logs", "File", 0, None),
        ("more", "Directory", 2, 5),
        ("some", "Value", 1, None),
        ("maybe", "File", 0, 1),
        ("three", "File", 3, 3),
    ]
    assert definition.outputs[0].preferred_name == "sample.bam"
    assert definition.outputs[1].glob == "*.log"
    token, reference = definition.environment
    assert (token.name, token.value) == ("TOKEN_COUNT", "1.10")
    assert isinstance(reference.value, FileValue)


def test_a_misspelt_key_is_named_with_its_place_and_the_one_that_was_meant(folder: Path) -> None:
    one = fault(folder, WORKFLOW + "secured: true\n")
    assert one.message == "unknown key 'secured', did you mean 'secure' in workflow_config?"
    assert (one.line, one.column, one.where) == (2, 1, "secured")
    one = fault(folder, WORKFLOW + "workflow_config:\n  containertype: none\n")
    assert one.message == "unknown key 'containertype', did you mean 'containerType'?"
    assert (one.line, one.column, one.where) == (3, 3, "workflow_config.containertype")
    assert "did you mean 'params'?" in fault(folder, WORKFLOW + "inputs: {}\n").message
    assert "did you mean 'licence'?" in fault(folder, WORKFLOW + "license: MIT\n").message
    unknown = fault(folder, WORKFLOW + "zzz: 1\n")
    assert unknown.message == "unknown key 'zzz'"
    assert "workflow_id" in (unknown.hint or "")


def test_every_fault_comes_at_once_in_the_order_of_the_text(folder: Path) -> None:
    found = faults(
        folder,
        "engine: [1]\nnickname: 017\nparams:\n  a: {c-l-a-s-s: File, url: x, value: y}\n  a: no\n"
        "outputs: {b: {}}\nlimits: {cores: 0, memory: 4G}\nworkflow_type: wdl\n",
    )
    assert [(one.line, one.where) for one in found] == [
        (1, ""),
        (1, "engine"),
        (2, "nickname"),
        (4, "params.a.value"),
        (5, "params.a"),
        (5, "params.a"),
        (6, "outputs.b"),
        (7, "limits.cores"),
        (7, "limits.memory"),
        (8, "workflow_type"),
    ]
    assert "the key 'workflow_id' is missing" in found[0].message
    assert all(one.file == str(folder / "a.stage") for one in found)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("workflow_config: {nextflow: {dockerImage: nextflow/nextflow}}", "dockerImage"),
        ("workflow_config: {nextflow: {version: git+https://example.org/n@main}}", "an engine version from"),
        ("workflow_config: {cwl: {version: git+https://example.org/cwltool@main}}", "an engine version from"),
        ("default_actions: [{id: x}]", "default_actions"),
        ("params: {a: {c-l-a-s-s: ContentWithURIs, value: x, tabular: {}}}", "c-l-a-s-s: ContentWithURIs"),
        ("params: {a: {c-l-a-s-s: Directory, autoFill: true, disclosable: false}}", "disclosable: false of a place"),
        ("params: {a: {c-l-a-s-s: File, autoFill: true, format: 'edam:x'}}", "format of a place"),
        ("environment: {A: {c-l-a-s-s: Directory, autoFill: true}}", "autoFill of an environment variable"),
        ("params: {a: {c-l-a-s-s: Directory, url: x, globExplode: '*'}}", "globExplode"),
        ("params: {a: {c-l-a-s-s: File, url: x, security-context: lab}}", "security-context"),
        ("params: {a: {c-l-a-s-s: File, url: {uri: x, security-context: lab}}}", "security-context"),
        ("params: {a: {c-l-a-s-s: File, url: {uri: x, member: [{name: y}]}}}", "member"),
        ("params: {a: {c-l-a-s-s: Value, value: x, disclosable: false}}", "disclosable: false of a plain value"),
        ("params: {cwl:tool: x.cwl}", "cwl:tool"),
        ("prefer_upstream_source: true", "prefer_upstream_source"),
        ("environment: {A: {c-l-a-s-s: Value, value: x, disclosable: false}}", "disclosable: false of a plain value"),
    ],
)
def test_what_is_not_built_yet_is_refused_by_name_never_ignored(folder: Path, text: str, name: str) -> None:
    one = fault(folder, WORKFLOW + text + "\n")
    assert one.message.startswith(f"'{name}")
    assert one.message.endswith("is understood but not built yet")
    assert one.hint
    assert one.line == 2


@pytest.mark.parametrize(
    "text",
    [
        "trs_endpoint: https://example.org/trs",
        "environment: {A: {c-l-a-s-s: Directory, autoFill: true}}",
        "params: {a: {c-l-a-s-s: File, url: {uri: x, member: [{name: y}]}}}",
    ],
)
def test_nobody_is_told_to_leave_out_what_changes_the_stages_meaning(folder: Path, text: str) -> None:
    assert "would mean something else" in str(fault(folder, WORKFLOW + text + "\n").hint)


@pytest.mark.parametrize(
    "text",
    [
        "workflow_config: {secure: false, writable_containers: false, containerType: none, nextflow: {}, cwl: {}}",
        "workflow_config: {nextflow: {}}\nparanoid_mode: false\nseal: {}\ndefault_actions: []",
        "workflow_config:\nparams:\noutputs:\nenvironment:\nplaceholders:\nprofile:\nseal:\nengine:\nlimits:",
        "params: {a: {c-l-a-s-s: File, url: x, autoFill: false, autoPrefix: true}}",
        "outputs: {a: {c-l-a-s-s: File, syntheticOutput: false}}",
        "outputs: {a: {c-l-a-s-s: File, syntheticOutput: true}}",
        "workflow_type: CWL",
    ],
)
def test_what_asks_for_nothing_is_accepted(folder: Path, text: str) -> None:
    assert load(folder, WORKFLOW + text + "\n")


@pytest.mark.parametrize(
    ("text", "identifier"),
    [
        ("main.cwl", "main.cwl"),
        ("./sub/other.cwl", "sub/other.cwl"),
        ("main.cwl#step", "file:main.cwl#step"),
        ("folder#subdirectory=a/b.cwl", "file:folder#subdirectory=a/b.cwl"),
        ("/abs/main.cwl#step", "file:///abs/main.cwl#step"),
        ("file:///abs/a.cwl#step", "file:///abs/a.cwl#step"),
        ("'odd#name.cwl'", "file:odd%23name.cwl"),
        ("https://example.org/a.cwl#b", "https://example.org/a.cwl#b"),
        ("github:lab/repo/v1/main.cwl", "github:lab/repo/v1/main.cwl"),
    ],
)
def test_a_workflow_is_an_address_or_a_path_beside_the_stage_file(folder: Path, text: str, identifier: str) -> None:
    (folder / "folder").mkdir()
    (folder / "odd#name.cwl").touch()
    found = load(folder, f"workflow_id: {text}\n").workflow.mirrors[0]
    assert found == Identifier.parse(identifier)


def test_a_scheme_that_nothing_can_fetch_has_its_place_and_the_known_ones_are_listed_once(folder: Path) -> None:
    first, second, third = faults(
        folder,
        """
workflow_id: ftp://example.org/main.cwl
params:
  a: {c-l-a-s-s: File, url: ["gopher://example.org/a", "https://example.org/b"]}
  b: {class: File, location: "s3://bucket/b"}
""",
    )
    assert [(one.line, one.column) for one in (first, second, third)] == [(2, 14), (4, 30), (5, 30)]
    assert ["'ftp'" in first.message, "'gopher'" in second.message, "'s3'" in third.message] == [True] * 3
    hints = [one.hint for one in (first, second, third) if one.hint]
    assert len(hints) == 1
    assert "git+https" in hints[0]


def test_an_expected_output_knows_its_place(folder: Path) -> None:
    (output,) = load(folder, WORKFLOW + "outputs:\n  bam: {c-l-a-s-s: File}\n").outputs
    assert (output.where, output.line, output.column) == ("outputs.bam", 3, 3)


def test_faults_are_told_document_by_document_in_the_order_of_the_text() -> None:
    def at(file: str, line: int | None, column: int | None = None) -> Fault:
        return Fault(file=file, where="", message="m", line=line, column=column)

    given = (at("b", None), at("a", 2, 1), at("b", 7, 3), at("b", 7, 2), at("a", 1))
    assert DefinitionError(given).faults == (given[3], given[2], given[0], given[4], given[1])


@pytest.mark.parametrize("text", ["nickname: a/b", "nickname: last", "placeholders: {p: ../x}\nnickname: 'n{p}'"])
def test_a_nickname_that_nothing_can_bear_is_a_fault_of_the_stage_file(folder: Path, text: str) -> None:
    one = fault(folder, WORKFLOW + text + "\n")
    assert one.where == "nickname"
    assert one.line == 2 + text.count("\n")
    assert "can't be a nickname" in one.message
    assert "letters" in str(one.hint)


def test_placeholders_are_filled_into_the_nickname(folder: Path) -> None:
    assert load(folder, WORKFLOW + "placeholders: {n: 7}\nnickname: run-{n}\n").nickname == "run-7"


@pytest.mark.parametrize("text", ["106", "'106'", "someid", "'#workflow/github.com/x/y'"])
def test_an_id_in_a_registry_is_refused_as_not_built(folder: Path, text: str) -> None:
    one = fault(folder, f"workflow_id: {text}\n")
    assert "TRS" in one.message
    assert "not built yet" in one.message
    found = fault(folder, f"workflow_id: {text}\ntrs_endpoint: https://example.org/trs\n")
    assert found.message == "'trs_endpoint' is understood but not built yet"


@pytest.mark.parametrize(
    ("workflow", "identifier"),
    [
        ("git+https://example.org/a.git", "git+https://example.org/a.git@v1"),
        ("git+ssh://git@example.org/a.git#subdirectory=x", "git+ssh://git@example.org/a.git@v1#subdirectory=x"),
        ("github:lab/repo", "github:lab/repo/v1"),
    ],
)
def test_a_version_goes_into_an_address_that_names_none(folder: Path, workflow: str, identifier: str) -> None:
    assert str(load(folder, f"workflow_id: {workflow}\nversion: v1\n").workflow.mirrors[0]) == identifier


@pytest.mark.parametrize(
    ("workflow", "message"),
    [
        ("git+https://example.org/a.git@v2", "names one already"),
        ("github:lab/repo/v2", "names one already"),
        ("github:lab/repo@v2", "names one already"),
        ("https://example.org/a.cwl", "names no repository"),
        ("main.cwl", "names no repository"),
    ],
)
def test_a_version_without_a_use_is_a_fault_not_ignored(folder: Path, workflow: str, message: str) -> None:
    one = fault(folder, f"workflow_id: {workflow}\nversion: v1\n")
    assert one.message.endswith(message)
    assert one.where == "version"


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("engine: cwltool", EngineWish(name="cwltool")),
        ("engine: {name: cwltool, version: 3.10}", EngineWish(name="cwltool", version="3.10")),
        ("workflow_type: cwl", EngineWish(name="cwltool")),
        ("workflow_config: {cwl: {version: 3.10}}", EngineWish(name="cwltool", version="3.10")),
        ("engine: cwltool\nworkflow_config: {cwl: {version: '3.1'}}", EngineWish(name="cwltool", version="3.1")),
        ("engine: cwltool@3.1\nworkflow_config: {cwl: {version: '3.1'}}", EngineWish(name="cwltool", version="3.1")),
    ],
)
def test_an_engine_is_asked_for_in_either_way(folder: Path, text: str, wish: EngineWish) -> None:
    assert load(folder, WORKFLOW + text).engine == wish


@pytest.mark.parametrize(
    "text",
    [
        "engine: cwltool@3.2\nworkflow_config: {cwl: {version: '3.1'}}",
        "engine: toil\nworkflow_config: {cwl: {version: '3.1'}}",
    ],
)
def test_two_engines_asked_for_are_a_fault(folder: Path, text: str) -> None:
    one = fault(folder, WORKFLOW + text)
    assert one.where == "workflow_config.cwl.version"
    assert "asks for cwltool 3.1" in one.message


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("{memory: 512MB}", Limits(memory=512_000_000)),
        ("{memory: 1.5 KiB}", Limits(memory=1536)),
        ("{memory: 1000}", Limits(memory=1000)),
        ("{time: 90}", Limits(time=90)),
        ("{time: 1d}", Limits(time=86400)),
        ("{time: 1.5 min}", Limits(time=90)),
        ("{cores: 4}", Limits(cores=4)),
    ],
)
def test_limits_are_read_with_their_units(folder: Path, text: str, limits: Limits) -> None:
    assert load(folder, WORKFLOW + f"limits: {text}").limits == limits


@pytest.mark.parametrize("text", ["{memory: 4G}", "{memory: -1}", "{time: 2 weeks}", "{cores: 1.5}", "{memory: 0 B}"])
def test_a_limit_that_can_be_misunderstood_is_a_fault(folder: Path, text: str) -> None:
    fault(folder, WORKFLOW + f"limits: {text}")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("outputs: {a: {c-l-a-s-s: File, cardinality: [3, 2]}}", "outputs.a.cardinality"),
        ("outputs: {a: {c-l-a-s-s: File, cardinality: '2'}}", "outputs.a.cardinality"),
        ("outputs: {a: {c-l-a-s-s: File, cardinality: -1}}", "outputs.a.cardinality"),
        ("outputs: {a: {c-l-a-s-s: Fil}}", "outputs.a.c-l-a-s-s"),
        ("outputs: {a: }", "outputs.a"),
        ("environment: {A=B: x}", "environment['A=B']"),
        ("environment: {A: true}", "environment.A"),
        ("environment: {A: [x]}", "environment.A"),
        ("environment: {A: {x: y}}", "environment.A"),
        ("authors: [{name: x, orcid: 0000-0002-1825-0098}]", "authors[0].orcid"),
        ("authors: [{orcid: 0000-0002-1825-0097}]", "authors[0]"),
        ("placeholders: {a: true}", "placeholders.a"),
        ("params: [1]", "params"),
        ("params-from: https://example.org/job.yml", "params-from"),
        ("params-from: nowhere.yml", "params-from"),
    ],
)
def test_a_wrong_value_is_a_fault_at_its_place(folder: Path, text: str, where: str) -> None:
    assert fault(folder, WORKFLOW + text + "\n").where == where


def test_a_job_file_gives_parameters_and_the_stage_file_has_the_last_word(folder: Path) -> None:
    (folder / "jobs").mkdir()
    (folder / "jobs" / "job.json").write_text(
        '{"a": 1, "b": "{rel}", "f": {"class": "File", "location": "../x.txt"}, "g": {"class": "File", "path": "y"},\n'
        ' "cwl:requirements": [{"class": "ResourceRequirement", "coresMin": 2}]}'
    )
    definition = load(
        folder, WORKFLOW + "params-from: jobs/job.json\nplaceholders: {rel: 5}\nparams: {a: 2, c: '{rel}'}\n"
    )
    values = {one.name: one.value for one in definition.params}
    assert (values["a"], values["b"], values["c"]) == (2, "{rel}", "5")
    assert isinstance(values["f"], FileValue)
    assert isinstance(values["g"], FileValue)
    assert values["f"].source is not None
    assert values["g"].source is not None
    assert str(values["f"].source.mirrors[0]) == "x.txt"
    assert str(values["g"].source.mirrors[0]) == "jobs/y"
    assert definition.requirements == ({"class": "ResourceRequirement", "coresMin": 2},)
    assert {one.name: Path(one.file).name for one in definition.params} == {
        "a": "a.stage",
        "b": "job.json",
        "f": "job.json",
        "g": "job.json",
        "c": "a.stage",
    }
    assert definition.job_file == str(folder / "jobs" / "job.json")


def test_the_faults_of_a_job_file_carry_its_name(folder: Path) -> None:
    (folder / "job.yml").write_text("a: no\nf: {class: File}\nf: 2\n")
    found = faults(folder, WORKFLOW + "nicknam: x\nparams-from: job.yml\n")
    assert [(Path(one.file).name, one.line) for one in found] == [
        ("a.stage", 2),
        ("job.yml", 1),
        ("job.yml", 2),
        ("job.yml", 3),
    ]
    (folder / "job.yml").write_text("a: [\n")
    one = fault(folder, WORKFLOW + "params-from: job.yml\n")
    assert (Path(one.file).name, one.line) == ("job.yml", 2)


def test_a_repositorys_page_is_no_workflow_and_it_is_said_what_to_write(folder: Path) -> None:
    one = fault(folder, "workflow_id: https://github.com/lab/repo\n")
    assert "page" in one.message
    assert "git+https://github.com/lab/repo@ref" in str(one.hint)


@pytest.mark.parametrize(
    ("text", "vault"),
    [
        ("", None),
        ("paranoid_mode: false", None),
        ("workflow_config: {secure: true}", "gocryptfs"),
        ("workflow_config: {secure: false}", "plain"),
        ("paranoid_mode: true", "gocryptfs"),
        ("vault: gocryptfs\nworkflow_config: {secure: true}", "gocryptfs"),
        ("vault: plain\nparanoid_mode: false", "plain"),
    ],
)
def test_encryption_is_asked_for_by_any_of_its_keys(folder: Path, text: str, vault: str | None) -> None:
    assert load(folder, WORKFLOW + text + "\n").vault == vault


@pytest.mark.parametrize(
    "text", ["vault: plain\nparanoid_mode: true", "vault: gocryptfs\nworkflow_config: {secure: false}"]
)
def test_keys_that_contradict_each_other_on_encryption_are_refused(folder: Path, text: str) -> None:
    assert "another for one in clear" in fault(folder, WORKFLOW + text + "\n").message
