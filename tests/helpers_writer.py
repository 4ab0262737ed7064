"""A writer that commits all the time, as a program of its own: ``helpers_writer.py FOLDER`` changes the index there.

It adds items, takes them away and merges segments, so that files are replaced and deleted, until its standard input
ends. It prints a line at its first commit, and in the end the number of its commits.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import numpy as np

from clipdex_indexes import Index

MADE = "made-up"


def main(folder: Path) -> None:
    """Commit until standard input ends."""
    os.fsync = lambda handle: None  # nothing is switched off here, and readers see the same
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    rng = np.random.default_rng(0)
    commits = 0
    with Index.open(folder) as index:
        ids = [f"{MADE}/{number}.png" for number in range(40)]
        while not ended.is_set():
            index.add(ids, rng.integers(0, 256, (len(ids), index.bits // 8), np.uint8))
            index.remove(ids[:20])
            index.optimize()
            index.remove(ids[20:])
            if not commits:
                print("writing", flush=True)
            commits += 4
    print(commits)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
