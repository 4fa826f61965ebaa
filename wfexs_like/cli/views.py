"""Views: what a person reads of each result. Pure functions from a report to text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wfexs_like.cli.context import shown_path
from wfexs_like.cli.forms import placed
from wfexs_like.cli.render import (
    counted,
    duration,
    elapsed,
    moment,
    one_line,
    plain,
    short_digest,
    size,
    status,
    styled,
    table,
    value_line,
)

if TYPE_CHECKING:
    from engines.execution import Attempt, Execution, StepRun
    from staging.plan import Json
    from staging.workdir import StagedWorkdir
    from wfexs_like.crate.report_types import CrateReport, Validation
    from wfexs_like.results import ItemReport, Proof, StageReport, WorkdirReport

SHOWN_ITEMS = 40
SHOWN_STEPS = 40
SHOWN_ATTEMPTS = 20
SHOWN_ISSUES = 100


def items_view(items: Sequence[ItemReport], *, colour: bool = False, limit: int | None = None) -> str:
    """Items as a table, then each risk on a line of its own, then the sum. An engine and its files are one line."""
    items, files = _without_engine_files(items)
    shown = items[:limit]
    rows = [
        (
            item.role,
            _with_files(item, files),
            size(item.size),
            short_digest(item.sha256),
            item.trust,
            item.source,
            item.identifier,
        )
        for item in shown
    ]
    lines = [table(("ROLE", "NAME", "SIZE", "SHA256", "TRUST", "SOURCE", "IDENTIFIER"), rows, colour=colour)]
    if len(items) > len(shown):
        lines.append(f"and {len(items) - len(shown)} more")
    lines += [plain(f"licence of {item.name}: {_licences(item)}") for item in shown if item.licences]
    lines += [
        styled("risk", "yellow", colour=colour) + plain(f": {item.name}: {risk}")
        for item in shown
        for risk in item.risks
    ]
    known = [item.size for item in items if item.size is not None]
    at_least = "at least " if len(known) < len(items) else ""
    lines.append(f"{counted(len(items), 'item')}, {at_least}{size(sum(known))}")
    return "\n".join(lines)


def _licences(item: ItemReport) -> str:
    """An item's licences; an image's as the expression that it states, since AND is not OR."""
    if item.image is None:
        return ", ".join(item.licences)
    from staging.images.facts import licence_expression, licences_of

    parts, expression = licences_of(item.image), licence_expression(item.image)
    own = (expression,) if expression is not None and set(parts) <= set(item.licences) else ()
    return ", ".join((*(one for one in item.licences if not own or one not in parts), *own))


def _without_engine_files(items: Sequence[ItemReport]) -> tuple[tuple[ItemReport, ...], Mapping[str, int]]:
    """The items but for the files that an engine among them is made of, and how many each engine has of those."""
    engines = {item.name for item in items if item.role == "engine" and "/" not in item.name}
    files = dict.fromkeys(engines, 0)
    rest = []
    for item in items:
        engine = item.name.partition("/")[0]
        if item.role == "engine" and engine in engines and item.name != engine:
            files[engine] += 1
        else:
            rest.append(item)
    return tuple(rest), files


def _with_files(item: ItemReport, files: Mapping[str, int]) -> str:
    count = files.get(item.name, 0) if item.role == "engine" else 0
    return f"{item.name} ({counted(count, 'file')})" if count else item.name


def stage_words(report: StageReport) -> list[str]:
    """What is said after staging, a sentence a line."""
    items, _ = _without_engine_files(report.items)
    fetched = sum(item.source == "fetched" for item in items)
    first_use = sum(item.trust == "first-use" for item in items)
    total = sum(item.size or 0 for item in items)
    words = [f"staged {counted(len(items), 'item')} ({size(total)}), {fetched} of them fetched"]
    if first_use:
        words.append(f"trusted on first use: {counted(first_use, 'item')}, whose digests are in the lock now")
    words += [f"since the old lock: {change}" for change in report.changes]
    if report.path is not None:
        words.append(f"{report.nickname} is in {shown_path(report.path)}")
    if report.lock_path is not None:
        words.append(f"lock: {shown_path(report.lock_path)} {report.lock_digest or ''}".rstrip())
    return words


def encrypted_words(found: StagedWorkdir, name: str | None = None) -> list[str]:
    """Of an encrypted working directory: why the paths that are told are not there, and how they are reached."""
    if found.vault == "plain":
        return []
    return [f'encrypted: "wfexs-like shell {name or found.id}" opens it, and the paths are there as long as that lasts']


def run_view(execution: Execution, content: Path, *, colour: bool = False) -> str:
    """A run: how it ended, and where its outputs are."""
    took = duration(elapsed(execution.started, execution.ended))
    lines = [f"run {execution.run} {status(str(execution.status), colour=colour)} after {took}"]
    if execution.resumed is not None:
        reused = sum(step.cached for step in execution.steps)
        tasks = f"{reused} of {counted(len(execution.steps), 'task')}" if reused else "nothing"
        lines.append(f"  continued run {execution.resumed}: {tasks} taken from there")
    lines += attempts_lines(execution.attempts, execution.attempts_unlisted)
    lines += outputs_lines(execution.outputs, content)
    return "\n".join(lines)


UNSEEN = (
    "what can't be seen: traffic over Unix sockets to daemons, over shared file systems, "
    "and of file systems that the kernel has mounted"
)


def attempts_lines(attempts: Sequence[Attempt], unlisted: int = 0) -> list[str]:
    """What a run tried to reach, and did not; nothing when it tried nothing."""
    if not attempts:
        return []
    told = list(dict.fromkeys(_attempt_words(one) for one in attempts))
    more = len(told) - SHOWN_ATTEMPTS
    line = f"  tried to connect: {', '.join(told[:SHOWN_ATTEMPTS])}"
    if more > 0 or unlisted:
        line += f" and {max(0, more) + unlisted} more"
    return [plain(line)]


def _attempt_words(one: Attempt) -> str:
    if one.protocol == "dns":
        asked = f"{one.name} (DNS" + (f" at {one.address}" if one.address else "")
    else:
        address = f"[{one.address}]" if one.port is not None and ":" in (one.address or "") else one.address
        where = f"{address}:{one.port}" if one.port is not None else f"{address}"
        asked = where + (" (" if one.protocol == "tcp" else f" ({one.protocol}")
    who = f"step {one.step}" if one.step else one.program
    words = asked + (("" if asked.endswith("(") else ", ") + who if who else "")
    return words.removesuffix(" (") if words.endswith(" (") else f"{words})"


def proof_words(proof: Proof) -> list[str]:
    """What is said after a trial run, a sentence a line."""
    if proof.proven:
        words = [
            "proven: the workflow ran with nothing but what is staged, without a network; it tried to reach nobody"
        ]
    elif proof.verdict.value == "isolated":
        why = f" ({one_line(proof.unwatched_because)})" if proof.unwatched_because else ""
        words = ["isolated, not proven: the workflow ran with nothing but what is staged, and nothing could get out;"]
        words[0] += f" whether it tried could not be seen{why}"
    elif proof.outcome == "completed":
        words = ["not proven: the workflow ran without a network, but tried to reach somebody"]
    else:
        words = ["not proven: with nothing but what is staged the workflow " + (proof.error or proof.outcome)]
        words += [f"  | {line}" for line in proof.tail]
    words += attempts_lines(proof.attempts)
    return [*words, f"proof: {shown_path(proof.path)}", UNSEEN]


def unwatched_words(run: Execution) -> list[str]:
    """What could not be watched of a run that had no network, with the reason where it is known."""
    why = f": {one_line(run.unwatched_because)}" if run.unwatched_because else ""
    if run.network != "namespace":
        return []
    if not run.watched and why:
        return [f"what it tried to reach could not be watched{why}"]
    if run.containers_watched is False:
        return [f"what its containers tried to reach could not be watched{why}"]
    return []


def outputs_lines(outputs: Mapping[str, Json], content: Path) -> list[str]:
    """Each output's name and value."""
    return [one_line(f"  {name}: {value_line(placed(value, content))}") for name, value in outputs.items()]


