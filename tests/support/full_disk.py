"""Stages onto a small tmpfs, once for each size given: a program for ``unshare --mount``.

Arguments: a folder, what is small (``cache`` or ``workdirs``), the tmpfs option (``size`` or ``nr_inodes``), and its
values. Prints a JSON list: what staging said on the full disk, what it left there, and what it said with room again.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from staging.errors import WfexsError
from tests.support.stages import Bench, plan_of, wanted

NAMES = ("a", "b", "c", "data", "big")


def prepare(root: Path) -> None:
    bench = Bench(root)
    for name in ("a", "b", "c", "data/one", "data/two"):
        bench.file(name, name * 2000)
    (bench.sources / "big").write_bytes(bytes(range(256)) * 6000)


def attempt(root: Path) -> dict[str, object]:
    try:
        workdir, items = Bench(root).stage(*(wanted(name) for name in NAMES))
        workdir.verify(plan_of(items), rehash=True)
    except WfexsError as error:
        return {"code": error.exit_code, "message": error.message, "hint": error.hint}
    return {"code": 0, "digest": plan_of(items).digest.digest}


def main() -> None:
    root, small, option, *values = sys.argv[1:]
    told = []
    for value in values:
        here = Path(root) / f"{option}-{value}"
        prepare(here)
        disk = here / small
        disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"{option}={value}", "none", disk], check=True)
        full = attempt(here)
        left = {
            "temporary": [str(path) for path in (here / "cache" / "tmp").rglob("*")],
            "workdirs": [path.name for path in (here / "workdirs").glob("*")],
        }
        subprocess.run(["mount", "-o", f"remount,{option}=0", disk], check=True)
        with Bench(here).store() as store:
            left["problems"] = [problem.problem for problem in store.verify()]
        told.append({"value": value, "full": full, "left": left, "roomy": attempt(here)})
        subprocess.run(["umount", disk], check=True)
    print(json.dumps(told))


if __name__ == "__main__":
    main()
