"""Crates of other makers: what is staged of them, and what is refused because nobody states it or it isn't so."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from staging.definition import DirectoryValue, FileValue, StageDefinition
from staging.errors import CrateError, DigestError, NotFoundError, PolicyError
from wfexs_like.importing.foreign import Foreign
from wfexs_like.importing.opening import open_crate
from wfexs_like.reading.contents import open_crate as look_into
from wfexs_like.reading.recount import recount_contents

CONTEXT = "https://w3id.org/ro/crate/1.1/context"
Entity = dict[str, Any]


def refer(*names: str) -> list[dict[str, str]]:
    return [{"@id": name} for name in names]


def formal(name: str, kind: str, **more: Any) -> Entity:
    return {"@id": f"#{name}", "@type": "FormalParameter", "name": name, "additionalType": kind, **more}


def value(identifier: str, slot: str, told: Any) -> Entity:
    return {
        "@id": identifier,
        "@type": "PropertyValue",
        "name": slot,
        "value": told,
        "exampleOfWork": refer(f"#{slot}"),
    }


def crate(
    folder: Path,
    entities: Sequence[Entity] = (),
    files: Mapping[str, str] | None = None,
    *,
    runs: Sequence[Sequence[str]] = (),
    main: str = "wf.cwl",
    language: str = "CWL",
    version: str | None = None,
) -> Path:
    """A crate as another maker would write it; each of ``runs`` is what one was given."""
    folder.mkdir(parents=True)
    parameters = [one["@id"] for one in entities if one["@type"] == "FormalParameter"]
    graph: list[Entity] = [
        {"@id": "ro-crate-metadata.json", "@type": "CreativeWork", "about": refer("./")[0]},
        {"@id": "./", "@type": "Dataset", "name": "theirs", "mainEntity": refer(main)[0], "hasPart": refer(main)},
        {
            "@id": main,
            "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
            "name": "wf",
            "programmingLanguage": refer("#language")[0],
            "input": refer(*parameters),
            "sha256": hashlib.sha256(b"text").hexdigest(),
        },
        {
            "@id": "#language",
            "@type": "ComputerLanguage",
            "name": language,
            **({"version": version} if version else {}),
        },
        *entities,
    ]
    for number, given in enumerate(runs, 1):
        graph.append(
            {
                "@id": f"#run-{number}",
                "@type": "CreateAction",
                "name": f"run {number}",
                "startTime": f"2024-01-0{number}T00:00:00+00:00",
                "instrument": refer(main)[0],
                "object": refer(*given),
            }
        )
    (folder / "ro-crate-metadata.json").write_text(json.dumps({"@context": CONTEXT, "@graph": graph}))
    for name, text in {main: "text", **(files or {})}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def told(place: Path, run: int | str | None = None, **more: Any) -> tuple[StageDefinition, list[str]]:
    """What is to be staged, and what had to be taken for granted."""
    opened = open_crate(place, place.parent / "unpacked")
    with look_into(opened.root) as contents:
        account = recount_contents(place, contents)
    wish = {"level": "full", "strict": False, **more}
    foreign = Foreign(crate=opened, account=account, cache=place.parent / "cache", **wish)
    return foreign.definition(run), foreign.remarks


def params(definition: StageDefinition) -> dict[str, Any]:
    return {one.name: one.value for one in definition.params}


def file(name: str, slot: str | None = None, **more: Any) -> Entity:
    return {"@id": name, "@type": "File", **({"exampleOfWork": refer(f"#{slot}")} if slot else {}), **more}


def test_values_are_what_their_parameters_kinds_say(tmp_path: Path) -> None:
    kinds = {
        "n": ("Integer", "7", 7),
        "x": ("Float", "0.5", 0.5),
        "t": ("Text", "7", "7"),
        "b": ("Boolean", "True", True),
    }
    entities = [formal(name, kind) for name, (kind, _, _) in kinds.items()]
    entities += [value(f"#v-{name}", name, text) for name, (_, text, _) in kinds.items()]
    entities += [formal("many", "Integer", multipleValues=True), value("#v-many", "many", ["1", "2"])]
    entities += [formal("none", "File"), value("#v-none", "none", "null")]
    given = [one["@id"] for one in entities if one["@type"] == "PropertyValue"]

    definition, _ = told(crate(tmp_path / "c", entities, runs=[given]))

    assert params(definition) == {
        **{name: wanted for name, (_, _, wanted) in kinds.items()},
        "many": (1, 2),
        "none": None,
    }
    assert (definition.engine.name, definition.title) == ("cwltool", "theirs")
    assert definition.workflow.mirrors[0].local_path == tmp_path / "c/wf.cwl"


def test_files_are_the_crates_own_once_they_were_held_against_any_digest(tmp_path: Path) -> None:
    sha1 = hashlib.sha1(b"reads").hexdigest()
    entities = [
        formal("reads", "File"),
        file("da/ta.txt", "reads", sha1=sha1, alternateName="reads.txt"),
        formal("aligned", "Collection"),
        {"@id": "#both", "@type": "Collection", "mainEntity": refer("a.bam")[0], "hasPart": refer("a.bam", "a.bai"),
         "exampleOfWork": refer("#aligned")},
        file("a.bam"),
        file("a.bai"),
        formal("folder", "Dataset"),
        {"@id": "ref/", "@type": "Dataset", "exampleOfWork": refer("#folder")},
    ]  # fmt: skip
    files = {"da/ta.txt": "reads", "a.bam": "bam", "a.bai": "bai", "ref/x": "x"}
    place = crate(tmp_path / "c", entities, files, runs=[["da/ta.txt", "#both", "ref/"]])

    definition, remarks = told(place)

    found = params(definition)
    reads, aligned, folder = found["reads"], found["aligned"], found["folder"]
    assert isinstance(reads, FileValue)
    assert reads.source is not None
    assert reads.basename == "reads.txt"
    assert reads.source.mirrors[0].local_path == place / "da/ta.txt"
    assert reads.source.sha256 is not None
    assert reads.source.sha256.digest == hashlib.sha256(b"reads").hexdigest()
    assert [one.basename for one in aligned.secondary] == ["a.bai"]
    assert isinstance(folder, DirectoryValue)
    assert any("nobody states a digest of a.bam" in one for one in remarks)
    with pytest.raises(CrateError, match=r"nobody states|doesn't say"):
        told(place, strict=True)
    (place / "da/ta.txt").write_text("other")
    with pytest.raises(DigestError, match=r"sha1 of da/ta\.txt"):
        told(place)


def test_the_run_is_the_last_one_or_that_which_is_named(tmp_path: Path) -> None:
    entities = [formal("n", "Integer"), value("#one", "n", "1"), value("#two", "n", "2")]
    place = crate(tmp_path / "c", entities, runs=[["#one"], ["#two"]])
    assert [params(told(place, run)[0])["n"] for run in (None, 1, 2, "#run-1", "run-2")] == [2, 1, 2, 1, 2]
    for run in (3, "run-9"):
        with pytest.raises(NotFoundError, match="no run"):
            told(place, run)
    assert told(crate(tmp_path / "d"))[0].params == ()


def test_what_has_an_address_is_fetched_from_there_at_the_level_of_metadata(tmp_path: Path) -> None:
    address = "https://example.org/reads.txt"
    digest = hashlib.sha256(b"reads").hexdigest()
    entities = [formal("reads", "File"), file("reads.txt", "reads", contentUrl=address, sha256=digest)]
    place = crate(tmp_path / "c", entities, {"reads.txt": "reads"}, runs=[["reads.txt"]])
    for level, scheme in (("full", "file"), ("metadata", "https")):
        source = params(told(place, level=level)[0])["reads"].source
        assert (source.mirrors[0].scheme, source.sha256.digest) == (scheme, digest)
    (place / "reads.txt").unlink()
    assert params(told(place)[0])["reads"].source.mirrors[0].scheme == "https"


def test_what_can_not_be_known_is_named(tmp_path: Path) -> None:
    entities = [formal("reads", "File"), file("reads.txt", "reads")]
    with pytest.raises(CrateError, match=r"'reads\.txt', which the run was given, is neither in the crate") as caught:
        told(crate(tmp_path / "a", entities, runs=[["reads.txt"]]))
    assert "write a stage file" in str(caught.value.hint)
    with pytest.raises(CrateError, match="is in Galaxy"):
        told(crate(tmp_path / "b", main="wf.ga", language="Galaxy"))
    gone = crate(tmp_path / "c")
    (gone / "wf.cwl").unlink()
    with pytest.raises(CrateError, match="doesn't hold its workflow"):
        told(gone)
    with pytest.raises((CrateError, PolicyError)):
        told(crate(tmp_path / "d" / "in", [formal("f", "File"), file("../../secret", "f")], runs=[["../../secret"]]))


def test_a_nextflow_workflow_comes_with_its_folder_and_the_version_that_is_told(tmp_path: Path) -> None:
    place = crate(tmp_path / "c", main="flow/main.nf", language="Nextflow", version="24.10.0")
    definition, remarks = told(place)
    assert (definition.engine.name, definition.engine.version) == ("nextflow", "24.10.0")
    assert str(definition.workflow.mirrors[0]) == f"file://{place}/flow#subdirectory=main.nf"
    assert remarks == []
    _, remarks = told(crate(tmp_path / "d", main="main.nf", language="Nextflow"))
    assert "doesn't say which version of nextflow ran" in remarks[0]
