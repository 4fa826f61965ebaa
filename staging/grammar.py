"""Walking over a document with a grammar in hand: typed reads that note a fault, with its place, where one is due.

A read returns ``None`` when it noted a fault, so that reading goes on and all faults come out at once. Two sorts of
fault are told apart. *Structural* ones are those that the shipped JSON Schema finds too (a wrong type, an unknown or
missing key, an impossible combination); the others need knowledge that a schema hasn't (a name that can't be a path, a
key that is not built yet).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from staging.composing import MAX_FAULTS
from staging.errors import Fault
from staging.nodes import ListNode, MapNode, Node, ScalarNode, below, shown

# Names that people know from elsewhere.
_SYNONYMS = {
    "license": "licence",
    "licenses": "licences",
    "inputs": "params",
    "parameters": "params",
    "workflow": "workflow_id",
    "env": "environment",
    "uri": "url",
    "location": "url",
    "class": "c-l-a-s-s",
    "checksum": "sha256",
    "cpus": "cores",
    "ram": "memory",
}
_LONGEST_GUESSED = 40
_LONGEST_MESSAGE = 400
_PLACEHOLDER = re.compile(r"\{\{([^{}]+)\}\}|\{([^{}]+)\}")

# Without some keys that are not built the stage is the same but for a comfort; without others it is another one.
LEAVE_OUT = "leave it out to go on without it"
NO_WAY_AROUND = "there is no way around it yet: without it the stage would mean something else"

T = TypeVar("T")


@dataclass(slots=True)
class FaultList:
    """The faults found so far; ``structural`` counts those that the JSON Schema finds too."""

    found: list[Fault] = field(default_factory=list)
    structural: int = 0

    def add(self, fault: Fault, *, structural: bool) -> None:
        """Note a fault; past a thousand nobody reads on, so the rest is only counted."""
        self.structural += structural
        if len(self.found) < MAX_FAULTS:
            self.found.append(fault)

    @property
    def full(self) -> bool:
        """Whether further faults are dropped."""
        return len(self.found) >= MAX_FAULTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Which document is being read.

    ``folder`` is where it lies, relative to the stage file's folder (``""`` for the same). ``placeholders`` are filled
    into texts; ``namespaces`` are the prefixes of CWL ``format``.
    """

    file: str
    faults: FaultList
    folder: str = ""
    placeholders: Mapping[str, str] = field(default_factory=dict)
    namespaces: Mapping[str, str] = field(default_factory=dict)

    def fill(self, text: str) -> str:
        """``text`` with each ``{name}`` that is a placeholder replaced, and ``{{name}}`` made ``{name}``.

        Whatever else is in braces stays as it is. Nothing is looked up but the name itself.
        """
        if not self.placeholders or "{" not in text:
            return text

        def replacement(match: re.Match[str]) -> str:
            escaped, name = match.groups()
            if escaped is not None:
                return f"{{{escaped}}}" if escaped in self.placeholders else match.group()
            return self.placeholders.get(name, match.group())

        return _PLACEHOLDER.sub(replacement, text)


@dataclass(frozen=True, slots=True)
class Cursor:
    """A node, where it stands, and the document it belongs to."""

    node: Node
    where: str
    origin: Origin

    def fault(self, message: str, hint: str | None = None, *, structural: bool = True) -> None:
        """Note a fault at the node's own place."""
        self._note(message, hint, self.where, (self.node.line, self.node.column), structural=structural)

    def fault_at_key(self, key: str, message: str, hint: str | None = None, *, structural: bool = True) -> None:
        """Note a fault at the place of a key of this map."""
        assert isinstance(self.node, MapNode)
        self._note(message, hint, below(self.where, key), self.node.places[key], structural=structural)

    def refuse(self, what: str, hint: str) -> None:
        """Note that ``what`` can't be done by this version."""
        self.fault(f"'{what}' is understood but not built yet", hint, structural=False)

    def expected(self, what: str, hint: str | None = None) -> None:
        """Note that ``what`` was expected here; nothing when the node has its fault already."""
        if not (isinstance(self.node, ScalarNode) and self.node.flawed):
            self.fault(f"expected {what}, found {describe(self.node)}", hint)

    def child(self, key: str) -> Cursor:
        """The value of a key that this map has."""
        assert isinstance(self.node, MapNode)
        return Cursor(self.node.entries[key], below(self.where, key), self.origin)

    def entries(self) -> Iterator[tuple[str, Cursor]]:
        """The keys and values of a map; nothing for anything else."""
        if isinstance(self.node, MapNode):
            for key, node in self.node.entries.items():
                yield key, Cursor(node, below(self.where, key), self.origin)

    def items(self) -> Iterator[Cursor]:
        """The items of a list; nothing for anything else."""
        if isinstance(self.node, ListNode):
            for index, node in enumerate(self.node.items):
                yield Cursor(node, below(self.where, index), self.origin)

    @property
    def is_null(self) -> bool:
        """Whether nothing, or ``null``, stands here."""
        return isinstance(self.node, ScalarNode) and self.node.value is None and not self.node.flawed

    def _note(self, message: str, hint: str | None, where: str, place: tuple[int, int], *, structural: bool) -> None:
        line, column = place
        if len(message) > _LONGEST_MESSAGE:
            message = message[: _LONGEST_MESSAGE - 3] + "..."
        self.origin.faults.add(
            Fault(file=self.origin.file, where=where, message=message, line=line, column=column, hint=hint),
            structural=structural,
        )


