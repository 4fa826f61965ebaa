"""Claims: which of the files and folders that a run left are the outputs that the stage file expects. Pure.

For engines whose workflows don't say beforehand what they make. Source of the ways to say it (``glob``, ``fillFrom``,
the name): WfExS-backend's stage definition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from staging.definition import ExpectedOutput

ANY_FOLDERS = "**"


def claim(
    expected: Sequence[ExpectedOutput], found: Iterable[tuple[str, str]], places: Mapping[str, str]
) -> dict[str, list[str]]:
    """The paths that each expected output means, in the order of the paths; none when it was not made.

    ``found`` are paths relative to the run's folder of outputs, each a ``File`` or a ``Directory``; the folders around
    them count as found. ``places`` has the place of each parameter that is one (``staging.resolving.output_places``).
    What a thing is looked for by, the first that is said: its ``glob``; the place of the parameter it is filled from,
    or which has its name; its own name. An output may claim what another claims too.
    """
    tree = _Tree(found)
    return {one.name: tree.of(one, places) for one in expected}


class _Tree:
    """What was found: files, and folders with those that only their contents tell."""

    def __init__(self, found: Iterable[tuple[str, str]]) -> None:
        files: set[PurePosixPath] = set()
        folders: set[PurePosixPath] = set()
        for text, kind in found:
            path = PurePosixPath(text)
            (folders if kind == "Directory" else files).add(path)
            folders.update(path.parents)
        self.is_empty = not files and folders <= {PurePosixPath()}
        self.files = sorted(files, key=lambda path: path.parts)
        self.folders = sorted(folders - {PurePosixPath()}, key=lambda path: path.parts)

    def of(self, one: ExpectedOutput, places: Mapping[str, str]) -> list[str]:
        """What an expected output claims."""
        if one.kind == "Value":
            return []
        of_kind = self.folders if one.kind == "Directory" else self.files
        filled_from = one.fill_from or one.name
        if one.glob is not None:
            claimed = self._matching(one.glob, of_kind)
        elif filled_from in places:
            claimed = self._at(PurePosixPath(places[filled_from]), one.kind)
        elif one.fill_from is not None:
            claimed = []
        else:
            claimed = self._named(one.name, one.kind, of_kind)
        return [str(path) for path in claimed]

    def _matching(self, glob: str, of_kind: Sequence[PurePosixPath]) -> list[PurePosixPath]:
        """By the whole path; a pattern of one part that nothing at the top fits is held against base names."""
        matches = _pattern(glob)
        claimed = [path for path in of_kind if matches(path)]
        if not claimed and "/" not in glob:
            claimed = [path for path in of_kind if fnmatchcase(path.name, glob)]
        return claimed

    def _at(self, place: PurePosixPath, kind: str) -> list[PurePosixPath]:
        """The folder at a place; for files, the one at that place or all in the folder there."""
        if kind == "Directory":
            is_there = not self.is_empty if place == PurePosixPath() else place in self.folders
            return [place] if is_there else []
        return [place] if place in self.files else [path for path in self.files if path.is_relative_to(place)]

    def _named(self, name: str, kind: str, of_kind: Sequence[PurePosixPath]) -> list[PurePosixPath]:
        """By the first way in which anything has the name: its path, base name, stem; or its top-level folder."""
        ways: tuple[Callable[[PurePosixPath], bool], ...] = (
            lambda path: str(path) == name,
            lambda path: path.name == name,
            lambda path: name in _stems(path.name),
            lambda path: kind == "File" and len(path.parts) > 1 and path.parts[0] == name,
        )
        for is_meant in ways:
            claimed = [path for path in of_kind if is_meant(path)]
            if claimed:
                return claimed
        return []


def _stems(name: str) -> Iterator[str]:
    """A name without each of its endings: ``a.fastq`` and ``a`` of ``a.fastq.gz``. A leading dot begins no ending."""
    end = name.rfind(".")
    while end > 0:
        yield name[:end]
        end = name.rfind(".", 0, end)


def _pattern(glob: str) -> Callable[[PurePosixPath], bool]:
    """Whether a path fits a pattern, part by part; ``**`` as a whole part stands for any number of parts.

    As the last part it stands for one at least. Time is the product of the lengths: all ways are followed at once.
    """
    parts = [part for part in glob.split("/") if part not in ("", ".")]
    if parts and parts[-1] == ANY_FOLDERS:
        parts.append("*")

    def skipped(states: set[int]) -> set[int]:
        """The states with those behind a ``**`` that stands for nothing."""
        reached = set(states)
        for state in range(len(parts)):
            if state in reached and parts[state] == ANY_FOLDERS:
                reached.add(state + 1)
        return reached

    def matches(path: PurePosixPath) -> bool:
        states = skipped({0})
        for name in path.parts:
            there = {state for state in states if state < len(parts)}
            stayed = {state for state in there if parts[state] == ANY_FOLDERS}
            stepped = {state + 1 for state in there - stayed if fnmatchcase(name, parts[state])}
            states = skipped(stayed | stepped)
        return len(parts) in states

    return matches
