"""Lines of labels of YOLO: what is read, and what is named."""

from __future__ import annotations

import os

import pytest

from clipdex.readers.annotated import yolo_label_files
from clipdex.readers.annotated.small_files import MOST_BYTES
from clipdex.readers.annotated.yolo_label_files import OtherNames
from helpers_yolo import CAT, DOG, NAMES, TWO, USUAL, Read, labels_of, write

READ = {
    "box": "1 0.5 0.5 0.2 0.2",
    "several, each once, in order": "1 0.5 0.5 0.2 0.2\n0 0.5 0.5 0.2 0.2\n1 0.1 0.1 0.2 0.2\n",
    "confidence": "1 0.5 0.5 0.2 0.2 0.91",
    "confidence and track": "1 0.5 0.5 0.2 0.2 0.91 7",
    "triangle": "1 0.1 0.1 0.5 0.1 0.5 0.5",
    "polygon": "1 " + "0.25 0.75 " * 40,
    "polygon with confidence": "1 " + "0.25 0.75 " * 40 + "0.9",
    "rotated corners": "1 0.1 0.1 0.5 0.1 0.5 0.5 0.1 0.5",
    "rotated corners with confidence": "1 0.1 0.1 0.5 0.1 0.5 0.5 0.1 0.5 0.8",
    "keypoints": "1 0.5 0.5 0.2 0.2 " + "0.4 0.4 2 " * 17,
    "class alone": "1",
    "class with a fraction": "1.0 0.5 0.5 0.2 0.2",
    "class with a long fraction": "1.000000 0.5 0.5 0.2 0.2",
    "class with an exponent": "1e0 0.5 0.5 0.2 0.2",
    "class with zeros and a sign": "+01 0.5 0.5 0.2 0.2",
    "class as a name": "dog 0.5 0.5 0.2 0.2",
    "class as a name in quotes": "'dog' 0.5 0.5 0.2 0.2",
    "name of two words": "hot dog 0.5 0.5 0.2 0.2",
    "tabs": "1\t0.5\t0.5\t0.2\t0.2",
    "commas": "1,0.5,0.5,0.2,0.2",
    "commas and spaces": "1, 0.5, 0.5, 0.2, 0.2",
    "semicolons": "1;0.5;0.5;0.2;0.2",
    "commas in numbers": "1 0,5 0,5 0,2 0,2",
    "more spaces": "   1   0.5 0.5\t 0.2  0.2  ",
    "carriage returns": "\r\n1 0.5 0.5 0.2 0.2\r\n\r\n",
    "carriage returns alone": "1 0.5 0.5 0.2 0.2\r1 0.1 0.1 0.2 0.2\r",
    "blank lines": "\n\n1 0.5 0.5 0.2 0.2\n\n\n",
    "comments": "# class x y w h\n1 0.5 0.5 0.2 0.2 # a dog\n#\n",
    "byte order mark": "\ufeff1 0.5 0.5 0.2 0.2",
    "numbers with exponents": "1 5e-1 5E-01 2e-1 2e-1",
    "outside of the image": "1 -0.1 1.7 200 200",
    "DOTA": "imagesource:GoogleEarth\ngsd:0.14\n1 2 1 5 10 5 10 2 dog 0",
    "DOTA without difficulty": "1.5 2 1 5 10 5 10 2 dog",
    "DOTA of two words": "1 2 1 5 10 5 10 2 hot dog 1",
    "nothing": "",
    "white space": " \n\t\n",
}
EXPECTED = {
    "several, each once, in order": ["dog", "cat"],
    "name of two words": ["hot dog"],
    "DOTA of two words": ["hot dog"],
    "nothing": [],
    "white space": [],
}


@pytest.mark.parametrize("kind", READ)
def test_lines_of_any_kind_give_their_class(kind, tmp_path):
    found = labels_of(tmp_path, READ[kind], "names: [cat, dog, hot dog]\n")
    if kind == "commas in numbers":  # which are no numbers, but the class is one
        assert found == (["dog"], ["labels/a.txt: line 1: '0,5' is no number"])
    else:
        assert found == (EXPECTED.get(kind, ["dog"]), [])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_labels_in_utf_16_are_read(encoding, tmp_path):
    assert labels_of(tmp_path, "1 0.5 0.5 0.2 0.2\n".encode(encoding)) == (["dog"], [])


