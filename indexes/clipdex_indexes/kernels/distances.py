"""All Hamming distances between queries and keys."""

from __future__ import annotations

import faiss
import numpy as np

from clipdex_indexes.arrays import Int32s, Ints, Keys


def hamming(keys: Keys, query: Keys) -> Ints:
    """Return the Hamming distances from one query to every key, int64 ``[n]``.

    Parameters
    ----------
    keys
        uint8 ``[n, bytes]``.
    query
        uint8 ``[bytes]``.
    """
    if keys.shape[1] % 8 == 0 and keys.flags.c_contiguous:
        words = np.bitwise_count(keys.view(np.uint64) ^ np.ascontiguousarray(query).view(np.uint64))
    else:
        words = np.bitwise_count(keys ^ query)
    distances: Ints = words.sum(axis=1, dtype=np.int64)
    return distances


def distances_into(keys: Keys, queries: Keys, into: Int32s) -> None:
    """Write all Hamming distances of contiguous queries and keys into int32 ``[q, n]``, contiguous."""
    if keys.shape[1] % 8:
        few, many, rows = (queries, keys, into) if len(queries) <= len(keys) else (keys, queries, into.T)
        for key, row in zip(few, rows, strict=True):
            row[:] = hamming(many, key)
        return
    pointers = faiss.swig_ptr(queries), faiss.swig_ptr(keys)
    faiss.hammings(*pointers, len(queries), len(keys), keys.shape[1], faiss.swig_ptr(into))


def distances_to(keys: Keys, queries: Keys) -> Int32s:
    """Return all Hamming distances, int32 ``[q, n]``, of queries ``[q, bytes]`` to keys ``[n, bytes]``."""
    distances = np.empty((len(queries), len(keys)), np.int32)
    if distances.size:
        distances_into(np.ascontiguousarray(keys), np.ascontiguousarray(queries), distances)
    return distances
