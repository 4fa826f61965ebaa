"""The oracle: bare cwltool in one process of its own, asked case by case over its standard streams.

Run as a program it reads one JSON object a line (``argv``, ``cwd``) and answers with one (``code``, ``outputs``,
``stderr``). Imported, it has the other end of the line.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any


class Oracle:
    """Bare cwltool, started once and asked often: its start and its own schemas cost more than a small workflow."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked = 0
        # It leaves folders behind.
        temporary = folder / "temporary"
        temporary.mkdir()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("WFEXS_LIKE_")}
        self.child = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={
                **environment,
                "HOME": str(folder),
                "XDG_CACHE_HOME": str(folder / ".cache"),
                "TMPDIR": str(temporary),
            },
            text=True,
        )

    def ask(self, tool: str, job: Path | None) -> dict[str, Any]:
        """What cwltool makes of a tool (``path#process``) and a job file."""
        assert self.child.stdin and self.child.stdout
        self.asked += 1
        outdir = self.folder / f"out-{self.asked}"
        argv = ["--quiet", "--no-container", "--relax-path-checks", "--outdir", str(outdir), tool]
        print(json.dumps({"argv": argv + ([str(job)] if job else [])}), file=self.child.stdin, flush=True)
        answer: dict[str, Any] = json.loads(self.child.stdout.readline())
        return answer

    def __enter__(self) -> Oracle:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.child.stdin and self.child.stdout
        self.child.stdin.close()
        self.child.wait(30)
        self.child.stdout.close()


def serve() -> None:
    from cwltool.main import main

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what tools print is not an answer
    for line in sys.stdin:
        said, outputs = io.StringIO(), io.StringIO()
        try:
            argv = json.loads(line)["argv"]
            code = main(argsl=argv, stdout=outputs, stderr=said, logger_handler=logging.StreamHandler(said))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a failure is an answer
            code = 1
            said.write(repr(error))
        answer: dict[str, Any] = {"code": code, "outputs": None, "stderr": said.getvalue()[-2000:]}
        with contextlib.suppress(ValueError):
            answer["outputs"] = json.loads(outputs.getvalue())
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    serve()
