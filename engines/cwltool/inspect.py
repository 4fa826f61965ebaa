"""Inspection: what a workflow's documents say, read by cwltool in a child so that a hostile one can't hurt us."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from engines.base import InstalledEngine, WorkflowInterface
from engines.cwltool.child_process import child_argv, common_request
from engines.interface import interface_from_json
from engines.isolation import Isolation
from engines.launcher import Ending, Errand, last_words, run_errand
from staging.errors import DefinitionError, EngineError, Fault, PolicyError
from staging.paths import safe_join

_SUFFIXES = (".cwl", ".cwl.yml", ".cwl.yaml", ".cwl.json")
_NAMES = ("main.cwl", "workflow.cwl", "Main.cwl", "Workflow.cwl")
_TIME_LIMIT = 120.0
_WORDS = 2000


def locate(root: Path, entry: str | None) -> tuple[Path, PurePosixPath, str | None]:
    """The workflow's folder, its document there, and the process within it (``None``: the document's own).

    ``entry`` is a path within ``root``, percent-encoded where needed, with ``#process`` if one is meant. Without it a
    folder must hold one document that is clearly meant.

    Raises:
        DefinitionError: there is no such document, or no telling which.
    """
    path, _, process = (entry or "").partition("#")
    process_name = unquote(process) or None
    if not root.is_dir():
        # The whole workflow is one file; its folder may hold other things.
        if path and unquote(path) != root.name:
            raise _no_entry(root.name, f"the workflow is the file {root.name!r}, it has no {unquote(path)!r} in it")
        return root.parent, PurePosixPath(root.name), process_name
    if path:
        for text in dict.fromkeys((unquote(path), path)):
            try:
                if safe_join(root, text.strip("/")).is_file():
                    return root, PurePosixPath(text.strip("/")), process_name
            except PolicyError as error:
                raise _no_entry(text, error.message) from error
        folder = safe_join(root, unquote(path).strip("/"))
        if not folder.is_dir():
            raise _no_entry(unquote(path), f"the workflow has no file {unquote(path)!r}", _candidates(root))
        found = _the_document(folder)
        return root, PurePosixPath(unquote(path).strip("/")) / found, process_name
    return root, PurePosixPath(_the_document(root)), process_name


def recognises(root: Path, entry: str | None) -> bool:
    """Whether the workflow is written in CWL: by its file's name, or else by what is in it."""
    try:
        folder, document, _ = locate(root, entry)
    except DefinitionError:
        return bool(_candidates(root)) if root.is_dir() and not entry else False
    if document.name.endswith(_SUFFIXES):
        return True
    with (folder / document).open("rb") as stream:
        return re.search(rb"^\s*[\"']?cwlVersion[\"']?\s*:", stream.read(1 << 16), re.MULTILINE) is not None


def inspect(root: Path, entry: str | None, engine: InstalledEngine) -> WorkflowInterface:
    """The workflow's interface.

    Raises:
        DefinitionError: it is not valid; cwltool's own words, shortened.
        EngineError: cwltool could not be started, or broke.
    """
    folder, document, process = locate(root, entry)
    folder = folder.absolute()

    def request(_isolation: Isolation) -> dict[str, object]:
        return {
            **common_request(engine),
            "verb": "inspect",
            "root": str(folder),
            "entry": str(document),
            "process": process,
        }

    answers: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="wfexs-like-") as scratch:
        log = Path(scratch, "log")
        outcome = run_errand(
            Errand(
                argv=child_argv(engine),
                request=request,
                log=log,
                mark=os.urandom(16).hex(),
                environment={"HOME": scratch, "TMPDIR": scratch},
                cwd=folder,
                time_limit=_TIME_LIMIT,
            ),
            started=lambda _: None,
            heard=answers.append,
        )
        words = last_words(log)
    if outcome.ending is Ending.CANCELLED:
        raise KeyboardInterrupt
    answer = answers[-1] if answers else {}
    if answer.get("event") == "interface":
        return interface_from_json(answer["interface"])
    if answer.get("event") == "invalid":
        raise _invalid(str(document), shorten(str(answer["message"]), folder))
    if outcome.ending is Ending.TIMEOUT:
        raise _invalid(str(document), f"cwltool did not understand it within {_TIME_LIMIT:.0f} seconds")
    reason = answer.get("message") or (words[-1] if words else f"it ended with {outcome.code}")
    raise EngineError(f"cwltool could not read the workflow: {reason}", where=str(document))


def shorten(message: str, root: Path) -> str:
    """The words of cwltool without the places where we happen to keep things, and not longer than anybody reads."""
    for prefix in (f"file://{root}/", f"{root}/"):
        message = message.replace(prefix, "")
    quoted = Path(root).as_uri()
    message = message.replace(f"{quoted}/", "").replace(quoted, ".").replace(str(root), ".")
    lines = [re.sub(r"\s+", " ", line).strip() for line in message.splitlines()]
    text = "; ".join(line for line in lines if line and line != "*").replace(":;", ":")
    return text if len(text) <= _WORDS else f"{text[:_WORDS]}..."


def _the_document(folder: Path) -> str:
    """The one document of a folder that is clearly meant."""
    here = sorted(one.name for one in folder.iterdir() if one.name.endswith(_SUFFIXES) and one.is_file())
    for name in _NAMES:
        if name in here:
            return name
    if len(here) == 1:
        return here[0]
    candidates = here or _candidates(folder)
    what = "several CWL documents" if candidates else "no CWL document"
    raise _no_entry(folder.name, f"the workflow's folder has {what}, and none was named", candidates)


def _candidates(root: Path) -> list[str]:
    found = [path for suffix in _SUFFIXES for path in root.rglob(f"*{suffix}") if path.is_file()]
    return sorted({str(path.relative_to(root)) for path in found})[:10]


def _no_entry(where: str, message: str, candidates: list[str] | None = None) -> DefinitionError:
    hint = f"name one of: {', '.join(candidates)}" if candidates else "name its main document"
    return DefinitionError((Fault(file=where, where="", message=message, hint=hint),), message=message, hint=hint)


def _invalid(document: str, message: str) -> DefinitionError:
    return DefinitionError(
        (Fault(file=document, where="", message=message),),
        message=f"{document} is not a valid workflow: {message}",
        hint="the documents of a workflow are staged together, none is fetched from the web"
        if re.search(r"\bhttps?://[^ ]*'?$|is not part of the staged", message)
        else "cwltool --validate says more",
    )
