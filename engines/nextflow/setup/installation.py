"""Installation: a version of Nextflow, set up once below the cache and checked whenever it is used.

``<cache>/engines/nextflow/<version>-<12 digits of its fingerprint>/`` holds the jars as they were fetched (``jars/``),
what attests them (``engine.json``), our own jar (``support_jar``) and the archive of classes (``class_data``). It is
made beside its place and gets its name when it is whole.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engines.base import EngineFile, InstalledEngine
from engines.nextflow.setup import support_jar, training
from engines.nextflow.setup.java import Java, find_java
from engines.nextflow.setup.launching import JARS
from engines.nextflow.setup.records import Attested, EngineRecord, attest, fingerprint_of
from engines.nextflow.setup.sources import (
    MAVEN,
    RELEASE,
    Source,
    UnreachableError,
    asked_source,
    compare,
    known_files,
    known_versions,
)
from engines.nextflow.setup.versions import DEFAULT, NAME, Version, check_version, is_version
from staging.errors import DigestError, EngineError, from_os_error
from staging.locks import LockFile
from staging.removing import remove_path

__all__ = ["Cached", "cached", "install", "known_versions", "verify"]

Say = Callable[[str], None]
Sources = Mapping[str, Source]

_RECORD = "engine.json"
_SETTLING = 0.03
_FOLDER = re.compile(r"(.+)-([0-9a-f]{12})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cached:
    """An engine in the cache. ``verified``: its files are, by what the file system says, those that were set up."""

    version: str
    source: str
    fingerprint: str
    size: int
    verified: bool
    home: Path


def install(
    version: str | None,
    cache: Path,
    say: Say,
    environment: Mapping[str, str],
    expected: str | None = None,
    *,
    sources: Sources | None = None,
) -> InstalledEngine:
    """Nextflow of that version (``None``: the default), ready to run; fetched and verified if need be.

    ``environment`` is the user's: where Java and mvn are, and ``WFEXS_LIKE_NEXTFLOW_SOURCE``. ``expected`` is the
    fingerprint that a lock has: of several engines of one version that one is taken, and when there is none the caller
    sees it by the fingerprint. ``say`` hears of what takes long, is trusted on first use or is another source than the
    first choice. Takes milliseconds when nothing is to be done.

    Raises:
        DefinitionError: that is no version.
        EngineError: there is no suitable Java, no such version, or it can't be set up here.
        DigestError: a file is not the one that is known or was set up before.
    """
    version = version or DEFAULT
    check_version(version)
    asked = asked_source(environment)
    java = find_java(version, environment)
    folder = _folder(cache)
    setup = _Setup(folder=folder, version=version, java=java, say=say, sources=sources or _sources(environment, java))
    chosen = _chosen(folder, version, expected, asked)
    if chosen is not None and (engine := setup.as_it_is(*chosen)) is not None:
        return engine
    with LockFile(folder / ".locks").hold(
        version,
        what=f"Nextflow {version} in the cache",
        waiting=lambda: say(f"somebody else is setting up Nextflow {version}: waiting for it"),
    ):
        try:
            return setup.locked(expected, asked)
        except OSError as error:
            raise from_os_error(error, f"set up Nextflow {version}") from error


def verify(engine: InstalledEngine, cache: Path) -> None:  # noqa: ARG001 - as its neighbour's
    """Check that an installed engine's bytes are still those of its fingerprint; a millisecond when nothing changed.

    Raises:
        DigestError: they are not.
        EngineError: it is not there any more.
    """
    record = None if engine.home is None else EngineRecord.read(engine.home / _RECORD)
    if record is None or engine.home is None:
        raise EngineError(
            f"Nextflow {engine.version} is not installed any more",
            hint="stage again to have it installed",
            where=str(engine.home),
        )
    damaged = [one for one in record.files if not _is_sound(engine.home, one)]
    if record.fingerprint != engine.fingerprint or damaged:
        names = ", ".join(one.file.name for one in damaged) or "all of it"
        raise DigestError(
            f"Nextflow {engine.version} is not what it was when it was staged: {names}",
            hint="its files were changed since; stage again to have them fetched again",
            identifier=engine.identifier,
            expected=engine.fingerprint,
            actual=record.fingerprint,
        )


def cached(cache: Path) -> tuple[Cached, ...]:
    """The engines in the cache, oldest version first. Reads no file but their records."""
    found = [
        Cached(
            version=record.version,
            source=record.source,
            fingerprint=record.fingerprint,
            size=record.size,
            verified=all(one.is_untouched(home / JARS / one.file.name) for one in record.files),
            home=home,
        )
        for home, record in _installed(_folder(cache))
    ]
    return tuple(sorted(found, key=lambda one: (Version.parse(one.version), one.source, one.fingerprint)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Setup:
    """One setting up of one version."""

    folder: Path
    version: str
    java: Java
    say: Say
    sources: Sources

    def as_it_is(self, home: Path, record: EngineRecord) -> InstalledEngine | None:
        """The engine, if nothing is to be done for it: no file touched, and what we build beside them is there."""
        if not all(one.is_untouched(home / JARS / one.file.name) for one in record.files):
            return None
        engine = self._engine(home, record, "cache")
        return engine if support_jar.is_ready(home) and training.is_done(engine) else None

    def locked(self, expected: str | None, asked: str | None) -> InstalledEngine:
        """The same with the lock held: what is missing is made, what is damaged fetched again."""
        for left in self.folder.glob(f".making-{self.version}-*"):
            remove_path(left)
        chosen = _chosen(self.folder, self.version, expected, asked)
        if chosen is None:
            is_known = asked is None and expected is not None and expected == _known_fingerprint(self.version)
            return self._fetched(MAVEN if is_known else asked, None)
        home, record = chosen
        sound = self._sound(home, record)
        return self._fetched(record.source, record) if sound is None else self._completed(home, sound, "cache")

    def _sound(self, home: Path, record: EngineRecord) -> EngineRecord | None:
        """The record with signatures of now, or ``None`` when a file is not what it was; that is said."""
        files = []
        for one in record.files:
            path = home / JARS / one.file.name
            now = one if one.is_untouched(path) else one.looked_at(path)
            if now is None:
                what = "has changed since it was set up" if path.exists() else "is not there any more"
                self.say(f"{one.file.name} of Nextflow {self.version} {what}: fetching Nextflow again")
                return None
            files.append(now)
        if tuple(files) == record.files:
            return record
        renewed = replace(record, files=tuple(files))
        renewed.write(home / _RECORD)
        return renewed

    def _fetched(self, wanted: str | None, before: EngineRecord | None) -> InstalledEngine:
        """Fetch it; where it was there ``before`` and is damaged, only the very same files will do."""
        self.say(f"setting up Nextflow {self.version}, which happens once")
        beside = self.folder / f".making-{self.version}-{secrets.token_hex(4)}"
        try:
            jars = beside / JARS
            jars.mkdir(parents=True)
            source, files = self._from(wanted, jars)
            known = known_files(self.version) if source.name == MAVEN else None
            if known is not None:
                compare(self.version, files, known, "is known of that version")
            if before is not None:
                compare(self.version, files, [one.file for one in before.files], "was set up before")
            if known is None and before is None:
                self.say(
                    f"the files of Nextflow {self.version} ({source.name}) are not among those we know: "
                    "trusted on first use"
                )
            record = EngineRecord(
                version=self.version,
                source=source.name,
                identifier=files[0].identifier.partition("#")[0],
                known=known is not None,
                files=_protected(jars, known or files),
            )
            record.write(beside / _RECORD)
            home = self.folder / f"{self.version}-{record.fingerprint[:12]}"
            remove_path(home)
            beside.rename(home)
        finally:
            remove_path(beside)
        return self._completed(home, record, "fetched")

    def _completed(self, home: Path, record: EngineRecord, source: str) -> InstalledEngine:
        """The engine with all that is built beside its files."""
        engine = self._engine(home, record, source)
        for left in (*home.glob(".compiling-*"), *home.glob(".training-*")):
            remove_path(left)
        if not support_jar.is_ready(home):
            jars = [home / JARS / one.file.name for one in record.files]
            support_jar.build(home, jars, self.java.path, self.version)
        if not training.is_done(engine):
            self.say(f"making Nextflow {self.version} start quickly with Java {self.java.label}, which happens once")
            training.train(engine, self.say)
        return engine

    def _engine(self, home: Path, record: EngineRecord, source: str) -> InstalledEngine:
        return InstalledEngine(
            name=NAME,
            version=record.version,
            identifier=record.identifier,
            fingerprint=record.fingerprint,
            size=record.size,
            program=self.java.path,
            source=source,
            expected=record.known,
            home=home,
            files=tuple(one.file for one in record.files),
            platform={"java": self.java.label},
        )

    def _from(self, wanted: str | None, jars: Path) -> tuple[Source, tuple[EngineFile, ...]]:
        source = self.sources[wanted or RELEASE]
        try:
            return source, source.fetch(self.version, jars, self.say)
        except UnreachableError as error:
            if wanted is not None:
                raise
            self.say(f"{error.message}; taking Nextflow {self.version} from Maven")
        source = self.sources[MAVEN]
        return source, source.fetch(self.version, jars, self.say)


def _sources(environment: Mapping[str, str], java: Java) -> Sources:
    from engines.nextflow.setup.maven import MavenSource
    from engines.nextflow.setup.release_asset import ReleaseSource

    return {RELEASE: ReleaseSource(), MAVEN: MavenSource(environment=environment, java=java.path.parent.parent)}


def _folder(cache: Path) -> Path:
    """Where the engines lie, without links: Java's archive of classes holds for one spelling of the path only."""
    return Path(os.path.realpath(cache / "engines" / NAME))


