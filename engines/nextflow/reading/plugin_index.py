"""The index of Nextflow's plugin registry: exactly which plugins the names that a workflow declares mean.

Nextflow would find that out at run time, over the network, and take what is newest that day. Here it is found out when
a workflow is staged. The index is a JSON list of ``{"id": ..., "releases": [{"version", "url", "sha512sum",
"requires"}]}``; ``requires`` is a constraint on the version of Nextflow. Sources: the registry's own index, and
Nextflow's documentation on plugins (what a name without a version means, and ``~``).
"""

from __future__ import annotations

import difflib
import json
import re
import tempfile
import threading
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin

from engines.base import Plugin
from engines.nextflow.setup.versions import Constraint, Version
from staging.errors import DefinitionError, Fault, FetchError
from staging.fetchers.base import FETCHERS, FetchContext
from staging.identifiers import Identifier, IdentifierError
from staging.progress import Silent

SETTING = "WFEXS_LIKE_NEXTFLOW_PLUGINS"
PUBLIC = "https://raw.githubusercontent.com/nextflow-io/plugins/main/plugins.json"

_LARGEST = 64 << 20
_CORE = "META-INF/plugins-info.txt"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_VERSION = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9}){0,3}(?:-[A-Za-z0-9][A-Za-z0-9._-]{0,63})?")
_PATCHES = re.compile(r"~([0-9]{1,9})\.([0-9]{1,9})(?:\.([0-9]{1,9}))?")
_SHA512 = re.compile(r"[0-9a-f]{128}")
_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A plugin as a workflow declares it. ``version`` is exact, ``~2.1.0`` (2.1.0 or a later 2.1.x) or ``None``."""

    name: str
    version: str | None

    @classmethod
    def parse(cls, text: str) -> Asked:
        """Read ``nf-schema@2.1.1``, ``nf-schema@~2.1.0`` or ``nf-schema``.

        Raises:
            DefinitionError: it is none of these.
        """
        name, found, version = text.strip().partition("@")
        fits = not found or _VERSION.fullmatch(version) or _PATCHES.fullmatch(version)
        if not _NAME.fullmatch(name) or not fits:
            raise _fault(f"{text[:100]!r} is not the name of a plugin", "written like 'nf-schema@2.1.1' or 'nf-schema'")
        return cls(name=name, version=version or None)

    def allows(self, version: str) -> bool:
        """Whether a release of that version is meant; whatever it is when none is asked for."""
        if self.version is None:
            return True
        patches = _PATCHES.fullmatch(self.version)
        if patches is None:
            return version == self.version
        numbers = (*Version.parse(version).numbers, 0, 0)
        return numbers[:2] == (int(patches[1]), int(patches[2])) and numbers[2] >= int(patches[3] or 0)

    def __str__(self) -> str:
        return f"{self.name}@{self.version}" if self.version else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One version of a plugin. ``requires`` is the constraint on Nextflow's version, as the index has it."""

    version: str
    url: str
    sha512: str | None
    requires: str

    def suits(self, engine_version: str) -> bool:
        """Whether it is for that version of Nextflow; what can't be understood is taken not to be."""
        wanted = self.requires.removeprefix("nextflow@").strip()
        if wanted in ("", "*"):
            return True
        try:
            return Constraint.parse(wanted).allows(engine_version)
        except DefinitionError:
            return False


Index = Mapping[str, tuple[Release, ...]]


def resolve(
    names: tuple[str, ...],
    engine_version: str,
    environment: Mapping[str, str],
    core: Mapping[str, str] | None = None,
) -> tuple[Plugin, ...]:
    """What the declared names mean for that version of Nextflow, in their order, each plugin once.

    Without a version, or with ``~``, it is the newest release that is for it; a preview only where there is nothing
    else. ``core`` are the versions that Nextflow itself holds for its core plugins (``core_versions``): they are what
    such a plugin's bare name means.

    Raises:
        DefinitionError: a name is none, is declared in two versions, or in one that is not for this Nextflow.
        FetchError: the index can't be had or is damaged, or has no such plugin or version.
    """
    asked = [_with_core(one, core or {}) for one in _once(names)]
    if not asked:
        return ()
    location = environment.get(SETTING, "").strip() or PUBLIC
    index = parse(_read(location, [str(one) for one in asked], environment), location)
    chosen = [(one.name, choose(index, one, engine_version)) for one in asked]
    return tuple(
        Plugin(name=name, version=release.version, url=_address(release, location, name), sha512=release.sha512)
        for name, release in chosen
    )


