"""Versions of Nextflow: their order, the constraint language of ``manifest.nextflowVersion``, and which one to take.

Source: Nextflow's documentation (``manifest.nextflowVersion``, ``nextflow.version.matches``) and its ``VersionNumber``.
Where versions are put in order, an edge release is older than the release of the same numbers, which is how they came
about. Whether a version meets a constraint is decided as Nextflow itself does, which holds it to be newer: it would
refuse to run what we allow.
"""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from staging.errors import DefinitionError, Fault

NAME = "nextflow"
DEFAULT = "24.10.0"

_MAX_LENGTH = 200
_VERSION = re.compile(r"([0-9]{1,9})\.([0-9]{1,9})(?:\.([0-9]{1,9}))?(?:-([A-Za-z][A-Za-z0-9]{0,31}))?")
_TERM = re.compile(r"(?P<operator>==?|!=|<>|<=?|>=?)?\s*(?P<version>[0-9][0-9A-Za-z._-]{0,63})(?P<open>\+)?")
_COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
# From the launcher script of each series ("It's recommended the use of version ... up to ...") and the installation
# page of its documentation; newest first. What comes after the last series is taken to want what that one does.
_JAVA = (
    ((25, 10), (17, 25)),
    ((24, 11), (17, 24)),
    ((24, 10), (17, 23)),
    ((24, 4), (11, 22)),
    ((23, 10), (11, 21)),
    ((22, 12), (11, 20)),
    ((22, 10), (11, 19)),
    ((22, 4), (11, 18)),
    ((21, 10), (8, 17)),
    ((0, 0), (8, 15)),
)


@functools.total_ordering
@dataclass(frozen=True, slots=True)
class Version:
    """``24.10.0``, ``23.05.0-edge`` or, in a constraint, fewer numbers. Missing numbers count as 0."""

    numbers: tuple[int, ...]
    qualifier: str = ""

    @classmethod
    def parse(cls, text: str) -> Version:
        """Read a version of any number of parts.

        Raises:
            ValueError: it is none.
        """
        numbers, _, qualifier = text.partition("-")
        parts = numbers.split(".")
        if len(text) > _MAX_LENGTH or not all(part.isascii() and part.isdigit() for part in parts):
            raise ValueError(text)
        return cls(tuple(int(part) for part in parts), qualifier.lower())

    @property
    def _key(self) -> tuple[tuple[int, ...], int, str]:
        numbers = self.numbers
        while numbers and numbers[-1] == 0:
            numbers = numbers[:-1]
        return numbers, 0 if self.qualifier else 1, self.qualifier

    def __eq__(self, other: object) -> bool:
        return self._key == other._key if isinstance(other, Version) else NotImplemented

    def __lt__(self, other: Version) -> bool:
        return self._key < other._key

    def __hash__(self) -> int:
        return hash(self._key)


