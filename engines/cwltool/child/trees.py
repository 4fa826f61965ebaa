"""CWL values as plain JSON trees for the record: paths relative to the working directory, nothing of cwltool's own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from schema_salad.ref_resolver import uri_file_path

_KEPT = ("class", "basename", "format", "contents")


class Recorder:
    """Turns values into record form; ``content`` is the working directory's content."""

    def __init__(self, content: str) -> None:
        self.content = content.rstrip("/") + "/"

    def values(self, values: Any) -> dict[str, Any]:
        """A mapping of parameters."""
        return {str(key): self.value(one) for key, one in (values or {}).items()}

    def value(self, value: Any) -> Any:
        """One value of any shape."""
        if isinstance(value, list):
            return [self.value(one) for one in value]
        if not isinstance(value, dict):
            return value
        if value.get("class") not in ("File", "Directory"):
            return {str(key): self.value(one) for key, one in value.items()}
        record = {key: value[key] for key in _KEPT if key in value}
        path = local_path(value)
        if path is None:
            if "listing" in value:
                record["listing"] = self.value(value["listing"])
            return record
        record.pop("contents", None)
        if path.startswith(self.content):
            record["path"] = path[len(self.content) :]
        if value["class"] == "File":
            size = value.get("size")
            record["size"] = size if isinstance(size, int) else _size(path)
            if value.get("secondaryFiles"):
                record["secondaryFiles"] = self.value(value["secondaryFiles"])
        return record


def local_path(value: dict[str, Any]) -> str | None:
    """Where a File or Directory lies, ``None`` for a literal."""
    location = value.get("location")
    if isinstance(location, str):
        if location.startswith("file://"):
            return str(uri_file_path(location))
        return location if location.startswith("/") else None
    path = value.get("path")
    return path if isinstance(path, str) and path.startswith("/") else None


def files_and_folders(value: Any, *, listed: bool = False) -> Iterator[dict[str, Any]]:
    """Every File and Directory in a value, with secondary files and what literal folders list.

    ``listed``: also what folders that lie somewhere say that they hold.
    """
    if isinstance(value, list):
        for one in value:
            yield from files_and_folders(one, listed=listed)
    elif isinstance(value, dict):
        if value.get("class") in ("File", "Directory"):
            yield value
            yield from files_and_folders(value.get("secondaryFiles"), listed=listed)
            if listed or local_path(value) is None:
                yield from files_and_folders(value.get("listing"), listed=listed)
        else:
            for one in value.values():
                yield from files_and_folders(one, listed=listed)


def _size(path: str) -> int | None:
    try:
        return os.stat(path).st_size  # noqa: PTH116
    except OSError:
        return None
