"""Data: what filled one parameter in two runs, held against each other file by file and value by value."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from staging.fingerprints import CHUNK
from wfexs_like.comparing.files import Manner, compare_files
from wfexs_like.comparing.formats.documents import compare_values
from wfexs_like.comparing.sides import LINK, Leaf, Side
from wfexs_like.comparing.verdicts import IDENTICAL, Comparison, different, equivalent, unknown
from wfexs_like.reading.account import Item, Slot

MISSING: Final = "only one of them has it"
AT_ODDS: Final = "the same digest is stated, but its size differs: verify tells which of them isn't what is stated"
_DEEPEST: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One file, folder or value of two runs: its name, and what is to be said of it."""

    name: str
    comparison: Comparison


class Comparing:
    """Compares the data of two sides in one manner."""

    def __init__(self, a: Side, b: Side, manner: Manner) -> None:
        self.a = a
        self.b = b
        self.manner = manner
        self._secret = a.secret or b.secret

    def slots(self, a: Sequence[Slot], b: Sequence[Slot]) -> Iterator[Compared]:
        """All that two executions have under the names of their parameters."""
        ours, theirs = _by_name(a), _by_name(b)
        filled = {short_name(one.name) for one in (*a, *b) if one.parameter is not None}
        for place, name in enumerate(dict.fromkeys((*ours, *theirs)), start=1):
            found = self._told(self._items(name, ours.get(name, ()), theirs.get(name, ()), 0))
            yield from found if not self._secret else _nameless(name if name in filled else str(place), name, found)

    def _told(self, found: Iterator[Compared]) -> Iterator[Compared]:
        for one in found:
            yield replace(one, comparison=one.comparison.discreet()) if self._secret else one

    def _items(self, name: str, a: Sequence[Item], b: Sequence[Item], depth: int) -> Iterator[Compared]:
        for label, one, other in _pairs(name, a, b):
            if one is None or other is None:
                shown = (None if item is None else _shown(item) for item in (one, other))
                yield Compared(name=label, comparison=different(MISSING, None, *shown))
            else:
                yield from self._item(label, one, other, depth)

    def _item(self, name: str, a: Item, b: Item, depth: int) -> Iterator[Compared]:
        if a.kind != b.kind:
            yield Compared(name=name, comparison=different("it is of another kind", None, a.kind, b.kind))
        elif a.kind == "file":
            yield Compared(name=name, comparison=self._leaf(self.a.leaf(a), self.b.leaf(b)))
        elif a.kind == "folder":
            yield from self._folder(name, a, b)
        elif (a.parts or b.parts) and depth < _DEEPEST:
            yield from self._items(name, a.parts, b.parts, depth + 1)
        else:
            yield Compared(name=name, comparison=self._value(a, b))

    def _leaf(self, a: Leaf, b: Leaf) -> Comparison:
        common = a.digests.keys() & b.digests.keys()
        alike = {a.digests[one] == b.digests[one] for one in common}
        if alike == {True}:
            return IDENTICAL if _may_be_the_same(a, b) else unknown(AT_ODDS)
        if a.source is not None and b.source is not None:
            unreadable: tuple[type[Exception], ...] = (*self.a.contents.errors, *self.b.contents.errors, OSError)
            try:
                return compare_files(a.source, b.source, self.manner)
            except unreadable:
                return unknown("it can't be read")
        known = _found_out(a, b) if not common else None
        if known is not None:
            return IDENTICAL if known else different("its digest differs", None)
        if not common:
            return unknown("there are neither digests of one kind nor the bytes of both")
        return self._without_bytes(a.digests, b.digests)

    def _without_bytes(self, a: Mapping[str, str], b: Mapping[str, str]) -> Comparison:
        unlike = [one for one in a.keys() & b.keys() if a[one] != b[one]]
        if LINK in unlike:
            return different("it is a link to something else", None, a[LINK], b[LINK])
        one = "sha256" if "sha256" in unlike else min(unlike)
        reason = f"its {one} differs" + ("" if self.manner.strict else ", and the bytes to look into aren't there")
        return different(reason, None, a[one], b[one])

    def _folder(self, name: str, a: Item, b: Item) -> Iterator[Compared]:
        if a.digests and a.digests == b.digests:
            yield Compared(name=name, comparison=IDENTICAL)
            return
        ours, theirs = self.a.files(a), self.b.files(b)
        if ours is None or theirs is None:
            if a.digests and b.digests:
                yield Compared(name=name, comparison=different("its tree digest differs, and its files aren't there"))
            else:
                yield Compared(name=name, comparison=unknown("its files are neither there nor told of"))
            return
        for path in sorted(ours.keys() | theirs.keys()):
            one, other = ours.get(path), theirs.get(path)
            shown = (path if side is not None else None for side in (one, other))
            found = different(MISSING, None, *shown) if one is None or other is None else self._leaf(one, other)
            yield Compared(name=f"{name}/{path}", comparison=found)

    def _value(self, a: Item, b: Item) -> Comparison:
        if a.kind != "value":
            return IDENTICAL if a.id == b.id else unknown("what it is isn't told")
        if a.value is None or b.value is None:
            return unknown("its value isn't told")
        found, rounded = compare_values(a.value, b.value, 0.0 if self.manner.strict else self.manner.tolerance)
        if found is not None:
            return replace(found, reason="its values differ")
        return equivalent("numbers differ within the tolerance") if rounded else IDENTICAL


