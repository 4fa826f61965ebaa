"""From the events of a YAML parser to nodes, within the limits that ``staging.documents`` promises."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml

from staging.errors import DefinitionError, Fault
from staging.nodes import Document, ListNode, MapNode, Node, ScalarNode, below, shown
from staging.plain_scalars import AmbiguousScalarError, read_plain_scalar

MAX_DEPTH = 100
MAX_VALUES = 100_000
MAX_FAULTS = 1000

_LONGEST_LABEL = 40


def _events(data: bytes) -> Iterator[yaml.Event]:
    # Both only parse here; the pure-Python one gives the same events, some twenty times slower.
    parse: Callable[[bytes], Any] = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
    parser = parse(data)
    while parser.check_event():
        yield parser.get_event()


def _start(event: yaml.Event) -> tuple[int, int]:
    """The line and column, from 1, where an event begins."""
    mark: Any = event.start_mark
    return mark.line + 1, mark.column + 1


@dataclass(slots=True, kw_only=True)
class _Frame:
    """A list or map that is being filled. ``start`` is the count of values when it began."""

    node: ListNode | MapNode
    anchor: str | None
    start: int
    height: int = 1
    key: str | None = None
    skip: bool = False
    merge: Node | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Anchored:
    node: Node
    values: int
    height: int


@dataclass(slots=True)
class Composer:
    """Makes nodes of events, with a stack of its own, so that depth costs nothing."""

    file: str
    stack: list[_Frame] = field(default_factory=list)
    anchors: dict[str, _Anchored] = field(default_factory=dict)
    open_anchors: set[str] = field(default_factory=set)
    faults: list[Fault] = field(default_factory=list)
    count: int = 0
    root: Node | None = None

    def compose(self, data: bytes, text: str) -> Document:
        """Read all events.

        Raises:
            DefinitionError: not YAML, or beyond a limit.
        """
        documents = 0
        try:
            for event in _events(data):
                if isinstance(event, yaml.ScalarEvent):
                    self._scalar(event)
                elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
                    self._open(event)
                elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
                    self._close()
                elif isinstance(event, yaml.AliasEvent):
                    self._alias(event)
                elif isinstance(event, yaml.DocumentStartEvent):
                    documents += 1
                    if documents > 1:
                        self._stop(event, "a second document starts here", "only one document a file is read")
        except yaml.YAMLError as error:
            self._not_yaml(error, data)
        if self.root is None:
            self._give_up(Fault(file=self.file, where="", message="the document is empty", line=1, column=1))
        return Document(file=self.file, text=text, root=self.root, faults=tuple(self.faults))

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        line, column = _start(event)
        text = event.value
        node = ScalarNode(text, text, line, column)
        self.count += 1
        if self.count > MAX_VALUES:
            self._too_many(event)
        if event.tag is not None:
            self._tag(event, event.tag)
            node.flawed = True
        if event.anchor is not None:
            self.anchors[event.anchor] = _Anchored(node=node, values=1, height=0)
        if "\0" in text:
            self._fault("a text can't have a NUL in it", line, column)
            node.flawed = True
        frame = self.stack[-1] if self.stack else None
        if frame is not None and frame.key is None and frame.node.__class__ is MapNode:
            self._key(frame, node, plain_word=event.implicit[0])
            return
        if event.implicit[0] and not node.flawed:
            try:
                node.value = read_plain_scalar(text)
            except AmbiguousScalarError as error:
                self._fault(error.message, line, column, error.hint)
                node.flawed = True
        self._add(node, 0)

    def _open(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
        line, column = _start(event)
        if len(self.stack) >= MAX_DEPTH:
            self.stack.clear()  # such a path would say nothing
            self._stop(event, f"the document is nested more than {MAX_DEPTH} levels deep", None)
        self._count(1, event)
        if event.tag is not None:
            self._tag(event, event.tag)
        parent = self.stack[-1] if self.stack else None
        if parent is not None and parent.key is None and isinstance(parent.node, MapNode):
            self._stop(event, "a key must be a text, not a list or a map", None)
        node: ListNode | MapNode
        node = (
            MapNode({}, {}, line, column) if isinstance(event, yaml.MappingStartEvent) else ListNode([], line, column)
        )
        if event.anchor is not None:
            self.anchors.pop(event.anchor, None)
            self.open_anchors.add(event.anchor)
        self.stack.append(_Frame(node=node, anchor=event.anchor, start=self.count))

    def _close(self) -> None:
        frame = self.stack.pop()
        if frame.merge is not None and isinstance(frame.node, MapNode):
            self._merge(frame.node, frame.merge)
        if frame.anchor is not None:
            self.open_anchors.discard(frame.anchor)
            values = self.count - frame.start + 1
            self.anchors[frame.anchor] = _Anchored(node=frame.node, values=values, height=frame.height)
        self._add(frame.node, frame.height)

    def _alias(self, event: yaml.AliasEvent) -> None:
        name = event.anchor or ""
        label = name if len(name) <= _LONGEST_LABEL else name[:_LONGEST_LABEL] + "..."
        if name in self.open_anchors:
            self._stop(event, f"the alias *{label} contains itself", "write the value out")
        anchored = self.anchors.get(name)
        if anchored is None:
            self._stop(event, f"the alias *{label} has no anchor &{label} before it", None)
        self._count(anchored.values, event)
        if len(self.stack) + anchored.height > MAX_DEPTH:
            self._stop(event, f"with its aliases, the document is nested more than {MAX_DEPTH} levels deep", None)
        frame = self.stack[-1]
        if frame.key is None and isinstance(frame.node, MapNode):
            if not isinstance(anchored.node, ScalarNode):
                self._stop(event, "a key must be a text, not a list or a map", None)
            text = anchored.node.text
            self._key(frame, ScalarNode(text, text, *_start(event)), plain_word=False)
            return
        self._add(anchored.node, anchored.height)

    def _key(self, frame: _Frame, node: ScalarNode, *, plain_word: bool) -> None:
        table = frame.node
        assert isinstance(table, MapNode)
        key = node.text
        if not key:
            self._fault("a key can't be empty", node.line, node.column)
            frame.skip = True
        elif key in table.places:
            line, column = table.places[key]
            self._fault(
                f"the key {shown(key)} stands twice; the first is in line {line}, column {column}",
                node.line,
                node.column,
                "keep one of them",
                key=key,
            )
            frame.skip = True
        else:
            frame.skip = False
            table.places[key] = (node.line, node.column)
        frame.key = "<<" if key == "<<" and plain_word else f"={key}"

    def _add(self, node: Node, height: int) -> None:
        if not self.stack:
            self.root = node
            return
        frame = self.stack[-1]
        if height >= frame.height:
            frame.height = height + 1
        table = frame.node
        if isinstance(table, ListNode):
            table.items.append(node)
            return
        key = frame.key or ""
        frame.key = None
        if frame.skip:
            return
        if key == "<<":
            frame.merge = node
        else:
            table.entries[key[1:]] = node

    def _merge(self, table: MapNode, merged: Node) -> None:
        """Add the entries that ``<<`` names; what the map says itself wins, then what is named first.

        They were counted where they stand, or with the alias that brings them here.
        """
        line, column = table.places.pop("<<")
        sources = merged.items if isinstance(merged, ListNode) else [merged]
        for source in sources:
            if not isinstance(source, MapNode):
                self._fault("<< takes a map or a list of maps", line, column, "quote it if a key '<<' is meant")
                return
            for key, node in source.entries.items():
                if key not in table.entries:
                    table.entries[key] = node
                    table.places[key] = source.places[key]

    def _count(self, values: int, event: yaml.Event) -> None:
        self.count += values
        if self.count > MAX_VALUES:
            self._too_many(event)

    def _too_many(self, event: yaml.Event) -> NoReturn:
        self._stop(event, f"the document has more than {MAX_VALUES} keys and values, aliases counted each time", None)

    def _tag(self, event: yaml.NodeEvent, tag: str) -> None:
        written = tag.replace("tag:yaml.org,2002:", "!!")
        self._fault(
            f"the tag {shown(written)} is not allowed: values have no tags",
            *_start(event),
            "write the value plainly, in quotes when it is a text",
        )

    def _where(self, key: str | None = None) -> str:
        where = ""
        for frame in self.stack:
            if isinstance(frame.node, ListNode):
                where = below(where, len(frame.node.items))
            elif frame.key is not None:
                where = below(where, frame.key.removeprefix("="))
            elif key is not None:
                where = below(where, key)
        return where

    def _fault(self, message: str, line: int, column: int, hint: str | None = None, *, key: str | None = None) -> None:
        if len(self.faults) >= MAX_FAULTS:
            return
        self.faults.append(
            Fault(file=self.file, where=self._where(key), message=message, line=line, column=column, hint=hint)
        )

    def _stop(self, event: yaml.Event, message: str, hint: str | None) -> NoReturn:
        line, column = _start(event)
        self._give_up(Fault(file=self.file, where=self._where(), message=message, line=line, column=column, hint=hint))

    def _give_up(self, fault: Fault) -> NoReturn:
        raise DefinitionError((*self.faults, fault))

    def _not_yaml(self, error: yaml.YAMLError, data: bytes) -> NoReturn:
        problem: str | None = getattr(error, "problem", None)
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        if mark is None:
            reason = str(getattr(error, "reason", None) or error).splitlines()[0]
            fault = Fault(file=self.file, where="", message=f"not valid YAML: {reason}")
            raise DefinitionError((*self.faults, fault)) from error
        line, column = mark.line + 1, mark.column + 1
        context: str | None = getattr(error, "context", None)
        message, hint = f"not valid YAML: {problem}" + (f" ({context})" if context else ""), None
        if _character_at(data, line, column) == "\t":
            message, hint = "a tab can't be used for indentation or before a value", "use spaces"
        fault = Fault(file=self.file, where=self._where(), message=message, line=line, column=column, hint=hint)
        raise DefinitionError((*self.faults, fault)) from error


def _character_at(data: bytes, line: int, column: int) -> str:
    rows = data.split(b"\n", line)
    row = rows[line - 1].decode(errors="replace") if line <= len(rows) else ""
    return row[column - 1 : column]
