"""The sealed manifest: every file of the plain crate by path, size and sha256. Opening believes nothing but it.

It is a list that ``sha256sum -c`` reads (``wfexs_like.seal.file_lists``), and itself sealed. Comments at its top tell
what such a list can't: ``# folder PATH`` (folders, also empty ones), ``# executable PATH``, and ``# place SEALED PATH``
for a file whose sealed form lies somewhere else than at ``PATH.c4gh``. All names in them are percent-encoded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, unquote

from staging.errors import CrateError, PolicyError
from staging.fingerprints import Tree, TreeEntry
from staging.paths import safe_relative
from wfexs_like.seal.file_lists import FileList, ListedFile, parse_list, write_list

SEALED_MANIFEST: Final = "sealed-manifest.txt"
SEALED_SIGNATURE: Final = SEALED_MANIFEST + ".sig"
SUFFIX: Final = ".c4gh"
SCHEMA: Final = "wfexs-like/sealed-manifest/1"
OWN_FILES: Final = (SEALED_MANIFEST, SEALED_SIGNATURE)
"""What is sealed beside the crate's own files, in their plain names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedManifest:
    """What the plain crate consists of.

    ``files`` have sha256 and size in bytes; ``links`` their targets; ``places`` where a file's sealed form lies
    when that is not beside its name.
    """

    files: dict[str, ListedFile]
    links: dict[str, str] = field(default_factory=dict)
    folders: frozenset[str] = frozenset()
    executables: frozenset[str] = frozenset()
    places: dict[str, str] = field(default_factory=dict)

    def place(self, path: str) -> str:
        """Where the sealed form of a file lies."""
        return self.places.get(path, path + SUFFIX)

    def text(self) -> bytes:
        """The manifest as it is sealed."""
        headers = [SCHEMA]
        headers += [f"folder {_quoted(one)}" for one in sorted(self.folders)]
        headers += [f"executable {_quoted(one)}" for one in sorted(self.executables)]
        headers += [f"place {_quoted(place)} {_quoted(path)}" for path, place in sorted(self.places.items())]
        return write_list(self.files.values(), links=self.links, headers=headers)

    @classmethod
    def parse(cls, content: bytes) -> SealedManifest:
        """Read one, whoever wrote it.

        Raises:
            CrateError: it is none, or says what can't be.
            PolicyError: a path or link in it leads out of the crate.
        """
        listed = parse_list(content, "sha256", name=SEALED_MANIFEST)
        if SCHEMA not in listed.headers:
            raise CrateError(
                f"this is no sealed manifest that is known here: it does not say {SCHEMA}", where=SEALED_MANIFEST
            )
        folders, executables, places = _comments(listed)
        found = cls(
            files={one.path: one for one in listed.files},
            links=listed.links,
            folders=folders,
            executables=executables,
            places=places,
        )
        found.check()
        return found

    def check(self) -> None:
        """Refuse what no folder can hold, and links that lead out of it by way of others.

        Raises:
            CrateError: it contradicts itself. PolicyError: it can't be a folder, or leads out of it.
        """
        unsized = next((path for path, one in self.files.items() if one.size is None), None)
        if unsized is not None:
            raise CrateError(f"{SEALED_MANIFEST} states no size of {unsized!r}", where=unsized)
        taken = [self.place(path) for path in self.files]
        own = {name + SUFFIX for name in OWN_FILES}
        if len(set(taken)) != len(taken) or own.intersection(taken) or self.files.keys() & set(OWN_FILES):
            raise CrateError(f"{SEALED_MANIFEST} names one sealed file for several", where=SEALED_MANIFEST)
        stray = sorted((self.executables | self.places.keys()) - self.files.keys())
        if stray:
            raise CrateError(
                f"{SEALED_MANIFEST} says something of {stray[0]!r}, which it does not list", where=stray[0]
            )
        entries = [
            TreeEntry(kind="f", path=path, digest=one.digest, size=one.size or 0) for path, one in self.files.items()
        ]
        entries += [TreeEntry(kind="l", path=path, digest=target) for path, target in self.links.items()]
        above = {
            "/".join(parts[:count])
            for path in (*self.files, *self.links, *self.folders)
            for parts in [path.split("/")]
            for count in range(1, len(parts))
        }
        entries += [TreeEntry(kind="d", path=path) for path in self.folders - above]
        inside = sorted(above & (self.files.keys() | self.links.keys()))
        if inside:
            raise PolicyError(f"{SEALED_MANIFEST} has something inside {inside[0]!r}, which is no folder")
        Tree.of(entries)


def _comments(listed: FileList) -> tuple[frozenset[str], frozenset[str], dict[str, str]]:
    folders: set[str] = set()
    executables: set[str] = set()
    places: dict[str, str] = {}
    for header in listed.headers:
        word, _, rest = header.partition(" ")
        if word == "folder":
            folders.add(_unquoted(rest))
        elif word == "executable":
            executables.add(_unquoted(rest))
        elif word == "place":
            place, _, path = rest.partition(" ")
            if places.setdefault(_unquoted(path), _unquoted(place)) != _unquoted(place):
                raise CrateError(f"{SEALED_MANIFEST} names two places of {path}", where=SEALED_MANIFEST)
    return frozenset(folders), frozenset(executables), places


def _quoted(path: str) -> str:
    return quote(path, safe="/~!$&'()*+,;=@-._")


def _unquoted(text: str) -> str:
    try:
        return str(safe_relative(unquote(text, errors="strict")))
    except UnicodeDecodeError as error:
        raise CrateError(f"{SEALED_MANIFEST} has a name that is not UTF-8", where=SEALED_MANIFEST) from error
