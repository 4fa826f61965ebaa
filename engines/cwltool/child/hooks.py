"""Hooks: what cwltool does, told while it does it.

cwltool has no interface for this, so a few of its methods are wrapped: ``WorkflowJobStep.job`` (where are we),
``CommandLineTool.job`` and ``ExpressionTool.job`` (which process made this job), ``JobBase._execute`` (start, end, exit
code, command line, streams) and what reports a skipped step. The contract tests pin them.
"""

from __future__ import annotations

import os
import resource
import threading
import time
from typing import Any
from urllib.parse import unquote

from cwltool import executors, workflow_job
from cwltool.command_line_tool import CommandLineTool, ExpressionJob, ExpressionTool
from cwltool.job import CommandLineJob, ContainerCommandLineJob, JobBase
from cwltool.process import shortname

from engines.child.events import Events, now
from engines.child.step_logs import log_stem
from engines.cwltool.child.borders import Borders, RefusedOutput, settle_links
from engines.cwltool.child.containers import reason
from engines.cwltool.child.loading import Complaints
from engines.cwltool.child.trees import Recorder, files_and_folders, local_path

TAIL_LINES = 20
_TAIL_BYTES = 16384
_TRANSFERRED = {
    "read_characters": b"rchar",
    "written_characters": b"wchar",
    "read_bytes": b"read_bytes",
    "written_bytes": b"write_bytes",
}


