"""Time to find all pairs of keys within a distance, against FAISS comparing each key with all.

The keys are random, of 512 bits, and one in a hundred is a copy of another with up to as many bits flipped as the
distance allows. FAISS gets a part of the keys as queries (``IndexBinaryFlat.range_search``, all its threads), and its
time for all is extrapolated from that. CPU seconds tell less of what else the machine does. The pairs of that part must
be the same.
"""

from __future__ import annotations

import argparse
import time

import faiss
import numpy as np
import numpy.typing as npt

from clipdex_indexes.kernels.pairs import _words, make_plan, near_pairs
from common import BYTES, Keys, parse, random_keys, show_bar, show_command, show_table

Triples = set[tuple[int, int, int]]

BAR_MINUTES = 5.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=1_000_000, metavar="N", help="number of keys")
    parser.add_argument("--distances", type=int, nargs="+", default=[16, 32, 48], metavar="D", help="bits")
    parser.add_argument("--part", type=int, default=2000, metavar="N", help="keys that FAISS is given as queries")
    arguments = parse(parser, keys=4000, distances=[4, 48], part=20)
    show_command()
    rows = []
    for distance in arguments.distances:
        keys = planted(arguments.keys, distance)
        plan = make_plan(_words([keys], None), distance)
        begin, busy = time.perf_counter(), time.process_time()
        ours = [np.stack([block.first, block.second, block.distances]) for block in near_pairs([keys], distance)]
        seconds, busy = time.perf_counter() - begin, time.process_time() - busy
        found = np.concatenate(ours, axis=1)
        with_faiss, faiss_busy, expected = compare_with_faiss(keys, distance, arguments.part)
        if {tuple(triple) for triple in found[:, found[1] >= len(keys) - arguments.part].T.tolist()} != expected:
            raise SystemExit("clipdex and FAISS give different pairs")
        rows.append(
            [
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
        if distance == arguments.distances[0]:
            show_bar(
                f"pairs within {distance} of {len(keys):,} keys", seconds / 60, BAR_MINUTES, at_most=True, unit="min"
            )
    show_table(
        [
            "distance",
            "parts",
            "pairs",
            *(f"{who}, {of}" for of in ("s", "CPU s") for who in ("clipdex", "FAISS", "ratio")),
        ],
        rows,
    )


def planted(number: int, distance: int) -> Keys:
    """Return random keys, the last hundredth of them copies of others with 0 to ``distance`` bits flipped."""
    keys = random_keys(number)
    rng = np.random.default_rng(1)
    copies = number // 100
    keys[-copies:] = keys[rng.choice(number - copies, copies, replace=False)]
    for position in range(number - copies, number):
        bits = rng.choice(8 * BYTES, rng.integers(0, distance + 1), replace=False)
        np.bitwise_xor.at(keys[position], bits // 8, (1 << (bits % 8)).astype(np.uint8))
    return keys


def compare_with_faiss(keys: Keys, distance: int, part: int) -> tuple[float, float, Triples]:
    """Return seconds and CPU seconds of FAISS for all, and the pairs whose later key is in the last ``part``."""
    flat = faiss.IndexBinaryFlat(8 * BYTES)
    flat.add(keys)
    begin, busy = time.perf_counter(), time.process_time()
    limits, distances, positions = flat.range_search(keys[-part:], distance + 1)
    seconds = (time.perf_counter() - begin) * len(keys) / part
    busy = (time.process_time() - busy) * len(keys) / part
    later: npt.NDArray[np.int64] = np.repeat(np.arange(len(keys) - part, len(keys)), np.diff(limits.astype(np.int64)))
    kept = positions < later
    triples = zip(positions[kept].tolist(), later[kept].tolist(), distances[kept].astype(int).tolist(), strict=True)
    return seconds, busy, set(triples)


if __name__ == "__main__":
    main()
