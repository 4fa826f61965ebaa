"""``man``: the manual page."""

from __future__ import annotations

import click

from wfexs_like.cli.commands import VerbCommand
from wfexs_like.cli.context import App
from wfexs_like.cli.manual import manual_page


@click.command("man", cls=VerbCommand)
@click.pass_obj
def command(app: App) -> None:
    """In roff, made from the same table and options as --help."""
    page = manual_page()
    app.emit("man", {"page": page}, lambda: page)
