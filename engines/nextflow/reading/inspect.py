"""Inspection: what a workflow says of itself, read by the engine's own parsers in one JVM, without running it.

Configuration and scripts are programs, so they are read where a run would be: with no network, and with nothing but a
scratch folder to write to.
"""

from __future__ import annotations

import json
import os
import re
import stat
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from engines.base import FormalParameter, InstalledEngine, Tool, Wish, WorkflowInterface
from engines.containers.policy import sure_refusal
from engines.isolation import Isolation
from engines.launcher import Ending, Errand, last_words, run_errand
from engines.nextflow.child_process import child_argv, offline_environment
from engines.nextflow.reading import parameters_schema
from engines.nextflow.reading.engine_words import invalid, sentence, told_place
from engines.nextflow.reading.manifest import find_script
from engines.nextflow.reading.references import included_plugins, own_files
from engines.nextflow.secrets import hidden, secrets_environment, write_secrets
from engines.nextflow.setup.launching import java_command
from engines.nextflow.setup.versions import RESOURCE_LIMITS, Version
from staging.errors import DefinitionError, EngineError, Fault

_TIME_LIMIT = 180.0
_LONGEST_ANSWER = 1 << 26
_UNKNOWN_PROFILE = re.compile(r"Unknown configuration profile: '([^']*)'(.*)", re.DOTALL)
_NEAR_PROFILE = re.compile(r"^\s+(\S+)\s*$", re.MULTILINE)
_LONGEST_SCRIPT = 1 << 22
_MENTION = re.compile(r"\bparams\.([A-Za-z_]\w*)")
# What every map can be asked, so that it names no parameter.
_OF_MAPS = frozenset({"each", "containsKey", "findAll", "collect", "keySet", "size", "get", "put", "any", "every"})
_MOST_NAMES = 10
_PROBE = "wfexslike.Probe"
_PATH_KINDS = {"file": "File", "path": "File", "env": "string", "stdout": "string", "stdin": "string"}


def inspect(
    root: Path, entry: str | None, engine: InstalledEngine, wish: Wish, plugins: Path | None = None
) -> WorkflowInterface:
    """The workflow's interface. ``plugins`` is the folder with those that were staged.

    Raises:
        DefinitionError: it is not valid, or has no such profile, in the engine's own words, shortened; or the engine
            can't do what is asked.
        EngineError: the engine could not be started.
    """
    _check_version(engine.version, wish)
    folder = root if root.is_dir() else root.parent
    folder = folder.absolute()
    script = find_script(root, entry)
    told = _ask(folder, script, engine, wish, plugins)
    _check_profiles(wish.settings.profiles, told)
    if told.get("fault"):
        raise invalid(str(told["fault"]), folder, script, engine.version, told.get("place"))
    _check_plugins(told, folder)
    return _interface(told, wish, folder, script)


def _check_version(version: str, wish: Wish) -> None:
    """Say now what this version of the engine can't be held to."""
    if wish.settings.max_cpus_per_process is None or Version.parse(version) >= RESOURCE_LIMITS:
        return
    message = f"Nextflow {version} can't limit the CPUs of a single task (maxCPUsPerProcess)"
    where = "workflow_config.nextflow.maxCPUsPerProcess"
    hint = "that needs Nextflow 24.04 or newer; maxCPUs, for all tasks together, works with any"
    raise DefinitionError((Fault(file="", where=where, message=message, hint=hint),), message=message, hint=hint)


