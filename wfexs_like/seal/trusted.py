"""Who is trusted to have signed: public keys, fingerprints, and OpenSSH's lists of allowed signers.

Source: ssh-keygen(1), "ALLOWED SIGNERS".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from staging.errors import KeyAccessError, NotFoundError, from_os_error
from wfexs_like.seal.naming import NAMESPACE
from wfexs_like.seal.ssh_keys import PublicKey, parse_public_line

_FINGERPRINT: Final = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")
_LARGEST: Final = 1 << 20
_SEALING: Final = ("-----BEGIN CRYPT4GH PUBLIC KEY-----", "-----END CRYPT4GH PUBLIC KEY-----")
_KINDS: Final = ("ssh-", "ecdsa-", "sk-")
_OPTION: Final = re.compile(r'([A-Za-z-]+)(?:="((?:[^"\\]|\\.)*)")?(,|$)')
_TIMES: Final = ("%Y%m%d", "%Y%m%d%H%M", "%Y%m%d%H%M%S")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trusted:
    """Keys by fingerprint, each with the name it goes by: a comment, principals, or nothing."""

    names: dict[str, str]

    def knows(self, key: PublicKey) -> bool:
        """Whether it is one of them."""
        return key.fingerprint in self.names

    def __str__(self) -> str:
        shown = [f"{one} ({name})" if name else one for one, name in list(self.names.items())[:3]]
        more = len(self.names) - len(shown)
        return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def read_trusted(stated: str, *, now: datetime | None = None) -> Trusted:
    """Who is meant by ``--signer``: a fingerprint, a public key's line, or a file of keys or of allowed signers.

    Raises:
        NotFoundError: there is no such file.
        KeyAccessError: there is no key in it that may sign crates, or it is something else.
    """
    if _FINGERPRINT.fullmatch(stated):
        return Trusted(names={stated: ""})
    if stated.startswith(_KINDS) and " " in stated.strip():
        return _trusted(stated.splitlines(), "the key that was given", now)
    path = Path(stated)
    try:
        with path.open("rb") as stream:
            content = stream.read(_LARGEST + 1)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise NotFoundError(
            f"there is no file {stated} with public keys",
            hint="--signer takes a public key or its file, an allowed_signers file, or a fingerprint (SHA256:...)",
        ) from error
    except OSError as error:
        raise from_os_error(error, f"read the public keys of {stated}") from error
    if b"PRIVATE KEY" in content[:100]:
        raise KeyAccessError(f"{stated} is a private key", hint=f"name the public one: {stated}.pub", where=stated)
    if len(content) > _LARGEST:
        raise KeyAccessError(f"{stated} is too long for a list of public keys", where=stated)
    return _trusted(content.decode(errors="replace").splitlines(), stated, now)


def _trusted(lines: list[str], name: str, now: datetime | None) -> Trusted:
    names: dict[str, str] = {}
    reason = "it has none"
    sealing = False
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if text in _SEALING:
            # What "keys export" prints has the sealing key first, which signs nothing.
            sealing = text == _SEALING[0]
            continue
        if sealing or not text or text.startswith("#"):
            continue
        try:
            if text.startswith(_KINDS):
                key = parse_public_line(text)
                names.setdefault(key.fingerprint, key.comment)
                continue
            found = _allowed(text, now or datetime.now(UTC))
        except ValueError as error:
            raise KeyAccessError(
                f"line {number} of {name} is neither a public key nor an allowed signer: {error}",
                hint="a public key is one line: ssh-ed25519 AAAA... comment",
                where=f"{name}:{number}",
            ) from error
        if isinstance(found, str):
            reason = found
        else:
            names.setdefault(*found)
    if not names:
        raise KeyAccessError(f"no key of {name} may sign a crate: {reason}", where=name)
    return Trusted(names=names)


def _allowed(line: str, now: datetime) -> tuple[str, str] | str:
    """Fingerprint and principals of an allowed signer's line, or in words why it is none of a crate."""
    principals, rest = _first_word(line)
    options: dict[str, str] = {}
    if not rest.startswith(_KINDS):
        stated, rest = _first_word(rest)
        options = _options(stated)
    key = parse_public_line(rest)
    if "cert-authority" in options:
        return "its authority's certificates are not read here"
    if principals.startswith("@"):
        raise ValueError(f"the mark {principals!r} has no meaning here")
    if "namespaces" in options and not _is_listed(NAMESPACE, options["namespaces"]):
        return f"its namespaces don't hold {NAMESPACE}"
    if "valid-after" in options and now < _time(options["valid-after"]):
        return "its time has not come"
    if "valid-before" in options and now >= _time(options["valid-before"]):
        return "its time is over"
    return key.fingerprint, principals.strip('"')


def _is_listed(text: str, patterns: str) -> bool:
    """Whether a list of OpenSSH's patterns holds ``text``: ``*`` and ``?`` alone are wild, and ``!`` has the last word.

    Source: ssh_config(5), "PATTERNS".
    """
    held = False
    for one in patterns.split(","):
        parts = (".*" if part == "*" else "." if part == "?" else re.escape(part) for part in one.removeprefix("!"))
        if re.fullmatch("".join(parts), text, re.DOTALL):
            if one.startswith("!"):
                return False
            held = True
    return held


def _first_word(text: str) -> tuple[str, str]:
    """The text up to the first blank that is not within quotes, and what follows."""
    quoted = False
    for place, character in enumerate(text):
        if character == '"' and text[place - 1 : place] != "\\":
            quoted = not quoted
        elif character.isspace() and not quoted:
            return text[:place], text[place:].strip()
    raise ValueError("the key is missing")


def _options(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    place = 0
    while place < len(text):
        one = _OPTION.match(text, place)
        if one is None or (one[2] is None and one[1].lower() != "cert-authority"):
            raise ValueError("its options can't be read")
        if one[1].lower() not in ("cert-authority", "namespaces", "valid-after", "valid-before"):
            raise ValueError(f"the option {one[1]!r} is not known")
        if one[1].lower() in found:
            raise ValueError(f"it has the option {one[1]!r} twice")
        found[one[1].lower()] = one[2] or ""
        place = one.end()
        if one[3] and place == len(text):
            raise ValueError("its options end in a comma")
    return found


def _time(text: str) -> datetime:
    digits = text.removesuffix("Z")
    for form in _TIMES:
        if digits.isdecimal() and len(digits) == len(datetime(2000, 1, 1, tzinfo=UTC).strftime(form)):
            found = datetime.strptime(digits, form)  # noqa: DTZ007 - local time, as ssh-keygen takes it
            return found.replace(tzinfo=UTC) if text.endswith("Z") else found.astimezone(UTC)
    raise ValueError(f"{text!r} is no time")
