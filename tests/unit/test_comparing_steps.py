"""The first step that differs, of runs whose tasks began in another order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from wfexs_like.comparing import steps
from wfexs_like.comparing.files import Manner
from wfexs_like.comparing.sides import Side
from wfexs_like.reading.account import Account, Execution, Item, Parameter, Run, Slot, StepRun
from wfexs_like.reading.contents import Contents

MANY = 400


def slot(name: str, content: str, *, stated: bool = True) -> Slot:
    digests = {"sha256": content.rjust(64, "0")} if stated else {}
    item = Item(id=f"#{name}-{content}", kind="file", name=f"{name}.txt", digests=digests)
    return Slot(name=name, parameter=Parameter(id=f"#tool/{name}", name=name), items=(item,))


def number(value: object) -> Slot:
    item = Item(id=f"#value-{value}", kind="value", name="size", value=value)
    return Slot(name="size", parameter=Parameter(id="#tool/size", name="size"), items=(item,))


def task(took: tuple[Slot, ...], made: tuple[Slot, ...], *, step: str = "count") -> StepRun:
    execution = Execution(id=f"#{step}", name=step, status="completed", inputs=took, outputs=made)
    return StepRun(step=step, position=0, execution=execution)


def side(tasks: Iterable[StepRun]) -> Side:
    run = Run(execution=Execution(id="#run", name="Run 1", status="completed"), steps=tuple(tasks))
    return Side(label="it", account=Account(name="it", runs=(run,)), run=run, contents=Contents())


def differs(a: list[StepRun], b: list[StepRun]) -> str | None:
    found = steps.first_step(side(a), side(b), Manner())
    return None if found is None else f"{found.name}: {found.differs}"


def test_tasks_are_partnered_by_what_they_took_and_none_is_held_against_all(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    really = steps._took_the_same
    monkeypatch.setattr(steps, "_took_the_same", lambda *given: asked.append(given) or really(*given))
    tasks = [task((slot("text", f"{one}"),), (slot("count", f"{one}a"),)) for one in range(MANY)]
    assert differs(tasks, tasks[::-1]) is None
    assert len(asked) == MANY
    other = task((slot("text", "7"),), (slot("count", "b"),))
    assert differs(tasks, [*tasks[:7:-1], other, *tasks[6::-1]]) == "count: count"


def test_what_takes_more_than_a_digest_to_tell_is_compared_all_the_same() -> None:
    made, otherwise = (slot("count", "a"),), (slot("count", "b"),)
    assert (
        differs([task((number(1),), made)], [task((number(2),), made), task((number(1.0),), otherwise)])
        == "count: count"
    )
    # Of a file that nobody states anything of, nobody knows that it is the same.
    unknown = slot("text", "1", stated=False)
    assert differs([task((unknown,), made)], [task((unknown,), otherwise)]) is None
    assert differs([task((slot("text", "1"),), made)], [task((unknown,), otherwise)]) is None
    assert differs([task((), made)], [task((), otherwise)]) is None
    # Nor of a value that both keep to themselves.
    assert differs([task((number(None),), made)], [task((number(None),), otherwise)]) is None


def test_each_attempt_has_one_partner() -> None:
    took, made, otherwise = (slot("text", "1"),), (slot("count", "a"),), (slot("count", "b"),)
    assert differs([task(took, made)] * 2, [task(took, made), task(took, otherwise)]) == "count: count"
    assert differs([task(took, made)] * 2, [task(took, made)]) is None
    assert differs([task(took, made)], [task(took, otherwise, step="another")]) is None
