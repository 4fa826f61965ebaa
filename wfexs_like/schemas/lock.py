"""The lock file."""

from __future__ import annotations

from typing import Final

from wfexs_like.schemas.forms import ANY, COUNT, DIGEST, TEXT, Schema, list_of, one_of, or_null, record

LOCK: Final[Schema] = record(
    {
        "schema": {"const": "wfexs-like/lock/1"},
        "digest": {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"},
        "workflow": record({"path": TEXT, "process": or_null(TEXT), "language": TEXT, "language_version": TEXT}),
        "engine": record({"name": TEXT, "version": TEXT}),
        "container": TEXT,
        "items": list_of(
            record(
                {
                    "role": one_of("workflow", "engine", "input", "environment", "container"),
                    "name": TEXT,
                    "identifier": TEXT,
                    "pinned": TEXT,
                    "kind": one_of("file", "directory"),
                    "size": COUNT,
                    "sha256": DIGEST,
                    "trust": one_of("expected", "first-use"),
                },
                {"path": TEXT, "hops": list_of(TEXT), "licences": list_of(TEXT)},
            )
        ),
        "parameters": {"type": "object"},
        "environment": {"type": "object"},
        "requirements": list_of({"type": "object"}),
        "outputs": list_of({"type": "object"}),
        "limits": record({"cores": ANY, "memory": ANY, "time": ANY}),
    }
)
