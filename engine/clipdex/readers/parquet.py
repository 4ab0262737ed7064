"""Reading Parquet files with a column of images, as the datasets of Hugging Face are published."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any, ClassVar

from clipdex.errors import DatasetEmpty, DatasetError, DatasetNotFound, ExtraMissing, ImageError
from clipdex.extras import optional
from clipdex.media.kinds import IMAGE_SUFFIXES, suffix_of
from clipdex.media.locators import MEMBER
from clipdex.media.opening import Kept
from clipdex.media.parquet import ERRORS, EXTRA, ParquetContainer, is_parquet, names_files_only, open_parquet
from clipdex.readers.base import DEFAULT_SUBSET, NO_OPTIONS, Reader, ReadItem, UnreadableItem
from clipdex.readers.files import item_of_file
from clipdex.readers.naming import is_hidden

_SUFFIX = ".parquet"
_ROWS_AT_ONCE = 4096
_FILES_OPEN = 2
_ENTRIES_LOOKED_AT = 1000
_SHARD = re.compile(r"(?P<subset>\w+(?:\.\w+)*)-\d{5}-of-\d{5}")
_SUBSETS = "train|training|validation|valid|val|dev|testing|test|eval|evaluation"
_WORD = re.compile(rf"(?:^|[-_. 0-9])(?P<subset>{_SUBSETS})(?:[-_. 0-9]|$)")
_IMAGE_NAMES = ("image", "img", "picture", "photo")
_LABEL_NAMES = ("label", "labels", "class", "category")


@dataclass(frozen=True, slots=True)
class _Columns:
    """The columns of a file that hold the image, its labels (with the names of classes) and its id (or nothing)."""

    image: str
    labels: Mapping[str, tuple[str, ...]]
    id: str


class ParquetReader(Reader):
    """The images in a Parquet file, or in those of a folder.

    An item is a row. Its id is the path of the file without its extension, and the number of the row; in a single file,
    the number alone. Its time is that of the file. Its size is 0, because only reading every image would tell it. Where
    no row has the bytes of an image, and all name files outside, an item is of such a file, as in a list.

    Parameters
    ----------
    location
        The file or the folder.
    options
        ``image``, ``label``, ``id``: the columns.

    Raises
    ------
    DatasetNotFound
        When it does not exist.
    ExtraMissing
        When pyarrow is not installed.
    """

    format = "parquet"
    about = "Parquet with a column of images, as Hugging Face publishes datasets: a file, or a folder of them"
    option_names: ClassVar[Mapping[str, str]] = {
        "image": "column of the images [the one that is marked as images, or is called image, img, picture, photo]",
        "label": "column of the label [those that are marked as classes, or else label, labels, class, category]",
        "id": "column of the id [none: the number of the row]",
    }

    def __init__(self, location: Path, options: Mapping[str, str] = NO_OPTIONS) -> None:
        super().__init__(location, options)
        self.check_installed()
        if not location.exists():
            raise DatasetNotFound(f"{location} does not exist.")
        self._kept = Kept(_FILES_OPEN)
        self._reading = threading.Lock()

    @classmethod
    def check_installed(cls) -> None:
        """Import pyarrow."""
        optional("pyarrow.parquet", EXTRA, "reading Parquet")

    @classmethod
    def detect(cls, location: Path) -> str | None:
        """Take Parquet files, and folders of Parquet files with images that have no image files beside them."""
        try:
            if is_parquet(location):
                return "it is a Parquet file"
            for folder in (location, location / "data"):
                path = _parquet_in(folder)
                if path is not None and _has_images(path):
                    return f"it has {path.relative_to(location).as_posix()}"
        except (OSError, ValueError):
            pass
        return None

    def read(self) -> Iterator[ReadItem | UnreadableItem]:
        """Yield row by row, in bounded memory."""
        files = self._files()
        if not files:
            raise DatasetEmpty(f"there is no Parquet file in {self.location}.")
        for path in files:
            try:
                yield from self._rows(path)
            except DatasetError as error:
                if len(files) == 1:
                    raise
                yield UnreadableItem(path.relative_to(self.root).as_posix(), error.message.rstrip("."))

    def open(self, item: ReadItem) -> Path | IO[bytes]:
        """Open the image of a row.

        Raises
        ------
        ImageError
            When there is none, or it cannot be read.
        """
        file, inside, member = item.media.rpartition(MEMBER)
        # The folder of a file outside may be called as if it were an archive.
        if not inside or (file and suffix_of(file) != _SUFFIX):
            return super().open(item)
        try:
            return self._kept.get(self.root / file if file else self.location, ParquetContainer).open(member)
        except DatasetError as error:
            raise ImageError(error.message.rstrip(".")) from error
        except OSError as error:
            raise ImageError(f"{file or self.location.name} cannot be read: {error.strerror or error}") from error

    def _files(self) -> list[Path]:
        if not self.location.is_dir():
            return [self.location]
        found = (path for path in self.location.rglob(f"*{_SUFFIX}") if path.is_file())
        return sorted(path for path in found if not is_hidden(path.relative_to(self.root).as_posix()))

    def _rows(self, path: Path) -> Iterator[ReadItem | UnreadableItem]:
        status = path.stat()
        relative = "" if path == self.location else path.relative_to(self.root).as_posix()
        subset = _subset(path.relative_to(self.root))
        prefix = f"{relative.removesuffix(_SUFFIX)}/" if relative else ""
        parquet = open_parquet(path)
        try:
            columns = self._columns(path, parquet.schema_arrow)
            wanted = [*columns.labels, *([columns.id] if columns.id else [])]
            outside = names_files_only(parquet.metadata, columns.image)
            folder = os.path.relpath(path.parent, self.root)
            for row, values in enumerate(_values(parquet, [*wanted, *([f"{columns.image}.path"] if outside else [])])):
                labels = [label for name, names in columns.labels.items() for label in _labels(values[name], names)]
                named = values[columns.id] if columns.id else None
                item_id = prefix + (f"{row:08}" if named is None else str(named))
                media = f"{relative}{MEMBER}{columns.image}/{row}"
                item = ReadItem(item_id, subset, tuple(dict.fromkeys(labels)), 0, status.st_mtime_ns, media)
                file = (values[columns.image] or {}).get("path") if outside else None
                if isinstance(file, str) and file:
                    where = os.path.normpath(os.path.join(folder, file))  # noqa: PTH118 - for each item
                    yield item_of_file(self.root, where, item_id, subset, item.labels, f"row {row}: ")
                else:
                    yield item
        except ERRORS as error:
            raise DatasetError(f"{path} cannot be read: {error}.") from error
        finally:
            parquet.close(force=True)

    def _columns(self, path: Path, schema: Any) -> _Columns:  # noqa: ANN401 - pyarrow is there only with the extra
        """Find the columns of image, labels and id.

        Raises
        ------
        DatasetError
            When there is no column of images, or several, or one that an option names is missing.
        """
        features = _features(schema.metadata or {})
        for what, name in self.options.items():
            if name not in schema.names:
                raise DatasetError(f"{path} has no column {name!r} for the {what}: it has {', '.join(schema.names)}.")
        image = self.options.get("image") or _image_column(path, schema, features)
        marked = {name: names for name in schema.names if (names := _class_names(features.get(name))) is not None}
        if "label" in self.options:
            wanted = [self.options["label"]]
        else:
            wanted = list(marked) or [name for name in _LABEL_NAMES if name in schema.names][:1]
        return _Columns(image, {name: marked.get(name, ()) for name in wanted}, self.options.get("id", ""))


def _parquet_in(folder: Path) -> Path | None:
    """Return a Parquet file of a folder that has no images; None where there is none."""
    found = None
    if folder.is_dir():
        for path in islice(folder.iterdir(), _ENTRIES_LOOKED_AT):
            if suffix_of(path.name) in IMAGE_SUFFIXES:
                return None
            if found is None and path.suffix == _SUFFIX and is_parquet(path):
                found = path
    return found


def _has_images(path: Path) -> bool:
    """Tell whether a file has a column that may hold images; without pyarrow, assume that it has."""
    try:
        parquet = open_parquet(path)
    except ExtraMissing:
        return True
    except DatasetError:
        return False
    schema = parquet.schema_arrow
    parquet.close(force=True)
    features = _features(schema.metadata or {})
    return any(_kind(features.get(field.name)) == "Image" or _may_hold_images(field.type) for field in schema)


def _image_column(path: Path, schema: Any, features: Mapping[str, Any]) -> str:  # noqa: ANN401
    marked = [name for name in schema.names if _kind(features.get(name)) == "Image"]
    fitting = marked or [field.name for field in schema if _may_hold_images(field.type)]
    named = [name for name in _IMAGE_NAMES if name in fitting]
    if named or len(fitting) == 1:
        return str((named or fitting)[0])
    have = f"several: {', '.join(fitting)}" if fitting else f"none; its columns are {', '.join(schema.names)}"
    raise DatasetError(f"which column of {path} holds the images? There are {have}. Name it: --option image=COLUMN")


def _may_hold_images(kind: Any) -> bool:  # noqa: ANN401
    pyarrow = optional("pyarrow", EXTRA, "reading Parquet")
    if pyarrow.types.is_struct(kind):
        return any(field.name == "bytes" for field in kind)
    return bool(pyarrow.types.is_binary(kind) or pyarrow.types.is_large_binary(kind))


def _features(metadata: Mapping[bytes, bytes]) -> dict[str, Any]:
    """Return what the metadata of Hugging Face says of the columns, by name; empty where it cannot be understood."""
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError, RecursionError):
        return {}
    return features if isinstance(features, dict) else {}


def _kind(feature: object) -> str:
    return str(feature.get("_type", "")) if isinstance(feature, dict) else ""


def _class_names(feature: object) -> tuple[str, ...] | None:
    """Return the names of the classes of a column, or of the lists in it; None where it holds no classes."""
    if isinstance(feature, dict) and isinstance(feature.get("feature"), dict):
        feature = feature["feature"]
    elif isinstance(feature, list) and len(feature) == 1:
        feature = feature[0]
    if not isinstance(feature, dict) or feature.get("_type") != "ClassLabel":
        return None
    names = feature.get("names")
    return tuple(map(str, names)) if isinstance(names, list) else ()


def _labels(value: object, names: tuple[str, ...]) -> list[str]:
    """Return the labels in a value, with the names of classes for numbers where there are any; -1 is no label."""
    if value is None or value == "":
        return []
    if isinstance(value, list):
        return [label for one in value for label in _labels(one, names)]
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 0:
            return []
        return [names[value] if value < len(names) else str(value)]
    return [str(value)]


def _subset(path: Path) -> str:
    """Return the subset in the path of a file: that of a shard, or a usual name of one in a file or folder name."""
    shard = _SHARD.fullmatch(path.stem)
    if shard:
        return shard["subset"]
    for part in (path.stem, *reversed(path.parts[:-1])):
        word = _WORD.search(part)
        if word:
            return word["subset"]
    return DEFAULT_SUBSET


def _values(parquet: Any, names: list[str]) -> Iterator[dict[str, Any]]:  # noqa: ANN401
    """Yield the values of these columns, row by row."""
    if not names:
        yield from ({} for _ in range(parquet.metadata.num_rows))
        return
    for batch in parquet.iter_batches(_ROWS_AT_ONCE, columns=names):
        yield from batch.to_pylist()
