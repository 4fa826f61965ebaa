"""The plan: every thing that a stage needs, pinned and fingerprinted. Its JSON is the lock file, ``stage.lock.json``.

A plan depends on the stage file and its sources alone: no time, host, user or local path of a working directory is
in it,
so the same stage file and the same sources give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import PurePosixPath
from typing import TypeAlias

from staging.definition import EngineSettings, ExpectedOutput, Limits, Scalar
from staging.errors import DefinitionError, Fault
from staging.fingerprints import Fingerprint, FingerprintError
from staging.paths import safe_relative

LOCK_SCHEMA = "wfexs-like/lock/1"

Json: TypeAlias = "Scalar | Sequence[Json] | Mapping[str, Json]"


class Role(StrEnum):
    """What an item is for."""

    WORKFLOW = "workflow"
    ENGINE = "engine"
    PLUGIN = "plugin"
    INPUT = "input"
    ENVIRONMENT = "environment"
    CONTAINER = "container"
    BLOB = "blob"


class Trust(StrEnum):
    """Why a digest is believed: somebody stated it beforehand, a lock held it, or it was seen for the first time."""

    EXPECTED = "expected"
    FIRST_USE = "first-use"
    LOCKED = "locked"


class Kind(StrEnum):
    """A file, or a folder with the tree rule of ``staging.fingerprints.Tree``."""

    FILE = "file"
    DIRECTORY = "directory"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """What an image is, beyond its manifest, whose bytes are the item itself.

    ``config`` is the digest of its config (hex): the image id that docker and podman know it by. ``layers`` are the
    digests of its layers' blobs (hex), lowest first. ``platform`` is ``os/architecture[/variant]``; ``size`` the bytes
    of manifest, config and layers together; ``labels`` the config's labels that say where it comes from.
    Source: OCI Image Format Specification 1.1, manifest.md and config.md.
    """

    config: str
    layers: tuple[str, ...]
    platform: str
    size: int
    labels: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Json]:
        """The image's entry in the lock."""
        record: dict[str, Json] = {
            "config": self.config,
            "layers": list(self.layers),
            "platform": self.platform,
            "size": self.size,
        }
        if self.labels:
            record["labels"] = dict(self.labels)
        return record


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanItem:
    """One thing: what was asked, what that means exactly, and which bytes it is.

    ``identifier`` is the text asked, ``pinned`` the one that always means the same (a commit for a git ref), ``hops``
    every identifier on the way between them (mirrors, redirects). ``size`` is in bytes. ``path`` is where it lies below
    the working directory's content, ``None`` for what lives elsewhere (an installed engine). ``trust`` is never
    ``locked`` here: a lock's bytes don't depend on having been used. ``image`` is there for a container image: its
    ``name`` is what the workflow calls it, its bytes are the manifest, and its blobs are items of their own.
    """

    role: Role
    name: str
    identifier: str
    pinned: str
    kind: Kind
    fingerprint: Fingerprint
    size: int
    trust: Trust
    path: PurePosixPath | None = None
    hops: tuple[str, ...] = ()
    licences: tuple[str, ...] = ()
    attributions: tuple[Mapping[str, object], ...] = ()
    disclosable: bool = True
    cacheable: bool = True
    clonable: bool = True
    image: ImageFacts | None = None

    def as_json(self) -> dict[str, Json]:
        """The item's entry in the lock; what has its default value is left out."""
        record: dict[str, object] = {
            "role": self.role.value,
            "name": self.name,
            "identifier": self.identifier,
            "pinned": self.pinned,
            "kind": self.kind.value,
            "size": self.size,
            "sha256": self.fingerprint.digest,
            "trust": self.trust.value,
        }
        if self.path is not None:
            record["path"] = str(self.path)
        if self.hops:
            record["hops"] = list(self.hops)
        if self.licences:
            record["licences"] = list(self.licences)
        if self.attributions:
            record["attributions"] = [dict(one) for one in self.attributions]
        if self.image is not None:
            record["image"] = self.image.as_json()
        record.update({flag: False for flag in ("disclosable", "cacheable", "clonable") if not getattr(self, flag)})
        return record  # type: ignore[return-value]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowEntry:
    """Where execution starts: ``path`` below the working directory's content, ``process`` within a CWL ``$graph``.

    ``language`` is the engine's own word for it (``cwl``, ``nextflow``), ``language_version`` what the document says.
    """

    path: PurePosixPath
    language: str
    language_version: str
    process: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The lock.

    ``parameters`` is a JSON tree in the form of a CWL job whose File and Directory objects carry ``item`` (the name of
    an input item) in place of a location, or ``outputPlace`` (a path in the run's folder of outputs) where they are no
    inputs. ``container`` is the runtime that steps run in: ``none``, one of ``wfexs_like.containers``, or ``any`` that
    the host of a run has. What a lock didn't have from the start (``settings``, an output's ``fill_from``, an item's
    ``image``) is in it only where it says something: others keep their digests.
    """

    workflow: WorkflowEntry
    engine: str
    engine_version: str
    items: tuple[PlanItem, ...]
    parameters: Mapping[str, Json]
    environment: Mapping[str, Json]
    requirements: tuple[Mapping[str, Json], ...] = ()
    outputs: tuple[ExpectedOutput, ...] = ()
    limits: Limits = field(default_factory=Limits)
    settings: EngineSettings = field(default_factory=EngineSettings)
    container: str = "none"
    writable_containers: bool = False

    def of_role(self, role: Role) -> tuple[PlanItem, ...]:
        """The items of one role, in order."""
        return tuple(item for item in self.items if item.role is role)

    @property
    def engine_fingerprint(self) -> str | None:
        """The sha256 (hex) of the engine as a whole: its first item; those after it are its files."""
        items = self.of_role(Role.ENGINE)
        return items[0].fingerprint.digest if items else None

    def as_json(self) -> dict[str, Json]:
        """The lock's content, without its digest."""
        record: dict[str, object] = {
            "schema": LOCK_SCHEMA,
            "workflow": {
                "path": str(self.workflow.path),
                "process": self.workflow.process,
                "language": self.workflow.language,
                "language_version": self.workflow.language_version,
            },
            "engine": {"name": self.engine, "version": self.engine_version},
            "container": self.container,
            "items": [item.as_json() for item in self.items],
            "parameters": self.parameters,
            "environment": self.environment,
            "requirements": list(self.requirements),
            "outputs": [_output_as_json(output) for output in self.outputs],
            "limits": {"cores": self.limits.cores, "memory": self.limits.memory, "time": self.limits.time},
        }
        if settings := settings_as_json(self.settings):
            record["settings"] = settings
        if self.writable_containers:
            record["writable_containers"] = True
        return record  # type: ignore[return-value]

    @property
    def digest(self) -> Fingerprint:
        """The sha256 of the lock's canonical text."""
        return Fingerprint.of_bytes(_compact(_in_order(self.as_json())))

    def lock_bytes(self) -> bytes:
        """The lock file: the plan with its own digest, indented for people."""
        content = _in_order({**self.as_json(), "digest": str(self.digest)})
        return (json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()

    @classmethod
    def parse(cls, text: bytes, *, file: str) -> Plan:
        """Read a lock file.

        Raises:
            DefinitionError: it is not one, or was changed by hand (its digest says so).
            PolicyError: a path in it leads out of the working directory.
        """
        try:
            record = json.loads(text, object_pairs_hook=no_key_twice)
            if not isinstance(record, dict) or record.get("schema") != LOCK_SCHEMA:
                raise ValueError(f"not a {LOCK_SCHEMA} document")
            plan = _plan_from(record)
            digest = str(plan.digest)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, FingerprintError) as error:
            reason = f"missing key {error}" if isinstance(error, KeyError) else str(error)
            raise DefinitionError(
                (Fault(file=file, where="", message=f"not a lock file: {reason}"),),
                message=f"{file} is not a lock file",
                hint="stage again to make one",
            ) from error
        for path in (plan.workflow.path, *(item.path for item in plan.items if item.path is not None)):
            safe_relative(str(path))
        # What the plan has no place for, its digest can't cover: nothing of that kind may be there.
        stated = {key: value for key, value in record.items() if key != "digest"}
        if record.get("digest") != digest or canonical(stated) != canonical(plan.as_json()):
            raise DefinitionError(
                (Fault(file=file, where="digest", message="the lock's digest is not that of its content"),),
                message=f"{file} was damaged or changed by hand: its digest does not fit its content",
                hint="stage again to make a new one",
            )
        return plan


