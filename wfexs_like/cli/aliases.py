"""Aliases: WfExS-backend's verbs and their options, translated into ours before anything is parsed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from staging.errors import UsageError
from wfexs_like.cli.options import GLOBAL_FLAGS, GLOBAL_VALUES

if TYPE_CHECKING:
    from wfexs_like.cli.context import App

# Verb of theirs -> verb of ours, and the words that belong behind its arguments.
_VERBS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "offline-execute": ("run", ()),
    "export-crate": ("crate", ()),
    "staged-workdir ls": ("list", ()),
    "staged-workdir rm": ("rm", ()),
    "staged-workdir show": ("show", ()),
    "staged-workdir status": ("show", ()),
    "staged-workdir offline-exec": ("run", ()),
    "staged-workdir mount": ("mount", ()),
    "staged-workdir shell": ("shell", ()),
    "staged-workdir create-staged-crate": ("crate", ("--prospective",)),
    "staged-workdir create-prov-crate": ("crate", ("--retrospective",)),
    "export-stage": ("crate", ("--prospective",)),
}
_NOTHING: Final[tuple[str, ...]] = ()
# Their -W STAGE and -J WORKDIR are our first argument.
_OPERANDS: Final = ("-W", "--workflow-config", "-J", "--staged-job-dir")
_TAKES_OPERAND: Final = ("stage", "run", "execute", "crate", "check")


def translate(argv: Sequence[str], app: App | None = None) -> list[str]:
    """``argv`` (global options first) in our own words.

    Raises:
        UsageError: ``staged-workdir`` with an action that we don't know.
    """
    words = list(argv)
    start = _verb_index(words)
    if start >= len(words):
        return words
    front, name, rest = words[:start], words[start], words[start + 1 :]
    verb, extra = name, _NOTHING
    if name == "staged-workdir":
        action = rest.pop(0) if rest else ""
        name = f"{name} {action}".strip()
        if name not in _VERBS:
            known = ", ".join(sorted(key.split()[1] for key in _VERBS if " " in key))
            raise UsageError(f"staged-workdir knows no {action!r}", hint=f"it knows {known}")
    if name in _VERBS:
        verb, extra = _VERBS[name]
        if app is not None:
            app.say(f'"{name}" is "wfexs-like {" ".join((verb, *extra))}" here')
    if verb in _TAKES_OPERAND:
        rest = _operands_first(rest)
    return [*front, verb, *rest[: _end(rest)], *extra, *rest[_end(rest) :]]


def _verb_index(words: Sequence[str]) -> int:
    index = 0
    while index < len(words) and (words[index] in GLOBAL_FLAGS or words[index].startswith("--")):
        index += 2 if words[index] in GLOBAL_VALUES else 1
        if words[index - 1] == "--":
            return len(words)
    return index


def _operands_first(rest: Sequence[str]) -> list[str]:
    operands: list[str] = []
    others: list[str] = []
    end = _end(rest)
    words = iter(rest[:end])
    for word in words:
        if word in _OPERANDS:
            operands += [one for one in (next(words, None),) if one is not None]
        else:
            others.append(word)
    return [*operands, *others, *rest[end:]]


def _end(rest: Sequence[str]) -> int:
    return list(rest).index("--") if "--" in rest else len(rest)
