"""Git identifiers: which repository, which ref, and where in its tree. Pure: nothing is asked of anybody."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote, unquote, unquote_to_bytes

from staging.errors import PolicyError
from staging.identifiers import Identifier, IdentifierError
from staging.paths import safe_relative

_TRANSPORTS: Final = {
    "git": "git",
    "git+file": "file",
    "git+http": "http",
    "git+https": "https",
    "git+ssh": "ssh",
    "github": "https",
}
_COMMIT = re.compile(r"^([0-9a-f]{40}|[0-9a-f]{64})$")
# The rules of git-check-ref-format, and no leading dash.
_BAD_REF = re.compile(r"^-|[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|^[./]|[./]$|\.lock(/|$)|^@$")


@dataclass(frozen=True, slots=True, kw_only=True)
class GitSource:
    """What a git identifier says.

    ``url`` is what git is given (a plain path for a local repository), ``transport`` git's name of its protocol.
    ``ref`` is a branch, tag, full ref or commit (``None``: the repository's default branch). ``subdirectory`` is a path
    in the tree, decoded, and may name a file; ``process`` a process within that document.
    """

    url: str
    transport: str
    ref: str | None = None
    subdirectory: str | None = None
    process: str | None = None

    @property
    def commit(self) -> str | None:
        """The full commit that the ref already is, if it is one."""
        return self.ref.lower() if self.ref and _COMMIT.match(self.ref.lower()) else None


def split_git(identifier: Identifier) -> GitSource:
    """Read a git identifier.

    Forms: ``git+https://host/path/repo.git@ref#subdirectory=path`` as pip has it, with ``git+http``, ``git+ssh``,
    ``git+file`` or ``git`` alike; ``github:owner/repo``, ``github:owner/repo@ref``, ``github:owner/repo/ref`` and
    ``github:owner/repo/ref/path`` (a slash in the latter refs is ``%2F``). A process within a CWL document follows as
    ``&process=main``, as ``#main``, or as ``%23main`` at the end of the subdirectory.

    Raises:
        IdentifierError: it is none of these.
        PolicyError: the ref or the subdirectory is one that could do harm.
    """
    transport = _TRANSPORTS.get(identifier.scheme)
    if transport is None:
        raise IdentifierError(f"{identifier} is not a git identifier")
    subdirectory, process = _read_fragment(identifier)
    if identifier.scheme == "github":
        url, ref, path = _read_github(identifier)
        if path and subdirectory:
            raise IdentifierError(f"{identifier} names a path twice", hint="leave out one of them")
        return GitSource(url=url, transport=transport, ref=ref, subdirectory=path or subdirectory, process=process)
    base, ref = _split_ref(identifier)
    return GitSource(
        url=_url_of(identifier, base, transport),
        transport=transport,
        ref=ref,
        subdirectory=subdirectory,
        process=process,
    )


def pinned(identifier: Identifier, commit: str) -> Identifier:
    """The same with the commit in place of any ref; ``github:`` becomes ``git+https:``."""
    source = split_git(identifier)
    if identifier.scheme != "github":
        return replace(identifier, body=f"{_split_ref(identifier)[0]}@{commit}")
    parts = {"subdirectory": source.subdirectory, "process": source.process}
    fragment = "&".join(f"{key}={quote(value, safe='/')}" for key, value in parts.items() if value)
    return Identifier(scheme="git+https", body=f"{source.url.removeprefix('https:')}@{commit}", fragment=fragment)


def _split_ref(identifier: Identifier) -> tuple[str, str | None]:
    """The body without its ref, and the ref."""
    body = identifier.body
    start = body.find("/", 2) if body.startswith("//") else 0
    if start < 0:
        raise IdentifierError(f"{identifier} names no repository", hint="git+https://host/path/to/repo.git@ref")
    mark = body.find(".git@", start)
    cut = mark + 4 if mark >= 0 else body.rfind("@")
    if cut < start or cut < 0:
        return body, None
    return body[:cut], _checked_ref(unquote(body[cut + 1 :]), identifier)


def _checked_ref(ref: str, identifier: Identifier) -> str:
    if not ref:
        raise IdentifierError(f"{identifier} has an empty ref after its @")
    if _BAD_REF.search(ref):
        raise PolicyError(f"{ref!r} can't be the name of a git ref", where=str(identifier))
    return ref


def _url_of(identifier: Identifier, base: str, transport: str) -> str:
    if transport == "file":
        path = os.fsdecode(unquote_to_bytes(base[2:] if base.startswith("//") else base))
        if not path.startswith("/"):
            raise IdentifierError(f"{identifier} is not an absolute path", hint="git+file:///path/to/repo@ref")
        return path
    authority = base[2:].partition("/")[0] if base.startswith("//") else ""
    host = authority.rpartition("@")[2]
    if not host or authority.startswith("-") or host.startswith("-"):
        raise PolicyError(f"{identifier} names no host that git may be given", where=str(identifier))
    return f"{transport}:{base}"


def _read_github(identifier: Identifier) -> tuple[str, str | None, str | None]:
    owner, _, rest = identifier.body.strip("/").partition("/")
    path = ""
    repository, marked, ref = rest.partition("@")
    if "/" in repository or not marked:
        marked = ""
        repository, _, rest = rest.partition("/")
        ref, _, path = rest.partition("/")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*", owner) or not re.fullmatch(
        r"[A-Za-z0-9_.][A-Za-z0-9_.-]*", repository
    ):
        raise IdentifierError(
            f"{identifier} is not of the form github:owner/repository@ref or github:owner/repository/ref/path"
        )
    url = f"https://github.com/{owner}/{repository.removesuffix('.git')}.git"
    checked = _checked_ref(unquote(ref), identifier) if ref or marked else None
    return url, checked, _checked_path(unquote(path), identifier)


def _read_fragment(identifier: Identifier) -> tuple[str | None, str | None]:
    """The subdirectory and the process."""
    head, mark, tail = identifier.fragment.partition("#")
    keys: dict[str, str] = {}
    if "=" not in head:
        keys["process"] = unquote(head)
    else:
        for pair in filter(None, head.split("&")):
            key, _, value = pair.partition("=")
            if key not in ("subdirectory", "process", "egg"):
                raise IdentifierError(
                    f"{identifier} has the unknown key {key!r} in its fragment",
                    hint="subdirectory and process are known",
                )
            keys[key] = unquote(value)
    subdirectory, inner, within = keys.get("subdirectory", "").partition("#")
    named = [name for name in (keys.get("process"), unquote(tail) if mark else None, within if inner else None) if name]
    if len(set(named)) > 1:
        raise IdentifierError(f"{identifier} names more than one process")
    return _checked_path(subdirectory, identifier), named[0] if named else None


def _checked_path(path: str, identifier: Identifier) -> str | None:
    trimmed = path.removeprefix("./").rstrip("/")
    if trimmed in ("", "."):
        return None
    try:
        return str(safe_relative(trimmed))
    except PolicyError as error:
        raise PolicyError(error.message, hint=error.hint, where=str(identifier)) from error
