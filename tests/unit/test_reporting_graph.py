"""The workflow as it is drawn: from its plan, or from what its steps took and made; few enough nodes to be seen."""

from __future__ import annotations

from dataclasses import replace

from tests.support import accounts
from wfexs_like.reading.account import Account, Connection, Parameter, Slot, Software, Step, StepRun
from wfexs_like.reporting.workflow_graph import MOST, graph_of


def _steps_only(account: Account) -> set[tuple[str, str]]:
    graph = graph_of(account)
    labels = {one.key: one.label for one in graph.nodes}
    return {(labels[a], labels[b]) for a, b in graph.edges}


def _parameter(identifier: str) -> Parameter:
    return Parameter(id=identifier, name=identifier.rsplit("/", 1)[-1])


def _step(name: str, takes: tuple[str, ...], makes: tuple[str, ...]) -> Step:
    tool = Software(
        id=f"#{name}", name="tool", inputs=tuple(map(_parameter, takes)), outputs=tuple(map(_parameter, makes))
    )
    return Step(id=f"#step/{name}", name=name, tool=tool)


def test_a_plan_gives_the_arrows_and_the_last_run_what_failed() -> None:
    account = accounts.usual()
    assert ("align", "sort") in _steps_only(account)
    assert ("reference", "call") in _steps_only(account)
    assert ("stats", "report") in _steps_only(account)
    nodes = {one.label: one for one in graph_of(account).nodes}
    assert nodes["call"].failed
    assert not nodes["index"].failed
    assert nodes["align"].note == "bowtie2 1.19"


def test_without_a_plan_the_arrows_are_those_of_the_data() -> None:
    def ran(step: str, takes: str, makes: str) -> StepRun:
        one = replace(
            accounts.execution(step, 0, 1),
            inputs=(Slot(name="in", parameter=None, items=(accounts.file(takes),)),),
            outputs=(Slot(name="out", parameter=None, items=(accounts.file(makes),)),),
        )
        return StepRun(step=step, position=None, execution=one)

    whole = replace(
        accounts.finished().execution,
        inputs=(Slot(name="reads", parameter=None, items=(accounts.file("a"),)),),
        outputs=(Slot(name="result", parameter=None, items=(accounts.file("c"),)),),
    )
    run = replace(accounts.finished(), execution=whole, steps=(ran("one", "a", "b"), ran("two", "b", "c")))
    expected = {("reads", "one"), ("one", "two"), ("two", "result")}
    assert _steps_only(Account(name=None, runs=(run,))) == expected
    bare = replace(accounts.workflow(), steps=(), connections=())
    assert _steps_only(Account(name=None, workflow=bare, runs=(run,))) == expected


def test_arrows_go_through_sub_workflows_to_the_steps_within() -> None:
    steps = (
        _step("first", ("#first/in",), ("#first/out",)),
        _step("part", ("#part/in",), ("#part/out",)),
        _step("part/inner", ("#inner/in",), ("#inner/out",)),
        _step("last", ("#last/in",), ("#last/out",)),
    )
    links = (
        ("#first/out", "#part/in"),
        ("#part/in", "#inner/in"),
        ("#inner/out", "#part/out"),
        ("#part/out", "#last/in"),
    )
    workflow = replace(
        accounts.workflow(), steps=steps, connections=tuple(Connection(source=a, target=b) for a, b in links)
    )
    account = Account(name=None, workflow=workflow)
    assert _steps_only(account) == {("first", "part/inner"), ("part/inner", "last")}


def test_a_long_workflow_is_folded_and_says_so() -> None:
    steps = tuple(_step(f"part{number % 7}/step{number}", (f"#i{number}",), (f"#o{number}",)) for number in range(700))
    links = tuple(Connection(source=f"#o{number}", target=f"#i{number + 1}") for number in range(699))
    workflow = replace(accounts.workflow(), steps=steps, connections=links)
    graph = graph_of(Account(name=None, workflow=workflow))
    assert {one.label for one in graph.nodes if one.kind == "step"} == {f"part{number}" for number in range(7)}
    assert graph.folded == "700 steps are drawn as 7, by the sub-workflow that they are in."
    flat = tuple(replace(one, name=f"step{number}") for number, one in enumerate(steps))
    flat = tuple(replace(one, tool=replace(one.tool, name=one.name)) for one in flat if one.tool is not None)
    graph = graph_of(Account(name=None, workflow=replace(workflow, steps=flat)))
    assert sum(one.kind == "step" for one in graph.nodes) == MOST
    assert graph.folded == f"Of 700 steps {MOST} are drawn."
