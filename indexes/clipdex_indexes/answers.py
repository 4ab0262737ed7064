"""What an index that is used with ids and NumPy arrays takes and gives: the same on disk and in memory."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clipdex_indexes.storage.table import ItemRow, valid_item_id

Keys = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Texts = npt.NDArray[np.object_]

SUBSET = "default"


@dataclass(frozen=True, slots=True)
class Written:
    """What a write did.

    Attributes
    ----------
    added, replaced, removed
        Numbers of items: new ones, those that had another key before, and those that are gone.
    missing
        Number of ids to remove that no item had.
    items
        Number of items there are now.
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
        Which items they are: texts, object ``[q, m]``.
    """

    distances: Ints
    ids: Texts
    subsets: Texts

    @classmethod
    def of(cls, found: Sequence[Sequence[tuple[int, ItemRow]]]) -> Answers:
        """Make the arrays of the distances and items of each query."""
        shape = (len(found), len(found[0]) if found else 0)
        distances, ids, subsets = np.empty(shape, np.int64), np.empty(shape, object), np.empty(shape, object)
        for query, answer in enumerate(found):
            for rank, (distance, row) in enumerate(answer):
                distances[query, rank], ids[query, rank], subsets[query, rank] = distance, row.id, row.subset
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
    """Return hash keys as uint8 ``[n, bits / 8]``, C-contiguous; one key alone is ``[1, bits / 8]``.

    Raises
    ------
    ValueError
        When they are of another type or length.
    """
    array = np.asarray(keys)
    if array.ndim == 1 and array.size:
        array = array[None]
    if array.size == 0:
        return np.empty((0, bits // 8), np.uint8)
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


def checked_ids(ids: Sequence[str] | Texts) -> list[str]:
    """Return ids as a list.

    Raises
    ------
    ValueError
        When they are one text; when one is no text or no relative POSIX path, or is there twice.
    """
    if isinstance(ids, str):
        raise ValueError(f"the ids are one text, {ids!r}, and must be a list of texts.")
    texts = [str(one) if isinstance(one, str) else one for one in ids]
    for one in texts:
        if not isinstance(one, str) or not valid_item_id(one):
            raise ValueError(f"{one!r} is no id: it must be a text like a relative path, without empty parts or '..'.")
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
        When there are not as many of each, or one is not as it must be.
    """
    texts, array = checked_ids(ids), checked_keys(keys, bits)
    named = [()] * len(texts) if labels is None else [tuple(names) for names in labels]
    if not len(texts) == len(array) == len(named):
        raise ValueError(f"there are {len(texts)} ids, {len(array)} keys and {len(named)} lists of labels.")
    pairs = [
        (ItemRow(one, subset, names, 0, 0), key.tobytes()) for one, names, key in zip(texts, named, array, strict=True)
    ]
    return sorted(pairs, key=lambda pair: pair[0][:2])
