"""Publishing: what a workflow left among its outputs, made to stand on its own.

Nextflow publishes by link, hard link, copy or move. Here a link becomes the very file that it leads to (moved out of
the task's folder when that is not needed any more, else copied), so that outputs need no work folder. Which file of
which task became which output is told by our witness where the engine tells it (23.04 and later), by the link itself,
and else by the same bytes.
"""

from __future__ import annotations

import filecmp
import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from engines.nextflow.running.belonging import Belonging, is_engines_own
from staging.errors import PolicyError
from staging.fingerprints import Tree
from staging.paths import safe_relative


class Published:
    """The outputs of one run: below ``root``, made of files in ``work``. ``belonging`` says what may be handed out.

    ``keep_work``: the tasks' folders are still needed (the run may be continued), so nothing is moved out of them.
    """

    def __init__(self, *, root: Path, work: Path, belonging: Belonging, keep_work: bool) -> None:
        self.root = root
        self.work = Path(os.path.realpath(work))
        self.belonging = belonging
        self.keep_work = keep_work
        self.moved: dict[str, str] = {}
        """Where each published file of a task is now: its path in the task's folder -> the output."""

    def settle(self, told: Mapping[str, str], products: Iterable[str]) -> None:
        """Put a file in place of each link, and find out where the others came from.

        ``told`` is what was published to where, as far as the engine said (target -> source); ``products`` are the
        paths of all files that tasks declared as outputs.

        Raises:
            PolicyError: a link leads out of the run.
        """
        for target, source in told.items():
            # What the engine says goes before what a link within a folder happens to lead to.
            self.moved.setdefault(source, target)
        for link in list(self._links()):
            self._replace(link, ())
        for target, source in told.items():
            self._match(source, target)
        self._match_unsaid(list(products))

    def _links(self) -> Iterator[Path]:
        for folder, folders, files in os.walk(self.root):
            for name in (*folders, *files):
                path = Path(folder, name)
                if path.is_symlink():
                    yield path

    def _replace(self, link: Path, within: tuple[Path, ...]) -> None:
        """``within`` are the folders, as they really are, that are being copied."""
        named = os.path.normpath(link.parent / link.readlink())
        real = Path(os.path.realpath(link))
        if not real.exists():
            raise PolicyError(
                f"the output {link.name!r} is a link to something that is not there",
                hint="publish a file that the task makes itself",
                where=str(link.relative_to(self.root)),
            )
        if not self.belonging.holds(real):
            raise PolicyError(
                f"the output {link.name!r} is a link that leads out of the run",
                where=str(link.relative_to(self.root)),
            )
        if real in within or link.is_relative_to(real):
            raise PolicyError(
                f"the output {link.name!r} is a link to a folder that it lies in",
                where=str(link.relative_to(self.root)),
            )
        link.unlink()
        if real.is_dir():
            self._take_folder(real, link, (*within, real))
        elif real.is_relative_to(self.work) and not self.keep_work and os.lstat(real).st_nlink == 1:
            real.rename(link)
            # Who else leads to it finds it there.
            real.symlink_to(link)
        else:
            shutil.copyfile(real, link)
        for source in dict.fromkeys((named, str(real))):
            self._match(source, str(link))

    def _take_folder(self, real: Path, target: Path, within: tuple[Path, ...]) -> None:
        """A folder is copied with what its links mean; a task's own folder is never emptied under its other readers."""
        target.mkdir()
        for entry in sorted(os.scandir(real), key=lambda one: one.name):
            inner = target / entry.name
            inner.symlink_to(entry.path)
            self._replace(inner, within)

    def _match(self, source: str, target: str) -> None:
        self.moved.setdefault(source, target)
        if Path(source).is_dir() or Path(target).is_dir():
            for path in _files(Path(target)):
                self.moved.setdefault(str(Path(source) / path.relative_to(target)), str(path))

    def _match_unsaid(self, products: Sequence[str]) -> None:
        """Copies and moved files of which nobody said where they came from (before 23.04)."""
        if not self._unknown():
            return
        folders = [Path(folder, name) for folder, names, _ in os.walk(self.root) for name in names]
        for product in products:
            if product not in self.moved and os.path.isdir(product):  # noqa: PTH112
                self._match_folder(Path(product), folders)
        self._match_bytes([str(path) for product in products for path in _files(Path(product))])
        self._match_names([one for one in products if one not in self.moved and not os.path.lexists(one)], folders)

    def _unknown(self) -> list[Path]:
        """The outputs that are not known to be any task's."""
        known = set(self.moved.values())
        return [path for path in _files(self.root) if str(path) not in known]

    def _match_folder(self, product: Path, folders: Sequence[Path]) -> None:
        """The folder of that name that has all its files, of the same bytes."""
        files = [path.relative_to(product) for path in _files(product)]
        known = set(self.moved.values())
        for folder in folders:
            is_free = folder.name == product.name and str(folder) not in known
            if is_free and all(_same(str(product / one), str(folder / one)) for one in files):
                self._match(str(product), str(folder))
                return

    def _match_bytes(self, products: Sequence[str]) -> None:
        """The same size, and the same name first, then the same bytes."""
        by_size: dict[int, list[str]] = {}
        for product in products:
            if product not in self.moved:
                by_size.setdefault(os.stat(product).st_size, []).append(product)  # noqa: PTH116
        for path in self._unknown():
            near = by_size.get(path.stat().st_size, ())
            for product in sorted(near, key=lambda one: os.path.basename(one) != path.name):  # noqa: PTH119
                if product not in self.moved and filecmp.cmp(product, path, shallow=False):
                    self.moved[product] = str(path)
                    break

    def _match_names(self, gone: Sequence[str], folders: Sequence[Path]) -> None:
        """What was moved away from its task leaves nothing to compare: it is known by a name that only it has."""
        known = set(self.moved.values())
        here = [str(path) for path in (*folders, *self._unknown()) if str(path) not in known]
        for product in gone:
            name = os.path.basename(product)  # noqa: PTH119
            places = [one for one in here if os.path.basename(one) == name]  # noqa: PTH119
            if len(places) == 1 and sum(os.path.basename(one) == name for one in gone) == 1:  # noqa: PTH119
                self._match(product, places[0])