def choose(index: Index, asked: Asked, engine_version: str) -> Release:
    """The release that is meant.

    Raises:
        DefinitionError: that version is not for this Nextflow.
        FetchError: there is no such plugin or version.
    """
    releases = index.get(asked.name)
    if releases is None:
        near = difflib.get_close_matches(asked.name, index, n=1)
        raise FetchError(
            f"the workflow declares the plugin {asked}, and the index of plugins has no {asked.name!r}",
            hint=f"did you mean {near[0]!r}?" if near else "is the name right? It stands in the workflow's plugins",
            where=str(asked),
        )
    meant = [one for one in releases if asked.allows(one.version)]
    if not meant:
        raise FetchError(
            f"the workflow declares the plugin {asked}, and there is no such version of it",
            hint=f"there are {_some(releases, near=asked.version)}",
            where=str(asked),
        )
    suited = [one for one in meant if one.suits(engine_version)]
    if not suited:
        others = [one for one in releases if one.suits(engine_version)]
        wanted = meant[0].requires.removeprefix("nextflow@")
        raise _fault(
            f"the plugin {asked} wants Nextflow {wanted}, and the workflow is to run with {engine_version}"
            if len(meant) == 1
            else f"no version of the plugin {asked} is for Nextflow {engine_version}",
            f"versions of the plugin that are for it: {_some(others)}" if others else "choose another Nextflow",
        )
    steady = [one for one in suited if not Version.parse(one.version).qualifier]
    return max(steady or suited, key=lambda one: Version.parse(one.version))


def parse(text: bytes, location: str) -> Index:
    """Read an index. Entries and releases that are not of the known form are passed over: nothing can be had of them.

    Raises:
        FetchError: it is no index.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _damaged(location, "it is not JSON") from error
    if not isinstance(document, list):
        raise _damaged(location, "it is not a list of plugins")
    found: dict[str, dict[str, Release]] = {}
    for entry in document:
        name = entry.get("id") if isinstance(entry, dict) else None
        releases = entry.get("releases") if isinstance(entry, dict) else None
        if isinstance(name, str) and _NAME.fullmatch(name) and isinstance(releases, list):
            known = found.setdefault(name, {})
            for release in (_release(one, name, location) for one in releases):
                if release is not None:
                    known[release.version] = release
    return {name: tuple(releases.values()) for name, releases in found.items() if releases}


def core_versions(jars: Iterable[Path]) -> dict[str, str]:
    """The core plugins that an engine's own jar names, with the version that goes with it; empty where none does."""
    for jar in jars:
        try:
            with zipfile.ZipFile(jar) as archive:
                lines = archive.read(_CORE).decode("utf-8", "replace").split()
        except (OSError, KeyError, zipfile.BadZipFile):
            continue
        pairs = (line.partition("@") for line in lines)
        return {name: version for name, _, version in pairs if _NAME.fullmatch(name) and _VERSION.fullmatch(version)}
    return {}


def declaration(plugins: Sequence[str]) -> str:
    """Configuration that declares exactly these (``nf-schema@2.1.1``), in place of what a workflow declares.

    Without the network Nextflow takes nothing but exact versions. ``""`` when there are none.
    """
    if not plugins:
        return ""
    lines = "".join(f"  id '{Asked.parse(one)}'\n" for one in plugins)
    return f"plugins {{\n{lines}}}\n"


def _once(names: Sequence[str]) -> list[Asked]:
    found: dict[str, Asked] = {}
    for text in names:
        asked = Asked.parse(text)
        before = found.setdefault(asked.name, asked)
        if before != asked:
            raise _fault(f"the plugin {asked.name} is declared as {before} and as {asked}", "declare it once")
    return list(found.values())


def _with_core(asked: Asked, core: Mapping[str, str]) -> Asked:
    return Asked(name=asked.name, version=core.get(asked.name)) if asked.version is None else asked


