"""Builds of a large dataset in which little changed, against one look at each of its files.

Files of a few bytes, and an index that knows them all; everything warm. In turn: a plain walk (``os.scandir``, and
``stat`` of each file), and ``clipdex.build`` when nothing changed, after ten images were added (it loads the model, and
hashes them), renamed and removed, and without its note of what the dataset looked like, which then compares dataset and
index item by item.

With ``--month``: an index that gains a thousand made-up items ten times an hour, against one that was written at once.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from clipdex import build
from clipdex.encoder import Encoder, find_model
from clipdex.readers import FolderReader, UnreadableItem
from clipdex.version import WRITER
from clipdex_indexes import Index, IndexWriter, ItemRow, ModelStamp
from common import (
    BYTES,
    example_photos,
    interleaved,
    item_id,
    made_up_rows,
    medians,
    milliseconds,
    parse,
    random_keys,
    show_bar,
    show_command,
    show_table,
)

FACTOR, CHANGED_FACTOR, MONTH_FACTOR = 1.3, 2.0, 1.1
WALK, UNCHANGED, COMPARE = "`os.scandir` and `stat`", "build, nothing changed", "build, comparing every item"
ADDED, RENAMED, REMOVED = (f"build, ten images {what}" for what in ("added", "renamed", "removed"))
FEW = 10
BUILDS_A_DAY, ITEMS_A_BUILD = 240, 1000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1_000_000, help="(default: %(default)s)")
    parser.add_argument("--flat", action="store_true", help="all files in one folder, and not a thousand in each")
    parser.add_argument("--repeats", type=int, default=7, help="rounds (default: %(default)s)")
    parser.add_argument("--compare", action="store_true", help="measure the comparison of every item, too")
    parser.add_argument("--month", type=float, metavar="DAYS", help="let an index grow for so many days instead")
    arguments = parse(parser, files=1500, repeats=1, compare=True)
    show_command()
    with tempfile.TemporaryDirectory(prefix="clipdex-benchmark-") as folder:
        root = Path(folder, "data")
        if arguments.month is not None:
            measure_month(root, round(arguments.month * BUILDS_A_DAY), arguments.repeats)
            return
        make_files(root, arguments.files, flat=arguments.flat)
        write_index_of(root)
        measure(root, arguments.repeats, compare=arguments.compare)
        if arguments.tiny:
            measure_month(root / "month", 12, 1)


def make_files(root: Path, count: int, *, flat: bool = False) -> None:
    """Make files with the names of images, and a few bytes in them."""
    for number in range(count):
        path = root / (item_id(number).replace("/", "-") if flat else item_id(number))
        if number % 1000 == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d" % number)


def write_index_of(root: Path) -> None:
    """Write the index that a build would have made, had these files been images."""
    with IndexWriter(root / ".clipdex") as writer:
        writer.start(Encoder(find_model(None)).stamp, FolderReader.format, WRITER)
        writer.add(_rows(root))
        writer.commit()


def _rows(root: Path) -> Iterator[tuple[ItemRow, bytes]]:
    random = np.random.default_rng(0)
    for item in FolderReader(root).read():
        if isinstance(item, UnreadableItem):
            raise TypeError(item.reason)
        yield ItemRow(*item)._replace(content=1), random.bytes(BYTES)


def walk(root: Path) -> int:
    """Look at every file below a folder; return how many there are."""
    count = 0
    folders = [os.fspath(root)]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    entry.stat()
                    count += 1
    return count


def measure(root: Path, repeats: int, *, compare: bool) -> None:
    """Time the ways, and print them."""
    items = build(root).items
    build(root)  # notes what the folders look like
    manifest = root / ".clipdex" / "manifest.json"
    folders = sorted(path for path in root.iterdir() if path.is_dir() and path.name[0] != ".") or [root]
    images = [folders[number * len(folders) // FEW] / f"new {number}.jpg" for number in range(FEW)]
    photos = example_photos()[:FEW]

    def steady() -> None:
        before = manifest.read_bytes(), manifest.stat().st_mtime_ns
        report = build(root)
        if (report.unchanged, report.items) != (items, items):
            raise AssertionError(report)
        if (manifest.read_bytes(), manifest.stat().st_mtime_ns) != before:
            raise AssertionError("a build changed the manifest")

    def changed(expected: str) -> None:
        report = build(root)
        if report.unchanged != items or getattr(report, expected) != FEW:
            raise AssertionError(report)

    seconds: dict[str, list[float]] = {}
    for _ in range(repeats):
        for way, prepare, call in (
            (WALK, lambda: None, lambda: walk(root)),
            (UNCHANGED, lambda: None, steady),
            (ADDED, lambda: list(map(shutil.copy, photos, images)), lambda: changed("added")),
            (RENAMED, lambda: [path.rename(path.with_suffix(".jpeg")) for path in images], lambda: changed("renamed")),
            (REMOVED, lambda: [path.with_suffix(".jpeg").unlink() for path in images], lambda: changed("removed")),
            *([(COMPARE, (root / ".clipdex" / "unchanged.json").unlink, steady)] if compare else []),
        ):
            prepare()
            for name, values in interleaved({way: call}, 1, warm=False).items():
                seconds.setdefault(name, []).extend(values)
        build(root)
    middle = medians(seconds)
    print(f"{items:,} files:\n")
    show_table(
        ("way", "median s", "of the walk"),
        [(way, f"{took:.3g}", f"{took / middle[WALK]:.2f}") for way, took in middle.items()],
    )
    show_bar("build of unchanged files, of the walk", middle[UNCHANGED] / middle[WALK], FACTOR, at_most=True)
    slowest = max(middle[way] for way in (ADDED, RENAMED, REMOVED))
    show_bar("build after ten changes, of the walk", slowest / middle[WALK], CHANGED_FACTOR, at_most=True)


def measure_month(root: Path, builds: int, repeats: int) -> None:
    """Let an index grow by many commits; compare it with one of a single commit."""
    keys = random_keys(builds * ITEMS_A_BUILD)
    # Names as cameras give them: each commit adds to what is there in its own order.
    rng = np.random.default_rng(1)
    numbers = rng.permutation(len(keys))
    stamp = ModelStamp("keys", "", 8 * BYTES, "")

    def write(folder: Path, parts: Iterable[Sequence[int]]) -> None:
        for part in parts:
            with IndexWriter(folder) as writer:
                if writer.base is None:
                    writer.start(stamp, "keys", WRITER)
                writer.add(made_up_rows(keys, sorted(part)))
                writer.commit()

    grown, fresh = root / "grown", root / "fresh"
    write(grown, (numbers[start : start + ITEMS_A_BUILD].tolist() for start in range(0, len(keys), ITEMS_A_BUILD)))
    write(fresh, [range(len(keys))])
    queries = random_keys(20, seed=2)
    with Index(grown) as one, Index(fresh) as other:
        # One query at a time, as people ask.
        ways = {
            "grown": lambda: [one.search(query, 50) for query in queries],
            "fresh": lambda: [other.search(query, 50) for query in queries],
        }
        seconds = medians(interleaved(ways, repeats))
        indexes = {"grown": one, "fresh": other}
        print(f"{len(keys):,} items, {builds:,} builds of {ITEMS_A_BUILD:,} more:\n")
        show_table(
            ("index", "segments", "MB", "ms a query"),
            [
                (
                    name,
                    len(index.segments),
                    f"{index.size_on_disk() / 1e6:.1f}",
                    milliseconds(seconds[name] / len(queries)),
                )
                for name, index in indexes.items()
            ],
        )
        show_bar("size of the grown index", one.size_on_disk() / other.size_on_disk(), MONTH_FACTOR, at_most=True)
        show_bar("query of the grown index", seconds["grown"] / seconds["fresh"], MONTH_FACTOR, at_most=True)


if __name__ == "__main__":
    main()
