"""Telling an account as W3C PROV, in the way of CWLProv: what ran used and made what, who did it, by which plan.

A file in the crate is one entity, and its bytes are another one, which it is a specialization of: two files of the same
bytes are made by two steps, and the bytes by neither. No derivation is stated: that a step read one file and wrote
another is told, and what is due to what isn't.
Source: PROV-DM and PROV-O (W3C 2013); CWLProv 0.6.0; wfprov and wfdesc of Wf4Ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from wfexs_like.converting.addresses import address, base_of, content_address, file_name, is_on_the_web
from wfexs_like.converting.statements import (
    CWLPROV,
    OWN,
    PROV,
    RDFS,
    SCHEMA,
    WF4EVER,
    WFDESC,
    WFPROV,
    WFRUN,
    Address,
    Attribute,
    Document,
    Element,
    ElementKind,
)
from wfexs_like.converting.values import joined, known, measured, moment, value
from wfexs_like.reading.account import Account, Agent, Execution, Image, Item, Parameter, Run, Slot, Software, StepRun

_STATUSES: Final = {
    "completed": f"{SCHEMA}CompletedActionStatus",
    "failed": f"{SCHEMA}FailedActionStatus",
    "active": f"{SCHEMA}ActiveActionStatus",
    "potential": f"{SCHEMA}PotentialActionStatus",
}
_DIGESTS: Final = ("md5", "sha1", "sha256", "sha512")
_KINDS: Final = {
    "file": (f"{WFPROV}Artifact", f"{WF4EVER}File"),
    "folder": (f"{PROV}Collection", f"{WFPROV}Artifact", f"{WF4EVER}Folder"),
    "collection": (f"{PROV}Collection", f"{WFPROV}Artifact"),
    "value": (f"{WFPROV}Artifact", f"{SCHEMA}PropertyValue"),
    "other": (f"{WFPROV}Artifact",),
}
NOBODY: Final = "#not-stated"
"""The stand-in of our crates for an agent whom nobody named: no agent."""


def tell(account: Account, runs: Iterable[Run] | None = None) -> Document:
    """What an account says, as PROV; of all its ``runs``, or of these."""
    return _Telling(account).whole(account.runs if runs is None else tuple(runs))


class _Telling:
    def __init__(self, account: Account) -> None:
        self.account = account
        self.document = Document(base=base_of(account))
        self._addresses: dict[str, str] = {}
        self.makers: dict[str, list[str]] = {}
        workflow = account.workflow
        self.steps = {} if workflow is None else {one.name: one for one in workflow.steps}

    def whole(self, runs: tuple[Run, ...]) -> Document:
        self._crate()
        self._workflow()
        for run in runs:
            self._run(run)
        for run in runs:
            for step in run.steps:
                self._informants(step.execution)
        return self.document

    def at(self, identifier: str) -> str:
        """The URI of what the crate calls that."""
        found = self._addresses.get(identifier)
        if found is None:
            found = self._addresses[identifier] = address(self.document.base, identifier)
        return found

    def _crate(self) -> None:
        account, document = self.account, self.document
        told = known(
            (f"{SCHEMA}description", account.description),
            (f"{SCHEMA}datePublished", account.published),
            (f"{SCHEMA}license", account.licence),
            *((f"{SCHEMA}conformsTo", one) for one in account.profiles),
        )
        crate = self._add("entity", document.base, account.name, (f"{SCHEMA}Dataset",), told)
        for person in account.people:
            if person.id != NOBODY:
                document.relate("wasAttributedTo", crate, self._agent(person))
        if account.maker is not None:
            maker = self._add("agent", self.at("#maker"), account.maker, (f"{PROV}SoftwareAgent",))
            document.relate("wasAttributedTo", crate, maker)

    def _workflow(self) -> None:
        workflow = self.account.workflow
        if workflow is None:
            return
        plan = self._plan(
            workflow.software,
            f"{WFDESC}Workflow",
            *known(
                (f"{SCHEMA}programmingLanguage", joined(workflow.language, workflow.language_version)),
                (f"{OWN}source", workflow.source),
                *((f"{WFDESC}hasSubProcess", Address(self.at(one.id))) for one in workflow.steps),
            ),
            *(() if workflow.document is None else self._bytes_of(workflow.document)),
        )
        if workflow.document is not None and self.at(workflow.document.id) != plan:
            self.document.relate("specializationOf", plan, self._item(workflow.document))
        for step in workflow.steps:
            tool = () if step.tool is None else ((f"{WFDESC}hasImplementation", Address(self._plan(step.tool))),)
            where: tuple[Attribute, ...] = () if step.position is None else ((f"{SCHEMA}position", step.position),)
            types = (f"{PROV}Plan", f"{WFDESC}Process")
            self._add("entity", self.at(step.id), step.name, types, (*where, *tool))

    def _bytes_of(self, item: Item) -> Iterator[Attribute]:
        yield from ((f"{WFRUN}{one}", item.digests[one]) for one in _DIGESTS if one in item.digests)

    def _run(self, run: Run) -> None:
        document, execution = self.document, run.execution
        workflow = self.account.workflow
        kind = (
            "WorkflowRun" if run.steps or (workflow is not None and _is(execution, workflow.software)) else "ProcessRun"
        )
        described = (
            () if workflow is None else ((f"{WFPROV}describedByWorkflow", Address(self.at(workflow.software.id))),)
        )
        number: tuple[Attribute, ...] = () if run.number is None else ((f"{OWN}run", run.number),)
        facts = ((one.property_id or f"{OWN}host", measured(one.name, one.value, one.unit)) for one in run.host)
        hosts = tuple(known(*((uri if is_on_the_web(uri) else f"{OWN}host", said) for uri, said in facts)))
        activity = self._activity(execution, kind, *described, *number, *hosts)
        plan = None if execution.instrument is None else self._plan(execution.instrument)
        engine = None if run.engine is None else self._engine(run.engine)
        people = [self._agent(one) for one in execution.agents if one.id != NOBODY]
        document.relate("wasAssociatedWith", activity, engine, also=plan) if engine or plan else None
        for person in people:
            document.relate("wasAssociatedWith", activity, person)
            if engine is not None:
                document.relate("actedOnBehalfOf", engine, person, also=activity)
        for step in run.steps:
            self._step(step, activity, engine)

    def _step(self, step: StepRun, run: str, engine: str | None) -> None:
        planned = self.steps.get(step.step)
        described = () if planned is None else ((f"{WFPROV}describedByProcess", Address(self.at(planned.id))),)
        activity = self._activity(
            step.execution,
            "ProcessRun",
            (f"{OWN}step", step.step),
            (f"{WFPROV}wasPartOfWorkflowRun", Address(run)),
            *described,
        )
        tool = step.execution.instrument
        plan = (
            self.at(planned.id) if tool is None and planned is not None else None if tool is None else self._plan(tool)
        )
        if engine is not None or plan is not None:
            self.document.relate("wasAssociatedWith", activity, engine, also=plan)
        for agent in step.execution.agents:
            if agent.id != NOBODY:
                self.document.relate("wasAssociatedWith", activity, self._agent(agent))
        for made in _all_items(step.execution.outputs):
            self.makers.setdefault(self.at(made.id), []).append(activity)

    def _informants(self, execution: Execution) -> None:
        """Say by which other steps one was told something: those whose output it used."""
        activity = self.at(execution.id)
        for item in _all_items(execution.inputs):
            for other in self.makers.get(self.at(item.id), ()):
                if other != activity:
                    self.document.relate("wasInformedBy", activity, other)

    def _activity(self, execution: Execution, kind: str, *more: Attribute) -> str:
        document = self.document
        status = _STATUSES.get(execution.status)
        said: tuple[Attribute, ...] = () if status is None else ((f"{SCHEMA}actionStatus", Address(status)),)
        activity = document.add(
            Element(
                kind="activity",
                id=self.at(execution.id),
                types=(f"{WFPROV}{kind}",),
                label=execution.name,
                started=moment(execution.started),
                ended=moment(execution.ended),
                attributes=(
                    *said,
                    *known(
                        (f"{SCHEMA}error", execution.error),
                        (f"{OWN}command", execution.command),
                        (f"{OWN}exitCode", execution.exit_code),
                    ),
                    *((f"{OWN}variable", f"{name}={value}") for name, value in execution.environment.items()),
                    *known(
                        *(
                            (
                                one.property_id if is_on_the_web(one.property_id) else f"{OWN}usage",
                                measured(one.name, one.value, one.unit),
                            )
                            for one in execution.resources
                        )
                    ),
                    *more,
                ),
            )
        )
        for slot in execution.inputs:
            for item in slot.items:
                document.relate("used", activity, self._item(item), **self._role(slot))
        for slot in execution.outputs:
            for item in slot.items:
                document.relate("wasGeneratedBy", self._item(item), activity, **self._role(slot))
                for part in _parts(item.parts):
                    document.relate("wasGeneratedBy", self._item(part), activity)
        for image in execution.images:
            role = f"{WFRUN}containerImage"
            document.roles[role] = "container image"
            document.relate("used", activity, self._image(image), role=role, label="container image")
        for log in execution.logs:
            document.relate("wasInfluencedBy", self._item(log), activity)
        return activity

    def _role(self, slot: Slot) -> dict[str, str]:
        if slot.parameter is None and not slot.name:
            return {}
        role = self._parameter(slot.parameter, slot.name)
        return {"role": role, "label": self.document.roles[role]}

    def _parameter(self, parameter: Parameter | None, name: str) -> str:
        role = self.at(f"#role/{name}" if parameter is None else parameter.id)
        self.document.roles.setdefault(role, name or (parameter.name if parameter is not None else ""))
        return role

    def _item(self, item: Item) -> str:
        """The entity of an item, with what it is made of; told of once."""
        uri = self.at(item.id)
        if ("entity", uri) in self.document.elements:
            return uri
        attributes = [
            *known((f"{CWLPROV}basename", file_name(item) if item.kind in ("file", "folder") else None)),
            *self._bytes_of(item),
            *known(
                (f"{SCHEMA}contentSize", item.size),
                (f"{SCHEMA}encodingFormat", item.media_type),
                (f"{SCHEMA}contentUrl", item.address),
                (f"{OWN}path", item.path),
                (f"{OWN}sealed", item.sealed or None),
            ),
        ]
        if item.kind == "value":
            attributes.append((f"{PROV}value", value(item.value)))
        self._add("entity", uri, item.name or None, _KINDS[item.kind], tuple(attributes))
        content = content_address(item)
        if content is not None:
            self.document.add(Element(kind="entity", id=content, types=(f"{WFPROV}Artifact",)))
            self.document.relate("specializationOf", uri, content)
        for part in item.parts:
            inner = self._item(part)
            if inner != uri:
                self.document.relate("hadMember", uri, inner)
        return uri

    def _image(self, image: Image) -> str:
        told = known(
            (f"{CWLPROV}image", image.name),
            (f"{WFRUN}sha256", image.sha256),
            (f"{SCHEMA}additionalType", image.kind),
        )
        return self._add("entity", self.at(image.id), image.name, (f"{WFRUN}ContainerImage",), told)

    def _plan(self, software: Software, kind: str = f"{SCHEMA}SoftwareApplication", *more: Attribute) -> str:
        told = (*_software(software), *self._programs(software), *more)
        return self._add("entity", self.at(software.id), software.name, (f"{PROV}Plan", kind), told)

    def _programs(self, software: Software) -> Iterator[Attribute]:
        """What it runs, each an entity of its own."""
        for one in software.programs:
            types = (f"{SCHEMA}SoftwareApplication",)
            program = self._add("entity", self.at(one.id), one.name, types, _software(one))
            yield f"{SCHEMA}softwareRequirements", Address(program)

    def _engine(self, software: Software) -> str:
        types = (f"{PROV}SoftwareAgent", f"{WFPROV}WorkflowEngine")
        told = (*_software(software), *self._programs(software))
        return self._add("agent", self.at(software.id), software.name, types, told)

    def _agent(self, agent: Agent) -> str:
        person = (f"{PROV}Person",) if agent.id.startswith(("https://orcid.org/", "http://orcid.org/")) else ()
        told = known((f"{SCHEMA}affiliation", agent.affiliation))
        return self._add("agent", self.at(agent.id), agent.name, person, told)

    def _add(
        self, kind: ElementKind, uri: str, name: str | None, types: tuple[str, ...], told: tuple[Attribute, ...] = ()
    ) -> str:
        """What is no activity; its ``uri`` again."""
        return self.document.add(Element(kind=kind, id=uri, types=types, label=name, attributes=told))


def _software(software: Software) -> tuple[Attribute, ...]:
    return known(
        (f"{SCHEMA}softwareVersion", software.version),
        (f"{RDFS}seeAlso", software.address),
        (f"{SCHEMA}license", software.licence),
    )


def _is(execution: Execution, software: Software) -> bool:
    return execution.instrument is not None and execution.instrument.id == software.id


def _parts(items: Iterable[Item]) -> Iterator[Item]:
    """Items with all that they are made of, however deep."""
    pending = list(items)
    seen: set[str] = set()
    while pending:
        item = pending.pop()
        yield item
        if item.parts and item.id not in seen:
            seen.add(item.id)
            pending.extend(item.parts)


def _all_items(slots: Iterable[Slot]) -> Iterator[Item]:
    for slot in slots:
        yield from _parts(slot.items)
