"""Outputs: what a run made, once nobody can change it any more: checked, measured, named relative to the content."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from staging.errors import PolicyError
from staging.fingerprints import Fingerprint, Tree
from staging.paths import safe_relative

_KEPT = ("class", "basename", "format")
_PARALLEL_BYTES = 64 << 20


class Outputs:
    """The outputs of one run below ``root``; ``content`` is the working directory's content."""

    def __init__(self, *, root: Path, content: Path) -> None:
        self.root = root
        self.content = content
        self._real = os.path.realpath(root)

    def admit(self, values: Mapping[str, Any]) -> None:
        """Look where each File and Directory lies, before anything there gets another name.

        Raises:
            PolicyError: it lies in a folder that is a link out of the run's outputs.
        """
        for path in (*_paths(values, "File"), *_paths(values, "Directory")):
            if os.path.normpath(path) == os.path.normpath(self.root):
                continue
            folder = os.path.realpath(os.path.dirname(path))  # noqa: PTH120
            if folder != self._real and not folder.startswith(f"{self._real}/"):
                name = os.path.basename(path)  # noqa: PTH119
                raise PolicyError(f"the output {name!r} is a link that leads out of the run", where=name)

    def settle(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values with ``path``, ``size`` and ``sha256`` in every File and Directory.

        Raises:
            PolicyError: one leads out of the run's outputs, is no regular file, or has a name that is not UTF-8.
        """
        files = {path: self.check(path) for path in _paths(values, "File")}
        digests = _digests(files)
        return {name: self._value(value, digests) for name, value in values.items()}

    def check(self, path: str) -> int:
        """The size of a file that may be handed out.

        Raises:
            PolicyError: it may not.
        """
        name = os.path.basename(path)  # noqa: PTH119
        try:
            name.encode()
        except UnicodeEncodeError as error:
            raise PolicyError(f"the output {name!r} has a name that is not UTF-8", where=repr(name)) from error
        real = os.path.realpath(path)
        if not real.startswith(f"{self._real}/"):
            raise PolicyError(f"the output {name!r} is a link that leads out of the run", where=name)
        status = os.lstat(real)
        if not stat.S_ISREG(status.st_mode):
            raise PolicyError(f"the output {name!r} is not a regular file", where=name)
        if status.st_nlink > 1:
            _separate(real)
        if not status.st_mode & stat.S_IRUSR:
            os.chmod(real, status.st_mode | stat.S_IRUSR)  # noqa: PTH101
        return status.st_size

    def _value(self, value: Any, digests: Mapping[str, tuple[str, int]]) -> Any:
        if isinstance(value, list):
            return [self._value(one, digests) for one in value]
        if not isinstance(value, dict):
            return value
        if value.get("class") not in ("File", "Directory") or not value.get("path"):
            return {key: self._value(one, digests) for key, one in value.items()}
        path = Path(value["path"])
        record: dict[str, Any] = {key: value[key] for key in _KEPT if key in value}
        record["basename"] = path.name
        record["path"] = str(path.relative_to(self.content))
        if record["class"] == "File":
            record["sha256"], record["size"] = digests[value["path"]]
        else:
            record["sha256"], record["size"] = self._folder(path)
        if value.get("secondaryFiles"):
            record["secondaryFiles"] = self._value(value["secondaryFiles"], digests)
        return record

    def _folder(self, path: Path) -> tuple[str, int]:
        """A folder's tree; every link in it must stay inside the folder."""
        real = os.path.realpath(path)
        if real != self._real and not real.startswith(f"{self._real}/"):
            raise PolicyError(f"the output {path.name!r} is a link that leads out of the run", where=path.name)
        for folder, folders, files in os.walk(real):
            for name in (*folders, *files):
                _check_name(name, path.name)
                inner = f"{folder}/{name}"
                status = os.lstat(inner)
                if stat.S_ISLNK(status.st_mode):
                    end = os.path.realpath(inner)
                    if end != real and not end.startswith(f"{real}/"):
                        raise PolicyError(
                            f"the output {path.name!r} holds the link {name!r}, which leads out of it", where=name
                        )
                elif stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
                    _separate(inner)
        tree = Tree.of_directory(Path(real))
        return tree.fingerprint.digest, tree.size


def _check_name(name: str, folder: str) -> None:
    """Refuse a name in an output folder that no crate could hold."""
    try:
        safe_relative(name)
    except PolicyError as error:
        raise PolicyError(
            f"the output {folder!r} holds {name!r}, a name with a line break, a backslash or bytes that are not UTF-8",
            where=repr(name),
        ) from error


def _separate(path: str) -> None:
    """Give a file that has other names (hard links) bytes of its own."""
    temporary = f"{path}.{os.urandom(4).hex()}"
    shutil.copy2(path, temporary, follow_symlinks=False)
    os.replace(temporary, path)  # noqa: PTH105


def _paths(value: Any, kind: str) -> Iterator[str]:
    if isinstance(value, dict):
        if value.get("class") == kind and value.get("path"):
            yield value["path"]
        for one in value.values():
            yield from _paths(one, kind)
    elif isinstance(value, list):
        for one in value:
            yield from _paths(one, kind)


def _digests(files: Mapping[str, int]) -> dict[str, tuple[str, int]]:
    def digest(path: str) -> str:
        return Fingerprint.of_file(Path(path)).digest

    if sum(files.values()) < _PARALLEL_BYTES or len(files) == 1:
        return {path: (digest(path), size) for path, size in files.items()}
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        return {path: (found, files[path]) for path, found in zip(files, pool.map(digest, files), strict=True)}
