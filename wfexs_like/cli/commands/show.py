"""``show``: one working directory, its items and its runs."""

from __future__ import annotations

import click

from wfexs_like.cli.commands import VerbCommand
from wfexs_like.cli.context import App
from wfexs_like.cli.forms import workdir_form
from wfexs_like.cli.options import workdir_argument
from wfexs_like.cli.views import show_view


@click.command("show", cls=VerbCommand)
@workdir_argument
@click.pass_obj
def command(app: App, workdir: str) -> None:
    """A run that was killed, whatever killed it, is shown as that."""
    report = app.session.show(workdir)
    app.emit("show", workdir_form(report), lambda: show_view(report, colour=app.colour))
