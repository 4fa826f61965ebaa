"""Runs with the real Nextflow: what a user finds afterwards, and what is told of each task."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from engines.base import InstalledEngine
from engines.execution import Execution, Status
from engines.nextflow.running.overlay import quoted
from staging.definition import EngineSettings, ExpectedOutput, Limits
from staging.errors import ContainerError, EngineError, PolicyError, UsageError
from tests.support.nextflow_runs import (
    DEFAULT,
    VERSIONS,
    NextflowBench,
    bench,
    digest,
    each,
    holders,
    journal,
    nextflows,
    oldest_and_newest,
    paths,
    step,
    steps,
)

__all__ = ["bench", "each", "nextflows", "oldest_and_newest"]

pytestmark = pytest.mark.nextflow


# --- tasks ------------------------------------------------------------------------------------------------------------

STORY = """
nextflow.enable.dsl = 2
params.text = null
params.depth = 3
process SPLIT {
  publishDir 'parts'
  input: path text
  output: path 'part-*', emit: parts
  script: "split -l 1 $text part-"
}
process FLAKY {
  tag "of $part"
  errorStrategy 'retry'
  maxRetries 2
  input: path part
  output: path 'counted.txt', emit: counted
  script: "[ $task.attempt -gt 1 ] || { echo too early >&2; exit 9; }; wc -c < $part > counted.txt"
}
process OPTIONAL {
  errorStrategy 'ignore'
  input: path counted
  output: path 'never.txt'
  script: "echo no luck >&2; exit 3"
}
process JOIN {
  publishDir 'res', mode: 'copy'
  cpus 1
  input: path('counted?.txt'), val(word)
  output: path 'all.txt', emit: all
  script: "cat counted*.txt > all.txt; echo $word >> all.txt"
}
workflow {
  SPLIT(file(params.text))
  FLAKY(SPLIT.out.parts.flatten())
  OPTIONAL(FLAKY.out.counted)
  JOIN(FLAKY.out.counted.collect(sort: { it.text }), 'end')
}
""".replace("input: path('counted?.txt'), val(word)", "input:\n  path 'counted?.txt'\n  val word")


def test_each_attempt_at_each_task_is_told_by_every_version(each: NextflowBench) -> None:
    each.write(STORY)

    execution = each.run({"text": each.file("in put.txt", "a\nbbb\n")})

    assert execution.status is Status.COMPLETED, (execution.error, execution.tail)
    assert (execution.exit_code, execution.error) == (0, None)
    assert execution.engine_version == each.installed.version
    assert set(execution.platform) == {"java"}
    told = sorted((one.name, one.attempt, str(one.status), one.exit_code, one.after) for one in execution.steps)
    assert told == [
        ("FLAKY (of part-aa)", 1, "failed", 9, "retry"),
        ("FLAKY (of part-aa)", 2, "completed", 0, None),
        ("FLAKY (of part-ab)", 1, "failed", 9, "retry"),
        ("FLAKY (of part-ab)", 2, "completed", 0, None),
        ("JOIN", 1, "completed", 0, None),
        ("OPTIONAL (1)", 1, "failed", 3, "ignore"),
        ("OPTIONAL (2)", 1, "failed", 3, "ignore"),
        ("SPLIT", 1, "completed", 0, None),
    ]
    assert len({one.id for one in execution.steps}) == len(execution.steps)
    assert {one.tag for one in steps(execution, "FLAKY")} == {"of part-aa", "of part-ab"}
    assert "exit code 9" in (steps(execution, "FLAKY")[0].error or "")

    join = step(execution, "JOIN")
    assert "cat counted*.txt > all.txt; echo end >> all.txt" in (join.script or "")
    assert join.started
    assert join.ended
    assert execution.started
    assert execution.started <= join.started <= join.ended <= (execution.ended or "")
    assert {"wall_seconds"} <= set(join.resources)
    assert {"submit", "start", "complete", "realtime", "exit", "cpus", "hash", "rchar"} <= set(join.trace)

    # Connections are facts: what a task took is what another one made, or what was staged.
    assert paths(step(execution, "SPLIT").inputs) == ["inputs/in put.txt"]
    made = {path for one in steps(execution, "FLAKY") for path in paths(one.outputs)}
    assert len(made) == 2
    assert set(paths(join.inputs)) == made
    assert join.inputs["word"] == "end"
    parts = {path for one in steps(execution, "FLAKY") for path in paths(one.inputs)}
    assert parts == set(paths(step(execution, "SPLIT").outputs))
    # And a published one is the output itself.
    assert parts == {"runs/1/outputs/parts/part-aa", "runs/1/outputs/parts/part-ab"}
    assert paths(join.outputs) == ["runs/1/outputs/res/all.txt"]

    assert sorted(execution.outputs) == ["parts/part-aa", "parts/part-ab", "res/all.txt"]
    whole = execution.outputs["res/all.txt"]
    assert whole["sha256"] == digest(each.out("res/all.txt"))
    assert each.read("res/all.txt") == "2\n4\nend\n"
    assert execution.final_parameters == {"text": "inputs/in put.txt", "depth": 3}
    _reports_are_kept_and_work_is_not(each, execution)


def _reports_are_kept_and_work_is_not(bench: NextflowBench, execution: Execution) -> None:
    """What a run leaves of the engine's own: reports and logs, whole, and nothing else."""
    logs = {Path(one).name for one in execution.logs}
    assert {"engine.log", "nextflow.log", "report.html", "timeline.html", "trace.txt"} <= logs
    assert any(one.startswith("dag.") for one in logs)
    trace = (bench.folder() / "logs/trace.txt").read_text()
    assert trace.count("\n") == 1 + len(execution.steps)
    assert "runs/1/logs/steps" in " ".join(map(str, execution.logs))
    assert list((bench.folder() / "engine/work").iterdir()) == []
    assert list((bench.folder() / "tmp").iterdir()) == []
    assert not [one for one in bench.out("").rglob("*") if one.name.startswith(".nextflow")]
    assert sorted(one.name for one in bench.workflow.rglob("*")) == ["main.nf"]

    # The resources of its pages are read while tasks run.
    report, timeline = ((bench.folder() / f"logs/{name}.html").read_bytes() for name in ("report", "timeline"))
    home = bench.installed.home
    assert home is not None
    with zipfile.ZipFile(next(home.glob("jars/nextflow-[0-9]*.jar"))) as jar:
        for name, page in (
            ("plotly.min.js", report),
            ("bootstrap.min.css", report),
            ("ReportTemplate.js", report),
            ("d3.v3.min.js", timeline),
            ("TimelineTemplate.js", timeline),
        ):
            # The engine reads bytes as characters of one byte each.
            asset = jar.read(f"nextflow/trace/assets/{name}").decode("latin-1").encode()
            assert asset in page, f"{name} is not in the page"
    for one in execution.steps:
        assert one.name.encode() in report
        assert one.name.encode() in timeline


