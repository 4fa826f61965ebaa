"""Masking: the values of secrets, taken out of whatever stays of a run.

Configuration and scripts may put a secret anywhere: into parameters, the environment of tasks, what they print.
"""

from __future__ import annotations

import html
import json
import os
import re
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from engines.nextflow.secrets import hidden

_SHORT = 4
"""Shorter values are only replaced as whole words: they are part of too much else."""
_LINE = 8
"""So long is a line of a value at least to be taken for a part of it."""
# Fields of events and of files whose values are the record's own words, or places where something lies.
_KEPT_WORDS = """event time status started ended uuid id after network processes child step tool class path
transient location basename nameroot nameext size sha256 checksum logs moved gone host plan_digest engine owner
schema"""
_FRAME_WORDS = """name inputs outputs resources trace environment script tag error error_kind tail exit_code argv
command container attempt cached final_parameters signal parameters overrides"""
_KEPT = frozenset(_KEPT_WORDS.split())
_FRAME = _KEPT | frozenset(_FRAME_WORDS.split())


class Mask:
    """Puts ``<secret NAME>`` for values. ``secrets`` are values by name; without any nothing is changed."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        names: dict[str, str] = {}
        for name, value in secrets.items():
            for form in _forms(value):
                names.setdefault(form, name)
        self._names = names
        # The longest first, since one may be the beginning of another.
        patterns = [_pattern(one) for one in sorted(names, key=len, reverse=True)]
        self._values = re.compile("|".join(patterns)) if patterns else None

    def text(self, text: str) -> str:
        """A text without them."""
        if self._values is None:
            return text
        return self._values.sub(lambda found: hidden(self._names[found.group()]), text)

    def tree(self, value: Any, *, numbers: bool = False) -> Any:
        """A JSON tree without them, but for what the record is held together by (``_FRAME``).

        ``numbers``: a number that is a secret is replaced too; a configuration makes numbers of texts that look so.
        """
        if self._values is None:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {
                key if key in _FRAME else self.text(str(key)): one if key in _KEPT else self.tree(one, numbers=numbers)
                for key, one in value.items()
            }
        if isinstance(value, list | tuple):
            return [self.tree(one, numbers=numbers) for one in value]
        if numbers and isinstance(value, int | float) and not isinstance(value, bool) and str(value) in self._names:
            return hidden(self._names[str(value)])
        return value

    def folder(self, folder: Path) -> None:
        """Every file in a folder without them; each is replaced whole.

        Raises:
            OSError: one can't be written.
        """
        if self._values is None:
            return
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                self._file(path)

    def _file(self, path: Path) -> None:
        # Each byte is a character, so that what is no text stays as it is.
        old = path.read_bytes().decode("utf-8", "surrogateescape")
        new = self.text(old)
        if new == old:
            return
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".masked-")
        try:
            with open(descriptor, "wb") as stream:  # noqa: PTH123 - a descriptor
                stream.write(new.encode("utf-8", "surrogateescape"))
            Path(name).chmod(stat.S_IMODE(path.stat().st_mode))
            os.replace(name, path)  # noqa: PTH105 - names
        except BaseException:
            with suppress(OSError):
                os.unlink(name)  # noqa: PTH108 - a name
            raise


def _forms(value: str) -> Iterator[str]:
    """A value as it may be written: as it is, and as JSON, HTML, addresses and shells have it; its lines."""
    if not value.strip():
        return
    lines = value.splitlines()
    long_lines = [one.strip() for one in lines if len(one.strip()) >= _LINE] if len(lines) > 1 else []
    for one in dict.fromkeys((value, value.strip(), *long_lines)):
        yield one
        yield json.dumps(one)[1:-1]
        yield json.dumps(one, ensure_ascii=False)[1:-1]
        yield html.escape(one)
        yield html.escape(one, quote=False)
        yield quote(one)
        yield quote(one, safe="")
        yield one.replace("'", "'\\''")
        yield re.sub(r'([\\"$`])', r"\\\1", one)


def _pattern(value: str) -> str:
    whole = re.escape(value)
    return whole if len(value) >= _SHORT else rf"(?<!\w){whole}(?!\w)"
