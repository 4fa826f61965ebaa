from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staging.errors import FetchError, PolicyError, WfexsError
from staging.fetchers.base import FetchContext, Fetched, Unchanged
from staging.fetchers.git import GitFetcher, split_git
from staging.fetchers.git_command import Git
from staging.fingerprints import Tree
from staging.identifiers import Identifier, IdentifierError
from tests.support.heard import Heard
from tests.support.repositories import Repository, serve_repositories
from tests.support.web import WebServer, redirect, silent, status

pytestmark = pytest.mark.git


@dataclass
class Place:
    """A repository, and a folder to fetch it into."""

    folder: Path
    heard: Heard = field(default_factory=Heard)

    def __post_init__(self) -> None:
        self.repository = Repository(self.folder / "root" / "wf")

    @property
    def into(self) -> Path:
        return self.folder / "into"

    @property
    def context(self) -> FetchContext:
        return FetchContext(
            partial=self.folder / "partial", progress=self.heard, connect_timeout=2.0, read_timeout=2.0, retries=0
        )

    def identifier(self, rest: str = "") -> str:
        return f"git+file://{self.repository.path}{rest}"

    def fetch(self, text: str) -> Fetched:
        fetcher = GitFetcher()
        fetched = fetcher.fetch(fetcher.pin(Identifier.parse(text), self.context), self.into, self.context, {})
        assert isinstance(fetched, Fetched)
        assert fetched.tree == Tree.of_directory(self.into)
        assert not list(self.context.partial.iterdir())
        return fetched

    def refused(self, text: str, match: str, kind: type[WfexsError] = PolicyError) -> WfexsError:
        with pytest.raises(kind, match=match) as caught:
            self.fetch(text)
        assert not self.into.exists()
        return caught.value


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def web() -> Iterator[WebServer]:
    with WebServer() as server:
        yield server


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("staging.retries.FIRST_PAUSE", 0.01)


# -- what an identifier means ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "url", "ref", "subdirectory", "process"),
    [
        ("git+https://h/a/b.git", "https://h/a/b.git", None, None, None),
        ("git+https://h/a/b.git@v1", "https://h/a/b.git", "v1", None, None),
        ("git+https://h/a/b@feature/x", "https://h/a/b", "feature/x", None, None),
        ("git+https://h/a/b.git@pkg@1.0", "https://h/a/b.git", "pkg@1.0", None, None),
        ("git+ssh://git@h/a/b.git@v1", "ssh://git@h/a/b.git", "v1", None, None),
        ("git+file:///r/x%20y@v1", "/r/x y", "v1", None, None),
        ("git://h/a", "git://h/a", None, None, None),
        ("git+https://h/b@v%2B1", "https://h/b", "v+1", None, None),
        ("git+https://h/b@v1#subdirectory=a/wf.cwl", "https://h/b", "v1", "a/wf.cwl", None),
        ("git+https://h/b@v1#subdirectory=a%20b%2Fwf.cwl", "https://h/b", "v1", "a b/wf.cwl", None),
        ("git+https://h/b#subdirectory=wf.cwl%23main", "https://h/b", None, "wf.cwl", "main"),
        ("git+https://h/b#subdirectory=wf.cwl#main", "https://h/b", None, "wf.cwl", "main"),
        ("git+https://h/b#subdirectory=wf.cwl&process=main", "https://h/b", None, "wf.cwl", "main"),
        ("git+https://h/b#egg=x&subdirectory=./d/", "https://h/b", None, "d", None),
        ("git+https://h/b#main", "https://h/b", None, None, "main"),
        ("github:o/r", "https://github.com/o/r.git", None, None, None),
        ("github:o/r@v1", "https://github.com/o/r.git", "v1", None, None),
        ("github:o/r@feature/x", "https://github.com/o/r.git", "feature/x", None, None),
        ("github:o/r@v1#subdirectory=a/wf.cwl", "https://github.com/o/r.git", "v1", "a/wf.cwl", None),
        ("github:o/r.git/v1", "https://github.com/o/r.git", "v1", None, None),
        ("github:o/r/v1/a/wf.cwl#main", "https://github.com/o/r.git", "v1", "a/wf.cwl", "main"),
        ("github:o/r/feature%2Fx/wf.cwl", "https://github.com/o/r.git", "feature/x", "wf.cwl", None),
    ],
)
def test_a_git_identifier_is_taken_apart(
    text: str, url: str, ref: str | None, subdirectory: str | None, process: str | None
) -> None:
    source = split_git(Identifier.parse(text))

    assert (source.url, source.ref, source.subdirectory, source.process) == (url, ref, subdirectory, process)


