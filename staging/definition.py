"""The stage definition: what a user asked for, parsed once and trusted from then on.

The text forms (WfExS's grammar, our keys, CWL job objects) are read by ``staging.loading``; nothing in here reads a
file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal, TypeAlias

from staging.fingerprints import Fingerprint
from staging.identifiers import Identifier

Scalar: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One content and the places where it is to be had: ``mirrors`` are tried in turn.

    ``size`` is in bytes. ``sha1`` is what a CWL job states; it is checked, but attests nothing. ``where`` is the path
    into the stage file, for messages.
    """

    mirrors: tuple[Identifier, ...]
    sha256: Fingerprint | None = None
    size: int | None = None
    sha1: str | None = None
    licences: tuple[str, ...] = ()
    attributions: tuple[Mapping[str, object], ...] = ()
    security_context: str | None = None
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileValue:
    """A file: fetched from ``source``, or made from ``contents`` (``""`` for an empty file).

    ``basename`` is the name it is staged under (``None``: from its identifier). ``relative_dir`` is a folder below its
    own place among the inputs. ``format`` is an IRI (CWL ``format``).
    """

    source: Source | None = None
    contents: str | None = None
    basename: str | None = None
    relative_dir: str | None = None
    format: str | None = None
    secondary: tuple[FileValue | DirectoryValue, ...] = ()
    disclosable: bool = True
    cacheable: bool = True
    clonable: bool = True
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryValue:
    """A folder: fetched from ``source``, or made of ``listing`` (CWL ``listing``)."""

    source: Source | None = None
    listing: tuple[FileValue | DirectoryValue, ...] | None = None
    basename: str | None = None
    relative_dir: str | None = None
    disclosable: bool = True
    cacheable: bool = True
    clonable: bool = True
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputPlace:
    """No input but a place for what the workflow makes (WfExS ``autoFill``): the parameter gets its path.

    ``path`` is relative to the run's folder of outputs; ``.`` is that folder itself.
    """

    kind: Literal["File", "Directory"]
    path: PurePosixPath
    where: str = ""


Value: TypeAlias = "Scalar | FileValue | DirectoryValue | OutputPlace | tuple[Value, ...] | Mapping[str, Value]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """One top-level parameter; ``where``, ``line`` and ``column`` are its place in the document ``file``."""

    name: str
    value: Value
    file: str = ""
    where: str = ""
    line: int | None = None
    column: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedOutput:
    """An output the user counts on. ``minimum`` and ``maximum`` (``None``: no limit) bound how many there must be.

    ``where``, ``line`` and ``column`` are its place in the stage file; a lock doesn't hold them. ``preferred_name`` is
    what the output is called when the run is over. ``glob`` is a pattern for paths in the run's folder of outputs;
    ``fill_from`` names the parameter that has the output's place (an ``OutputPlace``).
    """

    name: str
    kind: Literal["File", "Directory", "Value"] = "File"
    minimum: int = 1
    maximum: int | None = 1
    preferred_name: str | None = None
    glob: str | None = None
    fill_from: str | None = None
    where: str = ""
    line: int | None = None
    column: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineWish:
    """Which engine was asked for: ``cwltool@3.1.2024...`` has a name and a version; either may be left open."""

    name: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """What a run asks of its engine beyond the version; so far all of it is Nextflow's.

    ``profiles`` are configuration profiles. ``max_cpus`` bounds the cores that all tasks use together,
    ``max_processes`` how many run at once, ``max_cpus_per_process`` the cores of one; ``max_task_duration`` is in
    seconds; ``max_retries`` is how often a task that failed is tried again. ``lists_as_text``: a list parameter is
    handed over as one text with commas. ``ignore_unknown``: parameters that the workflow doesn't know are let through.
    ``secrets`` are names in the user's own Nextflow secrets store.
    """

    profiles: tuple[str, ...] = ()
    max_cpus: int | None = None
    max_processes: int | None = None
    max_cpus_per_process: int | None = None
    max_task_duration: int | None = None
    max_retries: int | None = None
    lists_as_text: bool = False
    ignore_unknown: bool = False
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageWish:
    """A container image as the stage file asks for it.

    ``name`` is what the workflow calls it (``quay.io/biocontainers/samtools:1.17``). ``source`` is the reference to
    fetch where that is another one, ``digest`` the sha256 (hex) of its manifest or index where stated, ``platform``
    ``os/architecture[/variant]`` where it is not this machine's.
    """

    name: str
    source: str | None = None
    digest: str | None = None
    platform: str | None = None
    where: str = ""
    line: int | None = None
    column: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a run may use at most. ``cores`` is a count, ``memory`` bytes, ``time`` seconds; ``None``: no limit."""

    cores: int | None = None
    memory: int | None = None
    time: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StageDefinition:
    """All that one stage file (with its ``params-from``) says.

    ``base`` is the folder that relative identifiers are read from; it is not part of what was asked.
    ``requirements`` are CWL ones that the parameters carried (``cwl:requirements``). ``job_file`` and ``job_text`` are
    the name and the text of the document that ``params-from`` names. ``container`` is the runtime (``apptainer`` for
    singularity), ``None`` where nothing is said; ``writable_containers``: their root file systems can be written to.
    ``vault`` is the kind of encryption of the working directory, ``plain`` for none, ``None`` where nothing is said.
    ``seal_for`` are public keys, or their files, that sealed crates are for.
    """

    workflow: Source
    base: Path
    file: str
    text: str
    nickname: str | None = None
    engine: EngineWish = field(default_factory=EngineWish)
    container: str | None = None
    images: tuple[ImageWish, ...] = ()
    writable_containers: bool = False
    vault: str | None = None
    seal_for: tuple[str, ...] = ()
    params: tuple[Param, ...] = ()
    requirements: tuple[Mapping[str, object], ...] = ()
    environment: tuple[Param, ...] = ()
    outputs: tuple[ExpectedOutput, ...] = ()
    limits: Limits = field(default_factory=Limits)
    settings: EngineSettings = field(default_factory=EngineSettings)
    licence: str | None = None
    title: str | None = None
    description: str | None = None
    authors: tuple[Mapping[str, object], ...] = ()
    job_file: str | None = None
    job_text: str | None = None
