"""Damaged and forged indexes: a typed error that helps, or a right answer; never anything else."""

from __future__ import annotations

import faulthandler
import json
import os
import random
import shutil
import sqlite3
import struct
import sys
from dataclasses import replace
from pathlib import Path

import faiss
import numpy as np
import pytest

from clipdex_indexes import (
    ClipdexError,
    Index,
    IndexCorrupt,
    IndexNotFound,
    IndexTooNew,
    IndexWriter,
    read_manifest,
    search,
)
from clipdex_indexes.storage import manifest
from clipdex_indexes.storage.manifest import write_manifest
from helpers_index import all_bytes, apply, ask, contents, in_order, oracle, restamp, row, write_index

BITS = 16
PAIRS = in_order(
    [
        (row("a/0.jpg", "train", ("cat", "dog")), b"\x00\x01"),
        (row("a/1.jpg", "train"), b"\xff\x00"),
        (row("b/0.jpg", "val", ()), b"\x00\x03"),
        (row("c.png", "val"), b"\xf0\x0f"),
        (row("c.png", "train"), b"\xf0\x0f"),
    ]
)
QUERY = b"\x00\x01"
EXPECTED = oracle([PAIRS], QUERY, 4)


@pytest.fixture(autouse=True)
def _no_sync(monkeypatch):
    """Nothing here depends on durability, and a sync takes longer than all the rest."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture(autouse=True)
def _no_hang():
    """End the process, with a trace, when a damaged file makes it hang."""
    faulthandler.dump_traceback_later(120, exit=True, file=sys.__stderr__)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture
def index(tmp_path):
    return write_index(tmp_path / "index", [PAIRS[:3], PAIRS[3:]], BITS)


def one_segment(folder):
    shutil.rmtree(folder, ignore_errors=True)
    return write_index(folder, [PAIRS], BITS)


def use_everything(folder):
    """Read all that can be read; return what of it has one right answer."""
    with Index(folder) as opened:
        answer = ask([opened], [QUERY], 4)[0]
        everything = contents(opened)
        for item_id in ("a/0.jpg", "c", "nothing"):
            opened.find(item_id)
            opened.ids_like(item_id)
        counts = opened.counts()
        opened.size_on_disk()
    return answer, everything, counts


def outcome(folder, *, honest=True):
    """Return the typed error of using an index, or None where it answers; anything else fails the test."""
    try:
        answer, everything, counts = use_everything(folder)
    except ClipdexError as error:
        assert str(folder) in str(error)
        assert str(error).endswith(".")
        assert len(str(error)) > len(str(folder)) + 20
        return error
    if honest:
        assert answer == EXPECTED
        assert everything == PAIRS
        assert counts.subsets == {"train": 3, "val": 2}
    else:
        assert all(item.id and ".." not in item.id.split("/") for item, _ in everything)
        assert all(type(label) is str for item, _ in everything for label in item.labels)
    return None


def damages(data, other, rng, count):
    """Yield damaged versions of the bytes of a file: (what was done, bytes)."""
    for name, changed in (
        ("empty", b""),
        ("half", data[: len(data) // 2]),
        ("all but one byte", data[:-1]),
        ("without its first byte", data[1:]),
        ("one byte more", data + b"\0"),
        ("twice", data + data),
        ("a block of zeros more", data + bytes(4096)),
        ("zeros", bytes(len(data))),
        ("ones", b"\xff" * len(data)),
        ("another's", other),
        ("text", b"<<<<<<< HEAD\n" * 20),
    ):
        yield name, changed
    for _ in range(count):
        at = rng.randrange(len(data))
        changed = bytearray(data)
        way = rng.choice(["flip", "byte", "cut", "zero block", "insert", "other's tail", "swap"])
        if way == "flip":
            changed[at] ^= 1 << rng.randrange(8)
        elif way == "byte":
            changed[at] = rng.randrange(256)
        elif way == "cut":
            del changed[at:]
        elif way == "zero block":
            end = min(len(data), at + rng.randrange(1, 512))
            changed[at:end] = bytes(end - at)
        elif way == "insert":
            changed[at:at] = rng.randbytes(rng.randrange(1, 9))
        elif way == "other's tail":
            changed[at:] = other[at:]
        else:
            end = min(len(data), at + 16)
            changed[at:end] = changed[at:end][::-1]
        yield f"{way} at {at}", bytes(changed)


def kinds(folder):
    """One file of each kind, each with another file of its kind."""
    faiss_files = sorted((folder / "segments").glob("*.faiss"))
    tables = sorted((folder / "segments").glob("*.sqlite"))
    return {"faiss": faiss_files, "sqlite": tables}


@pytest.mark.parametrize("kind", ["faiss", "sqlite"])
def test_any_damage_to_a_segment_file_is_reported(index, kind):
    rng = random.Random(1)
    for path, other in (kinds(index)[kind], kinds(index)[kind][::-1]):
        data, foreign = path.read_bytes(), other.read_bytes()
        for what, changed in damages(data, foreign, rng, 120):
            path.write_bytes(changed)
            error = outcome(index)
            assert (error is None) == (changed == data), what
            assert error is None or type(error) is IndexCorrupt
            assert error is None or "--rebuild" in str(error)
        path.write_bytes(data)
    assert outcome(index) is None


def test_every_bit_of_the_keys_is_guarded(index):
    path = kinds(index)["faiss"][0]
    data = path.read_bytes()
    for at in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[at] ^= 1 << bit
            path.write_bytes(changed)
            assert type(outcome(index)) is IndexCorrupt


def test_any_damage_to_the_manifest_is_reported_or_harmless(index, tmp_path):
    rng = random.Random(2)
    path = index / "manifest.json"
    data = path.read_bytes()
    other = (write_index(tmp_path / "other", [PAIRS], BITS) / "manifest.json").read_bytes()
    errors = 0
    for what, changed in damages(data, other, rng, 400):
        path.write_bytes(changed)
        error = outcome(index)
        assert error is None or type(error) in (IndexCorrupt, IndexTooNew), what
        errors += error is not None
    assert errors > 350
    for at in range(len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :])
        outcome(index)
    path.write_bytes(data)
    assert outcome(index) is None


def test_each_missing_file_is_reported(index):
    for name, data in all_bytes(index).items():
        (index / name).unlink()
        error = outcome(index)
        assert type(error) is (IndexNotFound if name == "manifest.json" else IndexCorrupt), name
        (index / name).write_bytes(data)
    assert outcome(index) is None
    shutil.rmtree(index / "segments")
    assert "missing" in str(outcome(index))


@pytest.mark.parametrize("name", ["manifest.json", "faiss", "sqlite"])
def test_a_folder_in_place_of_a_file_is_reported(index, name):
    path = index / name if name == "manifest.json" else kinds(index)[name][0]
    path.unlink()
    path.mkdir()
    assert type(outcome(index)) is IndexCorrupt
    restamp_if_possible(index)
    assert type(outcome(index)) is IndexCorrupt


def restamp_if_possible(folder):
    try:
        restamp(folder)
    except (ClipdexError, OSError):
        stamp_all(folder, size=4096)


def stamp_all(folder, size):
    """Claim a size for every file that is not a regular one."""
    try:
        body = read_manifest(folder)
    except ClipdexError:
        return
    stamps = [
        replace(
            stamp,
            **{
                field: replace(getattr(stamp, field), size=path.stat().st_size if path.is_dir() else size)
                for field, suffix in (("keys", "faiss"), ("table", "sqlite"))
                if not (path := folder / "segments" / f"{stamp.name}.{suffix}").is_file()
            },
        )
        for stamp in body.segments
    ]
    write_manifest(folder, replace(body, segments=tuple(stamps)))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("name", ["manifest.json", "faiss", "sqlite"])
@pytest.mark.parametrize("how", ["pipe", "device"])
def test_a_pipe_or_a_device_in_place_of_a_file_does_not_hang(index, name, how):
    path = index / name if name == "manifest.json" else kinds(index)[name][0]
    path.unlink()
    if how == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    if name != "manifest.json":
        stamp_all(index, size=0)
    assert type(outcome(index)) is IndexCorrupt


def test_a_file_in_place_of_a_folder_is_reported(index, tmp_path):
    shutil.rmtree(index / "segments")
    (index / "segments").write_bytes(b"")
    assert type(outcome(index)) is IndexCorrupt
    (tmp_path / "file").write_bytes(b"")
    assert type(outcome(tmp_path / "file")) is IndexNotFound
    assert type(outcome(tmp_path / "nothing")) is IndexNotFound


def forge(folder, change):
    """Change the JSON of the manifest, and make its checksum right again."""
    path = folder / "manifest.json"
    body = json.loads(path.read_text())
    del body["checksum"]
    body = change(body) or body
    path.write_text(json.dumps({**body, "checksum": manifest._checksum(body)}))


@pytest.mark.parametrize("version", [2, 3, 10**30])
@pytest.mark.parametrize("rest", ["the same", "unknown"])
def test_a_newer_format_is_named_and_an_update_advised(index, version, rest):
    forge(index, lambda body: body.update(format=version))
    if rest == "unknown":
        (index / "manifest.json").write_text(json.dumps({"format": version, "parts": ["of another kind"]}))
    error = outcome(index)
    assert type(error) is IndexTooNew
    assert str(version) in str(error)
    assert "Update clipdex" in str(error)


def test_a_writer_refuses_what_it_cannot_read_and_changes_nothing(index):
    forge(index, lambda body: body.update(format=2))
    before = all_bytes(index)
    with pytest.raises(IndexTooNew), IndexWriter(index):
        pass
    assert all_bytes(index) == before
    (index / "manifest.json").write_bytes(b"{}")
    with pytest.raises(IndexCorrupt), IndexWriter(index):
        pass
    assert apply(index, PAIRS, bits=BITS, fresh=True).items == 5
    assert outcome(index) is None


JUNK = [None, True, -1, 0, 1.5, 1e999, 10**40, "", "x", "../../etc", "\ud800", [], [[]], {}, {"x": 1}]


def paths_in(value, path=()):
    """Yield the path of every value in some JSON."""
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from paths_in(child, (*path, key))


def test_a_forged_manifest_with_any_value_replaced_by_junk_is_reported_or_harmless(index):
    original = (index / "manifest.json").read_text()
    body = json.loads(original)
    del body["checksum"]
    errors = cases = 0
    for path in paths_in(body):
        for junk in [*JUNK, "remove"]:
            (index / "manifest.json").write_text(original)

            def change(body, path=path, junk=junk):
                if not path:
                    return junk if isinstance(junk, dict) else None
                *way, last = path
                for key in way:
                    body = body[key]
                if junk == "remove":
                    del body[last]
                else:
                    body[last] = junk
                return None

            forge(index, change)
            try:
                read = read_manifest(index)
            except ClipdexError:
                pass
            else:  # a lone surrogate could not be printed
                f"{read.model.name}{read.model.digest}{read.source_format}{read.writer}".encode()
            error = outcome(index, honest=False)
            assert error is None or type(error) in (IndexCorrupt, IndexTooNew)
            cases += 1
            errors += error is not None
    assert cases > 400
    assert errors > 0.7 * cases


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", "1", '"x"', "{", "[" * 200_000, '{"format": ' + "9" * 5000 + "}", '{"format": NaN}', "\ufeff{}"],
    ids=lambda text: text[:12] or "nothing",
)
def test_a_manifest_that_is_other_json_or_none_is_reported(index, text):
    (index / "manifest.json").write_text(text, encoding="utf-8")
    assert type(outcome(index)) is IndexCorrupt


def test_a_manifest_that_is_too_large_is_not_read(index):
    with (index / "manifest.json").open("ab") as file:
        file.write(b" " * (16 << 20))
    assert "larger" in str(outcome(index))


def test_a_segment_named_twice_is_reported(index):
    forge(index, lambda body: body["segments"].append(body["segments"][0]))
    assert type(outcome(index)) is IndexCorrupt


@pytest.mark.parametrize("name", ["../../../etc/passwd", "/etc/passwd", "A" * 32, "0" * 31, "0" * 32 + "\n", "", 5])
def test_a_segment_with_a_name_that_is_no_segments_is_reported(index, name):
    forge(index, lambda body: body["segments"][0].update(name=name))
    assert "bad segment name" in str(outcome(index)) or "not a manifest" in str(outcome(index))


HEADER = struct.Struct("<4siiqBiQ")
GOOD = (b"IBxF", 16, 2, 5, 1, 1, 10)


@pytest.mark.parametrize(
    "header",
    [
        (b"IBHf", 16, 2, 5, 1, 1, 10),
        (b"IxF2", 16, 2, 5, 1, 1, 10),
        (b"\0\0\0\0", 16, 2, 5, 1, 1, 10),
        (b"IBxF", 24, 2, 5, 1, 1, 10),
        (b"IBxF", 16, 3, 5, 1, 1, 10),
        (b"IBxF", -16, -2, 5, 1, 1, 10),
        (b"IBxF", 16, 2, 4, 1, 1, 10),
        (b"IBxF", 16, 2, -5, 1, 1, 10),
        (b"IBxF", 16, 2, 1 << 60, 1, 1, 1 << 61),
        (b"IBxF", 16, 2, 5, 1, 1, 1 << 61),
        (b"IBxF", 16, 2, 5, 1, 1, (1 << 64) - 1),
        (b"IBxF", 16, 2, 5, 1, 1, 0),
        (b"IBxF", 1 << 30, 1 << 27, 5, 1, 1, 5 << 27),
    ],
    ids=str,
)
def test_a_forged_header_of_the_keys_is_reported(tmp_path, header):
    folder = one_segment(tmp_path / "index")
    path = kinds(folder)["faiss"]
    data = path[0].read_bytes()
    assert HEADER.unpack(data[: HEADER.size]) == GOOD
    path[0].write_bytes(HEADER.pack(*header) + data[HEADER.size :])
    restamp(folder)
    assert type(outcome(folder)) is IndexCorrupt


def test_an_index_of_faiss_of_another_kind_is_reported(tmp_path):
    folder = one_segment(tmp_path / "index")
    path = kinds(folder)["faiss"][0]
    keys = np.frombuffer(b"".join(key for _, key in PAIRS), np.uint8).reshape(5, 2)
    for make in (lambda: faiss.IndexBinaryHNSW(16, 4), lambda: faiss.IndexBinaryHash(16, 4)):
        other = make()
        other.add(keys)
        faiss.write_index_binary(other, str(path))
        restamp(folder)
        assert type(outcome(folder)) is IndexCorrupt
    flat = faiss.IndexFlatL2(16)
    flat.add(np.zeros((5, 16), np.float32))
    faiss.write_index(flat, str(path))
    restamp(folder)
    assert type(outcome(folder)) is IndexCorrupt


def test_forged_counts_are_reported_before_anything_is_allocated(tmp_path):
    for items in (0, 4, 6, 1 << 40):
        folder = one_segment(tmp_path / "index")
        restamp(folder, items=items)
        assert type(outcome(folder)) is IndexCorrupt
    for bits in (8, 24, 8192):
        folder = one_segment(tmp_path / "index")
        forge(folder, lambda body, bits=bits: body["model"].update(bits=bits))
        assert type(outcome(folder)) is IndexCorrupt


def test_a_forged_segment_without_items_is_harmless_or_reported(tmp_path):
    folder = one_segment(tmp_path / "index")
    faiss.write_index_binary(faiss.IndexBinaryFlat(16), str(kinds(folder)["faiss"][0]))
    with sqlite3.connect(kinds(folder)["sqlite"][0]) as db:
        db.execute("DELETE FROM item")
    db.close()
    restamp(folder, items=0)
    try:
        with Index(folder) as opened:
            assert len(opened) == 0
            assert search([opened], np.zeros((1, 2), np.uint8), 3) == [[]]
            assert list(opened.items()) == []
    except IndexCorrupt:
        pass


def test_a_forged_file_of_keys_never_crashes(tmp_path):
    folder = one_segment(tmp_path / "index")
    path = kinds(folder)["faiss"][0]
    data = path.read_bytes()
    rng = random.Random(3)
    for _ in range(300):
        changed = bytearray(data)
        for _ in range(rng.randrange(1, 4)):
            changed[rng.randrange(HEADER.size)] = rng.randrange(256)
        path.write_bytes(changed)
        restamp(folder)
        outcome(folder)


def edit(folder, *statements):
    """Change the item table, and make the manifest agree."""
    db = sqlite3.connect(kinds(folder)["sqlite"][0])
    for statement in statements:
        db.executescript(statement)
    db.close()
    restamp(folder)


SCHEMA_BY_HAND = "PRAGMA writable_schema=ON; UPDATE sqlite_master SET "


@pytest.mark.parametrize(
    "statements",
    [
        "CREATE TABLE more(x)",
        "CREATE VIEW more AS SELECT * FROM item",
        "CREATE TRIGGER more AFTER INSERT ON item BEGIN DELETE FROM item; END",
        "CREATE INDEX more ON item(size)",
        "ALTER TABLE item ADD COLUMN more",
        "DROP TABLE labels",
        "DROP TABLE item",
        "ALTER TABLE item RENAME TO real; CREATE VIEW item AS SELECT * FROM real",
        "PRAGMA application_id=1",
        "CREATE VIRTUAL TABLE more USING fts5(x)",
        "ANALYZE",
        SCHEMA_BY_HAND + "sql='CREATE TABLE item(position)' WHERE name='item'",
        SCHEMA_BY_HAND + "sql='' WHERE name='item'",
        SCHEMA_BY_HAND + "sql=NULL WHERE name='item'",
        SCHEMA_BY_HAND + "sql=x'00ff' WHERE name='item'",
        SCHEMA_BY_HAND + "type='view' WHERE name='item'",
        SCHEMA_BY_HAND + "rootpage=1 WHERE name='item'",
        SCHEMA_BY_HAND + "rootpage=99999 WHERE name='folder'",
        SCHEMA_BY_HAND + "rootpage=(SELECT rootpage FROM sqlite_master WHERE name='folder') WHERE name='item'",
        "DELETE FROM item WHERE position=2",
        "DELETE FROM item WHERE position=4",
        "DELETE FROM item",
        "DELETE FROM folder",
        "DELETE FROM subset WHERE name='val'",
        "DELETE FROM labels",
        "INSERT INTO item SELECT 99, folder, name || 'x', subset, labels, 0, 0, 0, media FROM item WHERE position=0",
        "UPDATE item SET position=-1 WHERE position=0",
        "UPDATE item SET name='..' WHERE position=3",
        "UPDATE item SET name='.' WHERE position=3",
        "UPDATE item SET name='' WHERE position=3",
        "UPDATE item SET name='/etc/passwd' WHERE position=3",
        "UPDATE item SET name='x/../../y' WHERE position=3",
        "UPDATE item SET name='a' || char(0) || 'b' WHERE position=3",
        "UPDATE item SET name=x'612e6a7067' WHERE position=0",
        "UPDATE item SET name=x'612e6a7067' WHERE position=3",
        "UPDATE item SET name=CAST(x'ff' AS TEXT) WHERE position=3",
        "UPDATE folder SET path='..' WHERE path='a'",
        "UPDATE folder SET path='/etc' WHERE path='a'",
        "UPDATE folder SET path='a/../..' WHERE path='a'",
        "UPDATE folder SET path='a/' WHERE path='a'",
        "UPDATE folder SET path=x'61' WHERE path='a'",
        "UPDATE folder SET path=x'' WHERE path=''",
        "UPDATE subset SET name=x'61'",
        "UPDATE subset SET name=CAST(x'ff' AS TEXT)",
        "UPDATE labels SET names='cat'",
        "UPDATE labels SET names=''",
        "UPDATE labels SET names='{}'",
        "UPDATE labels SET names='[1]'",
        "UPDATE labels SET names='[null]'",
        "UPDATE labels SET names='[[\"cat\"]]'",
        "UPDATE labels SET names='[\"\\ud800\"]'",
        "UPDATE labels SET names=x'00'",
        "UPDATE labels SET names=CAST(zeroblob(100000) AS TEXT)",
        "UPDATE labels SET names=replace(hex(zeroblob(50000)), '0', '[')",
        "UPDATE item SET size='many'",
        "UPDATE item SET size=1.5",
        "UPDATE item SET mtime=x'00'",
        "UPDATE item SET subset=99 WHERE position=1",
        "UPDATE item SET subset='x' WHERE position=1",
    ],
)
def test_a_forged_item_table_is_reported(tmp_path, statements):
    folder = one_segment(tmp_path / "index")
    try:
        edit(folder, statements)
    except sqlite3.OperationalError as error:
        pytest.skip(f"this SQLite does not make such a table: {error}")
    assert type(outcome(folder)) is IndexCorrupt


def test_an_item_table_of_another_application_is_reported(tmp_path):
    folder = one_segment(tmp_path / "index")
    path = kinds(folder)["sqlite"][0]
    path.unlink()
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE item(position)")
    db.close()
    restamp(folder)
    assert "not an item table" in str(outcome(folder))


def test_an_item_table_left_in_wal_mode_is_read_without_making_files(tmp_path):
    folder = one_segment(tmp_path / "index")
    edit(folder, "PRAGMA journal_mode=WAL")
    before = set(all_bytes(folder))
    assert outcome(folder) is None
    assert set(all_bytes(folder)) == before


def test_a_journal_beside_an_item_table_is_not_played_back(tmp_path):
    folder = one_segment(tmp_path / "index")
    path = kinds(folder)["sqlite"][0]
    for suffix in ("-journal", "-wal", "-shm"):
        Path(f"{path}{suffix}").write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + bytes(4096))
    before = all_bytes(folder)
    assert outcome(folder) is None
    assert all_bytes(folder) == before


@pytest.mark.parametrize("seed", range(3))
def test_a_forged_item_table_never_crashes(tmp_path, seed):
    folder = one_segment(tmp_path / "index")
    path = kinds(folder)["sqlite"][0]
    data = path.read_bytes()
    pages = len(data) // 4096
    # What is in use on each page: its first bytes, and its end. The middle is free.
    used = [page * 4096 + at for page in range(pages) for at in [*range(120), *range(3600, 4096)]]
    rng = random.Random(seed)
    errors = 0
    for _ in range(200):
        changed = bytearray(data)
        for _ in range(rng.choice([1, 1, 2, 8])):
            changed[rng.choice(used)] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)])
        if rng.random() < 0.1:
            one, other = (4096 * rng.randrange(pages) for _ in range(2))
            changed[one : one + 4096] = data[other : other + 4096]
        path.write_bytes(changed)
        restamp(folder)
        errors += outcome(folder, honest=False) is not None
    assert errors > 20


def test_a_writer_on_a_forged_index_never_crashes(tmp_path):
    rng = random.Random(8)
    template = all_bytes(one_segment(tmp_path / "index"))
    table = next(name for name in template if name.endswith(".sqlite"))
    refused = 0
    for case in range(60):
        folder = tmp_path / str(case)
        for name, data in template.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        changed = bytearray(template[table])
        for _ in range(6):
            changed[4096 * rng.randrange(len(changed) // 4096) + rng.randrange(3900, 4096)] = rng.randrange(256)
        (folder / table).write_bytes(changed)
        restamp(folder)
        before = all_bytes(folder)
        try:
            apply(folder, [(row("new.jpg"), b"\0\0")], remove=[PAIRS[0][0][:2]], bits=BITS)
        except ClipdexError as error:
            refused += 1
            assert str(folder) in str(error)
            assert {name: data for name, data in all_bytes(folder).items() if name in before} == before
            apply(folder, PAIRS, bits=BITS, fresh=True)
            assert outcome(folder) is None
    assert refused


def test_looking_up_an_id_that_no_table_can_hold_finds_nothing(index):
    with Index(index) as opened:
        for item_id in ("\udcff.jpg", "a/\udcff", "a\0b", "", "/", "..", "a/..", "x" * 100_000, "a" + "/b" * 5000):
            assert opened.find(item_id) == []
            assert isinstance(opened.ids_like(item_id), list)


def test_errors_pickle_and_show_their_message(index):
    import pickle

    (index / "manifest.json").write_bytes(b"{}")
    error = outcome(index)
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert copy.message == error.message == str(error)
    assert copy.exit_code == 1
