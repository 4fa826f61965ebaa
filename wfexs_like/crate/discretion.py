"""Discretion: what a crate may say of this machine, which is nothing.

Texts that engines write (errors, logs) name local paths, the host and the user. In a crate a path below
the working directory becomes relative to it, any other absolute path is cut down to its last part (``…/samtools``), and
the host's and the home folder's names are taken out. A user's own values keep their absolute paths, which are what the
workflow was given, unless they name the working directory or the home folder, or are ``file:`` URIs.

Of a URL, the user's name and password are always taken out. A published identifier has no query but one of well-known
harmless words: a query is where tokens and signatures are. In other texts only a query that looks like one is cut.
"""

from __future__ import annotations

import os
import pwd
import re
import socket
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit, urlunsplit

_SHOWN_SCHEMES = frozenset(
    {
        "http",
        "https",
        "ftp",
        "ftps",
        "github",
        "doi",
        "trs",
        "drs",
        "swh",
        "urn",
        "pkg",
        "s3",
        "gs",
        "docker",
        "oci-blob",
    }
)
# Content in an identifier, and the name of a content that a stage file holds: they lead nowhere.
_CONTENT_IN_ITSELF = ("data:", "inline:")
_GIT_SCHEMES = frozenset({"git+http", "git+https", "git+ssh"})
# What a query may ask for and be told to everybody, with a short plain value.
_HARMLESS = frozenset(
    {"accession", "db", "download", "dl", "format", "raw", "ref", "retmode", "rettype", "rev", "version", "versionid"}
)
_HARMLESS_VALUE = re.compile(r"[\w.,:/-]{0,40}", re.ASCII)
_SECRET = re.compile(
    r"token|secret|passw|pwd|sig(?:nature|ned)?(?![a-z])|credential|api-?_?key|(?<![a-z])key(?![a-z])|auth|session|jwt|x-amz|x-goog",
    re.IGNORECASE,
)
_OPAQUE = re.compile(r"(?=[^&=]*\d)(?=[^&=]*[A-Za-z])[\w+/%.~-]{24,}={0,2}", re.ASCII)
_URL = re.compile(r"""\b(?P<scheme>(?!file:)[A-Za-z][A-Za-z0-9+.-]*)://(?P<rest>[^\s'"<>`]+)""")
# How a Java program tells its process, its host and the host's address.
_PROCESS_AT_HOST = re.compile(r"\b(?P<process>\d+)@[\w.-]+ \[[0-9A-Fa-f.:%\w/-]*\]")
# Accounts that every machine has: their names are words.
_COMMON_USERS = frozenset({"admin", "daemon", "nextflow", "nobody", "root", "test", "ubuntu", "user"})
_FILE_URI = re.compile(r"""\b(?:[A-Za-z]+\+)?file:/+(?P<rest>[^\s'"<>`|;,()\[\]{}]*)""", re.IGNORECASE)
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


# Places that every machine has, and every command line may name.
_DEVICES = frozenset(f"/dev/{name}" for name in ("null", "random", "stderr", "stdin", "stdout", "urandom", "zero"))


def public_identifier(text: str) -> str | None:
    """What of an identifier anybody may be told, ``None`` if nothing.

    Nothing is told of a local path, of content in itself, or of an address with a user's name in it. Of any other a
    query that isn't harmless is dropped, and so is a fragment that may be more than a place in the document.
    """
    scheme = text.partition(":")[0].lower()
    if scheme not in _SHOWN_SCHEMES | _GIT_SCHEMES:
        return None
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    user, at, _ = parts.netloc.rpartition("@")
    if at and not (scheme in _GIT_SCHEMES and user == "git"):
        return None
    if any(_SECRET.search(one) for one in re.findall(r"[^/;,?#]+(?==)", unquote(parts.path))):
        return None
    query = parts.query if _is_harmless(parts.query) else ""
    keep = scheme in _GIT_SCHEMES or scheme == "github" or not re.search(r"[=&]", parts.fragment)
    fragment = parts.fragment if keep and not _SECRET.search(parts.fragment) else ""
    if (query, fragment) == (parts.query, parts.fragment):
        return text
    head, question, _ = text.partition("#")[0].partition("?")
    return head + (question + query if query else "") + (f"#{fragment}" if fragment else "")


def is_of_a_secret(name: str) -> bool:
    """Whether a variable's name says that its value is a password, a key or the like."""
    return _SECRET.search(name) is not None


def is_told_in_part(identifier: str) -> bool:
    """Whether a published identifier lacks its query or fragment."""
    shown = public_identifier(identifier)
    return shown is not None and shown != identifier


def _is_harmless(query: str) -> bool:
    pairs = (one.partition("=") for one in query.split("&"))
    return all(key.lower() in _HARMLESS and _HARMLESS_VALUE.fullmatch(value) is not None for key, _, value in pairs)


