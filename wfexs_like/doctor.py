"""Doctor: what this machine can do for us, really tried, with the fix for each thing it can't.

Only the engine and the two folders are essential; everything else is needed by some workflows or some verbs.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, cast

from staging.errors import WfexsError
from staging.process import Child, ProcessError, find_tool, run, start
from wfexs_like.settings import Settings

if TYPE_CHECKING:
    from engines.containers.base import ContainerRuntime

PATIENCE: Final = 10.0
"""Seconds that one probe may take."""

_LITTLE_SPACE: Final = 2 * 1000**3
_VERSION: Final = re.compile(r"\d+(?:\.\d+)+[\w.+-]*|\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    ``found``: it is there. ``works``: it did what was tried. ``fix`` is what to do about it, ``None`` when there is
    nothing to do. ``essential``: without it nothing goes.
    """

    name: str
    found: bool
    works: bool
    purpose: str
    version: str | None = None
    detail: str | None = None
    fix: str | None = None
    essential: bool = False


def examine(settings: Settings) -> tuple[Finding, ...]:
    """Look at everything, several things at a time; always in the same order."""
    environment = settings.environment
    probes: list[Callable[[], Finding]] = [
        cwltool,
        lambda: tool("git", environment, purpose="workflows and inputs from git repositories", fix=_apt("git")),
        lambda: javascript(environment),
        lambda: java(environment),
        lambda: nextflow(settings.cache, environment),
        network_isolation,
        lambda: container_runtime("docker", environment),
        lambda: container_runtime("podman", environment),
        lambda: container_runtime("apptainer", environment),
        lambda: tool("unshare", environment, purpose="runs that have no network", fix=_apt("util-linux")),
        fuse,
        lambda: gocryptfs(environment),
        tun,
        lambda: folder("cache", settings.cache),
        lambda: folder("workdirs", settings.workdirs),
    ]
    with ThreadPoolExecutor(max_workers=4) as pool:
        return tuple(pool.map(lambda probe: probe(), probes))


def is_fit(findings: Sequence[Finding]) -> bool:
    """Whether everything essential works."""
    return all(one.works for one in findings if one.essential)


def cwltool() -> Finding:
    """The engine that comes with us."""
    from importlib.metadata import PackageNotFoundError, version

    purpose = "running CWL workflows"
    try:
        found = version("cwltool")
    except PackageNotFoundError:
        return Finding(
            name="cwltool", found=False, works=False, purpose=purpose, fix="install wfexs-like again", essential=True
        )
    return Finding(name="cwltool", found=True, works=True, purpose=purpose, version=found, essential=True)


def java(environment: Mapping[str, str], usual: Path | None = None) -> Finding:
    """Every Java of this machine and what it suits; the one for Nextflow's default version is started."""
    from engines.nextflow.setup.installation import known_versions
    from engines.nextflow.setup.java import USUAL, find_java, javas
    from engines.nextflow.setup.versions import DEFAULT, java_range
    from staging.errors import EngineError

    purpose = "running Nextflow"
    usual = usual or USUAL
    told = []
    for one in javas(environment, usual):
        suits = [
            version for version in known_versions() if java_range(version)[0] <= one.major <= java_range(version)[1]
        ]
        told.append(f"{one.label} at {one.path} for {', '.join(suits) if suits else 'no known version'}")
    detail = "; ".join(told) or None
    try:
        chosen = find_java(DEFAULT, environment, usual)
    except EngineError as error:
        return Finding(name="java", found=bool(told), works=False, purpose=purpose, detail=detail, fix=error.hint)
    _, failure = _said((str(chosen.path), "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-version"), environment)
    return Finding(
        name="java",
        found=True,
        works=failure is None,
        purpose=purpose,
        version=chosen.version,
        detail=detail if failure is None else f"{chosen.path} does not start: {failure}",
        fix=None if failure is None else "reinstall it, or set JAVA_HOME to the folder of another",
    )


