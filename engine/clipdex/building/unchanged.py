"""A note beside the index that says for which fingerprint of the dataset it was built: a build then has nothing to do.

A build takes the fingerprint when it begins to read, and writes the note when it has indexed everything. The next build
compares the note with the fingerprint of then and with the manifest: it looks at every file once, and not at the index.
The note is a shortcut only. Without it, or where it does not fit, the build compares item by item.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path

from clipdex.errors import IndexFailure
from clipdex_indexes.storage.files import atomic_write, read_bounded
from clipdex_indexes.storage.manifest import FILE_NAME

_NOTE = "unchanged.json"
_MOST = 1 << 12
_MOST_MANIFEST = 16 << 20


def is_unchanged(folder: Path, fingerprint: str | None) -> bool:
    """Tell whether the index in ``folder`` has all of the dataset with this fingerprint; False where there is none."""
    if fingerprint is None:
        return False
    with contextlib.suppress(OSError, ValueError, IndexFailure):
        note = json.loads(read_bounded(folder / _NOTE, _MOST))
        return bool(note == _note(folder, fingerprint))
    return False


def remember(folder: Path, fingerprint: str | None) -> None:
    """Note that the index in ``folder`` has all of the dataset with this fingerprint. Do nothing where that fails."""
    if fingerprint is None:
        return
    with contextlib.suppress(OSError, IndexFailure):
        if not is_unchanged(folder, fingerprint):
            atomic_write(folder / _NOTE, json.dumps(_note(folder, fingerprint)).encode() + b"\n")


def _note(folder: Path, fingerprint: str) -> dict[str, str]:
    manifest = hashlib.sha256(read_bounded(folder / FILE_NAME, _MOST_MANIFEST)).hexdigest()
    return {"manifest": manifest, "dataset": fingerprint}