def _ask(
    folder: Path, script: PurePosixPath, engine: InstalledEngine, wish: Wish, plugins: Path | None
) -> dict[str, Any]:
    """The probe's answer."""
    with tempfile.TemporaryDirectory(prefix="wfexs-like-") as place:
        scratch = Path(place).resolve()
        answer = scratch / "answer.json"
        (scratch / "home").mkdir()
        (scratch / "launch").mkdir()
        question = {
            "script": str(folder / script),
            "base": str(_base(folder, script)),
            "profiles": ",".join(wish.settings.profiles) or None,
            "params": wish.parameters,
            "containers": wish.containers,
            "plugins": None if plugins is None else str(plugins),
            "answer": str(answer),
        }
        java_home = engine.program.resolve().parents[1]
        # Configuration may speak of secrets; what they are is nothing to read it by.
        secrets = write_secrets({one: hidden(one) for one in wish.settings.secrets}, scratch / "secrets.json")

        def request(isolation: Isolation) -> Mapping[str, object]:
            return {
                "content": str(folder),
                "read_only": [str(folder), str(engine.home), str(java_home)] if isolation.mounts else [],
                "writable": [str(scratch)],
                "all": True,
                "sealed": [],
                "network": "namespace" if isolation.network else "none",
                "command": list(
                    java_command(engine, tmp=scratch, main=_PROBE, properties={"user.home": str(scratch / "home")})
                ),
                "environment": {
                    **offline_environment(
                        nxf_home=scratch / "nxf",
                        tmp=scratch,
                        java_home=java_home,
                        plugins=plugins or scratch / "none",
                    ),
                    **secrets_environment(secrets),
                    "PWD": str(scratch / "launch"),
                },
                "cwd": str(scratch / "launch"),
                "input": json.dumps(question),
            }

        log = scratch / "log"
        outcome = run_errand(
            Errand(
                argv=child_argv(),
                request=request,
                log=log,
                mark=os.urandom(16).hex(),
                environment={"HOME": str(scratch / "home"), "TMPDIR": str(scratch)},
                cwd=scratch,
                time_limit=_TIME_LIMIT,
            ),
            started=lambda _: None,
            heard=lambda _: None,
        )
        words = last_words(log)
        if outcome.ending is Ending.CANCELLED:
            raise KeyboardInterrupt
        if outcome.ending is Ending.TIMEOUT:
            raise _too_slow(str(script))
        try:
            told = json.loads(_read_answer(answer))
        except (OSError, ValueError, RecursionError) as error:
            reason = sentence("\n".join(words[-3:]), folder) if words else "it said nothing"
            raise EngineError(f"Nextflow could not read the workflow: {reason}", where=str(script)) from error
    return told if isinstance(told, dict) else {}


def _read_answer(path: Path) -> bytes:
    """The answer's bytes. The workflow's own code could have put anything there: only a plain file is one.

    Raises:
        OSError: there is none.
        ValueError: it is something else, or longer than any answer.
    """
    number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(number, "rb") as stream:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise ValueError("it is no file")
        told = stream.read(_LONGEST_ANSWER + 1)
    if len(told) > _LONGEST_ANSWER:
        raise ValueError("it is too long")
    return told


def _check_plugins(told: Mapping[str, Any], folder: Path) -> None:
    """Refuse scripts that include from a plugin which the configuration does not declare: no run would have it."""
    if "scripts" not in told:
        return
    declared = {str(one).partition("@")[0] for one in told.get("plugins") or ()}
    faults = []
    for path in told["scripts"]:
        name = _inside(path, folder)
        if name is None or not Path(path).is_file():
            continue
        text = Path(path).read_bytes()[:_LONGEST_SCRIPT].decode(errors="replace")
        faults += [
            Fault(
                file=name,
                where="",
                line=line,
                message=f"it includes from the plugin {plugin}, which the workflow's configuration does not declare",
                hint=f"in nextflow.config: plugins {{ id '{plugin}@VERSION' }}",
            )
            for plugin, line in included_plugins(text)
            if plugin not in declared
        ]
    if faults:
        raise DefinitionError(tuple(faults), message=str(faults[0]) if len(faults) == 1 else None)


def _base(folder: Path, script: PurePosixPath) -> Path:
    """The folder that ``nextflow.config`` is taken from: the script's own, or the project's."""
    beside = folder / script.parent
    return beside if (beside / "nextflow.config").is_file() else folder


def _check_profiles(asked: Sequence[str], told: Mapping[str, Any]) -> None:
    """Say in our words that there is no such profile: the engine's, or a workflow that has no configuration at all."""
    unknown = _UNKNOWN_PROFILE.search(str(told.get("fault") or ""))
    if unknown is None and (told.get("fault") or told.get("configs") or set(asked) <= {"standard"}):
        return
    name = unknown.group(1) if unknown is not None else asked[0]
    near = ", ".join(_NEAR_PROFILE.findall(unknown.group(2))) if unknown is not None else ""
    raise DefinitionError(
        (Fault(file="", where="profile", message=f"the workflow has no profile {name!r}"),),
        message=f"the workflow has no profile {name!r}",
        hint=f"did you mean {near}?" if near else "its configuration says which there are (profiles { ... })",
    )


