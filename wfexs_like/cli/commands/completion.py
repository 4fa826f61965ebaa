"""``completion``: the script that teaches a shell our words."""

from __future__ import annotations

import click

from wfexs_like.cli.commands import VerbCommand, program
from wfexs_like.cli.context import App
from wfexs_like.cli.main import COMPLETE_VARIABLE
from wfexs_like.cli.table import PROGRAM


@click.command("completion", cls=VerbCommand)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_obj
def command(app: App, shell: str) -> None:
    """SHELL is bash, zsh or fish. Verbs, options and working directories are completed."""
    script = completion_script(shell)
    app.emit("completion", {"shell": shell, "script": script}, lambda: script)


def completion_script(shell: str) -> str:
    """The script for one shell. No shell is started to make it, which click would do for bash."""
    from click.shell_completion import ShellComplete, get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    return ShellComplete.source(kind(program, {}, PROGRAM, COMPLETE_VARIABLE))
