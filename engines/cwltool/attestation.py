"""Attestation: which bytes an installed engine is made of, and that they are still those its packages promised.

The fingerprint rule: for every package of the engine, sorted by name, one line ``name==version``, then a line
``sha256 TAB size TAB path`` for each file that its RECORD lists, sorted by path; the fingerprint is the sha256 of that
text. Left out: what is not the package's own and differs from one installation to the next (compiled ``.pyc`` files in
``__pycache__``, ``INSTALLER``, ``REQUESTED``, ``direct_url.json``, ``RECORD`` itself, and what is installed outside
the library folder: console scripts, which nothing here uses, and manual pages).
Source: PyPA specification "Recording installed projects".
"""

from __future__ import annotations

import base64
import binascii
import csv
import hashlib
import json
import os
import re
import secrets
import time
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from operator import attrgetter
from pathlib import Path

from staging.errors import DigestError, EngineError, from_os_error
from staging.fingerprints import Fingerprint, StatSignature

_NOT_THE_PACKAGES = frozenset({"INSTALLER", "REQUESTED", "RECORD", "direct_url.json", "uv_cache.json", "uv_build.json"})
_CACHE = "__pycache__"
_SEPARATORS = re.compile(r"[-_.]+")
_stamps = attrgetter("st_dev", "st_ino", "st_size", "st_mtime_ns", "st_ctime_ns")
_STAMPS = 5
_name = attrgetter("name")
_SCHEMA = "wfexs-like/engine-attestation/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attestation:
    """What attests an engine: ``fingerprint`` (64 hex digits) and ``size`` (bytes) of its files, by the module's rule.

    ``roots`` are the files and folders that hold them. ``signature`` stands for the stat signatures of everything below
    those; empty when a file was too young to be trusted by its stat signature.
    """

    version: str
    fingerprint: str
    size: int
    roots: tuple[str, ...]
    signature: str

    def still_holds(self) -> bool:
        """Whether nothing below the roots was touched, added or removed since. Reads no file."""
        return bool(self.signature) and self.signature == _signature(self.roots)[0]

    def write(self, path: Path) -> None:
        """Keep it in a file.

        Raises:
            WfexsError: the folder can't be written.
        """
        record = {
            "schema": _SCHEMA,
            "version": self.version,
            "fingerprint": self.fingerprint,
            "size": self.size,
            "roots": list(self.roots),
            "signature": self.signature,
        }
        beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            beside.write_text(json.dumps(record, indent=1), encoding="utf-8")
            beside.replace(path)
        except OSError as error:
            beside.unlink(missing_ok=True)
            raise from_os_error(error, "remember what attests the engine") from error

    @classmethod
    def read(cls, path: Path) -> Attestation | None:
        """Read it back; ``None`` when there is none, or none that can be read."""
        try:
            record = json.loads(path.read_bytes())
            if record["schema"] != _SCHEMA:
                return None
            return cls(
                version=str(record["version"]),
                fingerprint=Fingerprint.parse(record["fingerprint"]).digest,
                size=int(record["size"]),
                roots=tuple(str(one) for one in record["roots"]),
                signature=str(record["signature"]),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None


def normalised(name: str) -> str:
    """A package's name as all its spellings share it (PyPA specification "Names and normalization")."""
    return _SEPARATORS.sub("-", name).lower()


def closure(name: str) -> tuple[Distribution, ...]:
    """The installed package ``name`` of this interpreter and all that it needs, sorted by name.

    Raises:
        EngineError: one of them is not installed.
    """
    from packaging.requirements import InvalidRequirement, Requirement

    found: dict[str, Distribution] = {}
    extras: dict[str, frozenset[str]] = {}
    pending = [(name, frozenset({""}), "wfexs-like")]
    while pending:
        wanted, asked, asker = pending.pop()
        key = normalised(wanted)
        before = extras.get(key)
        if before is not None and asked <= before:
            continue
        extras[key] = asked | (before or frozenset())
        try:
            installed = found.setdefault(key, distribution(wanted))
            needed = [Requirement(line) for line in installed.requires or ()]
        except (PackageNotFoundError, InvalidRequirement) as error:
            raise EngineError(
                f"the package {wanted!r}, which {asker} needs, is not installed",
                hint="install wfexs-like again with all that it depends on",
            ) from error
        pending.extend(
            (one.name, frozenset(one.extras) | {""}, wanted)
            for one in needed
            if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in extras[key])
        )
    return tuple(found[key] for key in sorted(found))


def installed_in(site: Path) -> tuple[Distribution, ...]:
    """Every package of one library folder, sorted by name."""
    return tuple(sorted(distributions(path=[str(site)]), key=lambda one: normalised(one.name)))


