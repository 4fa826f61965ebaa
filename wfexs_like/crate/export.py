"""Exporting a crate: a working directory becomes a folder or a ZIP file that stands on its own.

A crate is written beside its destination under another name, validated, and only then gets its name; a crate that is
wrong, or a disk that is full, leaves nothing. What goes in by ``include`` (when nothing is said: the outputs of a
retrospective crate, no data for a prospective one):

==============  ========================================================================================
``inputs``      staged inputs, but for those marked ``disclosable: false`` or ``clonable: false``
``outputs``     what the runs made
``workflow``    all that was fetched with the workflow; its documents themselves are in every crate
``containers``  container images
``all``         all of these
==============  ========================================================================================
"""

from __future__ import annotations

import os
import re
import tempfile
import uuid
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from engines.execution import Status
from staging.areas import PLAIN
from staging.errors import CrateError, NotFoundError, UsageError, from_os_error
from staging.plan import Role
from staging.workdir import LOCK
from wfexs_like.crate.again import command_line
from wfexs_like.crate.discretion import Discretion, web_address
from wfexs_like.crate.engine_files import REFUSED, WHY
from wfexs_like.crate.exporters import EXPORTERS, Sealing
from wfexs_like.crate.generations import FIRST, Generation
from wfexs_like.crate.graph import METADATA, ROOT, Entity, Graph, Ref
from wfexs_like.crate.judges import named
from wfexs_like.crate.payload import FolderWriter, Payload, Writer, ZipWriter
from wfexs_like.crate.portable import lacking
from wfexs_like.crate.preview import render_preview
from wfexs_like.crate.prospective import Prospective, kind_of
from wfexs_like.crate.readme import render_readme
from wfexs_like.crate.remarks import remarks
from wfexs_like.crate.report_types import CrateReport, Validation
from wfexs_like.crate.retrospective import Retrospective
from wfexs_like.crate.story import Slot, Story, Thing
from wfexs_like.crate.structure import has_steps
from wfexs_like.crate.subject import CrateSubject
from wfexs_like.crate.told_as_prov import add_prov
from wfexs_like.crate.told_lock import TOLD_LOCK, named_by, told_lock
from wfexs_like.crate.validation import Judge
from wfexs_like.crate.vocabulary import LANGUAGES
from wfexs_like.seal.naming import IN_CLEAR, LOCK_DIGEST, MANIFEST, SIGNATURE, VAULT
from wfexs_like.unfinished import hidden_beside

if TYPE_CHECKING:
    from wfexs_like.seal.ssh_keys import Signer

CrateKind = Literal["prospective", "retrospective"]
INCLUDES = ("inputs", "outputs", "workflow", "containers", "all")
PREVIEW = "ro-crate-preview.html"

__all__ = ["CrateSubject", "export_crate"]


