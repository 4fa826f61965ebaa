"""``unmount``: close an encrypted working directory that was left open."""

from __future__ import annotations

import click

from wfexs_like.cli.commands import VerbCommand
from wfexs_like.cli.context import App
from wfexs_like.cli.options import workdir_argument


@click.command("unmount", cls=VerbCommand)
@workdir_argument
@click.option("-f", "--force", is_flag=True, help="Close it under those who only have files of it open.")
@click.pass_obj
def command(app: App, workdir: str, *, force: bool) -> None:
    """Exit code 11, and who it is, when somebody uses it: it is closed when they end.

    Exit code 2 when WORKDIR is not encrypted.
    """
    found = app.session.locate(workdir)
    closed = app.session.unmount(found, force=force)
    app.emit(
        "unmount",
        {"id": found.id, "nickname": found.nickname, "closed": closed},
        lambda: f"{found.nickname} is closed" if closed else f"{found.nickname} was not open",
    )
