"""Relative: paths as a run's record has them, which is relative to the working directory's content."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Relative:
    """Paths relative to the working directory's content."""

    def __init__(self, content: Path) -> None:
        self.prefix = f"{content}/"
        self.uri = f"{content.as_uri()}/"

    def path(self, path: str) -> str:
        """One path."""
        return path.removeprefix(self.prefix)

    def text(self, text: str) -> str:
        """A text that may hold such paths."""
        return text.replace(self.uri, "").replace(self.prefix, "")

    def tree(self, value: Any) -> Any:
        """A JSON tree with Files in CWL form."""
        if isinstance(value, Mapping):
            made = {str(key): self.tree(one) for key, one in value.items()}
            if made.get("class") in ("File", "Directory") and isinstance(made.get("path"), str):
                made["path"] = self.path(made["path"])
            return made
        if isinstance(value, list | tuple):
            return [self.tree(one) for one in value]
        return value
