"""Release asset: a version of Nextflow as the project publishes it, one file with everything in it.

Since 24.07 that is ``nextflow-<version>-dist``, which Java reads as it is (a script and then a jar); before, it is
``nextflow-<version>-all``, whose jars lie inside it and are taken out. Nothing is known of their digests beforehand.
"""

from __future__ import annotations

import shutil
import zipfile
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from engines.base import EngineFile
from engines.nextflow.setup.records import attest
from engines.nextflow.setup.sources import RELEASE, Say, UnreachableError
from engines.nextflow.setup.versions import NAME, Version
from staging.errors import EngineError, FetchError, from_os_error

if TYPE_CHECKING:
    from staging.fetchers.base import FetchContext, Pin

BASE = "https://github.com/nextflow-io/nextflow/releases/download"
_DIST_SINCE = Version.parse("24.07.0-edge")
_ENTRY = "nextflow/cli/Launcher.class"
_CONNECT_TIMEOUT = 4.0
_LARGEST = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseSource:
    """Nextflow from the project's releases; ``base`` is the address that the versions lie below."""

    base: str = BASE
    name: str = field(default=RELEASE, init=False)

    def fetch(self, version: str, into: Path, say: Say) -> tuple[EngineFile, ...]:  # noqa: ARG002 - the protocol's
        """Fetch the asset, and take its jars out where they lie inside it; see ``Source.fetch``."""
        asset = f"{NAME}-{version}-{'dist' if Version.parse(version) >= _DIST_SINCE else 'all'}"
        target = into / asset
        self._fetch(version, f"{self.base.rstrip('/')}/v{version}/{asset}", target)
        purl = f"pkg:github/nextflow-io/nextflow@v{version}"
        try:
            names = _jars_inside(target, version)
            if not names:
                return (_described(target, purl),)
            unpacked = tuple(_unpacked(target, into, names, purl))
            target.unlink()
        except OSError as error:
            raise from_os_error(error, f"unpack Nextflow {version}") from error
        return unpacked

    def _fetch(self, version: str, address: str, target: Path) -> None:
        # Imported only when something is to be fetched: requests takes longer to load than an engine to check.
        from staging.fetchers.base import FetchContext
        from staging.fetchers.http import HttpFetcher
        from staging.identifiers import Identifier

        fetcher = HttpFetcher()
        partial = target.with_name(f".{target.name}.partial")
        probe = FetchContext(partial=partial, retries=0, connect_timeout=_CONNECT_TIMEOUT)
        try:
            pin = fetcher.pin(Identifier.parse(address), probe)
            self._reach(fetcher, pin, probe, version)
            fetcher.fetch(pin, target, FetchContext(partial=partial), {})
        except FetchError as error:
            raise EngineError(
                f"Nextflow {version} can't be fetched from the project's releases: {error.message}",
                hint=error.hint or "is there such a version, and is the network there?",
                where=address,
            ) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def _reach(self, fetcher: object, pin: Pin, context: FetchContext, version: str) -> None:
        """One small question first, so that a host that isn't there is known within seconds."""
        from staging.fetchers.http import HttpFetcher

        assert isinstance(fetcher, HttpFetcher)
        try:
            fetcher.survey(pin, context)
        except FetchError as error:
            if not _is_nobody_there(error):
                raise
            raise UnreachableError(
                f"the host of Nextflow's releases can't be reached: {error.message}",
                hint="is the network there?",
                where=str(pin.identifier),
                version=version,
            ) from error


def _is_nobody_there(error: FetchError) -> bool:
    """Whether no connection came about: not a refusal, a certificate that is not trusted or an answer broken off."""
    import requests
    import urllib3

    cause = error.__cause__
    if isinstance(cause, requests.exceptions.ConnectTimeout | requests.exceptions.ProxyError):
        return True
    reason = getattr(cause.args[0], "reason", None) if cause is not None and cause.args else None
    return isinstance(cause, requests.exceptions.ConnectionError) and isinstance(
        reason, urllib3.exceptions.NewConnectionError
    )


def _jars_inside(asset: Path, version: str) -> list[str]:
    """The jars within the asset, none when the engine's own classes lie in it directly.

    Raises:
        EngineError: it is no Nextflow.
    """
    try:
        with zipfile.ZipFile(asset) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise EngineError(
            f"the release asset of Nextflow {version} is not one that Java can read", where=asset.name
        ) from error
    if _ENTRY in names:
        return []
    jars = [one for one in names if one.endswith(".jar")]
    own = [one for one in jars if PurePosixPath(one).name == f"{NAME}-{version}.jar"]
    bases = {PurePosixPath(one).name for one in jars}
    if not own or len(bases) != len(jars):
        raise EngineError(f"the release asset of Nextflow {version} has no Nextflow in it", where=asset.name)
    return [*own, *sorted(one for one in jars if one not in own)]


def _unpacked(asset: Path, into: Path, names: list[str], purl: str) -> list[EngineFile]:
    found = []
    with zipfile.ZipFile(asset) as archive:
        if sum(archive.getinfo(name).file_size for name in names) > _LARGEST:
            raise EngineError("the release asset of Nextflow unpacks to more than 1 GiB", where=asset.name)
        for name in names:
            target = into / PurePosixPath(name).name
            try:
                with archive.open(name) as source, target.open("wb") as sink:
                    shutil.copyfileobj(source, sink, 1 << 20)
            except (zipfile.BadZipFile, EOFError) as error:
                raise EngineError(f"{name} in {asset.name} is damaged", where=asset.name) from error
            found.append(_described(target, f"{purl}#{asset.name}/{name}"))
    return found


def _described(path: Path, purl: str) -> EngineFile:
    attested = attest(path, purl)
    if attested is None:
        raise EngineError(f"{path.name} was fetched, and can't be read", where=str(path))
    return attested.file
