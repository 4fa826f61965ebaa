"""What a crate tells of a run's attempts to use a network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from engines.execution import Attempt, Execution, Status
from wfexs_like.crate.attempts import in_short, not_seen, tried
from wfexs_like.crate.discretion import Discretion

RUN = Execution(
    run=1,
    uuid="6f1c",
    status=Status.COMPLETED,
    engine="cwltool",
    engine_version="3.3",
    network="namespace",
    watched=True,
    attempts=(
        Attempt(protocol="tcp", address="192.0.2.7", port=443, step="align", count=3),
        Attempt(protocol="dns", name="example.org", program="curl"),
        Attempt(protocol="udp", address="2001:db8::1", port=53),
        Attempt(protocol="icmp", address="192.0.2.9"),
    ),
)
PLAIN = Discretion(Path("/nowhere/work"))


def test_each_attempt_is_told_with_who_made_it() -> None:
    assert tried(RUN, PLAIN) == (
        "tcp 192.0.2.7:443 in the step align, 3 times",
        "the name example.org by curl",
        "udp [2001:db8::1]:53",
        "icmp 192.0.2.9",
    )
    assert in_short(RUN) == "without a network: 4 attempts to use one failed"
    assert not_seen(RUN, PLAIN) == ""


def test_that_nothing_tried_is_told_only_where_somebody_watched() -> None:
    quiet = replace(RUN, attempts=())
    assert in_short(quiet) == "without a network, which nothing tried to use"
    assert in_short(replace(quiet, watched=False)) == ""
    assert in_short(replace(quiet, network="none")) == ""


def test_what_was_not_watched_is_said_with_the_reason() -> None:
    blind = replace(RUN, watched=False, attempts=(), unwatched_because="there is no TUN device")
    assert not_seen(blind, PLAIN) == "Attempts to use a network were not recorded: there is no TUN device."
    half = replace(RUN, containers_watched=False)
    assert not_seen(half, PLAIN) == "Attempts to use a network in containers were not recorded."
