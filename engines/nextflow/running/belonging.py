"""Belonging: the files that a run may take in or hand out."""

from __future__ import annotations

import os
from pathlib import Path

_STAGED = ("inputs", "workflow", "environment")
_WORK = ["engine", "work"]
# The engine keeps its own state where it is started.
ENGINES_OWN = ".nextflow"


class Belonging:
    """What was staged in the working directory's ``content``, and what the tasks of the run in ``folder`` made.

    Of a run that are its tasks' folders and its outputs, not its record, its logs or its scratch space. Of other runs
    it is the tasks' work alone, and only for a ``resumed`` run, which goes on from it. Links are followed.
    """

    def __init__(self, content: Path, folder: Path, *, resumed: bool) -> None:
        self._content = f"{os.path.realpath(content)}/"
        self._own = folder.name
        self._resumed = resumed

    def holds(self, path: str | Path) -> bool:
        """Whether what is at ``path`` belongs to the run."""
        real = os.path.realpath(path)
        if not real.startswith(self._content):
            return False
        parts = real.removeprefix(self._content).split("/")
        if parts[0] != "runs":
            return parts[0] in _STAGED
        run, inner = parts[1:2], parts[2:]
        if inner[:2] == _WORK:
            return run == [self._own] or self._resumed
        return run == [self._own] and inner[:1] == ["outputs"] and not is_engines_own("/".join(inner[1:]))


def is_engines_own(name: str) -> bool:
    """Whether a path below the outputs is the engine's, not the workflow's."""
    return name.startswith(ENGINES_OWN)