def nextflow(cache: Path, environment: Mapping[str, str]) -> Finding:
    """Which versions are set up and sound, and where others can come from. Nothing is fetched or started."""
    from engines.nextflow.setup.listing import versions
    from engines.nextflow.setup.sources import MAVEN, RELEASE, asked_source

    purpose = "running Nextflow workflows"
    add = '"wfexs-like engines add nextflow'
    try:
        asked = asked_source(environment)
        there = [one for one in versions(cache, environment) if one.cached]
    except (WfexsError, OSError) as error:
        fix = error.hint if isinstance(error, WfexsError) else None
        return Finding(
            name="nextflow", found=False, works=False, purpose=purpose, detail=_failure(error), fix=fix or f'{add}"'
        )
    has_maven = find_tool("mvn", environment) is not None
    sources = [
        *(["its releases" if asked is None else "its releases (asked for)"] if asked != MAVEN else []),
        *(["Maven" if asked is None else "Maven (asked for)"] if asked != RELEASE and has_maven else []),
    ]
    told = [f"{one.version} ({one.source}, {'verified' if one.verified else 'damaged'})" for one in there]
    usable = [one for one in there if one.verified and one.lacks is None]
    damaged = [one for one in there if not one.verified]
    fix = None
    if not sources:
        fix = f"{_apt('maven')}, or do not set WFEXS_LIKE_NEXTFLOW_SOURCE"
    elif damaged:
        fix = f'{add}@{damaged[0].version}" fetches it again'
    elif there and not usable:
        fix = f"for {there[-1].version} it takes {there[-1].lacks}"
    elif not there:
        fix = f'staging fetches it; {add}" does so beforehand'
    return Finding(
        name="nextflow",
        found=bool(there),
        works=bool(usable) and not damaged,
        purpose=purpose,
        version=usable[-1].version if usable else None,
        detail=f"set up: {', '.join(told) or 'none'}; others from {' or '.join(sources) or 'nowhere: no mvn'}",
        fix=fix,
    )


def tool(name: str, environment: Mapping[str, str], *, purpose: str, fix: str, ask: str = "--version") -> Finding:
    """A program that has only to be there and to say its version."""
    if find_tool(name, environment) is None:
        return Finding(name=name, found=False, works=False, purpose=purpose, fix=fix)
    said, failure = _said((name, ask), environment)
    if failure is not None:
        return Finding(name=name, found=True, works=False, purpose=purpose, detail=failure, fix=f"reinstall {name}")
    return Finding(name=name, found=True, works=True, purpose=purpose, version=version_in(said))


def javascript(environment: Mapping[str, str]) -> Finding:
    """node, which evaluates CWL's JavaScript expressions: it is asked to compute something."""
    purpose = "CWL workflows with JavaScript expressions"
    name = next((one for one in ("node", "nodejs") if find_tool(one, environment)), None)
    if name is None:
        return Finding(name="node", found=False, works=False, purpose=purpose, fix=_apt("nodejs"))
    said, failure = _said((name, "-e", "console.log(process.version, 6 * 7)"), environment)
    if failure is not None or "42" not in said:
        return Finding(
            name="node", found=True, works=False, purpose=purpose, detail=failure or said, fix="reinstall node"
        )
    return Finding(name="node", found=True, works=True, purpose=purpose, version=version_in(said))


def container_runtime(name: str, environment: Mapping[str, str]) -> Finding:
    """A container runtime, as a run would meet it: the command is there, and what it talks to answers."""
    from engines.containers.base import CONTAINERS

    purpose = "workflows whose tools come in containers"
    programs = ("apptainer", "singularity") if name == "apptainer" else (name,)
    program = next((one for one in programs if find_tool(one, environment)), None)
    make = cast("Callable[[Mapping[str, str]], ContainerRuntime]", CONTAINERS.load(name))
    try:
        facts = make(environment).about()
    except WfexsError as error:
        client = _said((program, "--version"), environment)[0] if program else ""
        return Finding(
            name=name,
            found=program is not None,
            works=False,
            purpose=purpose,
            version=version_in(client),
            detail=error.message if program else None,
            fix=error.hint,
        )
    return Finding(
        name=name,
        found=True,
        works=True,
        purpose=purpose,
        version=facts.version,
        detail="; ".join(f"{what}: {told}" for what, told in facts.notes.items()) or None,
    )


