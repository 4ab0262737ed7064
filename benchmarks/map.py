"""Time, memory and neighbours of a map: t-SNE of landmarks, against the principal components of the same landmarks.

The keys are made up, of 512 bits: each is one of a thousand random keys with 12 % of its bits flipped. Measured in a
process of its own for each way: the time of a first map, of a map with a tenth more items, and of the kept map; the
greatest memory above that before (private memory: mapped keys are not counted).

The neighbours of 500 items on the map are looked at: which share of the 15 nearest are of the same of the thousand, and
which share of the 15 nearest by their keys are among the 100 nearest on the map. Folders of class folders are real
keys, hashed by the bundled model; the groups are then their classes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from common import BYTES, Keys, parse, show_command, show_table

_CLUSTERS, _FLIPPED = 1000, 0.12
_LOOKED_AT, _NEAR, _AROUND = 500, 15, 100
_WAYS = ("t-SNE", "PCA")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, help="folders of class folders, for the second table")
    parser.add_argument(
        "--keys", type=int, nargs="*", default=[100_000, 1_000_000], metavar="N", help="numbers of made-up keys"
    )
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)  # a process of its own
    arguments = parse(parser, keys=[600])
    if arguments.measure:
        measure(Path(arguments.measure[0]), int(arguments.measure[1]), arguments.measure[2])
        return
    show_command()
    rows: list[list[object]] = []
    with tempfile.TemporaryDirectory(prefix="clipdex-benchmark-") as scratch:
        for number in arguments.keys:
            keys, groups = clustered(number + number // 10)
            rows += [in_a_process(Path(scratch, f"{number}-{way}"), keys, groups, way, number) for way in _WAYS]
    header = ["keys, way", "first map, s", "CPU s", "a tenth more, s", "kept, s", "memory, MB"]
    if rows:
        show_table([*header, "15 nearest, same group", "15 nearest keys among 100"], rows)
    if arguments.folders:
        real = [row for folder in arguments.folders for row in of_folder(folder)]
        show_table(["images, way", "15 nearest, same class", "15 nearest keys among 100", "same class, by keys"], real)


def clustered(number: int) -> tuple[Keys, npt.NDArray[np.int64]]:
    """Return made-up keys, uint8 ``[number, BYTES]``, and the group of each."""
    rng = np.random.default_rng(0)
    middles = rng.integers(0, 256, (_CLUSTERS, BYTES), np.uint8)
    groups = rng.integers(0, _CLUSTERS, number)
    keys = middles[groups]
    for start in range(0, number, 50_000):
        part = keys[start : start + 50_000]
        part ^= np.packbits(rng.random((len(part), 8 * BYTES), np.float32) < _FLIPPED, axis=1)
    return keys, groups


def in_a_process(folder: Path, keys: Keys, groups: npt.NDArray[np.int64], way: str, first: int) -> list[object]:
    """Return a row of the first table."""
    folder.mkdir()
    np.save(folder / "keys.npy", keys)
    np.save(folder / "groups.npy", groups)
    command = [sys.executable, __file__, "--measure", str(folder), str(first), way]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout.splitlines()[-1])
    return [f"{first:,}, {way}", *found]


def measure(folder: Path, count: int, way: str) -> None:
    """Make maps of the keys in a folder, and print the cells of a row as JSON."""
    from clipdex.datasets.dataset import Dataset
    from clipdex.mapping.making import map_of
    from clipdex_indexes import Index
    from clipdex_indexes.storage.manifest import read_manifest, write_manifest
    from clipdex_indexes.storage.segment import write_segment
    from common import made_up_rows, write_index

    if way == "PCA":
        sys.modules["openTSNE"] = None  # type: ignore[assignment]
    keys, groups = np.load(folder / "keys.npy", mmap_mode="r"), np.load(folder / "groups.npy")
    index_folder = folder / "index"
    write_index(index_folder, np.array(keys[:count]))
    dataset = Dataset("made up", folder, Index(index_folder))
    before = private_memory()
    watch = Watch()
    begin, busy = time.perf_counter(), time.process_time()
    map_of([dataset])
    seconds, cpu = time.perf_counter() - begin, time.process_time() - busy
    memory = watch.stop() - before
    more = write_segment(index_folder / "segments", 8 * BYTES, made_up_rows(np.array(keys), range(count, len(keys))))
    manifest = read_manifest(index_folder)
    write_manifest(index_folder, replace(manifest, generation=2, segments=(*manifest.segments, more)))
    dataset.index.refresh()
    begin = time.perf_counter()
    map_of([dataset])
    placed = time.perf_counter() - begin
    begin = time.perf_counter()
    made = map_of([dataset])
    kept = time.perf_counter() - begin
    same, among, _ = neighbours(made.datasets[0].coordinates, np.array(keys), groups)
    cells = [f"{seconds:.1f}", f"{cpu:.1f}", f"{placed:.1f}", f"{kept:.2f}", f"{memory / 1e6:,.0f}"]
    print(json.dumps([*cells, f"{same:.2f}", f"{among:.2f}"]))


def of_folder(folder: Path) -> list[list[object]]:
    """Return the rows of the second table for one folder of class folders."""
    from clipdex import Explorer, build

    rows: list[list[object]] = []
    with tempfile.TemporaryDirectory(prefix="clipdex-benchmark-") as scratch:
        index = Path(scratch, "index")
        build(folder, index=index)
        for way in _WAYS:
            for kept in index.glob("*.map"):
                kept.unlink()
            hidden = sys.modules.get("openTSNE")
            if way == "PCA":
                sys.modules["openTSNE"] = None  # type: ignore[assignment]
            with Explorer(folder, index=index) as explorer:
                made = explorer.map()
                items = list(explorer.datasets[0].items())
                places = np.array([made.datasets[0].at(location) for location, _ in items], np.float32)
                keys = np.stack([explorer.datasets[0].index.key(location) for location, _ in items])
                names = [row.labels[:1] for _, row in items]
            if way == "PCA":
                sys.modules.pop("openTSNE")
                if hidden is not None:
                    sys.modules["openTSNE"] = hidden
            _, groups = np.unique([name[0] if name else "" for name in names], return_inverse=True)
            same, among, by_keys = neighbours(places, keys, groups)
            rows.append([f"{folder.name}, {len(items):,}, {way}", f"{same:.2f}", f"{among:.2f}", f"{by_keys:.2f}"])
    return rows


def neighbours(
    places: npt.NDArray[np.float32], keys: Keys, groups: npt.NDArray[np.int64]
) -> tuple[float, float, float]:
    """Return which share of the nearest on the map is of the same group, and of the nearest keys is near on the map.

    The third is the share of the nearest keys that is of the same group.
    """
    from clipdex_indexes.kernels.distances import hamming

    rng = np.random.default_rng(1)
    near, around = min(_NEAR, len(keys) - 1), min(_AROUND, len(keys) - 1)
    same, among, by_keys = [], [], []
    for one in rng.choice(len(keys), min(_LOOKED_AT, len(keys)), replace=False).tolist():
        apart = ((places - places[one]) ** 2).sum(axis=1)
        apart[one] = np.inf
        on_map = np.argpartition(apart, around - 1)[:around]
        nearest = on_map[np.argsort(apart[on_map], kind="stable")][:near]
        distances = hamming(keys, keys[one])
        distances[one] = 8 * BYTES + 1
        by_key = np.argpartition(distances, near - 1)[:near]
        same.append((groups[nearest] == groups[one]).mean())
        by_keys.append((groups[by_key] == groups[one]).mean())
        among.append(np.isin(by_key, on_map).mean())
    return float(np.mean(same)), float(np.mean(among)), float(np.mean(by_keys))


def private_memory() -> int:
    """Return the private memory of this process, in bytes."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) * 1024
    return 0


class Watch:
    """Looks at the private memory of this process twenty times a second, and remembers the greatest."""

    def __init__(self) -> None:
        self._greatest = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def _look(self) -> None:
        while not self._done.wait(0.05):
            self._greatest = max(self._greatest, private_memory())

    def stop(self) -> int:
        """Return the greatest memory so far, in bytes, and look no more."""
        self._done.set()
        self._thread.join()
        return max(self._greatest, private_memory())


if __name__ == "__main__":
    main()
