"""Groovy text, read as words, marks and strings without a JVM: enough for configuration and ``include`` statements.

Tolerant: whatever is no Groovy is read as marks; nothing raises. Comments are left out. Pure.
Source: the Groovy language's syntax (strings, GStrings, comments), as Nextflow's scripts and configurations use it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

_SKIPPED = re.compile(r"(?:[ \t\r\f\v\ufeff]+|\\\r?\n|//[^\n]*|\A#![^\n]*)+")
_BLOCK_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_WORD = re.compile(r"[^\W\d]\w*")
_NUMBER = re.compile(r"\d[\w]*(?:\.\d+)?")
_SINGLE = re.compile(r"'((?:[^'\\\n]|\\.)*)(?:'|(?=\n)|\\?\Z)", re.DOTALL)
_TRIPLE_SINGLE = re.compile(r"'''((?:[^'\\]|\\.|'(?!''))*)(?:'''|\\?\Z)", re.DOTALL)
_SLASHY = re.compile(r"/((?:[^/\\\n]|\\.)+)/")
_DOLLAR_SLASHY = re.compile(r"\$/(.*?)(?:/\$|\Z)", re.DOTALL)
_VARIABLE = re.compile(r"\$([^\W\d]\w*(?:\.[^\W\d]\w*)*)")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "\n": ""}
_ESCAPE = re.compile(r"\\(?:u+([0-9a-fA-F]{4})|(.))", re.DOTALL)
# A slash after one of these starts a string; after a value it divides.
_BEFORE_SLASHY = frozenset("([{,=~:;!&|?+<>\n")


class TokenKind(StrEnum):
    """What a token is; a mark is one character of anything else (a line's end too)."""

    WORD = "word"
    STRING = "string"
    MARK = "mark"


class Part(NamedTuple):
    """A part of a string: text as it is, or code (``params.x`` of ``${params.x}``) whose value is not known here."""

    text: str
    code: bool = False


class Token(NamedTuple):
    """One token. ``depth`` counts the braces that are open around it; ``parts`` are those of a string."""

    kind: TokenKind
    text: str
    depth: int
    parts: tuple[Part, ...] = ()

    @property
    def literal(self) -> str | None:
        """The value of a string in which nothing has to be evaluated."""
        if self.kind is not TokenKind.STRING or any(part.code for part in self.parts):
            return None
        return "".join(part.text for part in self.parts)

    def is_mark(self, character: str) -> bool:
        """Whether it is that mark."""
        return self.kind is TokenKind.MARK and self.text == character


def tokens(text: str) -> Iterator[Token]:
    """The tokens of a text in their order."""
    position, depth, before = 0, 0, "\n"
    while position < len(text):
        skipped = _BLOCK_COMMENT.match(text, position) or _SKIPPED.match(text, position)
        if skipped is not None:
            position = skipped.end()
            continue
        string = _string(text, position, before)
        if string is not None:
            parts, end = string
            yield Token(TokenKind.STRING, text[position:end], depth, parts)
            position, before = end, "a"
            continue
        word = _WORD.match(text, position) or _NUMBER.match(text, position)
        if word is not None:
            yield Token(TokenKind.WORD, word.group(), depth)
            position, before = word.end(), "a"
            continue
        character = text[position]
        depth = max(0, depth - 1) if character == "}" else depth
        yield Token(TokenKind.MARK, character, depth)
        depth += character == "{"
        position, before = position + 1, character


def _string(text: str, position: int, before: str) -> tuple[tuple[Part, ...], int] | None:
    """The parts and the end of the string that starts at ``position``, if one does."""
    character = text[position]
    if character == '"':
        return _interpolated(text, position)
    if character == "'":
        match = _TRIPLE_SINGLE.match(text, position) or _SINGLE.match(text, position)
    elif character == "/" and before in _BEFORE_SLASHY:
        match = _SLASHY.match(text, position)
    else:
        match = _DOLLAR_SLASHY.match(text, position) if character == "$" else None
    if match is None:
        return None
    value = match.group(1)
    # Nobody asks for the value of a pattern that has variables in it.
    return (
        Part(_unescaped(value) if character == "'" else value, code=character != "'" and "$" in value),
    ), match.end()


def _interpolated(text: str, start: int) -> tuple[tuple[Part, ...], int]:
    """A string in double quotes, which may have code in it with strings in it again. In one pass, whatever comes."""
    quote = _quote(text, start)
    position = begun = start + len(quote)
    parts: list[Part] = []
    inside = [quote]
    while position < len(text):
        character = text[position]
        if inside[-1] == "{":
            position = _in_code(text, position, inside)
            if len(inside) == 1:
                parts.append(Part(text[begun : position - 1].strip(), code=True))
                begun = position
        elif text.startswith(inside[-1], position) or (character == "\n" and inside[-1] == '"'):
            # A string that its line doesn't end is one all the same: the text is no Groovy then.
            ended = inside.pop()
            if not inside:
                parts.append(Part(_unescaped(text[begun:position])))
                return _told(parts), position + (0 if character == "\n" else len(ended))
            position += 1 if character == "\n" else len(ended)
        elif character == "$" and text.startswith("{", position + 1):
            if len(inside) == 1:
                parts.append(Part(_unescaped(text[begun:position])))
                begun = position + 2
            inside.append("{")
            position += 2
        elif character == "$" and len(inside) == 1 and (variable := _VARIABLE.match(text, position)):
            parts += (Part(_unescaped(text[begun:position])), Part(variable.group(1), code=True))
            position = begun = variable.end()
        else:
            position += 2 if character == "\\" else 1
    parts.append(Part(_unescaped(text[begun:]), code=len(inside) > 1))
    return _told(parts), len(text)


def _in_code(text: str, position: int, inside: list[str]) -> int:
    """One step through the code of a string; ``inside`` has what is open, and is changed."""
    character = text[position]
    if character == '"':
        inside.append(_quote(text, position))
        return position + len(inside[-1])
    if character == "'":
        match = _SINGLE.match(text, position)
        return position + 1 if match is None else match.end()
    if character == "{":
        inside.append("{")
    elif character == "}":
        inside.pop()
    return position + 1


def _quote(text: str, position: int) -> str:
    return '"""' if text.startswith('"""', position) else '"'


def _told(parts: list[Part]) -> tuple[Part, ...]:
    return tuple(part for part in parts if part.text or part.code)


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(_escape, text) if "\\" in text else text


def _escape(match: re.Match[str]) -> str:
    if match.group(1):
        character = chr(int(match.group(1), 16))
        return character if not "\ud800" <= character <= "\udfff" else "\ufffd"
    return _ESCAPES.get(match.group(2), match.group(2))