def describe(node: Node) -> str:
    """What a node is, in a few words."""
    if isinstance(node, ListNode):
        return "a list" if node.items else "an empty list"
    if isinstance(node, MapNode):
        return "a map" if node.entries else "an empty map"
    if node.value is None:
        return "nothing"
    if isinstance(node.value, str):
        return f"the text {shown(node.value)}" if node.value.strip() else "an empty text"
    return str(node.value).lower() if isinstance(node.value, bool) else f"the number {node.text[:40]}"


def as_text(cursor: Cursor) -> str | None:
    """A text that is not blank."""
    node = cursor.node
    if isinstance(node, ScalarNode) and isinstance(node.value, str) and node.value.strip():
        return None if node.flawed else node.value
    number = isinstance(node, ScalarNode) and isinstance(node.value, int | float)
    cursor.expected("a text", "put quotes around it" if number else None)
    return None


def as_written(cursor: Cursor) -> str | None:
    """A text, or a number taken as the text it was written as (``1.10`` stays ``1.10``)."""
    node = cursor.node
    if isinstance(node, ScalarNode) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return node.text
    return as_text(cursor)


def as_flag(cursor: Cursor) -> bool | None:
    """A truth value."""
    node = cursor.node
    if isinstance(node, ScalarNode) and isinstance(node.value, bool):
        return node.value
    cursor.expected("true or false")
    return None


def as_integer(cursor: Cursor, minimum: int = 0, maximum: int | None = None) -> int | None:
    """An integer of at least ``minimum`` and at most ``maximum``."""
    node = cursor.node
    value = node.value if isinstance(node, ScalarNode) else None
    if isinstance(value, int | float) and is_whole(value) and value >= minimum:
        if maximum is None or value <= maximum:
            return int(value)
        cursor.fault(f"that is too large: it can be {maximum} at most")
        return None
    cursor.expected(f"an integer of at least {minimum}")
    return None


def is_whole(value: object) -> bool:
    """Whether a value is a whole number: ``2.0`` is one, ``true`` isn't."""
    return (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, float) and value.is_integer())


def as_list(cursor: Cursor, minimum: int = 0) -> list[Cursor]:
    """The items of a list; no item when it is none or has too few."""
    if not isinstance(cursor.node, ListNode):
        cursor.expected("a list")
        return []
    if len(cursor.node.items) < minimum:
        cursor.fault(f"expected a list of at least {minimum}, found {len(cursor.node.items)}")
        return []
    return list(cursor.items())


def as_map(cursor: Cursor) -> dict[str, Cursor]:
    """The entries of a map whose keys are free."""
    if not isinstance(cursor.node, MapNode):
        cursor.expected("a map")
        return {}
    return dict(cursor.entries())


