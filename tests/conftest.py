"""What every test gets: an environment of its own, the command to run, and an honest word on what is missing.

Marks name the real parts a test needs (pyproject.toml lists them). Where a part is missing the test is skipped with the
reason; in continuous integration (``CI=true``) any skip is a failure unless ``ALLOWED_IN_CI`` names its mark.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from engines.containers.base import StagedImage
    from tests.support.container_daemons import Containing, DockerDaemon

ROOT = Path(__file__).resolve().parent.parent
ORACLE = ROOT / ".venv-oracle" / "bin" / "runcrate"
IN_CI = os.environ.get("CI", "").lower() in {"1", "true"}

# No deadline: the machine's other work is not a fault of the test.
settings.register_profile("anywhere", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if IN_CI else "anywhere")

# Started in the background we may have been told to ignore interrupts, and so would be what tests start to interrupt.
for _number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL)


# --- real parts -------------------------------------------------------------------------------------------------------


def _commands(*names: str) -> str | None:
    # Daemons are where an ordinary user's PATH does not lead.
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    missing = [name for name in names if shutil.which(name, path=path) is None]
    return f"not on PATH: {', '.join(missing)}" if missing else None


def _answers(*argv: str) -> str | None:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    except OSError as error:
        return str(error)
    return None if done.returncode == 0 else f"{' '.join(argv)} says: {done.stderr.strip() or done.returncode}"


def _variants() -> str | None:
    reads = Path("/usr/share/doc/bowtie2/examples/reads/reads_1.fq.gz")
    return _commands("bowtie2", "bowtie2-build", "samtools", "bcftools") or (
        None if reads.exists() else "Debian's package bowtie2-examples is not installed"
    )


def _static() -> str | None:
    """What the images of the tests are made of."""
    missing = [name for name in ("/bin/busybox", "/bin/bash-static") if not Path(name).exists()]
    return f"not there: {', '.join(missing)}" if missing else _commands("zstd")


def _root() -> str | None:
    return None if os.geteuid() == 0 else "needs root"


PARTS: Mapping[str, Callable[[], str | None]] = {
    "cwltool": lambda: None if importlib.util.find_spec("cwltool") else "cwltool is not installed",
    "nextflow": lambda: _commands("java", "mvn"),
    "node": lambda: _commands("node"),
    "git": lambda: _commands("git"),
    "variants": _variants,
    "oracle": lambda: None if ORACLE.exists() else 'no .venv-oracle; "make test" makes it',
    "docker": lambda: _commands("dockerd", "docker", "setpriv") or _static(),
    "podman": lambda: _commands("podman", "runc", "conmon") or _static(),
    "registry": lambda: _commands("docker-registry", "skopeo", "setpriv", "openssl") or _static(),
    "images": lambda: _commands("mmdebstrap", "skopeo"),
    "root": _root,
    "netns": lambda: _commands("unshare") or _answers("unshare", "--map-root-user", "--net", "true"),
    "gocryptfs": lambda: _commands("gocryptfs", "fusermount3"),
    "fuse": lambda: None if os.access("/dev/fuse", os.R_OK | os.W_OK) else "no access to /dev/fuse",
    "tmpfs": lambda: (
        _root() or _answers("unshare", "--mount", "mount", "-t", "tmpfs", "-o", "size=64k", "none", "/mnt")
    ),
}
"""For each mark the function that says why its part cannot be used here, or ``None``."""

ALLOWED_IN_CI: frozenset[str] = frozenset({"root", "netns", "fuse", "tmpfs"})
"""Marks whose parts the host may refuse (a CI that runs as an ordinary user, or inside a container)."""

_missing: dict[str, str | None] = {}


def _why_missing(mark: str) -> str | None:
    if mark not in _missing:
        _missing[mark] = PARTS[mark]()
    return _missing[mark]


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in PARTS:
        if item.get_closest_marker(mark) and (reason := _why_missing(mark)):
            pytest.skip(f"{mark}: {reason}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    report = yield
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        # The part that is missing is what counts, not what else the test needs.
        blamed = reason.removeprefix("Skipped: ").partition(":")[0]
        marks = {blamed} if blamed in PARTS else {one for one in PARTS if item.get_closest_marker(one)}
        if not marks & set(ALLOWED_IN_CI):
            report.outcome = "failed"
            report.longrepr = f"skipped, but CI=true and no allowed skip (tests/conftest.py): {reason}"
    return report


# --- isolation --------------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Generator[Path, None, None]:
    """A home folder of the test's own; every place that the program knows lies below it."""
    home = tmp_path_factory.mktemp("home")
    for name in [name for name in os.environ if name.startswith(("WFEXS_LIKE_", "XDG_", "GIT_"))]:
        monkeypatch.delenv(name)
    for name, folder in {
        "HOME": "",
        "XDG_CONFIG_HOME": ".config",
        "XDG_CACHE_HOME": ".cache",
        "XDG_DATA_HOME": ".local/share",
        "XDG_STATE_HOME": ".local/state",
    }.items():
        monkeypatch.setenv(name, str(home / folder))
    monkeypatch.setenv("WFEXS_LIKE_CONFIG", str(home / "config.toml"))
    monkeypatch.setenv("WFEXS_LIKE_CACHE", str(home / "cache"))
    monkeypatch.setenv("WFEXS_LIKE_WORKDIRS", str(home / "workdirs"))
    monkeypatch.setenv("WFEXS_LIKE_CREDENTIALS", str(home / "credentials.yaml"))
    monkeypatch.setenv("WFEXS_LIKE_KEYS", str(home / "keys"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "Test")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "test@example.org")
    monkeypatch.setenv("NO_COLOR", "1")
    yield home
    # What is immutable would outlive the tests.
    if any((home / "workdirs").glob("*/vault")):
        from tests.support.vaults import dissolve_all

        dissolve_all(home / "workdirs")


