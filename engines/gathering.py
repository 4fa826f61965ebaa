"""Gathering: a workflow that is named by its main document alone, fetched with every document it refers to.

The documents keep their places relative to each other, below one folder whose root is as high as the highest reference
climbs. Each is an item of its own.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote, urlsplit

from engines.base import Reference
from staging.definition import Source
from staging.errors import DefinitionError, Fault, FetchError, PolicyError
from staging.identifiers import Identifier
from staging.paths import safe_relative
from staging.plan import Kind, Role
from staging.removing import remove_path
from staging.wanted import StagedItem, Wanted

Fetch = Callable[[Sequence[Wanted]], tuple[StagedItem, ...]]
References = Callable[[bytes, str], tuple[Reference, ...]]

MAX_DOCUMENTS = 10_000
_WEB = ("http", "https")
_HIERARCHICAL = ("file", *_WEB, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """The workflow's items and the main document's path below the working directory's content."""

    items: tuple[StagedItem, ...]
    entry: PurePosixPath


def gather(
    source: Source,
    *,
    top: str,
    content: Path,
    fetch: Fetch,
    references: References,
    base: Path,
    locked: Collection[str] | None = None,
) -> Gathered:
    """Fetch the main document ``source`` and all that it refers to, below the folder ``top`` of ``content``.

    A local workflow's references may not leave its repository, or the stage file's folder ``base`` when it lies in
    there, or else its own folder: what is staged ends up in crates, and a workflow is somebody else's. A reference that
    ends in ``/`` is to a folder, which the web doesn't have; what lies in a folder that is fetched comes with it.
    ``locked`` has the names of a lock's items: what the workflow was whole without then, it is whole without now.

    Raises:
        DefinitionError: a document refers to something by an absolute identifier, or outside that folder.
    """
    border = _border(source.mirrors[0].against(base), base)
    found: dict[str, StagedItem] = {}
    main = source.mirrors[0].name
    lift = 0
    absent: set[str] = set()
    seen = {main}
    pending = {main: (source, False)}
    while pending:
        lift = max(lift, *(_climb(relative) for relative in pending))
        # A folder before what is in it.
        for relative in sorted(one for one, (_, optional) in pending.items() if optional):
            if _folder_of(relative, found) is not None:
                continue
            wanted = replace(_wanted(relative, pending[relative][0], top, lift, main), optional=True)
            if locked is not None and wanted.name not in locked:
                absent.add(relative)
                continue
            inside = _drop_inside(relative, found, content)
            try:
                (found[relative],) = fetch([wanted])
            except FetchError as error:
                if error.transient or inside:
                    raise
                absent.add(relative)
        needed = [one for one, (_, optional) in pending.items() if not optional and not _is_in(one, found, content)]
        wanted_now = [_wanted(one, pending[one][0], top, lift, main) for one in needed]
        found.update(zip(needed, fetch(wanted_now), strict=True))
        if len(found) > MAX_DOCUMENTS:
            raise PolicyError(f"the workflow refers to more than {MAX_DOCUMENTS} documents", where=main)
        following: dict[str, tuple[Source, bool]] = {}
        for relative in pending:
            for text, optional in _said_by(relative, found, content, references):
                name = _relative(relative, text)
                if name not in seen or (name in absent and not optional):
                    before = following.get(name)
                    neighbour = _beside(source, name, main)
                    _refuse_outside(border, neighbour.mirrors[0].against(base), document=relative, text=text)
                    if text.endswith("/") and neighbour.mirrors[0].scheme in _WEB:
                        continue
                    following[name] = (neighbour, optional and (before is None or before[1]))
        absent -= {name for name, (_, optional) in following.items() if not optional}
        seen |= following.keys()
        pending = following
    return _settle(found, source, top=top, main=main, content=content, fetch=fetch)


def _said_by(
    relative: str, found: Mapping[str, StagedItem], content: Path, references: References
) -> tuple[Reference, ...]:
    """What a document refers to: one that was fetched by itself, or with a folder."""
    path = _staged(relative, found, content)
    return references(path.read_bytes(), relative) if path is not None and path.is_file() else ()


def _staged(relative: str, found: Mapping[str, StagedItem], content: Path) -> Path | None:
    """Where a document was placed; ``None``: it was not."""
    folder = relative if relative in found else _folder_of(relative, found)
    if folder is None:
        return None
    place = found[folder].item.path
    return None if place is None else content / place / posixpath.relpath(relative, folder)


def _is_in(relative: str, found: Mapping[str, StagedItem], content: Path) -> bool:
    path = _staged(relative, found, content)
    return path is not None and path.exists()


def _folder_of(relative: str, found: Mapping[str, StagedItem]) -> str | None:
    """The folder that was fetched with this in it."""
    above = (str(folder) for folder in PurePosixPath(relative).parents)
    return next((one for one in above if one in found and found[one].item.kind is Kind.DIRECTORY), None)


def _drop_inside(folder: str, found: dict[str, StagedItem], content: Path) -> bool:
    """Make way for a folder of which single documents are here already: they come again with it."""
    inside = [one for one in found if one.startswith(f"{folder}/")]
    for one in inside:
        place = found.pop(one).item.path
        if place is not None:
            remove_path(content / place)
    return bool(inside)


