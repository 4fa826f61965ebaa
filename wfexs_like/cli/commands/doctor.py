"""``doctor``: what this machine can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wfexs_like.cli.commands import VerbCommand
from wfexs_like.cli.context import App
from wfexs_like.cli.render import plain, status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wfexs_like.findings import Finding


@click.command("doctor", cls=VerbCommand)
@click.pass_obj
def command(app: App) -> int:
    """Everything is really tried. Exit code 1 when something essential doesn't work."""
    from wfexs_like.doctor import examine, is_fit

    findings = examine(app.settings)
    fit = is_fit(findings)
    app.emit(
        "doctor",
        {"ok": fit, "checks": [_form(one) for one in findings]},
        lambda: doctor_view(findings, fit=fit, colour=app.colour),
    )
    return 0 if fit else 1


def _form(one: Finding) -> dict[str, object]:
    return {
        "name": one.name,
        "found": one.found,
        "works": one.works,
        "essential": one.essential,
        "purpose": one.purpose,
        "version": one.version,
        "detail": one.detail,
        "fix": one.fix,
    }


def doctor_view(findings: Sequence[Finding], *, fit: bool, colour: bool) -> str:
    """A line for each thing, and under what doesn't work what it is for and how it is mended."""
    width = max(len(one.name) for one in findings)
    lines = []
    for one in findings:
        word = "ok" if one.works else "limited" if one.found else "missing"
        facts = ", ".join(fact for fact in (one.version, one.detail) if fact)
        lines.append(f"{status(word.ljust(7), colour=colour)}  {one.name.ljust(width)}  {plain(facts)}".rstrip())
        if one.fix is not None:
            lines.append(" " * (width + 11) + f"for {one.purpose}: {plain(one.fix)}")
    lines.append("")
    lines.append("everything essential works" if fit else "something essential does not work")
    return "\n".join(lines)
