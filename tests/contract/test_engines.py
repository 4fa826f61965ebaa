"""What every engine adapter keeps: one suite, a subclass for each engine."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pytest

from engines.base import ENGINES, Engine, InstalledEngine, WorkflowInterface
from engines.execution import Status
from engines.interface import interface_as_json, interface_from_json
from staging.definition import FileValue, Param
from staging.errors import DefinitionError, EngineError
from tests.support import nextflow_runs
from tests.support.nextflow_runs import NextflowBench, nextflows
from tests.support.runs import Bench, bench, installed, tool

__all__ = ["bench", "installed", "nextflows"]


class EngineContract:
    """``name`` is the plugin's; ``good`` and ``bad`` are documents by name, ``entry`` the one that is meant."""

    name: ClassVar[str]
    entry: ClassVar[str]
    good: ClassVar[dict[str, str]]
    bad: ClassVar[dict[str, str]]

    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls) -> Engine:
        return ENGINES.load(cls.name)()

    @pytest.fixture(scope="class")
    @classmethod
    def interface(
        cls, engine: Engine, installed: InstalledEngine, tmp_path_factory: pytest.TempPathFactory
    ) -> WorkflowInterface:
        """What the engine says of the good one, asked once."""
        return engine.inspect(cls._root(tmp_path_factory.mktemp("good"), cls.good), cls.entry, installed)

    @staticmethod
    def _root(folder: Path, documents: dict[str, str]) -> Path:
        for name, text in documents.items():
            (folder / name).write_text(text)
        return folder

    def test_it_comes_in_by_the_entry_point(self, engine: Engine) -> None:
        assert self.name in ENGINES.names()
        assert engine.name == self.name

    def test_it_knows_its_language(self, engine: Engine, tmp_path: Path) -> None:
        root = self._root(tmp_path, self.good)
        (root / "other.txt").write_text("nothing of that kind")

        assert engine.recognises(root, self.entry)
        assert engine.recognises(root / self.entry, None)
        assert not engine.recognises(root, "other.txt")

    def test_the_default_version_is_there_without_a_fetch(self, engine: Engine, installed: InstalledEngine) -> None:
        assert installed.name == self.name
        assert installed.version
        assert os.access(installed.program, os.X_OK)
        assert len(installed.fingerprint.removeprefix("sha256:")) == 64

    def test_a_version_that_is_none_is_an_error_in_words(self, engine: Engine, tmp_path: Path) -> None:
        with pytest.raises((DefinitionError, EngineError), match="no such version; rm -rf"):
            engine.install("no such version; rm -rf", tmp_path, lambda _line: None)

    def test_inspection_gives_an_interface_that_can_be_kept(self, interface: WorkflowInterface) -> None:
        assert str(interface.entry) == self.entry
        assert set(interface.documents) == set(self.good)
        assert interface_from_json(interface_as_json(interface)) == interface

    def test_a_bad_workflow_is_a_fault_in_words_without_local_paths(
        self, engine: Engine, installed: InstalledEngine, tmp_path: Path
    ) -> None:
        root = self._root(tmp_path, self.bad)

        with pytest.raises(DefinitionError) as caught:
            engine.inspect(root, self.entry, installed)

        assert str(tmp_path) not in caught.value.message
        assert "Traceback" not in caught.value.message
        assert len(caught.value.message) < 3000

    def test_a_document_that_is_not_there_is_a_fault(
        self, engine: Engine, installed: InstalledEngine, tmp_path: Path
    ) -> None:
        with pytest.raises(DefinitionError, match="nowhere"):
            engine.inspect(self._root(tmp_path, self.good), "nowhere.xyz", installed)

    def test_unknown_and_missing_parameters_are_faults(self, engine: Engine, interface: WorkflowInterface) -> None:
        needed = [one.name for one in interface.inputs if one.required]

        bound = engine.bind(interface, (Param(name="no such input", value=1),))

        messages = " ".join(fault.message for fault in bound.faults)
        assert all(name in messages for name in ["no such input", *needed])


