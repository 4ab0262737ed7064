"""Walking through the folders of a Pascal VOC dataset, once, for its images, annotations and lists."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from clipdex.media.kinds import suffix_of
from clipdex.readers.annotated.voc_folders import ANNOTATION_FOLDERS, holds_masks
from clipdex.readers.annotated.voc_lists import is_list
from clipdex.readers.base import ReadItem, UnreadableItem
from clipdex.readers.folder import FolderReader

# Called with the folder of a file, which ends in a slash, and its name; of an image, also with its size and its time of
# modification.
_Found = Callable[[str, str], None]
_FoundImage = Callable[[str, str, int, int], None]
# Quicker to look up than the extension of a name is to be taken out.
_USUAL_ENDS = frozenset({".jpg", ".JPG", ".png"})
_XML = ".xml"


class DatasetFolder(FolderReader):
    """The files below a folder, without masks; what is read are folders and files that cannot be.

    Parameters
    ----------
    location
        The folder.
    image, annotation, image_list
        Called with each image, each file of annotations, and (its path) each file that may be a list of images.
    """

    def __init__(
        self, location: Path, image: _FoundImage, annotation: _Found, image_list: Callable[[str], None]
    ) -> None:
        super().__init__(location)
        self._image = image
        self._annotation = annotation
        self._image_list = image_list

    def _enters(self, folder: str) -> bool:
        return not holds_masks(folder[:-1].rpartition("/")[2])

    def _file(self, entry: os.DirEntry[str], item_id: str) -> Sequence[ReadItem | UnreadableItem]:
        name = entry.name
        end = name[-4:]
        if end == _XML:
            return self._of_annotations(entry, item_id)
        if end in _USUAL_ENDS:
            try:
                status = entry.stat()
            except OSError:
                return super()._file(entry, item_id)
            if stat.S_ISREG(status.st_mode):
                self._image(item_id[: -len(name)], name, status.st_size, status.st_mtime_ns)
                return ()
        suffix = suffix_of(name)
        if suffix == _XML or (not suffix and _is_for_annotations(item_id)):
            return self._of_annotations(entry, item_id)
        if suffix == ".txt" and is_list(item_id):
            self._image_list(item_id)
            return ()
        return self._other(entry, item_id)

    def _of_annotations(self, entry: os.DirEntry[str], path: str) -> Sequence[UnreadableItem]:
        # Opening something else, such as a pipe, could wait for ever.
        try:
            is_file = entry.is_file()
        except OSError:
            is_file = False
        if not is_file:
            return (UnreadableItem(path, "not a regular file"),)
        self._annotation(path[: -len(entry.name)], entry.name)
        return ()

    def _other(self, entry: os.DirEntry[str], item_id: str) -> Sequence[UnreadableItem]:
        failed = []
        for item in super()._file(entry, item_id):
            if isinstance(item, UnreadableItem):
                failed.append(item)
            else:
                self._image(item_id[: -len(entry.name)], entry.name, item.size, item.mtime_ns)
        return failed


def _is_for_annotations(path: str) -> bool:
    """Tell whether a file is in a folder of annotations; some datasets leave out the extension there."""
    return any(name.lower() in ANNOTATION_FOLDERS for name in path.split("/")[:-1])
