"""The index at ten million: exact search, k nearest of N random keys of 512 bits, against FAISS, usearch and NumPy.

All ways search the same keys, in turn, and must give the same distances. "Streaming" is the time that two threads take
to read the pages of the index once, which no search can beat. The index on disk is a real one, with made-up items.

Parts: ``kernels`` (distances a second of the ways to compare keys, on one thread), ``single`` (one query), ``few`` (8
queries), ``many`` (128 queries), ``filter`` (one query among a random 10 % and 0.1 % of the items), ``k``
(k = 10,000), ``merge`` (three queries, merged over all of them, or one of them negative), ``segments`` (one query, the
keys in 1, 10 and 100 segments), ``open`` (opening an index and answering the first item query, in a process of its own,
and its private memory), ``process`` (``clipdex query --output json`` for an item), ``disk`` (bytes on disk for an item
of a typical folder).

FAISS chooses its kernels by processor, once in a process. ``--levels`` runs everything again for other processors.
Where other work disturbs the threads of FAISS, they wait for each other, so that its time says little. Its processor
time on one thread says what it has to do.

``datum explore`` kept every key unpacked to one byte for each bit, and sorted all distances: its algorithm is run over
keys that are unpacked as they come, a million at a time.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import gc
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from clipdex.search.ranking import Question, rank
from clipdex_indexes import Index
from clipdex_indexes import search as search_indexes
from clipdex_indexes.kernels.hamming import nearest
from clipdex_indexes.kernels.matching import matcher_for
from clipdex_indexes.kernels.rows import DEFAULT_SIZES, Kernel
from common import (
    BYTES,
    Keys,
    installed,
    interleaved,
    item_id,
    medians,
    milliseconds,
    parse,
    random_keys,
    show_bar,
    show_command,
    show_machine,
    show_table,
    write_index,
)

Distances = npt.NDArray[np.int64]
Ways = dict[str, Callable[[], Distances]]

K = 50
LARGE_K = 10_000
BLOCK = 1_000_000
SEGMENTS = (1, 10, 100)
SHARES = (0.1, 0.001)
PARTS = ("kernels", "single", "few", "many", "filter", "k", "merge", "segments", "open", "process", "disk")
# What a bar holds for: numbers of keys.
_MANY_KEYS = 10 * BLOCK
# Of a made-up item on disk, its key included; with room for the temporary files.
_BYTES_PER_ITEM = 400
FAISS = "faiss `IndexBinaryFlat.search`"
SELECTOR = "faiss, `IDSelectorBitmap`"
SEARCH = "clipdex `search`, index on disk"
FAISS_ALONE = "the same, kept to one thread"
STREAMING = "streaming the same pages, 2 threads"
LEVEL = "FAISS_SIMD_LEVEL"

# Runs in a process of its own: prints seconds and bytes as JSON.
_OPEN = """
import json, sys, time
from pathlib import Path
import clipdex.search.explorer
from clipdex import ItemQuery
def private():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("RssAnon"))
before = private()
begin = time.perf_counter()
explorer = clipdex.search.explorer.Explorer(sys.argv[1])
opened = time.perf_counter()
result = explorer.explore_topk(ItemQuery(sys.argv[2]))
answered = time.perf_counter()
print(json.dumps([opened - begin, answered - opened, answered - begin, private(), private() - before]))
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, nargs="+", default=[BLOCK, 10 * BLOCK], metavar="N", help="numbers of keys")
    parser.add_argument("--parts", choices=PARTS, nargs="+", default=PARTS, metavar="PART", help="what to measure")
    parser.add_argument("--repeats", type=int, default=9, help="rounds of a single query (default: %(default)s)")
    parser.add_argument(
        "--folder", type=Path, help="where the indexes lie: kept, and used again (default: a temporary folder)"
    )
    parser.add_argument("--levels", nargs="+", metavar="LEVEL", help=f"values of {LEVEL}, each in a process of its own")
    arguments = parse(parser, keys=[2000], repeats=1)
    if arguments.levels:
        before = sys.argv[: sys.argv.index("--levels")]
        for level in arguments.levels:
            # What was printed must be before what the process prints.
            sys.stdout.flush()
            subprocess.run([sys.executable, *before], check=True, env={**os.environ, LEVEL: level})
        return
    show_command()
    show_machine(faiss.get_compile_options().strip())
    with contextlib.ExitStack() as stack:
        folder = arguments.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="clipdex-benchmark-")))
        for number in arguments.keys:
            measure(number, set(arguments.parts), arguments.repeats, folder)
            gc.collect()


