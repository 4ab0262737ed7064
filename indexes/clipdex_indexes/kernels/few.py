"""The nearest of a few keys for very many others, exactly, as plain arrays.

``hamming`` serves a few queries over many keys. Here it is the other way round: each of many keys asks the same few.
"""

from __future__ import annotations

import numpy as np

from clipdex_indexes.arrays import Int32s, Ints, Keys
from clipdex_indexes.kernels import library


class Few:
    """Keys to be near to. Any number of threads may ask.

    Parameters
    ----------
    keys
        uint8 ``[n, bytes]``, at least one.
    """

    def __init__(self, keys: Keys) -> None:
        self._flat = library.faiss().IndexBinaryFlat(8 * keys.shape[1])
        # It counts the keys at each distance in the order of their positions, so that of equal distances the first win.
        self._flat.use_heap = False
        self._flat.add(np.ascontiguousarray(keys))

    def nearest(self, keys: Keys, k: int) -> tuple[Int32s, Ints]:
        """Return the distances and the positions of the k nearest of the few, for each key.

        Parameters
        ----------
        keys
            uint8 ``[m, bytes]``.
        k
            From 1 to the number of the few.

        Returns
        -------
        distances, positions
            int32 and int64 ``[m, k]``, by distance, then position, also at the k-th place.
        """
        distances, positions = self._flat.search(np.ascontiguousarray(keys), k)
        return distances, positions
