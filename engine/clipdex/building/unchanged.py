"""Whether anything changed at all since the last build: one look at each file, and none at the index.

A build that indexed everything leaves the fingerprint of the dataset as it was when it began to read, beside the
manifest that it wrote. When both are the same the next time, there is nothing to compare. The note is a shortcut only:
without it, or where it does not fit, dataset and index are compared item by item.
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


def is_unchanged(folder: Path, fingerprint: str) -> bool:
    """Tell whether the index in ``folder`` is that of a dataset with this fingerprint, whole."""
    with contextlib.suppress(OSError, ValueError, IndexFailure):
        note = json.loads(read_bounded(folder / _NOTE, _MOST))
        return bool(note == _note(folder, fingerprint))
    return False


def remember(folder: Path, fingerprint: str) -> None:
    """Note that the index in ``folder`` is that of a dataset with this fingerprint; where it cannot, it is left."""
    with contextlib.suppress(OSError, IndexFailure):
        if not is_unchanged(folder, fingerprint):
            atomic_write(folder / _NOTE, json.dumps(_note(folder, fingerprint)).encode() + b"\n")


def _note(folder: Path, fingerprint: str) -> dict[str, str]:
    manifest = hashlib.sha256(read_bounded(folder / FILE_NAME, _MOST_MANIFEST)).hexdigest()
    return {"manifest": manifest, "dataset": fingerprint}
