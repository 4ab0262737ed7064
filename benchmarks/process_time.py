"""Wall times of whole processes: the first thing anybody notices of a command line.

Measures ``import click`` as the floor, ``--help``, ``--version``, and queries by item, text and image on an index of
made-up items (only the index is needed to answer, not the files); then where the time of a query goes, stage by stage.
Each time is also given as a multiple of the floor in the same run, with the bar that it should keep to. Processor time
is beside it, which says more on a busy machine.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from common import (
    ROOT,
    item_id,
    milliseconds,
    parse,
    random_keys,
    show_command,
    show_table,
    write_index,
)

FLOOR = "`python -c 'import click'`"
# The most that a process may take, as a multiple of the floor.
BARS = {"`clipdex --help`": 1.5, "item query": 4.0, "text query": 8.0, "image query": 8.0}

# Runs in a process of its own: prints the seconds that each stage of a query takes, as JSON.
_STAGES = """
import gc, json, os, sys, time
from pathlib import Path
begin = time.perf_counter()
laps = []
def lap(name):
    global begin
    laps.append((name, time.perf_counter() - begin))
    begin = time.perf_counter()
kind, dataset, value = sys.argv[1:]
gc.set_threshold(20_000)  # as the command line does, and so the next two
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.modules.setdefault("openvino.tools.ovc", None)
import click; lap("import click")
import clipdex_cli.main, clipdex_cli.commands.query; lap("import the command line")
import numpy; lap("import numpy")
import clipdex.search.explorer, clipdex.report.last_result; lap("import clipdex (rest)")
from clipdex import Explorer, ItemQuery
explorer = Explorer(dataset); lap("open the index")
if kind == "text":
    import tokenizers; lap("import tokenizers")
if kind == "image":
    import clipdex.media.decoding, clipdex.encoder.images; lap("import PIL")
if kind != "item":
    import openvino; lap("import openvino")
    encoder = explorer.load_model()
    if kind == "text":
        encoder._text_preparation; lap("load the tokenizer, while nothing else happens")
    getattr(encoder, f"_{kind}_tower"); lap("load the compiled tower, while nothing else happens")
query = ItemQuery(value) if kind == "item" else value if kind == "text" else Path(value)
explorer.explore_topk(query); lap("answer")
print(json.dumps(laps), flush=True)
os._exit(0)
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=100_000, help="items in the index (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=15, help="rounds (default: %(default)s)")
    arguments = parse(parser, items=100, repeats=1)
    show_command()
    with tempfile.TemporaryDirectory(prefix="clipdex-benchmark-") as folder:
        dataset = Path(folder, "dataset")
        write_index(dataset / ".clipdex", random_keys(arguments.items))
        environment = {
            **os.environ,
            # The last result is remembered there: not in the user's own folder.
            "XDG_STATE_HOME": str(Path(folder, "state")),
        }
        # Without it, each process would compile all that it imports.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        values = {
            "item": item_id(arguments.items // 2),
            "text": "dog",
            "image": str(ROOT / "examples/photos/animals/parrot.jpg"),
        }
        measure_processes(dataset, values, environment, arguments.repeats)
        for kind, value in values.items():
            measure_stages(kind, dataset, value, environment, arguments.repeats)


def program() -> list[str]:
    """Return the installed program, or else the module."""
    script = Path(sys.executable).with_name("clipdex.exe" if os.name == "nt" else "clipdex")
    return [str(script)] if script.exists() else [sys.executable, "-m", "clipdex_cli"]


def measure_processes(dataset: Path, values: dict[str, str], environment: dict[str, str], repeats: int) -> None:
    """Time whole processes, in turn."""
    clipdex, query = program(), [*program(), "query", str(dataset)]
    commands = {
        FLOOR: [sys.executable, "-c", "import click"],
        "`python -c 'import click, numpy'`": [sys.executable, "-c", "import click, numpy"],
        "`clipdex --version`": [*clipdex, "--version"],
        "`clipdex --help`": [*clipdex, "--help"],
        "`clipdex query --help`": [*clipdex, "query", "--help"],
        "item query": [*query, "--item", values["item"]],
        "item query, `--output json`": [*query, "--output", "json", "--item", values["item"]],
        "text query": [*query, "--text", values["text"]],
        "image query": [*query, "--image", values["image"]],
    }
    wall: dict[str, list[float]] = {name: [] for name in commands}
    busy: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(repeats + (repeats > 1)):  # the first round is not counted: it fills caches
        for name, command in commands.items():
            seconds, processor = timed(command, environment)
            if number or repeats == 1:
                wall[name].append(seconds)
                busy[name].append(processor)
    floor, floor_busy = (statistics.median(of[FLOOR]) for of in (wall, busy))
    rows = []
    for name in commands:
        middle, processor = statistics.median(wall[name]), statistics.median(busy[name])
        times = [*map(milliseconds, (middle, min(wall[name]))), f"{middle / floor:.1f}"]
        bar = BARS.get(name)
        verdict = "" if bar is None else f"{bar:g}, {'met' if middle <= bar * floor else 'MISSED'}"
        rows.append([name, *times, verdict, milliseconds(processor), f"{processor / floor_busy:.1f}"])
    show_table(
        ["process", "median ms", "fastest ms", "of import click", "bar", "processor ms", "of import click"], rows
    )
    if hasattr(os, "getloadavg"):
        print(f"{os.getloadavg()[0]:.1f} processes were running or waiting, on {os.cpu_count()} cores.\n")


def timed(command: Sequence[str], environment: Mapping[str, str]) -> tuple[float, float]:
    """Run a process; return its wall seconds and its processor seconds, which are not known on Windows."""
    begin = time.perf_counter()
    if not hasattr(os, "wait4"):
        subprocess.run(command, check=True, capture_output=True, env=environment)
        return time.perf_counter() - begin, math.nan
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    _, status, used = os.wait4(running.pid, 0)
    seconds = time.perf_counter() - begin
    running.returncode = os.waitstatus_to_exitcode(status)
    if running.returncode:
        raise subprocess.CalledProcessError(running.returncode, command)
    return seconds, used.ru_utime + used.ru_stime


def measure_stages(kind: str, dataset: Path, value: str, environment: dict[str, str], repeats: int) -> None:
    """Time the stages of one kind of query, each in a fresh process.

    All have the tower compiled and checked before, by the processes that were timed. There, what belongs to a tower and
    what does not is done at the same time; here one after the other.
    """
    command = [sys.executable, "-c", _STAGES, kind, str(dataset), value]
    laps: dict[str, list[float]] = {}
    for _ in range(repeats):
        output = subprocess.run(command, check=True, capture_output=True, env=environment).stdout
        for name, seconds in json.loads(output):
            laps.setdefault(name, []).append(seconds)
    show_table(
        [f"stage of the {kind} query", "median ms"],
        [[name, milliseconds(statistics.median(values))] for name, values in laps.items()],
    )


if __name__ == "__main__":
    main()
