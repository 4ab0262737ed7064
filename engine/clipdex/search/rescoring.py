"""The asymmetric distance: comparing a query with hash keys by more than the bits of the query.

A bit says on which side of the centre an embedding is in one dimension, not how far from it. A stored key has only its
bits, but the embedding of a text or an image query is known. Dimensions in which the query is far from the centre say
more than those in which it is near, so their bits weigh more. Nothing more is stored.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

# Weights are whole numbers, so that their sums do not depend on the order of adding; this is the largest.
_LARGEST = 1 << 20
_BITS_OF_BYTES = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).astype(np.int64)


def weights_of(embedding: npt.NDArray[np.float32] | None, bits: int) -> Ints:
    """Return the weight of each bit of a query, int64 ``[bits]``.

    Parameters
    ----------
    embedding
        Centred embedding of the query, float32 ``[bits]``. None where only the bits are known, as for an item: then all
        bits weigh the same, and the asymmetric distance is the Hamming distance.
    bits
        Length of a hash key.
    """
    sizes = np.abs(embedding.astype(np.float64)) if embedding is not None else np.ones(bits)
    largest = sizes.max()
    if not 0 < largest < np.inf:
        return np.ones(bits, np.int64)
    weights: Ints = np.rint(sizes / largest * _LARGEST).astype(np.int64)
    return weights


def asymmetric_distances(query: Keys, weights: Ints, keys: Keys) -> npt.NDArray[np.float64]:
    """Return the asymmetric distance from a query to each key, float64 ``[n]``, in bits.

    It is ``bits * sum(|x_i| where the bits differ) / sum(|x_i|)`` for the centred embedding x: 0 where all bits agree,
    half of the bits by chance, and the Hamming distance where all ``|x_i|`` are equal. For one query it orders keys as
    the inner product of x with their signs does. Asymmetric distances: Dong, Charikar and Li 2008, "Asymmetric distance
    estimation with sketches for similarity search in high-dimensional spaces"; Gordo, Perronnin, Gong and Lazebnik
    2014, "Asymmetric distances for binary embeddings".

    Parameters
    ----------
    query
        Hash key of the query, uint8 ``[bytes]``.
    weights
        From ``weights_of``, int64 ``[bits]``.
    keys
        uint8 ``[n, bytes]``.
    """
    by_byte = (
        weights.reshape(len(query), 8) @ _BITS_OF_BYTES.T
    )  # [bytes, 256]: weight of each pattern of differing bits
    differing: Ints = by_byte[np.arange(len(query)), keys ^ query].sum(axis=1)
    distances: npt.NDArray[np.float64] = len(weights) * differing / int(weights.sum())
    return distances
