"""Lists and tables of images: what their lines may be, and what is said of those that are wrong."""

from __future__ import annotations

import os
import time

import pytest

from clipdex.errors import DatasetError
from clipdex.readers import ReadItem, UnreadableItem, listed
from clipdex.readers.ordering import in_item_order
from clipdex.readers.path_lists import PathListReader
from clipdex.readers.tables import CsvReader, JsonLinesReader
from helpers_engine import make_folder


@pytest.fixture
def root(tmp_path):
    return make_folder(tmp_path / "data", "a.png", "train/cat/b.png", "c d.png")


def read(reader_class, path, text, **options):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(reader_class(path, options).read())


def good(found):
    return {item.id: (item.subset, item.labels) for item in found if isinstance(item, ReadItem)}


def bad(found):
    return {item.id: (item.kind, item.reason) for item in found if isinstance(item, UnreadableItem)}


def test_list_takes_paths_relative_to_it_and_absolute_ones(root, tmp_path):
    make_folder(tmp_path / "elsewhere", "e.png")
    outside = tmp_path / "elsewhere" / "e.png"
    text = f"# names\r\na.png\r\n\r\n./train/cat/../cat/b.png\n{root / 'c d.png'}\n{outside}\n../elsewhere/e.png\n"
    reader_items = read(PathListReader, root / "photos.txt", text)
    assert [item.id for item in reader_items] == [
        "a.png",
        "train/cat/b.png",
        "c d.png",
        outside.as_posix().lstrip("/"),
        outside.as_posix().lstrip("/"),
    ]
    reader = PathListReader(root / "photos.txt")
    for item in reader_items:
        assert reader.open(item).samefile(root / (item.media or item.id))
    assert bad(in_item_order(reader))[outside.as_posix().lstrip("/")][0] == "duplicate"


def test_list_names_what_is_missing_or_no_image(root):
    (root / "folder.png").mkdir()
    text = "nothing.png\nfilm.mp4\nhttps://example.org/a.png\nfolder.png\na.png/x.png\n#hash.png\n"
    assert {key: kind for key, (kind, _) in bad(read(PathListReader, root / "l.txt", text)).items()} == {
        "nothing.png": "missing",
        "film.mp4": "no image",
        "https://example.org/a.png": "missing",
        "folder.png": "unreadable",
        "a.png/x.png": "missing",
        "#hash.png": "missing",
    }
    assert bad(read(PathListReader, root / "l.txt", text))["nothing.png"][1] == "line 1: no such file: nothing.png"


def test_lines_that_are_not_utf8_are_named_and_those_too_long_refused(root, monkeypatch):
    found = read(PathListReader, root / "l.txt", b"\xef\xbb\xbfa.png\n\xff\xfe.png\n")
    assert list(good(found)) == ["a.png"]
    assert bad(found) == {"l.txt, line 2": ("unreadable", "it is not valid UTF-8")}
    monkeypatch.setattr(listed, "MAX_LINE_BYTES", 100)
    starts = {PathListReader: b"a.png\n", CsvReader: b"path\n", JsonLinesReader: b'{"path": "a.png"}\n'}
    for reader_class, start in starts.items():
        with pytest.raises(DatasetError, match="line 2: it is longer than 100 bytes"):
            read(reader_class, root / "l.txt", start + b"x" * 101)


def test_table_has_its_columns_in_any_order_and_case(root):
    text = "LABELS; Split ;id;FileName;x\ncat ;val;one;a.png;1\n\n;;two;c d.png;2\n" + '"a;b";;;train/cat/b.png\n'
    assert good(read(CsvReader, root / "t.csv", text)) == {
        "one": ("val", ("cat",)),
        "two": ("default", ()),
        "train/cat/b.png": ("default", ("a", "b")),
    }


def test_table_without_columns_for_them_has_subset_and_label_of_the_path(root):
    assert good(read(CsvReader, root / "t.csv", "path\ntrain/cat/b.png\n")) == {"train/cat/b.png": ("train", ("cat",))}
    assert good(read(CsvReader, root / "t.tsv", "id\tpath\n7\ttrain/cat/b.png\n")) == {"7": ("train", ("cat",))}


def test_bad_rows_of_a_table_are_named_with_their_lines(root):
    text = b'path,label\na.png,"two\nlines"\na.png,b,c\n,x\n\xff.png,x\ntrain/cat/b.png,y\n'
    found = read(CsvReader, root / "t.csv", text)
    assert good(found) == {"a.png": ("default", ("two\nlines",)), "train/cat/b.png": ("train", ("y",))}
    assert {key: reason for key, (_, reason) in bad(found).items()} == {
        "t.csv, line 4": "it has 3 columns, and the first line has 2",
        "t.csv, line 5": "its path is empty",
        "t.csv, line 6": "it is not valid UTF-8",
    }


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("name,label\nx,y\n", {}, "line 1: there is no column called path or file_name"),
        ("path,label\nx,y\n", {"label": "kind"}, "no column 'kind' .the columns are: path, label"),
        ("", {}, "the columns are: none"),
        ('path\n"a\n', {}, "line 2: unexpected end of data"),
        ("path\n", {"delimiter": "::"}, "delimiter '::' is none of comma, tab"),
        ("path\n", {"nothing": "x"}, "no option 'nothing': its options are path, id"),
    ],
)
def test_table_that_cannot_be_read_says_why(root, text, options, message):
    with pytest.raises(DatasetError, match=message):
        read(CsvReader, root / "t.csv", text, **options)


