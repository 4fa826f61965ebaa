"""Check that every relative link of the tracked Markdown files leads somewhere, headings (``#anchor``) included."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parent.parent
_FENCE = re.compile(r"^(`{3,}|~{3,})")
_CODE = re.compile(r"`[^`]*`")
_LINK = re.compile(r"\[(?:[^\]\\]|\\.)*\]\(\s*<?([^)\s>]+)>?[^)]*\)|^\[[^\]]+\]:\s*<?(\S+?)>?\s*$")
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$")
_SCHEME = re.compile(r"^[a-zA-Z][a-zA-Z0-9+.-]*:")


def prose(text: str) -> Iterator[tuple[int, str]]:
    """The lines outside code fences, numbered from 1."""
    fence = ""
    for number, line in enumerate(text.splitlines(), start=1):
        mark = _FENCE.match(line.lstrip())
        if mark and not fence:
            fence = mark[1]
        elif fence:
            if mark and mark[1].startswith(fence):
                fence = ""
        else:
            yield number, line


def anchors(text: str) -> set[str]:
    """The anchors that the usual renderers give to the headings: lower case, no punctuation, hyphens for spaces."""
    seen: Counter[str] = Counter()
    found = set()
    for _, line in prose(text):
        if heading := _HEADING.match(line):
            title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading[1])
            slug = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
            found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
            seen[slug] += 1
    return found


def broken(path: Path) -> Iterator[str]:
    """One sentence for each link of ``path`` that leads nowhere."""
    for number, line in prose(path.read_text(encoding="utf-8")):
        for link in _LINK.finditer(_CODE.sub("", line)):
            target = link[1] or link[2]
            if _SCHEME.match(target):
                continue
            name, _, anchor = target.partition("#")
            aim = (path.parent / unquote(name)) if name else path
            if not aim.exists():
                yield f"{path}:{number}: there is no {target}"
            elif anchor and aim.suffix == ".md" and unquote(anchor) not in anchors(aim.read_text(encoding="utf-8")):
                yield f"{path}:{number}: {aim.name} has no heading for #{anchor}"


def documents(root: Path) -> list[Path]:
    """The Markdown files that git knows, or would know after the next ``git add``."""
    listing = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "*.md"],
        check=True,
        capture_output=True,
        text=True,
    )
    return sorted({root / name for name in listing.stdout.split("\0") if name and (root / name).exists()})


def main() -> int:
    faults = [fault for path in documents(ROOT) for fault in broken(path)]
    for fault in faults:
        print(fault, file=sys.stderr)
    print(f"links: {len(faults)} broken in {len(documents(ROOT))} documents")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
