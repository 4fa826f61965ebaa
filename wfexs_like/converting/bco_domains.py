"""The domains of a BioCompute Object that tell of the run: description, execution, parameters, data and errors.

Source: IEEE 2791-2020, its domains' JSON schemas.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from wfexs_like.converting.addresses import is_on_the_web, sound
from wfexs_like.converting.bco_links import NOT_STATED, Links, files_of, values_of
from wfexs_like.reading.account import Account, Execution, Item, Run, Software, StepRun, Workflow

UNKNOWN_MEDIA_TYPE: Final = "application/octet-stream"
"""What RFC 2046 has for bytes of which nothing is known."""

WHOLE_WORKFLOW: Final = "workflow"
"""In place of a step's number: a parameter of the workflow itself."""

_VARIABLE: Final = re.compile(r"[a-zA-Z_]+[a-zA-Z0-9_]*")
_LONGEST_ERROR: Final = 10_000
"""Characters of an error's text; the crate has all of it."""


def description_domain(account: Account, run: Run | None, links: Links) -> dict[str, Any]:
    """What was done, step by step; what is planned, in a crate without a run."""
    links.left_out("the crate tells no keywords: the object has none")
    steps = [] if run is None else [_step(one, number, links) for number, one in _numbered(run)]
    if run is None and account.workflow is not None:
        steps = [_planned(account.workflow, number) for number in range(len(account.workflow.steps))]
    if run is not None and not steps:
        steps = [_as_step(run.execution, links)]
    said: dict[str, Any] = {"keywords": [], "pipeline_steps": steps}
    if run is not None and run.engine is not None:
        said["platform"] = [sound(run.engine.name)]
    return said


def _numbered(run: Run) -> Iterator[tuple[int, StepRun]]:
    """Steps with their numbers, from one: executions of one step have the same."""
    numbers: dict[str, int] = {}
    for one in run.steps:
        yield numbers.setdefault(one.step, len(numbers) + 1), one


def _step(step: StepRun, number: int, links: Links) -> dict[str, Any]:
    return _told_step(step.execution, number, step.step, links)


def _as_step(execution: Execution, links: Links) -> dict[str, Any]:
    """A run of which no step is told is one step."""
    return _told_step(execution, 1, execution.name, links)


def _told_step(execution: Execution, number: int, name: str, links: Links) -> dict[str, Any]:
    tool = execution.instrument
    said: dict[str, Any] = {
        "step_number": number,
        "name": sound(name),
        "description": sound(_words(execution)),
        "input_list": [links.to_item(one) for one in files_of(execution.inputs)],
        "output_list": [links.to_item(one) for one in files_of(execution.outputs)],
    }
    if tool is not None and tool.version:
        said["version"] = sound(tool.version)
    if execution.images:
        said["prerequisite"] = [{"name": sound(one.name), "uri": links.to(one.id)} for one in execution.images]
    return said


def _words(execution: Execution) -> str:
    """What ran and how it went, in a sentence."""
    instrument = execution.instrument
    tool = instrument.name if instrument is not None else execution.name
    programs = [" ".join(filter(None, (one.name, one.version))) for one in instrument.programs] if instrument else []
    tool += f" ({', '.join(programs)})" if programs else ""
    ended = {"completed": "it completed", "failed": "it failed"}.get(execution.status, "how it ended is not stated")
    if execution.status == "failed" and execution.exit_code is not None:
        ended += f" with exit code {execution.exit_code}"
    command = f" Command line: {execution.command}" if execution.command else ""
    return f"Ran {tool}; {ended}.{command}"


def _planned(workflow: Workflow, index: int) -> dict[str, Any]:
    step = workflow.steps[index]
    tool = step.tool
    said: dict[str, Any] = {
        "step_number": index + 1,
        "name": sound(step.name),
        "description": sound(f"Planned: {tool.name}." if tool is not None else "Planned."),
        "input_list": [],
        "output_list": [],
    }
    if tool is not None and tool.version:
        said["version"] = sound(tool.version)
    return said


def execution_domain(account: Account, run: Run | None, links: Links) -> dict[str, Any]:
    """What it takes to do it again."""
    workflow = account.workflow
    script: list[dict[str, Any]] = []
    if workflow is not None and workflow.document is not None:
        script.append({"uri": links.to_item(workflow.document)})
    elif workflow is not None:
        script.append({"uri": links.to(workflow.software.id, workflow.source)})
    engine = run.engine if run is not None else None
    driver = engine.name if engine is not None else workflow.language if workflow is not None else None
    return {
        "script": script,
        "script_driver": sound(driver) if driver else links.missing("what engine ran it"),
        "software_prerequisites": _prerequisites(account, run, links),
        "external_data_endpoints": _endpoints(run),
        "environment_variables": _variables(run, links),
    }


