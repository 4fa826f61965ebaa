"""An account: what a crate tells of its workflow, of what ran and of the data, whoever made the crate.

Only what is told: nothing is believed, and what isn't told is ``None`` or empty. ``verify`` is what checks bytes.
Times are aware datetimes; a time without a zone is taken as UTC, and ``remarks`` say so.
Source: Workflow Run RO-Crate 0.1 to 0.6 (Process, Workflow and Provenance Run Crate), RO-Crate 1.0 to 1.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

ItemKind = Literal["file", "folder", "collection", "value", "other"]
Status = Literal["completed", "failed", "active", "potential", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One piece of data or one value.

    ``name`` is what to call it (a file's own name, which ``alternateName`` tells where it was renamed). ``path`` is
    where its bytes lie in the crate, as it is told; ``present`` whether they are there. ``address`` is where else it
    is. ``value`` is a parameter's own (JSON). ``digests`` are in hexadecimal by algorithm (``sha256``; ``tree-sha256``
    of a whole folder, where we made it). ``size`` is in bytes. ``slots`` are the ids of the parameters it fills.
    ``parts`` are what a folder or collection is made of, the main one first; nothing is a part of itself. Items are
    shared: one that is in many places is one object, and whoever walks through parts remembers ids.
    """

    id: str
    kind: ItemKind
    name: str
    path: str | None = None
    present: bool = False
    address: str | None = None
    value: Any = None
    digests: Mapping[str, str] = field(default_factory=dict)
    size: int | None = None
    media_type: str | None = None
    sealed: bool = False
    slots: tuple[str, ...] = ()
    parts: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A formal parameter of a workflow or a tool; ``kind`` is its additionalType (File, Text, Integer, …)."""

    id: str
    name: str
    kind: str | None = None
    description: str | None = None
    default: Any = None
    required: bool | None = None
    many: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A parameter with what filled it in one execution. ``parameter`` is ``None`` where nobody says which one.

    Then ``name`` is empty, and the items are all that nobody says it of.
    """

    name: str
    parameter: Parameter | None
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A container image: ``name`` as it would be pulled (``registry/name:tag``), ``sha256`` of its manifest."""

    id: str
    name: str
    sha256: str | None = None
    kind: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """Something counted or measured, or a fact of a host: ``unit`` is a short sign (s, B, %) where it is known."""

    name: str
    value: Any
    unit: str | None = None
    property_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Software:
    """A tool, an engine, a workflow's own program.

    ``programs`` are those that a tool wraps and all that it needs, each with its version where that is told.
    """

    id: str
    name: str
    version: str | None = None
    address: str | None = None
    licence: str | None = None
    inputs: tuple[Parameter, ...] = ()
    outputs: tuple[Parameter, ...] = ()
    programs: tuple[Software, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """A person or an organization."""

    id: str
    name: str
    affiliation: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One execution of a tool or of a workflow (CreateAction, ActivateAction, UpdateAction).

    ``seconds`` are between its two times. ``command`` is its command line where that is told. ``exit_code`` is told by
    few. ``error`` is the crate's own text. ``logs`` are files about it.
    """

    id: str
    name: str
    status: Status
    instrument: Software | None = None
    started: datetime | None = None
    ended: datetime | None = None
    seconds: float | None = None
    error: str | None = None
    command: str | None = None
    exit_code: int | None = None
    agents: tuple[Agent, ...] = ()
    inputs: tuple[Slot, ...] = ()
    outputs: tuple[Slot, ...] = ()
    images: tuple[Image, ...] = ()
    resources: tuple[Quantity, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    logs: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRun:
    """One attempt at one step of a run.

    ``step`` is its name as the workflow tells it, with those of the sub-workflows it is in (``align/sort``),
    ``position`` its place among the steps.
    """

    step: str
    position: int | None
    execution: Execution


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of the workflow, or, in a crate without a workflow, one execution. ``number`` is that in a crate of ours.

    ``steps`` are in the order in which they began. ``host`` are the facts told of the machine.
    """

    execution: Execution
    number: int | None = None
    engine: Software | None = None
    steps: tuple[StepRun, ...] = ()
    host: tuple[Quantity, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step as the workflow plans it; ``tool`` is what it runs."""

    id: str
    name: str
    position: int | None = None
    tool: Software | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A link between two parameters, by their ids."""

    source: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """The main workflow. ``document`` is its file; ``language`` its ComputerLanguage, ``source`` where it was had.

    ``examples`` are what the crate has for its inputs, whoever was given it: in a prospective crate what it is staged
    with.
    ``steps`` and ``connections`` are those of its sub-workflows as well; a sub-workflow's steps have names like
    ``align/sort``.
    """

    software: Software
    document: Item | None = None
    language: str | None = None
    language_version: str | None = None
    source: str | None = None
    examples: tuple[Slot, ...] = ()
    steps: tuple[Step, ...] = ()
    connections: tuple[Connection, ...] = ()
    diagram: Item | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The whole.

    ``maker`` is the program that wrote the crate, where it says so. ``profiles`` are what it says it conforms to.
    ``data`` are all data entities. ``missing`` name, one sentence each, what a reader would look for and isn't told
    (no times, no digests, no engine, …) and what is told and isn't there (a file that isn't in the crate, a reference
    to nothing). ``remarks`` are what had to be guessed.
    """

    name: str | None
    description: str | None = None
    published: str | None = None
    licence: str | None = None
    maker: str | None = None
    people: tuple[Agent, ...] = ()
    profiles: tuple[str, ...] = ()
    workflow: Workflow | None = None
    runs: tuple[Run, ...] = ()
    images: tuple[Image, ...] = ()
    data: tuple[Item, ...] = ()
    missing: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
