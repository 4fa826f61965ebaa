"""Isolation: argv prefixes that keep a child offline and make it impossible for anything it starts to outlive it.

In a network namespace of its own there is only loopback. In a PID namespace of its own, ending the first process ends
all others, daemons too; ``--kill-child`` and ``--pdeathsig`` end it when we are ended, even by ``kill -9``. In an IPC
namespace of its own what the kernel keeps for no process (System V shared memory, message queues) goes with it, too
(ipc_namespaces(7)). Pure functions but ``probe``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from staging.errors import WfexsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolation:
    """What goes before a command, and what it achieves.

    ``network``: the command has a network namespace of its own; ``processes``: a PID namespace of its own; ``user``:
    they were had by way of a user namespace, so without being root; ``mounts``: a mount namespace of its own, in which
    what is mounted is seen by nobody else.
    """

    prefix: tuple[str, ...]
    network: bool
    processes: bool
    user: bool = False
    mounts: bool = False


_WITH_US = ("setpriv", "--pdeathsig", "KILL", "--")
_AS_OURSELVES = ("--user", "--map-current-user", "--keep-caps")


def choices(*, root: bool, network: bool) -> tuple[Isolation, ...]:
    """The ways to isolate, best first; the last one isolates nothing and always works.

    ``network`` says whether a network namespace is wanted. The ways without a ``/proc`` of its own are for hosts that
    allow namespaces and forbid mounting it, or anything (unprivileged containers).
    """
    net = ("--net",) if network else ()
    ipc = ("--ipc",)
    pid = ("--pid", "--fork", "--kill-child")
    found: list[Isolation] = []
    if root:
        found += [
            _unshare((*net, *ipc, *pid, *mount), network=network, processes=True)
            for mount in (("--mount-proc",), ("--mount",), ())
        ]
    found += [
        _unshare((*_AS_OURSELVES, *net, *ipc, *pid, *mount), network=network, processes=True, user=True)
        for mount in (("--mount-proc",), ("--mount",), ())
    ]
    if network:
        found.append(_unshare((*_AS_OURSELVES, *net, *ipc), network=True, processes=False, user=True))
    found += [
        Isolation(prefix=_WITH_US, network=False, processes=False),
        Isolation(prefix=(), network=False, processes=False),
    ]
    return tuple(found)


def _unshare(options: tuple[str, ...], *, network: bool, processes: bool, user: bool = False) -> Isolation:
    return Isolation(
        prefix=(*_WITH_US, "unshare", *options, "--"),
        network=network,
        processes=processes,
        user=user,
        # ``unshare`` makes every mount in it private (unshare(1), --propagation).
        mounts="--mount" in options or "--mount-proc" in options,
    )


def probe(*, network: bool = True) -> Isolation:
    """The best isolation that this host allows, found by trying (a few milliseconds)."""
    from staging.process import base_environment, run

    options = choices(root=os.geteuid() == 0, network=network)
    for option in options:
        try:
            run((*option.prefix, "true"), env=base_environment(), timeout=10)
        except WfexsError:
            continue
        return option
    return options[-1]
