"""Environments: the cwltool that a workflow asks for, ready to run, and what attests its bytes.

The default is the cwltool that we depend on, run by our own interpreter. Any other version gets an environment of its
own below the cache, ``engines/cwltool/<version>-<12 digits>/``, built once from a list of packages pinned by sha256:
one that ships (``releases/<version>.txt``), or for a version that we don't know one that pip resolves when it is first
asked for, kept beside the environment. cwltool itself is never imported here.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import re
import shutil
import sys
import sysconfig
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from importlib.resources import files
from pathlib import Path

from engines.base import InstalledEngine
from engines.cwltool.attestation import Attestation, attest, closure, installed_in, normalised
from staging import process
from staging.errors import DigestError, EngineError, WfexsError, from_os_error
from staging.locks import LockFile

NAME = "cwltool"
Say = Callable[[str], None]

# PEP 440 without epochs and local parts, in its normal form only, so that one version has one spelling.
_VERSION = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))*((a|b|rc)(0|[1-9][0-9]*))?(\.post[0-9]+)?(\.dev[0-9]+)?")
_MAX_VERSION = 64
_NO_SUCH_VERSION = re.compile(rb"\(from versions: ([^)]*)\)")
_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)", re.MULTILINE)
# Where packages come from and who may vouch for it is the site's business; where they go and which is ours.
_PIP_SETTINGS = (
    "PIP_CACHE_DIR",
    "PIP_CERT",
    "PIP_CLIENT_CERT",
    "PIP_CONFIG_FILE",
    "PIP_DEFAULT_TIMEOUT",
    "PIP_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS",
    "PIP_INDEX_URL",
    "PIP_KEYRING_PROVIDER",
    "PIP_NO_INDEX",
    "PIP_PROXY",
    "PIP_RETRIES",
    "PIP_TIMEOUT",
    "PIP_TRUSTED_HOST",
)
_NETWORK_SETTINGS = (
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "ssl_cert_file",
    "ssl_cert_dir",
    "requests_ca_bundle",
    "curl_ca_bundle",
    "netrc",
    "home",
    "xdg_config_home",
    "xdg_cache_home",
    "xdg_config_dirs",
    "tmpdir",
)
_BUILD_TIMEOUT = 1800.0
_TRY_TIMEOUT = 120.0
_TRY = "import cwltool.main, cwltool.factory, cwltool.executors"
# Before 3.1.20240909 cwltool imports pkg_resources at run time, which setuptools 81 and later don't have.
_CONSTRAINT = "setuptools<81"
_MARKER = "engine.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pins:
    """A list of pinned packages: ``text`` as pip reads it. ``is_known`` says whether it ships with us."""

    version: str
    text: str
    is_known: bool

    @property
    def digest(self) -> str:
        """What tells environments apart: the list, and the Python and machine they are made for."""
        base = "\n".join((self.text, sys.implementation.cache_tag or "", sysconfig.get_platform(), sys.base_prefix))
        return hashlib.sha256(base.encode()).hexdigest()

    @property
    def names(self) -> frozenset[str]:
        """The packages in it."""
        return frozenset(normalised(name) for name, _ in _PIN.findall(self.text))


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
    if engine.python == Path(sys.executable):
        now = _default(default_version(), cache).fingerprint
    else:
        root = engine.python.parent.parent
        marked = Attestation.read(root / _MARKER)
        if marked is None or not engine.python.exists():
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


def default_version() -> str:
    """The version of the cwltool that we depend on.

    Raises:
        EngineError: it is not installed.
    """
    try:
        return distribution(NAME).version
    except PackageNotFoundError as error:
        raise EngineError("cwltool is not installed", hint="install wfexs-like again with all it depends on") from error


def known_versions() -> tuple[str, ...]:
    """The versions whose packages' digests ship with us, oldest first."""
    found = [one.name.removesuffix(".txt") for one in files(__package__).joinpath("releases").iterdir()]
    return tuple(sorted((one for one in found if _VERSION.fullmatch(one)), key=_by_number))


def known_pins(version: str) -> Pins | None:
    """The list that ships for a version, if one does."""
    resource = files(__package__).joinpath("releases", f"{version}.txt")
    return Pins(version=version, text=resource.read_text("utf-8"), is_known=True) if resource.is_file() else None


def check_version(version: str) -> None:
    """Refuse what is not a version: it becomes a file name and a word of a command line.

    Raises:
        EngineError: it is not one.
    """
    if len(version) > _MAX_VERSION or not _VERSION.fullmatch(version):
        raise EngineError(
            f"{version!r} is not a version of cwltool",
            hint=f"write it as in cwltool@{default_version()}; known ones: {', '.join(known_versions())}",
            where=version[:_MAX_VERSION],
        )


def _by_number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"[0-9]+", version))


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
        python=Path(sys.executable),
    )


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
        python=_python(root),
        source=source,
        expected=pins.is_known,
    )


