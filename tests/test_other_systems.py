"""What other systems leave in datasets: their folders, their paths in lists, their spelling of names."""

from __future__ import annotations

import json
import unicodedata
import zipfile

import pytest

from clipdex import Explorer, build
from clipdex.errors import ItemAmbiguous, ItemNotFound
from clipdex.readers import FolderReader, ReadItem
from clipdex.readers.archives import ZipReader
from clipdex.readers.folder import count_images
from clipdex.readers.globs import GlobReader
from clipdex.readers.path_lists import PathListReader
from clipdex.readers.tables import CsvReader, JsonLinesReader
from helpers_engine import make_folder

SYSTEM_FOLDERS = [
    *("@eaDir", "#recycle", "#Recycle", "@Recycle", "#snapshot", "__MACOSX", ".thumbnails", "lost+found"),
    *("$RECYCLE.BIN", "System Volume Information"),
]
NFC = unicodedata.normalize("NFC", "café")
NFD = unicodedata.normalize("NFD", "café")


def ids(reader):
    return [item.id for item in reader.read() if isinstance(item, ReadItem)]


@pytest.mark.parametrize("folder", SYSTEM_FOLDERS)
def test_folders_of_systems_are_passed_over_wherever_images_are_looked_for(tmp_path, folder):
    root = make_folder(tmp_path / "data", "a.png", f"{folder}/b.png", f"cat/{folder}/c.png/thumb.png", "cat/d.png")
    assert ids(FolderReader(root)) == ["a.png", "cat/d.png"]
    assert ids(GlobReader(root / "**" / "*.png")) == ["a.png", "cat/d.png"]
    assert count_images(root) == (2, True)
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        for path in root.rglob("*.png"):
            if path.is_file():
                archive.write(path, path.relative_to(root))
    assert ids(ZipReader(tmp_path / "data.zip")) == ["a.png", "cat/d.png"]


@pytest.mark.parametrize("folder", ["@eaDir", "lost+found"])
def test_a_folder_of_a_system_is_read_where_the_user_names_it(tmp_path, folder):
    root = make_folder(tmp_path / folder, "a.png", "x/b.png")
    assert ids(FolderReader(root)) == ["a.png", "x/b.png"]
    assert ids(GlobReader(root / "*" / "*.png")) == ["x/b.png"]


def test_names_that_only_begin_like_folders_of_systems_are_read(tmp_path):
    names = ["@eaDirectory/a.png", "cat/lost+found.png", "recycle/c.png", "tmp/#recycle.png"]
    assert ids(FolderReader(make_folder(tmp_path, *names))) == sorted(names)


def test_a_change_in_a_folder_of_a_system_is_no_change_of_the_dataset(tmp_path):
    root = make_folder(tmp_path, "a.png", "@eaDir/a.png")
    before = build(root).index / "manifest.json"
    manifest = before.read_bytes()
    make_folder(root, "@eaDir/b.png")
    assert build(root).unchanged == 1
    assert before.read_bytes() == manifest


@pytest.mark.skipif("sys.platform == 'win32'")
def test_a_link_to_an_image_folder_in_a_folder_of_a_system_is_followed(tmp_path):
    root = make_folder(tmp_path, "a.png", "lost+found/x/b.png")
    (root / "rescued").symlink_to(root / "lost+found" / "x")
    assert ids(FolderReader(root)) == ["a.png", "rescued/b.png"]


WINDOWS_PATHS = [
    r"train\cat\a.png",
    r".\train\cat\a.png",
    r"train/cat\a.png",
    r"other\..\train\cat\a.png",
    r"C:\Users\me\photos\train\cat\a.png",
    r"d:/photos/train/cat/a.png",
    r"C:\photos/train\cat/a.png",
    r"\\server\share\photos\train\cat\a.png",
    r"\\?\C:\photos\train\cat\a.png",
    r"C:\train\cat\a.png",
    r"C:\photos\other\..\train\cat\a.png",
]


