"""A map of datasets: the coordinates of their items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clipdex.mapping.area import NAME_BYTES, area_around
from clipdex.mapping.placing import Floats
from clipdex_indexes import Location


@dataclass(frozen=True, eq=False)
class MappedDataset:
    """Where the items of one dataset are on a map.

    Attributes
    ----------
    name
        Name of the dataset.
    generation
        Generation of the index that the coordinates are of.
    coordinates
        float32 ``[rows, 2]``, about -1 to 1, x to the right and y upwards. The rows are those of the segments of the
        index, one segment after the other. A row without an item (removed, or in another part of the dataset) is NaN.
    starts
        The first row of each segment.
    """

    name: str
    generation: int
    coordinates: Floats
    starts: tuple[int, ...]

    def __len__(self) -> int:
        """Return the number of items that are on the map."""
        return int(np.count_nonzero(~np.isnan(self.coordinates[:, 0])))

    def at(self, location: Location) -> tuple[float, float]:
        """Return x and y of the item at a location; NaN where there is none."""
        x, y = self.coordinates[self.starts[location.segment] + location.position]
        return float(x), float(y)


@dataclass(frozen=True, eq=False)
class DatasetMap:
    """A map of one or several datasets.

    Attributes
    ----------
    datasets
        The datasets, in the order they were named.
    method
        ``t-SNE``, or ``PCA`` where openTSNE is not installed.
    landmarks
        Number of landmarks that were laid out; the other items were placed by them.
    notes
        Sentences on what was not as expected: a damaged map, a missing package, many new items.
    layout
        The name of the layout, which areas have.
    """

    datasets: tuple[MappedDataset, ...]
    method: str
    landmarks: int
    notes: tuple[str, ...] = ()
    layout: bytes = bytes(NAME_BYTES)

    def __len__(self) -> int:
        """Return the number of items that are on the map."""
        return sum(map(len, self.datasets))

    def area(self, corners: Sequence[tuple[float, float]]) -> str:
        """Return a polygon on this map as a text, for the ``areas`` of a filter.

        Parameters
        ----------
        corners
            x and y of 3 to 64 corners, in order.

        Raises
        ------
        QueryError
            When they are no corners.
        """
        return area_around(self.layout, corners)
