"""The table of verbs: name, summary and example of each, so that help and completion import no verb."""

from __future__ import annotations

from typing import Final, NamedTuple

PROGRAM: Final = "wfexs-like"


class Verb(NamedTuple):
    """One verb: its line in the help, the headline it stands under, and one example of its use."""

    name: str
    headline: str
    summary: str
    example: str


_START = "Getting ready"
_WORK = "From a stage file to a crate"
_LOOK = "Working directories"
_READ = "What crates and runs tell"
_FOR_FEW = "What only some may see"
_SHELL = "The store, documents and the shell"

HEADLINES: Final = (_START, _WORK, _LOOK, _READ, _FOR_FEW, _SHELL)

VERBS: Final[tuple[Verb, ...]] = (
    Verb("init", _START, "Write a config and make this installation's keys.", 'wfexs-like init --name "Ada Lovelace"'),
    Verb("keys", _START, "Make, list and give away this installation's keys.", "wfexs-like keys list"),
    Verb("doctor", _START, "Say what this machine can do, with the fix for what it cannot.", "wfexs-like doctor"),
    Verb("engines", _START, "List the engines and their versions, or set one up.", "wfexs-like engines list"),
    Verb("check", _WORK, "Find every fault of a stage file; nothing is fetched.", "wfexs-like check demo.wfex.stage"),
    Verb(
        "resolve", _WORK, "Show what staging would fetch: sizes, licences, risks.", "wfexs-like resolve demo.wfex.stage"
    ),
    Verb("stage", _WORK, "Fetch, verify and lock everything a workflow needs.", "wfexs-like stage demo.wfex.stage"),
    Verb(
        "run",
        _WORK,
        "Execute a staged workflow, offline; as often as you like.",
        "wfexs-like run last --param threads=4",
    ),
    Verb(
        "crate",
        _WORK,
        "Export an RO-Crate, validated.",
        "wfexs-like crate last results.crate.zip --retrospective --include all",
    ),
    Verb(
        "execute",
        _WORK,
        "Stage, run and (with --crate) export in one go.",
        "wfexs-like execute demo.wfex.stage --crate results.crate.zip",
    ),
    Verb(
        "import",
        _WORK,
        "Make a working directory of a crate, to run it again.",
        "wfexs-like import results.crate.zip --nickname again",
    ),
    Verb("list", _LOOK, "List the working directories.", "wfexs-like list"),
    Verb("show", _LOOK, "Show a working directory: its items and its runs.", "wfexs-like show last"),
    Verb("logs", _LOOK, "Print what a run wrote.", "wfexs-like logs last 2"),
    Verb("cancel", _LOOK, "Stop a run and everything it started.", "wfexs-like cancel last"),
    Verb(
        "shell",
        _LOOK,
        "Work in a working directory, encrypted ones included.",
        "wfexs-like shell last -- ls runs/1/outputs",
    ),
    Verb("mount", _LOOK, "Open an encrypted working directory until it is unmounted.", "wfexs-like mount last"),
    Verb("unmount", _LOOK, "Close an encrypted working directory.", "wfexs-like unmount last"),
    Verb("rm", _LOOK, "Remove a working directory with all its runs.", "wfexs-like rm last --yes"),
    Verb(
        "report",
        _READ,
        "Tell what ran, when, by whom and on what.",
        "wfexs-like report results.crate.zip --html results.html",
    ),
    Verb(
        "compare",
        _READ,
        "Say whether two runs are the same, and where they first differ.",
        "wfexs-like compare last:1 results.crate.zip",
    ),
    Verb("validate", _READ, "Check any crate against its profile, offline.", "wfexs-like validate results.crate.zip"),
    Verb(
        "verify",
        _READ,
        "Hold any crate against its digests and its signature.",
        "wfexs-like verify results.crate.zip --signer ada.pub",
    ),
    Verb(
        "convert",
        _READ,
        "Say what any crate tells as W3C PROV or a BioCompute Object.",
        "wfexs-like convert results.crate.zip --to prov -o prov.ttl",
    ),
    Verb(
        "open",
        _FOR_FEW,
        "Open a sealed crate that is for you, verified.",
        "wfexs-like open results.sealed.zip results",
    ),
    Verb(
        "recipients",
        _FOR_FEW,
        "Tell and change who may open what is encrypted or sealed.",
        "wfexs-like recipients add last --recipient ada.pub",
    ),
    Verb(
        "audit",
        _FOR_FEW,
        "Look for secrets of a working directory outside of its vault.",
        "wfexs-like audit last --canary-file canaries.txt --report audit.json",
    ),
    Verb("cache", _SHELL, "List, fill, verify and clean the content store.", "wfexs-like cache gc --dry-run"),
    Verb("schema", _SHELL, "Print the JSON Schema of a document.", "wfexs-like schema stage"),
    Verb(
        "completion",
        _SHELL,
        "Print a completion script for your shell.",
        "wfexs-like completion bash > ~/.local/share/bash-completion/completions/wfexs-like",
    ),
    Verb("man", _SHELL, "Print the manual page.", "wfexs-like man | man -l -"),
)

NAMES: Final = tuple(verb.name for verb in VERBS)

PLANNED: Final[tuple[str, ...]] = ("publish",)
"""Verbs of the design that are not built yet: named in the message of a user who tries one."""


def find(name: str) -> Verb:
    """The verb of that name.

    Raises:
        KeyError: there is none.
    """
    for verb in VERBS:
        if verb.name == name:
            return verb
    raise KeyError(name)
