"""``rm``: remove a working directory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from staging.areas import PLAIN
from staging.errors import UsageError
from wfexs_like.cli.commands import VerbCommand
from wfexs_like.cli.context import App, shown_path
from wfexs_like.cli.options import workdir_argument
from wfexs_like.cli.render import counted, plain

if TYPE_CHECKING:
    from staging.workdir import StagedWorkdir


@click.command("rm", cls=VerbCommand)
@workdir_argument
@click.option("-y", "--yes", is_flag=True, help="Don't ask.")
@click.option("-f", "--force", is_flag=True, help="Don't ask, and stop its runs first.")
@click.pass_obj
def command(app: App, workdir: str, *, yes: bool, force: bool) -> int:
    """Asks first when a person is there to answer. Crates that were exported elsewhere stay."""
    found = app.session.locate(workdir)
    path = Path(workdir)
    if workdir != found.nickname and path.is_dir() and found.root.resolve() in path.resolve().parents:
        # Who names a part of it hardly means to remove it all.
        raise UsageError(
            f"{workdir} is a part of {found.nickname}",
            hint=f'"wfexs-like rm {app.session.name_of(found)}" removes it all',
        )
    if app.may_ask and not (yes or force) and not _agreed(app, found):
        app.say("nothing was removed")
        return 1
    removed = app.session.remove(found, force=force)
    app.emit(
        "rm",
        {"id": found.id, "nickname": found.nickname, "path": shown_path(removed)},
        lambda: f"removed {found.nickname} ({found.id})",
    )
    return 0


def _agreed(app: App, found: StagedWorkdir) -> bool:
    if found.vault == PLAIN:
        what = f"with {counted(len(app.session.show(found).runs), 'run')}"
    else:
        # To remove it nobody need be able to open it, nor be asked for a passphrase.
        what = "with all its runs; it is encrypted, and nobody can open it again"
    question = f"Remove {found.nickname} ({found.id}) {what}? [y/N] "
    app.stderr.write(plain(question))
    app.stderr.flush()
    answer = app.stdin.readline()
    if not answer:
        raise UsageError("there was no answer", hint="--yes removes without asking")
    return answer.strip().lower() in ("y", "yes")
