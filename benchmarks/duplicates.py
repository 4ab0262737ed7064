"""Time to find all pairs of keys within a distance, against FAISS comparing each key with all, and to link them.

The keys have 512 bits. They are random, or clustered as those of real images are: 20,000 groups in 1,000 classes, with
12 % of the bits of a key flipped from its group, and 18 % of those of a group from its class. One key in a hundred is a
copy of another with up to as many bits flipped as the distance allows. FAISS gets a part of the keys as queries
(``IndexBinaryFlat.range_search``, all its threads), and its time for all is extrapolated from that. CPU seconds tell
less of what else the machine does. The pairs of that part must be the same. ``--multihash`` adds FAISS with an index
for such searches, ``IndexBinaryMultiHash``, made and asked.

A group that runs away is a series of keys, each with up to 8 bits flipped of the one before, as the frames of a film
are. Its greatest distance and its groups by complete linkage within 16 bits are compared with all its pairs of keys.

The photographs of the examples are hashed as they are, and in the seven other orientations.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import tempfile
import time

import faiss
import numpy as np
import numpy.typing as npt

from clipdex import build, find_duplicates
from clipdex_indexes.kernels.linkage import KeyDistances, complete_linkage, greatest_distance, widest
from clipdex_indexes.kernels.pairs import make_plan, near_pairs, words_of
from common import BYTES, Keys, example_photos, parse, random_keys, show_bar, show_command, show_table

Triples = set[tuple[int, int, int]]

BAR_MINUTES = 5.0
KINDS = ("random", "clustered")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=1_000_000, metavar="N", help="number of keys")
    parser.add_argument("--distances", type=int, nargs="+", default=[16, 32, 48], metavar="D", help="bits")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS, metavar="KIND", help="random, clustered")
    parser.add_argument("--part", type=int, default=2000, metavar="N", help="keys that FAISS is given as queries")
    parser.add_argument("--series", type=int, nargs="+", default=[5000, 20_000], metavar="N", help="keys of a series")
    parser.add_argument("--photos", type=int, default=40, metavar="N", help="photographs to hash")
    parser.add_argument("--multihash", action="store_true", help="compare with IndexBinaryMultiHash too")
    arguments = parse(parser, keys=4000, distances=[4, 48], part=20, multihash=True, series=[200], photos=2)
    show_command()
    rows, multihash = [], []
    for kind, distance in itertools.product(arguments.kinds, arguments.distances):
        keys = random_keys(arguments.keys) if kind == "random" else clustered_keys(arguments.keys)
        plant(keys, distance)
        plan = make_plan(words_of([keys]), distance)
        begin, busy = time.perf_counter(), time.process_time()
        ours = [np.stack([block.first, block.second, block.distances]) for block in near_pairs([keys], distance)]
        seconds, busy = time.perf_counter() - begin, time.process_time() - busy
        found = np.concatenate(ours, axis=1)
        with_faiss, faiss_busy, expected = compare_with_faiss(keys, distance, arguments.part)
        if {tuple(triple) for triple in found[:, found[1] >= len(keys) - arguments.part].T.tolist()} != expected:
            raise SystemExit("clipdex and FAISS give different pairs")
        rows.append(
            [
                kind,
                distance,
                f"{plan.parts} of {plan.part_bits} bits, within {plan.radius}" if plan.parts else "all compared",
                f"{found.shape[1]:,}",
                f"{seconds:,.1f}",
                f"{with_faiss:,.0f}",
                f"{seconds / with_faiss:.3f}",
                f"{busy:,.1f}",
                f"{faiss_busy:,.0f}",
                f"{busy / faiss_busy:.3f}",
            ]
        )
        if arguments.multihash:
            for radius in (0, 1):
                parts = distance // (radius + 1) + 1
                theirs, their_busy, same = compare_with_multihash(keys, distance, arguments.part, parts, radius)
                if same != expected:
                    raise SystemExit("IndexBinaryMultiHash gives different pairs")
                times = ((seconds, theirs), (busy, their_busy))
                shown = [[f"{one:,.1f}", f"{other:,.1f}", f"{one / other:.2f}"] for one, other in times]
                multihash.append([kind, distance, f"{parts}, within {radius}", *shown[0], *shown[1]])
        if distance == arguments.distances[0]:
            show_bar(
                f"pairs within {distance} of {len(keys):,} {kind} keys",
                seconds / 60,
                BAR_MINUTES,
                at_most=True,
                unit="min",
            )
    show_table(["keys", "distance", "parts", "pairs", *_columns("FAISS")], rows)
    if multihash:
        show_table(["keys", "distance", "parts of MultiHash", *_columns("MultiHash")], multihash)
    show_table(
        ["keys in a series", "greatest distance, CPU s", "complete linkage, CPU s", "all pairs, CPU s", "groups"],
        [run_away(number) for number in arguments.series],
    )
    show_table(["hashing", "images", "CPU s"], orientations(arguments.photos))


def run_away(number: int) -> list[object]:
    """Return a row of the table of series: what linking takes, and what looking at all pairs takes."""
    rng = np.random.default_rng(2)
    bits = np.zeros((number, 8 * BYTES), np.bool_)
    for place in range(1, number):
        bits[place] = bits[place - 1]
        bits[place, rng.choice(8 * BYTES, rng.integers(0, 9), replace=False)] ^= True
    keys = np.packbits(bits, axis=1)[rng.permutation(number)]
    distances = KeyDistances(keys)
    times = [time.process_time()]
    greatest = greatest_distance(keys)
    times.append(time.process_time())
    groups = complete_linkage(distances, 16)
    times.append(time.process_time())
    if greatest != widest(distances):
        raise SystemExit("the greatest distance is another one")
    times.append(time.process_time())
    seconds = [f"{end - begin:.1f}" for begin, end in itertools.pairwise(times)]
    return [f"{number:,}", *seconds, f"{len(groups):,}"]


def orientations(number: int) -> list[list[object]]:
    """Return the rows of the table of orientations: hashing photographs, and hashing them in the other orientations."""
    with tempfile.TemporaryDirectory() as folder:
        for photo in example_photos()[:number]:
            shutil.copy(photo, folder)
        build(folder)  # loads and checks the model
        times = [time.process_time()]
        build(folder, rebuild=True)
        times.append(time.process_time())
        find_duplicates(folder, transforms=True)
        times.append(time.process_time())
    seconds = [f"{end - begin:.1f}" for begin, end in itertools.pairwise(times)]
    return [["a build", number, seconds[0]], ["7 more orientations", number, seconds[1]]]


def clustered_keys(number: int) -> Keys:
    """Return keys in groups of groups, uint8 ``[number, BYTES]``."""
    rng = np.random.default_rng(3)
    classes = rng.integers(0, 2, (1000, 8 * BYTES), np.uint8)
    groups = classes[rng.integers(0, len(classes), 20_000)] ^ (rng.random((20_000, 8 * BYTES), np.float32) < 0.18)
    keys = np.empty((number, BYTES), np.uint8)
    for start in range(0, number, len(groups)):
        block = keys[start : start + len(groups)]
        flipped = rng.random((len(block), 8 * BYTES), np.float32) < 0.12
        block[:] = np.packbits(groups[rng.integers(0, len(groups), len(block))] ^ flipped, axis=1)
    return keys


def plant(keys: Keys, distance: int) -> None:
    """Make the last hundredth of the keys copies of others with 0 to ``distance`` bits flipped."""
    rng = np.random.default_rng(1)
    number, copies = len(keys), len(keys) // 100
    keys[-copies:] = keys[rng.choice(number - copies, copies, replace=False)]
    for position in range(number - copies, number):
        bits = rng.choice(8 * BYTES, rng.integers(0, distance + 1), replace=False)
        np.bitwise_xor.at(keys[position], bits // 8, (1 << (bits % 8)).astype(np.uint8))


def compare_with_faiss(keys: Keys, distance: int, part: int) -> tuple[float, float, Triples]:
    """Return seconds and CPU seconds of FAISS for all, and the pairs whose later key is in the last ``part``."""
    flat = faiss.IndexBinaryFlat(8 * BYTES)
    flat.add(keys)
    begin, busy = time.perf_counter(), time.process_time()
    answer = flat.range_search(keys[-part:], distance + 1)
    seconds = (time.perf_counter() - begin) * len(keys) / part
    busy = (time.process_time() - busy) * len(keys) / part
    return seconds, busy, _pairs_of(answer, len(keys), part)


def compare_with_multihash(
    keys: Keys, distance: int, part: int, parts: int, radius: int
) -> tuple[float, float, Triples]:
    """Return seconds and CPU seconds to add and search all keys, and the pairs whose later key is in the last part."""
    index = faiss.IndexBinaryMultiHash(8 * BYTES, parts, min(24, 8 * BYTES // parts))
    index.nflip = radius
    begin, busy = time.perf_counter(), time.process_time()
    index.add(keys)
    added, added_busy = time.perf_counter(), time.process_time()
    answer = index.range_search(keys[-part:], distance + 1)
    seconds = (time.perf_counter() - added) * len(keys) / part + added - begin
    busy = (time.process_time() - added_busy) * len(keys) / part + added_busy - busy
    return seconds, busy, _pairs_of(answer, len(keys), part)


def _columns(other: str) -> list[str]:
    return [f"{who}, {of}" for of in ("s", "CPU s") for who in ("clipdex", other, "ratio")]


def _pairs_of(answer: tuple[npt.NDArray[np.generic], ...], number: int, part: int) -> Triples:
    limits, distances, positions = answer
    later: npt.NDArray[np.int64] = np.repeat(np.arange(number - part, number), np.diff(limits.astype(np.int64)))
    kept = positions < later
    triples = zip(positions[kept].tolist(), later[kept].tolist(), distances[kept].astype(int).tolist(), strict=True)
    return set(triples)


if __name__ == "__main__":
    main()
