"""Running CWL with the real cwltool: what comes out is what the workflow says, and the record tells how."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from pathlib import Path

import pytest

from engines.execution import Status
from engines.journal import JOURNAL, replay
from staging.definition import ExpectedOutput
from staging.fingerprints import Tree
from tests.support.runs import Bench, bench, installed, step, tool

__all__ = ["bench", "installed"]

pytestmark = pytest.mark.cwltool

SORT_AND_COUNT = """
    cwlVersion: v1.2
    class: Workflow
    inputs: {text: File}
    outputs: {counted: {type: File, outputSource: count/out}}
    steps:
      sort: {run: sort.cwl, in: {file: text}, out: [out]}
      count: {run: count.cwl, in: {file: sort/out}, out: [out]}
"""
SORT = tool("sort $0", inputs="{file: {type: File, inputBinding: {}}}")
COUNT = tool("wc -l < $0", inputs="{file: {type: File, inputBinding: {}}}", more="stdout: count.txt")


def _two_steps(bench: Bench) -> None:
    bench.write(main=SORT_AND_COUNT, sort=SORT, count=COUNT)


def test_two_steps_run_and_every_fact_is_in_the_record(bench: Bench) -> None:
    _two_steps(bench)

    execution = bench.run(params={"text": bench.file("lines.txt", "b\na\n")})

    assert execution.status is Status.COMPLETED, execution.error
    assert execution.exit_code == 0
    counted = execution.outputs["counted"]
    assert bench.text(counted).strip() == "2"
    content = (bench.content / counted["path"]).read_bytes()
    assert counted["sha256"] == hashlib.sha256(content).hexdigest()
    assert counted["size"] == len(content)
    assert counted["path"] == "runs/1/outputs/count.txt"
    assert [one.name for one in execution.steps] == ["sort", "count"]
    sort = step(execution, "sort")
    assert (sort.tool, sort.exit_code, sort.status) == ("sort.cwl", 0, Status.COMPLETED)
    assert sort.inputs["file"]["path"] == "inputs/lines.txt"
    assert sort.command[:2] == ("sh", "-c")
    assert sort.resources["wall_seconds"] >= 0
    count = step(execution, "count")
    assert count.outputs["out"]["sha256"] == counted["sha256"]
    times = [execution.started, sort.started, sort.ended, count.started, count.ended, execution.ended]
    read = [datetime.fromisoformat(one) for one in times if one]
    assert len(read) == 6
    assert read == sorted(read)
    assert execution.plan_digest.startswith("sha256:")


def test_nothing_is_left_in_tmp_and_no_record_knows_where_we_are(bench: Bench) -> None:
    _two_steps(bench)

    execution = bench.run(params={"text": bench.file("lines.txt", "b\na\n")})

    folder = bench.content / "runs" / "1"
    assert list((folder / "tmp").iterdir()) == []
    for event in (json.loads(line) for line in (folder / JOURNAL).read_text().splitlines()):
        if event["event"] != "engine-started":
            assert str(bench.content) not in json.dumps(event), event["event"]
    assert execution == replay(folder / JOURNAL)
    assert json.loads((folder / "run.json").read_text())["status"] == "completed"


def test_a_listener_hears_what_the_journal_holds(bench: Bench) -> None:
    _two_steps(bench)
    heard: list[str] = []

    bench.run(params={"text": bench.file("lines.txt", "b\n")}, listener=lambda event: heard.append(str(event["event"])))

    lines = (bench.content / "runs/1" / JOURNAL).read_text().splitlines()
    assert heard == [json.loads(line)["event"] for line in lines][1:]
    assert heard[-1] == "run-ended"
    assert heard.count("step-started") == heard.count("step-ended") == 2


def test_every_kind_of_value_arrives_as_it_is(bench: Bench) -> None:
    bench.write(
        main="""
        cwlVersion: v1.2
        class: ExpressionTool
        requirements: {InlineJavascriptRequirement: {}}
        inputs:
          whole: int
          long: long
          real: double
          yes_or_no: boolean
          words: string
          choice: {type: {type: enum, symbols: [red, green]}}
          pair: {type: {type: record, fields: {left: int, right: "string?"}}}
          grid: {type: {type: array, items: {type: array, items: int}}}
          records: {type: {type: array, items: {type: record, fields: {name: string}}}}
          nothing: "string?"
          given: {type: int, default: 7}
          anything: Any
        outputs: {seen: Any}
        expression: "${return {seen: inputs};}"
        """
    )
    params = {
        "whole": -3,
        "long": 2**40,
        "real": 0.1,
        "yes_or_no": False,
        "words": 'a "quoted" $(word)\n',
        "choice": "green",
        "pair": {"left": 1, "right": None},
        "grid": [[1, 2], [], [3]],
        "records": [{"name": "x"}, {"name": "y"}],
        "nothing": None,
        "anything": {"deep": [1, "two"]},
    }

    execution = bench.run(params=params)

    assert execution.status is Status.COMPLETED, execution.error
    assert execution.outputs["seen"] == {**params, "given": 7}


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("dotproduct", ["a1", "b2"]),
        ("flat_crossproduct", ["a1", "a2", "b1", "b2"]),
        ("nested_crossproduct", [["a1", "a2"], ["b1", "b2"]]),
    ],
)
def test_scatter_runs_once_for_each_combination(bench: Bench, method: str, expected: list[object]) -> None:
    bench.write(
        main=f"""
        cwlVersion: v1.2
        class: Workflow
        requirements: {{ScatterFeatureRequirement: {{}}}}
        inputs: {{letters: "string[]", digits: "string[]"}}
        outputs: {{all: {{type: Any, outputSource: join/out}}}}
        steps:
          join:
            run:
              class: ExpressionTool
              requirements: {{InlineJavascriptRequirement: {{}}}}
              inputs: {{letter: string, digit: string}}
              outputs: {{out: string}}
              expression: "${{return {{out: inputs.letter + inputs.digit}};}}"
            scatter: [letter, digit]
            scatterMethod: {method}
            in: {{letter: letters, digit: digits}}
            out: [out]
        """
    )

    execution = bench.run(params={"letters": ["a", "b"], "digits": ["1", "2"]})

    assert execution.outputs["all"] == expected, execution.error
    flat = [one for row in expected for one in (row if isinstance(row, list) else [row])]
    assert [one.name for one in execution.steps] == [
        "join" if number == 1 else f"join_{number}" for number in range(1, len(flat) + 1)
    ]
    assert {one.tool for one in execution.steps} == {"main.cwl#join/run"}


def test_a_step_whose_condition_fails_is_skipped_and_its_output_is_null(bench: Bench) -> None:
    bench.write(
        main="""
        cwlVersion: v1.2
        class: Workflow
        requirements: {InlineJavascriptRequirement: {}, ScatterFeatureRequirement: {}}
        inputs: {go: boolean, numbers: "int[]"}
        outputs:
          made: {type: "File?", outputSource: maybe/out}
          some: {type: {type: array, items: ["null", File]}, outputSource: odd/out}
        steps:
          maybe: {run: echo.cwl, when: "$(inputs.go)", in: {go: go, word: {default: hello}}, out: [out]}
          odd:
            run: echo.cwl
            scatter: number
            when: "$(inputs.number % 2 == 1)"
            in: {number: numbers, word: {default: odd}}
            out: [out]
        """,
        echo=tool("echo $0", inputs="{word: {type: string, inputBinding: {}}}"),
    )

    execution = bench.run(params={"go": False, "numbers": [1, 2, 3]})

    assert execution.status is Status.COMPLETED, execution.error
    assert execution.outputs["made"] is None
    assert [one and one["class"] for one in execution.outputs["some"]] == ["File", None, "File"]
    statuses = sorted((one.name.partition("_")[0], str(one.status)) for one in execution.steps)
    assert statuses == [("maybe", "skipped"), ("odd", "completed"), ("odd", "completed"), ("odd", "skipped")]
    assert step(execution, "maybe").started is None


def test_steps_of_a_subworkflow_are_named_by_their_path(bench: Bench) -> None:
    bench.write(
        main="""
        cwlVersion: v1.2
        class: Workflow
        requirements: {SubworkflowFeatureRequirement: {}}
        inputs: {text: File}
        outputs: {counted: {type: File, outputSource: inner/counted}}
        steps:
          inner: {run: inner.cwl, in: {text: text}, out: [counted]}
        """,
        inner=SORT_AND_COUNT,
        sort=SORT,
        count=COUNT,
    )

    execution = bench.run(params={"text": bench.file("lines.txt", "b\na\n")})

    assert [one.name for one in execution.steps] == ["inner/sort", "inner/count"], execution.error
    assert step(execution, "inner/count").tool == "count.cwl"


def test_a_single_tool_runs_like_a_workflow(bench: Bench) -> None:
    bench.write(main=tool("echo hello"))

    execution = bench.run()

    assert bench.text(execution.outputs["out"]) == "hello\n"
    assert [(one.name, one.tool) for one in execution.steps] == [("main", "main.cwl")]


def test_a_process_of_a_graph_can_be_named(bench: Bench) -> None:
    bench.write(
        main="""
        cwlVersion: v1.2
        $graph:
          - {id: main, class: CommandLineTool, baseCommand: [echo, main], inputs: {}, outputs: {out: stdout}}
          - {id: other, class: CommandLineTool, baseCommand: [echo, other], inputs: {}, outputs: {out: stdout}}
        """
    )

    assert bench.text(bench.run("main.cwl").outputs["out"]) == "main\n"
    execution = bench.run("main.cwl#other", run=2)
    assert bench.text(execution.outputs["out"]) == "other\n"
    assert [(one.name, one.tool) for one in execution.steps] == [("other", "main.cwl#other")]


def test_initial_work_dir_and_javascript(bench: Bench) -> None:
    bench.write(
        main="""
        cwlVersion: v1.2
        class: CommandLineTool
        requirements:
          InlineJavascriptRequirement: {expressionLib: ["function twice(x) { return x + x; }"]}
          InitialWorkDirRequirement:
            listing:
              - {entryname: made.txt, entry: "$(twice(inputs.word))"}
              - {entry: $(inputs.file), entryname: changed.txt, writable: true}
        baseCommand: [sh, -c, "echo more >> changed.txt"]
        inputs: {word: string, file: File}
        outputs:
          made: {type: File, outputBinding: {glob: made.txt}}
          changed: {type: File, outputBinding: {glob: changed.txt}}
        """
    )
    staged = bench.file("original.txt", "first\n")

    execution = bench.run(params={"word": "ab", "file": staged})

    assert bench.text(execution.outputs["made"]) == "abab", execution.error
    assert bench.text(execution.outputs["changed"]) == "first\nmore\n"
    assert Path(staged["path"]).read_text() == "first\n"


@pytest.mark.parametrize("version", ["v1.0", "v1.1", "v1.2"])
def test_each_version_of_cwl_runs(bench: Bench, version: str) -> None:
    bench.write(main=tool("echo hello").replace("v1.2", version))

    assert bench.inspect().language_version == version
    assert bench.run().status is Status.COMPLETED


def test_secondary_files_lie_beside_their_file(bench: Bench) -> None:
    bench.write(
        main=tool(
            "cat $0 > x.bam; cat $0.bai > x.bam.bai",
            inputs='{bam: {type: File, secondaryFiles: [".bai"], inputBinding: {}}}',
            outputs='{bam: {type: File, secondaryFiles: [".bai"], outputBinding: {glob: x.bam}}}',
            more="",
        )
    )
    bam = {**bench.file("in.bam", "bam"), "secondaryFiles": [bench.file("in.bam.bai", "index")]}

    execution = bench.run(params={"bam": bam})

    made = execution.outputs["bam"]
    (index,) = made["secondaryFiles"]
    assert (made["basename"], index["basename"]) == ("x.bam", "x.bam.bai"), execution.error
    assert Path(made["path"]).parent == Path(index["path"]).parent
    assert index["sha256"] == hashlib.sha256(b"index").hexdigest()


def test_a_directory_is_told_by_the_tree_rule(bench: Bench) -> None:
    bench.write(
        main=tool(
            "mkdir -p d/e d/empty; echo 1 > d/a; echo 2 > 'd/e/b c'; ln -s a d/link; ln -s $PWD/d/e/b\\ c d/absolute",
            outputs="{d: {type: Directory, outputBinding: {glob: d}}}",
            more="",
        )
    )

    execution = bench.run()

    folder = execution.outputs["d"]
    assert folder["class"] == "Directory", execution.error
    assert folder["sha256"] == Tree.of_directory(bench.content / folder["path"]).fingerprint.digest
    assert (bench.content / folder["path"] / "absolute").read_text() == "2\n"


def test_odd_names_survive(bench: Bench) -> None:
    names = ["a b", "it's", 'say "x"', "new\nline", "ünï", "#hash", "100%25", "-dash", "semi;colon", "$(x)", "q?"]
    bench.write(
        main="""
        cwlVersion: v1.2
        class: CommandLineTool
        baseCommand: [sh, -c, 'for one; do cp "$one" .; done', sh]
        inputs: {files: {type: "File[]", inputBinding: {}}}
        outputs: {all: {type: "File[]", outputBinding: {glob: "*"}}}
        """
    )

    execution = bench.run(params={"files": [bench.file(f"in/{name}", name) for name in names]})

    assert execution.status is Status.COMPLETED, execution.error
    assert sorted(one["basename"] for one in execution.outputs["all"]) == sorted(names)
    assert all(bench.text(one) == one["basename"] for one in execution.outputs["all"])


def test_outputs_of_one_name_get_different_places(bench: Bench) -> None:
    bench.write(
        main="""
        cwlVersion: v1.2
        class: Workflow
        requirements: {ScatterFeatureRequirement: {}}
        inputs: {words: "string[]"}
        outputs: {all: {type: "File[]", outputSource: echo/out}}
        steps:
          echo: {run: echo.cwl, scatter: word, in: {word: words}, out: [out]}
        """,
        echo=tool("echo $0", inputs="{word: {type: string, inputBinding: {}}}"),
    )

    execution = bench.run(params={"words": ["one", "two", "three"]})

    assert [bench.text(one).strip() for one in execution.outputs["all"]] == ["one", "two", "three"]
    assert len({one["path"] for one in execution.outputs["all"]}) == 3


def test_an_input_that_is_passed_through_is_copied(bench: Bench) -> None:
    bench.write(
        main="""
        cwlVersion: v1.2
        class: Workflow
        inputs: {text: File}
        outputs: {same: {type: File, outputSource: text}}
        steps: []
        """
    )
    staged = bench.file("in.txt", "text")

    execution = bench.run(params={"text": staged})

    same = bench.content / execution.outputs["same"]["path"]
    assert same.read_text() == "text"
    assert same.is_relative_to(bench.content / "runs/1/outputs")
    assert not same.samefile(staged["path"])
    assert not same.is_symlink()


def test_a_tool_sees_no_environment_but_its_own(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "canary")
    bench.write(main=tool("env"))

    execution = bench.run(environment={"ASKED": "for it"})

    lines = dict(line.split("=", 1) for line in bench.text(execution.outputs["out"]).splitlines())
    assert lines["ASKED"] == "for it"
    assert set(lines) <= {"ASKED", "HOME", "TMPDIR", "PATH", "PWD", "SHLVL", "_", "OLDPWD"}
    assert lines["HOME"].startswith(str(bench.content / "runs/1/tmp"))
    assert lines["TMPDIR"].startswith(str(bench.content / "runs/1/tmp"))


def test_the_first_failing_step_is_named_with_its_last_lines(bench: Bench) -> None:
    bench.write(
        main="""
        cwlVersion: v1.2
        class: Workflow
        inputs: {}
        outputs: {out: {type: File, outputSource: bad/out}}
        steps:
          bad: {run: bad.cwl, in: {}, out: [out]}
        """,
        bad=tool("seq 30 >&2; exit 7"),
    )

    execution = bench.run()

    assert execution.status is Status.FAILED
    assert execution.exit_code == 1
    assert execution.error == "step 'bad' failed with exit code 7"
    assert execution.tail == tuple(str(number) for number in range(11, 31))
    bad = step(execution, "bad")
    assert (bad.status, bad.exit_code) == (Status.FAILED, 7)
    assert "runs/1/logs/steps/bad.stderr" in [str(one) for one in execution.logs]
    assert list((bench.content / "runs/1/tmp").iterdir()) == []


@pytest.mark.node
def test_an_expression_that_throws_is_told_in_one_line(bench: Bench) -> None:
    bench.write(
        main="""
        cwlVersion: v1.2
        class: ExpressionTool
        requirements: {InlineJavascriptRequirement: {}}
        inputs: {}
        outputs: {out: Any}
        expression: "${var a = 1;\\n\\n return {out: nothing.there};}"
        """
    )

    execution = bench.run()

    assert execution.status is Status.FAILED
    error = execution.error or ""
    assert len(error.splitlines()) == 1, error
    assert len(error) <= 500
    assert "nothing is not defined" in error


def test_a_program_that_is_not_there_is_named(bench: Bench) -> None:
    bench.write(
        main="""
        cwlVersion: v1.2
        class: CommandLineTool
        baseCommand: no-such-program-anywhere
        inputs: {}
        outputs: {}
        """
    )

    execution = bench.run()

    assert execution.status is Status.FAILED
    assert "no-such-program-anywhere" in (execution.error or "")


def test_an_output_that_the_tool_did_not_make_fails_the_run(bench: Bench) -> None:
    bench.write(main=tool("true", outputs="{gone: {type: File, outputBinding: {glob: gone.txt}}}", more=""))

    execution = bench.run()

    assert execution.status is Status.FAILED
    assert "gone.txt" in (execution.error or "")
    assert "Traceback" not in (execution.error or "")


def test_an_expected_output_that_is_missing_fails_the_run(bench: Bench) -> None:
    bench.write(main=tool("true", outputs='{maybe: {type: "File?", outputBinding: {glob: maybe.txt}}}', more=""))

    execution = bench.run(outputs=(ExpectedOutput(name="maybe"),))

    assert execution.status is Status.FAILED
    assert execution.error == "the output 'maybe' has no value, the stage file expects 1"


def test_a_required_container_is_refused_as_cwltool_refuses_it(bench: Bench) -> None:
    bench.write(main=tool("true", outputs="{}", more="requirements: {DockerRequirement: {dockerPull: debian}}"))

    execution = bench.run()

    assert (execution.status, execution.exit_code) == (Status.FAILED, 33)
    assert "DockerRequirement" in (execution.error or "")


def test_requirements_of_the_job_are_used(bench: Bench) -> None:
    bench.write(main=tool("echo $WORD"))
    variable = {"class": "EnvVarRequirement", "envDef": [{"envName": "WORD", "envValue": "from the job"}]}

    execution = bench.run(requirements=(variable,))

    assert bench.text(execution.outputs["out"]) == "from the job\n", execution.error


def test_independent_steps_run_side_by_side(bench: Bench) -> None:
    wait_for_other = "touch $1/$0; for i in $(seq 200); do test -e $1/$2 && exit 0; sleep 0.05; done; exit 1"
    inputs = "{me: {type: string, inputBinding: {position: 1}}, place: {type: string, inputBinding: {position: 2}}, "
    inputs += "other: {type: string, inputBinding: {position: 3}}}"
    bench.write(
        main="""
        cwlVersion: v1.2
        class: Workflow
        inputs: {place: string}
        outputs: []
        steps:
          a: {run: wait.cwl, in: {me: {default: a}, other: {default: b}, place: place}, out: []}
          b: {run: wait.cwl, in: {me: {default: b}, other: {default: a}, place: place}, out: []}
        """,
        wait=tool(wait_for_other, inputs=inputs, outputs="{}", more=""),
    )
    place = bench.content.parent / "place"
    place.mkdir()

    execution = bench.run(params={"place": str(place)}, cores=2)

    assert execution.status is Status.COMPLETED, execution.error


def test_a_step_that_wants_more_cores_than_there_are_runs_alone(bench: Bench) -> None:
    bench.write(
        main=tool("echo $0", inputs="{}", more="stdout: out.txt\nrequirements: {ResourceRequirement: {coresMin: 64}}")
    )

    assert bench.run(cores=1).status is Status.COMPLETED


def test_runs_have_their_own_outputs_and_numbers(bench: Bench) -> None:
    bench.write(main=tool("echo $0", inputs="{word: {type: string, inputBinding: {}}}"))

    first = bench.run(params={"word": "one"}, run=1)
    second = bench.run(params={"word": "two"}, run=2)

    assert bench.text(first.outputs["out"]) == "one\n"
    assert bench.text(second.outputs["out"]) == "two\n"
    assert first.uuid != second.uuid


def test_many_files_in_and_out(bench: Bench) -> None:
    bench.write(
        main="""
        cwlVersion: v1.2
        class: CommandLineTool
        baseCommand: [sh, -c, 'for one; do cp "$one" .; done', sh]
        inputs: {files: {type: "File[]", inputBinding: {}}}
        outputs: {all: {type: "File[]", outputBinding: {glob: "*.txt"}}}
        """
    )
    files = [bench.file(f"{number}/{number:04}.txt", str(number)) for number in range(300)]

    execution = bench.run(params={"files": files})

    assert len(execution.outputs["all"]) == 300, execution.error
    assert {bench.text(one) for one in execution.outputs["all"]} == {str(number) for number in range(300)}


def test_a_literal_file_and_folder_become_outputs(bench: Bench) -> None:
    bench.write(
        main="""
        cwlVersion: v1.2
        class: ExpressionTool
        requirements: {InlineJavascriptRequirement: {}}
        inputs: {}
        outputs: {file: File, folder: Directory}
        expression: |
          ${ var file = {class: "File", basename: "made.txt", contents: "text"};
             return {file: file, folder: {class: "Directory", basename: "box", listing: [file]}}; }
        """
    )

    execution = bench.run()

    assert bench.text(execution.outputs["file"]) == "text", execution.error
    assert (bench.content / execution.outputs["folder"]["path"] / "made.txt").read_text() == "text"


def test_the_standard_libraries_are_used_when_an_ontology_is_there(bench: Bench) -> None:
    (bench.content / "workflow").mkdir()
    (bench.content / "workflow" / "kinds.ttl").write_text(
        "@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .\n"
        "<http://example.org/special> rdfs:subClassOf <http://example.org/general> .\n"
    )
    head = "$namespaces: {ex: http://example.org/}\n$schemas: [kinds.ttl, https://example.org/remote.ttl]\n"
    bench.write(main=head + tool("cat $0", inputs='{file: {type: File, format: "ex:general", inputBinding: {}}}'))
    given = {**bench.file("x.txt", "text"), "format": "http://example.org/special"}

    assert bench.run(params={"file": given}).status is Status.COMPLETED
    refused = bench.run(params={"file": {**given, "format": "http://example.org/strange"}}, run=2)
    assert refused.status is Status.FAILED
    assert "format" in (refused.error or "").lower()
