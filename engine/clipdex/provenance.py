"""Which model hashed an index, and where it is: an index from elsewhere may not choose what is loaded."""

from __future__ import annotations

import os
from pathlib import Path

from clipdex.encoder.model import BUNDLED, Model, find_model
from clipdex.errors import ModelNotFound
from clipdex_indexes import Index


def model_of(index: Index, root: Path) -> Model:
    """Find the model that an index names: the bundled one, or a folder outside the dataset.

    The caller compares its digest with the one in the manifest.

    Raises
    ------
    ModelNotFound
        When it is not there (any more), or is in the dataset itself.
    ModelCorrupt
        When it cannot be used.
    """
    stamp = index.manifest.model
    if not stamp.location and stamp.name == BUNDLED:
        return find_model(BUNDLED)
    location = Path(stamp.location)
    inside = any(
        Path(os.path.realpath(location)).is_relative_to(os.path.realpath(folder)) for folder in (root, index.folder)
    )
    if stamp.location and location.is_absolute() and not inside:
        try:
            return find_model(stamp.location)
        except ModelNotFound:
            pass
    where = f" in {stamp.location}" if stamp.location else ""
    raise ModelNotFound(
        f"the index of {root} was hashed by model {stamp.name!r}{where}, which is not to be had there. "
        "Say where it is with --model."
    )
