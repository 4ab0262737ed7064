"""The files of a Pascal VOC dataset as most have them: images, and files of annotations of the same names.

They need no database: a look into a dictionary joins them, and their number is bounded.
"""

from __future__ import annotations

import itertools
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import ClassVar

from clipdex.readers.annotated.voc_folders import Place, composed, stem_of

# Lists of this rank or a higher one are unions of others, such as trainval.
UNION_RANK = 1000
_SUFFIX = ".xml"
_NONE = -1

# An item: folder, name, subset, size and time of its image, and the path of its annotations below the root; empty where
# there are none.
Paired = tuple[Place, str, str, int, int, str]


class Pairs:
    """Images of different keys, files of annotations called as the stem of their key, and the subsets of the images.

    What is something else, or too much, is refused.

    Attributes
    ----------
    most
        How many images are kept at most, and how many files of annotations.
    """

    most: ClassVar[int] = 250_000

    def __init__(self) -> None:
        self._places: dict[int, Place] = {}
        # The folder that was added to last, and what follows of its family.
        self._place: Place | None = None
        self._numbers_here: dict[str, int] = {}
        self._annotated_here: dict[str, int] = {}
        # Of each family, by stem: the number of an image, and that of the folder of annotations.
        self._numbers: dict[int, dict[str, int]] = defaultdict(dict)
        self._annotated: dict[int, dict[str, int]] = defaultdict(dict)
        self._annotations = 0
        # By the number of an image; of the joined ones, the folder of the annotations.
        self._names: list[str] = []
        self._stems: list[str] = []
        self._folders = array("i")
        self._sizes = array("q")
        self._times = array("q")
        self._joined = array("i")
        # The number of a subset whose list has the image, also among the lists of one task alone.
        self._listed = array("i")
        self._of_task = array("i")
        self._task: int | None = None
        self._several: set[int] = set()
        self._subsets: dict[str, int] = {}
        self._listed_subsets: list[str] | None = None
        # Of which images without annotations, by folder and name, no items are made; None where of none items are.
        self._without: Callable[[int, str], bool] | None = None

    def __len__(self) -> int:
        return len(self._names)

    def add_image(self, place: Place, name: str, size: int, mtime_ns: int) -> bool:
        """Add an image, in the order of paths; return whether it could be."""
        if place is not self._place:
            self._enter(place)
        stem = stem_of(name)
        number = len(self._names)
        if place.aside or number >= self.most or self._numbers_here.setdefault(stem, number) != number:
            return False
        self._names.append(name)
        self._stems.append(stem)
        self._folders.append(place.number)
        self._sizes.append(size)
        self._times.append(mtime_ns)
        return True

    def add_annotation(self, place: Place, name: str) -> bool:
        """Add a file of annotations; return whether it could be."""
        if place is not self._place:
            self._enter(place)
        usual = name[-len(_SUFFIX) :] == _SUFFIX and (name.isascii() or composed(name) == name)
        if not usual or self._annotations >= self.most:
            return False
        before = len(self._annotated_here)
        self._annotated_here.setdefault(name[: -len(_SUFFIX)], place.number)
        if len(self._annotated_here) == before:
            return False
        self._annotations += 1
        return True

    def _enter(self, place: Place) -> None:
        self._place = self._places[place.number] = place
        self._numbers_here, self._annotated_here = self._numbers[place.family], self._annotated[place.family]

    def join(self) -> bool:
        """Join all files of annotations with their images; return whether each has one."""
        self._joined = array("i", [_NONE]) * len(self)
        for family, annotated in self._annotated.items():
            for number, folder in zip(map(self._numbers[family].get, annotated), annotated.values(), strict=True):
                if number is None:
                    return False
                self._joined[number] = folder
        return True

    def lack_annotations(self) -> bool:
        """Tell whether an image is without a file of annotations, where each of these has an image."""
        return self._annotations < len(self)

    def add_names(self, family: int, rank: int, subset: str, stems: Iterable[str]) -> bool:
        """Add the images of a list to its subset, in the order of ranks; return whether each stem has an image."""
        task = rank // 100 if rank < UNION_RANK else None
        if task != self._task:
            self._task, self._of_task = task, array("i", [_NONE]) * len(self)
        self._listed = self._listed or array("i", [_NONE]) * len(self)
        listed, of_task = self._listed, self._of_task
        own = self._subsets.setdefault(subset, len(self._subsets))
        for number in map(self._numbers[family].get, stems):
            if number is None:
                return False
            if listed[number] == _NONE:
                listed[number] = own
            if task is None:
                continue
            if of_task[number] == _NONE:
                of_task[number] = own
            elif of_task[number] != own:
                self._several.add(number)
        return True

    def forget_names(self) -> None:
        """Forget what was added of lists."""
        self._listed = self._of_task = array("i")
        self._task = None
        self._several.clear()

    def take_subsets(self) -> int:
        """Give the images the subsets of lists; return how many images are in several of them."""
        self._listed_subsets = list(self._subsets) if self._listed else None
        return len(self._several)

    def take_all(self, without: Callable[[int, str], bool]) -> None:
        """Make items of all images, without those for whose folder and name ``without`` holds."""
        self._without = without

    def images(self) -> Iterator[tuple[Place, str, str, int, int, str | None]]:
        """Yield folder, name, stem, size, time and listed subset of the images, in the order of paths."""
        for number, name in enumerate(self._names):
            place = self._places[self._folders[number]]
            subset = self._subset(number, place)
            yield place, name, self._stems[number], self._sizes[number], self._times[number], subset

    def annotations(self) -> list[tuple[Place, str, str]]:
        """Return folder, name and stem of the files of annotations, in the order of paths."""
        stems = itertools.chain.from_iterable(one.items() for one in self._annotated.values())
        found = ((self._places[folder], stem + _SUFFIX, stem) for stem, folder in stems)
        return sorted(found, key=lambda one: one[0].path + one[1])

    def order(self) -> Sequence[int] | None:
        """Return the numbers of the images in item order; None where two items have the same id and subset."""
        if self._folders.count(self._folders[0] if self._folders else 0) == len(self):
            return range(len(self))
        keys = []
        for number, (place, name, _, _, _, subset) in enumerate(self.images()):
            if subset is not None or self._joined[number] != _NONE:
                keys.append((place.ids + name, place.subset if subset is None else subset, number))
        keys.sort()
        if any(one[:2] == other[:2] for one, other in itertools.pairwise(keys)):
            return None
        return array("i", (number for _, _, number in keys))

    def items(self, order: Sequence[int]) -> Iterator[Paired]:
        """Yield the items."""
        names, folders, sizes, times, joined = self._names, self._folders, self._sizes, self._times, self._joined
        for number in order:
            place = self._places[folders[number]]
            folder = joined[number]
            subset = self._subset(number, place)
            if subset is None:
                if folder == _NONE:
                    continue
                subset = place.subset
            annotation = "" if folder == _NONE else f"{self._places[folder].path}{self._stems[number]}{_SUFFIX}"
            yield place, names[number], subset, sizes[number], times[number], annotation

    def _subset(self, number: int, place: Place) -> str | None:
        """Return the subset that makes an item of an image even without annotations."""
        if self._listed_subsets is not None and (own := self._listed[number]) != _NONE:
            return self._listed_subsets[own]
        without = self._without
        return None if without is None or without(place.number, self._names[number]) else place.subset
