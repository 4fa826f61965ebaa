"""Plugins of an engine, staged like anything else: each one's archive, and what is in it.

Both are items of the plan, so that a lock says which bytes they are and every run finds them unchanged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from engines.base import Plugin
from staging.archives import ArchiveError, Limits
from staging.archives import unpack as unpack_archive
from staging.definition import Source
from staging.errors import DigestError, FetchError, from_os_error
from staging.identifiers import Identifier
from staging.paths import safe_join
from staging.placing import make_folders
from staging.plan import Kind, Plan, Role
from staging.unpacked import SUFFIX, unpacked_item
from staging.wanted import StagedItem, Wanted

ARCHIVES = PurePosixPath("engine/plugin-archives")
PLUGINS = PurePosixPath("engine/plugins")

_LIMITS = Limits(size=4 << 30)

Resolve = Callable[[tuple[str, ...]], tuple[Plugin, ...]]
Fetch = Callable[[Sequence[Wanted]], tuple[StagedItem, ...]]


def stage_plugins(
    names: tuple[str, ...], *, content: Path, resolve: Resolve, fetch: Fetch, locked: Plan | None = None
) -> tuple[StagedItem, ...]:
    """Fetch and unpack the plugins that a workflow declares below ``content``; the items, each archive before its tree.

    ``resolve`` is asked only for what ``locked`` doesn't know.

    Raises:
        FetchError: a plugin is not to be had, or is no archive.
        DigestError: an archive is not the one that the lock or the index attests.
        PolicyError: an archive could do harm; see ``staging.archives``.
    """
    plugins = (locked_plugins(names, locked) if locked is not None else None) or resolve(names)
    archives = fetch(wanted_plugins(plugins))
    check_sha512(plugins, content)
    return tuple(one for archive in archives for one in (archive, unpack(content, archive)))


def wanted_plugins(plugins: Sequence[Plugin]) -> tuple[Wanted, ...]:
    """What to fetch for them: their archives."""
    return tuple(
        Wanted(
            role=Role.PLUGIN,
            name=_label(one),
            source=Source(mirrors=(Identifier.parse(one.url),), where=f"plugins: {_label(one)}"),
            path=_archive(one),
            kind=Kind.FILE,
        )
        for one in plugins
    )


def locked_plugins(names: Sequence[str], locked: Plan) -> tuple[Plugin, ...] | None:
    """Those that a lock has for the names that are declared; ``None`` when it hasn't one for each."""
    known = {item.name: item for item in locked.of_role(Role.PLUGIN) if not item.name.endswith(SUFFIX)}
    found = []
    for name in dict.fromkeys(names):
        plain, _, version = name.partition("@")
        exact = bool(version) and not version.startswith("~")
        label = name if exact else next((one for one in known if one.partition("@")[0] == plain), "")
        if label not in known:
            return None
        found.append(Plugin(name=plain, version=label.partition("@")[2], url=known[label].identifier))
    return tuple(found)


def check_sha512(plugins: Sequence[Plugin], content: Path) -> None:
    """Read every archive whose sha512 is stated, and compare.

    Raises:
        DigestError: one is another.
    """
    for one in plugins:
        if one.sha512 is None:
            continue
        try:
            with safe_join(content, _archive(one)).open("rb") as stream:
                actual = hashlib.file_digest(stream, "sha512").hexdigest()
        except OSError as error:
            raise from_os_error(error, f"read the plugin {_label(one)}") from error
        if actual != one.sha512:
            raise DigestError(
                f"the plugin {_label(one)} is not the one that its index tells of: its sha512 is {actual}, the index "
                f"says {one.sha512}",
                hint="don't use it; ask those who publish it whether they changed it",
                where=_label(one),
                identifier=one.url,
                expected=one.sha512,
                actual=actual,
            )


def unpack(content: Path, archive: StagedItem) -> StagedItem:
    """Unpack a staged archive to where the engine looks for plugins; the item for what was in it.

    Raises:
        FetchError: it is no archive, or a damaged one.
        PolicyError: an entry could do harm.
    """
    assert archive.item.path is not None, "an archive has a place"
    path = PLUGINS / archive.item.path.stem
    make_folders(safe_join(content, PLUGINS))
    try:
        tree = unpack_archive(safe_join(content, archive.item.path), safe_join(content, path), limits=_LIMITS)
    except ArchiveError as error:
        raise FetchError(
            f"the plugin {archive.item.name} can't be unpacked: {error.message}",
            hint="what lies at its address is no plugin",
            where=archive.item.name,
            identifier=archive.item.pinned,
        ) from error
    return unpacked_item(archive, tree, content=content, path=path)


def _label(plugin: Plugin) -> str:
    return f"{plugin.name}@{plugin.version}"


def _archive(plugin: Plugin) -> PurePosixPath:
    return ARCHIVES / f"{plugin.name}-{plugin.version}.zip"
