"""Kept back: bytes that must not be disclosed or copied, to be known again in what a run made.

A tool may copy an input, or one file of an input folder, to an output or into an output folder. Such an output is as
secret as what is in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path, PurePosixPath

from staging.errors import DigestError, NotFoundError
from staging.fingerprints import Tree
from staging.paths import safe_join
from staging.plan import Kind, PlanItem

_EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


class KeptBack:
    """The items of ``staged`` marked ``disclosable: false`` or ``clonable: false``, by the digests of their bytes."""

    def __init__(self, content: Path, staged: Iterable[PlanItem]) -> None:
        self.content = content
        # What must not even be told of comes last, so that it wins where both have the same bytes.
        found = [item for item in staged if not (item.disclosable and item.clonable)]
        self.items = sorted(found, key=lambda item: not item.disclosable)

    @cached_property
    def _by_digest(self) -> dict[str, PlanItem]:
        known: dict[str, PlanItem] = {}
        for item in self.items:
            known[item.fingerprint.digest] = item
            if item.kind is Kind.DIRECTORY and item.path is not None:
                tree = self._tree(item.path)
                if tree.fingerprint != item.fingerprint:
                    raise DigestError(
                        f"the input {item.name!r} is not what was staged",
                        where=item.name,
                        hint="what must be kept out of the crate can't be known from it: stage again",
                        path=str(item.path),
                        expected=str(item.fingerprint),
                        actual=str(tree.fingerprint),
                    )
                known.update({entry.digest: item for entry in tree.entries if entry.kind in "fx"})
        known.pop(_EMPTY, None)
        return known

    def _tree(self, path: PurePosixPath | str) -> Tree:
        root = safe_join(self.content, str(path))
        if not root.is_dir():
            raise NotFoundError(f"the folder {str(path)!r} is no longer in the working directory", where=str(path))
        return Tree.of_directory(root)

    def file(self, sha256: str | None) -> PlanItem | None:
        """The item that a file with this digest belongs to."""
        return self._by_digest.get(sha256 or "") if self.items else None

    def folder(self, path: PurePosixPath | None, sha256: str | None) -> PlanItem | None:
        """The item that a folder with this tree digest, or any file in it, belongs to.

        Raises:
            NotFoundError: there is no folder at ``path``.
            DigestError: an input folder that must be kept back was changed since it was staged.
        """
        if not self.items:
            return None
        found = [self.file(sha256)]
        if path is not None:
            found += [self.file(entry.digest) for entry in self._tree(path).entries if entry.kind in "fx"]
        return max((one for one in found if one), key=lambda item: not item.disclosable, default=None)
