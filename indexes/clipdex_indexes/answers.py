"""The arguments and the answers of an index that is used with ids and NumPy arrays, on disk or in memory."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clipdex_indexes.arrays import Ints, Keys, Texts
from clipdex_indexes.storage.table import ItemRow, valid_item_id

SUBSET = "default"


@dataclass(frozen=True, slots=True)
class Written:
    """What a write did.

    Attributes
    ----------
    added, replaced, removed
        Numbers of new items, of items that were there and got another key, and of items that are gone.
    missing
        Number of ids to remove that no item had.
    items
        Number of items that the index has now.
    """

    added: int
    replaced: int
    removed: int
    missing: int
    items: int


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """The neighbours of several queries, nearest first; m = min(k, items).

    Attributes
    ----------
    distances
        int64 ``[q, m]``, in bits; equal ones in item order.
    ids, subsets
        Id and subset of each item: texts, object ``[q, m]``.
    """

    distances: Ints
    ids: Texts
    subsets: Texts

    @classmethod
    def of(cls, neighbours: Sequence[Sequence[tuple[int, ItemRow]]]) -> Answers:
        """Make the arrays from the neighbours of each query, as many for each."""
        shape = (len(neighbours), len(neighbours[0]) if neighbours else 0)
        distances, ids, subsets = np.empty(shape, np.int64), np.empty(shape, object), np.empty(shape, object)
        for query, answer in enumerate(neighbours):
            for rank, (distance, row) in enumerate(answer):
                distances[query, rank], ids[query, rank], subsets[query, rank] = distance, row.id, row.subset
        return cls(distances, ids, subsets)


@dataclass(frozen=True, slots=True, eq=False)
class RangeAnswer:
    """The items within a distance of one query, nearest first; its length is their number, m.

    Attributes
    ----------
    distances
        int64 ``[m]``, in bits; equal ones in item order.
    ids, subsets
        Id and subset of each item: texts, object ``[m]``.
    """

    distances: Ints
    ids: Texts
    subsets: Texts

    def __len__(self) -> int:
        return len(self.distances)

    @classmethod
    def of(cls, distances: Ints, rows: Iterable[ItemRow]) -> RangeAnswer:
        """Make the arrays of as many items as there are distances."""
        ids, subsets = np.empty(len(distances), object), np.empty(len(distances), object)
        known: dict[str, str] = {}  # one text for each subset, not for each item
        for at, row in enumerate(rows):
            ids[at], subsets[at] = row.id, known.setdefault(row.subset, row.subset)
        return cls(distances, ids, subsets)


def checked_bits(bits: int) -> int:
    """Return a length of hash keys, in bits.

    Raises
    ------
    ValueError
        When it is not a multiple of 8 between 8 and 8,192.
    """
    if not 8 <= operator.index(bits) <= 8192 or bits % 8:
        raise ValueError(f"keys have {bits} bits, and must have a multiple of 8, from 8 to 8,192.")
    return operator.index(bits)


def checked_keys(keys: npt.ArrayLike, bits: int) -> Keys:
    """Return hash keys as uint8 ``[n, bits / 8]``, C-contiguous.

    One key alone becomes ``[1, bits / 8]``. An empty list or tuple, which has neither type nor length of keys, becomes
    ``[0, bits / 8]``.

    Raises
    ------
    ValueError
        When they are of another type or length; an array of no keys is checked too.
    """
    if isinstance(keys, (list, tuple)) and not keys:
        return np.empty((0, bits // 8), np.uint8)
    array = np.asarray(keys)
    if array.ndim == 1:
        array = array[None]
    if array.dtype != np.uint8 or array.ndim != 2 or array.shape[1] != bits // 8:
        raise ValueError(
            f"keys are {array.dtype} {list(array.shape)}, and must be uint8 [n, {bits // 8}], as numpy.packbits makes "
            f"them of {bits} bits."
        )
    return np.ascontiguousarray(array)


def checked_k(k: int) -> int:
    """Return a number of neighbours; raises ``ValueError`` when it is below 1."""
    if operator.index(k) < 1:
        raise ValueError(f"k is {k}, and must be at least 1.")
    return operator.index(k)


def checked_distance(distance: int) -> int:
    """Return a distance in bits; raises ``ValueError`` when it is negative."""
    if operator.index(distance) < 0:
        raise ValueError(f"the distance is {distance}, and must be at least 0.")
    return operator.index(distance)


def checked_ids(ids: Sequence[str] | Texts) -> list[str]:
    """Return ids as a list.

    Raises
    ------
    ValueError
        When ``ids`` is a single text; when an id is no text, is no relative POSIX path, or is given twice.
    """
    if isinstance(ids, str):
        raise ValueError(f"the ids are one text, {ids!r}, and must be a list of texts.")
    texts = [str(item_id) if isinstance(item_id, str) else item_id for item_id in ids]
    for item_id in texts:
        if not isinstance(item_id, str) or not valid_item_id(item_id):
            raise ValueError(
                f"{item_id!r} is no id: it must be a text like a relative path, without empty parts or '..'."
            )
    if len(set(texts)) != len(texts):
        raise ValueError("an id is there twice.")
    return texts


def checked_rows(
    ids: Sequence[str] | Texts, keys: npt.ArrayLike, bits: int, subset: str, labels: Sequence[Sequence[str]] | None
) -> list[tuple[ItemRow, bytes]]:
    """Return items with their keys, in item order.

    Raises
    ------
    ValueError
        When there are not as many ids as keys and lists of labels, or one of them is not as it must be.
    """
    texts, array = checked_ids(ids), checked_keys(keys, bits)
    named = [()] * len(texts) if labels is None else [tuple(names) for names in labels]
    if not len(texts) == len(array) == len(named):
        raise ValueError(f"there are {len(texts)} ids, {len(array)} keys and {len(named)} lists of labels.")
    pairs = [
        (ItemRow(item_id, subset, names, 0, 0), key.tobytes())
        for item_id, names, key in zip(texts, named, array, strict=True)
    ]
    return sorted(pairs, key=lambda pair: pair[0][:2])
