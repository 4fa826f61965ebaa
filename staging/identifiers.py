"""Identifiers: how a thing is named so that anyone can fetch it again."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote, unquote, unquote_to_bytes, urlsplit

from staging.errors import WfexsError
from staging.paths import safe_name

# One letter alone is a drive, not a scheme (RFC 3986 section 3.1 would allow it; no registered scheme uses it).
_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+):(.*)$", re.DOTALL)
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f]")
_PATH_SAFE = "/!$&'()*+,;=:@~-._"
_ASCII = "".join(map(chr, range(0x21, 0x7F)))
_SCP_LIKE = re.compile(r"^[\w.-]+@[\w.-]+:")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_SSH = ("git+ssh", "ssh", "sftp")
_REGISTRIES = ("docker", "oci-blob")
_WITH_HOST = frozenset({"http", "https", "ftp", "ftps", "git", "git+http", "git+https", *_SSH, *_REGISTRIES})
_BURIED_SECRET = re.compile(r"/*[^/?@]*(:|%3a)[^/?@]*(@|%40)", re.IGNORECASE)


class IdentifierError(WfexsError):
    """A text that can't be an identifier."""

    kind = "definition"
    exit_code = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Identifier:
    """A URI, or a relative reference to something beside the stage file (then ``scheme`` is empty).

    ``body`` is what stands between ``scheme:`` and ``#``, percent-encoded. ``str()`` is canonical: parsing it again
    gives an equal value.
    Source: RFC 3986.
    """

    scheme: str
    body: str
    fragment: str = ""

    @classmethod
    def parse(cls, text: str) -> Identifier:
        """Read an identifier as a person writes it.

        A text without a scheme is a local path, taken as it is (``%`` and ``#`` are characters of it, as in a shell):
        absolute ones become ``file:///...``, others stay relative. In ``file:`` URIs, relative ones too
        (``file:my%20reads.fq``), percent-encoding and fragments mean what they mean in any URI.

        Raises:
            IdentifierError: empty, control characters, no host where one belongs, or a user name and password inside.
        """
        text = text.strip()
        if not text:
            raise IdentifierError("an identifier can't be empty")
        match = _SCHEME.match(text)
        if match is None:
            return cls._from_typed_path(text)
        scheme, rest = match.group(1).lower(), match.group(2)
        if scheme == "file":
            return cls._from_file_uri(text, rest)
        body, _, fragment = (_ascii(part) for part in rest.partition("#"))
        if scheme != "data":
            body = _with_plain_authority(scheme, body)
        if body and scheme in _WITH_HOST and not _names_host(body):
            raise IdentifierError(f"the {scheme} identifier names no host", hint=f"as in {scheme}://host/path")
        if scheme != "data" and _FORBIDDEN.search(rest):
            raise IdentifierError(
                f"{_short(text)} has white space or a control character in it",
                hint="percent-encode it (a space is %20)",
            )
        if not body:
            raise IdentifierError(f"{_short(text)} says nothing after its scheme")
        return cls(scheme=scheme, body=body, fragment=fragment)

    @classmethod
    def _from_typed_path(cls, text: str) -> Identifier:
        if _SCP_LIKE.match(text):
            host, _, path = text.partition(":")
            raise IdentifierError(
                f"{_short(text)} looks like an ssh address",
                hint=f"write git+ssh://{host}/{path.lstrip('/')} for a repository, ./{text} for a file",
            )
        return cls._from_path(text)

    @classmethod
    def _from_path(cls, text: str) -> Identifier:
        if "\x00" in text:
            raise IdentifierError(f"{_short(text)} has a NUL in it")
        try:
            encoded = quote(os.fsencode(os.path.normpath(text)), safe=_PATH_SAFE.replace(":", ""))
        except UnicodeEncodeError as error:
            raise IdentifierError(f"{_short(text)} is not a text that a file system can hold") from error
        if text.startswith("/"):
            return cls(scheme="file", body="///" + encoded.lstrip("/").replace("%3A", ":"))
        return cls(scheme="", body=encoded)

    @classmethod
    def _from_file_uri(cls, text: str, rest: str) -> Identifier:
        body, _, fragment = rest.partition("#")
        if "?" in body:
            raise IdentifierError(
                f"{_short(text)} has a query, which means nothing for a file",
                hint="write %3F for a question mark in its name",
            )
        if body.startswith("//"):
            host, slash, path = body[2:].partition("/")
            if host.lower() not in ("", "localhost"):
                raise IdentifierError(
                    f"{_short(text)} names the host {_short(host)}",
                    hint="a local file is file:///path (three slashes)",
                )
            body = slash + path
        try:
            plain = os.fsdecode(unquote_to_bytes(body))
        except UnicodeEncodeError as error:
            raise IdentifierError(f"{_short(text)} is not a text that a file system can hold") from error
        if not plain:
            raise IdentifierError(f"{_short(text)} has no path")
        return replace(cls._from_path(plain), fragment=_ascii(fragment))

    @classmethod
    def of_path(cls, path: Path) -> Identifier:
        """The ``file:`` identifier of a local path; every character of it stands for itself."""
        return cls._from_path(str(path.absolute()))

    @property
    def is_relative(self) -> bool:
        """Whether it only means something beside a stage file."""
        return self.scheme == "" or (self.scheme == "git+file" and not self.body.startswith("/"))

    def against(self, base: Path) -> Identifier:
        """The absolute identifier, reading a relative one from the folder ``base``."""
        if not self.is_relative:
            return self
        path = os.fsdecode(unquote_to_bytes(self.body))
        absolute = self._from_path(str(base.absolute() / path))
        return replace(absolute, scheme=self.scheme or "file", fragment=self.fragment)

    @property
    def local_path(self) -> Path | None:
        """The path of a ``file:`` identifier, else ``None``."""
        return Path(os.fsdecode(unquote_to_bytes(self.body[2:]))) if self.scheme == "file" else None

    @property
    def name(self) -> str:
        """A base name for what it points to (the query and fragment don't count)."""
        if self.scheme == "data":
            return "data"
        return safe_name(self.body.partition("?")[0].rstrip("/"))

    def __str__(self) -> str:
        # A relative path is shown as it is, unless reading that again would mean something else.
        plain = not self.scheme and not self.fragment and "%" not in self.body
        head = self.body if plain else f"{self.scheme or 'file'}:{self.body}"
        return f"{head}#{self.fragment}" if self.fragment else head