def _nameless(shown: str, name: str, found: Iterator[Compared]) -> Iterator[Compared]:
    """Without the names of files, which are of the content, too."""
    for place, one in enumerate(found, start=1):
        yield replace(one, name=shown if one.name == name else f"{shown}/{place}")


def _may_be_the_same(a: Leaf, b: Leaf) -> bool:
    """Whether the sizes of the bytes at hand don't belie that their digests are told to be the same."""
    if LINK in a.digests:
        return True
    sizes = {one.source.size for one in (a, b) if one.source is not None and one.source.size is not None}
    return len(sizes) < 2  # noqa: PLR2004 - one each


def _found_out(a: Leaf, b: Leaf) -> bool | None:
    """Whether two are the same, of which one has bytes and the other digests; ``None`` where nobody can tell."""
    for one, other in ((a, b), (b, a)):
        names = [name for name in ("sha256", *sorted(other.digests)) if name in other.digests]
        algorithm = next((name for name in names if name in hashlib.algorithms_guaranteed), None)
        if one.source is not None and algorithm is not None:
            with suppress(OSError, EOFError, zipfile.BadZipFile, zlib.error), one.source.stream() as stream:
                digest = hashlib.new(algorithm)
                while chunk := stream.read(CHUNK):
                    digest.update(chunk)
                return digest.hexdigest() == other.digests[algorithm].lower()
    return None


def _by_name(slots: Sequence[Slot]) -> Mapping[str, Sequence[Item]]:
    """What fills parameters, by their own names; of what fills none, by the items'."""
    found: dict[str, list[Item]] = defaultdict(list)
    for slot in slots:
        if slot.parameter is None:
            for item in slot.items:
                found[item.name].append(item)
        else:
            found[short_name(slot.name)] += slot.items
    return found


def short_name(name: str) -> str:
    """A parameter's own name, without that of the document or the process that it is in."""
    return name.rpartition("#")[2].rpartition("/")[2] or name


def _pairs(name: str, a: Sequence[Item], b: Sequence[Item]) -> Iterator[tuple[str, Item | None, Item | None]]:
    """Which item stands for which: of one name, where names tell them apart, else at one place."""
    if len(a) <= 1 and len(b) <= 1:
        yield name, next(iter(a), None), next(iter(b), None)
        return
    ours, theirs = {one.name: one for one in a}, {one.name: one for one in b}
    values = any(one.kind == "value" for one in (*a, *b))
    if len(ours) == len(a) and len(theirs) == len(b) and not (values and ours.keys() != theirs.keys()):
        for one in dict.fromkeys((*ours, *theirs)):
            yield f"{name}/{one}", ours.get(one), theirs.get(one)
        return
    for place in range(max(len(a), len(b))):
        yield (
            f"{name}/{place + 1}",
            a[place] if place < len(a) else None,
            b[place] if place < len(b) else None,
        )


def _shown(item: Item) -> str:
    return str(item.value) if item.kind == "value" else item.name