@pytest.mark.parametrize("at_once", [1, 1000])
def test_labels_are_read_whole_where_a_share_returns_less_than_it_was_asked_for(at_once, tmp_path, monkeypatch):
    real = os.read
    monkeypatch.setattr(os, "read", lambda handle, most: real(handle, min(most, at_once)))
    assert labels_of(tmp_path, CAT * 100 + DOG) == (["cat", "dog"], [])


NAMED = {
    "text 0.5 0.5 0.2 0.2": ([], "'text' is neither the number of a class nor its name"),
    "1.5 0.5 0.5 0.2 0.2": ([], "'1.5' is no number of a class"),
    "-1 0.5 0.5 0.2 0.2": ([], "'-1' is no number of a class"),
    "nan 0.5 0.5 0.2 0.2": ([], "'nan' is neither the number of a class nor its name"),
    "1e400 0.5 0.5 0.2 0.2": ([], "'1e400' is no number of a class"),
    "99999999999999999999 0.5 0.5 0.2 0.2": ([], "'99999999999999999999' is no number of a class"),
    "1_0 0.5 0.5 0.2 0.2": ([], "'1_0' is neither the number of a class nor its name"),
    "٣ 0.5 0.5 0.2 0.2": ([], "'٣' is neither the number of a class nor its name"),
    "{": ([], "'{' is neither the number of a class nor its name"),
    "1 0.5 0.5": (["dog"], "it has 3 columns, and a box has 5"),
    "1 a b c d": (["dog"], "'a' is no number"),
    "1 nan 0.5 0.2 0.2": (["dog"], "'nan' is no number"),
    "7 0.5 0.5 0.2 0.2": (["7"], "the class 7 has no name: the number is its label"),
    "\x00\x01\x02": ([], r"'\x00\x01\x02' is neither the number of a class nor its name"),
}


@pytest.mark.parametrize("line", NAMED)
def test_a_line_that_makes_no_sense_is_named_and_the_others_are_read(line, tmp_path):
    labels, reason = NAMED[line]
    found = labels_of(tmp_path, f"{CAT}{line}\n{CAT}")
    assert found == (["cat", *labels], [f"labels/a.txt: line 2: {reason}"])


def test_bytes_that_are_not_utf_8_are_named(tmp_path):
    labels, problems = labels_of(tmp_path, CAT.encode() + b"\xff\xfe 0.5 0.5 0.2 0.2\n")
    assert labels == ["cat"]
    assert len(problems) == 1


def test_without_names_numbers_and_texts_are_the_labels_and_a_remark_says_so(tmp_path):
    files = {"data.yaml": "train: images\nnc: 3\n", "images/a.jpg": "", "labels/a.txt": CAT + DOG}
    read = Read(write(tmp_path, files))
    assert (read.items, read.problems) == ({"train/a.jpg": ["0", "1"]}, [])
    assert "no names of classes were found: numbers are the labels." in read.remarks
    assert labels_of(tmp_path, "zebra 0.5 0.5 0.2 0.2\n", "") == (["zebra"], [])


def test_a_label_beside_a_line_of_noise_of_many_megabytes_is_read_in_bounded_memory(tmp_path):
    labels, problems = labels_of(tmp_path, CAT.encode() + bytes(MOST_BYTES))
    assert labels == ["cat"]
    assert "larger than 16 MiB" in problems[0]
    assert max(map(len, problems)) < 300


def test_more_labels_than_an_index_keeps_are_cut_and_counted(tmp_path):
    names = "names:\n" + "".join(f"  {number}: {'x' * 190}{number}\n" for number in range(100))
    lines = "".join(f"{number} 0.5 0.5 0.2 0.2\n" for number in range(100))
    labels, problems = labels_of(tmp_path, lines, names)
    assert 10 < len(labels) < 100
    assert f"{100 - len(labels)} are left out" in problems[0]


