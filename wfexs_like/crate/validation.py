"""Validation of crates against their profiles by roc-validator, in a child process and without the network.

The child (``validator_child``) is started before the crate is written, so that it has loaded the profiles' shapes by
the time that it is asked.
"""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final

from staging.errors import CrateError, NotFoundError, UsageError, WfexsError
from staging.process import PIPE, Child, base_environment, start
from wfexs_like.crate.contexts import CONTEXT_FILES
from wfexs_like.crate.graph import METADATA
from wfexs_like.crate.report_types import Validation, ValidationIssue

VALIDATOR_PROFILES: Final[Mapping[str, str]] = {
    "https://w3id.org/ro/wfrun/provenance/": "provenance-run-crate-0.5",
    "https://w3id.org/ro/wfrun/workflow/": "workflow-run-crate-0.5",
    "https://w3id.org/ro/wfrun/process/": "process-run-crate-0.5",
    "https://w3id.org/workflowhub/workflow-ro-crate/": "workflow-ro-crate-1.0",
    "https://w3id.org/ro/crate/1.3": "ro-crate-1.3",
    "https://w3id.org/ro/crate/1.1": "ro-crate-1.1",
}
"""The validator's profile for what a crate says it conforms to (the beginning of the URI), most specific first."""

TIME_LIMIT: Final = 600.0
"""Seconds that a validation may take: large crates take 7 s for 1500 entities."""

_SECONDS_PER_BYTE: Final = 50e-6
"""And as many more for its metadata: 10 000 steps are 21 MB, and take 140 s."""

KNOWN: Final = "process-run-crate-0.5_5.1"
"""The one recommended check that no crate with its workflow inside can meet: a workflow's @id should be on the web."""

KNOWN_BECAUSE: Final = "tools in the crate have no absolute URI"

SHARED: Final = "provenance-run-crate-0.5_17.0"
"""Wants a connection to a tool's parameter at every step that runs the tool, also at those it doesn't lead to."""

_KNOWN: Final = {KNOWN: KNOWN_BECAUSE, SHARED: "steps that run the same tool share its parameters"}
_MAX_METADATA = 256 << 20


def validator_profile(address: str) -> str:
    """The validator's profile for a profile's address.

    Raises:
        KeyError: it has none.
    """
    return next(name for prefix, name in VALIDATOR_PROFILES.items() if address.startswith(prefix))


class Judge:
    """A validator process for one crate, in a ``with`` block; it keeps parsed queries below ``cache``."""

    def __init__(self, profile: str, cache: Path) -> None:
        self.profile = profile
        environment = base_environment(ROCRATE_VALIDATOR_AUTO_WARM="0", HOME="/nonexistent", PYTHONWARNINGS="ignore")
        argv = (sys.executable, "-I", "-m", "wfexs_like.crate.validator_child", profile, str(cache.absolute()))
        self._child: Child = start(argv, env=environment, stdin=PIPE, stdout=PIPE, stderr=PIPE)

    def __enter__(self) -> Judge:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._child.poll() is None:
            self._child.stop(0.0)
        self._child.close()

    def validate(self, crate: Path) -> Validation:
        """The verdict on a crate: a folder or a ZIP file.

        Raises:
            WfexsError: the validator broke down.
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
        issues = tuple(
            ValidationIssue(severity=one["severity"], check=one["check"], entity=one["entity"], message=one["message"])
            for one in answer["issues"]
        )

        def failed(severity: str) -> int:
            return len({one.check for one in issues if one.severity == severity})

        return Validation(
            profile=self.profile,
            passed=bool(answer["passed"]),
            required=failed("required"),
            recommended=failed("recommended"),
            issues=issues,
            known={check: why for check, why in _KNOWN.items() if any(one.check == check for one in issues)},
        )


def validate_crate(path: Path, *, profile: str | None = None, cache: Path) -> Validation:
    """Whether a crate, anybody's, conforms to a profile: the given one, else the most specific that it declares.

    ``profile`` is the validator's name (``workflow-run-crate-0.5``) or the profile's address.

    Raises:
        NotFoundError: there is nothing at ``path``.
        UsageError: the validator has no such profile.
        CrateError: it isn't an RO-Crate at all, or has a context that isn't built in.
    """
    metadata = _read_metadata(path)
    _refuse_unknown_contexts(metadata, path)
    chosen = _named(profile) if profile is not None else detect_profile(metadata)
    with Judge(chosen, cache) as judge:
        return judge.validate(path)


def detect_profile(metadata: Mapping[str, object]) -> str:
    """The validator's profile for the most specific profile that a crate declares."""
    graph = metadata.get("@graph")
    known = [one for one in graph if isinstance(one, dict)] if isinstance(graph, list) else []
    entities = {one["@id"]: one for one in known if isinstance(one.get("@id"), str)}
    descriptor = entities.get(METADATA) or entities.get(f"./{METADATA}") or {}
    about = descriptor.get("about")
    root = entities.get(about.get("@id"), {}) if isinstance(about, dict) else {}
    declared = [*_ids(root.get("conformsTo")), *_ids(descriptor.get("conformsTo"))]
    for prefix, name in VALIDATOR_PROFILES.items():
        if any(one.startswith(prefix) for one in declared):
            return name
    return "ro-crate-1.1"


