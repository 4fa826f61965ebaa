"""How git is called: with no settings of the user or the system, no hooks, helpers or prompts, and one protocol."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from staging.errors import FetchError, PolicyError
from staging.fetchers.base import FetchContext
from staging.fetchers.git_source import GitSource
from staging.process import PIPE, Child, Completed, ProcessError, base_environment, run, start

# What a network of an institution may need; nothing of it is a secret of git's.
_NETWORK = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE")
_MAX_ERRORS: Final = 64 << 10
_PROGRESS = re.compile(rb"Receiving objects:.*?, ([0-9.]+) (bytes|KiB|MiB|GiB)")
_UNITS: Final = {b"bytes": 1, b"KiB": 1 << 10, b"MiB": 1 << 20, b"GiB": 1 << 30}
_REFUSED = ("' not allowed", "disabled in libcurl", "unsupported url scheme", "strange hostname")
_DENIED = ("authentication failed", "could not read username", "could not read password", "terminal prompts disabled")
_DENIED_TOO = ("permission denied", "access denied", "error: 401", "error: 403", "host key verification failed")
_MISSING = ("not found", "does not exist", "does not appear to be a git repository", "no such file", "error: 404")


@dataclass(frozen=True, slots=True, kw_only=True)
class Git:
    """git for one repository of ours, a bare one below ``home``."""

    home: Path
    source: GitSource
    context: FetchContext

    @property
    def repository(self) -> Path:
        """The bare repository."""
        return self.home / "repository"

    def prepare(self) -> None:
        """Write git's only configuration."""
        self.home.mkdir(parents=True, exist_ok=True)
        stall = max(1, int(self.context.read_timeout))
        (self.home / "config").write_text(_CONFIG.format(stall=stall))

    def call(self, *arguments: str, timeout: float | None = None) -> Completed:
        """Run git in our repository to its end.

        Raises:
            FetchError: it failed, in git's own words; ``transient`` for what looks like the network's fault.
            PolicyError: it would have had to do something that is not allowed.
        """
        argv = ("git", f"--git-dir={self.repository}", *arguments)
        try:
            return run(argv, env=self.environment(), cwd=self.home, timeout=timeout, cancelled=self.context.cancelled)
        except ProcessError as error:
            raise failure(self.source, error.completed.stderr, error.reason) from error

    def call_watched(self, *arguments: str) -> None:
        """Run a git command that reports its progress, and end it when it says nothing for too long.

        Raises:
            FetchError: as for ``call``.
            PolicyError: as for ``call``.
        """
        argv = ("git", f"--git-dir={self.repository}", *arguments)
        context = self.context
        with start(argv, env=self.environment(), cwd=self.home, stderr=PIPE) as child:
            watch = _Watch(child.stderr, context)
            limit = context.connect_timeout + context.read_timeout
            while (code := child.wait(0.1)) is None:
                if context.cancelled.is_set():
                    raise FetchError("given up", where=self.source.url)
                if time.monotonic() - watch.heard > limit:
                    raise failure(self.source, watch.errors(), "timeout")
            watch.join()
        if code != 0:
            raise failure(self.source, watch.errors(), "failed")

    def start(self, *arguments: str) -> Child:
        """Start a git command to talk with over pipes."""
        argv = ("git", f"--git-dir={self.repository}", *arguments)
        return start(argv, env=self.environment(), cwd=self.home, stdin=PIPE, stdout=PIPE, stderr=None)

    def environment(self) -> dict[str, str]:
        """All that git learns of the world."""
        given: Mapping[str, str] = self.context.environment or os.environ
        taken = {name: given[name] for key in _NETWORK for name in (key, key.upper()) if name in given}
        if self.source.transport == "ssh" and "SSH_AUTH_SOCK" in given:
            taken["SSH_AUTH_SOCK"] = given["SSH_AUTH_SOCK"]
        return base_environment(
            **taken,
            HOME=str(self.home),
            XDG_CONFIG_HOME=str(self.home),
            GIT_CONFIG_NOSYSTEM="1",
            GIT_CONFIG_GLOBAL=str(self.home / "config"),
            GIT_ATTR_NOSYSTEM="1",
            GIT_TERMINAL_PROMPT="0",
            # A redirect may lead to a safer protocol, never to another kind or from https to http.
            GIT_ALLOW_PROTOCOL={"http": "http:https"}.get(self.source.transport, self.source.transport),
            GIT_NO_LAZY_FETCH="1",
            GIT_LFS_SKIP_SMUDGE="1",
            GIT_SSH_COMMAND=f"ssh -oBatchMode=yes -oConnectTimeout={max(1, int(self.context.connect_timeout))} "
            "-oServerAliveInterval=10 -oServerAliveCountMax=3",
        )