LATE = """
nextflow.enable.dsl = 2

// The engine looks for a task's end from before it says that the task was submitted. This one says so late.
class Late implements java.lang.reflect.InvocationHandler {
  Object invoke(Object proxy, java.lang.reflect.Method method, Object[] given) {
    if (method.name == 'onProcessSubmit') sleep 1500
    return method.returnType == boolean.class ? false : null
  }
}
def observer = nextflow.trace.TraceObserver
def late = java.lang.reflect.Proxy.newProxyInstance(observer.classLoader, [observer] as Class[], new Late())
nextflow.Global.session.@observers = [late] + nextflow.Global.session.@observers

process SHORT { output: val true\n script: 'true' }
workflow { SHORT() }
"""


def test_a_task_that_is_over_before_the_engine_says_it_was_submitted_is_told_in_order(
    oldest_and_newest: NextflowBench,
) -> None:
    bench = oldest_and_newest
    bench.write(LATE)

    execution = bench.run()

    assert (execution.status, execution.error) == (Status.COMPLETED, None)
    told = [one["event"] for one in journal(bench.folder()) if one["event"].startswith("step-")]
    assert told == ["step-started", "step-ended"]


def test_many_tasks_are_told_in_order_and_all_of_them(bench: NextflowBench) -> None:
    bench.write("""
    process ONE {
      input: val number
      output: path '*.txt'
      script: "echo $number > ${number}.txt"
    }
    workflow { ONE(Channel.of(1..25)) | collectFile(name: 'all.txt', storeDir: "$launchDir/res", sort: { it.name }) }
    """)

    execution = bench.run()

    assert execution.status is Status.COMPLETED, execution.error
    assert len(execution.steps) == 25
    assert {one.inputs["number"] for one in execution.steps} == set(range(1, 26))
    assert sorted(bench.read("res/all.txt").split(), key=int) == [str(number) for number in range(1, 26)]
    begun = [event["id"] for event in journal(bench.folder()) if event["event"] == "step-started"]
    assert begun == [one.id for one in execution.steps]


