"""Values: from a JSON tree in CWL form to entities that fill a parameter.

Source: Workflow Run Crate 0.5, "Representing parameter values": files and folders are data entities, a file with
secondary files is a Collection, anything else a PropertyValue; a record's PropertyValue has one for each field.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from staging.plan import Json, canonical
from wfexs_like.crate.data import UNDISCLOSED, Content, DataEntities, folder_of
from wfexs_like.crate.discretion import Discretion
from wfexs_like.crate.graph import Entity, Graph, Literal, Ref, fragment
from wfexs_like.crate.story import Slot, Thing
from wfexs_like.crate.vocabulary import UNKNOWN_MEDIA_TYPE, additional_types

SHOWN = 50
"""So many things of one slot are shown to people; the metadata have all."""
_DATA_TYPES = frozenset({"PropertyValue", "DateTime", "Number", "Float", "Integer", "Text", "Date", "Boolean", "Time"})
_UNTYPED = frozenset({"PropertyValue"})
_NONE = "null"

Locate = Callable[[str, Mapping[str, Json]], Content]


@dataclass(slots=True, kw_only=True)
class Formal:
    """A FormalParameter's entity while its values are being met.

    ``literals`` are the types of plain values that were met, ``assumed`` those of its default. They tell the type of a
    parameter that declares none. ``formats_declared``: whether it says itself which formats it takes.
    """

    entity: Entity
    name: str
    declared: frozenset[str]
    has_secondary: bool
    observed: set[str] = field(default_factory=set)
    literals: set[str] = field(default_factory=set)
    assumed: frozenset[str] = frozenset()
    formats_declared: bool | None = None

    @property
    def placeholder(self) -> str:
        """The type of an entity that stands for a value that there is not."""
        if self.has_secondary:
            return "Collection"
        data = sorted(self.declared & {"File", "Dataset"})
        return "PropertyValue" if self.declared & _DATA_TYPES or not data else data[0]

    def settle(self) -> None:
        """Write ``additionalType``: what was met; what is declared when nothing was.

        A validator wants each type to fit each value, so that a type which no value has is left out.
        """
        if not self.observed:
            declared = set(self.declared) if self.declared != _UNTYPED else set(self.assumed or _UNTYPED)
            types = (declared - {"File"}) | {"Collection"} if self.has_secondary else declared
        else:
            types = self.observed - {"PropertyValue"}
            if "PropertyValue" in self.observed:
                stated = self.declared & _DATA_TYPES
                types |= stated if stated and stated != _UNTYPED else self.literals or _UNTYPED
        self.entity.set("additionalType", *sorted(types))


class Values:
    """Describes values. ``locate`` says which file or folder a CWL object means."""

    def __init__(self, graph: Graph, data: DataEntities, discretion: Discretion) -> None:
        self.graph = graph
        self.data = data
        self.discretion = discretion

    def describe(
        self, slot: str, value: Json, formal: Formal | None, locate: Locate, *, note: str | None = None, kind: str = ""
    ) -> tuple[list[Ref], Slot]:
        """The entities that fill ``slot``, each tied to its FormalParameter, and how they are told."""
        refs: list[Ref] = []
        things: list[Thing] = []
        for entity_type, ref, thing in self._members(
            slot, value, locate, grouped=formal is not None and formal.has_secondary
        ):
            refs.append(ref)
            things.append(thing if note is None else replace(thing, note=note))
            if formal is not None:
                formal.observed.add(entity_type)
                if entity_type == "PropertyValue":
                    formal.literals |= literal_types(value)
                self.graph[ref].add("exampleOfWork", Ref(formal.entity.id))
                formal.entity.add("workExample", ref)
                if entity_type != "PropertyValue":
                    self._annotate(ref, formal)
        return refs, Slot(name=slot, kind=kind, things=tuple(things[:SHOWN]), many=max(0, len(things) - SHOWN))

    def _annotate(self, ref: Ref, formal: Formal) -> None:
        """What a parameter says of its data, said of the data; and the format of the data of a parameter without."""
        told = [value for _, value in formal.entity.properties.get("description", {})]
        members = [self.graph[ref]]
        if "Collection" in members[0].types:
            members += [self.graph[str(one)] for _, one in members[0].properties.get("hasPart", {})]
        for one in members:
            if not one.has("description"):
                one.add("description", *told)
        if formal.formats_declared is None:
            formal.formats_declared = formal.entity.has("encodingFormat")
        if not formal.formats_declared:
            main = members[1] if len(members) > 1 else members[0]
            found = [one for kind, one in main.properties.get("encodingFormat", {}) if kind is Ref]
            # As text: those who make a job of the crate again take it as CWL's "format", as it stands.
            formal.entity.add("encodingFormat", *(str(one) for one in found))

    def holding(self, slot: str, value: Json, formal: Formal, locate: Locate) -> tuple[list[Ref], Slot]:
        """A PropertyValue that has files or folders for its value, as an environment variable has."""
        members = list(self._members(slot, value, locate))
        refs = [ref for _, ref, _ in members]
        mark = hashlib.sha256("\n".join(refs).encode()).hexdigest()[:16]
        entity = self.graph.add(fragment("value", slot, mark), "PropertyValue", name=slot)
        entity.add("value", *refs)
        entity.add("exampleOfWork", Ref(formal.entity.id))
        formal.entity.add("workExample", Ref(entity.id))
        formal.observed.add("PropertyValue")
        return [Ref(entity.id)], Slot(name=slot, kind="", things=tuple(thing for _, _, thing in members))

    def undisclosed(self, slot: str, formal: Formal | None) -> tuple[list[Ref], Slot]:
        """A value that must not be told."""
        return self._plain(slot, "undisclosed", formal, "not disclosed", name=f"{slot} (not disclosed)", value=None)

    def absent(self, slot: str, formal: Formal | None, why: str) -> tuple[list[Ref], Slot]:
        """No value, and why there is none. For a file or folder there is nothing to refer to."""
        if formal is not None and formal.placeholder != "PropertyValue":
            return [], Slot(name=slot, kind="", things=(Thing(text=why),))
        return self._plain(slot, "none", formal, why, name=slot, value=_NONE)

    def stand_in(self, formal: Formal, why: str, *, shared: bool = False) -> None:
        """Say of a parameter that nothing in this crate fills it, by an example that says so.

        It is ``shared`` by all parameters of that name and kind.
        """
        kind = formal.placeholder
        entity = self.graph.add(fragment("none", *([kind] if shared else []), formal.name), kind)
        entity.set("name", f"no {formal.name}").set("description", why)
        if kind == "PropertyValue":
            entity.set("name", formal.name).set("value", _NONE)
        elif kind == "File":
            entity.set("encodingFormat", UNKNOWN_MEDIA_TYPE)
        formal.observed.add(kind)
        entity.add("exampleOfWork", Ref(formal.entity.id))
        formal.entity.add("workExample", Ref(entity.id))

    def _plain(
        self, slot: str, mark: str, formal: Formal | None, why: str, *, name: str, value: str | None
    ) -> tuple[list[Ref], Slot]:
        entity = self.graph.add(fragment("value", slot, mark), "PropertyValue", name=name, value=value)
        entity.add("description", why)
        if formal is not None:
            formal.observed.add("PropertyValue")
            entity.add("exampleOfWork", Ref(formal.entity.id))
            formal.entity.add("workExample", Ref(entity.id))
        return [Ref(entity.id)], Slot(name=slot, kind="", things=(Thing(text=why),))

    def _members(
        self, slot: str, value: Json, locate: Locate, *, grouped: bool = False
    ) -> Iterator[tuple[str, Ref, Thing]]:
        """What fills a slot: one entity for a value, one for each file of an array (however nested)."""
        if isinstance(value, Mapping) and value.get("class") in ("File", "Directory"):
            yield self._file(slot, value, locate, grouped=grouped)
        elif isinstance(value, Sequence) and not isinstance(value, str) and has_files(value):
            for one in value:
                yield from self._members(slot, one, locate, grouped=grouped)
        else:
            entity_id, text = self._property(slot, slot, value, locate)
            yield "PropertyValue", entity_id, Thing(text=text)

    def _file(
        self, slot: str, value: Mapping[str, Json], locate: Locate, *, grouped: bool = False
    ) -> tuple[str, Ref, Thing]:
        """One file or folder; with secondary files, or where they are ``grouped``, a Collection."""
        content = locate(slot, value)
        if content.folder and content.item is None and content.path is None and "listing" in value:
            return self._listing(slot, value, content, locate)
        ref, thing = self.data.describe(content)
        secondary = value.get("secondaryFiles")
        beside = [one for one in secondary if isinstance(one, Mapping)] if isinstance(secondary, list | tuple) else []
        if content.folder or not (beside or grouped):
            return "Dataset" if content.folder else "File", ref, thing
        others = [self._file(slot, one, locate) for one in beside]
        parts = list(dict.fromkeys([ref, *(one for _, one, _ in others)]))
        name = f"{slot} (not disclosed)" if content.hidden else content.basename
        collection = self.data.collection(slot, parts, f"{name} with its secondary files")
        return "Collection", collection, replace(thing, beside=tuple(told for _, _, told in others))

    def _listing(
        self, slot: str, value: Mapping[str, Json], content: Content, locate: Locate
    ) -> tuple[str, Ref, Thing]:
        """A Directory that is only a list of files: a Dataset with a local identifier, which has them as parts."""
        listing = value["listing"]
        found = [
            self._file(slot, one, locate)
            for one in (listing if isinstance(listing, Sequence) else ())
            if isinstance(one, Mapping)
        ]
        parts = [ref for _, ref, _ in found]
        sizes = [thing.size for _, _, thing in found]
        size = sum(one for one in sizes if one is not None) if None not in sizes else None
        mark = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
        entity = self.graph.add(fragment("folder", slot, mark), "Dataset", name=content.basename)
        entity.add("hasPart", *parts)
        if size is not None:
            entity.set("contentSize", str(size))
        if content.sha256 is not None and not any(thing.text == UNDISCLOSED for _, _, thing in found):
            self.data.tree_digest(entity, content.sha256, None)
        else:
            content = replace(content, sha256=None)
        things = tuple(thing for _, _, thing in found)
        note = folder_of(len(parts)) + (", sha256 by the tree rule" if content.sha256 else "")
        told = Thing(text=f"{content.basename}/", note=note, sha256=content.sha256, size=size, beside=things)
        return "Dataset", Ref(entity.id), told

    def _property(self, slot: str, name: str, value: Json, locate: Locate) -> tuple[Ref, str]:
        shown = self._shown(slot, value, locate)
        entity_id = fragment("value", slot, hashlib.sha256(canonical([name, shown])).hexdigest()[:16])
        known = entity_id in self.graph
        entity = self.graph.add(entity_id, "PropertyValue", name=name)
        if isinstance(value, str) and shown != value:
            entity.add("description", "Not the very text: local names, passwords or keys in it are left out.")
        if known:
            return Ref(entity_id), _text(shown)
        if isinstance(value, Mapping):
            for key in sorted(value):
                entity.add("value", *self._field(slot, f"{name}.{key}", key, value[key], locate))
            if not value:
                entity.add("value", "{}")
        else:
            entity.add("value", *_literals(shown))
        return Ref(entity_id), _text(shown)

    def _field(self, slot: str, name: str, key: str, value: Json, locate: Locate) -> list[Ref]:
        """A record's field: a PropertyValue of its own; its files are data entities below it."""
        if not has_files(value) or (isinstance(value, Mapping) and "class" not in value):
            return [self._property(slot, name, value, locate)[0]]
        refs = [ref for _, ref, _ in self._members(slot, value, locate)]
        mark = hashlib.sha256("\n".join(refs).encode()).hexdigest()[:16]
        entity = self.graph.add(fragment("value", slot, key, mark), "PropertyValue", name=name)
        entity.add("value", *refs)
        return [Ref(entity.id)]

    def files_of(self, ref: Ref) -> list[Ref]:
        """The data entities below a record's PropertyValue."""
        found: list[Ref] = []
        entity = self.graph[ref]
        if "PropertyValue" in entity.types:
            for kind, one in entity.properties.get("value", {}):
                if kind is Ref:
                    inner = self.graph[str(one)]
                    found += self.files_of(Ref(inner.id)) if "PropertyValue" in inner.types else [Ref(inner.id)]
        return found

    def _shown(self, slot: str, value: Json, locate: Locate) -> Json:
        """The value with local names out of its texts, and of its files only the names."""
        if isinstance(value, str):
            return self.discretion.value(value)
        if isinstance(value, Mapping):
            if value.get("class") in ("File", "Directory"):
                content = locate(slot, value)
                return "not disclosed" if content.hidden else content.basename
            return {key: self._shown(slot, one, locate) for key, one in value.items()}
        if isinstance(value, Sequence):
            return [self._shown(slot, one, locate) for one in value]
        return value if not isinstance(value, float) or math.isfinite(value) else str(value)


