"""What engines write after ``docker run`` is read as docker itself would, and what isn't known is named."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.containers.calls import ContainerCall, MountCall, read_run
from staging.errors import PolicyError

CWLTOOL = (
    "-i --mount=type=bind,source=/w/runs/1/tmp/abc,target=/AbCdEf --mount=type=bind,source=/w/runs/1/tmp/t,target=/tmp"
    " '--mount=type=bind,\"source=/w/inputs/a, b.txt\",target=/var/lib/cwl/stg1/a.txt,readonly' --workdir=/AbCdEf"
    " --read-only=true --net=none --log-driver=none --user=1000:100 --rm --cidfile=/w/runs/1/tmp/c/1.cid"
    " --env=TMPDIR=/tmp --env=HOME=/AbCdEf --memory=512m --cpus=2 --shm-size=64m debian:12 sh -c 'echo \"$0\"' --rm"
)
NEXTFLOW = (
    '-i --cpu-shares 1024 --memory 512m -e "NXF_TASK_WORKDIR" -e NXF_DEBUG=${NXF_DEBUG:=0} -v /w/inputs:/w/inputs:ro'
    ' -v /w/runs/1/engine/work:/w/runs/1/engine/work -w "/w/runs/1/engine/work/ab/cd" --entrypoint /bin/bash'
    " --platform linux/amd64 --name nxf-XyZ quay.io/biocontainers/tool:1 -c 'eval $(nxf_container_env); /bin/bash x'"
)


def read(line: str, cwd: str = "/here", **environment: str) -> ContainerCall:
    """The call that a shell's words make."""
    return read_run(shlex.split(line), environment, cwd)


def test_what_cwltool_writes_is_read() -> None:
    call = read(CWLTOOL)

    assert (call.image, call.command) == ("debian:12", ("sh", "-c", 'echo "$0"', "--rm"))
    assert call.mounts == (
        MountCall(source="/w/runs/1/tmp/abc", target="/AbCdEf", writable=True),
        MountCall(source="/w/runs/1/tmp/t", target="/tmp", writable=True),
        MountCall(source="/w/inputs/a, b.txt", target="/var/lib/cwl/stg1/a.txt", writable=False),
    )
    assert (call.workdir, call.cidfile) == ("/AbCdEf", "/w/runs/1/tmp/c/1.cid")
    assert call.environment == {"TMPDIR": "/tmp", "HOME": "/AbCdEf"}
    assert (call.memory, call.cores, call.shared_memory) == (512 << 20, 2.0, 64 << 20)
    assert ("network", "none") in call.options


def test_what_nextflow_writes_is_read() -> None:
    call = read(NEXTFLOW, NXF_TASK_WORKDIR="/w/runs/1/engine/work/ab/cd", SECRET="no")

    assert call.image == "quay.io/biocontainers/tool:1"
    assert call.command == ("-c", "eval $(nxf_container_env); /bin/bash x")
    assert (call.entrypoint, call.name, call.platform) == ("/bin/bash", "nxf-XyZ", "linux/amd64")
    assert call.environment == {"NXF_TASK_WORKDIR": "/w/runs/1/engine/work/ab/cd", "NXF_DEBUG": "${NXF_DEBUG:=0}"}
    assert [one.writable for one in call.mounts] == [False, True]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("-it x", {"options": (("interactive", "true"), ("tty", "true"))}),
        ("-itw/a x", {"workdir": "/a", "options": (("interactive", "true"), ("tty", "true"))}),
        ("-m2G x", {"memory": 2 << 30}),
        ("-m=1.5g x", {"memory": 3 << 29}),
        ("--memory 0 x", {"memory": None}),
        ("--privileged=false x", {"options": (("privileged", "false"),)}),
        ("--net host x", {"options": (("network", "host"),)}),
        ("-e GONE -e A=b=c x", {"environment": {"A": "b=c"}}),
        ("-v ./a/../b:/c x", {"mounts": (MountCall(source="/here/b", target="/c", writable=True),)}),
        ("-v //etc/:/c/./d:ro,z x", {"mounts": (MountCall(source="/etc", target="/c/d", writable=False),)}),
        ("--mount type=tmpfs,dst=/s,tmpfs-size=1g --tmpfs /r:size=1m x", {"temporary": ("/s", "/r")}),
        (
            "--mount type=bind,src=/a,dst=/b,ro=false x",
            {"mounts": (MountCall(source="/a", target="/b", writable=True),)},
        ),
        ("-- x", {}),
    ],
)
def test_an_option_is_read_in_every_form(line: str, said: dict[str, object]) -> None:
    call = read(line)

    assert call.image == "x"
    assert {name: getattr(call, name) for name in said} == said


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("--made-up x", "'--made-up'"),
        ("-Z x", "'-Z'"),
        ("--memory", "'--memory' has no value"),
        ("--memory lots x", "'--memory' can't be 'lots'"),
        ("--rm=perhaps x", "'--rm' can't be 'perhaps'"),
        ("-v data:/x x", "'--volume' asks for a volume"),
        ("-v /a x", "'--volume'"),
        ("-v /a:/b:shared x", "'--volume'"),
        ("-v /a:b x", "'--volume'"),
        ("--mount type=volume,source=data,target=/x x", "'--mount' asks for a volume"),
        ("--mount type=bind,source=/a,target=/b,bind-propagation=rshared x", "'--mount'"),
        ("--mount type=volume,target=/b,volume-opt=device=/etc x", "'--mount'"),
        ("-e =x x", "'--env'"),
        ("--cpus -1 x", "'--cpus'"),
        ("", "which image"),
        ("-i --rm", "which image"),
    ],
)
def test_what_is_not_known_is_refused_by_its_name(line: str, named: str) -> None:
    with pytest.raises(PolicyError) as refused:
        read(line)

    assert named in refused.value.message


@given(st.lists(st.one_of(st.text(max_size=12), st.sampled_from([*shlex.split(CWLTOOL), *shlex.split(NEXTFLOW)]))))
def test_any_words_are_a_call_or_refused(words: list[str]) -> None:
    try:
        call = read_run(words, {"A": "b"}, "/here")
    except PolicyError as error:
        assert error.message
    else:
        assert call.image in words
        assert all(one.source.startswith("/") and "/../" not in f"{one.source}/" for one in call.mounts)
        assert call.command == tuple(words[len(words) - len(call.command) :])
