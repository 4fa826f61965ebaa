"""Identifiers: how a thing is named so that anyone can fetch it again."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from staging.errors import WfexsError
from staging.paths import safe_name

# One letter alone is a drive, not a scheme (RFC 3986 section 3.1 would allow it; no registered scheme uses it).
_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+):(.*)$", re.DOTALL)
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f]")
_PATH_SAFE = "/!$&'()*+,;=:@~-._"


class IdentifierError(WfexsError):
    """A text that can't be an identifier."""

    kind = "definition"
    exit_code = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Identifier:
    """A URI, or a relative reference to something beside the stage file (then ``scheme`` is empty).

    ``body`` is what stands between ``scheme:`` and ``#``. ``str()`` is canonical: parsing it again gives an equal
    value.
    Source: RFC 3986.
    """

    scheme: str
    body: str
    fragment: str = ""

    @classmethod
    def parse(cls, text: str) -> Identifier:
        """Read an identifier as a person writes it.

        A text without a scheme is a local path: absolute ones become ``file:///...``, others stay relative.

        Raises:
            IdentifierError: empty, control characters, or a user name and password inside.
        """
        text = text.strip()
        if not text:
            raise IdentifierError("an identifier can't be empty")
        match = _SCHEME.match(text)
        if match is None:
            return cls._from_path(text)
        scheme, rest = match.group(1).lower(), match.group(2)
        if scheme == "file":
            return cls._from_file_uri(text)
        if _FORBIDDEN.search(rest if scheme != "data" else ""):
            raise IdentifierError(
                f"{text!r} has white space or a control character in it", hint="percent-encode it (a space is %20)"
            )
        body, _, fragment = rest.partition("#")
        _refuse_credentials(scheme, body)
        if body.startswith("//"):
            authority, slash, path = body[2:].partition("/")
            body = f"//{authority.lower() if '@' not in authority else authority}{slash}{path}"
        return cls(scheme=scheme, body=body, fragment=fragment)

    @classmethod
    def _from_path(cls, text: str) -> Identifier:
        if "\x00" in text:
            raise IdentifierError(f"{text!r} has a NUL in it")
        if text.startswith("/"):
            return cls(scheme="file", body="//" + quote(os.path.normpath(text), safe=_PATH_SAFE))
        normal = os.path.normpath(text)
        return cls(scheme="", body=quote(normal, safe=_PATH_SAFE.replace(":", "")))

    @classmethod
    def _from_file_uri(cls, text: str) -> Identifier:
        parts = urlsplit(text)
        if parts.netloc not in ("", "localhost"):
            raise IdentifierError(
                f"{text!r} names the host {parts.netloc!r}", hint="a local file is file:///path (three slashes)"
            )
        path = unquote(parts.path)
        if not path.startswith("/"):
            if not path or "\x00" in path:
                raise IdentifierError(f"{text!r} has no usable path")
            relative = cls._from_path(path)
            return replace(relative, fragment=parts.fragment)
        if "\x00" in path:
            raise IdentifierError(f"{text!r} has a NUL in it")
        body = "//" + quote(os.path.normpath(path), safe=_PATH_SAFE)
        return cls(scheme="file", body=body, fragment=parts.fragment)

    @classmethod
    def of_path(cls, path: Path) -> Identifier:
        """The ``file:`` identifier of an absolute local path."""
        return cls._from_path(str(path.absolute()))

    @property
    def is_relative(self) -> bool:
        """Whether it only means something beside a stage file."""
        return self.scheme == ""

    def against(self, base: Path) -> Identifier:
        """The absolute identifier, reading a relative one from the folder ``base``."""
        if not self.is_relative:
            return self
        return replace(self._from_path(str(base.absolute() / unquote(self.body))), fragment=self.fragment)

    @property
    def local_path(self) -> Path | None:
        """The path of a ``file:`` identifier, else ``None``."""
        return Path(unquote(self.body[2:])) if self.scheme == "file" else None

    @property
    def name(self) -> str:
        """A base name for what it points to (the query and fragment don't count)."""
        if self.scheme == "data":
            return "data"
        return safe_name(self.body.partition("?")[0].rstrip("/"))

    def __str__(self) -> str:
        head = f"{self.scheme}:{self.body}" if self.scheme else self.body
        return f"{head}#{self.fragment}" if self.fragment else head


def _refuse_credentials(scheme: str, body: str) -> None:
    if not body.startswith("//"):
        return
    userinfo, at, _ = body[2:].partition("/")[0].rpartition("@")
    # An ssh user name is an address, not a secret; a password never is one.
    if at and (":" in userinfo or scheme not in ("git+ssh", "ssh", "sftp")):
        raise IdentifierError(
            f"the {scheme} identifier has a user name or password in it",
            hint="put it in the credentials file (WFEXS_LIKE_CREDENTIALS), bound to the host",
        )
