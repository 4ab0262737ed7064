"""FAISS, imported when it pays.

Importing FAISS takes as long as NumPy takes for a million distances. So NumPy computes the distances of a process until
it has computed that many, or until somebody asks for more at once; FAISS computes all others. The answers are the same.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

# Distances of keys of 512 bits: NumPy computes so many while FAISS is imported.
_PAYS_FROM = 1 << 20

_computed = 0
_here = threading.local()


def is_imported() -> bool:
    """Tell whether FAISS is imported, by whomever."""
    return "faiss" in sys.modules


def pays(distances: int) -> bool:
    """Tell whether FAISS should compute so many distances: it is imported, or importing it takes no longer."""
    return is_imported() or _computed + distances >= _PAYS_FROM


def count(distances: int) -> None:
    """Count distances that NumPy computes."""
    global _computed
    _computed += distances  # threads may lose an addition: FAISS is then imported a little later


def faiss() -> Any:  # noqa: ANN401
    """Return the module ``faiss``. Where ``keep_to_one_thread`` was called, it starts no team of OpenMP threads."""
    import faiss

    if getattr(_here, "is_marked", False):
        faiss.omp_set_num_threads(1)
        _here.is_marked = False
    return faiss


def keep_to_one_thread() -> None:
    """Mark this thread as one of many that share the work."""
    _here.is_marked = True
