"""What ``data.yaml`` says: names of classes in any form, and files that are broken, huge or hostile."""

from __future__ import annotations

import time

import pytest

from clipdex.readers.annotated.yaml_text import read_yaml
from helpers_yolo import CAT, DOG, TWO, USUAL, Read, labels_of, write

NAMES = {
    "list": "names: [cat, dog]",
    "list in lines": "names:\n- cat\n- dog",
    "list over lines": "names: ['cat',\n'dog'\n]",
    "mapping": "names: {0: cat, 1: dog}",
    "mapping out of order with gaps": "names:\n  1: dog\n  80: zebra\n  0: cat",
    "mapping of texts": "names: {'0': cat, '1': dog}",
    "mapping of names to numbers": "names: {cat: 0, dog: 1}",
    "mappings": "names:\n- {id: 0, name: cat}\n- {id: 1, name: dog}",
    "mappings of one": "names:\n- 0: cat\n- 1: dog",
    "text": "names: cat, dog",
    "another key": "class_names: [cat, dog]",
    "key in quotes": '"names": [cat, dog]',
    "with a number of classes that is wrong": "nc: 7\nnames: [cat, dog]",
    "with spaces": "names: ['  cat', 'dog  ']",
    "with tags": "names: !!python/tuple [!!str cat, !!python/name:os.system dog]",
    "with an alias": "all: &all [cat, dog]\nnames: *all",
    "indented with tabs": "names:\n\t0: cat\n\t1: dog",
    "after another key that is broken": 'path: "C:\\data\\new"\nnames: [cat, dog]',
    "before another key that is broken": "names: [cat, dog]\nmore: [a, b",
    "key in capital letters": "NAMES: [cat, dog]",
    "twice": "names: [x]\nnames: [cat, dog]",
    "with a carriage return": "names:\r\n- cat\r\n- dog\r\n",
}


@pytest.mark.parametrize("form", NAMES)
def test_names_of_classes_are_read_in_any_form(form, tmp_path):
    labels, problems = labels_of(tmp_path, CAT + DOG, NAMES[form] + "\n")
    assert labels == ["cat", "dog"]
    assert len(problems) == ("broken" in form)


@pytest.mark.parametrize(
    "text", ["\ufeff" + USUAL, '{"train": "images/train", "val": "images/val", "names": ["cat", "dog"]}']
)
def test_a_byte_order_mark_and_json_are_read(text, tmp_path):
    read = Read(write(tmp_path, {"data.yaml": text, **TWO}))
    assert (read.items, read.problems) == ({"train/a.jpg": ["cat"], "val/b.jpg": ["dog"]}, [])


@pytest.mark.parametrize(
    ("written", "label"),
    [
        *((text, text) for text in ("no", "Yes", "on", "010", "1.0", "~", "2024-01-01", "猫")),
        *(("'a, b'", "a, b"), ('"\\ud83d\\ude00"', "\U0001f600"), ('"\\ud83d"', "\ufffd")),
    ],
)
def test_a_name_stays_the_text_that_is_written(written, label, tmp_path):
    assert labels_of(tmp_path, CAT, f"names: [{written}]\n") == ([label], [])


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["x" * 200, "y" * 250], "a class has a name of more than 200 characters, class 1: the rest was cut"),
        (["x" * 201, "y" * 999], "2 classes have names of more than 200 characters, such as class 0: the rest was cut"),
    ],
)
def test_names_that_are_too_long_are_cut_and_counted(names, said, tmp_path):
    cut = ["x" * 200, "y" * 200]
    assert labels_of(tmp_path / "a", CAT + DOG, f"names: [{', '.join(names)}]\n") == (cut, [f"data.yaml: {said}"])
    read = Read(write(tmp_path / "b", {"classes.txt": "\n".join(names), "a.jpg": "", "a.txt": CAT + DOG}))
    assert (read.items["default/a.jpg"], read.problems) == (cut, [f"classes.txt: {said}"])
    assert read.reader.annotation_problems.count == sum(len(name) > 200 for name in names)