class Hooks:
    """What all wrappers share. ``main`` names the step of a workflow that is a single tool; ``logs`` is a folder."""

    def __init__(
        self, *, events: Events, recorder: Recorder, borders: Borders, complaints: Complaints, main: str, logs: str
    ) -> None:
        self.events = events
        self.recorder = recorder
        self.borders = borders
        self.complaints = complaints
        self.main = main
        self.logs = logs
        self.moved: dict[str, str] = {}
        self.failures: list[dict[str, Any]] = []
        self._names: dict[str, int] = {}
        self._lock = threading.Lock()

    def name(self, step: str) -> str:
        """A name for one more job of a step: ``a/b``, then ``a/b_2``, ..."""
        with self._lock:
            count = self._names[step] = self._names.get(step, 0) + 1
        return step if count == 1 else f"{step}_{count}"

    def skipped(self, path: tuple[str, ...]) -> None:
        """A step (or a member of its scatter) whose condition did not hold."""
        step = "/".join(path)
        self.events.tell("step-ended", {"name": self.name(step), "step": step, "time": now(), "status": "skipped"})

    def install(self) -> None:
        """Wrap cwltool's methods."""
        self._wrap_steps()
        self._wrap_processes(CommandLineTool)
        self._wrap_processes(ExpressionTool)
        self._wrap_jobs()
        self._wrap_skips()
        self._wrap_relocation()

    def _wrap_steps(self) -> None:
        original = workflow_job.WorkflowJobStep.job

        def job(step: Any, joborder: Any, output_callback: Any, context: Any) -> Any:
            context = context.copy()
            context.step_path = (*_path(context), unquote(shortname(step.id)))
            yield from original(step, joborder, output_callback, context)

        workflow_job.WorkflowJobStep.job = job

    def _wrap_processes(self, kind: Any) -> None:
        original = kind.job

        def job(process: Any, job_order: Any, output_callbacks: Any, context: Any) -> Any:
            for made in original(process, job_order, output_callbacks, context):
                if made is not None:
                    self._admit(made, context)
                    self._spare_staged(made)
                    made.step_hook = JobHook(self, "/".join(_path(context)) or self.main, _variables(process))
                yield made

        kind.job = job

    def _admit(self, job: Any, context: Any) -> None:
        """Refuse files of the host that a default, or JavaScript, brought in."""
        what = f"step {'/'.join(_path(context)) or self.main!r} is given"
        self.borders.admit(job.builder.job, what)
        for entry in (getattr(job, "generatefiles", None) or {}).get("listing", ()):
            self.borders.admit(entry, what)

    def _spare_staged(self, job: Any) -> None:
        """Let a job that updates files in place have copies, when one of them is staged and so not its to change."""
        if not getattr(job, "inplace_update", False):
            return
        changed = files_and_folders([one for one in job.generatefiles["listing"] if one.get("writable")])
        if any(self.borders.is_staged(path) for one in changed if (path := local_path(one)) is not None):
            job.inplace_update = False

    def _wrap_jobs(self) -> None:
        execute = JobBase._execute  # noqa: SLF001 - see the module's docstring

        def hooked_execute(job: Any, runtime: Any, env: Any, context: Any, monitor_function: Any = None) -> None:
            hook: JobHook | None = getattr(job, "step_hook", None)
            if hook is None:
                execute(job, runtime, env, context, monitor_function)
            else:
                hook.execute(execute, job, runtime, env, context)

        JobBase._execute = hooked_execute  # noqa: SLF001
        for kind in (CommandLineJob, ContainerCommandLineJob):
            self._wrap_run(kind)
        self._wrap_expressions()

    def _wrap_run(self, kind: Any) -> None:
        run = kind.run

        def hooked_run(job: Any, *args: Any, **options: Any) -> None:
            try:
                run(job, *args, **options)
            except Exception as error:
                hook: JobHook | None = getattr(job, "step_hook", None)
                if hook is not None:
                    hook.failed_early(job, str(error))
                raise

        kind.run = hooked_run

    def _wrap_expressions(self) -> None:
        run = ExpressionJob.run

        def hooked_run(job: Any, context: Any, tmpdir_lock: Any = None) -> None:
            hook: JobHook | None = getattr(job, "step_hook", None)
            if hook is not None:
                hook.begin(job.builder.job, [])
                job.output_callback = self._checking(hook.ending(job.output_callback, None))
            run(job, context, tmpdir_lock)

        ExpressionJob.run = hooked_run

    def _checking(self, callback: Any) -> Any:
        def checked(outputs: Any, status: str) -> None:
            try:
                self.borders.check(outputs)
            except RefusedOutput as error:
                self.complaints.messages.append(str(error))
                outputs, status = {}, "permanentFail"
            callback(outputs, status)

        return checked

    def _wrap_skips(self) -> None:
        kind = workflow_job.WorkflowJob
        begin, receive = kind.__init__, kind.receive_output

        def hooked_init(job: Any, process: Any, context: Any) -> None:
            begin(job, process, context)
            job.step_path = _path(context)

        def hooked_receive(job: Any, step: Any, *rest: Any) -> None:
            if rest[-1] == "skipped" and "scatter" not in step.tool:
                self.skipped((*job.step_path, unquote(shortname(step.id))))
            receive(job, step, *rest)

        kind.__init__, kind.receive_output = hooked_init, hooked_receive
        for name in ("dotproduct_scatter", "nested_crossproduct_scatter", "flat_crossproduct_scatter"):
            setattr(workflow_job, name, self._watch_scatter(getattr(workflow_job, name)))

    def _watch_scatter(self, original: Any) -> Any:
        def scatter(step: Any, joborder: Any, keys: Any, callback: Any, context: Any) -> Any:
            evaluate = context.postScatterEval
            if evaluate is not None and not getattr(evaluate, "watched", False):
                path = (*_path(context), unquote(shortname(step.id)))

                def watched(values: Any) -> Any:
                    result = evaluate(values)
                    if result is None:
                        self.skipped(path)
                    return result

                watched.watched = True  # type: ignore[attr-defined]
                context = context.copy()
                context.postScatterEval = watched
            return original(step, joborder, keys, callback, context)

        return scatter

    def _wrap_relocation(self) -> None:
        original = executors.relocateOutputs

        def relocate(outputs: Any, *args: Any, **options: Any) -> Any:
            self.borders.check(outputs)
            settle_links(outputs)
            found = [(one, local_path(one)) for one in files_and_folders(outputs)]
            before = [(one, os.path.realpath(path)) for one, path in found if path is not None]
            result = original(outputs, *args, **options)
            for one, old in before:
                new = local_path(one)
                if new is not None and new != old:
                    self.moved[old] = new
            return result

        executors.relocateOutputs = relocate
        # What went from step to step is measured before it goes, by who clears the scratch space.
        executors.cleanIntermediate = lambda _folders: None