def export_crate(
    subject: CrateSubject,
    destination: Path,
    *,
    kind: CrateKind,
    include: frozenset[str] = frozenset(),
    validate: bool = True,
    cache: Path,
    rehash: bool = False,
    signer: Signer | None = None,
    sealing: Sealing | None = None,
    clear: str | None = None,
    generation: Generation = FIRST,
    prov: bool = False,
) -> CrateReport:
    """Write the crate of ``subject`` to ``destination``: a folder, or a ZIP file when its name ends in ``.zip``.

    ``cache`` is the folder where the validator keeps what it needs. ``rehash`` also reads what stays out of the crate.
    ``signer`` signs it (``wfexs_like.seal.signing``). ``sealing`` has it sealed while it is written. ``clear`` is what
    the crate says of an encrypted working directory that is exported in clear. ``generation`` says by which profiles.
    With ``prov`` it tells the same as W3C PROV, too.

    Raises:
        UsageError: the destination exists, or ``include`` asks for what there is not.
        NotFoundError: a retrospective crate without a run, or a recorded file that is gone.
        DigestError: a file is not the one that was recorded.
        CrateError: the crate would break its profile.
        DiskError: the disk is full.
    """
    wanted = _wanted(include, kind)
    _check_runs(subject, kind)
    if os.path.lexists(destination):
        raise UsageError(
            f"{destination} exists already", hint="choose another name, or remove it first", where=str(destination)
        )
    if not destination.parent.is_dir():
        raise UsageError(
            f"there is no folder {destination.parent}", hint="make it first", where=str(destination.parent)
        )
    profiles = _profiles(subject, kind, generation)
    profile = named(profiles[-2 if kind == "retrospective" else 0]).name
    zipped = destination.suffix.lower() == ".zip" and (sealing is None or sealing.form == "files")
    try:
        writing = _Writing(
            subject=subject,
            kind=kind,
            include=wanted,
            rehash=rehash,
            signer=signer,
            clear=clear,
            generation=generation,
            prov=prov,
        )
        with hidden_beside(destination) as hidden:
            part = hidden / ("crate.zip" if zipped else "crate")
            if sealing is not None:
                validation = _sealed(writing, part, sealing, profile if validate else None, cache)
            else:
                validation = _plain(writing, part, profile if validate else None, cache)
            if validation is not None and not validation.passed:
                raise _invalid(validation)
            _settle(part, destination)
    except OSError as error:
        raise from_os_error(error, f"write the crate {destination}") from error
    return CrateReport(
        path=destination,
        kind=kind,
        profiles=profiles,
        sealing=sealing,
        clear=clear is not None,
        validation=validation,
        lacking=lacking(subject.plan.items, wanted),
    )


def describe_runs(subject: CrateSubject, writer: Writer) -> None:
    """Put the retrospective crate of ``subject``, with its outputs, into ``writer`` instead of a crate's place.

    Raises:
        NotFoundError: there is no run that has ended, or a recorded file is gone.
        DigestError: a file is not the one that was recorded.
    """
    _check_runs(subject, "retrospective")
    writing = _Writing(
        subject=subject,
        kind="retrospective",
        include=frozenset({"outputs"}),
        rehash=False,
        signer=None,
        clear=None,
        generation=FIRST,
        preview=False,
    )
    writing.into(writer)


def _profiles(subject: CrateSubject, kind: CrateKind, generation: Generation) -> tuple[str, ...]:
    """What the crate conforms to: a run of which no step is told has nothing for Provenance Run Crate."""
    if kind == "prospective":
        return (generation.workflow_ro_crate,)
    runs = generation.runs if has_steps(subject.executions) else generation.runs[:-1]
    return (*runs, generation.workflow_ro_crate)


def _wanted(include: frozenset[str], kind: CrateKind) -> frozenset[str]:
    unknown = include - set(INCLUDES)
    if unknown:
        raise UsageError(
            f"there is nothing called {', '.join(sorted(unknown))} to include", hint=f"known: {', '.join(INCLUDES)}"
        )
    if kind == "prospective" and "outputs" in include:
        raise UsageError("a prospective crate has no outputs to include", hint="use --retrospective, or leave them out")
    if not include:
        return frozenset({"outputs"}) if kind == "retrospective" else frozenset()
    return frozenset(INCLUDES[:-1]) if "all" in include else include


def _check_runs(subject: CrateSubject, kind: CrateKind) -> None:
    if kind != "retrospective" or any(one.status is not Status.RUNNING for one in subject.executions):
        return
    if subject.executions:
        raise NotFoundError("the run has not ended yet", hint="wait for it, or cancel it", where=subject.workdir_id)
    raise NotFoundError(
        "there is no run to tell of",
        hint="run the workflow first, or make a --prospective crate",
        where=subject.workdir_id,
    )


