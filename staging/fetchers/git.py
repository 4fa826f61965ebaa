"""Git repositories (``git+https:`` and its kin, ``github:``): a ref becomes a commit, a commit becomes a folder.

The whole tree of the commit is fetched; a ``#subdirectory=`` only says where in it to look.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TypeVar

from staging.errors import FetchError, PolicyError
from staging.fetchers.base import FetchContext, Fetched, Pin, Unchanged
from staging.fetchers.git_command import Git
from staging.fetchers.git_source import GitSource, pinned, split_git
from staging.fetchers.git_tree import export
from staging.identifiers import Identifier
from staging.plan import Kind
from staging.retries import Patience

__all__ = ["GitFetcher", "GitSource", "split_git"]

T = TypeVar("T")

_ABBREVIATED: Final = re.compile(r"^[0-9a-f]{7,39}$")
# How a server says that it has no such commit at all.
_NOT_THERE: Final = "not our ref"
# How servers say that they don't give a commit by its number, or not without its history.
_WHOLE_ONLY: Final = (
    "unadvertised object",
    "dumb http transport",
    "shallow",
    "couldn't find remote ref",
    "no such remote",
)


_FETCH: Final = (
    "fetch",
    "--progress",
    "--no-tags",
    "--no-write-fetch-head",
    "--no-recurse-submodules",
    "--no-auto-maintenance",
)


class GitFetcher:
    """Fetches trees of commits with the ``git`` command."""

    def pin(self, identifier: Identifier, context: FetchContext) -> Pin:
        """The identifier with the commit that its ref is now; nobody is asked when it is a full commit already.

        Raises:
            FetchError: there is no such repository or ref.
            PolicyError: a ref or path that could do harm.
        """
        source = split_git(identifier)
        commit = source.commit
        mutable = commit is None
        if commit is None:
            with _Scratch(context, source, "asking") as git:
                commit, mutable = _resolve(git)
        return Pin(
            identifier=pinned(identifier, commit),
            kind=Kind.DIRECTORY,
            mutable=mutable,
            validators={"commit": commit},
        )

    def survey(self, pin: Pin, context: FetchContext) -> Pin:  # noqa: ARG002 - the protocol's
        """The pin itself: a repository doesn't tell its size."""
        return pin

    def fetch(self, pin: Pin, into: Path, context: FetchContext, known: Mapping[str, str]) -> Fetched | Unchanged:
        """Write the commit's tree to the folder ``into``; see ``Fetcher.fetch``.

        Raises:
            FetchError: the commit can't be had.
            PolicyError: its tree holds what could reach out of the folder.
        """
        source = split_git(pin.identifier)
        commit = source.commit
        if commit is None:
            pin = self.pin(pin.identifier, context)
            source = split_git(pin.identifier)
            commit = source.commit or ""
        if known.get("commit") == commit:
            return Unchanged()
        with _Scratch(context, source, "fetching") as git:
            _retried(lambda: _obtain(git, commit), context)
            tree = export(git, commit, into)
        return Fetched(
            kind=Kind.DIRECTORY,
            fingerprint=tree.fingerprint,
            size=tree.size,
            tree=tree,
            validators={"commit": commit},
        )


class _Scratch:
    """A place for git to work in, gone when the ``with`` block ends."""

    def __init__(self, context: FetchContext, source: GitSource, purpose: str) -> None:
        self._home = context.partial / f"git-{purpose}"
        self._git = Git(home=self._home, source=source, context=context)

    def __enter__(self) -> Git:
        shutil.rmtree(self._home, ignore_errors=True)
        self._git.prepare()
        return self._git

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._home, ignore_errors=True)


def _retried(work: Callable[[], T], context: FetchContext) -> T:
    patience = Patience(context)
    while True:
        try:
            return work()
        except FetchError as error:
            patience.pause(error)


def _resolve(git: Git) -> tuple[str, bool]:
    """The commit that the source's ref is now, and whether it may be another one tomorrow."""
    ref = git.source.ref
    names = _candidates(ref)
    found = _retried(lambda: _advertised(git, names), git.context)
    for name in names:
        commit = found.get(f"{name}^{{}}", found.get(name))
        if commit is not None:
            return commit, True
    url = git.source.url
    if ref is None:
        raise FetchError(
            f"the repository {url} has no default branch", hint="name a branch, tag or commit: ...@ref", where=url
        )
    if _ABBREVIATED.match(ref.lower()):
        return _retried(lambda: _expand(git, ref.lower()), git.context), False
    raise FetchError(
        f"there is no branch, tag or commit {ref!r} in {url}", hint=_offer(git), where=url, identifier=url, ref=ref
    )