def crate_view(report: CrateReport) -> str:
    """A crate: where it is, and what its validator said."""
    if report.validation is None:
        verdict = "not validated"
    else:
        found = report.validation
        verdict = f"{found.profile}: {_checks(found)}"
    lines = [f"{report.kind} crate: {shown_path(report.path)}", plain(verdict)]
    if report.sealing is not None:
        lines += [f"sealed for {one.fingerprint} {plain(one.label)}".rstrip() for one in report.sealing.recipients]
    if report.clear:
        lines.append("in clear, as --allow-clear says; the working directory is encrypted")
    if report.lacking:
        more = ",".join(report.lacking)
        lines.append(f"others who import it need --include {more} as well: that is of this machine alone")
    return "\n".join(lines)


def validation_view(validation: Validation, *, colour: bool = False) -> str:
    """Each check that failed with what it says, several times the same once, then the verdict."""
    lines = []
    folded: dict[tuple[str, str, str], list[str]] = {}
    for issue in validation.issues:
        if issue.check not in validation.known:
            about = folded.setdefault((issue.severity.lower(), issue.check, issue.message), [])
            about += [issue.entity] if issue.entity else []
    for (severity, check, message), entities in list(folded.items())[:SHOWN_ISSUES]:
        more = f" and {len(entities) - 1} more" if len(entities) > 1 else ""
        entity = f" ({entities[0]}{more})" if entities else ""
        style = "red" if severity == "required" else "yellow"
        lines.append(styled(severity, style, colour=colour) + plain(f": {check}: {message}{entity}"))
    if len(folded) > SHOWN_ISSUES:
        lines.append(f"and {len(folded) - SHOWN_ISSUES} more")
    lines += [f"not checked: {plain(one.identifier)}: {plain(one.skipped or '')}" for one in validation.skipped]
    verdict = status("completed" if validation.passed else "failed", colour=colour).replace("completed", "passed")
    lines.append(f"{plain(validation.profile)}: {verdict} ({_checks(validation)})")
    return "\n".join(lines)