def settings_as_json(settings: EngineSettings) -> dict[str, Json]:
    """What differs from the default."""
    said = {one.name: getattr(settings, one.name) for one in fields(settings)}
    default = EngineSettings()
    changed = {name: value for name, value in said.items() if value != getattr(default, name)}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in changed.items()}


def _settings_from(record: object) -> EngineSettings:
    if not isinstance(record, dict):
        raise TypeError("settings is not a map")
    default = EngineSettings()
    said: dict[str, object] = {}
    for name, value in record.items():
        usual = getattr(default, name)
        kind = int if usual is None else type(usual)
        texts = isinstance(value, list) and all(isinstance(one, str) for one in value)
        if type(value) is not kind and not (kind is tuple and texts):
            raise TypeError(f"the setting {name} is of the wrong type")
        said[name] = tuple(value) if kind is tuple else value
    return EngineSettings(**said)  # type: ignore[arg-type]


def _output_as_json(output: ExpectedOutput) -> dict[str, Json]:
    record: dict[str, Json] = {
        "name": output.name,
        "kind": output.kind,
        "minimum": output.minimum,
        "maximum": output.maximum,
        "preferred_name": output.preferred_name,
        "glob": output.glob,
    }
    if output.fill_from is not None:
        record["fill_from"] = output.fill_from
    return record


