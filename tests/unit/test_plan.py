from __future__ import annotations

import json
from dataclasses import replace
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staging.definition import EngineSettings, ExpectedOutput, Limits
from staging.errors import DefinitionError, PolicyError
from staging.fingerprints import Fingerprint
from staging.plan import Kind, Plan, PlanItem, Role, Trust, WorkflowEntry

text = st.text(max_size=12)
scalars = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | text
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3), max_leaves=8
)
tables = st.dictionaries(text, values, max_size=3)
fingerprints = st.binary(min_size=32, max_size=32).map(lambda raw: Fingerprint(digest=raw.hex()))
paths = st.lists(
    st.text("abc é.", min_size=1, max_size=5).filter(lambda part: part.strip(". ")), min_size=1, max_size=3
).map(lambda parts: PurePosixPath(*parts))
items = st.builds(
    PlanItem,
    role=st.sampled_from(Role),
    name=text,
    identifier=text,
    pinned=text,
    kind=st.sampled_from(Kind),
    fingerprint=fingerprints,
    size=st.integers(0, 2**60),
    trust=st.sampled_from([Trust.EXPECTED, Trust.FIRST_USE]),
    path=st.none() | paths,
    hops=st.lists(text, max_size=3).map(tuple),
    licences=st.lists(text, max_size=2).map(tuple),
    attributions=st.lists(tables, max_size=2).map(tuple),
    disclosable=st.booleans(),
    cacheable=st.booleans(),
    clonable=st.booleans(),
)
plans = st.builds(
    Plan,
    workflow=st.builds(WorkflowEntry, path=paths, language=text, language_version=text, process=st.none() | text),
    engine=text,
    engine_version=text,
    items=st.lists(items, max_size=4).map(tuple),
    parameters=tables,
    environment=tables,
    requirements=st.lists(tables, max_size=2).map(tuple),
    outputs=st.lists(
        st.builds(
            ExpectedOutput,
            name=text,
            kind=st.sampled_from(["File", "Directory", "Value"]),
            minimum=st.integers(0, 3),
            maximum=st.none() | st.integers(3, 9),
            preferred_name=st.none() | text,
            glob=st.none() | text,
            fill_from=st.none() | text,
            where=st.just(""),
        ),
        max_size=2,
    ).map(tuple),
    limits=st.builds(
        Limits,
        cores=st.none() | st.integers(1, 9),
        memory=st.none() | st.integers(1, 2**50),
        time=st.none() | st.integers(1, 10**6),
    ),
    settings=st.builds(
        EngineSettings,
        profiles=st.lists(text, max_size=2).map(tuple),
        max_cpus=st.none() | st.integers(1, 99),
        max_processes=st.none() | st.integers(1, 99),
        max_cpus_per_process=st.none() | st.integers(1, 99),
        max_task_duration=st.none() | st.integers(1, 10**6),
        max_retries=st.none() | st.integers(0, 9),
        lists_as_text=st.booleans(),
        ignore_unknown=st.booleans(),
        secrets=st.lists(text, max_size=2).map(tuple),
    ),
    container=text,
)


@given(plans)
def test_a_plan_is_the_same_after_writing_and_reading(plan: Plan) -> None:
    again = Plan.parse(plan.lock_bytes(), file="lock")

    assert again == plan
    assert again.digest == plan.digest
    assert again.lock_bytes() == plan.lock_bytes()


@given(plans, st.randoms(use_true_random=False))
def test_the_lock_does_not_depend_on_the_order_of_keys(plan: Plan, random: object) -> None:
    record = json.loads(plan.lock_bytes())
    backwards = json.dumps(dict(reversed(list(record.items()))))

    assert Plan.parse(backwards.encode(), file="lock").lock_bytes() == plan.lock_bytes()


PLAN = Plan(
    workflow=WorkflowEntry(path=PurePosixPath("workflow/main.cwl"), language="cwl", language_version="v1.2"),
    engine="cwltool",
    engine_version="3",
    items=(
        PlanItem(
            role=Role.INPUT,
            name="reads",
            identifier="reads.fq",
            pinned="reads.fq",
            kind=Kind.FILE,
            fingerprint=Fingerprint(digest="a" * 64),
            size=1,
            trust=Trust.FIRST_USE,
            path=PurePosixPath("inputs/reads.fq"),
        ),
    ),
    parameters={"reads": {"class": "File", "item": "reads"}},
    environment={},
)