@pytest.mark.parametrize("path", WINDOWS_PATHS)
def test_paths_of_windows_are_found_in_lists_and_tables(tmp_path, path):
    root = make_folder(tmp_path / "photos", "train/cat/a.png", "other/b.png")
    expected = [("train/cat/a.png", "train", ("cat",))]
    (root / "l.txt").write_text(path + "\r\n")
    (root / "t.csv").write_text(f"path\r\n{path}\r\n")
    (root / "t.jsonl").write_text(json.dumps({"path": path}))
    for reader in (PathListReader(root / "l.txt"), CsvReader(root / "t.csv"), JsonLinesReader(root / "t.jsonl")):
        items = list(reader.read())
        assert [tuple(item[:3]) for item in items] == expected
        assert reader.open(items[0]).samefile(root / "train/cat/a.png")


def test_a_backslash_in_a_name_here_stays_a_backslash(tmp_path):
    root = make_folder(tmp_path, r"cat\a.png", "cat/a.png")
    (root / "l.txt").write_text("cat\\a.png\ncat/a.png\n")
    assert ids(PathListReader(root / "l.txt")) == [r"cat\a.png", "cat/a.png"]


def test_what_a_drive_stands_for_is_the_same_for_the_whole_list(tmp_path):
    root = make_folder(tmp_path, "a.png", "b.png", "dog/a.png")
    lines = [r"C:\cat\a.png", r"C:\dog\b.png", r"C:\cat\b.png", r"C:\cat\missing.png", r"C:\cat\dog\a.png", r"E:\a.png"]
    (root / "l.txt").write_text("\n".join(lines))
    # Of C:\dog nobody knows that it is the root as well.
    found = [(item.id, isinstance(item, ReadItem)) for item in PathListReader(root / "l.txt").read()]
    assert found[0] == ("a.png", True)
    assert [good for _, good in found] == [True, False, True, False, True, False]


def test_a_missing_path_of_windows_is_named_as_the_list_has_it(tmp_path):
    root = make_folder(tmp_path, "a.png")
    (root / "l.txt").write_text("sub\\none.png\nC:\\none\\none.png\n")
    first, second = PathListReader(root / "l.txt").read()
    assert (first.id, first.kind, first.reason) == ("sub/none.png", "missing", "line 1: no such file: sub\\none.png")
    assert (second.kind, second.reason) == ("missing", "line 2: no such file: C:\\none\\none.png")


@pytest.mark.parametrize("there", [NFC, NFD])
@pytest.mark.parametrize("listed", [NFC, NFD])
def test_a_list_may_spell_a_name_otherwise_than_the_disk(tmp_path, there, listed):
    root = make_folder(tmp_path, f"{there}/a.png")
    (root / "l.txt").write_text(f"{listed}/a.png\n{listed}\\a.png\n")
    assert ids(PathListReader(root / "l.txt")) == [f"{there}/a.png"] * 2


@pytest.mark.parametrize("there", [f"{NFC}/{NFC}.png", f"{NFD}/{NFD}.png", f"{NFD}/{NFC}.png"])
@pytest.mark.parametrize("asked", [f"{NFC}/{NFC}.png", f"{NFD}/{NFD}", f"{NFC}/{NFD}.png"])
def test_an_item_is_found_whatever_unicode_spelling_the_query_has(tmp_path, there, asked):
    root = make_folder(tmp_path / "data", there, "cafe/cafe.png")
    build(root)
    with Explorer(root) as explorer:
        assert explorer.item(asked).id == there
        assert explorer.item(f"data:{asked}").id == there
        assert explorer.item(str(root / asked)).id == there
        with pytest.raises(ItemNotFound):
            explorer.item(asked.replace("a", "o"))


def test_of_ids_that_differ_only_in_spelling_the_one_that_was_asked_for_is_found(tmp_path):
    root = make_folder(tmp_path, f"{NFC}/{NFC}.png", f"{NFD}/{NFD}.png")
    build(root)
    with Explorer(root) as explorer:
        for spelling in (NFC, NFD):
            assert explorer.item(f"{spelling}/{spelling}").id == f"{spelling}/{spelling}.png"
        with pytest.raises(ItemAmbiguous):
            explorer.item(f"{NFC}/{NFD}")