# --- what is published ------------------------------------------------------------------------------------------------

MODES = ("symlink", "rellink", "link", "copy", "copyNoFollow", "move")
PUBLISHING = "nextflow.enable.dsl = 2\n" + "".join(
    f"""
process P_{mode} {{
  publishDir "$launchDir/res/{mode}", mode: '{mode}'
  output:
  path '{mode}.txt', emit: file
  path 'box', emit: box
  script: '''
  echo made by {mode} > {mode}.txt
  mkdir -p box/inner; echo inside {mode} > box/inner/real.txt; ln -s inner/real.txt box/alias.txt
  '''
}}
"""
    for mode in MODES
)
PUBLISHING += """
process READ {
  storeDir "$launchDir/stored"
  input: path file
  output: path 'read.txt'
  script: "cat $file > read.txt"
}
process TWICE {
  publishDir "$launchDir/res/one", mode: 'symlink'
  publishDir "$launchDir/res/two", mode: 'symlink', saveAs: { "other-$it" }
  output: path 'twice.txt'
  script: "echo twice > twice.txt"
}
workflow {
"""
PUBLISHING += "".join(f"  P_{mode}()\n" for mode in MODES) + "  READ(P_symlink.out.file)\n  TWICE()\n}\n"


def test_published_files_stand_on_their_own_in_every_mode(oldest_and_newest: NextflowBench) -> None:
    bench = oldest_and_newest
    bench.write(PUBLISHING)

    execution = bench.run()

    assert execution.status is Status.COMPLETED, (execution.error, execution.tail)
    assert list((bench.folder() / "engine/work").iterdir()) == []
    for mode in MODES:
        path = bench.out(f"res/{mode}/{mode}.txt")
        assert path.read_text() == f"made by {mode}\n", mode
        assert execution.outputs[f"res/{mode}/{mode}.txt"]["sha256"] == digest(path)
        assert (path.stat().st_nlink, path.is_symlink()) == (1, False), mode
        box = bench.out(f"res/{mode}/box")
        assert (box / "inner/real.txt").read_text() == f"inside {mode}\n", mode
        assert (box / "alias.txt").read_text() == f"inside {mode}\n", mode
        task = step(execution, f"P_{mode}")
        assert task.outputs["file"].get("path") == f"runs/1/outputs/res/{mode}/{mode}.txt", mode
        assert task.outputs["box"].get("path") == f"runs/1/outputs/res/{mode}/box", mode
    read = step(execution, "READ")
    assert paths(read.inputs) == ["runs/1/outputs/res/symlink/symlink.txt"]
    assert paths(read.outputs) == ["runs/1/outputs/stored/read.txt"]
    assert bench.read("stored/read.txt") == "made by symlink\n"
    assert bench.read("res/one/twice.txt") == bench.read("res/two/other-twice.txt") == "twice\n"
    assert {"res/one/twice.txt", "res/two/other-twice.txt", "stored/read.txt"} <= set(execution.outputs)
    assert not [path for path in bench.out("").rglob("*") if path.is_symlink() and not path.exists()]


def test_the_output_block_publishes_too(bench: NextflowBench) -> None:
    bench.write("""
    nextflow.preview.output = true
    process MAKE {
      output: path 'made.txt'
      script: "echo made > made.txt"
    }
    workflow {
      main: MAKE()
      publish: MAKE.out >> 'first'
    }
    output {
      'first' { mode 'symlink'; path 'somewhere' }
    }
    """)

    execution = bench.run()

    assert execution.status is Status.COMPLETED, (execution.error, execution.tail)
    (made,) = paths(step(execution, "MAKE").outputs)
    assert made.endswith("/somewhere/made.txt")
    assert (bench.content / made).read_text() == "made\n"
    assert [one["path"] for one in execution.outputs.values()] == [made]


