"""Bare cwltool is the oracle: what it makes of a workflow, stage and run make of it too.

Our own documents (``tests/support/conformance``) have one feature of CWL each. The public ones are fetched when they
are first needed. ``CONFORMANCE=all`` runs all of them, which takes some ten minutes; otherwise every document of the
v1.2 form is run once.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml

from staging.errors import WfexsError
from tests.support import public_suite
from tests.support.oracle import Oracle
from tests.support.public_suite import Case
from wfexs_like.session import Session
from wfexs_like.settings import Settings

OURS = Path(__file__).resolve().parents[1] / "support" / "conformance"
PARTS = 16
EVERYTHING = os.environ.get("CONFORMANCE") == "all"
pytestmark = [pytest.mark.cwltool, pytest.mark.node]

# cwltool makes these up anew each time.
_RANDOM_FILE = re.compile(r"[0-9a-f]{40}")
_RANDOM_FOLDER = re.compile(r"o?[a-z0-9_]{8}")
# A second output of the same name gets a number; which of them is the second depends on what ends first.
_NUMBERED = re.compile(r"_[0-9]+$")

DIFFERENT: Mapping[str, str] = {
    "binding-test": "the job's checksum is the text sha1$hash, which cwltool never looks at and we refuse",
    "bwa-mem-tool": "the same",
}
"""Where we differ, by the case's name. What agrees again has to leave this list: the tests say so."""

SLOW = frozenset({"formattest2", "formattest3"})
"""Asked with ``CONFORMANCE=all`` only: thrice each an ontology of megabytes is read for what our own document
``format_by_ontology`` asks, a narrower class and an equivalent one, with a small one."""


def own_cases() -> list[Case]:
    found = []
    for document in sorted(OURS.glob("*.cwl")):
        job = document.with_name(f"{document.stem}.job.yml")
        tool = f"{document}#main" if document.stem == "graph" else str(document)
        found.append(Case(name=document.stem, tool=tool, job=job if job.exists() else None))
    return found


class Bench:
    """One cache and one oracle for all cases of a process."""

    def __init__(self, folder: Path, oracle: Oracle) -> None:
        self.folder = folder
        self.oracle = oracle
        places = {name: str(folder / name.lower()) for name in ("CACHE", "WORKDIRS", "CREDENTIALS", "KEYS", "CONFIG")}
        environment = {**os.environ, **{f"WFEXS_LIKE_{name}": place for name, place in places.items()}}
        self.session = Session(Settings.load(environment))

    def ours(self, case: Case) -> tuple[Any, str]:
        """Our outputs, or ``None`` and why there are none."""
        workflow = {"secure": False, "containerType": "none"}
        asked: dict[str, object] = {"workflow_id": case.tool, "workflow_type": "cwl", "workflow_config": workflow}
        if case.job:
            asked["params-from"] = str(case.job)
        stage_file = self.folder / f"{case.name}.stage"
        stage_file.write_text(yaml.safe_dump(asked))
        try:
            staged = self.session.stage(stage_file)
            assert staged.id
            execution = self.session.run(staged.id)
        except WfexsError as error:
            return None, f"{error.message} {error.fields.get('faults', '')}"
        if execution.status != "completed":
            return None, str(execution.error)
        outputs = plain(execution.outputs, self.session.locate(staged.id).content)
        self.session.remove(staged.id)
        return outputs, ""

    def agree(self, case: Case) -> bool:
        """Fail unless both make the same of a case; whether that is more than an error."""
        theirs = self.oracle.ask(case.tool, case.job)

        outputs, why = self.ours(case)

        if theirs["code"] != 0:
            assert outputs is None, f"cwltool refuses it and we don't: {theirs['stderr']}"
            assert why
            return False
        assert outputs is not None, why
        assert outputs == plain(theirs["outputs"], Path("/"))
        return True


def plain(value: Any, base: Path) -> Any:
    """Outputs by what they are: names and bytes for files, the whole tree for folders, and no nulls."""
    if isinstance(value, list | tuple):
        return [plain(one, base) for one in value]
    if not isinstance(value, Mapping):
        return value
    if value.get("class") not in {"File", "Directory"}:
        return {key: plain(one, base) for key, one in value.items() if one is not None}
    path = base / value["path"]
    beside = sorted((plain(one, base) for one in value.get("secondaryFiles", ())), key=str)
    name = _NUMBERED.sub("", path.name)
    if (_RANDOM_FOLDER if path.is_dir() else _RANDOM_FILE).fullmatch(name):
        name = "made up"
    return value["class"], name, content(path), value.get("format"), beside


def content(path: Path) -> Any:
    if path.is_dir():
        return sorted((one.name, content(one)) for one in path.iterdir())
    return sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("conformance")
    with Oracle(folder) as oracle:
        yield Bench(folder, oracle)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def suites() -> Path:
    try:
        return public_suite.obtain()
    except subprocess.CalledProcessError as error:
        pytest.skip(f"the public conformance tests can't be had: {error.stderr.strip().splitlines()[-1]}")


@pytest.mark.parametrize("case", own_cases(), ids=lambda case: case.name)
def test_a_feature_of_cwl_gives_what_bare_cwltool_gives(
    case: Case, bench: Bench, request: pytest.FixtureRequest
) -> None:
    if case.name in DIFFERENT:
        request.applymarker(pytest.mark.xfail(reason=DIFFERENT[case.name], strict=True))
    bench.agree(case)


@pytest.mark.parametrize("number", range(18))
def test_a_public_conditional_gives_what_bare_cwltool_gives(number: int, bench: Bench, tmp_path: Path) -> None:
    bench.agree(public_suite.conditionals(tmp_path)[number])


def public_cases(suites: Path) -> list[Case]:
    """Everything, or each document of the v1.2 form with the first of its jobs, but for those that are ``SLOW``."""
    if EVERYTHING:
        return [
            replace(case, name=f"{case.name} ({suite})")
            for suite in public_suite.SUITES
            for case in public_suite.cases(suites / suite)
        ]
    first = {case.tool: case for case in reversed(public_suite.cases(suites / "v1.2")) if case.name not in SLOW}
    return list(first.values())


@pytest.mark.parametrize("part", range(PARTS))
def test_what_passes_with_bare_cwltool_in_the_public_tests_passes_through_us(
    part: int, bench: Bench, suites: Path
) -> None:
    surprises = []
    for case in public_cases(suites)[part::PARTS]:
        try:
            made = bench.agree(case)
        except AssertionError as error:
            if case.name.partition(" ")[0] not in DIFFERENT:
                surprises.append(f"{case.name}: {error}")
        else:
            # Where a program is missing both fail, which is no agreement.
            if made and case.name.partition(" ")[0] in DIFFERENT:
                surprises.append(f"{case.name}: agrees by now, DIFFERENT should not name it")

    assert not surprises, "\n\n".join(surprises)
