"""Holding: the files of another maker's crate against what it states of them, and what its workflow reads to the crate.

Nothing of the reader's machine is read but what lies in the crate itself: ``vouch`` sees to that before anything is
fetched, and ``hold`` looks at what came.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Final

from staging.errors import CrateError, DigestError, PolicyError
from staging.fingerprints import CHUNK, Fingerprint
from staging.identifiers import Identifier
from staging.wanted import StagedItem, Wanted
from wfexs_like.importing.addresses import address_anywhere, path_inside
from wfexs_like.importing.opening import OpenCrate
from wfexs_like.reading.account import Account

_SHOWN: Final = 5


@dataclass(kw_only=True)
class Holding:
    """One crate's files and what is stated of them. ``remarks`` are what had to be taken for granted."""

    crate: OpenCrate
    account: Account
    strict: bool
    remarks: list[str] = field(default_factory=list)

    def vouch(self, wanted: Iterable[Wanted]) -> None:
        """Look at all that is about to be fetched, which workflows name, too (secondary files, defaults).

        Raises:
            PolicyError: a file of this machine that isn't in the crate, or a link in there; an address within the
                reader's own network of which nobody states a digest.
            CrateError: (``strict``) nobody states a digest of something.
            DigestError: a file isn't what the metadata say.
        """
        for one in wanted:
            if one.source is None:
                continue
            stated = one.source.sha256 is not None or one.source.sha1 is not None
            for mirror in one.source.mirrors:
                path = mirror.against(self.crate.root).local_path
                if path is None:
                    if address_anywhere(str(mirror), stated=stated) is None:
                        raise _of_this_machine(one.name, str(mirror))
                    if not stated:
                        self.unstated(str(mirror))
                    continue
                inner = path_inside(mirror, self.crate.root)
                if inner is None or self.crate.path(inner) is None:
                    raise _of_this_machine(one.name, str(path))
                if path.is_file() and not stated:
                    self._judge(inner, path)
        self.remark()

    def hold(self, staged: Iterable[StagedItem]) -> None:
        """Hold what was placed of the crate, folders too, against what is stated of it.

        Raises:
            DigestError: a file isn't what the metadata say.
            CrateError: (``strict``) nobody states a digest of one.
        """
        for one in staged:
            inside = None
            if one.item.pinned.startswith("file:"):
                inside = path_inside(Identifier.parse(one.item.pinned), self.crate.root)
            for placed in one.placed if inside is not None and one.item.path is not None else ():
                below = PurePosixPath(placed.path).relative_to(str(one.item.path))
                name = str(PurePosixPath(str(inside)) / below)
                stated = self._stated.get(name, {})
                if "sha256" in stated and stated["sha256"] != placed.sha256:
                    raise _wrong(name, "sha256", stated["sha256"], placed.sha256)
                path = self.crate.path(name)
                if name not in self._judged and path is not None:
                    self._judge(name, path)
        self.remark()

    def check(self, path: Path, name: str, stated: Mapping[str, str]) -> Fingerprint:
        """The fingerprint of a file of the crate, held against every digest that is stated of it.

        Raises:
            DigestError: one is another.
        """
        computing = {one: hashlib.new(one) for one in {"sha256", *stated} if one in hashlib.algorithms_guaranteed}
        with path.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                for one in computing.values():
                    one.update(chunk)
        for algorithm, expected in stated.items():
            actual = computing[algorithm].hexdigest() if algorithm in computing else expected
            if actual != expected.lower():
                raise _wrong(name, algorithm, expected, actual)
        self._judged.add(str(path.relative_to(self.crate.root)))
        return Fingerprint.parse(computing["sha256"].hexdigest())

    def unsure(self, remark: str) -> None:
        """Tell of what has to be taken for granted.

        Raises:
            CrateError: (``strict``) nothing is.
        """
        if self.strict:
            raise CrateError(
                remark, hint="import without --strict, if you trust the crate", where=str(self.crate.place)
            )
        if remark not in self.remarks:
            self.remarks.append(remark)

    def unstated(self, name: str) -> None:
        """Tell of a file or an address of which nobody states a digest.

        Raises:
            CrateError: (``strict``) there is none.
        """
        if self.strict:
            self.unsure(f"nobody states a digest of {name}")
        self._unstated.setdefault(name, False)

    def remark(self) -> None:
        """Make remarks of what is unstated and not told yet: of many files, as a repository has, only one."""
        new = [name for name, told in self._unstated.items() if not told]
        self._unstated.update(dict.fromkeys(new, True))
        if len(new) > _SHOWN:
            shown = ", ".join(new[:_SHOWN])
            self.unsure(f"nobody states a digest of {len(new)} files: {shown} and {len(new) - _SHOWN} more")
        else:
            for name in new:
                self.unsure(f"nobody states a digest of {name}")

    def check_all(self) -> None:
        """Hold every file of the crate of which a digest is stated against it, what the runs made, too.

        Raises:
            DigestError: one is another.
        """
        for name, stated in self._stated.items():
            path = self.crate.path(name) if stated else None
            if path is not None and path.is_file():
                self.check(path, name, stated)

    @cached_property
    def _stated(self) -> Mapping[str, Mapping[str, str]]:
        """What is stated of the crate's files, by their paths; the metadata are what was read."""
        stated = {one.path: one.digests for one in self.account.data if one.kind == "file" and one.path is not None}
        return {**stated, self.crate.described_by: {"sha256": hashlib.sha256(self.crate.metadata).hexdigest()}}

    @cached_property
    def _unstated(self) -> dict[str, bool]:
        """What nobody states a digest of, and whether that was told."""
        return {}

    @cached_property
    def _judged(self) -> set[str]:
        """The paths of the files that were looked at already."""
        return set()

    def _judge(self, name: str, path: Path) -> None:
        stated = self._stated.get(name, {})
        self.check(path, name, stated)
        if not stated:
            self.unstated(name)


def _wrong(name: str, algorithm: str, expected: str, actual: str) -> DigestError:
    return DigestError(
        f"the {algorithm} of {name} in the crate is {actual}, its metadata say {expected}",
        hint="the crate was changed after it was made: don't trust it",
        where=name,
        path=name,
        expected=expected,
        actual=actual,
    )


def _of_this_machine(name: str, place: str) -> PolicyError:
    return PolicyError(
        f"the crate would have {place}, which is not in it, as its {name!r}",
        hint="don't trust the crate",
        where=name,
    )
