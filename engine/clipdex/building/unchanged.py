"""What a build knows of a dataset without comparing it: the items of the index by their fingerprints.

A build that has looked at all of a dataset notes by which rules files became items, and for which manifest. Where the
next build finds the index as it was, and reads by the same rules, a file with the fingerprint of an item is that item,
as it was: neither the rules nor the row of the item need be looked at. Both notes are shortcuts only. Without them, or
where they do not fit, a build compares item by item.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from clipdex.datasets.failures import Failure
from clipdex.errors import IndexFailure
from clipdex.readers import Reader
from clipdex_indexes import Snapshot
from clipdex_indexes.known import KnownItems, keep_all_fingerprints
from clipdex_indexes.storage.files import atomic_write, read_bounded
from clipdex_indexes.storage.manifest import FILE_NAME

_NOTE = "unchanged.json"
_MOST_MANIFEST = 16 << 20


def known_items(base: Snapshot | None, reader: Reader, damaged: Sequence[Failure]) -> KnownItems | None:
    """Return the items of an index by their fingerprints; None where a build has to compare item by item.

    Parameters
    ----------
    base
        The index; None where there is none.
    reader
        The dataset.
    damaged
        The items that are to be listed again; they are set apart.
    """
    rules = reader.rules()
    if base is None or rules is None or not base.manifest.complete:
        return None
    if not _is_noted(base.folder, _note(base.folder, rules)):
        return None
    return KnownItems(base, [failure.id for failure in damaged])


def remember(folder: Path, reader: Reader) -> None:
    """Note that a build has looked at all of a dataset for the index in ``folder``. Do nothing where that fails."""
    rules = reader.rules()
    if rules is None:
        return
    with contextlib.suppress(OSError, IndexFailure):
        with Snapshot(folder) as snapshot:
            keep_all_fingerprints(snapshot)
        note = _note(folder, rules)
        if not _is_noted(folder, note):
            atomic_write(folder / _NOTE, note)


def _is_noted(folder: Path, note: bytes) -> bool:
    with contextlib.suppress(OSError, IndexFailure):
        return read_bounded(folder / _NOTE, len(note)) == note
    return False


def _note(folder: Path, rules: str) -> bytes:
    manifest = hashlib.sha256(read_bounded(folder / FILE_NAME, _MOST_MANIFEST)).hexdigest()
    return json.dumps({"manifest": manifest, "rules": rules}).encode() + b"\n"
