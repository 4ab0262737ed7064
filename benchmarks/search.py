"""Time of an exact search, k nearest of N random keys of 512 bits, against FAISS, NumPy and ``datum explore``.

All ways search the same keys, in turn, and must give the same distances. ``datum explore`` kept every key unpacked to
one byte for each bit, and sorted all distances. Its algorithm is run as it was over a million keys, and over more in
blocks of a million, unpacked as they come. "Streaming" is the time that two threads take to read the same bytes once,
which no search can beat. The index on disk is a real one: one segment, with an item table of made-up items.
"""

from __future__ import annotations

import argparse
import functools
import gc
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import faiss
import numpy as np
import numpy.typing as npt

from clipdex_indexes import Index
from clipdex_indexes import search as search_indexes
from clipdex_indexes.hamming import nearest
from common import (
    BYTES,
    Keys,
    interleaved,
    medians,
    milliseconds,
    random_keys,
    show_bar,
    show_command,
    show_table,
    write_index,
)

Distances = npt.NDArray[np.int64]
Ways = dict[str, Callable[[], Distances]]

K = 50
BLOCK = 1_000_000
BAR_KEYS = 10_000_000
BAR = 0.65
# Of a made-up item on disk, its key included; with room for the temporary files.
_BYTES_PER_ITEM = 400
FAISS = "faiss `IndexBinaryFlat.search`"
STREAMING = "streaming the bytes, 2 threads"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, nargs="+", default=[BLOCK, BAR_KEYS], metavar="N", help="numbers of keys")
    parser.add_argument("--queries", type=int, nargs="+", default=[1, 128], metavar="Q", help="queries in one call")
    parser.add_argument("--repeats", type=int, default=9, help="rounds of a single query (default: %(default)s)")
    parser.add_argument("--no-disk", action="store_true", help="leave out the index on disk")
    arguments = parser.parse_args()
    show_command()
    for number in arguments.keys:
        with tempfile.TemporaryDirectory(prefix="clipdex-benchmark-") as folder:
            measure(number, arguments.queries, arguments.repeats, None if arguments.no_disk else Path(folder))
        gc.collect()


def measure(number: int, counts: list[int], repeats: int, folder: Path | None) -> None:
    """Time all ways over ``number`` keys, for each number of queries."""
    keys = random_keys(number)
    index = None
    if folder is not None and shutil.disk_usage(folder).free > number * _BYTES_PER_ITEM:
        write_index(folder / "index", keys)
        opening = medians(interleaved({"open": lambda: Index(folder / "index").close()}, 3))["open"]
        index = Index(folder / "index")
        size = index.size_on_disk() / 1e6
        print(f"{number:,} items: {size:,.0f} MB on disk, opened in {milliseconds(opening)} ms.\n")
    flat = faiss.IndexBinaryFlat(8 * BYTES)
    flat.add(keys)
    for count in counts:
        queries = random_keys(count, seed=1)
        ways = _ways(keys, index, flat, queries)
        if count == 1:
            ways.update(_slow_ways(keys, queries[0]))
        _check_equal(ways)
        rounds = repeats if count == 1 else max(3, repeats // 3)
        found = medians(interleaved({**ways, STREAMING: functools.partial(_stream, keys)}, rounds, warm=False))
        print(f"{number:,} keys, {'a single query' if count == 1 else f'{count} queries'}, k={K}:\n")
        show_table(
            ["way", "median ms", "of faiss"],
            [[name, milliseconds(value), f"{value / found[FAISS]:.2f}"] for name, value in found.items()],
        )
        if count == 1 and number == BAR_KEYS:
            for name in (name for name in found if name.startswith("clipdex")):
                show_bar(f"{name}, of faiss", found[name] / found[FAISS], BAR, at_most=True)
    if index is not None:
        index.close()


def _ways(keys: Keys, index: Index | None, flat: faiss.IndexBinaryFlat, queries: Keys) -> Ways:
    ways: Ways = {
        "clipdex `hamming.nearest`": lambda: np.stack([found[0].distances for found in nearest([keys], queries, K)])
    }
    if index is not None:
        ways["clipdex `search`, index on disk"] = lambda: np.array(
            [[one.distance for one in found] for found in search_indexes([index], queries, K)]
        )
    ways[FAISS] = lambda: flat.search(queries, K)[0].astype(np.int64)
    return ways


def _slow_ways(keys: Keys, query: Keys) -> Ways:
    words, query_words = keys.view(np.uint64), query.view(np.uint64)

    def with_numpy() -> Distances:
        distances = np.bitwise_count(words ^ query_words).sum(axis=1, dtype=np.uint16)
        at = np.argpartition(distances, K)[:K]
        return np.sort(distances[at]).astype(np.int64)[None]

    bits = np.unpackbits(query)
    if len(keys) <= BLOCK:
        unpacked = np.unpackbits(keys, axis=1)
        return {"NumPy, `argpartition`": with_numpy, "`datum explore`": lambda: _explore(unpacked, bits)[None]}

    def explore_blocks() -> Distances:
        parts = [
            _explore(np.unpackbits(keys[start : start + BLOCK], axis=1), bits) for start in range(0, len(keys), BLOCK)
        ]
        return np.sort(np.concatenate(parts))[None, :K]

    return {"NumPy, `argpartition`": with_numpy, "`datum explore`, unpacking and sorting blocks": explore_blocks}


def _explore(unpacked: npt.NDArray[np.uint8], query: npt.NDArray[np.uint8]) -> Distances:
    distances = np.count_nonzero(unpacked != query, axis=1)
    return distances[np.argsort(distances)][:K]


def _stream(keys: Keys) -> None:
    halves = np.array_split(keys.view(np.uint64).reshape(-1), 2)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(np.bitwise_xor.reduce, halves))


def _check_equal(ways: Ways) -> None:
    first, *others = ((name, call()) for name, call in ways.items())
    for name, distances in others:
        if not np.array_equal(distances, first[1]):
            raise SystemExit(f"{name} and {first[0]} give different distances")


if __name__ == "__main__":
    main()
