"""References: what a Nextflow document names of its project, so that a workflow named by its script is staged whole.

Source: the Nextflow reference (``include``, ``includeConfig``, ``template``, ``projectDir``, ``moduleDir``, and the
folders that a project's script finds beside itself). Pure: the text comes in, the references go out.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote, unquote

from engines.base import Reference
from engines.nextflow.reading.groovy_text import Token, TokenKind, tokens
from engines.nextflow.reading.manifest import CONFIG, SUFFIX
from engines.nextflow.reading.parameters_schema import NAME as SCHEMA
from staging.errors import PolicyError
from staging.paths import safe_relative

FILES = (CONFIG, SCHEMA)
FOLDERS = ("bin", "lib", "templates", "modules", "subworkflows", "workflows", "conf", "assets")
# What a project's scripts run beside themselves; the rest of it is data.
_CODE = ("lib", "bin")
_CODE_BESIDE = ("templates",)
_PROJECT = ("projectDir", "baseDir", "workflow.projectDir")
_MODULE = ("moduleDir",)
_GLOB = re.compile(r"[*?\[{]")
_ABSOLUTE = re.compile(r"/|[A-Za-z][A-Za-z0-9+.-]+:")
_WORD_END = re.compile(r"[\s\"'`,;:|&<>()]")
_MOST_TOKENS_TO_SOURCE = 200
# A string of a variable and the text after it.
_WITH_TEXT = 2


def references(document: bytes, name: str) -> tuple[Reference, ...]:
    """Every reference of a document of a workflow to something outside it, in the order of first use.

    ``name`` is its path from the main script's folder, which is the project's; a name without a folder is taken for the
    main script's, or for a configuration beside it. A text that ends in ``/`` is a folder. Absolute ones are given as
    they are written. What has a variable in it is left out, but for the folder before the variable.
    """
    base = posixpath.basename(name)
    found: dict[str, bool] = {}
    for text, optional in _of_document(document, name, base):
        found[text] = found.get(text, True) and optional
    return tuple(Reference(text, optional) for text, optional in found.items())


def included_plugins(text: str) -> tuple[tuple[str, int], ...]:
    """The plugins that a script includes from outside of all blocks, each with the line that first names it."""
    all_tokens = list(tokens(text))
    found: dict[str, int] = {}
    for number, token in enumerate(all_tokens):
        if token.kind is not TokenKind.WORD or token.text != "include" or token.depth:
            continue
        source = _source_of_include(all_tokens, number)
        written = source.literal if source is not None else None
        if source is not None and written and written.startswith("plugin/"):
            name = written.removeprefix("plugin/").partition("@")[0]
            found.setdefault(name, text[: max(text.find(source.text), 0)].count("\n") + 1)
    return tuple(found.items())


def own_files(folder: Path, project: PurePosixPath, documents: Collection[str]) -> frozenset[str]:
    """The files that a workflow in ``folder`` is made of as code, besides the documents that the engine told of.

    What lies in ``lib``, ``bin`` and ``templates`` of the project, templates beside a script, and the configurations
    that a configuration of the project names. All are relative to ``folder``; links are left out.
    """
    found: set[str] = set()
    for name in (*_CODE, *_CODE_BESIDE):
        found |= _below(folder, project / name)
    for one in documents:
        if one.endswith(SUFFIX):
            for name in _CODE_BESIDE:
                found |= _below(folder, PurePosixPath(one).parent / name)
    pending = [one for one in documents if one.endswith(".config")]
    seen = set(pending)
    while pending:
        name = pending.pop()
        relative = posixpath.relpath(name, str(project))
        for reference in references((folder / name).read_bytes(), relative):
            path = posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(reference.text)))
            if path.endswith(".config") and path not in seen and _is_plain(folder, path):
                seen.add(path)
                pending.append(path)
    return frozenset(found | seen)


def _below(folder: Path, place: PurePosixPath) -> set[str]:
    top = folder / place
    if top.is_symlink() or not top.is_dir():
        return set()
    paths = (str(one.relative_to(folder)) for one in top.rglob("*"))
    return {one for one in paths if _is_plain(folder, one)}


def _is_plain(folder: Path, path: str) -> bool:
    if path.startswith(("/", "..")):
        return False
    place = folder / path
    return place.is_file() and not place.is_symlink() and place.resolve().is_relative_to(folder.resolve())


def _of_document(document: bytes, name: str, base: str) -> Iterator[Reference]:
    if base == SCHEMA:
        yield from _of_schema(document, name)
        return
    if not base.endswith((SUFFIX, ".config")):
        return
    all_tokens = list(tokens(document.decode(errors="replace")))
    for number, token in enumerate(all_tokens):
        if token.kind is TokenKind.STRING:
            if number == 0 or all_tokens[number - 1].text != "from":
                yield from _of_string(token, name)
        elif token.text == "include" and base.endswith(SUFFIX):
            yield from _of_include(all_tokens, number, name)
        elif token.text == "template" and base.endswith(SUFFIX):
            yield from _of_template(_argument(all_tokens, number), name)
        elif token.text == "includeConfig" and not base.endswith(SUFFIX):
            yield from _of_config(_argument(all_tokens, number), name)
    if base.endswith(SUFFIX) and "/" not in name:
        yield from (Reference(one, optional=True) for one in (*FILES, *(f"{folder}/" for folder in FOLDERS)))


def _of_include(all_tokens: list[Token], place: int, name: str) -> Iterator[Reference]:
    """``include { A; B as C } from './x'``, ``include A from './x'``, ``include './x'``."""
    before = all_tokens[place - 1] if place else None
    if before is not None and not (before.kind is TokenKind.MARK and before.text in "\n;{}"):
        return
    depth = all_tokens[place].depth
    source = _source_of_include(all_tokens, place)
    path = None if source is None else _path(source, name)
    if path is None or path.startswith("plugin/") or path.endswith("/"):
        return
    if path.endswith(SUFFIX):
        # One inside of a block may never be asked for.
        yield Reference(path, optional=depth > 0)
    elif _ABSOLUTE.match(path):
        yield Reference(path)
    else:
        yield Reference(f"{path}{SUFFIX}", optional=True)
        yield Reference(f"{path}/main{SUFFIX}", optional=True)


def _source_of_include(all_tokens: list[Token], place: int) -> Token | None:
    """The string that the ``include`` at that place takes from."""
    for number in range(place + 1, min(place + _MOST_TOKENS_TO_SOURCE, len(all_tokens))):
        one = all_tokens[number]
        if one.kind is TokenKind.STRING:
            return one if number == place + 1 or all_tokens[number - 1].text in ("from", "(") else None
        if one.text == "include" and one.depth == all_tokens[place].depth:
            return None
    return None


def _of_config(token: Token | None, name: str) -> Iterator[Reference]:
    path = None if token is None else _path(token, name)
    if token is not None and path is not None and path not in ("/dev/null", "") and not path.endswith("/"):
        yield Reference(path, optional=token.depth > 0)


def _of_template(token: Token | None, name: str) -> Iterator[Reference]:
    """A template lies in the folder ``templates`` beside its script, or else in the project's."""
    written = None if token is None else token.literal
    if not written or _ABSOLUTE.match(written) or not _can_be_a_path(written):
        return
    yield Reference(f"templates/{quote(written)}", optional="/" in name)
    if "/" in name:
        yield from _optional(_from_project(f"templates/{written}", name))


