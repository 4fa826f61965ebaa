"""What a machine is, told from the files in which the kernel and drivers tell it, without its name."""

from __future__ import annotations

import os
from pathlib import Path

from engines.host import facts, graphics


def device(folder: Path, name: str, kind: str, vendor: str, number: str) -> None:
    (folder / name).mkdir(parents=True)
    for file, text in (("class", kind), ("vendor", vendor), ("device", number)):
        (folder / name / file).write_text(f"{text}\n")


def test_graphics_processors_have_the_name_that_their_driver_gives_them(tmp_path: Path) -> None:
    devices, nvidia = tmp_path / "pci", tmp_path / "nvidia"
    device(devices, "0000:01:00.0", "0x030200", "0x10de", "0x20b0")
    device(devices, "0000:02:00.0", "0x030000", "0x1002", "0x73bf")
    device(devices, "0000:03:00.0", "0x030000", "0x1a03", "0x2000")
    device(devices, "0000:04:00.0", "0x020000", "0x8086", "0x1521")
    (nvidia / "0000:01:00.0").mkdir(parents=True)
    (nvidia / "0000:01:00.0" / "information").write_text("Model: \t\t NVIDIA A100-SXM4-40GB\nIRQ:   170\n")

    assert graphics(devices, nvidia) == ["NVIDIA A100-SXM4-40GB", "AMD 73bf"]


def test_a_machine_without_any_says_nothing_of_them(tmp_path: Path) -> None:
    assert graphics(tmp_path / "none", tmp_path / "none") == []


def test_no_name_of_the_machine_is_told() -> None:
    told = facts()
    assert told["architecture"] == os.uname().machine
    assert os.uname().nodename not in map(str, told.values())
