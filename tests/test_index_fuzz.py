"""Ten thousand damaged and forged indexes: a typed error or a right answer; never a crash, a hang or a lot of memory.

Damaged: the manifest is what a writer wrote, the files are not. Forged: the manifest agrees with the files as they are,
as one who wants to do harm would make it; what such an index answers need not be what was written, but must be sound.
"""

from __future__ import annotations

import faulthandler
import json
import random
import sys
from pathlib import Path

import numpy as np
import pytest

from clipdex_indexes import ClipdexError, Index
from clipdex_indexes.storage import manifest
from clipdex_indexes.storage.segment import files_of, stamp_of
from helpers_index import apply, contents, random_pairs

BITS = 16
PAIRS = random_pairs(25, BITS, seed=1, distinct=9)
GONE = [item[:2] for item, _ in PAIRS[::5]]
LEFT = [pair for pair in PAIRS if pair[0][:2] not in GONE]
QUERY = np.frombuffer(b"\x0f\x11", np.uint8)
KINDS = ("manifest", "faiss", "sqlite", "removed")
# 4 kinds, damaged and forged.
CASES = 1280


@pytest.fixture(autouse=True)
def _no_hang():
    faulthandler.dump_traceback_later(240, exit=True, file=sys.__stderr__)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture(autouse=True)
def _bounded_memory():
    """More than a few hundred MB beyond what is there is too much for files of 30 KB."""
    resource = pytest.importorskip("resource")
    try:
        now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        pytest.skip("nothing says how much memory is in use")
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (now + (1 << 30), hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz") / "index"
    apply(folder, PAIRS, bits=BITS)
    apply(folder, [], GONE)
    return folder


def mutated(data, other, rng):
    """Flip, cut, extend or replace bytes, once or a few times; where files are in use, more often than elsewhere."""
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        if not changed:
            return b"x"
        page = rng.randrange(-(-len(changed) // 4096)) * 4096
        at = min(len(changed) - 1, page + rng.choice([rng.randrange(120), 3500 + rng.randrange(596)]))
        way = rng.randrange(9)
        if way <= 2:
            changed[at] ^= 1 << rng.randrange(8)
        elif way <= 4:
            changed[at] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)])
        elif way == 5:
            del changed[at : at + rng.choice([1, 4, 4096, len(changed)])]
        elif way == 6:
            changed[at:at] = rng.randbytes(rng.choice([1, 4, 100, 4096]))
        elif way == 7:
            changed[at : at + 32] = other[at : at + 32]
        else:
            end = rng.randrange(len(changed)) // 4096 * 4096
            changed[end : end + 4096] = changed[page : page + 4096]
    return bytes(changed)


def forged(folder):
    """Make the manifest agree with the files."""
    path = folder / "manifest.json"
    body = json.loads(path.read_text())
    del body["checksum"]
    before = manifest.read_manifest(folder).segments[0]
    [entry] = body["segments"]
    files = files_of(folder / "segments", before)
    for name, file in zip(("keys", "table", "removed"), files, strict=True):
        stamp = stamp_of(file)
        entry[name].update(size=stamp.size, sha256=stamp.sha256)
        if name != "removed":
            entry[name]["sample"] = stamp.sample
    write(path, body)


def write(path, body):
    path.write_text(json.dumps({**body, "checksum": manifest._checksum(body)}))


def forged_manifest(text, rng):
    """Replace a value somewhere in the manifest by another one, with a checksum that is right."""
    body = json.loads(text)
    del body["checksum"]
    place, key = body, rng.choice(list(body))
    while isinstance(place[key], (dict, list)) and place[key] and rng.random() < 0.9:
        place = place[key]
        key = rng.choice(list(place) if isinstance(place, dict) else range(len(place)))
    old = place[key]
    junk = [None, True, -1, 0, 1, 1.5, 10**40, "", "x", "../x", [], {}, [old], {"x": old}, str(old)]
    if isinstance(old, int):
        junk += [old + 1, old - 1, old * 2, -old, 1 << 62]
    place[key] = rng.choice(junk)
    return body


def use(folder):
    """Read everything; return what of it has one right answer."""
    with Index(folder) as index:
        found = index.search(QUERY, 9)
        everything = contents(index)
        index.find(PAIRS[7][0].id)
        index.ids_like("3.jpg")
        counts = index.counts()
        return (found.distances.tolist(), found.ids.tolist()), everything, counts


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", ["damaged", "forged"])
def test_no_file_can_do_harm(template, kind, how):
    expected = use(template)
    assert expected[1] == LEFT
    [stamp] = manifest.read_manifest(template).segments
    files = dict(zip(KINDS, [template / "manifest.json", *files_of(template / "segments", stamp)], strict=True))
    original = {name: path.read_bytes() for name, path in files.items()}
    rng = random.Random(f"{kind} {how}")
    refused = 0
    for case in range(CASES):
        other = original[rng.choice(KINDS)]
        if kind == "manifest" and how == "forged":
            write(files[kind], forged_manifest(original[kind], rng))
        else:
            files[kind].write_bytes(mutated(original[kind], other, rng))
            if how == "forged":
                forged(template)
        try:
            answer = use(template)
        except ClipdexError as error:
            assert str(template) in str(error), case
            refused += 1
        else:
            if how == "damaged":
                assert answer == expected, case
            else:
                assert all(item.id and ".." not in item.id.split("/") for item, _ in answer[1]), case
        files[kind].write_bytes(original[kind])
        files["manifest"].write_bytes(original["manifest"])
    assert use(template) == expected
    assert refused > CASES * (0.75 if how == "damaged" else 0.05)


def test_there_are_ten_thousand_cases():
    assert CASES * len(KINDS) * 2 >= 10_000