@pytest.mark.parametrize(
    "ref",
    [
        "--upload-pack=touch x",
        "-x",
        "a..b",
        "a b",
        "a~1",
        "a^{}",
        "a:b",
        "a?b",
        "a*",
        "[a",
        "a%5Cb",
        "@%7Bu%7D",
        "a.lock",
        "a//b",
        "/a",
        "a/",
        ".",
    ],
)
def test_a_ref_that_is_none_is_refused(ref: str) -> None:
    with pytest.raises((PolicyError, IdentifierError)):
        split_git(Identifier.parse(f"git+https://h/b.git@{ref.replace(' ', '%20')}"))


@pytest.mark.parametrize(
    "text",
    [
        "git+ssh://-oProxyCommand=touch%20x/b",
        "git+ssh://git@-oProxyCommand=x/b",
        "git+https:///b",
        "git+https:b",
        "git+https://h",
        "git+https://h/b#subdirectory=../x",
        "git+https://h/b#subdirectory=/etc",
        "git+https://h/b#subdirectory=%2e%2e/x",
        "git+https://h/b#upload-pack=x",
        "git+https://h/b#subdirectory=wf.cwl%23a&process=b",
        "git+https://h/b@",
        "github:o",
        "github:-o/r",
        "github:o/r/-x",
        "github:o/r/v1/../../x",
        "github:o/r/v1/a#subdirectory=b",
        "file:///x",
    ],
)
def test_an_identifier_that_could_do_harm_is_refused(text: str) -> None:
    with pytest.raises((PolicyError, IdentifierError)):
        split_git(Identifier.parse(text))


@given(st.text(), st.text())
def test_no_git_identifier_yields_an_option_or_a_path_that_climbs(ref: str, path: str) -> None:
    try:
        source = split_git(Identifier.parse(f"git+https://h/b.git@{ref}#subdirectory={path}"))
    except WfexsError:
        return

    assert not (source.ref or "").startswith("-")
    assert ".." not in (source.subdirectory or "").split("/")
    assert source.url == "https://h/b.git" or "@" not in ref


# -- refs -----------------------------------------------------------------------------------------------------------


def test_each_way_to_name_a_commit_is_pinned_to_its_number(place: Place) -> None:
    repository = place.repository
    repository.write("a", "1")
    first = repository.commit()
    repository.git("tag", "light")
    repository.git("tag", "-a", "heavy", "-m", "x")
    repository.git("branch", "feature/x")
    repository.write("a", "2")
    second = repository.commit()
    expected = {
        "": (second, True),
        "@main": (second, True),
        "@HEAD": (second, True),
        "@light": (first, True),
        "@heavy": (first, True),
        "@feature/x": (first, True),
        "@refs/heads/feature/x": (first, True),
        f"@{first}": (first, False),
        f"@{first[:9]}": (first, False),
        f"@{second.upper()}": (second, False),
    }

    for rest, (commit, mutable) in expected.items():
        pin = GitFetcher().pin(Identifier.parse(place.identifier(rest + "#subdirectory=a")), place.context)
        assert str(pin.identifier) == place.identifier(f"@{commit}#subdirectory=a")
        assert (pin.mutable, dict(pin.validators)) == (mutable, {"commit": commit})


def test_a_tag_wins_over_a_branch_of_its_name_as_git_has_it(place: Place) -> None:
    first = place.repository.commit()
    place.repository.git("tag", "twin")
    place.repository.git("checkout", "-q", "-b", "twin")
    place.repository.commit()

    pin = GitFetcher().pin(Identifier.parse(place.identifier("@twin")), place.context)

    assert pin.validators["commit"] == first


@pytest.mark.parametrize("ref", ["nope", "refs/heads/nope", "0123456", "0" * 40])
def test_a_ref_that_is_missing_is_a_sentence(place: Place, ref: str) -> None:
    place.repository.commit()

    place.refused(
        place.identifier(f"@{ref}"), "there is no branch, tag or commit|no commit begins|is not in", FetchError
    )


def test_a_missing_refs_hint_names_those_that_are_there(place: Place) -> None:
    place.repository.commit()
    place.repository.git("tag", "v1")

    assert place.refused(place.identifier("@v2"), "'v2'", FetchError).hint == "it has main, v1"


def test_an_empty_repository_has_no_default_branch(place: Place) -> None:
    place.refused(place.identifier(), "no default branch", FetchError)


def test_a_repository_that_is_missing_is_a_sentence(place: Place) -> None:
    place.refused(f"git+file://{place.folder}/none@main", "there is no git repository", FetchError)


