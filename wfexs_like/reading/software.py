"""Software, people, images and quantities: what stands around what ran."""

from __future__ import annotations

import re
from typing import Final

from wfexs_like.reading.account import Agent, Image, Parameter, Quantity, Software
from wfexs_like.reading.digests import hexadecimal
from wfexs_like.reading.graph import Graph, number, scalar_text, tail
from wfexs_like.reading.metadata import Entity, values

UNITS: Final = {
    "SEC": "s",
    "MilliSEC": "ms",
    "MicroSEC": "µs",
    "NanoSEC": "ns",
    "MIN": "min",
    "HR": "h",
    "DAY": "d",
    "BYTE": "B",
    "KiloBYTE": "kB",
    "KibiBYTE": "KiB",
    "MegaBYTE": "MB",
    "MebiBYTE": "MiB",
    "GigaBYTE": "GB",
    "GibiBYTE": "GiB",
    "PERCENT": "%",
    "UNITLESS": "",
    "HZ": "Hz",
    "MegaHZ": "MHz",
    "GigaHZ": "GHz",
    "W": "W",
    "J": "J",
    "KiloW-HR": "kWh",
}
"""The signs of QUDT's units."""

PLACEHOLDERS: Final = frozenset({"not stated", "no licence stated", "unknown", "none", "n/a"})
"""Names that are none: profiles want somebody named, and who makes a crate may know nobody."""

_PULLED: Final = ("docker://", "oras://", "library://", "shub://")
_SPACE: Final = re.compile(r"\s")
_AT_DIGEST: Final = re.compile(r"@?sha256:([0-9A-Fa-f]{64})")
_VERSIONED: Final = re.compile(r"(\S.*?)(?:,? version:?)? v?([0-9]+(?:[.][0-9A-Za-z_+-]+)+)")
_LONGEST_NAME: Final = 200
_MOST_PROGRAMS: Final = 100


