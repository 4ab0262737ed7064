"""Finding the images of annotations and of lines that have no image of the same key.

The image may be in another folder, its name may have letters of another case, and an annotation may have another name
than its image and say which one that is.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator
from pathlib import Path

from clipdex.readers.annotated.voc_catalogue import Candidate, Catalogue
from clipdex.readers.annotated.voc_folders import Place, Places, stem_of
from clipdex.readers.annotated.voc_xml import Annotation, read_annotation
from clipdex.readers.annotations import AnnotationProblems
from clipdex.readers.base import MISSING, ReadItem, UnreadableItem
from clipdex.readers.elsewhere import Elsewhere
from clipdex.readers.files import item_of_file, relative_to


class Matching:
    """Finds what the keys did not join, and says what stays without an image.

    Parameters
    ----------
    root
        The folder of the dataset.
    places, catalogue
        Its folders and files.
    problems
        Where to note what cannot be read.
    """

    def __init__(self, root: Path, places: Places, catalogue: Catalogue, problems: AnnotationProblems) -> None:
        self._root = root
        self._places = places
        self._catalogue = catalogue
        self._problems = problems
        self._elsewhere = Elsewhere(root)

    def annotations(self) -> Iterator[UnreadableItem]:
        """Find the images of annotations."""
        for number, folder, name, _family, stem in self._catalogue.annotations_without_image():
            place = self._places[folder]
            path = place.path + name
            found = read_annotation(os.path.join(self._root, path))  # noqa: PTH118 - for each file
            for reason, line in found.problems:
                self._problems.add(path, reason, line)
            if found.root != "annotation":
                if not found.problems:
                    self._problems.add(path, "it is no annotation of Pascal VOC")
                self._catalogue.drop_annotation(number)
                continue
            keys = self._keys_of_images(place, stem, found)
            if keys:
                self._catalogue.give_annotation(number, keys, (found.filename, list(found.labels)))
            elif taken := self._keys_of_images(place, stem, found, with_annotation=True):
                image, own = (f"{self._places[at].path}{name}" for at, name in self._catalogue.first_of(*taken[0]))
                self._problems.add(path, f"its image, {image}, has another XML file, which is read instead: {own}")
            else:
                missing = posixpath.basename(_slashes(found.filename)) or stem
                named = f", which names {found.filename}" if found.filename else ""
                yield UnreadableItem(place.ids + missing, f"there is no image for {path}{named}", MISSING)

    def lines(self, sure: set[str]) -> Iterator[UnreadableItem]:
        """Find the images of lines.

        Parameters
        ----------
        sure
            The lists that are certain to be lists of images.
        """
        for line in self._catalogue.lines_without_image():
            place = self._places[line.folder]
            keys = self._keys(place, line.stem, line.name, with_annotation=True)
            for key in keys:
                self._catalogue.give_lines((line.family, line.stem), key)
            if keys:
                continue
            if line.list in sure:
                reason = f"{line.list}, line {line.number}: there is no image of this name"
                yield UnreadableItem(place.ids + line.stem, reason, MISSING)
            else:
                self._problems.add(line.list, f"there is no image {line.name}", line.number)

    def _keys_of_images(
        self, place: Place, stem: str, found: Annotation, *, with_annotation: bool = False
    ) -> list[tuple[int, str]]:
        """Return the keys of the images that an annotation is of; it has none of its own key.

        ``with_annotation`` tells whether the images may have annotations of their own; all of them have, where none was
        found without.
        """
        hint = _slashes(found.path) or posixpath.join(_slashes(found.folder), _slashes(found.filename))
        names = [stem, *(posixpath.basename(_slashes(text)) for text in (found.filename, found.path))]
        for name in dict.fromkeys(filter(None, names)):
            keys = self._keys(place, name if name == stem else stem_of(name), hint, with_annotation=with_annotation)
            if keys:
                return keys
        if with_annotation:
            return []
        for text in filter(None, (found.filename, found.path)):
            key = self._outside(place, text)
            if key:
                return [key]
        return []

    def _keys(self, place: Place, stem: str, hint: str, *, with_annotation: bool) -> list[tuple[int, str]]:
        """Return the keys of images of a name whose folders fit, best those whose paths end as the hint does.

        Parameters
        ----------
        place
            The folder of the annotation, or that the line starts from.
        stem
            Name of the image without extension.
        hint
            A path of the image.
        with_annotation
            Whether the images may have annotations of their own.
        """
        candidates = self._catalogue.candidates(stem)
        if not with_annotation:
            candidates = [one for one in candidates if not self._catalogue.has_annotation(one.family, one.stem)]
        fitting = [one for one in candidates if _is_above(place.key, self._places[one.folder].key)]
        if not fitting and len({(one.family, one.stem) for one in candidates}) == 1:
            fitting = [one for one in candidates if self._is_beside(place, one) or self._alike(one, hint) > 1]
        most = max((self._alike(one, hint) for one in fitting), default=0)
        best = [one for one in fitting if self._alike(one, hint) == most] if most > 1 else fitting
        return list(dict.fromkeys((one.family, one.stem) for one in best))

    def _is_beside(self, place: Place, one: Candidate) -> bool:
        return posixpath.dirname(place.path[:-1]) == posixpath.dirname(self._places[one.folder].path[:-1])

    def _alike(self, one: Candidate, hint: str) -> int:
        """Return how many names at the ends of two paths are the same; extensions do not count."""
        ours = f"{self._places[one.folder].path}{one.stem}".split("/")
        theirs = hint.split("/")
        theirs[-1] = stem_of(theirs[-1])
        count = 0
        while count < min(len(ours), len(theirs)) and ours[-1 - count] == theirs[-1 - count]:
            count += 1
        return count

    def _outside(self, place: Place, text: str) -> tuple[int, str] | None:
        """Add an image that an annotation names by a path that leads to a file which is not below the root."""
        path = self._elsewhere.here(text)
        if "\0" in path or not os.path.isabs(path):  # noqa: PTH117
            return None
        item = item_of_file(self._root, path, relative_to(self._root, path), place.subset, ())
        if not isinstance(item, ReadItem):
            return None
        return self._catalogue.add_outside(self._places.of(""), path, item)


def _is_above(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Tell whether one of two folders is the other, or above it."""
    return all(mine == theirs for mine, theirs in zip(one, other, strict=False))


def _slashes(path: str) -> str:
    return path.replace("\\", "/")
