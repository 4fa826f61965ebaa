"""Environments: the cwltool that a workflow asks for, ready to run, and what attests its bytes.

The default is the cwltool that we depend on, run by our own interpreter. Any other version gets an environment of its
own below the cache, ``engines/cwltool/<version>-<12 digits>/``, built once from a list of packages pinned by sha256:
one that ships (``releases/<version>.txt``), or for a version that we don't know one that pip resolves when it is first
asked for, kept beside the environment. cwltool itself is never imported here.
"""

from __future__ import annotations

import contextlib
import hashlib
import platform
import shutil
import sys
import sysconfig
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from engines.base import EngineVersion, InstalledEngine
from engines.cwltool.attestation import Attestation, attest, closure, installed_in, normalised
from engines.cwltool.packages import (
    NAME,
    TIMEOUT,
    VERSION,
    Pins,
    Pip,
    by_number,
    known_pins,
    known_versions,
    pip_environment,
)
from staging import process
from staging.errors import DigestError, EngineError, WfexsError, from_os_error
from staging.locks import LockFile

Say = Callable[[str], None]

_MAX_VERSION = 64
_TRY_TIMEOUT = 120.0
_TRY = "import cwltool.main, cwltool.factory, cwltool.executors"
_MARKER = "engine.json"


def install(version: str | None, cache: Path, say: Say, environment: Mapping[str, str]) -> InstalledEngine:
    """The cwltool of that version (``None``: the default), ready to run; fetched and verified if need be.

    ``environment`` is the user's: pip takes from it where packages come from (index, proxy, certificates), and no
    other setting. ``say`` hears of what takes long or is trusted on first use.

    Raises:
        EngineError: there is no such version, or it can't be set up here.
        DigestError: a file of it is not the one that was installed.
    """
    own = default_version()
    if version is None or version == own:
        return _default(own, cache)
    check_version(version)
    folder = cache / "engines" / NAME
    pins = known_pins(version) or _resolved_before(folder, version)
    if pins is not None and (engine := _ready(folder, pins)) is not None:
        return engine
    with LockFile(folder / ".locks").hold(
        version,
        what=f"the environment of cwltool {version}",
        waiting=lambda: say(f"somebody else is setting up cwltool {version}: waiting for it"),
    ):
        pins = known_pins(version) or _resolved_before(folder, version)
        if pins is not None and (engine := _ready(folder, pins)) is not None:
            return engine
        return _build(folder, version, pins, say, environment)


def verify(engine: InstalledEngine, cache: Path) -> None:
    """Check that an installed engine's bytes are still those of its fingerprint; some 25 ms when nothing changed.

    Raises:
        DigestError: they are not; both fingerprints are in the error.
        EngineError: it is not there any more.
    """
    if engine.program == Path(sys.executable):
        now = _default(default_version(), cache).fingerprint
    else:
        root = engine.program.parent.parent
        marked = Attestation.read(root / _MARKER)
        if marked is None or not engine.program.exists():
            raise EngineError(
                f"cwltool {engine.version} is not installed in {root} any more",
                hint="stage again to have it installed",
                where=str(root),
            )
        now = _attested(root, marked).fingerprint
    if now != engine.fingerprint:
        raise DigestError(
            f"sha256 of cwltool {engine.version} is {now}, it was {engine.fingerprint} when it was staged",
            hint="its packages were changed since; stage again to use it as it is now",
            identifier=engine.identifier,
            expected=engine.fingerprint,
            actual=now,
        )


def versions(cache: Path) -> tuple[EngineVersion, ...]:
    """The default, the versions whose packages' digests ship with us, and those that are set up; oldest first.

    A version that was set up for another Python than ours is none that is set up.
    """
    own = default_version()
    folder = cache / "engines" / NAME
    lists = _resolved(folder, "*")
    resolved = {one.name.removesuffix(lists.name[1:]) for one in folder.glob(lists.name)}
    found = {own, *known_versions(), *(one for one in resolved if VERSION.fullmatch(one))}
    return tuple(_listed(version, own, cache) for version in sorted(found, key=by_number))