def network_isolation() -> Finding:
    """Whether a run can be kept from the network, tried with a child process."""
    from engines.isolation import probe

    purpose = "runs that have no network and leave no process behind"
    isolation = probe()
    ways = [
        word
        for word, had in (
            ("network namespace", isolation.network),
            ("PID namespace", isolation.processes),
            ("by a user namespace", isolation.user),
        )
        if had
    ]
    works = isolation.network and isolation.processes
    return Finding(
        name="isolation",
        found=isolation.network or isolation.processes,
        works=works,
        purpose=purpose,
        detail=", ".join(ways) or "no namespaces can be made here",
        fix=None if works else f"allow user namespaces{_switched_off()}, or run as root",
    )


def _switched_off() -> str:
    """The settings of this kernel that keep user namespaces from users; the second and third are of distributions."""
    wrong = {
        "user/max_user_namespaces": ("0", "user.max_user_namespaces=15000"),
        "kernel/unprivileged_userns_clone": ("0", "kernel.unprivileged_userns_clone=1"),
        "kernel/apparmor_restrict_unprivileged_userns": ("1", "kernel.apparmor_restrict_unprivileged_userns=0"),
    }
    settings = []
    for name, (value, better) in wrong.items():
        place = Path("/proc/sys") / name
        try:
            if place.read_text(encoding="ascii").strip() == value:
                settings.append(better)
        except OSError:
            continue
    return f" (sysctl {' '.join(settings)})" if settings else ""


def fuse() -> Finding:
    """The FUSE device and the program that unmounts."""
    purpose = "encrypted working directories"
    device = Path("/dev/fuse")
    usable = os.access(device, os.R_OK | os.W_OK)
    program = next((one for one in ("fusermount3", "fusermount") if shutil.which(one)), None)
    if usable and program is not None:
        return Finding(name="fuse", found=True, works=True, purpose=purpose, detail=program)
    lacking = [
        *([] if usable else ["no access to /dev/fuse" if device.exists() else "there is no /dev/fuse"]),
        *([] if program else ["no fusermount"]),
    ]
    return Finding(
        name="fuse",
        found=device.exists(),
        works=False,
        purpose=purpose,
        detail=", ".join(lacking),
        fix=_apt("fuse3") if usable else "load the module (modprobe fuse); in a container: --device /dev/fuse",
    )


def gocryptfs(environment: Mapping[str, str]) -> Finding:
    """gocryptfs: an encrypted folder is made and opened without being mounted, and mounted where FUSE lets us."""
    purpose = "encrypted working directories"
    basic = tool("gocryptfs", environment, purpose=purpose, fix=_apt("gocryptfs"))
    if not basic.works:
        return basic
    with TemporaryDirectory(prefix="wfexs-like-doctor-") as scratch:
        cipher, mount = Path(scratch) / "cipher", Path(scratch) / "mount"
        cipher.mkdir()
        mount.mkdir()
        failure = _mount_once(cipher, mount, environment)
    return Finding(
        name="gocryptfs",
        found=True,
        works=failure is None,
        purpose=purpose,
        version=basic.version,
        detail=failure,
        fix=None if failure is None else "see the finding on fuse",
    )


def _mount_once(cipher: Path, mount: Path, environment: Mapping[str, str]) -> str | None:
    """Make, mount, write, unmount; returns what went wrong."""
    secret = os.urandom(16).hex().encode() + b"\n"
    unmount = next((one for one in ("fusermount3", "fusermount") if find_tool(one, environment)), None)
    making = ("gocryptfs", "-q", "-init", "-scryptn", "10", "--", str(cipher))
    # In the foreground: one in the background keeps the pipes that we would read its words from.
    mounting = ("gocryptfs", "-q", "-fg", "-nosyslog", "--", str(cipher), str(mount))
    try:
        run(making, env=environment, input=secret, timeout=PATIENCE)
        if unmount is None:
            return "it can't be mounted: no fusermount"
        with (mount.parent / "secret").open("w+b") as stdin, (mount.parent / "words").open("w+b") as words:
            stdin.write(secret)
            stdin.seek(0)
            with start(mounting, env=environment, stdin=stdin, stdout=words, stderr=words) as mounted:
                try:
                    if not _appears(mount, mounted):
                        words.seek(0)
                        return words.read().decode(errors="replace").strip() or "it mounted nothing"
                    (mount / "probe").write_text("probe", encoding="utf-8")
                finally:
                    if mount.is_mount():
                        run((unmount, "-u", "-z", "--", str(mount)), env=environment, timeout=PATIENCE)
                    mounted.wait(PATIENCE)
    except (WfexsError, OSError) as error:
        return _failure(error)
    return None


