"""Item tables: the SQLite file of a segment that says which item each hash key belongs to.

Rows are in item order (by id, then subset, in code points), and the position of a row is the position of its hash key.
An id is found by bisection over the positions, which takes no space; an index of SQLite would. Folder names, subsets
and lists of labels are stored once.

A table is written once and then only read, with ``immutable=1``. It may come from elsewhere, so it is not trusted: it
must have exactly our schema, its texts, its rows and the steps of a query are bounded, and every value that is read is
checked.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from clipdex_indexes.errors import IndexCorrupt, IndexWriteFailed
from clipdex_indexes.storage.spelling import composed

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Bools = npt.NDArray[np.bool_]
    Ints = npt.NDArray[np.int64]

APPLICATION_ID = 0x636C6978  # "clix"
_SCHEMA = """
CREATE TABLE folder(folder INTEGER PRIMARY KEY, path TEXT NOT NULL);
CREATE TABLE subset(subset INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE labels(labels INTEGER PRIMARY KEY, names TEXT NOT NULL);
CREATE TABLE item(position INTEGER PRIMARY KEY, folder INTEGER NOT NULL, name TEXT NOT NULL, subset INTEGER NOT NULL,
                  labels INTEGER NOT NULL, size INTEGER NOT NULL, mtime INTEGER NOT NULL, content INTEGER NOT NULL,
                  media TEXT);
"""
_SELECT = (
    "SELECT item.position, folder.path, item.name, subset.name, labels.names, item.size, item.mtime, "
    "item.content, item.media FROM item "
    "JOIN folder USING (folder) JOIN subset USING (subset) JOIN labels USING (labels) "
)
_SELECT_NAMES = (
    "SELECT folder.path, item.name, subset.name FROM item JOIN folder USING (folder) JOIN subset USING (subset) "
    "WHERE item.position = ?"
)
_SELECT_SOME_NAMES = (
    "SELECT item.position, folder.path, item.name, subset.name FROM item "
    "JOIN folder USING (folder) JOIN subset USING (subset) WHERE item.position IN"
)
# A single SELECT of both would read the whole table.
_SELECT_ENDS = "SELECT (SELECT min(position) FROM item), (SELECT max(position) FROM item)"
_NO_ID = re.compile(r"\0|(?:^|/)\.{0,2}(?:/|\Z)")
_ROWS_AT_ONCE = 500
_KNOWN_LABELS = 10_000
_POSITIONS_AT_ONCE = 1 << 16
_ROWS_A_READ = 1024
# Fewer of them are read one by one.
_FEW_ROWS = 100
# Rows of a forged table could share pages and make a small file endless to read: hence these bounds.
_MAX_TEXT = 1 << 16
_MAX_SAME_ID = 10_000
_SAME_ID_AT_ONCE = 8
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Effort:
    """The steps of SQLite's virtual machine that a query may take before the table counts as damaged.

    Attributes
    ----------
    steps_a_call
        Steps between two looks at the count.
    free_calls
        Looks that every query may take, whatever the size of the table.
    steps_a_row
        Steps more for each row of the table.
    """

    steps_a_call: int = 100_000
    free_calls: int = 200
    steps_a_row: int = 1000


DEFAULT_EFFORT = Effort()


class ItemRow(NamedTuple):
    """One item as the index knows it; ``order`` sorts items.

    Attributes
    ----------
    id
        Identifies the item within its dataset and subset; for folders the POSIX path relative to the root.
    subset
        Name of the subset.
    labels
        Label names.
    size, mtime_ns
        Size in bytes and modification time in nanoseconds of the media when it was hashed.
    media
        Where the media is, for the reader of the dataset; empty where the id is its path below the root.
    content
        The first 64 bits of the BLAKE2b hash of the bytes of the media, as a signed integer; 0 where it is not known.
    """

    id: str
    subset: str
    labels: tuple[str, ...]
    size: int
    mtime_ns: int
    media: str = ""
    content: int = 0

    @property
    def order(self) -> tuple[str, str]:
        """Id and subset: items sort by the code points of these."""
        return self[:2]

    def has_media_of(self, other: ItemRow) -> bool:
        """Tell whether size, modification time and place of the media are those of another item."""
        return self[3:6] == other[3:6]


def valid_item_id(item_id: str) -> bool:
    """Tell whether an id is a relative POSIX path that stays below the root (no empty part, ``.`` or ``..``)."""
    return _NO_ID.search(item_id) is None


def _split(item_id: str) -> tuple[str, str]:
    folder, _, name = item_id.rpartition("/")
    return folder, name


def table_path(folder: Path, name: str) -> Path:
    """Return the path of the item table of segment ``name``."""
    return folder / f"{name}.sqlite"


class TableWriter:
    """Writes one item table, row by row in item order.

    Parameters
    ----------
    path
        The file to create; it must not exist.
    """

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        try:
            self._db.executescript(
                f"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA application_id={APPLICATION_ID};"
                "PRAGMA user_version=1;" + _SCHEMA + "BEGIN;"
            )
        except BaseException:
            self._db.close()
            raise
        self._known: dict[str, dict[str, int]] = {"folder": {}, "subset": {}, "labels": {}}
        self._pending: list[tuple[Any, ...]] = []
        self._last: tuple[str, str] | None = None
        self.rows = 0

    def add(self, row: ItemRow) -> None:
        """Append one row; its position is the number of rows before it.

        Raises
        ------
        ValueError
            When it does not come after the row before it in item order.
        IndexWriteFailed
            When its id, subset, labels (as JSON) or media are longer than 64 KiB.
        """
        order = row.order
        if self._last is not None and order <= self._last:
            raise ValueError(f"{order} comes after {self._last}: rows must be in item order, each once")
        self._last = order
        folder, name = _split(row.id)
        labels = json.dumps(row.labels, ensure_ascii=False)
        for what, text in (("id", row.id), ("subset", row.subset), ("labels", labels), ("media", row.media)):
            if len(text) * 4 > _MAX_TEXT and len(text.encode()) > _MAX_TEXT:
                raise IndexWriteFailed(
                    f"the {what} of item {row.id[:200]!r} have more than {_MAX_TEXT:,} bytes, which no index can hold."
                )
        self._pending.append(
            (
                self.rows,
                self._intern("folder", folder),
                name,
                self._intern("subset", row.subset),
                self._intern("labels", labels),
                row.size,
                row.mtime_ns,
                row.content,
                row.media or None,
            )
        )
        self.rows += 1
        if len(self._pending) >= 10_000:
            self._flush()

    def finish(self) -> None:
        """Write the pending rows; the table is then whole."""
        self._flush()
        self._db.execute("COMMIT")

    def close(self) -> None:
        """Close the file, finished or not."""
        self._db.close()

    def _flush(self) -> None:
        self._db.executemany("INSERT INTO item VALUES (?,?,?,?,?,?,?,?,?)", self._pending)
        self._pending.clear()

    def _intern(self, kind: str, value: str) -> int:
        known = self._known[kind]
        number = known.get(value)
        if number is None:
            number = known[value] = len(known)
            self._db.execute(f"INSERT INTO {kind} VALUES (?,?)", (number, value))
        return number


def _composed(value: object) -> str:
    return composed(value) if isinstance(value, str) else ""


class TableReader:
    """Reads one item table; safe to use from several threads.

    Only ``rows``, which is given positions, returns removed items.

    Parameters
    ----------
    path
        The SQLite file.
    items
        Number of rows it must have.
    live
        bool ``[items]``, False where an item was removed; None when no item was.
    effort
        How long a query may take.

    Raises
    ------
    IndexCorrupt
        On opening and from every method, when the file is not such a table.
    """

    def __init__(self, path: Path, items: int, live: Bools | None = None, effort: Effort = DEFAULT_EFFORT) -> None:
        self._path = path
        self._live = live
        self._effort = effort
        self._lock = threading.Lock()
        self._known_labels: dict[str, tuple[str, ...]] = {}
        self._calls_left = 0
        self._closed = False
        self.items = items
        uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        try:
            self._db = sqlite3.connect(uri, uri=True, check_same_thread=False, isolation_level=None)
        except sqlite3.Error as error:
            raise self.corrupt(str(error)) from error
        self._db.set_progress_handler(self._out_of_steps, effort.steps_a_call)
        self._db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_TEXT)
        self._db.create_function("composed", 1, _composed, deterministic=True)
        try:
            self._check()
        except BaseException:
            self._db.close()
            raise

    def _check(self) -> None:
        self._query("PRAGMA trusted_schema=OFF")
        self._query("PRAGMA cell_size_check=ON")
        if self._query("PRAGMA application_id") != [(APPLICATION_ID,)]:
            raise self.corrupt("it is not an item table")
        schema = {statement for (statement,) in self._query("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")}
        expected = {part.strip() for part in _SCHEMA.split(";") if part.strip()}
        if schema != expected:
            raise self.corrupt("its tables are not those of an item table")
        lowest, highest = self._query(_SELECT_ENDS)[0]
        if (lowest, highest) != ((0, self.items - 1) if self.items else (None, None)):
            raise self.corrupt(f"it does not have {self.items} rows")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._closed = True
            self._db.close()

    def check(self) -> None:
        """Let SQLite check the structure of the whole file."""
        problems = self._query("PRAGMA integrity_check(1)", passes=10)
        if problems != [("ok",)]:
            raise self.corrupt(str(problems[0][0]) if problems else "SQLite cannot check it")

    def rows(self, positions: Sequence[int]) -> list[ItemRow]:
        """Return the rows at ``positions``, in the order given."""
        rows: dict[int, ItemRow] = {}
        wanted = sorted({int(position) for position in positions})
        for start in range(0, len(wanted), _ROWS_AT_ONCE):
            part = wanted[start : start + _ROWS_AT_ONCE]
            marks = ",".join("?" * len(part))
            for record in self._query(f"{_SELECT} WHERE item.position IN ({marks})", part):
                position, row = self._row(record)
                rows[position] = row
        try:
            return [rows[int(position)] for position in positions]
        except KeyError as error:
            raise self.corrupt(f"row {error.args[0]} is missing") from error

    def names(self, position: int) -> tuple[str, str]:
        """Return id and subset of the row at ``position``, which settle its order among other items."""
        records = self._query(_SELECT_NAMES, (position,), most=1)
        if not records:
            raise self.corrupt(f"row {position} is missing")
        folder, name, subset = map(self._text, records[0])
        return f"{folder}/{name}" if folder else name, subset

    def positions(self, items: Sequence[tuple[str, str]]) -> Ints:
        """Return where items are that are named by id and subset, int64 ``[n]``; -1 where the table has no such row.

        All are looked up together by bisection, which reads each row in the middle once. Removed items are found, too.
        """
        import numpy as np

        low, high = np.zeros(len(items), np.int64), np.full(len(items), self.items, np.int64)
        open_ones = np.arange(len(items)) if self.items else np.empty(0, np.int64)
        while len(open_ones):
            middle = (low[open_ones] + high[open_ones]) // 2
            names = self.names_at(np.unique(middle).tolist())
            pairs = zip(open_ones.tolist(), middle.tolist(), strict=True)
            before = np.fromiter((names[at] < items[number] for number, at in pairs), np.bool_, len(open_ones))
            low[open_ones[before]] = middle[before] + 1
            high[open_ones[~before]] = middle[~before]
            open_ones = open_ones[low[open_ones] < high[open_ones]]
        names = self.names_at(np.unique(low[low < self.items]).tolist())
        return np.array(
            [at if names.get(at) == tuple(item) else -1 for at, item in zip(low.tolist(), items, strict=True)], np.int64
        )

    def names_at(self, positions: Sequence[int]) -> dict[int, tuple[str, str]]:
        """Return id and subset of the rows at some positions, each given once, by position."""
        names = {}
        for start in range(0, len(positions), _ROWS_AT_ONCE):
            part = positions[start : start + _ROWS_AT_ONCE]
            marks = ",".join("?" * len(part))
            for position, folder, name, subset in self._query(f"{_SELECT_SOME_NAMES} ({marks})", part):
                folder, name = self._text(folder), self._text(name)
                names[position] = (f"{folder}/{name}" if folder else name, self._text(subset))
        if len(names) != len(positions):
            raise self.corrupt("rows are missing")
        return names

    def iterate(self, selected: Bools | None = None, begin: str = "") -> Iterator[tuple[int, ItemRow]]:
        """Yield position and row of all items in item order, reading about a thousand at a time.

        Parameters
        ----------
        selected
            The items to yield, bool ``[items]``; None for all. Where there are none, nothing is read.
        begin
            The id to begin with, or the first one after it.
        """
        for start in range(self._first_from(begin) if begin else 0, self.items, _ROWS_A_READ):
            if selected is not None:
                wanted = selected[start : start + _ROWS_A_READ].nonzero()[0]
                if len(wanted) < _FEW_ROWS:
                    yield from self._live_at([start + position for position in wanted.tolist()])
                    continue
            records = self._query(
                f"{_SELECT} WHERE item.position BETWEEN ? AND ? ORDER BY item.position",
                (start, start + _ROWS_A_READ - 1),
            )
            if len(records) != min(_ROWS_A_READ, self.items - start):
                raise self.corrupt("rows are missing")
            rows = self._live_rows(records)
            yield from rows if selected is None else ((at, row) for at, row in rows if selected[at])

    def _live_at(self, positions: Sequence[int]) -> Iterator[tuple[int, ItemRow]]:
        """Yield position and row of the items at some positions."""
        for position, row in zip(positions, self.rows(positions), strict=True):
            if self._live is None or self._live[position]:
                yield position, row

    def find(self, item_id: str) -> list[tuple[int, ItemRow]]:
        """Return position and row of each item with exactly this id, one for each subset that has it."""
        items: list[tuple[int, ItemRow]] = []
        start = self._first_from(item_id)
        while len(items) < _MAX_SAME_ID:
            end = min(start + _SAME_ID_AT_ONCE, self.items)
            rows = self.rows(range(start, end))
            same = [(position, row) for position, row in enumerate(rows, start) if row.id == item_id]
            items += [(position, row) for position, row in same if self._live is None or self._live[position]]
            if len(same) < _SAME_ID_AT_ONCE:
                break
            start = end
        return items

    def find_without_extension(self, item_id: str) -> list[tuple[int, ItemRow]]:
        """Return position and row of the items whose id is ``item_id`` plus one extension."""
        folder, stem = _split(item_id)
        # The slash follows the point in the order of code points.
        start, end = self._first_from(f"{item_id}."), self._first_from(f"{item_id}/")
        records = self._query(
            f"{_SELECT} WHERE item.position >= ? AND item.position < ? AND folder.path = ? "
            "AND instr(substr(item.name, ?), '.') = 0 LIMIT ?",
            (start, end, folder, len(stem) + 2, _MAX_SAME_ID),
        )
        return [(at, row) for at, row in self._live_rows(records) if row.id.rpartition(".")[0] == item_id]

    def _first_from(self, item_id: str) -> int:
        """Return the first position whose id is not before ``item_id``, by bisection: rows are in order of ids."""
        low, high = 0, self.items
        while low < high:
            middle = (low + high) // 2
            if self.names(middle)[0] < item_id:
                low = middle + 1
            else:
                high = middle
        return low

    def ids_like(self, item_id: str, limit: int) -> list[str]:
        """Return up to ``limit`` ids that a mistyped ``item_id`` may have meant: candidates, not ranked."""
        folder, name = _split(item_id)
        stem = name.rpartition(".")[0] or name
        attempts: list[tuple[str, tuple[Any, ...]]] = [
            ("item.name = ?", (name,)),
            ("instr(lower(item.name), lower(?))", (stem,)),
            ("folder.path = ?", (folder,)),
            ("substr(item.name, 1, ?) = ?", (len(stem[:4]), stem[:4])),
            ("1", ()),
        ]
        ids: dict[str, None] = {}
        for condition, parameters in attempts:
            records = self._query(f"{_SELECT} WHERE {condition} LIMIT ?", (*parameters, limit))
            ids.update((row.id, None) for _, row in self._live_rows(records))
            if len(ids) >= limit:
                break
        return list(ids)[:limit]

    def subsets(self) -> dict[int, str]:
        """Return the names of the subsets, by the number that stands for each in the column ``subset``."""
        return {self._typed(number, int): self._text(name) for number, name in self._query("SELECT * FROM subset")}

    def label_lists(self) -> dict[int, tuple[str, ...]]:
        """Return the lists of labels, by the number that stands for each in the column ``labels``."""
        records = self._query("SELECT * FROM labels")
        lists: dict[int, tuple[str, ...]] = {}
        for start in range(0, len(records), _ROWS_A_READ):
            some = records[start : start + _ROWS_A_READ]
            named = self._all_labels([names for _, names in some])
            lists.update((self._typed(number, int), names) for (number, _), names in zip(some, named, strict=True))
        return lists

    def folders(self) -> dict[int, str]:
        """Return the paths of the folders, by the number that stands for each in the column ``folder``."""
        return {self._typed(number, int): self._text(path) for number, path in self._query("SELECT * FROM folder")}

    def media(self, having: str) -> Iterator[tuple[int, str]]:
        """Yield the position and the media of the rows whose media, if they have any, contain a text."""
        for start in range(0, self.items, _POSITIONS_AT_ONCE):
            records = self._query(
                "SELECT position, media FROM item "
                f"WHERE position >= {start} AND position < {start + _POSITIONS_AT_ONCE} AND instr(media, ?)",
                (having,),
            )
            for position, media in records:
                yield position, self._media(media)

    def where(self, condition: str, parameters: Sequence[str] = ()) -> Bools:
        """Select the rows that satisfy a condition in SQL on the columns of ``item``; return bool ``[items]``.

        The condition may call ``composed``, which is ``spelling.composed``.
        """
        import numpy as np

        mask = np.zeros(self.items, np.bool_)
        for start in range(0, self.items, _POSITIONS_AT_ONCE):
            end = min(start + _POSITIONS_AT_ONCE, self.items)
            selected = self._query(
                f"SELECT position FROM item WHERE position >= {start} AND position < {end} AND ({condition})",
                parameters,
            )
            mask[np.fromiter((position for (position,) in selected), np.int64, len(selected))] = True
        return mask

    def files(self) -> Iterator[tuple[int, list[tuple[Any, ...]]]]:
        """Yield what the table says of files, many rows at a time, each time with the position of the first.

        A row is the numbers of its folder, its subset and its list of labels (``folders``, ``subsets`` and
        ``label_lists`` say what they stand for), then name, size, modification time, and media or None. Values are not
        checked.
        """
        for start in range(0, self.items, _POSITIONS_AT_ONCE):
            end = min(start + _POSITIONS_AT_ONCE, self.items)
            records = self._query(
                "SELECT folder, subset, labels, name, size, mtime, media FROM item "
                f"WHERE position >= {start} AND position < {end} ORDER BY position"
            )
            if len(records) != end - start:
                raise self.corrupt("rows are missing")
            yield start, records

    def contents(self) -> tuple[Ints, Ints]:
        """Return the sizes and the content hashes of all rows, by position; each int64 ``[items]``."""
        return self._columns("size", "content")

    def numbers(self) -> tuple[Ints, Ints]:
        """Return the numbers of the subset and of the list of labels of all rows, by position; each int64 ``[items]``.

        ``subsets`` and ``label_lists`` say what the numbers stand for.
        """
        return self._columns("subset", "labels")

    def _columns(self, one: str, other: str) -> tuple[Ints, Ints]:
        import numpy as np

        columns = np.empty(self.items, np.int64), np.empty(self.items, np.int64)
        for start in range(0, self.items, _POSITIONS_AT_ONCE):
            end = min(start + _POSITIONS_AT_ONCE, self.items)
            records = self._query(
                f"SELECT {one}, {other} FROM item WHERE position >= {start} AND position < {end} ORDER BY position"
            )
            if len(records) != end - start:
                raise self.corrupt("rows are missing")
            try:
                values = np.fromiter(itertools.chain.from_iterable(records), np.int64, 2 * (end - start))
            except (TypeError, ValueError, OverflowError) as error:
                raise self.corrupt("a value has the wrong type") from error
            for number, column in enumerate(columns):
                column[start:end] = values[number::2]
        return columns

    def _query(
        self, statement: str, parameters: Iterable[Any] = (), most: int | None = None, passes: int = 1
    ) -> list[Any]:
        """Return the records of a statement, which may look at every row ``passes`` times.

        More than ``most`` records, by default a few more than there are items, mean that the table is damaged.
        """
        limit = min(self.items, 1 << 30) + _ROWS_A_READ if most is None else most
        parameters = tuple(parameters)
        if any(isinstance(value, str) and len(value) * 4 > _MAX_TEXT for value in parameters):
            return []  # no table holds such a long text
        try:
            with self._lock:
                bound = self._effort
                self._calls_left = bound.free_calls + self.items * passes * bound.steps_a_row // bound.steps_a_call
                records = self._db.execute(statement, parameters).fetchmany(limit + 1)
        except UnicodeEncodeError:
            return []  # no text in SQLite has a lone surrogate, which an argument that is not UTF-8 has
        except (sqlite3.Error, UnicodeDecodeError, OverflowError) as error:
            if self._closed:
                raise ValueError(f"the index of {self._path} was closed: open it again.") from error
            raise self.corrupt(str(error)) from error
        if len(records) > limit:
            raise self.corrupt("it has more rows than it can have")
        return records

    def _out_of_steps(self) -> bool:
        self._calls_left -= 1
        return self._calls_left < 0

    def _live_rows(self, records: Iterable[tuple[Any, ...]]) -> Iterator[tuple[int, ItemRow]]:
        for record in records:
            position, row = self._row(record)
            if self._live is None or self._live[position]:
                yield position, row

    def _row(self, record: tuple[Any, ...]) -> tuple[int, ItemRow]:
        position, folder, name, subset, labels, size, mtime, content, media = record
        if not 0 <= position < self.items:
            raise self.corrupt("a row is at no position of a hash key")
        folder, name = self._text(folder), self._text(name)
        item_id = f"{folder}/{name}" if folder else name
        if not valid_item_id(item_id):
            raise self.corrupt(f"row {position} has an id that is no relative path")
        row = ItemRow(
            item_id,
            self._text(subset),
            self._labels(labels),
            self._typed(size, int),
            self._typed(mtime, int),
            self._media(media),
            self._typed(content, int),
        )
        return position, row

    def _labels(self, names: object) -> tuple[str, ...]:
        if isinstance(names, str) and (known := self._known_labels.get(names)) is not None:
            return known
        labels = self._read_labels(names)
        if len(self._known_labels) < _KNOWN_LABELS and isinstance(names, str):
            self._known_labels[names] = labels
        return labels

    def _all_labels(self, lists: Sequence[object]) -> list[tuple[str, ...]]:
        """Read lists of labels at once, which takes a third of the time; where one is damaged, one by one."""
        with contextlib.suppress(ValueError, TypeError, RecursionError):
            together = json.loads(f"[{','.join(lists)}]")  # type: ignore[arg-type]
            known = {name: name for name in itertools.chain.from_iterable(together)}
            if len(together) == len(lists) and all(isinstance(one, list) for one in together):
                "".join(known).encode()
                return [tuple(map(known.__getitem__, one)) for one in together]  # one text for each name
        return list(map(self._labels, lists))

    def _read_labels(self, names: object) -> tuple[str, ...]:
        with contextlib.suppress(ValueError, TypeError, RecursionError):
            labels = json.loads(names)  # type: ignore[arg-type]
            if isinstance(labels, list) and all(isinstance(label, str) for label in labels):
                "".join(labels).encode()  # a lone surrogate, which JSON can hold, could not be shown
                return tuple(labels)
        raise self.corrupt("a list of labels is not readable")

    def _media(self, value: object) -> str:
        media = "" if value is None else self._text(value)
        if "\0" in media or (value is not None and not media):
            raise self.corrupt("where the media of an item is cannot be read")
        return media

    def _text(self, value: object) -> str:
        return self._typed(value, str)

    def _typed(self, value: object, kind: type[_T]) -> _T:
        if not isinstance(value, kind):
            raise self.corrupt("a value has the wrong type")
        return value

    def corrupt(self, reason: str) -> IndexCorrupt:
        """Return the error that the table is damaged, and why."""
        return IndexCorrupt(f"the item table {self._path} is damaged: {reason}. Build the index again with --rebuild.")
