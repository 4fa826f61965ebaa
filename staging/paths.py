"""Paths: the one safe join, and names that may become files."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from staging.errors import PolicyError

MAX_NAME_BYTES = 255
MAX_PATH_BYTES = 4095
MAX_PARTS = 256
"""Names in one path. Thousands of them are nobody's, and making folders within folders has an end (recursion)."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def safe_relative(text: str) -> PurePosixPath:
    """The relative path that ``text`` names, if it can only mean something below the folder it is joined to.

    Raises:
        PolicyError: it is absolute, empty, climbs out, has a control character or a backslash, is not UTF-8, is
            too long for a file system, or has too many parts.
    """
    parts = text.split("/")
    if (
        not text
        or text.startswith("/")
        or _CONTROL.search(text)
        or "\\" in text
        or len(parts) > MAX_PARTS
        or any(part in ("", ".", "..") for part in parts)
        or _byte_length(text) > MAX_PATH_BYTES
        or any(_byte_length(part) > MAX_NAME_BYTES for part in parts)
    ):
        raise PolicyError(
            f"{text!r} is not a path that stays inside its folder",
            where=text,
            hint="use a short relative path without '..', empty parts, backslashes or control characters",
        )
    return PurePosixPath(text)


def safe_join(root: Path, text: str | PurePosixPath) -> Path:
    """``root`` / ``text``, refused when the result would lie outside ``root``, also by way of a symlink that exists.

    Raises:
        PolicyError: the path would leave ``root``.
    """
    joined = root / safe_relative(str(text))
    anchor = root.resolve()
    if not joined.resolve().is_relative_to(anchor):
        raise PolicyError(f"{str(text)!r} leads out of its folder through a link", where=str(text))
    return joined


def safe_name(text: str, *, default: str = "unnamed") -> str:
    """A base name for something that came from outside: the last part, decoded, or ``default`` when none is left.

    Of an over-long name its end is kept, with the suffix.
    """
    name = unquote(text).rstrip("/").rsplit("/", 1)[-1]
    name = _CONTROL.sub("_", name).replace("\\", "_").encode(errors="replace")[-MAX_NAME_BYTES:].decode(errors="ignore")
    return default if name in ("", ".", "..") else name


def _byte_length(text: str) -> int:
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return MAX_PATH_BYTES + 1
