"""What continues a run: the engine's own cache, put away when a run ends, laid out again when it is resumed.

Nextflow keeps a cache of finished tasks by session in ``.nextflow`` of the folder that it is started in; an entry leads
to the task's work folder, which stays with the run that made it.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from engines.base import ResumeFrom
from engines.journal import JOURNAL, events
from staging.errors import PolicyError, UsageError

ENGINE_STATE = "engine/state"
_DOT_NEXTFLOW = ".nextflow"
# A file system's clock may run a little behind the one that the journal's times are taken from.
_SLACK = 2.0
_SESSION = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def put_away(folder: Path) -> None:
    """Take the engine's cache out of a run's outputs; ``folder`` is ``runs/<n>``."""
    outputs = folder / "outputs"
    state = outputs / _DOT_NEXTFLOW
    kept = folder / ENGINE_STATE
    if state.is_dir() and not state.is_symlink() and not kept.exists():
        state.rename(kept)
    for left in (*outputs.glob(".nextflow.log*"), outputs / ".nextflow.pid"):
        if left.is_file() or left.is_symlink():
            left.unlink()


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
        """
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
        return cls(run=resume.run, session=session, folder=resume.folder)

    def lay_out(self, launch: Path) -> None:
        """Give the new run a cache of its own with what the old one knew; again, when it is started again."""
        target = launch / _DOT_NEXTFLOW
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(self.folder / ENGINE_STATE, target, symlinks=True)
        for lock in target.rglob("LOCK"):
            lock.unlink()

    def check(self, reused: Mapping[str, str]) -> None:
        """Refuse work that was changed after the task that made it had ended.

        ``reused`` has the work folder of each cached task, by the task's hash. Nobody can set back the time of a
        file's last change of any kind (ctime), so it tells.

        Raises:
            PolicyError: a file in such a folder was touched since.
        """
        ended = self._ends()
        for task, workdir in reused.items():
            limit = ended.get(task)
            changed = _last_change(workdir)
            if limit is None or changed > limit + _SLACK:
                raise PolicyError(
                    f"what run {self.run} left in {Path(workdir).name} was changed since, so it can't be continued",
                    hint="run again without --resume",
                    where=workdir,
                )

    def _ends(self) -> dict[str, float]:
        """When each task of the resumed run, and of those that it continued, was done with."""
        ends: dict[str, float] = {}
        runs = self.folder.parent
        for journal in runs.glob(f"*/{JOURNAL}"):
            lines = list(events(journal))
            last = max((_seconds(one) for one in lines if one["event"] == "run-ended"), default=0.0)
            for one in lines:
                if one["event"] == "step-ended" and not one.get("cached"):
                    ends[str(one.get("id"))] = max(_seconds(one), last)
        return ends


def _session(history: Path) -> str | None:
    """The session of the last run in a history; ``None`` when it can't be told. Tasks can write to that file."""
    # timestamp, duration, run name, status, revision, session, command (tab-separated)
    lines = history.read_text("utf-8", errors="replace").splitlines()
    fields = lines[-1].split("\t") if lines else []
    return fields[5] if len(fields) > 5 and _SESSION.fullmatch(fields[5]) else None  # noqa: PLR2004


def _last_change(workdir: str) -> float:
    """When anything in a folder was last changed, added or taken away; infinitely late for one that is gone."""
    if not os.path.isdir(workdir):  # noqa: PTH112
        return float("inf")
    latest = os.lstat(workdir).st_ctime
    for folder, folders, files in os.walk(workdir):
        for name in (*folders, *files):
            latest = max(latest, os.lstat(os.path.join(folder, name)).st_ctime)  # noqa: PTH118
    return latest


def _seconds(event: Mapping[str, object]) -> float:
    return datetime.fromisoformat(str(event["time"])).timestamp()