def _ids(value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [one["@id"] for one in values if isinstance(one, dict) and isinstance(one.get("@id"), str)]


def _named(profile: str) -> str:
    if profile in VALIDATOR_PROFILES.values():
        return profile
    try:
        return validator_profile(profile)
    except StopIteration:
        known = ", ".join(VALIDATOR_PROFILES.values())
        raise UsageError(f"there is no profile {profile!r}", hint=f"known: {known}") from None


def _read_metadata(path: Path) -> Mapping[str, object]:
    try:
        text = _metadata_text(path)
        metadata = json.loads(text)
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no {path}", where=str(path)) from error
    except KeyError as error:
        raise CrateError(f"{path} is not an RO-Crate: it has no {METADATA}", where=str(path)) from error
    except (ValueError, RecursionError) as error:
        raise CrateError(f"{path} has a {METADATA} that is not JSON: {error}", where=str(path)) from error
    except (OSError, zipfile.BadZipFile) as error:
        raise CrateError(f"{path} can't be read as an RO-Crate: {error}", where=str(path)) from error
    if not isinstance(metadata, dict):
        raise CrateError(f"{path} has a {METADATA} that is not a JSON object", where=str(path))
    return metadata


def _metadata_size(path: Path) -> int:
    """How many bytes the metadata have; 0 where there are none, which the validator will say."""
    try:
        if path.is_dir():
            return (path / METADATA).stat().st_size
        with zipfile.ZipFile(path) as archive:
            return min(archive.getinfo(METADATA).file_size, _MAX_METADATA)
    except (OSError, KeyError, zipfile.BadZipFile):
        return 0


def _metadata_text(path: Path) -> bytes:
    if path.is_dir():
        target = path / METADATA
        if not target.is_file():
            raise KeyError(METADATA)
        return target.read_bytes()
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(METADATA)
        if info.file_size > _MAX_METADATA:
            raise ValueError(f"it is larger than {_MAX_METADATA >> 20} MiB")
        return archive.read(info)


def _refuse_unknown_contexts(metadata: Mapping[str, object], path: Path) -> None:
    stated = metadata.get("@context")
    for one in stated if isinstance(stated, list) else [stated]:
        if isinstance(one, str) and one.rstrip("/") not in CONTEXT_FILES:
            raise CrateError(
                f"{path} uses the context {one}, which is not built in",
                where=str(path),
                hint=f"contexts that need no network: {', '.join(CONTEXT_FILES)}",
            )
