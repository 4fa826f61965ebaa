"""``run``: execute a staged workflow once."""

from __future__ import annotations

import click

from wfexs_like.cli.commands import VerbCommand
from wfexs_like.cli.context import App
from wfexs_like.cli.forms import run_form
from wfexs_like.cli.options import param_option, split_params, workdir_argument
from wfexs_like.cli.running import exit_code, perform, tell_failure
from wfexs_like.cli.views import run_view


@click.command("run", cls=VerbCommand)
@workdir_argument
@param_option
@click.pass_obj
def command(app: App, workdir: str, params: tuple[str, ...]) -> int:
    """Each run has a number, outputs and logs of its own. Exit code 8 when the workflow failed.

    The VALUE of --param is read as the type of the workflow's input: 5 is a number for an int, a text for a string.
    """
    overrides = split_params(params)
    found = app.session.locate(workdir)
    execution = perform(app, found.id, overrides)
    tell_failure(app, found.id, execution)
    app.emit(
        "run",
        run_form(execution, workdir_id=found.id, content=found.content),
        lambda: run_view(execution, found.content, colour=app.colour),
    )
    return exit_code(execution)
