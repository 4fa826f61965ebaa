"""What a sealed crate tells people: how it is opened, with this software and without it."""

from __future__ import annotations

from html import escape
from typing import Final

BY_HAND: Final = """\
mkdir ../opened
find . -name '*.c4gh' | while IFS= read -r one; do
  mkdir -p "../opened/$(dirname "$one")"
  crypt4gh decrypt --sk "$KEY" < "$one" > "../opened/${one%.c4gh}"
done
cd ../opened
python3 - <<'END'
import os, urllib.parse
for line in open("sealed-manifest.txt", encoding="utf-8"):
    words = [urllib.parse.unquote(one) for one in line.rstrip("\\n").split(" ")[1:]]
    inside = not any(one.startswith("/") or ".." in one.split("/") for one in words[1:3])
    if line.startswith("# place ") and inside:
        os.makedirs(os.path.dirname(words[2]) or ".", exist_ok=True)
        os.rename(words[1].removesuffix(".c4gh"), words[2])
END
sha256sum --check --quiet --strict sealed-manifest.txt
"""
"""What is typed in a shell, in the folder of the crate; ``KEY`` is the file with the private key."""


def readme(title: str, *, published: str, licence: str) -> bytes:
    """The README of a sealed crate."""
    return f"""# {title}

A sealed RO-Crate of {published}. Licence: {licence}.

Its files are sealed with crypt4gh, the GA4GH standard for files that only some may read. Who that is, is told by the
fingerprints of their keys: in ro-crate-metadata.json, the entities of type DigitalDocumentPermission.

## To open it

    wfexs-like open THIS DEST

verifies everything and writes the plain crate to the new folder DEST. Nothing is written there unless all is as it
was sealed: files that were cut, changed, added, removed, renamed or swapped are found and named.

## To open it by hand

With the reference tool (https://pypi.org/project/crypt4gh/) and coreutils, in the folder of this file, where KEY is
the file with your private key:

```sh
{BY_HAND}```

The last command compares every file with the sealed manifest. Only files that it lists belong to the crate, and it
must find all of them; symbolic links and empty folders are told by its comments.
""".encode()


def preview(title: str, *, published: str, licence: str) -> bytes:
    """A page of its own for a browser."""
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title></head>
<body><h1>{escape(title)}</h1>
<p>A sealed RO-Crate of {escape(published)}. Licence: {escape(licence)}.</p>
<p>Its files are sealed with crypt4gh. <a href="README.md">README.md</a> says how those who may can open them;
<a href="ro-crate-metadata.json">ro-crate-metadata.json</a> tells whose keys do.</p>
</body></html>
""".encode()
