"""How sure is an answer? The chance that something as near turns up where nothing fits.

A search always finds a nearest item. Whether it fits shows in how unusual its distance is: for this query, this kind of
query, this model, and this many images.

1. The query is compared with the photographs of the background (``clipdex.encoder.background``). Their median distance
   is what the query has to a thing that does not fit. A hit is nearer by some number of bits.
2. The background also counts, over everyday nouns or photographs as queries, how many photographs are how much nearer
   than the median. The share of those at least as near as the hit is an empirical p-value. Beyond the nearest 2 % there
   are few, so the tail is continued by a geometric distribution that has the same mean: the peaks over a threshold of
   extreme value theory (Pickands 1975, "Statistical inference using extreme order statistics"; of its generalised
   Pareto distributions the exponential one, which is the geometric one for whole numbers).
3. A hit is the nearest of many items. The chance that the nearest of n is by chance as near is ``1 - (1 - p) ** n``, as
   for the scores of sequence searches (Karlin and Altschul 1990, "Methods for assessing the statistical significance of
   molecular sequence features by using general scoring schemes"). The images of a dataset resemble one another, so n is
   not their number but its square root, and at most that of the largest dataset that was measured
   (``benchmarks/strength.py`` compares the rules).

The chance only informs: it orders nothing and drops nothing unless that was asked for.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import numpy.typing as npt

from clipdex.defaults import FAIR, STRENGTHS, STRONG, WEAK
from clipdex.encoder.background import Background

Keys = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

# The greatest chance of a hit that is fair, and of one that is strong.
LEVELS = {FAIR: 0.05, STRONG: 0.005}
_TAIL = 0.02
_MOST_COUNTED = 4_000
_NEARLY_ONE = 1 - 1e-12


def chances(background: Background, key: Keys, kind: str, items: int) -> Floats:
    """Return the chance of a hit at each distance, float64 ``[bits + 1]``: smaller for nearer ones.

    Parameters
    ----------
    background
        That of the model.
    key
        Hash key of the query, uint8 ``[bits / 8]``.
    kind
        ``text``, ``image`` or ``item``.
    items
        Number of items that were searched.
    """
    bits = 8 * len(key)
    shares = _shares(background, "text" if kind == "text" else "image")
    nearer = background.median(key) - np.arange(bits + 1)
    draws = math.sqrt(min(max(1, items), _MOST_COUNTED))
    values: Floats = -np.expm1(draws * np.log1p(-np.minimum(shares[nearer + bits], _NEARLY_ONE)))
    return values


def rounded(chance: float) -> float:
    """Return a chance with three digits: the last bits of a float differ between machines."""
    return float(f"{chance:.2e}")


@functools.lru_cache(8)
def _shares(background: Background, kind: str) -> Floats:
    """Return the share of pairs at least as near, float64 ``[2 * bits + 1]``, by bits nearer from ``-bits`` on."""
    counts = background.pairs[kind]
    at_least = np.cumsum(counts[::-1])[::-1]
    total = int(at_least[0])
    begin = int(np.argmax(at_least <= _TAIL * total))
    excess = np.arange(len(counts) - begin)
    beyond = int(at_least[begin])
    if not beyond:  # fewer than 50 pairs, or many at the least distance
        begin = int(np.flatnonzero(counts)[-1])
        excess = np.arange(len(counts) - begin)
        beyond = int(counts[begin])
    mean = float((counts[begin:] * excess).sum()) / beyond
    tail = beyond / total * (mean / (1 + mean) if mean else 0.5) ** excess
    return np.concatenate([at_least[:begin] / total, tail])


def strength_of(chance: float | None) -> str | None:
    """Return the word for a chance: ``strong``, ``fair`` or ``weak``; None where it is not known."""
    if chance is None:
        return None
    return STRONG if chance <= LEVELS[STRONG] else FAIR if chance <= LEVELS[FAIR] else WEAK


def is_at_least(strength: str | None, least: str) -> bool:
    """Tell whether a strength is known, and not below another."""
    return strength is not None and STRENGTHS.index(strength) >= STRENGTHS.index(least)