# "safe.directory": the user named the repository, and nothing in it is executed; git's refusal of other people's
# repositories protects those who work *in* one. Set here it reaches the process that reads a local repository, too.
_CONFIG = """\
[core]
\thooksPath = /dev/null
\tfsmonitor = false
\taskPass =
\tattributesFile = /dev/null
[credential]
\thelper =
[safe]
\tdirectory = *
[protocol]
\tversion = 2
[fetch]
\trecurseSubmodules = false
[submodule]
\trecurse = false
[gc]
\tauto = 0
[maintenance]
\tauto = false
[transfer]
\tcredentialsInUrl = die
[http]
\tlowSpeedLimit = 100
\tlowSpeedTime = {stall}
[init]
\tdefaultBranch = main
[advice]
\tdetachedHead = false
"""


class _Watch:
    """Listens to git's standard error: when it last said something, and what."""

    def __init__(self, stream: IO[bytes] | None, context: FetchContext) -> None:
        self.heard = time.monotonic()
        self._kept = b""
        self._stream = stream
        self._context = context
        self._thread = threading.Thread(target=self._listen, name="git-progress", daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        if self._stream is None:
            return
        while chunk := os.read(self._stream.fileno(), 8192):
            self.heard = time.monotonic()
            self._kept = (self._kept + chunk)[-_MAX_ERRORS:]
            found = _PROGRESS.findall(chunk)
            if found:
                number, unit = found[-1]
                self._context.progress.advance(self._context.key, int(float(number) * _UNITS[unit]))

    def join(self) -> None:
        self._thread.join(1.0)

    def errors(self) -> bytes:
        return self._kept


def failure(source: GitSource, errors: bytes, reason: str) -> FetchError | PolicyError:
    """What git's words mean. ``reason`` is that of ``ProcessError``."""
    where = source.url
    if reason == "cancelled":
        return FetchError("given up", where=where)
    if reason == "timeout":
        return FetchError(f"{where} did not answer in time", where=where, transient=True, identifier=where)
    words = _words(errors)
    text = errors.decode(errors="replace").lower()
    if _any(_REFUSED, text):
        return PolicyError(f"git refuses {where}: {words}", where=where)
    if _any(_DENIED, text) or _any(_DENIED_TOO, text):
        return FetchError(
            f"{where} is not there, or not for everybody: {words}",
            hint="check the address; a private repository needs an ssh key (git+ssh://)",
            where=where,
            identifier=where,
        )
    if _any(_MISSING, text):
        return FetchError(f"there is no git repository at {where}: {words}", where=where, identifier=where)
    return FetchError(f"git cannot read {where}: {words}", where=where, transient=True, identifier=where)


def _any(marks: Sequence[str], text: str) -> bool:
    return any(mark in text for mark in marks)


def _words(errors: bytes) -> str:
    """The first line that git means as an error, without what a server could smuggle in; at most 200 characters."""
    lines = [line.strip() for line in re.split(r"[\r\n]", errors.decode(errors="replace")) if line.strip()]
    telling = (
        [line for line in lines if line.startswith(("fatal:", "error:", "ssh:"))] or lines[-1:] or ["no reason given"]
    )
    line = telling[0].removeprefix("fatal:").removeprefix("error:").strip()
    return "".join(char if char.isprintable() else "?" for char in line)[:200]
