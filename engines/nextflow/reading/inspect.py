"""Inspection: what a workflow says of itself, read by the engine's own parsers in one JVM, without running it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from engines.base import FormalParameter, InstalledEngine, Wish, WorkflowInterface
from engines.nextflow.reading import parameters_schema
from engines.nextflow.reading.asking import ask, base_folder
from engines.nextflow.reading.engine_words import invalid, sentence, told_place
from engines.nextflow.reading.manifest import find_script
from engines.nextflow.reading.processes import refused_options, tool_of, unnamed_secrets, without_image
from engines.nextflow.reading.references import included_plugins, own_files
from engines.nextflow.setup.versions import RESOURCE_LIMITS, Version
from staging.errors import DefinitionError, Fault

_UNKNOWN_PROFILE = re.compile(r"Unknown configuration profile: '([^']*)'(.*)", re.DOTALL)
_NEAR_PROFILE = re.compile(r"^\s+(\S+)\s*$", re.MULTILINE)
_LONGEST_SCRIPT = 1 << 22
_MENTION = re.compile(r"\bparams\.([A-Za-z_]\w*)")
# What every map can be asked, so that it names no parameter.
_OF_MAPS = frozenset({"each", "containsKey", "findAll", "collect", "keySet", "size", "get", "put", "any", "every"})
_MOST_NAMES = 10
_REPOSITORY = re.compile(r"https://(?:github\.com|gitlab\.com|bitbucket\.org|codeberg\.org)/[\w.-]+/[\w.-]+/?")


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
    told = ask(folder, script, engine, wish, plugins)
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
    base = base_folder(folder, script)
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
            *unnamed_secrets(told, wish),
            *_left_unchecked(constraints),
            *((*without_image(told), *refused_options(told)) if wish.containers else ()),
        ),
        tools=tuple(tool_of(one, told.get("aliases") or {}, folder) for one in told.get("processes") or ()),
        documents=tuple(sorted(documents)),
        label=_text(manifest.get("name")),
        doc=_text(manifest.get("description")),
        licence=_text(manifest.get("license")),
        version=_version(manifest.get("version")),
        authors=_authors(manifest),
        repository=_repository(manifest.get("homePage")),
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


def _authors(manifest: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """The manifest's authors: one text with commas, or (24.10 and later) a list of contributors."""
    contributors = manifest.get("contributors")
    if isinstance(contributors, list):
        named = [one for one in contributors if isinstance(one, Mapping) and one.get("name")]
        return tuple({key: str(one[key]) for key in ("name", "affiliation", "orcid") if one.get(key)} for one in named)
    names = [one.strip() for one in str(manifest.get("author") or "").split(",")]
    return tuple({"name": name} for name in names if name)


def _repository(page: Any) -> str | None:
    """The manifest's home page where that is a repository on one of the large hosts."""
    return page if isinstance(page, str) and _REPOSITORY.fullmatch(page) else None


def _version(value: Any) -> str | None:
    """The version as it is written; a number without quotes is one too."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else _text(value)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() else None