def _listed(version: str, own: str, cache: Path) -> EngineVersion:
    known = version == own or version in known_versions()
    folder = cache / "engines" / NAME
    pins = known_pins(version) or _resolved_before(folder, version)
    root = None if version == own or pins is None else _root(folder, pins)
    marked = Attestation.read(root / _MARKER) if root is not None and _python(root).exists() else None
    if version != own and marked is None:
        return EngineVersion(version=version, known=known, cached=False, default=False)
    try:
        now = _attested(root, marked) if root is not None and marked is not None else _default(own, cache)
    except (WfexsError, OSError):
        now = None
    fingerprint = now.fingerprint if now is not None else marked.fingerprint if marked is not None else None
    size = now.size if now is not None else marked.size if marked is not None else None
    return EngineVersion(
        version=version,
        known=known,
        cached=True,
        default=version == own,
        source="default" if version == own else "pip",
        fingerprint=fingerprint,
        size=size,
        verified=now is not None,
    )


def default_version() -> str:
    """The version of the cwltool that we depend on.

    Raises:
        EngineError: it is not installed.
    """
    try:
        return distribution(NAME).version
    except PackageNotFoundError as error:
        raise EngineError("cwltool is not installed", hint="install wfexs-like again with all it depends on") from error


def check_version(version: str) -> None:
    """Refuse what is not a version: it becomes a file name and a word of a command line.

    Raises:
        EngineError: it is not one.
    """
    if len(version) > _MAX_VERSION or not VERSION.fullmatch(version):
        raise EngineError(
            f"{version!r} is not a version of cwltool",
            hint=f"write it as in cwltool@{default_version()}; known ones: {', '.join(known_versions())}",
            where=version[:_MAX_VERSION],
        )


def _identifier(version: str) -> str:
    return f"pkg:pypi/{NAME}@{version}"


def _default(version: str, cache: Path) -> InstalledEngine:
    site = distribution(NAME).locate_file("")
    place = hashlib.sha256(f"{site}\n{sys.executable}".encode()).hexdigest()[:12]
    record = cache / "engines" / NAME / f"default-{place}.json"
    known = Attestation.read(record)
    if known is None or known.version != version or not known.still_holds():
        known = attest(closure(NAME), version)
        # Without it the next look takes 0.4 s longer; nothing else depends on it.
        with contextlib.suppress(WfexsError):
            known.write(record)
    return InstalledEngine(
        name=NAME,
        version=version,
        identifier=_identifier(version),
        fingerprint=known.fingerprint,
        size=known.size,
        program=Path(sys.executable),
        platform=_platform(),
    )


def _platform() -> dict[str, str]:
    """What it runs on: an environment that is made for it has our own Python."""
    return {"python": f"{platform.python_version()} ({platform.python_implementation()})"}


def _root(folder: Path, pins: Pins) -> Path:
    return folder / f"{pins.version}-{pins.digest[:12]}"


def _python(root: Path) -> Path:
    return root / "bin" / "python"


def _site(root: Path) -> Path:
    return root / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"


def _ready(folder: Path, pins: Pins) -> InstalledEngine | None:
    """The environment of a list if it is whole; an interpreter that has gone makes it not whole."""
    root = _root(folder, pins)
    marked = Attestation.read(root / _MARKER)
    if marked is None or not _python(root).exists():
        return None
    return _engine(root, pins, _attested(root, marked), "cache")


def _attested(root: Path, marked: Attestation) -> Attestation:
    """What the environment's bytes are now: those that were marked when it was built, or an error.

    Raises:
        DigestError: they are not.
    """
    if marked.still_holds():
        return marked
    names = {line for line in (root / "packages.txt").read_text("utf-8").split() if line}
    now = attest([one for one in installed_in(_site(root)) if normalised(one.name) in names], marked.version)
    if now.fingerprint != marked.fingerprint:
        raise DigestError(
            f"sha256 of cwltool {marked.version} is {now.fingerprint}, when installed it was {marked.fingerprint}",
            hint=f"remove {root} and stage again",
            where=str(root),
            expected=marked.fingerprint,
            actual=now.fingerprint,
        )
    now.write(root / _MARKER)
    return now