def _checks(validation: Validation) -> str:
    """How many checks failed, and which of them no crate can pass that is made of such a workflow."""
    counts = ((validation.required, "required"), (validation.recommended, "recommended"))
    told = [f"{count} {word}" for count, word in (*counts, (validation.optional, "optional")) if count]
    if not told:
        return "no check failed"
    failed = validation.required + validation.recommended + validation.optional
    line = " and ".join([*([", ".join(told[:-1])] if told[1:] else []), told[-1]])
    line += " check failed" if failed == 1 else " checks failed"
    if validation.known:
        some = "all" if len(validation.known) == failed else str(len(validation.known))
        which = "which is" if failed == 1 else f"{some} of them"
        line += f", {which} known and unavoidable: {'; '.join(dict.fromkeys(validation.known.values()))}"
    return line


def list_view(reports: Sequence[WorkdirReport], *, colour: bool = False) -> str:
    """Working directories as a table."""
    if not reports:
        return "there are no working directories"
    rows = [
        (
            report.id,
            report.nickname,
            moment(report.created),
            report.engine or ("(encrypted, open)" if report.open else "(encrypted)"),
            "?" if report.closed else _runs_word(report.runs),
        )
        for report in reports
    ]
    return table(("ID", "NICKNAME", "CREATED (UTC)", "ENGINE", "RUNS"), rows, colour=colour)


def _open_word(report: WorkdirReport) -> str:
    return "open now" if report.open else "open while it is used"


