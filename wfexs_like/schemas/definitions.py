"""What stands in several results, by its name below ``$defs``."""

from __future__ import annotations

from typing import Final

from wfexs_like.schemas.forms import ANY, COUNT, DIGEST, FLAG, TEXT, TIME, Schema, list_of, one_of, or_null, record, ref

DEFINITIONS: Final[dict[str, Schema]] = {
    "fault": record(
        {"where": TEXT, "line": or_null(COUNT), "column": or_null(COUNT), "message": TEXT},
        {"file": TEXT, "hint": or_null(TEXT)},
    ),
    "compared": record({"name": TEXT, "run": TEXT, "status": TEXT, "secret": FLAG}),
    "difference": record({"what": TEXT, "a": or_null(TEXT), "b": or_null(TEXT)}),
    "item": record(
        {
            "role": one_of("workflow", "engine", "plugin", "input", "environment", "container"),
            "name": TEXT,
            "identifier": TEXT,
            "pinned": TEXT,
            "size": or_null(COUNT),
            "sha256": or_null(DIGEST),
            "trust": one_of("expected", "first-use", "locked"),
            "source": TEXT,
        },
        {"licences": list_of(TEXT), "risks": list_of(TEXT), "image": ref("image")},
    ),
    "image": record(
        {"config": DIGEST, "layers": list_of(DIGEST), "platform": TEXT, "size": COUNT},
        {"labels": {"type": "object", "additionalProperties": TEXT}},
    ),
    "lock": record({"path": or_null(TEXT), "digest": or_null(TEXT)}),
    "step": record(
        {
            "name": TEXT,
            "status": one_of("running", "completed", "failed", "killed", "skipped"),
            "exit_code": or_null({"type": "integer"}),
        },
        {
            "started": or_null(TIME),
            "ended": or_null(TIME),
            "error": or_null(TEXT),
            "attempt": {"type": "integer", "minimum": 1},
            "cached": FLAG,
            "after": TEXT,
        },
    ),
    "run": record(
        {
            "id": TEXT,
            "run": {"type": "integer", "minimum": 1},
            "status": one_of("running", "completed", "failed", "killed"),
            "exit_code": or_null({"type": "integer"}),
            "started": or_null(TIME),
            "ended": or_null(TIME),
            "outputs": {"type": "object", "additionalProperties": ref("value")},
            "steps": list_of(ref("step")),
        },
        {
            "uuid": TEXT,
            "error": or_null(TEXT),
            "engine": TEXT,
            "network": TEXT,
            "offline": ref("offline"),
            "attempts": list_of(ref("attempt")),
            "logs": list_of(TEXT),
            "resumed": COUNT,
            "allowed": list_of(TEXT),
            "platform": {"type": "object", "additionalProperties": TEXT},
            "container": record(
                {"runtime": TEXT, "images": list_of(record({"name": TEXT, "digest": DIGEST, "id": DIGEST}))}
            ),
        },
    ),
    "attempt": record(
        {
            "protocol": TEXT,
            "address": or_null(TEXT),
            "port": or_null(COUNT),
            "name": or_null(TEXT),
            "count": {"type": "integer", "minimum": 1},
            "step": or_null(TEXT),
        },
        {"program": or_null(TEXT), "time": or_null(TIME)},
    ),
    "offline": record(
        {"isolated": FLAG, "watched": FLAG, "attempts": list_of(ref("attempt"))},
        {"containers_watched": FLAG, "unwatched_because": TEXT, "unlisted": COUNT},
    ),
    "proof": record(
        {
            "path": TEXT,
            "time": TIME,
            "lock_digest": TEXT,
            "proven": FLAG,
            "verdict": one_of("proven", "isolated", "not-proven"),
            "outcome": one_of("completed", "failed", "killed"),
            "error": or_null(TEXT),
            "offline": ref("offline"),
        },
        {
            "schema": TEXT,
            "engine": TEXT,
            "host": {"type": "object"},
            "started": or_null(TIME),
            "ended": or_null(TIME),
        },
    ),
    "value": {
        "description": "A CWL value; a File and a Directory have an absolute path.",
        "anyOf": [
            {"type": ["null", "boolean", "number", "string"]},
            list_of(ref("value")),
            {
                "type": "object",
                "if": {"properties": {"class": one_of("File", "Directory")}, "required": ["class"]},
                "then": record({"path": or_null(TEXT), "sha256": or_null(DIGEST), "basename": TEXT}),
                "else": {"additionalProperties": ref("value")},
            },
        ],
    },
    "issue": record({"severity": TEXT, "check": TEXT, "entity": or_null(TEXT), "message": TEXT}),
    "validation": record({"profile": TEXT, "required": COUNT, "recommended": COUNT}),
    "verdict": record(
        {
            "profile": TEXT,
            "passed": FLAG,
            "level": TEXT,
            "judged": or_null(TEXT),
            "checks": COUNT,
            "skipped": list_of(record({"check": TEXT, "reason": TEXT})),
            "known": {"type": "object", "additionalProperties": TEXT},
            "required": COUNT,
            "recommended": COUNT,
            "optional": COUNT,
            "issues": list_of(ref("issue")),
        }
    ),
    "agent": record({"id": TEXT, "name": TEXT, "affiliation": or_null(TEXT)}),
    "software": record({"id": TEXT, "name": TEXT, "version": or_null(TEXT), "address": or_null(TEXT)}),
    "quantity": record({"name": TEXT, "value": ANY, "unit": or_null(TEXT), "property_id": or_null(TEXT)}),
    "told-image": record({"id": TEXT, "name": TEXT, "sha256": or_null(DIGEST), "kind": or_null(TEXT)}),
    "told-slot": record({"name": TEXT, "parameter": or_null(TEXT), "items": list_of(TEXT)}),
    "told-item": record(
        {
            "kind": one_of("file", "folder", "collection", "value", "other"),
            "name": TEXT,
            "path": or_null(TEXT),
            "present": FLAG,
            "address": or_null(TEXT),
            "value": ANY,
            "digests": {"type": "object", "additionalProperties": TEXT},
            "size": or_null(COUNT),
            "parts": list_of(TEXT),
        }
    ),
    "told-execution": record(
        {
            "id": TEXT,
            "name": TEXT,
            "status": one_of("completed", "failed", "active", "potential", "unknown"),
            "instrument": or_null(ref("software")),
            "started": or_null(TIME),
            "ended": or_null(TIME),
            "seconds": or_null({"type": "number", "minimum": 0}),
            "error": or_null(TEXT),
            "command": or_null(TEXT),
            "exit_code": or_null({"type": "integer"}),
            "agents": list_of(ref("agent")),
            "inputs": list_of(ref("told-slot")),
            "outputs": list_of(ref("told-slot")),
            "images": list_of(ref("told-image")),
            "resources": list_of(ref("quantity")),
            "environment": {"type": "object", "additionalProperties": TEXT},
        }
    ),
    "staged": record(
        {
            "id": or_null(TEXT),
            "nickname": or_null(TEXT),
            "path": or_null(TEXT),
            "lock": ref("lock"),
            "items": list_of(ref("item")),
        },
        {"changes": list_of(TEXT), "proof": ref("proof")},
    ),
    "exported": record(
        {
            "path": TEXT,
            "kind": one_of("prospective", "retrospective"),
            "profiles": list_of(TEXT),
            "sealed": FLAG,
            "validation": or_null(ref("validation")),
        },
        {
            "seal": or_null(
                record(
                    {
                        "form": one_of("files", "archive"),
                        "metadata": or_null(one_of("full", "minimal", "sealed")),
                        "recipients": list_of(record({"fingerprint": TEXT, "label": TEXT})),
                    }
                )
            ),
            "clear": FLAG,
            "lacking": list_of(TEXT),
        },
    ),
    "access": record(
        {
            "path": TEXT,
            "kind": one_of("workdir", "folder", "zip", "archive"),
            "recipients": list_of(ref("recipient")),
            "unknown": COUNT,
            "added": list_of(TEXT),
            "removed": list_of(TEXT),
        },
        {
            "broken": list_of(ref("recipient")),
            "uneven": list_of(TEXT),
            "signature": one_of("none", "removed", "renewed"),
        },
    ),
    "recipient": record({"fingerprint": TEXT, "label": TEXT, "own": FLAG}),
    "workdir": record(
        {
            "id": TEXT,
            "nickname": TEXT,
            "path": TEXT,
            "content": TEXT,
            "created": TEXT,
            "vault": TEXT,
            "engine": or_null(TEXT),
            "lock": record({"digest": or_null(TEXT)}),
            "runs": or_null(list_of(record({"run": COUNT, "status": TEXT}))),
        },
        {"container": or_null(TEXT), "open": FLAG},
    ),
    "engine": record(
        {
            "engine": TEXT,
            "version": TEXT,
            "default": FLAG,
            "known": FLAG,
            "cached": FLAG,
            "verified": or_null(FLAG),
            "source": or_null(TEXT),
            "size": or_null(COUNT),
            "sha256": or_null(DIGEST),
            "platform": {"type": "object", "additionalProperties": TEXT},
            "lacks": or_null(TEXT),
        }
    ),
    "problem": record({"path": TEXT, "problem": TEXT}),
    "key": record(
        {
            "use": one_of("sealing", "signing"),
            "kind": TEXT,
            "fingerprint": or_null(TEXT),
            "private": TEXT,
            "public": TEXT,
            "passphrase": or_null(FLAG),
            "loose": FLAG,
            "problem": or_null(TEXT),
        }
    ),
}