def _invalid(validation: Validation) -> CrateError:
    first = next((one for one in validation.issues if one.severity == "required"), None)
    reason = f": {first.message}" if first is not None else ""
    return CrateError(
        f"the crate would not conform to {validation.profile}{reason}",
        hint="nothing was written; --no-validate writes it all the same",
        where=first.entity if first is not None else None,
        profile=validation.profile,
        issues=[
            {"severity": one.severity, "check": one.check, "entity": one.entity, "message": one.message}
            for one in validation.issues
        ],
    )


def _settle(part: Path, destination: Path) -> None:
    """Give the crate its name, unless something came to be there meanwhile."""
    for name in (part, part / METADATA) if part.is_dir() else (part,):
        descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    if os.path.lexists(destination):
        raise UsageError(f"{destination} exists already", hint="choose another name", where=str(destination))
    part.rename(destination)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Writing:
    """What is written, into whichever writer; without its ``preview`` where nobody will look at it."""

    subject: CrateSubject
    kind: CrateKind
    include: frozenset[str]
    rehash: bool
    signer: Signer | None
    clear: str | None
    generation: Generation
    prov: bool = False
    preview: bool = True

    def into(self, writer: Writer) -> None:
        """Write the whole plain crate, signed where that is wished."""
        if self.signer is None:
            _write(self, writer)
            return
        from wfexs_like.seal.signing import ListingWriter

        listing = ListingWriter(writer, writer.root if isinstance(writer, FolderWriter) else None)
        _write(self, listing, signed_by=self.signer.public.fingerprint)
        listing.sign(self.signer)


def _plain(writing: _Writing, part: Path, profile: str | None, cache: Path) -> Validation | None:
    with ExitStack() as stack:
        # Started first: it gets ready while the crate is written.
        judge = stack.enter_context(_judge(writing, profile, cache)) if profile is not None else None
        writer: Writer = ZipWriter(part) if part.suffix == ".zip" else FolderWriter(part)
        try:
            writing.into(writer)
        finally:
            writer.close()
        return judge.validate(part) if judge is not None else None


def _judge(writing: _Writing, profile: str, cache: Path) -> Judge:
    return Judge(profile, cache, without={REFUSED: WHY} if writing.subject.configured else None)


def _sealed(writing: _Writing, part: Path, sealing: Sealing, profile: str | None, cache: Path) -> Validation | None:
    """What can be read of it is validated, and the plain crate too, by its metadata, where it tells more."""
    with ExitStack() as stack:
        with EXPORTERS.load(sealing.exporter)().export(part, sealing, writing.signer) as export:
            outside = None if profile is None else export.outside(profile)
            outer = stack.enter_context(_judge(writing, outside, cache)) if outside is not None else None
            wanted = profile if export.inside() else None
            inner = stack.enter_context(_judge(writing, wanted, cache)) if wanted is not None else None
            writing.into(export.writer)
            export.finish()
        verdicts = []
        if inner is not None:
            # Below the working directory where that is encrypted.
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wfexs-like-")))
            export.skeleton(folder)
            verdicts.append(inner.validate(folder))
        if outer is not None:
            verdicts.append(outer.validate(part))
        return next((one for one in verdicts if not one.passed), verdicts[0]) if verdicts else None


