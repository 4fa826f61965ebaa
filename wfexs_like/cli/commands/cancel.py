"""``cancel``: stop runs."""

from __future__ import annotations

import click

from wfexs_like.cli.commands import VerbCommand
from wfexs_like.cli.context import App
from wfexs_like.cli.options import workdir_argument


@click.command("cancel", cls=VerbCommand)
@workdir_argument
@click.argument("run", type=click.IntRange(min=1), required=False)
@click.pass_obj
def command(app: App, workdir: str, run: int | None) -> None:
    """All running runs of WORKDIR, or the one numbered RUN. Their records say "killed"."""
    stopped = app.session.cancel(workdir, run)
    numbers = ", ".join(str(number) for number in stopped)
    words = f"stopped run {numbers}" if stopped else "nothing is running"
    app.emit("cancel", {"cancelled": list(stopped)}, lambda: words)
