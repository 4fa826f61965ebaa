"""Verify: every digest and size that a crate states against its files, its signed list and whoever signed it.

Each file that was changed, is missing, or was added makes one problem, told by whoever is to be believed most: a signed
list first, then the metadata. Where the signed list says that the metadata were changed, what they say counts no more.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from staging.crate_source import METADATA
from staging.crowded import is_crowded
from staging.errors import CrateError, DigestError, PolicyError, WfexsError
from staging.fingerprints import CHUNK, Tree, TreeEntry
from staging.lock_files import LARGEST_LOCK
from staging.plan import Plan
from staging.workdir import LOCK
from wfexs_like.reading.contents import Contents, open_crate
from wfexs_like.reading.metadata import LARGEST_METADATA, WHAT
from wfexs_like.seal.file_lists import FileList
from wfexs_like.seal.headers import header_length
from wfexs_like.seal.manifests import SUFFIX
from wfexs_like.seal.naming import BODY_DIGEST, MANIFEST, SIGNATURE
from wfexs_like.seal.trusted import Trusted
from wfexs_like.verifying.report import Problem, VerifyReport
from wfexs_like.verifying.signed import compare_names, read_signed_list
from wfexs_like.verifying.statements import Statement, Statements, read_statements

PREVIEW: Final = "ro-crate-preview.html"
_PREVIEW_FILES: Final = "ro-crate-preview_files/"
_AT_ONCE: Final = 2


def verify_crate(path: Path, *, trusted: Trusted | None = None, lock: Plan | None = None) -> VerifyReport:
    """Verify a crate in a folder or a zip. Nothing is fetched, and nothing in it is followed out of it.

    Args:
        path: the crate.
        trusted: who must have signed it; ``None``: anybody, or nobody.
        lock: the lock that its runs must have been made by.

    Raises:
        NotFoundError: there is nothing at ``path``.
        CrateError: it is no crate.
        ArchiveError: a zip is damaged. PolicyError: it could do harm.
    """
    with open_crate(path) as contents:
        return _Verification(path, contents).run(trusted, lock)


@dataclass(slots=True)
class _Work:
    """What is to be computed of a file, and what it must come to: values by algorithm, and who says so of which path.

    That is another path than the file's own where a link leads to it.
    """

    wanted: dict[str, list[tuple[str, str, str]]] = field(default_factory=dict)

    def want(self, algorithm: str, value: str, by: str, name: str) -> None:
        self.wanted.setdefault(algorithm, []).append((value, by, name))


class _Verification:
    """One crate being verified."""

    def __init__(self, path: Path, contents: Contents) -> None:
        self._path = path
        self._contents = contents
        self._problems: dict[str, str] = {}
        self._told: list[str] = []
        self._names = sorted((*contents.members, *contents.links))
        self._add(contents.refused)
        self._work: dict[str, _Work] = {}
        self._described: set[str] = set()
        self._computed: dict[str, dict[str, str]] = {}
        self._trees: dict[str, str] = {}

    def run(self, trusted: Trusted | None, lock: Plan | None) -> VerifyReport:
        said = self._statements()
        signed = read_signed_list(self._contents, said, trusted)
        self._add(signed.problems)
        if signed.files is not None:
            self._add(compare_names(self._contents, signed.files, signed=signed.good))
            self._want_listed(signed.files, signed=signed.good)
        if LOCK in self._contents.openers:
            with suppress(CrateError):  # which is told where the lock is compared
                self._contents.read(LOCK, LARGEST_LOCK)
        # The metadata go first: what they say of others counts only as long as they are as they were signed.
        self._compute([METADATA])
        believed = METADATA not in self._problems
        if believed:
            self._want_stated(said)
        # The deepest come first: what is told of one is not told of those around it.
        trees = sorted(
            (one for one in said.files if believed and one.tree is not None), key=lambda one: -one.paths[0].count("/")
        )
        self._want_trees(trees)
        self._compute(sorted(self._work.keys() - {METADATA}))
        for one in trees:
            self._compare_tree(one)
        if believed:
            if signed.files is None:
                self._add(self._surplus(said))
            self._add_first(METADATA, said.faults)
            for identifier in said.astray:
                self._add({identifier[:200]: "is described, and leads out of the crate"})
        lock_digest = self._lock_digest(said, lock)
        read = [one for one in self._computed if self._computed[one]]
        return VerifyReport(
            path=self._path,
            problems=tuple(Problem(path=one, problem=self._problems[one]) for one in sorted(self._problems)),
            files=len(read),
            size=sum(self._contents.members[one].size for one in read),
            digests=sum(len(values) for one in read for values in self._work[one].wanted.values()),
            undescribed=len(self._contents.openers.keys() - set(read) - {MANIFEST, SIGNATURE, METADATA}),
            sealed=sum(one.sealed for one in said.files),
            elsewhere=said.elsewhere,
            signature=signed.signature,
            name=said.name,
            published=said.published,
            runs=said.runs,
            lock_digest=lock_digest,
        )

    def _statements(self) -> Statements:
        if METADATA not in self._contents.openers:
            if METADATA not in self._contents.refused and MANIFEST not in self._contents.openers:
                raise CrateError(
                    f"{self._path} is no crate: it has no {METADATA}", hint="name the crate's own folder or zip"
                )
            self._add({METADATA: "is missing"})
            return Statements()
        try:
            return read_statements(self._contents.read(METADATA, LARGEST_METADATA))
        except (CrateError, PolicyError) as error:
            self._add({METADATA: error.message.removeprefix(WHAT)})
            return Statements()

    def _add(self, problems: Mapping[str, str]) -> None:
        for path, problem in problems.items():
            if path not in self._problems:
                self._problems[path] = problem
                insort(self._told, path)

    def _add_first(self, path: str, faults: tuple[str, ...]) -> None:
        if faults:
            more = f", and {len(faults) - 1} more faults" if len(faults) > 1 else ""
            self._add({path: f"is not as it must be: {faults[0]}{more}"})

    def _want(self, path: str, algorithm: str, value: str, by: str, *, name: str = "") -> None:
        self._work.setdefault(path, _Work()).want(algorithm, value, by, name or path)

    def _want_listed(self, listed: FileList, *, signed: bool) -> None:
        by = "the signed list" if signed else MANIFEST
        for one in listed.files:
            if one.path in self._contents.openers:
                self._want(one.path, "sha512", one.digest, by)

    def _want_stated(self, said: Statements) -> None:
        for one in sorted(said.files, key=lambda one: one.folder):
            path = next((found for text in one.paths if (found := self._contents.resolve(text)) is not None), None)
            if path is None:
                known = any(text in self._problems or _below(self._told, text) for text in one.paths)
                if one.must_be and not known:
                    kind = "folder" if one.folder else "file"
                    self._add({one.paths[0]: f"is missing: the metadata describe a {kind} of that name"})
                continue
            self._described.add(path)
            self._described |= {text for text in one.paths if text in self._contents.links}
            name = next((text for text in one.paths if text in self._contents.links), path)
            if one.fault is not None:
                self._add({path: one.fault})
            if one.folder or path not in self._contents.openers:
                if one.must_be and one.folder != (path in self._contents.folders):
                    self._add({path: f"is {'no folder' if one.folder else 'a folder'}, against the metadata"})
                continue
            size = self._contents.members[path].size
            if one.size is not None and one.size != size:
                self._add({name: f"has {size} bytes, the metadata say {one.size}"})
            if one.body is not None:
                self._want(path, BODY_DIGEST, one.body, "the metadata", name=name)
            for algorithm, values in one.digests.items():
                for value in values:
                    self._want(path, algorithm, value, "the metadata", name=name)

    def _want_trees(self, trees: Iterable[Statement]) -> None:
        for one in trees:
            for path in _below(self._names, one.paths[0]):
                if path in self._contents.openers:
                    self._work.setdefault(path, _Work()).wanted.setdefault("sha256", [])

    def _compute(self, paths: list[str]) -> None:
        """Read files, once each, and compare."""
        paths = [one for one in paths if one in self._work and one in self._contents.openers]
        with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
            for path, found in zip(paths, pool.map(self._hash, paths), strict=True):
                if isinstance(found, str):
                    self._computed[path] = {}
                    self._add({path: found})
                    continue
                self._computed[path] = found
                for algorithm, claims in self._work[path].wanted.items():
                    for value, by, name in claims:
                        if value != found[algorithm]:
                            may_be = name.endswith(SUFFIX) and algorithm != BODY_DIGEST
                            shared = " (so it is after a change of recipients)" if may_be else ""
                            actual = found[algorithm]
                            self._add({name: f"was changed: its {algorithm} is {actual}, {by} says {value}{shared}"})

    def _hash(self, path: str) -> dict[str, str] | str:
        # A stated sha1 or md5 attests little, but must be true.
        names = {one: "sha256" if one == BODY_DIGEST else one for one in self._work[path].wanted}
        hashers = {one: hashlib.new(name, usedforsecurity=False) for one, name in names.items()}
        body = hashers.pop(BODY_DIGEST, None)
        size = skipped = 0
        try:
            if body is not None:
                with self._contents.open(path) as stream:
                    skipped = header_length(stream, name=path)  # type: ignore[arg-type]  # read
            with self._contents.open(path) as stream:
                while chunk := stream.read(CHUNK):
                    if body is not None:
                        body.update(memoryview(chunk)[max(0, skipped - size) :])
                    size += len(chunk)
                    for hasher in hashers.values():
                        hasher.update(chunk)
        except self._contents.errors as error:
            return f"can't be read: {error}"[:300]
        except DigestError as error:
            return f"was changed: {error.message}"
        if body is not None:
            hashers[BODY_DIGEST] = body
        if size != self._contents.members[path].size:
            return f"has {size} bytes, and had {self._contents.members[path].size} a moment ago"
        return {name: hasher.hexdigest() for name, hasher in hashers.items()}

    def _compare_tree(self, said: Statement) -> None:
        """A folder's own digest; a problem of a file in it is told already, and not once more of the folder."""
        folder = said.paths[0]
        start = f"{folder}/"
        if folder in self._problems or _below(self._told, folder) or self._trees.get(folder) == said.tree:
            return  # a folder may be told of under many spellings of its name
        inside = _below(self._names, folder)
        entries = []
        for path in inside:
            inner = path.removeprefix(start)
            if path in self._contents.links:
                entries.append(TreeEntry(kind="l", path=inner, digest=self._contents.links[path]))
            elif path in self._contents.openers:
                member = self._contents.members[path]
                digest = self._computed[path]["sha256"]
                entries.append(TreeEntry(kind=member.kind, path=inner, digest=digest, size=member.size))
            else:
                entries.append(TreeEntry(kind="d", path=inner))
        try:
            actual = Tree.of(entries).fingerprint.digest
        except PolicyError as error:
            self._add({folder: error.message})
            return
        self._trees[folder] = actual
        if actual == said.tree:
            return
        added = [one for one in inside if one in self._contents.openers and one not in self._described]
        if added and any(one in self._described for one in inside):
            self._add(dict.fromkeys(added, "is not described by the metadata: it was added"))
        else:
            self._add({folder: f"was changed: its sha256 by the tree rule is {actual}, the metadata say {said.tree}"})

    def _surplus(self, said: Statements) -> dict[str, str]:
        """Files that nobody speaks of. Those below a folder that is described as a whole are its own."""
        known = {METADATA, PREVIEW, MANIFEST, SIGNATURE}
        folders = {path for one in said.files if one.folder and one.must_be for path in one.paths}
        return {
            path: "is not described by the metadata: it was added"
            for path in (*self._contents.openers, *self._contents.links)
            if path not in self._described
            and path not in known
            and not path.startswith(_PREVIEW_FILES)
            and not any(parent in folders for parent in _parents(path))
        }

    def _lock_digest(self, said: Statements, lock: Plan | None) -> str | None:
        """The digest of the lock that the crate's runs were made by: as stated, and as the lock in it has it."""
        digest, place = said.lock_digest, METADATA
        if LOCK in self._contents.openers:
            try:
                text = self._contents.read(LOCK, LARGEST_LOCK)
                found = None if is_crowded(text) else str(Plan.parse(text, file=LOCK).digest)
            except WfexsError:
                found = None
            if digest is not None and found is None:
                self._add({LOCK: f"is no lock: the metadata say that its digest is {digest}"})
            if digest is not None and found is not None and found != digest:
                self._add({LOCK: f"is another lock: its digest is {found}, the metadata say {digest}"})
            digest, place = (digest, place) if digest is not None else (found, LOCK)
        if lock is not None and digest != str(lock.digest):
            told = f"its lock's digest is {digest}" if digest is not None else "it names no lock"
            # It is a fault of the crate as a whole, whatever else is wrong with the file that says so.
            self._add({"./" if place in self._problems else place: f"is of another lock: {told}, not {lock.digest}"})
        return digest


def _below(names: Sequence[str], folder: str) -> Sequence[str]:
    """Those of the sorted ``names`` that lie below ``folder``."""
    # "0" is the character after "/".
    return names[bisect_left(names, f"{folder}/") : bisect_left(names, f"{folder}0")]


def _parents(path: str) -> Iterator[str]:
    while path := path.rpartition("/")[0]:
        yield path
