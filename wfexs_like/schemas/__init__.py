"""Schemas: the JSON Schema of every document that scripts read from us, by name. ``stage`` is what people write.

They say what may be relied on; keys that are not named here may appear.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Schema = dict[str, Any]

_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"


def _object(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": sorted(required),
    }


def _list(of: Schema) -> Schema:
    return {"type": "array", "items": of}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


_TEXT: Final[Schema] = {"type": "string"}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_FLAG: Final[Schema] = {"type": "boolean"}
_ANY: Final[Schema] = {}
_DIGEST: Final[Schema] = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_TIME: Final[Schema] = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00$"}


def _one_of(*words: str) -> Schema:
    return {"enum": list(words)}


_DEFS: Final[dict[str, Schema]] = {
    "fault": _object(
        {"where": _TEXT, "line": _or_null(_COUNT), "column": _or_null(_COUNT), "message": _TEXT},
        {"file": _TEXT, "hint": _or_null(_TEXT)},
    ),
    "compared": _object({"name": _TEXT, "run": _TEXT, "status": _TEXT, "secret": _FLAG}),
    "difference": _object({"what": _TEXT, "a": _or_null(_TEXT), "b": _or_null(_TEXT)}),
    "item": _object(
        {
            "role": _one_of("workflow", "engine", "plugin", "input", "environment", "container"),
            "name": _TEXT,
            "identifier": _TEXT,
            "pinned": _TEXT,
            "size": _or_null(_COUNT),
            "sha256": _or_null(_DIGEST),
            "trust": _one_of("expected", "first-use", "locked"),
            "source": _TEXT,
        },
        {"licences": _list(_TEXT), "risks": _list(_TEXT), "image": _ref("image")},
    ),
    "image": _object(
        {"config": _DIGEST, "layers": _list(_DIGEST), "platform": _TEXT, "size": _COUNT},
        {"labels": {"type": "object", "additionalProperties": _TEXT}},
    ),
    "lock": _object({"path": _or_null(_TEXT), "digest": _or_null(_TEXT)}),
    "step": _object(
        {
            "name": _TEXT,
            "status": _one_of("running", "completed", "failed", "killed", "skipped"),
            "exit_code": _or_null({"type": "integer"}),
        },
        {
            "started": _or_null(_TIME),
            "ended": _or_null(_TIME),
            "error": _or_null(_TEXT),
            "attempt": {"type": "integer", "minimum": 1},
            "cached": _FLAG,
            "after": _TEXT,
        },
    ),
    "run": _object(
        {
            "id": _TEXT,
            "run": {"type": "integer", "minimum": 1},
            "status": _one_of("running", "completed", "failed", "killed"),
            "exit_code": _or_null({"type": "integer"}),
            "started": _or_null(_TIME),
            "ended": _or_null(_TIME),
            "outputs": {"type": "object", "additionalProperties": _ref("value")},
            "steps": _list(_ref("step")),
        },
        {
            "uuid": _TEXT,
            "error": _or_null(_TEXT),
            "engine": _TEXT,
            "network": _TEXT,
            "offline": _ref("offline"),
            "attempts": _list(_ref("attempt")),
            "logs": _list(_TEXT),
            "resumed": _COUNT,
            "allowed": _list(_TEXT),
            "platform": {"type": "object", "additionalProperties": _TEXT},
            "container": _object(
                {"runtime": _TEXT, "images": _list(_object({"name": _TEXT, "digest": _DIGEST, "id": _DIGEST}))}
            ),
        },
    ),
    "attempt": _object(
        {
            "protocol": _TEXT,
            "address": _or_null(_TEXT),
            "port": _or_null(_COUNT),
            "name": _or_null(_TEXT),
            "count": {"type": "integer", "minimum": 1},
            "step": _or_null(_TEXT),
        },
        {"program": _or_null(_TEXT), "time": _or_null(_TIME)},
    ),
    "offline": _object(
        {"isolated": _FLAG, "watched": _FLAG, "attempts": _list(_ref("attempt"))},
        {"containers_watched": _FLAG, "unwatched_because": _TEXT, "unlisted": _COUNT},
    ),
    "proof": _object(
        {
            "path": _TEXT,
            "time": _TIME,
            "lock_digest": _TEXT,
            "proven": _FLAG,
            "verdict": _one_of("proven", "isolated", "not-proven"),
            "outcome": _one_of("completed", "failed", "killed"),
            "error": _or_null(_TEXT),
            "offline": _ref("offline"),
        },
        {
            "schema": _TEXT,
            "engine": _TEXT,
            "host": {"type": "object"},
            "started": _or_null(_TIME),
            "ended": _or_null(_TIME),
        },
    ),
    "value": {
        "description": "A CWL value; a File and a Directory have an absolute path.",
        "anyOf": [
            {"type": ["null", "boolean", "number", "string"]},
            _list(_ref("value")),
            {
                "type": "object",
                "if": {"properties": {"class": _one_of("File", "Directory")}, "required": ["class"]},
                "then": _object({"path": _or_null(_TEXT), "sha256": _or_null(_DIGEST), "basename": _TEXT}),
                "else": {"additionalProperties": _ref("value")},
            },
        ],
    },
    "issue": _object({"severity": _TEXT, "check": _TEXT, "entity": _or_null(_TEXT), "message": _TEXT}),
    "validation": _object({"profile": _TEXT, "required": _COUNT, "recommended": _COUNT}),
    "verdict": _object(
        {
            "profile": _TEXT,
            "passed": _FLAG,
            "level": _TEXT,
            "judged": _or_null(_TEXT),
            "checks": _COUNT,
            "skipped": _list(_object({"check": _TEXT, "reason": _TEXT})),
            "known": {"type": "object", "additionalProperties": _TEXT},
            "required": _COUNT,
            "recommended": _COUNT,
            "optional": _COUNT,
            "issues": _list(_ref("issue")),
        }
    ),
    "agent": _object({"id": _TEXT, "name": _TEXT, "affiliation": _or_null(_TEXT)}),
    "software": _object({"id": _TEXT, "name": _TEXT, "version": _or_null(_TEXT), "address": _or_null(_TEXT)}),
    "quantity": _object({"name": _TEXT, "value": _ANY, "unit": _or_null(_TEXT), "property_id": _or_null(_TEXT)}),
    "told-image": _object({"id": _TEXT, "name": _TEXT, "sha256": _or_null(_DIGEST), "kind": _or_null(_TEXT)}),
    "told-slot": _object({"name": _TEXT, "parameter": _or_null(_TEXT), "items": _list(_TEXT)}),
    "told-item": _object(
        {
            "kind": _one_of("file", "folder", "collection", "value", "other"),
            "name": _TEXT,
            "path": _or_null(_TEXT),
            "present": _FLAG,
            "address": _or_null(_TEXT),
            "value": _ANY,
            "digests": {"type": "object", "additionalProperties": _TEXT},
            "size": _or_null(_COUNT),
            "parts": _list(_TEXT),
        }
    ),
    "told-execution": _object(
        {
            "id": _TEXT,
            "name": _TEXT,
            "status": _one_of("completed", "failed", "active", "potential", "unknown"),
            "instrument": _or_null(_ref("software")),
            "started": _or_null(_TIME),
            "ended": _or_null(_TIME),
            "seconds": _or_null({"type": "number", "minimum": 0}),
            "error": _or_null(_TEXT),
            "command": _or_null(_TEXT),
            "exit_code": _or_null({"type": "integer"}),
            "agents": _list(_ref("agent")),
            "inputs": _list(_ref("told-slot")),
            "outputs": _list(_ref("told-slot")),
            "images": _list(_ref("told-image")),
            "resources": _list(_ref("quantity")),
            "environment": {"type": "object", "additionalProperties": _TEXT},
        }
    ),
    "staged": _object(
        {
            "id": _or_null(_TEXT),
            "nickname": _or_null(_TEXT),
            "path": _or_null(_TEXT),
            "lock": _ref("lock"),
            "items": _list(_ref("item")),
        },
        {"changes": _list(_TEXT), "proof": _ref("proof")},
    ),
    "exported": _object(
        {
            "path": _TEXT,
            "kind": _one_of("prospective", "retrospective"),
            "profiles": _list(_TEXT),
            "sealed": _FLAG,
            "validation": _or_null(_ref("validation")),
        },
        {
            "seal": _or_null(
                _object(
                    {
                        "form": _one_of("files", "archive"),
                        "metadata": _or_null(_one_of("full", "minimal", "sealed")),
                        "recipients": _list(_object({"fingerprint": _TEXT, "label": _TEXT})),
                    }
                )
            ),
            "clear": _FLAG,
        },
    ),
    "access": _object(
        {
            "path": _TEXT,
            "kind": _one_of("workdir", "folder", "zip", "archive"),
            "recipients": _list(_ref("recipient")),
            "unknown": _COUNT,
            "added": _list(_TEXT),
            "removed": _list(_TEXT),
        },
        {
            "broken": _list(_ref("recipient")),
            "uneven": _list(_TEXT),
            "signature": _one_of("none", "removed", "renewed"),
        },
    ),
    "recipient": _object({"fingerprint": _TEXT, "label": _TEXT, "own": _FLAG}),
    "workdir": _object(
        {
            "id": _TEXT,
            "nickname": _TEXT,
            "path": _TEXT,
            "content": _TEXT,
            "created": _TEXT,
            "vault": _TEXT,
            "engine": _or_null(_TEXT),
            "lock": _object({"digest": _or_null(_TEXT)}),
            "runs": _or_null(_list(_object({"run": _COUNT, "status": _TEXT}))),
        },
        {"container": _or_null(_TEXT), "open": _FLAG},
    ),
    "engine": _object(
        {
            "engine": _TEXT,
            "version": _TEXT,
            "default": _FLAG,
            "known": _FLAG,
            "cached": _FLAG,
            "verified": _or_null(_FLAG),
            "source": _or_null(_TEXT),
            "size": _or_null(_COUNT),
            "sha256": _or_null(_DIGEST),
            "platform": {"type": "object", "additionalProperties": _TEXT},
            "lacks": _or_null(_TEXT),
        }
    ),
    "problem": _object({"path": _TEXT, "problem": _TEXT}),
    "key": _object(
        {
            "use": _one_of("sealing", "signing"),
            "kind": _TEXT,
            "fingerprint": _or_null(_TEXT),
            "private": _TEXT,
            "public": _TEXT,
            "passphrase": _or_null(_FLAG),
            "loose": _FLAG,
            "problem": _or_null(_TEXT),
        }
    ),
}

# The results, by the name in their "schema" key: what they are made of.
_RESULTS: Final[dict[str, tuple[Schema, ...]]] = {
    "error": (
        _object(
            {
                "error": _object(
                    {
                        "kind": _TEXT,
                        "exit_code": {"type": "integer", "minimum": 1},
                        "message": _TEXT,
                        "hint": _or_null(_TEXT),
                        "where": _or_null(_TEXT),
                    },
                    {"identifier": _TEXT, "expected": _TEXT, "actual": _TEXT, "faults": _list(_ref("fault"))},
                )
            }
        ),
    ),
    "init": (
        _object(
            {"config": _TEXT, "keys": _object({"private": _TEXT, "public": _TEXT}), "public_key": _TEXT},
            {"signing_keys": _object({"private": _TEXT, "public": _TEXT})},
        ),
    ),
    "keys-init": (_object({"created": _list(_TEXT), "keys": _list(_ref("key"))}),),
    "keys-list": (_object({"keys": _list(_ref("key"))}),),
    "keys-export": (
        _object(
            {
                "keys": _list(
                    _object({"use": _one_of("sealing", "signing"), "fingerprint": _or_null(_TEXT), "public_key": _TEXT})
                )
            }
        ),
    ),
    "doctor": (
        _object(
            {
                "ok": _FLAG,
                "checks": _list(
                    _object(
                        {
                            "name": _TEXT,
                            "found": _FLAG,
                            "works": _FLAG,
                            "essential": _FLAG,
                            "version": _or_null(_TEXT),
                            "detail": _or_null(_TEXT),
                            "fix": _or_null(_TEXT),
                        }
                    )
                ),
            }
        ),
    ),
    "check": (_object({"valid": _FLAG, "faults": _list(_ref("fault"))}),),
    "resolve": (_ref("staged"),),
    "stage": (
        _ref("staged"),
        _object({"id": _TEXT, "nickname": _TEXT, "path": _TEXT, "lock": _object({"path": _TEXT, "digest": _TEXT})}),
    ),
    "import": (
        _ref("staged"),
        _object(
            {
                "id": _TEXT,
                "nickname": _TEXT,
                "path": _TEXT,
                "lock": _object({"path": _TEXT, "digest": _TEXT}),
                "crate": _TEXT,
                "level": _one_of("metadata", "full"),
                "run": _or_null(_COUNT),
                "overrides": {"type": "object"},
            }
        ),
    ),
    "run": (_ref("run"),),
    "execute": (_object({"stage": _ref("staged"), "run": _or_null(_ref("run")), "crate": _or_null(_ref("exported"))}),),
    "crate": (_ref("exported"),),
    "list": (_object({"workdirs": _list(_ref("workdir"))}),),
    "show": (
        _ref("workdir"),
        _object(
            {"items": _list(_ref("item")), "runs": _list(_ref("run"))},
            {"imported": {"type": "object", "additionalProperties": _TEXT}},
        ),
    ),
    "logs": (_object({"run": _or_null(_COUNT), "files": _list(_object({"path": _TEXT, "size": _COUNT}))}),),
    "cancel": (_object({"cancelled": _list(_COUNT)}),),
    "rm": (_object({"id": _TEXT, "nickname": _TEXT, "path": _TEXT}),),
    "recipients-list": (_ref("access"),),
    "recipients-add": (_ref("access"),),
    "recipients-remove": (_ref("access"), _object({"warnings": _list(_TEXT)})),
    "mount": (_object({"id": _TEXT, "nickname": _TEXT, "content": _TEXT, "already": _FLAG}),),
    "unmount": (_object({"id": _TEXT, "nickname": _TEXT, "closed": _FLAG}),),
    "shell": (_object({"id": _TEXT, "nickname": _TEXT, "exit_code": _COUNT}),),
    "convert": (
        _object(
            {
                "to": _one_of("prov", "bco"),
                "format": _one_of("turtle", "json"),
                "path": _or_null(_TEXT),
                "warnings": _list(_TEXT),
            },
            {"document": _TEXT},
        ),
    ),
    "compare": (
        _object(
            {
                "verdict": _one_of("same", "different"),
                "a": _ref("compared"),
                "b": _ref("compared"),
                "differences": _list(_ref("difference")),
                "circumstances": _list(_ref("difference")),
                "files": _list(
                    _object(
                        {
                            "name": _TEXT,
                            "verdict": _one_of("identical", "equivalent", "different", "unknown"),
                            "reason": _TEXT,
                            "where": _or_null(_TEXT),
                            "a": _or_null(_TEXT),
                            "b": _or_null(_TEXT),
                        }
                    )
                ),
                "step": _or_null(_object({"name": _TEXT, "differs": _TEXT})),
            }
        ),
    ),
    "validate": (
        _ref("validation"),
        _object({"passed": _FLAG, "issues": _list(_ref("issue")), "verdicts": _list(_ref("verdict"))}),
    ),
    "validate-profiles": (
        _object({"profiles": _list(_object({"profile": _TEXT, "title": _TEXT, "addresses": _list(_TEXT)}))}),
    ),
    "report": (
        _object(
            {
                "name": _or_null(_TEXT),
                "published": _or_null(_TEXT),
                "licence": _or_null(_TEXT),
                "maker": _or_null(_TEXT),
                "people": _list(_ref("agent")),
                "profiles": _list(_TEXT),
                "workflow": _or_null(
                    _object(
                        {
                            "software": _ref("software"),
                            "document": _or_null(_TEXT),
                            "language": _or_null(_TEXT),
                            "source": _or_null(_TEXT),
                            "steps": _list(
                                _object(
                                    {
                                        "id": _TEXT,
                                        "name": _TEXT,
                                        "position": _or_null({"type": "integer"}),
                                        "tool": _or_null(_ref("software")),
                                    }
                                )
                            ),
                            "connections": _list(_object({"source": _TEXT, "target": _TEXT})),
                        }
                    )
                ),
                "runs": _list(
                    {
                        "allOf": [
                            _ref("told-execution"),
                            _object(
                                {
                                    "number": _or_null(_COUNT),
                                    "engine": _or_null(_ref("software")),
                                    "host": _list(_ref("quantity")),
                                    "steps": _list(
                                        {"allOf": [_ref("told-execution"), _object({"step": _TEXT, "position": _ANY})]}
                                    ),
                                }
                            ),
                        ]
                    }
                ),
                "images": _list(_ref("told-image")),
                "data": _list(_TEXT),
                "items": {"type": "object", "additionalProperties": _ref("told-item")},
                "missing": _list(_TEXT),
                "remarks": _list(_TEXT),
            }
        ),
    ),
    "verify": (
        _object(
            {
                "ok": _FLAG,
                "problems": _list(_ref("problem")),
                "checked": _object(
                    {
                        "files": _COUNT,
                        "size": _COUNT,
                        "digests": _COUNT,
                        "undescribed": _COUNT,
                        "sealed": _COUNT,
                        "elsewhere": _COUNT,
                    }
                ),
                "signature": _object(
                    {
                        "state": _one_of("good", "bad", "none"),
                        "signer": _or_null(_TEXT),
                        "compared": _FLAG,
                        "trusted": _FLAG,
                    }
                ),
                "crate": _object(
                    {
                        "name": _or_null(_TEXT),
                        "published": _or_null(_TEXT),
                        "lock": _object({"digest": _or_null(_TEXT)}),
                        "runs": _list(
                            _object(
                                {
                                    "uuid": _TEXT,
                                    "name": _or_null(_TEXT),
                                    "started": _or_null(_TEXT),
                                    "status": _or_null(_TEXT),
                                }
                            )
                        ),
                    }
                ),
            },
            {"path": _TEXT},
        ),
    ),
    "open": (
        _object(
            {
                "ok": _FLAG,
                "path": _or_null(_TEXT),
                "form": _one_of("files", "archive"),
                "problems": _list(_ref("problem")),
                "opened": _object({"files": _COUNT, "size": _COUNT}),
                "signature": _object(
                    {
                        "state": _one_of("good", "bad", "none"),
                        "signer": _or_null(_TEXT),
                        "compared": _FLAG,
                        "trusted": _FLAG,
                    }
                ),
            }
        ),
    ),
    "audit": (
        _object(
            {
                "ok": _FLAG,
                "workdir": _object({"id": _TEXT, "created": _TIME, "vault": _TEXT, "opened": _FLAG}),
                "since": _TIME,
                "started": _TIME,
                "ended": _TIME,
                "tool": _object({"name": _TEXT, "version": _TEXT}),
                "host": _object(
                    {
                        "system": _TEXT,
                        "kernel": _TEXT,
                        "machine": _TEXT,
                        "root": _FLAG,
                        "swap": _object({"devices": _COUNT, "size": _COUNT}),
                        "core_pattern": _or_null(_TEXT),
                    }
                ),
                "everything": _FLAG,
                "canaries": _list(
                    _object({"canary": _TEXT, "sha256": {"type": "string", "pattern": "^[0-9a-f]{16}$"}})
                ),
                "own": _or_null(_object({"names": _COUNT, "values": _COUNT, "left_out": _COUNT})),
                "forms": _list(_TEXT),
                "places": _list(
                    _object({"name": _TEXT, "path": _TEXT, "changed": _COUNT, "files": _COUNT, "size": _COUNT})
                ),
                "processes": _object({"looked_at": _COUNT, "not_looked_at": _COUNT}),
                "not_looked_at": _list(
                    _object({"place": _TEXT, "reason": _TEXT, "count": _COUNT, "paths": _list(_TEXT)})
                ),
                "never_looked_at": _list(_TEXT),
                "hits": _list(
                    _object(
                        {
                            "judgement": _one_of("leak", "source", "excepted", "asked"),
                            "canary": _TEXT,
                            "path": _TEXT,
                            "kind": _one_of("content", "name", "link", "arguments", "environment", "unnamed"),
                            "form": _TEXT,
                            "offset": _COUNT,
                            "process": _or_null(_TEXT),
                        }
                    )
                ),
                "hits_left_out": _COUNT,
                "written": _or_null(
                    _list(
                        _object(
                            {
                                "run": _COUNT,
                                "meaning": _TEXT,
                                "paths": _list(
                                    _object({"path": _TEXT, "kind": _one_of("file", "folder", "link", "other")})
                                ),
                                "left_out": _COUNT,
                            }
                        )
                    )
                ),
            }
        ),
    ),
    "engines-list": (_object({"engines": _list(_ref("engine"))}),),
    "engines-add": (
        _object(
            {
                "engine": _TEXT,
                "version": _TEXT,
                "identifier": _TEXT,
                "known": _FLAG,
                "source": _one_of("cache", "fetched"),
                "size": _COUNT,
                "sha256": _DIGEST,
                "platform": {"type": "object", "additionalProperties": _TEXT},
            }
        ),
    ),
    "cache-list": (
        _object(
            {
                "entries": _list(
                    _object(
                        {
                            "sha256": _DIGEST,
                            "kind": _one_of("file", "directory"),
                            "size": _COUNT,
                            "origins": _list(_object({"identifier": _TEXT})),
                            "users": _list(_TEXT),
                        }
                    )
                ),
                "size": _COUNT,
            }
        ),
    ),
    "cache-add": (_object({"identifier": _TEXT, "pinned": _TEXT, "size": _COUNT, "sha256": _DIGEST}),),
    "cache-verify": (_object({"ok": _FLAG, "problems": _list(_ref("problem"))}),),
    "cache-remove": (_object({"removed": _list(_DIGEST), "size": _COUNT}),),
    "cache-gc": (_object({"removed": _list(_DIGEST), "size": _COUNT, "dry_run": _FLAG}),),
}

_LOCK: Final[Schema] = _object(
    {
        "schema": {"const": "wfexs-like/lock/1"},
        "digest": {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"},
        "workflow": _object({"path": _TEXT, "process": _or_null(_TEXT), "language": _TEXT, "language_version": _TEXT}),
        "engine": _object({"name": _TEXT, "version": _TEXT}),
        "container": _TEXT,
        "items": _list(
            _object(
                {
                    "role": _one_of("workflow", "engine", "input", "environment", "container"),
                    "name": _TEXT,
                    "identifier": _TEXT,
                    "pinned": _TEXT,
                    "kind": _one_of("file", "directory"),
                    "size": _COUNT,
                    "sha256": _DIGEST,
                    "trust": _one_of("expected", "first-use"),
                },
                {"path": _TEXT, "hops": _list(_TEXT), "licences": _list(_TEXT)},
            )
        ),
        "parameters": {"type": "object"},
        "environment": {"type": "object"},
        "requirements": _list({"type": "object"}),
        "outputs": _list({"type": "object"}),
        "limits": _object({"cores": _ANY, "memory": _ANY, "time": _ANY}),
    }
)


def names() -> tuple[str, ...]:
    """Every name that ``schema_of`` knows: the documents first, then the results of the verbs."""
    return ("stage", "lock", *(f"{name}-result" if name == "stage" else name for name in sorted(_RESULTS)))


def schema_of(name: str) -> Schema:
    """The JSON Schema of that name; ``stage`` is the stage file, ``stage-result`` what the verb ``stage`` prints.

    Raises:
        KeyError: there is none.
    """
    if name == "stage":
        from staging.loading import stage_schema

        return dict(stage_schema())
    if name == "lock":
        return {"$schema": _DRAFT, "title": "wfexs-like lock file", **_LOCK}
    result = name.removesuffix("-result")
    title = f"wfexs-like/{result}/1"
    parts = [_object({"schema": {"const": title}}), *_RESULTS[result]]
    used = _reachable(parts)
    return {
        "$schema": _DRAFT,
        "title": title,
        "allOf": parts,
        **({"$defs": {one: _DEFS[one] for one in sorted(used)}} if used else {}),
    }


def _reachable(schema: object) -> set[str]:
    found: set[str] = set()
    waiting = [schema]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting += one
        elif isinstance(one, dict):
            target = one.get("$ref")
            if isinstance(target, str) and target.rsplit("/", 1)[-1] not in found:
                name = target.rsplit("/", 1)[-1]
                found.add(name)
                waiting.append(_DEFS[name])
            waiting += one.values()
    return found