def test_expected_outputs_are_claimed_by_pattern_and_a_missing_one_fails_the_run(bench: NextflowBench) -> None:
    bench.write("""
    process MAKE {
      publishDir 'res', mode: 'copy'
      output: path '*.txt'
      script: "echo 1 > a.txt; echo 2 > b.txt; echo 3 > c.txt"
    }
    workflow { MAKE() }
    """)

    execution = bench.run(
        outputs=(
            ExpectedOutput(name="first", kind="File", glob="res/a.txt"),
            ExpectedOutput(name="one", glob="*.one", minimum=0),
            ExpectedOutput(name="many", glob="*.many", minimum=0, maximum=None),
            ExpectedOutput(name="table", kind="File", glob="**/*.tsv"),
        )
    )

    assert execution.status is Status.FAILED
    assert "'table'" in (execution.error or "")
    assert execution.outputs["first"]["path"] == "runs/1/outputs/res/a.txt"
    assert (execution.outputs["one"], execution.outputs["many"]) == (None, []), "what need not be made"


COLLISION = """
nextflow.enable.dsl = 2
process SAME {
  tag "$word"
  publishDir 'res', mode: params.publish
  input: val word
  output: path 'same.txt'
  script: "echo $word > same.txt"
}
process ALIKE {
  publishDir 'alike', mode: 'copy'
  input: val word
  output: path 'same.txt'
  script: "echo always > same.txt"
}
workflow { ALIKE(Channel.of('a', 'b')); SAME(Channel.of('one', 'other')) }
"""


@pytest.mark.parametrize(("version", "mode"), [(VERSIONS[0], "copy"), (VERSIONS[0], "symlink"), (DEFAULT, "copy")])
def test_two_tasks_that_publish_different_files_under_one_name(
    nextflows: Callable[[str], InstalledEngine], tmp_path: Path, version: str, mode: str
) -> None:
    bench = NextflowBench(content=tmp_path / "work", installed=nextflows(version))
    bench.write(COLLISION)

    execution = bench.run({"publish": mode})

    assert execution.status is Status.FAILED
    error = execution.error or ""
    assert "'SAME (one)'" in error, error
    assert "'SAME (other)'" in error
    assert "'res/same.txt'" in error
    assert "different files" in error
    assert "ALIKE" not in error, "the same bytes do no harm"
    assert (bench.out("alike/same.txt")).read_text() == "always\n"


# --- parameters, environment, settings --------------------------------------------------------------------------------

ODD = ["a b", "it's", 'say "x"', "ünï", "#hash", "100%25", "semi;colon", "$(touch pwned)", "q?", ".hidden"]
VALUES: dict[str, Any] = {
    "word": "$HOME and ${HOME} and $(touch pwned) `touch pwned` \\ 'x' \"y\"",
    "lines": "first\n  second\n\tthird\n",
    "number": 3,
    "exact": 0.1,
    "yes": True,
    "no": False,
    "nothing": None,
    "list": ["a", "b c", 3],
    "map": {"inner": {"deep": [1, {"x": "y"}]}, "text": "$(touch pwned)"},
    "--help": "a name like an option",
}


def test_values_arrive_as_they_are_odd_names_survive_and_nothing_of_the_users_environment_comes_with_them(
    bench: NextflowBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "canary")
    monkeypatch.setenv("NXF_OPTS", "-Dno=good")
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Dno=good")
    bench.write("""
    import groovy.json.JsonOutput
    params.word = 'default'
    process SHOW {
      publishDir 'res', mode: 'copy'
      input: path file
      output: path 'copy of*'
      script: "cat ./${file} > ./copy\\\\ of\\\\ ${file}"
    }
    process ENV {
      publishDir 'res', mode: 'copy'
      output: path 'env.txt'
      script: 'env -0 > env.txt'
    }
    workflow {
      file("$launchDir/values.json").text = JsonOutput.toJson(params)
      SHOW(Channel.fromList(params.files).map { file(it, glob: false) })
      ENV()
      println "canary is ${System.getenv('SECRET_TOKEN')}, ${System.getProperty('no')}"
    }
    """)
    files = [bench.file(f"odd/{name}.txt", name) for name in ODD]
    variables = {"PLAIN": "for it", "ODD": "$(touch pwned) `touch pwned` $HOME 'x' \"y\" \\", "LINES": "one\ntwo"}

    execution = bench.run({**VALUES, "files": files}, environment=variables)

    assert execution.status is Status.COMPLETED, (execution.error, execution.tail)
    seen = json.loads(bench.read("values.json"))
    assert seen == {**VALUES, "files": [one["path"] for one in files]}
    copies = {path.name.removeprefix("copy of "): path.read_text() for path in bench.out("res").glob("copy of *")}
    assert copies == {f"{name}.txt": name for name in ODD}
    taken = {path for one in steps(execution, "SHOW") for path in paths(one.inputs)}
    assert taken == {f"inputs/odd/{name}.txt" for name in ODD}
    assert not list(bench.content.rglob("pwned"))
    environment = dict(line.split("=", 1) for line in bench.read("res/env.txt").split("\0") if line)
    assert {name: environment[name] for name in variables} == variables
    assert environment["HOME"].startswith(str(bench.folder() / "tmp"))
    assert "canary" not in bench.read("res/env.txt")
    assert "canary is null, null" in bench.log()
    final = dict(execution.final_parameters or {})
    assert final["files"] == [f"inputs/odd/{name}.txt" for name in ODD]
    assert {name: final[name] for name in VALUES} == VALUES