def test_a_tag_of_something_else_than_a_commit_is_refused(place: Place) -> None:
    place.repository.write("a", "x")
    place.repository.commit()
    place.repository.git("tag", "blob", "HEAD:a")

    place.refused(place.identifier("@blob"), "is a blob, not a commit|git cannot read", FetchError)


def test_the_commit_is_fetched_even_after_its_branch_moved_on(place: Place) -> None:
    place.repository.write("a", "old")
    old = place.repository.commit()
    place.repository.write("a", "new")
    place.repository.commit()

    place.fetch(place.identifier(f"@{old}"))

    assert (place.into / "a").read_text() == "old"


def test_nothing_is_written_for_a_commit_that_is_there_already(place: Place) -> None:
    commit = place.repository.commit()
    fetcher = GitFetcher()
    pin = fetcher.pin(Identifier.parse(place.identifier()), place.context)

    assert isinstance(fetcher.fetch(pin, place.into, place.context, {"commit": commit}), Unchanged)
    assert not place.into.exists()


# -- bytes ----------------------------------------------------------------------------------------------------------


def test_the_tree_is_gits_own_blobs_whatever_the_attributes_say(place: Place, tmp_path: Path) -> None:
    repository = place.repository
    repository.write("crlf.txt", b"a\r\nb\r\n")
    repository.write("subst.txt", "$Format:%H$ $Id$")
    repository.write("utf16.txt", "plain")
    repository.write("smudged.bin", "as stored")
    repository.write("run me.sh", "#!/bin/sh").chmod(0o755)
    (repository.path / "link").symlink_to("run me.sh")
    repository.git("add", "--all")
    repository.write(
        ".gitattributes",
        "crlf.txt text eol=lf\nsubst.txt export-subst ident\nutf16.txt working-tree-encoding=UTF-16\n"
        "smudged.bin filter=evil\nignored export-ignore\n",
    )
    repository.write("ignored", "not ignored")
    repository.git("add", ".gitattributes", "ignored")
    repository.git("commit", "-q", "-m", "x")
    # Filters named by the repository's own settings, and by the user's.
    repository.git("config", "filter.evil.smudge", f"touch {tmp_path}/ran; cat")

    place.fetch(place.identifier("@main"))

    assert (place.into / "crlf.txt").read_bytes() == b"a\r\nb\r\n"
    assert (place.into / "subst.txt").read_text() == "$Format:%H$ $Id$"
    assert (place.into / "utf16.txt").read_bytes() == b"plain"
    assert (place.into / "smudged.bin").read_text() == "as stored"
    assert (place.into / "ignored").exists()
    assert os.access(place.into / "run me.sh", os.X_OK)
    assert (place.into / "link").readlink() == Path("run me.sh")
    assert not (place.into / ".git").exists()
    assert not (tmp_path / "ran").exists()


def test_names_that_shells_and_options_would_trip_over_are_kept(place: Place) -> None:
    names = ["-rf", "--help", "a b", "$(touch x)", "`id`", "quote'\"", "semi;colon", "é/ü.cwl", "*", "~"]
    for name in names:
        place.repository.write(name, name)
    place.repository.git("add", "--all", "--", ".")
    place.repository.git("commit", "-q", "-m", "x")

    place.fetch(place.identifier())

    assert {name: (place.into / name).read_text() for name in names} == {name: name for name in names}


# -- repositories that mean harm ------------------------------------------------------------------------------------


