"""Plugins: one registry over one entry-point group. Built-ins come in by the same door as anybody's."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, distributions
from typing import Generic, TypeVar

from staging.errors import WfexsError

T = TypeVar("T")


@cache
def _groups() -> dict[str, tuple[EntryPoint, ...]]:
    """All our entry points, read from the installed packages once a process."""
    found: dict[str, list[EntryPoint]] = {}
    for distribution in distributions():
        for point in distribution.entry_points:
            if point.group.startswith("wfexs_like."):
                found.setdefault(point.group, []).append(point)
    return {group: tuple(points) for group, points in found.items()}


class Registry(Generic[T]):
    """The plugins of one group. Nothing is imported before it is asked for by name."""

    def __init__(self, group: str, *, what: str) -> None:
        self.group = group
        self.what = what

    def _points(self) -> dict[str, EntryPoint]:
        points: dict[str, EntryPoint] = {}
        for point in _groups().get(self.group, ()):
            known = points.setdefault(point.name, point)
            if known.value != point.value:
                raise WfexsError(
                    f"two plugins want to be the {self.what} {point.name!r}: {known.value} and {point.value}",
                    hint="uninstall one of them",
                )
        return points

    def names(self) -> tuple[str, ...]:
        """The names that are there, sorted."""
        return tuple(sorted(self._points()))

    def load(self, name: str) -> type[T]:
        """The plugin's class.

        Raises:
            WfexsError: it can't be imported, or two plugins have the name.
            KeyError: there is none of that name.
        """
        point = self._points()[name]
        try:
            loaded: type[T] = point.load()
        except ImportError as error:
            raise WfexsError(
                f"the {self.what} {name!r} can't be loaded: {error}",
                hint="install what it needs, or reinstall wfexs-like",
            ) from error
        return loaded
