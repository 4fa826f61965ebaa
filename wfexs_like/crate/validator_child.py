"""The validator's process: ``python -m wfexs_like.crate.validator_child CACHE LEVEL PROFILE...``.

It loads the profiles, waits for ``{"crate": PATH}`` on its standard input and answers on its standard output with
``{"verdicts": [{"profile": ..., "issues": [...], "checks": [...]}]}``, or ``{"broken": REASON}``. It opens no
connection: the contexts that are built in are the whole web to it.
"""

from __future__ import annotations

import gc
import json
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from staging.errors import WfexsError
from staging.paths import safe_relative
from wfexs_like.crate.contexts import CONTEXT_FILES
from wfexs_like.crate.graph import METADATA
from wfexs_like.crate.judges import BY_NAME, JudgedProfile
from wfexs_like.crate.other_words import in_first_words
from wfexs_like.crate.parsed_queries import ParsedQueries
from wfexs_like.crate.validation import root_of
from wfexs_like.reading.contents import Contents, open_crate
from wfexs_like.reading.metadata import LARGEST_METADATA

_WORKFLOW = ("ro-crate/1.1", "workflow-ro-crate")
_EXTENDS = {
    "ro-crate-1.1": ("ro-crate/1.1",),
    "ro-crate-1.2": ("ro-crate/1.2",),
    "ro-crate-1.3": ("ro-crate/1.2", "ro-crate/1.3"),
    "process-run-crate-0.5": ("ro-crate/1.1", "process-run-crate"),
    "workflow-ro-crate-1.0": _WORKFLOW,
    "workflow-run-crate-0.5": (*_WORKFLOW, "process-run-crate", "workflow-run-crate"),
    "provenance-run-crate-0.5": (*_WORKFLOW, "process-run-crate", "workflow-run-crate", "provenance-run-crate"),
    "workflow-testing-ro-crate-0.1": (*_WORKFLOW, "workflow-testing-ro-crate"),
    "isa-ro-crate": ("ro-crate/1.1", "isa-ro-crate"),
}
_MOST_MEMORY = 16 << 30
_TOLD = ("returned", "exception", "dependency", "not_reached")
"""The reasons for which a check that should have been made was not."""
_NOT_MADE = "the validator could not make this check"
_READ = frozenset({METADATA, "ro-crate-preview.html"})
"""The files that checks look into."""
_NETWORK = frozenset({"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "urllib.Request"})


class _Answer:
    """As much of a response as the validator looks at."""

    def __init__(self, path: Path) -> None:
        self.status_code = 200
        self.ok = True
        self.from_cache = True
        self.headers = {"Content-Type": "application/ld+json"}
        self.text = path.read_text(encoding="utf-8")

    def json(self) -> object:
        return json.loads(self.text)

    def raise_for_status(self) -> None:
        return


class _BuiltIn:
    """A session whose web is ``CONTEXT_FILES``."""

    def get(self, url: str, **_: object) -> _Answer:
        from rocrate_validator.utils.http import OfflineCacheMissError

        path = CONTEXT_FILES.get(url.rstrip("/"))
        if path is None:
            raise OfflineCacheMissError(url)
        return _Answer(path)

    head = get


def main(cache: Path, level: str, names: Sequence[str]) -> None:
    """Load, wait, judge, answer."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints must not get into the answer
    gc.set_threshold(100_000, 50, 100)
    sys.addaudithook(_offline)
    resource.setrlimit(resource.RLIMIT_DATA, (_MOST_MEMORY, resource.getrlimit(resource.RLIMIT_DATA)[1]))
    profiles = [BY_NAME[one] for one in names]
    # Who wants no answer any more still wants the folder removed.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(1))
    with _plain_folder() as folder:
        queries = ParsedQueries(cache / "validator")
        queries.install()
        needed = dict.fromkeys(one for profile in profiles for one in (profile.base, profile.shapes) if one)
        validators = {one: _prepared(one, folder, level) for one in needed}
        crate = Path(json.loads(sys.stdin.buffer.read())["crate"])
        try:
            crate = _plainly_named(crate, folder)
            verdicts = [_verdict(one, validators, crate, folder) for one in profiles]
            answer.write(json.dumps({"verdicts": verdicts}))
        except (ValueError, LookupError, TypeError, AttributeError, RuntimeError, MemoryError, WfexsError) as error:
            # What a crate of a stranger does to a library is not foreseen.
            answer.write(json.dumps({"broken": f"{type(error).__name__}: {str(error)[:300]}"}))
    answer.close()
    queries.save()


def _offline(event: str, _: object) -> None:
    if event in _NETWORK:
        raise PermissionError("the validator opens no connection")


def _verdict(profile: JudgedProfile, validators: Mapping[str, Any], crate: Path, folder: Path) -> dict[str, Any]:
    """What is to be said of a crate by a profile."""
    if profile.base is None:
        results = [(validators[profile.shapes].validate(crate), "")]
    else:
        copy = _other_words(crate, folder / "in-other-words")
        # What the first generation's RO-Crate says doesn't count: the crate isn't one of its.
        results = [(validators[profile.base].validate(crate), ""), (validators[profile.shapes].validate(copy), "ro-")]
    issues: list[dict[str, str | None]] = []
    checks: dict[str, dict[str, str | None]] = {}
    for result, without in results:
        issues += [told for told in map(_issue, result.get_issues()) if not _is_of(told["check"], without)]
        for one in result.executed_checks:
            if not _is_of(one.identifier, without):
                checks[one.identifier] = _check(one)
        for skipped in result.skipped_check_details:
            one = skipped.check
            if not _is_of(one.identifier, without) and skipped.category.value in _TOLD:
                checks.setdefault(one.identifier, {**_check(one), "skipped": " ".join(skipped.message.split())})
        made = {one.identifier for one in (*result.executed_checks, *result.skipped_checks)}
        for one in result.statistics.checks:
            if one.identifier not in made and not _is_of(one.identifier, without):
                # The validator says nothing of it where it can't read the metadata as a graph.
                checks[one.identifier] = {**_check(one), "skipped": _NOT_MADE}
        issues += [_not_made(one) for one in checks.values() if one.get("skipped") == _NOT_MADE]
    return {
        "profile": profile.name,
        "issues": sorted(issues, key=_order),
        "checks": [checks[one] for one in sorted(checks)],
    }


def _not_made(check: Mapping[str, str | None]) -> dict[str, str | None]:
    return {"severity": check["severity"], "check": check["identifier"], "entity": None, "message": _NOT_MADE}


def _is_of(check: str | None, beginning: str) -> bool:
    return bool(beginning) and str(check).startswith(beginning)


def _check(check: Any) -> dict[str, str | None]:
    # A shape without a name has the name of a blank node, which is another one each time.
    name = re.sub(r"^n[0-9a-f]{32,}\S*( of )?", "", str(check.name)) or check.identifier
    return {"identifier": check.identifier, "name": name, "severity": check.severity.name.lower()}


def _other_words(crate: Path, folder: Path) -> Path:
    """The same crate with its metadata said in the first generation's words."""
    if folder.exists():
        return folder
    folder.mkdir()
    for one in crate.iterdir():
        if one.name != METADATA:
            (folder / one.name).symlink_to(one)
    document = json.loads((crate / METADATA).read_bytes())
    (folder / METADATA).write_text(json.dumps(in_first_words(document)), encoding="utf-8")
    return folder


@contextmanager
def _plain_folder() -> Iterator[Path]:
    """A new folder where temporary files go, under a name that a URI has as it is.

    Where that place has another name, a link in ``/tmp`` leads there: of an encrypted working directory nothing may lie
    anywhere else.
    """
    with tempfile.TemporaryDirectory(prefix="wfexs-like-") as name:
        if re.fullmatch(r"[\w/.-]+", os.path.normpath(name), re.ASCII):
            yield Path(name)
            return
        with tempfile.TemporaryDirectory(prefix="wfexs-like-", dir="/tmp") as plain:
            link = Path(plain, "there")
            link.symlink_to(name, target_is_directory=True)
            yield link


def _plainly_named(crate: Path, folder: Path) -> Path:
    """The crate under a name of ours: the validator takes ``..``, blanks and ``%`` in a path for parts of a URI."""
    with open_crate(crate) as contents:
        place = root_of(contents) or ""
        if not crate.is_dir():
            return _skeleton(contents, place, folder / "skeleton")
    name = folder / "crate"
    name.symlink_to(crate.resolve() / place, target_is_directory=True)
    return name


def _prepared(profile: str, folder: Path, level: str) -> Any:
    """A validator that has the profile's shapes at hand."""
    from rocrate_validator.models import ValidationSettings, Validator
    from rocrate_validator.utils.http import HttpRequester

    settings = ValidationSettings(
        rocrate_uri=str(folder),
        profile_identifier=profile,
        profiles_path=_profiles(profile, folder / f"profiles-{profile}", level),
        requirement_severity=level.upper(),
        skip_availability_check=True,
        no_cache=True,
    )
    HttpRequester().session = _BuiltIn()
    validator = Validator(settings)
    validator.prepare(str(folder))
    return validator


def _profiles(profile: str, folder: Path, level: str) -> Path:
    """A folder with the profile and those that it extends, alone: the validator reads all that it is pointed to."""
    from rocrate_validator.utils.paths import get_profiles_path

    shipped = Path(get_profiles_path())
    unwanted = () if level == "optional" else ("may",)
    for one in _EXTENDS[profile]:
        shutil.copytree(shipped / one, folder / one, ignore=shutil.ignore_patterns(*unwanted))
    return folder


def _order(issue: dict[str, str | None]) -> tuple[int, str, str, str]:
    rank = ("required", "recommended", "optional").index(str(issue["severity"]))
    return rank, str(issue["check"]), issue["entity"] or "", str(issue["message"])


def _issue(issue: Any) -> dict[str, str | None]:
    entity = issue.violatingEntity
    return {
        "severity": issue.severity.name.lower(),
        "check": issue.check.identifier,
        "entity": None if entity is None else str(entity),
        "message": " ".join(str(issue.message).split()),
    }


def _skeleton(contents: Contents, place: str, folder: Path) -> Path:
    """A crate's ZIP file as a folder: the metadata, the preview, and an empty file in place of each other one.

    What is checked of a payload is that it is there; so nothing big is unpacked, nor anything outside ``folder``.
    """
    folder.mkdir()
    for path in (*contents.members, *contents.links):
        inner = path.removeprefix(place)
        if not path.startswith(place) or not inner:
            continue
        target = folder / safe_relative(inner)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path in contents.members and contents.members[path].kind == "d":
            target.mkdir(exist_ok=True)
        else:
            real = contents.resolve(path)
            if real in contents.folders:
                target.mkdir(exist_ok=True)
            elif real is not None:
                target.write_bytes(contents.read(real, LARGEST_METADATA) if inner in _READ else b"")
    return folder


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
