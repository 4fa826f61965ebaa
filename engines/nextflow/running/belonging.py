"""Belonging: the files that a run may take in or hand out."""

from __future__ import annotations

import os
from pathlib import Path


class Belonging:
    """What was staged in the working directory's ``content``, and what the run in ``folder`` made.

    Other runs are no part of that, but for the tasks' work that a ``resumed`` run goes on from. Links are followed.
    """

    def __init__(self, content: Path, folder: Path, *, resumed: bool) -> None:
        self._content = f"{os.path.realpath(content)}/"
        self._runs = f"{os.path.realpath(folder.parent)}/"
        self._own = f"{os.path.realpath(folder)}/"
        self._resumed = resumed

    def holds(self, path: str | Path) -> bool:
        """Whether what is at ``path`` belongs to the run."""
        real = os.path.realpath(path)
        if not real.startswith(self._content):
            return False
        inside = f"{real}/"
        if inside.startswith(self._own) or not inside.startswith(self._runs):
            return True
        return self._resumed and inside.removeprefix(self._runs).split("/")[1:3] == ["engine", "work"]