def check_contained(root: Path, entry: PurePosixPath, references: References) -> None:
    """Refuse a workflow in a folder of its own whose documents refer to something outside that folder.

    Raises:
        DefinitionError: such a reference; it names the document.
    """
    # By the name that a document has from the main one's folder, as it was gathered.
    folder = root / entry.parent
    seen = {entry.name}
    pending = [entry.name]
    while pending:
        document = pending.pop()
        path = folder / document
        if not path.is_file():
            continue
        for text, _ in references(path.read_bytes(), document):
            name = _relative(document, text)
            whole = posixpath.normpath(str(entry.parent / document))
            _refuse_outside(root, Identifier.of_path(folder / name), document=whole, text=text)
            if name not in seen:
                seen.add(name)
                pending.append(name)


def _border(main: Identifier, base: Path) -> Path | None:
    """The folder that a local workflow's references may not leave; ``None`` when it is not local."""
    path = main.local_path
    if path is None:
        return None
    folder = path.resolve().parent
    repository = next((one for one in (folder, *folder.parents) if (one / ".git").exists()), None)
    return repository or (base.resolve() if folder.is_relative_to(base.resolve()) else folder)


def _refuse_outside(border: Path | None, target: Identifier, *, document: str, text: str) -> None:
    path = target.local_path
    if border is None or path is None or path.resolve().is_relative_to(border.resolve()):
        return
    raise DefinitionError(
        (
            Fault(
                file=document,
                where=text,
                message="the workflow refers to something outside its own folder",
                hint="stage the folder that holds both: workflow_id: FOLDER#subdirectory=MAIN.cwl",
            ),
        )
    )


def _settle(
    found: dict[str, StagedItem], source: Source, *, top: str, main: str, content: Path, fetch: Fetch
) -> Gathered:
    """Give every document its final place, now that it is known how high the references climb."""
    lift = max(_climb(relative) for relative in found)
    places = {relative: _place(relative, top, lift) for relative in found}
    moved = [relative for relative, place in places.items() if found[relative].item.path != place]
    before = [path for relative in moved if (path := found[relative].item.path) is not None]
    # What lies in a folder that goes away is placed again too.
    moved += [one for one in found if one not in moved and any(places[one].is_relative_to(path) for path in before)]
    if moved:
        for path in before:
            remove_path(content / path)
        again = fetch(
            [
                Wanted(
                    role=Role.WORKFLOW,
                    name=_name(relative, main),
                    source=replace(_beside(source, relative, main), sha256=found[relative].item.fingerprint),
                    path=places[relative],
                    kind=found[relative].item.kind,
                )
                for relative in moved
            ]
        )
        for relative, item in zip(moved, again, strict=True):
            found[relative] = replace(
                found[relative], item=replace(found[relative].item, path=item.item.path), placed=item.placed
            )
    items = tuple(item for _, item in sorted(found.items(), key=lambda pair: (pair[0] != main, pair[0])))
    return Gathered(items=items, entry=places[main])


def _wanted(relative: str, source: Source, top: str, lift: int, main: str) -> Wanted:
    return Wanted(
        role=Role.WORKFLOW,
        name=_name(relative, main),
        source=source,
        path=_place(relative, top, lift),
        kind=Kind.FILE if relative == main else None,
    )


def _name(relative: str, main: str) -> str:
    return "workflow" if relative == main else f"workflow/{relative}"


def _climb(relative: str) -> int:
    """How many folders above the main document's a path starts."""
    return sum(1 for part in relative.split("/") if part == "..")


def _place(relative: str, top: str, lift: int) -> PurePosixPath:
    """Where a document goes when the root is ``lift`` folders above the main document's own.

    The folders between get neutral names: what they are called at the source is nobody's business, and references from
    within still meet, since every one of them is resolved by the same rule.
    """
    above = [f"level{lift - index}" for index in range(lift)]
    return PurePosixPath(top) / safe_relative(posixpath.normpath(posixpath.join(*above, relative)))


def _relative(document: str, text: str) -> str:
    """The path, relative to the main document's folder, of what ``document`` calls ``text``."""
    if _is_absolute(text):
        raise DefinitionError(
            (
                Fault(
                    file=document,
                    where=text,
                    message="the workflow refers to this by an absolute identifier, which an offline run can't follow",
                    hint="refer to it by a relative path, or stage the workflow from a repository that holds it",
                ),
            )
        )
    return posixpath.normpath(posixpath.join(posixpath.dirname(document), unquote(text)))


def _is_absolute(text: str) -> bool:
    try:
        return bool(urlsplit(text).scheme) or text.startswith("/")
    except ValueError:  # brackets where a host is, and no address in them
        return True


def _beside(source: Source, relative: str, main: str) -> Source:
    """The source of a document that lies at ``relative`` from the main one, at each of the main one's mirrors."""
    if relative == main:
        return source
    mirrors = tuple(_neighbour(one, relative) for one in source.mirrors if one.scheme in _HIERARCHICAL)
    if not mirrors:
        raise DefinitionError(
            (Fault(file=main, where=relative, message=f"{source.mirrors[0]} can't have neighbours such as {relative}"),)
        )
    return Source(mirrors=mirrors, licences=source.licences, attributions=source.attributions, where=source.where)


def _neighbour(main: Identifier, relative: str) -> Identifier:
    path = main.body.partition("?")[0]
    folder = posixpath.dirname(path)
    joined = posixpath.join(folder, quote(relative)) if folder else quote(relative)
    if main.scheme in ("http", "https"):
        authority, _, rest = joined[2:].partition("/")
        return Identifier(scheme=main.scheme, body=f"//{authority}/{posixpath.normpath('/' + rest).lstrip('/')}")
    prefix, rest = ("//", joined[2:]) if joined.startswith("//") else ("", joined)
    return Identifier(scheme=main.scheme, body=prefix + posixpath.normpath(rest))