def as_choice(cursor: Cursor, choices: tuple[str, ...]) -> str | None:
    """One of a few words."""
    node = cursor.node
    if isinstance(node, ScalarNode) and isinstance(node.value, str) and not node.flawed:
        if node.value in choices:
            return node.value
        guess = guess_key(node.value, choices)
        found = f"{shown(node.value)} is not one of {', '.join(choices)}"
        cursor.fault(f"{found}; did you mean {guess}?" if guess else found)
        return None
    cursor.expected(f"one of {', '.join(choices)}")
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key that a map may have.

    Where it is ``nullable``, ``null`` is as good as leaving it out. ``unbuilt`` reads the shape of a key that is part
    of the grammar but has nothing behind it yet: it is refused, with ``hint``, unless what it asks for is nothing.
    """

    nullable: bool = True
    unbuilt: Callable[[Cursor], object] | None = None
    hint: str = NO_WAY_AROUND


KEY = Key()
GIVEN = Key(nullable=False)


def unbuilt(shape: Callable[[Cursor], object], hint: str = NO_WAY_AROUND) -> Key:
    """A key of that shape that is not built yet; ``hint`` says what to do instead."""
    return Key(unbuilt=shape, hint=hint)


@dataclass(frozen=True, slots=True)
class Fields:
    """The entries of a map with known keys; those that are null, and mean nothing by it, are not there."""

    cursor: Cursor
    children: Mapping[str, Cursor]

    def __contains__(self, key: str) -> bool:
        return key in self.children

    def get(self, key: str) -> Cursor | None:
        """The value of a key."""
        return self.children.get(key)

    def read(self, key: str, reader: Callable[[Cursor], T | None]) -> T | None:
        """The value of a key, read by ``reader``; ``None`` when it isn't there."""
        child = self.children.get(key)
        return None if child is None else reader(child)

    def text(self, key: str) -> str | None:
        """A text."""
        return self.read(key, as_text)

    def flag(self, key: str, *, default: bool) -> bool:
        """A truth value."""
        value = self.read(key, as_flag)
        return default if value is None else value

    def is_on(self, key: str) -> bool:
        """Whether the key is there and ``true``, without noting a fault."""
        child = self.children.get(key)
        return child is not None and isinstance(child.node, ScalarNode) and child.node.value is True

    def exclude(self, *pairs: tuple[str, str]) -> None:
        """Note each pair of keys that are both there: one excludes the other."""
        for first, second in pairs:
            if first in self.children and second in self.children:
                assert isinstance(self.cursor.node, MapNode)
                places = self.cursor.node.places
                earlier, later = sorted((first, second), key=places.__getitem__)
                self.cursor.fault_at_key(later, f"'{earlier}' and '{later}' can't go together", "keep one of them")


def read_fields(
    cursor: Cursor,
    table: Mapping[str, Key],
    *,
    required: tuple[str, ...] = (),
    elsewhere: Mapping[str, str] | None = None,
) -> Fields | None:
    """The entries of a map whose keys are all in ``table``; unknown, missing and unbuilt ones are noted.

    ``elsewhere`` says in which other map a key belongs that people look for in this one.
    """
    if not isinstance(cursor.node, MapNode):
        cursor.expected("a map")
        return None
    children: dict[str, Cursor] = {}
    for name, child in cursor.entries():
        key = table.get(name)
        if key is None:
            _unknown_key(cursor, name, table, elsewhere or {})
        elif child.is_null and key.nullable:
            continue
        else:
            children[name] = child
            if key.unbuilt is not None:
                _refuse_unbuilt(name, child, key.unbuilt, key.hint)
    for name in required:
        if name not in cursor.node.entries:
            cursor.fault(f"the key '{name}' is missing")
    return Fields(cursor, children)


def guess_key(written: str, known: tuple[str, ...], cutoff: float = 0.65) -> str | None:
    """The known word that was probably meant."""
    if _SYNONYMS.get(written) in known:
        return _SYNONYMS[written]
    if len(written) > _LONGEST_GUESSED:
        return None
    import difflib

    lowered = {one.lower(): one for one in known}
    close = difflib.get_close_matches(written.lower(), lowered, 1, cutoff)
    return lowered[close[0]] if close else None


def _unknown_key(cursor: Cursor, key: str, table: Mapping[str, Key], elsewhere: Mapping[str, str]) -> None:
    if cursor.origin.faults.full:
        cursor.origin.faults.structural += 1
        return
    message = f"unknown key {shown(key)}"
    hint: str | None = f"known here: {', '.join(table)}"
    guess = guess_key(key, (*table, *elsewhere))
    if guess is not None:
        place = f" in {elsewhere[guess]}" if guess not in table else ""
        message, hint = f"{message}, did you mean '{guess}'{place}?", None
    cursor.fault_at_key(key, message, hint)


def _refuse_unbuilt(name: str, child: Cursor, shape: Callable[[Cursor], object], hint: str) -> None:
    faults = child.origin.faults
    before = faults.structural
    shape(child)
    if faults.structural == before and not _asks_nothing(child.node):
        child.refuse(name, hint)


def _asks_nothing(node: Node) -> bool:
    if isinstance(node, ScalarNode):
        return node.flawed or node.value is None or node.value is False
    return not (node.items if isinstance(node, ListNode) else node.entries)
