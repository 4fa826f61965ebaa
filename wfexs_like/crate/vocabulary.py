"""The words of the crate: terms and media types; ``generations`` has the profiles.

Sources: RO-Crate 1.1, Workflow RO-Crate 1.0, Workflow Run RO-Crate 0.5 (its three profiles), CWL v1.2.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final

BIOSCHEMAS_WORKFLOW: Final = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"
BIOSCHEMAS_PARAMETER: Final = "https://bioschemas.org/profiles/FormalParameter/1.0-RELEASE"

BIOSCHEMAS_NAMES: Final = {
    BIOSCHEMAS_WORKFLOW: ("Bioschemas ComputationalWorkflow profile", "1.0-RELEASE"),
    BIOSCHEMAS_PARAMETER: ("Bioschemas FormalParameter profile", "1.0-RELEASE"),
}
"""Name and version of each profile that a single entity may say it conforms to."""

COMPLETED: Final = "http://schema.org/CompletedActionStatus"
FAILED: Final = "http://schema.org/FailedActionStatus"

_WORKFLOW_RUN_TERMS: Final = "https://w3id.org/ro/terms/workflow-run#"
EXTRA_TERMS: Final = {
    term: _WORKFLOW_RUN_TERMS + term
    for term in (
        "ParameterConnection",
        "ContainerImage",
        "DockerImage",
        "SIFImage",
        "connection",
        "sourceParameter",
        "targetParameter",
        "md5",
        "sha1",
        "sha256",
        "sha512",
        "environment",
        "registry",
        "tag",
        "containerImage",
        "resourceUsage",
    )
}
"""The sixteen terms that Workflow Run RO-Crate adds to RO-Crate, and what they stand for."""

DOCKER_IMAGE: Final = f"{_WORKFLOW_RUN_TERMS}DockerImage"
SIF_IMAGE: Final = f"{_WORKFLOW_RUN_TERMS}SIFImage"
"""What ``additionalType`` of a ContainerImage says of its format."""

LANGUAGES: Final = {
    "cwl": (
        "https://w3id.org/workflowhub/workflow-ro-crate#cwl",
        "Common Workflow Language",
        "CWL",
        "https://www.commonwl.org/",
    ),
    "nextflow": (
        "https://w3id.org/workflowhub/workflow-ro-crate#nextflow",
        "Nextflow",
        "NXF",
        "https://www.nextflow.io/",
    ),
}
"""By the engine's word for it: the language's @id, name, short name and home page."""

ENGINE_PAGES: Final = {
    "cwltool": "https://github.com/common-workflow-language/cwltool",
    "nextflow": "https://www.nextflow.io/",
}
"""Where an engine is told of."""

_SCALAR_TYPES: Final = {
    "string": "Text",
    "enum": "Text",
    "int": "Integer",
    "long": "Integer",
    "float": "Float",
    "double": "Float",
    "boolean": "Boolean",
    "File": "File",
    "stdin": "File",
    "stdout": "File",
    "stderr": "File",
    "Directory": "Dataset",
    "record": "PropertyValue",
    "Any": "PropertyValue",
    "null": "PropertyValue",
}


def additional_types(cwl_type: object) -> tuple[set[str], bool]:
    """What ``additionalType`` of a FormalParameter says of a CWL type, and whether several values may come.

    ``null`` says nothing unless it is all there is.
    """
    if isinstance(cwl_type, dict):
        if cwl_type.get("type") == "array":
            return additional_types(cwl_type.get("items"))[0], True
        return additional_types(cwl_type.get("type"))
    if isinstance(cwl_type, list | tuple):
        found: set[str] = set()
        many = False
        for one in cwl_type:
            if one != "null":
                types, several = additional_types(one)
                found |= types
                many = many or several
        return found or {"PropertyValue"}, many
    text = str(cwl_type)
    if text.endswith("[]"):
        return additional_types(text[:-2])[0], True
    return {_SCALAR_TYPES.get(text.removesuffix("?"), "PropertyValue")}, False


_MEDIA_TYPES: Final = {
    "bam": "application/octet-stream",
    "bed": "text/tab-separated-values",
    "bz2": "application/x-bzip2",
    "csv": "text/csv",
    "cwl": "application/cwl+yaml",
    "fa": "text/plain",
    "fasta": "text/plain",
    "fastq": "text/plain",
    "fq": "text/plain",
    "gff": "text/plain",
    "gif": "image/gif",
    "gtf": "text/plain",
    "gz": "application/gzip",
    "htm": "text/html",
    "html": "text/html",
    "ipynb": "application/x-ipynb+json",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "js": "text/javascript",
    "json": "application/json",
    "jsonld": "application/ld+json",
    "log": "text/plain",
    "md": "text/markdown",
    "nf": "text/plain",
    "pdf": "application/pdf",
    "png": "image/png",
    "py": "text/x-python",
    "r": "text/plain",
    "rdf": "application/rdf+xml",
    "sam": "text/tab-separated-values",
    "sh": "application/x-sh",
    "svg": "image/svg+xml",
    "tar": "application/x-tar",
    "tgz": "application/gzip",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "tsv": "text/tab-separated-values",
    "ttl": "text/turtle",
    "txt": "text/plain",
    "vcf": "text/plain",
    "xml": "application/xml",
    "xz": "application/x-xz",
    "yaml": "application/yaml",
    "yml": "application/yaml",
    "zip": "application/zip",
    "config": "text/plain",
    "dot": "text/vnd.graphviz",
    "groovy": "text/x-groovy",
}
UNKNOWN_MEDIA_TYPE: Final = "application/octet-stream"


LOG_MEDIA_TYPES: Final = {
    "dot": "text/vnd.graphviz",
    "html": "text/html",
    "json": "application/json",
    "trace.txt": "text/tab-separated-values",
}
"""Media types of the files in which a run tells of itself, by name or suffix; all others are plain text."""


def media_type(name: str) -> str:
    """The media type that a file's name lets expect; the same on every machine."""
    return _MEDIA_TYPES.get(PurePosixPath(name).suffix.lower().lstrip("."), UNKNOWN_MEDIA_TYPE)