def test_a_name_that_is_empty_or_no_text_leaves_the_number(tmp_path):
    labels, problems = labels_of(tmp_path, CAT + DOG, "names: {0: '', 1: [x], y: z}\n")
    assert labels == ["0", "1"]
    assert problems == [
        "data.yaml: names: the name of class 1 is no text",
        "data.yaml: names: 'y' is no number of a class",
    ]


def test_names_of_a_file_that_the_yaml_names(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "obj.names").write_bytes(b"cat\r\n\r\ndog \r\n")
    assert labels_of(tmp_path, CAT + "2 0.5 0.5 0.1 0.1", "names: data/obj.names\n") == (["cat", "dog"], [])


def test_lists_of_classes_that_differ_are_not_used(tmp_path):
    files = {"labels/train/classes.txt": "cat\ndog", "labels/val/classes.txt": "dog\ncat", **TWO}
    read = Read(write(tmp_path, files))
    assert read.items == {"train/a.jpg": ["0"], "val/b.jpg": ["1"]}
    assert read.problems == [
        "labels/val/classes.txt: its classes are not those of labels/train/classes.txt: numbers are the labels"
    ]


BROKEN = {
    "no YAML": "{{{: ]",
    "a list": "- a\n- b",
    "a text": "hello",
    "nested deep": "names: " + "[" * 5000,
    "zeros": "\0" * 100,
    "half an entry": "names: [cat",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_with_a_broken_file_the_images_are_read_by_their_layout_and_it_is_named(kind, tmp_path):
    read = Read(write(tmp_path, {"data.yaml": BROKEN[kind], **TWO}))
    assert read.items == {"train/a.jpg": ["0"], "val/b.jpg": ["1"]}
    assert read.problems
    assert all(problem.startswith("data.yaml: ") for problem in read.problems)


def test_a_broken_file_is_named_with_its_line(tmp_path):
    read = Read(
        write(tmp_path, {"data.yaml": "# mine\ntrain: images/train\nnames:\n  - [cat\nval: images/val\n", **TWO})
    )
    assert set(read.items) == {"train/a.jpg", "val/b.jpg"}
    assert len(read.problems) == 1
    assert read.problems[0].startswith("data.yaml: line ")


def test_aliases_that_would_take_all_memory_do_not(tmp_path):
    names = "names: {0: *a39, 1: dog, *a39 : x}\n"
    levels = "a0: &a0 [x, x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 40))
    read = Read(write(tmp_path, {"data.yaml": f"{levels}train: *a39\nloop: &loop [*loop]\n{USUAL}{names}", **TWO}))
    assert read.items == {"train/a.jpg": ["0"], "val/b.jpg": ["dog"]}


LONG = "x: &x '" + " " * 300_000 + "1'\n"
HEAVY = {
    "names": f"{LONG}train: images\nnames: [{', '.join(['*x'] * 20_000)}]\n",
    "names by their numbers": f"{LONG}train: images\nnames: {{{', '.join(f'a{n}: *x' for n in range(20_000))}}}\n",
    "places": f"{LONG}train: [images, {', '.join(['*x'] * 20_000)}]\nnames: [cat]\n",
    "keys": f"train: images\nx: &x [{'a, ' * 1000}]\n" + "".join(f"k{n}: *x\n" for n in range(20_000)),
    "keys that name nothing": "train: images\n" + "".join(f"k{n}: a{n}\n" for n in range(50_000)),
}


@pytest.mark.parametrize("kind", HEAVY)
def test_aliases_of_long_texts_and_very_many_keys_take_no_long_time(kind, tmp_path):
    root = write(tmp_path, {"data.yaml": HEAVY[kind], "images/a.jpg": "", "labels/a.txt": CAT})
    before = time.process_time()
    assert set(Read(root).items) == {"train/a.jpg"}
    assert time.process_time() - before < 3


MERGED = {
    "of the document": "base: &base\n  names: [cat, dog]\n<<: *base\ntrain: images/train\nval: images/val\n",
    "of a list": "a: &a {names: [cat, dog]}\nb: &b {names: [x], val: images/val}\n<<: [*a, *b]\ntrain: images/train\n",
    "of the names": USUAL.replace("[cat, dog]", "{<<: {0: cat, 1: x}, 1: dog}"),
    "behind what it may not replace": USUAL + "<<: {names: [x, y]}\n",
}


@pytest.mark.parametrize("kind", MERGED)
def test_merge_keys_are_read(kind, tmp_path):
    read = Read(write(tmp_path, {"data.yaml": MERGED[kind], **TWO}))
    assert (read.items, read.problems) == ({"train/a.jpg": ["cat"], "val/b.jpg": ["dog"]}, [])


@pytest.mark.parametrize("value", ["cat", "*nothing", "[[a]]", "~"])
def test_a_merge_key_that_stands_for_no_mapping_is_named_and_loses_no_other_key(value, tmp_path):
    read = Read(write(tmp_path, {"data.yaml": f"extra:\n  <<: {value}\n{USUAL}", **TWO}))
    assert read.items == {"train/a.jpg": ["cat"], "val/b.jpg": ["dog"]}
    assert read.problems == ["data.yaml: the merge key << stands for no mapping that can be read"]


def test_merge_keys_that_stand_for_very_much_are_given_up_soon():
    many = "a: &a {" + ", ".join(f"k{n}: 1" for n in range(5000)) + "}\n"
    read, problems = read_yaml(many + "m: {l: [" + "{<<: *a}, " * 5000 + "]}\n")
    assert "the merge key << stands for no mapping that can be read" in [one.reason for one in problems]
    assert (len(read["a"]), "m" in read) == (5000, False)


def test_more_places_than_are_looked_for_are_counted_in_a_sentence(tmp_path):
    folders = ", ".join(f"images/{number}" for number in range(1200))
    read = Read(write(tmp_path, {"data.yaml": f"test: []\ntrain: [images/val, {folders}]\nnames: [cat, dog]\n", **TWO}))
    assert set(read.items) == {"train/b.jpg"}
    assert read.problems == ["data.yaml: it names more than 1,000 places: what is behind train was not read"]


def test_names_in_mappings_are_read_and_an_id_that_is_no_number_is_named(tmp_path):
    assert labels_of(tmp_path / "a", DOG, "names: {0: {name: cat}, 1: {name: dog, color: red}}\n") == (["dog"], [])
    labels, problems = labels_of(tmp_path / "b", DOG, "names: [{id: [0], name: cat}, {id: 1, name: dog}]\n")
    assert labels == ["dog"]
    assert problems == ["data.yaml: names: 'the id in entry 0' is no number of a class"]


def test_a_file_that_is_too_large_is_read_as_far_as_it_goes(tmp_path):
    labels, problems = labels_of(tmp_path, CAT, "names: [cat]\n" + "# long\n" * 200_000)
    assert labels == ["cat"]
    assert problems == ["data.yaml: it is larger than 1 MiB: what is behind was not read"]


def test_letters_that_are_not_utf_8_are_replaced_and_named(tmp_path):
    write(tmp_path, {"data.yaml": b"train: images\nnames: [caf\xe9, dog]\n", "images/a.jpg": "", "labels/a.txt": DOG})
    read = Read(tmp_path)
    assert read.items == {"train/a.jpg": ["dog"]}
    assert read.problems == ["data.yaml: line 2: it is not valid UTF-8: letters were replaced"]


@pytest.mark.parametrize(
    "value", ["{a: b}", "[[images/train]]", "[]", "~", "''", "3", '"a\\0b"', "..", "a" * 5000, "'*'", "'[!'", "{}"]
)
def test_values_of_a_subset_that_make_no_sense_lose_no_image_of_another(value, tmp_path):
    read = Read(write(tmp_path / "ds", {"data.yaml": USUAL.replace("images/val", value), **TWO}))
    assert read.items["train/a.jpg"] == ["cat"]


@pytest.mark.parametrize(
    "text",
    [
        "[" * 1_000_000,
        "a" + " " * 1_000_000 + "x\n",
        "a: b\n" * 20_000,
        "\t" * 1_000_000,
        "a: '" + "'" * 1_000_000,
        "? " * 300_000,
    ],
)
def test_hostile_texts_of_a_megabyte_are_given_up_soon(text):
    assert read_yaml(text + "\n[")[1]


def test_a_document_that_is_empty_says_nothing():
    assert read_yaml("") == ({}, [])
    assert read_yaml("---\n...\n") == ({}, [])
    assert read_yaml("# nothing\n") == ({}, [])