# --- engines ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def nextflow_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that all tests of a session share, those of other workers too: a Nextflow is set up in it once.

    Its engines are locked by name while they are set up, so nothing else is needed. A test that damages an engine makes
    itself a copy.
    """
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "nextflow-cache"


@pytest.fixture
def nextflow(home: Path, nextflow_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nextflow's engines of the session, in the place where the test's own cache has its; from Maven.

    The folder is a link, so that everything else in the cache is the test's own.
    """
    monkeypatch.setenv("WFEXS_LIKE_NEXTFLOW_SOURCE", "maven")
    shared = nextflow_cache / "engines" / "nextflow"
    shared.mkdir(parents=True, exist_ok=True)
    place = home / "cache" / "engines" / "nextflow"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(shared)
    return shared


# --- containers -------------------------------------------------------------------------------------------------------


def _needs_mounts() -> None:
    """Skip where the host lets nobody mount: neither dockerd nor podman's storage works there."""
    for mark in ("root", "tmpfs"):
        if reason := _why_missing(mark):
            pytest.skip(f"{mark}: {reason}")


@pytest.fixture(scope="session")
def tools_image(tmp_path_factory: pytest.TempPathFactory) -> StagedImage:
    """The image that tasks run in (bash, busybox), in an OCI layout that skopeo reads. Don't change its files."""
    from tests.support.images import tools_image as make

    return make(tmp_path_factory.mktemp("images") / "containers")


@pytest.fixture(scope="session")
def docker_daemon() -> Generator[DockerDaemon, None, None]:
    """A Docker engine of the tests' own; ``.environment`` finds it. Marked tests only (``docker``)."""
    from tests.support.container_daemons import dockerd

    _needs_mounts()
    with dockerd() as daemon:
        yield daemon


@pytest.fixture(scope="session")
def podman_home() -> Generator[Containing, None, None]:
    """A podman with storage of the tests' own; ``.environment`` finds it. Marked tests only (``podman``)."""
    from tests.support.container_daemons import podman

    _needs_mounts()
    with podman() as runtime:
        yield runtime


# --- the command ------------------------------------------------------------------------------------------------------


class Answer(NamedTuple):
    """What the command did: exit code, the JSON object on stdout, and stderr."""

    code: int
    object: dict[str, Any]
    stderr: str


