"""``mount``: open an encrypted working directory and leave it open."""

from __future__ import annotations

import click

from wfexs_like.cli.commands import VerbCommand
from wfexs_like.cli.context import App, shown_path
from wfexs_like.cli.options import workdir_argument


@click.command("mount", cls=VerbCommand)
@workdir_argument
@click.pass_obj
def command(app: App, workdir: str) -> None:
    """Prints the folder where the content can be read, until "wfexs-like unmount WORKDIR".

    It stays open to every program of yours for that long; "wfexs-like shell WORKDIR" closes it by itself.

    Exit code 2 when WORKDIR is not encrypted.
    """
    found = app.session.locate(workdir)
    opened = app.session.mount(found)
    already, name = "" if opened else " already", app.session.name_of(found)
    app.say(f'{found.nickname} is open{already}; "wfexs-like unmount {name}" closes it')
    app.emit(
        "mount",
        {"id": found.id, "nickname": found.nickname, "content": shown_path(found.content), "already": not opened},
        lambda: shown_path(found.content),
    )