def indexed(folder: Path, keys: Keys, segments: int = 1) -> Path:
    """Return the folder of an index of these keys, which is made if it is not there yet."""
    dataset = folder / str(len(keys)) / str(segments)
    if not (dataset / ".clipdex").exists():
        dataset.mkdir(parents=True)
        if shutil.disk_usage(dataset).free < len(keys) * _BYTES_PER_ITEM:
            raise SystemExit(f"{folder} has no room for an index of {len(keys):,} items: name another with --folder")
        write_index(dataset / ".clipdex", keys, segments)
    return dataset


def measure(number: int, parts: set[str], repeats: int, folder: Path) -> None:
    """Measure everything with ``number`` keys."""
    keys = random_keys(number)
    dataset = indexed(folder, keys)
    with Index(dataset / ".clipdex") as index:
        if parts & {"kernels", "single", "few", "many", "filter", "k"}:
            flat = faiss.IndexBinaryFlat(8 * BYTES)
            flat.add(keys)
            measured: dict[str, Callable[[], None]] = {
                "kernels": lambda: measure_kernels(keys, repeats),
                "single": lambda: measure_single(keys, index, flat, repeats),
                "few": lambda: measure_few(keys, index, flat, repeats),
                "many": lambda: measure_many(keys, index, flat, _fewer(repeats, 3)),
                "filter": lambda: measure_filters(keys, index, flat, repeats),
                "k": lambda: measure_large_k(index, flat, repeats),
            }
            for name, run in measured.items():
                if name in parts:
                    run()
        if "merge" in parts:
            measure_merging(index, repeats)
        if "disk" in parts:
            size = index.size_on_disk()
            print(f"{number:,} items: {size / 1e6:,.0f} MB on disk.\n")
            _show_bar(number, "disk, beyond the keys", size / number - BYTES, 70, unit="bytes an item")
    if "open" in parts:
        measure_open(dataset, number, repeats)
    if "process" in parts:
        measure_process(dataset, number, repeats)
    if "segments" in parts:
        measure_segments(keys, repeats, folder)


def measure_kernels(keys: Keys, repeats: int) -> None:
    """Compare blocks of keys with queries on one thread, as the scan does, and by the other kernels of FAISS."""
    faiss.omp_set_num_threads(1)
    most = min(len(keys), 1 << 19)
    keys = keys[:most]
    rows = []
    for count in (1, 8, 64):
        queries = random_keys(count, seed=1)
        # A bound that few keys are within, as nearly all of a scan has it.
        limits = np.full(count, 200, np.int32)
        ways: dict[str, Callable[[], object]] = {
            f"`{kernel}`{' (used)' if kernel == ('range' if count == 1 else 'all') else ''}": functools.partial(
                _scan_by, kernel, keys, queries, limits
            )
            for kernel in ("range", "all")
        }
        ways["`match_hamming_thres`"] = functools.partial(_match, keys, queries, 200)
        flat = faiss.IndexBinaryFlat(8 * BYTES)
        flat.add(keys)
        ways["`IndexBinaryFlat.search`"] = functools.partial(flat.search, queries, min(K, len(keys)))
        busy: dict[str, list[float]] = {}
        interleaved(ways, repeats, busy=busy)
        rows += [[name, count, f"{len(keys) * count / value / 1e9:.2f}"] for name, value in medians(busy).items()]
    faiss.omp_set_num_threads(os.cpu_count() or 1)
    print(f"{len(keys):,} keys, one thread, billions of distances in a second of processor time:\n")
    show_table(["kernel", "queries", "rate"], rows)


def _scan_by(kernel: Kernel, keys: Keys, queries: Keys, limits: npt.NDArray[np.int32]) -> None:
    most = DEFAULT_SIZES.block_rows(len(queries), kernel)
    matcher = matcher_for(queries, kernel, min(most, len(keys)))
    for start in range(0, len(keys), most):
        matcher.within([keys[start : start + most]], limits)


def _match(keys: Keys, queries: Keys, limit: int) -> None:
    size = min(1 << 14, len(keys))
    pairs, distances = np.empty(2 * size, np.int64), np.empty(size, np.int32)
    found = faiss.swig_ptr(pairs), faiss.swig_ptr(distances)
    for start in range(0, len(keys), size):
        block = keys[start : start + size]
        for query in queries:
            faiss.match_hamming_thres(
                faiss.swig_ptr(query), faiss.swig_ptr(block), 1, len(block), limit, BYTES, *found
            )  # fmt: skip


