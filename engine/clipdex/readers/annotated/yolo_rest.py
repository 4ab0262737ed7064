"""What is left of a dataset of YOLO: images in no subset, and labels without an image."""

from __future__ import annotations

import fnmatch
import itertools
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from clipdex.readers.annotated.path_set import PathSet
from clipdex.readers.annotated.small_files import read_start
from clipdex.readers.annotated.yolo_data import NAME_FILES
from clipdex.readers.annotated.yolo_label_files import SUFFIX, LabelFiles
from clipdex.readers.annotated.yolo_labels import looks_like_labels
from clipdex.readers.annotated.yolo_names import is_label_folder
from clipdex.readers.annotated.yolo_places import is_in, relative
from clipdex.readers.base import ReadItem
from clipdex.readers.folder import FolderReader
from clipdex.readers.layout import Layout
from clipdex.readers.masks import known_masks
from clipdex.readers.naming import is_system_folder, shown
from clipdex.wording import counted

_BATCH = 10_000
_MOST_BYTES = 4096
_ELSEWHERE = tuple(f"{above}*{SUFFIX}" for above in ("", "*/", "*/*/", "*/*/*/"))


class ImagesBelow(FolderReader):
    """The images below a folder, without those of some folders in it.

    Parameters
    ----------
    folder
        Absolute path of the folder.
    without
        Absolute paths of folders that are not entered.
    """

    def __init__(self, folder: str, without: Sequence[str] = ()) -> None:
        super().__init__(Path(folder))
        self._without = {f"{os.path.relpath(path, folder)}/" for path in without}

    @property
    def is_empty(self) -> bool:
        """Whether the folder itself is one of those that are not entered."""
        return "./" in self._without

    def _enters(self, folder: str) -> bool:
        return folder not in self._without


class MaskFiles:
    """The images of a dataset that are no items because its layout says that they are masks.

    Parameters
    ----------
    layout
        The folder of the dataset.

    Attributes
    ----------
    are_known
        Whether the layout says so of any.
    count
        How many were met.
    """

    def __init__(self, layout: Layout) -> None:
        self._known = known_masks(layout)
        self.are_known = self._known is not None
        self._matches = [re.compile(fnmatch.translate(name)).match for name in self._known.names] if self._known else []
        self.count = 0
        self._first = ""

    def takes(self, path: str, above: str = "") -> bool:
        """Tell whether an image is a mask, and count it.

        Parameters
        ----------
        path
            Its path in a folder that is no folder of masks.
        above
            The path of that folder, with a slash after it, for the remark.
        """
        if not any(matches(part) for part in path.split("/") for matches in self._matches):
            return False
        self.count += 1
        self._first = self._first or above + path
        return True

    @property
    def remark(self) -> str:
        """A sentence on the masks that were met."""
        why = self._known.why if self._known else ""
        return (
            f"left out as {'a mask' if self.count == 1 else 'masks'}: {counted(self.count, 'image')}, such as "
            f"{shown(self._first)}, because {why}. --format folder reads all images."
        )


def images_in_no_subset(rest: ImagesBelow, listed: PathSet) -> Iterator[str]:
    """Yield the absolute paths of images that are in no subset.

    Parameters
    ----------
    rest
        The images in no folder of a subset.
    listed
        The absolute paths of images that lists name.
    """
    if rest.is_empty:
        return
    paths = (f"{rest.root}/{item.id}" for item in rest.read() if isinstance(item, ReadItem))
    while batch := list(itertools.islice(paths, _BATCH)):
        yield from listed.absent(batch)


def labels_without_image(files: LabelFiles) -> Iterator[str]:
    """Yield the absolute paths of files of labels that belong to no image.

    Every folder called ``labels`` is looked through, or what folders are called that labels were read from, and the
    folders of images with labels beside the images.
    """
    of_images = files.of_images
    used = {_name(_top(folder, files.root)) for folder in files.used}
    tops = {_top(folder, files.root) for folder in files.folders}
    for top in sorted(top for top in tops if not used or _name(top) in used):
        for folder, names in _below(top):
            for path in sorted(of_images.absent([f"{folder}/{name}" for name in names])):
                if _name(path).lower() not in NAME_FILES and _holds_labels(path, empty=True):
                    yield path
    for folder in sorted(files.beside):
        beside = list(_beside_nothing(folder.rstrip("/")))
        yield from of_images.absent(beside) if beside else ()


def labels_elsewhere(layout: Layout, files: LabelFiles) -> str:
    """Return the path of a file that looks like labels, in a folder where none are looked for; empty without one.

    Only the first files of a few folders are looked at.

    Parameters
    ----------
    layout
        The folder of the dataset.
    files
        The files of labels that were read.
    """
    start = layout.location.as_posix()
    tops = {_top(folder, files.root) for folder in (*files.folders, *(one.rstrip("/") for one in files.used))}
    known = {*tops, *map(os.path.realpath, tops)}
    beside = {folder.rstrip("/") for folder in files.beside}
    for pattern in _ELSEWHERE:
        for path in layout.find(pattern):
            whole = f"{start}/{path}"
            folder = whole.rpartition("/")[0]
            if folder in beside or any(is_in(folder, one) for one in known):
                continue
            if looks_like_labels(layout.start(path).encode()) and files.of_images.absent([whole]):
                return path
    return ""


def _top(folder: str, root: str) -> str:
    """Return the folder of labels that a folder is in, or the folder where it is in none of the dataset."""
    inner = relative(folder, root)
    parts = inner.split("/")
    at = max((n for n, part in enumerate(parts) if is_label_folder(part)), default=len(parts))
    return folder[: len(folder) - len(inner)] + "/".join(parts[: at + 1])


def _name(folder: str) -> str:
    return folder.rpartition("/")[2]


def _below(top: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the folders below a folder, itself first, with the names of the text files in them."""
    folders = [top]
    while folders:
        folder = folders.pop()
        names, inner = [], []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    name = entry.name
                    if name[0] == ".":
                        continue
                    if name.endswith(SUFFIX) or name.lower().endswith(SUFFIX):
                        names.append(name)
                    elif entry.is_dir(follow_symlinks=False) and not is_system_folder(name):
                        inner.append(f"{folder}/{name}")
        except OSError:
            continue
        folders += sorted(inner, reverse=True)
        yield folder, names


def _beside_nothing(folder: str) -> Iterator[str]:
    """Yield the files of labels in a folder of images that are beside no image of the same name."""
    try:
        names = os.listdir(folder)  # noqa: PTH208
    except OSError:
        return
    others = {os.path.splitext(name)[0] for name in names if not name.lower().endswith(SUFFIX)}  # noqa: PTH122
    for name in sorted(names):
        if name.lower().endswith(SUFFIX) and not name.startswith(".") and name[: -len(SUFFIX)] not in others:
            path = f"{folder}/{name}"
            if _holds_labels(path, empty=False):
                yield path


def _holds_labels(path: str, *, empty: bool) -> bool:
    """Tell whether a text file holds labels; ``empty`` is the answer for one without anything."""
    try:
        data = read_start(path, _MOST_BYTES) or b""
    except OSError:
        return False
    return looks_like_labels(data, anywhere=True) if data.strip() else empty
