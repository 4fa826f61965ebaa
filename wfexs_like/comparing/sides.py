"""Sides: the two runs that are compared, each as a crate tells of it, with the bytes that are at hand."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from staging.errors import CrateError
from staging.fingerprints import CHUNK
from wfexs_like.comparing.sources import Source
from wfexs_like.reading.account import Account, Image, Item, Run
from wfexs_like.reading.contents import Contents
from wfexs_like.reading.targets import find_run

LINK: Final = "link"
"""What a link has in place of a digest: where it leads to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One file that is compared: what is stated of it, and its bytes where they are at hand."""

    name: str
    digests: dict[str, str] = field(default_factory=dict)
    source: Source | None = None


@dataclass(frozen=True, kw_only=True)
class Side:
    """One run. ``label`` is how it was named. Of a ``secret`` one nothing of the content is told."""

    label: str
    account: Account
    run: Run
    contents: Contents
    secret: bool = False

    def leaf(self, item: Item) -> Leaf:
        """A file that is told of."""
        return Leaf(name=item.name, digests=dict(item.digests), source=None if item.sealed else self._source(item))

    def files(self, folder: Item) -> dict[str, Leaf] | None:
        """The files of a folder by their paths in it; ``None`` where they aren't at hand and aren't told."""
        told = {part.path: part for part in _walk(folder) if part.kind == "file" and part.path is not None}
        root = None if folder.path is None else self.contents.resolve(folder.path)
        if root is None or root not in self.contents.folders:
            prefix = f"{(folder.path or '').rstrip('/')}/"
            found = {path.removeprefix(prefix): self.leaf(part) for path, part in told.items()}
            return found or None
        found = {}
        prefix = f"{root}/"
        for path in _below(prefix, self._paths):
            inner = path.removeprefix(prefix)
            part = told.get(path) or told.get(f"{(folder.path or '').rstrip('/')}/{inner}")
            digests = dict(part.digests) if part is not None else {}
            found[inner] = Leaf(name=inner.rpartition("/")[2], digests=digests, source=self._at(path, inner))
        for path in _below(prefix, self._links):
            inner = path.removeprefix(prefix)
            name, there = inner.rpartition("/")[2], self.contents.resolve(path)
            source = None if there is None else self._at(there, name)
            found[inner] = Leaf(name=name, digests={LINK: self.contents.links[path]}, source=source)
        return found

    def images(self) -> tuple[Image, ...]:
        """The images that the run used; those of the whole crate where the run doesn't say."""
        used = {one.id: one for step in self.run.steps for one in step.execution.images}
        used.update({one.id: one for one in self.run.execution.images})
        return tuple(used.values()) or (self.account.images if len(self.account.runs) == 1 else ())

    def documents(self) -> dict[str, str]:
        """The sha256 of the workflow's documents, by their names from the main one's folder."""
        workflow = self.account.workflow
        if workflow is None or workflow.document is None:
            return {}
        main = workflow.document
        found = {}
        top = "" if main.path is None else main.path.partition("/")[0] + "/" if "/" in main.path else ""
        for one in (main, *self.account.data):
            digest = one.digests.get("sha256")
            inside = one.id == main.id or (top == "workflow/" and one.path is not None and one.path.startswith(top))
            if digest is None and one.id == main.id:
                digest = self._measured(one)
            if inside and digest is not None:
                found[one.name if one.path is None else one.path.removeprefix(top)] = digest
        return found

    def _measured(self, item: Item) -> str | None:
        source = self._source(item)
        if source is None:
            return None
        with source.stream() as stream:
            digest = hashlib.sha256()
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
            return digest.hexdigest()

    def _source(self, item: Item) -> Source | None:
        path = None if item.path is None else self.contents.resolve(item.path)
        return None if path is None else self._at(path, item.name)

    def _at(self, path: str, name: str) -> Source | None:
        opener = self.contents.openers.get(path)
        return None if opener is None else Source(name=name, opener=opener, size=self.contents.members[path].size)

    @cached_property
    def _paths(self) -> list[str]:
        return sorted(self.contents.openers)

    @cached_property
    def _links(self) -> list[str]:
        return sorted(self.contents.links)


def choose(label: str, account: Account, number: int | None) -> Run:
    """The run that is meant: by its number in a crate of ours, else by its place; the last one by default.

    Raises:
        CrateError: there is none at all.
        NotFoundError: there is none of that number.
    """
    if not account.runs:
        raise CrateError(f"{label} tells of no run", hint="compare what has run: a retrospective crate", where=label)
    if number is None:
        return account.runs[-1]
    return find_run(label, account.runs, number)


def _below(prefix: str, paths: list[str]) -> Iterator[str]:
    """Those of the sorted paths that begin so."""
    for place in range(bisect_left(paths, prefix), len(paths)):
        if not paths[place].startswith(prefix):
            return
        yield paths[place]


def _walk(item: Item) -> Iterator[Item]:
    seen = {item.id}
    waiting = list(item.parts)
    while waiting:
        one = waiting.pop()
        if one.id not in seen:
            seen.add(one.id)
            yield one
            waiting += one.parts
