"""Git repositories for tests, and a server that gives them over HTTP as the large hosts do (``git http-backend``)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.support.web import Exchange, WebServer

_ENVIRONMENT = {
    "PATH": os.environ.get("PATH", os.defpath),
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "A Writer",
    "GIT_AUTHOR_EMAIL": "writer@example.org",
    "GIT_COMMITTER_NAME": "A Writer",
    "GIT_COMMITTER_EMAIL": "writer@example.org",
    "GIT_AUTHOR_DATE": "2024-01-01T00:00:00+00:00",
    "GIT_COMMITTER_DATE": "2024-01-01T00:00:00+00:00",
}


class Repository:
    """A repository with a working tree, on the branch ``main``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str, data: bytes | None = None) -> str:
        """Run git in it; what it printed, without white space around."""
        done = subprocess.run(
            ["git", *arguments], cwd=self.path, env=_ENVIRONMENT, input=data, capture_output=True, check=True
        )
        return done.stdout.decode().strip()

    def write(self, name: str, content: bytes | str) -> Path:
        """Write a file of the working tree."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def commit(self, message: str = "a change") -> str:
        """Commit everything; the commit's number."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def commit_tree(self, listing: bytes) -> str:
        """Put a commit of a tree made by hand on ``main``; ``listing`` is a raw tree object's content."""
        tree = self.git("hash-object", "-t", "tree", "-w", "--stdin", "--literally", data=listing)
        commit = self.git("commit-tree", tree, "-m", "made by hand")
        self.git("update-ref", "refs/heads/main", commit)
        return commit

    def blob(self, content: bytes) -> bytes:
        """Store a blob; its raw number."""
        return bytes.fromhex(self.git("hash-object", "-w", "--stdin", data=content))


def serve_repositories(web: WebServer, root: Path) -> None:
    """Have ``web`` give the repositories below ``root`` under ``/git/``."""

    def script(exchange: Exchange) -> None:
        request = exchange.request
        environment = {
            **_ENVIRONMENT,
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "GIT_PROJECT_ROOT": str(root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": request.path.removeprefix("/git"),
            "QUERY_STRING": request.query,
            "REQUEST_METHOD": request.method,
            "CONTENT_TYPE": request.headers.get("content-type", ""),
            "CONTENT_LENGTH": str(len(request.body)),
            "HTTP_CONTENT_ENCODING": request.headers.get("content-encoding", ""),
            "GIT_PROTOCOL": request.headers.get("git-protocol", ""),
            "REMOTE_ADDR": "127.0.0.1",
        }
        done = subprocess.run(
            ["git", "http-backend"], env=environment, input=request.body, capture_output=True, check=False
        )
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        code = int(headers.pop("Status", "200").split()[0])
        exchange.answer(body, code, headers)

    web.scripts["/git/*"] = script
