"""What continues a run: the engine's own cache, put away when a run ends, laid out again when it is resumed.

Nextflow keeps a cache of finished tasks by session in ``.nextflow`` of the folder that it is started in; an entry leads
to the task's work folder, which stays with the run that made it.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engines.base import ResumeFrom
from engines.journal import JOURNAL, events
from engines.nextflow.running.belonging import ENGINES_OWN
from engines.nextflow.running.sealing import seal
from engines.own_folders import still_own
from engines.stopping import folders_of
from staging.errors import PolicyError, UsageError
from staging.fingerprints import Tree
from staging.removing import remove_path

ENGINE_STATE = "engine/state"
_SESSION = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def put_away(folder: Path) -> None:
    """Take the engine's cache out of a run's outputs; ``folder`` is ``runs/<n>``."""
    outputs = folder / "outputs"
    state = outputs / ENGINES_OWN
    kept = folder / ENGINE_STATE
    if state.is_dir() and not state.is_symlink() and not os.path.lexists(kept):
        state.rename(kept)
    for left in outputs.glob(f"{ENGINES_OWN}*"):
        remove_path(left)


def state_digest(folder: Path) -> str | None:
    """The digest of what was put away of a run, ``None`` when nothing was or it can't be read."""
    kept = folder / ENGINE_STATE
    try:
        return Tree.of_directory(kept).fingerprint.digest if kept.is_dir() and not kept.is_symlink() else None
    except (OSError, PolicyError):
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumption:
    """A run that is to be continued: ``session`` is the engine's name for its cache, ``folder`` the run's."""

    run: int
    session: str
    folder: Path

    @classmethod
    def of(cls, resume: ResumeFrom) -> Resumption:
        """Look whether a run can be continued.

        Raises:
            UsageError: there is nothing in it to continue from.
            PolicyError: what there is is not what the run left.
        """
        known = folders_of(resume.folder / JOURNAL)
        there = [name for name in ("outputs", "engine") if os.path.lexists(resume.folder / name)]
        if not all(still_own(resume.folder, name, known) for name in there):
            raise PolicyError(
                f"run {resume.run} can't be continued: something else is in place of one of its folders",
                hint="run again without --resume",
                where=str(resume.folder),
            )
        put_away(resume.folder)
        history = resume.folder / ENGINE_STATE / "history"
        if history.is_symlink() or not history.is_file():
            raise UsageError(
                f"run {resume.run} has nothing to continue from: its engine had not begun",
                hint="run again without --resume",
            )
        session = _session(history)
        if session is None or not (resume.folder / ENGINE_STATE / "cache" / session).is_dir():
            raise UsageError(
                f"run {resume.run} has nothing to continue from: its engine kept no cache",
                hint="run again without --resume",
            )
        last = [one for one in _events(resume.folder) if one["event"] == "run-ended"][-1:]
        # A run that was killed says nothing; then only what was recorded of each task tells.
        if last and "state" in last[0] and last[0]["state"] != state_digest(resume.folder):
            raise PolicyError(
                f"what run {resume.run} left to continue from was changed since",
                hint="run again without --resume",
                where=str(resume.folder / ENGINE_STATE),
            )
        return cls(run=resume.run, session=session, folder=resume.folder)

    def lay_out(self, launch: Path) -> None:
        """Give the new run a cache of its own with what the old one knew; again, when it is started again."""
        target = launch / ENGINES_OWN
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(self.folder / ENGINE_STATE, target, symlinks=True)
        for lock in target.rglob("LOCK"):
            lock.unlink()

    def check(self, reused: Mapping[str, str]) -> None:
        """Refuse work that was changed after the task that made it had ended, or that is not that task's.

        ``reused`` has the work folder of each cached task, by the task's hash. What a folder was like is in the
        journal of the run that made it (``work`` of ``step-ended``; see ``sealing``).

        Raises:
            PolicyError: a file in such a folder was touched since.
        """
        made = self._made()
        for task, workdir in reused.items():
            work = made.get(task)
            if work is not None and os.path.realpath(work["path"]) != os.path.realpath(workdir):
                raise PolicyError(
                    f"what run {self.run} left to continue from takes the work of one task for another's",
                    hint="run again without --resume",
                    where=workdir,
                )
            if work is None or work["sha256"] is None or work["sha256"] != seal(workdir, by_bytes=work["by_bytes"]):
                raise PolicyError(
                    f"what run {self.run} left in {Path(workdir).name} was changed since, so it can't be continued",
                    hint="run again without --resume",
                    where=workdir,
                )

    def _made(self) -> dict[str, dict[str, Any]]:
        """The folder of each task of the resumed run, and of those that it continued, as it was when that was over."""
        made: dict[str, dict[str, Any]] = {}
        runs = self.folder.parent
        for journal in runs.glob(f"*/{JOURNAL}"):
            for one in events(journal):
                work = one.get("work")
                if one["event"] == "step-ended" and not one.get("cached") and isinstance(work, dict):
                    path = runs.parent / str(work["path"])
                    if path.is_relative_to(journal.parent):
                        made[str(one.get("id"))] = {**work, "path": path}
        return made


def _events(folder: Path) -> Iterator[dict[str, Any]]:
    journal = folder / JOURNAL
    if journal.is_file():
        yield from events(journal)


def _session(history: Path) -> str | None:
    """The session of the last run in a history; ``None`` when it can't be told. Tasks can write to that file."""
    # timestamp, duration, run name, status, revision, session, command (tab-separated)
    lines = history.read_text("utf-8", errors="replace").splitlines()
    fields = lines[-1].split("\t") if lines else []
    return fields[5] if len(fields) > 5 and _SESSION.fullmatch(fields[5]) else None  # noqa: PLR2004
