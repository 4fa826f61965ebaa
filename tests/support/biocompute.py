"""What IEEE 2791-2020 demands of a BioCompute Object, as one JSON Schema: its fields, which must be there, their forms.

Written down from the standard's text; it says what may be and not what it is for.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from jsonschema import Draft7Validator, FormatChecker

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
TIME: Schema = {"type": "string", "format": "date-time"}
URI: Schema = {"type": "string", "format": "uri"}
LINK: Schema = {"$ref": "#/definitions/uri"}


def closed(required: Schema, optional: Schema | None = None) -> Schema:
    """An object of these fields and no others."""
    return {**opened(required, optional), "additionalProperties": False}


def opened(required: Schema, optional: Schema | None = None) -> Schema:
    return {"type": "object", "properties": {**required, **(optional or {})}, "required": sorted(required)}


def several(of: Schema) -> Schema:
    return {"type": "array", "items": of}


CONTRIBUTIONS = [
    "authoredBy",
    "contributedBy",
    "createdAt",
    "createdBy",
    "createdWith",
    "curatedBy",
    "derivedFrom",
    "importedBy",
    "importedFrom",
    "providedBy",
    "retrievedBy",
    "retrievedFrom",
    "sourceAccessedBy",
]

CONTRIBUTOR = closed(
    {"contribution": several({"type": "string", "enum": CONTRIBUTIONS}), "name": TEXT},
    {"affiliation": TEXT, "email": {"type": "string", "format": "email"}, "orcid": URI},
)
PROVENANCE = closed(
    {
        "name": TEXT,
        "version": TEXT,
        "created": TIME,
        "modified": TIME,
        "contributors": several(CONTRIBUTOR),
        "license": TEXT,
    },
    {"review": {"type": "array"}, "derived_from": TEXT, "obsolete_after": TIME, "embargo": {"type": "object"}},
)
STEP = closed(
    {
        "step_number": {"type": "integer", "minimum": 0},
        "name": TEXT,
        "description": TEXT,
        "input_list": several(LINK),
        "output_list": several(LINK),
    },
    {"version": TEXT, "prerequisite": several(opened({"name": TEXT, "uri": LINK}))},
)
EXECUTION = closed(
    {
        "script": several({"type": "object", "properties": {"uri": LINK}, "additionalProperties": False}),
        "script_driver": TEXT,
        "software_prerequisites": several(closed({"name": TEXT, "version": TEXT, "uri": LINK})),
        "external_data_endpoints": several(closed({"name": TEXT, "url": TEXT})),
        "environment_variables": {
            "type": "object",
            "patternProperties": {"^[a-zA-Z_]+[a-zA-Z0-9_]*$": TEXT},
            "additionalProperties": False,
        },
    }
)

OBJECT: Schema = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "definitions": {
        "uri": closed(
            {"uri": URI},
            {"filename": TEXT, "access_time": TIME, "sha1_checksum": {"type": "string", "pattern": "^[A-Za-z0-9]+$"}},
        )
    },
    **closed(
        {
            "object_id": TEXT,
            "spec_version": URI,
            "etag": {"type": "string", "pattern": "^([A-Za-z0-9]+)$"},
            "provenance_domain": PROVENANCE,
            "usability_domain": several(TEXT),
            "description_domain": opened(
                {"keywords": several(TEXT), "pipeline_steps": several(STEP)},
                {"platform": several(TEXT), "xref": several({"type": "object"})},
            ),
            "execution_domain": EXECUTION,
            "io_domain": opened(
                {
                    "input_subdomain": several(closed({"uri": LINK})),
                    "output_subdomain": several(
                        opened({"mediatype": {"type": "string", "pattern": "^(.*)$"}, "uri": LINK})
                    ),
                }
            ),
        },
        {
            "parametric_domain": several(closed({"param": TEXT, "value": TEXT, "step": TEXT})),
            "error_domain": closed({"empirical_error": {"type": "object"}, "algorithmic_error": {"type": "object"}}),
            "extension_domain": several(opened({"extension_schema": URI})),
        },
    ),
}


def faults(document: Any) -> list[str]:
    """What is wrong with an object, by the standard; formats are looked at as well."""
    found = Draft7Validator(OBJECT, format_checker=FORMATS).iter_errors(document)
    return [f"{'/'.join(map(str, one.absolute_path))}: {one.message}" for one in found]


FORMATS = FormatChecker([])
"""Of draft 7's formats those that the standard uses, by RFC 3986 and RFC 3339."""


@FORMATS.checks("uri")
def is_uri(text: object) -> bool:
    return not isinstance(text, str) or re.fullmatch(_URI, text) is not None


@FORMATS.checks("date-time", raises=ValueError)
def is_time(text: object) -> bool:
    return not isinstance(text, str) or ("T" in text and datetime.fromisoformat(text).tzinfo is not None)


_CHARACTER = r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})"
_URI = rf"[A-Za-z][A-Za-z0-9+.-]*:{_CHARACTER}*(?:\?(?:{_CHARACTER}|\?)*)?(?:#(?:{_CHARACTER}|\?)*)?"
