"""Converting: an account into the text of another standard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from staging.errors import UsageError
from wfexs_like.reading.account import Account
from wfexs_like.reading.targets import find_run

Standard = Literal["prov", "bco"]
FORMATS: Final[dict[Standard, tuple[str, ...]]] = {"prov": ("turtle", "json"), "bco": ("json",)}
"""By standard, how it can be written: what is meant when nobody says comes first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """The text, in pieces that are made while they are read. ``warnings`` are what the text had to leave open."""

    format: str
    pieces: Iterator[str]
    warnings: tuple[str, ...] = ()


def convert(
    account: Account, standard: Standard, *, form: str | None = None, run: int | None = None, moment: datetime
) -> Converted:
    """Say what an account tells in the words of ``standard``; ``moment`` is now.

    PROV tells of all runs or of ``run``; a BioCompute Object of ``run``, or of the last one.

    Raises:
        UsageError: the standard isn't written in that form.
        NotFoundError: there is no such run.
    """
    form = form or FORMATS[standard][0]
    if form not in FORMATS[standard]:
        raise UsageError(
            f"{standard} isn't written as {form}", hint=f"there is {', '.join(FORMATS[standard])}", where="--format"
        )
    chosen = None if run is None else find_run("the crate", account.runs, run)
    if standard == "bco":
        from wfexs_like.converting.bco import bco_json, biocompute_object

        bco = biocompute_object(account, chosen or (account.runs[-1] if account.runs else None), moment)
        return Converted(format=form, pieces=bco_json(bco), warnings=bco.warnings)
    from wfexs_like.converting.telling import tell

    document = tell(account, None if chosen is None else (chosen,))
    warnings = () if account.runs else ("the crate tells of no run: the document says what there is, and of no doing",)
    if form == "turtle":
        from wfexs_like.converting.turtle import turtle

        return Converted(format=form, pieces=turtle(document), warnings=warnings)
    from wfexs_like.converting.prov_json import prov_json

    return Converted(format=form, pieces=prov_json(document), warnings=warnings)
