"""Computing the centres of a model from the user's own images and texts."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from clipdex.encoder.installed import installed_folder, models_folder
from clipdex.encoder.model import FILES, Model, find_model, read_model
from clipdex.errors import IndexCorrupt, ModelError
from clipdex.models.installing import check_name, staged
from clipdex_indexes.storage.files import read_bounded

if TYPE_CHECKING:
    from clipdex.models.conversion.assembling import Progress

_MOST_IMAGES = 2000
_MAX_TEXTS_BYTES = 64 << 20


def calibrate(
    name: str, images: Path, texts: Path | None = None, *, to: str | None = None, progress: Progress | None = None
) -> Model:
    """Compute new centres of a model from the user's own images, and from texts where they are given.

    The model gets another digest, because hash keys with new centres cannot be compared with those of the old ones.

    Parameters
    ----------
    name
        An installed model; with ``to`` also the bundled one, or a folder.
    images
        A folder of images. At most 2,000 are used, spread evenly over the folder.
    texts
        A file with one text per line; None keeps the centre of the text tower.
    to
        The name of a new model; None changes the model itself.
    progress
        Called from this thread as the work proceeds.

    Raises
    ------
    ModelError
        When there is no such model, or none of the images can be read.
    DatasetNotFound
        When there is no such folder.
    """
    from clipdex.models.conversion.assembling import recentre
    from clipdex.readers import FolderReader, ReadItem
    from clipdex.readers.sources import locate

    model = find_model(name)
    if to is None and installed_folder(name) is None:
        raise ModelError(f"{name!r} is not installed, and cannot be changed: name the new model with --name.")
    reader = FolderReader(locate(images).location)
    paths = [reader.root / item.id for item in reader.read() if isinstance(item, ReadItem)]
    if not paths:
        raise ModelError(f"there are no images in {images}.")
    chosen = paths[:: -(-len(paths) // _MOST_IMAGES)]
    lines = read_texts(texts) if texts is not None else []
    new_name = name if to is None else check_name(to)
    with staged(new_name, replace=to is None) as folder:
        for file in FILES:
            model.check(file)
            if file != "centre.npz":
                _link(model.folder / file, folder / file)
        note = f"{len(chosen)} images" + (f", {len(lines)} texts" if lines else "")
        recentre(folder, model, chosen, lines, progress or (lambda what, done, total: None), name=new_name, note=note)
    return read_model(models_folder() / new_name)


def read_texts(path: Path) -> list[str]:
    """Read the texts of a calibration, one per line, without empty lines and repetitions.

    Raises
    ------
    ModelError
        When the file cannot be read, or holds no text.
    """
    try:
        lines = read_bounded(path, _MAX_TEXTS_BYTES).decode("utf-8").splitlines()
    except (OSError, UnicodeDecodeError, IndexCorrupt) as error:
        raise ModelError(f"{path} cannot be read as a list of texts: {error}.") from error
    texts = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
    if not texts:
        raise ModelError(f"{path} holds no text.")
    return texts


def _link(source: Path, target: Path) -> None:
    """Let two models share a file, which neither changes. Copy the file where links are impossible."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
