"""The example's numbers: what its crates answer and score, staged as others' workflows are: from a repository."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Generator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import Command
from tests.support.competency import QUESTIONS, answers
from tests.support.repositories import Repository, serve_repositories
from tests.support.scorecard import Crate, points, score
from tests.support.web import WebServer

IMAGES = "1 which container images"
CONFIGURATION = "3 which configuration files"
ONLY_IN_CONTAINERS = "ENV3 container image"
MEASURED = "EX2 consumed resources"
"""The row that depends on how long steps take, and on what a container's runtime lets be read.

Without one, cwltool's tools have a peak memory to tell when it is above that of the process that starts them (36 MB).
"""
_PERSON = '[person]\nname = "Ada"\norcid = "0000-0002-1825-0097"\naffiliation = "Analytical Engines"\n'


@contextmanager
def published(stage_file: Path, folder: Path) -> Generator[Path, None, None]:
    """The stage file, changed in this alone: its workflow is a commit of a repository that is served meanwhile.

    ``stage_file`` is overwritten; ``folder`` is where the repository gets made.
    """
    name = stage_file.parent.name
    repository = Repository(folder / "git" / name)
    shutil.copytree(stage_file.parent, repository.path, dirs_exist_ok=True)
    commit = repository.commit()
    with WebServer() as web:
        serve_repositories(web, folder / "git")
        text = stage_file.read_text()
        assert text.count("workflow_id: .\n") == 1
        address = f"git+{web.url(f'/git/{name}')}@{commit}"
        stage_file.write_text(text.replace("workflow_id: .\n", f"workflow_id: {address}\n"))
        yield stage_file


def judge(command: Command, workdir: str, folder: Path, *, containers: bool) -> None:
    """Hold the crate of a working directory against the eleven questions and the scorecard.

    All is answered, and every row is full, but for what no run without containers can have, and what was not measured.
    """
    (folder / "config.toml").write_text(_PERSON)
    mine = ("--config", folder / "config.toml", "--retrospective", "--no-validate")
    command.ok("crate", workdir, folder / "judged", "--engine-configuration", *mine)
    assert unanswered(folder / "judged") == (set() if containers else {IMAGES})
    rows = score(Crate(folder / "judged"))
    lacking = {row: why for row, (got, why) in rows.items() if got < 2}
    assert len(rows) == 21
    assert set(lacking) - {MEASURED} == (set() if containers else {ONLY_IN_CONTAINERS}), lacking
    if not containers:
        assert rows[ONLY_IN_CONTAINERS][0] == 0
    assert points(rows) == (42 if containers else 40) - 2 + rows[MEASURED][0]


def unanswered(crate: Path) -> Collection[str]:
    """The questions that a crate has no answer to."""
    found = answers(crate)
    return {one for one in QUESTIONS if not found[one]}