def canonical(value: object) -> bytes:
    """JSON with sorted keys and no white space, in UTF-8: the text that digests are made of."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def no_key_twice(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    """For ``json.loads``: a map, if none of its keys stands there twice.

    Raises:
        ValueError: one does.
    """
    record = dict(pairs)
    if len(record) != len(pairs):
        raise ValueError("a key stands there twice")
    return record


def _compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _in_order(record: Mapping[str, Json]) -> dict[str, Json]:
    """The same with sorted keys, but for the parameters' values.

    A record's fields keep the order they were written in: an expression in a workflow can see it.
    """
    ordered = json.loads(json.dumps(record, sort_keys=True))
    assert isinstance(ordered, dict)
    return {key: record[key] if key == "parameters" else value for key, value in ordered.items()}


def _item_from(record: Mapping[str, object]) -> PlanItem:
    def text(key: str) -> str:
        value = record[key]
        if not isinstance(value, str):
            raise TypeError(f"{key} is not a text")
        return value

    def texts(key: str) -> tuple[str, ...]:
        value = record.get(key, [])
        if not isinstance(value, list):
            raise TypeError(f"{key} is not a list")
        return tuple(str(one) for one in value)

    size = record["size"]
    attributions = record.get("attributions", [])
    if not isinstance(size, int) or not isinstance(attributions, list):
        raise TypeError("an item's size or attributions are of the wrong type")
    return PlanItem(
        role=Role(text("role")),
        name=text("name"),
        identifier=text("identifier"),
        pinned=text("pinned"),
        kind=Kind(text("kind")),
        fingerprint=Fingerprint.parse(text("sha256")),
        size=size,
        trust=Trust(text("trust")),
        path=PurePosixPath(text("path")) if "path" in record else None,
        hops=texts("hops"),
        licences=texts("licences"),
        attributions=tuple(attributions),
        disclosable=record.get("disclosable") is not False,
        cacheable=record.get("cacheable") is not False,
        clonable=record.get("clonable") is not False,
        image=_image_from(record.get("image")),
    )


def _image_from(record: object) -> ImageFacts | None:
    if record is None:
        return None
    if not isinstance(record, dict):
        raise TypeError("an item's image is not a map")
    size, labels, layers = record["size"], record.get("labels", {}), record["layers"]
    if type(size) is not int or not isinstance(labels, dict) or not isinstance(layers, list):
        raise TypeError("an image's size, labels or layers are of the wrong type")
    return ImageFacts(
        config=Fingerprint.parse(str(record["config"])).digest,
        layers=tuple(Fingerprint.parse(str(one)).digest for one in layers),
        platform=str(record["platform"]),
        size=size,
        labels={str(key): str(value) for key, value in labels.items()},
    )


def _plan_from(record: Mapping[str, object]) -> Plan:
    def table(key: str) -> dict[str, Json]:
        value = record[key]
        if not isinstance(value, dict):
            raise TypeError(f"{key} is not a map")
        return value

    def rows(key: str) -> list[dict[str, Json]]:
        value = record[key]
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise TypeError(f"{key} is not a list of maps")
        return value

    workflow, engine, limits = table("workflow"), table("engine"), table("limits")
    process = workflow["process"]
    return Plan(
        workflow=WorkflowEntry(
            path=PurePosixPath(str(workflow["path"])),
            process=None if process is None else str(process),
            language=str(workflow["language"]),
            language_version=str(workflow["language_version"]),
        ),
        engine=str(engine["name"]),
        engine_version=str(engine["version"]),
        container=str(record["container"]),
        items=tuple(_item_from(one) for one in rows("items")),
        parameters=table("parameters"),
        environment=table("environment"),
        requirements=tuple(rows("requirements")),
        outputs=tuple(ExpectedOutput(**one) for one in rows("outputs")),  # type: ignore[arg-type]
        limits=Limits(**limits),  # type: ignore[arg-type]
        settings=_settings_from(record.get("settings", {})),
        writable_containers=record.get("writable_containers") is True,
    )