class Surroundings:
    """Makes software, parameters, agents, images and quantities out of entities, each once.

    ``ours`` is a crate of which each action tells the images it ran in; in others those that its tool asks for stand
    for them.
    """

    def __init__(self, graph: Graph, *, ours: bool = False) -> None:
        self.graph = graph
        self.ours = ours
        self._software: dict[str, Software] = {}
        self._parameters: dict[str, Parameter] = {}
        self._agents: dict[str, Agent | None] = {}
        self._images: dict[str, Image] = {}

    def software(self, identifier: str) -> Software:
        """A program, with its parameters and what it needs."""
        identifier = self.graph.find(identifier)
        if identifier not in self._software:
            entity = self.graph[identifier]
            inner = () if "step" in entity else ("hasPart",)
            needed = [
                one
                for one, _ in self.graph.follow(entity, "mainEntity", "softwareRequirements", *inner)
                if one != identifier and self._is_program(one)
            ]
            self._software[identifier] = self._plain(
                identifier, programs=tuple(self._plain(one) for one in needed[:_MOST_PROGRAMS])
            )
        return self._software[identifier]

    def _is_program(self, identifier: str) -> bool:
        kinds = self.graph.kinds(identifier)
        return not (is_image(identifier, kinds) or kinds & {"FormalParameter", "File", "ComputationalWorkflow"})

    def _plain(self, identifier: str, *, programs: tuple[Software, ...] = ()) -> Software:
        graph, entity = self.graph, self.graph[identifier]
        name, version = named(graph.label(identifier, entity), self._version(entity))
        addresses = [graph.text(entity, "url"), graph.text(entity, "codeRepository"), identifier]
        for one, _ in graph.follow(entity, "url"):
            addresses.insert(0, one)
        return Software(
            id=identifier,
            name=name,
            version=version,
            address=next((one for one in addresses if one and one.startswith(("http://", "https://"))), None),
            licence=self.licence(entity),
            inputs=tuple(self.parameter(one) for one, _ in graph.follow(entity, "input")),
            outputs=tuple(self.parameter(one) for one, _ in graph.follow(entity, "output")),
            programs=programs,
        )

    def licence(self, entity: Entity) -> str | None:
        """The licence's name or address."""
        licence = self.graph.text(entity, "license")
        return None if licence is None or licence.lower() in PLACEHOLDERS else licence

    def _version(self, entity: Entity) -> str | None:
        version = self.graph.text(entity, "version", "softwareVersion")
        return None if version is None or version.strip().lower() in PLACEHOLDERS else version.strip() or None

    def language(self, entity: Entity) -> tuple[str | None, str | None]:
        """Name and version of the language that a workflow is written in."""
        for identifier, language in self.graph.follow(entity, "programmingLanguage"):
            return self.graph.label(identifier, language) if language else tail(identifier), self._version(language)
        return None, None

    def parameter(self, identifier: str) -> Parameter:
        """A formal parameter."""
        identifier = self.graph.find(identifier)
        if identifier not in self._parameters:
            entity = self.graph[identifier]
            told = [one.get("@id") if isinstance(one, dict) else one for one in values(entity.get("additionalType"))]
            kinds = [tail(one) for one in told if isinstance(one, str)]
            self._parameters[identifier] = Parameter(
                id=identifier,
                name=self.graph.label(identifier, entity),
                kind=", ".join(kinds) or None,
                description=self.graph.text(entity, "description"),
                default=entity.get("defaultValue"),
                required=_truth(entity.get("valueRequired")),
                many=_truth(entity.get("multipleValues")),
            )
        return self._parameters[identifier]

    def agents(self, entity: Entity, *names: str) -> tuple[Agent, ...]:
        """The people and organizations that properties name; nobody who stands there for want of a name."""
        found = [self._agent(one) for one, _ in self.graph.follow(entity, *names)]
        return tuple(one for one in found if one is not None)

    def _agent(self, identifier: str) -> Agent | None:
        if identifier not in self._agents:
            entity = self.graph[identifier]
            given = [self.graph.text(entity, one) for one in ("givenName", "familyName")]
            name = self.graph.text(entity, "name") or " ".join(one for one in given if one)
            affiliation = self.graph.text(entity, "affiliation", "worksFor", "memberOf")
            name = name or (identifier if not entity else tail(identifier))
            self._agents[identifier] = (
                None
                if name.lower() in PLACEHOLDERS
                else Agent(
                    id=identifier,
                    name=name,
                    affiliation=None if affiliation and affiliation.lower() in PLACEHOLDERS else affiliation,
                )
            )
        return self._agents[identifier]

    def images(self, entity: Entity) -> tuple[Image, ...]:
        """The images that an action ran in."""
        found = [one for one, _ in self.graph.follow(entity, "containerImage")]
        for instrument, told in () if self.ours else self.graph.follow(entity, "instrument"):
            needed = [one for one, _ in self.graph.follow(told, "softwareRequirements", "containerImage")]
            found += [one for one in needed if not found and is_image(one, self.graph.kinds(one))]
            found += [instrument] if not found and is_image(instrument, self.graph.kinds(instrument)) else []
        return tuple(self.image(one) for one in dict.fromkeys(found))

    def all_images(self) -> tuple[Image, ...]:
        """All that the crate tells of."""
        told = self.graph.of_type("ContainerImage", "DockerImage", "SIFImage", "SoftwareApplication")
        return tuple(self.image(one) for one, _ in told if is_image(one, self.graph.kinds(one)))

    def image(self, identifier: str) -> Image:
        """A container image, told as an entity or by its name alone."""
        if identifier not in self._images:
            entity = self.graph[identifier]
            whole = not entity or identifier.startswith(_PULLED)
            name = self.graph.text(entity, "name") or _unschemed(identifier if whole else tail(identifier))
            registry, tag = self.graph.text(entity, "registry"), self.graph.text(entity, "tag")
            registry = _unschemed(registry).rstrip("/") if registry is not None else None
            # Where an image came from no registry, some say so in words.
            if registry and not _SPACE.search(registry) and not name.startswith(f"{registry}/"):
                name = f"{registry}/{name}"
            if tag is not None and not name.endswith(f":{tag}") and "@" not in name:
                name = f"{name}:{tag}"
            stated = [digest for one in values(entity.get("sha256")) if (digest := hexadecimal(one, "sha256"))]
            texts = (name[-_LONGEST_NAME:], identifier[-_LONGEST_NAME:], self._version(entity) or "")
            match = next((found for one in texts if (found := _AT_DIGEST.search(one))), None)
            kind = self.graph.text({"additionalType": _ids(entity.get("additionalType"))}, "additionalType")
            self._images[identifier] = Image(
                id=identifier,
                name=name,
                sha256=stated[0] if stated else match[1].lower() if match else None,
                kind=tail(kind) if kind else None,
            )
        return self._images[identifier]

    def quantities(self, entity: Entity, *names: str) -> tuple[Quantity, ...]:
        """The PropertyValues that properties refer to."""
        return tuple(
            self._quantity(one, told)
            for one, told in self.graph.follow(entity, *names)
            if "PropertyValue" in self.graph.kinds(one)
        )

    def _quantity(self, identifier: str, entity: Entity) -> Quantity:
        told = next(iter(values(entity.get("value"))), None)
        amount = number(told)
        units = [one.get("@id") if isinstance(one, dict) else one for one in values(entity.get("unitCode"))]
        code = next((tail(one) for one in units if isinstance(one, str) and one), None)
        return Quantity(
            name=self.graph.label(identifier, entity),
            value=amount if amount is not None else self.graph.text(entity, "value"),
            unit=(UNITS[code] or None) if code in UNITS else self.graph.text(entity, "unitText") or code,
            property_id=self.graph.text(entity, "propertyID"),
        )

    def environment(self, entity: Entity) -> dict[str, str]:
        """The environment variables of an action."""
        found: dict[str, str] = {}
        for identifier, told in self.graph.follow(entity, "environment"):
            if not told and "=" in identifier:
                name, _, text = identifier.partition("=")
                found.setdefault(name, text)
                continue
            name = self.graph.text(told, "name") or tail(identifier)
            value = next(iter(values(told.get("value"))), None)
            found.setdefault(name, scalar_text(value) or "")
        return found


def named(name: str, version: str | None) -> tuple[str, str | None]:
    """Name and version of a program, where one of them is told within the other (``cwltool 1.0.2``)."""
    if version is None:
        match = _VERSIONED.fullmatch(name) if len(name) <= _LONGEST_NAME else None
        return (match[1], match[2]) if match else (name, None)
    if name.endswith(f" {version}"):
        return name.removesuffix(version).rstrip(), version
    match = _VERSIONED.fullmatch(version) if len(version) <= _LONGEST_NAME else None
    return name, match[2] if match and match[1].lower() in name.lower() else version


def _ids(value: object) -> list[object]:
    return [one.get("@id") if isinstance(one, dict) else one for one in values(value)]


def is_image(identifier: str, kinds: frozenset[str]) -> bool:
    """Whether an entity is a container image: some are told as programs with the address to pull them by."""
    return bool(kinds & {"ContainerImage", "DockerImage", "SIFImage"}) or (
        identifier.startswith(_PULLED) and "SoftwareApplication" in kinds
    )


def _unschemed(name: str) -> str:
    for scheme in ("https://", "http://", *_PULLED):
        name = name.removeprefix(scheme)
    return name


def _truth(value: object) -> bool | None:
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value.strip().lower()) if isinstance(value, str) else None