def split_process(identifier: Identifier) -> tuple[Identifier, str | None]:
    """The document, and the process within it that ``#main`` names (a CWL ``$graph``), decoded; ``None`` without one.

    For local paths as people type them (``packed.cwl#main``) too, unless a file of that whole name is there. Git
    identifiers keep their process in another place: see ``staging.fetchers.git.split_git``.
    """
    if identifier.fragment:
        return replace(identifier, fragment=""), unquote(identifier.fragment)
    path = identifier.local_path
    head, mark, process = identifier.body.rpartition("%23")
    if not mark or not head or "/" in process or (path is not None and os.path.lexists(path)):
        return identifier, None
    if identifier.scheme not in ("", "file"):
        return identifier, None
    return replace(identifier, body=head), unquote(process) or None


def _with_plain_authority(scheme: str, body: str) -> str:
    """The body with its host in lower case; refused when it carries a secret or what only confuses parsers."""
    if not body.startswith("//") or body.startswith("///"):
        # An image's digest stands behind an @ too (docker:tools:1@sha256:...): that one lacks its host, no more.
        if scheme in _WITH_HOST and scheme not in _REGISTRIES and _BURIED_SECRET.match(body):
            raise _secret(scheme)
        return body
    end = re.search(r"[/?]", body[2:])
    cut = len(body) if end is None else 2 + end.start()
    authority, rest = body[2:cut], body[cut:]
    userinfo, at, host = authority.rpartition("@")
    if scheme in _REGISTRIES and host.startswith("sha256:"):
        raise IdentifierError(f"the {scheme} identifier names no host", hint=f"as in {scheme}://host/{authority}")
    # An ssh user name is an address, not a secret; a password never is one.
    if at and (scheme not in _SSH or set(":@") & set(unquote(userinfo))):
        raise _secret(scheme)
    if scheme in _WITH_HOST and "@" in unquote(host):
        raise _secret(scheme)
    if scheme in _WITH_HOST and "%" in host and not host.startswith("["):
        raise IdentifierError(
            f"the {scheme} identifier has a host with more than ASCII letters, digits, '-' and '.'",
            hint="write an international name in its ASCII form, which begins with xn--",
        )
    if "\\" in authority:
        raise IdentifierError(f"the {scheme} identifier has a backslash in its host")
    host = host.lower()
    if scheme in _DEFAULT_PORTS:
        host = host.removesuffix(_DEFAULT_PORTS[scheme])
        rest = rest if rest.startswith("/") else f"/{rest}"
    return f"//{userinfo}{at}{host}{rest}"


def _names_host(body: str) -> bool:
    """Whether a body begins with ``//host``."""
    authority = re.split(r"[/?]", body[2:], maxsplit=1)[0] if body.startswith("//") else ""
    try:
        urlsplit(f"//{authority}")
    except ValueError:  # brackets, and no IPv6 address in them
        return False
    return bool(re.sub(r":[0-9]*$", "", authority.rpartition("@")[2]))


def _secret(scheme: str) -> IdentifierError:
    return IdentifierError(
        f"the {scheme} identifier has a user name or password in it",
        hint="put it in the credentials file (WFEXS_LIKE_CREDENTIALS), bound to the host",
    )


def _ascii(text: str) -> str:
    """The text with everything but visible ASCII percent-encoded, as in any URI on the wire."""
    try:
        return quote(text, safe=_ASCII)
    except UnicodeEncodeError as error:
        raise IdentifierError("an identifier has a character that no encoding knows") from error


def _short(text: str) -> str:
    return repr(text if len(text) <= 200 else text[:200] + "...")  # noqa: PLR2004 - as long as a line or two
