"""Where the file of labels of an image is, and what is in it."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Mapping, Sequence

from clipdex.media.kinds import IMAGE_SUFFIXES
from clipdex.readers.annotated.path_set import PathSet
from clipdex.readers.annotated.small_files import read_start
from clipdex.readers.annotated.yolo_labels import LabelReader
from clipdex.readers.annotated.yolo_names import IMAGE_FOLDER, LABEL_FOLDERS, label_folders
from clipdex.readers.annotated.yolo_places import is_in, relative
from clipdex.readers.annotations import AnnotationProblems
from clipdex.readers.naming import comparable

SUFFIX = ".txt"
_MOST_FOLDERS_KEPT = 10_000
_MOST_NAMES_KEPT = 1_000_000
_IMAGE_ENDS = sorted({end for suffix in IMAGE_SUFFIXES for end in (suffix, suffix.upper())})


class LabelFolders:
    """Finds the folders where the labels of the images of a folder may be.

    Parameters
    ----------
    root
        The dataset.
    named
        Absolute paths of folders of images of a subset, and of the folders that are named for their labels. The former
        are empty where the labels are of all images of the subset that no other labels are named for.

    Attributes
    ----------
    of_other_case
        The folders that were found although their names have letters of another case than those of the images.
    """

    def __init__(self, root: str, named: Mapping[str, Sequence[tuple[str, str]]] | None = None) -> None:
        self._root = root
        self._named = named or {}
        self._there: dict[str, bool] = {}
        self._names: dict[str, dict[str, str]] = {}
        self.of_other_case: set[str] = set()

    def of(self, folder: str, base: str, subset: str) -> tuple[str, ...]:
        """Return the folders that exist, the likeliest first.

        First come those that are named for the images, or else for the subset; then the rule of Ultralytics, ``labels``
        instead of the last ``images`` of the path; then the same where that is only a part of a name, as in
        ``images_train``; then the folder of the images itself; then folders called ``labels`` beside or below the
        folder of the subset.

        Parameters
        ----------
        folder
            The folder of the images.
        base
            The folder of images of the subset, which ``folder`` is or is in.
        subset
            Name of the subset.
        """
        below = folder[len(base) :].strip("/")
        parts = folder.split("/")
        named = self._named.get(subset, ())
        own = [labels for images, labels in named if images and is_in(folder, images)]
        candidates = [f"{labels}/{below}" for labels in own or [labels for images, labels in named if not images]]
        usual = [n for n, part in enumerate(parts) if IMAGE_FOLDER.fullmatch(part)]
        others = [n for n, part in enumerate(parts) if n not in usual and any(label_folders(part))]
        for at in (*usual[-1:], *others[-1:]):
            candidates += ["/".join([*parts[:at], name, *parts[at + 1 :]]) for name in label_folders(parts[at])]
        if not any(map(self._is_there, candidates)):
            candidates += [found for at in usual[-1:] if (found := self._other_case(parts, at))]
        candidates.append(folder)
        above, _, last = base.rpartition("/")
        for name in LABEL_FOLDERS:
            candidates += [f"{folder}/{name}", f"{base}/{name}/{below}", f"{above}/{name}/{below}"]
            candidates += [f"{self._root}/{name}/{one}/{below}" for one in (last, subset)]
            candidates.append(f"{self._root}/{name}/{below}")
        return tuple(name for name in dict.fromkeys(name.rstrip("/") for name in candidates) if self._is_there(name))

    def _other_case(self, parts: list[str], at: int) -> str:
        """Return the folder of labels that differs in case alone; empty where it is of another folder of images.

        Parameters
        ----------
        parts
            The parts of the path of the folder of images.
        at
            Number of the part that is ``images``.
        """
        found = "/".join(parts[:at])
        if found != self._root and not found.startswith(f"{self._root}/"):
            return ""
        for part in ("labels", *parts[at + 1 :]):
            name = self._folders_in(found).get(part.lower(), "")
            if not name:
                return ""
            found = f"{found}/{name}"
        inner = found.split("/")[at + 1 :]
        if inner != parts[at + 1 :] and self._is_there("/".join([*parts[: at + 1], *inner])):
            return ""
        self.of_other_case.add(found)
        return found

    def _folders_in(self, folder: str) -> dict[str, str]:
        """Return the names of the folders in a folder by their names in lower case."""
        if folder not in self._names:
            if len(self._names) > _MOST_FOLDERS_KEPT:
                self._names.clear()
            try:
                with os.scandir(folder) as entries:
                    names = sorted(entry.name for entry in entries if entry.is_dir())
            except OSError:
                names = []
            self._names[folder] = {name.lower(): name for name in names}
        return self._names[folder]

    def _is_there(self, folder: str) -> bool:
        if folder not in self._there:
            if len(self._there) > _MOST_FOLDERS_KEPT:
                self._there.clear()
            self._there[folder] = os.path.isdir(folder)  # noqa: PTH112 - texts all over
        return self._there[folder]


class OtherNames:
    """Finds files of labels that are not quite called as their image: letters of another case, or its extension too.

    Of a folder of labels, the hashes of all names are kept, and the names with capital letters. A list may go from one
    folder to another with each image, so that all folders are kept, until they have too many such names.
    """

    def __init__(self) -> None:
        self._listed: dict[str, tuple[PathSet, dict[str, str]]] = {}
        self._names_kept = 0

    def of(self, start: str, stem: str, image: str) -> list[str]:
        """Return the names that a file of labels of an image has, or may have, but for the usual one.

        Parameters
        ----------
        start
            The folder of the labels, with a slash after it.
        stem, image
            Name of the image, without and with its extension.
        """
        if start not in self._listed:
            if len(self._listed) > _MOST_FOLDERS_KEPT or self._names_kept > _MOST_NAMES_KEPT:
                self._listed.clear()
                self._names_kept = 0
            self._listed[start] = self._names(start)
            self._names_kept += len(self._listed[start][1])
        there, odd = self._listed[start]
        wanted = [comparable(image + SUFFIX), comparable(stem + SUFFIX)]
        absent = there.absent(wanted)
        found = [image + SUFFIX] if wanted[0] not in absent else []
        if wanted[1] not in absent:
            found += [name for name in (odd.get(wanted[1], ""), wanted[1]) if name]
        return found

    def _names(self, folder: str) -> tuple[PathSet, dict[str, str]]:
        there = PathSet()
        odd: dict[str, str] = {}
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    name = entry.name
                    if name[-len(SUFFIX) :].lower() != SUFFIX:
                        continue
                    plain = comparable(name)
                    there.add(plain)
                    if plain != name:
                        odd[plain] = min(name, odd.get(plain, name))
        except OSError:
            pass
        return there, odd


class LabelFiles:
    """Reads the files of labels of a dataset.

    Parameters
    ----------
    root
        Root of the dataset.
    reader
        What reads what is in a file.
    problems
        What is told of files that cannot be read.
    found
        What finds the folders of the files.

    Attributes
    ----------
    of_images
        The files of labels that were read, and those that images in no subset may have.
    folders
        The folders where files of labels may be, but for those of images.
    beside
        The folders of images with files of labels beside the images; they end in a slash.
    used
        The other folders that files of labels were found in; they end in a slash.
    other_case
        How many images have a file of labels whose name has letters of another case.
    first_of_other_case
        Absolute path of the first of those files.
    """

    def __init__(self, root: str, reader: LabelReader, problems: AnnotationProblems, found: LabelFolders) -> None:
        self.root = root
        self.reader = reader
        self.problems = problems
        self.of_images = PathSet()
        self.folders: set[str] = set()
        self.beside: set[str] = set()
        self.used: set[str] = set()
        self.other_case = 0
        self.first_of_other_case = ""
        self.found = found

    def note_other_case(self, path: str) -> None:
        """Note that a file, or its folder, has letters of another case than its image."""
        self.other_case += 1
        self.first_of_other_case = self.first_of_other_case or path

    def note(self, path: str) -> None:
        """Note an image of which the labels are not read, by its absolute path."""
        folder, _, name = path.rpartition("/")
        stem = os.path.splitext(name)[0]  # noqa: PTH122
        for candidate in self.found.of(folder, folder, ""):
            self.of_images.add(f"{candidate}/{stem}{SUFFIX}")


class SubsetLabels:
    """Reads the labels of the images of one subset.

    Parameters
    ----------
    files
        Those of the dataset.
    subset
        Name of the subset.

    Attributes
    ----------
    read
        Number of files that were read.
    """

    def __init__(self, files: LabelFiles, subset: str) -> None:
        self._files = files
        self._subset = subset
        self._add = files.of_images.add
        self._folder = ""
        self._other_names = OtherNames()
        # Folders with a slash, whether corners come first in their files, where to note that one was there, and whether
        # the letters of the folder are of another case.
        self._candidates: list[tuple[str, bool, set[str], bool]] = []
        self.read = 0

    def of(self, folder: str, name: str, base: str) -> tuple[str, ...]:
        """Return the labels of an image.

        Parameters
        ----------
        folder, name
            Absolute path of the folder of the image, and the name of its file.
        base
            The folder of images of the subset that it is in.
        """
        if folder != self._folder:
            self._enter(folder, base)
        cut = name.rfind(".")
        stem = name[:cut] if cut > 0 else name
        for start, corners_first, used, is_of_other_case in self._candidates:
            path = f"{start}{stem}.txt"
            found = self._read(path, stem, corners_first=corners_first)
            if found is not None:
                self._add(path)
                used.add(start)
                if is_of_other_case:
                    self._files.note_other_case(path)
                return found
        return self._of_other_name(stem, name)

    def _of_other_name(self, stem: str, image: str) -> tuple[str, ...]:
        """Return the labels in a file called as the image with its extension, or with letters of another case.

        A file that is of another image is not taken.
        """
        for start, corners_first, used, _ in self._candidates:
            for name in self._other_names.of(start, stem, image):
                other = name[: -len(SUFFIX)]
                is_own = other in (stem, image)
                if not is_own and any(os.path.lexists(f"{self._folder}/{other}{end}") for end in _IMAGE_ENDS):
                    continue
                path = start + name
                found = self._read(path, other, corners_first=corners_first)
                if found is not None:
                    self._add(path)
                    used.add(start)
                    if other != image:
                        self._files.note_other_case(path)
                    return found
        return ()

    def _enter(self, folder: str, base: str) -> None:
        files = self._files
        self._folder = folder
        folders = files.found.of(folder, base, self._subset)
        files.folders.update(one for one in folders if one != folder)
        self._candidates = [
            (
                f"{one}/",
                "labelTxt" in one.split("/"),
                files.beside if one == folder else files.used,
                one in files.found.of_other_case,
            )
            for one in folders
        ]

    def _read(self, path: str, stem: str, *, corners_first: bool) -> tuple[str, ...] | None:
        """Return the labels in a file; None where there is no such file."""
        files = self._files
        try:
            data = read_start(path)
            if data is None and not stem.isascii():
                path, data = self._read_other_spelling(path)
        except OSError as error:
            files.problems.add(relative(path, files.root), f"it cannot be read: {error.strerror or error}")
            return ()
        if data is None:
            return None
        self.read += 1
        return files.reader.labels(data, path, corners_first=corners_first) if data else ()

    def _read_other_spelling(self, path: str) -> tuple[str, bytes | None]:
        """Return a file whose name has its letters composed, or decomposed, where there is one."""
        folder, _, name = path.rpartition("/")
        for form in ("NFC", "NFD"):
            other = f"{folder}/{unicodedata.normalize(form, name)}"
            if other != path and (data := read_start(other)) is not None:
                self._add(other)
                return other, data
        return path, None
