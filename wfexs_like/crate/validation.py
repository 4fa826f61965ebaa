"""Validation of crates against their profiles by roc-validator, in a child process and without the network.

The child (``validator_child``) is started before the crate is written, so that it has loaded the profiles' shapes by
the time that it is asked.
"""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, TypeAlias

from staging.errors import CrateError, PolicyError, WfexsError
from staging.process import PIPE, Child, base_environment, start
from wfexs_like.crate.contexts import CONTEXT_FILES
from wfexs_like.crate.graph import METADATA
from wfexs_like.crate.judges import BY_NAME, JudgedProfile, chosen, named
from wfexs_like.crate.report_types import Check, Validation, ValidationIssue
from wfexs_like.reading.contents import Contents, open_crate
from wfexs_like.reading.metadata import LARGEST_METADATA, WHAT, Metadata, parse_metadata

Level: TypeAlias = Literal["required", "recommended", "optional"]
LEVELS: Final[tuple[Level, ...]] = ("required", "recommended", "optional")

TIME_LIMIT: Final = 600.0
"""Seconds that a validation may take: large crates take 7 s for 1500 entities."""

_SECONDS_PER_BYTE: Final = 50e-6
"""And as many more for its metadata: 10 000 steps are 21 MB, and take 140 s."""

MOST_ENTITIES: Final = 250_000
"""Of a crate that anybody made: the validator spends about ten kilobytes and a millisecond on each."""

KNOWN: Final = "process-run-crate-0.5_5.1"
"""The one recommended check that no crate with its workflow inside can meet: a workflow's @id should be on the web."""

KNOWN_BECAUSE: Final = "tools in the crate have no absolute URI"

SHARED: Final = "provenance-run-crate-0.5_17.0"
"""Wants a connection to a tool's parameter at every step that runs the tool, also at those it doesn't lead to."""

FAULTY: Final = "wfexs-like_metadata"
"""The name of a check of ours: the metadata are what anybody can mean, each entity with an @id, and once."""

_KNOWN: Final = {
    KNOWN: KNOWN_BECAUSE,
    SHARED: "steps that run the same tool share its parameters",
    "ro-crate-1.2_42.1": "parts of a workflow's documents are named by the document that they are in",
    "ro-crate-1.2_43.0": "the run profiles' own types are not schema.org's",
}


class Judge:
    """A validator process for one crate, in a ``with`` block; it keeps parsed queries below ``cache``.

    ``profiles`` are our names for them (``judges``). ``level`` says down to which severity checks are made, and
    ``strict`` that all of these have to be met. ``without`` has checks that don't count, with the reason.
    """

    def __init__(
        self,
        profiles: str | Sequence[str],
        cache: Path,
        *,
        level: Level = "recommended",
        strict: bool = False,
        without: Mapping[str, str] | None = None,
    ) -> None:
        self.profiles = (profiles,) if isinstance(profiles, str) else tuple(profiles)
        self.level = level
        self.strict = strict
        self.without = without or {}
        environment = base_environment(ROCRATE_VALIDATOR_AUTO_WARM="0", HOME="/nonexistent", PYTHONWARNINGS="ignore")
        argv = (sys.executable, "-I", "-m", "wfexs_like.crate.validator_child", str(cache.absolute()), level)
        self._child: Child = start((*argv, *self.profiles), env=environment, stdin=PIPE, stdout=PIPE, stderr=PIPE)

    def __enter__(self) -> Judge:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._child.poll() is None:
            # It has files to remove.
            self._child.stop()
        self._child.close()

    def validate(self, crate: Path) -> Validation:
        """The verdict on a crate, a folder or a ZIP file, by the first of the profiles.

        Raises:
            CrateError: the validator can make nothing of it.
            WfexsError: the validator broke down.
        """
        return self.validate_all(crate)[0]

    def validate_all(self, crate: Path) -> tuple[Validation, ...]:
        """The same by each profile.

        Raises:
            CrateError, WfexsError: see ``validate``.
        """
        request = json.dumps({"crate": str(crate.absolute())}).encode()
        limit = TIME_LIMIT + _metadata_size(crate) * _SECONDS_PER_BYTE
        streams = self._child.communicate(request, limit)
        if streams is None:
            raise WfexsError(f"the validator gave no answer in {limit:.0f} seconds", where=str(crate))
        try:
            answer = json.loads(streams[0])
        except ValueError as error:
            words = streams[1].decode(errors="replace").strip().splitlines()
            reason = words[-1] if words else f"exit code {self._child.wait()}"
            raise WfexsError(f"the validator broke down: {reason}", where=str(crate)) from error
        if "broken" in answer:
            raise CrateError(f"the validator can make nothing of {crate}: {answer['broken']}", where=str(crate))
        return tuple(self._verdict(BY_NAME[one["profile"]], one) for one in answer["verdicts"])

    def _verdict(self, profile: JudgedProfile, told: Mapping[str, Any]) -> Validation:
        issues = tuple(ValidationIssue(**one) for one in told["issues"] if one["check"] not in self.without)
        by_severity = {level: {one.check for one in issues if one.severity == level} for level in LEVELS}
        counted = LEVELS[: LEVELS.index(self.level) + 1] if self.strict else LEVELS[:1]
        judged = None
        if profile.base is not None:
            judged = f"{profile.base} as it is written, {profile.shapes} on a copy of its metadata in the words of that"
        return Validation(
            profile=profile.name,
            passed=not any(by_severity[level] - _KNOWN.keys() for level in counted),
            required=len(by_severity["required"]),
            recommended=len(by_severity["recommended"]),
            optional=len(by_severity["optional"]),
            issues=issues,
            known={check: why for check, why in _KNOWN.items() if any(one.check == check for one in issues)},
            level=counted[-1],
            checks=tuple(Check(**{"skipped": self.without.get(one["identifier"]), **one}) for one in told["checks"]),
            judged=judged,
        )


