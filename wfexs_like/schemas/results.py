"""The results of the verbs: what each is made of, by the name in its ``schema`` key."""

from __future__ import annotations

from typing import Final

from wfexs_like.schemas.forms import ANY, COUNT, DIGEST, FLAG, TEXT, TIME, Schema, list_of, one_of, or_null, record, ref

RESULTS: Final[dict[str, tuple[Schema, ...]]] = {
    "error": (
        record(
            {
                "error": record(
                    {
                        "kind": TEXT,
                        "exit_code": {"type": "integer", "minimum": 1},
                        "message": TEXT,
                        "hint": or_null(TEXT),
                        "where": or_null(TEXT),
                    },
                    {"identifier": TEXT, "expected": TEXT, "actual": TEXT, "faults": list_of(ref("fault"))},
                )
            }
        ),
    ),
    "init": (
        record(
            {"config": TEXT, "keys": record({"private": TEXT, "public": TEXT}), "public_key": TEXT},
            {"signing_keys": record({"private": TEXT, "public": TEXT})},
        ),
    ),
    "keys-init": (record({"created": list_of(TEXT), "keys": list_of(ref("key"))}),),
    "keys-list": (record({"keys": list_of(ref("key"))}),),
    "keys-export": (
        record(
            {
                "keys": list_of(
                    record({"use": one_of("sealing", "signing"), "fingerprint": or_null(TEXT), "public_key": TEXT})
                )
            }
        ),
    ),
    "doctor": (
        record(
            {
                "ok": FLAG,
                "checks": list_of(
                    record(
                        {
                            "name": TEXT,
                            "found": FLAG,
                            "works": FLAG,
                            "essential": FLAG,
                            "version": or_null(TEXT),
                            "detail": or_null(TEXT),
                            "fix": or_null(TEXT),
                        }
                    )
                ),
            }
        ),
    ),
    "check": (record({"valid": FLAG, "faults": list_of(ref("fault"))}),),
    "resolve": (ref("staged"),),
    "stage": (
        ref("staged"),
        record({"id": TEXT, "nickname": TEXT, "path": TEXT, "lock": record({"path": TEXT, "digest": TEXT})}),
    ),
    "import": (
        ref("staged"),
        record(
            {
                "id": TEXT,
                "nickname": TEXT,
                "path": TEXT,
                "lock": record({"path": TEXT, "digest": TEXT}),
                "crate": TEXT,
                "level": one_of("metadata", "full"),
                "run": or_null(COUNT),
                "overrides": {"type": "object"},
            }
        ),
    ),
    "run": (ref("run"),),
    "execute": (record({"stage": ref("staged"), "run": or_null(ref("run")), "crate": or_null(ref("exported"))}),),
    "crate": (ref("exported"),),
    "list": (record({"workdirs": list_of(ref("workdir"))}),),
    "show": (
        ref("workdir"),
        record(
            {"items": list_of(ref("item")), "runs": list_of(ref("run"))},
            {"imported": {"type": "object", "additionalProperties": TEXT}},
        ),
    ),
    "logs": (record({"run": or_null(COUNT), "files": list_of(record({"path": TEXT, "size": COUNT}))}),),
    "cancel": (record({"cancelled": list_of(COUNT)}),),
    "rm": (record({"id": TEXT, "nickname": TEXT, "path": TEXT}),),
    "recipients-list": (ref("access"),),
    "recipients-add": (ref("access"),),
    "recipients-remove": (ref("access"), record({"warnings": list_of(TEXT)})),
    "mount": (record({"id": TEXT, "nickname": TEXT, "content": TEXT, "already": FLAG}),),
    "unmount": (record({"id": TEXT, "nickname": TEXT, "closed": FLAG}),),
    "shell": (record({"id": TEXT, "nickname": TEXT, "exit_code": COUNT}),),
    "convert": (
        record(
            {
                "to": one_of("prov", "bco"),
                "format": one_of("turtle", "json"),
                "path": or_null(TEXT),
                "warnings": list_of(TEXT),
            },
            {"document": TEXT},
        ),
    ),
    "compare": (
        record(
            {
                "verdict": one_of("same", "different"),
                "a": ref("compared"),
                "b": ref("compared"),
                "differences": list_of(ref("difference")),
                "circumstances": list_of(ref("difference")),
                "files": list_of(
                    record(
                        {
                            "name": TEXT,
                            "verdict": one_of("identical", "equivalent", "different", "unknown"),
                            "reason": TEXT,
                            "where": or_null(TEXT),
                            "a": or_null(TEXT),
                            "b": or_null(TEXT),
                        }
                    )
                ),
                "step": or_null(record({"name": TEXT, "differs": TEXT})),
            }
        ),
    ),
    "validate": (
        ref("validation"),
        record({"passed": FLAG, "issues": list_of(ref("issue")), "verdicts": list_of(ref("verdict"))}),
    ),
    "validate-profiles": (
        record({"profiles": list_of(record({"profile": TEXT, "title": TEXT, "addresses": list_of(TEXT)}))}),
    ),
    "report": (
        record(
            {
                "name": or_null(TEXT),
                "published": or_null(TEXT),
                "licence": or_null(TEXT),
                "maker": or_null(TEXT),
                "people": list_of(ref("agent")),
                "profiles": list_of(TEXT),
                "workflow": or_null(
                    record(
                        {
                            "software": ref("software"),
                            "document": or_null(TEXT),
                            "language": or_null(TEXT),
                            "source": or_null(TEXT),
                            "steps": list_of(
                                record(
                                    {
                                        "id": TEXT,
                                        "name": TEXT,
                                        "position": or_null({"type": "integer"}),
                                        "tool": or_null(ref("software")),
                                    }
                                )
                            ),
                            "connections": list_of(record({"source": TEXT, "target": TEXT})),
                        }
                    )
                ),
                "runs": list_of(
                    {
                        "allOf": [
                            ref("told-execution"),
                            record(
                                {
                                    "number": or_null(COUNT),
                                    "engine": or_null(ref("software")),
                                    "host": list_of(ref("quantity")),
                                    "steps": list_of(
                                        {"allOf": [ref("told-execution"), record({"step": TEXT, "position": ANY})]}
                                    ),
                                }
                            ),
                        ]
                    }
                ),
                "images": list_of(ref("told-image")),
                "data": list_of(TEXT),
                "items": {"type": "object", "additionalProperties": ref("told-item")},
                "missing": list_of(TEXT),
                "remarks": list_of(TEXT),
            }
        ),
    ),
    "verify": (
        record(
            {
                "ok": FLAG,
                "problems": list_of(ref("problem")),
                "checked": record(
                    {
                        "files": COUNT,
                        "size": COUNT,
                        "digests": COUNT,
                        "undescribed": COUNT,
                        "sealed": COUNT,
                        "elsewhere": COUNT,
                    }
                ),
                "signature": record(
                    {
                        "state": one_of("good", "bad", "none"),
                        "signer": or_null(TEXT),
                        "compared": FLAG,
                        "trusted": FLAG,
                    }
                ),
                "crate": record(
                    {
                        "name": or_null(TEXT),
                        "published": or_null(TEXT),
                        "lock": record({"digest": or_null(TEXT)}),
                        "runs": list_of(
                            record(
                                {
                                    "uuid": TEXT,
                                    "name": or_null(TEXT),
                                    "started": or_null(TEXT),
                                    "status": or_null(TEXT),
                                }
                            )
                        ),
                    }
                ),
            },
            {"path": TEXT},
        ),
    ),
    "open": (
        record(
            {
                "ok": FLAG,
                "path": or_null(TEXT),
                "form": one_of("files", "archive"),
                "problems": list_of(ref("problem")),
                "opened": record({"files": COUNT, "size": COUNT}),
                "signature": record(
                    {
                        "state": one_of("good", "bad", "none"),
                        "signer": or_null(TEXT),
                        "compared": FLAG,
                        "trusted": FLAG,
                    }
                ),
            }
        ),
    ),
    "audit": (
        record(
            {
                "ok": FLAG,
                "workdir": record({"id": TEXT, "created": TIME, "vault": TEXT, "opened": FLAG}),
                "since": TIME,
                "started": TIME,
                "ended": TIME,
                "tool": record({"name": TEXT, "version": TEXT}),
                "host": record(
                    {
                        "system": TEXT,
                        "kernel": TEXT,
                        "machine": TEXT,
                        "root": FLAG,
                        "swap": record({"devices": COUNT, "size": COUNT}),
                        "core_pattern": or_null(TEXT),
                    }
                ),
                "everything": FLAG,
                "canaries": list_of(
                    record({"canary": TEXT, "sha256": {"type": "string", "pattern": "^[0-9a-f]{16}$"}})
                ),
                "own": or_null(record({"names": COUNT, "values": COUNT, "left_out": COUNT})),
                "forms": list_of(TEXT),
                "places": list_of(
                    record({"name": TEXT, "path": TEXT, "changed": COUNT, "files": COUNT, "size": COUNT})
                ),
                "processes": record({"looked_at": COUNT, "not_looked_at": COUNT}),
                "not_looked_at": list_of(
                    record({"place": TEXT, "reason": TEXT, "count": COUNT, "paths": list_of(TEXT)})
                ),
                "never_looked_at": list_of(TEXT),
                "hits": list_of(
                    record(
                        {
                            "judgement": one_of("leak", "source", "excepted", "asked"),
                            "canary": TEXT,
                            "path": TEXT,
                            "kind": one_of("content", "name", "link", "arguments", "environment", "unnamed"),
                            "form": TEXT,
                            "offset": COUNT,
                            "process": or_null(TEXT),
                        }
                    )
                ),
                "hits_left_out": COUNT,
                "written": or_null(
                    list_of(
                        record(
                            {
                                "run": COUNT,
                                "meaning": TEXT,
                                "paths": list_of(
                                    record({"path": TEXT, "kind": one_of("file", "folder", "link", "other")})
                                ),
                                "left_out": COUNT,
                            }
                        )
                    )
                ),
            }
        ),
    ),
    "engines-list": (record({"engines": list_of(ref("engine"))}),),
    "engines-add": (
        record(
            {
                "engine": TEXT,
                "version": TEXT,
                "identifier": TEXT,
                "known": FLAG,
                "source": one_of("cache", "fetched"),
                "size": COUNT,
                "sha256": DIGEST,
                "platform": {"type": "object", "additionalProperties": TEXT},
            }
        ),
    ),
    "cache-list": (
        record(
            {
                "entries": list_of(
                    record(
                        {
                            "sha256": DIGEST,
                            "kind": one_of("file", "directory"),
                            "size": COUNT,
                            "origins": list_of(record({"identifier": TEXT})),
                            "users": list_of(TEXT),
                        }
                    )
                ),
                "size": COUNT,
            }
        ),
    ),
    "cache-add": (record({"identifier": TEXT, "pinned": TEXT, "size": COUNT, "sha256": DIGEST}),),
    "cache-verify": (record({"ok": FLAG, "problems": list_of(ref("problem"))}),),
    "cache-remove": (record({"removed": list_of(DIGEST), "size": COUNT}),),
    "cache-gc": (record({"removed": list_of(DIGEST), "size": COUNT, "dry_run": FLAG}),),
}
