"""``engines``: who runs the workflows, in which versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wfexs_like.cli.commands import ActionCommand, VerbGroup
from wfexs_like.cli.context import App
from wfexs_like.cli.render import plain, size, table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from engines.base import InstalledEngine
    from wfexs_like.results import EngineReport


@click.group("engines", cls=VerbGroup, no_args_is_help=False)
def command() -> None:
    """Staging sets up what it needs by itself.

    A machine that goes offline before that is got ready with "engines add".
    """


@command.command("list", cls=ActionCommand, example="wfexs-like engines list")
@click.pass_obj
def list_(app: App) -> None:
    """List the versions that are known or set up.

    KNOWN: the digests of its files ship with us. CACHED: it is set up here. VERIFIED: its files were looked at just
    now, and are the ones that were set up. A version that is not listed can be used as well: it is trusted on first
    use.
    """
    reports = app.session.engines()
    app.emit(
        "engines-list",
        {"engines": [_form(one) for one in reports]},
        lambda: engines_view(reports, colour=app.colour),
    )


@command.command("add", cls=ActionCommand, example="wfexs-like engines add nextflow@24.10.0")
@click.argument("engine", metavar="NAME[@VERSION]")
@click.pass_obj
def add(app: App, engine: str) -> None:
    """Fetch an engine and set it up, for a time without a network.

    Without a version the default one. Exit code 7 when that can't be done, 5 when it is not what is known of it.
    """
    added = app.session.engine_add(engine)
    app.emit("engines-add", _added_form(added), lambda: _added_view(added))


def _form(report: EngineReport) -> dict[str, object]:
    one = report.version
    return {
        "engine": report.engine,
        "version": one.version,
        "default": one.default,
        "known": one.known,
        "cached": one.cached,
        "verified": one.verified,
        "source": one.source,
        "size": one.size,
        "sha256": _digest(one.fingerprint),
        "platform": dict(one.platform),
        "lacks": one.lacks,
    }


def engines_view(reports: Sequence[EngineReport], *, colour: bool = False) -> str:
    """A line a version, and what to do about those that are damaged."""
    rows = [
        (
            report.engine,
            report.version.version,
            _word(report.version.default),
            _word(report.version.known),
            _word(report.version.cached),
            _word(report.version.verified),
            report.version.source or "-",
            size(report.version.size) if report.version.size is not None else "-",
            f"lacks {report.version.lacks}" if report.version.lacks else _ground(report.version.platform),
        )
        for report in reports
    ]
    header = ("ENGINE", "VERSION", "DEFAULT", "KNOWN", "CACHED", "VERIFIED", "SOURCE", "SIZE", "RUNS ON")
    damaged = [f"{one.engine}@{one.version.version}" for one in reports if one.version.verified is False]
    return "\n".join(
        [
            table(header, rows, colour=colour),
            *(plain(f'{one} is damaged: "wfexs-like engines add {one}" mends it, or says how') for one in damaged),
        ]
    )


def _added_form(added: InstalledEngine) -> dict[str, object]:
    return {
        "engine": added.name,
        "version": added.version,
        "identifier": added.identifier,
        "known": added.expected,
        "source": added.source,
        "size": added.size,
        "sha256": _digest(added.fingerprint),
        "platform": dict(added.platform),
    }


def _added_view(added: InstalledEngine) -> str:
    how = "fetched" if added.source == "fetched" else "it was there already"
    ground = f", on {_ground(added.platform)}" if added.platform else ""
    return plain(f"{added.name}@{added.version} is ready ({size(added.size)}, {how}){ground}")


def _ground(platform: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in platform.items()) or "-"


def _word(said: bool | None) -> str:
    return "-" if said is None else "yes" if said else "no"


def _digest(fingerprint: str | None) -> str | None:
    return None if fingerprint is None else fingerprint.removeprefix("sha256:")