def measure_single(keys: Keys, index: Index, flat: Any, repeats: int) -> None:  # noqa: ANN401
    """One query, by all ways."""
    query = random_keys(1, seed=1)
    ways = _ways(keys, index, flat, query, K)
    found = _compare(f"{len(keys):,} keys, a single query, k={K}", ways, repeats, index, _slow_ways(keys, query[0]))
    limit = 1.2 if len(keys) >= _MANY_KEYS else 1.4
    _show_bar(len(keys), "`search`, of streaming", found[SEARCH] / found[STREAMING], limit, least=BLOCK)
    _show_bar(len(keys), "`search`, of faiss", found[SEARCH] / found[FAISS], 0.62)


def measure_few(keys: Keys, index: Index, flat: Any, repeats: int) -> None:  # noqa: ANN401
    """8 queries in one call, and each alone."""
    queries = random_keys(8, seed=1)
    alone = "clipdex `search`, index on disk, one by one"
    ways = _ways(keys, index, flat, queries, K)
    ways[alone] = lambda: np.concatenate([_search(index, query) for query in queries[:, None]])
    found = _compare(f"{len(keys):,} keys, 8 queries, k={K}", ways, repeats, index)
    _show_bar(len(keys), "8 queries, of faiss", found[SEARCH] / found[FAISS], 0.8)
    _show_bar(len(keys), "8 queries, of 8 single queries", found[SEARCH] / found[alone], 0.8)


def measure_many(keys: Keys, index: Index, flat: Any, repeats: int) -> None:  # noqa: ANN401
    """128 queries in one call."""
    ways = _ways(keys, index, flat, random_keys(128, seed=1), K)
    found = _compare(f"{len(keys):,} keys, 128 queries, k={K}", ways, repeats, index)
    limit = 0.78 if "VPOPCNT" in faiss.get_compile_options() else 0.85
    _show_bar(len(keys), "`search`, of faiss", found[SEARCH] / found[FAISS], limit)


def measure_merging(index: Index, repeats: int) -> None:
    """Three queries, merged by the rules that look at every item, against the plain list."""
    three = [Question(key, "image") for key in random_keys(3, seed=1)]
    negative = [*three[:2], Question(three[2].key, "image", negative=True)]
    modes = {
        "the plain list (`--merge any`)": ("any", three),
        "good for all (`--merge all`)": ("all", three),
        "one of them negative": ("any", negative),
    }
    ways = {
        name: functools.partial(rank, [index], questions, K, mode=mode) for name, (mode, questions) in modes.items()
    }
    busy: dict[str, list[float]] = {}
    found = medians(interleaved(ways, repeats, busy=busy))
    worked = medians(busy)
    print(f"{len(index):,} keys, three queries, k={K}:\n")
    plain = next(iter(modes))
    show_table(
        ["list", "median ms", "of the plain list", "processor ms", "of the plain list"],
        [
            [
                name,
                milliseconds(value),
                f"{value / found[plain]:.2f}",
                milliseconds(worked[name]),
                f"{worked[name] / worked[plain]:.2f}",
            ]
            for name, value in found.items()
        ],
    )
    for name in list(modes)[1:]:
        _show_bar(len(index), f"{name}, of the plain list", found[name] / found[plain], 2.5)