def _release(record: object, name: str, location: str) -> Release | None:
    if not isinstance(record, dict):
        return None
    version, url = record.get("version"), record.get("url")
    if not isinstance(version, str) or not _VERSION.fullmatch(version) or not isinstance(url, str) or not url:
        return None
    digest = record.get("sha512sum")
    if digest is not None and not (isinstance(digest, str) and _SHA512.fullmatch(digest.strip().lower())):
        raise _damaged(location, f"the sha512sum of {name}@{version} is none")
    requires = record.get("requires")
    return Release(
        version=version,
        url=url,
        sha512=digest.strip().lower() if digest is not None else None,
        requires=requires if isinstance(requires, str) else "",
    )


def _address(release: Release, location: str, name: str) -> str:
    """Where the archive is. A relative address is one from the index; only an index on this disk leads to this disk."""
    label = f"{name}@{release.version}"
    try:
        index = Identifier.parse(location).against(Path.cwd())
        local = index.local_path
        if local is None:
            found = Identifier.parse(urljoin(str(index), release.url))
        else:
            found = Identifier.parse(release.url).against(local.parent)
    except IdentifierError as error:
        raise FetchError(f"the index of plugins has no usable address for {label}", where=location) from error
    if found.scheme not in ("http", "https") and (local is None or found.scheme != "file"):
        raise FetchError(
            f"the index of plugins has the address {found} for {label}, which is not fetched from", where=location
        )
    return str(found)


def _read(location: str, names: Sequence[str], environment: Mapping[str, str]) -> bytes:
    """The index's bytes."""
    with tempfile.TemporaryDirectory(prefix="wfexs-like-") as place:
        into = Path(place) / "plugins.json"
        partial = Path(place) / "partial"
        partial.mkdir()
        cancelled = threading.Event()
        context = FetchContext(
            partial=partial,
            progress=_Watch(cancelled=cancelled),
            cancelled=cancelled,
            retries=2,
            environment=environment,
        )
        try:
            identifier = Identifier.parse(location).against(Path.cwd())
            if identifier.scheme not in ("http", "https", "file"):
                raise FetchError(f"{identifier} is neither a web address nor a file")
            fetcher = FETCHERS.load(identifier.scheme)()
            fetcher.fetch(fetcher.pin(identifier, context), into, context, {})
            if into.stat().st_size > _LARGEST:
                cancelled.set()
            if not cancelled.is_set():
                return into.read_bytes()
        except (FetchError, IdentifierError, OSError) as error:
            if not cancelled.is_set():
                reason = error.message if isinstance(error, FetchError | IdentifierError) else str(error)
                raise FetchError(
                    f"the workflow declares plugins ({', '.join(names)}), and their index can't be had: {reason}",
                    hint=f"is the network there? Another index, a file or an address, can be named in {SETTING}",
                    where=location,
                    transient=isinstance(error, FetchError) and error.transient,
                ) from error
        raise _damaged(location, f"it is larger than {_LARGEST >> 20} MiB")


@dataclass(slots=True, kw_only=True)
class _Watch(Silent):
    """Gives up on an index that has no end."""

    cancelled: threading.Event = field(default_factory=threading.Event)

    def advance(self, key: str, done: int, total: int | None = None) -> None:  # noqa: ARG002 - the protocol's
        if max(done, total or 0) > _LARGEST:
            self.cancelled.set()


def _some(releases: Sequence[Release], near: str | None = None) -> str:
    """The newest versions, and those that look like the one that was asked for."""
    newest = sorted((one.version for one in releases), key=Version.parse, reverse=True)
    alike = difflib.get_close_matches(near or "", newest, n=2, cutoff=0.75)
    shown = list(dict.fromkeys((*alike, *newest)))[:_SHOWN]
    return ", ".join(shown) + (", ..." if len(newest) > len(shown) else "")


def _damaged(location: str, reason: str) -> FetchError:
    return FetchError(
        f"what is at {location} is no index of Nextflow plugins: {reason}",
        hint=f"it can be named in {SETTING}",
        where=location,
    )


def _fault(message: str, hint: str) -> DefinitionError:
    return DefinitionError(
        (Fault(file="nextflow.config", where="plugins", message=message, hint=hint),), message=message, hint=hint
    )