class JobHook:
    """Follows one job."""

    def __init__(self, hooks: Hooks, step: str, named: list[str]) -> None:
        self.hooks = hooks
        self.step = step
        self.named = named
        self.name = hooks.name(step)
        self.code: int | None = None
        self.command: list[str] = []
        self.folders: list[str] = []
        self.resources: dict[str, float] = {}
        self.allotted: dict[str, float] = {}
        self.variables: dict[str, str] = {}
        self.image: str | None = None
        self.limit: int | None = None
        self.overdue = False
        self._begun = self._ended = False
        self._clock = 0.0
        self._heard = 0

    def execute(self, original: Any, job: Any, runtime: Any, env: Any, context: Any) -> None:
        """Run the job by cwltool's own method, with its streams in our logs."""
        stem = os.path.join(self.hooks.logs, log_stem(self.name))  # noqa: PTH118
        context = context.copy()
        streams = {name: f"{stem}.{name}" for name in ("stdout", "stderr") if getattr(job, name) is None}
        for name, path in streams.items():
            setattr(context, f"default_{name}", open(path, "wb"))  # noqa: SIM115, PTH123
        if runtime and isinstance(job, ContainerCommandLineJob):
            self.image = str(runtime[-1])
            # cwltool asks a container to end, and a first process that doesn't listen goes on.
            self.limit, job.timelimit = job.timelimit, None
        self.command = [str(word) for word in job.command_line]
        self.folders = [one for one in (job.outdir, job.tmpdir) if one]
        self.allotted = allotted(job.builder.resources)
        self.variables = {name: str(job.environment[name]) for name in self.named if name in job.environment}
        self.begin(job.joborder, self.command)
        collect = job.collect_outputs

        def checked(outdir: str, code: int) -> Any:
            outputs = collect(outdir, code)
            self.hooks.borders.check(outputs)
            return outputs

        job.collect_outputs = checked
        errors = streams.get("stderr") or os.path.join(job.base_path_logs, job.stderr)  # noqa: PTH118
        job.output_callback = self.ending(job.output_callback, errors)
        try:
            original(job, runtime, env, context, self.watch)
        finally:
            for name, path in streams.items():
                getattr(context, f"default_{name}").close()
                if os.path.exists(path) and os.path.getsize(path) == 0:  # noqa: PTH110, PTH202
                    os.unlink(path)  # noqa: PTH108

    def watch(self, child: Any) -> None:
        """Wait for the tool's process (cwltool's monitor), and take what the kernel knows of it."""
        overdue = threading.Timer(self.limit, self._end, (child,)) if self.limit else None
        if overdue is not None:
            overdue.daemon = True
            overdue.start()
        # Not waited for in one go: what the kernel knows of its reading and writing goes with it.
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        read_and_written = transferred(child.pid)
        _, status, usage = os.wait4(child.pid, 0)
        if overdue is not None:
            overdue.cancel()
        child.returncode = self.code = os.waitstatus_to_exitcode(status)
        self.resources = {"wall_seconds": round(time.monotonic() - self._clock, 6)}
        if self.image is not None:
            # What was waited for is no more than the messenger: the container is somebody else's child.
            return
        self.resources |= {
            "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 6),
            # Linux gives ru_maxrss in KiB (getrusage(2)).
            "max_rss_bytes": usage.ru_maxrss * 1024,
            **read_and_written,
        }
        # The child began as a copy of us, which counts as its own peak (execve(2) keeps it): then its own is not known.
        if usage.ru_maxrss <= resource.getrusage(resource.RUSAGE_SELF).ru_maxrss:
            del self.resources["max_rss_bytes"]

    def _end(self, child: Any) -> None:
        """End the messenger, and with it the container."""
        self.overdue = True
        child.kill()

    def begin(self, inputs: Any, command: list[str]) -> None:
        """It starts."""
        self._begun = True
        self._heard = len(self.hooks.complaints.messages)
        self.hooks.events.tell(
            "step-started",
            {
                "name": self.name,
                "step": self.step,
                "time": now(),
                "command": command,
                "folders": self.folders,
                **({"container": self.image} if self.image is not None else {}),
                "inputs": self.hooks.recorder.values(inputs),
                **({"allotted": self.allotted} if self.allotted else {}),
                **({"environment": self.variables} if self.variables else {}),
            },
        )
        self._clock = time.monotonic()

    def ending(self, callback: Any, errors: str | None) -> Any:
        """A callback of cwltool's, with ours before it."""

        def ended(outputs: Any, status: str) -> None:
            self.end(outputs, status, errors)
            if callback:
                callback(outputs, status)

        return ended

    def end(self, outputs: Any, status: str, errors: str | None) -> None:
        """It ended."""
        if self._ended:
            return
        self._ended = True
        done = status == "success"
        record: dict[str, Any] = {
            "name": self.name,
            "step": self.step,
            "time": now(),
            "status": "completed" if done else "failed",
            "exit_code": self.code,
            "outputs": self.hooks.recorder.values(outputs) if done else {},
            "resources": self.resources,
        }
        if not done:
            said = tail(errors)
            why = reason(self.code, self.image, self.command, said) if self.image is not None else None
            record["error"] = why or self._reason()
            self.hooks.failures.append({**record, "stderr": said, "why": why})
        self.hooks.events.tell("step-ended", record)

    def failed_early(self, job: Any, reason: str) -> None:
        """It could not even be started."""
        if self._ended:
            return
        if not self._begun:
            self.begin(job.joborder, [str(word) for word in job.command_line])
        self.hooks.complaints.messages.append(reason)
        self.end({}, "permanentFail", None)

    def _reason(self) -> str:
        if self.overdue:
            return f"it took longer than its time limit of {self.limit} s"
        if self.code is not None and self.code < 0:
            return f"it was ended by signal {-self.code}"
        said = self.hooks.complaints.messages[self._heard :]
        if said:
            return said[0]
        return f"it failed with exit code {self.code}" if self.code else "it failed"


