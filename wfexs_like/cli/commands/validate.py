"""``validate``: any crate against its profiles."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from staging.errors import UsageError
from staging.placing import write_atomically
from wfexs_like import __version__
from wfexs_like.cli.commands import VerbCommand
from wfexs_like.cli.context import App, must_be_writable
from wfexs_like.cli.forms import validations_form
from wfexs_like.cli.views import validation_view

if TYPE_CHECKING:
    from wfexs_like.crate.validation import Level

INVALID = 9


@click.command("validate", cls=VerbCommand)
@click.argument("crate", type=click.Path(path_type=Path), metavar="CRATE", required=False)
@click.option(
    "--profile",
    "profiles",
    multiple=True,
    metavar="NAME",
    help='A profile to check against, by its name or address, or "declared" for all that the crate names; repeatable. '
    "When nothing is said: the most specific one that the crate names.",
)
@click.option(
    "--level",
    type=click.Choice(("required", "recommended", "optional")),
    help="Everything down to this has to be met. When nothing is said: what is required has to be, and what is "
    "recommended is told.",
)
@click.option("--list-profiles", is_flag=True, help="Name the profiles that there are.")
@click.option(
    "--junit", type=click.Path(path_type=Path), metavar="FILE", help="Write it as JUnit's XML, too, over an older one."
)
@click.option(
    "--sarif", type=click.Path(path_type=Path), metavar="FILE", help="Write it as SARIF 2.1.0, too, over an older one."
)
@click.pass_obj
def command(
    app: App,
    *,
    crate: Path | None,
    profiles: tuple[str, ...],
    level: str | None,
    list_profiles: bool,
    junit: Path | None,
    sarif: Path | None,
) -> int:
    """CRATE is a folder or a zip file, or a bag with one in it. Nothing is fetched, and nothing in it is followed.

    Exit code 9 when a check fails that has to be met: a required one, or one of the level that --level says.
    """
    if list_profiles:
        return _list(app)
    if crate is None:
        raise UsageError("which crate?", hint="wfexs-like validate CRATE, or validate --list-profiles")
    for path in (junit, sarif):
        if path is not None:
            must_be_writable(path, what="report", force=True)
    verdicts = app.session.judge(crate, profiles=profiles, level=cast("Level | None", level))
    if junit is not None:
        from wfexs_like.crate.junit import junit as as_junit

        write_atomically(junit, as_junit(crate.name, verdicts))
    if sarif is not None:
        from wfexs_like.crate.sarif import sarif as as_sarif

        write_atomically(sarif, as_sarif(crate, verdicts, version=__version__))
    app.emit(
        "validate",
        validations_form(verdicts),
        lambda: "\n".join(validation_view(one, colour=app.colour) for one in verdicts),
    )
    return 0 if all(one.passed for one in verdicts) else INVALID


def _list(app: App) -> int:
    from wfexs_like.crate.judges import PROFILES

    told = [{"profile": one.name, "title": one.title, "addresses": list(one.addresses)} for one in PROFILES]
    width = max(len(one.name) for one in PROFILES)
    app.emit(
        "validate-profiles",
        {"profiles": told},
        lambda: "\n".join(f"{one.name:<{width}}  {one.title}" for one in PROFILES),
    )
    return 0
