"""What tests of containers leave behind when they are killed, and who clears it away."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support import container_daemons

OWNER = """
import subprocess, sys, time
from pathlib import Path
from tests.support import container_daemons
container_daemons.PLACE = Path(sys.argv[1])
with container_daemons._folder("wfxd-") as folder:
    stray = [sys.executable, "-c", "import time; time.sleep(600)", f"{folder}/stray"]
    child = subprocess.Popen(stray, start_new_session=True, stdout=subprocess.DEVNULL)
    print(folder, child.pid, flush=True)
    time.sleep(600)
"""


def test_the_folder_of_a_killed_session_and_its_strays_go_with_the_next_and_a_living_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container_daemons, "PLACE", tmp_path)
    owner = subprocess.Popen([sys.executable, "-c", OWNER, tmp_path], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    said = owner.stdout.readline().split()
    folder, stray = Path(said[0]), Path(f"/proc/{said[1]}")

    with container_daemons._folder("wfxp-") as own:
        assert folder.exists()
        assert own.exists()
    assert not own.exists()

    owner.kill()
    owner.communicate()
    assert folder.exists()
    with container_daemons._folder("wfxp-"):
        assert not folder.exists()
    deadline = time.monotonic() + 30
    while _runs(stray):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _runs(process: Path) -> bool:
    try:
        return bool((process / "cmdline").read_bytes())
    except OSError:
        return False
