"""What a word without quotes means in a document that a person wrote.

The rule is YAML 1.2's core schema, with one thing on top: **what two YAML readers in daily use would read differently
is refused**, with what to write instead. So nobody's ``no`` becomes ``false`` and nobody's ``007`` becomes 7.

=====================================  ==========================================================
written                                read as
=====================================  ==========================================================
``true True TRUE false False FALSE``   a truth value
``null Null NULL ~`` and nothing       null
``12 -3 +4 0x1F 0o17``                 an integer
``1.5 .5 2. 1e5 -2.5E-3``              a number
``yes no on off`` (any case)           refused: YAML 1.1 reads a truth value, YAML 1.2 a text
``017 007 00.5``                       refused: octal, decimal or a text with its zeros?
``1:30 190:20:30``                     refused: YAML 1.1 reads base 60, YAML 1.2 a text
``1_000 0b101``                        refused: YAML 1.1 reads a number, YAML 1.2 a text
``.inf .nan NaN Infinity``             refused: no value of the stage file can be that
anything else, ``2024-01-31`` too      the text as it stands
=====================================  ==========================================================

In quotes everything is text. Source: YAML 1.2.2 section 10.3; YAML 1.1 types (bool, int, float, timestamp).
"""

from __future__ import annotations

import math
import re

from staging.definition import Scalar

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_OLD_TRUTH = frozenset(form for word in ("yes", "no", "on", "off") for form in (word, word.capitalize(), word.upper()))
_NOT_FINITE = frozenset({"NaN", "Infinity", "-Infinity", "+Infinity"})

# Every text that starts otherwise is just a text.
_MAYBE_SPECIAL = frozenset("0123456789+-.~nNtTfFyYoOI")

_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_OTHER_BASE = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_NUMBER = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?")
_SEXAGESIMAL = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")
_UNDERSCORED = re.compile(
    r"[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?|\.[0-9][0-9_]*)"
)
_POINT_WORD = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")

# Far beyond any real number, and well below where turning digits into an integer becomes slow.
_MAX_DIGITS = 400


class AmbiguousScalarError(ValueError):
    """A word that readers of YAML don't agree on. ``hint`` says what to write instead."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def read_plain_scalar(text: str) -> Scalar:
    """The value of a word without quotes.

    Raises:
        AmbiguousScalarError: readers of YAML would not agree on it, or it is no finite number.
    """
    if text and text[0] not in _MAYBE_SPECIAL:
        return text
    if text in _NULL:
        return None
    if text in _TRUTH:
        return _TRUTH[text]
    if text in _OLD_TRUTH:
        meant = "true" if text.lower() in ("yes", "on") else "false"
        raise AmbiguousScalarError(
            f"{text} is a truth value to some readers of YAML and a text to others",
            f"write {meant}, or '{text}' in quotes for the text",
        )
    if text in _NOT_FINITE or _POINT_WORD.fullmatch(text):
        raise AmbiguousScalarError(
            f"{text} is not a finite number", f"write a number, or '{text}' in quotes for the text"
        )
    return _read_number(text)


def _read_number(text: str) -> Scalar:
    if len(text) > _MAX_DIGITS:
        if _NUMBER.fullmatch(text) or _OTHER_BASE.fullmatch(text):
            raise AmbiguousScalarError(
                f"a number of {len(text)} characters is too long", "put quotes around it for a text"
            )
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    if _OTHER_BASE.fullmatch(text):
        return int(text[2:], 8 if text[1] == "o" else 16)
    if _NUMBER.fullmatch(text):
        number = float(text)
        if math.isinf(number):
            raise AmbiguousScalarError(f"{text} is too large for a number", f"write '{text}' in quotes for the text")
        return number
    _refuse_disputed(text)
    return text


def _refuse_disputed(text: str) -> None:
    if _LEADING_ZERO.fullmatch(text):
        plain = text.lstrip("+-").lstrip("0") or "0"
        plain = f"0{plain}" if plain.startswith((".", "e", "E")) else plain
        sign = "-" if text.startswith("-") else ""
        raise AmbiguousScalarError(
            f"{text} with its leading zero is octal to some readers of YAML and decimal to others",
            f"write {sign}{plain} for the number, or '{text}' in quotes for the text",
        )
    if _SEXAGESIMAL.fullmatch(text):
        raise AmbiguousScalarError(
            f"{text} is a number to base 60 to some readers of YAML and a text to others",
            f"write '{text}' in quotes for the text",
        )
    if _UNDERSCORED.fullmatch(text):
        raise AmbiguousScalarError(
            f"{text} is a number to some readers of YAML and a text to others",
            f"write the number in decimal digits alone, or '{text}' in quotes for the text",
        )
