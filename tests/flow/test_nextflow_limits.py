"""What a stage file asks of Nextflow's tasks holds whatever the workflow says, and secrets stay secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engines.execution import Status
from staging.definition import EngineSettings
from staging.errors import DefinitionError
from tests.support.nextflow_runs import NextflowBench, bench, holders, nextflows, oldest_and_newest, steps

__all__ = ["bench", "nextflows", "oldest_and_newest"]

pytestmark = pytest.mark.nextflow

OLDEST = "22."


def test_a_workflows_own_selectors_do_not_win_over_what_was_asked(oldest_and_newest: NextflowBench) -> None:
    bench = oldest_and_newest
    bench.write(
        """
        process SLOW {
          errorStrategy 'retry'
          script: 'sleep 30'
        }
        workflow { SLOW() }
        """,
        nextflow__config="""
        process {
          withName: '.*' { cpus = 1 }
          withName: 'SLOW' { time = '9h'; maxRetries = 9; scratch = true; executor = 'slurm' }
        }
        """,
    )

    execution = bench.run(settings=EngineSettings(max_task_duration=1, max_retries=0))

    assert execution.status is Status.FAILED
    assert execution.error == "task 'SLOW' failed: Process exceeded running time limit (1s)"
    assert [one.attempt for one in steps(execution, "SLOW")] == [1]


GREEDY = """
process MUCH {
  publishDir '.', mode: 'copy'
  cpus 1000
  output: path 'cpus.txt'
  script: "echo $task.cpus > cpus.txt"
}
workflow { MUCH() }
"""


def test_a_task_that_wants_more_than_there_is_fails_as_it_does_without_us(oldest_and_newest: NextflowBench) -> None:
    bench = oldest_and_newest
    bench.write(GREEDY)

    execution = bench.run()

    assert execution.status is Status.FAILED
    assert (execution.error or "").startswith("task 'MUCH"), execution.error
    assert "req: 1000; avail: 2" in (execution.error or "")


def test_what_a_version_cannot_be_held_to_is_refused(oldest_and_newest: NextflowBench) -> None:
    bench = oldest_and_newest
    bench.write(GREEDY)
    settings = EngineSettings(max_cpus_per_process=1)
    if not bench.installed.version.startswith(OLDEST):
        assert bench.inspect(settings=settings).tools
        return

    with pytest.raises(DefinitionError, match="maxCPUsPerProcess") as caught:
        bench.inspect(settings=settings)

    assert caught.value.exit_code == 3
    assert "24.04 or newer" in (caught.value.hint or "")


def test_a_secret_in_the_configuration_gets_into_no_record(oldest_and_newest: NextflowBench, home: Path) -> None:
    bench = oldest_and_newest
    store = home / ".nextflow" / "secrets" / "store.json"
    store.parent.mkdir(parents=True)
    store.write_text(json.dumps([{"name": "TOKEN", "value": "canary&1"}]))
    store.chmod(0o600)
    bench.write(
        """
        process USE {
          secret 'TOKEN'
          output: stdout
          script: 'printf %s "$TOKEN"'
        }
        workflow { println "it is ${params.token}"; USE() | view }
        """,
        nextflow__config="params.token = secrets.TOKEN\nenv.ALSO = secrets.TOKEN",
    )
    settings = EngineSettings(secrets=("TOKEN",))
    told: list[object] = []

    interface = bench.inspect(settings=settings)
    execution = bench.run(settings=settings, listener=lambda event: told.append(dict(event)))

    assert execution.status is Status.COMPLETED, (execution.error, execution.tail)
    assert [one.secrets for one in interface.tools] == [("TOKEN",)]
    assert "canary" not in repr((told, interface))
    assert holders(bench.content, "canary") == []
    (kept,) = (bench.folder() / "logs" / "steps").glob("*.stdout")
    assert kept.read_text() == "<secret TOKEN>"


def test_a_secret_that_nobody_named_is_told_and_never_an_empty_text(bench: NextflowBench) -> None:
    bench.write(
        """
        process USE {
          secret 'TOKEN'
          script: 'echo "[$TOKEN]"'
        }
        workflow { USE() }
        """
    )

    (note,) = bench.inspect().notes
    execution = bench.run()

    assert "USE needs the secret TOKEN" in note
    assert "workflow_config.nextflow.secrets" in note
    assert execution.status is Status.FAILED
    assert "TOKEN" in (execution.error or "")