def measure_filters(keys: Keys, index: Index, flat: Any, repeats: int) -> None:  # noqa: ANN401
    """One query among a random share of the items; the masks are made before."""
    query = random_keys(1, seed=1)
    rng = np.random.default_rng(2)
    for share, limit in zip(SHARES, (1.2, 0.2), strict=True):
        mask = rng.random(len(keys)) < share
        ends = np.cumsum([len(segment.keys) for segment in index.segments])[:-1]
        selection = np.split(mask, ends)
        bits = np.packbits(mask, bitorder="little")
        parameters = faiss.SearchParameters(sel=faiss.IDSelectorBitmap(len(mask), faiss.swig_ptr(bits)))
        filtered, unfiltered = f"{SEARCH}, filtered", f"{SEARCH}, unfiltered"
        ways: Ways = {
            filtered: lambda selection=selection: _distances(search_indexes([index], query, K, [selection])),
            SELECTOR: lambda parameters=parameters: _of_faiss(flat, query, K, params=parameters),
        }
        _check_equal(ways)
        found = medians(
            interleaved(
                {
                    **ways,
                    unfiltered: lambda: search_indexes([index], query, K),
                    FAISS: lambda: flat.search(query, K),
                },
                repeats,
                warm=False,
            )
        )
        print(f"{len(keys):,} keys, a single query among {share:.1%} of them, k={K}:\n")
        rows = [
            *((name, found[unfiltered]) for name in (filtered, unfiltered)),
            *((name, found[FAISS]) for name in (SELECTOR, FAISS)),
        ]
        show_table(
            ["way", "median ms", "of unfiltered"],
            [[name, milliseconds(found[name]), f"{found[name] / whole:.2f}"] for name, whole in rows],
        )
        _show_bar(len(keys), f"{share:.1%} of the items, of unfiltered", found[filtered] / found[unfiltered], limit)


def measure_large_k(index: Index, flat: Any, repeats: int) -> None:  # noqa: ANN401
    """One query with a large k."""
    query = random_keys(1, seed=1)
    found = medians(
        interleaved(
            {
                f"{SEARCH}, k={K}": lambda: search_indexes([index], query, K),
                f"{SEARCH}, k={LARGE_K}": lambda: search_indexes([index], query, LARGE_K),
                f"{FAISS}, k={LARGE_K}": lambda: flat.search(query, LARGE_K),
            },
            repeats,
        )
    )
    print(f"{len(index):,} keys, a single query, k={LARGE_K}:\n")
    show_table(["way", "median ms"], [[name, milliseconds(value)] for name, value in found.items()])
    small, large, _ = found.values()
    _show_bar(len(index), f"k={LARGE_K}, of k={K}", large / small, 1.4)


def measure_segments(keys: Keys, repeats: int, folder: Path) -> None:
    """One query over the same keys in 1, 10 and 100 segments."""
    number, query = len(keys), random_keys(1, seed=1)
    indexes = {f"{count} segments": Index(indexed(folder, keys, count) / ".clipdex") for count in SEGMENTS}
    ways = {name: functools.partial(_search, index, query) for name, index in indexes.items()}
    _check_equal(ways)
    busy: dict[str, list[float]] = {}
    found = medians(interleaved(ways, 3 * repeats, warm=False, busy=busy))
    worked = medians(busy)
    print(f"{number:,} keys in several segments, a single query, k={K}:\n")
    whole = found[f"{SEGMENTS[0]} segments"]
    show_table(
        ["segments", "median ms", "of one", "processor ms"],
        [
            [
                len(indexes[name].segments),
                milliseconds(value),
                f"{value / whole:.2f}",
                milliseconds(worked[name]),
            ]
            for name, value in found.items()
        ],
    )
    for count, limit in zip(SEGMENTS[1:], (1.1, 1.1) if number >= _MANY_KEYS else (1.15, 1.35), strict=True):
        _show_bar(number, f"{count} segments, of one", found[f"{count} segments"] / whole, limit, least=BLOCK)
    for index in indexes.values():
        index.close()


