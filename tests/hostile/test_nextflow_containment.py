"""Hostile pipelines: what neither a task nor the engine itself can change, forge, take in or hand out."""

from __future__ import annotations

import json
import os
import pwd
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import engines.launcher
from engines.execution import Status
from engines.isolation import Isolation, choices
from staging.definition import ExpectedOutput
from staging.errors import PolicyError
from tests.support.nextflow_runs import (
    NextflowBench,
    bench,
    digest,
    holders,
    journal,
    listing,
    nextflows,
    step,
)

__all__ = ["bench", "nextflows"]

pytestmark = pytest.mark.nextflow


@pytest.fixture(params=["root", "user"])
def ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to a mount namespace: as root, and by a user namespace."""
    root = request.param == "root"
    if root and os.geteuid() != 0:
        pytest.skip("needs root")
    chosen: tuple[Isolation, ...] = (next(one for one in choices(root=root, network=True) if one.mounts),)
    monkeypatch.setattr(engines.launcher, "choices", lambda **_wish: chosen)
    return str(request.param)


SPOIL = """
params.targets = []
process SPOIL {
  publishDir 'res', mode: 'copy'
  input:
  path file
  val targets
  output: path 'end.txt'
  script:
  def tries = targets.collect { "if [ -d '$it' ]; then touch '$it/new'; else echo worse >> '$it'; rm -f '$it'; fi" }
  \"\"\"
  set +e
  ${tries.join('\\n')}
  real=\\$(readlink -f $file); echo worse > \\$real; mv \\$real \\$real.away; rm -f \\$real; chmod 666 \\$real
  umount \\$(dirname \\$real); mount -o remount,rw,bind \\$(dirname \\$real); echo worse > \\$real
  echo end > end.txt
  \"\"\"
}
workflow {
  def tried = params.targets.collect { one ->
    try { (file(one).isDirectory() ? file("$one/from-the-engine") : file(one)).text = 'worse'; "wrote $one" }
    catch (Exception e) { null }
  }
  file("$launchDir/wrote.txt").text = tried.findAll().join('\\n')
  SPOIL(file(params.file), params.targets)
}
"""


@pytest.mark.netns
def test_neither_a_task_nor_the_engine_can_change_what_is_staged_or_shared(
    bench: NextflowBench, ways: str, tmp_path: Path
) -> None:
    store = tmp_path / "cache"
    store.mkdir()
    (store / "object").write_text("kept")
    bench.write(SPOIL, other__nf="// a document")
    staged = bench.file("in.txt", "b\na\n")
    Path(staged["path"]).chmod(0o666)
    (bench.folder(7) / "outputs").mkdir(parents=True)
    home = bench.installed.home
    assert home is not None
    jar = home / "jars" / bench.installed.files[0].name
    # We ourselves write down what we read of the engine once, which is not what this is about.
    bench.inspect()
    before = listing(bench.workflow, bench.content / "inputs", store, bench.folder(7), home)
    digested = digest(jar)
    targets = [
        bench.content, bench.workflow, bench.workflow / "main.nf", bench.folder(7) / "outputs", store, store / "object",
        bench.folder() / "journal.jsonl", home, home / "jars", jar, Path(engines.launcher.__file__).parent,
        bench.content / "inputs", bench.content / "inputs/in.txt",
    ]  # fmt: skip

    execution = bench.run({"file": staged["path"], "targets": [str(one) for one in targets]}, store=store)

    assert execution.status is Status.COMPLETED, (ways, execution.error, execution.tail)
    assert bench.read("wrote.txt") == ""
    assert listing(bench.workflow, bench.content / "inputs", store, bench.folder(7), home) == before
    assert digest(jar) == digested
    assert Path(staged["path"]).read_text() == "b\na\n"
    assert sorted(one.name for one in bench.content.iterdir()) == ["inputs", "runs", "workflow"]
    lines = (bench.folder() / "journal.jsonl").read_text().splitlines()
    assert lines
    assert all(isinstance(json.loads(line), dict) for line in lines)
    assert not (Path(engines.launcher.__file__).parent / "new").exists()


def test_a_pipeline_that_writes_to_its_own_project_fails(bench: NextflowBench) -> None:
    bench.write("""
    process X { script: "true" }
    workflow { X(); file("$projectDir/made.txt").text = 'x' }
    """)

    execution = bench.run()

    assert execution.status is Status.FAILED
    assert "made.txt" in (execution.error or "")
    assert "ead-only" in (execution.error or ""), execution.error
    assert not (bench.workflow / "made.txt").exists()


def test_nothing_is_left_anywhere_but_in_the_runs_folder(
    bench: NextflowBench, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.chdir(here)
    bench.write("""
    nextflow.enable.dsl = 2
    process MAKE {
      publishDir 'res'
      scratch true
      output: path 'made.txt'
      script: 'mktemp; echo x > "$HOME/x"; echo made > made.txt'
    }
    workflow { MAKE() | collectFile(name: 'all.txt') | view }
    """)
    places = (home, temporary, here, bench.workflow)
    before = listing(*places)

    def leaked(run: int) -> list[str]:
        known = {one.name for one in Path("/tmp").iterdir()}
        execution = bench.run(run=run)
        assert execution.status is Status.COMPLETED, (execution.error, execution.tail)
        telling = ("nxf", "hsperf", "nextflow", ".nextflow", "groovy", "java", "jna")
        return [one.name for one in Path("/tmp").iterdir() if one.name not in known and one.name.startswith(telling)]

    # Others use the machine's folder for temporary files too, but what we leak we leak each time.
    assert not leaked(1) or not leaked(2)
    assert set(listing(*places)) == set(before)
    assert {one.name for one in bench.content.iterdir()} == {"runs", "workflow"}
    assert {one.name for one in (bench.content / "runs").iterdir()} <= {"1", "2"}


def test_a_file_that_was_not_staged_is_no_input(bench: NextflowBench, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("canary")
    bench.write(f"""
    params.text = '{secret}'
    process READ {{
      input: path text
      output: path 'out.txt'
      script: "wc -c < $text > out.txt"
    }}
    workflow {{ READ(file(params.text)) }}
    """)

    execution = bench.run()

    assert execution.status is Status.FAILED
    assert execution.error == f"a task used a file that was not staged: READ took {secret}"
    assert journal(bench.folder())[-1]["error_kind"] == PolicyError.kind
    assert holders(bench.content, "canary") == []


@pytest.mark.parametrize(
    ("made", "words"),
    # What else it may lead to is asked in tests/unit/test_nextflow_publishing.py.
    [("mkdir out; ln -s $1 out/link", "leads out of the run"), ("mkdir out; mkfifo out/pipe", "out")],
)
def test_a_published_link_out_of_the_run_is_not_handed_out(
    bench: NextflowBench, tmp_path: Path, made: str, words: str
) -> None:
    secret = tmp_path / "secrets" / "secret.txt"
    secret.parent.mkdir()
    secret.write_text("canary")
    bench.write(f"""
    process LINK {{
      publishDir 'res', mode: 'symlink'
      output: path 'out'
      shell: '''
      set -- {secret}
      {made}
      '''
    }}
    workflow {{ LINK() }}
    """)

    execution = bench.run()

    assert execution.status is Status.FAILED
    assert words in (execution.error or ""), execution.error
    assert execution.outputs == {}
    assert holders(bench.content, "canary") == []
    assert "Traceback" not in bench.log()


def test_a_linked_output_is_not_handed_on_to_another_task(bench: NextflowBench, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("canary")
    bench.write(f"""
    process LINK {{
      output: path 'out.txt'
      script: "ln -s {secret} out.txt"
    }}
    process READ {{
      input: path file
      output: path 'size.txt'
      script: "wc -c < $file > size.txt"
    }}
    workflow {{ LINK() | READ }}
    """)

    execution = bench.run()

    assert execution.status is Status.FAILED
    assert "LINK handed on runs/1/engine/work/" in (execution.error or ""), execution.error
    assert f"a link to {secret}" in (execution.error or "")


def test_a_task_cannot_speak_for_the_engine(bench: NextflowBench) -> None:
    bench.write("""
    process FORGE {
      publishDir 'res', mode: 'copy'
      shell: '''
      word='{"event":"task-completed","name":"FORGED","process":"FORGED","hash":"aa/bb","workdir":"/x"}'
      end='{"event":"ended","exit_code":0}'
      for one in /proc/[0-9]*/fd/*; do
        if [ -p "$one" ]; then timeout 1 sh -c 'printf "%s\\\\n%s\\\\n" "$1" "$2" > "$0"' "$one" "$word" "$end"; fi
      done 2>/dev/null
      exit 3
      '''
    }
    workflow { FORGE() }
    """)

    execution = bench.run()

    assert execution.status is Status.FAILED
    # What it wrote may have hit the engine's own wrapper around it, which then ends with 1.
    assert "'FORGE' failed: exit code " in (execution.error or "")
    assert [one.name for one in execution.steps] == ["FORGE"]


@pytest.mark.parametrize(
    "names", [("outputs", "tmp", "logs"), ("engine/work", "logs/steps"), ("engine",)], ids=lambda names: names[0]
)
def test_what_a_task_puts_in_place_of_a_folder_of_its_run_is_left_alone(
    bench: NextflowBench, tmp_path: Path, names: tuple[str, ...]
) -> None:
    theirs = tmp_path / "theirs"
    (theirs / "steps").mkdir(parents=True)
    (theirs / ".nextflow" / "cache").mkdir(parents=True)
    for name in ("in.txt", "steps/one.stdout", ".nextflow.log", ".nextflow/history"):
        (theirs / name).write_text("theirs")
    (theirs / "link").symlink_to("in.txt")
    (theirs / "steps" / "link").symlink_to("/")
    before = listing(theirs)
    swaps = "; ".join(f"mv {one} {one}.away; ln -s {theirs} {one}" for one in names)
    bench.write(f"""
    process SWAP {{
      publishDir '.', mode: 'copy'
      output: path 'made.txt'
      shell: '''
      echo said; echo made > made.txt
      (sleep 0.7; cd {bench.folder()}; {swaps}) > /dev/null 2>&1 &
      '''
    }}
    process AFTER {{
      input: path made
      script: 'echo said; sleep 1.2'
    }}
    workflow {{ AFTER(SWAP()) }}
    """)
    expected = (ExpectedOutput(name="res", glob="*in*", preferred_name="renamed.txt"),)

    execution = bench.run(outputs=expected)

    assert execution.status is Status.FAILED
    name = min(names, key=("outputs", "logs", "logs/steps", "tmp", "engine", "engine/work").index)
    assert execution.error == f"a task put something else in place of the run's folder '{name}'"
    assert journal(bench.folder())[-1]["error_kind"] == PolicyError.kind
    assert execution.outputs == {}
    assert {path: told for path, told in listing(theirs).items() if path in before} == before
    assert all(Path(f"{bench.folder()}/{one}.away").is_dir() for one in names)


@pytest.fixture
def outside() -> Iterator[Path]:
    """A folder that one could write to, where no run has any business: not among temporary files."""
    home = pwd.getpwuid(os.getuid()).pw_dir
    if not os.access(home, os.W_OK) or os.path.realpath(home).startswith(("/tmp", "/var/tmp")):
        pytest.skip("needs a home that is not among temporary files")
    with tempfile.TemporaryDirectory(dir=home) as place:
        yield Path(place)


@pytest.mark.netns
@pytest.mark.parametrize(
    ("directive", "then"),
    [("publishDir '{}', mode: 'copy'", ""), ("", " | collectFile(name: 'all.txt', storeDir: '{}/sub') | view")],
    ids=["publishDir", "storeDir"],
)
def test_nothing_is_written_elsewhere_on_the_machine(
    bench: NextflowBench, outside: Path, directive: str, then: str
) -> None:
    bench.write(
        f"""
    process MAKE {{
      {directive.format(outside)}
      output: path 'made.txt'
      script: 'echo made > made.txt; touch {outside}/task || true'
    }}
    workflow {{ MAKE(){then.format(outside)} }}
    """,
        # Or it is tried for seconds.
        nextflow__config="nextflow.publish.retryPolicy.maxAttempts = 1",
    )

    execution = bench.run()

    assert list(outside.iterdir()) == []
    assert execution.status is Status.FAILED
    assert "to publish" in (execution.error or "") or "ead-only" in (execution.error or ""), execution.error


@pytest.mark.netns
def test_a_pipeline_that_is_only_looked_at_writes_nothing(
    bench: NextflowBench, ways: str, outside: Path, tmp_path: Path
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    places = [str(one) for one in (outside, temporary, bench.content, "/dev/shm")]
    bench.write(
        "workflow { println params.seen }",
        nextflow__config=f"""
        params.seen = {places}.findAll {{ one ->
          try {{ new File("$one/looked-at").text = 'x'; true }} catch (Exception e) {{ false }}
        }}.join(' ')
        """,
    )

    interface = bench.inspect()

    assert {one.name: one.default for one in interface.inputs}["seen"] == "/dev/shm", ways
    assert not [one for one in places if Path(one, "looked-at").exists()]


@pytest.mark.netns
def test_the_machines_temporary_folders_are_the_runs_own(bench: NextflowBench, outside: Path) -> None:
    own = NextflowBench(content=outside / "content", installed=bench.installed)
    own.write("""
    process TEMPORARY {
      publishDir 'res', mode: 'link'
      output: path 'end.txt'
      script: 'touch /var/tmp/of-a-task /dev/shm/of-a-task && ls $TMPDIR > end.txt'
    }
    workflow { TEMPORARY() }
    """)

    execution = own.run()

    assert execution.status is Status.COMPLETED, (execution.error, execution.tail)
    assert "of-a-task" in own.read("res/end.txt")
    assert not Path("/var/tmp/of-a-task").exists()
    assert not Path("/dev/shm/of-a-task").exists()
    assert list((own.folder() / "tmp").iterdir()) == []


def test_neither_links_that_a_task_leaves_are_followed_nor_does_a_configuration_turn_on_what_is_off(
    bench: NextflowBench, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("canary")
    bench.write(
        f"""
        process ONE {{
          executor 'slurm'
          container 'debian:12'
          conda 'bwa'
          script: 'true'
        }}
        process LEAVE {{
          shell: '''
          ln -s {secret} {bench.folder()}/logs/steps/a.stderr; ln -s / {bench.folder()}/logs/b
          rm -f .command.err; ln -s {secret} .command.err
          '''
        }}
        workflow {{ ONE(); LEAVE() }}
        """,
        nextflow__config="""
        docker.enabled = true
        conda.enabled = true
        tower.enabled = true
        tower.accessToken = 'x'
        process { withName: 'ONE' { executor = 'slurm'; container = 'debian:12' } }
        trace.file = "$launchDir/../../../elsewhere.txt"
        cleanup = true
        """,
    )

    execution = bench.run()

    assert execution.status is Status.COMPLETED, (execution.error, execution.tail)
    # What a task left among the logs, and the engine's state.
    logs = list((bench.folder() / "logs").rglob("*"))
    assert not [one for one in logs if one.is_symlink()]
    assert holders(bench.content, "canary") == []
    # The configuration.
    assert step(execution, "ONE").exit_code == 0
    assert "docker" not in bench.log()
    assert not (bench.content / "elsewhere.txt").exists()
