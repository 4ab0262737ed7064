"""Reading one annotation file of COCO into its subset.

A file may be of gigabytes and in any order, so it is read piece by piece. Ids of images and of categories are those of
their file.
"""

from __future__ import annotations

from array import array
from pathlib import Path

import numpy as np

from clipdex.media.kinds import OTHER_SUFFIXES, suffix_of
from clipdex.readers.annotated.coco_files import AnnotationFile, is_text
from clipdex.readers.annotated.coco_ids import Id, as_id, as_label, by_name, by_plain, plain
from clipdex.readers.annotated.coco_subsets import Labels, Subset
from clipdex.readers.annotated.image_folders import ImageFinder
from clipdex.readers.annotated.json_stream import JsonError, JsonStream, Unreadable, flat_object
from clipdex.readers.annotations import AnnotationProblems
from clipdex.readers.base import MISSING, NO_IMAGE, UNREADABLE, UnreadableItem
from clipdex.readers.naming import shown
from clipdex.wording import counted, type_of
from clipdex.wording import shown as shown_value

# Where an image says what its file is called, the usual name first.
_NAMES = ("file_name", "filename", "path", "file", "name", "coco_url", "url", "flickr_url")
# Nearly all annotations and images are like this: read so, they take half the time.
_NUMBER = "([0-9]{1,18})"
_ANNOTATION = flat_object(image_id=_NUMBER, category_id=_NUMBER)
_IMAGE = flat_object(id=_NUMBER, file_name=r'"([^"\\{}]++)"')
_SHOWN = 100
# Numbers of images whose file cannot be read, and of images that have not been named so far.
_LEFT_OUT = -1
_UNKNOWN = -2