def test_a_lock_that_asks_nothing_of_its_engine_has_the_digest_it_always_had() -> None:
    plan = replace(PLAN, outputs=(ExpectedOutput(name="o"),))

    assert b"settings" not in plan.lock_bytes()
    assert b"fill_from" not in plan.lock_bytes()
    assert plan.digest.digest == "468fb05a22625d093a037ba753013534466dc73cc4e32fec6b9443a893545a23"


def test_only_the_settings_that_say_something_are_in_the_lock_and_its_digest_covers_them() -> None:
    plan = replace(PLAN, settings=EngineSettings(profiles=("test",), max_retries=0))

    assert json.loads(plan.lock_bytes())["settings"] == {"profiles": ["test"], "max_retries": 0}
    assert plan.digest != PLAN.digest
    with pytest.raises(DefinitionError, match="changed by hand"):
        Plan.parse(plan.lock_bytes().replace(b'"test"', b'"other"'), file="lock")


@pytest.mark.parametrize(
    "settings",
    [
        [],
        None,
        "test",
        {"profiles": "test"},
        {"profiles": [1]},
        {"profiles": []},
        {"max_cpus": "2"},
        {"max_cpus": True},
        {"max_cpus": None},
        {"max_cpus": 2.0},
        {"ignore_unknown": 1},
        {"ignore_unknown": False},
        {"more": 1},
        {},
    ],
)
def test_settings_of_another_form_are_no_lock(settings: object) -> None:
    record = {**json.loads(PLAN.lock_bytes()), "settings": settings}

    with pytest.raises(DefinitionError) as caught:
        Plan.parse(json.dumps(record).encode(), file="lock")

    assert "lock" in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new"),
    [("a" * 64, "b" * 64), ('"size": 1', '"size": 2'), ("reads.fq", "other.fq"), ("first-use", "expected")],
)
def test_a_lock_changed_by_hand_is_found_out(old: str, new: str) -> None:
    changed = PLAN.lock_bytes().replace(old.encode(), new.encode())

    with pytest.raises(DefinitionError, match="damaged or changed by hand") as caught:
        Plan.parse(changed, file="stage.lock.json")

    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        b"\xff\xfe",
        PLAN.lock_bytes()[:200],
        PLAN.lock_bytes().replace(b"lock/1", b"lock/9"),
        PLAN.lock_bytes().replace(b'"engine"', b'"motor"'),
        PLAN.lock_bytes().replace(b'"role": "input"', b'"role": "guest"'),
        PLAN.lock_bytes().replace(b'"size": 1', b'"size": "1"'),
        PLAN.lock_bytes().replace(b"a" * 64, b"a" * 63),
        b"[" * 100_000,
        PLAN.lock_bytes().replace(b'"environment": {}', b'"environment": {"a": NaN}'),
        PLAN.lock_bytes().replace(b'"environment": {}', b'"environment": {"a": "\\ud800"}'),
        b'{"schema": "wfexs-like/lock/1", "workflow": []}',
    ],
)
def test_a_damaged_lock_is_a_sentence_and_no_traceback(damaged: bytes) -> None:
    with pytest.raises(DefinitionError) as caught:
        Plan.parse(damaged, file="stage.lock.json")

    assert "stage.lock.json" in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"container"', b'"more": 1, "container"'),
        (b'"container"', b'"container": "docker", "container"'),
        (b'"path": "workflow/main.cwl"', b'"path": "../main.cwl"'),
    ],
)
def test_nothing_gets_into_a_lock_that_its_digest_does_not_cover(old: bytes, new: bytes) -> None:
    plan = Plan(
        workflow=WorkflowEntry(path=PurePosixPath("workflow/main.cwl"), language="cwl", language_version="v1.2"),
        engine="cwltool",
        engine_version="3",
        items=(),
        parameters={},
        environment={},
    )
    text = plan.lock_bytes()
    assert Plan.parse(text, file="lock") == plan
    assert old in text

    with pytest.raises((DefinitionError, PolicyError)):
        Plan.parse(text.replace(old, new, 1), file="lock")