@pytest.mark.cwltool
class TestCwltool(EngineContract):
    name = "cwltool"
    entry = "main.cwl"
    good: ClassVar[dict[str, str]] = {
        "main.cwl": (
            "cwlVersion: v1.2\nclass: Workflow\ninputs: {text: File}\n"
            "outputs: {out: {type: File, outputSource: sort/out}}\n"
            "steps: {sort: {run: sort.cwl, in: {file: text}, out: [out]}}\n"
        ),
        "sort.cwl": tool("sort $0", inputs="{file: {type: File, inputBinding: {}}}"),
    }
    bad: ClassVar[dict[str, str]] = {"main.cwl": "cwlVersion: v1.2\nclass: Workflow\ninputs: {}\nsteps: 3\n"}

    def test_the_hooks_tell_of_each_step_in_light_mode(self, bench: Bench) -> None:
        # Pins the private parts of cwltool that are wrapped, and that no stand-in got in the way.
        bench.write(**{name.removesuffix(".cwl"): text for name, text in self.good.items()})

        execution = bench.run(params={"text": bench.file("x.txt", "b\na\n")})

        assert execution.status is Status.COMPLETED
        (one,) = execution.steps
        assert (one.name, one.tool, one.exit_code) == ("sort", "sort.cwl", 0)
        assert one.started
        assert one.ended
        assert one.command[:2] == ("sh", "-c")
        assert {"wall_seconds", "cpu_seconds"} <= set(one.resources)
        assert "once more with all libraries" not in bench.log()

    def test_a_bound_parameter_is_the_one_that_runs(self, engine: Engine, bench: Bench) -> None:
        bench.write(main=tool("echo $0", inputs="{word: {type: string, inputBinding: {}}}"))
        interface = bench.inspect()

        bound = engine.bind(interface, (Param(name="word", value="x"),))

        assert bound.faults == ()
        assert [one.name for one in bound.params] == ["word"]
        assert engine.bind(interface, (Param(name="word", value=FileValue()),)).faults


@pytest.mark.nextflow
class TestNextflow(EngineContract):
    name = "nextflow"
    entry = "main.nf"
    good: ClassVar[dict[str, str]] = {
        "main.nf": ("include { SORT } from './sort'\nparams.text = null\nworkflow { SORT(file(params.text)) }\n"),
        "sort.nf": (
            "process SORT {\n  publishDir 'res'\n  input: path file\n  output: path 'out.txt'\n"
            '  script: "sort $file > out.txt"\n}\n'
        ),
        "nextflow.config": "manifest { name = 'sorter' }\n",
        "nextflow_schema.json": (
            '{"properties": {"text": {"type": "string", "format": "file-path"}}, "required": ["text"]}\n'
        ),
    }
    bad: ClassVar[dict[str, str]] = {"main.nf": "process X {\n  script: 'true'\n}\nworkflow { X( }\n"}

    @pytest.fixture(scope="class")
    @classmethod
    def installed(cls, nextflows: Callable[[str], InstalledEngine]) -> InstalledEngine:
        return nextflows(nextflow_runs.DEFAULT)

    def test_a_run_tells_each_task(self, installed: InstalledEngine, tmp_path: Path) -> None:
        bench = NextflowBench(content=tmp_path / "work", installed=installed)
        bench.write(self.good["main.nf"], **{name: text for name, text in self.good.items() if name != "main.nf"})

        execution = bench.run({"text": bench.file("x.txt", "b\na\n")})

        assert execution.status is Status.COMPLETED, execution.error
        (one,) = execution.steps
        assert (one.name, one.tool, one.exit_code) == ("SORT", "SORT", 0)
        assert one.started
        assert one.ended
        assert bench.read("res/out.txt") == "a\nb\n"

    def test_a_bound_parameter_is_the_one_that_runs(self, engine: Engine, interface: WorkflowInterface) -> None:
        bound = engine.bind(interface, (Param(name="text", value=FileValue()),))

        assert bound.faults == ()
        assert [one.name for one in bound.params] == ["text"]
        assert engine.bind(interface, (Param(name="text", value=3),)).faults
