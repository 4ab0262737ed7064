from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from clipdex.errors import DatasetNotFound
from clipdex.readers import IGNORE_MARK, FolderReader, ReadItem, UnreadableItem
from clipdex.readers.base import AWAY
from helpers_engine import make_folder, picture

PICTURE = b"\x89PNG\r\n\x1a\n"  # the reader looks at no more than the start of a file
needs_links = pytest.mark.skipif(sys.platform == "win32", reason="needs symbolic links")


def put(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(PICTURE)
    return root


def read(root):
    """What is there; not what may be on a disk that is away."""
    return [item for item in FolderReader(root).read() if isinstance(item, ReadItem) or item.kind != AWAY]


def ids(root):
    return [item.id for item in read(root)]


def failures(root):
    return {item.id: item.reason for item in read(root) if isinstance(item, UnreadableItem)}


@contextlib.contextmanager
def deep_folders(root, name, depth):
    """Folders in folders, which are gone afterwards: what cleans up after tests cannot delete such trees."""
    here = Path.cwd()
    os.chdir(root)
    try:
        for _ in range(depth):
            Path(name).mkdir()
            os.chdir(name)
        os.chdir(here)
        yield root.joinpath(*[name] * depth)
    finally:
        os.chdir(here)
        subprocess.run(["rm", "-rf", str(root / name)], check=True)


def test_an_item_is_its_path_with_size_time_subset_and_label(tmp_path):
    make_folder(tmp_path, "train/cats/a.png")
    status = (tmp_path / "train/cats/a.png").stat()
    assert read(tmp_path) == [ReadItem("train/cats/a.png", "train", ("cats",), status.st_size, status.st_mtime_ns)]


@pytest.mark.parametrize(
    ("item_id", "subset", "labels"),
    [
        ("a.jpg", "default", ()),
        ("cat/a.jpg", "default", ("cat",)),
        ("animals/cat/a.jpg", "default", ("cat",)),
        ("train/a.jpg", "train", ()),
        ("train/cat/a.jpg", "train", ("cat",)),
        ("val/x/cat/a.jpg", "val", ("cat",)),
        ("validation/cat/a.jpg", "validation", ("cat",)),
        ("test/cat/a.jpg", "test", ("cat",)),
        ("training/cat/a.jpg", "training", ("cat",)),
        ("testing/cat/a.jpg", "testing", ("cat",)),
        ("cat/train/a.jpg", "default", ("train",)),
        ("trains/a.jpg", "default", ("trains",)),
        ("train.jpg", "default", ()),
    ],
)
def test_subset_is_a_usual_first_folder_and_label_the_parent(tmp_path, item_id, subset, labels):
    put(tmp_path, item_id)
    assert [item[:3] for item in read(tmp_path)] == [(item_id, subset, labels)]


def test_items_come_in_the_order_of_their_ids(tmp_path):
    names = [
        "a/b.jpg",
        "a.jpg",
        "a-b.jpg",
        "a/b/c.jpg",
        "a b/x.jpg",
        "a0/x.jpg",
        "B.jpg",
        "é/x.jpg",
        "z.jpg",
        "a.d/x.jpg",
    ]
    put(tmp_path, *names, "\U0001f600.jpg", "\uffee.jpg")
    found = ids(tmp_path)
    assert len(found) == 12
    assert found == sorted(found)


def test_hidden_files_own_folders_and_marked_folders_are_passed_over(tmp_path):
    put(
        tmp_path,
        "a.png",
        ".hidden.png",
        ".git/x.png",
        ".clipdex/x.png",
        "saved/x.png",
        "saved/deep/y.png",
        "kept/z.png",
    )
    (tmp_path / "saved" / IGNORE_MARK).touch()
    assert ids(tmp_path) == ["a.png", "kept/z.png"]


def test_files_that_are_no_images_are_passed_over(tmp_path):
    put(tmp_path, "a.png", "notes.txt", "a.json", "movie.mp4", "model.bin", "a.jpg.part", "scan.pdf")
    assert ids(tmp_path) == ["a.png"]


@pytest.mark.parametrize("suffix", ["JPG", "Jpeg", "png", "webp", "gif", "bmp", "tif", "TIFF", "ppm", "jp2", "tga"])
def test_suffixes_of_images_count_in_any_case(tmp_path, suffix):
    put(tmp_path, f"a.{suffix}")
    assert ids(tmp_path) == [f"a.{suffix}"]


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF"])
def test_an_image_without_extension_is_known_by_its_first_bytes(tmp_path, form):
    picture(1).save(tmp_path / "image", form)
    (tmp_path / "README").write_text("no image")
    (tmp_path / "empty").touch()
    assert ids(tmp_path) == ["image"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
def test_names_may_hold_spaces_unicode_newlines_and_quotes(tmp_path):
    names = [
        "with space.png",
        "ünï/ćødé 猫.png",
        "new\nline.png",
        "tab\tquote'\".png",
        "back\\slash.png",
        "-dash.png",
        "~.png",
    ]
    put(tmp_path, *names)
    assert ids(tmp_path) == sorted(names)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_no_utf8_are_named_and_do_not_stop_the_rest(tmp_path):
    put(tmp_path, "a.png", "z.png")
    put(tmp_path, os.fsdecode(b"b\xff.png"), os.fsdecode(b"c\xfe/x.png"))
    found = read(tmp_path)
    assert [item.id for item in found if isinstance(item, ReadItem)] == ["a.png", "z.png"]
    assert set(failures(tmp_path)) == {"b\\udcff.png", "c\\udcfe/"}
    assert set(failures(tmp_path).values()) == {"the name is not valid UTF-8; rename it"}


@needs_links
def test_loops_of_links_end(tmp_path):
    root = put(tmp_path / "root", "a/x.png")
    (root / "a" / "up").symlink_to(root)
    (root / "a" / "self").symlink_to(root / "a")
    (root / "parent").symlink_to(tmp_path)
    (root / "circle").symlink_to(root / "circle")
    assert ids(root) == ["a/x.png"]


@needs_links
def test_two_outside_folders_that_link_to_each_other_end(tmp_path):
    root = put(tmp_path / "root", "x.png")
    put(tmp_path / "one", "1.png")
    put(tmp_path / "two", "2.png")
    (root / "one").symlink_to(tmp_path / "one")
    (tmp_path / "one" / "two").symlink_to(tmp_path / "two")
    (tmp_path / "two" / "one").symlink_to(tmp_path / "one")
    assert ids(root) == ["one/1.png", "one/two/2.png", "x.png"]


@needs_links
def test_a_folder_outside_is_followed_once_and_one_inside_not_again(tmp_path):
    root = put(tmp_path / "root", "a/x.png")
    put(tmp_path / "outside", "y.png")
    (root / "linked").symlink_to(tmp_path / "outside")
    (root / "linked-again").symlink_to(tmp_path / "outside")
    (root / "inside").symlink_to(root / "a")
    assert ids(root) == ["a/x.png", "linked-again/y.png"]


@needs_links
def test_a_link_to_a_hidden_folder_of_the_root_is_followed(tmp_path):
    put(tmp_path, ".store/x.png")
    (tmp_path / "shown").symlink_to(tmp_path / ".store")
    assert ids(tmp_path) == ["shown/x.png"]


@needs_links
def test_a_root_that_is_a_link_is_read(tmp_path):
    put(tmp_path / "real", "a/x.png")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert ids(tmp_path / "link") == ["a/x.png"]


@needs_links
def test_links_to_files_are_items_and_broken_ones_are_named(tmp_path):
    put(tmp_path / "elsewhere", "x.png")
    root = put(tmp_path / "root", "a.png")
    (root / "link.png").symlink_to(tmp_path / "elsewhere" / "x.png")
    (root / "broken.png").symlink_to(tmp_path / "nothing")
    (root / "broken").symlink_to(tmp_path / "nothing")
    assert ids(root) == ["a.png", "broken.png", "link.png"]
    assert list(failures(root)) == ["broken.png"]
    assert "No such file" in failures(root)["broken.png"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_does_not_make_it_wait(tmp_path):
    put(tmp_path, "a.png")
    os.mkfifo(tmp_path / "pipe.jpg")
    os.mkfifo(tmp_path / "pipe")
    assert failures(tmp_path) == {"pipe.jpg": "not a regular file"}
    assert ids(tmp_path) == ["a.png", "pipe.jpg"]


def test_a_folder_called_like_an_image_is_a_folder(tmp_path):
    put(tmp_path, "album.jpg/x.png")
    assert [(item.id, item.labels) for item in read(tmp_path)] == [("album.jpg/x.png", ("album.jpg",))]


@pytest.mark.skipif(sys.platform == "win32", reason="paths there are short")
def test_a_tree_deeper_than_recursion_is_read(tmp_path):
    with deep_folders(tmp_path, "d", 1100) as deepest:
        (deepest / "x.png").write_bytes(PICTURE)
        assert ids(tmp_path) == ["d/" * 1100 + "x.png"]


@pytest.mark.skipif(sys.platform != "linux", reason="the longest path differs")
def test_a_tree_deeper_than_the_longest_path_is_named_as_failed(tmp_path):
    put(tmp_path, "a.png")
    with deep_folders(tmp_path, "d" * 200, 25):
        assert ids(tmp_path)[0] == "a.png"
        assert [reason for reason in failures(tmp_path).values() if "too long" in reason]


def test_a_reader_can_be_read_again(tmp_path):
    reader = FolderReader(put(tmp_path, "a/x.png", "b.png"))
    assert list(reader.read()) == list(reader.read())


def test_an_empty_folder_has_no_items(tmp_path):
    assert ids(tmp_path) == []


def test_what_is_no_folder_is_refused(tmp_path):
    with pytest.raises(DatasetNotFound, match="does not exist"):
        FolderReader(tmp_path / "nothing")
    (tmp_path / "file").touch()
    with pytest.raises(DatasetNotFound, match="is a file"):
        FolderReader(tmp_path / "file")