def _write(writing: _Writing, writer: Writer, *, signed_by: str | None = None) -> None:
    subject, kind, include, rehash = writing.subject, writing.kind, writing.include, writing.rehash
    graph = Graph(writing.generation)
    hosts = [str(one.host[key]) for one in subject.executions for key in ("hostname", "node") if one.host.get(key)]
    discretion = Discretion(subject.content, hosts=hosts)
    payload = Payload(subject.content, writer)
    ground = Prospective(subject, graph, payload, discretion, include, rehash=rehash)
    published = datetime.now(UTC).date().isoformat()
    title = discretion.text(subject.title or subject.interface.label or subject.plan.workflow.path.name)
    description = discretion.text(subject.description or subject.interface.doc or f"The workflow {title}.")
    main, documents = ground.workflow()
    ground.parameters(main)
    licence, people = _root(ground, kind, title, description, published)
    story = Story(
        title=title,
        description=description,
        kind=kind,
        published=published,
        licence=licence,
        people=people,
        workflow=documents[0],
        workflow_source=_source(main),
        language=_language(subject),
        engine=f"{subject.plan.engine} {subject.plan.engine_version}",
        software=f"wfexs-like {subject.software_version}",
        plan_digest=str(subject.plan.digest),
        signed_by=signed_by,
    )
    if kind == "retrospective":
        _runs(ground, main, story)
    else:
        story.inputs = ground.staged_values()
        story.environment = ground.variable_values({})[2]
        story.outputs = tuple(
            Slot(name=one.name, kind=kind_of(one.type), things=(), description=ground.words(one.doc or one.label))
            for one in ground.documented_outputs
        )
    if "containers" in include:
        ground.images.include(ground.data)
    elif rehash:
        ground.images.verify(ground.data)
    story.images = ground.images.things(inside="containers" in include)
    ground.settle()
    story.lock = _lock(ground)
    story.command = command_line(ground)
    files = len(ground.plan.of_role(Role.ENGINE)) - 1
    if files > 0:
        where = f"{LOCK} has the sha256 of each" if story.lock is not None else "the lock has the sha256 of each"
        ground.engine.set("description", f"{files} files, and one sha256 over all of them; {where}.")
    story.remarks += remarks(ground, story)
    if writing.clear is not None:
        story.remarks.append(writing.clear)
        said = graph.add("#in-clear", "PropertyValue", name="exported in clear", value=True)
        said.set("propertyID", IN_CLEAR).set("description", writing.clear)
        graph.add(ROOT).add("mentions", Ref(said.id))
    if subject.vault != PLAIN:
        # Who imports the crate is asked for no less.
        kept = graph.add("#vault", "PropertyValue", name="encryption of the working directory", value=subject.vault)
        graph.add(ROOT).add("mentions", Ref(kept.set("propertyID", VAULT).id))
    graph.add(ROOT).add("mentions", ground.contextual.ourselves(subject.software_version, ran=kind == "retrospective"))
    _lock_digest(graph, story.plan_digest)
    if signed_by is not None:
        _signature(graph, signed_by)
    add_prov(ground, wished=writing.prov)
    readme = ground.data.made("README.md", render_readme(story).encode(), name="README", encoding="text/markdown")
    readme.set("about", Ref(ROOT))
    graph.add(PREVIEW, "CreativeWork", name="preview of this crate", about=Ref(ROOT), encodingFormat="text/html")
    payload.written(PREVIEW, render_preview(story, graph, payload).encode() if writing.preview else b"")
    payload.written(METADATA, graph.serialise())


def _root(
    ground: Prospective, kind: CrateKind, title: str, description: str, published: str
) -> tuple[Thing, tuple[str, ...]]:
    subject, contextual, generation = ground.subject, ground.contextual, ground.graph.generation
    descriptor = ground.graph.add(METADATA, "CreativeWork", about=Ref(ROOT))
    descriptor.add("conformsTo", Ref(generation.ro_crate))
    if generation.on_descriptor:
        descriptor.add("conformsTo", Ref(generation.workflow_ro_crate))
    root = ground.root
    for profile in _profiles(subject, kind, generation):
        root.add("conformsTo", contextual.profile(profile))
    stated = subject.licence or subject.interface.licence
    if stated is None:
        stated = next((one for item in ground.plan.of_role(Role.WORKFLOW) for one in item.licences), None)
    licence = contextual.licence(stated)
    root.set("name", title).set("description", description).set("datePublished", published).set("license", licence)
    root.set("identifier", f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'wfexs-like:{subject.workdir_id}')}")
    _based_on(ground)
    authors = [one for stated in subject.authors if (one := contextual.author(stated))]
    if not authors and subject.person is not None:
        authors = [contextual.person(subject.person)]
    root.add("author", *(authors or [contextual.not_stated()]))
    root.set("publisher", contextual.not_stated())
    names = tuple(str(ground.graph[one].as_json()["name"]) for one in authors) or ("not stated",)
    entity = ground.graph[licence]
    href = licence if licence.startswith(("http://", "https://")) else None
    return Thing(text=str(entity.as_json()["name"]), href=href), names


