"""The attestation: what was looked for, where, with which outcome, and what was not looked at. It tells no canary.

Canaries are told by number and by the first digits of their sha256, paths without the canaries that are in them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from wfexs_like.audit.places import Place
from wfexs_like.audit.scanning import Findings, Window
from wfexs_like.audit.searching import LIMITS

SCHEMA: Final = "wfexs-like/audit/1"
FORMS: Final = ("clear", "url", "json", "hex", "base64", "utf-16", "gzip", "zip", "zlib")
NEVER: Final = (
    "the memory of processes and of the kernel, swap included",
    "what was deleted and is held open by nobody, and free blocks of disks",
    "what is compressed otherwise than by gzip, zip or zlib, or encrypted",
    f"what is compressed but behind {LIMITS.streams} streams of a file, or behind {LIMITS.inflated >> 20} MiB of one",
    f"what is compressed more than {LIMITS.depth} times",
    "what was compressed and then written as text (base64, hexadecimal digits)",
    "network file systems but those that a place named here is on, other machines, and other mount namespaces",
    "extended attributes of files",
)
Judgement = Literal["leak", "source", "excepted", "asked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A canary as it may be told. ``sha256`` are the first 16 hexadecimal digits, of a text that nobody can guess."""

    canary: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A place where a canary is, and whether it should be: ``leak``, or why it is none.

    ``source``: a file that was staged from there; ``excepted``: the user named it; ``asked``: where the user told us
    the canaries.
    """

    place: Place
    judgement: Judgement


@dataclass(frozen=True, slots=True, kw_only=True)
class Attestation:
    """What an audit found. Times are ISO 8601 in UTC, ``since`` when staging began.

    ``opened``: the working directory could be looked into, so that its runs and sources are known. ``own`` says how
    many needles were taken from it (``names``, ``values``, ``left_out``); ``processes`` how many others could be looked
    at, and how many not. ``masked`` gives a path without canaries.
    """

    workdir: str
    created: str
    vault: str
    since: str
    started: str
    ended: str
    version: str
    host: Mapping[str, object]
    everything: bool
    opened: bool
    canaries: tuple[Told, ...]
    own: Mapping[str, int] | None
    findings: Findings
    hits: tuple[Judged, ...]
    processes: tuple[int, int]
    windows: tuple[Window, ...]
    masked: Callable[[Path], Path]

    @property
    def leaks(self) -> tuple[Judged, ...]:
        """The places where a canary should not be."""
        return tuple(one for one in self.hits if one.judgement == "leak")

    @property
    def clean(self) -> bool:
        """Whether none was found where it should not be."""
        return not self.leaks and not self.findings.more

    def told(self, path: Path) -> str:
        """A path as it may be told, for a document or a terminal."""
        return str(self.masked(path)).encode(errors="backslashreplace").decode()

    def as_json(self) -> dict[str, object]:
        """The document, without the key ``schema``."""
        looked, not_looked = self.processes
        return {
            "ok": self.clean,
            "workdir": {"id": self.workdir, "created": self.created, "vault": self.vault, "opened": self.opened},
            "since": self.since,
            "started": self.started,
            "ended": self.ended,
            "tool": {"name": "wfexs-like", "version": self.version},
            "host": dict(self.host),
            "everything": self.everything,
            "canaries": [{"canary": one.canary, "sha256": one.sha256} for one in self.canaries],
            "own": None if self.own is None else dict(self.own),
            "forms": list(FORMS),
            "places": [
                {
                    "name": one.root.name,
                    "path": self.told(one.root.path),
                    "changed": one.changed,
                    "files": one.files,
                    "size": one.size,
                }
                for one in self.findings.tallies
            ],
            "processes": {"looked_at": looked, "not_looked_at": not_looked},
            "not_looked_at": [
                {
                    "place": self.told(one.root.path),
                    "reason": one.reason,
                    "count": one.count,
                    "paths": [self.told(path) for path in one.paths],
                }
                for one in self.findings.unread
            ],
            "never_looked_at": list(NEVER),
            "hits": [self._hit(one) for one in self.hits],
            "hits_left_out": self.findings.more,
            "written": [self._written(one) for one in self.windows] if self.opened else None,
        }

    def _hit(self, one: Judged) -> dict[str, object]:
        process = one.place.process
        return {
            "judgement": one.judgement,
            "canary": one.place.canary,
            "path": self.told(one.place.path),
            "kind": one.place.kind,
            "form": one.place.form,
            "offset": one.place.offset,
            "process": None if process is None else self.told(Path(process)),
        }

    def _written(self, window: Window) -> dict[str, object]:
        return {
            "run": window.run,
            "meaning": "changed while the run went on, by whomever",
            "paths": [{"path": self.told(one.path), "kind": one.kind} for one in self.findings.written[window.run]],
            "left_out": self.findings.unlisted.get(window.run, 0),
        }