def attest(packages: Sequence[Distribution], version: str) -> Attestation:
    """Read every file of the packages and compare it with what its package promised.

    Raises:
        DigestError: a file is not the one that was installed, is missing, or was added to a package's folder.
        EngineError: a package doesn't say which files it is made of.
    """
    started = time.time_ns()
    lines: list[str] = []
    roots: set[str] = set()
    known: set[str] = set()
    size = 0
    for package in packages:
        lines.append(f"{normalised(package.name)}=={package.version}\n")
        base = os.path.realpath(str(package.locate_file("")))
        for listed in sorted(_recorded(package, base), key=lambda one: one.path):
            full = f"{base}/{listed.path}"
            known.add(full)
            roots.add(f"{base}/{listed.path.partition('/')[0]}")
            if listed.is_ours:
                continue
            content = _read(full, package)
            digest = hashlib.sha256(content).hexdigest()
            _compare(full, content, digest, listed, package)
            lines.append(f"{digest}\t{len(content)}\t{listed.path}\n")
            size += len(content)
    ordered = tuple(sorted(roots))
    # Taken after the reading, and kept only when every file had settled before it: what changed meanwhile is younger.
    signature, newest = _signature(ordered)
    settled = StatSignature(device=0, inode=0, size=0, mtime_ns=newest, ctime_ns=newest).is_settled(started)
    _refuse_surplus(ordered, known)
    return Attestation(
        version=version,
        fingerprint=hashlib.sha256("".join(lines).encode()).hexdigest(),
        size=size,
        roots=ordered,
        signature=signature if settled else "",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    """One line of a RECORD: ``promise`` is ``algorithm=digest`` in URL-safe base 64, empty for what has none."""

    path: str
    promise: str

    @property
    def is_ours(self) -> bool:
        """Whether the file was written by the installer and is not the package's own."""
        folder, _, name = self.path.rpartition("/")
        return folder.endswith(".dist-info") and "/" not in folder and name in _NOT_THE_PACKAGES


def _recorded(package: Distribution, base: str) -> Iterator[_Listed]:
    text = package.read_text("RECORD")
    if text is None:
        raise EngineError(
            f"the files of {package.name} {package.version} can't be verified: its installation has no RECORD",
            hint="install it with pip or uv from a wheel",
            where=base,
        )
    for row in csv.reader(text.splitlines()):
        if not row:
            continue
        path = row[0].replace("\\", "/")
        if os.path.isabs(path):  # noqa: PTH117 - text of a record
            path = os.path.relpath(path, base)
        if path.startswith("../") or _CACHE in path.split("/"):
            continue
        yield _Listed(path=path, promise=row[1] if len(row) > 1 else "")


def _read(full: str, package: Distribution) -> bytes:
    try:
        with open(full, "rb") as stream:  # noqa: PTH123 - thousands of files; a Path each is a third of the time
            return stream.read()
    except FileNotFoundError as error:
        raise DigestError(
            f"a file of the engine is missing: {full} (package {package.name})",
            hint="install that package again",
            where=full,
        ) from error
    except OSError as error:
        raise from_os_error(error, "read the engine's files") from error


def _compare(full: str, content: bytes, digest: str, listed: _Listed, package: Distribution) -> None:
    if not listed.promise:
        return
    algorithm, _, text = listed.promise.partition("=")
    try:
        expected = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).hex()
        actual = digest if algorithm == "sha256" else hashlib.new(algorithm, content).hexdigest()
    except (ValueError, binascii.Error, TypeError) as error:
        raise EngineError(
            f"the RECORD of {package.name} {package.version} can't be read: {listed.promise!r}", where=full
        ) from error
    if expected != actual:
        raise DigestError(
            f"{algorithm} of the engine's file {full} is {actual}, its package {package.name} {package.version}"
            f" says {expected}",
            hint="somebody changed it since it was installed: install that package again",
            where=full,
            expected=expected,
            actual=actual,
        )


def _refuse_surplus(roots: Iterable[str], known: set[str]) -> None:
    paths = (f"{folder}/{name}" for folder, names in _survey(roots)[0] for name in names)
    surplus = [path for path in paths if path not in known]
    if not surplus:
        return
    # A folder may be shared (a namespace package): what another package lists there is its own.
    bases = {os.path.dirname(root) for root in roots}  # noqa: PTH120 - text
    for base in bases:
        for package in distributions(path=[base]):
            text = package.read_text("RECORD") or ""
            known.update(f"{base}/{row[0]}" for row in csv.reader(text.splitlines()) if row)
    for path in surplus:
        if path not in known:
            raise DigestError(
                f"there is a file among the engine's that no package put there: {path}",
                hint="remove it, or install the engine again",
                where=path,
            )


def _signature(roots: Iterable[str]) -> tuple[str, int]:
    """One digest over the stat signatures of all files below the roots, and the newest stamp among them (ns)."""
    try:
        names, numbers = _survey(roots)
        digest = hashlib.sha256("\0".join(f"{folder}\0{chr(0).join(inside)}" for folder, inside in names).encode())
        digest.update(array("q", numbers).tobytes())
    except (OSError, OverflowError, UnicodeEncodeError):
        return "", 0
    return digest.hexdigest(), max((*numbers[3::_STAMPS], *numbers[4::_STAMPS]), default=0)


def _survey(roots: Iterable[str]) -> tuple[list[tuple[str, list[str]]], list[int]]:
    """The names of all files at or below the roots by folder (compiled ones left out), and the stat signature of each.

    Some five thousand files, looked at whenever an engine is used: hence one flat list and no object for each.
    """
    found: list[tuple[str, list[str]]] = []
    numbers: list[int] = []
    pending = sorted(roots, reverse=True)
    while pending:
        place = pending.pop()
        try:
            folder = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except NotADirectoryError:
            numbers.extend(_stamps(os.stat(place)))  # noqa: PTH116 - as above
            found.append((os.path.dirname(place), [os.path.basename(place)]))  # noqa: PTH119, PTH120 - as above
            continue
        inside: list[str] = []
        try:
            # Through a descriptor the kernel doesn't walk the whole path again for every file: half the time.
            with os.scandir(folder) as entries:
                for child in sorted(entries, key=_name):
                    if not child.is_dir(follow_symlinks=False):
                        inside.append(child.name)
                        numbers.extend(_stamps(child.stat()))
                    elif child.name != _CACHE:
                        pending.append(f"{place}/{child.name}")
        finally:
            os.close(folder)
        found.append((place, inside))
    return found, numbers