def _based_on(ground: Prospective) -> None:
    """Say which crate the working directory was made of: another's word, so only what can be no harm."""
    imported = ground.subject.imported
    identifier = imported.get("identifier", "")
    if not re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", identifier):
        return
    crate = ground.graph.add(identifier, "CreativeWork", name=ground.discretion.text(imported.get("crate", "a crate")))
    crate.set("description", "The crate that this workflow, with all that it needs, was imported from.")
    ground.root.add("isBasedOn", Ref(crate.id))


def _runs(ground: Prospective, main: Entity, story: Story) -> None:
    retrospective = Retrospective(ground, main)
    executions = sorted(ground.subject.executions, key=lambda one: one.run)
    story.runs = tuple(retrospective.describe(one) for one in executions if one.status is not Status.RUNNING)
    story.still_running = sum(one.status is Status.RUNNING for one in executions)
    retrospective.stand_ins()


def _source(main: Entity) -> Thing | None:
    identifier = main.as_json().get("identifier")
    if identifier is None:
        return None
    return Thing(text=str(identifier), href=web_address(str(identifier)))


def _language(subject: CrateSubject) -> str:
    word, version = subject.plan.workflow.language, subject.plan.workflow.language_version
    name = LANGUAGES[word][1] if word in LANGUAGES else word
    return f"{name} {version}".strip()


def _lock(ground: Prospective) -> Thing | None:
    """Put the lock into the crate, unless it says what a crate must not."""
    text = ground.plan.lock_bytes()
    if ground.secretive:
        return None
    if not ground.discretion.is_tellable(text.decode(), _identifiers(ground)):
        _told_lock(ground)
        return None
    entity = ground.data.made(LOCK, text, name="the lock", encoding="application/json")
    entity.set("description", "Every thing that was staged, with its exact identifier, size and sha256.")
    entity.set("about", Ref(ROOT))
    return Thing(text=LOCK, href=LOCK, sha256=str(entity.as_json()["sha256"]), size=len(text))


def _told_lock(ground: Prospective) -> None:
    """Put in what others can import the crate by, where the lock itself has to stay out."""
    text = told_lock(ground.plan, ground.discretion)
    if text is None:
        return
    entity = ground.data.made(TOLD_LOCK, text, name="the plan, as it may be told", encoding="application/json")
    entity.set("description", f"As {LOCK}, but items with local names are named by where they lie in a crate.")
    entity.set("about", Ref(ROOT))


def _lock_digest(graph: Graph, digest: str) -> None:
    """Say it where programs look, also when the lock itself stays out: it ties the runs to what was staged."""
    said = graph.add("#lock-digest", "PropertyValue", name="digest of the lock", propertyID=LOCK_DIGEST, value=digest)
    said.set("description", f"Of {LOCK}, the plan by which everything here was staged and each run was made.")
    graph.add(ROOT).add("mentions", Ref(said.id))


def _signature(graph: Graph, signed_by: str) -> None:
    """Say that this crate is signed, and by which key: so it is noticed when the signature is gone or another one."""
    described = {"encodingFormat": "text/plain"}
    graph.add(MANIFEST, "CreativeWork", name="the sha512 of every file", about=Ref(ROOT), **described)
    signature = graph.add(SIGNATURE, "CreativeWork", name="the signature of this crate", about=Ref(ROOT), **described)
    signature.set("description", f"An SSH signature of {MANIFEST}.").set("identifier", signed_by)


def _identifiers(ground: Prospective) -> list[str]:
    return [one for item in ground.plan.items for one in named_by(item)]
