"""Runs that are stopped, and what those that were killed left behind."""

from __future__ import annotations

from collections.abc import Sequence

from staging.errors import NotFoundError
from staging.progress import Progress
from staging.workdir import StagedWorkdir
from wfexs_like.settings import Settings


class Runs:
    """The runs of an installation's working directories, which are open. ``progress`` hears what was left."""

    def __init__(self, settings: Settings, progress: Progress) -> None:
        self._settings = settings
        self._progress = progress

    def stop(self, workdir: StagedWorkdir, run: int | None = None, *, name: str) -> tuple[int, ...]:
        """Stop a run, by default all that run; the numbers of those stopped.

        ``name`` is what a command line calls the working directory.

        Raises:
            NotFoundError: there is no such run.
        """
        from engines.stopping import stop

        if run is not None and run not in workdir.runs():
            raise NotFoundError(f"{workdir.nickname} has no run {run}", hint=f'"wfexs-like show {name}" lists them')
        chosen = workdir.runs() if run is None else (run,)
        stopped = tuple(number for number in chosen if stop(workdir.run_folder(number)))
        self.sweep(workdir, chosen)
        return stopped

    def sweep(self, workdir: StagedWorkdir, runs: Sequence[int] | None = None) -> None:
        """Remove what killed runs, by default of all, left in container runtimes."""
        if not any((workdir.content / "containers").glob("index.json")):
            return
        from wfexs_like.flow.sweeping import sweep_dead

        folders = [workdir.run_folder(number) for number in (workdir.runs() if runs is None else runs)]
        environment = {**self._settings.environment, "WFEXS_LIKE_CACHE": str(self._settings.cache)}
        sweep_dead(folders, environment, self._progress)
