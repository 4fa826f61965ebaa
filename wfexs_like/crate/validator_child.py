"""The validator's process: ``python -m wfexs_like.crate.validator_child PROFILE CACHE``.

It loads the profile, waits for ``{"crate": PATH}`` on its standard input and answers on its standard output with
``{"passed": ..., "issues": [...]}``. It opens no connection: the contexts that are built in are the whole web to it.
"""

from __future__ import annotations

import gc
import json
import os
import re
import shutil
import stat
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from staging.errors import PolicyError
from staging.paths import safe_relative
from wfexs_like.crate.contexts import CONTEXT_FILES
from wfexs_like.crate.graph import METADATA
from wfexs_like.crate.parsed_queries import ParsedQueries

_MAX_METADATA = 256 << 20
_WORKFLOW = ("ro-crate/1.1", "workflow-ro-crate")
_EXTENDS = {
    "workflow-ro-crate-1.0": _WORKFLOW,
    "workflow-run-crate-0.5": (*_WORKFLOW, "process-run-crate", "workflow-run-crate"),
    "provenance-run-crate-0.5": (*_WORKFLOW, "process-run-crate", "workflow-run-crate", "provenance-run-crate"),
}


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


def main(profile: str, cache: Path) -> None:
    """Load, wait, judge, answer."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints must not get into the answer
    gc.set_threshold(100_000, 50, 100)
    with _plain_folder() as folder:
        queries = ParsedQueries(cache / "validator")
        queries.install()
        validator = _prepared(profile, folder)
        crate = Path(json.loads(sys.stdin.buffer.read())["crate"])
        result = validator.validate(_plainly_named(crate, folder))
    issues = sorted((_issue(one) for one in result.get_issues()), key=_order)
    answer.write(json.dumps({"passed": not any(one["severity"] == "required" for one in issues), "issues": issues}))
    answer.close()
    queries.save()


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
    if not crate.is_dir():
        return _skeleton(crate, folder / "skeleton")
    name = folder / "crate"
    name.symlink_to(crate.resolve(), target_is_directory=True)
    return name


def _prepared(profile: str, folder: Path) -> Any:
    """A validator that has the profile's shapes at hand."""
    from rocrate_validator.models import ValidationSettings, Validator
    from rocrate_validator.utils.http import HttpRequester

    settings = ValidationSettings(
        rocrate_uri=str(folder),
        profile_identifier=profile,
        profiles_path=_profiles(profile, folder / "profiles"),
        requirement_severity="RECOMMENDED",
        skip_availability_check=True,
        no_cache=True,
    )
    HttpRequester().session = _BuiltIn()
    validator = Validator(settings)
    validator.prepare(str(folder))
    return validator


def _profiles(profile: str, folder: Path) -> Path:
    """A folder with the profile and those that it extends, alone: the validator reads all that it is pointed to."""
    from rocrate_validator.utils.paths import get_profiles_path

    shipped = Path(get_profiles_path())
    needed = _EXTENDS.get(profile)
    if needed is None:
        return shipped
    for one in needed:
        shutil.copytree(shipped / one, folder / one, ignore=shutil.ignore_patterns("may"))
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


def _skeleton(archive: Path, folder: Path) -> Path:
    """A crate's ZIP file as a folder: the metadata, and an empty file in place of each other one.

    What is checked of a payload is that it is there; so nothing big is unpacked, nor anything outside ``folder``.
    """
    folder.mkdir()
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            try:
                target = folder / safe_relative(info.filename.rstrip("/"))
            except PolicyError:
                continue
            if info.is_dir():
                target.mkdir(parents=True, exist_ok=True)
            elif not stat.S_ISLNK(info.external_attr >> 16) or info.filename != METADATA:
                target.parent.mkdir(parents=True, exist_ok=True)
                wanted = info.filename == METADATA and info.file_size <= _MAX_METADATA
                target.write_bytes(opened.read(info) if wanted else b"")
    return folder


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
