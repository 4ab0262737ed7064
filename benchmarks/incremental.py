"""A build of a dataset in which nothing changed, against one look at each of its files.

Files of a few bytes, a thousand to a folder, and an index that knows them all; everything warm. In turn: a plain walk
(``os.scandir``, and ``stat`` of each file), ``clipdex.build`` as it is, and ``clipdex.build`` without its note of what
the dataset looked like, which then compares dataset and index item by item. No build may write anything.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from clipdex import build
from clipdex.encoder import Encoder, find_model
from clipdex.readers import FolderReader, UnreadableItem
from clipdex.version import WRITER
from clipdex_indexes import IndexWriter, ItemRow
from common import BYTES, interleaved, item_id, medians, parse, show_bar, show_command, show_table

FACTOR = 1.3
WALK, BUILD, COMPARE = "`os.scandir` and `stat`", "`clipdex.build`", "`clipdex.build`, comparing every item"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1_000_000, help="(default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=7, help="rounds (default: %(default)s)")
    parser.add_argument("--compare", action="store_true", help="measure the comparison of every item, too")
    arguments = parse(parser, files=1500, repeats=1, compare=True)
    show_command()
    with tempfile.TemporaryDirectory(prefix="clipdex-benchmark-") as folder:
        root = Path(folder, "data")
        make_files(root, arguments.files)
        write_index_of(root)
        measure(root, arguments.repeats, compare=arguments.compare)


def make_files(root: Path, count: int) -> None:
    """Make files with the names of images, and a few bytes in them."""
    for number in range(count):
        path = root / item_id(number)
        if number % 1000 == 0:
            path.parent.mkdir(parents=True)
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
    items = build(root).items  # leaves its note
    manifest = root / ".clipdex" / "manifest.json"
    before = manifest.read_bytes(), manifest.stat().st_mtime_ns

    def steady() -> None:
        report = build(root)
        if (report.unchanged, report.items) != (items, items):
            raise AssertionError(report)

    def comparing() -> None:
        (root / ".clipdex" / "unchanged.json").unlink()
        steady()

    ways = {WALK: lambda: walk(root), BUILD: steady} | ({COMPARE: comparing} if compare else {})
    seconds = medians(interleaved(ways, repeats))
    if (manifest.read_bytes(), manifest.stat().st_mtime_ns) != before:
        raise AssertionError("a build changed the manifest")
    print(f"{items:,} files:\n")
    rows = [(way, f"{took:.3g}", f"{took / seconds[WALK]:.2f}") for way, took in seconds.items()]
    show_table(("way", "median s", "of the walk"), rows)
    show_bar("build of unchanged files, of the walk", seconds[BUILD] / seconds[WALK], FACTOR, at_most=True)


if __name__ == "__main__":
    main()
