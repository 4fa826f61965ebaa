"""Resolving: from asked parameters to the things to fetch, where each will lie, and the job that names them.

Pure: nothing is read or fetched here. Every file and folder among the parameters becomes one wanted thing with a name
of its own (``reads[0].secondaryFiles[1]``) and a place below the working directory's content
(``inputs/reads/0/x.bam.bai``); the job is the same tree of values with an ``item`` where a file stood. A parameter that
is a place for outputs has an ``outputPlace`` there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from staging.definition import DirectoryValue, FileValue, OutputPlace, Param, Source, Value
from staging.errors import DefinitionError, Fault, PolicyError
from staging.fetchers.git import split_git
from staging.identifiers import split_process
from staging.paths import safe_join, safe_relative
from staging.plan import Json, Kind, Role
from staging.wanted import Wanted

GIT_SCHEMES = frozenset({"git", "git+file", "git+http", "git+https", "git+ssh", "github"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What must be fetched, and the values that refer to it by name."""

    wanted: tuple[Wanted, ...]
    values: Mapping[str, Json]


@dataclass(slots=True)
class _Collector:
    role: Role
    file: str
    param: Param | None = None
    wanted: list[Wanted] = field(default_factory=list)
    places: dict[PurePosixPath, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def add(self, wanted: Wanted, where: str) -> None:
        """Take one wanted thing; two that would lie at the same place are a fault."""
        other = self.places.setdefault(wanted.path, wanted.name)
        if other != wanted.name:
            message = f"{wanted.name} and {other} would both be staged as {wanted.path.name!r} in the same folder"
            param = self.param
            self.faults.append(
                Fault(
                    file=(param.file if param is not None else "") or self.file,
                    where=where,
                    message=message,
                    line=None if param is None else param.line,
                    column=None if param is None else param.column,
                    hint="give one of them another preferred-name",
                )
            )
            return
        self.wanted.append(wanted)


def lay_out(params: Sequence[Param], *, role: Role, top: str, file: str) -> Layout:
    """Decide what to fetch for ``params`` and where it goes, below the folder ``top``.

    Raises:
        DefinitionError: two files of one parameter would have the same place.
    """
    collector = _Collector(role=role, file=file)
    values: dict[str, Json] = {}
    for param in params:
        collector.param = param
        values[param.name] = _place(param.value, param.name, PurePosixPath(top) / _part(param.name), collector)
    if collector.faults:
        raise DefinitionError(tuple(collector.faults))
    return Layout(wanted=tuple(collector.wanted), values=values)


def _part(name: str) -> str:
    """A parameter's name as one part of a path."""
    part = quote(name, safe=" !#$&'()+,;=@[]{}~")
    return part.replace(".", "%2E") if set(part) <= {"."} else part


def _place(value: Value, name: str, folder: PurePosixPath, collector: _Collector) -> Json:
    if isinstance(value, FileValue):
        return _place_file(value, name, folder, collector)
    if isinstance(value, DirectoryValue):
        return _place_directory(value, name, folder, collector)
    if isinstance(value, OutputPlace):
        return {"class": value.kind, "outputPlace": str(value.path)}
    if isinstance(value, tuple):
        return [_place(one, f"{name}[{index}]", folder / str(index), collector) for index, one in enumerate(value)]
    if isinstance(value, Mapping):
        return {key: _place(one, f"{name}.{key}", folder / _part(key), collector) for key, one in value.items()}
    return value


def _place_file(value: FileValue, name: str, folder: PurePosixPath, collector: _Collector) -> Json:
    below = folder / safe_relative(value.relative_dir) if value.relative_dir else folder
    entry: dict[str, Json] = {"class": "File", "item": name}
    wanted, member = _want(value, name, below, Kind.FILE, collector.role)
    collector.add(wanted, value.where)
    if member:
        entry["member"] = member
    if value.format:
        entry["format"] = value.format
    if value.secondary:
        entry["secondaryFiles"] = [
            _place_beside(one, f"{name}.secondaryFiles[{index}]", wanted.path.parent, collector)
            for index, one in enumerate(value.secondary)
        ]
    return entry


def _place_beside(value: FileValue | DirectoryValue, name: str, folder: PurePosixPath, collector: _Collector) -> Json:
    """A secondary file lies in the very folder of its primary."""
    if isinstance(value, FileValue):
        return _place_file(value, name, folder, collector)
    return _place_directory(value, name, folder, collector)


def _place_directory(value: DirectoryValue, name: str, folder: PurePosixPath, collector: _Collector) -> Json:
    if value.source is None:
        entry: dict[str, Json] = {
            "class": "Directory",
            "basename": value.basename or folder.name,
            "listing": [
                _place_beside(one, f"{name}.listing[{index}]", folder, collector)
                for index, one in enumerate(value.listing or ())
            ],
        }
        return entry
    below = folder / safe_relative(value.relative_dir) if value.relative_dir else folder
    wanted, member = _want(value, name, below, Kind.DIRECTORY, collector.role)
    collector.add(wanted, value.where)
    entry = {"class": "Directory", "item": name}
    if member:
        entry["member"] = member
    return entry


def _want(
    value: FileValue | DirectoryValue, name: str, folder: PurePosixPath, kind: Kind, role: Role
) -> tuple[Wanted, str | None]:
    """The wanted thing, and which part of it is meant when the source is a repository with a subdirectory."""
    source = value.source
    member = None
    contents = None
    if source is None:
        contents = ((value.contents if isinstance(value, FileValue) else None) or "").encode()
        basename = value.basename or "contents.txt"
    else:
        first = source.mirrors[0]
        basename = value.basename or first.name
        if first.scheme in GIT_SCHEMES:
            member = split_git(first).subdirectory
            kind = Kind.DIRECTORY
    return (
        Wanted(
            role=role,
            name=name,
            source=source,
            contents=contents,
            path=folder / safe_relative(basename),
            kind=kind,
            disclosable=value.disclosable,
            cacheable=value.cacheable,
            clonable=value.clonable,
        ),
        member,
    )


def with_paths(
    values: Mapping[str, Json], places: Mapping[str, PurePosixPath], content: Path, outputs: Path | None = None
) -> dict[str, Json]:
    """The job with an absolute ``path`` in place of every ``item`` and ``outputPlace``: what an engine is given.

    ``places`` has each item's path below ``content``; ``outputs`` is the run's folder of outputs.

    Raises:
        PolicyError: a path would lead out of its folder, or a place for outputs is wanted where there are none.
    """

    def convert(entry: dict[str, Json]) -> dict[str, Json]:
        if "outputPlace" in entry:
            place = str(entry.pop("outputPlace"))
            if outputs is None:
                raise PolicyError(f"there are no outputs here that could lie at {place!r}", where=place)
            return {"path": str(outputs if place == "." else safe_join(outputs, place)), **entry}
        item = places[str(entry.pop("item"))]
        member = entry.pop("member", None)
        folder = safe_join(content, item)
        return {"path": str(safe_join(folder, str(member)) if member else folder), **entry}

    return {key: map_items(value, convert) for key, value in values.items()}


def map_items(value: Json, convert: Callable[[dict[str, Json]], dict[str, Json]]) -> Json:
    """The same tree with ``convert`` applied to a copy of every map that has an ``item`` or ``outputPlace``.

    Innermost first.
    """
    if isinstance(value, Mapping):
        inner = {key: map_items(one, convert) for key, one in value.items()}
        is_reference = ("item" in inner or "outputPlace" in inner) and inner.get("class") in ("File", "Directory")
        return convert(inner) if is_reference else inner
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [map_items(one, convert) for one in value]
    return value


def output_places(values: Mapping[str, Json]) -> dict[str, str]:
    """Each ``outputPlace`` of a job, by the dotted name of its parameter."""
    return {name: place for key, value in values.items() for name, place in _output_places(key, value)}


def _output_places(name: str, value: Json) -> Iterator[tuple[str, str]]:
    if not isinstance(value, Mapping):
        return
    if "outputPlace" in value and value.get("class") in ("File", "Directory"):
        yield name, str(value["outputPlace"])
        return
    for key, one in value.items():
        yield from _output_places(f"{name}.{key}", one)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowPointer:
    """How a workflow's identifier is read: the ``whole`` to fetch, and the ``entry`` and ``process`` within it."""

    whole: Source
    entry: str | None
    process: str | None


def workflow_pointer(source: Source) -> WorkflowPointer:
    """Read the fragment of a workflow's identifier: ``#subdirectory=...`` of a repository, ``#process`` of a document.

    Raises:
        PolicyError: the subdirectory climbs out.
    """
    first = source.mirrors[0]
    if first.scheme in GIT_SCHEMES:
        parts = split_git(first)
        entry = str(safe_relative(parts.subdirectory)) if parts.subdirectory else None
        return WorkflowPointer(whole=source, entry=entry, process=parts.process)
    entry, process = None, split_process(first)[1]
    if process and process.startswith("subdirectory="):
        entry, process = str(safe_relative(process.removeprefix("subdirectory="))), None
    whole = replace(source, mirrors=tuple(split_process(one)[0] for one in source.mirrors))
    return WorkflowPointer(whole=whole, entry=entry, process=process)
