"""What the tests of the index share: small indexes, a brute-force oracle, and damage."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import faiss  # noqa: F401 - searches use it then, whatever their size
import numpy as np
import numpy.typing as npt
from hypothesis import HealthCheck, settings

from clipdex_indexes import Index, IndexWriter, ItemRow, ModelStamp, read_manifest, search
from clipdex_indexes.arrays import Masks
from clipdex_indexes.kernels.rows import DEFAULT_SIZES, ScanSizes
from clipdex_indexes.storage.manifest import Manifest, write_manifest
from clipdex_indexes.storage.segment import files_of, keys_path, stamp_of, table_path, write_segment
from helpers_amounts import EXAMPLES

POPCOUNT = np.array([bin(value).count("1") for value in range(256)], np.int64)

# Cuts a few hundred keys into chunks and blocks.
SMALL_SIZES = ScanSizes(
    smallest_chunk=300,
    one_thread_below=0,
    first_rows=20,
    short_array=200,
    rows_at_once=100,
    distances_at_once=128,
    queries_at_once=2,
    sampled_runs=4,
    sampled_rows=16,
    sampled_share=2,
    most_found=500,
)

# The same examples on every run and every machine, and no file left behind.
DETERMINISTIC = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=EXAMPLES.now,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=False,
)

Pair = tuple[ItemRow, bytes]


class Work:
    """What a search did: its chunks, the rows of each block that was compared, and the threads that compared them."""

    def __init__(self) -> None:
        self.chunks = 0
        self.blocks: list[int] = []
        self.threads: set[str] = set()
        self._lock = threading.Lock()

    def watch_chunks(self, monkeypatch, module) -> None:
        """Count the chunks that ``module`` deals out."""
        run_all = module.run_all

        def watched(call, parts, **options):
            def counted(part):
                with self._lock:
                    self.chunks += 1
                return call(part)

            return run_all(counted, parts, **options)

        monkeypatch.setattr(module, "run_all", watched)

    def watch_blocks(self, monkeypatch, owner, name: str, keys: int) -> None:
        """Note each call of ``owner.name``; argument number ``keys`` is the keys of the block, or its pieces."""
        compare = getattr(owner, name)

        def watched(*arguments):
            with self._lock:
                block = arguments[keys]
                self.blocks.append(sum(map(len, block)) if isinstance(block, list) else len(block))
                self.threads.add(threading.current_thread().name)
            return compare(*arguments)

        monkeypatch.setattr(owner, name, watched)

    def was_cut_up(self, most_rows: int) -> bool:
        """Tell whether only the pool worked, on chunks of several blocks, none of more than ``most_rows`` rows."""
        in_pool = bool(self.threads) and all(name.startswith("clipdex-search") for name in self.threads)
        return in_pool and len(self.blocks) > self.chunks > 1 and max(self.blocks) <= most_rows


def model_stamp(bits: int = 64) -> ModelStamp:
    return ModelStamp("toy", "0" * 64, bits, "f32")


def row(
    item_id: str,
    subset: str = "default",
    labels: tuple[str, ...] = ("cat",),
    size: int = 7,
    mtime: int = 11,
    media: str = "",
    content: int = 0,
) -> ItemRow:
    return ItemRow(item_id, subset, labels, size, mtime, media, content)


def in_order(pairs: Iterable[Pair]) -> list[Pair]:
    return sorted(pairs, key=lambda pair: pair[0][:2])


def random_pairs(count: int, bits: int, seed: int, distinct: int = 0) -> list[Pair]:
    """Items in folders, some ids in two subsets, with random keys; ``distinct`` keys only, where it is given."""
    rng = random.Random(seed)
    pool = [rng.randbytes(bits // 8) for _ in range(distinct)]
    pairs: dict[tuple[str, str], Pair] = {}
    while len(pairs) < count:
        folder = rng.choice(["", "a/", "a-b/", "a/b/", "é/", "\U0001f600/"])
        item = row(
            f"{folder}{rng.randrange(count * 2)}.jpg",
            rng.choice(["train", "val"]),
            tuple(rng.sample(["cat", "dog", "a, b", "猫"], rng.randrange(3))),
            rng.randrange(1 << 40),
            rng.randrange(1 << 62),
            rng.choice(["", "", "media/1.jpg", "/elsewhere/é.png"]),
            rng.randrange(-(1 << 63), 1 << 63),
        )
        pairs[item[:2]] = (item, rng.choice(pool) if pool else rng.randbytes(bits // 8))
    return in_order(pairs.values())


def split(pairs: Sequence[Pair], parts: int, seed: int) -> list[list[Pair]]:
    """Deal the items out at random, so that the segments interleave; no part is empty."""
    rng = random.Random(seed)
    owner = [*range(parts), *(rng.randrange(parts) for _ in range(len(pairs) - parts))]
    rng.shuffle(owner)
    return [[pair for pair, part in zip(pairs, owner, strict=True) if part == number] for number in range(parts)]


def write_index(folder: Path, parts: Sequence[Sequence[Pair]], bits: int) -> Path:
    """Write an index with exactly these segments, past the writer and its merging."""
    segments = folder / "segments"
    segments.mkdir(parents=True)
    stamps = [write_segment(segments, bits, in_order(part)) for part in parts]
    write_manifest(folder, Manifest(model_stamp(bits), "folder", 1, tuple(filter(None, stamps)), "test"))
    return folder


def apply(folder: Path, add: Iterable[Pair] = (), remove: Iterable[tuple[str, str]] = (), bits: int = 64, fresh=False):
    """Change an index the way a build does, and return what the commit said."""
    gone = set(remove)
    with IndexWriter(folder, fresh=fresh) as writer:
        if writer.base is None:
            writer.start(model_stamp(bits), "folder", "test")
        else:
            for location, item in writer.base.items():
                if item[:2] in gone:
                    writer.remove(location)
        writer.add(in_order(add))
        return writer.commit()


def oracle(datasets: Sequence[Sequence[Pair]], query: bytes, k: int) -> list[tuple[int, int, str, str]]:
    """Brute force: (distance, dataset, id, subset) of the k nearest, in the one order that is right."""
    wanted = int.from_bytes(query, "big")
    everything = [
        (bin(int.from_bytes(key, "big") ^ wanted).count("1"), number, item.id, item.subset)
        for number, pairs in enumerate(datasets)
        for item, key in pairs
    ]
    return sorted(everything)[:k]


def ask(
    indexes: Sequence[Index],
    queries: Sequence[bytes],
    k: int,
    selections: Sequence[Masks] | None = None,
    sizes: ScanSizes = DEFAULT_SIZES,
) -> list[list[tuple[int, int, str, str]]]:
    """What ``search`` answers, in the terms of the oracle."""
    keys = np.frombuffer(b"".join(queries), np.uint8).reshape(len(queries), -1)
    answers = []
    for found in search(indexes, keys, k, selections, sizes):
        rows = [indexes[one.index].rows([one.location])[0] for one in found]
        answers.append([(one.distance, one.index, item.id, item.subset) for one, item in zip(found, rows, strict=True)])
    return answers


def contents(index: Index) -> list[Pair]:
    return [(item, index.key(location).tobytes()) for location, item in index.items()]


def read(folder: Path) -> list[Pair]:
    with Index(folder) as opened:
        return contents(opened)


def segment_files(folder: Path) -> set[str]:
    return {path.name for path in (folder / "segments").iterdir()}


def live_files(folder: Path) -> set[str]:
    return {path.name for stamp in read_manifest(folder).segments for path in files_of(folder, stamp)}


def all_bytes(folder: Path) -> dict[str, bytes]:
    """Every file of an index but the lock."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "lock"
    }