def _build(folder: Path, version: str, pins: Pins | None, say: Say, environment: Mapping[str, str]) -> InstalledEngine:
    """Make the environment beside its place and give it its name when it works. The caller holds the version's lock."""
    beside = folder / f".making-{version}"
    pip = functools.partial(_pip, beside, pip_environment(environment), version)
    say(f"setting up cwltool {version}, which happens once")
    try:
        _remove(beside)
        _make_venv(beside, version)
        if pins is None:
            pins = _resolve(pip, beside, version)
            _keep(folder, pins)
            say(f"the packages of cwltool {version} are not among those we know: trusted on first use")
        listed = beside / "requirements.txt"
        listed.write_text(pins.text, encoding="utf-8")
        (beside / "packages.txt").write_text("\n".join(sorted(pins.names)) + "\n", encoding="utf-8")
        pip("install", "--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:", f"--requirement={listed}")
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
            timeout=_BUILD_TIMEOUT,
        )
    except process.ProcessError as error:
        said = (error.completed.stdout + error.completed.stderr).decode(errors="replace")
        raise EngineError(
            f"an environment for cwltool {version} can't be made: {error.message}",
            hint="install Python's venv module (Debian, Ubuntu: apt-get install python3-venv)"
            if "ensurepip" in said
            else f"try it by hand: {sys.executable} -m venv some-folder",
        ) from error


def pip_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What pip may know of the user's environment: where packages come from, and how to get there."""
    chosen = {
        name: value for name, value in environment.items() if name.lower() in _NETWORK_SETTINGS or name in _PIP_SETTINGS
    }
    fixed = {"PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_USER": "0", "PIP_NO_COLOR": "1"}
    return process.base_environment(**{**chosen, **fixed})


def _pip(place: Path, environment: Mapping[str, str], version: str, *words: str) -> None:
    argv = (str(_python(place)), "-I", "-m", "pip", *words)
    try:
        process.run(argv, env=environment, cwd=place, timeout=_BUILD_TIMEOUT)
    except process.ProcessError as error:
        raise _pip_failed(error, version) from error


def _pip_failed(error: process.ProcessError, version: str) -> EngineError | DigestError:
    said = error.completed.stderr
    lines = [line for line in said.decode(errors="replace").splitlines() if line.strip()]
    last = "\n".join(lines[-8:])
    if b"DO NOT MATCH THE HASHES" in said:
        wanted, got = (re.search(rb"%b\s+([0-9a-f]{64})" % word, said) for word in (b"Expected sha256", b"Got"))
        return DigestError(
            f"a package of cwltool {version} is not the one that its list promises",
            hint="the package index or a proxy serves other bytes; nothing was installed",
            where=last,
            expected=wanted.group(1).decode() if wanted else None,
            actual=got.group(1).decode() if got else None,
        )
    match = _NO_SUCH_VERSION.search(said)
    there = [one.strip() for one in match.group(1).decode().split(",")] if match else []
    if there and there != ["none"] and version not in there:
        near = _neighbours(version, there)
        return EngineError(
            f"there is no cwltool {version}",
            hint=f"near it there are {', '.join(near)}; the default is {default_version()}",
            where=version,
            near=near,
        )
    if error.reason == "timeout":
        return EngineError(f"setting up cwltool {version} took longer than {_BUILD_TIMEOUT:.0f} s", hint=last)
    return EngineError(
        f"pip can't install cwltool {version}: {error.completed.last_words}",
        hint="is the package index reachable? PIP_INDEX_URL, HTTPS_PROXY and SSL_CERT_FILE are passed on to pip",
        where=last,
    )


def _neighbours(version: str, there: list[str]) -> list[str]:
    """The versions just before and after one that isn't there, and the newest."""
    ordered = sorted({*there, version}, key=_by_number)
    place = ordered.index(version)
    near = [*ordered[max(0, place - 1) : place], *ordered[place + 1 : place + 2], max(there, key=_by_number)]
    return list(dict.fromkeys(near))


def _resolve(pip: Callable[..., None], place: Path, version: str) -> Pins:
    """Ask pip which packages the version needs today, with the sha256 of each file that fits this machine."""
    report, constraint = place / "report.json", place / "constraint.txt"
    constraint.write_text(_CONSTRAINT + "\n", encoding="utf-8")
    words = ("--quiet", "--dry-run", "--ignore-installed", "--only-binary=:all:", f"--report={report}")
    # setuptools is named because old versions use its pkg_resources without saying so.
    pip("install", *words, f"--constraint={constraint}", "--", f"{NAME}=={version}", "setuptools")
    try:
        lines = []
        for one in json.loads(report.read_bytes())["install"]:
            archive = one["download_info"]["archive_info"]
            sha256 = archive.get("hashes", {}).get("sha256") or archive["hash"].removeprefix("sha256=")
            lines.append(
                f"{normalised(one['metadata']['name'])}=={one['metadata']['version']} --hash=sha256:{sha256}\n"
            )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EngineError(f"pip's report about cwltool {version} can't be read: {error}") from error
    return Pins(version=version, text="".join(sorted(lines)), is_known=False)


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
