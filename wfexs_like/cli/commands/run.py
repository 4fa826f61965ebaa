"""``run``: execute a staged workflow once."""

from __future__ import annotations

from typing import Literal

import click

from wfexs_like.cli.commands import VerbCommand
from wfexs_like.cli.context import App
from wfexs_like.cli.forms import run_form
from wfexs_like.cli.options import (
    allow_option,
    offline_option,
    param_option,
    resume_option,
    split_params,
    workdir_argument,
)
from wfexs_like.cli.running import exit_code, perform, tell_failure, tell_network
from wfexs_like.cli.views import encrypted_words, run_view


@click.command("run", cls=VerbCommand)
@workdir_argument
@param_option
@resume_option
@offline_option
@allow_option
@click.pass_obj
def command(
    app: App,
    workdir: str,
    params: tuple[str, ...],
    resume: int | Literal["last"] | None,
    *,
    require_offline: bool,
    allowed: tuple[str, ...],
) -> int:
    """Each run has a number, outputs and logs of its own. Exit code 8 when the workflow failed.

    The VALUE of --param is read as the type of the workflow's input: 5 is a number for an int, a text for a string.

    A run that failed is continued with "wfexs-like run last --resume last": another run, which takes from the failed
    one what that had done. Exit code 10 when there is no such run, 2 when it can't be continued.

    An encrypted working directory is not run (exit code 14) where something of it would be found in clear elsewhere;
    --allow REASON runs it nevertheless, and the run's record says so.
    """
    overrides = split_params(params)
    found = app.session.locate(workdir)
    execution = perform(app, found, overrides, resume, require_offline=require_offline, allowed=allowed)
    tell_network(app, execution)
    tell_failure(app, found, execution)
    app.emit(
        "run",
        run_form(execution, workdir_id=found.id, content=found.content),
        lambda: run_view(execution, found.content, colour=app.colour),
    )
    for line in encrypted_words(found, app.session.name_of(found)) if execution.outputs else ():
        app.say(line)
    return exit_code(execution)