def validate_crate(path: Path, *, profile: str | None = None, cache: Path) -> Validation:
    """Whether a crate, anybody's, conforms to a profile: the given one, else the most specific that it declares.

    ``profile`` is its name (``workflow-run-crate-0.5``) or its address.

    Raises:
        NotFoundError, UsageError, CrateError, PolicyError: see ``judge_crate``.
    """
    return judge_crate(path, profiles=(profile,) if profile is not None else (), cache=cache)[0]


def judge_crate(
    path: Path, *, profiles: tuple[str, ...] = (), level: Level | None = None, cache: Path
) -> tuple[Validation, ...]:
    """Whether a crate, anybody's, conforms to profiles.

    ``profiles`` are names or addresses, or ``declared`` for all that it declares; without any, it is the most specific
    that it declares. ``level`` says that every check down to that severity has to be met; when it isn't given,
    recommended ones are told and required ones have to be.

    Raises:
        NotFoundError: there is nothing at ``path``.
        UsageError: there is no such profile.
        CrateError: it isn't an RO-Crate at all, or has a context that isn't built in.
        PolicyError: an entry or the metadata could do harm.
    """
    for one in profiles:
        if one != "declared":
            named(one)
    with open_crate(path) as contents:
        place = root_of(contents)
        if place is None:
            hint = (
                "name the crate's folder or zip; there are no profiles for RO-Crate 1.0, whose metadata end in .jsonld"
            )
            raise CrateError(f"{path} is not an RO-Crate: it has no {METADATA}", hint=hint, where=str(path))
        metadata = _metadata(contents, f"{place}{METADATA}", path)
    names = [one.name for one in chosen(profiles, metadata)]
    with Judge(names, cache, level=level or "recommended", strict=level is not None) as judge:
        verdicts = judge.validate_all(path)
    faults = tuple(
        ValidationIssue(severity="required", check=FAULTY, entity=None, message=f"{WHAT}are not sound: {one}")
        for one in metadata.faults
    )
    return tuple(_with(one, faults) for one in verdicts) if faults else verdicts


def root_of(contents: Contents) -> str | None:
    """Where in it the crate lies: nowhere deeper (empty), or in a bag's payload (BagIt, RFC 8493).

    A bag may lie in one folder of its own, as Five Safes RO-Crate wants it in a zip. ``None`` if there is no crate.
    """
    for place in _places(contents):
        if contents.resolve(f"{place}{METADATA}") in contents.openers:
            return place
    return None


def _places(contents: Contents) -> Iterator[str]:
    yield ""
    tops = {path.partition("/")[0] for path in (*contents.members, *contents.links)}
    for top in ("", *(f"{one}/" for one in sorted(tops) if len(tops) == 1)):
        if f"{top}bagit.txt" in contents.members:
            yield f"{top}data/"
        elif top:
            yield top


def _metadata(contents: Contents, place: str, path: Path) -> Metadata:
    content = contents.read(contents.resolve(place) or place, LARGEST_METADATA)
    metadata = parse_metadata(content)
    if len(metadata.entities) > MOST_ENTITIES:
        raise PolicyError(
            f"{WHAT}are too much for the validator: {len(metadata.entities)} entities",
            where=METADATA,
            hint=f"it is asked about {MOST_ENTITIES} at most",
        )
    for one in _foreign_contexts(json.loads(content)):
        raise CrateError(
            f"{path} uses the context {one[:200]}, which is not built in",
            where=str(path),
            hint=f"contexts that need no network: {', '.join(CONTEXT_FILES)}",
        )
    return metadata


def _foreign_contexts(document: object) -> Iterator[str]:
    """The contexts that a document wants to be fetched, wherever it says so."""
    pending: list[tuple[bool, object]] = [(False, document)]
    while pending:
        is_context, value = pending.pop()
        if isinstance(value, str) and is_context and value.rstrip("/") not in CONTEXT_FILES:
            yield value
        elif isinstance(value, list):
            pending += [(is_context, one) for one in value]
        elif isinstance(value, dict):
            pending += [(name in ("@context", "@import"), one) for name, one in value.items()]


def _with(validation: Validation, faults: tuple[ValidationIssue, ...]) -> Validation:
    from dataclasses import replace

    check = Check(identifier=FAULTY, name="Sound metadata", severity="required")
    return replace(
        validation,
        passed=False,
        required=validation.required + 1,
        issues=(*faults, *validation.issues),
        checks=(check, *validation.checks),
    )


def _metadata_size(path: Path) -> int:
    """How many bytes the metadata have; 0 where there are none, which the validator will say."""
    try:
        if path.is_dir():
            return (path / METADATA).stat().st_size
        with zipfile.ZipFile(path) as archive:
            return min(archive.getinfo(METADATA).file_size, LARGEST_METADATA)
    except (OSError, KeyError, zipfile.BadZipFile):
        return 0
