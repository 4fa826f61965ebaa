"""What a step may be given and hand on: staged files and the run's own. Anything else is refused before it is read.

cwltool follows links when it collects outputs and would copy what they point to (a password file, another run). And a
workflow may name any file of the host: in a default, or by JavaScript that makes a File.
"""

from __future__ import annotations

import os
import shutil
from typing import Any

from cwltool.errors import WorkflowException

from engines.cwltool.child.trees import files_and_folders, local_path


class RefusedOutput(WorkflowException):  # type: ignore[misc]
    """An output leads out of its run."""


REFUSED: list[str] = []
"""The sentences of all refusals, for the end of the run."""


class Borders:
    """The folders that a step's files may lie in: ``staged`` ones, which nobody may change, and the run's own."""

    def __init__(self, *, staged: list[str], own: list[str]) -> None:
        self.staged = tuple(f"{os.path.realpath(one)}/" for one in staged)
        # Staged folders hold no link that leads out (it is looked at when they are staged and before each run).
        self._plain = tuple(f"{one}/" for one in staged)
        self.allowed = sorted({os.path.realpath(one) for one in (*staged, *own)})

    def is_staged(self, path: str) -> bool:
        """Whether a path leads to something staged."""
        return os.path.realpath(path).startswith(self.staged)

    def holds(self, path: str) -> bool:
        """Whether a path, with all links followed, stays inside."""
        if path.startswith(self._plain) and "/../" not in path and not path.endswith("/.."):
            return True
        real = os.path.realpath(path)
        return any(real == one or real.startswith(f"{one}/") for one in self.allowed)

    def check(self, outputs: Any) -> None:
        """Refuse outputs that lead out.

        Raises:
            RefusedOutput: one does.
        """
        for found in files_and_folders(outputs, listed=True):
            path = local_path(found)
            if path is None:
                continue
            self._check(path, found.get("basename") or path)
            if found["class"] == "Directory" and os.path.isdir(path):  # noqa: PTH112
                self._check_links(path, os.path.dirname(path), set())  # noqa: PTH120

    def _check_links(self, folder: str, above: str, seen: set[str]) -> None:
        """Look at the links in a folder, and in the folders that they lead to: all that would be copied."""
        seen.add(os.path.realpath(folder))
        for link in _links(folder):
            self._check(link, os.path.relpath(link, above))
            real = os.path.realpath(link)
            if os.path.isdir(real) and real not in seen:  # noqa: PTH112
                self._check_links(real, above, seen)

    def admit(self, values: Any, what: str) -> None:
        """Refuse Files and Directories that are neither staged nor the run's own.

        Raises:
            RefusedOutput: one is not.
        """
        for found in files_and_folders(values, listed=True):
            path = local_path(found)
            if path is not None:
                self.admit_path(path, what)

    def admit_path(self, path: str, what: str) -> None:
        """The same for one path."""
        if not self.holds(path):
            sentence = f"{what} {path!r}, which is neither staged nor a product of this run"
            REFUSED.append(sentence)
            raise RefusedOutput(sentence)

    def _check(self, path: str, name: str) -> None:
        if not self.holds(path):
            sentence = f"the output {name!r} is a link that leads out of the run"
            REFUSED.append(sentence)
            raise RefusedOutput(sentence)


def settle_links(outputs: Any) -> None:
    """Make the links in output folders fit to be moved: inside links relative, others replaced by what they mean."""
    for found in files_and_folders(outputs):
        path = local_path(found)
        if found["class"] != "Directory" or path is None:
            continue
        root = os.path.realpath(path)
        for link in _links(root):
            real = os.path.realpath(link)
            if real == root or real.startswith(f"{root}/"):
                if os.path.isabs(os.readlink(link)):  # noqa: PTH115, PTH117
                    os.unlink(link)  # noqa: PTH108
                    os.symlink(os.path.relpath(real, os.path.dirname(link)), link)  # noqa: PTH120, PTH211
            elif os.path.exists(real):  # noqa: PTH110
                os.unlink(link)  # noqa: PTH108
                if os.path.isdir(real):  # noqa: PTH112
                    shutil.copytree(real, link, symlinks=False)
                else:
                    shutil.copy2(real, link)


def _links(root: str) -> list[str]:
    found = []
    for folder, folders, files in os.walk(root):
        found += [path for name in (*folders, *files) if os.path.islink(path := f"{folder}/{name}")]  # noqa: PTH114
    return found
