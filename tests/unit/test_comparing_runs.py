"""Two runs held against each other, by what crates of anybody tell of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from staging.errors import CrateError, NotFoundError
from wfexs_like.comparing.compare import compare
from wfexs_like.comparing.files import Manner
from wfexs_like.comparing.report import CompareReport
from wfexs_like.comparing.sides import Side, choose
from wfexs_like.reading.contents import open_crate
from wfexs_like.reading.recount import recount_contents

COMPLETED = "http://schema.org/CompletedActionStatus"
Entity = dict[str, Any]
BY_DEFAULT = Manner()


def digest(content: str) -> str:
    return sha256(content.encode()).hexdigest()


def file(name: str, content: str, slot: str, *, there: bool = True, stated: bool = True) -> tuple[Entity, str | None]:
    entity: Entity = {"@id": name if there else f"#{name}", "@type": "File", "name": name, "exampleOfWork": at(slot)}
    if stated:
        entity["sha256"] = digest(content)
    return entity, content if there else None


def value(slot: str, content: object) -> tuple[Entity, None]:
    entity = {
        "@id": f"#value-{slot}",
        "@type": "PropertyValue",
        "name": slot,
        "value": content,
        "exampleOfWork": at(slot),
    }
    return entity, None


def at(*names: str) -> Any:
    found = [{"@id": name if name.endswith(".cwl") else f"#{name}"} for name in names]
    return found[0] if len(found) == 1 else found


def crate(
    folder: Path,
    *,
    inputs: Sequence[tuple[Entity, str | None]] = (),
    outputs: Sequence[tuple[Entity, str | None]] = (),
    workflow: str = "a workflow",
    status: str = COMPLETED,
    engine: str = "1.0",
    default: object = None,
) -> Path:
    """A crate of one run of a workflow with the parameters ``x`` and ``y`` and the results ``out`` and ``more``."""
    folder.mkdir()
    slots = ("x", "y", "out", "more")
    entities: list[Entity] = [
        {"@id": "ro-crate-metadata.json", "@type": "CreativeWork", "about": {"@id": "./"}},
        {
            "@id": "./",
            "@type": "Dataset",
            "name": "a crate",
            "mainEntity": at("main.cwl"),
            "hasPart": [at("main.cwl"), *({"@id": one["@id"]} for one, _ in (*inputs, *outputs))],
            "mentions": [{"@id": "#run"}, {"@id": "#engine-run"}],
        },
        {
            "@id": "main.cwl",
            "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
            "name": "main",
            "sha256": digest(workflow),
            "input": at("x", "y"),
            "output": at("out", "more"),
        },
        *({"@id": f"#{one}", "@type": "FormalParameter", "name": one, "additionalType": "File"} for one in slots),
        {
            "@id": "#run",
            "@type": "CreateAction",
            "name": "a run",
            "instrument": at("main.cwl"),
            "actionStatus": status,
            "object": [{"@id": one["@id"]} for one, _ in inputs],
            "result": [{"@id": one["@id"]} for one, _ in outputs],
        },
        {"@id": "#engine", "@type": "SoftwareApplication", "name": "cwltool", "softwareVersion": engine},
        {
            "@id": "#engine-run",
            "@type": "OrganizeAction",
            "name": "engine",
            "instrument": {"@id": "#engine"},
            "result": {"@id": "#run"},
        },
        *(one for one, _ in (*inputs, *outputs)),
    ]
    if default is not None:
        next(one for one in entities if one["@id"] == "#x")["defaultValue"] = default
    context = "https://w3id.org/ro/crate/1.1/context"
    (folder / "ro-crate-metadata.json").write_text(json.dumps({"@context": context, "@graph": entities}))
    for path, content in (("main.cwl", workflow), *((one["@id"], text) for one, text in (*inputs, *outputs))):
        if content is not None:
            (folder / path).write_text(content)
    return folder


def compared(a: Path, b: Path, manner: Manner = BY_DEFAULT, *, secret: bool = False) -> CompareReport:
    """Compare the runs of two crates, both ways round."""
    with open_crate(a) as one, open_crate(b) as other:
        sides = []
        for path, contents in ((a, one), (b, other)):
            account = recount_contents(path, contents)
            run = choose(str(path), account, None)
            sides.append(Side(label=path.name, account=account, run=run, contents=contents, secret=secret))
        report, turned = compare(sides[0], sides[1], manner), compare(sides[1], sides[0], manner)
        assert report.verdict == turned.verdict
        assert sorted((one.what, one.b, one.a) for one in report.differences) == sorted(
            (one.what, one.a, one.b) for one in turned.differences
        )
        assert compare(sides[0], sides[0], manner).differences == ()
    return report


def verdicts(report: CompareReport) -> Mapping[str, str]:
    return {one.name: one.comparison.verdict for one in report.files}


def test_what_has_the_same_digest_is_identical_wherever_it_is(tmp_path: Path) -> None:
    a = crate(tmp_path / "a", outputs=[file("a.txt", "a\n", "out")])
    b = crate(tmp_path / "b", outputs=[file("b.txt", "a\n", "out", there=False)])
    assert compared(a, b).verdict == "same"
    assert verdicts(compared(a, b)) == {"out": "identical"}


def test_without_bytes_only_the_digest_counts_and_without_either_nobody_knows(tmp_path: Path) -> None:
    a = crate(tmp_path / "a", outputs=[file("a.txt", "a\n", "out"), file("m.txt", "m", "more", stated=False)])
    b = crate(
        tmp_path / "b",
        outputs=[
            file("a.txt", "a\r\n", "out", there=False),
            file("m.txt", "m", "more", there=False, stated=False),
        ],
    )
    report = compared(a, b)
    assert verdicts(report) == {"out": "different", "more": "unknown"}
    assert report.verdict == "different"
    assert "the bytes to look into aren't there" in report.differences[0].what
    c = crate(tmp_path / "c", outputs=[file("a.txt", "a\r\n", "out"), file("m.txt", "m", "more", stated=False)])
    assert verdicts(compared(a, c)) == {"out": "equivalent", "more": "identical"}
    assert compared(a, c).verdict == "same"
    assert compared(a, c, Manner(strict=True)).verdict == "different"


def test_what_only_one_has_is_a_difference(tmp_path: Path) -> None:
    a = crate(tmp_path / "a", outputs=[file("a.txt", "a", "out"), file("m.txt", "m", "more")])
    b = crate(tmp_path / "b", outputs=[file("a.txt", "a", "out")])
    (one,) = compared(a, b).differences
    assert (one.what, one.a, one.b) == ("output more: only one of them has it", "m.txt", None)


def test_workflow_status_and_what_was_given_decide_and_the_engine_is_told(tmp_path: Path) -> None:
    a = crate(tmp_path / "a", inputs=[value("x", 1), file("y.txt", "y\n", "y")])
    b = crate(
        tmp_path / "b",
        inputs=[value("x", 2), file("y.txt", "y\r\n", "y")],
        workflow="another",
        status="http://schema.org/FailedActionStatus",
        engine="2.0",
    )
    report = compared(a, b)
    assert [one.what.partition(":")[0] for one in report.differences] == [
        "workflow main.cwl",
        "input x",
        "input y",
        "status",
    ]
    assert [(one.what, one.a, one.b) for one in report.circumstances] == [("engine", "cwltool 1.0", "cwltool 2.0")]
    other = compared(a, crate(tmp_path / "c", inputs=[value("x", 1), file("y.txt", "y\n", "y")], engine="2.0"))
    told = [one.what for one in other.circumstances]
    assert (other.verdict, told) == ("same", ["engine", "neither of them tells of an output"])


def test_a_default_is_the_same_as_nothing(tmp_path: Path) -> None:
    a = crate(tmp_path / "a", inputs=[value("x", 5)], default=5)
    b = crate(tmp_path / "b", default=5)
    assert compared(a, b).verdict == "same"
    assert compared(crate(tmp_path / "c", inputs=[value("x", 6)], default=5), b).verdict == "different"


def test_numbers_that_came_out_are_compared_within_the_tolerance(tmp_path: Path) -> None:
    a, b = (crate(tmp_path / name, outputs=[value("out", number)]) for name, number in (("a", 0.1), ("b", 0.10001)))
    assert compared(a, b).verdict == "different"
    assert compared(a, b, Manner(tolerance=1e-3)).verdict == "same"
    c, d = (crate(tmp_path / name, inputs=[value("x", number)]) for name, number in (("c", 0.1), ("d", 0.1000000001)))
    assert compared(c, d).verdict == "different"


def test_nothing_of_what_is_secret_is_told(tmp_path: Path) -> None:
    a = crate(tmp_path / "a", inputs=[value("x", "hidden-a")], outputs=[file("a.txt", "hidden-a\n", "out")])
    b = crate(tmp_path / "b", inputs=[value("x", "hidden-b")], outputs=[file("a.txt", "hidden-b\n", "out")])
    report = compared(a, b, secret=True)
    assert report.verdict == "different"
    assert len(report.differences) == 2
    assert "hidden" not in repr(report)
    assert "hidden" in repr(compared(a, b))


def folder(path: Path, link: str, *names: str) -> Path:
    """A crate of a run that made a folder of these files, with a link in it."""
    entity = {"@id": "made/", "@type": "Dataset", "name": "made", "exampleOfWork": at("out")}
    place = crate(path, outputs=[(entity, None)])
    (place / "made").mkdir()
    for name in names:
        (place / "made" / name).write_text(name)
    (place / "made" / "link").symlink_to(link)
    return place


def test_names_of_files_are_of_what_is_secret(tmp_path: Path) -> None:
    a, b = folder(tmp_path / "a", "p-17.txt", "p-17.txt", "same"), folder(tmp_path / "b", "same", "p-18.txt", "same")
    report = compared(a, b, secret=True)
    assert verdicts(report) == {"out/1": "different", "out/2": "different", "out/3": "different", "out/4": "identical"}
    assert "p-1" not in repr(report)
    assert "out/p-17.txt" in verdicts(compared(a, b))


def test_a_link_in_a_folder_is_where_it_leads_to(tmp_path: Path) -> None:
    targets = {"a": "x", "b": "y", "c": "x", "d": "gone", "e": "lost"}
    places = {name: folder(tmp_path / name, target, "x", "y") for name, target in targets.items()}
    for one, other, reason in (("a", "b", "its lines differ"), ("d", "e", "it is a link to something else")):
        report = compared(places[one], places[other])
        (found,) = (one for one in report.files if one.comparison.verdict != "identical")
        assert (found.name, found.comparison.reason.partition(":")[0]) == ("out/link", reason)
    assert compared(places["a"], places["c"]).verdict == "same"


def test_who_states_what_can_not_be_is_not_believed(tmp_path: Path) -> None:
    honest = crate(tmp_path / "a", outputs=[file("o.txt", "made", "out")])
    lie = file("o.txt", "made", "out")
    longer = crate(tmp_path / "b", outputs=[(lie[0], "made up")])
    report = compared(honest, longer)
    assert (report.verdict, verdicts(report)) == ("different", {"out": "unknown"})
    assert "verify tells" in report.differences[0].what
    # Of digests that are at odds with each other none counts where there are bytes, and one that differs otherwise.
    for there, name in ((True, "c"), (False, "d")):
        sides = []
        for content in ("made", "else"):
            entity, text = file("o.txt", content, "out", there=there)
            sides.append(crate(tmp_path / f"{name}-{content}", outputs=[({**entity, "md5": "0" * 32}, text)]))
        assert verdicts(compared(*sides)) == {"out": "different"}


def test_documents_of_a_workflow_that_changed_places_are_another_workflow(tmp_path: Path) -> None:
    places = [crate(tmp_path / name) for name in "ab"]
    for place, (first, second) in zip(places, (("1", "2"), ("2", "1")), strict=True):
        metadata = place / "ro-crate-metadata.json"
        told = json.loads(metadata.read_text().replace("main.cwl", "workflow/main.cwl"))
        for one in told["@graph"]:
            if one["@id"] == "workflow/main.cwl":
                one["sha256"] = digest(first)
        told["@graph"].append({"@id": "workflow/tool.cwl", "@type": "File", "sha256": digest(second)})
        metadata.write_text(json.dumps(told))
    assert [one.what for one in compared(*places).differences] == ["workflow main.cwl", "workflow tool.cwl"]


def test_that_there_is_little_to_compare_is_told(tmp_path: Path) -> None:
    failed = "http://schema.org/FailedActionStatus"
    a, b = (crate(tmp_path / name, status=failed) for name in "ab")
    assert [one.what for one in compared(a, b).circumstances] == [
        "both runs failed: what was made until then is all that there is"
    ]
    c, d = (crate(tmp_path / name) for name in "cd")
    report = compared(c, d)
    assert (report.verdict, [one.what for one in report.circumstances]) == (
        "same",
        ["neither of them tells of an output"],
    )


def test_a_run_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = crate(tmp_path / "a")
    with open_crate(path) as contents:
        account = recount_contents(path, contents)
    assert choose("a", account, 1) is account.runs[0]
    with pytest.raises(NotFoundError):
        choose("a", account, 2)
    metadata = path / "ro-crate-metadata.json"
    metadata.write_text(metadata.read_text().replace("CreateAction", "Thing").replace("OrganizeAction", "Thing"))
    with open_crate(path) as contents, pytest.raises(CrateError):
        choose("a", recount_contents(path, contents), None)
