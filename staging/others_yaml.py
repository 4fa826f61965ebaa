"""YAML of others that only says something of a thing (who wrote it, its licence): read within limits, or not at all."""

from __future__ import annotations

import re
from pathlib import Path

_MOST_BYTES = 1 << 18
# Nobody needs anchors there, and with them few bytes become many.
_ANCHORS = re.compile(r"(?m)(?:^|[\s\[{,:-])[&*][\w-]+")


def read_others_yaml(path: Path) -> object:
    """What the file says, ``None`` if it is too large, has anchors, is no YAML or can't be read."""
    import yaml

    try:
        if path.stat().st_size > _MOST_BYTES:
            return None
        text = path.read_text(encoding="utf-8", errors="replace")
        return None if _ANCHORS.search(text) else yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError, OSError):
        return None