def test_a_name_that_the_engine_cannot_put_in_place_is_told_with_what_was_said(bench: NextflowBench) -> None:
    bench.write("""
    process SHOW {
      input: path file
      script: "cat ./${file}"
    }
    workflow { SHOW(file(params.file)) }
    """)

    execution = bench.run({"file": bench.file("-dash.txt", "x")})

    # Nextflow puts it in place by commands that take the name for an option.
    assert execution.status is Status.FAILED
    assert (execution.error or "").startswith("task 'SHOW")
    assert any("invalid option" in line for line in execution.tail), execution.tail


def test_our_literals_are_read_as_they_are_meant_and_values_that_json_does_not_have_leave_no_gap_in_the_record(
    oldest_and_newest: NextflowBench,
) -> None:
    bench = oldest_and_newest
    texts = [
        *map(chr, range(128)), *ODD, r"\u0041", r"\\u0041", "\\", r"\\", "'" * 3, '"' * 3, "$HOME ${x} $", r"\$", "/*",
        "//", "é😀\u2028", "\ufeff", "{events}", "a\\\nb", r"\'", "'\\",
    ]  # fmt: skip
    literals = ", ".join(quoted(one) for one in texts)
    main = """
    nextflow.enable.dsl = 2
    process ODD {
      input: tuple val(nan), val(long_number), val(exponent), val(many)
      output: val nan, emit: nan
      script: 'true'
    }
    workflow { ODD(Channel.of([Float.NaN, 10G ** 5000, 1e4000G, (1..20000).toList()])) }
    """
    bench.write(main, nextflow__config=f"params.texts = [{literals}]\n")

    execution = bench.run()

    assert execution.status is Status.COMPLETED, (execution.error, execution.tail)
    assert execution.final_parameters == {"texts": texts}
    told = step(execution, "ODD")
    assert told.status is Status.COMPLETED
    assert (told.inputs["nan"], told.inputs["exponent"]) == ("NaN", "1E+4000")
    assert len(told.inputs["long_number"]) == 5001
    assert told.inputs["many"][-2:] == [10000, "..."]


def test_a_list_of_files_can_be_one_text_and_nobody_is_warned_where_there_is_no_process(bench: NextflowBench) -> None:
    bench.write("""
    workflow { file("$launchDir/seen.txt").text = params.files.tokenize(',').collect { file(it).text } }
    """)

    execution = bench.run(
        {"files": [bench.file("a.txt", "A"), bench.file("b.txt", "B")]}, settings=EngineSettings(lists_as_text=True)
    )

    assert execution.status is Status.COMPLETED, execution.error
    assert bench.read("seen.txt") == "[A, B]"
    assert "WARN" not in bench.log()


LIMITED = """
nextflow.enable.dsl = 2
process GREEDY {
  publishDir 'res', mode: 'copy'
  cpus 64
  memory '900 GB'
  time '5d'
  output: path 'greedy.txt'
  script: "echo $task.cpus, $task.time, $task.memory > greedy.txt"
}
process SLOW {
  maxRetries 5
  errorStrategy 'retry'
  input: val x
  script: "date +%s.%N > \\$TMPDIR/from-$x-$task.attempt; sleep 0.3; date +%s.%N > \\$TMPDIR/to; [ $x != 0 ]"
}
workflow { GREEDY(); SLOW(Channel.of(0, 1, 2)) }
"""


