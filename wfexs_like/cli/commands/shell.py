"""``shell``: a shell, or one command, in the content of a working directory."""

from __future__ import annotations

import sys
from typing import IO

import click

from wfexs_like.cli.commands import VerbCommand
from wfexs_like.cli.context import App
from wfexs_like.cli.options import workdir_argument


@click.command("shell", cls=VerbCommand)
@workdir_argument
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[-- CMD...]")
@click.pass_obj
def command(app: App, workdir: str, words: tuple[str, ...]) -> int:
    """Runs CMD, or your shell, in the folder of WORKDIR's content, and ends with its exit code.

    The paths of outputs that other verbs print can be used in there.

    An encrypted WORKDIR is open while it lasts and closed when it ends. HOME, TMPDIR and the like lead into it, so that
    neither histories nor temporary files are left in clear.

    With --json CMD writes to standard error.
    """
    from staging.areas import PLAIN
    from staging.workdir import SCRATCH
    from wfexs_like.shell import run_in

    with app.session.opened(workdir) as found, found.use():
        app.close()
        code = run_in(
            found.content,
            words,
            app.environment,
            scratch=None if found.vault == PLAIN else found.content / SCRATCH,
            stdout=_descriptor(sys.stderr if app.options.json else app.stdout),
        )
    if app.options.json:
        app.emit("shell", {"id": found.id, "nickname": found.nickname, "exit_code": code}, str)
    return code


def _descriptor(stream: IO[str]) -> int | None:
    try:
        return stream.fileno()
    except (OSError, ValueError):  # a program that calls us has its own
        return None
