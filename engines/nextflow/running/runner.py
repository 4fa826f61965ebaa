"""A run with Nextflow: what is laid out for it, how the engine is called, and what is made of what it left.

The engine works in the run's own folder: it is started in ``outputs/`` (its ``launchDir``), keeps tasks in
``engine/work``, reports in ``logs/`` and everything else in ``tmp/``. The workflow's folder is read-only to it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from engines.base import Listener, RunRequest
from engines.child.step_logs import log_stem
from engines.claims import claim
from engines.execution import Execution
from engines.isolation import Isolation
from engines.journal import Journal
from engines.launcher import last_words
from engines.nextflow.child_process import child_argv, offline_environment
from engines.nextflow.reading.plugin_index import declaration
from engines.nextflow.running.belonging import Belonging
from engines.nextflow.running.engine_state import ENGINE_STATE, Resumption, put_away, state_digest
from engines.nextflow.running.hearing import FORGED, Hearing
from engines.nextflow.running.image_needs import lacking
from engines.nextflow.running.last_error import last_error, log_lines, unpublished
from engines.nextflow.running.masking import Mask
from engines.nextflow.running.overlay import overlay
from engines.nextflow.running.params_file import as_params_file
from engines.nextflow.running.publishing import Published, altered, collided, entries
from engines.nextflow.running.sealing import has_links, is_late, seal
from engines.nextflow.running.telling import Teller
from engines.nextflow.secrets import find_secrets, secrets_environment, write_secrets
from engines.nextflow.setup.launching import java_command
from engines.recording import RecordedRun, Relative, died, record, sentence
from engines.stopping import clear
from staging.errors import ContainerError, PolicyError, from_os_error
from staging.plan import Kind, Role
from staging.process import base_environment
from staging.resolving import output_places

FOLDERS = ("outputs", "logs", "logs/steps", "tmp", "tmp/home", "engine", "engine/work")
PLUGINS = PurePosixPath("engine/plugins")

_STEP_LOGS = {".command.out": "stdout", ".command.err": "stderr"}
_WRAPPER_LOG = ".command.log"
_TAIL = 20


def run(request: RunRequest, listener: Listener) -> Execution:
    """Execute once; see ``engines.base.Engine.run``."""
    if request.plan.container != "none" and request.containers is None:
        raise ContainerError(
            f"the tasks are to run in {request.plan.container}, and this run was given no containers",
            hint="stage again, or with containerType none and the tools that the workflow calls installed",
        )
    secrets = find_secrets(request.plan.settings.secrets, os.environ)
    resumption = Resumption.of(request.resume) if request.resume is not None else None

    def make(request: RunRequest, journal: Journal, listener: Listener) -> _NextflowRun:
        return _NextflowRun(request, journal, listener, resumption, secrets)

    return record(request, listener, make, folders=FOLDERS)


class _NextflowRun(RecordedRun):
    """One run while it lasts."""

    def __init__(
        self,
        request: RunRequest,
        journal: Journal,
        listener: Listener,
        resumption: Resumption | None,
        secrets: Mapping[str, str],
    ) -> None:
        super().__init__(request, journal, listener)
        self.secrets = secrets
        self.mask = Mask(secrets)
        self.resumption = resumption
        self.belonging = Belonging(request.content, request.folder, resumed=resumption is not None)
        self.teller = Teller(self.relative, self.belonging)
        self.work = request.folder / "engine" / "work"
        self.outputs = request.folder / "outputs"
        self.images: dict[str, str] = {}
        """The images of tasks by their hashes, in a run with containers."""
        self.published: dict[str, list[str]] = {}
        self.products: list[str] = []
        self.hearing = Hearing()
        self.strays: list[str] = []
        """A sentence for each file that was published to or from outside of the run."""
        self.intruder: str | None = None
        """The sentence for what lay where this run keeps what continues it."""
        self.is_put_away = False
        self.failed: dict[str, Any] | None = None

    # -- before ----------------------------------------------------------------------------------------------------

    def argv(self) -> tuple[str, ...]:
        """Our own interpreter, with nothing of the user's set-up."""
        return child_argv()

    def child_request(self, isolation: Isolation) -> Mapping[str, object]:
        """What the child is told."""
        walls = self.walls(isolation)
        home = self.request.engine.home
        assert home is not None
        read_only = [*walls["read_only"], str(home), str(self.request.engine.program.resolve().parents[1])]
        return {
            **walls,
            "read_only": read_only if walls["read_only"] else [],
            "all": True,
            "temporary": str(self.tmp),
            "network": "namespace" if isolation.network else "none",
            "command": list(self._command()),
            "environment": self._environment(),
            "cwd": str(self.outputs),
        }

    def _command(self) -> tuple[str, ...]:
        """The engine's command line. Everything of the user's is in files."""
        request = self.request
        workflow = request.content / request.plan.workflow.path
        properties = {"user.home": str(self.tmp / "home"), "wfexs.events": "{events}"}
        words = [
            *java_command(request.engine, tmp=self.tmp, properties=properties),
            "-log",
            str(request.folder / "logs" / "nextflow.log"),
            *self._configurations(workflow),
            "run",
            str(workflow),
            "-ansi-log",
            "false",
            "-name",
            f"run-{request.run}-{request.uuid[:8]}",
            "-w",
            str(self.work),
            "-params-file",
            str(self._params_file()),
        ]
        if request.plan.settings.profiles:
            words += ["-profile", ",".join(request.plan.settings.profiles)]
        if self.resumption is not None:
            self.resumption.lay_out(self.outputs)
            words += ["-resume", self.resumption.session]
        return tuple(words)

    def _configurations(self, workflow: Path) -> list[str]:
        """``-c`` for the configuration of a project whose main script lies in a folder of its own, and for ours."""
        request = self.request
        root = Path(*workflow.parts[: len(workflow.parts) - len(request.interface.entry.parts)])
        files = []
        if workflow.parent != root and not (workflow.parent / "nextflow.config").exists():
            files += [root / "nextflow.config"] if (root / "nextflow.config").is_file() else []
        ours = request.folder / "engine" / "overlay.config"
        ours.write_text(
            overlay(
                version=request.engine.version,
                placement=request.placement,
                settings=request.plan.settings,
                limits=request.plan.limits,
                logs=request.folder / "logs",
                mark=request.uuid.replace("-", ""),
                has_processes=bool(request.interface.tools),
                containers=request.containers is not None,
            )
            + declaration([one.name for one in request.plan.of_role(Role.PLUGIN) if one.kind is Kind.FILE]),
            encoding="utf-8",
        )
        return [word for path in (*files, ours) for word in ("-c", str(path))]

    def _params_file(self) -> Path:
        path = self.request.folder / "engine" / "params.json"
        request = self.request
        values = as_params_file(
            {
                name: as_params(value, lists_as_text=request.plan.settings.lists_as_text)
                for name, value in request.parameters.items()
            },
            str((request.content / request.plan.workflow.path).parent),
        )
        path.write_text(json.dumps(values, indent=1, ensure_ascii=False), encoding="utf-8")
        return path

    def _environment(self) -> dict[str, str]:
        """The stage file's variables, and over them what keeps the engine offline and in its place."""
        home = self.tmp / "home"
        nxf_home = self.tmp / "nxf"
        plugins = self.request.content / PLUGINS
        java_home = self.request.engine.program.resolve().parents[1]
        secrets = write_secrets(self.secrets, nxf_home / "secrets" / "store.json")
        return {
            **self.request.environment,
            **offline_environment(nxf_home=nxf_home, tmp=self.tmp, java_home=java_home, plugins=plugins),
            **secrets_environment(secrets),
            "HOME": str(home),
            "TMPDIR": str(self.tmp),
            "PWD": str(self.outputs),
            **self._way_to_containers(),
        }

    def _way_to_containers(self) -> dict[str, str]:
        """The variables by which tasks find the ``docker`` that is our door."""
        if self.door is None:
            return {}
        path = self.request.environment.get("PATH") or base_environment()["PATH"]
        return {"PATH": f"{self.door.commands}:{path}", **self.door.environment}

    def tell(self, event: Mapping[str, Any], *, sync: bool = False) -> None:
        """Nobody is told the value of a secret."""
        super().tell(self.mask.tree(event), sync=sync)

    # -- meanwhile -------------------------------------------------------------------------------------------------

    def heard(self, event: dict[str, Any]) -> None:
        """The witness in the engine said something."""
        told = self.hearing.take(event.get("told"))
        if told is None:
            return
        kind = told["event"]
        if kind == "task-submitted" and told.get("workdir"):
            self.steps_in[self.relative.path(told["workdir"])] = told["name"]
        if kind == "task-submitted" and told.get("container") and self.door is not None:
            self.images[told["hash"]] = told["container"]
        if kind == "published":
            self._note_published(told["target"], told.get("source") or "")
        work = self._seal(told) if kind == "task-completed" else None
        if kind in ("task-completed", "task-cached"):
            self.products += [path for path in _paths(told.get("outputs") or ()) if self.belonging.holds(path)]
        if kind.startswith("task-") and told.get("workdir"):
            self.steps_in[self.relative.path(os.path.normpath(told["workdir"]))] = told["name"]
        for one in self.teller.events(told):
            if one.get("status") == "failed" and one.get("after") not in ("retry", "ignore") and self.failed is None:
                self.failed = one
            self.tell(one if work is None else {**one, "work": work})

    def _note_published(self, target: str, source: str) -> None:
        """Only what the run may hand out is looked at later: a workflow can say anything."""
        if not os.path.normpath(target).startswith(f"{self.outputs}/"):
            self.strays.append(f"it published to outside of the run: {self.relative.path(target)}")
        elif source and not self.belonging.holds(source):
            self.strays.append(f"it published {self.relative.path(source)}, which leads out of the run")
        else:
            self.published.setdefault(os.path.normpath(target), []).append(source)

    def _seal(self, told: Mapping[str, Any]) -> dict[str, Any] | None:
        """Keep the task's logs, and note in what state its folder is, for a run that goes on from it."""
        workdir = os.path.normpath(told.get("workdir") or "")
        if not workdir.startswith(f"{self.work}/"):
            return None
        by_bytes = bool(told.get("links")) or has_links(workdir)
        ended = (told.get("trace") or {}).get("complete")
        late = not isinstance(ended, int) or is_late(workdir, ended, names_apart=by_bytes)
        self._keep_logs(told)
        return {
            "path": self.relative.path(workdir),
            "by_bytes": by_bytes,
            "sha256": None if late or told.get("failed") else seal(workdir, by_bytes=by_bytes),
        }

    def _keep_logs(self, told: Mapping[str, Any]) -> None:
        """What a task wrote to its streams, kept beside the engine's log as links: the task's folder may go."""
        name = log_stem(told["name"], told["hash"])
        kept = [self._keep_log(told, source, f"{name}.{stream}") for source, stream in _STEP_LOGS.items()]
        if not any(kept) and told.get("failed"):
            # What came before the script: its inputs could not be put in place.
            self._keep_log(told, _WRAPPER_LOG, f"{name}.stderr")

    def _keep_log(self, told: Mapping[str, Any], source: str, name: str) -> bool:
        path = Path(str(told.get("workdir")), source)
        return self.folders.link(path, name, within="engine/work", to="logs/steps")

    # -- afterwards ------------------------------------------------------------------------------------------------

    def ended(self, last: Mapping[str, Any]) -> dict[str, Any]:
        """How the run ended: its outputs, and why it failed if it did."""
        exit_code = int(last["exit_code"])
        self._put_away()
        failure, collision = self._failure(exit_code), None
        completed = failure is None
        published = Published(root=self.outputs, work=self.work, belonging=self.belonging, keep_work=not completed)
        latest = {target: one[-1] for target, one in self.published.items() if one[-1]}
        try:
            if self.resumption is not None:
                self.resumption.check(self.teller.reused)
            collision = collided(self.published, self.products)
            published.settle(latest, self.products)
            if failure is None and collision is None:
                failure = self._altered(latest)
            values = self._values()
        except PolicyError as error:
            # What a task failed by is what there is to know; outputs of a failed run may well be incomplete.
            why = failure or {"error": error.message, "error_kind": error.kind}
            return {"status": "failed", "exit_code": exit_code, **why}
        except OSError as error:
            why = failure or {"error": from_os_error(error, "put the outputs in their place").message}
            return {"status": "failed", "exit_code": exit_code, **why}
        if completed:
            clear(self.work)
        if failure is None and collision is not None:
            failure = {"error": self._collision(*collision)}
        end = self.settle(exit_code, values, published.moved, failure, claimed=True)
        if completed:
            end["gone"] = [self.relative.path(f"{self.work}/")]
        return end

    def _values(self) -> dict[str, Any]:
        """Outputs by name: those that the stage file expects, and what else was published by its path."""
        found = entries(self.outputs)
        claimed = claim(self.request.plan.outputs, found, output_places(self.request.plan.parameters))
        kinds = dict(found)
        values: dict[str, Any] = {}
        taken: set[str] = set()
        for one in self.request.plan.outputs:
            paths = claimed.get(one.name, [])
            taken.update(paths)
            objects = [self._object(path, kinds.get(path, "Directory")) for path in paths]
            if objects:
                values[one.name] = objects[0] if len(objects) == 1 and one.maximum == 1 else objects
        folders = tuple(f"{path}/" for path in taken if kinds.get(path, "Directory") == "Directory")
        for path, kind in found:
            if kind == "File" and path not in taken and not path.startswith(folders) and "." not in taken:
                values.setdefault(path, self._object(path, kind))
        return values

    def _object(self, path: str, kind: str) -> dict[str, Any]:
        return {"class": kind, "path": str(self.outputs / path) if path != "." else str(self.outputs)}

    def _failure(self, exit_code: int) -> dict[str, Any] | None:
        """Why the run counts as failed, ``None`` when it does not."""
        if self.hearing.is_forged or self.intruder is not None:
            return {"error": FORGED if self.hearing.is_forged else self.intruder, "error_kind": PolicyError.kind}
        if self.failed is not None:
            step = self.failed
            lack = self._lack(step)
            if lack is not None:
                error = f"task {step['name']!r} failed: {lack}"
                return {"error": error, "error_kind": ContainerError.kind, "tail": self._tail(step)}
            reason = step["error"] if step["exit_code"] else self._cause() or step["error"]
            return {"error": f"task {step['name']!r} failed: {reason}", "tail": self._tail(step)}
        if exit_code != 0:
            words = [self.relative.text(line) for line in last_words(self.log, _TAIL)]
            return {"error": self._engine_failure(exit_code, words), "tail": words}
        return self._breach() or self._unfinished(exit_code)

    def _lack(self, step: Mapping[str, Any]) -> str | None:
        """What the image of a failed task lacks for the engine; ``None`` for one that failed otherwise."""
        image = self.images.get(step["id"])
        if image is None or not step["exit_code"]:
            return None
        program = lacking(step["exit_code"], self._tail(step))
        return (
            None if program is None else f"the image {image} has no {program}, which Nextflow needs in every container"
        )

    def _breach(self) -> dict[str, Any] | None:
        """What the run took in or handed out that is not its own."""
        if self.strays:
            return {"error": self.strays[0], "error_kind": PolicyError.kind}
        if self.teller.strangers:
            return {
                "error": f"a task used a file that was not staged: {self.teller.strangers[0]}",
                "error_kind": PolicyError.kind,
            }
        return None

    def _unfinished(self, exit_code: int) -> dict[str, Any] | None:
        """What is missing for a workflow that came to its end well, whatever the exit code."""
        if self.hearing.flow.get("success") is False:
            words = [self.relative.text(line) for line in last_words(self.log, _TAIL)]
            return {"error": self._engine_failure(exit_code, words), "tail": words}
        missing = self.hearing.missing()
        lost = unpublished(self.request.folder / "logs" / "nextflow.log")
        if missing is None and lost is not None:
            missing = f"the engine could not publish {self.relative.path(lost)}: its log says why"
        return None if missing is None else {"error": missing}

    def _altered(self, published: Mapping[str, str]) -> dict[str, Any] | None:
        """Why the run counts as failed when an output is not what its task published."""
        found = altered(published)
        if found is None:
            return None
        target, source = found
        task = self.teller.names.get(str(self._task_folder(source)))
        whose = f"task {task!r}" if task else "a task"
        return {
            "error": f"the output {os.path.relpath(target, self.outputs)!r} and the file that {whose} published as it"
            " are no longer the same: something else wrote to one of them",
            "error_kind": PolicyError.kind,
        }

    def _engine_failure(self, exit_code: int, words: Sequence[str]) -> str:
        """Why the engine ended with an error that is no task's that had begun."""
        if exit_code < 0:
            return died(exit_code)
        report = str(self.hearing.flow.get("report") or "")
        process, cause = _PROCESS.search(report), self._cause()
        if process and cause:
            return f"task {process.group(1)!r} failed: {cause}"
        logged = [self.relative.text(line) for line in log_lines(self.request.folder / "logs" / "nextflow.log")]
        said = self.relative.text(report or str(self.hearing.flow.get("message") or ""))
        return sentence(last_error(words, logged, said) or "the engine ended with an error")

    def _collision(self, target: str, sources: Sequence[str]) -> str:
        """The sentence for a name that two tasks gave to different files."""
        tasks = dict.fromkeys(self.teller.names.get(str(self._task_folder(one)), "") for one in sources)
        named = " and ".join(repr(name) for name in tasks if name) or "several tasks"
        name = (
            Path(target).relative_to(self.outputs) if Path(target).is_relative_to(self.outputs) else Path(target).name
        )
        return f"{named} published different files as {str(name)!r}: which of them is left there is chance"

    def _task_folder(self, path: str) -> Path:
        """The task's folder that a path lies in: two levels below the folder of all work."""
        parts = Path(path).parts
        return Path(*parts[: len(self.work.parts) + 2])

    def _cause(self) -> str | None:
        """What the engine's report on the error has as its cause, for an error that is not an exit code."""
        cause = _CAUSE.search(str(self.hearing.flow.get("report") or ""))
        return sentence(self.relative.text(cause.group(1))) if cause else None

    def _tail(self, step: Mapping[str, Any]) -> list[str]:
        """The last lines that a task wrote."""
        name = log_stem(step["name"], step["id"])
        for stream in ("stderr", "stdout"):
            words = last_words(self.request.folder / "logs" / "steps" / f"{name}.{stream}", _TAIL)
            if words:
                # The wrapper's own words have the task's folder before each name.
                folder = f"{self.teller.folders.get(step['id'], '')}/"
                return [self.relative.text(line.replace(folder, "") if folder != "/" else line) for line in words]
        return []

    def leave(self, end: dict[str, Any]) -> None:
        """Keep what continues the run, and what all parameters were in the end."""
        self._put_away()
        if self.secrets and end["status"] == "completed":
            # Nobody continues a run that was completed, and in the engine's cache is what its tasks told.
            clear(self.request.folder / ENGINE_STATE)
        if self.is_put_away:
            end["state"] = None if self.intruder else state_digest(self.request.folder)
        if self.hearing.parameters is not None:
            end["final_parameters"] = self._final_parameters()

    def clean_logs(self) -> None:
        """Mask the values of secrets."""
        self.mask.folder(self.request.folder / "logs")

    def _put_away(self) -> None:
        """Put the engine's cache away, once: what lies there already is not of this run's engine."""
        if not self.is_put_away:
            if os.path.lexists(self.request.folder / ENGINE_STATE):
                self.intruder = f"a task made {ENGINE_STATE!r}, which is the engine's"
            put_away(self.request.folder)
            self.is_put_away = True

    def _final_parameters(self) -> Any:
        return self.mask.tree(
            Relative(self.request.content).tree(_texts(self.hearing.parameters, self.relative)), numbers=True
        )