def test_limits_are_what_a_task_sees(bench: NextflowBench) -> None:
    bench.write(LIMITED)
    settings = EngineSettings(max_cpus=2, max_cpus_per_process=1, max_task_duration=90, max_retries=1, max_processes=1)

    execution = bench.run(settings=settings, limits=Limits(memory=8 << 30), cores=2)

    assert bench.read("res/greedy.txt") == "1, 1m 30s, 8 GB\n", execution.error
    attempts = [one for one in steps(execution, "SLOW") if one.inputs["x"] == 0]
    assert [(one.attempt, one.after) for one in attempts] == [(1, "retry"), (2, "terminate")]
    assert execution.status is Status.FAILED
    spans = sorted(
        (one.trace["start"], one.trace["complete"]) for one in execution.steps if one.status is not Status.KILLED
    )
    assert all(one[1] <= other[0] + 50 for one, other in pairwise(spans)), spans


def test_profiles_and_settings_files_are_used_and_what_is_off_stays_off(bench: NextflowBench) -> None:
    bench.write(
        """
        process SEE {
          publishDir 'res', mode: 'copy'
          output: path 'seen.txt'
          script: "echo $params.level $params.both > seen.txt"
        }
        workflow { SEE() }
        """,
        nextflow__config="""
        params { level = 'plain'; both = 'none' }
        docker.enabled = true
        process.container = 'debian:12'
        process.executor = 'slurm'
        workDir = '/tmp/somewhere-else'
        profiles {
          loud { params.level = 'loud' }
          extra { params.both = 'extra'; singularity.enabled = true }
        }
        """,
    )

    execution = bench.run(settings=EngineSettings(profiles=("loud", "extra")))

    assert execution.status is Status.COMPLETED, (execution.error, execution.tail)
    assert bench.read("res/seen.txt") == "loud extra\n"
    assert execution.final_parameters == {"level": "loud", "both": "extra"}


def test_a_project_with_its_main_script_in_a_folder(bench: NextflowBench) -> None:
    bench.write(
        "",
        **{
            "nextflow.config": "params.from_root = 'root'",
            "flows/deep/main.nf": """
            include { SAY } from './modules/say'
            workflow { SAY() }
            """,
            "flows/deep/modules/say.nf": """
            process SAY {
              publishDir 'res', mode: 'copy'
              output: path 'said.txt'
              script: "say.sh $params.from_root > said.txt"
            }
            """,
            "flows/deep/bin/say.sh": "#!/bin/sh\necho said $1\n",
        },
    )
    (bench.workflow / "flows/deep/bin/say.sh").chmod(0o755)
    (bench.workflow / "flows/deep/bin/say.sh").write_text("#!/bin/sh\necho said $1\n")

    execution = bench.run(entry="flows/deep/main.nf")

    assert execution.status is Status.COMPLETED, (execution.error, execution.tail)
    assert bench.read("res/said.txt") == "said root\n"


SECRETIVE = """
process USE {
  secret 'TOKEN'
  script: '''
  printf %s "$TOKEN" | wc -c
  exit 1
  '''
}
workflow { USE() }
"""


def test_a_secret_reaches_its_task_and_no_record(oldest_and_newest: NextflowBench, home: Path) -> None:
    bench = oldest_and_newest
    store = home / ".nextflow" / "secrets" / "store.json"
    store.parent.mkdir(parents=True)
    store.write_text(json.dumps([{"name": "TOKEN", "value": "canary-1"}, {"name": "OTHER", "value": "canary-22"}]))
    store.chmod(0o600)
    before = store.read_bytes()
    bench.write(SECRETIVE)

    execution = bench.run(settings=EngineSettings(secrets=("TOKEN",)))

    # It fails, so that all the work is still there to be looked through.
    assert execution.tail == ("8",), (execution.error, execution.tail)
    assert list((bench.folder() / "engine/work").iterdir())
    assert holders(bench.content, "canary") == []
    assert store.read_bytes() == before