def test_no_hook_runs_and_no_setting_of_the_user_is_read(
    place: Place, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = place.folder / "ran"
    evil = place.folder / "evil.sh"
    evil.write_text(f"#!/bin/sh\ntouch {marker}\nexit 1\n")
    evil.chmod(0o755)
    for hook in ("post-checkout", "post-merge", "reference-transaction", "pre-auto-gc", "post-index-change"):
        target = place.repository.path / ".git" / "hooks" / hook
        target.parent.mkdir(exist_ok=True)
        target.symlink_to(evil)
    monkeypatch.delenv("GIT_CONFIG_GLOBAL")
    (home / ".gitconfig").write_text(
        f"[core]\n\tsshCommand = {evil}\n\tfsmonitor = {evil}\n\thooksPath = {place.repository.path}/.git/hooks\n"
        f"[uploadpack]\n\tpackObjectsHook = {evil}\n[init]\n\ttemplateDir = {place.repository.path}/.git\n"
        f'[credential]\n\thelper = {evil}\n[url "ext::{evil} "]\n\tinsteadOf = {place.repository.path}\n'
    )
    monkeypatch.setenv("GIT_SSH_COMMAND", str(evil))
    monkeypatch.setenv("GIT_PROXY_COMMAND", str(evil))
    marker.unlink(missing_ok=True)
    subprocess.run(
        ["git", "-c", "core.hooksPath=/dev/null", "commit", "-q", "--allow-empty", "-m", "x"],
        cwd=place.repository.path,
        check=True,
        env={**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null"},
    )

    place.fetch(place.identifier("@main"))

    assert not marker.exists()


def test_submodules_are_left_out_and_a_person_is_told(place: Place) -> None:
    repository = place.repository
    repository.write(".gitmodules", f'[submodule "s"]\n\tpath = s\n\turl = ext::sh -c touch% {place.folder}/ran\n')
    repository.write("a", "x")
    commit = repository.commit()
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{commit},s")
    repository.git("commit", "-q", "-m", "x")

    place.fetch(place.identifier())

    assert sorted(path.name for path in place.into.iterdir()) == [".gitmodules", "a"]
    assert any("submodules are left out: 's'" in line for line in place.heard.said)
    assert not (place.folder / "ran").exists()


def test_lfs_pointers_stay_pointers_and_a_person_is_told(place: Place) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 12345\n"
    place.repository.write(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n")
    place.repository.write("big.bin", pointer)
    place.repository.commit()

    place.fetch(place.identifier())

    assert (place.into / "big.bin").read_text() == pointer
    assert any("1 files are Git LFS pointers" in line for line in place.heard.said)


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "a/../../outside"])
def test_a_link_that_leads_out_of_the_repository_is_refused(place: Place, target: str) -> None:
    (place.repository.path / "link").symlink_to(target)
    place.repository.commit()

    place.refused(place.identifier(), "link 'link' points out of its folder")


def _entry(mode: str, name: str, blob: bytes) -> bytes:
    return mode.encode() + b" " + name.encode() + b"\0" + blob


@pytest.mark.parametrize("name", ["..", ".git", ".GIT", ".", "a\\b", "x\ny"])
def test_a_tree_made_by_hand_can_not_reach_out(place: Place, name: str) -> None:
    place.repository.commit()
    place.repository.commit_tree(_entry("100644", name, place.repository.blob(b"evil")))

    place.refused(place.identifier("@main"), "the repository's entry|in a .git folder")


def test_a_tree_that_has_a_link_and_a_folder_of_one_name_is_refused(place: Place) -> None:
    repository = place.repository
    repository.commit()
    inner = repository.git("mktree", data=b"100644 blob " + repository.blob(b"evil").hex().encode() + b"\tb\n")
    folder = bytes.fromhex(inner)
    link = repository.blob(b"c")
    repository.commit_tree(_entry("120000", "a", link) + _entry("40000", "a", folder) + _entry("40000", "c", folder))

    place.refused(place.identifier("@main"), "as a file and as a folder")


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("git+https://h/b", "https"),
        ("git+http://h/b", "http:https"),
        ("git+file:///b", "file"),
        ("git+ssh://h/b", "ssh"),
        ("github:o/r", "https"),
    ],
)
def test_git_may_speak_one_protocol_and_is_cut_off_from_settings(tmp_path: Path, text: str, allowed: str) -> None:
    source = split_git(Identifier.parse(text))
    context = FetchContext(
        partial=tmp_path, environment={"HOME": "/root", "GIT_SSH_COMMAND": "evil", "https_proxy": "p"}
    )

    environment = Git(home=tmp_path, source=source, context=context).environment()

    assert environment["GIT_ALLOW_PROTOCOL"] == allowed
    assert environment["HOME"] == str(tmp_path)
    assert environment["GIT_SSH_COMMAND"].startswith("ssh -oBatchMode=yes")
    assert environment["https_proxy"] == "p"
    assert (environment["GIT_CONFIG_NOSYSTEM"], environment["GIT_TERMINAL_PROMPT"]) == ("1", "0")


def test_a_damaged_repository_is_a_sentence(place: Place) -> None:
    place.repository.write("a", "content" * 100)
    place.repository.commit()
    blob = place.repository.git("rev-parse", "HEAD:a")
    path = place.repository.path / ".git" / "objects" / blob[:2] / blob[2:]
    path.chmod(0o644)
    path.write_bytes(b"damaged")

    place.refused(place.identifier(), "git cannot read|no git repository", FetchError)


