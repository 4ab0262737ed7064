"""The contract of readers, as a check for the tests of a reader.

``check_reader`` reads a small dataset with a reader in all the ways that clipdex does. It raises ``AssertionError``
where a later answer would be wrong. It needs no test framework. This module stands directly above ``readers``; nothing
in the engine imports it.
"""

from __future__ import annotations

import itertools
import re
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from clipdex.errors import ClipdexError, DatasetError, ImageError
from clipdex.media.decoding import load_image
from clipdex.media.locators import locator
from clipdex.media.opening import open_media
from clipdex.readers.base import (
    AWAY,
    DUPLICATE,
    MISSING,
    NO_IMAGE,
    NO_OPTIONS,
    UNREADABLE,
    Reader,
    ReadItem,
    UnreadableItem,
)
from clipdex.readers.ordering import in_item_order
from clipdex_indexes import valid_item_id

__all__ = ["check_reader"]

_FORMAT = re.compile(r"[a-z][a-z0-9_]*")
_KINDS = (UNREADABLE, MISSING, DUPLICATE, NO_IMAGE, AWAY)
_MOST_OPENED = 100
_THREADS = 4
# The expected items of a dataset: subset and labels, by id.
Expected = Mapping[str, tuple[str, tuple[str, ...]]]


def check_reader(
    reader_class: type[Reader],
    location: Path,
    *,
    options: Mapping[str, str] = NO_OPTIONS,
    items: Expected | None = None,
    failures: Mapping[str, str] | None = None,
    can_be_saved: bool = True,
) -> list[ReadItem]:
    """Check the contract of readers with a dataset of at least two items; return the items.

    Parameters
    ----------
    reader_class
        The reader.
    location
        A dataset in the format of the reader.
    options
        Options of the format.
    items
        The expected items: subset and labels, by id.
    failures
        The expected failures: kind, by id. All other items must be images.
    can_be_saved
        Whether the image of an item can be opened from its locator alone, as saving a result does.

    Raises
    ------
    AssertionError
        When the reader breaks the contract; the message says how.
    """
    location = location.absolute()
    _check_class(reader_class)
    _check_detection(reader_class, location)
    _check_options(reader_class, location, options)
    reader = reader_class(location, options)
    read = list(reader.read())
    images = [item for item in read if isinstance(item, ReadItem)]
    _require(len(images) >= 2, f"it found {len(images)} items: give it a dataset of at least two")
    for item in read:
        if isinstance(item, ReadItem):
            _check_item(item)
        else:
            _check_failure(item)
    _require(list(reader.read()) == read, "a second read of the same dataset gives something else")
    _require(list(reader_class(location, options).read()) == read, "another reader of the same dataset reads otherwise")
    _check_order(reader, images)
    _check_missing(reader_class, options)
    in_order = list(in_item_order(reader))
    left_out = [item for item in in_order if isinstance(item, UnreadableItem)]
    images = [item for item in in_order if isinstance(item, ReadItem)]
    if items is not None:
        _same({item.id: (item.subset, item.labels) for item in images}, dict(items), "items")
    if failures is not None:
        _same({failure.id: failure.kind for failure in left_out}, dict(failures), "failures")
    _check_media(reader, images[:_MOST_OPENED], can_be_saved=can_be_saved)
    return images


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise AssertionError(message)


def _same(actual: Mapping[str, object], expected: Mapping[str, object], what: str) -> None:
    """Require equal mappings; the message names the differences."""
    differences = [
        f"{key!r} is {actual.get(key, 'not there')!r} and should be {expected.get(key, 'not there')!r}"
        for key in sorted({*actual, *expected})
        if actual.get(key) != expected.get(key)
    ]
    _require(not differences, f"the {what} are not as expected: {'; '.join(differences)}")


def _check_class(reader_class: type[Reader]) -> None:
    name = getattr(reader_class, "format", None)
    _require(
        isinstance(name, str) and _FORMAT.fullmatch(name) is not None,
        f"format is {name!r}: it must be of lower case letters, digits and underscores",
    )
    _require(bool(reader_class.about), "about is empty: the command clipdex formats shows it")
    _require(all(reader_class.option_names.values()), "an option does not say what it is for")