def _candidates(ref: str | None) -> tuple[str, ...]:
    """The full names that a short one may stand for, the first that is there wins: git's own order."""
    if ref is None or ref == "HEAD":
        return ("HEAD",)
    if ref.startswith("refs/"):
        return (ref,)
    return (f"refs/tags/{ref}", f"refs/heads/{ref}")


def _advertised(git: Git, names: tuple[str, ...]) -> dict[str, str]:
    """What the repository says of these refs; of all, without names. A tag's own commit is under ``name^{}``."""
    context = git.context
    patterns = [pattern for name in names for pattern in (name, f"{name}^{{}}")]
    # Outside of any repository of ours: git must not read settings of one that happens to lie around.
    listing = git.call(
        "ls-remote", "--quiet", "--", git.source.url, *patterns, timeout=context.connect_timeout + context.read_timeout
    ).stdout.decode(errors="replace")
    refs = {}
    for line in listing.splitlines():
        commit, tab, name = line.partition("\t")
        if tab and re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", commit):
            refs[name] = commit
    return refs


def _offer(git: Git) -> str:
    """A hint that lists some refs that are there."""
    try:
        names = [name for name in _advertised(git, ()) if not name.endswith("^{}")]
    except (FetchError, PolicyError):
        return "look which branches and tags it has"
    short = sorted(
        name.partition("/")[2].partition("/")[2] for name in names if name.startswith(("refs/heads/", "refs/tags/"))
    )
    return f"it has {', '.join(short[:10])}{', ...' if len(short) > 10 else ''}" if short else "it has no branch or tag"  # noqa: PLR2004


def _expand(git: Git, short: str) -> str:
    """The full number of an abbreviated commit: an advertised one, else one from the history."""
    matching = {commit for commit in _advertised(git, ()).values() if commit.startswith(short)}
    if not matching:
        _start_repository(git)
        _fetch_history(git, "--filter=tree:0")
        listing = git.call("rev-list", "--all").stdout.decode().split()
        matching = {commit for commit in listing if commit.startswith(short)}
    if len(matching) != 1:
        what = "more than one commit begins" if matching else "no commit begins"
        raise FetchError(
            f"{what} with {short!r} in {git.source.url}", hint="write the whole number", where=git.source.url
        )
    return matching.pop()


def _start_repository(git: Git) -> None:
    shutil.rmtree(git.repository, ignore_errors=True)
    form = "sha256" if len(git.source.commit or "") > 40 else "sha1"  # noqa: PLR2004 - digits of a sha1
    git.call("init", "--quiet", "--bare", "--template=", f"--object-format={form}")


def _obtain(git: Git, commit: str) -> None:
    """Have the commit's tree in our repository: alone where the server gives it, else with all history."""
    _start_repository(git)
    try:
        git.call_watched(*_FETCH, "--depth=1", "--", git.source.url, commit)
    except FetchError as error:
        if _NOT_THERE in error.message:
            raise _no_commit(git, commit) from error
        if not any(mark in error.message.lower() for mark in _WHOLE_ONLY):
            raise
        _start_repository(git)
        _fetch_history(git)
    try:
        kind = git.call("cat-file", "-t", commit).stdout.strip()
    except FetchError as error:
        raise _no_commit(git, commit) from error
    if kind != b"commit":
        raise FetchError(f"{commit} in {git.source.url} is a {kind.decode()}, not a commit", where=git.source.url)


def _no_commit(git: Git, commit: str) -> FetchError:
    return FetchError(
        f"the commit {commit} is not in {git.source.url}",
        hint="it may have been removed since; name another ref",
        where=git.source.url,
        identifier=git.source.url,
    )


def _fetch_history(git: Git, *options: str) -> None:
    specs = ("+HEAD:refs/got/head", "+refs/heads/*:refs/got/heads/*", "+refs/tags/*:refs/got/tags/*")
    git.call_watched(*_FETCH, *options, "--", git.source.url, *specs)
