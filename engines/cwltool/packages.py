"""Packages: which ones a version of cwltool is made of, each pinned by sha256, and how pip is asked for them."""

from __future__ import annotations

import hashlib
import json
import re
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from engines.cwltool.attestation import normalised
from staging import process
from staging.errors import DigestError, EngineError

NAME = "cwltool"
TIMEOUT = 1800.0
"""Seconds that pip may take: a slow network, not a hung one."""

# PEP 440 without epochs and local parts, in its normal form only, so that one version has one spelling.
VERSION = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))*((a|b|rc)(0|[1-9][0-9]*))?(\.post[0-9]+)?(\.dev[0-9]+)?")
_NO_SUCH_VERSION = re.compile(rb"\(from versions: ([^)]*)\)")
_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)", re.MULTILINE)
# Where packages come from and who may vouch for it is the site's business; where they go and which is ours.
_PIP_SETTINGS = (
    "PIP_CACHE_DIR",
    "PIP_CERT",
    "PIP_CLIENT_CERT",
    "PIP_CONFIG_FILE",
    "PIP_DEFAULT_TIMEOUT",
    "PIP_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS",
    "PIP_INDEX_URL",
    "PIP_KEYRING_PROVIDER",
    "PIP_NO_INDEX",
    "PIP_PROXY",
    "PIP_RETRIES",
    "PIP_TIMEOUT",
    "PIP_TRUSTED_HOST",
)
_NETWORK_SETTINGS = (
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "ssl_cert_file",
    "ssl_cert_dir",
    "requests_ca_bundle",
    "curl_ca_bundle",
    "netrc",
    "home",
    "xdg_config_home",
    "xdg_cache_home",
    "xdg_config_dirs",
    "tmpdir",
)
# Old versions import pkg_resources without saying so; setuptools 81 and later don't have it.
_CONSTRAINT = "setuptools<81"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pins:
    """A list of pinned packages: ``text`` as pip reads it. ``is_known`` says whether it ships with us."""

    version: str
    text: str
    is_known: bool

    @property
    def digest(self) -> str:
        """What tells environments apart: the list, and the Python and machine they are made for."""
        base = "\n".join((self.text, sys.implementation.cache_tag or "", sysconfig.get_platform(), sys.base_prefix))
        return hashlib.sha256(base.encode()).hexdigest()

    @property
    def names(self) -> frozenset[str]:
        """The packages in it."""
        return frozenset(normalised(name) for name, _ in _PIN.findall(self.text))


def known_versions() -> tuple[str, ...]:
    """The versions whose packages' digests ship with us, oldest first."""
    found = [one.name.removesuffix(".txt") for one in files(__package__).joinpath("releases").iterdir()]
    return tuple(sorted((one for one in found if VERSION.fullmatch(one)), key=by_number))


def known_pins(version: str) -> Pins | None:
    """The list that ships for a version, if one does."""
    resource = files(__package__).joinpath("releases", f"{version}.txt")
    return Pins(version=version, text=resource.read_text("utf-8"), is_known=True) if resource.is_file() else None


def by_number(version: str) -> tuple[int, ...]:
    """What puts versions in their order."""
    return tuple(int(part) for part in re.findall(r"[0-9]+", version))


def pip_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What pip may know of the user's environment: where packages come from, and how to get there."""
    chosen = {
        name: value for name, value in environment.items() if name.lower() in _NETWORK_SETTINGS or name in _PIP_SETTINGS
    }
    fixed = {"PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_USER": "0", "PIP_NO_COLOR": "1"}
    return process.base_environment(**{**chosen, **fixed})


@dataclass(frozen=True, slots=True, kw_only=True)
class Pip:
    """The pip of one environment: ``python`` is its interpreter, ``folder`` a place for its files."""

    python: Path
    folder: Path
    environment: Mapping[str, str]

    def __call__(self, version: str, *words: str) -> None:
        """Run it for a version of cwltool.

        Raises:
            EngineError: it could not do what was asked; its last words are in the message.
            DigestError: what it got is not what was promised.
        """
        argv = (str(self.python), "-I", "-m", "pip", *words)
        try:
            process.run(argv, env=self.environment, cwd=self.folder, timeout=TIMEOUT)
        except process.ProcessError as error:
            raise _pip_failed(error, version) from error

    def resolve(self, version: str) -> Pins:
        """Ask which packages the version needs today, with the sha256 of each file that fits this machine."""
        report, constraint = self.folder / "report.json", self.folder / "constraint.txt"
        constraint.write_text(_CONSTRAINT + "\n", encoding="utf-8")
        words = ("--quiet", "--dry-run", "--ignore-installed", "--only-binary=:all:", f"--report={report}")
        self(version, "install", *words, f"--constraint={constraint}", "--", f"{NAME}=={version}", "setuptools")
        try:
            lines = [_pin(one) for one in json.loads(report.read_bytes())["install"]]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise EngineError(f"pip's report about cwltool {version} can't be read: {error}") from error
        return Pins(version=version, text="".join(sorted(lines)), is_known=False)

    def install(self, pins: Pins) -> None:
        """Install exactly the listed packages, each verified."""
        listed = self.folder / "requirements.txt"
        listed.write_text(pins.text, encoding="utf-8")
        words = ("--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:", f"--requirement={listed}")
        self(pins.version, "install", *words)


def _pin(entry: Mapping[str, Any]) -> str:
    """A line of a list, from an entry of pip's report (pip documentation, "Installation Report")."""
    archive, metadata = entry["download_info"]["archive_info"], entry["metadata"]
    sha256 = archive.get("hashes", {}).get("sha256") or archive["hash"].removeprefix("sha256=")
    return f"{normalised(metadata['name'])}=={metadata['version']} --hash=sha256:{sha256}\n"


def _pip_failed(error: process.ProcessError, version: str) -> EngineError | DigestError:
    said = error.completed.stderr
    lines = [line for line in said.decode(errors="replace").splitlines() if line.strip()]
    last = "\n".join(lines[-8:])
    if b"DO NOT MATCH THE HASHES" in said:
        wanted, got = (re.search(rb"%b\s+([0-9a-f]{64})" % word, said) for word in (b"Expected sha256", b"Got"))
        return DigestError(
            f"a package of cwltool {version} is not the one that its list promises",
            hint="the package index or a proxy serves other bytes; nothing was installed",
            said=last,
            expected=wanted.group(1).decode() if wanted else None,
            actual=got.group(1).decode() if got else None,
        )
    match = _NO_SUCH_VERSION.search(said)
    there = [one.strip() for one in match.group(1).decode().split(",")] if match else []
    if there and there != ["none"] and version not in there:
        near = _neighbours(version, there)
        return EngineError(
            f"there is no cwltool {version}",
            hint=f"near it there are {', '.join(near)}",
            where=version,
            near=near,
        )
    if error.reason == "timeout":
        return EngineError(f"setting up cwltool {version} took longer than {TIMEOUT:.0f} s", hint=last)
    return EngineError(
        f"pip can't install cwltool {version}: {error.completed.last_words}",
        hint="is the package index reachable? PIP_INDEX_URL, HTTPS_PROXY and SSL_CERT_FILE are passed on to pip",
        said=last,
    )


def _neighbours(version: str, there: list[str]) -> list[str]:
    """The versions just before and after one that isn't there, and the newest."""
    ordered = sorted({*there, version}, key=by_number)
    place = ordered.index(version)
    near = [*ordered[max(0, place - 1) : place], *ordered[place + 1 : place + 2], max(there, key=by_number)]
    return list(dict.fromkeys(near))
