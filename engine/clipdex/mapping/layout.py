"""Laying landmarks out in the plane.

t-SNE (van der Maaten and Hinton, "Visualizing Data using t-SNE", JMLR 9, 2008), as openTSNE computes it (Policar,
Strazar and Zupan, "openTSNE: a modular Python library for t-SNE dimensionality reduction and embedding", 2019): for
many landmarks by interpolation (Linderman et al., 2019). The distance of two hash keys is the square root of their
Hamming distance: the Euclidean distance of their bits. It begins with the first two principal components (Kobak and
Berens, "The art of using t-SNE", 2019), so that nothing in it is random.

Without openTSNE, the principal components are the layout.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np

from clipdex.extras import optional
from clipdex.mapping.placing import Axes, Doubles, Floats, Landmarks
from clipdex_indexes.arrays import Keys
from clipdex_indexes.kernels.few import Few
from clipdex_indexes.kernels.threads import available_threads

EXTRA = "map"
_PERPLEXITY = 30
# The usual steps of t-SNE: first the groups are pulled together more than they will be.
_EARLY, _STEPS = 250, 500
_EXAGGERATION = 12
_STEPS_A_REPORT = 10
# Width of the cells in which forces between far points are interpolated. 1 takes four times as long and shows no more.
_CELL = 2
_FIRST_SPREAD = 1e-4
# From here on, forces by interpolation are quicker than by a tree. A tree is for one thread: its parts are too small.
_INTERPOLATED_FROM = 4000
# Fewer landmarks have no neighbourhoods to keep.
_FEWEST = 5


def tsne_package() -> ModuleType:
    """Import openTSNE.

    Raises
    ------
    ExtraMissing
        When it is not installed; the message says how to install it.
    """
    return optional("openTSNE", EXTRA, "A map by t-SNE")


def by_components(keys: Keys) -> Axes:
    """Return the first two principal components of landmarks, uint8 ``[n, bytes]``, scaled to -1 to 1."""
    bits = np.unpackbits(keys, axis=1).astype(np.float64)
    mean = bits.mean(axis=0)
    bits -= mean
    _, vectors = np.linalg.eigh(bits.T @ bits)
    steps: Doubles = np.ascontiguousarray(vectors[:, :-3:-1])
    largest = np.abs(steps).argmax(axis=0)
    steps *= np.where(steps[largest, [0, 1]] < 0, -1.0, 1.0)
    reach = float(np.abs(bits @ steps).max())
    steps /= reach if reach > 1e-9 else 1.0
    return Axes(-(mean @ steps), steps)


def by_tsne(keys: Keys, package: ModuleType, progress: Callable[[int, int], None]) -> Landmarks:
    """Lay landmarks out by t-SNE, scaled to -1 to 1.

    Parameters
    ----------
    keys
        uint8 ``[n, bytes]``, all different, at least one.
    package
        openTSNE.
    progress
        Called with the number of steps that are done, and of all.
    """
    first = by_components(keys).place(keys).astype(np.float64)
    if len(keys) < _FEWEST:
        return Landmarks(keys, _to_unit(first))
    affinities = _affinities(keys)
    spread = float(first[:, 0].std())
    first *= _FIRST_SPREAD / spread if spread > 0 else 1.0
    many = len(keys) >= _INTERPOLATED_FROM
    embedding = package.TSNEEmbedding(
        first,
        affinities,
        negative_gradient_method="fft" if many else "bh",
        ints_in_interval=_CELL,
        n_jobs=available_threads() if many else 1,
        random_state=0,
    )
    total = _EARLY + _STEPS
    for before, steps, exaggeration in ((0, _EARLY, _EXAGGERATION), (_EARLY, _STEPS, None)):

        def report(step: int, error: float, points: object, before: int = before) -> None:
            progress(before + step, total)

        embedding.optimize(
            steps,
            exaggeration=exaggeration,
            momentum=0.8,
            inplace=True,
            use_callbacks=True,
            callbacks=[report],
            callbacks_every_iters=_STEPS_A_REPORT,
        )
    return Landmarks(keys, _to_unit(np.asarray(embedding)))


def _affinities(keys: Keys) -> object:
    """Return how near the landmarks are to each other, of which each has the exact nearest others."""
    affinity = optional("openTSNE.affinity", EXTRA, "A map by t-SNE")
    neighbours = optional("openTSNE.nearest_neighbors", EXTRA, "A map by t-SNE")
    k = min(3 * _PERPLEXITY, len(keys) - 1)
    distances, near = Few(keys).nearest(keys, k + 1)
    # All keys are different, so that the nearest of each is itself.
    return affinity.PerplexityBasedNN(
        knn_index=neighbours.PrecomputedNeighbors(near[:, 1:], np.sqrt(distances[:, 1:].astype(np.float64))),
        perplexity=min(_PERPLEXITY, k / 3),
        n_jobs=1,
    )


def _to_unit(points: Doubles) -> Floats:
    """Move points so that the middle of their extent is 0, and scale them to reach -1 or 1."""
    points = points - (points.min(axis=0) + points.max(axis=0)) / 2
    reach = float(np.abs(points).max())
    return (points / (reach if reach > 0 else 1.0)).astype(np.float32)
