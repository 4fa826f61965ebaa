"""What passes between steps is measured by what it was, whoever links, changes or removes it meanwhile."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engines.measuring import Measuring
from staging.fingerprints import Tree


class Bench:
    """A working directory's content with one run, and what was measured of it."""

    def __init__(self, root: Path) -> None:
        self.content = root / "work"
        self.scratch = self.content / "runs/1/tmp/o"
        self.scratch.mkdir(parents=True)
        self.found: dict[str, tuple[str, int]] = {}
        self.measuring = Measuring(self.content, self.note)

    def note(self, event: Mapping[str, Any]) -> None:
        self.found[event["path"]] = (event["sha256"], event["size"])

    def ended(self, *names: str, kind: str = "File") -> list[str]:
        paths = [f"runs/1/tmp/o/{name}" for name in names]
        outputs = {f"out{number}": {"class": kind, "path": path} for number, path in enumerate(paths)}
        self.measuring.heard({"event": "step-ended", "outputs": outputs})
        return paths

    def started(self, *paths: str) -> None:
        inputs = {"all": [{"class": "File", "path": path} for path in paths]}
        self.measuring.heard({"event": "step-started", "inputs": inputs})

    def wait_for(self, path: str) -> None:
        for _ in range(500):
            if path in self.found:
                return
            time.sleep(0.01)
        raise AssertionError(f"{path} was not measured while the run went on")


def digest(content: bytes) -> tuple[str, int]:
    return hashlib.sha256(content).hexdigest(), len(content)


def test_a_product_is_read_while_the_step_that_takes_it_runs_and_is_known_when_it_is_gone(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    (bench.scratch / "a").write_bytes(b"first")
    (path,) = bench.ended("a")
    assert not bench.found
    bench.started(path)
    bench.wait_for(path)
    (bench.scratch / "a").unlink()
    bench.measuring.finish({})
    assert bench.found == {path: digest(b"first")}


def test_what_no_step_took_is_read_in_the_end_and_outputs_are_left_to_others(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    (bench.scratch / "rest").write_bytes(b"rest")
    (bench.scratch / "result").write_bytes(b"result")
    (bench.scratch / "folder").mkdir()
    (bench.scratch / "folder" / "x").write_bytes(b"x")
    rest, result = bench.ended("rest", "result")
    (folder,) = bench.ended("folder", kind="Directory")
    bench.measuring.finish({result: "runs/1/outputs/result"})
    tree = Tree.of_directory(bench.scratch / "folder")
    assert bench.found == {rest: digest(b"rest"), folder: (tree.fingerprint.digest, 1)}


def test_what_a_later_step_changed_is_read_again_even_when_its_time_was_set_back(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    file = bench.scratch / "a"
    file.write_bytes(b"before")
    (path,) = bench.ended("a")
    status = file.stat()
    bench.started(path)
    bench.wait_for(path)
    time.sleep(0.02)
    file.write_bytes(b"after!")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    bench.measuring.finish({})
    assert bench.found[path] == digest(b"after!")


def test_nothing_outside_the_runs_is_read_and_no_pipe_is_waited_for(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    (tmp_path / "private").write_bytes(b"private")
    (bench.content / "inputs").mkdir()
    (bench.content / "inputs" / "in").write_bytes(b"in")
    (bench.scratch / "link").symlink_to(tmp_path / "private")
    (bench.scratch / "away").symlink_to(tmp_path)
    (bench.scratch / "staged").symlink_to("../../../../inputs/in")
    os.mkfifo(bench.scratch / "pipe")
    paths = bench.ended("link", "away/private", "staged", "pipe", "gone", "../../../../private")
    bench.started(*paths, "inputs/in", "/etc/hostname")
    bench.measuring.finish({})
    assert bench.found == {}


def test_a_run_that_is_stopped_waits_for_no_digest(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    (bench.scratch / "a").write_bytes(b"a")
    bench.ended("a")
    bench.measuring.finish({}, abandon=True)
    bench.measuring.close()
    assert bench.found == {}
