"""What an image lacks for Nextflow, told from a failed task; and how several images of one process are wanted."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from engines.base import Tool, WorkflowInterface
from engines.nextflow.running.image_needs import lacking
from wfexs_like.flow.images import askers, names_of

_RUNC = 'unable to start container process: exec: "/bin/bash": stat /bin/bash: no such file or directory'


@pytest.mark.parametrize(
    ("exit_code", "line"),
    [
        (127, f"docker: Error response from daemon: failed to create task for container: {_RUNC}: unknown."),
        (127, f"Error: runc: {_RUNC}: OCI runtime attempted to invoke a command that was not found"),
        (127, "Error: crun: executable file `/bin/bash` not found: No such file or directory: OCI runtime error"),
        (125, 'Error: executable file "/bin/bash" not found in $PATH: No such file or directory'),
    ],
)
def test_a_missing_bash_is_known_by_the_words_of_each_runtime(exit_code: int, line: str) -> None:
    assert lacking(exit_code, ["before", line]) == "bash"


def test_a_missing_ps_is_known_by_the_words_of_the_wrapper() -> None:
    line = "Command 'ps' required by nextflow to collect task metrics cannot be found"

    assert lacking(1, [line, "after"]) == "ps"


@pytest.mark.parametrize(
    ("exit_code", "line"),
    [(127, ".command.sh: line 2: samtools: command not found"), (1, "stat /bin/bash: no such file or directory")],
)
def test_other_failures_are_the_tasks_own(exit_code: int, line: str) -> None:
    assert lacking(exit_code, [line]) is None


def test_each_image_that_a_process_may_choose_is_wanted() -> None:
    tool = Tool(id="A", kind="process", container="quay.io/a:1", container_recipe={"also": ["quay.io/a:2", "b:3"]})
    interface = WorkflowInterface(
        entry=PurePosixPath("main.nf"),
        process=None,
        language="nextflow",
        language_version="DSL2",
        kind="Workflow",
        inputs=(),
        outputs=(),
        tools=(tool,),
    )

    assert [one.container for one in askers(interface)] == ["quay.io/a:1", "quay.io/a:2", "b:3"]
    assert set(names_of(interface, ["quay.io/a:1", "quay.io/a:2", "docker.io/library/b:3"])) >= {"quay.io/a:2", "b:3"}
