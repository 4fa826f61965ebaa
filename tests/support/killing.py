"""Stages again and again, each time killed by SIGKILL a step later: a program, given a folder to work in.

A step is a call that changes the file system or the index. After each kill it looks at what is there, and stages again
as if nothing had been. Prints a JSON list, one entry for each place where it was killed; the last one ran to its end.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from staging.index import Index
from staging.store import ContentStore
from staging.workdirs import Workdirs
from tests.support.stages import Bench, plan_of, wanted

STEPS: list[tuple[Any, str]] = [
    *[(os, name) for name in ("replace", "rename", "link", "mkdir", "unlink", "rmdir", "fsync", "symlink", "chmod")],
    *[(Index, name) for name in ("record", "move", "learn", "use", "drop_uses")],
]
NAMES = ("a", "b", "data")


def arm(deadline: int) -> None:
    """From now on the process is killed just before its step number ``deadline``."""
    done = 0

    def armed(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal done
            done += 1
            if done == deadline:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*arguments, **named)

        return call

    for owner, name in STEPS:
        setattr(owner, name, armed(getattr(owner, name)))


def in_child(work: Callable[[], None]) -> int:
    """Run it in a forked child; its exit code, or minus the signal."""
    return os.waitstatus_to_exitcode(os.waitpid(start_child(work), 0)[1])


def start_child(work: Callable[[], None]) -> int:
    """Start it in a forked child; its process number."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:  # noqa: BLE001 - a child must not return into its parent's work
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return child


def stage(root: Path, note: Path) -> None:
    workdir, items = Bench(root).stage(*(wanted(name) for name in NAMES), jobs=1)
    note.write_text(json.dumps({"id": workdir.id, "lock": plan_of(items).digest.digest}))


def look(root: Path, note: Path) -> None:
    """What a user would find right after the kill: whole working directories or none, and no wrong bytes."""
    with ContentStore(root / "cache") as store:
        known = Workdirs(root / "workdirs", store).list()
        for one in known:
            one.verify(one.plan(), store, rehash=True)
        note.write_text(json.dumps({"whole": len(known), "problems": [one.problem for one in store.verify()]}))


def one_round(root: Path, deadline: int) -> dict[str, Any]:
    bench = Bench(root)
    for name in ("a", "b", "data/one", "data/bin"):
        bench.file(name, name * 50)
    (root / "sources/data/link").symlink_to("one")

    def killed() -> None:
        arm(deadline)
        stage(root, root / "first")

    ended = in_child(killed)
    looked = in_child(lambda: look(root, root / "look"))
    again = in_child(lambda: stage(root, root / "second"))
    told: dict[str, Any] = {"step": deadline, "ended": ended, "looked": looked, "again": again}
    for name in ("first", "look", "second"):
        told[name] = json.loads((root / name).read_text()) if (root / name).exists() else None
    told["workdirs"] = sorted(path.name for path in (root / "workdirs").iterdir())
    told["temporary"] = [path.name for path in (root / "cache/tmp").iterdir()]
    return told


def main() -> None:
    root = Path(sys.argv[1])
    told: list[dict[str, Any]] = []
    while not told or told[-1]["ended"] != 0:
        told.append(one_round(root / str(len(told)), len(told) + 1))
    print(json.dumps(told))


if __name__ == "__main__":
    main()