def _engine(root: Path, pins: Pins, attested: Attestation, source: str) -> InstalledEngine:
    return InstalledEngine(
        name=NAME,
        version=pins.version,
        identifier=_identifier(pins.version),
        fingerprint=attested.fingerprint,
        size=attested.size,
        program=_python(root),
        source=source,
        expected=pins.is_known,
        platform=_platform(),
    )


def _build(folder: Path, version: str, pins: Pins | None, say: Say, environment: Mapping[str, str]) -> InstalledEngine:
    """Make the environment beside its place and give it its name when it works. The caller holds the version's lock."""
    beside = folder / f".making-{version}"
    pip = Pip(python=_python(beside), folder=beside, environment=pip_environment(environment))
    say(f"setting up cwltool {version}, which happens once")
    try:
        _remove(beside)
        _make_venv(beside, version)
        if pins is None:
            pins = pip.resolve(version)
            _keep(folder, pins)
            say(f"the packages of cwltool {version} are not among those we know: trusted on first use")
        (beside / "packages.txt").write_text("\n".join(sorted(pins.names)) + "\n", encoding="utf-8")
        pip.install(pins)
        _try(beside, version)
        root = _root(folder, pins)
        _remove(root)
        beside.rename(root)
        attested = attest([one for one in installed_in(_site(root)) if normalised(one.name) in pins.names], version)
        attested.write(root / _MARKER)
    except OSError as error:
        raise from_os_error(error, f"set up cwltool {version}") from error
    finally:
        _remove(beside)
    return _engine(root, pins, attested, "fetched")


def _make_venv(place: Path, version: str) -> None:
    try:
        process.run(
            (sys.executable, "-I", "-m", "venv", "--", str(place)),
            env=process.base_environment(),
            timeout=TIMEOUT,
        )
    except process.ProcessError as error:
        said = (error.completed.stdout + error.completed.stderr).decode(errors="replace")
        raise EngineError(
            f"an environment for cwltool {version} can't be made: {error.message}",
            hint="install Python's venv module (Debian, Ubuntu: apt-get install python3-venv)"
            if "ensurepip" in said
            else f"try it by hand: {sys.executable} -m venv some-folder",
        ) from error


def _resolved(folder: Path, version: str) -> Path:
    return folder / f"{version}-{sys.implementation.cache_tag}-{sysconfig.get_platform()}.txt"


def _keep(folder: Path, pins: Pins) -> None:
    path = _resolved(folder, pins.version)
    beside = path.with_name(f".{path.name}")
    beside.write_text(pins.text, encoding="utf-8")
    beside.replace(path)


def _resolved_before(folder: Path, version: str) -> Pins | None:
    try:
        text = _resolved(folder, version).read_text("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise from_os_error(error, f"read the package list of cwltool {version}") from error
    return Pins(version=version, text=text, is_known=False)


def _try(place: Path, version: str) -> None:
    """Import what the adapter drives: packages that don't fit together are found now, not when a workflow runs."""
    try:
        process.run((str(_python(place)), "-I", "-c", _TRY), env=process.base_environment(), timeout=_TRY_TIMEOUT)
    except process.ProcessError as error:
        raise EngineError(
            f"cwltool {version} was installed and doesn't start: {error.completed.last_words or error.message}",
            hint=f"it doesn't fit Python {sys.version_info.major}.{sys.version_info.minor} or the packages of today; "
            f"known to work: {', '.join((*known_versions(), default_version()))}",
        ) from error


def _remove(path: Path) -> None:
    if path.is_symlink():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)
