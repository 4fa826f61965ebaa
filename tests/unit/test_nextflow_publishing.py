"""Published files, made to stand on their own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engines.nextflow.running.belonging import Belonging
from engines.nextflow.running.publishing import Published, altered, collided, entries
from staging.errors import PolicyError


class Place:
    """A run's folders for work and outputs, in a working directory's content."""

    def __init__(self, folder: Path) -> None:
        self.content = folder / "content"
        self.run = self.content / "runs" / "1"
        self.work = self.run / "engine" / "work"
        self.outputs = self.run / "outputs"
        for one in (self.work, self.outputs):
            one.mkdir(parents=True)

    def made(self, name: str, text: str = "made", task: str = "aa/bb") -> Path:
        path = self.work / task / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def link(self, name: str, target: Path | str) -> Path:
        path = self.outputs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)
        return path

    def settle(self, *products: Path, keep: bool = False, told: dict[str, str] | None = None) -> dict[str, str]:
        belonging = Belonging(self.content, self.run, resumed=False)
        published = Published(root=self.outputs, work=self.work, belonging=belonging, keep_work=keep)
        published.settle(told or {}, [str(one) for one in products])
        return published.moved


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.parametrize("keep", [True, False])
def test_a_link_becomes_the_file(place: Place, keep: bool) -> None:
    made = place.made("out.txt")
    link = place.link("res/out.txt", made)

    moved = place.settle(made, keep=keep)

    assert (link.is_symlink(), link.read_text(), link.stat().st_nlink) == (False, "made", 1)
    assert moved == {str(made): str(link)}
    assert made.is_symlink() is not keep
    assert made.read_text() == "made"


def test_a_relative_link_and_a_link_to_a_link_are_followed(place: Place) -> None:
    made = place.made("real.txt")
    alias = made.with_name("alias.txt")
    alias.symlink_to("real.txt")
    link = place.link("res/out.txt", os.path.relpath(alias, place.outputs / "res"))

    moved = place.settle(alias)

    assert (link.is_symlink(), link.read_text()) == (False, "made")
    assert moved[str(alias)] == moved[str(made)] == str(link)


def test_one_file_published_twice_is_two_files(place: Place) -> None:
    made = place.made("out.txt")
    links = [place.link("a.txt", made), place.link("b/other.txt", made)]

    moved = place.settle(made)

    assert [(one.is_symlink(), one.read_text()) for one in links] == [(False, "made")] * 2
    assert moved[str(made)] in [str(one) for one in links]


def test_a_hard_link_is_not_moved_from_under_its_other_name(place: Place) -> None:
    made = place.made("out.txt")
    os.link(made, made.with_name("other.txt"))
    link = place.link("out.txt", made)

    place.settle(made)

    assert made.is_file()
    assert not made.is_symlink()
    assert link.stat().st_ino != made.stat().st_ino


def test_a_folder_is_taken_with_what_its_links_mean(place: Place) -> None:
    box = place.made("box/inner/real.txt").parents[1]
    (box / "alias.txt").symlink_to("inner/real.txt")
    (box / "far.txt").symlink_to(place.made("far.txt", "far", task="cc/dd"))
    link = place.link("res/box", box)

    moved = place.settle(box)

    assert not link.is_symlink()
    assert {name: (link / name).read_text() for name in ("inner/real.txt", "alias.txt", "far.txt")} == {
        "inner/real.txt": "made",
        "alias.txt": "made",
        "far.txt": "far",
    }
    assert not [one for one in link.rglob("*") if one.is_symlink()]
    assert moved[str(box)] == str(link)
    assert moved[str(box / "inner/real.txt")] in (str(link / "inner/real.txt"), str(link / "alias.txt"))


def test_a_staged_file_that_is_published_is_copied(place: Place) -> None:
    staged = place.content / "inputs" / "in.txt"
    staged.parent.mkdir()
    staged.write_text("staged")
    link = place.link("out.txt", staged)

    place.settle()

    assert link.read_text() == staged.read_text() == "staged"
    assert not staged.is_symlink()


@pytest.mark.parametrize(
    "target",
    [
        *("/etc/passwd", "../../../../outside.txt", "/", "/proc/self/environ", "../../2/outputs/x.txt", "../.."),
        "../journal.jsonl",
    ],
)
def test_a_link_out_of_the_working_directory_is_refused(place: Place, target: str) -> None:
    (place.content.parent / "outside.txt").write_text("canary")
    (place.content / "runs/2/outputs").mkdir(parents=True)
    (place.content / "runs/2/outputs/x.txt").write_text("of another run")
    (place.run / "journal.jsonl").write_text("{}")
    place.link("out.txt", target)

    with pytest.raises(PolicyError, match="leads out of the run"):
        place.settle()


def test_a_link_to_nothing_is_refused(place: Place) -> None:
    place.link("out.txt", place.work / "aa/bb/gone.txt")

    with pytest.raises(PolicyError, match="not there"):
        place.settle()


def test_a_link_that_leads_to_itself_is_refused(place: Place) -> None:
    place.link("out.txt", place.outputs / "out.txt")

    with pytest.raises(PolicyError):
        place.settle()


@pytest.mark.parametrize("target", [".", "..", "../.."])
def test_a_folder_that_holds_itself_is_refused(place: Place, target: str) -> None:
    box = place.made("box/x.txt").parent
    (box / "again").symlink_to(target)
    place.link("box", box)

    with pytest.raises(PolicyError, match="a folder that it lies in"):
        place.settle()


def test_two_folders_that_hold_each_other_are_refused(place: Place) -> None:
    one, other = place.made("one/x.txt").parent, place.made("other/x.txt").parent
    (one / "to").symlink_to(other)
    (other / "to").symlink_to(one)
    place.link("one", one)

    with pytest.raises(PolicyError, match="a folder that it lies in"):
        place.settle()


def test_copies_are_matched_by_what_was_told(place: Place) -> None:
    one, other = place.made("x.txt", task="aa/bb"), place.made("x.txt", task="cc/dd")
    copies = [place.outputs / name for name in ("1.txt", "2.txt")]
    for copy in copies:
        copy.write_text("made")

    moved = place.settle(one, other, told={str(copies[0]): str(other), str(copies[1]): str(one)})

    assert moved == {str(other): str(copies[0]), str(one): str(copies[1])}


def test_copies_of_which_nobody_told_are_matched_by_their_bytes(place: Place) -> None:
    one, other = place.made("x.txt", "one", task="aa/bb"), place.made("y.txt", "two", task="cc/dd")
    for name, text in (("renamed.txt", "two"), ("x.txt", "one"), ("unrelated.txt", "six")):
        (place.outputs / name).write_text(text)

    moved = place.settle(one, other)

    assert moved == {str(one): str(place.outputs / "x.txt"), str(other): str(place.outputs / "renamed.txt")}


def test_the_same_bytes_are_matched_by_name_first(place: Place) -> None:
    one, other = place.made("x.txt", task="aa/bb"), place.made("y.txt", task="cc/dd")
    for name in ("x.txt", "y.txt"):
        (place.outputs / name).write_text("made")

    moved = place.settle(other, one)

    assert moved == {str(one): str(place.outputs / "x.txt"), str(other): str(place.outputs / "y.txt")}


def test_a_copied_folder_of_which_nobody_told_is_matched_as_a_whole(place: Place) -> None:
    boxes = [place.made("box/x.txt", text, task=task).parent for text, task in (("1", "aa/bb"), ("2", "cc/dd"))]
    for name, text in (("res/box/x.txt", "2"), ("other/box/x.txt", "1")):
        (place.outputs / name).parent.mkdir(parents=True)
        (place.outputs / name).write_text(text)

    moved = place.settle(*boxes)

    assert {name: moved[str(boxes[number])] for number, name in enumerate(("other", "res"))} == {
        name: str(place.outputs / name / "box") for name in ("other", "res")
    }
    assert moved[str(boxes[0] / "x.txt")] == str(place.outputs / "other/box/x.txt")


def test_what_was_moved_away_is_matched_by_a_name_that_only_it_has(place: Place) -> None:
    gone = [place.work / name for name in ("aa/bb/x.txt", "aa/bb/box", "cc/dd/twice.txt", "ee/ff/twice.txt")]
    for name in ("res/x.txt", "res/box/y.txt", "res/twice.txt"):
        (place.outputs / name).parent.mkdir(parents=True, exist_ok=True)
        (place.outputs / name).write_text("made")

    moved = place.settle(*gone)

    assert moved == {
        str(gone[0]): str(place.outputs / "res/x.txt"),
        str(gone[1]): str(place.outputs / "res/box"),
        str(gone[1] / "y.txt"): str(place.outputs / "res/box/y.txt"),
    }


# --- collisions -------------------------------------------------------------------------------------------------------


def test_one_name_for_different_files_is_a_collision(place: Place) -> None:
    one, other = place.made("x.txt", "one", task="aa/bb"), place.made("x.txt", "other", task="cc/dd")

    assert collided({"/o/x.txt": [str(one), str(other)]}, []) == ("/o/x.txt", [str(one), str(other)])


def test_one_name_for_the_same_bytes_is_none(place: Place) -> None:
    one, other = place.made("x.txt", task="aa/bb"), place.made("x.txt", task="cc/dd")

    assert collided({"/o/x.txt": [str(one), str(other)]}, []) is None
    assert collided({"/o/x.txt": [str(one), str(one)]}, []) is None
    assert collided({"/o/x.txt": [str(one)], "/o/y.txt": [str(other)]}, []) is None


def _unsaid(place: Place, **targets: tuple[str, int]) -> dict[str, list[str]]:
    """Outputs by folder: what is in ``x.txt`` there, and how often it was published; nobody says what."""
    told = {}
    for folder, (text, times) in targets.items():
        path = place.outputs / folder / "x.txt"
        path.parent.mkdir()
        path.write_text(text)
        told[str(path)] = [""] * times
    return told


def test_where_no_source_is_told_what_is_there_has_to_be_made_as_often_as_published(place: Place) -> None:
    one, other = (str(place.made("x.txt", text, task=task)) for text, task in (("1", "a/a"), ("2", "b/b")))
    told = _unsaid(place, res=("2", 2))
    (target,) = told

    assert collided(told, [one, other]) == (target, [one, other])
    assert collided({target: [""]}, [one, other]) is None
    assert collided(told, [other, str(place.made("x.txt", "2", task="c/c"))]) is None


def test_files_of_that_name_that_went_elsewhere_are_no_rivals(place: Place) -> None:
    made = [("1", "a/a"), ("1", "b/b"), ("2", "c/c"), ("3", "d/d")]
    products = [str(place.made("x.txt", text, task=task)) for text, task in made]

    assert collided(_unsaid(place, alike=("1", 2), other=("2", 1), third=("3", 1)), products) is None
    told = _unsaid(place, first=("1", 2), second=("2", 2))
    assert collided(told, products) == (str(place.outputs / "second/x.txt"), products[2:])


def test_what_was_moved_or_published_twice_by_its_task_is_no_collision(place: Place) -> None:
    told = _unsaid(place, res=("1", 2))

    assert collided(told, [str(place.work / "a/a/x.txt"), str(place.work / "b/b/x.txt")]) is None
    assert collided(told, [str(place.made("x.txt", "1", task="c/c"))]) is None


def test_folders_are_compared_by_what_is_in_them(place: Place) -> None:
    texts = {"a/a": "1", "b/b": "1", "c/c": "2"}
    same, alike, other = (str(place.made("d/x.txt", text, task=task).parent) for task, text in texts.items())

    assert collided({"/o/d": [same, alike]}, []) is None
    assert collided({"/o/d": [same, other]}, []) is not None


def test_what_lies_there_is_listed_in_order(place: Place) -> None:
    for name in ("b/c.txt", "a.txt", "b/a b.txt"):
        (place.outputs / name).parent.mkdir(exist_ok=True)
        (place.outputs / name).touch()
    (place.outputs / "empty").mkdir()

    assert entries(place.outputs) == [
        ("a.txt", "File"),
        ("b", "Directory"),
        ("b/a b.txt", "File"),
        ("b/c.txt", "File"),
        ("empty", "Directory"),
    ]


def test_what_the_engine_keeps_for_itself_is_not_told(place: Place) -> None:
    for name in (".nextflow/history", ".nextflow.log", ".nextflow.log.1", "res/.nextflow/x"):
        (place.outputs / name).parent.mkdir(parents=True, exist_ok=True)
        (place.outputs / name).touch()

    assert [path for path, kind in entries(place.outputs) if kind == "File"] == ["res/.nextflow/x"]


@pytest.mark.parametrize("name", [b"a\nb", b"\x1b[31mred", b"x\\y", b"\xff\xfe", b"box\r/x"])
def test_a_name_that_no_crate_could_hold_is_refused(place: Place, name: bytes) -> None:
    path = Path(os.fsdecode(os.fsencode(place.outputs) + b"/" + name))
    path.parent.mkdir(exist_ok=True)
    path.touch()

    with pytest.raises(PolicyError, match="in its name"):
        entries(place.outputs)


# --- outputs that were overwritten ------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["evil", "longer than before"])
def test_a_copy_that_was_written_over_is_found(place: Place, text: str) -> None:
    fine, made = place.made("fine.txt"), place.made("x.txt")
    told = {str(place.outputs / one.name): str(one) for one in (fine, made)}
    for target, source in told.items():
        Path(target).write_text(Path(source).read_text())
    assert altered(told) is None

    (place.outputs / "x.txt").write_text(text)

    assert altered(told) == (str(place.outputs / "x.txt"), str(made))


def test_a_file_in_a_published_folder_that_was_written_over_is_found(place: Place) -> None:
    made = place.made("box/inner/x.txt").parents[1]
    inner = place.outputs / "box/inner/x.txt"
    inner.parent.mkdir(parents=True)
    inner.write_text("made")
    told = {str(place.outputs / "box"): str(made)}
    assert altered(told) is None

    inner.write_text("evil")

    assert altered(told) == (str(place.outputs / "box"), str(made))


def test_what_was_moved_or_is_the_same_file_is_as_it_was(place: Place) -> None:
    moved, linked = place.work / "aa/bb/moved.txt", place.made("linked.txt")
    (place.outputs / "moved.txt").write_text("moved")
    (place.outputs / "linked.txt").hardlink_to(linked)

    assert altered({str(place.outputs / one.name): str(one) for one in (moved, linked)}) is None
