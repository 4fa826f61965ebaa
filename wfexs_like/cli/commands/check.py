"""``check``: every fault of a stage file, with its place; nothing is fetched."""

from __future__ import annotations

from pathlib import Path

import click

from wfexs_like.cli.commands import VerbCommand
from wfexs_like.cli.context import App
from wfexs_like.cli.options import stage_file_argument
from wfexs_like.cli.render import counted, plain

INVALID = 3


@click.command("check", cls=VerbCommand)
@stage_file_argument
@click.pass_obj
def command(app: App, stage_file: Path) -> int:
    """All faults at once, each with its line and column. Exit code 3 when there is one."""
    faults = app.session.check(stage_file)
    result = {"valid": not faults, "faults": [fault.as_json() for fault in faults]}
    lines = [plain(str(fault)) for fault in faults]
    verdict = f"{stage_file} has {counted(len(faults), 'fault')}" if faults else f"{stage_file} is valid"
    app.emit("check", result, lambda: "\n".join([*lines, plain(verdict)]))
    return INVALID if faults else 0