def collided(told: Mapping[str, Sequence[str]], products: Sequence[str]) -> tuple[str, list[str]] | None:
    """The first name that was given to several files which are not the same, with their paths in the tasks' folders.

    ``told`` has each target with its sources in order of time; ``""`` where the engine names none (before 23.04), and
    then those of the tasks' ``products`` are meant that can be.
    """
    for target, sources in told.items():
        if len(sources) > 1:
            named = list(dict.fromkeys(one for one in sources if one))
            several = named or _rivals(target, len(sources), told, products)
            if any(not _same(several[0], other) for other in several[1:]):
                return target, several
    return None


def _rivals(target: str, times: int, told: Iterable[str], products: Sequence[str]) -> list[str]:
    """The products that were published as ``target``, nobody said which; none when all of them can be the same.

    It was published so many ``times``. When fewer products than that are what is there now, another one was there
    before. What was moved away can't be compared.
    """
    name = os.path.basename(target)  # noqa: PTH119
    alike = [one for one in products if not os.path.lexists(one) or _same(one, target)]
    if len(alike) >= times:
        return []
    elsewhere = [one for one in told if one != target and os.path.basename(one) == name]  # noqa: PTH119
    return [
        one
        for one in products
        if os.path.basename(one) == name  # noqa: PTH119
        and (one in alike or not any(_same(one, place) for place in elsewhere))
    ]


def _same(one: str, other: str) -> bool:
    try:
        if os.path.isdir(one) and os.path.isdir(other):  # noqa: PTH112
            return _tree(one) == _tree(other)
        return filecmp.cmp(one, other, shallow=False)
    except OSError:
        # Moved away: nothing is left to compare.
        return False


def altered(told: Mapping[str, str]) -> tuple[str, str] | None:
    """The first output that is not what it was published from (target and source), as far as that is still there.

    ``told`` is what was published to where (target -> source).
    """
    for target, source in told.items():
        for path in _below(source):
            other = os.path.normpath(os.path.join(target, os.path.relpath(path, source)))  # noqa: PTH118
            if os.path.isfile(other) and not _same_file(path, other):  # noqa: PTH113
                return target, source
    return None


def _below(source: str) -> Iterator[str]:
    """The files that a published path means, whether it is one or a folder; links to folders are not followed."""
    if not os.path.isdir(source):  # noqa: PTH112
        yield source
    for folder, _, files in os.walk(source):
        yield from (os.path.join(folder, name) for name in files)  # noqa: PTH118


def _same_file(one: str, other: str) -> bool:
    if not os.path.isfile(one):  # noqa: PTH113
        # Moved away: nothing is left to compare.
        return True
    return os.path.samefile(one, other) or filecmp.cmp(one, other, shallow=False)  # noqa: PTH121


def _tree(folder: str) -> str:
    return Tree.of_directory(Path(folder)).fingerprint.digest


def _files(root: Path) -> Iterator[Path]:
    """Every regular file at or below ``root``, in order; links are not followed."""
    if root.is_dir() and not root.is_symlink():
        for folder, folders, files in os.walk(root):
            folders.sort()
            for name in sorted(files):
                if stat.S_ISREG(os.lstat(os.path.join(folder, name)).st_mode):  # noqa: PTH118
                    yield Path(folder, name)
    elif root.is_file():
        yield root


def entries(root: Path) -> list[tuple[str, str]]:
    """What lies below the outputs folder, in order: relative path and ``File`` or ``Directory``.

    What the engine keeps for itself there is not told.

    Raises:
        PolicyError: a name is none that a crate could hold.
    """
    found: list[tuple[str, str]] = []
    for folder, folders, files in os.walk(root):
        folders.sort()
        base = Path(folder).relative_to(root)
        found += [(str(base / name), "Directory") for name in folders]
        found += [(str(base / name), "File") for name in sorted(files)]
    found = [(path, kind) for path, kind in found if not is_engines_own(path)]
    for path, _ in found:
        _check_name(path)
    return sorted(found)


def _check_name(path: str) -> None:
    try:
        safe_relative(path)
    except PolicyError as error:
        raise PolicyError(
            f"the output {path!r} has a line break, a control character, a backslash or bytes that are not UTF-8 in"
            " its name",
            where=repr(path),
        ) from error