def test_a_file_of_labels_that_cannot_be_opened_is_named_and_its_image_stays(tmp_path):
    write(tmp_path, {"data.yaml": USUAL, **TWO})
    (tmp_path / "labels/train/a.txt").unlink()
    (tmp_path / "labels/train/a.txt").mkdir()
    (tmp_path / "labels/val/b.txt").unlink()
    os.mkfifo(tmp_path / "labels/val/b.txt")
    read = Read(tmp_path)
    assert read.items == {"train/a.jpg": [], "val/b.jpg": []}
    assert read.problems[0].startswith("labels/train/a.txt: it cannot be read: ")
    assert read.problems[1] == "labels/val/b.txt: it cannot be read: it is not a regular file"


def test_images_without_labels_are_items_and_one_file_serves_images_of_one_stem(tmp_path):
    more = {"images/train/a.png": "", "images/train/c.jpg": "", "images/train/d.jpg": "", "labels/train/d.txt": ""}
    read = Read(write(tmp_path, {"data.yaml": USUAL, **TWO, **more}))
    assert read.items == {
        "train/a.jpg": ["cat"],
        "train/a.png": ["cat"],
        "train/c.jpg": [],
        "train/d.jpg": [],
        "val/b.jpg": ["dog"],
    }
    assert read.problems == []


def test_labels_without_an_image_are_named_and_lists_of_classes_are_not(tmp_path):
    files = {
        **{"data.yaml": USUAL, **TWO},
        **{"labels/train/gone.txt": CAT, "labels/val/inner/gone.txt": DOG, "labels/classes.txt": "cat\ndog\n"},
        **{"labels/test/gone.txt": DOG, "images/train/notes.txt": "notes", "labels/README.txt": "on it"},
        **{
            "labelTxt/train/a.txt": "1 1 5 1 5 5 1 5 cat 0",
            "labels/train/empty.txt": "",
            "annotations/LICENSE.txt": "CC BY 4.0",
        },
    }
    read = Read(write(tmp_path, files))
    reason = "there is no image for these labels"
    assert sorted(read.problems) == [
        f"labels/{name}: {reason}"
        for name in ("test/gone.txt", "train/empty.txt", "train/gone.txt", "val/inner/gone.txt")
    ]


def test_labels_beside_the_images_without_an_image_are_named_but_notes_are_not(tmp_path):
    files = {"data.yaml": f"train: train\n{NAMES}", "train/a.jpg": "", "train/a.txt": CAT}
    files |= {"train/gone.txt": CAT, "train/notes.txt": "notes on this", "train/classes.txt": "cat"}
    read = Read(write(tmp_path, files))
    assert read.items == {"train/a.jpg": ["cat"]}
    assert read.problems == ["train/gone.txt: there is no image for these labels"]


def test_names_of_files_in_another_spelling_of_unicode_are_found(tmp_path):
    composed, decomposed = "\u00e9", "e\u0301"
    files = {"images/train/a.jpg": "", f"images/train/{composed}.jpg": "", f"labels/train/{decomposed}.txt": DOG}
    read = Read(write(tmp_path, {"data.yaml": USUAL, **files}))
    assert (read.items[f"train/{composed}.jpg"], read.problems) == (["dog"], [])


def test_files_of_labels_whose_names_differ_in_case_are_found_and_counted(tmp_path):
    files = {"images/train/IMG_1.JPG": "", "labels/train/img_1.txt": CAT, "labels/train/C.TXT": DOG}
    files |= {"images/train/c.jpg": "", "images/train/Mixed.png": "", "labels/train/mIXED.txt": CAT}
    read = Read(write(tmp_path, {"data.yaml": USUAL, **files}))
    assert read.items == {"train/IMG_1.JPG": ["cat"], "train/c.jpg": ["dog"], "train/Mixed.png": ["cat"]}
    assert read.problems == []
    said = "labels of 3 images are in files whose names have letters of another case, such as labels/train/img_1.txt."
    assert said in read.remarks


def test_labels_beside_their_images_may_differ_in_case_too(tmp_path):
    files = {"train/IMG_1.JPG": "", "train/img_1.TXT": CAT, "train/gone.TXT": DOG}
    read = Read(write(tmp_path, {"data.yaml": f"train: train\n{NAMES}", **files}))
    assert read.items == {"train/IMG_1.JPG": ["cat"]}
    assert read.problems == ["train/gone.TXT: there is no image for these labels"]