def _interface(told: Mapping[str, Any], wish: Wish, folder: Path, script: PurePosixPath) -> WorkflowInterface:
    manifest = told.get("manifest") or {}
    documents = {str(script)}
    documents |= {name for path in told.get("scripts") or () if (name := _inside(path, folder))}
    documents |= {name for path in told.get("configs") or () if (name := _inside(path, folder))}
    base = _base(folder, script)
    schema = base / parameters_schema.NAME
    stated: tuple[FormalParameter, ...] = ()
    constraints: Mapping[str, Any] | None = None
    if schema.is_file():
        text = schema.read_bytes()
        stated, constraints = parameters_schema.formal_parameters(text), parameters_schema.read_schema(text)
        documents.add(str(schema.relative_to(folder)))
    documents |= own_files(folder, PurePosixPath(base.relative_to(folder)), documents)
    return WorkflowInterface(
        entry=script,
        process=None,
        language="nextflow",
        language_version=f"DSL{told.get('dsl') or 2}",
        kind="Workflow",
        inputs=_inputs(told, stated, wish.parameters, folder),
        outputs=(),
        open_outputs=True,
        constraints=constraints,
        notes=(
            *_notes(told, folder),
            *_unnamed_secrets(told, wish),
            *_left_unchecked(constraints),
            *((*_without_image(told), *_refused_options(told)) if wish.containers else ()),
        ),
        tools=tuple(_tool(one) for one in told.get("processes") or ()),
        documents=tuple(sorted(documents)),
        label=_text(manifest.get("name")),
        doc=_text(manifest.get("description")),
        licence=_text(manifest.get("license")),
        version=_version(manifest.get("version")),
        authors=_authors(manifest),
        plugins=tuple(str(one) for one in told.get("plugins") or ()),
    )


def _inside(path: str, folder: Path) -> str | None:
    given = Path(path)
    return str(given.relative_to(folder)) if given.is_relative_to(folder) else None


def _inputs(
    told: Mapping[str, Any], stated: tuple[FormalParameter, ...], asked: Mapping[str, Any], folder: Path
) -> tuple[FormalParameter, ...]:
    """The parameters: as the schema states them, and those that only configuration or scripts set or speak of."""
    # What a script sets is not told for a parameter that was asked for: there the asked value stands.
    scripts = {name: value for name, value in (told.get("defaults") or {}).items() if name not in asked}
    relative = {name: _shown(value, folder) for name, value in {**(told.get("params") or {}), **scripts}.items()}
    relative |= {name: None for name in _mentioned(folder) if name not in relative}
    known = {one.name: one for one in stated}
    found = list(stated)
    for name, value in sorted(relative.items()):
        if name not in known and not any(one.startswith(f"{name}.") for one in known):
            found.append(_untyped(name, value))
    return tuple(_with_default(one, relative) for one in found)


def _notes(told: Mapping[str, Any], folder: Path) -> list[str]:
    notes = []
    if told.get("unread"):
        at = told_place(told.get("place"), folder)
        reason = sentence(str(told["unread"]), folder) + (f" ({at[0]}:{at[1]})" if at is not None else "")
        notes.append(f"not all processes of the workflow are known before it runs: {reason}")
    unread = [one for one in told.get("processes") or () if one.get("unread")]
    return notes + [
        f"the process {one['name']} can't be read before it runs: {sentence(one['unread'], folder)}" for one in unread
    ]


def _unnamed_secrets(told: Mapping[str, Any], wish: Wish) -> list[str]:
    """The secrets that some process can't do without and that no run would have; it may be one that never runs."""
    wanted: dict[str, str] = {}
    for process in told.get("processes") or ():
        for secret in _names(process.get("secret")):
            wanted.setdefault(str(secret), str(process["name"]))
    where = "workflow_config.nextflow.secrets"
    return [
        f"the process {process} needs the secret {secret}: to run it, list {secret} under {where}"
        for secret, process in wanted.items()
        if secret not in wish.settings.secrets
    ]


def _left_unchecked(constraints: Mapping[str, Any] | None) -> list[str]:
    """What of the schema is not held against the parameters here, said once."""
    if constraints is None or not (names := parameters_schema.unchecked_patterns(constraints)):
        return []
    shown = ", ".join(names[:_MOST_NAMES]) + (", ..." if names[_MOST_NAMES:] else "")
    of = "parameter's pattern is" if len(names) == 1 else "patterns of parameters are"
    return [f"{len(names)} {of} left to the workflow itself to check: {shown}"]


def _mentioned(folder: Path) -> set[str]:
    """The parameters that a script, a configuration or a class of the workflow speaks of by name."""
    found: set[str] = set()
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".nf", ".config", ".groovy") and path.is_file() and path.stat().st_size <= _LONGEST_SCRIPT:
            found.update(_MENTION.findall(path.read_text(encoding="utf-8", errors="replace")))
    return found - _OF_MAPS


