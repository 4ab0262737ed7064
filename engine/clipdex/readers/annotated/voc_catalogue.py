"""The files of a Pascal VOC dataset: joins images, annotations and lines of lists.

All three have a key: the number of the family of their folder, and their name without extension. What is not joined by
that alone, or is too much for memory, is joined by a temporary database, which keeps on disk what does not fit its
cache.
"""

from __future__ import annotations

import itertools
import json
import operator
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from clipdex.readers.annotated.voc_folders import Place, composed, stem_of
from clipdex.readers.annotated.voc_pairs import UNION_RANK, Paired, Pairs
from clipdex.readers.base import ReadItem

_BATCH = 10_000
_TABLES = """
PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-32768;
CREATE TABLE image(number INTEGER PRIMARY KEY, folder INTEGER, name TEXT, family INTEGER, stem TEXT, id TEXT,
    subset TEXT, size INTEGER, mtime INTEGER, aside INTEGER, listed TEXT);
CREATE TABLE annotation(number INTEGER PRIMARY KEY, folder INTEGER, name TEXT, family INTEGER, stem TEXT, said TEXT);
CREATE TABLE line(list TEXT, number INTEGER, rank INTEGER, subset TEXT, family INTEGER, stem TEXT, folder INTEGER,
    name TEXT);
CREATE TABLE class(family INTEGER, stem TEXT, label TEXT);
BEGIN;
"""
_ADD_IMAGE = """INSERT INTO image(folder, name, family, stem, id, subset, size, mtime, aside, listed)
    VALUES (?,?,?,?,?,?,?,?,?,?)"""
_ADD_ANNOTATION = "INSERT INTO annotation(folder, name, family, stem, said) VALUES (?,?,?,?,?)"
_SAME_KEY = "family = {0}.family AND stem = {0}.stem"
_HAS_IMAGE = f"EXISTS (SELECT 1 FROM image WHERE {_SAME_KEY})"
_HAS_ANNOTATION = f"EXISTS (SELECT 1 FROM annotation WHERE {_SAME_KEY})"


class Line(NamedTuple):
    """A line of a list.

    Attributes
    ----------
    list, number
        The file, and the number of the line.
    rank, subset
        Rank of the list among others, and its subset.
    family, stem
        The key.
    folder
        Number of the folder that the image should be in.
    name
        What the line calls the image.
    """

    list: str
    number: int
    rank: int
    subset: str
    family: int
    stem: str
    folder: int
    name: str


class Candidate(NamedTuple):
    """An image that may be meant: its number, folder, name and key."""

    number: int
    folder: int
    name: str
    family: int
    stem: str


class Described(NamedTuple):
    """An image, and one of its annotations: as the tables have them; None where it has no annotation."""

    number: int
    folder: int
    name: str
    family: int
    stem: str
    id: str
    subset: str
    size: int
    mtime_ns: int
    annotation_folder: int | None
    annotation_name: str | None
    said: str | None