def formal_parameter(entity: Entity, name: str, cwl_type: Json, *, secondary: bool) -> Formal:
    """Begin a FormalParameter: what its CWL type says."""
    types, many = additional_types(cwl_type)
    entity.set("multipleValues", many)
    return Formal(entity=entity, name=name, declared=frozenset(types), has_secondary=secondary and "File" in types)


def default_text(value: Json, discretion: Discretion) -> Literal | None:
    """A default as a literal; a file's is its name."""
    if isinstance(value, Mapping) and value.get("class") in ("File", "Directory"):
        for key in ("basename", "location", "path"):
            if isinstance(stated := value.get(key), str) and stated:
                return stated.rstrip("/").rpartition("/")[2]
        return str(value["class"])
    if isinstance(value, str):
        return discretion.value(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return discretion.value(canonical(value).decode())


def told_by_program(value: Json, discretion: Discretion) -> Json:
    """A value that a program made up: no absolute path in its texts is the user's own."""
    if isinstance(value, str):
        return discretion.text(value)
    if isinstance(value, Mapping):
        if value.get("class") in ("File", "Directory"):
            return value
        return {key: told_by_program(one, discretion) for key, one in value.items()}
    return [told_by_program(one, discretion) for one in value] if isinstance(value, list | tuple) else value


def literal_types(value: Json) -> frozenset[str]:
    """What ``additionalType`` says of a plain value; nothing of a null."""
    if value is None:
        return frozenset()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return frozenset(one for member in value for one in literal_types(member))
    kinds = ((bool, "Boolean"), (int, "Integer"), (float, "Float"), (str, "Text"))
    return frozenset({next((name for kind, name in kinds if isinstance(value, kind)), "PropertyValue")})


def without_places(value: Json, outputs: str | None = None) -> Json:
    """The value with the text of its place for each place that is kept for an output: nothing lies there beforehand.

    ``outputs`` is the run's folder of outputs, for values that a run recorded.
    """
    if isinstance(value, Mapping):
        if value.get("class") in ("File", "Directory"):
            if "outputPlace" in value:
                return str(value["outputPlace"])
            path = value.get("path")
            if outputs is not None and isinstance(path, str) and f"{path}/".startswith(f"{outputs}/"):
                return path.removeprefix(outputs).strip("/") or "."
            return value
        return {key: without_places(one, outputs) for key, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [without_places(one, outputs) for one in value]
    return value


def _literals(value: Json) -> list[Literal]:
    """As values of a property: a flat list of two or more different scalars as itself, the rest as JSON text."""
    if value is None:
        return [_NONE]
    if isinstance(value, Sequence) and not isinstance(value, str):
        scalars = [one for one in value if isinstance(one, str | int | float)]
        if len(scalars) == len(value) == len({(type(one), one) for one in scalars}) and value:
            return list(scalars)
        return [canonical(value).decode()]
    if isinstance(value, Mapping):
        return [canonical(value).decode()]
    return [value]


def _text(value: Json) -> str:
    return value if isinstance(value, str) else canonical(value).decode()


def has_files(value: Json) -> bool:
    """Whether a File or a Directory is in the value."""
    if isinstance(value, Mapping):
        return value.get("class") in ("File", "Directory") or any(has_files(one) for one in value.values())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return any(has_files(one) for one in value)
    return False
