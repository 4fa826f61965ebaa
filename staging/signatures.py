"""Signatures: a working directory's record of what its staged bytes were, and the check that they still are.

The record maps each staged file to its sha256 and its stat signature. It only saves reading: the plan's digests decide,
and a record that is missing, damaged or out of date means that files are hashed again.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import time
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from staging.errors import DigestError, NotFoundError, PolicyError, WfexsError, from_os_error
from staging.fingerprints import Fingerprint, StatSignature, Tree, TreeEntry, check_link, walk
from staging.objects import object_name
from staging.paths import safe_relative
from staging.placing import open_regular, write_atomically
from staging.plan import Kind, Plan, PlanItem
from staging.store import ContentStore

FILE = "signatures.json"
SCHEMA = "wfexs-like/signatures/1"
_SETTLE_AT_MOST = 0.05  # seconds
_REMEDY = "the staged bytes are no longer those of the lock: stage again, and remove this working directory"


@dataclass(slots=True)
class Signatures:
    """The record: path below the content folder to (sha256, signature)."""

    files: dict[str, tuple[str, StatSignature]] = field(default_factory=dict)

    def add(self, path: str, sha256: str, signature: StatSignature) -> None:
        """Remember a file."""
        self.files[path] = (sha256, signature)

    def settle(self, content: Path) -> None:
        """Wait until a further change would show, and drop those that changed meanwhile.

        The wait is the rest of one tick of the file system's clock; where the clock is coarser than that, the
        signatures are dropped, and the files hashed at their first use.
        """
        if not self.files:
            return
        newest = max(max(one.mtime_ns, one.ctime_ns) for _, one in self.files.values())
        missing = (newest + 21_000_000 - time.time_ns()) / 1e9
        if missing > 0:
            time.sleep(min(missing, _SETTLE_AT_MOST))
        now = time.time_ns()
        kept: dict[str, tuple[str, StatSignature]] = {}
        for path, (sha256, signature) in self.files.items():
            with contextlib.suppress(OSError):
                if signature.is_settled(now) and StatSignature.of(content / path) == signature:
                    kept[path] = (sha256, signature)
        self.files = kept

    def write(self, path: Path) -> None:
        """Write the record.

        Raises:
            DiskError: the disk is full.
        """
        rows = {
            name: [sha256, one.device, one.inode, one.size, one.mtime_ns, one.ctime_ns]
            for name, (sha256, one) in sorted(self.files.items())
        }
        content = {"schema": SCHEMA, "device": path.parent.stat().st_dev, "files": rows}
        write_atomically(path, (json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n").encode())

    @classmethod
    def read(cls, path: Path) -> Signatures:
        """Read the record; one that can't be used is empty.

        What lies on the folder's own device is looked for on the device that it is on now: an encrypted area has
        another number at each mount, and so may a disk after a start.
        """
        try:
            record = json.loads(path.read_bytes())
            if record["schema"] != SCHEMA:
                return cls()
            then, now = record.get("device"), path.parent.stat().st_dev
            return cls(
                {
                    str(name): (
                        str(sha256),
                        StatSignature(
                            device=now if device == then else device,
                            inode=inode,
                            size=size,
                            mtime_ns=mtime,
                            ctime_ns=ctime,
                        ),
                    )
                    for name, (sha256, device, inode, size, mtime, ctime) in record["files"].items()
                }
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return cls()


def verify_items(content: Path, plan: Plan, store: ContentStore | None, *, rehash: bool) -> None:
    """Make sure that every item of the plan that lies below ``content`` is what the plan attests.

    Raises:
        DigestError: one is not; names it, with both digests and what to do.
        NotFoundError: one is missing.
    """
    record = content / FILE
    check = _Check(content, Signatures() if rehash else Signatures.read(record), None if rehash else store)
    for item in plan.items:
        if item.path is None:
            continue
        path = content / item.path
        try:
            actual = check.item(path, item)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise _missing(item, path) from error
        except PolicyError as error:
            raise _changed(item, path, f"something else ({error.message})", check.changed) from error
        except OSError as error:
            raise from_os_error(error, f"read {path}") from error
        if actual != item.fingerprint:
            raise _changed(item, path, actual.digest, check.changed)
    if check.learnt and not rehash:
        # Only a convenience for the next time; a folder that can't be written is no reason to fail.
        with contextlib.suppress(WfexsError):
            check.known.write(record)


class _Check:
    """Finds out what files are, reading no more than it must."""

    def __init__(self, content: Path, known: Signatures, store: ContentStore | None) -> None:
        self.content = content
        self.known = known
        self.store = store
        self.changed: list[str] = []
        self.learnt = False
        self._ways: set[PurePosixPath] = set()
        self._objects: dict[str, StatSignature] = {}

    def item(self, path: Path, item: PlanItem) -> Fingerprint:
        self._check_way(item.path)
        status = path.lstat()
        if item.kind is Kind.DIRECTORY:
            return self._tree(path, str(item.path))
        if not stat.S_ISREG(status.st_mode):
            raise PolicyError("not a regular file")
        return Fingerprint(digest=self._digest(path, str(item.path), status, item.fingerprint.digest))

    def _check_way(self, relative: PurePosixPath | None) -> None:
        """Refuse a way to an item that leads through a link; each folder is looked at once."""
        assert relative is not None
        safe_relative(str(relative))
        parent = relative.parent
        while parent not in self._ways and parent != PurePosixPath():
            if stat.S_ISLNK((self.content / parent).lstat().st_mode):
                raise PolicyError(f"{str(parent)!r} is a link")
            self._ways.add(parent)
            parent = parent.parent

    def _tree(self, root: Path, name: str) -> Fingerprint:
        if not stat.S_ISDIR(root.lstat().st_mode):
            raise PolicyError("not a folder")
        entries: list[TreeEntry] = []
        for relative, status in walk(root):
            if stat.S_ISLNK(status.st_mode):
                target = os.readlink(root / relative)  # noqa: PTH115 - the text itself, not a Path
                check_link(relative, target)
                entries.append(TreeEntry(kind="l", path=relative, digest=target))
            elif stat.S_ISDIR(status.st_mode):
                entries.append(TreeEntry(kind="d", path=relative))
            elif stat.S_ISREG(status.st_mode):
                digest = self._digest(root / relative, f"{name}/{relative}", status)
                kind = "x" if status.st_mode & stat.S_IXUSR else "f"
                entries.append(TreeEntry(kind=kind, path=relative, digest=digest, size=status.st_size))
            else:
                raise PolicyError(f"{relative!r} is neither a file, a folder nor a link", where=relative)
        return Tree.of(entries).fingerprint

    def _digest(self, path: Path, name: str, status: os.stat_result, hoped: str = "") -> str:
        now = StatSignature.of_status(status)
        sha256, signature = self.known.files.get(name, (hoped, None))
        if signature == now:
            return sha256
        if sha256 and self._store_says(sha256, status) == now:
            self._learn(name, sha256, now)
            return sha256
        started = time.time_ns()
        with open_regular(path) as descriptor, open(descriptor, "rb", buffering=0, closefd=False) as stream:
            before = StatSignature.of(descriptor)
            actual = Fingerprint.of_stream(stream).digest
        if sha256 and actual != sha256:
            self.changed.append(name)
        if before == StatSignature.of(path) and before.is_settled(started):
            self._learn(name, actual, before)
        return actual

    def _store_says(self, sha256: str, status: os.stat_result) -> StatSignature | None:
        """What the store remembers of that object: a link made for another working directory changes ours."""
        if self.store is None:
            return None
        name = object_name(sha256, "x" if status.st_mode & stat.S_IXUSR else "f")
        if name not in self._objects:
            self._objects.update(self.store.index.signatures([name]))
        return self._objects.get(name)

    def _learn(self, name: str, sha256: str, signature: StatSignature) -> None:
        self.known.add(name, sha256, signature)
        self.learnt = True


def _missing(item: PlanItem, path: Path) -> WfexsError:
    return NotFoundError(
        f"the {item.role} {item.name!r} is missing from the working directory", where=str(path), hint=_REMEDY
    )


def _changed(item: PlanItem, path: Path, actual: str, changed: list[str]) -> WfexsError:
    which = f" (changed: {', '.join(changed[:3])})" if changed and item.kind is Kind.DIRECTORY else ""
    return DigestError(
        f"the {item.role} {item.name!r} was changed in the working directory: its sha256 is {actual}, the lock says "
        f"{item.fingerprint.digest}{which}",
        where=str(path),
        hint=_REMEDY,
        identifier=item.identifier,
        expected=item.fingerprint.digest,
        actual=actual,
    )
