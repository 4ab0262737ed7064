"""Files of Pascal VOC that are joined in memory are read as those that a database joins."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipdex.readers.annotated.voc import VocReader
from clipdex.readers.annotated.voc_catalogue import Catalogue
from clipdex.readers.annotated.voc_pairs import Pairs
from helpers_amounts import EXAMPLES
from helpers_voc import annotation, voc

PLAIN = {
    "JPEGImages/a.jpg": "",
    "JPEGImages/a-b.jpg": "",
    "JPEGImages/c.jpg": "",
    "Annotations/a.xml": ("cat", "dog"),
    "Annotations/a-b.xml": ("dog",),
    "ImageSets/Main/train.txt": "a\na-b\n",
    "ImageSets/Main/val.txt": "c\r\n",
    "ImageSets/Main/trainval.txt": "a\nc\na-b\n",
}
BASES = ("", "one/", "train/", "valid/")
STEMS = ("a", "a-b", "B", "é", "000001")
# Images with or without annotations, as most datasets have them.
USUAL = [
    (f"{base}JPEGImages/{stem}.jpg", *[f"{base}Annotations/{stem}.xml"][:annotated])
    for base in BASES
    for stem in STEMS
    for annotated in range(2)
]
# What makes a dataset another one.
ODD = [
    f"{base}{folder}{name}"
    for base in BASES
    for folder in ("JPEGImages/", "Annotations/", "masks/", "")
    for name in ("a.png", "a.jpg", "a_mask.png", "B.xml", "a.XML", "b.xml", "a.txt")
]
LISTS = [
    f"{base}ImageSets/{name}.txt"
    for base in BASES
    for name in ("Main/train", "Main/val", "Main/trainval", "Main/a_train", "Layout/val")
]
LINES = st.lists(st.sampled_from([*STEMS[:3] * 3, *STEMS, "a 1", "a -1", "b", "", "a.jpg"]), max_size=6)


def found(root: Path, **options: str) -> tuple[object, ...]:
    """Everything that reading says."""
    reader = VocReader(root, options)
    items = list(reader.read())
    problems = [(one.file, one.sentence) for one in reader.annotation_problems.named]
    return items, list(reader.remarks), problems, dict(reader.passed_over)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Catalogue]:
    """The catalogues that opened a database."""
    made: list[Catalogue] = []
    was = Catalogue._open
    monkeypatch.setattr(Catalogue, "_open", lambda catalogue: (made.append(catalogue), was(catalogue))[1])
    return made


def test_a_usual_dataset_needs_no_database(tmp_path, opened):
    items, remarks, problems, _ = found(voc(tmp_path, PLAIN))
    assert [(item.id, item.subset, item.labels) for item in items] == [
        ("a-b.jpg", "train", ("dog",)),
        ("a.jpg", "train", ("cat", "dog")),
        ("c.jpg", "val", ()),
    ]
    assert (remarks, problems, opened) == ([], [], [])


@pytest.mark.parametrize("most", range(4))
def test_a_database_reads_what_is_more_than_memory_should_hold(most, tmp_path, monkeypatch, opened):
    root = voc(tmp_path, PLAIN)
    whole = found(root)
    monkeypatch.setattr(Pairs, "most", most)
    assert found(root) == whole
    assert len(opened) == (most < 3)


@settings(max_examples=EXAMPLES.now, deadline=None)
@given(
    pairs=st.lists(st.sampled_from(USUAL), min_size=1, max_size=10),
    odd=st.one_of(st.just([]), st.lists(st.sampled_from(ODD), max_size=3)),
    lists=st.dictionaries(st.sampled_from(LISTS), LINES, max_size=3),
    end=st.sampled_from(["\n", "\r\n"]),
    unlisted=st.sampled_from(["no", "yes"]),
    most=st.integers(0, 6),
)
def test_memory_and_database_give_the_same(tmp_path_factory, pairs, odd, lists, end, unlisted, most):
    root = tmp_path_factory.mktemp("voc")
    for name in [*itertools.chain.from_iterable(pairs), *odd]:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(annotation(path.stem, "cat") if path.suffix.lower() == ".xml" else "x", encoding="utf-8")
    for name, lines in lists.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(line + end for line in lines), encoding="utf-8", newline="")
    in_memory = found(root, unlisted=unlisted)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Pairs, "most", most)
        assert found(root, unlisted=unlisted) == in_memory