def as_params(value: Any, *, lists_as_text: bool) -> Any:
    """A value as Nextflow's params have it: a file or folder is its path."""
    if isinstance(value, Mapping):
        if value.get("class") in ("File", "Directory") and isinstance(value.get("path"), str):
            return value["path"]
        return {key: as_params(one, lists_as_text=lists_as_text) for key, one in value.items()}
    if isinstance(value, list | tuple):
        items = [as_params(one, lists_as_text=lists_as_text) for one in value]
        return ",".join(str(one) for one in items) if lists_as_text else items
    return value


def _texts(value: Any, relative: Relative) -> Any:
    """The same with paths in texts as the record has them."""
    if isinstance(value, Mapping):
        return {key: _texts(one, relative) for key, one in value.items()}
    if isinstance(value, list):
        return [_texts(one, relative) for one in value]
    return relative.text(value) if isinstance(value, str) else value


def _paths(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        if isinstance(value.get("path"), str):
            return [value["path"]]
        return [path for one in value.values() for path in _paths(one)]
    return [path for one in value for path in _paths(one)] if isinstance(value, list | tuple) else []


_PROCESS = re.compile(r"^Error executing process > '(.+)'$", re.MULTILINE)
_CAUSE = re.compile(r"^Caused by:\n((?:[ \t]+\S.*\n?)+)", re.MULTILINE)
