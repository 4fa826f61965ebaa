"""CWL's own schema, built once and kept.

cwltool reads the text of the CWL schema with a pure-Python YAML reader at every start, most of its start-up time. What
it needs of it is plain data (a JSON-LD context and an Avro schema), so that is kept as JSON: data, nothing that can
execute. A file that is not wholly ours or not whole is not used.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import json
import os
import stat
from typing import Any

from cwltool import process
from schema_salad import schema as salad
from schema_salad.avro.schema import Names, make_avsc_object
from schema_salad.ref_resolver import Loader

from engines.cwltool.child.fetching import LocalFetcher

_LAYOUT = "2"
_SCHEMA = "https://w3id.org/cwl/CommonWorkflowLanguage.yml"
_EXTENSIONS = ("extensions.yml", "v1.0"), ("extensions-v1.1.yml", "v1.1"), ("extensions-v1.2.yml", "v1.2")
EXTENSIONS = "http://commonwl.org/cwltool"
"""Where cwltool's own requirements have their names."""

_BASE_TYPES = {
    "SCHEMA_ANY": "https://w3id.org/cwl/salad#Any",
    "SCHEMA_FILE": "https://w3id.org/cwl/cwl#File",
    "SCHEMA_DIR": "https://w3id.org/cwl/cwl#Directory",
}


def extend() -> None:
    """Let documents have cwltool's own requirements too (``cwltool --enable-ext``)."""
    for name, version in _EXTENSIONS:
        text = importlib.resources.files("cwltool").joinpath(name).read_text("utf-8")
        process.use_custom_schema(version, EXTENSIONS, text)


class SchemaStore:
    """Built schemas in ``folder`` (``None``: none are kept). ``key`` names the exact engine that built them."""

    def __init__(self, folder: str | None, key: str) -> None:
        self.folder = folder
        self.key = hashlib.sha256(f"{_LAYOUT} {key}".encode()).hexdigest()[:32]
        self._original = process.get_schema

    def serve(self) -> None:
        """Let cwltool have its schemas from here."""
        process.get_schema = self._get
        # load_tool holds a name of its own for it.
        from cwltool import load_tool

        load_tool.get_schema = self._get
        base = self._read("base")
        if base is None:
            self._original("v1.0")
            index = process.SCHEMA_CACHE["v1.0"][3].idx
            base = {
                "types": {name: _plain(index[iri]) for name, iri in _BASE_TYPES.items()},
                "vocabulary": _plain(salad.get_metaschema()[2].vocab),
            }
            self._write("base", base)
        else:
            # All that is used of schema-salad's own schema once CWL's is built is what its terms mean.
            vocabulary = Loader({}, fetcher_constructor=LocalFetcher, doc_cache=False)
            vocabulary.vocab = base["vocabulary"]
            salad.cached_metaschema = (Names(), [], vocabulary)
        for name, value in base["types"].items():
            setattr(process, name, value)

    def _get(self, version: str) -> Any:
        version = version.rpartition("#")[2]
        if version in process.SCHEMA_CACHE:
            return process.SCHEMA_CACHE[version]
        name = f"{version}-extended" if version in process.custom_schemas else version
        kept = self._read(name)
        if kept is None:
            # Building needs the whole of schema-salad's own schema, not only its vocabulary.
            salad.cached_metaschema = None
            built = self._original(version)
            if not isinstance(built[1], Exception):
                place = process.custom_schemas.get(version, (_SCHEMA,))[0]
                self._write(name, _plain_schema(built, place))
            return built
        names = Names()
        make_avsc_object(kept["avro"], names)
        cache = dict.fromkeys(kept["known"], True)
        loader = Loader(kept["context"], cache=cache, fetcher_constructor=LocalFetcher, doc_cache=False)
        process.SCHEMA_CACHE[version] = (loader, names, {}, loader)
        return process.SCHEMA_CACHE[version]

    def _path(self, name: str) -> str | None:
        return None if self.folder is None else f"{self.folder}/{self.key}-{name}.json"

    def _read(self, name: str) -> Any:
        path = self._path(name)
        if path is None:
            return None
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return None
        with open(handle, "rb") as stream:  # noqa: PTH123 - a descriptor
            status = os.fstat(handle)
            if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                return None
            digest, _, content = stream.read().partition(b"\n")
        if hashlib.sha256(content).hexdigest().encode() != digest:
            return None
        return json.loads(content)

    def _write(self, name: str, value: object) -> None:
        path = self._path(name)
        if path is None or self.folder is None:
            return
        content = json.dumps(value, separators=(",", ":")).encode()
        temporary = f"{path}.{os.getpid()}.{os.urandom(4).hex()}"
        try:
            os.makedirs(self.folder, mode=0o700, exist_ok=True)  # noqa: PTH103
            with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:  # noqa: PTH123
                stream.write(hashlib.sha256(content).hexdigest().encode() + b"\n" + content)
                stream.flush()
                os.fsync(stream.fileno())
            os.rename(temporary, path)  # noqa: PTH104
        except OSError:
            # Only speed is lost.
            return


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value))


def _plain_schema(built: Any, place: str) -> dict[str, Any]:
    from schema_salad.schema import make_avro
    from schema_salad.utils import convert_to_dict

    loader, _names, _metadata, metaschema = built
    document, _ = metaschema.resolve_ref(place, "")
    return {
        "context": _plain(convert_to_dict(loader.ctx)),
        "avro": _plain(convert_to_dict(make_avro(document, loader, metaschema.vocab))),
        "known": sorted(url for url in loader.cache if isinstance(url, str)),
    }
