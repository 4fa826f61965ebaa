"""``import``: a working directory of a crate; its id is all that is printed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from staging.areas import VAULTS
from staging.errors import UsageError
from wfexs_like.cli.commands import VerbCommand
from wfexs_like.cli.context import App, shown_path
from wfexs_like.cli.forms import stage_form
from wfexs_like.cli.render import counted, size
from wfexs_like.cli.views import encrypted_words

if TYPE_CHECKING:
    from wfexs_like.importing.report import ImportReport


MOST_DIGITS = 9


@click.command("import", cls=VerbCommand)
@click.argument("crate", type=click.Path(path_type=Path), metavar="CRATE")
@click.option(
    "--run", metavar="RUN", help="With the parameters of this run of the crate: its number, or its @id or UUID."
)
@click.option("--nickname", metavar="NAME", help="A name for the working directory, for you to use.")
@click.option(
    "--level",
    type=click.Choice(("metadata", "full")),
    default="full",
    show_default=True,
    help="full: what the crate holds is taken from it, the rest is fetched. metadata: whatever has an address is "
    "fetched from there.",
)
@click.option("--strict", is_flag=True, help="Verify every file of the crate; refuse what nobody states a sha256 of.")
@click.option(
    "--locked", type=click.Path(path_type=Path), metavar="LOCK", help="The crate's lock, where it had to stay out."
)
@click.option(
    "--vault",
    type=click.Choice(VAULTS),
    help="Encrypted or plain; by default encrypted where the crate's own working directory was, or this installation "
    "has a key.",
)
@click.pass_obj
def command(
    app: App,
    crate: Path,
    *,
    run: str | None,
    nickname: str | None,
    level: Literal["metadata", "full"],
    strict: bool,
    locked: Path | None,
    vault: str | None,
) -> None:
    """CRATE is a folder or a zip. Whichever way the bytes of one that wfexs-like exported are had, they are its lock's.

    A crate of another program is staged by what it tells of its workflow and of a run, the last one by default; its
    files are held against the digests that it states. What had to be taken for granted is told, and --strict refuses
    it.
    """
    report = app.session.import_crate(
        crate, run=_run(run), nickname=nickname, level=level, strict=strict, locked=locked, vault=vault
    )
    app.close()
    for line in (*_words(report), *(encrypted_words(app.session.locate(report.staged.id)) if report.staged.id else ())):
        app.say(line)
    app.emit("import", _form(report), lambda: report.staged.id or shown_path(crate))


def _run(told: str | None) -> int | str | None:
    if told is None or not (told.isascii() and told.isdigit()):
        return told
    if len(told) > MOST_DIGITS or int(told) == 0:
        raise UsageError(f"{told[:20]!r} is no run: they are counted from 1", hint="wfexs-like import CRATE --run 1")
    return int(told)


def _form(report: ImportReport) -> dict[str, object]:
    """The object of ``stage``, and which crate it was."""
    return {
        **stage_form(report.staged),
        "crate": shown_path(report.crate),
        "level": report.level,
        "run": report.run,
        "overrides": dict(report.overrides),
    }


def _words(report: ImportReport) -> list[str]:
    """What is said after an import, a sentence a line."""
    staged = report.staged
    inside = sum(item.source == "crate" for item in staged.items)
    fetched = sum(item.source == "fetched" for item in staged.items)
    total = sum(item.size or 0 for item in staged.items)
    came = f"{inside} of them from the crate, {fetched} from elsewhere"
    words = [f"imported {counted(len(staged.items), 'item')} ({size(total)}), {came}"]
    if report.overrides:
        words.append(
            f"run {report.run} was made with other values for {', '.join(sorted(report.overrides))}: this working "
            "directory has them, so that its lock is another than the crate's"
        )
    if staged.path is not None and staged.lock_path is not None:
        words.append(f"{staged.nickname} is in {shown_path(staged.path)}")
        words.append(f"lock: {shown_path(staged.lock_path)} {staged.lock_digest or ''}".rstrip())
    return words