def _of_string(token: Token, name: str) -> Iterator[Reference]:
    """``"$projectDir/assets/x.yml"``: the file; of a pattern, or with another variable in it, the folder before.

    In the midst of a text (a task's script) a path ends where a shell's word does; at its start it may have spaces.
    """
    for number, part in enumerate(token.parts):
        if not part.code or part.text not in (*_PROJECT, *_MODULE):
            continue
        rest = _text_after(token, number)
        word = _WORD_END.split(rest, maxsplit=1)[0]
        followed = len(token.parts) > number + 2
        for text in dict.fromkeys((word, rest) if number == 0 and "\n" not in rest else (word,)):
            path = _in_folder(part.text, text, name, cut=followed and text == rest)
            if path is not None:
                yield Reference(path, optional=True)


def _path(token: Token, name: str) -> str | None:
    """The path that a string means, from the document, percent-encoded; ``None`` where it can't be told.

    It ends in ``/`` where only the folder can be told.
    """
    head = token.parts[0] if token.parts else None
    if head is not None and head.code:
        return _in_folder(head.text, _text_after(token, 0), name, cut=len(token.parts) > _WITH_TEXT)
    written = token.literal
    if not written or _ABSOLUTE.match(written):
        return written
    return quote(written) if _can_be_a_path(posixpath.normpath(written)) else None


def _text_after(token: Token, number: int) -> str:
    following = token.parts[number + 1 : number + 2]
    return following[0].text if following and not following[0].code else ""


def _in_folder(variable: str, rest: str, name: str, *, cut: bool) -> str | None:
    """The path that ``rest`` means after ``$projectDir`` or ``$moduleDir``; ``cut``: something unknown follows it."""
    if variable not in (*_PROJECT, *_MODULE) or not rest.startswith("/"):
        return None
    if cut or _GLOB.search(rest):
        rest = _GLOB.split(rest, maxsplit=1)[0].rpartition("/")[0] + "/"
    relative = posixpath.normpath(rest.strip("/") or ".")
    if not _can_be_a_path(relative):
        return None
    below = _from_project(relative, name) if variable in _PROJECT else relative
    return None if below is None else quote(below) + ("/" if rest.endswith("/") else "")


def _from_project(path: str, name: str) -> str | None:
    """A path of the project, as the document calls it; ``None`` for a document above the project.

    What the project's own folder is called is not known there.
    """
    folder = posixpath.dirname(name)
    if folder.split("/")[0] == "..":
        return None
    return posixpath.relpath(path, folder) if folder else path


def _optional(path: str | None) -> Iterator[Reference]:
    if path is not None and _can_be_a_path(path):
        yield Reference(quote(path), optional=True)


def _can_be_a_path(text: str) -> bool:
    """Whether something can be staged there (a line of a script may look like a path, and be none)."""
    try:
        safe_relative(re.sub(r"\A(\.\./)+", "", text))
    except PolicyError:
        return False
    return True


def _argument(all_tokens: list[Token], place: int) -> Token | None:
    """The string that is a word's only argument, with or without parentheses."""
    rest = all_tokens[place + 1 : place + 5]
    if rest and rest[0].is_mark("("):
        rest = rest[1:]
        ended = len(rest) > 1 and rest[1].is_mark(")")
    else:
        ended = not rest[1:] or (rest[1].kind is TokenKind.MARK and rest[1].text in "\n;}")
    return rest[0] if rest and ended and rest[0].kind is TokenKind.STRING else None


def _of_schema(document: bytes, name: str) -> Iterator[Reference]:
    """The schemas of sample sheets that a parameters' schema names; from the project's folder."""
    try:
        pending: list[Any] = [json.loads(document)]
    except (ValueError, RecursionError):
        return
    while pending:
        node = pending.pop()
        if isinstance(node, list):
            pending += node
        elif isinstance(node, dict):
            pending += node.values()
            written = node.get("schema")
            if isinstance(written, str) and written and not _ABSOLUTE.match(written):
                yield from _optional(_from_project(posixpath.normpath(written), name))
