"""The signed list of a crate: whether its signature is good and by whom, and what in the crate is not as listed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from staging.errors import CrateError, PolicyError
from wfexs_like.reading.contents import Contents
from wfexs_like.seal.file_lists import LARGEST, FileList, parse_list
from wfexs_like.seal.judged import Signature
from wfexs_like.seal.naming import MANIFEST, SIGNATURE
from wfexs_like.seal.signatures import SignatureError, verify_bytes
from wfexs_like.seal.ssh_keys import PublicKey
from wfexs_like.seal.trusted import Trusted
from wfexs_like.verifying.statements import Statements

_LARGEST_SIGNATURE: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedList:
    """What was found. ``files`` is ``None`` when there is no list to be believed; ``good`` says that it is signed."""

    signature: Signature
    problems: dict[str, str]
    files: FileList | None = None

    @property
    def good(self) -> bool:
        """Whether the list is the one that was signed."""
        return self.signature.state == "good"


def read_signed_list(contents: Contents, said: Statements, trusted: Trusted | None) -> SignedList:
    """Look at the list and its signature; ``trusted`` are the keys that it must be by, ``None``: anybody's."""
    problems: dict[str, str] = {}
    compared = trusted is not None
    absent = [name for name in (MANIFEST, SIGNATURE) if name not in contents.openers]
    if absent:
        if said.signed:
            problems.update(dict.fromkeys(absent, "is missing: the crate says that it was signed"))
        elif SIGNATURE in absent and compared:
            problems[SIGNATURE] = "is missing: the crate is not signed"
        elif absent == [MANIFEST]:
            problems[MANIFEST] = "is missing: there is a signature of it"
        state = Signature(state="none" if SIGNATURE in absent else "bad", compared=compared)
        files = None if MANIFEST in absent else _read(contents, problems)
        # A list that lost its signature is no better than anybody's word, but may still find an accident.
        return SignedList(signature=state, problems=problems, files=files)
    try:
        content = contents.read(MANIFEST, LARGEST)
        key = verify_bytes(content, contents.read(SIGNATURE, _LARGEST_SIGNATURE))
    except SignatureError as error:
        other = "not a signature of these bytes" in error.message
        name, problem = (MANIFEST, "is not the list that was signed") if other else (SIGNATURE, error.message)
        problems[name] = problem.removeprefix("it ")
        return SignedList(signature=Signature(state="bad", compared=compared), problems=problems)
    except CrateError as error:
        problems[error.where or MANIFEST] = error.message
        return SignedList(signature=Signature(state="bad", compared=compared), problems=problems)
    known = trusted is not None and trusted.knows(key)
    _tell_of_signer(key, said, trusted, problems)
    signature = Signature(state="good", signer=key.fingerprint, compared=compared, trusted=known)
    return SignedList(signature=signature, problems=problems, files=_parsed(content, problems))


def _tell_of_signer(key: PublicKey, said: Statements, trusted: Trusted | None, problems: dict[str, str]) -> None:
    if trusted is not None:
        if not trusted.knows(key):
            problems[SIGNATURE] = f"was made by the key {key.fingerprint}, not by {trusted}"
    elif said.signed_by is not None and said.signed_by != key.fingerprint:
        problems[SIGNATURE] = f"was made by the key {key.fingerprint}; the crate says by {said.signed_by[:100]}"


def _read(contents: Contents, problems: dict[str, str]) -> FileList | None:
    try:
        return _parsed(contents.read(MANIFEST, LARGEST), problems)
    except CrateError as error:
        problems.setdefault(MANIFEST, error.message)
        return None


def _parsed(content: bytes, problems: dict[str, str]) -> FileList | None:
    try:
        return parse_list(content, "sha512", name=MANIFEST)
    except (CrateError, PolicyError) as error:
        problems.setdefault(MANIFEST, error.message)
        return None


def compare_names(contents: Contents, listed: FileList, *, signed: bool) -> dict[str, str]:
    """Files and links that the list has and the crate has not, and the other way round."""
    problems: dict[str, str] = {}
    word = "signed list" if signed else f"list {MANIFEST}"
    names = {one.path for one in listed.files}
    for path in sorted(names):
        if path not in contents.openers and path not in contents.refused:
            problems[path] = f"is missing: it is in the {word}" if path not in contents.links else "became a link"
    for path, target in sorted(listed.links.items()):
        actual = contents.links.get(path)
        if actual is None and path not in contents.refused:
            problems[path] = f"is missing: the {word} has a link of that name"
        elif actual is not None and actual != target:
            problems[path] = f"leads to {actual!r}; in the {word} it leads to {target!r}"
    for path in sorted(contents.openers.keys() - names - {MANIFEST, SIGNATURE}):
        problems.setdefault(path, f"is not in the {word}: it was added")
    for path in sorted(contents.links.keys() - listed.links.keys()):
        problems.setdefault(path, f"is a link that is not in the {word}: it was added")
    return problems