def test_json_lines_have_labels_as_text_or_list(root):
    lines = [
        '{"path": "a.png", "labels": ["x", 1, "x"], "id": 5, "subset": null}',
        "",
        '{"Path": "train/cat/b.png", "label": "one; label"}',
        '{"path": "c d.png", "labels": null}',
    ]
    assert good(read(JsonLinesReader, root / "t.jsonl", "\n".join(lines))) == {
        "5": ("default", ("x", "1")),
        "train/cat/b.png": ("train", ("one; label",)),
        "c d.png": ("default", ()),
    }


def test_bad_json_lines_are_named(root):
    lines = [
        '{"path": "a.png"}',
        "{",
        "[1]",
        '{"path": ["x"]}',
        '{"path": "a.png", "labels": [{"x": 1}]}',
        '{"id": "x"}',
        "[" * 100_000,
        '{"path": "a\\u0000.png"}',
        '{"path": "\\ud800.png"}',
        '{"path": "a.png", "id": "../x"}',
    ]
    path = root / "t.jsonl"
    path.write_text("\n".join(lines))
    found = bad(in_item_order(JsonLinesReader(path)))
    assert set(found) >= {f"t.jsonl, line {number}" for number in range(2, 8)}
    assert found["t.jsonl, line 6"][1] == "it does not say a path"
    assert found["../x"][1] == "the id is no relative path of names"
    assert len(found) == 9
    with pytest.raises(DatasetError, match="there is no column called path"):
        read(JsonLinesReader, path, '{"x": 1}\n')


def test_id_of_ones_own_says_where_the_image_is(root):
    make_folder(root / "!", "x.png", seed=5)
    found = read(CsvReader, root / "t.csv", "path,id\n!/x.png,one\na.png,two\n")
    reader = CsvReader(root / "t.csv")
    assert [reader.open(item) for item in found] == [root / "!" / "x.png", root / "a.png"]


@pytest.mark.parametrize("reader_class", [PathListReader, CsvReader, JsonLinesReader])
def test_reading_begins_before_the_list_is_read_to_its_end(reader_class, root):
    path = root / "endless"
    start = {PathListReader: "a.png\n", CsvReader: "path\na.png\n", JsonLinesReader: '{"path": "a.png"}\n'}
    with path.open("w") as file:
        file.write(start[reader_class])
        # A hole that reads as zeros: to hold it would take more memory than there is.
        os.truncate(file.fileno(), 1 << 40)
    assert next(reader_class(path).read()).id == "a.png"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_lists_and_tables_of_windows_are_read_in_its_encodings(root, encoding):
    names = ["a.png", "c d.png", "train/cat/b.png"]
    make_folder(root, "\u0a0a\u010a\u0a01.png")
    names.append("\u0a0a\u010a\u0a01.png")
    listed_ones = read(PathListReader, root / "l.txt", "\r\n".join(names).encode(encoding))
    assert [item.id for item in listed_ones] == names
    table = "path,label\n" + "".join(f"{name},cat\n" for name in names)
    assert set(good(read(CsvReader, root / "l.csv", table.encode(encoding)))) == set(names)
    assert PathListReader.detect(root / "l.txt") == "it names images, such as a.png"


def test_a_line_of_utf_16_that_is_too_long_or_cut_off_is_named(root, monkeypatch):
    found = read(PathListReader, root / "l.txt", "a.png\nb\u00e9.pn".encode("utf-16") + b"g")
    assert [getattr(item, "reason", "") for item in found] == ["", "it is not valid UTF-8"]
    monkeypatch.setattr(listed, "MAX_LINE_BYTES", 64)
    with pytest.raises(DatasetError, match="line 2: it is longer than 64 bytes"):
        read(PathListReader, root / "l.txt", ("a.png\n" + "x" * 40).encode("utf-16"))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_line_of_utf_16_with_very_many_bytes_of_line_ends_is_read_in_seconds(root, encoding):
    (root / "l.txt").write_bytes(("\ufeff" + "\u0a0a" * 250_000).encode(encoding))
    begin = time.process_time()
    assert [len(text) for _, text in listed.lines(root / "l.txt")] == [250_000]
    assert time.process_time() - begin < 4
