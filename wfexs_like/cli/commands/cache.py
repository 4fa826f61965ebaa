"""``cache``: the content store, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wfexs_like.cli.commands import ActionCommand, VerbGroup
from wfexs_like.cli.context import App, shown_path
from wfexs_like.cli.render import counted, plain, short_digest, size, table

if TYPE_CHECKING:
    from staging.upkeep import Collected, StoreEntry

DAMAGED = 5


@click.group("cache", cls=VerbGroup, no_args_is_help=False)
def command() -> None:
    """Every object in it is named by its sha256. What a working directory uses is never collected."""


@command.command("list", cls=ActionCommand, example="wfexs-like cache list")
@click.pass_obj
def list_(app: App) -> None:
    """List what the store holds, where each came from, and who uses it."""
    entries = app.session.cache.list()
    app.emit(
        "cache-list",
        {"entries": [_entry_form(entry) for entry in entries], "size": sum(entry.size for entry in entries)},
        lambda: _entries_view(entries, colour=app.colour),
    )


@command.command("add", cls=ActionCommand, example="wfexs-like cache add https://example.org/reads.fq.gz")
@click.argument("identifier")
@click.option("--sha256", metavar="DIGEST", help="Refuse anything else.")
@click.pass_obj
def add(app: App, identifier: str, sha256: str | None) -> None:
    """Fetch what IDENTIFIER names into the store."""
    item = app.session.cache.add(identifier, sha256=sha256)
    app.emit(
        "cache-add",
        {
            "identifier": item.identifier,
            "pinned": item.pinned,
            "size": item.size,
            "sha256": item.sha256,
            "trust": item.trust,
            "source": item.source,
        },
        lambda: f"{item.sha256}  {plain(item.identifier)} ({size(item.size)})",
    )


@command.command("verify", cls=ActionCommand, example="wfexs-like cache verify")
@click.pass_obj
def verify(app: App) -> int:
    """Read every object again. Exit code 5 when one is damaged; it is put aside and fetched anew when needed."""
    problems = app.session.cache.verify()
    app.emit(
        "cache-verify",
        {
            "ok": not problems,
            "problems": [
                {"path": shown_path(one.path), "problem": one.problem, "sha256": one.sha256} for one in problems
            ],
        },
        lambda: "\n".join(
            [f"{shown_path(one.path)}: {one.problem}" for one in problems] or ["every object is what its name says"]
        ),
    )
    return DAMAGED if problems else 0


@command.command("remove", cls=ActionCommand, example="wfexs-like cache remove https://example.org/reads.fq.gz")
@click.argument("what", metavar="SHA256|IDENTIFIER")
@click.option("-f", "--force", is_flag=True, help="Also when a working directory uses it.")
@click.pass_obj
def remove(app: App, what: str, *, force: bool) -> None:
    """Remove one content."""
    collected = app.session.cache.remove(what, force=force)
    app.emit("cache-remove", _collected_form(collected), lambda: f"removed {_collected_words(collected)}")


@command.command("gc", cls=ActionCommand, example="wfexs-like cache gc --dry-run")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.pass_obj
def gc(app: App, *, dry_run: bool) -> None:
    """Remove everything that no working directory uses."""
    collected = app.session.cache.gc(dry_run=dry_run)
    did = "would remove" if dry_run else "removed"
    app.emit(
        "cache-gc",
        {**_collected_form(collected), "dry_run": dry_run},
        lambda: f"{did} {_collected_words(collected)}",
    )


def _entry_form(entry: StoreEntry) -> dict[str, object]:
    return {
        "sha256": entry.fingerprint.digest,
        "kind": entry.kind.value,
        "size": entry.size,
        "verified": entry.verified,
        "origins": [
            {
                "identifier": origin.identifier,
                "fetched": origin.fetched,
                "licences": list(origin.licences),
                "hops": list(origin.hops),
            }
            for origin in entry.origins
        ],
        "users": list(entry.users),
    }


def _entries_view(entries: tuple[StoreEntry, ...], *, colour: bool) -> str:
    if not entries:
        return "the store is empty"
    rows = [
        (
            short_digest(entry.fingerprint.digest),
            entry.kind.value,
            size(entry.size),
            str(len(entry.users)),
            entry.origins[0].identifier if entry.origins else "-",
        )
        for entry in entries
    ]
    total = f"{counted(len(entries), 'content')}, {size(sum(entry.size for entry in entries))}"
    return table(("SHA256", "KIND", "SIZE", "USERS", "FROM"), rows, colour=colour) + "\n" + total


def _collected_form(collected: Collected) -> dict[str, object]:
    return {"removed": list(collected.removed), "size": collected.size}


def _collected_words(collected: Collected) -> str:
    return f"{counted(len(collected.removed), 'object')} ({size(collected.size)})"
