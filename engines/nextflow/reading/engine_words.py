"""The engine's words on what is wrong with a workflow, turned into faults of the workflow's own files.

What the engine says is meant for who knows its insides: generated class names, Java's exceptions, everything twice.
What counts is the file, the place and the compiler's own sentence.
Source: the messages of Nextflow 22.10.7 and 24.10.0.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from engines.nextflow.reading.manifest import CONFIG, SUFFIX
from staging.errors import DefinitionError, Fault

_LONGEST = 600
_MOST_FAULTS = 20
_MOST_FILES = 2000
_LARGEST = 1 << 20
_IN_CONFIG = re.compile(r"Unable to parse config file: '([^'\n]*)'\s*")
_IN_SCRIPT = re.compile(r"Unable to read script: '([^'\n]*)' -- cause: |- file : ([^\n]*)\n- cause: ")
_PLACED = re.compile(
    r"(?:^|\n)(?:- cause: |(?P<source>[^\n]*?): \d+: )?(?P<message>[^\n]+?)\s*"
    r"@ line (?P<line>\d{1,7}), column (?P<column>\d{1,7})\.(?:\n[ \t]{1,3}(?P<quoted>[^\n]*))?"
)
_NO_MODULE = re.compile(r"Can't find a matching module file for include: (\S+)|No such file or directory: (\S+)")
_NO_COMPONENT = re.compile(r"Cannot find a component with name '([^']*)' in module: (\S+)\s*")
_NO_CONFIG = re.compile(r"Config file does not exist: (\S+)")
_GENERATED = re.compile(r"(?:/groovy/script/)?\bScript_?[0-9A-Fa-f]{8,}\b(?:/_nf_config_\w+)?|\b_nf_config_\w+")
_EXCEPTION = re.compile(r"\b(?:\w+\.)*[A-Z]\w*(?:Exception|Error)\b:?\s*")
_PACKAGE = re.compile(r"\b(?:[a-z]\w*\.){2,}(?=[A-Z])")
_NOISE = re.compile(
    r"Module compilation error|startup failed:|Compile failed for sources [^\n]*|\d+ errors?|[\s^]*"
    r"|Possible solutions: .*|NOTE: If this is the beginning of a process .*"
)
_UNEXPECTED = re.compile(r"[Uu]nexpected (?:input|character|token)|expecting ")
_UNCLOSED = "near it something is missing, or not closed: a bracket, a quote, a comma"
_UNSET = re.compile(r"No signature of method: (?:\w+\.)*ConfigObject\.(\w+)\(\) is applicable .*")


def invalid(words: str, folder: Path, script: PurePosixPath, version: str, place: object = None) -> DefinitionError:
    """The error for a workflow that the engine can't read. ``folder`` is where it lies, ``script`` its main script.

    ``place`` is where the engine was when it gave up, where it can tell: the file's path and the line.
    """
    faults = tuple(_faults(words, folder, script, told_place(place, folder)))[:_MOST_FAULTS]
    return DefinitionError(
        faults,
        message=str(faults[0]) if len(faults) == 1 else None,
        hint=f"this is how Nextflow {version} reads it: mend the workflow, or ask for the version of Nextflow that it "
        "was written for",
    )


def sentence(words: str, folder: Path) -> str:
    """What the engine says in one line, without the insides of the engine and the place where we keep the workflow."""
    text = _EXCEPTION.sub("", _GENERATED.sub("", _relative(words, folder)))
    lines = [re.sub(r"\s+", " ", one).strip(" ;") for one in text.splitlines()]
    told = [_UNSET.sub(r"a name that is set nowhere is used as a value (\1)", one) for one in lines]
    kept = [_PACKAGE.sub("", one) for one in told if one and not _NOISE.fullmatch(one)]
    joined = "; ".join(dict.fromkeys(kept)) or "it can't be read"
    return joined if len(joined) <= _LONGEST else f"{joined[:_LONGEST]}..."


def _faults(words: str, folder: Path, script: PurePosixPath, place: tuple[str, int] | None) -> Iterator[Fault]:
    text = _relative(words, folder)
    config, module = _IN_CONFIG.search(text), _IN_SCRIPT.search(text)
    named = config.group(1) if config else (module.group(1) or module.group(2)) if module else ""
    file = posixpath.normpath(named) if named else str(script)
    placed = list(_PLACED.finditer(text))
    seen: set[tuple[int, int]] = set()
    for one in placed:
        position = int(one["line"]), int(one["column"])
        if position not in seen:
            seen.add(position)
            yield Fault(
                file=_file_of(one, file, folder),
                where="",
                message=sentence(one["message"], folder),
                line=position[0],
                column=position[1],
                hint=_UNCLOSED if _UNEXPECTED.match(one["message"]) else None,
            )
    if placed:
        return
    rest = _IN_SCRIPT.sub("", _IN_CONFIG.sub("", text))
    yield _included(rest, folder, file) or _told(rest, folder, file, place)


def _told(text: str, folder: Path, file: str, place: tuple[str, int] | None) -> Fault:
    at, line = place if place is not None else (file, None)
    return Fault(file=at, where="", message=sentence(text, folder), line=line)


def _included(text: str, folder: Path, file: str) -> Fault | None:
    """The fault of an include that leads nowhere, at the line that has it."""
    if (match := _NO_MODULE.search(text)) is not None:
        wanted = match.group(1) or match.group(2)
        at, line = _mentioned(folder, wanted, file, "include")
        return Fault(
            file=at, where="", line=line, message=f"it includes {wanted!r}, and the workflow has no such script"
        )
    if (match := _NO_COMPONENT.search(text)) is not None:
        name, module = match.group(1), posixpath.normpath(match.group(2))
        at, line = _mentioned(folder, posixpath.basename(module).removesuffix(SUFFIX), file, "include", name)
        near = re.findall(r"^ +(\S+) *$", text[match.end() :], re.MULTILINE)
        hint = f"did you mean {' or '.join(near)}?" if near else None
        message = f"it includes {name!r} from {module}, which has no such process, workflow or function"
        return Fault(file=at, where="", line=line, message=message, hint=hint)
    if (match := _NO_CONFIG.search(text)) is not None:
        wanted = match.group(1)
        at, line = _mentioned(folder, posixpath.basename(wanted), file, "includeConfig")
        message = f"it includes the configuration {wanted!r}, which the workflow does not have"
        return Fault(file=at, where="", line=line, message=message)
    return None


def _file_of(one: re.Match[str], file: str, folder: Path) -> str:
    """The file in which a compiler found something: the one that it names, or the one that has the line it quotes."""
    source = posixpath.normpath((one["source"] or "").strip() or ".")
    if source.endswith((SUFFIX, ".groovy", ".config")) and not source.startswith(("/", "..")):
        return source
    quoted, number = (one["quoted"] or "").strip(), int(one["line"])
    if not quoted or _has_line(folder / file, number, quoted):
        return file
    suffix = posixpath.splitext(file)[1]
    return next((path for path in _files(folder, suffix) if _has_line(folder / path, number, quoted)), file)


def _has_line(path: Path, number: int, text: str) -> bool:
    lines = _lines(path)
    return number <= len(lines) and lines[number - 1].strip() == text


def _mentioned(folder: Path, text: str, file: str, *words: str) -> tuple[str, int | None]:
    """The first line that has the text and all of the words: in the file, or else in any of its kind."""
    suffix = posixpath.splitext(file)[1]
    for path in (file, *_files(folder, suffix)):
        for number, line in enumerate(_lines(folder / path), 1):
            bare = line.strip()
            if text in bare and all(one in bare for one in words) and not bare.startswith(("//", "*")):
                return path, number
    return file, None


def _files(folder: Path, suffix: str) -> list[str]:
    found: list[str] = []
    for top, folders, names in os.walk(folder):
        folders[:] = sorted(one for one in folders if not one.startswith("."))
        found += [str((Path(top) / one).relative_to(folder)) for one in sorted(names) if one.endswith(suffix)]
        if len(found) > _MOST_FILES:
            break
    return sorted(found[:_MOST_FILES], key=lambda one: (one != CONFIG, one.count("/"), one))


def _lines(path: Path) -> list[str]:
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            return []
        return path.read_text(encoding="utf-8", errors="replace").split("\n")
    except (OSError, ValueError):
        return []


def told_place(place: object, folder: Path) -> tuple[str, int] | None:
    """The file (from ``folder``) and the line that the probe tells, if it does."""
    if not isinstance(place, dict) or not isinstance(place.get("file"), str) or not isinstance(place.get("line"), int):
        return None
    path = Path(place["file"])
    return (str(path.relative_to(folder)), place["line"]) if path.is_relative_to(folder) else None


def _relative(words: str, folder: Path) -> str:
    return words.replace(f"{folder}/", "").replace(str(folder), ".")