class Catalogue:
    """The files of one dataset. Add all of them, then call ``settle`` before anything is asked."""

    def __init__(self) -> None:
        # Empty as soon as the database is open.
        self._pairs: Pairs | None = Pairs()
        self._opened: sqlite3.Connection | None = None
        self._images: list[tuple[object, ...]] = []
        self._annotations: list[tuple[object, ...]] = []
        self._settled = False
        self._loose = False
        self._order: Sequence[int] | None = None

    def close(self) -> None:
        """Delete the database."""
        if self._opened is not None:
            self._opened.close()

    def add_image(self, place: Place, name: str, size: int, mtime_ns: int) -> None:
        """Add an image, in the order of paths."""
        if self._pairs is not None:
            if self._pairs.add_image(place, name, size, mtime_ns):
                return
            self._open()
        self._images.append(_image_row(place, name, stem_of(name), size, mtime_ns))
        if len(self._images) >= _BATCH:
            self._flush()

    def add_annotation(self, place: Place, name: str) -> None:
        """Add a file of annotations, in the order of paths."""
        if self._pairs is not None:
            if self._pairs.add_annotation(place, name):
                return
            self._open()
        self._annotations.append(_annotation_row(place, name, stem_of(name)))
        if len(self._annotations) >= _BATCH:
            self._flush()

    def settle(self) -> None:
        """Make what was added ready to be joined; images that are masks of annotations are dropped."""
        self._settled = True
        if self._pairs is None:
            self._flush()
            self._make_joinable()
        elif not self._pairs.join():
            self._open()

    @property
    def _database(self) -> sqlite3.Connection:
        return self._open() if self._opened is None else self._opened

    def _open(self) -> sqlite3.Connection:
        """Open the database, and put into it what was kept in memory."""
        opened = self._opened = sqlite3.connect("", isolation_level=None)
        opened.executescript(_TABLES)
        pairs, self._pairs = self._pairs, None
        if pairs is not None:
            for batch in _batches(
                _image_row(place, name, stem, size, mtime_ns, listed)
                for place, name, stem, size, mtime_ns, listed in pairs.images()
            ):
                opened.executemany(_ADD_IMAGE, batch)
            for batch in _batches(_annotation_row(*one) for one in pairs.annotations()):
                opened.executemany(_ADD_ANNOTATION, batch)
        if self._settled:
            self._make_joinable()
        return opened

    def _flush(self) -> None:
        self._database.executemany(_ADD_IMAGE, self._images)
        self._database.executemany(_ADD_ANNOTATION, self._annotations)
        self._images.clear()
        self._annotations.clear()

    def _make_joinable(self) -> None:
        self._database.execute("CREATE INDEX annotation_key ON annotation(family, stem)")
        self._database.execute("CREATE INDEX image_key ON image(family, stem)")
        if self._one("SELECT 1 FROM image WHERE aside LIMIT 1"):
            self._database.execute(
                "DELETE FROM image WHERE aside AND (EXISTS (SELECT 1 FROM image other WHERE other.family = "
                "image.family AND other.stem = image.stem AND NOT other.aside) OR NOT EXISTS (SELECT 1 FROM "
                "annotation WHERE annotation.family = image.family AND annotation.stem = image.stem AND "
                "annotation.folder = image.folder))"
            )

    def _one(self, query: str, parameters: tuple[object, ...] = ()) -> object:
        row = self._database.execute(query, parameters).fetchone()
        return row[0] if row else None

    def has_image(self, family: int, stem: str) -> bool:
        """Tell whether an image has this key."""
        return bool(self._one("SELECT 1 FROM image WHERE family = ? AND stem = ?", (family, stem)))

    def has_annotation(self, family: int, stem: str) -> bool:
        """Tell whether a file of annotations has this key."""
        return bool(self._one("SELECT 1 FROM annotation WHERE family = ? AND stem = ?", (family, stem)))

    def lacks_annotations(self) -> bool:
        """Tell whether an image is without a file of annotations."""
        if self._pairs is not None:
            return self._pairs.lack_annotations()
        return bool(self._one(f"SELECT 1 FROM image WHERE NOT {_HAS_ANNOTATION.format('image')} LIMIT 1"))

    def add_names(self, lists: Iterable[tuple[int, int, str, Iterable[str]]]) -> bool:
        """Add lists that name the stems of images alone, and all of them of images that are there.

        Parameters
        ----------
        lists
            Family, rank, subset and stems of each list, in the order of ranks.

        Returns
        -------
        Whether they were added. Nothing of them is where one of them has anything else.
        """
        pairs = self._pairs
        if pairs is None:
            return False
        if all(pairs.add_names(*one) for one in lists):
            return True
        pairs.forget_names()
        return False

    def add_lines(self, lines: Iterable[Line]) -> None:
        """Add lines of lists."""
        for batch in _batches(lines):
            self._database.executemany("INSERT INTO line VALUES (?,?,?,?,?,?,?,?)", batch)

    def add_classes(self, classes: Iterable[tuple[int, str, str]]) -> None:
        """Add labels by key, of images without a file of annotations."""
        for batch in _batches(classes):
            self._database.executemany(
                "INSERT INTO class SELECT ?1, ?2, ?3 WHERE NOT EXISTS (SELECT 1 FROM annotation WHERE family = ?1 "
                "AND stem = ?2)",
                batch,
            )

    def settle_lines(self) -> None:
        """Make what was added of lists ready to be joined."""
        self._database.execute("CREATE INDEX line_key ON line(family, stem, rank)")
        self._database.execute("CREATE INDEX class_key ON class(family, stem)")

    def classes(self, family: int, stem: str) -> tuple[str, ...]:
        """Return the labels that lists give the images of a key."""
        if self._pairs is not None:
            return ()
        found = self._database.execute("SELECT label FROM class WHERE family = ? AND stem = ?", (family, stem))
        return tuple(dict.fromkeys(label for (label,) in found))

    def annotations_without_image(self) -> list[tuple[int, int, str, int, str]]:
        """Return number, folder, name and key of the files of annotations that no image belongs to."""
        if self._pairs is not None:
            return []
        return self._database.execute(
            f"SELECT number, folder, name, family, stem FROM annotation WHERE NOT {_HAS_IMAGE.format('annotation')} "
            "ORDER BY number"
        ).fetchall()

    def lines_without_image(self) -> list[Line]:
        """Return the first line of each name that is that of no image and of no file of annotations."""
        if self._pairs is not None:
            return []
        return [
            Line(*row)
            for row in self._database.execute(
                f"SELECT list, number, MIN(rank), subset, family, stem, folder, name FROM line WHERE NOT "
                f"{_HAS_IMAGE.format('line')} AND NOT {_HAS_ANNOTATION.format('line')} "
                "GROUP BY family, stem ORDER BY rank, list, number"
            )
        ]

    def candidates(self, stem: str) -> list[Candidate]:
        """Return the images of this name in whatever folder, by path; the letters may be of another case."""
        if not self._loose:
            self._database.create_function("loosely", 1, loosely, deterministic=True)
            self._database.execute("CREATE TABLE loose AS SELECT loosely(stem) AS stem, number FROM image")
            self._database.execute("CREATE INDEX loose_stem ON loose(stem)")
            self._loose = True
        return [
            Candidate(*row)
            for row in self._database.execute(
                "SELECT image.number, folder, name, family, image.stem FROM loose JOIN image USING (number) "
                "WHERE loose.stem = ? ORDER BY number",
                (loosely(stem),),
            )
        ]

    def first_of(self, family: int, stem: str) -> tuple[tuple[int, str], tuple[int, str]]:
        """Return folder and name of the first image, and of the first file of annotations, of a key that has both."""
        image, annotation = (
            self._database.execute(
                f"SELECT folder, name FROM {table} WHERE family = ? AND stem = ? ORDER BY number", (family, stem)
            ).fetchone()
            for table in ("image", "annotation")
        )
        return image, annotation

    def give_annotation(self, number: int, keys: Iterable[tuple[int, str]], said: tuple[str, list[str]]) -> None:
        """Let a file of annotations belong to the images of other keys than its own.

        Parameters
        ----------
        number
            That of the file of annotations.
        keys
            The keys of the images.
        said
            The name of an image that the file has, and its labels, which were read already.
        """
        folder, name, family, stem = self._database.execute(
            "SELECT folder, name, family, stem FROM annotation WHERE number = ?", (number,)
        ).fetchone()
        self._database.execute("DELETE FROM annotation WHERE number = ?", (number,))
        for own in keys:
            self._database.execute(_ADD_ANNOTATION, (folder, name, *own, json.dumps(said)))
            self.give_lines((family, stem), own)

    def drop_annotation(self, number: int) -> None:
        """Forget a file of annotations that is none."""
        self._database.execute("DELETE FROM annotation WHERE number = ?", (number,))

    def add_outside(self, place: Place, path: str, item: ReadItem) -> tuple[int, str]:
        """Add an image outside of the folder of the dataset, by its absolute path, and return its key."""
        stem = path
        if not self.has_image(place.family, stem):
            row = (place.number, path, place.family, stem, item.id, item.subset, item.size, item.mtime_ns, False, None)
            self._database.execute(_ADD_IMAGE, row)
        return place.family, stem

    def give_lines(self, old: tuple[int, str], new: tuple[int, str]) -> None:
        """Let the lines of one key stand for another one, too."""
        self._database.execute(
            "INSERT INTO line SELECT list, number, rank, subset, ?3, ?4, folder, name FROM line WHERE family = ?1 AND "
            "stem = ?2",
            (*old, *new),
        )
        self._database.execute(
            "INSERT INTO class SELECT ?3, ?4, label FROM class WHERE family = ?1 AND stem = ?2", (*old, *new)
        )

    def take_all(self, without: Callable[[int, str], bool] = lambda *_: False) -> None:
        """Make items of all images, without those for whose folder and name ``without`` holds."""
        if self._pairs is not None:
            self._pairs.take_all(without)
            return
        self._database.create_function("without", 2, without, deterministic=True)
        self._database.execute("UPDATE image SET listed = subset WHERE listed IS NULL AND NOT without(folder, name)")

    def take_subsets(self) -> int:
        """Give the images of lists their subsets; return how many images are in several of them."""
        if self._pairs is not None:
            return self._pairs.take_subsets()
        if not self._one("SELECT 1 FROM line LIMIT 1"):
            return 0
        self._database.execute(
            "UPDATE image SET listed = "
            f"(SELECT subset FROM line WHERE {_SAME_KEY.format('image')} ORDER BY rank LIMIT 1)"
        )
        several = self._one(
            "SELECT COUNT(*) FROM (SELECT DISTINCT family, stem FROM (SELECT family, stem FROM line WHERE rank < ? "
            "GROUP BY family, stem, rank / 100 HAVING MIN(subset) <> MAX(subset)))",
            (UNION_RANK,),
        )
        return int(str(several))

    def has_twins(self) -> bool:
        """Tell whether several images have one key."""
        if self._pairs is not None:
            return False
        return bool(self._one("SELECT 1 FROM image GROUP BY family, stem HAVING COUNT(*) > 1 LIMIT 1"))

    def twins(self, image: Described) -> list[tuple[int, str]]:
        """Return folder and name of all images of the key of an image, if there are several."""
        found = self._database.execute(
            "SELECT folder, name FROM image WHERE family = ? AND stem = ? ORDER BY number", (image.family, image.stem)
        ).fetchall()
        return found if len(found) > 1 else []

    def separate_ids(self, paths: Iterable[tuple[int, str]]) -> None:
        """Give items of the same id and subset ids of their own: the later ones get more of their paths.

        Parameters
        ----------
        paths
            Number and path of each folder.
        """
        if self._pairs is not None:
            self._order = self._pairs.order()
            if self._order is not None:
                return
        if not self._one("SELECT 1 FROM image WHERE folder <> (SELECT folder FROM image LIMIT 1) LIMIT 1"):
            return
        self._database.execute("CREATE TEMP TABLE folder(number INTEGER PRIMARY KEY, path TEXT)")
        self._database.executemany("INSERT INTO folder VALUES (?,?)", paths)
        whole = "(SELECT path FROM folder WHERE folder.number = image.folder) || name"
        while True:
            changed = self._database.execute(
                f"UPDATE image SET id = {whole} WHERE number IN (SELECT number FROM (SELECT number, id, "
                f"{whole} AS whole, ROW_NUMBER() OVER (PARTITION BY id, COALESCE(listed, subset) "
                f"ORDER BY id <> {whole}, number) AS place FROM image "
                f"WHERE listed IS NOT NULL OR {_HAS_ANNOTATION.format('image')}) WHERE place > 1 AND id <> whole)"
            ).rowcount
            if not changed:
                return

    def images(self) -> int:
        """Return how many images there are."""
        if self._pairs is not None:
            return len(self._pairs)
        return int(str(self._one("SELECT COUNT(*) FROM image")))

    def left_out(self) -> Iterator[tuple[int, str]]:
        """Yield folder and name of the images that are no items, by path."""
        yield from self._database.execute(
            f"SELECT folder, name FROM image WHERE listed IS NULL AND NOT {_HAS_ANNOTATION.format('image')} "
            "ORDER BY number"
        )

    def paired(self) -> Iterator[Paired] | None:
        """Return the items in item order where keys alone joined them; otherwise None, and ``described`` has them."""
        return None if self._pairs is None or self._order is None else self._pairs.items(self._order)

    def described(self) -> Iterator[list[Described]]:
        """Yield the items in item order, each once for every file of annotations that it has."""
        rows = self._database.execute(
            "SELECT image.number, image.folder, image.name, image.family, image.stem, id, "
            "COALESCE(listed, subset) AS part, size, mtime, annotation.folder, annotation.name, said "
            "FROM image LEFT JOIN annotation ON annotation.family = image.family AND annotation.stem = image.stem "
            "WHERE listed IS NOT NULL OR annotation.number IS NOT NULL "
            "ORDER BY id, part, image.number, annotation.number"
        )
        for _, same in itertools.groupby(rows, key=operator.itemgetter(0)):
            yield list(map(Described._make, same))


def _image_row(
    place: Place, name: str, stem: str, size: int, mtime_ns: int, listed: str | None = None
) -> tuple[object, ...]:
    number, _, _, family, ids, subset, aside = place
    return number, name, family, stem, ids + name, subset, size, mtime_ns, aside, listed


def _annotation_row(place: Place, name: str, stem: str) -> tuple[object, ...]:
    return place.number, name, place.family, stem, None


def loosely(name: str) -> str:
    """Return a name for comparing it where the letters may be of another case."""
    return composed(name).casefold()


def _batches(rows: Iterable[tuple[object, ...]]) -> Iterator[list[tuple[object, ...]]]:
    rows = iter(rows)
    while batch := list(itertools.islice(rows, _BATCH)):
        yield batch