def _without_secrets(match: re.Match[str]) -> str:
    """A URL in a text, without its user's name and password, and without a query that looks like a token."""
    url = match[0]
    try:
        parts = urlsplit(url)
    except ValueError:
        return f"{match['scheme']}://…"
    netloc = parts.netloc.rpartition("@")[2]
    shown = {}
    for name in ("query", "fragment"):
        words = str(getattr(parts, name))
        shown[name] = "…" if _SECRET.search(unquote(words)) or _OPAQUE.search(words) else words
    if netloc == parts.netloc and all(shown[name] == getattr(parts, name) for name in shown):
        return url
    return urlunsplit(parts._replace(netloc=netloc, **shown))


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
        homes = {home, _home_of_record()} - {"/", "~", ""}
        self._homes = tuple(sorted({one for path in homes for one in _spellings(Path(path))}, key=len, reverse=True))
        self._around = _spellings(content.parent) if len(content.parent.parts) > 2 else ()  # noqa: PLR2004
        names = {socket.gethostname(), socket.gethostname().partition(".")[0], *hosts}
        told = sorted((name for name in names if len(name) > 3 and name != "localhost"), key=len, reverse=True)  # noqa: PLR2004
        self._hosts = _words(told)
        accounts = {_user_of_record(), *(os.environ.get(name, "") for name in ("USER", "LOGNAME"))} - _COMMON_USERS
        self._users = _words(sorted(name for name in accounts if len(name) > 3))  # noqa: PLR2004

    def value(self, text: str) -> str:
        """A text of the user's own: what names the working directory, the home folder or the host is changed.

        So are ``file:`` URIs, users and passwords in URLs, and queries that look like tokens.
        """
        for root in self._roots:
            if root in text:
                place = rf"(?:(?:[A-Za-z]+\+)?file://(?:localhost)?)?{re.escape(root)}"
                text = re.sub(rf"{place}/(?=[^\s'\"])", "", text)
                text = re.sub(rf"{place}(?:/|(?![\w.-]))", ".", text)
        for folder in self._around:
            if folder in text:
                text = re.sub(rf"(?:file://)?{re.escape(folder)}(?![\w.-])", "…", text)
        for home in self._homes:
            if home in text:
                text = re.sub(rf"(?:file://)?(?<![\w.]){re.escape(home)}(?![\w.-])", "~", text)
        if ":/" in text:
            text = _FILE_URI.sub(_cut_uri, text)
            text = _URL.sub(_without_secrets, text)
        return self._hosts.sub("[host]", text) if self._hosts else text

    def text(self, text: str) -> str:
        """A text that a program wrote, or one for people (a title, a description): no absolute path is left."""
        return _PATHS.sub(_cut, self.value(text)) if "/" in text else self.value(text)

    def log(self, text: str) -> str:
        """What a log says: as a program's text, and neither the user's account nor the host's address is named."""
        text = self.text(text)
        if "@" in text:
            text = _PROCESS_AT_HOST.sub(r"\g<process>@[host]", text)
        return self._users.sub("[user]", text) if self._users else text

    def is_placeless(self, text: str) -> bool:
        """Whether the text names neither the working directory nor the home folder."""
        places = (*self._roots, *self._around, *self._homes)
        return not any(
            place in text and re.search(rf"(?<![\w.]){re.escape(place)}(?![\w.-])", text) for place in places
        )

    def is_tellable(self, text: str, identifiers: Iterable[str]) -> bool:
        """Whether a document may be told as it is: every identifier in it, and nothing of this machine besides."""
        for one in identifiers:
            if one.startswith(_CONTENT_IN_ITSELF):
                continue
            path = one.removeprefix("oci:").partition(":")[0] if one.startswith("oci:") else one
            relative = re.match(r"[A-Za-z][A-Za-z0-9+.-]+:|/|~", path) is None and ".." not in path.split("/")
            if not relative and public_identifier(one) != one:
                return False
            if "?" in one:
                return False
        return self.value(text) == text


def _cut_uri(match: re.Match[str]) -> str:
    return f"…/{match['rest'].rstrip('/').rpartition('/')[2]}"


def _cut(match: re.Match[str]) -> str:
    if match["url"]:
        return match["url"]
    if match[0] in _DEVICES:
        return match[0]
    return f"…/{match['last']}" if match["last"] else "…/"


def _words(names: Iterable[str]) -> re.Pattern[str] | None:
    told = "|".join(map(re.escape, names))
    return re.compile(rf"(?<![\w-])(?:{told})(?![\w-])") if told else None


def _user_of_record() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return ""


def _home_of_record() -> str:
    """The home folder that the system has for the user, whatever ``HOME`` says."""
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return ""


def _spellings(path: Path) -> tuple[str, ...]:
    """How the folder may be written: as given, resolved, percent-encoded; the longest first."""
    forms = {str(path.absolute()), str(path.resolve())}
    forms |= {quote(form) for form in forms}
    return tuple(sorted((form for form in forms if form != "/"), key=len, reverse=True))