def measure_open(folder: Path, number: int, repeats: int) -> None:
    """Open an index and answer the first item query, each time in a new process."""
    command = [sys.executable, "-c", _OPEN, str(folder), item_id(number // 2)]
    runs = [
        json.loads(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(_fewer(repeats, 2))
    ]
    opening, answering, both, private, more = (float(np.median(values)) for values in zip(*runs, strict=True))
    print(f"{number:,} items, a new process, the first item query:\n")
    show_table(
        ["stage", "median"],
        [
            ["open the index, ms", milliseconds(opening)],
            ["answer, ms", milliseconds(answering)],
            ["private memory of the process, MB", f"{private / 1e6:.0f}"],
            ["of that since the imports, MB", f"{more / 1e6:.0f}"],
        ],
    )
    _show_bar(number, "open and answer", both, 0.3, unit="s")
    _show_bar(number, "private memory", private / 1e6, 150, unit="MB")


def measure_process(folder: Path, number: int, repeats: int) -> None:
    """Time whole processes of an item query."""
    command = [sys.executable, "-m", "clipdex_cli", "query", str(folder), "--item", item_id(number // 2)]
    # The last result is remembered there: not in the user's own folder.
    environment = {**os.environ, "XDG_STATE_HOME": str(folder / "state")}
    run = functools.partial(
        subprocess.run, [*command, "--output", "json"], check=True, stdout=subprocess.DEVNULL, env=environment
    )
    name = "`clipdex query --item ... --output json`"
    found = medians(interleaved({name: run}, _fewer(repeats, 2), warm=repeats > 1))[name]
    print(f"{number:,} items, whole processes:\n")
    show_table(["process", "median ms"], [[name, milliseconds(found)]])
    _show_bar(number, f"{number:,} items, {name}, whole process", found, 1.0, unit="s")


def _fewer(repeats: int, divisor: int) -> int:
    """Return a fraction of the rounds for what takes long: at least three, where there are as many."""
    return min(repeats, max(3, repeats // divisor))


def _show_bar(number: int, what: str, value: float, limit: float, unit: str = "x", least: int = _MANY_KEYS) -> None:
    if number >= least:
        show_bar(what, value, limit, at_most=True, unit=unit)


def _ways(keys: Keys, index: Index, flat: Any, queries: Keys, k: int) -> Ways:  # noqa: ANN401
    ways: Ways = {
        SEARCH: lambda: _distances(search_indexes([index], queries, k)),
        "clipdex `hamming.nearest`, keys in memory": lambda: np.stack(
            [found[0].distances for found in nearest([keys], queries, k)]
        ),
        FAISS: lambda: _of_faiss(flat, queries, k),
        FAISS_ALONE: lambda: _on_one_thread(lambda: _of_faiss(flat, queries, k)),
    }
    if not installed("usearch"):
        return ways
    from usearch.index import MetricKind
    from usearch.index import search as exact

    ways["usearch, exact"] = lambda: np.atleast_2d(
        exact(keys, queries, k, MetricKind.Hamming, exact=True).distances
    ).astype(np.int64)
    return ways


def _on_one_thread(call: Callable[[], Distances]) -> Distances:
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        return call()
    finally:
        faiss.omp_set_num_threads(threads)


def _of_faiss(flat: Any, queries: Keys, k: int, **settings: Any) -> Distances:  # noqa: ANN401
    distances, positions = flat.search(queries, k, **settings)
    # Where there are fewer than k, FAISS fills up.
    return distances[:, : (positions[0] >= 0).sum()].astype(np.int64)


def _search(index: Index, query: Keys) -> Distances:
    return _distances(search_indexes([index], query, K))


def _distances(answers: list[list[Any]]) -> Distances:
    return np.array([[one.distance for one in found] for found in answers])


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


def _compare(title: str, ways: Ways, repeats: int, index: Index, slow: Ways | None = None) -> dict[str, float]:
    """Time all ways, print them, and return their medians.

    Slow ways take turns among themselves: in the seconds that they take, the system takes the pages of the index from
    the process, and the next of the others would pay for that.
    """
    slow = slow or {}
    _check_equal({**ways, **slow})
    streaming = functools.partial(_stream, [segment.keys for segment in index.segments])
    busy: dict[str, list[float]] = {}
    times = interleaved({**ways, STREAMING: streaming}, repeats, busy=busy)
    times |= interleaved(slow, _fewer(repeats, 3), warm=False, busy=busy)
    found = medians(times)
    print(f"{title}:\n")
    show_table(
        ["way", "median ms", "of faiss", "processor ms"],
        [
            [name, milliseconds(value), f"{value / found[FAISS]:.2f}", milliseconds(medians(busy)[name])]
            for name, value in found.items()
        ],
    )
    return found


def _stream(arrays: Sequence[Keys]) -> None:
    parts = [part for keys in arrays for part in np.array_split(_aligned(keys.reshape(-1)), 8)]
    list(_two_threads().map(np.bitwise_xor.reduce, parts))


def _aligned(values: Keys) -> npt.NDArray[np.uint64]:
    """Return all but a few bytes as words: keys begin after the head of their file, and NumPy copies what is askew."""
    begin = -values.ctypes.data % 8
    return values[begin : begin + (len(values) - begin) // 8 * 8].view(np.uint64)


@functools.cache
def _two_threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(2)


def _check_equal(ways: Ways) -> None:
    first, *others = ((name, call()) for name, call in ways.items())
    for name, distances in others:
        if not np.array_equal(distances, first[1]):
            raise SystemExit(f"{name} and {first[0]} give different distances")


if __name__ == "__main__":
    main()
