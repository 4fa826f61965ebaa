"""Discretion: what a crate may say of this machine, which is nothing.

Texts that engines write (errors, command lines, logs) name local paths, the host and the user. In a crate a path below
the working directory becomes relative to it, any other absolute path is cut down to its last part (``…/samtools``), and
the host's and the home folder's names are taken out.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import quote, urlsplit

_SHOWN_SCHEMES = frozenset(
    {"http", "https", "ftp", "ftps", "github", "doi", "trs", "drs", "swh", "urn", "pkg", "s3", "gs"}
)
_GIT_SCHEMES = frozenset({"git+http", "git+https", "git+ssh"})
# A URL of the net is taken whole and kept; an absolute path of two parts or more is cut down. The look-behind keeps
# "runs/1/outputs" (a word before the slash), "./a/b", "</b>" and the like as they are; "-I/usr/include" is a path.
_PATHS = re.compile(
    r"""(?P<url>\b(?!file:)[A-Za-z][A-Za-z0-9+.-]+://[^\s'"<>]+)
      | (?:file://(?:localhost)?)?
        (?:(?<![\w./~%<…-])|(?<=\s-[A-Za-z])|(?<=file://)|(?<=file://localhost))
        (?P<path>/(?:[^\s/'"`<>|:;,()\[\]{}\\]+/)+(?P<last>[^\s/'"`<>|:;,()\[\]{}\\]*))
    """,
    re.VERBOSE,
)


def public_identifier(text: str) -> str | None:
    """The identifier when anybody may be told it: not a local path, not content in itself, no user's name in it."""
    scheme = text.partition(":")[0].lower()
    if scheme in _SHOWN_SCHEMES:
        return None if "@" in urlsplit(text).netloc else text
    if scheme in _GIT_SCHEMES:
        user, at, _ = urlsplit(text).netloc.rpartition("@")
        return text if not at or user == "git" else None
    return None


def web_address(identifier: str | None) -> str | None:
    """Where a person's browser finds what a public identifier names, if it can."""
    if identifier is None:
        return None
    scheme, _, rest = identifier.partition(":")
    if scheme in ("http", "https"):
        return identifier
    if scheme in ("git+http", "git+https"):
        return f"{scheme.removeprefix('git+')}:{rest.partition('#')[0].rpartition('@')[0] or rest.partition('#')[0]}"
    if scheme == "github":
        return "https://github.com/" + rest.lstrip("/").partition("#")[0].partition("@")[0]
    if scheme == "doi":
        return f"https://doi.org/{rest.lstrip('/')}"
    return None


class Discretion:
    """Rewrites texts; ``content`` is the working directory's content, ``hosts`` further names of this machine."""

    def __init__(self, content: Path, *, hosts: Iterable[str] = ()) -> None:
        self._roots = _spellings(content)
        home = os.path.expanduser("~")  # noqa: PTH111 - the text, also when HOME is odd
        self._homes = _spellings(Path(home)) if home not in ("/", "~") else ()
        names = {socket.gethostname(), socket.gethostname().partition(".")[0], *hosts}
        told = sorted((name for name in names if len(name) > 3 and name != "localhost"), key=len, reverse=True)  # noqa: PLR2004
        self._hosts = re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, told))})(?![\w-])") if told else None

    def value(self, text: str) -> str:
        """A text of the user's own: only what names the working directory, the home folder or the host is changed."""
        for root in self._roots:
            if root in text:
                place = rf"(?:file://)?{re.escape(root)}"
                text = re.sub(rf"{place}/(?=[^\s'\"])", "", text)
                text = re.sub(rf"{place}(?:/|(?![\w.-]))", ".", text)
        for home in self._homes:
            if home in text:
                text = re.sub(rf"(?:file://)?{re.escape(home)}(?![\w.-])", "~", text)
        return self._hosts.sub("[host]", text) if self._hosts else text

    def text(self, text: str) -> str:
        """A text that a program wrote."""
        return _PATHS.sub(_cut, self.value(text)) if "/" in text else self.value(text)

    def command(self, argv: Sequence[str]) -> str:
        """A command line as one line, programs and files by their names."""
        words = [self.text(word) for word in argv]
        return " ".join(
            word if re.fullmatch(r"[\w@%+=:,./~…-]+", word) else "'" + word.replace("'", "'\\''") + "'"
            for word in words
        )


def _cut(match: re.Match[str]) -> str:
    if match["url"]:
        return match["url"]
    return f"…/{match['last']}" if match["last"] else "…/"


def _spellings(path: Path) -> tuple[str, ...]:
    """How the folder may be written: as given, resolved, percent-encoded; the longest first."""
    forms = {str(path.absolute()), str(path.resolve())}
    forms |= {quote(form) for form in forms}
    return tuple(sorted((form for form in forms if form != "/"), key=len, reverse=True))
