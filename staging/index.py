"""The store's index: what is remembered of objects, of where they came from, and of who uses them. One SQLite file.

Nothing in it is believed about bytes without a look at the file system: an object's row says which stat signature its
bytes had when they were hashed. A lost or damaged index makes the store slower (objects are hashed again, sources asked
again) and forgets provenance, and never makes it wrong.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from staging.errors import DiskError, LockedError, WfexsError, from_os_error
from staging.fingerprints import Fingerprint, StatSignature
from staging.placing import make_folders
from staging.plan import Kind

_VERSION = 2
_PATIENCE = 30.0
_WORD = 1 << 64
_ROOM = 1 << 16  # bytes; what a new index and its log need at least
_CHUNK = 500  # SQLite's oldest limit on variables in a statement is 999

_TABLES = """
CREATE TABLE IF NOT EXISTS objects (
  name TEXT PRIMARY KEY, device INTEGER, inode INTEGER, size INTEGER, mtime_ns INTEGER, ctime_ns INTEGER,
  verified TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS objects_by_inode ON objects (inode, device);
CREATE TABLE IF NOT EXISTS origins (
  identifier TEXT PRIMARY KEY, kind TEXT NOT NULL, sha256 TEXT NOT NULL, size INTEGER NOT NULL,
  validators TEXT NOT NULL, hops TEXT NOT NULL, licences TEXT NOT NULL, stated TEXT NOT NULL,
  media_type TEXT, suggested TEXT,
  fetched TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS origins_by_sha256 ON origins (sha256);
CREATE TABLE IF NOT EXISTS asked (
  identifier TEXT PRIMARY KEY, pinned TEXT NOT NULL, token TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS uses (
  home TEXT NOT NULL, workdir TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (home, workdir, name)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS uses_by_name ON uses (name);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a content came from: the store's record of one fetch.

    ``identifier`` is the pinned one, ``hops`` the further ones on the way to the bytes. ``validators`` are the source's
    marks of the version. ``fetched`` is the time of the download (ISO 8601, UTC), ``suggested`` a base name that the
    source gave. ``licences`` are those that the source itself tells, ``stated`` those in the stage file that asked.
    """

    identifier: str
    kind: Kind
    fingerprint: Fingerprint
    size: int
    fetched: str
    validators: Mapping[str, str] = field(default_factory=dict)
    hops: tuple[str, ...] = ()
    licences: tuple[str, ...] = ()
    stated: tuple[str, ...] = ()
    media_type: str | None = None
    suggested: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What an identifier meant when it was last asked for; ``token`` is a new one each time its source was asked."""

    pinned: str
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A working directory (``workdir``, its id, below the folder ``home``) that holds the object ``name``."""

    home: str
    workdir: str
    name: str


class _OutdatedError(Exception):
    """The file was made by an older version: a new one is made of the objects."""


class Index:
    """The SQLite file, opened when first needed. All methods may be called from any thread.

    Raises (every method):
        DiskError: the disk is full.
        LockedError: other processes kept it busy for half a minute.
        WfexsError: it can't be read or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None

    def close(self) -> None:
        """Close the file; it is opened again when needed."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    # -- objects -----------------------------------------------------------------------------------------------------

    def signatures(self, names: Sequence[str]) -> dict[str, StatSignature]:
        """The signatures of those objects that have one."""
        rows = self._select_in("SELECT name, device, inode, size, mtime_ns, ctime_ns FROM objects WHERE name", names)
        return {str(row[0]): _signature(row[1:]) for row in rows if row[1] is not None}

    def record(self, signatures: Mapping[str, StatSignature | None], *, verified: str) -> None:
        """Remember signatures (``None``: there, but to be hashed before its next use)."""
        rows = [
            (name, _signed(one.device), _signed(one.inode), one.size, one.mtime_ns, one.ctime_ns, verified)
            if one
            else (name, None, None, None, None, None, verified)
            for name, one in signatures.items()
        ]
        with self._transaction() as connection:
            connection.executemany("INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def move(self, signatures: Mapping[str, tuple[StatSignature, StatSignature]]) -> None:
        """Replace signatures, each only where the old one still stands (somebody else may have been there)."""
        with self._transaction() as connection:
            connection.executemany(
                "UPDATE objects SET ctime_ns = ? WHERE name = ? AND inode = ? AND device = ? AND ctime_ns = ?",
                [
                    (new.ctime_ns, name, _signed(old.inode), _signed(old.device), old.ctime_ns)
                    for name, (old, new) in signatures.items()
                ],
            )

    def by_inode(self, inodes: Sequence[int]) -> dict[tuple[int, int], tuple[str, StatSignature]]:
        """The objects with one of these inode numbers, by (device, inode)."""
        rows = self._select_in(
            "SELECT name, device, inode, size, mtime_ns, ctime_ns FROM objects WHERE inode",
            [_signed(inode) for inode in inodes],
        )
        found = [(str(row[0]), _signature(row[1:])) for row in rows]
        return {(signature.device, signature.inode): (name, signature) for name, signature in found}

    def verified(self) -> dict[str, str]:
        """All known objects: name to the time when their bytes were last hashed."""
        return {str(name): str(when) for name, when in self._select("SELECT name, verified FROM objects")}

    def forget(self, names: Iterable[str]) -> None:
        """Drop objects; their origins stay, so that they can be fetched again."""
        with self._transaction() as connection:
            connection.executemany("DELETE FROM objects WHERE name = ?", [(name,) for name in names])

    # -- origins -----------------------------------------------------------------------------------------------------

    def asked(self, identifiers: Sequence[str]) -> dict[str, Asked]:
        """What those identifiers meant when they were last asked for."""
        rows = self._select_in("SELECT identifier, pinned, token FROM asked WHERE identifier", identifiers)
        return {str(row[0]): Asked(pinned=str(row[1]), token=str(row[2])) for row in rows}

    def origins(self, pinned: Sequence[str]) -> dict[str, Origin]:
        """The origins with those pinned identifiers."""
        rows = self._select_in("SELECT * FROM origins WHERE identifier", pinned)
        return {str(row[0]): _origin(row) for row in rows}

    def origins_of(self, fingerprint: Fingerprint) -> tuple[Origin, ...]:
        """All origins of one content."""
        rows = self._select("SELECT * FROM origins WHERE sha256 = ? ORDER BY identifier", (fingerprint.digest,))
        return tuple(_origin(row) for row in rows)

    def all_origins(self) -> tuple[Origin, ...]:
        """Every origin, by identifier."""
        return tuple(_origin(row) for row in self._select("SELECT * FROM origins ORDER BY identifier"))

    def learn(self, origins: Mapping[str, Origin]) -> None:
        """Remember what each identifier asked means, as its source said just now."""
        rows = [
            (
                origin.identifier,
                origin.kind.value,
                origin.fingerprint.digest,
                origin.size,
                _text(dict(origin.validators)),
                _text(origin.hops),
                _text(origin.licences),
                _text(origin.stated),
                origin.media_type,
                origin.suggested,
                origin.fetched,
            )
            for origin in origins.values()
        ]
        meanings = [(asked, origin.identifier, secrets.token_hex(8)) for asked, origin in origins.items()]
        with self._transaction() as connection:
            connection.executemany("INSERT OR REPLACE INTO origins VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
            connection.executemany("INSERT OR REPLACE INTO asked VALUES (?, ?, ?)", meanings)

    def adopt(self, other: Index) -> None:
        """Remember all that another index knows of where contents came from, over what is known here."""
        origins, asked = other._select("SELECT * FROM origins"), other._select("SELECT * FROM asked")
        with self._transaction() as connection:
            connection.executemany("INSERT OR REPLACE INTO origins VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", origins)
            connection.executemany("INSERT OR REPLACE INTO asked VALUES (?, ?, ?)", asked)

    def unlearn(self, digests: Iterable[str]) -> None:
        """Forget where contents came from."""
        rows = [(digest,) for digest in digests]
        with self._transaction() as connection:
            connection.executemany(
                "DELETE FROM asked WHERE pinned IN (SELECT identifier FROM origins WHERE sha256 = ?)", rows
            )
            connection.executemany("DELETE FROM origins WHERE sha256 = ?", rows)

    # -- uses --------------------------------------------------------------------------------------------------------

    def use(self, home: str, workdir: str, names: Iterable[str]) -> None:
        """Remember that a working directory holds objects."""
        with self._transaction() as connection:
            connection.executemany(
                "INSERT OR IGNORE INTO uses VALUES (?, ?, ?)", [(home, workdir, name) for name in names]
            )

    def drop_uses(self, home: str, workdir: str) -> None:
        """A working directory holds nothing any more."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM uses WHERE home = ? AND workdir = ?", (home, workdir))

    def users(self) -> tuple[tuple[str, str], ...]:
        """Every (home, workdir) that holds something."""
        return tuple((str(a), str(b)) for a, b in self._select("SELECT DISTINCT home, workdir FROM uses"))

    def uses(self) -> tuple[Use, ...]:
        """Every use."""
        rows = self._select("SELECT home, workdir, name FROM uses")
        return tuple(Use(home=str(row[0]), workdir=str(row[1]), name=str(row[2])) for row in rows)

    # -- the connection ----------------------------------------------------------------------------------------------

    def _select(self, statement: str, values: Sequence[object] = ()) -> list[tuple[object, ...]]:
        with self._guard() as connection:
            return connection.execute(statement, values).fetchall()

    def _select_in(self, statement: str, values: Sequence[object]) -> list[tuple[object, ...]]:
        rows: list[tuple[object, ...]] = []
        with self._guard() as connection:
            for start in range(0, len(values), _CHUNK):
                chunk = values[start : start + _CHUNK]
                marks = ",".join("?" * len(chunk))
                rows += connection.execute(f"{statement} IN ({marks})", chunk).fetchall()
        return rows

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._guard() as connection:
            if connection.in_transaction:
                yield connection
                return
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    @contextlib.contextmanager
    def _guard(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = self._open()
                yield self._connection
            except sqlite3.Error as error:
                if self._connection is not None and self._connection.in_transaction:
                    with contextlib.suppress(sqlite3.Error):
                        self._connection.execute("ROLLBACK")
                raise self._translate(error) from error

    def _open(self) -> sqlite3.Connection:
        try:
            make_folders(self.path.parent)
            return self._connect()
        except OSError as error:
            raise from_os_error(error, "make the cache folder") from error
        except _OutdatedError:
            pass
        except sqlite3.DatabaseError as error:
            if _code(error) not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                raise
        self._set_aside()
        return self._connect()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False, cached_statements=64
        )
        try:
            _use_wal(connection)
            connection.execute("PRAGMA synchronous = NORMAL")
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if 0 < version < _VERSION:
                raise _OutdatedError
            if version > _VERSION:
                raise WfexsError(
                    f"the cache index {self.path} was made by a newer version of wfexs-like",
                    hint="use another cache folder (WFEXS_LIKE_CACHE), or delete this file: nothing but speed and "
                    "provenance is lost",
                )
            if version == 0:
                connection.execute("BEGIN IMMEDIATE")
                for statement in _TABLES.split(";\n"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {_VERSION}")
                connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
        return connection

    def _set_aside(self) -> None:
        """Move a damaged or old index out of the way, so that a new one is made of the objects."""
        for suffix in ("", "-wal", "-shm"):
            file = self.path.with_name(self.path.name + suffix)
            with contextlib.suppress(FileNotFoundError):
                os.replace(file, self.path.with_name(f"{self.path.name}.damaged{suffix}"))  # noqa: PTH105

    def _translate(self, error: sqlite3.Error) -> WfexsError:
        code = _code(error)
        if code == sqlite3.SQLITE_FULL or (
            code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN) and _is_full(self.path.parent)
        ):
            return DiskError(
                "cannot write the cache index: no space left on device",
                where=str(self.path),
                hint="free some space (wfexs-like cache gc, wfexs-like rm) and do it again: nothing was lost",
            )
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return LockedError(
                "the cache index is in use by other processes", where=str(self.path), hint="try again in a moment"
            )
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            self.close()
            self._set_aside()
            return WfexsError(
                f"the cache index was damaged and has been set aside: {error}",
                where=str(self.path),
                hint="do it again: a new index is made of the objects, which are all still there",
            )
        return WfexsError(
            f"cannot use the cache index {self.path}: {error}",
            where=str(self.path),
            hint="make the cache folder writable, or choose another one (WFEXS_LIKE_CACHE)",
        )


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to the write-ahead log. SQLite doesn't wait here as it does elsewhere when others switch at once."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _is_full(folder: Path) -> bool:
    """Whether there is no room for a small file: SQLite does not always say why it could not write."""
    probe = folder / f".room-{secrets.token_hex(4)}"
    try:
        try:
            with probe.open("xb") as stream:
                os.posix_fallocate(stream.fileno(), 0, _ROOM)
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return False


def _code(error: sqlite3.Error) -> int:
    """The primary result code; SQLite's extended codes keep it in the low byte."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _signature(row: Sequence[object]) -> StatSignature:
    device, inode, size, mtime_ns, ctime_ns = (one if isinstance(one, int) else 0 for one in row)
    return StatSignature(device=device % _WORD, inode=inode % _WORD, size=size, mtime_ns=mtime_ns, ctime_ns=ctime_ns)


def _signed(number: int) -> int:
    """An unsigned 64-bit number as SQLite can hold it (some file systems use the highest bit of an inode number)."""
    return number if number < _WORD // 2 else number - _WORD


def _origin(row: Sequence[object]) -> Origin:
    identifier, kind, sha256, size, validators, hops, licences, stated, media_type, suggested, fetched = row
    return Origin(
        identifier=str(identifier),
        kind=Kind(str(kind)),
        fingerprint=Fingerprint(digest=str(sha256)),
        size=int(str(size)),
        fetched=str(fetched),
        validators={str(key): str(value) for key, value in json.loads(str(validators)).items()},
        hops=tuple(json.loads(str(hops))),
        licences=tuple(json.loads(str(licences))),
        stated=tuple(json.loads(str(stated))),
        media_type=None if media_type is None else str(media_type),
        suggested=None if suggested is None else str(suggested),
    )