def _check_detection(reader_class: type[Reader], location: Path) -> None:
    why = reader_class.detect(location)
    _require(
        isinstance(why, str) and bool(why), f"detect returns {why!r} for its own dataset: it must return the evidence"
    )
    with tempfile.TemporaryDirectory() as folder:
        unlike = Path(folder) / "unlike"
        unlike.mkdir()
        empty = unlike.with_name(location.name.translate({ord(wild): "x" for wild in "*?["}))
        empty.touch()
        noise = unlike.with_name("noise.dat")
        noise.write_bytes(bytes(range(256)))
        for path, what in (
            (unlike, "an empty folder"),
            (noise, "a file of noise"),
            (unlike / "nothing", "a path where nothing is"),
        ):
            answer = reader_class.detect(path)
            _require(answer is None, f"detect takes {what} for its own: {answer!r}")
        reader_class.detect(empty)  # may return either, but must not raise


def _check_options(reader_class: type[Reader], location: Path, options: Mapping[str, str]) -> None:
    reader = reader_class(location, options)
    _require(dict(reader.options) == dict(options), f"its options are {reader.options}, and {dict(options)} were given")
    _require(
        all(isinstance(value, str) for pair in reader.options.items() for value in pair),
        "names and values of options must be texts: the index remembers them",
    )
    try:
        reader_class(location, {**options, "no such option": "x"})
    except DatasetError:
        return
    raise AssertionError("it takes an option that it does not have: hand the options on to Reader.__init__")


def _check_item(item: ReadItem) -> None:
    shown = repr(item.id)
    _require(valid_item_id(item.id), f"the id {shown} is no relative path of names")
    _require(bool(item.subset), f"the subset of {shown} is empty: 'default' is the usual name where there are none")
    _require(
        isinstance(item.labels, tuple) and all(isinstance(label, str) and label for label in item.labels),
        f"the labels of {shown} are {item.labels!r}, and must be a tuple of texts that are not empty",
    )
    _require(len(set(item.labels)) == len(item.labels), f"a label of {shown} is there twice")
    _require(
        all(isinstance(number, int) for number in (item.size, item.mtime_ns, item.content)),
        f"size, mtime_ns and content of {shown} must be whole numbers",
    )
    _require("\0" not in item.media, f"the media of {shown} has a NUL in it")
    try:
        "".join((item.id, item.subset, item.media, *item.labels)).encode()
    except UnicodeEncodeError:
        raise AssertionError(f"a name of {shown} is not valid UTF-8: yield an UnreadableItem for it") from None


def _check_failure(failure: UnreadableItem) -> None:
    _require(failure.kind in _KINDS, f"the kind of the failure of {failure.id!r} is {failure.kind!r}: {_KINDS} exist")
    _require(bool(failure.reason), f"the failure of {failure.id!r} gives no reason")


def _check_order(reader: Reader, items: list[ReadItem]) -> None:
    if not reader.in_order:
        return
    for item, following in itertools.pairwise(items):
        _require(
            item.order < following.order,
            f"in_order is set, and {following.order} comes after {item.order}: sort by id and subset, or unset it",
        )


def _check_missing(reader_class: type[Reader], options: Mapping[str, str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            list(reader_class(Path(folder) / "nothing", options).read())
        except ClipdexError:
            return
    raise AssertionError("a location that does not exist raises no DatasetError")


def _check_media(reader: Reader, items: list[ReadItem], *, can_be_saved: bool) -> None:
    with ThreadPoolExecutor(_THREADS) as pool:
        contents = list(pool.map(lambda item: _content(reader, item), items))
    for item, content in zip(reversed(items), reversed(contents), strict=True):
        _require(_content(reader, item) == content, f"the media of {item.id!r} differs between threads")
        if can_be_saved:
            where = locator(reader.location, item.id, item.media)
            try:
                with open_media(where) as file:
                    same = file.read() == content
            except ImageError as error:
                raise AssertionError(f"the media of {item.id!r} cannot be opened at {where!r}: {error}") from error
            _require(same, f"what is at {where!r} is not the media of {item.id!r}")
    _require(len(set(contents)) > 1 or len(contents) < 2, "all items have the same image")


def _content(reader: Reader, item: ReadItem) -> bytes:
    """Return the bytes of an item, which must be an image."""
    try:
        opened = reader.open(item)
        load_image(opened)
        if isinstance(opened, Path):
            return opened.read_bytes()
        with opened:
            opened.seek(0)
            return opened.read()
    except (ImageError, OSError) as error:
        raise AssertionError(f"the media of {item.id!r} is no image: {error}") from error
