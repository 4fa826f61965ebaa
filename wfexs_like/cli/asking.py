"""Asking for passphrases at the terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from staging.errors import UsageError

if TYPE_CHECKING:
    from wfexs_like.cli.context import App


def asker(app: App) -> Callable[[str], str] | None:
    """How to ask for the passphrase of a key, with a prompt; ``None`` when nobody is there to answer."""
    if not app.may_ask:
        return None

    def ask(prompt: str) -> str:
        from getpass import getpass

        app.close()
        return getpass(prompt)

    return ask


def asker_for_new(app: App) -> Callable[[], str] | None:
    """How to ask for a new passphrase, ``None`` when nobody is there to answer."""
    if not app.may_ask:
        return None

    def ask() -> str:
        from getpass import getpass

        first = getpass("Passphrase for the new private keys: ")
        if first and getpass("The same once more: ") != first:
            raise UsageError("the two passphrases differ", hint="try again")
        return first

    return ask