def allotted(resources: Any) -> dict[str, float]:
    """What cwltool set aside for a job, in cores and bytes; it counts in MiB."""
    found: dict[str, float] = {}
    if isinstance(resources.get("cores"), int | float):
        found["cores"] = resources["cores"]
    if isinstance(resources.get("ram"), int | float):
        found["memory"] = int(resources["ram"] * 2**20)
    folders = [resources.get(one) for one in ("tmpdirSize", "outdirSize")]
    if all(isinstance(one, int | float) for one in folders):
        found["storage"] = int(sum(folders) * 2**20)
    return found


def transferred(pid: int) -> dict[str, float]:
    """The bytes that a process which ended, and those that it waited for, read and wrote: all, and those of disks.

    Source: proc_pid_io(5); the kernel adds to a process what its children had when it waits for them.
    """
    try:
        with open(f"/proc/{pid}/io", "rb") as stream:  # noqa: PTH123
            said = dict(line.split(b": ") for line in stream.read().splitlines())
        return {name: int(said[field]) for name, field in _TRANSFERRED.items()}
    except (OSError, ValueError, KeyError):
        return {}


def tail(path: str | None) -> list[str]:
    """The last lines of a file."""
    if path is None:
        return []
    try:
        with open(path, "rb") as stream:  # noqa: PTH123
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - _TAIL_BYTES))
            return stream.read().decode(errors="replace").splitlines()[-TAIL_LINES:]
    except OSError:
        return []


def _variables(process: Any) -> list[str]:
    """The names of the variables that a tool, or what is around it, sets."""
    requirement, _ = process.get_requirement("EnvVarRequirement")
    return [str(one["envName"]) for one in (requirement or {}).get("envDef", ())]


def _path(context: Any) -> tuple[str, ...]:
    found: tuple[str, ...] = getattr(context, "step_path", ())
    return found