RESOURCE_LIMITS = Version.parse("24.04.0")
"""The first that can hold a single task to limits (``process.resourceLimits``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Term:
    comparison: str
    version: str

    def allows(self, version: str) -> bool:
        if self.comparison == "+":
            return _continues(version, self.version)
        return _COMPARISONS[self.comparison](_compared(version, self.version), 0)


def _parts(version: str) -> list[str]:
    return [part for part in re.split(r"[.-]", version) if part]


def _compared(one: str, other: str) -> int:
    """Less than, equal to or greater than 0, as Nextflow compares them: by parts, as text unless both are digits."""
    ours, theirs = _parts(one), _parts(other)
    longest = max(len(ours), len(theirs))
    for left, right in zip(ours + ["0"] * (longest - len(ours)), theirs + ["0"] * (longest - len(theirs)), strict=True):
        if left.isdigit() and right.isdigit():
            if int(left) != int(right):
                return int(left) - int(right)
        elif left != right:
            return 1 if left > right else -1
    return 0


def _continues(version: str, wanted: str) -> bool:
    """``1.2+``: the same parts, to the letter, but the last one named; and that one or a later one."""
    least = _parts(f"{wanted}0" if wanted.endswith(".") else wanted)
    ours = _parts(version)
    ours += ["0"] * (len(least) - len(ours))
    last = len(least) - 1
    return ours[:last] == least[:last] and _compared(ours[last], least[last]) >= 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """What a workflow says of the Nextflow it needs. ``strict``: Nextflow itself stops where it is not met."""

    text: str
    strict: bool
    terms: tuple[_Term, ...]

    @classmethod
    def parse(cls, text: str) -> Constraint:
        """Read a constraint such as ``!>=23.04.0, <25``.

        Raises:
            DefinitionError: it is not one.
        """
        bare = text.strip()
        # Also in "!=1.2": Nextflow takes that for a strict "=1.2".
        strict = bare.startswith("!")
        terms = [_term(part.strip()) for part in (bare[1:] if strict else bare).split(",") if part.strip()]
        if len(text) > _MAX_LENGTH or not terms or None in terms:
            raise _fault(
                f"{text[:_MAX_LENGTH]!r} is not a constraint on the version of Nextflow",
                "written like '>=23.04.0', '!>=23.04, <25', '23.10+' or '24.10.0'",
            )
        return cls(text=bare, strict=strict, terms=tuple(one for one in terms if one is not None))

    def allows(self, version: str) -> bool:
        """Whether that version meets every term."""
        return all(term.allows(version) for term in self.terms)

    @property
    def named(self) -> tuple[str, ...]:
        """The full versions that its terms name and that meet it, lowest first."""
        full = {one.version for one in self.terms if is_version(one.version) and self.allows(one.version)}
        return tuple(sorted(full, key=Version.parse))


def is_version(text: str) -> bool:
    """Whether it is a whole version, as releases have them: three numbers, perhaps ``-edge``."""
    match = _VERSION.fullmatch(text)
    return match is not None and match.group(3) is not None


def check_version(version: str) -> None:
    """Refuse what is not a whole version: it becomes a file name and part of an address.

    Raises:
        DefinitionError: it is not one.
    """
    if not is_version(version):
        raise _fault(f"{version[:64]!r} is not a version of Nextflow", f"write it as in nextflow@{DEFAULT}")


def choose(asked: str | None, constraint: str | None, known: Sequence[str], default: str = DEFAULT) -> str:
    """The version to run with: the one that was asked for, else the default, else the newest known that fits.

    When none of those meets the constraint, the lowest version that it names whole is taken.

    Raises:
        DefinitionError: what was asked for is no version or does not meet the constraint, or nothing is known that
            does.
    """
    limits = Constraint.parse(constraint) if constraint is not None and constraint.strip() else None
    if asked is not None:
        check_version(asked)
        if limits is not None and not limits.allows(asked):
            raise _fault(
                f"nextflow@{asked} is asked for, and the workflow wants Nextflow {limits.text}",
                "ask for a version that the workflow's manifest.nextflowVersion allows"
                + (f", such as {_fitting(limits, known, default)}" if _fitting(limits, known, default) else ""),
            )
        return asked
    if limits is None:
        return default
    chosen = _fitting(limits, known, default)
    if chosen is None:
        raise _fault(
            f"the workflow wants Nextflow {limits.text}, and of the known versions none is that",
            f"name a version in the stage file (engine: nextflow@...); known ones: {', '.join(known) or 'none'}",
        )
    return chosen


def java_range(version: str) -> tuple[int, int]:
    """The oldest and the newest Java (feature versions) that a version of Nextflow is meant for."""
    numbers = Version.parse(version).numbers
    return next(wanted for series, wanted in _JAVA if (*numbers, 0, 0)[:2] >= series)


def _fitting(limits: Constraint, known: Sequence[str], default: str) -> str | None:
    if limits.allows(default):
        return default
    fitting = [one for one in known if limits.allows(one)]
    if fitting:
        return max(fitting, key=Version.parse)
    return limits.named[0] if limits.named else None


def _term(text: str) -> _Term | None:
    match = _TERM.fullmatch(text)
    if match is None or (match["operator"] and match["open"]):
        return None
    compared = "+" if match["open"] else {"==": "=", "<>": "!="}.get(match["operator"], match["operator"] or "=")
    return _Term(comparison=compared, version=match["version"])


def _fault(message: str, hint: str) -> DefinitionError:
    return DefinitionError(
        (Fault(file="nextflow.config", where="manifest.nextflowVersion", message=message, hint=hint),),
        message=message,
        hint=hint,
    )
