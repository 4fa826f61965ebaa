"""``report``: what ran, when, by whom and on what, as any maker's crate or a working directory tells it."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from staging.errors import UsageError
from wfexs_like.cli.commands import VerbCommand
from wfexs_like.cli.context import App, must_be_writable, shown_path

if TYPE_CHECKING:
    from wfexs_like.cli.account_view import Look
    from wfexs_like.reading.account import Account

SHOWN = 30


@click.command("report", cls=VerbCommand)
@click.argument("target", metavar="CRATE|WORKDIR[:RUN]")
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Write a page that needs nothing else.")
@click.option("--force", is_flag=True, help="Write FILE also where there is one already.")
@click.option("--allow-clear", is_flag=True, help="Write FILE also of an encrypted working directory.")
@click.option("--steps", default=str(SHOWN), metavar="N|all", show_default=True, help="So many entries of each list.")
@click.pass_obj
def command(app: App, *, target: str, html: Path | None, force: bool, allow_clear: bool, steps: str) -> None:
    """Of a crate, which is a folder or a zip file, anybody's, or of a working directory.

    Nothing is fetched, and no file of a crate is opened but its metadata.

    Only what is told is shown, and what a reader would look for and isn't told is named: "wfexs-like verify" is what
    checks files. Of a working directory its runs are told as a crate of it would tell them.

    Of a sealed crate the readable metadata are told. Exit code 14 when FILE would tell in clear of an encrypted working
    directory.
    """
    from wfexs_like.cli.account_view import Look

    most = _most(steps)
    if html is not None:
        must_be_writable(html, what="page", force=force)
    with _without_collecting():
        account = app.session.account(target, secret=html is None or allow_clear)
        _tell(app, account, html, Look(most=most, width=_width(app), colour=app.colour, bar=_mark(app)))


def _tell(app: App, account: Account, html: Path | None, look: Look) -> None:
    from wfexs_like.cli.account_form import account_form
    from wfexs_like.cli.account_view import account_view

    if html is not None:
        from staging.placing import write_atomically
        from wfexs_like.reporting.page import render_page

        write_atomically(html, render_page(account).encode(errors="backslashreplace"))
        app.say(f"wrote {shown_path(html)}")
    form = account_form(account) if app.options.json else {}
    app.emit("report", form, lambda: account_view(account, look))


@contextmanager
def _without_collecting() -> Iterator[None]:
    """An account is made of very many small objects, of which none goes away before the end: none is looked for."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _most(steps: str) -> int | None:
    if steps == "all":
        return None
    if not steps.isdecimal() or not steps.isascii() or len(steps) > 9:  # noqa: PLR2004 - nobody reads more
        raise UsageError(f'--steps takes a number or "all", not {steps!r}')
    return int(steps)


def _width(app: App) -> int:
    told = app.environment.get("COLUMNS", "")
    if told.isdecimal() and told.isascii() and len(told) < 5:  # noqa: PLR2004 - no screen is wider
        return max(40, int(told))
    return shutil.get_terminal_size((100, 24)).columns


def _mark(app: App) -> str:
    """What bars are made of, where those who read it can have it."""
    try:
        "█".encode(getattr(app.stdout, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return "#"
    return "█"
