"""Qualified names: short ones for URIs, with the prefixes that a document then declares.

Source: PROV-DM, "Namespace, Qualified Name".
"""

from __future__ import annotations

import re
from typing import Final

from wfexs_like.converting.statements import NAMESPACES

_SEPARATOR: Final = re.compile(r"[/#:]")


class Names:
    """Makes qualified names; ``prefixes`` are all that were needed, by prefix."""

    def __init__(self, base: str) -> None:
        """``base`` gets the prefix ``crate``."""
        self._known = {uri: prefix for prefix, uri in NAMESPACES.items()} | {base: "crate"}
        self._made: dict[str, str] = {}
        self.prefixes: dict[str, str] = {}

    def short(self, uri: str) -> str:
        """The qualified name of ``uri``."""
        found = self._made.get(uri)
        if found is None:
            namespace = self._namespace(uri)
            prefix = self._known.setdefault(namespace, f"ns{len(self._known) - len(NAMESPACES)}")
            self.prefixes[prefix] = namespace
            found = self._made[uri] = f"{prefix}:{uri[len(namespace) :]}"
        return found

    def _namespace(self, uri: str) -> str:
        """The longest known one, else all up to the last separator that has something behind it."""
        places = [match.end() for match in _SEPARATOR.finditer(uri) if match.end() < len(uri)]
        for end in reversed(places):
            if uri[:end] in self._known:
                return uri[:end]
        return uri[: places[-1]] if places else ""
