"""A run with cwltool: what must be so before it, what its child is told, and what the child's words mean."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engines.base import Listener, RunRequest
from engines.cwltool.child_process import child_argv, common_request
from engines.execution import Execution
from engines.isolation import Isolation
from engines.journal import Journal
from engines.phrasing import UNTOLD, sentence
from engines.processes import MARKER
from engines.recording import RecordedRun, record
from engines.settling import settle
from staging.errors import ContainerError, EngineError, PolicyError, UsageError
from staging.process import base_environment, find_tool


def run(request: RunRequest, listener: Listener) -> Execution:
    """Execute once; see ``engines.base.Engine.run``."""
    _check(request)
    return record(request, listener, _Run)


def _check(request: RunRequest) -> None:
    """What must be so before there is a run at all."""
    if request.resume is not None:
        raise UsageError("cwltool can't go on from an earlier run", hint="run again without --resume")
    _check_images(request)
    environment = {**base_environment(), **request.environment}
    if request.interface.needs_javascript and not (find_tool("node", environment) or find_tool("nodejs", environment)):
        raise EngineError(
            "the workflow has JavaScript expressions, and node is not on the PATH",
            hint="install it (Debian, Ubuntu: apt-get install nodejs)",
            where=str(request.interface.entry),
        )


def _check_images(request: RunRequest) -> None:
    """Every image that a step can't do without has to be there; a hint's need not."""
    if request.containers is None:
        if request.plan.container != "none":
            raise ContainerError(
                f"the workflow is staged to run in containers by {request.plan.container}, and that was not set up",
                hint='"wfexs-like doctor" says what this host can do',
            )
        return
    found = [(one.name, one.container, one.container_required) for one in request.interface.steps]
    found = found or [(one.id, one.container, one.container_required) for one in request.interface.tools]
    for name, image, required in found:
        if required and image not in request.containers.images:
            what = f"the container image {image!r}" if image else "a container image that has no name"
            raise ContainerError(
                f"step {name!r} needs {what}, which is not staged",
                hint="list it in the stage file under containers, and stage again",
            )


class _Run(RecordedRun):
    """One run while it lasts."""

    def __init__(self, request: RunRequest, journal: Journal, listener: Listener) -> None:
        super().__init__(request, journal, listener)
        self.tools = {step.name: step.tool for step in request.interface.steps}
        self.main = request.interface.process or request.interface.entry.stem
        if not self.tools and request.interface.tools:
            self.tools[self.main] = request.interface.tools[0].id

    def argv(self) -> tuple[str, ...]:
        """The child's command line."""
        return child_argv(self.request.engine)

    def child_request(self, isolation: Isolation) -> dict[str, object]:
        """What the child is told."""
        request = self.request
        workflow = request.content / request.plan.workflow.path
        root = _root_of(workflow, request)
        return {
            **common_request(request.engine),
            **self.walls(isolation),
            "verb": "run",
            "network": "namespace" if isolation.network else "none",
            "root": str(root),
            "entry": str(workflow.relative_to(root)),
            "process": request.plan.workflow.process,
            "name": self.main,
            "staged": [str(request.content / name) for name in ("inputs", "workflow", "environment")],
            "own": [str(self.tmp), str(request.folder / "outputs")],
            "outputs": str(request.folder / "outputs"),
            "tmp": str(self.tmp),
            "logs": str(request.folder / "logs" / "steps"),
            "parameters": request.parameters,
            "requirements": list(request.plan.requirements),
            "environment": dict(request.environment),
            "preserve": [] if isolation.processes else [MARKER],
            "cores": request.placement.cores,
            "memory": request.placement.memory,
            "validate": False,
            "containers": self._containers(),
        }

    def _containers(self) -> dict[str, object] | None:
        """What the child knows of containers: the images' names, and the command that takes it to our door."""
        door, containers = self.door, self.request.containers
        if door is None or containers is None:
            return None
        return {
            "images": sorted(containers.images),
            "command": str(door.commands / "docker"),
            "environment": door.environment,
        }

    def heard(self, event: dict[str, Any]) -> None:
        """The child said something of a step."""
        event["tool"] = self.tools.get(event.get("step", ""))
        super().heard(event)

    def ended(self, last: Mapping[str, Any]) -> dict[str, Any]:
        """How the run ended, from the child's last word."""
        return settle(
            self.request,
            self.relative,
            last["exit_code"],
            last["outputs"] or {},
            last["moved"],
            failure=self._failure(last),
        )

    def _failure(self, last: Mapping[str, Any]) -> dict[str, Any] | None:
        """What cwltool says went wrong."""
        if last["refused"]:
            return {"error": last["refused"][0], "error_kind": PolicyError.kind}
        if last["exit_code"] != 0:
            return {"error": self._reason(last), "tail": self._tail(last)}
        return None

    def _reason(self, last: Mapping[str, Any]) -> str:
        """Why it failed, in a sentence: the failing step and its reason."""
        failure = last.get("failure")
        if not failure:
            return sentence(self.relative.text(str(last.get("error") or UNTOLD)))
        code = failure.get("exit_code")
        if failure.get("why"):
            return f"step {failure['name']!r} failed: {failure['why']}"
        if code and code > 0:
            return f"step {failure['name']!r} failed with exit code {code}"
        reason = str(failure["error"])
        if reason == UNTOLD:
            # An expression's error is only told when the step is over.
            reason = str(last.get("error") or UNTOLD)
        return f"step {failure['name']!r} failed: {sentence(self.relative.text(reason))}"

    def _tail(self, last: Mapping[str, Any]) -> list[str]:
        """The last lines that the failing step wrote."""
        failure = last.get("failure") or {}
        return [self.relative.text(line) for line in failure.get("stderr", ())]


def _root_of(workflow: Path, request: RunRequest) -> Path:
    """The folder that the workflow's documents lie in: the interface names the document relative to it."""
    return Path(*workflow.parts[: len(workflow.parts) - len(request.interface.entry.parts)])
