"""What a text from elsewhere makes clipdex do is bounded by its size, and by what is there on the disk."""

from __future__ import annotations

import tracemalloc
import zipfile
from pathlib import Path

import pytest

from clipdex import build, read_result
from clipdex.building.unchanged import known_items
from clipdex.datasets.failures import read_listed
from clipdex.errors import ImageError, IndexCorrupt, OutputError
from clipdex.media import locators, zips
from clipdex.media.locators import split_locator
from clipdex.readers import FolderReader
from clipdex_indexes import Snapshot
from clipdex_indexes.storage.files import read_text
from helpers_engine import make_folder

SPARSE = 1 << 30


def sparse(path: Path, begin: bytes = b"") -> Path:
    """Make a file of a gigabyte that takes no space."""
    with path.open("wb") as file:
        file.write(begin)
        file.truncate(SPARSE)
    return path


def test_sparse_text_is_refused_at_its_first_byte_that_no_text_has(tmp_path):
    with pytest.raises(IndexCorrupt, match="is not a text: byte 1 of it is 0"):
        read_text(sparse(tmp_path / "a.json", b"{"), SPARSE)


def test_sparse_result_and_sparse_list_of_failures_are_refused(tmp_path):
    with pytest.raises(OutputError, match=r"result\.json is not a text"):
        read_result(sparse(tmp_path / "result.json", b'{"schema": 1'))
    with pytest.raises(IndexCorrupt, match=r"failed\.json is not a text: .* The next build writes it again"):
        read_listed(sparse(tmp_path / "failed.json").parent)


def test_a_sparse_note_of_a_build_is_not_read_whole(tmp_path):
    root = make_folder(tmp_path / "data", "a.png")
    build(root)
    note = root / ".clipdex" / "unchanged.json"
    sparse(note, note.read_bytes())
    tracemalloc.start()
    with Snapshot(root / ".clipdex") as snapshot:
        assert known_items(snapshot, FolderReader(root), ()) is None
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 10 << 20
    assert build(root).unchanged == 1


def test_text_is_read_as_utf_8_across_blocks(tmp_path):
    text = "ä" * (1 << 20)
    (tmp_path / "a.txt").write_text(text, "utf-8")
    assert read_text(tmp_path / "a.txt", 1 << 22) == text


def test_a_locator_with_many_members_looks_at_the_disk_a_few_times(tmp_path, monkeypatch):
    looked = []
    monkeypatch.setattr(locators, "is_there", lambda path: looked.append(path) or path.exists())
    where = f"{tmp_path}/" + "a!/" * 20_000
    assert split_locator(where) == (Path(where), "")
    assert len(looked) == 1


def test_an_archive_is_found_in_folders_whose_names_end_in_an_exclamation_mark(tmp_path):
    folder = tmp_path / "now!" / "really!"
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.writestr("b!/c.png", b"")
    assert split_locator(f"{folder / 'a.zip'}!/b!/c.png") == (folder / "a.zip", "b!/c.png")


def overlapping(path: Path, count: int) -> Path:
    """Write an archive with ``count`` names for one member; the entries of its list differ in nothing else."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("000.png", bytes(1 << 20))
        [one] = archive.filelist
        for number in range(1, count):
            again = zipfile.ZipInfo(f"{number:03}.png")
            for field in ("compress_type", "CRC", "compress_size", "file_size", "header_offset", "external_attr"):
                setattr(again, field, getattr(one, field))
            archive.filelist.append(again)
    return path


def test_members_of_an_archive_that_have_the_same_bytes_are_refused_but_for_the_first(tmp_path):
    container = zips.open_container(overlapping(tmp_path / "a.zip", 50))
    problems = [member.problem for member in container.table.by_path()]
    assert problems == ["", *["it has the same bytes as another member of the archive"] * 49]
    assert len(container.open("000.png").read()) == 1 << 20
    with pytest.raises(ImageError, match="same bytes as another"):
        container.open("001.png")


def test_members_of_an_archive_in_any_order_are_all_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in "abc":
            archive.writestr(name, name)
        archive.filelist.reverse()
    container = zips.open_container(tmp_path / "a.zip")
    assert [container.open(name).read() for name in "abc"] == [b"a", b"b", b"c"]
