"""Facts: what an image's config says of it, checked against its manifest and the platform that was asked for.

Source: OCI Image Format Specification 1.1, ``config.md`` and ``annotations.md``.
"""

from __future__ import annotations

import re
from typing import Final

from staging.errors import ContainerError, DigestError
from staging.images.documents import read_document, senseless
from staging.images.manifest import MAX_CONFIG, Manifest, texts_of
from staging.images.platforms import Platform
from staging.plan import ImageFacts

LICENCES: Final = "org.opencontainers.image.licenses"
_WHAT: Final = "config"
_LABELS: Final = "org.opencontainers.image."
_MAX_LABEL: Final = 2000
_DIFF_ID: Final = re.compile(r"sha256:[0-9a-f]{64}")


def read_facts(config: bytes, manifest: Manifest, platform: Platform, name: str) -> ImageFacts:
    """What the image is. ``platform`` is the one that was asked for, ``name`` the image's, for messages.

    Labels are those of the config; an annotation of the manifest stands where no label of that name does.

    Raises:
        ContainerError: it is for another platform, or its config doesn't fit its manifest.
    """
    record = read_document(config, MAX_CONFIG, _WHAT, name)
    found = _platform(record, name)
    if found not in platform.fitting():
        raise ContainerError(
            f"the image {name} is made for {found}, not for {platform}",
            hint=f"state its platform (platform: {found}) or the digest of the image for {platform}",
            where=name,
            image=name,
            platform=str(found),
            expected=str(platform),
        )
    layers = _diff_ids(record, name)
    if layers != len(manifest.layers):
        raise _senseless(name, f"tells of {layers} layers, its manifest of {len(manifest.layers)}")
    settings = record.get("config")
    stated = {**manifest.annotations, **texts_of(settings.get("Labels") if isinstance(settings, dict) else None)}
    return ImageFacts(
        config=manifest.config.digest,
        layers=tuple(one.digest for one in manifest.layers),
        platform=str(found),
        size=manifest.total,
        labels={key: stated[key] for key in sorted(stated) if _is_told(key, stated[key])},
    )


def check_facts(facts: ImageFacts, manifest: Manifest, name: str) -> None:
    """Hold what a lock says of an image against the manifest that it names.

    Raises:
        DigestError: it says another config, which is the image's id, or other layers.
    """
    actual = (manifest.config.digest, *(one.digest for one in manifest.layers))
    stated = (facts.config, *facts.layers)
    if actual == stated:
        return
    what = "config" if facts.config != manifest.config.digest else "layers"
    raise DigestError(
        f"the lock says another {what} of the image {name} than its manifest: somebody changed the lock",
        hint="don't use this lock; stage without --locked to make a new one",
        where=name,
        image=name,
        expected=", ".join(f"sha256:{one}" for one in actual),
        actual=", ".join(f"sha256:{one}" for one in stated),
    )


def licences_of(facts: ImageFacts) -> tuple[str, ...]:
    """The licences that an image states, as SPDX identifiers (exceptions with ``WITH``); none where it states others.

    Source: SPDX Specification 2.3, annex D.
    """
    expression = licence_expression(facts)
    if expression is None:
        return ()
    parts = re.split(r"\s+(?:AND|OR)\s+", re.sub(r"[()]", " ", expression))
    return tuple(dict.fromkeys(" ".join(part.split()) for part in parts))


def licence_expression(facts: ImageFacts) -> str | None:
    """The SPDX expression that an image states (``MIT AND (BSD-3-Clause OR Zlib)``); ``None`` for any other text."""
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    stated = facts.labels.get(LICENCES, "").strip()
    try:
        return canonicalize_license_expression(stated) if stated else None
    except InvalidLicenseExpression:
        return None


def _platform(record: dict[str, object], name: str) -> Platform:
    parts = [record.get("os"), record.get("architecture"), record.get("variant") or ""]
    texts = [one for one in parts if isinstance(one, str)]
    if len(texts) != len(parts) or not texts[0] or not texts[1]:
        raise _senseless(name, "does not say which platform it is for")
    return Platform.of(*(one[:64] for one in texts))


def _diff_ids(record: dict[str, object], name: str) -> int:
    rootfs = record.get("rootfs")
    ids = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    if not isinstance(ids, list) or not all(isinstance(one, str) and _DIFF_ID.fullmatch(one) for one in ids):
        raise _senseless(name, "does not say what its layers are")
    return len(ids)


def _is_told(key: str, value: str) -> bool:
    return key.startswith(_LABELS) and key.isprintable() and value.isprintable() and len(value) <= _MAX_LABEL


def _senseless(name: str, why: str) -> ContainerError:
    return senseless(_WHAT, name, why)
