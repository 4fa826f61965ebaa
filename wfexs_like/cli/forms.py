"""Forms: the JSON that scripts rely on, made from what the session tells. Keys may be added, never renamed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from wfexs_like.cli.context import shown_path

if TYPE_CHECKING:
    from engines.execution import Execution, StepRun
    from staging.plan import Json
    from wfexs_like.crate.exporters import Sealing
    from wfexs_like.crate.report_types import CrateReport, Validation
    from wfexs_like.results import ItemReport, Proof, StageReport, WorkdirReport

Form = dict[str, object]


def item_form(item: ItemReport) -> Form:
    """One of ``items`` of ``resolve``, ``stage`` and ``show``; ``image`` is there for a container image."""
    form: Form = {
        "role": item.role,
        "name": item.name,
        "identifier": item.identifier,
        "pinned": item.pinned,
        "size": item.size,
        "sha256": item.sha256,
        "trust": item.trust,
        "source": item.source,
        "licences": list(item.licences),
        "risks": list(item.risks),
    }
    if item.image is not None:
        form["image"] = item.image.as_json()
    return form


def stage_form(report: StageReport, proof: Proof | None = None) -> Form:
    """The object of ``stage``; ``resolve`` leaves out what does not exist yet, and ``proof`` is there if asked for."""
    form: Form = {
        "id": report.id,
        "nickname": report.nickname,
        "path": _path(report.path),
        "lock": {"path": _path(report.lock_path), "digest": report.lock_digest},
        "items": [item_form(item) for item in report.items],
        "changes": list(report.changes),
    }
    if proof is not None:
        form["proof"] = {**proof.form, "path": _path(proof.path)}
    return form


def run_form(execution: Execution, *, workdir_id: str, content: Path) -> Form:
    """The object of ``run``, and one of ``runs`` of ``show``; ``content`` is what its relative paths start from.

    ``resumed`` is there only when it continued another run, ``platform`` where the engine runs on something,
    ``container`` where its steps ran in containers. ``allowed`` is what of an encrypted working directory might be
    found in clear elsewhere, as ``--allow`` said.
    """
    from engines.summary import offline

    reached = offline(execution)
    form: Form = {
        "id": workdir_id,
        "run": execution.run,
        "uuid": execution.uuid,
        "status": str(execution.status),
        "exit_code": execution.exit_code,
        "started": execution.started,
        "ended": execution.ended,
        "error": execution.error,
        "engine": f"{execution.engine}@{execution.engine_version}",
        "network": execution.network,
        "offline": reached,
        "attempts": reached["attempts"],
        "outputs": {name: placed(value, content) for name, value in execution.outputs.items()},
        "overrides": {name: placed(value, content) for name, value in execution.overrides.items()},
        "steps": [step_form(step) for step in execution.steps],
        "logs": [shown_path(content / log) for log in execution.logs],
        "allowed": list(execution.allowed),
    }
    if execution.platform:
        form["platform"] = dict(execution.platform)
    if execution.runtime is not None:
        form["container"] = {
            "runtime": f"{execution.runtime.name} {execution.runtime.version}",
            "images": [{"name": one.name, "digest": one.digest, "id": one.id} for one in execution.images],
        }
    if execution.resumed is not None:
        form["resumed"] = execution.resumed
    return form


def step_form(step: StepRun) -> Form:
    """One attempt at one step; ``cached`` and ``after`` only where they say something."""
    form: Form = {
        "name": step.name,
        "attempt": step.attempt,
        "status": str(step.status),
        "exit_code": step.exit_code,
        "started": step.started,
        "ended": step.ended,
        "error": step.error,
    }
    if step.cached:
        form["cached"] = True
    if step.after is not None:
        form["after"] = step.after
    return form


def placed(value: Json, content: Path) -> object:
    """A CWL value whose files have absolute paths."""
    if isinstance(value, Mapping):
        if value.get("class") in ("File", "Directory"):
            return _placed_file(value, content)
        return {key: placed(one, content) for key, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [placed(one, content) for one in value]
    return value


def _placed_file(value: Mapping[str, Json], content: Path) -> Form:
    form: Form = {key: placed(one, content) for key, one in value.items() if key != "location"}
    path = value.get("path")
    if isinstance(path, str):
        where = content / path
        form["path"] = shown_path(where)
        form.setdefault("basename", PurePosixPath(path).name)
    for key in ("path", "sha256", *(("size",) if value.get("class") == "File" else ())):
        form.setdefault(key, None)
    return form


def workdir_form(report: WorkdirReport) -> Form:
    """The object of ``show``."""
    return {
        **workdir_line(report),
        "items": [item_form(item) for item in report.items],
        "runs": [run_form(run, workdir_id=report.id, content=report.content) for run in report.runs],
        **({"imported": dict(report.imported)} if report.imported else {}),
    }


def workdir_line(report: WorkdirReport) -> Form:
    """One of ``workdirs`` of ``list``: the runs by number and status only."""
    return {
        "id": report.id,
        "nickname": report.nickname,
        "path": _path(report.path),
        "created": report.created,
        "vault": report.vault,
        "open": report.open,
        "engine": report.engine,
        "container": report.container,
        "content": _path(report.content),
        "lock": {"digest": report.lock_digest},
        "runs": None if report.closed else [{"run": run.run, "status": str(run.status)} for run in report.runs],
    }


def crate_form(report: CrateReport) -> Form:
    """The object of ``crate``."""
    validation = report.validation
    return {
        "path": _path(report.path),
        "kind": report.kind,
        "profiles": list(report.profiles),
        "sealed": report.sealed,
        "seal": None if report.sealing is None else _seal_form(report.sealing),
        "clear": report.clear,
        "lacking": list(report.lacking),
        "validation": None
        if validation is None
        else {
            "profile": validation.profile,
            "required": validation.required,
            "recommended": validation.recommended,
        },
    }


def _seal_form(sealing: Sealing) -> Form:
    return {
        "form": sealing.form,
        "metadata": sealing.level,
        "recipients": [{"fingerprint": one.fingerprint, "label": one.label} for one in sealing.recipients],
    }


def validations_form(validations: Sequence[Validation]) -> Form:
    """The object of ``validate``: the first verdict, whether all of them passed, and each."""
    verdicts = [validation_form(one) for one in validations]
    return {**verdicts[0], "passed": all(one.passed for one in validations), "verdicts": verdicts}


def validation_form(validation: Validation) -> Form:
    """One verdict."""
    return {
        "profile": validation.profile,
        "passed": validation.passed,
        "level": validation.level,
        "judged": validation.judged,
        "checks": len(validation.checks),
        "skipped": [{"check": one.identifier, "reason": one.skipped} for one in validation.skipped],
        "known": dict(validation.known),
        "required": validation.required,
        "recommended": validation.recommended,
        "optional": validation.optional,
        "issues": [
            {"severity": issue.severity, "check": issue.check, "entity": issue.entity, "message": issue.message}
            for issue in validation.issues
        ],
    }


def _path(path: Path | None) -> str | None:
    return None if path is None else shown_path(path)
