"""Fetching documents: local files only, and each that was read is remembered."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from schema_salad.exceptions import ValidationException
from schema_salad.fetcher import DefaultFetcher

SEEN: dict[str, None] = {}
"""The paths of all documents that were read, in that order."""

ROOT = ""
"""The folder that all documents must lie in."""


EXTENSION = "http://commonwl.org/cwltool#"
extended = False
"""Whether documents are read with cwltool's own requirements."""


class Extended(BaseException):
    """A document has some of those, so all have to be read that way. Nobody on the way may swallow it."""


class LocalFetcher(DefaultFetcher):  # type: ignore[misc]
    """schema-salad's fetcher without a network."""

    def __init__(self, cache: dict[str, Any], session: object = None) -> None:  # noqa: ARG002 - its interface
        super().__init__(cache, None)

    def fetch_text(self, url: str, content_types: list[str] | None = None) -> str:
        """The text of a local file.

        Raises:
            ValidationException: it is somewhere else, or can't be read.
        """
        cached = self.cache.get(url)
        if isinstance(cached, str):
            return cached
        parts = urlsplit(url)
        if parts.scheme != "file":
            raise ValidationException(f"{url} is not part of the staged workflow, and nothing is fetched at run time")
        path = os.path.realpath(url2pathname(parts.path))
        if not path.startswith(f"{ROOT}/"):
            raise ValidationException(f"{url} lies outside of the staged workflow")
        text = str(super().fetch_text(url, content_types))
        if not extended and EXTENSION in text:
            raise Extended
        SEEN[path] = None
        return text

    def check_exists(self, url: str) -> bool:
        """Whether a local file is there; remote ones are not."""
        if url in self.cache:
            return True
        parts = urlsplit(url)
        if parts.scheme == "file":
            return os.path.exists(url2pathname(parts.path))  # noqa: PTH110
        return parts.scheme == "mailto"
