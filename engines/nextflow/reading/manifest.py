"""The manifest: what can be read of a workflow's folder without a JVM, before an engine is chosen.

Configuration is Groovy, and only its engine knows for certain what it says: what can't be read here is ``None``, never
an error. Source: the Nextflow reference, configuration scope ``manifest``; what is found and how was tried with 22.10.7
and 24.10.0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from engines.nextflow.reading.groovy_text import Token, TokenKind, tokens
from staging.errors import DefinitionError, Fault, PolicyError
from staging.paths import safe_join

CONFIG = "nextflow.config"
MAIN = "main.nf"
SUFFIX = ".nf"
_MOST_BYTES = 1 << 20
_MOST_CONFIGS = 100
_INCLUDE = "includeConfig"
_PROJECT = ("projectDir", "baseDir")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What the scope ``manifest`` of a workflow's configuration states as plain text."""

    name: str | None = None
    description: str | None = None
    version: str | None = None
    author: str | None = None
    licence: str | None = None
    home_page: str | None = None
    doi: str | None = None
    main_script: str | None = None
    nextflow_version: str | None = None


def find_script(root: Path, entry: str | None) -> PurePosixPath:
    """The main script, relative to ``root`` (or to its folder, where it is a file itself), as Nextflow finds it.

    ``entry`` is a path within ``root``, percent-encoded where needed: a script, or a folder that has one. What follows
    a ``#`` names a workflow within the script and is not looked at.

    Raises:
        DefinitionError: there is no such script; it names what was looked for.
    """
    path = (entry or "").partition("#")[0]
    if not root.is_dir():
        if path and unquote(path) != root.name:
            message = f"the workflow is the file {root.name!r}, it has no {unquote(path)!r} in it"
            raise _no_script(root.name, message)
        if not root.is_file():
            raise _no_script(root.name, f"there is no file {root.name!r}")
        return PurePosixPath(root.name)
    if not path.strip("/"):
        return _main_of(root, PurePosixPath())
    for text in dict.fromkeys((unquote(path).strip("/"), path.strip("/"))):
        try:
            place = safe_join(root, text)
        except PolicyError as error:
            raise _no_script(text, error.message) from error
        if place.is_file():
            return PurePosixPath(text)
        if place.is_dir():
            return _main_of(root, PurePosixPath(text))
    raise _no_script(unquote(path), f"the workflow has no file or folder {unquote(path)!r}", _scripts(root))


def recognises(root: Path, entry: str | None) -> bool:
    """Whether it is a Nextflow workflow by its name: a ``.nf`` file, or a folder that says which script is its main."""
    try:
        script = find_script(root, entry)
    except DefinitionError:
        return False
    if script.name.endswith(SUFFIX):
        return True
    # Another suffix is meant only where a manifest names it.
    named = unquote((entry or "").partition("#")[0]).strip("/")
    return root.is_dir() and named != str(script)


def stated_version(root: Path, script: PurePosixPath) -> str | None:
    """``manifest.nextflowVersion``, as it is written; ``None`` where none can be read."""
    return read_manifest(root, script).nextflow_version


def read_manifest(root: Path, script: PurePosixPath) -> Manifest:
    """The manifest that goes with a main script: of the configuration beside it, or else of the nearest above.

    Nextflow itself reads the one beside the script alone; the one above it may have named the script.
    """
    top = root if root.is_dir() else root.parent
    folders = [folder for folder in script.parents if (top / folder / CONFIG).is_file()]
    stated: dict[str, str | None] = {}
    if folders:
        stated = _settings(top, folders[0] / CONFIG, folders[0])
    return Manifest(
        name=stated.get("name") or None,
        description=stated.get("description") or None,
        version=stated.get("version") or None,
        author=stated.get("author") or None,
        licence=stated.get("license") or None,
        home_page=stated.get("homePage") or None,
        doi=stated.get("doi") or None,
        main_script=stated.get("mainScript") or None,
        nextflow_version=stated.get("nextflowVersion") or None,
    )


def _main_of(root: Path, folder: PurePosixPath) -> PurePosixPath:
    """The main script of a folder; an included configuration doesn't count for it (so does Nextflow)."""
    stated = dict(_manifest_keys(_read(root, folder / CONFIG))).get("mainScript")
    name = stated or MAIN
    try:
        if safe_join(root, folder / name.removeprefix("./")).is_file():
            return folder / name
    except PolicyError as error:
        raise _no_script(name, error.message) from error
    place = "the workflow" if folder == PurePosixPath() else f"the folder {str(folder)!r} of the workflow"
    reason = f", which its {CONFIG} calls the main script" if stated else f" and no {CONFIG} that names another script"
    raise _no_script(str(folder / name), f"{place} has no {name!r}{reason}", _scripts(root))


