"""``list``: the working directories."""

from __future__ import annotations

import click

from wfexs_like.cli.commands import VerbCommand
from wfexs_like.cli.context import App
from wfexs_like.cli.forms import workdir_line
from wfexs_like.cli.views import list_view


@click.command("list", cls=VerbCommand)
@click.pass_obj
def command(app: App) -> None:
    """Oldest first."""
    reports = app.session.workdirs()
    app.emit(
        "list",
        {"workdirs": [workdir_line(report) for report in reports]},
        lambda: list_view(reports, colour=app.colour),
    )
