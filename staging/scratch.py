"""Where this process and its children put what lasts a moment: the system's place, unless it has to stay inside.

It is one thing for the whole process, as the standard library's ``tempfile`` has it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from staging.errors import PolicyError

_inside: list[Path] = []


def environment() -> dict[str, str]:
    """What a child's environment says of it."""
    return {"TMPDIR": str(_inside[-1])} if _inside else {}


@contextmanager
def kept_in(folder: Path) -> Iterator[None]:
    """While it lasts, temporary files are made in ``folder``, which is made where it is missing.

    Raises:
        PolicyError: it is a link, so they would be elsewhere.
    """
    import tempfile

    if folder.is_symlink():
        raise PolicyError(f"{folder} is a link: temporary files would be left elsewhere", where=str(folder))
    folder.mkdir(mode=0o700, exist_ok=True)
    _inside.append(folder)
    tempfile.tempdir = str(folder)
    try:
        yield
    finally:
        _inside.remove(folder)
        tempfile.tempdir = str(_inside[-1]) if _inside else None
