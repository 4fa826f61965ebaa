"""Crates of other makers: what one of their runs was, as a stage definition, to be staged as any other.

Nothing is believed that isn't told: files are held against the digests that the metadata state, whatever their kind,
and what nobody states is named. The engine's version is the stated one where it is known here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import unquote

from engines.base import Engine
from engines.gathering import check_contained
from staging.definition import DirectoryValue, EngineWish, FileValue, Param, Source, StageDefinition, Value
from staging.errors import CrateError, NotFoundError, PolicyError, UsageError
from staging.fingerprints import Fingerprint
from staging.identifiers import Identifier
from staging.paths import safe_name
from wfexs_like.flow.recognising import load_engine
from wfexs_like.importing.addresses import address_anywhere
from wfexs_like.importing.holding import Holding
from wfexs_like.importing.opening import OpenCrate, path_of
from wfexs_like.importing.taking import Level
from wfexs_like.reading.account import Account, Item, Parameter, Run, Slot

_WEB: Final = ("http://", "https://", "ftp://")
_MANY: Final = 16
_LONGEST: Final = 60
STAGE_FILE: Final = (
    "write a stage file: the crate, a folder or a zip, can be its workflow_id, and params say what it is given"
)
_LANGUAGES: Final = (
    ("nextflow", "nextflow"),
    (".nf", "nextflow"),
    ("cwl", "cwltool"),
    ("common workflow", "cwltool"),
)
"""What an engine's language is told by, in the workflow's language and name."""
_NULL: Final = "null"
_NUMBERS: Final[Mapping[str, Callable[[str], Value]]] = {"Integer": int, "Float": float, "Number": float}
_TRUTH: Final = {"true": True, "false": False}


_VERSION: Final = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9}){1,2}(?:-[A-Za-z][A-Za-z0-9]{0,31})?")


@dataclass(kw_only=True)
class Foreign:
    """One crate of another maker being read. ``remarks`` are what had to be taken for granted, a sentence each.

    What of it may be read, and what is believed, is ``holding``'s.
    """

    crate: OpenCrate
    account: Account
    cache: Path
    level: Level
    strict: bool
    remarks: list[str] = field(default_factory=list)

    @cached_property
    def holding(self) -> Holding:
        """What holds its files against what is stated of them."""
        return Holding(crate=self.crate, account=self.account, strict=self.strict, remarks=self.remarks)

    def definition(self, wanted: int | str | None) -> StageDefinition:
        """What is to be staged: the workflow, with what the run ``wanted`` (the last one by default) was given.

        Raises:
            CrateError: something isn't told or isn't there, or (``strict``) can't be verified.
            NotFoundError: there is no such run.
            DigestError: a file isn't what the metadata say.
        """
        run = self._run(wanted)
        engine = self._engine()
        if self.strict:
            self.holding.check_all()
        dataset = self.account
        workflow, version, params = self._workflow(engine), self._version(engine, run), tuple(self._params(run))
        self.holding.remark()
        return StageDefinition(
            workflow=workflow,
            base=self.crate.root,
            file=f"the crate {self.crate.place.name}",
            text=f"# imported from {self.crate.place.name!r}\n",
            engine=EngineWish(name=engine.name, version=version),
            params=params,
            title=dataset.name,
            description=dataset.description,
        )

    def number_of(self, wanted: int | str | None) -> int | None:
        """The place of that run in the crate, from 1."""
        run = self._run(wanted)
        return None if run is None else self.account.runs.index(run) + 1

    # -- the run and its engine -------------------------------------------------------------------------------------

    def _run(self, wanted: int | str | None) -> Run | None:
        runs = self.account.runs
        if wanted is None:
            return runs[-1] if runs else None
        if isinstance(wanted, int):
            found = [runs[wanted - 1]] if 0 < wanted <= len(runs) else []
        else:
            found = [one for one in runs if wanted.strip("#") in (one.execution.id.strip("#"), _uuid(one.execution.id))]
        if not found:
            known = ", ".join(f"{at}: {one.execution.id}" for at, one in enumerate(runs[:_MANY], 1)) or "none"
            raise NotFoundError(f"the crate tells of no run {wanted}", hint=f"its runs: {known}", where=f"run {wanted}")
        return found[0]

    def _engine(self) -> Engine:
        workflow = self.account.workflow
        if workflow is None:
            raise CrateError(
                "the crate has no workflow: its metadata name no main entity that is one",
                hint="only crates with a CWL or Nextflow workflow can be imported",
                where=str(self.crate.place),
            )
        said = f"{workflow.language or ''} {workflow.software.id}".lower()
        for sign, name in _LANGUAGES:
            if sign in said:
                return load_engine(name)
        raise CrateError(
            f"the crate's workflow is in {workflow.language or 'a language that is not told'}",
            hint="only CWL and Nextflow workflows can be imported",
            where=workflow.software.id,
        )

    def _version(self, engine: Engine, run: Run | None) -> str | None:
        told = run.engine if run is not None else None
        version = told.version if told is not None and engine.name in told.name.lower() else None
        if version is None and engine.name == "nextflow" and self.account.workflow is not None:
            version = self.account.workflow.language_version
        version = None if version is None else version.removeprefix("!>=").removeprefix("!").removeprefix("v")
        if version is None:
            self.holding.unsure(f"the crate doesn't say which version of {engine.name} ran: the default one is taken")
            return None
        if engine.name == "cwltool":
            known = version in [one.version for one in engine.versions(self.cache)]
        else:
            known = _VERSION.fullmatch(version) is not None
        if known:
            return version
        self.holding.unsure(
            f"{engine.name} {version[:_LONGEST]}, which ran, isn't to be had here: the one that is the default is taken"
        )
        return None

    # -- the workflow -----------------------------------------------------------------------------------------------

    def _workflow(self, engine: Engine) -> Source:
        workflow = self.account.workflow
        assert workflow is not None, "seen by _engine"
        document = workflow.document
        name = workflow.software.id
        entry, _, process = name.partition("#")
        path = path_of(entry)
        there = None if path is None else self.crate.path(path)
        if path is None or there is None or not there.is_file():
            return self._workflow_elsewhere(workflow.source, document)
        stated = {} if document is None else document.digests
        sha256 = self.holding.check(there, path, stated)
        if not stated:
            self.holding.unstated(path)
        if engine.name == "nextflow":
            folder = PurePosixPath(path).parent
            whole = Identifier.of_path(self.crate.root / folder)
            main = Identifier.parse(f"{whole}#subdirectory={PurePosixPath(path).name}")
            return Source(mirrors=(main,), where="workflow")
        # What is about the crate, a repository of its reader's perhaps, is none of its business.
        check_contained(self.crate.root, PurePosixPath(path), engine.references)
        of = Identifier.of_path(there)
        if process:
            of = Identifier.parse(f"{of}#{unquote(process)}")
        return Source(mirrors=(of,), sha256=sha256, where="workflow")

    def _workflow_elsewhere(self, source: str | None, document: Item | None) -> Source:
        """Where the workflow is to be had, of which the crate has no file."""
        assert self.account.workflow is not None, "seen by _engine"
        name = self.account.workflow.software.id
        stated = {} if document is None else document.digests
        told = [None if document is None else document.address, source]
        # Only of these two it is seen to that what comes has them.
        sure = "sha256" in stated or "sha1" in stated
        found = [one for text in told if text and (one := address_anywhere(text, stated=sure)) is not None]
        if not found:
            raise CrateError(
                f"the crate doesn't hold its workflow {name!r}, nor say where on the web it is",
                hint=STAGE_FILE,
                where=name,
            )
        if not sure:
            self.holding.unstated(str(found[0]))
        return Source(mirrors=(found[0],), sha256=_sha256(stated), sha1=stated.get("sha1"), where="workflow")

    # -- what the run was given -------------------------------------------------------------------------------------

    def _params(self, run: Run | None) -> Iterator[Param]:
        """What the run was given; of a crate that tells of none, what it has for the workflow's inputs."""
        workflow = self.account.workflow
        examples = () if workflow is None else workflow.examples
        for slot in examples if run is None else run.execution.inputs:
            if slot.parameter is None:
                names = ", ".join(one.name for one in slot.items[:_MANY])
                self.remarks.append(f"nobody says for which parameter the run had these: {names}")
                continue
            name = slot.name.rpartition("#")[2].rpartition("/")[2] or slot.name
            yield Param(name=name, value=self._filled(slot, slot.parameter), file=self.crate.place.name, where=name)

    def _filled(self, slot: Slot, parameter: Parameter) -> Value:
        found = [self._value(one, parameter) for one in slot.items]
        if len(found) == 1 and not (parameter.many and not isinstance(found[0], tuple)):
            return found[0]
        return tuple(found)

    def _value(self, item: Item, parameter: Parameter | None) -> Value:
        if item.kind == "file":
            return self._file(item)
        if item.kind == "folder":
            return DirectoryValue(source=self._folder(item), basename=safe_name(item.name.rstrip("/")), where=item.id)
        if item.kind == "collection":
            return self._collection(item, many=parameter is not None and bool(parameter.many))
        if item.kind == "value":
            if item.parts:
                record = {one.name.rpartition("/")[2]: self._value(one, None) for one in item.parts}
                if record.get("class") in ("File", "Directory"):
                    raise PolicyError(
                        f"the crate's value of {item.name!r} names a file of the machine that it is run on",
                        hint="don't trust the crate: files are entities of their own in it",
                        where=item.id,
                    )
                return record
            return _plain(item.value, parameter.kind if parameter is not None else None)
        raise CrateError(f"the crate doesn't say what {item.name!r} is", where=item.id)

    def _collection(self, item: Item, *, many: bool) -> Value:
        """A list, or a file with its secondary files, which comes first."""
        if not item.parts:
            raise CrateError(f"the crate doesn't say what {item.name!r} is made of", where=item.id)
        parts = tuple(self._value(one, None) for one in item.parts)
        if many or not isinstance(parts[0], FileValue):
            return parts
        beside = tuple(one for one in parts[1:] if isinstance(one, FileValue | DirectoryValue))
        return replace(parts[0], secondary=beside)

    def _file(self, item: Item) -> FileValue:
        basename = safe_name(item.name.rpartition("/")[2])
        return FileValue(source=self._source(item), basename=basename, where=item.id)

    def _source(self, item: Item) -> Source:
        """Where a file is to be had: in the crate once it was checked, or on the web with the digest expected."""
        if item.sealed:
            raise UsageError(f"{item.name!r} in the crate is sealed", hint='"wfexs-like open" opens it', where=item.id)
        web = item.address if item.address is not None and item.address.lower().startswith(_WEB) else None
        there = None if item.path is None else self.crate.path(item.path)
        if web is not None and (there is None or self.level == "metadata"):
            stated = "sha256" in item.digests or "sha1" in item.digests
            found = address_anywhere(web, stated=stated)
            if found is not None:
                if not stated:
                    self.holding.unstated(web)
                sha1 = item.digests.get("sha1")
                return Source(mirrors=(found,), sha256=_sha256(item.digests), sha1=sha1, where=item.id)
        if there is None or not there.is_file():
            raise CrateError(
                f"{item.name!r}, which the run was given, is neither in the crate nor has it an address",
                hint=STAGE_FILE,
                where=item.id,
            )
        if not item.digests:
            self.holding.unstated(str(item.path))
        return Source(
            mirrors=(Identifier.of_path(there),), sha256=self.holding.check(there, item.id, item.digests), where=item.id
        )

    def _folder(self, item: Item) -> Source:
        there = None if item.path is None else self.crate.path(item.path.rstrip("/"))
        if there is None or not there.is_dir():
            raise CrateError(f"the folder {item.name!r}, which the run was given, is not in the crate", where=item.id)
        return Source(mirrors=(Identifier.of_path(there),), where=item.id)


def _sha256(stated: Mapping[str, str]) -> Fingerprint | None:
    return Fingerprint.parse(stated["sha256"]) if "sha256" in stated else None


def _uuid(identifier: str) -> str:
    return identifier.rpartition("/")[2].rpartition(":")[2].strip("#")


def _plain(value: object, kind: str | None) -> Value:
    """A value as it was meant: makers write numbers and truth as texts, where their kind tells what they are."""
    if isinstance(value, list):
        return tuple(_plain(one, kind) for one in value)
    if not isinstance(value, str):
        return value  # type: ignore[return-value]
    sort = (kind or "").rpartition("/")[2]
    if sort == "Boolean":
        return _TRUTH.get(value.lower(), value)
    if sort != "Text" and value.lower() == _NULL:
        return None
    with suppress(ValueError):
        return _NUMBERS[sort](value) if sort in _NUMBERS else value
    return value