def _untyped(name: str, default: Any) -> FormalParameter:
    return FormalParameter(name=name, type="Any", required=False, default=default, has_default=default is not None)


def _with_default(one: FormalParameter, defaults: Mapping[str, Any]) -> FormalParameter:
    """What configuration and scripts set is what counts, whatever the schema says of the default."""
    if defaults.get(one.name) is None:
        return one
    return replace(one, default=defaults[one.name], has_default=True, required=False)


def _shown(value: Any, folder: Path) -> Any:
    """A default without the place where we keep the workflow."""
    if isinstance(value, str):
        return value.replace(f"{folder}/", "$projectDir/").replace(str(folder), "$projectDir")
    if isinstance(value, Mapping):
        return {key: _shown(one, folder) for key, one in value.items()}
    return [_shown(one, folder) for one in value] if isinstance(value, list) else value


def _tool(process: Mapping[str, Any]) -> Tool:
    container = process.get("container")
    return Tool(
        id=str(process["name"]),
        kind="process",
        container=str(container) if container else None,
        container_recipe=_recipe(process),
        secrets=_names(process.get("secret")),
        inputs=tuple(_slots(process.get("inputs") or ())),
        outputs=tuple(_slots(process.get("outputs") or ())),
    )


def _recipe(process: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What else there is to say of its image: other ones that it may run in, or why they are not known before."""
    recipe: dict[str, Any] = {}
    if process.get("unknown"):
        recipe["unknown"] = str(process["unknown"])
    if len(process.get("containers") or ()) > 1:
        recipe["also"] = [str(one) for one in process["containers"][1:]]
    return recipe or None


def _without_image(told: Mapping[str, Any]) -> list[str]:
    """Those that stay outside of all containers are named aloud."""
    names = [
        str(one["name"])
        for one in told.get("processes") or ()
        if not one.get("container") and not one.get("unknown") and not one.get("unread")
    ]
    if not names:
        return []
    shown = ", ".join(names[:_MOST_NAMES]) + (", ..." if len(names) > _MOST_NAMES else "")
    one, its = ("process names", "its tasks run") if len(names) == 1 else ("processes name", "their tasks run")
    return [f"{len(names)} {one} no container, so {its} on this machine itself: {shown}"]


def _refused_options(told: Mapping[str, Any]) -> list[str]:
    """Processes whose tasks no run is going to start, for what they ask of their containers."""
    notes = []
    for one in told.get("processes") or ():
        options = one.get("containerOptions")
        reason = sure_refusal(options) if isinstance(options, str) and one.get("container") else None
        if reason:
            notes.append(f"every run will refuse the tasks of {one['name']}: {reason}")
    more = len(notes) - _MOST_NAMES
    return notes[:_MOST_NAMES] + ([f"... and {more} more such processes"] if more > 0 else [])


def _names(value: Any) -> tuple[str, ...]:
    """The names in a directive that takes one or several."""
    several = value if isinstance(value, list) else [value]
    return tuple(dict.fromkeys(one for one in several if isinstance(one, str) and one))


def _slots(declared: Sequence[Mapping[str, Any]]) -> list[FormalParameter]:
    slots: list[FormalParameter] = []
    for index, one in enumerate(declared):
        kind = str(one.get("kind"))
        if kind == "tuple" and not one.get("channelEmitName"):
            slots += _slots(one.get("inner") or ())
            continue
        name = one.get("channelEmitName") or one.get("name") or one.get("filePattern") or f"{kind}{index}"
        if name == "$":
            continue
        slots.append(
            FormalParameter(
                name=str(name),
                type=_PATH_KINDS.get(kind, "Any"),
                required=not one.get("optional"),
            )
        )
    return slots


def _authors(manifest: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """The manifest's authors: one text with commas, or (24.10 and later) a list of contributors."""
    contributors = manifest.get("contributors")
    if isinstance(contributors, list):
        named = [one for one in contributors if isinstance(one, Mapping) and one.get("name")]
        return tuple({key: str(one[key]) for key in ("name", "affiliation", "orcid") if one.get(key)} for one in named)
    names = [one.strip() for one in str(manifest.get("author") or "").split(",")]
    return tuple({"name": name} for name in names if name)


def _version(value: Any) -> str | None:
    """The version as it is written; a number without quotes is one too."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else _text(value)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _too_slow(script: str) -> DefinitionError:
    message = f"Nextflow did not understand {script} within {_TIME_LIMIT:.0f} seconds"
    return DefinitionError((Fault(file=script, where="", message=message),), message=message)
