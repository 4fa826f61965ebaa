"""Laying out: the engine's command line and environment, and the files that they name.

Everything of the user's is in files: no value of a parameter or a secret is a word of a command line.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from engines.base import RunRequest
from engines.containers.door import Door
from engines.nextflow.child_process import offline_environment
from engines.nextflow.reading.plugin_index import declaration
from engines.nextflow.running.engine_state import Resumption
from engines.nextflow.running.overlay import overlay
from engines.nextflow.running.params_file import as_params_file
from engines.nextflow.secrets import secrets_environment, write_secrets
from engines.nextflow.setup.launching import java_command
from staging.plan import Kind, Role
from staging.process import base_environment

PLUGINS = PurePosixPath("engine/plugins")


class Layout:
    """What is laid out for one run: ``work`` is where tasks work, ``outputs`` where the engine is started."""

    def __init__(
        self,
        request: RunRequest,
        *,
        work: Path,
        outputs: Path,
        secrets: Mapping[str, str],
        resumption: Resumption | None,
        door: Door | None,
    ) -> None:
        self.request = request
        self.work = work
        self.outputs = outputs
        self.tmp = request.folder / "tmp"
        self.secrets = secrets
        self.resumption = resumption
        self.door = door

    def command(self) -> tuple[str, ...]:
        """The engine's command line. Everything of the user's is in files."""
        request = self.request
        workflow = request.content / request.plan.workflow.path
        properties = {"user.home": str(self.tmp / "home"), "wfexs.events": "{events}"}
        words = [
            *java_command(request.engine, tmp=self.tmp, properties=properties),
            "-log",
            str(request.folder / "logs" / "nextflow.log"),
            *self._configurations(workflow),
            "run",
            str(workflow),
            "-ansi-log",
            "false",
            "-name",
            f"run-{request.run}-{request.uuid[:8]}",
            "-w",
            str(self.work),
            "-params-file",
            str(self._params_file()),
        ]
        if request.plan.settings.profiles:
            words += ["-profile", ",".join(request.plan.settings.profiles)]
        if self.resumption is not None:
            self.resumption.lay_out(self.outputs)
            words += ["-resume", self.resumption.session]
        return tuple(words)

    def _configurations(self, workflow: Path) -> list[str]:
        """``-c`` for the configuration of a project whose main script lies in a folder of its own, and for ours."""
        request = self.request
        root = Path(*workflow.parts[: len(workflow.parts) - len(request.interface.entry.parts)])
        files = []
        if workflow.parent != root and not (workflow.parent / "nextflow.config").exists():
            files += [root / "nextflow.config"] if (root / "nextflow.config").is_file() else []
        ours = request.folder / "engine" / "overlay.config"
        ours.write_text(
            overlay(
                version=request.engine.version,
                placement=request.placement,
                settings=request.plan.settings,
                limits=request.plan.limits,
                logs=request.folder / "logs",
                mark=request.uuid.replace("-", ""),
                has_processes=bool(request.interface.tools),
                containers=request.containers is not None,
            )
            + declaration([one.name for one in request.plan.of_role(Role.PLUGIN) if one.kind is Kind.FILE]),
            encoding="utf-8",
        )
        return [word for path in (*files, ours) for word in ("-c", str(path))]

    def _params_file(self) -> Path:
        path = self.request.folder / "engine" / "params.json"
        request = self.request
        values = as_params_file(
            {
                name: as_params(value, lists_as_text=request.plan.settings.lists_as_text)
                for name, value in request.parameters.items()
            },
            str((request.content / request.plan.workflow.path).parent),
        )
        path.write_text(json.dumps(values, indent=1, ensure_ascii=False), encoding="utf-8")
        return path

    def environment(self) -> dict[str, str]:
        """The stage file's variables, and over them what keeps the engine offline and in its place."""
        home = self.tmp / "home"
        nxf_home = self.tmp / "nxf"
        plugins = self.request.content / PLUGINS
        java_home = self.request.engine.program.resolve().parents[1]
        secrets = write_secrets(self.secrets, nxf_home / "secrets" / "store.json")
        return {
            **self.request.environment,
            **offline_environment(nxf_home=nxf_home, tmp=self.tmp, java_home=java_home, plugins=plugins),
            **secrets_environment(secrets),
            "HOME": str(home),
            "TMPDIR": str(self.tmp),
            "PWD": str(self.outputs),
            **self._way_to_containers(),
        }

    def _way_to_containers(self) -> dict[str, str]:
        """The variables by which tasks find the ``docker`` that is our door."""
        if self.door is None:
            return {}
        path = self.request.environment.get("PATH") or base_environment()["PATH"]
        return {"PATH": f"{self.door.commands}:{path}", **self.door.environment}


def as_params(value: Any, *, lists_as_text: bool) -> Any:
    """A value as Nextflow's params have it: a file or folder is its path."""
    if isinstance(value, Mapping):
        if value.get("class") in ("File", "Directory") and isinstance(value.get("path"), str):
            return value["path"]
        return {key: as_params(one, lists_as_text=lists_as_text) for key, one in value.items()}
    if isinstance(value, list | tuple):
        items = [as_params(one, lists_as_text=lists_as_text) for one in value]
        return ",".join(str(one) for one in items) if lists_as_text else items
    return value
