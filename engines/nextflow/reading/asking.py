"""Asking: the probe in the engine's own JVM is asked what a workflow is, and answers in JSON.

Configuration and scripts are programs, so they are read where a run would be: with no network, and with nothing but a
scratch folder to write to.
"""

from __future__ import annotations

import json
import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from engines.base import InstalledEngine, Wish
from engines.isolation import Isolation
from engines.launcher import Ending, Errand, last_words, run_errand
from engines.nextflow.child_process import child_argv, offline_environment
from engines.nextflow.reading.engine_words import sentence
from engines.nextflow.secrets import hidden, secrets_environment, write_secrets
from engines.nextflow.setup.launching import java_command
from staging.errors import DefinitionError, EngineError, Fault

_TIME_LIMIT = 180.0
_LONGEST_ANSWER = 1 << 26
_PROBE = "wfexslike.Probe"


def ask(
    folder: Path, script: PurePosixPath, engine: InstalledEngine, wish: Wish, plugins: Path | None
) -> dict[str, Any]:
    """The probe's answer.

    Raises:
        DefinitionError: reading the workflow takes too long.
        EngineError: the engine could not be started, or broke.
    """
    with tempfile.TemporaryDirectory(prefix="wfexs-like-") as place:
        scratch = Path(place).resolve()
        answer = scratch / "answer.json"
        (scratch / "home").mkdir()
        (scratch / "launch").mkdir()
        question = {
            "script": str(folder / script),
            "base": str(base_folder(folder, script)),
            "profiles": ",".join(wish.settings.profiles) or None,
            "params": wish.parameters,
            "containers": wish.containers,
            "plugins": None if plugins is None else str(plugins),
            "answer": str(answer),
        }
        java_home = engine.program.resolve().parents[1]
        # Configuration may speak of secrets; what they are is nothing to read it by.
        secrets = write_secrets({one: hidden(one) for one in wish.settings.secrets}, scratch / "secrets.json")

        def request(isolation: Isolation) -> Mapping[str, object]:
            return {
                "content": str(folder),
                "read_only": [str(folder), str(engine.home), str(java_home)] if isolation.mounts else [],
                "writable": [str(scratch)],
                "all": True,
                "sealed": [],
                "network": "namespace" if isolation.network else "none",
                "command": list(
                    java_command(engine, tmp=scratch, main=_PROBE, properties={"user.home": str(scratch / "home")})
                ),
                "environment": {
                    **offline_environment(
                        nxf_home=scratch / "nxf",
                        tmp=scratch,
                        java_home=java_home,
                        plugins=plugins or scratch / "none",
                    ),
                    **secrets_environment(secrets),
                    "PWD": str(scratch / "launch"),
                },
                "cwd": str(scratch / "launch"),
                "input": json.dumps(question),
            }

        log = scratch / "log"
        outcome = run_errand(
            Errand(
                argv=child_argv(),
                request=request,
                log=log,
                mark=os.urandom(16).hex(),
                environment={"HOME": str(scratch / "home"), "TMPDIR": str(scratch)},
                cwd=scratch,
                time_limit=_TIME_LIMIT,
            ),
            started=lambda _: None,
            heard=lambda _: None,
        )
        words = last_words(log)
        if outcome.ending is Ending.CANCELLED:
            raise KeyboardInterrupt
        if outcome.ending is Ending.TIMEOUT:
            raise _too_slow(str(script))
        try:
            told = json.loads(_read_answer(answer))
        except (OSError, ValueError, RecursionError) as error:
            reason = sentence("\n".join(words[-3:]), folder) if words else "it said nothing"
            raise EngineError(f"Nextflow could not read the workflow: {reason}", where=str(script)) from error
    return told if isinstance(told, dict) else {}


def _read_answer(path: Path) -> bytes:
    """The answer's bytes. The workflow's own code could have put anything there: only a plain file is one.

    Raises:
        OSError: there is none.
        ValueError: it is something else, or longer than any answer.
    """
    number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(number, "rb") as stream:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise ValueError("it is no file")
        told = stream.read(_LONGEST_ANSWER + 1)
    if len(told) > _LONGEST_ANSWER:
        raise ValueError("it is too long")
    return told


def base_folder(folder: Path, script: PurePosixPath) -> Path:
    """The folder that ``nextflow.config`` is taken from: the script's own, or the project's."""
    beside = folder / script.parent
    return beside if (beside / "nextflow.config").is_file() else folder


def _too_slow(script: str) -> DefinitionError:
    message = f"Nextflow did not understand {script} within {_TIME_LIMIT:.0f} seconds"
    return DefinitionError((Fault(file=script, where="", message=message),), message=message)
