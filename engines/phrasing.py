"""Phrasing: what a program said, or left unsaid, in one sentence."""

from __future__ import annotations

import re

UNTOLD = "it failed"
"""The sentence where nothing was said."""

_TELLING = re.compile(r"\b[A-Z]\w*(Error|Exception)\b")
_LONGEST_SENTENCE = 400


def died(code: int | None) -> str:
    """Why a child ended that never said so; ``code`` as ``subprocess`` has it."""
    words = "the engine ended without a word"
    if code is not None and (code < 0 or code > 128):  # noqa: PLR2004 - 128 + signal, as shells say it
        words += f" (signal {-code if code < 0 else code - 128}; was there enough memory?)"
    return words


def sentence(text: str) -> str:
    """What was said, in a line: of many lines the first, and the one that names an error. The log has them all."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return UNTOLD
    chosen = lines[:1]
    if len(lines) > 1:
        telling = [line for line in lines[1:] if _TELLING.search(line)]
        chosen += telling[:1] or lines[1:2]
    return " ".join(chosen)[:_LONGEST_SENTENCE].rstrip(".:")
