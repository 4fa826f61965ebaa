"""How a working directory's crates are sealed: what was asked for, what its stage file says, and what goes in clear."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from staging.areas import PLAIN
from staging.errors import NotFoundError, PolicyError, UsageError
from staging.workdir import StagedWorkdir
from wfexs_like.crate.exporters import FORMS, LEVELS, Form, Level, Sealing
from wfexs_like.keys import KeyFiles
from wfexs_like.settings import Settings

if TYPE_CHECKING:
    from wfexs_like.seal.recipients import Recipient

IN_CLEAR = (
    "This crate is in clear, and was made of an encrypted working directory: whoever exported it allowed that "
    "(--allow-clear)."
)
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class SealWish:
    """What was asked for. Without ``recipients`` it is for those of the stage file.

    ``own``: this installation's key opens it too. ``level`` is how much the readable metadata tell; ``None`` leaves it
    to the kind of working directory.
    """

    form: Form
    recipients: tuple[Recipient, ...] = ()
    own: bool = True
    level: Level | None = None


def read_wish(
    form: str | None, recipients: Sequence[str], level: str | None, *, own: bool, destination: Path | None = None
) -> SealWish | None:
    """The wish that options make; ``None`` when nothing is to be sealed. The keys are read now.

    Raises:
        UsageError: they contradict each other.
        NotFoundError: there is no such key file. KeyAccessError: nothing can be sealed for it.
    """
    if form is None:
        stated = [name for name, is_said in (("--recipient", recipients), ("--metadata", level)) if is_said]
        if stated or not own:
            name = stated[0] if stated else "--no-own-key"
            raise UsageError(f"{name} is for sealed crates", hint="add --seal files, or --seal archive")
        return None
    if form == "archive" and level is not None:
        raise UsageError(
            "--metadata is for --seal files: of an archive nothing can be read", hint="leave --metadata out"
        )
    if form == "archive" and destination is not None and destination.suffix.lower() == ".zip":
        raise UsageError(f"{destination} would be no zip: an archive is one sealed file", hint="end it in .c4gh")
    from wfexs_like.seal.recipients import read_recipient

    return SealWish(
        form=next(one for one in FORMS if one == form),
        recipients=tuple(read_recipient(one) for one in recipients),
        own=own,
        level=next((one for one in LEVELS if one == level), None),
    )


def sealing_of(found: StagedWorkdir, wish: SealWish, settings: Settings) -> Sealing:
    """For whom a crate of this working directory is sealed, and what it tells.

    Raises:
        UsageError: it would be for nobody. NotFoundError: what was staged is not told any more.
    """
    from wfexs_like.seal.recipients import distinct, read_recipient

    recipients = list(wish.recipients or staged_recipients(found))
    if wish.own:
        own = KeyFiles.below(settings.keys).public
        if own.is_file():
            recipients.append(read_recipient(own))
    if not recipients:
        raise UsageError(
            "there is nobody to seal the crate for",
            hint='name public keys with --recipient; "wfexs-like init" makes this installation\'s own',
        )
    level: Level | None = wish.level or ("full" if found.vault == PLAIN else "minimal")
    return Sealing(form=wish.form, recipients=distinct(recipients), level=None if wish.form == "archive" else level)


def check_clear(found: StagedWorkdir, *, sealed: bool, allowed: bool) -> str | None:
    """What a crate has to say when it shows in clear what was kept encrypted.

    Raises:
        PolicyError: that was not allowed.
    """
    if sealed or found.vault == PLAIN:
        return None
    if not allowed:
        raise PolicyError(
            f"the working directory {found.nickname} is encrypted, and its crate would be in clear",
            hint="--seal files --recipient KEY seals it; --allow-clear exports it as it is, and the crate says so",
            where=found.id,
        )
    return IN_CLEAR


def read_staged(stated: Sequence[str], base: Path) -> list[dict[str, str]]:
    """The recipients that a stage file names, as they are kept: public keys, or files relative to ``base``.

    Raises:
        NotFoundError: there is no such key file. KeyAccessError: nothing can be sealed for it.
    """
    if not stated:
        return []
    from wfexs_like.seal.recipients import read_recipient

    found = [read_recipient(one if one.lstrip().startswith(("ssh-", "-----")) else base / one) for one in stated]
    return [{"public_key": base64.b64encode(one.public_key).decode(), "label": one.label} for one in found]


def staged_recipients(found: StagedWorkdir) -> tuple[Recipient, ...]:
    """The recipients that its stage file named when it was staged.

    Raises:
        NotFoundError: they can't be read any more.
    """
    from wfexs_like.seal.recipients import Recipient

    try:
        stated = json.loads(found.about_path.read_bytes()).get("seal") or []
        kept = tuple(
            Recipient(public_key=base64.b64decode(one["public_key"], validate=True), label=str(one["label"]))
            for one in stated
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error) as error:
        raise NotFoundError(
            f"whom the crates of {found.nickname} are for can't be read any more",
            where=str(found.about_path),
            hint="name them with --recipient",
        ) from error
    if any(len(one.public_key) != _KEY_BYTES for one in kept):
        raise NotFoundError(f"a key that crates of {found.nickname} are for is damaged", where=str(found.about_path))
    return kept
