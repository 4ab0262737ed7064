"""Writers that are killed: run as a program of its own, which forks before anything in it starts a thread.

``helpers_crash.py FOLDER steps`` kills a writer at each step of its work in turn, ``... FOLDER random N`` N writers
after a random time. After each kill the index must open, have of every item the old or the new state, and be finished
by a second run that adds only what is missing, to what a run that is not killed makes, with no other file left. Prints
what happened, as JSON.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from pathlib import Path

from clipdex_indexes import Index, IndexNotFound, IndexWriter, read_manifest
from clipdex_indexes.storage import files
from helpers_index import contents, in_order, live_files, model_stamp, row, segment_files

CHUNKS = 3


def state(rng, before):
    """A next state of the dataset: some items go, some change, some come; sometimes most of them."""
    items = dict(before)
    share = rng.choice([0.05, 0.2, 0.7])
    for item in list(items):
        if rng.random() < share:
            del items[item]
    for _ in range(rng.randrange(6, 30)):
        items[f"{rng.randrange(4)}/{rng.randrange(20):02}", "default"] = rng.randbytes(8)
    return items


def pairs_of(items):
    return in_order((row(*item), key) for item, key in items.items())


def build(folder, target):
    """Make the index that of ``target``, in chunks with a checkpoint after each; return what was added."""
    with IndexWriter(folder) as writer:
        known = {}
        if writer.base is None:
            writer.start(model_stamp(), "folder", "test")
        else:
            for location, item in writer.base.items():
                if target.get(item[:2]) == writer.base.key(location).tobytes():
                    known[item[:2]] = None
                elif item[:2] in target:
                    known[item[:2]] = location
                else:
                    writer.remove(location)
        new = [pair for pair in pairs_of(target) if known.get(pair[0][:2], 0) is not None]
        for number in range(CHUNKS):
            part = new[number * len(new) // CHUNKS : (number + 1) * len(new) // CHUNKS]
            for item, _ in part:
                if item[:2] in known:
                    writer.remove(known[item[:2]])
            writer.add(part)
            writer.checkpoint()
        writer.commit()
        return len(new)


def read(folder):
    try:
        with Index(folder) as index:
            checked = index.verify()
            assert checked.ok, checked.problems
            return {item[:2]: key for item, key in contents(index)}
    except IndexNotFound:
        return {}


def check(folder, before, target):
    """Look at what a killed writer left, then finish its work."""
    found = read(folder)
    for item in before.keys() | target.keys():
        allowed = {before.get(item), target.get(item)}
        assert found.get(item) in allowed, (item, found.get(item), allowed)
    missing = sum(found.get(item) != key for item, key in target.items())
    assert build(folder, target) == missing
    assert read(folder) == target
    assert read_manifest(folder).complete
    assert segment_files(folder) == live_files(folder)
    assert {path.name for path in folder.iterdir()} == {"manifest.json", "segments", "lock"}
    return "new" if missing == 0 else "old" if found == before else "between"


def forked(work):
    """Run ``work`` in a child; return its process id."""
    child = os.fork()
    if child:
        return child
    try:
        work()
    except BaseException:  # noqa: BLE001 - the child ends here, whatever it was
        sys.excepthook(*sys.exc_info())
        os._exit(1)
    os._exit(0)


def kill_at(number, seen):
    def on_step(name):
        seen.append(name)
        if len(seen) > number:
            print(name, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

    return on_step


def at_each_step(folder, before, target):
    original = folder.with_name("original")
    if before:
        build(original, before)
    outcomes, number = Counter(), 0
    while True:
        shutil.rmtree(folder, ignore_errors=True)
        if before:
            shutil.copytree(original, folder)

        def work(number=number):
            files.on_step = kill_at(number, [])
            build(folder, target)

        _, status = os.waitpid(forked(work), 0)
        if not os.WIFSIGNALED(status):
            assert status == 0
            return number, outcomes
        outcomes[check(folder, before, target)] += 1
        number += 1


def at_random(folder, count, rng):
    before, outcomes, took = {}, Counter(), 0.05
    while sum(outcomes.values()) - outcomes["not killed"] < count:
        target = state(rng, before)
        child = forked(lambda target=target: build(folder, target))
        begin, deadline = time.perf_counter(), rng.random() * took
        ended, status = os.waitpid(child, os.WNOHANG)
        while not ended and time.perf_counter() - begin < deadline:
            time.sleep(0.0005)
            ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            assert status == 0
            took = time.perf_counter() - begin
            outcomes["not killed"] += 1
        else:
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            took *= 1.02
            outcomes[check(folder, before, target) if os.WIFSIGNALED(status) else "not killed"] += 1
        before = target
    return outcomes


def main(folder, how, count="0"):
    rng = random.Random(7)
    # A killed process loses nothing that it gave to the operating system: a sync changes nothing here, and is slow.
    os.fsync = lambda handle: None
    if how == "random":
        outcomes = at_random(Path(folder), int(count), rng)
        print(json.dumps(outcomes))
        return
    before = {}
    for _ in range(2):
        target = state(rng, before)
        steps, outcomes = at_each_step(Path(folder), before, target)
        print(json.dumps({"steps": steps, **outcomes}), flush=True)
        shutil.rmtree(Path(folder).with_name("original"), ignore_errors=True)
        before = target


if __name__ == "__main__":
    main(*sys.argv[1:])
