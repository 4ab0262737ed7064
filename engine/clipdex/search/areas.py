"""What areas of a map hold: they are part of a filter, and filters know nothing of maps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from clipdex.datasets.dataset import Dataset
from clipdex.errors import QueryError
from clipdex.mapping.area import Area
from clipdex.mapping.making import kept_map_of
from clipdex.paths import quoted
from clipdex.wording import shown
from clipdex_indexes.arrays import Bools


def held_by(datasets: Sequence[Dataset], texts: Iterable[str]) -> list[dict[str, list[Bools]]]:
    """Return for each dataset the items in each area, for each segment of its index bool ``[items]``.

    Parameters
    ----------
    datasets
        Open datasets, of which a map is kept.
    texts
        Areas, as ``clipdex.mapping.area`` writes them.

    Raises
    ------
    QueryError
        When a text is no area, no map is kept, or an area was drawn on another one.
    """
    areas = {text: Area.of(text) for text in texts}
    found = kept_map_of(datasets)
    if found is None:
        places = " ".join(quoted(dataset.record.place) for dataset in datasets)
        raise QueryError(f"areas are of a map, and there is none of these datasets. Make it: clipdex map {places}")
    for text, area in areas.items():
        if area.layout != found.layout:
            raise QueryError(
                f"the area {shown(text)} was drawn on another map: of other datasets, or before the map was laid out "
                "anew. Draw it again."
            )
    return [
        # An index without images has no segment, and what is split there is one part too many.
        {
            text: np.split(area.holds(mapped.coordinates), mapped.starts[1:])[: len(mapped.starts)]
            for text, area in areas.items()
        }
        for mapped in found.datasets
    ]
