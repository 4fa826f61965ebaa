"""The public CWL conformance tests, as far as package clients can have them: fetched when needed, never committed.

The whole CWL v1.0 suite, and that of v1.1 as it then was, are in the source package of an old cwltool. The documents of
v1.0 are also brought to v1.2 by ``cwl-upgrader``; conditionals, which only v1.2 has, are among what ``cwl-utils``
installs. The file is kept in a folder outside of the checkout
(``WFEXS_LIKE_TEST_DATA``, by default below the user's cache), and only ever used when its sha256 is the one below.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

import yaml

PACKAGE = "cwltool==1.0.20180820141117"
FILE = "cwltool-1.0.20180820141117.tar.gz"
SHA256 = "bb3426c5338d5a4e8ab18482177c6d5755000144cefda799d7c0f289b4d0ddb9"
INSIDE = "cwltool-1.0.20180820141117/cwltool/schemas/"
SUITES = ("v1.0", "v1.1", "v1.2")

# Taken when this is imported: a test's own HOME is another one each time.
FOLDER = Path(
    os.environ.get("WFEXS_LIKE_TEST_DATA")
    or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wfexs-like-tests"
)


@dataclass(frozen=True)
class Case:
    """One test of a suite; ``tool`` is ``path`` or ``path#process``."""

    name: str
    tool: str
    job: Path | None


def obtain() -> Path:
    """The folder with one folder for each of ``SUITES``, made if it is not there yet.

    Raises:
        subprocess.CalledProcessError: the package could not be downloaded.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    suites = FOLDER / f"suites-{SHA256[:12]}"
    with (FOLDER / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not suites.is_dir():
            beside = FOLDER / f".making-{suites.name}"
            shutil.rmtree(beside, ignore_errors=True)
            beside.mkdir()
            archive = _download(beside)
            _unpack(archive, "v1.0", beside / "v1.0")
            _unpack(archive, "v1.1.0-dev1", beside / "v1.1")
            for document in (beside / "v1.1").rglob("*.cwl"):
                document.write_text(document.read_text().replace("v1.1.0-dev1", "v1.1"))
            shutil.copytree(beside / "v1.0", beside / "v1.2")
            _upgrade(beside / "v1.2" / "documents")
            beside.rename(suites)
    return suites


def cases(suite: Path) -> list[Case]:
    """The tests of a suite's folder whose files are all there, each with a name of its own."""
    found: list[Case] = []
    names: set[str] = set()
    for test in yaml.safe_load((suite / "tests.yaml").read_text()):
        tool = suite / "documents" / test["tool"].partition("/")[2]
        job = suite / "documents" / test["job"].partition("/")[2] if test.get("job") else None
        if not Path(str(tool).partition("#")[0]).exists() or (job and not job.exists()):
            continue  # the package left some of v1.1 out
        name = base = tool.name.partition("#")[0].removesuffix(".cwl")
        if name in names:
            name = f"{base}-{job.stem}" if job else base
        number = 2
        while name in names:
            name, number = f"{base}-{number}", number + 1
        names.add(name)
        found.append(Case(name=name, tool=str(tool), job=job))
    return found


def _download(into: Path) -> Path:
    # With a hash pip looks at nothing in the file before it is known to be the right one.
    listed = into / "requirements.txt"
    listed.write_text(f"{PACKAGE} --hash=sha256:{SHA256}\n")
    argv = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary=cwltool", "--require-hashes"]
    subprocess.run(
        [*argv, f"--dest={into}", f"--requirement={listed}"], check=True, capture_output=True, text=True, timeout=300
    )
    archive = into / FILE
    assert hashlib.sha256(archive.read_bytes()).hexdigest() == SHA256
    return archive


def conditionals(folder: Path) -> list[Case]:
    """Workflows with ``when`` and ``pickValue``, each with values that take different branches."""
    import cwl_utils

    documents = Path(cwl_utils.__file__).parent / "testdata"
    found: list[Case] = []
    for document in sorted(documents.glob("cond-*.cwl")):
        for value in (0, 1, 3):
            job = folder / f"val-{value}.yml"
            job.write_text(f"val: {value}\n")
            found.append(Case(name=f"{document.stem}-{value}", tool=str(document), job=job))
    return found


def _unpack(archive: Path, version: str, into: Path) -> None:
    places = {f"{INSIDE}{version}/conformance_test_{version}.yaml": "tests.yaml"}
    documents = f"{INSIDE}{version}/{version}/"
    with tarfile.open(archive) as packed:
        for member in packed.getmembers():
            if member.name in places:
                member.name = places[member.name]
            elif member.name.startswith(documents):
                member.name = f"documents/{member.name.removeprefix(documents)}"
            else:
                continue
            # The archive is known by its sha256; the filter is new in Python 3.11.4.
            packed.extract(member, into, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))


def _upgrade(folder: Path) -> None:
    documents = sorted(str(one) for one in folder.glob("*.cwl"))
    argv = [sys.executable, "-c", "from cwlupgrader.main import main; import sys; sys.exit(main(sys.argv[1:]))"]
    subprocess.run(
        [*argv, "--dir", str(folder), *documents], check=True, capture_output=True, text=True, timeout=300, cwd=folder
    )
