"""Crates of other makers: what is staged of them, and what is refused because nobody states it or it isn't so."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from staging.definition import DirectoryValue, FileValue, Source, StageDefinition
from staging.errors import CrateError, DefinitionError, DigestError, NotFoundError, PolicyError
from staging.fingerprints import Fingerprint
from staging.identifiers import Identifier
from staging.plan import Kind, PlanItem, Role, Trust
from staging.resolving import lay_out
from staging.wanted import Wanted
from wfexs_like.importing.addresses import named_by_archive, path_inside
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
    **more: Any,
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
            **more,
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
    definition = foreign.definition(run)
    foreign.holding.vouch(lay_out(definition.params, role=Role.INPUT, top="inputs", file="").wanted)
    return definition, foreign.remarks


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


def test_what_was_staged_and_never_ran_has_the_values_that_its_parameters_name(tmp_path: Path) -> None:
    digest = hashlib.sha256(b"a,b").hexdigest()
    entities = [
        formal("table", "File", workExample=refer("inputs/table.csv")),
        file("inputs/table.csv", "table", sha256=digest),
        formal("separator", "String", workExample=refer("#v")),
        value("#v", "separator", ","),
        formal("outdir", "String"),
        # How the workflow was made is no run of it, and what that took is none of its inputs.
        {"@id": "#engine", "@type": "SoftwareApplication", "name": "cwltool"},
        {"@id": "source.cwl", "@type": ["File", "SoftwareSourceCode"]},
        {
            "@id": "#making",
            "@type": "CreateAction",
            "name": "Workflow consolidation",
            "instrument": refer("#engine")[0],
            "object": refer("source.cwl")[0],
            "result": refer("wf.cwl")[0],
        },
    ]
    place = crate(tmp_path / "c", entities, {"inputs/table.csv": "a,b", "source.cwl": "text"})

    definition, remarks = told(place)

    assert params(definition).keys() == {"table", "separator"}
    assert params(definition)["separator"] == ","
    assert params(definition)["table"].source.sha256 == Fingerprint.parse(digest)
    assert not [one for one in remarks if "source.cwl" in one]


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
    # Who is strict has all of the crate verified, and not only what will be read.
    made = crate(tmp_path / "d", [file("out.txt", md5="0" * 32)], {"out.txt": "made"}, version="1.0")
    told(made)
    with pytest.raises(DigestError, match=r"md5 of out\.txt"):
        told(made, strict=True)
    (place / "da/ta.txt").write_text("other")
    with pytest.raises(DigestError, match=r"sha1 of da/ta\.txt"):
        told(place)


def test_a_crate_by_the_first_version_of_the_standard_is_read_as_any(tmp_path: Path) -> None:
    place = crate(tmp_path / "c", [formal("n", "Integer"), value("#v", "n", "7")], runs=[["#v"]])
    new, old = place / "ro-crate-metadata.json", place / "ro-crate-metadata.jsonld"
    old.write_text(new.read_text().replace(new.name, old.name))
    new.unlink()
    definition, _ = told(place)
    assert (definition.title, params(definition)) == ("theirs", {"n": 7})
    assert open_crate(place, tmp_path / "unpacked").dataset["name"] == "theirs"


def test_the_run_is_the_last_one_or_that_which_is_named(tmp_path: Path) -> None:
    entities = [formal("n", "Integer"), value("#one", "n", "1"), value("#two", "n", "2")]
    place = crate(tmp_path / "c", entities, runs=[["#one"], ["#two"]])
    assert [params(told(place, run)[0])["n"] for run in (None, 1, 2, "#run-1", "run-2")] == [2, 1, 2, 1, 2]
    for run in (3, "run-9", 0, -1):
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
    for at, version in enumerate(("99", "../../x", ">=23.04", "x" * 1000)):
        definition, remarks = told(crate(tmp_path / f"v{at}", main="main.nf", language="Nextflow", version=version))
        assert (definition.engine.version, len(remarks)) == (None, 1)
        assert "isn't to be had here" in remarks[0]
        assert len(remarks[0]) < 200


def test_of_a_whole_repository_that_nobody_states_digests_of_there_is_one_remark(tmp_path: Path) -> None:
    place = crate(
        tmp_path / "c", main="main.nf", language="Nextflow", files={f"docs/{one}.md": "x" for one in range(9)}
    )
    opened = open_crate(place, tmp_path / "unpacked")
    with look_into(place) as contents:
        account = recount_contents(place, contents)
    foreign = Foreign(crate=opened, account=account, cache=tmp_path, level="full", strict=False)
    for path in sorted(place.rglob("*")):
        if path.is_file():
            foreign.holding._judge(str(path.relative_to(place)), path)
    foreign.holding.remark()
    # The metadata themselves are what was read.
    assert foreign.remarks == [
        "nobody states a digest of 9 files: docs/0.md, docs/1.md, docs/2.md, docs/3.md, docs/4.md and 4 more"
    ]
    (place / "ro-crate-metadata.json").write_text("{}")
    with pytest.raises(DigestError, match=r"ro-crate-metadata\.json"):
        foreign.holding.check_all()


def test_a_workflow_that_is_elsewhere_is_never_a_file_of_the_reader(tmp_path: Path) -> None:
    """Nor is it fetched without being held against what is stated of it."""
    secret = tmp_path / "secret.cwl"
    secret.write_text("text")
    for at, address in enumerate((f"file://{secret}", str(secret), "~/secret.cwl", f"git+file://{tmp_path}")):
        for name in ("url", "identifier"):
            place = crate(tmp_path / f"{name}{at}", **{name: address})
            (place / "wf.cwl").unlink()
            with pytest.raises(CrateError, match="nor say where on the web"):
                told(place)
    place = crate(tmp_path / "web", url="https://example.org/wf.cwl")
    (place / "wf.cwl").unlink()
    definition, remarks = told(place)
    source = definition.workflow
    assert not any("states" in one for one in remarks)
    assert str(source.mirrors[0]) == "https://example.org/wf.cwl"
    assert source.sha256 is not None
    assert source.sha256.digest == hashlib.sha256(b"text").hexdigest()


def test_nothing_is_fetched_from_the_readers_own_network_unless_it_is_known_what(tmp_path: Path) -> None:
    stated = hashlib.sha256(b"x").hexdigest()
    for at, host in enumerate(("169.254.169.254", "localhost:8080", "10.0.0.7", "[::1]", "2852039166")):
        entities = [formal("reads", "File"), file(f"http://{host}/x", "reads")]
        with pytest.raises(PolicyError, match="within your own network"):
            told(crate(tmp_path / f"a{at}", entities, runs=[[f"http://{host}/x"]]))
        entities[1]["sha256"] = stated
        told(crate(tmp_path / f"b{at}", entities, runs=[[f"http://{host}/x"]]))
        # Nobody looks whether what came has that MD5.
        place = crate(tmp_path / f"c{at}", url=f"http://{host}/wf.cwl", sha256=None, md5="0" * 32)
        (place / "wf.cwl").unlink()
        with pytest.raises(PolicyError, match="within your own network"):
            told(place)


def test_a_record_is_no_file_of_the_machine(tmp_path: Path) -> None:
    def record(kind: str) -> Path:
        entities = [
            formal("r", "PropertyValue"),
            {**value("#v", "r", None), "value": refer("#c", "#l")},
            {"@id": "#c", "@type": "PropertyValue", "name": "class", "value": kind},
            {"@id": "#l", "@type": "PropertyValue", "name": "location", "value": "file:///etc/passwd"},
        ]
        return crate(tmp_path / kind, entities, runs=[["#v"]])

    assert params(told(record("Other"))[0])["r"] == {"class": "Other", "location": "file:///etc/passwd"}
    for kind in ("File", "Directory"):
        with pytest.raises(PolicyError, match="names a file of the machine"):
            told(record(kind))


def test_a_workflow_reads_nothing_around_the_crate_though_that_is_in_a_repository(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    text = "class: CommandLineTool\ncwlVersion: v1.2\nbaseCommand: {$include: WHAT}\ninputs: []\noutputs: []\n"
    for at, what in enumerate(("../secret.txt", str(tmp_path / "secret.txt"), "link.txt")):
        place = crate(tmp_path / f"c{at}", files={"wf.cwl": text.replace("WHAT", what)}, sha256=None)
        (place / "link.txt").symlink_to(tmp_path / "secret.txt")
        with pytest.raises(DefinitionError):
            told(place)


def test_what_a_workflow_asks_for_beside_its_inputs_is_the_crates_own_and_as_it_is_stated(tmp_path: Path) -> None:
    """Secondary files and defaults, which no run of the crate tells of."""
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    place = crate(tmp_path / "c", [file("a.bai", sha1=hashlib.sha1(b"other").hexdigest())], {"a.bai": "bai", "b": "b"})
    (place / "link").symlink_to(secret)
    opened = open_crate(place, tmp_path / "unpacked")
    with look_into(place) as contents:
        account = recount_contents(place, contents)
    holding = Foreign(crate=opened, account=account, cache=tmp_path, level="full", strict=False).holding

    def vouch(text: str) -> None:
        source = Source(mirrors=(Identifier.parse(text),), where="x")
        holding.vouch([Wanted(role=Role.INPUT, name="x", path=place.relative_to("/"), source=source)])

    for text in (str(secret), "../secret.txt", str(place / "../secret.txt"), "git+file:///x", "/etc/passwd"):
        with pytest.raises(PolicyError, match="which is not in it"):
            vouch(text)
    with pytest.raises(PolicyError, match="is a link"):
        vouch(str(place / "link"))
    with pytest.raises(DigestError, match=r"sha1 of a\.bai"):
        vouch(str(place / "a.bai"))
    vouch(str(place / "b"))
    vouch("https://example.org/x")
    assert holding.remarks == [
        "nobody states a digest of b",
        "nobody states a digest of https://example.org/x",
    ]
    holding.strict = True
    with pytest.raises(CrateError, match="nobody states"):
        vouch("https://example.org/y")


def test_what_was_in_an_archive_is_named_by_it(tmp_path: Path) -> None:
    """And found by that name in an archive of its name, and in no other."""
    archive, root = tmp_path / "a b.zip", tmp_path / "unpacked"
    for inner, fragment in ((".", "unpacked"), ("da ta/50%#1.txt", "unpacked/da%20ta/50%25%231.txt")):
        text = str(Identifier.of_path(root / inner))
        item = PlanItem(
            role=Role.INPUT,
            name="x",
            identifier=text,
            pinned=text,
            kind=Kind.FILE,
            fingerprint=Fingerprint.of_bytes(b""),
            size=0,
            trust=Trust.EXPECTED,
        )
        named = Identifier.parse(named_by_archive(item, archive, root).pinned)
        assert (named.local_path, named.fragment) == (archive, fragment)
        assert path_inside(named, tmp_path / "moved" / archive.name) == inner
        assert path_inside(named, tmp_path / "other.zip") is None
    for text in (f"file://{root}/../secret", "file:///etc/passwd", "https://example.org/a#unpacked/x"):
        assert path_inside(Identifier.parse(text), root) is None
