"""A shell, or one command, in the content of a working directory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from staging.errors import PolicyError
from staging.process import in_foreground

HOME: Final = ".home"
"""In an encrypted one: the home of those who work in there."""
_FALLBACK: Final = "/bin/sh"


def run_in(
    content: Path,
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    scratch: Path | None,
    stdout: int | None = None,
) -> int:
    """Run ``command``, the user's shell when it is empty, in ``content``; its exit code, 128 + n for the signal n.

    With ``scratch`` nothing is to be left outside of ``content``: temporary files go there, and what programs keep in
    their user's home (histories, caches) into a home below ``content``.

    Raises:
        MissingToolError: there is no such program.
        PolicyError: something in that home leads out of it.
    """
    variables = dict(environment)
    if scratch is not None:
        variables |= _inside(content, scratch)
    argv = tuple(command) or (environment.get("SHELL") or _FALLBACK,)
    code = in_foreground(argv, env=variables, cwd=content, stdout=stdout)
    return 128 - code if code < 0 else code


def _inside(content: Path, scratch: Path) -> dict[str, str]:
    home = content / HOME
    _refuse_link(home)
    home.mkdir(mode=0o700, exist_ok=True)
    folders = {
        "XDG_CONFIG_HOME": home / ".config",
        "XDG_CACHE_HOME": home / ".cache",
        "XDG_DATA_HOME": home / ".local" / "share",
        "XDG_STATE_HOME": home / ".local" / "state",
        "XDG_RUNTIME_DIR": scratch,
        "TMPDIR": scratch,
        "TMP": scratch,
        "TEMP": scratch,
        "HOME": home,
        "HISTFILE": home / ".history",
        "LESSHISTFILE": home / ".lesshst",
        "PYTHON_HISTORY": home / ".python_history",
        "NXF_HOME": home / ".nextflow",
    }
    for path in folders.values():
        for one in (path, path.parent):
            if one.is_relative_to(home):
                _refuse_link(one)
    return {name: str(folder) for name, folder in folders.items()} | {"PWD": str(content)}


def _refuse_link(path: Path) -> None:
    if path.is_symlink():
        raise PolicyError(
            f"{path.name} in the encrypted area is a link to {path.readlink()}: programs would write there, in clear",
            hint="see who put it there, and remove it",
            where=str(path),
        )
