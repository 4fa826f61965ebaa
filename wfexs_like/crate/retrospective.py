"""The retrospective half of a crate: what ran, as CreateActions of the main workflow.

Source: Process Run Crate 0.5 and Workflow Run Crate 0.5. A run that failed or was killed has FailedActionStatus and
what is known of it; a time that isn't known is left out. Its steps are told by ``steps``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import PurePosixPath

from engines.execution import Execution, ImageUsed, RuntimeUsed, Status
from staging.errors import NotFoundError
from staging.plan import Json
from wfexs_like.crate.attempts import in_short, not_seen, tried
from wfexs_like.crate.data import Content, basename_of
from wfexs_like.crate.engine_files import describe_configuration
from wfexs_like.crate.graph import ROOT, Entity, Ref
from wfexs_like.crate.logs import log_media_type, rewritten
from wfexs_like.crate.moments import moment
from wfexs_like.crate.open_outputs import other_outputs, published_parameter
from wfexs_like.crate.payload import measure, open_inside
from wfexs_like.crate.prospective import Prospective, kind_of, relative_path
from wfexs_like.crate.steps import Steps
from wfexs_like.crate.story import RunStory, Slot, Thing
from wfexs_like.crate.structure import has_steps
from wfexs_like.crate.tally import in_words
from wfexs_like.crate.values import SHOWN, without_places
from wfexs_like.crate.vocabulary import COMPLETED, FAILED

LOG_FILES = 40
"""So many logs of one run go into a crate: the engine's own first, then those of steps that failed."""


