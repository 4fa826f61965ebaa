"""Recognising: which engine a workflow is for, as asked, by its name or by looking at it."""

from __future__ import annotations

from pathlib import Path

from engines.base import ENGINES, Engine
from staging.errors import DefinitionError, Fault
from wfexs_like.flow.work import StageWork

DEFAULT_ENGINE = "cwltool"
"""The engine of a workflow that nobody recognises."""


def load_engine(name: str) -> Engine:
    """The adapter of that name.

    Raises:
        DefinitionError: there is none.
    """
    try:
        return ENGINES.load(name)()
    except KeyError as error:
        known = ", ".join(ENGINES.names())
        raise DefinitionError(
            (Fault(file="engine", where=name, message="no such engine", hint=f"engines here: {known}"),)
        ) from error


def named_engine(work: StageWork, document: str) -> Engine | None:
    """The engine that was asked for, or else the one whose documents are called like that."""
    name = work.definition.engine.name or (work.locked.engine if work.locked else None)
    if name is not None:
        return load_engine(name)
    engines = [load_engine(one) for one in ENGINES.names()]
    return next((one for one in engines if document.endswith(one.suffixes)), None)


def recognised(work: StageWork, root: Path, entry: str | None) -> Engine:
    """The engine for a workflow that lies there: by its name, or by looking at it."""
    engine = named_engine(work, entry or "")
    if engine is not None:
        return engine
    engines = [load_engine(one) for one in ENGINES.names()]
    return next((one for one in engines if one.recognises(root, entry)), None) or load_engine(DEFAULT_ENGINE)
