"""The failure vocabulary: every way this software can refuse, with its exit code.

The tree::

    WfexsError                  1   anything that has no class of its own
    +- UsageError               2   the command line is wrong
    +- DefinitionError          3   a stage file, config or parameter is wrong (carries every fault)
    +- FetchError               4   bytes could not be had
    +- DigestError              5   bytes are not the bytes that were promised
    +- ContainerError           6   a container runtime or image
    +- EngineError              7   the engine could not be set up
    +- CrateError               9   a crate is invalid, or two runs differ
    +- NotFoundError           10   no such working directory, run, object
    +- LockedError             11   somebody else is using it
    +- KeyAccessError          12   wrong key or passphrase
    +- DiskError               13   disk full or quota
    +- PolicyError             14   refused: it would break a promise
    +- LeakError               15   what should be secret was found where anybody may look
    +- InterruptedByUser   128+N   a signal

A workflow that fails is no error of ours but a run with that status; the command line ends with 8 for it.

An error speaks twice: fields for a program (``as_json``), a sentence and a hint for a person.
"""

from __future__ import annotations

import errno
import sys
from dataclasses import dataclass
from typing import ClassVar


class WfexsError(Exception):
    """The root of all errors that are shown to a user as a sentence and a hint.

    ``where`` names the place (a file, a path into a document, a step); ``fields`` are extra keys of the JSON error
    object (``identifier``, ``expected``, ``actual``, ...).
    """

    kind: ClassVar[str] = "other"
    exit_code: int = 1

    def __init__(self, message: str, *, hint: str | None = None, where: str | None = None, **fields: object) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.where = where
        self.fields = fields

    def as_json(self) -> dict[str, object]:
        """The ``error`` object of the JSON contract; reserved keys win over fields of the same name."""
        return {
            **self.fields,
            "kind": self.kind,
            "exit_code": self.exit_code,
            "message": self.message,
            "hint": self.hint,
            "where": self.where,
        }


class UsageError(WfexsError):
    """The command line asks for something that makes no sense."""

    kind = "usage"
    exit_code = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault of a document.

    ``where`` is the path into the document (``params.reads.url[1]``); ``line`` and ``column`` count from 1
    (``None`` when the fault has no place in the text); ``file`` is the document's path as the user gave it.
    """

    file: str
    where: str
    message: str
    line: int | None = None
    column: int | None = None
    hint: str | None = None

    def as_json(self) -> dict[str, object]:
        """One entry of ``faults`` in the JSON contract."""
        return {
            "file": self.file,
            "where": self.where or None,
            "line": self.line,
            "column": self.column,
            "message": self.message,
            "hint": self.hint,
        }

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        hint = f" ({self.hint})" if self.hint else ""
        return f"{place}: {self.where}: {self.message}{hint}" if self.where else f"{place}: {self.message}{hint}"


def _in_order(faults: tuple[Fault, ...]) -> tuple[Fault, ...]:
    """The faults by document (in the order in which those are first named), line and column."""
    documents = {file: place for place, file in enumerate(dict.fromkeys(one.file for one in faults))}
    return tuple(sorted(faults, key=lambda one: (documents[one.file], one.line or sys.maxsize, one.column or 0)))


class DefinitionError(WfexsError):
    """A stage file, config or parameter set is wrong. Carries *all* faults that were found.

    They are told document by document, in the order of each text; those without a place in it come last.
    """

    kind = "definition"
    exit_code = 3

    def __init__(self, faults: tuple[Fault, ...], *, message: str | None = None, hint: str | None = None) -> None:
        faults = _in_order(faults)
        first = faults[0] if faults else None
        if message is None:
            count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
            message = f"{first.file if first else 'document'} has {count}"
        super().__init__(message, hint=hint, where=(first.where or None) if first else None)
        self.faults = faults
        self.fields = {"faults": [fault.as_json() for fault in faults]}


class FetchError(WfexsError):
    """Bytes could not be had from where the identifier points.

    ``transient`` says whether asking again later may help (a dead server, a time-out), as against a plain "no such
    thing".
    """

    kind = "fetch"
    exit_code = 4

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        where: str | None = None,
        transient: bool = False,
        **fields: object,
    ) -> None:
        super().__init__(message, hint=hint, where=where, **fields)
        self.transient = transient


class DigestError(WfexsError):
    """Bytes are not the bytes that were promised; both digests are in the fields ``expected`` and ``actual``."""

    kind = "digest"
    exit_code = 5


class ContainerError(WfexsError):
    """A container runtime or image could not do what was asked."""

    kind = "container"
    exit_code = 6


class EngineError(WfexsError):
    """The engine could not be set up or started."""

    kind = "engine"
    exit_code = 7


class VaultError(WfexsError):
    """The encrypted area of a working directory can't be made, opened or closed."""

    kind = "vault"
    exit_code = 7


class CrateError(WfexsError):
    """A crate is invalid, or two runs differ."""

    kind = "crate"
    exit_code = 9


class NotFoundError(WfexsError):
    """There is no such working directory, run or object."""

    kind = "not-found"
    exit_code = 10


class LockedError(WfexsError):
    """Somebody else is using it right now."""

    kind = "locked"
    exit_code = 11


class KeyAccessError(WfexsError):
    """A wrong or missing key or passphrase."""

    kind = "key"
    exit_code = 12


class DiskError(WfexsError):
    """The disk is full, or a quota is reached."""

    kind = "disk"
    exit_code = 13


class PolicyError(WfexsError):
    """Refused because it would break a promise (clear text of a secure directory, an escape from the run, ...)."""

    kind = "policy"
    exit_code = 14


class LeakError(WfexsError):
    """What should be secret lies outside of its encrypted area; the field ``places`` says where."""

    kind = "leak"
    exit_code = 15


class InterruptedByUser(WfexsError):  # noqa: N818 - an event, not a mistake
    """Stopped by a signal; the exit code is 128 + its number."""

    kind = "interrupted"

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"stopped by signal {signal_number}")
        self.exit_code = 128 + signal_number


def from_os_error(error: OSError, doing: str) -> WfexsError:
    """Translate an ``OSError`` that nobody below could name: a full disk is exit 13, the rest exit 1.

    ``doing`` completes the sentence "cannot ...".
    """
    where = str(error.filename) if error.filename else None
    reason = error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskError(
            f"cannot {doing}: {reason.lower()}",
            where=where,
            hint="free some space (wfexs-like cache gc, wfexs-like rm) and do it again: nothing was lost",
        )
    return WfexsError(f"cannot {doing}: {reason.lower()}" + (f": {where}" if where else ""), where=where)
