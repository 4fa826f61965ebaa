"""Platforms: which machine an image is for (``linux/arm64/v8``), and which of several fits best.

Source: github.com/containerd/platforms (``defaults.go``, ``compare.go``): the same names mean the same, and an
architecture takes images of the older ones that it can run.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Final

from staging.errors import DefinitionError, Fault

_PART: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_PARTS: Final = (2, 3)
_SYSTEMS: Final = {"macos": "darwin"}
_ARCHITECTURES: Final = {
    "i386": ("386", ""),
    "i486": ("386", ""),
    "i586": ("386", ""),
    "i686": ("386", ""),
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "aarch64": ("arm64", ""),
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v6"),
    "armv7l": ("arm", "v7"),
    "armv6l": ("arm", "v6"),
}
_USUAL_VARIANTS: Final = {("arm64", "v8"): "", ("arm64", "8"): "", ("amd64", "v1"): "", ("arm", ""): "v7"}
_OLDER_ARM: Final = ("v8", "v7", "v6", "v5")
_OLDER_AMD64: Final = ("v4", "v3", "v2", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """A platform in its usual spelling: ``arm64/v8`` is ``arm64``, ``arm`` is ``arm/v7``."""

    system: str
    architecture: str
    variant: str = ""

    @classmethod
    def of(cls, system: str, architecture: str, variant: str = "") -> Platform:
        """The platform of those three words, each as anybody may spell it."""
        system, architecture, variant = system.lower(), architecture.lower(), variant.lower()
        architecture, usual = _ARCHITECTURES.get(architecture, (architecture, ""))
        variant = variant or usual
        if variant.isdigit():
            variant = f"v{variant}"
        variant = _USUAL_VARIANTS.get((architecture, variant), variant)
        return cls(system=_SYSTEMS.get(system, system), architecture=architecture, variant=variant)

    @classmethod
    def parse(cls, text: str) -> Platform:
        """Read ``os/architecture[/variant]``.

        Raises:
            DefinitionError: it is something else.
        """
        parts = text.split("/")
        if len(parts) not in _PARTS or not all(_PART.fullmatch(one) for one in parts):
            fault = Fault(
                file="", where="", message=f"{text[:100]!r} is no platform", hint="as in linux/amd64 or linux/arm/v7"
            )
            raise DefinitionError((fault,), message=fault.message, hint=fault.hint)
        return cls.of(*parts)

    @classmethod
    def of_this_machine(cls) -> Platform:
        """What images for this machine say."""
        facts = os.uname()
        return cls.of("linux" if facts.sysname == "Linux" else facts.sysname, facts.machine)

    def fitting(self) -> tuple[Platform, ...]:
        """The platforms whose images run on this one, the best first."""
        same = self.system
        if self.architecture == "arm" and self.variant in _OLDER_ARM:
            return tuple(Platform.of(same, "arm", one) for one in _OLDER_ARM[_OLDER_ARM.index(self.variant) :])
        if self.architecture == "arm64" and not self.variant:
            return (self, *(Platform.of(same, "arm", one) for one in _OLDER_ARM))
        if self.architecture == "amd64" and self.variant in _OLDER_AMD64:
            older = _OLDER_AMD64[_OLDER_AMD64.index(self.variant) :]
            return (*(Platform.of(same, "amd64", one) for one in older), Platform.of(same, "386"))
        return (self,)

    def __str__(self) -> str:
        return f"{self.system}/{self.architecture}" + (f"/{self.variant}" if self.variant else "")


def machine_platform() -> str:
    """The platform of this machine, as ``ImageWish.platform`` has it."""
    return str(Platform.of_this_machine())
