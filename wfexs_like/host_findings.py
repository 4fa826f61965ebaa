"""What the kernel and the file systems of this host let us do, each really tried."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from wfexs_like.findings import Finding, with_apt

_LITTLE_SPACE: Final = 2 * 1000**3


def network_isolation() -> Finding:
    """Whether a run can be kept from the network, tried with a child process."""
    from engines.isolation import probe

    purpose = "runs that have no network and leave no process behind"
    isolation = probe()
    ways = [
        word
        for word, had in (
            ("network namespace", isolation.network),
            ("PID namespace", isolation.processes),
            ("by a user namespace", isolation.user),
        )
        if had
    ]
    works = isolation.network and isolation.processes
    return Finding(
        name="isolation",
        found=isolation.network or isolation.processes,
        works=works,
        purpose=purpose,
        detail=", ".join(ways) or "no namespaces can be made here",
        fix=None if works else f"allow user namespaces{_switched_off()}, or run as root",
    )


def _switched_off() -> str:
    """The settings of this kernel that keep user namespaces from users; the second and third are of distributions."""
    wrong = {
        "user/max_user_namespaces": ("0", "user.max_user_namespaces=15000"),
        "kernel/unprivileged_userns_clone": ("0", "kernel.unprivileged_userns_clone=1"),
        "kernel/apparmor_restrict_unprivileged_userns": ("1", "kernel.apparmor_restrict_unprivileged_userns=0"),
    }
    settings = []
    for name, (value, better) in wrong.items():
        place = Path("/proc/sys") / name
        try:
            if place.read_text(encoding="ascii").strip() == value:
                settings.append(better)
        except OSError:
            continue
    return f" (sysctl {' '.join(settings)})" if settings else ""


def fuse() -> Finding:
    """The FUSE device and the program that unmounts."""
    purpose = "encrypted working directories"
    device = Path("/dev/fuse")
    usable = os.access(device, os.R_OK | os.W_OK)
    program = next((one for one in ("fusermount3", "fusermount") if shutil.which(one)), None)
    if usable and program is not None:
        return Finding(name="fuse", found=True, works=True, purpose=purpose, detail=program)
    lacking = [
        *([] if usable else ["no access to /dev/fuse" if device.exists() else "there is no /dev/fuse"]),
        *([] if program else ["no fusermount"]),
    ]
    return Finding(
        name="fuse",
        found=device.exists(),
        works=False,
        purpose=purpose,
        detail=", ".join(lacking),
        fix=with_apt("fuse3") if usable else "load the module (modprobe fuse); in a container: --device /dev/fuse",
    )


def tun() -> Finding:
    """The device that shows what runs try to reach, tried; rootless containers need it for their networks too."""
    from engines.isolation import probe
    from engines.network.tun import why_not

    device = Path("/dev/net/tun")
    reason = why_not(probe())
    works = reason is None
    return Finding(
        name="tun",
        found=device.exists(),
        works=works,
        purpose="listing what runs try to reach; networks of rootless containers",
        detail=None if works else f"runs are kept offline, but their attempts can't be listed: {reason}",
        fix=None if works else "load the module (modprobe tun); in a container: --device /dev/net/tun",
    )


def folder(name: str, path: Path) -> Finding:
    """One of our two places: can it be written, how much room is there, are copies free (reflinks)."""
    purpose = {"cache": "the content store", "workdirs": "the working directories"}[name]
    there = nearest(path)
    try:
        with TemporaryDirectory(prefix=".wfexs-like-doctor-", dir=there) as scratch:
            reflinks = can_reflink(Path(scratch))
        free = shutil.disk_usage(there).free
    except OSError as error:
        return Finding(
            name=name,
            found=path.exists(),
            works=False,
            purpose=purpose,
            detail=f"{path}: {(error.strerror or str(error)).lower()}",
            fix=f"make {there} writable, or set WFEXS_LIKE_{name.upper()} to a folder that is",
            essential=True,
        )
    little = free < _LITTLE_SPACE
    return Finding(
        name=name,
        found=path.exists(),
        works=True,
        purpose=purpose,
        detail=f"{path}: {free / 1000**3:.1f} GB free, {'copy-on-write copies' if reflinks else 'no reflinks'}",
        fix='make room ("wfexs-like cache gc", "wfexs-like rm")' if little else None,
        essential=True,
    )


def can_reflink(scratch: Path) -> bool:
    """Whether the file system of ``scratch`` makes copy-on-write copies, tried with a file."""
    from staging.placing import clone

    source = scratch / "source"
    source.write_bytes(b"x" * 4096)
    return clone(source, scratch / "target", 0o600)


def nearest(path: Path) -> Path:
    """``path``, or the closest folder above it that exists."""
    while not path.is_dir() and path != path.parent:
        path = path.parent
    return path
