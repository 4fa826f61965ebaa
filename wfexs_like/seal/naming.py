"""The names by which signed crates are known, and the commands that check them."""

from __future__ import annotations

from typing import Final

NAMESPACE: Final = "wfexs-like-crate"
"""What SSH signatures of crates are for: one that was made for something else is none of a crate."""
MANIFEST: Final = "manifest-sha512.txt"
SIGNATURE: Final = MANIFEST + ".sig"
MANIFEST_SCHEMA: Final = "wfexs-like/manifest/1"
LOCK_DIGEST: Final = "digest of the lock, by wfexs-like/lock/1"
"""The ``propertyID`` of the lock's digest in a crate's metadata."""
MAGIC: Final = b"crypt4gh"
"""What a sealed file begins with."""
TREE_RULE: Final = "sha256 of the folder's tree text"
"""What the ``propertyID`` of a folder's digest begins with."""
BODY_DIGEST: Final = "sha256 of the sealed data blocks"
"""The ``propertyID`` of what stays the same of a sealed file when its recipients change: all but its header."""
IN_CLEAR: Final = "an encrypted working directory was exported in clear, by wfexs-like"
"""The ``propertyID`` of what a crate says of that."""
VAULT: Final = "encryption of the working directory, by wfexs-like"
"""The ``propertyID`` by which a plain crate says that its working directory was encrypted, and how."""
COMMANDS: Final = (
    f"ssh-keygen -Y verify -f ALLOWED -I SIGNER -n {NAMESPACE} -s {SIGNATURE} < {MANIFEST}",
    f"sha512sum --check --strict --quiet {MANIFEST}",
)
"""What a stranger types, in the folder; ``ALLOWED`` is a file with the line ``SIGNER ssh-ed25519 AAAA...``."""
