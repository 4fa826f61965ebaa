"""A run with Nextflow: what is laid out for it, how the engine is called, and what is made of what it left.

The engine works in the run's own folder: it is started in ``outputs/`` (its ``launchDir``), keeps tasks in
``engine/work``, reports in ``logs/`` and everything else in ``tmp/``. The workflow's folder is read-only to it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engines.base import Listener, RunRequest
from engines.child.step_logs import log_stem
from engines.execution import Execution
from engines.isolation import Isolation
from engines.journal import Journal
from engines.nextflow.child_process import child_argv
from engines.nextflow.running.belonging import Belonging
from engines.nextflow.running.engine_state import ENGINE_STATE, Resumption, put_away, state_digest
from engines.nextflow.running.found_outputs import found_outputs
from engines.nextflow.running.hearing import Hearing
from engines.nextflow.running.laying_out import Layout
from engines.nextflow.running.masking import Mask
from engines.nextflow.running.publishing import Published, collided
from engines.nextflow.running.reasons import Reasons
from engines.nextflow.running.sealing import has_links, is_late, seal
from engines.nextflow.running.telling import Teller
from engines.nextflow.secrets import find_secrets
from engines.recording import RecordedRun, record
from engines.relative import Relative
from engines.settling import settle
from engines.stopping import clear
from staging.errors import ContainerError, PolicyError, from_os_error

FOLDERS = ("outputs", "logs", "logs/steps", "tmp", "tmp/home", "engine", "engine/work")

_STEP_LOGS = {".command.out": "stdout", ".command.err": "stderr"}
_WRAPPER_LOG = ".command.log"


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

    step_word = "task"

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
        self.published: dict[str, list[str]] = {}
        self.products: list[str] = []
        self.hearing = Hearing()
        self.reasons = Reasons(request.folder, self.log, self.relative, self.teller, self.hearing)
        self.is_put_away = False
        self.layout = Layout(
            request, work=self.work, outputs=self.outputs, secrets=secrets, resumption=resumption, door=self.door
        )

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
            "command": list(self.layout.command()),
            "environment": self.layout.environment(),
            "cwd": str(self.outputs),
        }

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
            self.reasons.images[told["hash"]] = told["container"]
        if kind == "published":
            self._note_published(told["target"], told.get("source") or "")
        work = self._seal(told) if kind == "task-completed" else None
        if kind in ("task-completed", "task-cached"):
            self.products += [path for path in _paths(told.get("outputs") or ()) if self.belonging.holds(path)]
        if kind.startswith("task-") and told.get("workdir"):
            self.steps_in[self.relative.path(os.path.normpath(told["workdir"]))] = told["name"]
        for one in self.teller.events(told):
            if (
                one.get("status") == "failed"
                and one.get("after") not in ("retry", "ignore")
                and self.reasons.failed is None
            ):
                self.reasons.failed = one
            self.tell(one if work is None else {**one, "work": work})

    def _note_published(self, target: str, source: str) -> None:
        """Only what the run may hand out is looked at later: a workflow can say anything."""
        if not os.path.normpath(target).startswith(f"{self.outputs}/"):
            self.reasons.strays.append(f"it published to outside of the run: {self.relative.path(target)}")
        elif source and not self.belonging.holds(source):
            self.reasons.strays.append(f"it published {self.relative.path(source)}, which leads out of the run")
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
        failure, collision = self.reasons.failure(exit_code), None
        completed = failure is None
        published = Published(root=self.outputs, work=self.work, belonging=self.belonging, keep_work=not completed)
        latest = {target: one[-1] for target, one in self.published.items() if one[-1]}
        try:
            if self.resumption is not None:
                self.resumption.check(self.teller.reused)
            collision = collided(self.published, self.products)
            published.settle(latest, self.products)
            if failure is None and collision is None:
                failure = self.reasons.altered(latest)
            values = found_outputs(self.request.plan, self.outputs)
        except PolicyError as error:
            # What a task failed by is what there is to know; outputs of a failed run may well be incomplete.
            why = failure or {"error": error.message, "error_kind": error.kind}
            return {"status": "failed", "exit_code": exit_code, **why}
        except OSError as error:
            why = failure or {"error": from_os_error(error, "put the outputs in their place").message}
            return {"status": "failed", "exit_code": exit_code, **why}
        if completed:
            self.measuring.finish({self.relative.path(one): "" for one in published.moved})
            clear(self.work)
        if failure is None and collision is not None:
            failure = {"error": self.reasons.collision(*collision)}
        end = settle(self.request, self.relative, exit_code, values, published.moved, failure=failure, claimed=True)
        if completed:
            end["gone"] = [self.relative.path(f"{self.work}/")]
        return end

    def leave(self, end: dict[str, Any]) -> None:
        """Keep what continues the run, and what all parameters were in the end."""
        self._put_away()
        if self.secrets and end["status"] == "completed":
            # Nobody continues a run that was completed, and in the engine's cache is what its tasks told.
            clear(self.request.folder / ENGINE_STATE)
        if self.is_put_away:
            end["state"] = None if self.reasons.intruder else state_digest(self.request.folder)
        if self.hearing.parameters is not None:
            end["final_parameters"] = self._final_parameters()

    def clean_logs(self) -> None:
        """Mask the values of secrets."""
        self.mask.folder(self.request.folder / "logs")

    def _put_away(self) -> None:
        """Put the engine's cache away, once: what lies there already is not of this run's engine."""
        if not self.is_put_away:
            if os.path.lexists(self.request.folder / ENGINE_STATE):
                self.reasons.intruder = f"a task made {ENGINE_STATE!r}, which is the engine's"
            put_away(self.request.folder)
            self.is_put_away = True

    def _final_parameters(self) -> Any:
        return self.mask.tree(
            Relative(self.request.content).tree(_texts(self.hearing.parameters, self.relative)), numbers=True
        )


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