def _known_fingerprint(version: str) -> str | None:
    known = known_files(version)
    return None if known is None else fingerprint_of(known)


def _chosen(folder: Path, version: str, expected: str | None, asked: str | None) -> tuple[Path, EngineRecord] | None:
    """The installed engine of that version to take; ``None`` when one has to be fetched.

    The one that a lock expects goes before all; else one of the source that was asked for, if one was. When a lock
    expects the files that are known of that version and only others are here, those are to be fetched.
    """
    found = [(home, record) for home, record in _installed(folder) if record.version == version]
    for home, record in found:
        if record.fingerprint == expected:
            return home, record
    if asked is not None:
        found = [(home, record) for home, record in found if record.source == asked]
    elif expected is not None and found and expected == _known_fingerprint(version):
        return None
    return min(found, key=lambda one: (one[1].source != RELEASE, one[0].name), default=None)


def _installed(folder: Path) -> Iterator[tuple[Path, EngineRecord]]:
    """Every engine below the folder that was set up whole; its files are not looked at."""
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 - the names are what is asked for
    except OSError:
        return
    for name in names:
        match = _FOLDER.fullmatch(name)
        if match is None or not is_version(match.group(1)):
            continue
        record = EngineRecord.read(folder / name / _RECORD)
        is_named = record is not None and (record.version, record.fingerprint[:12]) == match.groups()
        if record is not None and is_named:
            yield folder / name, record


def _protected(jars: Path, files: Sequence[EngineFile]) -> tuple[Attested, ...]:
    """The files made read-only, read again and attested, in the order given.

    Raises:
        DigestError: one is not what was written a moment ago.
    """
    for one in files:
        (jars / one.name).chmod(0o444)
    # Their stamps have to be older than the reading to be trusted (``StatSignature.is_settled``).
    time.sleep(_SETTLING)
    attested = []
    for one in files:
        now = attest(jars / one.name, one.identifier)
        if now is None or now.file.sha256 != one.sha256:
            raise DigestError(
                f"{one.name} is not what was written: the disk or memory of this machine can't be trusted",
                where=str(jars / one.name),
                expected=one.sha256,
                actual=now.file.sha256 if now else None,
            )
        attested.append(now)
    return tuple(attested)


def _is_sound(home: Path, one: Attested) -> bool:
    path = home / JARS / one.file.name
    return one.is_untouched(path) or one.looked_at(path) is not None
