"""``stage``: a new working directory; its id is all that is printed."""

from __future__ import annotations

from pathlib import Path

import click

from wfexs_like.cli.commands import VerbCommand
from wfexs_like.cli.context import App, shown_path
from wfexs_like.cli.forms import stage_form
from wfexs_like.cli.options import lock_options, proof_option, recipient_option, stage_file_argument
from wfexs_like.cli.running import proof_exit_code
from wfexs_like.cli.running import prove as prove_offline
from wfexs_like.cli.views import encrypted_words, stage_words


@click.command("stage", cls=VerbCommand)
@stage_file_argument
@lock_options
@proof_option
@recipient_option
@click.option(
    "--from",
    "like",
    metavar="WORKDIR",
    help="Take from this encrypted working directory what it has, instead of fetching it again.",
)
@click.pass_obj
def command(
    app: App,
    stage_file: Path,
    locked: Path | None,
    *,
    update: bool,
    nickname: str | None,
    prove: bool,
    recipients: tuple[str, ...],
    like: str | None,
) -> int:
    """Standard output gets the id of the new working directory and nothing else."""
    report = app.session.stage(
        stage_file, locked=locked, update=update, nickname=nickname, recipients=recipients, like=like
    )
    app.close()
    for line in stage_words(report):
        app.say(line)
    assert report.id is not None
    for line in encrypted_words(app.session.locate(report.id)):
        app.say(line)
    proof = prove_offline(app, report.id, stage_file) if prove else None
    app.emit("stage", stage_form(report, proof), lambda: report.id or shown_path(report.path or stage_file))
    return proof_exit_code(proof)
