"""Which model hashed an index, and where that model is.

An index may come from elsewhere, so it may not choose which files are loaded: a model inside the dataset or the index
is refused.
"""

from __future__ import annotations

import os
from pathlib import Path

from clipdex.encoder.installed import installed_names
from clipdex.encoder.model import BUNDLED, Model, find_model
from clipdex.errors import ModelError, ModelNotFound
from clipdex.paths import quoted
from clipdex_indexes import Snapshot

MODEL_VARIABLE = "CLIPDEX_MODEL"
# The digest of an index begins so where its hash keys were imported, and made by no model of ours.
ELSEWHERE = "elsewhere:"


def model_of(index: Snapshot, root: Path) -> Model:
    """Find the model that an index names: the bundled one, an installed one, or a folder outside the dataset.

    The caller compares its digest with the digest in the manifest.

    Raises
    ------
    ModelNotFound
        When the model is not there (any more), or is inside the dataset.
    ModelCorrupt
        When it cannot be used.
    """
    stamp = index.manifest.model
    if stamp.digest.startswith(ELSEWHERE):
        raise ModelNotFound(
            f"the hash keys of {root} come from elsewhere (imported as those of {stamp.name!r}), and no model here "
            "makes such keys: only items can be asked for. To ask for texts and images, hash it here: "
            f"clipdex build --rebuild {quoted(root)}"
        )
    if not stamp.location and stamp.name == BUNDLED:
        return find_model(BUNDLED)
    here = _installed(stamp.name, stamp.digest)
    if here is not None and here.digest == stamp.digest:
        return here
    location = Path(stamp.location)
    inside = any(
        Path(os.path.realpath(location)).is_relative_to(os.path.realpath(folder)) for folder in (root, index.folder)
    )
    if stamp.location and location.is_absolute() and not inside:
        try:
            return find_model(stamp.location)
        except ModelNotFound:
            pass
    if here is not None:
        return here
    where = f" in {stamp.location}" if stamp.location else ""
    raise ModelNotFound(
        f"the index of {root} was hashed by model {stamp.name!r}{where}, which is not to be had here. Install the same "
        "model folder (clipdex model add FOLDER), or say where it is with --model."
    )


def model_for_new_index(name: str | None, of_project: str | None = None) -> tuple[Model, str]:
    """Return the model for a new index, and who chose it, as the end of a sentence.

    The first of these: the model called ``name``, the one that the variable ``CLIPDEX_MODEL`` names, the one of the
    project, the bundled one.

    Raises
    ------
    ModelError
        When there is no model of that name, or it cannot be used.
    """
    if name is not None:
        return find_model(name), "as asked for"
    if named := os.environ.get(MODEL_VARIABLE, ""):
        return find_model(named), f"named by ${MODEL_VARIABLE}"
    if of_project is not None:
        return find_model(of_project), "that of the project"
    return find_model(None), "bundled"


def _installed(name: str, digest: str) -> Model | None:
    """Return the installed model of that digest, or else of that name."""
    named = None
    names = installed_names()
    for candidate in sorted(names, key=lambda installed: installed != name):
        try:
            model = find_model(candidate)
        except ModelError:
            continue
        if model.digest == digest:
            return model
        if candidate == name:
            named = model
    return named
