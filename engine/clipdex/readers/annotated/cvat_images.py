"""Finding the image that the XML of CVAT names: in the folders that CVAT and its users put images."""

from __future__ import annotations

import itertools
import os
import re
from pathlib import Path, PurePosixPath

from clipdex.media.kinds import IMAGE_SUFFIXES, suffix_of
from clipdex.readers.annotated.image_folders import Guesses, ImageFinder
from clipdex.readers.base import DEFAULT_SUBSET
from clipdex.readers.elsewhere import Elsewhere
from clipdex.readers.masks import is_usually_mask
from clipdex.readers.mounts import may_be_there
from clipdex.readers.naming import SUBSETS

_FOLDERS = ("images", "frames", "data", "")
_MOST_FOLDERS = 1000
_FRAME = re.compile(r"frame_?0*(\d{1,9})", re.IGNORECASE)
_DRIVE = re.compile(r"[A-Za-z]:[\\/]|[\\/]{2}")


class CvatImages:
    """Finds images for one file of annotations.

    Parameters
    ----------
    root
        Folder of the dataset.
    xml
        Path of the file of annotations, relative to it.

    Attributes
    ----------
    guessed
        Number of images that were found only without the first folders of their names.
    guesses
        Images that are called otherwise here.
    """

    def __init__(self, root: Path, xml: PurePosixPath) -> None:
        self._root = root
        self._elsewhere = Elsewhere(root)
        self._beside = [folder for folder in dict.fromkeys((xml.parent, xml.parent.parent)) if ".." not in folder.parts]
        self._stem = xml.stem
        # Where the last image of each subset was.
        self._last: dict[str, tuple[str]] = {}
        self._places: dict[str, list[str]] = {}
        self._names: dict[str, dict[str, str]] = {}
        self._subset_folders: list[str] | None = None
        self._finders: dict[str, ImageFinder] = {}
        self.guessed = 0
        self.guesses = Guesses()

    def find(self, name: str, subset: str) -> str | None:
        """Return the path of an image relative to the root, or an absolute one; None where there is no such file."""
        if name.startswith("/") or _DRIVE.match(name):
            if (found := self._there(self._elsewhere.here(name))) is not None:
                return found
            name = name.partition(":")[2] if ":" in name[:2] else name
        parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
        for start in range(len(parts)):
            for folder in dict.fromkeys((*self._last.get(subset, ()), *self._folders(subset))):
                tail = "/".join(parts[start:])
                found = self._there(self._elsewhere.here(f"{folder}{tail}")) or self._with_extension(folder, tail)
                if found is not None:
                    self._last[subset] = (folder,)
                    self.guessed += start > 0
                    return found
        found = self._in_one_subset("/".join(parts)) if parts and not subset else None
        return found or self._respelled(name, subset)

    def _respelled(self, name: str, subset: str) -> str | None:
        """Find an image whose name is written otherwise: in letter case, extension, or with escapes of addresses."""
        if subset not in self._finders:
            finder = self._finders[subset] = ImageFinder(os.fspath(self._root), self._folders(subset))
            finder.guesses = self.guesses
        try:
            found = self._finders[subset].find(name)
        except OSError:
            return None
        return None if isinstance(found, str) else found.path

    def _in_one_subset(self, name: str) -> str | None:
        """Find an image without subset in the annotations: in the folder of the only subset that has it."""
        if self._subset_folders is None:
            self._subset_folders = [below for folder in self._folders("") for below in self._folders_in(folder)]
        places = dict.fromkeys(found for folder in self._subset_folders if (found := self._there(folder + name)))
        return next(iter(places)) if len(places) == 1 else None

    def _folders_in(self, folder: str) -> list[str]:
        """Return the folders in a folder of images that may be of subsets, with a slash after each."""
        of_images = folder.rpartition("/")[0].rpartition("/")[2] in _FOLDERS[:-1]
        found = []
        try:
            with os.scandir(os.path.join(self._root, folder)) as entries:  # noqa: PTH118
                folders = (entry.name for entry in entries if entry.name[0] != "." and entry.is_dir())
                for name in itertools.islice(folders, _MOST_FOLDERS):
                    path = f"{folder}{name}/"
                    if name.lower() in SUBSETS or (of_images and not is_usually_mask(path)):
                        found.append(path)
        except (OSError, ValueError):
            return []
        return sorted(found)

    def may_be_there(self, name: str, subset: str) -> bool:
        """Tell whether an image that was not found may be on a disk that is away, or where permission is denied."""
        gone = FileNotFoundError()
        return any(
            may_be_there(os.path.join(self._root, f"{folder}{name}"), gone)  # noqa: PTH118
            for folder in self._folders(subset)
        )

    def frames(self, subset: str) -> tuple[dict[int, str], bool]:
        """Return the images of a video by the number of the frame, and whether their names tell the numbers."""
        for folder in self._folders(subset):
            named = {
                int(match[1]): folder + name
                for stem, name in self._listed(folder).items()
                if (match := _FRAME.fullmatch(stem))
            }
            if named:
                return named, True
        for folder in self._folders(subset):
            if listed := self._listed(folder):
                return {number: folder + name for number, name in enumerate(sorted(listed.values()))}, False
        return {}, True

    def _folders(self, subset: str) -> list[str]:
        """Return the folders where images of a subset may be, with a slash after each."""
        if subset not in self._places:
            below = [
                name
                for name in (subset, "", self._stem, *(() if subset else (DEFAULT_SUBSET,)))
                if "/" not in name and name != ".."
            ]
            places = (beside / folder / name for beside in self._beside for folder in _FOLDERS for name in below)
            paths = dict.fromkeys("" if path == PurePosixPath() else f"{path}/" for path in places)
            self._places[subset] = list(paths)
        return self._places[subset]

    def _there(self, path: str) -> str | None:
        try:
            return path if os.path.isfile(os.path.join(self._root, path)) else None  # noqa: PTH113, PTH118
        except ValueError:
            return None

    def _with_extension(self, folder: str, name: str) -> str | None:
        """Find an image whose name has no extension in the annotations."""
        if suffix_of(name) in IMAGE_SUFFIXES:
            return None
        above, _, stem = name.rpartition("/")
        folder += f"{above}/" if above else ""
        listed = self._listed(folder).get(stem)
        return None if listed is None else folder + listed

    def _listed(self, folder: str) -> dict[str, str]:
        """Return the names of the images in a folder by their names without extension."""
        if folder not in self._names:
            found: dict[str, str] = {}
            try:
                with os.scandir(os.path.join(self._root, folder)) as entries:  # noqa: PTH118
                    for entry in entries:
                        stem, suffix = os.path.splitext(entry.name)  # noqa: PTH122
                        if suffix.lower() in IMAGE_SUFFIXES and not stem.startswith("."):
                            found[stem] = min(found.get(stem, entry.name), entry.name)
            except (OSError, ValueError):
                pass
            self._names[folder] = found
        return self._names[folder]
