"""Tags of one's own: a small SQLite file that says which items have which tags, beside the folder of an index.

It is no part of the index. So it stays when the index is built again, also when its folder is deleted. Items are named
by id and subset, and need not be in the index any more. Several processes may write at the same time: each change is
one transaction of SQLite.

The file may come from elsewhere, so it is not trusted: it must have exactly our schema, its size, its rows and the
steps of a query are bounded, and every value that is read is checked.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from clipdex_indexes.errors import TagsFailure
from clipdex_indexes.storage.spelling import composed
from clipdex_indexes.storage.table import valid_item_id

APPLICATION_ID = 0x636C6974  # "clit"
_SCHEMA = (
    "CREATE TABLE tagged(id TEXT NOT NULL, subset TEXT NOT NULL, tag TEXT NOT NULL, PRIMARY KEY (id, subset, tag)) "
    "WITHOUT ROWID",
    "CREATE INDEX by_tag ON tagged(tag)",
)
_SUFFIX = ".tags.sqlite"
LONGEST_TAG = 100
MOST_TAGS = 10_000
_MAX_BYTES = 4 << 30
_MAX_TEXT = 1 << 16
# A row of a file that is not forged takes more: rows of a forged one could share pages, and be without end.
_LEAST_BYTES_A_ROW = 8
_STEPS_A_CALL = 100_000
_FREE_CALLS = 200
_STEPS_A_ROW = 1000
_ROWS_AT_ONCE = 10_000
_WAIT_SECONDS = 30.0
# A journal that ends like this names a second file, which SQLite would delete. We never write one.
_JOURNAL_MAGIC = bytes.fromhex("d9d505f920a163d7")

Named = tuple[str, str]
"""Id and subset of an item."""
_Read = Callable[[str, Sequence[str], "int | None"], list[Any]]
_T = TypeVar("_T")


def tags_path(folder: Path) -> Path:
    """Return the file with the tags of the items of the index in ``folder``."""
    return folder.with_name(folder.name + _SUFFIX)


def checked_tag(name: str) -> str:
    """Return the name of a tag, with composed letters.

    Raises
    ------
    ValueError
        When it is empty or too long, begins or ends with a space, or has characters that cannot be printed.
    """
    text = composed(name)
    if not text or text != text.strip() or not text.isprintable() or len(text) > LONGEST_TAG:
        raise ValueError(
            f"{name[:LONGEST_TAG]!r} cannot be a tag: that is 1 to {LONGEST_TAG} printable characters, without spaces "
            "at its ends."
        )
    return text


class TagFile:
    """The tags of the items of one index. Every method opens the file, so any thread and process may use it.

    Where there is no file, no item has a tag; the first tag makes it.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    TagsFailure
        From every method, when the file is damaged, cannot be read or written, or is being written for long.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def version(self) -> tuple[int, ...]:
        """Return what changes whenever the file does."""
        try:
            status = self.path.stat()
            with self.path.open("rb", buffering=0) as file:
                counter = file.read(100)[24:28]  # SQLite counts transactions in its header
        except OSError:
            return ()
        return status.st_ino, status.st_size, status.st_mtime_ns, int.from_bytes(counter, "big")

    def counts(self) -> dict[str, int]:
        """Return how many items have each tag, whether they are in the index or not, in the order of names."""
        with self._reading() as read:
            records = read("SELECT tag, count(*) FROM tagged GROUP BY tag ORDER BY tag", (), MOST_TAGS)
            return {self._tag(tag): self._typed(count, int) for tag, count in records}

    def items(self, tag: str) -> list[Named]:
        """Return the items that have a tag, in item order."""
        with self._reading() as read:
            records = read("SELECT id, subset FROM tagged WHERE tag = ? ORDER BY id, subset", (composed(tag),), None)
            return [self._named(item_id, subset) for item_id, subset in records]

    def of_items(self, items: Iterable[Named]) -> dict[Named, tuple[str, ...]]:
        """Return the tags of each of some items that has any."""
        found = {}
        with self._reading() as read:
            for item in items:
                records = read("SELECT tag FROM tagged WHERE id = ? AND subset = ? ORDER BY tag", item, MOST_TAGS)
                if records:
                    found[item] = tuple(self._tag(tag) for (tag,) in records)
        return found

    def add(self, tag: str, items: Iterable[Named]) -> int:
        """Give items a tag; return how many did not have it."""
        rows = [(item_id, subset, tag) for item_id, subset in items]
        if not rows:
            return 0
        with self._writing() as db:
            if not db.execute("SELECT 1 FROM tagged WHERE tag = ? LIMIT 1", (tag,)).fetchone():
                known = db.execute("SELECT count(DISTINCT tag) FROM tagged").fetchone()[0]
                if known >= MOST_TAGS:
                    raise TagsFailure(f"{self.path} has {known:,} tags, and can have {MOST_TAGS:,}: remove some.")
            return db.executemany("INSERT OR IGNORE INTO tagged VALUES (?,?,?)", rows).rowcount

    def remove(self, tag: str, items: Iterable[Named] | None = None) -> int:
        """Take a tag from items, or from all; return how many had it."""
        if not self._exists():
            return 0
        with self._writing() as db:
            if items is None:
                return db.execute("DELETE FROM tagged WHERE tag = ?", (composed(tag),)).rowcount
            rows = [(*item, composed(tag)) for item in items]
            return db.executemany("DELETE FROM tagged WHERE id = ? AND subset = ? AND tag = ?", rows).rowcount

    def rename(self, tag: str, new: str) -> int:
        """Give the items of one tag another instead, which others may have; return how many there were."""
        if not self._exists():
            return 0
        with self._writing() as db:
            old = composed(tag)
            if old == new:
                return int(db.execute("SELECT count(*) FROM tagged WHERE tag = ?", (old,)).fetchone()[0])
            db.execute("INSERT OR IGNORE INTO tagged SELECT id, subset, ? FROM tagged WHERE tag = ?", (new, old))
            return db.execute("DELETE FROM tagged WHERE tag = ?", (old,)).rowcount

    @contextlib.contextmanager
    def _reading(self) -> Iterator[_Read]:
        """Yield a function that returns the records of a statement; at most so many, where that is said."""
        with self._problems():
            if not self._is_there():
                yield lambda statement, parameters, most: []
                return
            with contextlib.closing(self._connect("rw")) as db:
                self._check(db)
                rows = self.path.stat().st_size // _LEAST_BYTES_A_ROW
                calls = _FREE_CALLS + rows * _STEPS_A_ROW // _STEPS_A_CALL

                def read(statement: str, parameters: Sequence[str], most: int | None) -> list[Any]:
                    left = calls

                    def out_of_steps() -> bool:
                        nonlocal left
                        left -= 1
                        return left < 0

                    db.set_progress_handler(out_of_steps, _STEPS_A_CALL)
                    limit = rows if most is None else most
                    records = db.execute(statement, tuple(parameters)).fetchmany(limit + 1)
                    if len(records) > limit:
                        raise self._damaged("it has more rows than it can have")
                    return records

                yield read

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Yield the file in a transaction, which is committed at the end; make the file where there is none."""
        with self._problems():
            is_there = self._is_there()
            with contextlib.closing(self._connect("rw" if is_there else "rwc")) as db:
                db.execute("BEGIN IMMEDIATE")
                try:
                    if self._is_empty(db):  # another process may have made it meanwhile
                        for statement in (*_SCHEMA, f"PRAGMA application_id={APPLICATION_ID}"):
                            db.execute(statement)
                    self._check(db)
                    yield db
                    db.execute("COMMIT")
                except BaseException:
                    with contextlib.suppress(sqlite3.Error):
                        db.execute("ROLLBACK")
                    raise

    def _exists(self) -> bool:
        with self._problems():
            return self._is_there()

    def _is_there(self) -> bool:
        """Tell whether there is a file, and refuse what is not one of ours before SQLite opens it."""
        journal = self.path.with_name(self.path.name + "-journal")
        for path in (self.path, journal):
            if path.is_symlink() or (path.exists() and not path.is_file()):
                raise self._damaged(f"{path.name} is not a regular file")
        # Another process may end its change, and delete the journal, at any moment.
        with contextlib.suppress(FileNotFoundError), journal.open("rb") as file:
            file.seek(max(0, journal.stat().st_size - len(_JOURNAL_MAGIC)))
            if file.read() == _JOURNAL_MAGIC:
                raise self._damaged(f"{journal.name} is not ours")
        if not self.path.exists():
            return False
        if self.path.stat().st_size > _MAX_BYTES:
            raise self._damaged(f"it is larger than the {_MAX_BYTES:,} bytes such a file can have")
        return True

    def _connect(self, mode: str) -> sqlite3.Connection:
        uri = f"{self.path.absolute().as_uri()}?mode={mode}"
        db = sqlite3.connect(uri, uri=True, timeout=_WAIT_SECONDS, isolation_level=None, check_same_thread=False)
        db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 4 * _MAX_TEXT)
        db.execute("PRAGMA trusted_schema=OFF")
        db.execute("PRAGMA cell_size_check=ON")
        return db

    def _is_empty(self, db: sqlite3.Connection) -> bool:
        return not db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()

    def _check(self, db: sqlite3.Connection) -> None:
        schema = {sql for (sql,) in db.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL").fetchmany(9)}
        if db.execute("PRAGMA application_id").fetchone() != (APPLICATION_ID,) or schema != set(_SCHEMA):
            raise self._damaged("it is not a file of tags")

    @contextlib.contextmanager
    def _problems(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OverflowError, UnicodeError, OSError) as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise TagsFailure(f"{self.path} is being written by another process: try again.") from error
            if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
                raise TagsFailure(
                    f"{self.path} cannot be opened or written: {error}. What was there is unchanged."
                ) from error
            if isinstance(error, OSError):
                raise TagsFailure(f"{self.path} cannot be read: {error.strerror or error}.") from error
            raise self._damaged(str(error)) from error

    def _damaged(self, reason: str) -> TagsFailure:
        return TagsFailure(
            f"the tags in {self.path} cannot be used: {reason}. Move that file away, or put a copy of it back. The "
            "index needs no tags."
        )

    def _named(self, item_id: object, subset: object) -> Named:
        named = self._typed(item_id, str), self._typed(subset, str)
        if not valid_item_id(named[0]) or max(map(len, named)) > _MAX_TEXT:
            raise self._damaged("it has an id that is no relative path")
        return named

    def _tag(self, value: object) -> str:
        try:
            return checked_tag(self._typed(value, str))
        except ValueError as error:
            raise self._damaged(str(error)) from error

    def _typed(self, value: object, kind: type[_T]) -> _T:
        if not isinstance(value, kind):
            raise self._damaged("a value has the wrong type")
        return value