def test_a_repository_of_another_user_can_be_read(place: Place) -> None:
    place.repository.write("a", "x")
    place.repository.commit()
    if os.geteuid() != 0:
        pytest.skip("needs root to give a file away")
    for path in [place.repository.path, *place.repository.path.rglob("*")]:
        os.chown(path, 12345, 12345, follow_symlinks=False)

    place.fetch(place.identifier())

    assert (place.into / "a").read_text() == "x"


def test_the_source_repository_is_not_changed(place: Place) -> None:
    place.repository.write("a", "x")
    place.repository.commit()
    before = {path: path.lstat().st_mtime_ns for path in place.repository.path.rglob("*")}

    place.fetch(place.identifier())

    assert {path: path.lstat().st_mtime_ns for path in place.repository.path.rglob("*")} == before


# -- over the network -----------------------------------------------------------------------------------------------


@pytest.fixture
def served(place: Place, web: WebServer) -> str:
    place.repository.write("a.txt", "content")
    place.repository.commit()
    serve_repositories(web, place.folder / "root")
    return f"git+http://127.0.0.1:{web.port}/git/wf/.git"


def test_a_repository_is_fetched_over_http_without_its_history(place: Place, web: WebServer, served: str) -> None:
    old = place.repository.git("rev-parse", "HEAD")
    place.repository.write("a.txt", "new content")
    place.repository.commit()

    place.fetch(served)
    asked = [request.body for request in web.requests if request.method == "POST"]

    assert (place.into / "a.txt").read_text() == "new content"
    assert any(b"deepen 1" in body for body in asked)
    assert not any(old.encode() in body for body in asked)


def test_a_server_that_gives_no_single_commit_gives_its_history(place: Place, web: WebServer) -> None:
    """A folder of plain files, as the oldest servers have it."""
    place.repository.write("a.txt", "old")
    old = place.repository.commit()
    place.repository.write("a.txt", "new")
    place.repository.commit()
    place.repository.git("update-server-info")

    def script(exchange: object) -> None:
        from tests.support.web import Exchange

        assert isinstance(exchange, Exchange)
        path = place.repository.path / ".git" / exchange.request.path.removeprefix("/dumb/")
        exchange.answer(path.read_bytes() if path.is_file() else b"", 200 if path.is_file() else 404)

    web.scripts["/dumb/*"] = script

    place.fetch(f"git+http://127.0.0.1:{web.port}/dumb@{old}")

    assert (place.into / "a.txt").read_text() == "old"


def test_no_password_is_asked_for_or_found(place: Place, web: WebServer, home: Path) -> None:
    (home / ".netrc").write_text("machine 127.0.0.1 login canary password canary\n")
    (home / ".netrc").chmod(stat.S_IRUSR | stat.S_IWUSR)
    web.scripts["/*"] = status(401, headers={"WWW-Authenticate": 'Basic realm="x"'})

    error = place.refused(f"git+http://127.0.0.1:{web.port}/x.git", "not for everybody", FetchError)

    assert isinstance(error, FetchError) and not error.transient
    assert not any("authorization" in request.headers for request in web.requests)


def test_a_missing_repository_on_a_server_is_a_sentence(place: Place, web: WebServer) -> None:
    error = place.refused(f"git+http://127.0.0.1:{web.port}/none.git", "there is no git repository at", FetchError)

    assert isinstance(error, FetchError) and not error.transient


def test_a_server_in_trouble_may_recover(place: Place, web: WebServer) -> None:
    web.scripts["/*"] = status(503)

    error = place.refused(f"git+http://127.0.0.1:{web.port}/x.git", "git cannot read", FetchError)

    assert isinstance(error, FetchError) and error.transient


def test_a_server_that_stays_silent_is_given_up(place: Place, web: WebServer) -> None:
    web.scripts["/*"] = silent(15)

    error = place.refused(f"git+http://127.0.0.1:{web.port}/x.git", "in time|git cannot read", FetchError)

    assert isinstance(error, FetchError) and error.transient


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ext::sh -c touch% ran", "ftp://127.0.0.1/x"])
def test_a_redirect_to_another_protocol_is_refused(place: Place, web: WebServer, location: str) -> None:
    web.scripts["/*"] = redirect(location)

    place.refused(f"git+http://127.0.0.1:{web.port}/x.git", "git refuses")

    assert not (place.folder / "ran").exists()


@pytest.mark.parametrize("url", ["ext::sh -c touch% ran", "ext::true", "-uupload", "fd::7"])
def test_a_transport_that_runs_commands_has_no_scheme(url: str) -> None:
    with pytest.raises(WfexsError):
        split_git(Identifier.parse(f"git+{url}"))
