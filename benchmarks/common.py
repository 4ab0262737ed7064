"""What the benchmarks share: timing alternatives interleaved in one run, Markdown tables, bars, a synthetic index."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import importlib.util
import os
import platform
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

if TYPE_CHECKING:
    from clipdex_indexes import ItemRow

ROOT = Path(__file__).resolve().parent.parent
BYTES = 64  # of a hash key of the bundled model
# Seconds between calls: threads of OpenMP spin for a while after theirs, and would take a processor from the next.
_PAUSE = 0.03

Keys = npt.NDArray[np.uint8]

# The classes of CIFAR-10.
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def parse(parser: argparse.ArgumentParser, **tiny: object) -> argparse.Namespace:
    """Parse the command line of a script, with the option ``--tiny`` that all scripts have.

    Parameters
    ----------
    parser
        Knows the options of the script. Settings that have no option get their values from ``set_defaults``.
    tiny
        Values of options and settings with ``--tiny``: they make the script run every part in seconds.
    """
    parser.allow_abbrev = False
    parser.add_argument("--tiny", action="store_true", help="run every part on tiny data: the numbers mean nothing")
    if _is_tiny():
        parser.set_defaults(**tiny)
    return parser.parse_args()


def _is_tiny() -> bool:
    return "--tiny" in sys.argv[1:]


def add_folders(parser: argparse.ArgumentParser) -> None:
    """Let a script take folders of class folders: one or more, and with ``--tiny`` none."""
    parser.add_argument("folders", nargs="*" if _is_tiny() else "+", type=Path, help="folders of class folders")


@contextlib.contextmanager
def class_folders(named: Sequence[Path]) -> Iterator[Sequence[Path]]:
    """Give the folders that were named; where none was, one of three small photos a class, for a while."""
    if named:
        yield named
        return
    with tempfile.TemporaryDirectory(prefix="clipdex-benchmark-") as scratch:
        folder = Path(scratch, "tiny")
        for number, photo in enumerate(example_photos()[: 3 * len(CLASSES)]):
            path = folder / CLASSES[number % len(CLASSES)] / f"{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            with Image.open(photo) as image:
                image.resize((64, 64)).save(path)
        yield [folder]


def example_photos() -> list[Path]:
    """Return the JPEG files of the example photos."""
    return sorted((ROOT / "examples/photos").rglob("*.jpg"))


def installed(*packages: str) -> bool:
    """Return whether all of these can be imported; print which of them is not installed."""
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    for package in missing:
        print(f"{package} is not installed, and not compared.\n")
    return not missing


def interleaved(
    alternatives: Mapping[str, Callable[[], object]],
    repeats: int,
    *,
    warm: bool = True,
    busy: dict[str, list[float]] | None = None,
) -> dict[str, list[float]]:
    """Time alternatives in turn, round after round, so that whatever else the machine does hits all of them.

    Parameters
    ----------
    alternatives
        What to call, by name.
    repeats
        Number of rounds.
    warm
        Call each once before, untimed.
    busy
        Gets the processor seconds of each call, of all threads, by name.

    Returns
    -------
    dict
        Seconds of each call, by name.
    """
    if warm:
        for call in alternatives.values():
            call()
    seconds: dict[str, list[float]] = {name: [] for name in alternatives}
    for _ in range(repeats):
        for name, call in alternatives.items():
            time.sleep(_PAUSE)
            begin, worked = time.perf_counter(), time.process_time()
            call()
            seconds[name].append(time.perf_counter() - begin)
            if busy is not None:
                busy.setdefault(name, []).append(time.process_time() - worked)
    return seconds


def medians(seconds: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return the median of each alternative."""
    return {name: statistics.median(values) for name, values in seconds.items()}


def show_command() -> None:
    """Print the command that made what follows."""
    path = Path(sys.argv[0]).resolve()
    script = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name
    print(f"    python {shlex.join([script, *sys.argv[1:]])}\n")


def show_machine(kernels: str) -> None:
    """Print the processor, the kernels that FAISS chose for it, and the date."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    name = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor()
    )
    print(f"{name}, {os.cpu_count()} cores; FAISS: {kernels}; {datetime.date.today().isoformat()}.\n")


def show_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a Markdown table, numbers to the right (every column but the first)."""
    print("| " + " | ".join(header) + " |")
    print("|" + "|".join("---" if column == 0 else "---:" for column in range(len(header))) + "|")
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    print()


def show_bar(what: str, value: float, limit: float, *, at_most: bool, unit: str = "x") -> None:
    """Print whether a measured value keeps to its bar."""
    kept = value <= limit if at_most else value >= limit
    relation = "at most" if at_most else "at least"
    print(f"Bar: {what} {relation} {limit:g} {unit}: measured {value:.3g} {unit}, {'met' if kept else 'MISSED'}.\n")


def milliseconds(seconds: float) -> str:
    """Write a time in milliseconds, with three significant digits below 100."""
    value = 1000 * seconds
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def random_keys(number: int, seed: int = 0) -> Keys:
    """Return random hash keys, uint8 ``[number, BYTES]``."""
    return np.random.default_rng(seed).integers(0, 256, (number, BYTES), np.uint8)


def write_index(folder: Path, keys: Keys, segments: int = 1, labels: int = 0) -> None:
    """Write an index of ``keys`` with made-up items, dealt out to segments, stamped by the bundled model.

    Each item has one of so many ``labels``; with 0, the label is that of its folder.
    """
    from clipdex.encoder import Encoder, find_model
    from clipdex.version import WRITER
    from clipdex_indexes.storage.manifest import SEGMENTS_FOLDER, Manifest, write_manifest
    from clipdex_indexes.storage.segment import write_segment

    # Past the writer, which would merge the segments.
    (folder / SEGMENTS_FOLDER).mkdir(parents=True)
    stamps = [
        write_segment(
            folder / SEGMENTS_FOLDER, 8 * BYTES, made_up_rows(keys, range(first, len(keys), segments), labels)
        )
        for first in range(segments)
    ]
    model = Encoder(find_model(None)).stamp
    write_manifest(folder, Manifest(model, "folder", 1, tuple(stamp for stamp in stamps if stamp), WRITER))


def item_id(number: int) -> str:
    """Return the id of a made-up item: a thousand to a folder."""
    return f"{number // 1000:05}/{number % 1000:03}.jpg"


def made_up_rows(keys: Keys, numbers: Sequence[int] | None = None, labels: int = 0) -> Iterator[tuple[ItemRow, bytes]]:
    """Yield the made-up items of these numbers, by default of all, with their hash keys."""
    from clipdex_indexes import ItemRow

    for number in numbers if numbers is not None else range(len(keys)):
        name = item_id(number)
        label = f"label {number * 7919 % labels}" if labels else name[:5]
        row = ItemRow(name, "default", (label,), 50_000 + number, 1_700_000_000_000_000_000 + number)
        yield row, keys[number].tobytes()