def _settings(root: Path, config: PurePosixPath, project: PurePosixPath) -> dict[str, str | None]:
    """The manifest of a configuration and of all that it includes, in their order; the last word counts."""
    found: dict[str, str | None] = {}
    seen: set[PurePosixPath] = set()

    def read(path: PurePosixPath) -> None:
        if path in seen or len(seen) >= _MOST_CONFIGS:
            return
        seen.add(path)
        for key, value in _manifest_keys(_read(root, path)):
            if key == _INCLUDE:
                included = _included(path, value, project)
                if included is not None:
                    read(included)
            else:
                found[key] = value

    read(config)
    return found


def _included(config: PurePosixPath, written: str | None, project: PurePosixPath) -> PurePosixPath | None:
    if not written or written.startswith("/") or ":" in written:
        return None
    for name in _PROJECT:
        for variable in (f"${{{name}}}/", f"${name}/"):
            if written.startswith(variable):
                return project / written.removeprefix(variable)
    return None if "$" in written else _normal(config.parent / written)


def _normal(path: PurePosixPath) -> PurePosixPath:
    parts: list[str] = []
    for part in path.parts:
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        else:
            parts.append(part)
    return PurePosixPath(*parts)


def _read(root: Path, path: PurePosixPath) -> str:
    """The text of a configuration within ``root``; empty where there is none to be read."""
    try:
        with safe_join(root, _normal(path)).open("rb") as stream:
            return stream.read(_MOST_BYTES).decode(errors="replace")
    except (OSError, PolicyError, ValueError):
        return ""


def _manifest_keys(text: str) -> Iterator[tuple[str, str | None]]:
    """Every setting of the scope ``manifest``, and every ``includeConfig`` outside of all scopes, in their order.

    A value that is more than one plain string is ``None``. That of ``includeConfig`` is as it is written.
    """
    scopes: list[str] = []
    statement: list[Token] = []
    for token in _with_end(tokens(text)):
        if token.kind is TokenKind.MARK and token.text in "{}\n;":
            if token.is_mark("{"):
                scopes.append(_path(statement) or "?")
            else:
                yield from _of_statement(".".join(scopes), statement)
            if token.is_mark("}") and scopes:
                scopes.pop()
            statement = []
        else:
            statement.append(token)


def _with_end(stream: Iterator[Token]) -> Iterator[Token]:
    yield from stream
    yield Token(TokenKind.MARK, "\n", 0)


def _of_statement(scope: str, statement: list[Token]) -> Iterator[tuple[str, str | None]]:
    if not statement:
        return
    if not scope and statement[0].text == _INCLUDE:
        rest = [one for one in statement[1:] if not (one.is_mark("(") or one.is_mark(")"))]
        if len(rest) == 1 and rest[0].kind is TokenKind.STRING:
            yield _INCLUDE, "".join(f"${{{part.text}}}" if part.code else part.text for part in rest[0].parts)
        return
    place = next((number for number, one in enumerate(statement) if one.is_mark("=")), None)
    name = _path(statement[:place]) if place else None
    path = f"{scope}.{name}" if scope else name or ""
    if place is None or name is None or not path.startswith("manifest.") or path.count(".") != 1:
        return
    value = statement[place + 1 :]
    yield path.removeprefix("manifest."), value[0].literal if len(value) == 1 else None


def _path(statement: list[Token]) -> str | None:
    """A dotted name that is all of a statement."""
    words = statement[::2]
    if not words or not all(one.kind is TokenKind.WORD for one in words) or len(statement) % 2 == 0:
        return None
    return ".".join(one.text for one in words) if all(one.is_mark(".") for one in statement[1::2]) else None


def _scripts(root: Path) -> str | None:
    names = sorted(one.name for one in root.glob(f"*{SUFFIX}"))[:10]
    return f"its scripts are {', '.join(names)}" if names else None


def _no_script(where: str, message: str, hint: str | None = None) -> DefinitionError:
    return DefinitionError(
        (Fault(file="workflow", where=where, message=message, hint=hint),), message=message, hint=hint
    )
