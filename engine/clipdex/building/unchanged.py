"""What a build knows of a dataset without comparing it: the items of the index by their fingerprints.

A build that has looked at all of a dataset notes by which rules files became items, and for which manifest. Where the
next build finds the index as it was, and reads by the same rules, a file with the fingerprint of an item is that item,
as it was: neither the rules nor the row of the item need be looked at. The note also has a hash of what each folder
looked like in which no file differed: where a folder looks so again, its files need no fingerprints. All this is a
shortcut only. Without it, or where it does not fit, a build compares item by item.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from clipdex.datasets.failures import Failure
from clipdex.errors import IndexFailure
from clipdex.readers import Reader
from clipdex_indexes import Snapshot
from clipdex_indexes.known import KnownItems, keep_all_fingerprints
from clipdex_indexes.storage.files import atomic_write, read_bounded
from clipdex_indexes.storage.manifest import FILE_NAME

_NOTE = "unchanged.json"
_MOST_MANIFEST = 16 << 20
# Of base64 for a folder. A folder that is noted has an item at least.
_MOST_OF_FOLDER = 22
_MOST_PADDED = 4
_END = b'"}\n'


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
    with contextlib.suppress(OSError, ValueError, IndexFailure):
        begin = _begin(base.folder, rules)
        most = len(begin) + _MOST_OF_FOLDER * len(base) + _MOST_PADDED + len(_END)
        note = read_bounded(base.folder / _NOTE, most)
        if note.startswith(begin) and note.endswith(_END):
            pairs = np.frombuffer(base64.b64decode(note[len(begin) : -len(_END)], validate=True), "<i8").reshape(2, -1)
            listings = dict(zip(*pairs.tolist(), strict=True))
            return KnownItems(base, [failure.id for failure in damaged], listings)
    return None


def remember(folder: Path, reader: Reader, known: KnownItems | None) -> None:
    """Note that a build has looked at all of a dataset for the index in ``folder``. Do nothing where that fails.

    Parameters
    ----------
    folder
        The index folder.
    reader
        The dataset.
    known
        The items that the build found by their fingerprints; None where it compared all.
    """
    rules = reader.rules()
    if rules is None:
        return
    with contextlib.suppress(OSError, IndexFailure):
        with Snapshot(folder) as snapshot:
            keep_all_fingerprints(snapshot)
        listings = sorted(known.listings.items()) if known is not None else []
        pairs = np.array(listings, "<i8").reshape(-1, 2).T
        note = _begin(folder, rules) + base64.b64encode(pairs.tobytes()) + _END
        path = folder / _NOTE
        if not path.is_file() or path.stat().st_size != len(note) or path.read_bytes() != note:
            atomic_write(path, note)


def _begin(folder: Path, rules: str) -> bytes:
    manifest = hashlib.sha256(read_bounded(folder / FILE_NAME, _MOST_MANIFEST)).hexdigest()
    return json.dumps({"manifest": manifest, "rules": rules})[:-1].encode() + b', "listings": "'
