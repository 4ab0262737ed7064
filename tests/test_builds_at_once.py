"""What a build finds when it gets the lock decides, and not what it found before it waited."""

from __future__ import annotations

import json
import shutil
import threading
import zipfile
from contextlib import contextmanager

import pytest

from clipdex import build, import_hash_keys
from clipdex.building import hash_keys, joining
from clipdex.errors import DatasetEmpty, DatasetError, OutputError
from clipdex_indexes import IndexWriter, read_manifest
from helpers_engine import contents, make_folder, rows_and_keys


@pytest.fixture
def archive(tmp_path):
    """An archive of two folders, one of which is the dataset where the option ``root`` says so."""
    folder = make_folder(tmp_path / "pictures", "a/1.png", "a/2.png", "b/3.png", "b/4.png", "b/5.png")
    path = tmp_path / "photos.zip"
    with zipfile.ZipFile(path, "w") as handle:
        for image in sorted(folder.rglob("*.png")):
            handle.write(image, image.relative_to(folder))
    return path


@contextmanager
def another_build(target, **settings):
    """Another build, which holds the lock before there is an index, and goes on when ``finish`` is called."""
    holds, may_finish = threading.Event(), threading.Event()
    reports = []

    def stop_once(progress):
        if progress.phase == "hash" and not holds.is_set():
            holds.set()
            assert may_finish.wait(60)

    thread = threading.Thread(target=lambda: reports.append(build(target, progress=stop_once, **settings)))
    thread.start()
    try:
        assert holds.wait(60)
        yield lambda owner: may_finish.set()
    finally:
        may_finish.set()
        thread.join()
    assert len(reports) == 1


def ids_of(archive):
    return [row.id for row, _ in rows_and_keys(archive.with_name("photos.zip.clipdex"))]


def test_an_index_made_while_a_build_waits_says_how_the_dataset_is_read(archive):
    with another_build(archive, options={"root": "a"}) as finish:
        report = build(archive, wait=True, waiting=finish)
    assert (report.added, report.unchanged, report.removed, report.items) == (0, 2, 0, 2)
    assert ids_of(archive) == ["1.png", "2.png"]


def test_other_options_than_those_of_an_index_made_meanwhile_are_refused(archive):
    with another_build(archive, options={"root": "a"}) as finish, pytest.raises(DatasetError, match="--option root=a"):
        build(archive, options={"root": "b"}, wait=True, waiting=finish)
    assert ids_of(archive) == ["1.png", "2.png"]


def test_a_rebuild_replaces_an_index_made_meanwhile_whole_or_not_at_all(archive):
    index = archive.with_name("photos.zip.clipdex")
    seen = []

    def stop(progress):
        if progress.phase == "hash" and progress.done > 1:
            seen.append(contents(index))
            raise KeyboardInterrupt

    with another_build(archive, options={"root": "a"}) as finish, pytest.raises(KeyboardInterrupt):
        build(
            archive,
            options={"root": "b"},
            rebuild=True,
            wait=True,
            waiting=finish,
            checkpoint_seconds=0,
            progress=stop,
        )
    assert len(seen) == 1
    assert ids_of(archive) == ["1.png", "2.png"]
    assert build(archive, options={"root": "b"}, rebuild=True).items == 3
    assert read_manifest(index).source_options == {"root": "b"}


def test_a_dataset_that_is_emptied_while_a_build_waits_has_the_index_made_meanwhile_emptied_too(tmp_path):
    root = make_folder(tmp_path / "data", "a.png")

    with another_build(root) as finish:

        def empty(owner):
            finish(owner)
            while not (root / ".clipdex" / "manifest.json").exists():
                threading.Event().wait(0.01)
            (root / "a.png").unlink()

        report = build(root, wait=True, waiting=empty, prune=True)
    assert (report.removed, report.items) == (1, 0)


def test_a_dataset_without_images_and_index_is_refused_before_an_index_folder_is_made(tmp_path):
    (tmp_path / "data").mkdir()
    with pytest.raises(DatasetEmpty):
        build(tmp_path / "data", index=tmp_path / "index", wait=True)
    assert not (tmp_path / "index").exists()


def just_before_the_lock(monkeypatch, module, happens):
    """Let something happen between what ``module`` looks at first, and its taking the lock."""

    def writer(*arguments, **settings):
        happens()
        return IndexWriter(*arguments, **settings)

    monkeypatch.setattr(module, "IndexWriter", writer)


def test_hash_keys_do_not_replace_an_index_made_meanwhile(tmp_path, monkeypatch):
    root = make_folder(tmp_path / "data", "a.png")
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"hashkey": {"default/a": [1]}}))
    just_before_the_lock(monkeypatch, hash_keys, lambda: build(root))
    with pytest.raises(DatasetError, match="has an index already"):
        import_hash_keys(keys, root, model="clip")
    assert read_manifest(root / ".clipdex").model.name == "starter"


def test_a_merged_index_does_not_replace_one_of_a_dataset_made_meanwhile(odd, tmp_path, monkeypatch):
    other = shutil.copytree(odd, tmp_path / "other")
    index = tmp_path / "together" / ".clipdex"
    just_before_the_lock(monkeypatch, joining, lambda: shutil.copytree(odd / ".clipdex", index))
    with pytest.raises(OutputError, match="has the index of another dataset"):
        joining.join([odd, other], tmp_path / "together")
    assert contents(index) == contents(odd / ".clipdex")
