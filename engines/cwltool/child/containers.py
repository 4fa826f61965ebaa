"""Containers: steps run in them by the run's own ``docker``, in images that are staged, and without a network.

cwltool would look its images up, ask the Docker engine how a container does every second, and run two more programs for
each job to learn whether there is a virtual machine. None of that is needed here: the images are known by name before
the first job, and what ``docker`` is, is the run's own business (``engines.containers.door``).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterator
from typing import Any
from urllib.parse import unquote

from cwltool import docker
from cwltool.errors import WorkflowException
from cwltool.process import shortname

from engines.cwltool.child.images import REQUIREMENT, name_of

_CUDA = "http://commonwl.org/cwltool#CUDARequirement"
_REFUSED, _NOT_EXECUTABLE, _NOT_FOUND, _KILLED = 125, 126, 127, 137
_BY_WHOM = re.compile(r"^(wfexs-like|docker|podman|Error|apptainer|FATAL|level=\w+|time=\S+|:|\s)+", re.IGNORECASE)
_RUNTIMES_WORDS = re.compile(r'^(wfexs-like: |docker: |Error: |FATAL: |time=")')
_EXECUTION = re.compile(r"\b(OCI|runc|crun|exec)\b")
_NO_LIMITS = re.compile(r"\bsetrlimit\b")
_LIMITS = "a container may not have here the limits that its runtime gives it (default_ulimits in containers.conf(5))"
_NO_PROGRAM = re.compile(r"executable file .*not found|no such file or directory|stat .*not found", re.IGNORECASE)
_LONGEST = 300

log = logging.getLogger("cwltool")


class Staged:
    """The images that are there, by name, and the ``docker`` that starts them, with what it needs to be told.

    ``root`` is the workflow's folder.
    """

    def __init__(self, request: dict[str, Any], *, root: str) -> None:
        self.images: Collection[str] = frozenset(request["images"])
        self.command: str = request["command"]
        self.environment: dict[str, str] = request["environment"]
        self.root = root

    def settle(self, process: Any, main: str) -> None:
        """Let tools whose image is a hint and not there run on this machine, and give every other image its name."""
        for step, tool in command_lines(process, main):
            requirement, required = tool.get_requirement(REQUIREMENT)
            if not requirement:
                continue
            name = name_of(requirement, self.root)
            if name is not None:
                requirement["dockerImageId"] = name
            if name not in self.images and not required:
                tool.hints = [one for one in tool.hints if one["class"] != REQUIREMENT]
                what = f"its image {name!r}, a hint," if name else "the image that is its hint"
                log.warning("step %r runs on this machine, because %s is not staged", step, what)

    def install(self) -> None:
        """Put what cwltool does about containers in order."""
        staged, kind = self, docker.DockerCommandLineJob
        create = kind.create_runtime

        def image(_job: Any, requirement: dict[str, Any], *_rest: Any, **_options: Any) -> str:
            # One of the job itself was not there yet when the workflow was looked through.
            name = requirement.get("dockerImageId") or name_of(requirement, staged.root)
            if name in staged.images:
                return str(name)
            raise WorkflowException(f"its image {name!r} is not staged" if name else "its image has no name")

        def create_runtime(job: Any, env: Any, context: Any) -> tuple[list[str], None]:
            if job.networkaccess:
                log.warning("[job %s] asks for a network, and there is none while a workflow runs", job.name)
                job.networkaccess = False
            words, _ = create(job, env, context)
            env.update(staged.environment)
            return [staged.command, *(one for one in words[1:] if not one.startswith("--cidfile="))], None

        kind.get_from_requirements = image
        kind.create_runtime = create_runtime
        docker.docker_vm_id = _nowhere


def command_lines(process: Any, name: str, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every command line of a process, by the name of its step; ``name`` is that of a process without steps."""
    if process.tool["class"] == "CommandLineTool":
        yield "/".join(path) or name, process
    for step in getattr(process, "steps", ()):
        yield from command_lines(step.embedded_tool, name, (*path, unquote(shortname(step.id))))


def needs_graphics(process: Any) -> bool:
    """Whether cwltool will look for graphics cards, which it reads as XML."""
    return any(tool.get_requirement(_CUDA)[0] for _, tool in command_lines(process, ""))


def reason(code: int | None, image: str, command: list[str], said: list[str]) -> str | None:
    """Why a container failed, where it is not the tool's own affair; ``said`` are the last lines of its errors."""
    words = next((line for line in reversed(said) if _RUNTIMES_WORDS.match(line)), None)
    program = command[0] if command else ""
    if code == _KILLED:
        return f"it was killed in its container of image {image!r} (exit code {code}): was there enough memory?"
    if words is None:
        return None
    if code in (_NOT_EXECUTABLE, _NOT_FOUND) and _EXECUTION.search(words):
        if _NO_PROGRAM.search(words):
            return f"the image {image!r} has no command {program!r}"
        why = f"the command {program!r} of the image {image!r} can't be executed"
        return f"{_LIMITS if _NO_LIMITS.search(words) else why}: {_short(words)}"
    if code == _REFUSED:
        return f"its container of image {image!r} was not started: {_short(words)}"
    return None


def _short(words: str) -> str:
    text = _BY_WHOM.sub("", words).strip().rstrip(".")
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _nowhere() -> tuple[None, None]:
    """There is no virtual machine around the Docker engine."""
    return (None, None)
