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
    """Give a model centres computed from the user's own images, and texts where there are any.

    Hash keys made with the old centres cannot be compared with those of the new ones: the model has another digest.

    Parameters
    ----------
    name
        An installed model; also the bundled one, or a folder, with ``to``.
    images
        A folder of images; of more than 2,000, as many are taken evenly.
    texts
        A file of texts, one a line; None keeps the centre of the text tower.
    to
        Make a new model of that name, and leave the old one as it is.
    progress
        Called now and then, from this thread.

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
    found = [reader.root / item.id for item in reader.read() if isinstance(item, ReadItem)]
    if not found:
        raise ModelError(f"there are no images in {images}.")
    step = -(-len(found) // _MOST_IMAGES)
    chosen = found[::step]
    lines = read_texts(texts) if texts is not None else []
    called = name if to is None else check_name(to)
    with staged(called, replace=to is None) as folder:
        for file in FILES:
            model.check(file)
            if file != "centre.npz":
                _link(model.folder / file, folder / file)
        note = f"{len(chosen)} images" + (f", {len(lines)} texts" if lines else "")
        recentre(folder, model, chosen, lines, progress or (lambda what, done, total: None), name=called, note=note)
    return read_model(models_folder() / called)


def read_texts(path: Path) -> list[str]:
    """Read texts, one a line, for a calibration; empty lines and repetitions are left out.

    Raises
    ------
    ModelError
        When the file cannot be read, or holds none.
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
    """Let two models share a file, which neither changes; copy it where that is impossible."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
