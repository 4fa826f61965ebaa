"""``resolve``: what staging would fetch."""

from __future__ import annotations

from pathlib import Path

import click

from wfexs_like.cli.commands import VerbCommand
from wfexs_like.cli.context import App
from wfexs_like.cli.forms import stage_form
from wfexs_like.cli.options import stage_file_argument
from wfexs_like.cli.views import items_view


@click.command("resolve", cls=VerbCommand)
@stage_file_argument
@click.option("--locked", type=click.Path(path_type=Path), metavar="LOCK", help="Compare with this lock file.")
@click.pass_obj
def command(app: App, stage_file: Path, locked: Path | None) -> None:
    """The workflow itself is fetched into the cache, to learn what it needs; the inputs are not."""
    report = app.session.resolve(stage_file, locked=locked)
    app.emit("resolve", stage_form(report), lambda: items_view(report.items, colour=app.colour))