class FileReading:
    """Reads one annotation file into its subset.

    Parameters
    ----------
    root
        The folder that paths are relative to.
    file
        The file.
    subset, labels
        What it is read into.
    finder
        Finds its images.
    problems, remarks
        Are told of what cannot be read, and of what was guessed.
    """

    def __init__(
        self,
        root: Path,
        file: AnnotationFile,
        subset: Subset,
        labels: Labels,
        finder: ImageFinder,
        problems: AnnotationProblems,
        remarks: list[str],
    ) -> None:
        self._path = root / file.path
        self._name = file.path
        self._subset = subset
        self._labels = labels
        self._finder = finder
        self._problems = problems
        self._remarks = remarks
        # Images by their ids in this file: a number in here, and by that number the one in the subset.
        self._image_ids: dict[Id, int] = {}
        self._images = array("i")
        self._categories: dict[Id, int] = {}
        self._category_names: dict[Id, str] = {}
        # Lines of what is not known yet, when it is first met.
        self._image_lines: dict[int, int] = {}
        self._category_lines: dict[int, int] = {}
        self._pairs_images = array("i")
        self._pairs_categories = array("i")
        self._captions: list[tuple[int, str]] = []
        self._reads = {
            "images": self._read_images,
            "annotations": self._read_annotations,
            "categories": self._read_categories,
        }

    def read(self) -> None:
        """Read the file as far as that is possible."""
        stream: JsonStream | None = None
        try:
            with self._path.open("rb") as handle:
                stream = JsonStream(handle)
                for key in stream.members():
                    if key not in self._reads:
                        continue
                    opening = stream.opening()
                    if opening in ("[", "{"):
                        self._reads[key](stream)
                    elif opening != "n":
                        self._problem(f"its {key} are no list", stream.line)
        except JsonError as error:
            self._subset.broken = True
            line = stream.position if stream is not None else 0
            self._problem(f"{error.reason}; what comes before is read, and the rest is not", line)
        except OSError as error:
            self._subset.broken = True
            self._problem(f"it cannot be read: {error.strerror or error}")
        self._settle()
        self._tell_guesses()

    def _problem(self, reason: str, line: int = 0, count: int = 1) -> None:
        self._problems.add(self._name, shown(reason), line, count)

    def _remark(self, what: str) -> None:
        self._remarks.append(shown(f"{self._name}: {what}."))

    def _read_categories(self, stream: JsonStream) -> None:
        for key, value in stream.elements():
            if isinstance(value, str) and key is not None:
                value = {"id": key, "name": value}
            if not isinstance(value, dict):
                self._problem(f"a category {_wrong(value)}", stream.line)
                continue
            number = as_id(value.get("id", key))
            if number is None:
                self._problem(f"a category {_no_id(value)}", stream.line)
                continue
            said = value.get("name")
            name = as_label(said)
            if not name:
                name = str(number)
                self._problem(f"the category {number!r} has no name, and is called by its id", stream.line)
            elif isinstance(said, str) and name != said.strip():
                self._problem(
                    f"the name of the category {number!r} is no plain text: it is read as {name}", stream.line
                )
            known = self._category_names.setdefault(number, name)
            if known != name:
                self._problem(f"the category {number!r} is {known} and {name}: the first counts", stream.line)

    def _read_images(self, stream: JsonStream) -> None:
        for key, value in stream.elements():
            if isinstance(value, str) and key is not None:
                value = {"file_name": value}
            if not isinstance(value, dict):
                self._unnamed(f"it {_wrong(value)}", stream.line)
                continue
            number = self._image(value, stream)
            image_id = as_id(value.get("id", key))
            if image_id is None:
                self._problem(f"an image {_no_id(value)}, so that no annotation can be of it", stream.line)
            else:
                self._add_image_id(image_id, number, stream)
            if key is None:
                for found_id, name in stream.run(_IMAGE):
                    self._add_image_id(int(found_id), self._file(name), stream)

    def _add_image_id(self, image_id: Id, number: int, stream: JsonStream) -> None:
        images = self._images
        own = self._image_ids.setdefault(image_id, len(images))
        if own == len(images):
            images.append(number)
        elif images[own] == _UNKNOWN:
            images[own] = number
        elif images[own] != number:
            self._problem(f"the id {image_id!r} is of several images: its annotations count for the first", stream.line)

    def _image(self, value: dict[str, object], stream: JsonStream) -> int:
        """Find the file of an image by what the image says, and return its number in the subset."""
        name = value.get("file_name")
        if not isinstance(name, str) or not name:
            name = next((text for key in _NAMES if isinstance(text := value.get(key), str) and text), "")
            if not name:
                self._unnamed(f"the image {shown_value(value.get('id'), _SHOWN)} has no file_name", stream.line)
                return _LEFT_OUT
        return self._file(name)

    def _file(self, name: str) -> int:
        """Find the file of an image, and return its number in the subset; ``_LEFT_OUT`` where it cannot be read."""
        subset = self._subset
        try:
            found = self._finder.find(name)
        except OSError as error:
            self._leave_out(name, f"{error.strerror or error}", UNREADABLE, unseen=True)
            return _LEFT_OUT
        if isinstance(found, str):
            if suffix_of(name) in OTHER_SUFFIXES:
                self._leave_out(name, f"a {suffix_of(name)} file is no image", NO_IMAGE)
            else:
                self._leave_out(name, f"{found}: {name} (in {self._name})", MISSING, unseen=self._finder.may_be_away)
            return _LEFT_OUT
        path = found.path
        suffix = suffix_of(path)
        if suffix in OTHER_SUFFIXES:
            self._leave_out(name, f"a {suffix_of(path)} file is no image", NO_IMAGE)
            return _LEFT_OUT
        number = subset.images.setdefault(path, len(subset.sizes))
        if number < len(subset.sizes):
            return number
        suffix = path[path.rfind(".") :].lower()
        if suffix in OTHER_SUFFIXES or not is_text(path):
            del subset.images[path]
            if is_text(path):
                self._leave_out(name, f"a {suffix} file is no image", NO_IMAGE)
            else:
                self._leave_out(name, "the name is not valid UTF-8; rename it", UNREADABLE)
            return _LEFT_OUT
        subset.sizes.append(found.size)
        subset.times.append(found.mtime_ns)
        return number

    def _leave_out(self, name: str, reason: str, kind: str, *, unseen: bool = False) -> None:
        # Where its disk may be away, the index keeps what it has of the item: so the id is that of the item.
        short = self._finder.id_of(name) if unseen else name
        self._subset.failed.setdefault(name, UnreadableItem(shown(short), shown(reason), kind, unseen))

    def _unnamed(self, reason: str, line: int) -> None:
        name = f"{self._name}, line {line}"
        names = self._subset.failed
        while name in names:
            name += "'"
        names[name] = UnreadableItem(f"{self._name}, line {line}", shown(reason), UNREADABLE)

    def _read_annotations(self, stream: JsonStream) -> None:
        for key, value in stream.elements():
            self._annotation(key, value, stream)
            if key is None and not self._known_annotations(stream):
                for image_id, category_id in stream.run(_ANNOTATION):
                    self._annotation(None, {"image_id": int(image_id), "category_id": int(category_id)}, stream)

    def _known_annotations(self, stream: JsonStream) -> bool:
        """Read the annotations that follow if they are of images and categories that were met before."""
        found, position = stream.ahead(_ANNOTATION)
        if not found:
            return True
        images, categories, _ = zip(*found, strict=True)
        before = len(self._pairs_images)
        try:
            self._pairs_images.extend(map(self._image_ids.__getitem__, map(int, images)))
            self._pairs_categories.extend(map(self._categories.__getitem__, map(int, categories)))
        except KeyError:
            del self._pairs_images[before:], self._pairs_categories[before:]
            return False
        stream.go_to(position)
        return True

    def _annotation(self, key: str | None, value: object, stream: JsonStream) -> None:
        """Read an annotation."""
        if isinstance(value, list) and key is not None:
            for one in value:
                self._annotation(None, {"image_id": key, **one} if isinstance(one, dict) else one, stream)
            return
        if not isinstance(value, dict):
            self._problem(f"an annotation {_wrong(value)}", stream.line)
            return
        which = f"the annotation {shown_value(value['id'], _SHOWN)}" if "id" in value else "an annotation"
        image_id = as_id(value.get("image_id"))
        if image_id is None:
            self._problem(f"{which} {_no_id(value, 'image_id')}", stream.line)
            return
        image = self._image_ids.setdefault(image_id, len(self._images))
        if image == len(self._images):
            self._images.append(_UNKNOWN)
            self._image_lines[image] = stream.line
        caption = value.get("caption")
        if "category_id" not in value and isinstance(caption, str):
            self._captions.append((image, caption))
            return
        segments = value.get("segments_info")
        if "category_id" in value or not isinstance(segments, list):
            said = value.get("category_id", value.get("category_ids"))
            numbers = said if isinstance(said, list) else [said]
        else:
            numbers = [one.get("category_id") if isinstance(one, dict) else None for one in segments]
        for number in numbers:
            category_id = as_id(number)
            if category_id is None:
                self._problem(f"{which} {_no_id(value, 'category_id')}", stream.line)
                continue
            category = self._categories.setdefault(category_id, len(self._categories))
            if category not in self._category_lines:
                self._category_lines[category] = stream.line
            self._pairs_images.append(image)
            self._pairs_categories.append(category)

    def _settle(self) -> None:
        """Hand the labels on to the subset, now that all ids are known."""
        images = np.array(self._images, np.int64)
        of_images, of_categories = np.array(self._pairs_images, np.int64), np.array(self._pairs_categories, np.int64)
        self._match_images(images)
        labels = np.array([self._label(category_id) for category_id in self._categories] or [_UNKNOWN], dtype=np.int64)
        numbers = images[of_images] if len(of_images) else of_images
        found = labels[of_categories] if len(of_categories) else of_categories
        self._tell_unknown("image_id", "image", self._image_ids, self._image_lines, of_images[numbers == _UNKNOWN])
        known = numbers != _UNKNOWN
        self._tell_unknown(
            "category_id",
            "category",
            self._categories,
            self._category_lines,
            of_categories[(found == _UNKNOWN) & known],
        )
        kept = (numbers >= 0) & (found >= 0)
        self._subset.add_labels(numbers[kept], found[kept])
        for image, caption in self._captions:
            number = int(images[image])
            if number == _UNKNOWN:
                self._problem("a caption is of an image that is not there", self._image_lines.get(image, 0))
            elif number >= 0 and (text := as_label(caption)):
                self._subset.captions.append((number, text))

    def _tell_unknown(self, key: str, what: str, ids: dict[Id, int], lines: dict[int, int], wanted: np.ndarray) -> None:
        """Name the ids, of images or categories, that annotations have and nothing else."""
        numbers, counts = np.unique(wanted, return_counts=True)
        if not len(numbers):
            return
        unknown = dict(zip(numbers.tolist(), counts.tolist(), strict=True))
        for one, number in ids.items():
            if number in unknown:
                shown_id = shown_value(one, _SHOWN)
                self._problem(f"there is no {what} of the {key} {shown_id}", lines.get(number, 0), unknown[number])

    def _match_images(self, images: np.ndarray) -> None:
        """Look for the images of ids that are written otherwise, as text or number, or as the name of the file."""
        unknown = {one: number for one, number in self._image_ids.items() if images[number] == _UNKNOWN}
        if not unknown:
            return
        known = {one: int(images[number]) for one, number in self._image_ids.items() if images[number] != _UNKNOWN}
        same = by_plain(known)
        names = (
            by_name(self._subset.images, set(known.values())) if any(isinstance(one, str) for one in unknown) else {}
        )
        guessed = 0
        example: tuple[object, object] = ("", "")
        for one, number in unknown.items():
            other = same.get(plain(one))
            found = (
                known[other] if other is not None else names.get(one, _UNKNOWN) if isinstance(one, str) else _UNKNOWN
            )
            if found != _UNKNOWN:
                images[number] = found
                guessed += 1
                example = example if example[0] else (repr(one), repr(other) if other is not None else "a file name")
        if guessed:
            self._remark(
                f"annotations name {guessed:,} images by other ids than theirs, such as {example[0]} for {example[1]}; "
                "they are taken for the same"
            )

    def _label(self, category_id: Id) -> int:
        """Return the label of a category, by its id or, where there is none, by its name."""
        if not hasattr(self, "_same_categories"):
            self._same_categories = by_plain(self._category_names)
            self._names = set(self._category_names.values())
        name = self._category_names.get(category_id)
        if name is None:
            other = self._same_categories.get(plain(category_id))
            if other is not None:
                name = self._category_names[other]
            elif isinstance(category_id, str) and as_label(category_id) in self._names:
                name = as_label(category_id)
        return _UNKNOWN if name is None else self._labels.number(name)

    def _tell_guesses(self) -> None:
        guesses = self._finder.guesses
        if guesses.fronts:
            front, folder = next(iter(guesses.fronts.items()))
            more = f" and {counted(len(guesses.fronts) - 1, 'more folder')}" if len(guesses.fronts) > 1 else ""
            where = folder or "the folder of the dataset"
            self._remark(f"its images are in {front}{more}, which is not here: they are read from {where}")
        if guesses.respelled:
            written, here = guesses.example
            self._remark(
                f"{counted(guesses.respelled, 'image')} are called otherwise here, such as {here} for {written}"
            )


def _wrong(value: object) -> str:
    """Say why something is no object."""
    if isinstance(value, Unreadable):
        return f"cannot be read: {value.reason}"
    return f"is {type_of(value)}, and no object"


def _no_id(value: dict[str, object], key: str = "id") -> str:
    """Say why an object has no id."""
    said = value.get(key)
    return f"has no {key}" if said is None else f"has {shown_value(said, _SHOWN)} as its {key}"
