"""Records: what attests the files of an installed engine, and those that are built beside it.

A file is known by its sha256; while its stat signature is the recorded one, nothing need be read.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any

from engines.base import EngineFile
from staging.errors import WfexsError
from staging.fingerprints import Fingerprint, StatSignature
from staging.placing import write_atomically

_SCHEMA = "wfexs-like/nextflow-engine/1"
_SIDE_SCHEMA = "wfexs-like/nextflow-built/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attested:
    """One file and what attests it. ``signature`` is ``None`` when the file was too young to be trusted by it."""

    file: EngineFile
    signature: StatSignature | None = None

    def is_untouched(self, path: Path) -> bool:
        """Whether its stat signature is the recorded one. Reads nothing."""
        try:
            return self.signature is not None and StatSignature.of(path) == self.signature
        except OSError:
            return False

    def looked_at(self, path: Path) -> Attested | None:
        """The same with a signature of now, when the bytes at ``path`` are still the attested ones."""
        now = attest(path, self.file.identifier)
        same = now is not None and now.file.sha256 == self.file.sha256
        return replace(self, signature=now.signature) if now is not None and same else None


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRecord:
    """What an installed engine is: its files in the order of the classpath, and where they came from.

    ``known`` says whether their digests shipped with us.
    """

    version: str
    source: str
    identifier: str
    known: bool
    files: tuple[Attested, ...]

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the files; see ``fingerprint_of``."""
        return fingerprint_of(one.file for one in self.files)

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(one.file.size for one in self.files)

    def write(self, path: Path) -> None:
        """Keep it.

        Raises:
            WfexsError: the folder can't be written.
        """
        record = {
            "schema": _SCHEMA,
            "version": self.version,
            "source": self.source,
            "identifier": self.identifier,
            "known": self.known,
            "files": [_as_json(one) for one in self.files],
        }
        _write(path, record)

    @classmethod
    def read(cls, path: Path) -> EngineRecord | None:
        """Read it back; ``None`` when there is none, or none that can be understood."""
        try:
            record = json.loads(path.read_bytes())
            if record["schema"] != _SCHEMA or not isinstance(record["known"], bool):
                return None
            return cls(
                version=str(record["version"]),
                source=str(record["source"]),
                identifier=str(record["identifier"]),
                known=record["known"],
                files=tuple(_from_json(one) for one in record["files"]),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None


def fingerprint_of(files: Iterable[EngineFile]) -> str:
    """The sha256 (hex) over the files, sorted by name, a line each: digest, tab, name."""
    lines = sorted((one.name, one.sha256) for one in files)
    return hashlib.sha256("".join(f"{sha256}\t{name}\n" for name, sha256 in lines).encode()).hexdigest()


def attest(path: Path, identifier: str = "") -> Attested | None:
    """Read the file; ``None`` when it can't be read. The signature is kept only where it had settled before."""
    try:
        started = time.time_ns()
        before = StatSignature.of(path)
        digest = Fingerprint.of_file(path).digest
        after = StatSignature.of(path)
    except OSError:
        return None
    trusted = after if after == before and after.is_settled(started) else None
    file = EngineFile(name=path.name, identifier=identifier, sha256=digest, size=after.size)
    return Attested(file=file, signature=trusted)


def keep_beside(path: Path) -> None:
    """Record what attests a file that was built here, in ``<name>.json`` beside it.

    Raises:
        OSError: it can't be read.
        WfexsError: its record can't be written.
    """
    attested = attest(path)
    if attested is None:
        raise FileNotFoundError(2, "No such file or directory", str(path))
    _write(_side(path), {"schema": _SIDE_SCHEMA, **_as_json(attested)})


def holds_beside(path: Path) -> bool:
    """Whether a file that was built here is still the one that was recorded; read only when it was touched."""
    try:
        record = json.loads(_side(path).read_bytes())
        attested = _from_json(record) if record["schema"] == _SIDE_SCHEMA else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
    if attested is None or attested.file.name != path.name:
        return False
    if attested.is_untouched(path):
        return True
    now = attested.looked_at(path)
    if now is None:
        return False
    if now.signature is not None:
        try:
            _write(_side(path), {"schema": _SIDE_SCHEMA, **_as_json(now)})
        except WfexsError:
            return True  # a cache that can't be written: the next look reads it again
    return True


def _side(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _as_json(one: Attested) -> dict[str, Any]:
    return {**one.file._asdict(), "signature": None if one.signature is None else list(astuple(one.signature))}


def _from_json(record: Mapping[str, Any]) -> Attested:
    name, stamps = str(record["name"]), record["signature"]
    if "/" in name or name in ("", ".", ".."):
        raise ValueError(name)
    device, inode, size, mtime, ctime = (int(stamp) for stamp in stamps) if stamps else (0, 0, 0, 0, 0)
    signature = StatSignature(device=device, inode=inode, size=size, mtime_ns=mtime, ctime_ns=ctime)
    return Attested(
        file=EngineFile(
            name=name,
            identifier=str(record["identifier"]),
            sha256=Fingerprint.parse(record["sha256"]).digest,
            size=int(record["size"]),
        ),
        signature=signature if stamps else None,
    )


def _write(path: Path, record: Mapping[str, Any]) -> None:
    write_atomically(path, json.dumps(record, indent=1).encode())