_INSPECTING = frozenset({"check", "resolve", "stage", "-W", "execute", "run", "offline-execute", "import"})
_ALIKE = (
    ("validator", "parsed-queries-*.json", frozenset({"crate", "--crate", "validate"})),
    ("cwl-schemas", "*.json", _INSPECTING),
    ("engines/cwltool", "default-*.json", _INSPECTING),
)
"""What every cache has alike, as it comes of what is installed: folder, files, and the words of who needs them."""


def _add_files(source: Path, target: Path, pattern: str) -> None:
    """Copy the files of a folder that another does not have."""
    if not source.is_dir():
        return
    with contextlib.suppress(OSError):  # a test may have made it nobody's to read or to write
        for one in source.glob(pattern):
            if not (target / one.name).exists():
                target.mkdir(parents=True, exist_ok=True)
                part = target / f".{os.getpid()}-{threading.get_ident()}.part"
                try:
                    shutil.copyfile(one, part)
                    part.chmod(0o600)
                    part.replace(target / one.name)
                finally:
                    part.unlink(missing_ok=True)


@dataclass(frozen=True)
class Command:
    """The real command, as a child process of its own."""

    argv: tuple[str, ...]
    timeout: float = 120
    environment: Mapping[str, str] = field(default_factory=dict)
    alike: Path | None = None
    """Where what every cache has alike is kept for all tests: a validator's parsed queries, CWL's own schema."""

    def run(
        self, *arguments: str | Path, cwd: Path | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run it with ``arguments``; environment variables may be added by keyword. Nothing is checked."""
        env = {**os.environ, **self.environment, **environment}
        cache = Path(env.get("WFEXS_LIKE_CACHE", os.devnull))
        needed = [one for one in _ALIKE if self.alike is not None and not one[2].isdisjoint(arguments)]
        for folder, pattern, _words in needed:
            if self.alike is not None:
                _add_files(self.alike / folder, cache / folder, pattern)
        done = subprocess.run(
            [*self.argv, *map(str, arguments)],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=self.timeout,
            cwd=cwd,
            env=env,
            check=False,
        )
        for folder, pattern, _words in needed:
            if self.alike is not None:
                _add_files(cache / folder, self.alike / folder, pattern)
        return done

    def __call__(self, *arguments: str | Path, cwd: Path | None = None, **environment: str) -> Answer:
        """Run it with ``--json``: stdout must be exactly one JSON object, and there must be no traceback."""
        done = self.run("--json", *arguments, cwd=cwd, **environment)
        assert "Traceback" not in done.stderr, done.stderr
        try:
            document = json.loads(done.stdout)
        except ValueError:
            pytest.fail(f"stdout is not one JSON object (exit {done.returncode}):\n{done.stdout}\n{done.stderr}")
        assert isinstance(document, dict)
        assert str(document.get("schema", "")).startswith("wfexs-like/"), document
        return Answer(done.returncode, document, done.stderr)

    def ok(self, *arguments: str | Path, cwd: Path | None = None, **environment: str) -> dict[str, Any]:
        """Run it with ``--json``, expect exit code 0, and return the object."""
        answer = self(*arguments, cwd=cwd, **environment)
        assert answer.code == 0, f"exit {answer.code}: {answer.object}\n{answer.stderr}"
        return answer.object


@pytest.fixture(scope="session")
def alike(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where what every cache has alike is kept for all tests of all workers."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "alike"


@pytest.fixture
def wfexs(home: Path, alike: Path) -> Command:
    """The command ``wfexs-like`` of the Python that runs the tests."""
    return Command((str(Path(sys.executable).with_name("wfexs-like")),), alike=alike)


_HURRIED = """\
import sys
import staging.retries
staging.retries.FIRST_PAUSE = 0.01
from wfexs_like.cli.main import entry
sys.exit(entry())
"""


@pytest.fixture
def hurried(home: Path, alike: Path) -> Command:
    """The same command, which asks again after next to no time: for sources that stay bad to its last attempt."""
    return Command((sys.executable, "-P", "-c", _HURRIED), alike=alike)
