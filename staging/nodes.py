"""What a document is made of, each value with its place: lines and columns count from 1."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from staging.definition import Scalar
from staging.errors import Fault

_PLAIN_KEY = re.compile(r"[\w$@:/+-]+")
_LONGEST_SHOWN = 60
_LONGEST_WHERE = 200


# The three kinds of node are made by the hundred thousand, hence not frozen; nobody changes one once it is made.
@dataclass(slots=True, eq=False)
class ScalarNode:
    """A single value. ``text`` is it as written, without quotes; ``flawed`` when a fault has been noted for it."""

    value: Scalar
    text: str
    line: int
    column: int
    flawed: bool = False


@dataclass(slots=True, eq=False)
class ListNode:
    """A list."""

    items: list[Node]
    line: int
    column: int


@dataclass(slots=True, eq=False)
class MapNode:
    """A map. ``places`` has the line and column of each key, from 1."""

    entries: dict[str, Node]
    places: dict[str, tuple[int, int]]
    line: int
    column: int


Node: TypeAlias = ScalarNode | ListNode | MapNode


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document that was read. ``file`` is its name as the user gave it, ``faults`` what is wrong with it so far."""

    file: str
    text: str
    root: Node
    faults: tuple[Fault, ...] = ()


def plain(node: Node) -> object:
    """The node as plain Python values."""
    if isinstance(node, ScalarNode):
        return node.value
    if isinstance(node, ListNode):
        return [plain(one) for one in node.items]
    return {key: plain(one) for key, one in node.entries.items()}


def shown(text: str) -> str:
    """A text in quotes for a message, cut when it is long."""
    return repr(text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 3] + "...")


def below(where: str, key: str | int) -> str:
    """The path of the entry ``key`` of what stands at ``where``."""
    if isinstance(key, int):
        path = f"{where}[{key}]"
    elif _PLAIN_KEY.fullmatch(key):
        path = f"{where}.{key}" if where else key
    else:
        path = f"{where}[{shown(key)}]"
    return path if len(path) <= _LONGEST_WHERE else path[: _LONGEST_WHERE - 3] + "..."