class Retrospective:
    """Describes runs, on the ground of the prospective half."""

    def __init__(self, prospective: Prospective, main: Entity) -> None:
        self.ground = prospective
        self.main = main
        self.graph = prospective.graph
        self.discretion = prospective.discretion
        self.subject = prospective.subject
        self.published = published_parameter(self.subject)
        if self.published is not None:
            prospective.output(main, self.published)
        over = [one for one in self.subject.executions if one.status is not Status.RUNNING]
        self.steps = Steps(prospective, main, over) if has_steps(over) else None

    def describe(self, execution: Execution) -> RunStory:
        """One run: its action, what it took and made, its logs.

        Raises:
            DigestError: an output isn't what the run recorded.
            NotFoundError: an output to be included is gone.
        """
        action = self.graph.add(f"#{execution.uuid}", "CreateAction")
        action.set("name", f"Run {execution.run} of {self.main.as_json()['name']}")
        action.set("instrument", Ref(self.main.id))
        agent = self.ground.contextual.person(self.subject.person) if self.subject.person else None
        action.set("agent", agent or self.ground.contextual.not_stated())
        ran = self._ran(execution)
        action.set("description", ran)
        action.add("startTime", moment(execution.started))
        action.add("endTime", moment(execution.ended))
        # What a workflow makes out of a value that must not be told may tell it.
        final = None if self.ground.secretive else execution.final_parameters
        taken, inputs = self.ground.slots(self._parameters(execution), final=final)
        variables, files, environment = self.ground.variable_values(dict(execution.environment))
        action.add("object", *taken, *files)
        action.add("environment", *variables)
        made, outputs = self._outputs(execution)
        action.add("result", *made)
        action.add("containerImage", *self.ground.images.used(_started(execution.images)))
        platform = self._platform(execution)
        error = self._status(action, execution)
        logs = self._logs(action, execution)
        if not action.has("result") and logs:
            # What a run without outputs leaves behind is its log.
            action.add("result", *(Ref(str(log.href)) for log in logs[:1]))
        self.graph.add(ROOT).add("mentions", Ref(action.id))
        if self.steps is not None:
            self.steps.run(execution, action, self.published.name if self.published is not None else None)
            describe_configuration(self.ground, execution)
        return RunStory(
            number=execution.run,
            uuid=execution.uuid,
            status=execution.status.value,
            started=execution.started,
            ended=execution.ended,
            seconds=_seconds(execution),
            exit_code=execution.exit_code,
            error=error,
            ran=ran,
            network=execution.network,
            inputs=inputs,
            outputs=outputs,
            logs=tuple(logs),
            environment=environment,
            tools=self._tools(execution),
            platform=platform,
            tail=tuple(map(self.discretion.log, execution.tail)) if error and not self.ground.secretive else (),
            # A name that is asked for may hold what must not be told.
            tried=() if self.ground.secretive else tried(execution, self.discretion),
            not_seen=not_seen(execution, self.discretion),
        )

    def _ran(self, execution: Execution) -> str:
        """What ran, in words: the command line that an engine is started by is no use elsewhere."""
        told = f"{execution.engine} {execution.engine_version} on {self.main.as_json()['name']}"
        profiles = self.subject.plan.settings.profiles
        if profiles:
            told += f" with the profile{'' if len(profiles) == 1 else 's'} {', '.join(profiles)}"
        if execution.resumed is not None:
            told += f", going on from run {execution.resumed}"
        if execution.allowed:
            told += f", with what may be found in clear allowed: {', '.join(execution.allowed)}"
        return ", ".join(one for one in (told, in_words(execution), in_short(execution)) if one)

    def _platform(self, execution: Execution) -> str:
        """What the engine itself ran on, which it needs as any program needs another."""
        for name, version in sorted(execution.platform.items()):
            shown = self.discretion.text(version)
            needed = self.ground.contextual.software(
                name.capitalize(), shown, None, None, f"What {execution.engine} ran on."
            )
            self.ground.engine.add("softwareRequirements", needed)
        return self.discretion.text(", ".join(f"{name} {one}" for name, one in sorted(execution.platform.items())))

    def _tools(self, execution: Execution) -> str:
        """Where the tools came from that the steps called."""
        if execution.runtime is not None:
            return self._containers(execution, execution.runtime)
        facts = [str(execution.host[key]) for key in ("operating_system", "architecture") if execution.host.get(key)]
        machine = f" ({self.discretion.text(', '.join(facts))})" if facts else ""
        return f"those that the host had{machine}: their versions are not pinned"

    def _containers(self, execution: Execution, runtime: RuntimeUsed) -> str:
        """What the steps ran in: the runtime is a program that the engine needed, the images are told by name."""
        version = self.discretion.text(runtime.version)
        needed = self.ground.contextual.software(
            runtime.name, version, None, None, "What the containers of the steps ran in."
        )
        self.ground.engine.add("softwareRequirements", needed)
        images = sorted({self.discretion.text(one.name) for one in _started(execution.images)})
        if not images:
            return f"none: no container was started, though there was {runtime.name} {version}"
        return f"from the container images {', '.join(images)}, by {runtime.name} {version}"

    def _parameters(self, execution: Execution) -> Mapping[str, Json]:
        """What it ran with. The plan's values stand for those that were not overridden: they name their items."""
        recorded = execution.parameters or {**self.subject.plan.parameters, **execution.overrides}
        planned = self.subject.plan.parameters
        outputs = f"runs/{execution.run}/outputs"
        return {
            name: without_places(value, outputs) if name in execution.overrides else planned.get(name, value)
            for name, value in recorded.items()
        }

    def _status(self, action: Entity, execution: Execution) -> str | None:
        if execution.status is Status.COMPLETED:
            action.set("actionStatus", COMPLETED)
            return None
        action.set("actionStatus", FAILED)
        code = "" if execution.exit_code is None else f" with exit code {execution.exit_code}"
        plain = "the run was killed" if execution.status is Status.KILLED else f"the workflow failed{code}"
        error = self.discretion.log(execution.error) if execution.error and not self.ground.secretive else plain
        if execution.status is Status.KILLED and "kill" not in error.lower():
            error = f"{plain}: {error}"
        action.set("error", error)
        return error

    # -- outputs ---------------------------------------------------------------------------------------------------

    def _outputs(self, execution: Execution) -> tuple[list[Ref], tuple[Slot, ...]]:
        refs: list[Ref] = []
        slots: list[Slot] = []
        documented = {formal.name: formal for formal in self.ground.documented_outputs}
        others = other_outputs(execution.outputs, set(documented)) if self.published is not None else {}
        completed = execution.status is Status.COMPLETED
        for name in [*documented, *sorted(set(execution.outputs) - set(documented) - set(others))]:
            formal = self.ground.outputs.get(name)
            stated = documented.get(name)
            value = execution.outputs.get(name)
            found: list[Ref] = []
            if value is not None:
                found, slot = self.ground.values.describe(name, value, formal, self._locate)
            elif completed:
                found, slot = self.ground.values.absent(name, formal, "no value: the workflow made none")
            else:
                slot = Slot(name=name, kind="", things=(Thing(text="not made"),))
            refs += found
            refs += [inner for one in found for inner in self.ground.values.files_of(one)]
            kind = kind_of(stated.type) if stated is not None else ""
            about = self.ground.words(stated.doc or stated.label) if stated is not None else None
            slots.append(Slot(name=name, kind=kind, things=slot.things, many=slot.many, description=about))
        if self.published is not None and others:
            found, slot = self._others(self.published.name, others)
            refs += found
            slots.append(slot)
        return list(dict.fromkeys(refs)), tuple(slots)

    def _others(self, name: str, others: Mapping[str, Json]) -> tuple[list[Ref], Slot]:
        """What was published and has no parameter of its own, each told by its path."""
        refs: list[Ref] = []
        things: list[Thing] = []
        for path, value in others.items():
            found, slot = self.ground.values.describe(name, value, self.ground.outputs[name], self._locate)
            refs += found
            if len(things) < SHOWN:
                things += (replace(thing, text=self.discretion.text(path)) for thing in slot.things)
        about = self.ground.outputs[name].entity.as_json().get("description")
        many = max(0, len(others) - len(things))
        return refs, Slot(name=name, kind="File[]", things=tuple(things), many=many, description=str(about))

    def stand_ins(self) -> None:
        """Say of each parameter that no run of this crate filled, that none did."""
        for formal in self.ground.inputs.values():
            if not formal.entity.has("workExample"):
                self.ground.values.stand_in(formal, "no value was given to it in any run of this crate")
        for formal in self.ground.outputs.values():
            if not formal.entity.has("workExample"):
                self.ground.values.stand_in(formal, "no run of this crate made it")
        if self.steps is not None:
            self.steps.settle()

    def _locate(self, slot: str, value: Mapping[str, Json]) -> Content:
        """Which file or folder a CWL object among the outputs means. One with kept-back bytes is kept back too."""
        path = relative_path(self.subject.content, value)
        digest = str(value["sha256"]) if isinstance(value.get("sha256"), str) else None
        size = value.get("size")
        folder = value.get("class") == "Directory"
        if digest is None and not folder and path is not None and self.ground.kept_back.items:
            digest = measure(self.subject.content, str(path)).sha256
        kept_back = self.ground.kept_back
        kept = kept_back.folder(path, digest) if folder else kept_back.file(digest)
        if kept is not None and kept.disclosable:
            self.ground.data.not_copied.add(slot)
        form = value.get("format")
        return Content(
            slot=slot,
            basename=basename_of(value, path),
            folder=folder,
            path=path,
            verified=True,
            sha256=digest,
            size=size if isinstance(size, int) else None,
            format=form if isinstance(form, str) else None,
            hidden=kept is not None and not kept.disclosable,
            include="outputs" in self.ground.include and kept is None,
        )

    # -- logs ------------------------------------------------------------------------------------------------------

    def _logs(self, action: Entity, execution: Execution) -> list[Thing]:
        """The run's logs, with what they say of this machine rewritten; none when something must not be disclosed."""
        if self.ground.secretive:
            return []
        things: list[Thing] = []
        failed = {
            mark
            for step in execution.steps
            if step.status in (Status.FAILED, Status.KILLED)
            for mark in (PurePosixPath(step.name).name, step.id[:8])
        }

        def weight(path: PurePosixPath) -> tuple[int, str]:
            if path.parent.name == "logs":
                return 0, str(path)
            return 1 if any(mark in path.name for mark in failed) else 2, str(path)

        for path in sorted(execution.logs or self._found(execution), key=weight)[:LOG_FILES]:
            try:
                stream = open_inside(self.subject.content, str(path))
            except NotFoundError:
                continue
            with stream:
                text = rewritten(stream, path.name, self.discretion)
            if text is None:
                continue
            entity = self.ground.data.made(
                str(path), text, name=f"{path.name} of run {execution.run}", encoding=log_media_type(path.name)
            )
            entity.set("about", Ref(action.id))
            entity.set("description", "A log of the run. Names of this machine and paths outside the run are left out.")
            things.append(Thing(text=path.name, href=entity.id, sha256=str(entity.as_json()["sha256"]), size=len(text)))
        return things

    def _found(self, execution: Execution) -> list[PurePosixPath]:
        """The logs of a run that came to no end and so has no list of them."""
        folder = self.subject.content / "runs" / str(execution.run) / "logs"
        files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
        return [PurePosixPath(path.relative_to(self.subject.content)) for path in files]


def _started(images: Iterable[ImageUsed]) -> list[ImageUsed]:
    """Those that a container was made of: a run may have more than its steps come to need."""
    return [one for one in images if one.started]


def _seconds(execution: Execution) -> float | None:
    if execution.started is None or execution.ended is None:
        return None
    return (datetime.fromisoformat(execution.ended) - datetime.fromisoformat(execution.started)).total_seconds()
