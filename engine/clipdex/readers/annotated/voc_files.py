"""Walking through the folders of a Pascal VOC dataset, once, for its images, annotations and lists."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from clipdex.media.kinds import suffix_of
from clipdex.readers.annotated.voc_folders import ANNOTATION_FOLDERS, holds_masks
from clipdex.readers.annotated.voc_lists import is_list
from clipdex.readers.base import NO_OPTIONS, ReadItem, UnreadableItem
from clipdex.readers.folder import FolderReader

# Called with the path of a file below the root.
_Found = Callable[[str], None]


class DatasetFolder(FolderReader):
    """The images below a folder, without masks; annotations and lists are handed to functions.

    Parameters
    ----------
    location
        The folder.
    annotation, image_list
        Called with each file of annotations, and with each file that may be a list of images.
    """

    def __init__(self, location: Path, annotation: _Found, image_list: _Found) -> None:
        super().__init__(location, NO_OPTIONS)
        self._annotation = annotation
        self._image_list = image_list

    def _enters(self, folder: str) -> bool:
        return not holds_masks(folder[:-1].rpartition("/")[2])

    def _file(self, entry: os.DirEntry[str], item_id: str) -> Iterator[ReadItem | UnreadableItem]:
        suffix = suffix_of(item_id)
        if suffix == ".xml" or (not suffix and _is_for_annotations(item_id)):
            self._annotation(item_id)
        elif suffix == ".txt" and is_list(item_id):
            self._image_list(item_id)
        else:
            return super()._file(entry, item_id)
        return iter(())


def _is_for_annotations(path: str) -> bool:
    """Tell whether a file is in a folder of annotations; some datasets leave out the extension there."""
    return any(name.lower() in ANNOTATION_FOLDERS for name in path.split("/")[:-1])
