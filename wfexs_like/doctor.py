"""Doctor: what this machine can do for us, really tried, with the fix for each thing it can't.

Only the engine and the two folders are essential; everything else is needed by some workflows or some verbs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, cast

from staging.errors import WfexsError
from staging.process import find_tool
from wfexs_like.findings import Finding, ask_program, in_words, tool, version_in, with_apt
from wfexs_like.host_findings import folder, fuse, network_isolation, tun
from wfexs_like.settings import Settings
from wfexs_like.vault_findings import gocryptfs, keys, swap

if TYPE_CHECKING:
    from engines.containers.base import ContainerRuntime


def examine(settings: Settings) -> tuple[Finding, ...]:
    """Look at everything, several things at a time; always in the same order."""
    environment = settings.environment
    probes: list[Callable[[], Finding]] = [
        cwltool,
        lambda: tool("git", environment, purpose="workflows and inputs from git repositories", fix=with_apt("git")),
        lambda: javascript(environment),
        lambda: java(environment),
        lambda: nextflow(settings.cache, environment),
        network_isolation,
        lambda: container_runtime("docker", environment),
        lambda: container_runtime("podman", environment),
        lambda: container_runtime("apptainer", environment),
        lambda: tool("unshare", environment, purpose="runs that have no network", fix=with_apt("util-linux")),
        fuse,
        lambda: keys(settings),
        lambda: gocryptfs(environment, settings.workdirs),
        swap,
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
    _, failure = ask_program((str(chosen.path), "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-version"), environment)
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
            name="nextflow", found=False, works=False, purpose=purpose, detail=in_words(error), fix=fix or f'{add}"'
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
        fix = f"{with_apt('maven')}, or do not set WFEXS_LIKE_NEXTFLOW_SOURCE"
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


def javascript(environment: Mapping[str, str]) -> Finding:
    """node, which evaluates CWL's JavaScript expressions: it is asked to compute something."""
    purpose = "CWL workflows with JavaScript expressions"
    name = next((one for one in ("node", "nodejs") if find_tool(one, environment)), None)
    if name is None:
        return Finding(name="node", found=False, works=False, purpose=purpose, fix=with_apt("nodejs"))
    said, failure = ask_program((name, "-e", "console.log(process.version, 6 * 7)"), environment)
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
        client = ask_program((program, "--version"), environment)[0] if program else ""
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