def test_labels_of_another_image_are_not_taken_because_of_letters_of_another_case(tmp_path):
    files = {"images/train/A.jpg": "", "images/train/a.jpg": "", "labels/train/a.txt": CAT}
    read = Read(write(tmp_path, {"data.yaml": USUAL, **files}))
    assert read.items == {"train/A.jpg": [], "train/a.jpg": ["cat"]}
    assert "another case" not in read.remarks


def test_a_file_called_as_the_image_with_its_extension_has_its_labels(tmp_path):
    files = {"images/train/a.jpg": "", "labels/train/a.jpg.txt": CAT, "images/train/b.rf.1.jpg": ""}
    read = Read(write(tmp_path, {"data.yaml": USUAL, **files, "labels/train/b.rf.1.txt": DOG}))
    assert (read.items, read.problems) == ({"train/a.jpg": ["cat"], "train/b.rf.1.jpg": ["dog"]}, [])


def test_folders_of_labels_whose_names_differ_in_case_are_found_and_counted(tmp_path):
    files = {"images/train/a.jpg": "", "LABELS/Train/a.txt": CAT, "images/val/b.jpg": "", "LABELS/VAL/b.txt": DOG}
    read = Read(write(tmp_path, {"data.yaml": USUAL, **files}))
    assert (read.items, read.problems) == ({"train/a.jpg": ["cat"], "val/b.jpg": ["dog"]}, [])
    said = "labels of 2 images are in files whose names have letters of another case, such as LABELS/Train/a.txt."
    assert said in read.remarks


def test_the_labels_of_another_folder_of_images_are_not_taken_because_of_letters_of_another_case(tmp_path):
    files = {"images/Train/a.jpg": "", "images/train/a.jpg": "", "labels/train/a.txt": CAT}
    read = Read(write(tmp_path, {"data.yaml": f"train: images/train\ntest: images/Train\n{NAMES}", **files}))
    assert read.items == {"test/a.jpg": [], "train/a.jpg": ["cat"]}


def test_each_folder_of_labels_is_listed_once_though_a_list_goes_from_one_to_another(tmp_path, monkeypatch):
    images = [f"images/{folder}/{number}.jpg" for number in range(10) for folder in ("one", "two")]
    files = dict.fromkeys(images, "") | {"labels/one/A.txt": CAT, "labels/two/B.txt": CAT}
    root = write(tmp_path, {"data.yaml": f"train: train.txt\n{NAMES}", "train.txt": "\n".join(images), **files})
    listed: list[str] = []
    names = OtherNames._names
    monkeypatch.setattr(OtherNames, "_names", lambda self, folder: (listed.append(folder), names(self, folder))[1])
    assert len(Read(root).items) == 20
    assert listed
    assert len(listed) == len(set(listed))


def test_folders_of_labels_are_listed_again_where_too_many_names_would_be_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(yolo_label_files, "_MOST_NAMES_KEPT", 1)
    images = [f"images/{folder}/{name}.jpg" for name in "abc" for folder in ("one", "two")]
    labels = {f"labels/{folder}/{name}.txt": CAT for name in "ABC" for folder in ("one", "two")}
    files = {"data.yaml": f"train: train.txt\n{NAMES}", "train.txt": "\n".join(images), **dict.fromkeys(images, "")}
    assert set(map(tuple, Read(write(tmp_path, files | labels)).items.values())) == {("cat",)}


def test_labels_without_an_image_are_named_in_the_order_of_their_folders(tmp_path):
    inner = [f"{number:02}" for number in (7, 2, 9, 4, 1, 8, 3, 6, 5, 0)]
    read = Read(write(tmp_path, {"data.yaml": USUAL, **TWO, **{f"labels/train/{one}/gone.txt": CAT for one in inner}}))
    assert [problem.partition(":")[0] for problem in read.problems] == [
        f"labels/train/{one}/gone.txt" for one in sorted(inner)
    ]