def test_a_secret_that_is_not_there_is_said_before_anything_runs(bench: NextflowBench) -> None:
    bench.write(SECRETIVE)

    with pytest.raises(EngineError, match="the secret 'TOKEN'") as caught:
        bench.run(settings=EngineSettings(secrets=("TOKEN",)))

    assert "nextflow secrets set TOKEN" in (caught.value.hint or "")
    assert not bench.folder().exists()


def test_containers_that_it_cannot_run_are_refused_in_words(bench: NextflowBench) -> None:
    bench.write("workflow {}")

    with pytest.raises(ContainerError, match="docker"):
        bench.run(container="docker")
    assert not bench.folder().exists()


# --- resume -----------------------------------------------------------------------------------------------------------

RESUMED = """
nextflow.enable.dsl = 2
params.broken = true
process FIRST {
  publishDir 'first'
  output: path 'first.txt'
  script: "date +%s%N > first.txt"
}
process LINKED {
  // Not again by hard link: what another run made is on a file system that is read-only to this one.
  publishDir 'linked', mode: params.broken ? 'link' : 'copy'
  output: path 'linked.txt'
  script: "date +%s%N > linked.txt"
}
process SECOND {
  publishDir 'second', mode: 'copy'
  input:
  path first
  path linked
  val broken
  output: path 'second.txt'
  script: "[ $broken = false ] || { echo not yet >&2; exit 4; }; cat $first $linked > second.txt"
}
workflow { FIRST(); LINKED(); SECOND(FIRST.out, LINKED.out, params.broken) }
"""


def test_a_failed_run_is_continued_as_long_as_nobody_changed_its_work(oldest_and_newest: NextflowBench) -> None:
    bench = oldest_and_newest
    bench.write(RESUMED)
    failed = bench.run()
    assert failed.status is Status.FAILED

    execution = bench.run({"broken": False}, run=2, resume=1)

    assert execution.status is Status.COMPLETED, (execution.error, execution.tail)
    assert execution.resumed == 1
    first, linked, second = (step(execution, name) for name in ("FIRST", "LINKED", "SECOND"))
    assert (first.cached, linked.cached, second.cached) == (True, True, False)
    then = step(failed, "FIRST")
    assert (first.id, first.started, first.ended) == (then.id, then.started, then.ended)
    assert bench.read("first/first.txt", 2) == bench.read("first/first.txt", 1)
    assert bench.read("second/second.txt", 2) == bench.read("first/first.txt", 2) + bench.read("linked/linked.txt", 2)
    assert set(paths(second.inputs)) == {*paths(first.outputs), *paths(linked.outputs)}
    # The run that it went on from is as it was, and each has outputs of its own.
    assert not bench.out("first/first.txt", 2).samefile(bench.out("first/first.txt", 1))
    assert not list(bench.out("", 1).rglob(".nextflow*"))

    (made,) = [one for one in (bench.folder() / "engine/work").rglob("first.txt") if not one.is_symlink()]
    before = made.stat()
    made.write_text(made.read_text()[::-1])
    os.utime(made, ns=(before.st_atime_ns, before.st_mtime_ns))

    refused = bench.run({"broken": False}, run=3, resume=1)

    assert refused.status is Status.FAILED
    assert "was changed since" in (refused.error or "")
    assert any(one.get("error_kind") == PolicyError.kind for one in journal(bench.folder(3)))


def test_work_that_another_task_of_its_run_changed_is_not_used_again(bench: NextflowBench) -> None:
    bench.write("""
    process FIRST { output: path 'first.txt'
      script: 'echo good > first.txt' }
    process MEDDLE { input: val path
      output: val 1
      script: "echo evil > $path" }
    process LAST { input: path first
      val done
      output: path 'last.txt'
      script: "[ $params.broken = false ] && cat $first > last.txt" }
    workflow { FIRST(); MEDDLE(FIRST.out.map { it.toString() }); LAST(FIRST.out, MEDDLE.out) }
    """)
    assert bench.run({"broken": True}).status is Status.FAILED

    execution = bench.run({"broken": False}, run=2, resume=1)

    assert execution.status is Status.FAILED
    assert "was changed since" in (execution.error or "")


def test_only_what_is_there_can_be_continued(bench: NextflowBench) -> None:
    bench.write("process X { script: 'true' }\nworkflow { X() }")

    with pytest.raises(UsageError, match="run 7 has nothing to continue from"):
        bench.run(run=8, resume=7)
    assert not bench.folder(8).exists()
