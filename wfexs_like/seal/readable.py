"""The readable side of a sealed crate: metadata that anybody may see, made of the plain crate's.

===========  =========================================================================================================
``full``     all that the plain metadata say; each file by its sealed form, with the digest and size of the plaintext
``minimal``  name, licence, dates, people, the workflow's identity and the software; no value, file name or size
``sealed``   that it is a sealed crate, its date and licence
===========  =========================================================================================================

Each says by key fingerprint who may open it. Recipients' labels are told to those alone who may open it.

Source: RO-Crate 1.1, "Data Entities" (encodingFormat by a web page); schema.org DigitalDocumentPermission and
encodesCreativeWork.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias
from urllib.parse import unquote

from wfexs_like.crate.exporters import Level
from wfexs_like.crate.generations import Generation, generation_of
from wfexs_like.crate.graph import METADATA, ROOT, path_id
from wfexs_like.seal.manifests import SEALED_MANIFEST, SUFFIX
from wfexs_like.seal.naming import BODY_DIGEST, MANIFEST, SIGNATURE, TREE_RULE
from wfexs_like.seal.sealing_crates import SealedFile

SPECIFICATION: Final = "https://samtools.github.io/hts-specs/crypt4gh.pdf"
README: Final = "README.md"
PREVIEW: Final = "ro-crate-preview.html"
READABLE: Final = frozenset({METADATA, README, PREVIEW, MANIFEST, SIGNATURE})
"""The files of a sealed crate that are not sealed."""
PERMISSION: Final = "hasDigitalDocumentPermission"
MEDIA_TYPE: Final = "application/octet-stream"
_MAY_OPEN: Final = "#may-open/"
_PLAIN: Final = "#plain/"
_PERSON: Final = ("name", "affiliation", "url")
_SOFTWARE: Final = ("name", "softwareVersion", "version", "url", "identifier")
_WORKFLOW: Final = ("name", "version", "identifier", "codeRepository", "programmingLanguage")
_LANGUAGE: Final = ("name", "alternateName", "identifier", "url", "version")
_RUN: Final = ("startTime", "endTime", "actionStatus", "agent")
_SEALED: Final = "The files of this crate are sealed with crypt4gh; README.md says how those who may can open them."

Entity: TypeAlias = dict[str, Any]


def readable_metadata(
    level: Level, plain: bytes, sealed: Mapping[str, SealedFile], fingerprints: Sequence[str], readme: bytes
) -> bytes:
    """The text of the readable metadata; ``sealed`` are the sealed files by their plain path."""
    document = json.loads(plain)
    entities: dict[str, Entity] = {one["@id"]: one for one in document["@graph"]}
    generation = generation_of(document["@context"])
    context: Any = generation.context
    if level == "full":
        context = document["@context"]
        entities = _full(entities, sealed)
    else:
        entities = _little(entities, generation, told=level == "minimal")
        for one in sealed.values():
            entity = _described(one, name=f"sealed file {one.place.rpartition('/')[2].removesuffix(SUFFIX)}")
            _add_body_digest(entities, entity, one)
            entities[entity["@id"]] = entity
    root = entities[ROOT]
    parts = [one["@id"] for one in _values(root.get("hasPart"))]
    entities[SEALED_MANIFEST + SUFFIX] |= {
        "name": "the sealed manifest",
        "description": "By it, opening finds whatever was changed, cut, added, removed or swapped.",
    }
    # Of all files it is the last to be shared anew, after the metadata: its length is not theirs to tell.
    entities[SEALED_MANIFEST + SUFFIX].pop("contentSize", None)
    files = [name for name, one in entities.items() if _is_file(one)]
    root["hasPart"] = [{"@id": one} for one in dict.fromkeys((*parts, *files, README))]
    entities[README] = {
        "@id": README,
        "@type": "File",
        "about": {"@id": ROOT},
        "contentSize": str(len(readme)),
        "encodingFormat": "text/markdown",
        "name": "README",
    }
    if level == "full":
        entities[README]["sha256"] = hashlib.sha256(readme).hexdigest()
    entities[SPECIFICATION] = {
        "@id": SPECIFICATION,
        "@type": ["WebPage", "WebSite"],
        "name": "GA4GH File Encryption Standard (crypt4gh) 1.0",
    }
    root[PERMISSION] = []
    _set_permissions(entities, fingerprints)
    return _written(context, entities)


def shared_anew(
    metadata: bytes, fingerprints: Sequence[str], *, lengths: Mapping[str, int], signed_by: str | None
) -> bytes:
    """Metadata of a sealed crate that others may open now.

    ``lengths`` are those of the sealed files by path. ``signed_by`` is the fingerprint of who signs it anew; without
    one, nothing is said of a signature any more.
    """
    document = json.loads(metadata)
    entities: dict[str, Entity] = {one["@id"]: one for one in document["@graph"]}
    _set_permissions(entities, fingerprints)
    for name, one in entities.items():
        if "contentSize" in one and unquote(name) in lengths:
            one["contentSize"] = str(lengths[unquote(name)])
    if signed_by is None:
        for name in (MANIFEST, SIGNATURE):
            entities.pop(name, None)
    else:
        _tell_signature(entities, signed_by)
    return _written(document["@context"], entities)


def _full(entities: dict[str, Entity], sealed: Mapping[str, SealedFile]) -> dict[str, Entity]:
    moved = {path: one.place for path, one in sealed.items() if path not in READABLE}
    renamed = {one["@id"]: one for one in (_rename(one, moved) for one in entities.values())}
    for path, one in sealed.items():
        name = path_id(one.place)
        entity = renamed.setdefault(name, {"@id": name, "@type": "File", "name": f"{path}, of the plain crate"})
        _as_sealed(renamed, entity, path, one)
    for entity in tuple(renamed.values()):
        if entity["@id"].endswith("/") and entity["@id"] != ROOT:  # the digest is of the folder's plain form
            entity.pop("sha256", None)
            entity.pop("contentSize", None)
        if str(entity.get("propertyID", "")).startswith(TREE_RULE):
            entity["propertyID"] = f"of the plain folder: {entity['propertyID']}"
    return renamed


def _as_sealed(entities: dict[str, Entity], entity: Entity, path: str, one: SealedFile) -> None:
    """Turn a file's entity into that of its sealed form, and tell of the file in one of its own.

    One, not one for each fact: what a validator takes its time for is the number of entities.
    """
    plain = {
        "@id": _PLAIN + path_id(path),
        "@type": "DigitalDocument",
        "name": f"{path}, of the plain crate",
        "contentSize": str(one.size),
        "sha256": one.sha256,
    }
    plain_type = [value for value in _values(entity.get("encodingFormat")) if isinstance(value, str)]
    if plain_type:
        plain["encodingFormat"] = plain_type[0]
    entities[plain["@id"]] = plain
    for name in ("sha1", "md5", "sha256", "sha512"):
        entity.pop(name, None)
    entity.update(_described(one, name=str(entity.get("name", one.place)), types=entity["@type"]))
    entity["contentSize"] = str(one.length)
    entity["encodesCreativeWork"] = {"@id": plain["@id"]}
    _add_body_digest(entities, entity, one)


def _described(one: SealedFile, *, name: str, types: Any = "File") -> Entity:
    return {
        "@id": path_id(one.place),
        "@type": types,
        "name": name,
        "encodingFormat": [MEDIA_TYPE, {"@id": SPECIFICATION}],
        PERMISSION: [],
    }


def _add_body_digest(entities: dict[str, Entity], entity: Entity, one: SealedFile) -> None:
    identifier = f"#of/{entity['@id']}/{BODY_DIGEST.replace(' ', '-')}"
    entities[identifier] = {
        "@id": identifier,
        "@type": "PropertyValue",
        "name": BODY_DIGEST,
        "propertyID": BODY_DIGEST,
        "value": one.body_sha256,
    }
    entity["additionalProperty"] = [*_values(entity.get("additionalProperty")), {"@id": identifier}]


def _rename(value: Any, moved: Mapping[str, str]) -> Any:
    """The value with every reference to a plain file leading to its sealed form."""
    if isinstance(value, list):
        return [_rename(one, moved) for one in value]
    if not isinstance(value, dict):
        return value
    found = {key: _rename(one, moved) for key, one in value.items()}
    name = found.get("@id")
    if isinstance(name, str):
        document, mark, rest = name.partition("#")
        place = moved.get(unquote(document))
        if place is not None:
            found["@id"] = path_id(place) + mark + rest
    return found


def _little(entities: Mapping[str, Entity], generation: Generation, *, told: bool) -> dict[str, Entity]:
    """A graph that says no more than it must; ``told``: who made it, with what, when, and of which workflow."""
    root = entities[ROOT]
    fresh: dict[str, Entity] = {
        METADATA: {
            "@id": METADATA,
            "@type": "CreativeWork",
            "about": {"@id": ROOT},
            "conformsTo": {"@id": generation.ro_crate},
        },
        ROOT: {
            "@id": ROOT,
            "@type": "Dataset",
            "name": root["name"] if told else "a sealed crate",
            "description": _SEALED,
            "datePublished": root["datePublished"],
            "license": root["license"],
        },
    }
    for name in (PREVIEW, MANIFEST, SIGNATURE):
        if name in entities:
            fresh[name] = entities[name]
    _keep(fresh, entities, root["license"], ("name", "description", "url", "identifier"))
    if not told:
        return fresh
    for name in ("author", "publisher", "identifier"):
        if name in root:
            fresh[ROOT][name] = root[name]
            _keep(fresh, entities, root[name], _PERSON)
    fresh[ROOT]["mentions"] = _story(fresh, entities)
    return fresh


def _story(fresh: dict[str, Entity], entities: Mapping[str, Entity]) -> list[Entity]:
    """Put in the workflow, its runs and the software; references to them."""
    root = entities[ROOT]
    main = entities.get(str(_reference(root.get("mainEntity"))), {})
    mentions: list[Entity] = []
    if main:
        workflow: Entity = {key: main[key] for key in (*_WORKFLOW, "softwareRequirements") if key in main}
        _keep(fresh, entities, workflow.get("programmingLanguage"), _LANGUAGE)
        _keep(fresh, entities, workflow.get("softwareRequirements"), _SOFTWARE)
        fresh["#workflow"] = {"@id": "#workflow", "@type": ["SoftwareSourceCode", "ComputationalWorkflow"], **workflow}
        mentions.append({"@id": "#workflow"})
    for one in sorted(entities.values(), key=lambda one: str(one.get("startTime", ""))):
        if "CreateAction" in _values(one["@type"]) and main and _reference(one.get("instrument")) == main["@id"]:
            run = {"@id": one["@id"], "@type": "CreateAction", "name": f"run {len(mentions)}"}
            run |= {key: one[key] for key in _RUN if key in one}
            fresh[one["@id"]] = run | {"instrument": {"@id": "#workflow"}}
            _keep(fresh, entities, one.get("agent"), _PERSON)
            mentions.append({"@id": one["@id"]})
    for reference in _values(root.get("mentions")):
        target = entities.get(str(_reference(reference)), {})
        if "SoftwareApplication" in _values(target.get("@type")):
            _keep(fresh, entities, reference, _SOFTWARE)
            mentions.append(reference)
    return mentions


def _keep(fresh: dict[str, Entity], entities: Mapping[str, Entity], references: Any, names: Sequence[str]) -> None:
    """Take over the entities that are referred to, with these properties alone, and those that they refer to."""
    for reference in _values(references):
        name = _reference(reference)
        if name is None or name in fresh or name not in entities:
            continue
        fresh[name] = {key: one for key, one in entities[name].items() if key in ("@id", "@type", *names)}
        for value in tuple(fresh[name].values()):
            _keep(fresh, entities, value, names)


def _set_permissions(entities: dict[str, Entity], fingerprints: Sequence[str]) -> None:
    for name in [one for one in entities if one.startswith(_MAY_OPEN)]:
        del entities[name]
    references = [{"@id": _MAY_OPEN + path_id(one)} for one in fingerprints]
    for one in entities.values():
        if PERMISSION in one:
            one[PERMISSION] = references
    for print_, reference in zip(fingerprints, references, strict=True):
        entities[reference["@id"]] = {
            "@id": reference["@id"],
            "@type": "DigitalDocumentPermission",
            "name": f"the key {print_} opens it",
            "identifier": print_,
            "permissionType": "ReadPermission",
        }


def _tell_signature(entities: dict[str, Entity], signed_by: str) -> None:
    shared = {"@type": "CreativeWork", "about": {"@id": ROOT}, "encodingFormat": "text/plain"}
    entities[MANIFEST] = {"@id": MANIFEST, **shared, "name": "the sha512 of every file"}
    entities[SIGNATURE] = {
        "@id": SIGNATURE,
        **shared,
        "name": "the signature of this crate",
        "description": f"An SSH signature of {MANIFEST}.",
        "identifier": signed_by,
    }


def _is_file(entity: Entity) -> bool:
    return "File" in _values(entity["@type"]) and not entity["@id"].startswith("#")


def _reference(value: Any) -> str | None:
    name = value.get("@id") if isinstance(value, dict) else None
    return name if isinstance(name, str) else None


def _values(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [] if value is None else [value]


def _written(context: Any, entities: Mapping[str, Entity]) -> bytes:
    order = [*(one for one in (METADATA, ROOT) if one in entities), *sorted(entities.keys() - {METADATA, ROOT})]
    graph = [{key: _single(one) for key, one in entities[name].items()} for name in order]
    return (json.dumps({"@context": context, "@graph": graph}, indent=1, ensure_ascii=False) + "\n").encode()


def _single(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value
