"""Start-up without the libraries that a local, offline run never calls.

cwltool imports HTTP clients, RDF, PROV and terminal libraries at its start, which cost more time than a small workflow
runs. Here they are replaced by empty stand-ins. What does need one of them (an ontology in ``$schemas``) raises
``Heavy``, and the child begins again with everything.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

STAND_INS = (
    "asyncio",
    "cachecontrol",
    "coloredlogs",
    "cwl_utils.parser",
    "prov",
    "psutil",
    "rdflib",
    "requests",
    "xml.dom.minidom",
)


class Heavy(BaseException):
    """A stand-in was asked to do real work. Not an ``Exception``: nobody on the way may swallow it."""


class _Attributes(type):
    """A class whose unknown attributes are stand-ins too: terms of an RDF namespace, classes of a submodule."""

    def __getattr__(cls, name: str) -> type[StandIn]:
        if name.startswith("__"):
            raise AttributeError(name)
        return StandIn


class StandIn(metaclass=_Attributes):
    """An object of a library that is not there."""

    def __init__(self, *_args: object, **_options: object) -> None:
        pass


class EmptyGraph(StandIn):
    """An RDF graph with nothing in it, which is what a document without ontologies has."""

    def triples(self, _pattern: object) -> Iterator[tuple[object, object, object]]:
        """No statement fits."""
        return iter(())

    def __len__(self) -> int:
        return 0

    def parse(self, *_args: object, **_options: object) -> None:
        """An ontology has to be read."""
        raise Heavy


class _Module(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        made: Any
        if name == "Graph":
            made = EmptyGraph
        elif name.endswith(("Error", "Exception", "Syntax")):
            made = type(name, (Exception,), {})
        else:
            made = type(name, (StandIn,), {})
        setattr(self, name, made)
        return made


class Finder:
    """Import machinery that answers for the stand-ins."""

    def find_spec(self, name: str, _path: Sequence[str] | None = None, _target: object = None) -> ModuleSpec | None:
        """A spec for a stand-in, ``None`` for everything else."""
        if any(name == one or name.startswith(f"{one}.") for one in STAND_INS):
            return ModuleSpec(name, self, is_package=True)  # type: ignore[arg-type]
        return None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The empty module."""
        return _Module(spec.name)

    def exec_module(self, _module: ModuleType) -> None:
        """Nothing to execute."""


def install() -> None:
    """From now on the stand-ins are imported in place of the real libraries."""
    sys.meta_path.insert(0, Finder())
