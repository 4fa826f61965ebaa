"""The configuration that is laid over a workflow's own."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from engines.base import Placement
from engines.nextflow.running.overlay import overlay, quoted
from staging.definition import EngineSettings, Limits

_SIMPLE = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "\\": "\\", "'": "'"}


def _understood(literal: str) -> str:
    """What Groovy reads between single quotes; a quote or a line break that is not escaped would end it."""
    assert literal[0] == literal[-1] == "'"
    inner, text, index = literal[1:-1], "", 0
    while index < len(inner):
        one = inner[index]
        assert one not in "'\n\r"
        if one != "\\":
            text += one
            index += 1
        elif inner[index + 1] == "u":
            text += chr(int(inner[index + 2 : index + 6], 16))
            index += 6
        else:
            text += _SIMPLE[inner[index + 1]]
            index += 2
    return text


@given(st.text())
def test_a_literal_means_the_text(text: str) -> None:
    assert _understood(quoted(text)) == text


@given(st.text(alphabet="$\\'\"{}\n\ru0x/", max_size=12))
def test_a_literal_of_what_means_something_to_groovy_means_the_text(text: str) -> None:
    assert _understood(quoted(text)) == text


def _overlay(
    version: str = "24.10.0",
    settings: EngineSettings | None = None,
    limits: Limits | None = None,
    *,
    logs: str = "/a/logs",
    has_processes: bool = True,
    containers: bool = False,
) -> str:
    return overlay(
        version=version,
        placement=Placement(cores=4, memory=1 << 30),
        settings=settings or EngineSettings(),
        limits=limits or Limits(),
        logs=Path(logs),
        mark="0f1e",
        has_processes=has_processes,
        containers=containers,
    )


def test_what_would_fetch_or_speak_is_off() -> None:
    lines = _overlay().splitlines()

    for scope in ("docker", "podman", "singularity", "apptainer", "conda", "spack", "wave", "fusion", "tower"):
        assert f"{scope}.enabled = false" in lines


def test_reports_go_to_the_logs_whatever_their_folder_is_called() -> None:
    text = _overlay(logs="/a b/it's $HOME/logs")

    for name in ("trace.txt", "report.html", "timeline.html"):
        assert f"file = '/a b/it\\'s $HOME/logs/{name}'" in text


def test_the_smaller_number_of_cores_counts() -> None:
    assert "cpus = 4;" in _overlay()
    assert "cpus = 2;" in _overlay(settings=EngineSettings(max_cpus=2))
    assert "cpus = 4;" in _overlay(settings=EngineSettings(max_cpus=64))
    assert "resourceLimits = [cpus: 1]" in _overlay(settings=EngineSettings(max_cpus=2, max_cpus_per_process=1))
    assert "resourceLimits = [cpus: 2]" in _overlay(settings=EngineSettings(max_cpus=2, max_cpus_per_process=8))


def test_tasks_are_cut_down_to_what_the_stage_file_asks_for_and_to_nothing_else() -> None:
    assert "resourceLimits" not in _overlay()
    assert "resourceLimits" not in _overlay(settings=EngineSettings(max_processes=1, max_retries=1))
    assert "resourceLimits = [cpus: 3]" in _overlay(limits=Limits(cores=3))
    assert f"resourceLimits = [memory: '{1 << 20} B']" in _overlay(limits=Limits(memory=1 << 20))
    assert "resourceLimits = [time: '9 s']" in _overlay(settings=EngineSettings(max_task_duration=9))
    assert "resourceLimits = [cpus: 4]" in _overlay(settings=EngineSettings(max_cpus_per_process=99))


def test_an_engine_that_has_no_resource_limits_is_not_told_any() -> None:
    assert "resourceLimits" not in _overlay("23.10.1", limits=Limits(cores=1))
    assert "resourceLimits" in _overlay("24.04.0", limits=Limits(cores=1))


def test_the_selector_is_one_that_no_workflow_has() -> None:
    lines = [line.strip() for line in _overlay(settings=EngineSettings(max_retries=1, max_cpus=1)).splitlines()]
    begin = lines.index("withName: '.*|0f1e' {")

    inside = lines[begin : lines.index("}", begin)]
    assert {"executor = 'local'", "scratch = false", "maxRetries = 1", "resourceLimits = [cpus: 1]"} <= set(inside)


def test_a_workflow_without_processes_is_not_warned_of_our_selector() -> None:
    assert "configProcessNamesValidation = false" in _overlay(has_processes=False)
    assert "configProcessNamesValidation" not in _overlay()


def test_settings_that_nobody_made_are_left_to_the_workflow() -> None:
    text = _overlay()

    assert "maxRetries" not in text
    assert "queueSize" not in text
    assert "time =" not in text
    made = _overlay(settings=EngineSettings(max_retries=0, max_processes=3, max_task_duration=60))
    assert "maxRetries = 0" in made
    assert "maxErrors = 1" in made
    assert "maxErrors" not in _overlay(settings=EngineSettings(max_retries=2))
    assert "queueSize = 3" in made
    assert "time = '60 s'" in made


def test_the_engine_looks_often_whether_a_task_has_ended() -> None:
    executors = [line for line in _overlay().splitlines() if line.startswith("executor {")]

    assert len(executors) == 2
    assert all("pollInterval = '20 ms'" in line for line in executors)


def test_report_and_timeline_are_left_to_our_witness() -> None:
    text = _overlay()

    for scope, enabled in (("report", "false"), ("timeline", "false"), ("trace", "true"), ("dag", "true")):
        assert f"{scope} {{ enabled = {enabled}; overwrite = true; file =" in text


def test_one_container_engine_is_on_in_a_run_with_containers_and_none_without() -> None:
    without, within = _overlay(), _overlay(containers=True)

    assert "docker.enabled = false" in without
    assert "enabled = true" in within.partition("docker {")[2].partition("}")[0]
    for other in ("podman", "singularity", "apptainer", "charliecloud", "shifter", "sarus"):
        assert f"{other}.enabled = false" in without
        assert f"{other}.enabled = false" in within


def test_how_containers_are_started_is_not_the_workflows_to_say_but_for_its_registry_and_options() -> None:
    own = _overlay(containers=True).partition("docker {")[2].partition("}")[0]

    for name in ("sudo", "temp", "fixOwnership", "userEmulation", "engineOptions", "mountFlags", "writableInputMounts"):
        assert f"  {name} = " in own
    assert "registry" not in own
    assert "runOptions" not in own