def restamp(folder: Path, **changes: object) -> None:
    """Make the manifest agree with the segment files as they are now, as one who forges an index would."""
    manifest = read_manifest(folder)
    stamps = [
        replace(
            stamp,
            keys=stamp_of(keys_path(folder / "segments", stamp.name)),
            table=stamp_of(table_path(folder / "segments", stamp.name)),
            **changes,
        )
        for stamp in manifest.segments
    ]
    write_manifest(folder, replace(manifest, segments=tuple(stamps)))


def table_of(keys: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """All Hamming distances of these keys."""
    return POPCOUNT[keys[:, None, :] ^ keys[None, :, :]].sum(axis=-1).astype(int)


def complete_by_definition(table: npt.NDArray[np.int64], most: int) -> list[list[int]]:
    """Complete linkage: join the nearest two groups, the first of several, as long as they are near enough."""
    groups = [[one] for one in range(len(table))]
    while True:
        candidates = [
            (int(table[np.ix_(one, other)].max()), min(one[0], other[0]), max(one[0], other[0]), one, other)
            for one, other in combinations(groups, 2)
        ]
        if not candidates or (best := min(candidates, key=lambda candidate: candidate[:3]))[0] > most:
            return sorted(groups)
        *_, one, other = best
        groups = [group for group in groups if group is not one and group is not other] + [sorted(one + other)]