def _prerequisites(account: Account, run: Run | None, links: Links) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for one in _software(account, run):
        version = sound(one.version) if one.version else links.missing(f"the version of {one.name}")
        found.setdefault(one.id, {"name": sound(one.name), "version": version, "uri": links.to(one.id, one.address)})
    images = [] if run is None else [one for ran in _executions(run) for one in ran.images]
    for image in images or account.images:
        version = f"sha256:{image.sha256}" if image.sha256 else links.missing(f"the digest of the image {image.name}")
        found.setdefault(image.id, {"name": sound(image.name), "version": version, "uri": links.to(image.id)})
    return list(found.values())


def _software(account: Account, run: Run | None) -> Iterator[Software]:
    """Engine and tools, each followed by the programs that it runs."""
    workflow = account.workflow
    found = [] if run is None or run.engine is None else [run.engine]
    tools = [] if run is None else [one.instrument for one in _executions(run)]
    found += [one for one in tools if one is not None and (workflow is None or one.id != workflow.software.id)]
    if run is None and workflow is not None:
        found += [one.tool for one in workflow.steps if one.tool is not None]
    for one in found:
        yield one
        yield from one.programs


def _executions(run: Run) -> Iterator[Execution]:
    yield run.execution
    yield from (one.execution for one in run.steps)


def _endpoints(run: Run | None) -> list[dict[str, str]]:
    """The servers that inputs came from."""
    found: dict[str, dict[str, str]] = {}
    for item in () if run is None else files_of(run.execution.inputs):
        server = _server(item.address)
        if server is not None:
            found[server[1]] = {"name": server[0], "url": server[1]}
    return [found[one] for one in sorted(found)]


def _server(text: str | None) -> tuple[str, str] | None:
    if text is None or not is_on_the_web(text):
        return None
    try:
        parts = urlsplit(text)
        host = parts.hostname
    except ValueError:
        return None
    # Without what may stand before the host, which is somebody's name or password.
    return (sound(host), sound(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}")) if host else None


def _variables(run: Run | None, links: Links) -> dict[str, str]:
    found: dict[str, str] = {}
    for execution in () if run is None else _executions(run):
        for name, value in execution.environment.items():
            if _VARIABLE.fullmatch(name) is None:
                links.left_out(f"the variable {name!r} is left out: the standard has no such names")
            else:
                found.setdefault(name, sound(value))
    return found


def io_domain(run: Run | None, links: Links) -> dict[str, Any]:
    """What went into the whole, and what came out of it."""
    inputs = [] if run is None else files_of(run.execution.inputs)
    outputs = [] if run is None else files_of(run.execution.outputs)
    return {
        "input_subdomain": [{"uri": links.to_item(one)} for one in inputs],
        "output_subdomain": [{"mediatype": _media_type(one, links), "uri": links.to_item(one)} for one in outputs],
    }


def _media_type(item: Item, links: Links) -> str:
    if item.media_type:
        return sound(item.media_type).replace("\n", " ")
    links.left_out(f"the crate doesn't tell the media type of every output: {UNKNOWN_MEDIA_TYPE} stands for it")
    return UNKNOWN_MEDIA_TYPE


def parametric_domain(run: Run | None) -> list[dict[str, str]]:
    """The values that the workflow and its steps were given."""
    if run is None:
        return []
    found = [
        {"param": sound(name), "value": _text(value), "step": WHOLE_WORKFLOW}
        for name, value in values_of(run.execution.inputs)
    ]
    for number, step in _numbered(run):
        found += [
            {"param": sound(name), "value": _text(value), "step": str(number)}
            for name, value in values_of(step.execution.inputs)
        ]
    return list({tuple(one.items()): one for one in found}.values())


def _text(value: object) -> str:
    return sound(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))


def error_domain(run: Run | None) -> dict[str, Any]:
    """What went wrong, where something did. By how much results may be wrong, no crate tells."""
    failures: dict[str, Any] = {}
    if run is not None and run.execution.status == "failed":
        failures["run"] = _failure(run.execution)
    steps = [
        {"step_number": number, "name": sound(one.step), **_failure(one.execution)}
        for number, one in (() if run is None else _numbered(run))
        if one.execution.status == "failed"
    ]
    if steps:
        failures["failed_steps"] = steps
    return {"empirical_error": failures, "algorithmic_error": {}}


def _failure(execution: Execution) -> dict[str, Any]:
    said: dict[str, Any] = {"status": "failed", "error": sound(execution.error or NOT_STATED)[:_LONGEST_ERROR]}
    return said if execution.exit_code is None else {**said, "exit_code": execution.exit_code}
