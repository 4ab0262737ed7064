"""The file of tags: what goes in comes out, several may write, and whatever is wrong with it is said."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
import threading

import numpy as np
import pytest

from clipdex_indexes import Index, TagsFailure
from clipdex_indexes.storage import tags as tags_module
from clipdex_indexes.storage.tags import APPLICATION_ID, TagFile, checked_tag, tags_path
from helpers_index import apply, random_pairs, split, write_index

A, B, C = ("a.jpg", "train"), ("b/ü.jpg", "val"), ("a.jpg", "val")


@pytest.fixture
def file(tmp_path):
    return TagFile(tmp_path / "i.tags.sqlite")


def test_what_was_tagged_comes_back_in_order(file):
    assert (file.counts(), file.items("x"), file.of_items([A]), file.remove("x"), file.rename("x", "y")) == (
        *({}, [], {}),
        *(0, 0),
    )
    assert not file.path.exists()
    assert file.add("good", [B, A]) == 2
    assert file.add("good", [A, C]) == 1
    assert file.add("alt", [A]) == 1
    assert file.add("none", []) == 0
    assert list(file.counts().items()) == [("alt", 1), ("good", 3)]
    assert file.items("good") == sorted([A, B, C])
    assert file.of_items([A, B, ("other", "train")]) == {A: ("alt", "good"), B: ("good",)}
    assert file.remove("good", [A, ("other", "train")]) == 1
    assert file.rename("good", "alt") == 2
    assert file.items("alt") == sorted([A, B, C])
    assert file.rename("alt", "alt") == 3
    assert file.remove("alt") == 3
    assert file.counts() == {}


def test_names_are_the_same_in_both_spellings_of_unicode(file):
    file.add(checked_tag("Ga\u0308rten"), [A])
    assert list(file.counts()) == ["G\u00e4rten"]
    assert file.items("Ga\u0308rten") == [A]
    assert file.remove("Ga\u0308rten") == 1


@pytest.mark.parametrize("name", ["", " ", " a", "a\n", "a\x1b[31m", "x" * 101])
def test_what_cannot_be_a_tag_is_refused(name):
    with pytest.raises(ValueError, match="cannot be a tag"):
        checked_tag(name)


def test_the_version_changes_with_each_change(file):
    seen = [file.version()]
    for change in (lambda: file.add("a", [A]), lambda: file.add("a", [B]), lambda: file.remove("a", [B])):
        change()
        seen.append(file.version())
    assert len(set(seen)) == 4
    file.counts()
    assert file.version() == seen[-1]


def test_several_threads_write_at_the_same_time_and_nothing_is_lost(file):
    def write(number):
        for one in range(5):
            file.add(f"tag{number}", [(f"{number}/{one}.jpg", "train")])

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert file.counts() == {f"tag{number}": 5 for number in range(6)}


def test_two_processes_write_at_the_same_time_and_nothing_is_lost(file):
    script = (
        "import sys; from pathlib import Path; from clipdex_indexes.storage.tags import TagFile\n"
        "for one in range(10): TagFile(Path(sys.argv[1])).add('t', [(f'{sys.argv[2]}/{one}', 's')])"
    )
    running = [subprocess.Popen([sys.executable, "-c", script, str(file.path), name]) for name in "xy"]
    assert [process.wait(timeout=60) for process in running] == [0, 0]
    assert file.counts() == {"t": 20}


def test_a_file_that_another_process_writes_for_long_is_said(file, monkeypatch):
    monkeypatch.setattr(tags_module, "_WAIT_SECONDS", 0.01)
    file.add("a", [A])
    with contextlib.closing(sqlite3.connect(file.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        for call in (lambda: file.add("b", [B]), file.counts):
            with pytest.raises(TagsFailure, match="being written by another process"):
                call()
    assert file.counts() == {"a": 1}


def test_a_change_that_fails_changes_nothing(file):
    file.add("a", [A])

    def items():
        yield B
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        file.add("a", items())
    assert file.items("a") == [A]


def test_there_is_a_greatest_number_of_tags(file, monkeypatch):
    monkeypatch.setattr(tags_module, "MOST_TAGS", 3)
    for name in "abc":
        file.add(name, [A])
    with pytest.raises(TagsFailure, match="has 3 tags"):
        file.add("d", [A])
    file.add("c", [B])
    assert file.counts() == {"a": 1, "b": 1, "c": 2}


def edited(file, *statements):
    file.add("a", [A])
    with contextlib.closing(sqlite3.connect(file.path, isolation_level=None)) as db:
        for statement in statements:
            db.execute(statement)


def replaced(file, data):
    file.path.write_bytes(data)


DAMAGE = {
    "no database": lambda file: replaced(file, b"no database at all" * 100),
    "another database": lambda file: edited(file, "PRAGMA application_id=7"),
    "another table": lambda file: edited(file, "CREATE TABLE more(x)"),
    "a trigger": lambda file: edited(
        file, "CREATE TRIGGER t AFTER INSERT ON tagged BEGIN DELETE FROM tagged; END"
    ),
    "cut off": lambda file: (edited(file), replaced(file, file.path.read_bytes()[:5000])),
    "a link": lambda file: (
        edited(file),
        file.path.rename(file.path.with_name("other")),
        file.path.symlink_to("other"),
    ),
    "a link to nothing": lambda file: file.path.symlink_to("nothing"),
    "a folder": lambda file: file.path.mkdir(),
    "a pipe": lambda file: os.mkfifo(file.path),
    "a journal of another": lambda file: (
        edited(file),
        file.path.with_name(file.path.name + "-journal").write_bytes(b"x" * 600 + bytes.fromhex("d9d505f920a163d7")),
    ),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_file_that_is_not_ours_is_refused_by_everything(file, damage):
    DAMAGE[damage](file)
    for call in (
        *(file.counts, lambda: file.items("a"), lambda: file.of_items([A])),
        *(lambda: file.add("b", [B]), lambda: file.remove("a", [A]), lambda: file.rename("a", "b")),
    ):
        with pytest.raises(TagsFailure):
            call()
    assert not file.path.with_name("nothing").exists()


@pytest.mark.parametrize(
    "row",
    ["('../up', 's', 'a')", "('/etc/passwd', 's', 'a')", "(x'ff', 's', 'a')", "('x', x'00', 'a')"],
)
def test_items_that_cannot_be_are_damage(file, row):
    edited(file, f"INSERT INTO tagged VALUES {row}")
    with pytest.raises(TagsFailure, match="cannot be used"):
        file.items("a")


@pytest.mark.parametrize("tag", ["x'41'", "''", "char(27)", "printf('%200s', 'a')"])
def test_tags_that_cannot_be_are_damage(file, tag):
    edited(file, f"INSERT INTO tagged VALUES ('a.jpg', 'train', {tag})")
    for call in (file.counts, lambda: file.of_items([A])):
        with pytest.raises(TagsFailure, match="cannot be used"):
            call()


def test_more_tags_than_there_can_be_are_damage(file, monkeypatch):
    edited(file, *(f"INSERT INTO tagged VALUES ('x', 's', 't{number}')" for number in range(5)))
    monkeypatch.setattr(tags_module, "MOST_TAGS", 3)
    with pytest.raises(TagsFailure, match="more rows"):
        file.counts()


def test_a_file_that_is_too_large_is_not_opened(file, monkeypatch):
    file.add("a", [A])
    monkeypatch.setattr(tags_module, "_MAX_BYTES", 100)
    with pytest.raises(TagsFailure, match="larger than"):
        file.counts()


def test_the_file_is_one_of_tags_and_is_beside_the_folder_of_the_index(tmp_path, file):
    assert tags_path(tmp_path / ".clipdex") == tmp_path / ".clipdex.tags.sqlite"
    file.add("a", [A])
    with contextlib.closing(sqlite3.connect(file.path)) as db:
        assert db.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)


@pytest.mark.parametrize("segments", [1, 4])
def test_tagged_items_are_found_in_the_segments_or_are_gone(tmp_path, segments):
    pairs = random_pairs(300, 64, seed=segments)
    rng = np.random.default_rng(2)
    with Index(write_index(tmp_path / "i", split(pairs, segments, seed=1), 64)) as index:
        every = dict(index.items())
        for number in range(3):
            tagged = [row for row in every.values() if rng.random() < (0.01, 0.3, 1)[number]]
            gone = [(f"gone{one}.jpg", "train") for one in range(number)] + [(tagged[0].id, "elsewhere")]
            index.tags.file.add(str(number), [*(row[:2] for row in tagged), *gone])
            located = index.tagged(str(number))
            found = [
                every[segment, at] for segment, positions in enumerate(located.positions) for at in positions.tolist()
            ]
            assert sorted(found) == sorted(tagged)
            assert located.gone == sorted(gone)
        masks = [rng.random(len(segment)) < 0.5 for segment in index.segments]
        for chosen in (None, masks):
            rows = [row for (part, at), row in every.items() if chosen is None or chosen[part][at]]
            tags = index.tags.file.of_items([row[:2] for row in rows])
            counts = {name: sum(name in names for names in tags.values()) for name in "012"}
            assert index.tag_counts(chosen) == {name: count for name, count in counts.items() if count}


def test_an_item_that_is_removed_is_gone_and_one_that_is_written_again_is_found(tmp_path):
    folder = tmp_path / "i"
    pairs = random_pairs(40, 64, seed=3)
    apply(folder, pairs)
    names = [item[:2] for item, _ in pairs[:9]]
    with Index(folder) as index:
        index.tags.file.add("t", names)
        assert index.tagged("t").items == 9
        apply(folder, pairs[:2], remove=names[:5])
        assert index.tagged("t").items == 9
        index.refresh()
        assert index.tagged("t").gone == sorted(names[2:5])
        assert index.tagged("t").items == 6
        assert index.tag_counts() == {"t": 6}