def _runs_word(runs: Sequence[Execution]) -> str:
    words: dict[str, int] = {}
    for run in runs:
        words[str(run.status)] = words.get(str(run.status), 0) + 1
    return ", ".join(f"{number} {word}" for word, number in words.items()) or "-"


def show_view(report: WorkdirReport, *, colour: bool = False) -> str:
    """A working directory: what it is, its items, and its runs with steps and outputs."""
    lines = [
        styled(plain(report.nickname), "bold", colour=colour) + f"  {report.id}",
        f"  path:    {shown_path(report.path)}",
        f"  created: {moment(report.created)} UTC",
        *((f"  vault:   {plain(report.vault)}: encrypted, {_open_word(report)}",) if report.vault != "plain" else ()),
        f"  engine:  {plain(report.engine or '')}",
        *((f"  tools:   in containers ({plain(report.container)})",) if report.container not in (None, "none") else ()),
        f"  lock:    {report.lock_digest}",
        *((_imported_line(report.imported),) if report.imported else ()),
        "",
        items_view(report.items, colour=colour, limit=SHOWN_ITEMS),
        "",
    ]
    if not report.runs:
        lines.append(f'no runs yet: "wfexs-like run {report.id}"')
    for run in report.runs:
        lines += _run_block(run, report.content, colour=colour)
    return "\n".join(lines).rstrip()


def _imported_line(imported: Mapping[str, str]) -> str:
    name, identifier = (plain(imported.get(key, "")) for key in ("crate", "identifier"))
    return f"  from:    the crate {name}" + (f" ({identifier})" if identifier else "")


def _run_block(run: Execution, content: Path, *, colour: bool) -> list[str]:
    took = elapsed(run.started, run.ended)
    after = f" after {duration(took)}" if took is not None else ""
    network = "no network" if run.network == "namespace" else "network not isolated"
    if run.network == "namespace" and not run.watched:
        network += ", not watched"
    continued = f", continued run {run.resumed}" if run.resumed is not None else ""
    ground = "".join(f", {name} {version}" for name, version in run.platform.items())
    if run.runtime is not None:
        ground += f", {run.runtime.name} {run.runtime.version}"
    facts = plain(f"(started {moment(run.started)} UTC, {network}{ground}{continued})")
    lines = [f"run {run.run}  {status(str(run.status), colour=colour)}{after}  {facts}"]
    if run.error:
        lines.append(one_line(f"  {run.error}"))
    if run.overrides:
        given = ", ".join(f"{name}={value_line(placed(value, content))}" for name, value in run.overrides.items())
        lines.append(one_line(f"  with {given}"))
    lines += _step_lines(run.steps[:SHOWN_STEPS], colour=colour)
    if len(run.steps) > SHOWN_STEPS:
        lines.append(f"  and {len(run.steps) - SHOWN_STEPS} more steps")
    lines += attempts_lines(run.attempts, run.attempts_unlisted)
    lines += [f"  {one}" for one in unwatched_words(run)]
    return [*lines, *outputs_lines(run.outputs, content), ""]


def _step_lines(steps: Sequence[StepRun], *, colour: bool) -> list[str]:
    """Steps below each other, with how they ended and how long they took."""
    names = []
    for step in steps:
        attempt = f" (attempt {step.attempt})" if step.attempt > 1 else ""
        names.append(f"{'step' if step.id == step.name else 'task'} {one_line(step.name)}{attempt}")
    width = max(map(len, names), default=0)
    lines = []
    for name, step in zip(names, steps, strict=True):
        code = f" with exit code {step.exit_code}" if step.exit_code else ""
        spent = None if step.cached else elapsed(step.started, step.ended)
        lines.append(
            f"  {name:<{width}}  {status(str(step.status), colour=colour)}{code}"
            + (f"  {duration(spent)}" if spent is not None else "")
            + ("  from an earlier run" if step.cached else "")
        )
    return lines