def _appears(mount: Path, mounted: Child) -> bool:
    """Wait until something is mounted there, or nothing will be."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and mounted.poll() is None:
        if mount.is_mount():
            return True
        time.sleep(0.01)
    return mount.is_mount()


def tun() -> Finding:
    """The device that shows what runs try to reach, tried; rootless containers need it for their networks too."""
    from engines.isolation import probe
    from engines.network.tun import why_not

    device = Path("/dev/net/tun")
    reason = why_not(probe())
    works = reason is None
    return Finding(
        name="tun",
        found=device.exists(),
        works=works,
        purpose="listing what runs try to reach; networks of rootless containers",
        detail=None if works else f"runs are kept offline, but their attempts can't be listed: {reason}",
        fix=None if works else "load the module (modprobe tun); in a container: --device /dev/net/tun",
    )


def folder(name: str, path: Path) -> Finding:
    """One of our two places: can it be written, how much room is there, are copies free (reflinks)."""
    purpose = {"cache": "the content store", "workdirs": "the working directories"}[name]
    there = _nearest(path)
    try:
        with TemporaryDirectory(prefix=".wfexs-like-doctor-", dir=there) as scratch:
            reflinks = can_reflink(Path(scratch))
        free = shutil.disk_usage(there).free
    except OSError as error:
        return Finding(
            name=name,
            found=path.exists(),
            works=False,
            purpose=purpose,
            detail=f"{path}: {(error.strerror or str(error)).lower()}",
            fix=f"make {there} writable, or set WFEXS_LIKE_{name.upper()} to a folder that is",
            essential=True,
        )
    little = free < _LITTLE_SPACE
    return Finding(
        name=name,
        found=path.exists(),
        works=True,
        purpose=purpose,
        detail=f"{path}: {free / 1000**3:.1f} GB free, {'copy-on-write copies' if reflinks else 'no reflinks'}",
        fix='make room ("wfexs-like cache gc", "wfexs-like rm")' if little else None,
        essential=True,
    )


def can_reflink(scratch: Path) -> bool:
    """Whether the file system of ``scratch`` makes copy-on-write copies, tried with a file."""
    from staging.placing import clone

    source = scratch / "source"
    source.write_bytes(b"x" * 4096)
    return clone(source, scratch / "target", 0o600)


def version_in(text: str) -> str | None:
    """The first thing in ``text`` that looks like a version."""
    match = _VERSION.search(text)
    return match.group() if match else None


def _nearest(path: Path) -> Path:
    """``path``, or the closest folder above it that exists."""
    while not path.is_dir() and path != path.parent:
        path = path.parent
    return path


def _said(argv: Sequence[str], environment: Mapping[str, str]) -> tuple[str, str | None]:
    """What a program says when asked, and why it failed (``None``: it didn't)."""
    try:
        completed = run(argv, env=environment, timeout=PATIENCE)
    except WfexsError as error:
        return "", _failure(error)
    return (completed.stdout + completed.stderr).decode(errors="replace").strip(), None


def _failure(error: WfexsError | OSError) -> str:
    if isinstance(error, ProcessError) and error.reason == "timeout":
        return f"no answer within {PATIENCE:g} s"
    return error.message if isinstance(error, WfexsError) else (error.strerror or str(error)).lower()


def _apt(package: str) -> str:
    return f"apt-get install {package}"
